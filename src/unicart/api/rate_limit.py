"""Requests per second and access token."""

import time

import msgspec
from starlette.types import Scope

from unicart.contract.errors import RateLimited


class Allowance(msgspec.Struct, frozen=True):
    """What is left of the current second; ``reset`` is its end in epoch seconds."""

    limit: int
    remaining: int
    reset: int
    exceeded: bool

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The rate headers of a response."""
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % self.remaining),
            (b"x-ratelimit-reset", b"%d" % self.reset),
        ]


class RateLimiter:
    """Counts the requests of each access token in the current second. A rate of 0 means no limit."""

    def __init__(self, read_rate: int, write_rate: int) -> None:
        self._rates = {False: read_rate, True: write_rate}
        self._second = 0
        self._counts: dict[tuple[int | str, bool], int] = {}

    def take(self, caller: int | str, write: bool) -> Allowance | None:
        """Count one request of a connection (its key) or of an API key (its id); null without a limit."""
        limit = self._rates[write]
        if not limit:
            return None
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._counts.clear()
        count = self._counts.get((caller, write), 0) + 1
        self._counts[caller, write] = count
        return Allowance(limit, max(limit - count, 0), second + 1, count > limit)

    def admit(self, scope: Scope, caller: int | str, write: bool) -> None:
        """Count a request, and tell its sender what is left.

        Raises:
            RateLimited: it was one too many.
        """
        allowance = self.take(caller, write)
        if allowance is None:
            return
        scope["unicart.headers"] += allowance.headers()
        if allowance.exceeded:
            raise RateLimited(f"Rate limit of {allowance.limit} requests per second exceeded", retry_after=1)
