"""What Medusa's orders become, on recorded ones."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import unicart.connectors.medusa
from unicart.connectors.kit import UnmappableRecord
from unicart.connectors.medusa import mapping
from unicart.contract.orders import Order, OrderStatus, ShipmentStatus, unreconciled

FIXTURES = Path(unicart.connectors.medusa.__file__).parent / "fixtures"
RAW: dict[str, Any] = {
    record["email"].partition("@")[0]: record
    for record in json.loads((FIXTURES / "get_orders.json").read_text(encoding="utf-8"))["records"]
}


def order(name: str, **changes: Any) -> Order:
    return mapping.order(json.dumps({**RAW[name], **changes}).encode())


STATES = [
    ("unpaid-us", {}, OrderStatus.OPEN),
    ("paid-jp", {}, OrderStatus.CONFIRMED),
    ("partly-fulfilled", {}, OrderStatus.PROCESSING),
    ("partly-shipped", {}, OrderStatus.PARTIALLY_FULFILLED),
    ("delivered", {}, OrderStatus.FULFILLED),
    ("cancelled-paid", {}, OrderStatus.CANCELLED),
    ("unpaid-us", {"status": "completed"}, OrderStatus.FULFILLED),
    ("unpaid-us", {"status": "requires_action"}, OrderStatus.EXCEPTION),
    ("unpaid-us", {"status": "brand new"}, OrderStatus.OTHER),
    ("unpaid-us", {"fulfillment_status": "brand new"}, OrderStatus.OTHER),
]


@pytest.mark.parametrize(("name", "changes", "status"), STATES)
def test_status(name: str, changes: dict[str, Any], status: OrderStatus) -> None:
    found = order(name, **changes)
    assert found.status is status
    assert found.raw_status == {**RAW[name], **changes}["status"]


def test_a_custom_item_has_no_product() -> None:
    (custom,) = (line for line in order("custom-item").line_items if line.product_id is None)
    assert (custom.quantity, custom.unit_price) == (3, Decimal("12.345"))


def test_prices_that_include_tax_are_shown_without_it() -> None:
    found = order("tax-included")
    assert abs(unreconciled(found)) < Decimal("0.00001")
    assert {line.unit_price for line in found.line_items} == {Decimal("2.798319"), Decimal("8.394958")}


def test_credit_lines_are_what_a_total_lacks() -> None:
    found = order("cancelled-paid")
    assert abs(unreconciled(found) - found.additional_fields["credit_line_total"]) < Decimal("0.00001")


def test_returned_items_leave_the_quantity() -> None:
    found = order("returned")
    assert sorted(line.quantity for line in found.line_items) == [3, 5]
    assert sorted(found.additional_fields["ordered_quantities"].values()) == [3, 7]
    assert unreconciled(found) == 0


def test_a_refund_is_a_record() -> None:
    fields = order("return-refunded").additional_fields
    (refund,) = fields["refunds"]
    assert (refund.amount, refund.note) == (Decimal("6.66"), "sent back")
    assert fields["total_refunded"] == Decimal("6.66")


def test_a_refund_moves_the_date_although_the_order_stays() -> None:
    assert order("return-refunded").updated_date.isoformat() > RAW["return-refunded"]["updated_at"][:19]


def test_shipments_carry_tracking_and_lines() -> None:
    shipped = {shipment.status: shipment for shipment in order("partly-shipped").shipments}
    assert shipped[ShipmentStatus.SHIPPED].tracking_number == "TRACK-1"
    assert shipped[ShipmentStatus.OPEN].tracking_number is None
    assert {line.product_sku for line in shipped[ShipmentStatus.SHIPPED].line_items} == {"poster-s", "mug-l"}
    assert [shipment.status for shipment in order("cancelled-fulfilment").shipments] == [ShipmentStatus.CANCELLED]


def test_a_missing_address_is_null_throughout() -> None:
    address = order("no-address").ship_to_address
    assert address.full_name is address.country is address.city is None


@pytest.mark.parametrize("quantity", [1.5, "NaN"])
def test_a_quantity_that_is_not_whole_is_refused_by_name(quantity: Any) -> None:
    items = [{**RAW["unpaid-us"]["items"][0], "quantity": quantity}]
    with pytest.raises(UnmappableRecord, match="quantity"):
        order("unpaid-us", items=items)
