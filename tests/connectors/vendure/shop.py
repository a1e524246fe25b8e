"""A small Vendure: lists that are filtered, sorted and cut as Vendure's are, over records that tests change meanwhile.

As on the platform, its database keeps microseconds, shows milliseconds, and a filter compares the finer times.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, TypeVar

import unicart.connectors.vendure
from connectors.kit.server import _read_request, answer
from unicart.connectors.kit import Session, Throttle
from unicart.connectors.vendure.client import VendureConnector

FIXTURES = Path(unicart.connectors.vendure.__file__).parent / "fixtures"
START = datetime(2026, 6, 1, 12, tzinfo=UTC)


def fixture(name: str) -> list[dict[str, Any]]:
    """The raw records of a fixture, as Vendure sends them."""
    listed = json.loads((FIXTURES / f"{name}.json").read_bytes())["response"]["body"]["data"]["list"]["items"]
    return list(listed)


ORDER = fixture("get_orders")[0]
PRODUCT = fixture("get_products")[0]


@dataclass
class FakeVendure:
    """Its tables by the name of the list; times are datetimes. ``after_request`` runs behind each request."""

    now: datetime = START
    tables: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"orders": {}, "products": {}, "productVariants": {}, "stockLocations": {}}
    )
    after_request: Callable[[], None] = lambda: None
    requests: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def tick(self, seconds: float = 1.0) -> datetime:
        """Let time pass, and tell the time."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def place(self, at: datetime | None = None, number: int | None = None) -> dict[str, Any]:
        """A new order, placed at ``at`` or now; as on the platform, its own time is that of the last cart change."""
        placed = at or self.now
        id = str(number if number is not None else len(self.tables["orders"]) + 1)
        order = copy.deepcopy(ORDER) | {"id": id, "code": f"CODE{id}", "orderPlacedAt": placed}
        order |= {"createdAt": placed - timedelta(hours=2), "updatedAt": placed - timedelta(hours=1)}
        order |= {"state": "PaymentSettled", "payments": [], "fulfillments": [], "modifications": []}
        order["customer"] = {"emailAddress": "jane@example.com", "updatedAt": placed - timedelta(hours=1)}
        self.tables["orders"][id] = order
        return order

    def cart(self) -> None:
        """A cart that was never placed."""
        self.place()["orderPlacedAt"] = None

    def refund(self, order: dict[str, Any]) -> None:
        """Pay something back: only the refund has a new time."""
        times = {"createdAt": self.now, "updatedAt": self.now}
        refund: dict[str, Any] = {
            "id": f"r{len(order['payments'])}",
            "state": "Settled",
            "total": 1,
            "reason": None,
            "lines": [],
            **times,
        }
        payment = {"id": "p", "state": "Settled", "method": "card", "amount": 100, "transactionId": None}
        order["payments"].append({**payment, "updatedAt": order["updatedAt"], "refunds": [refund]})

    def ship(self, order: dict[str, Any]) -> None:
        """Ship the order: only the fulfilment has a new time."""
        parcel = {"state": "Shipped", "method": "x", "trackingCode": "T", "lines": []}
        number = len(order["fulfillments"])
        order["fulfillments"].append({"id": f"f{number}", "createdAt": self.now, "updatedAt": self.now, **parcel})
        order["stateBefore" if order["state"] == "Modifying" else "state"] = "Shipped"

    def toggle_modifying(self, order: dict[str, Any]) -> None:
        """Begin to modify the order, or leave off without a change: no time moves."""
        if order["state"] == "Modifying":
            order["state"] = order.pop("stateBefore")
        else:
            order["stateBefore"], order["state"] = order["state"], "Modifying"

    def add_product(self, number: int) -> dict[str, Any]:
        """A new product with one variant and one stock level."""
        product = copy.deepcopy(PRODUCT) | {"id": f"p{number}", "createdAt": self.now, "updatedAt": self.now}
        level = {"stockLocationId": "1", "stockOnHand": 5, "stockAllocated": 0, "updatedAt": self.now}
        variant = product["variants"][0] | {"id": str(number), "productId": product["id"], "stockLevels": [level]}
        variant |= {"createdAt": self.now, "updatedAt": self.now}
        product["variants"] = [variant]
        self.tables["products"][product["id"]] = product
        self.tables["productVariants"][variant["id"]] = variant
        return product

    def answer(self, query: str, variables: dict[str, Any]) -> Any:
        """The data of a query."""
        if "login(" in query:
            return {"login": {"__typename": "CurrentUser"}}
        if "moneyStrategyPrecision" in query:
            return {"globalSettings": {"serverConfig": {"moneyStrategyPrecision": 2}}}
        table = next(name for name in self.tables if f"list: {name}(" in query)
        return {"list": _select(list(self.tables[table].values()), variables["options"])}

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, one request."""
        asked = json.loads((await _read_request(reader)).body)
        self.requests.append(asked)
        data = self.answer(asked["query"], asked["variables"])
        body = json.dumps({"data": data}, default=_shown).encode()
        writer.write(answer(200, body, date=format_datetime(self.now, usegmt=True), vendure_auth_token="token"))
        self.after_request()
        await writer.drain()
        writer.close()


Fake = TypeVar("Fake", bound=FakeVendure)


def _select(rows: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
    conditions = options.get("filter", {})
    kept = [row for row in rows if all(_holds(row, each) for each in conditions.get("_and", [conditions]))]
    for name, direction in options.get("sort", {}).items():
        kept.sort(key=lambda row: (row[name], row["id"][::-1]), reverse=direction == "DESC")
    assert options["take"] <= 1000
    return {"totalItems": len(kept), "items": kept[: options["take"]]}


def _holds(row: dict[str, Any], condition: dict[str, Any]) -> bool:
    return all(_is(row[name], word, given) for name, words in condition.items() for word, given in words.items())


def _is(value: Any, word: str, given: Any) -> bool:
    if word == "isNull":
        return bool((value is None) is given)
    if word in ("in", "notIn"):
        return bool((value in given) is (word == "in"))
    bound = datetime.fromisoformat(given)
    return value is not None and bool(value > bound if word == "after" else value < bound)


def _shown(value: Any) -> str:
    assert isinstance(value, datetime)
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def connector_of(url: str, patience: float = 45.0, timeout: float = 30.0) -> VendureConnector:
    """A connector to the server at ``url``."""
    given = {"url": url, "username": "u", "password": "p"}
    base = VendureConnector.base_url(given)
    return VendureConnector(given, Session(base, private_network=True, patience=patience, timeout=timeout))


@asynccontextmanager
async def fake_vendure() -> AsyncIterator[tuple[FakeVendure, VendureConnector]]:
    """A fake on a free local port, and a connector to it."""
    async with serving(FakeVendure()) as served:
        yield served


@asynccontextmanager
async def serving(fake: Fake, slowest: float = 30.0) -> AsyncIterator[tuple[Fake, VendureConnector]]:
    """This fake on a free local port, and a connector to it."""
    server = await asyncio.start_server(fake.handle, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    connector = connector_of(fake.url, timeout=slowest)
    connector.session.throttle = Throttle(rate=1e6)
    try:
        yield fake, connector
    finally:
        await connector.session.close()
        server.close()
        await server.wait_closed()
