"""The sandbox's client: pages of generated records instead of requests."""

import asyncio
import re
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from unicart.connectors.kit import (
    Account,
    Connector,
    Pull,
    RawPage,
    RequestRefused,
    Session,
    State,
    read_cursor,
    write_cursor,
)
from unicart.connectors.sandbox import auth, generator, mapping, payloads, writes
from unicart.connectors.sandbox.errors import OUTCOMES
from unicart.connectors.sandbox.facts import FACTS
from unicart.contract.resources import Function, Record
from unicart.contract.writes import InventoryAdjustment, NewRefund, NewShipment

PAGE_SIZE = 500
ORDER_ID = re.compile("o[0-9]{7,10}")
VARIANT = re.compile("v[0-9]+(?=$|n)")


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """The number of the next record, and the shop that it counts in.

    While the first run of orders goes from the newest down, ``left`` are those that it has yet to yield, and ``since``
    is what limits it. ``seen`` is the version up to which the changes by writes were yielded.
    """

    shop: str
    next: int
    left: int = 0
    since: datetime | None = None
    seen: int = 0


class _Source(msgspec.Struct, frozen=True):
    """How many records there are, and how to make the one with a number."""

    count: int
    record: Callable[[int], bytes]

    def records(self, numbers: range) -> list[bytes]:
        return [self.record(number) for number in numbers]


class _Changed(msgspec.Struct):
    changed_at: datetime


class _Created(msgspec.Struct):
    created_at: datetime


class _Placed(msgspec.Struct):
    placed_at: datetime


class _Id(msgspec.Struct):
    id: str


class SandboxConnector(Connector):
    """A generated shop."""

    facts = FACTS

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        super().__init__(credentials, session)
        session.outcomes.update(OUTCOMES)

    async def check(self) -> Account:
        shop = auth.shop(self.credentials)
        return Account(account_id=shop.name, account_name=f"Sandbox {shop.seed}")

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        shop = auth.shop(self.credentials)
        source = _source(function, shop)
        stored = read_cursor(pull.cursor, Cursor) if pull.cursor is not None else None
        known = stored if stored is not None and stored.shop == shop.name else None
        if pull.until is not None:
            pages = _window(function, shop, source, pull, known.next if known else 0)
        elif known is None and function is Function.GET_ORDERS:
            pages = _backwards(source, Cursor(shop.name, source.count, source.count, pull.since))
        elif known is not None and known.left:
            pages = _backwards(source, known)
        else:
            pages = _onwards(source, known or Cursor(shop.name, 0), whole=pull.interrupted)
        cursor = pull.cursor
        for page in pages:
            cursor = page.cursor
            yield page
            await asyncio.sleep(0)
        async for page in self._changes(function, shop, read_cursor(cursor or "", Cursor), pull):
            yield page

    async def _changes(self, function: Function, shop: auth.Shop, cursor: Cursor, pull: Pull) -> AsyncIterator[RawPage]:
        """What writes have changed; of a window, what they have made within it."""
        while self.state is not None:
            changes = await self.state.changed(_key(shop, function, ""), cursor.seen, PAGE_SIZE)
            if not changes:
                return
            cursor = msgspec.structs.replace(cursor, seen=changes[-1][0])
            records = [raw for _, _, raw in changes]
            if pull.until is not None:
                records = [raw for raw in records if _within(function, raw, pull)]
            yield RawPage(records=records, cursor=write_cursor(cursor))

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        shop = auth.shop(self.credentials)
        source = _source(function, shop)
        wanted = set(ids)
        numbers: Iterable[int] = range(source.count)
        if function is Function.GET_ORDERS:
            given = {int(id[1:]) for id in wanted if ORDER_ID.fullmatch(id)}
            numbers = sorted(number for number in given if number < source.count)
        generated = [raw for raw in map(source.record, numbers) if _ids(self.map(function, raw)) & wanted]
        return await self._current(function, shop, generated, wanted)

    async def _current(
        self, function: Function, shop: auth.Shop, generated: Sequence[bytes], wanted: set[str]
    ) -> list[bytes]:
        """The records as writes have left them, and those that only writes have made."""
        if self.state is None:
            return list(generated)
        ids = [*(_raw_id(raw) for raw in generated), *(_parent(id) for id in wanted)]
        changed = await self.state.read(list({_key(shop, function, id) for id in ids}))
        kept = [raw for raw in generated if _key(shop, function, _raw_id(raw)) not in changed]
        return kept + [raw for raw in changed.values() if _ids(self.map(function, raw)) & wanted]

    async def create_shipment(self, order: bytes, shipment: NewShipment, reference: str) -> None:
        source = msgspec.json.decode(order, type=payloads.Order)
        await self._keep(Function.GET_ORDERS, writes.shipped(source, shipment, reference, _now()))

    async def refund_order(self, order: bytes, refund: NewRefund, reference: str) -> None:
        source = msgspec.json.decode(order, type=payloads.Order)
        await self._keep(Function.GET_ORDERS, writes.refunded(source, refund, reference, _now()))

    async def adjust_inventory(self, product: bytes, adjustment: InventoryAdjustment, reference: str) -> None:
        source = msgspec.json.decode(product, type=payloads.Product)
        await self._keep(Function.GET_PRODUCTS, writes.adjusted(source, adjustment, reference, _now()))

    @classmethod
    def bears(cls, raw: bytes, reference: str) -> bool | None:
        return f'"{reference}"'.encode() in raw

    async def simulate_order(self, id: str | None, wish: writes.SimulatedOrder) -> str | None:
        """Place a new order, or change the one with this ``id``; returns its id, or null if there is none."""
        if id is None:
            shop, number = auth.shop(self.credentials), await self._next("orders")
            raw = generator.order(shop.seed, shop.orders + number, shop.until, shop.orders + number + 1)
            order = writes.simulated(msgspec.json.decode(raw, type=payloads.Order), wish, _now())
        else:
            found = await self.fetch(Function.GET_ORDERS, [id])
            if not found:
                return None
            order = writes.changed(msgspec.json.decode(found[0], type=payloads.Order), wish, _now())
        await self._keep(Function.GET_ORDERS, order)
        return order.id

    async def simulate_product(self, wish: writes.SimulatedProduct) -> str | None:
        """Offer a new product, or change the one that is named; returns the id of it, or null if there is none."""
        if wish.product_id is None:
            shop, number = auth.shop(self.credentials), await self._next("products")
            raw = generator.product(shop.seed, number % generator.PRODUCTS, shop.until)
            model = msgspec.structs.replace(msgspec.json.decode(raw, type=payloads.Product), created_at=_now())
            product = writes.copied(model, number)
        else:
            found = await self.fetch(Function.GET_PRODUCTS, [wish.product_id])
            if not found:
                return None
            product = msgspec.json.decode(found[0], type=payloads.Product)
        await self._keep(Function.GET_PRODUCTS, writes.restocked(product, wish, _now()))
        return wish.product_id or product.id

    async def _keep(self, function: Function, record: payloads.Order | payloads.Product) -> None:
        key = _key(auth.shop(self.credentials), function, record.id)
        await self._kept().write({key: msgspec.json.encode(record)})

    async def _next(self, what: str) -> int:
        """The next number of its kind, from 0 on."""
        key = f"{auth.shop(self.credentials).name}/next/{what}"
        number = int((await self._kept().read([key])).get(key, b"0"))
        await self._kept().write({key: str(number + 1).encode()})
        return number

    def _kept(self) -> State:
        if self.state is None:
            raise RequestRefused("This sandbox has no connection that its changes could be kept for.")
        return self.state

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        if function is Function.GET_ORDERS:
            return [mapping.order(raw)]
        if function is Function.GET_PRODUCTS:
            return mapping.products(raw)
        return [mapping.warehouse(raw)]


def _ids(records: Iterable[Record]) -> set[str]:
    return {record.id for record in records}


def _raw_id(raw: bytes) -> str:
    return msgspec.json.decode(raw, type=_Id).id


def _parent(id: str) -> str:
    """The id under which a record would be kept: a variant lies in its product."""
    return VARIANT.sub("", id)


def _key(shop: auth.Shop, function: Function, id: str) -> str:
    return f"{shop.name}/{function.value}/{id}"


def _now() -> datetime:
    return datetime.now(UTC)


def _within(function: Function, raw: bytes, pull: Pull) -> bool:
    placed = msgspec.json.decode(raw, type=_Placed).placed_at if function is Function.GET_ORDERS else None
    created = placed or msgspec.json.decode(raw, type=_Created).created_at
    return (pull.since is None or created >= pull.since) and (pull.until is None or created <= pull.until)


def _source(function: Function, shop: auth.Shop) -> _Source:
    if function is Function.GET_ORDERS:
        return _Source(shop.orders, lambda number: generator.order(shop.seed, number, shop.until, shop.orders))
    if function is Function.GET_PRODUCTS:
        return _Source(generator.PRODUCTS, lambda number: generator.product(shop.seed, number, shop.until))
    return _Source(generator.WAREHOUSES, lambda number: generator.warehouse(number, shop.until))


def _backwards(source: _Source, cursor: Cursor) -> Iterator[RawPage]:
    """The first run of orders: the newest first."""
    since = cursor.since
    while True:
        rest = max(cursor.left - PAGE_SIZE, 0)
        records = source.records(range(rest, cursor.left)[::-1])
        if since is not None:
            records = [raw for raw in records if msgspec.json.decode(raw, type=_Changed).changed_at >= since]
        cursor = Cursor(cursor.shop, cursor.next, rest, since if rest else None)
        yield RawPage(records=records, cursor=write_cursor(cursor), total=source.count if since is None else None)
        if not rest:
            return


def _onwards(source: _Source, cursor: Cursor, *, whole: bool) -> Iterator[RawPage]:
    """The records from the next one on; in a run that goes on, ``whole`` counts those before as well."""
    total = source.count if whole else source.count - cursor.next
    while True:
        numbers = range(cursor.next, min(cursor.next + PAGE_SIZE, source.count))
        cursor = msgspec.structs.replace(cursor, next=cursor.next + len(numbers))
        yield RawPage(records=source.records(numbers), cursor=write_cursor(cursor), total=total)
        if cursor.next >= source.count:
            return


def _window(function: Function, shop: auth.Shop, source: _Source, pull: Pull, number: int) -> Iterator[RawPage]:
    """The records of a window of time, the oldest first."""

    def created(number: int) -> datetime:
        if function is Function.GET_ORDERS:
            return datetime.fromtimestamp(generator.placed_at(number, shop.until, shop.orders), UTC)
        return msgspec.json.decode(source.record(number), type=_Created).created_at

    numbers = range(source.count)
    first = bisect_left(numbers, pull.since, key=created) if pull.since else 0
    behind = bisect_right(numbers, pull.until, key=created) if pull.until else source.count
    number = max(number, first)
    while True:
        part = range(number, min(number + PAGE_SIZE, behind))
        number = max(number, part.stop)
        cursor = write_cursor(Cursor(shop.name, number))
        yield RawPage(records=source.records(part), cursor=cursor, total=max(behind - first, 0))
        if number >= behind:
            return
