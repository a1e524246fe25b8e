"""Webhook endpoints, what is still to be sent to each, and every attempt.

An endpoint reads the organization's events at a position of its own. What could not be delivered waits in a list of retries,
so that one refused message holds up no other. Times are epoch seconds, unless they are called ``_ms``.
"""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, exists, func, insert, or_, select, update

from unicart.contract.common import encode, format_date
from unicart.contract.events import ENDPOINT_DISABLED, RECORD_EVENT_TYPES, Event, of_endpoint
from unicart.store import events
from unicart.store.database import Database, Row, Transaction
from unicart.store.events import Stored
from unicart.store.rows import columns, read
from unicart.store.secrets import Vault, new_webhook_secret
from unicart.store.statements import insert_into
from unicart.store.tables import connections, webhook_attempts, webhook_endpoints, webhook_retries
from unicart.store.tables import events as event_table

MOST_ENDPOINTS = 100
OLD_SECRET_SECONDS = 24 * 3600


class TooManyEndpoints(Exception):
    """The organization has as many endpoints as it may have."""


class LeaseLost(Exception):
    """Another process delivers to this endpoint now, or it was removed; what was sent is not recorded."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where events are sent. Null ``event_types`` or ``connection_ids`` mean all.

    ``position`` is the number of the last event that was taken up; ``failing_since`` is when the first of the attempts
    failed that had no success among them.
    """

    id: str
    organization_id: str
    url: str
    description: str
    event_types: tuple[str, ...] | None
    connection_ids: tuple[str, ...] | None
    disabled: bool
    disabled_reason: str | None
    position: int
    failing_since: int | None
    created: int
    updated: int

    def wants(self, event_type: str, connection_id: str) -> bool:
        """Whether an event of that type and connection (empty for none) is to be sent."""
        of_type = self.event_types is None or event_type in self.event_types
        return of_type and (self.connection_ids is None or not connection_id or connection_id in self.connection_ids)


class Message(msgspec.Struct, frozen=True):
    """An event to be sent, after ``attempts`` others; one that is ``queued`` waits in the list of retries."""

    event: Stored
    attempts: int
    queued: bool


class Attempt(msgspec.Struct, frozen=True):
    """One attempt to deliver an event. ``status`` is the receiver's HTTP status; without one, ``error`` says why."""

    event_id: int
    event_type: str
    attempted_ms: int
    latency_ms: int
    delivered: bool
    status: int | None
    error: str | None


class Outcome(msgspec.Struct, frozen=True):
    """An attempt of a message, and when the next is due: null after the last, and after a delivery."""

    message: Message
    attempt: Attempt
    due: int | None


class Work(msgspec.Struct, frozen=True):
    """What to send now; once it is recorded, the endpoint stands at ``position``."""

    messages: list[Message]
    position: int


_e = webhook_endpoints.c
_r = webhook_retries.c
_a = webhook_attempts.c
_COLUMNS = columns(Endpoint, webhook_endpoints)


def _read(row: Row) -> Endpoint:
    values = dict(zip(Endpoint.__struct_fields__, tuple(row), strict=True))
    for name in ("event_types", "connection_ids"):
        values[name] = None if values[name] is None else msgspec.json.decode(values[name])
    return msgspec.convert(values, Endpoint, strict=False)


def _listed(values: Sequence[str] | None) -> bytes | None:
    return None if values is None else encode(list(values))


# --- managing ---------------------------------------------------------------------------------------------------------


async def create(
    database: Database,
    vault: Vault,
    organization_id: str,
    now: int,
    *,
    url: str,
    description: str = "",
    event_types: Sequence[str] | None = None,
    connection_ids: Sequence[str] | None = None,
    disabled: bool = False,
) -> tuple[Endpoint, str]:
    """A new endpoint, which is sent what happens from now on, and its secret.

    Raises:
        TooManyEndpoints: there are `MOST_ENDPOINTS` already.
    """
    if len(await list_endpoints(database, organization_id)) >= MOST_ENDPOINTS:
        raise TooManyEndpoints
    secret = new_webhook_secret()
    id = f"ep_{uuid.uuid4().hex}"
    values = {
        "id": id,
        "organization_id": organization_id,
        "url": url,
        "description": description,
        "event_types": _listed(event_types),
        "connection_ids": _listed(connection_ids),
        "secret": vault.encrypt({"secret": secret}),
        "disabled": disabled,
        "disabled_reason": None,
        "position": await events.last(database, organization_id),
        "created": now,
        "updated": now,
    }
    async with database.write() as transaction:
        rows = await transaction.execute(insert(webhook_endpoints).values(**values).returning(*_COLUMNS))
    return _read(rows[0]), secret


async def list_endpoints(database: Database, organization_id: str) -> list[Endpoint]:
    """The endpoints of an organization, oldest first."""
    query = select(*_COLUMNS).where(_e.organization_id == organization_id).order_by(_e.created, _e.id)
    return [_read(row) for row in await database.execute(query)]


async def find(database: Database, organization_id: str, id: str) -> Endpoint | None:
    """One endpoint of an organization; null if it has none of that id."""
    query = select(*_COLUMNS).where(_e.organization_id == organization_id, _e.id == id)
    rows = await database.execute(query)
    return _read(rows[0]) if rows else None


async def change(database: Database, endpoint: Endpoint, now: int) -> Endpoint | None:
    """Store the endpoint's url, description, filters and whether it is disabled; null if it is gone.

    One that is enabled again goes on where it stopped, and has its five days anew.
    """
    values = {
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": _listed(endpoint.event_types),
        "connection_ids": _listed(endpoint.connection_ids),
        "disabled": endpoint.disabled,
        "disabled_reason": endpoint.disabled_reason if endpoint.disabled else None,
        "failing_since": endpoint.failing_since,
        "updated": now,
    }
    async with database.write() as transaction:
        rows = await transaction.execute(
            update(webhook_endpoints).where(_e.id == endpoint.id).values(**values).returning(*_COLUMNS)
        )
    return _read(rows[0]) if rows else None


async def remove(database: Database, endpoint: Endpoint) -> None:
    """Delete an endpoint with its attempts and retries."""
    async with database.write() as transaction:
        await transaction.execute(delete(webhook_endpoints).where(_e.id == endpoint.id))


async def rotate_secret(database: Database, vault: Vault, endpoint: Endpoint, now: int) -> str:
    """A new secret. For `OLD_SECRET_SECONDS` the old one signs as well, so that a receiver can change over."""
    secret = new_webhook_secret()
    async with database.write() as transaction:
        await transaction.execute(
            update(webhook_endpoints)
            .where(_e.id == endpoint.id)
            .values(
                old_secret=_e.secret,
                old_secret_until=now + OLD_SECRET_SECONDS,
                secret=vault.encrypt({"secret": secret}),
                updated=now,
            )
        )
    return secret


async def read_secrets(database: Database, vault: Vault, endpoint: Endpoint, now: int) -> list[str]:
    """The secrets that sign now, the newest first; none if the endpoint is gone.

    Raises:
        SecretError: they were written with another key.
    """
    query = select(_e.secret, _e.old_secret, _e.old_secret_until).where(_e.id == endpoint.id)
    rows = await database.execute(query)
    if not rows:
        return []
    secret, old, until = rows[0]
    kept = [secret] + ([old] if old is not None and until > now else [])
    return [vault.decrypt(each)["secret"] for each in kept]


# --- delivering -------------------------------------------------------------------------------------------------------


async def claim(database: Database, owner: str, now: int, hold: int) -> list[Endpoint]:
    """Take every endpoint that something is to be sent to and that nobody sends to, for ``hold`` seconds."""
    ids = [row[0] for row in await database.fetch(database.prepared("busy_endpoints", _busy), {"now": now})]
    if not ids:
        return []
    async with database.write() as transaction:
        rows = await transaction.execute(
            update(webhook_endpoints)
            .where(_e.id.in_(ids), _e.disabled.is_(False), _e.lease_until <= now)
            .values(lease_owner=owner, lease_until=now + hold)
            .returning(*_COLUMNS)
        )
    return [_read(row) for row in rows]


def _busy() -> Select[Any]:
    news = exists().where(event_table.c.organization_id == _e.organization_id, event_table.c.id > _e.position)
    late = exists().where(_r.endpoint_id == _e.id, _r.due <= bindparam("now"))
    return select(_e.id).where(_e.disabled.is_(False), _e.lease_until <= bindparam("now"), or_(news, late))


async def work(database: Database, endpoint: Endpoint, now: int, limit: int) -> Work:
    """What to send next: retries that are due, the longest due first, in up to half of ``limit``, then new events."""
    retried = await database.fetch(_due(database), {"endpoint": endpoint.id, "now": now, "count": max(limit // 2, 1)})
    messages = await _loud_messages(
        database, endpoint, [Message(Stored(*tuple(row)[1:]), row[0], True) for row in retried]
    )
    fresh, position = await _fresh(database, endpoint, limit - len(messages))
    return Work(messages + [Message(event, 0, queued=False) for event in fresh], position)


async def _loud_messages(database: Database, endpoint: Endpoint, messages: list[Message]) -> list[Message]:
    """Those of ``messages`` that are still to be sent; the others are given up until they are replayed."""
    loud = {event.id for event in await _loud(database, [message.event for message in messages])}
    silent = [message.event.id for message in messages if message.event.id not in loud]
    if silent:
        async with database.write() as transaction:
            await transaction.execute(
                update(webhook_retries).where(_r.endpoint_id == endpoint.id, _r.event_id.in_(silent)).values(due=None)
            )
    return [message for message in messages if message.event.id in loud]


async def _loud(database: Database, found: Sequence[Stored]) -> list[Stored]:
    """``found`` without the changes of records of connections whose webhooks are disabled."""
    ids = {event.connection_id for event in found if event.type in RECORD_EVENT_TYPES}
    if not ids:
        return list(found)
    statement = database.prepared(("silent", len(ids)), lambda: _silent(len(ids)))
    rows = await database.fetch(statement, {f"id_{number}": id for number, id in enumerate(ids)})
    silent = {row[0] for row in rows}
    return [event for event in found if event.connection_id not in silent or event.type not in RECORD_EVENT_TYPES]


def _silent(count: int) -> Select[Any]:
    c = connections.c
    ids: list[ColumnElement[str]] = [bindparam(f"id_{number}") for number in range(count)]
    return select(c.id).where(c.id.in_(ids), c.webhooks_disabled)


async def _fresh(database: Database, endpoint: Endpoint, limit: int) -> tuple[list[Stored], int]:
    """Events behind the endpoint's position that it wants, and the position behind them.

    Without any, the position still moves, so that what others get is looked at once.
    """
    horizon = await events.last(database, endpoint.organization_id)
    start = max(endpoint.position, await events.pruned(database, endpoint.organization_id))
    chosen = endpoint.connection_ids
    page = await events.read(
        database,
        endpoint.organization_id,
        start,
        limit,
        types=endpoint.event_types or (),
        connection_id=chosen[0] if chosen is not None and len(chosen) == 1 else None,
    )
    found = [event for event in page.events if endpoint.wants(event.type, event.connection_id)]
    position = page.next if len(page.events) == limit else max(horizon, page.next)
    return await _loud(database, found), position


def _due(database: Database) -> Any:
    def build() -> Select[Any]:
        joined = webhook_retries.join(event_table, event_table.c.id == _r.event_id)
        query = select(_r.attempts, *columns(Stored, event_table)).select_from(joined)
        mine = and_(_r.endpoint_id == bindparam("endpoint"), _r.due <= bindparam("now"))
        return query.where(mine).order_by(_r.due, _r.event_id).limit(bindparam("count"))

    return database.prepared("due_retries", build)


async def record(
    database: Database,
    endpoint: Endpoint,
    owner: str,
    outcomes: Sequence[Outcome],
    position: int,
    now: int,
    hold: int,
    *,
    disabled_reason: str | None = None,
) -> Endpoint:
    """Store how attempts went, and keep the endpoint for ``hold`` seconds more; with a reason, disable it.

    Raises:
        LeaseLost: nothing was stored.
    """
    failing_since = endpoint.failing_since
    if any(outcome.attempt.delivered for outcome in outcomes):
        failing_since = None
    elif outcomes and failing_since is None:
        failing_since = now
    values: dict[str, Any] = {"position": position, "lease_until": now + hold, "failing_since": failing_since}
    if disabled_reason is not None:
        values |= {"disabled": True, "disabled_reason": disabled_reason, "updated": now}
    async with database.write() as transaction:
        rows = await transaction.execute(
            update(webhook_endpoints)
            .where(_e.id == endpoint.id, _e.lease_owner == owner)
            .values(**values)
            .returning(*_COLUMNS)
        )
        if not rows:
            raise LeaseLost(endpoint.id)
        await _store_outcomes(transaction, endpoint, outcomes)
        changed = _read(rows[0])
        if disabled_reason is not None:
            await events.put_general(transaction, endpoint.organization_id, [_told(changed, now)], now)
    return changed


async def _store_outcomes(transaction: Transaction, endpoint: Endpoint, outcomes: Iterable[Outcome]) -> None:
    attempts = [{"endpoint_id": endpoint.id, **msgspec.structs.asdict(outcome.attempt)} for outcome in outcomes]
    if not attempts:
        return
    database = transaction.database
    names = attempts[0]
    put = database.prepared(
        "put_attempt", lambda: insert(webhook_attempts).values({name: bindparam(name) for name in names})
    )
    await transaction.run_many(put, attempts)
    done = [outcome.message.event.id for outcome in outcomes if outcome.attempt.delivered and outcome.message.queued]
    if done:
        await transaction.execute(delete(webhook_retries).where(_r.endpoint_id == endpoint.id, _r.event_id.in_(done)))
    failed = [outcome for outcome in outcomes if not outcome.attempt.delivered]
    for outcome in failed:
        values = {"attempts": outcome.message.attempts + 1, "due": outcome.due}
        await transaction.execute(
            insert_into(webhook_retries, database.dialect)
            .values(endpoint_id=endpoint.id, event_id=outcome.message.event.id, **values)
            .on_conflict_do_update(index_elements=["endpoint_id", "event_id"], set_=values)
        )


def _told(endpoint: Endpoint, now: int) -> Event:
    since = endpoint.failing_since
    data = {
        "endpoint_id": endpoint.id,
        "url": endpoint.url,
        "reason": endpoint.disabled_reason,
        "disabled_date": format_date(now),
        "failing_since": None if since is None else format_date(since),
    }
    return of_endpoint(ENDPOINT_DISABLED, data)


async def release(database: Database, endpoint: Endpoint, owner: str) -> None:
    """Let others send to the endpoint."""
    async with database.write() as transaction:
        await transaction.execute(
            update(webhook_endpoints)
            .where(_e.id == endpoint.id, _e.lease_owner == owner)
            .values(lease_owner=None, lease_until=0)
        )


# --- what was sent ----------------------------------------------------------------------------------------------------


async def list_attempts(
    database: Database,
    endpoint: Endpoint,
    before: int | None,
    limit: int,
    *,
    event_id: int | None = None,
    delivered: bool | None = None,
) -> list[tuple[int, Attempt]]:
    """Attempts with their numbers, the newest first, older than the number ``before``."""
    query = select(_a.id, *columns(Attempt, webhook_attempts)).where(_a.endpoint_id == endpoint.id)
    if before is not None:
        query = query.where(_a.id < before)
    if event_id is not None:
        query = query.where(_a.event_id == event_id)
    if delivered is not None:
        query = query.where(_a.delivered.is_(delivered))
    rows = await database.execute(query.order_by(_a.id.desc()).limit(limit))
    return [(row[0], read(Attempt, tuple(row)[1:])) for row in rows]


async def count_failed(database: Database, endpoint: Endpoint) -> tuple[int, int]:
    """How many messages wait for another attempt, and how many have failed for good."""
    query = select(func.count(), func.count(_r.due)).where(_r.endpoint_id == endpoint.id)
    total, waiting = (await database.execute(query))[0]
    return waiting, total - waiting


async def replay_failed(database: Database, endpoint: Endpoint, now: int) -> int:
    """Send everything that failed for good again, with all its attempts anew; returns how many messages that are."""
    async with database.write() as transaction:
        rows = await transaction.execute(
            update(webhook_retries)
            .where(_r.endpoint_id == endpoint.id, _r.due.is_(None))
            .values(due=now, attempts=0)
            .returning(_r.event_id)
        )
    return len(rows)


async def replay_events(database: Database, endpoint: Endpoint, ids: Sequence[int], now: int) -> int:
    """Send those of the organization's events again that are still kept, whatever became of them."""
    c = event_table.c
    query = select(c.id).where(c.organization_id == endpoint.organization_id, c.id.in_(list(ids)))
    found = [row[0] for row in await database.execute(query)]
    async with database.write() as transaction:
        await _again(transaction, endpoint, found, now)
    return len(found)


async def replay_range(database: Database, endpoint: Endpoint, since: int, until: int, now: int) -> int:
    """Send the events again that the endpoint wants and that happened from ``since`` to ``until``, both included."""
    c = event_table.c
    count, after = 0, 0
    while True:
        query = select(c.id, c.type, c.connection_id).where(
            c.organization_id == endpoint.organization_id,
            c.id > after,
            c.id <= endpoint.position,
            c.created >= since,
            c.created <= until,
        )
        rows = await database.execute(query.order_by(c.id).limit(1000))
        if not rows:
            return count
        wanted = [id for id, type, connection_id in rows if endpoint.wants(type, connection_id)]
        async with database.write() as transaction:
            await _again(transaction, endpoint, wanted, now)
        count, after = count + len(wanted), rows[-1][0]


async def _again(transaction: Transaction, endpoint: Endpoint, ids: Sequence[int], now: int) -> None:
    if not ids:
        return
    table = insert_into(webhook_retries, transaction.database.dialect)
    put = table.values(endpoint_id=bindparam("endpoint"), event_id=bindparam("event"), attempts=0, due=bindparam("now"))
    again = {"attempts": 0, "due": table.excluded.due}
    statement = transaction.database.compile(
        put.on_conflict_do_update(index_elements=["endpoint_id", "event_id"], set_=again)
    )
    await transaction.run_many(statement, [{"endpoint": endpoint.id, "event": id, "now": now} for id in ids])


async def prune(database: Database, before: int, limit: int) -> int:
    """Delete up to ``limit`` attempts older than ``before``, and retries whose event is gone; returns how many."""
    old = select(_a.id).where(_a.attempted_ms < before * 1000).order_by(_a.id).limit(limit)
    gone = ~exists().where(event_table.c.id == _r.event_id)
    async with database.write() as transaction:
        rows = await transaction.execute(delete(webhook_attempts).where(_a.id.in_(old)).returning(_a.id))
        await transaction.execute(delete(webhook_retries).where(gone))
    return len(rows)
