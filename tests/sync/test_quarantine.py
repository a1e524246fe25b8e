"""Quarantined records that are mapped again: by the next version of Unicart, or when asked."""

import asyncio

import msgspec
import pytest

from sync.platform import RawOrder, ScriptedPlatform, orders
from sync.shops import START, Shops, work
from unicart import __version__
from unicart.contract.resources import ORDERS, Function
from unicart.store import events, quarantine, records
from unicart.store.database import Database
from unicart.store.quarantine import Quarantined
from unicart.store.tables import quarantine as table
from unicart.store.tenants import Connection
from unicart.sync.quarantine import PAGE, retry

pytestmark = pytest.mark.anyio


class Understanding(ScriptedPlatform):
    """A later version of the connector, which knows what to make of one more status."""

    @classmethod
    def map(cls, function: Function, raw: bytes):  # type: ignore[no-untyped-def]
        return ScriptedPlatform.map(function, raw.replace(b"unknowable", b"open"))


async def refused_by(database: Database, version: str) -> None:
    """As if that version had run so far."""
    async with database.write() as transaction:
        await transaction.execute(table.update().values(version=version))


async def held(database: Database, connection: Connection) -> list[Quarantined]:
    return await quarantine.list_quarantined(database, connection.key)


async def shop_with_unknowable(shops: Shops, count: int = 1) -> Connection:
    raws = [RawOrder(f"bad {number:03}", status="unknowable") for number in range(count)]
    connection, _ = await shops.add([*orders("good"), *raws, b'{"id": "odd", "status": 7}'])
    await work(shops.worker())
    return connection


async def types(database: Database, connection: Connection) -> list[str]:
    page = await events.read(database, connection.organization_id, None, 1000, connection_id=connection.id)
    return [event.type for event in page.events]


async def test_a_starting_worker_maps_again_what_another_version_refused(shops: Shops, database: Database) -> None:
    connection = await shop_with_unknowable(shops)
    assert {each.version for each in await held(database, connection)} == {__version__}
    await refused_by(database, "0.0.1")
    shops.platforms[connection.id] = Understanding([])
    shops.now += 7
    await shops.worker().retry_quarantined()
    assert await records.one(database, connection.key, ORDERS, "bad 000") is not None
    assert (await types(database, connection))[-1] == "cart-order.created"
    (left,) = await held(database, connection)
    assert (left.raw_key, left.version, left.last_seen) == ("odd", __version__, START + 7)


async def test_what_this_version_refused_is_not_tried_again(shops: Shops, database: Database) -> None:
    connection = await shop_with_unknowable(shops)
    before = await held(database, connection)
    shops.platforms[connection.id] = Understanding([])
    await shops.worker().retry_quarantined()
    assert await held(database, connection) == before


async def test_a_shop_that_cannot_be_opened_does_not_keep_others_from_being_tried(
    shops: Shops, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await shop_with_unknowable(shops), await shop_with_unknowable(shops)
    await refused_by(database, "0.0.1")
    del shops.platforms[first.id]
    shops.platforms[second.id] = Understanding([])
    await shops.worker().retry_quarantined()
    assert len(await held(database, first)) == 2
    assert len(await held(database, second)) == 1
    assert first.id in caplog.text


async def test_all_are_mapped_again_when_asked_however_many(shops: Shops, database: Database) -> None:
    count = 2 * PAGE + 3
    connection = await shop_with_unknowable(shops, count)
    refused = await retry(database, connection, shops.platforms[connection.id], START)
    assert (refused.stored, refused.refused) == (0, count + 1)
    done = await retry(database, connection, Understanding([]), START)
    assert (done.stored, done.refused) == (count, 1)
    assert [each.raw_key for each in await held(database, connection)] == ["odd"]


async def test_a_page_that_is_stored_meanwhile_and_the_retry_wait_for_each_other(
    shops: Shops, database: Database
) -> None:
    connection = await shop_with_unknowable(shops)
    async with database.write() as transaction:
        await records.lock(transaction, connection.key)
        tried = asyncio.create_task(retry(database, connection, Understanding([]), START))
        await asyncio.sleep(0.3)
        raw = b'{"id": "bad 000", "status": "unknowable", "note": "newer"}'
        await quarantine.put(transaction, connection.key, "get_orders", "bad 000", "reason", raw, START, __version__)
    assert (await tried).stored == 1
    document = await records.one(database, connection.key, ORDERS, "bad 000")
    assert document is not None
    assert msgspec.json.decode(document)["additional_fields"] == {"note": "newer"}


async def test_a_record_that_has_changed_since_is_not_overwritten(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add([RawOrder("1", changed=10, status="unknowable")])
    worker = shops.worker()
    await work(worker)
    (waiting,) = await held(database, connection)
    platform.pages = [orders("1", changed=20, status="fulfilled")]
    shops.now += 60
    await work(worker)
    assert await held(database, connection) == []
    async with database.write() as transaction:
        fields = msgspec.structs.asdict(waiting)
        await transaction.execute(table.insert().values(connection_key=connection.key, **fields))
    await retry(database, connection, Understanding([]), START)
    assert await held(database, connection) == []
    document = await records.one(database, connection.key, ORDERS, "1")
    assert document is not None
    assert msgspec.json.decode(document)["status"] == "fulfilled"
