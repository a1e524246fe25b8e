"""The connector's fixtures: a shop with one order of every kind, built here, and what the connector makes of it.

python -m connectors.shopify.record      writes the fixtures anew
"""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import unicart.connectors.shopify
from connectors.shopify.goods import (
    Node,
    days,
    gid,
    group,
    line,
    location,
    money,
    order,
    product,
    refund,
    settle,
    ship,
    stamp,
    variant,
)
from connectors.shopify.shop import START, Shop, connected
from unicart.connectors.kit import Pull
from unicart.contract.resources import Function

FIXTURES = Path(unicart.connectors.shopify.__file__).parent / "fixtures"
LISTS = {Function.GET_ORDERS: " orders(", Function.GET_PRODUCTS: " products(", Function.GET_WAREHOUSES: " locations("}


def orders() -> list[Node]:
    """One order of every kind; the number tells which."""
    at = START - days(3)
    return [
        order(1001, at),
        _discounted(1002),
        _with_taxes_included(1003),
        _shipped_in_part(1004),
        _shipped_and_refunded(1005),
        _cancelled(1006),
        _with_custom_things(1007),
        order(1008, at, [line(10080, "1980", 2, currency="JPY")], currency="JPY", shipping="500", shippingAddress=None),
        order(1009, at, [line(10090, "1.234", 3, taxes=["0.185"], currency="KWD")], currency="KWD"),
        _across_locations(1010),
        _archived(1011),
        settle(
            {**order(1012, at), "currentTotalDutiesSet": money("3.20"), "currentTotalAdditionalFeesSet": money("1.10")}
        ),
        _removed_before_shipping(1013),
        order(1014, at, displayFulfillmentStatus="ON_HOLD", displayFinancialStatus="PENDING", billingAddress=None),
    ]


def products() -> list[Node]:
    """Products with several variants and locations, a hidden one, and a kit."""
    at = START - days(9)
    green = variant(5010, at, {1: 5, 2: -1})
    red = variant(5011, at, {1: 0}, title="Rot / S", sku=None, barcode=None, price="24.00")
    untracked = variant(5020, at, {}, title="Default Title")
    untracked["inventoryItem"] |= {"tracked": False, "unitCost": None, "measurement": {"weight": None}}
    kit = variant(5030, at, title="Default Title", requiresComponents=True)
    return [
        product(501, at, [green, red]),
        product(502, at, [untracked], status="DRAFT", category=None, productType="", featuredMedia=None, tags=[]),
        product(503, at, [kit], hasVariantsThatRequiresComponents=True),
    ]


def locations() -> list[Node]:
    """A warehouse, and a shop that is closed."""
    return [location(1, START - days(99)), location(2, START - days(50), isActive=False, name="Laden «Ñandú»")]


def whole_shop() -> Shop:
    """The shop with all of them."""
    shop = Shop()
    shop.put(*orders(), *products(), *locations())
    return shop


async def record(function: Function) -> Node:
    """A fixture: the first page's exchange, and all raw records."""
    shop = whole_shop()
    async with connected(shop) as connector:
        raws = [json.loads(raw) async for page in connector.pull(function, Pull()) for raw in page.records]
        records = [each | {"shopDomain": "test.myshopify.com"} for each in raws]
    asked = next(each for each in shop.requests if LISTS[function] in each["query"])
    body: Any = shop.graphql(asked)
    return {
        "request": {"method": "POST", "path": "/admin/api/2026-10/graphql.json", "body": asked},
        "response": {"status": 200, "headers": {"content-type": "application/json"}, "body": body},
        "records": list({each["id"]: each for each in records}.values()),
    }


def _discounted(number: int) -> Node:
    """A discount on a line, another on the whole order, tax on top, and shipping with tax."""
    first = line(number * 10, "30.00", 2, discounts=["6.00", "2.70"], taxes=["9.75", "0.51"])
    second = line(number * 10 + 1, "5.00", 1, discounts=["0.25"], taxes=["0.90"])
    changes: Node = {"shipping": "4.90", "shipping_tax": "0.93", "discountCodes": ["SOMMER"]}
    return order(number, START - days(3), [first, second], **changes)


def _with_taxes_included(number: int) -> Node:
    """Prices with 19 % of tax in them, one line with a discount."""
    first = line(number * 10, "119.00", 2, taxes=["38.00"])
    second = line(number * 10 + 1, "59.50", 1, discounts=["11.90"], taxes=["7.60"])
    changes: Node = {"shipping": "5.95", "shipping_tax": "0.95", "taxesIncluded": True}
    return order(number, START - days(3), [first, second], **changes)


def _shipped_in_part(number: int) -> Node:
    lines = [line(number * 10, "10.00", 3), line(number * 10 + 1, "7.00", 1)]
    made = order(number, START - days(3), lines, shipping="4.90")
    tracking = [{"company": "DHL", "number": each, "url": None} for each in ("T1", "T2")]
    changes = {"trackingInfo": tracking, "displayStatus": "IN_TRANSIT"}
    return ship(made, number, START - days(2), {lines[0]["id"]: 2}, **changes)


def _shipped_and_refunded(number: int) -> Node:
    """All of it shipped, one of three units paid back, with its share of discount and tax."""
    lines = [line(number * 10, "10.00", 3, discounts=["3.00"], taxes=["5.13"]), line(number * 10 + 1, "2.50", 2)]
    made = order(number, START - days(3), lines, displayFinancialStatus="PARTIALLY_REFUNDED")
    ship(made, number, START - days(2), {lines[0]["id"]: 3, lines[1]["id"]: 2}, displayStatus="DELIVERED")
    return refund(made, number, START - days(1), {lines[0]["id"]: 1})


def _cancelled(number: int) -> Node:
    made = order(number, START - days(3), [line(number * 10, "10.00", 2, taxes=["3.80"])])
    refund(made, number, START - days(2), {gid("LineItem", number * 10): 2})
    at = stamp(START - days(2))
    group = {"status": "CANCELLED", "updatedAt": at}
    made["fulfillmentOrders"][0] |= group
    return made | {"cancelledAt": at, "closedAt": at, "cancelReason": "CUSTOMER", "displayFinancialStatus": "REFUNDED"}


def _with_custom_things(number: int) -> Node:
    """A custom item, an item of a product that was deleted, and a gift card."""
    custom = line(number * 10, "3.50", 1, variant=None, product=None, sku=None, title="Geschenkverpackung 🎁")
    deleted = line(number * 10 + 1, "8.00", 1, variant=None, product=None)
    card = line(number * 10 + 2, "50.00", 1, isGiftCard=True)
    return order(number, START - days(3), [custom, deleted, card], note=None, email=None, tags=[])


def _across_locations(number: int) -> Node:
    """Two units from one location, one from another."""
    at = START - days(3)
    made = order(number, at, [line(number * 10, "10.00", 3)])
    id = gid("LineItem", number * 10)
    made["fulfillmentOrders"] = [group(number * 7, at, {id: 2}, 1), group(number * 7 + 1, at, {id: 1}, 2, "ON_HOLD")]
    made["fulfillmentOrders"][1]["fulfillBy"] = stamp(START + timedelta(days=2))
    return made


def _archived(number: int) -> Node:
    made = order(number, START - days(3))
    ship(made, number, START - days(2), {gid("LineItem", number * 10): 1})
    return made | {"closedAt": stamp(START - days(1))}


def _removed_before_shipping(number: int) -> Node:
    """A line taken off by an edit before anything was paid: a refund of nothing. The other line is left."""
    lines = [line(number * 10, "10.00", 1), line(number * 10 + 1, "4.00", 2)]
    made = order(number, START - days(3), lines, displayFinancialStatus="PENDING")
    return refund(made, number, START - days(2), {lines[1]["id"]: 2}, paid="0.00")


if __name__ == "__main__":
    for each in Function:
        text = json.dumps(asyncio.run(record(each)), indent=1, ensure_ascii=False)
        (FIXTURES / f"{each.value}.json").write_text(f"{text}\n")
