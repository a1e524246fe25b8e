"""Shops that a worker syncs: scripted platforms, a clock, and what waits for the work to be done."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sync.platform import ScriptedPlatform
from unicart.connectors.kit import Connector
from unicart.contract.resources import Function
from unicart.store import schedules, tenants
from unicart.store.database import Database
from unicart.store.schedules import Schedule
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection, Organization
from unicart.sync.worker import Worker

START = 1_800_000_000
ORDERS = Function.GET_ORDERS.value


class Shops:
    """Scripted platforms by connection, and a clock."""

    def __init__(self, database: Database, vault: Vault, organization: Organization) -> None:
        self.now = float(START)
        self.platforms: dict[str, ScriptedPlatform] = {}
        self._database = database
        self._vault = vault
        self._organization = organization

    async def add(self, *pages: list[Any]) -> tuple[Connection, ScriptedPlatform]:
        """A connection that has only orders, and is due."""
        connection, _ = await tenants.add_connection(
            self._database,
            self._vault,
            organization_id=self._organization.id,
            integration_name="sandbox",
            account_name="Shop",
            credentials={},
            private_network=False,
        )
        platform = self.platforms[connection.id] = ScriptedPlatform(pages)
        await schedules.put(self._database, connection.key, {ORDERS: 60}, int(self.now))
        return connection, platform

    def worker(self) -> Worker:
        @asynccontextmanager
        async def opened(_: Database, __: Vault, connection: Connection) -> AsyncIterator[Connector]:
            yield self.platforms[connection.id]

        return Worker(self._database, self._vault, event_days=30, clock=lambda: self.now, opened=opened)

    async def schedule(self, connection: Connection) -> Schedule:
        (found,) = await schedules.list_schedules(self._database, connection.key)
        return found


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def work(worker: Worker) -> None:
    await worker.start_due()
    await worker.idle()
