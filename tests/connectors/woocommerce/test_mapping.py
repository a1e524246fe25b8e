"""What WooCommerce's records become: recorded ones, and ones made for each case."""

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.woocommerce.shop import fixture
from unicart.connectors.kit import UnmappableRecord, implemented_fields
from unicart.connectors.woocommerce import mapping
from unicart.connectors.woocommerce.client import WooCommerceConnector
from unicart.contract.common import Address
from unicart.contract.orders import Order, OrderStatus, Refund, RefundLineItem, ShipmentStatus, unreconciled
from unicart.contract.products import Product
from unicart.contract.resources import Function

RECORDED = {each["id"]: each for each in fixture("get_orders")}
D = Decimal


def recorded(id: int) -> Order:
    return mapping.order(json.dumps(RECORDED[id]).encode())


def line(id: int = 1, **values: Any) -> dict[str, Any]:
    """A line item of one unit for 10.00, without tax."""
    item = {"id": id, "name": "Mug", "product_id": 10, "variation_id": 0, "quantity": 1, "sku": "MUG", "meta_data": []}
    amounts = {"subtotal": "10.00", "subtotal_tax": "0.00", "total": "10.00", "total_tax": "0.00", "price": 10}
    return item | amounts | values


def raw(refunds: list[dict[str, Any]] | None = None, **values: Any) -> bytes:
    """A raw order of one line, 10.00 in all."""
    order = copy.deepcopy(RECORDED[119]["order"]) | {
        "id": 5, "number": "5", "status": "processing", "line_items": [line()], "shipping_lines": [], "tax_lines": [],
        "fee_lines": [], "coupon_lines": [], "refunds": [], "meta_data": [], "total": "10.00", "total_tax": "0.00",
        "shipping_total": "0.00", "discount_total": "0.00",
    }  # fmt: skip
    return json.dumps({"id": 5, "order": order | values, "refunds": refunds or []}).encode()


def made(**values: Any) -> Order:
    return mapping.order(raw(**values))


def test_an_order_as_it_was_recorded() -> None:
    order = recorded(120)
    source = RECORDED[120]["order"]
    assert (order.id, order.order_number, order.invoice_currency_code) == ("120", "120", "EUR")
    assert (order.status, order.raw_status) == (OrderStatus.PROCESSING, "processing")
    assert order.created_date.isoformat() == source["date_created_gmt"] + "+00:00"
    assert order.updated_date.isoformat() == source["date_modified_gmt"] + "+00:00"
    assert str(order.total_price) == source["total"] == "80.52"
    assert str(order.total_tax) == source["total_tax"]
    assert str(order.total_shipping) == source["shipping_total"]
    assert order.total_discount == D(source["discount_total"])
    assert order.shipping_method_name == order.requested_shipping_method == "Flat rate"
    assert order.shipping_method_id == "flat_rate"
    assert order.external_system_url == "https://shop.example.com/wp-admin/post.php?post=120&action=edit"
    assert order.additional_fields["coupons"] == ["item3"]
    assert order.additional_fields["payment_status"] == "paid"
    assert order.additional_fields["meta_data"][0] == {
        "key": "_wc_ext", "value": {"nested": {"list": [1, "two", None, True]}},
    }  # fmt: skip


@pytest.mark.parametrize("id", RECORDED)
def test_recorded_orders_add_up_to_the_cent(id: int) -> None:
    order = recorded(id)
    assert unreconciled(order) == 0
    lines = sum(((each.total_tax or D(0)) for each in order.line_items), D(0))
    shipping = sum((D(each["total_tax"]) for each in RECORDED[id]["order"]["shipping_lines"]), D(0))
    assert lines + shipping == order.total_tax


def test_the_variation_is_the_product_of_a_line() -> None:
    order = recorded(119)
    variation, simple, *_ = order.line_items
    assert (variation.line_item_id, variation.product_id, variation.parent_product_id) == ("228", "36", "33")
    assert variation.product_sku == "FLEECE-HOODIE-RED-L"
    assert (simple.product_id, simple.parent_product_id, simple.product_sku) == ("14", "14", None)


def test_lines_have_the_price_before_and_the_tax_after_the_discount() -> None:
    first = recorded(119).line_items[0]
    assert (first.quantity, first.unit_price) == (4, D("51.60"))
    assert (first.total_discount, first.discount) == (D("1.32"), D("0.33"))
    assert (first.total_tax, first.tax) == (D("38.97"), D("9.7425"))


def test_a_price_that_has_no_end_stays_exact_in_the_line() -> None:
    """WooCommerce's own price per unit is a binary float; it is not read."""
    item = line(quantity=3, subtotal="10.00", total="9.00", total_tax="1.71", price=3.0000000000000004)
    (mapped,) = made(line_items=[item], total="10.71", total_tax="1.71").line_items
    assert (mapped.unit_price, mapped.total_discount, mapped.total_tax) == (D("3.333333"), D("1.00"), D("1.71"))


def test_prices_that_include_tax_are_without_it() -> None:
    item = line(quantity=2, subtotal="16.80", subtotal_tax="3.20", total="16.80", total_tax="3.20")
    order = made(line_items=[item], prices_include_tax=True, total="20.00", total_tax="3.20")
    assert order.line_items[0].unit_price == D("8.40")
    assert unreconciled(order) == 0


def test_several_rates_of_tax_are_told() -> None:
    order = recorded(187)
    assert order.total_tax == D("10.57")
    assert [(tax["label"], tax["rate_percent"], tax["tax_total"]) for tax in order.additional_fields["taxes"]] == [
        ("NY State", D(4), D("4.44")),
        ("NYC", D("4.875"), D("5.42")),
    ]


def test_a_fee_is_a_line_without_a_product() -> None:
    order = recorded(220)
    *_, fee = order.line_items
    assert (fee.line_item_id, fee.product_id, fee.quantity) == ("636", None, 1)
    assert (fee.unit_price, fee.total_tax) == (D("4.35"), D("0.32"))
    assert order.additional_fields["custom_item_titles"] == {"636": "Rush handling"}


def test_a_negative_fee_is_a_discount() -> None:
    fees = [
        {"id": 9, "name": "Loyal customer", "total": "-2.50", "total_tax": "-0.25", "meta_data": []},
        {"id": 8, "name": "Gift wrap", "total": "1.00", "total_tax": "0.10", "meta_data": []},
    ]
    order = made(fee_lines=fees, total="8.35", total_tax="-0.15")
    assert [each.line_item_id for each in order.line_items] == ["1", "8"]
    assert order.total_discount == D("2.50")
    assert unreconciled(order) == 0
    assert order.additional_fields["fees"] == [
        {"name": "Loyal customer", "total": D("-2.50")},
        {"name": "Gift wrap", "total": D("1.00")},
    ]


@pytest.mark.parametrize(
    ("status", "unified"),
    [
        ("pending", OrderStatus.OPEN),
        ("processing", OrderStatus.PROCESSING),
        ("on-hold", OrderStatus.EXCEPTION),
        ("completed", OrderStatus.FULFILLED),
        ("cancelled", OrderStatus.CANCELLED),
        ("refunded", OrderStatus.CANCELLED),
        ("failed", OrderStatus.EXCEPTION),
        ("trash", OrderStatus.CANCELLED),
        ("partial-shipped", OrderStatus.PARTIALLY_FULFILLED),
        ("shipped", OrderStatus.FULFILLED),
        ("delivered", OrderStatus.FULFILLED),
        ("checkout-draft", OrderStatus.OTHER),
        ("awaiting-engraving", OrderStatus.OTHER),
    ],
)
def test_statuses(status: str, unified: OrderStatus) -> None:
    order = made(status=status, date_completed_gmt=None)
    assert (order.status, order.raw_status) == (unified, status)


def test_an_order_that_was_refunded_after_it_was_completed_stays_fulfilled() -> None:
    order = made(status="refunded", date_completed_gmt="2026-10-05T05:15:26")
    assert order.status is OrderStatus.FULFILLED


def test_partial_refunds() -> None:
    order = recorded(217)
    assert order.status is OrderStatus.FULFILLED
    assert order.additional_fields["refunds"] == [
        Refund(
            refund_id="218",
            amount=D("59.33"),
            created_date=datetime(2026, 10, 5, 19, 4, 26, tzinfo=UTC),
            reason="Damaged in transit",
            line_items=[RefundLineItem(line_item_id="623", quantity=1, amount=D("59.33"))],
        ),
        Refund(
            refund_id="219",
            amount=D("1.50"),
            created_date=datetime(2026, 10, 5, 19, 4, 26, tzinfo=UTC),
            reason="Goodwill",
        ),
    ]
    assert order.additional_fields["total_refunded"] == D("60.83")
    assert order.additional_fields["payment_status"] == "partially_refunded"
    assert order.total_price == D("725.27")
    assert order.line_items[0].quantity == 3


def test_a_full_refund() -> None:
    order = recorded(158)
    assert order.additional_fields["payment_status"] == "refunded"
    assert order.additional_fields["total_refunded"] == order.total_price == D("70.61")


def test_refunds_of_amounts_fees_and_shipping() -> None:
    def part(item: int, total: str, tax: str, quantity: int) -> dict[str, Any]:
        meta = [{"id": 1, "key": "_refunded_item_id", "value": str(item)}]
        return {"id": 90, "quantity": quantity, "total": total, "total_tax": tax, "meta_data": meta}

    fee = {"id": 8, "name": "Wrap", "total": "2.00", "total_tax": "0.20", "meta_data": []}
    parts = {"line_items": [part(1, "-3.00", "0.00", 0), part(77, "-1.00", "0.00", -1)]}
    parts["fee_lines"] = [{key: value for key, value in part(8, "-2.00", "-0.20", 0).items() if key != "quantity"}]
    order = made(
        refunds=[{"id": 7, "date_created_gmt": None, **parts}],
        fee_lines=[fee],
        total="12.20",
        total_tax="0.20",
    )
    assert order.additional_fields["refunds"] == []
    raw_order = json.loads(raw(refunds=[{"id": 7, "date_created_gmt": None, **parts}], fee_lines=[fee], total="12.20"))
    raw_order["order"]["refunds"] = [{"id": 7, "reason": "", "total": "-6.20"}]
    (refund,) = mapping.order(json.dumps(raw_order).encode()).additional_fields["refunds"]
    assert (refund.amount, refund.reason, refund.created_date) == (D("6.20"), None, None)
    assert refund.line_items == [
        RefundLineItem(line_item_id="1", quantity=0, amount=D("3.00")),
        RefundLineItem(line_item_id="8", quantity=1, amount=D("2.20")),
    ]


@pytest.mark.parametrize(
    ("currency", "total"), [("JPY", "1200"), ("JPY", "256.00"), ("KWD", "12.345"), ("USD", "0.10")]
)
def test_amounts_are_those_of_the_shop_digit_for_digit(currency: str, total: str) -> None:
    order = made(currency=currency, total=total, line_items=[line(subtotal=total, total=total)])
    assert str(order.total_price) == str(order.line_items[0].unit_price) == total
    assert unreconciled(order) == 0


def test_gift_cards_pay() -> None:
    """WooCommerce Gift Cards takes what they paid off the total. Their codes are money."""
    cards = [{"id": 43, "code": "GIFT-AAAA", "amount": 4.2}, {"id": 96, "code": "GIFT-BBBB", "amount": 5}]
    order = made(total="0.80", gift_cards=cards)
    assert order.total_price == D("10.00")
    assert unreconciled(order) == 0
    assert order.additional_fields["gift_cards"] == [{"id": 43, "amount": D("4.2")}, {"id": 96, "amount": D(5)}]
    assert "GIFT" not in str(order)


def test_a_gift_card_that_is_bought_is_a_line() -> None:
    (card,) = made(line_items=[line(name="Gift card", product_id=77, sku="GIFT-10")]).line_items
    assert (card.product_id, card.product_sku, card.unit_price) == ("77", "GIFT-10", D("10.00"))


@pytest.mark.parametrize(
    ("status", "paid", "payment"),
    [
        ("pending", None, "pending"),
        ("cancelled", None, "pending"),
        ("failed", None, "failed"),
        ("processing", "2026-10-05T05:15:26", "paid"),
        ("completed", "2026-10-05T05:15:26", "paid"),
    ],
)
def test_paid_and_unpaid(status: str, paid: str | None, payment: str) -> None:
    fields = made(status=status, date_paid_gmt=paid).additional_fields
    assert fields["payment_status"] == payment
    assert fields["date_paid"] == (datetime(2026, 10, 5, 5, 15, 26, tzinfo=UTC) if paid else None)


def test_a_custom_item_and_a_deleted_product() -> None:
    items = [line(1, product_id=0, sku=None, name="Engraving"), line(2, product_id=99, sku=None)]
    custom, deleted = made(line_items=items, total="20.00").line_items
    assert (custom.product_id, custom.parent_product_id, custom.product_sku) == (None, None, None)
    assert (deleted.product_id, deleted.product_sku) == ("99", None)
    order = made(line_items=items, total="20.00")
    assert order.additional_fields["custom_item_titles"] == {"1": "Engraving"}


def test_what_the_customer_chose_is_told() -> None:
    meta = recorded(119).additional_fields["line_item_meta"]
    assert meta["228"] == {"Color": "Red", "Size": "L"}
    assert meta["230"] == {"Color": "Navy Blue", "Size": "XL", "Engraving": "Für „Mia“ ❤"}


def test_addresses() -> None:
    order = recorded(119)
    assert order.ship_to_address == Address(
        full_name="Jürgen Groß",
        address1="Müllerstr. 5",
        city="Berlin",
        state="DE-BE",
        postal_code="13353",
        country="DE",
        email_address="buyer10@example.test",
    )
    assert order.bill_to_address.full_name == "Noah Kim"
    assert order.bill_to_address.phone_number == "+1 555 0110"
    assert recorded(217).ship_to_address.company == "ACME <Ltd> & Co"


def test_a_missing_address() -> None:
    assert made(shipping=None, billing=None).ship_to_address == Address()
    blank = dict.fromkeys(("first_name", "last_name", "company", "address_1", "city", "phone"), "")
    order = made(shipping=blank, billing=blank | {"email": "a@example.test"})
    assert order.ship_to_address == Address(email_address="a@example.test")


def test_several_shipping_methods() -> None:
    order = recorded(241)
    assert order.shipping_method_name == "Flat rate"
    assert order.additional_fields["shipping_methods"] == ["Flat rate", "Pickup"]


TRACKED = {
    "tracking_provider": "usps",
    "custom_tracking_provider": "",
    "custom_tracking_link": "",
    "tracking_number": "9400111899560000000000",
    "date_shipped": "1795392000",
    "tracking_id": "7f4978c390ee633c6294ae0f258656f9",
}


def tracking(value: Any, key: str = "_wc_shipment_tracking_items", **values: Any) -> Order:
    return made(meta_data=[{"id": 1, "key": "other", "value": 1}, {"id": 2, "key": key, "value": value}], **values)


def test_parcels_of_shipment_tracking() -> None:
    (shipment,) = tracking([TRACKED]).shipments
    assert shipment.shipment_id == "7f4978c390ee633c6294ae0f258656f9"
    assert (shipment.status, shipment.carrier_id, shipment.carrier_name) == (ShipmentStatus.SHIPPED, "usps", "usps")
    assert (shipment.tracking_number, shipment.tracking_url) == ("9400111899560000000000", None)
    assert shipment.created_date == datetime(2026, 11, 23, tzinfo=UTC)


def test_a_carrier_of_the_shop_s_own_and_its_link() -> None:
    own = {
        "tracking_provider": "",
        "custom_tracking_provider": "Dropp",
        "custom_tracking_link": "https://d.example/%1$s",
    }
    (shipment,) = tracking([TRACKED | own | {"date_shipped": ""}]).shipments
    assert (shipment.carrier_id, shipment.carrier_name, shipment.created_date) == (None, "Dropp", None)
    assert shipment.tracking_url == "https://d.example/9400111899560000000000"


def test_parcels_as_they_were_recorded() -> None:
    known, own = recorded(63).shipments
    assert (known.carrier_id, known.carrier_name, known.tracking_url) == ("usps", "usps", None)
    assert known.created_date == datetime(2026, 6, 30, tzinfo=UTC)
    assert (own.carrier_id, own.carrier_name) == (None, "Harbour Couriers")
    assert own.tracking_url == "https://track.example.com/?n=HC-4711"
    partly = recorded(64)
    assert partly.status is OrderStatus.PARTIALLY_FULFILLED
    (parcel,) = partly.shipments
    assert (parcel.carrier_name, parcel.tracking_number) == ("DHL Express", "1234567890")
    beans, hoodie = parcel.line_items
    assert (beans.shipment_line_item_id, beans.product_id, beans.product_sku, beans.quantity) == (
        "18", "18", "BEAN-1K", 2,
    )  # fmt: skip
    assert (hoodie.shipment_line_item_id, hoodie.product_id, hoodie.parent_product_id, hoodie.quantity) == (
        "19", "34", "33", 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "shipped"),
    [
        ("1795392000", datetime(2026, 11, 23, tzinfo=UTC)),
        (1795392000, datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T10:00:00+02:00", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        ("0", None),
        ("", None),
        (None, None),
        (False, None),
        ("soon", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("9" * 5000, None),
    ],
    ids=lambda value: str(value)[:12],
)
def test_ship_dates(written: Any, shipped: datetime | None) -> None:
    (shipment,) = tracking([TRACKED | {"date_shipped": written}]).shipments
    assert shipment.created_date == shipped


def test_what_a_connector_can_tell_of_parcels_is_listed() -> None:
    (shipment,) = implemented_fields(WooCommerceConnector, Function.GET_ORDERS)["shipments"]
    filled = {name for name, found in shipment.items() if found}
    assert filled >= {"carrier_name", "tracking_number", "tracking_url", "created_date", "status", "line_items"}


@pytest.mark.parametrize(
    ("part", "held"),
    [
        ({"item_id": "2", "product": "10", "qty": "2"}, [("2", 2)]),
        ({"product": "12", "qty": 1}, [("2", 1)]),
        ({"product": "10", "qty": "1"}, [("1", 1)]),
        ({"item_id": "99", "product": "10", "qty": "1"}, []),
        ({"product": "99", "qty": "1"}, []),
        ({"item_id": "1", "qty": "0"}, []),
        ({"item_id": "1", "qty": "some"}, []),
        ({"item_id": "1", "qty": "9" * 5000}, []),
        ("1", []),
    ],
)
def test_lines_of_a_parcel_of_advanced_shipment_tracking(part: Any, held: list[tuple[str, int]]) -> None:
    items = [line(1, quantity=2), line(2, quantity=3, variation_id=12), line(3)]
    (shipment,) = tracking([TRACKED | {"products_list": [part]}], line_items=items).shipments
    assert [(each.shipment_line_item_id, each.quantity) for each in shipment.line_items] == held


def test_parcels_of_advanced_shipment_tracking() -> None:
    own = {"formatted_tracking_provider": "USPS", "ast_tracking_link": "https://tools.usps.com/?n=1", "date_shipped": 1}
    (shipment,) = tracking({"0": TRACKED | own}).shipments
    assert (shipment.carrier_name, shipment.tracking_url) == ("USPS", "https://tools.usps.com/?n=1")


def test_parcels_of_aftership_with_their_lines() -> None:
    item = {"slug": "dhl", "tracking_number": "JD01", "tracking_id": "a1", "line_items": [{"id": 1, "quantity": 2}]}
    order = tracking([item], "_aftership_tracking_items", line_items=[line(1, quantity=3, variation_id=12)])
    (shipment,) = order.shipments
    assert (shipment.carrier_name, shipment.tracking_number, shipment.created_date) == ("dhl", "JD01", None)
    (part,) = shipment.line_items
    assert (part.shipment_line_item_id, part.product_id, part.parent_product_id, part.quantity) == ("1", "12", "10", 2)


def test_parcels_of_order_fulfillments() -> None:
    def fulfillment(id: int, status: str, provider: str, quantity: int) -> dict[str, Any]:
        kept = {"_items": [{"item_id": 1, "qty": quantity}], "_tracking_number": f"N{id}", provider: "ups"}
        kept |= {"_tracking_url": "https://ups.example/1"} if status == "fulfilled" else {}
        meta = [{"id": number, "key": key, "value": value} for number, (key, value) in enumerate(kept.items())]
        return {"id": id, "status": status, "is_fulfilled": status == "fulfilled", "meta_data": meta}

    whole = json.loads(raw(line_items=[line(quantity=5, product_id=10)]))
    whole["fulfillments"] = [
        fulfillment(7, "fulfilled", "_shipment_provider", 2),
        fulfillment(8, "unfulfilled", "_shipping_provider", 1),
    ]
    sent, packed = mapping.order(json.dumps(whole).encode()).shipments
    assert (sent.shipment_id, sent.status, sent.raw_status) == ("7", ShipmentStatus.SHIPPED, "fulfilled")
    assert (sent.carrier_id, sent.tracking_number, sent.tracking_url) == ("ups", "N7", "https://ups.example/1")
    assert [(each.product_id, each.quantity) for each in sent.line_items] == [("10", 2)]
    assert (packed.status, packed.carrier_id, packed.line_items[0].quantity) == (ShipmentStatus.OPEN, "ups", 1)


def test_a_parcel_that_two_extensions_note_comes_once() -> None:
    twin = {"slug": "usps", "tracking_number": TRACKED["tracking_number"], "tracking_id": "b"}
    meta = [
        {"key": "_wc_shipment_tracking_items", "value": [TRACKED, TRACKED | {"tracking_number": "2"}]},
        {"key": "_aftership_tracking_items", "value": [twin]},
    ]
    shipments = made(meta_data=meta).shipments
    assert [each.tracking_number for each in shipments] == ["9400111899560000000000", "2"]
    assert len({each.shipment_id for each in shipments}) == 2


@pytest.mark.parametrize("value", [None, "", "none", 5, [], ["x"], {"a": "b"}, [{}]])
def test_tracking_of_another_shape_spoils_no_order(value: Any) -> None:
    assert [each.tracking_number for each in tracking(value).shipments] in ([], [None])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"line_items": [line(quantity=1.5)]}, "line_items.quantity"),
        ({"date_created_gmt": None, "date_modified_gmt": None}, "date_created_gmt"),
        ({"fee_lines": [{"id": 1, "total": "NaN", "total_tax": "0"}]}, "fee_lines.total"),
        ({"gift_cards": [{"id": 1, "amount": "NaN"}]}, "gift_cards.amount"),
    ],
)
def test_what_cannot_be_mapped_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(UnmappableRecord, match=field):
        made(**changes)


VARIABLE = next(each for each in fixture("get_products") if each["variations"])
SIMPLE = next(each for each in fixture("get_products") if each["id"] == 11)


def product(source: dict[str, Any], **values: Any) -> list[Product]:
    changed = copy.deepcopy(source)
    changed["product"] |= values
    return mapping.products(json.dumps(changed).encode())


def test_a_simple_product_is_sold_itself() -> None:
    (mug,) = product(SIMPLE)
    assert (mug.id, mug.parent_product_id, mug.name, mug.sku) == ("11", "11", "Enamel Mug — 12 oz", "MUG-12")
    assert (mug.price, mug.inventory, mug.active) == (D("11.99"), -37, True)
    assert (mug.categories, mug.tags) == (["Outdoors"], ["clearance"])
    assert mug.created_date == datetime(2026, 11, 23, 15, 34, 4, tzinfo=UTC)
    assert mug.updated_date == datetime(2026, 11, 23, 15, 34, 44, tzinfo=UTC)
    assert mug.external_system_url == "https://shop.example.com/product/enamel-mug-12-oz/"
    assert mug.additional_fields["regular_price"] == D("14.50")
    assert mug.additional_fields["stock_status"] == "onbackorder"


def test_a_variable_product_is_a_parent_and_its_variations() -> None:
    parent, *variations = product(VARIABLE)
    assert (parent.id, parent.parent_product_id, parent.price, parent.inventory) == ("23", "23", None, None)
    assert [each.id for each in variations] == [str(id) for id in range(32, 23, -1)]
    red = next(each for each in variations if each.sku == "COTTON-TEE-RED-S")
    assert (red.name, red.parent_product_id) == ("Cotton Tee - Red, S", "23")
    assert (red.price, red.inventory) == (D("20.00"), 21)
    assert red.categories == ["Apparel", "T-Shirts"]
    assert red.updated_date >= parent.updated_date
    unmanaged = next(each for each in variations if each.sku == "COTTON-TEE-RED-XL")
    assert unmanaged.inventory is None


def test_stock_that_a_variation_shares_with_its_product() -> None:
    changed = copy.deepcopy(VARIABLE)
    changed["variations"] = [changed["variations"][0] | {"manage_stock": "parent", "stock_quantity": 7}]
    _, variation = mapping.products(json.dumps(changed).encode())
    assert variation.inventory == 7


def test_sizes_are_in_units_of_the_contract() -> None:
    size = {"weight": "0.25", "dimensions": {"length": "400", "width": "35.5", "height": ""}}
    (metric,) = product(SIMPLE | {"dimension_unit": "mm", "weight_unit": "g"}, **size)
    measured = metric.measurements
    assert (measured.length, measured.width, measured.height, measured.unit) == (D(40), D("3.55"), None, "cm")
    assert (measured.weight, measured.weight_unit) == (D("0.25"), "g")
    (yards,) = product(SIMPLE | {"dimension_unit": "yd", "weight_unit": "lbs"}, **size)
    assert yards.measurements.length == 14400
    assert (yards.measurements.unit, yards.measurements.weight_unit) == ("in", "lb")
    (unknown,) = product(SIMPLE | {"dimension_unit": None, "weight_unit": None}, **size)
    assert (unknown.measurements.unit, unknown.measurements.weight_unit) == (None, None)


@pytest.mark.parametrize(
    ("kind", "kit"), [("simple", False), ("grouped", False), ("bundle", True), ("composite", True)]
)
def test_what_is_made_of_products_is_a_kit(kind: str, kit: bool) -> None:
    (mapped,) = product(SIMPLE, type=kind)
    assert mapped.is_kit is kit


def test_drafts_prices_codes_costs_and_entities() -> None:
    (draft,) = product(
        SIMPLE,
        status="draft",
        date_created_gmt=None,
        price="",
        global_unique_id="4006381333931",
        cost_of_goods_sold={"values": [{"defined_value": 4.2}], "total_value": 4.2},
        categories=[{"id": 1, "name": "Tea &amp; Co"}],
        images=[{"id": 1, "src": "https://shop.example.com/mug.png"}],
        stock_quantity=1.5,
    )
    assert (draft.active, draft.price, draft.gtin, draft.unit_cost) == (False, None, "4006381333931", D("4.2"))
    assert draft.created_date == draft.updated_date
    assert draft.categories == ["Tea & Co"]
    assert draft.image_url == "https://shop.example.com/mug.png"
    assert draft.inventory == 1


@pytest.mark.parametrize("changes", [{"price": "free"}, {"date_created_gmt": None, "date_modified_gmt": None}])
def test_a_product_that_cannot_be_mapped_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UnmappableRecord):
        product(SIMPLE, **changes)
