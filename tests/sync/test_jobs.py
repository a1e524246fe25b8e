"""On-demand syncs: what a job pulls and stores, what it holds up, and how it ends."""

import asyncio
from typing import Any

import msgspec
import pytest

from sync.platform import ScriptedPlatform, orders
from sync.shops import ORDERS, START, Shops, eventually, work
from unicart.connectors.kit import PlatformUnavailable, RateLimitedByPlatform
from unicart.contract.common import format_date
from unicart.contract.connections import JobStatus
from unicart.contract.resources import ORDERS as RESOURCE
from unicart.store import checkpoints, events, jobs, quarantine, records, schedules, tenants
from unicart.store.database import Database
from unicart.store.jobs import MOST_FAILURES, Job
from unicart.store.tables import sync_jobs
from unicart.store.tenants import Connection
from unicart.sync.worker import LONGEST_BACKOFF

pytestmark = pytest.mark.anyio

SINCE, UNTIL = START - 1000, START - 500


async def order_job(shops: Shops, database: Database, connection: Connection) -> Job:
    return await jobs.create(database, connection.key, ORDERS, SINCE, UNTIL, int(shops.now))


async def found(database: Database, connection: Connection, job: Job) -> Job:
    read = await jobs.find(database, connection.key, job.id)
    assert read is not None
    return read


async def due(database: Database, job: Job) -> int:
    ((when,),) = await database.execute(
        sync_jobs.select().with_only_columns(sync_jobs.c.due).where(sync_jobs.c.id == job.id)
    )
    return int(when)


async def held(database: Database, connection: Connection, *ids: str) -> list[str]:
    return [id for id in ids if await records.one(database, connection.key, RESOURCE, id) is not None]


async def told(database: Database, connection: Connection) -> list[dict[str, Any]]:
    page = await events.read(database, connection.organization_id, None, 100, connection_id=connection.id)
    return [msgspec.json.decode(event.body) for event in page.events]


def failing(platform: ScriptedPlatform, page: int, error: Exception) -> None:
    async def before(number: int) -> None:
        if number == page:
            raise error

    platform.before = before


async def test_a_job_pulls_its_span_stores_announces_and_is_completed(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1", "2"), [*orders("3"), b"{"])
    job = await order_job(shops, database, connection)
    await work(shops.worker())
    (pull,) = platform.pulls
    assert pull.since is not None
    assert pull.until is not None
    assert (pull.since.timestamp(), pull.until.timestamp()) == (SINCE, UNTIL)
    assert (pull.cursor, pull.interrupted) == (None, False)
    assert await held(database, connection, "1", "2", "3") == ["1", "2", "3"]
    assert [each.raw for each in await quarantine.list_quarantined(database, connection.key)] == [b"{"]
    done = await found(database, connection, job)
    assert (done.status, done.pulled, done.error) == (JobStatus.COMPLETED, 4, None)
    *created, last = await told(database, connection)
    assert [event["event_type"] for event in created] == ["cart-order.created"] * 3
    assert last["event_type"] == "connection.sync-job-completed"
    assert last["data"] == {
        "id": job.id,
        "connection_id": connection.id,
        "function_name": ORDERS,
        "requested_start_time": format_date(SINCE),
        "requested_end_time": format_date(UNTIL),
        "created_at": format_date(START),
        "status": "completed",
        "pulled": 4,
        "error": None,
    }


async def test_a_job_leaves_the_increments_alone(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"), orders("2"))
    await work(shops.worker())
    (before,) = await checkpoints.list_checkpoints(database, connection.key)
    await order_job(shops, database, connection)
    await work(shops.worker())
    assert len(platform.pulls) == 2
    assert await checkpoints.list_checkpoints(database, connection.key) == [before]


async def test_only_the_function_of_an_open_job_waits(shops: Shops, database: Database) -> None:
    connection, _ = await shops.add(orders("1"))
    await schedules.put(database, connection.key, {"get_products": 60}, START)
    await schedules.force(database, connection.key, [ORDERS], START)
    job = await order_job(shops, database, connection)
    claims = await schedules.claim(database, START, 10, 60)
    assert [claim.schedule.function for claim in claims] == ["get_products"]
    await jobs.cancel(database, connection.key, job.id)
    claims = await schedules.claim(database, START, 10, 60)
    assert [claim.schedule.function for claim in claims] == [ORDERS]


async def test_a_failed_job_waits_longer_each_time_and_goes_on_at_its_last_page(
    shops: Shops, database: Database
) -> None:
    connection, platform = await shops.add(orders("1"), orders("2"))
    job = await order_job(shops, database, connection)
    failing(platform, 1, PlatformUnavailable("The shop is down."))
    waits = []
    for failures in (1, 2, 3):
        await work(shops.worker())
        failed = await found(database, connection, job)
        assert (failed.status, failed.failures, failed.error) == (JobStatus.OPEN, failures, "The shop is down.")
        waits.append(await due(database, job) - shops.now)
        shops.now = await due(database, job)
    assert 40 <= waits[0] < waits[1] < waits[2] <= 1.25 * LONGEST_BACKOFF
    platform.before = None
    await work(shops.worker())
    assert [(pull.cursor, pull.interrupted) for pull in platform.pulls] == [(None, False), *[("1", True)] * 3]
    done = await found(database, connection, job)
    assert (done.status, done.pulled, done.error) == (JobStatus.COMPLETED, 2, None)


async def test_a_platform_that_asks_a_job_for_patience_gets_it(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"))
    job = await order_job(shops, database, connection)
    failing(platform, 0, RateLimitedByPlatform("Wait.", retry_after=5000.0))
    await work(shops.worker())
    assert await due(database, job) >= START + 5000


@pytest.mark.parametrize("error", [PlatformUnavailable("The shop is down."), ZeroDivisionError("oops")])
async def test_a_job_that_fails_again_and_again_is_stuck_and_its_function_is_synced_again(
    shops: Shops, database: Database, error: Exception
) -> None:
    connection, platform = await shops.add(orders("1"))
    job = await order_job(shops, database, connection)
    failing(platform, 0, error)
    for _ in range(MOST_FAILURES):
        assert (await found(database, connection, job)).status is JobStatus.OPEN
        shops.now = max(shops.now, await due(database, job))
        await work(shops.worker())
    stuck = await found(database, connection, job)
    assert stuck.status is JobStatus.STUCK
    assert str(error) in str(stuck.error)
    (event,) = await told(database, connection)
    assert event["event_type"] == "connection.sync-job-stuck"
    assert (event["data"]["status"], event["data"]["error"]) == ("stuck", stuck.error)
    shops.now += 10 * LONGEST_BACKOFF
    platform.before = None
    await work(shops.worker())
    assert len(platform.pulls) == MOST_FAILURES + 1
    assert platform.pulls[-1].until is None


async def test_a_cancelled_job_stops_at_its_next_page(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"), orders("2"))
    job = await order_job(shops, database, connection)

    async def before(number: int) -> None:
        if number == 1:
            assert await jobs.cancel(database, connection.key, job.id) is not None

    platform.before = before
    await work(shops.worker())
    assert await held(database, connection, "1", "2") == ["1"]
    done = await found(database, connection, job)
    assert (done.status, done.pulled, done.error) == (JobStatus.CANCELLED, 1, None)
    assert await jobs.cancel(database, connection.key, job.id) is None


async def test_a_job_of_a_worker_that_died_goes_on_at_its_last_page(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"), orders("2"))
    await order_job(shops, database, connection)
    reached, stuck = asyncio.Event(), asyncio.Event()

    async def before(number: int) -> None:
        if number == 1 and len(platform.pulls) == 1:
            reached.set()
            await stuck.wait()

    platform.before = before
    first, second = shops.worker(), shops.worker()
    await first.start_due()
    await reached.wait()
    await work(second)
    assert len(platform.pulls) == 1, "its claim still holds"
    shops.now += 1000
    await work(second)
    assert (platform.pulls[1].cursor, platform.pulls[1].interrupted) == ("1", True)
    stuck.set()
    await first.idle()
    assert [event["event_type"] for event in await told(database, connection)] == [
        "cart-order.created",
        "cart-order.created",
        "connection.sync-job-completed",
    ]


async def test_a_worker_that_is_stopped_leaves_its_jobs_to_the_next(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"), orders("2"))
    job = await order_job(shops, database, connection)
    reached = asyncio.Event()

    async def before(number: int) -> None:
        if number == 1 and len(platform.pulls) == 1:
            reached.set()
            await asyncio.sleep(60)

    platform.before = before
    task = asyncio.create_task(shops.worker().run())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await due(database, job) == START
    await work(shops.worker())
    assert (platform.pulls[1].cursor, platform.pulls[1].interrupted) == ("1", True)
    assert (await found(database, connection, job)).status is JobStatus.COMPLETED


async def test_workers_that_look_at_once_share_the_jobs(shops: Shops, database: Database) -> None:
    connection, _ = await shops.add(orders("1"))
    made = {(await order_job(shops, database, connection)).id for _ in range(30)}
    claims = await asyncio.gather(*(jobs.claim(database, START, 12, 60) for _ in range(4)))
    taken = [claim.job.id for some in claims for claim in some]
    assert len(taken) == len(set(taken))
    left = await jobs.claim(database, START, 100, 60)
    assert {*taken, *(claim.job.id for claim in left)} == made


async def test_a_job_of_a_connection_that_is_removed_disturbs_nothing(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"))
    other, _ = await shops.add(orders("1"))
    await order_job(shops, database, connection)
    job = await order_job(shops, database, other)

    async def before(number: int) -> None:
        await tenants.remove_connection(database, connection)

    platform.before = before
    await work(shops.worker())
    assert (await found(database, other, job)).status is JobStatus.COMPLETED


async def test_a_long_job_holds_up_no_schedule_of_another_shop(shops: Shops, database: Database) -> None:
    connection, platform = await shops.add(orders("1"))
    quick_connection, _ = await shops.add(orders("1"))
    await order_job(shops, database, connection)
    stuck = asyncio.Event()

    async def waits(number: int) -> None:
        await stuck.wait()

    platform.before = waits
    worker = shops.worker()
    await worker.start_due()

    async def done() -> bool:
        return (await shops.schedule(quick_connection)).due == int(shops.now) + 60

    await eventually(done)
    stuck.set()
    await worker.idle()
