"""Shopify's record shapes, only the fields that are read. Fields are those of the Admin GraphQL API, in snake_case.

A raw record is what the client makes of a query's answer: its ``id`` is the number at the end of Shopify's global id (those
inside are global still), its connections are plain lists, and ``shop_domain``, which is not Shopify's, is the shop's.
Amounts are decimal strings in major units; of each, the one in the buyer's (the presentment) currency is read.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Stock = Annotated[int, msgspec.Meta(ge=-1_000_000_000, le=1_000_000_000)]


class Named(msgspec.Struct, frozen=True):
    """A reference by global id."""

    id: str


class Money(msgspec.Struct, frozen=True):
    amount: Decimal


class MoneyBag(msgspec.Struct, frozen=True, rename="camel"):
    presentment_money: Money
    shop_money: Money | None = None


class Address(msgspec.Struct, frozen=True, rename="camel"):
    name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    province: str | None = None
    province_code: str | None = None
    zip: str | None = None
    country: str | None = None
    country_code_v2: str | None = None
    phone: str | None = None


class TaxLine(msgspec.Struct, frozen=True, rename="camel"):
    price_set: MoneyBag


class DiscountAllocation(msgspec.Struct, frozen=True, rename="camel"):
    allocated_amount_set: MoneyBag


class LineItem(msgspec.Struct, frozen=True, rename="camel"):
    """``quantity``, discounts and taxes count units that were refunded or removed; ``current_quantity`` does not."""

    id: str
    title: str
    quantity: Quantity
    current_quantity: Quantity
    original_unit_price_set: MoneyBag
    discount_allocations: list[DiscountAllocation]
    tax_lines: list[TaxLine]
    sku: str | None = None
    is_gift_card: bool = False
    variant: Named | None = None
    product: Named | None = None


class ShippingLine(msgspec.Struct, frozen=True, rename="camel"):
    title: str
    tax_lines: list[TaxLine]
    code: str | None = None
    carrier_identifier: str | None = None


class PartOfFulfillmentOrder(msgspec.Struct, frozen=True, rename="camel"):
    total_quantity: Quantity
    line_item: Named
    id: str = ""
    remaining_quantity: Quantity = 0


class AssignedLocation(msgspec.Struct, frozen=True):
    location: Named | None = None


class FulfillmentOrder(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    status: str
    created_at: Moment
    updated_at: Moment
    assigned_location: AssignedLocation
    line_items: list[PartOfFulfillmentOrder]
    fulfill_at: Moment | None = None
    fulfill_by: Moment | None = None


class Tracking(msgspec.Struct, frozen=True):
    company: str | None = None
    number: str | None = None
    url: str | None = None


class FulfillmentLineItem(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    line_item: Named
    quantity: Quantity | None = None


class Fulfillment(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    status: str
    created_at: Moment
    updated_at: Moment
    tracking_info: list[Tracking]
    fulfillment_line_items: list[FulfillmentLineItem]
    fulfillment_orders: list[Named]
    display_status: str | None = None
    location: Named | None = None


class RefundLineItem(msgspec.Struct, frozen=True, rename="camel"):
    """``subtotal_set`` is after discounts, and with tax where prices include it."""

    quantity: Quantity
    subtotal_set: MoneyBag
    total_tax_set: MoneyBag
    line_item: Named


class RefundShippingLine(msgspec.Struct, frozen=True, rename="camel"):
    tax_amount_set: MoneyBag


class Refund(msgspec.Struct, frozen=True, rename="camel"):
    """Money paid back, or, with an amount of zero, units taken off the order."""

    id: str
    total_refunded_set: MoneyBag
    refund_line_items: list[RefundLineItem]
    refund_shipping_lines: list[RefundShippingLine]
    created_at: Moment | None = None
    note: str | None = None


class Metafield(msgspec.Struct, frozen=True, rename="camel"):
    value: str
    compare_digest: str


class Order(msgspec.Struct, frozen=True, rename="camel"):
    """``current_…`` amounts are those after refunds, edits and cancellation. ``metafield`` is the one of our shipments."""

    id: str
    shop_domain: str
    name: str
    created_at: Moment
    updated_at: Moment
    processed_at: Moment
    taxes_included: bool
    currency_code: str
    presentment_currency_code: str
    display_fulfillment_status: str
    current_total_price_set: MoneyBag
    current_total_tax_set: MoneyBag
    current_shipping_price_set: MoneyBag
    line_items: list[LineItem]
    shipping_lines: list[ShippingLine]
    fulfillment_orders: list[FulfillmentOrder]
    fulfillments: list[Fulfillment]
    refunds: list[Refund]
    duties_included: bool = False
    current_total_duties_set: MoneyBag | None = None
    current_total_additional_fees_set: MoneyBag | None = None
    display_financial_status: str | None = None
    closed_at: Moment | None = None
    cancelled_at: Moment | None = None
    cancel_reason: str | None = None
    test: bool = False
    email: str | None = None
    note: str | None = None
    po_number: str | None = None
    source_name: str | None = None
    tags: list[str] = []
    discount_codes: list[str] = []
    shipping_address: Address | None = None
    billing_address: Address | None = None
    metafield: Metafield | None = None


class RefundableShipping(msgspec.Struct, frozen=True, rename="camel"):
    maximum_refundable_set: MoneyBag
    tax_set: MoneyBag


class SuggestedTransaction(msgspec.Struct, frozen=True, rename="camel"):
    """A payment that can be paid back, and how much of it."""

    amount_set: MoneyBag
    gateway: str | None = None
    parent_transaction: Named | None = None
    maximum_refundable_set: MoneyBag | None = None


class Refundable(msgspec.Struct, frozen=True, rename="camel"):
    """A refund as Shopify suggests it."""

    maximum_refundable_set: MoneyBag
    shipping: RefundableShipping
    refund_line_items: list[RefundLineItem]
    suggested_transactions: list[SuggestedTransaction]


class Image(msgspec.Struct, frozen=True):
    url: str


class Preview(msgspec.Struct, frozen=True):
    image: Image | None = None


class Media(msgspec.Struct, frozen=True):
    preview: Preview | None = None


class MediaList(msgspec.Struct, frozen=True):
    nodes: list[Media]


class Weight(msgspec.Struct, frozen=True):
    unit: str
    value: Decimal


class Measurement(msgspec.Struct, frozen=True):
    weight: Weight | None = None


class NamedQuantity(msgspec.Struct, frozen=True):
    name: str
    quantity: Stock


class InventoryLevel(msgspec.Struct, frozen=True, rename="camel"):
    updated_at: Moment
    location: Named
    quantities: list[NamedQuantity]


class InventoryItem(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    tracked: bool
    inventory_levels: list[InventoryLevel]
    unit_cost: Money | None = None
    measurement: Measurement | None = None


class Variant(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    title: str
    created_at: Moment
    updated_at: Moment
    price: Decimal
    inventory_item: InventoryItem
    requires_components: bool = False
    sku: str | None = None
    barcode: str | None = None
    media: MediaList = MediaList([])


class Category(msgspec.Struct, frozen=True, rename="camel"):
    full_name: str


class Product(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    shop_domain: str
    title: str
    status: str
    handle: str
    created_at: Moment
    updated_at: Moment
    variants: list[Variant]
    vendor: str | None = None
    product_type: str | None = None
    is_gift_card: bool = False
    has_variants_that_requires_components: bool = False
    tags: list[str] = []
    category: Category | None = None
    featured_media: Media | None = None


class LocationAddress(msgspec.Struct, frozen=True, rename="camel"):
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    province: str | None = None
    province_code: str | None = None
    zip: str | None = None
    country: str | None = None
    country_code: str | None = None
    phone: str | None = None


class Location(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    name: str
    created_at: Moment
    updated_at: Moment
    is_active: bool
    address: LocationAddress
    fulfills_online_orders: bool | None = None
