"""The inbox: platforms' webhooks, stored before they are answered, until they are applied."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select, update

from unicart.store.database import Database, Transaction
from unicart.store.rows import columns, read
from unicart.store.statements import Statement
from unicart.store.tables import connections, inbox
from unicart.store.tenants import COLUMNS, Connection


class Arrival(msgspec.Struct, frozen=True):
    """A webhook as it arrived, at ``received`` (epoch seconds). ``headers`` is the JSON of a map."""

    connection_key: int
    received: int
    path: str
    headers: bytes
    body: bytes


class Entry(msgspec.Struct, frozen=True):
    """A webhook that waits to be applied, after ``attempts`` that failed."""

    id: int
    path: str
    headers: bytes
    body: bytes
    attempts: int


_c = inbox.c
_ENTRY = columns(Entry, inbox)


class Inbox:
    """Stores webhooks. Those that arrive while others are being written share the next transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Arrival, asyncio.Future[None]]] = []
        self._writing = asyncio.Lock()

    async def put(self, arrival: Arrival) -> None:
        """Store a webhook; it is durable when this returns.

        Raises:
            StoreUnavailable: it is not stored.
        """
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, stored))
        async with self._writing:
            if not stored.done():
                await self._write()
        await stored

    async def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        rows = [{**msgspec.structs.asdict(arrival), "due": arrival.received} for arrival, _ in batch]
        try:
            async with self._database.write() as transaction:
                await transaction.run_many(_insert(self._database), rows)
        except BaseException as error:
            for _, stored in batch:
                if isinstance(error, Exception):
                    stored.set_exception(error)
                else:
                    stored.cancel()
            raise
        for _, stored in batch:
            stored.set_result(None)


def _insert(database: Database) -> Statement:
    names = (*Arrival.__struct_fields__, "due")
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    return database.prepared("put_arrival", lambda: insert(inbox).values(**values, attempts=0))


async def waiting(database: Database, now: int) -> list[Connection]:
    """The connections that webhooks are due for."""
    statement = database.prepared("first_arrival", lambda: select(_c.id).where(_c.due <= bindparam("now")).limit(1))
    if not await database.fetch(statement, {"now": now}):
        return []
    due = select(_c.connection_key).where(_c.due <= now).distinct()
    rows = await database.execute(select(*COLUMNS).where(connections.c.connection_key.in_(due)))
    return [read(Connection, row) for row in rows]


async def read_due(database: Database, connection_key: int, now: int, limit: int) -> list[Entry]:
    """Webhooks of a connection that are due, in the order in which they arrived."""
    statement = database.prepared(
        "due_arrivals",
        lambda: (
            select(*_ENTRY)
            .where(_c.connection_key == bindparam("connection"), _c.due <= bindparam("now"))
            .order_by(_c.id)
            .limit(bindparam("count"))
        ),
    )
    rows = await database.fetch(statement, {"connection": connection_key, "now": now, "count": limit})
    return [Entry(*row) for row in rows]


async def remove(transaction: Transaction, entries: Sequence[Entry]) -> None:
    """Drop webhooks that are applied."""
    statement = transaction.database.prepared("drop_arrival", lambda: delete(inbox).where(_c.id == bindparam("entry")))
    await transaction.run_many(statement, [{"entry": entry.id} for entry in entries])


async def postpone(database: Database, entries: Sequence[Entry], due: int, error: str) -> None:
    """Try webhooks again at ``due``, and keep why they could not be applied."""
    ids = [entry.id for entry in entries]
    async with database.write() as transaction:
        await transaction.execute(
            update(inbox).where(_c.id.in_(ids)).values(due=due, error=error, attempts=_c.attempts + 1)
        )


async def drop(database: Database, entries: Sequence[Entry]) -> None:
    """Give webhooks up."""
    async with database.write() as transaction:
        await remove(transaction, entries)


async def count(database: Database, connection_key: int) -> int:
    """How many webhooks of a connection wait to be applied."""
    rows = await database.execute(select(func.count()).where(_c.connection_key == connection_key))
    return int(rows[0][0])
