"""Link tokens, sessions, auth codes and magic links over HTTP: what works once, what is refused, and for whom."""

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest
from sqlalchemy import Table, update

from contract.test_vendor_documents import pytestmark as documents_needed
from contract.test_vendor_management import ADDED, assert_valid
from unicart.api.app import create_app
from unicart.link.routes import routes
from unicart.settings import Settings, SettingsError, read_settings
from unicart.store import tables, tenants
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection, Organization

pytestmark = pytest.mark.anyio

BASE = "http://unicart"
PAGE = "https://app.example"


@pytest.fixture
async def client(
    database: Database, vault: Vault, settings: Settings, api_key: str
) -> AsyncIterator[httpx2.AsyncClient]:
    allowed = msgspec.structs.replace(settings, link_origins=PAGE)
    app = create_app(database, vault, allowed, extra=routes(database, vault, allowed))
    transport = httpx2.ASGITransport(app)
    headers = {"x-trackstar-api-key": api_key}
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers) as opened:
        yield opened


@pytest.fixture
async def stranger(database: Database) -> dict[str, str]:
    """The headers of another organization."""
    other = await tenants.create_organization(database, f"other {time.time_ns()}")
    return {"x-trackstar-api-key": await tenants.create_key(database, other.id, "test", read_only=False)}


async def begin(client: httpx2.AsyncClient, token: dict[str, Any] | None = None, **options: Any) -> Any:
    made = (await client.post("/link/token", json=token or {})).json()["link_token"]
    body = {"link_token": made, "origin": PAGE, "options": options}
    return (await client.post("/link/session", json=body)).json()


async def connect(client: httpx2.AsyncClient, opened: Any) -> Any:
    headers = {"authorization": f"Bearer {opened['session']}"}
    return (await client.post("/link/session/connect", json={"integration": "sandbox"}, headers=headers)).json()


async def expire(database: Database, table: Table, organization: Organization) -> None:
    mine = update(table).values(expires=int(time.time()) - 1)
    if "organization_id" in table.c:
        mine = mine.where(table.c.organization_id == organization.id)
    async with database.write() as transaction:
        await transaction.execute(mine)


async def test_a_link_token_opens_one_dialog(client: httpx2.AsyncClient) -> None:
    token = (await client.post("/link/token")).json()["link_token"]
    body = {"link_token": token, "origin": PAGE}
    assert "session" in (await client.post("/link/session", json=body)).json()
    again = await client.post("/link/session", json=body)
    assert again.status_code == 401
    assert "used already" in again.json()["error"]


async def test_tokens_sessions_codes_and_links_end(
    client: httpx2.AsyncClient, database: Database, organization: Organization
) -> None:
    token = (await client.post("/link/token")).json()["link_token"]
    await expire(database, tables.link_tokens, organization)
    assert (await client.post("/link/session", json={"link_token": token, "origin": PAGE})).status_code == 401

    opened = await begin(client, sandbox=True)
    await expire(database, tables.link_sessions, organization)
    assert "expired" in (await connect(client, opened))["error"]

    done = await connect(client, await begin(client, sandbox=True))
    await expire(database, tables.link_codes, organization)
    late = await client.post("/link/exchange", json={"auth_code": done["auth_code"]})
    assert late.status_code == 422
    assert "older than 30 minutes" in late.json()["detail"]["json"]["auth_code"][0]
    (made,) = await tenants.list_connections(database, organization.id)
    assert (await client.post("/link/exchange", json={"connection_id": made.id})).status_code == 200

    link = (await client.post("/magic-links", json={})).json()["magic_link"]
    await expire(database, tables.magic_links, organization)
    assert (await client.get(link["url"])).status_code == 404
    assert (await client.get(f"/magic-links/{link['id']}")).status_code == 404
    assert (await client.get("/magic-links")).json() == {"magic_links": []}


async def test_an_auth_code_is_exchanged_once_by_its_organization(
    client: httpx2.AsyncClient, stranger: dict[str, str]
) -> None:
    opened = await begin(client, {"customer_id": "m-1", "connection_id": ""}, sandbox=True)
    done = await connect(client, opened)
    assert done["integration_name"] == "sandbox"
    assert (await connect(client, opened))["error"]

    body = {"auth_code": done["auth_code"]}
    assert (await client.post("/link/exchange", json=body, headers=stranger)).status_code == 422
    made = (await client.post("/link/exchange", json=body)).json()
    assert made["customer_id"] == "m-1"
    assert (await client.post("/link/exchange", json=body)).status_code == 422
    assert (await client.post("/link/exchange", json={"connection_id": made["connection_id"]})).status_code == 422
    assert (await client.post("/link/exchange", json={})).status_code == 422
    orders = await client.get("/cart/orders", headers={"x-trackstar-access-token": made["access_token"]})
    assert orders.status_code == 200
    schedules = (await client.get(f"/connections/{made['connection_id']}")).json()["data"]["sync_schedules"]
    assert len(schedules) == 3


async def test_a_reinstall_leaves_everything_but_the_credentials(
    client: httpx2.AsyncClient, connection: Connection, access_token: str, stranger: dict[str, str]
) -> None:
    theirs = await client.post("/link/token", json={"connection_id": connection.id}, headers=stranger)
    assert theirs.status_code == 422

    for _ in range(2):
        done = await connect(client, await begin(client, {"connection_id": connection.id}))
        made = (await client.post("/link/exchange", json={"auth_code": done["auth_code"]})).json()
        assert made["connection_id"] == connection.id
        for token in (access_token, made["access_token"]):
            answer = await client.get("/cart/orders", headers={"x-trackstar-access-token": token})
            assert answer.status_code == 200


async def test_another_shop_cannot_take_the_place_of_one(
    client: httpx2.AsyncClient, connection: Connection, database: Database
) -> None:
    await tenants.change_connection(database, connection, {"account_id": "another"})
    refused = await connect(client, await begin(client, {"connection_id": connection.id}))
    assert "connect the other as a new shop" in refused["html"]
    assert "auth_code" not in refused


async def test_a_new_token_of_a_connection_ends_its_old_ones(
    client: httpx2.AsyncClient, connection: Connection, access_token: str, database: Database
) -> None:
    done = await connect(client, await begin(client, {"connection_id": connection.id}))
    made = (await client.post("/link/exchange", json={"auth_code": done["auth_code"]})).json()
    await tenants.new_token(database, connection)
    for token in (access_token, made["access_token"]):
        answer = await client.get("/cart/orders", headers={"x-trackstar-access-token": token})
        assert answer.status_code == 401


async def test_what_is_offered(client: httpx2.AsyncClient) -> None:
    async def offered(**options: Any) -> set[str]:
        return set(re.findall(r'data-integration="(\w+)"', (await begin(client, **options))["html"]))

    assert await offered(allow=["shopify"]) == {"shopify"}
    assert await offered(allow=["sandbox", "medusa"]) == {"sandbox", "medusa"}
    assert await offered(integration="medusa") == {"medusa"}
    assert await offered(integration_type="wms") == set()
    found = await offered(endpoints=["get_warehouses", "refund_order"], block=["shopify"])
    assert {"medusa", "bigcommerce"} <= found
    assert not {"shopify", "woocommerce", "sandbox", "hostile"} & found
    assert {"shopify", "medusa"} <= await offered(allow=["shopify"], block=["shopify"])


async def test_what_is_not_offered_cannot_be_connected(client: httpx2.AsyncClient) -> None:
    opened = await begin(client, allow=["shopify"])
    assert (await connect(client, opened))["error"].startswith("This integration is not offered")


async def test_attempts_are_limited(client: httpx2.AsyncClient) -> None:
    opened = await begin(client, allow=["medusa"])
    headers = {"authorization": f"Bearer {opened['session']}"}
    body = {"integration": "medusa", "values": {}}
    for _ in range(30):
        answer = (await client.post("/link/session/connect", json=body, headers=headers)).json()
        assert "is required" in answer["html"].lower()
    answer = (await client.post("/link/session/connect", json=body, headers=headers)).json()
    assert "too many attempts" in answer["html"]


async def test_private_addresses_are_refused(client: httpx2.AsyncClient) -> None:
    opened = await begin(client, allow=["medusa"])
    headers = {"authorization": f"Bearer {opened['session']}"}
    body = {"integration": "medusa", "values": {"url": "http://127.0.0.1:1", "api_key": "sk_very_secret"}}
    answer = (await client.post("/link/session/connect", json=body, headers=headers)).json()
    assert "private network" in answer["html"]
    assert "sk_very_secret" not in answer["html"]


async def test_only_known_origins_open_the_dialog(client: httpx2.AsyncClient, settings: Settings) -> None:
    page = await client.get("/link/dialog", params={"origin": PAGE})
    policy = page.headers["content-security-policy"]
    assert policy.endswith(f"frame-ancestors {PAGE}")
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script>|<style| on\w+=| style=", page.text)

    for origin in ("https://elsewhere.example", "http://localhost:3000"):
        assert (await client.get("/link/dialog", params={"origin": origin})).status_code == 403
        token = (await client.post("/link/token")).json()["link_token"]
        refused = await client.post("/link/session", json={"link_token": token, "origin": origin})
        assert refused.status_code == 403
    for origin in ("", "null", "https://a.example/path", "https://a.example; script-src *", "javascript://x"):
        assert (await client.get("/link/dialog", params={"origin": origin})).status_code == 422


async def test_without_a_list_only_this_machine_embeds(database: Database, vault: Vault, settings: Settings) -> None:
    app = create_app(database, vault, settings, extra=routes(database, vault, settings))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as client:
        for origin, status in {
            "http://localhost:3000": 200,
            "http://127.0.0.1": 200,
            "http://[::1]:8080": 200,
            BASE: 200,
            "https://localhost.example": 403,
            "https://app.example": 403,
        }.items():
            assert (await client.get("/link/dialog", params={"origin": origin})).status_code == status, origin


async def test_another_sites_page_cannot_act(client: httpx2.AsyncClient) -> None:
    token = (await client.post("/link/token")).json()["link_token"]
    body = {"link_token": token, "origin": PAGE}
    foreign = await client.post("/link/session", json=body, headers={"origin": "https://elsewhere.example"})
    assert foreign.status_code == 403
    assert (await client.post("/link/session", json=body, headers={"origin": BASE})).status_code == 200
    assert (await client.post("/link/session/list", json={})).status_code == 401


async def test_origins_in_the_settings_are_checked() -> None:
    environment = {"UNICART_LINK_ORIGINS": "https://a.example, http://localhost:3000"}
    assert read_settings(environment=environment).embedding_origins == ("https://a.example", "http://localhost:3000")
    for wrong in ("https://a.example/", "*", "a.example", "https://*.example"):
        with pytest.raises(SettingsError, match="LINK_ORIGINS"):
            read_settings(environment={"UNICART_LINK_ORIGINS": wrong})


async def test_magic_links(
    client: httpx2.AsyncClient, database: Database, organization: Organization, stranger: dict[str, str]
) -> None:
    body = {"customer_id": "m-2", "integration_allow_list": ["sandbox"], "link_duration": 1}
    link = (await client.post("/magic-links", json=body)).json()["magic_link"]
    assert link["url"].startswith(f"{BASE}/link/magic/")
    assert (await client.get("/magic-links")).json() == {"magic_links": [link]}
    assert (await client.get(f"/magic-links/{link['id']}")).json() == {"magic_link": link}
    assert (await client.get(f"/magic-links/{link['id']}", headers=stranger)).status_code == 404
    assert (await client.delete(f"/magic-links/{link['id']}", headers=stranger)).status_code == 404

    page = await client.get(link["url"])
    assert page.status_code == 200
    assert page.headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert page.headers["referrer-policy"] == "no-referrer"
    secret = link["url"].rpartition("/")[2]
    opened = (await client.post("/link/session", json={"magic": secret})).json()
    done = await connect(client, opened)
    assert "auth_code" not in done
    (made,) = await tenants.list_connections(database, organization.id)
    assert made.customer_id == "m-2"

    deleted = await client.delete(f"/magic-links/{link['id']}")
    assert deleted.json() == {"id": link["id"], "object": "magic_link", "deleted": True}
    assert (await client.get(link["url"])).status_code == 404
    assert (await client.post("/link/session", json={"magic": secret})).status_code == 401


async def test_a_magic_link_that_cannot_be_made(client: httpx2.AsyncClient) -> None:
    for field, body in {
        "integration_type": {"integration_type": "wms"},
        "link_duration": {"link_duration": 0},
        "integration_allow_list": {"integration_allow_list": ["shipbob"]},
        "integrations_with_endpoints": {"integrations_with_endpoints": ["get_inventory"]},
        "integration_block_list": {"integration_allow_list": ["medusa"], "integration_block_list": ["shopify"]},
        "connection_id": {"connection_id": "none of ours"},
        "colour": {"colour": "red"},
    }.items():
        answer = await client.post("/magic-links", json=body)
        assert answer.status_code == 422
        assert field in answer.json()["detail"]["json"]


async def test_a_read_only_key_makes_nothing(
    client: httpx2.AsyncClient, database: Database, organization: Organization
) -> None:
    key = {"x-trackstar-api-key": await tenants.create_key(database, organization.id, "reader", read_only=True)}
    for path in ("/link/token", "/magic-links"):
        assert (await client.post(path, headers=key)).status_code == 403
    assert (await client.post("/link/exchange", json={"auth_code": "x"}, headers=key)).status_code == 403
    assert (await client.delete("/magic-links/x", headers=key)).status_code == 403
    assert (await client.get("/magic-links", headers=key)).status_code == 200


@documents_needed
async def test_answers_are_what_the_vendor_documents(client: httpx2.AsyncClient) -> None:
    assert_valid("LinkTokenResponseSchema", (await client.post("/link/token")).json())
    link = (await client.post("/magic-links", json={"integration_block_list": ["amazon"]})).json()
    assert set(ADDED["MagicLink"]) == {"url", "connection_id", "disabled_functions"}
    assert_valid("MagicLinkResponseSchema", link)
    id = link["magic_link"]["id"]
    assert_valid("MagicLinksResponseSchema", (await client.get("/magic-links")).json())
    assert_valid("MagicLinkResponseSchema", (await client.get(f"/magic-links/{id}")).json())
    assert_valid("DeleteMagic_LinkResponse", (await client.delete(f"/magic-links/{id}")).json())
    done = await connect(client, await begin(client, sandbox=True))
    made = (await client.post("/link/exchange", json={"auth_code": done["auth_code"]})).json()
    assert_valid("ExchangeResponseShipbob", made)
