"""The change feed over HTTP."""

from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from shop import make_orders, store
from unicart.contract.resources import ORDERS
from unicart.store import tenants
from unicart.store.database import Database
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio

KEY = "x-trackstar-api-key"


@pytest.fixture
async def told(database: Database, connection: Connection) -> list[str]:
    """The ids of orders whose arrival was announced, in order."""
    orders = make_orders(7)
    for order in orders:
        await store(database, connection, ORDERS, [order], announced=True)
    return [order.id for order in orders]


async def test_pages_lead_from_one_to_the_next_and_wait_at_the_end(
    client: httpx2.AsyncClient, told: list[str], database: Database, connection: Connection
) -> None:
    found: list[str] = []
    parameters: dict[str, Any] = {"limit": 3}
    for expected in (3, 3, 1, 0):
        page = (await client.get("/events", params=parameters)).json()
        assert len(page["data"]) == expected
        found += [event["data"]["id"] for event in page["data"]]
        if page["data"]:
            assert page["data"][-1]["id"] == page["next_cursor"]
        parameters["after"] = page["next_cursor"]
    assert found == told
    (late,) = make_orders(1, seed=9)
    await store(database, connection, ORDERS, [late], announced=True)
    page = (await client.get("/events", params=parameters)).json()
    assert [event["data"]["id"] for event in page["data"]] == [late.id]


async def test_an_empty_feed_has_a_cursor_too(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/events")).json()
    assert page == {"data": [], "next_cursor": "0"}
    assert (await client.get("/events", params={"after": page["next_cursor"]})).json() == page


async def test_latest_begins_with_what_comes(
    client: httpx2.AsyncClient, told: list[str], database: Database, connection: Connection
) -> None:
    page = (await client.get("/events", params={"after": "latest"})).json()
    assert page["data"] == []
    path = f"/cart/orders/{quote(told[0], safe='')}/trackstar-tags"
    assert (await client.put(path, json={"trackstar_tags": ["seen"]})).status_code == 200
    (event,) = (await client.get("/events", params={"after": page["next_cursor"]})).json()["data"]
    assert (event["event_type"], event["data"]["id"]) == ("cart-order.updated", told[0])
    assert event["previous_attributes"] == {"trackstar_tags": []}


async def test_filters_choose(client: httpx2.AsyncClient, told: list[str], connection: Connection) -> None:
    for parameters, count in (
        ({"event_type": "cart-order.created"}, 7),
        ({"event_type": "cart-order.updated,cart-product.created"}, 0),
        ({"event_type": "cart-order.created,cart-order.updated", "connection_id": connection.id}, 7),
        ({"connection_id": "another"}, 0),
    ):
        assert len((await client.get("/events", params=parameters)).json()["data"]) == count


async def test_an_organization_sees_only_its_own(
    client: httpx2.AsyncClient, told: list[str], database: Database, connection: Connection
) -> None:
    stranger = await tenants.create_organization(database, f"stranger of {connection.id}")
    key = await tenants.create_key(database, stranger.id, "test", read_only=True)
    for parameters in ({}, {"connection_id": connection.id}, {"after": "latest"}):
        answer = await client.get("/events", params=parameters, headers={KEY: key})
        assert answer.json() == {"data": [], "next_cursor": "0"}
    for bad in ("", "bad"):
        assert (await client.get("/events", headers={KEY: bad})).status_code == 401


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("after", ""), ("after", "-1"), ("after", "1.5"), ("after", "9" * 30), ("after", "٣"), ("after", "LATEST"), ("limit", "0"),
        ("limit", "1001"), ("event_type", ""), ("event_type", "cart-order.nonsense"), ("event_type", "cart-order.created,"),
        ("connection_id", ""), ("connection_id", "a\x00"), ("page_token", "x"), ("", "x"),
    ],
)  # fmt: skip
async def test_a_malformed_parameter_is_named(client: httpx2.AsyncClient, name: str, value: str) -> None:
    answer = await client.get("/events", params=[(name, value)])
    assert answer.status_code == 422
    assert list(answer.json()["detail"]["query"]) == [name]


async def test_a_malformed_last_event_id_is_named(client: httpx2.AsyncClient) -> None:
    headers = {"accept": "text/event-stream", "last-event-id": "yesterday"}
    answer = await client.get("/events", headers=headers)
    assert answer.status_code == 422
    assert "last-event-id" in answer.json()["detail"]["headers"]
