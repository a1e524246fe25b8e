"""Events, written in the transaction of what they tell, and read in the order in which that became visible."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import ColumnElement, Insert, Select, bindparam, delete, select, union_all, update

from unicart.contract.common import format_date
from unicart.contract.events import Event
from unicart.store.database import Database, Transaction
from unicart.store.statements import Statement
from unicart.store.tables import events, organizations

if TYPE_CHECKING:
    from unicart.store.tenants import Connection

PRUNE = 5000


class Stored(msgspec.Struct, frozen=True):
    """An event of the feed. ``created`` is in epoch seconds, ``body`` its envelope.

    ``connection_id`` is empty for an event that is of no connection.
    """

    id: int
    connection_id: str
    type: str
    created: int
    body: bytes

    def written(self) -> bytes:
        """The event as it goes out: the envelope with its number and date."""
        return b'{"id":"%d","created_date":"%s",%s' % (self.id, format_date(self.created).encode(), self.body[1:])


class FeedPage(msgspec.Struct, frozen=True):
    """Events in order, and the number to go on behind, which is there at the end of the feed as well."""

    events: list[Stored]
    next: int


class CursorExpired(Exception):
    """Events behind the cursor are no longer kept."""


async def put(transaction: Transaction, connection: "Connection", told: Iterable[Event], now: int) -> None:
    """Write events of one connection.

    Writers of one organization take turns from here to their commit, so that numbers ascend as commits do: a reader who
    has seen a number has seen all lower ones.
    """
    await _put(transaction, connection.organization_id, connection.id, told, now)


async def put_general(transaction: Transaction, organization_id: str, told: Iterable[Event], now: int) -> None:
    """Write events of an organization that are of no connection."""
    await _put(transaction, organization_id, "", told, now)


async def _put(
    transaction: Transaction, organization_id: str, connection_id: str, told: Iterable[Event], now: int
) -> None:
    rows = [
        {
            "organization_id": organization_id,
            "connection_id": connection_id,
            "type": event.type,
            "created": now,
            "body": event.body,
        }
        for event in told
    ]
    if not rows:
        return
    if transaction.database.dialect == "postgresql":
        await transaction.fetch(_TURN, {"organization_id": organization_id})
    await transaction.run_many(transaction.database.prepared("put_event", _insert), rows)


_TURN = Statement("SELECT pg_advisory_xact_lock(7463, hashtext($1))", ("organization_id",), {})


def _insert() -> Insert:
    names = ("organization_id", "connection_id", "type", "created", "body")
    return events.insert().values({name: bindparam(name) for name in names})


async def read(
    database: Database,
    organization_id: str,
    after: int | None,
    limit: int,
    *,
    types: Sequence[str] = (),
    connection_id: str | None = None,
) -> FeedPage:
    """The next ``limit`` events of an organization behind the number ``after``, or from the oldest that is kept.

    Raises:
        CursorExpired: there were some behind it that are gone.
    """
    oldest = await pruned(database, organization_id)
    start = oldest if after is None else after
    if start < oldest:
        raise CursorExpired
    key = ("read_events", len(types), connection_id is not None)
    statement = database.prepared(key, lambda: _page(len(types), connection_id is not None))
    values = {"organization": organization_id, "after": start, "count": limit, "connection": connection_id}
    values |= {f"type_{number}": type for number, type in enumerate(types)}
    found = [Stored(*row) for row in await database.fetch(statement, values)]
    return FeedPage(found, found[-1].id if found else start)


async def last(database: Database, organization_id: str) -> int:
    """The number of the newest event; 0 if there never was one."""
    c = events.c
    query = select(c.id).where(c.organization_id == organization_id)
    rows = await database.execute(query.order_by(c.id.desc()).limit(1))
    return max(rows[0][0] if rows else 0, await pruned(database, organization_id))


async def newest(
    database: Database,
    organization_id: str,
    before: int | None,
    limit: int,
    *,
    type: str | None = None,
    connection_id: str | None = None,
) -> list[Stored]:
    """Events of an organization below the number ``before``, the newest first."""
    c = events.c
    query = select(c.id, c.connection_id, c.type, c.created, c.body).where(c.organization_id == organization_id)
    for column, value in ((c.type, type), (c.connection_id, connection_id)):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(c.id < before)
    return [Stored(*row) for row in await database.execute(query.order_by(c.id.desc()).limit(limit))]


async def prune(database: Database, before: int) -> int:
    """Delete some of the events that are older than ``before`` (epoch seconds), and return how many."""
    c = events.c
    async with database.write() as transaction:
        old = await transaction.execute(select(c.id, c.organization_id, c.created).order_by(c.id).limit(PRUNE))
        gone = [row for row in old if row[2] < before]
        if not gone:
            return 0
        last_of = {row[1]: row[0] for row in gone}
        await transaction.execute(delete(events).where(c.id <= max(last_of.values()), c.created < before))
        for organization_id, number in last_of.items():
            await transaction.execute(
                update(organizations).where(organizations.c.id == organization_id).values(events_pruned=number)
            )
    return len(gone)


async def pruned(database: Database, organization_id: str) -> int:
    """The number of the newest event of an organization that is deleted; 0 if none is."""
    c = organizations.c
    statement = database.prepared(
        "events_pruned", lambda: select(c.events_pruned).where(c.id == bindparam("organization"))
    )
    rows = await database.fetch(statement, {"organization": organization_id})
    return int(rows[0][0]) if rows else 0


def _page(types: int, of_connection: bool) -> Select[Any]:
    c = events.c
    where = [c.organization_id == bindparam("organization"), c.id > bindparam("after")]
    if of_connection:
        where.append(c.connection_id == bindparam("connection"))
    columns = c.id, c.connection_id, c.type, c.created, c.body
    count: ColumnElement[Any] = bindparam("count")
    if types < 2:
        where += [c.type == bindparam("type_0")] if types else []
        return select(*columns).where(*where).order_by(c.id).limit(count)
    arms = [
        select(c.id).where(*where, c.type == bindparam(f"type_{number}")).order_by(c.id).limit(count).subquery()
        for number in range(types)
    ]
    ids = union_all(*(select(arm.c.id) for arm in arms)).subquery("ids")
    first = select(ids.c.id).order_by(ids.c.id).limit(count).subquery("first")
    return select(*columns).join_from(first, events, c.id == first.c.id).order_by(c.id)
