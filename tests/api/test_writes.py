"""Writes over HTTP, to a sandbox shop: what is sent, answered, stored, announced, and never done twice."""

import asyncio
from decimal import Decimal
from typing import Any

import httpx2
import msgspec
import pytest

from unicart.connectors.kit import BadAnswer, OutcomeUnknown, PlatformUnavailable, RateLimitedByPlatform
from unicart.connectors.sandbox.client import SandboxConnector
from unicart.contract.resources import Function
from unicart.store import events, tenants, writes
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tables import writes as writes_table
from unicart.store.tenants import Connection, Organization
from unicart.sync.connect import opened_connection
from unicart.sync.run import sync_function

pytestmark = pytest.mark.anyio

TOKEN = "x-trackstar-access-token"
SHIPMENT = {"tracking_number": "1Z", "carrier_name": "UPS", "tracking_url": "https://ups.example/1Z"}


@pytest.fixture
async def shop(
    client: httpx2.AsyncClient, database: Database, vault: Vault, connection: Connection
) -> httpx2.AsyncClient:
    """A client of a sandbox shop whose products and warehouses are synced."""
    async with opened_connection(database, vault, connection) as platform:
        for function in (Function.GET_PRODUCTS, Function.GET_WAREHOUSES):
            await sync_function(database, connection, platform, function)
    return client


async def placed(shop: httpx2.AsyncClient, lines: int = 1) -> dict[str, Any]:
    """A new paid order with at least so many lines, of which one has several units."""
    while True:
        order = (await shop.post("/sandbox/simulate/cart/orders", json={"status": "confirmed"})).json()["data"]
        units = [line["quantity"] for line in order["line_items"]]
        if len(units) >= lines and min(units) >= 1 and max(units) > 1:
            found: dict[str, Any] = order
            return found


async def stored(shop: httpx2.AsyncClient, id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await shop.get(f"/cart/orders/{id}")).json()["data"]
    return found


async def told(database: Database, organization: Organization, type: str) -> list[dict[str, Any]]:
    page = await events.read(database, organization.id, None, 1000, types=[type])
    return [msgspec.json.decode(event.body) for event in page.events]


def ship(shop: httpx2.AsyncClient, id: str, body: dict[str, Any] | None = None, key: str | None = None) -> Any:
    headers = {"idempotency-key": key} if key else {}
    return shop.post(f"/cart/orders/{id}/shipments", json=body or SHIPMENT, headers=headers)


async def test_an_order_is_shipped_in_parts_and_each_is_stored_and_told(
    shop: httpx2.AsyncClient, database: Database, organization: Organization
) -> None:
    order = await placed(shop)
    line = max(order["line_items"], key=lambda each: each["quantity"])
    part = {"line_items": [{"line_item_id": line["line_item_id"], "quantity": 1}]}
    answer = await ship(shop, order["id"], {**SHIPMENT, **part, "shipped_date": "2026-01-02T10:00:00+01:00", "x": 1})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"data", "id", "unused_fields"}
    assert (body["id"], body["unused_fields"]) == (order["id"], ["x"])
    assert body["data"]["status"] == "partially_fulfilled"
    (shipment,) = body["data"]["shipments"]
    assert (shipment["tracking_number"], shipment["carrier_name"], shipment["tracking_url"]) == (
        "1Z",
        "UPS",
        "https://ups.example/1Z",
    )
    assert shipment["created_date"] == "2026-01-02T09:00:00Z"
    assert [(each["product_id"], each["quantity"]) for each in shipment["line_items"]] == [(line["product_id"], 1)]
    assert await stored(shop, order["id"]) == body["data"]
    rest = (await ship(shop, order["id"], {"tracking_number": "2Z", "carrier_name": "DHL"})).json()["data"]
    assert rest["status"] == "fulfilled"
    sent = [sum(each["quantity"] for each in one["line_items"]) for one in rest["shipments"]]
    assert sent == [1, sum(each["quantity"] for each in order["line_items"]) - 1]
    made = await told(database, organization, "cart-order.cart-shipment.created")
    assert [each["data"]["id"] for each in made] == [order["id"]] * 2
    assert [len(each["data"]["shipments"]) for each in made] == [1, 2]


async def test_every_generation_of_names_is_understood(shop: httpx2.AsyncClient) -> None:
    for names in (
        {"carrier": "UPS", "shipping_method": "Ground"},
        {"carrier_name": "UPS", "requested_shipping_method": "Ground"},
        {"carrier_name": "UPS", "shipping_method_name": "Ground"},
        {"carrier": "UPS", "carrier_name": "UPS", "shipping_method_name": "Ground"},
    ):
        order = await placed(shop)
        body = (await ship(shop, order["id"], {"tracking_number": "1Z", **names})).json()
        (shipment,) = body["data"]["shipments"]
        assert (shipment["carrier"], shipment["carrier_name"]) == ("UPS", "UPS")
        assert (shipment["shipping_method_name"], body["unused_fields"]) == ("Ground", [])


BAD_SHIPMENTS: list[tuple[dict[str, Any], str]] = [
    ({}, "tracking_number"),
    ({"tracking_number": "1Z"}, "carrier_name"),
    ({**SHIPMENT, "tracking_number": None}, "tracking_number"),
    ({**SHIPMENT, "tracking_url": ""}, "tracking_url"),
    ({**SHIPMENT, "tracking_url": "none"}, "tracking_url"),
    ({**SHIPMENT, "tracking_url": "NULL"}, "tracking_url"),
    ({**SHIPMENT, "tracking_url": 7}, "tracking_url"),
    ({**SHIPMENT, "carrier": "DHL"}, "carrier"),
    ({**SHIPMENT, "shipped_date": "2026-01-02"}, "shipped_date"),
    ({**SHIPMENT, "shipped_date": "2026-01-02T10:00:00"}, "shipped_date"),
    ({**SHIPMENT, "line_items": []}, "line_items"),
    ({**SHIPMENT, "line_items": [3]}, "line_items.0"),
    ({**SHIPMENT, "line_items": [{"quantity": 1}]}, "line_items.0.line_item_id"),
    ({**SHIPMENT, "line_items": [{"line_item_id": "x", "quantity": 0}]}, "line_items.0.quantity"),
    ({**SHIPMENT, "line_items": [{"line_item_id": "x", "quantity": 1.5}]}, "line_items.0.quantity"),
    ({**SHIPMENT, "line_items": [{"line_item_id": "x", "quantity": True}]}, "line_items.0.quantity"),
    ({**SHIPMENT, "line_items": [{"line_item_id": "x", "quantity": None}]}, "line_items.0.quantity"),
    ({**SHIPMENT, "line_items": [{"line_item_id": "no such", "quantity": 1}]}, "line_items.0.line_item_id"),
    ({**SHIPMENT, "shipping_groups": [{"shipping_group_id": "no such"}]}, "shipping_groups.0.shipping_group_id"),
    ({**SHIPMENT, "unheard": {"of": [None]}}, "unheard.of.0"),
]


async def test_a_bad_shipment_is_refused_by_name_and_nothing_is_sent(shop: httpx2.AsyncClient) -> None:
    order = await placed(shop)
    for body, field in BAD_SHIPMENTS:
        answer = await shop.post(f"/cart/orders/{order['id']}/shipments", json=body)
        assert answer.status_code == 422, body
        assert field in answer.json()["detail"]["json"], body
        assert answer.json()["origin"] == "trackstar"
    assert (await stored(shop, order["id"]))["shipments"] == []


async def test_what_the_platform_refuses_is_said_in_its_words(shop: httpx2.AsyncClient) -> None:
    order = await placed(shop)
    line = order["line_items"][0]
    many = {**SHIPMENT, "line_items": [{"line_item_id": line["line_item_id"], "quantity": 9999}]}
    answer = await ship(shop, order["id"], many)
    assert (answer.status_code, answer.json()["origin"]) == (422, "integration")
    assert "are left to ship" in answer.json()["error"]


async def test_a_missing_order_or_product_is_a_404(shop: httpx2.AsyncClient) -> None:
    for path, body in (("orders/none/shipments", SHIPMENT), ("orders/none/refund", {})):
        answer = await shop.post(f"/cart/{path}", json=body)
        assert (answer.status_code, answer.json()["id"]) == (404, "none")
    stock = {"quantity": 1, "adjustment_type": "exact"}
    assert (await shop.put("/cart/products/none/adjust-inventory", json=stock)).status_code == 404


async def test_an_order_is_refunded_by_line_shipping_and_whole(shop: httpx2.AsyncClient) -> None:
    order = await placed(shop)
    line = max(order["line_items"], key=lambda each: each["quantity"])
    path = f"/cart/orders/{order['id']}/refund"
    body = {"reason": "broken", "line_items": [{"line_item_id": line["line_item_id"], "quantity": 1}]}
    one = (await shop.post(path, json=body)).json()["data"]["additional_fields"]
    (refund,) = one["refunds"]
    paid = Decimal(str(line["unit_price"])) * line["quantity"]
    paid += Decimal(str(line["total_tax"])) - Decimal(str(line["total_discount"]))
    exact = paid / line["quantity"]
    assert abs(Decimal(str(refund["amount"])) - exact) < 1
    assert (refund["reason"], refund["line_items"][0]["quantity"]) == ("broken", 1)
    assert one["payment_status"] == "partially_refunded"
    whole = (await shop.post(path)).json()["data"]["additional_fields"]
    assert (whole["payment_status"], whole["total_refunded"]) == ("refunded", order["total_price"])
    again = await shop.post(path, json={})
    assert (again.status_code, again.json()["origin"]) == (422, "integration")


async def test_a_refund_takes_exact_amounts_and_no_finer_ones(shop: httpx2.AsyncClient) -> None:
    order = await placed(shop)
    path = f"/cart/orders/{order['id']}/refund"
    raw = b'{"shipping_amount": 0.0000001}'
    answer = await shop.post(path, content=raw, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["origin"]) == (422, "integration")
    for body in ({"shipping_amount": "1"}, {"shipping_amount": -1}, {"shipping_amount": True}, {"restock": "yes"}):
        answer = await shop.post(path, json=body)
        assert answer.status_code == (200 if "restock" in body else 422), body
        assert answer.json().get("origin", "trackstar") == "trackstar"


async def variant(shop: httpx2.AsyncClient) -> dict[str, Any]:
    products = (await shop.get("/cart/products")).json()["data"]
    found: dict[str, Any] = next(
        each for each in products if each["parent_product_id"] != each["id"] and each["inventory"] > 9
    )
    return found


async def test_stock_rises_falls_and_is_set_per_warehouse(
    shop: httpx2.AsyncClient, database: Database, organization: Organization
) -> None:
    product = await variant(shop)
    path = f"/cart/products/{product['id']}/adjust-inventory"
    warehouse = next(each for each, level in product["inventory_by_warehouse_id"].items() if level > 3)
    level = product["inventory_by_warehouse_id"][warehouse]
    for kind, quantity, expected in (("increase", 5, level + 5), ("DECREASE", 2, level + 3), ("exact", 7, 7)):
        body = {"quantity": quantity, "adjustment_type": kind, "warehouse_id": warehouse}
        answer = (await shop.put(path, json=body)).json()
        assert answer["data"]["inventory_by_warehouse_id"][warehouse] == expected
        assert answer["id"] == product["id"]
    changes = await told(database, organization, "cart-product.updated")
    assert {each["data"]["id"] for each in changes} >= {product["id"]}
    parent = await shop.put(f"/cart/products/{product['parent_product_id']}/adjust-inventory", json=body)
    assert (parent.status_code, parent.json()["origin"]) == (422, "integration")
    wrong = await shop.put(path, json={"quantity": -1, "adjustment_type": "sideways"})
    assert set(wrong.json()["detail"]["json"]) == {"quantity", "adjustment_type"}


async def test_a_batch_sets_levels_in_turn_and_says_where_it_stopped(shop: httpx2.AsyncClient) -> None:
    product = await variant(shop)
    first, second = next(iter(product["inventory_by_warehouse_id"])), {"product_id": product["id"], "quantity": 4}
    lines = [{"product_id": product["id"], "quantity": 3, "warehouse_id": first, "colour": "red"}]
    answer = await shop.put("/cart/products/batch-adjust-inventory", json={"line_items": [*lines, second], "note": "n"})
    body = answer.json()
    assert set(body) == {"data", "unused_fields"}
    assert body["unused_fields"] == ["line_items.0.colour", "note"]
    assert [each["inventory_by_warehouse_id"][first] for each in body["data"]] == [4, 4]
    wrong = await shop.put("/cart/products/batch-adjust-inventory", json={"line_items": [{"quantity": "x"}]})
    assert wrong.status_code == 422


async def test_a_batch_that_stops_goes_on_where_it_stopped(shop: httpx2.AsyncClient) -> None:
    product = await variant(shop)
    level = product["inventory"]
    rise = {"product_id": product["id"], "quantity": 5, "adjustment_type": "increase"}
    lines = [rise, {"product_id": product["parent_product_id"], "quantity": 1}]
    headers = {"idempotency-key": "batch"}
    for _ in range(2):
        answer = await shop.put("/cart/products/batch-adjust-inventory", json={"line_items": lines}, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["error"].startswith("line_items.1: ")
        now = (await shop.get(f"/cart/products/{product['id']}")).json()["data"]
        assert now["inventory"] == level + 5


async def test_a_repeated_key_gets_the_first_answer_and_nothing_is_done(shop: httpx2.AsyncClient) -> None:
    order = await placed(shop)
    line = max(order["line_items"], key=lambda each: each["quantity"])
    body = {**SHIPMENT, "line_items": [{"line_item_id": line["line_item_id"], "quantity": 1}]}
    first = await ship(shop, order["id"], body, key="k" * 255)
    assert "idempotent-replayed" not in first.headers
    other_order = dict(reversed(body.items()))
    again = await ship(shop, order["id"], other_order, key="k" * 255)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.content == first.content
    assert len((await stored(shop, order["id"]))["shipments"]) == 1


async def test_a_key_belongs_to_one_request(shop: httpx2.AsyncClient) -> None:
    one, other = await placed(shop), await placed(shop)
    assert (await ship(shop, one["id"], key="a")).status_code == 200
    for answer in (
        await ship(shop, other["id"], key="a"),
        await ship(shop, one["id"], {**SHIPMENT, "tracking_number": "2"}, key="a"),
        await shop.post(f"/cart/orders/{one['id']}/refund", json={}, headers={"idempotency-key": "a"}),
    ):
        assert (answer.status_code, answer.json()["origin"]) == (400, "trackstar")
    assert (await stored(shop, other["id"]))["shipments"] == []
    for key in ("x" * 256, "é"):
        answer = await shop.post(
            f"/cart/orders/{other['id']}/shipments", json=SHIPMENT, headers={b"idempotency-key": key.encode()}
        )
        assert answer.status_code == 422
        assert "Idempotency-Key" in answer.json()["detail"]["headers"]


async def test_a_refused_write_gives_its_key_back(shop: httpx2.AsyncClient) -> None:
    order = await placed(shop)
    many = {**SHIPMENT, "line_items": [{"line_item_id": order["line_items"][0]["line_item_id"], "quantity": 999}]}
    assert (await ship(shop, order["id"], many, key="a")).status_code == 422
    assert (await ship(shop, order["id"], key="a")).status_code == 200


async def test_requests_at_once_with_one_key_are_one_write(
    shop: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await placed(shop)
    real, begun, go = SandboxConnector.create_shipment, asyncio.Event(), asyncio.Event()

    async def slow(self: SandboxConnector, *given: Any) -> None:
        begun.set()
        await go.wait()
        await real(self, *given)

    monkeypatch.setattr(SandboxConnector, "create_shipment", slow)
    first = asyncio.ensure_future(ship(shop, order["id"], key="a"))
    await begun.wait()
    second = await ship(shop, order["id"], key="a")
    assert second.status_code == 409
    assert int(second.headers["retry-after"]) >= 1
    go.set()
    assert (await first).status_code == 200
    assert len((await stored(shop, order["id"]))["shipments"]) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [(PlatformUnavailable("down"), 502), (RateLimitedByPlatform("slowly", retry_after=9), 429)],
)
async def test_failures_of_the_platform_are_its_own(
    shop: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    order = await placed(shop)

    async def fail(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(SandboxConnector, "create_shipment", fail)
        answer = await ship(shop, order["id"], key="a")
    assert (answer.status_code, answer.json()["origin"]) == (status, "integration")
    assert answer.json()["error"] == str(error)
    assert answer.headers.get("retry-after") == ("10" if status == 429 else None)
    assert (await ship(shop, order["id"], key="a")).status_code == 200, "the key was given back"


@pytest.mark.parametrize("error", [OutcomeUnknown("cut off"), BadAnswer("nonsense"), RuntimeError("a defect")])
@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
async def test_a_write_with_an_unknown_outcome_is_looked_for_and_never_done_twice(
    shop: httpx2.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    database: Database,
    error: Exception,
    done: bool,
) -> None:
    order = await placed(shop)
    line = max(order["line_items"], key=lambda each: each["quantity"])
    body = {**SHIPMENT, "line_items": [{"line_item_id": line["line_item_id"], "quantity": 1}]}
    real = SandboxConnector.create_shipment

    async def cut(self: SandboxConnector, *given: Any) -> None:
        if done:
            await real(self, *given)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(SandboxConnector, "create_shipment", cut)
        answer = await ship(shop, order["id"], body, key="a")
    if done and not isinstance(error, RuntimeError):
        assert answer.status_code == 200, "the platform was asked at once"
        assert len(answer.json()["data"]["shipments"]) == 1
        return
    assert answer.status_code == (500 if isinstance(error, RuntimeError) else 502)
    early = await ship(shop, order["id"], body, key="a")
    assert early.status_code == (200 if done else 409), "it may still be under way"
    async with database.write() as transaction:
        await transaction.execute(writes_table.update().values(sent=writes_table.c.sent - 61))
    late = await ship(shop, order["id"], body, key="a")
    assert late.status_code == 200
    assert len((await stored(shop, order["id"]))["shipments"]) == 1


async def test_keys_are_free_after_a_day(shop: httpx2.AsyncClient, database: Database) -> None:
    order = await placed(shop)
    assert (await ship(shop, order["id"], key="a")).status_code == 200
    async with database.write() as transaction:
        await transaction.execute(writes_table.update().values(created=writes_table.c.created - writes.KEPT))
    refund = await shop.post(f"/cart/orders/{order['id']}/refund", json={}, headers={"idempotency-key": "a"})
    assert refund.status_code == 200
    assert "idempotent-replayed" not in refund.headers


async def test_who_may_not_write_is_refused(
    shop: httpx2.AsyncClient, database: Database, organization: Organization
) -> None:
    order = await placed(shop)
    read_only = await tenants.create_key(database, organization.id, "reader", read_only=True)
    answer = await shop.post(
        f"/cart/orders/{order['id']}/shipments", json=SHIPMENT, headers={"x-trackstar-api-key": read_only}
    )
    assert answer.status_code == 403
    assert (await shop.post(f"/cart/orders/{order['id']}/refund", headers={TOKEN: "other"})).status_code == 401


async def test_a_disabled_function_is_refused_and_not_offered(
    shop: httpx2.AsyncClient, database: Database, organization: Organization
) -> None:
    order = await placed(shop)
    disabled = {"disabled_functions": ["refund_order", "create_shipment"]}
    answer = await shop.patch("/schedules/disabled-functions", json=disabled)
    assert answer.json()["updated"] is True
    await asyncio.sleep(1.1)
    refused = await ship(shop, order["id"])
    assert (refused.status_code, refused.json()["error"]) == (403, "create_shipment is disabled for this connection")
    shown = (await shop.get(f"/connections/{answer.json()['id']}")).json()["data"]["available_actions"]
    assert shown == ["get_orders", "get_products", "get_warehouses", "adjust_inventory", "batch_adjust_inventory"]
    assert (await shop.patch("/schedules/disabled-functions", json={"disabled_functions": None})).status_code == 200
    await asyncio.sleep(1.1)
    assert (await ship(shop, order["id"])).status_code == 200


async def test_functions_that_others_need_cannot_be_disabled(shop: httpx2.AsyncClient) -> None:
    for wrong in (None, ["fly"], "get_orders", ["get_orders"], ["get_products", "adjust_inventory"]):
        body = {} if wrong is None else {"disabled_functions": wrong}
        answer = await shop.patch("/schedules/disabled-functions", json=body)
        assert answer.status_code == 422
        assert "disabled_functions" in answer.json()["detail"]["json"]


async def test_what_the_platform_cannot_do_is_a_501(shop: httpx2.AsyncClient) -> None:
    answer = await shop.post("/cart/passthrough", json={"method": "GET", "path": "/orders"})
    assert answer.status_code == 501
    assert answer.json()["error"] == "Endpoint passthrough is not implemented for Sandbox"


async def test_a_sandbox_is_made_anew_under_the_same_id(
    client: httpx2.AsyncClient, database: Database, organization: Organization
) -> None:
    first = (await client.post("/sandbox/generate-sandbox/cart")).json()
    assert (first["integration_name"], first["customer_id"]) == ("sandbox", None)
    assert first["available_actions"][:4] == ["get_orders", "get_products", "get_warehouses", "create_shipment"]
    client.headers[TOKEN] = first["access_token"]
    whole = (await client.get("/cart/orders", params={"limit": "1000"})).json()
    assert whole["total_count"] == 1000
    order = await placed(client)
    second = (await client.post("/sandbox/generate-sandbox")).json()
    assert second["connection_id"] == first["connection_id"]
    assert second["access_token"] != first["access_token"]
    client.headers[TOKEN] = second["access_token"]
    assert (await client.get(f"/cart/orders/{order['id']}")).status_code == 404
    assert (await client.get("/cart/products")).json()["total_count"] > 40
    assert (await client.post("/sandbox/generate-sandbox/wms")).status_code == 404


async def test_what_is_simulated_is_stored_told_and_synced(
    shop: httpx2.AsyncClient, database: Database, organization: Organization
) -> None:
    made = await shop.post("/sandbox/simulate/cart/orders", json={"order_number": "A-1", "status": "open"})
    order = made.json()["data"]
    assert (order["order_number"], order["status"], order["shipments"]) == ("A-1", "open", [])
    assert (await stored(shop, order["id"])) == order
    body = {"order_id": order["id"], "status": "cancelled"}
    assert (await shop.post("/sandbox/simulate/cart/orders", json=body)).json()["data"]["status"] == "cancelled"
    assert [each["data"]["id"] for each in await told(database, organization, "cart-order.created")] == [order["id"]]
    (change,) = await told(database, organization, "cart-order.updated")
    assert change["previous_attributes"]["status"] == "open"
    product = await variant(shop)
    stock = {"product_id": product["id"], "inventory": 0, "price": 12.5, "active": False}
    changed = (await shop.post("/sandbox/simulate/cart/products", json=stock)).json()["data"]
    assert (changed["inventory"], changed["price"], changed["active"]) == (0, 12.5, False)
    new = (await shop.post("/sandbox/simulate/cart/products")).json()
    assert (await shop.get(f"/cart/products/{new['id']}")).json()["data"] == new["data"]
    for path, body in (("orders", {"order_id": "missing"}), ("products", {"product_id": "missing"})):
        assert (await shop.post(f"/sandbox/simulate/cart/{path}", json=body)).status_code == 404
    assert (await shop.post("/sandbox/simulate/cart/orders", json={"status": "odd"})).status_code == 422


async def test_write_info_describes_every_write_and_the_warehouses_of_an_account(
    shop: httpx2.AsyncClient, client: httpx2.AsyncClient
) -> None:
    mine = (await shop.get("/integrations/cart/sandbox/write-info")).json()
    assert mine["openapi"] == "3.1.0"
    assert set(mine["paths"]) == {
        "/cart/orders/{order_id}/shipments",
        "/cart/orders/{order_id}/refund",
        "/cart/products/{product_id}/adjust-inventory",
        "/cart/products/batch-adjust-inventory",
    }
    shipment = mine["components"]["schemas"]["CreateShipment"]
    assert shipment["required"] == ["tracking_number", "carrier_name"]
    warehouses = [each["id"] for each in (await shop.get("/cart/warehouses")).json()["data"]]
    assert sorted(shipment["properties"]["warehouse_id"]["enum"]) == sorted(warehouses)
    del shop.headers[TOKEN]
    open_ended = (await shop.get("/integrations/cart/sandbox/write-info")).json()["components"]["schemas"]
    assert open_ended["AdjustInventory"]["properties"]["warehouse_id"]["x-options"].startswith("N/A")
    assert open_ended["AdjustInventory"]["properties"]["adjustment_type"]["enum"] == ["increase", "decrease", "exact"]
    assert (await shop.get("/integrations/cart/nobody/write-info")).status_code == 404


async def test_a_token_of_another_integration_tells_nothing_of_this_one(shop: httpx2.AsyncClient) -> None:
    with_token = await shop.get("/integrations/cart/medusa/write-info")
    del shop.headers[TOKEN]
    assert with_token.json() == (await shop.get("/integrations/cart/medusa/write-info")).json()


async def test_what_the_sandbox_refuses_to_simulate_is_its_answer(shop: httpx2.AsyncClient) -> None:
    answer = await shop.post("/sandbox/simulate/cart/products", json={"price": 1.005})
    assert (answer.status_code, answer.json()["origin"]) == (422, "integration")
    assert (await shop.post("/sandbox/simulate/cart/products", json={"inventory": 7.5})).status_code == 422
