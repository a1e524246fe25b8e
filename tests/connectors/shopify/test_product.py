"""The whole way: a shop is connected, synced and served by the product as its users run it."""

import json
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.kit.server import answer
from connectors.shopify.goods import gid, line, order, product, refund, ship, stamp, touched, variant
from connectors.shopify.record import FIXTURES, whole_shop
from connectors.shopify.shop import SCOPES, START, TOKEN, WRITING_SCOPES, Mishap, Shop, served
from product import Unicart
from unicart.connectors.shopify import auth
from unicart.connectors.shopify.client import ShopifyConnector
from unicart.contract.common import encode
from unicart.contract.resources import Function


def expected(shop: Shop, unicart: Unicart, function: Function, path: str) -> int:
    """Compare what is served with what the fixtures' records map to; how many there are."""
    records = json.loads((FIXTURES / f"{function.value}.json").read_bytes())["records"]
    found = unicart.get(path)
    domain = shop.url.removeprefix("http://")
    count = 0
    for raw in records:
        for record in ShopifyConnector.map(function, json.dumps(raw | {"shopDomain": domain}).encode()):
            served_record = {
                name: value for name, value in found[record.id].items() if not name.startswith("trackstar_")
            }
            assert served_record == json.loads(encode(record), parse_float=Decimal)
            count += 1
    assert len(found) == count
    return count


def test_a_shop_is_served_digit_for_digit(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    shop = whole_shop()
    with served(shop) as url:
        id = unicart.connect("shopify", f"--shop={url}", f"--access-token={TOKEN}")
        pulled = unicart.sync()
        assert (pulled["get_products"], pulled["get_warehouses"]) == (3, 2)
        assert unicart.show(id)["errors"] == []
        with unicart.serving():
            assert expected(shop, unicart, Function.GET_ORDERS, "/cart/orders") == 14
            assert expected(shop, unicart, Function.GET_PRODUCTS, "/cart/products") == 7
            assert expected(shop, unicart, Function.GET_WAREHOUSES, "/cart/warehouses") == 2
        shop.tick(3600)
        node = shop.tables["Order"]["gid://shopify/Order/1001"]
        line = node["lineItems"][0]["id"]
        touched(refund(ship(node, 1, shop.now, {line: 1}), 1, shop.now, {line: 1}), shop.now)
        shop.put(order(2001, shop.now))
        unicart.sync()
        with unicart.serving():
            found = unicart.get("/cart/orders")
    assert found["1001"]["status"] == "fulfilled"
    assert found["1001"]["additional_fields"]["total_refunded"] == Decimal("10.00")
    assert found["1001"]["updated_date"] == stamp(shop.now)
    assert found["2001"]["status"] == "confirmed"


def test_hidden_orders_are_told_and_the_others_are_served(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    shop = whole_shop()
    shop.scopes = tuple(scope for scope in SCOPES if scope != auth.ALL_ORDERS)
    shop.put(order(1, START.replace(year=2025)))
    with served(shop) as url:
        id = unicart.connect("shopify", f"--shop={url}", f"--access-token={TOKEN}")
        unicart.sync()
        (error,) = unicart.show(id)["errors"]
        assert "read_all_orders" in error["error_message"]
        assert not error["preventing_sync"]
        with unicart.serving():
            assert len(unicart.get("/cart/orders")) == 14
        unicart.sync()
        assert len(unicart.show(id)["errors"]) == 1
        shop.scopes = SCOPES
        unicart.sync()
        assert unicart.show(id)["errors"] == []


def written(unicart: Unicart, method: str, path: str, fields: object, key: str) -> tuple[Any, bool]:
    """The record that a write answers with, and whether it is an answer of before."""
    headers = {**unicart.headers, "content-type": "application/json", "idempotency-key": key}
    request = urllib.request.Request(f"{unicart.base_url}{path}", json.dumps(fields).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as reply:
        body = json.load(reply, parse_float=Decimal)
        assert body["unused_fields"] == []
        return body["data"], reply.headers.get("idempotent-replayed") == "true"


def test_shipments_refunds_and_stock_are_written_once(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    shop = Shop(scopes=(*SCOPES, *WRITING_SCOPES))
    shop.put(product(9, START, [variant(90, START, {1: 5})]), order(7, START, [line(71, "10.00", 3)]))
    shipment = {"tracking_number": "T1", "line_items": [{"line_item_id": "71", "quantity": 1}]}
    refunded = {"reason": "Zu klein", "line_items": [{"line_item_id": "71", "quantity": 1}]}
    with served(shop) as url:
        unicart.connect("shopify", f"--shop={url}", f"--access-token={TOKEN}")
        unicart.sync()
        with unicart.serving():
            for repeated in (False, True):
                data, replayed = written(unicart, "POST", "/cart/orders/7/shipments", shipment, "key-1")
                assert (data["status"], replayed) == ("partially_fulfilled", repeated)
                data, replayed = written(unicart, "POST", "/cart/orders/7/refund", refunded, "key-2")
                assert (data["additional_fields"]["total_refunded"], replayed) == (Decimal("10.00"), repeated)
                change = {"quantity": 2, "adjustment_type": "increase", "warehouse_id": "1", "reason": "Received"}
                data, replayed = written(unicart, "PUT", "/cart/products/90/adjust-inventory", change, "key-3")
                assert (data["inventory_by_warehouse_id"], replayed) == ({"1": 7}, repeated)
            (found,) = unicart.get("/cart/orders").values()
            assert [(each["tracking_number"], len(each["line_items"])) for each in found["shipments"]] == [("T1", 1)]
            assert [each["note"] for each in found["additional_fields"]["refunds"]] == ["Zu klein"]
            assert unicart.get("/cart/products")["90"]["inventory"] == 7
            # The answer is lost, but the order shows the shipment.
            shop.mishaps.append(Mishap("fulfillmentCreate", answer(502), taken=True))
            data, replayed = written(unicart, "POST", "/cart/orders/7/shipments", {"tracking_number": "T2"}, "key-4")
            assert ([each["tracking_number"] for each in data["shipments"]], replayed) == (["T1", "T2"], False)
            assert data["status"] == "fulfilled"
    assert len(shop.tables["Order"][gid("Order", 7)]["refunds"]) == 1
    assert shop.asked("mutation") == 6
