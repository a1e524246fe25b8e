"""Shipments, refunds and stock levels of a real Medusa: written by the connector, then read by Medusa's own Admin API and by the
connector again.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from live.medusa import seed
from live.medusa.platform import Medusa, Refused
from live.medusa.seed import Shop
from live.through import sent
from product import Unicart
from unicart.connectors.kit import CredentialsRejected, OutcomeUnknown, Pull, RequestRefused, Session
from unicart.connectors.kit.http import Reply
from unicart.connectors.medusa.client import MedusaConnector
from unicart.contract.orders import Order, OrderStatus
from unicart.contract.products import Product
from unicart.contract.resources import Function
from unicart.contract.writes import (
    AdjustmentType,
    InventoryAdjustment,
    LineQuantity,
    LineRefund,
    NewRefund,
    NewShipment,
    WriteFunction,
)

TRACKED: dict[str, Any] = {"tracking_number": "T1", "tracking_url": "https://track.example/T1"}
ITEMS = MappingProxyType({"mug-s": 4, "poster-l": 2})
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def shop(postgres: str) -> Iterator[Shop]:
    with Medusa(postgres) as medusa:
        yield seed.seed_catalog(medusa)


class CutOff(Session):
    """A session that hears no answer to one of its writes, although Medusa has done it."""

    unheard: int

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        once: bool = False,
    ) -> Reply:
        reply = await super().request(method, path, params=params, json=json, headers=headers, once=once)
        if method == "POST":
            self.unheard -= 1
            if self.unheard == 0:
                raise OutcomeUnknown(f"{path} broke off")
        return reply


class Placed:
    """An order in New York, of 4 mugs and 2 posters for 56.74565 USD if nothing else is said."""

    def __init__(self, shop: Shop, paid: bool = False, items: Mapping[str, int] = ITEMS, **more: Any) -> None:
        self.shop, self.name = shop, f"write-{next(numbers)}"
        lines = [seed.item(shop, sku, quantity) for sku, quantity in items.items()]
        self.id = seed.place(shop, self.name, "us", lines, **more)
        if paid:
            seed.pay(shop, self.name)
        self.lines = {item["variant_sku"]: item["id"] for item in self.theirs()["items"]}

    def theirs(self) -> Any:
        """The order as Medusa tells it, its fulfilments in the order in which they were made."""
        order = self.shop.order(self.name)
        order["fulfillments"].sort(key=lambda each: str(each["created_at"]))
        return order

    def raw(self) -> bytes:
        (raw,) = run(self.shop, lambda connector: connector.fetch(Function.GET_ORDERS, [self.id]))
        return bytes(raw)

    def ours(self) -> Order:
        """The order as our records show it."""
        (order,) = MedusaConnector.map(Function.GET_ORDERS, self.raw())
        assert isinstance(order, Order)
        return order

    def ship(self, reference: str, unheard: int = 0, wanted: Mapping[str, int] | None = None, **more: Any) -> None:
        lines = [LineQuantity(line_item_id=self.lines[sku], quantity=each) for sku, each in (wanted or {}).items()]
        order, shipment = self.raw(), NewShipment(line_items=lines, **more)
        run(self.shop, lambda connector: connector.create_shipment(order, shipment, reference), unheard)

    def refund(self, reference: str, unheard: int = 0, wanted: Mapping[str, int] | None = None, **more: Any) -> None:
        lines = [LineRefund(line_item_id=self.lines[sku], quantity=each) for sku, each in (wanted or {}).items()]
        order, refund = self.raw(), NewRefund(line_items=lines, **more)
        run(self.shop, lambda connector: connector.refund_order(order, refund, reference), unheard)

    def bears(self, reference: str) -> bool | None:
        return MedusaConnector.bears(self.raw(), reference)

    def shipped(self) -> dict[str, int]:
        """How many of each SKU are shipped, by Medusa's word."""
        return {item["variant_sku"]: item["detail"]["shipped_quantity"] for item in self.theirs()["items"]}

    def paid_back(self) -> list[Decimal]:
        """The refunds, by Medusa's word, the earliest first."""
        payments = [payment for each in self.theirs()["payment_collections"] for payment in each["payments"]]
        refunds = sorted((refund for each in payments for refund in each["refunds"]), key=lambda each: each["id"])
        return [Decimal(str(refund["amount"])) for refund in refunds]


def run(shop: Shop, act: Callable[[MedusaConnector], Coroutine[Any, Any, Any]], unheard: int = 0) -> Any:
    """What a connector does in a session of its own."""

    async def run() -> Any:
        session = CutOff(shop.medusa.url, private_network=True)
        session.unheard = unheard
        try:
            return await act(MedusaConnector({"url": shop.medusa.url, "api_key": shop.medusa.api_key}, session))
        finally:
            await session.close()

    return asyncio.run(run())


async def pulled(connector: MedusaConnector, cursor: str | None) -> tuple[set[str], str]:
    """The orders of a run, and its last cursor."""
    found: set[str] = set()
    async for page in connector.pull(Function.GET_ORDERS, Pull(cursor=cursor)):
        found |= {record.id for raw in page.records for record in connector.map(Function.GET_ORDERS, raw)}
        cursor = page.cursor
    assert cursor
    return found, cursor


def test_half_of_an_order_is_shipped_and_then_the_rest(shop: Shop) -> None:
    order = Placed(shop, paid=True)
    _, cursor = run(shop, lambda connector: pulled(connector, None))
    order.ship("a1", wanted={"mug-s": 2, "poster-l": 1}, notify_customer=False, **TRACKED)
    assert order.bears("a1") is True
    assert order.bears("a2") is False
    assert order.theirs()["fulfillment_status"] == "partially_shipped"
    assert order.shipped() == {"mug-s": 2, "poster-l": 1}
    assert order.ours().status is OrderStatus.PARTIALLY_FULFILLED
    changed, cursor = run(shop, lambda connector: pulled(connector, cursor))
    assert changed == {order.id}
    order.ship("a2", tracking_number="T2")
    first, second = order.theirs()["fulfillments"]
    assert [label["tracking_url"] for each in (first, second) for label in each["labels"]] == [
        TRACKED["tracking_url"],
        "#",
    ]
    assert order.theirs()["fulfillment_status"] == "shipped"
    assert order.shipped() == {"mug-s": 4, "poster-l": 2}
    ours = order.ours()
    assert ours.status is OrderStatus.FULFILLED
    shown = {
        each.tracking_number: {line.product_sku: line.quantity for line in each.line_items} for each in ours.shipments
    }
    assert shown == {"T1": {"mug-s": 2, "poster-l": 1}, "T2": {"mug-s": 2, "poster-l": 1}}
    with pytest.raises(RequestRefused, match="is shipped already"):
        order.ship("a3")


def test_the_same_shipment_twice_is_one(shop: Shop) -> None:
    order = Placed(shop)
    for _ in range(2):
        order.ship("b1", wanted={"mug-s": 1})
    assert order.shipped() == {"mug-s": 1, "poster-l": 0}
    assert len(order.theirs()["fulfillments"]) == 1


@pytest.mark.parametrize("unheard", [1, 2, 3, 4])
def test_a_shipment_whose_answer_is_not_heard_is_completed(shop: Shop, unheard: int) -> None:
    """A parcel of the merchant's is taken and another packed; four requests write."""
    order = Placed(shop)
    seed.fulfil(shop, order.name, {0: 1})
    reference = f"c{unheard}"
    with pytest.raises(OutcomeUnknown):
        order.ship(reference, unheard, {"mug-s": 3, "poster-l": 1}, **TRACKED)
    assert order.bears(reference) is (unheard == 4)
    order.ship(reference, wanted={"mug-s": 3, "poster-l": 1}, **TRACKED)
    assert order.bears(reference) is True
    assert order.shipped() == {"mug-s": 3, "poster-l": 1}
    assert [len(each["labels"]) for each in order.theirs()["fulfillments"]] == [1, 1]


def test_each_location_sends_what_is_reserved_there(shop: Shop) -> None:
    order = Placed(shop)
    reserved = shop.medusa.get("/admin/reservations", **{"line_item_id[]": order.lines["mug-s"]})["reservations"]
    shop.medusa.post(f"/admin/reservations/{reserved[0]['id']}", {"location_id": shop.locations[1]})
    before = levels(shop, "mug-s")[shop.locations[1]]["stocked_quantity"]
    order.ship("d1", **TRACKED)
    sent = {each["location_id"]: [item["sku"] for item in each["items"]] for each in order.theirs()["fulfillments"]}
    assert sent == {shop.locations[0]: ["poster-l"], shop.locations[1]: ["mug-s"]}
    assert {each.warehouse_id for each in order.ours().shipments} == set(shop.locations)
    assert levels(shop, "mug-s")[shop.locations[1]]["stocked_quantity"] == before - 4


def test_what_medusa_refuses_to_send_is_not_left_packed(shop: Shop) -> None:
    order = Placed(shop)
    with pytest.raises(RequestRefused, match="URL must use http") as said:
        order.ship("e1", tracking_number="T1", tracking_url="https://")
    assert said.value.status == 400
    assert all(each["canceled_at"] for each in order.theirs()["fulfillments"])
    assert order.bears("e1") is False
    order.ship("e2", **TRACKED)
    assert order.shipped() == {"mug-s": 4, "poster-l": 2}


def test_a_shipping_option_has_to_be_named_where_the_order_has_none(shop: Shop) -> None:
    order = Placed(shop, shipping=[])
    with pytest.raises(RequestRefused, match="shipping_option_id"):
        order.ship("f1")
    values = run(shop, lambda connector: connector.write_values(WriteFunction.CREATE_SHIPMENT))
    assert set(values["shipping_option_id"]) == set(shop.options.values())
    option = shop.options["Express Süd"]
    order.ship("f1", warehouse_id=shop.locations[1], specific={"shipping_option_id": option})
    (fulfillment,) = order.theirs()["fulfillments"]
    assert (fulfillment["shipping_option_id"], fulfillment["location_id"]) == (option, shop.locations[1])


def test_one_line_is_refunded_and_then_the_rest(shop: Shop) -> None:
    order = Placed(shop, paid=True)
    reason = shop.medusa.post("/admin/refund-reasons", {"label": "Damaged", "code": "damaged"})["refund_reason"]
    _, cursor = run(shop, lambda connector: pulled(connector, None))
    for _ in range(2):
        order.refund("g1", wanted={"mug-s": 1}, reason="damaged", note="Photo")
    assert order.paid_back() == [Decimal("10.88")]
    assert order.bears("g1") is True
    payment = order.theirs()["payment_collections"][0]["payments"][0]
    assert payment["refunds"][0]["refund_reason_id"] == reason["id"]
    changed, _ = run(shop, lambda connector: pulled(connector, cursor))
    assert changed == {order.id}
    (shown,) = order.ours().additional_fields["refunds"]
    assert (shown.amount, shown.reason, shown.note) == (Decimal("10.88"), "Damaged", "Photo")
    order.refund("g2", shipping_amount=Decimal("1.1"))
    with pytest.raises(RequestRefused, match=r"shipping_amount: 5\.99 USD"):
        order.refund("g3", shipping_amount=Decimal(6))
    order.refund("g4")
    assert order.paid_back() == [Decimal("10.88"), Decimal("1.1"), Decimal("44.76565")]
    fields = order.ours().additional_fields
    assert fields["payment_status"] == "refunded"
    assert fields["total_refunded"] == Decimal("56.74565")
    with pytest.raises(RequestRefused, match="nothing left to pay back"):
        order.refund("g5")


def test_a_refund_whose_answer_is_not_heard_is_not_made_again(shop: Shop) -> None:
    order = Placed(shop, paid=True)
    with pytest.raises(OutcomeUnknown):
        order.refund("h1", unheard=1, wanted={"poster-l": 2})
    assert order.bears("h1") is True
    order.refund("h1", wanted={"poster-l": 2})
    assert order.paid_back() == [Decimal("7.25")]


def test_an_order_under_edit_is_not_refunded_behind_medusas_books(shop: Shop) -> None:
    """Medusa itself pays back, and then refuses."""
    order = Placed(shop, paid=True)
    shop.medusa.post("/admin/order-edits", {"order_id": order.id})
    with pytest.raises(RequestRefused, match="a change of the order is under way"):
        order.refund("i1", wanted={"mug-s": 1})
    assert order.paid_back() == []
    payment = order.theirs()["payment_collections"][0]["payments"][0]["id"]
    with pytest.raises(Refused, match="active order change"):
        shop.medusa.post(f"/admin/payments/{payment}/refund", {"amount": 1})
    assert order.paid_back() == [Decimal(1)]


def levels(shop: Shop, sku: str) -> dict[str, Any]:
    """A variant's stock levels, by Medusa's word."""
    (item,) = shop.medusa.get("/admin/inventory-items", sku=sku, fields="*location_levels")["inventory_items"]
    return {level["location_id"]: level for level in item["location_levels"]}


def available(shop: Shop, sku: str) -> dict[str, int]:
    """What our records show of a variant's stock; the same as Medusa says."""
    variant = shop.variants[sku]
    (raw,) = run(shop, lambda connector: connector.fetch(Function.GET_PRODUCTS, [variant]))
    found = MedusaConnector.map(Function.GET_PRODUCTS, raw)
    product = next(each for each in found if each.id == variant)
    assert isinstance(product, Product)
    shown = product.inventory_by_warehouse_id or {}
    assert shown == {location: level["available_quantity"] for location, level in levels(shop, sku).items()}
    return shown


def adjust(shop: Shop, sku: str, kind: AdjustmentType, quantity: int, warehouse: str | None) -> None:
    variant = shop.variants[sku]
    (raw,) = run(shop, lambda connector: connector.fetch(Function.GET_PRODUCTS, [variant]))
    change = InventoryAdjustment(product_id=variant, quantity=quantity, adjustment_type=kind, warehouse_id=warehouse)
    run(shop, lambda connector: connector.adjust_inventory(raw, change, "j1"))


def test_stock_rises_falls_and_is_set(shop: Shop) -> None:
    north, south = shop.locations
    seed.place(shop, "reserves", "us", [seed.item(shop, "t-shirt-s", 3)])
    assert available(shop, "t-shirt-s") == {north: 997, south: 2000}
    adjust(shop, "t-shirt-s", AdjustmentType.INCREASE, 5, north)
    adjust(shop, "t-shirt-s", AdjustmentType.DECREASE, 7, south)
    assert available(shop, "t-shirt-s") == {north: 1002, south: 1993}
    adjust(shop, "t-shirt-s", AdjustmentType.EXACT, 10, north)
    assert available(shop, "t-shirt-s") == {north: 10, south: 1993}
    assert levels(shop, "t-shirt-s")[north]["stocked_quantity"] == 13
    new = shop.medusa.post("/admin/stock-locations", {"name": "New"})["stock_location"]["id"]
    adjust(shop, "t-shirt-s", AdjustmentType.EXACT, 4, new)
    assert available(shop, "t-shirt-s") == {north: 10, south: 1993, new: 4}
    with pytest.raises(RequestRefused, match="only 10 of"):
        adjust(shop, "t-shirt-s", AdjustmentType.DECREASE, 11, north)
    with pytest.raises(RequestRefused, match="sloc_gone was not found"):
        adjust(shop, "t-shirt-s", AdjustmentType.EXACT, 1, "sloc_gone")


def test_a_kit_is_shipped_as_often_as_was_asked(shop: Shop) -> None:
    parts = {
        sku: shop.medusa.get("/admin/inventory-items", sku=sku)["inventory_items"][0]["id"]
        for sku in ("mug-l", "poster-s")
    }
    product = {
        "title": "Set",
        "status": "published",
        "shipping_profile_id": shop.medusa.get("/admin/shipping-profiles")["shipping_profiles"][0]["id"],
        "sales_channels": [{"id": shop.channel}],
        "options": [{"title": "Size", "values": ["S"]}],
        "variants": [
            {
                "title": "Set",
                "sku": "set",
                "manage_inventory": True,
                "options": {"Size": "S"},
                "prices": [{"currency_code": "usd", "amount": 30}],
                "inventory_items": [
                    {"inventory_item_id": parts["mug-l"], "required_quantity": 2},
                    {"inventory_item_id": parts["poster-s"], "required_quantity": 3},
                ],
            }
        ],
    }
    made = shop.medusa.post("/admin/products?fields=*variants", product)["product"]
    shop.variants["set"] = made["variants"][0]["id"]
    order = Placed(shop, items={"set": 4})
    seed.fulfil(shop, order.name, {0: 2})
    order.ship("k1", wanted={"set": 3})
    assert order.shipped() == {"set": 3}
    order.ship("k2")
    assert order.shipped() == {"set": 4}
    with pytest.raises(RequestRefused, match="is a kit of 2 inventory items"):
        adjust(shop, "set", AdjustmentType.EXACT, 1, shop.locations[0])


def test_a_revoked_key_writes_nothing(shop: Shop) -> None:
    order = Placed(shop)
    raw = order.raw()
    key = shop.medusa.post("/admin/api-keys", {"title": "short-lived", "type": "secret"})["api_key"]
    shop.medusa.post(f"/admin/api-keys/{key['id']}/revoke", {})

    async def ship() -> None:
        session = Session(shop.medusa.url, private_network=True)
        connector = MedusaConnector({"url": shop.medusa.url, "api_key": key["token"]}, session)
        try:
            await connector.create_shipment(raw, NewShipment(), "l1")
        finally:
            await session.close()

    with pytest.raises(CredentialsRejected):
        asyncio.run(ship())
    assert order.theirs()["fulfillments"] == []


def test_the_whole_way_through_our_api(shop: Shop, tmp_path: Path) -> None:
    """Each write is repeated under its key, and is made once."""
    placed = Placed(shop, paid=True)
    unicart = Unicart(tmp_path)
    unicart.run("org", "create", "Test")
    unicart.connect("medusa", "--url", shop.medusa.url, "--api-key", shop.medusa.api_key)
    unicart.sync()
    mugs, posters = placed.lines["mug-s"], placed.lines["poster-l"]
    with unicart.serving():
        for _ in range(2):
            parcel = {**TRACKED, "line_items": [{"line_item_id": mugs, "quantity": 2}]}
            answer = sent(unicart, "POST", f"/cart/orders/{placed.id}/shipments", parcel, "half")
            assert (answer["id"], answer["unused_fields"]) == (placed.id, [])
            assert answer["data"]["status"] == "partially_fulfilled"
            assert [each["tracking_number"] for each in answer["data"]["shipments"]] == ["T1"]
        assert placed.shipped() == {"mug-s": 2, "poster-l": 0}
        for _ in range(2):
            answer = sent(unicart, "POST", f"/cart/orders/{placed.id}/shipments", {"tracking_number": "T2"}, "rest")
            assert answer["data"]["status"] == "fulfilled"
        assert placed.shipped() == {"mug-s": 4, "poster-l": 2}
        for _ in range(2):
            wanted = {"note": "Torn", "line_items": [{"line_item_id": posters, "quantity": 1, "amount": 3}]}
            answer = sent(unicart, "POST", f"/cart/orders/{placed.id}/refund", wanted, "refund")
            assert [each["amount"] for each in answer["data"]["additional_fields"]["refunds"]] == [3]
        assert placed.paid_back() == [Decimal(3)]
        (line,) = [each for each in answer["data"]["line_items"] if each["line_item_id"] == mugs]
        level = unicart.get("/cart/products")[line["product_id"]]["inventory_by_warehouse_id"]
        place, before = next(iter(level.items()))
        for _ in range(2):
            change = {"quantity": 3, "adjustment_type": "increase", "warehouse_id": place}
            answer = sent(unicart, "PUT", f"/cart/products/{line['product_id']}/adjust-inventory", change, "stock")
            assert answer["data"]["inventory_by_warehouse_id"][place] == before + 3
        passed = sent(unicart, "POST", "/cart/passthrough", {"method": "GET", "path": f"/admin/orders/{placed.id}"}, "")
        assert (passed["status_code"], passed["body"]["order"]["id"]) == (200, placed.id)
