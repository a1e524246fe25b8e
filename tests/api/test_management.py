"""What an organization does with a connection over HTTP: change it, remove it, count its uses; each change once for a key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp, Message

from events.receiver import receiving
from shop import make_orders, store
from unicart.api.app import create_app
from unicart.contract.common import parse_date
from unicart.contract.resources import ORDERS
from unicart.events.deliverer import Deliverer
from unicart.settings import Settings
from unicart.store import leases, schedules, tenants, webhooks
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tables import connections, sync_jobs
from unicart.store.tenants import Connection, Organization

pytestmark = pytest.mark.anyio

TOKEN = "x-trackstar-access-token"
JOB = {"function_name": "get_orders", "start_time": "2024-01-01T00:00:00Z", "end_time": "2024-02-01T00:00:00Z"}


async def shown(client: httpx2.AsyncClient, connection: Connection) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/connections/{connection.id}")).json()["data"]
    return found


async def feed(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/events")).json()["data"]
    return found


async def happen(database: Database, connection: Connection, *numbers: int) -> None:
    """These orders are new."""
    fresh = await tenants.find_connection(database, connection.id)
    assert fresh is not None
    await store(database, fresh, ORDERS, [make_orders(10)[number] for number in numbers], announced=True)


async def test_a_connection_is_changed_and_its_events_say_so(
    client: httpx2.AsyncClient, database: Database, connection: Connection
) -> None:
    for body, expected in (
        ({"customer_id": "acme"}, ("acme", False)),
        ({"webhooks_disabled": True}, ("acme", True)),
        ({}, ("acme", True)),
        ({"customer_id": None, "webhooks_disabled": False}, (None, False)),
        ({"customer_id": "other"}, ("other", False)),
    ):
        answer = await client.patch("/connections", json=body)
        assert answer.json() == {"id": connection.id, "object": "connection", "updated": True}
        found = await shown(client, connection)
        assert (found["customer_id"], found["webhooks_disabled"]) == expected
    await happen(database, connection, 1)
    assert [event["customer_id"] for event in await feed(client)] == ["other"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": 5}, "customer_id"),
        ({"customer_id": "c" * 256}, "customer_id"),
        ({"webhooks_disabled": None}, "webhooks_disabled"),
        ({"webhooks_disabled": "true"}, "webhooks_disabled"),
        ({"account_name": "Mine"}, "account_name"),
        ([], "body"),
    ],
)
async def test_a_change_that_makes_no_sense_is_named(client: httpx2.AsyncClient, body: Any, field: str) -> None:
    answer = await client.patch("/connections", json=body)
    assert answer.status_code == 422
    assert list(answer.json()["detail"]["json"]) == [field]


async def test_connections_of_one_customer_are_found(
    client: httpx2.AsyncClient, database: Database, vault: Vault, organization: Organization, connection: Connection
) -> None:
    for customer in ("acme", "acme", "b"):
        await tenants.add_connection(
            database,
            vault,
            organization_id=organization.id,
            integration_name="sandbox",
            account_name="Shop",
            account_id="7",
            credentials={},
            private_network=False,
            customer_id=customer,
        )
    first = (await client.get("/connections", params={"customer_id": "acme", "limit": 1})).json()
    (one,) = first["data"]
    assert one["me"] == {"account_id": "7", "account_name": "Shop"}
    query = {"customer_id": "acme", "limit": 1, "page_token": first["next_token"]}
    rest = (await client.get("/connections", params=query)).json()
    assert rest["next_token"] is None
    assert [each["customer_id"] for each in first["data"] + rest["data"]] == ["acme", "acme"]
    assert (await client.get("/connections", params={"customer_id": "c"})).json()["data"] == []


async def test_a_connection_is_removed_for_good_and_told(
    client: httpx2.AsyncClient, database: Database, connection: Connection, documents: dict[str, Any]
) -> None:
    answer = await client.delete("/connections")
    assert answer.json() == {"id": connection.id, "object": "connection", "deleted": True}
    assert (await client.get("/cart/orders")).status_code == 401
    assert (await client.delete("/connections")).status_code == 401
    assert (await client.get(f"/connections/{connection.id}")).status_code == 404
    *_, event = await feed(client)
    assert (event["event_type"], event["connection_id"]) == ("connection.deleted", connection.id)


async def test_a_read_only_key_changes_and_removes_nothing(
    client: httpx2.AsyncClient, database: Database, organization: Organization, connection: Connection
) -> None:
    client.headers["x-trackstar-api-key"] = await tenants.create_key(database, organization.id, "r", read_only=True)
    assert (await client.patch("/connections", json={"webhooks_disabled": True})).status_code == 403
    assert (await client.delete("/connections")).status_code == 403
    assert (await shown(client, connection))["webhooks_disabled"] is False


async def test_disabled_functions_are_told(client: httpx2.AsyncClient, connection: Connection) -> None:
    await client.patch("/schedules/disabled-functions", json={"disabled_functions": ["refund_order"]})
    found = await shown(client, connection)
    assert found["disabled_functions"] == ["refund_order"]
    assert "refund_order" not in found["available_actions"]


async def test_disabled_webhooks_hold_back_changes_of_records_only(
    client: httpx2.AsyncClient, database: Database, vault: Vault, organization: Organization, connection: Connection
) -> None:
    async def deliver() -> list[str]:
        deliverer = Deliverer(database, vault, leases.this_process(), private_network=True, event_days=30)
        before = len(receiver.got)
        await deliverer.start_due()
        await deliverer.idle()
        return sorted(event["event_type"] for event in receiver.events[before:])

    async with receiving() as receiver:
        await webhooks.create(database, vault, organization.id, 1, url=receiver.url)
        await happen(database, connection, 1)
        assert await deliver() == ["cart-order.created"]
        await client.patch("/connections", json={"webhooks_disabled": True})
        await happen(database, connection, 2, 3)
        await tenants.add_connection(
            database,
            vault,
            organization_id=organization.id,
            integration_name="sandbox",
            account_name="Shop",
            credentials={},
            private_network=False,
            announced=True,
        )
        assert await deliver() == ["connection.created"]
        await client.patch("/connections", json={"webhooks_disabled": False})
        await happen(database, connection, 4)
        assert await deliver() == ["cart-order.created"]
    assert [event["event_type"] for event in await feed(client)].count("cart-order.created") == 4


async def test_what_waits_for_another_attempt_is_held_back_too_and_can_be_replayed(
    client: httpx2.AsyncClient, database: Database, vault: Vault, organization: Organization, connection: Connection
) -> None:
    async with receiving() as receiver:
        endpoint, _ = await webhooks.create(database, vault, organization.id, 1, url=receiver.url)
        await happen(database, connection, 1, 2)
        ids = [int(event["id"]) for event in await feed(client)]
        await webhooks.replay_events(database, endpoint, ids, 1)
        await client.patch("/connections", json={"webhooks_disabled": True})
        await deliver_all(database, vault)
        assert receiver.got == []
        await client.patch("/connections", json={"webhooks_disabled": False})
        assert await webhooks.replay_failed(database, endpoint, 1) == 2
        await deliver_all(database, vault)
        assert len(receiver.got) == 2


async def deliver_all(database: Database, vault: Vault) -> None:
    deliverer = Deliverer(database, vault, leases.this_process(), private_network=True, event_days=30)
    await deliverer.start_due()
    await deliverer.idle()


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[ASGIApp]:
    """The application from the beginning to the end of its life, as a server runs it."""
    said: asyncio.Queue[Message] = asyncio.Queue()
    heard: asyncio.Queue[Message] = asyncio.Queue()
    life = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}}, said.get, heard.put))
    await said.put({"type": "lifespan.startup"})
    assert (await heard.get())["type"] == "lifespan.startup.complete"
    yield app
    await said.put({"type": "lifespan.shutdown"})
    assert (await heard.get())["type"] == "lifespan.shutdown.complete"
    await life


async def test_uses_of_several_processes_add_up(
    database: Database, vault: Vault, settings: Settings, credentials: dict[str, str], connection: Connection
) -> None:
    async def ask(app: ASGIApp, count: int, token: str | None = None) -> Any:
        transport = httpx2.ASGITransport(app)
        headers = credentials | ({TOKEN: token} if token else {})
        async with httpx2.AsyncClient(transport=transport, base_url="http://unicart", headers=headers) as client:
            for _ in range(count):
                await client.get("/cart/warehouses")
            return await shown(client, connection)

    new = [create_app(database, vault, settings) for _ in range(3)]
    async with running(new[0]) as one, running(new[1]) as other:
        first = await ask(one, 3)
        assert (first["times_used"], first["last_used"]) == (0, None), "nothing is written for a request"
        await ask(other, 4)
        await ask(other, 5, token="unknown")
    found = await ask(new[2], 0)
    assert found["times_used"] == 7
    assert parse_date(found["last_used"]) >= connection.created


CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", "/connections", {"customer_id": "acme"}),
    ("PATCH", "/schedules/get_orders/toggle", {"paused": True}),
    ("PATCH", "/schedules/toggle-all", {"paused": True}),
    ("PATCH", "/schedules/disabled-functions", {"disabled_functions": ["refund_order"]}),
    ("POST", "/connections/sync", {"functions_to_sync": ["get_orders"]}),
    ("POST", "/connections/on-demand-syncs", JOB),
    ("PUT", "/cart/orders/{order}/trackstar-tags", {"trackstar_tags": ["vip"]}),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES, ids=[f"{each[0]} {each[1]}" for each in CHANGES])
async def test_every_change_takes_effect_once_for_a_key(
    client: httpx2.AsyncClient,
    database: Database,
    connection: Connection,
    documents: dict[str, Any],
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    await schedules.put(database, connection.key, {"get_orders": 60}, 1)
    path = path.format(order=next(iter(documents)))
    headers = {"idempotency-key": "once"}
    refused = await client.request(method, path, json={**body, "paused": 3, "trackstar_tags": [3]}, headers=headers)
    assert refused.status_code == 422
    first = await client.request(method, path, json=body, headers=headers)
    assert (first.status_code, first.headers.get("idempotent-replayed")) == (200, None)
    before = await state(client, database, connection, path)
    again = await client.request(method, path, json=dict(reversed(body.items())), headers=headers)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.content == first.content
    assert await state(client, database, connection, path) == before
    other = await client.patch("/connections", json={"customer_id": "b"}, headers=headers)
    assert other.status_code == 400


async def state(client: httpx2.AsyncClient, database: Database, connection: Connection, path: str) -> list[Any]:
    """What the changes leave behind."""
    jobs = await database.execute(sync_jobs.select().where(sync_jobs.c.connection_key == connection.key))
    rows = await database.execute(connections.select().where(connections.c.id == connection.id))
    orders = (await client.get(path.removesuffix("/trackstar-tags"))).content if "cart" in path else b""
    return [[tuple(row) for row in jobs], tuple(rows[0]), (await shown(client, connection))["sync_schedules"], orders]


async def test_a_cancelled_job_is_cancelled_once_for_a_key(client: httpx2.AsyncClient, connection: Connection) -> None:
    job = (await client.post("/connections/on-demand-syncs", json=JOB)).json()
    path = f"/connections/on-demand-syncs/{job['id']}/cancel"
    first = await client.post(path, headers={"idempotency-key": "a"})
    again = await client.post(path, headers={"idempotency-key": "a"})
    assert (first.status_code, again.content) == (200, first.content)
    assert (await client.post(path, headers={"idempotency-key": "b"})).status_code == 422


async def test_changes_at_once_with_one_key_are_one_change(
    client: httpx2.AsyncClient, database: Database, connection: Connection
) -> None:
    def ask() -> Any:
        return client.post("/connections/on-demand-syncs", json=JOB, headers={"idempotency-key": "a"})

    answers = await asyncio.gather(*(ask() for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    made = await database.execute(sync_jobs.select().where(sync_jobs.c.connection_key == connection.key))
    assert len(made) == 1
    assert (await ask()).json()["id"] == made[0][0]
