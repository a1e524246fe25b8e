"""Amazon's records; only the fields that are read.

Orders are those of the Orders API 2026-01-01, listings those of the Listings Items API 2021-08-01. Amounts are decimal strings.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Stock = Annotated[int, msgspec.Meta(ge=-1_000_000_000, le=1_000_000_000)]


class Record(msgspec.Struct, rename="camel"):
    """Its fields are in camel case on the wire."""


class OrderStamp(Record):
    """What a walk reads of an order."""

    order_id: str
    created_time: Moment
    last_updated_time: Moment


class Money(Record):
    amount: Decimal
    currency_code: str


class Detail(Record):
    """A part of a tax or a discount."""

    subtype: str | None = None
    value: Money | None = None


class Breakdown(Record):
    type: str
    subtotal: Money
    detailed_breakdowns: list[Detail] | None = None


class ItemProceeds(Record):
    proceeds_total: Money | None = None
    breakdowns: list[Breakdown] | None = None


class OrderProceeds(Record):
    grand_total: Money | None = None
    breakdowns: list[Breakdown] | None = None


class ItemPrice(Record):
    unit_price: Money | None = None


class Condition(Record):
    condition_type: str | None = None
    condition_subtype: str | None = None


class Customization(Record):
    customized_url: str | None = None


class Product(Record):
    asin: str | None = None
    title: str | None = None
    seller_sku: str | None = None
    condition: Condition | None = None
    price: ItemPrice | None = None
    serial_numbers: list[str] | None = None
    customization: Customization | None = None


class PointsGranted(Record):
    points_number: int | None = None
    points_monetary_value: Money | None = None


class PointsCost(Record):
    points_granted: PointsGranted | None = None


class Expense(Record):
    points_cost: PointsCost | None = None


class PromotionBreakdown(Record):
    promotion_id: str | None = None


class Promotion(Record):
    breakdowns: list[PromotionBreakdown] | None = None


class CancellationRequest(Record):
    requester: str | None = None
    cancel_reason: str | None = None


class CancellationExecution(Record):
    cancelled_by: str | None = None
    cancel_reason: str | None = None


class Cancellation(Record):
    cancellation_request: CancellationRequest | None = None
    cancellation_execution: CancellationExecution | None = None


class GiftOption(Record):
    gift_message: str | None = None
    gift_wrap_level: str | None = None


class Packing(Record):
    gift_option: GiftOption | None = None


class ItemFulfillment(Record):
    quantity_fulfilled: int | None = None
    quantity_unfulfilled: int | None = None
    packing: Packing | None = None


class TaxCollection(Record):
    model: str | None = None
    responsible_party: str | None = None


class ItemTax(Record):
    tax_collections: list[TaxCollection] | None = None


class OrderItem(Record):
    order_item_id: str
    quantity_ordered: Quantity
    product: Product
    programs: list[str] | None = None
    proceeds: ItemProceeds | None = None
    expense: Expense | None = None
    promotion: Promotion | None = None
    cancellation: Cancellation | None = None
    fulfillment: ItemFulfillment | None = None
    tax: ItemTax | None = None


class Alias(Record):
    alias_id: str
    alias_type: str


class AssociatedOrder(Record):
    order_id: str | None = None
    association_type: str | None = None


class SalesChannel(Record):
    channel_name: str | None = None
    marketplace_id: str | None = None
    marketplace_name: str | None = None


class Buyer(Record):
    buyer_name: str | None = None
    buyer_email: str | None = None
    buyer_company_name: str | None = None
    buyer_purchase_order_number: str | None = None


class Address(Record):
    name: str | None = None
    company_name: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_line3: str | None = None
    city: str | None = None
    state_or_region: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone: str | None = None
    address_type: str | None = None


class DeliveryPreference(Record):
    drop_off_location: str | None = None
    address_instruction: str | None = None


class Recipient(Record):
    delivery_address: Address | None = None
    delivery_preference: DeliveryPreference | None = None


class Window(Record):
    earliest_date_time: Moment | None = None
    latest_date_time: Moment | None = None


class OrderFulfillment(Record):
    fulfillment_status: str
    fulfilled_by: str | None = None
    fulfillment_service_level: str | None = None
    ship_by_window: Window | None = None
    deliver_by_window: Window | None = None


class PackageStatus(Record):
    status: str
    detailed_status: str | None = None


class PackageItem(Record):
    order_item_id: str
    quantity: Quantity


class Package(Record):
    package_reference_id: str
    created_time: Moment | None = None
    package_status: PackageStatus | None = None
    carrier: str | None = None
    ship_time: Moment | None = None
    shipping_service: str | None = None
    tracking_number: str | None = None
    ship_from_address: Address | None = None
    package_items: list[PackageItem] | None = None


class PaymentExecution(Record):
    payment_method: str | None = None
    payment_amount: Money | None = None


class Payment(Record):
    payment_executions: list[PaymentExecution] | None = None


class TaxInvoicing(Record):
    invoice_status: str | None = None


class OrderTax(Record):
    tax_invoicing: TaxInvoicing | None = None


class FulfillmentOrder(Record):
    fulfillment_order_id: str


class Order(OrderStamp):
    sales_channel: SalesChannel
    order_items: list[OrderItem]
    order_aliases: list[Alias] | None = None
    programs: list[str] | None = None
    associated_orders: list[AssociatedOrder] | None = None
    buyer: Buyer | None = None
    recipient: Recipient | None = None
    proceeds: OrderProceeds | None = None
    payment: Payment | None = None
    tax: OrderTax | None = None
    fulfillment: OrderFulfillment | None = None
    packages: list[Package] | None = None
    fulfillment_orders: list[FulfillmentOrder] | None = None


class ListingImage(Record):
    link: str | None = None


class Summary(Record):
    """A listing in one marketplace."""

    marketplace_id: str
    created_date: Moment
    last_updated_date: Moment
    product_type: str | None = None
    asin: str | None = None
    fn_sku: str | None = None
    item_name: str | None = None
    condition_type: str | None = None
    status: list[str] = []
    main_image: ListingImage | None = None


class ListingStamp(Record):
    """What a walk reads of a listing."""

    sku: str
    summaries: list[Summary] = []


class Offer(Record):
    offer_type: str
    price: Money


class Availability(Record):
    fulfillment_channel_code: str
    quantity: Stock | None = None


class Relationship(Record):
    type: str
    parent_skus: list[str] | None = None
    child_skus: list[str] | None = None


class Relationships(Record):
    marketplace_id: str | None = None
    relationships: list[Relationship] = []


class Identifier(msgspec.Struct):
    """A barcode, in one marketplace."""

    type: str | None = None
    value: str | None = None
    marketplace_id: str | None = None


class Length(msgspec.Struct):
    value: Decimal | None = None
    unit: str | None = None


class Size(msgspec.Struct):
    length: Length | None = None
    width: Length | None = None
    height: Length | None = None
    marketplace_id: str | None = None


class Weight(msgspec.Struct):
    value: Decimal | None = None
    unit: str | None = None
    marketplace_id: str | None = None


class Attributes(msgspec.Struct):
    """What the product type defines. Its names are in snake case."""

    externally_assigned_product_identifier: list[Identifier] = []
    item_package_dimensions: list[Size] = []
    item_package_weight: list[Weight] = []


class Listing(ListingStamp):
    attributes: Attributes | None = None
    offers: list[Offer] | None = None
    fulfillment_availability: list[Availability] | None = None
    relationships: list[Relationships] | None = None


class Issue(Record):
    """What is wrong with a submitted listing."""

    message: str
