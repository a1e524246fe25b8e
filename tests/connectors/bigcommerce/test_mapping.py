"""What BigCommerce's records become, case by case."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from connectors.bigcommerce import records
from connectors.bigcommerce.records import consignments, line, raw_order, shipping
from unicart.connectors.bigcommerce import mapping
from unicart.connectors.kit import UnmappableRecord
from unicart.contract.common import Address
from unicart.contract.orders import Order, OrderStatus, Refund, ShipmentStatus, unreconciled
from unicart.contract.products import Product

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def mapped(order: dict[str, Any], **parts: Any) -> Order:
    return mapping.order(json.dumps(raw_order(order, **parts)).encode())


def simple(*lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return records.order(100, AT, list(lines) or [line(1)], **fields)


def refunds_of(order: Order) -> list[Refund]:
    refunds: list[Refund] = order.additional_fields["refunds"]
    return refunds


def test_an_order_with_tax_beside_its_prices_adds_up() -> None:
    order = mapped(
        simple(
            line(1, "12.5", 3, tax="1.0312"),
            line(2, "0.3333", 7, product=78, variant=110),
            shipping_cost="5.95",
            handling_cost="1.10",
            wrapping_cost="2.50",
            other_tax="0.79",
            discounts="1.59",
            coupons="3.00",
            fees=[records.fee(7, "8.5")],
        )
    )
    assert unreconciled(order) == 0
    assert str(order.total_price) == "57.1767"
    assert (order.total_discount, order.total_shipping) == (Decimal("4.59"), Decimal("7.05"))
    assert order.total_tax == Decimal("3.8836")
    first, second, fee, wrapping = order.line_items
    assert (first.product_id, first.parent_product_id, first.product_sku) == ("77-109", "77", "SKU-77")
    assert (first.quantity, str(first.unit_price), str(first.tax), str(first.total_tax)) == (
        3,
        "12.5000",
        "1.0312",
        "3.0936",
    )
    assert second.unit_price == Decimal("0.3333")
    assert (fee.line_item_id, fee.product_id, fee.unit_price) == ("fee-7", None, Decimal("8.5"))
    assert (wrapping.line_item_id, wrapping.unit_price) == ("gift-wrapping", Decimal("2.5"))
    assert order.additional_fields["custom_item_titles"] == {"fee-7": "Package protection"}


def test_an_order_with_tax_in_its_prices_has_its_discounts_without_tax() -> None:
    goods = line(
        1,
        "100",
        2,
        tax="10",
        total_tax="18.0000",
        discounted_total_inc_tax="198.0000",
        applied_discounts=[records.discount("22", "SUMMER")],
    )
    order = mapped(
        simple(
            goods,
            is_tax_inclusive_pricing=True,
            coupon_discount="22.0000",
            total_inc_tax="198.0000",
            total_ex_tax="180.0000",
            total_tax="18.0000",
        )
    )
    assert unreconciled(order) == 0
    assert [order.total_discount, order.total_tax, order.total_price] == [20, 18, 198]
    (item,) = order.line_items
    assert [item.unit_price, item.total_discount, item.discount, item.total_tax] == [100, 20, 10, 18]
    assert order.additional_fields["coupon_discount"] == 22
    assert order.additional_fields["coupon_codes"] == ["SUMMER"]
    assert order.additional_fields["prices_include_tax"] is True


def test_discounts_that_include_tax_although_prices_do_not_are_taken_without_it() -> None:
    totals = {"total_inc_tax": "97.2000", "total_ex_tax": "90.0000", "total_tax": "7.2000"}
    order = mapped(simple(line(1, "100", tax="8"), discount_amount="5.4000", coupon_discount="5.4000", **totals))
    assert unreconciled(order) == 0
    assert (order.total_discount, order.total_price) == (Decimal(10), Decimal("97.2"))
    assert order.additional_fields["discount_amount"] == Decimal("5.4")


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("total", ["40.0000", "140.0000"])
def test_a_total_that_was_set_by_hand_is_no_discount(inclusive: bool, total: str) -> None:
    totals = {"total_inc_tax": total, "total_ex_tax": total, "is_tax_inclusive_pricing": inclusive}
    order = mapped(simple(line(1, "100"), discount_amount="5.0000", **totals))
    assert (order.total_discount, order.total_price) == (Decimal(5), Decimal(total))


def test_an_estimate_of_the_prices_without_tax_may_be_wrong_by_a_cent() -> None:
    totals = {"total_inc_tax": "29.9700", "total_ex_tax": "24.9700", "total_tax": "5.0000"}
    order = mapped(simple(line(1, "8.3250", 3, tax="1.6650"), is_tax_inclusive_pricing=True, **totals))
    assert unreconciled(order) == 0
    assert order.total_discount == Decimal("0.005")


def test_discounts_of_lines_are_kept_as_they_were_applied() -> None:
    goods = line(1, "10", 3, applied_discounts=[records.discount("1", "A"), records.discount("2.5")])
    (item,) = mapped(simple(goods, coupons="3.5")).line_items
    assert (item.total_discount, item.discount) == (Decimal("3.5"), Decimal("1.166667"))


@pytest.mark.parametrize(
    ("paid", "inclusive", "kept"),
    [("97.2", False, "10"), ("97.2", True, "10"), ("0", True, "10.8"), ("0", False, "10.8"), (None, False, "10.8")],
)
def test_a_discount_of_a_line_is_without_tax_where_what_was_paid_is_known(
    paid: str | None, inclusive: bool, kept: str
) -> None:
    goods = line(1, "100", total_tax="7.2000", applied_discounts=[records.discount("10.8")])
    goods["discounted_total_inc_tax"] = paid
    (item,) = mapped(simple(goods, is_tax_inclusive_pricing=inclusive)).line_items
    assert item.total_discount == Decimal(kept)


def test_store_credit_and_gift_certificates_pay_and_lower_no_total() -> None:
    order = mapped(simple(store_credit_amount="4.0000", gift_certificate_amount="6.0000"))
    assert unreconciled(order) == 0
    assert order.total_price == 10
    assert order.additional_fields["store_credit_amount"] == 4
    assert order.additional_fields["gift_certificate_amount"] == 6


@pytest.mark.parametrize(("currency", "price"), [("JPY", "1999"), ("KWD", "12.345"), ("USD", "13.49")])
def test_amounts_are_what_bigcommerce_wrote_in_the_currency_that_is_paid(currency: str, price: str) -> None:
    order = mapped(simple(line(1, price, 3), currency=currency) | {"currency_code": "EUR"})
    assert order.invoice_currency_code == currency
    assert str(order.total_price) == f"{Decimal(price) * 3:.4f}"
    assert str(order.line_items[0].unit_price) == f"{Decimal(price):.4f}"
    assert unreconciled(order) == 0
    assert order.additional_fields["display_currency_code"] == "EUR"


@pytest.mark.parametrize(
    ("status_id", "status"),
    [
        (1, OrderStatus.OPEN),
        (2, OrderStatus.FULFILLED),
        (3, OrderStatus.PARTIALLY_FULFILLED),
        (4, OrderStatus.CANCELLED),
        (5, OrderStatus.CANCELLED),
        (6, OrderStatus.CANCELLED),
        (7, OrderStatus.OPEN),
        (8, OrderStatus.PROCESSING),
        (9, OrderStatus.PROCESSING),
        (10, OrderStatus.FULFILLED),
        (11, OrderStatus.CONFIRMED),
        (12, OrderStatus.EXCEPTION),
        (13, OrderStatus.EXCEPTION),
        (14, OrderStatus.CONFIRMED),
        (0, OrderStatus.OTHER),
        (15, OrderStatus.OTHER),
    ],
)
def test_each_status_has_its_counterpart_and_is_kept(status_id: int, status: OrderStatus) -> None:
    order = mapped(simple(status_id=status_id))
    assert order.status is status
    assert order.raw_status == records.STATUSES.get(status_id, "Something New")


@pytest.mark.parametrize("status_id", [4, 14])
def test_a_refunded_order_stands_where_its_goods_stand(status_id: int) -> None:
    lines = line(1, quantity=2)
    assert mapped(simple(lines, status_id=status_id, shipped=2)).status is OrderStatus.FULFILLED
    assert mapped(simple(lines, status_id=status_id, shipped=1)).status is OrderStatus.PARTIALLY_FULFILLED


def test_a_partly_shipped_order_has_its_shipment_and_its_open_group() -> None:
    lines = [line(1, quantity=2), line(2, product=78, variant=110)]
    shipped = records.shipment(6, 100, AT + timedelta(hours=1), {1: 1, 99: 1})
    order = mapped(simple(*lines, status_id=3, shipped=1), shipments=[shipped])
    (parcel,) = order.shipments
    assert (parcel.status, parcel.carrier_id, parcel.carrier_name) == (ShipmentStatus.SHIPPED, "usps", "USPS")
    assert (parcel.tracking_number, parcel.shipping_method_name) == ("EJ958083578US", "Flat Rate")
    assert parcel.tracking_url == "https://track.example.com/EJ958083578US"
    assert parcel.shipping_groups == ["51"]
    known, deleted = parcel.line_items
    assert (known.shipment_line_item_id, known.product_id, known.quantity) == ("6-1", "77-109", 1)
    assert (deleted.shipment_line_item_id, deleted.product_id) == ("6-99", None)
    (group,) = order.shipping_groups
    assert (group.status, [part.quantity for part in group.line_items]) == (ShipmentStatus.OPEN, [2, 1])
    assert order.updated_date == AT + timedelta(hours=1)


def test_a_custom_carrier_and_link_come_before_the_generated_ones() -> None:
    own = {"shipping_provider": "", "shipping_provider_display_name": "", "tracking_carrier": "dhl"}
    shipped = records.shipment(6, 100, AT, {1: 1}, **own, tracking_link="https://dhl.example.com/1")
    (parcel,) = mapped(simple(), shipments=[shipped]).shipments
    assert (parcel.carrier_name, parcel.tracking_url) == ("dhl", "https://dhl.example.com/1")


def test_refunds_have_the_one_shape_and_leave_out_what_was_declined() -> None:
    partial = records.refund(1, 100, AT + timedelta(days=1), 7.5, [records.refunded_line(1, 1, 6.25)])
    shipping_only = records.refund(
        2, 100, AT, 2.25, [{"item_type": "SHIPPING", "item_id": 51, "requested_amount": 2.25}]
    )
    declined = records.refund(3, 100, AT, 9, [], payments=[{"id": 1, "amount": 9, "is_declined": True}])
    half = records.refund(4, 100, AT, 9, [], payments=[{"amount": 4}, {"amount": 5, "is_declined": True}])
    order = mapped(simple(line(1, quantity=2), status_id=14), refunds=[partial, shipping_only, declined, half])
    first, second, third = refunds_of(order)
    assert (first.refund_id, first.amount, first.reason) == ("1", Decimal("7.5"), "Damaged")
    assert [(part.line_item_id, part.quantity, part.amount) for part in first.line_items] == [("1", 1, Decimal("6.25"))]
    assert (second.amount, second.line_items) == (Decimal("2.25"), [])
    assert (third.refund_id, third.amount) == ("4", Decimal(4))
    assert order.additional_fields["total_refunded"] == Decimal("13.75")
    assert order.updated_date == AT + timedelta(days=1)


def test_an_order_to_several_addresses_has_a_group_for_each() -> None:
    first, second = line(1, address=51), line(2, address=52)
    parts = consignments(shipping=[shipping(51, [first], 1), shipping(52, [second], name="Зоя Çelik")])
    order = mapped(simple(first, second, parts=parts, shipped=1, status_id=3))
    assert order.ship_to_address.full_name == "Jane Doe"
    assert [(group.shipping_group_id, group.status) for group in order.shipping_groups] == [
        ("51", ShipmentStatus.SHIPPED),
        ("52", ShipmentStatus.OPEN),
    ]
    assert order.additional_fields["ship_to_addresses"]["52"].full_name == "Зоя Çelik"
    assert [item.line_item_id for item in order.line_items] == ["1", "2"]


def test_what_is_collected_names_the_location_and_has_no_address() -> None:
    goods = line(1, address=0)
    pickup = {
        "id": 9,
        "pickup_method_display_name": "Counter",
        "location": {"id": 3, "name": "Depot"},
        "line_items": [goods],
    }
    order = mapped(simple(goods, parts=consignments(pickups=[pickup]), status_id=8))
    (group,) = order.shipping_groups
    assert (group.shipping_group_id, group.warehouse_id, group.status) == ("pickup-9", "3", ShipmentStatus.OPEN)
    (collected,) = mapped(simple(goods, parts=consignments(pickups=[pickup]), status_id=10)).shipping_groups
    assert collected.status is ShipmentStatus.DELIVERED
    assert order.ship_to_address == Address()
    assert order.requested_shipping_method is None
    assert order.additional_fields["pickup_methods"] == {"pickup-9": "Counter"}


def test_downloads_and_gift_certificates_are_lines_too() -> None:
    download = line(1, type="digital", address=0)
    certificate = line(2, "25", product=0, variant=None, type="giftcertificate", name="$25 Gift Certificate", sku="")
    parts = consignments(
        downloads=[{"recipient_email": "jane@example.com", "line_items": [download]}],
        email={"gift_certificates": [{"recipient_email": "joe@example.com", "line_items": [certificate]}]},
    )
    order = mapped(simple(download, certificate, parts=parts, order_is_digital=True))
    assert unreconciled(order) == 0
    assert [(item.product_id, item.product_sku) for item in order.line_items] == [("77-109", "SKU-77"), (None, None)]
    assert order.additional_fields["custom_item_titles"] == {"2": "$25 Gift Certificate"}


def test_a_custom_item_and_one_whose_variant_is_unknown_are_kept() -> None:
    order = mapped(simple(line(1, product=0, variant=None, name="Gravur ✍", sku=""), line(2, variant=None)))
    assert [item.product_id for item in order.line_items] == [None, "77"]
    assert order.additional_fields["custom_item_titles"] == {"1": "Gravur ✍"}


def test_lines_that_are_read_by_themselves_are_taken_instead_of_the_consignments() -> None:
    order = mapped(simple(parts=consignments()), products=[line(1, "10")])
    assert [item.line_item_id for item in order.line_items] == ["1"]
    assert unreconciled(order) == 0


def test_a_total_that_cannot_be_divided_exactly_is_kept_exactly_in_the_order() -> None:
    (item,) = mapped(simple(line(1, "3.3333", 3, total_ex_tax="10.0000", total_inc_tax="10.0000"))).line_items
    assert item.unit_price == Decimal("3.333333")


@pytest.mark.parametrize("status_id", [4, 5, 6])
def test_an_order_that_is_cancelled_or_refunded_unshipped_has_cancelled_groups(status_id: int) -> None:
    (group,) = mapped(simple(status_id=status_id)).shipping_groups
    assert group.status is ShipmentStatus.CANCELLED


@pytest.mark.parametrize(("word", "status_id"), [("captured", 11), ("pending", 7), ("refunded", 4), ("", 1)])
def test_the_payment_status_is_told_in_the_words_of_bigcommerce(word: str, status_id: int) -> None:
    order = mapped(simple(status_id=status_id, payment_status=word))
    assert order.additional_fields["payment_status"] == (word or None)


def test_an_order_that_is_refunded_whole_keeps_what_was_sold() -> None:
    paid_back = records.refund(1, 100, AT + timedelta(days=1), 27.06, [records.refunded_line(1, 2, 25)])
    lines = line(1, "12.5", 2, tax="1.03")
    order = mapped(simple(lines, status_id=4, payment_status="refunded"), refunds=[paid_back])
    assert unreconciled(order) == 0
    assert order.status is OrderStatus.CANCELLED
    assert (order.total_price, order.additional_fields["total_refunded"]) == (Decimal("27.06"), Decimal("27.06"))
    assert [(item.line_item_id, item.quantity) for item in order.line_items] == [("1", 2)]
    (refund,) = refunds_of(order)
    assert [(part.line_item_id, part.quantity, part.amount) for part in refund.line_items] == [("1", 2, Decimal(25))]


def test_an_order_without_addresses_has_empty_ones() -> None:
    order = mapped(simple(parts=consignments(), billing_address=None), products=[line(1)])
    assert (order.ship_to_address, order.bill_to_address, order.shipping_groups) == (Address(), Address(), [])


def test_a_line_keeps_the_ids_of_a_product_that_was_deleted_since() -> None:
    (item,) = mapped(simple(line(1, product=404, variant=0, sku=""))).line_items
    assert (item.product_id, item.parent_product_id, item.product_sku) == ("404", "404", None)


def test_an_order_links_to_its_page_in_the_control_panel() -> None:
    assert mapped(simple()).external_system_url == "https://store-abc123.mybigcommerce.com/manage/orders/100"
    assert mapped(simple() | {"coupons": None}).external_system_url is None


def test_the_choices_of_the_buyer_and_gift_wrapping_are_kept() -> None:
    options = [{"display_name": "Size", "display_value": "S"}]
    goods = line(1, product_options=options, wrapping_name="Red paper", wrapping_message="Für Zoë")
    fields = mapped(simple(goods)).additional_fields
    assert fields["line_item_options"] == {"1": {"Size": "S"}}
    assert fields["gift_wrapping"] == {"1": {"name": "Red paper", "message": "Für Zoë"}}


def test_addresses_prefer_codes_of_countries_and_leave_out_what_is_empty() -> None:
    order = mapped(simple(billing_address=records.address("", company="Söhne", country_iso2="", street_2="c/o Zoë")))
    bill_to = order.bill_to_address
    assert (bill_to.full_name, bill_to.company, bill_to.country) == (None, "Söhne", "United States")
    assert (bill_to.address2, bill_to.email_address) == ("c/o Zoë", "jane@example.com")
    assert order.ship_to_address.country == "US"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"date_created": "yesterday"}, "date_created"),
        ({"date_created": ""}, "date_created"),
        ({"total_inc_tax": "NaN"}, "total_inc_tax"),
        ({"discount_amount": "Infinity"}, "Infinity"),
        ({"total_tax": None}, "total_tax"),
        ({"consignments": {"url": "", "resource": "/orders/1/consignments"}}, "shipping"),
    ],
    ids=str,
)
def test_what_cannot_be_mapped_names_the_field(fields: dict[str, Any], name: str) -> None:
    with pytest.raises((UnmappableRecord, ValueError), match=name):
        mapped(simple(**fields))


def product_records(product: dict[str, Any], **parts: Any) -> list[Product]:
    raw = {"id": product["id"], "product": product, "weight_units": "LBS", "dimension_units": "Inches", **parts}
    return mapping.products(json.dumps(raw).encode())


def test_a_product_becomes_its_parent_and_its_variants() -> None:
    variants = [
        records.variant(109, 77, "S", "Rot", price=13.49, image_url="https://cdn.example.com/s.jpg", weight=0.5),
        records.variant(110, 77, "M", "Rot", purchasing_disabled=True, cost_price=0),
    ]
    parent, small, medium = product_records(
        records.product(77, AT, variants, categories=[23, 24]),
        levels={"109": {"1": 5, "2": -1}},
        category_names={"23": "Bäder"},
        store_hash="abc123",
    )
    page = "https://store-abc123.mybigcommerce.com/manage/products/edit/77"
    assert [each.external_system_url for each in (parent, small, medium)] == [page] * 3
    assert (parent.id, parent.parent_product_id, parent.sku, parent.inventory) == ("77", "77", "SKU-77", None)
    assert (small.id, small.parent_product_id, small.name) == ("77-109", "77", "Product 77 S Rot")
    assert (small.sku, small.gtin, str(small.price), str(small.unit_cost)) == (
        "SKU-77-109",
        "012345678905",
        "13.49",
        "4.2",
    )
    assert (small.inventory, small.inventory_by_warehouse_id) == (4, {"1": 5, "2": -1})
    assert (small.image_url, small.active) == ("https://cdn.example.com/s.jpg", True)
    assert (medium.price, medium.unit_cost, medium.active, medium.inventory) == (Decimal("12.5"), None, False, 0)
    assert medium.image_url == "https://cdn.example.com/77.jpg"
    size = small.measurements
    assert (str(size.length), size.unit, str(size.weight), size.weight_unit) == ("10.25", "in", "0.5", "lb")
    assert [each.categories for each in (parent, small)] == [["Bäder"], ["Bäder"]]
    assert parent.additional_fields["category_ids"] == ["23", "24"]
    assert small.additional_fields["options"] == {"Option 1": "S", "Option 2": "Rot"}


@pytest.mark.parametrize(
    ("tracking", "parent_stock", "variant_stock"), [("none", None, None), ("product", 8, 8), ("variant", None, 0)]
)
def test_stock_without_locations_is_that_of_the_catalog(
    tracking: str, parent_stock: int | None, variant_stock: int | None
) -> None:
    made = records.product(77, AT, [records.variant(109, 77)], inventory_tracking=tracking, inventory_level=8)
    parent, variant = product_records(made)
    assert (parent.inventory, variant.inventory) == (parent_stock, variant_stock)


def test_a_variant_whose_locations_are_all_disabled_has_nothing_to_sell() -> None:
    made = records.product(77, AT, [records.variant(109, 77, inventory_level=8)])
    _, variant = product_records(made, levels={"109": {}})
    assert (variant.inventory, variant.inventory_by_warehouse_id) == (0, {})


def test_stock_that_variants_share_is_the_parents() -> None:
    variants = [records.variant(109, 77, "S"), records.variant(110, 77, "M")]
    made = records.product(77, AT, variants, inventory_tracking="product", inventory_level=8)
    assert [each.inventory for each in product_records(made)] == [8, None, None]


def test_a_simple_product_lends_its_only_variant_what_that_lacks() -> None:
    bare = records.variant(109, 77, sku="", upc="")
    _, variant = product_records(records.product(77, AT, [bare], upc="4006381333931", is_visible=False))
    assert (variant.sku, variant.gtin, variant.active) == ("SKU-77", "4006381333931", False)


def test_units_that_are_not_known_are_left_out() -> None:
    made = records.product(77, AT, [records.variant(109, 77)])
    parent, _ = product_records(made, weight_units="Tonnes", dimension_units=None)
    assert (parent.measurements.weight, parent.measurements.weight_unit) == (Decimal("1.5"), None)
    assert parent.measurements.unit is None


def test_a_location_becomes_a_warehouse() -> None:
    found = mapping.warehouse(json.dumps(records.location(3, AT, updated_at="2026-06-02T00:00:00Z")).encode())
    assert (found.id, found.name, found.code) == ("3", "Location 3", "LOC-3")
    assert (found.created_date, found.updated_date) == (AT, datetime(2026, 6, 2, tzinfo=UTC))
    assert (found.address.address1, found.address.country) == ("1 Depot Road", "US")


def test_a_location_without_an_address_or_with_a_wrong_date() -> None:
    made = records.location(3, AT)
    del made["address"]
    assert mapping.warehouse(json.dumps(made).encode()).address == Address()
    with pytest.raises(UnmappableRecord, match="created_at"):
        mapping.warehouse(msgspec.json.encode(made | {"created_at": "2026-06-01T12:00:00"}))
