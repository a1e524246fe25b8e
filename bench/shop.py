"""A Medusa that answers from memory: ``python -m bench.shop ORDERS PORT``.

Its orders are the recorded ones of the connector's fixtures over and over, each with ids, dates and a number of its own,
a minute apart. ``/admin/orders`` and ``/admin/payments`` answer Medusa's filters, orders and offsets; what is asked for is
cut out of finished JSON, so that the platform costs its readers little.
"""

import bisect
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import unicart.connectors.medusa as medusa

RECORDED = Path(medusa.__file__).parent / "fixtures" / "get_orders.json"
RECORDED_MINUTE = re.compile(r"2026-11-23T19:52")
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
CATALOGUE = "prod|variant|iitem|sloc|so|txr|user|promo"
OWN_ID = re.compile(rf'"(?!(?:{CATALOGUE})_)([a-z_]+)_01M84Z(\w+)"')


class Shop(msgspec.Struct, frozen=True):
    """Orders as JSON beside their dates, both of which rise with the orders, and payments the last changed first."""

    orders: list[bytes]
    dates: dict[str, list[str]]
    numbers: dict[str, int]
    payments: list[bytes]


def shop(count: int) -> Shop:
    """A shop of ``count`` orders."""
    recorded = [json.dumps(order, separators=(",", ":")) for order in json.loads(RECORDED.read_text())["records"]]
    orders, payments = [], []
    for number in range(count):
        order = _order(recorded[number % len(recorded)], number, number // len(recorded))
        orders.append(order)
        payments += _payments(order)
    return Shop(
        [msgspec.json.encode(order) for order in orders],
        {date: [order[date] for order in orders] for date in ("created_at", "updated_at")},
        {order["id"]: number for number, order in enumerate(orders)},
        [msgspec.json.encode(payment) for payment in reversed(payments)],
    )


def _order(recorded: str, number: int, copy: int) -> dict[str, Any]:
    minute = f"{FIRST + timedelta(minutes=number):%Y-%m-%dT%H:%M}"
    text = OWN_ID.sub(rf'"\g<1>_01{copy:04X}\g<2>"', RECORDED_MINUTE.sub(minute, recorded))
    order: dict[str, Any] = json.loads(text.replace("@example.com", f".{number}@example.com"))
    return {**order, "display_id": number + 1}


def _payments(order: dict[str, Any]) -> list[dict[str, Any]]:
    """The payments of ``order`` with the fields that the connector asks for."""
    return [
        {
            "id": payment["id"],
            "payment_collection": {
                "id": collection["id"],
                "updated_at": collection["updated_at"],
                "order": {"id": order["id"]},
            },
        }
        for collection in order["payment_collections"]
        for payment in collection["payments"]
    ]


def application(shop: Shop) -> Starlette:
    """The Admin API of ``shop``, as far as orders are read from it."""

    async def orders(request: Request) -> Response:
        wanted = request.query_params.getlist("id[]")
        if wanted:
            return _page(request, "orders", [shop.orders[shop.numbers[id]] for id in wanted if id in shop.numbers])
        start, end = 0, len(shop.orders)
        for name, dates in shop.dates.items():
            since, until = (request.query_params.get(f"{name}[${bound}]") for bound in ("gte", "lt"))
            start = max(start, bisect.bisect_left(dates, since)) if since else start
            end = min(end, bisect.bisect_left(dates, until)) if until else end
        found = shop.orders[start:end]
        descending = request.query_params.get("order", "").startswith("-")
        return _page(request, "orders", found[::-1] if descending else found)

    async def payments(request: Request) -> Response:
        return _page(request, "payments", shop.payments)

    return Starlette(routes=[Route("/admin/orders", orders), Route("/admin/payments", payments)])


def _page(request: Request, name: str, found: list[bytes]) -> Response:
    offset, limit = (int(request.query_params.get(each, default)) for each, default in (("offset", 0), ("limit", 50)))
    records = b",".join(found[offset : offset + limit])
    body = b'{"%s":[%s],"count":%d,"offset":%d,"limit":%d}' % (name.encode(), records, len(found), offset, limit)
    return Response(body, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        application(shop(int(sys.argv[1]))),
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
    )
