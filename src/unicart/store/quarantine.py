"""Raw records that could not be mapped: kept as they came, with the reason, until they can be."""

from collections.abc import Collection

import msgspec
from sqlalchemy import bindparam, delete, func, select, tuple_

from unicart.store.database import Database, Transaction
from unicart.store.rows import columns, read
from unicart.store.statements import insert_into
from unicart.store.tables import connections, quarantine
from unicart.store.tenants import COLUMNS, Connection


class Quarantined(msgspec.Struct, frozen=True):
    """A raw record that could not be mapped, last at ``last_seen`` (epoch seconds) by this ``version`` of Unicart."""

    function: str
    raw_key: str
    reason: str
    raw: bytes
    first_seen: int
    last_seen: int
    version: str = ""


_c = quarantine.c
_COLUMNS = columns(Quarantined, quarantine)


async def put(
    transaction: Transaction,
    connection_key: int,
    function: str,
    raw_key: str,
    reason: str,
    raw: bytes,
    now: int,
    version: str,
) -> None:
    """Keep a raw record that this ``version`` of Unicart could not map, with the reason."""
    changed = {"reason": reason, "raw": raw, "last_seen": now, "version": version}
    keys = {"connection_key": connection_key, "function": function, "raw_key": raw_key}
    await transaction.execute(
        insert_into(quarantine, transaction.database.dialect)
        .values(**keys, **changed, first_seen=now)
        .on_conflict_do_update(index_elements=list(keys), set_=changed)
    )


async def clear(transaction: Transaction, connection_key: int, function: str, raw_keys: Collection[str]) -> None:
    """Drop records from the quarantine, because they could be mapped now."""
    statement = transaction.database.prepared(
        "quarantined_keys",
        lambda: select(_c.raw_key).where(_c.connection_key == bindparam("key"), _c.function == bindparam("name")),
    )
    held = await transaction.fetch(statement, {"key": connection_key, "name": function})
    for (raw_key,) in held:
        if raw_key in raw_keys:
            keys = _c.connection_key == connection_key, _c.function == function, _c.raw_key == raw_key
            await transaction.execute(delete(quarantine).where(*keys))


async def list_quarantined(
    database: Database, connection_key: int, *, after: tuple[str, str] | None = None, limit: int | None = None
) -> list[Quarantined]:
    """Quarantined records of a connection by function and raw key; the next ``limit`` behind the pair ``after``."""
    query = select(*_COLUMNS).where(_c.connection_key == connection_key)
    if after is not None:
        query = query.where(tuple_(_c.function, _c.raw_key) > after)
    rows = await database.execute(query.order_by(_c.function, _c.raw_key).limit(limit))
    return [Quarantined(*row) for row in rows]


async def counts(database: Database, keys: Collection[int]) -> dict[int, int]:
    """How many records are quarantined, by connection, of those that have any."""
    query = select(_c.connection_key, func.count()).where(_c.connection_key.in_(keys)).group_by(_c.connection_key)
    return {row[0]: row[1] for row in await database.execute(query)}


async def take(
    transaction: Transaction,
    connection_key: int,
    function: str,
    *,
    after: str,
    limit: int,
    refused_by_other_than: str | None = None,
) -> list[Quarantined]:
    """The next ``limit`` records of a function behind the raw key ``after``, held until the transaction ends.

    With ``refused_by_other_than``, those that this version of Unicart could not map are left out.
    """
    query = select(*_COLUMNS).where(_c.connection_key == connection_key, _c.function == function, _c.raw_key > after)
    if refused_by_other_than is not None:
        query = query.where(_c.version != refused_by_other_than)
    rows = await transaction.execute(query.order_by(_c.raw_key).limit(limit).with_for_update())
    return [Quarantined(*row) for row in rows]


async def holders(database: Database, *, refused_by_other_than: str | None = None) -> list[Connection]:
    """The connections that have quarantined records, all or those that another version of Unicart could not map."""
    held = select(_c.connection_key).where(_c.connection_key == connections.c.connection_key)
    if refused_by_other_than is not None:
        held = held.where(_c.version != refused_by_other_than)
    rows = await database.execute(select(*COLUMNS).where(held.exists()).order_by(connections.c.connection_key))
    return [read(Connection, row) for row in rows]
