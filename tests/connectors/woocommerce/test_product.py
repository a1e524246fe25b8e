"""The whole way: a shop is connected, synced and served."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from connectors.woocommerce.shop import KEY, SECRET, FakeWooCommerce
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
