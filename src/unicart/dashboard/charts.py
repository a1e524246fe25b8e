"""The page of charts: orders a day, how fresh our copies are, and how long webhooks take."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
from starlette.responses import Response

from unicart.contract import events as event_types
from unicart.contract.common import parse_date
from unicart.contract.resources import ORDERS
from unicart.dashboard import organizations
from unicart.dashboard.bars import Chart, chart
from unicart.dashboard.pages import Desk, Visit
from unicart.dashboard.wording import duration
from unicart.store import events, figures, tenants, webhooks
from unicart.store.events import Stored
from unicart.store.figures import DAY

DAYS = 30
SAMPLE = 300
FRESHNESS = (0, 10, 30, 60, 120, 300, 900, 3600)
LATENCY = (0, 25, 50, 100, 250, 500, 1000, 5000)


class Summary(msgspec.Struct, frozen=True):
    """A chart of how long something took, with what half and what nineteen of twenty stayed below."""

    count: int
    half: str
    most: str
    chart: Chart


class _Change(msgspec.Struct):
    updated_date: str


class _Envelope(msgspec.Struct):
    event_type: str
    data: _Change
    previous_attributes: dict[str, msgspec.Raw] | None = None


_envelopes = msgspec.json.Decoder(_Envelope)


class ChartPages:
    """The pages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def choose(self, visit: Visit) -> Response:
        """The charts of the first organization."""
        return await organizations.first(self._desk, visit, "charts")

    async def show(self, visit: Visit) -> Response:
        """The charts of an organization, or of one connection."""
        organization = await self._desk.organization(visit.path["organization"])
        accounts = await organizations.accounts(self._desk, organization.id)
        asked = visit.asked("connection_id")
        chosen = [accounts[asked]] if asked in accounts else list(accounts.values())
        today = visit.now - visit.now % DAY
        days = [today - DAY * back for back in reversed(range(DAYS))]
        counts = [await self._orders([each.key for each in chosen], day) for day in days]
        names = [datetime.fromtimestamp(day, UTC).strftime("%d %b") for day in days]
        return visit.page(
            "charts.html",
            organization=organization,
            organizations=await tenants.list_organizations(self._desk.database),
            accounts=accounts,
            connection_id=asked if asked in accounts else "",
            orders=chart("Orders a day", names, counts),
            orders_in_all=sum(counts),
            freshness=await self._freshness(organization.id, asked if asked in accounts else None),
            latency=await self._latency(organization.id),
        )

    async def _orders(self, keys: Sequence[int], day: int) -> int:
        # Others have a turn between two days.
        await asyncio.sleep(0)
        (count,) = await figures.orders_of_days(self._desk.database, keys, [day])
        return count

    async def _freshness(self, organization_id: str, connection_id: str | None) -> Summary | None:
        """How long it took from a change of an order on the platform until it could be read here."""
        found: list[Stored] = []
        for type in (event_types.created(ORDERS), event_types.updated(ORDERS)):
            found += await events.newest(
                self._desk.database, organization_id, None, SAMPLE, type=type, connection_id=connection_id
            )
        newest = sorted(found, key=lambda event: event.id)[-SAMPLE:]
        waits = [wait for wait in map(_wait, newest) if wait is not None]
        return _summary("Time until a change is readable", waits, FRESHNESS, duration)

    async def _latency(self, organization_id: str) -> Summary | None:
        """How long receivers took to accept an event."""
        times: list[int] = []
        for endpoint in await webhooks.list_endpoints(self._desk.database, organization_id):
            found = await webhooks.list_attempts(self._desk.database, endpoint, None, SAMPLE, delivered=True)
            times += [attempt.latency_ms for _, attempt in found]
        return _summary("Time until a webhook is accepted", times, LATENCY, _milliseconds)


def _wait(event: Stored) -> int | None:
    """The seconds between a change and its event; null for a change that is not the platform's, such as of tags."""
    told = _envelopes.decode(event.body)
    if told.previous_attributes is not None and "updated_date" not in told.previous_attributes:
        return None
    return max(event.created - parse_date(told.data.updated_date), 0)


def _milliseconds(value: int) -> str:
    return f"{value // 1000} s" if value >= 1000 and value % 1000 == 0 else f"{value} ms"


def _summary(name: str, values: list[int], bounds: Sequence[int], written: Callable[[int], str]) -> Summary | None:
    if not values:
        return None
    ordered = sorted(values)
    names = [f"< {written(high)}" for _, high in pairwise(bounds)] + [f"≥ {written(bounds[-1])}"]
    counts = [sum(low <= each < high for each in ordered) for low, high in pairwise(bounds)]
    counts.append(sum(each >= bounds[-1] for each in ordered))
    half, most = (ordered[(len(ordered) - 1) * part // 100] for part in (50, 95))
    return Summary(len(ordered), written(half), written(most), chart(name, names, counts))
