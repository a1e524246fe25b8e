"""Unified writes to the inputs of Vendure's mutations. Pure: no I/O, no clock."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

from unicart.connectors.kit import refusal
from unicart.connectors.vendure import payloads
from unicart.connectors.vendure.mapping import SURCHARGE, WAITING, Mark, mark
from unicart.contract.writes import InventoryAdjustment, LineQuantity, LineRefund, NewRefund, NewShipment

MANUAL = "manual-fulfillment"
"""The handler that Vendure brings, and the only one that is known to keep the tracking code as it is given."""

NOT_SHIPPED_IN = {
    "PaymentAuthorized": "is only authorised. Settle its payment",
    "Modifying": "is being modified. Finish that",
    "ArrangingAdditionalPayment": "awaits a payment. Add it",
}
"""States in which Vendure's own dashboard ships nothing: the order could not follow its fulfilment."""

LONGEST_REASON = 255


class _Refunds(msgspec.Struct):
    refunds: list[payloads.Refund]


class _State(msgspec.Struct):
    state: str


class _Written(msgspec.Struct):
    payments: list[_Refunds] | None = None
    fulfillments: list[_State] | None = None


_written = msgspec.json.Decoder(_Written)


def bears(raw: bytes, reference: str) -> bool | None:
    """Whether an order shows all refunds of a write.

    Shipments have no room for a reference. While one is being made ready, it may be our own half: it does not count as done. That
    refunded units are back in stock is not shown either.
    """
    written = _written.decode(raw)
    marks = own_marks((refund for payment in written.payments or [] for refund in payment.refunds), reference)
    if marks:
        return is_complete(marks) and not any(each.restock for each in marks)
    return False if any(each.state in WAITING for each in written.fulfillments or []) else None


def own_marks(refunds: Iterable[payloads.Refund], reference: str) -> list[Mark]:
    """The marks of the refunds that were made for this reference."""
    return [found for refund in refunds if (found := mark(refund)) and found.reference == reference]


def is_complete(marks: list[Mark]) -> bool:
    """Whether these are all parts of a write."""
    return bool(marks) and {each.part for each in marks} >= set(range(1, marks[0].parts + 1))


def note(order: payloads.Order, reference: str) -> str:
    """The private note by which a shipment's own half is found again: it names the fulfilments that are not ours."""
    others = ", ".join(each.id for each in order.fulfillments or [])
    return f"{_note_begins(reference)}{others or 'none'}"


def note_of(history: payloads.History, reference: str) -> payloads.HistoryEntry | None:
    """The note that an earlier call with this reference has made."""
    begins = _note_begins(reference)
    return next((entry for entry in history.items if (entry.data.note or "").startswith(begins)), None)


def handler_code(shipment: NewShipment, details: payloads.OrderToShip) -> str:
    """The fulfilment handler to use: the one asked for, or that of the order's shipping method."""
    of_methods = [line.shipping_method.fulfillment_handler_code for line in details.shipping_lines]
    return str(shipment.specific.get("fulfillment_handler") or next(iter(of_methods), MANUAL))


def units_to_ship(order: payloads.Order, shipment: NewShipment) -> dict[str, int]:
    """The units of each line that go into the fulfilment.

    Raises:
        RequestRefused: there are no such units.
    """
    if order.state in NOT_SHIPPED_IN:
        _refuse(f"The order {NOT_SHIPPED_IN[order.state]} in Vendure, then ship it.")
    available = _open_units(order)
    wanted: Counter[str] = Counter()
    for number, line in enumerate(shipment.line_items):
        field = f"line_items.{number}"
        wanted[line.line_item_id] += line.quantity
        if line.line_item_id.startswith(SURCHARGE):
            _refuse(f"{field}.line_item_id: a surcharge is not shipped. Leave it out.")
        if line.line_item_id not in available:
            _refuse_line(order, field)
        if wanted[line.line_item_id] > available[line.line_item_id]:
            left = available[line.line_item_id]
            _refuse(f"{field}.quantity: {left} units of the line are not in a fulfilment yet. Ship no more than these.")
    found = dict(wanted) if shipment.line_items else {id: count for id, count in available.items() if count}
    if not found:
        _refuse(
            "line_items: no unit is left to ship. Look at the order's shipments; those that are open are made ready."
        )
    return found


def begun_fulfillment(
    order: payloads.Order, shipment: NewShipment, handler: str, note: payloads.HistoryEntry
) -> payloads.Fulfillment | None:
    """The fulfilment that an earlier call made behind its ``note``: it has the units and the tracking code asked for."""
    others = (note.data.note or "").rpartition(": ")[2].split(", ")
    candidates = [each for each in order.fulfillments or [] if each.id not in others and each.state != "Cancelled"]
    for candidate in sorted(candidates, key=lambda each: each.state not in WAITING):
        tracking = _arguments(order, shipment).get("trackingCode", "")
        tracked = handler != MANUAL or (candidate.tracking_code or "") == tracking
        asked = _summed(shipment.line_items) or {
            id: count for id, count in _open_units(order, candidate).items() if count
        }
        parts = Counter[str]()
        for part in candidate.lines:
            parts[part.order_line_id] += part.quantity
        if tracked and dict(parts) == asked:
            return candidate
    return None


def fulfillment(order: payloads.Order, shipment: NewShipment, units: Mapping[str, int], handler: str) -> dict[str, Any]:
    """The ``FulfillOrderInput``. Handlers leave out arguments that they do not know."""
    arguments = [{"name": name, "value": value} for name, value in _arguments(order, shipment).items()]
    return {"lines": _order_lines(units), "handler": {"code": handler, "arguments": arguments}}


def refunds(
    order: payloads.Order, details: payloads.OrderToRefund, refund: NewRefund, reference: str
) -> list[dict[str, Any]]:
    """The ``RefundOrderInput`` of each part of a refund that is not made yet: one for each payment that is needed.

    Refunds that this write has made already are seen as not made, so that it has the same parts at each call.

    Raises:
        RequestRefused: it asks for more than can be paid back, or for nothing.
    """
    made = own_marks(_all_refunds(order), reference)
    left = _left_of_payments(order, reference)
    if not left:
        _refuse("Nothing is left to pay back: the order has no settled payment that is not refunded.")
    units, amount = _lines_to_refund(order, details, refund, reference)
    shipping = _shipping_to_refund(order, details, refund, reference)
    total = sum(left.values()) if refund.is_full else amount + shipping
    if total <= 0:
        _refuse("line_items: the refund comes to nothing. Name an amount or a shipping_amount.")
    if total > sum(left.values()):
        available = _major(sum(left.values()), order)
        _refuse(
            f"line_items: {_major(total, order)} is more than the {available} that is left. Refund no more than that."
        )
    shares = _shares(total, left)
    inputs = []
    for number, (payment, share) in enumerate(shares, start=1):
        own = Mark(reference, number, len(shares), bool(refund.restock))
        rest = {"lines": _order_lines(units), "shipping": shipping} if number == 1 else {"lines": [], "shipping": 0}
        inputs.append({"paymentId": payment, "amount": share, "reason": _reason(refund, own), "adjustment": 0, **rest})
    done = {each.part for each in made}
    return [each for number, each in enumerate(inputs, start=1) if number not in done]


def cancellation(order: payloads.Order, refund: NewRefund, reference: str) -> dict[str, Any] | None:
    """The ``CancelOrderInput`` that puts refunded units back to stock; null if there are none.

    Raises:
        RequestRefused: some of them are cancelled already.
    """
    available = {line.id: line.quantity for line in order.lines}
    lines = {id: count for id, count in available.items() if count}
    if not refund.is_full:
        lines = {id: count for id, count in _summed(refund.line_items).items() if not id.startswith(SURCHARGE)}
    for number, line in enumerate(refund.line_items):
        if lines.get(line.line_item_id, 0) > available.get(line.line_item_id, 0):
            left = available.get(line.line_item_id, 0)
            _refuse(
                f"line_items.{number}.quantity: {left} units are not cancelled yet. Refund the rest without restock."
            )
    if not lines:
        return None
    reason = f"{refund.reason or ''} {Mark(reference, 1, 1, restock=True)}".strip()
    return {"orderId": order.id, "lines": _order_lines(lines), "reason": reason, "cancelShipping": refund.is_full}


def is_cancelled(details: payloads.OrderToRefund, reference: str) -> bool:
    """Whether the units of a write are cancelled."""
    return any(reference in (entry.data.reason or "") for entry in details.history.items)


def variant(product: payloads.Product, id: str) -> payloads.Variant:
    """The variant whose stock is to change.

    Raises:
        RequestRefused: it is a product, or its stock is not kept.
    """
    found = next((each for each in product.variants if each.id == id), None)
    if found is None:
        ids = ", ".join(each.id for each in product.variants) or "none"
        _refuse(f"product_id: only variants have stock. Adjust one of the product's: {ids}.")
    if found.track_inventory == "FALSE":
        _refuse("product_id: Vendure does not track the stock of this variant. Turn that on in Vendure first.")
    return found


def location_id(found: payloads.Variant, adjustment: InventoryAdjustment) -> str:
    """The stock location to change.

    Raises:
        RequestRefused: there are several, and none is named.
    """
    if adjustment.warehouse_id is not None:
        return adjustment.warehouse_id
    ids = [level.stock_location_id for level in found.stock_levels]
    if len(ids) != 1:
        _refuse(f"warehouse_id: name one of the variant's stock locations: {', '.join(ids) or 'it has none'}.")
    return ids[0]


def stock(found: payloads.Variant, location: str, adjustment: InventoryAdjustment) -> dict[str, Any]:
    """The ``UpdateProductVariantInput``. Vendure sets what is on hand; units available are those less the allocated.

    Raises:
        RequestRefused: less than nothing would be on hand.
    """
    levels = {level.stock_location_id: level for level in found.stock_levels}
    on_hand, allocated = 0, 0
    if location in levels:
        on_hand, allocated = levels[location].stock_on_hand, levels[location].stock_allocated
    new = adjustment.target(on_hand - allocated) + allocated
    if new < 0:
        _refuse(f"quantity: only {on_hand} units are on hand there. Take off no more than these.")
    return {"id": found.id, "stockLevels": [{"stockLocationId": location, "stockOnHand": new}]}


def _note_begins(reference: str) -> str:
    return f"Shipment told by Unicart, reference {reference}, fulfilments before: "


def _open_units(order: payloads.Order, without: payloads.Fulfillment | None = None) -> dict[str, int]:
    """Units of each line that are in no fulfilment, ``without`` seen as not made."""
    taken: Counter[str] = Counter()
    for each in order.fulfillments or []:
        if each.state != "Cancelled" and each is not without:
            for part in each.lines:
                taken[part.order_line_id] += part.quantity
    return {line.id: max(line.quantity - taken[line.id], 0) for line in order.lines}


def _arguments(order: payloads.Order, shipment: NewShipment) -> dict[str, str]:
    usual = order.shipping_lines[0].shipping_method.name if order.shipping_lines else None
    method = " ".join(filter(None, (shipment.carrier_name, shipment.shipping_method_name))) or usual
    arguments = {"method": method, "trackingCode": shipment.tracking_number}
    arguments |= {each["name"]: each["value"] for each in shipment.specific.get("handler_arguments") or []}
    return {name: value for name, value in arguments.items() if value is not None}


def _all_refunds(order: payloads.Order) -> list[payloads.Refund]:
    return [refund for payment in order.payments or [] for refund in payment.refunds]


def _others(refunds: Iterable[payloads.Refund], reference: str) -> list[payloads.Refund]:
    """The refunds that count, without those of this write."""
    return [each for each in refunds if each.state != "Failed" and not own_marks([each], reference)]


def _left_of_payments(order: payloads.Order, reference: str) -> dict[str, int]:
    left = {
        payment.id: payment.amount - sum(each.total for each in _others(payment.refunds, reference))
        for payment in order.payments or []
        if payment.state == "Settled"
    }
    return {id: amount for id, amount in left.items() if amount > 0}


def _lines_to_refund(
    order: payloads.Order, details: payloads.OrderToRefund, refund: NewRefund, reference: str
) -> tuple[dict[str, int], int]:
    """The units of each line, and what is paid back for all that ``refund`` names."""
    placed = {line.id: line.order_placed_quantity for line in details.lines}
    lines = {line.id: line for line in order.lines}
    refunded: Counter[str] = Counter()
    for earlier in _others(_all_refunds(order), reference):
        for part in earlier.lines:
            refunded[part.order_line_id] += part.quantity
    if refund.is_full:
        left = {id: max(placed.get(id, 0), line.quantity) - refunded[id] for id, line in lines.items()}
        return {id: count for id, count in left.items() if count > 0}, 0
    surcharges = {f"{SURCHARGE}{each.id}": each.price_with_tax for each in order.surcharges}
    units: Counter[str] = Counter()
    amount = 0
    for number, asked in enumerate(refund.line_items):
        field, id = f"line_items.{number}", asked.line_item_id
        if id in surcharges:
            amount += surcharges[id] if asked.amount is None else _minor(asked.amount, order, f"{field}.amount")
            continue
        if id not in lines:
            _refuse_line(order, field)
        before = refunded[id] + units[id]
        units[id] += asked.quantity
        left_of_line = max(placed.get(id, 0), lines[id].quantity) - before
        if asked.quantity > left_of_line:
            _refuse(
                f"{field}.quantity: {left_of_line} units of the line are not refunded yet. Refund no more than these."
            )
        amount += _amount(lines[id], asked, before, order, field)
    return dict(units), amount


def _amount(line: payloads.Line, asked: LineRefund, before: int, order: payloads.Order, field: str) -> int:
    """What was paid for units of a line, so that all parts of a line come to exactly what was paid for it."""
    if asked.amount is not None:
        return _minor(asked.amount, order, f"{field}.amount")
    if not line.quantity:
        _refuse(f"{field}.amount: name it, for all units of the line are cancelled and Vendure has no price for them.")
    price, count = line.prorated_line_price_with_tax, line.quantity
    upto, already = ((2 * price * units + count) // (2 * count) for units in (before + asked.quantity, before))
    return upto - already


def _shipping_to_refund(
    order: payloads.Order, details: payloads.OrderToRefund, refund: NewRefund, reference: str
) -> int:
    counted = {each.id for each in _others(_all_refunds(order), reference)}
    earlier = sum(each.shipping for one in details.payments for each in one.refunds if each.id in counted)
    left = max(details.shipping_with_tax - earlier, 0)
    if refund.is_full:
        return left
    if refund.shipping_amount is None:
        return 0
    wanted = _minor(refund.shipping_amount, order, "shipping_amount")
    if wanted > left:
        _refuse(f"shipping_amount: {_major(left, order)} of the shipping is left. Refund no more than that.")
    return wanted


def _shares(total: int, left: Mapping[str, int]) -> list[tuple[str, int]]:
    """What each payment pays back: all of it the first that can, or else each what it has left."""
    for payment, amount in left.items():
        if amount >= total:
            return [(payment, total)]
    shares = []
    for payment, amount in left.items():
        share = min(amount, total)
        total -= share
        if share:
            shares.append((payment, share))
    return shares


def _reason(refund: NewRefund, own: Mark) -> str:
    longest = LONGEST_REASON - len(str(own)) - 1
    if len(refund.reason or "") > longest:
        _refuse(f"reason: Vendure has room for {longest} characters. Shorten it.")
    return f"{refund.reason or ''} {own}".strip()


def _minor(amount: Decimal, order: payloads.Order, field: str) -> int:
    scaled = amount.scaleb(order.money_precision)
    if scaled != scaled.to_integral_value():
        _refuse(f"{field}: this shop's amounts have {order.money_precision} decimals. Leave off the others.")
    return int(scaled)


def _major(amount: int, order: payloads.Order) -> str:
    return f"{Decimal(amount).scaleb(-order.money_precision)} {order.currency_code}"


def _summed(lines: Iterable[LineQuantity | LineRefund]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for line in lines:
        found[line.line_item_id] += line.quantity
    return dict(found)


def _order_lines(units: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"orderLineId": id, "quantity": count} for id, count in units.items()]


def _refuse_line(order: payloads.Order, field: str) -> NoReturn:
    ids = ", ".join(each.id for each in order.lines)
    _refuse(f"{field}.line_item_id: the order has no such line. Name one of {ids}.")


def _refuse(message: str) -> NoReturn:
    raise refusal(message)
