"""One sync run: pull a function's pages from the platform, and store each with its cursor in one transaction.

At-least-once and idempotent: a run that dies goes on at its last stored page, and storing a page again changes nothing.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from unicart import tracing
from unicart.connectors.kit import (
    Connector,
    ConnectorError,
    CredentialsRejected,
    PermissionMissing,
    Pull,
    RateLimitedByPlatform,
    RawPage,
)
from unicart.contract.common import format_date
from unicart.contract.connections import ErrorType
from unicart.contract.events import FORCE_SYNC_COMPLETED, HISTORICAL_SYNC_COMPLETED, Event, of_connection
from unicart.contract.resources import BY_FUNCTION, Function
from unicart.store import checkpoints, records
from unicart.store.checkpoints import Checkpoint, LeaseLost, SyncError
from unicart.store.database import Database, StoreUnavailable
from unicart.store.leases import this_process
from unicart.store.records import Saved
from unicart.store.tenants import Connection
from unicart.sync.pages import keyed, map_page, save_page

log = logging.getLogger(__name__)

LEASE_SECONDS = 120
LARGE_LOAD = 1000
DAY = 86400


class Progress(msgspec.Struct):
    """How far a run is. ``total`` is the platform's word on how many raw records there are, if it says.

    ``retry_after`` is how many seconds the platform asks us to stay away, where that is its ``error``.
    """

    function: Function
    pulled: int = 0
    total: int | None = None
    quarantined: int = 0
    saved: Saved = msgspec.field(default_factory=Saved)
    error: str | None = None
    retry_after: float | None = None
    busy: bool = False


Report = Callable[[Progress], None]


async def sync_function(
    database: Database,
    connection: Connection,
    platform: Connector,
    function: Function,
    report: Report = lambda _: None,
    *,
    full: bool = False,
    forced: bool = False,
) -> Progress:
    """Run one function to its end, or to the error that stops it, which is then shown on the connection.

    With ``full``, everything is pulled again, from the oldest record on. The end of a ``forced`` run is told.

    Raises:
        StoreUnavailable: our own store fails. What was stored stays, and the next run goes on from there.
    """
    progress = Progress(function)
    owner = this_process()
    now = int(time.time())
    state = await checkpoints.acquire(
        database,
        connection.key,
        function.value,
        owner,
        now,
        LEASE_SECONDS,
        since=_window(connection, function, now),
        anew=full,
    )
    if state is None:
        progress.busy = True
        return progress
    first = state.first_finished is None
    # What a first sync pulls is not news.
    run = _Run(database, connection, platform, function, owner, progress, report, announced=not first)
    finished: int | None = None
    told: list[Event] = []
    try:
        about = {"unicart.connection_id": connection.id, "unicart.integration": connection.integration_name}
        with tracing.span(f"sync {function.value}", about):
            await run.pull(_next_pull(state))
        ends = [HISTORICAL_SYNC_COMPLETED] * first + [FORCE_SYNC_COMPLETED] * forced
        told += [await _completed(database, connection, function, end) for end in ends]
        finished = int(time.time())
        if run.notice is not None:
            await _notice(database, connection, function, run.notice, finished)
        if progress.saved.created >= LARGE_LOAD:
            await database.refresh_statistics()
    except LeaseLost:
        progress.error = "Another run took this function over, or the connection was removed."
        return progress
    except ConnectorError as error:
        if isinstance(error, RateLimitedByPlatform):
            progress.retry_after = error.retry_after
        await _fail(database, connection, function, progress, error)
    except (StoreUnavailable, asyncio.CancelledError):
        raise
    except Exception as error:
        log.exception("sync of %s %s failed", connection.id, function.value)
        await _fail(database, connection, function, progress, defect(connection, error))
    finally:
        with contextlib.suppress(StoreUnavailable):
            await checkpoints.release(
                database, connection, function.value, owner, finished=finished, told=told, mended=run.notice is None
            )
    return progress


def defect(connection: Connection, error: Exception) -> ConnectorError:
    """What an operator is told of an error that no connector should raise."""
    message = f"The {connection.integration_name} connector failed: {error!r}. This is a defect; please report it."
    return ConnectorError(message, repr(error))


def _next_pull(state: Checkpoint) -> Pull:
    first = state.first_finished is None
    since = datetime.fromtimestamp(state.since, UTC) if first and state.since is not None else None
    return Pull(cursor=state.cursor, interrupted=state.interrupted, since=since)


def _window(connection: Connection, function: Function, now: int) -> int | None:
    """Where the first sync of a function begins; null for everything."""
    if function is not Function.GET_ORDERS or not connection.history_days:
        return None
    return now - connection.history_days * DAY


async def _completed(database: Database, connection: Connection, function: Function, type: str) -> Event:
    resource = BY_FUNCTION[function]
    dates = await records.date_range(database, connection.key, resource)
    oldest, newest = map(format_date, dates) if dates else (None, None)
    data = {"oldest_data_date": oldest, "newest_data_date": newest, "resource": resource.name}
    return of_connection(connection.source, type, data)


_TYPES = {
    CredentialsRejected: ErrorType.INVALID_CREDENTIALS,
    PermissionMissing: ErrorType.MISSING_PERMISSION,
}


async def _fail(
    database: Database, connection: Connection, function: Function, progress: Progress, error: ConnectorError
) -> None:
    progress.error = error.message
    now = int(time.time())
    type = _TYPES.get(error.__class__, ErrorType.OTHER)
    shown = SyncError(function.value, error.message, error.detail, error.url, error.blocking, now, now, type)
    await checkpoints.record_error(database, connection, shown)


async def _notice(database: Database, connection: Connection, function: Function, notice: str, now: int) -> None:
    shown = SyncError(function.value, notice, "", "", False, now, now, ErrorType.MISSING_PERMISSION)
    await checkpoints.record_error(database, connection, shown)


class _Run:
    """A run that holds its lease. ``notice`` is what its last page said."""

    def __init__(
        self,
        database: Database,
        connection: Connection,
        platform: Connector,
        function: Function,
        owner: str,
        progress: Progress,
        report: Report,
        *,
        announced: bool,
    ) -> None:
        self._announced = announced
        self._database = database
        self._connection = connection
        self._platform = platform
        self._function = function
        self._owner = owner
        self._progress = progress
        self._report = report
        self.notice: str | None = None

    async def pull(self, pull: Pull) -> None:
        """Store every page of ``pull``."""
        async with contextlib.aclosing(self._platform.pull(self._function, pull)) as pages:  # type: ignore[type-var]
            async for page in pages:
                with tracing.span("store page", {"unicart.records": len(page.records)}):
                    await self._store(page)
                self._report(self._progress)

    async def _store(self, page: RawPage) -> None:
        mapped = map_page(self._connection, self._platform, self._function, keyed(page.records))
        now = int(time.time())
        async with self._database.write() as transaction:
            # First, so that a run that has lost its lease, or its connection, writes nothing.
            await checkpoints.advance(
                transaction,
                self._connection.key,
                self._function.value,
                self._owner,
                page.cursor,
                now + LEASE_SECONDS,
                pulled=len(page.records),
                expected=page.total,
            )
            saved = await save_page(
                transaction, self._connection, self._function, mapped, now, announced=self._announced
            )
        self.notice = page.notice
        self._progress.saved.add(saved)
        self._progress.pulled += len(page.records)
        self._progress.quarantined += len(mapped.refused)
        self._progress.total = page.total if page.total is not None else self._progress.total
