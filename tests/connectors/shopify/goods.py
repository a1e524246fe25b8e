"""Shopify's records for tests, in the shapes of its schema: built here, with figures that add up as Shopify's do.

Nodes are dicts by the schema's field names. What is a connection there is a plain list here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Node = dict[str, Any]
NUMBERS = {"Order": 5_000_000, "LineItem": 9_000_000}
ADDRESS = {
    "name": "Žofie Müller-Østergård",
    "company": "Café 東京 & Söhne",
    "address1": "Straße 1",
    "address2": None,
    "city": "Łódź",
    "province": "Łódzkie",
    "provinceCode": "LD",
    "zip": "90-001",
    "country": "Poland",
    "countryCodeV2": "PL",
    "phone": "+48 42 000 00 00",
}


def gid(type: str, number: int | str) -> str:
    return f"gid://shopify/{type}/{number}"


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def money(amount: str | Decimal, currency: str = "EUR") -> Node:
    """An amount in the buyer's currency; in the shop's it is another number, so that no test mistakes one for the other."""
    own = {"amount": str(amount), "currencyCode": currency}
    return {"presentmentMoney": own, "shopMoney": {"amount": str(Decimal(amount) * 2), "currencyCode": "USD"}}


def amount(bag: Node) -> Decimal:
    return Decimal(bag["presentmentMoney"]["amount"])


def line(
    number: int,
    price: str = "10.00",
    quantity: int = 1,
    *,
    discounts: Sequence[str] = (),
    taxes: Sequence[str] = (),
    currency: str = "EUR",
    **changes: Any,
) -> Node:
    return {
        "__typename": "LineItem",
        "id": gid("LineItem", number),
        "title": f"Thing {number}",
        "sku": f"SKU-{number}",
        "quantity": quantity,
        "currentQuantity": quantity,
        "isGiftCard": False,
        "variant": {"__typename": "ProductVariant", "id": gid("ProductVariant", number * 10)},
        "product": {"__typename": "Product", "id": gid("Product", number * 100)},
        "originalUnitPriceSet": money(price, currency),
        "discountAllocations": [{"allocatedAmountSet": money(each, currency)} for each in discounts],
        "taxLines": [{"priceSet": money(each, currency)} for each in taxes],
        **changes,
    }


def order(
    number: int,
    created: datetime,
    lines: Sequence[Node] | None = None,
    *,
    shipping: str = "0.00",
    shipping_tax: str | None = None,
    currency: str = "EUR",
    location: int | None = 1,
    **changes: Any,
) -> Node:
    """An order, unfulfilled and paid, whose lines are in one fulfilment order."""
    lines = [line(number * 10, currency=currency)] if lines is None else list(lines)
    made: Node = {
        "__typename": "Order",
        "id": gid("Order", number),
        "name": f"#{number}",
        "createdAt": stamp(created),
        "updatedAt": stamp(created),
        "processedAt": stamp(created),
        "closedAt": None,
        "cancelledAt": None,
        "cancelReason": None,
        "test": False,
        "taxesIncluded": False,
        "dutiesIncluded": False,
        "currencyCode": "USD",
        "presentmentCurrencyCode": currency,
        "email": "žofie@example.com",
        "note": "Klingeln, bitte",
        "poNumber": None,
        "sourceName": "web",
        "tags": ["vip"],
        "discountCodes": [],
        "displayFulfillmentStatus": "UNFULFILLED",
        "displayFinancialStatus": "PAID",
        "currentTotalDutiesSet": None,
        "currentTotalAdditionalFeesSet": None,
        "shippingAddress": dict(ADDRESS),
        "billingAddress": None,
        "metafield": None,
        "lineItems": lines,
        "shippingLines": [_shipping_line(number, shipping, shipping_tax, currency)] if Decimal(shipping) else [],
        "fulfillmentOrders": [group(number * 7, created, {each["id"]: each["quantity"] for each in lines}, location)],
        "fulfillments": [],
        "refunds": [],
        **changes,
    }
    return settle(made)


def settle(order: Node) -> Node:
    """Set the order's current totals to what its parts come to."""
    currency, included = order["presentmentCurrencyCode"], order["taxesIncluded"]
    goods = taxes = Decimal(0)
    for each in order["lineItems"]:
        discount = sum(amount(one["allocatedAmountSet"]) for one in each["discountAllocations"])
        goods += amount(each["originalUnitPriceSet"]) * each["quantity"] - discount
        taxes += sum(amount(one["priceSet"]) for one in each["taxLines"])
    for refund in order["refunds"]:
        for each in refund["refundLineItems"]:
            goods -= amount(each["subtotalSet"])
            taxes -= amount(each["totalTaxSet"])
    shipping = Decimal(0)
    for each in order["shippingLines"]:
        shipping += amount(each["currentDiscountedPriceSet"])
        taxes += sum(amount(one["priceSet"]) for one in each["taxLines"])
    for refund in order["refunds"]:
        taxes -= sum(amount(each["taxAmountSet"]) for each in refund["refundShippingLines"])
    extra = sum(
        amount(order[name]) for name in ("currentTotalDutiesSet", "currentTotalAdditionalFeesSet") if order[name]
    )
    total = goods + shipping + extra + (0 if included else taxes)
    order["currentTotalPriceSet"] = money(total, currency)
    order["currentTotalTaxSet"] = money(taxes, currency)
    order["currentShippingPriceSet"] = money(shipping, currency)
    return order


def group(number: int, at: datetime, parts: Mapping[str, int], location: int | None, status: str = "OPEN") -> Node:
    """A fulfilment order of so many units of each line."""
    place = {"__typename": "Location", "id": gid("Location", location)} if location else None
    lines = [
        {
            "__typename": "FulfillmentOrderLineItem",
            "id": gid("FulfillmentOrderLineItem", number * 1000 + index),
            "totalQuantity": quantity,
            "remainingQuantity": 0 if status in ("CLOSED", "CANCELLED") else quantity,
            "lineItem": {"id": id},
        }
        for index, (id, quantity) in enumerate(parts.items())
    ]
    return {
        "__typename": "FulfillmentOrder",
        "id": gid("FulfillmentOrder", number),
        "status": status,
        "createdAt": stamp(at),
        "updatedAt": stamp(at),
        "fulfillAt": stamp(at),
        "fulfillBy": None,
        "assignedLocation": {"location": place},
        "lineItems": lines,
    }


def ship(order: Node, number: int, at: datetime, parts: Mapping[str, int], **changes: Any) -> Node:
    """Fulfil so many units of each line; the order's display status follows."""
    made: Node = {
        "__typename": "Fulfillment",
        "id": gid("Fulfillment", number),
        "status": "SUCCESS",
        "displayStatus": "FULFILLED",
        "createdAt": stamp(at),
        "updatedAt": stamp(at),
        "location": {"id": gid("Location", 1)},
        "trackingInfo": [{"company": "DHL", "number": f"T{number}", "url": f"https://dhl.example/{number}"}],
        "fulfillmentLineItems": [
            {
                "__typename": "FulfillmentLineItem",
                "id": gid("FulfillmentLineItem", number * 1000 + index),
                "quantity": quantity,
                "lineItem": {"id": id},
            }
            for index, (id, quantity) in enumerate(parts.items())
        ],
        "fulfillmentOrders": [{"__typename": "FulfillmentOrder", "id": order["fulfillmentOrders"][0]["id"]}],
        **changes,
    }
    order["fulfillments"].append(made)
    for id, quantity in parts.items():
        take(order["fulfillmentOrders"], id, quantity)
    sent = sum(part["quantity"] for each in order["fulfillments"] for part in each["fulfillmentLineItems"])
    whole = sent >= sum(each["currentQuantity"] for each in order["lineItems"])
    order["displayFulfillmentStatus"] = "FULFILLED" if whole else "PARTIALLY_FULFILLED"
    order["fulfillmentOrders"][0] |= {"status": "CLOSED" if whole else "IN_PROGRESS", "updatedAt": stamp(at)}
    order["updatedAt"] = stamp(at)
    return order


def take(groups: Sequence[Node], line: str, quantity: int) -> None:
    """Units of a line are not to be fulfilled any more."""
    for part in (part for group in groups for part in group["lineItems"] if part["lineItem"]["id"] == line):
        units = min(quantity, part["remainingQuantity"])
        part["remainingQuantity"] -= units
        quantity -= units


def refunded(order: Node, line: Node, quantity: int) -> Node:
    """So many units of a line, with their shares of discount and tax."""
    currency, places = order["presentmentCurrencyCode"], Decimal("0.01")
    share = Decimal(quantity) / line["quantity"]
    discount = sum(amount(one["allocatedAmountSet"]) for one in line["discountAllocations"])
    tax = (sum(amount(one["priceSet"]) for one in line["taxLines"]) * share).quantize(places)
    subtotal = amount(line["originalUnitPriceSet"]) * quantity - (discount * share).quantize(places)
    return {
        "__typename": "RefundLineItem",
        "quantity": quantity,
        "subtotalSet": money(subtotal, currency),
        "totalTaxSet": money(tax, currency),
        "lineItem": {"id": line["id"]},
    }


def refund(order: Node, number: int, at: datetime, parts: Mapping[str, int], paid: str | None = None) -> Node:
    """Take so many units of each line off the order and pay them back; with ``paid``, that much instead."""
    currency = order["presentmentCurrencyCode"]
    lines, total = [], Decimal(0)
    for each in order["lineItems"]:
        quantity = parts.get(each["id"], 0)
        if not quantity:
            continue
        made = refunded(order, each, quantity)
        each["currentQuantity"] -= quantity
        total += amount(made["subtotalSet"]) + (0 if order["taxesIncluded"] else amount(made["totalTaxSet"]))
        lines.append(made)
    order["refunds"].append(
        {
            "__typename": "Refund",
            "id": gid("Refund", number),
            "createdAt": stamp(at),
            "note": "Zu klein",
            "totalRefundedSet": money(total if paid is None else paid, currency),
            "refundLineItems": lines,
            "refundShippingLines": [],
        }
    )
    order["updatedAt"] = stamp(at)
    return settle(order)


def variant(number: int, at: datetime, stock: Mapping[int, int] | None = None, **changes: Any) -> Node:
    levels = [
        {
            "__typename": "InventoryLevel",
            "id": f"{gid('InventoryLevel', location)}?inventory_item_id={number}",
            "updatedAt": stamp(at),
            "isActive": True,
            "location": {"id": gid("Location", location)},
            "quantities": [{"name": "available", "quantity": quantity}, {"name": "on_hand", "quantity": 99}],
        }
        for location, quantity in ({1: 5} if stock is None else stock).items()
    ]
    return {
        "__typename": "ProductVariant",
        "id": gid("ProductVariant", number),
        "title": "Grün / L",
        "createdAt": stamp(at),
        "updatedAt": stamp(at),
        "price": "19.90",
        "sku": f"V-{number}",
        "barcode": "4006381333931",
        "requiresComponents": False,
        "media": [],
        "inventoryItem": {
            "__typename": "InventoryItem",
            "id": gid("InventoryItem", number),
            "tracked": True,
            "unitCost": {"amount": "7.35"},
            "measurement": {"weight": {"unit": "KILOGRAMS", "value": 0.35}},
            "inventoryLevels": levels,
        },
        **changes,
    }


def product(number: int, at: datetime, variants: Sequence[Node] | None = None, **changes: Any) -> Node:
    """A product, with a variant whose number is ten times its own unless they are given."""
    return {
        "__typename": "Product",
        "id": gid("Product", number),
        "title": f"Pullover {number} «ñandú»",
        "status": "ACTIVE",
        "handle": f"pullover-{number}",
        "createdAt": stamp(at),
        "updatedAt": stamp(at),
        "vendor": "Söhne",
        "productType": "Knitwear",
        "isGiftCard": False,
        "hasVariantsThatRequiresComponents": False,
        "tags": ["wool", "winter"],
        "category": {"fullName": "Apparel > Clothing"},
        "featuredMedia": {
            "__typename": "MediaImage",
            "preview": {"image": {"url": f"https://cdn.example/{number}.png"}},
        },
        "variants": [variant(number * 10, at)] if variants is None else list(variants),
        **changes,
    }


def location(number: int, at: datetime, **changes: Any) -> Node:
    address = {name: ADDRESS[name] for name in ("address1", "address2", "city", "province", "provinceCode", "zip")}
    return {
        "__typename": "Location",
        "id": gid("Location", number),
        "name": f"Lager {number}",
        "createdAt": stamp(at),
        "updatedAt": stamp(at),
        "isActive": True,
        "fulfillsOnlineOrders": True,
        "address": {**address, "country": "Poland", "countryCode": "PL", "phone": None},
        **changes,
    }


def _shipping_line(number: int, price: str, tax: str | None, currency: str) -> Node:
    return {
        "__typename": "ShippingLine",
        "id": gid("ShippingLine", number),
        "title": "Standard",
        "code": "std",
        "carrierIdentifier": None,
        "currentDiscountedPriceSet": money(price, currency),
        "taxLines": [{"priceSet": money(tax, currency)}] if tax else [],
    }


def touched(node: Node, at: datetime) -> Node:
    """``node`` with a new date of its last change."""
    node["updatedAt"] = stamp(at)
    return node


def days(number: float) -> timedelta:
    return timedelta(days=number)
