"""The connector against a small Shopify whose records change while they are read, and whose answers are wrong at times."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from connectors.kit.server import FOREVER, answer
from connectors.shopify.goods import (
    Node,
    days,
    gid,
    group,
    line,
    location,
    order,
    product,
    refund,
    ship,
    stamp,
    touched,
    variant,
)
from connectors.shopify.record import whole_shop
from connectors.shopify.shop import CLIENT_ID, SCOPES, SECRET, START, TOKEN, Shop, connected
from unicart.connectors.kit import (
    BadAnswer,
    ConnectorError,
    CredentialsRejected,
    PermissionMissing,
    PlatformUnavailable,
    Pull,
    RateLimitedByPlatform,
    RawPage,
    RequestRefused,
    write_cursor,
)
from unicart.connectors.shopify import auth, client
from unicart.connectors.shopify.client import ShopifyConnector
from unicart.connectors.shopify.webhooks import SHIPPING_TOPICS, TOPICS
from unicart.contract.orders import Order, unreconciled
from unicart.contract.products import Product
from unicart.contract.resources import Function

pytestmark = pytest.mark.anyio
ORDERS, PRODUCTS, WAREHOUSES = Function.GET_ORDERS, Function.GET_PRODUCTS, Function.GET_WAREHOUSES
HOOKS = "https://unicart.example/inbound/conn_1"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_POLL", 0.01)


async def pages(connector: ShopifyConnector, function: Function = ORDERS, **pull: Any) -> list[RawPage]:
    return [page async for page in connector.pull(function, Pull(**pull))]


async def until_it_fails(connector: ShopifyConnector, found: list[RawPage], **pull: Any) -> None:
    """A run of orders of which the pages before its error are kept in ``found``."""
    async for page in connector.pull(ORDERS, Pull(**pull)):
        found.append(page)


def ids(found: Sequence[RawPage]) -> list[int]:
    return [int(json.loads(raw)["id"]) for page in found for raw in page.records]


def records(found: Sequence[RawPage]) -> dict[str, Any]:
    return {record["id"]: record for page in found for record in map(json.loads, page.records)}


def graphql_error(code: str) -> bytes:
    return answer(200, json.dumps({"errors": [{"message": "Oh", "extensions": {"code": code}}]}).encode())


def the_order(raw: bytes) -> Order:
    (mapped,) = ShopifyConnector.map(ORDERS, raw)
    assert isinstance(mapped, Order)
    return mapped


def variants_of(raw: bytes) -> list[Product]:
    _, *variants = ShopifyConnector.map(PRODUCTS, raw)
    return [each for each in variants if isinstance(each, Product)]


def shop_of(count: int, every: timedelta = timedelta(minutes=7)) -> Shop:
    """A shop with so many orders, the last of which is an hour old; number 1 is the oldest."""
    shop = Shop()
    for number in range(1, count + 1):
        shop.put(order(number, START - timedelta(hours=1) - every * (count - number)))
    return shop


def orders(shop: Shop) -> dict[int, Node]:
    return {int(id.rpartition("/")[2]): each for id, each in shop.tables["Order"].items()}


# The way in.


async def test_check_names_the_shop() -> None:
    async with connected(Shop()) as connector:
        account = await connector.check()
    assert (account.account_id, account.account_name) == ("test.myshopify.com", "Söhne")


async def test_a_wrong_token_is_rejected_and_not_told() -> None:
    shop = Shop()
    async with connected(shop, access_token="shpat_wrong") as connector:
        with pytest.raises(CredentialsRejected) as caught:
            await connector.check()
    assert "shpat_wrong" not in caught.value.message + caught.value.detail
    assert len(shop.requests) == 1


@pytest.mark.parametrize(("client_id", "api_secret"), [(CLIENT_ID, ""), ("", SECRET)])
async def test_half_of_the_credentials_is_none(client_id: str, api_secret: str) -> None:
    async with connected(Shop(), client_id=client_id, api_secret=api_secret) as connector:
        with pytest.raises(CredentialsRejected, match="client id"):
            await connector.check()


async def test_an_app_of_ones_own_logs_in_and_again_when_its_token_is_over() -> None:
    shop = Shop(tokens=[])
    async with connected(shop, client_id=CLIENT_ID, api_secret=SECRET) as connector:
        await connector.check()
        shop.tokens.clear()
        await asyncio.gather(*(connector.fetch(ORDERS, ["1"]) for _ in range(4)))
    assert shop.logins == 2


async def test_an_app_with_a_wrong_secret_is_rejected() -> None:
    async with connected(Shop(), client_id=CLIENT_ID, api_secret="wrong") as connector:
        with pytest.raises(CredentialsRejected, match="client id and secret") as caught:
            await connector.check()
    assert "wrong" not in caught.value.message + caught.value.detail


class Stored:
    """Credentials as another process may find and change them."""

    def __init__(self, **credentials: str) -> None:
        self.credentials = {"shop": "", "client_id": CLIENT_ID, "api_secret": SECRET, **credentials}

    async def read(self) -> dict[str, str]:
        return self.credentials

    async def write(self, changed: Mapping[str, str]) -> None:
        self.credentials |= changed


@asynccontextmanager
async def with_refresh_token(shop: Shop, stored: Stored) -> AsyncIterator[ShopifyConnector]:
    """A connector whose access token is over."""
    app = {"client_id": CLIENT_ID, "api_secret": SECRET}
    async with connected(shop, 30.0, **app, access_token="over", refresh_token="shprt_0") as connector:
        stored.credentials["shop"] = connector.credentials["shop"]
        connector.credential_store = stored
        yield connector


async def test_a_token_that_expired_is_renewed_and_kept() -> None:
    shop = Shop(tokens=[], refresh_tokens=["shprt_0"])
    stored = Stored(access_token="over", refresh_token="shprt_0")
    async with with_refresh_token(shop, stored) as connector:
        await asyncio.gather(*(connector.fetch(ORDERS, ["1"]) for _ in range(4)))
        assert (stored.credentials["access_token"], stored.credentials["refresh_token"]) == ("shpat_1", "shprt_1")
        shop.tokens.clear()
        await connector.check()
    assert (stored.credentials["access_token"], stored.credentials["refresh_token"]) == ("shpat_2", "shprt_2")
    assert shop.logins == 2


async def test_a_token_that_another_process_renewed_is_used() -> None:
    shop = Shop(tokens=["shpat_5"], refresh_tokens=["shprt_5"])
    async with with_refresh_token(shop, Stored(access_token="shpat_5", refresh_token="shprt_5")) as connector:
        await connector.check()
    assert shop.logins == 0


async def test_a_refresh_token_that_another_process_uses_meanwhile_is_no_failure() -> None:
    shop = Shop(tokens=["shpat_5"], refresh_tokens=["shprt_5"])
    stored = Stored(access_token="over", refresh_token="shprt_0")

    def renew() -> None:
        if shop.logins:
            stored.credentials |= {"access_token": "shpat_5", "refresh_token": "shprt_5"}

    shop.after_request = renew
    async with with_refresh_token(shop, stored) as connector:
        await connector.check()
    assert shop.logins == 1


async def test_a_refresh_token_that_is_over_is_told_and_not_shown() -> None:
    shop = Shop(tokens=[])
    async with with_refresh_token(shop, Stored(access_token="over", refresh_token="shprt_0")) as connector:
        with pytest.raises(CredentialsRejected, match="refresh token") as caught:
            await connector.check()
    assert "shprt_0" not in caught.value.message + caught.value.detail


async def test_a_refresh_token_is_nothing_without_the_app() -> None:
    async with connected(Shop(), access_token=TOKEN, refresh_token="shprt_0") as connector:
        with pytest.raises(CredentialsRejected, match="client id"):
            await connector.check()


@pytest.mark.parametrize("missing", [scope for scope in SCOPES if scope not in (auth.ALL_ORDERS, auth.THIRD_PARTY)])
async def test_a_missing_scope_is_named(missing: str) -> None:
    scopes = tuple(scope for scope in SCOPES if scope not in (missing, auth.THIRD_PARTY))
    async with connected(Shop(scopes=scopes)) as connector:
        with pytest.raises(PermissionMissing, match=missing):
            await connector.check()


@pytest.mark.parametrize(
    ("function", "scope"), [(ORDERS, "read_orders"), (PRODUCTS, "read_products"), (WAREHOUSES, "read_locations")]
)
async def test_a_scope_that_is_revoked_stops_its_function(function: Function, scope: str) -> None:
    shop = whole_shop()
    shop.scopes = tuple(each for each in SCOPES if each != scope)
    async with connected(shop) as connector:
        with pytest.raises(PermissionMissing, match=scope) as caught:
            await pages(connector, function)
    assert not caught.value.blocking


async def test_a_session_is_logged_in_before_a_request_of_a_clients_own() -> None:
    shop = whole_shop()
    async with connected(shop, client_id=CLIENT_ID, api_secret=SECRET) as connector:
        await connector.ready()
        asked = {"query": "query Shop { shop { name } }", "variables": {}}
        reply = await connector.session.passthrough("POST", "/graphql.json", params={}, json=asked, headers={})
    assert json.loads(reply.body)["data"] == {"shop": {"name": "Söhne"}}
    assert shop.logins == 1


# First runs of orders.


@pytest.mark.parametrize("limited", [True, False])
async def test_a_first_run_takes_the_newest_first_and_what_comes_meanwhile(limited: bool) -> None:
    shop = shop_of(45)
    since = START - timedelta(hours=1) - timedelta(minutes=7) * 30 if limited else None
    async with connected(shop) as connector:
        run = connector.pull(ORDERS, Pull(since=since))
        first = await anext(run)
        shop.put(order(99, shop.tick(1)))
        touched(orders(shop)[40], shop.now)
        rest = [page async for page in run]
    newest = list(range(45, 14 if limited else 0, -1))
    assert ids([first]) == newest[:10]
    assert first.total == len(newest)
    assert ids([first, *rest])[: len(newest)] == newest
    assert sorted(ids([first, *rest])[len(newest) :]) == [40, 99]


async def test_a_limited_first_run_finds_older_orders_that_changed_since() -> None:
    shop = shop_of(40, days(1))
    for number in (3, 7):
        touched(orders(shop)[number], START - timedelta(hours=2))
    async with connected(shop) as connector:
        found = await pages(connector, since=START - days(20))
    assert ids(found)[:19] == list(range(40, 21, -1))
    assert sorted(set(ids(found)) - set(range(20, 41))) == [3, 7]


@pytest.mark.parametrize("interrupted", [True, False])
async def test_a_first_run_goes_on_behind_each_of_its_pages(interrupted: bool) -> None:
    shop = shop_of(33)
    async with connected(shop) as connector:
        found = await pages(connector, since=START - days(1))
        for number, page in enumerate(found[:-1]):
            rest = await pages(connector, cursor=page.cursor, interrupted=interrupted)
            assert ids(rest) == ids(found[number + 1 :])
        assert ids(await pages(connector, cursor=found[-1].cursor, interrupted=True)) == []


async def test_orders_that_share_a_second_come_once_each() -> None:
    shop = Shop()
    for number in range(1, 61):
        shop.put(order(number, START - days(1) if 10 < number < 50 else START - days(2) + timedelta(minutes=number)))
    async with connected(shop) as connector:
        found = await pages(connector)
        window = await pages(connector, until=START)
    assert sorted(ids(found)) == sorted(ids(window)) == list(range(1, 61))


async def test_orders_of_one_second_come_whatever_their_fractions_that_are_not_shown() -> None:
    shop = Shop()
    for number in range(1, 31):
        made = shop.put(order(number, START - days(1)))
        made["storedAt"] = (START - days(1) + timedelta(milliseconds=number)).isoformat()
    async with connected(shop) as connector:
        assert sorted(ids(await pages(connector))) == list(range(1, 31))
        window = await pages(connector, since=START - days(1), until=START - days(1))
    assert sorted(ids(window)) == list(range(1, 31))


# Increments.


async def test_an_unchanged_shop_costs_two_requests() -> None:
    shop = shop_of(30)
    async with connected(shop) as connector:
        cursor = (await pages(connector))[-1].cursor
        shop.tick(3600)
        for _ in range(3):
            shop.requests.clear()
            found = await pages(connector, cursor=cursor)
            cursor = found[-1].cursor
            assert ids(found) == []
            assert len(shop.requests) == 2


async def test_changes_come_in_the_next_run_also_within_the_overlap() -> None:
    shop = shop_of(30)
    async with connected(shop) as connector:
        cursor = (await pages(connector))[-1].cursor
        shop.tick(3600)
        touched(orders(shop)[4], shop.now)
        found = await pages(connector, cursor=cursor)
        assert ids(found) == [4]
        late = touched(orders(shop)[5], shop.now - timedelta(seconds=30))
        late["note"] = "stored late"
        again = await pages(connector, cursor=found[-1].cursor)
        assert records(again)["5"]["note"] == "stored late"
        assert set(ids(again)) == {4, 5}


async def test_more_changes_in_one_second_than_a_page_holds() -> None:
    shop = shop_of(60)
    async with connected(shop) as connector:
        cursor = (await pages(connector))[-1].cursor
        moment = shop.tick(3600)
        for number in range(5, 50):
            touched(orders(shop)[number], moment)
        shop.tick(3600)
        found = await pages(connector, cursor=cursor)
        assert sorted(ids(found)) == list(range(5, 50))
        for number, page in enumerate(found[:-1]):
            rest = await pages(connector, cursor=page.cursor, interrupted=True)
            assert ids(rest) == ids(found[number + 1 :])


@pytest.mark.parametrize("function", [ORDERS, PRODUCTS])
async def test_a_run_that_goes_on_much_later_leaves_nothing_behind_its_place(function: Function) -> None:
    """It was interrupted within the second in which records changed; another one changed in that second afterwards."""
    shop = shop_of(40)
    for number in range(1, 41):
        shop.put(product(number, START - days(1) + timedelta(minutes=number)))
    of = "Order" if function is ORDERS else "Product"
    kept = shop.tables[of]
    async with connected(shop) as connector:
        cursor = (await pages(connector, function))[-1].cursor
        moment = shop.tick(3600)
        for number in range(20, 35):
            touched(kept[gid(of, number)], moment)
        run = connector.pull(function, Pull(cursor=cursor, overlap=timedelta(seconds=5)))
        first = await anext(run)
        await run.aclose()  # type: ignore[attr-defined]
        touched(kept[gid(of, 5)], moment)
        touched(kept[gid(of, 40)], shop.tick(3600))
        rest = await pages(connector, function, cursor=first.cursor, interrupted=True)
        found = await pages(connector, function, cursor=rest[-1].cursor)
    assert {34, 40} <= set(ids(rest))
    assert 5 in ids(found)


async def test_an_order_that_changes_while_it_is_listed_does_not_carry_the_walk_away() -> None:
    """Shopify finds records by an index, which lags behind: the last one of a page may show a date of right now."""
    shop = shop_of(40)
    async with connected(shop) as connector:
        cursor = (await pages(connector))[-1].cursor
        for number in range(1, 31):
            touched(orders(shop)[number], START + timedelta(minutes=number))
        shop.tick(3600)
        late = orders(shop)[10]
        late["indexedAt"] = late["updatedAt"]
        touched(late, shop.now)
        found = await pages(connector, cursor=cursor)
    assert ids(found)[:10] == list(range(1, 11))
    assert set(ids(found)) == set(range(1, 31))


async def test_a_cursor_of_shopify_that_is_of_no_use_any_more_is_done_without() -> None:
    shop = shop_of(40)
    for number in range(1, 31):
        touched(orders(shop)[number], START - timedelta(minutes=30))
    async with connected(shop) as connector:
        found = await pages(connector, cursor=(await pages(connector))[-1].cursor, overlap=days(1))
        tied = next(page for page in found if json.loads(page.cursor)["walk"]["after"])
        shop.failures = [graphql_error("INVALID_CURSOR")]
        rest = await pages(connector, cursor=tied.cursor, interrupted=True)
        assert set(ids(rest)) >= set(ids(found[found.index(tied) + 1 :]))
        shop.failures = [graphql_error("INVALID_CURSOR")] * 2
        with pytest.raises(RequestRefused):
            await pages(connector, cursor=tied.cursor, interrupted=True)


async def test_a_change_of_a_fulfilment_order_brings_the_order() -> None:
    shop = shop_of(20)
    async with connected(shop) as connector:
        cursor = (await pages(connector))[-1].cursor
        shop.tick(3600)
        orders(shop)[3]["fulfillmentOrders"][0] |= {"status": "ON_HOLD", "updatedAt": stamp(shop.now)}
        changed = touched(orders(shop)[4], shop.now)
        changed["fulfillmentOrders"][0]["updatedAt"] = stamp(shop.now)
        found = await pages(connector, cursor=cursor)
        assert sorted(ids(found)) == [3, 4]
        assert records(found)["3"]["fulfillmentOrders"][0]["status"] == "ON_HOLD"
        shop.tick(3600)
        # Within the overlap, the order itself comes again, and the other one once more.
        found = await pages(connector, cursor=found[-1].cursor)
        assert sorted(ids(found)) == [3, 4]
        shop.requests.clear()
        assert ids(await pages(connector, cursor=found[-1].cursor)) == [4]
        assert len(shop.requests) == 2


async def test_a_fulfilment_order_that_changes_twice_in_the_second_of_a_run_is_not_taken_for_known() -> None:
    shop = shop_of(20)
    async with connected(shop) as connector:
        cursor = (await pages(connector))[-1].cursor
        changing = orders(shop)[3]["fulfillmentOrders"][0]
        changing |= {"status": "ON_HOLD", "updatedAt": stamp(shop.tick(3600))}
        found = await pages(connector, cursor=cursor)
        changing["status"] = "OPEN"
        shop.tick(600)
        again = await pages(connector, cursor=found[-1].cursor)
    assert records(again)["3"]["fulfillmentOrders"][0]["status"] == "OPEN"


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_missed_while_orders_change_under_the_walk(seed: int) -> None:
    """Runs are killed at random, and go on; in the end the copy is the shop."""
    chance = random.Random(seed)
    shop = shop_of(40)
    copy: dict[str, Any] = {}

    def change() -> None:
        shop.tick(chance.choice([0, 0, 0.4, 1, 20]))
        for _ in range(chance.choice([0, 1, 1, 4])):
            number = chance.choice(list(orders(shop)))
            touched(orders(shop)[number], shop.now)["note"] = f"{shop.now} {chance.random()}"
        if chance.random() < 0.3:
            shop.put(order(len(orders(shop)) + 100, shop.now))

    async with connected(shop) as connector:
        cursor: str | None = None
        interrupted = False
        shop.after_request = change
        for _ in range(12):
            most = chance.choice([1, 2, 3, 99])
            run = connector.pull(ORDERS, Pull(cursor=cursor, interrupted=interrupted))
            interrupted = False
            async for page in run:
                copy |= records([page])
                cursor = page.cursor
                most -= 1
                if not most:
                    interrupted = True
                    break
            await run.aclose()  # type: ignore[attr-defined]
        shop.after_request = lambda: None
        shop.tick(90)
        for again in (interrupted, False):
            found = await pages(connector, cursor=cursor, interrupted=again)
            copy |= records(found)
            cursor = found[-1].cursor
    assert {int(id): record["note"] for id, record in copy.items()} == {
        number: each["note"] for number, each in orders(shop).items()
    }


# What is in an order.


async def test_an_order_of_six_hundred_lines_is_whole() -> None:
    shop = Shop()
    lines = [line(number, "1.10", 2, taxes=["0.20"]) for number in range(1, 601)]
    large = shop.put(order(1, START - days(1), lines, shipping="9.00"))
    for parcel in range(30):
        ship(large, parcel + 1, START, {each["id"]: 1 for each in lines[parcel * 20 : parcel * 20 + 20]})
    refund(large, 1, START, {each["id"]: 1 for each in lines[:150]})
    large["fulfillmentOrders"] += [group(90 + extra, START, {lines[extra]["id"]: 1}, 2) for extra in range(7)]
    async with connected(shop) as connector:
        found = await pages(connector)
        (fetched,) = await connector.fetch(ORDERS, ["1"])
    mapped = the_order(found[0].records[0])
    assert len(mapped.line_items) == 600
    assert unreconciled(mapped) == 0
    assert [len(parcel.line_items) for parcel in mapped.shipments] == [20] * 30
    assert [len(each.line_items) for each in mapped.shipping_groups] == [600] + [1] * 7
    assert len(mapped.additional_fields["refunds"][0].line_items) == 150
    assert json.loads(fetched) == json.loads(found[0].records[0])


# Bulk operations.


async def bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BULK_FROM", 5)
    monkeypatch.setattr(client, "BULK_PAGE", 3)
    monkeypatch.setattr(client, "BULK_PIECE", 5000)


async def test_a_bulk_operation_brings_what_pages_bring(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = whole_shop()
    async with connected(shop) as connector:
        one_by_one = await pages(connector)
        await bulk(monkeypatch)
        shop.bulk_polls = 3
        at_once = await pages(connector)
        assert shop.asked("bulkOperationRunQuery") == 1
        assert len(shop.downloads) > 3
        expected = {id: connector.map(ORDERS, json.dumps(each).encode()) for id, each in records(one_by_one).items()}
        got = {id: connector.map(ORDERS, json.dumps(each).encode()) for id, each in records(at_once).items()}
    assert got == expected
    assert len(expected) == 14
    assert at_once[0].total == 14
    assert all("x-shopify-access-token" not in each.headers for each in shop.downloads)


async def test_a_bulk_operation_goes_on_where_it_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    await bulk(monkeypatch)
    shop = shop_of(14)
    for number in (3, 9, 11):
        ship(orders(shop)[number], number, START - timedelta(minutes=30), {gid("LineItem", number * 10): 1})
    async with connected(shop) as connector:
        found = await pages(connector, since=START - days(1))
        assert sorted(ids(found)) == list(range(1, 15))
        assert records(found)["9"]["fulfillments"][0]["fulfillmentLineItems"]
        for number, page in enumerate(found):
            rest = await pages(connector, cursor=page.cursor, interrupted=True)
            assert ids(rest) == ids(found[number + 1 :])
        assert shop.asked("bulkOperationRunQuery") == 1


async def test_a_bulk_operation_is_limited_to_the_window_and_then_come_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    await bulk(monkeypatch)
    shop = shop_of(40, days(1))
    touched(orders(shop)[7], START - timedelta(hours=2))
    async with connected(shop) as connector:
        run = connector.pull(ORDERS, Pull(since=START - days(20)))
        first = await anext(run)
        touched(orders(shop)[30], shop.tick(1))["note"] = "changed meanwhile"
        found = [first, *[page async for page in run]]
    assert set(range(22, 41)) | {7} <= set(ids(found)) <= set(range(21, 41)) | {7}
    assert records(found)["30"]["note"] == "changed meanwhile"


async def test_a_failed_bulk_operation_is_tried_again_and_then_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    await bulk(monkeypatch)
    shop = shop_of(12)
    shop.bulk_status = "FAILED"
    told: list[RawPage] = []
    async with connected(shop) as connector:
        for _ in range(client.BULK_TRIES):
            last = told[-1].cursor if told else None
            with pytest.raises(PlatformUnavailable, match="bulk operation"):
                await until_it_fails(connector, told, cursor=last, interrupted=last is not None)
        found = await pages(connector, cursor=told[-1].cursor, interrupted=True)
    assert ids(found) == list(range(12, 0, -1))
    assert shop.asked("bulkOperationRunQuery") == client.BULK_TRIES


async def test_without_room_for_a_bulk_operation_the_orders_come_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    await bulk(monkeypatch)
    shop = shop_of(12)
    shop.bulk_busy = True
    async with connected(shop) as connector:
        assert ids(await pages(connector)) == list(range(12, 0, -1))


async def test_a_bulk_operation_that_is_over_is_run_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    await bulk(monkeypatch)
    shop = shop_of(12)
    cursor = ""
    async with connected(shop) as connector:
        async for page in connector.pull(ORDERS, Pull()):
            cursor = page.cursor
            if page.records:
                break
        shop.operations.clear()
        told: list[RawPage] = []
        with pytest.raises(PlatformUnavailable, match="EXPIRED"):
            await until_it_fails(connector, told, cursor=cursor, interrupted=True)
        again = await pages(connector, cursor=told[-1].cursor, interrupted=True)
        assert sorted(ids(again)) == list(range(1, 13))


async def test_a_result_of_unknown_length_is_not_taken_for_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    await bulk(monkeypatch)
    shop = shop_of(12)
    async with connected(shop) as connector:
        await anext(connector.pull(ORDERS, Pull()))
        ((id, operation),) = shop.operations.items()
        shop.operations[id] = operation | {"status": "COMPLETED", "url": f"{shop.url}/bulk/1", "fileSize": None}
        cursor = client.OrdersCursor(phase="bulk", bulk=client.Bulk(id), reached=START, groups=START)
        with pytest.raises(BadAnswer, match="how large"):
            await pages(connector, cursor=write_cursor(cursor), interrupted=True)


# Orders that are hidden.


def without_old_orders(shop: Shop) -> Shop:
    shop.scopes = tuple(scope for scope in SCOPES if scope != auth.ALL_ORDERS)
    return shop


@pytest.mark.parametrize("since", [None, START - days(62)])
async def test_orders_that_the_app_may_not_see_are_noticed_in_every_run(since: Any) -> None:
    shop = without_old_orders(shop_of(40, days(3)))
    async with connected(shop) as connector:
        found = await pages(connector, since=since)
        assert ids(found) == list(range(40, 20, -1))
        assert all("read_all_orders" in (page.notice or "") for page in found)
        touched(orders(shop)[30], shop.tick(3600))
    async with connected(shop) as connector:
        shop.requests.clear()
        found = await pages(connector, cursor=found[-1].cursor)
        assert ids(found) == [30]
        assert all(page.notice for page in found)
        assert len(shop.requests) == 2
        shop.scopes = SCOPES
        found = await pages(connector, cursor=found[-1].cursor)
        assert [page.notice for page in found] == [None] * len(found)


async def test_shipping_groups_that_the_app_may_not_see_are_noticed() -> None:
    shop = shop_of(3)
    shop.scopes = tuple(scope for scope in SCOPES if scope != auth.THIRD_PARTY)
    async with connected(shop) as connector:
        found = await pages(connector)
    assert len(ids(found)) == 3
    assert all("read_third_party_fulfillment_orders" in (page.notice or "") for page in found)
    shop.scopes = (*shop.scopes, "write_third_party_fulfillment_orders")
    async with connected(shop) as connector:
        assert (await pages(connector, cursor=found[-1].cursor))[-1].notice is None


async def test_orders_that_grow_too_old_to_be_seen_are_noticed_then() -> None:
    shop = without_old_orders(shop_of(5))
    async with connected(shop) as connector:
        found = await pages(connector, since=START - days(30))
        assert found[-1].notice is None
        shop.tick(days(40).total_seconds())
        assert (await pages(connector, cursor=found[-1].cursor))[-1].notice


async def test_a_history_that_all_can_be_seen_of_is_not_noticed() -> None:
    young = without_old_orders(shop_of(5))
    young.created = START - days(30)
    async with connected(young) as connector:
        found = await pages(connector)
        assert (len(ids(found)), found[-1].notice) == (5, None)
    old = without_old_orders(shop_of(5))
    async with connected(old) as connector:
        found = await pages(connector, since=START - days(60))
        assert (len(ids(found)), found[-1].notice) == (5, None)


async def test_a_window_of_hidden_orders_is_not_said_to_be_complete() -> None:
    shop = without_old_orders(shop_of(40, days(3)))
    async with connected(shop) as connector:
        assert len(ids(await pages(connector, since=START - days(50), until=START))) == 17
        with pytest.raises(PermissionMissing, match="read_all_orders"):
            await pages(connector, since=START - days(90), until=START)


async def test_a_hidden_order_is_not_taken_for_a_deleted_one() -> None:
    shop = without_old_orders(shop_of(40, days(3)))
    async with connected(shop) as connector:
        found = await connector.fetch(ORDERS, ["38", "2", "9" * 5000])
        assert [json.loads(raw)["id"] for raw in found] == ["38"]
        assert await connector.oldest_visible(ORDERS) == START - days(59)
        assert await connector.oldest_visible(PRODUCTS) is None
    shop.scopes = SCOPES
    async with connected(shop) as connector:
        assert await connector.oldest_visible(ORDERS) is None


# Single records and windows.


async def test_records_are_fetched_by_unified_ids() -> None:
    shop = whole_shop()
    async with connected(shop) as connector:
        wanted = [str(number) for number in range(1001, 1030)] + ["nonsense", "", "1001"]
        found = await connector.fetch(ORDERS, wanted)
        assert sorted(json.loads(raw)["id"] for raw in found) == [str(number) for number in range(1001, 1015)]
        pulled = records(await pages(connector))
        assert {record["id"]: record for record in map(json.loads, found)} == pulled
        goods = await connector.fetch(PRODUCTS, ["5010", "5011", "502", "inventory-item-5030", "9", "inventory-item-x"])
        assert sorted(json.loads(raw)["id"] for raw in goods) == ["501", "502", "503"]
        places = await connector.fetch(WAREHOUSES, ["2", "3"])
        assert [json.loads(raw)["id"] for raw in places] == ["2"]
        assert await connector.fetch(ORDERS, []) == []


@pytest.mark.parametrize("function", list(Function))
async def test_a_window_holds_all_that_was_created_in_it_from_the_oldest_on(function: Function) -> None:
    shop = shop_of(40)
    for number in range(1, 41):
        created = START - timedelta(hours=1) - timedelta(minutes=7) * (40 - number)
        shop.put(product(number, created), location(number, created))
    since = START - timedelta(hours=1) - timedelta(minutes=7) * 30
    until = START - timedelta(hours=1) - timedelta(minutes=7) * 5
    async with connected(shop) as connector:
        found = await pages(connector, function, since=since, until=until)
        assert ids(found) == list(range(10, 36))
        for number, page in enumerate(found):
            if function is not WAREHOUSES:
                rest = await pages(connector, function, since=since, until=until, cursor=page.cursor, interrupted=True)
                assert ids(rest) == ids(found[number + 1 :])
        last = await pages(connector, function, since=until, until=until)
        assert ids(last) == [35]


# Products and locations.


async def test_products_come_again_when_they_or_their_parts_change() -> None:
    shop = Shop()
    shop.put(location(1, START - days(9)), location(2, START - days(9)))
    for number in range(1, 13):
        shop.put(
            product(
                number, START - days(5) + timedelta(hours=number), [variant(number * 10, START - days(5), {1: 3, 2: 4})]
            )
        )
    goods = shop.tables["Product"]
    async with connected(shop) as connector:
        found = await pages(connector, PRODUCTS)
        assert sorted(ids(found)) == list(range(1, 13))
        shop.tick(3600)
        shop.requests.clear()
        unchanged = await pages(connector, PRODUCTS, cursor=found[-1].cursor)
        assert ids(unchanged) == [12]
        assert len(shop.requests) == 5
        shop.tick(3600)
        touched(goods[gid("Product", 3)], shop.now)
        touched(goods[gid("Product", 4)]["variants"][0], shop.now)["price"] = "1.00"
        level = goods[gid("Product", 5)]["variants"][0]["inventoryItem"]["inventoryLevels"][1]
        touched(level, shop.now)["quantities"][0]["quantity"] = 77
        changed = await pages(connector, PRODUCTS, cursor=unchanged[-1].cursor)
        assert set(ids(changed)) - {12} == {3, 4, 5}
        (thing,) = variants_of(json.dumps(records(changed)["5"]).encode())
        assert thing.inventory_by_warehouse_id == {"1": 3, "2": 77}
        shop.tick(3600)
        touched(level, shop.now)["isActive"] = False
        changed = await pages(connector, PRODUCTS, cursor=changed[-1].cursor)
        (thing,) = variants_of(json.dumps(records(changed)["5"]).encode())
        assert thing.inventory_by_warehouse_id == {"1": 3}
        shop.tick(3600)
        again = await pages(connector, PRODUCTS, cursor=changed[-1].cursor)
        shop.tick(3600)
        assert ids(await pages(connector, PRODUCTS, cursor=again[-1].cursor)) == [3]


async def test_a_product_of_many_variants_and_locations_is_whole() -> None:
    shop = Shop()
    for number in range(1, 12):
        shop.put(location(number, START))
    variants = [variant(number, START, {place: place for place in range(1, 12)}) for number in range(1, 121)]
    shop.put(product(1, START, variants))
    async with connected(shop) as connector:
        found = await pages(connector, PRODUCTS)
    mapped = variants_of(found[0].records[0])
    assert [each.inventory for each in mapped] == [66] * 120


async def test_locations_come_again_when_anything_of_them_changes() -> None:
    shop = Shop()
    shop.put(*(location(number, START) for number in range(1, 61)))
    async with connected(shop) as connector:
        found = await pages(connector, WAREHOUSES)
        assert sorted(ids(found)) == list(range(1, 61))
        shop.tables["Location"][gid("Location", 7)]["isActive"] = False
        found = await pages(connector, WAREHOUSES, cursor=found[-1].cursor)
        assert ids(found) == [7]
        assert ids(await pages(connector, WAREHOUSES, cursor=found[-1].cursor)) == []


# Costs and failures.


async def test_queries_wait_for_the_points_that_they_cost() -> None:
    shop = shop_of(35)
    shop.available, shop.restore_rate = 250.0, 2000.0
    waits: list[float] = []
    async with connected(shop) as connector:
        connector.session.throttle.pause = waits.append  # type: ignore[method-assign, assignment]
        assert sorted(ids(await pages(connector))) == list(range(1, 36))
    # Of 250 points, three small queries leave 214, and two pages of 102 each leave 10: 92 are lacking for the next page.
    assert 0.046 in [round(wait, 6) for wait in waits]


async def test_fewer_records_are_asked_for_where_a_query_is_too_costly() -> None:
    shop = shop_of(25)
    shop.most_cost = 40.0
    async with connected(shop) as connector:
        found = await pages(connector)
        assert sorted(ids(found)) == list(range(1, 26))
        assert len(await connector.fetch(ORDERS, [str(number) for number in range(1, 26)])) == 25
    sizes = {each["variables"]["first"] for each in shop.requests if " orders(" in each["query"]}
    assert sizes == {10, 5, 2}


async def test_a_query_that_is_too_costly_for_one_record_is_refused() -> None:
    shop = shop_of(3)
    shop.most_cost = 5.0
    async with connected(shop) as connector:
        with pytest.raises(ConnectorError, match="costly"):
            await pages(connector)


async def test_throttling_that_does_not_end_ends_the_run() -> None:
    shop = shop_of(3)
    shop.available, shop.restore_rate = 0.0, 1e-9
    async with connected(shop) as connector:
        with pytest.raises(RateLimitedByPlatform):
            await pages(connector)


@pytest.mark.parametrize(
    "failure",
    [
        answer(500),
        answer(502, b"<html>"),
        answer(429, retry_after="0.1"),
        graphql_error("INTERNAL_SERVER_ERROR"),
        graphql_error("TIMEOUT"),
        graphql_error("THROTTLED"),
        answer(200, b'{"data"', length=999),
    ],
    ids=["500", "502", "429", "internal", "timeout", "throttled", "cut"],
)
async def test_what_passes_is_asked_again(failure: bytes) -> None:
    shop = shop_of(3)
    shop.failures = [failure, failure]
    async with connected(shop) as connector:
        assert ids(await pages(connector)) == [3, 2, 1]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (answer(404, b'{"errors":"Not Found"}'), RequestRefused),
        (answer(423, b'{"errors":"Locked"}'), RequestRefused),
        (answer(200, b"<html>please log in</html>"), BadAnswer),
        (answer(200, b'{"data": {"shop": null}}'), BadAnswer),
        (answer(200, b'{"data": null}'), BadAnswer),
        (graphql_error("SHOP_INACTIVE"), CredentialsRejected),
        (graphql_error("undefinedField"), RequestRefused),
    ],
    ids=["404", "423", "html", "null", "no data", "inactive", "query"],
)
async def test_what_does_not_pass_is_told(failure: bytes, error: type[ConnectorError]) -> None:
    shop = shop_of(3)
    shop.failures = [failure] * 9
    async with connected(shop) as connector:
        with pytest.raises(error):
            await connector.check()


async def test_a_shop_that_does_not_answer_is_unavailable() -> None:
    shop = Shop(failures=[FOREVER] * 9)
    async with connected(shop, slowest=0.05) as connector:
        connector.session._patience = 0.3
        with pytest.raises(PlatformUnavailable):
            await connector.check()


# Webhooks.


async def test_subscribing_anew_leaves_one_subscription_for_each_topic() -> None:
    shop = Shop()
    async with connected(shop, access_token=TOKEN, api_secret=SECRET) as connector:
        await connector.subscribe("https://unicart.example/other")
        first = await connector.subscribe(HOOKS)
        shop.subscriptions.pop()
        assert await connector.subscribe(HOOKS) == first
        there = [each["topic"] for each in shop.subscriptions if each["uri"] == HOOKS]
        assert sorted(there) == sorted(TOPICS)
        await connector.unsubscribe(first)
        await connector.unsubscribe(first)
        assert {each["uri"] for each in shop.subscriptions} == {"https://unicart.example/other"}


async def test_fulfilments_are_subscribed_to_where_the_app_may_read_them() -> None:
    shop = Shop(scopes=(*SCOPES, "write_fulfillments"))
    async with connected(shop, access_token=TOKEN, api_secret=SECRET) as connector:
        await connector.subscribe(HOOKS)
    assert {each["topic"] for each in shop.subscriptions} == {*TOPICS, *SHIPPING_TOPICS}


async def test_without_the_client_secret_nothing_is_subscribed_to() -> None:
    shop = Shop()
    async with connected(shop) as connector:
        with pytest.raises(RequestRefused, match="--api-secret"):
            await connector.subscribe(HOOKS)
    assert shop.subscriptions == []
