"""Run the benchmarks: ``python -m bench [--orders N] [--only GROUP]… [--quick]``."""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager

from rich.console import Console

from bench import datasette, filters, hooks, idle, ingest, medusa, pages, stream
from bench.load import Failed, Missing, require_programs
from bench.report import Figure, save, show
from bench.servers import Postgres, Unicart, postgres, unicart

OF_A_SHOP = ("pages", "filters", "size", "ndjson", "datasette")
UNDER_LOAD = (*OF_A_SHOP, "medusa")
OF_SYNCS = ("ingest", "hooks", "idle")
GROUPS = (*UNDER_LOAD, *OF_SYNCS)
SMALL_SHOP = 10_000
QUICK_ORDERS = 100_000


def main() -> int:
    """Measure, print and save."""
    options = _options()
    out, log = Console(width=170), Console(stderr=True)
    figures: list[Figure] = []
    try:
        if set(options.only) & set(UNDER_LOAD):
            require_programs()
        for figure in _measured(options, log):
            log.print(
                f"{figure.group}: {figure.name} {figure.ratio:.2f} {figure.verdict}", highlight=False, markup=False
            )
            figures.append(figure)
    except (Missing, Failed) as error:
        log.print(f"[red]{error}[/red]")
        return 1
    finally:
        if figures:
            show(figures, out)
            log.print(f"Saved as {save(figures, options.orders)}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ratios against peers, measured in one run.")
    parser.add_argument("--orders", type=int, default=1_000_000, help="orders in the shop (default 1,000,000)")
    parser.add_argument("--only", action="append", choices=GROUPS, help="only this group; may be repeated")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="only this database")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ORDERS:,} orders and short rounds")
    options = parser.parse_args()
    if options.quick:
        options.orders = QUICK_ORDERS
    options.only = options.only or list(GROUPS)
    options.seconds, options.rounds = (1, 1) if options.quick else (3, 3)
    options.ingested = min(options.orders, ingest.QUICK_ORDERS if options.quick else ingest.MOST_ORDERS)
    options.hook_seconds = 5 if options.quick else 20
    options.idle_seconds = idle.QUICK_SECONDS if options.quick else idle.SECONDS
    return options


def _measured(options: argparse.Namespace, log: Console) -> Iterator[Figure]:
    of_a_shop = set(options.only) & set(OF_A_SHOP)
    if of_a_shop and options.database != "postgresql":
        yield from _of_sqlite(options, log)
    if of_a_shop - {"datasette"} and options.database != "sqlite":
        yield from _of_postgres(options, log)
    if "medusa" in options.only:
        with postgres() as server:
            yield from medusa.pages_per_second(server, options.seconds, options.rounds, log)
    yield from _of_syncs(options, log)


def _of_syncs(options: argparse.Namespace, log: Console) -> Iterator[Figure]:
    wanted = set(options.only)
    if wanted & set(OF_SYNCS) and options.database != "postgresql":
        yield from _of_one_worker(None, "SQLite", options, log)
    if wanted & set(OF_SYNCS) and options.database != "sqlite":
        with postgres() as server:
            yield from _of_one_worker(server, "PostgreSQL", options, log)


def _of_one_worker(
    server: Postgres | None, database: str, options: argparse.Namespace, log: Console
) -> Iterator[Figure]:
    if "ingest" in options.only:
        log.print(f"{database}: pulling orders, in turns with dlt")
        yield from ingest.against_dlt(server, database, options.ingested, options.rounds)
    if "hooks" in options.only:
        log.print(f"{database}: webhooks, in and out")
        yield from hooks.latency_and_rate(server, database, options.hook_seconds)
    if "idle" in options.only:
        log.print(f"{database}: {idle.CONNECTIONS:,} connections that have nothing to do")
        yield from idle.share_of_a_core(server, database, options.idle_seconds)


def _of_sqlite(options: argparse.Namespace, log: Console) -> Iterator[Figure]:
    log.print(f"SQLite, {options.orders:,} orders; made on the first run")
    with unicart(options.orders) as large:
        yield from _of_one(large, "SQLite", options)
        if "datasette" in options.only:
            yield from datasette.pages_per_second(large, options.seconds, options.rounds)
        if "size" in options.only:
            with unicart(SMALL_SHOP) as small:
                yield from pages.against_small_shop(large, small, "SQLite", options.seconds, options.rounds)


def _of_postgres(options: argparse.Namespace, log: Console) -> Iterator[Figure]:
    log.print(f"PostgreSQL, {options.orders:,} orders; made on the first run")
    with postgres() as server, _on(server, options.orders) as large:
        yield from _of_one(large, "PostgreSQL", options)
        if "size" in options.only:
            with _on(server, SMALL_SHOP) as small:
                yield from pages.against_small_shop(large, small, "PostgreSQL", options.seconds, options.rounds)


def _on(server: Postgres, orders: int) -> AbstractContextManager[Unicart]:
    return unicart(orders, asyncio.run(server.url(f"orders_{orders}")), server)


def _of_one(server: Unicart, database: str, options: argparse.Namespace) -> Iterator[Figure]:
    seconds, rounds = options.seconds, options.rounds
    if "pages" in options.only:
        yield from pages.against_nginx(server, database, seconds, rounds)
        yield from pages.one_order(server, database, seconds, rounds)
        yield from pages.late_page(server, database, seconds, rounds)
    if "filters" in options.only:
        yield from filters.each_filter(server, database, 1, rounds)
    if "ndjson" in options.only:
        yield from stream.everything(server, database, rounds)


if __name__ == "__main__":
    sys.exit(main())
