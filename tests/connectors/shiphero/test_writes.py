"""Shipments and stock, told to a small ShipHero that keeps state, refuses, and breaks off at bad moments."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from connectors.shiphero import records
from connectors.shiphero.shop import CUT_OFF, DOWN, Shop, connected, open_shop
from unicart.connectors.kit import OutcomeUnknown, PermissionMissing, RequestRefused
from unicart.connectors.shiphero.client import ShipHeroConnector
from unicart.contract.orders import Order
from unicart.contract.products import Product
from unicart.contract.resources import Function
from unicart.contract.writes import (
    AdjustmentType,
    GroupQuantities,
    InventoryAdjustment,
    LineQuantity,
    NewShipment,
    WriteFunction,
)

pytestmark = pytest.mark.anyio
REFERENCE = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
INCREASE, DECREASE, EXACT = AdjustmentType.INCREASE, AdjustmentType.DECREASE, AdjustmentType.EXACT
MUTATIONS = (
    "inventory_add",
    "inventory_remove",
    "inventory_replace",
    "shipment_create",
    "order_update_fulfillment_status",
)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        opened.warehouses = {row["id"]: row for row in [records.warehouse(1), records.warehouse(2)]}
        yield opened


def line_id(number: int) -> str:
    return records.uuid("LineItem", number)


def line(number: int, quantity: int) -> LineQuantity:
    return LineQuantity(line_item_id=line_id(number), quantity=quantity)


def sent(shop: Shop) -> list[str]:
    """The mutations that arrived, in order."""
    return [name for request in shop.requests for name in MUTATIONS if f"{name}(" in request["query"]]


def data_of(shop: Shop, name: str) -> dict[str, Any]:
    """The input of the last mutation of this name."""
    found: dict[str, Any] = next(
        request["variables"]["data"] for request in reversed(shop.requests) if f"{name}(" in request["query"]
    )
    return found


def on_hand(shop: Shop, number: int) -> list[int]:
    """What lies in the east and in the west."""
    return [place["on_hand"] for place in shop.products[records.uuid("Product", number)]["warehouse_products"]]


async def product_of(connector: ShipHeroConnector, number: int = 1) -> Product:
    raw = await raw_product(connector, number)
    mapped = connector.map(Function.GET_PRODUCTS, raw)[0]
    assert isinstance(mapped, Product)
    return mapped


async def raw_product(connector: ShipHeroConnector, number: int = 1) -> bytes:
    return (await connector.fetch(Function.GET_PRODUCTS, [records.uuid("Product", number)]))[0]


async def order_of(connector: ShipHeroConnector, number: int = 1) -> Order:
    mapped = connector.map(Function.GET_ORDERS, await raw_order(connector, number))[0]
    assert isinstance(mapped, Order)
    return mapped


async def raw_order(connector: ShipHeroConnector, number: int = 1) -> bytes:
    return (await connector.fetch(Function.GET_ORDERS, [records.uuid("Order", number)]))[0]


async def adjust(
    connector: ShipHeroConnector, kind: AdjustmentType, quantity: int, reference: str = REFERENCE, **more: Any
) -> None:
    number = more.pop("number", 1)
    asked = InventoryAdjustment(
        product_id=records.uuid("Product", number), adjustment_type=kind, quantity=quantity, **more
    )
    await connector.adjust_inventory(await raw_product(connector, number), asked, reference)


async def ship(connector: ShipHeroConnector, reference: str = REFERENCE, number: int = 1, **new: Any) -> None:
    await connector.create_shipment(await raw_order(connector, number), NewShipment(**new), reference)


def two_lines(shop: Shop, **changes: Any) -> None:
    """Order 1: two units of product 1 and three of product 2, all allocated in the east."""
    lines = records.connection([records.line(1, quantity=2), records.line(2, quantity=3)])
    allocations = [records.allocation(records.EAST, [(1, 2), (2, 3)])]
    shop.add_order(1, **({"line_items": lines, "allocations": allocations, "total_price": "56.00"} | changes))
    shop.add_product(1)
    shop.add_product(2)


@pytest.mark.parametrize(
    ("kind", "quantity", "available"), [(INCREASE, 5, 8), (DECREASE, 2, 1), (EXACT, 12, 15 - 3), (EXACT, 0, 0)]
)
async def test_the_stock_of_one_warehouse_is_adjusted(
    shop: Shop, kind: AdjustmentType, quantity: int, available: int
) -> None:
    shop.add_product(1)
    async with connected(shop) as connector:
        await adjust(connector, kind, quantity, warehouse_id=records.WEST)
        stock = (await product_of(connector)).inventory_by_warehouse_id
    assert stock == {records.EAST: 7, records.WEST: available}


async def test_an_exact_level_is_what_is_available_whatever_is_allocated(shop: Shop) -> None:
    shop.add_product(1, warehouse_products=[records.stock(records.EAST, 7, on_hand=10, allocated=3)])
    async with connected(shop) as connector:
        await adjust(connector, EXACT, 5)
        assert (await product_of(connector)).inventory == 5
        assert on_hand(shop, 1) == [8]
        await adjust(connector, EXACT, 5, OTHER)
    assert sent(shop) == ["inventory_remove"]


async def test_the_log_of_changes_names_the_reason_and_the_reference(shop: Shop) -> None:
    shop.add_product(1)
    async with connected(shop) as connector:
        await adjust(connector, INCREASE, 1, warehouse_id=records.EAST, reason="Found behind the shelf")
    assert [change["reason"] for change in shop.changes] == [f"Found behind the shelf [{REFERENCE}]"]


async def test_an_exact_level_can_be_that_of_one_location(shop: Shop) -> None:
    shop.slotted = {records.EAST}
    shop.add_product(1, warehouse_products=[records.stock(records.EAST, 7)])
    async with connected(shop) as connector:
        await adjust(connector, INCREASE, 4, specific={"location_id": "QmluOjE="})
        await adjust(connector, EXACT, 1, OTHER, specific={"location_id": "QmluOjE="})
        assert (await product_of(connector)).inventory == 8
        await adjust(connector, EXACT, 20, "third", warehouse_id=records.EAST)
        assert (await product_of(connector)).inventory == 20
    assert sent(shop) == ["inventory_add", "inventory_replace", "inventory_add"]


@pytest.mark.parametrize(
    ("changes", "asked", "says"),
    [
        ({}, {}, f"warehouse_id: is needed; the product is kept in {records.EAST}, {records.WEST}."),
        ({}, {"warehouse_id": "V2FyZWhvdXNlOjk="}, "warehouse_id: the product is kept in"),
        ({"virtual": True}, {"warehouse_id": records.EAST}, "product_id: virtual products have no stock"),
        ({"sku": ""}, {"warehouse_id": records.EAST}, "product_id: the product has no SKU"),
        ({}, {"warehouse_id": records.EAST, "quantity": 10}, "quantity: only 9 are on hand there."),
        (
            {"warehouse_products": [records.stock(records.EAST, 0) | {"available": None}]},
            {"adjustment_type": EXACT},
            "adjustment_type: ShipHero does not tell the level there.",
        ),
    ],
)
async def test_an_adjustment_that_makes_no_sense_is_not_sent(
    shop: Shop, changes: dict[str, Any], asked: dict[str, Any], says: str
) -> None:
    shop.add_product(1, **changes)
    given: dict[str, Any] = {
        "adjustment_type": DECREASE,
        "quantity": 1,
        "product_id": records.uuid("Product", 1),
    } | asked
    async with connected(shop) as connector:
        raw = await raw_product(connector)
        with pytest.raises(RequestRefused) as refused:
            await connector.adjust_inventory(raw, InventoryAdjustment(**given), REFERENCE)
    assert (refused.value.message.startswith(says), refused.value.status) == (True, 422), refused.value.message
    assert sent(shop) == []


async def test_the_platforms_own_refusal_is_passed_on(shop: Shop) -> None:
    shop.add_product(1)
    async with connected(shop) as connector:
        raw = await raw_product(connector)
        shop.products.clear()
        asked = InventoryAdjustment(product_id="x", adjustment_type=INCREASE, quantity=1, warehouse_id=records.EAST)
        with pytest.raises(RequestRefused, match="Product not found") as refused:
            await connector.adjust_inventory(raw, asked, REFERENCE)
    assert refused.value.status == 422


@pytest.mark.parametrize("status", [CUT_OFF, DOWN, 500])
@pytest.mark.parametrize("taken", [True, False])
async def test_stock_changes_once_though_the_answer_is_lost(shop: Shop, status: int, taken: bool) -> None:
    """Cut off before or behind the change: the log of changes tells, at once or when the write is repeated."""
    shop.add_product(1)
    shop.faults = [("inventory_add", status, taken)]
    async with connected(shop) as connector:
        if not taken:
            with pytest.raises(OutcomeUnknown):
                await adjust(connector, INCREASE, 5, warehouse_id=records.EAST)
        for _ in range(2):
            await adjust(connector, INCREASE, 5, warehouse_id=records.EAST)
        assert (await product_of(connector)).inventory_by_warehouse_id[records.EAST] == 12


async def test_stock_that_goes_to_waiting_orders_is_not_added_twice(shop: Shop) -> None:
    """The level stays as it was, so that only the log tells that the change is made."""
    shop.add_product(1, warehouse_products=[records.stock(records.EAST, 0, on_hand=0, allocated=0, backorder=5)])
    shop.faults = [("inventory_add", CUT_OFF, True), ("inventory_changes", 400, False)]
    async with connected(shop) as connector:
        with pytest.raises(OutcomeUnknown):
            await adjust(connector, INCREASE, 5)
        await adjust(connector, INCREASE, 5)
        assert (await product_of(connector)).inventory == 0
    assert (on_hand(shop, 1), sent(shop)) == ([5], ["inventory_add"])


async def test_a_log_that_cannot_be_read_is_no_refusal(shop: Shop) -> None:
    shop.add_product(1)
    async with connected(shop, {"customer_account_id": records.ACCOUNT}) as connector:
        raw = await raw_product(connector)
        shop.starved, shop.wait = 1, "2 hours"
        asked = InventoryAdjustment(product_id="x", adjustment_type=INCREASE, quantity=1, warehouse_id=records.EAST)
        connector._own_id = records.ACCOUNT
        with pytest.raises(OutcomeUnknown, match="cannot be read now"):
            await connector.adjust_inventory(raw, asked, REFERENCE)
    assert on_hand(shop, 1) == [9, 5]


async def test_limits_and_expired_tokens_are_overcome(shop: Shop) -> None:
    shop.add_product(1)
    shop.faults = [("inventory_add", 429, False)]
    async with connected(shop) as connector:
        await adjust(connector, INCREASE, 1, warehouse_id=records.EAST)
        raw = await raw_product(connector)
        shop.expire()
        asked = InventoryAdjustment(product_id="x", adjustment_type=INCREASE, quantity=1, warehouse_id=records.EAST)
        await connector.adjust_inventory(raw, asked, OTHER)
        assert (await product_of(connector)).inventory_by_warehouse_id[records.EAST] == 9
    assert shop.logins == 2


async def test_a_scope_that_writing_lacks_is_named(shop: Shop) -> None:
    shop.add_product(1)
    shop.scopes.remove("change:inventory")
    async with connected(shop) as connector:
        with pytest.raises(PermissionMissing, match="change:inventory"):
            await adjust(connector, INCREASE, 1, warehouse_id=records.EAST)


async def test_a_3pl_changes_its_clients_stock_in_the_clients_name(shop: Shop) -> None:
    shop.add_product(1)
    shop.add_product(2, account_id=records.CLIENT)
    async with connected(shop) as connector:
        await adjust(connector, INCREASE, 1, warehouse_id=records.EAST)
        await adjust(connector, INCREASE, 1, OTHER, number=2, warehouse_id=records.EAST)
        assert on_hand(shop, 1) == on_hand(shop, 2) == [10, 5]
    async with connected(shop, {"customer_account_id": records.CLIENT}) as connector:
        await adjust(connector, DECREASE, 4, "third", number=2, warehouse_id=records.EAST)
        assert on_hand(shop, 2) == [6, 5]


async def test_half_of_an_order_is_shipped_and_then_the_rest(shop: Shop) -> None:
    two_lines(shop)
    async with connected(shop) as connector:
        await ship(
            connector,
            line_items=[line(1, 1), line(2, 2)],
            tracking_number="1Z1",
            tracking_url="https://ups.example.com/1Z1",
            carrier_name="UPS",
            shipping_method_name="Next Day",
        )
        half = await order_of(connector)
        await ship(connector, OTHER, tracking_number="1Z2")
        whole = await order_of(connector)
    assert half.status == "partially_fulfilled"
    told = half.shipments[0]
    assert (told.tracking_number, told.tracking_url) == ("1Z1", "https://ups.example.com/1Z1")
    assert (told.carrier_name, told.shipping_method_name, told.warehouse_id) == ("UPS", "Next Day", records.EAST)
    assert [(each.product_sku, each.quantity) for each in told.line_items] == [("SKU-1", 1), ("SKU-2", 2)]
    assert whole.status == "fulfilled"
    rest = whole.shipments[1]
    assert [(each.product_sku, each.quantity) for each in rest.line_items] == [("SKU-1", 1), ("SKU-2", 1)]
    assert (rest.tracking_number, rest.carrier_name, rest.shipping_method_name) == ("1Z2", "ups", "ground")
    assert [on_hand(shop, 1), on_hand(shop, 2)] == [[7, 5], [6, 5]]


async def test_everything_is_shipped_without_tracking(shop: Shop) -> None:
    two_lines(shop)
    async with connected(shop) as connector:
        await ship(connector)
        order = await order_of(connector)
    assert (order.status, len(order.shipments)) == ("fulfilled", 1)
    assert (order.shipments[0].tracking_number, order.shipments[0].carrier_name) == (None, None)
    assert [each.quantity for each in order.shipments[0].line_items] == [2, 3]
    assert "labels" not in data_of(shop, "shipment_create")


async def test_each_shipping_group_leaves_from_its_warehouse(shop: Shop) -> None:
    allocations = [records.allocation(records.EAST, [(1, 2), (2, 1)]), records.allocation(records.WEST, [(2, 2)])]
    two_lines(shop, allocations=allocations)
    async with connected(shop) as connector:
        groups = {group.warehouse_id: group.shipping_group_id for group in (await order_of(connector)).shipping_groups}
        west = GroupQuantities(shipping_group_id=groups[records.WEST])
        await ship(connector, shipping_groups=[west], tracking_number="W")
        some = GroupQuantities(shipping_group_id=groups[records.EAST], line_items=[line(1, 1)])
        await ship(connector, OTHER, shipping_groups=[some], tracking_number="E1")
        assert (await order_of(connector)).status == "partially_fulfilled"
        east = GroupQuantities(shipping_group_id=groups[records.EAST])
        await ship(connector, "third", shipping_groups=[east], tracking_number="E2")
        order = await order_of(connector)
    shipped = [
        (each.warehouse_id, [(part.product_sku, part.quantity) for part in each.line_items]) for each in order.shipments
    ]
    assert shipped == [
        (records.WEST, [("SKU-2", 2)]),
        (records.EAST, [("SKU-1", 1)]),
        (records.EAST, [("SKU-1", 1), ("SKU-2", 1)]),
    ]
    assert order.status == "fulfilled"
    assert [on_hand(shop, 1), on_hand(shop, 2)] == [[7, 5], [8, 3]]


async def test_lines_that_are_not_allocated_leave_from_the_only_warehouse_or_the_one_named(shop: Shop) -> None:
    two_lines(shop, allocations=[])
    async with connected(shop) as connector:
        with pytest.raises(RequestRefused, match="warehouse_id: is needed") as refused:
            await ship(connector)
        assert refused.value.status == 422
        await ship(connector, line_items=[line(1, 1)], warehouse_id=records.WEST)
        del shop.warehouses[records.WEST]
        await ship(connector, OTHER)
        shipments = (await order_of(connector)).shipments
    assert [each.warehouse_id for each in shipments] == [records.WEST, records.EAST]


SPREAD = [records.allocation(records.EAST, [(1, 2)]), records.allocation(records.WEST, [(2, 3)])]
UNROUTED: dict[str, Any] = {"shipping_lines": {"title": None, "carrier": None, "method": None, "price": "5.00"}}
GROUP = f"allocation of {records.WEST}"


@pytest.mark.parametrize(
    ("changes", "new", "says"),
    [
        (
            {},
            {"line_items": [line(1, 3)]},
            f"line_items: 3 of line item {line_id(1)} are more than the 2 that are open.",
        ),
        ({}, {"line_items": [line(1, 1), line(1, 2)]}, f"line_items: 3 of line item {line_id(1)} are more than the 2"),
        ({}, {"line_items": [line(9, 1)]}, f"line_items: 1 of line item {line_id(9)} are more than the 0"),
        (
            {},
            {"shipping_groups": [GroupQuantities(shipping_group_id="x")]},
            "shipping_groups: the order has no group x.",
        ),
        ({"allocations": SPREAD}, {}, "warehouse_id: the lines are allocated in several warehouses"),
        (
            {"allocations": SPREAD},
            {"shipping_groups": [GroupQuantities(shipping_group_id=GROUP)], "warehouse_id": records.EAST},
            f"warehouse_id: the shipping groups are in {records.WEST}.",
        ),
        ({"fulfillment_status": "fulfilled"}, {}, "line_items: nothing of this order is open any more."),
        ({"fulfillment_status": "canceled"}, {}, "line_items: nothing of this order is open any more."),
        ({"shipments": [records.shipment(1, [(1, 2), (2, 3)])]}, {"tracking_number": "new"}, "line_items: nothing of"),
        (UNROUTED, {"tracking_number": "1Z1"}, "carrier_name: ShipHero keeps tracking with a carrier"),
        (UNROUTED, {"carrier_name": "UPS"}, "shipping_method_name: ShipHero keeps tracking with a method"),
    ],
)
async def test_a_shipment_that_makes_no_sense_is_not_sent(
    shop: Shop, changes: dict[str, Any], new: dict[str, Any], says: str
) -> None:
    two_lines(shop, **changes)
    async with connected(shop) as connector:
        with pytest.raises(RequestRefused) as refused:
            await ship(connector, **new)
    assert (refused.value.message.startswith(says), refused.value.status) == (True, 422), refused.value.message
    assert sent(shop) == []


async def test_void_shipments_and_canceled_lines_are_not_counted(shop: Shop) -> None:
    void = records.shipment(1, [(1, 2)], shipping_labels=[records.label(1, status="void")])
    lines = [records.line(1, quantity=2), records.line(2, quantity=3, fulfillment_status="canceled")]
    two_lines(shop, shipments=[void], line_items=records.connection(lines))
    async with connected(shop) as connector:
        await ship(connector, tracking_number="1Z9")
        order = await order_of(connector)
    assert [(each.product_sku, each.quantity) for each in order.shipments[1].line_items] == [("SKU-1", 2)]
    assert order.status == "fulfilled"


async def test_what_only_shiphero_knows_is_passed_on(shop: Shop) -> None:
    two_lines(shop)
    specific = {
        "notify_store": False,
        "shipped_off_shiphero": True,
        "label_url": "https://carrier.example.com/1.pdf",
        "label_cost": Decimal("7.25"),
    }
    async with connected(shop) as connector:
        await ship(connector, tracking_number="1Z1", notify_customer=True, specific=specific)
    data = data_of(shop, "shipment_create")
    assert (data["notify_customer_via_shiphero"], data["notify_customer_via_store"]) == (True, False)
    assert data["shipped_off_shiphero"] is True
    label = data["labels"][0]
    assert (label["label"], label["cost"]) == ({"pdf_location": "https://carrier.example.com/1.pdf"}, "7.25")
    assert label["line_item_ids"] == [line_id(1), line_id(2)]
    address = {"name": "Jane Doe", "address1": "1 Main Street", "address2": "Floor 2", "city": "Springfield"}
    address |= {"state": "IL", "zip": "62701", "country": "US", "phone": "+1 555 0100"}
    assert data["address"] == label["address"] == address


async def test_the_stock_stays_if_it_is_asked_to(shop: Shop) -> None:
    two_lines(shop)
    async with connected(shop) as connector:
        await ship(connector, specific={"remove_inventory": False})
        assert (await order_of(connector)).status == "fulfilled"
    assert (on_hand(shop, 1), shop.changes) == ([9, 5], [])


async def test_of_kits_the_components_leave_the_stock(shop: Shop) -> None:
    lines = [records.line(1, quantity=2), records.line(2), records.line(3), records.line(4, product=None)]
    shop.add_order(1, line_items=records.connection(lines), total_price="56.00")
    parts = [{"sku": "SKU-5", "quantity": 3}, {"sku": "SKU-2", "quantity": 1}]
    shop.add_product(1, kit=True, kit_components=parts)
    shop.add_product(2, kit=True, kit_build=True, kit_components=[{"sku": "SKU-5", "quantity": 9}])
    shop.add_product(3, virtual=True)
    shop.add_product(5)
    async with connected(shop) as connector:
        await ship(connector, warehouse_id=records.EAST)
        assert (await order_of(connector)).status == "fulfilled"
    assert [on_hand(shop, number)[0] for number in (1, 2, 3, 5)] == [9, 9 - 3, 9, 9 - 6]


async def test_a_refused_shipment_leaves_the_stock_as_it_was(shop: Shop) -> None:
    two_lines(shop)
    async with connected(shop) as connector:
        with pytest.raises(RequestRefused, match="The label needs a valid URL") as refused:
            await ship(connector, tracking_number="1Z1", specific={"label_url": "no URL"})
        assert refused.value.status == 422
        assert [on_hand(shop, 1), on_hand(shop, 2)] == [[9, 5], [9, 5]]
        await ship(connector, tracking_number="1Z1")
        assert len((await order_of(connector)).shipments) == 1
    assert [on_hand(shop, 1), on_hand(shop, 2)] == [[7, 5], [6, 5]]


async def test_stock_that_is_short_refuses_the_shipment(shop: Shop) -> None:
    two_lines(shop)
    shop.products[records.uuid("Product", 2)]["warehouse_products"] = [records.stock(records.EAST, 0, on_hand=2)]
    async with connected(shop) as connector:
        with pytest.raises(RequestRefused, match="Not enough inventory of SKU-2") as refused:
            await ship(connector)
        assert "SKU-2 is not taken from the stock; remove_inventory false leaves it." in refused.value.message
        assert (await order_of(connector)).shipments == []
    assert [on_hand(shop, 1), on_hand(shop, 2)] == [[9, 5], [2]]


@pytest.mark.parametrize("status", [CUT_OFF, DOWN])
@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("step", ["inventory_remove", "shipment_create", "order_update_fulfillment_status"])
async def test_a_shipment_is_told_once_wherever_it_breaks_off(shop: Shop, step: str, taken: bool, status: int) -> None:
    """A repetition completes its own half: each SKU leaves the stock once, and there is one shipment."""
    two_lines(shop)
    shop.faults = [(step, status, taken)]
    async with connected(shop) as connector:
        try:
            await ship(connector, tracking_number="1Z1")
        except OutcomeUnknown:
            raw = await raw_order(connector)
            seen = len(json.loads(raw)["shipments"])
            assert seen == int(step == "shipment_create" and taken)
            assert connector.bears(raw, REFERENCE) is (False if seen else None)
            await ship(connector, tracking_number="1Z1")
        order = await order_of(connector)
    assert (order.status, [each.tracking_number for each in order.shipments]) == ("fulfilled", ["1Z1"])
    assert [on_hand(shop, 1), on_hand(shop, 2)] == [[7, 5], [6, 5]]


async def test_an_order_that_could_not_be_closed_is_closed_by_the_repetition(shop: Shop) -> None:
    two_lines(shop)
    shop.scopes.remove("change:orders")
    async with connected(shop) as connector:
        with pytest.raises(OutcomeUnknown, match=r"The shipment is created, but .*change:orders"):
            await ship(connector, tracking_number="1Z1")
        assert connector.bears(await raw_order(connector), REFERENCE) is False
        shop.scopes.add("change:orders")
        await ship(connector, tracking_number="1Z1")
        order = await order_of(connector)
        assert connector.bears(await raw_order(connector), REFERENCE) is None
    assert (order.status, len(order.shipments)) == ("fulfilled", 1)
    assert [on_hand(shop, 1), on_hand(shop, 2)] == [[7, 5], [6, 5]]


async def test_stock_that_cannot_be_put_back_is_reported_and_taken_once_by_the_repetition(shop: Shop) -> None:
    two_lines(shop)
    shop.scopes.remove("change:shipments")
    shop.faults = [("inventory_add", 400, False)]
    async with connected(shop) as connector:
        with pytest.raises(OutcomeUnknown, match="2 of SKU-1 may still be missing in the stock"):
            await ship(connector)
        shop.scopes.add("change:shipments")
        await ship(connector)
        assert len((await order_of(connector)).shipments) == 1
    assert [on_hand(shop, 1), on_hand(shop, 2)] == [[7, 5], [6, 5]]


async def test_a_scope_that_shipping_lacks_is_named_and_nothing_is_left_behind(shop: Shop) -> None:
    two_lines(shop)
    shop.scopes.remove("change:shipments")
    async with connected(shop) as connector:
        with pytest.raises(PermissionMissing, match="change:shipments"):
            await ship(connector)
    assert [on_hand(shop, 1), on_hand(shop, 2)] == [[9, 5], [9, 5]]


async def test_a_3pl_ships_its_clients_orders(shop: Shop) -> None:
    two_lines(shop, account_id=records.CLIENT)
    for product in shop.products.values():
        product["account_id"] = records.CLIENT
    async with connected(shop) as connector:
        await ship(connector, tracking_number="1Z1")
        assert (await order_of(connector)).status == "fulfilled"
    assert [on_hand(shop, 1), on_hand(shop, 2)] == [[7, 5], [6, 5]]


async def test_only_an_order_that_waits_for_its_last_step_bears_anything(shop: Shop) -> None:
    two_lines(shop)
    async with connected(shop) as connector:
        assert connector.bears(await raw_product(connector), REFERENCE) is None
        assert connector.bears(await raw_order(connector), REFERENCE) is None
        await ship(connector, line_items=[line(1, 1)])
        assert connector.bears(await raw_order(connector), REFERENCE) is None


async def test_a_request_of_a_clients_own_is_logged_in(shop: Shop) -> None:
    shop.add_order(1)
    query = f'query {{ order(id: "{records.uuid("Order", 1)}") {{ data {{ order_number }} }} }}'
    async with connected(shop) as connector:
        await connector.ready()
        await connector.ready()
        body = {"query": query}
        reply = await connector.session.passthrough("POST", "/graphql", params={}, json=body, headers={})
    assert json.loads(reply.body) == {"data": {"order": {"data": {"order_number": "#1"}}}}
    assert shop.logins == 1


def test_refunds_are_not_declared() -> None:
    """ShipHero moves no money."""
    facts = ShipHeroConnector.facts
    assert facts.write(WriteFunction.REFUND_ORDER) is None
    assert facts.write(WriteFunction.PASSTHROUGH) is not None
