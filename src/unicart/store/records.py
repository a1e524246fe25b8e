"""Writing records: the upsert that stores only what changed, and their tags."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Insert, Select, Table, bindparam, delete, select

from unicart.contract.common import Tag, encode, tag_text
from unicart.contract.events import Event, of_change, of_deletion
from unicart.contract.orders import Order
from unicart.contract.resources import Record, Resource
from unicart.store import events
from unicart.store.database import Database, Transaction
from unicart.store.documents import Stamp, content, document, tags_text
from unicart.store.statements import Statement, insert_into
from unicart.store.tables import NO_CUSTOMER, RECORDS, orders, record_tags
from unicart.store.tenants import Connection

KEYED_TEXTS = ("id", "status", "warehouse_customer_id", "order_number")


class UnstorableRecord(ValueError):
    """A record with a key that no database could hold."""


class Saved(msgspec.Struct):
    """What a save did: records that are new, that changed, that were already so, and that were older than our copy."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0

    def add(self, other: "Saved") -> None:
        """Count ``other`` in."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.stale += other.stale


class Prepared(msgspec.Struct, frozen=True):
    """A record ready to be stored: the values of its columns and its content as bytes."""

    columns: dict[str, Any]
    content: bytes


def prepare(record: Record) -> Prepared:
    """The columns and bytes of ``record``.

    Raises:
        UnstorableRecord: its id is empty, or a key holds a NUL character.
    """
    columns: dict[str, Any] = {
        "id": record.id,
        "created": int(record.created_date.timestamp()),
        "updated": int(record.updated_date.timestamp()),
    }
    if isinstance(record, Order):
        columns["status"] = record.status.value
        columns["warehouse_customer_id"] = record.warehouse_customer_id or NO_CUSTOMER
        columns["order_number"] = record.order_number
    if not record.id:
        raise UnstorableRecord("id: is empty")
    for name in KEYED_TEXTS:
        if "\x00" in columns.get(name, ""):
            raise UnstorableRecord(f"{name}: holds a NUL character")
    return Prepared(columns, encode(record))


async def save(
    transaction: Transaction,
    connection: Connection,
    resource: Resource,
    records: Sequence[Prepared],
    now: int,
    *,
    announced: bool,
) -> Saved:
    """Store those of ``records`` that are new or changed; ``now`` (epoch seconds) becomes their time of change.

    Bytes equal to the stored ones are no change, and a record that is older on the platform than our copy never
    overwrites it. If an id comes twice, the later one counts. Each change is told by events, if it is ``announced``.
    """
    connection_key = connection.key
    saved = Saved()
    latest = {record.columns["id"]: record for record in records}
    if not latest:
        return saved
    await lock(transaction, connection_key)
    stored = await _stored(transaction, connection_key, resource, list(latest))
    rows: list[dict[str, Any]] = []
    moved: list[tuple[str, int, int]] = []
    told: list[Event] = []
    for id, record in latest.items():
        old = stored.get(id)
        stamp = Stamp("[]", now, now)
        if old is not None:
            old_stamp = Stamp(old.tags, old.trackstar_created, old.trackstar_updated)
            if record.columns["updated"] < old.updated:
                saved.stale += 1
                continue
            if record.content == content(old.doc, old_stamp):
                saved.unchanged += 1
                continue
            stamp = Stamp(old.tags, old.trackstar_created, max(now, old.trackstar_updated))
            if old.created != record.columns["created"] and old.tags != "[]":
                moved.append((id, old.created, record.columns["created"]))
        rows.append(_row(connection_key, record, stamp))
        if announced:
            told += _told(connection, resource, old.doc if old else None, rows[-1]["doc"])
    saved.created = sum(row["id"] not in stored for row in rows)
    saved.updated = len(rows) - saved.created
    if rows:
        await transaction.run_many(_upsert(transaction.database, RECORDS[resource.name]), rows)
    for id, old_created, created in moved:
        await transaction.execute(
            record_tags.update()
            .where(*_tag_keys(connection_key, resource, id, old_created))
            .values(created=bindparam("moved_to")),
            moved_to=created,
        )
    await events.put(transaction, connection, told, now)
    return saved


def _told(connection: Connection, resource: Resource, old: bytes | None, new: bytes) -> list[Event]:
    return of_change(connection.source, resource, old, new)


async def remove(
    transaction: Transaction,
    connection: Connection,
    resource: Resource,
    ids: Collection[str],
    now: int,
    *,
    announced: bool,
    oldest: int | None = None,
) -> int:
    """Delete records that the platform does not have any more, and return how many there were.

    Each is told by an event with its last document, if it is ``announced``. Those that were created before ``oldest``
    (epoch seconds) stay.
    """
    if not ids:
        return 0
    connection_key, table = connection.key, RECORDS[resource.name]
    await lock(transaction, connection_key)
    stored = await _stored(transaction, connection_key, resource, list(ids))
    if oldest is not None:
        stored = {id: old for id, old in stored.items() if old.created >= oldest}
    for id, old in stored.items():
        await transaction.execute(delete(table).where(table.c.connection_key == connection_key, table.c.id == id))
        if old.tags != "[]":
            await transaction.execute(delete(record_tags).where(*_tag_keys(connection_key, resource, id, old.created)))
    told = [of_deletion(connection.source, resource, old.doc) for old in stored.values()]
    await events.put(transaction, connection, told if announced else [], now)
    return len(stored)


async def updated_dates(
    database: Database, connection_key: int, resource: Resource, ids: Sequence[str]
) -> dict[str, int]:
    """When records last changed on the platform, in epoch seconds, by id; those that we do not have are left out."""
    found: dict[str, int] = {}
    c = RECORDS[resource.name].c
    for start in range(0, len(ids), 500):
        some = list(ids[start : start + 500])
        query = select(c.id, c.updated).where(c.connection_key == connection_key, c.id.in_(some))
        found |= {row[0]: row[1] for row in await database.execute(query)}
    return found


async def set_tags(
    transaction: Transaction, connection: Connection, resource: Resource, id: str, tags: Sequence[Tag], now: int
) -> bytes | None:
    """Replace the tags of a record, and return its document; null if there is no such record."""
    connection_key = connection.key
    await lock(transaction, connection_key)
    old = (await _stored(transaction, connection_key, resource, [id])).get(id)
    if old is None:
        return None
    old_stamp = Stamp(old.tags, old.trackstar_created, old.trackstar_updated)
    text = tags_text(tags)
    if text == old.tags:
        return old.doc
    stamp = Stamp(text, old.trackstar_created, max(now, old.trackstar_updated))
    doc = document(content(old.doc, old_stamp), stamp)
    table = RECORDS[resource.name]
    await transaction.execute(
        table.update()
        .where(table.c.connection_key == connection_key, table.c.id == id)
        .values(tags=bindparam("new_tags"), doc=bindparam("new_doc"), trackstar_updated=bindparam("new_updated")),
        new_tags=text,
        new_doc=doc,
        new_updated=stamp.updated,
    )
    await transaction.execute(delete(record_tags).where(*_tag_keys(connection_key, resource, id, old.created)))
    names = sorted({tag_text(tag) for tag in tags})
    rows = [
        {"connection_key": connection_key, "resource": resource.name, "tag": name, "created": old.created, "id": id}
        for name in names
    ]
    if rows:
        await transaction.run_many(transaction.database.compile(record_tags.insert()), rows)
    await events.put(transaction, connection, _told(connection, resource, old.doc, doc), now)
    return doc


class _Stored(msgspec.Struct, frozen=True):
    created: int
    updated: int
    trackstar_created: int
    trackstar_updated: int
    tags: str
    doc: bytes


async def _stored(
    transaction: Transaction, connection_key: int, resource: Resource, ids: Sequence[str]
) -> dict[str, _Stored]:
    found: dict[str, _Stored] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        statement, names = _select_by_ids(transaction.database, RECORDS[resource.name], len(some))
        rows = await transaction.fetch(statement, {"tenant": connection_key, **dict(zip(names, some, strict=True))})
        found |= {row[0]: _Stored(*row[1:]) for row in rows}
    return found


def _select_by_ids(database: Database, table: Table, count: int) -> tuple[Statement, list[str]]:
    names = [f"id_{number}" for number in range(count)]

    def build() -> Select[Any]:
        columns = [table.c[name] for name in ("id", *_Stored.__struct_fields__)]
        ids = table.c.id.in_([bindparam(name) for name in names])
        return select(*columns).where(table.c.connection_key == bindparam("tenant"), ids)

    return database.prepared(("by_ids", table.name, count), build), names


def _row(connection_key: int, record: Prepared, stamp: Stamp) -> dict[str, Any]:
    return {
        **record.columns,
        "connection_key": connection_key,
        "trackstar_created": stamp.created,
        "trackstar_updated": stamp.updated,
        "tags": stamp.tags,
        "doc": document(record.content, stamp),
    }


def _upsert(database: Database, table: Table) -> Statement:
    def build() -> Insert:
        insert = insert_into(table, database.dialect)
        keys = ("connection_key", "id")
        changed = {column.name: insert.excluded[column.name] for column in table.c if column.name not in keys}
        return insert.on_conflict_do_update(index_elements=keys, set_=changed)

    return database.prepared(("upsert", table.name), build)


def _tag_keys(connection_key: int, resource: Resource, id: str, created: int) -> tuple[Any, ...]:
    c = record_tags.c
    return (
        c.connection_key == connection_key,
        c.resource == resource.name,
        c.tag >= "",
        c.created == created,
        c.id == id,
    )


async def lock(transaction: Transaction, connection_key: int) -> None:
    """Let writers of one connection take turns: reading what is stored and replacing it must not interleave."""
    if transaction.database.dialect == "postgresql":
        await transaction.fetch(_ADVISORY_LOCK, {"connection_key": connection_key})


_ADVISORY_LOCK = Statement("SELECT pg_advisory_xact_lock(7461, $1::int)", ("connection_key",), {})


async def one(database: Database, connection_key: int, resource: Resource, id: str) -> bytes | None:
    """The document of one record; null if there is none."""
    c = RECORDS[resource.name].c
    statement = database.prepared(
        ("one", resource.name),
        lambda: select(c.doc).where(c.connection_key == bindparam("tenant"), c.id == bindparam("record")),
    )
    rows = await database.fetch(statement, {"tenant": connection_key, "record": id})
    return rows[0][0] if rows else None


async def document_of(transaction: Transaction, connection_key: int, resource: Resource, id: str) -> bytes | None:
    """The document of one record as this transaction has left it; null if there is none."""
    stored = (await _stored(transaction, connection_key, resource, [id])).get(id)
    return None if stored is None else stored.doc


async def date_range(database: Database, connection_key: int, resource: Resource) -> tuple[int, int] | None:
    """The creation dates of the oldest and the newest record; null if there is none."""
    c = RECORDS[resource.name].c
    found = []
    for order in (c.created.asc(), c.created.desc()):
        query = select(c.created).where(c.connection_key == connection_key).order_by(order).limit(1)
        found += [row[0] for row in await database.execute(query)]
    return (found[0], found[1]) if found else None


async def ids(database: Database, connection_key: int, resource: Resource, limit: int) -> list[str]:
    """The first ``limit`` ids of a connection's records, in their order."""
    c = RECORDS[resource.name].c
    query = select(c.id).where(c.connection_key == connection_key).order_by(c.id).limit(limit)
    return [row[0] for row in await database.execute(query)]


async def warehouse_customers(database: Database, connection_key: int) -> list[str]:
    """The ids of the warehouse customers that the connection's orders belong to."""
    c = orders.c
    query = (
        select(c.warehouse_customer_id)
        .distinct()
        .where(c.connection_key == connection_key, c.warehouse_customer_id > NO_CUSTOMER)
    )
    return [row[0] for row in await database.execute(query.order_by(c.warehouse_customer_id))]
