"""Runs against a scripted platform and real databases: what is stored, resumed, refused and shown."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from faults import full_disk, locked
from sync.platform import RawOrder, ScriptedPlatform, orders
from unicart.connectors.kit import (
    BadAnswer,
    ConnectorError,
    CredentialsRejected,
    PermissionMissing,
    PlatformUnavailable,
    RateLimitedByPlatform,
    RequestRefused,
)
from unicart.contract.resources import ORDERS, Function
from unicart.store import checkpoints, events, quarantine, records
from unicart.store.checkpoints import Checkpoint, SyncError
from unicart.store.database import Database, StoreUnavailable
from unicart.store.records import Saved
from unicart.store.tables import checkpoints as table
from unicart.store.tenants import Connection
from unicart.sync.run import Progress, sync_function

pytestmark = pytest.mark.anyio

Run = Callable[[ScriptedPlatform], Awaitable[Progress]]
THREE = [orders("1", "2"), orders("3", "4"), orders("5")]


@pytest.fixture
def run(database: Database, connection: Connection) -> Run:
    async def sync(platform: ScriptedPlatform) -> Progress:
        return await sync_function(database, connection, platform, Function.GET_ORDERS)

    return sync


@pytest.fixture
def held(database: Database, connection: Connection) -> Callable[..., Awaitable[dict[str, Any]]]:
    """The stored orders of some ids."""

    async def read(*ids: str) -> dict[str, Any]:
        found = {id: await records.one(database, connection.key, ORDERS, id) for id in ids}
        return {id: msgspec.json.decode(document) for id, document in found.items() if document is not None}

    return read


async def state(database: Database, connection: Connection) -> Checkpoint:
    (found,) = await checkpoints.list_checkpoints(database, connection.key)
    return found


async def errors(database: Database, connection: Connection) -> list[SyncError]:
    return await checkpoints.list_errors(database, connection.key)


async def lease_ends(database: Database) -> None:
    """As if the time of every lease were over."""
    async with database.write() as transaction:
        await transaction.execute(table.update().values(lease_until=0))


def failing_before(page: int, error: BaseException) -> Callable[[int], Awaitable[None]]:
    async def before(number: int) -> None:
        if number == page:
            raise error

    return before


async def test_every_page_is_stored_and_the_run_is_finished(
    run: Run, held: Any, database: Database, connection: Connection
) -> None:
    progress = await run(ScriptedPlatform(THREE))
    assert (progress.pulled, progress.total, progress.saved, progress.error) == (5, 5, Saved(created=5), None)
    assert set(await held("1", "2", "3", "4", "5")) == {"1", "2", "3", "4", "5"}
    done = await state(database, connection)
    assert (done.cursor, done.interrupted, done.lease_owner) == ("3", False, None)
    assert done.finished is not None
    assert done.first_finished == done.finished


async def test_a_run_that_stops_goes_on_behind_its_last_page(
    run: Run, held: Any, database: Database, connection: Connection
) -> None:
    platform = ScriptedPlatform(THREE)
    platform.before = failing_before(2, PlatformUnavailable("The shop is down."))
    stopped = await run(platform)
    assert stopped.error == "The shop is down."
    assert stopped.pulled == 4
    assert set(await held("4", "5")) == {"4"}
    broken = await state(database, connection)
    assert (broken.cursor, broken.interrupted, broken.finished) == ("2", True, None)

    platform.before = None
    resumed = await run(platform)
    assert (platform.pulls[1].cursor, platform.pulls[1].interrupted) == ("2", True)
    assert (resumed.pulled, resumed.saved) == (1, Saved(created=1))

    await run(platform)
    assert (platform.pulls[2].cursor, platform.pulls[2].interrupted) == ("3", False)


async def test_what_has_not_changed_is_not_written(run: Run, held: Any) -> None:
    await run(ScriptedPlatform(THREE))
    before = await held("1", "5")
    again = await run(ScriptedPlatform(THREE))
    assert again.saved == Saved(unchanged=5)
    assert await held("1", "5") == before


async def test_a_change_is_stored_and_an_older_version_is_not(run: Run, held: Any) -> None:
    await run(ScriptedPlatform([orders("1", changed=10)]))
    changed = await run(ScriptedPlatform([orders("1", changed=20, status="fulfilled")]))
    assert changed.saved == Saved(updated=1)
    late = await run(ScriptedPlatform([orders("1", changed=15, status="cancelled")]))
    assert late.saved == Saved(stale=1)
    assert (await held("1"))["1"]["status"] == "fulfilled"


async def test_a_record_that_cannot_be_mapped_is_quarantined_until_it_can(
    run: Run, held: Any, database: Database, connection: Connection
) -> None:
    bad = RawOrder("2", status="unknowable", note="keep me")
    nonsense = b'{"id": 7, "status": ['
    progress = await run(ScriptedPlatform([[*orders("1"), bad, nonsense, *orders("3")]]))
    assert (progress.pulled, progress.quarantined, progress.error) == (4, 2, None)
    assert set(await held("1", "2", "3")) == {"1", "3"}
    quarantined = {each.raw_key: each for each in await quarantine.list_quarantined(database, connection.key)}
    assert quarantined["2"].reason == "status: 'unknowable' cannot be mapped"
    assert quarantined["2"].raw == msgspec.json.encode(bad)
    assert nonsense in [each.raw for each in quarantined.values()]

    await run(ScriptedPlatform([orders("2")]))
    left = await quarantine.list_quarantined(database, connection.key)
    assert [each.raw for each in left] == [nonsense]
    assert set(await held("2")) == {"2"}


@pytest.mark.parametrize(
    "error",
    [
        PlatformUnavailable("The shop is down.", "503"),
        RateLimitedByPlatform("The shop asks for patience.", "429", retry_after=600.0),
        CredentialsRejected("The key is not accepted. Renew it.", "401"),
        PermissionMissing("The key may not read orders.", "403"),
        RequestRefused("The shop refuses.", "400", status=400),
        BadAnswer("The shop answers HTML.", "<html>"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_stands_on_the_connection_until_a_run_succeeds(
    error: ConnectorError, run: Run, database: Database, connection: Connection
) -> None:
    platform = ScriptedPlatform(THREE)
    platform.before = failing_before(1, error)
    assert (await run(platform)).error == error.message
    (first,) = await errors(database, connection)
    assert (first.function, first.message, first.detail) == ("get_orders", error.message, error.detail)
    assert first.preventing_sync is isinstance(error, CredentialsRejected)
    await run(platform)
    (second,) = await errors(database, connection)
    assert second.first_seen == first.first_seen
    platform.before = None
    await run(platform)
    assert await errors(database, connection) == []


async def test_an_error_is_told_when_it_comes_changes_and_goes(
    run: Run, database: Database, connection: Connection
) -> None:
    platform = ScriptedPlatform(THREE)
    for error in ("down", "down", "still down", None):
        failure = PlatformUnavailable(error, url="https://shop.example/orders") if error else None
        platform.before = failing_before(1, failure) if failure else None
        await run(platform)
    told = [
        msgspec.json.decode(event.body)
        for event in (await events.read(database, connection.organization_id, None, 100)).events
        if event.type.startswith("connection-error")
    ]
    assert [(event["event_type"], event["data"]["error_message"]) for event in told] == [
        ("connection-error.created", "down"),
        ("connection-error.updated", "still down"),
        ("connection-error.deleted", "still down"),
    ]
    assert told[1]["previous_attributes"] == {"error_message": "down"}
    assert told[0]["data"]["failed_url"] == "https://shop.example/orders"
    assert told[0]["data"]["affected_endpoints"] == [{"endpoint": "GET /cart/orders", "preventing_sync": False}]


async def test_what_runs_cannot_see_stands_on_the_connection_until_one_sees_all(
    run: Run, database: Database, connection: Connection
) -> None:
    platform = ScriptedPlatform(THREE)
    platform.notice = "Older orders are hidden. Grant the scope read_all_orders."
    for _ in range(2):
        progress = await run(platform)
        assert (progress.error, progress.pulled) == (None, 5)
        (shown,) = await errors(database, connection)
        assert (shown.message, shown.type, shown.preventing_sync) == (platform.notice, "missing_permission", False)
        assert shown.last_seen == (await state(database, connection)).finished
    platform.notice = None
    await run(platform)
    assert await errors(database, connection) == []
    told = (await events.read(database, connection.organization_id, None, 100)).events
    assert [each.type for each in told if "error" in each.type] == [
        "connection-error.created",
        "connection-error.deleted",
    ]


async def test_a_first_sync_is_told_by_its_end_alone(run: Run, database: Database, connection: Connection) -> None:
    await run(ScriptedPlatform(THREE))
    await run(ScriptedPlatform([orders("1", changed=5, status="fulfilled"), orders("6")]))
    found = (await events.read(database, connection.organization_id, None, 100)).events
    assert [event.type for event in found] == [
        "connection.historical-sync-completed",
        "cart-order.updated",
        "cart-order.created",
    ]


async def test_a_defect_of_a_connector_is_shown_and_loses_nothing(
    run: Run, held: Any, database: Database, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    platform = ScriptedPlatform(THREE)
    platform.before = failing_before(1, ZeroDivisionError("oops"))
    assert "This is a defect" in ((await run(platform)).error or "")
    (shown,) = await errors(database, connection)
    assert "oops" in shown.detail
    assert "ZeroDivisionError" in caplog.text
    assert set(await held("1", "2", "3")) == {"1", "2"}
    assert (await state(database, connection)).lease_owner is None


async def test_two_runs_of_one_function_never_meet(run: Run, database: Database) -> None:
    first, second = ScriptedPlatform(THREE), ScriptedPlatform(THREE)
    met: list[Progress] = []

    async def meanwhile(number: int) -> None:
        if number == 1:
            met.append(await run(second))

    first.before = meanwhile
    done = await run(first)
    assert met[0].busy
    assert second.pulls == []
    assert (done.pulled, done.error) == (5, None)


async def test_a_run_whose_lease_was_taken_over_stores_nothing_more(
    run: Run, held: Any, database: Database, connection: Connection
) -> None:
    slow, other = ScriptedPlatform(THREE), ScriptedPlatform(THREE)

    async def overslept(number: int) -> None:
        if number == 1:
            await lease_ends(database)
            other.before = failing_before(1, PlatformUnavailable("down"))
            await run(other)
            # The page that the slow run holds now must not be stored behind the other's cursor.
            await checkpoints.acquire(database, connection.key, "get_orders", "someone else", 0, 1)

    slow.before = overslept
    progress = await run(slow)
    assert progress.error is not None
    assert "took this function over" in progress.error
    assert set(await held("2", "3")) == {"2"}
    assert (await state(database, connection)).cursor == "1"


async def test_a_cancelled_run_gives_its_lease_back(run: Run, database: Database, connection: Connection) -> None:
    platform = ScriptedPlatform(THREE)
    reached = asyncio.Event()

    async def waits(number: int) -> None:
        if number == 1:
            reached.set()
            await asyncio.sleep(60)

    platform.before = waits
    task = asyncio.create_task(asyncio.wait_for(run(platform), 60))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = await state(database, connection)
    assert (left.lease_owner, left.cursor, left.interrupted) == (None, "1", True)


async def test_a_locked_store_stops_the_run_and_the_next_goes_on(
    run: Run, held: Any, database: Database, store_url: str
) -> None:
    platform = ScriptedPlatform(THREE)
    async with locked(database, store_url, "orders"):
        with pytest.raises(StoreUnavailable, match="locked"):
            await run(platform)
    assert await held("1", "2") == {}
    await lease_ends(database)
    assert (await run(platform)).saved == Saved(created=5)


async def test_a_full_disk_stops_the_run_with_whole_pages_stored(
    run: Run, held: Any, database: Database, connection: Connection, store_url: str
) -> None:
    pages = [[RawOrder(f"{page}-{number}", note="x" * 200) for number in range(80)] for page in range(3)]
    platform = ScriptedPlatform(pages)

    async with full_disk(database, store_url, connection):
        with pytest.raises(StoreUnavailable, match=r"full|space"):
            await run(platform)
        stored = [len(await held(*(order.id for order in page))) for page in pages]
        assert set(stored) <= {0, 80}
        assert stored[2] == 0
    await lease_ends(database)
    assert (await run(platform)).error is None
    assert [len(await held(*(order.id for order in page))) for page in pages] == [80, 80, 80]
