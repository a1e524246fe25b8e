"""Platforms' webhooks over HTTP: nothing is stored that is not proved, and nothing is answered that is not stored."""

from collections.abc import AsyncIterator

import httpx2
import msgspec
import pytest

from unicart.api import inbound
from unicart.api.app import create_app
from unicart.connectors.hostile.client import HostileConnector
from unicart.connectors.hostile.webhooks import EVENT_HEADER, SIGNATURE_HEADER, signature
from unicart.connectors.kit import Connector
from unicart.connectors.registry import connector
from unicart.settings import Settings
from unicart.store import inbox, tenants
from unicart.store.database import Database, StoreUnavailable
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection, Organization

pytestmark = pytest.mark.anyio

SECRET = "s" * 64
BODY = b'{"event": "order.touched", "id": "1"}'


@pytest.fixture
async def hooked(
    database: Database, vault: Vault, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> Connection:
    """A connection that is subscribed to its platform's webhooks."""

    def known(name: str) -> type[Connector]:
        return HostileConnector if name == "hostile" else connector(name)

    monkeypatch.setattr(inbound, "connector", known)
    made, _ = await tenants.add_connection(
        database,
        vault,
        organization_id=organization.id,
        integration_name="hostile",
        account_name="Chaos",
        credentials={},
        private_network=True,
    )
    kept = msgspec.json.encode({"url": "https://example.com", "kept": {"secret": SECRET}}).decode()
    await tenants.write_subscription(database, made, vault.encrypt({"subscription": kept}))
    return made


@pytest.fixture
async def platform(database: Database, vault: Vault, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without any credentials of ours."""
    transport = httpx2.ASGITransport(create_app(database, vault, settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://unicart") as opened:
        yield opened


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {EVENT_HEADER: "e1", SIGNATURE_HEADER: signature(secret, "e1", body)}


@pytest.mark.parametrize("below", ["", "/orders/updated"])
async def test_a_webhook_is_stored_before_it_is_answered(
    platform: httpx2.AsyncClient, hooked: Connection, database: Database, below: str
) -> None:
    reply = await platform.post(f"/inbound/{hooked.id}{below}", content=BODY, headers=signed(BODY))
    assert (reply.status_code, reply.json()) == (200, {"status": "stored"})
    (entry,) = await inbox.read_due(database, hooked.key, 1 << 60, 10)
    assert (entry.body, entry.path) == (BODY, below.removeprefix("/"))
    assert msgspec.json.decode(entry.headers)[EVENT_HEADER] == "e1"


@pytest.mark.parametrize(
    "headers",
    [{}, {EVENT_HEADER: "e1"}, signed(BODY, "wrong"), signed(BODY + b" "), {**signed(BODY), EVENT_HEADER: "e2"}],
)
async def test_a_webhook_that_is_not_proved_is_refused(
    platform: httpx2.AsyncClient, hooked: Connection, database: Database, headers: dict[str, str]
) -> None:
    reply = await platform.post(f"/inbound/{hooked.id}", content=BODY, headers=headers)
    assert reply.status_code == 401
    assert SECRET not in reply.text
    assert await inbox.count(database, hooked.key) == 0


async def test_a_subscription_that_was_made_anew_is_believed_at_once(
    platform: httpx2.AsyncClient, hooked: Connection, database: Database, vault: Vault
) -> None:
    assert (await platform.post(f"/inbound/{hooked.id}", content=BODY, headers=signed(BODY))).status_code == 200
    kept = msgspec.json.encode({"url": "https://example.com", "kept": {"secret": "another"}}).decode()
    await tenants.write_subscription(database, hooked, vault.encrypt({"subscription": kept}))
    reply = await platform.post(f"/inbound/{hooked.id}", content=BODY, headers=signed(BODY, "another"))
    assert reply.status_code == 200
    assert (await platform.post(f"/inbound/{hooked.id}", content=BODY, headers=signed(BODY))).status_code == 401


async def test_a_connection_without_webhooks_receives_none(
    platform: httpx2.AsyncClient, connection: Connection, hooked: Connection
) -> None:
    for id in (connection.id, "unknown", "a%00b"):
        assert (await platform.post(f"/inbound/{id}", content=BODY, headers=signed(BODY))).status_code == 404
    assert (await platform.get(f"/inbound/{hooked.id}")).status_code == 405


async def test_a_webhook_that_cannot_be_stored_is_not_accepted(
    platform: httpx2.AsyncClient, hooked: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: object) -> None:
        raise StoreUnavailable("The disk is full.")

    monkeypatch.setattr("unicart.store.inbox.Inbox._write", full)
    reply = await platform.post(f"/inbound/{hooked.id}", content=BODY, headers=signed(BODY))
    assert reply.status_code == 503


async def test_a_webhook_that_is_too_large_is_refused(
    platform: httpx2.AsyncClient, hooked: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound, "MAX_BODY", 10)
    reply = await platform.post(f"/inbound/{hooked.id}", content=BODY, headers=signed(BODY))
    assert reply.status_code == 422
