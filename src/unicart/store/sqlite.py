"""The embedded store: one SQLite file in WAL mode, through apsw and its own recent SQLite.

Reads run at once on the event loop (a page takes one or two milliseconds, a thread hop costs more than it gives); writes
run on a thread of their own, so that a large commit does not hold up readers.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any, TypeVar

import apsw

from unicart.store.database import OLD_SCHEMA, Database, Row, StoreUnavailable, Transaction
from unicart.store.statements import Statement

T = TypeVar("T")
log = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 5000
MMAP_BYTES = 1 << 40
STATEMENT_CACHE = 500


def _translated(error: apsw.Error) -> Exception:
    """What SQLite says of its file, as an error with the remedy; anything else as it is."""
    match error:
        case apsw.BusyError() | apsw.LockedError():
            return StoreUnavailable("The database is locked by another process. Try again.")
        case apsw.FullError():
            return StoreUnavailable("The disk of the database is full. Free some space; nothing was written.")
        case apsw.SQLError() if "no such table" in str(error) or "no such column" in str(error):
            return StoreUnavailable(OLD_SCHEMA)
        case apsw.CantOpenError() | apsw.ReadOnlyError() | apsw.IOError() | apsw.CorruptError() | apsw.NotADBError():
            log.error("SQLite: %s", error)
            return StoreUnavailable("The database file cannot be read or written. See the log.")
    return error


def connect(path: str) -> apsw.Connection:
    """A connection with the settings that every user of the file shares."""
    try:
        connection = apsw.Connection(path, statementcachesize=STATEMENT_CACHE)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        # A plan never depends on the values bound to it: with statistics SQLite would plan anew at every execution.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA mmap_size={MMAP_BYTES}")
        connection.execute("PRAGMA cache_size=-16384")
        connection.execute("PRAGMA temp_store=MEMORY")
    except apsw.Error as error:
        raise _translated(error) from error
    return connection


class SQLite(Database):
    """The store in the file at ``path``."""

    dialect = "sqlite"
    stream_batch = 250

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self._reader = connect(path)
        self._writer = connect(path)
        self._writing = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")

    async def fetch(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        try:
            return self._reader.execute(statement.text, statement.bind(values)).fetchall()
        except apsw.Error as error:
            raise _translated(error) from error

    async def fetch_documents(self, statement: Statement, values: Mapping[str, Any]) -> list[bytes]:
        try:
            return list(chain.from_iterable(self._reader.execute(statement.text, statement.bind(values))))
        except apsw.Error as error:
            raise _translated(error) from error

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        async with self._writing:
            await self._on_thread(lambda: self._writer.execute("BEGIN IMMEDIATE"))
            try:
                yield _SQLiteTransaction(self)
            except BaseException:
                await asyncio.shield(self._on_thread(self._roll_back))
                raise
            try:
                await asyncio.shield(self._on_thread(lambda: self._writer.execute("COMMIT")))
            except StoreUnavailable:
                await self._on_thread(self._roll_back)
                raise

    async def close(self) -> None:
        async with self._writing:
            await self._on_thread(self._writer.close)
        self._thread.shutdown()
        self._reader.close()

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    async def _on_thread(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except apsw.Error as error:
            raise _translated(error) from error


class _SQLiteTransaction(Transaction):
    database: SQLite

    async def fetch(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        bound = statement.bind(values)
        return await self.database._on_thread(lambda: self.database._writer.execute(statement.text, bound).fetchall())

    async def run_many(self, statement: Statement, values: Iterable[Mapping[str, Any]]) -> None:
        bound = [statement.bind(each) for each in values]
        await self.database._on_thread(lambda: self.database._writer.executemany(statement.text, bound).fetchall())
