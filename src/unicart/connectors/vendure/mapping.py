"""Vendure's records to unified records. Pure: no I/O, no clock."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from unicart.connectors.kit import UnmappableRecord, per_unit
from unicart.connectors.vendure import payloads
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
)
from unicart.contract.products import Product
from unicart.contract.warehouses import Warehouse

ORDER_STATUSES = {
    "PaymentAuthorized": OrderStatus.OPEN,
    "ArrangingAdditionalPayment": OrderStatus.OPEN,
    "Modifying": OrderStatus.OPEN,
    "PaymentSettled": OrderStatus.CONFIRMED,
    "PartiallyShipped": OrderStatus.PARTIALLY_FULFILLED,
    "PartiallyDelivered": OrderStatus.PARTIALLY_FULFILLED,
    "Shipped": OrderStatus.FULFILLED,
    "Delivered": OrderStatus.FULFILLED,
    "Cancelled": OrderStatus.CANCELLED,
}
SHIPMENT_STATUSES = {
    "Created": ShipmentStatus.OPEN,
    "Pending": ShipmentStatus.OPEN,
    "Shipped": ShipmentStatus.SHIPPED,
    "Delivered": ShipmentStatus.DELIVERED,
    "Cancelled": ShipmentStatus.CANCELLED,
}
BEFORE_SHIPPING = frozenset({"PaymentAuthorized", "PaymentSettled"})
WAITING = frozenset({"Created", "Pending"})
SENT = frozenset({"Shipped", "Delivered"})
MAX_PRECISION = 12
PRODUCT = "product-"
SURCHARGE = "surcharge-"
_MARK = re.compile(r" ?\[unicart (\w{32}) (\d{1,3})/(\d{1,3})( restock)?\]\Z", re.ASCII)

_orders = msgspec.json.Decoder(payloads.Order)
_products = msgspec.json.Decoder(payloads.Product)
_locations = msgspec.json.Decoder(payloads.StockLocation)


class Mark(msgspec.Struct, frozen=True):
    """What a refund that Unicart made says at the end of its reason: the write's reference, and which part of it this is.

    If ``restock``, the units are cancelled after it.
    """

    reference: str
    part: int
    parts: int
    restock: bool

    def __str__(self) -> str:
        return f"[unicart {self.reference} {self.part}/{self.parts}{' restock' if self.restock else ''}]"


def mark(refund: payloads.Refund) -> Mark | None:
    """The mark of a refund; null if Unicart did not make it, or nothing came of it."""
    found = None if refund.state == "Failed" else _MARK.search(refund.reason or "")
    if found is None:
        return None
    return Mark(found[1], int(found[2]), int(found[3]), bool(found[4]))


def order(raw: bytes) -> Order:
    """The unified order. The README has the table of fields.

    ``created_date`` is when the order was placed. ``updated_date`` is the latest time of the order and of its parts,
    because most changes leave the order's own ``updatedAt`` as it was.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError: ``raw`` is not an order of Vendure.
        UnmappableRecord: a cart that was never placed, or a money precision that makes no sense.
    """
    source = _orders.decode(raw)
    if source.order_placed_at is None:
        raise UnmappableRecord("orderPlacedAt: the order was never placed")
    places = _precision(source.money_precision)
    lines = {line.id: line for line in source.lines}
    method = source.shipping_lines[0].shipping_method if source.shipping_lines else None
    line_items = [_line_item(line, places) for line in source.lines]
    line_items += [_surcharge(surcharge, places) for surcharge in source.surcharges]
    return Order(
        id=source.id,
        order_number=source.code or source.id,
        created_date=source.order_placed_at,
        updated_date=max(_moments(source)),
        status=_status(source),
        raw_status=source.state,
        requested_shipping_method=method.name if method else None,
        shipping_method_id=method.id if method else None,
        shipping_method_name=method.name if method else None,
        invoice_currency_code=source.currency_code,
        total_price=_money(source.total_with_tax, places),
        total_tax=_money(source.total_with_tax - source.total, places),
        total_discount=sum((line.total_discount or Decimal(0) for line in line_items), _money(0, places)),
        total_shipping=_money(source.shipping, places),
        ship_to_address=_address(source.shipping_address, source.customer),
        bill_to_address=_address(source.billing_address, source.customer),
        line_items=line_items,
        shipments=[_shipment(fulfillment, lines) for fulfillment in source.fulfillments or []],
        additional_fields=_additional_fields(source, places),
    )


def _status(source: payloads.Order) -> OrderStatus:
    """A fulfilment that is being made ready changes no state of the order, but is work on it."""
    waiting = any(fulfillment.state in WAITING for fulfillment in source.fulfillments or [])
    if waiting and source.state in BEFORE_SHIPPING:
        return OrderStatus.PROCESSING
    return ORDER_STATUSES.get(source.state, OrderStatus.OTHER)


def _moments(source: payloads.Order) -> list[datetime]:
    payments = source.payments or []
    return [
        source.updated_at,
        *([source.order_placed_at] if source.order_placed_at else []),
        *(payment.updated_at for payment in payments),
        *(refund.updated_at for payment in payments for refund in payment.refunds),
        *(fulfillment.updated_at for fulfillment in source.fulfillments or []),
        *(modification.updated_at for modification in source.modifications),
    ]


def _line_item(line: payloads.Line, places: int) -> LineItem:
    """Of ``linePrice``, not ``unitPrice``: where prices include tax, Vendure rounds the latter for display only."""
    discount = _money(line.line_price - line.prorated_line_price, places)
    tax = _money(line.prorated_line_price_with_tax - line.prorated_line_price, places)
    price = _money(line.line_price, places)
    variant = line.product_variant
    return LineItem(
        line_item_id=line.id,
        product_id=variant.id,
        product_sku=variant.sku or None,
        parent_product_id=parent_id(variant.product_id),
        quantity=line.quantity,
        unit_price=per_unit(price, line.quantity) if line.quantity else _money(line.unit_price, places),
        discount=per_unit(discount, line.quantity),
        tax=per_unit(tax, line.quantity),
        total_discount=discount,
        total_tax=tax,
    )


def _surcharge(surcharge: payloads.Surcharge, places: int) -> LineItem:
    """A custom item; Vendure counts surcharges into the sum of the goods."""
    tax = _money(surcharge.price_with_tax - surcharge.price, places)
    return LineItem(
        line_item_id=f"{SURCHARGE}{surcharge.id}",
        product_sku=surcharge.sku or None,
        quantity=1,
        unit_price=_money(surcharge.price, places),
        discount=_money(0, places),
        tax=tax,
        total_discount=_money(0, places),
        total_tax=tax,
    )


def _shipment(fulfillment: payloads.Fulfillment, lines: dict[str, payloads.Line]) -> Shipment:
    """Lines of other orders are left out: Vendure lets one fulfilment carry several orders."""
    parts = [(part, lines[part.order_line_id]) for part in fulfillment.lines if part.order_line_id in lines]
    return Shipment(
        shipment_id=fulfillment.id,
        raw_status=fulfillment.state,
        status=SHIPMENT_STATUSES.get(fulfillment.state, ShipmentStatus.OTHER),
        shipping_method_name=fulfillment.method or None,
        tracking_number=fulfillment.tracking_code or None,
        created_date=fulfillment.created_at,
        updated_date=fulfillment.updated_at,
        line_items=[
            ShipmentLineItem(
                shipment_line_item_id=f"{fulfillment.id}-{line.id}",
                product_id=line.product_variant.id,
                product_sku=line.product_variant.sku or None,
                parent_product_id=parent_id(line.product_variant.product_id),
                quantity=part.quantity,
            )
            for part, line in parts
        ],
    )


def _additional_fields(source: payloads.Order, places: int) -> dict[str, Any]:
    payments = source.payments or []
    refunds = [refund for payment in payments for refund in payment.refunds]
    settled = [refund for refund in refunds if refund.state == "Settled"]
    lines = {line.id for line in source.lines}
    refunded = sum(refund.total for refund in settled)
    fields: dict[str, Any] = {
        "payment_status": _payment_status(source, payments, refunded),
        "total_refunded": _money(refunded, places),
        "refunds": [_refund(refund, lines, places) for refund in settled],
        "pending_refunds": [_refund(refund, lines, places) for refund in refunds if refund.state == "Pending"],
        "payments": [
            {
                "payment_id": payment.id,
                "method": payment.method,
                "state": payment.state,
                "amount": _money(payment.amount, places),
                "transaction_id": payment.transaction_id,
            }
            for payment in payments
        ],
        "surcharges": {f"{SURCHARGE}{each.id}": each.description for each in source.surcharges},
        "coupon_codes": source.coupon_codes,
        "order_type": source.type,
    }
    if source.aggregate_order_id:
        fields["aggregate_order_id"] = source.aggregate_order_id
    return fields


def _refund(refund: payloads.Refund, lines: set[str], places: int) -> Refund:
    return Refund(
        refund_id=refund.id,
        amount=_money(refund.total, places),
        created_date=refund.created_at,
        reason=_MARK.sub("", refund.reason or "") or None,
        line_items=[
            RefundLineItem(line_item_id=part.order_line_id, quantity=part.quantity)
            for part in refund.lines
            if part.order_line_id in lines and part.quantity
        ],
    )


def _payment_status(source: payloads.Order, payments: list[payloads.Payment], refunded: int) -> str:
    paid = sum(payment.amount for payment in payments if payment.state == "Settled")
    if refunded:
        return "refunded" if refunded >= paid else "partially_refunded"
    if paid:
        return "paid" if paid >= source.total_with_tax else "partially_paid"
    if any(payment.state == "Authorized" for payment in payments):
        return "authorized"
    return "unpaid" if source.total_with_tax else "paid"


def _address(address: payloads.Address | None, customer: payloads.Customer | None) -> Address:
    """Vendure has no e-mail address in an address; the customer's goes with every address that is there."""
    if address is None or not any(getattr(address, name) for name in address.__struct_fields__):
        return Address()
    return Address(
        full_name=address.full_name or None,
        company=address.company or None,
        address1=address.street_line1 or None,
        address2=address.street_line2 or None,
        city=address.city or None,
        state=address.province or None,
        postal_code=address.postal_code or None,
        country=address.country_code or address.country or None,
        phone_number=address.phone_number or None,
        email_address=customer.email_address if customer else None,
    )


def parent_id(product_id: str) -> str:
    """The unified id of a product, which would else be that of a variant: Vendure counts both from 1."""
    return f"{PRODUCT}{product_id}"


def product_id(unified_id: str) -> str | None:
    """Vendure's id of the product behind a unified id; null for that of a variant."""
    return unified_id.removeprefix(PRODUCT) if unified_id.startswith(PRODUCT) else None


def products(raw: bytes) -> Sequence[Product]:
    """The product and one record for each of its variants.

    A variant's ``price`` is the one that was entered for the channel's currency, with tax where the channel's prices
    include it. Units available are those on hand less those allocated.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError: ``raw`` is not a product of Vendure.
        UnmappableRecord: a money precision that makes no sense.
    """
    source = _products.decode(raw)
    places = _precision(source.money_precision)
    parent = Product(
        id=parent_id(source.id),
        created_date=source.created_at,
        updated_date=source.updated_at,
        name=source.name,
        parent_product_id=parent_id(source.id),
        active=source.enabled,
        image_url=source.featured_asset.source if source.featured_asset else None,
        tags=_tags(source.facet_values),
        categories=[collection.name for collection in source.collections],
        additional_fields={"slug": source.slug},
    )
    return [parent, *(_variant(source, variant, places) for variant in source.variants)]


def _variant(source: payloads.Product, variant: payloads.Variant, places: int) -> Product:
    tracked = variant.track_inventory != "FALSE"
    stock = {level.stock_location_id: level.stock_on_hand - level.stock_allocated for level in variant.stock_levels}
    image = variant.featured_asset or source.featured_asset
    entered = [price.price for price in variant.prices if price.currency_code == variant.currency_code]
    return Product(
        id=variant.id,
        created_date=variant.created_at,
        updated_date=max(source.updated_at, variant.updated_at, *(level.updated_at for level in variant.stock_levels)),
        name=variant.name,
        sku=variant.sku or None,
        parent_product_id=parent_id(source.id),
        active=source.enabled and variant.enabled,
        image_url=image.source if image else None,
        price=_money(entered[0] if entered else variant.price, places),
        inventory=sum(stock.values()) if tracked else None,
        inventory_by_warehouse_id=stock if tracked else {},
        tags=_tags([*source.facet_values, *variant.facet_values]),
        categories=[collection.name for collection in source.collections],
        additional_fields={"currency_code": variant.currency_code},
    )


def _tags(values: list[payloads.FacetValue]) -> list[str]:
    return list(dict.fromkeys(f"{value.facet.name}:{value.name}" for value in values))


def warehouse(raw: bytes) -> Warehouse:
    """The unified warehouse. A stock location of Vendure has no address.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError: ``raw`` is not a stock location of Vendure.
    """
    source = _locations.decode(raw)
    return Warehouse(
        id=source.id,
        created_date=source.created_at,
        updated_date=source.updated_at,
        name=source.name,
        additional_fields={"description": source.description} if source.description else {},
    )


def _precision(places: int) -> int:
    if not 0 <= places <= MAX_PRECISION:
        raise UnmappableRecord(f"moneyPrecision: {places} decimals make no sense")
    return places


def _money(amount: int, places: int) -> Decimal:
    """``amount`` in major units. The server's money strategy sets the decimals, the same for every currency.

    Raises:
        ValueError: more than 28 digits, which is no amount of money.
    """
    if abs(amount) >= 10**28:
        raise ValueError("amount: more than 28 digits")
    return Decimal(amount).scaleb(-places)
