"""Alembic's environment: run online, on the URL that `unicart.store.migrate` passes."""

import asyncio

from alembic import context
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from unicart.store.migrate import sync_url
from unicart.store.tables import metadata


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


async def _migrate_async(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        # Processes that start together take turns; the lock ends with the connection.
        await connection.execute(text("SELECT pg_advisory_lock(7462)"))
        await connection.commit()
        await connection.run_sync(_migrate)
    await engine.dispose()


_url = sync_url(context.config.attributes["url"])
if _url.startswith("postgresql"):
    asyncio.run(_migrate_async(_url))
else:
    _engine = create_engine(_url)
    with _engine.connect() as _connection:
        _connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        _connection.commit()
        _migrate(_connection)
    _engine.dispose()
