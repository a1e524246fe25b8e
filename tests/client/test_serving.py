"""The client against a running server: the synchronous one whole, and both on the event stream."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from product import Unicart, demo
from unicart.client import (
    AsyncClient,
    BadAnswer,
    Client,
    NewRefund,
    NewShipment,
    NotReached,
    OrderStatus,
    Retries,
    Unauthorized,
)


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A demo with its rate limits: 10 reads a second."""
    with demo(tmp_path_factory.mktemp("client") / "data", "--orders", "200") as printed:
        yield printed


@pytest.fixture
def client(access: dict[str, Any]) -> Iterator[Client]:
    with Client(access["base_url"], access["api_key"], access["access_token"]) as opened:
        yield opened


def test_a_walk_outlasts_the_rate_limit(client: Client) -> None:
    orders = list(client.orders(page_size=7))
    assert len({order.id for order in orders}) == 200
    assert all(isinstance(order.total_price, Decimal) for order in orders)
    assert {order.id for order in client.orders(status=OrderStatus.OPEN)} == {
        order.id for order in orders if order.status is OrderStatus.OPEN
    }


def test_a_shop_is_read_written_and_managed(client: Client, access: dict[str, Any]) -> None:
    order = next(each for each in client.orders(status=OrderStatus.CONFIRMED) if not each.shipments)
    shipped = client.create_shipment(order.id, NewShipment(tracking_number="1Z", carrier_name="UPS"))
    assert [each.tracking_number for each in shipped.data.shipments] == ["1Z"]
    assert client.refund_order(order.id, NewRefund()).data.additional_fields["refunds"]
    assert client.tag_order(order.id, ["seen"]).trackstar_tags == ["seen"]
    product = next(client.products())
    assert client.product(product.id) == product
    warehouse = next(client.warehouses())
    assert client.warehouse(warehouse.id) == warehouse
    assert client.tag_warehouse(warehouse.id, ["near"]).trackstar_tags == ["near"]
    (connection,) = client.connections()
    assert client.connection(access["connection_id"]).connection_id == connection.connection_id
    assert client.integration("medusa").display_name == "Medusa"
    types = [event.event_type for event in client.events(event_types=["cart-order.cart-shipment.created"])]
    assert types == ["cart-order.cart-shipment.created"]
    assert client.pause().updated


def test_a_stream_tells_what_happens_and_goes_on_at_its_cursor(client: Client) -> None:
    first, second, third = (order.id for order in list(client.orders(page_size=100))[:3])
    before = client.events("latest")
    assert list(before) == []
    client.tag_order(first, ["a"])
    stream = client.follow(str(before.cursor), event_types=["cart-order.updated"])
    for event, (expected, following) in zip(stream, ((first, second), (second, third)), strict=False):
        assert event.data["id"] == expected
        client.tag_order(following, ["b"])
        if expected == second:
            break
    again = next(iter(client.follow(stream.cursor)))
    assert again.data["id"] == third


def test_the_asynchronous_client_follows_from_now_on(access: dict[str, Any]) -> None:
    async def follow() -> list[str]:
        async with AsyncClient(access["base_url"], access["api_key"], access["access_token"]) as client:
            wanted = [order.id async for order in client.orders()][5:8]
            stream = client.follow()
            found: list[str] = []

            async def read() -> None:
                async for event in stream:
                    found.append(event.data["id"])
                    if len(found) == len(wanted):
                        return

            reading = asyncio.create_task(read())
            while stream.cursor == "latest":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            for id in wanted:
                await client.tag_order(id, ["followed"])
            await reading
            assert found == wanted
            return found

    assert len(asyncio.run(follow())) == 3


def test_a_stream_survives_a_server_that_starts_again(tmp_path: Path) -> None:
    unicart = Unicart(tmp_path / "data")
    unicart.connect("sandbox", "--orders", "10")
    unicart.sync()
    with unicart.serving():
        port = unicart.base_url.rpartition(":")[2]
        client = unicart.client()
        first, second = (order.id for order in list(client.orders())[:2])
        events = iter(client.follow(str(_cursor(client)), event_types=["cart-order.updated"]))
        client.tag_order(first, ["a"])
        assert next(events).data["id"] == first
    with unicart.serving("--no-worker", "--port", port), client:
        client.tag_order(second, ["b"])
        assert next(events).data["id"] == second


def _cursor(client: Client) -> str | None:
    feed = client.events("latest")
    assert list(feed) == []
    return feed.cursor


def test_a_server_that_is_not_there_or_is_no_unicart_is_told(access: dict[str, Any]) -> None:
    with (
        Client("http://127.0.0.1:1", "key", retries=Retries(attempts=1)) as nowhere,
        pytest.raises(NotReached, match=r"GET http://127.0.0.1:1/cart/orders/1 was not answered") as missing,
    ):
        nowhere.order("1")
    assert not missing.value.sent
    with Client(access["base_url"], "wrong", "wrong") as stranger, pytest.raises(Unauthorized):
        next(iter(stranger.follow()))
    page = httpx2.MockTransport(lambda _: httpx2.Response(200, html="<h1>Welcome</h1>"))
    with Client("http://unicart", "key", transport=page) as elsewhere:
        with pytest.raises(BadAnswer, match="/cart/orders/1 did not answer what the contract says"):
            elsewhere.order("1")
        with pytest.raises(BadAnswer, match="text/html"):
            next(iter(elsewhere.follow("1")))
