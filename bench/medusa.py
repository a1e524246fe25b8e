"""Pages of orders of a real Medusa against ours, of the same orders pulled from it."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from rich.console import Console

from bench.load import Target, compare
from bench.report import Figure
from bench.servers import Postgres
from live.medusa.platform import Medusa
from live.medusa.seed import seed
from product import Unicart as Product
from unicart.connectors.medusa.client import ORDER_FIELDS

ORDERS = 10_000
PAGE = 100
GOAL = ">= 20"

TABLES = (
    "order_address",
    "order",
    "order_summary",
    "order_line_item_totals",
    "order_line_item",
    "order_line_item_adjustment",
    "order_line_item_tax_line",
    "order_item",
    "order_shipping_method",
    "order_shipping_method_adjustment",
    "order_shipping_method_tax_line",
    "order_shipping",
    "order_transaction",
    "order_credit_line",
    "payment_collection",
    "payment_session",
    "payment",
    "capture",
    "refund",
    "order_payment_collection",
    "fulfillment_address",
    "fulfillment",
    "fulfillment_item",
    "fulfillment_label",
    "order_fulfillment",
)
OWN_IDS = {
    "id",
    "order_id",
    "item_id",
    "line_item_id",
    "shipping_method_id",
    "shipping_address_id",
    "billing_address_id",
    "totals_id",
    "payment_collection_id",
    "payment_session_id",
    "payment_id",
    "fulfillment_id",
    "delivery_address_id",
}


def pages_per_second(server: Postgres, seconds: int, rounds: int, log: Console) -> Iterator[Figure]:
    """The same 10,000 orders from Medusa's own list and from ours, which the Medusa connector filled."""
    log.print("Medusa: starting a shop and multiplying its orders")
    with Medusa(server.directory) as medusa, tempfile.TemporaryDirectory() as folder:
        seed(medusa)
        count = asyncio.run(_multiply(server, medusa.database))
        log.print(f"Medusa: pulling {count:,} orders")
        product = Product(Path(folder))
        product.connect("medusa", "--url", medusa.url, "--api-key", medusa.api_key)
        pulled = product.sync(timeout=3600)["get_orders"]
        if pulled != count:
            raise RuntimeError(f"{pulled} of {count} orders were pulled")
        with _serving(product) as ours:
            for name, fields in (("", ORDER_FIELDS), (" as it is by default", "")):
                theirs = _list(medusa, fields, server)
                one, other = compare(ours, theirs, max(seconds, 5), rounds, 2)
                detail = f"{one.rate:.0f} pages/s of {PAGE}, Medusa {other.rate:.2f}; {count:,} orders"
                title = f"pages per second ÷ Medusa's list{name or ' with the same fields'}"
                yield Figure("Medusa's own order list", title, one.rate / other.rate, GOAL, detail)


def _list(medusa: Medusa, fields: str, server: Postgres) -> Target:
    url = f"{medusa.url}/admin/orders?limit={PAGE}" + (f"&fields={fields.replace('+', '%2B')}" if fields else "")
    return Target(url, medusa.headers, [server.pid])


@contextmanager
def _serving(product: Product) -> Iterator[Target]:
    with product.serving():
        yield Target(f"{product.base_url}/cart/orders?limit={PAGE}", product.headers, [])


async def _multiply(server: Postgres, database: str) -> int:
    """Copy all orders until there are 10,000, each copy a second younger and with ids of its own."""
    connection = await asyncpg.connect(f"postgresql://postgres@/{database}?host={server.directory}")
    try:
        seeded = int(await connection.fetchval('SELECT count(*) FROM "order"'))
        copies = -(-ORDERS // seeded) - 1
        for table in TABLES:
            await _copy_rows(connection, table, copies)
        await connection.execute("ANALYZE")
        return int(await connection.fetchval('SELECT count(*) FROM "order" WHERE deleted_at IS NULL'))
    finally:
        await connection.close()


async def _copy_rows(connection: "asyncpg.Connection[asyncpg.Record]", table: str, copies: int) -> None:
    rows = await connection.fetch(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'",
        table,
    )
    columns = [row[0] for row in rows]
    if not columns:
        return
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(_value(column) for column in columns)
    await connection.execute(
        f'INSERT INTO "{table}" ({names}) SELECT {values} FROM "{table}", generate_series(1, {copies}) AS k'
    )


def _value(column: str) -> str:
    if column in OWN_IDS:
        return f"\"{column}\" || '_' || k"
    if column in ("created_at", "updated_at"):
        return f"\"{column}\" + k * interval '1 second'"
    if column == "display_id":
        return "display_id + k * 1000"
    return f'"{column}"'
