"""When each function of each connection is to be synced next. Times are epoch seconds."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, tuple_, update

from unicart.contract.connections import JobStatus
from unicart.store.database import Database
from unicart.store.leases import this_process
from unicart.store.rows import columns, read
from unicart.store.statements import insert_into
from unicart.store.tables import checkpoints, connections, schedules, sync_jobs
from unicart.store.tenants import COLUMNS, Connection, connections_by_key


class Schedule(msgspec.Struct, frozen=True):
    """A function is synced every ``every`` seconds, next at ``due``; ``failures`` counts failed runs since a good one.

    If it is ``forced``, it is synced even though it is ``paused``, until that has succeeded once.
    """

    function: str
    every: int
    paused: bool
    due: int
    failures: int
    forced: bool = False


class Claim(msgspec.Struct, frozen=True):
    """A schedule that is due, given to one worker."""

    connection: Connection
    schedule: Schedule


_c = schedules.c
_COLUMNS = columns(Schedule, schedules)


async def put(database: Database, connection_key: int, every: Mapping[str, int], now: int) -> None:
    """Schedule the functions of ``every`` (seconds by function) from ``now`` on; those that are scheduled stay so."""
    async with database.write() as transaction:
        for function, seconds in every.items():
            values = {"connection_key": connection_key, "function": function, "every": seconds}
            statement = insert_into(schedules, database.dialect).values(**values, paused=False, due=now, failures=0)
            await transaction.execute(statement.on_conflict_do_nothing())


async def unscheduled(database: Database) -> list[Connection]:
    """Connections of an earlier version, which had no schedules."""
    known = select(_c.connection_key).where(_c.connection_key == connections.c.connection_key)
    rows = await database.execute(select(*COLUMNS).where(~known.exists()))
    return [read(Connection, row) for row in rows]


async def overdue(database: Database, before: int) -> int:
    """How many functions were due before ``before`` (epoch seconds) and are neither paused nor synced now."""
    waiting = and_(_c.due < before, _c.owner.is_(None), or_(_c.paused.is_(False), _c.forced.is_(True)))
    rows = await database.execute(select(func.count()).select_from(schedules).where(waiting))
    return int(rows[0][0])


async def list_schedules(database: Database, connection_key: int) -> list[Schedule]:
    """The schedules of a connection."""
    rows = await database.execute(select(*_COLUMNS).where(_c.connection_key == connection_key).order_by(_c.function))
    return [read(Schedule, row) for row in rows]


async def change(
    database: Database, connection_key: int, function: str, *, every: int | None, paused: bool | None, now: int
) -> Schedule | None:
    """Change a schedule, which is due at once unless it is paused; null if there is none of that function."""
    values: dict[str, object] = {"due": now}
    if every is not None:
        values["every"] = every
    if paused is not None:
        values |= {"paused": paused} | ({"forced": False} if paused else {})
    async with database.write() as transaction:
        rows = await transaction.execute(
            update(schedules)
            .where(_c.connection_key == connection_key, _c.function == function)
            .values(**values)
            .returning(*_COLUMNS)
        )
    return read(Schedule, rows[0]) if rows else None


async def pause(
    database: Database, connection_key: int, functions: Collection[str], *, paused: bool, now: int
) -> list[str]:
    """Pause schedules, or resume them, which makes those that were paused due at once. Returns the functions found."""
    values: dict[str, Any] = {"paused": paused}
    if paused:
        values["forced"] = False
    else:
        values["due"] = case((_c.paused, now), else_=_c.due)
    async with database.write() as transaction:
        rows = await transaction.execute(
            update(schedules)
            .where(_c.connection_key == connection_key, _c.function.in_(functions))
            .values(**values)
            .returning(_c.function)
        )
    return [row[0] for row in rows]


async def force(database: Database, connection_key: int, functions: Collection[str], now: int) -> list[str]:
    """Make schedules due at once, paused or not. Returns the functions; those whose sync is in progress are left out."""
    c = checkpoints.c
    running = select(c.function).where(
        c.connection_key == _c.connection_key,
        c.function == _c.function,
        c.lease_owner.is_not(None),
        c.lease_until > now,
    )
    async with database.write() as transaction:
        rows = await transaction.execute(
            update(schedules)
            .where(
                _c.connection_key == connection_key,
                _c.function.in_(functions),
                ~running.exists(),
                ~_disabled().exists(),
            )
            .values(due=now, forced=True)
            .returning(_c.function)
        )
    return sorted(row[0] for row in rows)


async def make_due(database: Database, connection_key: int, functions: Collection[str], now: int) -> None:
    """Make schedules due at once, but for those that are paused, and forget that they failed."""
    async with database.write() as transaction:
        await transaction.execute(
            update(schedules)
            .where(_c.connection_key == connection_key, _c.function.in_(functions), _c.paused.is_(False))
            .values(due=now, failures=0)
        )


def _runnable(now: int) -> ColumnElement[bool]:
    """Due, not paused unless forced, not disabled, and with no on-demand sync of the function open."""
    c = sync_jobs.c
    job = select(c.id).where(
        c.connection_key == _c.connection_key, c.function == _c.function, c.status == JobStatus.OPEN.value
    )
    wanted = and_(_c.due <= now, or_(_c.paused.is_(False), _c.forced))
    return and_(wanted, ~_disabled().exists(), ~job.exists())


def _disabled() -> Select[Any]:
    """The connection of a schedule, if it has the function disabled."""
    c = connections.c
    name = literal(",") + _c.function + ","
    return select(c.connection_key).where(
        c.connection_key == _c.connection_key, c.disabled_functions != "", c.disabled_functions.contains(name)
    )


async def claim(database: Database, now: int, limit: int, hold: int) -> list[Claim]:
    """Take up to ``limit`` schedules that are due, the longest due first.

    Whoever takes them has ``hold`` seconds to say how they went; after that they are due again.
    """
    due = select(_c.connection_key, _c.function).where(_runnable(now))
    if not await database.execute(due.limit(1)):
        return []
    chosen = due.order_by(_c.due, _c.connection_key, _c.function).limit(limit).with_for_update(skip_locked=True)
    async with database.write() as transaction:
        taken = await transaction.execute(
            update(schedules)
            .where(tuple_(_c.connection_key, _c.function).in_(chosen))
            .values(due=now + hold, owner=this_process())
            .returning(_c.connection_key, *_COLUMNS)
        )
    if not taken:
        return []
    found = await connections_by_key(database, {row[0] for row in taken})
    return [Claim(found[row[0]], read(Schedule, tuple(row)[1:])) for row in taken if row[0] in found]


async def finish(database: Database, claimed: Claim, due: int, failures: int, *, succeeded: bool = False) -> None:
    """Say when a claimed schedule is due next, unless it was changed meanwhile; one that succeeded is forced no more."""
    values: dict[str, Any] = {"due": due, "failures": failures, "owner": None}
    if succeeded:
        values["forced"] = False
    async with database.write() as transaction:
        await transaction.execute(
            update(schedules)
            .where(
                _c.connection_key == claimed.connection.key,
                _c.function == claimed.schedule.function,
                _c.due == claimed.schedule.due,
            )
            .values(**values)
        )
