"""A small WooCommerce: lists that are filtered, sorted and cut as WooCommerce's are, over records that tests change meanwhile.

It knows the API keys by Basic authentication (as over https) and by OAuth 1.0a, refuses a nonce that comes twice, keeps orders
by UTC and products by the shop's own time, and has webhooks that tests deliver by hand.
"""

import asyncio
import base64
import copy
import hashlib
import hmac
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import unicart.connectors.woocommerce
from connectors.kit.server import FOREVER, Request, _read_request, answer
from connectors.woocommerce import writing
from unicart.connectors.kit import Session, Throttle
from unicart.connectors.woocommerce.client import WooCommerceConnector

FIXTURES = Path(unicart.connectors.woocommerce.__file__).parent / "fixtures"
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
CLOCKS_GO_BACK = datetime(2026, 11, 1, 6, tzinfo=UTC)
KEY, SECRET = "ck_0123456789abcdef", "cs_fedcba9876543210"
STATUSES = {"pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "partial-shipped"}
LIST_PARAMETERS = {
    "status", "orderby", "order", "per_page", "page", "include", "after", "before", "modified_after", "modified_before",
    "dates_are_gmt", "_fields",
}  # fmt: skip
HTML = b"<!DOCTYPE html><title>Not found</title>"


def fixture(name: str) -> list[dict[str, Any]]:
    """The raw records of a fixture, as `pull` yields them."""
    return list(json.loads((FIXTURES / f"{name}.json").read_bytes())["records"])


ORDER = next(each["order"] for each in fixture("get_orders") if not each["refunds"])
PRODUCTS = {each["id"]: each for each in fixture("get_products")}


class RestError(Exception):
    """What WordPress answers as an error."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.body = json.dumps({"code": code, "message": message or code, "data": {"status": status}}).encode()


@dataclass
class FakeWooCommerce:
    """Its tables by path; each record has datetimes under ``created`` and ``modified``. ``after_request`` runs behind each.

    ``https``: keys are taken by Basic authentication. ``pretty``: there is a ``/wp-json``; else it ``redirects`` or is not found. ``home``: the path of the site.
    ``permissions`` of the key, ``closed`` paths its user may not see. ``answers`` are given instead, as long as there are any.
    ``hanging``: how many requests that write are taken, but never answered. ``fulfills``: Order Fulfillments is switched on.
    """

    now: datetime = START
    tables: dict[str, dict[int, dict[str, Any]]] = field(
        default_factory=lambda: {"orders": {}, "products": {}, "refunds": {}, "webhooks": {}}
    )
    variations: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    after_request: Callable[[], None] = lambda: None
    https: bool = False
    pretty: bool = True
    redirects: bool = False
    home: str = ""
    permissions: str = "read_write"
    closed: set[str] = field(default_factory=set)
    version: tuple[int, int] = (11, 0)
    keeps_authorization: bool = False
    answers: list[bytes] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)
    url: str = ""
    hanging: int = 0
    fulfills: bool = False
    fulfillments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    statuses: set[str] = field(default_factory=lambda: STATUSES - {"partial-shipped"})
    refused_statuses: set[str] = field(default_factory=set)
    gateway_refunds: bool = True
    manages_stock: bool = True
    restocked: dict[int, int] = field(default_factory=dict)
    notes: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    mails: list[int] = field(default_factory=list)

    def tick(self, seconds: int = 1) -> datetime:
        """Let time pass, and tell the time."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def place(self, number: int | None = None, **values: Any) -> dict[str, Any]:
        """A new order, placed now."""
        id = number if number is not None else max(self.tables["orders"], default=0) + 1
        order: dict[str, Any] = copy.deepcopy(ORDER) | {"id": id, "number": str(id), "status": "processing"}
        order |= {"created": self.now, "modified": self.now, **values}
        self.tables["orders"][id] = order
        return order

    def change(self, order: dict[str, Any], **values: Any) -> None:
        """Change an order now."""
        order |= {"modified": self.now, **values}

    def refund(self, order: dict[str, Any], amount: str = "1.00") -> None:
        """Pay some of an order back: its date moves."""
        id = 100_000 + len(self.tables["refunds"])
        line = order["line_items"][0]
        part = line | {"quantity": -1, "total": f"-{amount}", "total_tax": "0.00"}
        part["meta_data"] = [{"id": 1, "key": "_refunded_item_id", "value": str(line["id"])}]
        refund = {"id": id, "parent_id": order["id"], "amount": amount, "reason": "Damaged", "line_items": [part]}
        self.tables["refunds"][id] = refund | {"fee_lines": [], "created": self.now, "modified": self.now}
        order["refunds"] = [*order["refunds"], {"id": id, "reason": "Damaged", "total": f"-{amount}"}]
        self.change(order)

    def add_product(self, id: int, variations: int = 0, **values: Any) -> dict[str, Any]:
        """A new product, with variations of the ids behind its own."""
        product: dict[str, Any] = copy.deepcopy(PRODUCTS[11]["product"]) | {
            "id": id,
            "created": self.now,
            "modified": self.now,
        }
        made = [copy.deepcopy(PRODUCTS[23]["variations"][0]) | {"id": id + n + 1} for n in range(variations)]
        product |= {"variations": [each["id"] for each in made], "type": "variable" if made else "simple", **values}
        self.variations[id] = [each | {"created": self.now, "modified": self.now} for each in made]
        self.tables["products"][id] = product
        return product

    def offset(self, moment: datetime) -> timedelta:
        """How far the shop's clock is ahead of UTC."""
        return timedelta(hours=-4 if moment < CLOCKS_GO_BACK else -5)

    def local(self, moment: datetime) -> datetime:
        """``moment`` on the shop's clock, without a zone."""
        return (moment + self.offset(moment)).replace(tzinfo=None)

    def listed(self, path: str) -> list[dict[str, str]]:
        """The parameters of the requests for a path."""
        return [parameters for _, route, parameters in self.requests if route == path]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, one request."""
        try:
            request = await _read_request(reader)
            response = self.respond(request)
            if response == FOREVER:
                await reader.read()
            writer.write(response)
            self.after_request()
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def respond(self, request: Request) -> bytes:
        """The answer to a request."""
        if self.answers:
            # A nonce is used up before anything else happens.
            self.nonces.add(dict(parse_qsl(urlsplit(request.target).query)).get("oauth_nonce", ""))
            return self.answers.pop(0)
        parts = urlsplit(request.target)
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        path = parts.path.removeprefix(self.home)
        route = parameters.get("rest_route", "") if path.startswith("/index.php") else path.removeprefix("/wp-json")
        if (
            not parts.path.startswith(self.home)
            or not route
            or (not path.startswith("/index.php") and not (self.pretty and path.startswith("/wp-json")))
        ):
            # WordPress with plain permalinks redirects to the same path with a slash behind it.
            redirects = parts.path.startswith(self.home) and not self.pretty and self.redirects
            return answer(301, location=f"{path}/") if redirects else answer(404, HTML, content_type="text/html")
        try:
            if route != "/":
                self.authenticate(request, parts.path, parameters)
            sent = {name: value for name, value in parameters.items() if not name.startswith("oauth_")}
            sent.pop("rest_route", None)
            found = route.removeprefix("/wc/v3")
            self.requests.append((request.method, found, sent))
            status, body, total = self.dispatch(request, found, sent)
        except RestError as error:
            return answer(error.status, error.body, content_type="application/json; charset=UTF-8")
        if self.hanging and request.method != "GET":
            self.hanging -= 1
            return FOREVER
        sent_body = json.dumps(body).encode()
        counted = {} if total is None else {"x_wp_total": str(total)}
        told = format_datetime(self.now, usegmt=True)
        return answer(status, sent_body, None, content_type="application/json; charset=UTF-8", date=told, **counted)

    def authenticate(self, request: Request, path: str, parameters: dict[str, str]) -> None:
        """As class-wc-rest-authentication.php does it."""
        if self.version < (11, 1) and "wp-json/wc/" not in request.target:
            raise RestError(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        given = "" if self.keeps_authorization else request.headers.get("authorization", "")
        if self.https and given.startswith("Basic "):
            key, _, secret = base64.b64decode(given[6:]).decode().partition(":")
            if key != KEY:
                raise RestError(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
            if secret != SECRET:
                raise RestError(401, "woocommerce_rest_authentication_error", "Consumer secret is invalid.")
        elif "oauth_consumer_key" in parameters:
            self.check_signature(request.method, path, parameters)
        else:
            raise RestError(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        if "read" not in self.permissions or (request.method != "GET" and "write" not in self.permissions):
            raise RestError(401, "woocommerce_rest_authentication_error", "The API key provided does not have …")

    def check_signature(self, method: str, path: str, parameters: dict[str, str]) -> None:
        if parameters["oauth_consumer_key"] != KEY:
            raise RestError(401, "woocommerce_rest_authentication_error", "Consumer key is invalid.")
        rest = {name: value for name, value in parameters.items() if name != "oauth_signature"}
        pairs = [quote(f"{quote(name, safe='')}={quote(rest[name], safe='')}", safe="") for name in sorted(rest)]
        text = f"{method}&{quote(self.url.removesuffix(self.home) + path, safe='')}&{'%26'.join(pairs)}"
        right = base64.b64encode(hmac.new(f"{SECRET}&".encode(), text.encode(), hashlib.sha256).digest()).decode()
        if parameters["oauth_signature"] != right:
            raise RestError(401, "woocommerce_rest_authentication_error", "Invalid signature.")
        if parameters["oauth_nonce"] in self.nonces:
            raise RestError(
                401, "woocommerce_rest_authentication_error", "Invalid nonce - nonce has already been used."
            )
        self.nonces.add(parameters["oauth_nonce"])

    def dispatch(self, request: Request, route: str, sent: dict[str, str]) -> tuple[int, Any, int | None]:
        if route in self.closed:
            raise RestError(403, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        parts = route.strip("/").split("/")
        try:
            made = None if request.method == "GET" else writing.taken(self, request, parts, sent)
        except writing.Refusal as refusal:
            raise RestError(refusal.status, refusal.code, refusal.message) from None
        if made is not None:
            return (201 if request.method == "POST" else 200), self.shown(made), None
        match parts:
            case [""]:
                return 200, {"name": "Tea &amp; Co"}, None
            case ["settings", "products"]:
                units = {"woocommerce_weight_unit": "lbs", "woocommerce_dimension_unit": "mm"}
                return 200, [{"id": id, "value": value} for id, value in units.items()], None
            case ["refunds"] if self.version < (9, 0):
                raise RestError(404, "rest_no_route", "No route was found matching the URL and request method.")
            case ["reports", "orders", "totals"]:
                return 200, [{"slug": each, "name": each.title(), "total": 1} for each in sorted(self.statuses)], None
            case ["orders", id, "fulfillments"] if self.fulfills:
                return 200, self.fulfillments.get(int(id), []), None
            case ["orders", _, "fulfillments"]:
                raise RestError(404, "rest_no_route", "No route was found matching the URL and request method.")
            case ["orders", id, "refunds"]:
                of = [each for each in self.tables["refunds"].values() if each["parent_id"] == int(id)]
                return self.page_of("refunds", of, sent)
            case ["products", id, "variations"] if int(id) in self.tables["products"]:
                return self.page_of("variations", self.variations[int(id)], sent)
            case ["products", id] if id.isdigit():
                return 200, self.shown(self.product(int(id))), None
            case ["webhooks", *rest]:
                return self.webhook(request, rest, sent)
            case [("orders" | "products" | "refunds") as table]:
                return self.page_of(table, list(self.tables[table].values()), sent)
        raise RestError(404, "woocommerce_rest_invalid_id", "Invalid ID.")

    def product(self, id: int) -> dict[str, Any]:
        if id in self.tables["products"]:
            return self.tables["products"][id]
        for parent, variations in self.variations.items():
            for each in variations:
                if each["id"] == id and parent in self.tables["products"]:
                    return each | {"parent_id": parent, "type": "variation"}
        raise RestError(404, "woocommerce_rest_product_invalid_id", "Invalid ID.")

    def webhook(self, request: Request, rest: list[str], sent: dict[str, str]) -> tuple[int, Any, int | None]:
        table = self.tables["webhooks"]
        if request.method == "POST":
            id = 1 + max(table, default=0)
            made = {"id": id, "created": self.now, "modified": self.now, **json.loads(request.body)}
            table[id] = made
            return 201, self.shown(made), None
        if request.method == "DELETE":
            if sent.get("force") != "true":
                raise RestError(501, "woocommerce_rest_trash_not_supported")
            if int(rest[0]) not in table:
                raise RestError(404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.")
            return 200, self.shown(table.pop(int(rest[0]))), None
        return self.page_of("webhooks", list(table.values()), sent)

    def page_of(self, table: str, rows: list[dict[str, Any]], sent: dict[str, str]) -> tuple[int, Any, int | None]:
        """A page as class-wc-rest-crud-controller.php makes it."""
        self.problems += [f"{table}: {name}" for name in set(sent) - LIST_PARAMETERS]
        order, size, page = sent.get("orderby", "date"), int(sent.get("per_page", 10)), int(sent.get("page", 1))
        if (
            not 1 <= size <= 100
            or order not in ("date", "id", "modified")
            or (self.version < (5, 0) and order == "modified")
        ):
            raise RestError(400, "rest_invalid_param", "Invalid parameter(s): orderby")
        status = sent.get("status", "any")
        if table in ("orders", "products"):
            rows = [row for row in rows if row["status"] == status or (status == "any" and row["status"] != "trash")]
        if sent.get("include"):
            wanted = {int(id) for id in sent["include"].split(",")}
            rows = [row for row in rows if row["id"] in wanted]
        for name, column in (("", "created"), ("modified_", "modified")):
            if name and self.version < (5, 8):
                continue
            if f"{name}after" in sent:
                rows = [
                    row for row in rows if self.compared(row[column], sent) > self.bound(sent[f"{name}after"], sent)
                ]
            if f"{name}before" in sent:
                rows = [
                    row for row in rows if self.compared(row[column], sent) < self.bound(sent[f"{name}before"], sent)
                ]
        rows = self.in_order(table, rows, order, sent.get("order", "desc") == "desc")
        cut = rows[(page - 1) * size : page * size]
        return 200, [self.shown(row) for row in cut], len(rows) if cut else 0

    def compared(self, moment: datetime, sent: dict[str, str]) -> datetime:
        return moment.replace(tzinfo=None) if sent.get("dates_are_gmt") == "true" else self.local(moment)

    def bound(self, text: str, sent: dict[str, str]) -> datetime:
        """A bound with a zone is turned into the shop's time, even where it is compared with UTC."""
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is None else self.local(moment)

    def in_order(self, table: str, rows: list[dict[str, Any]], order: str, descending: bool) -> list[dict[str, Any]]:
        """Orders by UTC and id. Products by the shop's own time only: those of a second come in any order."""
        column = {"date": "created", "modified": "modified"}.get(order)
        if column is None:
            return sorted(rows, key=lambda row: row["id"], reverse=descending)
        if table == "orders":
            return sorted(rows, key=lambda row: (row[column], row["id"]), reverse=descending)
        shuffled = random.sample(rows, len(rows))
        return sorted(shuffled, key=lambda row: self.local(row[column]), reverse=descending)

    def shown(self, row: dict[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in row.items() if name not in ("created", "modified", "secret")}
        for name in {"created", "modified"} & row.keys():
            shown[f"date_{name}"] = self.local(row[name]).isoformat()
            shown[f"date_{name}_gmt"] = row[name].replace(tzinfo=None).isoformat()
        if "related_ids" in row:
            shown["related_ids"] = random.sample(range(1000), 5)
        return shown


def credentials_of(url: str, key: str = KEY, secret: str = SECRET) -> dict[str, str]:
    """The form for the shop at ``url``."""
    return {"url": url, "consumer_key": key, "consumer_secret": secret}


def connector_of(
    fake: FakeWooCommerce, patience: float = 45.0, timeout: float = 30.0, **given: str
) -> WooCommerceConnector:
    """A connector to a fake."""
    credentials = credentials_of(fake.url, **given)
    # The fake speaks plain http; a connector that thinks it is https authenticates as such.
    root = credentials["url"].replace("http://", "https://") if fake.https else credentials["url"]
    session = Session(root, private_network=True, patience=patience, timeout=timeout, throttle=Throttle(rate=1e6))
    connector = WooCommerceConnector(credentials, session)
    session.base_url = fake.url
    return connector


@asynccontextmanager
async def fake_woocommerce(**settings: Any) -> AsyncIterator[tuple[FakeWooCommerce, WooCommerceConnector]]:
    """A fake on a free local port, and a connector to it."""
    fake = FakeWooCommerce(**settings)
    server = await asyncio.start_server(fake.handle, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{fake.home}"
    connector = connector_of(fake)
    try:
        yield fake, connector
    finally:
        await connector.session.close()
        server.close()
        await server.wait_closed()
    assert fake.problems == []
