"""The platform's webhooks, as reliable as webhooks are."""

import asyncio
import hmac
import random
from collections import Counter
from collections.abc import Callable

import httpx2
import msgspec

from chaos.faults import Fault, Rates
from chaos.shop import Happening

EVENT_HEADER = "x-hostile-event"
SIGNATURE_HEADER = "x-hostile-signature"
SECONDS_TO_ANSWER = 5.0
SECONDS_TO_RETRY = 0.5
NAMES = {"orders": "order", "products": "product", "warehouses": "warehouse"}


class Subscription(msgspec.Struct, frozen=True):
    """Who wants to hear of changes."""

    id: str
    url: str
    secret: str


class Sender:
    """Sends webhooks from its event loop. ``delivered`` counts those that were answered with a 2xx."""

    def __init__(self, seed: int, rates: Callable[[], Rates], counts: Counter[Fault]) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.sent = 0
        self.delivered = 0
        self._rates = rates
        self._counts = counts
        self._generator = random.Random(seed)
        self._events = 0
        self._last: dict[tuple[str, str], int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = httpx2.AsyncClient(timeout=SECONDS_TO_ANSWER)

    @property
    def pending(self) -> int:
        """How many webhooks are on their way."""
        return len(self._tasks)

    def announce(self, happening: Happening) -> None:
        """Tell every subscriber, some time, or not."""
        for subscription in list(self.subscriptions.values()):
            self._plan(subscription, happening)

    async def close(self) -> None:
        """Forget what is on its way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _plan(self, subscription: Subscription, happening: Happening) -> None:
        rates = self._rates()
        if self._falls(rates.hook_lost, Fault.HOOK_LOST):
            return
        self._events += 1
        event, body = f"evt_{self._events}", self._body(rates, happening)
        for _ in range(2 if self._falls(rates.hook_twice, Fault.HOOK_TWICE) else 1):
            sending = self._deliver(subscription, event, body, self._delay(rates), (happening.id, happening.version))
            task = asyncio.get_running_loop().create_task(sending)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _body(self, rates: Rates, happening: Happening) -> bytes:
        name, versions = NAMES[happening.kind], happening.versions
        if not versions:
            return _encoded(f"{name}.deleted", happening.id)
        if self._falls(rates.hook_touched, Fault.HOOK_TOUCHED):
            return _encoded(f"{name}.touched", happening.id)
        if len(versions) > 1 and self._falls(rates.hook_stale, Fault.HOOK_STALE):
            return _encoded(f"{name}.updated", happening.id, self._generator.choice(versions[:-1]))
        return _encoded(f"{name}.updated", happening.id, versions[-1])

    def _delay(self, rates: Rates) -> float:
        if self._falls(rates.hook_late, Fault.HOOK_LATE):
            return self._generator.uniform(1.0, rates.hook_late_seconds)
        if self._generator.random() < rates.hook_jumbled:
            return self._generator.uniform(0.0, rates.hook_jumbled_seconds)
        return 0.0

    async def _deliver(
        self, subscription: Subscription, event: str, body: bytes, delay: float, version: tuple[str, int]
    ) -> None:
        await asyncio.sleep(delay)
        id, number = version
        newest = self._last.get((subscription.id, id), -1)
        self._last[subscription.id, id] = max(newest, number)
        self._counts[Fault.HOOK_OUT_OF_ORDER] += number < newest
        if await self._post(subscription, event, body):
            return
        if self._falls(self._rates().hook_retried, Fault.HOOK_RETRIED):
            await asyncio.sleep(SECONDS_TO_RETRY)
            await self._post(subscription, event, body)
        else:
            self._counts[Fault.HOOK_NOT_RETRIED] += 1

    async def _post(self, subscription: Subscription, event: str, body: bytes) -> bool:
        headers = {
            "content-type": "application/json",
            EVENT_HEADER: event,
            SIGNATURE_HEADER: hmac.new(subscription.secret.encode(), f"{event}.".encode() + body, "sha256").hexdigest(),
        }
        self.sent += 1
        try:
            reply = await self._client.post(subscription.url, content=body, headers=headers)
        except httpx2.HTTPError:
            return False
        self.delivered += reply.is_success
        return reply.is_success

    def _falls(self, chance: float, fault: Fault) -> bool:
        fell = self._generator.random() < chance
        self._counts[fault] += fell
        return fell


def _encoded(event: str, id: str, record: bytes | None = None) -> bytes:
    fields = {"event": event, "id": id} | ({} if record is None else {"record": msgspec.Raw(record)})
    return msgspec.json.encode(fields)
