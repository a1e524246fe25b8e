"""What is written to a real Vendure: read back through its own Admin API, and through the connector."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from live.through import sent
from live.vendure import seed
from live.vendure.platform import PASSWORD, USERNAME, Vendure
from live.vendure.seed import Shop
from product import Unicart
from unicart.connectors.kit import OutcomeUnknown, PermissionMissing, RequestRefused, Session
from unicart.connectors.kit.http import Reply
from unicart.connectors.vendure.client import VendureConnector
from unicart.contract.orders import Order
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

ORDER = """query($id: ID!) { order(id: $id) {
  state totalWithTax shippingWithTax
  lines { id quantity proratedLinePriceWithTax productVariant { sku } }
  fulfillments { id state method trackingCode lines { orderLineId quantity } }
  payments { id amount refunds { id state total shipping reason lines { orderLineId quantity } } }
  history(options: { filter: { type: { eq: "ORDER_NOTE" } } }) { items { isPublic data } }
} }"""
TWO = {"MUG-S": 3, "PRESS": 2}
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Vendure() as platform:
        yield seed.furnish(platform)


class Cut(Session):
    """A session that is cut off around the requests of one operation: before Vendure gets them, or behind its answer."""

    operation = ""
    taken = False

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
        cut = self.operation and json["query"].startswith(f"mutation {self.operation}(")
        if cut and not self.taken:
            raise OutcomeUnknown("cut off")
        reply = await super().request(method, path, params=params, json=json, headers=headers, once=once)
        if cut:
            raise OutcomeUnknown("cut off")
        return reply


def connector(shop: Shop, username: str = USERNAME, password: str = PASSWORD) -> VendureConnector:
    given = {"url": shop.platform.url, "username": username, "password": password}
    return VendureConnector(given, Cut(VendureConnector.base_url(given), private_network=True))


def cut(platform: VendureConnector, operation: str, *, taken: bool) -> None:
    assert isinstance(platform.session, Cut)
    platform.session.operation, platform.session.taken = operation, taken


@pytest.fixture
async def platform(shop: Shop) -> AsyncIterator[VendureConnector]:
    opened = connector(shop)
    yield opened
    await opened.session.close()


def reference() -> str:
    return uuid.uuid4().hex


def placed(shop: Shop, items: dict[str, int] = TWO, **how: Any) -> str:
    """The id of a new order."""
    name = reference()
    shop.place(name, items, **how)
    return shop.orders[name]


def theirs(shop: Shop, id: str) -> Any:
    return shop.platform.admin(ORDER, id=id)["order"]


def line(shop: Shop, id: str, sku: str) -> str:
    found: str = next(each["id"] for each in theirs(shop, id)["lines"] if each["productVariant"]["sku"] == sku)
    return found


async def raw(platform: VendureConnector, id: str) -> bytes:
    (found,) = await platform.fetch(Function.GET_ORDERS, [id])
    return found


async def ours(platform: VendureConnector, id: str) -> Order:
    (found,) = platform.map(Function.GET_ORDERS, await raw(platform, id))
    assert isinstance(found, Order)
    return found


async def ship(platform: VendureConnector, id: str, name: str = "", **given: Any) -> None:
    await platform.create_shipment(await raw(platform, id), NewShipment(**given), name or reference())


async def refund(platform: VendureConnector, id: str, name: str = "", **given: Any) -> None:
    await platform.refund_order(await raw(platform, id), NewRefund(**given), name or reference())


def levels(shop: Shop, sku: str) -> dict[str, tuple[int, int]]:
    """On hand and allocated by stock location, as Vendure tells."""
    query = "query($id: ID!) { productVariant(id: $id) { stockLevels { stockLocationId stockOnHand stockAllocated } } }"
    found = shop.platform.admin(query, id=shop.variants[sku])["productVariant"]["stockLevels"]
    return {each["stockLocationId"]: (each["stockOnHand"], each["stockAllocated"]) for each in found}


async def test_half_an_order_is_shipped_and_then_the_rest(shop: Shop, platform: VendureConnector) -> None:
    id = placed(shop)
    mug, press = line(shop, id, "MUG-S"), line(shop, id, "PRESS")
    before = levels(shop, "MUG-S")[shop.locations[0]]
    half = [LineQuantity(line_item_id=mug, quantity=1), LineQuantity(line_item_id=press, quantity=1)]
    await ship(platform, id, tracking_number="1Z 1", carrier_name="UPS", shipping_method_name="Ground", line_items=half)
    found = theirs(shop, id)
    assert found["state"] == "PartiallyShipped"
    (first,) = found["fulfillments"]
    assert (first["state"], first["method"], first["trackingCode"]) == ("Shipped", "UPS Ground", "1Z 1")
    assert {each["orderLineId"]: each["quantity"] for each in first["lines"]} == {mug: 1, press: 1}
    assert levels(shop, "MUG-S")[shop.locations[0]] == (before[0] - 1, before[1] - 1)
    order = await ours(platform, id)
    assert (order.status, order.shipments[0].status) == ("partially_fulfilled", "shipped")
    assert (order.shipments[0].tracking_number, order.shipments[0].shipping_method_name) == ("1Z 1", "UPS Ground")

    await ship(platform, id)
    found = theirs(shop, id)
    assert found["state"] == "Shipped"
    second = max(found["fulfillments"], key=lambda each: int(each["id"]))
    assert {each["orderLineId"]: each["quantity"] for each in second["lines"]} == {mug: 2, press: 1}
    assert (second["state"], second["method"], second["trackingCode"]) == ("Shipped", "Standard (3–5 days)", "")
    order = await ours(platform, id)
    assert order.status == "fulfilled"
    assert [sum(each.quantity for each in shipment.line_items) for shipment in order.shipments] in ([2, 3], [3, 2])

    with pytest.raises(RequestRefused, match="no unit is left to ship"):
        await ship(platform, id)
    assert len(theirs(shop, id)["fulfillments"]) == 2


async def test_vendure_refuses_what_is_shipped_already(shop: Shop, platform: VendureConnector) -> None:
    """The record was read before another shipment; of the refused one, nothing stays."""
    id = placed(shop)
    stale = await raw(platform, id)
    await ship(platform, id)
    notes = theirs(shop, id)["history"]["items"]
    with pytest.raises(RequestRefused, match="already part of a Fulfillment") as caught:
        await platform.create_shipment(stale, NewShipment(), reference())
    assert caught.value.status == 422
    found = theirs(shop, id)
    assert len(found["fulfillments"]) == 1
    assert found["history"]["items"] == notes
    assert [note["isPublic"] for note in notes] == [False]


async def test_an_unknown_handler_is_refused_and_the_known_ones_are_told(
    shop: Shop, platform: VendureConnector
) -> None:
    id = placed(shop)
    assert await platform.write_values(WriteFunction.CREATE_SHIPMENT) == {"fulfillment_handler": ["manual-fulfillment"]}
    with pytest.raises(RequestRefused, match="INVALID_FULFILLMENT_HANDLER_ERROR"):
        await ship(platform, id, specific={"fulfillment_handler": "no-such"})
    await ship(platform, id, specific={"handler_arguments": [{"name": "trackingCode", "value": "own"}]})
    (only,) = theirs(shop, id)["fulfillments"]
    assert only["trackingCode"] == "own"


@pytest.mark.parametrize("operation", ["AddNote", "Fulfil", "MoveFulfilment"])
@pytest.mark.parametrize("taken", [True, False])
async def test_a_shipment_that_was_cut_off_is_completed_once(
    shop: Shop, platform: VendureConnector, operation: str, taken: bool
) -> None:
    id, name = placed(shop), reference()
    # The merchant's own fulfilment of the same units, made earlier, is none of ours.
    earlier = shop.fulfil(next(key for key, each in shop.orders.items() if each == id), (1, 0), tracking=None)
    one = [LineQuantity(line_item_id=line(shop, id, "MUG-S"), quantity=1)]
    cut(platform, operation, taken=taken)
    with pytest.raises(OutcomeUnknown):
        await ship(platform, id, name, line_items=one)
    cut(platform, "", taken=False)
    assert VendureConnector.bears(await raw(platform, id), name) is False
    for _ in range(2):
        await ship(platform, id, name, line_items=one)
        found = {each["id"]: each["state"] for each in theirs(shop, id)["fulfillments"]}
        assert found.pop(earlier) == "Pending"
        assert list(found.values()) == ["Shipped"]


async def test_a_line_is_refunded_then_shipping_then_the_rest(shop: Shop, platform: VendureConnector) -> None:
    id = placed(shop, method="instant")
    mug = line(shop, id, "MUG-S")
    (payment,) = theirs(shop, id)["payments"]
    # 3 × 12.99 and 19 % tax: 46.37, of which two units are 30.91 and the third 15.46.
    prices = {each["id"]: each["proratedLinePriceWithTax"] for each in theirs(shop, id)["lines"]}
    assert prices[mug] == 4637
    two = reference()
    await refund(platform, id, two, reason="Chipped", line_items=[LineRefund(line_item_id=mug, quantity=2)])
    assert VendureConnector.bears(await raw(platform, id), two) is True
    (made,) = theirs(shop, id)["payments"][0]["refunds"]
    assert (made["state"], made["total"], made["lines"]) == ("Settled", 3091, [{"orderLineId": mug, "quantity": 2}])
    order = await ours(platform, id)
    (shown,) = order.additional_fields["refunds"]
    assert (shown.amount, shown.reason, shown.line_items[0].quantity) == (Decimal("30.91"), "Chipped", 2)
    assert order.additional_fields["payment_status"] == "partially_refunded"

    with pytest.raises(RequestRefused, match=r"line_items.0.quantity: 1 units"):
        await refund(platform, id, line_items=[LineRefund(line_item_id=mug, quantity=2)])
    await refund(platform, id, shipping_amount=Decimal("1.99"))
    await refund(platform, id, line_items=[LineRefund(line_item_id=mug, quantity=1)])
    totals = sorted(each["total"] for each in theirs(shop, id)["payments"][0]["refunds"])
    assert totals == [199, 1546, 3091]

    await refund(platform, id)
    found = theirs(shop, id)["payments"][0]["refunds"]
    assert sum(each["total"] for each in found) == payment["amount"]
    assert sum(each["shipping"] for each in found) == theirs(shop, id)["shippingWithTax"]
    order = await ours(platform, id)
    assert order.additional_fields["total_refunded"] == order.total_price
    assert order.additional_fields["payment_status"] == "refunded"
    with pytest.raises(RequestRefused, match="Nothing is left"):
        await refund(platform, id)


async def test_vendure_refuses_more_than_was_paid(shop: Shop, platform: VendureConnector) -> None:
    id = placed(shop, method="instant")
    stale = await raw(platform, id)
    await refund(platform, id)
    with pytest.raises(RequestRefused, match="exceeds the refundable amount") as caught:
        await platform.refund_order(stale, NewRefund(), reference())
    assert caught.value.status == 422
    assert len(theirs(shop, id)["payments"][0]["refunds"]) == 1


async def test_a_refund_that_the_method_leaves_pending_is_shown_as_such(shop: Shop, platform: VendureConnector) -> None:
    id, name = placed(shop), reference()
    await refund(platform, id, name, reason="late", shipping_amount=Decimal("2"))
    assert VendureConnector.bears(await raw(platform, id), name) is True
    order = await ours(platform, id)
    assert order.additional_fields["refunds"] == []
    (pending,) = order.additional_fields["pending_refunds"]
    assert (pending.amount, pending.reason) == (Decimal("2.00"), "late")


@pytest.mark.parametrize("operation", ["Refund", "Cancel"])
@pytest.mark.parametrize("taken", [True, False])
async def test_refunded_units_go_back_to_stock_once(
    shop: Shop, platform: VendureConnector, operation: str, taken: bool
) -> None:
    """One unit was shipped, and two were not: Vendure takes all of them back by cancelling them."""
    before = levels(shop, "MUG-S")[shop.locations[0]]
    id, name = placed(shop, method="instant"), reference()
    mug = line(shop, id, "MUG-S")
    await ship(platform, id, line_items=[LineQuantity(line_item_id=mug, quantity=1)])
    wanted = {"restock": True, "line_items": [LineRefund(line_item_id=mug, quantity=3)], "reason": "Returned"}
    cut(platform, operation, taken=taken)
    with pytest.raises(OutcomeUnknown):
        await refund(platform, id, name, **wanted)
    cut(platform, "", taken=False)
    for _ in range(2):
        await refund(platform, id, name, **wanted)
        found = theirs(shop, id)
        assert [each["total"] for each in found["payments"][0]["refunds"]] == [4637]
        assert {each["productVariant"]["sku"]: each["quantity"] for each in found["lines"]} == {"MUG-S": 0, "PRESS": 2}
        assert levels(shop, "MUG-S")[shop.locations[0]] == before


async def test_everything_is_refunded_and_goes_back_to_stock(shop: Shop, platform: VendureConnector) -> None:
    before = levels(shop, "PRESS")
    id = placed(shop, method="instant")
    await refund(platform, id, restock=True)
    found = theirs(shop, id)
    assert (found["state"], found["totalWithTax"]) == ("Cancelled", 0)
    assert levels(shop, "PRESS") == before
    assert (await ours(platform, id)).status == "cancelled"


async def test_a_full_refund_takes_from_each_payment(shop: Shop, platform: VendureConnector) -> None:
    id, name = placed(shop, {"MUG-S": 1}, method="instant"), reference()
    added = next(key for key, each in shop.orders.items() if each == id)
    shop.modify(added, addItems=[{"productVariantId": shop.variants["PRESS"], "quantity": 2}])
    payments = theirs(shop, id)["payments"]
    assert len(payments) == 2
    await refund(platform, id, name)
    assert VendureConnector.bears(await raw(platform, id), name) is True
    for payment in theirs(shop, id)["payments"]:
        assert [each["total"] for each in payment["refunds"]] == [payment["amount"]]
    await refund(platform, id, name)
    assert [len(payment["refunds"]) for payment in theirs(shop, id)["payments"]] == [1, 1]


async def product(platform: VendureConnector, id: str) -> tuple[bytes, Product]:
    (found,) = await platform.fetch(Function.GET_PRODUCTS, [id])
    record = next(each for each in platform.map(Function.GET_PRODUCTS, found) if each.id == id)
    assert isinstance(record, Product)
    return found, record


@pytest.mark.parametrize(
    ("kind", "quantity", "available"),
    [(AdjustmentType.EXACT, 40, 40), (AdjustmentType.INCREASE, 7, 27), (AdjustmentType.DECREASE, 7, 13)],
)
async def test_stock_is_set(
    shop: Shop, platform: VendureConnector, kind: AdjustmentType, quantity: int, available: int
) -> None:
    """What is available counts, so units that are sold but not shipped stay allocated; the other location stays."""
    id, location = shop.variants["MUG-L"], shop.locations[0]
    placed(shop, {"MUG-L": 2})
    allocated = levels(shop, "MUG-L")[location][1]
    shop.set_stock("MUG-L", (20 + allocated, 5))
    found, _ = await product(platform, id)
    wanted = InventoryAdjustment(product_id=id, quantity=quantity, adjustment_type=kind, warehouse_id=location)
    await platform.adjust_inventory(found, wanted, reference())
    assert levels(shop, "MUG-L") == {location: (available + allocated, allocated), shop.locations[1]: (5, 0)}
    _, record = await product(platform, id)
    assert record.inventory_by_warehouse_id == {location: available, shop.locations[1]: 5}


async def test_stock_of_no_location_and_of_a_parent_is_refused(shop: Shop, platform: VendureConnector) -> None:
    id = shop.variants["MUG-L"]
    found, record = await product(platform, id)
    before = levels(shop, "MUG-L")
    for changes, message in (
        ({"warehouse_id": "99999"}, "warehouse_id"),
        ({}, "warehouse_id: name one"),
        ({"product_id": record.parent_product_id}, "only variants"),
    ):
        given: dict[str, Any] = {"product_id": id, "quantity": 1, "adjustment_type": AdjustmentType.EXACT, **changes}
        with pytest.raises(RequestRefused, match=message):
            await platform.adjust_inventory(found, InventoryAdjustment(**given), reference())
    assert levels(shop, "MUG-L") == before


async def test_a_role_that_may_only_read_is_told_what_it_lacks(shop: Shop) -> None:
    admin, id = shop.platform.admin, placed(shop)
    role = admin(
        "mutation($i: CreateRoleInput!) { createRole(input: $i) { id } }",
        i={"code": "reader", "description": "Reads", "permissions": ["ReadOrder", "ReadProduct", "ReadStockLocation"]},
    )["createRole"]["id"]
    person = {
        "firstName": "R",
        "lastName": "Eader",
        "emailAddress": "r@example.com",
        "password": "r",
        "roleIds": [role],
    }
    admin("mutation($i: CreateAdministratorInput!) { createAdministrator(input: $i) { id } }", i=person)
    reader = connector(shop, "r@example.com", "r")
    for write in (ship, refund):
        with pytest.raises(PermissionMissing, match="UpdateOrder"):
            await write(reader, id)
    found, _ = await product(reader, shop.variants["STICKER"])
    wanted = InventoryAdjustment(
        product_id=shop.variants["STICKER"],
        quantity=1,
        adjustment_type=AdjustmentType.INCREASE,
        warehouse_id=shop.locations[0],
    )
    with pytest.raises(PermissionMissing, match="UpdateProduct"):
        await reader.adjust_inventory(found, wanted, reference())
    assert json.dumps(theirs(shop, id)["fulfillments"]) == "[]"
    await reader.session.close()


async def test_requests_of_a_clients_own_pass_through(shop: Shop, platform: VendureConnector) -> None:
    id = placed(shop)
    await platform.ready()
    sent = {"query": "query($id: ID!) { order(id: $id) { id state } }", "variables": {"id": id}}
    reply = await platform.session.passthrough("POST", "/", params={}, json=sent, headers={})
    assert (reply.status, json.loads(reply.body)) == (200, {"data": {"order": {"id": id, "state": "PaymentSettled"}}})


def test_the_whole_way_through_our_api(shop: Shop, tmp_path: Path) -> None:
    """Each write is repeated under its key, and is made once."""
    id, sticker = placed(shop, method="instant"), shop.variants["STICKER"]
    mug = line(shop, id, "MUG-S")
    unicart = Unicart(tmp_path)
    unicart.run("org", "create", "Test")
    unicart.connect("vendure", "--url", shop.platform.url, "--username", USERNAME, "--password", PASSWORD)
    unicart.sync()
    shop.set_stock("STICKER", (30, 5))
    with unicart.serving():
        for _ in range(2):
            parcel = {"tracking_number": "T9", "carrier": "DHL", "line_items": [{"line_item_id": mug, "quantity": 1}]}
            answer = sent(unicart, "POST", f"/cart/orders/{id}/shipments", parcel, "ship")
            assert (answer["id"], answer["unused_fields"]) == (id, [])
            assert answer["data"]["status"] == "partially_fulfilled"
            assert [each["tracking_number"] for each in answer["data"]["shipments"]] == ["T9"]
        for _ in range(2):
            wanted = {"reason": "Chipped", "line_items": [{"line_item_id": mug, "quantity": 1}], "note": "seen"}
            answer = sent(unicart, "POST", f"/cart/orders/{id}/refund", wanted, "refund")
            assert answer["unused_fields"] == ["note"]
            assert answer["data"]["additional_fields"]["total_refunded"] == Decimal("15.46")
            assert [each["reason"] for each in answer["data"]["additional_fields"]["refunds"]] == ["Chipped"]
        for _ in range(2):
            change = {"quantity": 4, "adjustment_type": "decrease", "warehouse_id": shop.locations[0]}
            answer = sent(unicart, "PUT", f"/cart/products/{sticker}/adjust-inventory", change, "stock")
            assert answer["data"]["inventory_by_warehouse_id"][shop.locations[0]] == 26
        body = {"method": "POST", "path": "/", "data": {"query": "{ activeChannel { token } }"}}
        answer = sent(unicart, "POST", "/cart/passthrough", body, "pass")
        assert answer["body"] == {"data": {"activeChannel": {"token": "main"}}}
        orders, products = unicart.get("/cart/orders"), unicart.get("/cart/products")
    found = theirs(shop, id)
    assert [each["trackingCode"] for each in found["fulfillments"]] == ["T9"]
    assert [each["total"] for each in found["payments"][0]["refunds"]] == [1546]
    assert levels(shop, "STICKER")[shop.locations[0]][0] == 26
    assert orders[id]["status"] == "partially_fulfilled"
    assert products[sticker]["inventory"] == 31
