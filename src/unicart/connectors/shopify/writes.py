"""Unified writes as the input of Shopify's mutations. Pure functions.

Shopify keeps no reference of ours with a fulfilment, so that a note of each shipment is kept with its order, in a metafield that
only this app sees: what is to be fulfilled, and what was before. A refund bears the reference in its note.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from unicart.connectors.kit import exponent, refusal
from unicart.connectors.shopify import payloads
from unicart.contract.writes import AdjustmentType, InventoryAdjustment, LineQuantity, NewRefund, NewShipment

NOTES_KEY = "unicart_shipments"
MOST_NOTES = 10
FULFILLABLE = frozenset({"OPEN", "IN_PROGRESS"})
UNDONE = frozenset({"CANCELLED", "ERROR", "FAILURE"})
NAMED_VARIANTS = 5
REASONS = (
    "correction",
    "cycle_count_available",
    "damaged",
    "movement_created",
    "movement_updated",
    "movement_received",
    "movement_canceled",
    "other",
    "promotion",
    "quality_control",
    "received",
    "reservation_created",
    "reservation_updated",
    "reservation_deleted",
    "restock",
    "safety_stock",
    "shrinkage",
)
ZERO = Decimal(0)
Input = dict[str, Any]

_BORNE = re.compile(r"\s*\[unicart (\w+)\]$")


class Part(msgspec.Struct, frozen=True):
    """One fulfilment that is to be made: units by the lines of its fulfilment orders, and by line items."""

    groups: dict[str, dict[str, int]]
    lines: dict[str, int]


class Note(msgspec.Struct, frozen=True):
    """What is to be made under a reference, and which fulfilments there were before."""

    reference: str
    before: list[str]
    parts: list[Part]


_notes = msgspec.json.Decoder(list[Note])


def order(raw: bytes) -> payloads.Order:
    """An order as it was pulled."""
    return msgspec.json.decode(raw, type=payloads.Order)


def product(raw: bytes) -> payloads.Product:
    """A product as it was pulled."""
    return msgspec.json.decode(raw, type=payloads.Product)


def is_borne(raw: bytes, reference: str) -> bool | None:
    """Whether an order shows the whole shipment, or the refund, of a reference; null for a product, which shows nothing."""
    if "fulfillmentOrders" not in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]):
        return None
    source = order(raw)
    if any(reference in _BORNE.findall(refund.note or "") for refund in source.refunds):
        return True
    note = note_of(source, reference)
    return note is not None and not progress(note, source)[1]


def without_reference(note: str | None) -> str | None:
    """A refund's note as it was given."""
    return _BORNE.sub("", note or "") or None


def note_of(source: payloads.Order, reference: str) -> Note | None:
    """What is noted of a shipment with the order."""
    return next((each for each in _noted(source) if each.reference == reference), None)


def new_note(source: payloads.Order, shipment: NewShipment, reference: str) -> Note:
    """What a shipment is to make.

    Raises:
        RequestRefused: it makes no sense for this order.
    """
    taken = _taken(source, shipment)
    parts: dict[str, Part] = {}
    for group in source.fulfillment_orders:
        lines = {each.id: taken[each.id] for each in group.line_items if taken.get(each.id)}
        if lines:
            location = group.assigned_location.location
            part = parts.setdefault(location.id if location else group.id, Part({}, {}))
            part.groups[group.id] = lines
            for each in group.line_items:
                if each.id in lines:
                    part.lines[each.line_item.id] = part.lines.get(each.line_item.id, 0) + lines[each.id]
    return Note(reference, [each.id for each in source.fulfillments], list(parts.values()))


def noted(source: payloads.Order, note: Note) -> Input:
    """The metafield of an order with one more note; the oldest ones are dropped."""
    kept = [*_noted(source), note][-MOST_NOTES:]
    return {
        "ownerId": _gid("Order", source.id),
        "key": NOTES_KEY,
        "type": "json",
        "value": msgspec.json.encode(kept).decode(),
        "compareDigest": source.metafield.compare_digest if source.metafield else None,
    }


def progress(note: Note, source: payloads.Order) -> tuple[list[str], list[Part]]:
    """The fulfilments that are made already, and the parts that are left."""
    new = [each for each in source.fulfillments if each.id not in note.before and each.status not in UNDONE]
    made: list[str] = []
    left: list[Part] = []
    for part in note.parts:
        found = next((each for each in new if _lines(each) == part.lines), None)
        if found is None:
            left.append(part)
        else:
            new.remove(found)
            made.append(found.id)
    return made, left


def fulfillment(part: Part, shipment: NewShipment) -> Input:
    """One fulfilment of a shipment."""
    groups = [
        {
            "fulfillmentOrderId": group,
            "fulfillmentOrderLineItems": [{"id": id, "quantity": quantity} for id, quantity in lines.items()],
        }
        for group, lines in part.groups.items()
    ]
    tracking = {"company": shipment.carrier_name, "number": shipment.tracking_number, "url": shipment.tracking_url}
    told = {name: value for name, value in tracking.items() if value is not None}
    return {
        "lineItemsByFulfillmentOrder": groups,
        "notifyCustomer": bool(shipment.notify_customer),
        **({"trackingInfo": told} if told else {}),
    }


def adjustment(source: payloads.Product, change: InventoryAdjustment, reference: str) -> Input:
    """A change of a variant's stock: by so many units, or, with ``exact``, to so many.

    Raises:
        RequestRefused: it makes no sense for this product.
    """
    item = _variant(source, change.product_id).inventory_item
    if not item.tracked:
        raise refusal(f"product_id: Shopify does not track the stock of {change.product_id}. Turn that on there first.")
    place = {"inventoryItemId": item.id, "locationId": _location(item, change.warehouse_id)}
    if change.adjustment_type is AdjustmentType.EXACT:
        changes = {"quantities": [{**place, "quantity": change.quantity, "changeFromQuantity": None}]}
    else:
        changes = {"changes": [{**place, "delta": change.target(0), "changeFromQuantity": None}]}
    return {
        "name": "available",
        "reason": change.reason or REASONS[0],
        "referenceDocumentUri": f"gid://unicart/InventoryAdjustment/{reference}",
        **changes,
    }


def lines_to_refund(source: payloads.Order, refund: NewRefund) -> list[Input]:
    """The lines of a refund that is not full.

    Raises:
        RequestRefused: a line is named twice, or has fewer units.
    """
    lines = {_number(each.id): each for each in source.line_items}
    named: set[str] = set()
    found: list[Input] = []
    for number, each in enumerate(refund.line_items):
        field, line = f"line_items.{number}", lines.get(each.line_item_id)
        if line is None:
            raise refusal(
                f"{field}.line_item_id: cannot be refunded by itself. Name a line of goods, or leave lines out."
            )
        if each.line_item_id in named:
            raise refusal(f"{field}.line_item_id: is named twice. Put its units together.")
        if each.quantity > line.current_quantity:
            raise refusal(f"{field}.quantity: only {line.current_quantity} are left to be refunded.")
        named.add(each.line_item_id)
        found += _refund_lines(source, line.id, each.quantity, restock=bool(refund.restock))
    return found


def refund_input(
    source: payloads.Order,
    refund: NewRefund,
    reference: str,
    whole: payloads.Refundable,
    part: payloads.Refundable | None,
) -> Input:
    """A refund of what Shopify suggests for the ``whole`` order, or of a ``part`` of it.

    Raises:
        RequestRefused: there is not so much left to pay back.
    """
    if refund.is_full:
        total = amount(whole.maximum_refundable_set)
        units: dict[str, int] = {}
        for each in whole.refund_line_items:
            units[each.line_item.id] = units.get(each.line_item.id, 0) + each.quantity
        restock = bool(refund.restock)
        lines = [one for id, n in units.items() if n for one in _refund_lines(source, id, n, restock=restock)]
        shipping: Input | None = {"fullRefund": True} if amount(whole.shipping.maximum_refundable_set) else None
    else:
        lines = lines_to_refund(source, refund)
        shipping = _shipping(source, refund.shipping_amount, whole.shipping)
        total = _paid_for_lines(source, refund, part) + (refund.shipping_amount or ZERO)
    currency = source.presentment_currency_code
    left = amount(whole.maximum_refundable_set)
    if not left or not total:
        raise refusal("Nothing of this would be paid back: nothing was paid, or all of it is refunded already.")
    if total > left:
        raise refusal(f"This would pay back {total} {currency}, but only {left} {currency} are left to be refunded.")
    text = ": ".join(filter(None, [refund.reason, refund.note]))
    return {
        "orderId": _gid("Order", source.id),
        "currency": currency,
        "note": f"{text} [unicart {reference}]".strip(),
        "notify": bool(refund.notify_customer),
        "refundLineItems": lines,
        **({"shipping": shipping} if shipping else {}),
        "transactions": list(_transactions(source, total, whole.suggested_transactions)),
    }


def amount(bag: payloads.MoneyBag) -> Decimal:
    """What it is in the currency of the order."""
    return bag.presentment_money.amount


def _taken(source: payloads.Order, shipment: NewShipment) -> dict[str, int]:
    """How many units to fulfil of each line of a fulfilment order."""
    taken: dict[str, int] = {}
    if shipment.shipping_groups:
        for number, named in enumerate(shipment.shipping_groups):
            field = f"shipping_groups.{number}"
            group = _group(source, named.shipping_group_id, shipment.warehouse_id, field)
            _take([group], named.line_items, f"{field}.line_items", taken)
        return taken
    open_groups = [each for each in source.fulfillment_orders if each.status in FULFILLABLE and _left(each)]
    groups = [each for each in open_groups if shipment.warehouse_id in (None, _place(each))]
    if not groups:
        raise refusal(_nothing_left(source, open_groups))
    _take(groups, shipment.line_items, "line_items", taken)
    return taken


def _group(source: payloads.Order, id: str, warehouse_id: str | None, field: str) -> payloads.FulfillmentOrder:
    group = next((each for each in source.fulfillment_orders if _number(each.id) == id), None)
    if group is None:
        raise refusal(f"{field}.shipping_group_id: the order has no such shipping group.")
    if group.status not in FULFILLABLE or not _left(group):
        raise refusal(f"{field}.shipping_group_id: nothing of it can be shipped, it is {group.status.lower()}.")
    if warehouse_id not in (None, _place(group)):
        raise refusal(f"warehouse_id: the shipping group {id} leaves {_place(group)}. Move it in Shopify first.")
    return group


def _take(
    groups: Sequence[payloads.FulfillmentOrder], lines: Sequence[LineQuantity], field: str, taken: dict[str, int]
) -> None:
    """Add the units of ``lines`` to ``taken``; without any, all that are left."""
    parts = [each for group in groups for each in group.line_items]
    if not lines:
        taken.update({each.id: each.remaining_quantity for each in parts})
    for number, line in enumerate(lines):
        wanted = line.quantity
        for each in parts:
            if _number(each.line_item.id) == line.line_item_id:
                units = min(wanted, each.remaining_quantity - taken.get(each.id, 0))
                taken[each.id] = taken.get(each.id, 0) + units
                wanted -= units
        if wanted:
            raise refusal(f"{field}.{number}.quantity: only {line.quantity - wanted} are left to be shipped there.")


def _nothing_left(source: payloads.Order, open_groups: Sequence[payloads.FulfillmentOrder]) -> str:
    if open_groups:
        places = ", ".join(sorted({_place(each) or "no warehouse" for each in open_groups}))
        return f"warehouse_id: nothing is left to be shipped there. What is open leaves {places}."
    waiting = {each.status for each in source.fulfillment_orders if _left(each)} & {"ON_HOLD", "SCHEDULED"}
    hint = " Shopify holds the rest back: release it there first." if waiting else ""
    return f"Nothing of the order is left to be shipped.{hint}"


def _left(group: payloads.FulfillmentOrder) -> int:
    return sum(each.remaining_quantity for each in group.line_items)


def _place(group: payloads.FulfillmentOrder) -> str | None:
    location = group.assigned_location.location
    return _number(location.id) if location else None


def _lines(source: payloads.Fulfillment) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in source.fulfillment_line_items:
        found[each.line_item.id] = found.get(each.line_item.id, 0) + (each.quantity or 0)
    return found


def _noted(source: payloads.Order) -> list[Note]:
    return _notes.decode(source.metafield.value) if source.metafield else []


def _variant(source: payloads.Product, id: str) -> payloads.Variant:
    variant = next((each for each in source.variants if _number(each.id) == id), None)
    if variant is None:
        some = ", ".join(_number(each.id) for each in source.variants[:NAMED_VARIANTS])
        raise refusal(f"product_id: {id} is no variant, and only variants have stock. Name one of its own: {some}.")
    return variant


def _location(item: payloads.InventoryItem, warehouse_id: str | None) -> str:
    stocked = {_number(level.location.id): level.location.id for level in item.inventory_levels}
    if warehouse_id is None and len(stocked) == 1:
        return next(iter(stocked.values()))
    if warehouse_id not in stocked:
        there = ", ".join(stocked) or "nowhere"
        problem = "is required" if warehouse_id is None else "the variant is not stocked there"
        raise refusal(f"warehouse_id: {problem}. It is stocked at: {there}.")
    return stocked[warehouse_id]


def _refund_lines(source: payloads.Order, line: str, quantity: int, *, restock: bool) -> list[Input]:
    """The units of a line by how they go back to stock: those that are not shipped yet first."""
    if not restock:
        return [{"lineItemId": line, "quantity": quantity, "restockType": "NO_RESTOCK"}]
    found: list[Input] = []
    for group in source.fulfillment_orders:
        location = group.assigned_location.location
        for each in group.line_items:
            units = min(quantity, each.remaining_quantity) if each.line_item.id == line else 0
            if units:
                found.append(_restocked(line, units, "CANCEL", location))
                quantity -= units
    if quantity:
        sent = [each for each in source.fulfillments if each.status not in UNDONE and line in _lines(each)]
        found.append(_restocked(line, quantity, "RETURN", sent[-1].location if sent else None))
    return found


def _restocked(line: str, quantity: int, type: str, location: payloads.Named | None) -> Input:
    place = {"locationId": location.id} if location else {}
    return {"lineItemId": line, "quantity": quantity, "restockType": type, **place}


def _paid_for_lines(source: payloads.Order, refund: NewRefund, part: payloads.Refundable | None) -> Decimal:
    """What is paid back for the lines: what was asked for, else what Shopify suggests."""
    suggested: dict[str, Decimal] = {}
    for each in part.refund_line_items if part else []:
        tax = ZERO if source.taxes_included else amount(each.total_tax_set)
        id = _number(each.line_item.id)
        suggested[id] = suggested.get(id, ZERO) + amount(each.subtotal_set) + tax
    total = ZERO
    for number, line in enumerate(refund.line_items):
        if line.amount is not None:
            _check_decimals(line.amount, source, f"line_items.{number}.amount")
        total += suggested.get(line.line_item_id, ZERO) if line.amount is None else line.amount
    return total


def _shipping(source: payloads.Order, asked: Decimal | None, left: payloads.RefundableShipping) -> Input | None:
    """How much of the shipping is refunded. Shopify counts it without its tax, unless prices include tax."""
    if not asked:
        return None
    _check_decimals(asked, source, "shipping_amount")
    price = amount(left.maximum_refundable_set)
    whole = price + (ZERO if source.taxes_included else amount(left.tax_set))
    if asked > whole:
        currency = source.presentment_currency_code
        raise refusal(f"shipping_amount: only {whole} {currency} of the shipping are left to be refunded.")
    if asked == whole:
        return {"fullRefund": True}
    return {"amount": f"{(asked * price / whole).quantize(_smallest(source)):f}"}


def _transactions(
    source: payloads.Order, total: Decimal, payments: Iterable[payloads.SuggestedTransaction]
) -> Iterable[Input]:
    """``total`` by the payments that it goes back to, each up to what is left of it."""
    for each in payments:
        share = min(total, amount(each.maximum_refundable_set or each.amount_set))
        if share > 0 and each.gateway:
            parent = {"parentId": each.parent_transaction.id} if each.parent_transaction else {}
            total -= share
            yield {
                "orderId": _gid("Order", source.id),
                "gateway": each.gateway,
                "kind": "REFUND",
                "amount": f"{share:f}",
                **parent,
            }
    if total:
        raise refusal("Shopify names no payment that could be paid back. Refund the order in Shopify.")


def _check_decimals(value: Decimal, source: payloads.Order, field: str) -> None:
    if -int(value.normalize().as_tuple().exponent) > exponent(source.presentment_currency_code):
        raise refusal(f"{field}: {source.presentment_currency_code} has no such small amounts.")


def _smallest(source: payloads.Order) -> Decimal:
    return Decimal(1).scaleb(-exponent(source.presentment_currency_code))


def _number(id: str) -> str:
    return id.rpartition("/")[2]


def _gid(type: str, number: str) -> str:
    return f"gid://shopify/{type}/{number}"
