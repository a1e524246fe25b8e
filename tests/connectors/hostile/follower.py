"""The simplest follower of the hostile platform: what any engine does with what the connector brings."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from chaos.platform import Platform
from unicart.connectors.hostile.client import HostileConnector
from unicart.connectors.kit import ConnectorError, Hint, Pull, RawPage, Session, Throttle, UnmappableRecord
from unicart.contract.resources import Function, Record

MOST_TRIES = 200


@asynccontextmanager
async def connected(platform: Platform, slowest: float = 30.0, **credentials: str) -> AsyncIterator[HostileConnector]:
    """A connector to ``platform`` that does not hold itself back."""
    given = {**platform.credentials, **credentials}
    session = Session(platform.url, private_network=True, timeout=slowest, patience=20.0, secrets=(given["secret"],))
    session.throttle = Throttle(rate=1e6)
    try:
        yield HostileConnector(given, session)
    finally:
        await session.close()


async def pages(connector: HostileConnector, function: Function = Function.GET_ORDERS, **pull: Any) -> list[RawPage]:
    """The pages of one run."""
    return [page async for page in connector.pull(function, Pull(**pull))]


def records(found: Sequence[RawPage]) -> list[dict[str, Any]]:
    """The raw records of ``found``, in order."""
    return [json.loads(raw) for page in found for raw in page.records]


class Copy:
    """Holds the newest record of each id, by the platform's whole seconds; of equal seconds, the one that came last."""

    def __init__(self, connector: HostileConnector) -> None:
        self.connector = connector
        self.held: dict[Function, dict[str, Record]] = {function: {} for function in Function}
        self.quarantined: set[str] = set()
        self.failures: list[ConnectorError] = []
        self._cursors: dict[Function, str | None] = dict.fromkeys(Function)
        self._interrupted = dict.fromkeys(Function, False)

    async def run(self, function: Function, most: int | None = None) -> None:
        """Pull to the end through every failure; or ``most`` pages, as if killed behind them."""
        for _ in range(MOST_TRIES):
            pull = Pull(cursor=self._cursors[function], interrupted=self._interrupted[function])
            try:
                if await self._run(function, pull, most):
                    self._interrupted[function] = False
                return
            except ConnectorError as error:
                self.failures.append(error)
        raise AssertionError(f"the platform failed {MOST_TRIES} times: {self.failures[-1]}")

    async def hear(self, hints: Sequence[Hint]) -> None:
        """Do what webhooks ask for."""
        for hint in hints:
            if hint.raw is not None:
                self.take(hint.function, [hint.raw])
        for function in Function:
            ids = {hint.id for hint in hints if hint.raw is None and hint.function is function}
            await self._fetch(function, sorted(ids))

    async def reconcile(self, function: Function) -> None:
        """Compare everything."""
        listed: set[str] = set()
        until = datetime.now(UTC) + timedelta(days=1)
        for page in await pages(self.connector, function, until=until):
            listed |= self.take(function, page.records)
        await self._fetch(function, sorted(self.held[function].keys() - listed))

    def take(self, function: Function, raws: Sequence[bytes]) -> set[str]:
        """Keep what is not older than what is held; the ids of ``raws``."""
        ids: set[str] = set()
        for raw in raws:
            raw_id = json.loads(raw)["id"]
            try:
                mapped = HostileConnector.map(function, raw)
            except (UnmappableRecord, msgspec.ValidationError):
                self.quarantined.add(raw_id)
                ids.add(raw_id)
                continue
            self.quarantined.discard(raw_id)
            for record in mapped:
                ids.add(record.id)
                held = self.held[function].get(record.id)
                if held is None or held.updated_date <= record.updated_date:
                    self.held[function][record.id] = record
        return ids

    async def _run(self, function: Function, pull: Pull, most: int | None) -> bool:
        run = self.connector.pull(function, pull)
        async for page in run:
            self.take(function, page.records)
            self._cursors[function], self._interrupted[function] = page.cursor, True
            most = None if most is None else most - 1
            if most == 0:
                await run.aclose()  # type: ignore[attr-defined]
                return False
        return True

    async def _fetch(self, function: Function, ids: Sequence[str]) -> None:
        found = self.take(function, await self.connector.fetch(function, ids))
        for id in set(ids) - found:
            self.held[function].pop(id, None)
            self.quarantined.discard(id)
