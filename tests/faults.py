"""Databases in trouble: locked by another process, or full."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import apsw
import asyncpg

from unicart.store.database import Database
from unicart.store.tenants import Connection


@asynccontextmanager
async def locked(database: Database, store_url: str, table: str) -> AsyncIterator[None]:
    """Another process holds the lock that a write to ``table`` needs."""
    if database.dialect == "sqlite":
        database._writer.set_busy_timeout(50)  # type: ignore[attr-defined]
        other = apsw.Connection(database.path)  # type: ignore[attr-defined]
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()
        return
    session = await asyncpg.connect(store_url)
    async with session.transaction():
        await session.execute(f"LOCK TABLE {table} IN SHARE MODE")
        yield
    await session.close()


@asynccontextmanager
async def full_disk(database: Database, store_url: str, connection: Connection) -> AsyncIterator[None]:
    """The database can grow no further; PostgreSQL says so from the hundredth record on."""
    if database.dialect == "sqlite":
        writer: apsw.Connection = database._writer  # type: ignore[attr-defined]
        writer.pragma("max_page_count", writer.pragma("page_count"))
        yield
        writer.pragma("max_page_count", 1 << 30)
        return
    session = await asyncpg.connect(store_url)
    name = f"full_{connection.key}"
    await session.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF (SELECT count(*) FROM orders WHERE connection_key = {connection.key}) > 100"
        " THEN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$"
    )
    await session.execute(
        f"CREATE TRIGGER {name} AFTER INSERT ON orders FOR EACH ROW"
        f" WHEN (NEW.connection_key = {connection.key}) EXECUTE FUNCTION {name}()"
    )
    yield
    await session.execute(f"DROP TRIGGER {name} ON orders")
    await session.close()
