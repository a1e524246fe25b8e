"""What a record of the test platform becomes, field by field, and which records are refused."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from unicart.connectors.hostile import mapping
from unicart.connectors.kit import UnmappableRecord
from unicart.contract.common import Address
from unicart.contract.orders import (
    LineItem,
    Order,
    OrderStatus,
    Refund,
    Shipment,
    ShipmentLineItem,
    ShipmentStatus,
    unreconciled,
)
from unicart.contract.products import Measurements, Product
from unicart.contract.warehouses import Warehouse

RAW_ORDER: dict[str, Any] = {
    "id": "o1",
    "number": "#1001",
    "status": "partly_sent",
    "payment_status": "paid",
    "currency": "kwd",
    "created_at": "2026-03-01T10:00:00.999Z",
    "updated_at": "2026-03-02T00:30:00.001+02:00",
    "email": "ada@example.com",
    "delivery": "Express ⚡",
    "note": "Zoë",
    "totals": {"discount": "0.300", "tax": "1.000", "shipping": "2", "total": "33.235"},
    "lines": [
        {
            "id": "o1-0",
            "title": "Mug",
            "variant_id": "p1v0",
            "variant_sku": "SKU",
            "product_id": "p1",
            "quantity": 3,
            "unit_price": "10.125",
            "discount": "0.300",
            "tax": "1.000",
        },
        {"id": "o1-1", "title": "Gravur ✍", "quantity": 1, "unit_price": "0.160", "discount": None, "tax": None},
    ],
    "ship_to": {
        "name": "山田太郎",
        "company": "",
        "street": ["1 Main St", "", "c/o Ω", "never shown"],
        "city": "東京",
        "country": "JP",
    },
    "bill_to": None,
    "shipments": [
        {
            "id": "s1",
            "state": "sent",
            "warehouse_id": "w0",
            "carrier": "DHL",
            "tracking_number": "T1",
            "created_at": "2026-03-01T12:00:00Z",
            "updated_at": "2026-03-01T13:00:00Z",
            "lines": [{"id": "s1-0", "line_id": "o1-0", "quantity": 2}],
        }
    ],
    "refunds": [{"id": "r1", "amount": "0.125", "created_at": "2026-03-01T14:00:00Z", "reason": None}],
}


def order(**changes: Any) -> Order:
    return mapping.order(json.dumps({**RAW_ORDER, **changes}).encode())


def test_an_order() -> None:
    assert order() == Order(
        id="o1",
        order_number="#1001",
        created_date=datetime(2026, 3, 1, 10, tzinfo=UTC),
        updated_date=datetime(2026, 3, 1, 22, 30, tzinfo=UTC),
        status=OrderStatus.PARTIALLY_FULFILLED,
        raw_status="partly_sent",
        requested_shipping_method="Express ⚡",
        invoice_currency_code="KWD",
        total_price=Decimal("33.235"),
        total_tax=Decimal("1.000"),
        total_discount=Decimal("0.300"),
        total_shipping=Decimal(2),
        ship_to_address=Address(
            full_name="山田太郎",
            address1="1 Main St",
            address3="c/o Ω",
            city="東京",
            country="JP",
            email_address="ada@example.com",
        ),
        bill_to_address=Address(email_address="ada@example.com"),
        line_items=[
            LineItem(
                line_item_id="o1-0",
                product_id="p1v0",
                product_sku="SKU",
                parent_product_id="p1",
                quantity=3,
                unit_price=Decimal("10.125"),
                discount=Decimal("0.100"),
                tax=Decimal("0.333333"),
                total_discount=Decimal("0.300"),
                total_tax=Decimal("1.000"),
            ),
            LineItem(line_item_id="o1-1", quantity=1, unit_price=Decimal("0.160")),
        ],
        shipments=[
            Shipment(
                shipment_id="s1",
                raw_status="sent",
                status=ShipmentStatus.SHIPPED,
                warehouse_id="w0",
                carrier_name="DHL",
                tracking_number="T1",
                created_date=datetime(2026, 3, 1, 12, tzinfo=UTC),
                updated_date=datetime(2026, 3, 1, 13, tzinfo=UTC),
                line_items=[
                    ShipmentLineItem(
                        shipment_line_item_id="s1-0",
                        product_id="p1v0",
                        product_sku="SKU",
                        parent_product_id="p1",
                        quantity=2,
                    )
                ],
            )
        ],
        additional_fields={
            "payment_status": "paid",
            "total_refunded": Decimal("0.125"),
            "refunds": [
                Refund(refund_id="r1", amount=Decimal("0.125"), created_date=datetime(2026, 3, 1, 14, tzinfo=UTC))
            ],
            "note": "Zoë",
            "custom_item_titles": {"o1-1": "Gravur ✍"},
        },
    )
    assert unreconciled(order()) == 0


def test_money_keeps_its_digits() -> None:
    totals = {"discount": "0", "tax": "0.0", "shipping": "1999", "total": "0.10"}
    found = order(totals=totals)
    amounts = (found.total_discount, found.total_tax, found.total_shipping, found.total_price)
    assert [str(amount) for amount in amounts] == ["0", "0.0", "1999", "0.10"]


def test_null_money_stays_null() -> None:
    unpriced = {"id": "1", "quantity": 2, "unit_price": None, "discount": None, "tax": None}
    found = order(totals=dict.fromkeys(("discount", "tax", "shipping", "total")), lines=[unpriced], shipments=[])
    assert (found.total_price, found.total_tax, found.total_discount, found.total_shipping) == (None,) * 4
    assert found.line_items == [LineItem(line_item_id="1", quantity=2)]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("new", OrderStatus.OPEN),
        ("paid", OrderStatus.CONFIRMED),
        ("picking", OrderStatus.PROCESSING),
        ("sent", OrderStatus.FULFILLED),
        ("on_hold", OrderStatus.EXCEPTION),
        ("void", OrderStatus.CANCELLED),
        ("backorder", OrderStatus.BACKORDERED),
        ("awaiting_full_moon", OrderStatus.OTHER),
        ("PAID", OrderStatus.OTHER),
        ("", OrderStatus.OTHER),
    ],
)
def test_statuses(raw: str, status: OrderStatus) -> None:
    found = order(status=raw)
    assert (found.status, found.raw_status) == (status, raw)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("packed", ShipmentStatus.OPEN),
        ("delivered", ShipmentStatus.DELIVERED),
        ("lost", ShipmentStatus.EXCEPTION),
        ("void", ShipmentStatus.CANCELLED),
        ("seized", ShipmentStatus.OTHER),
    ],
)
def test_shipment_states(state: str, status: ShipmentStatus) -> None:
    (shipment,) = order(shipments=[{**RAW_ORDER["shipments"][0], "state": state}]).shipments
    assert (shipment.status, shipment.raw_status) == (status, state)


def test_an_order_without_a_number_is_called_by_its_id() -> None:
    assert order(number="").order_number == "o1"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": None}, "currency"),
        ({"lines": "many"}, "lines"),
        ({"status": 7}, "status"),
        ({"created_at": "2026-03-01T10:00:00"}, "created_at"),
        ({"totals": {"total": "NaN"}}, "total_price"),
        ({"lines": [{"id": "1", "quantity": -1}], "shipments": []}, "lines"),
        ({"lines": [{"id": "1", "quantity": 1}]}, "shipments.lines.line_id"),
    ],
    ids=str,
)
def test_an_order_that_cannot_be_mapped_is_refused_by_the_name_of_the_field(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises((UnmappableRecord, msgspec.ValidationError, ValueError), match=field.replace(".", r"\.")):
        order(**changes)


def test_a_product_and_its_variants() -> None:
    raw = {
        "id": "p1",
        "title": "Mug",
        "active": False,
        "created_at": "2026-03-01T10:00:00.5Z",
        "updated_at": "2026-03-02T10:00:00.5Z",
        "image_url": "https://img.example/1",
        "tags": ["été"],
        "categories": ["Cups"],
        "variants": [
            {"id": "v1", "title": "blå", "sku": "S", "barcode": "123", "price": "1999", "cost": "3.333", "grams": "250.5",
             "stock": {"w0": 5, "w1": -2}}
        ],
    }  # fmt: skip
    shared: dict[str, Any] = {
        "created_date": datetime(2026, 3, 1, 10, tzinfo=UTC),
        "updated_date": datetime(2026, 3, 2, 10, tzinfo=UTC),
        "parent_product_id": "p1",
        "active": False,
        "image_url": "https://img.example/1",
        "tags": ["été"],
        "categories": ["Cups"],
    }
    assert mapping.products(json.dumps(raw).encode()) == [
        Product(id="p1", name="Mug", **shared),
        Product(
            id="v1",
            name="Mug blå",
            sku="S",
            gtin="123",
            price=Decimal(1999),
            unit_cost=Decimal("3.333"),
            inventory=3,
            inventory_by_warehouse_id={"w0": 5, "w1": -2},
            measurements=Measurements(weight=Decimal("250.5"), weight_unit="g"),
            **shared,
        ),
    ]


def test_a_warehouse() -> None:
    raw = {
        "id": "w0",
        "name": "Lager",
        "code": "",
        "created_at": "2026-03-01T10:00:00Z",
        "updated_at": "2026-03-02T10:00:00Z",
        "address": {"city": "Łódź", "street": []},
    }
    assert mapping.warehouse(json.dumps(raw).encode()) == Warehouse(
        id="w0",
        created_date=datetime(2026, 3, 1, 10, tzinfo=UTC),
        updated_date=datetime(2026, 3, 2, 10, tzinfo=UTC),
        name="Lager",
        address=Address(city="Łódź"),
    )
