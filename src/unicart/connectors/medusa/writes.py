"""Unified writes as the bodies of Medusa's requests. Pure functions; field names in backquotes are Medusa's.

The `metadata` of a fulfilment takes the reference of the shipment that it was made for. A fulfilment that was packed by
somebody else cannot take it, and the order's `metadata` does. A refund's `note` ends with the reference and the amount of
the whole refund, which may be spread over several payments.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from unicart.connectors.kit import exponent, refusal
from unicart.connectors.medusa.payloads import (
    Fulfillment,
    InventoryLink,
    Item,
    Order,
    Payment,
    Product,
    Refund,
    RefundReason,
    Variant,
)
from unicart.contract.writes import AdjustmentType, InventoryAdjustment, LineRefund, NewRefund, NewShipment

REFERENCE = "unicart_reference"
TAKEN = "unicart_shipment_"
NO_URL = "#"
_MARK = re.compile(r" ?\[unicart (\w+) ([\d.]+)\]$")

Needed = Mapping[tuple[str, str], Decimal]
"""How many of an inventory item, the second id, one unit of a line, the first, consists of."""


class Part(msgspec.Struct, frozen=True):
    """Lines of one fulfilment: they leave one location, and either all of them need shipping or none does."""

    location_id: str | None
    lines: Mapping[str, int]


class Plan(msgspec.Struct, frozen=True):
    """What a shipment needs: quantities of lines to pack, and packed fulfilments to send.

    Those in ``taken`` were packed by somebody else and do not bear the reference yet; those in ``own`` do.
    """

    lines: Mapping[str, int]
    own: Sequence[Fulfillment]
    taken: Sequence[Fulfillment]


class Level(msgspec.Struct, frozen=True):
    """The number of units to keep of an inventory item at a location; ``is_new`` if it has not been kept there before."""

    inventory_item_id: str
    location_id: str
    stocked_quantity: Decimal
    is_new: bool


def plan(order: Order, shipment: NewShipment, reference: str, needed: Needed) -> Plan:
    """What is left to do of a shipment.

    Raises:
        RequestRefused: the order has not that much open.
    """
    _check_urls(shipment)
    if order.status == "canceled":
        raise refusal("order_id: the order is cancelled in Medusa, and takes no shipments any more.")
    live = _live(order)
    own = [each for each in live if is_own(each, order, reference)]
    others = [each for each in live if each not in own and not _is_sent(each)]
    if shipment.warehouse_id is not None:
        others = [each for each in others if each.location_id == shipment.warehouse_id]
    unpacked = {item.id: int(item.quantity - item.detail.fulfilled_quantity) for item in order.items or []}
    if shipment.line_items:
        wanted = _wanted(shipment, unpacked)
        for fulfillment in own:
            wanted = _less(wanted, contents(fulfillment, needed))
        taken, lines = _chosen(wanted, others, needed)
        _check_open(lines, unpacked, [each for each in others if each not in taken], needed)
    else:
        taken, lines = others, {id: open for id, open in unpacked.items() if open > 0}
    if not own and not taken and not lines:
        raise refusal("line_items: everything that can be shipped of this order is shipped already.")
    return Plan(lines, to_send(own, order, reference), taken)


def shipping_option(order: Order, shipment: NewShipment) -> str:
    """The id of the shipping option to pack for.

    Raises:
        RequestRefused: neither the shipment nor the order has one.
    """
    usual = next((method.shipping_option_id for method in order.shipping_methods or []), None)
    option = shipment.specific.get("shipping_option_id") or usual
    if not option:
        raise refusal(
            "shipping_option_id: the order has no shipping method that Medusa could send it with. "
            "Name one of the shop's shipping options."
        )
    return str(option)


def is_own(fulfillment: Fulfillment, order: Order, reference: str) -> bool:
    """Whether a fulfilment belongs to the shipment of that reference."""
    return is_made_for(fulfillment, reference) or fulfillment.id in _taken(order, reference)


def bears(order: Order, reference: str) -> bool:
    """Whether an order shows the completed shipment or refund of that reference."""
    own = [each for each in _live(order) if is_own(each, order, reference)]
    if own:
        return all(_is_sent(each) for each in own)
    payments = [payment for collection in order.payment_collections or [] for payment in collection.payments]
    total, done = refunded(payments, reference)
    return total is not None and done >= total


def is_made_for(fulfillment: Fulfillment, reference: str) -> bool:
    """Whether a fulfilment was packed for the shipment of that reference, by us."""
    return (fulfillment.metadata or {}).get(REFERENCE) == reference


def to_send(fulfillments: Sequence[Fulfillment], order: Order, reference: str) -> list[Fulfillment]:
    """Those of the shipment of that reference that are packed but not sent."""
    return [
        each
        for each in fulfillments
        if each.canceled_at is None and not _is_sent(each) and is_own(each, order, reference)
    ]


def contents(fulfillment: Fulfillment, needed: Needed) -> dict[str, int]:
    """How many units of which lines a fulfilment holds. A kit's parts are items of their own, always of whole kits."""
    found: dict[str, int] = {}
    for item in fulfillment.items:
        if item.line_item_id is not None:
            each = needed.get((item.line_item_id, item.inventory_item_id or ""), Decimal(1))
            found.setdefault(item.line_item_id, int(item.quantity / each))
    return found


def parts(order: Order, lines: Mapping[str, int], locations: Mapping[str, str], warehouse_id: str | None) -> list[Part]:
    """Lines to pack, by where they leave from: there, or else where stock is reserved for them.

    Lines without reserved stock leave from where the others do.
    """
    shipped = {item.id: item.requires_shipping for item in order.items or []}
    usual = warehouse_id or next((locations[line] for line in lines if line in locations), None)
    groups: dict[tuple[bool, str | None], dict[str, int]] = {}
    for line, quantity in lines.items():
        location = warehouse_id or locations.get(line, usual)
        groups.setdefault((shipped[line], location), {})[line] = quantity
    return [Part(location, group) for (_, location), group in groups.items()]


def fulfillment_body(part: Part, shipment: NewShipment, reference: str) -> dict[str, Any]:
    """The body of `POST /admin/orders/{id}/fulfillments`."""
    body = {
        "items": [{"id": id, "quantity": quantity} for id, quantity in part.lines.items()],
        "location_id": part.location_id,
        "shipping_option_id": shipment.specific.get("shipping_option_id"),
        **_notification(shipment),
        "metadata": {REFERENCE: reference},
    }
    return {name: value for name, value in body.items() if value is not None}


def shipment_body(fulfillment: Fulfillment, shipment: NewShipment) -> dict[str, Any]:
    """The body of `POST /admin/orders/{id}/fulfillments/{fulfillment_id}/shipments`."""
    label_url = shipment.specific.get("label_url")
    label = {
        "tracking_number": shipment.tracking_number or "",
        "tracking_url": shipment.tracking_url or NO_URL,
        "label_url": label_url or NO_URL,
    }
    has_label = shipment.tracking_number or shipment.tracking_url or label_url
    return {
        "items": [{"id": item.line_item_id, "quantity": item.quantity} for item in fulfillment.items],
        **({"labels": [label]} if has_label else {}),
        **_notification(shipment),
    }


def taken_body(order: Order, taken: Sequence[Fulfillment], reference: str) -> dict[str, Any]:
    """The body of `POST /admin/orders/{id}` by which the order remembers what a shipment has taken."""
    ids = [*_taken(order, reference), *(each.id for each in taken)]
    return {"metadata": {f"{TAKEN}{reference}": ",".join(ids)}}


def forgetting_body(reference: str) -> dict[str, Any]:
    """The body of `POST /admin/orders/{id}` by which the order forgets it; Medusa removes what is empty."""
    return {"metadata": {f"{TAKEN}{reference}": ""}}


def to_refund(order: Order, refund: NewRefund, payments: Sequence[Payment], reference: str) -> tuple[Decimal, Decimal]:
    """What the refund is in all, and what of it is to be paid back now.

    Raises:
        RequestRefused: the order has not that much to pay back.
    """
    available = sum((left(payment) for payment in payments), Decimal(0))
    total, done = refunded(payments, reference)
    if total is None:
        total = _refund_total(order, refund, available)
    if total - done > available:
        raise refusal(
            f"line_items: {total - done} {order.currency_code.upper()} are more than the {available} "
            "that is captured and not paid back yet."
        )
    return total, total - done


def refunded(payments: Sequence[Payment], reference: str) -> tuple[Decimal | None, Decimal]:
    """What the refund of that reference is in all, null if it has not begun; and how much of it is paid back."""
    marked = [(mark, refund.amount) for payment in payments for refund in payment.refunds if (mark := _mark(refund))]
    own = [(Decimal(mark[2]), amount) for mark, amount in marked if mark[1] == reference]
    return (own[0][0] if own else None), sum((amount for _, amount in own), Decimal(0))


def left(payment: Payment) -> Decimal:
    """What of a payment is captured and not refunded."""
    captured = sum((capture.amount for capture in payment.captures), Decimal(0))
    return captured - sum((refund.amount for refund in payment.refunds), Decimal(0))


def shares(amount: Decimal, payments: Sequence[Payment]) -> Iterator[tuple[Payment, Decimal]]:
    """How much of which payment to pay back."""
    for payment in payments:
        share = min(amount, left(payment))
        if share > 0:
            yield payment, share
            amount -= share


def refund_body(
    amount: Decimal, total: Decimal, refund: NewRefund, reason: RefundReason | None, reference: str
) -> dict[str, Any]:
    """The body of `POST /admin/payments/{id}/refund`. A reason that the shop does not know is told in the note."""
    words = [refund.note] if reason else [refund.reason, refund.note]
    text = ": ".join(word for word in words if word)
    body: dict[str, Any] = {"amount": amount, "note": f"{text} [unicart {reference} {total:f}]".strip()}
    return body | ({"refund_reason_id": reason.id} if reason else {})


def reason(refund: NewRefund, known: Sequence[RefundReason]) -> RefundReason | None:
    """The shop's refund reason that has the refund's reason as its label, code or id."""
    word = (refund.reason or "").casefold()
    return next(
        (each for each in known if word in {name.casefold() for name in (each.label, each.code, each.id) if name}), None
    )


def note(refund: Refund) -> str | None:
    """A refund's note without what is ours in it."""
    return _MARK.sub("", refund.note or "") or None


def level(product: Product, adjustment: InventoryAdjustment) -> Level:
    """The stock level that an adjustment leads to. What is adjusted is what can still be sold, as records show it.

    Raises:
        RequestRefused: there is no such level, or it has not that much.
    """
    variant = _variant(product, adjustment.product_id)
    link, item = _inventory_item(variant)
    levels = {each.location_id: each for each in (link.inventory.location_levels if link.inventory else [])}
    location = adjustment.warehouse_id or _only_location(levels)
    found = levels.get(location)
    stocked, available = (found.stocked_quantity, found.available_quantity) if found else (Decimal(0), Decimal(0))
    units = int(available // link.required_quantity)
    target = adjustment.target(units)
    if adjustment.adjustment_type is AdjustmentType.DECREASE and target < 0:
        raise refusal(f"quantity: only {max(units, 0)} of {variant.id} can be sold at {location}.")
    change = target * link.required_quantity - available
    if adjustment.adjustment_type is not AdjustmentType.EXACT:
        change = (target - units) * link.required_quantity
    return Level(item, location, stocked + change, found is None)


def level_body(level: Level) -> dict[str, Any]:
    """The body of `POST /admin/inventory-items/{id}/location-levels`, with the location's id behind it unless it is new."""
    place = {"location_id": level.location_id} if level.is_new else {}
    return {**place, "stocked_quantity": level.stocked_quantity}


def _refund_total(order: Order, refund: NewRefund, available: Decimal) -> Decimal:
    if available <= 0:
        raise refusal("order_id: there is nothing left to pay back; all that Medusa has captured is refunded.")
    if refund.is_full:
        return available
    currency = order.currency_code
    shipping = sum((method.total for method in order.shipping_methods or []), Decimal(0))
    if refund.shipping_amount and refund.shipping_amount > _rounded(shipping, currency):
        raise refusal(f"shipping_amount: {_rounded(shipping, currency)} {currency.upper()} were paid for the shipping.")
    total = _lines_total(order, refund) + (refund.shipping_amount or Decimal(0))
    if total <= 0:
        raise refusal("line_items: nothing was paid for that. Name what else is to be paid back.")
    # Medusa keeps amounts below the currency's smallest unit, so that what is left may be less than a rounded sum.
    return available if available < total < available + _smallest(currency) else total


def _is_sent(fulfillment: Fulfillment) -> bool:
    return fulfillment.shipped_at is not None or fulfillment.delivered_at is not None


def _taken(order: Order, reference: str) -> list[str]:
    ids = str((order.metadata or {}).get(f"{TAKEN}{reference}", ""))
    return [id for id in ids.split(",") if id]


def _live(order: Order) -> list[Fulfillment]:
    return [each for each in order.fulfillments or [] if each.canceled_at is None]


def _check_urls(shipment: NewShipment) -> None:
    for name, url in (("tracking_url", shipment.tracking_url), ("label_url", shipment.specific.get("label_url"))):
        if url and not url.startswith(("http://", "https://")):
            raise refusal(f"{name}: Medusa takes only URLs that begin with http:// or https://.")


def _notification(shipment: NewShipment) -> dict[str, Any]:
    return {} if shipment.notify_customer is None else {"no_notification": not shipment.notify_customer}


def _wanted(shipment: NewShipment, known: Mapping[str, int]) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for line in shipment.line_items:
        if line.line_item_id not in known:
            raise refusal(f"line_items: the order has no line {line.line_item_id}. Its lines are {', '.join(known)}.")
        wanted[line.line_item_id] = wanted.get(line.line_item_id, 0) + line.quantity
    return wanted


def _less(lines: Mapping[str, int], taken: Mapping[str, int]) -> dict[str, int]:
    left = {line: quantity - taken.get(line, 0) for line, quantity in lines.items()}
    return {line: quantity for line, quantity in left.items() if quantity > 0}


def _chosen(
    wanted: dict[str, int], packed: Sequence[Fulfillment], needed: Needed
) -> tuple[list[Fulfillment], dict[str, int]]:
    """The packed fulfilments that hold nothing but what is wanted, and what is wanted besides."""
    chosen = []
    for fulfillment in packed:
        held = contents(fulfillment, needed)
        if held and all(quantity <= wanted.get(line, 0) for line, quantity in held.items()):
            chosen.append(fulfillment)
            wanted = _less(wanted, held)
    return chosen, wanted


def _check_open(
    lines: Mapping[str, int], unpacked: Mapping[str, int], packed: Sequence[Fulfillment], needed: Needed
) -> None:
    for line, quantity in lines.items():
        if quantity <= unpacked[line]:
            continue
        holder = next((each for each in packed if line in contents(each, needed)), None)
        if holder is None:
            raise refusal(f"line_items: {quantity} of {line} are more than the {max(unpacked[line], 0)} that are open.")
        held = ", ".join(f"{count} of {id}" for id, count in contents(holder, needed).items())
        raise refusal(f"line_items: the fulfilment {holder.id} is packed, and can only be shipped whole: {held}.")


def _lines_total(order: Order, refund: NewRefund) -> Decimal:
    """What is to be paid back of lines: amounts as they are asked for, and the sum of the others rounded once."""
    items = {item.id: item for item in order.items or []}
    asked, shares = Decimal(0), Decimal(0)
    for line in refund.line_items:
        item = items.get(line.line_item_id)
        if item is None:
            raise refusal(f"line_items: the order has no line {line.line_item_id}. Its lines are {', '.join(items)}.")
        if line.amount is None:
            shares += _paid(item, line)
        else:
            asked += _asked(item, line, line.amount, order.currency_code)
    return asked + _rounded(shares, order.currency_code)


def _paid(item: Item, line: LineRefund) -> Decimal:
    """What was paid for so many units of a line. What came back is no part of its total any more, but was paid for."""
    if line.quantity > item.quantity:
        raise refusal(
            f"line_items: {line.quantity} of {item.id} are more than the {item.quantity:f} that were ordered."
        )
    return (item.total + item.return_received_total + item.return_dismissed_total) * line.quantity / item.quantity


def _asked(item: Item, line: LineRefund, amount: Decimal, currency: str) -> Decimal:
    paid = _rounded(_paid(item, line), currency)
    if amount > paid:
        raise refusal(f"line_items: {paid} {currency.upper()} were paid for {line.quantity} of {item.id}.")
    return amount


def _smallest(currency: str) -> Decimal:
    return Decimal(1).scaleb(-exponent(currency))


def _rounded(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(_smallest(currency), ROUND_HALF_UP)


def _mark(refund: Refund) -> re.Match[str] | None:
    return _MARK.search(refund.note or "")


def _variant(product: Product, id: str) -> Variant:
    variants = product.variants or []
    for variant in variants:
        if variant.id == id:
            return variant
    names = ", ".join(variant.id for variant in variants)
    raise refusal(f"product_id: {id} is a product, and only its variants have stock. Adjust one of them: {names}.")


def _inventory_item(variant: Variant) -> tuple[InventoryLink, str]:
    links = variant.inventory_items or []
    if not variant.manage_inventory or not links:
        raise refusal(f"product_id: Medusa keeps no stock of {variant.id}. Turn on its inventory in Medusa.")
    if len(links) > 1:
        raise refusal(f"product_id: {variant.id} is a kit of {len(links)} inventory items. Adjust their own variants.")
    if links[0].inventory_item_id is None or links[0].required_quantity <= 0:
        raise refusal(f"product_id: the inventory item of {variant.id} is incomplete in Medusa.")
    return links[0], links[0].inventory_item_id


def _only_location(levels: Mapping[str, Any]) -> str:
    if len(levels) == 1:
        return next(iter(levels))
    names = ", ".join(levels) or "no location yet"
    raise refusal(f"warehouse_id: needed, as the stock is kept at {names}.")
