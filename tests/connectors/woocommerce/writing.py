"""What the small WooCommerce takes: orders, refunds, notes, fulfillments and stock, as WooCommerce's controllers take them."""

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.kit.server import Request

if TYPE_CHECKING:
    from connectors.woocommerce.shop import FakeWooCommerce

REFUND_FIELDS = {"amount", "reason", "api_refund", "api_restock", "line_items", "meta_data"}
ORDER_FIELDS = {"status", "meta_data"}
STOCK_FIELDS = {"stock_quantity", "inventory_delta", "manage_stock", "meta_data"}


class Refusal(Exception):
    """What WooCommerce answers as an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


def taxed(id: int, total: str, tax: str, *more: str, **values: Any) -> dict[str, Any]:
    """A line with its taxes; those of a second rate are ``more``."""
    taxes = [{"id": rate, "total": amount, "subtotal": amount} for rate, amount in enumerate((tax, *more), 1)]
    whole = str(sum(map(Decimal, (tax, *more)), Decimal(0)))
    line = {"id": id, "total": total, "subtotal": total, "total_tax": whole, "taxes": taxes, "meta_data": []}
    return line | {"subtotal_tax": whole, **values}


def sale(fake: "FakeWooCommerce", **values: Any) -> dict[str, Any]:
    """An order of three mugs, two tees of two taxes, a rush fee and shipping, to be shipped; 101.06 in all."""
    lines = [
        taxed(11, "43.50", "3.86", quantity=3, product_id=10, variation_id=0, name="Mug", sku="MUG"),
        taxed(12, "39.98", "2.55", "1.00", quantity=2, product_id=20, variation_id=21, name="Tee", sku="TEE"),
    ]
    return fake.place(
        line_items=lines,
        fee_lines=[taxed(13, "4.35", "0.39", name="Rush")],
        shipping_lines=[taxed(14, "4.99", "0.44", method_title="Flat rate", method_id="flat_rate")],
        total="101.06",
        total_tax="8.24",
        shipping_total="4.99",
        shipping_tax="0.44",
        discount_total="0.00",
        coupon_lines=[],
        meta_data=[],
        refunds=[],
        **values,
    )


def taken(fake: "FakeWooCommerce", request: Request, parts: list[str], sent: dict[str, str]) -> Any:
    """What a request that writes has made; null if it is about something else."""
    body = json.loads(request.body, parse_float=Decimal) if request.body else {}
    match [request.method, *parts]:
        case ["PUT", "orders", id]:
            return _order(fake, fake.tables["orders"][int(id)], body)
        case ["POST", "orders", id, "refunds"]:
            return _refund(fake, fake.tables["orders"][int(id)], body)
        case ["POST", "orders", id, "notes"]:
            fake.notes.setdefault(int(id), []).append(body)
            return {"id": 1, **body}
        case ["POST", "orders", id, "fulfillments"] if fake.fulfills:
            return _fulfillment(fake, fake.tables["orders"][int(id)], body, sent)
        case ["DELETE", "orders", id, "fulfillments", number] if fake.fulfills:
            kept = fake.fulfillments[int(id)]
            kept.remove(next(each for each in kept if each["id"] == int(number)))
            _tell_fulfillment(fake, fake.tables["orders"][int(id)])
            return {"message": "Fulfillment deleted successfully."}
        case ["PUT", "products", id]:
            return _stock(fake, fake.tables["products"][int(id)], fake.tables["products"][int(id)], body)
        case ["PUT", "products", id, "variations", number]:
            found = next(each for each in fake.variations[int(id)] if each["id"] == int(number))
            return _stock(fake, found, fake.tables["products"][int(id)], body)
    return None


def _order(fake: "FakeWooCommerce", order: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    _know(fake, body, ORDER_FIELDS)
    status = body.get("status", order["status"])
    if status not in fake.statuses or status in fake.refused_statuses:
        raise Refusal(400, "rest_invalid_param", "Invalid parameter(s): status")
    _keep(order, body.get("meta_data", []))
    if status == "completed" and order["status"] != status:
        now = fake.now.replace(tzinfo=None).isoformat()
        order |= {"date_completed_gmt": now, "date_paid_gmt": order.get("date_paid_gmt") or now}
    fake.change(order, status=status)
    return order


def _refund(fake: "FakeWooCommerce", order: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """As `wc_create_refund`: whatever is wrong is an error 500."""
    _know(fake, body, REFUND_FIELDS)
    assert isinstance(body["amount"], str)
    amount, left = Decimal(body["amount"]), Decimal(order["total"]) + _sum(order["refunds"])
    if not 0 <= amount <= left:
        raise Refusal(500, "woocommerce_rest_cannot_create_order_refund", "Invalid refund amount.")
    if body.get("api_refund", True) and not fake.gateway_refunds:
        message = 'The "gateway" does not support automatic refunds.'
        raise Refusal(500, "woocommerce_rest_cannot_create_order_refund", message)
    id = 100_000 + len(fake.tables["refunds"])
    refund: dict[str, Any] = {
        "id": id,
        "parent_id": order["id"],
        "amount": body["amount"],
        "reason": body.get("reason"),
    }
    refund |= {"refunded_payment": body.get("api_refund", True), "meta_data": [], "created": fake.now}
    for kind in ("line_items", "fee_lines", "shipping_lines"):
        asked = {int(each["id"]): each for each in body["line_items"]}
        refund[kind] = [_refunded(line, asked[line["id"]]) for line in order[kind] if line["id"] in asked]
    _keep(refund, body.get("meta_data", []))
    fake.tables["refunds"][id] = refund | {"modified": fake.now}
    if body.get("api_restock", True):
        for line in refund["line_items"]:
            fake.restocked[line["product_id"]] = fake.restocked.get(line["product_id"], 0) - line["quantity"]
    order["refunds"] = [*order["refunds"], {"id": id, "reason": body.get("reason") or "", "total": f"-{amount}"}]
    fake.change(order, status="refunded" if amount == left else order["status"])
    return fake.tables["refunds"][id]


def _refunded(line: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    rates = {tax["id"] for tax in line["taxes"]}
    taxes = {tax["id"]: Decimal(tax["refund_total"]) for tax in asked["refund_tax"]}
    assert taxes.keys() <= rates, "a tax that the line does not have"
    made = line | {"total": str(-Decimal(asked["refund_total"])), "total_tax": str(-sum(taxes.values(), Decimal(0)))}
    made |= {"taxes": [{"id": id, "total": str(-amount), "subtotal": ""} for id, amount in taxes.items()]}
    made["meta_data"] = [{"id": 1, "key": "_refunded_item_id", "value": str(line["id"])}]
    return made | ({"quantity": -asked.get("quantity", 0)} if "quantity" in line else {})


def _fulfillment(
    fake: "FakeWooCommerce", order: dict[str, Any], body: dict[str, Any], sent: dict[str, str]
) -> dict[str, Any]:
    meta = {each["key"]: each["value"] for each in body["meta_data"]}
    items = meta.get("_items")
    if not items or not all(isinstance(each["item_id"], int) and each["qty"] > 0 for each in items):
        raise Refusal(400, "0", "Invalid item.")
    kept = fake.fulfillments.setdefault(order["id"], [])
    number = 500 + sum(map(len, fake.fulfillments.values()))
    made: dict[str, Any] = {"id": number, "entity_type": "WC_Order", "entity_id": str(order["id"]), "meta_data": []}
    made |= {"status": body["status"], "is_fulfilled": body["status"] == "fulfilled"}
    _keep(made, body["meta_data"])
    kept.append(made)
    fake.mails += [order["id"]] if sent.get("notify_customer") == "true" else []
    _tell_fulfillment(fake, order)
    return made


def _tell_fulfillment(fake: "FakeWooCommerce", order: dict[str, Any]) -> None:
    kept = fake.fulfillments[order["id"]]
    order["meta_data"] = [each for each in order["meta_data"] if each["key"] != "_fulfillment_status"]
    if kept:
        units = sum(item["qty"] for each in kept for item in _value(each, "_items"))
        ordered = sum(line["quantity"] for line in order["line_items"])
        status = "fulfilled" if units >= ordered else "partially_fulfilled"
        _keep(order, [{"key": "_fulfillment_status", "value": status}])
    fake.change(order)


def _stock(
    fake: "FakeWooCommerce", sold: dict[str, Any], product: dict[str, Any], body: dict[str, Any]
) -> dict[str, Any]:
    _know(fake, body, STOCK_FIELDS)
    _keep(sold, body.get("meta_data", []))
    if fake.manages_stock:
        sold["manage_stock"] = body.get("manage_stock", sold["manage_stock"])
        if sold["manage_stock"] is not True:
            sold["stock_quantity"] = None
        elif "stock_quantity" in body:
            sold["stock_quantity"] = body["stock_quantity"]
        else:
            sold["stock_quantity"] = (sold["stock_quantity"] or 0) + body.get("inventory_delta", 0)
    sold["modified"] = product["modified"] = fake.now
    return sold


def _keep(record: dict[str, Any], meta: list[dict[str, Any]]) -> None:
    """Metadata of these keys, as `update_meta_data` keeps it."""
    for given in meta:
        others = [each for each in record["meta_data"] if each["key"] != given["key"]]
        record["meta_data"] = [*others, {"id": len(others) + 1, **given}]


def _value(record: dict[str, Any], key: str) -> Any:
    return next(each["value"] for each in record["meta_data"] if each["key"] == key)


def _sum(refunds: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(each["total"]) for each in refunds), Decimal(0))


def _know(fake: "FakeWooCommerce", body: dict[str, Any], known: set[str]) -> None:
    fake.problems += [f"body: {name}" for name in set(body) - known]
