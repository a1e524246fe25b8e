"""What recorded orders and products of a real Vendure become, where the conformance suite does not look."""

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from connectors.vendure.shop import FIXTURES
from unicart.connectors.kit import UnmappableRecord
from unicart.connectors.vendure import mapping
from unicart.contract.common import Address
from unicart.contract.orders import Order, OrderStatus, ShipmentStatus, unreconciled

RECORDS: list[dict[str, Any]] = json.loads((FIXTURES / "get_orders.json").read_bytes())["records"]
PRODUCTS: list[dict[str, Any]] = json.loads((FIXTURES / "get_products.json").read_bytes())["records"]


def order(raw: dict[str, Any], **changes: Any) -> Order:
    return mapping.order(json.dumps(copy.deepcopy(raw) | changes).encode())


def with_(predicate: str) -> Iterator[dict[str, Any]]:
    """The recorded orders that have something in this field."""
    return (raw for raw in RECORDS if raw[predicate])


def test_sums_reconcile_to_the_minor_unit_whatever_the_taxes() -> None:
    for raw in RECORDS:
        found = order(raw)
        assert abs(unreconciled(found)) < Decimal("0.0001"), found.id
        if found.invoice_currency_code == "USD":
            assert unreconciled(found) == 0, found.id


def test_lines_bear_what_the_platform_charged() -> None:
    for raw in RECORDS:
        found = order(raw)
        lines = [line for line in found.line_items if line.product_id]
        assert len(lines) == len(raw["lines"])
        for ours, theirs in zip(lines, raw["lines"], strict=True):
            assert ours.total_discount == Decimal(theirs["linePrice"] - theirs["proratedLinePrice"]) / 100
            assert ours.total_tax is not None
            price, discount = ours.unit_price or Decimal(0), ours.total_discount or Decimal(0)
            charged = round(price * ours.quantity, 2) - discount + ours.total_tax
            assert charged == Decimal(theirs["proratedLinePriceWithTax"]) / 100


@pytest.mark.parametrize(("precision", "price"), [(0, "12529"), (2, "125.29"), (3, "12.529"), (4, "1.2529")])
def test_the_servers_precision_counts_not_the_currencys(precision: int, price: str) -> None:
    for currency in ("USD", "JPY", "KWD"):
        found = order(RECORDS[0], moneyPrecision=precision, currencyCode=currency, totalWithTax=12529)
        assert str(found.total_price) == price
        assert found.invoice_currency_code == currency


@pytest.mark.parametrize("precision", [-1, 13])
def test_a_senseless_precision_is_refused(precision: int) -> None:
    with pytest.raises(UnmappableRecord, match="moneyPrecision"):
        order(RECORDS[0], moneyPrecision=precision)


def test_a_cart_is_no_order() -> None:
    with pytest.raises(UnmappableRecord, match="never placed"):
        order(RECORDS[0], orderPlacedAt=None)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("PaymentAuthorized", OrderStatus.OPEN),
        ("ArrangingAdditionalPayment", OrderStatus.OPEN),
        ("Modifying", OrderStatus.OPEN),
        ("PaymentSettled", OrderStatus.CONFIRMED),
        ("PartiallyShipped", OrderStatus.PARTIALLY_FULFILLED),
        ("PartiallyDelivered", OrderStatus.PARTIALLY_FULFILLED),
        ("Shipped", OrderStatus.FULFILLED),
        ("Delivered", OrderStatus.FULFILLED),
        ("Cancelled", OrderStatus.CANCELLED),
        ("AwaitingCustoms", OrderStatus.OTHER),
    ],
)
def test_states(state: str, status: OrderStatus) -> None:
    found = order(RECORDS[0], state=state)
    assert (found.status, found.raw_status) == (status, state)


@pytest.mark.parametrize(
    ("state", "parcel", "status"),
    [
        ("PaymentSettled", "Pending", OrderStatus.PROCESSING),
        ("PaymentAuthorized", "Created", OrderStatus.PROCESSING),
        ("PaymentSettled", "Cancelled", OrderStatus.CONFIRMED),
        ("PartiallyShipped", "Pending", OrderStatus.PARTIALLY_FULFILLED),
        ("Cancelled", "Pending", OrderStatus.CANCELLED),
    ],
)
def test_a_parcel_made_ready_is_work_on_the_order(state: str, parcel: str, status: OrderStatus) -> None:
    raw = next(with_("fulfillments"))
    parcels = [{**each, "state": parcel} for each in raw["fulfillments"]]
    assert order(raw, state=state, fulfillments=parcels).status == status


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("Created", ShipmentStatus.OPEN),
        ("Pending", ShipmentStatus.OPEN),
        ("Shipped", ShipmentStatus.SHIPPED),
        ("Delivered", ShipmentStatus.DELIVERED),
        ("Cancelled", ShipmentStatus.CANCELLED),
        ("LostAtSea", ShipmentStatus.OTHER),
    ],
)
def test_fulfilment_states(state: str, status: ShipmentStatus) -> None:
    raw = next(with_("fulfillments"))
    changed = [{**each, "state": state} for each in raw["fulfillments"]]
    assert {each.status for each in order(raw, fulfillments=changed).shipments} == {status}


def test_lines_of_other_orders_in_a_fulfilment_are_left_out() -> None:
    raw = next(with_("fulfillments"))
    parcel = raw["fulfillments"][0]
    shared = {**parcel, "lines": [*parcel["lines"], {"orderLineId": "of-another-order", "quantity": 9}]}
    (shipment,) = order(raw, fulfillments=[shared]).shipments
    assert len(shipment.line_items) == len(parcel["lines"])
    assert sum(line.quantity for line in shipment.line_items) == sum(part["quantity"] for part in parcel["lines"])


def test_updated_date_is_the_latest_of_all_times() -> None:
    raw = next(with_("fulfillments"))
    moment = "2031-05-06T07:08:09.999Z"
    late = [{**each, "updatedAt": moment} for each in raw["fulfillments"]]
    for found in (order(raw, fulfillments=late), order(raw, modifications=[{"updatedAt": moment}])):
        assert found.updated_date.isoformat() == "2031-05-06T07:08:09+00:00"


def test_only_settled_refunds_are_refunds() -> None:
    payment = {"id": "1", "updatedAt": "2026-01-01T00:00:00Z", "state": "Settled", "method": "m", "amount": 12529}
    times = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}
    refunds = [
        {"id": str(number), "state": state, "total": total, "reason": "", "lines": [], **times}
        for number, (state, total) in enumerate((("Settled", 100), ("Pending", 200), ("Failed", 400), ("Settled", 1)))
    ]
    fields = order(RECORDS[0], payments=[{**payment, "refunds": refunds}]).additional_fields
    assert [str(each.amount) for each in fields["refunds"]] == ["1.00", "0.01"]
    assert [str(each.amount) for each in fields["pending_refunds"]] == ["2.00"]
    assert fields["total_refunded"] == Decimal("1.01")
    assert fields["payment_status"] == "partially_refunded"


@pytest.mark.parametrize(
    ("payments", "status"),
    [
        ([], "unpaid"),
        ([("Declined", 12529)], "unpaid"),
        ([("Authorized", 12529)], "authorized"),
        ([("Settled", 12529)], "paid"),
        ([("Declined", 12529), ("Settled", 12529)], "paid"),
        ([("Settled", 1000)], "partially_paid"),
    ],
)
def test_payment_status(payments: list[tuple[str, int]], status: str) -> None:
    given = [
        {"id": "1", "updatedAt": "2026-01-01T00:00:00Z", "state": state, "method": "m", "amount": amount, "refunds": []}
        for state, amount in payments
    ]
    assert order(RECORDS[0], payments=given, totalWithTax=12529).additional_fields["payment_status"] == status


def test_no_billing_address_is_an_empty_one() -> None:
    empty = dict.fromkeys(RECORDS[0]["shippingAddress"])
    for nothing in (None, empty):
        assert order(RECORDS[0], billingAddress=nothing).bill_to_address == Address()
    named = order(RECORDS[0], billingAddress={**empty, "fullName": "山田 太郎"}).bill_to_address
    assert named.full_name == "山田 太郎"


def test_a_cancelled_line_has_no_units_and_no_amounts() -> None:
    raw = next(raw for raw in RECORDS if raw["state"] == "Cancelled")
    for line in order(raw).line_items:
        assert line.quantity == 0
        assert line.total_tax == Decimal(0)
        assert line.total_discount == Decimal(0)
        assert line.unit_price


def test_a_surcharge_is_a_custom_item() -> None:
    raw = next(with_("surcharges"))
    found = order(raw)
    custom = [line for line in found.line_items if line.product_id is None]
    assert [(line.product_sku, line.quantity, line.unit_price) for line in custom] == [("GIFT", 1, Decimal("3.50"))]
    assert found.additional_fields["surcharges"] == {custom[0].line_item_id: "gift wrap"}


def test_products_and_variants_have_ids_of_their_own() -> None:
    found = [record for raw in PRODUCTS for record in mapping.products(json.dumps(raw).encode())]
    assert len({record.id for record in found}) == len(found)
    sold = {line.product_id: line.parent_product_id for raw in RECORDS for line in order(raw).line_items}
    ids = {record.id: record.parent_product_id for record in found}
    assert all(ids[id] == parent for id, parent in sold.items() if id)


def variant(**changes: Any) -> Any:
    raw = copy.deepcopy(PRODUCTS[0])
    raw["variants"] = [raw["variants"][0] | changes]
    return mapping.products(json.dumps(raw).encode())[1]


def test_available_units_are_those_not_yet_allocated() -> None:
    times = {"updatedAt": "2026-01-01T00:00:00Z"}
    levels = [
        {"stockLocationId": "1", "stockOnHand": 10, "stockAllocated": 4, **times},
        {"stockLocationId": "2", "stockOnHand": 1, "stockAllocated": 3, **times},
    ]
    tracked = variant(stockLevels=levels, trackInventory="INHERIT")
    assert (tracked.inventory, tracked.inventory_by_warehouse_id) == (4, {"1": 6, "2": -2})
    untracked = variant(stockLevels=levels, trackInventory="FALSE")
    assert (untracked.inventory, untracked.inventory_by_warehouse_id) == (None, {})


def test_a_price_is_the_one_entered_for_the_channels_currency() -> None:
    prices = [{"currencyCode": "EUR", "price": 1}, {"currencyCode": "JPY", "price": 198000}]
    assert str(variant(currencyCode="JPY", price=166400, prices=prices).price) == "1980.00"
    assert str(variant(currencyCode="GBP", price=166400, prices=prices).price) == "1664.00"


def test_a_hidden_product_hides_its_variants() -> None:
    raw = copy.deepcopy(PRODUCTS[0]) | {"enabled": False}
    assert not any(record.active for record in mapping.products(json.dumps(raw).encode()))
