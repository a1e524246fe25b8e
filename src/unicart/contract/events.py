"""Events: what they are called, what they hold, and how a change is told.

The names and the envelope follow the Cart API's webhooks. ``previous_attributes`` is flat: the old value of each changed
field under its path, whose parts are joined by dots (``ship_to_address.city``, ``line_items.0.quantity``). A list whose
length changed is told whole.
"""

from decimal import Decimal
from typing import Any

import msgspec

from unicart.contract.common import encode
from unicart.contract.resources import ORDERS, RESOURCES, Resource

SHIPMENT_CREATED = "cart-order.cart-shipment.created"
CONNECTION_CREATED = "connection.created"
CONNECTION_DELETED = "connection.deleted"
HISTORICAL_SYNC_COMPLETED = "connection.historical-sync-completed"
FORCE_SYNC_COMPLETED = "connection.force-sync-completed"
SYNC_JOB_COMPLETED = "connection.sync-job-completed"
SYNC_JOB_STUCK = "connection.sync-job-stuck"
ERROR_CREATED = "connection-error.created"
ERROR_UPDATED = "connection-error.updated"
ERROR_DELETED = "connection-error.deleted"
ENDPOINT_DISABLED = "webhook-endpoint.disabled"
ENDPOINT_TEST = "webhook-endpoint.test"
"""Sent on request, to see whether an endpoint answers; never in the feed."""
UNTOLD = frozenset({"trackstar_updated_date"})
"""What changes with every change."""

_documents = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


class Source(msgspec.Struct, frozen=True):
    """The connection that an event is of."""

    connection_id: str
    customer_id: str | None
    integration_name: str


def created(resource: Resource) -> str:
    """The type of the event of a new record."""
    return f"cart-{resource.singular}.created"


def updated(resource: Resource) -> str:
    """The type of the event of a changed record."""
    return f"cart-{resource.singular}.updated"


def deleted(resource: Resource) -> str:
    """The type of the event of a record that the platform does not have any more; an addition of ours."""
    return f"cart-{resource.singular}.deleted"


RECORD_EVENT_TYPES = (
    *(name(resource) for resource in RESOURCES for name in (created, updated, deleted)),
    SHIPMENT_CREATED,
)
"""What a connection whose webhooks are disabled sends no more."""

EVENT_TYPES = (
    *RECORD_EVENT_TYPES,
    CONNECTION_CREATED,
    CONNECTION_DELETED,
    HISTORICAL_SYNC_COMPLETED,
    FORCE_SYNC_COMPLETED,
    SYNC_JOB_COMPLETED,
    SYNC_JOB_STUCK,
    ERROR_CREATED,
    ERROR_UPDATED,
    ERROR_DELETED,
    ENDPOINT_DISABLED,
)


class Event(msgspec.Struct, frozen=True):
    """An event before it is stored. ``body`` is the JSON of its envelope."""

    type: str
    body: bytes


def of_change(source: Source, resource: Resource, old: bytes | None, new: bytes) -> list[Event]:
    """The events of one changed record, whose documents are ``old`` (null for a new one) and ``new``."""

    def event(type: str, previous: dict[str, Any] | None) -> Event:
        return Event(type, _envelope(source, type, new, previous))

    after = _documents.decode(new)
    before = _documents.decode(old) if old is not None else None
    if before is None:
        events = [event(created(resource), None)]
    else:
        events = [event(updated(resource), previous_attributes(before, after))]
    if resource is ORDERS:
        shipments = before["shipments"] if before else []
        if _ids(after["shipments"]) - _ids(shipments):
            events.append(event(SHIPMENT_CREATED, {"shipments": shipments}))
    return events


def of_deletion(source: Source, resource: Resource, old: bytes) -> Event:
    """The event of a record that is gone, with its last document."""
    type = deleted(resource)
    return Event(type, _envelope(source, type, old, None))


def of_connection(
    source: Source, type: str, data: dict[str, Any] | msgspec.Struct, previous: dict[str, Any] | None = None
) -> Event:
    """An event of a connection itself."""
    return Event(type, _envelope(source, type, encode(data), previous))


def of_endpoint(type: str, data: dict[str, Any]) -> Event:
    """An event of a webhook endpoint, which is of no connection."""
    return Event(
        type,
        encode(
            {
                "connection_id": None,
                "customer_id": None,
                "integration_name": None,
                "integration_type": "general",
                "event_type": type,
                "data": data,
            }
        ),
    )


def previous_attributes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The old values of the fields that differ, by path."""
    found: dict[str, Any] = {}
    _compare(old, new, "", found)
    return {path: value for path, value in found.items() if path not in UNTOLD}


def _compare(old: Any, new: Any, path: str, found: dict[str, Any]) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            _compare(old.get(name), new.get(name), f"{path}.{name}" if path else name, found)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            _compare(before, after, f"{path}.{number}", found)
    elif old != new:
        found[path] = old


def _ids(shipments: list[dict[str, Any]]) -> set[str]:
    return {shipment["shipment_id"] for shipment in shipments}


def _envelope(source: Source, type: str, data: bytes, previous: dict[str, Any] | None) -> bytes:
    head = encode({**msgspec.structs.asdict(source), "integration_type": "cart", "event_type": type})
    tail = b"" if previous is None else b',"previous_attributes":' + encode(previous)
    return b'%s,"data":%s%s}' % (head[:-1], data, tail)
