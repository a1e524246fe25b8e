"""Tasks that run beside each other, and are waited for or cancelled together."""

import asyncio
from collections.abc import Coroutine, Hashable
from functools import partial


class Tasks:
    """The tasks that are running. One that ends leaves by itself."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._running

    def start(self, work: Coroutine[None, None, None], key: Hashable = None) -> None:
        """Run ``work``, as the task of ``key`` if there is one, which must not have another."""
        key = object() if key is None else key
        task = asyncio.create_task(work)
        self._running[key] = task
        task.add_done_callback(partial(self._ended, key))

    async def idle(self) -> None:
        """Wait until all tasks have ended."""
        while self._running:
            await asyncio.gather(*self._running.values())

    async def cancel(self) -> None:
        """Cancel all tasks, and wait until they have cleaned up."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, key: Hashable, _: asyncio.Task[None]) -> None:
        del self._running[key]
