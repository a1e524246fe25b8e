"""What is written to BigCommerce: the bodies of shipments, refunds and adjustments of stock. Pure functions.

The reference of a write is kept in the comments of its shipments and in the reason of its refund, as a mark in brackets.
Shipments of several are numbered, so that one that is missing is found.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from unicart.connectors.bigcommerce import mapping, payloads
from unicart.connectors.kit import refusal
from unicart.contract.writes import (
    AdjustmentType,
    GroupQuantities,
    InventoryAdjustment,
    LineQuantity,
    LineRefund,
    NewRefund,
    NewShipment,
)

LONGEST_TRACKING_NUMBER = 50
LONGEST_LINK = 500
LONGEST_REASON = 900
ZERO = Decimal(0)

PROVIDERS = frozenset(
    {"auspost", "canadapost", "endicia", "usps", "fedex", "ups", "upsready", "upsonline", "shipperhq", "royalmail"}
)
"""The carriers that BigCommerce knows by itself, as `shipping_provider`."""

CARRIER_NAMES = {name: name for name in PROVIDERS} | {"australiapost": "auspost"}

NOT_THE_GATEWAY = frozenset({"storecredit", "custom"})
"""Ways to pay back that BigCommerce offers whatever the order was paid with."""

_orders = msgspec.json.Decoder(payloads.RawOrder)
_products = msgspec.json.Decoder(payloads.RawProduct)


class _Written(msgspec.Struct):
    order: Any = None
    shipments: list[payloads.Shipment] = []
    refunds: list[payloads.Refund] = []


class Part(msgspec.Struct, frozen=True):
    """A part of a refund: BigCommerce's items, and what is to be paid for them; null if BigCommerce is to say it."""

    items: list[dict[str, Any]]
    amount: Decimal | None = None
    of_shipping: bool = False


def order(raw: bytes) -> payloads.RawOrder:
    """The order that is written to."""
    return _orders.decode(raw)


def product(raw: bytes) -> payloads.RawProduct:
    """The product that is written to."""
    return _products.decode(raw)


def is_done(raw: bytes, reference: str) -> bool | None:
    """Whether an order shows all shipments, or the refund, of a write; null for a product, which shows nothing."""
    record = msgspec.json.decode(raw, type=_Written)
    if record.order is None:
        return None
    made = {match["number"]: int(match["total"]) for _, match in _marked_shipments(record.shipments, reference)}
    if made:
        return all(len(made) == total for total in made.values())
    return any(
        _mark(reference) in (item.reason or "")
        for refund in record.refunds
        if not mapping.is_declined(refund)
        for item in refund.items
    )


def made_shipments(record: payloads.RawOrder, reference: str) -> dict[int, int]:
    """The shipments that an earlier attempt has made: their ids by their numbers."""
    return {int(match["number"]): each.id for each, match in _marked_shipments(record.shipments, reference)}


def shipments(record: payloads.RawOrder, shipment: NewShipment, reference: str) -> list[dict[str, Any]]:
    """The bodies of the shipments, one for each address; those of an earlier attempt are among them.

    Raises:
        RequestRefused: the order has no such lines open.
    """
    shared = _shared(shipment)
    groups = {group: lines for group, lines in _wanted(record, shipment, reference).items() if lines}
    if not groups:
        raise refusal("Nothing of this order is still to be shipped.")
    comments = shipment.specific.get("comments")
    return [
        {
            "order_address_id": group,
            "items": [{"order_product_id": id, "quantity": quantity} for id, quantity in lines.items()],
            **shared,
            "comments": _with_mark(comments, _mark(reference, f" {number}/{len(groups)}")),
        }
        for number, (group, lines) in enumerate(groups.items(), 1)
    ]


def refund_parts(record: payloads.RawOrder, refund: NewRefund, reference: str) -> list[Part]:
    """What is paid back, with the mark of the write in the first item.

    Raises:
        RequestRefused: the order has not that much left.
    """
    if len(refund.reason or "") > LONGEST_REASON:
        raise refusal(f"reason: must be at most {LONGEST_REASON} characters long.")
    left = _Left(record)
    parts = left.everything() if refund.is_full else [*left.lines(refund.line_items), *left.shipping(refund)]
    if not parts:
        raise refusal("Nothing of this order is left to be paid back.")
    for item in (item for part in parts for item in part.items):
        item["reason"] = refund.reason or ""
    parts[0].items[0]["reason"] = _with_mark(refund.reason, _mark(reference))
    return parts


def rest(record: payloads.RawOrder, quote: payloads.Quote) -> list[Part]:
    """What a full refund lacks beside what is quoted; nothing, if BigCommerce has cut the quote down to what is left."""
    parts = _Left(record).rest(quote.total_refund_amount) if quote.adjustment >= 0 else []
    for item in items(parts):
        item["reason"] = ""
    return parts


def items(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """The items of all ``parts``."""
    return [item for part in parts for item in part.items]


def amount(parts: Iterable[Part]) -> Decimal:
    """What is named to be paid for ``parts``."""
    return sum((part.amount for part in parts if part.amount is not None), ZERO)


def check_amount(lines: Sequence[Part], quote: payloads.Quote) -> None:
    """Refuse to pay back more for lines than was paid for them.

    Raises:
        RequestRefused: naming what was.
    """
    most = quote.total_refund_amount
    if amount(lines) > most:
        raise refusal(f"line_items: the amounts are {amount(lines)}, more than the {most} that is left of these units.")


def refund(
    parts: Sequence[Part], quote: payloads.Quote, total: Decimal, method: Sequence[payloads.PaymentOption]
) -> Any:
    """The body of a refund of ``total``; where BigCommerce's own sum is another, its tax is taken in proportion.

    Raises:
        RequestRefused: it is nothing.
    """
    if total <= 0:
        raise refusal("Nothing of this is left to be paid back, or the amounts are zero.")
    body: dict[str, Any] = {"items": items(parts), "payments": _payments(method, total)}
    if total != quote.total_refund_amount:
        share = total / quote.total_refund_amount if quote.total_refund_amount else ZERO
        tax = _cents(quote.total_refund_tax_amount * share)
        body["merchant_calculated_override"] = {"total_amount": total, "total_tax": tax}
    return body


def method(record: payloads.RawOrder, quote: payloads.Quote, provider: str | None) -> list[payloads.PaymentOption]:
    """How it is paid back: by the ``provider`` that was named, or else the way the order was paid.

    Raises:
        RequestRefused: BigCommerce does not offer that.
    """
    offered = sorted({option.provider_id for each in quote.refund_methods for option in each})
    if not offered:
        raise refusal(
            "BigCommerce offers no way to pay this back. The order must be paid and settled, and its gateway must take refunds."
        )
    fitting = [each for each in quote.refund_methods if _fits(each, record, provider)]
    if not fitting:
        raise refusal(f"provider_id: name how it is paid back. BigCommerce offers: {', '.join(offered)}.")
    if provider is not None:
        return min(fitting, key=len)
    best = next((each for each in fitting if not _unpaid(each)), fitting[0])
    if unpaid := _unpaid(best):
        raise refusal(
            f"{unpaid.provider_description or unpaid.provider_id} cannot pay this back by itself: {unpaid.offline_reason or ''} "
            f"To record it as paid back by other means, send its name as provider_id. BigCommerce offers: {', '.join(offered)}."
        )
    return best


def adjustment(record: payloads.RawProduct, wanted: InventoryAdjustment, reference: str) -> dict[str, Any]:
    """The body of an adjustment, relative or absolute by its type.

    Raises:
        RequestRefused: it is not clear of what, or where.
    """
    falls = wanted.adjustment_type is AdjustmentType.DECREASE
    item = {
        "location_id": _location(record, wanted.warehouse_id),
        **_identity(record, wanted.product_id),
        "quantity": -wanted.quantity if falls else wanted.quantity,
    }
    return {"reason": _with_mark(wanted.reason, _mark(reference)), "items": [item]}


class _Left:
    """What of an order is not paid back yet. Amounts that BigCommerce is asked for are with tax only if prices are."""

    def __init__(self, record: payloads.RawOrder) -> None:
        self._order = record.order
        self._lines = mapping.order_lines(record)
        self._with_tax = record.order.is_tax_inclusive_pricing
        self._units: dict[tuple[str, int], int] = {}
        self._amounts: dict[tuple[str, int], Decimal] = {}
        refunds = [each for each in record.refunds if not mapping.is_declined(each)]
        self._paid_back = sum(map(mapping.paid_back, refunds), ZERO)
        for item in (item for each in refunds for item in each.items):
            key = item.item_type, item.item_id
            line = self._lines.get(item.item_id)
            known = item.quantity if item.quantity is not None else (line.quantity if line else 0)
            self._units[key] = self._units.get(key, 0) + known
            self._amounts[key] = self._amounts.get(key, ZERO) + (item.requested_amount or ZERO)

    def everything(self) -> list[Part]:
        """All that is left: goods, gift wrapping, fees, shipping and handling."""
        goods = [Part([_counted("PRODUCT", id, left)]) for id in self._lines if (left := self._open("PRODUCT", id))]
        fees = [
            Part([_priced("FEE", fee.id, due)])
            for fee in self._order.fees
            if (due := self._open_amount("FEE", fee.id, fee.cost_ex_tax, fee.cost_inc_tax)) > 0
        ]
        costs = [Part([_priced(kind, id, due)]) for kind, id, due, _ in self._open_costs()]
        wrapped = self._wrapped()
        parts = [*goods, *([Part(wrapped)] if wrapped else []), *fees, *costs]
        return parts or self.rest(ZERO)

    def rest(self, covered: Decimal) -> list[Part]:
        """What of the order's total is neither paid back nor ``covered``, as where less was paid back for a line than it cost."""
        due = _cents(self._order.total_inc_tax - self._paid_back - covered)
        return [Part([_priced("ORDER", self._order.id, due)])] if due > 0 else []

    def lines(self, asked: Sequence[LineRefund]) -> Iterator[Part]:
        """The parts for lines that are named."""
        seen: set[str] = set()
        for number, line in enumerate(asked):
            field = f"line_items.{number}"
            if line.line_item_id in seen:
                raise refusal(f"{field}.line_item_id: line {line.line_item_id} is named twice. Add the quantities up.")
            seen.add(line.line_item_id)
            if line.amount is not None:
                _check_cents(line.amount, f"{field}.amount")
            yield self._line(line, field)

    def shipping(self, refund: NewRefund) -> Iterator[Part]:
        """The parts for an amount of shipping, which includes handling, over the order's addresses in turn."""
        wanted = refund.shipping_amount or ZERO
        _check_cents(wanted, "shipping_amount")
        open_costs = self._open_costs()
        most = sum((with_tax for *_, with_tax in open_costs), ZERO)
        if wanted > most:
            raise refusal(f"shipping_amount: {wanted} is more than the {_cents(most)} of shipping that is left.")
        for kind, id, left, with_tax in open_costs:
            paid = min(wanted, with_tax)
            if paid > 0:
                yield Part([_priced(kind, id, _cents(left * paid / with_tax))], paid, of_shipping=True)
            wanted -= paid

    def _line(self, line: LineRefund, field: str) -> Part:
        fee = next((fee for fee in self._order.fees if f"fee-{fee.id}" == line.line_item_id), None)
        if fee is not None:
            left = self._open_amount("FEE", fee.id, fee.cost_ex_tax, fee.cost_inc_tax)
            _check_quantity(line, 1 if left > 0 else 0, field)
            return Part([_priced("FEE", fee.id, left)], line.amount)
        if line.line_item_id == mapping.GIFT_WRAPPING:
            wrapped = self._wrapped()
            _check_quantity(line, 1 if wrapped else 0, field)
            return Part(wrapped, line.amount)
        id = _line_id(line.line_item_id, self._lines, field)
        _check_quantity(line, self._open("PRODUCT", id), field)
        return Part([_counted("PRODUCT", id, line.quantity)], line.amount)

    def _open(self, kind: str, id: int) -> int:
        return max(self._lines[id].quantity - self._units.get((kind, id), 0), 0)

    def _wrapped(self) -> list[dict[str, Any]]:
        return [
            _counted("GIFT_WRAPPING", id, left)
            for id, line in self._lines.items()
            if line.wrapping_cost_ex_tax and (left := self._open("GIFT_WRAPPING", id))
        ]

    def _open_amount(self, kind: str, id: int, without_tax: Decimal, with_tax: Decimal | None) -> Decimal:
        cost = with_tax if self._with_tax and with_tax is not None else without_tax
        return _cents(cost - self._amounts.get((kind, id), ZERO))

    def _open_costs(self) -> list[tuple[str, int, Decimal, Decimal]]:
        """Shipping and handling by address: the amount that is left as BigCommerce is asked for it, and with tax."""
        found = []
        for each in self._order.consignments.shipping:
            for kind, without_tax, with_tax in (
                ("SHIPPING", each.cost_ex_tax, each.cost_inc_tax),
                ("HANDLING", each.handling_cost_ex_tax, each.handling_cost_inc_tax),
            ):
                left = self._open_amount(kind, each.id, without_tax, with_tax)
                rate = with_tax / without_tax if with_tax and without_tax and not self._with_tax else Decimal(1)
                if left > 0:
                    found.append((kind, each.id, left, _cents(left * rate)))
        return found


def _wanted(record: payloads.RawOrder, shipment: NewShipment, reference: str) -> dict[int, dict[int, int]]:
    """The quantities to ship, by shipping group and line."""
    groups = _groups(record)
    left = {line.id: _left_to_ship(line, record, reference) for lines in groups.values() for line in lines}
    if shipment.line_items:
        return _wanted_lines(groups, left, shipment.line_items)
    if shipment.shipping_groups:
        return _wanted_groups(groups, left, shipment.shipping_groups)
    return {group: _all_of(lines, left) for group, lines in groups.items()}


def _wanted_lines(
    groups: Mapping[int, Sequence[payloads.Line]],
    left: Mapping[int, int],
    asked: Sequence[LineQuantity],
    path: str = "",
) -> dict[int, dict[int, int]]:
    owners = {line.id: group for group, lines in groups.items() for line in lines}
    found: dict[int, dict[int, int]] = {group: {} for group in groups}
    for number, line in enumerate(asked):
        field = f"{path}line_items.{number}"
        id = _line_id(line.line_item_id, owners, field)
        quantities = found[owners[id]]
        quantities[id] = quantities.get(id, 0) + line.quantity
        if quantities[id] > left[id]:
            raise refusal(f"{field}.quantity: only {left[id]} of line {id} are still to be shipped.")
    return found


def _wanted_groups(
    groups: Mapping[int, Sequence[payloads.Line]], left: Mapping[int, int], asked: Sequence[GroupQuantities]
) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    names = {str(group): group for group in groups}
    for number, each in enumerate(asked):
        field = f"shipping_groups.{number}"
        group = names.pop(each.shipping_group_id, None)
        if group is None:
            raise refusal(
                f"{field}.shipping_group_id: is no group that is still to be named. Those that can be shipped are "
                f"{', '.join(map(str, groups)) or 'none'}; what is picked up or downloaded is not."
            )
        lines = groups[group]
        found[group] = (
            _wanted_lines({group: lines}, left, each.line_items, f"{field}.")[group]
            if each.line_items
            else _all_of(lines, left)
        )
        if not found[group]:
            raise refusal(f"{field}: nothing of it is still to be shipped.")
    return found


def _groups(record: payloads.RawOrder) -> dict[int, list[payloads.Line]]:
    """The lines that are shipped, by the address that they go to."""
    found = {each.id: list(each.line_items) for each in record.order.consignments.shipping}
    known = {line.id for line in mapping.consigned_lines(record.order.consignments)}
    for line in record.products or []:
        if line.id not in known and line.order_address_id in found:
            found[line.order_address_id].append(line)
    return found


def _left_to_ship(line: payloads.Line, record: payloads.RawOrder, reference: str) -> int:
    """The units that are not shipped, save by an earlier attempt of this write."""
    mine = {each.id for each, _ in _marked_shipments(record.shipments, reference)}
    own = others = 0
    for shipment in record.shipments:
        count = sum(item.quantity for item in shipment.items if item.order_product_id == line.id)
        own, others = (own + count, others) if shipment.id in mine else (own, others + count)
    return max(line.quantity - max(others, line.quantity_shipped - own), 0)


def _all_of(lines: Iterable[payloads.Line], left: Mapping[int, int]) -> dict[int, int]:
    return {line.id: left[line.id] for line in lines if left[line.id]}


def _shared(shipment: NewShipment) -> dict[str, str]:
    """What all shipments of a write have. A carrier that BigCommerce does not know stands before the method's name."""
    if len(shipment.tracking_number or "") > LONGEST_TRACKING_NUMBER:
        raise refusal(f"tracking_number: must be at most {LONGEST_TRACKING_NUMBER} characters long.")
    if len(shipment.tracking_url or "") > LONGEST_LINK:
        raise refusal(f"tracking_url: must be at most {LONGEST_LINK} characters long.")
    name = shipment.carrier_name or ""
    tracker = shipment.specific.get("tracking_carrier")
    known = CARRIER_NAMES.get("".join(name.split()).casefold())
    unknown = name if not (known or shipment.carrier_id or tracker) else ""
    fields = {
        "tracking_number": shipment.tracking_number,
        "tracking_link": shipment.tracking_url,
        "shipping_provider": _provider(shipment.carrier_id) or known,
        "tracking_carrier": tracker,
        "shipping_method": " ".join(part for part in (unknown, shipment.shipping_method_name) if part),
    }
    return {field: value for field, value in fields.items() if value}


def _provider(carrier: str | None) -> str | None:
    return carrier.casefold() if carrier and carrier.casefold() in PROVIDERS else carrier


def _fits(method: Sequence[payloads.PaymentOption], record: payloads.RawOrder, provider: str | None) -> bool:
    providers = {option.provider_id for option in method}
    if provider:
        return provider in providers
    if providers - NOT_THE_GATEWAY:
        return True
    return providers == {"storecredit"} and record.order.store_credit_amount >= record.order.total_inc_tax > 0


def _unpaid(method: Iterable[payloads.PaymentOption]) -> payloads.PaymentOption | None:
    """What of a method an online gateway would have to pay, and cannot."""
    return next((option for option in method if option.offline and not option.offline_provider), None)


def _payments(method: Sequence[payloads.PaymentOption], total: Decimal) -> list[dict[str, Any]]:
    """``total`` over the payments of a method, each up to its own amount; what rounding leaves is the last one's."""
    found = []
    for option in method:
        amount = total if option is method[-1] else min(option.amount, total)
        total -= amount
        if amount:
            found.append({"provider_id": option.provider_id, "amount": amount, "offline": option.offline})
    return found


def _identity(record: payloads.RawProduct, asked: str) -> dict[str, int]:
    """What holds the stock: the variant, or the product whose variants share it."""
    source = record.product
    variant = asked.partition("-")[2]
    alone = len(source.variants) == 1
    if source.inventory_tracking == "none":
        raise refusal(f"BigCommerce does not track the stock of product {source.id}. Turn tracking on in its settings.")
    if source.inventory_tracking == "product":
        if variant and not alone:
            raise refusal(f"The variants of product {source.id} share their stock. Adjust that of {source.id}.")
        return {"product_id": source.id}
    if not variant and not alone:
        names = ", ".join(f"{source.id}-{each.id}" for each in source.variants)
        raise refusal(f"Product {source.id} has no stock of its own. Adjust one of its variants: {names}.")
    return {"variant_id": int(variant) if variant else source.variants[0].id}


def _location(record: payloads.RawProduct, asked: str | None) -> int:
    known = sorted({location for levels in record.levels.values() for location in levels}, key=int)
    if asked is None:
        if len(known) != 1:
            raise refusal(f"warehouse_id: name the location. Those with stock of it: {', '.join(known) or 'none'}.")
        return int(known[0])
    if not (asked.isascii() and asked.isdecimal()):
        raise refusal(f"warehouse_id: {asked} is no location of BigCommerce.")
    return int(asked)


def _line_id(asked: str, known: Iterable[int], field: str) -> int:
    names = {str(id): id for id in known}
    if asked not in names:
        raise refusal(f"{field}.line_item_id: {asked} is not among the lines for this: {', '.join(names) or 'none'}.")
    return names[asked]


def _check_quantity(line: LineRefund, left: int, field: str) -> None:
    if line.quantity > left:
        raise refusal(f"{field}.quantity: only {left} of line {line.line_item_id} are left to be paid back.")


def _check_cents(amount: Decimal, field: str) -> None:
    if amount != _cents(amount):
        raise refusal(f"{field}: BigCommerce pays back whole cents; {amount} is none.")


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(mapping.CENT, ROUND_HALF_UP)


def _counted(kind: str, id: int, quantity: int) -> dict[str, Any]:
    return {"item_type": kind, "item_id": id, "quantity": quantity}


def _priced(kind: str, id: int, amount: Decimal) -> dict[str, Any]:
    return {"item_type": kind, "item_id": id, "amount": amount}


def _mark(reference: str, number: str = "") -> str:
    return f"[Unicart {reference}{number}]"


def _with_mark(text: str | None, mark: str) -> str:
    return f"{text} {mark}" if text else mark


def _marked_shipments(shipments: Iterable[payloads.Shipment], reference: str) -> list[tuple[payloads.Shipment, Any]]:
    found = [(each, mapping.MARK.search(each.comments or "")) for each in shipments]
    return [(each, match) for each, match in found if match and match["number"] and match["reference"] == reference]
