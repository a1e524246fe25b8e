"""A Medusa that takes writes, as the real one does: it checks bodies and quantities, and keeps what it is told."""

import copy
import itertools
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import msgspec

import unicart.connectors.medusa
from unicart.connectors.kit import Session, Throttle
from unicart.connectors.medusa.client import MedusaConnector
from unicart.contract.orders import Order
from unicart.contract.products import Product
from unicart.contract.resources import Function

FIXTURES = Path(unicart.connectors.medusa.__file__).parent / "fixtures"
NOW = "2026-11-26T10:00:00.000Z"
CENT = Decimal("0.01")
MUG, POSTER = "ordli_01M84ZFFF15HSHYBR2NAX994D3", "ordli_01M84ZFFF1EN5D6856WH6YNTNP"
NORTH, SOUTH = "sloc_01M84ZEZ10C53H1A59HJFCV584", "sloc_01M84ZEZDWDAZAV2ZD1RNK0H04"
REASON = {"id": "refr_1", "label": "Damaged", "code": "damaged"}


class ItemBody(msgspec.Struct):
    id: str
    quantity: int


class FulfillmentBody(msgspec.Struct, forbid_unknown_fields=True):
    items: list[ItemBody]
    location_id: str | None = None
    shipping_option_id: str = ""
    no_notification: bool = False
    metadata: dict[str, Any] | None = None


class LabelBody(msgspec.Struct, forbid_unknown_fields=True):
    tracking_number: str
    tracking_url: str
    label_url: str


class ShipmentBody(msgspec.Struct, forbid_unknown_fields=True):
    items: list[ItemBody]
    labels: list[LabelBody] = []
    no_notification: bool = False


class OrderBody(msgspec.Struct, forbid_unknown_fields=True):
    metadata: dict[str, Any]


class RefundBody(msgspec.Struct, forbid_unknown_fields=True):
    amount: Decimal
    note: str = ""
    refund_reason_id: str | None = None


class LevelBody(msgspec.Struct, forbid_unknown_fields=True):
    stocked_quantity: Decimal
    location_id: str | None = None


class Refusal(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, message: str, kind: str = "invalid_data") -> None:
        super().__init__(message)
        self.status, self.body = status, {"type": kind, "message": message}


class Shop:
    """One paid order of 7 mugs and 3 posters for 93.001025 USD, and products with stock at two locations.

    ``before`` is called with each request that writes: it may change the shop, raise what the network does, or refuse.
    ``after`` is the same once the shop has done it.
    """

    def __init__(self) -> None:
        orders = json.loads((FIXTURES / "get_orders.json").read_text(encoding="utf-8"))["records"]
        self.order = next(order for order in orders if order["email"].startswith("cancelled-fulfilment@"))
        self.order["fulfillments"] = []
        payment = self.order["payment_collections"][0]["payments"][0]
        payment["captures"] = [{"id": "capt_1", "amount": payment["amount"]}]
        products = json.loads((FIXTURES / "get_products.json").read_text(encoding="utf-8"))["records"]
        self.products = [record["product"] for record in products]
        self.reserved = dict.fromkeys((MUG, POSTER), NORTH)
        self.kits: dict[str, dict[str, int]] = {}
        self.changes: list[Any] = []
        self.asked: list[tuple[str, str]] = []
        self.written: list[tuple[str, Any]] = []
        self.headers: Mapping[str, str] = {}
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        self._numbers = itertools.count(1)

    @property
    def id(self) -> str:
        return str(self.order["id"])

    @property
    def payments(self) -> list[Any]:
        return [payment for collection in self.order["payment_collections"] for payment in collection["payments"]]

    def raw(self) -> bytes:
        """The order as `fetch` would give it."""
        return json.dumps(self.order).encode()

    def unified(self) -> Order:
        """The order as records show it."""
        (order,) = MedusaConnector.map(Function.GET_ORDERS, self.raw())
        assert isinstance(order, Order)
        return order

    def raw_product(self, variant: str) -> bytes:
        product = next(each for each in self.products if variant in [v["id"] for v in each["variants"]])
        return json.dumps({"id": product["id"], "currency_code": "usd", "product": product}).encode()

    def stock(self, variant: str) -> dict[str, int]:
        """What records show of a variant's stock."""
        found = MedusaConnector.map(Function.GET_PRODUCTS, self.raw_product(variant))
        product = next(each for each in found if each.id == variant)
        assert isinstance(product, Product)
        return product.inventory_by_warehouse_id or {}

    def variant(self, sku: str) -> Any:
        return next(each for product in self.products for each in product["variants"] if each["sku"] == sku)

    def pay(self, *amounts: float) -> None:
        """Have the order paid by payments of these amounts."""
        template = self.payments[0]
        self.order["payment_collections"][0]["payments"] = [
            {**template, "id": f"pay_{number}", "amount": amount, "captures": [{"amount": amount}], "refunds": []}
            for number, amount in enumerate(amounts)
        ]

    def pack(self, lines: Mapping[str, int], location: str = NORTH) -> str:
        """What the merchant packs in Medusa."""
        body = FulfillmentBody([ItemBody(id, quantity) for id, quantity in lines.items()], location)
        self._fulfill(body)
        return str(self.order["fulfillments"][-1]["id"])

    def packed(self) -> list[dict[str, int]]:
        """The lines of each fulfilment that is not cancelled."""
        live = [each for each in self.order["fulfillments"] if not each["canceled_at"]]
        return [{item["line_item_id"]: item["quantity"] for item in each["items"]} for each in live]

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.asked.append((request.method, path))
        try:
            if request.method == "GET":
                return httpx2.Response(200, json=self._get(path, request.url.params))
            self.before(path)
            answer = self._post(path, request.content)
            self.written.append((path, json.loads(request.content)))
            self.after(path)
            return httpx2.Response(200, json=answer)
        except Refusal as refusal:
            return httpx2.Response(refusal.status, json=refusal.body, headers=dict(self.headers))

    def _get(self, path: str, params: httpx2.QueryParams) -> Any:
        wanted = params.get_list("id[]")
        if path == "/admin/payments":
            return {"payments": [payment for payment in self.payments if payment["id"] in wanted]}
        if path == "/admin/refund-reasons":
            return {"refund_reasons": [REASON]}
        if path == "/admin/reservations":
            lines = params.get_list("line_item_id[]")
            found = [{"line_item_id": id, "location_id": at} for id, at in self.reserved.items() if id in lines]
            return {"reservations": found, "count": len(found)}
        if path == "/admin/shipping-options":
            options = [{"id": id} for id in ("so_01M84ZEZ8C2DQBKRHTHCNB5C6F", "so_express")]
            found = [each for each in options if each["id"] in (wanted or each["id"])]
            return {"shipping_options": found, "count": len(found)}
        if path.endswith("/changes"):
            return {"order_changes": self.changes}
        assert path == f"/admin/orders/{self.id}", path
        return {"order": {"items": [{"id": item["id"], "variant": self._parts(item)} for item in self.order["items"]]}}

    def _parts(self, item: Any) -> Any:
        parts = self.kits.get(item["id"], {"iitem_1": 1})
        return {"inventory_items": [{"inventory_item_id": id, "required_quantity": n} for id, n in parts.items()]}

    def _post(self, path: str, content: bytes) -> Any:
        routes: list[tuple[str, Any, Callable[..., Any]]] = [
            (r"/admin/orders/[^/]+/fulfillments", FulfillmentBody, self._fulfill),
            (r"/admin/orders/[^/]+/fulfillments/([^/]+)/shipments", ShipmentBody, self._ship),
            (r"/admin/orders/[^/]+/fulfillments/([^/]+)/cancel", dict[str, Any], self._cancel),
            (r"/admin/orders/[^/]+", OrderBody, self._update),
            (r"/admin/payments/([^/]+)/refund", RefundBody, self._refund),
            (r"/admin/inventory-items/([^/]+)/location-levels", LevelBody, self._new_level),
            (r"/admin/inventory-items/([^/]+)/location-levels/([^/]+)", LevelBody, self._set_level),
        ]
        for pattern, type, act in routes:
            if found := re.fullmatch(pattern, path):
                try:
                    body = msgspec.json.decode(content, type=type)
                except msgspec.ValidationError as error:
                    raise Refusal(400, f"Invalid request: {error}") from error
                return act(body, *found.groups())
        raise AssertionError(path)

    def _item(self, id: str) -> Any:
        found = [item for item in self.order["items"] if item["id"] == id]
        if not found:
            raise Refusal(400, f"Items with ids {id} does not exist in order with id {self.id}.")
        return found[0]

    def _fulfill(self, body: FulfillmentBody) -> Any:
        if len({self._item(line.id)["requires_shipping"] for line in body.items}) != 1:
            raise Refusal(400, "Fulfillment can only be created entirely with items with shipping or without.")
        for line in body.items:
            item = self._item(line.id)
            if line.quantity > item["quantity"] - item["detail"]["fulfilled_quantity"]:
                raise Refusal(400, f"Cannot fulfill more items than what was ordered for item {line.id}.")
        items = [
            {"id": f"fulit_{next(self._numbers)}", "line_item_id": line.id, "inventory_item_id": part,
             "quantity": line.quantity * needed}
            for line in body.items
            for part, needed in self.kits.get(line.id, {"iitem_1": 1}).items()
        ]  # fmt: skip
        self._count(body.items, "fulfilled_quantity", 1)
        stamps = {"shipped_at": None, "delivered_at": None, "canceled_at": None, "created_at": NOW, "updated_at": NOW}
        fulfillment = {
            "id": f"ful_{next(self._numbers)}",
            "location_id": body.location_id,
            "shipping_option_id": body.shipping_option_id or self.order["shipping_methods"][0]["shipping_option_id"],
            "metadata": body.metadata,
            "items": items,
            "labels": [],
            **stamps,
        }
        self.order["fulfillments"].append(fulfillment)
        return {"order": copy.deepcopy(self.order)}

    def _ship(self, body: ShipmentBody, id: str) -> Any:
        fulfillment = self._fulfillment(id)
        if fulfillment["shipped_at"]:
            raise Refusal(400, f"Fulfillment with id {id} already shipped")
        fulfillment["shipped_at"] = NOW
        fulfillment["labels"] = [msgspec.to_builtins(label) for label in body.labels]
        return {"order": {"id": self.id}}

    def _cancel(self, body: Any, id: str) -> Any:
        fulfillment = self._fulfillment(id)
        if fulfillment["shipped_at"]:
            raise Refusal(400, "The fulfillment has already been shipped. Shipped fulfillments cannot be canceled")
        fulfillment["canceled_at"] = NOW
        lines = {item["line_item_id"]: item["quantity"] for item in fulfillment["items"]}
        self._count([ItemBody(line, quantity) for line, quantity in lines.items()], "fulfilled_quantity", -1)
        return {"order": {"id": self.id}}

    def _fulfillment(self, id: str) -> Any:
        return next(each for each in self.order["fulfillments"] if each["id"] == id)

    def _count(self, items: list[ItemBody], field: str, sign: int) -> None:
        for line in items:
            self._item(line.id)["detail"][field] += sign * line.quantity

    def _update(self, body: OrderBody) -> Any:
        merged = {**(self.order["metadata"] or {}), **body.metadata}
        self.order["metadata"] = {name: value for name, value in merged.items() if value != ""}
        return {"order": {"id": self.id}}

    def _refund(self, body: RefundBody, id: str) -> Any:
        payment = next(each for each in self.payments if each["id"] == id)
        captured = sum(Decimal(str(each["amount"])) for each in payment["captures"])
        refunded = sum(Decimal(str(each["amount"])) for each in payment["refunds"])
        if body.amount <= 0:
            raise Refusal(400, "Invalid request: Value for field 'amount' too small")
        if refunded + body.amount > captured + CENT:
            raise Refusal(400, "You are not allowed to refund more than the captured amount")
        reason = REASON if body.refund_reason_id == REASON["id"] else None
        payment["refunds"].append(
            {"id": f"ref_{next(self._numbers)}", "amount": float(body.amount), "note": body.note, "created_at": NOW,
             "refund_reason": reason}
        )  # fmt: skip
        if self.changes:
            raise Refusal(400, f"Order ({self.id}) already has an existing active order change")
        return {"payment": {"id": id}}

    def _levels(self, item: str) -> list[Any]:
        links = [link for product in self.products for v in product["variants"] for link in v["inventory_items"]]
        found: list[Any] = next(
            link["inventory"]["location_levels"] for link in links if link["inventory_item_id"] == item
        )
        return found

    def _new_level(self, body: LevelBody, item: str) -> Any:
        if body.location_id not in (NORTH, SOUTH, "sloc_new"):
            raise Refusal(404, f"Stock locations with ids: {body.location_id} was not found", "not_found")
        level = {"id": "ilev", "location_id": body.location_id, "updated_at": NOW, "reserved_quantity": 0}
        self._levels(item).append(level)
        return self._set_level(body, item, body.location_id)

    def _set_level(self, body: LevelBody, item: str, location: str) -> Any:
        if body.stocked_quantity < 0:
            raise Refusal(400, "Invalid request: Value for field 'stocked_quantity' too small, expected at least: '0'")
        level = next(each for each in self._levels(item) if each["location_id"] == location)
        level["stocked_quantity"] = float(body.stocked_quantity)
        level["available_quantity"] = float(body.stocked_quantity) - level["reserved_quantity"]
        return {"inventory_item": {"id": item}}


def connected(shop: Shop) -> MedusaConnector:
    """A connector to that shop."""
    session = Session("http://medusa.test", private_network=True, throttle=Throttle(rate=1e6))
    session._client = httpx2.AsyncClient(transport=httpx2.MockTransport(shop.answer))
    return MedusaConnector({"url": "http://medusa.test", "api_key": "sk"}, session)
