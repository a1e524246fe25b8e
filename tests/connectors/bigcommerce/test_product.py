"""The whole way: a store is connected, synced and served."""

import json
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.bigcommerce import records
from connectors.bigcommerce.shop import START, FakeBigCommerce
from product import Unicart


def test_a_store_is_connected_synced_and_served(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    with FakeBigCommerce() as shop:
        for _ in range(130):
            shop.tick(60)
            shop.place(shipping_cost="5.95")
        incomplete = shop.place(status_id=0)["id"]
        for number in range(1, 4):
            shop.stock_up(number)
        shop.locations[1] = records.location(1, START)
        options = [f"--{name.replace('_', '-')}={value}" for name, value in shop.credentials.items()]
        connection = unicart.connect("bigcommerce", *options)
        assert unicart.sync() == {"get_orders": 130, "get_products": 3, "get_warehouses": 1}
        shop.tick(3600)
        shop.ship(105)
        shop.refund(106, 2.5)
        assert unicart.sync()["get_orders"] == 2
        assert unicart.show(connection)["errors"] == []
        with unicart.serving():
            orders = unicart.get("/cart/orders")
            products = unicart.get("/cart/products")
            warehouses = unicart.get("/cart/warehouses")
            written(unicart, shop)
    assert len(orders) == 130
    assert str(incomplete) not in orders
    assert orders["105"]["status"] == "fulfilled"
    assert orders["105"]["shipments"][0]["tracking_number"] == "EJ958083578US"
    assert orders["106"]["additional_fields"]["total_refunded"] == Decimal("2.5")
    assert orders["107"]["total_price"] == Decimal("33.0124")
    assert sorted(products) == ["1", "1-1001", "2", "2-1002", "3", "3-1003"]
    assert products["2-1002"]["inventory_by_warehouse_id"] == {"1": 2, "2": 3}
    assert warehouses["1"]["name"] == "Location 1"


def written(unicart: Unicart, shop: FakeBigCommerce) -> None:
    """A shipment, a refund and a change of stock, each sent twice with one key, are made once and then served."""
    parcel = {"tracking_number": "T1", "carrier": "UPS", "line_items": [{"line_item_id": "1100", "quantity": 1}]}
    shipped = twice(unicart, "POST", "/cart/orders/110/shipments", parcel)
    assert shipped["data"]["status"] == "partially_fulfilled"
    assert len(shop.shipments[110]) == 1
    reason = {"line_items": [{"line_item_id": "1100", "quantity": 1, "amount": 3.5}], "restock": True}
    refunded = twice(unicart, "POST", "/cart/orders/110/refund", reason)
    assert refunded["unused_fields"] == ["restock"]
    assert [each["total_amount"] for each in shop.refunds if each["order_id"] == 110] == [3.5]
    change = {"quantity": 2, "adjustment_type": "decrease", "warehouse_id": "2"}
    adjusted = twice(unicart, "PUT", "/cart/products/2-1002/adjust-inventory", change)
    assert adjusted["data"]["inventory_by_warehouse_id"] == {"1": 2, "2": 1}
    passed = asked(unicart, "POST", "/cart/passthrough", {"method": "GET", "path": "/v2/store"}, "passed")[1]
    assert (passed["status_code"], passed["body"]["name"]) == (200, "Söhne & Co")
    order = unicart.get("/cart/orders")["110"]
    assert [each["tracking_number"] for each in order["shipments"]] == ["T1"]
    assert order["additional_fields"]["total_refunded"] == Decimal("3.5")
    assert unicart.get("/cart/products")["2-1002"]["inventory"] == 3


def twice(unicart: Unicart, method: str, path: str, body: dict[str, Any]) -> Any:
    """The answer to a write that is sent and then sent again."""
    first, second = (asked(unicart, method, path, body, path) for _ in range(2))
    assert "Idempotent-Replayed" not in first[0]
    assert second[0]["Idempotent-Replayed"] == "true"
    assert second[1] == first[1]
    return first[1]


def asked(unicart: Unicart, method: str, path: str, body: dict[str, Any], key: str) -> tuple[Any, Any]:
    """The headers and the body of an answer."""
    headers = {**unicart.headers, "content-type": "application/json", "idempotency-key": key}
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{unicart.base_url}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return reply.headers, json.load(reply)
