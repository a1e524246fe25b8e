"""WooCommerce's records as unified ones. Pure functions; field names in backquotes are WooCommerce's."""

import contextlib
import html
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from unicart.connectors.kit import UnmappableRecord, fingerprint, finite, parse_utc, per_unit
from unicart.connectors.woocommerce import payloads
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
from unicart.contract.products import Measurements, Product

_orders = msgspec.json.Decoder(payloads.RawOrder, float_hook=Decimal)
_products = msgspec.json.Decoder(payloads.RawProduct)

STATUSES = {
    "pending": OrderStatus.OPEN,
    "processing": OrderStatus.PROCESSING,
    "on-hold": OrderStatus.EXCEPTION,
    "completed": OrderStatus.FULFILLED,
    "cancelled": OrderStatus.CANCELLED,
    "refunded": OrderStatus.CANCELLED,
    "failed": OrderStatus.EXCEPTION,
    "trash": OrderStatus.CANCELLED,
    "partial-shipped": OrderStatus.PARTIALLY_FULFILLED,
    "shipped": OrderStatus.FULFILLED,
    "delivered": OrderStatus.FULFILLED,
}
SHIPMENT_TRACKING = "_wc_shipment_tracking_items"
AFTERSHIP = "_aftership_tracking_items"
UNTRACKED = "_unicart_shipments"
"""Parcels that Unicart noted without a number, of the shape of Shipment Tracking's: that would show an empty number."""
FULFILLMENT_STATUS = "_fulfillment_status"
"""What an order has in its metadata as long as WooCommerce's own Order Fulfillments keeps any of it."""
PROVIDERS = ("_shipment_provider", "_shipping_provider")
REFUNDED_ITEM = "_refunded_item_id"
LAST_SHIP_DATE = 1 << 33
KITS = ("bundle", "composite")
WEIGHT_UNITS = {"kg": "kg", "g": "g", "lbs": "lb", "oz": "oz"}
LENGTH_UNITS = {
    "cm": ("cm", Decimal(1)),
    "mm": ("cm", Decimal("0.1")),
    "m": ("cm", Decimal(100)),
    "in": ("in", Decimal(1)),
    "yd": ("in", Decimal(36)),
}


def order(raw: bytes) -> Order:
    """An order of `GET /orders`, with its refunds.

    Figures are those of the order as it was placed; refunds are beside it. A fee is a line without a product; a negative fee is
    a discount, a gift card a payment. Amounts are without tax, also where prices include it, so that they add up to `total`
    together with what gift cards paid, which `total` leaves out.
    """
    wrapped = _orders.decode(raw)
    source = wrapped.order
    lines = [_line_item(item) for item in source.line_items]
    lines += [_fee(fee) for fee in source.fee_lines if finite(fee.total, "fee_lines.total") >= 0]
    refunds = _refunds(source, wrapped.refunds, {line.line_item_id for line in lines})
    first = source.shipping_lines[0] if source.shipping_lines else None
    created = _date(source.date_created_gmt or source.date_modified_gmt, "date_created_gmt")
    email = source.billing.email if source.billing else None
    return Order(
        id=str(source.id),
        order_number=source.number or str(source.id),
        created_date=created,
        updated_date=_date(source.date_modified_gmt, "date_modified_gmt") if source.date_modified_gmt else created,
        status=_status(source),
        raw_status=source.status,
        requested_shipping_method=first.method_title or None if first else None,
        shipping_method_id=first.method_id or None if first else None,
        shipping_method_name=first.method_title or None if first else None,
        invoice_currency_code=source.currency.upper() or "USD",
        total_price=sum((finite(card.amount, "gift_cards.amount") for card in source.gift_cards), source.total),
        total_tax=source.total_tax,
        total_discount=_discount(source),
        total_shipping=source.shipping_total,
        ship_to_address=_address(source.shipping, email),
        bill_to_address=_address(source.billing, email),
        line_items=lines,
        shipments=[*_shipments(source), *(_fulfillment(each, source) for each in wrapped.fulfillments)],
        external_system_url=_admin_url(source),
        additional_fields=_additional_fields(source, refunds),
    )


def products(raw: bytes) -> list[Product]:
    """A product of `GET /products` as one record, and one more for each of its variations."""
    source = _products.decode(raw)
    parent = source.product
    modified = _date(parent.date_modified_gmt or parent.date_created_gmt, "date_modified_gmt")
    created = _date(parent.date_created_gmt, "date_created_gmt") if parent.date_created_gmt else modified
    image = next((each.src for each in parent.images if each.src), None)
    shared: dict[str, Any] = {
        "parent_product_id": str(parent.id),
        "tags": _names(parent.tags),
        "categories": _names(parent.categories),
    }
    extra: dict[str, Any] = {
        "type": parent.type,
        "status": parent.status,
        "attributes": {each.name: each.options or [] for each in parent.attributes if each.name},
    }
    sold = {} if source.variations else _sold(parent)
    first = Product(
        id=str(parent.id),
        created_date=created,
        updated_date=modified,
        name=html.unescape(parent.name),
        sku=parent.sku or None,
        gtin=parent.global_unique_id or None,
        is_kit=parent.type in KITS,
        active=parent.status == "publish",
        image_url=image,
        measurements=_measurements(parent, source),
        external_system_url=parent.permalink or None,
        additional_fields=extra | _stock(parent),
        **sold,
        **shared,
    )
    return [first, *(_variation(each, first, source, shared) for each in source.variations)]


def _status(source: payloads.Order) -> OrderStatus:
    if source.status == "refunded" and source.date_completed_gmt:
        return OrderStatus.FULFILLED
    return STATUSES.get(source.status, OrderStatus.OTHER)


def _line_item(item: payloads.LineItem) -> LineItem:
    quantity = _whole(item.quantity, "line_items.quantity")
    discount = finite(item.subtotal, "line_items.subtotal") - finite(item.total, "line_items.total")
    variant = item.variation_id or item.product_id
    return LineItem(
        line_item_id=str(item.id),
        product_id=str(variant) if variant else None,
        product_sku=item.sku or None,
        parent_product_id=str(item.product_id) if item.product_id else None,
        quantity=quantity,
        unit_price=per_unit(item.subtotal, quantity),
        discount=per_unit(discount, quantity),
        tax=per_unit(item.total_tax, quantity),
        total_discount=discount,
        total_tax=item.total_tax,
    )


def _fee(fee: payloads.FeeLine) -> LineItem:
    return LineItem(
        line_item_id=str(fee.id),
        quantity=1,
        unit_price=fee.total,
        discount=Decimal(0),
        tax=fee.total_tax,
        total_discount=Decimal(0),
        total_tax=fee.total_tax,
    )


def _discount(source: payloads.Order) -> Decimal:
    """The discounts of the lines, which is `discount_total` to the cent of each line, and negative fees."""
    lines = sum((item.subtotal - item.total for item in source.line_items), Decimal(0))
    return lines - sum((fee.total for fee in source.fee_lines if fee.total < 0), Decimal(0))


def _refunds(source: payloads.Order, details: list[payloads.Refund], lines: set[str]) -> list[Refund]:
    known = {each.id: each for each in details}
    return [_refund(each, known.get(each.id), lines) for each in source.refunds]


def _refund(source: payloads.RefundSummary, detail: payloads.Refund | None, lines: set[str]) -> Refund:
    parts = [*detail.line_items, *detail.fee_lines] if detail else []
    return Refund(
        refund_id=str(source.id),
        amount=abs(finite(source.total, "refunds.total")),
        created_date=_optional_date(detail.date_created_gmt) if detail else None,
        reason=source.reason or None,
        line_items=[line for part in parts if (line := _refund_line(part)).line_item_id in lines],
    )


def _refund_line(source: payloads.RefundLine) -> RefundLineItem:
    item = next((each.value for each in source.meta_data if each.key == REFUNDED_ITEM), None)
    amount = finite(source.total, "refunds.total") + finite(source.total_tax, "refunds.total_tax")
    return RefundLineItem(
        line_item_id=str(item or ""),
        quantity=abs(_whole(source.quantity, "refunds.line_items.quantity")),
        amount=-amount,
    )


def _shipments(source: payloads.Order) -> list[Shipment]:
    """The parcels in the order's metadata, as the usual extensions and Unicart note them; one that both note comes once.

    Several that Unicart noted may share a number: they hold different lines.
    """
    found: dict[str, Shipment] = {}
    for read, key in ((_tracked, SHIPMENT_TRACKING), (_tracked, UNTRACKED), (_aftership, AFTERSHIP)):
        for item in items(source.meta_data, key):
            shipment = read(item, source)
            number = shipment.tracking_number or shipment.shipment_id
            if number in found and "line_items" in item and read is _tracked:
                number = shipment.shipment_id
            if number not in found:
                found[number] = shipment
    return _with_own_ids(found.values())


def _tracked(item: Mapping[str, Any], source: payloads.Order) -> Shipment:
    """A parcel of WooCommerce Shipment Tracking, Advanced Shipment Tracking or Unicart."""
    number = _text(item.get("tracking_number"))
    carrier = _text(item.get("custom_tracking_provider")) or _text(item.get("formatted_tracking_provider"))
    link = next(filter(None, map(_text, map(item.get, ("custom_tracking_link", "ast_tracking_link")))), None)
    shipped = _ship_date(item.get("date_shipped"))
    return Shipment(
        shipment_id=_text(item.get("tracking_id")) or fingerprint(f"{source.id} {number}"),
        status=ShipmentStatus.SHIPPED,
        carrier_id=_text(item.get("tracking_provider")),
        carrier_name=carrier or _text(item.get("tracking_provider")),
        shipping_method_name=_text(item.get("shipping_method")),
        tracking_number=number,
        tracking_url=_link(link, number),
        created_date=shipped,
        line_items=_carried(item.get("products_list"), source, "item_id", "qty")
        or _carried(item.get("line_items"), source, "id", "quantity"),
    )


def _aftership(item: Mapping[str, Any], source: payloads.Order) -> Shipment:
    """A parcel of AfterShip. Its dates are in the shop's own time though they say UTC, and left out."""
    number = _text(item.get("tracking_number"))
    return Shipment(
        shipment_id=_text(item.get("tracking_id")) or fingerprint(f"{source.id} {number}"),
        status=ShipmentStatus.SHIPPED,
        carrier_id=_text(item.get("slug")),
        carrier_name=_text(item.get("slug")),
        tracking_number=number,
        line_items=_carried(item.get("line_items"), source, "id", "quantity"),
    )


def _fulfillment(fulfillment: payloads.Fulfillment, source: payloads.Order) -> Shipment:
    """A parcel of WooCommerce's own Order Fulfillments."""
    kept = {each.key: each.value for each in fulfillment.meta_data}
    provider = next(filter(None, (_text(kept.get(key)) for key in PROVIDERS)), None)
    return Shipment(
        shipment_id=str(fulfillment.id),
        raw_status=fulfillment.status,
        status=ShipmentStatus.SHIPPED if fulfillment.is_fulfilled else ShipmentStatus.OPEN,
        carrier_id=provider,
        carrier_name=provider,
        tracking_number=_text(kept.get("_tracking_number")),
        tracking_url=_text(kept.get("_tracking_url")),
        line_items=_carried(kept.get("_items"), source, "item_id", "qty"),
    )


def _carried(parts: Any, source: payloads.Order, id: str, quantity: str) -> list[ShipmentLineItem]:
    """The lines that a parcel holds, each named by ``id``; some extensions name the `product` alone."""
    by_id = {str(item.id): item for item in source.line_items}
    by_product = {str(item.variation_id or item.product_id): item for item in reversed(source.line_items)}
    carried = []
    for part in _objects(parts):
        line, count = _text(part.get(id)), _count(part.get(quantity))
        item = by_id.get(line) if line else by_product.get(_text(part.get("product")) or "")
        if item is not None and count:
            carried.append(_shipment_line(item, count))
    return carried


def _shipment_line(item: payloads.LineItem, quantity: int) -> ShipmentLineItem:
    line = _line_item(item)
    return ShipmentLineItem(
        shipment_line_item_id=line.line_item_id,
        product_id=line.product_id,
        product_sku=line.product_sku,
        parent_product_id=line.parent_product_id,
        quantity=quantity,
    )


def _with_own_ids(shipments: Iterable[Shipment]) -> list[Shipment]:
    seen: set[str] = set()
    named = []
    for each in shipments:
        id = each.shipment_id
        if id in seen:
            id = fingerprint(f"{id} {each.tracking_number}")
        seen.add(id)
        named.append(msgspec.structs.replace(each, shipment_id=id))
    return named


def items(meta: list[payloads.Meta], key: str) -> list[dict[str, Any]]:
    """The objects that the metadata lists under ``key``."""
    return _objects(next((each.value for each in meta if each.key == key), None))


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list in the metadata; PHP writes a list with gaps as an object."""
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]


def _ship_date(value: Any) -> datetime | None:
    """A ship date in seconds since 1970, or written out, as other software leaves it in the metadata."""
    seconds = _count(value)
    if seconds:
        return datetime.fromtimestamp(seconds, UTC) if seconds < LAST_SHIP_DATE else None
    with contextlib.suppress(ValueError):
        return _optional_date(_text(value))
    return None


def _link(link: str | None, number: str | None) -> str | None:
    """A tracking link with the number in its place, if it leaves one for it."""
    if link is None:
        return None
    return link.replace("%1$s", number or "").replace("%number%", number or "")


def _additional_fields(source: payloads.Order, refunds: list[Refund]) -> dict[str, Any]:
    refunded = sum((refund.amount for refund in refunds), Decimal(0))
    fields: dict[str, Any] = {
        "payment_status": _payment_status(source, refunded),
        "total_refunded": refunded,
        "refunds": refunds,
        "payment_method": source.payment_method or None,
        "payment_method_title": source.payment_method_title or None,
        "transaction_id": source.transaction_id or None,
        "date_paid": _optional_date(source.date_paid_gmt),
        "date_completed": _optional_date(source.date_completed_gmt),
        "customer_id": str(source.customer_id) if source.customer_id else None,
        "customer_note": source.customer_note or None,
        "created_via": source.created_via or None,
        "prices_include_tax": source.prices_include_tax,
        "discount_total": finite(source.discount_total, "discount_total"),
        "coupons": [each.code for each in source.coupon_lines if each.code],
        "taxes": [_tax(each) for each in source.tax_lines],
        "meta_data": [{"key": each.key, "value": each.value} for each in source.meta_data],
    }
    custom = {str(item.id): item.name for item in source.line_items if not item.product_id}
    custom |= {str(fee.id): fee.name for fee in source.fee_lines if fee.total >= 0}
    if custom:
        fields["custom_item_titles"] = custom
    if source.fee_lines:
        fields["fees"] = [{"name": fee.name, "total": fee.total} for fee in source.fee_lines]
    if source.gift_cards:
        fields["gift_cards"] = [{"id": card.id, "amount": card.amount} for card in source.gift_cards]
    if len(source.shipping_lines) > 1:
        fields["shipping_methods"] = [each.method_title for each in source.shipping_lines]
    personal = {str(item.id): _item_meta(item) for item in source.line_items}
    if any(personal.values()):
        fields["line_item_meta"] = {id: meta for id, meta in personal.items() if meta}
    return fields


def _payment_status(source: payloads.Order, refunded: Decimal) -> str:
    """WooCommerce has no such field: it is told from what was refunded, and from `date_paid_gmt`."""
    if refunded > 0:
        return "refunded" if refunded >= finite(source.total, "total") else "partially_refunded"
    if source.status == "failed":
        return "failed"
    return "paid" if source.date_paid_gmt else "pending"


def _tax(source: payloads.TaxLine) -> dict[str, Any]:
    return {
        "label": source.label,
        "rate_code": source.rate_code,
        "rate_percent": _optional(source.rate_percent, "tax_lines.rate_percent"),
        "tax_total": _optional(source.tax_total, "tax_lines.tax_total"),
        "shipping_tax_total": _optional(source.shipping_tax_total, "tax_lines.shipping_tax_total"),
    }


def _item_meta(item: payloads.LineItem) -> dict[str, Any]:
    """What the customer chose, as the shop shows it; names with an underscore in front are the shop's own affairs."""
    return {
        _text(each.display_key) or each.key: each.value if each.display_value is None else each.display_value
        for each in item.meta_data
        if each.key and not each.key.startswith("_")
    }


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
        state=source.state or None,
        postal_code=source.postcode or None,
        country=source.country or None,
        phone_number=source.phone or None,
        email_address=source.email or email or None,
    )


def _admin_url(source: payloads.Order) -> str | None:
    """The order in the shop's administration, found from the link to itself."""
    href = source.links.itself[0].href if source.links and source.links.itself else ""
    for root in ("/wp-json/", "/index.php?rest_route=", "/?rest_route="):
        shop, found, _ = href.partition(root)
        if found:
            return f"{shop}/wp-admin/post.php?post={source.id}&action=edit"
    return None


def _variation(
    source: payloads.Variation, parent: Product, wrapped: payloads.RawProduct, shared: dict[str, Any]
) -> Product:
    options = {each.name: each.option for each in source.attributes if each.name and each.option}
    modified = _date(source.date_modified_gmt, "date_modified_gmt") if source.date_modified_gmt else parent.updated_date
    name = ", ".join(filter(None, options.values()))
    return Product(
        id=str(source.id),
        created_date=_optional_date(source.date_created_gmt) or parent.created_date,
        updated_date=max(parent.updated_date, modified),
        name=f"{parent.name} - {html.unescape(name)}" if name else parent.name,
        sku=source.sku or None,
        gtin=source.global_unique_id or None,
        active=parent.active and source.status == "publish",
        image_url=(source.image.src if source.image else None) or parent.image_url,
        measurements=_measurements(source, wrapped),
        external_system_url=source.permalink or None,
        additional_fields={"status": source.status, "attributes": options} | _stock(source),
        **_sold(source),
        **shared,
    )


def _sold(source: payloads.Product | payloads.Variation) -> dict[str, Any]:
    """Price, cost and stock; none of them is known of stock that WooCommerce does not manage."""
    managed = bool(source.manage_stock) and source.stock_quantity is not None
    stock = _optional(source.stock_quantity, "stock_quantity") if managed else None
    return {
        "price": _number(source.price, "price"),
        "unit_cost": source.cost_of_goods_sold.total_value if source.cost_of_goods_sold else None,
        "inventory": None if stock is None else _units(stock),
    }


def _units(stock: Decimal) -> int:
    """Whole units of ``stock``: shops that sell by weight have parts of one."""
    if abs(stock) >= 1 << 63:
        raise UnmappableRecord(f"stock_quantity: {stock} is no number of units")
    return int(stock.to_integral_value("ROUND_FLOOR"))


def _stock(source: payloads.Product | payloads.Variation) -> dict[str, Any]:
    return {
        "stock_status": source.stock_status,
        "regular_price": _number(source.regular_price, "regular_price"),
        "sale_price": _number(source.sale_price, "sale_price"),
    }


def _measurements(source: payloads.Product | payloads.Variation, wrapped: payloads.RawProduct) -> Measurements:
    unit, factor = LENGTH_UNITS.get(wrapped.dimension_unit or "", (None, Decimal(1)))
    size = source.dimensions or payloads.Dimensions()
    sides = [_number(each, "dimensions") for each in (size.length, size.width, size.height)]
    length, width, height = (None if each is None else each * factor for each in sides)
    weight = _number(source.weight, "weight")
    return Measurements(
        length=length,
        width=width,
        height=height,
        unit=unit if any(sides) else None,
        weight=weight,
        weight_unit=WEIGHT_UNITS.get(wrapped.weight_unit or "") if weight is not None else None,
    )


def _names(terms: list[payloads.Term]) -> list[str]:
    """Names of categories or tags; WordPress keeps them with HTML entities."""
    return [html.unescape(term.name) for term in terms if term.name]


def _date(text: str | None, field: str) -> datetime:
    if not text:
        raise UnmappableRecord(f"{field}: is missing")
    return parse_utc(text, naive_is_utc=True)


def _optional_date(text: str | None) -> datetime | None:
    return parse_utc(text, naive_is_utc=True) if text else None


def _text(value: Any) -> str | None:
    """A string or whole number of untyped metadata as text; null for anything else, and for an empty string."""
    return str(value) or None if isinstance(value, str | int) and not isinstance(value, bool) else None


def _count(value: Any) -> int:
    """A number of units in untyped metadata; zero for anything else."""
    text = _text(value) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _number(text: str | None, field: str) -> Decimal | None:
    if not text:
        return None
    try:
        return finite(Decimal(text), field)
    except InvalidOperation:
        raise UnmappableRecord(f"{field}: {text!r} is not a number") from None


def _optional(amount: Decimal | None, field: str) -> Decimal | None:
    return None if amount is None else finite(amount, field)


def _whole(quantity: Decimal, field: str) -> int:
    if not quantity.is_finite() or quantity != quantity.to_integral_value() or abs(quantity) >= 1 << 63:
        raise UnmappableRecord(f"{field}: {quantity} is not a whole number")
    return int(quantity)
