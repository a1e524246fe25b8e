"""The sandbox's client: pages of generated records instead of requests."""

import asyncio
import re
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from unicart.connectors.kit import Account, Connector, Pull, RawPage, Session, read_cursor, write_cursor
from unicart.connectors.sandbox import auth, generator, mapping
from unicart.connectors.sandbox.errors import OUTCOMES
from unicart.connectors.sandbox.facts import FACTS
from unicart.contract.resources import Function, Record

PAGE_SIZE = 500
ORDER_ID = re.compile("o[0-9]{7,10}")


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """The number of the next record, and the shop that it counts in.

    While the first run of orders goes from the newest down, ``left`` are those that it has yet to yield, and ``since``
    is what limits it.
    """

    shop: str
    next: int
    left: int = 0
    since: datetime | None = None


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
        for page in pages:
            yield page
            await asyncio.sleep(0)

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        source = _source(function, auth.shop(self.credentials))
        wanted = set(ids)
        numbers: Iterable[int] = range(source.count)
        if function is Function.GET_ORDERS:
            given = {int(id[1:]) for id in wanted if ORDER_ID.fullmatch(id)}
            numbers = sorted(number for number in given if number < source.count)
        return [raw for raw in map(source.record, numbers) if _ids(self.map(function, raw)) & wanted]

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        if function is Function.GET_ORDERS:
            return [mapping.order(raw)]
        if function is Function.GET_PRODUCTS:
            return mapping.products(raw)
        return [mapping.warehouse(raw)]


def _ids(records: Iterable[Record]) -> set[str]:
    return {record.id for record in records}


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
        cursor = Cursor(cursor.shop, cursor.next + len(numbers))
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
