"""What the management routes answer, against the vendor's own document: its clients find what they look for."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import jsonschema_rs
import pytest

from contract.test_vendor_documents import document
from contract.test_vendor_documents import pytestmark as documents_needed
from unicart.api.app import create_app
from unicart.settings import Settings
from unicart.store import checkpoints, schedules
from unicart.store.checkpoints import SyncError
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection

pytestmark = [pytest.mark.anyio, documents_needed]

ADDED = {
    "Connection": {"integration_display_name", "historical_sync_completed", "me", "history_days", "disabled_functions"},
    "SyncSchedule": {"latest_data", "next_sync", "pulled", "expected", "reconciliation"},
    "ConnectionError": {"error_type", "resource", "message"},
    "IntegrationInfo": {"credentials", "webhooks"},
    "MagicLink": {"url", "connection_id", "disabled_functions"},
}
"""Fields that we serve besides: those of the vendor's later guides, and our own."""


@pytest.fixture
async def client(
    database: Database, vault: Vault, settings: Settings, connection: Connection, api_key: str, access_token: str
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an organization with one connection that has synced, is scheduled and has failed."""
    now = int(time.time())
    await schedules.put(database, connection.key, {"get_orders": 60, "get_products": 900}, now)
    await checkpoints.acquire(database, connection.key, "get_orders", "me", now, 60)
    await checkpoints.release(database, connection, "get_orders", "me", finished=now)
    await checkpoints.record_error(database, connection, SyncError("get_products", "Down.", "", "", False, now, now))
    headers = {"x-trackstar-api-key": api_key, "x-trackstar-access-token": access_token}
    transport = httpx2.ASGITransport(create_app(database, vault, settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://unicart", headers=headers) as opened:
        yield opened


def in_json_schema(schema: Any) -> Any:
    """An OpenAPI 3.0 schema in JSON Schema's words."""
    if isinstance(schema, list):
        return [in_json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: in_json_schema(value) for name, value in schema.items() if name not in ("nullable", "example")}
    return {"anyOf": [found, {"type": "null"}]} if schema.get("nullable") is True else found


def assert_valid(schema: str, answer: Any) -> None:
    """The answer is what ``schema`` says, but for the fields that we have added."""
    schemas = in_json_schema(document("2025-10")["components"]["schemas"])
    for name, added in ADDED.items():
        schemas[name]["properties"] |= {each: {} for each in added}
    whole = {"$ref": f"#/components/schemas/{schema}", "components": {"schemas": schemas}}
    errors = [error.message for error in jsonschema_rs.validator_for(whole).iter_errors(answer)]
    assert errors == []


async def test_connections_are_what_the_vendor_documents(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/connections")).json()
    (connection,) = page["data"]
    assert {each["sync_status"] for each in connection["sync_schedules"]} == {"enabled", "error"}
    assert len(connection["errors"]) == 1
    assert_valid("GetConnectionsResponse", page)
    assert_valid("Connection", (await client.get(f"/connections/{connection['connection_id']}")).json()["data"])


async def test_added_fields_are_no_others_than_these(client: httpx2.AsyncClient) -> None:
    (ours,) = (await client.get("/connections")).json()["data"]
    schemas = document("2025-10")["components"]["schemas"]
    (integration,) = (await client.get("/integrations/cart/medusa")).json()["data"]
    parts = {
        "Connection": ours,
        "SyncSchedule": ours["sync_schedules"][0],
        "ConnectionError": ours["errors"][0],
        "IntegrationInfo": integration,
        "ListOperation": integration["list_operations"][0],
    }
    for name, part in parts.items():
        assert set(part) - set(schemas[name]["properties"]) == ADDED.get(name, set())


async def test_a_forced_sync_is_asked_for_and_answered_as_the_vendor_documents(client: httpx2.AsyncClient) -> None:
    body = {"functions_to_sync": ["get_orders"]}
    assert_valid("ConnectionResourceSyncSchema", body)
    assert_valid("SyncConnectionResponseSchema", (await client.post("/connections/sync", json=body)).json())


async def test_a_change_is_answered_as_the_vendor_documents(client: httpx2.AsyncClient) -> None:
    answer = await client.patch("/schedules/get_orders/toggle", json={"paused": True})
    assert_valid("UpdateResponseSchema", answer.json())


@pytest.mark.parametrize("path", ["/integrations/cart", "/cart/integrations", "/integrations/cart/sandbox"])
async def test_integrations_are_what_the_vendor_documents(client: httpx2.AsyncClient, path: str) -> None:
    answer = (await client.get(path)).json()
    assert answer["data"]
    assert_valid("IntegrationsResponseSchema", answer)


async def test_the_comparison_finds_what_is_wrong(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/connections")).json()
    for broken in (
        json.dumps(page).replace('"sync_status": "error"', '"sync_status": "odd"'),
        json.dumps(page).replace('"customer_id"', '"customer"'),
    ):
        with pytest.raises(AssertionError):
            assert_valid("GetConnectionsResponse", json.loads(broken))
