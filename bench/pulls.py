"""A shop's orders pulled into a database, by us and by dlt; each pull is timed in a process of its own."""

import asyncio
import multiprocessing
import os
import time
import uuid
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from bench.load import Failed
from unicart.connectors.kit import Session, Throttle
from unicart.connectors.medusa import CONNECTOR
from unicart.connectors.medusa.client import BEGINNING, ORDER_FIELDS, PAGE_SIZE
from unicart.contract.resources import Function
from unicart.store import checkpoints, tenants
from unicart.store.database import Database, open_database
from unicart.store.migrate import migrate
from unicart.store.secrets import Vault, new_key
from unicart.store.tenants import Connection
from unicart.sync.run import Progress, sync_function

P = ParamSpec("P")
T = TypeVar("T")

FUNCTION = Function.GET_ORDERS
UNTHROTTLED = 1e6


class Pulls(msgspec.Struct, frozen=True):
    """Seconds of a first load, and of pulling the same orders again, of which none has changed."""

    first: float
    again: float


def apart(function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Call ``function`` in a fresh process."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as process:
        return process.submit(function, *arguments, **options).result()


def ours(platform: str, store: str, orders: int, announced: bool) -> Pulls:
    """Our Medusa connector and sync into the empty ``store``.

    A first load tells no events. If it is ``announced``, the connection's first sync counts as finished before. Our
    connector asks a platform at most 20 times a second, which would hide what we cost; here it may ask at any rate.
    """
    migrate(store)
    return asyncio.run(_ours(platform, store, orders, announced))


async def _ours(platform: str, store: str, orders: int, announced: bool) -> Pulls:
    database = await open_database(store)
    try:
        connection = await _connected(database, platform)
        if announced:
            await _finish_first(database, connection)
        first, progress = await _timed(database, connection, platform)
        _require(orders, progress.saved.created, "created")
        again, progress = await _timed(database, connection, platform, full=True)
        _require(orders, progress.saved.unchanged, "unchanged")
        return Pulls(first, again)
    finally:
        await database.close()


async def _connected(database: Database, platform: str) -> Connection:
    organization = await tenants.create_organization(database, "bench")
    connection, _ = await tenants.add_connection(
        database,
        Vault(new_key()),
        organization_id=organization.id,
        integration_name="medusa",
        account_name="bench",
        credentials=_credentials(platform),
        private_network=True,
    )
    return connection


async def _finish_first(database: Database, connection: Connection) -> None:
    owner, now = uuid.uuid4().hex, int(time.time())
    await checkpoints.acquire(database, connection.key, FUNCTION.value, owner, now, 60)
    await checkpoints.release(database, connection, FUNCTION.value, owner, finished=now)


async def _timed(
    database: Database, connection: Connection, platform: str, *, full: bool = False
) -> tuple[float, Progress]:
    session = Session(platform, private_network=True, throttle=Throttle(rate=UNTHROTTLED))
    try:
        started = time.perf_counter()
        shop = CONNECTOR(_credentials(platform), session)
        progress = await sync_function(database, connection, shop, FUNCTION, full=full)
        return time.perf_counter() - started, progress
    finally:
        await session.close()


def _credentials(platform: str) -> dict[str, str]:
    return {"url": platform, "api_key": "sk"}


def of_dlt(platform: str, store: str, orders: int, folder: Path, nested: bool) -> Pulls:
    """A dlt pipeline into the empty ``store``, which keeps its state and files in ``folder``.

    Its ``rest_api`` source reads the same pages of the same fields and merges them by id: on SQLite by deleting and
    inserting, the only way there, with primary keys, without which merging again takes minutes; on PostgreSQL by an
    upsert from CSV, its fastest there. Lists and objects within an order become JSON columns, or with ``nested``,
    which is dlt's default, tables of their own.
    """
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
    # A third faster, as nothing leaves the machine.
    os.environ["DATA_WRITER__DISABLE_COMPRESSION"] = "true"
    on_sqlite = store.startswith("sqlite")
    if on_sqlite:
        # More would wait for each other's locks until they fail, and begin anew.
        os.environ["LOAD__WORKERS"] = "1"
    # SQLAlchemy warns of the SQL that dlt makes.
    warnings.simplefilter("ignore")
    import dlt

    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(folder),
        destination=dlt.destinations.sqlalchemy(store, create_primary_keys=True)
        if on_sqlite
        else dlt.destinations.postgres(_for_dlt(store)),
        dataset_name="main" if on_sqlite else "bench",
    )
    strategy = "delete-insert" if on_sqlite else "upsert"
    seconds = []
    for incremental in (True, False):
        source = _source(platform, strategy, incremental)
        if not nested:
            source.max_table_nesting = 0
        started = time.perf_counter()
        pipeline.run(source, loader_file_format="typed-jsonl" if on_sqlite else "csv")
        seconds.append(time.perf_counter() - started)
        with pipeline.sql_client() as client:
            rows = client.execute_sql("SELECT count(*) FROM orders")
        _require(orders, rows[0][0] if rows else 0, "stored by dlt")
    return Pulls(*seconds)


def _source(platform: str, strategy: str, incremental: bool) -> Any:
    """What dlt pulls: all that is newer than what it has, or everything again."""
    from dlt.sources.helpers.rest_client.paginators import OffsetPaginator
    from dlt.sources.rest_api import rest_api_source

    endpoint: dict[str, Any] = {
        "path": "admin/orders",
        "data_selector": "orders",
        "params": {"fields": ORDER_FIELDS, "order": "updated_at"},
    }
    if incremental:
        newer = {"start_param": "updated_at[$gte]", "cursor_path": "updated_at", "initial_value": BEGINNING}
        endpoint["incremental"] = newer
    orders = {
        "name": "orders",
        "primary_key": "id",
        "write_disposition": {"disposition": "merge", "strategy": strategy},
        "endpoint": endpoint,
    }
    paginator = OffsetPaginator(limit=PAGE_SIZE, total_path="count")
    config: Any = {"client": {"base_url": platform, "paginator": paginator}, "resources": [orders]}
    return rest_api_source(config)


def _for_dlt(store: str) -> dict[str, str]:
    """The URL of a PostgreSQL database behind a socket, in dlt's form, which wants a password as well."""
    parts = urlsplit(store)
    (directory,) = parse_qs(parts.query)["host"]
    user = {"username": str(parts.username), "password": "none"}
    return {**user, "host": quote(directory, safe=""), "database": parts.path.lstrip("/")}


def _require(wanted: int, found: int, what: str) -> None:
    if found != wanted:
        raise Failed(f"{found} of {wanted} orders were {what}")
