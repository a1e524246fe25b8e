"""One sync run: pull a function's pages from the platform, and store each with its cursor in one transaction.

At-least-once and idempotent: a run that dies goes on at its last stored page, and storing a page again changes nothing.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Sequence

import msgspec

from unicart.connectors.kit import Connector, ConnectorError, Pull, RateLimitedByPlatform, RawPage, fingerprint
from unicart.contract.common import format_date
from unicart.contract.events import HISTORICAL_SYNC_COMPLETED, Event, of_connection
from unicart.contract.resources import BY_FUNCTION, Function
from unicart.store import checkpoints, records
from unicart.store.checkpoints import LeaseLost, SyncError
from unicart.store.database import Database, StoreUnavailable
from unicart.store.records import Prepared, Saved
from unicart.store.tenants import Connection

log = logging.getLogger(__name__)

LEASE_SECONDS = 120
LARGE_LOAD = 1000


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
) -> Progress:
    """Run one function to its end, or to the error that stops it, which is then shown on the connection.

    Raises:
        StoreUnavailable: our own store fails. What was stored stays, and the next run goes on from there.
    """
    progress = Progress(function)
    owner = uuid.uuid4().hex
    state = await checkpoints.acquire(database, connection.key, function.value, owner, int(time.time()), LEASE_SECONDS)
    if state is None:
        progress.busy = True
        return progress
    first = state.first_finished is None
    # What a first sync pulls is not news.
    run = _Run(database, connection, platform, function, owner, progress, report, announced=not first)
    finished: int | None = None
    told: list[Event] = []
    try:
        await run.pull(Pull(cursor=state.cursor, interrupted=state.interrupted))
        if first:
            told.append(await _completed(database, connection, function))
        finished = int(time.time())
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
        message = f"The {connection.integration_name} connector failed: {error!r}. This is a defect; please report it."
        await _fail(database, connection, function, progress, ConnectorError(message, repr(error)))
    finally:
        with contextlib.suppress(StoreUnavailable):
            await checkpoints.release(database, connection, function.value, owner, finished=finished, told=told)
    return progress


async def _completed(database: Database, connection: Connection, function: Function) -> Event:
    resource = BY_FUNCTION[function]
    dates = await records.date_range(database, connection.key, resource)
    oldest, newest = map(format_date, dates) if dates else (None, None)
    data = {"oldest_data_date": oldest, "newest_data_date": newest, "resource": resource.name}
    return of_connection(connection.id, connection.integration_name, HISTORICAL_SYNC_COMPLETED, data)


async def _fail(
    database: Database, connection: Connection, function: Function, progress: Progress, error: ConnectorError
) -> None:
    progress.error = error.message
    now = int(time.time())
    shown = SyncError(function.value, error.message, error.detail, error.url, error.blocking, now, now)
    await checkpoints.record_error(database, connection, shown)


class _Run:
    """A run that holds its lease."""

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
        self._resource = BY_FUNCTION[function]
        self._owner = owner
        self._progress = progress
        self._report = report

    async def pull(self, pull: Pull) -> None:
        """Store every page of ``pull``."""
        async with contextlib.aclosing(self._platform.pull(self._function, pull)) as pages:  # type: ignore[type-var]
            async for page in pages:
                await self._store(page)
                self._report(self._progress)

    async def _store(self, page: RawPage) -> None:
        mapped, refused = self._map(page.records)
        now = int(time.time())
        key, function = self._connection.key, self._function.value
        async with self._database.write() as transaction:
            # First, so that a run that has lost its lease, or its connection, writes nothing.
            await checkpoints.advance(transaction, key, function, self._owner, page.cursor, now + LEASE_SECONDS)
            content = [prepared for _, prepared in mapped]
            saved = await records.save(
                transaction, self._connection, self._resource, content, now, announced=self._announced
            )
            for raw_key, raw, reason in refused:
                await checkpoints.put_quarantined(transaction, key, function, raw_key, reason, raw, now)
            await checkpoints.clear_quarantined(transaction, key, function, {raw_key for raw_key, _ in mapped})
        self._progress.saved.add(saved)
        self._progress.pulled += len(page.records)
        self._progress.quarantined += len(refused)
        self._progress.total = page.total if page.total is not None else self._progress.total

    def _map(self, raws: Sequence[bytes]) -> tuple[list[tuple[str, Prepared]], list[tuple[str, bytes, str]]]:
        """Each unified record with the key of its raw one, and the raw records that could not be mapped."""
        mapped: list[tuple[str, Prepared]] = []
        refused: list[tuple[str, bytes, str]] = []
        for raw in raws:
            raw_key = _raw_key(raw)
            try:
                mapped += [(raw_key, records.prepare(record)) for record in self._platform.map(self._function, raw)]
            except Exception as error:
                reason = (str(error) or repr(error)).replace("\x00", "")
                log.warning("%s %s: quarantined %s: %s", self._connection.id, self._function.value, raw_key, reason)
                refused.append((raw_key, raw, reason))
        return mapped, refused


class _WithId(msgspec.Struct):
    id: str | int


_ids = msgspec.json.Decoder(_WithId)


def _raw_key(raw: bytes) -> str:
    """The raw record's own ``id`` where it has one, so that a later version of it takes the same place."""
    try:
        return str(_ids.decode(raw).id).replace("\x00", "")[:200]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return fingerprint(raw.decode("utf-8", "replace"))
