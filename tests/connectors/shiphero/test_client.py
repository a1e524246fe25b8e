"""Walks, increments and refusals against a small ShipHero whose records change while they are read."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.kit.server import FOREVER, answer, scripted_server
from connectors.shiphero import records
from connectors.shiphero.shop import MOST_CREDITS, START, Shop, connected, open_shop
from unicart.connectors.kit import (
    BadAnswer,
    CredentialsRejected,
    PermissionMissing,
    PlatformUnavailable,
    Pull,
    RateLimitedByPlatform,
    RequestRefused,
    Session,
    UnmappableRecord,
)
from unicart.connectors.shiphero import client
from unicart.connectors.shiphero.client import ShipHeroConnector
from unicart.connectors.shiphero.errors import GraphQLError, refusal, wait
from unicart.contract.resources import Function

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)
OVERLAP = timedelta(seconds=60)
IDS = 20


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Pages of ids are small, so that few orders are many."""
    monkeypatch.setattr(client, "IDS", IDS)
    with open_shop() as opened:
        yield opened


class Copy:
    """What a store that follows the connector holds: the last raw record of each id."""

    def __init__(self, shop: Shop, function: Function = Function.GET_ORDERS, customer: str = "") -> None:
        self.shop, self.function = shop, function
        self.given = {"customer_account_id": customer} if customer else {}
        self.held: dict[str, Any] = {}
        self.cursor: str | None = None
        self.interrupted = False

    async def run(self, most: int | None = None, **pull: Any) -> list[str]:
        """One run, or ``most`` pages of one that is killed then; the ids that came, in order."""
        came: list[str] = []
        async with connected(self.shop, self.given) as connector:
            asked = Pull(cursor=self.cursor, interrupted=self.interrupted, overlap=OVERLAP, **pull)
            pages = connector.pull(self.function, asked)
            async for page in pages:
                found = [json.loads(raw) for raw in page.records]
                self.held |= {record["id"]: record for record in found}
                self.cursor, self.interrupted = page.cursor, True
                came += [record["id"] for record in found]
                most = None if most is None else most - 1
                if most == 0:
                    await pages.aclose()  # type: ignore[attr-defined]
                    return came
        self.interrupted = False
        return came


def essence(orders: dict[str, Any]) -> dict[str, list[Any]]:
    """What tests change of orders; their lists come as pages."""
    return {
        id: [row[name] for name in ("updated_at", "packing_note", "fulfillment_status")] for id, row in orders.items()
    }


def ids(*numbers: int, kind: str = "Order") -> list[str]:
    return [records.uuid(kind, number) for number in numbers]


async def test_the_account_is_checked(shop: Shop) -> None:
    async with connected(shop) as connector:
        account = await connector.check()
    assert (account.account_id, account.account_name) == (records.ACCOUNT, "example")


async def test_a_first_run_yields_all_orders_the_newest_first(shop: Shop) -> None:
    for number in range(1, 31):
        shop.tick(86_000)
        shop.add_order(number)
    copy = Copy(shop)
    assert await copy.run() == ids(*range(30, 0, -1))
    assert essence(copy.held) == essence(shop.orders)


async def test_a_first_run_begins_at_its_limit_and_finds_what_changed_since(shop: Shop) -> None:
    old = shop.add_order(1)
    shop.add_order(2)
    shop.tick(86_400 * 40)
    shop.add_order(3)
    shop.touch(old, order_number="changed")
    shop.tick(60)
    assert sorted(await Copy(shop).run(since=shop.now - DAY)) == sorted(ids(1, 3))


async def test_many_orders_of_one_second_all_come(shop: Shop) -> None:
    for number in range(1, 2 * IDS + 15):
        shop.add_order(number)
    shop.tick(100)
    copy = Copy(shop)
    await copy.run()
    assert copy.held.keys() == shop.orders.keys()


@pytest.mark.parametrize("inclusive", [True, False])
async def test_bounds_of_windows_lose_nothing(shop: Shop, inclusive: bool) -> None:
    """A second of changes after the other, more than a page in all, so that windows end at each of them."""
    shop.inclusive = inclusive
    for number in range(1, 70):
        shop.add_order(number)
        shop.tick(1)
    copy = Copy(shop)
    await copy.run()
    assert copy.held.keys() == shop.orders.keys()


async def test_an_increment_brings_what_changed_and_an_unchanged_shop_costs_one_request(shop: Shop) -> None:
    for number in range(1, 8):
        shop.add_order(number)
        shop.tick(3600)
    copy = Copy(shop)
    await copy.run()
    shop.tick(3600)
    assert await copy.run() == []
    shop.tick(3600)
    sent = len(shop.requests)
    assert await copy.run() == []
    assert len(shop.requests) - sent == 1
    shop.tick(10)
    shop.touch(shop.orders[ids(3)[0]], fulfillment_status="fulfilled")
    shop.add_order(8)
    shop.tick(10)
    assert sorted(await copy.run()) == sorted(ids(3, 8))
    assert essence(copy.held) == essence(shop.orders)


async def test_what_was_being_written_when_the_last_run_passed_is_found_in_the_overlap(shop: Shop) -> None:
    copy = Copy(shop)
    await copy.run()
    late = shop.time()
    shop.tick(5)
    await copy.run()
    shop.add_order(1, updated_at=late)
    shop.tick(5)
    assert await copy.run() == ids(1)


async def test_an_order_that_changes_behind_the_walk_comes_again_at_its_end(shop: Shop) -> None:
    for number in range(1, 2 * IDS + 6):
        shop.add_order(number)
        shop.tick(60)
    copy = Copy(shop)
    await copy.run()
    for order in shop.orders.values():
        shop.tick(10)
        shop.touch(order)
    changed: set[str] = set()

    def change() -> None:
        id = shop.requests[-1]["variables"].get("i0")
        older = (shop.now - timedelta(seconds=120)).strftime("%Y-%m-%dT%H:%M:%S")
        if id and id not in changed and shop.orders[id]["updated_at"] < older:
            changed.add(id)
            shop.touch(shop.orders[id], packing_note="changed")

    shop.after_request = change
    await copy.run()
    assert changed
    assert essence(copy.held) == essence(shop.orders)


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_lost_while_orders_change_and_runs_are_killed(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(1, 101):
        shop.add_order(number)
        shop.tick(chance.choice([0, 0, 0, 1, 30]))

    def change() -> None:
        shop.tick(chance.choice([0, 1, 20]))
        for _ in range(chance.randrange(4)):
            order = shop.orders[chance.choice(list(shop.orders))]
            shop.touch(order, packing_note=str(chance.random()))
        if chance.random() < 0.3:
            shop.add_order(len(shop.orders) + 1)

    shop.after_request = change
    copy = Copy(shop)
    for _ in range(12):
        await copy.run(most=chance.choice([1, 7, 30, None]))
    shop.after_request = lambda: None
    shop.tick(30)
    await copy.run()
    await copy.run()
    assert essence(copy.held) == essence(shop.orders)


async def test_a_run_that_was_killed_goes_on_where_it_was(shop: Shop) -> None:
    for number in range(1, 21):
        shop.add_order(number)
        shop.tick(600)
    copy = Copy(shop)
    first = await copy.run(most=2)
    rest = await copy.run()
    assert first + rest == ids(*range(20, 0, -1))


async def test_a_window_yields_what_was_created_in_it_the_oldest_first(shop: Shop) -> None:
    for number in range(1, 13):
        shop.add_order(number)
        shop.tick(86_400)
    for order in shop.orders.values():
        shop.touch(order)
    copy = Copy(shop)
    window: Any = {"since": START + DAY, "until": START + 8 * DAY}
    first = await copy.run(most=1, **window)
    rest = await copy.run(**window)
    assert first + rest == ids(*range(2, 10))


async def test_more_changes_of_one_second_than_a_page_are_read_until_they_hold_still(shop: Shop) -> None:
    for number in range(1, 2 * IDS + 15):
        shop.add_order(number)
    shop.tick(30)
    leaving = iter(list(shop.orders.values())[-8:])

    def leave() -> None:
        """While they are paged, some of them leave the window, so that others move to a page that was read already."""
        if shop.requests[-1]["query"].startswith("query Ids") and (order := next(leaving, None)):
            shop.touch(order)

    shop.after_request = leave
    copy = Copy(shop)
    await copy.run()
    shop.after_request = lambda: None
    shop.tick(30)
    await copy.run()
    assert essence(copy.held) == essence(shop.orders)


async def test_a_window_that_never_holds_still_stops_the_run(shop: Shop) -> None:
    for number in range(1, 2 * IDS + 15):
        shop.add_order(number)
    shop.tick(30)
    orders = iter(list(shop.orders.values()))

    def leave() -> None:
        if shop.requests[-1]["variables"].get("after"):
            shop.touch(next(orders))

    shop.after_request = leave
    with pytest.raises(PlatformUnavailable, match="while they are read"):
        await Copy(shop).run()


async def test_an_order_comes_with_all_of_its_lines(shop: Shop) -> None:
    lines = [records.line(number) for number in range(1, 181)]
    sent = records.shipment(1, [(number, 1) for number in range(1, 91)])
    shop.add_order(1, line_items=records.connection(lines), shipments=[sent, records.shipment(2, [(91, 1)])])
    shop.tick(10)
    copy = Copy(shop)
    await copy.run()
    (order,) = ShipHeroConnector.map(Function.GET_ORDERS, json.dumps(copy.held[ids(1)[0]]).encode())
    assert [line.line_item_id for line in order.line_items] == [line["id"] for line in lines]  # type: ignore[union-attr]
    assert [len(shipment.line_items) for shipment in order.shipments] == [90, 1]  # type: ignore[union-attr]


async def test_no_request_can_cost_more_than_is_allowed(shop: Shop) -> None:
    for number in range(1, 21):
        shop.add_order(number, shipments=[records.shipment(number, [(number, 1)])])
        shop.add_product(number)
    shop.warehouses = {row["id"]: row for row in [records.warehouse(1)]}
    shop.tick(10)
    for function in Function:
        await Copy(shop, function).run()
    async with connected(shop) as connector:
        await connector.check()
        await connector.subscribe("https://unicart.example/hooks/1")
        await connector.fetch(Function.GET_ORDERS, list(shop.orders))
    assert 0 < shop.cost <= MOST_CREDITS / 2


async def test_an_account_with_fewer_credits_is_asked_for_fewer_orders_at_once(shop: Shop) -> None:
    for number in range(1, 12):
        shop.add_order(number)
    shop.tick(10)
    shop.most_credits = 400
    copy = Copy(shop)
    await copy.run()
    assert essence(copy.held) == essence(shop.orders)
    shop.most_credits = 100
    with pytest.raises(RequestRefused, match="exceeds the maximum"):
        await Copy(shop).run()


async def test_products_come_again_when_they_or_their_stock_change(shop: Shop) -> None:
    for number in range(1, 51):
        shop.add_product(number)
    shop.tick(3600)
    copy = Copy(shop, Function.GET_PRODUCTS)
    await copy.run()
    assert copy.held == shop.products
    shop.tick(3600)
    assert await copy.run() == []
    sent = len(shop.requests)
    shop.tick(3600)
    assert await copy.run() == []
    assert len(shop.requests) - sent == 2
    shop.tick(10)
    shop.products[ids(5, kind="Product")[0]]["warehouse_products"][0] |= {"available": 1, "updated_at": shop.time()}
    shop.products[ids(9, kind="Product")[0]] |= {"name": "renamed", "updated_at": shop.time()}
    shop.tick(10)
    assert set(await copy.run()) == set(ids(5, 9, kind="Product"))
    assert copy.held == shop.products


async def test_a_product_that_never_changed_is_part_of_a_first_run(shop: Shop) -> None:
    shop.add_product(1, updated_at="2001-01-01T00:00:00")
    shop.tick(10)
    assert await Copy(shop, Function.GET_PRODUCTS).run() == ids(1, kind="Product")


async def test_warehouses_come_whole_each_time(shop: Shop) -> None:
    shop.warehouses = {row["id"]: row for row in [records.warehouse(1), records.warehouse(2)]}
    shop.warehouses["hidden"] = None  # type: ignore[assignment]
    copy = Copy(shop, Function.GET_WAREHOUSES)
    for _ in range(2):
        assert await copy.run() == [records.EAST, records.WEST]
    late = Copy(shop, Function.GET_WAREHOUSES)
    assert await late.run(since=START, until=START + DAY) == []
    async with connected(shop) as connector:
        (found,) = await connector.fetch(Function.GET_WAREHOUSES, [records.WEST, "gone"])
    assert json.loads(found)["id"] == records.WEST


async def test_records_are_fetched_by_id_and_those_that_are_gone_are_left_out(shop: Shop) -> None:
    for number in range(1, 14):
        shop.add_order(number)
    wanted = [*shop.orders, records.uuid("Order", 99), ids(1)[0], ""]
    async with connected(shop) as connector:
        found = await connector.fetch(Function.GET_ORDERS, wanted)
        assert await connector.fetch(Function.GET_ORDERS, [records.uuid("Order", 99)]) == []
        shop.scripted.append((200, {}, b'{"errors": [{"message": "Order not found", "code": 5}], "data": null}'))
        assert await connector.fetch(Function.GET_ORDERS, [records.uuid("Order", 99)]) == []
    assert [json.loads(raw)["id"] for raw in found] == list(shop.orders)


async def test_one_order_that_is_gone_does_not_take_the_others_with_it(shop: Shop) -> None:
    """Should ShipHero answer no data at all where one of several orders is not found, the others are still there."""
    for number in range(1, 6):
        shop.add_order(number)
    shop.tick(10)
    gone = json.dumps({"errors": [{"message": "Order not found", "code": 5}], "data": None}).encode()
    async with connected(shop) as connector:
        await connector.check()
        shop.scripted.append((200, {}, gone))
        found = await connector.fetch(Function.GET_ORDERS, list(shop.orders))
    assert [json.loads(raw)["id"] for raw in found] == list(shop.orders)


async def test_hints_of_webhooks_lead_to_their_records(shop: Shop) -> None:
    shop.add_order(1, shipments=[records.shipment(7, [(1, 1)])])
    shop.add_product(3)
    async with connected(shop) as connector:
        unknown = records.uuid("Shipment", 99)
        (order,) = await connector.fetch(Function.GET_ORDERS, [records.uuid("Shipment", 7), unknown, ids(1)[0]])
        (product,) = await connector.fetch(Function.GET_PRODUCTS, ["sku:SKU-3", "sku:unknown"])
    assert json.loads(order)["id"] == ids(1)[0]
    assert json.loads(product)["id"] == records.uuid("Product", 3)


async def test_a_3pl_reads_all_of_its_clients_or_one(shop: Shop) -> None:
    shop.add_order(1)
    shop.add_order(2, account_id=records.CLIENT)
    shop.add_product(2, account_id=records.CLIENT)
    shop.add_product(1)
    shop.tick(10)
    assert set(await Copy(shop).run()) == set(ids(1, 2))
    assert await Copy(shop, customer=records.CLIENT).run() == ids(2)
    assert await Copy(shop, Function.GET_PRODUCTS, records.CLIENT).run() == ids(2, kind="Product")
    async with connected(shop, {"customer_account_id": records.CLIENT}) as connector:
        assert await connector.fetch(Function.GET_ORDERS, ids(1)) == []
        assert (await connector.check()).account_id == records.CLIENT


async def test_credits_that_are_used_up_are_waited_for(shop: Shop) -> None:
    shop.add_order(1)
    shop.tick(10)
    shop.starved = 1
    async with connected(shop) as connector:
        await connector.check()
    assert shop.starved == 0


@pytest.mark.parametrize(
    ("told", "seconds"), [("18 seconds", 18), ("1 second", 1), ("0 seconds", 1), ("2.5 minutes", 150), (None, 10)]
)
def test_the_wait_for_credits_is_told_in_words(told: str | None, seconds: int) -> None:
    error = GraphQLError(message="There are not enough credits", code=30, time_remaining=told)
    assert wait(error) == seconds
    words = "In 18 seconds you will have enough credits to perform the operation"
    assert wait(GraphQLError(message=words, code="30")) == 18


async def test_a_long_wait_for_credits_stops_the_run_and_tells_how_long(shop: Shop) -> None:
    shop.starved, shop.wait = 1, "55 minutes"
    with pytest.raises(RateLimitedByPlatform) as caught:
        await Copy(shop).run()
    assert caught.value.retry_after == 55 * 60


async def test_an_access_token_that_is_over_is_renewed(shop: Shop) -> None:
    for number in range(1, 21):
        shop.add_order(number)
    shop.tick(10)
    shop.after_request = lambda: shop.expire() if len(shop.requests) == 3 else None
    copy = Copy(shop)
    await copy.run()
    assert essence(copy.held) == essence(shop.orders)
    assert shop.logins == 2


async def test_a_refresh_token_that_was_revoked_is_reported(shop: Shop) -> None:
    shop.refreshable = False
    with pytest.raises(CredentialsRejected, match="does not accept the refresh token") as caught:
        await Copy(shop).run()
    assert "refresh-token-of" not in caught.value.message + caught.value.detail


async def test_a_login_that_is_cut_off_does_not_show_its_token(shop: Shop) -> None:
    async with connected(shop) as connector:
        shop.scripted.append((200, {}, b'{"access_token": "eyJ0eXAi'))
        with pytest.raises(BadAnswer) as caught:
            await connector.check()
    assert "eyJ0eXAi" not in caught.value.message + caught.value.detail
    assert caught.value.url == f"{shop.url}/auth/refresh"


async def test_a_scope_that_is_missing_is_named(shop: Shop) -> None:
    shop.add_product(1)
    shop.tick(10)
    shop.scopes.remove("view:orders")
    with pytest.raises(PermissionMissing, match="view:orders"):
        await Copy(shop).run()
    async with connected(shop) as connector:
        with pytest.raises(PermissionMissing, match="view:orders"):
            await connector.check()
    assert await Copy(shop, Function.GET_PRODUCTS).run() == ids(1, kind="Product")


@pytest.mark.parametrize("words", ["Token is expired", "Invalid token", "Unauthorized"])
async def test_a_token_that_is_refused_in_words_is_renewed_once(shop: Shop, words: str) -> None:
    refused = json.dumps({"errors": [{"message": words, "code": 3}], "data": None}).encode()
    async with connected(shop) as connector:
        await connector.check()
        shop.scripted.append((200, {}, refused))
        await connector.check()
        assert shop.logins == 2
        shop.scripted += [(200, {}, refused), (200, {}, b'{"access_token": "other"}'), (200, {}, refused)]
        with pytest.raises(CredentialsRejected, match=words):
            await connector.check()


def test_the_code_of_an_error_counts_before_its_words() -> None:
    for code, kind in ((7, PermissionMissing), (30, RateLimitedByPlatform), (4, CredentialsRejected)):
        assert type(refusal([GraphQLError(message="Unauthorized", code=code)], "https://x")) is kind


async def test_a_url_that_is_not_shipheros_is_not_blamed_on_the_token(shop: Shop) -> None:
    async with connected(shop) as connector:
        shop.scripted.append((404, {}, b"<html>no such page</html>"))
        with pytest.raises(RequestRefused, match="404"):
            await connector.check()
        shop.scripted.append((400, {}, b'{"error": "invalid_request"}'))
        with pytest.raises(CredentialsRejected, match="does not accept the refresh token"):
            await connector.check()


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_faults_that_pass_are_retried(shop: Shop, status: int) -> None:
    shop.add_order(1)
    shop.tick(10)
    async with connected(shop) as connector:
        await connector.check()
        shop.scripted += [(status, {"retry-after": "0"}, b"<html>sorry</html>")] * 2
        await connector.check()
    assert shop.scripted == []


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b'{"data": {"list": {"data": {"edges": [{"node": {"id": 5}}], "pageInfo": {}}}}}',
        b'{"data": {"list": null}}',
        b'{"data": {"list": {"data": {"edges": [{"node": {"id": "a", "at": "2026',
    ],
)
async def test_an_answer_that_is_not_documented_stops_the_function(shop: Shop, body: bytes) -> None:
    async with connected(shop) as connector:
        await connector.check()
        shop.scripted.append((200, {}, body))
        with pytest.raises(BadAnswer):
            [page async for page in connector.pull(Function.GET_ORDERS, Pull())]


async def test_another_refusal_is_quoted(shop: Shop) -> None:
    async with connected(shop) as connector:
        await connector.check()
        shop.scripted.append((200, {}, b'{"errors": [{"message": "Operation too complex", "code": 31}]}'))
        with pytest.raises(RequestRefused, match="Operation too complex"):
            await connector.check()


async def test_a_platform_that_does_not_answer_is_unavailable() -> None:
    async with scripted_server() as server:
        server.script(answer(200, b'{"access_token": "t"}'), FOREVER)
        session = Session(server.url, private_network=True, timeout=0.2, patience=0.5)
        connector = ShipHeroConnector({"refresh_token": "r", "url": server.url}, session)
        with pytest.raises(PlatformUnavailable):
            await connector.check()
        await session.close()


async def test_dates_are_asked_for_in_utc_without_a_zone(shop: Shop) -> None:
    async with connected(shop) as connector:
        since = datetime(2026, 5, 31, 12, tzinfo=UTC)
        [page async for page in connector.pull(Function.GET_ORDERS, Pull(since=since))]
    bounds = [request["variables"]["from"] for request in shop.requests]
    assert min(bounds) == "2026-05-31T11:59:59"


async def test_one_bad_record_does_not_spoil_the_others(shop: Shop) -> None:
    shop.add_order(1, total_price="a lot")
    shop.add_order(2)
    shop.tick(10)
    copy = Copy(shop)
    await copy.run()
    bad, good = (json.dumps(copy.held[id]).encode() for id in ids(1, 2))
    with pytest.raises(UnmappableRecord, match="total_price"):
        ShipHeroConnector.map(Function.GET_ORDERS, bad)
    assert [order.id for order in ShipHeroConnector.map(Function.GET_ORDERS, good)] == ids(2)
