"""What every request passes: credentials, rate limits, request ids, errors, and operation routes."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec
import pytest
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families

from faults import full_disk, locked
from shop import make_orders, make_products, store
from unicart.api.app import create_app
from unicart.connectors.registry import connector
from unicart.contract.resources import ORDERS, PRODUCTS, Function
from unicart.settings import Settings
from unicart.store import tenants
from unicart.store.database import Database, StoreUnavailable, open_database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio

KEY, TOKEN = "x-trackstar-api-key", "x-trackstar-access-token"


async def test_missing_unknown_and_foreign_credentials_are_401(
    client: httpx2.AsyncClient, credentials: dict[str, str], database: Database, vault: Vault
) -> None:
    stranger = await tenants.create_organization(database, f"stranger of {credentials[KEY]}")
    key = await tenants.create_key(database, stranger.id, "test", read_only=False)
    bodies = []
    for name, value in ((KEY, ""), (KEY, "bad"), (KEY, key), (TOKEN, ""), (TOKEN, "bad"), (KEY, credentials[TOKEN])):
        answer = await client.get("/cart/orders", headers={name: value})
        assert answer.status_code == 401
        assert answer.json()["origin"] == "trackstar"
        bodies.append((name, value, answer.json()))
    unknown_token = next(body for name, value, body in bodies if (name, value) == (TOKEN, "bad"))
    foreign_token = next(body for name, value, body in bodies if (name, value) == (KEY, key))
    assert unknown_token == foreign_token


async def test_a_revoked_token_and_a_removed_connection_stop_working_within_a_second(
    client: httpx2.AsyncClient, database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 1000.0
    monkeypatch.setattr("unicart.api.authentication.time.monotonic", lambda: seconds)
    assert (await client.get("/cart/orders")).status_code == 200
    token = await tenants.new_token(database, connection)
    seconds += 1
    assert (await client.get("/cart/orders")).status_code == 401
    assert (await client.get("/cart/orders", headers={TOKEN: token})).status_code == 200
    await tenants.remove_connection(database, connection)
    seconds += 1
    assert (await client.get("/cart/orders", headers={TOKEN: token})).status_code == 401


async def test_rate_limits_count_per_token_and_tell_when_to_come_back(
    database: Database, vault: Vault, settings: Settings, credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unicart.api.rate_limit.time.time", lambda: 1_700_000_000.25)
    limited = Settings(data_dir=settings.data_dir, database_url=settings.database_url)
    transport = httpx2.ASGITransport(create_app(database, vault, limited))
    async with httpx2.AsyncClient(transport=transport, base_url="http://unicart", headers=credentials) as client:
        answers = [await client.get("/cart/orders") for _ in range(12)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
        assert answers[0].headers["x-ratelimit-limit"] == "10"
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers[8:11]] == ["1", "0", "0"]
        assert answers[0].headers["x-ratelimit-reset"] == "1700000001"
        assert answers[10].headers["retry-after"] == "1"
        assert answers[10].json()["origin"] == "trackstar"
        write = await client.put("/cart/products/x/trackstar-tags", json={"trackstar_tags": []})
        assert write.status_code == 404
        assert write.headers["x-ratelimit-limit"] == "50"
        monkeypatch.setattr("unicart.api.rate_limit.time.time", lambda: 1_700_000_001.0)
        assert (await client.get("/cart/orders")).status_code == 200


async def test_every_response_has_a_request_id_and_keeps_a_sane_one(client: httpx2.AsyncClient) -> None:
    for path in ("/cart/orders", "/healthz", "/no/such/page", "/cart/orders?limit=0"):
        own = await client.get(path)
        assert len(own.headers["x-request-id"]) == 32
        kept = await client.get(path, headers={"x-request-id": "trace-42.a:b"})
        assert kept.headers["x-request-id"] == "trace-42.a:b"
        replaced = await client.get(path, headers={"x-request-id": "<script>" + "x" * 200})
        assert len(replaced.headers["x-request-id"]) == 32


async def test_an_unknown_page_is_a_404_in_the_same_shape(client: httpx2.AsyncClient) -> None:
    for path in ("/", "/cart", "/cart/nothing", "/orders", "/docs/../secret"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert set(answer.json()) == {"error", "origin", "id"}


async def test_a_fault_of_ours_is_a_500_without_a_stack_trace(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("unicart.api.records.Walk.page", broken)
    answer = await client.get("/cart/orders")
    assert answer.status_code == 500
    assert set(answer.json()) == {"error", "origin"}
    assert "secret" not in answer.text


async def test_a_function_the_platform_lacks_is_a_501(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = connector("sandbox").facts
    monkeypatch.setattr(connector("sandbox"), "facts", msgspec.structs.replace(facts, functions=(Function.GET_ORDERS,)))
    answer = await client.get("/cart/products")
    assert answer.status_code == 501
    assert answer.json()["error"] == f"Endpoint get_products is not implemented for {facts.display_name}"
    assert (await client.get("/cart/orders")).status_code == 200


async def test_health_readiness_and_metrics(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ok"}
    await client.get("/cart/orders/nothing")
    families = {family.name: family for family in text_string_to_metric_families((await client.get("/metrics")).text)}
    counted = {
        (sample.labels["route"], sample.labels["status"])
        for sample in families["unicart_http_requests"].samples
        if sample.name.endswith("_total")
    }
    assert ("/cart/orders/{order_id}", "404") in counted
    assert ("/healthz", "200") in counted


async def test_the_openapi_document_is_valid_and_documents_each_parameter(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    parameters = document["paths"]["/cart/orders"]["get"]["parameters"]
    assert all(parameter["description"] and "example" in parameter for parameter in parameters)
    declared = {parameter["name"] for parameter in parameters}
    expected = {name for field in ORDERS.filters.fields for name, _ in field.parameters()}
    assert declared == expected | {"page_token", "limit", "ids[in]", KEY, TOKEN}


async def test_the_documentation_page_needs_no_other_site(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert "http://" not in page
    assert "https://" not in page
    for part in page.split('"'):
        if part.startswith("docs/"):
            assert (await client.get(f"/{part}")).status_code == 200, part


async def test_a_locked_database_is_a_503_and_nothing_is_half_written(
    client: httpx2.AsyncClient, database: Database, connection: Connection, store_url: str
) -> None:
    await store(database, connection, PRODUCTS, make_products(3))
    id = quote(make_products(3)[0].id, safe="")
    path = f"/cart/products/{id}/trackstar-tags"
    async with locked(database, store_url, "products"):
        answer = await client.put(path, json={"trackstar_tags": ["x"]})
        assert answer.status_code == 503
        assert "locked" in answer.json()["error"]
        assert answer.headers["retry-after"] == "1"
        assert (await client.get("/cart/products")).json()["data"][0]["trackstar_tags"] == []
    assert (await client.put(path, json={"trackstar_tags": ["x"]})).status_code == 200


async def test_a_full_disk_is_a_503_and_nothing_is_half_written(
    client: httpx2.AsyncClient, database: Database, connection: Connection, store_url: str
) -> None:
    await store(database, connection, ORDERS, make_orders(3))
    async with full_disk(database, store_url, connection):
        with pytest.raises(StoreUnavailable, match=r"full|space"):
            await store(database, connection, ORDERS, make_orders(400, seed=9))
        assert (await client.get("/cart/orders")).json()["total_count"] == 3
    await store(database, connection, ORDERS, make_orders(400, seed=9))
    assert (await client.get("/cart/orders")).json()["total_count"] == 403


async def test_a_store_without_its_schema_is_a_503(
    settings: Settings, vault: Vault, credentials: dict[str, str], tmp_path: Path
) -> None:
    database = await open_database(f"sqlite:///{tmp_path / 'empty.db'}")
    transport = httpx2.ASGITransport(create_app(database, vault, settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://unicart", headers=credentials) as client:
        for path in ("/readyz", "/cart/orders"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert set(answer.json()) == {"error", "origin"}
        assert (await client.get("/healthz")).status_code == 200
    await database.close()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        await open_database(f"sqlite:///{path}")
