"""The routes of an organization's connections: how they and their syncs stand, and what is quarantined."""

import time
from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from unicart.api.parameters import PageQuery, no_parameters, read_page_query
from unicart.api.records import Services
from unicart.api.reply import Endpoint, Reply
from unicart.connectors.kit import Facts
from unicart.connectors.registry import connector
from unicart.contract.common import encode, format_date
from unicart.contract.connections import (
    AffectedEndpoint,
    ConnectedAccount,
    ConnectionObject,
    ConnectionProblem,
    ErrorType,
    QuarantinedRecord,
    ReconciliationResult,
    SyncSchedule,
    SyncStatus,
)
from unicart.contract.errors import NotFound
from unicart.contract.resources import BY_FUNCTION, Function
from unicart.store import quarantine, tenants
from unicart.store.checkpoints import Checkpoint, SyncError
from unicart.store.pages import Position
from unicart.store.quarantine import Quarantined
from unicart.store.reconciliations import Reconciliation
from unicart.store.schedules import Schedule
from unicart.store.status import Status, read_statuses
from unicart.store.tenants import Connection


def routes(services: Services) -> list[Route]:
    """``/connections`` and what lies below it for reading."""
    family = ConnectionRoutes(services)
    return [
        Route("/connections", Endpoint(family.list), methods=["GET"]),
        Route("/connections/{id}", Endpoint(family.get), methods=["GET"]),
        Route("/connections/{id}/quarantine", Endpoint(family.quarantine), methods=["GET"]),
    ]


class ConnectionRoutes:
    """The routes, all of which need the organization's key only."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, request: Request) -> Reply:
        """A page of the organization's connections."""
        scope = request.scope
        scope["unicart.route"] = "/connections"
        key = await self._services.key(scope)
        query = read_page_query(scope)
        organization, database = key.organization_id, self._services.database
        after = self._after(query, organization, "connections")
        found = await tenants.page_connections(database, organization, after, query.limit + 1)
        page = found[: query.limit]
        data = await self._shown(page)
        behind = page[-1].id if len(found) > query.limit else None
        return self._page(data, organization, "connections", behind)

    async def get(self, request: Request) -> Reply:
        """One connection."""
        request.scope["unicart.route"] = "/connections/{connection_id}"
        connection = await self._connection(request)
        no_parameters(request.scope)
        (data,) = await self._shown([connection])
        return Reply(encode({"data": data}))

    async def quarantine(self, request: Request) -> Reply:
        """A page of the records of a connection that could not be mapped."""
        request.scope["unicart.route"] = "/connections/{connection_id}/quarantine"
        connection = await self._connection(request)
        query = read_page_query(request.scope)
        function, _, raw_key = self._after(query, connection.id, "quarantine").partition(" ")
        found = await quarantine.list_quarantined(
            self._services.database, connection.key, after=(function, raw_key), limit=query.limit + 1
        )
        page = found[: query.limit]
        behind = f"{page[-1].function} {page[-1].raw_key}" if len(found) > query.limit else None
        return self._page([quarantined_record(each) for each in page], connection.id, "quarantine", behind)

    async def _connection(self, request: Request) -> Connection:
        key = await self._services.key(request.scope)
        id: str = request.path_params["id"]
        found = None if "\x00" in id else await tenants.find_connection(self._services.database, id)
        if found is None or found.organization_id != key.organization_id:
            raise NotFound("Connection not found", id=id)
        return found

    async def _shown(self, page: Sequence[Connection]) -> Sequence[ConnectionObject]:
        statuses = await read_statuses(self._services.database, [connection.key for connection in page])
        now = int(time.time())
        return [connection_object(connection, statuses[connection.key], now) for connection in page]

    def _after(self, query: PageQuery, owner: str, resource: str) -> str:
        if query.page_token is None:
            return ""
        return self._services.page_tokens.read(query.page_token, owner, resource, "id").id

    def _page(self, data: Sequence[msgspec.Struct], owner: str, resource: str, behind: str | None) -> Reply:
        token = None
        if behind is not None:
            token = self._services.page_tokens.write(owner, resource, "id", Position(0, behind))
        return Reply(encode({"data": data, "next_token": token, "total_count": len(data)}))


def connection_object(connection: Connection, status: Status, now: int) -> ConnectionObject:
    """A connection as it is served."""
    facts = _facts(connection.integration_name)
    functions = list(facts.functions) if facts else []
    actions = available_actions(connection)
    ends = [each.finished for each in status.checkpoints.values() if each.finished is not None]
    return ConnectionObject(
        connection_id=connection.id,
        integration_name=connection.integration_name,
        integration_display_name=facts.display_name if facts else connection.integration_name,
        customer_id=connection.customer_id,
        created_at=format_date(connection.created),
        last_used=None,
        times_used=None,
        latest_sync=_date(max(ends, default=None)),
        sync_schedules=[_schedule(each, status, now) for each in status.schedules],
        errors=[_error(each) for each in status.errors],
        available_actions=actions,
        available_endpoints=actions,
        webhooks_disabled=False,
        historical_sync_completed={function.value: _first_completed(status, function) for function in functions},
        me=ConnectedAccount(account_name=connection.account_name),
        history_days=connection.history_days,
    )


def available_actions(connection: Connection) -> list[str]:
    """What can be done with a connection: all that its connector can, but what is disabled."""
    facts = _facts(connection.integration_name)
    known = (*facts.functions, *facts.write_functions) if facts else ()
    return [name.value for name in known if name.value not in connection.disabled]


def _facts(integration_name: str) -> Facts | None:
    """The facts of a connector; none if it is no longer installed, which must not hide its connections."""
    try:
        return connector(integration_name).facts
    except LookupError:
        return None


def _first_completed(status: Status, function: Function) -> bool:
    checkpoint = status.checkpoints.get(function.value)
    return checkpoint is not None and checkpoint.first_finished is not None


def _schedule(schedule: Schedule, status: Status, now: int) -> SyncSchedule:
    name = schedule.function
    checkpoint = status.checkpoints.get(name)
    running = checkpoint is not None and checkpoint.in_progress(now)
    waits = running or name in status.jobs or (schedule.paused and not schedule.forced)
    finished = _date(checkpoint.finished) if checkpoint else None
    return SyncSchedule(
        function_name=Function(name),
        latest_sync=finished,
        last_crawl_start=_date(checkpoint.started) if checkpoint else None,
        last_crawl_end=finished,
        latest_data=_date(status.latest.get(name)),
        sync_frequency=schedule.every,
        in_progress=running,
        sync_status=_sync_status(schedule, checkpoint, status.errors, running=running),
        next_sync=None if waits else format_date(schedule.due),
        pulled=checkpoint.pulled if checkpoint else 0,
        expected=checkpoint.expected if checkpoint else None,
        reconciliation=_reconciliation(status.reconciliations.get(name)),
    )


def _reconciliation(found: Reconciliation | None) -> ReconciliationResult | None:
    if found is None:
        return None
    return ReconciliationResult(
        started=format_date(found.started),
        finished=_date(found.finished),
        checked=found.checked,
        missed=found.missed,
        changed=found.changed,
        deleted=found.deleted,
    )


def _sync_status(
    schedule: Schedule, checkpoint: Checkpoint | None, errors: list[SyncError], *, running: bool
) -> SyncStatus:
    if running:
        first = checkpoint is None or checkpoint.first_finished is None
        return SyncStatus.FIRST_SYNC_IN_PROGRESS if first else SyncStatus.SYNC_IN_PROGRESS
    if schedule.paused:
        return SyncStatus.DISABLED
    finished = checkpoint.finished if checkpoint else None
    if any(error.function == schedule.function and not _is_notice(error, finished) for error in errors):
        return SyncStatus.ERROR
    return SyncStatus.ENABLED


def _is_notice(error: SyncError, finished: int | None) -> bool:
    """Whether the last run ended well all the same, and only could not see everything."""
    return error.type is ErrorType.MISSING_PERMISSION and error.last_seen == finished


def _error(error: SyncError) -> ConnectionProblem:
    resource = BY_FUNCTION[Function(error.function)]
    return ConnectionProblem(
        error_message=error.message,
        affected_endpoints=[AffectedEndpoint(endpoint=f"GET {resource.path}", preventing_sync=error.preventing_sync)],
        first_seen=format_date(error.first_seen),
        last_seen=format_date(error.last_seen),
        error_type=error.type,
        resource=resource.name,
        message=error.message,
    )


def quarantined_record(held: Quarantined) -> QuarantinedRecord:
    """A quarantined record as it is served."""
    return QuarantinedRecord(
        function_name=Function(held.function),
        record=held.raw_key,
        reason=held.reason,
        first_seen=format_date(held.first_seen),
        last_seen=format_date(held.last_seen),
        version=held.version,
        raw=_raw(held.raw),
    )


def _raw(raw: bytes) -> msgspec.Raw | str:
    """The record as it came where it is JSON, digit for digit; else as text."""
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw.decode("utf-8", "replace")
    return msgspec.Raw(raw)


def _date(epoch: int | None) -> str | None:
    return None if epoch is None else format_date(epoch)
