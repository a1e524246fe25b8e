"""Reconciliation: what no sync can see is found, healed, counted and told."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest

from shop import EPOCH, moment
from sync.platform import RawOrder, ScriptedPlatform, orders
from unicart.connectors.kit import Connector, PlatformUnavailable, Pull
from unicart.contract.resources import ORDERS, Function
from unicart.store import checkpoints, events, quarantine, reconciliations, records
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tables import checkpoints as checkpoint_table
from unicart.store.tables import reconciled
from unicart.store.tenants import Connection
from unicart.sync.reconcile import Busy, Reconciler, reconcile
from unicart.sync.run import sync_function

pytestmark = pytest.mark.anyio

FUNCTION = Function.GET_ORDERS
LATER = 1_900_000_000.0


class Shop(ScriptedPlatform):
    """A platform with orders that no list shows, ``archived``."""

    def __init__(self, pages: Sequence[Sequence[RawOrder | bytes]]) -> None:
        super().__init__(pages)
        self.archived: list[RawOrder] = []

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        listed = [raw for page in self.pages for raw in page if isinstance(raw, RawOrder)]
        return [msgspec.json.encode(raw) for raw in [*listed, *self.archived] if raw.id in ids]


@pytest.fixture
async def shop(database: Database, connection: Connection) -> Shop:
    """A platform whose four orders are synced."""
    platform = Shop([orders("a", "b"), orders("c", "d")])
    assert (await sync_function(database, connection, platform, FUNCTION)).saved.created == 4
    return platform


async def passed(database: Database, connection: Connection, platform: Connector) -> reconciliations.Reconciliation:
    """A pass at a later time, when all that is stored was stored before."""
    return await reconcile(database, connection, platform, FUNCTION, pause=0, clock=lambda: LATER)


async def stored(database: Database, connection: Connection) -> dict[str, str]:
    """The notes of our copies."""
    found = {}
    for id in "abcde":
        document = await records.one(database, connection.key, ORDERS, id)
        if document is not None:
            found[id] = msgspec.json.decode(document)["additional_fields"]["note"]
    return found


async def told(database: Database, connection: Connection) -> list[str]:
    page = await events.read(database, connection.organization_id, None, 100)
    return [event.type for event in page.events if event.type.startswith("cart-")]


async def test_what_is_the_same_is_left_alone(database: Database, connection: Connection, shop: Shop) -> None:
    found = await passed(database, connection, shop)
    assert (found.checked, found.missed, found.changed, found.deleted) == (4, 0, 0, 0)
    assert found.finished is not None
    assert await told(database, connection) == []


async def test_missed_changed_and_deleted_records_are_healed_and_counted(
    database: Database, connection: Connection, shop: Shop
) -> None:
    shop.pages = [orders("a", "b", note="changed without a date"), orders("d", "e")]
    found = await passed(database, connection, shop)
    assert (found.checked, found.missed, found.changed, found.deleted) == (4, 1, 2, 1)
    assert await stored(database, connection) == {
        "a": "changed without a date",
        "b": "changed without a date",
        "d": "",
        "e": "",
    }
    assert sorted(await told(database, connection)) == [
        "cart-order.created",
        "cart-order.deleted",
        "cart-order.updated",
        "cart-order.updated",
    ]
    again = await passed(database, connection, shop)
    assert (again.missed, again.changed, again.deleted) == (0, 0, 0)


async def test_archived_records_are_asked_for_and_stay(database: Database, connection: Connection, shop: Shop) -> None:
    shop.pages = [orders("a", "b"), orders("c")]
    shop.archived = orders("d", note="archived")
    found = await passed(database, connection, shop)
    assert (found.changed, found.deleted) == (1, 0)
    assert (await stored(database, connection))["d"] == "archived"


@pytest.mark.parametrize(("seconds", "deleted"), [(0, 1), (1, 0)])
async def test_what_may_be_hidden_is_not_taken_for_deleted(
    database: Database, connection: Connection, shop: Shop, seconds: int, deleted: int
) -> None:
    shop.pages = [orders("a", "b", "c")]
    shop.visible_from = moment(EPOCH + seconds)
    found = await passed(database, connection, shop)
    assert found.finished is not None
    assert found.deleted == deleted
    assert ("d" in await stored(database, connection)) == (not deleted)


async def test_what_the_next_sync_would_have_brought_is_stored_but_not_counted(
    database: Database, connection: Connection, shop: Shop
) -> None:
    async with database.write() as transaction:
        await transaction.execute(checkpoint_table.update().values(started=EPOCH))
    shop.pages = [orders("a", "b", changed=10, note="fresh"), orders("c", "d")]
    found = await passed(database, connection, shop)
    assert (found.missed, found.changed) == (0, 0)
    assert (await stored(database, connection))["a"] == "fresh"


async def test_a_pass_that_fails_goes_on_behind_its_last_page(
    database: Database, connection: Connection, shop: Shop
) -> None:
    async def fail(number: int) -> None:
        if number == 1:
            raise PlatformUnavailable("down")

    shop.pages = [orders("a"), orders("c", "d")]
    shop.before = fail
    with pytest.raises(PlatformUnavailable):
        await passed(database, connection, shop)
    assert "b" in await stored(database, connection), "nothing is removed before the pass has seen everything"
    shop.before = None
    found = await passed(database, connection, shop)
    assert shop.pulls[-1] == Pull(cursor="1", interrupted=True)
    assert (found.checked, found.deleted) == (3, 1)
    assert await database.execute(reconciled.select().where(reconciled.c.connection_key == connection.key)) == []


async def test_a_record_that_cannot_be_mapped_is_quarantined_and_its_copy_stays(
    database: Database, connection: Connection, shop: Shop
) -> None:
    shop.pages = [orders("a", "b"), [*orders("c"), RawOrder("d", status="unknowable")]]
    found = await passed(database, connection, shop)
    assert found.deleted == 0
    assert "d" in await stored(database, connection)
    assert [each.raw_key for each in await quarantine.list_quarantined(database, connection.key)] == ["d"]


async def test_the_window_of_the_first_sync_is_kept(database: Database, connection: Connection, shop: Shop) -> None:
    async with database.write() as transaction:
        await transaction.execute(checkpoint_table.update().values(since=EPOCH))
    await passed(database, connection, shop)
    since = shop.pulls[-1].since
    assert since is not None
    assert since.timestamp() == EPOCH


async def test_a_function_is_not_reconciled_before_its_first_sync_or_twice_at_once(
    database: Database, connection: Connection
) -> None:
    platform = Shop([orders("a")])
    with pytest.raises(Busy):
        await passed(database, connection, platform)
    await sync_function(database, connection, platform, FUNCTION)
    name = f"reconcile {FUNCTION.value}"
    assert await checkpoints.acquire(database, connection.key, name, "another", int(LATER), 60) is not None
    with pytest.raises(Busy):
        await passed(database, connection, platform)


async def test_passes_are_due_once_in_a_while(
    database: Database, vault: Vault, connection: Connection, shop: Shop
) -> None:
    async with database.write() as transaction:
        # Those of other tests are due as well, and as many as may run at once.
        others = checkpoint_table.c.connection_key != connection.key
        await transaction.execute(checkpoint_table.delete().where(others))
    (synced,) = await checkpoints.list_checkpoints(database, connection.key)
    assert synced.first_finished is not None
    now = float(synced.first_finished)
    passes = 0

    @asynccontextmanager
    async def opened(_: Database, __: Vault, chosen: Connection) -> AsyncIterator[Connector]:
        nonlocal passes
        passes += chosen.id == connection.id
        yield shop

    reconciler = Reconciler(database, vault, every=100, clock=lambda: now, opened=opened, pause=0)

    async def turn() -> int:
        await reconciler.start_due()
        await reconciler.idle()
        return passes

    now += 99
    assert await turn() == 0
    now += 1
    assert await turn() == 1
    assert await turn() == 1
    now += 100
    assert await turn() == 2


async def test_a_quarantined_record_that_is_gone_is_forgotten(
    database: Database, connection: Connection, shop: Shop
) -> None:
    unknowable = [RawOrder("e", status="unknowable"), RawOrder("f", status="unknowable")]
    shop.pages = [orders("a", "b"), [*orders("c", "d"), *unknowable]]
    await passed(database, connection, shop)
    shop.pages = [orders("a", "b"), [*orders("c", "d"), unknowable[1]]]
    found = await reconcile(database, connection, shop, FUNCTION, pause=0, clock=lambda: LATER + 10)
    assert found.deleted == 0
    assert [each.raw_key for each in await quarantine.list_quarantined(database, connection.key)] == ["f"]
