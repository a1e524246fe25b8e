"""The client for asynchronous code."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx2

from unicart.client import calls
from unicart.client.calls import Call, read_event, records, refuse
from unicart.client.filters import Filters, OrderFilters, Params
from unicart.client.models import Event, Passed, Written
from unicart.client.retries import DEFAULT_RETRIES, Retries
from unicart.client.wire import LATEST, PAUSE, check_stream, credentials, log, reached
from unicart.contract.common import Tag
from unicart.contract.connections import ConnectionObject, ConnectionUpdated, QuarantinedRecord, SyncJob, SyncStarted
from unicart.contract.filters import MAX_LIMIT
from unicart.contract.integrations import IntegrationInfo
from unicart.contract.orders import CartOrder
from unicart.contract.products import CartProduct
from unicart.contract.resources import ORDERS, PRODUCTS, WAREHOUSES, Function, Resource
from unicart.contract.warehouses import CartWarehouse
from unicart.contract.writes import InventoryAdjustment, NewRefund, NewShipment, WriteFunction

T = TypeVar("T")


class AsyncClient:
    """A client of one organization and, with an access token, of one connection.

    Reads are repeated when they fail; writes carry an idempotency key and are repeated under it, so that each takes effect
    once. Lists walk all pages. Money is `decimal.Decimal`. Close it, or use it in an ``async with`` block.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        access_token: str | None = None,
        *,
        timeout: float = 60.0,
        retries: Retries = DEFAULT_RETRIES,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._http = httpx2.AsyncClient(
            base_url=base_url, headers=credentials(api_key, access_token), timeout=timeout, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._http.aclose()

    def orders(
        self, *, ids: Sequence[str] | None = None, page_size: int = MAX_LIMIT, **filters: Unpack[OrderFilters]
    ) -> AsyncIterator[CartOrder]:
        """All orders that match, or those with these ``ids``. Their order is total, and a walk skips none."""
        return self._records(ORDERS, records(ORDERS, ids, filters, page_size))

    def products(
        self, *, ids: Sequence[str] | None = None, page_size: int = MAX_LIMIT, **filters: Unpack[Filters]
    ) -> AsyncIterator[CartProduct]:
        """All products and variants that match."""
        return self._records(PRODUCTS, records(PRODUCTS, ids, filters, page_size))

    def warehouses(
        self, *, ids: Sequence[str] | None = None, page_size: int = MAX_LIMIT, **filters: Unpack[Filters]
    ) -> AsyncIterator[CartWarehouse]:
        """All warehouses that match."""
        return self._records(WAREHOUSES, records(WAREHOUSES, ids, filters, page_size))

    async def order(self, id: str) -> CartOrder:
        """One order.

        Raises:
            NotFound: there is none.
        """
        found: CartOrder = await self._send(calls.record(ORDERS, id))
        return found

    async def product(self, id: str) -> CartProduct:
        """One product or variant, as `order`."""
        found: CartProduct = await self._send(calls.record(PRODUCTS, id))
        return found

    async def warehouse(self, id: str) -> CartWarehouse:
        """One warehouse, as `order`."""
        found: CartWarehouse = await self._send(calls.record(WAREHOUSES, id))
        return found

    async def tag_order(self, id: str, tags: Sequence[Tag]) -> CartOrder:
        """Replace the tags of an order. They are yours: the platform never sees them."""
        found: CartOrder = await self._send(calls.set_tags(ORDERS, id, tags))
        return found

    async def tag_product(self, id: str, tags: Sequence[Tag]) -> CartProduct:
        """Replace the tags of a product."""
        found: CartProduct = await self._send(calls.set_tags(PRODUCTS, id, tags))
        return found

    async def tag_warehouse(self, id: str, tags: Sequence[Tag]) -> CartWarehouse:
        """Replace the tags of a warehouse."""
        found: CartWarehouse = await self._send(calls.set_tags(WAREHOUSES, id, tags))
        return found

    async def create_shipment(
        self, order_id: str, shipment: NewShipment, *, idempotency_key: str | None = None
    ) -> Written[CartOrder]:
        """Tell the platform that an order, or a part of it, is shipped.

        ``idempotency_key`` is made anew for each call; give one of your own to repeat a call after your process ended.
        """
        return await self._send(calls.create_shipment(order_id, shipment, idempotency_key))

    async def refund_order(
        self, order_id: str, refund: NewRefund, *, idempotency_key: str | None = None
    ) -> Written[CartOrder]:
        """Pay an order back, or a part of it; ``NewRefund()`` is all that is left."""
        return await self._send(calls.refund_order(order_id, refund, idempotency_key))

    async def adjust_inventory(
        self, adjustment: InventoryAdjustment, *, idempotency_key: str | None = None
    ) -> Written[CartProduct]:
        """Change the stock of a product or variant."""
        return await self._send(calls.adjust_inventory(adjustment, idempotency_key))

    async def batch_adjust_inventory(
        self, adjustments: Sequence[InventoryAdjustment], *, idempotency_key: str | None = None
    ) -> Written[list[CartProduct]]:
        """Change the stock of several products, one after the other. An error names the one at which it stopped."""
        return await self._send(calls.batch_adjust_inventory(adjustments, idempotency_key))

    async def passthrough(
        self,
        method: str,
        path: str,
        *,
        data: Any | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Passed:
        """Send a request to the platform as it is. What writes is not repeated: nothing keeps it from being done twice."""
        return await self._send(calls.passthrough(method, path, data, params, headers))

    def connections(self, *, page_size: int = MAX_LIMIT) -> AsyncIterator[ConnectionObject]:
        """All connections of the organization."""
        return self._walk("/connections", ConnectionObject, [("limit", str(page_size))])

    async def connection(self, id: str) -> ConnectionObject:
        """One connection: how its syncs stand, and what is wrong."""
        return await self._send(calls.connection(id))

    def quarantine(self, connection_id: str, *, page_size: int = MAX_LIMIT) -> AsyncIterator[QuarantinedRecord]:
        """The records of a connection that could not be mapped, raw, with the reason."""
        return self._walk(calls.quarantine_path(connection_id), QuarantinedRecord, [("limit", str(page_size))])

    async def sync_now(self, functions: Sequence[Function] = ()) -> SyncStarted:
        """Sync these functions of the connection now; all, if none is named."""
        return await self._send(calls.sync_now(functions))

    async def pause(self, function: Function | None = None) -> ConnectionUpdated:
        """Pause the syncs of a function; of all, if none is named."""
        return await self._send(calls.pause(function, paused=True))

    async def resume(self, function: Function | None = None) -> ConnectionUpdated:
        """Resume the syncs of a function; of all, if none is named."""
        return await self._send(calls.pause(function, paused=False))

    async def disable_functions(self, functions: Sequence[Function | WriteFunction]) -> ConnectionUpdated:
        """Disable these functions of the connection, and enable all others."""
        return await self._send(calls.disable_functions(functions))

    async def create_sync_job(self, function: Function, start: datetime, end: datetime) -> SyncJob:
        """Pull the records of a function that were created from ``start`` to ``end``."""
        return await self._send(calls.create_sync_job(function, start, end))

    async def sync_job(self, id: str) -> SyncJob:
        """An on-demand sync, as it stands."""
        return await self._send(calls.sync_job(id))

    async def cancel_sync_job(self, id: str) -> SyncJob:
        """Cancel an on-demand sync that is open; what it has stored stays."""
        return await self._send(calls.cancel_sync_job(id))

    async def integrations(self) -> list[IntegrationInfo]:
        """The platforms that can be connected."""
        return await self._send(calls.integrations(None))

    async def integration(self, name: str) -> IntegrationInfo:
        """One of them.

        Raises:
            NotFound: there is no such connector.
        """
        (found,) = await self._send(calls.integrations(name))
        return found

    def events(
        self,
        after: str | None = None,
        *,
        event_types: Sequence[str] = (),
        connection_id: str | None = None,
        page_size: int = MAX_LIMIT,
    ) -> "AsyncFeed":
        """What has changed behind the cursor ``after``; without it, all that is kept. Keep the feed's ``cursor``."""
        query = [("limit", str(page_size)), *calls.event_query(event_types, connection_id)]
        return AsyncFeed(self, query, after)

    def follow(
        self, after: str = LATEST, *, event_types: Sequence[str] = (), connection_id: str | None = None
    ) -> "AsyncStream":
        """What changes behind the cursor ``after``, as it happens, without end; a connection that drops is made anew."""
        return AsyncStream(self, calls.event_query(event_types, connection_id), after)

    def _records(self, resource: Resource, queries: Sequence[Params]) -> AsyncIterator[Any]:
        return self._walk(resource.path, resource.served, *queries)

    async def _walk(self, path: str, record: Any, *queries: Params) -> AsyncIterator[Any]:
        for query in queries:
            token = None
            while True:
                page = await self._send(calls.page(path, record, query, token))
                for each in page.data:
                    yield each
                token = page.next_token
                if token is None:
                    break

    async def _send(self, call: Call[T]) -> T:
        async for attempt in self._retries.of(call):
            with attempt:
                response = await self._exchange(call, stream=False)
                return call.read(response)
        raise AssertionError("unreachable")

    async def _open(self, call: Call[None]) -> httpx2.Response:
        """An answer that is still to be read."""
        async for attempt in self._retries.of(call):
            with attempt:
                return await self._exchange(call, stream=True)
        raise AssertionError("unreachable")

    async def _exchange(self, call: Call[Any], *, stream: bool) -> httpx2.Response:
        request = self._http.build_request(
            call.method,
            call.path,
            params=httpx2.QueryParams(tuple(call.params)),
            headers=call.headers,
            content=call.body,
        )
        with reached(request):
            response = await self._http.send(request, stream=stream)
            if not response.is_success:
                await response.aread()
        refuse(response)
        return response


class AsyncFeed:
    """Events, in order, up to the newest. ``cursor`` goes on behind the last one that was taken; iterate again for more."""

    def __init__(self, client: AsyncClient, query: Params, after: str | None) -> None:
        self.cursor = after
        self._client = client
        self._query = query

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            page = await self._client._send(calls.events(self._query, self.cursor))
            for event in page.data:
                self.cursor = event.id
                yield event
            self.cursor = page.next_cursor
            if not page.data:
                return


class AsyncStream:
    """Events, in order, as they happen. ``cursor`` goes on behind the last one that was taken."""

    def __init__(self, client: AsyncClient, query: Params, after: str) -> None:
        self.cursor = after
        self._client = client
        self._query = query

    async def __aiter__(self) -> AsyncIterator[Event]:
        if self.cursor == LATEST:
            # So that nothing is missed should the first connection drop before its first event.
            self.cursor = (await self._client._send(calls.events([("limit", "1")], LATEST))).next_cursor
        while True:
            response = await self._client._open(calls.event_stream(self._query, self.cursor))
            async for event in self._events(response):
                yield event
            await asyncio.sleep(PAUSE)

    async def _events(self, response: httpx2.Response) -> AsyncIterator[Event]:
        """The events of one connection, until it drops."""
        try:
            check_stream(response)
            async for each in httpx2.EventSource(response, max_event_size=None):
                event = read_event(each.data)
                self.cursor = event.id
                yield event
        except httpx2.RequestError as error:
            log.info("The event stream dropped and is opened again: %r", error)
        finally:
            await response.aclose()
