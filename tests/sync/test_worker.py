"""The worker: who is synced when, what happens after a failure, and that workers share the work."""

import asyncio

import pytest

from sync.platform import orders
from sync.shops import ORDERS, START, Shops, eventually, work
from unicart.connectors.kit import PlatformUnavailable, RateLimitedByPlatform
from unicart.store import events, schedules, tenants, writes
from unicart.store.database import Database
from unicart.store.schedules import Schedule
from unicart.store.tenants import Connection
from unicart.sync.worker import EVERY, LONGEST_BACKOFF

pytestmark = pytest.mark.anyio


async def test_what_is_due_is_synced_and_then_not_until_it_is_due_again(shops: Shops) -> None:
    connection, platform = await shops.add(orders("1"))
    worker = shops.worker()
    await work(worker)
    assert len(platform.pulls) == 1
    assert await shops.schedule(connection) == Schedule(ORDERS, 60, False, START + 60, 0)
    shops.now += 59
    await work(worker)
    assert len(platform.pulls) == 1
    shops.now += 1
    await work(worker)
    assert len(platform.pulls) == 2


async def test_a_paused_schedule_waits_until_it_is_resumed(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"))
    await schedules.change(database, connection.key, ORDERS, every=None, paused=True, now=START)
    await work(shops.worker())
    assert platform.pulls == []
    await schedules.change(database, connection.key, ORDERS, every=5, paused=False, now=START)
    await work(shops.worker())
    assert len(platform.pulls) == 1
    assert (await shops.schedule(connection)).due == START + 5


async def test_failures_wait_longer_each_time_and_a_success_ends_that(shops: Shops) -> None:
    connection, platform = await shops.add(orders("1"))

    async def down(number: int) -> None:
        raise PlatformUnavailable("The shop is down.")

    platform.before = down
    waits = []
    for failures in range(1, 9):
        await work(shops.worker())
        failed = await shops.schedule(connection)
        assert failed.failures == failures
        waits.append(failed.due - shops.now)
        shops.now = failed.due
    assert 40 <= waits[0] <= 80
    assert waits[4] > 4 * waits[0]
    assert max(waits) <= 1.25 * LONGEST_BACKOFF
    platform.before = None
    await work(shops.worker())
    assert await shops.schedule(connection) == Schedule(ORDERS, 60, False, int(shops.now) + 60, 0)


async def test_a_platform_that_asks_for_patience_gets_it(shops: Shops) -> None:
    connection, platform = await shops.add(orders("1"))

    async def limited(number: int) -> None:
        raise RateLimitedByPlatform("Wait.", retry_after=5000.0)

    platform.before = limited
    await work(shops.worker())
    assert (await shops.schedule(connection)).due >= START + 5000


async def test_a_slow_shop_holds_up_no_other(shops: Shops) -> None:
    _, slow = await shops.add(orders("1"))
    quick_connection, quick = await shops.add(orders("1"))
    stuck = asyncio.Event()

    async def waits(number: int) -> None:
        await stuck.wait()

    slow.before = waits
    worker = shops.worker()
    await worker.start_due()

    async def done() -> bool:
        return (await shops.schedule(quick_connection)).due == int(shops.now) + 60

    await eventually(done)
    shops.now += 60
    await worker.start_due()
    await eventually(done)
    assert len(quick.pulls) == 2
    stuck.set()
    await worker.idle()
    assert len(slow.pulls) == 1


async def test_a_run_that_outlasts_its_claim_is_not_joined_by_another(shops: Shops) -> None:
    connection, platform = await shops.add(orders("1"))
    reached, stuck = asyncio.Event(), asyncio.Event()

    async def waits(number: int) -> None:
        reached.set()
        await stuck.wait()

    platform.before = waits
    first, second = shops.worker(), shops.worker()
    await first.start_due()
    await reached.wait()
    shops.now += 1000
    await work(second)
    assert len(platform.pulls) == 1
    assert (await shops.schedule(connection)).due > shops.now
    stuck.set()
    await first.idle()


async def test_workers_that_look_at_once_share_the_work(shops: Shops, database: Database) -> None:
    for _ in range(30):
        await shops.add(orders("1"))
    claims = await asyncio.gather(*(schedules.claim(database, START, 12, 60) for _ in range(4)))
    taken = [each.connection.id for some in claims for each in some]
    assert len(taken) == len(set(taken))
    left = await schedules.claim(database, START, 100, 60)
    assert {*taken, *(each.connection.id for each in left)} == set(shops.platforms)


async def test_a_worker_that_is_stopped_leaves_its_runs_to_the_next(shops: Shops) -> None:
    connection, platform = await shops.add(orders("1"), orders("2"))
    reached = asyncio.Event()

    async def waits(number: int) -> None:
        if number == 1 and len(platform.pulls) == 1:
            reached.set()
            await asyncio.sleep(60)

    platform.before = waits
    task = asyncio.create_task(shops.worker().run())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await shops.schedule(connection)).due == START
    await work(shops.worker())
    assert (platform.pulls[1].cursor, platform.pulls[1].interrupted) == ("1", True)


async def test_connections_of_an_earlier_version_are_scheduled(
    shops: Shops, database: Database, connection: Connection
) -> None:
    task = asyncio.create_task(shops.worker().run())

    async def scheduled() -> bool:
        return len(await schedules.list_schedules(database, connection.key)) == len(EVERY)

    await eventually(scheduled)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    found = await schedules.list_schedules(database, connection.key)
    assert {each.function: each.every for each in found} == {function.value: every for function, every in EVERY.items()}


async def test_a_connection_that_is_removed_meanwhile_disturbs_nothing(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"))
    other, _ = await shops.add(orders("1"))

    async def before(number: int) -> None:
        await tenants.remove_connection(database, connection)

    platform.before = before
    await work(shops.worker())
    assert (await shops.schedule(other)).due == START + 60


async def told(database: Database, connection: Connection) -> list[str]:
    """The types of the connection's events, in order."""
    page = await events.read(database, connection.organization_id, None, 100, connection_id=connection.id)
    return [event.type for event in page.events]


async def test_a_forced_sync_runs_at_once_though_paused_and_only_once(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"))
    await work(shops.worker())
    shops.now += 1
    await schedules.pause(database, connection.key, [ORDERS], paused=True, now=int(shops.now))
    assert await schedules.force(database, connection.key, [ORDERS], int(shops.now)) == [ORDERS]
    await work(shops.worker())
    assert (platform.pulls[1].cursor, platform.pulls[1].interrupted) == ("1", False)
    assert (await told(database, connection))[-1] == "connection.force-sync-completed"
    assert await shops.schedule(connection) == Schedule(ORDERS, 60, True, int(shops.now) + 60, 0)
    shops.now += 1000
    await work(shops.worker())
    assert len(platform.pulls) == 2


async def test_a_forced_sync_that_fails_is_tried_again_and_told_once_it_succeeds(
    shops: Shops, database: Database
) -> None:
    connection, platform = await shops.add(orders("1"))
    await schedules.force(database, connection.key, [ORDERS], START)

    async def down(number: int) -> None:
        raise PlatformUnavailable("The shop is down.")

    platform.before = down
    await work(shops.worker())
    assert "connection.force-sync-completed" not in await told(database, connection)
    platform.before = None
    shops.now = (await shops.schedule(connection)).due
    await work(shops.worker())
    assert [type for type in await told(database, connection) if not type.startswith("connection-error")] == [
        "connection.historical-sync-completed",
        "connection.force-sync-completed",
    ]
    assert not (await shops.schedule(connection)).forced


async def test_a_sync_in_progress_is_not_forced(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"))
    forced: list[list[str]] = []

    async def before(number: int) -> None:
        forced.append(await schedules.force(database, connection.key, [ORDERS], 0))

    platform.before = before
    await work(shops.worker())
    assert forced == [[]]


async def test_pausing_takes_a_forced_sync_back(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"))
    await schedules.force(database, connection.key, [ORDERS], START)
    await schedules.pause(database, connection.key, [ORDERS], paused=True, now=START)
    await work(shops.worker())
    assert platform.pulls == []
    shops.now += 10
    await schedules.pause(database, connection.key, [ORDERS], paused=False, now=int(shops.now))
    await work(shops.worker())
    assert len(platform.pulls) == 1


async def test_idempotency_keys_are_forgotten_when_their_day_is_over(
    shops: Shops, database: Database, connection: Connection
) -> None:
    for number in range(250):
        held = await writes.claim(database, connection.key, f"old {number}", "request", "owner", START - writes.KEPT)
        await writes.leave(database, connection.key, held)
    await writes.claim(database, connection.key, "young", "request", "owner", START)
    worker = shops.worker()
    for _ in range(20):
        await worker.prune()
    with pytest.raises(writes.KeyReused):
        await writes.claim(database, connection.key, "young", "another request", "owner", START)
    anew = [
        await writes.claim(database, connection.key, f"old {number}", "another request", "owner", START - writes.KEPT)
        for number in range(250)
    ]
    assert all(each.sent is None for each in anew)
    await worker.prune()
    with pytest.raises(writes.KeyReused):
        await writes.claim(database, connection.key, "old 0", "a third request", "owner", START - writes.KEPT)
