"""A small BigCommerce: an HTTP server in a thread, whose lists are filtered, sorted, paged and refused as BigCommerce's are.

Its records are those of `records`; tests change them between requests, or behind each one by ``after_request``.
"""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.bigcommerce import records, writing
from connectors.bigcommerce.records import STORE
from unicart.connectors.bigcommerce.client import BigCommerceConnector
from unicart.connectors.kit import Pull, RawPage, Session, Throttle
from unicart.contract.resources import Function

TOKEN = "t0ken-of-the-store"
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
ALL_SCOPES = frozenset({"/v2/store", "/v2/orders", "/v3/orders", "/v3/catalog", "/v3/inventory", "/v3/hooks"})
MOST = 250
NEVER: tuple[int, dict[str, str], bytes] = (0, {}, b"")
"""A fault: no answer for longer than a request waits."""
LONG = 1.5
Row = dict[str, Any]


@dataclass
class Exchange:
    """One request and its answer. ``path`` is behind the store's root."""

    method: str
    path: str
    query: dict[str, str]
    sent: Any
    status: int
    body: Any


class FakeBigCommerce:
    """The store. ``faults`` are answered in turn before anything else, as status, headers and body; ``faults_of`` only to
    a method and the last part of a path. Requests of ``lost`` are carried out, and never answered.

    ``refund_methods`` tells how an amount can be paid back; a refund is declined by the provider with what ``declines`` says.
    New stock levels are shown after ``stock_delay`` readings.

    Whether the bounds of dates of orders are included is not documented; ``excludes_bounds`` says that they are not.
    """

    def __init__(self) -> None:
        self.now = START
        self.orders: dict[int, Row] = {}
        self.lines: dict[int, list[Row]] = {}
        self.shipments: dict[int, list[Row]] = {}
        self.refunds: list[Row] = []
        self.products: dict[int, Row] = {}
        self.stock: dict[tuple[int, int], Row] = {}
        self.locations: dict[int, Row] = {}
        self.categories = {23: "Bäder"}
        self.hooks: dict[int, Row] = {}
        self.token = TOKEN
        self.scopes = set(ALL_SCOPES)
        self.faults: list[tuple[int, dict[str, str], bytes]] = []
        self.faults_of: dict[str, list[tuple[int, dict[str, str], bytes]]] = {}
        self.lost: list[str] = []
        self.may_write = True
        self.refund_methods: Callable[[Decimal], list[list[Row]]] = records.refund_methods
        self.declines = ""
        self.last_shipment = 0
        self.stock_delay = 0
        self.late_stock: list[tuple[Row, int]] = []
        self.quota = 10**6
        self.excludes_bounds = False
        self.after_request: Callable[[], None] = lambda: None
        self.exchanges: list[Exchange] = []
        self.url = ""
        self._made_hooks = 0

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        methods = ["GET", "POST", "PUT", "DELETE"]
        app = Starlette(routes=[Route("/{path:path}", self._handle, methods=methods)])
        config = uvicorn.Config(app, lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve([listener])), name="store")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    @property
    def credentials(self) -> dict[str, str]:
        """What the connector needs to be connected here."""
        return {"store_hash": STORE, "access_token": TOKEN, "api_url": self.url}

    def tick(self, seconds: int = 1) -> datetime:
        """Let time pass, and tell the time."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def place(self, id: int | None = None, at: datetime | None = None, **fields: Any) -> Row:
        """A new order."""
        id = id or len(self.orders) + 100
        lines = fields.pop("lines", None) or [records.line(id * 10, "12.5", 2, tax="1.0312")]
        self.orders[id] = records.order(id, at or self.now, lines, **fields)
        self.lines[id] = lines
        return self.orders[id]

    def touch(self, id: int, **fields: Any) -> None:
        """Change an order now."""
        self.orders[id] |= {"date_modified": records.rfc2822(self.now), **fields}

    def ship(self, id: int) -> None:
        """Ship all of an order now."""
        items = {line["id"]: line["quantity"] for line in self.lines[id]}
        self.shipments[id] = [records.shipment(id, id, self.now, items)]
        self.touch(id, status_id=2, status="Shipped", items_shipped=self.orders[id]["items_total"])

    def refund(self, id: int, amount: float = 1.5) -> None:
        """Pay something back now; the order's own date stays."""
        self.refunds.append(records.refund(len(self.refunds) + 1, id, self.now, amount, []))

    def stock_up(self, number: int, at: datetime | None = None) -> Row:
        """A new product with one variant and some stock of it."""
        made = records.product(number, at or self.now, [records.variant(number + 1000, number)])
        self.products[number] = made
        self.stock[number, number + 1000] = records.stock(number, number + 1000, {1: number, 2: 3})
        return made

    def asked(self, path: str) -> list[Exchange]:
        """The requests for a path."""
        return [each for each in self.exchanges if each.path == path]

    async def _handle(self, request: Request) -> Response:
        sent = await request.body()
        root, path = f"/stores/{STORE}", request.url.path
        path = path.removeprefix(root) if path.startswith(f"{root}/") else ""
        query = dict(request.query_params)
        status, headers, body = self._answer(request, path, query, json.loads(sent) if sent else None)
        answered = json.loads(body) if body.startswith((b"{", b"[")) and status in (200, 201) else None
        self.exchanges.append(
            Exchange(request.method, path, query, json.loads(sent) if sent else None, status, answered)
        )
        self.quota -= 1
        name = _named(request.method, path)
        if name in self.lost:
            self.lost.remove(name)
            status = 0
        if not status:
            await asyncio.sleep(LONG)
            return Response(status_code=504)
        limits = {"x-rate-limit-requests-left": str(self.quota), "x-rate-limit-time-reset-ms": "30"}
        self.after_request()
        return Response(body, status, {"content-type": "application/json", **limits, **headers})

    def _answer(
        self, request: Request, path: str, query: dict[str, str], sent: Any
    ) -> tuple[int, dict[str, str], bytes]:
        faults = self.faults or self.faults_of.get(_named(request.method, path))
        if faults:
            return faults.pop(0)
        if not path:
            return 404, {}, b'{"status":404,"title":"The store does not exist"}'
        if request.headers.get("x-auth-token") != self.token:
            return 401, {}, b'{"status":401,"title":"Unauthorized"}'
        reads = request.method == "GET" or path.startswith("/v3/hooks")
        if not any(path.startswith(scope) for scope in self.scopes) or not (reads or self.may_write):
            return 403, {}, b'{"status":403,"title":"You do not have the required scope."}'
        written = self._written(request.method, path, sent)
        if written is not None:
            status, answer = written
            return status, {}, b"" if answer is None else json.dumps(answer).encode()
        found = self._found(request.method, path, query, sent)
        if found is None:
            return 404, {}, b'[{"status":404,"message":"The requested resource was not found."}]'
        if found == [] and path.startswith("/v2/"):
            return 204, {}, b""
        return 200, {}, json.dumps(found).encode()

    def _written(self, method: str, path: str, sent: Any) -> writing.Answer | None:
        """The answer to a write; null if it is none."""
        match [method, *path.strip("/").split("/")]:
            case ["POST", "v2", "orders", id, "shipments"] if int(id) in self.orders:
                return writing.ship(self, int(id), sent)
            case ["DELETE", "v2", "orders", id, "shipments", shipment]:
                return writing.take_back(self, int(id), int(shipment))
            case ["POST", "v3", "orders", id, "payment_actions", "refund_quotes"] if int(id) in self.orders:
                return writing.quote(self, int(id), sent)
            case ["POST", "v3", "orders", id, "payment_actions", "refunds"] if int(id) in self.orders:
                return writing.refund(self, int(id), sent)
            case ["PUT", "v3", "inventory", "adjustments", "absolute"]:
                return writing.adjust(self, sent, absolute=True)
            case ["POST", "v3", "inventory", "adjustments", "relative"]:
                return writing.adjust(self, sent, absolute=False)
        return None

    def _found(self, method: str, path: str, query: dict[str, str], sent: Any) -> Any:
        match [method, *path.strip("/").split("/")]:
            case ["GET", "v2", "store"]:
                return {"id": STORE, "name": "Söhne & Co", "weight_units": "LBS", "dimension_units": "Inches"}
            case ["GET", "v2", "orders"]:
                return [self._shown(row, query) for row in self._listed(query)]
            case ["GET", "v2", "orders", "count"]:
                return self._counted(query)
            case ["GET", "v2", "orders", id]:
                return self._shown(self.orders[int(id)], query) if int(id) in self.orders else None
            case ["GET", "v2", "orders", id, "products"]:
                return _paged(self.lines[int(id)], query)
            case ["GET", "v2", "orders", id, "shipments"]:
                return _paged(self.shipments.get(int(id), []), query)
            case ["GET", "v3", "orders", "payment_actions", "refunds"]:
                return _enveloped(_refunds(self.refunds, query), query)
            case ["GET", "v3", "catalog", "products"]:
                return _enveloped(_products(self.products.values(), query), query)
            case ["GET", "v3", "catalog", "trees", "categories"]:
                wanted = _ids(query, "category_id:in")
                names = [{"category_id": id, "name": name} for id, name in self.categories.items() if id in wanted]
                return _enveloped(names, query)
            case ["GET", "v3", "inventory", "items"]:
                if self.late_stock:
                    self.stock_delay -= 1
                    if self.stock_delay <= 0:
                        writing.settle(self)
                rows = list(self.stock.values())
                wanted = _ids(query, "product_id:in")
                return _enveloped([r for r in rows if not wanted or r["identity"]["product_id"] in wanted], query)
            case ["GET", "v3", "inventory", "locations"]:
                wanted = _ids(query, "location_id:in")
                return _enveloped([r for r in self.locations.values() if not wanted or r["id"] in wanted], query)
            case [_, "v3", "hooks", *rest]:
                return self._hooks(method, rest, query, sent)
        return None

    def _listed(self, query: dict[str, str]) -> list[Row]:
        field, _, direction = query.get("sort", "id:asc").partition(":")
        rows = sorted(self._matching(query), key=lambda row: row["id"])
        if field.startswith("date"):
            rows.sort(key=lambda row: parsedate_to_datetime(row[field]))
        return _paged(rows[::-1] if direction == "desc" else rows, query)

    def _matching(self, query: dict[str, str]) -> list[Row]:
        low, high = (datetime.__gt__, datetime.__lt__) if self.excludes_bounds else (datetime.__ge__, datetime.__le__)
        rows = [row for row in self.orders.values() if not row["is_deleted"]]
        bounds = {name: int(query[name]) for name in ("min_id", "max_id") if name in query}
        rows = [row for row in rows if bounds.get("min_id", 0) <= row["id"] <= bounds.get("max_id", row["id"])]
        for date in ("date_created", "date_modified"):
            if f"min_{date}" in query:
                bound = datetime.fromisoformat(query[f"min_{date}"])
                rows = [row for row in rows if low(parsedate_to_datetime(row[date]), bound)]
            if f"max_{date}" in query:
                bound = datetime.fromisoformat(query[f"max_{date}"])
                rows = [row for row in rows if high(parsedate_to_datetime(row[date]), bound)]
        return rows

    def _counted(self, query: dict[str, str]) -> Row:
        rows = self._matching(query)
        counts = {id: sum(row["status_id"] == id for row in rows) for id in records.STATUSES}
        statuses = [{"id": id, "name": records.STATUSES[id], "count": count} for id, count in counts.items()]
        return {"statuses": statuses, "count": len(rows)}

    def _shown(self, row: Row, query: dict[str, str]) -> Row:
        """An order with the parts that ``query`` includes, and links to the others."""
        parts = query.get("include", "").split(",")
        links: Row = {}
        if "consignments.line_items" not in parts or query.get("consignment_structure") != "object":
            links["consignments"] = {"url": "", "resource": f"/orders/{row['id']}/consignments"}
        if "fees" not in parts:
            links["fees"] = {"url": "", "resource": f"/orders/{row['id']}/fees"}
        return row | links

    def _hooks(self, method: str, rest: list[str], query: dict[str, str], sent: Any) -> Any:
        if method == "GET":
            where = query.get("destination")
            return _enveloped([row for row in self.hooks.values() if where in (None, row["destination"])], query)
        if method == "POST":
            self._made_hooks += 1
            self.hooks[self._made_hooks] = {"id": self._made_hooks, "client_id": "c", "store_hash": STORE, **sent}
            self.hooks[self._made_hooks] |= {"created_at": 1, "updated_at": 1}
            return {"data": self.hooks[self._made_hooks], "meta": {}}
        id = int(rest[0])
        if id not in self.hooks:
            return None
        if method == "PUT":
            self.hooks[id] |= sent
            return {"data": self.hooks[id], "meta": {}}
        return {"data": self.hooks.pop(id), "meta": {}}


def _named(method: str, path: str) -> str:
    return f"{method} {path.rpartition('/')[2]}"


def _paged(rows: list[Row], query: dict[str, str]) -> list[Row]:
    limit, page = int(query.get("limit", 50)), int(query.get("page", 1))
    assert limit <= MOST
    return rows[(page - 1) * limit : page * limit]


def _enveloped(rows: list[Row], query: dict[str, str]) -> Row:
    limit, page = int(query.get("limit", 50)), int(query.get("page", 1))
    assert limit <= 1000
    shown = rows[(page - 1) * limit : page * limit]
    pagination = {
        "total": len(rows),
        "count": len(shown),
        "per_page": limit,
        "current_page": page,
        "total_pages": max(-(-len(rows) // limit), 1),
    }
    return {"data": shown, "meta": {"pagination": pagination}}


def _ids(query: dict[str, str], name: str) -> list[int]:
    return [int(id) for id in query[name].split(",")] if name in query else []


def _refunds(rows: list[Row], query: dict[str, str]) -> list[Row]:
    owners = _ids(query, "order_id:in")
    if "created:min" in query:
        begin = datetime.fromisoformat(query["created:min"])
        rows = [row for row in rows if datetime.fromisoformat(row["created"]) >= begin]
    return [row for row in rows if not owners or row["order_id"] in owners]


def _products(rows: Iterable[Row], query: dict[str, str]) -> list[Row]:
    wanted, lowest = _ids(query, "id:in"), int(query.get("id:min", 0))
    found = [row for row in rows if (not wanted or row["id"] in wanted) and row["id"] >= lowest]
    for name, keeps in (("min", datetime.__ge__), ("max", datetime.__le__)):
        if f"date_modified:{name}" in query:
            bound = datetime.fromisoformat(query[f"date_modified:{name}"])
            found = [row for row in found if keeps(datetime.fromisoformat(row["date_modified"]), bound)]
    found.sort(key=lambda row: row["id"])
    if query.get("sort") == "date_modified":
        found.sort(key=lambda row: datetime.fromisoformat(row["date_modified"]))
    return found


@asynccontextmanager
async def connected(shop: FakeBigCommerce, patience: float = 20.0, **given: str) -> AsyncIterator[BigCommerceConnector]:
    """A connector to ``shop`` that does not hold itself back."""
    credentials = shop.credentials | given
    session = Session(
        BigCommerceConnector.base_url(credentials),
        private_network=True,
        patience=patience,
        timeout=1.0,
        secrets=(credentials["access_token"],),
        throttle=Throttle(rate=1e6),
    )
    try:
        yield BigCommerceConnector(credentials, session)
    finally:
        await session.close()


async def pages(
    connector: BigCommerceConnector, function: Function = Function.GET_ORDERS, **pull: Any
) -> list[RawPage]:
    """The pages of one run."""
    return [page async for page in connector.pull(function, Pull(**pull))]


def ids(found: Iterable[RawPage]) -> list[int]:
    """The ids of the raw records of ``found``, in order."""
    return [json.loads(raw)["id"] for page in found for raw in page.records]
