"""All orders as NDJSON, against reading the same rows raw from the database in Python."""

import asyncio
import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import apsw
import asyncpg

from bench.load import median_of
from bench.report import Figure
from bench.servers import Unicart

READ = "SELECT doc FROM orders WHERE connection_key = (SELECT max(connection_key) FROM orders) ORDER BY created, id"
BATCH = 500
MEMORY_GOAL_MB = 300


def everything(server: Unicart, database: str, rounds: int) -> list[Figure]:
    """Throughput and memory of the whole shop in one request."""
    figures = []
    group = f"NDJSON of everything, {database}"
    raw = median_of(lambda: _raw_rate(server.database_url), rounds)
    for coding in ("", "gzip", "zstd"):
        with _memory(server.pid) as peak:
            streamed = median_of(lambda coding=coding: _stream_rate(server, coding), rounds if not coding else 1)  # type: ignore[misc]
        name = f"records per second{f' ({coding})' if coding else ''} ÷ raw read"
        detail = f"{streamed:,.0f} records/s, raw {raw:,.0f}"
        figures.append(Figure(group, name, streamed / raw, "" if coding else ">= 0.5", detail))
        name = f"private memory{f' ({coding})' if coding else ''} ÷ {MEMORY_GOAL_MB} MB"
        figures.append(Figure(group, name, peak[0] / MEMORY_GOAL_MB, "<= 1", f"{peak[0]:.0f} MB at most"))
    return figures


def _raw_rate(url: str) -> float:
    started = time.perf_counter()
    count = _raw_sqlite(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else asyncio.run(_raw_postgres(url))
    return count / (time.perf_counter() - started)


def _raw_sqlite(path: str) -> int:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    connection.execute(f"PRAGMA mmap_size={1 << 40}")
    count = 0
    for _ in connection.execute(READ):
        count += 1
    return count


async def _raw_postgres(url: str) -> int:
    connection = await asyncpg.connect(url)
    await connection.execute("SET enable_sort = off")
    count = 0
    async with connection.transaction():
        cursor = await connection.cursor(READ)
        while rows := await cursor.fetch(BATCH):
            count += len(rows)
    await connection.close()
    return count


def _stream_rate(server: Unicart, coding: str) -> float:
    address = urlsplit(server.base_url)
    client = http.client.HTTPConnection(address.hostname or "", address.port, timeout=600)
    headers = {**server.headers, "accept": "application/x-ndjson"}
    started = time.perf_counter()
    client.request("GET", "/cart/orders", headers={**headers, "accept-encoding": coding} if coding else headers)
    answer = client.getresponse()
    records = 0
    while part := answer.read(1 << 18):
        records += part.count(b"\n") if not coding else 0
    seconds = time.perf_counter() - started
    client.close()
    return (records or _counted(server)) / seconds


def _counted(server: Unicart) -> int:
    """The number of orders, for streams whose lines are not visible."""
    path = server.database_url.removeprefix("sqlite:///")
    count = "SELECT count(*) FROM orders WHERE connection_key = (SELECT max(connection_key) FROM orders)"
    if server.database_url.startswith("sqlite"):
        return int(next(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY).execute(count))[0])

    async def ask() -> int:
        connection = await asyncpg.connect(server.database_url)
        value = int(await connection.fetchval(count))
        await connection.close()
        return value

    return asyncio.run(ask())


@contextmanager
def _memory(pid: int) -> Iterator[list[float]]:
    """The most anonymous memory (MB) that the process had during the block; file pages it maps are the system's cache."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            status = Path(f"/proc/{pid}/status").read_text()
            anonymous = int(status.split("RssAnon:")[1].split()[0])
            peak[0] = max(peak[0], anonymous / 1024)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
