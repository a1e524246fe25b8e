"""The worker: syncs each connection's functions when they are due, many connections at once.

Any number of workers may share a store. Each run is a task of its own and stores page by page, so that the largest first
sync holds up another connection by no more than a page.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping

from unicart import __version__, logs
from unicart.connectors.kit import ConnectorError, RateLimitedByPlatform
from unicart.connectors.registry import connector
from unicart.contract.resources import Function
from unicart.store import events, jobs, quarantine, schedules, writes
from unicart.store.database import Database, StoreUnavailable
from unicart.store.jobs import JobClaim, JobEnded
from unicart.store.schedules import Claim
from unicart.store.secrets import SecretError, Vault
from unicart.store.tenants import Connection
from unicart.sync.connect import Open, opened_connection
from unicart.sync.jobs import run_job
from unicart.sync.quarantine import retry
from unicart.sync.run import LEASE_SECONDS, Progress, defect, sync_function
from unicart.tasks import Tasks

log = logging.getLogger(__name__)

EVERY: Mapping[Function, int] = {
    Function.GET_ORDERS: 60,
    Function.GET_PRODUCTS: 15 * 60,
    Function.GET_WAREHOUSES: 12 * 3600,
}
"""Seconds between the syncs of a function, unless its schedule is changed."""

TICK = 1.0
DAY = 86400
PRUNE_EVERY = 3600
PRUNED_WRITES = 200
MOST_RUNS = 200
BUSY_WAIT = 60
LONGEST_BACKOFF = 3600
JITTER = 0.2


async def schedule(database: Database, connection: Connection, now: int) -> None:
    """Give every function of the connection's platform a schedule, due at once."""
    functions = connector(connection.integration_name).facts.functions
    every = {function.value: EVERY[function] for function in functions}
    await schedules.put(database, connection.key, every, now)


class Worker:
    """Runs what is due until it is cancelled."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        event_days: int,
        clock: Callable[[], float] = time.time,
        opened: Open = opened_connection,
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._opened = opened
        self._event_days = event_days
        self._next_prune = 0.0
        self._runs = Tasks()

    async def run(self) -> None:
        """Work. When cancelled, runs give their leases back, and go on behind their last page the next time."""
        try:
            await self._schedule_old_connections()
            self._runs.start(self.retry_quarantined())
            while True:
                await self.start_due()
                await self.prune()
                await asyncio.sleep(TICK)
        finally:
            await self._runs.cancel()

    async def start_due(self) -> None:
        """Start what is due now, of each kind of work."""
        try:
            for start in (self._start_jobs, self._start_schedules):
                free = MOST_RUNS - len(self._runs)
                if free > 0:
                    await start(free)
        except StoreUnavailable as error:
            log.error("The worker cannot read what is due: %s", error)

    async def _start_jobs(self, free: int) -> None:
        for claim in await jobs.claim(self._database, int(self._clock()), free, LEASE_SECONDS):
            self._runs.start(self._run_job(claim))

    async def _start_schedules(self, free: int) -> None:
        for claim in await schedules.claim(self._database, int(self._clock()), free, LEASE_SECONDS):
            self._runs.start(self._sync(claim))

    async def prune(self) -> None:
        """Delete events and idempotency keys that are too old: some at a time, and once all are gone, not again for an hour."""
        now = self._clock()
        if now < self._next_prune:
            return
        try:
            gone = await events.prune(self._database, int(now) - self._event_days * DAY)
            gone += await writes.prune(self._database, int(now), PRUNED_WRITES)
        except StoreUnavailable as error:
            log.error("Old events and idempotency keys cannot be deleted: %s", error)
            return
        if not gone:
            self._next_prune = now + PRUNE_EVERY

    async def idle(self) -> None:
        """Wait until the runs that were started have ended."""
        await self._runs.idle()

    async def _schedule_old_connections(self) -> None:
        with contextlib.suppress(StoreUnavailable):
            for connection in await schedules.unscheduled(self._database):
                try:
                    await schedule(self._database, connection, int(self._clock()))
                except LookupError as error:
                    log.error("Connection %s is not synced: %s", connection.id, error)

    async def _sync(self, claim: Claim) -> None:
        connection, function = claim.connection, Function(claim.schedule.function)
        logs.about(connection_id=connection.id, function=function.value)
        started = self._clock()
        progress: Progress | None = None
        try:
            async with self._opened(self._database, self._vault, connection) as platform:
                forced = claim.schedule.forced
                progress = await sync_function(self._database, connection, platform, function, forced=forced)
        except (ConnectorError, LookupError, SecretError, StoreUnavailable) as error:
            log.error("%s %s: %s", connection.id, function.value, error)
        except asyncio.CancelledError:
            await self._finish(claim, int(started), claim.schedule.failures)
            raise
        except Exception:
            log.exception("%s %s failed", connection.id, function.value)
        if progress is not None and progress.error:
            log.warning("%s %s: %s", connection.id, function.value, progress.error)
        await self._reschedule(claim, started, progress)

    async def _reschedule(self, claim: Claim, started: float, progress: Progress | None) -> None:
        every, failures = claim.schedule.every, claim.schedule.failures
        now = self._clock()
        if progress is not None and progress.busy:
            await self._finish(claim, int(now) + BUSY_WAIT, failures)
        elif progress is not None and not progress.error:
            await self._finish(claim, max(int(started) + every, int(now) + 1), 0, succeeded=True)
        else:
            wait = max(_backoff(every, failures), progress.retry_after or 0 if progress else 0)
            await self._finish(claim, int(now + wait), failures + 1)

    async def _finish(self, claim: Claim, due: int, failures: int, *, succeeded: bool = False) -> None:
        with contextlib.suppress(StoreUnavailable):
            await schedules.finish(self._database, claim, due, failures, succeeded=succeeded)

    async def _run_job(self, claim: JobClaim) -> None:
        connection, job = claim.connection, claim.job
        logs.about(connection_id=connection.id, function=job.function, sync_job_id=job.id)
        try:
            async with self._opened(self._database, self._vault, connection) as platform:
                await run_job(self._database, claim, platform, self._clock)
        except JobEnded:
            log.info("%s: on-demand sync %s is stopped", connection.id, job.id)
        except StoreUnavailable as error:
            # Not the job's fault: it is due again when its claim has run out.
            log.error("%s: on-demand sync %s: %s", connection.id, job.id, error)
        except asyncio.CancelledError:
            with contextlib.suppress(StoreUnavailable, JobEnded):
                await jobs.give_back(self._database, claim, int(self._clock()))
            raise
        except (ConnectorError, LookupError, SecretError) as error:
            await self._fail_job(claim, error)
        except Exception as error:
            log.exception("%s: on-demand sync %s failed", connection.id, job.id)
            await self._fail_job(claim, defect(connection, error))

    async def _fail_job(self, claim: JobClaim, error: Exception) -> None:
        log.warning("%s: on-demand sync %s: %s", claim.connection.id, claim.job.id, error)
        patience = (error.retry_after or 0) if isinstance(error, RateLimitedByPlatform) else 0

        def wait(failures: int) -> int:
            return int(max(_backoff(LONGEST_BACKOFF, failures), patience))

        with contextlib.suppress(StoreUnavailable, JobEnded):
            await jobs.fail(self._database, claim, str(error), wait, int(self._clock()))

    async def retry_quarantined(self) -> None:
        """Map again, once, what another version of Unicart could not map."""
        try:
            for connection in await quarantine.holders(self._database, refused_by_other_than=__version__):
                await self._retry_quarantined(connection)
        except StoreUnavailable as error:
            log.error("Quarantined records cannot be mapped again: %s", error)

    async def _retry_quarantined(self, connection: Connection) -> None:
        now = int(self._clock())
        logs.about(connection_id=connection.id)
        try:
            async with self._opened(self._database, self._vault, connection) as platform:
                done = await retry(self._database, connection, platform, now, refused_by_other_than=__version__)
        except (ConnectorError, LookupError, SecretError) as error:
            log.error("%s: quarantined records are not mapped again: %s", connection.id, error)
            return
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("%s: quarantined records are not mapped again", connection.id)
            return
        log.info("%s: quarantined records: %s stored, %s still refused", connection.id, done.stored, done.refused)


def _backoff(every: int, failures: int) -> float:
    """Seconds until a failed function is tried again: twice as long each time, up to an hour, and never in step."""
    wait = min(min(every, 60) * 2.0 ** min(failures, 12), LONGEST_BACKOFF)
    return wait * (1 + random.uniform(-JITTER, JITTER))  # noqa: S311 - no secret
