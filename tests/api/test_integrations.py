"""Integrations over HTTP: which platforms can be connected, what each needs, and which fields it fills."""

from typing import Any

import httpx2
import pytest

from unicart.connectors.registry import connector, connector_names, offered_names
from unicart.contract.resources import BY_FUNCTION

pytestmark = pytest.mark.anyio

KEY = "x-trackstar-api-key"


@pytest.fixture
def key_only(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """A client that sends no access token."""
    del client.headers["x-trackstar-access-token"]
    return client


async def one(client: httpx2.AsyncClient, name: str) -> dict[str, Any]:
    answer = await client.get(f"/integrations/cart/{name}")
    assert answer.status_code == 200, answer.text
    (data,) = answer.json()["data"]
    return dict(data)


async def fields(client: httpx2.AsyncClient, name: str, action: str) -> dict[str, Any]:
    (found,) = [each for each in (await one(client, name))["list_operations"] if each["action"] == action]
    return dict(found["implemented_fields"])


async def test_every_offered_connector_is_told_and_no_hidden_one(key_only: httpx2.AsyncClient) -> None:
    data = (await key_only.get("/integrations/cart")).json()["data"]
    assert [each["integration_name"] for each in data] == offered_names()
    assert set(offered_names()) < set(connector_names())


@pytest.mark.parametrize("name", offered_names())
async def test_one_integration_is_what_the_list_says_of_it(key_only: httpx2.AsyncClient, name: str) -> None:
    facts = connector(name).facts
    found = await one(key_only, name)
    assert found in (await key_only.get("/integrations/cart")).json()["data"]
    assert found["display_name"] == facts.display_name
    assert [each["action"] for each in found["list_operations"]] == list(facts.functions)
    assert [each["action"] for each in found["write_operations"]] == list(facts.write_functions)
    assert found["available_actions"] == [*facts.functions, *facts.write_functions]
    assert found["webhooks"] is facts.webhooks
    for operation in found["list_operations"]:
        resource = BY_FUNCTION[operation["action"]]
        assert operation["url"] == f"GET {resource.path}"
        assert set(operation["implemented_fields"]) == set(resource.served.__struct_fields__)
        assert operation["implemented_fields"]["id"] is True


async def test_the_older_names_answer_the_same(key_only: httpx2.AsyncClient) -> None:
    for path in ("", "/medusa"):
        newer = await key_only.get(f"/integrations/cart{path}")
        older = await key_only.get(f"/cart/integrations{path}")
        assert (older.status_code, older.content) == (200, newer.content)


async def test_the_form_of_credentials_is_told(key_only: httpx2.AsyncClient) -> None:
    found = await one(key_only, "medusa")
    assert found["install_method"] == "input"
    assert [(each["name"], each["kind"], each["required"]) for each in found["credentials"]] == [
        ("url", "url", True),
        ("api_key", "secret", True),
    ]
    assert all(each["label"] and each["help"] and each["default"] is None for each in found["credentials"])


async def test_a_connector_that_needs_no_installation_is_installed_by_its_form(key_only: httpx2.AsyncClient) -> None:
    found = await one(key_only, "sandbox")
    assert found["install_method"] == "input"
    assert {each["name"]: each["default"] for each in found["credentials"]}["orders"] == "2500"


async def test_fields_that_a_connector_fills_are_told_from_those_that_it_never_fills(
    key_only: httpx2.AsyncClient,
) -> None:
    orders = await fields(key_only, "medusa", "get_orders")
    assert orders["total_price"] is True
    assert orders["warehouse_customer_id"] is False
    assert orders["shipping_groups"] is False
    assert orders["ship_to_address"]["city"] is True
    assert orders["ship_to_address"]["address3"] is False
    (line,) = orders["line_items"]
    assert (line["unit_price"], line["parent_product_sku"]) == (True, False)
    assert orders["shipments"][0]["line_items"][0]["quantity"] is True
    assert orders["additional_fields"]["refunds"] is True
    assert orders["trackstar_updated_date"] is True


async def test_a_map_by_ids_is_told_without_the_ids(key_only: httpx2.AsyncClient) -> None:
    products = await fields(key_only, "medusa", "get_products")
    assert products["inventory_by_warehouse_id"] == {"key": True}
    assert (await fields(key_only, "woocommerce", "get_products"))["inventory_by_warehouse_id"] is False


@pytest.mark.parametrize("path", ["/integrations/cart", "/cart/integrations"])
@pytest.mark.parametrize("name", ["hostile", "nobody", "%00"])
async def test_unknown_and_hidden_integrations_are_not_found(
    key_only: httpx2.AsyncClient, path: str, name: str
) -> None:
    answer = await key_only.get(f"{path}/{name}")
    assert answer.status_code == 404
    assert answer.json()["error"] == "Integration not found"


@pytest.mark.parametrize("path", ["/integrations/wms", "/integrations/wms/medusa", "/wms/integrations"])
async def test_other_verticals_are_not_found(key_only: httpx2.AsyncClient, path: str) -> None:
    answer = await key_only.get(path)
    assert answer.status_code == 404
    assert answer.json()["origin"] == "trackstar"


@pytest.mark.parametrize("path", ["/integrations/cart", "/integrations/cart/medusa", "/integrations/wms"])
async def test_a_key_is_needed(client: httpx2.AsyncClient, path: str) -> None:
    del client.headers[KEY]
    assert (await client.get(path)).status_code == 401


async def test_parameters_are_refused(key_only: httpx2.AsyncClient) -> None:
    answer = await key_only.get("/integrations/cart", params={"limit": "1"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == {"query": {"limit": ["is not a known parameter"]}}
