"""On-demand syncs: the pages of a span of time, each stored with the job's cursor in one transaction."""

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime

from unicart.connectors.kit import Connector, Pull, RawPage
from unicart.contract.resources import Function
from unicart.store import jobs
from unicart.store.database import Database
from unicart.store.jobs import JobClaim
from unicart.sync.pages import keyed, map_page, save_page
from unicart.sync.run import LEASE_SECONDS


async def run_job(
    database: Database, claimed: JobClaim, platform: Connector, clock: Callable[[], float] = time.time
) -> None:
    """Pull a claimed job from its last page to its end.

    Raises:
        JobEnded: it was cancelled, or another worker has taken it.
        ConnectorError: the platform fails. What was stored stays, and the next attempt goes on from there.
    """
    job = claimed.job
    pull = Pull(
        cursor=job.cursor,
        interrupted=job.cursor is not None,
        since=datetime.fromtimestamp(job.start, UTC),
        until=datetime.fromtimestamp(job.until, UTC),
    )
    function = Function(job.function)
    async with contextlib.aclosing(platform.pull(function, pull)) as pages:  # type: ignore[type-var]
        async for page in pages:
            await _store(database, claimed, platform, function, page, int(clock()))
    await jobs.complete(database, claimed, int(clock()))


async def _store(
    database: Database, claimed: JobClaim, platform: Connector, function: Function, page: RawPage, now: int
) -> None:
    mapped = map_page(claimed.connection, platform, function, keyed(page.records))
    async with database.write() as transaction:
        # First, so that a job that was cancelled writes nothing.
        await jobs.advance(transaction, claimed, page.cursor, len(page.records), now + LEASE_SECONDS)
        await save_page(transaction, claimed.connection, function, mapped, now, announced=True)
