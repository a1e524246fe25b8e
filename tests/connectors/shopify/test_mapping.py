"""What orders, products and locations of every kind become, where the conformance suite does not look."""

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.shopify.goods import Node, days, gid, line, money, order, refund, settle, ship, stamp, variant
from connectors.shopify.record import FIXTURES, locations, orders, products, record
from connectors.shopify.shop import START
from unicart.connectors.kit import UnmappableRecord
from unicart.connectors.shopify import mapping
from unicart.contract.common import Address
from unicart.contract.orders import Order, OrderStatus, ShipmentStatus, unreconciled
from unicart.contract.products import Product
from unicart.contract.resources import Function

RECORDED: dict[str, Node] = {
    each["id"]: each for each in json.loads((FIXTURES / "get_orders.json").read_bytes())["records"]
}
LINE = gid("LineItem", 1)


def raw(node: Node, **changes: Any) -> bytes:
    number = node["id"].rpartition("/")[2]
    return json.dumps({**node, "id": number, "shopDomain": "test.myshopify.com", **changes}).encode()


def mapped(node: Node, **changes: Any) -> Order:
    return mapping.order(raw(node, **changes))


def recorded(number: int) -> Order:
    return mapping.order(json.dumps(RECORDED[str(number)]).encode())


def simple(lines: list[Node] | None = None, **changes: Any) -> Node:
    return order(1, START - days(3), lines or [line(1)], **changes)


@pytest.mark.anyio
@pytest.mark.parametrize("function", list(Function))
async def test_fixtures_are_what_the_connector_makes_of_the_shop(function: Function) -> None:
    kept = json.loads((FIXTURES / f"{function.value}.json").read_bytes())
    assert (await record(function))["records"] == kept["records"]


def test_fixtures_hold_an_order_of_every_kind() -> None:
    assert sorted(RECORDED) == [each["id"].rpartition("/")[2] for each in orders()]
    assert {recorded(int(number)).status for number in RECORDED} >= {
        OrderStatus.CONFIRMED,
        OrderStatus.PARTIALLY_FULFILLED,
        OrderStatus.FULFILLED,
        OrderStatus.CANCELLED,
        OrderStatus.EXCEPTION,
    }


def test_identity_and_dates() -> None:
    found = recorded(1001)
    assert (found.id, found.order_number) == ("1001", "#1001")
    assert found.external_system_url == "https://test.myshopify.com/admin/orders/1001"
    assert found.created_date == found.updated_date == START - days(3)
    assert found.line_items[0].line_item_id == "10010"
    assert (found.line_items[0].product_id, found.line_items[0].parent_product_id) == ("100100", "1001000")
    assert found.line_items[0].product_sku == "SKU-10010"


def test_the_currency_is_the_buyers() -> None:
    found = recorded(1001)
    assert (found.invoice_currency_code, str(found.total_price)) == ("EUR", "10.00")
    assert found.additional_fields["shop_currency_code"] == "USD"
    assert found.additional_fields["total_price_in_shop_currency"] == Decimal("20.00")


def test_discounts_of_line_and_order_and_taxes_on_top() -> None:
    found = recorded(1002)
    first, second = found.line_items
    assert (first.unit_price, first.total_discount, first.total_tax) == (
        Decimal("30.00"),
        Decimal("8.70"),
        Decimal("10.26"),
    )
    assert (first.discount, first.tax) == (Decimal("4.35"), Decimal("5.13"))
    assert (second.unit_price, second.total_discount, second.total_tax) == (
        Decimal("5.00"),
        Decimal("0.25"),
        Decimal("0.90"),
    )
    assert (found.total_discount, found.total_tax, found.total_shipping) == (
        Decimal("8.95"),
        Decimal("12.09"),
        Decimal("4.90"),
    )
    assert found.total_price == Decimal("73.04")
    assert found.additional_fields["discount_codes"] == ["SOMMER"]


def test_taxes_that_prices_include_are_taken_out_of_them() -> None:
    found = recorded(1003)
    first, second = found.line_items
    assert (first.unit_price, first.total_discount, first.total_tax) == (
        Decimal("100.00"),
        Decimal(0),
        Decimal("38.00"),
    )
    # 59.50 with 19 % is 50.00 without; the discount of 11.90 is 10.00; 40.00 are left, and their tax of 7.60.
    assert (second.unit_price, second.total_discount, second.total_tax) == (
        Decimal("50.00"),
        Decimal("10.00"),
        Decimal("7.60"),
    )
    assert (found.total_shipping, found.total_tax, found.total_price) == (
        Decimal("5.00"),
        Decimal("46.55"),
        Decimal("291.55"),
    )


def test_a_price_that_does_not_divide_reconciles_to_the_cent() -> None:
    found = mapped(simple([line(1, "9.99", 7, discounts=["3.33"], taxes=["10.64"])], taxesIncluded=True))
    assert abs(unreconciled(found)) < Decimal("0.00001")
    assert found.line_items[0].total_tax == Decimal("10.64")


def test_a_line_given_away_has_its_whole_price_as_discount() -> None:
    for included in (True, False):
        found = mapped(simple([line(1, "10.00", 2, discounts=["20.00"], taxes=["0.00"])], taxesIncluded=included))
        (item,) = found.line_items
        assert (item.unit_price, item.total_discount, found.total_price) == (
            Decimal("10.00"),
            Decimal("20.00"),
            Decimal(0),
        )
        assert unreconciled(found) == 0


@pytest.mark.parametrize(
    ("number", "currency", "total", "price"), [(1008, "JPY", "4460", "1980"), (1009, "KWD", "3.887", "1.234")]
)
def test_currencies_of_other_decimals_keep_their_digits(number: int, currency: str, total: str, price: str) -> None:
    found = recorded(number)
    assert found.invoice_currency_code == currency
    assert (str(found.total_price), str(found.line_items[0].unit_price)) == (total, price)


@pytest.mark.parametrize(("currency", "share"), [("JPY", "182"), ("EUR", "181.82"), ("KWD", "181.818")])
def test_what_is_shared_out_is_rounded_to_the_currency(currency: str, share: str) -> None:
    lines = [line(1, "1100", 1, discounts=["200"], taxes=["81.8182" if currency != "JPY" else "82"], currency=currency)]
    (item,) = mapped(simple(lines, currency=currency, taxesIncluded=True)).line_items
    assert str(item.total_discount) == share


def test_refunded_units_are_gone_with_their_share_of_discount_and_tax() -> None:
    found = recorded(1005)
    first, second = found.line_items
    assert (first.quantity, second.quantity) == (2, 2)
    assert (first.unit_price, first.total_discount, first.total_tax) == (
        Decimal("10.00"),
        Decimal("2.00"),
        Decimal("3.42"),
    )
    assert found.total_price == Decimal("26.42")
    assert found.additional_fields["ordered_quantities"] == {"10050": 3, "10051": 2}
    (paid,) = found.additional_fields["refunds"]
    assert (paid.amount, paid.note, paid.refund_id) == (Decimal("10.71"), "Zu klein", "1005")
    assert [(part.line_item_id, part.quantity, part.amount) for part in paid.line_items] == [
        ("10050", 1, Decimal("10.71"))
    ]
    assert found.additional_fields["total_refunded"] == Decimal("10.71")
    assert found.additional_fields["payment_status"] == "partially_refunded"
    assert found.status == OrderStatus.FULFILLED


@pytest.mark.parametrize("included", [True, False])
def test_refunds_in_steps_reconcile(included: bool) -> None:
    lines = [line(1, "11.90", 5, discounts=["5.95"], taxes=["8.55"])]
    node = simple(lines, taxesIncluded=included, shipping="4.90")
    for number in range(4):
        refund(node, number, START, {LINE: 1})
        found = mapped(node)
        assert abs(unreconciled(found)) < Decimal("0.00001"), number
        assert found.line_items[0].quantity == 4 - number


def test_units_that_are_gone_without_a_refund_take_their_share_along() -> None:
    node = simple([line(1, "10.00", 4, discounts=["2.00"], taxes=["7.22"])])
    node["lineItems"][0]["currentQuantity"] = 3
    (item,) = mapped(node).line_items
    assert (item.quantity, item.total_discount, item.total_tax) == (3, Decimal("1.50"), Decimal("5.42"))


def test_a_line_that_was_removed_has_no_units_and_no_amounts() -> None:
    found = recorded(1013)
    item = found.line_items[1]
    assert (item.quantity, item.unit_price) == (0, Decimal("4.00"))
    assert item.total_discount == item.total_tax == Decimal(0)
    assert found.total_price == Decimal("10.00")
    assert found.additional_fields["refunds"] == []
    assert found.status == OrderStatus.OPEN


def test_refunded_shipping_is_taken_off() -> None:
    node = simple(shipping="5.95", shipping_tax="0.95", taxesIncluded=True)
    refund(node, 1, START, {}, paid="2.38")
    node["refunds"][0]["refundShippingLines"] = [{"taxAmountSet": money("0.38")}]
    node["shippingLines"][0]["currentDiscountedPriceSet"] = money("3.57")
    found = mapped(settle(node))
    assert found.total_shipping == Decimal("3.00")
    assert unreconciled(found) == 0


def test_duties_and_fees_are_custom_items() -> None:
    found = recorded(1012)
    assert [(item.line_item_id, item.product_id, item.unit_price) for item in found.line_items[1:]] == [
        ("duties", None, Decimal("3.20")),
        ("additional-fees", None, Decimal("1.10")),
    ]
    assert found.total_price == Decimal("14.30")


def test_duties_that_prices_include_are_not_added() -> None:
    node = simple(dutiesIncluded=True)
    node["currentTotalDutiesSet"] = money("3.20")
    assert len(mapped(node).line_items) == 1


@pytest.mark.parametrize(
    ("shown", "paid", "status"),
    [
        ("UNFULFILLED", "PENDING", OrderStatus.OPEN),
        ("UNFULFILLED", "PARTIALLY_PAID", OrderStatus.OPEN),
        ("UNFULFILLED", "EXPIRED", OrderStatus.OPEN),
        ("UNFULFILLED", None, OrderStatus.OPEN),
        ("UNFULFILLED", "PAID", OrderStatus.CONFIRMED),
        ("UNFULFILLED", "AUTHORIZED", OrderStatus.CONFIRMED),
        ("UNFULFILLED", "PARTIALLY_REFUNDED", OrderStatus.CONFIRMED),
        ("OPEN", "PAID", OrderStatus.CONFIRMED),
        ("RESTOCKED", "PAID", OrderStatus.CONFIRMED),
        ("SCHEDULED", "PAID", OrderStatus.CONFIRMED),
        ("SCHEDULED", "PENDING", OrderStatus.OPEN),
        ("IN_PROGRESS", "PAID", OrderStatus.PROCESSING),
        ("PENDING_FULFILLMENT", "PAID", OrderStatus.PROCESSING),
        ("PARTIALLY_FULFILLED", "PAID", OrderStatus.PARTIALLY_FULFILLED),
        ("FULFILLED", "PAID", OrderStatus.FULFILLED),
        ("FULFILLED", "REFUNDED", OrderStatus.FULFILLED),
        ("FULFILLMENT_NOT_REQUIRED", "PAID", OrderStatus.FULFILLED),
        ("ON_HOLD", "PAID", OrderStatus.EXCEPTION),
        ("REQUEST_DECLINED", "PAID", OrderStatus.EXCEPTION),
        ("BEAMED_UP", "PAID", OrderStatus.OTHER),
    ],
)
def test_statuses(shown: str, paid: str | None, status: OrderStatus) -> None:
    found = mapped(simple(displayFulfillmentStatus=shown, displayFinancialStatus=paid))
    assert (found.status, found.raw_status) == (status, shown)
    assert found.additional_fields["payment_status"] == (paid.lower() if paid else None)


def test_cancelled_orders() -> None:
    found = recorded(1006)
    assert found.status == OrderStatus.CANCELLED
    assert found.total_price == Decimal("0.00")
    assert found.additional_fields["cancelled_at"] == stamp(START - days(2))
    assert found.additional_fields["cancel_reason"] == "CUSTOMER"
    assert [group.status for group in found.shipping_groups] == [ShipmentStatus.CANCELLED]


def test_an_order_of_which_nothing_is_left_before_shipping_is_cancelled() -> None:
    node = refund(simple(), 1, START, {LINE: 1})
    assert mapped(node).status == OrderStatus.CANCELLED
    sent = refund(ship(simple(), 1, START, {LINE: 1}), 1, START, {LINE: 1})
    assert mapped(sent, displayFulfillmentStatus="FULFILLED").status == OrderStatus.FULFILLED
    assert mapped(sent, displayFulfillmentStatus="UNFULFILLED").status == OrderStatus.CONFIRMED


def test_archived_orders_keep_their_status() -> None:
    found = recorded(1011)
    assert found.status == OrderStatus.FULFILLED
    assert found.additional_fields["archived_at"] == stamp(START - days(1))


def test_custom_items_deleted_products_and_gift_cards() -> None:
    found = recorded(1007)
    assert [item.product_id for item in found.line_items] == [None, None, "100720"]
    assert [item.product_sku for item in found.line_items] == [None, "SKU-10071", "SKU-10072"]
    titles = found.additional_fields["custom_item_titles"]
    assert titles == {"10070": "Geschenkverpackung 🎁", "10071": "Thing 10071"}
    assert found.additional_fields["gift_card_line_item_ids"] == ["10072"]


def test_addresses() -> None:
    found = recorded(1001)
    assert found.ship_to_address == Address(
        full_name="Žofie Müller-Østergård",
        company="Café 東京 & Söhne",
        address1="Straße 1",
        city="Łódź",
        state="LD",
        postal_code="90-001",
        country="PL",
        phone_number="+48 42 000 00 00",
        email_address="žofie@example.com",
    )
    assert found.bill_to_address == Address(email_address="žofie@example.com")
    assert recorded(1008).ship_to_address == Address(email_address="žofie@example.com")
    assert recorded(1007).bill_to_address == Address()


def test_shipments() -> None:
    found = recorded(1004)
    assert found.status == OrderStatus.PARTIALLY_FULFILLED
    (parcel,) = found.shipments
    assert (parcel.shipment_id, parcel.status, parcel.raw_status) == ("1004", ShipmentStatus.SHIPPED, "IN_TRANSIT")
    assert (parcel.carrier_name, parcel.tracking_number, parcel.tracking_url) == ("DHL", "T1", None)
    assert (parcel.warehouse_id, parcel.shipping_method_id, parcel.shipping_method_name) == ("1", "std", "Standard")
    assert parcel.shipping_groups == [group.shipping_group_id for group in found.shipping_groups]
    assert [(part.product_id, part.quantity) for part in parcel.line_items] == [("100400", 2)]
    assert found.additional_fields["tracking_numbers"] == {"1004": ["T1", "T2"]}


@pytest.mark.parametrize(
    ("state", "shown", "status"),
    [
        ("PENDING", None, ShipmentStatus.OPEN),
        ("OPEN", None, ShipmentStatus.OPEN),
        ("SUCCESS", None, ShipmentStatus.SHIPPED),
        ("SUCCESS", "OUT_FOR_DELIVERY", ShipmentStatus.SHIPPED),
        ("SUCCESS", "LABEL_PRINTED", ShipmentStatus.OPEN),
        ("SUCCESS", "DELIVERED", ShipmentStatus.DELIVERED),
        ("SUCCESS", "PICKED_UP", ShipmentStatus.DELIVERED),
        ("SUCCESS", "NOT_DELIVERED", ShipmentStatus.EXCEPTION),
        ("CANCELLED", "CANCELED", ShipmentStatus.CANCELLED),
        ("FAILURE", "FAILURE", ShipmentStatus.EXCEPTION),
        ("ERROR", None, ShipmentStatus.EXCEPTION),
        ("LOST_AT_SEA", None, ShipmentStatus.OTHER),
    ],
)
def test_shipment_statuses(state: str, shown: str | None, status: ShipmentStatus) -> None:
    (parcel,) = mapped(ship(simple(), 1, START, {LINE: 1}, status=state, displayStatus=shown)).shipments
    assert parcel.status == status


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("OPEN", ShipmentStatus.OPEN),
        ("IN_PROGRESS", ShipmentStatus.OPEN),
        ("SCHEDULED", ShipmentStatus.OPEN),
        ("ON_HOLD", ShipmentStatus.ON_HOLD),
        ("CLOSED", ShipmentStatus.SHIPPED),
        ("CANCELLED", ShipmentStatus.CANCELLED),
        ("INCOMPLETE", ShipmentStatus.EXCEPTION),
        ("SOMETHING", ShipmentStatus.OTHER),
    ],
)
def test_shipping_group_statuses(state: str, status: ShipmentStatus) -> None:
    node = simple()
    node["fulfillmentOrders"][0]["status"] = state
    (found,) = mapped(node).shipping_groups
    assert (found.status, found.raw_status) == (status, state)


def test_an_order_from_several_locations_has_a_group_for_each() -> None:
    found = recorded(1010)
    groups = [
        (each.warehouse_id, each.status, [part.quantity for part in each.line_items]) for each in found.shipping_groups
    ]
    assert groups == [("1", ShipmentStatus.OPEN, [2]), ("2", ShipmentStatus.ON_HOLD, [1])]
    assert {part.line_item_id for each in found.shipping_groups for part in each.line_items} == {"10100"}
    assert found.earliest_ship_date == START - days(3)
    assert found.latest_ship_date == START + days(2)


def test_a_changed_fulfilment_order_is_a_change_of_the_order() -> None:
    node = simple()
    node["fulfillmentOrders"][0]["updatedAt"] = "2026-07-01T00:00:00Z"
    assert mapped(node).updated_date == datetime(2026, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize("path", ["fulfillmentOrders", "fulfillments"])
def test_a_part_of_an_unknown_line_is_refused(path: str) -> None:
    node = ship(simple(), 1, START, {LINE: 1})
    parts = node[path][0]["lineItems" if path == "fulfillmentOrders" else "fulfillmentLineItems"]
    parts[0]["lineItem"] = {"id": gid("LineItem", 77)}
    with pytest.raises(UnmappableRecord, match="77"):
        mapped(node)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e30", "1e-30"])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    node = simple()
    bag = {"presentmentMoney": {"amount": amount}, "shopMoney": {"amount": "1"}}
    with pytest.raises(UnmappableRecord, match="amount"):
        mapped(node, currentTotalPriceSet=bag)


def goods(node: Node) -> list[Product]:
    variants = [{**each, "media": {"nodes": each["media"]}} for each in node["variants"]]
    return mapping.products(raw(node, variants=variants))


def test_products_and_their_variants() -> None:
    parent, green, red = goods(products()[0])
    assert (parent.id, parent.parent_product_id, parent.name) == ("501", "501", "Pullover 501 «ñandú»")
    assert (parent.categories, parent.tags) == (["Apparel > Clothing", "Knitwear"], ["wool", "winter"])
    assert parent.external_system_url == "https://test.myshopify.com/admin/products/501"
    assert (green.id, green.parent_product_id, green.name) == ("5010", "501", "Pullover 501 «ñandú» - Grün / L")
    assert (green.sku, green.gtin, green.price, green.unit_cost) == (
        "V-5010",
        "4006381333931",
        Decimal("19.90"),
        Decimal("7.35"),
    )
    assert (green.inventory, green.inventory_by_warehouse_id) == (4, {"1": 5, "2": -1})
    assert (green.measurements.weight, green.measurements.weight_unit) == (Decimal("0.35"), "kg")
    assert green.image_url == "https://cdn.example/501.png"
    assert (red.sku, red.gtin, red.inventory) == (None, None, 0)


def test_products_that_are_hidden_untracked_or_kits() -> None:
    parent, only = goods(products()[1])
    assert not parent.active
    assert not only.active
    assert only.name == parent.name
    assert (only.inventory, only.inventory_by_warehouse_id, only.unit_cost) == (None, {}, None)
    assert (parent.categories, parent.image_url) == ([], None)
    kit = goods(products()[2])
    assert [each.is_kit for each in kit] == [True, True]


@pytest.mark.parametrize(
    ("status", "active"), [("ACTIVE", True), ("UNLISTED", True), ("DRAFT", False), ("ARCHIVED", False)]
)
def test_products_that_can_be_bought_are_active(status: str, active: bool) -> None:
    assert [each.active for each in goods(products()[2] | {"status": status})] == [active, active]


def test_a_change_of_stock_is_a_change_of_the_product() -> None:
    node = products()[0]
    level = node["variants"][0]["inventoryItem"]["inventoryLevels"][0]
    level["updatedAt"] = "2026-07-01T00:00:00Z"
    parent, green, red = goods(node)
    assert parent.updated_date == green.updated_date == datetime(2026, 7, 1, tzinfo=UTC)
    assert red.updated_date < green.updated_date


def test_a_variants_own_picture_goes_first() -> None:
    own = [{"preview": {"image": {"url": "https://cdn.example/own.png"}}}]
    node = copy.deepcopy(products()[0]) | {"variants": [variant(5010, START, media=own)]}
    assert goods(node)[1].image_url == "https://cdn.example/own.png"


def test_locations() -> None:
    first, second = (mapping.warehouse(raw(each)) for each in locations())
    assert (first.id, first.name, first.code) == ("1", "Lager 1", None)
    assert first.address == Address(address1="Straße 1", city="Łódź", state="LD", postal_code="90-001", country="PL")
    assert first.additional_fields == {"active": True, "fulfills_online_orders": True}
    assert not second.additional_fields["active"]
