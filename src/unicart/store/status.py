"""How the syncs of connections stand, read for many connections at once."""

from collections.abc import Collection
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Table, select

from unicart.contract.connections import JobStatus
from unicart.contract.resources import RESOURCES, Function
from unicart.store.checkpoints import Checkpoint, SyncError
from unicart.store.database import Database
from unicart.store.reconciliations import Reconciliation
from unicart.store.rows import columns, read
from unicart.store.schedules import Schedule
from unicart.store.tables import (
    RECORDS,
    checkpoints,
    connection_errors,
    connections,
    reconciliations,
    schedules,
    sync_jobs,
)

S = TypeVar("S", bound=msgspec.Struct)


class Status(msgspec.Struct):
    """What is known of one connection's syncs.

    ``latest`` holds the time (epoch seconds) of each function's latest change on the platform that we have, ``jobs`` the
    functions that wait for an on-demand sync.
    """

    schedules: list[Schedule] = msgspec.field(default_factory=list)
    checkpoints: dict[str, Checkpoint] = msgspec.field(default_factory=dict)
    reconciliations: dict[str, Reconciliation] = msgspec.field(default_factory=dict)
    errors: list[SyncError] = msgspec.field(default_factory=list)
    jobs: set[str] = msgspec.field(default_factory=set)
    latest: dict[str, int] = msgspec.field(default_factory=dict)


async def read_statuses(database: Database, keys: Collection[int]) -> dict[int, Status]:
    """The status of each of the connections with these ``keys``."""
    found = {key: Status() for key in keys}
    for key, schedule in await _rows(database, Schedule, schedules, keys):
        found[key].schedules.append(schedule)
    for key, checkpoint in await _rows(database, Checkpoint, checkpoints, keys):
        found[key].checkpoints[checkpoint.function] = checkpoint
    for key, reconciliation in await _rows(database, Reconciliation, reconciliations, keys):
        found[key].reconciliations[reconciliation.function] = reconciliation
    for key, error in await _rows(database, SyncError, connection_errors, keys):
        found[key].errors.append(error)
    for key, function in await _open_jobs(database, keys):
        found[key].jobs.add(function)
    for key, *times in await _latest(database, keys):
        known = zip(RESOURCES, times, strict=True)
        found[key].latest = {resource.function.value: time for resource, time in known if time is not None}
    return found


async def _rows(database: Database, kind: type[S], table: Table, keys: Collection[int]) -> list[tuple[int, S]]:
    query = select(table.c.connection_key, *columns(kind, table)).where(
        table.c.connection_key.in_(keys), table.c.function.in_([function.value for function in Function])
    )
    rows = await database.execute(query.order_by(table.c.connection_key, table.c.function))
    return [(row[0], read(kind, tuple(row)[1:])) for row in rows]


async def _open_jobs(database: Database, keys: Collection[int]) -> list[tuple[int, str]]:
    c = sync_jobs.c
    query = select(c.connection_key, c.function).where(c.connection_key.in_(keys), c.status == JobStatus.OPEN.value)
    return [(row[0], row[1]) for row in await database.execute(query)]


async def _latest(database: Database, keys: Collection[int]) -> list[tuple[Any, ...]]:
    """One look into an index for each connection and resource."""
    c = connections.c
    latest = []
    for resource in RESOURCES:
        r = RECORDS[resource.name].c
        newest = select(r.updated).where(r.connection_key == c.connection_key).order_by(r.updated.desc()).limit(1)
        latest.append(newest.scalar_subquery())
    rows = await database.execute(select(c.connection_key, *latest).where(c.connection_key.in_(keys)))
    return [tuple(row) for row in rows]
