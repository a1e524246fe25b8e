"""The records: derived names, dates in one form, money with its digits, nothing left out."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unicart.contract.common import encode
from unicart.contract.orders import (
    CartOrder,
    LineItem,
    Order,
    OrderStatus,
    Refund,
    Shipment,
    ShippingGroup,
    unreconciled,
)
from unicart.contract.products import CartProduct, Product
from unicart.contract.resources import RESOURCES
from unicart.contract.warehouses import CartWarehouse, Warehouse

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAMES = st.none() | st.sampled_from(["", "express", "Express ⚡", "ups"])
MONEY = st.none() | st.decimals(-(10**9), 10**9, places=3, allow_nan=False, allow_infinity=False)
DATES: dict[str, Any] = {"created_date": MOMENT, "updated_date": MOMENT}
OUR_DATES: dict[str, Any] = {"trackstar_created_date": MOMENT, "trackstar_updated_date": MOMENT}


def order(**fields: Any) -> Order:
    return Order(**{"id": "1", "order_number": "1", "status": OrderStatus.OPEN, **DATES, **fields})


@given(NAMES, NAMES, NAMES)
def test_order_has_its_older_shipping_method(id: str | None, name: str | None, wish: str | None) -> None:
    served = msgspec.json.decode(
        encode(order(shipping_method_id=id, shipping_method_name=name, requested_shipping_method=wish))
    )
    assert served["shipping_method"] == (id or name or wish or None)


@given(NAMES, NAMES, NAMES)
def test_shipment_has_its_older_names(id: str | None, name: str | None, carrier: str | None) -> None:
    served = msgspec.json.decode(
        encode(Shipment(shipment_id="s", shipping_method_id=id, shipping_method_name=name, carrier_name=carrier))
    )
    assert served["shipping_method"] == (id or name or None)
    assert served["carrier"] == carrier


def test_older_names_cannot_be_set_apart_from_what_they_derive_from() -> None:
    assert order(shipping_method="boat", shipping_method_id="air").shipping_method == "air"
    shipment = Shipment(shipment_id="s", carrier="boat", carrier_name="UPS", shipping_method="x")
    assert (shipment.carrier, shipment.shipping_method) == ("UPS", None)
    changed = msgspec.structs.replace(order(shipping_method_id="air"), shipping_method_id="sea")
    assert changed.shipping_method == "sea"


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_every_field_is_always_present(resource: Any) -> None:
    needed = {"id": "1", "order_number": "1", "status": OrderStatus.OPEN, "name": "n", "parent_product_id": "1"}
    fields = resource.served.__struct_fields__
    given_fields = {name: value for name, value in {**needed, **DATES, **OUR_DATES}.items() if name in fields}
    assert set(msgspec.json.decode(encode(resource.served(**given_fields)))) == set(fields)


@pytest.mark.parametrize(
    ("served", "content"), [(CartOrder, Order), (CartProduct, Product), (CartWarehouse, Warehouse)]
)
def test_served_record_is_the_mapped_one_and_what_we_add(served: type[Any], content: type[Any]) -> None:
    added = ("trackstar_tags", "trackstar_created_date", "trackstar_updated_date")
    assert served.__struct_fields__ == content.__struct_fields__ + added


@given(MONEY, MONEY, st.integers(0, 10**6))
def test_money_goes_through_digit_for_digit(price: Decimal | None, tax: Decimal | None, quantity: int) -> None:
    line = LineItem(line_item_id="l", quantity=quantity, unit_price=price, tax=tax)
    written = encode(order(line_items=[line], total_price=price))
    read = msgspec.json.decode(written, type=Order)
    assert encode(read) == written
    assert str(read.line_items[0].unit_price) == str(price)
    assert f'"total_price":{"null" if price is None else price}'.encode() in written


@given(
    st.lists(st.tuples(MONEY, st.integers(0, 100)), max_size=5),
    *[MONEY] * 3,
)
def test_order_that_adds_up_is_reconciled_and_one_cent_more_is_not(
    lines: list[tuple[Decimal | None, int]], discount: Decimal | None, tax: Decimal | None, shipping: Decimal | None
) -> None:
    zero = Decimal(0)
    goods = sum(((price or zero) * quantity for price, quantity in lines), zero)
    fields: dict[str, Any] = {
        "line_items": [LineItem(line_item_id="l", quantity=quantity, unit_price=price) for price, quantity in lines],
        "total_discount": discount,
        "total_tax": tax,
        "total_shipping": shipping,
    }
    total = goods - (discount or zero) + (tax or zero) + (shipping or zero)
    assert unreconciled(order(total_price=total, **fields)) == 0
    assert unreconciled(order(total_price=total + Decimal("0.01"), **fields)) == Decimal("-0.01")


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (order, ("created_date", "updated_date", "earliest_ship_date", "latest_ship_date")),
        (lambda **fields: Shipment(shipment_id="s", **fields), ("created_date", "updated_date")),
        (lambda **fields: ShippingGroup(shipping_group_id="s", **fields), ("created_date", "updated_date")),
        (
            lambda **fields: Product(**{"id": "p", "name": "p", "parent_product_id": "p", **DATES, **fields}),
            tuple(DATES),
        ),
        (lambda **fields: Warehouse(**{"id": "w", "name": "w", **DATES, **fields}), tuple(DATES)),
    ],
    ids=["order", "shipment", "shipping_group", "product", "warehouse"],
)
def test_dates_are_utc_in_whole_seconds(build: Any, names: tuple[str, ...]) -> None:
    local = datetime(2026, 1, 2, 3, 4, 5, 999_999, timezone(timedelta(hours=-5)))
    for name in names:
        assert msgspec.json.decode(encode(build(**{name: local})))[name] == "2026-01-02T08:04:05Z"
        with pytest.raises(ValueError, match="no time zone"):
            build(**{name: local.replace(tzinfo=None)})


@pytest.mark.parametrize("field", ["id", "created_date", "status", "order_number"])
def test_order_without_what_the_contract_needs_is_refused(field: str) -> None:
    record = msgspec.json.decode(encode(order()))
    del record[field]
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert(record, Order)


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    ("record", "field"),
    [
        (order(), "total_price"),
        (order(), "total_tax"),
        (order(), "total_discount"),
        (order(), "total_shipping"),
        *[
            (LineItem(line_item_id="l", quantity=1), name)
            for name in ("unit_price", "discount", "tax", "total_discount", "total_tax")
        ],
        (Refund(refund_id="r", amount=Decimal(1)), "amount"),
        (Product(id="p", name="p", parent_product_id="p", **DATES), "price"),
        (Product(id="p", name="p", parent_product_id="p", **DATES), "unit_cost"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_amount_that_is_no_number_is_refused(record: Any, field: str, text: str) -> None:
    """Platforms do send them, as text; one would make every page that holds it unreadable."""
    with pytest.raises(ValueError, match=field):
        msgspec.structs.replace(record, **{field: Decimal(text)})


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_date_outside_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="range"):
        order(updated_date=datetime.fromisoformat(text))
