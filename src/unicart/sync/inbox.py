"""Platforms' webhooks applied: what each says has changed is fetched or taken from it, and stored as a sync does.

A webhook may come twice, late, out of order or not at all. So it is only a hint: a record that it carries is believed if it
is newer than our copy; otherwise the platform is asked for the record as it is now. One that is not there any more is removed.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from unicart import logs, tracing
from unicart.connectors.kit import Connector, ConnectorError, Hint, Hook, RateLimitedByPlatform
from unicart.contract.resources import BY_FUNCTION, Function
from unicart.store import checkpoints, inbox, records
from unicart.store.checkpoints import LeaseLost
from unicart.store.database import Database, StoreUnavailable
from unicart.store.inbox import Entry
from unicart.store.secrets import SecretError, Vault
from unicart.store.tenants import Connection
from unicart.sync.connect import Open, opened_connection
from unicart.sync.pages import KeyedRaw, MappedPage, keyed, map_page, remove_gone, save_page
from unicart.tasks import Tasks

log = logging.getLogger(__name__)

INBOX = "inbox"
"""The name under which a connection's inbox is leased to one process, as a function is."""
TICK = 0.1
LINGER = 5.0
"""Seconds for which a connection is kept open behind its last webhook: the next one is often near."""
BATCH = 100
LEASE_SECONDS = 60
FIRST_WAIT = 2
LONGEST_WAIT = 3600
MOST_ATTEMPTS = 24


class _Applied(msgspec.Struct):
    """What the webhooks of one function came to: records to store, and ids that are gone."""

    function: Function
    page: MappedPage
    gone: set[str]
    visible_from: datetime | None
    announced: bool


class InboxWorker:
    """Applies webhooks until it is cancelled; each connection's in a task of its own."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        owner: str,
        *,
        clock: Callable[[], float] = time.time,
        opened: Open = opened_connection,
        linger: float = LINGER,
    ) -> None:
        self._database = database
        self._vault = vault
        self._owner = owner
        self._clock = clock
        self._opened = opened
        self._linger = linger
        self._tasks = Tasks()

    async def run(self) -> None:
        """Apply what arrives. When cancelled, what is not applied stays in the inbox."""
        try:
            while True:
                await self.start_due()
                await asyncio.sleep(TICK)
        finally:
            await self._tasks.cancel()

    async def start_due(self) -> None:
        """Begin with each connection that webhooks are due for."""
        try:
            due = await inbox.waiting(self._database, int(self._clock()))
        except StoreUnavailable as error:
            log.error("The inbox cannot be read: %s", error)
            return
        for connection in due:
            if connection.key not in self._tasks:
                self._tasks.start(self._serve(connection), connection.key)

    async def idle(self) -> None:
        """Wait until everything that was begun is applied."""
        await self._tasks.idle()

    async def _serve(self, connection: Connection) -> None:
        logs.about(connection_id=connection.id)
        try:
            if not await self._lease(connection):
                return
            async with self._opened(self._database, self._vault, connection) as platform:
                await self._apply_all(connection, platform)
        except LeaseLost:
            return
        except (ConnectorError, LookupError, SecretError, StoreUnavailable) as error:
            log.error("Webhooks of %s are not applied: %s", connection.id, error)
            await asyncio.sleep(FIRST_WAIT)
        except Exception:
            log.exception("webhooks of %s failed", connection.id)
            await asyncio.sleep(FIRST_WAIT)
        finally:
            with contextlib.suppress(StoreUnavailable):
                await checkpoints.release(self._database, connection, INBOX, self._owner, finished=None)

    async def _lease(self, connection: Connection) -> bool:
        now = int(self._clock())
        held = await checkpoints.acquire(self._database, connection.key, INBOX, self._owner, now, LEASE_SECONDS)
        return held is not None

    async def _apply_all(self, connection: Connection, platform: Connector) -> None:
        until = time.monotonic() + self._linger
        while True:
            entries = await inbox.read_due(self._database, connection.key, int(self._clock()), BATCH)
            if entries:
                about: dict[str, str | int] = {
                    "unicart.connection_id": connection.id,
                    "unicart.webhooks": len(entries),
                }
                with tracing.span("apply webhooks", about):
                    await self._apply(connection, platform, entries)
                until = time.monotonic() + self._linger
            elif time.monotonic() >= until:
                return
            else:
                await asyncio.sleep(TICK)

    async def _apply(self, connection: Connection, platform: Connector, entries: Sequence[Entry]) -> None:
        try:
            hints = _hints(connection, platform, entries)
            applied = [await self._look(connection, platform, function, each) for function, each in hints.items()]
        except ConnectorError as error:
            await self._postpone(connection, entries, error)
            return
        now = int(self._clock())
        async with self._database.write() as transaction:
            await checkpoints.hold(transaction, connection.key, INBOX, self._owner, now + LEASE_SECONDS)
            for each in applied:
                function, announced = each.function, each.announced
                await save_page(transaction, connection, function, each.page, now, announced=announced)
                visible = each.visible_from
                await remove_gone(
                    transaction, connection, function, each.gone, now, visible_from=visible, announced=announced
                )
            await inbox.remove(transaction, entries)

    async def _look(
        self, connection: Connection, platform: Connector, function: Function, hints: Mapping[str, Hint]
    ) -> _Applied:
        """The records that hints of one function are about, as they are now."""
        carried = await self._newer(connection, platform, function, hints)
        asked = [id for id in hints if id not in carried]
        raws = await platform.fetch(function, asked) if asked else []
        page = map_page(connection, platform, function, [*carried.values(), *keyed(raws)])
        found = {key for key, _ in page.mapped} | {each.raw_key for each in page.refused}
        found |= {prepared.columns["id"] for _, prepared in page.mapped}
        gone = set(asked) - found
        visible_from = await platform.oldest_visible(function) if gone else None
        announced = await checkpoints.is_complete(self._database, connection.key, function.value)
        return _Applied(function, page, gone, visible_from, announced)

    async def _newer(
        self, connection: Connection, platform: Connector, function: Function, hints: Mapping[str, Hint]
    ) -> dict[str, KeyedRaw]:
        """The raw records that webhooks carry and that are newer than our copies, by the hint's id.

        A date that is the same says nothing, because unified dates are whole seconds; and a record that we do not have
        may be one that was deleted since.
        """
        raws = {id: keyed([hint.raw])[0] for id, hint in hints.items() if hint.raw is not None}
        mapped = map_page(connection, platform, function, raws.values()).mapped
        ids = [prepared.columns["id"] for _, prepared in mapped]
        stored = await records.updated_dates(self._database, connection.key, BY_FUNCTION[function], ids)
        old = {key for key, each in mapped if each.columns["updated"] <= stored.get(each.columns["id"], 1 << 62)}
        new = {key for key, _ in mapped} - old
        return {id: raw for id, raw in raws.items() if raw[0] in new}

    async def _postpone(self, connection: Connection, entries: Sequence[Entry], error: ConnectorError) -> None:
        tired = [entry for entry in entries if entry.attempts + 1 >= MOST_ATTEMPTS]
        if tired:
            log.error("%s webhooks of %s are given up; polling goes on: %s", len(tired), connection.id, error)
            await inbox.drop(self._database, tired)
        attempts = max(entry.attempts for entry in entries)
        wait = min(FIRST_WAIT * 2**attempts, LONGEST_WAIT)
        if isinstance(error, RateLimitedByPlatform) and error.retry_after:
            wait = max(wait, int(error.retry_after) + 1)
        log.warning("Webhooks of %s wait for %s s: %s", connection.id, wait, error)
        rest = [entry for entry in entries if entry not in tired]
        if rest:
            await inbox.postpone(self._database, rest, int(self._clock()) + wait, error.message)


def _hints(connection: Connection, platform: Connector, entries: Iterable[Entry]) -> dict[Function, dict[str, Hint]]:
    """What webhooks say, by function and id. Of several about one record, which is the newest cannot be told."""
    found: dict[Function, dict[str, Hint]] = {}
    for entry in entries:
        hook = Hook(headers=msgspec.json.decode(entry.headers, type=dict[str, str]), body=entry.body, path=entry.path)
        try:
            hints = platform.read_hook(hook)
        except Exception as error:
            # What it was about is found by polling.
            log.warning("A webhook of %s is not understood: %s", connection.id, error)
            continue
        for hint in hints:
            if hint.function in platform.facts.functions:
                of_function = found.setdefault(hint.function, {})
                told = hint.id in of_function
                of_function[hint.id] = msgspec.structs.replace(hint, raw=None) if told else hint
    return found
