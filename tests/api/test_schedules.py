"""Pausing, resuming and forcing syncs over HTTP."""

import time
from typing import Any

import httpx2
import msgspec
import pytest

from unicart.api.app import create_app
from unicart.settings import Settings
from unicart.store import checkpoints, schedules, tenants
from unicart.store.database import Database
from unicart.store.schedules import Schedule
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection, Organization

pytestmark = pytest.mark.anyio

EVERY = {"get_orders": 60, "get_products": 900, "get_warehouses": 43200}
LATER = 4_000_000_000

WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/connections/sync", {}),
    ("PATCH", "/schedules/get_orders/toggle", {"paused": True}),
    ("PATCH", "/schedules/toggle-all", {"paused": True}),
]


@pytest.fixture
async def scheduled(database: Database, connection: Connection) -> Connection:
    """The connection, with schedules that are due in a far future."""
    await schedules.put(database, connection.key, EVERY, LATER)
    return connection


async def planned(database: Database, connection: Connection) -> dict[str, Schedule]:
    return {each.function: each for each in await schedules.list_schedules(database, connection.key)}


@pytest.mark.parametrize(
    ("body", "named", "due"),
    [
        (None, [], list(EVERY)),
        ({}, [], list(EVERY)),
        ({"functions_to_sync": []}, [], list(EVERY)),
        ({"functions_to_sync": list(EVERY)}, [], list(EVERY)),
        ({"functions_to_sync": ["get_orders", "get_orders"]}, ["get_orders"], ["get_orders"]),
        ({"functions_to_sync": ["get_warehouses", "get_orders"]}, ["get_orders", "get_warehouses"], None),
    ],
)
async def test_a_forced_sync_is_due_at_once(
    client: httpx2.AsyncClient, scheduled: Connection, database: Database, body: Any, named: list[str], due: Any
) -> None:
    before = int(time.time())
    answer = (
        await client.post("/connections/sync", json=body)
        if body is not None
        else await client.post("/connections/sync")
    )
    assert (answer.status_code, answer.json()) == (
        200,
        {"id": scheduled.id, "syncing": True, "functions_to_sync": named},
    )
    for function, schedule in (await planned(database, scheduled)).items():
        if function in (due or named):
            assert (schedule.forced, before <= schedule.due <= time.time()) == (True, True)
        else:
            assert (schedule.forced, schedule.due) == (False, LATER)


async def test_what_is_being_synced_is_not_forced(
    client: httpx2.AsyncClient, scheduled: Connection, database: Database
) -> None:
    await checkpoints.acquire(database, scheduled.key, "get_orders", "me", int(time.time()), 120)
    some = (await client.post("/connections/sync")).json()
    assert (some["syncing"], some["functions_to_sync"]) == (True, ["get_products", "get_warehouses"])
    none = (await client.post("/connections/sync", json={"functions_to_sync": ["get_orders"]})).json()
    assert (none["syncing"], none["functions_to_sync"]) == (False, [])
    assert not (await planned(database, scheduled))["get_orders"].forced


async def test_one_schedule_or_all_are_paused_and_resumed(
    client: httpx2.AsyncClient, scheduled: Connection, database: Database
) -> None:
    steps = [
        ("get_orders/toggle", True, {"get_orders"}),
        ("toggle-all", True, set(EVERY)),
        ("get_products/toggle", False, {"get_orders", "get_warehouses"}),
        ("toggle-all", False, set()),
    ]
    for path, paused, expected in steps:
        answer = await client.patch(f"/schedules/{path}", json={"paused": paused})
        assert (answer.status_code, answer.json()) == (
            200,
            {"id": scheduled.id, "object": "connection", "updated": True},
        )
        found = await planned(database, scheduled)
        assert {function for function, each in found.items() if each.paused} == expected
    assert all(each.due <= time.time() for each in (await planned(database, scheduled)).values())


async def test_resuming_what_is_not_paused_changes_nothing(
    client: httpx2.AsyncClient, scheduled: Connection, database: Database
) -> None:
    before = await planned(database, scheduled)
    await client.patch("/schedules/toggle-all", json={"paused": False})
    assert await planned(database, scheduled) == before


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", ["body"]), (b"[]", ["body"]), (b"{}", ["paused"]), (b'{"paused":null}', ["paused"]),
        (b'{"paused":"true"}', ["paused"]), (b'{"paused":1}', ["paused"]), (b'{"paused":true,"x":1}', ["x"]),
        (b'{"paused":"","x":1}', ["paused", "x"]),
    ],
)  # fmt: skip
async def test_a_malformed_toggle_names_each_field(
    client: httpx2.AsyncClient, scheduled: Connection, body: bytes, fields: list[str]
) -> None:
    for path in ("get_orders/toggle", "toggle-all"):
        answer = await client.patch(f"/schedules/{path}", content=body)
        assert answer.status_code == 422
        assert list(answer.json()["detail"]["json"]) == fields


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"[]", ["body"]), (b"{", ["body"]), (b'{"functions_to_sync":null}', ["functions_to_sync"]),
        (b'{"functions_to_sync":"get_orders"}', ["functions_to_sync"]),
        (b'{"functions_to_sync":["get_bills"]}', ["functions_to_sync"]),
        (b'{"functions_to_sync":[["get_orders"]]}', ["functions_to_sync"]),
        (b'{"functions_to_sync":[null],"x":1}', ["functions_to_sync", "x"]),
    ],
)  # fmt: skip
async def test_a_malformed_request_to_sync_names_each_field(
    client: httpx2.AsyncClient, scheduled: Connection, database: Database, body: bytes, fields: list[str]
) -> None:
    before = await planned(database, scheduled)
    answer = await client.post("/connections/sync", content=body)
    assert answer.status_code == 422
    assert list(answer.json()["detail"]["json"]) == fields
    assert await planned(database, scheduled) == before


async def test_an_unknown_function_is_named(client: httpx2.AsyncClient, scheduled: Connection) -> None:
    answer = await client.patch("/schedules/get_bills/toggle", json={"paused": True})
    assert answer.status_code == 422
    assert list(answer.json()["detail"]["path"]) == ["function_name"]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_a_read_only_key_changes_nothing(
    client: httpx2.AsyncClient,
    scheduled: Connection,
    database: Database,
    organization: Organization,
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    before = await planned(database, scheduled)
    key = await tenants.create_key(database, organization.id, "reader", read_only=True)
    answer = await client.request(method, path, json=body, headers={"x-trackstar-api-key": key})
    assert answer.status_code == 403
    assert (await client.request(method, path, json=body, headers={"x-trackstar-access-token": "x"})).status_code == 401
    assert await planned(database, scheduled) == before


async def test_writes_are_counted_as_writes(
    scheduled: Connection, database: Database, vault: Vault, settings: Settings, credentials: dict[str, str]
) -> None:
    limited = msgspec.structs.replace(settings, read_rate=1, write_rate=2)
    transport = httpx2.ASGITransport(create_app(database, vault, limited))
    async with httpx2.AsyncClient(transport=transport, base_url="http://unicart", headers=credentials) as client:
        for method, path, body in WRITES:
            assert (await client.request(method, path, json=body)).headers["x-ratelimit-limit"] == "2"
        assert (await client.get("/connections")).headers["x-ratelimit-limit"] == "1"
