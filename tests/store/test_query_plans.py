"""No list query reads or sorts more than a small multiple of what it returns, on either database.

SQLite counts the steps of its virtual machine for each statement, PostgreSQL the rows of each node of the plan that ran;
neither depends on the machine's speed. Every filter is tried alone and in the combinations that clients poll with.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import apsw
import msgspec
import pytest

from query_shapes import SHAPES, condition
from shop import STORED, make_orders, store, tag_some
from unicart.contract.common import format_date
from unicart.contract.resources import ORDERS
from unicart.store import tenants
from unicart.store.database import Database
from unicart.store.pages import FEW, MAX_WINDOW, Position, Walk
from unicart.store.statements import Statement
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio

LIMIT = 100
COUNT = 6000
STEPS_PER_ROW = 60
OVERHEAD_ROWS = 60

EARLY, MIDDLE = "2000-01-01T00:00:00Z", "2020-09-13T16:26:40Z"
POLLS = [
    [],
    [("status", "open")],
    [("status", "exception")],
    [("status[in]", "open,processing")],
    [("status[neq]", "open")],
    [("status[nin]", "open,fulfilled")],
    [("warehouse_customer_id", "ada")],
    [("warehouse_customer_id[in]", "ada,bob")],
    [("warehouse_customer_id[neq]", "ada")],
    [("warehouse_customer_id[nin]", "ada,bob")],
    [("warehouse_customer_id", "ada"), ("status", "open")],
    [("warehouse_customer_id", "ada"), ("created_date[gte]", MIDDLE)],
    [("warehouse_customer_id", "ada"), ("updated_date[gte]", MIDDLE)],
    [("status", "open"), ("created_date[gte]", MIDDLE), ("created_date[lt]", "2100-01-01T00:00:00Z")],
    [("status", "open"), ("updated_date[gte]", MIDDLE)],
    [("created_date[gt]", MIDDLE)],
    [("created_date[lt]", MIDDLE)],
    [("created_date[neq]", MIDDLE)],
    [("updated_date[gt]", MIDDLE)],
    [("updated_date[gte]", EARLY), ("status[in]", "open,cancelled")],
    [("updated_date[neq]", MIDDLE)],
    [("trackstar_updated_date[gte]", EARLY)],
    [("trackstar_created_date[gte]", EARLY)],
    [("order_number", "#1234")],
    [("order_number[in]", "#1234,#2345")],
    [("trackstar_created_date", "2023-11-14T22:13:20Z")],
    [("trackstar_created_date[in]", "2023-11-14T22:13:20Z,2023-11-14T22:21:40Z")],
    [("order_number[in]", ",".join(f"#{number}" for number in range(1200, 1280)))],
    [("order_number[nin]", "#1234,#2345")],
    [("order_number[contains]", "1")],
    [("order_number[not_contains]", "99")],
    [("trackstar_tags[contains]", "hot")],
    [("trackstar_tags[contains]", "team:1")],
    [("trackstar_tags[not_contains]", "hot")],
]


@pytest.fixture
async def shop(database: Database, connection: Connection, vault: Any) -> list[Any]:
    """A shop of many orders beside another tenant's equal one."""
    other, _ = await tenants.add_connection(
        database,
        vault,
        organization_id=connection.organization_id,
        integration_name="sandbox",
        account_name="Other",
        credentials={},
        private_network=False,
    )
    content = make_orders(COUNT)
    await store(database, other, ORDERS, content, STORED)
    await store(database, connection, ORDERS, content, STORED)
    await tag_some(database, connection, content[: COUNT // 4])
    await database.refresh_statistics()
    return content


class Costs:
    """Runs a page and tells, for each statement of it, how many rows it read (at most)."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._connection = connection
        self.reads: list[int] = []

    async def page(self, parameters: list[tuple[str, str]], after: Position | None = None) -> int:
        """The number of documents of a page under ``parameters``; `reads` then holds its statements' costs."""
        self.reads = []
        query = ORDERS.filters.parse(parameters)
        walk = Walk(self._database, self._connection.key, ORDERS, query, after)
        fetch = self._database.fetch
        measured = self._sqlite if self._database.dialect == "sqlite" else self._postgres
        try:
            self._database.fetch = measured(fetch)  # type: ignore[method-assign]
            return len((await walk.page(LIMIT)).documents)
        finally:
            self._database.fetch = fetch  # type: ignore[method-assign]

    def _sqlite(self, fetch: Callable[..., Any]) -> Callable[..., Any]:
        reader: apsw.Connection = self._database._reader  # type: ignore[attr-defined]

        async def measured(statement: Statement, values: Any) -> Any:
            steps: list[int] = []
            reader.trace_v2(
                apsw.SQLITE_TRACE_PROFILE, lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])
            )
            try:
                return await fetch(statement, values)
            finally:
                reader.trace_v2(0, None)
                self.reads.append(sum(steps) // STEPS_PER_ROW)

        return measured

    def _postgres(self, fetch: Callable[..., Any]) -> Callable[..., Any]:
        async def measured(statement: Statement, values: Any) -> Any:
            explain = Statement(
                f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement.text}", statement.names, statement.defaults
            )
            (plan,) = msgspec.json.decode((await fetch(explain, values))[0][0])
            self.reads.append(int(sum(_rows_read(plan["Plan"]))))
            return await fetch(statement, values)

        return measured


def _rows_read(node: dict[str, Any]) -> Iterator[float]:
    """Rows that the scans and sorts of a plan touched; the scans of both keys and documents count."""
    for child in node.get("Plans", []):
        yield from _rows_read(child)
    if "Scan" in node["Node Type"] and node["Node Type"] != "Subquery Scan":
        assert "Seq Scan" not in node["Node Type"], node
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        yield (node["Actual Rows"] + removed) * node["Actual Loops"]
    if node["Node Type"] == "Sort":
        yield node["Plans"][0]["Actual Rows"] * node["Actual Loops"]


async def test_a_page_reads_a_small_multiple_of_what_it_returns(
    database: Database, connection: Connection, shop: list[Any]
) -> None:
    costs = Costs(database, connection)
    for parameters in POLLS:
        returned = await costs.page(parameters)
        assert returned > 0, parameters
        assert sum(costs.reads) <= 12 * (returned + 1) + OVERHEAD_ROWS, (parameters, returned, costs.reads)


async def test_late_arrivals_are_found_without_reading_what_came_before(
    database: Database, connection: Connection
) -> None:
    """A shop whose orders are stored as they are placed; asked for are those that were stored in its last third."""
    content = sorted(make_orders(4 * COUNT), key=lambda order: order.created_date)
    await store(database, connection, ORDERS, content, STORED)
    await database.refresh_statistics()
    costs = Costs(database, connection)
    late = format_date(STORED + 4 * COUNT * 2 // 3 // 500 * 500)
    for operator in ("gt", "gte"):
        assert await costs.page([(f"trackstar_created_date[{operator}]", late)]) == LIMIT
        assert sum(costs.reads) <= 3 * FEW + 12 * (LIMIT + 1) + OVERHEAD_ROWS, costs.reads


async def test_a_page_deep_in_a_walk_costs_what_the_first_one_does(
    database: Database, connection: Connection, shop: list[Any]
) -> None:
    costs = Costs(database, connection)
    middle = Position(int(sorted(shop, key=lambda order: order.created_date)[COUNT // 2].created_date.timestamp()), "")
    for parameters in (
        [],
        [("status", "open")],
        [("status[in]", "open,processing")],
        [("warehouse_customer_id", "ada")],
    ):
        await costs.page(parameters)
        first = sum(costs.reads)
        await costs.page(parameters, middle)
        assert sum(costs.reads) <= 1.3 * first + OVERHEAD_ROWS


async def test_no_statement_of_any_shape_is_unbounded(
    database: Database, connection: Connection, shop: list[Any]
) -> None:
    """Whatever filters are combined, one statement reads at most a window, or the matches of a selective filter."""
    generator = random.Random(11)
    documents = {
        order.id: {
            **msgspec.to_builtins(order, builtin_types=()),
            "created_date": order.created_date.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "updated_date": order.updated_date.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "trackstar_created_date": "2023-11-14T22:13:20Z",
            "trackstar_updated_date": "2023-11-14T22:13:20Z",
        }
        for order in shop[:200]
    }
    costs = Costs(database, connection)
    bound = 2 * max(MAX_WINDOW, FEW) + 12 * (LIMIT + 1) + OVERHEAD_ROWS
    for field, operator in SHAPES:
        for others in (0, 1, 2):
            chosen = {(f.name, o): (f, o) for f, o in [(field, operator), *generator.sample(SHAPES, others)]}
            parameters = [condition(generator, documents, *shape) for shape in chosen.values()]
            await costs.page(parameters)
            assert max(costs.reads, default=0) <= bound, (parameters, costs.reads)
