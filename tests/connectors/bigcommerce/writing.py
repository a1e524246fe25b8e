"""How the small BigCommerce takes shipments, refunds and adjustments of stock, and refuses them as BigCommerce does."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from connectors.bigcommerce import records

if TYPE_CHECKING:
    from connectors.bigcommerce.shop import FakeBigCommerce

Row = dict[str, Any]
Answer = tuple[int, Any]
CENT = Decimal("0.01")
SHIPMENT_FIELDS = {
    "order_address_id",
    "tracking_number",
    "tracking_link",
    "merchant_shipping_cost",
    "shipping_method",
    "shipping_provider",
    "tracking_carrier",
    "comments",
    "items",
}


class Refused(Exception):
    """What BigCommerce says in V3 to what it does not take."""


def ship(shop: "FakeBigCommerce", id: int, sent: Row) -> Answer:
    """A shipment of a part of an order."""
    for name in sent.keys() - SHIPMENT_FIELDS:
        return _invalid(
            f"The field '{name}' cannot be written to. Please remove it from your request before trying again."
        )
    order, lines = shop.orders[id], {line["id"]: line for line in shop.lines[id]}
    group = next((each for each in order["consignments"]["shipping"] if each["id"] == sent["order_address_id"]), None)
    if group is None or not sent["items"]:
        return _invalid("The field 'order_address_id' is invalid.")
    own = {line["id"] for line in shop.lines[id] if line["order_address_id"] == group["id"]}
    for item in sent["items"]:
        line = lines.get(item["order_product_id"])
        if line is None or line["id"] not in own:
            return _invalid("The field 'items' is invalid: the product is not of this address.")
        if line["quantity_shipped"] + item["quantity"] > line["quantity"]:
            return _invalid("The field 'items' is invalid: more than is left to be shipped.")
    shop.last_shipment += 1
    items = {item["order_product_id"]: item["quantity"] for item in sent["items"]}
    given = {name: value for name, value in sent.items() if name != "items"}
    provider = given.get("shipping_provider", "")
    blank = {"tracking_number": "", "shipping_method": "", "shipping_provider": provider}
    shown = {"shipping_provider_display_name": provider.upper(), "generated_tracking_link": ""}
    made = records.shipment(shop.last_shipment, id, shop.now, items, **blank, **shown) | given
    shop.shipments.setdefault(id, []).append(made)
    _count_shipped(shop, id)
    return 201, made


def take_back(shop: "FakeBigCommerce", id: int, shipment: int) -> Answer:
    """The deletion of a shipment, which leaves the order's status as it is."""
    left = [each for each in shop.shipments.get(id, []) if each["id"] != shipment]
    if len(left) == len(shop.shipments.get(id, [])):
        return 404, [{"status": 404, "message": "The requested resource was not found."}]
    status = {name: shop.orders[id][name] for name in ("status_id", "status")}
    shop.shipments[id] = left
    _count_shipped(shop, id)
    shop.orders[id] |= status
    return 204, None


def quote(shop: "FakeBigCommerce", id: int, sent: Row) -> Answer:
    """What would be paid back for some items."""
    try:
        total, tax, _ = _priced(shop, id, sent["items"])
    except Refused as error:
        return 422, {"status": 422, "title": str(error), "type": "https://developer.bigcommerce.com", "errors": {}}
    left = _left(shop, id)
    paid = min(total, left)
    data = {
        "order_id": id,
        "total_refund_amount": float(paid),
        "total_refund_tax_amount": float(tax),
        "rounding": 0,
        "adjustment": float(paid - total),
        "tax_inclusive": shop.orders[id]["is_tax_inclusive_pricing"],
        "refund_methods": shop.refund_methods(paid),
    }
    return 201, {"data": data, "meta": {}}


def refund(shop: "FakeBigCommerce", id: int, sent: Row) -> Answer:
    """A refund whose payments are exactly what a quote says, or what the merchant has overridden it with."""
    try:
        total, tax, items = _priced(shop, id, sent["items"])
        override = sent.get("merchant_calculated_override")
        due = Decimal(str(override["total_amount"])) if override else min(total, _left(shop, id))
        _check_payments(shop, due, sent["payments"])
        if due > _left(shop, id):
            raise Refused("Refund amount is greater than remaining amount")
    except Refused as error:
        return 422, {"status": 422, "title": str(error), "type": "https://developer.bigcommerce.com", "errors": {}}
    number = len(shop.refunds) + 1
    made = records.refund(number, id, shop.now, float(due), items, reason="")
    made["total_tax"] = override["total_tax"] if override else float(tax)
    made["uses_merchant_override_values"] = override is not None
    outcome = {"is_declined": bool(shop.declines), "declined_message": shop.declines, "transaction_id": "1"}
    made["payments"] = [{"id": at, **payment, **outcome} for at, payment in enumerate(sent["payments"], 1)]
    shop.refunds.append(made)
    if not shop.declines:
        shop.touch(id, **({"status_id": 14, "status": "Partially Refunded"} if _left(shop, id) else _refunded()))
    return 201, {"data": made, "meta": {}}


def adjust(shop: "FakeBigCommerce", sent: Row, *, absolute: bool) -> Answer:
    """New stock levels; none of a request is taken if one of it is refused."""
    changes = []
    for item in sent["items"]:
        try:
            changes.append(_change(shop, item, absolute=absolute))
        except Refused as error:
            return 422, {"status": 422, "title": str(error), "type": "https://developer.bigcommerce.com", "errors": {}}
    for level, onhand in changes:
        shop.late_stock.append((level, onhand))
    if not shop.stock_delay:
        settle(shop)
    return 200, {"transaction_id": f"t{len(shop.exchanges)}"}


def settle(shop: "FakeBigCommerce") -> None:
    """Show the stock levels that were taken."""
    for level, onhand in shop.late_stock:
        safety = level["settings"]["safety_stock"]
        level |= {"total_inventory_onhand": onhand, "available_to_sell": onhand - safety}
    shop.late_stock.clear()


def _change(shop: "FakeBigCommerce", item: Row, *, absolute: bool) -> tuple[Row, int]:
    row = next((row for row in shop.stock.values() if _is_of(row, item)), None)
    name = next(name for name in ("variant_id", "product_id") if name in item)
    if row is None:
        raise Refused(f"[Item with {name} {item[name]} was not found]")
    tracking = shop.products[row["identity"]["product_id"]]["inventory_tracking"]
    if (tracking == "product") != (name == "product_id"):
        raise Refused(f"[Item with {name} {item[name]} is tracked by {tracking}, please update stock by {tracking} id]")
    level = next((each for each in row["locations"] if each["location_id"] == item["location_id"]), None)
    if level is None:
        raise Refused(f"Location {item['location_id']} was not found")
    if absolute:
        return level, int(item["quantity"])
    if level["available_to_sell"] + item["quantity"] < 0:
        raise Refused(f"[Item with {name} {item[name]} has not enough stock]")
    return level, int(level["total_inventory_onhand"] + item["quantity"])


def _is_of(row: Row, item: Row) -> bool:
    return all(row["identity"][name] == item[name] for name in ("variant_id", "product_id") if name in item)


def _count_shipped(shop: "FakeBigCommerce", id: int) -> None:
    shipped: dict[int, int] = {}
    for item in (item for each in shop.shipments[id] for item in each["items"]):
        shipped[item["order_product_id"]] = shipped.get(item["order_product_id"], 0) + item["quantity"]
    for line in shop.lines[id]:
        line["quantity_shipped"] = shipped.get(line["id"], 0)
    for group in shop.orders[id]["consignments"]["shipping"]:
        group["items_shipped"] = sum(line["quantity_shipped"] for line in group["line_items"])
    done, total = sum(shipped.values()), shop.orders[id]["items_total"]
    status = {"status_id": 2, "status": "Shipped"} if done >= total else {"status_id": 3, "status": "Partially Shipped"}
    shop.touch(id, items_shipped=done, **status)


def _refunded() -> Row:
    return {"status_id": 4, "status": "Refunded"}


def _left(shop: "FakeBigCommerce", id: int) -> Decimal:
    paid = sum((Decimal(str(each["total_amount"])) for each in _made(shop, id)), Decimal(0))
    return _cents(Decimal(shop.orders[id]["total_inc_tax"])) - paid


def _made(shop: "FakeBigCommerce", id: int) -> list[Row]:
    return [
        each
        for each in shop.refunds
        if each["order_id"] == id and not all(payment["is_declined"] for payment in each["payments"])
    ]


def _priced(shop: "FakeBigCommerce", id: int, items: Sequence[Row]) -> tuple[Decimal, Decimal, list[Row]]:
    """What items cost with tax, the tax of it, and the items as a refund shows them."""
    total = taxes = Decimal(0)
    shown = []
    for item in items:
        without_tax, tax = _price(shop, id, item)
        total, taxes = total + without_tax + tax, taxes + tax
        counts = {"quantity": item["quantity"], "adjustments": []} if item["item_type"] == "PRODUCT" else {}
        common = {"item_type": item["item_type"], "item_id": item["item_id"], "reason": item.get("reason", "")}
        shown.append({**common, **counts, "requested_amount": item.get("amount", float(_cents(without_tax)))})
    return _cents(total), _cents(taxes), shown


def _price(shop: "FakeBigCommerce", id: int, item: Row) -> tuple[Decimal, Decimal]:
    kind, number = item["item_type"], item["item_id"]
    lines = {line["id"]: line for line in shop.lines[id]}
    before = [each for made in _made(shop, id) for each in made["items"]]
    same = [each for each in before if (each["item_type"], each["item_id"]) == (kind, number)]
    if kind in ("PRODUCT", "GIFT_WRAPPING"):
        if number not in lines:
            raise Refused(f"Item {number} was not found in the order")
        line = lines[number]
        if sum(each.get("quantity") or line["quantity"] for each in same) + item["quantity"] > line["quantity"]:
            raise Refused("Refund quantity is greater than remaining quantity")
        share = Decimal(item["quantity"]) / line["quantity"]
        if kind == "GIFT_WRAPPING":
            return Decimal(line["wrapping_cost_ex_tax"]) * share, Decimal(line.get("wrapping_cost_tax", "0")) * share
        tax = Decimal(line["total_tax"]) * share
        return Decimal(line["discounted_total_inc_tax"]) * share - tax, tax
    if kind == "ORDER":
        return Decimal(str(item["amount"])), Decimal(0)
    without_tax, with_tax = _cost(shop.orders[id], kind, number)
    inclusive = shop.orders[id]["is_tax_inclusive_pricing"]
    most = with_tax if inclusive else without_tax
    amount = Decimal(str(item["amount"]))
    if amount + _sum(same) > _cents(most):
        raise Refused("Refund amount is greater than remaining amount")
    tax = amount * (with_tax - without_tax) / most if most else Decimal(0)
    return (amount - tax, tax) if inclusive else (amount, tax)


def _cost(order: Row, kind: str, number: int) -> tuple[Decimal, Decimal]:
    rows = order["fees"] if kind == "FEE" else order["consignments"]["shipping"]
    row = next((each for each in rows if each["id"] == number), None)
    if row is None:
        raise Refused(f"Item {number} was not found in the order")
    name = "handling_cost" if kind == "HANDLING" else "cost"
    return Decimal(str(row[f"{name}_ex_tax"])), Decimal(str(row[f"{name}_inc_tax"]))


def _sum(items: Iterable[Row]) -> Decimal:
    return sum((Decimal(str(each["requested_amount"])) for each in items), Decimal(0))


def _check_payments(shop: "FakeBigCommerce", due: Decimal, payments: Sequence[Row]) -> None:
    paid = sum((Decimal(str(each["amount"])) for each in payments), Decimal(0))
    if paid != due:
        raise Refused(f"The payments are {paid}, but the refund is {due}")
    providers = [{each["provider_id"] for each in method} for method in shop.refund_methods(due)]
    if not any({each["provider_id"] for each in payments} <= method for method in providers):
        raise Refused("The payment provider cannot refund this order")


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def _invalid(message: str) -> Answer:
    return 400, [{"status": 400, "message": message}]
