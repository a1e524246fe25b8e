"""Vendure's record shapes, only the fields that are read. Fields are Vendure's, in snake_case.

Money is an integer in units of 10^-``money_precision`` of the currency. That field is not Vendure's: the client adds it.
"""

from datetime import datetime
from typing import Annotated

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware date; one without a zone is refused."""


class Address(msgspec.Struct, frozen=True, rename="camel"):
    """An address as it was when the order was placed. All fields are null if there is none."""

    full_name: str | None = None
    company: str | None = None
    street_line1: str | None = None
    street_line2: str | None = None
    city: str | None = None
    province: str | None = None
    postal_code: str | None = None
    country: str | None = None
    country_code: str | None = None
    phone_number: str | None = None


class Customer(msgspec.Struct, frozen=True, rename="camel"):
    """The buyer."""

    email_address: str


class LineVariant(msgspec.Struct, frozen=True, rename="camel"):
    """The variant of a line as it is now."""

    id: str
    sku: str
    product_id: str


class Line(msgspec.Struct, frozen=True, rename="camel"):
    """An ordered position. ``quantity`` is without cancelled units. Prices: ``line_price`` is without tax and discounts;
    ``prorated_line_price`` is what is charged without tax, after the line's and its share of the order's discounts."""

    id: str
    quantity: int
    unit_price: int
    line_price: int
    prorated_line_price: int
    prorated_line_price_with_tax: int
    product_variant: LineVariant


class Surcharge(msgspec.Struct, frozen=True, rename="camel"):
    """An amount that belongs to no variant."""

    id: str
    description: str
    price: int
    price_with_tax: int
    sku: str | None = None


class ShippingMethod(msgspec.Struct, frozen=True, rename="camel"):
    """The way of shipping that was chosen."""

    id: str
    name: str


class ShippingLine(msgspec.Struct, frozen=True, rename="camel"):
    """One chosen way of shipping."""

    shipping_method: ShippingMethod


class Part(msgspec.Struct, frozen=True, rename="camel"):
    """Units of a line in a fulfilment or refund."""

    order_line_id: str
    quantity: int


class Refund(msgspec.Struct, frozen=True, rename="camel"):
    """Money paid back, or to be paid back while ``state`` is Pending."""

    id: str
    created_at: Moment
    updated_at: Moment
    state: str
    total: int
    lines: list[Part]
    reason: str | None = None


class Payment(msgspec.Struct, frozen=True, rename="camel"):
    """A payment or an attempt at one."""

    id: str
    updated_at: Moment
    state: str
    method: str
    amount: int
    refunds: list[Refund]
    transaction_id: str | None = None


class Fulfillment(msgspec.Struct, frozen=True, rename="camel"):
    """Units that are sent together. Its lines may belong to several orders."""

    id: str
    created_at: Moment
    updated_at: Moment
    state: str
    method: str
    lines: list[Part]
    tracking_code: str | None = None


class HistoryData(msgspec.Struct, frozen=True):
    """What an entry says: a note its text, a cancellation its reason."""

    note: str | None = None
    reason: str | None = None


class HistoryEntry(msgspec.Struct, frozen=True):
    """A line of an order's history."""

    id: str
    data: HistoryData


class History(msgspec.Struct, frozen=True):
    """An order's history, the newest first."""

    items: list[HistoryEntry]


class HandlerOfMethod(msgspec.Struct, frozen=True, rename="camel"):
    """A way of shipping and the code of what makes its fulfilments."""

    fulfillment_handler_code: str


class HandlerOfLine(msgspec.Struct, frozen=True, rename="camel"):
    """The chosen way of shipping."""

    shipping_method: HandlerOfMethod


class OrderToShip(msgspec.Struct, frozen=True, rename="camel"):
    """What a shipment needs to know besides the order: its handlers, and its notes."""

    shipping_lines: list[HandlerOfLine]
    history: History


class PlacedLine(msgspec.Struct, frozen=True, rename="camel"):
    """How many units were ordered; 0 if the line was added later."""

    id: str
    order_placed_quantity: int


class ShippingRefund(msgspec.Struct, frozen=True):
    """How much of a refund is for shipping."""

    id: str
    shipping: int


class RefundedPayment(msgspec.Struct, frozen=True):
    """A payment's refunds."""

    refunds: list[ShippingRefund]


class OrderToRefund(msgspec.Struct, frozen=True, rename="camel"):
    """What a refund needs to know besides the order. ``history`` holds cancellations, if they were asked for."""

    shipping_with_tax: int
    lines: list[PlacedLine]
    payments: list[RefundedPayment]
    history: History = History([])


class Modification(msgspec.Struct, frozen=True, rename="camel"):
    """A change of the order after it was placed."""

    updated_at: Moment


class Order(msgspec.Struct, frozen=True, rename="camel"):
    """An order. ``shipping`` and ``total`` are without tax, after discounts."""

    id: str
    money_precision: int
    code: str
    type: str
    state: str
    updated_at: Moment
    currency_code: str
    lines: list[Line]
    surcharges: list[Surcharge]
    shipping_lines: list[ShippingLine]
    shipping: int
    total: int
    total_with_tax: int
    coupon_codes: list[str]
    order_placed_at: Moment | None = None
    aggregate_order_id: str | None = None
    customer: Customer | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    payments: list[Payment] | None = None
    fulfillments: list[Fulfillment] | None = None
    modifications: list[Modification] = []


class Asset(msgspec.Struct, frozen=True, rename="camel"):
    """A picture. ``source`` is a URL, or a path if the server is configured so."""

    source: str


class Facet(msgspec.Struct, frozen=True, rename="camel"):
    """What a facet value is a value of."""

    name: str


class FacetValue(msgspec.Struct, frozen=True, rename="camel"):
    """A tag."""

    name: str
    facet: Facet


class Collection(msgspec.Struct, frozen=True, rename="camel"):
    """A category."""

    name: str


class Price(msgspec.Struct, frozen=True, rename="camel"):
    """A variant's price as it was entered in this channel."""

    currency_code: str
    price: int


class StockLevel(msgspec.Struct, frozen=True, rename="camel"):
    """Stock in one location. Allocated units are sold but not yet fulfilled."""

    stock_location_id: str
    stock_on_hand: int
    stock_allocated: int
    updated_at: Moment


class Variant(msgspec.Struct, frozen=True, rename="camel"):
    """What can be bought. ``track_inventory`` is TRUE, FALSE or INHERIT."""

    id: str
    created_at: Moment
    updated_at: Moment
    name: str
    sku: str
    enabled: bool
    currency_code: str
    price: int
    prices: list[Price]
    track_inventory: str
    facet_values: list[FacetValue]
    stock_levels: list[StockLevel]
    featured_asset: Asset | None = None


class Product(msgspec.Struct, frozen=True, rename="camel"):
    """A product with all its variants."""

    id: str
    money_precision: int
    created_at: Moment
    updated_at: Moment
    name: str
    slug: str
    enabled: bool
    facet_values: list[FacetValue]
    collections: list[Collection]
    variants: list[Variant]
    featured_asset: Asset | None = None


class StockLocation(msgspec.Struct, frozen=True, rename="camel"):
    """A place that holds stock."""

    id: str
    created_at: Moment
    updated_at: Moment
    name: str
    description: str
