"""The whole way, against a real Vendure: connect, sync, read our API, compare with Vendure's own Admin API; then change
things there and sync again. What Vendure says is read and computed here anew, without the connector's mapping."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from live.vendure import seed
from live.vendure.platform import PASSWORD, USERNAME, Vendure
from live.vendure.seed import YEN_CHANNEL, Shop
from product import Unicart
from unicart.connectors.kit import CredentialsRejected, PermissionMissing, Pull, RawPage, RequestRefused, Session
from unicart.connectors.vendure import client as vendure_client
from unicart.connectors.vendure.client import VendureConnector
from unicart.contract.common import encode
from unicart.contract.resources import Function

ORDERS = """query($o: OrderListOptions) { orders(options: $o) { totalItems items {
  id code state orderPlacedAt currencyCode
  customer { emailAddress }
  shippingAddress { fullName company streetLine1 streetLine2 city province postalCode countryCode phoneNumber }
  billingAddress { fullName streetLine1 city }
  lines { id quantity linePriceWithTax proratedLinePriceWithTax lineTax proratedLinePrice productVariant { id sku } }
  surcharges { sku priceWithTax }
  payments { refunds { state total reason } }
  fulfillments { id state trackingCode lines { orderLineId quantity } }
  shippingWithTax totalWithTax
} } }"""
STATUSES = {
    "PaymentAuthorized": "open",
    "Modifying": "open",
    "PaymentSettled": "confirmed",
    "PartiallyShipped": "partially_fulfilled",
    "PartiallyDelivered": "partially_fulfilled",
    "Shipped": "fulfilled",
    "Delivered": "fulfilled",
    "Cancelled": "cancelled",
}
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Vendure() as platform:
        yield seed.fill(platform)


@pytest.fixture(scope="module")
def unicart(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unicart]:
    product = Unicart(tmp_path_factory.mktemp("unicart"))
    product.run("org", "create", "Test")
    product.connect("vendure", "--url", shop.platform.url, "--username", USERNAME, "--password", PASSWORD)
    product.sync()
    with product.serving():
        yield product


def vendure_orders(shop: Shop, channel: str = "main") -> dict[str, Any]:
    """All placed orders, as Vendure tells them."""
    options = {"take": 1000, "filter": {"orderPlacedAt": {"isNull": False}}}
    listed = shop.platform.admin(ORDERS, channel, o=options)["orders"]
    assert listed["totalItems"] == len(listed["items"])
    return {order["id"]: order for order in listed["items"]}


def cents(amount: int) -> Decimal:
    return Decimal(amount) / 100


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Fail where our order does not say what Vendure's says."""
    assert ours["order_number"] == theirs["code"]
    assert ours["raw_status"] == theirs["state"]
    packed = any(each["state"] == "Pending" for each in theirs["fulfillments"])
    paid = theirs["state"] in ("PaymentAuthorized", "PaymentSettled")
    assert ours["status"] == ("processing" if packed and paid else STATUSES[theirs["state"]])
    assert ours["created_date"] == f"{theirs['orderPlacedAt'][:19]}Z"
    assert ours["invoice_currency_code"] == theirs["currencyCode"]
    assert ours["total_price"] == cents(theirs["totalWithTax"])
    compare_lines(ours, theirs)
    compare_addresses(ours, theirs)
    compare_shipments(ours, theirs)
    compare_refunds(ours, theirs)


def compare_lines(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    lines = {line["line_item_id"]: line for line in ours["line_items"]}
    goods = sum(round(line["unit_price"] * line["quantity"] - line["total_discount"], 2) for line in lines.values())
    assert round(goods + ours["total_tax"] + ours["total_shipping"], 2) == ours["total_price"]
    for line in theirs["lines"]:
        found = lines.pop(line["id"])
        assert found["product_id"] == line["productVariant"]["id"]
        assert found["product_sku"] == line["productVariant"]["sku"]
        assert found["quantity"] == line["quantity"]
        net = found["unit_price"] * found["quantity"] - found["total_discount"]
        assert round(net, 2) == cents(line["proratedLinePrice"])
        assert round(net + found["total_tax"], 2) == cents(line["proratedLinePriceWithTax"])
    extra = sorted((line["product_sku"], line["unit_price"] + line["tax"]) for line in lines.values())
    assert extra == sorted((each["sku"], cents(each["priceWithTax"])) for each in theirs["surcharges"])


def compare_addresses(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    ship = ours["ship_to_address"]
    names = {
        "full_name": "fullName",
        "company": "company",
        "address1": "streetLine1",
        "address2": "streetLine2",
        "city": "city",
        "state": "province",
        "postal_code": "postalCode",
        "country": "countryCode",
        "phone_number": "phoneNumber",
    }
    for our_name, their_name in names.items():
        assert ship[our_name] == (theirs["shippingAddress"][their_name] or None), our_name
    assert ship["email_address"] == theirs["customer"]["emailAddress"]
    assert ours["bill_to_address"]["full_name"] == theirs["billingAddress"]["fullName"]
    assert ours["bill_to_address"]["city"] == theirs["billingAddress"]["city"]


def compare_shipments(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    variants = {line["id"]: line["productVariant"]["id"] for line in theirs["lines"]}
    states = {"Pending": "open", "Shipped": "shipped", "Delivered": "delivered", "Cancelled": "cancelled"}
    expected = sorted(
        (
            each["id"],
            states[each["state"]],
            each["trackingCode"] or None,
            sorted((variants[part["orderLineId"]], part["quantity"]) for part in each["lines"]),
        )
        for each in theirs["fulfillments"]
    )
    found = sorted(
        (
            each["shipment_id"],
            each["status"],
            each["tracking_number"],
            sorted((part["product_id"], part["quantity"]) for part in each["line_items"]),
        )
        for each in ours["shipments"]
    )
    assert found == expected


def compare_refunds(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    fields = ours["additional_fields"]
    refunds = [refund for payment in theirs["payments"] for refund in payment["refunds"]]
    for state, name in (("Settled", "refunds"), ("Pending", "pending_refunds")):
        expected = sorted((cents(each["total"]), each["reason"] or "") for each in refunds if each["state"] == state)
        assert sorted((each["amount"], each["reason"] or "") for each in fields[name]) == expected
    assert fields["total_refunded"] == sum(cents(each["total"]) for each in refunds if each["state"] == "Settled")


def test_every_order_says_what_vendure_says(shop: Shop, unicart: Unicart) -> None:
    theirs, ours = vendure_orders(shop), unicart.get("/cart/orders")
    assert ours.keys() == theirs.keys()
    assert len(ours) >= 34
    for id, order in theirs.items():
        compare(ours[id], order)
    assert {order["state"] for order in theirs.values()} == set(STATUSES)
    assert {order["status"] for order in ours.values()} == {*STATUSES.values(), "processing"}


def test_carts_are_not_orders(shop: Shop, unicart: Unicart) -> None:
    numbers = {order["order_number"] for order in unicart.get("/cart/orders").values()}
    assert shop.carts.keys() == {"cart", "checkout"}
    assert numbers.isdisjoint(shop.carts.values())


def test_products_and_stock(shop: Shop, unicart: Unicart) -> None:
    ours = unicart.get("/cart/products")
    variants = shop.platform.admin(
        "{ productVariants(options: {take: 100}) { items { id sku name product { id name enabled } prices { price }"
        " stockLevels { stockLocationId stockOnHand stockAllocated } } } }"
    )["productVariants"]["items"]
    parents = {f"product-{variant['product']['id']}" for variant in variants}
    assert ours.keys() == parents | {variant["id"] for variant in variants}
    for variant in variants:
        found, parent = ours[variant["id"]], ours[f"product-{variant['product']['id']}"]
        assert (found["sku"], found["name"]) == (variant["sku"], variant["name"])
        assert found["parent_product_id"] == parent["id"] == parent["parent_product_id"]
        assert (parent["name"], parent["active"]) == (variant["product"]["name"], variant["product"]["enabled"])
        levels = variant["stockLevels"]
        stock = {each["stockLocationId"]: each["stockOnHand"] - each["stockAllocated"] for each in levels}
        assert found["inventory_by_warehouse_id"] == stock
        assert found["inventory"] == sum(stock.values())
    assert ours[shop.variants["MUG-S"]]["price"] == Decimal("12.99")


def test_warehouses(shop: Shop, unicart: Unicart) -> None:
    theirs = shop.platform.admin("{ stockLocations { items { id name } } }")["stockLocations"]["items"]
    ours = unicart.get("/cart/warehouses")
    assert {id: each["name"] for id, each in ours.items()} == {each["id"]: each["name"] for each in theirs}


def test_changes_arrive_and_only_they_are_written(shop: Shop, unicart: Unicart) -> None:
    unicart.sync()
    before, products = unicart.get("/cart/orders"), unicart.get("/cart/products")
    changed = change_orders(shop)
    shop.set_stock("LAMP", (77, 0))
    time.sleep(1.1)
    unicart.sync()
    after, theirs = unicart.get("/cart/orders"), vendure_orders(shop)
    assert after.keys() == theirs.keys()
    for id, order in theirs.items():
        compare(after[id], order)
    written = {id for id, order in after.items() if order != before.get(id)}
    assert written == {shop.orders[name] for name in changed}
    stock_moved = {shop.variants[sku] for sku in ("LAMP", "MUG-L", "STICKER", "MUG-S")}
    now = unicart.get("/cart/products")
    assert {id for id, product in now.items() if product != products[id]} <= stock_moved
    assert now[shop.variants["LAMP"]]["inventory_by_warehouse_id"] == dict(zip(shop.locations, (77, 0), strict=True))
    unicart.sync()
    assert unicart.get("/cart/orders") == after
    assert unicart.get("/cart/products") == now


def change_orders(shop: Shop) -> set[str]:
    """Every kind of change, one order each; most of them leave Vendure's ``order.updatedAt`` as it was."""
    shop.settle("authorized")
    parcel = shop.fulfil("plain 0")
    shop.move_fulfilment(shop.fulfil("plain 1", (1, 2)), "Shipped")
    shop.move_fulfilment(parcel, "Cancelled")
    shop.refund("plain 2", 123, "late")
    pending = shop.platform.admin(
        "query($id: ID!) { order(id: $id) { payments { refunds { id } } } }", id=shop.orders["refund pending"]
    )["order"]["payments"][0]["refunds"][0]["id"]
    shop.settle_refund(pending)
    shop.cancel("plain 3", (1, 0))
    shop.cancel("plain 4")
    shop.modify("plain 5", surcharges=[{"description": "rush", "sku": "RUSH", "price": 5, "priceIncludesTax": False}])
    shop.to_state("plain 6", "Modifying")
    shop.to_state("being modified", "PaymentSettled")
    shop.place("new", {"MUG-S": 1})
    plain = {f"plain {number}" for number in range(7)}
    return plain | {"authorized", "refund pending", "being modified", "new"}


async def pages(connector: VendureConnector, function: Function, pull: Pull, most: int | None = None) -> list[RawPage]:
    """The pages of a run, or the first ones."""
    found: list[RawPage] = []
    async for page in connector.pull(function, pull):
        found.append(page)
        if len(found) == most:
            break
    return found


def connector(shop: Shop, **credentials: str) -> VendureConnector:
    given = {"url": shop.platform.url, **credentials}
    return VendureConnector(given, Session(VendureConnector.base_url(given), private_network=True))


def administrator(shop: Shop, **more: str) -> VendureConnector:
    return connector(shop, username=USERNAME, password=PASSWORD, **more)


def new_api_key(shop: Shop, channel: str = "main") -> str:
    key: str = shop.platform.admin(
        "mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { apiKey } }",
        channel,
        i={"roleIds": ["1"], "translations": [{"languageCode": "en", "name": "unicart"}]},
    )["createApiKey"]["apiKey"]
    return key


def ids(found: list[RawPage]) -> set[str]:
    return {json.loads(raw)["id"] for page in found for raw in page.records}


async def test_an_unchanged_shop_costs_few_requests(shop: Shop) -> None:
    await asyncio.sleep(2.1)
    platform = administrator(shop)
    for function, requests in ((Function.GET_ORDERS, 6), (Function.GET_PRODUCTS, 3), (Function.GET_WAREHOUSES, 1)):
        first = await pages(platform, function, Pull())
        sent = platform.session.requests_sent
        again = await pages(platform, function, Pull(cursor=first[-1].cursor, overlap=timedelta(0)))
        assert platform.session.requests_sent - sent <= requests
        assert len(ids(again)) <= 3, "more than the records at the very last moment"
    await platform.session.close()


async def test_a_change_is_pulled_alone(shop: Shop) -> None:
    platform = administrator(shop)
    first = await pages(platform, Function.GET_ORDERS, Pull())
    await asyncio.sleep(2.1)
    quiet = await pages(platform, Function.GET_ORDERS, Pull(cursor=first[-1].cursor, overlap=timedelta(0)))
    await asyncio.sleep(1.1)
    shop.refund("plain 7", 50)
    found = await pages(platform, Function.GET_ORDERS, Pull(cursor=quiet[-1].cursor, overlap=timedelta(0)))
    assert ids(found) - ids(quiet) == {shop.orders["plain 7"]}
    await platform.session.close()


async def test_an_interrupted_run_goes_on(shop: Shop) -> None:
    """Every page's cursor is a place to go on from: what comes behind it and what came before is everything."""
    platform = administrator(shop)
    whole = await pages(platform, Function.GET_ORDERS, Pull())
    for number, page in enumerate(whole):
        rest = await pages(platform, Function.GET_ORDERS, Pull(cursor=page.cursor, interrupted=True))
        assert ids(whole[: number + 1]) | ids(rest) == ids(whole)
    await platform.session.close()


async def test_since_limits_a_first_run(shop: Shop) -> None:
    platform = administrator(shop)
    found = await pages(platform, Function.GET_ORDERS, Pull(since=datetime.now(UTC) + timedelta(hours=1)))
    unusual = {id for id, order in vendure_orders(shop).items() if order["state"] == "Modifying"}
    assert ids(found) == unusual
    await platform.session.close()


def by_placing(shop: Shop) -> list[tuple[datetime, str]]:
    """The placed orders, the oldest first, by Vendure's word."""
    return sorted((datetime.fromisoformat(order["orderPlacedAt"]), id) for id, order in vendure_orders(shop).items())


def in_order(found: list[RawPage]) -> list[str]:
    return [json.loads(raw)["id"] for page in found for raw in page.records]


async def test_first_run_yields_the_newest_first_and_misses_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is limited to a window and killed in between, while an order is placed and another is changed."""
    monkeypatch.setattr(vendure_client, "PAGE_SIZE", 4)
    platform = administrator(shop)
    placed = by_placing(shop)
    since = placed[len(placed) // 2][0]
    window = [moment for moment, _ in placed if moment >= since]
    first = await pages(platform, Function.GET_ORDERS, Pull(since=since), most=2)
    dates = {id: moment for moment, id in placed}
    assert [dates[id] for id in in_order(first)] == window[::-1][:8]
    shop.place("placed meanwhile", {"MUG-S": 1})
    shop.refund("plain 7", 7)
    rest = await pages(platform, Function.GET_ORDERS, Pull(cursor=first[-1].cursor, interrupted=True))
    came = set(in_order(first + rest))
    assert {id for id, moment in dates.items() if moment >= since} <= came
    assert shop.orders["placed meanwhile"] in came
    following = Pull(cursor=rest[-1].cursor, overlap=timedelta(0))
    assert shop.orders["plain 7"] in ids(await pages(platform, Function.GET_ORDERS, following))
    await platform.session.close()


async def test_window_yields_what_was_placed_in_it_the_oldest_first(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendure_client, "PAGE_SIZE", 3)
    platform = administrator(shop)
    placed = by_placing(shop)
    since, until = (placed[number][0].replace(microsecond=0) for number in (5, -5))
    expected = [(moment, id) for moment, id in placed if since <= moment.replace(microsecond=0) <= until]
    window = Pull(since=since, until=until)
    first = await pages(platform, Function.GET_ORDERS, window, most=2)
    going_on = msgspec.structs.replace(window, cursor=first[-1].cursor, interrupted=True)
    came = in_order(first + await pages(platform, Function.GET_ORDERS, going_on))
    dates = {id: moment for moment, id in placed}
    assert [dates[id] for id in came] == [moment for moment, _ in expected]
    assert sorted(came) == sorted(id for _, id in expected)
    for function in (Function.GET_PRODUCTS, Function.GET_WAREHOUSES):
        everything = await pages(platform, function, Pull(until=datetime.now(UTC)))
        assert ids(everything) == ids(await pages(platform, function, Pull()))
        assert ids(await pages(platform, function, Pull(until=datetime(2000, 1, 1, tzinfo=UTC)))) == set()
    await platform.session.close()


async def test_fetch_finds_what_is_there_and_leaves_out_what_is_not(shop: Shop) -> None:
    """Carts are not orders; a product is found by its variant; and a product that is deleted is gone."""
    platform = administrator(shop)

    async def fetched(function: Function, wanted: list[str]) -> list[str]:
        raws = await platform.fetch(function, wanted)
        return sorted(record.id for raw in raws for record in platform.map(function, raw))

    orders = vendure_orders(shop)
    carts = shop.platform.admin("{ orders(options: {filter: {active: {eq: true}}}) { items { id } } }")["orders"][
        "items"
    ]
    assert carts
    wanted = [*orders, "99999", *(cart["id"] for cart in carts), *(str(number) for number in range(5000, 5150))]
    assert await fetched(Function.GET_ORDERS, wanted) == sorted(orders)
    assert await fetched(Function.GET_WAREHOUSES, [*shop.locations, "99999"]) == sorted(shop.locations)
    mug = await fetched(Function.GET_PRODUCTS, [shop.variants["MUG-S"], "99999"])
    assert {shop.variants["MUG-S"], shop.variants["MUG-L"]} < set(mug)
    assert await fetched(Function.GET_PRODUCTS, [*mug, "product-99999"]) == mug
    parent = next(
        id for id in await fetched(Function.GET_PRODUCTS, [shop.variants["LAMP"]]) if id.startswith("product-")
    )
    shop.platform.admin("mutation($id: ID!) { deleteProduct(id: $id) { result } }", id=parent.removeprefix("product-"))
    assert await fetched(Function.GET_PRODUCTS, [parent, shop.variants["LAMP"]]) == []
    await platform.session.close()


async def test_a_channel_has_its_own_orders(shop: Shop) -> None:
    platform = administrator(shop, channel_token=YEN_CHANNEL)
    found = await pages(platform, Function.GET_ORDERS, Pull())
    assert ids(found) == {shop.orders["yen"], shop.orders["yen discount"]}
    theirs = vendure_orders(shop, YEN_CHANNEL)
    for page in found:
        for raw in page.records:
            (order,) = platform.map(Function.GET_ORDERS, raw)
            ours = json.loads(encode(order), parse_float=Decimal)
            compare(ours, theirs[order.id])
            assert ours["invoice_currency_code"] == "JPY"
    await platform.session.close()


async def test_an_api_key_reads_the_same(shop: Shop) -> None:
    by_login, by_key = administrator(shop), connector(shop, api_key=new_api_key(shop))
    assert await by_key.check() == await by_login.check()
    for function in Function:
        assert ids(await pages(by_key, function, Pull())) == ids(await pages(by_login, function, Pull()))
    await by_key.session.close()
    await by_login.session.close()


async def test_a_session_that_is_over_is_renewed(shop: Shop) -> None:
    platform = administrator(shop)
    await platform.check()
    platform.session.headers["authorization"] = "Bearer of-yesterday"
    assert ids(await pages(platform, Function.GET_WAREHOUSES, Pull())) == set(shop.locations)
    await platform.session.close()


@pytest.mark.parametrize(
    "credentials",
    [
        {"username": USERNAME, "password": "wrong"},
        {"api_key": "no:such-key"},
        {"username": USERNAME, "password": PASSWORD, "channel_token": "no-such-channel"},
        {"username": USERNAME},
        {},
    ],
)
async def test_wrong_credentials_are_rejected(shop: Shop, credentials: dict[str, str]) -> None:
    platform = connector(shop, **credentials)
    with pytest.raises(CredentialsRejected):
        await platform.check()
    await platform.session.close()


async def test_another_path_is_refused(shop: Shop) -> None:
    platform = connector(shop, username=USERNAME, password=PASSWORD)
    platform.session.base_url = f"{shop.platform.url}/no-such-path"
    with pytest.raises(RequestRefused):
        await platform.check()
    await platform.session.close()


async def test_a_role_without_orders_is_told_what_it_lacks(shop: Shop) -> None:
    admin = shop.platform.admin
    role = admin(
        "mutation($i: CreateRoleInput!) { createRole(input: $i) { id } }",
        i={"code": "catalogue", "description": "Catalogue only", "permissions": ["ReadProduct", "ReadStockLocation"]},
    )["createRole"]["id"]
    admin(
        "mutation($i: CreateAdministratorInput!) { createAdministrator(input: $i) { id } }",
        i={
            "firstName": "Cat",
            "lastName": "Alogue",
            "emailAddress": "cat@example.com",
            "password": "catalogue",
            "roleIds": [role],
        },
    )
    platform = connector(shop, username="cat@example.com", password="catalogue")
    with pytest.raises(PermissionMissing, match="ReadOrder"):
        await platform.check()
    assert ids(await pages(platform, Function.GET_WAREHOUSES, Pull())) == set(shop.locations)
    assert await pages(platform, Function.GET_PRODUCTS, Pull())
    await platform.session.close()


async def test_a_server_with_cookies_only(anyio_backend: str) -> None:
    with Vendure("cookie") as platform:
        visited = administrator(Shop(platform))
        assert (await visited.check()).account_name.endswith("__default_channel__")
        assert ids(await pages(visited, Function.GET_WAREHOUSES, Pull())) == {"1"}
        await visited.session.close()
