"""The test platform's records; only the fields that are read. Amounts are decimal strings in major units."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Stock = Annotated[int, msgspec.Meta(ge=-1_000_000_000, le=1_000_000_000)]


class Stamp(msgspec.Struct):
    """What every record has."""

    id: str
    created_at: Moment
    updated_at: Moment


class Address(msgspec.Struct):
    name: str | None = None
    company: str | None = None
    street: list[str] = []
    city: str | None = None
    region: str | None = None
    postcode: str | None = None
    country: str | None = None
    phone: str | None = None


class Totals(msgspec.Struct):
    discount: Decimal | None = None
    tax: Decimal | None = None
    shipping: Decimal | None = None
    total: Decimal | None = None


class Line(msgspec.Struct):
    id: str
    quantity: Quantity
    title: str | None = None
    variant_id: str | None = None
    variant_sku: str | None = None
    product_id: str | None = None
    unit_price: Decimal | None = None
    discount: Decimal | None = None
    tax: Decimal | None = None


class ShipmentLine(msgspec.Struct):
    id: str
    line_id: str
    quantity: Quantity


class Shipment(msgspec.Struct):
    id: str
    state: str
    created_at: Moment
    updated_at: Moment
    warehouse_id: str | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    lines: list[ShipmentLine] = []


class Refund(msgspec.Struct):
    id: str
    amount: Decimal
    created_at: Moment
    reason: str | None = None


class Order(Stamp):
    number: str
    status: str
    currency: str
    totals: Totals
    lines: list[Line]
    payment_status: str | None = None
    email: str | None = None
    note: str | None = None
    delivery: str | None = None
    ship_to: Address | None = None
    bill_to: Address | None = None
    shipments: list[Shipment] = []
    refunds: list[Refund] = []


class Variant(msgspec.Struct):
    id: str
    title: str
    sku: str | None = None
    barcode: str | None = None
    price: Decimal | None = None
    cost: Decimal | None = None
    grams: Decimal | None = None
    stock: dict[str, Stock] = {}


class Product(Stamp):
    title: str
    active: bool
    variants: list[Variant]
    image_url: str | None = None
    tags: list[str] = []
    categories: list[str] = []


class Warehouse(Stamp):
    name: str
    code: str | None = None
    address: Address | None = None
