"""The sandbox platform's own records. Amounts are integers in the currency's minor unit; dates are UTC."""

from datetime import datetime

import msgspec


class Place(msgspec.Struct, omit_defaults=True):
    """A postal address with its contact."""

    name: str | None = None
    company: str | None = None
    street: list[str] = []
    city: str | None = None
    region: str | None = None
    postcode: str | None = None
    country: str | None = None
    phone: str | None = None
    email: str | None = None


class Line(msgspec.Struct):
    """An ordered position. ``discount``, ``coupon`` and ``tax`` cover all units that are not cancelled."""

    id: str
    product: str | None
    variant: str | None
    product_sku: str | None
    variant_sku: str | None
    title: str
    ordered: int
    cancelled: int
    price: int
    discount: int
    coupon: int
    tax: int


class Part(msgspec.Struct):
    """Some units of a line in a fulfilment request or a parcel."""

    id: str
    line: str
    units: int


class FulfilmentRequest(msgspec.Struct):
    """What one warehouse is asked to send."""

    id: str
    state: str
    warehouse: str
    opened_at: datetime
    changed_at: datetime
    parts: list[Part]


class Parcel(msgspec.Struct, omit_defaults=True):
    """A parcel on its way. One that was told has a carrier and a method of its own, and the reference it was told with."""

    id: str
    state: str
    warehouse: str
    tracking: str | None
    tracking_url: str | None
    requests: list[str]
    packed_at: datetime
    changed_at: datetime
    parts: list[Part]
    carrier: str | None = None
    method: str | None = None
    reference: str | None = None


class RefundLine(msgspec.Struct):
    """Units of a line that are paid back, with their amount."""

    line: str
    units: int
    amount: int


class Refund(msgspec.Struct, omit_defaults=True):
    """Money paid back."""

    id: str
    amount: int
    reason: str | None
    paid_at: datetime
    lines: list[RefundLine]
    note: str | None = None
    reference: str | None = None


class Delivery(msgspec.Struct):
    """How the buyer wants it sent, and by whom it is sent."""

    wish: str | None
    code: str | None
    title: str | None
    carrier: str | None
    carrier_title: str | None
    amount: int


class Totals(msgspec.Struct):
    """The order's sums. ``grand`` = goods − discount + tax + delivery."""

    goods: int
    discount: int
    tax: int
    grand: int


class Order(msgspec.Struct):
    """An order of the sandbox platform."""

    id: str
    number: str | None
    client: str | None
    placed_at: datetime
    changed_at: datetime
    state: str
    payment: str
    currency: str
    totals: Totals
    delivery: Delivery
    send_from: datetime | None
    send_until: datetime | None
    ship_to: Place | None
    bill_to: Place | None
    lines: list[Line]
    requests: list[FulfilmentRequest]
    parcels: list[Parcel]
    refunds: list[Refund]
    coupon_code: str | None
    note: str | None


class Size(msgspec.Struct):
    """Outer size in tenths of a centimetre and weight in grams."""

    length: int
    width: int
    height: int
    grams: int


class Variant(msgspec.Struct):
    """What can be bought of a product. ``price`` and ``cost`` are US cents."""

    id: str
    sku: str | None
    title: str
    barcode: str | None
    price: int
    cost: int | None
    stock: dict[str, int]
    size: Size | None


class Product(msgspec.Struct, omit_defaults=True):
    """A product with its variants. ``adjusted`` are the references of the last changes of its stock."""

    id: str
    sku: str | None
    title: str
    created_at: datetime
    changed_at: datetime
    on_sale: bool
    bundle: bool
    image: str | None
    labels: dict[str, str]
    shelves: list[str]
    variants: list[Variant]
    adjusted: list[str] = []


class Warehouse(msgspec.Struct):
    """A place that holds stock."""

    id: str
    code: str
    title: str
    created_at: datetime
    changed_at: datetime
    address: Place
