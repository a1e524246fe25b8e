"""Shipments, refunds and stock, written to a small Shopify that carries them out by its own schema and keeps what comes of it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.kit.server import FOREVER, answer
from connectors.shopify.goods import Node, gid, group, line, location, order, product, variant
from connectors.shopify.shop import CLIENT_ID, SCOPES, SECRET, START, WRITING_SCOPES, Mishap, Shop, connected
from unicart.connectors.kit import BadAnswer, OutcomeUnknown, PermissionMissing, RequestRefused
from unicart.connectors.shopify.client import ShopifyConnector
from unicart.contract.orders import Order, OrderStatus, Refund, Shipment, ShipmentStatus, unreconciled
from unicart.contract.products import Product
from unicart.contract.resources import Function
from unicart.contract.writes import (
    AdjustmentType,
    GroupQuantities,
    InventoryAdjustment,
    LineQuantity,
    LineRefund,
    NewRefund,
    NewShipment,
)

pytestmark = pytest.mark.anyio
ORDERS, PRODUCTS = Function.GET_ORDERS, Function.GET_PRODUCTS
REFERENCE, OTHER, THIRD = "0123456789abcdef" * 2, "fedcba9876543210" * 2, "a" * 32
EVERYTHING = NewShipment()


def shop_with(*nodes: Node, **settings: Any) -> Shop:
    shop = Shop(scopes=(*SCOPES, *WRITING_SCOPES), **settings)
    shop.put(*nodes)
    return shop


def three_and_two(**changes: Any) -> Node:
    """Order 7: three of line 71 at 10.00, two of line 72 at 4.00, all from location 1."""
    lines = [line(71, "10.00", 3, taxes=["5.70"]), line(72, "4.00", 2)]
    return order(7, START - timedelta(days=1), lines, shipping="5.00", shipping_tax="0.95", **changes)


def from_two_places() -> Node:
    """Order 7: of line 71, two units from location 1 and one from location 2; two of line 72 from location 2."""
    made, at = three_and_two(), START - timedelta(days=1)
    first, second = gid("LineItem", 71), gid("LineItem", 72)
    made["fulfillmentOrders"] = [group(1, at, {first: 2}, 1), group(2, at, {first: 1, second: 2}, 2)]
    return made


async def raw_of(connector: ShopifyConnector, function: Function, id: str) -> bytes:
    (raw,) = await connector.fetch(function, [id])
    return raw


async def order_of(connector: ShopifyConnector, id: str = "7") -> Order:
    (mapped,) = connector.map(ORDERS, await raw_of(connector, ORDERS, id))
    assert isinstance(mapped, Order)
    assert unreconciled(mapped) == 0
    return mapped


async def ship(connector: ShopifyConnector, shipment: NewShipment, reference: str = REFERENCE) -> Order:
    await connector.create_shipment(await raw_of(connector, ORDERS, "7"), shipment, reference)
    return await order_of(connector)


async def refund(connector: ShopifyConnector, asked: NewRefund, reference: str = REFERENCE) -> Order:
    await connector.refund_order(await raw_of(connector, ORDERS, "7"), asked, reference)
    return await order_of(connector)


async def stock(connector: ShopifyConnector, id: str = "90") -> Mapping[str, int]:
    mapped = connector.map(PRODUCTS, await raw_of(connector, PRODUCTS, id))
    return next(each for each in mapped if isinstance(each, Product) and each.id == id).inventory_by_warehouse_id


async def adjust(
    connector: ShopifyConnector, quantity: int, type: str, reference: str = REFERENCE, **more: Any
) -> Mapping[str, int]:
    change = InventoryAdjustment(
        **{"product_id": "90", "quantity": quantity, "adjustment_type": AdjustmentType(type), **more}
    )
    await connector.adjust_inventory(await raw_of(connector, PRODUCTS, "9"), change, reference)
    return await stock(connector)


def lines_of(shipments: list[Shipment]) -> list[tuple[str | None, dict[str | None, int]]]:
    """What each shipment holds, by variant, and where it left."""
    return [(each.warehouse_id, {one.product_id: one.quantity for one in each.line_items}) for each in shipments]


def refunds_of(found: Order) -> list[Refund]:
    return list(found.additional_fields["refunds"])


def named(id: str, quantity: int) -> LineQuantity:
    return LineQuantity(line_item_id=id, quantity=quantity)


# Shipments.


async def test_a_part_of_an_order_is_shipped_and_then_the_rest() -> None:
    shop = shop_with(three_and_two())
    async with connected(shop) as connector:
        tracked = NewShipment(
            tracking_number="1Z999",
            tracking_url="https://ups.example/1Z999",
            carrier_name="UPS",
            notify_customer=True,
            line_items=[named("71", 1), named("72", 2)],
        )
        half = await ship(connector, tracked)
        assert half.status is OrderStatus.PARTIALLY_FULFILLED
        (sent,) = half.shipments
        assert (sent.tracking_number, sent.tracking_url) == ("1Z999", "https://ups.example/1Z999")
        assert (sent.carrier_name, sent.status, sent.shipping_groups) == ("UPS", ShipmentStatus.SHIPPED, ["49"])
        assert lines_of(half.shipments) == [("1", {"710": 1, "720": 2})]
        whole = await ship(connector, EVERYTHING, OTHER)
        assert whole.status is OrderStatus.FULFILLED
        assert lines_of(whole.shipments)[1:] == [("1", {"710": 2})]
        assert whole.shipments[1].tracking_number is None
    assert shop.mutations.notified == [True, False]


async def test_an_order_from_two_places_becomes_two_fulfilments() -> None:
    shop = shop_with(from_two_places())
    async with connected(shop) as connector:
        found = await ship(connector, NewShipment(tracking_number="T1"))
        assert lines_of(found.shipments) == [("1", {"710": 2}), ("2", {"710": 1, "720": 2})]
        assert [each.tracking_number for each in found.shipments] == ["T1", "T1"]
        assert found.status is OrderStatus.FULFILLED
        assert connector.bears(await raw_of(connector, ORDERS, "7"), REFERENCE) is True


async def test_lines_are_taken_from_where_they_are_open() -> None:
    async with connected(shop_with(from_two_places())) as connector:
        found = await ship(connector, NewShipment(line_items=[named("71", 3)]))
        assert lines_of(found.shipments) == [("1", {"710": 2}), ("2", {"710": 1})]


async def test_a_warehouse_ships_what_leaves_it() -> None:
    async with connected(shop_with(from_two_places())) as connector:
        found = await ship(connector, NewShipment(warehouse_id="2", line_items=[named("71", 1)]))
        assert lines_of(found.shipments) == [("2", {"710": 1})]
        with pytest.raises(RequestRefused, match=r"line_items.0.quantity: only 0 are left") as caught:
            await ship(connector, NewShipment(warehouse_id="2", line_items=[named("71", 1)]), OTHER)
        assert caught.value.status == 422


@pytest.mark.parametrize(
    ("lines", "sent"),
    [([], [("2", {"710": 1, "720": 2})]), ([named("72", 1)], [("2", {"720": 1})])],
)
async def test_shipping_groups_are_shipped(lines: list[LineQuantity], sent: object) -> None:
    async with connected(shop_with(from_two_places())) as connector:
        asked = NewShipment(shipping_groups=[GroupQuantities(shipping_group_id="2", line_items=lines)])
        assert lines_of((await ship(connector, asked)).shipments) == sent


async def test_what_is_held_back_is_not_shipped() -> None:
    made = from_two_places()
    made["fulfillmentOrders"][1]["status"] = "ON_HOLD"
    async with connected(shop_with(made)) as connector:
        assert lines_of((await ship(connector, EVERYTHING)).shipments) == [("1", {"710": 2})]
        with pytest.raises(RequestRefused, match="release it there first"):
            await ship(connector, EVERYTHING, OTHER)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (NewShipment(line_items=[named("71", 4)]), r"line_items.0.quantity: only 3 are left"),
        (NewShipment(line_items=[named("71", 3), named("71", 1)]), r"line_items.1.quantity: only 0 are left"),
        (NewShipment(warehouse_id="3"), "warehouse_id: nothing is left to be shipped there. What is open leaves 1, 2"),
        (
            NewShipment(warehouse_id="1", shipping_groups=[GroupQuantities(shipping_group_id="2")]),
            "warehouse_id: the shipping group 2 leaves 2",
        ),
        (NewShipment(shipping_groups=[GroupQuantities(shipping_group_id="3")]), "no such shipping group"),
        (
            NewShipment(shipping_groups=[GroupQuantities(shipping_group_id="2", line_items=[named("72", 3)])]),
            r"shipping_groups.0.line_items.0.quantity: only 2 are left",
        ),
    ],
)
async def test_a_shipment_that_makes_no_sense_is_refused_before_it_is_sent(asked: NewShipment, problem: str) -> None:
    shop = shop_with(from_two_places())
    async with connected(shop) as connector:
        with pytest.raises(RequestRefused, match=problem) as caught:
            await ship(connector, asked)
    assert caught.value.status == 422
    assert shop.asked("mutation") == 0


async def test_nothing_is_left_of_an_order_that_is_shipped() -> None:
    async with connected(shop_with(three_and_two())) as connector:
        await ship(connector, EVERYTHING)
        with pytest.raises(RequestRefused, match=r"Nothing of the order is left to be shipped\.$"):
            await ship(connector, EVERYTHING, OTHER)
        asked = NewShipment(shipping_groups=[GroupQuantities(shipping_group_id="49")])
        with pytest.raises(RequestRefused, match="nothing of it can be shipped, it is closed"):
            await ship(connector, asked, OTHER)


async def test_shopifys_own_refusal_keeps_its_message() -> None:
    async with connected(shop_with(three_and_two())) as connector:
        before = await raw_of(connector, ORDERS, "7")
        await ship(connector, NewShipment(line_items=[named("71", 2)]))
        stale = json.loads(before) | {"metafield": json.loads(await raw_of(connector, ORDERS, "7"))["metafield"]}
        asked = NewShipment(line_items=[named("71", 2)])
        with pytest.raises(RequestRefused, match="Invalid fulfillment order line item quantity requested") as caught:
            await connector.create_shipment(json.dumps(stale).encode(), asked, OTHER)
        assert caught.value.status == 422
        assert len((await order_of(connector)).shipments) == 1


async def test_a_note_that_another_process_has_changed_is_not_overwritten() -> None:
    async with connected(shop_with(three_and_two())) as connector:
        before = await raw_of(connector, ORDERS, "7")
        await ship(connector, NewShipment(line_items=[named("71", 1)]))
        with pytest.raises(RequestRefused, match="updated since"):
            await connector.create_shipment(before, EVERYTHING, OTHER)
        assert len((await order_of(connector)).shipments) == 1


async def test_the_first_fulfilment_is_cancelled_when_the_second_is_refused() -> None:
    made = from_two_places()
    shop = shop_with(made)
    async with connected(shop) as connector:
        before = await raw_of(connector, ORDERS, "7")
        made["fulfillmentOrders"][1]["status"] = "ON_HOLD"
        with pytest.raises(RequestRefused, match="not in a fulfillable state"):
            await connector.create_shipment(before, EVERYTHING, REFERENCE)
        found = await order_of(connector)
        assert [each.status for each in found.shipments] == [ShipmentStatus.CANCELLED]
        assert found.status is OrderStatus.CONFIRMED
        assert connector.bears(await raw_of(connector, ORDERS, "7"), REFERENCE) is False
        made["fulfillmentOrders"][1]["status"] = "OPEN"
        found = await ship(connector, EVERYTHING)
        assert lines_of(found.shipments)[1:] == [("1", {"710": 2}), ("2", {"710": 1, "720": 2})]


async def test_a_fulfilment_that_cannot_be_cancelled_is_told_and_gone_on_with() -> None:
    made = from_two_places()
    shop = shop_with(made)
    async with connected(shop) as connector:
        before = await raw_of(connector, ORDERS, "7")
        made["fulfillmentOrders"][1]["status"] = "ON_HOLD"
        shop.mishaps = [Mishap("fulfillmentCancel", answer(500))]
        with pytest.raises(OutcomeUnknown, match="could not be cancelled"):
            await connector.create_shipment(before, EVERYTHING, REFERENCE)
        made["fulfillmentOrders"][1]["status"] = "OPEN"
        found = await ship(connector, EVERYTHING)
        assert lines_of(found.shipments) == [("1", {"710": 2}), ("2", {"710": 1, "720": 2})]


@pytest.mark.parametrize("taken", [True, False])
async def test_an_answer_that_never_comes_doubles_no_shipment(taken: bool) -> None:
    shop = shop_with(three_and_two())
    shop.mishaps = [Mishap("fulfillmentCreate", FOREVER, taken)]
    asked = NewShipment(line_items=[named("71", 1)])
    async with connected(shop, slowest=2.0) as connector:
        with pytest.raises(OutcomeUnknown):
            await ship(connector, asked)
        raw = await raw_of(connector, ORDERS, "7")
        assert connector.bears(raw, REFERENCE) is taken
        assert connector.bears(raw, OTHER) is False
        found = await ship(connector, asked)
        assert lines_of(found.shipments) == [("1", {"710": 1})]
        assert connector.bears(await raw_of(connector, ORDERS, "7"), REFERENCE) is True


@pytest.mark.parametrize(
    "sent", [answer(502), answer(200, b'{"errors":[{"message":"Oh","extensions":{"code":"TIMEOUT"}}]}')]
)
@pytest.mark.parametrize("taken", [True, False])
async def test_a_shipment_goes_on_where_it_was_interrupted(sent: bytes, taken: bool) -> None:
    """Both places hold one unit of the same line, so that only the order of the fulfilments tells them apart."""
    made, line_id = three_and_two(), gid("LineItem", 71)
    made["fulfillmentOrders"] = [group(each, START, {line_id: 2}, each) for each in (1, 2)]
    shop = shop_with(made)
    asked = NewShipment(
        shipping_groups=[GroupQuantities(shipping_group_id=each, line_items=[named("71", 1)]) for each in ("1", "2")]
    )
    async with connected(shop) as connector:
        raw = await raw_of(connector, ORDERS, "7")
        shop.after_request = lambda: (
            shop.mishaps.append(Mishap("fulfillmentCreate", sent, taken))
            if shop.asked("fulfillmentCreate") == 1 and not shop.mishaps
            else None
        )
        with pytest.raises(OutcomeUnknown):
            await connector.create_shipment(raw, asked, REFERENCE)
        shop.after_request = lambda: None
        shop.mishaps.clear()
        assert connector.bears(await raw_of(connector, ORDERS, "7"), REFERENCE) is taken
        found = await ship(connector, asked)
        assert lines_of(found.shipments) == [("1", {"710": 1}), ("2", {"710": 1})]


async def test_a_note_that_is_lost_ships_nothing() -> None:
    shop = shop_with(three_and_two())
    shop.mishaps = [Mishap("metafieldsSet", answer(503), taken=True)]
    async with connected(shop) as connector:
        with pytest.raises(Exception, match="Nothing was shipped"):
            await ship(connector, EVERYTHING)
        assert len((await ship(connector, EVERYTHING, OTHER)).shipments) == 1


async def test_notes_of_old_shipments_are_dropped() -> None:
    made = order(7, START, [line(71, "1.00", 12)])
    async with connected(shop_with(made)) as connector:
        for number in range(12):
            await ship(connector, NewShipment(line_items=[named("71", 1)]), f"{number:032d}")
        raw = await raw_of(connector, ORDERS, "7")
    assert [connector.bears(raw, f"{number:032d}") for number in (1, 2, 11)] == [False, True, True]


async def test_what_shopify_throttles_is_sent_again_and_once() -> None:
    shop = shop_with(three_and_two())
    throttled = b'{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}'
    shop.mishaps = [
        Mishap("fulfillmentCreate", answer(429, retry_after="0")),
        Mishap("fulfillmentCreate", answer(200, throttled)),
    ]
    async with connected(shop) as connector:
        assert len((await ship(connector, EVERYTHING)).shipments) == 1


async def test_a_login_that_has_ended_is_renewed_and_the_write_sent_once() -> None:
    shop = shop_with(three_and_two())
    async with connected(shop, client_id=CLIENT_ID, api_secret=SECRET) as connector:
        raw = await raw_of(connector, ORDERS, "7")
        shop.tokens.clear()
        await connector.create_shipment(raw, EVERYTHING, REFERENCE)
        assert len((await order_of(connector)).shipments) == 1
    assert shop.logins == 2


@pytest.mark.parametrize(
    ("lacking", "named_scope"),
    [("write_orders", "write_orders"), (WRITING_SCOPES[2], WRITING_SCOPES[2])],
)
async def test_a_scope_that_shipments_need_is_named(lacking: str, named_scope: str) -> None:
    shop = shop_with(three_and_two())
    shop.scopes = tuple(each for each in shop.scopes if each != lacking)
    async with connected(shop) as connector:
        with pytest.raises(PermissionMissing, match=named_scope):
            await ship(connector, EVERYTHING)
    assert shop.asked("mutation") == 0


# Refunds.


async def test_a_line_is_refunded_then_another_by_amount_then_the_rest() -> None:
    shop = shop_with(three_and_two())
    async with connected(shop) as connector:
        assert (await order_of(connector)).total_price == Decimal("49.65")
        asked = NewRefund(reason="Zu klein", note="Foto", line_items=[LineRefund(line_item_id="71", quantity=1)])
        found = await refund(connector, asked)
        (first,) = refunds_of(found)
        assert (first.amount, first.note) == (Decimal("11.90"), "Zu klein: Foto")
        assert [(each.line_item_id, each.quantity, each.amount) for each in first.line_items] == [
            ("71", 1, Decimal("11.90"))
        ]
        assert found.additional_fields["payment_status"] == "partially_refunded"
        part = LineRefund(line_item_id="72", quantity=1, amount=Decimal("2.50"))
        found = await refund(connector, NewRefund(line_items=[part], notify_customer=True), OTHER)
        assert (refunds_of(found)[1].amount, refunds_of(found)[1].note) == (Decimal("2.50"), None)
        found = await refund(connector, NewRefund(), THIRD)
        assert refunds_of(found)[2].amount == Decimal("35.25")
        assert found.additional_fields["total_refunded"] == Decimal("49.65")
        assert found.additional_fields["payment_status"] == "refunded"
        assert (found.total_price, found.total_shipping) == (Decimal(0), Decimal(0))
        with pytest.raises(RequestRefused, match="all of it is refunded already"):
            await refund(connector, NewRefund(), "f" * 32)
    assert shop.mutations.notified == [False, True, False]


async def test_prices_with_tax_and_discounts_are_paid_back_to_the_cent() -> None:
    made = order(
        7,
        START,
        [line(71, "19.90", 3, discounts=["10.00"], taxes=["7.93"])],
        shipping="4.90",
        shipping_tax="0.78",
        taxesIncluded=True,
    )
    async with connected(shop_with(made)) as connector:
        found = await refund(connector, NewRefund(line_items=[LineRefund(line_item_id="71", quantity=1)]))
        assert refunds_of(found)[0].amount == Decimal("16.57")
        found = await refund(connector, NewRefund(shipping_amount=Decimal("4.90")), OTHER)
        assert refunds_of(found)[1].amount == Decimal("4.90")
        assert (found.total_shipping, found.total_price) == (Decimal(0), Decimal("33.13"))


async def test_a_part_of_the_shipping_is_refunded_with_its_tax() -> None:
    async with connected(shop_with(three_and_two())) as connector:
        found = await refund(connector, NewRefund(shipping_amount=Decimal("2.38")))
        assert (refunds_of(found)[0].amount, refunds_of(found)[0].line_items) == (Decimal("2.38"), [])
        assert found.total_shipping == Decimal("3.00")
        with pytest.raises(RequestRefused, match=r"shipping_amount: only 3.57 EUR of the shipping are left"):
            await refund(connector, NewRefund(shipping_amount=Decimal("3.58")), OTHER)
        found = await refund(connector, NewRefund(shipping_amount=Decimal("3.57")), OTHER)
        assert found.total_shipping == 0


async def test_a_refund_goes_back_to_several_payments() -> None:
    made = three_and_two()
    made["payments"] = [
        {"id": gid("OrderTransaction", 1), "gateway": "gift_card", "left": Decimal("10.00")},
        {"id": gid("OrderTransaction", 2), "gateway": "shopify_payments", "left": Decimal("39.65")},
    ]
    async with connected(shop_with(made)) as connector:
        await refund(connector, NewRefund(line_items=[LineRefund(line_item_id="71", quantity=1)]))
        assert [each["left"] for each in made["payments"]] == [Decimal("0.00"), Decimal("37.75")]


async def test_refunded_units_go_back_to_where_they_came_from() -> None:
    """One unit of three is sent from location 1; the two others wait at location 2."""
    made, line_id = order(7, START, [line(9, "10.00", 3)]), gid("LineItem", 9)
    made["fulfillmentOrders"] = [group(1, START, {line_id: 1}, 1), group(2, START, {line_id: 2}, 2)]
    shop = shop_with(made, product(9, START, [variant(90, START, {1: 5, 2: 5})]))
    async with connected(shop) as connector:
        await ship(connector, NewShipment(warehouse_id="1"))
        await refund(connector, NewRefund(restock=False, line_items=[LineRefund(line_item_id="9", quantity=1)]), OTHER)
        assert await stock(connector) == {"1": 5, "2": 5}
        assert made["fulfillmentOrders"][1]["lineItems"][0]["remainingQuantity"] == 2
        found = await refund(connector, NewRefund(restock=True, line_items=[LineRefund(line_item_id="9", quantity=2)]))
        assert await stock(connector) == {"1": 5, "2": 7}
        assert made["fulfillmentOrders"][1]["lineItems"][0]["remainingQuantity"] == 0
        assert found.line_items[0].quantity == 0


async def test_what_is_sent_is_returned_to_the_place_that_it_left() -> None:
    made = order(7, START, [line(9, "10.00", 2)])
    shop = shop_with(made, product(9, START, [variant(90, START, {1: 5, 2: 5})]))
    async with connected(shop) as connector:
        await ship(connector, EVERYTHING)
        found = await refund(connector, NewRefund(restock=True), OTHER)
        assert await stock(connector) == {"1": 7, "2": 5}
        assert found.additional_fields["total_refunded"] == Decimal("20.00")


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (NewRefund(line_items=[LineRefund(line_item_id="71", quantity=4)]), r"line_items.0.quantity: only 3 are left"),
        (
            NewRefund(line_items=[LineRefund(line_item_id="71", quantity=1)] * 2),
            "line_items.1.line_item_id: is named twice",
        ),
        (NewRefund(line_items=[LineRefund(line_item_id="duties", quantity=1)]), "cannot be refunded by itself"),
        (
            NewRefund(line_items=[LineRefund(line_item_id="71", quantity=1, amount=Decimal("50.00"))]),
            r"would pay back 50.00 EUR, but only 49.65 EUR",
        ),
        (
            NewRefund(line_items=[LineRefund(line_item_id="71", quantity=1, amount=Decimal("1.005"))]),
            r"line_items.0.amount: EUR has no such small amounts",
        ),
        (NewRefund(shipping_amount=Decimal("1.001")), "shipping_amount: EUR has no such small amounts"),
        (NewRefund(shipping_amount=Decimal("1e30")), "shipping_amount: only 5.95 EUR"),
        (NewRefund(shipping_amount=Decimal(0)), "Nothing of this would be paid back"),
    ],
)
async def test_a_refund_that_makes_no_sense_is_refused_before_it_is_sent(asked: NewRefund, problem: str) -> None:
    shop = shop_with(three_and_two())
    async with connected(shop) as connector:
        with pytest.raises(RequestRefused, match=problem) as caught:
            await refund(connector, asked)
    assert caught.value.status == 422
    assert shop.asked("mutation") == 0


async def test_an_order_that_is_not_paid_is_not_refunded() -> None:
    async with connected(shop_with(three_and_two(displayFinancialStatus="PENDING"))) as connector:
        with pytest.raises(RequestRefused, match="nothing was paid"):
            await refund(connector, NewRefund())


async def test_shopifys_refusal_of_a_refund_keeps_its_message() -> None:
    async with connected(shop_with(three_and_two())) as connector:
        before = await raw_of(connector, ORDERS, "7")
        await refund(connector, NewRefund(line_items=[LineRefund(line_item_id="71", quantity=3)]))
        asked = NewRefund(line_items=[LineRefund(line_item_id="71", quantity=1, amount=Decimal(1))])
        with pytest.raises(RequestRefused, match="Quantity cannot refund more items than were purchased") as caught:
            await connector.refund_order(before, asked, OTHER)
        assert caught.value.status == 422
        assert len(refunds_of(await order_of(connector))) == 1


@pytest.mark.parametrize("taken", [True, False])
async def test_an_answer_that_never_comes_doubles_no_refund(taken: bool) -> None:
    shop = shop_with(three_and_two())
    shop.mishaps = [Mishap("refundCreate", FOREVER, taken)]
    asked = NewRefund(line_items=[LineRefund(line_item_id="71", quantity=1)])
    async with connected(shop, slowest=2.0) as connector:
        before = await raw_of(connector, ORDERS, "7")
        with pytest.raises(OutcomeUnknown):
            await connector.refund_order(before, asked, REFERENCE)
        assert connector.bears(await raw_of(connector, ORDERS, "7"), REFERENCE) is taken
        # Even if the order is read before Shopify shows the refund, the key holds it back.
        await connector.refund_order(before, asked, REFERENCE)
        raw = await raw_of(connector, ORDERS, "7")
        assert (connector.bears(raw, REFERENCE), connector.bears(raw, OTHER)) == (True, False)
        assert [each.amount for each in refunds_of(await order_of(connector))] == [Decimal("11.90")]


@pytest.mark.parametrize(
    "sent",
    [
        b'{"data":{"answer":{"userErrors":[{"message":"This request is currently in progress, please try again."}]}}}',
        b'{"errors":[{"message":"Again","extensions":{"code":"IDEMPOTENCY_CONCURRENT_REQUEST"}}]}',
    ],
)
async def test_a_refund_that_shopify_is_still_at_is_not_said_to_be_refused(sent: bytes) -> None:
    shop = shop_with(three_and_two())
    shop.mishaps = [Mishap("refundCreate", answer(200, sent))]
    async with connected(shop) as connector:
        with pytest.raises(OutcomeUnknown, match="still at"):
            await refund(connector, NewRefund())


async def test_an_answer_that_is_none_leaves_open_whether_it_was_done() -> None:
    shop = shop_with(three_and_two())
    shop.mishaps = [Mishap("refundCreate", answer(200, b'{"data":{"answer":null}}'))]
    async with connected(shop) as connector:
        with pytest.raises(BadAnswer):
            await refund(connector, NewRefund())


async def test_a_mutation_that_was_carried_out_is_not_refused_for_an_error_in_its_answer() -> None:
    denied = {"message": "Access denied for fulfillment field.", "extensions": {"code": "ACCESS_DENIED"}}
    body = {"data": {"answer": {"fulfillment": None, "userErrors": []}}, "errors": [denied]}
    shop = shop_with(three_and_two())
    shop.mishaps = [Mishap("fulfillmentCreate", answer(200, json.dumps(body).encode()), taken=True)]
    async with connected(shop) as connector:
        with pytest.raises(OutcomeUnknown, match="Access denied"):
            await ship(connector, EVERYTHING)
        assert connector.bears(await raw_of(connector, ORDERS, "7"), REFERENCE) is True


async def test_a_scope_that_refunds_need_is_named() -> None:
    shop = shop_with(three_and_two())
    shop.scopes = SCOPES
    async with connected(shop) as connector:
        with pytest.raises(PermissionMissing, match="write_orders"):
            await refund(connector, NewRefund())
    assert shop.asked("mutation") == 0


# Stock.


def stocked(levels: Mapping[int, int] | None = None, **changes: Any) -> Shop:
    return shop_with(product(9, START, [variant(90, START, levels or {1: 5, 2: 8}, **changes)]), location(1, START))


async def test_stock_rises_falls_and_is_set() -> None:
    shop = stocked()
    async with connected(shop) as connector:
        assert await adjust(connector, 3, "increase", warehouse_id="1") == {"1": 8, "2": 8}
        assert await adjust(connector, 9, "decrease", OTHER, warehouse_id="2", reason="damaged") == {"1": 8, "2": -1}
        assert await adjust(connector, 0, "exact", THIRD, warehouse_id="1") == {"1": 0, "2": -1}
    assert shop.mutations.references[0] == f"gid://unicart/InventoryAdjustment/{REFERENCE}"
    reasons = [each["variables"]["input"]["reason"] for each in shop.requests if "mutation" in each["query"]]
    assert reasons == ["correction", "damaged", "correction"]


async def test_the_warehouse_may_be_left_out_where_there_is_but_one() -> None:
    async with connected(stocked({2: 8})) as connector:
        assert await adjust(connector, 1, "decrease") == {"2": 7}


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"product_id": "9"}, "product_id: 9 is no variant, and only variants have stock. Name one of its own: 90"),
        ({}, "warehouse_id: is required. It is stocked at: 1, 2"),
        ({"warehouse_id": "3"}, "warehouse_id: the variant is not stocked there. It is stocked at: 1, 2"),
    ],
)
async def test_a_change_of_stock_that_makes_no_sense_is_refused(more: Mapping[str, Any], problem: str) -> None:
    shop = stocked()
    async with connected(shop) as connector:
        with pytest.raises(RequestRefused, match=problem) as caught:
            await adjust(connector, 1, "increase", **more)
    assert caught.value.status == 422
    assert shop.asked("mutation") == 0


async def test_stock_that_is_not_tracked_cannot_be_changed() -> None:
    shop = stocked()
    shop.tables["Product"][gid("Product", 9)]["variants"][0]["inventoryItem"]["tracked"] = False
    async with connected(shop) as connector:
        with pytest.raises(RequestRefused, match="does not track the stock"):
            await adjust(connector, 1, "increase", warehouse_id="1")


@pytest.mark.parametrize("type", ["increase", "decrease", "exact"])
@pytest.mark.parametrize("taken", [True, False])
async def test_an_answer_that_never_comes_changes_stock_once(taken: bool, type: str) -> None:
    shop = stocked()
    shop.mishaps = [Mishap("@idempotent", FOREVER, taken)]
    async with connected(shop, slowest=2.0) as connector:
        with pytest.raises(OutcomeUnknown):
            await adjust(connector, 2, type, warehouse_id="1")
        level = {"increase": 7, "decrease": 3, "exact": 2}[type]
        assert (await stock(connector))["1"] == (level if taken else 5)
        assert (await adjust(connector, 2, type, warehouse_id="1"))["1"] == level
        assert connector.bears(await raw_of(connector, PRODUCTS, "9"), REFERENCE) is None


async def test_a_change_that_was_refused_may_be_sent_again() -> None:
    """A batch goes on under the same reference; a key that a refusal has used up is replaced by the next one."""
    shop = stocked()
    level = shop.tables["Product"][gid("Product", 9)]["variants"][0]["inventoryItem"]["inventoryLevels"]
    async with connected(shop) as connector:
        raw = await raw_of(connector, PRODUCTS, "9")
        change = InventoryAdjustment(
            product_id="90", quantity=2, adjustment_type=AdjustmentType.INCREASE, warehouse_id="2"
        )
        kept = level.pop()
        for _ in range(2):
            with pytest.raises(RequestRefused, match="not stocked at the location") as caught:
                await connector.adjust_inventory(raw, change, REFERENCE)
            assert caught.value.status == 422
        level.append(kept)
        for _ in range(2):
            await connector.adjust_inventory(raw, change, REFERENCE)
        assert await stock(connector) == {"1": 5, "2": 10}


async def test_a_scope_that_stock_needs_is_named() -> None:
    shop = stocked()
    shop.scopes = SCOPES
    async with connected(shop) as connector:
        with pytest.raises(PermissionMissing, match="write_inventory"):
            await adjust(connector, 1, "increase", warehouse_id="1")
