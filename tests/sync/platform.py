"""A platform that does what a test scripts: pages of orders, errors between them, and answers that make no sense."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from shop import EPOCH, moment
from unicart.connectors.kit import Account, Connector, Facts, Pull, RawPage, Session, UnmappableRecord
from unicart.contract.orders import LineItem, Order, OrderStatus
from unicart.contract.resources import Function, Record

Between = Callable[[int], Awaitable[None]]


class RawOrder(msgspec.Struct):
    """An order as the platform sends it; ``changed`` counts seconds."""

    id: str
    changed: int = 0
    status: str = "open"
    note: str = ""


class ScriptedPlatform(Connector):
    """``pages`` are sent in turn; ``before`` is awaited with the number of each page, and may raise."""

    facts = Facts(
        name="scripted",
        display_name="Scripted",
        description="A platform for tests.",
        credentials=(),
        functions=(Function.GET_ORDERS,),
        limits="",
        incremental="",
        documentation=(),
    )

    def __init__(self, pages: Sequence[Sequence[RawOrder | bytes]]) -> None:
        super().__init__({}, Session(""))
        self.pages = pages
        self.before: Between | None = None
        self.notice: str | None = None
        self.visible_from: datetime | None = None
        self.pulls: list[Pull] = []

    async def check(self) -> Account:
        return Account(account_id="1", account_name="Scripted")

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        self.pulls.append(pull)
        first = int(pull.cursor or 0) if pull.interrupted else 0
        for number in range(first, len(self.pages)):
            if self.before is not None:
                await self.before(number)
            records = [raw if isinstance(raw, bytes) else msgspec.json.encode(raw) for raw in self.pages[number]]
            yield RawPage(records=records, cursor=str(number + 1), total=sum(map(len, self.pages)), notice=self.notice)

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        found = [raw for page in self.pages for raw in page if isinstance(raw, RawOrder) and raw.id in ids]
        return [msgspec.json.encode(raw) for raw in found]

    async def oldest_visible(self, function: Function) -> datetime | None:
        return self.visible_from

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        order = msgspec.json.decode(raw, type=RawOrder)
        if order.status == "unknowable":
            raise UnmappableRecord("status: 'unknowable' cannot be mapped")
        return [
            Order(
                id=order.id,
                order_number=order.id,
                created_date=moment(EPOCH),
                updated_date=moment(EPOCH + order.changed),
                status=OrderStatus(order.status),
                line_items=[LineItem(line_item_id="1", quantity=1)],
                additional_fields={"note": order.note},
            )
        ]


def orders(*ids: str, **fields: Any) -> list[RawOrder]:
    """One raw order for each id."""
    return [RawOrder(id, **fields) for id in ids]
