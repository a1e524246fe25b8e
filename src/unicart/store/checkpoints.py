"""The state of syncs: cursors, leases, errors and quarantined records.

A cursor is written in the same transaction as the page it covers. A lease gives each connection and function to one run.
"""

from collections.abc import Collection

import msgspec
from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from unicart.store.database import Database, Transaction
from unicart.store.tables import checkpoints, connection_errors, quarantine


class LeaseLost(Exception):
    """Another run has taken the function over; this one must stop without writing."""


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a function of a connection is synced. Times are epoch seconds."""

    function: str
    cursor: str | None
    interrupted: bool
    lease_owner: str | None
    lease_until: int
    started: int | None
    finished: int | None
    first_finished: int | None


class SyncError(msgspec.Struct, frozen=True):
    """Why a function of a connection last failed."""

    function: str
    message: str
    detail: str
    preventing_sync: bool
    first_seen: int
    last_seen: int


class Quarantined(msgspec.Struct, frozen=True):
    """A raw record that could not be mapped."""

    function: str
    raw_key: str
    reason: str
    raw: bytes
    first_seen: int
    last_seen: int


_c = checkpoints.c


def _columns(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    return struct.__struct_fields__


async def list_checkpoints(database: Database, connection_key: int) -> list[Checkpoint]:
    """The state of each function that was ever synced."""
    query = select(*(_c[name] for name in _columns(Checkpoint))).where(_c.connection_key == connection_key)
    rows = await database.execute(query.order_by(_c.function))
    return [
        msgspec.convert(dict(zip(_columns(Checkpoint), row, strict=True)), Checkpoint, strict=False) for row in rows
    ]


async def acquire(
    database: Database, connection_key: int, function: str, owner: str, now: int, lease: int
) -> Checkpoint | None:
    """Take the lease of a function for ``lease`` seconds; null if another run holds it."""
    insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert
    fresh = {"connection_key": connection_key, "function": function, "interrupted": False, "lease_until": 0}
    async with database.write() as transaction:
        await transaction.execute(insert(checkpoints).values(**fresh).on_conflict_do_nothing())
        rows = await transaction.execute(
            update(checkpoints)
            .where(
                _c.connection_key == connection_key,
                _c.function == function,
                or_(_c.lease_until <= now, _c.lease_owner == owner),
            )
            .values(lease_owner=owner, lease_until=now + lease, started=now)
            .returning(*(_c[name] for name in _columns(Checkpoint)))
        )
    if not rows:
        return None
    return msgspec.convert(dict(zip(_columns(Checkpoint), rows[0], strict=True)), Checkpoint, strict=False)


async def advance(
    transaction: Transaction, connection_key: int, function: str, owner: str, cursor: str, lease_until: int
) -> None:
    """Store the cursor behind a page, in the page's own transaction, and renew the lease.

    Raises:
        LeaseLost: another run holds the lease; the transaction must not commit.
    """
    rows = await transaction.execute(
        update(checkpoints)
        .where(_c.connection_key == connection_key, _c.function == function, _c.lease_owner == owner)
        .values(cursor=cursor, interrupted=True, lease_until=lease_until)
        .returning(_c.function)
    )
    if not rows:
        raise LeaseLost(function)


async def release(database: Database, connection_key: int, function: str, owner: str, *, finished: int | None) -> None:
    """End a run: give the lease back, and if it is ``finished`` (epoch seconds), begin a new increment next time."""
    values: dict[str, object] = {"lease_owner": None, "lease_until": 0}
    if finished is not None:
        values |= {
            "interrupted": False,
            "finished": finished,
            "first_finished": func.coalesce(_c.first_finished, finished),
        }
    async with database.write() as transaction:
        await transaction.execute(
            update(checkpoints)
            .where(_c.connection_key == connection_key, _c.function == function, _c.lease_owner == owner)
            .values(**values)
        )
        if finished is not None:
            e = connection_errors.c
            await transaction.execute(
                delete(connection_errors).where(e.connection_key == connection_key, e.function == function)
            )


async def forget(database: Database, connection_key: int, function: str) -> None:
    """Drop the cursor, so that the next run pulls everything again."""
    async with database.write() as transaction:
        await transaction.execute(
            update(checkpoints)
            .where(_c.connection_key == connection_key, _c.function == function)
            .values(cursor=None, interrupted=False)
        )


async def record_error(
    database: Database, connection_key: int, function: str, message: str, detail: str, preventing_sync: bool, now: int
) -> None:
    """Show an error on the connection; it keeps the time at which it was first seen."""
    insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert
    changed = {"message": message, "detail": detail, "preventing_sync": preventing_sync, "last_seen": now}
    values = {"connection_key": connection_key, "function": function, "first_seen": now, **changed}
    statement = insert(connection_errors).values(**values)
    async with database.write() as transaction:
        await transaction.execute(
            statement.on_conflict_do_update(index_elements=["connection_key", "function"], set_=changed)
        )


async def list_errors(database: Database, connection_key: int) -> list[SyncError]:
    """The errors that stand on a connection."""
    c = connection_errors.c
    query = select(*(c[name] for name in _columns(SyncError))).where(c.connection_key == connection_key)
    rows = await database.execute(query.order_by(c.function))
    return [msgspec.convert(dict(zip(_columns(SyncError), row, strict=True)), SyncError, strict=False) for row in rows]


async def put_quarantined(
    transaction: Transaction, connection_key: int, function: str, raw_key: str, reason: str, raw: bytes, now: int
) -> None:
    """Keep a raw record that could not be mapped, with the reason."""
    insert = postgresql.insert if transaction.database.dialect == "postgresql" else sqlite.insert
    changed = {"reason": reason, "raw": raw, "last_seen": now}
    keys = {"connection_key": connection_key, "function": function, "raw_key": raw_key}
    await transaction.execute(
        insert(quarantine)
        .values(**keys, **changed, first_seen=now)
        .on_conflict_do_update(index_elements=list(keys), set_=changed)
    )


async def clear_quarantined(
    transaction: Transaction, connection_key: int, function: str, raw_keys: Collection[str]
) -> None:
    """Drop records from the quarantine, because they could be mapped now."""
    c = quarantine.c
    statement = transaction.database.prepared(
        "quarantined_keys",
        lambda: select(c.raw_key).where(c.connection_key == bindparam("key"), c.function == bindparam("name")),
    )
    held = await transaction.fetch(statement, {"key": connection_key, "name": function})
    for (raw_key,) in held:
        if raw_key in raw_keys:
            keys = c.connection_key == connection_key, c.function == function, c.raw_key == raw_key
            await transaction.execute(delete(quarantine).where(*keys))


async def list_quarantined(database: Database, connection_key: int) -> list[Quarantined]:
    """The quarantined records of a connection."""
    c = quarantine.c
    query = select(*(c[name] for name in _columns(Quarantined))).where(c.connection_key == connection_key)
    rows = await database.execute(query.order_by(c.function, c.raw_key))
    return [Quarantined(*row) for row in rows]
