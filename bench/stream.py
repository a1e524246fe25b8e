"""All orders as NDJSON, against reading the same rows raw from the database in Python."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import apsw
import asyncpg

from bench.load import Failed, median_of
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
    """Records per second of the whole stream, drained by a client that does nothing else."""
    address = urlsplit(server.base_url)
    headers = {"host": address.netloc, **server.headers, "accept": "application/x-ndjson", "connection": "close"}
    if coding:
        headers["accept-encoding"] = coding
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    part = memoryview(bytearray(1 << 20))
    with socket.create_connection((address.hostname, address.port), timeout=600) as client:
        started = time.perf_counter()
        client.sendall(f"GET /cart/orders HTTP/1.1\r\n{head}\r\n".encode())
        while received := client.recv_into(part):
            end = bytes(part[max(received - 5, 0) : received])
        seconds = time.perf_counter() - started
    if end != b"0\r\n\r\n":
        raise Failed("The stream broke off.")
    return _counted(server) / seconds


def _counted(server: Unicart) -> int:
    """The number of orders in the shop."""
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
