"""Every answer of a route that the vendor's documents describe, against its schema there: all that differs is listed here."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest

from contract.test_vendor_documents import EDITIONS, document
from contract.test_vendor_documents import pytestmark as documents_needed
from unicart.api.app import create_app
from unicart.settings import Settings
from unicart.store import checkpoints, schedules
from unicart.store.checkpoints import SyncError
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection
from unicart.sync.connect import opened_connection
from unicart.sync.run import sync_function

pytestmark = [pytest.mark.anyio, documents_needed]

Answers = dict[tuple[str, str, str], Any]
"""By method, path as the vendor writes it, and status."""


@pytest.fixture
async def answers(
    database: Database, vault: Vault, settings: Settings, connection: Connection, api_key: str, access_token: str
) -> AsyncIterator[Answers]:
    transport = httpx2.ASGITransport(create_app(database, vault, settings))
    headers = {"x-trackstar-api-key": api_key, "x-trackstar-access-token": access_token}
    async with opened_connection(database, vault, connection) as platform:
        for function in platform.facts.functions:
            await sync_function(database, connection, platform, function)
    now = int(time.time())
    await schedules.put(database, connection.key, {"get_orders": 60, "get_products": 900}, now)
    await checkpoints.record_error(database, connection, SyncError("get_products", "Down.", "", "", False, now, now))
    async with httpx2.AsyncClient(transport=transport, base_url="http://unicart", headers=headers) as client:
        yield await ask_all(client, connection.id)


async def ask_all(client: httpx2.AsyncClient, connection_id: str) -> Answers:
    found: Answers = {}

    async def ask(method: str, template: str, body: Any = None, status: int = 200, **names: str) -> Any:
        answer = await client.request(method, template.format(**names), json=body)
        assert answer.status_code == status, (method, template, answer.text)
        found[method.lower(), template, str(status)] = answer.json()
        return answer.json()

    order = (await client.post("/sandbox/simulate/cart/orders", json={"status": "confirmed"})).json()["id"]
    products = (await client.get("/cart/products")).json()["data"]
    product = next(each["id"] for each in products if each["id"] != each["parent_product_id"])
    shipment = {"tracking_number": "1Z", "carrier_name": "UPS"}
    await ask("POST", "/cart/orders/{order_id}/shipments", shipment, order_id=order)
    await ask("POST", "/cart/orders/{order_id}/shipments", {}, 422, order_id=order)
    await ask("POST", "/cart/orders/{order_id}/shipments", shipment, 404, order_id="none")
    adjustment = {"quantity": 2, "adjustment_type": "increase"}
    await ask("PUT", "/cart/products/{product_id}/adjust-inventory", adjustment, product_id=product)
    warehouse = (await ask("GET", "/cart/warehouses"))["data"][0]["id"]
    await ask("GET", "/cart/orders")
    await ask("GET", "/cart/products")
    for path, id in (
        ("/cart/orders/{order_id}", order),
        ("/cart/products/{product_id}", product),
        ("/cart/warehouses/{warehouse_id}", warehouse),
    ):
        name = path[path.index("{") + 1 : -1]
        await ask("GET", path, **{name: id})
        await ask("GET", path, None, 404, **{name: "none"})
    for path in ("/integrations/{integration_type}", "/{integration_type}/integrations"):
        await ask("GET", path, integration_type="cart")
        await ask("GET", f"{path}/{{integration_name}}", integration_type="cart", integration_name="sandbox")
        await ask("GET", f"{path}/{{integration_name}}", None, 404, integration_type="cart", integration_name="none")
    await ask("GET", "/connections")
    await ask("GET", "/connections/{connection_id}", connection_id=connection_id)
    await ask("GET", "/connections/{connection_id}", None, 404, connection_id="none")
    await ask("PATCH", "/connections", {"customer_id": "acme", "webhooks_disabled": True})
    await ask("PATCH", "/connections", {"webhooks_disabled": "yes"}, 422)
    await ask("POST", "/connections/sync", {"functions_to_sync": ["get_orders"]})
    await ask("POST", "/sandbox/generate-sandbox")
    await ask("POST", "/sandbox/generate-sandbox/{integration_type}", integration_type="cart")
    await ask("DELETE", "/connections")
    return found


ELSEWHERE = {"/link/token", "/link/exchange", "/magic-links", "/magic-links/{magic_link_id}"}
"""Served by the link dialog, and tested with it."""
NOT_CART = re.compile(r"/(wms|freight|carrier)/|/sandbox/simulate/orders/")
"""What the vendor has for other kinds of platforms."""


def in_json_schema(schema: Any) -> Any:
    """An OpenAPI schema, of 3.0 or 3.1, in JSON Schema's words."""
    if isinstance(schema, list):
        return [in_json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: in_json_schema(value) for name, value in schema.items() if name not in ("nullable", "example")}
    return {"anyOf": [found, {"type": "null"}]} if schema.get("nullable") is True else found


def described(edition: str) -> dict[tuple[str, str, str], Any]:
    """The schema of each answer of ours that an edition describes."""
    whole = document(edition)
    components = in_json_schema({"schemas": whole["components"]["schemas"]})
    return {
        (method, path, status): {
            **in_json_schema(answer["content"]["application/json"]["schema"]),
            "components": components,
        }
        for path, item in whole["paths"].items()
        if path not in ELSEWHERE and not NOT_CART.search(path)
        for method, operation in item.items()
        if method in ("get", "post", "put", "patch", "delete")
        for status, answer in operation["responses"].items()
    }


FAMILIES = {
    "/cart/orders": "order",
    "/cart/products": "product",
    "/cart/warehouses": "warehouse",
    "/connections": "connection",
    "/integrations": "integration",
    "/{integration_type}/integrations": "integration",
    "/sandbox": "sandbox",
}
ADDED = {
    "order": "warehouse_customer_id shipping_method trackstar_tags trackstar_created_date trackstar_updated_date",
    "order.bill_to_address": "company phone_number email_address",
    "order.line_items[]": "total_discount total_tax",
    "order.shipments[]": "carrier shipping_method",
    "product": "gtin image_url measurements categories trackstar_tags trackstar_created_date trackstar_updated_date",
    "warehouse": "additional_fields trackstar_tags trackstar_created_date trackstar_updated_date",
    "warehouse.address": "full_name company phone_number email_address",
    "connection": "integration_display_name historical_sync_completed me history_days disabled_functions",
    "connection.sync_schedules[]": "latest_data next_sync pulled expected reconciliation",
    "connection.errors[]": "error_type resource message",
    "integration": "credentials webhooks",
    "sandbox": "me",
}
"""Fields that the later edition does not have: of the earlier one, of the vendor's guides since, and our own."""
OTHERWISE = {
    'order.line_items[].product_id: null is not of type "string"',
    'order.shipments[].line_items[].product_id: null is not of type "string"',
    'order.shipping_groups[].line_items[].product_id: null is not of type "string"',
    'connection: is not of type "array"',
}
"""Fields that are otherwise than both editions say."""
EXPECTED = {
    "2025-03": OTHERWISE,
    "2025-10": OTHERWISE | {f"{path}.{name}: added" for path, names in ADDED.items() for name in names.split()},
}
UNASKED = {
    ("get", "/integrations/{integration_type}", "404"),
    ("get", "/{integration_type}/integrations", "404"),
    ("post", "/sandbox/generate-sandbox/{integration_type}", "404"),
    ("put", "/cart/products/{product_id}/adjust-inventory", "404"),
}
"""Answers that are of the one form of every error; so are those of status 422."""


def differences(path: str, schema: Any, answer: Any) -> set[str]:
    """What of ``answer`` is not as ``schema`` says: fields that it has not, and fields that are otherwise."""
    family = next(name for start, name in FAMILIES.items() if path.startswith(start))
    found = set()
    for error in jsonschema_rs.validator_for(schema).iter_errors(answer):
        where = "".join("[]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
        where = family + re.sub(r"^\.data(\[\])?", "", where)
        if error.message.startswith("Additional properties"):
            found |= {f"{where}.{name}: added" for name in re.findall(r"'(\w+)'", error.message)}
        else:
            null = "null " if error.instance is None else ""
            found.add(f"{where}: {null}{re.sub('^.* is not', 'is not', error.message)}")
    return found


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_answers_differ_from_the_vendors_documents_in_what_is_listed_and_in_nothing_else(
    answers: Answers,
) -> None:
    for edition in EDITIONS:
        schemas = described(edition)
        assert len(schemas) > 20
        unasked = {each for each in set(schemas) - set(answers) if each[2] != "422"}
        assert unasked <= UNASKED, edition
        found: set[str] = set()
        for each in set(schemas) & set(answers):
            found |= differences(each[1], schemas[each], answers[each])
        assert found == EXPECTED[edition], edition


def test_what_differs_is_told_to_users() -> None:
    text = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text()
    for names in ADDED.values():
        for name in names.split():
            assert f"`{name}`" in text, name


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_comparison_finds_what_is_wrong(edition: str) -> None:
    schema = described(edition)["get", "/connections", "200"]
    found = differences("/connections", schema, {"data": [{"connection_id": None}], "total_count": "1"})
    assert {
        'connection.total_count: is not of type "integer"',
        'connection.connection_id: null is not of type "string"',
    } <= found
    assert any("is a required property" in each for each in found)
