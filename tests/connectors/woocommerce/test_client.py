"""Paging and increments against a small WooCommerce whose records change while they are read, and answers that are wrong."""

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.kit.server import FOREVER, answer
from connectors.woocommerce.shop import CLOCKS_GO_BACK, KEY, START, FakeWooCommerce, connector_of, fake_woocommerce
from unicart.connectors.kit import (
    BadAnswer,
    ConnectorError,
    CredentialsRejected,
    PermissionMissing,
    PlatformUnavailable,
    Pull,
    RateLimitedByPlatform,
    RequestRefused,
)
from unicart.connectors.woocommerce.client import WooCommerceConnector
from unicart.contract.orders import Order, OrderStatus
from unicart.contract.products import Product
from unicart.contract.resources import Function

pytestmark = pytest.mark.anyio
ORDERS, PRODUCTS = Function.GET_ORDERS, Function.GET_PRODUCTS
DAY = timedelta(days=1)


class Copy:
    """What a store that follows the connector holds: the last raw record of each id."""

    def __init__(self, connector: WooCommerceConnector, function: Function = ORDERS) -> None:
        self.connector, self.function = connector, function
        self.records: dict[int, Any] = {}
        self.cursor: str | None = None

    async def run(
        self, most: int | None = None, *, interrupted: bool = False, since: datetime | None = None
    ) -> list[int]:
        """One run, or its first pages; the ids that came, in order."""
        came: list[int] = []
        pages = 0
        pull = Pull(cursor=self.cursor, interrupted=interrupted, since=since)
        async for page in self.connector.pull(self.function, pull):
            self.cursor = page.cursor
            found = [json.loads(raw) for raw in page.records]
            self.records.update({record["id"]: record for record in found})
            came += [record["id"] for record in found]
            pages += 1
            if pages == most:
                break
        return came

    def dates(self) -> dict[int, str]:
        inner = "order" if self.function is ORDERS else "product"
        return {id: record[inner]["date_modified_gmt"] for id, record in self.records.items()}


def dates(fake: FakeWooCommerce, table: str) -> dict[int, str]:
    return {id: row["modified"].replace(tzinfo=None).isoformat() for id, row in fake.tables[table].items()}


async def refused(connector: WooCommerceConnector, kind: type[ConnectorError]) -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        await connector.check()
    assert type(raised.value) is kind, raised.value
    return raised.value


async def test_the_shop_is_named() -> None:
    async with fake_woocommerce() as (fake, connector):
        account = await connector.check()
        assert account.account_name == "Tea & Co"
        assert account.account_id == fake.url.removeprefix("http://")


@pytest.mark.parametrize("pretty", [True, False], ids=["pretty", "plain"])
@pytest.mark.parametrize("home", ["", "/shop"])
@pytest.mark.parametrize("https", [True, False], ids=["https", "http"])
async def test_every_kind_of_address_works(https: bool, home: str, pretty: bool) -> None:
    async with fake_woocommerce(https=https, home=home, pretty=pretty) as (fake, connector):
        for _ in range(3):
            fake.place()
        assert (await connector.check()).account_name == "Tea & Co"
        assert await Copy(connector).run() == [3, 2, 1]


async def test_a_shop_with_plain_permalinks_that_redirects_is_asked_at_its_index() -> None:
    async with fake_woocommerce(pretty=False, redirects=True) as (fake, connector):
        fake.place()
        assert (await connector.check()).account_name == "Tea & Co"
        assert await Copy(connector).run() == [1]


async def test_a_shop_that_has_moved_says_where() -> None:
    moved = answer(301, location="https://www.shop.example/wp-json/wc/v3/orders")
    async with fake_woocommerce(answers=[moved, moved]) as (_, connector):
        error = await refused(connector, RequestRefused)
        assert "redirects to https://www.shop.example" in error.message


async def test_a_server_that_cuts_off_the_authorization_is_asked_by_signature() -> None:
    async with fake_woocommerce(https=True, keeps_authorization=True) as (fake, connector):
        fake.place()
        assert await Copy(connector).run() == [1]
        assert len(fake.nonces) == len(fake.requests)


async def test_orders_that_share_a_second_come_once_each() -> None:
    async with fake_woocommerce() as (fake, connector):
        for number in range(1, 451):
            if not 90 < number < 340:
                fake.tick(7)
            fake.place(number)
        came = await Copy(connector).run()
        created = [fake.tables["orders"][id]["created"] for id in came]
        assert sorted(came) == sorted(fake.tables["orders"])
        assert created == sorted(created, reverse=True)


@pytest.mark.parametrize("interrupted", [True, False])
@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.parametrize("stop", [1, 2, 3, 4])
async def test_the_first_run_yields_the_newest_first_and_goes_on_where_it_was_killed(
    stop: int, limited: bool, interrupted: bool
) -> None:
    async with fake_woocommerce() as (fake, connector):
        for number in range(1, 451):
            if not 90 < number < 340:
                fake.tick()
            fake.place(number)
        since = fake.tables["orders"][60]["created"] if limited else None
        window = [id for id, order in fake.tables["orders"].items() if since is None or order["created"] >= since]
        copy = Copy(connector)
        first = await copy.run(stop, since=since)
        assert (
            first
            == sorted(window, key=lambda id: (fake.tables["orders"][id]["created"], id), reverse=True)[: len(first)]
        )
        fake.tick()
        fake.place(999)
        rest = await copy.run(interrupted=interrupted)
        assert sorted(first + rest) == sorted([*window, 999])


async def test_a_limited_first_run_finds_older_orders_that_changed_since() -> None:
    async with fake_woocommerce() as (fake, connector):
        for number in range(1, 41):
            fake.place(number)
            fake.tick(86400)
        since = fake.tables["orders"][31]["created"]
        fake.change(fake.tables["orders"][5])
        fake.refund(fake.tables["orders"][8])
        found = await Copy(connector).run(since=since)
        assert found == [*range(40, 30, -1), 5, 8]


async def test_an_unchanged_shop_costs_a_request_for_each_list() -> None:
    async with fake_woocommerce() as (fake, connector):
        for number in range(1, 150):
            fake.place(number)
            fake.add_product(1000 + number)
        orders, products = Copy(connector), Copy(connector, PRODUCTS)
        await orders.run()
        await products.run()
        fake.requests.clear()
        assert await orders.run() == await products.run() == []
        # The walk of a second that more records share than a page has takes more requests; later changes end that.
        fake.tick(1000)
        fake.place(900)
        fake.add_product(5000)
        assert await orders.run() == [900]
        assert await products.run() == [5000]
        fake.requests.clear()
        assert await orders.run() == await products.run() == []
        assert [route for _, route, _ in fake.requests] == ["/orders"] * 2 + ["/products"] * 2


async def test_a_second_change_in_the_same_second_is_not_lost() -> None:
    async with fake_woocommerce() as (fake, connector):
        order = fake.place()
        copy = Copy(connector)
        await copy.run()
        fake.change(order, status="completed")
        assert await copy.run() == [1]
        assert copy.records[1]["order"]["status"] == "completed"


async def test_bounds_are_utc_whatever_the_clock_of_the_shop() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.place()
        copy = Copy(connector)
        await copy.run()
        fake.tick(3600)
        fake.place()
        assert await copy.run() == [2]
        bounds = [value for sent in fake.listed("/orders") for name, value in sent.items() if name.endswith("after")]
        assert bounds
        assert all(datetime.fromisoformat(bound).tzinfo is None for bound in bounds)
        assert all(sent["dates_are_gmt"] == "true" for sent in fake.listed("/orders") if "modified_after" in sent)


async def test_orders_that_change_while_they_are_walked_are_not_skipped() -> None:
    for seed in range(6):
        chance = random.Random(seed)
        async with fake_woocommerce() as (fake, connector):
            for number in range(1, 351):
                fake.place(number)
                fake.tick(chance.choice([0, 0, 0, 1]))
            fake.tick(100)
            copy = Copy(connector)
            await copy.run()
            for order in fake.tables["orders"].values():
                fake.change(order)
                fake.tick(chance.choice([0, 0, 1]))

            def disturb(fake: FakeWooCommerce = fake, chance: random.Random = chance) -> None:
                fake.tick()
                for order in chance.sample(list(fake.tables["orders"].values()), 5):
                    fake.change(order, status="completed")
                if chance.random() < 0.3:
                    fake.place()

            fake.after_request = disturb
            await copy.run()
            fake.after_request = lambda: None
            await copy.run()
            assert copy.dates() == dates(fake, "orders"), seed


async def test_a_second_that_changes_while_it_is_read_whole_is_read_again() -> None:
    async with fake_woocommerce() as (fake, connector):
        for number in range(1, 401):
            fake.place(number)
        moved = iter(range(1, 5))

        def disturb() -> None:
            if (number := next(moved, None)) is not None:
                fake.now += timedelta(seconds=1)
                fake.change(fake.tables["orders"][number])

        copy = Copy(connector)
        fake.after_request = disturb
        await copy.run()
        await copy.run()
        assert copy.dates() == dates(fake, "orders")


async def test_clocks_that_go_back_hide_no_product() -> None:
    """Products are sorted by the shop's own time, of which the hour from one o'clock comes twice."""
    async with fake_woocommerce(now=CLOCKS_GO_BACK - timedelta(hours=1)) as (fake, connector):
        for number in range(1, 401):
            fake.add_product(number)
            fake.tick(18)
        copy = Copy(connector, PRODUCTS)
        await copy.run()
        assert copy.dates() == dates(fake, "products")


async def test_clocks_that_go_back_behind_a_page_hide_no_product() -> None:
    """A page ends at ten past one of the second hour; half past one of the first comes behind it, and is earlier."""
    async with fake_woocommerce(now=CLOCKS_GO_BACK - timedelta(minutes=70)) as (fake, connector):
        for number in range(1, 61):
            fake.add_product(number)
            fake.tick()
        fake.now = CLOCKS_GO_BACK - timedelta(minutes=30)
        fake.add_product(999)
        fake.now = CLOCKS_GO_BACK
        for number in range(101, 151):
            fake.add_product(number)
            fake.tick(10)
        fake.tick(7200)
        for number in range(201, 231):
            fake.add_product(number)
            fake.tick(10)
        copy = Copy(connector, PRODUCTS)
        await copy.run()
        assert copy.dates() == dates(fake, "products")


@pytest.mark.parametrize("function", [ORDERS, PRODUCTS])
async def test_a_record_that_is_dated_ahead_hides_no_other(function: Function) -> None:
    """A product that is to be published later has that date, also as the date of its change."""
    async with fake_woocommerce() as (fake, connector):
        ahead = fake.now + 30 * DAY
        records = [fake.place(1), fake.place(2)] if function is ORDERS else [fake.add_product(1), fake.add_product(2)]
        records[1] |= {"created": ahead, "modified": ahead}
        copy = Copy(connector, function)
        assert sorted(await copy.run()) == [1, 2]
        fake.tick(3600)
        fake.change(records[0])
        assert await copy.run() == [1]
        assert await copy.run() == []


async def test_a_list_that_repeats_a_record_comes_to_its_end() -> None:
    """A plugin's query may list a product twice."""
    async with fake_woocommerce() as (fake, connector):
        for number in range(1, 151):
            fake.place(number)
        whole = fake.page_of

        def repeating(table: str, rows: list[dict[str, Any]], sent: dict[str, str]) -> tuple[int, Any, int | None]:
            return whole(table, [*rows, *rows[:1]] if sent.get("orderby") == "id" else rows, sent)

        fake.page_of = repeating  # type: ignore[method-assign]
        copy = Copy(connector)
        await copy.run()
        assert copy.dates() == dates(fake, "orders")


async def test_trashed_and_restored_orders_come_again() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.place(7, status="trash")
        fake.tick(1000)
        order = fake.place(8)
        copy = Copy(connector)
        assert await copy.run() == [8]
        fake.tick()
        fake.change(order, status="trash")
        assert await copy.run() == [8]
        (mapped,) = connector.map(ORDERS, json.dumps(copy.records[8]).encode())
        assert isinstance(mapped, Order)
        assert (mapped.status, mapped.raw_status) == (OrderStatus.CANCELLED, "trash")
        fake.tick()
        fake.change(order, status="processing")
        assert await copy.run() == [8]
        assert copy.records[8]["order"]["status"] == "processing"


async def test_orders_of_a_status_of_the_shop_s_own_come_too() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.place(status="partial-shipped")
        assert await Copy(connector).run() == [1]


@pytest.mark.parametrize("version", [(11, 0), (8, 9)], ids=["at once", "by order"])
async def test_orders_come_with_their_refunds_in_full(version: tuple[int, int]) -> None:
    async with fake_woocommerce(version=version) as (fake, connector):
        orders = [fake.place() for _ in range(130)]
        for order in orders[::2]:
            fake.refund(order)
            fake.refund(order, "0.50")
        copy = Copy(connector)
        await copy.run()
        for id, record in copy.records.items():
            assert sorted(each["amount"] for each in record["refunds"]) == (["0.50", "1.00"] if id % 2 else [])
        if version > (9, 0):
            assert len(fake.listed("/refunds")) == 2
        before = len(fake.requests)
        await copy.run()
        assert not [route for _, route, _ in fake.requests[before:] if route.endswith("refunds")]


async def test_products_come_with_all_their_variations_and_the_shop_s_units() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.add_product(1000, variations=230)
        fake.add_product(2000)
        copy = Copy(connector, PRODUCTS)
        await copy.run()
        assert {each["id"] for each in copy.records[1000]["variations"]} == set(range(1001, 1231))
        assert (copy.records[2000]["weight_unit"], copy.records[2000]["dimension_unit"]) == ("lbs", "mm")
        mapped = connector.map(PRODUCTS, json.dumps(copy.records[1000]).encode())
        assert len(mapped) == 231


async def test_units_are_unknown_to_a_key_that_may_not_see_settings() -> None:
    async with fake_woocommerce(closed={"/settings/products"}) as (fake, connector):
        fake.add_product(1)
        copy = Copy(connector, PRODUCTS)
        await copy.run()
        assert copy.records[1]["weight_unit"] is None


async def test_a_product_that_is_deleted_while_it_is_read_is_left_out() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.add_product(10, variations=2)
        fake.add_product(20)

        def delete() -> None:
            if fake.listed("/settings/products"):
                fake.tables["products"].pop(10, None)

        fake.after_request = delete
        assert await Copy(connector, PRODUCTS).run() == [20]


@pytest.mark.parametrize("function", [ORDERS, PRODUCTS])
async def test_windows_hold_what_was_created_in_them(function: Function) -> None:
    async with fake_woocommerce() as (fake, connector):
        for number in range(1, 301):
            fake.place(number)
            fake.add_product(number * 10)
            fake.tick(0 if 50 < number < 200 else 60)
        fake.tick(DAY.days * 86400)
        for row in (*fake.tables["orders"].values(), *fake.tables["products"].values()):
            fake.change(row)
        table = fake.tables["orders" if function is ORDERS else "products"]
        created = sorted(row["created"] for row in table.values())
        since, until = created[20], created[230]
        wanted = sorted(id for id, row in table.items() if since <= row["created"] <= until)
        found: list[int] = []
        cursor = None
        for _ in range(100):
            pull = Pull(
                cursor=cursor, interrupted=cursor is not None, since=since, until=until + timedelta(milliseconds=900)
            )
            pages = connector.pull(function, pull)
            page = await anext(pages)
            found += [json.loads(raw)["id"] for raw in page.records]
            if cursor == page.cursor:
                break
            cursor = page.cursor
        assert sorted(found) == wanted
        assert [table[id]["created"] for id in found] == sorted(table[id]["created"] for id in found)


def ids(raws: Sequence[bytes]) -> list[int]:
    return sorted(json.loads(raw)["id"] for raw in raws)


async def test_orders_are_fetched_by_their_ids() -> None:
    async with fake_woocommerce() as (fake, connector):
        for number in range(1, 251):
            fake.place(number, status="trash" if number == 4 else "pending")
        fake.refund(fake.tables["orders"][2])
        wanted = [*map(str, range(1, 211)), "9999", "x", "²", ""]
        found = await connector.fetch(ORDERS, wanted)
        assert ids(found) == list(range(1, 211))
        (refunded,) = [raw for raw in found if json.loads(raw)["id"] == 2]
        assert json.loads(refunded)["refunds"][0]["amount"] == "1.00"
        assert await connector.fetch(ORDERS, ["9999"]) == []
        assert await connector.fetch(ORDERS, []) == []


async def test_products_are_fetched_by_the_ids_of_their_variations() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.add_product(10, variations=3)
        fake.add_product(20)
        fake.add_product(30, status="trash")
        assert ids(await connector.fetch(PRODUCTS, ["12", "13", "20", "30", "77"])) == [10, 20, 30]
        assert ids(await connector.fetch(PRODUCTS, ["10", "12"])) == [10]
        fake.tables["products"].pop(10)
        assert await connector.fetch(PRODUCTS, ["12", "10"]) == []


async def test_a_wrong_secret_and_an_unknown_key_are_rejected() -> None:
    for https in (True, False):
        async with fake_woocommerce(https=https) as (fake, _):
            for connector in (connector_of(fake, secret="cs_wrong"), connector_of(fake, key="ck_unknown")):
                error = await refused(connector, CredentialsRejected)
                assert "Settings → Advanced → REST API" in error.message
                await connector.session.close()


async def test_a_user_without_the_capability_lacks_a_permission() -> None:
    async with fake_woocommerce(closed={"/orders"}) as (_, connector):
        error = await refused(connector, PermissionMissing)
        assert "shop manager" in error.message


async def test_a_key_that_may_only_read_reads_and_says_what_webhooks_need() -> None:
    async with fake_woocommerce(permissions="read") as (fake, connector):
        fake.place()
        assert await Copy(connector).run() == [1]
        with pytest.raises(PermissionMissing, match="Read/Write"):
            await connector.subscribe("https://unicart.example/inbound/1")


async def test_another_site_is_no_shop() -> None:
    async with fake_woocommerce(home="/shop") as (fake, _):
        fake.url = fake.url.removesuffix("/shop")
        connector = connector_of(fake)
        error = await refused(connector, BadAnswer)
        assert "no WordPress REST API" in error.message
        await connector.session.close()


async def test_wordpress_without_woocommerce_is_told() -> None:
    no_route = json.dumps({"code": "rest_no_route", "message": "No route", "data": {"status": 404}}).encode()
    async with fake_woocommerce(answers=[answer(404, no_route)]) as (_, connector):
        error = await refused(connector, RequestRefused)
        assert "Is WooCommerce active" in error.message


async def test_a_page_in_place_of_the_api_is_told() -> None:
    page = answer(200, b"<html>Welcome", content_type="text/html")
    async with fake_woocommerce(answers=[page, page]) as (_, connector):
        await refused(connector, BadAnswer)


@pytest.mark.parametrize(("version", "kind"), [((5, 7), BadAnswer), ((4, 0), RequestRefused)])
async def test_a_shop_that_is_too_old_is_told(version: tuple[int, int], kind: type[ConnectorError]) -> None:
    async with fake_woocommerce(version=version) as (fake, connector):
        for _ in range(5):
            fake.place()
            fake.tick(1000)
        copy = Copy(connector)
        with pytest.raises(kind, match="WooCommerce"):
            await copy.run()


@pytest.mark.parametrize("fault", [answer(503), answer(429, retry_after="0"), answer(200, b"[{", length=9)])
async def test_faults_that_pass_are_waited_for(fault: bytes) -> None:
    """Each attempt is signed anew: WooCommerce refuses a nonce that it has seen."""
    async with fake_woocommerce() as (fake, connector):
        fake.place()
        fake.answers = [fault, fault]
        assert await Copy(connector).run() == [1]


async def test_faults_that_stay_are_told() -> None:
    async with fake_woocommerce() as (fake, _):
        for fault, kind in (
            (answer(500), PlatformUnavailable),
            (FOREVER, PlatformUnavailable),
            (answer(429, retry_after="3600"), RateLimitedByPlatform),
            (answer(200, b'{"message": "Hello"}'), BadAnswer),
            (answer(200, b'[{"id": "one"}]'), BadAnswer),
        ):
            connector = connector_of(fake, patience=1.0, timeout=0.2)
            fake.answers = [fault] * 20
            with pytest.raises(kind):
                await Copy(connector).run()
            await connector.session.close()


async def test_a_revoked_key_stops_a_run() -> None:
    async with fake_woocommerce() as (fake, connector):
        for number in range(1, 301):
            fake.place(number)
            fake.tick()
        copy = Copy(connector)
        await copy.run(1)
        fake.permissions = "none"
        with pytest.raises(CredentialsRejected):
            await copy.run(interrupted=True)
        fake.permissions = "read"
        await copy.run(interrupted=True)
        assert copy.dates() == dates(fake, "orders")


async def test_one_record_of_another_shape_does_not_spoil_the_page() -> None:
    async with fake_woocommerce() as (fake, connector):
        fake.place(1)
        fake.place(2, refunds="none")
        assert sorted(await Copy(connector).run()) == [1, 2]


URL = "https://unicart.example/inbound/con_1"


async def test_subscribing_leaves_one_live_webhook_for_each_topic() -> None:
    async with fake_woocommerce() as (fake, connector):
        first = await connector.subscribe(URL)
        for webhook in fake.tables["webhooks"].values():
            webhook["status"] = "disabled"
        fake.tables["webhooks"][999] = {
            "id": 999, "delivery_url": "https://other.example/", "topic": "order.created", "status": "active",
            "created": START, "modified": START,
        }  # fmt: skip
        second = await connector.subscribe(URL)
        ours = [each for each in fake.tables["webhooks"].values() if each["id"] != 999]
        topics = ["created", "updated", "deleted", "restored"]
        assert sorted(each["topic"] for each in ours) == sorted(
            f"{of}.{t}" for of in ("order", "product") for t in topics
        )
        assert {each["status"] for each in ours} == {"active"}
        assert {each["secret"] for each in ours} == {second["secret"]}
        assert first["secret"] != second["secret"]
        assert {each["delivery_url"] for each in ours} == {f"{URL}/{second['path']}"}
        await connector.unsubscribe(first)
        await connector.unsubscribe(second)
        assert list(fake.tables["webhooks"]) == [999]
        await connector.unsubscribe(second)
        await connector.unsubscribe({})


async def test_the_key_is_in_no_error() -> None:
    async with fake_woocommerce() as (fake, _):
        connector = connector_of(fake, secret="cs_wrong")
        error = await refused(connector, CredentialsRejected)
        assert KEY not in error.message + error.detail + error.url
        await connector.session.close()


async def test_products_in_the_trash_are_not_active() -> None:
    async with fake_woocommerce() as (fake, connector):
        product = fake.add_product(1)
        copy = Copy(connector, PRODUCTS)
        await copy.run()
        fake.tick()
        fake.change(product, status="trash")
        assert await copy.run() == [1]
        (mapped,) = connector.map(PRODUCTS, json.dumps(copy.records[1]).encode())
        assert isinstance(mapped, Product)
        assert not mapped.active
