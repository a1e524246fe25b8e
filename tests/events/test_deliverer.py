"""Webhooks as their receivers see them: signed, filtered, sent again until they arrive, and one slow receiver's own affair."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.kit.server import Request, answer
from events.receiver import Receiver, accept, never, receiving, refuse, verified
from shop import make_orders, make_products, store
from unicart.contract.events import ENDPOINT_DISABLED
from unicart.contract.resources import ORDERS, PRODUCTS
from unicart.events import sender
from unicart.events.deliverer import GIVE_UP, RETRIES, Deliverer
from unicart.store import events, leases, webhooks
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tables import webhook_endpoints
from unicart.store.tenants import Connection, Organization
from unicart.store.webhooks import Attempt, Endpoint

pytestmark = pytest.mark.anyio

START = 1_800_000_000


class Desk:
    """An organization with a connection, a deliverer and a clock."""

    def __init__(self, database: Database, vault: Vault, organization: Organization, connection: Connection) -> None:
        self.database = database
        self.vault = vault
        self.organization = organization
        self.connection = connection
        self.now = float(START)
        self.made = 0

    async def endpoint(self, url: str, **fields: Any) -> tuple[Endpoint, str]:
        return await webhooks.create(self.database, self.vault, self.organization.id, int(self.now), url=url, **fields)

    def deliverer(self, *, private_network: bool = True) -> Deliverer:
        return Deliverer(
            self.database,
            self.vault,
            leases.this_process(),
            private_network=private_network,
            event_days=30,
            clock=lambda: self.now,
        )

    async def deliver(self, deliverer: Deliverer | None = None) -> None:
        """Send what is due, to the end."""
        working = deliverer or self.deliverer()
        await working.start_due()
        await working.idle()

    async def happen(self, count: int = 1) -> list[str]:
        """New orders, whose ids are returned."""
        self.made += count
        orders = make_orders(self.made)[-count:]
        await store(self.database, self.connection, ORDERS, orders, int(self.now), announced=True)
        return [order.id for order in orders]

    async def attempts(self, endpoint: Endpoint) -> list[Attempt]:
        """Attempts, the oldest first."""
        found = await webhooks.list_attempts(self.database, endpoint, None, 1000)
        return [attempt for _, attempt in reversed(found)]

    async def reread(self, endpoint: Endpoint) -> Endpoint:
        found = await webhooks.find(self.database, self.organization.id, endpoint.id)
        assert found is not None
        return found


@pytest.fixture
async def desk(database: Database, vault: Vault, organization: Organization, connection: Connection) -> Desk:
    """A desk in a store that has no other endpoints."""
    async with database.write() as transaction:
        await transaction.execute(webhook_endpoints.delete())
    return Desk(database, vault, organization, connection)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


async def test_events_arrive_as_in_the_feed_and_both_public_libraries_verify_them(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.happen()
    endpoint, secret = await desk.endpoint(receiver.url)
    ids = await desk.happen(40)
    await desk.deliver()
    assert sorted(event["data"]["id"] for event in receiver.events) == sorted(ids), "only what came after it was made"
    page = await events.read(desk.database, desk.organization.id, None, 1000)
    feed = {event.id: event.written() for event in page.events}
    for request in receiver.got:
        assert verified(request, secret)
        number = int(request.headers["webhook-id"].removeprefix("msg_"))
        assert request.body == feed[number]
        assert request.headers["svix-id"] == request.headers["webhook-id"]
    request = receiver.got[0]
    assert not verified(Request(request.method, request.target, request.headers, request.body + b" "), secret)
    await desk.deliver()
    assert len(receiver.got) == 40
    assert {(each.delivered, each.status) for each in await desk.attempts(endpoint)} == {(True, 204)}


async def test_an_endpoint_is_sent_only_the_types_and_connections_it_asked_for(desk: Desk, receiver: Receiver) -> None:
    await desk.endpoint(receiver.url, event_types=["cart-product.created", "cart-product.updated"])
    await desk.endpoint(receiver.url, connection_ids=["another connection"])
    await desk.endpoint(receiver.url, connection_ids=["another connection", desk.connection.id], description="mine")
    await desk.endpoint(receiver.url, disabled=True)
    (order,) = await desk.happen()
    await store(desk.database, desk.connection, PRODUCTS, make_products(1), announced=True)
    await desk.deliver()
    assert sorted(event["data"]["id"] for event in receiver.events) == sorted([order, "p0", "p0"])


async def test_a_failed_message_is_sent_again_on_the_schedule_under_its_id(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = refuse
    endpoint, secret = await desk.endpoint(receiver.url)
    await desk.happen()
    await desk.deliver()
    for number, wait in enumerate(RETRIES, start=1):
        desk.now += wait - 1
        await desk.deliver()
        assert len(receiver.got) == number, "not before its time"
        desk.now += 1
        await desk.deliver()
        assert len(receiver.got) == number + 1
    desk.now += 30 * 86400
    await desk.deliver()
    assert len(receiver.got) == len(RETRIES) + 1
    assert len({request.headers["webhook-id"] for request in receiver.got}) == 1
    assert all(verified(request, secret) for request in receiver.got)
    tried = await desk.attempts(endpoint)
    assert {(each.delivered, each.status, each.error) for each in tried} == {(False, 500, '{"problem": "mine"}')}
    assert await webhooks.count_failed(desk.database, endpoint) == (0, 1)

    receiver.answers = accept
    assert await webhooks.replay_failed(desk.database, endpoint, int(desk.now)) == 1
    await desk.deliver()
    assert (await desk.attempts(endpoint))[-1].delivered
    assert await webhooks.count_failed(desk.database, endpoint) == (0, 0)
    await desk.deliver()
    assert len(receiver.got) == len(RETRIES) + 2, "a replayed message that arrived is not sent again"


async def test_a_failure_holds_up_no_later_message(desk: Desk, receiver: Receiver) -> None:
    async def some(request: Request) -> bytes:
        return await (refuse if refused in request.body.decode() else accept)(request)

    receiver.answers = some
    endpoint, _ = await desk.endpoint(receiver.url)
    refused = "#1000"
    await desk.happen(5)
    await desk.deliver()
    assert sorted(each.delivered for each in await desk.attempts(endpoint)) == [False, True, True, True, True]
    assert (await desk.reread(endpoint)).failing_since is None


async def test_slow_receivers_delay_no_other(desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as slow:
        slow.answers = never
        for _ in range(3):
            await desk.endpoint(slow.url)
        await desk.endpoint(receiver.url)
        ids = await desk.happen(100)
        deliverer = desk.deliverer()
        await deliverer.start_due()
        while len(receiver.got) < len(ids):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert 0 < len(slow.got) <= 3 * sender.CONCURRENCY, "the slow ones are still at their first messages"
        await deliverer._tasks.cancel()


async def test_a_receiver_that_takes_too_long_is_tried_again(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dribble(_: Request) -> bytes:
        await asyncio.sleep(0.3)
        return answer(200)

    receiver.answers = dribble
    endpoint, _ = await desk.endpoint(receiver.url)
    (id,) = [event.id for event in (await events.read(desk.database, desk.organization.id, 0, 1)).events] or [0]
    await desk.happen()
    (event,) = (await events.read(desk.database, desk.organization.id, id, 10)).events
    secrets = await webhooks.read_secrets(desk.database, desk.vault, endpoint, int(desk.now))
    async with sender.Sender(receiver.url, private_network=True, timeout=0.1) as impatient:
        attempt = await impatient.send(event, secrets)
    assert (attempt.delivered, attempt.status, attempt.error) == (False, None, "No answer within 0.1 s.")


async def test_an_endpoint_that_fails_for_five_days_is_disabled_with_an_event(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = refuse
    endpoint, _ = await desk.endpoint(receiver.url)
    await desk.happen()
    await desk.deliver()
    desk.now += GIVE_UP - 1
    await desk.happen()
    await desk.deliver()
    assert not (await desk.reread(endpoint)).disabled
    desk.now += 1
    await desk.happen()
    await desk.deliver()
    disabled = await desk.reread(endpoint)
    assert disabled.disabled
    assert disabled.disabled_reason == "Every attempt of 5 days failed."
    page = await events.read(desk.database, desk.organization.id, None, 10, types=[ENDPOINT_DISABLED])
    assert [event.connection_id for event in page.events] == [""]
    sent = len(receiver.got)
    missed = await desk.happen(2)
    await desk.deliver()
    assert len(receiver.got) == sent

    receiver.answers = accept
    changed = await webhooks.change(
        desk.database, Endpoint(**{**_fields(disabled), "disabled": False, "failing_since": None}), int(desk.now)
    )
    assert changed is not None
    await desk.deliver()
    arrived = [event["data"].get("id") for event in receiver.events[sent:]]
    assert set(missed) <= set(arrived), "what happened meanwhile is sent once it is enabled"


def _fields(endpoint: Endpoint) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in Endpoint.__struct_fields__}


async def test_a_receiver_that_is_gone_is_disabled_at_once(desk: Desk, receiver: Receiver) -> None:
    async def gone(_: Request) -> bytes:
        return answer(410, b"")

    receiver.answers = gone
    endpoint, _ = await desk.endpoint(receiver.url)
    await desk.happen()
    await desk.deliver()
    assert (await desk.reread(endpoint)).disabled_reason == "The receiver answered 410 Gone."


async def test_redirects_are_not_followed(desk: Desk, receiver: Receiver) -> None:
    async with receiving() as inner:

        async def redirect(_: Request) -> bytes:
            return answer(302, b"", location=inner.url)

        receiver.answers = redirect
        endpoint, _ = await desk.endpoint(receiver.url)
        await desk.happen()
        await desk.deliver()
        (attempt,) = await desk.attempts(endpoint)
        assert (attempt.delivered, attempt.status) == (False, 302)
        assert attempt.error is not None
        assert "Redirects are not followed" in attempt.error
        assert inner.got == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1", "[::ffff:127.0.0.1]"])
async def test_private_addresses_are_refused(desk: Desk, receiver: Receiver, host: str) -> None:
    endpoint, _ = await desk.endpoint(receiver.url.replace("127.0.0.1", host))
    await desk.happen()
    await desk.deliver(desk.deliverer(private_network=False))
    (attempt,) = await desk.attempts(endpoint)
    assert attempt.error is not None
    assert "is on a private network" in attempt.error
    assert receiver.got == []


async def test_a_name_that_leads_to_a_private_address_later_is_refused(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(receiver.url.rpartition(":")[2].partition("/")[0])
    endpoint, _ = await desk.endpoint(f"http://shop.example:{port}/hooks")

    def resolved(host: str, *_: object, **__: object) -> list[Any]:
        assert host == "shop.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    await desk.happen()
    await desk.deliver(desk.deliverer(private_network=False))
    (attempt,) = await desk.attempts(endpoint)
    assert attempt.error is not None
    assert "shop.example is on a private network" in attempt.error
    assert receiver.got == []


async def test_a_rotated_secret_signs_beside_the_old_one_for_a_day(desk: Desk, receiver: Receiver) -> None:
    endpoint, old = await desk.endpoint(receiver.url)
    new = await webhooks.rotate_secret(desk.database, desk.vault, endpoint, int(desk.now))
    await desk.happen()
    await desk.deliver()
    assert verified(receiver.got[-1], old)
    assert verified(receiver.got[-1], new)
    desk.now += webhooks.OLD_SECRET_SECONDS
    await desk.happen()
    await desk.deliver()
    assert verified(receiver.got[-1], new)
    assert not verified(receiver.got[-1], old)


async def test_two_deliverers_send_nothing_twice(desk: Desk, receiver: Receiver) -> None:
    await desk.endpoint(receiver.url)
    await desk.happen(100)
    one, other = desk.deliverer(), desk.deliverer()
    await asyncio.gather(desk.deliver(one), desk.deliver(other))
    ids = [request.headers["webhook-id"] for request in receiver.got]
    assert len(ids) == len(set(ids)) == 100


async def test_what_a_deliverer_sent_before_it_was_killed_is_sent_again_under_its_id(
    desk: Desk, receiver: Receiver
) -> None:
    receiver.answers = never
    endpoint, _ = await desk.endpoint(receiver.url)
    await desk.happen(3)
    killed = desk.deliverer()
    await killed.start_due()
    while len(receiver.got) < 3:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    # As if it were killed: it never says what it sent, and its lease runs out.
    receiver.answers = accept
    desk.now += 61
    await desk.deliver()
    ids = [request.headers["webhook-id"] for request in receiver.got]
    assert sorted(ids[:3]) == sorted(ids[3:])
    await killed._tasks.cancel()
    assert all(attempt.delivered for attempt in await desk.attempts(endpoint))


async def test_a_range_and_single_events_are_sent_again(desk: Desk, receiver: Receiver) -> None:
    endpoint, _ = await desk.endpoint(receiver.url)
    for _ in range(3):
        await desk.happen()
        desk.now += 100
    await desk.deliver()
    first = [event["id"] for event in receiver.events]
    count = await webhooks.replay_range(
        desk.database, await desk.reread(endpoint), START + 100, START + 200, int(desk.now)
    )
    assert count == 2
    await desk.deliver()
    assert [event["id"] for event in receiver.events[3:]] == first[1:]
    assert await webhooks.replay_events(desk.database, endpoint, [int(first[0]), 10**15], int(desk.now)) == 1
    await desk.deliver()
    assert receiver.events[-1]["id"] == first[0]


async def test_an_unreachable_receiver_is_told_apart(desk: Desk, receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    endpoint, _ = await desk.endpoint(f"http://127.0.0.1:{port}/")
    await desk.happen()
    await desk.deliver()
    (attempt,) = await desk.attempts(endpoint)
    assert (attempt.delivered, attempt.status) == (False, None)
    assert attempt.error


async def test_old_attempts_are_deleted(desk: Desk, receiver: Receiver) -> None:
    endpoint, _ = await desk.endpoint(receiver.url)
    await desk.happen(3)
    await desk.deliver()
    (newest, *_) = await webhooks.list_attempts(desk.database, endpoint, None, 1)
    assert await webhooks.prune(desk.database, newest[1].attempted_ms // 1000 - 100, 10) == 0
    assert await webhooks.prune(desk.database, newest[1].attempted_ms // 1000 + 100, 10) == 3
    assert await desk.attempts(endpoint) == []
