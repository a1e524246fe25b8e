"""Unified writes as the input of ShipHero's mutations. Pure functions; field names in backquotes are ShipHero's.

The steps of a shipment are those of https://developer.shiphero.com/flows/order-fulfillment/, the inputs those of
https://developer.shiphero.com/schema/types/create-shipment-input.html and the types that it names.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from unicart.connectors.kit import refusal
from unicart.connectors.shiphero import payloads
from unicart.contract.orders import Order, OrderStatus, ShipmentStatus, ShippingGroup
from unicart.contract.writes import AdjustmentType, InventoryAdjustment, NewShipment

LONGEST_REASON = 150
ENDED = frozenset({OrderStatus.FULFILLED, OrderStatus.CANCELLED})
FULFILLED = "fulfilled"
NO_PRICE = Decimal("0.00")
LABEL_FIELDS = ("tracking_number", "tracking_url", "carrier_name", "shipping_method_name")
LABEL_SPECIFIC = frozenset({"label_url", "label_cost"})


class StockChange(msgspec.Struct, frozen=True, kw_only=True):
    """So many units more of a SKU on hand in a warehouse, or fewer, if ``quantity`` is negative.

    An ``exact`` one is no difference, but what is to lie in the location.
    """

    sku: str
    warehouse_id: str
    quantity: int
    location_id: str | None = None
    exact: bool = False


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """What is shipped: how many units of which line. ``warehouse_id`` is null if nothing tells it.

    A ``last`` one leaves nothing of the order open.
    """

    lines: dict[str, int]
    warehouse_id: str | None
    last: bool


def reason(text: str, reference: str) -> str:
    """A `reason` by which the change is found again in ShipHero's log of changes."""
    return f"{text[:LONGEST_REASON].rstrip()} [{reference}]"


def place(product: payloads.Product, adjustment: InventoryAdjustment) -> str:
    """The warehouse whose stock is adjusted."""
    if product.virtual:
        raise refusal("product_id: virtual products have no stock in ShipHero. Choose another product.")
    if not product.sku:
        raise refusal("product_id: the product has no SKU, and ShipHero keeps stock by SKU. Give it one there.")
    kept = list(dict.fromkeys(each.warehouse_id for each in _places(product) if each.warehouse_id))
    told = ", ".join(kept) or "no warehouse"
    if adjustment.warehouse_id is None and len(kept) == 1:
        return kept[0]
    if adjustment.warehouse_id is None:
        raise refusal(f"warehouse_id: is needed; the product is kept in {told}.")
    if adjustment.warehouse_id not in kept:
        raise refusal(f"warehouse_id: the product is kept in {told}. Choose one, or add the product there in ShipHero.")
    return adjustment.warehouse_id


def adjustment(product: payloads.Product, warehouse_id: str, asked: InventoryAdjustment) -> StockChange:
    """The change that an adjustment means.

    The unified level is what is available; each unit more or fewer on hand is one more or fewer available.
    """
    location_id: str | None = asked.specific.get("location_id")
    places = [each for each in _places(product) if each.warehouse_id == warehouse_id]
    exact = asked.adjustment_type is AdjustmentType.EXACT
    quantity = asked.quantity if exact and location_id else _difference(places, asked)
    return StockChange(
        sku=product.sku or "",
        warehouse_id=warehouse_id,
        quantity=quantity,
        location_id=location_id,
        exact=exact and location_id is not None,
    )


def _difference(places: Sequence[payloads.WarehouseProduct], asked: InventoryAdjustment) -> int:
    if asked.adjustment_type is AdjustmentType.EXACT:
        levels = [each.available for each in places if each.available is not None]
        if not levels:
            raise refusal("adjustment_type: ShipHero does not tell the level there. Use increase or decrease.")
        return asked.quantity - sum(levels)
    on_hand = [each.on_hand for each in places if each.on_hand is not None]
    if on_hand and asked.target(sum(on_hand)) < 0:
        raise refusal(f"quantity: only {max(sum(on_hand), 0)} are on hand there. Take off no more.")
    return asked.target(0)


def stock(change: StockChange, reason: str, customer: str | None) -> dict[str, Any]:
    """The input of `inventory_add`, `inventory_remove` and `inventory_replace`."""
    return _present(
        {
            "sku": change.sku,
            "warehouse_id": change.warehouse_id,
            "quantity": abs(change.quantity),
            "reason": reason,
            "location_id": change.location_id,
            "customer_account_id": customer,
        }
    )


def _places(product: payloads.Product) -> list[payloads.WarehouseProduct]:
    return [each for each in product.warehouse_products or [] if each is not None]


def parcel(order: Order, source: payloads.Order, new: NewShipment) -> Parcel:
    """What ``new`` asks to ship, or everything that is open."""
    left = still_open(order, source)
    if not left:
        raise refusal("line_items: nothing of this order is open any more. Look at its shipments and its status.")
    groups = _groups(order, new)
    lines = _lines(groups, new, left) if groups or new.line_items else left
    if not lines:
        raise refusal("shipping_groups: nothing of them is open any more. Look at the order's shipments.")
    field = "shipping_groups" if groups else "line_items"
    for id, quantity in lines.items():
        if quantity > left.get(id, 0):
            raise refusal(f"{field}: {quantity} of line item {id} are more than the {left.get(id, 0)} that are open.")
    return Parcel(lines=lines, warehouse_id=_warehouse(order, groups, lines, new), last=lines == left)


def still_open(order: Order, source: payloads.Order) -> dict[str, int]:
    """How many units of each line are neither shipped nor canceled; lines without any are left out."""
    if order.status in ENDED:
        return {}
    done = {line.id for line in _lines_of(source) if (line.fulfillment_status or "").lower() == FULFILLED}
    told: Mapping[str, int] = order.additional_fields["quantities_shipped"]
    shipped: Counter[str] = Counter()
    for shipment in _valid_shipments(order, source):
        shipped.update(_shipped(shipment))
    left = {
        line.line_item_id: line.quantity - max(shipped[line.line_item_id], told.get(line.line_item_id, 0))
        for line in order.line_items
        if line.line_item_id not in done
    }
    return {id: quantity for id, quantity in left.items() if quantity > 0}


def awaits_status(order: Order, source: payloads.Order) -> bool:
    """Whether all of an order is shipped, and only its status does not say so: the last step is missing."""
    shipped = _valid_shipments(order, source)
    return order.status not in ENDED and bool(shipped) and not still_open(order, source)


def is_told(order: Order, source: payloads.Order, new: NewShipment) -> bool:
    """Whether the order has a shipment with the lines and the tracking number of ``new``."""
    named = [*new.line_items, *(line for group in new.shipping_groups for line in group.line_items)]
    wanted: Counter[str] = Counter()
    for line in named:
        wanted[line.line_item_id] += line.quantity
    for shipment in _valid_shipments(order, source):
        numbers = {label.tracking_number for label in shipment.shipping_labels or [] if label}
        if new.tracking_number in {None, *numbers} and (not wanted or _shipped(shipment) == wanted):
            return True
    return False


def withdrawals(
    source: payloads.Order, parcel: Parcel, warehouse_id: str, products: Iterable[payloads.Product]
) -> list[StockChange]:
    """What leaves the stock with a parcel, a SKU each: of kits that are not built ahead, the components."""
    known = {product.id: product for product in products}
    units: Counter[str] = Counter()
    for line in _lines_of(source):
        product = known.get(line.product.id) if line.product else None
        for sku, each in _contents(product):
            units[sku] += each * parcel.lines.get(line.id, 0)
    return [StockChange(sku=sku, warehouse_id=warehouse_id, quantity=-count) for sku, count in units.items() if count]


def products_of(source: payloads.Order, parcel: Parcel) -> list[str]:
    """The ids of the products in a parcel."""
    return list(
        dict.fromkeys(line.product.id for line in _lines_of(source) if line.product and line.id in parcel.lines)
    )


def shipment(source: payloads.Order, parcel: Parcel, warehouse_id: str, new: NewShipment) -> dict[str, Any]:
    """The input of `shipment_create`. It takes no `customer_account_id`: ShipHero wants a 3PL to create them itself."""
    return _present(
        {
            "order_id": source.id,
            "warehouse_id": warehouse_id,
            "address": _address(source.shipping_address),
            "line_items": [{"line_item_id": id, "quantity": count} for id, count in parcel.lines.items()],
            "labels": [_label(source, parcel, new)] if _has_label(new) else None,
            "notify_customer_via_shiphero": new.notify_customer,
            "notify_customer_via_store": new.specific.get("notify_store"),
            "shipped_off_shiphero": new.specific.get("shipped_off_shiphero"),
        }
    )


def fulfilled(source: payloads.Order, customer: str | None) -> dict[str, Any]:
    """The input of `order_update_fulfillment_status`."""
    return _present({"order_id": source.id, "fulfillment_status": FULFILLED, "customer_account_id": customer})


def _groups(order: Order, new: NewShipment) -> list[ShippingGroup]:
    known = {group.shipping_group_id: group for group in order.shipping_groups}
    for asked in new.shipping_groups:
        if asked.shipping_group_id not in known:
            raise refusal(f"shipping_groups: the order has no group {asked.shipping_group_id}. Read the order again.")
    return [known[asked.shipping_group_id] for asked in new.shipping_groups]


def _lines(groups: Sequence[ShippingGroup], new: NewShipment, left: Mapping[str, int]) -> dict[str, int]:
    lines: Counter[str] = Counter()
    for line in new.line_items:
        lines[line.line_item_id] += line.quantity
    for group, asked in zip(groups, new.shipping_groups, strict=True):
        for named in asked.line_items:
            lines[named.line_item_id] += named.quantity
        for each in () if asked.line_items else group.line_items:
            open_units = left.get(each.line_item_id or "", 0) - lines[each.line_item_id or ""]
            lines[each.line_item_id or ""] += max(min(each.quantity, open_units), 0)
    return {id: quantity for id, quantity in lines.items() if quantity}


def _warehouse(order: Order, groups: Sequence[ShippingGroup], lines: Mapping[str, int], new: NewShipment) -> str | None:
    """Where the parcel leaves from: as it says, else where its lines are allocated; null if they are nowhere."""
    holding = groups or [
        group for group in order.shipping_groups if any(line.line_item_id in lines for line in group.line_items)
    ]
    found = list(dict.fromkeys(group.warehouse_id for group in holding if group.warehouse_id))
    if groups and new.warehouse_id is not None and any(id != new.warehouse_id for id in found):
        raise refusal(f"warehouse_id: the shipping groups are in {', '.join(found)}. Leave it out, or name line_items.")
    if new.warehouse_id is not None:
        return new.warehouse_id
    if len(found) > 1:
        raise refusal(
            f"warehouse_id: the lines are allocated in several warehouses ({', '.join(found)}), and a ShipHero shipment "
            "leaves from one. Send one for each, with its shipping_groups, or name the warehouse."
        )
    return found[0] if found else None


def _contents(product: payloads.Product | None) -> list[tuple[str, int]]:
    """What has stock of its own in one unit of a product: SKUs, and how many of each."""
    if product is None or product.virtual:
        return []
    if not product.kit or product.kit_build:
        return [(product.sku, 1)] if product.sku else []
    components = [each for each in product.kit_components or [] if each is not None]
    return [(each.sku, each.quantity or 0) for each in components if each.sku]


def _has_label(new: NewShipment) -> bool:
    return any(getattr(new, name) is not None for name in LABEL_FIELDS) or bool(LABEL_SPECIFIC & new.specific.keys())


def _label(source: payloads.Order, parcel: Parcel, new: NewShipment) -> dict[str, Any]:
    asked = source.shipping_lines or payloads.ShippingLines()
    carrier = new.carrier_name or asked.carrier
    method = new.shipping_method_name or asked.method or asked.title
    if not carrier:
        raise refusal("carrier_name: ShipHero keeps tracking with a carrier, and the order names none. Name it.")
    if not method:
        raise refusal("shipping_method_name: ShipHero keeps tracking with a method, and the order names none. Name it.")
    cost: Decimal = new.specific.get("label_cost", NO_PRICE)
    return _present(
        {
            "carrier": carrier,
            "shipping_method": method,
            "shipping_name": f"{carrier} - {method}",
            "cost": f"{cost:f}",
            "address": _address(source.shipping_address),
            # All are required or expected; a parcel's measures are nothing that a unified shipment knows.
            "dimensions": dict.fromkeys(("weight", "height", "width", "length"), "0"),
            "label": _present({"pdf_location": new.specific.get("label_url")}),
            "line_item_ids": list(parcel.lines),
            "tracking_number": new.tracking_number,
            "tracking_url": new.tracking_url,
        }
    )


def _address(source: payloads.OrderAddress | None) -> dict[str, Any]:
    if source is None:
        return {}
    name = " ".join(part for part in (source.first_name, source.last_name) if part) or source.company
    given = {
        "name": name,
        "address1": source.address1,
        "address2": source.address2,
        "city": source.city,
        "state": source.state_code or source.state,
        "zip": source.zip,
        "country": source.country_code or source.country,
        "phone": source.phone,
    }
    return {field: value for field, value in given.items() if value}


def _lines_of(source: payloads.Order) -> list[payloads.LineItem]:
    return source.line_items.nodes if source.line_items else []


def _valid_shipments(order: Order, source: payloads.Order) -> list[payloads.Shipment]:
    void = {each.shipment_id for each in order.shipments if each.status is ShipmentStatus.CANCELLED}
    return [each for each in source.shipments or [] if each is not None and each.id not in void]


def _shipped(source: payloads.Shipment) -> Counter[str]:
    units: Counter[str] = Counter()
    for line in source.line_items.nodes if source.line_items else []:
        units[line.line_item_id or ""] += line.quantity or 0
    return units


def _present(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
