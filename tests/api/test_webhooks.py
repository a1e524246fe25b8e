"""Webhook endpoints over HTTP: made, changed, tested, looked into and removed, by their own organization only."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from events.receiver import Receiver, receiving, refuse, verified
from shop import make_orders, store
from unicart.api.app import create_app
from unicart.contract.resources import ORDERS
from unicart.events.deliverer import Deliverer
from unicart.settings import Settings
from unicart.store import leases, tenants
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection, Organization

pytestmark = pytest.mark.anyio

KEY = "x-trackstar-api-key"
PUBLIC = "https://93.184.216.34/hooks"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Receivers of these tests are on this machine."""
    return Settings(
        **{name: getattr(settings, name) for name in Settings.__struct_fields__} | {"webhook_private_network": True}
    )


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


async def make(client: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    reply = await client.post("/webhooks", json=body)
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()["data"]
    return made


async def happen(database: Database, connection: Connection, count: int) -> None:
    await store(database, connection, ORDERS, make_orders(count), announced=True)


async def deliver(database: Database, vault: Vault) -> None:
    deliverer = Deliverer(database, vault, leases.this_process(), private_network=True, event_days=30)
    await deliverer.start_due()
    await deliverer.idle()


async def test_an_endpoint_is_made_listed_changed_and_removed(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    made = await make(client, url=PUBLIC, description="Orders", event_types=["cart-order.created"])
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert made["object"] == "webhook_endpoint"
    assert (made["url"], made["connection_ids"], made["disabled"]) == (PUBLIC, None, False)
    listed = (await client.get("/webhooks")).json()
    assert listed == {"data": [made], "next_token": None, "total_count": 1}
    path = f"/webhooks/{made['id']}"
    change = {"connection_ids": [connection.id], "event_types": None, "disabled": True}
    changed = (await client.patch(path, json=change)).json()["data"]
    assert {**made, **change, "updated_date": changed["updated_date"]} == changed
    assert (await client.get(path)).json()["data"] == changed
    rotated = (await client.post(f"{path}/rotate-secret")).json()["data"]
    assert rotated["secret"] != secret
    gone = await client.delete(path)
    assert gone.json() == {"id": made["id"], "object": "webhook_endpoint", "deleted": True}
    assert (await client.get(path)).status_code == 404
    assert (await client.get("/webhooks")).json()["data"] == []


async def test_a_test_event_is_sent_at_once_and_its_outcome_answered(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    made = await make(client, url=receiver.url)
    attempt = (await client.post(f"/webhooks/{made['id']}/test")).json()["data"]
    assert (attempt["delivered"], attempt["status"], attempt["event_type"]) == (True, 204, "webhook-endpoint.test")
    assert verified(receiver.got[0], made["secret"])
    assert receiver.events[0]["data"]["endpoint_id"] == made["id"]
    receiver.answers = refuse
    attempt = (await client.post(f"/webhooks/{made['id']}/test")).json()["data"]
    assert (attempt["delivered"], attempt["status"]) == (False, 500)


async def test_attempts_are_told_and_events_sent_again(
    client: httpx2.AsyncClient, receiver: Receiver, database: Database, vault: Vault, connection: Connection
) -> None:
    made = await make(client, url=receiver.url)
    path = f"/webhooks/{made['id']}"
    receiver.answers = refuse
    await happen(database, connection, 3)
    await deliver(database, vault)
    shown = (await client.get(path)).json()["data"]
    assert (shown["waiting"], shown["failed"]) == (3, 0)
    assert shown["failing_since"] is not None
    first = (await client.get(f"{path}/attempts", params={"limit": 2, "delivered": "false"})).json()
    rest = (await client.get(f"{path}/attempts", params={"limit": 2, "before": first["next_cursor"]})).json()
    found = first["data"] + rest["data"]
    assert len(found) == 3
    assert rest["next_cursor"] is None
    assert {(each["delivered"], each["status"], each["error"]) for each in found} == {
        (False, 500, '{"problem": "mine"}')
    }
    assert all(each["latency_ms"] >= 0 for each in found)

    receiver.answers = Receiver().answers
    id = found[0]["event_id"]
    replayed = (await client.post(f"{path}/replay", json={"event_ids": [id]})).json()["data"]
    assert replayed == {"id": made["id"], "replayed": 1}
    await deliver(database, vault)
    one = (await client.get(f"{path}/attempts", params={"event_id": id})).json()["data"]
    assert [each["delivered"] for each in one] == [True, False]
    again = await client.post(f"{path}/replay", json={"since": "2020-01-01T00:00:00Z"})
    assert again.json()["data"]["replayed"] == 3
    await deliver(database, vault)
    assert len(receiver.got) == 3 + 1 + 3
    assert (await client.post(f"{path}/replay", json={"failed": True})).json()["data"]["replayed"] == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"url": "example.com"}, "url"),
        ({"url": "https://user:secret@example.com/"}, "url"),
        ({"url": "https://example.com/\n"}, "url"),
        ({"url": "https://example.com/" + "a" * 2000}, "url"),
        ({"url": 5}, "url"),
        ({"url": PUBLIC, "event_types": []}, "event_types"),
        ({"url": PUBLIC, "event_types": ["cart-order.exploded"]}, "event_types"),
        ({"url": PUBLIC, "event_types": "cart-order.created"}, "event_types"),
        ({"url": PUBLIC, "connection_ids": ["unknown"]}, "connection_ids"),
        ({"url": PUBLIC, "description": "d" * 501}, "description"),
        ({"url": PUBLIC, "disabled": "no"}, "disabled"),
        ({"url": PUBLIC, "event_type": "cart-order.created"}, "event_type"),
        ([], "body"),
    ],
)
async def test_a_body_that_makes_no_sense_is_named(client: httpx2.AsyncClient, body: Any, field: str) -> None:
    reply = await client.post("/webhooks", json=body)
    assert reply.status_code == 422
    assert list(reply.json()["detail"]["json"]) == [field]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"failed": False},
        {"failed": True, "since": "2020-01-01T00:00:00Z"},
        {"event_ids": []},
        {"event_ids": ["x"]},
        {"until": "2020-01-01T00:00:00Z"},
        {"since": "yesterday"},
    ],
)
async def test_a_replay_of_nothing_in_particular_is_refused(client: httpx2.AsyncClient, body: Any) -> None:
    made = await make(client, url=PUBLIC)
    assert (await client.post(f"/webhooks/{made['id']}/replay", json=body)).status_code == 422


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://localhost:5000/x", "http://[::1]/", "http://169.254.169.254/"]
)
async def test_private_addresses_are_refused_unless_allowed(
    database: Database, vault: Vault, settings: Settings, credentials: dict[str, str], url: str
) -> None:
    plain = Settings(data_dir=settings.data_dir, database_url=settings.database_url)
    transport = httpx2.ASGITransport(create_app(database, vault, plain))
    async with httpx2.AsyncClient(transport=transport, base_url="http://unicart", headers=credentials) as client:
        reply = await client.post("/webhooks", json={"url": url})
    assert reply.status_code == 422
    assert "private network" in reply.json()["error"]


async def test_an_organization_has_so_many_endpoints_and_no_more(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unicart.store.webhooks.MOST_ENDPOINTS", 2)
    await make(client, url=PUBLIC)
    await make(client, url=PUBLIC)
    assert (await client.post("/webhooks", json={"url": PUBLIC})).status_code == 422


async def test_endpoints_of_others_are_not_there(
    client: httpx2.AsyncClient, database: Database, organization: Organization
) -> None:
    made = await make(client, url=PUBLIC)
    other = await tenants.create_organization(database, f"other of {organization.id}")
    headers = {KEY: await tenants.create_key(database, other.id, "theirs", read_only=False)}
    path = f"/webhooks/{made['id']}"
    assert (await client.get("/webhooks", headers=headers)).json()["data"] == []
    for method, below in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/rotate-secret"),
        ("POST", "/test"),
        ("POST", "/replay"),
        ("GET", "/attempts"),
    ):
        reply = await client.request(method, path + below, headers=headers, json={"failed": True})
        assert (reply.status_code, reply.json()["id"]) == (404, made["id"]), (method, below)


async def test_a_read_only_key_may_look_but_not_touch(
    client: httpx2.AsyncClient, database: Database, organization: Organization
) -> None:
    made = await make(client, url=PUBLIC)
    headers = {KEY: await tenants.create_key(database, organization.id, "reader", read_only=True)}
    path = f"/webhooks/{made['id']}"
    assert (await client.get(path, headers=headers)).status_code == 200
    for method, target in (
        ("POST", "/webhooks"),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", f"{path}/rotate-secret"),
        ("POST", f"{path}/test"),
        ("POST", f"{path}/replay"),
    ):
        assert (await client.request(method, target, headers=headers, json={})).status_code == 403, (method, target)
