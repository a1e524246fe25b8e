"""On-demand syncs over HTTP."""

import time
from typing import Any

import httpx2
import pytest

from unicart.contract.common import parse_date
from unicart.store import jobs, tenants
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tables import sync_jobs
from unicart.store.tenants import Connection, Organization

pytestmark = pytest.mark.anyio

PATH = "/connections/on-demand-syncs"
GOOD = {"function_name": "get_orders", "start_time": "2024-01-01T00:00:00Z", "end_time": "2024-02-01T00:00:00Z"}


async def made(database: Database, connection: Connection) -> int:
    query = sync_jobs.select().where(sync_jobs.c.connection_key == connection.key)
    return len(await database.execute(query))


@pytest.mark.parametrize("function", ["get_orders", "get_products", "get_warehouses"])
async def test_a_job_is_opened_read_and_cancelled(
    client: httpx2.AsyncClient, connection: Connection, function: str
) -> None:
    before = int(time.time())
    answer = await client.post(PATH, json={**GOOD, "function_name": function})
    job = answer.json()
    assert answer.status_code == 200
    assert before <= parse_date(job["created_at"]) <= time.time()
    assert {name: value for name, value in job.items() if name not in ("id", "created_at")} == {
        "connection_id": connection.id,
        "function_name": function,
        "requested_start_time": GOOD["start_time"],
        "requested_end_time": GOOD["end_time"],
        "status": "open",
        "pulled": 0,
        "error": None,
    }
    assert (await client.get(f"{PATH}/{job['id']}")).json() == job
    cancelled = await client.post(f"{PATH}/{job['id']}/cancel")
    assert cancelled.json() == {**job, "status": "cancelled"}
    assert (await client.get(f"{PATH}/{job['id']}")).json() == cancelled.json()


async def test_only_an_open_job_can_be_cancelled(
    client: httpx2.AsyncClient, connection: Connection, database: Database
) -> None:
    for status in ("completed", "cancelled", "stuck"):
        job = await jobs.create(database, connection.key, "get_orders", 1, 2, 3)
        async with database.write() as transaction:
            await transaction.execute(sync_jobs.update().where(sync_jobs.c.id == job.id).values(status=status))
        answer = await client.post(f"{PATH}/{job.id}/cancel")
        assert answer.status_code == 422
        assert f"is {status}" in answer.json()["detail"]["path"]["sync_job_id"][0]
        assert (await client.get(f"{PATH}/{job.id}")).json()["status"] == status


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2024-01-01T02:00:00+02:00", "2024-01-01T00:00:00Z"),
        ("2023-12-31T19:00:00-05:00", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:00.750000Z", "2024-01-01T00:00:00Z"),
        ("1950-01-01T00:00:00Z", "1950-01-01T00:00:00Z"),
    ],
)
async def test_a_time_of_any_zone_is_understood(client: httpx2.AsyncClient, given: str, stored: str) -> None:
    answer = await client.post(PATH, json={**GOOD, "start_time": given})
    assert answer.json()["requested_start_time"] == stored


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"start_time": "2024-01-01T00:00:00"}, ["start_time"]),
        ({"start_time": "2024-01-01"}, ["start_time"]),
        ({"start_time": "2024-13-01T00:00:00Z"}, ["start_time"]),
        ({"start_time": "0001-01-01T00:00:00+14:00"}, ["start_time"]),
        ({"start_time": 1704067200}, ["start_time"]),
        ({"start_time": None, "end_time": "none"}, ["start_time", "end_time"]),
        ({"end_time": GOOD["start_time"]}, ["end_time"]),
        ({"end_time": "2023-01-01T00:00:00Z"}, ["end_time"]),
        ({"function_name": "get_bills"}, ["function_name"]),
        ({"function_name": ["get_orders"]}, ["function_name"]),
        ({"function_name": "", "x": 1}, ["function_name", "x"]),
    ],
)
async def test_a_malformed_job_names_each_field(
    client: httpx2.AsyncClient, connection: Connection, database: Database, change: dict[str, Any], fields: list[str]
) -> None:
    answer = await client.post(PATH, json={**GOOD, **change})
    assert answer.status_code == 422
    assert list(answer.json()["detail"]["json"]) == fields
    assert await made(database, connection) == 0


async def test_a_job_needs_all_its_fields(client: httpx2.AsyncClient) -> None:
    answer = await client.post(PATH, json={})
    assert sorted(answer.json()["detail"]["json"]) == ["end_time", "function_name", "start_time"]
    assert (await client.post(PATH)).status_code == 422


async def test_a_job_is_its_connections_own(
    client: httpx2.AsyncClient, connection: Connection, database: Database, vault: Vault, organization: Organization
) -> None:
    _, token = await tenants.add_connection(
        database,
        vault,
        organization_id=organization.id,
        integration_name="sandbox",
        account_name="Other",
        credentials={},
        private_network=False,
    )
    job = await jobs.create(database, connection.key, "get_orders", 1, 2, 3)
    headers = {"x-trackstar-access-token": token}
    for id, known in ((job.id, headers), ("no-such", {}), ("%00", {})):
        assert (await client.get(f"{PATH}/{id}", headers=known)).status_code == 404
        assert (await client.post(f"{PATH}/{id}/cancel", headers=known)).status_code == 404
    assert (await client.get(f"{PATH}/{job.id}")).json()["status"] == "open"


async def test_a_read_only_key_reads_jobs_and_makes_none(
    client: httpx2.AsyncClient, connection: Connection, database: Database, organization: Organization
) -> None:
    job = await jobs.create(database, connection.key, "get_orders", 1, 2, 3)
    headers = {"x-trackstar-api-key": await tenants.create_key(database, organization.id, "reader", read_only=True)}
    assert (await client.get(f"{PATH}/{job.id}", headers=headers)).status_code == 200
    assert (await client.post(PATH, json=GOOD, headers=headers)).status_code == 403
    assert (await client.post(f"{PATH}/{job.id}/cancel", headers=headers)).status_code == 403
    assert await made(database, connection) == 1
