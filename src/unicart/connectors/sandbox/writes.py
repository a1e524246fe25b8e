"""What writes make of the sandbox's own records. Pure: no I/O, no clock."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from unicart.connectors.kit import exponent, refusal
from unicart.connectors.sandbox.generator import STOCK_PLACES
from unicart.connectors.sandbox.payloads import Line, Order, Parcel, Part, Product, Refund, RefundLine, Variant
from unicart.contract.orders import OrderStatus
from unicart.contract.writes import InventoryAdjustment, LineQuantity, NewRefund, NewShipment

SENT = frozenset({"sent", "complete"})
STATES = {
    OrderStatus.OPEN: "new",
    OrderStatus.CONFIRMED: "paid",
    OrderStatus.PROCESSING: "picking",
    OrderStatus.PARTIALLY_FULFILLED: "part_sent",
    OrderStatus.FULFILLED: "sent",
    OrderStatus.EXCEPTION: "problem",
    OrderStatus.CANCELLED: "cancelled",
    OrderStatus.BACKORDERED: "awaiting_stock",
    OrderStatus.OTHER: "archived",
}
"""The state that an order is put into to have a status."""
REMEMBERED = 50
DEFAULT_WAREHOUSE = STOCK_PLACES[0][0]


class SimulatedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """How an order is to become; null leaves it as it is."""

    order_number: str | None = None
    warehouse_customer_id: str | None = None
    status: OrderStatus | None = None
    note: str | None = None


class SimulatedProduct(msgspec.Struct, frozen=True, kw_only=True):
    """How a product is to become; null leaves it as it is. ``inventory`` is all in one warehouse, ``price`` in US dollars."""

    product_id: str | None = None
    name: str | None = None
    active: bool | None = None
    inventory: int | None = None
    price: Decimal | None = None


def shipped(order: Order, shipment: NewShipment, reference: str, now: datetime) -> Order:
    """The order with one more parcel.

    Raises:
        RequestRefused: there is less to ship than the parcel would hold.
    """
    units = _wanted(order, shipment)
    left = open_units(order)
    if not units:
        raise refusal("Nothing of this order is left to ship.")
    for line, count in units.items():
        if count > left.get(line, 0):
            raise refusal(f"line_items: only {left.get(line, 0)} of {line} are left to ship, not {count}.")
    id = f"{order.id}-p{len(order.parcels) + 1}"
    parts = [Part(f"{id}-{number + 1}", line, count) for number, (line, count) in enumerate(units.items())]
    parcel = Parcel(
        id=id,
        state="sent",
        warehouse=shipment.warehouse_id or _warehouse(order),
        tracking=shipment.tracking_number,
        tracking_url=shipment.tracking_url,
        requests=[group.shipping_group_id for group in shipment.shipping_groups],
        packed_at=shipment.shipped_date or now,
        changed_at=now,
        parts=parts,
        carrier=shipment.carrier_name,
        method=shipment.shipping_method_name,
        reference=reference,
    )
    done = {line: count for line, count in left.items() if count > units.get(line, 0)}
    changed = msgspec.structs.replace(order, parcels=[*order.parcels, parcel], changed_at=_after(order, now))
    if done:
        return msgspec.structs.replace(changed, state="part_sent")
    requests = [msgspec.structs.replace(each, state="sent", changed_at=now) for each in order.requests]
    return msgspec.structs.replace(changed, state="sent", requests=requests)


def open_units(order: Order) -> dict[str, int]:
    """How many units of each line are still to be shipped."""
    if order.state in SENT or order.state == "cancelled":
        return {}
    left = {line.id: line.ordered - line.cancelled for line in order.lines}
    for parcel in order.parcels:
        if parcel.state != "cancelled":
            for part in parcel.parts:
                left[part.line] = left.get(part.line, 0) - part.units
    return {line: count for line, count in left.items() if count > 0}


def _wanted(order: Order, shipment: NewShipment) -> dict[str, int]:
    lines: list[LineQuantity] = list(shipment.line_items)
    requests = {request.id: request for request in order.requests}
    for group in shipment.shipping_groups:
        parts = requests[group.shipping_group_id].parts
        lines += group.line_items or [LineQuantity(line_item_id=part.line, quantity=part.units) for part in parts]
    if not lines:
        return open_units(order)
    return _summed((line.line_item_id, line.quantity) for line in lines)


def _summed(lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line, count in lines:
        found[line] = found.get(line, 0) + count
    return found


def _warehouse(order: Order) -> str:
    return next((request.warehouse for request in order.requests), DEFAULT_WAREHOUSE)


def refunded(order: Order, refund: NewRefund, reference: str, now: datetime) -> Order:
    """The order with one more refund.

    Raises:
        RequestRefused: less is left to pay back, or an amount is finer than the currency.
    """
    if order.payment == "pending":
        raise refusal("The order is not paid, so that nothing can be paid back.")
    left = order.totals.grand - sum(each.amount for each in order.refunds)
    lines = [_refund_line(order, line.line_item_id, line.quantity, line.amount) for line in refund.line_items]
    shipping = (
        0 if refund.shipping_amount is None else _minor(refund.shipping_amount, order.currency, "shipping_amount")
    )
    amount = left if refund.is_full else shipping + sum(line.amount for line in lines)
    if amount <= 0:
        raise refusal("Nothing of this order is left to pay back.")
    if amount > left:
        raise refusal(f"Only {_major(left, order.currency)} {order.currency} are left to pay back.")
    one = Refund(
        id=f"{order.id}-f{len(order.refunds) + 1}",
        amount=amount,
        reason=refund.reason,
        paid_at=now,
        lines=lines,
        note=refund.note,
        reference=reference,
    )
    payment = "refunded" if amount == left else "partially_refunded"
    return msgspec.structs.replace(order, refunds=[*order.refunds, one], payment=payment, changed_at=_after(order, now))


def _refund_line(order: Order, id: str, units: int, amount: Decimal | None) -> RefundLine:
    line = next(each for each in order.lines if each.id == id)
    returned = sum(part.units for refund in order.refunds for part in refund.lines if part.line == id)
    if units > line.ordered - line.cancelled - returned:
        left = line.ordered - line.cancelled - returned
        raise refusal(f"line_items: only {left} of {id} are left to pay back, not {units}.")
    if amount is not None:
        return RefundLine(id, units, _minor(amount, order.currency, "line_items.amount"))
    return RefundLine(id, units, _paid(line) * units // (line.ordered - line.cancelled))


def _paid(line: Line) -> int:
    return line.price * (line.ordered - line.cancelled) - line.discount - line.coupon + line.tax


def adjusted(product: Product, adjustment: InventoryAdjustment, reference: str, now: datetime) -> Product:
    """The product with another stock of one of its variants.

    Raises:
        RequestRefused: it has variants and none was named, or the stock would fall below zero.
    """
    variant = next((each for each in product.variants if each.id == adjustment.product_id), None)
    if variant is None:
        raise refusal("product_id: a parent product has no stock. Adjust one of its variants.")
    warehouse = adjustment.warehouse_id or next(iter(variant.stock), DEFAULT_WAREHOUSE)
    level = adjustment.target(variant.stock.get(warehouse, 0))
    if level < 0:
        raise refusal(f"quantity: the stock would fall to {level}.")
    stocked = msgspec.structs.replace(variant, stock={**variant.stock, warehouse: level})
    variants = [stocked if each is variant else each for each in product.variants]
    references = [*product.adjusted, reference][-REMEMBERED:]
    return msgspec.structs.replace(product, variants=variants, adjusted=references, changed_at=_after(product, now))


def _after(record: Order | Product, now: datetime) -> datetime:
    """A change is never older than the one before it."""
    return max(record.changed_at, now)


def _minor(amount: Decimal, currency: str, field: str) -> int:
    scaled = amount.scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise refusal(f"{field}: {amount} is finer than {currency} can be.")
    return int(scaled)


def _major(amount: int, currency: str) -> Decimal:
    return Decimal(amount).scaleb(-exponent(currency))


def simulated(order: Order, wish: SimulatedOrder, now: datetime) -> Order:
    """A generated order as one that is placed and paid now, and as was wished for."""
    fresh = msgspec.structs.replace(
        order,
        placed_at=now,
        changed_at=now,
        state="paid",
        payment="paid",
        requests=[],
        parcels=[],
        refunds=[],
        send_from=None,
        send_until=None,
    )
    return changed(fresh, wish, now)


def changed(order: Order, wish: SimulatedOrder, now: datetime) -> Order:
    """The order as was wished for."""
    values = {"number": wish.order_number, "client": wish.warehouse_customer_id, "note": wish.note}
    if wish.status is not None:
        values["state"] = STATES[wish.status]
    given = {name: value for name, value in values.items() if value is not None}
    return msgspec.structs.replace(order, **given, changed_at=_after(order, now))


def restocked(product: Product, wish: SimulatedProduct, now: datetime) -> Product:
    """The product as was wished for; what belongs to variants is set on the one that is named, or on all."""
    variants = [
        _restocked(each, wish) if wish.product_id in (each.id, product.id, None) else each for each in product.variants
    ]
    values = {"title": wish.name, "on_sale": wish.active}
    given = {name: value for name, value in values.items() if value is not None}
    return msgspec.structs.replace(product, variants=variants, **given, changed_at=_after(product, now))


def _restocked(variant: Variant, wish: SimulatedProduct) -> Variant:
    stock = variant.stock if wish.inventory is None else {next(iter(variant.stock), DEFAULT_WAREHOUSE): wish.inventory}
    price = variant.price if wish.price is None else _minor(wish.price, "USD", "price")
    return msgspec.structs.replace(variant, stock=stock, price=price)


def copied(product: Product, number: int) -> Product:
    """Another product of the same kind, with ids and SKUs of its own."""
    tail = f"n{number}"
    variants = [
        msgspec.structs.replace(each, id=f"{each.id}{tail}", sku=each.sku and f"{each.sku}-{tail}", barcode=None)
        for each in product.variants
    ]
    sku = product.sku and f"{product.sku}-{tail}"
    return msgspec.structs.replace(product, id=f"{product.id}{tail}", sku=sku, variants=variants, adjusted=[])
