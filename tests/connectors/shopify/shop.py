"""A small Shopify: the connector's queries are executed against Shopify's own schema, over records that tests change meanwhile.

The schema is the vendor's, where its introspection result lies beside the repository, else the excerpt in this folder. As on
the platform, lists are filtered by a search, sorted by a date and cut by a cursor that holds its place; queries cost
points; a query that is too costly is refused; an app sees what its scopes let it see; bulk operations take a while.
"""

import asyncio
import base64
import gzip
import json
import os
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_client_schema,
    build_schema,
    execute_sync,
    get_named_type,
    parse,
    validate,
)

from connectors.kit.server import Request, _read_request, answer
from connectors.shopify import mutations
from connectors.shopify.goods import Node, gid, stamp
from unicart.connectors.kit import Session, Throttle
from unicart.connectors.shopify import auth
from unicart.connectors.shopify.client import ShopifyConnector

SPECIFICATION = Path(__file__).parents[4] / "shared" / "specs" / "shopify" / "admin_2026-10.introspection.json.gz"
EXCERPT = Path(__file__).parent / "schema.graphql"
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
TOKEN = "shpat_of-the-test"
CLIENT_ID, SECRET = "client-of-the-test", "secret-of-the-test"
SCOPES = (
    "read_orders",
    "read_all_orders",
    "read_products",
    "read_inventory",
    "read_locations",
    "read_merchant_managed_fulfillment_orders",
    "read_third_party_fulfillment_orders",
)
WRITING_SCOPES = ("write_orders", "write_inventory", "write_merchant_managed_fulfillment_orders")
NEEDED = mutations.NEEDED | {
    "orders": "read_orders",
    "products": "read_products",
    "locations": "read_locations",
    "fulfillmentOrders": "read_merchant_managed_fulfillment_orders",
    "inventoryLevels": "read_inventory",
}
VISIBLE = timedelta(days=60)
TERM = re.compile(r"(\w+):(>=|<=|<|>)'([^']+)'")
DATES = {"created_at": "createdAt", "updated_at": "updatedAt"}


def specification() -> Path:
    """Shopify's introspection result, where a workplace has it; set by an environment variable or beside the repository."""
    directory = os.environ.get("UNICART_SPECS_DIR")
    return Path(directory) / "shopify" / SPECIFICATION.name if directory else SPECIFICATION


@cache
def vendors_schema() -> GraphQLSchema:
    """The whole schema. It is taken for valid: it deprecates fields in a way that the checker dislikes."""
    found = json.loads(gzip.decompress(specification().read_bytes()))
    return build_client_schema(found.get("data", found), assume_valid=True)


@cache
def schema() -> GraphQLSchema:
    """The vendor's schema, or the excerpt."""
    if specification().exists():
        return vendors_schema()
    return build_schema(EXCERPT.read_text(), assume_valid=True)


@dataclass
class Mishap:
    """What happens to the next request with this ``text``: an answer instead of Shopify's own, empty if none ever comes.

    It is carried out all the same if it is ``taken``.
    """

    text: str
    sent: bytes = b""
    taken: bool = False


@dataclass
class Shop:
    """Its records by type and global id. ``after_request`` runs behind each request; ``failures`` are sent first."""

    now: datetime = START
    scopes: tuple[str, ...] = SCOPES
    tables: dict[str, dict[str, Node]] = field(default_factory=lambda: {"Order": {}, "Product": {}, "Location": {}})
    subscriptions: list[Node] = field(default_factory=list)
    operations: dict[str, Node] = field(default_factory=dict)
    bulk_polls: int = 1
    bulk_status: str = "COMPLETED"
    bulk_busy: bool = False
    failures: list[bytes] = field(default_factory=list)
    mishaps: list[Mishap] = field(default_factory=list)
    cost_of_record: float = 10.0
    most_cost: float = 1000.0
    available: float = 1e9
    restore_rate: float = 1000.0
    tokens: list[str] = field(default_factory=lambda: [TOKEN])
    logins: int = 0
    refresh_tokens: list[str] = field(default_factory=list)
    created: datetime = START - timedelta(days=1000)
    after_request: Callable[[], None] = lambda: None
    requests: list[Node] = field(default_factory=list)
    downloads: list[Request] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.mutations = mutations.Mutations(self.tables)

    def tick(self, seconds: float = 1.0) -> datetime:
        """Let time pass, and tell the time."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def put(self, *nodes: Node) -> Node:
        """Keep records; the last of them."""
        for node in nodes:
            self.tables[node["__typename"]][node["id"]] = node
        return nodes[-1]

    def orders_seen(self) -> list[Node]:
        """The orders that the app may see."""
        limit = "" if "read_all_orders" in self.scopes else stamp(self.now - VISIBLE)
        return [each for each in self.tables["Order"].values() if each["createdAt"] >= limit]

    def asked(self, text: str) -> int:
        """How many queries had this text in them."""
        return sum(text in each["query"] for each in self.requests)

    # What the root of the schema answers.

    def list_of(self, name: str, arguments: Node) -> Node:
        rows: dict[str, Callable[[], list[Node]]] = {
            "orders": self.orders_seen,
            "products": lambda: list(self.tables["Product"].values()),
            "locations": lambda: list(self.tables["Location"].values()),
            "productVariants": lambda: [
                {**each, "product": owner} for owner in self.tables["Product"].values() for each in owner["variants"]
            ],
            "fulfillmentOrders": lambda: [
                {**each, "orderId": owner["id"]} for owner in self.orders_seen() for each in owner["fulfillmentOrders"]
            ],
            "webhookSubscriptions": lambda: [
                each for each in self.subscriptions if each["uri"] == arguments.get("uri", each["uri"])
            ],
        }
        return _listed(rows[name](), arguments)

    def levels_of(self, location: str, arguments: Node) -> Node:
        rows = [
            {**level, "item": {**each["inventoryItem"], "variants": [{**each, "product": owner}]}}
            for owner in self.tables["Product"].values()
            for each in owner["variants"]
            for level in each["inventoryItem"]["inventoryLevels"]
            if level["location"]["id"] == location and (level["isActive"] or arguments.get("includeInactive"))
        ]
        return _listed(rows, {"sortKey": "ID", **arguments})

    def node(self, id: str) -> Node | None:
        """Any record by its id."""
        known: dict[str, Node] = {each["id"]: each for each in [*self.orders_seen(), *self.operations.values()]}
        known |= self.tables["Product"] | self.tables["Location"]
        for order in self.orders_seen():
            known |= {
                each["id"]: each for name in ("fulfillmentOrders", "fulfillments", "refunds") for each in order[name]
            }
        for product in self.tables["Product"].values():
            for each in product["variants"]:
                own = {**each, "product": product}
                known[each["id"]] = own
                known[each["inventoryItem"]["id"]] = {**each["inventoryItem"], "variants": [own]}
        found = known.get(id)
        if found is not None and found["__typename"] == "BulkOperation":
            self._poll(found)
        return found

    def run_bulk(self, query: str, grouped: bool) -> Node:
        if self.bulk_busy:
            return {"bulkOperation": None, "userErrors": [{"message": "Too many.", "code": "LIMIT_REACHED"}]}
        assert grouped, "the lines of one record need not be together"
        document = parse(query)
        assert validate(schema(), document) == []
        assert query.count("edges") <= 5
        data = self.execute(document, {})
        assert data.errors is None, data.errors
        lines: list[bytes] = []
        ((_, connection),) = (data.data or {}).items()
        for edge in connection["edges"]:
            _flatten(edge["node"], None, lines)
        id = gid("BulkOperation", len(self.operations) + 1)
        body = b"".join(line + b"\n" for line in lines)
        self.operations[id] = {
            "__typename": "BulkOperation",
            "id": id,
            "status": "CREATED",
            "errorCode": None,
            "rootObjectCount": str(len(connection["edges"])),
            "fileSize": None,
            "url": None,
            "polls": self.bulk_polls,
            "body": body,
        }
        return {"bulkOperation": self.operations[id], "userErrors": []}

    def _poll(self, operation: Node) -> None:
        operation["polls"] -= 1
        if operation["polls"] > 0:
            operation["status"] = "RUNNING"
        elif operation["status"] in ("CREATED", "RUNNING"):
            operation["status"] = self.bulk_status
            operation["errorCode"] = None if self.bulk_status == "COMPLETED" else "INTERNAL_SERVER_ERROR"
            if self.bulk_status == "COMPLETED" and operation["body"]:
                number = operation["id"].rpartition("/")[2]
                operation |= {"fileSize": str(len(operation["body"])), "url": f"{self.url}/bulk/{number}?sig=a%2Fb"}

    def subscribe(self, topic: str, uri: str) -> Node:
        if topic.startswith("FULFILLMENT") and auth.SHIPPING_SCOPE not in auth.reading(self.scopes):
            return {
                "userErrors": [{"message": f"You do not have permission to create or update webhooks with {topic}"}]
            }
        if any((each["topic"], each["uri"]) == (topic, uri) for each in self.subscriptions):
            return {"userErrors": [{"message": "Address for this topic has already been taken"}]}
        id = gid("WebhookSubscription", len(self.subscriptions) + 1)
        self.subscriptions.append({"__typename": "WebhookSubscription", "id": id, "topic": topic, "uri": uri})
        return {"userErrors": []}

    def unsubscribe(self, id: str) -> Node:
        there = [each for each in self.subscriptions if each["id"] != id]
        gone = len(there) < len(self.subscriptions)
        self.subscriptions = there
        return {"userErrors": [] if gone else [{"message": "Webhook subscription does not exist"}]}

    def resolve(self, source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        """The value of any field."""
        name = info.field_name
        needed = NEEDED.get(name)
        if needed and needed not in self.scopes:
            raise GraphQLError(
                f"Access denied for {name} field. Required access: `{needed}` access scope.",
                extensions={"code": "ACCESS_DENIED", "requiredAccess": f"`{needed}` access scope."},
            )
        if info.parent_type.name in ("QueryRoot", "Mutation"):
            return self._root(info, arguments)
        if name == "inventoryLevels" and source["__typename"] == "Location":
            return self.levels_of(source["id"], arguments)
        if name == "inventoryLevels":
            return _connection([each for each in source[name] if each["isActive"]], arguments, lambda index, _: index)
        if name == "quantities":
            return [each for each in source[name] if each["name"] in arguments["names"]]
        if name == "suggestedRefund":
            return mutations.suggested(source, arguments)
        value = source[name]
        if get_named_type(info.return_type).name.endswith("Connection"):
            return _connection(value, arguments, lambda index, _: index)
        return value

    def _root(self, info: GraphQLResolveInfo[Any], arguments: Node) -> Any:
        name = info.field_name
        if name in mutations.NEEDED:
            return self.mutations.answer(info, arguments, self.now)
        if name == "shop":
            return {"myshopifyDomain": "test.myshopify.com", "name": "Söhne", "createdAt": stamp(self.created)}
        if name == "currentAppInstallation":
            return {"accessScopes": [{"handle": scope} for scope in self.scopes]}
        if name == "ordersCount":
            return {"count": len(_found(self.orders_seen(), arguments.get("query")))}
        if name == "node":
            return self.node(arguments["id"])
        if name == "nodes":
            return [self.node(id) for id in arguments["ids"]]
        if name == "bulkOperationRunQuery":
            return self.run_bulk(arguments["query"], arguments["groupObjects"])
        if name == "webhookSubscriptionCreate":
            return self.subscribe(arguments["topic"], arguments["webhookSubscription"]["uri"])
        if name == "webhookSubscriptionDelete":
            return self.unsubscribe(arguments["id"])
        return self.list_of(name, arguments)

    def execute(self, document: DocumentNode, variables: Node) -> Any:
        return execute_sync(schema(), document, variable_values=variables, field_resolver=self.resolve)

    def graphql(self, asked: Node) -> Node:
        """The body that answers a GraphQL request."""
        document = parse(asked["query"])
        problems = validate(schema(), document)
        assert problems == [], [each.message for each in problems]
        size = asked["variables"].get("first", len(asked["variables"].get("ids", [1])))
        cost = 2 + self.cost_of_record * size
        code = self._refusal(cost)
        if code:
            errors = [{"message": code.capitalize(), "extensions": {"code": code}}]
            return {"errors": errors, "extensions": self._cost(cost)}
        self.available -= cost
        result = self.execute(document, asked["variables"])
        unforeseen = [each for each in result.errors or [] if not isinstance(each.original_error, GraphQLError)]
        assert not unforeseen, unforeseen
        return {**result.formatted, "extensions": self._cost(cost)}

    def _refusal(self, cost: float) -> str | None:
        if cost > self.most_cost:
            return "MAX_COST_EXCEEDED"
        if cost > self.available:
            # By the time of the next try, points have come back.
            self.available += self.restore_rate
            return "THROTTLED"
        return None

    def _cost(self, cost: float) -> Node:
        status = {
            "maximumAvailable": 2000.0,
            "currentlyAvailable": self.available,
            "restoreRate": self.restore_rate,
        }
        return {"cost": {"requestedQueryCost": cost, "actualQueryCost": cost, "throttleStatus": status}}

    # HTTP.

    def respond(self, request: Request) -> bytes:
        """The answer to a request."""
        path = request.target.partition("?")[0]
        if path.startswith("/bulk/"):
            return self._download(request, path)
        if path == "/admin/oauth/access_token":
            return self._log_in(json.loads(request.body))
        assert path == "/admin/api/2026-10/graphql.json", path
        asked = json.loads(request.body)
        self.requests.append(asked)
        if self.failures:
            return self.failures.pop(0)
        if request.headers.get("x-shopify-access-token") not in self.tokens:
            return answer(401, b'{"errors":"[API] Invalid API key or access token (unrecognized login)"}')
        if self.mishaps and self.mishaps[0].text in asked["query"]:
            mishap = self.mishaps.pop(0)
            if mishap.taken:
                self.graphql(asked)
            return mishap.sent
        body = json.dumps(self.graphql(asked)).encode()
        return answer(200, body, date=format_datetime(self.now, usegmt=True), content_type="application/json")

    def _download(self, request: Request, path: str) -> bytes:
        self.downloads.append(request)
        body = self.operations[gid("BulkOperation", path.rpartition("/")[2])]["body"]
        begin, _, end = request.headers["range"].removeprefix("bytes=").partition("-")
        return answer(206, body[int(begin) : int(end) + 1])

    def _log_in(self, form: Node) -> bytes:
        self.logins += 1
        right = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
        if form.get("refresh_token") in self.refresh_tokens:
            return self._renew(form, right)
        if form != right:
            return answer(400, b'{"error":"invalid_request","error_description":"The client is unknown."}')
        self.tokens.append(f"shpca_{self.logins}")
        granted = {"access_token": self.tokens[-1], "scope": ",".join(self.scopes), "expires_in": 86399}
        return answer(200, json.dumps(granted).encode())

    def _renew(self, form: Node, right: Node) -> bytes:
        """New tokens for a refresh token; of these, the last two are good."""
        assert form == right | {"grant_type": "refresh_token", "refresh_token": form["refresh_token"]}
        self.tokens = [f"shpat_{self.logins}"]
        self.refresh_tokens = [form["refresh_token"], f"shprt_{self.logins}"]
        made = {"access_token": self.tokens[0], "expires_in": 3600, "scope": ",".join(self.scopes)}
        more = {"refresh_token": self.refresh_tokens[1], "refresh_token_expires_in": 7776000}
        return answer(200, json.dumps(made | more).encode())

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, one request."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError), closing(writer):
            request = await _read_request(reader)
            try:
                sent = self.respond(request)
            except Exception as error:
                sent = answer(400, f"the test's shop failed: {error!r}".encode())
            if sent:
                writer.write(sent)
                self.after_request()
                await writer.drain()
            else:
                await reader.read()


def _flatten(node: Node, parent: str | None, lines: list[bytes]) -> None:
    """The lines of a record in a bulk operation's result: what is in connections follows, with a reference to it."""
    inner = {name: value["edges"] for name, value in node.items() if isinstance(value, dict) and "edges" in value}
    own = {name: value for name, value in node.items() if name not in inner}
    lines.append(json.dumps(own | ({"__parentId": parent} if parent else {})).encode())
    for edges in inner.values():
        for edge in edges:
            _flatten(edge["node"], node["id"], lines)


def _found(rows: list[Node], search: str | None) -> list[Node]:
    terms = TERM.findall(search or "")
    assert TERM.sub("", search or "").strip() == "", f"no search that Shopify documents: {search}"
    compare: dict[str, Callable[[datetime, datetime], bool]] = {
        ">=": lambda value, bound: value >= bound,
        "<=": lambda value, bound: value <= bound,
        "<": lambda value, bound: value < bound,
        ">": lambda value, bound: value > bound,
    }

    def holds(row: Node, name: str, sign: str, bound: str) -> bool:
        return compare[sign](_indexed(row, DATES[name]), datetime.fromisoformat(bound))

    return [row for row in rows if all(holds(row, *term) for term in terms)]


def _indexed(row: Node, date: str) -> datetime:
    """The date by which a record is found, which may lag behind its own, or have a fraction that is not shown."""
    kept = "indexedAt" if date == "updatedAt" else "storedAt"
    return datetime.fromisoformat(row[kept if kept in row else date])


def _listed(rows: list[Node], arguments: Node) -> Node:
    date = {"CREATED_AT": "createdAt", "UPDATED_AT": "updatedAt"}.get(arguments.get("sortKey", "ID"))
    date = date if rows and date in rows[0] else None

    def key(_: int, row: Node) -> Any:
        digits = int(re.findall(r"\d+", row["id"])[-1])
        return [_indexed(row, date).isoformat() if date else "", digits]

    found = _found(rows, arguments.get("query"))
    found.sort(key=lambda row: key(0, row), reverse=bool(arguments.get("reverse")))
    return _connection(found, arguments, key, down=bool(arguments.get("reverse")))


def _connection(rows: list[Node], arguments: Node, key: Callable[[int, Node], Any], *, down: bool = False) -> Node:
    keyed = [(key(index, row), row) for index, row in enumerate(rows)]
    if arguments.get("after"):
        place = json.loads(base64.b64decode(arguments["after"]))
        keyed = [(each, row) for each, row in keyed if (each < place if down else each > place)]
    size = arguments.get("first")
    page = keyed[:size]
    cursor = base64.b64encode(json.dumps(page[-1][0]).encode()).decode() if page else None
    return {
        "nodes": [row for _, row in page],
        "edges": [{"node": row} for _, row in page],
        "pageInfo": {"hasNextPage": size is not None and len(keyed) > size, "endCursor": cursor},
    }


@contextmanager
def served(shop: Shop) -> Iterator[str]:
    """The shop on a free local port, in a thread of its own; its URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(shop.handle, "127.0.0.1", 0), loop).result()
    shop.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield shop.url
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await server.wait_closed()
    # The transports that were closed go with the next turn of the loop.
    await asyncio.sleep(0)


@asynccontextmanager
async def connected(shop: Shop, slowest: float = 30.0, **credentials: str) -> AsyncIterator[ShopifyConnector]:
    """A connector to ``shop`` that does not hold itself back."""
    with served(shop) as url:
        given = {"shop": url, **(credentials or {"access_token": TOKEN})}
        base = ShopifyConnector.base_url(given)
        secrets = tuple(given.get(name, "") for name in ("access_token", "api_secret", "refresh_token"))
        session = Session(base, private_network=True, timeout=slowest, patience=10.0, secrets=secrets)
        session.throttle = Throttle(rate=1e6)
        try:
            yield ShopifyConnector(given, session)
        finally:
            await session.close()
