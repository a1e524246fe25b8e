"""Reconciliation: a slow pass over everything on a platform, which finds and heals what syncs cannot see.

Syncs follow the dates of changes. A record that was deleted has none, one that was changed without a new date hides, and one
that was written with an old date is passed by. A pass pulls everything again, stores what differs, and asks for each of our
records that it has not seen: what is not there any more is removed.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from unicart import logs
from unicart.connectors.kit import Connector, ConnectorError, Pull, RawPage
from unicart.contract.resources import BY_FUNCTION, Function
from unicart.store import checkpoints, reconciliations
from unicart.store.checkpoints import Checkpoint, LeaseLost
from unicart.store.database import Database, StoreUnavailable, Transaction
from unicart.store.leases import this_process
from unicart.store.reconciliations import Reconciliation
from unicart.store.secrets import SecretError, Vault
from unicart.store.tenants import Connection
from unicart.sync.connect import Open, opened_connection
from unicart.sync.pages import MappedPage, keyed, map_page, remove_gone, save_page
from unicart.tasks import Tasks

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between pages, in which the platform and we have time for what is more urgent."""
LEASE_SECONDS = 300
ASK = 100
MOST_PASSES = 8
LOOK_EVERY = 60.0
TRY_AGAIN = 3600.0
GRACE = 120
"""Seconds behind the last sync's beginning: what changed since then, the next sync would have brought."""


class Busy(Exception):
    """Another process reconciles this function, or its first sync is not complete."""


async def reconcile(
    database: Database,
    connection: Connection,
    platform: Connector,
    function: Function,
    *,
    pause: float = PAUSE,
    clock: Callable[[], float] = time.time,
) -> Reconciliation:
    """Compare everything, and heal what differs; a pass that was interrupted goes on behind its last page.

    Raises:
        Busy: not now.
        ConnectorError: the platform failed; the pass goes on from there the next time.
        StoreUnavailable: our own store fails.
    """
    owner, name, now = this_process(), f"reconcile {function.value}", int(clock())
    synced = {each.function: each for each in await checkpoints.list_checkpoints(database, connection.key)}
    sync = synced.get(function.value)
    if sync is None or sync.first_finished is None:
        raise Busy
    state = await checkpoints.acquire(database, connection.key, name, owner, now, LEASE_SECONDS)
    if state is None:
        raise Busy
    finished: int | None = None
    try:
        if not state.interrupted:
            await reconciliations.begin(database, connection.key, function.value, BY_FUNCTION[function].name, now)
        run = _Pass(database, connection, platform, function, name, owner, sync, pause, clock)
        found = await run.run(state)
        finished = int(clock())
        return found
    except LeaseLost:
        raise Busy from None
    finally:
        with contextlib.suppress(StoreUnavailable):
            await checkpoints.release(database, connection, name, owner, finished=finished)


class _Pass:
    def __init__(
        self,
        database: Database,
        connection: Connection,
        platform: Connector,
        function: Function,
        name: str,
        owner: str,
        sync: Checkpoint,
        pause: float,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._connection = connection
        self._platform = platform
        self._function = function
        self._resource = BY_FUNCTION[function]
        self._name = name
        self._owner = owner
        self._since = None if sync.since is None else datetime.fromtimestamp(sync.since, UTC)
        self._synced = (sync.started or 0) - GRACE
        self._pause = pause
        self._clock = clock

    async def run(self, state: Checkpoint) -> Reconciliation:
        cursor = state.cursor if state.interrupted else None
        pull = Pull(cursor=cursor, interrupted=state.interrupted, since=self._since)
        async with contextlib.aclosing(self._platform.pull(self._function, pull)) as pages:  # type: ignore[type-var]
            async for page in pages:
                await self._compare(page)
                await asyncio.sleep(self._pause)
        began = (await self._found()).started
        while ids := await self._unseen(began):
            await self._ask(ids)
            await asyncio.sleep(self._pause)
        key, function = self._connection.key, self._function.value
        await reconciliations.finish(self._database, key, function, self._resource.name, int(self._clock()))
        return await self._found()

    async def _found(self) -> Reconciliation:
        passes = await reconciliations.list_reconciliations(self._database, self._connection.key)
        return next(each for each in passes if each.function == self._function.value)

    async def _unseen(self, began: int) -> list[str]:
        """Records and quarantined records that the pass has not seen."""
        key, function, resource = self._connection.key, self._function.value, self._resource.name
        return await reconciliations.unseen(
            self._database, key, resource, began, ASK
        ) or await reconciliations.unseen_quarantined(self._database, key, function, resource, began, ASK)

    async def _compare(self, page: RawPage) -> None:
        mapped = map_page(self._connection, self._platform, self._function, keyed(page.records))
        async with self._database.write() as transaction:
            until = int(self._clock()) + LEASE_SECONDS
            key = self._connection.key
            await checkpoints.advance(
                transaction, key, self._name, self._owner, page.cursor, until, pulled=len(page.records)
            )
            await self._store(transaction, mapped)

    async def _store(self, transaction: Transaction, page: MappedPage) -> None:
        """Store what differs; what a sync should have brought before is counted."""
        now, key = int(self._clock()), self._connection.key
        late = [each for each in page.mapped if each[1].columns["updated"] > self._synced]
        settled = [each for each in page.mapped if each[1].columns["updated"] <= self._synced]
        await save_page(transaction, self._connection, self._function, MappedPage(late, []), now, announced=True)
        healed = await save_page(
            transaction, self._connection, self._function, MappedPage(settled, page.refused), now, announced=True
        )
        await reconciliations.add(
            transaction,
            key,
            self._function.value,
            checked=len(page.mapped),
            missed=healed.created,
            changed=healed.updated,
        )
        # A record that cannot be mapped now is there all the same; its last good copy stays.
        ids = {prepared.columns["id"] for _, prepared in page.mapped} | {each.raw_key for each in page.refused}
        await reconciliations.see(transaction, key, self._resource.name, ids)

    async def _ask(self, ids: list[str]) -> None:
        """Ask for records that no list shows any more: archived ones are there still."""
        raws = await self._platform.fetch(self._function, ids)
        page = map_page(self._connection, self._platform, self._function, keyed(raws))
        found = {prepared.columns["id"] for _, prepared in page.mapped} | {each.raw_key for each in page.refused}
        gone = set(ids) - found
        visible_from = await self._platform.oldest_visible(self._function) if gone else None
        async with self._database.write() as transaction:
            now, key = int(self._clock()), self._connection.key
            await checkpoints.hold(transaction, key, self._name, self._owner, now + LEASE_SECONDS)
            await self._store(transaction, page)
            deleted = await remove_gone(
                transaction, self._connection, self._function, gone, now, visible_from=visible_from, announced=True
            )
            # What may be hidden stays, and is not asked for again in this pass.
            await reconciliations.see(transaction, key, self._resource.name, gone if visible_from else ())
            await reconciliations.add(transaction, key, self._function.value, deleted=deleted)
        log.info("%s %s: %s records are gone", self._connection.id, self._function.value, deleted)


class Reconciler:
    """Reconciles each function of each connection once in ``every`` seconds, until it is cancelled."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        every: int,
        clock: Callable[[], float] = time.time,
        opened: Open = opened_connection,
        pause: float = PAUSE,
    ) -> None:
        self._database = database
        self._vault = vault
        self._every = every
        self._clock = clock
        self._opened = opened
        self._pause = pause
        self._passes = Tasks()
        self._not_before: dict[tuple[int, str], float] = {}

    async def run(self) -> None:
        """Reconcile. When cancelled, passes go on behind their last page the next time."""
        try:
            while True:
                await self.start_due()
                await asyncio.sleep(LOOK_EVERY)
        finally:
            await self._passes.cancel()

    async def start_due(self) -> None:
        """Begin the passes that are due, as many as may run at once."""
        now = self._clock()
        try:
            due = await reconciliations.due(self._database, int(now), self._every)
        except StoreUnavailable as error:
            log.error("What is to be reconciled cannot be read: %s", error)
            return
        for connection, function in due:
            key = connection.key, function
            free = len(self._passes) < MOST_PASSES and key not in self._passes
            if free and self._not_before.get(key, 0) <= now:
                self._passes.start(self._reconcile(connection, Function(function)), key)

    async def idle(self) -> None:
        """Wait until the passes that were begun have ended."""
        await self._passes.idle()

    async def _reconcile(self, connection: Connection, function: Function) -> None:
        logs.about(connection_id=connection.id, function=function.value)
        self._not_before[connection.key, function.value] = self._clock() + TRY_AGAIN
        try:
            async with self._opened(self._database, self._vault, connection) as platform:
                found = await reconcile(
                    self._database, connection, platform, function, pause=self._pause, clock=self._clock
                )
        except Busy:
            return
        except (ConnectorError, LookupError, SecretError, StoreUnavailable) as error:
            log.warning("%s %s is not reconciled now: %s", connection.id, function.value, error)
            return
        except Exception:
            log.exception("reconciliation of %s %s failed", connection.id, function.value)
            return
        del self._not_before[connection.key, function.value]
        log.info(
            "%s %s: %s records checked; healed %s missed, %s changed, %s deleted",
            connection.id,
            function.value,
            found.checked,
            found.missed,
            found.changed,
            found.deleted,
        )
