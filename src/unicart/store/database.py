"""What the two databases have in common: reads, and write transactions that are all or nothing."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import literal_column, select
from sqlalchemy.sql import ClauseElement

from unicart.contract.errors import Unavailable
from unicart.store.statements import Statement, compile_statement
from unicart.store.tables import metadata

Row = tuple[Any, ...]


MAX_PREPARED = 2000
"""Statements that are kept compiled. Callers choose how many values a filter has, so there is no natural end to them."""

OLD_SCHEMA = "The database does not have this version's schema. Restart Unicart: it migrates when it starts."


class StoreUnavailable(Unavailable):
    """The database is locked, full, read-only or unreachable. Nothing of the transaction was written."""


class Transaction(ABC):
    """One write transaction; it commits when its block ends and rolls back when the block raises."""

    def __init__(self, database: "Database") -> None:
        self.database = database

    @abstractmethod
    async def fetch(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        """All rows of ``statement``."""

    @abstractmethod
    async def run_many(self, statement: Statement, values: Iterable[Mapping[str, Any]]) -> None:
        """Run ``statement`` once for each of ``values``."""

    async def run(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Run ``statement`` for its effect."""
        await self.run_many(statement, [values])

    async def execute(self, expression: ClauseElement, **values: Any) -> list[Row]:
        """Compile and run ``expression``, and return its rows."""
        return await self.fetch(self.database.compile(expression), values)


class Database(ABC):
    """A store. Every method may raise `StoreUnavailable`."""

    dialect: str
    stream_batch: int
    """How many documents a stream asks for at a time: few enough to stay in a processor's cache, or worth a round trip."""

    def __init__(self) -> None:
        self._prepared: dict[Hashable, Statement] = {}

    @abstractmethod
    async def fetch(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        """All rows of ``statement``, outside any write transaction."""

    @abstractmethod
    async def fetch_documents(self, statement: Statement, values: Mapping[str, Any]) -> list[bytes]:
        """The only column of ``statement``, which are documents, outside any write transaction."""

    @abstractmethod
    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a write transaction."""

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""

    def compile(self, expression: ClauseElement) -> Statement:
        """``expression`` as a statement of this database."""
        return compile_statement(expression, self.dialect)

    def prepared(self, key: Hashable, build: Callable[[], ClauseElement]) -> Statement:
        """The statement that ``build`` makes, compiled at its first use; ``key`` holds all that its text depends on."""
        statement = self._prepared.get(key)
        if statement is None:
            if len(self._prepared) >= MAX_PREPARED:
                self._prepared.clear()
            statement = self._prepared[key] = self.compile(build())
        return statement

    async def execute(self, expression: ClauseElement, **values: Any) -> list[Row]:
        """Compile and run ``expression``, and return its rows; for what is not asked often."""
        return await self.fetch(self.compile(expression), values)

    async def refresh_statistics(self) -> None:  # noqa: B027 - not every database has something to do
        """Tell the planner what a large load has made of the tables."""

    async def now(self) -> datetime | None:
        """The time by the store's own clock, if it has one."""
        return None

    async def ping(self) -> None:
        """Read something, to see whether the store answers."""
        await self.execute(select(literal_column("1")).select_from(metadata.tables["organizations"]).limit(1))


class Joined(Database):
    """The store as it is seen from within a transaction: what is written here becomes part of that."""

    def __init__(self, transaction: Transaction) -> None:
        super().__init__()
        self._transaction = transaction
        self.dialect = transaction.database.dialect
        self.stream_batch = transaction.database.stream_batch

    async def fetch(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        return await self._transaction.fetch(statement, values)

    async def fetch_documents(self, statement: Statement, values: Mapping[str, Any]) -> list[bytes]:
        return [row[0] for row in await self._transaction.fetch(statement, values)]

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        yield self._transaction

    async def close(self) -> None:
        """Nothing to close: the transaction ends with its own block."""

    def prepared(self, key: Hashable, build: Callable[[], ClauseElement]) -> Statement:
        return self._transaction.database.prepared(key, build)


async def open_database(url: str) -> Database:
    """The store at ``url``: ``sqlite:///path`` or ``postgresql://…``, migrated by `unicart.store.migrate` before.

    Raises:
        ValueError: another kind of URL.
        StoreUnavailable: it cannot be opened.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        from unicart.store.sqlite import SQLite

        return SQLite(rest.removeprefix("/"))
    if scheme in ("postgresql", "postgres"):
        from unicart.store.postgres import Postgres

        return await Postgres.open(url)
    raise ValueError(f"database URL {url.partition('@')[2] or url!r}: use sqlite:///path or postgresql://host/name")
