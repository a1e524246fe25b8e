"""The whole way: a shop is connected, synced and served."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.woocommerce.shop import KEY, SECRET, FakeWooCommerce
from connectors.woocommerce.writing import sale
from product import Unicart


@contextmanager
def open_shop(fake: FakeWooCommerce) -> Iterator[None]:
    """The fake on a free local port, in a thread of its own."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(fake.handle, "127.0.0.1", 0))
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{fake.home}"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()


def test_a_shop_is_connected_synced_and_served(tmp_path: Path) -> None:
    fake = FakeWooCommerce(home="/tea")
    for _ in range(120):
        fake.place()
        fake.tick()
    fake.refund(fake.tables["orders"][3], "5.25")
    fake.add_product(1000, variations=2)
    unicart = Unicart(tmp_path / "data")
    with open_shop(fake):
        options = ("--url", fake.url, "--consumer-key", KEY)
        message = unicart.run("connection", "add", "woocommerce", *options, "--consumer-secret", "cs_no", fails=True)
        assert "REST API" in message
        unicart.connect("woocommerce", *options, "--consumer-secret", SECRET)
        assert unicart.sync() == {"get_orders": 120, "get_products": 1}
        fake.tick()
        fake.change(fake.tables["orders"][7], status="completed")
        assert unicart.sync() == {"get_orders": 1, "get_products": 0}
    with unicart.serving():
        orders, products = unicart.get("/cart/orders"), unicart.get("/cart/products")
    assert set(orders) == set(map(str, range(1, 121)))
    assert (orders["7"]["status"], orders["8"]["status"]) == ("fulfilled", "processing")
    assert orders["3"]["additional_fields"]["total_refunded"] == Decimal("5.25")
    assert set(products) == {"1000", "1001", "1002"}
    assert fake.problems == []


def send(unicart: Unicart, method: str, path: str, key: str, body: Any) -> tuple[Any, bool]:
    """The answer to a write, and whether it is that of an earlier one."""
    headers = {**unicart.headers, "content-type": "application/json", "idempotency-key": key}
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{unicart.base_url}{path}", data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply, parse_float=Decimal), reply.headers["idempotent-replayed"] == "true"


def test_what_is_written_is_in_the_shop_once_and_served(tmp_path: Path) -> None:
    fake = FakeWooCommerce()
    sale(fake)
    fake.add_product(20, manage_stock=True, stock_quantity=8)
    unicart = Unicart(tmp_path / "data")
    parcel: dict[str, Any] = {
        "tracking_number": "1Z1",
        "carrier": "UPS",
        "requested_shipping_method": "Ground",
        "warehouse_id": "w1",
    }
    parcel |= {"line_items": [{"line_item_id": "11", "quantity": 2}]}
    refund = {"reason": "Broken", "line_items": [{"line_item_id": "11", "quantity": 1}]}
    stock = {"quantity": 5, "adjustment_type": "increase"}
    with open_shop(fake):
        unicart.connect("woocommerce", "--url", fake.url, "--consumer-key", KEY, "--consumer-secret", SECRET)
        unicart.sync()
        with unicart.serving():
            for replayed in (False, True):
                answer, was_replayed = send(unicart, "POST", "/cart/orders/1/shipments", "s1", parcel)
                assert (answer["id"], answer["unused_fields"], was_replayed) == ("1", ["warehouse_id"], replayed)
                assert answer["data"]["shipments"][0]["tracking_number"] == "1Z1"
                assert send(unicart, "POST", "/cart/orders/1/refund", "r1", refund)[1] is replayed
                assert send(unicart, "PUT", "/cart/products/20/adjust-inventory", "a1", stock)[1] is replayed
            order, product = unicart.get("/cart/orders")["1"], unicart.get("/cart/products")["20"]
            asked = {"method": "GET", "path": "/wp-json/wc/v3/products/20"}
            passed, _ = send(unicart, "POST", "/cart/passthrough", "p1", asked)
    (shipment,) = order["shipments"]
    assert (shipment["carrier_name"], shipment["shipping_method_name"]) == ("UPS", "Ground")
    assert [(line["shipment_line_item_id"], line["quantity"]) for line in shipment["line_items"]] == [("11", 2)]
    assert order["additional_fields"]["total_refunded"] == Decimal("15.79")
    assert product["inventory"] == 13
    assert (passed["status_code"], passed["body"]["stock_quantity"]) == (200, 13)
    assert [(method, path) for method, path, _ in fake.requests if method != "GET"] == [
        ("PUT", "/orders/1"),
        ("POST", "/orders/1/refunds"),
        ("PUT", "/products/20"),
    ]
    assert fake.problems == []
