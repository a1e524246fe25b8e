"""BigCommerce's records as its APIs send them; only the fields that are read.

V2 writes amounts as decimal strings with four places and dates as RFC 2822 says; V3 writes numbers and ISO 8601.
"""

from decimal import Decimal
from typing import Annotated

import msgspec

Quantity = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Stock = Annotated[int, msgspec.Meta(ge=-10_000_000_000, le=10_000_000_000)]


class OrderHead(msgspec.Struct):
    """What decides whether an order is pulled, and what has to be asked for besides."""

    id: int
    status_id: int
    items_total: int = 0
    items_shipped: int = 0
    consignments: "Consignments | None" = None


class Address(msgspec.Struct):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    street_1: str | None = None
    street_2: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    country_iso2: str | None = None
    phone: str | None = None
    email: str | None = None


class Discount(msgspec.Struct):
    amount: Decimal | None = None
    code: str | None = None


class Option(msgspec.Struct):
    display_name: str | None = None
    display_value: str | None = None


class Line(msgspec.Struct):
    id: int
    quantity: Quantity
    total_ex_tax: Decimal
    total_tax: Decimal
    product_id: int | None = None
    variant_id: int | None = None
    name: str | None = None
    sku: str | None = None
    price_ex_tax: Decimal | None = None
    discounted_total_inc_tax: Decimal | None = None
    wrapping_name: str | None = None
    wrapping_message: str | None = None
    wrapping_cost_ex_tax: Decimal = Decimal(0)
    order_address_id: int | None = None
    quantity_shipped: Quantity = 0
    applied_discounts: list[Discount] = []
    product_options: list[Option] = []


class Shipping(Address):
    id: int = 0
    shipping_method: str | None = None
    items_total: int = 0
    items_shipped: int = 0
    cost_ex_tax: Decimal = Decimal(0)
    cost_inc_tax: Decimal | None = None
    handling_cost_ex_tax: Decimal = Decimal(0)
    handling_cost_inc_tax: Decimal | None = None
    line_items: list[Line] = []


class PickupLocation(msgspec.Struct):
    id: int | None = None


class Pickup(msgspec.Struct):
    id: int
    pickup_method_display_name: str | None = None
    location: PickupLocation | None = None
    line_items: list[Line] = []


class Digital(msgspec.Struct):
    line_items: list[Line] = []


class Email(msgspec.Struct):
    gift_certificates: list[Digital] = []


class Consignments(msgspec.Struct):
    """Where the goods go. Without ``shipping``, the answer only says where consignments could be read."""

    shipping: list[Shipping]
    pickups: list[Pickup] = []
    downloads: list[Digital] = []
    email: Email | None = None


class Fee(msgspec.Struct):
    id: int
    cost_ex_tax: Decimal
    cost_inc_tax: Decimal | None = None
    display_name_customer: str | None = None


class Resource(msgspec.Struct):
    url: str | None = None


class Order(msgspec.Struct):
    id: int
    date_created: str
    date_modified: str
    status_id: int
    default_currency_code: str
    total_inc_tax: Decimal
    total_tax: Decimal
    consignments: Consignments
    status: str | None = None
    custom_status: str | None = None
    shipping_cost_ex_tax: Decimal = Decimal(0)
    handling_cost_ex_tax: Decimal = Decimal(0)
    wrapping_cost_ex_tax: Decimal = Decimal(0)
    discount_amount: Decimal = Decimal(0)
    coupon_discount: Decimal = Decimal(0)
    store_credit_amount: Decimal = Decimal(0)
    gift_certificate_amount: Decimal = Decimal(0)
    is_tax_inclusive_pricing: bool = False
    items_total: int = 0
    items_shipped: int = 0
    coupons: Resource | None = None
    fees: list[Fee] = []
    billing_address: Address | None = None
    payment_status: str | None = None
    payment_method: str | None = None
    currency_code: str | None = None
    currency_exchange_rate: Decimal | None = None
    store_default_currency_code: str | None = None
    store_default_to_transactional_exchange_rate: Decimal | None = None
    is_deleted: bool = False
    order_is_digital: bool = False
    customer_id: int | None = None
    customer_message: str | None = None
    staff_notes: str | None = None
    channel_id: int | None = None
    order_source: str | None = None
    external_source: str | None = None
    external_id: str | None = None
    external_order_id: str | None = None


class ShipmentItem(msgspec.Struct):
    order_product_id: int
    quantity: Quantity


class Shipment(msgspec.Struct):
    id: int
    date_created: str | None = None
    order_address_id: int | None = None
    tracking_number: str | None = None
    shipping_method: str | None = None
    shipping_provider: str | None = None
    shipping_provider_display_name: str | None = None
    tracking_carrier: str | None = None
    tracking_link: str | None = None
    generated_tracking_link: str | None = None
    comments: str | None = None
    items: list[ShipmentItem] = []


class RefundItem(msgspec.Struct):
    item_type: str
    item_id: int
    quantity: Quantity | None = None
    requested_amount: Decimal | None = None
    reason: str | None = None


class RefundPayment(msgspec.Struct):
    amount: Decimal = Decimal(0)
    is_declined: bool = False
    declined_message: str | None = None


class Refund(msgspec.Struct):
    id: int
    order_id: int
    created: str
    total_amount: Decimal
    reason: str | None = None
    items: list[RefundItem] = []
    payments: list[RefundPayment] = []


class PaymentOption(msgspec.Struct):
    provider_id: str
    amount: Decimal
    provider_description: str | None = None
    offline: bool = False
    offline_provider: bool = False
    offline_reason: str | None = None


class Quote(msgspec.Struct):
    """What BigCommerce would pay back, and by which providers; each method is one or several payments."""

    total_refund_amount: Decimal
    total_refund_tax_amount: Decimal = Decimal(0)
    adjustment: Decimal = Decimal(0)
    refund_methods: list[list[PaymentOption]] = []


class RawOrder(msgspec.Struct):
    """An order with what BigCommerce keeps beside it. ``products`` only where its consignments do not hold all of them."""

    id: int
    order: Order
    products: list[Line] | None = None
    shipments: list[Shipment] = []
    refunds: list[Refund] = []


class OptionValue(msgspec.Struct):
    label: str | None = None
    option_display_name: str | None = None


class Variant(msgspec.Struct):
    id: int
    sku: str | None = None
    upc: str | None = None
    gtin: str | None = None
    price: Decimal | None = None
    cost_price: Decimal | None = None
    sale_price: Decimal | None = None
    weight: Decimal | None = None
    width: Decimal | None = None
    height: Decimal | None = None
    depth: Decimal | None = None
    purchasing_disabled: bool = False
    image_url: str | None = None
    inventory_level: Stock | None = None
    option_values: list[OptionValue] = []


class Image(msgspec.Struct):
    url_standard: str | None = None


class Product(msgspec.Struct):
    id: int
    name: str
    date_created: str
    date_modified: str
    variants: list[Variant]
    type: str | None = None
    sku: str | None = None
    upc: str | None = None
    gtin: str | None = None
    price: Decimal | None = None
    cost_price: Decimal | None = None
    sale_price: Decimal | None = None
    weight: Decimal | None = None
    width: Decimal | None = None
    height: Decimal | None = None
    depth: Decimal | None = None
    is_visible: bool = True
    availability: str | None = None
    inventory_tracking: str | None = None
    inventory_level: Stock | None = None
    categories: list[int] = []
    brand_id: int | None = None
    primary_image: Image | None = None


class RawProduct(msgspec.Struct):
    """A product with the store and its units, the names of its categories, and what of each variant each location can sell."""

    id: int
    product: Product
    store_hash: str | None = None
    category_names: dict[str, str] = {}
    levels: dict[str, dict[str, Stock]] = {}
    weight_units: str | None = None
    dimension_units: str | None = None


class LocationAddress(msgspec.Struct):
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    email: str | None = None
    phone: str | None = None
    country_code: str | None = None


class Location(msgspec.Struct):
    id: int
    label: str
    created_at: str
    updated_at: str
    code: str | None = None
    type_id: str | None = None
    enabled: bool | None = None
    time_zone: str | None = None
    address: LocationAddress | None = None
