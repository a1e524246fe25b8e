"""On-demand syncs: one function's records of a span of time, pulled once. Times are epoch seconds."""

import uuid
from collections.abc import Callable

import msgspec
from sqlalchemy import select, update

from unicart.contract.common import format_date
from unicart.contract.connections import JobStatus, SyncJob
from unicart.contract.events import SYNC_JOB_COMPLETED, SYNC_JOB_STUCK, Event, of_connection
from unicart.contract.resources import Function
from unicart.store import events
from unicart.store.database import Database, Transaction
from unicart.store.leases import this_process
from unicart.store.rows import columns, read
from unicart.store.tables import sync_jobs
from unicart.store.tenants import Connection, connections_by_key


class JobEnded(Exception):
    """The job was cancelled, or another worker has taken it; this one must stop without writing."""


class Job(msgspec.Struct, frozen=True):
    """A job to pull what was created from ``start`` to ``until``; ``pulled`` raw records so far.

    ``failures`` counts failed runs since a page was stored, ``error`` is the last one's.
    """

    id: str
    function: str
    start: int
    until: int
    created: int
    status: JobStatus
    cursor: str | None
    pulled: int
    failures: int
    error: str | None


def shown(job: Job, connection_id: str) -> SyncJob:
    """The job as it is served and told."""
    return SyncJob(
        id=job.id,
        connection_id=connection_id,
        function_name=Function(job.function),
        requested_start_time=format_date(job.start),
        requested_end_time=format_date(job.until),
        created_at=format_date(job.created),
        status=job.status,
        pulled=job.pulled,
        error=job.error,
    )


class JobClaim(msgspec.Struct, frozen=True):
    """An open job that is due, given to one worker under the name ``owner``."""

    connection: Connection
    job: Job
    owner: str


MOST_FAILURES = 10
"""Failed runs in a row, after which a job is stuck."""

_c = sync_jobs.c
_COLUMNS = columns(Job, sync_jobs)


async def create(database: Database, connection_key: int, function: str, start: int, until: int, now: int) -> Job:
    """A new job, due at once."""
    job = Job(uuid.uuid4().hex, function, start, until, now, JobStatus.OPEN, None, 0, 0, None)
    values = {**msgspec.structs.asdict(job), "status": job.status.value}
    async with database.write() as transaction:
        await transaction.execute(sync_jobs.insert().values(connection_key=connection_key, due=now, **values))
    return job


async def find(database: Database, connection_key: int, id: str) -> Job | None:
    """The job of this connection with that id."""
    rows = await database.execute(select(*_COLUMNS).where(_c.id == id, _c.connection_key == connection_key))
    return read(Job, rows[0]) if rows else None


async def cancel(database: Database, connection_key: int, id: str) -> Job | None:
    """Cancel an open job of this connection; null if there is none. A run of it stops at its next page."""
    async with database.write() as transaction:
        rows = await transaction.execute(
            update(sync_jobs)
            .where(_c.id == id, _c.connection_key == connection_key, _c.status == JobStatus.OPEN.value)
            .values(status=JobStatus.CANCELLED.value)
            .returning(*_COLUMNS)
        )
    return read(Job, rows[0]) if rows else None


async def claim(database: Database, now: int, limit: int, hold: int) -> list[JobClaim]:
    """Take up to ``limit`` open jobs that are due, the longest due first, for ``hold`` seconds."""
    due = select(_c.id).where(_c.status == JobStatus.OPEN.value, _c.due <= now)
    if not await database.execute(due.limit(1)):
        return []
    owner = this_process()
    chosen = due.order_by(_c.due, _c.id).limit(limit).with_for_update(skip_locked=True)
    async with database.write() as transaction:
        taken = await transaction.execute(
            update(sync_jobs)
            .where(_c.id.in_(chosen))
            .values(due=now + hold, owner=owner)
            .returning(_c.connection_key, *_COLUMNS)
        )
    if not taken:
        return []
    found = await connections_by_key(database, {row[0] for row in taken})
    return [JobClaim(found[row[0]], read(Job, tuple(row)[1:]), owner) for row in taken if row[0] in found]


async def advance(transaction: Transaction, claimed: JobClaim, cursor: str, pulled: int, held_until: int) -> None:
    """Store the cursor behind a page of ``pulled`` raw records, in the page's own transaction, and hold the job on.

    Raises:
        JobEnded: it is cancelled or another worker's; the transaction must not commit.
    """
    await _change(
        transaction,
        claimed,
        cursor=cursor,
        pulled=_c.pulled + pulled,
        failures=0 if pulled else _c.failures,
        due=held_until,
    )


async def complete(database: Database, claimed: JobClaim, now: int) -> None:
    """End a job whose pages are all stored, and tell it.

    Raises:
        JobEnded: it is cancelled or another worker's.
    """
    async with database.write() as transaction:
        job = await _change(transaction, claimed, status=JobStatus.COMPLETED.value, error=None, owner=None)
        await events.put(transaction, claimed.connection, [_told(claimed.connection, SYNC_JOB_COMPLETED, job)], now)


async def fail(database: Database, claimed: JobClaim, error: str, wait: Callable[[int], int], now: int) -> None:
    """Count a failed run: the job is due again after ``wait`` seconds, which is asked with the failures before this one.

    With the `MOST_FAILURES`-th in a row it is stuck instead, which is told.

    Raises:
        JobEnded: it is cancelled or another worker's.
    """
    async with database.write() as transaction:
        job = await _change(transaction, claimed, failures=_c.failures + 1, error=error)
        if job.failures < MOST_FAILURES:
            await _change(transaction, claimed, due=now + wait(job.failures - 1), owner=None)
            return
        job = await _change(transaction, claimed, status=JobStatus.STUCK.value, owner=None)
        await events.put(transaction, claimed.connection, [_told(claimed.connection, SYNC_JOB_STUCK, job)], now)


async def give_back(database: Database, claimed: JobClaim, due: int) -> None:
    """Let any worker take the job again at ``due``.

    Raises:
        JobEnded: it is cancelled or another worker's.
    """
    async with database.write() as transaction:
        await _change(transaction, claimed, due=due, owner=None)


def _told(connection: Connection, type: str, job: Job) -> Event:
    return of_connection(connection.source, type, shown(job, connection.id))


async def _change(transaction: Transaction, claimed: JobClaim, **values: object) -> Job:
    rows = await transaction.execute(
        update(sync_jobs)
        .where(_c.id == claimed.job.id, _c.owner == claimed.owner, _c.status == JobStatus.OPEN.value)
        .values(**values)
        .returning(*_COLUMNS)
    )
    if not rows:
        raise JobEnded(claimed.job.id)
    return read(Job, rows[0])
