"""How often, and when last, each connection is used: counted in memory, and written every few seconds.

A process that is killed loses the uses of its last seconds; one that ends writes them.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from unicart.store import tenants
from unicart.store.database import Database, StoreUnavailable

log = logging.getLogger(__name__)

EVERY = 5.0


class Uses:
    """The uses that this process has seen and not written yet; by the connection's key, how many and when last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[int, tuple[int, int]] = {}

    def count(self, connection_key: int) -> None:
        """One more use."""
        count, _ = self._seen.get(connection_key, (0, 0))
        self._seen[connection_key] = count + 1, int(time.time())

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Write what is counted, until the block ends, and then the rest."""
        writing = asyncio.create_task(self._keep_writing())
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await self.write()

    async def write(self) -> None:
        """Add what was counted to what is stored; if the store cannot be written, keep it for later."""
        seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            await tenants.add_uses(self._database, seen)
        except StoreUnavailable as error:
            log.warning("The uses of connections are counted later: %s", error)
            for key, (count, last) in seen.items():
                more, later = self._seen.get(key, (0, last))
                self._seen[key] = count + more, max(last, later)

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            # A write that has begun is not broken off, for nobody would know whether it counted.
            await asyncio.shield(self.write())
