"""The production store: PostgreSQL 14 or newer, through asyncpg."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any

import asyncpg

from unicart.store.database import OLD_SCHEMA, Database, Row, StoreUnavailable, Transaction
from unicart.store.statements import Statement
from unicart.store.tables import RECORDS, record_tags

# Every query has its index, whatever the table's statistics say at the moment: a plan that scans or sorts a table is
# never right here.
READ_SETTINGS = {
    "application_name": "unicart",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "jit": "off",
}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise StoreUnavailable(OLD_SCHEMA) from error
    except (asyncpg.DiskFullError, asyncpg.OutOfMemoryError) as error:
        raise StoreUnavailable("PostgreSQL has no space left. Free some; nothing was written.") from error
    except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, asyncpg.DeadlockDetectedError) as error:
        raise StoreUnavailable("The database is locked by another process. Try again.") from error
    except (
        OSError,
        asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.TooManyConnectionsError,
        asyncpg.ReadOnlySQLTransactionError,
    ) as error:
        raise StoreUnavailable("PostgreSQL cannot be reached or does not accept writes. See its log.") from error


async def _keep_session(_: object) -> None:
    """Nothing of ours outlives a transaction, so a connection needs no reset, which would cost a round trip."""


class Postgres(Database):
    """The store in a PostgreSQL database."""

    dialect = "postgresql"
    stream_batch = 1000

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        super().__init__()
        self._pool = pool

    @classmethod
    async def open(cls, url: str) -> "Postgres":
        """Connect to ``url``, a libpq URL."""
        with _translated():
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=10,
                server_settings=READ_SETTINGS,
                statement_cache_size=500,
                command_timeout=60,
                reset=_keep_session,
            )
        return cls(pool)

    async def fetch(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        with _translated():
            async with self._pool.acquire() as connection:
                rows: list[Row] = await connection.fetch(statement.text, *statement.bind(values))
                return rows

    async def fetch_documents(self, statement: Statement, values: Mapping[str, Any]) -> list[bytes]:
        return [row[0] for row in await self.fetch(statement, values)]

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        with _translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '5s'")
                yield _PostgresTransaction(self, connection)

    async def refresh_statistics(self) -> None:
        with _translated():
            await self._pool.execute(f"ANALYZE {', '.join([*RECORDS, record_tags.name])}")

    async def now(self) -> datetime:
        with _translated():
            moment: datetime = await self._pool.fetchval("SELECT clock_timestamp()")
            return moment

    async def close(self) -> None:
        await self._pool.close()


class _PostgresTransaction(Transaction):
    def __init__(self, database: Postgres, connection: Any) -> None:
        super().__init__(database)
        self._connection = connection

    async def fetch(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        rows: list[Row] = await self._connection.fetch(statement.text, *statement.bind(values))
        return rows

    async def run_many(self, statement: Statement, values: Iterable[Mapping[str, Any]]) -> None:
        await self._connection.executemany(statement.text, [statement.bind(each) for each in values])
