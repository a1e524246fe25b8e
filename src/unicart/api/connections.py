"""The routes of an organization's connections: how they and their syncs stand, what is quarantined, and their end."""

import logging
import time
from collections.abc import Mapping, Sequence

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from unicart.api.body import Reader, read_boolean, read_fields
from unicart.api.changes import Change, changing
from unicart.api.parameters import ConnectionsQuery, PageQuery, no_parameters, read_page_query
from unicart.api.records import Services
from unicart.api.reply import Endpoint, Reply
from unicart.connectors.kit import ConnectorError, Facts
from unicart.connectors.registry import connector
from unicart.contract.common import encode, format_date
from unicart.contract.connections import (
    AffectedEndpoint,
    ConnectedAccount,
    ConnectionDeleted,
    ConnectionObject,
    ConnectionProblem,
    ConnectionUpdated,
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
from unicart.store.secrets import SecretError, Vault
from unicart.store.status import Status, read_statuses
from unicart.store.tenants import Connection
from unicart.sync import subscriptions
from unicart.sync.connect import opened_connection

log = logging.getLogger(__name__)

LONGEST_NAME = 255


def routes(services: Services, vault: Vault) -> list[Route]:
    """``/connections`` and what lies below it but syncs."""
    family = ConnectionRoutes(services, vault)
    return [
        Route("/connections", Endpoint(family.list), methods=["GET"]),
        Route("/connections", changing(services, "/connections", family.change), methods=["PATCH"]),
        Route("/connections", Endpoint(family.remove), methods=["DELETE"]),
        Route("/connections/{id}", Endpoint(family.get), methods=["GET"]),
        Route("/connections/{id}/quarantine", Endpoint(family.quarantine), methods=["GET"]),
    ]


class ConnectionRoutes:
    """The routes. Those that read need the organization's key only."""

    def __init__(self, services: Services, vault: Vault) -> None:
        self._services = services
        self._vault = vault

    async def list(self, request: Request) -> Reply:
        """A page of the organization's connections."""
        scope = request.scope
        scope["unicart.route"] = "/connections"
        key = await self._services.key(scope)
        query = read_page_query(scope, ConnectionsQuery)
        organization, database = key.organization_id, self._services.database
        after = self._after(query, organization, "connections")
        found = await tenants.page_connections(database, organization, after, query.limit + 1, query.customer_id)
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

    async def change(self, change: Change) -> ConnectionUpdated:
        """Give the connection of the access token another customer, or switch its webhooks off or on."""
        fields = read_fields(change.fields, CHANGES, nullable=("customer_id",))
        await tenants.change_connection(change.database, change.connection, fields)
        self._services.authenticator.forget(change.connection)
        return ConnectionUpdated(id=change.connection.id)

    async def remove(self, request: Request) -> Reply:
        """Remove the connection of the access token with all its records, and end its platform's webhooks."""
        request.scope["unicart.route"] = "/connections"
        connection = (await self._services.caller(request.scope, write=True)).connection
        await self._unsubscribe(connection)
        await tenants.remove_connection(self._services.database, connection, announced=True)
        self._services.authenticator.forget(connection)
        return Reply(encode(ConnectionDeleted(id=connection.id)))

    async def _unsubscribe(self, connection: Connection) -> None:
        """Have the platform send no more webhooks; if it refuses, the connection is removed all the same."""
        database = self._services.database
        try:
            async with opened_connection(database, self._vault, connection) as platform:
                await subscriptions.unsubscribe(database, self._vault, connection, platform)
        except (ConnectorError, LookupError, SecretError) as error:
            log.warning("The platform of %s may go on to send webhooks; end them there: %s", connection.id, error)

    async def quarantine(self, request: Request) -> Reply:
        """A page of the records of a connection that could not be mapped."""
        request.scope["unicart.route"] = "/connections/{connection_id}/quarantine"
        connection = await self._connection(request)
        query = read_page_query(request.scope, PageQuery)
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
        last_used=_date(connection.last_used),
        times_used=connection.times_used,
        latest_sync=_date(max(ends, default=None)),
        sync_schedules=[_schedule(each, status, now) for each in status.schedules],
        errors=[_error(each) for each in status.errors],
        available_actions=actions,
        available_endpoints=actions,
        disabled_functions=list(connection.disabled),
        webhooks_disabled=connection.webhooks_disabled,
        historical_sync_completed={function.value: _first_completed(status, function) for function in functions},
        me=account(connection),
        history_days=connection.history_days,
    )


def account(connection: Connection) -> ConnectedAccount:
    """The account of a connection, as it is served."""
    return ConnectedAccount(account_id=connection.account_id, account_name=connection.account_name)


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


def _read_customer(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_NAME or "\x00" in value:
        raise ValueError(f"must be a string of at most {LONGEST_NAME} characters, or null")
    return value


CHANGES: Mapping[str, Reader] = {"customer_id": _read_customer, "webhooks_disabled": read_boolean}
"""What ``PATCH /connections`` changes."""


def _date(epoch: int | None) -> str | None:
    return None if epoch is None else format_date(epoch)
