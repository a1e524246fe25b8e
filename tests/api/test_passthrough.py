"""Passthrough: the platform's answer as it is, on its own host only, and without our credentials."""

import base64
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from connectors.kit.server import ScriptedServer, answer, scripted_server
from unicart.connectors.kit import http
from unicart.store import tenants
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Organization

pytestmark = pytest.mark.anyio

SECRET = "sk_very_secret_key"
BASIC = base64.b64encode(f"{SECRET}:".encode()).decode()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


@pytest.fixture
async def shop(
    client: httpx2.AsyncClient, database: Database, vault: Vault, organization: Organization, server: ScriptedServer
) -> httpx2.AsyncClient:
    """A client of a shop at the server, below a path."""
    _, token = await tenants.add_connection(
        database,
        vault,
        organization_id=organization.id,
        integration_name="medusa",
        account_name="Shop",
        credentials={"url": f"{server.url}/shop", "api_key": SECRET},
        private_network=True,
    )
    client.headers["x-trackstar-access-token"] = token
    return client


async def passed(shop: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    reply = await shop.post("/cart/passthrough", json={"method": "GET", "path": "/admin/orders", **body})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


@pytest.mark.parametrize("status", [200, 201, 404, 422, 429, 500, 503])
async def test_an_answer_is_wrapped_whatever_its_status(
    shop: httpx2.AsyncClient, server: ScriptedServer, status: int
) -> None:
    server.script(answer(status, b'{"total": 13.490, "list": [1, null]}', content_type="application/json"))
    reply = await shop.post("/cart/passthrough", json={"method": "get", "path": "admin/orders"})
    assert reply.status_code == 200
    assert reply.json()["status_code"] == status
    assert b'"body":{"total": 13.490, "list": [1, null]}' in reply.content
    assert reply.json()["headers"]["content-type"] == "application/json"
    assert len(server.requests) == 1, "nothing is repeated"


async def test_the_request_is_sent_as_it_was_given_with_the_shops_login(
    shop: httpx2.AsyncClient, server: ScriptedServer
) -> None:
    server.script(answer(200, b"[]"))
    data = {"price": 1, "null": None, "empty": ""}
    await passed(
        shop,
        method="POST",
        path="/admin/orders/?a=1",
        params={"b": ["x", "y"]},
        headers={"X-Shop": "one", "accept": "text/csv"},
        data=data,
    )
    (request,) = server.requests
    assert request.method == "POST"
    assert request.target == "/shop/admin/orders/?a=1&b=x&b=y"
    assert json.loads(request.body) == data
    assert (request.headers["x-shop"], request.headers["accept"]) == ("one", "text/csv")
    assert request.headers["authorization"] == f"Basic {BASIC}"


async def test_a_query_may_stand_in_the_path(shop: httpx2.AsyncClient, server: ScriptedServer) -> None:
    server.script(answer(200, b"[]"))
    await passed(shop, path="admin/orders?limit=5&fields=id%2Cemail&q=&tag=a&tag=b")
    assert server.requests[0].target == "/shop/admin/orders?limit=5&fields=id%2Cemail&q=&tag=a&tag=b"


async def test_the_clients_own_login_wins(shop: httpx2.AsyncClient, server: ScriptedServer) -> None:
    server.script(answer(200, b"{}"))
    await passed(shop, headers={"authorization": "Bearer other"})
    assert server.requests[0].headers["authorization"] == "Bearer other"


async def test_no_credential_comes_back_or_is_logged(
    shop: httpx2.AsyncClient, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = json.dumps({"you sent": f"Basic {BASIC}", "key": SECRET}).encode()
    server.script(answer(200, echo, x_echo=SECRET, set_cookie="session=1"))
    found = await passed(shop)
    assert found["body"] == {"you sent": "Basic ***", "key": "***"}
    assert found["headers"]["x-echo"] == "***"
    assert "set-cookie" not in found["headers"]
    assert SECRET not in caplog.text
    assert BASIC not in caplog.text


async def test_redirects_are_shown_and_not_followed(shop: httpx2.AsyncClient, server: ScriptedServer) -> None:
    server.script(answer(302, b"", location="https://elsewhere.example/"))
    found = await passed(shop)
    assert (found["status_code"], found["headers"]["location"]) == (302, "https://elsewhere.example/")
    assert found["body"] is None
    assert len(server.requests) == 1


async def test_texts_and_bytes_come_as_they_are(shop: httpx2.AsyncClient, server: ScriptedServer) -> None:
    server.script(answer(200, "<p>née</p>".encode()))
    assert (await passed(shop))["body"] == "<p>née</p>"
    server.script(answer(200, b"%PDF\xff\xfe"))
    found = await passed(shop)
    assert base64.b64decode(found["body"]) == b"%PDF\xff\xfe"
    assert found["body_encoding"] == "base64"


async def test_an_answer_that_is_too_large_or_none_is_the_platforms_fault(
    shop: httpx2.AsyncClient, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_PASSED", 1000)
    for bad in (answer(200, b"x" * 1001), b""):
        server.script(bad)
        reply = await shop.post("/cart/passthrough", json={"method": "GET", "path": "/"})
        assert (reply.status_code, reply.json()["origin"]) == (502, "integration")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"path": "/"}, "method"),
    ({"method": "GET"}, "path"),
    ({"method": "TRACE", "path": "/"}, "method"),
    ({"method": "GET", "path": "/", "data": {}}, "data"),
    ({"method": "GET", "path": "https://elsewhere.example/"}, "path"),
    ({"method": "GET", "path": "//elsewhere.example/"}, "path"),
    ({"method": "GET", "path": "/../other"}, "path"),
    ({"method": "GET", "path": "/a/%2e%2E/other"}, "path"),
    ({"method": "GET", "path": "/a\\b"}, "path"),
    ({"method": "GET", "path": "/a b"}, "path"),
    ({"method": "GET", "path": "/a\r\nx: y"}, "path"),
    ({"method": "GET", "path": ""}, "path"),
    ({"method": "GET", "path": "/", "params": []}, "params"),
    ({"method": "GET", "path": "/", "headers": {"Host": "elsewhere.example"}}, "headers.Host"),
    ({"method": "GET", "path": "/", "headers": {"x": "a\r\nb"}}, "headers.x"),
    ({"method": "GET", "path": "/", "url": "x"}, "url"),
]


async def test_nothing_else_than_a_request_to_the_shop_can_be_asked_for(
    shop: httpx2.AsyncClient, server: ScriptedServer
) -> None:
    for body, field in BAD:
        reply = await shop.post("/cart/passthrough", json=body)
        assert reply.status_code == 422, body
        assert field in reply.json()["detail"]["json"], body
    assert server.requests == []
