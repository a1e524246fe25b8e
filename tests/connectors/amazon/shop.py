"""A small Amazon: login, searches that are cut into pages, roles and usage plans, over orders that tests change meanwhile.

Shipments and levels of stock are taken as Amazon takes them, and shown as late as ``shown_after`` says.

What it is asked and what it answers is validated against Amazon's own models, where they are at hand. Amazon documents no order
of results, so that tests choose one. Pages behind a token are cut by offset, the worst that there is.
"""

import asyncio
import json
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from connectors.amazon import models
from connectors.amazon.builders import US, buyer, listing, order, package, recipient, text
from connectors.kit.server import Request, _read_request, answer
from unicart.connectors.amazon.client import AmazonConnector
from unicart.connectors.kit import Session, Throttle

CREDENTIALS = {
    "client_id": "amzn1.application-oa2-client.1",
    "client_secret": "amzn1.oa2-cs.v1.secret",
    "refresh_token": "Atzr|refresh",
    "seller_id": "A1EXAMPLE",
    "region": "na",
}
SHIP_PLUS = "FBM_SHIP_PLUS"
RESTRICTED = {"BUYER": "buyer", "RECIPIENT": "recipient", "TAX": "tax", "PAYMENT": "payment"}
DENIED = {"code": "Unauthorized", "message": "Access to requested resource is denied.", "details": ""}
EXPIRED = DENIED | {"details": "The access token you provided has expired."}
REVOKED = DENIED | {"details": "The access token you provided is revoked, malformed or invalid."}


@dataclass
class FakeAmazon:
    """``now`` is its clock. ``arranged`` is the order of its results: ``ascending``, ``descending``, ``shuffled``, or
    by date of creation whatever is searched for: ``created``.

    ``rates`` and ``buckets`` are the usage plans by operation; without a bucket there is no limit. ``withheld`` are the roles that
    the application lacks: ``restricted`` (silently, or with 403 if ``strict``), or an operation.

    What is written is shown after so many looks at a single record as ``shown_after`` says. ``faults`` are the next one of an
    operation: it breaks off ``before`` or ``after`` it is carried out, or answers ``503``. ``packed`` are the units of each
    package of an order, shown or not; ``bodies`` what was written, refused or not.
    """

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    arranged: str = "ascending"
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    listings: dict[str, dict[str, Any]] = field(default_factory=dict)
    marketplaces: list[str] = field(default_factory=lambda: [US])
    rates: dict[str, str] = field(default_factory=dict)
    buckets: dict[str, float] = field(default_factory=dict)
    withheld: set[str] = field(default_factory=set)
    strict: bool = False
    tells_bound: bool = True
    shown_after: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    unshown: list[Callable[[], None]] = field(default_factory=list)
    packed: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    bodies: list[tuple[str, Any]] = field(default_factory=list)
    tokens: dict[str, tuple[str, int]] = field(default_factory=dict)
    good_tokens: set[str] = field(default_factory=set)
    refresh_token: str = CREDENTIALS["refresh_token"]
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    logins: list[dict[str, str]] = field(default_factory=list)
    after_request: Callable[[], None] = lambda: None
    url: str = ""

    def tick(self, seconds: float = 1.0) -> datetime:
        """Let time pass, and tell the time."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def place(self, number: int, at: datetime | None = None, **fields: Any) -> dict[str, Any]:
        """A new order, with buyer and address."""
        placed = at or self.now
        id = f"111-{number:07}-{number:07}"
        people = {"buyer": buyer(), "recipient": recipient()}
        self.orders[id] = order(id, **{"created": placed, **people, **fields})
        return self.orders[id]

    def change(self, made: dict[str, Any], status: str = "SHIPPED") -> None:
        """Change an order now."""
        made["fulfillment"]["fulfillmentStatus"] = status
        made["lastUpdatedTime"] = text(self.now)

    def offer(self, sku: str, at: datetime | None = None, **fields: Any) -> dict[str, Any]:
        """A new listing."""
        self.listings[sku] = listing(sku, created=at or self.now, **fields)
        return self.listings[sku]

    def expire(self) -> None:
        """End every access token."""
        self.good_tokens.clear()

    def asked(self, operation: str) -> list[dict[str, str]]:
        """The parameters of each request of an operation."""
        return [given for name, given in self.requests if name == operation]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, one request."""
        try:
            request = await _read_request(reader)
            answered = self._answer(request)
            if answered is not None:
                writer.write(answered)
            await writer.drain()
        finally:
            writer.close()
        self.after_request()

    def _answer(self, request: Request) -> bytes | None:
        """What is answered; null if the connection breaks off."""
        parts = urlsplit(request.target)
        if parts.path == "/auth/o2/token":
            return self._login(json.loads(request.body))
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        operation, id = _operation(request.method, parts.path)
        self.requests.append((operation, given))
        if request.headers.get("x-amz-access-token") not in self.good_tokens:
            return _errors(403, EXPIRED if request.headers.get("x-amz-access-token") else REVOKED)
        if self.buckets.get(operation, 1) < 1:
            return _errors(
                429, {"code": "QuotaExceeded", "message": "You exceeded your quota for the requested resource."}
            )
        if operation in self.buckets:
            self.buckets[operation] -= 1
        asks = set(given.get("includedData", "").split(","))
        if operation in self.withheld or (self.strict and "restricted" in self.withheld and asks & set(RESTRICTED)):
            return _errors(403, DENIED)
        fault = self.faults.pop(operation, None)
        if fault == "503":
            return _errors(503, {"code": "InternalFailure", "message": "Try again."})
        if fault == "before":
            return None
        if request.body:
            answered = self._written(operation, id, given, json.loads(request.body))
        else:
            answered = self._served(operation, id, given)
        return None if fault == "after" else answered

    def _written(self, operation: str, id: str, given: dict[str, str], body: Any) -> bytes:
        self.bodies.append((operation, body))
        models.check_body(operation, body)
        if operation == "patchListingsItem":
            models.check_question(operation, given)
            found = self._patch(self.listings[id], body)
            models.check_answer(operation, found)
            return answer(200, json.dumps(found).encode())
        problem = self._confirm(self.orders[id], body["packageDetail"])
        return answer(204, b"") if problem is None else _errors(400, {"code": "InvalidInput", "message": problem})

    def _confirm(self, order: dict[str, Any], detail: dict[str, Any]) -> str | None:
        """Take a package of an order, or change one; what is wrong with it, if anything."""
        number, packed = detail["packageReferenceId"], self.packed.setdefault(order["orderId"], {})
        if not number.isdigit() or int(number) < 1:
            return "PackageReferenceId: is invalid, must be a positive numeric value."
        if detail["carrierCode"] == "Other" and not detail.get("carrierName"):
            return "carrierName is needed with the carrierCode Other."
        units = {each["orderItemId"]: each["quantity"] for each in detail["orderItems"]}
        others = [each for name, each in packed.items() if name != number]
        ordered = {each["orderItemId"]: each["quantityOrdered"] for each in order["orderItems"]}
        over = [id for id in units if units[id] + sum(each.get(id, 0) for each in others) > ordered.get(id, 0)]
        if over or SHIP_PLUS in order.get("programs", []):
            return f"The order cannot be confirmed: {', '.join(over)}"
        packed[number] = units
        self._show_later(lambda: self._show_package(order, detail))
        return None

    def _show_package(self, order: dict[str, Any], detail: dict[str, Any]) -> None:
        number = detail["packageReferenceId"]
        made = package(number, "PENDING", *self.packed[order["orderId"]][number].items())
        carrier = detail["carrierCode"] if detail["carrierCode"] != "Other" else detail["carrierName"]
        made |= {"carrier": carrier, "trackingNumber": detail["trackingNumber"], "shipTime": detail["shipDate"]}
        made |= {"createdTime": text(self.now), "shippingService": detail.get("shippingMethod", "")}
        order["packages"] = [
            *(each for each in order.get("packages", []) if each["packageReferenceId"] != number),
            made,
        ]
        left = 0
        for each in order["orderItems"]:
            shipped = sum(
                item["quantity"]
                for known in order["packages"]
                for item in known["packageItems"]
                if item["orderItemId"] == each["orderItemId"]
            )
            open_units = each["quantityOrdered"] - shipped
            each["fulfillment"] = {"quantityFulfilled": shipped, "quantityUnfulfilled": open_units}
            left += open_units
        self.change(order, "PARTIALLY_SHIPPED" if left else "SHIPPED")

    def _patch(self, listing: dict[str, Any], body: Any) -> dict[str, Any]:
        """Merge levels of stock into a listing, by channel."""
        (patch,) = body["patches"]
        assert (patch["op"], patch["path"]) == ("merge", "/attributes/fulfillment_availability")
        made = {"sku": listing["sku"], "status": "ACCEPTED", "submissionId": f"s{len(self.bodies)}", "issues": []}
        if body["productType"] not in ("PRODUCT", listing["summaries"][0]["productType"]):
            issue = {
                "code": "90000900",
                "message": "The product type is another.",
                "severity": "ERROR",
                "categories": [],
            }
            return made | {"status": "INVALID", "issues": [issue]}
        for value in patch["value"]:
            channel, quantity = value["fulfillment_channel_code"], value["quantity"]
            self._show_later(partial(_set_level, listing, channel, quantity))
        return made

    def _show_later(self, show: Callable[[], None]) -> None:
        self.unshown.append(show)
        if not self.shown_after:
            self.show()

    def show(self) -> None:
        """Show everything that was written."""
        for show in self.unshown:
            show()
        self.unshown.clear()
        self.shown_after = 0

    def _served(self, operation: str, id: str, given: dict[str, str]) -> bytes:
        if operation in models.ANSWERS:
            models.check_question(operation, given)
        found = self._found(operation, id, given)
        if found is None:
            return _errors(404, {"code": "NotFound", "message": "The resource does not exist."})
        if isinstance(found, bytes):
            return found
        if operation in models.ANSWERS:
            models.check_answer(operation, found)
        return answer(200, json.dumps(found).encode(), x_amzn_RateLimit_Limit=self.rates.get(operation, "1e6"))

    def _found(self, operation: str, id: str, given: dict[str, str]) -> Any:
        if operation == "getMarketplaceParticipations":
            return {"payload": [_participation(each) for each in self.marketplaces]}
        if operation == "searchOrders":
            return self._search_orders(given)
        if operation == "searchListingsItems":
            return self._search_listings(given)
        if self.unshown and operation in ("getOrder", "getListingsItem"):
            self.shown_after -= 1
            if self.shown_after < 0:
                self.show()
        if operation == "getOrder":
            return {"order": self._shown(self.orders[id], given)} if id in self.orders else None
        return self.listings.get(id)

    def _login(self, given: dict[str, str]) -> bytes:
        self.logins.append(given)
        known = {name: CREDENTIALS[name] for name in ("client_id", "client_secret")}
        if {name: given.get(name) for name in known} != known:
            return answer(401, b'{"error":"invalid_client","error_description":"Client authentication failed"}')
        proof = {"refresh_token": self.refresh_token, "authorization_code": "ANcode"}[given["grant_type"]]
        if proof not in (given.get("refresh_token"), given.get("code")):
            return answer(
                400, b'{"error":"invalid_grant","error_description":"The request has an invalid grant parameter"}'
            )
        token = f"Atza|{len(self.logins)}"
        self.good_tokens.add(token)
        made = {"access_token": token, "token_type": "bearer", "expires_in": 3600, "refresh_token": self.refresh_token}
        return answer(200, json.dumps(made).encode())

    def _search_orders(self, given: dict[str, str]) -> Any:
        kind = "created" if "createdAfter" in given else "lastUpdated"
        other = "lastUpdated" if kind == "created" else "created"
        if f"{kind}After" not in given or any(name.startswith(other) for name in given):
            return _errors(400, {"code": "InvalidInput", "message": "exactly one of createdAfter and lastUpdatedAfter"})
        settled = self.now - timedelta(minutes=2)
        before = datetime.fromisoformat(given.get(f"{kind}Before", text(settled)))
        if before > settled:
            return _errors(400, {"code": "InvalidInput", "message": f"{kind}Before is less than two minutes ago"})
        after = datetime.fromisoformat(given[f"{kind}After"])
        wanted = given["marketplaceIds"].split(",")
        kept = [
            (_at(each, f"{kind}Time"), each["orderId"], each)
            for each in self.orders.values()
            if each["salesChannel"]["marketplaceId"] in wanted and after <= _at(each, f"{kind}Time") <= before
        ]
        page = self._page(self._arranged(kept), given, "paginationToken", int(given["maxResultsPerPage"]))
        if page is None:
            return _errors(
                400, {"code": "InvalidInput", "message": "The paginationToken you have submitted is not valid."}
            )
        records, pagination = page
        found: dict[str, Any] = {"orders": [self._shown(each, given) for each in records]} | pagination
        if self.tells_bound:
            found[f"{kind}Before"] = text(before)
        return found

    def _search_listings(self, given: dict[str, str]) -> Any:
        date = given["sortBy"]
        after = datetime.fromisoformat(given[date.replace("Date", "After")])
        before = datetime.fromisoformat(given.get(date.replace("Date", "Before"), text(self.now)))
        kept = [
            (_at(each["summaries"][0], date), each["sku"], each)
            for each in self.listings.values()
            if after <= _at(each["summaries"][0], date) <= before
        ]
        page = self._page(sorted(kept, key=lambda row: row[:2])[:1000], given, "pageToken", int(given["pageSize"]))
        assert page is not None
        return {"numberOfResults": len(kept), "items": page[0]} | page[1]

    def _arranged(self, rows: list[Any]) -> list[Any]:
        rows = sorted(rows, key=lambda row: row[:2], reverse=self.arranged == "descending")
        if self.arranged == "created":
            rows.sort(key=lambda row: _at(row[-1], "createdTime"))
        if self.arranged == "shuffled":
            random.Random(7).shuffle(rows)
        return rows

    def _page(
        self, rows: list[Any], given: dict[str, str], name: str, size: int
    ) -> tuple[list[Any], dict[str, Any]] | None:
        """A page, and the pagination behind it; null if the token is of another search, or has expired."""
        search = json.dumps({key: value for key, value in sorted(given.items()) if key != name})
        begun, start = self.tokens.get(given[name], ("", 0)) if name in given else (search, 0)
        if begun != search:
            return None
        records = [row[-1] for row in rows[start : start + size]]
        if start + size >= len(rows):
            return records, {}
        token = f"token+{len(self.tokens)}/="
        self.tokens[token] = (search, start + size)
        return records, {"pagination": {"nextToken": token}}

    def _shown(self, made: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
        asks = set(given.get("includedData", "").split(","))
        data = {"proceeds": "PROCEEDS", "fulfillment": "FULFILLMENT", "packages": "PACKAGES"}
        data |= {name: each for each, name in RESTRICTED.items()}
        hidden = {name for name, each in data.items() if each not in asks}
        shown = {name: value for name, value in made.items() if name not in hidden}
        if "restricted" in self.withheld:
            shown.pop("buyer", None)
        if "restricted" in self.withheld and "recipient" in shown:
            address = shown["recipient"]["deliveryAddress"]
            open_parts = {name: address[name] for name in ("city", "stateOrRegion", "countryCode")}
            shown["recipient"] = {"deliveryAddress": open_parts}
        return shown


def _set_level(listing: dict[str, Any], channel: str, quantity: int) -> None:
    known = listing["fulfillmentAvailability"]
    made = next((each for each in known if each["fulfillmentChannelCode"] == channel), None)
    if made is None:
        known.append({"fulfillmentChannelCode": channel, "quantity": quantity})
    else:
        made["quantity"] = quantity


def _operation(method: str, path: str) -> tuple[str, str]:
    _, root, _, *rest = unquote(path).split("/", 4)
    if root == "sellers":
        return "getMarketplaceParticipations", ""
    if method == "POST":
        id, _, last = rest[1].partition("/")
        assert (root, last) == ("orders", "shipmentConfirmation")
        return "confirmShipment", id
    if root == "orders":
        return ("getOrder", rest[1]) if len(rest) > 1 else ("searchOrders", "")
    seller, _, sku = rest[1].partition("/")
    assert seller == CREDENTIALS["seller_id"]
    if method == "PATCH":
        return "patchListingsItem", sku
    return ("getListingsItem", sku) if sku else ("searchListingsItems", "")


def _participation(id: str) -> dict[str, Any]:
    marketplace = {
        "id": id,
        "name": "Amazon.com",
        "countryCode": "US",
        "defaultCurrencyCode": "USD",
        "defaultLanguageCode": "en_US",
        "domainName": "www.amazon.com",
    }
    participation = {"isParticipating": True, "hasSuspendedListings": False}
    return {"marketplace": marketplace, "participation": participation, "storeName": "Zoë's Mugs"}


def _at(record: dict[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(record[name])


def _errors(status: int, error: dict[str, str]) -> bytes:
    return answer(status, json.dumps({"errors": [error]}).encode())


def credentials_for(url: str) -> dict[str, str]:
    """The credentials of a connection to the fake at ``url``."""
    return CREDENTIALS | {"endpoint": url, "login_url": f"{url}/auth/o2/token"}


def connector_of(
    url: str, changed: Mapping[str, str] | None = None, *, patience: float = 45.0, timeout: float = 30.0
) -> AmazonConnector:
    """A connector to the server at ``url``, with some credentials ``changed``."""
    given = credentials_for(url) | dict(changed or {})
    session = Session(
        AmazonConnector.base_url(given),
        secrets=(given["client_secret"], given["refresh_token"]),
        private_network=True,
        patience=patience,
        timeout=timeout,
        throttle=Throttle(rate=1e6),
    )
    return AmazonConnector(given, session)


@asynccontextmanager
async def fake_amazon(**settings: Any) -> AsyncIterator[tuple[FakeAmazon, AmazonConnector]]:
    """A fake on a free local port, and a connector to it."""
    fake = FakeAmazon(**settings)
    server = await asyncio.start_server(fake.handle, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    connector = connector_of(fake.url)
    try:
        yield fake, connector
    finally:
        await connector.session.close()
        server.close()
        await server.wait_closed()


@contextmanager
def amazon_in_a_thread() -> Iterator[FakeAmazon]:
    """A fake in a thread of its own, for tests of the whole product."""
    fake, started, loop = FakeAmazon(), threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        server = await asyncio.start_server(fake.handle, "127.0.0.1", 0)
        fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        async with server:
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(10)
        yield fake
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
