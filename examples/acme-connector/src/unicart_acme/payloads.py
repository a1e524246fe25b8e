"""Acme's records as it sends them; only the fields that are read. Amounts are decimal text, those of a line cover all of it."""

from datetime import datetime
from decimal import Decimal

import msgspec


class Buyer(msgspec.Struct):
    """Who bought, and where to ship to."""

    name: str | None = None
    street: str | None = None
    city: str | None = None
    zip: str | None = None
    country: str | None = None
    email: str | None = None


class Line(msgspec.Struct):
    """Some of one article; ``price`` is that of a unit."""

    id: str
    quantity: int
    price: Decimal
    discount: Decimal
    tax: Decimal
    sku: str | None = None


class Order(msgspec.Struct):
    """An order of GET /orders."""

    id: str
    number: str
    created_at: datetime
    changed_at: datetime
    state: str
    currency: str
    total: Decimal
    shipping: Decimal
    lines: list[Line]
    buyer: Buyer | None = None
