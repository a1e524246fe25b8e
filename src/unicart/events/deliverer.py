"""The deliverer: sends every endpoint its events, at once and then again until they arrive.

Any number of deliverers may share a store: an endpoint is served by one at a time. What was sent but not recorded, because
the process was killed in between, is sent again under the same id.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from unicart import logs
from unicart.events.sender import Sender
from unicart.store import webhooks
from unicart.store.database import Database, StoreUnavailable
from unicart.store.secrets import SecretError, Vault
from unicart.store.webhooks import Endpoint, LeaseLost, Message, Outcome
from unicart.tasks import Tasks

log = logging.getLogger(__name__)

RETRIES = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
"""Seconds from each failed attempt to the next."""
GIVE_UP = 5 * 86400
"""Seconds without one success after which an endpoint is disabled."""
TICK = 0.2
ROUND = 32
HOLD = 60
PAUSE = 5.0
PRUNE = 5000
PRUNE_EVERY = 3600


class Deliverer:
    """Delivers until it is cancelled. ``owner`` names this process among those that share the store."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        owner: str,
        *,
        private_network: bool,
        event_days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._vault = vault
        self._owner = owner
        self._private_network = private_network
        self._event_days = event_days
        self._next_prune = 0.0
        self._clock = clock
        self._tasks = Tasks()

    async def run(self) -> None:
        """Deliver. When cancelled, endpoints are given back."""
        try:
            while True:
                await self.start_due()
                await self.prune()
                await asyncio.sleep(TICK)
        finally:
            await self._tasks.cancel()

    async def start_due(self) -> None:
        """Begin to send to each endpoint that something is there for."""
        try:
            claimed = await webhooks.claim(self._database, self._owner, int(self._clock()), HOLD)
        except StoreUnavailable as error:
            log.error("Webhooks cannot be read: %s", error)
            await asyncio.sleep(PAUSE)
            return
        for endpoint in claimed:
            self._tasks.start(self._serve(endpoint))

    async def prune(self) -> None:
        """Delete attempts that are too old: some at a time, and once all are gone, not again for an hour."""
        now = self._clock()
        if now < self._next_prune:
            return
        try:
            if not await webhooks.prune(self._database, int(now) - self._event_days * 86400, PRUNE):
                self._next_prune = now + PRUNE_EVERY
        except StoreUnavailable as error:
            log.error("Old attempts cannot be deleted: %s", error)

    async def idle(self) -> None:
        """Wait until everything that was begun is sent."""
        await self._tasks.idle()

    async def _serve(self, endpoint: Endpoint) -> None:
        logs.about(endpoint_id=endpoint.id)
        try:
            async with Sender(endpoint.url, private_network=self._private_network) as sender:
                await self._send_all(endpoint, sender)
        except LeaseLost:
            return
        except (StoreUnavailable, SecretError) as error:
            log.error("Webhooks of %s: %s", endpoint.id, error)
            # Keeps the lease meanwhile, so that a store that fails is not asked five times a second.
            await asyncio.sleep(PAUSE)
        except Exception:
            log.exception("webhooks of %s failed", endpoint.id)
            await asyncio.sleep(PAUSE)
        finally:
            await self._release(endpoint)

    async def _send_all(self, endpoint: Endpoint, sender: Sender) -> None:
        """Send until nothing is left, or the endpoint is changed, disabled or taken over."""
        current = endpoint
        while not current.disabled and current.url == endpoint.url:
            now = int(self._clock())
            work = await webhooks.work(self._database, current, now, ROUND)
            if not work.messages and work.position == current.position:
                return
            outcomes = await self._round(current, sender, work.messages)
            now = int(self._clock())
            reason = _reason_to_stop(current, outcomes, now)
            if reason is not None:
                log.warning("Webhook endpoint %s is disabled: %s", current.id, reason)
            current = await webhooks.record(
                self._database, current, self._owner, outcomes, work.position, now, HOLD, disabled_reason=reason
            )

    async def _round(self, endpoint: Endpoint, sender: Sender, messages: Sequence[Message]) -> list[Outcome]:
        secrets = await webhooks.read_secrets(self._database, self._vault, endpoint, int(self._clock()))
        if not secrets:
            raise LeaseLost(endpoint.id)

        async def send(message: Message) -> Outcome:
            attempt = await sender.send(message.event, secrets)
            again = not attempt.delivered and message.attempts < len(RETRIES)
            due = int(self._clock()) + RETRIES[message.attempts] if again else None
            return Outcome(message, attempt, due)

        return list(await asyncio.gather(*map(send, messages)))

    async def _release(self, endpoint: Endpoint) -> None:
        try:
            await webhooks.release(self._database, endpoint, self._owner)
        except StoreUnavailable as error:
            log.error("Webhook endpoint %s stays taken for %s s: %s", endpoint.id, HOLD, error)


def _reason_to_stop(endpoint: Endpoint, outcomes: Sequence[Outcome], now: int) -> str | None:
    """Why nothing more is to be sent to an endpoint, if so."""
    if any(outcome.attempt.status == 410 for outcome in outcomes):
        return "The receiver answered 410 Gone."
    if any(outcome.attempt.delivered for outcome in outcomes) or endpoint.failing_since is None:
        return None
    if outcomes and now - endpoint.failing_since >= GIVE_UP:
        return f"Every attempt of {GIVE_UP // 86400} days failed."
    return None
