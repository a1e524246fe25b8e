"""A page under each filter against an unfiltered page of the same size."""

from typing import Any
from urllib.parse import quote, urlencode

from bench.load import compare
from bench.report import Figure
from bench.servers import Unicart
from unicart.contract.filters import FilterField, Kind, Operator
from unicart.contract.resources import ORDERS

TAGGED = 1200
TAG = "bench"
GOAL = "<= 1.5"
RARE = "order_number[contains] of something rare"


def tag_some(server: Unicart) -> None:
    """Put a tag on the first orders, once, so that tags select something."""
    if server.get(f"/cart/orders?limit=1&trackstar_tags[contains]={TAG}")["data"]:
        return
    page = server.get("/cart/orders?limit=1000")
    orders = page["data"] + server.get(f"/cart/orders?limit=200&page_token={page['next_token']}")["data"]
    for order in orders[:TAGGED]:
        server.put(f"/cart/orders/{quote(order['id'], safe='')}/trackstar-tags", {"trackstar_tags": [TAG]})


def each_filter(server: Unicart, database: str, seconds: int, rounds: int) -> list[Figure]:
    """Every parameter of the order list alone, and the combinations that clients poll with."""
    tag_some(server)
    middle = _middle(server)
    figures = []
    for name, parameters, goal in [*_single(middle), *_combined(server, middle)]:
        path = "/cart/orders?" + urlencode(parameters)
        found = server.get(path + "&limit=1000")["total_count"]
        plain = server.target(f"/cart/orders?limit={max(found, 1)}")
        filtered, unfiltered = compare(server.target(path + "&limit=1000"), plain, seconds, rounds, 1)
        ratio = filtered.cpu / unfiltered.cpu
        detail = f"{found} orders: CPU {filtered.cpu * 1e3:.2f} ms, unfiltered {unfiltered.cpu * 1e3:.2f} ms"
        figures.append(Figure(f"Filters (CPU of a page ÷ unfiltered), {database}", name, ratio, goal, detail))
    return figures


def _middle(server: Unicart) -> list[dict[str, Any]]:
    """A page from the middle of the shop, to take values from."""
    first = server.get("/cart/orders?limit=1")["data"][0]["created_date"]
    low, high = int(first[:4]), 2100
    while high - low > 1:
        year = (low + high) // 2
        if server.get(f"/cart/orders?limit=1&created_date[gte]={year}-01-01T00:00:00Z")["data"]:
            low = year
        else:
            high = year
    days = [f"{year}-{month:02}-01T00:00:00Z" for year in range(int(first[:4]), low + 1) for month in range(1, 13)]
    full = [day for day in days if first < day and server.get(f"/cart/orders?limit=1&created_date[gte]={day}")["data"]]
    page: list[dict[str, Any]] = server.get(f"/cart/orders?limit=1000&created_date[gte]={full[len(full) // 2]}")["data"]
    return page


def _single(middle: list[dict[str, Any]]) -> list[tuple[str, list[tuple[str, str]], str]]:
    cases = []
    for field in ORDERS.filters.fields:
        for operator in field.operators:
            value = _value(middle, field, operator)
            cases.append((f"{field.name}[{operator.value}]", [(f"{field.name}[{operator.value}]", value)], GOAL))
    cases.append((RARE, [("order_number[contains]", middle[0]["order_number"][-5:])], GOAL))
    return cases


def _value(middle: list[dict[str, Any]], field: FilterField, operator: Operator) -> str:
    if field.kind is Kind.TAGS:
        return TAG
    if operator in (Operator.CONTAINS, Operator.NOT_CONTAINS):
        return "9"
    values = list(dict.fromkeys(order[field.name] for order in middle if order[field.name]))
    if field.name == "order_number" and operator is Operator.IN:
        return ",".join(values[:100])
    return ",".join(values[:2]) if field.takes_list(operator) else values[0]


def _combined(server: Unicart, middle: list[dict[str, Any]]) -> list[tuple[str, list[tuple[str, str]], str]]:
    date, customer = middle[0]["created_date"], server.customers[0]
    updated = middle[0]["updated_date"]
    return [
        ("status[in] of four", [("status[in]", "open,processing,fulfilled,cancelled")], GOAL),
        ("created_date range + status", [("created_date[gte]", date), ("status", "fulfilled")], GOAL),
        (
            "created_date range + status[in]",
            [
                ("created_date[gte]", date),
                ("created_date[lt]", "2100-01-01T00:00:00Z"),
                ("status[in]", "open,fulfilled"),
            ],
            GOAL,
        ),
        ("updated_date[gte] + status", [("updated_date[gte]", updated), ("status", "fulfilled")], GOAL),
        (
            "warehouse_customer_id + created_date",
            [("warehouse_customer_id", customer), ("created_date[gte]", date)],
            GOAL,
        ),
        (
            "warehouse_customer_id + updated_date + status",
            [("warehouse_customer_id", customer), ("updated_date[gte]", updated), ("status", "fulfilled")],
            GOAL,
        ),
    ]
