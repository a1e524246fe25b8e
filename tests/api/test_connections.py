"""Connections over HTTP: what is said of them and their syncs, and what is quarantined."""

import time
from typing import Any

import httpx2
import pytest

from unicart.contract.common import format_date
from unicart.contract.connections import ErrorType
from unicart.store import checkpoints, jobs, quarantine, schedules, tenants
from unicart.store.checkpoints import SyncError
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tables import connections as table
from unicart.store.tenants import Connection, Organization

pytestmark = pytest.mark.anyio

KEY = "x-trackstar-api-key"
EVERY = {"get_orders": 60, "get_products": 900, "get_warehouses": 43200}
WRITES = ["create_shipment", "refund_order", "adjust_inventory", "batch_adjust_inventory"]
NOW = int(time.time())


@pytest.fixture
async def scheduled(database: Database, connection: Connection) -> Connection:
    """The connection, with all its schedules due."""
    await schedules.put(database, connection.key, EVERY, NOW)
    return connection


@pytest.fixture
def key_only(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """A client that sends no access token."""
    del client.headers["x-trackstar-access-token"]
    return client


async def add(database: Database, vault: Vault, organization: Organization, count: int) -> list[str]:
    """The ids of ``count`` more connections."""
    found = []
    for number in range(count):
        connection, _ = await tenants.add_connection(
            database,
            vault,
            organization_id=organization.id,
            integration_name="sandbox",
            account_name=f"Shop {number}",
            credentials={},
            private_network=False,
        )
        found.append(connection.id)
    return found


async def shown(client: httpx2.AsyncClient, connection: Connection) -> dict[str, Any]:
    answer = await client.get(f"/connections/{connection.id}")
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def schedule_of(client: httpx2.AsyncClient, connection: Connection) -> dict[str, Any]:
    """How the orders' schedule is shown."""
    found = await shown(client, connection)
    (schedule,) = [each for each in found["sync_schedules"] if each["function_name"] == "get_orders"]
    return dict(schedule)


async def acquire(database: Database, connection: Connection) -> None:
    await checkpoints.acquire(database, connection.key, "get_orders", "me", int(time.time()), 120)


async def release(database: Database, connection: Connection, finished: int | None) -> None:
    await checkpoints.release(database, connection, "get_orders", "me", finished=finished)


async def test_a_new_connection_is_whole(key_only: httpx2.AsyncClient, scheduled: Connection) -> None:
    found = await shown(key_only, scheduled)
    planned = found.pop("sync_schedules")
    assert found == {
        "connection_id": scheduled.id,
        "integration_name": "sandbox",
        "integration_display_name": "Sandbox",
        "integration_type": "cart",
        "customer_id": None,
        "created_at": format_date(scheduled.created),
        "last_used": None,
        "times_used": 0,
        "latest_sync": None,
        "errors": [],
        "available_actions": [*EVERY, *WRITES],
        "available_endpoints": [*EVERY, *WRITES],
        "disabled_functions": [],
        "webhooks_disabled": False,
        "historical_sync_completed": dict.fromkeys(EVERY, False),
        "me": {"account_id": None, "account_name": "Test shop"},
        "history_days": None,
    }
    assert {each["function_name"]: each["sync_frequency"] for each in planned} == EVERY
    assert planned[0] == {
        "function_name": "get_orders",
        "latest_sync": None,
        "last_crawl_start": None,
        "last_crawl_end": None,
        "latest_data": None,
        "sync_frequency": 60,
        "in_progress": False,
        "sync_status": "enabled",
        "next_sync": format_date(NOW),
        "pulled": 0,
        "expected": None,
        "reconciliation": None,
    }


async def test_the_state_of_a_sync_is_told_from_its_first_to_its_end(
    key_only: httpx2.AsyncClient, scheduled: Connection, database: Database, documents: dict[str, Any]
) -> None:
    await acquire(database, scheduled)
    async with database.write() as transaction:
        await checkpoints.advance(
            transaction, scheduled.key, "get_orders", "me", "1", int(time.time()) + 120, pulled=20, expected=50
        )
    first = await schedule_of(key_only, scheduled)
    assert (first["sync_status"], first["in_progress"]) == ("first_sync_in_progress", True)
    assert (first["pulled"], first["expected"], first["next_sync"]) == (20, 50, None)
    assert first["last_crawl_start"] >= format_date(NOW)
    assert first["last_crawl_end"] is None
    assert first["latest_data"] == max(order["updated_date"] for order in documents.values())
    await release(database, scheduled, NOW + 5)
    found = await shown(key_only, scheduled)
    assert found["historical_sync_completed"] == {**dict.fromkeys(EVERY, False), "get_orders": True}
    assert found["latest_sync"] == format_date(NOW + 5)
    done = await schedule_of(key_only, scheduled)
    assert (done["sync_status"], done["in_progress"]) == ("enabled", False)
    assert (done["last_crawl_end"], done["latest_sync"]) == (format_date(NOW + 5), format_date(NOW + 5))
    await acquire(database, scheduled)
    assert (await schedule_of(key_only, scheduled))["sync_status"] == "sync_in_progress"


async def test_a_paused_schedule_and_one_that_waits_for_a_job_have_no_next_sync(
    key_only: httpx2.AsyncClient, scheduled: Connection, database: Database
) -> None:
    job = await jobs.create(database, scheduled.key, "get_orders", 1, 2, NOW)
    assert (await schedule_of(key_only, scheduled))["next_sync"] is None
    await jobs.cancel(database, scheduled.key, job.id)
    assert (await schedule_of(key_only, scheduled))["next_sync"] == format_date(NOW)
    await schedules.pause(database, scheduled.key, ["get_orders"], paused=True, now=NOW)
    paused = await schedule_of(key_only, scheduled)
    assert (paused["sync_status"], paused["next_sync"]) == ("disabled", None)


@pytest.mark.parametrize("type", list(ErrorType))
async def test_an_error_is_told_in_both_forms(
    key_only: httpx2.AsyncClient, scheduled: Connection, database: Database, type: ErrorType
) -> None:
    error = SyncError("get_orders", "Renew the key.", "401", "https://shop.example", True, NOW, NOW, type)
    await checkpoints.record_error(database, scheduled, error)
    await checkpoints.record_error(database, scheduled, SyncError(**{**_fields(error), "last_seen": NOW + 9}))
    assert (await shown(key_only, scheduled))["errors"] == [
        {
            "error_message": "Renew the key.",
            "affected_endpoints": [{"endpoint": "GET /cart/orders", "preventing_sync": True}],
            "first_seen": format_date(NOW),
            "last_seen": format_date(NOW + 9),
            "error_type": type.value,
            "resource": "orders",
            "message": "Renew the key.",
        }
    ]
    assert (await schedule_of(key_only, scheduled))["sync_status"] == "error"


def _fields(error: SyncError) -> dict[str, Any]:
    return {name: getattr(error, name) for name in error.__struct_fields__}


async def test_pages_lead_through_all_connections_of_the_organization(
    key_only: httpx2.AsyncClient, connection: Connection, database: Database, vault: Vault, organization: Organization
) -> None:
    ids = sorted([connection.id, *await add(database, vault, organization, 6)])
    found: list[str] = []
    parameters: dict[str, Any] = {"limit": 3}
    for expected in (3, 3, 1):
        page = (await key_only.get("/connections", params=parameters)).json()
        assert page["total_count"] == len(page["data"]) == expected
        found += [each["connection_id"] for each in page["data"]]
        parameters["page_token"] = page["next_token"]
    assert page["next_token"] is None
    assert found == ids
    whole = (await key_only.get("/connections", params={"limit": 7})).json()
    assert whole["next_token"] is None
    assert [each["connection_id"] for each in whole["data"]] == ids


async def test_a_connection_whose_connector_is_gone_is_still_shown(
    key_only: httpx2.AsyncClient, connection: Connection, database: Database
) -> None:
    async with database.write() as transaction:
        changed = table.update().where(table.c.connection_key == connection.key)
        await transaction.execute(changed.values(integration_name="gone"))
    (found,) = (await key_only.get("/connections")).json()["data"]
    assert (found["integration_display_name"], found["available_actions"]) == ("gone", [])


async def test_another_organization_sees_nothing_of_it(
    key_only: httpx2.AsyncClient, connection: Connection, database: Database
) -> None:
    stranger = await tenants.create_organization(database, f"stranger of {connection.id}")
    key = await tenants.create_key(database, stranger.id, "test", read_only=True)
    for path in (f"/connections/{connection.id}", f"/connections/{connection.id}/quarantine"):
        answer = await key_only.get(path, headers={KEY: key})
        assert (answer.status_code, answer.json()["id"]) == (404, connection.id)
    assert (await key_only.get("/connections", headers={KEY: key})).json()["data"] == []
    assert (await key_only.get("/connections", headers={KEY: "bad"})).status_code == 401


@pytest.mark.parametrize("id", ["no such", "%00", "%FF", "sync"])
async def test_a_missing_connection_is_a_404(client: httpx2.AsyncClient, id: str) -> None:
    for path in (f"/connections/{id}", f"/connections/{id}/quarantine"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert set(answer.json()) == {"error", "origin", "id"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("limit", "0"), ("limit", "1001"), ("limit", "x"), ("page_token", ""), ("page_token", "x"), ("status", "open")],
)
async def test_a_malformed_parameter_is_named(
    client: httpx2.AsyncClient, connection: Connection, name: str, value: str
) -> None:
    for path in ("/connections", f"/connections/{connection.id}/quarantine"):
        answer = await client.get(path, params={name: value})
        assert answer.status_code == 422
        assert list(answer.json()["detail"]["query"]) == [name]
    assert (await client.get(f"/connections/{connection.id}", params={name: value})).status_code == 422


async def test_a_token_is_good_for_one_list_of_one_owner_only(
    key_only: httpx2.AsyncClient, connection: Connection, database: Database, vault: Vault, organization: Organization
) -> None:
    (other,) = await add(database, vault, organization, 1)
    await hold(database, connection, 2)
    lists = ["/connections", f"/connections/{connection.id}/quarantine", f"/connections/{other}/quarantine"]
    tokens = [(await key_only.get(path, params={"limit": 1})).json()["next_token"] for path in lists[:2]]
    assert None not in tokens
    for number, token in enumerate(tokens):
        for position, path in enumerate(lists):
            for given, good in ((token, position == number), (f"{token[:-1]}~", False)):
                answer = await key_only.get(path, params={"page_token": given})
                assert answer.status_code == (200 if good else 422)


async def hold(database: Database, connection: Connection, count: int) -> None:
    """Quarantine records with odd keys."""
    async with database.write() as transaction:
        for number in range(count):
            function = ("get_orders", "get_products")[number % 2]
            raw = b'{"id": %d, "total": 10.10}' % number if number else b'{"id": 0, "cut'
            await quarantine.put(
                transaction, connection.key, function, f"key {number}", f"total: {number}", raw, NOW, "0.0.9"
            )


async def test_quarantined_records_are_listed_raw_page_by_page(
    key_only: httpx2.AsyncClient, connection: Connection, database: Database
) -> None:
    await hold(database, connection, 7)
    found: list[dict[str, Any]] = []
    parameters: dict[str, Any] = {"limit": 2}
    while not found or parameters["page_token"]:
        answer = await key_only.get(f"/connections/{connection.id}/quarantine", params=parameters)
        page = answer.json()
        found += page["data"]
        parameters["page_token"] = page["next_token"]
    assert [each["record"] for each in found] == [f"key {number}" for number in (0, 2, 4, 6, 1, 3, 5)]
    assert found[0]["raw"] == '{"id": 0, "cut'
    assert found[1] == {
        "function_name": "get_orders",
        "record": "key 2",
        "reason": "total: 2",
        "first_seen": format_date(NOW),
        "last_seen": format_date(NOW),
        "version": "0.0.9",
        "raw": {"id": 2, "total": 10.1},
    }
    assert '"total": 10.10' in (await key_only.get(f"/connections/{connection.id}/quarantine")).text
