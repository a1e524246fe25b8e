"""The hostile platform: an HTTP server in a thread of the test, whose state is in memory.

    with Platform(seed=1) as platform:
        ...connect to platform.url with platform.credentials...
        platform.busy(rate=20)      # changes a second, until calm() or the end of the block
        platform.calm()             # from here on it is the best of platforms, and changes no more
        platform.expected()         # what must be served

It misbehaves as ``rates`` say; ``counts`` tell how often it did. What befalls which request depends on the seed and on the
order in which requests come.
"""

import asyncio
import random
import secrets
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from email.utils import formatdate
from typing import Any, Self, TypeVar

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chaos.faults import CALM, Fault, Rates, drawn
from chaos.goods import milliseconds
from chaos.hooks import Sender, Subscription
from chaos.shop import Happening, Kind, Row, Shop
from unicart.connectors.hostile.client import HostileConnector
from unicart.contract.orders import Order
from unicart.contract.products import Product
from unicart.contract.resources import Function, Record
from unicart.contract.warehouses import Warehouse

CLIENT_ID = "chaos"
SECRET = "s3cret-of-chaos"
TOKEN_SECONDS = 30.0
FRESH_SECONDS = 1.0
"""No token expires sooner: whoever logs in and asks again is answered."""

MOST = 250
EDITS_WHILE_PAGED = 5
FUNCTIONS: dict[Kind, Function] = {
    "orders": Function.GET_ORDERS,
    "products": Function.GET_PRODUCTS,
    "warehouses": Function.GET_WAREHOUSES,
}

ORDERS: dict[str, tuple[Callable[[Row], int], str]] = {
    "updated_at": (lambda row: row.updated, "updated_after"),
    "-updated_at": (lambda row: row.updated, "updated_before"),
    "created_at": (lambda row: row.created, "created_after"),
    "-created_at": (lambda row: row.created, "created_before"),
}
"""How lists may be sorted: the date, and the parameter that tells how far a walk in that order is."""

Endpoint = Callable[[Request], Awaitable[Response]]
T = TypeVar("T", bound=Record)


class Expected(msgspec.Struct):
    """What the platform holds, as unified records by id: this, and nothing else, is to be served.

    ``archived`` orders are in no list, only fetched by id: whoever has never seen one may lack it, but a copy must be like
    this. An ``unmappable`` order is to be in quarantine, and served as it was before it became so, if ever.
    ``deleted`` orders must not be served.
    """

    orders: dict[str, Order]
    archived: dict[str, Order]
    unmappable: set[str]
    deleted: set[str]
    products: dict[str, Product]
    warehouses: dict[str, Warehouse]


class Platform:
    """The platform. Its methods may be called from any thread but its own."""

    def __init__(
        self, seed: int = 0, *, orders: int = 400, products: int = 40, warehouses: int = 3, rates: Rates | None = None
    ) -> None:
        self.rates = rates or Rates()
        self.shop = Shop(seed, orders, products, warehouses)
        self.counts: Counter[Fault] = self.shop.counts
        self.requests: Counter[str] = Counter()
        self.credentials = {"client_id": CLIENT_ID, "secret": SECRET}
        self._generator = random.Random(seed + 1)
        self._seed = seed
        self._skew = self._generator.uniform(-1, 1)
        self._tokens: dict[str, float] = {}
        self._storm_until = 0.0
        self._stop_busy = threading.Event()
        self._busy: threading.Thread | None = None

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.credentials["url"] = self.url
        config = uvicorn.Config(
            self._app(),
            http=_Protocol,
            loop="asyncio",
            lifespan="off",
            log_level="critical",
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, started)), name="platform", daemon=True
        )
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.idle()
        self._server.should_exit = True
        self._thread.join()

    def busy(self, rate: float) -> None:
        """From now on, ``rate`` changes a second happen."""
        self.idle()
        self._stop_busy.clear()
        self._busy = threading.Thread(target=self._live, args=(rate,), name="busy shop", daemon=True)
        self._busy.start()

    def idle(self) -> None:
        """End what `busy` began."""
        self._stop_busy.set()
        if self._busy is not None:
            self._busy.join()
            self._busy = None

    def change(self, times: int = 1) -> None:
        """Let ``times`` things happen now."""
        for _ in range(times):
            self._announce(self.shop.change())

    def calm(self, *, mend: bool = True) -> None:
        """Misbehave no more, nor change, and send what webhooks are still on their way.

        With ``mend``, orders that cannot be mapped are mended before, and webhooks tell of it.
        """
        self.idle()
        self.rates = CALM
        self._storm_until = 0.0
        if mend:
            self._announce(self.shop.mend())
        self.settle()

    def new_token(self) -> str:
        """A token for requests of a test's own."""
        token = secrets.token_hex(16)
        self._tokens[token] = time.monotonic()
        return token

    def expire_tokens(self) -> None:
        """Every client has to log in again."""
        self._tokens.clear()

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until no webhook is on its way."""
        deadline = time.monotonic() + seconds
        while self._on_their_way():
            assert time.monotonic() < deadline, f"{self._sender.pending} webhooks are still on their way"
            time.sleep(0.05)

    def expected(self) -> Expected:
        """What is to be served once everything has been pulled. Mapped by the connector, whose mapping has its own tests."""
        with self.shop.lock:
            orders = list(self.shop.rows["orders"].values())
            return Expected(
                orders=_mapped("orders", [row for row in orders if row.damaged is None and not row.archived], Order),
                archived=_mapped("orders", [row for row in orders if row.archived], Order),
                unmappable={row.id for row in orders if row.damaged is not None},
                deleted=set(self.shop.deleted),
                products=_mapped("products", list(self.shop.rows["products"].values()), Product),
                warehouses=_mapped("warehouses", list(self.shop.rows["warehouses"].values()), Warehouse),
            )

    @property
    def subscriptions(self) -> list[Subscription]:
        """Who is told of changes."""
        return list(self._sender.subscriptions.values())

    @property
    def hooks_delivered(self) -> int:
        """How many webhooks were answered with a 2xx."""
        return self._sender.delivered

    def _on_their_way(self) -> int:
        """Asked in the server's own thread, so that changes announced before are counted."""
        pending: asyncio.Future[int] | Any = asyncio.run_coroutine_threadsafe(self._pending(), self._loop)
        return int(pending.result())

    async def _pending(self) -> int:
        return self._sender.pending

    def _live(self, rate: float) -> None:
        while not self._stop_busy.wait(1 / rate):
            self.change()

    def _announce(self, happenings: Sequence[Happening]) -> None:
        for happening in happenings:
            self._loop.call_soon_threadsafe(self._sender.announce, happening)

    async def _serve(self, listener: socket.socket, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._sender = Sender(self._seed + 2, lambda: self.rates, self.counts)
        started.set()
        await self._server.serve([listener])
        await self._sender.close()

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/login", self._route(self._login, open_to_all=True), methods=["POST"]),
                Route("/account", self._route(self._account)),
                Route("/hooks", self._route(self._hooks), methods=["GET", "POST"]),
                Route("/hooks/{id}", self._route(self._unhook), methods=["DELETE"]),
                Route("/{kind:str}", self._route(self._list)),
            ]
        )

    def _route(self, endpoint: Endpoint, *, open_to_all: bool = False) -> Endpoint:
        async def answered(request: Request) -> Response:
            self.requests[request.url.path] += 1
            fault = self._fault()
            response = self._refusal(request, fault, open_to_all)
            if response is None:
                response = _spoiled(await endpoint(request), fault, self.rates.hang_seconds)
            if fault is not None and fault is not Fault.EXPIRED and response.status_code != 401:
                self.counts[fault] += 1
            self._date(response)
            return response

        return answered

    def _fault(self) -> Fault | None:
        now = time.monotonic()
        if now < self._storm_until:
            self.counts[Fault.STORM] += 1
            return Fault.TOO_MANY
        fault = drawn(self.rates, self._generator.random())
        if fault is Fault.STORM:
            self._storm_until = now + self.rates.storm_seconds
            fault = Fault.TOO_MANY
        return fault

    def _refusal(self, request: Request, fault: Fault | None, open_to_all: bool) -> Response | None:
        if fault is Fault.TOO_MANY:
            return self._too_many()
        if fault is Fault.SERVER_ERROR:
            return _json({"error": "Internal error"}, 500)
        if fault is Fault.BAD_GATEWAY:
            return Response("<html><h1>502 Bad Gateway</h1>", 502, media_type="text/html")
        if not open_to_all and not self._knows(request, fault):
            return _json({"error": "Unknown or expired token"}, 401)
        return None

    def _knows(self, request: Request, fault: Fault | None) -> bool:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        age = time.monotonic() - self._tokens.get(token, 0.0)
        if fault is Fault.EXPIRED and FRESH_SECONDS < age < TOKEN_SECONDS and token in self._tokens:
            del self._tokens[token]
            self.counts[fault] += 1
        return token in self._tokens and age < TOKEN_SECONDS

    def _too_many(self) -> Response:
        response = _json({"error": "Slow down"}, 429)
        match self._generator.randrange(3):
            case 0:
                self.counts[Fault.TOO_MANY_SECONDS] += 1
                response.headers["retry-after"] = "1"
            case 1:
                self.counts[Fault.TOO_MANY_DATE] += 1
                self._date(response)
                response.headers["retry-after"] = formatdate(self._now() + 1, usegmt=True)
        return response

    def _now(self) -> float:
        """Seconds since 1970 by the clock of the platform's web server, which is not that of its database."""
        return time.time() + self._skew * self.rates.skew_seconds

    def _date(self, response: Response) -> None:
        self.counts[Fault.SKEW] += self.rates.skew_seconds > 0
        response.headers["date"] = formatdate(self._now(), usegmt=True)

    async def _login(self, request: Request) -> Response:
        given = await request.json()
        if given != {"client_id": CLIENT_ID, "secret": SECRET}:
            return _json({"error": "Wrong client or secret"}, 401)
        return _json({"token": self.new_token(), "expires_in": TOKEN_SECONDS})

    async def _account(self, request: Request) -> Response:
        return _json({"id": "shop_1", "name": "Chaos & Söhne"})

    async def _hooks(self, request: Request) -> Response:
        if request.method == "GET":
            return _json({"items": [{"id": each.id, "url": each.url} for each in self.subscriptions]})
        given = await request.json()
        made = Subscription(secrets.token_hex(8), given["url"], given["secret"])
        self._sender.subscriptions[made.id] = made
        return _json({"id": made.id, "url": made.url}, 201)

    async def _unhook(self, request: Request) -> Response:
        if self._sender.subscriptions.pop(request.path_params["id"], None) is None:
            return _json({"error": "No such webhook"}, 404)
        return Response(status_code=204)

    async def _list(self, request: Request) -> Response:
        kind: Kind = request.path_params["kind"]
        if kind not in FUNCTIONS:
            return _json({"error": "No such list"}, 404)
        with self.shop.lock:
            rows = list(self.shop.rows[kind].values())
            try:
                found, total = _listed(rows, request.query_params)
            except (KeyError, ValueError) as error:
                return _json({"error": f"Unknown order or parameter: {error}"}, 400)
            bodies = b",".join(row.body for row in found)
        if "ids" not in request.query_params:
            self._edit_while_paged()
        return Response(b'{"items":[' + bodies + f'],"total":{total}}}'.encode(), media_type="application/json")

    def _edit_while_paged(self) -> None:
        if self._generator.random() < self.rates.edited_while_paged:
            self.counts[Fault.EDITED_WHILE_PAGED] += 1
            self.change(self._generator.randrange(1, EDITS_WHILE_PAGED))


class _Protocol(HttpToolsProtocol):
    """Lets a response speak to the connection itself."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport


class _Broken(Response):
    """Bytes, or none, and the end of the connection; a ``reset`` is abrupt."""

    def __init__(self, data: bytes = b"", *, after: float = 0.0, reset: bool = False) -> None:
        super().__init__()
        self._data, self._after, self._reset = data, after, reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport = scope["state"]["transport"]
        await asyncio.sleep(self._after)
        if self._reset:
            with suppress(OSError):
                linger = struct.pack("ii", 1, 0)
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.write(self._data)
        transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


def _spoiled(response: Response, fault: Fault | None, hang_seconds: float) -> Response:
    """What becomes of a good answer on its way; whatever the request asked for is done."""
    body = bytes(response.body)
    match fault:
        case Fault.CUT_OFF:
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body) + 10}\r\n\r\n"
            return _Broken(head.encode() + body[: max(len(body) // 2, 1)])
        case Fault.INVALID_JSON:
            return Response(
                body[: max(len(body) // 2, 1)] + b"<br />Warning: deprecated", media_type="application/json"
            )
        case Fault.HANG:
            return _Broken(after=hang_seconds)
        case Fault.RESET:
            return _Broken(reset=True)
    return response


def _listed(rows: Sequence[Row], query: QueryParams) -> tuple[list[Row], int]:
    """The rows that a request asks for, and how many there are of them from the first one on.

    Raises:
        KeyError: an order that there is not.
        ValueError: a date or limit that is none.
    """
    ids = set(query.getlist("ids"))
    if ids:
        found = [row for row in rows if ids & {row.id, *(each["id"] for each in row.raw.get("variants", ()))}]
        return found, len(found)
    order = query.get("order", "updated_at")
    moment, bound = ORDERS[order]
    found = [row for row in rows if not row.archived]
    if "created_from" in query:
        found = [row for row in found if row.created >= milliseconds(query["created_from"])]
    if "created_until" in query:
        found = [row for row in found if row.created <= milliseconds(query["created_until"])]
    descending = order.startswith("-")
    if bound in query:
        place = (milliseconds(query[bound]), query.get("id_before" if descending else "id_after", ""))
        found = [
            row for row in found if ((moment(row), row.id) < place) is descending and (moment(row), row.id) != place
        ]
    found.sort(key=lambda row: (moment(row), row.id), reverse=descending)
    return found[: min(int(query.get("limit", 50)), MOST)], len(found)


def _mapped(kind: Kind, rows: Sequence[Row], content: type[T]) -> dict[str, T]:
    mapped = [record for row in rows for record in HostileConnector.map(FUNCTIONS[kind], row.body)]
    return {record.id: record for record in mapped if isinstance(record, content)}


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
