"""Webhooks of platforms, applied: what is new is stored and announced, however they come."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from shop import EPOCH, moment
from sync.platform import RawOrder, ScriptedPlatform
from unicart.connectors.kit import Connector, Hint, Hook, PlatformUnavailable, RateLimitedByPlatform
from unicart.contract.resources import ORDERS, Function
from unicart.store import events, inbox, leases, quarantine, records
from unicart.store.database import Database
from unicart.store.inbox import Arrival, Inbox
from unicart.store.secrets import Vault
from unicart.store.tables import checkpoints as table
from unicart.store.tables import inbox as inbox_table
from unicart.store.tenants import Connection
from unicart.sync.inbox import InboxWorker
from unicart.sync.run import sync_function

pytestmark = pytest.mark.anyio

START = 1_800_000_000


class HookedPlatform(ScriptedPlatform):
    """``shop`` holds the orders as they are; ``asked`` are the ids that were fetched; ``error`` is raised instead."""

    def __init__(self) -> None:
        super().__init__([])
        self.shop: dict[str, RawOrder] = {}
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        if self.error is not None:
            raise self.error
        self.asked += ids
        return [msgspec.json.encode(self.shop[id]) for id in ids if id in self.shop]

    @classmethod
    def read_hook(cls, hook: Hook) -> Sequence[Hint]:
        body = msgspec.json.decode(hook.body)
        raw = msgspec.json.encode(body["record"]) if "record" in body else None
        return [Hint(function=Function(body.get("function", "get_orders")), id=body["id"], raw=raw)]


class Desk:
    """A connection whose platform calls, and whoever applies that."""

    def __init__(self, database: Database, vault: Vault, connection: Connection) -> None:
        self.database = database
        self.connection = connection
        self.platform = HookedPlatform()
        self.now = float(START)
        self._vault = vault
        self._inbox = Inbox(database)

    async def arrive(self, id: str, record: RawOrder | None = None, **fields: Any) -> None:
        body = {"id": id, **fields} | ({"record": msgspec.to_builtins(record)} if record else {})
        await self.arrive_bytes(msgspec.json.encode(body))

    async def arrive_bytes(self, body: bytes) -> None:
        await self._inbox.put(Arrival(self.connection.key, int(self.now), "", b"{}", body))

    def worker(self) -> InboxWorker:
        @asynccontextmanager
        async def opened(_: Database, __: Vault, connection: Connection) -> AsyncIterator[Connector]:
            assert connection.id == self.connection.id
            yield self.platform

        owner = leases.this_process()
        return InboxWorker(self.database, self._vault, owner, clock=lambda: self.now, opened=opened, linger=0)

    async def apply(self) -> None:
        worker = self.worker()
        await worker.start_due()
        await worker.idle()

    async def note(self, id: str) -> str | None:
        """What our copy of an order has as its note; null if there is no copy."""
        document = await records.one(self.database, self.connection.key, ORDERS, id)
        return None if document is None else str(msgspec.json.decode(document)["additional_fields"]["note"])

    async def told(self) -> list[tuple[str, str]]:
        """Types and order ids of the events, in order."""
        page = await events.read(self.database, self.connection.organization_id, None, 1000)
        return [(event.type, msgspec.json.decode(event.body)["data"].get("id", "")) for event in page.events]

    async def waiting(self) -> int:
        return await inbox.count(self.database, self.connection.key)


@pytest.fixture
async def desk(database: Database, vault: Vault, connection: Connection) -> Desk:
    """A desk whose connection has finished its first sync of an empty shop."""
    async with database.write() as transaction:
        await transaction.execute(inbox_table.delete())
    desk = Desk(database, vault, connection)
    await sync_function(database, connection, ScriptedPlatform([[]]), Function.GET_ORDERS)
    return desk


def order(id: str, changed: int = 0, note: str = "") -> RawOrder:
    return RawOrder(id, changed=changed, note=note)


async def test_what_a_webhook_names_is_fetched_stored_and_announced(desk: Desk) -> None:
    desk.platform.shop["a"] = order("a", note="new")
    await desk.arrive("a")
    await desk.apply()
    assert await desk.note("a") == "new"
    desk.platform.shop["a"] = order("a", changed=5, note="changed")
    await desk.arrive("a")
    await desk.apply()
    assert await desk.note("a") == "changed"
    assert (await desk.told())[1:] == [("cart-order.created", "a"), ("cart-order.updated", "a")]
    assert await desk.waiting() == 0


async def test_a_record_that_a_webhook_carries_is_believed_if_it_is_newer(desk: Desk) -> None:
    desk.platform.shop["a"] = order("a", changed=1, note="first")
    await desk.arrive("a")
    await desk.apply()
    desk.platform.asked.clear()
    await desk.arrive("a", order("a", changed=2, note="carried"))
    await desk.apply()
    assert await desk.note("a") == "carried"
    assert desk.platform.asked == [], "nothing had to be asked"


@pytest.mark.parametrize("changed", [1, 2])
async def test_a_record_that_is_not_newer_than_ours_is_fetched(desk: Desk, changed: int) -> None:
    desk.platform.shop["a"] = order("a", changed=2, note="now")
    await desk.arrive("a")
    await desk.apply()
    await desk.arrive("a", order("a", changed=changed, note="late"))
    await desk.apply()
    assert await desk.note("a") == "now"
    assert desk.platform.asked == ["a", "a"]


async def test_several_webhooks_about_one_record_are_one_question(desk: Desk) -> None:
    desk.platform.shop["a"] = order("a", changed=1)
    await desk.arrive("a")
    await desk.apply()
    desk.platform.shop["a"] = order("a", changed=9, note="newest")
    await desk.arrive("a", order("a", changed=9, note="newest"))
    await desk.arrive("a", order("a", changed=8, note="older"))
    await desk.arrive("a", order("a", changed=9, note="newest"))
    await desk.apply()
    assert await desk.note("a") == "newest"
    assert desk.platform.asked == ["a", "a"]
    assert [type for type, _ in await desk.told()].count("cart-order.updated") == 1


async def test_what_is_gone_at_the_platform_is_removed_and_told(desk: Desk) -> None:
    desk.platform.shop["a"] = order("a", note="last")
    await desk.arrive("a")
    await desk.apply()
    del desk.platform.shop["a"]
    await desk.arrive("a")
    await desk.apply()
    assert await desk.note("a") is None
    page = await events.read(desk.database, desk.connection.organization_id, None, 10, types=["cart-order.deleted"])
    (event,) = page.events
    assert msgspec.json.decode(event.body)["data"]["additional_fields"]["note"] == "last"
    await desk.arrive("a", order("a", changed=7, note="late, and of a deleted order"))
    await desk.apply()
    assert await desk.note("a") is None
    assert len(await desk.told()) == 3, "an order that is gone already is not told again"


async def test_what_may_only_be_hidden_from_us_stays(desk: Desk) -> None:
    desk.platform.shop["a"] = order("a", note="last")
    await desk.arrive("a")
    await desk.apply()
    desk.platform.shop.clear()
    desk.platform.visible_from = moment(EPOCH + 1)
    await desk.arrive("a")
    await desk.apply()
    assert await desk.note("a") == "last"
    assert await desk.waiting() == 0


async def test_what_cannot_be_mapped_is_quarantined_and_the_rest_goes_on(desk: Desk) -> None:
    desk.platform.shop |= {"bad": RawOrder("bad", status="unknowable"), "good": order("good", note="good")}
    await desk.arrive("bad")
    await desk.arrive("good")
    await desk.apply()
    assert await desk.note("good") == "good"
    (held,) = await quarantine.list_quarantined(desk.database, desk.connection.key)
    assert held.raw_key == "bad"
    assert await desk.waiting() == 0
    del desk.platform.shop["bad"]
    await desk.arrive("bad")
    await desk.apply()
    assert await quarantine.list_quarantined(desk.database, desk.connection.key) == []


@pytest.mark.parametrize(
    "body", [b"", b"<xml>", b"[]", b'{"id": 5, "function": "get_nothing"}', b'{"id": "a", "function": "get_products"}']
)
async def test_a_webhook_without_sense_is_dropped(desk: Desk, body: bytes) -> None:
    desk.platform.shop["a"] = order("a", note="kept")
    await desk.arrive_bytes(body)
    await desk.arrive("a")
    await desk.apply()
    assert await desk.note("a") == "kept"
    assert await desk.waiting() == 0


async def test_webhooks_wait_while_the_platform_is_down(desk: Desk) -> None:
    desk.platform.error = PlatformUnavailable("down")
    await desk.arrive("a")
    await desk.apply()
    assert await desk.waiting() == 1
    desk.platform.error = RateLimitedByPlatform("slow down", retry_after=100)
    desk.now += 2
    await desk.apply()
    desk.platform.error = None
    desk.platform.shop["a"] = order("a", note="at last")
    desk.now += 99
    await desk.apply()
    assert await desk.note("a") is None, "not before the platform wants it"
    desk.now += 2
    await desk.apply()
    assert await desk.note("a") == "at last"


async def test_a_webhook_that_always_fails_is_given_up(desk: Desk) -> None:
    desk.platform.error = PlatformUnavailable("down for good")
    await desk.arrive("a")
    for _ in range(24):
        assert await desk.waiting() == 1
        await desk.apply()
        desk.now += 4000
    assert await desk.waiting() == 0


async def test_two_workers_do_not_share_a_connection(desk: Desk) -> None:
    for number in range(50):
        desk.platform.shop[str(number)] = order(str(number))
        await desk.arrive(str(number))
    one, other = desk.worker(), desk.worker()
    await asyncio.gather(one.start_due(), other.start_due())
    await asyncio.gather(one.idle(), other.idle())
    assert sorted(desk.platform.asked) == sorted(desk.platform.shop)
    assert len(await desk.told()) == 1 + 50


async def test_a_worker_that_lost_its_lease_writes_nothing(desk: Desk) -> None:
    class Slow(HookedPlatform):
        async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
            async with desk.database.write() as transaction:
                await transaction.execute(
                    table.update().where(table.c.function == "inbox").values(lease_owner="another process")
                )
            return await super().fetch(function, ids)

    desk.platform = Slow()
    desk.platform.shop["a"] = order("a")
    await desk.arrive("a")
    await desk.apply()
    assert await desk.note("a") is None
    assert await desk.waiting() == 1


async def test_before_the_first_sync_is_complete_records_are_stored_without_news(
    database: Database, vault: Vault, connection: Connection
) -> None:
    desk = Desk(database, vault, connection)
    desk.platform.shop["a"] = order("a", note="early")
    await desk.arrive("a")
    await desk.apply()
    assert await desk.note("a") == "early"
    assert await desk.told() == []


async def test_arrivals_at_once_are_all_stored(desk: Desk) -> None:
    await asyncio.gather(*(desk.arrive(str(number)) for number in range(200)))
    assert await desk.waiting() == 200
