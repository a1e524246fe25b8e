"""The unified order. Field meanings follow the Cart API's order page; later additions are marked.

All money of an order is in its ``invoice_currency_code``. All dates are UTC, whole seconds.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from unicart.contract.common import Address, Tag, require_numbers, whole_second


class OrderStatus(StrEnum):
    """Where an order stands. ``other`` is any state without a counterpart; ``raw_status`` then tells it."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    PROCESSING = "processing"
    PARTIALLY_FULFILLED = "partially_fulfilled"
    FULFILLED = "fulfilled"
    EXCEPTION = "exception"
    CANCELLED = "cancelled"
    BACKORDERED = "backordered"
    OTHER = "other"


class ShipmentStatus(StrEnum):
    """Where a shipment or a shipping group stands."""

    OPEN = "open"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    EXCEPTION = "exception"
    ON_HOLD = "on_hold"
    OTHER = "other"


def shipping_method_alias(*candidates: str | None) -> str | None:
    """The older name ``shipping_method``: the first of id, name and requested method that is known."""
    return next((candidate for candidate in candidates if candidate), None)


class LineItem(msgspec.Struct, frozen=True, kw_only=True):
    """One ordered position.

    ``unit_price``, ``discount`` and ``tax`` are per unit; ``total_discount`` and ``total_tax`` are the line's exact
    amounts as the platform charged them. ``product_id`` is null for a custom item.
    """

    line_item_id: str
    product_id: str | None = None
    product_sku: str | None = None
    parent_product_id: str | None = None
    parent_product_sku: str | None = None
    quantity: int
    unit_price: Decimal | None = None
    discount: Decimal | None = None
    tax: Decimal | None = None
    total_discount: Decimal | None = None
    total_tax: Decimal | None = None

    def __post_init__(self) -> None:
        require_numbers(self, "unit_price", "discount", "tax", "total_discount", "total_tax")


class ShippingGroupLineItem(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a line item that a shipping group covers."""

    line_item_id: str
    product_id: str | None = None
    product_sku: str | None = None
    parent_product_id: str | None = None
    quantity: int


class ShippingGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Items that one warehouse is asked to ship together (Shopify's fulfilment order)."""

    shipping_group_id: str
    created_date: datetime | None = None
    updated_date: datetime | None = None
    raw_status: str | None = None
    status: ShipmentStatus | None = None
    warehouse_id: str | None = None
    line_items: list[ShippingGroupLineItem] = []

    def __post_init__(self) -> None:
        _cut_dates(self, "created_date", "updated_date")


class ShipmentLineItem(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a line item that a shipment carries."""

    shipment_line_item_id: str
    product_id: str | None = None
    product_sku: str | None = None
    parent_product_id: str | None = None
    parent_product_sku: str | None = None
    quantity: int


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel, or what the platform keeps as one fulfilment.

    ``carrier`` and ``shipping_method`` are the older names of ``carrier_name`` and of the first known shipping method
    field; they are derived and cannot be set.
    """

    shipment_id: str
    raw_status: str | None = None
    status: ShipmentStatus | None = None
    warehouse_id: str | None = None
    carrier: str | None = None
    shipping_method: str | None = None
    shipping_method_id: str | None = None
    shipping_method_name: str | None = None
    carrier_id: str | None = None
    carrier_name: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    shipping_groups: list[str] = []
    created_date: datetime | None = None
    updated_date: datetime | None = None
    line_items: list[ShipmentLineItem] = []

    def __post_init__(self) -> None:
        _cut_dates(self, "created_date", "updated_date")
        msgspec.structs.force_setattr(self, "carrier", self.carrier_name)
        method = shipping_method_alias(self.shipping_method_id, self.shipping_method_name)
        msgspec.structs.force_setattr(self, "shipping_method", method)


class RefundLineItem(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a line item that a refund pays back. ``amount`` covers all of ``quantity``."""

    line_item_id: str
    quantity: int
    amount: Decimal | None = None

    def __post_init__(self) -> None:
        require_numbers(self, "amount")


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money paid back. Unicart's own: connectors list refunds in ``additional_fields["refunds"]``, in one shape."""

    refund_id: str
    amount: Decimal
    created_date: datetime | None = None
    reason: str | None = None
    note: str | None = None
    line_items: list[RefundLineItem] = []

    def __post_init__(self) -> None:
        require_numbers(self, "amount")
        _cut_dates(self, "created_date")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a connector maps it: everything but what Unicart itself adds.

    ``shipping_method`` is the older name of the first known of ``shipping_method_id``, ``shipping_method_name`` and
    ``requested_shipping_method``; it is derived and cannot be set. ``warehouse_customer_id`` is the 3PL's client that
    owns the order. ``order_number`` falls back to the id. ``additional_fields`` carries what has no field of its own;
    ``refunds`` (a list of `Refund`), ``total_refunded`` and ``payment_status`` have these names on every platform.
    """

    id: str
    order_number: str
    warehouse_customer_id: str | None = None
    created_date: datetime
    updated_date: datetime
    status: OrderStatus
    raw_status: str | None = None
    shipping_method: str | None = None
    requested_shipping_method: str | None = None
    shipping_method_id: str | None = None
    shipping_method_name: str | None = None
    carrier_id: str | None = None
    carrier_name: str | None = None
    invoice_currency_code: str = "USD"
    total_price: Decimal | None = None
    total_tax: Decimal | None = None
    total_discount: Decimal | None = None
    total_shipping: Decimal | None = None
    ship_to_address: Address = Address()
    bill_to_address: Address = Address()
    earliest_ship_date: datetime | None = None
    latest_ship_date: datetime | None = None
    line_items: list[LineItem] = []
    shipping_groups: list[ShippingGroup] = []
    shipments: list[Shipment] = []
    external_system_url: str | None = None
    additional_fields: dict[str, Any] = {}

    def __post_init__(self) -> None:
        require_numbers(self, "total_price", "total_tax", "total_discount", "total_shipping")
        _cut_dates(self, "created_date", "updated_date", "earliest_ship_date", "latest_ship_date")
        method = shipping_method_alias(
            self.shipping_method_id, self.shipping_method_name, self.requested_shipping_method
        )
        msgspec.structs.force_setattr(self, "shipping_method", method)


class CartOrder(Order, frozen=True, kw_only=True):
    """An order as it is served: with our tags and the times at which our copy was made and last changed."""

    trackstar_tags: list[Tag] = []
    trackstar_created_date: datetime
    trackstar_updated_date: datetime


def unreconciled(order: Order) -> Decimal:
    """Σ(unit_price × quantity) − total_discount + total_tax + total_shipping − total_price; zero if it all adds up.

    Amounts that are null count as zero.
    """
    goods = sum(((line.unit_price or Decimal(0)) * line.quantity for line in order.line_items), Decimal(0))
    discount, tax = order.total_discount or Decimal(0), order.total_tax or Decimal(0)
    shipping, price = order.total_shipping or Decimal(0), order.total_price or Decimal(0)
    return goods - discount + tax + shipping - price


def _cut_dates(struct: msgspec.Struct, *names: str) -> None:
    for name in names:
        moment = getattr(struct, name)
        if moment is not None:
            msgspec.structs.force_setattr(struct, name, whole_second(moment))
