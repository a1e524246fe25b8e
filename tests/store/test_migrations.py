"""Migrations make exactly the schema that the code works with, from nothing and from every earlier version."""

import asyncio

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from unicart.store.migrate import MigrationFailed, config, migrate, newest_revision, sync_url
from unicart.store.tables import metadata


def differences(url: str) -> list[object]:
    """What alembic would still change, so that the database has the tables of the code."""

    def compare(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async def on_postgres() -> list[object]:
        engine = create_async_engine(sync_url(url))
        async with engine.connect() as connection:
            found = await connection.run_sync(compare)
        await engine.dispose()
        return found

    if url.startswith("postgresql"):
        return asyncio.run(on_postgres())
    engine = create_engine(url)
    with engine.connect() as connection:
        found = compare(connection)
    engine.dispose()
    return found


def test_migrations_make_the_tables_of_the_code(fresh_url: str) -> None:
    migrate(fresh_url)
    assert differences(fresh_url) == []
    migrate(fresh_url)
    assert differences(fresh_url) == []


def test_every_earlier_version_is_brought_up_to_date(fresh_url: str) -> None:
    settings = config(fresh_url)
    for revision in reversed(list(ScriptDirectory.from_config(settings).walk_revisions())):
        command.upgrade(settings, revision.revision)
    assert differences(fresh_url) == []


def test_the_newest_revision_is_the_head_of_the_migrations() -> None:
    assert newest_revision() == ScriptDirectory.from_config(config("sqlite://")).get_current_head()


def test_a_database_that_cannot_be_reached_is_named() -> None:
    with pytest.raises(MigrationFailed, match="cannot be brought up to date"):
        migrate("postgresql://nobody@127.0.0.1:9/none")
