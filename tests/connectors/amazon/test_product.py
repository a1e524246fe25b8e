"""The whole way: a connection is added, synced and served, against a small Amazon."""

import json
import urllib.error
import urllib.request
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.amazon.builders import item
from connectors.amazon.shop import amazon_in_a_thread, credentials_for
from product import Unicart


def test_orders_and_listings_are_served(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    with amazon_in_a_thread() as amazon:
        for number in range(130):
            amazon.place(number, amazon.now - timedelta(hours=number, minutes=5))
        amazon.offer("MUG-1", amazon.now - timedelta(days=2))
        options = [f"--{name.replace('_', '-')}={value}" for name, value in credentials_for(amazon.url).items()]
        unicart.connect("amazon", *options)
        pulled = unicart.sync()
        assert pulled["get_orders"] >= 130
        assert pulled["get_products"] == 1
        amazon.tick(600)
        amazon.change(amazon.orders["111-0000100-0000100"])
        amazon.place(500)
        amazon.tick(600)
        unicart.sync()
    with unicart.serving():
        orders = unicart.get("/cart/orders")
        products = unicart.get("/cart/products")
        open_ones = unicart.get("/cart/orders?status=confirmed")
    assert len(orders) == 131
    changed = orders["111-0000100-0000100"]
    assert (changed["status"], changed["raw_status"]) == ("fulfilled", "SHIPPED")
    assert changed["total_price"] == Decimal("13.49")
    assert changed["ship_to_address"]["full_name"] == "Zoë Example"
    assert len(open_ones) == 130
    assert products["MUG-1"]["inventory"] == 5


def sent(unicart: Unicart, method: str, path: str, body: dict[str, Any], key: str) -> tuple[int, bool, Any]:
    """The status of a write, whether its answer is an earlier one, and the answer."""
    headers = {**unicart.headers, "Idempotency-Key": key, "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{unicart.base_url}{path}", method=method, data=json.dumps(body).encode(), headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.headers.get("Idempotent-Replayed") == "true", json.load(reply)
    except urllib.error.HTTPError as refused:
        return refused.code, False, json.load(refused)


def test_shipments_and_stock_are_written_once(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    with amazon_in_a_thread() as amazon:
        amazon.place(1, amazon.now - timedelta(hours=2), items=[item("11", 3)])
        amazon.offer("MUG-1", amazon.now - timedelta(days=2))
        options = [f"--{name.replace('_', '-')}={value}" for name, value in credentials_for(amazon.url).items()]
        unicart.connect("amazon", *options)
        unicart.sync()
        with unicart.serving():
            path = "/cart/orders/111-0000001-0000001/shipments"
            parcel = {"tracking_number": "1Z1", "carrier": "ups", "tracking_url": "https://ups.example/1Z1"}
            half = parcel | {"line_items": [{"line_item_id": "11", "quantity": 2}]}
            status, replayed, made = sent(unicart, "POST", path, half, "first")
            assert (status, replayed, made["unused_fields"]) == (200, False, ["tracking_url"])
            assert made["data"]["status"] == "partially_fulfilled"
            assert sent(unicart, "POST", path, half, "first") == (200, True, made)
            status, _, refused = sent(unicart, "POST", path, half, "second")
            assert (status, refused["origin"]) == (422, "integration")
            assert "1 are still to be shipped" in refused["error"]
            assert len(amazon.bodies) == 1

            amazon.faults["confirmShipment"] = "after"
            status, _, whole = sent(unicart, "POST", path, parcel | {"tracking_number": "1Z2"}, "third")
            assert (status, whole["data"]["status"]) == (200, "fulfilled")

            stock = "/cart/products/MUG-1/adjust-inventory"
            more = {"quantity": 3, "adjustment_type": "increase"}
            for replays in (False, True):
                status, replayed, changed = sent(unicart, "PUT", stock, more, "fourth")
                assert (status, replayed, changed["data"]["inventory"]) == (200, replays, 8)
            asked = {"method": "GET", "path": "/sellers/v1/marketplaceParticipations"}
            status, _, passed = sent(unicart, "POST", "/cart/passthrough", asked, "fifth")
            assert (status, passed["status_code"]) == (200, 200)
            order = unicart.get("/cart/orders")["111-0000001-0000001"]
            product = unicart.get("/cart/products")["MUG-1"]
    assert [each["tracking_number"] for each in order["shipments"]] == ["1Z1", "1Z2"]
    assert [line["quantity"] for each in order["shipments"] for line in each["line_items"]] == [2, 1]
    assert (product["inventory"], product["inventory_by_warehouse_id"]) == (8, {"DEFAULT": 8})
    assert len(amazon.bodies) == 3


def test_wrong_credentials_are_not_stored(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    with amazon_in_a_thread() as amazon:
        given = credentials_for(amazon.url) | {"refresh_token": "Atzr|revoked"}
        options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
        refused = unicart.run("connection", "add", "amazon", *options, fails=True)
    assert "Authorize the application again" in refused
    assert "Atzr|revoked" not in refused
