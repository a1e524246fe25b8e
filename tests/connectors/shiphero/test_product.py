"""The whole way: a connection to ShipHero is added and synced, its records are served, and writes are told to it."""

import json
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.shiphero import records
from connectors.shiphero.shop import REFRESH_TOKEN, open_shop
from product import Unicart


def test_a_shiphero_account_is_served(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    with open_shop() as shop:
        for number in range(1, 31):
            shop.add_order(number, account_id=records.ACCOUNT if number % 2 else records.CLIENT)
            shop.add_product(number)
            shop.tick(4000)
        shop.warehouses = {row["id"]: row for row in [records.warehouse(1), records.warehouse(2)]}
        shop.refreshable = False
        refused = unicart.run(
            "connection", "add", "shiphero", "--refresh-token", REFRESH_TOKEN, "--url", shop.url, fails=True
        )
        assert "does not accept the refresh token" in " ".join(refused.split())
        shop.refreshable = True
        unicart.connect("shiphero", "--refresh-token", REFRESH_TOKEN, "--url", shop.url)
        pulled = unicart.sync()
        assert pulled == {"get_orders": 30, "get_products": 30, "get_warehouses": 2}
        shop.tick(60)
        shipped = shop.orders[records.uuid("Order", 7)]
        shop.touch(shipped, fulfillment_status="fulfilled", shipments=[records.shipment(7, [(7, 1)])])
        shop.add_order(31)
        shop.tick(60)
        assert unicart.sync()["get_orders"] == 2
    with unicart.serving():
        orders = unicart.get("/cart/orders")
        assert orders.keys() == {records.uuid("Order", number) for number in range(1, 32)}
        seventh = orders[records.uuid("Order", 7)]
        assert (seventh["status"], seventh["total_price"]) == ("fulfilled", Decimal("16.00"))
        assert seventh["shipments"][0]["tracking_number"] == "1Z000007"
        mine = unicart.get(f"/cart/orders?warehouse_customer_id={records.CLIENT}")
        assert len(mine) == 15
        assert unicart.get("/cart/products").keys() == {records.uuid("Product", number) for number in range(1, 31)}
        assert unicart.get("/cart/warehouses").keys() == {records.EAST, records.WEST}


def test_a_shipment_and_a_stock_level_reach_shiphero_once(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    with open_shop() as shop:
        order = shop.add_order(7, allocations=[records.allocation(records.EAST, [(7, 1)])])
        product = shop.add_product(7)
        shop.warehouses = {row["id"]: row for row in [records.warehouse(1), records.warehouse(2)]}
        shop.tick(60)
        unicart.connect("shiphero", "--refresh-token", REFRESH_TOKEN, "--url", shop.url)
        unicart.sync()
        with unicart.serving():
            body: dict[str, Any] = {
                "tracking_number": "1Z7",
                "carrier_name": "UPS",
                "shipped_date": "2026-06-02T10:00:00Z",
            }
            path = f"/cart/orders/{order['id']}/shipments"
            told, replayed = _send(unicart, "POST", path, body, "first")
            assert (told["data"]["status"], told["unused_fields"], replayed) == ("fulfilled", ["shipped_date"], False)
            again, replayed = _send(unicart, "POST", path, body, "first")
            assert (again, replayed) == (told, True)
            shipments = unicart.get("/cart/orders")[order["id"]]["shipments"]
            assert [(each["tracking_number"], each["warehouse_id"]) for each in shipments] == [("1Z7", records.EAST)]

            body = {"quantity": 5, "adjustment_type": "increase", "warehouse_id": records.WEST}
            path = f"/cart/products/{product['id']}/adjust-inventory"
            for expected in (False, True):
                told, replayed = _send(unicart, "PUT", path, body, "second")
                assert replayed is expected
                assert told["data"]["inventory_by_warehouse_id"] == {records.EAST: 6, records.WEST: 8}
            assert unicart.get("/cart/products")[product["id"]]["inventory"] == 14
    assert len(order["shipments"]) == 1
    assert [place["on_hand"] for place in product["warehouse_products"]] == [8, 10]


def _send(unicart: Unicart, method: str, path: str, body: dict[str, Any], key: str) -> tuple[Any, bool]:
    """The answer of a write, and whether it is an earlier one's."""
    headers = {**unicart.headers, "content-type": "application/json", "idempotency-key": key}
    request = urllib.request.Request(f"{unicart.base_url}{path}", json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply), reply.headers.get("idempotent-replayed") == "true"
