"""Parcels, refunds and stock that are written to a small WooCommerce, and read back from it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.kit.server import FOREVER, answer
from connectors.woocommerce.shop import FakeWooCommerce, connector_of, fake_woocommerce
from connectors.woocommerce.writing import sale, taxed
from unicart.connectors.kit import ConnectorError, OutcomeUnknown, PermissionMissing, RequestRefused
from unicart.connectors.woocommerce.client import WooCommerceConnector
from unicart.contract.orders import Order, OrderStatus, Refund, ShipmentStatus
from unicart.contract.products import Product
from unicart.contract.resources import Function
from unicart.contract.writes import (
    AdjustmentType,
    InventoryAdjustment,
    LineQuantity,
    LineRefund,
    NewRefund,
    NewShipment,
    WriteFunction,
)

pytestmark = pytest.mark.anyio
ORDERS, PRODUCTS = Function.GET_ORDERS, Function.GET_PRODUCTS
FIRST, SECOND, THIRD = "a" * 32, "b" * 32, "c" * 32
MUGS, TEES, RUSH = "11", "12", "13"
SHIPPED = datetime(2026, 6, 2, 9, 30, tzinfo=UTC)


async def held(connector: WooCommerceConnector, id: int = 1) -> tuple[bytes, Order]:
    """An order as it is now: raw, and as a unified record."""
    (raw,) = await connector.fetch(ORDERS, [str(id)])
    (record,) = connector.map(ORDERS, raw)
    assert isinstance(record, Order)
    return raw, record


async def stocked(connector: WooCommerceConnector, id: str) -> tuple[bytes, Product]:
    (raw,) = await connector.fetch(PRODUCTS, [id])
    record = next(each for each in connector.map(PRODUCTS, raw) if each.id == id)
    assert isinstance(record, Product)
    return raw, record


async def ship(connector: WooCommerceConnector, reference: str = FIRST, **values: Any) -> Order:
    lines = [LineQuantity(line_item_id=id, quantity=quantity) for id, quantity in values.pop("lines", {}).items()]
    raw, _ = await held(connector)
    await connector.create_shipment(raw, NewShipment(line_items=lines, **values), reference)
    return (await held(connector))[1]


async def refund(connector: WooCommerceConnector, reference: str = FIRST, **values: Any) -> list[Refund]:
    """Refund lines, each with how many units and perhaps an amount; the refunds that the order then has, in order."""
    lines = [
        LineRefund(line_item_id=id, quantity=quantity, amount=Decimal(amount[0]) if amount else None)
        for id, quantity, *amount in values.pop("lines", [])
    ]
    raw, _ = await held(connector)
    await connector.refund_order(raw, NewRefund(line_items=lines, **values), reference)
    return list((await held(connector))[1].additional_fields["refunds"])


async def adjust(
    connector: WooCommerceConnector, id: str, kind: str, quantity: int, reference: str = FIRST, **specific: Any
) -> int | None:
    raw, _ = await stocked(connector, id)
    kinds = AdjustmentType(kind)
    adjustment = InventoryAdjustment(product_id=id, quantity=quantity, adjustment_type=kinds, specific=specific)
    await connector.adjust_inventory(raw, adjustment, reference)
    return (await stocked(connector, id))[1].inventory


async def refusal(writing: Any, status: int = 422) -> str:
    """The message with which a write is refused."""
    with pytest.raises(RequestRefused) as raised:
        await writing
    assert raised.value.status == status
    return raised.value.message


def contents(order: Order) -> list[dict[str, int]]:
    """What each parcel holds, by line."""
    return [{line.shipment_line_item_id: line.quantity for line in each.line_items} for each in order.shipments]


def refunded(found: Refund) -> dict[str, tuple[int, Decimal]]:
    return {line.line_item_id: (line.quantity, line.amount or Decimal(0)) for line in found.line_items}


def written(fake: FakeWooCommerce) -> Sequence[tuple[str, str]]:
    return [(method, path) for method, path, _ in fake.requests if method != "GET"]


async def test_half_of_an_order_is_shipped_and_then_the_rest() -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        half = await ship(connector, tracking_number="1Z1", carrier_name="UPS", lines={MUGS: 2}, shipped_date=SHIPPED)
        assert (half.raw_status, contents(half)) == ("processing", [{MUGS: 2}])
        whole = await ship(connector, SECOND, tracking_number="1Z2", carrier_name="UPS")
        assert (whole.status, whole.raw_status) == (OrderStatus.FULFILLED, "completed")
        assert contents(whole) == [{MUGS: 2}, {MUGS: 1, TEES: 2}]
        first = whole.shipments[0]
        assert (first.shipment_id, first.tracking_number, first.carrier_name) == (FIRST, "1Z1", "UPS")
        assert (first.carrier_id, first.created_date, first.status) == ("ups", SHIPPED, ShipmentStatus.SHIPPED)


async def test_a_shop_that_has_the_status_says_that_an_order_is_partly_shipped() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.statuses.add("partial-shipped")
        sale(fake)
        assert (await ship(connector, lines={TEES: 1})).status is OrderStatus.PARTIALLY_FULFILLED
        assert (await ship(connector, SECOND)).status is OrderStatus.FULFILLED


async def test_a_status_that_is_asked_for_is_set_if_the_shop_has_it() -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        values = await connector.write_values(WriteFunction.CREATE_SHIPMENT)
        assert set(values["status"]) == fake.statuses
        message = await refusal(ship(connector, specific={"status": "delivered"}))
        assert "no status delivered" in message
        assert "completed" in message
        assert written(fake) == []
        order = await ship(connector, lines={TEES: 1}, specific={"status": "on-hold"})
        assert (order.raw_status, contents(order)) == ("on-hold", [{TEES: 1}])


async def test_a_parcel_without_a_number_is_no_tracking_item_of_the_extensions() -> None:
    async with fake_woocommerce() as (fake, connector):
        placed = sale(fake)
        order = await ship(connector, shipping_method_name="Ground")
        (parcel,) = order.shipments
        assert (parcel.tracking_number, parcel.shipping_method_name) == (None, "Ground")
        assert parcel.created_date == fake.now
        assert "_wc_shipment_tracking_items" not in {each["key"] for each in placed["meta_data"]}


@pytest.mark.parametrize(
    ("given", "provider", "custom", "link"),
    [
        ({"carrier_name": "FedEx"}, "fedex", "", ""),
        ({"carrier_id": "royal-mail"}, "royal-mail", "", ""),
        ({"carrier_name": "Bike & Co"}, "bike-co", "Bike & Co", ""),
        ({"carrier_name": "UPS", "tracking_url": "https://ups.example/1"}, "ups", "UPS", "https://ups.example/1"),
        ({"carrier_id": "dpd", "tracking_url": "https://dpd.example/1"}, "dpd", "dpd", "https://dpd.example/1"),
    ],
)
async def test_the_extensions_find_carrier_and_link(
    given: dict[str, str], provider: str, custom: str, link: str
) -> None:
    async with fake_woocommerce() as (fake, connector):
        placed = sale(fake, customer_note="")
        (parcel,) = (await ship(connector, tracking_number="1", **given)).shipments
        (item,) = next(each["value"] for each in placed["meta_data"] if each["key"] == "_wc_shipment_tracking_items")
        assert (item["tracking_provider"], item["custom_tracking_provider"]) == (provider, custom)
        assert (item["custom_tracking_link"], item["tracking_number"]) == (link, "1")
        assert (parcel.carrier_name, parcel.tracking_url) == (given.get("carrier_name", provider), link or None)


async def test_parcels_that_an_extension_noted_are_kept() -> None:
    async with fake_woocommerce() as (fake, connector):
        placed = sale(fake)
        theirs = {
            "tracking_id": "x1",
            "tracking_number": "9",
            "tracking_provider": "usps",
            "date_shipped": "1780000000",
        }
        placed["meta_data"] = [{"id": 9, "key": "_wc_shipment_tracking_items", "value": {"1": theirs}}]
        order = await ship(connector, tracking_number="9", lines={MUGS: 1})
        assert [each.shipment_id for each in order.shipments] == ["x1", FIRST]


async def test_more_than_is_left_is_not_shipped() -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        await ship(connector, lines={MUGS: 2})
        sent = written(fake)
        assert "line_items.0.quantity: 1 of this line" in await refusal(ship(connector, SECOND, lines={MUGS: 2}))
        assert "line_items.0.line_item_id" in await refusal(ship(connector, SECOND, lines={RUSH: 1}))
        assert written(fake) == sent
        await ship(connector, SECOND)
        assert "Nothing" in await refusal(ship(connector, THIRD))


async def test_refunded_units_are_not_shipped() -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        await refund(connector, lines=[(MUGS, 2)])
        order = await ship(connector, SECOND)
        assert contents(order) == [{MUGS: 1, TEES: 2}]
        assert order.raw_status == "completed"


@pytest.mark.parametrize("status", ["cancelled", "refunded", "failed", "trash"])
async def test_orders_that_are_over_are_not_shipped(status: str) -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake, status=status)
        assert f"The order is {status}" in await refusal(ship(connector))
        assert written(fake) == []


async def test_a_completed_order_with_a_parcel_of_unknown_contents_is_asked_about() -> None:
    async with fake_woocommerce() as (fake, connector):
        placed = sale(fake, status="completed")
        unknown = {"key": "_wc_shipment_tracking_items", "value": [{"tracking_id": "x", "tracking_number": "9"}]}
        placed["meta_data"] = [unknown]
        assert "Name the line_items" in await refusal(ship(connector))
        order = await ship(connector, lines={TEES: 1})
        assert (contents(order), order.raw_status) == ([{}, {TEES: 1}], "completed")


async def test_the_buyer_is_told_by_a_note() -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        values = {"carrier_name": "UPS", "tracking_number": "1Z1", "tracking_url": "https://ups.example/1"}
        await ship(connector, lines={MUGS: 1}, **values)
        assert fake.notes == {}
        await ship(connector, SECOND, notify_customer=True, **values)
        (note,) = fake.notes[1]
        assert note["customer_note"] is True
        assert all(part in note["note"] for part in values.values())


async def test_a_shipment_stands_though_the_buyer_cannot_be_told() -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        fake.closed.add("/orders/1/notes")
        assert (await ship(connector, notify_customer=True)).raw_status == "completed"


async def test_a_shop_with_order_fulfillments_gets_fulfillments() -> None:
    async with fake_woocommerce(fulfills=True) as (fake, connector):
        placed = sale(fake)
        values = {"tracking_number": "1Z1", "carrier_id": "ups", "tracking_url": "https://ups.example/1"}
        half = await ship(connector, lines={MUGS: 2}, notify_customer=True, **values)
        (parcel,) = half.shipments
        assert (half.raw_status, contents(half), fake.mails) == ("processing", [{MUGS: 2}], [1])
        assert (parcel.tracking_number, parcel.carrier_id, parcel.status) == ("1Z1", "ups", ShipmentStatus.SHIPPED)
        assert parcel.tracking_url == "https://ups.example/1"
        whole = await ship(connector, SECOND)
        assert (whole.raw_status, contents(whole)) == ("completed", [{MUGS: 2}, {MUGS: 1, TEES: 2}])
        assert fake.mails == [1]
        assert not {"_wc_shipment_tracking_items", "_unicart_shipments"} & {each["key"] for each in placed["meta_data"]}
        assert connector.bears((await held(connector))[0], FIRST) is True


async def test_a_fulfillment_that_was_made_is_completed_not_made_again() -> None:
    async with fake_woocommerce(fulfills=True) as (fake, _):
        sale(fake)
        impatient = connector_of(fake, timeout=0.3)
        raw, _ = await held(impatient)
        fake.hanging = 1
        with pytest.raises(OutcomeUnknown):
            await impatient.create_shipment(raw, NewShipment(tracking_number="1Z1"), FIRST)
        raw, order = await held(impatient)
        assert (order.raw_status, impatient.bears(raw, FIRST)) == ("processing", False)
        await impatient.create_shipment(raw, NewShipment(tracking_number="1Z1"), FIRST)
        raw, order = await held(impatient)
        assert (order.raw_status, impatient.bears(raw, FIRST)) == ("completed", True)
        assert contents(order) == [{MUGS: 3, TEES: 2}]
        await impatient.session.close()


async def test_a_fulfillment_is_taken_back_if_the_status_is_refused() -> None:
    async with fake_woocommerce(fulfills=True) as (fake, connector):
        sale(fake)
        fake.refused_statuses.add("completed")
        assert "WooCommerce refused it: Invalid parameter(s): status" in await refusal(ship(connector), 400)
        raw, order = await held(connector)
        assert (order.shipments, order.raw_status, connector.bears(raw, FIRST)) == ([], "processing", False)


async def test_the_fulfillments_of_an_order_are_asked_for_only_if_it_has_some() -> None:
    async with fake_woocommerce(fulfills=True) as (fake, connector):
        sale(fake)
        sale(fake)
        await ship(connector, lines={MUGS: 1})
        fake.requests.clear()
        await connector.fetch(ORDERS, ["1", "2"])
        assert [path for _, path, _ in fake.requests if "fulfillments" in path] == ["/orders/1/fulfillments"]
        fake.fulfills = False
        assert (await held(connector))[1].shipments == []


async def test_a_line_is_refunded_with_its_tax_and_then_the_rest() -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        (first,) = await refund(connector, reason="Broken", lines=[(MUGS, 1)])
        assert (first.amount, first.reason) == (Decimal("15.79"), "Broken")
        assert refunded(first) == {MUGS: (1, Decimal("15.79"))}
        (made,) = fake.tables["refunds"].values()
        assert (made["line_items"][0]["total"], made["line_items"][0]["total_tax"]) == ("-14.50", "-1.29")
        assert made["refunded_payment"] is True
        assert fake.restocked == {10: 1}
        _, second = await refund(connector, SECOND)
        assert second.amount == Decimal("85.27")
        assert refunded(second) == {
            MUGS: (2, Decimal("31.57")),
            TEES: (2, Decimal("43.53")),
            RUSH: (1, Decimal("4.74")),
        }
        order = (await held(connector))[1]
        assert order.additional_fields["total_refunded"] == order.total_price == Decimal("101.06")
        assert order.additional_fields["payment_status"] == "refunded"
        assert "Nothing of the order is left" in await refusal(refund(connector, THIRD))


async def test_everything_is_refunded_at_once() -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        (found,) = await refund(connector, restock=False)
        assert found.amount == Decimal("101.06")
        (made,) = fake.tables["refunds"].values()
        (shipping,) = made["shipping_lines"]
        assert (shipping["total"], shipping["total_tax"]) == ("-4.99", "-0.44")
        tees = next(line for line in made["line_items"] if line["id"] == 12)
        assert [(tax["id"], tax["total"]) for tax in tees["taxes"]] == [(1, "-2.55"), (2, "-1.00")]
        assert fake.restocked == {}
        assert (await held(connector))[1].raw_status == "refunded"


async def test_an_amount_is_divided_into_net_and_taxes() -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        (found,) = await refund(connector, lines=[(TEES, 1, "10.00"), (MUGS, 2, "5.55")], shipping_amount=Decimal("2"))
        assert found.amount == Decimal("17.55")
        assert refunded(found) == {TEES: (1, Decimal("10.00")), MUGS: (2, Decimal("5.55"))}
        (made,) = fake.tables["refunds"].values()
        tees = next(line for line in made["line_items"] if line["id"] == 12)
        # 3.55 of the tees' 43.53 are tax, of which the first rate has 2.55.
        assert (tees["total"], [tax["total"] for tax in tees["taxes"]]) == ("-9.18", ["-0.59", "-0.23"])
        (shipping,) = made["shipping_lines"]
        assert (shipping["total"], shipping["total_tax"]) == ("-1.84", "-0.16")


async def test_what_rounding_leaves_of_the_taxes_is_lost_to_no_rate() -> None:
    async with fake_woocommerce() as (fake, connector):
        order = sale(fake)
        lines = [taxed(11, "9.00", "0.33", "0.33", "0.34", quantity=3, product_id=10, variation_id=0)]
        order |= {"line_items": lines, "fee_lines": [], "shipping_lines": [], "total": "10.00", "total_tax": "1.00"}
        await refund(connector, lines=[(MUGS, 1, "1.10")])
        (line,) = fake.tables["refunds"][100_000]["line_items"]
        assert (line["total"], [tax["total"] for tax in line["taxes"]]) == ("-0.99", ["-0.04", "-0.04", "-0.03"])


async def test_only_the_shipping_is_refunded() -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        (found,) = await refund(connector, shipping_amount=Decimal("5.43"))
        assert (found.amount, found.line_items) == (Decimal("5.43"), [])
        message = await refusal(refund(connector, SECOND, shipping_amount=Decimal("0.01")))
        assert message.startswith("shipping_amount: 0.00 of the shipping")


async def test_thirds_are_refunded_to_the_cent() -> None:
    async with fake_woocommerce() as (fake, connector):
        lines = [taxed(11, "10.00", "0.00", quantity=3, product_id=10, variation_id=0)]
        order = sale(fake)
        order |= {"line_items": lines, "fee_lines": [], "shipping_lines": [], "total": "10.00", "total_tax": "0.00"}
        amounts = [(await refund(connector, each * 32, lines=[(MUGS, 1)]))[-1].amount for each in "abc"]
        assert amounts == [Decimal("3.33"), Decimal("3.33"), Decimal("3.34")]


async def test_the_last_units_are_refunded_at_what_was_paid_for_them() -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        await refund(connector, lines=[(MUGS, 1, "5.00")])
        found = await refund(connector, SECOND, lines=[(MUGS, 2)])
        assert found[-1].amount == Decimal("31.57")


async def test_what_is_left_after_a_refund_without_lines_is_refunded_by_units() -> None:
    async with fake_woocommerce() as (fake, connector):
        order = sale(fake)
        fake.refund(order, "31.06")
        fake.tables["refunds"][100_000]["line_items"] = []
        found = await refund(connector)
        assert found[-1].amount == Decimal("70.00")
        assert refunded(found[-1])[MUGS] == (3, Decimal(0))


async def test_negative_fees_are_part_of_a_full_refund() -> None:
    async with fake_woocommerce() as (fake, connector):
        order = sale(fake)
        order |= {"fee_lines": [*order["fee_lines"], taxed(15, "-1.06", "0.00", name="Loyal")], "total": "100.00"}
        (found,) = await refund(connector)
        assert found.amount == Decimal("100.00")
        (made,) = fake.tables["refunds"].values()
        assert [fee["total"] for fee in made["fee_lines"]] == ["-4.35", "1.06"]
        assert "no such line item" in await refusal(refund(connector, SECOND, lines=[("14", 1)], shipping_amount=None))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lines": [(MUGS, 4)]}, "line_items.0.quantity: 3 of this line"),
        ({"lines": [(MUGS, 1), (MUGS, 3)]}, "line_items.1.quantity: 2 of this line"),
        ({"lines": [(TEES, 1, "43.54")]}, "line_items.0.amount: 43.53 are left"),
        ({"lines": [(TEES, 1, "1.005")]}, "line_items.0.amount: 1.005 has more decimals"),
        ({"lines": [("14", 1)]}, "line_items.0.line_item_id"),
        ({"shipping_amount": Decimal("5.44")}, "shipping_amount: 5.43 of the shipping"),
        ({"shipping_amount": Decimal(0)}, "Nothing"),
    ],
)
async def test_more_than_was_paid_is_not_refunded(given: dict[str, Any], said: str) -> None:
    async with fake_woocommerce() as (fake, connector):
        sale(fake)
        assert said in await refusal(refund(connector, **given))
        assert written(fake) == []


async def test_lines_are_not_refunded_beyond_what_is_left_of_the_order() -> None:
    async with fake_woocommerce() as (fake, connector):
        order = sale(fake)
        fake.refund(order, "90.00")
        fake.tables["refunds"][100_000]["line_items"] = []
        assert "11.06 of the order are left" in await refusal(refund(connector, lines=[(MUGS, 1)]))


async def test_a_yen_has_no_decimals() -> None:
    async with fake_woocommerce() as (fake, connector):
        order = sale(fake, currency="JPY")
        lines = [taxed(11, "1000", "80", quantity=3, product_id=10, variation_id=0)]
        order |= {"line_items": lines, "fee_lines": [], "shipping_lines": [], "total": "1080", "total_tax": "80"}
        (found,) = await refund(connector, lines=[(MUGS, 1)])
        assert found.amount == Decimal("360")
        assert "more decimals" in await refusal(refund(connector, SECOND, lines=[(MUGS, 1, "1.5")]))


async def test_a_free_line_comes_back_without_money() -> None:
    async with fake_woocommerce(gateway_refunds=False) as (fake, connector):
        order = sale(fake)
        order["line_items"][0] |= {"total": "0.00", "total_tax": "0.00", "taxes": []}
        (found,) = await refund(connector, lines=[(MUGS, 1)])
        assert (found.amount, fake.restocked) == (Decimal(0), {10: 1})


async def test_a_provider_that_cannot_pay_back_is_told_and_the_refund_can_be_noted() -> None:
    async with fake_woocommerce(gateway_refunds=False) as (fake, connector):
        sale(fake)
        message = await refusal(refund(connector))
        assert 'The "gateway" does not support automatic refunds.' in message
        assert "api_refund: false" in message
        assert connector.bears((await held(connector))[0], FIRST) is False
        (found,) = await refund(connector, specific={"api_refund": False})
        assert found.amount == Decimal("101.06")
        assert fake.tables["refunds"][100_000]["refunded_payment"] is False


async def test_what_the_shop_refuses_is_told_in_its_words() -> None:
    async with fake_woocommerce() as (fake, connector):
        order = sale(fake)
        raw, _ = await held(connector)
        fake.refund(order, "100.00")
        with pytest.raises(RequestRefused) as raised:
            await connector.refund_order(raw, NewRefund(specific={"api_refund": False}), FIRST)
        assert raised.value.message == "WooCommerce refused it: Invalid refund amount."


async def test_stock_rises_falls_and_is_set() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.add_product(20, variations=2)
        for each in fake.variations[20]:
            each |= {"manage_stock": True, "stock_quantity": 8}
        assert await adjust(connector, "21", "increase", 5) == 13
        assert await adjust(connector, "21", "decrease", 3, SECOND) == 10
        assert await adjust(connector, "21", "exact", 40, THIRD) == 40
        assert (await stocked(connector, "22"))[1].inventory == 8


async def test_a_delta_counts_from_what_the_shop_has_by_then() -> None:
    async with fake_woocommerce() as (fake, connector):
        product = fake.add_product(20, manage_stock=True, stock_quantity=8)
        raw, _ = await stocked(connector, "20")
        product["stock_quantity"] = 6
        kind = AdjustmentType.INCREASE
        await connector.adjust_inventory(
            raw, InventoryAdjustment(product_id="20", quantity=5, adjustment_type=kind), FIRST
        )
        assert (await stocked(connector, "20"))[1].inventory == 11


async def test_a_variation_is_sold_from_its_products_stock_if_it_has_none() -> None:
    async with fake_woocommerce() as (fake, connector):
        product = fake.add_product(20, variations=1, manage_stock=True, stock_quantity=8)
        fake.variations[20][0] |= {"manage_stock": "parent", "stock_quantity": 8}
        await adjust(connector, "21", "decrease", 3)
        assert product["stock_quantity"] == 5
        assert written(fake) == [("PUT", "/products/20")]
        assert connector.bears((await stocked(connector, "21"))[0], FIRST) is True


async def test_stock_that_is_not_managed_is_not_adjusted_unasked() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.add_product(20, manage_stock=False, stock_quantity=None)
        fake.add_product(30, variations=1)
        fake.add_product(40, type="external", manage_stock=False, stock_quantity=None)
        assert "manage_stock: true" in await refusal(adjust(connector, "20", "exact", 5))
        assert "Adjust one of them" in await refusal(adjust(connector, "30", "exact", 5))
        assert "have none" in await refusal(adjust(connector, "40", "exact", 5, manage_stock=True))
        assert written(fake) == []
        assert await adjust(connector, "20", "exact", 5, manage_stock=True) == 5
        fake.manages_stock = False
        fake.tables["products"][20] |= {"manage_stock": False, "stock_quantity": None}
        assert "Settings → Products → Inventory" in await refusal(
            adjust(connector, "20", "exact", 5, manage_stock=True)
        )


async def test_references_of_stock_are_kept_for_the_newest_writes() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.add_product(20, manage_stock=True, stock_quantity=0)
        for number in range(9):
            await adjust(connector, "20", "increase", 1, f"{number:032}")
        raw, product = await stocked(connector, "20")
        assert (product.inventory, connector.bears(raw, f"{0:032}"), connector.bears(raw, FIRST)) == (9, True, False)
        for number in range(9, 12):
            await adjust(connector, "20", "increase", 1, f"{number:032}")
        raw, _ = await stocked(connector, "20")
        assert [connector.bears(raw, f"{number:032}") for number in (0, 1, 2, 11)] == [None, None, True, True]


async def raw_of(connector: WooCommerceConnector, kind: str) -> bytes:
    return (await stocked(connector, "20"))[0] if kind == "stock" else (await held(connector))[0]


async def send(connector: WooCommerceConnector, kind: str, raw: bytes) -> None:
    """A write of each kind."""
    if kind == "stock":
        up = InventoryAdjustment(product_id="20", quantity=5, adjustment_type=AdjustmentType.INCREASE)
        await connector.adjust_inventory(raw, up, FIRST)
    elif kind == "shipment":
        await connector.create_shipment(raw, NewShipment(tracking_number="1Z1"), FIRST)
    else:
        lines = [LineRefund(line_item_id=MUGS, quantity=1)]
        await connector.refund_order(raw, NewRefund(line_items=lines), FIRST)


@pytest.mark.parametrize("kind", ["shipment", "refund", "stock"])
@pytest.mark.parametrize("arrives", [True, False], ids=["taken", "lost"])
async def test_a_write_without_an_answer_is_recognised_by_its_reference(kind: str, arrives: bool) -> None:
    async with fake_woocommerce() as (fake, _):
        sale(fake)
        sale(fake)
        fake.add_product(20, manage_stock=True, stock_quantity=8)
        impatient = connector_of(fake, timeout=0.3)
        # Another order is shipped, so that nothing is left to ask before the next write.
        await impatient.create_shipment((await held(impatient, 2))[0], NewShipment(), SECOND)
        raw = await raw_of(impatient, kind)
        fake.hanging, fake.answers = (1, []) if arrives else (0, [FOREVER])
        with pytest.raises(OutcomeUnknown):
            await send(impatient, kind, raw)
        assert len(written(fake)) == 1 + arrives
        raw = await raw_of(impatient, kind)
        assert (impatient.bears(raw, FIRST), impatient.bears(raw, SECOND)) == (arrives, False)
        if kind == "shipment" or not arrives:
            await send(impatient, kind, raw)
        assert impatient.bears(await raw_of(impatient, kind), FIRST) is True
        assert len(written(fake)) == 2
        await impatient.session.close()


async def test_a_refund_without_its_reference_leaves_the_question_open() -> None:
    async with fake_woocommerce() as (fake, connector):
        order = sale(fake)
        await refund(connector, lines=[(MUGS, 1)])
        assert connector.bears((await held(connector))[0], SECOND) is False
        fake.refund(order)
        raw, _ = await held(connector)
        assert (connector.bears(raw, FIRST), connector.bears(raw, SECOND)) == (True, None)


ERROR = b'{"code":"internal_server_error","message":"There has been a critical error on this website.","data":{"status":500}}'


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(500, ERROR), OutcomeUnknown),
        (answer(502, b"<html>"), OutcomeUnknown),
        (answer(403, b'{"code":"woocommerce_rest_cannot_edit","message":"Sorry"}'), PermissionMissing),
        (answer(404, b'{"code":"woocommerce_rest_product_invalid_id","message":"Invalid ID."}'), RequestRefused),
    ],
)
async def test_errors_say_whether_the_write_is_done(reply: bytes, kind: type[ConnectorError]) -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.add_product(20, manage_stock=True, stock_quantity=8)
        raw, _ = await stocked(connector, "20")
        fake.answers = [reply]
        with pytest.raises(ConnectorError) as raised:
            await send(connector, "stock", raw)
        assert type(raised.value) is kind
        assert (await stocked(connector, "20"))[1].inventory == 8


async def test_a_limit_is_waited_for() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.add_product(20, manage_stock=True, stock_quantity=8)
        raw, _ = await stocked(connector, "20")
        fake.answers = [answer(429, retry_after="0")]
        await send(connector, "stock", raw)
        assert (await stocked(connector, "20"))[1].inventory == 13


async def test_a_key_that_may_only_read_says_so() -> None:
    async with fake_woocommerce(permissions="read") as (fake, connector):
        sale(fake)
        with pytest.raises(PermissionMissing) as raised:
            await ship(connector)
        assert "Read/Write" in raised.value.message
        assert (await held(connector))[1].raw_status == "processing"


async def test_a_server_that_cuts_off_the_authorization_is_written_to_by_signature() -> None:
    async with fake_woocommerce(https=True, keeps_authorization=True) as (fake, connector):
        fake.add_product(20, manage_stock=True, stock_quantity=8)
        await connector.ready()
        reply = await connector.session.passthrough(
            "PUT", "/wp-json/wc/v3/products/20", params={}, json={"stock_quantity": 3}, headers={}
        )
        assert (reply.status, json.loads(reply.body)["stock_quantity"]) == (200, 3)
        assert await adjust(connector, "20", "increase", 1) == 4
