"""The whole way, against a real Medusa: connect, sync, read our API, compare with Medusa's own Admin API order for order; then
change things there and sync again. What Medusa says is read and computed here anew, without the connector's mapping.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from live.medusa import seed
from live.medusa.platform import Medusa
from live.medusa.seed import Shop
from product import Unicart
from unicart.connectors.kit import CredentialsRejected, Pull, Session
from unicart.connectors.medusa import client as medusa_client
from unicart.connectors.medusa.client import MedusaConnector
from unicart.contract.resources import Function

STATUSES = {
    "unpaid-us": "open",
    "paid-us": "confirmed",
    "paid-jp": "confirmed",
    "custom-item": "open",
    "tax-included": "confirmed",
    "partly-fulfilled": "processing",
    "fulfilled": "processing",
    "partly-shipped": "partially_fulfilled",
    "shipped": "fulfilled",
    "delivered": "fulfilled",
    "cancelled-fulfilment": "confirmed",
    "cancelled": "cancelled",
    "cancelled-paid": "cancelled",
    "returned": "fulfilled",
}
CENT = Decimal("0.005")
TOTALS = "+total,+tax_total,+discount_subtotal,+shipping_subtotal,+item_subtotal,+credit_line_total,"


@pytest.fixture(scope="module")
def shop(postgres: str) -> Iterator[Shop]:
    with Medusa(postgres) as medusa:
        yield seed.seed(medusa)


@pytest.fixture(scope="module")
def unicart(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unicart]:
    product = Unicart(tmp_path_factory.mktemp("unicart"))
    product.connect("medusa", "--url", shop.medusa.url, "--api-key", shop.medusa.api_key)
    product.run("sync")
    with product.serving():
        yield product


def medusa_orders(shop: Shop) -> dict[str, Any]:
    """All orders, as Medusa tells them one by one."""
    ids = [order["id"] for order in shop.medusa.get("/admin/orders", limit=1000, fields="id")["orders"]]
    fields = TOTALS + seed.ORDER_FIELDS
    return {id: shop.medusa.get(f"/admin/orders/{id}", fields=fields)["order"] for id in ids}


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Fail where our order does not say what Medusa's says."""
    assert ours["order_number"] == str(theirs["display_id"])
    assert ours["raw_status"] == theirs["status"]
    assert ours["created_date"] == f"{theirs['created_at'][:19]}Z"
    assert ours["updated_date"] >= f"{theirs['updated_at'][:19]}Z"
    assert ours["invoice_currency_code"] == theirs["currency_code"].upper()
    for field, name in {
        "total_price": "total",
        "total_tax": "tax_total",
        "total_discount": "discount_subtotal",
        "total_shipping": "shipping_subtotal",
    }.items():
        assert ours[field] == Decimal(str(theirs[name])), field
    assert ours["additional_fields"]["payment_status"] == theirs["payment_status"]
    assert ours["additional_fields"]["fulfillment_status"] == theirs["fulfillment_status"]
    compare_lines(ours, theirs)
    compare_address(ours["ship_to_address"], theirs.get("shipping_address"), theirs["email"])
    compare_address(ours["bill_to_address"], theirs.get("billing_address"), theirs["email"])
    compare_shipments(ours, theirs)
    compare_refunds(ours, theirs)


def compare_lines(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    lines = {line["line_item_id"]: line for line in ours["line_items"]}
    assert len(lines) == len(theirs["items"])
    for item in theirs["items"]:
        line, detail = lines[item["id"]], item["detail"]
        assert line["product_id"] == item["variant_id"]
        assert line["product_sku"] == item["variant_sku"]
        assert line["quantity"] == item["quantity"] - detail["return_received_quantity"]
        assert abs(line["unit_price"] * line["quantity"] - Decimal(str(item["subtotal"]))) < CENT
        assert line["total_tax"] == Decimal(str(item["tax_total"]))
        assert line["total_discount"] == Decimal(str(item["discount_subtotal"]))
    goods = sum((line["unit_price"] * line["quantity"] for line in lines.values()), Decimal(0))
    total = goods - ours["total_discount"] + ours["total_tax"] + ours["total_shipping"]
    assert abs(total - ours["total_price"] - Decimal(str(theirs["credit_line_total"]))) < CENT


def compare_address(ours: dict[str, Any], theirs: dict[str, Any] | None, email: str) -> None:
    assert ours["email_address"] == email
    if theirs is None:
        assert not [name for name, value in ours.items() if value and name != "email_address"]
        return
    assert ours["full_name"] == f"{theirs['first_name']} {theirs['last_name']}"
    for field, name in {"address1": "address_1", "address2": "address_2", "city": "city", "postal_code": "postal_code",
                        "company": "company", "state": "province", "phone_number": "phone"}.items():  # fmt: skip
        assert ours[field] == (theirs[name] or None), field
    assert ours["country"] == theirs["country_code"].upper()


def compare_shipments(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    shipments = {shipment["shipment_id"]: shipment for shipment in ours["shipments"]}
    assert len(shipments) == len(theirs["fulfillments"])
    for fulfilment in theirs["fulfillments"]:
        shipment = shipments[fulfilment["id"]]
        state = next(
            (
                name
                for name, field in (
                    ("cancelled", "canceled_at"),
                    ("delivered", "delivered_at"),
                    ("shipped", "shipped_at"),
                )
                if fulfilment[field]
            ),
            "open",
        )
        assert shipment["status"] == state
        assert shipment["warehouse_id"] == fulfilment["location_id"]
        assert shipment["tracking_number"] == (
            fulfilment["labels"][0]["tracking_number"] if fulfilment["labels"] else None
        )
        quantities = {line["shipment_line_item_id"]: line["quantity"] for line in shipment["line_items"]}
        assert quantities == {item["id"]: item["quantity"] for item in fulfilment["items"]}


def compare_refunds(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    payments = [payment for collection in theirs["payment_collections"] for payment in collection["payments"]]
    expected = {refund["id"]: Decimal(str(refund["amount"])) for payment in payments for refund in payment["refunds"]}
    fields = ours["additional_fields"]
    assert {refund["refund_id"]: refund["amount"] for refund in fields["refunds"]} == expected
    assert fields["total_refunded"] == sum(expected.values(), Decimal(0))


def test_every_order_says_what_medusa_says(shop: Shop, unicart: Unicart) -> None:
    ours, theirs = unicart.get("/cart/orders"), medusa_orders(shop)
    assert set(shop.orders.values()) <= set(theirs)
    assert set(ours) == set(theirs)
    for id, order in theirs.items():
        compare(ours[id], order)
    assert {name: ours[shop.orders[name]]["status"] for name in STATUSES} == STATUSES
    assert ours[shop.orders["custom-item"]]["additional_fields"]["custom_item_titles"]


def test_products_and_stock_say_what_medusa_says(shop: Shop, unicart: Unicart) -> None:
    ours = unicart.get("/cart/products")
    fields = "*variants,*variants.prices,*variants.inventory_items.inventory.location_levels"
    theirs = shop.medusa.get("/admin/products", fields=fields, limit=100)["products"]
    assert set(ours) == {p["id"] for p in theirs} | {v["id"] for p in theirs for v in p["variants"]}
    for product in theirs:
        assert ours[product["id"]]["name"] == product["title"]
        assert ours[product["id"]]["parent_product_id"] == product["id"]
        for variant in product["variants"]:
            found = ours[variant["id"]]
            assert found["parent_product_id"] == product["id"]
            assert found["sku"] == variant["sku"]
            dollars = [price["amount"] for price in variant["prices"] if price["currency_code"] == "usd"]
            assert found["price"] == Decimal(str(dollars[0]))
            levels = variant["inventory_items"][0]["inventory"]["location_levels"]
            assert found["inventory_by_warehouse_id"] == {
                each["location_id"]: each["available_quantity"] for each in levels
            }
            assert found["inventory"] == sum(each["available_quantity"] for each in levels)


def test_stock_locations_are_warehouses(shop: Shop, unicart: Unicart) -> None:
    ours = unicart.get("/cart/warehouses")
    assert set(ours) == set(shop.locations)
    assert {each["name"] for each in ours.values()} == {"North", "Süd"}
    assert {each["address"]["city"] for each in ours.values()} == {"Köln"}


def test_only_what_changed_is_pulled_again(shop: Shop, unicart: Unicart) -> None:
    unicart.sync()
    before = unicart.get("/cart/orders")
    assert unicart.sync() == {"get_orders": 0, "get_products": 0, "get_warehouses": 0}
    assert unicart.get("/cart/orders") == before
    parcel = seed.fulfil(shop, "paid-us")
    seed.ship(shop, "paid-us", parcel, "TRACK-NEW")
    seed.refund(shop, "paid-jp", 100)
    seed.cancel(shop, "unpaid-us")
    seed.pay(shop, "unpaid-eu")
    seed.edit(shop, "line10-us", "poster-l", 1)
    item = shop.medusa.get("/admin/inventory-items", sku="mug-s", fields="id")["inventory_items"][0]["id"]
    shop.medusa.post(f"/admin/inventory-items/{item}/location-levels/{shop.locations[1]}", {"stocked_quantity": 4321})
    shop.medusa.post(
        f"/admin/stock-locations/{shop.locations[0]}", {"address": {"address_1": "Moved 2", "country_code": "de"}}
    )
    counts = unicart.sync()
    changed = {shop.orders[name] for name in ("paid-us", "paid-jp", "unpaid-us", "unpaid-eu", "line10-us")}
    after, theirs = unicart.get("/cart/orders"), medusa_orders(shop)
    assert {id for id in after if after[id] != before[id]} == changed
    # An order that moved and was paid comes by both ways.
    assert len(changed) <= counts["get_orders"] <= 2 * len(changed)
    assert counts["get_warehouses"] == 1
    for id in changed:
        compare(after[id], theirs[id])
    assert after[shop.orders["paid-us"]]["status"] == "fulfilled"
    assert after[shop.orders["unpaid-us"]]["status"] == "cancelled"
    assert after[shop.orders["paid-jp"]]["additional_fields"]["total_refunded"] == 100
    assert unicart.get("/cart/warehouses")[shop.locations[0]]["address"]["address1"] == "Moved 2"
    test_products_and_stock_say_what_medusa_says(shop, unicart)


def test_orders_that_change_while_they_are_paged_are_not_skipped(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(medusa_client, "PAGE_SIZE", 5)
    names = ("unpaid-jp", "free", "no-billing", "two-methods")

    async def walk() -> list[str]:
        session = Session(shop.medusa.url, private_network=True)
        connector = MedusaConnector({"url": shop.medusa.url, "api_key": shop.medusa.api_key}, session)
        seen: list[str] = []
        number = 0
        async for page in connector.pull(Function.GET_ORDERS, Pull()):
            seen += [connector.map(Function.GET_ORDERS, raw)[0].id for raw in page.records]
            if number < len(names):
                touched = {"metadata": {"touched": str(number)}}
                await asyncio.to_thread(shop.medusa.post, f"/admin/orders/{shop.orders[names[number]]}", touched)
            number += 1
        await session.close()
        return seen

    seen = asyncio.run(walk())
    everything = {order["id"] for order in shop.medusa.get("/admin/orders", limit=1000, fields="id")["orders"]}
    assert set(seen) == everything


async def walked(shop: Shop, function: Function, pull: Pull, pages: int | None = None) -> tuple[list[Any], str]:
    """The unified records of a run, or of its first pages, and its last cursor."""
    session = Session(shop.medusa.url, private_network=True)
    connector = MedusaConnector({"url": shop.medusa.url, "api_key": shop.medusa.api_key}, session)
    found: list[Any] = []
    cursor = ""
    async for page in connector.pull(function, pull):
        found += [record for raw in page.records for record in connector.map(function, raw)]
        cursor = page.cursor
        pages = pages and pages - 1
        if pages == 0:
            break
    await session.close()
    return found, cursor


def fetched(shop: Shop, function: Function, ids: list[str]) -> set[str]:
    """The unified ids of what `fetch` finds; no raw record may come twice."""

    async def fetch() -> set[str]:
        session = Session(shop.medusa.url, private_network=True)
        connector = MedusaConnector({"url": shop.medusa.url, "api_key": shop.medusa.api_key}, session)
        raws = await connector.fetch(function, ids)
        await session.close()
        assert len(set(raws)) == len(raws)
        return {record.id for raw in raws for record in connector.map(function, raw)}

    return asyncio.run(fetch())


def created(shop: Shop) -> dict[str, datetime]:
    """When each order was created, by Medusa's word, the oldest first."""
    orders = shop.medusa.get("/admin/orders", limit=1000, fields="id,created_at", order="created_at")["orders"]
    return {order["id"]: datetime.fromisoformat(order["created_at"]) for order in orders}


def test_first_run_yields_the_newest_first_and_misses_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is limited to a window, killed in between, and orders change while it runs."""
    monkeypatch.setattr(medusa_client, "PAGE_SIZE", 4)
    dates = created(shop)
    since = list(dates.values())[len(dates) // 2]
    orders = shop.medusa.get("/admin/orders", limit=1000, fields="id,status")["orders"]
    alive = {order["id"] for order in orders if order["status"] == "pending"}
    changed = next(id for id in dates if id in alive)
    shop.medusa.post(f"/admin/orders/{changed}", {"metadata": {"touched": "before"}})
    limit = Pull(since=since, overlap=timedelta(0))
    first, cursor = asyncio.run(walked(shop, Function.GET_ORDERS, limit, pages=1))
    moved = next(order.id for order in first if order.id in alive)
    shop.medusa.post(f"/admin/orders/{moved}", {"metadata": {"touched": "meanwhile"}})
    going_on = Pull(cursor=cursor, interrupted=True, overlap=timedelta(0))
    rest, cursor = asyncio.run(walked(shop, Function.GET_ORDERS, going_on))
    window = [id for id, date in dates.items() if date >= since][::-1]
    came = [order.id for order in first + rest]
    assert [each for each in dict.fromkeys(came) if each in window] == window
    assert came[: len(first)] == window[:4]
    assert dates[changed] < since
    assert changed in came
    touched = [order.additional_fields["metadata"] for order in first + rest if order.id == moved]
    assert touched[-1] == {"touched": "meanwhile"}
    again, _ = asyncio.run(walked(shop, Function.GET_ORDERS, Pull(cursor=cursor, overlap=timedelta(0))))
    assert again == []


def test_first_run_without_limit_yields_every_order_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(medusa_client, "PAGE_SIZE", 7)
    found, _ = asyncio.run(walked(shop, Function.GET_ORDERS, Pull()))
    assert [order.id for order in found] == list(created(shop))[::-1]


def test_window_yields_what_was_created_in_it_the_oldest_first(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(medusa_client, "PAGE_SIZE", 3)
    dates = created(shop)
    since, until = (list(dates.values())[number].replace(microsecond=0) for number in (5, -5))
    expected = [id for id, date in dates.items() if since <= date.replace(microsecond=0) <= until]
    first, cursor = asyncio.run(walked(shop, Function.GET_ORDERS, Pull(since=since, until=until), pages=2))
    going_on = Pull(since=since, until=until, cursor=cursor, interrupted=True)
    rest, _ = asyncio.run(walked(shop, Function.GET_ORDERS, going_on))
    assert [order.id for order in first + rest] == expected
    for function, ids in (
        (Function.GET_PRODUCTS, set(shop.products.values())),
        (Function.GET_WAREHOUSES, set(shop.locations)),
    ):
        everything, _ = asyncio.run(walked(shop, function, Pull(until=datetime.now(UTC))))
        assert ids <= {record.id for record in everything}
        nothing, _ = asyncio.run(walked(shop, function, Pull(until=datetime(2000, 1, 1, tzinfo=UTC))))
        assert nothing == []


def test_fetch_finds_what_is_there_and_leaves_out_what_is_not(shop: Shop) -> None:
    """More ids than a page has, most of them unknown; a product by its variant; and a product that is deleted."""
    unknown = [f"order_{number:026}" for number in range(150)]
    assert fetched(shop, Function.GET_ORDERS, [*unknown, *shop.orders.values()]) == set(shop.orders.values())
    assert fetched(shop, Function.GET_WAREHOUSES, [*shop.locations, "sloc_gone"]) == set(shop.locations)
    product = {"title": "Short-lived", "options": [{"title": "Size", "values": ["S", "L"]}], "variants": [
        {"title": size, "options": {"Size": size}, "prices": [{"amount": 1, "currency_code": "usd"}]} for size in ("S", "L")]}  # fmt: skip
    made = shop.medusa.post("/admin/products?fields=*variants", product)["product"]
    variants = [variant["id"] for variant in made["variants"]]
    everything = {made["id"], *variants}
    assert fetched(shop, Function.GET_PRODUCTS, [variants[1], "variant_gone"]) == everything
    assert fetched(shop, Function.GET_PRODUCTS, [*variants, made["id"]]) == everything
    shop.medusa.delete(f"/admin/products/{made['id']}/variants/{variants[0]}")
    assert fetched(shop, Function.GET_PRODUCTS, [variants[0]]) == set()
    shop.medusa.delete(f"/admin/products/{made['id']}")
    assert fetched(shop, Function.GET_PRODUCTS, [made["id"], *variants]) == set()


def test_a_wrong_key_is_named_before_anything_is_stored(shop: Shop, tmp_path: Path) -> None:
    product = Unicart(tmp_path)
    said = product.run("connection", "add", "medusa", "--url", shop.medusa.url, "--api-key", "sk_wrong", fails=True)
    assert "does not accept the credentials" in said
    assert "sk_wrong" not in said
    assert product.run("connection", "list", "--json").strip() == "[]"


def test_a_revoked_key_is_an_error_on_the_connection_and_loses_nothing(shop: Shop, tmp_path: Path) -> None:
    key = shop.medusa.post("/admin/api-keys", {"title": "short-lived", "type": "secret"})["api_key"]
    product = Unicart(tmp_path)
    connection = product.connect("medusa", "--url", shop.medusa.url, "--api-key", key["token"])
    product.run("sync")
    shop.medusa.post(f"/admin/api-keys/{key['id']}/revoke", {})
    product.run("sync", fails=True)
    errors = product.show(connection)["errors"]
    assert {error["function_name"] for error in errors} == {"get_orders", "get_products", "get_warehouses"}
    assert all(error["preventing_sync"] and "credentials" in error["error_message"] for error in errors)
    with product.serving():
        assert set(product.get("/cart/orders")) == set(medusa_orders(shop))


def test_credentials_are_told_from_a_shop_that_is_not_medusa(shop: Shop) -> None:
    async def check(key: str) -> None:
        session = Session(shop.medusa.url, private_network=True, patience=1)
        try:
            await MedusaConnector({"url": shop.medusa.url, "api_key": key}, session).check()
        finally:
            await session.close()

    asyncio.run(check(shop.medusa.api_key))
    with pytest.raises(CredentialsRejected):
        asyncio.run(check("sk_wrong"))
