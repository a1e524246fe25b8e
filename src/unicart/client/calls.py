"""Every request that the client makes, and how its answer is read; sending is left to the two clients."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from unicart.client.errors import BY_STATUS, ApiError, BadAnswer
from unicart.client.filters import Params, listed, params
from unicart.client.models import Event, EventPage, Page, Passed, Written, decode
from unicart.contract.common import Tag, encode
from unicart.contract.connections import ConnectionObject, ConnectionUpdated, SyncJob, SyncStarted
from unicart.contract.errors import ErrorBody
from unicart.contract.filters import MAX_VALUES
from unicart.contract.integrations import IntegrationInfo
from unicart.contract.orders import CartOrder
from unicart.contract.products import CartProduct
from unicart.contract.resources import ORDERS, PRODUCTS, Function, Resource
from unicart.contract.writes import URLS, InventoryAdjustment, NewRefund, NewShipment, WriteFunction

T = TypeVar("T")
QUOTED = 300


class Call(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A request. ``repeatable``: sending it twice does no more than sending it once."""

    method: str = "GET"
    path: str
    params: Params = []
    headers: dict[str, str] = {}
    body: bytes | None = None
    repeatable: bool = True
    read: Callable[[httpx2.Response], T]


def records(resource: Resource, ids: Sequence[str] | None, filters: Mapping[str, Any], page_size: int) -> list[Params]:
    """The parameters of the walks that a list takes: one, or one for each hundred ids.

    Raises:
        ValueError: ids together with filters, of which the API would ignore the filters.
    """
    if ids is None:
        return [[("limit", str(page_size)), *params(filters)]]
    if filters:
        raise ValueError(f"ids cannot be combined with {', '.join(filters)}: the API would ignore all but the ids")
    distinct = list(dict.fromkeys(ids))
    parts = [distinct[start : start + MAX_VALUES] for start in range(0, len(distinct), MAX_VALUES)]
    return [[("ids[in]", listed(part, "ids", "in"))] for part in parts]


def page(path: str, record: Any, query: Params, token: str | None) -> Call[Page[Any]]:
    """A page of a list."""
    behind = [] if token is None else [("page_token", token)]
    return Call(path=path, params=[*query, *behind], read=_whole(_of(Page, record)))


def record(resource: Resource, id: str) -> Call[Any]:
    """One record."""
    return Call(path=f"{resource.path}/{_part(id)}", read=_data(resource.served))


def set_tags(resource: Resource, id: str, tags: Sequence[Tag]) -> Call[Any]:
    """Replace the tags of a record."""
    path = f"{resource.path}/{_part(id)}/trackstar-tags"
    body = encode({"trackstar_tags": list(tags)})
    return Call(method="PUT", path=path, body=body, read=_data(resource.served))


def create_shipment(order_id: str, shipment: NewShipment, key: str | None) -> Call[Written[CartOrder]]:
    """Ship an order, or a part of it."""
    path = {"order_id": order_id}
    return _write(WriteFunction.CREATE_SHIPMENT, path, _body(shipment), key, _written(ORDERS.served))


def refund_order(order_id: str, refund: NewRefund, key: str | None) -> Call[Written[CartOrder]]:
    """Pay an order back, or a part of it."""
    return _write(WriteFunction.REFUND_ORDER, {"order_id": order_id}, _body(refund), key, _written(ORDERS.served))


def adjust_inventory(adjustment: InventoryAdjustment, key: str | None) -> Call[Written[CartProduct]]:
    """Change the stock of a product."""
    body = _body(adjustment)
    path = {"product_id": body.pop("product_id")}
    return _write(WriteFunction.ADJUST_INVENTORY, path, body, key, _written(PRODUCTS.served))


def batch_adjust_inventory(
    adjustments: Sequence[InventoryAdjustment], key: str | None
) -> Call[Written[list[CartProduct]]]:
    """Change the stock of several products."""
    body = {"line_items": [_body(each) for each in adjustments]}
    read = _written(list[CartProduct])
    return _write(WriteFunction.BATCH_ADJUST_INVENTORY, {}, body, key, read)


def passthrough(
    method: str,
    path: str,
    data: Any | None,
    query: Mapping[str, Any] | None,
    headers: Mapping[str, str] | None,
) -> Call[Passed]:
    """Send a request to the platform as it is. Nothing keeps it from being done twice, unless it only reads."""
    given = {"method": method, "path": path, "data": data, "params": query, "headers": headers}
    fields = {name: value for name, value in given.items() if value is not None}
    ours, url = URLS[WriteFunction.PASSTHROUGH]
    repeatable = method.upper() == "GET"
    return Call(method=ours, path=url, body=encode(fields), repeatable=repeatable, read=_whole(Passed))


def connection(id: str) -> Call[ConnectionObject]:
    """One connection."""
    return Call(path=f"/connections/{_part(id)}", read=_data(ConnectionObject))


def quarantine_path(id: str) -> str:
    """The list of a connection's quarantined records."""
    return f"/connections/{_part(id)}/quarantine"


def sync_now(functions: Sequence[Function]) -> Call[SyncStarted]:
    """Make schedules due."""
    body = {"functions_to_sync": list(functions)} if functions else {}
    return Call(method="POST", path="/connections/sync", body=encode(body), read=_whole(SyncStarted))


def pause(function: Function | None, *, paused: bool) -> Call[ConnectionUpdated]:
    """Pause or resume one schedule, or all."""
    path = "/schedules/toggle-all" if function is None else f"/schedules/{_part(function)}/toggle"
    return Call(method="PATCH", path=path, body=encode({"paused": paused}), read=_whole(ConnectionUpdated))


def disable_functions(functions: Sequence[Function | WriteFunction]) -> Call[ConnectionUpdated]:
    """Disable functions, and enable all others."""
    body = encode({"disabled_functions": list(functions)})
    path = "/schedules/disabled-functions"
    return Call(method="PATCH", path=path, body=body, read=_whole(ConnectionUpdated))


def create_sync_job(function: Function, start: datetime, end: datetime) -> Call[SyncJob]:
    """Open an on-demand sync. A second one would pull the same once more."""
    body = {"function_name": function, "start_time": start, "end_time": end}
    path = "/connections/on-demand-syncs"
    return Call(method="POST", path=path, body=encode(body), repeatable=False, read=_whole(SyncJob))


def sync_job(id: str) -> Call[SyncJob]:
    """An on-demand sync."""
    return Call(path=f"/connections/on-demand-syncs/{_part(id)}", read=_whole(SyncJob))


def cancel_sync_job(id: str) -> Call[SyncJob]:
    """Cancel an on-demand sync. Done twice, the second is refused: it is not open any more."""
    path = f"/connections/on-demand-syncs/{_part(id)}/cancel"
    return Call(method="POST", path=path, repeatable=False, read=_whole(SyncJob))


def integrations(name: str | None) -> Call[list[IntegrationInfo]]:
    """All integrations, or one."""
    path = "/integrations/cart" if name is None else f"/integrations/cart/{_part(name)}"
    return Call(path=path, read=_data(list[IntegrationInfo]))


def events(query: Params, after: str | None) -> Call[EventPage]:
    """A page of the feed."""
    behind = [] if after is None else [("after", after)]
    return Call(path="/events", params=[*query, *behind], read=_whole(EventPage))


def event_stream(query: Params, after: str | None) -> Call[None]:
    """The feed as server-sent events; what is read of it is left to `httpx2.EventSource`."""
    behind = [] if after is None else [("after", after)]
    headers = {"accept": "text/event-stream", "cache-control": "no-store"}
    return Call(path="/events", params=[*query, *behind], headers=headers, read=lambda _: None)


def event_query(event_types: Sequence[str], connection_id: str | None) -> Params:
    """Which events."""
    types = [("event_type", listed(event_types, "event_types", "in"))] if event_types else []
    return [*types, *([] if connection_id is None else [("connection_id", connection_id)])]


def read_event(text: str) -> Event:
    """An event of a stream or a webhook.

    Raises:
        BadAnswer: it is none.
    """
    try:
        found: Event = decode(text, Event)
    except msgspec.DecodeError as error:
        raise BadAnswer(f"The event is not what the contract says: {error}", None) from error
    return found


def refuse(response: httpx2.Response) -> None:
    """Raise what an answer that is no success means; its body has been read."""
    if response.is_success:
        return
    status, request_id = response.status_code, response.headers.get("x-request-id")
    try:
        told: ErrorBody = decode(response.content, ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = ErrorBody(error=response.text[:QUOTED] or response.reason_phrase)
    raise BY_STATUS.get(status, ApiError)(
        status,
        told.error,
        origin=told.origin,
        detail=told.detail,
        id=told.id,
        request_id=request_id,
        retry_after=_seconds(response.headers.get("retry-after", "")),
    )


def _write(
    function: WriteFunction,
    path: Mapping[str, str],
    fields: Mapping[str, Any],
    key: str | None,
    read: Callable[[httpx2.Response], T],
) -> Call[T]:
    method, url = URLS[function]
    return Call(
        method=method,
        path=url.format(**{name: _part(value) for name, value in path.items()}),
        headers={"idempotency-key": key or str(uuid.uuid4())},
        body=encode(fields),
        read=read,
    )


def _body(struct: msgspec.Struct) -> dict[str, Any]:
    """The fields that say something, those of the platform alone among them: the API refuses nulls."""
    fields = {name: _value(getattr(struct, name)) for name in struct.__struct_fields__}
    specific = fields.pop("specific", {})
    said = {name: value for name, value in fields.items() if value is not None and value != []}
    return {**said, **specific}


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_value(each) for each in value]
    return _body(value) if isinstance(value, msgspec.Struct) else value


def _whole(type: Any) -> Callable[[httpx2.Response], Any]:
    def read(response: httpx2.Response) -> Any:
        try:
            return decode(response.content, type)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            message = f"{response.url.path} did not answer what the contract says: {error}"
            raise BadAnswer(message, response.headers.get("x-request-id")) from error

    return read


def _data(type: Any) -> Callable[[httpx2.Response], Any]:
    """The ``data`` of an answer."""
    whole = _whole(_of(Data, type))
    return lambda response: whole(response).data


def _written(type: Any) -> Callable[[httpx2.Response], Any]:
    """The answer of a write, with what its headers say."""
    whole = _whole(_of(Written, type))

    def read(response: httpx2.Response) -> Any:
        replayed = response.headers.get("idempotent-replayed") == "true"
        return msgspec.structs.replace(whole(response), replayed=replayed)

    return read


class Data(msgspec.Struct, Generic[T], frozen=True):
    """An answer whose ``data`` is all that counts."""

    data: T


def _of(generic: Any, type: Any) -> Any:
    """A generic struct of a type that is known only here."""
    return generic[type]


def _part(text: str) -> str:
    return quote(text, safe="")


def _seconds(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
