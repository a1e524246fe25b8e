"""What is written to Extensiv: packages, routing and confirmation of orders, and adjustments of stock.

Extensiv ships whole orders: it confirms them. A part of an order becomes a package, and the part that makes it whole is packed
and confirms it. A package of ours bears the reference of its write in its description, which also says if it is the last.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from unicart.connectors.extensiv import mapping
from unicart.connectors.extensiv.payloads import Lot, Order, OrderItem, Package, RawProduct, RoutingInfo
from unicart.connectors.kit import RequestRefused, refusal
from unicart.contract.writes import AdjustmentType, InventoryAdjustment, LineQuantity, NewShipment

PACKAGE_CONTENT = "http://api.3plCentral.com/rels/orders/packagecontent"
OURS = "Unicart "
LAST = " last"
REST_API, BY_API = 7, 4
ROUTING = {"carrier_name": "carrier", "carrier_id": "scacCode", "shipping_method_name": "mode"}
PAPERS = {
    "bill_of_lading": "billOfLading",
    "load_number": "loadNumber",
    "trailer_number": "trailerNumber",
    "seal_number": "sealNumber",
    "door_number": "doorNumber",
}

Local = Callable[[datetime], str]
"""From a moment to how Extensiv writes it."""


class Plan(msgspec.Struct, frozen=True):
    """What to pack for a shipment, by order item; ``last`` if the order is whole with it."""

    contents: dict[int, Decimal]
    last: bool


def plan(order: Order, shipment: NewShipment) -> Plan:
    """How to ship a part of an order, or all of it. An order that is not packed at all needs no package to be shipped whole.

    What the warehouse has packed is not shipped by that: an order is shipped whole if all of it is asked for, unless
    parts of it were told before.

    Raises:
        RequestRefused: naming the field.
    """
    check_open(order)
    packages, left, asked = _packages(order), open_quantities(order), _asked(order, shipment)
    whole = not asked or (asked == _ordered(order) and not any(map(_is_ours, packages)))
    contents = left if whole else asked
    for id, quantity in contents.items():
        if quantity > left.get(id, 0):
            told = f"{left.get(id, Decimal(0)):f} of {id} are not packed yet, and {quantity:f} are asked for"
            raise refusal(f"line_items: {told}. Ask for what is open, or change the packages in Extensiv.")
    last = contents == left
    if last:
        _check_allocated(order)
    return Plan(contents if packages or not last else {}, last)


def check_open(order: Order) -> None:
    """Refuse an order that cannot be shipped any more, or not now.

    Raises:
        RequestRefused: saying why.
    """
    head, number = order.read_only, order.read_only.order_id
    if head.status == mapping.CANCELED:
        raise refusal(f"Order {number} is canceled; it cannot be shipped.")
    if is_closed(order):
        raise refusal(f"Order {number} is confirmed already; nothing of it is left to ship.")
    if head.on_hold_date:
        raise refusal(
            f"Order {number} is on hold: {head.on_hold_reason or 'no reason is given'}. Release it in Extensiv."
        )


def check_packed(order: Order) -> None:
    """Refuse to confirm an order of which a part is not packed.

    Raises:
        RequestRefused: it was changed meanwhile.
    """
    check_open(order)
    if _packages(order) and open_quantities(order):
        message = f"Order {order.read_only.order_id} was changed meanwhile: not all of it is packed. Try again."
        raise RequestRefused(message, status=409)
    _check_allocated(order)


def is_closed(order: Order) -> bool:
    """Whether it is shipped."""
    head = order.read_only
    return head.status != mapping.CANCELED and (bool(head.is_closed) or head.status == mapping.CLOSED)


def is_told(order: Order, shipment: NewShipment, reference: str) -> bool:
    """Whether it is shipped with the package of that reference, or under the tracking number that is asked for."""
    number = (order.routing_info or RoutingInfo()).tracking_number
    same = bool(shipment.tracking_number) and number == shipment.tracking_number
    return is_closed(order) and (same or package_of(order, reference) is not None)


def package_of(order: Order, reference: str) -> Package | None:
    """The package that the write of ``reference`` has made."""
    begin = f"{OURS}{reference}"
    return next((each for each in _packages(order) if (each.description or "").startswith(begin)), None)


def is_last(package: Package) -> bool:
    """Whether the order is to be confirmed with this package of ours."""
    return (package.description or "").endswith(LAST)


def bears(order: Order, reference: str) -> bool | None:
    """Whether the shipment of ``reference`` is told; what needed no package leaves no trace but a closed order."""
    package = package_of(order, reference)
    if package is not None:
        return is_closed(order) or not is_last(package)
    return None if is_closed(order) else False


def open_quantities(order: Order) -> dict[int, Decimal]:
    """What is in no package yet, by order item."""
    left = _ordered(order)
    for package in _packages(order):
        for content in package.package_contents or []:
            if content.order_item_id in left:
                left[content.order_item_id] -= content.qty or Decimal(0)
    return {id: quantity for id, quantity in left.items() if quantity > 0}


def package(shipment: NewShipment, planned: Plan, reference: str) -> dict[str, Any]:
    """A package for `POST /orders/{id}/packages`."""
    contents = [{"orderItemId": id, "qty": quantity} for id, quantity in planned.contents.items()]
    return _given(
        trackingNumber=shipment.tracking_number,
        description=f"{OURS}{reference}{LAST if planned.last else ''}",
        _embedded={PACKAGE_CONTENT: contents},
    )


def routing(current: Mapping[str, Any], shipment: NewShipment) -> dict[str, Any] | None:
    """An order's routing for `PUT /orders/{id}/routing`, with the carrier of a shipment; null if it is that already."""
    wanted = {theirs: getattr(shipment, ours) for ours, theirs in ROUTING.items() if getattr(shipment, ours)}
    if all(current.get(name) == value for name, value in wanted.items()):
        return None
    return {**current, **wanted}


def confirmation(order: Order, shipment: NewShipment, reference: str, local: Local) -> dict[str, Any]:
    """What is said for `POST /orders/{id}/confirmer`.

    What the order holds already is said again, because Extensiv does not tell if leaving it out erases it.
    """
    route, specific = order.routing_info or RoutingInfo(), shipment.specific
    pickup = specific.get("pickup_date")
    held = route.pickup_date if route.pickup_date and not route.pickup_date.startswith(mapping.NO_DATE) else None
    papers = {theirs: specific.get(ours) or getattr(route, ours) for ours, theirs in PAPERS.items()}
    return _given(
        confirmDate=local(shipment.shipped_date) if shipment.shipped_date else None,
        trackingNumber=_tracking(order, shipment, reference),
        pickupDate=local(pickup) if pickup else held,
        recalcAutoCharges=specific.get("recalculate_charges"),
        **papers,
    )


def facility(adjustment: InventoryAdjustment) -> int:
    """The facility of an adjustment.

    Raises:
        RequestRefused: it is no id.
    """
    given = adjustment.warehouse_id or ""
    if not (given.isascii() and given.isdecimal()):
        raise refusal(f"warehouse_id: {given!r} is no facility of Extensiv's. Take it from the warehouses.")
    return int(given)


def change(product: RawProduct, adjustment: InventoryAdjustment) -> Decimal:
    """By how much the stock at the facility rises, or falls if it is negative."""
    quantity = Decimal(adjustment.quantity)
    if adjustment.adjustment_type is AdjustmentType.EXACT:
        return quantity - mapping.by_facility(product.stock).get(str(facility(adjustment)), Decimal(0))
    return quantity if adjustment.adjustment_type is AdjustmentType.INCREASE else -quantity


def addition(item: int, quantity: Decimal, specific: Mapping[str, Any]) -> dict[str, Any]:
    """A new lot of an item.

    Raises:
        RequestRefused: a field makes no sense.
    """
    if "receive_item_id" in specific:
        raise refusal("receive_item_id: only stock that falls is taken from a lot; leave it out.")
    expires, location = _expiration(specific), specific.get("location_id")
    return _given(
        qty=quantity,
        itemIdentifier={"id": item},
        qualifier=specific.get("qualifier"),
        lotNumber=specific.get("lot_number"),
        serialNumber=specific.get("serial_number"),
        expirationDate=f"{expires}T00:00:00" if expires else None,
        locationInfo={"locationId": location} if location is not None else None,
    )


def reductions(lots: Sequence[Lot], quantity: Decimal, specific: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Which lots the quantity is taken from, the oldest first.

    Raises:
        RequestRefused: there is not so much.
    """
    found, left = [], quantity
    for lot in lots:
        part = min(left, lot.available)
        if part > 0 and not lot.is_on_hold and not lot.quarantined and _fits(lot, specific):
            found.append({"qty": -part, "receiveItemId": lot.receive_item_id})
            left -= part
    if left > 0:
        told = (
            f"only {quantity - left:f} are neither allocated nor on hold there, and {quantity:f} are to be taken away"
        )
        raise refusal(f"quantity: {told}. Take fewer, or set the stock free in Extensiv.")
    return found


def adjustment(
    asked: InventoryAdjustment, customer: int, items: Sequence[Mapping[str, Any]], reference: str
) -> dict[str, Any]:
    """An adjustment for `POST /inventory/adjustments`."""
    return _given(
        referenceNum=reference,
        customerId=customer,
        facilityId=facility(asked),
        notes=asked.reason,
        transactionEntryType=BY_API,
        warehouseTransactionSourceType=REST_API,
        _embedded={"item": list(items)},
    )


def _packages(order: Order) -> list[Package]:
    return order.read_only.packages or []


def _is_ours(package: Package) -> bool:
    return (package.description or "").startswith(OURS)


def _ordered(order: Order) -> dict[int, Decimal]:
    quantities = {item.read_only.order_item_id: _quantity(item) for item in mapping.order_items(order)}
    return {id: quantity for id, quantity in quantities.items() if quantity > 0}


def _quantity(item: OrderItem) -> Decimal:
    quantity = item.qty if item.qty is not None else item.read_only.estimated_qty
    return quantity or Decimal(0)


def _asked(order: Order, shipment: NewShipment) -> dict[int, Decimal]:
    """The quantities that are asked for, by order item; empty for everything."""
    lines: list[LineQuantity] = list(shipment.line_items)
    for group in shipment.shipping_groups:
        if group.shipping_group_id != str(order.read_only.order_id):
            known = f"the only group of this order is {order.read_only.order_id}"
            raise refusal(f"shipping_groups: there is no group {group.shipping_group_id!r}; {known}.")
        if not group.line_items:
            return {}
        lines += group.line_items
    ids = {str(item.read_only.order_item_id): item.read_only.order_item_id for item in mapping.order_items(order)}
    asked: dict[int, Decimal] = {}
    for line in lines:
        if line.line_item_id not in ids:
            raise refusal(f"line_items: the order has no line {line.line_item_id!r}. Take it from the order.")
        id = ids[line.line_item_id]
        asked[id] = asked.get(id, Decimal(0)) + line.quantity
    return asked


def _check_allocated(order: Order) -> None:
    if not order.read_only.fully_allocated:
        raise refusal(
            f"Order {order.read_only.order_id} is not fully allocated, and cannot be confirmed before. "
            "Allocate stock to it in Extensiv."
        )


def _tracking(order: Order, shipment: NewShipment, reference: str) -> str | None:
    """The number of the order itself, which also stands for its packages that have none of their own."""
    route = order.routing_info or RoutingInfo()
    if package_of(order, reference) is None:
        return shipment.tracking_number or route.tracking_number
    lacking = any(not each.tracking_number for each in _packages(order))
    return route.tracking_number or (None if lacking else shipment.tracking_number)


def _fits(lot: Lot, specific: Mapping[str, Any]) -> bool:
    location = lot.location_identifier.id if lot.location_identifier else None
    held = {
        "receive_item_id": lot.receive_item_id,
        "qualifier": lot.qualifier,
        "lot_number": lot.lot_number,
        "serial_number": lot.serial_number,
        "location_id": location,
    }
    expires = _expiration(specific)
    if expires and (lot.expiration_date or "")[:10] != expires:
        return False
    return all(value == specific[name] for name, value in held.items() if name in specific)


def _expiration(specific: Mapping[str, Any]) -> str | None:
    given = specific.get("expiration_date")
    if given is None:
        return None
    try:
        return date.fromisoformat(given).isoformat()
    except ValueError as error:
        raise refusal(f"expiration_date: {given!r} is no date such as 2027-01-31.") from error


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that say something; false and zero do."""
    return {name: value for name, value in fields.items() if value not in (None, "")}
