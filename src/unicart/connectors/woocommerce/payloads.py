"""WooCommerce's records as its REST API v3 sends them; only the fields that are read.

Amounts are decimal strings in major units, without tax wherever a tax stands beside them. Dates called ``…_gmt`` are in UTC and
say no zone. Raw records are the platform's own, wrapped together with what has to be asked for separately.
"""

from decimal import Decimal
from typing import Any, Literal

import msgspec


class Stamp(msgspec.Struct):
    """What every record has. Dates without ``gmt`` are in the shop's own time."""

    id: int
    date_created: str | None = None
    date_created_gmt: str | None = None
    date_modified: str | None = None
    date_modified_gmt: str | None = None


class Link(msgspec.Struct):
    href: str = ""


class Links(msgspec.Struct):
    itself: list[Link] = msgspec.field(name="self", default_factory=list)


class Meta(msgspec.Struct):
    key: str = ""
    value: Any = None
    display_key: Any = None
    display_value: Any = None


class Address(msgspec.Struct):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address_1: str | None = None
    address_2: str | None = None
    city: str | None = None
    state: str | None = None
    postcode: str | None = None
    country: str | None = None
    email: str | None = None
    phone: str | None = None


class Tax(msgspec.Struct):
    """A tax of a line by the id of its rate; an amount of none may be an empty string."""

    id: int
    total: Any = None


class LineItem(msgspec.Struct):
    id: int
    quantity: Decimal
    subtotal: Decimal
    total: Decimal
    total_tax: Decimal
    name: str | None = None
    product_id: int | None = None
    variation_id: int | None = None
    sku: str | None = None
    taxes: list[Tax] = []
    meta_data: list[Meta] = []


class FeeLine(msgspec.Struct):
    id: int
    total: Decimal
    total_tax: Decimal
    name: str | None = None
    taxes: list[Tax] = []
    meta_data: list[Meta] = []


class ShippingLine(msgspec.Struct):
    id: int = 0
    total: Decimal = Decimal(0)
    total_tax: Decimal = Decimal(0)
    taxes: list[Tax] = []
    method_title: str | None = None
    method_id: str | None = None


class TaxLine(msgspec.Struct):
    label: str | None = None
    rate_code: str | None = None
    rate_percent: Decimal | None = None
    tax_total: Decimal | None = None
    shipping_tax_total: Decimal | None = None


class CouponLine(msgspec.Struct):
    code: str | None = None
    discount: Decimal | None = None


class GiftCard(msgspec.Struct):
    """What a gift card of WooCommerce Gift Cards paid. Its code is money, and not read."""

    amount: Decimal
    id: int | None = None


class RefundSummary(msgspec.Struct):
    """A refund as the order tells it; ``total`` is negative."""

    id: int
    total: Decimal
    reason: str | None = None


class Order(msgspec.Struct):
    id: int
    status: str
    currency: str
    total: Decimal
    total_tax: Decimal
    shipping_total: Decimal
    discount_total: Decimal
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None
    date_paid_gmt: str | None = None
    date_completed_gmt: str | None = None
    number: str | None = None
    parent_id: int | None = None
    customer_id: int | None = None
    customer_note: str | None = None
    created_via: str | None = None
    prices_include_tax: bool | None = None
    payment_method: str | None = None
    payment_method_title: str | None = None
    transaction_id: str | None = None
    billing: Address | None = None
    shipping: Address | None = None
    line_items: list[LineItem] = []
    fee_lines: list[FeeLine] = []
    shipping_lines: list[ShippingLine] = []
    tax_lines: list[TaxLine] = []
    coupon_lines: list[CouponLine] = []
    gift_cards: list[GiftCard] = []
    refunds: list[RefundSummary] = []
    meta_data: list[Meta] = []
    links: Links | None = msgspec.field(name="_links", default=None)


class RefundLine(msgspec.Struct):
    """A refunded item; quantity and amounts are negative."""

    total: Decimal
    total_tax: Decimal
    quantity: Decimal = Decimal(-1)
    meta_data: list[Meta] = []


class Refund(msgspec.Struct):
    """A refund of `GET /refunds` or `GET /orders/{id}/refunds`; ``amount`` is positive."""

    id: int
    date_created_gmt: str | None = None
    line_items: list[RefundLine] = []
    fee_lines: list[RefundLine] = []
    shipping_lines: list[RefundLine] = []
    meta_data: list[Meta] = []


class Fulfillment(msgspec.Struct):
    """What WooCommerce itself keeps as a parcel, where Order Fulfillments is switched on. Its dates are the shop's own time."""

    id: int
    status: str | None = None
    is_fulfilled: bool | None = None
    meta_data: list[Meta] = []


class RawOrder(msgspec.Struct):
    """An order with its refunds and fulfillments in full."""

    id: int
    order: Order
    refunds: list[Refund] = []
    fulfillments: list[Fulfillment] = []


class Image(msgspec.Struct):
    src: str | None = None


class Term(msgspec.Struct):
    name: str | None = None


class Attribute(msgspec.Struct):
    """An attribute of a product (``options``) or of a variation (``option``)."""

    name: str | None = None
    option: str | None = None
    options: list[str] | None = None


class Dimensions(msgspec.Struct):
    length: str | None = None
    width: str | None = None
    height: str | None = None


class Costs(msgspec.Struct):
    total_value: Decimal | None = None


class Variation(msgspec.Struct):
    id: int
    status: str
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None
    sku: str | None = None
    global_unique_id: str | None = None
    price: str | None = None
    regular_price: str | None = None
    sale_price: str | None = None
    manage_stock: bool | Literal["parent"] | None = None
    stock_quantity: Decimal | None = None
    stock_status: str | None = None
    weight: str | None = None
    dimensions: Dimensions | None = None
    image: Image | None = None
    attributes: list[Attribute] = []
    permalink: str | None = None
    cost_of_goods_sold: Costs | None = None
    meta_data: list[Meta] = []


class Product(msgspec.Struct):
    id: int
    name: str
    status: str
    type: str | None = None
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None
    permalink: str | None = None
    sku: str | None = None
    global_unique_id: str | None = None
    price: str | None = None
    regular_price: str | None = None
    sale_price: str | None = None
    manage_stock: bool | Literal["parent"] | None = None
    stock_quantity: Decimal | None = None
    stock_status: str | None = None
    weight: str | None = None
    dimensions: Dimensions | None = None
    images: list[Image] = []
    categories: list[Term] = []
    tags: list[Term] = []
    attributes: list[Attribute] = []
    cost_of_goods_sold: Costs | None = None
    meta_data: list[Meta] = []


class RawProduct(msgspec.Struct):
    """A product with its variations, and the shop's units of weight and length."""

    id: int
    product: Product
    variations: list[Variation] = []
    weight_unit: str | None = None
    dimension_unit: str | None = None
