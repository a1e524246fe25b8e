"""The Postman collection: valid by the format's own schema, whole, and what it sends is understood."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest

from unicart.contract.writes import URLS
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio

SCHEMA = Path(__file__).parent / "postman" / "collection-2.1.0.json"
"""https://github.com/postmanlabs/schemas (Apache-2.0), draft-07, version 2.1.0, its rules only, in one file."""


NEEDING = ("/webhooks", "/inbound", "/link/exchange", "/sandbox/generate")
"""Routes that need a name that can be resolved, a platform's signature or a code, or that make a whole shop."""


@pytest.fixture
async def collection(client: httpx2.AsyncClient) -> Any:
    return (await client.get("/postman.json")).json()


def requests(collection: Any) -> Iterator[Any]:
    for folder in collection["item"]:
        for item in folder["item"]:
            yield item["request"]


def path(request: Any) -> str:
    return "/" + "/".join(request["url"]["path"])


async def test_the_collection_is_valid_and_holds_every_operation(client: httpx2.AsyncClient, collection: Any) -> None:
    jsonschema_rs.validator_for(json.loads(SCHEMA.read_text())).validate(collection)
    document = (await client.get("/openapi.json")).json()
    described = {
        (method.upper(), path.replace("{", ":").replace("}", ""))
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert {(request["method"], path(request)) for request in requests(collection)} == described
    assert [folder["name"] for folder in collection["item"]] == [tag["name"] for tag in document["tags"]]
    assert all(folder["item"] for folder in collection["item"])


async def test_variables_hold_the_address_and_the_credentials(collection: Any) -> None:
    assert {each["key"]: each["value"] for each in collection["variable"]} == {
        "base_url": "http://unicart",
        "api_key": "",
        "access_token": "",
    }
    for request in requests(collection):
        assert request["url"]["raw"].startswith("{{base_url}}/")
        sent = {each["key"]: each["value"] for each in request["header"]}
        if path(request) in ("/cart/orders", "/connections/sync"):
            assert sent["x-trackstar-api-key"] == "{{api_key}}"
            assert sent["x-trackstar-access-token"] == "{{access_token}}"
        elif path(request) in ("/events", "/webhooks"):
            assert sent["x-trackstar-api-key"] == "{{api_key}}"
            assert "x-trackstar-access-token" not in sent


async def test_every_write_has_a_body_and_a_key_of_its_own(collection: Any) -> None:
    found = {(each["method"], path(each)): each for each in requests(collection)}
    for method, url in URLS.values():
        request = found[method, url.replace("{", ":").replace("}", "")]
        assert json.loads(request["body"]["raw"])
        keys = [each["value"] for each in request["header"] if each["key"] == "Idempotency-Key"]
        assert keys == ([] if url == "/cart/passthrough" else ["{{$guid}}"])
    assert json.loads(found["PUT", "/cart/orders/:order_id/trackstar-tags"]["body"]["raw"]) == {
        "trackstar_tags": ["priority", {"team": "returns"}]
    }


async def test_every_filter_of_a_list_is_understood(client: httpx2.AsyncClient, collection: Any) -> None:
    """Each alone, with the value of its example."""
    for request in requests(collection):
        if path(request) in ("/cart/orders", "/cart/products", "/cart/warehouses", "/events", "/connections"):
            for each in request["url"]["query"]:
                assert each["disabled"]
                answer = await client.get(path(request), params={each["key"]: each["value"]})
                assert answer.status_code == 200 or each["key"] == "page_token", each


async def test_every_request_is_understood_as_it_is_sent(
    client: httpx2.AsyncClient, collection: Any, connection: Connection
) -> None:
    """With the examples in its path and body, of which the shop knows none but the connection."""
    values = {":connection_id": connection.id}
    for request in requests(collection):
        if path(request).startswith(NEEDING) or request["method"] == "DELETE":
            continue
        variables = {f":{each['key']}": each["value"] for each in request["url"]["variable"]} | values
        parts = [variables.get(part, part) for part in request["url"]["path"]]
        sent = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        body = request["body"]["raw"] if "body" in request else None
        answer = await client.request(request["method"], "/" + "/".join(parts), content=body, headers=sent)
        told = (answer.status_code, answer.text)
        assert told[0] in (200, 404) or path(request) == "/cart/passthrough", (request["url"]["raw"], told)
