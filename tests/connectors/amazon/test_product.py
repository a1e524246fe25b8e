"""The whole way: a connection is added, synced and served, against a small Amazon."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

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


def test_wrong_credentials_are_not_stored(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    with amazon_in_a_thread() as amazon:
        given = credentials_for(amazon.url) | {"refresh_token": "Atzr|revoked"}
        options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
        refused = unicart.run("connection", "add", "amazon", *options, fails=True)
    assert "Authorize the application again" in refused
    assert "Atzr|revoked" not in refused
