"""What Shopify's mutations do to the records of the tests' shop, and what they refuse.

As on the platform, the mutations of stock and refunds are refused without an idempotency key, and done once for each.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo, get_directive_values

from connectors.shopify.goods import Node, amount, gid, money, refunded, settle, ship, stamp, take
from unicart.connectors.shopify.writes import REASONS

NEEDED = {
    "fulfillmentCreate": "write_merchant_managed_fulfillment_orders",
    "fulfillmentCancel": "write_merchant_managed_fulfillment_orders",
    "metafieldsSet": "write_orders",
    "refundCreate": "write_orders",
    "inventoryAdjustQuantities": "write_inventory",
    "inventorySetQuantities": "write_inventory",
}
KEYED = ("refundCreate", "inventoryAdjustQuantities", "inventorySetQuantities")


class Refused(Exception):
    """A mutation's error for the user."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Mutations:
    """What was done under which idempotency key, and what was put on whom."""

    tables: dict[str, dict[str, Node]]
    keys: dict[str, tuple[str, bool]] = field(default_factory=dict)
    references: list[str] = field(default_factory=list)
    notified: list[bool] = field(default_factory=list)

    def answer(self, info: GraphQLResolveInfo[Any], arguments: Node, now: datetime) -> Node:
        """The payload of a mutation, or its errors for the user."""
        name = info.field_name
        try:
            if name not in KEYED:
                return {"userErrors": [], **getattr(self, name)(now, **arguments)}
            key = _key(info)
            if not key.strip():
                raise GraphQLError("The @idempotent directive is required for this mutation.")
            given = json.dumps([name, arguments], sort_keys=True)
            earlier, well = self.keys.get(key, (given, None))
            if earlier != given:
                raise Refused("The same key with other parameters.", "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")
            if well is False:
                raise Refused("A previous request with this key failed.", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")
            if well is None:
                self.keys[key] = (given, False)
                getattr(self, name)(now, **arguments)
                self.keys[key] = (given, True)
        except Refused as error:
            return {"fulfillment": None, "userErrors": [{"message": str(error), "code": error.code}]}
        return {"userErrors": []}

    def metafieldsSet(self, now: datetime, metafields: list[Node]) -> Node:  # noqa: N802 - Shopify's name
        (given,) = metafields
        order = self.tables["Order"][given["ownerId"]]
        there = order["metafield"]["compareDigest"] if order["metafield"] else None
        if given["compareDigest"] != there:
            raise Refused("The resource has been updated since it was loaded.", "STALE_OBJECT")
        assert "namespace" not in given, "others could see it"
        assert given["type"] == "json"
        json.loads(given["value"])
        digest = hashlib.sha256(given["value"].encode()).hexdigest()
        order["metafield"] = {"__typename": "Metafield", "value": given["value"], "compareDigest": digest}
        order["updatedAt"] = stamp(now)
        return {}

    def fulfillmentCreate(self, now: datetime, fulfillment: Node) -> Node:  # noqa: N802 - Shopify's name
        given = {each["fulfillmentOrderId"]: each for each in fulfillment["lineItemsByFulfillmentOrder"]}
        order = next(
            each
            for each in self.tables["Order"].values()
            if any(group["id"] in given for group in each["fulfillmentOrders"])
        )
        groups = [group for group in order["fulfillmentOrders"] if group["id"] in given]
        places = [group["assignedLocation"]["location"] for group in groups]
        if len({place["id"] if place else None for place in places}) > 1:
            raise Refused("All fulfillment orders must be assigned to the same location.")
        if any(group["status"] not in ("OPEN", "IN_PROGRESS") for group in groups):
            raise Refused("Fulfillment order is not in a fulfillable state.")
        units: dict[str, int] = {}
        for group in groups:
            for part, wanted in _asked(group, given[group["id"]]["fulfillmentOrderLineItems"]):
                if not 0 < wanted <= part["remainingQuantity"]:
                    raise Refused("Invalid fulfillment order line item quantity requested.")
                units[part["lineItem"]["id"]] = units.get(part["lineItem"]["id"], 0) + wanted
        for group in groups:
            for part, wanted in _asked(group, given[group["id"]]["fulfillmentOrderLineItems"]):
                part["remainingQuantity"] -= wanted
            left = sum(part["remainingQuantity"] for part in group["lineItems"])
            group |= {"status": "IN_PROGRESS" if left else "CLOSED", "updatedAt": stamp(now)}
        tracking = fulfillment.get("trackingInfo")
        told = [{"company": None, "number": None, "url": None, **tracking}] if tracking else []
        kept = [dict(group) for group in order["fulfillmentOrders"]]
        number = 700 + sum(len(each["fulfillments"]) for each in self.tables["Order"].values())
        ship(
            order | {"fulfillmentOrders": [{"id": group["id"], "lineItems": []} for group in groups]},
            number,
            now,
            units,
            trackingInfo=told,
            location=places[0],
            fulfillmentOrders=[{"__typename": "FulfillmentOrder", "id": group["id"]} for group in groups],
        )
        order["fulfillmentOrders"] = kept
        self._shown(order, now)
        self.notified.append(fulfillment["notifyCustomer"])
        return {"fulfillment": order["fulfillments"][-1]}

    def fulfillmentCancel(self, now: datetime, id: str) -> Node:  # noqa: N802 - Shopify's name
        order = next(
            each for each in self.tables["Order"].values() if any(one["id"] == id for one in each["fulfillments"])
        )
        made = next(each for each in order["fulfillments"] if each["id"] == id)
        if made["status"] == "CANCELLED":
            raise Refused("The fulfillment is cancelled already.")
        made |= {"status": "CANCELLED", "displayStatus": "CANCELED", "updatedAt": stamp(now)}
        names = {each["id"] for each in made["fulfillmentOrders"]}
        for line in made["fulfillmentLineItems"]:
            for group in (each for each in order["fulfillmentOrders"] if each["id"] in names):
                for part in group["lineItems"]:
                    if part["lineItem"]["id"] == line["lineItem"]["id"]:
                        part["remainingQuantity"] += line["quantity"]
                        group |= {"status": "OPEN", "updatedAt": stamp(now)}
        self._shown(order, now)
        return {"fulfillment": made}

    def refundCreate(self, now: datetime, input: Node) -> Node:  # noqa: N802 - Shopify's name
        order = self.tables["Order"][input["orderId"]]
        assert input["currency"] == order["presentmentCurrencyCode"]
        assert input.get("allowOverRefunding") in (None, False)
        units: dict[str, int] = {}
        for each in input["refundLineItems"]:
            units[each["lineItemId"]] = units.get(each["lineItemId"], 0) + each["quantity"]
        lines = {each["id"]: each for each in order["lineItems"]}
        if any(lines[id]["currentQuantity"] < quantity for id, quantity in units.items()):
            raise Refused("Quantity cannot refund more items than were purchased")
        paid = Decimal(0)
        for each in input["transactions"]:
            assert each["kind"] == "REFUND"
            payment = next(one for one in payments(order) if one["id"] == each["parentId"])
            assert each["gateway"] == payment["gateway"]
            if Decimal(each["amount"]) > payment["left"]:
                raise Refused("Refund amount exceeds the amount that is left to be refunded")
            paid += Decimal(each["amount"])
        for each in input["transactions"]:
            next(one for one in payments(order) if one["id"] == each["parentId"])["left"] -= Decimal(each["amount"])
        made = [refunded(order, lines[id], quantity) for id, quantity in units.items()]
        for id, quantity in units.items():
            lines[id]["currentQuantity"] -= quantity
        for each in input["refundLineItems"]:
            self._restock(order, lines[each["lineItemId"]], each)
        currency = order["presentmentCurrencyCode"]
        order["refunds"].append(
            {
                "__typename": "Refund",
                "id": gid("Refund", 800 + len(order["refunds"])),
                "createdAt": stamp(now),
                "note": input["note"],
                "totalRefundedSet": money(paid, currency),
                "refundLineItems": made,
                "refundShippingLines": list(_shipping_back(order, input.get("shipping"))),
            }
        )
        self.notified.append(input["notify"])
        rest = any(each["left"] for each in payments(order))
        order |= {"displayFinancialStatus": "PARTIALLY_REFUNDED" if rest else "REFUNDED", "updatedAt": stamp(now)}
        settle(order)
        return {}

    def inventoryAdjustQuantities(self, now: datetime, input: Node) -> Node:  # noqa: N802 - Shopify's name
        for each in input["changes"]:
            quantity = self._level(input, each)
            quantity["quantity"] += each["delta"]
            self._moved(each, now)
        self.references.append(input["referenceDocumentUri"])
        return {}

    def inventorySetQuantities(self, now: datetime, input: Node) -> Node:  # noqa: N802 - Shopify's name
        for each in input["quantities"]:
            if each["quantity"] < 0:
                raise Refused("The quantity can't be negative.", "INVALID_QUANTITY_NEGATIVE")
            self._level(input, each)["quantity"] = each["quantity"]
            self._moved(each, now)
        self.references.append(input["referenceDocumentUri"])
        return {}

    def _shown(self, order: Node, now: datetime) -> None:
        sent = any(each["status"] == "SUCCESS" for each in order["fulfillments"])
        left = any(part["remainingQuantity"] for group in order["fulfillmentOrders"] for part in group["lineItems"])
        status = ("PARTIALLY_FULFILLED" if sent else "UNFULFILLED") if left else "FULFILLED"
        order |= {"displayFulfillmentStatus": status, "updatedAt": stamp(now)}

    def _restock(self, order: Node, line: Node, given: Node) -> None:
        if given["restockType"] == "CANCEL":
            groups = [
                each
                for each in order["fulfillmentOrders"]
                if each["assignedLocation"]["location"]["id"] == given["locationId"]
            ]
            take(groups, line["id"], given["quantity"])
        if given["restockType"] != "NO_RESTOCK":
            for level in self._levels():
                if level["variant"] == line["variant"]["id"] and level["location"]["id"] == given["locationId"]:
                    _available(level)["quantity"] += given["quantity"]

    def _levels(self) -> Iterator[Node]:
        for product in self.tables["Product"].values():
            for each in product["variants"]:
                for level in each["inventoryItem"]["inventoryLevels"]:
                    yield level | {"variant": each["id"], "item": each["inventoryItem"]["id"], "own": level}

    def _level(self, input: Node, change: Node) -> Node:
        assert input["name"] == "available"
        assert input["referenceDocumentUri"].startswith("gid://unicart/")
        assert "changeFromQuantity" in change, "must be given, even if it is null"
        if input["reason"] not in REASONS:
            raise Refused("The specified reason is invalid.", "INVALID_REASON")
        for level in self._levels():
            if (level["item"], level["location"]["id"]) == (change["inventoryItemId"], change["locationId"]):
                found = _available(level)
                if change["changeFromQuantity"] not in (None, found["quantity"]):
                    raise Refused("The value does not match.", "CHANGE_FROM_QUANTITY_STALE")
                return found
        raise Refused("The specified inventory item is not stocked at the location.", "INVALID_LOCATION")

    def _moved(self, change: Node, now: datetime) -> None:
        for level in self._levels():
            if (level["item"], level["location"]["id"]) == (change["inventoryItemId"], change["locationId"]):
                level["own"]["updatedAt"] = stamp(now)


def payments(order: Node) -> list[Node]:
    """The payments of an order, and what is left of them; one of all that it costs, unless it has others."""
    if "payments" not in order:
        paid = order["displayFinancialStatus"] in ("PAID", "PARTIALLY_REFUNDED")
        left = amount(order["currentTotalPriceSet"]) if paid else Decimal(0)
        id = gid("OrderTransaction", order["id"].rpartition("/")[2])
        order["payments"] = [{"id": id, "gateway": "shopify_payments", "left": left}]
    found: list[Node] = order["payments"]
    return found


def suggested(order: Node, arguments: Node) -> Node:
    """A refund as Shopify suggests it."""
    currency = order["presentmentCurrencyCode"]
    full = arguments.get("suggestFullRefund")
    asked = {each["id"]: each["currentQuantity"] for each in order["lineItems"] if full}
    for each in [] if full else arguments["refundLineItems"]:
        asked[each["lineItemId"]] = asked.get(each["lineItemId"], 0) + each["quantity"]
    lines = [refunded(order, each, asked[each["id"]]) for each in order["lineItems"] if asked.get(each["id"])]
    price, tax = amount(order["currentShippingPriceSet"]), _shipping_tax(order)
    total = sum((amount(each["subtotalSet"]) for each in lines), Decimal(0))
    total += 0 if order["taxesIncluded"] else sum(amount(each["totalTaxSet"]) for each in lines)
    total += (price + (0 if order["taxesIncluded"] else tax)) if arguments.get("refundShipping") else 0
    rest, transactions = total, []
    for each in payments(order):
        share = min(rest, each["left"])
        rest -= share
        transactions.append(
            {
                "gateway": each["gateway"],
                "parentTransaction": {"id": each["id"]},
                "amountSet": money(share, currency),
                "maximumRefundableSet": money(each["left"], currency),
            }
        )
    return {
        "maximumRefundableSet": money(sum((each["left"] for each in payments(order)), Decimal(0)), currency),
        "shipping": {"maximumRefundableSet": money(price, currency), "taxSet": money(tax, currency)},
        "refundLineItems": lines,
        "suggestedTransactions": [each for each in transactions if amount(each["maximumRefundableSet"])],
    }


def _shipping_tax(order: Node) -> Decimal:
    taxes = sum(amount(tax["priceSet"]) for line in order["shippingLines"] for tax in line["taxLines"])
    back = sum(amount(line["taxAmountSet"]) for each in order["refunds"] for line in each["refundShippingLines"])
    return Decimal(taxes - back)


def _shipping_back(order: Node, given: Node | None) -> Iterator[Node]:
    if not given:
        return
    currency, price, tax = (
        order["presentmentCurrencyCode"],
        amount(order["currentShippingPriceSet"]),
        _shipping_tax(order),
    )
    share = price if given.get("fullRefund") else Decimal(given["amount"])
    if share > price:
        raise Refused("Shipping amount is more than what can be refunded")
    line = order["shippingLines"][0]
    line["currentDiscountedPriceSet"] = money(amount(line["currentDiscountedPriceSet"]) - share, currency)
    back = (tax * share / price).quantize(Decimal("0.01"))
    yield {
        "__typename": "RefundShippingLine",
        "id": gid("RefundShippingLine", len(order["refunds"]) + 1),
        "taxAmountSet": money(back, currency),
    }


def _asked(group: Node, given: list[Node]) -> Iterator[tuple[Node, int]]:
    parts = {part["id"]: part for part in group["lineItems"]}
    for each in given:
        yield parts[each["id"]], each["quantity"]


def _available(level: Node) -> Node:
    found: Node = next(each for each in level["quantities"] if each["name"] == "available")
    return found


def _key(info: GraphQLResolveInfo[Any]) -> str:
    """The key of the directive on the mutation that is answered."""
    directive = info.schema.get_directive("idempotent")
    assert directive is not None
    values = get_directive_values(directive, info.field_nodes[0], info.variable_values)
    return str(values["key"]) if values else ""
