"""Shipments and adjustments of stock, told to a small Extensiv that keeps their state, and read back from it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.extensiv.shop import FakeExtensiv, Scripted, connected, serving
from unicart.connectors.extensiv.client import ExtensivConnector
from unicart.connectors.kit import (
    ConnectorError,
    CredentialsRejected,
    OutcomeUnknown,
    PermissionMissing,
    RateLimitedByPlatform,
    RequestRefused,
)
from unicart.contract.orders import Order
from unicart.contract.products import Product
from unicart.contract.resources import Function
from unicart.contract.writes import (
    AdjustmentType,
    GroupQuantities,
    InventoryAdjustment,
    LineQuantity,
    NewShipment,
)

pytestmark = pytest.mark.anyio
ORDERS, PRODUCTS = Function.GET_ORDERS, Function.GET_PRODUCTS
REFERENCE, OTHER = "a1" * 16, "b2" * 16
INCREASE, DECREASE, EXACT = AdjustmentType.INCREASE, AdjustmentType.DECREASE, AdjustmentType.EXACT


@pytest.fixture
def fake() -> Iterator[FakeExtensiv]:
    with serving() as served:
        served.add_customer(4)
        served.add_item(7)
        served.add_facility(2, "Reno")
        yield served


def place(fake: FakeExtensiv, *quantities: float, **head: Any) -> str:
    """A new order with a line for each quantity, allocated and open; its lines are `id * 10` and so on."""
    order = fake.place()
    id = order["readOnly"]["orderId"]
    (lines,) = order["_embedded"].values()
    lines[:] = [
        {
            "readOnly": {"orderItemId": id * 10 + number, "fullyAllocated": True},
            "itemIdentifier": {"sku": f"SKU{number + 7}", "id": number + 7},
            "qty": quantity,
        }
        for number, quantity in enumerate(quantities)
    ]
    order["readOnly"].update(fullyAllocated=True, **head)
    order["routingInfo"] = {"carrier": "UPS", "mode": "Ground", "account": "A1", "isCod": False}
    fake.tick()
    return str(id)


def line(id: str, number: int, quantity: int) -> LineQuantity:
    return LineQuantity(line_item_id=f"{id}{number}", quantity=quantity)


def shipment(**fields: Any) -> NewShipment:
    return NewShipment(**fields)


async def read(connector: ExtensivConnector, id: str) -> Order:
    """The order as it is read back."""
    (raw,) = await connector.fetch(ORDERS, [id])
    (order,) = connector.map(ORDERS, raw)
    assert isinstance(order, Order)
    return order


async def bears(connector: ExtensivConnector, id: str, reference: str) -> bool | None:
    (raw,) = await connector.fetch(ORDERS, [id])
    return connector.bears(raw, reference)


async def ship(connector: ExtensivConnector, id: str, told: NewShipment, reference: str = REFERENCE) -> Order:
    """Tell a shipment, and read the order back."""
    (raw,) = await connector.fetch(ORDERS, [id])
    await connector.create_shipment(raw, told, reference)
    return await read(connector, id)


def shown(order: Order) -> list[tuple[str | None, str | None, dict[str | None, int]]]:
    """Of each shipment its tracking number, its status, and how many there are of each SKU."""
    return [
        (each.tracking_number, each.status, {part.product_sku: part.quantity for part in each.line_items})
        for each in order.shipments
    ]


def changes(fake: FakeExtensiv) -> list[str]:
    """The writes that came, without their numbers."""
    return [f"{method} {path.rpartition('/')[2]}" for method, path, _ in fake.writes]


async def test_a_whole_order_is_confirmed_under_its_tracking_number(fake: FakeExtensiv) -> None:
    id = place(fake, 2, 3)
    async with connected(fake) as connector:
        order = await ship(connector, id, shipment(tracking_number="1Z1"))
    assert order.status == "fulfilled"
    assert shown(order) == [("1Z1", "shipped", {"SKU7": 2, "SKU8": 3})]
    assert fake.writes == [("POST", f"/orders/{id}/confirmer", {"trackingNumber": "1Z1"})]


async def test_a_whole_order_may_be_asked_for_by_its_lines_and_needs_no_tracking_number(fake: FakeExtensiv) -> None:
    id = place(fake, 2, 3)
    async with connected(fake) as connector:
        order = await ship(connector, id, shipment(line_items=[line(id, 0, 1), line(id, 1, 3), line(id, 0, 1)]))
    assert shown(order) == [(None, "shipped", {"SKU7": 2, "SKU8": 3})]
    assert fake.writes == [("POST", f"/orders/{id}/confirmer", {})]


async def test_a_half_is_packed_and_the_rest_confirms_the_order(fake: FakeExtensiv) -> None:
    id = place(fake, 2, 3)
    async with connected(fake) as connector:
        half = await ship(connector, id, shipment(tracking_number="1Z1", line_items=[line(id, 0, 1), line(id, 1, 3)]))
        assert half.status == "processing"
        assert shown(half) == [("1Z1", "open", {"SKU7": 1, "SKU8": 3})]
        whole = await ship(connector, id, shipment(tracking_number="1Z2"), OTHER)
    assert whole.status == "fulfilled"
    assert shown(whole) == [("1Z1", "shipped", {"SKU7": 1, "SKU8": 3}), ("1Z2", "shipped", {"SKU7": 1})]
    assert changes(fake) == ["POST packages", "POST packages", "POST confirmer"]


async def test_a_parcel_without_a_number_does_not_take_the_next_one(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    async with connected(fake) as connector:
        await ship(connector, id, shipment(line_items=[line(id, 0, 1)]))
        whole = await ship(connector, id, shipment(tracking_number="1Z2", line_items=[line(id, 0, 1)]), OTHER)
    assert shown(whole) == [(None, "shipped", {"SKU7": 1}), ("1Z2", "shipped", {"SKU7": 1})]


async def test_what_the_warehouse_has_packed_is_confirmed_as_it_is(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    fake.pack(fake.orders[int(id)], contents(int(id) * 10, 2))
    async with connected(fake) as connector:
        order = await ship(connector, id, shipment(tracking_number="1Z1", line_items=[line(id, 0, 2)]))
    assert shown(order) == [("1Z1", "shipped", {"SKU7": 2})]
    assert changes(fake) == ["POST confirmer"]


async def test_what_the_warehouse_has_left_open_is_packed_with_a_whole_order(fake: FakeExtensiv) -> None:
    id = place(fake, 2, 1)
    fake.pack(fake.orders[int(id)], {"trackingNumber": "W1", **contents(int(id) * 10, 2)})
    async with connected(fake) as connector:
        order = await ship(connector, id, shipment(tracking_number="1Z1"))
    assert shown(order) == [("W1", "shipped", {"SKU7": 2}), ("1Z1", "shipped", {"SKU8": 1})]


def contents(item: int, quantity: float) -> dict[str, Any]:
    name = "http://api.3plCentral.com/rels/orders/packagecontent"
    return {"_embedded": {name: [{"orderItemId": item, "qty": quantity}]}}


@pytest.mark.parametrize("whole", [True, False])
async def test_the_group_of_an_order_is_the_order(fake: FakeExtensiv, whole: bool) -> None:
    id = place(fake, 2, 3)
    lines = [] if whole else [line(id, 1, 2)]
    group = GroupQuantities(shipping_group_id=id, line_items=lines)
    async with connected(fake) as connector:
        order = await ship(connector, id, shipment(tracking_number="1Z1", shipping_groups=[group]))
    expected = ("1Z1", "shipped", {"SKU7": 2, "SKU8": 3}) if whole else ("1Z1", "open", {"SKU8": 2})
    assert shown(order) == [expected]


async def test_carrier_and_method_become_those_of_the_order(fake: FakeExtensiv) -> None:
    id = place(fake, 1)
    told = shipment(tracking_number="1Z1", carrier_name="FedEx", carrier_id="FDEG", shipping_method_name="Home")
    async with connected(fake) as connector:
        order = await ship(connector, id, told)
    (parcel,) = order.shipments
    assert (parcel.carrier_name, parcel.carrier_id, parcel.shipping_method_name) == ("FedEx", "FDEG", "Home")
    assert order.additional_fields["carrier_account"] == "A1"
    assert changes(fake) == ["PUT routing", "POST confirmer"]


async def test_a_carrier_that_the_order_has_is_not_written_again(fake: FakeExtensiv) -> None:
    id = place(fake, 1)
    async with connected(fake) as connector:
        await ship(connector, id, shipment(carrier_name="UPS", shipping_method_name="Ground"))
    assert changes(fake) == ["POST confirmer"]


async def test_a_confirmation_has_dates_and_papers_and_keeps_those_of_the_order(fake: FakeExtensiv) -> None:
    id = place(fake, 1)
    fake.orders[int(id)]["routingInfo"].update(
        billOfLading="B0", loadNumber="L0", sealNumber="S0", pickupDate="2026-06-02T08:00:00"
    )
    told = shipment(
        shipped_date=datetime(2026, 6, 1, 9, 30, tzinfo=UTC),
        specific={"bill_of_lading": "B1", "door_number": "D1", "trailer_number": "T1", "recalculate_charges": False},
    )
    async with connected(fake, time_zone="America/Los_Angeles") as connector:
        order = await ship(connector, id, told)
    (_, _, body) = fake.writes[0]
    assert body == {
        "confirmDate": "2026-06-01T02:30:00",
        "billOfLading": "B1",
        "loadNumber": "L0",
        "trailerNumber": "T1",
        "sealNumber": "S0",
        "doorNumber": "D1",
        "pickupDate": "2026-06-02T08:00:00",
        "recalcAutoCharges": False,
    }
    assert order.shipments[0].created_date == datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
    assert order.additional_fields["bill_of_lading"] == "B1"
    assert order.additional_fields["load_number"] == "L0"


async def test_a_date_in_the_future_is_refused_in_the_words_of_the_platform(fake: FakeExtensiv) -> None:
    id = place(fake, 1)
    late = shipment(shipped_date=fake.now.replace(tzinfo=UTC) + timedelta(days=1))
    async with connected(fake) as connector:
        with pytest.raises(RequestRefused, match=r"DateInFuture, ConfirmDate is in the future") as refused:
            await ship(connector, id, late)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("head", "lines", "word"),
    [
        ({"status": 2, "isClosed": True}, [], "canceled"),
        ({"status": 1, "isClosed": True}, [], "confirmed already"),
        ({"onHoldDate": "2026-06-01T12:00:00", "onHoldReason": "Address"}, [], "Address"),
        ({"fullyAllocated": False}, [], "Allocate stock"),
        ({}, [("0", 3)], r"line_items: 2 of \d+ are not packed yet, and 3"),
        ({}, [("9", 1)], "line_items: the order has no line"),
        ({}, [("group", 1)], "shipping_groups: there is no group"),
    ],
    ids=["canceled", "closed", "held", "not allocated", "too many", "no such line", "no such group"],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    fake: FakeExtensiv, head: dict[str, Any], lines: list[tuple[str, int]], word: str
) -> None:
    id = place(fake, 2, 3)
    fake.orders[int(id)]["readOnly"].update(head)
    told = shipment(line_items=[LineQuantity(line_item_id=f"{id}{number}", quantity=many) for number, many in lines])
    if lines and lines[0][0] == "group":
        told = shipment(shipping_groups=[GroupQuantities(shipping_group_id="1")])
    async with connected(fake) as connector:
        with pytest.raises(RequestRefused, match=word) as refused:
            await ship(connector, id, told)
    assert refused.value.status == 422
    assert fake.writes == []


async def test_what_is_told_already_is_not_open_any_more(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    async with connected(fake) as connector:
        await ship(connector, id, shipment(line_items=[line(id, 0, 1)]))
        with pytest.raises(RequestRefused, match="1 of"):
            await ship(connector, id, shipment(line_items=[line(id, 0, 2)]), OTHER)
    assert changes(fake) == ["POST packages"]


async def test_a_part_of_an_order_that_is_not_allocated_is_packed(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    fake.orders[int(id)]["readOnly"]["fullyAllocated"] = False
    async with connected(fake) as connector:
        order = await ship(connector, id, shipment(tracking_number="1Z1", line_items=[line(id, 0, 1)]))
        assert shown(order) == [("1Z1", "open", {"SKU7": 1})]
        with pytest.raises(RequestRefused, match="Allocate stock"):
            await ship(connector, id, shipment(tracking_number="1Z2", line_items=[line(id, 0, 1)]), OTHER)
    assert changes(fake) == ["POST packages"]


async def test_a_role_that_is_missing_is_named(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    async with connected(fake) as connector:
        fake.roles -= {"OrderConfirm", "InventoryEdit"}
        with pytest.raises(PermissionMissing, match="OrderConfirm"):
            await ship(connector, id, shipment())
        with pytest.raises(PermissionMissing, match="InventoryEdit"):
            await adjust(connector, INCREASE, 1)


async def test_a_package_whose_confirmation_is_refused_is_taken_back(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    async with connected(fake) as connector:
        await ship(connector, id, shipment(tracking_number="1Z1", line_items=[line(id, 0, 1)]))
        before = fake.orders[int(id)]["routingInfo"]
        late = fake.now.replace(tzinfo=UTC) + timedelta(days=1)
        with pytest.raises(RequestRefused, match="DateInFuture"):
            await ship(connector, id, shipment(shipped_date=late, carrier_name="DHL", tracking_number="1Z2"), OTHER)
        order = await read(connector, id)
        assert shown(order) == [("1Z1", "open", {"SKU7": 1})]
        assert fake.orders[int(id)]["routingInfo"] == before
        assert (order.status, order.carrier_name) == ("processing", "UPS")
    assert [method for method, _, _ in fake.writes[1:]] == ["PUT", "POST", "POST", "DELETE", "PUT"]


async def test_a_shipment_that_cannot_be_taken_back_is_completed_by_its_repetition(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    told = shipment(tracking_number="1Z2", line_items=[line(id, 0, 1)])
    async with connected(fake) as connector:
        await ship(connector, id, shipment(tracking_number="1Z1", line_items=[line(id, 0, 1)]))
        fake.scripted_writes = [Scripted(passed=True), Scripted(400, b"{}"), Scripted(503)]
        with pytest.raises(OutcomeUnknown, match="could not be taken back"):
            await ship(connector, id, told, OTHER)
        assert await bears(connector, id, OTHER) is False
        order = await ship(connector, id, told, OTHER)
        assert await bears(connector, id, OTHER) is True
    assert order.status == "fulfilled"
    assert shown(order) == [("1Z1", "shipped", {"SKU7": 1}), ("1Z2", "shipped", {"SKU7": 1})]


async def test_an_order_that_changes_while_it_is_written_is_read_anew(fake: FakeExtensiv) -> None:
    id = place(fake, 2, 3)

    def touch() -> None:
        fake.before_write = lambda: None
        fake.modify(fake.orders[int(id)], notes="changed")

    fake.before_write = touch
    async with connected(fake) as connector:
        shipped = await ship(connector, id, shipment(tracking_number="1Z1", line_items=[line(id, 0, 1)]))
        assert shown(shipped) == [("1Z1", "open", {"SKU7": 1})]
    assert changes(fake) == ["POST packages", "POST packages"]


async def test_what_others_pack_meanwhile_is_not_packed_twice(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    order = fake.orders[int(id)]

    def pack() -> None:
        fake.before_write = lambda: None
        fake.pack(order, {"trackingNumber": "W1", **contents(int(id) * 10, 1)})

    async with connected(fake) as connector:
        fake.before_write = pack
        with pytest.raises(RequestRefused, match="changed meanwhile") as refused:
            await ship(connector, id, shipment(tracking_number="1Z1"))
        assert refused.value.status == 409
        fake.before_write = pack
        with pytest.raises(RequestRefused, match="0 of"):
            await ship(connector, id, shipment(tracking_number="1Z1", line_items=[line(id, 0, 1)]))
        assert shown(await read(connector, id)) == [("W1", "open", {"SKU7": 1})] * 2


async def test_an_order_that_changes_all_the_time_is_given_up(fake: FakeExtensiv) -> None:
    id = place(fake, 2)

    def touch() -> None:
        fake.modify(fake.orders[int(id)], notes=f"{len(fake.writes)}")

    fake.before_write = touch
    async with connected(fake) as connector:
        with pytest.raises(RequestRefused, match="keeps changing") as refused:
            await ship(connector, id, shipment())
        assert refused.value.status == 409
        assert (await read(connector, id)).shipments == []


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not taken"])
@pytest.mark.parametrize("how", [Scripted(500, b"oops"), Scripted(stall=1.5)], ids=["500", "slow"])
async def test_a_confirmation_of_which_nothing_is_known_is_not_done_twice(
    fake: FakeExtensiv, how: Scripted, taken: bool
) -> None:
    id = place(fake, 2)
    told = shipment(tracking_number="1Z1")
    async with connected(fake, slowest=0.7) as connector:
        fake.scripted_writes = [Scripted(how.status, how.body, stall=how.stall, taken=taken)]
        with pytest.raises(OutcomeUnknown):
            await ship(connector, id, told)
        # A closed order is compared with what it was before by whoever asks; an open one surely does not bear it.
        assert await bears(connector, id, REFERENCE) is (None if taken else False)
        order = await ship(connector, id, told)
    assert shown(order) == [("1Z1", "shipped", {"SKU7": 2})]
    assert len([each for each in changes(fake) if each == "POST confirmer"]) == 1


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not taken"])
@pytest.mark.parametrize("step", [0, 1], ids=["package", "confirmation"])
async def test_a_half_of_which_nothing_is_known_is_completed_and_not_doubled(
    fake: FakeExtensiv, step: int, taken: bool
) -> None:
    id = place(fake, 2)
    told = shipment(tracking_number="1Z2", line_items=[line(id, 0, 1)])
    async with connected(fake) as connector:
        await ship(connector, id, shipment(tracking_number="1Z1", line_items=[line(id, 0, 1)]))
        fake.scripted_writes = [*[Scripted(passed=True)] * step, Scripted(502, taken=taken)]
        with pytest.raises(OutcomeUnknown):
            await ship(connector, id, told, OTHER)
        assert await bears(connector, id, OTHER) is bool(step and taken)
        order = await ship(connector, id, told, OTHER)
        assert await bears(connector, id, OTHER) is True
        assert await bears(connector, id, REFERENCE) is True
    assert order.status == "fulfilled"
    assert shown(order) == [("1Z1", "shipped", {"SKU7": 1}), ("1Z2", "shipped", {"SKU7": 1})]


async def test_a_package_of_which_nothing_is_known_is_found_by_its_reference(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    told = shipment(tracking_number="1Z1", line_items=[line(id, 0, 1)])
    async with connected(fake) as connector:
        fake.scripted_writes = [Scripted(504, taken=True)]
        with pytest.raises(OutcomeUnknown):
            await ship(connector, id, told)
        assert await bears(connector, id, REFERENCE) is True
        assert await bears(connector, id, OTHER) is False
        assert shown(await ship(connector, id, told)) == [("1Z1", "open", {"SKU7": 1})]


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not taken"])
async def test_a_carrier_of_which_nothing_is_known_comes_before_its_package(fake: FakeExtensiv, taken: bool) -> None:
    id = place(fake, 2)
    told = shipment(tracking_number="1Z1", carrier_name="DHL", line_items=[line(id, 0, 1)])
    async with connected(fake) as connector:
        fake.scripted_writes = [Scripted(500, b"oops", taken=taken)]
        with pytest.raises(OutcomeUnknown):
            await ship(connector, id, told)
        assert await bears(connector, id, REFERENCE) is False
        order = await ship(connector, id, told)
    assert shown(order) == [("1Z1", "open", {"SKU7": 1})]
    assert order.carrier_name == "DHL"


async def test_a_carrier_is_put_back_if_the_package_is_refused(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    told = shipment(tracking_number="1Z1", carrier_name="DHL", line_items=[line(id, 0, 1)])
    async with connected(fake) as connector:
        fake.scripted_writes = [Scripted(passed=True), Scripted(400, b"{}")]
        with pytest.raises(RequestRefused, match="status 400"):
            await ship(connector, id, told)
        assert (await read(connector, id)).carrier_name == "UPS"


async def test_a_carrier_is_not_written_for_a_shipment_that_makes_no_sense(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    async with connected(fake) as connector:
        with pytest.raises(RequestRefused, match="line_items"):
            await ship(connector, id, shipment(carrier_name="DHL", line_items=[line(id, 0, 3)]))
    assert fake.writes == []


async def test_an_order_that_others_close_meanwhile_ships_with_our_package(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    order = fake.orders[int(id)]
    async with connected(fake) as connector:
        await ship(connector, id, shipment(tracking_number="1Z1", line_items=[line(id, 0, 1)]))

        def close() -> None:
            if fake.writes[-1][1].endswith("/confirmer"):
                fake.before_write = lambda: None
                order["readOnly"].update(status=1, isClosed=True)

        fake.before_write = close
        whole = await ship(connector, id, shipment(tracking_number="1Z2"), OTHER)
    assert shown(whole) == [("1Z1", "shipped", {"SKU7": 1}), ("1Z2", "shipped", {"SKU7": 1})]


async def test_limits_are_waited_for_and_tokens_renewed(fake: FakeExtensiv) -> None:
    id = place(fake, 2)
    async with connected(fake) as connector:
        await connector.check()
        fake.scripted_writes = [
            Scripted(429, headers={"retry-after": "0"}),
            Scripted(401, b'{"Message": "Authorization has been denied for this request."}'),
        ]
        order = await ship(connector, id, shipment(tracking_number="1Z1"))
    assert shown(order) == [("1Z1", "shipped", {"SKU7": 2})]
    assert len(fake.logins) == 2


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([Scripted(429, headers={"retry-after": "900"})], RateLimitedByPlatform),
        ([Scripted(401), Scripted(401)], CredentialsRejected),
    ],
    ids=["429", "401"],
)
async def test_what_the_platform_has_not_begun_with_leaves_nothing_behind(
    fake: FakeExtensiv, answers: list[Scripted], error: type[ConnectorError]
) -> None:
    id = place(fake, 2)
    async with connected(fake) as connector:
        fake.scripted_writes = answers
        with pytest.raises(error):
            await ship(connector, id, shipment())
        connector.session.throttle.pause(0)
    assert fake.writes == []
    assert fake.orders[int(id)]["readOnly"]["status"] == 0


async def stock(connector: ExtensivConnector, id: str = "7") -> dict[str, int]:
    """The item's stock as it is read back."""
    (raw,) = await connector.fetch(PRODUCTS, [id])
    (product,) = connector.map(PRODUCTS, raw)
    assert isinstance(product, Product)
    return product.inventory_by_warehouse_id


async def adjust(
    connector: ExtensivConnector,
    kind: AdjustmentType,
    quantity: int,
    reference: str = REFERENCE,
    warehouse: str = "2",
    **fields: Any,
) -> dict[str, int]:
    """Adjust the stock, and read it back."""
    (raw,) = await connector.fetch(PRODUCTS, ["7"])
    asked = InventoryAdjustment(
        product_id="7", quantity=quantity, adjustment_type=kind, warehouse_id=warehouse, **fields
    )
    await connector.adjust_inventory(raw, asked, reference)
    return await stock(connector)


@pytest.mark.parametrize(
    ("kind", "quantity", "expected"),
    [(INCREASE, 5, 14), (DECREASE, 5, 4), (EXACT, 12, 12), (EXACT, 2, 2), (EXACT, 0, 0), (EXACT, 9, 9)],
)
async def test_stock_rises_falls_and_is_set_at_one_facility(
    fake: FakeExtensiv, kind: AdjustmentType, quantity: int, expected: int
) -> None:
    fake.receive(7, 2, 6)
    fake.receive(7, 2, 3)
    fake.receive(7, 3, 8)
    async with connected(fake) as connector:
        assert await adjust(connector, kind, quantity, reason="count") == {"2": expected, "3": 8}
    assert len(fake.adjustments) == (0 if expected == 9 else 1)


async def test_an_adjustment_says_whose_stock_it_is_and_why(fake: FakeExtensiv) -> None:
    async with connected(fake) as connector:
        assert await adjust(connector, INCREASE, 5, reason="Found") == {"2": 5}
    assert fake.writes == [
        (
            "POST",
            "/inventory/adjustments",
            {
                "referenceNum": REFERENCE,
                "customerId": 4,
                "facilityId": 2,
                "notes": "Found",
                "transactionEntryType": 4,
                "warehouseTransactionSourceType": 7,
                "_embedded": {"item": [{"qty": 5, "itemIdentifier": {"id": 7}}]},
            },
        )
    ]


async def test_stock_is_taken_from_the_oldest_lots_that_are_free(fake: FakeExtensiv) -> None:
    fake.receive(7, 2, 9, isOnHold=True)
    fake.receive(7, 2, 9, quarantined=True)
    oldest, newest = fake.receive(7, 2, 2), fake.receive(7, 2, 6)
    async with connected(fake) as connector:
        assert await adjust(connector, DECREASE, 3) == {"2": 5}
        assert (oldest["available"], newest["available"]) == (0, 5)
        with pytest.raises(RequestRefused, match="quantity: only 5") as refused:
            await adjust(connector, DECREASE, 6, OTHER)
    assert refused.value.status == 422
    assert len(fake.writes) == 1


async def test_many_lots_are_read_to_the_end(fake: FakeExtensiv) -> None:
    for _ in range(1203):
        fake.receive(7, 2, 1)
    async with connected(fake) as connector:
        assert await adjust(connector, EXACT, 3) == {"2": 3}
    (_, _, body) = fake.writes[0]
    assert [each["receiveItemId"] for each in body["_embedded"]["item"]] == list(range(9000, 10200))


@pytest.mark.parametrize(
    ("specific", "taken"),
    [
        ({"receive_item_id": 9001}, 9001),
        ({"lot_number": "L2"}, 9002),
        ({"qualifier": "B"}, 9003),
        ({"serial_number": "S4"}, 9004),
        ({"location_id": 105}, 9005),
        ({"expiration_date": "2027-01-31"}, 9006),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_a_lot_may_be_chosen(fake: FakeExtensiv, specific: dict[str, Any], taken: int) -> None:
    traits: list[dict[str, Any]] = [
        {},
        {},
        {"lotNumber": "L2"},
        {"qualifier": "B"},
        {"serialNumber": "S4"},
        {"locationIdentifier": {"id": 105}},
        {"expirationDate": "2027-01-31T00:00:00"},
    ]
    for each in traits:
        fake.receive(7, 2, 4, **each)
    async with connected(fake) as connector:
        assert await adjust(connector, DECREASE, 3, specific=specific) == {"2": 25}
    assert [lot["receiveItemId"] for lot in fake.lots if lot["available"] == 1] == [taken]


async def test_new_stock_has_the_traits_that_are_given(fake: FakeExtensiv) -> None:
    fake.items[7]["trackLotNumber"] = 2
    specific = {"lot_number": "L9", "qualifier": "B", "expiration_date": "2027-01-31", "location_id": 105}
    async with connected(fake) as connector:
        with pytest.raises(RequestRefused, match="Required, LotNumber is required") as refused:
            await adjust(connector, INCREASE, 5)
        assert refused.value.status == 400
        assert await adjust(connector, INCREASE, 5, specific=specific) == {"2": 5}
    assert (
        fake.lots[0]
        | {
            "lotNumber": "L9",
            "qualifier": "B",
            "expirationDate": "2027-01-31T00:00:00",
            "locationInfo": {"locationId": 105},
        }
        == fake.lots[0]
    )


@pytest.mark.parametrize(
    ("kind", "fields", "word"),
    [
        (INCREASE, {"warehouse": "Reno"}, "warehouse_id"),
        (EXACT, {"warehouse": ""}, "warehouse_id"),
        (INCREASE, {"specific": {"receive_item_id": 9000}}, "receive_item_id"),
        (INCREASE, {"specific": {"expiration_date": "soon"}}, "expiration_date"),
        (DECREASE, {"specific": {"lot_number": "L1"}}, "quantity: only 0"),
    ],
)
async def test_adjustments_that_make_no_sense_are_refused_before_anything_is_sent(
    fake: FakeExtensiv, kind: AdjustmentType, fields: dict[str, Any], word: str
) -> None:
    fake.receive(7, 2, 6)
    async with connected(fake) as connector:
        with pytest.raises(RequestRefused, match=word) as refused:
            await adjust(connector, kind, 3, **fields)
    assert refused.value.status == 422
    assert fake.writes == []


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not taken"])
@pytest.mark.parametrize(("kind", "expected"), [(INCREASE, 9), (DECREASE, 3), (EXACT, 3)])
async def test_an_adjustment_of_which_nothing_is_known_is_not_done_twice(
    fake: FakeExtensiv, kind: AdjustmentType, expected: int, taken: bool
) -> None:
    fake.receive(7, 2, 6)
    async with connected(fake) as connector:
        fake.scripted_writes = [Scripted(504, taken=taken)]
        with pytest.raises(OutcomeUnknown):
            await adjust(connector, kind, 3)
        assert await stock(connector) == {"2": expected if taken else 6}
        assert await adjust(connector, kind, 3) == {"2": expected}
    assert len(fake.adjustments) == 1


async def test_fractions_of_stock_are_set_exactly(fake: FakeExtensiv) -> None:
    fake.receive(7, 2, 2.5)
    async with connected(fake) as connector:
        assert await adjust(connector, EXACT, 4) == {"2": 4}
    assert Decimal(str(fake.lots[1]["available"])) == Decimal("1.5")
