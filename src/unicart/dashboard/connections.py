"""The pages of connections: how all of them stand, and everything about one."""

from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from unicart.api.connections import connection_object, quarantined_record
from unicart.api.schedules import read_disabled
from unicart.connectors.kit import ConnectorError, Facts
from unicart.connectors.registry import connector
from unicart.contract.connections import ConnectionObject, ErrorType, SyncStatus
from unicart.contract.errors import IntegrationError, InvalidRequest
from unicart.contract.resources import Function
from unicart.dashboard.json_text import indented
from unicart.dashboard.pages import HOME, Desk, Visit, path_to, url
from unicart.dashboard.wording import ADVICE
from unicart.store import quarantine, schedules, tenants
from unicart.store.secrets import SecretError
from unicart.store.status import read_statuses
from unicart.store.tenants import Connection
from unicart.sync.connect import opened_connection
from unicart.sync.quarantine import retry

HELD = 50
SHOWN = 60
FEW = 6
LONGEST_EVERY = 30 * 86400


class Health(msgspec.Struct, frozen=True):
    """How a connection stands: ``level`` is good, busy, warning, bad or off."""

    level: str
    word: str


class Line(msgspec.Struct, frozen=True):
    """A connection on the list of all."""

    connection: ConnectionObject
    organization: str
    health: Health
    held: int


class ConnectionPages:
    """The pages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def overview(self, visit: Visit) -> Response:
        """All connections."""
        database = self._desk.database
        names = {each.id: each.name for each in await tenants.list_organizations(database)}
        wanted, number = visit.asked("q").strip(), _page_number(visit.asked("page"))
        matching = [each for each in await tenants.list_connections(database) if _matches(each, wanted)]
        found = matching[(number - 1) * SHOWN : number * SHOWN]
        held = await quarantine.counts(database, [each.key for each in found])
        shown = await self._shown(found, visit.now)
        lines = []
        for connection, each in zip(found, shown, strict=True):
            count = held.get(connection.key, 0)
            lines.append(Line(each, names[connection.organization_id], health(each, count), count))
        chosen = [("q", wanted)] if wanted else []
        return visit.page(
            "connections.html",
            lines=lines,
            several=len(names) > 1,
            busy=_any_busy(shown),
            advice=ADVICE,
            wanted=wanted,
            searchable=bool(wanted) or len(matching) > FEW,
            previous=url(HOME, [*chosen, ("page", str(number - 1))]) if number > 1 else None,
            next=url(HOME, [*chosen, ("page", str(number + 1))]) if len(matching) > number * SHOWN else None,
        )

    async def one(self, visit: Visit) -> Response:
        """One connection."""
        connection = await self._desk.connection(visit.path["id"])
        (shown,) = await self._shown([connection], visit.now)
        held = await quarantine.list_quarantined(self._desk.database, connection.key, limit=HELD + 1)
        counts = await quarantine.counts(self._desk.database, [connection.key])
        return visit.page(
            "connection.html",
            connection=shown,
            health=health(shown, counts.get(connection.key, 0)),
            errors=list(zip(shown.errors, [ADVICE[each.error_type] for each in shown.errors], strict=True)),
            held=[(each, indented(each.raw)) for each in map(quarantined_record, held[:HELD])],
            held_in_all=counts.get(connection.key, 0),
            functions=_functions(connection),
            disabled=connection.disabled,
            busy=_any_busy([shown]),
            facts=_facts(connection),
        )

    async def change_schedule(self, visit: Visit) -> Response:
        """Pause, resume or force the sync of a function, or change how often it is synced."""
        connection = await self._desk.connection(visit.path["id"])
        back = path_to("connections", connection.id)
        chosen = _chosen(connection, visit.path["function"])
        action = visit.form.get("action", "")
        database, key, now = self._desk.database, connection.key, visit.now
        if action == "sync":
            due = await schedules.force(database, key, chosen, now)
            return visit.go(back, "forced" if due else "running")
        if action in ("pause", "resume"):
            await schedules.pause(database, key, chosen, paused=action == "pause", now=now)
            return visit.go(back, f"{action}d")
        if action == "every":
            every = _read_every(visit.form.get("every", ""))
            for function in chosen:
                await schedules.change(database, key, function, every=every, paused=None, now=now)
            return visit.go(back, "frequency")
        raise InvalidRequest("json", {"action": ["must be sync, pause, resume or every"]})

    async def change_functions(self, visit: Visit) -> Response:
        """Enable the functions that are ticked, and disable all others."""
        connection = await self._desk.connection(visit.path["id"])
        known = _functions(connection)
        ticked = visit.values("function")
        names = read_disabled({"disabled_functions": [name for name in known if name not in ticked]}, known)
        await tenants.disable_functions(self._desk.database, connection, names)
        return visit.go(path_to("connections", connection.id), "functions")

    async def retry_quarantined(self, visit: Visit) -> Response:
        """Map the quarantined records again."""
        connection = await self._desk.connection(visit.path["id"])
        try:
            async with opened_connection(self._desk.database, self._desk.vault, connection) as platform:
                done = await retry(self._desk.database, connection, platform, visit.now)
        except (ConnectorError, LookupError, SecretError) as error:
            raise IntegrationError(502, str(error)) from error
        return visit.go(path_to("connections", connection.id), "refused" if done.refused else "retried")

    async def _shown(self, found: Sequence[Connection], now: int) -> list[ConnectionObject]:
        statuses = await read_statuses(self._desk.database, [each.key for each in found])
        return [connection_object(each, statuses[each.key], now) for each in found]


def health(connection: ConnectionObject, held: int) -> Health:
    """How a connection stands, with ``held`` records in quarantine."""
    statuses = [each.sync_status for each in connection.sync_schedules]
    if any(point.preventing_sync for error in connection.errors for point in error.affected_endpoints):
        return Health("bad", "Stopped by an error")
    if connection.errors:
        permission = all(error.error_type is ErrorType.MISSING_PERMISSION for error in connection.errors)
        return Health("warning", "Sees only a part" if permission else "Fails, is tried again")
    if not all(connection.historical_sync_completed.values()):
        return Health("busy", "First sync")
    if statuses and all(status is SyncStatus.DISABLED for status in statuses):
        return Health("off", "Paused")
    if held:
        return Health("warning", "Has quarantined records")
    return Health("good", "Healthy")


def _matches(connection: Connection, wanted: str) -> bool:
    texts = connection.account_name, connection.customer_id or "", connection.id, connection.integration_name
    return any(wanted.casefold() in text.casefold() for text in texts)


def _page_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text) else 1


def _any_busy(shown: Sequence[ConnectionObject]) -> bool:
    return any(schedule.in_progress for each in shown for schedule in each.sync_schedules)


def _facts(connection: Connection) -> Facts | None:
    try:
        return connector(connection.integration_name).facts
    except LookupError:
        return None


def _functions(connection: Connection) -> list[str]:
    facts = _facts(connection)
    return [each.value for each in (*facts.functions, *facts.write_functions)] if facts else []


def _chosen(connection: Connection, name: str) -> tuple[Function, ...]:
    """The function of that name, or all."""
    facts = _facts(connection)
    known = facts.functions if facts else ()
    if name == "all":
        return known
    if name not in known:
        raise InvalidRequest("path", {"function": [f"must be one of: {', '.join(known)}"]})
    return (Function(name),)


def _read_every(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= LONGEST_EVERY):
        raise InvalidRequest("json", {"every": [f"must be a whole number of seconds from 1 to {LONGEST_EVERY}"]})
    return int(text)
