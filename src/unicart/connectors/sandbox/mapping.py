"""Sandbox records to unified records. Pure: no I/O, no clock."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from unicart.connectors.kit import UnmappableRecord, from_minor_units, per_unit
from unicart.connectors.sandbox import payloads
from unicart.contract.common import Address
from unicart.contract.orders import (
    LineItem,
    Order,
    OrderStatus,
    Refund,
    RefundLineItem,
    Shipment,
    ShipmentLineItem,
    ShipmentStatus,
    ShippingGroup,
    ShippingGroupLineItem,
)
from unicart.contract.products import Measurements, Product
from unicart.contract.warehouses import Warehouse

SHOP_URL = "https://sandbox.example"

ORDER_STATUSES = {
    "new": OrderStatus.OPEN,
    "paid": OrderStatus.CONFIRMED,
    "picking": OrderStatus.PROCESSING,
    "part_sent": OrderStatus.PARTIALLY_FULFILLED,
    "sent": OrderStatus.FULFILLED,
    "complete": OrderStatus.FULFILLED,
    "problem": OrderStatus.EXCEPTION,
    "cancelled": OrderStatus.CANCELLED,
    "awaiting_stock": OrderStatus.BACKORDERED,
}
SHIPMENT_STATUSES = {
    "waiting": ShipmentStatus.OPEN,
    "sent": ShipmentStatus.SHIPPED,
    "arrived": ShipmentStatus.DELIVERED,
    "cancelled": ShipmentStatus.CANCELLED,
    "lost": ShipmentStatus.EXCEPTION,
    "held": ShipmentStatus.ON_HOLD,
}
NO_ADDRESS = Address()

_orders = msgspec.json.Decoder(payloads.Order)
_products = msgspec.json.Decoder(payloads.Product)
_warehouses = msgspec.json.Decoder(payloads.Warehouse)


def order(raw: bytes) -> Order:
    """The unified order.

    ``total_discount`` of a line is its own discount and its share of the coupon. A cancelled unit no longer counts in
    ``quantity``; the platform's amounts leave it out as well.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError: ``raw`` is not an order of the sandbox.
        UnmappableRecord: a parcel or request holds a line that the order does not have.
    """
    source = _orders.decode(raw)
    currency = source.currency
    lines = {line.id: line for line in source.lines}
    delivery, totals = source.delivery, source.totals
    return Order(
        id=source.id,
        order_number=source.number or source.id,
        warehouse_customer_id=source.client,
        created_date=source.placed_at,
        updated_date=source.changed_at,
        status=ORDER_STATUSES.get(source.state, OrderStatus.OTHER),
        raw_status=source.state,
        requested_shipping_method=delivery.wish,
        shipping_method_id=delivery.code,
        shipping_method_name=delivery.title,
        carrier_id=delivery.carrier,
        carrier_name=delivery.carrier_title,
        invoice_currency_code=source.currency,
        total_price=from_minor_units(totals.grand, currency),
        total_tax=from_minor_units(totals.tax, currency),
        total_discount=from_minor_units(totals.discount, currency),
        total_shipping=from_minor_units(delivery.amount, currency),
        ship_to_address=_address(source.ship_to),
        bill_to_address=_address(source.bill_to),
        earliest_ship_date=source.send_from,
        latest_ship_date=source.send_until,
        line_items=[_line_item(line, currency) for line in source.lines],
        shipping_groups=[_shipping_group(request, lines) for request in source.requests],
        shipments=[_shipment(parcel, delivery, lines) for parcel in source.parcels],
        external_system_url=f"{SHOP_URL}/orders/{source.id}",
        additional_fields=_additional_fields(source, currency),
    )


def _line_item(line: payloads.Line, currency: str) -> LineItem:
    quantity = line.ordered - line.cancelled
    discount = from_minor_units(line.discount + line.coupon, currency)
    tax = from_minor_units(line.tax, currency)
    return LineItem(
        line_item_id=line.id,
        product_id=line.variant,
        product_sku=line.variant_sku,
        parent_product_id=line.product,
        parent_product_sku=line.product_sku,
        quantity=quantity,
        unit_price=from_minor_units(line.price, currency),
        discount=per_unit(discount, quantity) if discount else discount,
        tax=per_unit(tax, quantity) if tax else tax,
        total_discount=discount,
        total_tax=tax,
    )


def _shipping_group(request: payloads.FulfilmentRequest, lines: dict[str, payloads.Line]) -> ShippingGroup:
    return ShippingGroup(
        shipping_group_id=request.id,
        created_date=request.opened_at,
        updated_date=request.changed_at,
        raw_status=request.state,
        status=SHIPMENT_STATUSES.get(request.state, ShipmentStatus.OTHER),
        warehouse_id=request.warehouse,
        line_items=[
            ShippingGroupLineItem(
                line_item_id=line.id,
                product_id=line.variant,
                product_sku=line.variant_sku,
                parent_product_id=line.product,
                quantity=part.units,
            )
            for part, line in _parts(request.parts, lines)
        ],
    )


def _shipment(parcel: payloads.Parcel, delivery: payloads.Delivery, lines: dict[str, payloads.Line]) -> Shipment:
    return Shipment(
        shipment_id=parcel.id,
        raw_status=parcel.state,
        status=SHIPMENT_STATUSES.get(parcel.state, ShipmentStatus.OTHER),
        warehouse_id=parcel.warehouse,
        shipping_method_id=delivery.code,
        shipping_method_name=parcel.method or delivery.title,
        carrier_id=None if parcel.carrier else delivery.carrier,
        carrier_name=parcel.carrier or delivery.carrier_title,
        tracking_number=parcel.tracking,
        tracking_url=parcel.tracking_url,
        shipping_groups=parcel.requests,
        created_date=parcel.packed_at,
        updated_date=parcel.changed_at,
        line_items=[
            ShipmentLineItem(
                shipment_line_item_id=part.id,
                product_id=line.variant,
                product_sku=line.variant_sku,
                parent_product_id=line.product,
                parent_product_sku=line.product_sku,
                quantity=part.units,
            )
            for part, line in _parts(parcel.parts, lines)
        ],
    )


def _parts(
    parts: list[payloads.Part], lines: dict[str, payloads.Line]
) -> Iterator[tuple[payloads.Part, payloads.Line]]:
    for part in parts:
        if part.line not in lines:
            raise UnmappableRecord(f"parts.line: {part.line!r} is not a line of the order")
        yield part, lines[part.line]


def _additional_fields(source: payloads.Order, currency: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "payment_status": source.payment,
        "total_refunded": from_minor_units(sum(refund.amount for refund in source.refunds), currency),
        "refunds": [_refund(refund, currency) for refund in source.refunds],
    }
    if source.coupon_code:
        fields["coupon_code"] = source.coupon_code
    if source.note:
        fields["note"] = source.note
    return fields


def _refund(refund: payloads.Refund, currency: str) -> Refund:
    return Refund(
        refund_id=refund.id,
        amount=from_minor_units(refund.amount, currency),
        created_date=refund.paid_at,
        reason=refund.reason,
        note=refund.note,
        line_items=[
            RefundLineItem(line_item_id=line.line, quantity=line.units, amount=from_minor_units(line.amount, currency))
            for line in refund.lines
        ],
    )


def _address(place: payloads.Place | None) -> Address:
    if place is None:
        return NO_ADDRESS
    street = [*place.street, None, None, None]
    return Address(
        full_name=place.name,
        company=place.company,
        address1=street[0],
        address2=street[1],
        address3=street[2],
        city=place.city,
        state=place.region,
        postal_code=place.postcode,
        country=place.country,
        phone_number=place.phone,
        email_address=place.email,
    )


def products(raw: bytes) -> Sequence[Product]:
    """The parent and one record for each of its variants.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError: ``raw`` is not a product of the sandbox.
    """
    source = _products.decode(raw)
    parent = Product(
        id=source.id,
        created_date=source.created_at,
        updated_date=source.changed_at,
        name=source.title,
        sku=source.sku,
        parent_product_id=source.id,
        is_kit=source.bundle,
        active=source.on_sale,
        image_url=source.image,
        tags=_tags(source),
        categories=source.shelves,
        external_system_url=f"{SHOP_URL}/products/{source.id}",
    )
    return [parent, *(_variant(source, variant) for variant in source.variants)]


def _variant(source: payloads.Product, variant: payloads.Variant) -> Product:
    return Product(
        id=variant.id,
        created_date=source.created_at,
        updated_date=source.changed_at,
        name=f"{source.title} – {variant.title}",
        sku=variant.sku,
        gtin=variant.barcode,
        parent_product_id=source.id,
        is_kit=source.bundle,
        active=source.on_sale,
        image_url=source.image,
        price=_cents(variant.price),
        unit_cost=None if variant.cost is None else _cents(variant.cost),
        inventory=sum(variant.stock.values()),
        inventory_by_warehouse_id=variant.stock,
        measurements=_measurements(variant.size),
        tags=_tags(source),
        categories=source.shelves,
        external_system_url=f"{SHOP_URL}/products/{source.id}?variant={variant.id}",
    )


def _tags(source: payloads.Product) -> list[str]:
    return [f"{key}:{value}" for key, value in source.labels.items()]


def _cents(amount: int) -> Decimal:
    return Decimal(amount).scaleb(-2)


def _measurements(size: payloads.Size | None) -> Measurements:
    if size is None:
        return Measurements()
    length, width, height = (Decimal(side).scaleb(-1) for side in (size.length, size.width, size.height))
    return Measurements(
        length=length, width=width, height=height, unit="cm", weight=Decimal(size.grams), weight_unit="g"
    )


def warehouse(raw: bytes) -> Warehouse:
    """The unified warehouse.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError: ``raw`` is not a warehouse of the sandbox.
    """
    source = _warehouses.decode(raw)
    return Warehouse(
        id=source.id,
        created_date=source.created_at,
        updated_date=source.changed_at,
        name=source.title,
        code=source.code,
        address=_address(source.address),
    )
