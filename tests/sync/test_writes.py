"""Whatever goes wrong between us and the platform, a write under one key is done once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Literal

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from shop import EPOCH, moment
from unicart.connectors.kit import (
    Account,
    Connector,
    Facts,
    OutcomeUnknown,
    PlatformUnavailable,
    Pull,
    RawPage,
    RequestRefused,
    Session,
    Write,
)
from unicart.contract.errors import IntegrationError, UnicartError
from unicart.contract.orders import LineItem, Order, OrderStatus, Refund, RefundLineItem, Shipment, ShipmentLineItem
from unicart.contract.products import Product
from unicart.contract.resources import Function, Record
from unicart.contract.writes import (
    AdjustmentType,
    InventoryAdjustment,
    LineQuantity,
    LineRefund,
    NewRefund,
    NewShipment,
    WriteFunction,
)
from unicart.store import leases, tenants, writes
from unicart.store.database import Database, open_database
from unicart.store.migrate import migrate
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection
from unicart.store.writes import KeyInProgress
from unicart.sync.writes import SETTLED, AdjustmentWrite, Attempt, RefundWrite, ShipmentWrite, Writer
from unicart.sync.writes import Write as Work

Outcome = Literal["done", "refused", "down", "cut before", "cut after", "late", "dies before", "dies after"]
OUTCOMES: tuple[Outcome, ...] = (
    "done",
    "refused",
    "down",
    "cut before",
    "cut after",
    "late",
    "dies before",
    "dies after",
)
LATEST = SETTLED - 10


class Died(BaseException):
    """The end of a process."""


class Made(msgspec.Struct):
    """A shipment or refund on the platform; ``due`` is when it shows."""

    kind: str
    id: str
    due: int
    quantity: int
    tracking: str | None = None
    reference: str | None = None


class Treacherous(Connector):
    """One order of many units, and one product. ``outcome`` is what becomes of the next write."""

    facts = Facts(
        name="treacherous",
        display_name="Treacherous",
        description="",
        credentials=(),
        functions=(Function.GET_ORDERS, Function.GET_PRODUCTS),
        writes=(
            Write(function=WriteFunction.CREATE_SHIPMENT),
            Write(function=WriteFunction.REFUND_ORDER),
            Write(function=WriteFunction.ADJUST_INVENTORY),
        ),
        limits="",
        incremental="",
        documentation=(),
    )
    remembers = False

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__({}, Session(""))
        self.made: list[Made] = []
        self.stock: list[tuple[int, int, str]] = [(0, 10, "")]
        self.outcome: Outcome = "done"
        self.order = "o"
        self._clock = clock

    async def check(self) -> Account:
        return Account(account_id="1", account_name="T")

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        yield RawPage(records=await self.fetch(function, ["o"]), cursor="1")

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        now = self._clock()
        if function is Function.GET_PRODUCTS:
            shown = [(change, reference) for due, change, reference in self.stock if due <= now]
            references = [reference for _, reference in shown if self.remembers]
            level = sum(change for change, _ in shown)
            return [msgspec.json.encode({"id": "p", "level": level, "now": now, "adjusted": references})]
        made = [each for each in self.made if each.due <= now]
        return [msgspec.json.encode({"id": self.order, "now": now, "made": made})]

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        data = msgspec.json.decode(raw)
        created, updated = moment(EPOCH), moment(EPOCH + data["now"])
        if function is Function.GET_PRODUCTS:
            return [
                Product(
                    id="p",
                    name="P",
                    parent_product_id="q",
                    inventory=data["level"],
                    created_date=created,
                    updated_date=updated,
                )
            ]
        made = [msgspec.convert(each, Made) for each in data["made"]]
        return [
            Order(
                id=data["id"],
                order_number="1",
                status=OrderStatus.OPEN,
                line_items=[LineItem(line_item_id="l", product_id="p", quantity=99)],
                shipments=[_shipment(each) for each in made if each.kind == "shipment"],
                additional_fields={"refunds": [_refund(each) for each in made if each.kind == "refund"]},
                created_date=created,
                updated_date=updated,
            )
        ]

    @classmethod
    def bears(cls, raw: bytes, reference: str) -> bool | None:
        return reference.encode() in raw if cls.remembers else None

    async def create_shipment(self, order: bytes, shipment: NewShipment, reference: str) -> None:
        made = Made("shipment", "", 0, shipment.line_items[0].quantity, shipment.tracking_number, reference)
        self._write(lambda due: self._add(made, due))

    async def refund_order(self, order: bytes, refund: NewRefund, reference: str) -> None:
        made = Made("refund", "", 0, refund.line_items[0].quantity, None, reference)
        self._write(lambda due: self._add(made, due))

    async def adjust_inventory(self, product: bytes, adjustment: InventoryAdjustment, reference: str) -> None:
        self._write(lambda due: self.stock.append((due, adjustment.quantity, reference)))

    def _add(self, made: Made, due: int) -> None:
        reference = made.reference if self.remembers else None
        made = msgspec.structs.replace(made, id=str(len(self.made)), due=due, reference=reference)
        self.made.append(made)

    def _write(self, effect: Callable[[int], None]) -> None:
        now = self._clock()
        match self.outcome:
            case "done":
                effect(now)
            case "refused":
                raise RequestRefused("no", status=409)
            case "down":
                raise PlatformUnavailable("down")
            case "cut before":
                raise OutcomeUnknown("cut")
            case "cut after":
                effect(now)
                raise OutcomeUnknown("cut")
            case "late":
                effect(now + LATEST)
                raise OutcomeUnknown("slow")
            case "dies before":
                raise Died
            case "dies after":
                effect(now)
                raise Died


class Remembering(Treacherous):
    """As treacherous, but it keeps our references."""

    remembers = True


def _shipment(made: Made) -> Shipment:
    line = ShipmentLineItem(shipment_line_item_id=made.id, product_id="p", quantity=made.quantity)
    return Shipment(shipment_id=made.id, tracking_number=made.tracking, line_items=[line])


def _refund(made: Made) -> Refund:
    return Refund(
        refund_id=made.id,
        amount=Decimal(made.quantity),
        line_items=[RefundLineItem(line_item_id="l", quantity=made.quantity)],
    )


class Desk:
    """Who writes to one platform, under a clock of its own."""

    def __init__(self, database: Database, vault: Vault, connection: Connection, kind: type[Treacherous]) -> None:
        self.database = database
        self.connection = connection
        self.now = EPOCH
        self.platform = kind(lambda: self.now)

        @asynccontextmanager
        async def opened(*_: Any) -> AsyncIterator[Connector]:
            yield self.platform

        self.writer = Writer(database, vault, opened=opened, clock=lambda: self.now)

    async def attempt(self, work: Work, key: str, outcome: Outcome) -> int:
        """The status of a request; 0 if its process died."""
        self.platform.outcome = outcome
        owner = dead_process() if outcome.startswith("dies") else leases.this_process()
        try:
            claim = await writes.claim(self.database, self.connection.key, key, "same", owner, self.now)
        except KeyInProgress:
            return 409
        if claim.answer is not None:
            return 200
        attempt = Attempt(self.database, self.connection, claim)
        try:
            await self.writer.write(self.connection, work, attempt, lambda documents: documents[0])
        except Died:
            return 0
        except UnicartError as error:
            return error.status
        return 200


def dead_process() -> str:
    """A name of a process of this machine that is over."""
    here = msgspec.json.decode(leases.this_process(), type=leases.Process)
    return msgspec.structs.replace(here, pid=(1 << 22) + 1, started="").written()


SHIPMENT = ShipmentWrite(
    "o", NewShipment(tracking_number="1Z", line_items=[LineQuantity(line_item_id="l", quantity=2)])
)
BLIND_SHIPMENT = ShipmentWrite("o", NewShipment(line_items=[LineQuantity(line_item_id="l", quantity=2)]))
REFUND = RefundWrite("o", NewRefund(line_items=[LineRefund(line_item_id="l", quantity=3)]))
RISE = AdjustmentWrite("p", InventoryAdjustment(product_id="p", quantity=5, adjustment_type=AdjustmentType.INCREASE))
STEPS = st.lists(st.tuples(st.sampled_from(OUTCOMES), st.sampled_from([0, 5, SETTLED + 1, 1000])), max_size=8)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('writes') / 'unicart.db'}"
    migrate(url)
    return url


@pytest.mark.parametrize("kind", [Treacherous, Remembering])
@pytest.mark.parametrize("work", [SHIPMENT, BLIND_SHIPMENT, REFUND, RISE], ids=["shipment", "blind", "refund", "stock"])
def test_no_sequence_of_failures_makes_a_write_twice(
    kind: type[Treacherous], work: Work, store: str, vault: Vault
) -> None:
    @hypothesis.settings(max_examples=60, deadline=None)
    @hypothesis.given(STEPS)
    def once(steps: list[tuple[Outcome, int]]) -> None:
        asyncio.run(_once(kind, work, steps, store, vault))

    once()


async def _once(
    kind: type[Treacherous], work: Work, steps: list[tuple[Outcome, int]], store: str, vault: Vault
) -> None:
    database = await open_database(store)
    try:
        organization = await tenants.create_organization(database, f"o{leases.this_process()}")
        connection, _ = await tenants.add_connection(
            database,
            vault,
            organization_id=organization.id,
            integration_name="sandbox",
            account_name="T",
            credentials={},
            private_network=False,
        )
        desk = Desk(database, vault, connection, kind)
        statuses = []
        for outcome, wait in steps:
            statuses.append(await desk.attempt(work, "key", outcome))
            desk.now += wait
        for _ in range(3):
            desk.now += SETTLED + 1
            statuses.append(await desk.attempt(work, "key", "done"))
        desk.now += SETTLED
        effects = len(desk.platform.made) + len(desk.platform.stock) - 1
        assert effects == 1, f"{statuses}: {effects} effects"
        assert statuses[-1] == 200
    finally:
        await database.close()


@pytest.fixture
def desk(database: Database, vault: Vault, connection: Connection) -> Desk:
    return Desk(database, vault, connection, Treacherous)


@pytest.mark.anyio
async def test_a_stock_that_has_changed_meanwhile_is_not_guessed_at(desk: Desk) -> None:
    assert await desk.attempt(RISE, "key", "cut before") == 502
    desk.platform.stock.append((desk.now, -1, ""))
    desk.now += SETTLED + 1
    assert await desk.attempt(RISE, "key", "done") == 502
    assert len(desk.platform.stock) == 2


@pytest.mark.anyio
async def test_without_a_key_the_platform_is_asked_at_once(desk: Desk) -> None:
    desk.platform.outcome = "cut after"
    attempt = Attempt(desk.database, desk.connection)
    body = await desk.writer.write(desk.connection, SHIPMENT, attempt, lambda documents: documents[0])
    assert msgspec.json.decode(body)["shipments"][0]["tracking_number"] == "1Z"
    desk.platform.outcome = "cut before"
    other = ShipmentWrite("o", msgspec.structs.replace(SHIPMENT.shipment, tracking_number="2Z"))
    with pytest.raises(IntegrationError) as raised:
        await desk.writer.write(desk.connection, other, Attempt(desk.database, desk.connection), lambda _: b"")
    assert "not known" in raised.value.message


@pytest.mark.anyio
async def test_what_cannot_be_read_back_is_answered_from_our_copy(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await desk.attempt(SHIPMENT, "one", "done")
    assert first == 200
    fetch, calls = desk.platform.fetch, 0

    async def once(function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise PlatformUnavailable("down")
        return await fetch(function, ids)

    monkeypatch.setattr(desk.platform, "fetch", once)
    second = ShipmentWrite("o", msgspec.structs.replace(SHIPMENT.shipment, tracking_number="2Z"))
    assert await desk.attempt(second, "two", "done") == 200
    assert len(desk.platform.made) == 2
