"""Shopify's records as unified ones. Pure functions.

Ids are the numbers at the end of Shopify's global ids, as its URLs and webhooks have them. An order is in the currency in
which the buyer was charged (presentment): that is the one in which Shopify's figures add up.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import msgspec

from unicart.connectors.kit import UnmappableRecord, exponent, per_unit
from unicart.connectors.shopify import payloads
from unicart.connectors.shopify.payloads import MoneyBag
from unicart.connectors.shopify.writes import without_reference
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

_orders = msgspec.json.Decoder(payloads.Order)
_products = msgspec.json.Decoder(payloads.Product)
_locations = msgspec.json.Decoder(payloads.Location)

ZERO = Decimal(0)
MOST_DIGITS = 14
MOST_PLACES = 6
ACTIVE = frozenset({"ACTIVE", "UNLISTED"})
DEFAULT_VARIANT = "Default Title"
"""How Shopify calls the only variant of a product without options."""

FULFILLMENT_STATUSES = {
    "FULFILLED": OrderStatus.FULFILLED,
    "FULFILLMENT_NOT_REQUIRED": OrderStatus.FULFILLED,
    "PARTIALLY_FULFILLED": OrderStatus.PARTIALLY_FULFILLED,
    "IN_PROGRESS": OrderStatus.PROCESSING,
    "PENDING_FULFILLMENT": OrderStatus.PROCESSING,
    "ON_HOLD": OrderStatus.EXCEPTION,
    "REQUEST_DECLINED": OrderStatus.EXCEPTION,
}
UNFULFILLED = frozenset({"UNFULFILLED", "OPEN", "RESTOCKED", "SCHEDULED"})
PAID = frozenset({"PAID", "AUTHORIZED", "PARTIALLY_REFUNDED", "REFUNDED"})
GROUP_STATUSES = {
    "OPEN": ShipmentStatus.OPEN,
    "IN_PROGRESS": ShipmentStatus.OPEN,
    "SCHEDULED": ShipmentStatus.OPEN,
    "ON_HOLD": ShipmentStatus.ON_HOLD,
    "CLOSED": ShipmentStatus.SHIPPED,
    "CANCELLED": ShipmentStatus.CANCELLED,
    "INCOMPLETE": ShipmentStatus.EXCEPTION,
}
SHIPMENT_STATUSES = {
    "PENDING": ShipmentStatus.OPEN,
    "OPEN": ShipmentStatus.OPEN,
    "SUCCESS": ShipmentStatus.SHIPPED,
    "CANCELLED": ShipmentStatus.CANCELLED,
    "ERROR": ShipmentStatus.EXCEPTION,
    "FAILURE": ShipmentStatus.EXCEPTION,
}
DISPLAY_STATUSES = {
    **dict.fromkeys(("LABEL_PURCHASED", "LABEL_PRINTED", "SUBMITTED", "READY_FOR_PICKUP"), ShipmentStatus.OPEN),
    **dict.fromkeys(("DELIVERED", "PICKED_UP"), ShipmentStatus.DELIVERED),
    **dict.fromkeys(("FAILURE", "NOT_DELIVERED", "LABEL_VOIDED"), ShipmentStatus.EXCEPTION),
}
"""What a successful fulfilment's display status tells of it; any other one: it is shipped."""

WEIGHT_UNITS = {"GRAMS": "g", "KILOGRAMS": "kg", "OUNCES": "oz", "POUNDS": "lb"}


class _Amounts(msgspec.Struct):
    """What was charged for the units of a line that are left: before discounts, the discounts, the tax; all without tax."""

    goods: Decimal
    discount: Decimal
    tax: Decimal


class _Gone(msgspec.Struct):
    """The units of a line that were refunded or removed: how many, what they cost after discounts, and their tax."""

    quantity: int = 0
    subtotal: Decimal = ZERO
    tax: Decimal = ZERO


def order(raw: bytes) -> Order:
    """An order as it stands after refunds, edits and cancellation.

    Quantities are ``currentQuantity``. Amounts are without tax, discounts and taxes beside them, so that they add up to
    ``currentTotalPriceSet``. Discounts and taxes of units that are gone are those of ``refunds.refundLineItems``.
    """
    source = _orders.decode(raw)
    number = _number(source.id)
    lines = {line.id: line for line in source.line_items}
    items = [*_line_items(source), *_charges(source)]
    refunds = [_refund(each, source) for each in source.refunds if _amount(each.total_refunded_set)]
    shipping = source.shipping_lines[0] if source.shipping_lines else None
    return Order(
        id=number,
        order_number=source.name or number,
        created_date=source.created_at,
        updated_date=_updated(source),
        status=_status(source),
        raw_status=source.display_fulfillment_status,
        requested_shipping_method=shipping.title if shipping else None,
        shipping_method_id=(shipping.code or None) if shipping else None,
        shipping_method_name=(shipping.title or None) if shipping else None,
        carrier_id=(shipping.carrier_identifier or None) if shipping else None,
        invoice_currency_code=source.presentment_currency_code,
        total_price=_amount(source.current_total_price_set),
        total_tax=_amount(source.current_total_tax_set),
        total_discount=sum((item.total_discount or ZERO for item in items), ZERO),
        total_shipping=_shipping(source),
        ship_to_address=_address(source.shipping_address, source.email),
        bill_to_address=_address(source.billing_address, source.email),
        earliest_ship_date=min(_dates(each.fulfill_at for each in source.fulfillment_orders), default=None),
        latest_ship_date=max(_dates(each.fulfill_by for each in source.fulfillment_orders), default=None),
        line_items=items,
        shipping_groups=[_group(each, lines) for each in source.fulfillment_orders],
        shipments=[_shipment(each, source, lines) for each in source.fulfillments],
        external_system_url=f"https://{source.shop_domain}/admin/orders/{number}",
        additional_fields=_additional_fields(source, refunds),
    )


def products(raw: bytes) -> list[Product]:
    """A product as its parent record and one record for each variant."""
    source = _products.decode(raw)
    number = _number(source.id)
    image = _image(source.featured_media)
    kinds = [source.category.full_name if source.category else None, source.product_type]
    shared: dict[str, Any] = {
        "parent_product_id": number,
        "active": source.status in ACTIVE,
        "tags": source.tags,
        "categories": [kind for kind in kinds if kind],
        "external_system_url": f"https://{source.shop_domain}/admin/products/{number}",
    }
    parent = Product(
        id=number,
        created_date=source.created_at,
        updated_date=max([source.updated_at, *map(_changed, source.variants)]),
        name=source.title,
        is_kit=source.has_variants_that_requires_components,
        image_url=image,
        additional_fields={
            "status": source.status,
            "handle": source.handle,
            "vendor": source.vendor,
            "is_gift_card": source.is_gift_card,
        },
        **shared,
    )
    return [parent, *(_variant(each, source, image, shared) for each in source.variants)]


def warehouse(raw: bytes) -> Warehouse:
    """A location."""
    source = _locations.decode(raw)
    place = source.address
    return Warehouse(
        id=_number(source.id),
        created_date=source.created_at,
        updated_date=source.updated_at,
        name=source.name,
        address=Address(
            address1=place.address1 or None,
            address2=place.address2 or None,
            city=place.city or None,
            state=place.province_code or place.province or None,
            postal_code=place.zip or None,
            country=place.country_code or place.country or None,
            phone_number=place.phone or None,
        ),
        additional_fields={"active": source.is_active, "fulfills_online_orders": source.fulfills_online_orders},
    )


def _status(source: payloads.Order) -> OrderStatus:
    if source.cancelled_at:
        return OrderStatus.CANCELLED
    shown = source.display_fulfillment_status
    left = sum(line.current_quantity for line in source.line_items)
    if shown in UNFULFILLED or shown == "FULFILLMENT_NOT_REQUIRED":
        sent = any(each.status == "SUCCESS" for each in source.fulfillments)
        if source.line_items and not left and not sent:
            return OrderStatus.CANCELLED
    if shown in UNFULFILLED:
        return OrderStatus.CONFIRMED if source.display_financial_status in PAID else OrderStatus.OPEN
    return FULFILLMENT_STATUSES.get(shown, OrderStatus.OTHER)


def _updated(source: payloads.Order) -> datetime:
    parts = [each.updated_at for each in source.fulfillment_orders] + [each.updated_at for each in source.fulfillments]
    return max([source.updated_at, *parts])


def _line_items(source: payloads.Order) -> list[LineItem]:
    gone: dict[str, _Gone] = {}
    for refund in source.refunds:
        for each in refund.refund_line_items:
            part = gone.setdefault(each.line_item.id, _Gone())
            part.quantity += each.quantity
            part.subtotal += _amount(each.subtotal_set)
            part.tax += _amount(each.total_tax_set)
    return [_line_item(line, gone.get(line.id, _Gone()), source) for line in source.line_items]


def _line_item(line: payloads.LineItem, gone: _Gone, order: payloads.Order) -> LineItem:
    quantity = line.current_quantity
    charged = _charged(line, gone, order)
    price = per_unit(charged.goods, quantity) if quantity else _amount(line.original_unit_price_set)
    return LineItem(
        line_item_id=_number(line.id),
        product_id=_number(line.variant.id) if line.variant else None,
        product_sku=line.sku or None,
        parent_product_id=_number(line.product.id) if line.product else None,
        quantity=quantity,
        unit_price=price,
        discount=per_unit(charged.discount, quantity),
        tax=per_unit(charged.tax, quantity),
        total_discount=charged.discount,
        total_tax=charged.tax,
    )


def _charged(line: payloads.LineItem, gone: _Gone, order: payloads.Order) -> _Amounts:
    """What is left of a line. A discount of a price with tax is counted without: its share is rounded to the currency."""
    price, quantity = _amount(line.original_unit_price_set), line.current_quantity
    discount = sum((_amount(each.allocated_amount_set) for each in line.discount_allocations), ZERO)
    tax = sum((_amount(each.price_set) for each in line.tax_lines), ZERO)
    if not quantity:
        return _Amounts(ZERO, ZERO, ZERO)
    discount -= price * gone.quantity - gone.subtotal
    tax -= gone.tax
    known = line.quantity - gone.quantity
    if known > quantity:
        discount = _rounded(discount * quantity / known, order)
        tax = _rounded(tax * quantity / known, order)
    goods = price * quantity
    if not order.taxes_included or not tax:
        return _Amounts(goods, discount, tax)
    paid = goods - discount
    share = _rounded(discount * (paid - tax) / paid, order) if paid else discount
    return _Amounts(paid - tax + share, share, tax)


def _charges(source: payloads.Order) -> list[LineItem]:
    """Duties and additional fees, which Shopify adds to the total, as custom items."""
    duties = None if source.duties_included else source.current_total_duties_set
    charges = {"duties": duties, "additional-fees": source.current_total_additional_fees_set}
    return [
        LineItem(line_item_id=id, quantity=1, unit_price=_amount(bag), total_discount=ZERO, discount=ZERO)
        for id, bag in charges.items()
        if bag and _amount(bag)
    ]


def _shipping(source: payloads.Order) -> Decimal:
    """What shipping costs after discounts and refunds, without tax."""
    price = _amount(source.current_shipping_price_set)
    if not source.taxes_included or not price:
        return price
    tax = sum((_amount(tax.price_set) for line in source.shipping_lines for tax in line.tax_lines), ZERO)
    refunded = (line for refund in source.refunds for line in refund.refund_shipping_lines)
    return price - tax + sum((_amount(line.tax_amount_set) for line in refunded), ZERO)


def _group(source: payloads.FulfillmentOrder, lines: dict[str, payloads.LineItem]) -> ShippingGroup:
    location = source.assigned_location.location
    return ShippingGroup(
        shipping_group_id=_number(source.id),
        created_date=source.created_at,
        updated_date=source.updated_at,
        raw_status=source.status,
        status=GROUP_STATUSES.get(source.status, ShipmentStatus.OTHER),
        warehouse_id=_number(location.id) if location else None,
        line_items=[_group_line(each, _line(lines, each.line_item)) for each in source.line_items],
    )


def _group_line(source: payloads.PartOfFulfillmentOrder, line: payloads.LineItem) -> ShippingGroupLineItem:
    return ShippingGroupLineItem(
        line_item_id=_number(line.id),
        product_id=_number(line.variant.id) if line.variant else None,
        product_sku=line.sku or None,
        parent_product_id=_number(line.product.id) if line.product else None,
        quantity=source.total_quantity,
    )


def _shipment(source: payloads.Fulfillment, order: payloads.Order, lines: dict[str, payloads.LineItem]) -> Shipment:
    tracking = source.tracking_info[0] if source.tracking_info else payloads.Tracking()
    groups = {each.id for each in order.fulfillment_orders}
    shipping = order.shipping_lines[0] if order.shipping_lines else None
    return Shipment(
        shipment_id=_number(source.id),
        raw_status=source.display_status or source.status,
        status=_shipment_status(source),
        warehouse_id=_number(source.location.id) if source.location else None,
        shipping_method_id=(shipping.code or None) if shipping else None,
        shipping_method_name=(shipping.title or None) if shipping else None,
        carrier_name=tracking.company or None,
        tracking_number=tracking.number or None,
        tracking_url=tracking.url or None,
        shipping_groups=[_number(each.id) for each in source.fulfillment_orders if each.id in groups],
        created_date=source.created_at,
        updated_date=source.updated_at,
        line_items=[_shipment_line(each, _line(lines, each.line_item)) for each in source.fulfillment_line_items],
    )


def _shipment_status(source: payloads.Fulfillment) -> ShipmentStatus:
    if source.status == "SUCCESS":
        return DISPLAY_STATUSES.get(source.display_status or "", ShipmentStatus.SHIPPED)
    return SHIPMENT_STATUSES.get(source.status, ShipmentStatus.OTHER)


def _shipment_line(source: payloads.FulfillmentLineItem, line: payloads.LineItem) -> ShipmentLineItem:
    return ShipmentLineItem(
        shipment_line_item_id=_number(source.id),
        product_id=_number(line.variant.id) if line.variant else None,
        product_sku=line.sku or None,
        parent_product_id=_number(line.product.id) if line.product else None,
        quantity=source.quantity or 0,
    )


def _refund(source: payloads.Refund, order: payloads.Order) -> Refund:
    lines = {line.id for line in order.line_items}
    return Refund(
        refund_id=_number(source.id),
        amount=_amount(source.total_refunded_set),
        created_date=source.created_at,
        note=without_reference(source.note),
        line_items=[_refund_line(each, order) for each in source.refund_line_items if each.line_item.id in lines],
    )


def _refund_line(source: payloads.RefundLineItem, order: payloads.Order) -> RefundLineItem:
    tax = ZERO if order.taxes_included else _amount(source.total_tax_set)
    return RefundLineItem(
        line_item_id=_number(source.line_item.id),
        quantity=source.quantity,
        amount=_amount(source.subtotal_set) + tax,
    )


def _additional_fields(source: payloads.Order, refunds: list[Refund]) -> dict[str, Any]:
    lines = source.line_items
    shop_money = source.current_total_price_set.shop_money
    fields: dict[str, Any] = {
        "payment_status": source.display_financial_status.lower() if source.display_financial_status else None,
        "total_refunded": sum((refund.amount for refund in refunds), ZERO),
        "refunds": refunds,
        "ordered_quantities": {_number(line.id): line.quantity for line in lines},
        "taxes_included": source.taxes_included,
        "processed_at": _shown(source.processed_at),
        "archived_at": _shown(source.closed_at),
        "cancelled_at": _shown(source.cancelled_at),
        "cancel_reason": source.cancel_reason,
        "shop_currency_code": source.currency_code,
        "total_price_in_shop_currency": _finite(shop_money.amount) if shop_money else None,
        "tags": source.tags,
        "discount_codes": source.discount_codes,
        "note": source.note,
        "po_number": source.po_number,
        "source_name": source.source_name,
        "test": source.test,
    }
    sometimes: dict[str, Any] = {
        "custom_item_titles": {_number(line.id): line.title for line in lines if line.variant is None},
        "gift_card_line_item_ids": [_number(line.id) for line in lines if line.is_gift_card],
        "shipping_methods": [each.title for each in source.shipping_lines] if len(source.shipping_lines) > 1 else [],
        "tracking_numbers": {
            _number(each.id): [one.number for one in each.tracking_info if one.number]
            for each in source.fulfillments
            if len(each.tracking_info) > 1
        },
    }
    return fields | {name: value for name, value in sometimes.items() if value}


def _address(source: payloads.Address | None, email: str | None) -> Address:
    place = source or payloads.Address()
    return Address(
        full_name=place.name or None,
        company=place.company or None,
        address1=place.address1 or None,
        address2=place.address2 or None,
        city=place.city or None,
        state=place.province_code or place.province or None,
        postal_code=place.zip or None,
        country=place.country_code_v2 or place.country or None,
        phone_number=place.phone or None,
        email_address=email or None,
    )


def _variant(source: payloads.Variant, parent: payloads.Product, image: str | None, shared: dict[str, Any]) -> Product:
    item = source.inventory_item
    stock = {
        _number(level.location.id): sum(each.quantity for each in level.quantities if each.name == "available")
        for level in item.inventory_levels
    }
    weight = item.measurement.weight if item.measurement else None
    own = next((_image(media) for media in source.media.nodes), None)
    return Product(
        id=_number(source.id),
        created_date=source.created_at,
        updated_date=max(parent.updated_at, _changed(source)),
        name=parent.title if source.title == DEFAULT_VARIANT else f"{parent.title} - {source.title}",
        sku=source.sku or None,
        gtin=source.barcode or None,
        is_kit=source.requires_components,
        image_url=own or image,
        price=_finite(source.price),
        unit_cost=_finite(item.unit_cost.amount) if item.unit_cost else None,
        inventory=sum(stock.values()) if item.tracked else None,
        inventory_by_warehouse_id=stock if item.tracked else {},
        measurements=Measurements(
            weight=_finite(weight.value) if weight else None,
            weight_unit=WEIGHT_UNITS.get(weight.unit) if weight else None,
        ),
        **shared,
    )


def _changed(source: payloads.Variant) -> datetime:
    return max([source.updated_at, *(level.updated_at for level in source.inventory_item.inventory_levels)])


def _image(media: payloads.Media | None) -> str | None:
    return media.preview.image.url if media and media.preview and media.preview.image else None


def _line(lines: dict[str, payloads.LineItem], reference: payloads.Named) -> payloads.LineItem:
    line = lines.get(reference.id)
    if line is None:
        raise UnmappableRecord(f"lineItems: the order has no line {reference.id!r}")
    return line


def _number(id: str) -> str:
    """The number at the end of a global id; a number as it is."""
    number = id.rpartition("/")[2].partition("?")[0]
    if not number or "\x00" in number:
        raise UnmappableRecord(f"id: {id!r} is no id of Shopify")
    return number


def _amount(bag: MoneyBag) -> Decimal:
    """The amount that the buyer was charged."""
    return _finite(bag.presentment_money.amount)


def _finite(amount: Decimal) -> Decimal:
    if not amount.is_finite() or amount.adjusted() > MOST_DIGITS or int(amount.as_tuple().exponent) < -MOST_PLACES:
        raise UnmappableRecord(f"amount: {amount} is no amount of money")
    return amount


def _rounded(amount: Decimal, order: payloads.Order) -> Decimal:
    places = Decimal(1).scaleb(-exponent(order.presentment_currency_code))
    try:
        return amount.quantize(places, ROUND_HALF_UP)
    except InvalidOperation:
        raise UnmappableRecord(f"amount: {amount} is no amount of money") from None


def _dates(moments: Iterable[datetime | None]) -> list[datetime]:
    return [moment for moment in moments if moment is not None]


def _shown(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
