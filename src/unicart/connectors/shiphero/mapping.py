"""ShipHero's records as unified ones. Pure functions; field names in backquotes are ShipHero's.

The fields are those of https://developer.shiphero.com/schema/types/order.html and the types that it names.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

from unicart.connectors.kit import UnmappableRecord, exponent, parse_utc, per_unit
from unicart.connectors.shiphero import payloads
from unicart.contract.common import Address
from unicart.contract.orders import (
    LineItem,
    Order,
    OrderStatus,
    Refund,
    Shipment,
    ShipmentLineItem,
    ShipmentStatus,
    ShippingGroup,
    ShippingGroupLineItem,
)
from unicart.contract.products import Measurements, Product
from unicart.contract.warehouses import Warehouse

T = TypeVar("T")

_orders = msgspec.json.Decoder(payloads.Order)
_products = msgspec.json.Decoder(payloads.Product)
_warehouses = msgspec.json.Decoder(payloads.Warehouse)

UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
"""Both dates of every warehouse: ShipHero tells none."""

MOST_DIGITS = 15
MOST_DECIMALS = 9
ZERO = Decimal(0)
PENDING = "pending"
STATUSES = {
    PENDING: OrderStatus.OPEN,
    "fulfilled": OrderStatus.FULFILLED,
    "canceled": OrderStatus.CANCELLED,
    "cancelled": OrderStatus.CANCELLED,
}
CANCELLED = frozenset(word for word, status in STATUSES.items() if status is OrderStatus.CANCELLED)
GROUP_STATUSES = {
    OrderStatus.FULFILLED: ShipmentStatus.SHIPPED,
    OrderStatus.CANCELLED: ShipmentStatus.CANCELLED,
    OrderStatus.EXCEPTION: ShipmentStatus.ON_HOLD,
}
VOIDED = frozenset({"void", "voided", "refunded", "canceled", "cancelled"})


def order(raw: bytes) -> Order:
    """An order of the query `orders`.

    `price` of a line is without tax, unless the order's figures only add up if it is with tax: then the order's
    `total_tax` is shared out over the lines by what they cost.
    """
    source = _orders.decode(raw)
    ordered_lines = source.line_items.nodes if source.line_items else []
    lines = _remaining(source, ordered_lines)
    currency = (source.currency or "").strip().upper() or "USD"
    items = _line_items(source, lines, currency)
    changed = _moment(source.updated_at, "updated_at")
    ordered = _moment(source.order_date, "order_date")
    if changed is None and ordered is None:
        raise UnmappableRecord("updated_at: neither it nor order_date is there")
    status = _status(source, lines)
    shipping = source.shipping_lines or payloads.ShippingLines()
    return Order(
        id=source.id,
        order_number=source.order_number or source.id,
        warehouse_customer_id=source.account_id or None,
        created_date=ordered or changed,  # type: ignore[arg-type]
        updated_date=changed or ordered,  # type: ignore[arg-type]
        status=status,
        raw_status=source.fulfillment_status,
        requested_shipping_method=shipping.title or None,
        shipping_method_name=shipping.method or None,
        carrier_name=shipping.carrier or None,
        invoice_currency_code=currency,
        total_price=_amount(source.total_price, "total_price"),
        total_tax=_amount(source.total_tax, "total_tax"),
        total_discount=_amount(source.total_discounts, "total_discounts"),
        total_shipping=_amount(shipping.price, "shipping_lines.price"),
        ship_to_address=_address(source.shipping_address, source.email),
        bill_to_address=_address(source.billing_address, source.email),
        earliest_ship_date=_moment(source.hold_until_date, "hold_until_date"),
        latest_ship_date=_moment(source.required_ship_date, "required_ship_date"),
        line_items=items,
        shipping_groups=_shipping_groups(source, items, status),
        shipments=[_shipment(each, items) for each in _present(source.shipments)],
        additional_fields=_additional_fields(source, ordered_lines, lines),
    )


def product(raw: bytes) -> Product:
    """A product of the query `products`. ShipHero knows no variants: each SKU is its own parent."""
    source = _products.decode(raw)
    places = _present(source.warehouse_products)
    changes = [_moment(each.updated_at, "warehouse_products.updated_at") for each in places]
    moments = [moment for moment in (_moment(source.updated_at, "updated_at"), *changes) if moment]
    created = _moment(source.created_at, "created_at") or min(moments, default=None)
    if created is None:
        raise UnmappableRecord("created_at: neither it nor updated_at is there")
    stock = {} if source.virtual else _stock(places)
    tracked = source.warehouse_products is not None and not source.virtual
    return Product(
        id=source.id,
        created_date=created,
        updated_date=max(moments, default=created),
        name=source.name or source.sku or source.id,
        sku=source.sku or None,
        gtin=source.barcode or None,
        parent_product_id=source.id,
        is_kit=bool(source.kit),
        active=any(each.active is not False for each in places) or not places,
        image_url=_image(source),
        price=_first(_amount(each.price, "warehouse_products.price") for each in places),
        unit_cost=_first(_amount(each.value, "warehouse_products.value") for each in places),
        inventory=sum(stock.values()) if tracked else None,
        inventory_by_warehouse_id=stock,
        measurements=_measurements(source.dimensions),
        tags=[tag for tag in source.tags or [] if tag],
        additional_fields=_product_fields(source, places),
    )


def warehouse(raw: bytes) -> Warehouse:
    """A warehouse of the query `account`."""
    source = _warehouses.decode(raw)
    address = source.address or payloads.Address()
    return Warehouse(
        id=source.id,
        created_date=UNDATED,
        updated_date=UNDATED,
        name=source.identifier or source.company_name or source.id,
        code=source.identifier or None,
        address=Address(
            full_name=address.name or None,
            company=source.company_name or None,
            address1=address.address1 or None,
            address2=address.address2 or None,
            city=address.city or None,
            state=address.state or None,
            postal_code=address.zip or None,
            country=address.country or None,
            phone_number=address.phone or None,
        ),
        additional_fields={
            "account_id": source.account_id,
            "company_alias": source.company_alias,
            "profile": source.profile,
        },
    )


def _remaining(source: payloads.Order, lines: Sequence[payloads.LineItem]) -> list[payloads.LineItem]:
    """The lines as they stand: what is taken off an order stays in its list as canceled, with all of its quantity.

    The lines of an order that is canceled as a whole are left as they were ordered.
    """
    if _word(source.fulfillment_status) in CANCELLED:
        return list(lines)
    return [_left(line) if _word(line.fulfillment_status) in CANCELLED else line for line in lines]


def _left(line: payloads.LineItem) -> payloads.LineItem:
    shipped = min(line.quantity_shipped or 0, line.quantity)
    return msgspec.structs.replace(line, quantity=shipped, backorder_quantity=0)


def _canceled(ordered: Sequence[payloads.LineItem], lines: Sequence[payloads.LineItem]) -> dict[str, int]:
    counts = {was.id: was.quantity - line.quantity for was, line in zip(ordered, lines, strict=True)}
    return {id: count for id, count in counts.items() if count}


def _word(text: str | None) -> str:
    return (text or "").strip().lower()


def _status(source: payloads.Order, lines: Sequence[payloads.LineItem]) -> OrderStatus:
    word = _word(source.fulfillment_status)
    if word != PENDING:
        return STATUSES.get(word, OrderStatus.OTHER)
    if _holds(source):
        return OrderStatus.EXCEPTION
    if any((line.quantity_shipped or 0) > 0 for line in lines):
        return OrderStatus.PARTIALLY_FULFILLED
    if any((line.backorder_quantity or 0) > 0 for line in lines):
        return OrderStatus.BACKORDERED
    return OrderStatus.OPEN


def _holds(source: payloads.Order) -> list[str]:
    return [name for name in payloads.Holds.__struct_fields__ if source.holds and getattr(source.holds, name)]


def _line_items(source: payloads.Order, lines: Sequence[payloads.LineItem], currency: str) -> list[LineItem]:
    prices = [_amount(line.price, "line_items.price") for line in lines]
    if _includes_tax(source, lines):
        taxes = _tax_shares(source, lines, currency)
        return [_net_line_item(line, price or ZERO, tax) for line, price, tax in zip(lines, prices, taxes, strict=True)]
    return [_line_item(line, price, None) for line, price in zip(lines, prices, strict=True)]


def _line_item(line: payloads.LineItem, unit_price: Decimal | None, tax: Decimal | None) -> LineItem:
    discount = _amount(line.promotion_discount, "line_items.promotion_discount")
    product_id = line.product.id if line.product else None
    return LineItem(
        line_item_id=line.id,
        product_id=product_id,
        product_sku=line.sku or None,
        parent_product_id=product_id,
        parent_product_sku=(line.sku or None) if product_id else None,
        quantity=line.quantity,
        unit_price=unit_price,
        discount=None if discount is None else per_unit(discount, line.quantity),
        tax=None if tax is None else per_unit(tax, line.quantity),
        total_discount=discount,
        total_tax=tax,
    )


def _net_line_item(line: payloads.LineItem, price: Decimal, tax: Decimal) -> LineItem:
    net = price if line.quantity == 0 else per_unit(price * line.quantity - tax, line.quantity)
    return _line_item(line, net, tax)


def _includes_tax(source: payloads.Order, lines: Sequence[payloads.LineItem]) -> bool:
    """Whether the figures add up to `total_price` with the tax inside the prices, and not with the tax beside them."""
    tax, total = _amount(source.total_tax, "total_tax"), _amount(source.total_price, "total_price")
    goods = _goods(lines)
    if not tax or total is None or not goods:
        return False
    shipping = _amount(source.shipping_lines.price, "shipping_lines.price") if source.shipping_lines else None
    return goods - (_amount(source.total_discounts, "total_discounts") or ZERO) + (shipping or ZERO) == total


def _goods(lines: Iterable[payloads.LineItem]) -> Decimal:
    return sum(((_amount(line.price, "line_items.price") or ZERO) * line.quantity for line in lines), ZERO)


def _tax_shares(source: payloads.Order, lines: Sequence[payloads.LineItem], currency: str) -> list[Decimal]:
    """`total_tax` by line, in whole cents (or what the currency has); nothing is lost to rounding."""
    tax = _amount(source.total_tax, "total_tax") or ZERO
    cent = Decimal(1).scaleb(min(-exponent(currency), int(tax.as_tuple().exponent)))
    goods, passed, given, shares = _goods(lines), ZERO, ZERO, []
    for line in lines:
        passed += (_amount(line.price, "line_items.price") or ZERO) * line.quantity
        due = (tax * passed / goods).quantize(cent)
        shares.append(due - given)
        given = due
    return shares


def _shipping_groups(source: payloads.Order, items: Sequence[LineItem], status: OrderStatus) -> list[ShippingGroup]:
    found: dict[str, ShippingGroup] = {}
    for allocation in _present(source.allocations):
        warehouse_id = allocation.warehouse_id or None
        id = allocation.allocation_reference or f"{source.id}:{warehouse_id}"
        while id in found:
            id = f"{id}:{warehouse_id}"
        found[id] = ShippingGroup(
            shipping_group_id=id,
            created_date=_moment(allocation.allocated_at, "allocations.allocated_at"),
            status=GROUP_STATUSES.get(status, ShipmentStatus.OPEN),
            warehouse_id=warehouse_id,
            line_items=_group_lines(allocation, items),
        )
    return list(found.values())


def _group_lines(allocation: payloads.Allocation, items: Sequence[LineItem]) -> list[ShippingGroupLineItem]:
    """Kit components that are no lines of the order are left out."""
    lines = {item.line_item_id: item for item in items}
    return [
        ShippingGroupLineItem(
            line_item_id=line.line_item_id,
            product_id=line.product_id,
            product_sku=line.product_sku,
            parent_product_id=line.parent_product_id,
            quantity=each.quantity_allocated or 0,
        )
        for each in _present(allocation.line_items)
        if (line := lines.get(each.line_item_id or "")) is not None
    ]


def _shipment(source: payloads.Shipment, items: Sequence[LineItem]) -> Shipment:
    lines = {item.line_item_id: item for item in items}
    labels = _present(source.shipping_labels)
    label = next((each for each in labels if not _is_void(each)), labels[0] if labels else payloads.Label())
    made = _moment(source.created_date, "shipments.created_date")
    moments = [made, *(_moment(each.created_date, "shipments.shipping_labels.created_date") for each in labels)]
    return Shipment(
        shipment_id=source.id,
        raw_status=label.status or None,
        status=_shipment_status(source, labels),
        warehouse_id=source.warehouse_id or None,
        shipping_method_name=label.shipping_method or None,
        carrier_name=label.carrier or None,
        tracking_number=label.tracking_number or None,
        tracking_url=label.tracking_url or None,
        created_date=made,
        updated_date=max((moment for moment in moments if moment), default=None),
        line_items=[
            _shipment_line(each, lines.get(each.line_item_id or ""))
            for each in (source.line_items.nodes if source.line_items else [])
        ],
    )


def _shipment_status(source: payloads.Shipment, labels: Sequence[payloads.Label]) -> ShipmentStatus:
    if source.refunded or (labels and all(map(_is_void, labels))):
        return ShipmentStatus.CANCELLED
    return ShipmentStatus.DELIVERED if source.delivered else ShipmentStatus.SHIPPED


def _is_void(label: payloads.Label) -> bool:
    return bool(label.refunded) or _word(label.status) in VOIDED


def _shipment_line(source: payloads.ShipmentLineItem, line: LineItem | None) -> ShipmentLineItem:
    return ShipmentLineItem(
        shipment_line_item_id=source.id,
        product_id=line.product_id if line else None,
        product_sku=line.product_sku if line else None,
        parent_product_id=line.parent_product_id if line else None,
        parent_product_sku=line.parent_product_sku if line else None,
        quantity=source.quantity or 0,
    )


def _refunds(source: payloads.Order) -> list[Refund]:
    found: dict[str, Refund] = {}
    for authorization in _present(source.authorizations):
        amount = _amount(authorization.refunded_amount, "authorizations.refunded_amount")
        if amount is None or amount <= 0:
            continue
        id = authorization.transaction_id or "refund"
        while id in found:
            id = f"{id}:{len(found)}"
        found[id] = Refund(refund_id=id, amount=amount)
    return list(found.values())


def _payment_status(source: payloads.Order, refunded: Decimal) -> str | None:
    """Null without authorizations: most orders are paid where ShipHero does not see it."""
    if source.holds and source.holds.payment_hold:
        return "payment_hold"
    payments = _present(source.authorizations)
    captured = _sum((each.postauthed_amount for each in payments), "authorizations.postauthed_amount")
    authorized = _sum((each.authorized_amount for each in payments), "authorizations.authorized_amount")
    total = _amount(source.total_price, "total_price") or ZERO
    if refunded:
        return "refunded" if refunded >= (captured or authorized or total) else "partially_refunded"
    if captured:
        return "paid" if captured >= total else "partially_paid"
    return "authorized" if authorized else None


def _sum(amounts: Iterable[str | None], field: str) -> Decimal:
    return sum((_amount(amount, field) or ZERO for amount in amounts), ZERO)


def _additional_fields(
    source: payloads.Order, ordered: Sequence[payloads.LineItem], lines: Sequence[payloads.LineItem]
) -> dict[str, Any]:
    refunds = _refunds(source)
    refunded = sum((refund.amount for refund in refunds), ZERO)
    fields: dict[str, Any] = {
        "payment_status": _payment_status(source, refunded),
        "total_refunded": refunded,
        "refunds": refunds,
        "shop_name": source.shop_name,
        "source": source.source,
        "partner_order_id": source.partner_order_id,
        "legacy_id": source.legacy_id,
        "holds": _holds(source),
        "tags": [tag for tag in source.tags or [] if tag],
        "profile": source.profile,
        "packing_note": source.packing_note,
        "gift_note": source.gift_note,
        "partner_line_item_ids": {line.id: line.partner_line_item_id for line in lines if line.partner_line_item_id},
        "shipped_off_shiphero": [each.id for each in _present(source.shipments) if each.shipped_off_shiphero],
        "quantities_shipped": {line.id: line.quantity_shipped for line in lines if line.quantity_shipped},
        "quantities_backordered": {line.id: line.backorder_quantity for line in lines if line.backorder_quantity},
        "quantities_canceled": _canceled(ordered, lines),
    }
    custom = {line.id: line.product_name for line in lines if line.product is None}
    if custom:
        fields["custom_item_titles"] = custom
    if _includes_tax(source, lines):
        fields["prices_with_tax"] = {line.id: _amount(line.price, "line_items.price") for line in lines}
    tracking = {each.id: _tracking_numbers(each) for each in _present(source.shipments)}
    if any(len(numbers) > 1 for numbers in tracking.values()):
        fields["tracking_numbers"] = {id: numbers for id, numbers in tracking.items() if len(numbers) > 1}
    return fields


def _tracking_numbers(source: payloads.Shipment) -> list[str]:
    return [label.tracking_number for label in _present(source.shipping_labels) if label.tracking_number]


def _product_fields(source: payloads.Product, places: Sequence[payloads.WarehouseProduct]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "account_id": source.account_id,
        "legacy_id": source.legacy_id,
        "virtual": bool(source.virtual),
        "cost_currency": _first(each.value_currency or None for each in places),
        "stock": {
            each.warehouse_id: {"on_hand": each.on_hand, "allocated": each.allocated, "backorder": each.backorder}
            for each in places
            if each.warehouse_id
        },
    }
    if source.kit:
        components = _present(source.kit_components)
        fields["kit_components"] = [{"sku": each.sku, "quantity": each.quantity} for each in components]
    return fields


def _stock(places: Iterable[payloads.WarehouseProduct]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in places:
        if each.warehouse_id and each.available is not None:
            found[each.warehouse_id] = found.get(each.warehouse_id, 0) + each.available
    return found


def _image(source: payloads.Product) -> str | None:
    images = sorted(_present(source.images), key=lambda image: image.position or 0)
    return _first(image.src or None for image in images)


def _measurements(source: payloads.Dimensions | None) -> Measurements:
    """In the account's units, which ShipHero does not tell: inches and ounces unless its settings say otherwise."""
    if source is None:
        return Measurements()
    names = ("length", "width", "height")
    length, width, height = (_amount(getattr(source, name), f"dimensions.{name}") for name in names)
    weight = _amount(source.weight, "dimensions.weight")
    sized = any(side is not None for side in (length, width, height))
    return Measurements(
        length=length,
        width=width,
        height=height,
        unit="in" if sized else None,
        weight=weight,
        weight_unit="oz" if weight is not None else None,
    )


def _address(source: payloads.OrderAddress | None, email: str | None) -> Address:
    if source is None:
        return Address(email_address=email or None)
    name = " ".join(part for part in (source.first_name, source.last_name) if part)
    return Address(
        full_name=name or None,
        company=source.company or None,
        address1=source.address1 or None,
        address2=source.address2 or None,
        city=source.city or None,
        state=source.state_code or source.state or None,
        postal_code=source.zip or None,
        country=source.country_code or source.country or None,
        phone_number=source.phone or None,
        email_address=source.email or email or None,
    )


def _amount(text: str | None, field: str) -> Decimal | None:
    """An amount; null if it is empty."""
    if text is None or not text.strip():
        return None
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        raise UnmappableRecord(f"{field}: {text[:40]!r} is not a number") from None
    if not amount.is_finite() or amount.adjusted() > MOST_DIGITS or amount.as_tuple().exponent < -MOST_DECIMALS:  # type: ignore[operator]
        raise UnmappableRecord(f"{field}: {text[:40]!r} is no amount of money")
    return amount


def _moment(text: str | None, field: str) -> datetime | None:
    """A date; null if it is empty or the database's date of zeros."""
    if not text or text.startswith("0000"):
        return None
    try:
        return parse_utc(text, naive_is_utc=True)
    except ValueError as error:
        raise UnmappableRecord(f"{field}: {error}") from None


def _present(records: Iterable[T | None] | None) -> list[T]:
    return [record for record in records or () if record is not None]


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)
