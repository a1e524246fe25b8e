"""Reconciliation: what was found when everything on a platform was compared with our copy. Times are epoch seconds.

The ids that a pass has seen are rows of their own until it ends, so that a pass that is killed goes on where it was.
"""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Delete, and_, bindparam, delete, exists, or_, select, update

from unicart.contract.resources import Function
from unicart.store.database import Database, Transaction
from unicart.store.rows import columns, read
from unicart.store.statements import insert_into
from unicart.store.tables import RECORDS, checkpoints, connections, quarantine, reconciled, reconciliations
from unicart.store.tenants import COLUMNS, Connection


class Reconciliation(msgspec.Struct, frozen=True):
    """A pass over a function, the last one or the one under way; ``finished`` is null until it ends.

    Of ``checked`` records, ``missed`` were new to us although a sync should have brought them, ``changed`` were not as our
    copies although a sync should have told, and ``deleted`` were not on the platform any more. All were healed.
    """

    function: str
    started: int
    finished: int | None
    checked: int
    missed: int
    changed: int
    deleted: int


FUNCTIONS = tuple(function.value for function in Function)

_t = reconciliations.c
_seen = reconciled.c
_COLUMNS = columns(Reconciliation, reconciliations)


async def list_reconciliations(database: Database, connection_key: int) -> list[Reconciliation]:
    """The passes of a connection, by function."""
    query = select(*_COLUMNS).where(_t.connection_key == connection_key).order_by(_t.function)
    return [read(Reconciliation, row) for row in await database.execute(query)]


async def due(database: Database, now: int, every: int) -> list[tuple[Connection, str]]:
    """Connections and functions of which no pass was finished in the last ``every`` seconds.

    The first pass is due ``every`` seconds after the first sync was complete.
    """
    c = checkpoints.c
    mine = and_(_t.connection_key == c.connection_key, _t.function == c.function)
    recent = exists().where(mine, _t.finished > now - every)
    ever = exists().where(mine)
    query = (
        select(c.function, *COLUMNS)
        .join_from(checkpoints, connections, connections.c.connection_key == c.connection_key)
        .where(
            c.function.in_(FUNCTIONS),
            c.first_finished.is_not(None),
            ~recent,
            or_(ever, c.first_finished <= now - every),
        )
        .order_by(c.connection_key, c.function)
    )
    return [(read(Connection, tuple(row)[1:]), row[0]) for row in await database.execute(query)]


async def begin(database: Database, connection_key: int, function: str, resource: str, now: int) -> None:
    """Begin a pass: nothing is seen yet."""
    started = {"started": now, "finished": None, "checked": 0, "missed": 0, "changed": 0, "deleted": 0}
    async with database.write() as transaction:
        await transaction.execute(_of(connection_key, resource))
        await transaction.execute(
            insert_into(reconciliations, database.dialect)
            .values(connection_key=connection_key, function=function, **started)
            .on_conflict_do_update(index_elements=["connection_key", "function"], set_=started)
        )


async def add(
    transaction: Transaction,
    connection_key: int,
    function: str,
    *,
    checked: int = 0,
    missed: int = 0,
    changed: int = 0,
    deleted: int = 0,
) -> None:
    """Count what was found."""
    await transaction.execute(
        update(reconciliations)
        .where(_t.connection_key == connection_key, _t.function == function)
        .values(
            checked=_t.checked + checked,
            missed=_t.missed + missed,
            changed=_t.changed + changed,
            deleted=_t.deleted + deleted,
        )
    )


async def see(transaction: Transaction, connection_key: int, resource: str, ids: Collection[str]) -> None:
    """Note that these records are on the platform."""
    database = transaction.database
    values: dict[str, Any] = {
        "connection_key": bindparam("connection"),
        "resource": bindparam("kind"),
        "id": bindparam("record"),
    }
    statement = database.prepared(
        "see_record", lambda: insert_into(reconciled, database.dialect).values(**values).on_conflict_do_nothing()
    )
    rows = [{"connection": connection_key, "kind": resource, "record": id} for id in ids]
    if rows:
        await transaction.run_many(statement, rows)


async def unseen(database: Database, connection_key: int, resource: str, before: int, limit: int) -> list[str]:
    """Ids of our records that were here ``before`` the pass began and that it has not seen."""
    table = RECORDS[resource]
    seen = exists().where(_seen.connection_key == connection_key, _seen.resource == resource, _seen.id == table.c.id)
    query = select(table.c.id).where(
        table.c.connection_key == connection_key, table.c.trackstar_created < before, ~seen
    )
    return [row[0] for row in await database.execute(query.order_by(table.c.id).limit(limit))]


async def unseen_quarantined(
    database: Database, connection_key: int, function: str, resource: str, before: int, limit: int
) -> list[str]:
    """Keys of raw records that were quarantined ``before`` the pass began and that it has not seen."""
    c = quarantine.c
    seen = exists().where(_seen.connection_key == connection_key, _seen.resource == resource, _seen.id == c.raw_key)
    query = select(c.raw_key).where(
        c.connection_key == connection_key, c.function == function, c.last_seen < before, ~seen
    )
    return [row[0] for row in await database.execute(query.order_by(c.raw_key).limit(limit))]


async def finish(database: Database, connection_key: int, function: str, resource: str, now: int) -> None:
    """End a pass, and forget what it saw."""
    async with database.write() as transaction:
        await transaction.execute(_of(connection_key, resource))
        await transaction.execute(
            update(reconciliations)
            .where(_t.connection_key == connection_key, _t.function == function)
            .values(finished=now)
        )


def _of(connection_key: int, resource: str) -> Delete:
    return delete(reconciled).where(_seen.connection_key == connection_key, _seen.resource == resource)
