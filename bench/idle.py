"""The CPU of ``unicart serve``, API and worker, with many connections that have little or nothing to do."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import ColumnElement, case, update

from bench.load import cpu_seconds
from bench.report import Figure
from bench.servers import CACHE, UNICART, Postgres, free_port, running
from unicart.store import tenants
from unicart.store.database import Database, open_database
from unicart.store.migrate import migrate
from unicart.store.secrets import Vault, open_vault
from unicart.store.tables import schedules
from unicart.sync.connect import complete_credentials, opened_connection
from unicart.sync.run import sync_function
from unicart.sync.worker import schedule

CONNECTIONS = 1000
AT_ONCE = 10
POLLED = 10
ORDERS = 10
SECONDS, QUICK_SECONDS = 60, 30
SETTLING = 5
NOT_NOW = 24 * 3600
SHARE = 0.02
GOAL = "<= 1"


def share_of_a_core(server: Postgres | None, database: str, seconds: int) -> Iterator[Figure]:
    """With no schedule due, with those of some connections as they are by default, and with all of them so.

    Default schedules are spread evenly over their intervals: each connection's orders are asked for once a minute. The
    connections are synced sandboxes, whose platforms cost nothing to ask and have nothing new.
    """
    group = f"{CONNECTIONS:,} connections for {seconds} s, {database}"
    with scratch_store(server) as (store, folder):
        asyncio.run(_connect(store, folder))
        for name, goal, polled in (
            ("nothing due", GOAL, 0),
            (f"{POLLED} polled as by default", GOAL, POLLED),
            ("all polled as by default", "", CONNECTIONS),
        ):
            asyncio.run(_plan(store, polled))
            share = _spent(store, folder, seconds) / seconds
            detail = f"{share:.2%} of a core, API and worker"
            yield Figure(group, f"CPU, {name} ÷ {SHARE:.0%} of a core", share / SHARE, goal, detail)


@contextmanager
def scratch_store(server: Postgres | None) -> Iterator[tuple[str, Path]]:
    """An empty store and a data directory, for the length of the block."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        if server is None:
            yield f"sqlite:///{folder}/unicart.db", Path(folder)
            return
        with server.scratch() as store:
            yield store, Path(folder)


async def _connect(store: str, folder: Path) -> None:
    """Add the connections, each with a small shop of its own, and sync them."""
    migrate(store)
    vault = open_vault(None, folder)
    database = await open_database(store)
    try:
        organization = await tenants.create_organization(database, "bench")
        for start in range(0, CONNECTIONS, AT_ONCE):
            some = range(start, min(start + AT_ONCE, CONNECTIONS))
            await asyncio.gather(*(_add(database, vault, organization.id, number) for number in some))
    finally:
        await database.close()


async def _add(database: Database, vault: Vault, organization_id: str, number: int) -> None:
    connection, _ = await tenants.add_connection(
        database,
        vault,
        organization_id=organization_id,
        integration_name="sandbox",
        account_name=f"shop {number}",
        credentials=complete_credentials("sandbox", {"seed": str(number), "orders": str(ORDERS)}),
        private_network=False,
    )
    await schedule(database, connection, int(time.time()))
    async with opened_connection(database, vault, connection) as platform:
        for function in platform.facts.functions:
            await sync_function(database, connection, platform, function)


async def _plan(store: str, polled: int) -> None:
    """Make the schedules of ``polled`` connections due evenly over their intervals, and no other ones."""
    now = int(time.time())
    c = schedules.c
    evenly: ColumnElement[int] = now + c.connection_key % c.every
    database = await open_database(store)
    try:
        async with database.write() as transaction:
            due = case((c.connection_key <= polled, evenly), else_=now + NOT_NOW)
            await transaction.execute(update(schedules).values(due=due))
    finally:
        await database.close()


def _spent(store: str, folder: Path, seconds: int) -> float:
    """CPU seconds of ``unicart serve`` and its worker in ``seconds``, once they have started."""
    port = free_port()
    command = ["env", f"UNICART_DATABASE_URL={store}", UNICART, "serve", "--data-dir", str(folder), "--port", str(port)]
    with running(command, f"http://127.0.0.1:{port}/docs") as served:
        time.sleep(SETTLING)
        before = cpu_seconds(served.processes)
        time.sleep(seconds)
        return cpu_seconds(served.processes) - before
