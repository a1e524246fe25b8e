"""Orders and listings of every kind become the unified ones."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.amazon.builders import (
    DE,
    JP,
    PLACED,
    US,
    breakdown,
    buyer,
    item,
    listing,
    money,
    order,
    package,
    points,
    priced,
    proceeds,
    recipient,
    tax_included,
    taxed,
)
from unicart.connectors.amazon import mapping
from unicart.connectors.kit import UnmappableRecord
from unicart.contract.common import Address
from unicart.contract.orders import Order, OrderStatus, ShipmentStatus, unreconciled
from unicart.contract.products import Measurements, Product


def mapped(raw: dict[str, Any]) -> Order:
    return mapping.order(json.dumps(raw).encode())


def product(raw: dict[str, Any]) -> Product:
    (found,) = mapping.products(json.dumps(raw).encode())
    return found


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("PENDING_AVAILABILITY", OrderStatus.BACKORDERED),
        ("PENDING", OrderStatus.OPEN),
        ("UNSHIPPED", OrderStatus.CONFIRMED),
        ("PARTIALLY_SHIPPED", OrderStatus.PARTIALLY_FULFILLED),
        ("SHIPPED", OrderStatus.FULFILLED),
        ("CANCELLED", OrderStatus.CANCELLED),
        ("UNFULFILLABLE", OrderStatus.EXCEPTION),
        ("INVOICE_UNCONFIRMED", OrderStatus.OTHER),
    ],
)
def test_statuses(raw: str, status: OrderStatus) -> None:
    found = mapped(order(status=raw))
    assert (found.status, found.raw_status) == (status, raw)


def test_an_order_without_fulfillment_is_of_no_known_state() -> None:
    raw = order()
    del raw["fulfillment"]
    found = mapped(raw)
    assert (found.status, found.raw_status, found.latest_ship_date) == (OrderStatus.OTHER, None, None)


def test_who_when_and_how() -> None:
    raw = order(
        buyer=buyer() | {"buyerCompanyName": "Example LLC", "buyerPurchaseOrderNumber": "PO-7"},
        recipient=recipient(),
        orderAliases=[{"aliasId": "SO-1", "aliasType": "SELLER_ORDER_ID"}],
        programs=["PRIME"],
        updated=PLACED + timedelta(hours=1, microseconds=5),
    )
    found = mapped(raw)
    assert found.order_number == found.id == "111-0000001-0000001"
    assert found.created_date == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert found.updated_date == datetime(2026, 6, 1, 13, tzinfo=UTC)
    assert found.earliest_ship_date == datetime(2026, 6, 2, tzinfo=UTC)
    assert found.latest_ship_date == datetime(2026, 6, 3, 12, tzinfo=UTC)
    assert found.requested_shipping_method == found.shipping_method == "STANDARD"
    assert found.ship_to_address == Address(
        full_name="Zoë Example",
        address1="1 Main Street",
        city="Springfield",
        state="IL",
        postal_code="62701",
        country="US",
        phone_number="+1 217 555 0100",
        email_address="x1y2z3@marketplace.amazon.com",
    )
    assert found.bill_to_address == Address(
        full_name="Zoë Example", company="Example LLC", email_address="x1y2z3@marketplace.amazon.com"
    )
    fields = found.additional_fields
    assert fields["seller_order_id"] == "SO-1"
    assert fields["purchase_order_number"] == "PO-7"
    assert fields["fulfilled_by"] == "MERCHANT"
    assert fields["programs"] == ["PRIME"]
    assert fields["marketplace_id"] == "ATVPDKIKX0DER"


def test_without_roles_there_is_no_address() -> None:
    found = mapped(order())
    assert found.ship_to_address == found.bill_to_address == Address()


def test_money_with_tax_added() -> None:
    found = mapped(order(items=[taxed()], total="32.07"))
    (line,) = found.line_items
    assert (line.quantity, line.unit_price) == (3, Decimal("9.99"))
    assert (line.total_discount, line.discount) == (Decimal("3.00"), Decimal("1.00"))
    assert (line.total_tax, line.tax) == (Decimal("2.40"), Decimal("0.80"))
    assert found.total_price == Decimal("32.07")
    assert found.total_tax == Decimal("2.60")
    assert found.total_discount == Decimal("7.99")
    assert found.total_shipping == Decimal("7.49")
    assert unreconciled(found) == 0
    assert found.additional_fields["charges"]["GIFT_WRAP"] == Decimal("2.50")
    extra = found.additional_fields["line_items"]["21"]
    assert extra["gift_message"] == "¡Feliz día! 🎁"
    assert extra["promotion_ids"] == ["SUMMER-2026"]
    assert extra["tax_collections"] == [
        {"model": "MARKETPLACE_FACILITATOR", "responsible_party": "Amazon Services, Inc."}
    ]


def test_money_with_tax_included() -> None:
    found = mapped(order(marketplace=DE, items=[tax_included()], total="27.37", currency="EUR"))
    (line,) = found.line_items
    assert line.unit_price == Decimal("10.00")
    assert (line.total_discount, line.total_tax) == (Decimal("2.00"), Decimal("3.42"))
    assert found.total_shipping == Decimal("5.00")
    assert (found.total_tax, found.total_discount) == (Decimal("4.37"), Decimal("2.00"))
    assert found.invoice_currency_code == "EUR"
    assert unreconciled(found) == 0


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_discount_counts_whatever_its_sign(sign: str) -> None:
    parts = (breakdown("ITEM", "20.00"), breakdown("DISCOUNT", f"{sign}5.00"))
    found = mapped(order(items=[item("11", 2, proceeds=proceeds("15.00", *parts))], total="15.00"))
    assert found.total_discount == found.line_items[0].total_discount == Decimal("5.00")
    assert found.line_items[0].unit_price == Decimal("10.00")
    assert unreconciled(found) == 0


def test_a_delivery_tip_belongs_to_the_order() -> None:
    raw = order(items=[priced("11", 1, "13.49")], total="18.49")
    raw["proceeds"]["breakdowns"] = [
        breakdown("ITEM", "13.49"),
        breakdown("DELIVERY_TIP", "5.00") | {"status": "FINALIZED"},
    ]
    found = mapped(raw)
    assert found.total_shipping == Decimal("5.00")
    assert found.additional_fields["charges"] == {"ITEM": Decimal("13.49"), "DELIVERY_TIP": Decimal("5.00")}
    assert unreconciled(found) == 0


def test_the_orders_own_figures_serve_where_items_have_none() -> None:
    bare = item("11", 2)
    bare["product"]["price"] = {"unitPrice": money("10.00")}
    raw = order(items=[bare], total="25.60")
    raw["proceeds"]["breakdowns"] = [
        breakdown("ITEM", "20.00"),
        breakdown("SHIPPING", "4.00"),
        breakdown("TAX", "1.60"),
    ]
    found = mapped(raw)
    assert (found.total_shipping, found.total_tax) == (Decimal("4.00"), Decimal("1.60"))
    assert (found.line_items[0].unit_price, found.line_items[0].total_tax) == (Decimal("10.00"), None)
    assert unreconciled(found) == 0


def test_yen_have_no_decimals_and_points_are_no_discount() -> None:
    found = mapped(order(marketplace=JP, items=[points()], total="11960", currency="JPY", fulfilled_by="AMAZON"))
    assert found.invoice_currency_code == "JPY"
    assert str(found.line_items[0].unit_price) == "5980"
    assert str(found.total_price) == "11960"
    assert found.line_items[0].product_sku == "コップ-1"
    granted = found.additional_fields["line_items"]["41"]["points_granted"]
    assert granted == {"number": 60, "value": Decimal("60")}
    assert unreconciled(found) == 0


def test_a_currency_with_three_decimals() -> None:
    found = mapped(order(items=[priced("11", 3, "1.255", "KWD")], total="3.765", currency="KWD"))
    assert found.line_items[0].unit_price == Decimal("1.255")
    assert unreconciled(found) == 0


@pytest.mark.parametrize(("marketplace", "currency"), [(JP, "JPY"), (DE, "EUR"), ("A-NEW-ONE", "USD")])
def test_a_pending_order_has_no_prices(marketplace: str, currency: str) -> None:
    found = mapped(order(status="PENDING", marketplace=marketplace, items=[item("51", 2)], total=None))
    assert found.invoice_currency_code == currency
    assert found.total_price is found.total_tax is found.total_discount is found.total_shipping is None
    (line,) = found.line_items
    assert line.quantity == 2
    assert line.unit_price is line.total_tax is line.total_discount is None


def test_a_cancelled_item_has_no_units() -> None:
    execution = {"cancellationExecution": {"cancelledBy": "BUYER", "cancelReason": "by mistake"}}
    found = mapped(order(status="CANCELLED", items=[item("71", 0, cancellation=execution)], total="0.00"))
    assert found.line_items[0].quantity == 0
    assert found.additional_fields["line_items"]["71"]["cancelled_by"] == "BUYER"
    assert unreconciled(found) == 0


def test_a_partly_shipped_order_tells_what_is_open() -> None:
    shipped = priced("11", 3, "13.49") | {"fulfillment": {"quantityFulfilled": 1, "quantityUnfulfilled": 2}}
    raw = order(
        status="PARTIALLY_SHIPPED", items=[shipped], total="40.47", packages=[package("1", "SHIPPED", ("11", 1))]
    )
    found = mapped(raw)
    assert found.status is OrderStatus.PARTIALLY_FULFILLED
    extra = found.additional_fields["line_items"]["11"]
    assert (extra["quantity_fulfilled"], extra["quantity_unfulfilled"]) == (1, 2)
    assert [each.quantity for each in found.shipments[0].line_items] == [1]
    assert unreconciled(found) == 0


def test_a_gift_card_is_a_payment_and_no_discount() -> None:
    executions = [
        {"paymentMethod": "GiftCertificate", "paymentAmount": money("5.00")},
        {"paymentMethod": "CreditCard", "paymentAmount": money("8.49")},
    ]
    found = mapped(order(payment={"paymentExecutions": executions}))
    assert found.additional_fields["payments"] == [
        {"method": "GiftCertificate", "amount": Decimal("5.00")},
        {"method": "CreditCard", "amount": Decimal("8.49")},
    ]
    assert (found.total_price, found.total_discount) == (Decimal("13.49"), Decimal(0))


def test_dates_of_delivery_are_in_utc_and_whole_seconds() -> None:
    raw = order()
    raw["fulfillment"]["deliverByWindow"] = {"latestDateTime": "2026-06-05T23:59:59.999+02:00"}
    assert mapped(raw).additional_fields["latest_delivery_date"] == "2026-06-05T21:59:59Z"


def test_packages_are_shipments() -> None:
    parcels = [
        package("1", "IN_TRANSIT", ("11", 1)),
        package("2", "DELIVERED", ("11", 1), ("99", 1)),
        package("3", "UNDELIVERABLE"),
        package("4", "LOST_IN_SPACE"),
        {"packageReferenceId": "5"},
    ]
    found = mapped(order(items=[priced("11", 2, "13.49")], total="26.98", packages=parcels))
    assert [each.status for each in found.shipments] == [
        ShipmentStatus.SHIPPED,
        ShipmentStatus.DELIVERED,
        ShipmentStatus.EXCEPTION,
        ShipmentStatus.OTHER,
        None,
    ]
    first, second, *_ = found.shipments
    assert (first.carrier_name, first.shipping_method_name, first.tracking_number) == ("UPS", "UPS Ground", "1Z1")
    assert first.updated_date == datetime(2026, 6, 2, 14, tzinfo=UTC)
    assert [(each.product_sku, each.quantity) for each in second.line_items] == [("MUG-1", 1), (None, 1)]
    assert found.additional_fields["packages"]["1"]["ship_from"].city == "Newark"


def test_a_replacement_names_what_it_replaces() -> None:
    related = [{"orderId": "111-1", "associationType": "REPLACEMENT_ORIGINAL_ID"}]
    found = mapped(order(items=[priced("11", 1, "0.00")], total="0.00", associatedOrders=related))
    assert found.additional_fields["associated_orders"] == [{"order_id": "111-1", "type": "REPLACEMENT_ORIGINAL_ID"}]
    assert found.total_price == 0


def test_an_item_without_sku_has_no_product() -> None:
    found = mapped(order(items=[item("11", 1, sku=None)]))
    assert found.line_items[0].product_id is None
    assert found.additional_fields["line_items"]["11"]["title"] == "Mug"


def test_a_price_that_does_not_divide_is_rounded_and_the_line_is_exact() -> None:
    parts = (breakdown("ITEM", "10.00"), breakdown("TAX", "0.83", ITEM="0.83"))
    found = mapped(order(items=[item("11", 3, proceeds=proceeds("10.83", *parts))], total="10.83"))
    (line,) = found.line_items
    assert line.unit_price == Decimal("3.333333")
    assert line.total_tax == Decimal("0.83")
    assert abs(unreconciled(found)) < Decimal("0.00001")


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(UnmappableRecord, match="is not a number"):
        mapped(order(total=amount))


def test_a_listing_is_its_own_parent() -> None:
    found = product(listing(quantity=7))
    assert (found.id, found.sku, found.parent_product_id) == ("MUG-1", "MUG-1", "MUG-1")
    assert (found.price, found.inventory, found.active) == (Decimal("13.49"), 7, True)
    assert found.image_url == "https://images.example.com/mug.jpg"
    assert found.additional_fields["asin"] == "B000000001"
    assert found.additional_fields["price_currency"] == "USD"
    assert found.additional_fields["inventory_by_fulfillment_channel"] == {"DEFAULT": 7}


def test_a_child_of_a_variation_names_its_parent() -> None:
    assert product(listing("MUG-2", parent="MUG")).parent_product_id == "MUG"
    assert product(listing("MUG", children=["MUG-2"], quantity=None)).parent_product_id == "MUG"


def sided(unit: str) -> dict[str, Any]:
    return {side: {"value": 12.5, "unit": unit} for side in ("length", "width", "height")}


def test_barcode_and_measurements_are_those_of_the_marketplace() -> None:
    codes = [
        {"type": "ean", "value": "1", "marketplace_id": DE},
        {"type": "isbn", "value": "2", "marketplace_id": US},
        {"type": "upc", "value": "036000291452", "marketplace_id": US},
    ]
    sizes = [{**sided("inches"), "marketplace_id": DE}, {**sided("centimeters"), "marketplace_id": US}]
    weights = [{"value": 0.41, "unit": "kilograms", "marketplace_id": US}]
    attributes = {
        "externally_assigned_product_identifier": codes,
        "item_package_dimensions": sizes,
        "item_package_weight": weights,
        "bullet_point": [{"value": "Keeps warm"}],
    }
    found = product(listing() | {"attributes": attributes})
    assert found.gtin == "036000291452"
    side = Decimal("12.5")
    assert found.measurements == Measurements(
        length=side, width=side, height=side, unit="cm", weight=Decimal("0.41"), weight_unit="kg"
    )


def test_measurements_in_other_units_are_left_out() -> None:
    weights = [{"value": 3, "unit": "tons", "marketplace_id": US}]
    attributes = {
        "item_package_dimensions": [{**sided("feet"), "marketplace_id": US}],
        "item_package_weight": weights,
    }
    assert product(listing() | {"attributes": attributes}).measurements == Measurements()


def test_stock_that_amazon_does_not_tell_is_unknown_and_none_is_zero() -> None:
    assert product(listing(quantity=None)).inventory is None
    assert product(listing(quantity=0)).inventory == 0


def test_a_listing_that_nobody_can_buy_is_inactive() -> None:
    assert product(listing(status=["DISCOVERABLE"])).active is False


def test_a_listing_without_summaries_is_refused() -> None:
    with pytest.raises(UnmappableRecord, match="summaries"):
        product(listing() | {"summaries": []})
