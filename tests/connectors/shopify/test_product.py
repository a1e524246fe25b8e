"""The whole way: a shop is connected, synced and served by the product as its users run it."""

import json
from decimal import Decimal
from pathlib import Path

from connectors.shopify.goods import order, refund, ship, stamp, touched
from connectors.shopify.record import FIXTURES, whole_shop
from connectors.shopify.shop import SCOPES, START, TOKEN, Shop, served
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
