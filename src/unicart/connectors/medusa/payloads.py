"""Medusa's records as its Admin API sends them; only the fields that are read.

Amounts are decimal numbers in major units. The ``raw_*`` objects beside them are Medusa's working figures, with the noise of
their division in the eighteenth digit; the plain numbers are what its Admin shows.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Store(msgspec.Struct):
    id: str
    name: str
    supported_currencies: list["StoreCurrency"] = []


class StoreCurrency(msgspec.Struct):
    currency_code: str
    is_default: bool = False


class Stores(msgspec.Struct):
    stores: list[Store] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.stores:
            raise ValueError("has no store")


class Stamp(msgspec.Struct):
    """What every record has; the dates as Medusa writes them, in UTC with milliseconds, so that they sort as text."""

    id: str
    updated_at: str
    created_at: str = ""


class Address(msgspec.Struct):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address_1: str | None = None
    address_2: str | None = None
    city: str | None = None
    province: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone: str | None = None
    updated_at: Moment | None = None


class ItemDetail(msgspec.Struct):
    fulfilled_quantity: Decimal = Decimal(0)
    return_received_quantity: Decimal = Decimal(0)
    return_dismissed_quantity: Decimal = Decimal(0)
    written_off_quantity: Decimal = Decimal(0)


class Item(msgspec.Struct):
    id: str
    quantity: Decimal
    variant_id: str | None = None
    variant_sku: str | None = None
    product_id: str | None = None
    title: str | None = None
    subtitle: str | None = None
    subtotal: Decimal = Decimal(0)
    discount_subtotal: Decimal = Decimal(0)
    tax_total: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    return_received_total: Decimal = Decimal(0)
    return_dismissed_total: Decimal = Decimal(0)
    requires_shipping: bool = True
    detail: ItemDetail = msgspec.field(default_factory=ItemDetail)


class ShippingMethod(msgspec.Struct):
    id: str
    total: Decimal = Decimal(0)
    name: str | None = None
    shipping_option_id: str | None = None


class FulfillmentItem(msgspec.Struct):
    id: str
    quantity: Decimal
    line_item_id: str | None = None
    inventory_item_id: str | None = None


class Label(msgspec.Struct):
    tracking_number: str | None = None
    tracking_url: str | None = None


class Fulfillment(msgspec.Struct):
    id: str
    location_id: str | None = None
    provider_id: str | None = None
    shipping_option_id: str | None = None
    shipped_at: Moment | None = None
    delivered_at: Moment | None = None
    canceled_at: Moment | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    items: list[FulfillmentItem] = []
    labels: list[Label] = []
    metadata: dict[str, Any] | None = None


class RefundReason(msgspec.Struct):
    id: str | None = None
    label: str | None = None
    code: str | None = None


class RefundReasons(msgspec.Struct):
    refund_reasons: list[RefundReason]


class Refund(msgspec.Struct):
    id: str
    amount: Decimal
    created_at: Moment | None = None
    note: str | None = None
    refund_reason: RefundReason | None = None


class Capture(msgspec.Struct):
    amount: Decimal


class Payment(msgspec.Struct):
    id: str
    captures: list[Capture] = []
    refunds: list[Refund] = []


class Payments(msgspec.Struct):
    payments: list[Payment]


class PaymentCollection(msgspec.Struct):
    id: str
    updated_at: Moment
    payments: list[Payment] = []


class Order(msgspec.Struct):
    id: str
    status: str
    created_at: Moment
    updated_at: Moment
    currency_code: str
    display_id: int | None = None
    custom_display_id: str | None = None
    email: str | None = None
    fulfillment_status: str | None = None
    payment_status: str | None = None
    canceled_at: Moment | None = None
    total: Decimal | None = None
    tax_total: Decimal | None = None
    discount_subtotal: Decimal | None = None
    shipping_subtotal: Decimal | None = None
    credit_line_total: Decimal | None = None
    items: list[Item] | None = None
    shipping_methods: list[ShippingMethod] | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    fulfillments: list[Fulfillment] | None = None
    payment_collections: list[PaymentCollection] | None = None
    metadata: dict[str, Any] | None = None


class Price(msgspec.Struct):
    amount: Decimal
    currency_code: str
    min_quantity: Decimal | None = None
    rules: dict[str, Any] | None = None


class Level(msgspec.Struct):
    location_id: str
    updated_at: Moment
    available_quantity: Decimal = Decimal(0)
    stocked_quantity: Decimal = Decimal(0)


class InventoryItem(msgspec.Struct):
    location_levels: list[Level] = []


class InventoryLink(msgspec.Struct):
    required_quantity: Decimal = Decimal(1)
    inventory_item_id: str | None = None
    inventory: InventoryItem | None = None


class Variant(msgspec.Struct):
    id: str
    created_at: Moment
    updated_at: Moment
    title: str | None = None
    sku: str | None = None
    barcode: str | None = None
    ean: str | None = None
    upc: str | None = None
    weight: Decimal | None = None
    length: Decimal | None = None
    width: Decimal | None = None
    height: Decimal | None = None
    manage_inventory: bool | None = None
    thumbnail: str | None = None
    prices: list[Price] | None = None
    inventory_items: list[InventoryLink] | None = None


class Named(msgspec.Struct):
    name: str | None = None
    value: str | None = None


class Image(msgspec.Struct):
    url: str | None = None


class Product(msgspec.Struct):
    id: str
    title: str
    status: str
    created_at: Moment
    updated_at: Moment
    thumbnail: str | None = None
    handle: str | None = None
    variants: list[Variant] | None = None
    categories: list[Named] | None = None
    tags: list[Named] | None = None
    images: list[Image] | None = None


class RawProduct(msgspec.Struct):
    """A product with the shop's default currency, which decides the price that is shown."""

    id: str
    currency_code: str
    product: Product


class StockLocation(msgspec.Struct):
    id: str
    name: str
    created_at: Moment
    updated_at: Moment
    address: Address | None = None
