"""How fast one connection may ask its platform: slower as soon as the platform says so, and slowly up again."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from unicart.connectors.kit.errors import RateLimitedByPlatform

LONGEST_WAIT = 60.0
"""How many seconds a request waits at most because the platform asks for it."""

SLOWEST = 0.25
"""Requests a second below which nothing slows down."""

GOOD_RUN = 20
"""Good answers in a row that make it faster by a step."""

STEP = 0.1
"""How much of the configured rate a step is."""


class Throttle:
    """At most ``rate`` requests a second and ``concurrency`` at once, for one connection.

    The rate is halved by `slow_down`, down to one request in four seconds, and rises again by a tenth of ``rate`` with each
    run of good answers. `pause` holds every request. ``clock`` and ``sleep`` are for tests.
    """

    def __init__(
        self,
        rate: float = 20.0,
        concurrency: int = 4,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.rate = rate
        self._most = rate
        self._least = min(rate, SLOWEST)
        self._free = asyncio.Semaphore(concurrency)
        self._clock, self._sleep = clock, sleep
        self._next = self._held = self._slowed = float("-inf")
        self._good = 0

    async def __aenter__(self) -> float:
        """Wait for a place; its time is what `slow_down` wants to know.

        Raises:
            RateLimitedByPlatform: the platform asks to be left alone for longer than a request waits.
        """
        await self._free.acquire()
        try:
            return await self._turn()
        except BaseException:
            self._free.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._free.release()

    def pause(self, seconds: float) -> None:
        """Send nothing for this long; a connector calls it when its platform counts costs and none are left to spend."""
        self._held = max(self._held, self._clock() + seconds)

    def slow_down(self, begun: float) -> None:
        """Halve the rate, because the platform limits a request that was ``begun`` then.

        Requests that were under way together halve it once.
        """
        self._good = 0
        if begun >= self._slowed:
            self._slowed = self._clock()
            self.rate = max(self.rate / 2, self._least)

    def went_well(self) -> None:
        """Count a good answer."""
        self._good += 1
        if self._good >= GOOD_RUN and self.rate < self._most:
            self._good = 0
            self.rate = min(self.rate + self._most * STEP, self._most)

    async def _turn(self) -> float:
        while True:
            now = self._clock()
            if self._held - now > LONGEST_WAIT:
                seconds = self._held - now
                raise RateLimitedByPlatform(f"The platform asks us to wait for {seconds:.0f} s.", retry_after=seconds)
            start = max(self._next, self._held)
            if start <= now:
                self._next = now + 1.0 / self.rate
                return now
            await self._sleep(start - now)
