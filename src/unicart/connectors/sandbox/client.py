"""The sandbox's client: pages of generated records instead of requests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from unicart.connectors.kit import Account, Connector, Pull, RawPage, Session, read_cursor, write_cursor
from unicart.connectors.sandbox import auth, generator, mapping
from unicart.connectors.sandbox.errors import OUTCOMES
from unicart.connectors.sandbox.facts import FACTS
from unicart.contract.resources import Function, Record

PAGE_SIZE = 500


class Cursor(msgspec.Struct, frozen=True):
    """The number of the next record, and the shop that it counts in."""

    shop: str
    next: int


class _Changed(msgspec.Struct):
    changed_at: datetime


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
        count, record = _source(function, shop)
        number, since = _start(shop, pull)
        expected = count if pull.interrupted else count - number
        while True:
            numbers = range(number, min(number + PAGE_SIZE, count))
            records = [record(each) for each in numbers]
            if since is not None:
                records = [raw for raw in records if msgspec.json.decode(raw, type=_Changed).changed_at >= since]
            number += len(numbers)
            total = expected if since is None else None
            yield RawPage(records=records, cursor=write_cursor(Cursor(shop.name, number)), total=total)
            if number >= count:
                return
            await asyncio.sleep(0)

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        if function is Function.GET_ORDERS:
            return [mapping.order(raw)]
        if function is Function.GET_PRODUCTS:
            return mapping.products(raw)
        return [mapping.warehouse(raw)]


def _source(function: Function, shop: auth.Shop) -> tuple[int, Callable[[int], bytes]]:
    if function is Function.GET_ORDERS:
        return shop.orders, lambda number: generator.order(shop.seed, number, shop.until, shop.orders)
    if function is Function.GET_PRODUCTS:
        return generator.PRODUCTS, lambda number: generator.product(shop.seed, number, shop.until)
    return generator.WAREHOUSES, lambda number: generator.warehouse(number, shop.until)


def _start(shop: auth.Shop, pull: Pull) -> tuple[int, datetime | None]:
    if pull.cursor is not None:
        cursor = read_cursor(pull.cursor, Cursor)
        if cursor.shop == shop.name:
            return cursor.next, pull.since if pull.interrupted else None
    return 0, pull.since
