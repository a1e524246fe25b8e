"""Raw platform JSON into stored orders, against a dlt pipeline that pulls the same pages into the same kind of database."""

import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.idle import scratch_store
from bench.pulls import Pulls, apart, of_dlt, ours
from bench.report import Figure
from bench.servers import Postgres, free_port, running

MOST_ORDERS = 10_000
QUICK_ORDERS = 2_000
GOAL = ">= 3"


def against_dlt(server: Postgres | None, database: str, orders: int, rounds: int) -> list[Figure]:
    """Orders of a Medusa that answers from memory, pulled by us and by dlt in turns, each time into an empty store."""
    silent, announced, flat, nested = [], [], [], []
    with _platform(orders) as platform:
        for _ in range(rounds):
            silent.append(_ours(server, platform, orders, announced=False))
            flat.append(_of_dlt(server, platform, orders, nested=False))
            announced.append(_ours(server, platform, orders, announced=True))
            nested.append(_of_dlt(server, platform, orders, nested=True))
    return _figures(f"Ingest of {orders:,} raw orders, {database}", orders, silent, announced, flat, nested)


def _figures(
    group: str,
    orders: int,
    silent: Sequence[Pulls],
    announced: Sequence[Pulls],
    flat: Sequence[Pulls],
    nested: Sequence[Pulls],
) -> list[Figure]:
    def figure(name: str, goal: str, one: Sequence[Pulls], other: Sequence[Pulls], step: str) -> Figure:
        mine, theirs = (orders / statistics.median(getattr(each, step) for each in pulls) for pulls in (one, other))
        return Figure(group, name, mine / theirs, goal, f"{mine:,.0f} orders/s, dlt {theirs:,.0f}")

    return [
        figure("first load ÷ dlt", GOAL, silent, flat, "first"),
        figure("first load with its events ÷ dlt", "", announced, flat, "first"),
        figure("first load ÷ dlt with tables for what is nested", "", silent, nested, "first"),
        figure("everything again, unchanged ÷ dlt", "", silent, flat, "again"),
        figure("everything again, unchanged ÷ dlt with tables for what is nested", "", silent, nested, "again"),
    ]


def _ours(server: Postgres | None, platform: str, orders: int, *, announced: bool) -> Pulls:
    with scratch_store(server) as (store, _):
        return apart(ours, platform, store, orders, announced)


def _of_dlt(server: Postgres | None, platform: str, orders: int, *, nested: bool) -> Pulls:
    with scratch_store(server) as (store, folder):
        return apart(of_dlt, platform, store, orders, folder, nested)


@contextmanager
def _platform(orders: int) -> Iterator[str]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running([sys.executable, "-m", "bench.shop", str(orders), str(port)], f"{url}/admin/payments"):
        yield url
