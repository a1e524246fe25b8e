"""What ShipHero's records become."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.shiphero import records
from connectors.shiphero.records import EAST, WEST, line, uuid
from unicart.connectors.kit import UnmappableRecord
from unicart.connectors.shiphero import mapping
from unicart.contract.common import Address
from unicart.contract.orders import Order, OrderStatus, Refund, ShipmentStatus, unreconciled
from unicart.contract.products import Product

HOLDS = ["fraud_hold", "address_hold", "shipping_method_hold", "operator_hold", "payment_hold", "client_hold"]


def order(**changes: Any) -> Order:
    return mapping.order(json.dumps(records.order(1, **changes)).encode())


def product(**changes: Any) -> Product:
    return mapping.product(json.dumps(records.product(1, **changes)).encode())


def lines(*rows: dict[str, Any]) -> dict[str, Any]:
    return records.connection(list(rows))


def test_an_order_carries_what_the_platform_says() -> None:
    found = order()
    assert (found.id, found.order_number) == (uuid("Order", 1), "#1")
    assert found.warehouse_customer_id == records.ACCOUNT
    assert found.created_date == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert found.updated_date == datetime(2026, 6, 1, 12, 0, 5, tzinfo=UTC)
    assert found.latest_ship_date == datetime(2026, 6, 4, tzinfo=UTC)
    assert found.earliest_ship_date is None
    assert (found.requested_shipping_method, found.shipping_method_name) == ("Standard", "ground")
    assert (found.carrier_name, found.shipping_method) == ("ups", "ground")
    assert (found.total_price, found.total_tax) == (Decimal("16.00"), Decimal("1.00"))
    assert (found.total_shipping, found.total_discount) == (Decimal("5.00"), Decimal("0.00"))
    (item,) = found.line_items
    assert (item.line_item_id, item.product_id, item.product_sku) == (uuid("LineItem", 1), uuid("Product", 1), "SKU-1")
    assert (item.parent_product_id, item.quantity, item.unit_price) == (uuid("Product", 1), 1, Decimal("10.00"))
    assert (found.ship_to_address.address1, found.bill_to_address.address1) == ("1 Main Street", "2 Bank Street")
    assert (found.ship_to_address.full_name, found.ship_to_address.state) == ("Jane Doe", "IL")
    assert (found.ship_to_address.country, found.ship_to_address.email_address) == ("US", "jane@example.com")
    assert found.additional_fields["shop_name"] == "example.myshopify.com"
    assert found.additional_fields["tags"] == ["priority"]
    assert unreconciled(found) == 0


STATUSES: list[tuple[dict[str, Any], OrderStatus]] = [
    ({}, OrderStatus.OPEN),
    ({"fulfillment_status": "Pending"}, OrderStatus.OPEN),
    ({"fulfillment_status": "fulfilled"}, OrderStatus.FULFILLED),
    ({"fulfillment_status": "canceled"}, OrderStatus.CANCELLED),
    ({"fulfillment_status": "cancelled"}, OrderStatus.CANCELLED),
    ({"fulfillment_status": "Wholesale"}, OrderStatus.OTHER),
    ({"fulfillment_status": None}, OrderStatus.OTHER),
    ({"line_items": lines(line(1, quantity=2, quantity_shipped=1))}, OrderStatus.PARTIALLY_FULFILLED),
    ({"line_items": lines(line(1), line(2, backorder_quantity=1))}, OrderStatus.BACKORDERED),
    (
        {"line_items": lines(line(1, quantity_shipped=1), line(2, backorder_quantity=1))},
        OrderStatus.PARTIALLY_FULFILLED,
    ),
    *(({"holds": {name: True}}, OrderStatus.EXCEPTION) for name in HOLDS),
    ({"holds": {"fraud_hold": True}, "fulfillment_status": "fulfilled"}, OrderStatus.FULFILLED),
    ({"holds": {"fraud_hold": True}, "fulfillment_status": "canceled"}, OrderStatus.CANCELLED),
    ({"holds": dict.fromkeys(HOLDS)}, OrderStatus.OPEN),
    ({"holds": None}, OrderStatus.OPEN),
]


@pytest.mark.parametrize(("changes", "status"), STATUSES)
def test_status(changes: dict[str, Any], status: OrderStatus) -> None:
    found = order(**changes)
    assert found.status is status
    assert found.raw_status == changes.get("fulfillment_status", "pending")


def test_holds_are_named() -> None:
    found = order(holds={"payment_hold": True, "client_hold": True})
    assert found.additional_fields["holds"] == ["payment_hold", "client_hold"]
    assert found.additional_fields["payment_status"] == "payment_hold"


def test_a_line_that_was_taken_off_an_order_has_nothing_left() -> None:
    """It stays in ShipHero's list as canceled, with all of its quantity."""
    taken = line(2, quantity=3, price="4.00", backorder_quantity=3, fulfillment_status="canceled")
    in_part = line(3, quantity=3, price="2.00", quantity_shipped=1, fulfillment_status="Cancelled")
    found = order(line_items=lines(line(1), taken, in_part), total_price="18.00")
    assert [item.quantity for item in found.line_items] == [1, 0, 1]
    assert found.line_items[1].unit_price == Decimal("4.00")
    assert found.additional_fields["quantities_canceled"] == {uuid("LineItem", 2): 3, uuid("LineItem", 3): 2}
    assert found.additional_fields["quantities_backordered"] == {}
    assert found.status is OrderStatus.PARTIALLY_FULFILLED
    assert unreconciled(found) == 0
    assert order(line_items=lines(line(1), taken)).status is OrderStatus.OPEN


def test_an_order_that_is_canceled_keeps_what_was_ordered() -> None:
    found = order(fulfillment_status="canceled", line_items=lines(line(1, fulfillment_status="canceled")))
    assert (found.status, found.raw_status) == (OrderStatus.CANCELLED, "canceled")
    assert [item.quantity for item in found.line_items] == [1]
    assert found.additional_fields["quantities_canceled"] == {}
    assert unreconciled(found) == 0


def test_lines_of_an_order_keep_the_ids_of_the_shop() -> None:
    found = order(line_items=lines(line(1), line(2, partner_line_item_id=None)))
    assert found.additional_fields["partner_line_item_ids"] == {uuid("LineItem", 1): "shop-1"}


def test_discounts_of_lines_are_exact_and_shared_by_unit() -> None:
    found = order(
        line_items=lines(line(1, quantity=3, price="10.00", promotion_discount="1.00"), line(2)),
        total_discounts="3.00",
        total_price="43.00",
    )
    first, second = found.line_items
    assert (first.total_discount, first.discount) == (Decimal("1.00"), Decimal("0.333333"))
    assert (second.total_discount, second.discount) == (None, None)
    assert found.total_discount == Decimal("3.00")
    assert unreconciled(found) == 0


def test_prices_that_include_tax_are_shown_without_it() -> None:
    found = order(
        currency="EUR",
        line_items=lines(line(1, quantity=2, price="59.50"), line(2, price="11.90")),
        total_tax="20.90",
        total_price="130.90",
        shipping_lines={"title": "DHL", "price": "0.00"},
    )
    first, second = found.line_items
    assert (first.total_tax, second.total_tax) == (Decimal("19.00"), Decimal("1.90"))
    assert (first.unit_price, second.unit_price) == (Decimal("50.00"), Decimal("10.00"))
    assert (first.tax, found.total_tax) == (Decimal("9.50"), Decimal("20.90"))
    prices = {first.line_item_id: Decimal("59.50"), second.line_item_id: Decimal("11.90")}
    assert found.additional_fields["prices_with_tax"] == prices
    assert unreconciled(found) == 0


def test_shares_of_an_included_tax_add_up_where_it_does_not_divide() -> None:
    rows = [line(number, price="3.33", quantity=number) for number in (1, 2, 4)]
    found = order(line_items=lines(*rows), total_tax="1.00", total_price="23.31", shipping_lines=None)
    assert sum(item.total_tax or 0 for item in found.line_items) == Decimal("1.00")
    assert abs(unreconciled(found)) < Decimal("0.00001")


def test_figures_that_add_up_neither_way_are_left_as_they_are() -> None:
    found = order(total_price="99.00")
    assert (found.line_items[0].unit_price, found.line_items[0].total_tax) == (Decimal("10.00"), None)
    assert found.total_price == Decimal("99.00")


@pytest.mark.parametrize(
    ("currency", "price", "total"), [("JPY", "1200", "1200"), ("KWD", "1.250", "1.250"), ("usd", "10", "10")]
)
def test_amounts_are_kept_digit_for_digit(currency: str, price: str, total: str) -> None:
    found = order(
        currency=currency, line_items=lines(line(1, price=price)), total_tax="0", total_price=total, shipping_lines=None
    )
    assert found.invoice_currency_code == currency.upper()
    assert (str(found.line_items[0].unit_price), str(found.total_price)) == (price, total)
    assert unreconciled(found) == 0


def test_an_order_without_a_currency_is_in_dollars() -> None:
    assert order(currency=None).invoice_currency_code == "USD"


def test_a_custom_item_and_a_gift_card_have_no_product() -> None:
    found = order(line_items=lines(line(1, product=None, sku="", product_name="Sticker 🎁"), line(2)))
    custom, stocked = found.line_items
    assert (custom.product_id, custom.product_sku, custom.parent_product_id) == (None, None, None)
    assert stocked.product_id == uuid("Product", 2)
    assert found.additional_fields["custom_item_titles"] == {custom.line_item_id: "Sticker 🎁"}


def test_a_product_that_was_deleted_leaves_its_sku() -> None:
    (item,) = order(line_items=lines(line(1, product=None))).line_items
    assert (item.product_id, item.product_sku) == (None, "SKU-1")


def test_names_and_addresses_may_be_of_any_script_or_missing() -> None:
    found = order(
        shipping_address=records.address(first_name="太郎", last_name="山田", state_code=None, country_code=None),
        billing_address=None,
    )
    assert found.ship_to_address.full_name == "太郎 山田"
    assert (found.ship_to_address.state, found.ship_to_address.country) == ("Illinois", "United States")
    assert (found.bill_to_address.full_name, found.bill_to_address.email_address) == (None, "jane@example.com")


def test_fields_that_the_token_may_not_see_are_null() -> None:
    """Without the scope view:pii, ShipHero answers null."""
    hidden = dict.fromkeys(("shipping_address", "billing_address", "email", "gift_note"))
    found = order(**hidden)
    assert (found.ship_to_address, found.bill_to_address) == (Address(), Address())


def test_a_shipment_tells_its_parcel() -> None:
    found = order(
        line_items=lines(line(1, quantity=3)),
        shipments=[records.shipment(5, [(1, 2)], warehouse_id=WEST, delivered=True)],
    )
    (shipment,) = found.shipments
    assert (shipment.shipment_id, shipment.warehouse_id) == (uuid("Shipment", 5), WEST)
    assert (shipment.carrier_name, shipment.shipping_method_name) == ("ups", "Ground")
    assert (shipment.tracking_number, shipment.tracking_url) == ("1Z000005", "https://track.example.com/1Z000005")
    assert (shipment.status, shipment.raw_status) == (ShipmentStatus.DELIVERED, "valid")
    assert shipment.created_date == datetime(2026, 6, 2, 7, 59, tzinfo=UTC)
    assert shipment.updated_date == datetime(2026, 6, 2, 8, tzinfo=UTC)
    (part,) = shipment.line_items
    assert (part.quantity, part.product_id, part.product_sku) == (2, uuid("Product", 1), "SKU-1")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, ShipmentStatus.SHIPPED),
        ({"delivered": True}, ShipmentStatus.DELIVERED),
        ({"refunded": True}, ShipmentStatus.CANCELLED),
        ({"shipping_labels": [records.label(1, status="void")]}, ShipmentStatus.CANCELLED),
        ({"shipping_labels": [records.label(1, refunded=True)]}, ShipmentStatus.CANCELLED),
        ({"shipping_labels": [records.label(1, status="void"), records.label(2)]}, ShipmentStatus.SHIPPED),
        ({"shipping_labels": []}, ShipmentStatus.SHIPPED),
        ({"shipping_labels": None}, ShipmentStatus.SHIPPED),
    ],
)
def test_shipment_status(changes: dict[str, Any], status: ShipmentStatus) -> None:
    (shipment,) = order(shipments=[records.shipment(1, [(1, 1)], **changes)]).shipments
    assert shipment.status is status


def test_a_shipment_of_several_parcels_tells_the_first_valid_one_and_lists_all() -> None:
    labels = [records.label(1, status="void"), records.label(2), records.label(3)]
    found = order(shipments=[records.shipment(1, [(1, 1)], shipping_labels=labels)])
    assert found.shipments[0].tracking_number == "1Z000002"
    tracking = found.additional_fields["tracking_numbers"]
    assert tracking == {uuid("Shipment", 1): ["1Z000001", "1Z000002", "1Z000003"]}


def test_allocations_to_several_warehouses_are_shipping_groups() -> None:
    def allocation(warehouse_id: str, reference: str | None, *parts: tuple[int, int]) -> dict[str, Any]:
        rows = [{"line_item_id": uuid("LineItem", number), "quantity_allocated": units} for number, units in parts]
        allocated = {"warehouse_id": warehouse_id, "allocated_at": "2026-06-01T13:00:00"}
        return {**allocated, "allocation_reference": reference, "line_items": rows}

    found = order(
        line_items=lines(line(1, quantity=3)),
        allocations=[allocation(EAST, "A1", (1, 1)), allocation(WEST, None, (1, 2), (99, 1)), allocation(EAST, "A1")],
    )
    first, second, third = found.shipping_groups
    assert (first.shipping_group_id, first.warehouse_id, first.status) == ("A1", EAST, ShipmentStatus.OPEN)
    assert [(part.line_item_id, part.quantity) for part in second.line_items] == [(uuid("LineItem", 1), 2)]
    assert len({first.shipping_group_id, second.shipping_group_id, third.shipping_group_id}) == 3
    held = order(allocations=[allocation(EAST, "A1")], holds={"fraud_hold": True})
    assert held.shipping_groups[0].status is ShipmentStatus.ON_HOLD


def test_a_shipment_that_left_elsewhere_is_marked() -> None:
    sent = [records.shipment(1, [(1, 1)], shipped_off_shiphero=True, shipping_labels=[]), records.shipment(2, [(1, 1)])]
    found = order(line_items=lines(line(1, quantity=2)), shipments=sent)
    assert found.additional_fields["shipped_off_shiphero"] == [uuid("Shipment", 1)]
    assert (found.shipments[0].tracking_number, found.shipments[0].status) == (None, ShipmentStatus.SHIPPED)


PAYMENTS: list[tuple[list[tuple[str | None, str | None, str | None]], str | None]] = [
    ([], None),
    ([(None, None, None)], None),
    ([("16.00", "0.00", "0.00")], "authorized"),
    ([("16.00", "16.00", "0.00")], "paid"),
    ([("16.00", "6.00", "0.00")], "partially_paid"),
    ([("10.00", "10.00", None), ("6.00", "6.00", None)], "paid"),
    ([("16.00", "16.00", "4.00")], "partially_refunded"),
    ([("16.00", "16.00", "16.00")], "refunded"),
    ([("10.00", "10.00", "10.00"), ("6.00", "6.00", "0.00")], "partially_refunded"),
    ([(None, None, "4.00")], "partially_refunded"),
    ([(None, None, "16.00")], "refunded"),
]


@pytest.mark.parametrize(("amounts", "status"), PAYMENTS)
def test_payments_are_told_from_the_authorizations(
    amounts: list[tuple[str | None, str | None, str | None]], status: str | None
) -> None:
    names = ("authorized_amount", "postauthed_amount", "refunded_amount")
    found = order(authorizations=[dict(zip(names, each, strict=True)) for each in amounts])
    assert found.additional_fields["payment_status"] == status
    refunded = sum((Decimal(each[2] or 0) for each in amounts), Decimal(0))
    assert found.additional_fields["total_refunded"] == refunded
    assert found.total_price == Decimal("16.00")


def test_a_hold_for_payment_counts_before_the_authorizations() -> None:
    found = order(holds={"payment_hold": True}, authorizations=[{"authorized_amount": "16.00"}])
    assert found.additional_fields["payment_status"] == "payment_hold"


def test_money_paid_back_is_a_refund() -> None:
    paid_back = [
        {"transaction_id": "T1", "refunded_amount": "4.00"},
        {"transaction_id": "T2", "refunded_amount": "0.00"},
        {"transaction_id": "T1", "refunded_amount": "1.50"},
        {"transaction_id": None, "refunded_amount": None},
    ]
    fields = order(authorizations=paid_back).additional_fields
    assert [(refund.refund_id, refund.amount) for refund in fields["refunds"]] == [
        ("T1", Decimal("4.00")),
        ("T1:1", Decimal("1.50")),
    ]
    assert all(isinstance(refund, Refund) for refund in fields["refunds"])
    assert fields["total_refunded"] == Decimal("5.50")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"total_price": "12,50"}, "total_price"),
        ({"total_price": "1e400"}, "total_price"),
        ({"total_price": "Infinity"}, "total_price"),
        ({"updated_at": "yesterday"}, "updated_at"),
        ({"updated_at": None, "order_date": ""}, "updated_at"),
        ({"line_items": lines(line(1, price="free"))}, "line_items.price"),
    ],
)
def test_an_order_that_cannot_be_read_names_the_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(UnmappableRecord, match=field):
        order(**changes)


def test_dates_may_be_missing_or_zero() -> None:
    found = order(order_date=None, required_ship_date="0000-00-00 00:00:00", hold_until_date="2026-06-03 10:00:00")
    assert found.created_date == found.updated_date
    assert (found.latest_ship_date, found.earliest_ship_date) == (None, datetime(2026, 6, 3, 10, tzinfo=UTC))


def test_an_empty_amount_is_unknown() -> None:
    found = order(total_discounts="", total_tax=None, shipping_lines={"title": None, "price": " "})
    assert (found.total_discount, found.total_tax, found.total_shipping) == (None, None, None)


def test_a_product_is_its_own_parent_with_stock_by_warehouse() -> None:
    found = product()
    assert (found.id, found.parent_product_id, found.sku) == (uuid("Product", 1), uuid("Product", 1), "SKU-1")
    assert (found.gtin, found.price, found.unit_cost) == ("4000000000001", Decimal("10.00"), Decimal("4.25"))
    assert (found.inventory, found.inventory_by_warehouse_id) == (10, {EAST: 7, WEST: 3})
    assert found.image_url == "https://img.example.com/front.jpg"
    assert (found.measurements.length, found.measurements.unit) == (Decimal("3"), "in")
    assert (found.measurements.weight, found.measurements.weight_unit) == (Decimal("12.5"), "oz")
    assert found.additional_fields["stock"][EAST] == {"on_hand": 9, "allocated": 2, "backorder": 0}


def test_stock_moves_the_date_although_the_product_stays() -> None:
    found = product(warehouse_products=[records.stock(EAST, 1, updated_at="2026-06-09T00:00:00")])
    assert found.updated_date == datetime(2026, 6, 9, tzinfo=UTC)


def test_a_kit_tells_its_components() -> None:
    found = product(kit=True, kit_components=[{"sku": "SKU-2", "quantity": 2}])
    assert found.is_kit
    assert found.additional_fields["kit_components"] == [{"sku": "SKU-2", "quantity": 2}]


def test_a_virtual_product_has_no_stock() -> None:
    found = product(virtual=True)
    assert (found.inventory, found.inventory_by_warehouse_id) == (None, {})


@pytest.mark.parametrize(
    ("places", "active"),
    [
        ([], True),
        ([records.stock(EAST, 1, active=False)], False),
        ([records.stock(EAST, 1, active=False), records.stock(WEST, 1)], True),
        ([records.stock(EAST, 1, active=None)], True),
    ],
)
def test_a_product_is_active_where_any_warehouse_has_it_so(places: list[dict[str, Any]], active: bool) -> None:
    assert product(warehouse_products=places).active is active


def test_a_warehouse() -> None:
    found = mapping.warehouse(json.dumps(records.warehouse(1)).encode())
    assert (found.id, found.name, found.code) == (EAST, "Primary", "Primary")
    assert (found.address.address1, found.address.postal_code) == ("9 Quay", "94607")
    assert found.address.phone_number is None
    assert found.created_date == found.updated_date == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("mapped", [mapping.order, mapping.product, mapping.warehouse])
def test_a_record_of_an_id_alone_is_refused_or_mapped_without_guessing(mapped: Callable[[bytes], Any]) -> None:
    if mapped is mapping.warehouse:
        assert mapped(b'{"id": "W"}').name == "W"
    else:
        with pytest.raises(UnmappableRecord):
            mapped(b'{"id": "W"}')
