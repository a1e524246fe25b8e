"""Which failures are worth another attempt, and when."""

from typing import Any

import msgspec
import stamina

from unicart.client.calls import Call
from unicart.client.errors import ApiError, NotReached

WORTH = frozenset({409, 429, 500, 502, 503, 504})


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How often a request is sent at most, and for how many seconds the client waits because it is asked to."""

    attempts: int = 8
    patience: int = 90

    def of(self, call: Call[Any]) -> Any:
        """The attempts at a call.

        Safe: what would do more if it was done twice is repeated only where it was surely not begun with. Writes carry
        an idempotency key, so that they are as good as reads.
        """
        return stamina.retry_context(
            on=lambda error: self._wait(error, call.repeatable), attempts=self.attempts, timeout=None
        )

    def _wait(self, error: Exception, repeatable: bool) -> bool | float:
        """Seconds to wait; true for a growing pause, false if the error stands."""
        if isinstance(error, NotReached):
            return repeatable or not error.sent
        if not isinstance(error, ApiError) or error.status not in WORTH:
            return False
        if error.status == 409 and error.origin == "integration":
            return False
        if error.status != 429 and not repeatable:
            return False
        if error.retry_after is None:
            return True
        return float(error.retry_after) if error.retry_after <= self.patience else False


DEFAULT_RETRIES = Retries()
