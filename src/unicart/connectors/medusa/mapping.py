"""Medusa's records as unified ones. Pure functions; field names in backquotes are Medusa's."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from unicart.connectors.kit import UnmappableRecord, finite, per_unit
from unicart.connectors.medusa import payloads, writes
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
_products = msgspec.json.Decoder(payloads.RawProduct)
_locations = msgspec.json.Decoder(payloads.StockLocation)

PAID = frozenset({"captured", "partially_captured", "authorized", "partially_refunded"})
BY_FULFILLMENT = {
    "not_fulfilled": OrderStatus.OPEN,
    "canceled": OrderStatus.OPEN,
    "partially_fulfilled": OrderStatus.PROCESSING,
    "fulfilled": OrderStatus.PROCESSING,
    "partially_shipped": OrderStatus.PARTIALLY_FULFILLED,
    "partially_delivered": OrderStatus.PARTIALLY_FULFILLED,
    "shipped": OrderStatus.FULFILLED,
    "delivered": OrderStatus.FULFILLED,
}
UNFULFILLED = ("not_fulfilled", "canceled")


def order(raw: bytes) -> Order:
    """An order of `GET /admin/orders`.

    Quantities are those after received returns, as Medusa's totals are. Amounts are without tax, discounts and taxes
    beside them, so that they add up to `total` (from which Medusa also takes credit lines).
    """
    source = _orders.decode(raw)
    collections = source.payment_collections or []
    methods = source.shipping_methods or []
    refunds = [
        _refund(each) for collection in collections for payment in collection.payments for each in payment.refunds
    ]
    lines = [_line_item(item) for item in source.items or []]
    first = methods[0] if methods else None
    number = source.custom_display_id or (str(source.display_id) if source.display_id is not None else source.id)
    return Order(
        id=source.id,
        order_number=number,
        created_date=source.created_at,
        updated_date=max([source.updated_at, *(collection.updated_at for collection in collections)]),
        status=_status(source),
        raw_status=source.status,
        requested_shipping_method=first.name if first else None,
        shipping_method_id=first.shipping_option_id if first else None,
        shipping_method_name=first.name if first else None,
        invoice_currency_code=source.currency_code.upper(),
        total_price=source.total,
        total_tax=source.tax_total,
        total_discount=source.discount_subtotal,
        total_shipping=source.shipping_subtotal,
        ship_to_address=_address(source.shipping_address, source.email),
        bill_to_address=_address(source.billing_address, source.email),
        line_items=lines,
        shipments=[_shipment(each, source) for each in source.fulfillments or []],
        additional_fields=_additional_fields(source, refunds),
    )


def products(raw: bytes) -> list[Product]:
    """A product of `GET /admin/products` as its parent record and one record for each variant."""
    source = _products.decode(raw)
    parent = source.product
    variants = parent.variants or []
    shared: dict[str, Any] = {
        "parent_product_id": parent.id,
        "active": parent.status == "published",
        "tags": [tag.value for tag in parent.tags or [] if tag.value],
        "categories": [category.name for category in parent.categories or [] if category.name],
    }
    image = parent.thumbnail or next((each.url for each in parent.images or [] if each.url), None)
    extra = {"status": parent.status, "handle": parent.handle}
    first = Product(
        id=parent.id,
        created_date=parent.created_at,
        updated_date=max([parent.updated_at, *map(_changed, variants)]),
        name=parent.title,
        image_url=image,
        additional_fields=extra,
        **shared,
    )
    return [first, *(_variant(each, parent, source.currency_code, image, shared) for each in variants)]


def warehouse(raw: bytes) -> Warehouse:
    """A stock location of `GET /admin/stock-locations`."""
    source = _locations.decode(raw)
    moments = [
        source.updated_at,
        *([source.address.updated_at] if source.address and source.address.updated_at else []),
    ]
    return Warehouse(
        id=source.id,
        created_date=source.created_at,
        updated_date=max(moments),
        name=source.name,
        address=_address(source.address, None),
    )


def _status(source: payloads.Order) -> OrderStatus:
    if source.status == "canceled":
        return OrderStatus.CANCELLED
    if source.status == "requires_action":
        return OrderStatus.EXCEPTION
    if source.status not in ("pending", "completed", "archived"):
        return OrderStatus.OTHER
    fulfillment = source.fulfillment_status or "not_fulfilled"
    if fulfillment in UNFULFILLED and source.status == "completed":
        return OrderStatus.FULFILLED
    if fulfillment in UNFULFILLED and source.payment_status in PAID:
        return OrderStatus.CONFIRMED
    return BY_FULFILLMENT.get(fulfillment, OrderStatus.OTHER)


def _line_item(item: payloads.Item) -> LineItem:
    detail = item.detail
    gone = (detail.return_received_quantity, detail.return_dismissed_quantity, detail.written_off_quantity)
    quantity = _whole(item.quantity, "items.quantity") - sum(_whole(each, "items.detail") for each in gone)
    return LineItem(
        line_item_id=item.id,
        product_id=item.variant_id,
        product_sku=item.variant_sku,
        parent_product_id=item.product_id,
        quantity=max(quantity, 0),
        unit_price=per_unit(item.subtotal, quantity),
        discount=per_unit(item.discount_subtotal, quantity),
        tax=per_unit(item.tax_total, quantity),
        total_discount=item.discount_subtotal,
        total_tax=item.tax_total,
    )


def _shipment(source: payloads.Fulfillment, order: payloads.Order) -> Shipment:
    lines = {item.id: item for item in order.items or []}
    label = next((each for each in source.labels if each.tracking_number), None)
    names = {method.shipping_option_id: method.name for method in order.shipping_methods or []}
    return Shipment(
        shipment_id=source.id,
        status=_shipment_status(source),
        warehouse_id=source.location_id,
        shipping_method_id=source.shipping_option_id,
        shipping_method_name=names.get(source.shipping_option_id),
        tracking_number=label.tracking_number if label else None,
        tracking_url=label.tracking_url if label and (label.tracking_url or "#") != "#" else None,
        created_date=source.created_at,
        updated_date=source.updated_at,
        line_items=[_shipment_line(item, lines.get(item.line_item_id or "")) for item in source.items],
    )


def _shipment_status(source: payloads.Fulfillment) -> ShipmentStatus:
    if source.canceled_at:
        return ShipmentStatus.CANCELLED
    if source.delivered_at:
        return ShipmentStatus.DELIVERED
    return ShipmentStatus.SHIPPED if source.shipped_at else ShipmentStatus.OPEN


def _shipment_line(source: payloads.FulfillmentItem, line: payloads.Item | None) -> ShipmentLineItem:
    return ShipmentLineItem(
        shipment_line_item_id=source.id,
        product_id=line.variant_id if line else None,
        product_sku=line.variant_sku if line else None,
        parent_product_id=line.product_id if line else None,
        quantity=_whole(source.quantity, "fulfillments.items.quantity"),
    )


def _refund(source: payloads.Refund) -> Refund:
    return Refund(
        refund_id=source.id,
        amount=source.amount,
        created_date=source.created_at,
        reason=source.refund_reason.label if source.refund_reason else None,
        note=writes.note(source),
    )


def _additional_fields(source: payloads.Order, refunds: list[Refund]) -> dict[str, Any]:
    items = source.items or []
    tracking = {
        each.id: [label.tracking_number for label in each.labels if label.tracking_number]
        for each in source.fulfillments or []
        if len(each.labels) > 1
    }
    fields: dict[str, Any] = {
        "payment_status": source.payment_status,
        "fulfillment_status": source.fulfillment_status,
        "total_refunded": sum((refund.amount for refund in refunds), Decimal(0)),
        "refunds": refunds,
        "credit_line_total": finite(source.credit_line_total or Decimal(0), "credit_line_total"),
        "ordered_quantities": {item.id: _whole(item.quantity, "items.quantity") for item in items},
        "metadata": source.metadata or {},
    }
    custom = {item.id: item.title for item in items if item.variant_id is None}
    if custom:
        fields["custom_item_titles"] = custom
    if len(source.shipping_methods or []) > 1:
        fields["shipping_methods"] = [method.name for method in source.shipping_methods or []]
    if tracking:
        fields["tracking_numbers"] = tracking
    return fields


def _address(source: payloads.Address | None, email: str | None) -> Address:
    if source is None:
        return Address(email_address=email or None)
    name = " ".join(part for part in (source.first_name, source.last_name) if part)
    return Address(
        full_name=name or None,
        company=source.company or None,
        address1=source.address_1 or None,
        address2=source.address_2 or None,
        city=source.city or None,
        state=source.province or None,
        postal_code=source.postal_code or None,
        country=source.country_code.upper() if source.country_code else None,
        phone_number=source.phone or None,
        email_address=email or None,
    )


def _variant(
    source: payloads.Variant, parent: payloads.Product, currency: str, image: str | None, shared: dict[str, Any]
) -> Product:
    prices = [price for price in source.prices or [] if not price.rules and price.min_quantity is None]
    stock = _stock(source)
    return Product(
        id=source.id,
        created_date=source.created_at,
        updated_date=max(parent.updated_at, _changed(source)),
        name=f"{parent.title} {source.title}" if source.title and source.title != parent.title else parent.title,
        sku=source.sku or None,
        gtin=source.ean or source.upc or source.barcode or None,
        image_url=source.thumbnail or image,
        price=next((price.amount for price in prices if price.currency_code == currency), None),
        inventory=sum(stock.values()) if source.manage_inventory else None,
        inventory_by_warehouse_id=stock,
        measurements=Measurements(length=source.length, width=source.width, height=source.height, weight=source.weight),
        additional_fields={
            "prices": {p.currency_code.upper(): finite(p.amount, "variants.prices.amount") for p in prices}
        },
        **shared,
    )


def _stock(source: payloads.Variant) -> dict[str, int]:
    """How many of the variant each location can still send: of a kit, as many as its scarcest part allows."""
    found: dict[str, int] = {}
    for link in source.inventory_items or []:
        for level in link.inventory.location_levels if link.inventory else []:
            needed = _whole(link.required_quantity, "variants.inventory_items.required_quantity") or 1
            available = _whole(level.available_quantity, "location_levels.available_quantity") // needed
            found[level.location_id] = min(found.get(level.location_id, available), available)
    return found


def _changed(source: payloads.Variant) -> datetime:
    levels = [
        level.updated_at
        for link in source.inventory_items or []
        for level in (link.inventory.location_levels if link.inventory else [])
    ]
    return max([source.updated_at, *levels])


def _whole(quantity: Decimal, field: str) -> int:
    if not quantity.is_finite() or quantity != quantity.to_integral_value():
        raise UnmappableRecord(f"{field}: {quantity} is not a whole number")
    return int(quantity)
