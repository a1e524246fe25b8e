"""A small Extensiv: lists that are filtered by RQL, sorted and cut as the vendor documents, over records that tests change.

As on the platform, dates have no zone, and the database keeps them in ticks of a 300th of a second, which a filter compares,
while milliseconds are shown. A parameter or a field that is misspelled is ignored there; here it fails the test.

Writes keep state: packages, routing, confirmations and lots of stock. They want the ETag of the record as it is now. What the
vendor leaves open is taken the harder way here: what a confirmation leaves out is erased from the order's routing.
"""

import base64
import copy
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from unicart.connectors.extensiv.client import ExtensivConnector
from unicart.connectors.kit import Session, Throttle, fingerprint

RELS = "http://api.3plCentral.com/rels/"
START = datetime.fromisoformat("2026-06-01T12:00:00")
TICK = timedelta(seconds=1) / 300
CLIENT, SECRET, USER = "client", "s3cret", "guysmiley"
ROLES = {
    "/orders": "OrderView",
    "/customers": "CustomerView",
    "/properties/facilities": "FacilityView",
    "/inventory/stocksummaries": "InventoryRead",
    "/inventory/adjustments": "InventoryRead",
    "/inventory/stockdetails": "InventoryDetailView",
}
WRITE_ROLES = {
    "packages": "OrderEdit",
    "routing": "OrderEdit",
    "confirmer": "OrderConfirm",
    "adjustments": "InventoryEdit",
}
LIMITS = {
    "orders": 1000,
    "items": 100,
    "customers": 100,
    "stocksummaries": 500,
    "facilities": 1000,
    "stockdetails": 500,
    "adjustments": 500,
}
PARAMETERS = {"pgsiz", "pgnum", "rql", "sort", "detail", "itemdetail", "customerid", "facilityid"}
HAL = "application/hal+json"
OF_ROUTING = {"trackingNumber", "trailerNumber", "sealNumber", "billOfLading", "loadNumber", "doorNumber", "pickupDate"}
TEXTS = {"readonly.referencenum"}
DATES = {"readonly.creationdate", "readonly.lastmodifieddate"}
PREDICATE = re.compile(r"([\w.]+)(==|!=|=gt=|=ge=|=lt=|=le=|=in=)(.+)")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda value, given: value == given,
    "!=": lambda value, given: value != given,
    "=gt=": lambda value, given: value > given,
    "=ge=": lambda value, given: value >= given,
    "=lt=": lambda value, given: value < given,
    "=le=": lambda value, given: value <= given,
    "=in=": lambda value, given: value in given,
}


class Refused(Exception):
    """An answer with an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


@dataclass
class Single:
    """A single record, whose version is told as well."""

    body: Any
    etag: str


@dataclass
class Scripted:
    """An answer that comes instead of the next one. A ``stall`` in seconds comes before it.

    A write is ``taken`` before that, or only ``passed`` on and answered as it is.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    stall: float = 0.0
    taken: bool = False
    passed: bool = False


@dataclass
class FakeExtensiv:
    """Its tables by id; dates in them are datetimes. ``after_request`` runs behind each list request.

    ``before_write`` runs between a write's arrival and its being looked at.
    """

    now: datetime = START
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    customers: dict[int, dict[str, Any]] = field(default_factory=dict)
    items: dict[int, dict[str, Any]] = field(default_factory=dict)
    facilities: dict[int, dict[str, Any]] = field(default_factory=dict)
    stock: list[dict[str, Any]] = field(default_factory=list)
    lots: list[dict[str, Any]] = field(default_factory=list)
    adjustments: list[dict[str, Any]] = field(default_factory=list)
    roles: set[str] = field(default_factory=lambda: {*ROLES.values(), *WRITE_ROLES.values(), "ItemView"})
    tokens: set[str] = field(default_factory=set)
    logins: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    scripted: list[Scripted] = field(default_factory=list)
    writes: list[tuple[str, str, Any]] = field(default_factory=list)
    scripted_writes: list[Scripted] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    after_request: Callable[[], None] = lambda: None
    before_write: Callable[[], None] = lambda: None
    url: str = ""

    @property
    def credentials(self) -> dict[str, str]:
        """What a connection to it needs."""
        return {"url": self.url, "client_id": CLIENT, "client_secret": SECRET, "user_login": USER}

    def tick(self, seconds: float = 1.0) -> datetime:
        """Let time pass, by whole ticks of the database, and tell the time."""
        later = self.now + max(timedelta(seconds=seconds), TICK)
        ticks = round(later.microsecond * 300 / 1e6)
        self.now = later.replace(microsecond=0) + timedelta(microseconds=round(ticks * 1e6 / 300))
        return self.now

    def place(self, customer: int = 4, **changes: Any) -> dict[str, Any]:
        """A new order of one line."""
        id = max(self.orders, default=100) + 1
        head = {
            "orderId": id,
            "fullyAllocated": False,
            "isClosed": False,
            "status": 0,
            "creationDate": self.now,
            "lastModifiedDate": self.now,
            "customerIdentifier": {"externalId": f"ext{customer}", "name": f"Customer {customer}", "id": customer},
            "facilityIdentifier": {"name": "Reno", "id": 2},
            "packages": [],
        }
        line = {
            "readOnly": {"orderItemId": id * 10, "fullyAllocated": False, "allocations": []},
            "itemIdentifier": {"sku": "MUG", "id": 7},
            "qty": 2.0,
        }
        order = {
            "readOnly": head,
            "referenceNum": f"R{id}",
            "shipTo": {"name": "Zoë Doe", "city": "Łódź", "country": "PL"},
            "_embedded": {f"{RELS}orders/item": [line]},
            **changes,
        }
        self.orders[id] = order
        return order

    def modify(self, order: dict[str, Any], **changes: Any) -> None:
        """Change an order's notes or the like."""
        order.update(changes)
        order["readOnly"]["lastModifiedDate"] = self.now

    def add_customer(self, id: int) -> None:
        """A new customer of the 3PL."""
        head = {"customerId": id, "creationDate": self.now, "deactivated": False}
        self.customers[id] = {"readOnly": head, "companyInfo": {"companyName": f"Customer {id} & Söhne"}}

    def add_item(self, id: int, customer: int = 4, *, dated: bool = True) -> dict[str, Any]:
        """A new item; a very old one may be without dates."""
        head = {
            "itemId": id,
            "customerIdentifier": {"name": f"Customer {customer}", "id": customer},
            "creationDate": self.now if dated else None,
            "lastModifiedDate": self.now if dated else None,
            "deactivated": False,
        }
        self.items[id] = {"itemId": id, "readOnly": head, "sku": f"SKU{id}", "description": f"Item {id}"}
        return self.items[id]

    def put_stock(self, item: int, facility: int, available: float) -> None:
        """Set what a facility has of an item."""
        self.stock = [row for row in self.stock if (row["itemIdentifier"]["id"], row["facilityId"]) != (item, facility)]
        self.stock.append(
            {
                "itemIdentifier": {"sku": f"SKU{item}", "id": item},
                "qualifier": "",
                "totalReceived": available + 5,
                "allocated": 5.0,
                "available": available,
                "onHold": 0.0,
                "onHand": available,
                "facilityId": facility,
            }
        )

    def receive(self, item: int, facility: int, available: float, **traits: Any) -> dict[str, Any]:
        """A new lot of an item in stock."""
        lot = {
            "receiveItemId": 9000 + len(self.lots),
            "itemIdentifier": {"sku": f"SKU{item}", "id": item},
            "qualifier": "",
            "received": available,
            "available": available,
            "isOnHold": False,
            "quarantined": False,
            "onHand": available,
            "facilityId": facility,
            **traits,
        }
        self.lots.append(lot)
        self.sum_up(item, facility)
        return lot

    def sum_up(self, item: int, facility: int) -> None:
        """Let the summary of the stock show what the lots are."""
        lots = [lot for lot in self.lots if (lot["itemIdentifier"]["id"], lot["facilityId"]) == (item, facility)]
        free = [lot["available"] for lot in lots if not lot["isOnHold"] and not lot["quarantined"]]
        self.put_stock(item, facility, sum(free))

    def add_facility(self, id: int, name: str) -> dict[str, Any]:
        """A new facility."""
        self.facilities[id] = {"facilityId": id, "name": name, "deactivated": False, "contact": {"city": name}}
        return self.facilities[id]

    def log_in(self, authorization: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer of the token server."""
        self.logins.append(body)
        pair = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if authorization != f"Basic {pair}":
            raise Refused(401, {"Message": "invalid_client: client not registered"})
        if body.get("user_login") != USER:
            raise Refused(400, {"error": "invalid_grant"})
        token = f"token{len(self.logins)}"
        self.tokens.add(token)
        return {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "refresh_token": None, "scope": None}

    def answer(self, path: str, asked: dict[str, str]) -> Any:
        """The answer to a GET."""
        self.requests.append((path, asked))
        if unknown := set(asked) - PARAMETERS:
            self.mistakes.append(f"{path}: {unknown}")
        role = "ItemView" if path.endswith("/items") else ROLES.get(path, "CustomerView")
        role = "OrderView" if path.startswith("/orders/") else role
        if role not in self.roles:
            raise Refused(403, {"ErrorCode": "NotAuthorized", "Hint": role})
        if match := re.fullmatch(r"/orders/(\d+)(/routing|/packages(?:/\d+)?)?", path):
            return self.single(self.orders[int(match[1])], match[2] or "", asked)
        if path == "/inventory/stockdetails":
            lots = [lot for lot in self.lots if lot["facilityId"] == int(asked["facilityid"])]
            lots = [lot for lot in lots if self.owner(lot["itemIdentifier"]["id"]) == int(asked["customerid"])]
            rows, total = self.listed(lots, asked, LIMITS["stockdetails"])
            return {"totalResults": total, **({"_embedded": {"item": rows}} if rows else {})}
        if path == "/inventory/adjustments":
            return self.embedded("inventory/adjustment", self.adjustments, asked, LIMITS["adjustments"])
        if path == "/inventory/stocksummaries":
            rows, total = self.listed(self.stock, asked, LIMITS["stocksummaries"], sortable=False)
            return {"totalResults": total, "summaries": rows}
        if match := re.fullmatch(r"/customers/(\d+)", path):
            return self.customers[int(match[1])]
        if match := re.fullmatch(r"/customers/(\d+)/items", path):
            owned = [row for row in self.items.values() if row["readOnly"]["customerIdentifier"]["id"] == int(match[1])]
            return self.embedded("customers/item", owned, asked, LIMITS["items"])
        name = path.rpartition("/")[2]
        table = {"orders": self.orders, "customers": self.customers, "facilities": self.facilities}[name]
        rel = {"orders": "orders/order", "customers": "customers/customer", "facilities": "properties/facility"}[name]
        return self.embedded(rel, list(table.values()), asked, LIMITS[name])

    def owner(self, item: int) -> int:
        """The customer of an item."""
        return int(self.items[item]["readOnly"]["customerIdentifier"]["id"])

    def single(self, order: dict[str, Any], part: str, asked: dict[str, str]) -> Single:
        """An order, or a part of it, with its version; only with `detail` it is shown whole."""
        if part == "/routing":
            body = {**order.get("routingInfo", {}), "_links": {"self": {"href": "/"}}}
        elif part:
            body = {"totalResults": len(order["readOnly"]["packages"])}
        else:
            shown = asked.get("detail") == asked.get("itemdetail") == "All"
            body = order if shown else {name: value for name, value in order.items() if name != "_embedded"}
        return Single(copy.deepcopy(body), etag(order))

    def write(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        """The answer to a write."""
        self.writes.append((method, path, body))
        self.before_write()
        if headers.get("content-type") != HAL:
            self.mistakes.append(f"{path}: sent as {headers.get('content-type')}")
        role = WRITE_ROLES[re.sub(r"/\d+$", "", path).rpartition("/")[2]]
        if role not in self.roles:
            raise Refused(403, {"$type": f"{EXCEPTIONS}.AuthorizationException", "ErrorCode": "NotAuthorized"})
        if path == "/inventory/adjustments":
            return self.adjust(body)
        match = re.fullmatch(r"/orders/(\d+)/(\w+)(?:/(\d+))?", path)
        assert match is not None
        order = self.orders[int(match[1])]
        if "if-match" not in headers:
            raise Refused(428, None)
        if headers["if-match"] != etag(order):
            raise Refused(412, None)
        if order["readOnly"]["status"] != 0:
            code = {1: "OrderConfirmed", 2: "OrderCanceled"}[order["readOnly"]["status"]]
            raise operation(code, f"Order {match[1]} cannot be changed")
        if (method, match[2]) == ("POST", "packages"):
            answer = self.pack(order, body)
        elif (method, match[2]) == ("DELETE", "packages"):
            packages = order["readOnly"]["packages"]
            packages[:] = [each for each in packages if each["packageId"] != int(match[3])]
            answer = None
        elif (method, match[2]) == ("PUT", "routing"):
            if "_links" in body:
                self.mistakes.append("routing: _links are sent back")
            order["routingInfo"] = body
            answer = body
        else:
            assert (method, match[2]) == ("POST", "confirmer")
            self.confirm(order, body)
            answer = None
        self.tick()
        order["readOnly"]["lastModifiedDate"] = self.now
        return answer

    def pack(self, order: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """A new package. What is in it must be in the order, and in no other."""
        self.check_fields(body, {"trackingNumber", "description", "_embedded"})
        packages = order["readOnly"]["packages"]
        left = {line["readOnly"]["orderItemId"]: line["qty"] for line in order["_embedded"][f"{RELS}orders/item"]}
        for each in packages:
            for content in each["packageContents"]:
                left[content["orderItemId"]] -= content["qty"]
        contents = body["_embedded"][f"{RELS}orders/packagecontent"]
        for content in contents:
            self.check_fields(content, {"orderItemId", "qty"})
            if not 0 < content["qty"] <= left[content["orderItemId"]]:
                name = {"Name": "Qty", "Value": str(content["qty"])}
                hint = {"Properties": [name], "ErrorCode": "Incompatible", "Hint": "More is packed than is ordered"}
                raise Refused(400, {"$type": f"{EXCEPTIONS}.ModelValidationException", **hint})
        id = 7000 + max((each["packageId"] - 7000 for each in packages), default=order["readOnly"]["orderId"] * 10) + 1
        made = {
            "packageId": id,
            "packageTypeId": 2,
            "trackingNumber": body.get("trackingNumber", ""),
            "description": body.get("description", ""),
            "createDate": self.now,
            "packageContents": [
                {"packageContentId": id * 10 + number, "packageId": id, "receiveItemId": 1, **content}
                for number, content in enumerate(contents)
            ],
        }
        packages.append(made)
        order["readOnly"]["packStarted"] = True
        return made

    def confirm(self, order: dict[str, Any], body: dict[str, Any]) -> None:
        """The order is shipped."""
        self.check_fields(body, OF_ROUTING | {"confirmDate", "recalcAutoCharges"})
        head = order["readOnly"]
        if head.get("onHoldDate"):
            raise operation("OnHold", "The order is on hold")
        if not head["fullyAllocated"]:
            raise operation("NotFullyAllocated", "The order is not fully allocated")
        date = datetime.fromisoformat(body["confirmDate"]) if "confirmDate" in body else self.now
        if date > self.now:
            raise operation("DateInFuture", "ConfirmDate is in the future")
        kept = {name: value for name, value in order.get("routingInfo", {}).items() if name not in OF_ROUTING}
        order["routingInfo"] = {**kept, **{name: body[name] for name in OF_ROUTING & set(body)}}
        head.update(status=1, isClosed=True, processDate=date)

    def adjust(self, body: dict[str, Any]) -> dict[str, Any]:
        """Lots rise by new ones, and fall by what is taken of each; all or nothing."""
        self.check_fields(
            body,
            {
                "referenceNum",
                "customerId",
                "facilityId",
                "notes",
                "transactionEntryType",
                "warehouseTransactionSourceType",
                "_embedded",
            },
        )
        items = body["_embedded"]["item"]
        lots = {lot["receiveItemId"]: lot for lot in self.lots}
        for item in items:
            if item["qty"] < 0 and lots[item["receiveItemId"]]["available"] + item["qty"] < 0:
                raise operation("Unallocated", "Not enough inventory available")
            known = {
                "qty",
                "itemIdentifier",
                "qualifier",
                "lotNumber",
                "serialNumber",
                "expirationDate",
                "locationInfo",
            }
            self.check_fields(item, {"qty", "receiveItemId"} if item["qty"] < 0 else known)
            product = self.items[item["itemIdentifier"]["id"]] if item["qty"] > 0 else {}
            if product.get("trackLotNumber") == 2 and not item.get("lotNumber"):
                name = {"Name": "LotNumber", "Value": None}
                hint = {"Properties": [name], "ErrorCode": "Required", "Hint": "LotNumber is required"}
                raise Refused(400, {"$type": f"{EXCEPTIONS}.ModelValidationException", **hint})
        touched = set()
        for item in items:
            if item["qty"] < 0:
                lot = lots[item["receiveItemId"]]
                lot["available"] += item["qty"]
                lot["onHand"] += item["qty"]
                touched.add(lot["itemIdentifier"]["id"])
            else:
                traits = {name: value for name, value in item.items() if name not in {"qty", "itemIdentifier"}}
                self.receive(item["itemIdentifier"]["id"], body["facilityId"], item["qty"], **traits)
        for id in touched:
            self.sum_up(id, body["facilityId"])
        head = {
            "adjustmentId": 500 + len(self.adjustments),
            "referenceNum": body["referenceNum"],
            "notes": body.get("notes", ""),
            "customerIdentifier": {"id": body["customerId"]},
            "facilityIdentifier": {"id": body["facilityId"]},
            "creationDate": self.now,
        }
        self.adjustments.append({"readOnly": head})
        return self.adjustments[-1]

    def check_fields(self, body: dict[str, Any], known: set[str]) -> None:
        """Nothing may be sent that the vendor does not document."""
        if unknown := set(body) - known:
            self.mistakes.append(f"fields {unknown}")

    def embedded(self, rel: str, rows: list[dict[str, Any]], asked: dict[str, str], limit: int) -> Any:
        """A list in HAL; without any records it has no list of them."""
        found, total = self.listed(rows, asked, limit)
        if rel == "orders/order" and asked.get("detail") != "All":
            found = [{name: value for name, value in row.items() if name != "_embedded"} for row in found]
        return {"totalResults": total, **({"_embedded": {RELS + rel: found}} if found else {})}

    def listed(
        self, rows: list[dict[str, Any]], asked: dict[str, str], limit: int, *, sortable: bool = True
    ) -> tuple[list[dict[str, Any]], int]:
        size, number = int(asked["pgsiz"]), int(asked["pgnum"])
        if not 0 < size <= limit:
            raise Refused(400, {"Parameters": ["pgsiz"], "ErrorCode": "NotParsable"})
        predicates = [each for each in asked.get("rql", "").split(";") if each]
        kept = [row for row in rows if all(_holds(row, each) for each in predicates)]
        if sortable:
            for name in reversed([each for each in asked.get("sort", "").split(",") if each]):
                kept.sort(key=lambda row: _sort_key(row, name.lstrip("-")), reverse=name.startswith("-"))
        return copy.deepcopy(kept[(number - 1) * size : number * size]), len(kept)


EXCEPTIONS = "WMS.V2.Generic.Models.Exceptions"


def operation(code: str, hint: str) -> Refused:
    """A refusal because of a record's state."""
    kind = f"{EXCEPTIONS}.OperationException, WMS.V2.Generic.Models"
    return Refused(403, {"$type": kind, "ActionNameType": 0, "ActionName": "x", "ErrorCode": code, "Hint": hint})


def etag(record: dict[str, Any]) -> str:
    """The version of a record; any change makes another one."""
    return f'"{fingerprint(json.dumps(record, default=str))}"'


def _holds(row: dict[str, Any], predicate: str) -> bool:
    match = PREDICATE.fullmatch(predicate)
    if match is None:
        raise Refused(400, {"Parameters": ["rql"], "ErrorCode": "NotParsable", "Hint": predicate})
    name, operator, text = match[1].lower(), match[2], match[3]
    value = _property(row, name)
    if operator == "=in=":
        return value in [int(each) for each in text.strip("()").split(",")]
    given: Any = datetime.fromisoformat(text) if name in DATES else text if name in TEXTS else int(text)
    return value is not None and COMPARE[operator](value, given)


def _property(row: dict[str, Any], path: str) -> Any:
    """A property by its dotted name in whichever case; stock knows its item as `itemid` besides."""
    if path == "itemid":
        path = "itemidentifier.id"
    value: Any = row
    for name in path.split("."):
        fields = {key.lower(): each for key, each in value.items()}
        if name not in fields:
            raise Refused(400, {"ErrorCode": "NotParsable", "Hint": f"Properties not supported: {path}"})
        value = fields[name]
    return value


def _sort_key(row: dict[str, Any], name: str) -> Any:
    """As databases do, what has no value comes first."""
    value = _property(row, name)
    return (value is not None, value or 0) if value is None or isinstance(value, int) else (True, value)


def _shown(value: Any) -> str:
    """A date as .NET writes it: without zone, and without trailing zeros in its milliseconds."""
    assert isinstance(value, datetime)
    text = value.isoformat(timespec="milliseconds")
    return text.rstrip("0").rstrip(".") if "." in text else text


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        asked = self.read()
        if urlsplit(self.path).path == "/AuthServer/api/Token":
            return self.reply(lambda: self.server.fake.log_in(self.headers.get("authorization", ""), asked))
        return self.write("POST", asked)

    def do_PUT(self) -> None:
        self.write("PUT", self.read())

    def do_DELETE(self) -> None:
        self.write("DELETE", self.read())

    def read(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"null")

    def write(self, method: str, asked: Any) -> None:
        fake = self.server.fake
        scripted = fake.scripted_writes.pop(0) if fake.scripted_writes else Scripted(passed=True)
        if not scripted.passed and not scripted.taken:
            return self.send(scripted)
        if self.headers.get("authorization", "").removeprefix("Bearer ") not in fake.tokens:
            return self.send(Scripted(401, b'{"Message": "Authorization has been denied for this request."}'))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if scripted.taken:
            fake.write(method, self.path, asked, headers)
            return self.send(scripted)
        return self.reply(lambda: fake.write(method, self.path, asked, headers))

    def do_GET(self) -> None:
        fake = self.server.fake
        parts = urlsplit(self.path)
        if fake.scripted:
            return self.send(fake.scripted.pop(0))
        if self.headers.get("authorization", "").removeprefix("Bearer ") not in fake.tokens:
            return self.send(Scripted(401, b'{"Message": "Authorization has been denied for this request."}'))
        if self.headers.get("accept") != "application/hal+json":
            fake.mistakes.append(f"{parts.path}: accepts {self.headers.get('accept')}")
        self.reply(lambda: fake.answer(parts.path, dict(parse_qsl(parts.query))))
        return fake.after_request()

    def reply(self, answer: Callable[[], Any]) -> None:
        headers = {}
        try:
            status, body = 200, answer()
            if isinstance(body, Single):
                body, headers = body.body, {"etag": body.etag}
        except Refused as refused:
            status, body = refused.status, refused.body
        except Exception as error:
            self.server.fake.mistakes.append(f"{self.path}: {error!r}")
            status, body = 404, {}
        shown = json.dumps(body, default=_shown, ensure_ascii=False).encode()
        self.send(Scripted(status, b"" if body is None else shown, headers))

    def send(self, scripted: Scripted) -> None:
        time.sleep(scripted.stall)
        self.send_response(scripted.status)
        for name, value in {"content-length": str(len(scripted.body)), **scripted.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(scripted.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    fake: FakeExtensiv

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is none of our business."""


@contextmanager
def serving() -> Iterator[FakeExtensiv]:
    """A fake on a free local port; in the end it must not have seen a request that the vendor does not document."""
    fake = FakeExtensiv()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.fake = fake
        fake.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
    assert fake.mistakes == []


@asynccontextmanager
async def connected(
    fake: FakeExtensiv, *, patience: float = 20.0, slowest: float = 20.0, **credentials: str
) -> AsyncIterator[ExtensivConnector]:
    """A connector to ``fake`` that does not hold itself back."""
    given = {**fake.credentials, **credentials}
    base = ExtensivConnector.base_url(given)
    connector = ExtensivConnector(given, Session(base, private_network=True, patience=patience, timeout=slowest))
    connector.session.throttle = Throttle(rate=1e6)
    try:
        yield connector
    finally:
        await connector.session.close()
