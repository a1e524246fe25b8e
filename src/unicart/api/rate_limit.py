"""Requests per second and access token."""

import time

from starlette.types import Scope

from unicart.contract.errors import RateLimited


class RateLimiter:
    """Counts the requests of each access token in the current second. A rate of 0 means no limit."""

    def __init__(self, read_rate: int, write_rate: int) -> None:
        self._rates = {False: read_rate, True: write_rate}
        self._second = 0
        self._counts: dict[tuple[int | str, bool], int] = {}

    def admit(self, scope: Scope, caller: int | str, write: bool) -> None:
        """Count a request of a connection (its key) or of an API key (its id), and tell its sender what is left.

        Raises:
            RateLimited: it was one too many.
        """
        limit = self._rates[write]
        if not limit:
            return
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._counts.clear()
        count = self._counts.get((caller, write), 0) + 1
        self._counts[caller, write] = count
        scope["unicart.headers"] += (
            (b"x-ratelimit-limit", b"%d" % limit),
            (b"x-ratelimit-remaining", b"%d" % max(limit - count, 0)),
            (b"x-ratelimit-reset", b"%d" % (second + 1)),
        )
        if count > limit:
            raise RateLimited(f"Rate limit of {limit} requests per second exceeded", retry_after=1)
