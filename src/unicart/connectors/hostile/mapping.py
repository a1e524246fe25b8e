"""The test platform's records as unified ones. Pure functions."""

from decimal import Decimal
from typing import Any

import msgspec

from unicart.connectors.hostile import payloads
from unicart.connectors.kit import UnmappableRecord, per_unit
from unicart.contract.common import Address
from unicart.contract.orders import (
    LineItem,
    Order,
    OrderStatus,
    Refund,
    Shipment,
    ShipmentLineItem,
    ShipmentStatus,
)
from unicart.contract.products import Measurements, Product
from unicart.contract.warehouses import Warehouse

_orders = msgspec.json.Decoder(payloads.Order)
_products = msgspec.json.Decoder(payloads.Product)
_warehouses = msgspec.json.Decoder(payloads.Warehouse)

STATUSES = {
    "new": OrderStatus.OPEN,
    "paid": OrderStatus.CONFIRMED,
    "picking": OrderStatus.PROCESSING,
    "partly_sent": OrderStatus.PARTIALLY_FULFILLED,
    "sent": OrderStatus.FULFILLED,
    "on_hold": OrderStatus.EXCEPTION,
    "void": OrderStatus.CANCELLED,
    "backorder": OrderStatus.BACKORDERED,
}
SHIPMENT_STATES = {
    "packed": ShipmentStatus.OPEN,
    "sent": ShipmentStatus.SHIPPED,
    "delivered": ShipmentStatus.DELIVERED,
    "lost": ShipmentStatus.EXCEPTION,
    "void": ShipmentStatus.CANCELLED,
}


def order(raw: bytes) -> Order:
    """An order. ``discount`` and ``tax`` of its lines are those of the whole line; ``unit_price`` is without tax."""
    source = _orders.decode(raw)
    refunds = [_refund(each) for each in source.refunds]
    return Order(
        id=source.id,
        order_number=source.number or source.id,
        created_date=source.created_at,
        updated_date=source.updated_at,
        status=STATUSES.get(source.status, OrderStatus.OTHER),
        raw_status=source.status,
        requested_shipping_method=source.delivery or None,
        invoice_currency_code=source.currency.upper(),
        total_price=source.totals.total,
        total_tax=source.totals.tax,
        total_discount=source.totals.discount,
        total_shipping=source.totals.shipping,
        ship_to_address=_address(source.ship_to, source.email),
        bill_to_address=_address(source.bill_to, source.email),
        line_items=[_line_item(line) for line in source.lines],
        shipments=[_shipment(each, source) for each in source.shipments],
        additional_fields=_additional_fields(source, refunds),
    )


def products(raw: bytes) -> list[Product]:
    """A product as its parent record and one record for each variant."""
    source = _products.decode(raw)
    shared: dict[str, Any] = {
        "created_date": source.created_at,
        "updated_date": source.updated_at,
        "parent_product_id": source.id,
        "active": source.active,
        "image_url": source.image_url or None,
        "tags": source.tags,
        "categories": source.categories,
    }
    return [Product(id=source.id, name=source.title, **shared), *(_variant(e, source, shared) for e in source.variants)]


def warehouse(raw: bytes) -> Warehouse:
    """A warehouse."""
    source = _warehouses.decode(raw)
    return Warehouse(
        id=source.id,
        created_date=source.created_at,
        updated_date=source.updated_at,
        name=source.name,
        code=source.code or None,
        address=_address(source.address, None),
    )


def _line_item(line: payloads.Line) -> LineItem:
    return LineItem(
        line_item_id=line.id,
        product_id=line.variant_id,
        product_sku=line.variant_sku or None,
        parent_product_id=line.product_id,
        quantity=line.quantity,
        unit_price=line.unit_price,
        discount=_share(line.discount, line.quantity),
        tax=_share(line.tax, line.quantity),
        total_discount=line.discount,
        total_tax=line.tax,
    )


def _share(amount: Decimal | None, quantity: int) -> Decimal | None:
    return None if amount is None else per_unit(amount, quantity)


def _shipment(source: payloads.Shipment, order: payloads.Order) -> Shipment:
    lines = {line.id: line for line in order.lines}
    return Shipment(
        shipment_id=source.id,
        raw_status=source.state,
        status=SHIPMENT_STATES.get(source.state, ShipmentStatus.OTHER),
        warehouse_id=source.warehouse_id,
        carrier_name=source.carrier or None,
        tracking_number=source.tracking_number or None,
        tracking_url=source.tracking_url or None,
        created_date=source.created_at,
        updated_date=source.updated_at,
        line_items=[_shipment_line(each, lines) for each in source.lines],
    )


def _shipment_line(source: payloads.ShipmentLine, lines: dict[str, payloads.Line]) -> ShipmentLineItem:
    line = lines.get(source.line_id)
    if line is None:
        raise UnmappableRecord(f"shipments.lines.line_id: the order has no line {source.line_id!r}")
    return ShipmentLineItem(
        shipment_line_item_id=source.id,
        product_id=line.variant_id,
        product_sku=line.variant_sku or None,
        parent_product_id=line.product_id,
        quantity=source.quantity,
    )


def _refund(source: payloads.Refund) -> Refund:
    return Refund(
        refund_id=source.id, amount=source.amount, created_date=source.created_at, reason=source.reason or None
    )


def _additional_fields(source: payloads.Order, refunds: list[Refund]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "payment_status": source.payment_status,
        "total_refunded": sum((refund.amount for refund in refunds), Decimal(0)),
        "refunds": refunds,
        "note": source.note,
    }
    custom = {line.id: line.title for line in source.lines if line.variant_id is None}
    if custom:
        fields["custom_item_titles"] = custom
    return fields


def _address(source: payloads.Address | None, email: str | None) -> Address:
    if source is None:
        return Address(email_address=email or None)
    street: list[str | None] = [part or None for part in source.street[:3]]
    first, second, third = (street + [None] * 3)[:3]
    return Address(
        full_name=source.name or None,
        company=source.company or None,
        address1=first,
        address2=second,
        address3=third,
        city=source.city or None,
        state=source.region or None,
        postal_code=source.postcode or None,
        country=source.country or None,
        phone_number=source.phone or None,
        email_address=email or None,
    )


def _variant(source: payloads.Variant, parent: payloads.Product, shared: dict[str, Any]) -> Product:
    return Product(
        id=source.id,
        name=f"{parent.title} {source.title}",
        sku=source.sku or None,
        gtin=source.barcode or None,
        price=source.price,
        unit_cost=source.cost,
        inventory=sum(source.stock.values()),
        inventory_by_warehouse_id=source.stock,
        measurements=Measurements(weight=source.grams, weight_unit="g" if source.grams is not None else None),
        **shared,
    )
