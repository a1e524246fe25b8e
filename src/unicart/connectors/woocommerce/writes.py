"""What is written to WooCommerce, and how it is found again. Pure functions; field names in backquotes are WooCommerce's.

A parcel is noted in the order's metadata as Shipment Tracking notes it, and its `tracking_id` is the reference of the write. Refunds,
fulfillments and products keep the reference in metadata of their own.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import msgspec

from unicart.connectors.kit import refusal
from unicart.connectors.woocommerce import mapping, payloads
from unicart.contract.orders import Order
from unicart.contract.writes import AdjustmentType, InventoryAdjustment, NewRefund, NewShipment

REFERENCE = "_unicart_reference"
REFERENCES = "_unicart_references"
MOST_REFERENCES = 10
COMPLETED = "completed"
PARTLY_SHIPPED = "partial-shipped"
"""A status that tracking extensions add."""
SHIPPED = (COMPLETED, "shipped", "delivered")
CLOSED = ("cancelled", "refunded", "failed", "trash")
WITHOUT_STOCK = ("external", "grouped")
LINKED = ("fedex", "fedex-sameday", "ontrac", "ups", "usps")
"""Carriers for whose parcels both tracking extensions make the link themselves."""

_orders = msgspec.json.Decoder(payloads.RawOrder, float_hook=Decimal)
_products = msgspec.json.Decoder(payloads.RawProduct, float_hook=Decimal)


class Parcel(msgspec.Struct, frozen=True):
    """What is shipped, by line item, and whether nothing is left then."""

    lines: Mapping[str, int]
    is_last: bool


class Stock(msgspec.Struct, frozen=True):
    """A request that changes a stock."""

    path: str
    body: dict[str, Any]


class Part(msgspec.Struct):
    """What is left to pay back of a line, a fee or the shipping, and what is paid back of it now."""

    id: int
    ordered: int
    total: Decimal
    total_tax: Decimal
    taxes: dict[int, Decimal]
    quantity: int
    net: Decimal
    tax: Decimal
    is_product: bool = False
    is_shipping: bool = False
    refunded: int = 0
    refunded_net: Decimal = Decimal(0)
    refunded_tax: Decimal = Decimal(0)

    @property
    def gross(self) -> Decimal:
        """What is left, tax included."""
        return self.net + self.tax

    def take(self, quantity: int, net: Decimal, tax: Decimal) -> None:
        """Pay back as much now."""
        self.quantity, self.net, self.tax = self.quantity - quantity, self.net - net, self.tax - tax
        self.refunded += quantity
        self.refunded_net += net
        self.refunded_tax += tax


def order(raw: bytes) -> payloads.RawOrder:
    """The raw order."""
    return _orders.decode(raw)


def bears(raw: bytes, reference: str) -> bool | None:
    """Whether a raw order or product shows the whole write of a ``reference``; null if that cannot be told."""
    if msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("product") is not None:
        return _stock_bears(_products.decode(raw), reference)
    found = order(raw)
    if _is_shipped(found, reference) or any(_text(refund.meta_data) == reference for refund in found.refunds):
        return True
    if fulfillment_of(found, reference) is not None:
        return False
    # WooCommerce keeps a refund before it keeps the refund's metadata.
    return None if any(_text(refund.meta_data) is None for refund in found.refunds) else False


def to_ship(source: payloads.RawOrder, record: Order, shipment: NewShipment) -> Parcel:
    """What ``shipment`` holds.

    Raises:
        RequestRefused: there is less to ship.
    """
    if source.order.status in CLOSED:
        raise refusal(f"The order is {source.order.status}. Change its status in WooCommerce to ship it.")
    left = open_units(source.order, record)
    wanted: Counter[str] = Counter()
    for number, line in enumerate(shipment.line_items):
        name = f"line_items.{number}"
        if line.line_item_id not in left:
            raise refusal(f"{name}.line_item_id: {line.line_item_id} is no product of the order. Leave it out.")
        wanted[line.line_item_id] += line.quantity
        if wanted[line.line_item_id] > left[line.line_item_id]:
            raise refusal(f"{name}.quantity: {left[line.line_item_id]} of this line are left to ship. Send no more.")
    if not shipment.line_items:
        unknown = any(not each.line_items for each in record.shipments)
        if source.order.status in SHIPPED and unknown:
            raise refusal(
                f"The order is {source.order.status}, and has a parcel of which WooCommerce does not know what it holds. "
                "Name the line_items of another one."
            )
        wanted.update({id: quantity for id, quantity in left.items() if quantity > 0})
    if not wanted:
        raise refusal("Nothing of the order is left to ship.")
    return Parcel(wanted, all(quantity <= wanted[id] for id, quantity in left.items()))


def begun_parcel(source: payloads.RawOrder, record: Order, fulfillment: payloads.Fulfillment) -> Parcel:
    """What a fulfillment that an earlier call has made holds."""
    shipment = next(each for each in record.shipments if each.shipment_id == str(fulfillment.id))
    lines = {part.shipment_line_item_id: part.quantity for part in shipment.line_items}
    return Parcel(lines, not any(open_units(source.order, record).values()))


def open_units(source: payloads.Order, record: Order) -> dict[str, int]:
    """The units of each product's line that are neither in a parcel nor refunded."""
    gone = Counter({line.line_item_id: 0 for line in record.line_items})
    for refund in record.additional_fields["refunds"]:
        gone.update({line.line_item_id: line.quantity for line in refund.line_items})
    for shipment in record.shipments:
        for part in shipment.line_items:
            gone[part.shipment_line_item_id] += part.quantity
    return {str(item.id): max(int(item.quantity) - gone[str(item.id)], 0) for item in source.line_items}


def status_after(source: payloads.Order, parcel: Parcel, shipment: NewShipment, known: Sequence[str]) -> str | None:
    """The status that the order gets; null if it keeps its own. ``known`` are the statuses of the shop."""
    asked = shipment.specific.get("status")
    if asked is not None and known and asked not in known:
        raise refusal(f"status: the shop has no status {asked}. It has {', '.join(known)}.")
    if asked is None and source.status not in SHIPPED:
        asked = COMPLETED if parcel.is_last else PARTLY_SHIPPED if PARTLY_SHIPPED in known else None
    return None if asked == source.status else asked


def noted(
    source: payloads.Order,
    parcel: Parcel,
    shipment: NewShipment,
    status: str | None,
    reference: str,
    now: datetime,
) -> dict[str, Any]:
    """The body of `PUT /orders/{id}` that notes a parcel as Shipment Tracking does, and sets the status with it."""
    key = mapping.SHIPMENT_TRACKING if shipment.tracking_number else mapping.UNTRACKED
    parcels = [*mapping.items(source.meta_data, key), _parcel(parcel, shipment, reference, now)]
    return _with_status(status, [{"key": key, "value": parcels}])


def fulfilled(parcel: Parcel, shipment: NewShipment, reference: str) -> dict[str, Any]:
    """The body of `POST /orders/{id}/fulfillments`."""
    kept = {
        "_items": [{"item_id": int(id), "qty": quantity} for id, quantity in parcel.lines.items()],
        "_tracking_number": shipment.tracking_number,
        mapping.PROVIDERS[0]: shipment.carrier_id or shipment.carrier_name,
        "_tracking_url": shipment.tracking_url,
        REFERENCE: reference,
    }
    meta = [{"key": key, "value": value} for key, value in kept.items() if value is not None]
    return {"status": "fulfilled", "is_fulfilled": True, "meta_data": meta}


def fulfillment_of(source: payloads.RawOrder, reference: str) -> payloads.Fulfillment | None:
    """What an earlier call under the same ``reference`` has made."""
    return next((each for each in source.fulfillments if _text(each.meta_data) == reference), None)


def after_fulfillment(source: payloads.Order, status: str | None, reference: str) -> dict[str, Any]:
    """The body of `PUT /orders/{id}` that ends a shipment: the order bears its reference then."""
    return _with_status(status, [_references(source.meta_data, reference)])


def customer_note(shipment: NewShipment) -> dict[str, Any]:
    """The body of `POST /orders/{id}/notes` by which WooCommerce mails the buyer."""
    carrier = shipment.carrier_name or shipment.carrier_id
    text = f"Your order is on its way with {carrier}." if carrier else "Your order is on its way."
    text += f" Tracking number: {shipment.tracking_number}." if shipment.tracking_number else ""
    return {"note": f"{text} {shipment.tracking_url}" if shipment.tracking_url else text, "customer_note": True}


def refund(source: payloads.RawOrder, asked: NewRefund, reference: str) -> dict[str, Any]:
    """The body of `POST /orders/{id}/refunds`.

    Raises:
        RequestRefused: there is less to pay back.
    """
    step = Decimal(1).scaleb(min(_places(source.order.total), 0))
    left = source.order.total - sum((abs(each.total) for each in source.order.refunds), Decimal(0))
    parts = list(_parts(source))
    if asked.is_full:
        amount = _take_all(parts, left, step)
    else:
        _take_lines(parts, asked, step)
        _take_shipping(parts, asked.shipping_amount or Decimal(0), step)
        amount = sum((part.refunded_net + part.refunded_tax for part in parts), Decimal(0))
        if amount > left:
            raise refusal(f"{amount} would be paid back, but {left} of the order are left. Send lower amounts.")
    lines = [_refunded_line(part, step) for part in parts if part.refunded or part.refunded_net or part.refunded_tax]
    if not lines and not amount:
        raise refusal("Nothing of the order is left to pay back.")
    body: dict[str, Any] = {
        "amount": str(amount),
        "reason": asked.reason,
        "api_refund": bool(amount) and bool(asked.specific.get("api_refund", True)),
        "api_restock": asked.restock,
        "line_items": lines,
        "meta_data": [{"key": REFERENCE, "value": reference}],
    }
    return {name: value for name, value in body.items() if value is not None}


def stock(raw: bytes, adjustment: InventoryAdjustment, reference: str) -> Stock:
    """The request that changes the stock of a product or a variation.

    Raises:
        RequestRefused: WooCommerce keeps no stock of it.
    """
    source = _products.decode(raw)
    path = f"/products/{source.id}"
    sold: payloads.Product | payloads.Variation = source.product
    if adjustment.product_id != str(source.id):
        variation = next(each for each in source.variations if str(each.id) == adjustment.product_id)
        # A variation without a stock of its own is sold from its product's.
        if variation.manage_stock != "parent":
            path, sold = f"{path}/variations/{variation.id}", variation
    elif source.variations:
        raise refusal("This product has variations, which have the stock. Adjust one of them.")
    begins = bool(adjustment.specific.get("manage_stock"))
    if source.product.type in WITHOUT_STOCK or not (sold.manage_stock or begins):
        raise refusal(
            "WooCommerce does not manage the stock of this product. Send manage_stock: true to begin with it, or switch it on in "
            "the product's inventory. External and grouped products have none."
        )
    sign = -1 if adjustment.adjustment_type is AdjustmentType.DECREASE else 1
    exact = adjustment.adjustment_type is AdjustmentType.EXACT
    body: dict[str, Any] = {"stock_quantity" if exact else "inventory_delta": sign * adjustment.quantity}
    body |= {"manage_stock": True} if begins else {}
    return Stock(path, body | {"meta_data": [_references(sold.meta_data, reference)]})


def _stock_bears(source: payloads.RawProduct, reference: str) -> bool | None:
    kept: list[payloads.Product | payloads.Variation] = [source.product, *source.variations]
    lists = [_listed(each.meta_data) for each in kept]
    if any(reference in each for each in lists):
        return True
    return None if any(len(each) >= MOST_REFERENCES for each in lists) else False


def _is_shipped(source: payloads.RawOrder, reference: str) -> bool:
    meta = source.order.meta_data
    parcels = [*mapping.items(meta, mapping.SHIPMENT_TRACKING), *mapping.items(meta, mapping.UNTRACKED)]
    return reference in _listed(meta) or any(each.get("tracking_id") == reference for each in parcels)


def _parcel(parcel: Parcel, shipment: NewShipment, reference: str, now: datetime) -> dict[str, Any]:
    """A tracking item. Carriers that the extensions do not know are custom ones, with a link of their own."""
    name, url = shipment.carrier_name or "", shipment.tracking_url or ""
    slug = shipment.carrier_id or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    known = not url and (shipment.carrier_id is not None or slug in LINKED)
    item: dict[str, Any] = {
        "tracking_id": reference,
        "tracking_provider": slug,
        "custom_tracking_provider": "" if known else name or slug,
        "custom_tracking_link": url,
        "tracking_number": shipment.tracking_number or "",
        "date_shipped": str(int((shipment.shipped_date or now).timestamp())),
        "line_items": [{"id": int(id), "quantity": quantity} for id, quantity in parcel.lines.items()],
    }
    item |= {"formatted_tracking_provider": name} if name else {}
    return item | ({"shipping_method": shipment.shipping_method_name} if shipment.shipping_method_name else {})


def _with_status(status: str | None, meta: list[dict[str, Any]]) -> dict[str, Any]:
    return {"meta_data": meta} if status is None else {"status": status, "meta_data": meta}


def _references(meta: Iterable[payloads.Meta], reference: str) -> dict[str, Any]:
    """Metadata that holds the newest references, with this one."""
    others = [each for each in _listed(meta) if each != reference]
    return {"key": REFERENCES, "value": [*others, reference][-MOST_REFERENCES:]}


def _listed(meta: Iterable[payloads.Meta]) -> list[str]:
    value = next((each.value for each in meta if each.key == REFERENCES), None)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _text(meta: Iterable[payloads.Meta]) -> str | None:
    """The reference in the metadata of a refund or fulfillment."""
    return next((str(each.value) for each in meta if each.key == REFERENCE), None)


def _parts(source: payloads.RawOrder) -> Iterator[Part]:
    """Everything that was paid for, as far as it is not paid back."""
    gone: dict[str, Part] = {}
    for each in source.refunds:
        for line in (*each.line_items, *each.fee_lines, *each.shipping_lines):
            id = next((str(meta.value) for meta in line.meta_data if meta.key == mapping.REFUNDED_ITEM), "")
            _add(gone, id, line)
    paid = source.order
    for item in paid.line_items:
        yield _left(item, int(item.quantity), gone, is_product=True)
    for fee in paid.fee_lines:
        yield _left(fee, 1, gone)
    for shipping in paid.shipping_lines:
        yield _left(shipping, 0, gone, is_shipping=True)


def _add(gone: dict[str, Part], id: str, line: payloads.RefundLine) -> None:
    part = gone.setdefault(id, Part(0, 0, Decimal(0), Decimal(0), {}, 0, Decimal(0), Decimal(0)))
    part.take(abs(int(line.quantity)), -line.total, -line.total_tax)


def _left(
    line: payloads.LineItem | payloads.FeeLine | payloads.ShippingLine,
    quantity: int,
    gone: Mapping[str, Part],
    *,
    is_product: bool = False,
    is_shipping: bool = False,
) -> Part:
    part = Part(
        line.id,
        quantity,
        line.total,
        line.total_tax,
        {tax.id: share for tax in line.taxes if (share := _share(tax))},
        quantity,
        line.total,
        line.total_tax,
        is_product=is_product,
        is_shipping=is_shipping,
    )
    refunded = gone.get(str(line.id))
    if refunded is not None:
        part.quantity -= min(refunded.refunded, quantity) if is_product else 0
        part.net -= refunded.refunded_net
        part.tax -= refunded.refunded_tax
    return part


def _share(tax: payloads.Tax) -> Decimal:
    try:
        return abs(Decimal(str(tax.total or 0)))
    except InvalidOperation:
        return Decimal(0)


def _take_all(parts: Sequence[Part], left: Decimal, step: Decimal) -> Decimal:
    """Pay back everything; where amounts were paid back without lines, the lines cannot say it and name units only."""
    if left <= 0:
        raise refusal("Nothing of the order is left to pay back.")
    adds_up = abs(sum((part.gross for part in parts), -left)) <= step * len(parts)
    for part in parts:
        part.take(part.quantity, part.net if adds_up else Decimal(0), part.tax if adds_up else Decimal(0))
    return left


def _take_lines(parts: Sequence[Part], asked: NewRefund, step: Decimal) -> None:
    by_id = {str(part.id): part for part in parts if not part.is_shipping}
    for number, line in enumerate(asked.line_items):
        name = f"line_items.{number}"
        part = by_id.get(line.line_item_id)
        if part is None:
            raise refusal(f"{name}.line_item_id: the order has no such line item.")
        if line.quantity > part.quantity:
            raise refusal(f"{name}.quantity: {part.quantity} of this line are left to refund. Send no more.")
        if line.amount is None:
            part.take(line.quantity, *_paid_for(part, line.quantity, step))
        else:
            part.take(line.quantity, *_divided(part, line.amount, f"{name}.amount", step))


def _take_shipping(parts: Sequence[Part], amount: Decimal, step: Decimal) -> None:
    shipping = [part for part in parts if part.is_shipping]
    left = sum((part.gross for part in shipping), Decimal(0))
    if amount > left:
        raise refusal(f"shipping_amount: {left} of the shipping are left to pay back. Send no more.")
    for part in shipping:
        share = min(amount, part.gross)
        part.take(0, *_divided(part, share, "shipping_amount", step))
        amount -= share


def _paid_for(part: Part, quantity: int, step: Decimal) -> tuple[Decimal, Decimal]:
    """What was paid for so many units: net and tax, but no more than is left. The last units take what rounding left."""
    net, tax = (_rounded(paid * quantity / part.ordered, step) for paid in (part.total, part.total_tax))
    if quantity == part.quantity:
        most = step * part.ordered
        net = part.net if abs(part.net - net) <= most else net
        tax = part.tax if abs(part.tax - tax) <= most else tax
    return min(net, part.net), min(tax, part.tax)


def _divided(part: Part, amount: Decimal, name: str, step: Decimal) -> tuple[Decimal, Decimal]:
    """``amount``, which includes tax, as net and tax in the proportion of what is left."""
    if amount > part.gross:
        raise refusal(f"{name}: {part.gross} are left to pay back here. Send no more.")
    if amount != _rounded(amount, step):
        raise refusal(f"{name}: {amount} has more decimals than the shop keeps. Round it to {step}.")
    tax = _rounded(amount * part.tax / part.gross, step) if part.gross else Decimal(0)
    return amount - tax, tax


def _refunded_line(part: Part, step: Decimal) -> dict[str, Any]:
    taxes = _split(part.refunded_tax, part.taxes, step)
    line: dict[str, Any] = {
        "id": part.id,
        "refund_total": part.refunded_net + part.refunded_tax - sum(taxes.values(), Decimal(0)),
        "refund_tax": [{"id": id, "refund_total": amount} for id, amount in taxes.items()],
    }
    return line | ({"quantity": part.refunded} if part.is_product else {})


def _split(amount: Decimal, taxes: Mapping[int, Decimal], step: Decimal) -> dict[int, Decimal]:
    """``amount`` over the rates in the proportion of what was paid; the last takes what rounding leaves."""
    whole, rest, shares = sum(taxes.values(), Decimal(0)), amount, {}
    for id, paid in taxes.items():
        shares[id] = _rounded(amount * paid / whole, step)
        rest -= shares[id]
    if shares:
        shares[id] += rest
    return {id: share for id, share in shares.items() if share}


def _rounded(amount: Decimal, step: Decimal) -> Decimal:
    return amount.quantize(step, ROUND_HALF_UP)


def _places(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
