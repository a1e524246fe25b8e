"""The state of syncs: cursors, leases, progress and errors.

A cursor is written in the same transaction as the page it covers. A lease gives each connection and function to one run.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, case, delete, func, literal, null, or_, select, update

from unicart.contract.common import format_date
from unicart.contract.connections import ErrorType
from unicart.contract.events import ERROR_CREATED, ERROR_DELETED, ERROR_UPDATED, Event, of_connection
from unicart.contract.resources import BY_FUNCTION, Function
from unicart.store import events
from unicart.store.database import Database, Transaction
from unicart.store.rows import columns, read
from unicart.store.statements import insert_into
from unicart.store.tables import checkpoints, connection_errors
from unicart.store.tenants import Connection


class LeaseLost(Exception):
    """Another run has taken the function over; this one must stop without writing."""


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a function of a connection is synced. Times are epoch seconds.

    The first sync pulls what was created or changed since ``since``, or everything if that is null. ``pulled`` counts the
    raw records of the current run, or of the last one; ``expected`` is the platform's word on how many there are.
    """

    function: str
    cursor: str | None
    interrupted: bool
    lease_owner: str | None
    lease_until: int
    started: int | None
    finished: int | None
    first_finished: int | None
    since: int | None = None
    pulled: int = 0
    expected: int | None = None

    def in_progress(self, now: int) -> bool:
        """Whether a run holds the function at ``now`` (epoch seconds)."""
        return self.lease_owner is not None and self.lease_until > now


class SyncError(msgspec.Struct, frozen=True):
    """Why a function of a connection last failed, and at which URL of the platform, if it was there."""

    function: str
    message: str
    detail: str
    url: str
    preventing_sync: bool
    first_seen: int
    last_seen: int
    type: ErrorType = ErrorType.OTHER


_c = checkpoints.c


async def list_checkpoints(database: Database, connection_key: int) -> list[Checkpoint]:
    """The state of each function that was ever synced."""
    query = select(*columns(Checkpoint, checkpoints)).where(
        _c.connection_key == connection_key, _c.function.in_([function.value for function in Function])
    )
    return [read(Checkpoint, row) for row in await database.execute(query.order_by(_c.function))]


async def acquire(
    database: Database,
    connection_key: int,
    function: str,
    owner: str,
    now: int,
    lease: int,
    *,
    since: int | None = None,
    anew: bool = False,
) -> Checkpoint | None:
    """Take the lease of a function for ``lease`` seconds; null if another run holds it.

    The very first run fixes ``since`` (epoch seconds; null for everything) for all runs of the first sync. With ``anew``,
    the cursor and that window are dropped, so that everything is pulled again.
    """
    fresh = {"connection_key": connection_key, "function": function, "interrupted": False, "lease_until": 0}
    async with database.write() as transaction:
        await transaction.execute(insert_into(checkpoints, database.dialect).values(**fresh).on_conflict_do_nothing())
        rows = await transaction.execute(
            update(checkpoints)
            .where(
                _c.connection_key == connection_key,
                _c.function == function,
                or_(_c.lease_until <= now, _c.lease_owner == owner),
            )
            .values(lease_owner=owner, lease_until=now + lease, started=now, **(_ANEW if anew else _begun(since)))
            .returning(*columns(Checkpoint, checkpoints))
        )
    return read(Checkpoint, rows[0]) if rows else None


_ANEW: dict[str, Any] = {"cursor": None, "interrupted": False, "since": None, "pulled": 0, "expected": None}


def _begun(since: int | None) -> dict[str, Any]:
    return {
        "since": case((_c.started.is_(None), literal(since, BigInteger())), else_=_c.since),
        "pulled": case((_c.interrupted, _c.pulled), else_=0),
        "expected": case((_c.interrupted, _c.expected), else_=null()),
    }


async def advance(
    transaction: Transaction,
    connection_key: int,
    function: str,
    owner: str,
    cursor: str,
    lease_until: int,
    *,
    pulled: int = 0,
    expected: int | None = None,
) -> None:
    """Store the cursor behind a page of ``pulled`` raw records, in the page's own transaction, and renew the lease.

    ``expected`` is how many the whole run expects, if the platform tells.

    Raises:
        LeaseLost: another run holds the lease; the transaction must not commit.
    """
    rows = await transaction.execute(
        update(checkpoints)
        .where(_c.connection_key == connection_key, _c.function == function, _c.lease_owner == owner)
        .values(
            cursor=cursor,
            interrupted=True,
            lease_until=lease_until,
            pulled=_c.pulled + pulled,
            expected=func.coalesce(literal(expected, BigInteger()), _c.expected),
        )
        .returning(_c.function)
    )
    if not rows:
        raise LeaseLost(function)


async def hold(transaction: Transaction, connection_key: int, name: str, owner: str, lease_until: int) -> None:
    """Renew the lease of what has no cursor, in the transaction of its work.

    Raises:
        LeaseLost: another process holds the lease; the transaction must not commit.
    """
    rows = await transaction.execute(
        update(checkpoints)
        .where(_c.connection_key == connection_key, _c.function == name, _c.lease_owner == owner)
        .values(lease_until=lease_until)
        .returning(_c.function)
    )
    if not rows:
        raise LeaseLost(name)


async def is_complete(database: Database, connection_key: int, function: str) -> bool:
    """Whether the first sync of a function is complete."""
    query = select(_c.first_finished).where(_c.connection_key == connection_key, _c.function == function)
    rows = await database.execute(query)
    return bool(rows) and rows[0][0] is not None


async def release(
    database: Database,
    connection: Connection,
    function: str,
    owner: str,
    *,
    finished: int | None,
    told: Sequence[Event] = (),
    mended: bool = True,
) -> None:
    """End a run: give the lease back, and if it is ``finished`` (epoch seconds), begin a new increment next time.

    The events of the end are ``told``, unless another run has taken over. The error that stood on the function is gone
    with a finished run, if that ``mended`` it.
    """
    connection_key = connection.key
    values: dict[str, object] = {"lease_owner": None, "lease_until": 0}
    if finished is not None:
        values |= {
            "interrupted": False,
            "finished": finished,
            "first_finished": func.coalesce(_c.first_finished, finished),
        }
    async with database.write() as transaction:
        held = await transaction.execute(
            update(checkpoints)
            .where(_c.connection_key == connection_key, _c.function == function, _c.lease_owner == owner)
            .values(**values)
            .returning(_c.function)
        )
        if held and finished is not None:
            gone = await _clear_error(transaction, connection, function) if mended else []
            await events.put(transaction, connection, [*told, *gone], finished)


async def _clear_error(transaction: Transaction, connection: Connection, function: str) -> list[Event]:
    c = connection_errors.c
    rows = await transaction.execute(
        delete(connection_errors)
        .where(c.connection_key == connection.key, c.function == function)
        .returning(*columns(SyncError, connection_errors))
    )
    return [_told(connection, ERROR_DELETED, read(SyncError, row)) for row in rows]


async def record_error(database: Database, connection: Connection, error: SyncError) -> None:
    """Show an error on the connection; it keeps the time at which one was first seen there. What is new in it is told."""
    values = {"connection_key": connection.key, **msgspec.structs.asdict(error), "type": error.type.value}
    changed = {
        name: value for name, value in values.items() if name not in ("connection_key", "function", "first_seen")
    }
    statement = insert_into(connection_errors, database.dialect).values(**values)
    async with database.write() as transaction:
        old = await _error(transaction, connection.key, error.function)
        await transaction.execute(
            statement.on_conflict_do_update(index_elements=["connection_key", "function"], set_=changed)
        )
        if old is None:
            await events.put(transaction, connection, [_told(connection, ERROR_CREATED, error)], error.last_seen)
        elif (old.message, old.preventing_sync) != (error.message, error.preventing_sync):
            now = msgspec.structs.replace(error, first_seen=old.first_seen)
            told = _told(connection, ERROR_UPDATED, now, {"error_message": old.message})
            await events.put(transaction, connection, [told], error.last_seen)


async def _error(transaction: Transaction, connection_key: int, function: str) -> SyncError | None:
    c = connection_errors.c
    query = select(*columns(SyncError, connection_errors))
    rows = await transaction.execute(query.where(c.connection_key == connection_key, c.function == function))
    return read(SyncError, rows[0]) if rows else None


def _told(connection: Connection, type: str, error: SyncError, previous: dict[str, object] | None = None) -> Event:
    endpoint = f"GET {BY_FUNCTION[Function(error.function)].path}"
    data: dict[str, object] = {
        "failed_url": error.url or None,
        "affected_endpoints": [{"endpoint": endpoint, "preventing_sync": error.preventing_sync}],
        "integration_name": connection.integration_name,
        "error_message": error.message,
        "created_date": format_date(error.first_seen),
        "updated_date": format_date(error.last_seen),
        "last_seen": format_date(error.last_seen),
    }
    return of_connection(connection.source, type, data, previous)


async def list_errors(database: Database, connection_key: int) -> list[SyncError]:
    """The errors that stand on a connection."""
    c = connection_errors.c
    query = select(*columns(SyncError, connection_errors)).where(c.connection_key == connection_key)
    rows = await database.execute(query.order_by(c.function))
    return [read(SyncError, row) for row in rows]
