"""Webhooks in and out: from a platform's call to the feed and to a receiver, and how many a second."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from bench.idle import scratch_store
from bench.load import Failed
from bench.report import Figure
from bench.servers import UNICART, Postgres, free_port, running
from unicart.connectors import hostile
from unicart.connectors.hostile.webhooks import EVENT_HEADER, SIGNATURE_HEADER, signature
from unicart.contract.resources import ORDERS, Function
from unicart.store import checkpoints, records, tenants
from unicart.store.database import Database, open_database
from unicart.store.migrate import migrate
from unicart.store.secrets import Vault, open_vault
from unicart.store.tenants import Connection

FIXTURE = Path(hostile.__file__).parent / "fixtures" / "get_orders.json"
SECRET = "s" * 64
SHOP = 500
PACE = 200
BURST = 3000
SENDERS = 16
PATIENCE = 300
START = datetime(2026, 1, 1, tzinfo=UTC)


class Shop(msgspec.Struct):
    """A connection whose platform calls, and the key to the feed."""

    connection_id: str
    api_key: str
    orders: list[dict[str, Any]]
    calls: int = 0

    def call(self) -> tuple[str, bytes, dict[str, str]]:
        """The next webhook: an order's id, and the body and headers of a change that is newer than all before."""
        order = self.orders[self.calls % len(self.orders)]
        self.calls += 1
        order["updated_at"] = _text(START + timedelta(seconds=self.calls))
        order["note"] = f"change {self.calls}"
        body = json.dumps({"event": "order.updated", "id": order["id"], "record": order}).encode()
        event = str(self.calls)
        return event, body, {EVENT_HEADER: event, SIGNATURE_HEADER: signature(SECRET, event, body)}


def latency_and_rate(server: Postgres | None, database: str, seconds: int) -> Iterator[Figure]:
    """Calls at a steady pace, then as many as go; a backlog of events to a receiver, beside a bare client's requests."""
    group = f"webhooks, {database}"
    with scratch_store(server) as (store, folder):
        shop = asyncio.run(_shop(store, folder))
        port = free_port()
        command = [
            *("env", f"UNICART_DATABASE_URL={store}", "UNICART_WEBHOOK_PRIVATE_NETWORK=true", UNICART, "serve"),
            *("--no-rate-limit", "--data-dir", str(folder), "--port", str(port)),
        ]
        with running(command, f"http://127.0.0.1:{port}/docs"):
            yield from asyncio.run(_measured(group, f"http://127.0.0.1:{port}", shop, seconds))


async def _shop(store: str, folder: Path) -> Shop:
    """A connection that is subscribed, whose first sync is complete, and whose orders are stored."""
    migrate(store)
    vault = open_vault(None, folder)
    database = await open_database(store)
    try:
        organization = await tenants.create_organization(database, "bench")
        connection = await _connection(database, vault, organization.id)
        key = await tenants.create_key(database, organization.id, "bench", read_only=False)
        shop = Shop(connection.id, key, _orders())
        content = [
            records.prepare(record)
            for order in shop.orders
            for record in hostile.CONNECTOR.map(Function.GET_ORDERS, json.dumps(order).encode())
        ]
        async with database.write() as transaction:
            await records.save(transaction, connection, ORDERS, content, int(time.time()), announced=False)
        owner, now = "bench", int(time.time())
        await checkpoints.acquire(database, connection.key, Function.GET_ORDERS.value, owner, now, 60)
        await checkpoints.release(database, connection, Function.GET_ORDERS.value, owner, finished=now)
        return shop
    finally:
        await database.close()


async def _connection(database: Database, vault: Vault, organization_id: str) -> Connection:
    connection, _ = await tenants.add_connection(
        database,
        vault,
        organization_id=organization_id,
        integration_name="hostile",
        account_name="bench",
        credentials={"url": "http://127.0.0.1:9", "client_id": "bench", "secret": "bench"},
        private_network=True,
    )
    kept = json.dumps({"url": "http://127.0.0.1:9", "kept": {"secret": SECRET}})
    await tenants.write_subscription(database, connection, vault.encrypt({"subscription": kept}))
    return connection


def _orders() -> list[dict[str, Any]]:
    """Recorded orders over and over, with ids of their own."""
    recorded = [order for order in _recorded() if _maps(order)]
    old = _text(START - timedelta(days=1))
    return [{**recorded[number % len(recorded)], "id": f"b{number}", "updated_at": old} for number in range(SHOP)]


def _recorded() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(FIXTURE.read_bytes())["response"]["body"]["items"]
    return [order for order in found if len(order["lines"]) <= 10]


def _maps(order: dict[str, Any]) -> bool:
    try:
        return bool(hostile.CONNECTOR.map(Function.GET_ORDERS, json.dumps(order).encode()))
    except Exception:
        return False


class Clock:
    """When each change was called, seen in the feed and received."""

    def __init__(self) -> None:
        self.called: dict[str, float] = {}
        self.fed: dict[str, float] = {}
        self.received: dict[str, float] = {}

    def note(self, times: dict[str, float], body: bytes) -> None:
        """Remember that the event of ``body`` is there."""
        change = str(json.loads(body)["data"]["additional_fields"]["note"]).removeprefix("change ")
        times.setdefault(change, time.perf_counter())


async def _measured(group: str, url: str, shop: Shop, seconds: int) -> list[Figure]:
    clock = Clock()
    headers = {"x-trackstar-api-key": shop.api_key}
    async with (
        httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as client,
        _receiver(clock) as receiver,
        _follower(client, clock),
    ):
        endpoint = await _endpoint(client, receiver)
        await _call(client, shop, clock, PACE * seconds, PACE)
        await _until(lambda: len(clock.received) == len(clock.called))
        found = _latencies(group, clock)
        await client.patch(f"/webhooks/{endpoint}", json={"disabled": True})
        found.append(await _burst(group, client, shop, clock))
        found.append(await _backlog(group, client, endpoint, receiver, clock))
    return found


def _latencies(group: str, clock: Clock) -> list[Figure]:
    found = []
    for name, times, goal in (("announced in the feed", clock.fed, "<= 1"), ("received", clock.received, "")):
        waits = sorted(times[change] - called for change, called in clock.called.items())
        median, worst = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
        detail = f"p50 {median * 1000:.0f} ms, p99 {worst * 1000:.0f} ms; {len(waits):,} calls, {PACE} a second"
        found.append(Figure(group, f"p99 from call to {name} ÷ 1 s", worst, goal, detail))
    return found


async def _burst(group: str, client: httpx2.AsyncClient, shop: Shop, clock: Clock) -> Figure:
    before = len(clock.fed)
    started = time.perf_counter()
    await asyncio.gather(*(_call(client, shop, clock, BURST // SENDERS, 0) for _ in range(SENDERS)))
    expected = before + BURST // SENDERS * SENDERS
    await _until(lambda: len(clock.fed) == expected)
    rate = (expected - before) / (time.perf_counter() - started)
    detail = f"{rate:,.0f} changes a second from call to feed"
    return Figure(group, f"inbound changes a second ÷ {PACE}", rate / PACE, ">= 1", detail)


async def _backlog(group: str, client: httpx2.AsyncClient, endpoint: str, receiver: str, clock: Clock) -> Figure:
    before, expected = len(clock.received), len(clock.fed)
    started = time.perf_counter()
    (await client.patch(f"/webhooks/{endpoint}", json={"disabled": False})).raise_for_status()
    await _until(lambda: len(clock.received) == expected)
    ours = (expected - before) / (time.perf_counter() - started)
    bare = await _bare(receiver, expected - before)
    detail = f"{ours:,.0f} against {bare:,.0f} deliveries a second"
    return Figure(group, "deliveries a second ÷ a bare client's requests, 16 at once", ours / bare, "", detail)


async def _bare(receiver: str, count: int) -> float:
    """Requests a second of httpx2 with a body of the same size, neither signed nor recorded."""
    body = json.dumps({"data": {"additional_fields": {"note": "change 0"}, "filler": "x" * 3000}}).encode()
    left = iter(range(count))
    async with httpx2.AsyncClient(timeout=60) as client:

        async def send() -> None:
            for _ in left:
                (await client.post(receiver, content=body)).raise_for_status()

        started = time.perf_counter()
        await asyncio.gather(*(send() for _ in range(SENDERS)))
        return count / (time.perf_counter() - started)


async def _call(client: httpx2.AsyncClient, shop: Shop, clock: Clock, count: int, pace: int) -> None:
    """Send webhooks, ``pace`` a second, or one after the other."""
    path = f"/inbound/{shop.connection_id}"
    started = time.perf_counter()
    sent: list[asyncio.Task[None]] = []

    async def call() -> None:
        change, body, headers = shop.call()
        clock.called[change] = time.perf_counter()
        reply = await client.post(path, content=body, headers=headers)
        if reply.status_code != 200:
            raise Failed(f"a webhook was answered {reply.status_code}: {reply.text}")

    for number in range(count):
        if not pace:
            await call()
            continue
        await asyncio.sleep(max(started + number / pace - time.perf_counter(), 0))
        sent.append(asyncio.create_task(call()))
    await asyncio.gather(*sent)


async def _endpoint(client: httpx2.AsyncClient, receiver: str) -> str:
    reply = await client.post("/webhooks", json={"url": receiver, "event_types": ["cart-order.updated"]})
    return str(reply.json()["data"]["id"])


@asynccontextmanager
async def _receiver(clock: Clock) -> AsyncIterator[str]:
    """A receiver that keeps connections open and answers at once."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
                clock.note(clock.received, await reader.readexactly(length))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


@asynccontextmanager
async def _follower(client: httpx2.AsyncClient, clock: Clock) -> AsyncIterator[None]:
    """Reads the feed in small pages, as a consumer who wants to know at once."""

    async def follow() -> None:
        cursor = "latest"
        while True:
            reply = await client.get("/events", params={"after": cursor, "event_type": "cart-order.updated"})
            page = msgspec.json.decode(reply.content, type=_Page)
            for event in page.data:
                clock.note(clock.fed, bytes(event))
            cursor = page.next_cursor
            await asyncio.sleep(0.02)

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()


class _Page(msgspec.Struct):
    data: Sequence[msgspec.Raw]
    next_cursor: str


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise Failed("what was called did not arrive")
        await asyncio.sleep(0.01)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
