"""The client against a server that pages, filters, throttles and refuses as BigCommerce does."""

import json
import random
from collections.abc import Iterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest
import stamina

from connectors.bigcommerce import records
from connectors.bigcommerce.shop import NEVER, START, TOKEN, FakeBigCommerce, connected, ids, pages
from unicart.connectors.bigcommerce.client import PAGE_SIZE, BigCommerceConnector
from unicart.connectors.bigcommerce.errors import told_wait
from unicart.connectors.kit import (
    BadAnswer,
    CredentialsRejected,
    Hook,
    PermissionMissing,
    PlatformUnavailable,
    Pull,
    RateLimitedByPlatform,
)
from unicart.contract.orders import Order, Refund
from unicart.contract.resources import Function

pytestmark = pytest.mark.anyio
ORDERS, PRODUCTS, WAREHOUSES = Function.GET_ORDERS, Function.GET_PRODUCTS, Function.GET_WAREHOUSES


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=8, cap=True):
        yield


@pytest.fixture
def shop() -> Iterator[FakeBigCommerce]:
    with FakeBigCommerce() as running:
        yield running


def filled(shop: FakeBigCommerce, count: int = 250) -> list[int]:
    """Orders a minute apart; their ids, from the oldest."""
    for number in range(count):
        shop.place(at=START + timedelta(minutes=number))
    shop.now = START + timedelta(minutes=count)
    return sorted(shop.orders)


def order_of(raw: bytes) -> Order:
    (order,) = BigCommerceConnector.map(ORDERS, raw)
    assert isinstance(order, Order)
    return order


async def test_check_names_the_store(shop: FakeBigCommerce) -> None:
    async with connected(shop) as connector:
        account = await connector.check()
    assert (account.account_id, account.account_name) == ("abc123", "Söhne & Co")


async def test_a_revoked_token_is_told_without_the_token(shop: FakeBigCommerce) -> None:
    shop.token = "another"
    async with connected(shop) as connector:
        with pytest.raises(CredentialsRejected) as caught:
            await connector.check()
    assert TOKEN not in caught.value.message + caught.value.detail
    assert "Renew" in caught.value.message


@pytest.mark.parametrize(
    ("function", "path", "scope"),
    [
        (ORDERS, "/v2/orders", "store_v2_orders_read_only"),
        (PRODUCTS, "/v3/inventory", "store_inventory_read_only"),
        (PRODUCTS, "/v3/catalog", "store_v2_products_read_only"),
        (PRODUCTS, "/v2/store", "store_v2_information_read_only"),
        (WAREHOUSES, "/v3/inventory", "store_locations_read_only"),
    ],
)
async def test_a_missing_scope_is_named(shop: FakeBigCommerce, function: Function, path: str, scope: str) -> None:
    shop.place()
    shop.stock_up(7)
    shop.scopes.remove(path)
    async with connected(shop) as connector:
        with pytest.raises(PermissionMissing) as caught:
            await pages(connector, function)
    assert scope in caught.value.message


async def test_a_first_run_takes_the_newest_first_and_then_what_changed_meanwhile(shop: FakeBigCommerce) -> None:
    placed = filled(shop)
    async with connected(shop) as connector:
        run = connector.pull(ORDERS, Pull())
        first = await anext(run)
        shop.touch(placed[-3], staff_notes="changed behind the walk")
        shop.tick()
        late = shop.place()["id"]
        rest = [page async for page in run]
    assert ids([first]) == placed[::-1][:PAGE_SIZE]
    assert ids([first, *rest])[: len(placed)] == placed[::-1]
    assert {placed[-3], late} == set(ids([first, *rest])[len(placed) :])
    assert first.total == 250


@pytest.mark.parametrize("excludes_bounds", [False, True])
async def test_every_order_comes_once_in_a_first_run_and_nothing_in_the_next(
    shop: FakeBigCommerce, excludes_bounds: bool
) -> None:
    shop.excludes_bounds = excludes_bounds
    placed = filled(shop)
    async with connected(shop) as connector:
        found = await pages(connector)
        assert sorted(ids(found)) == placed
        before = len(shop.exchanges)
        assert ids(await pages(connector, cursor=found[-1].cursor)) == []
    assert len(shop.exchanges) - before == 2


async def test_an_empty_store_answers_nothing_and_that_is_no_failure(shop: FakeBigCommerce) -> None:
    async with connected(shop) as connector:
        found = await pages(connector)
        shop.place()
        assert ids(await pages(connector, cursor=found[-1].cursor)) == [100]
    assert any(each.status == 204 for each in shop.exchanges)


@pytest.mark.parametrize("since", [None, START + timedelta(minutes=130)])
async def test_a_run_goes_on_behind_each_of_its_pages(shop: FakeBigCommerce, since: Any) -> None:
    placed = filled(shop)
    for id in placed[:120:10]:
        shop.tick()
        shop.touch(id)
    async with connected(shop) as connector:
        found = await pages(connector, since=since)
        for number, page in enumerate(found):
            rest = await pages(connector, cursor=page.cursor, interrupted=True, since=since)
            assert ids(rest) == ids(found[number + 1 :])


async def test_since_limits_a_first_run_to_what_was_created_or_changed_from_then_on(shop: FakeBigCommerce) -> None:
    placed = filled(shop)
    since = START + timedelta(minutes=200)
    shop.now = since + timedelta(minutes=5)
    shop.refund(placed[20])
    shop.now = since + timedelta(minutes=60)
    shop.touch(placed[10])
    async with connected(shop) as connector:
        found = await pages(connector, since=since)
    assert set(ids(found)) == {placed[10], placed[20], *placed[200:]}


async def test_an_order_that_moves_to_the_end_while_the_list_is_walked_makes_no_other_be_skipped(
    shop: FakeBigCommerce,
) -> None:
    async with connected(shop) as connector:
        cursor = (await pages(connector))[-1].cursor
        placed = filled(shop, 320)
        moved: list[int] = []

        def move() -> None:
            if len(moved) < 6:
                moved.append(placed[len(moved)])
                shop.tick()
                shop.touch(moved[-1], staff_notes="moved")

        shop.after_request = move
        found = await pages(connector, cursor=cursor)
        shop.after_request = lambda: None
        found += await pages(connector, cursor=found[-1].cursor)
    assert set(ids(found)) == set(placed)
    notes = {json.loads(raw)["id"] for page in found for raw in page.records if b'"moved"' in raw}
    assert notes == set(moved)


@pytest.mark.parametrize("excludes_bounds", [False, True])
async def test_more_orders_than_a_page_in_one_second_are_all_read(shop: FakeBigCommerce, excludes_bounds: bool) -> None:
    shop.excludes_bounds = excludes_bounds
    async with connected(shop) as connector:
        cursor = (await pages(connector))[-1].cursor
        for _ in range(2 * PAGE_SIZE + 30):
            shop.place()
        shop.tick()
        last = shop.place()["id"]
        found = await pages(connector, cursor=cursor)
        window = await pages(connector, since=START, until=START)
        for number, page in enumerate(found):
            rest = await pages(connector, cursor=page.cursor, interrupted=True)
            assert sorted(ids(rest)) == sorted(ids(found[number + 1 :]))
    assert all(len(page.records) <= PAGE_SIZE for page in found)
    assert sorted(ids(found)) == sorted(shop.orders)
    assert len(ids(found)) == len(shop.orders)
    assert sorted(ids(window)) == sorted(set(shop.orders) - {last})


async def test_a_second_change_within_one_second_is_not_taken_for_the_first(shop: FakeBigCommerce) -> None:
    id = shop.place()["id"]
    async with connected(shop) as connector:
        cursor = (await pages(connector))[-1].cursor
        shop.touch(id, staff_notes="in the same second")
        found = await pages(connector, cursor=cursor)
    assert b"in the same second" in found[0].records[0]


async def test_incomplete_orders_are_none_until_they_are_placed(shop: FakeBigCommerce) -> None:
    shop.place()
    id = shop.place(status_id=0)["id"]
    async with connected(shop) as connector:
        found = await pages(connector)
        assert id not in ids(found)
        assert found[0].total == 1
        assert await connector.fetch(ORDERS, [str(id)]) == []
        shop.tick()
        shop.touch(id, status_id=11, status="Awaiting Fulfillment")
        assert ids(await pages(connector, cursor=found[-1].cursor)) == [id]


async def test_a_refund_brings_its_order_although_the_order_did_not_change(shop: FakeBigCommerce) -> None:
    placed = filled(shop, 5)
    async with connected(shop) as connector:
        cursor = (await pages(connector))[-1].cursor
        shop.tick(3600)
        shop.refund(placed[2], 1.5)
        found = await pages(connector, cursor=cursor)
        again = await pages(connector, cursor=found[-1].cursor)
    assert ids(found) == [placed[2]]
    assert [refund.amount for refund in _refunds(found[1].records[0])] == [pytest.approx(1.5)]
    assert ids(again) == []


async def test_shipments_are_read_for_orders_that_have_some(shop: FakeBigCommerce) -> None:
    placed = filled(shop, 4)
    shop.ship(placed[1])
    async with connected(shop) as connector:
        found = await pages(connector)
    orders = {int(order.id): order for page in found for order in map(order_of, page.records)}
    assert [shipment.tracking_number for shipment in orders[placed[1]].shipments] == ["EJ958083578US"]
    assert [each.path for each in shop.exchanges if "shipments" in each.path] == [f"/v2/orders/{placed[1]}/shipments"]


async def test_lines_that_no_consignment_holds_are_read_by_themselves(shop: FakeBigCommerce) -> None:
    order = shop.place(parts=records.consignments())
    async with connected(shop) as connector:
        (page, *_) = await pages(connector)
    assert [line.quantity for line in order_of(page.records[0]).line_items] == [2]
    assert shop.asked(f"/v2/orders/{order['id']}/products")


async def test_one_malformed_order_does_not_spoil_the_page(shop: FakeBigCommerce) -> None:
    placed = filled(shop, 3)
    shop.orders[placed[1]]["consignments"] = None
    shop.orders[placed[2]]["items_total"] = "many"
    async with connected(shop) as connector:
        (page, *_) = await pages(connector)
    assert ids([page]) == placed[::-1]
    assert order_of(page.records[2]).id == str(placed[0])
    for raw in page.records[:2]:
        with pytest.raises(ValueError, match=r"consignments|items_total"):
            order_of(raw)


@pytest.mark.parametrize("excludes_bounds", [False, True])
async def test_a_window_holds_all_that_was_created_in_its_seconds_from_the_oldest_on(
    shop: FakeBigCommerce, excludes_bounds: bool
) -> None:
    shop.excludes_bounds = excludes_bounds
    placed = filled(shop)
    shop.touch(placed[40])
    since, until = START + timedelta(minutes=30), START + timedelta(minutes=229)
    async with connected(shop) as connector:
        found = await pages(connector, since=since, until=until)
        rest = await pages(connector, since=since, until=until, cursor=found[0].cursor, interrupted=True)
    assert ids(found) == placed[30:230]
    assert ids(rest) == ids(found[1:])
    assert found[0].total == 200


async def test_archived_orders_are_in_no_list_but_can_be_fetched(shop: FakeBigCommerce) -> None:
    placed = filled(shop, 130)
    shop.orders[placed[0]]["is_deleted"] = True
    del shop.orders[placed[1]]
    async with connected(shop) as connector:
        raws = await connector.fetch(ORDERS, [*map(str, placed), "none", "9" * 30])
    orders = {int(order.id): order for order in map(order_of, raws)}
    assert sorted(orders) == [placed[0], *placed[2:]]
    assert orders[placed[0]].additional_fields["is_archived"] is True


async def test_products_come_with_their_stock_and_again_when_it_changes(shop: FakeBigCommerce) -> None:
    for number in range(1, 231):
        shop.stock_up(number, START + timedelta(minutes=number))
    async with connected(shop) as connector:
        found = await pages(connector, PRODUCTS)
        assert sorted(ids(found)) == list(range(1, 231))
        before = len(shop.exchanges)
        unchanged = await pages(connector, PRODUCTS, cursor=found[-1].cursor)
        assert ids(unchanged) == []
        assert len(shop.exchanges) - before == 2
        shop.stock[5, 1005] = records.stock(5, 1005, {1: 40, 2: 3})
        changed = await pages(connector, PRODUCTS, cursor=unchanged[-1].cursor)
        again = await pages(connector, PRODUCTS, cursor=changed[-1].cursor)
    assert ids(changed) == [5]
    (_, variant) = BigCommerceConnector.map(PRODUCTS, changed[1].records[0])
    assert getattr(variant, "inventory_by_warehouse_id", None) == {"1": 40, "2": 3}
    assert ids(again) == []


async def test_stock_of_disabled_locations_is_not_for_sale(shop: FakeBigCommerce) -> None:
    for number in (5, 6, 7):
        shop.stock_up(number)["variants"][0]["inventory_level"] = 9
    shop.stock[5, 1005] = records.stock(5, 1005, {1: 9, 2: 3}, disabled=(1,))
    shop.stock[6, 1006] = records.stock(6, 1006, {1: 9}, disabled=(1,))
    shop.stock[7, 1007] = records.stock(7, 1007, {})
    async with connected(shop) as connector:
        (page, _) = await pages(connector, PRODUCTS)
    variants = [BigCommerceConnector.map(PRODUCTS, raw)[1] for raw in page.records]
    assert [getattr(each, "inventory", None) for each in variants] == [3, 0, 9]


async def test_stock_that_changes_during_a_run_comes_in_the_next(shop: FakeBigCommerce) -> None:
    for number in range(1, 151):
        shop.stock_up(number, START + timedelta(minutes=number))
    async with connected(shop) as connector:
        run = connector.pull(PRODUCTS, Pull())
        first = await anext(run)
        await run.aclose()  # type: ignore[attr-defined]
        shop.stock[1, 1001] = records.stock(1, 1001, {1: 99})
        rest = await pages(connector, PRODUCTS, cursor=first.cursor, interrupted=True)
    assert sorted(ids([first])) == list(range(1, PAGE_SIZE + 1))
    assert sorted(ids(rest)) == [1, *range(PAGE_SIZE + 1, 151)]


async def test_more_products_than_a_page_in_one_second_are_all_read(shop: FakeBigCommerce) -> None:
    for number in range(1, 2 * PAGE_SIZE + 20):
        shop.stock_up(number)
    async with connected(shop) as connector:
        found = await pages(connector, PRODUCTS)
        window = await pages(connector, PRODUCTS, since=START, until=START)
        nothing = await pages(connector, PRODUCTS, since=START + timedelta(seconds=1), until=START + timedelta(days=1))
        rest = await pages(connector, PRODUCTS, since=START, until=START, cursor=window[0].cursor)
    assert sorted(ids(found)) == sorted(shop.products) == ids(window)
    assert ids(nothing) == []
    assert ids(rest) == ids(window[1:])


async def test_products_and_variants_are_fetched_by_their_unified_ids(shop: FakeBigCommerce) -> None:
    for number in range(1, 6):
        shop.stock_up(number)
    async with connected(shop) as connector:
        raws = await connector.fetch(PRODUCTS, ["2-1002", "2", "4-1", "77", "none"])
        assert await connector.fetch(PRODUCTS, []) == []
    assert sorted(json.loads(raw)["id"] for raw in raws) == [2, 4]
    mapped = [record.id for raw in raws for record in BigCommerceConnector.map(PRODUCTS, raw)]
    assert sorted(mapped) == ["2", "2-1002", "4", "4-1004"]


async def test_locations_are_read_whole_and_come_when_they_change(shop: FakeBigCommerce) -> None:
    for number in range(1, 301):
        shop.locations[number] = records.location(number, START)
    async with connected(shop) as connector:
        found = await pages(connector, WAREHOUSES)
        assert sorted(ids(found)) == list(range(1, 301))
        shop.locations[7]["enabled"] = False
        changed = await pages(connector, WAREHOUSES, cursor=found[-1].cursor)
        fetched = await connector.fetch(WAREHOUSES, ["3", "999"])
        inside = await pages(connector, WAREHOUSES, since=START, until=START)
        outside = await pages(
            connector, WAREHOUSES, since=START + timedelta(seconds=1), until=START + timedelta(days=1)
        )
    assert ids(changed) == [7]
    assert [json.loads(raw)["id"] for raw in fetched] == [3]
    assert len(ids(inside)) == 300
    assert ids(outside) == []


async def test_failures_that_pass_are_waited_out(shop: FakeBigCommerce) -> None:
    placed = filled(shop, 3)
    limited = {"x-rate-limit-requests-left": "35", "x-rate-limit-time-reset-ms": "20"}
    shop.faults = [(429, limited, b""), (503, {}, b"<html>"), (500, {}, b""), (429, {}, b"")]
    async with connected(shop) as connector:
        assert sorted(ids(await pages(connector))) == placed


async def test_an_answer_that_never_comes_is_asked_for_again(shop: FakeBigCommerce) -> None:
    placed = filled(shop, 3)
    shop.faults = [NEVER]
    async with connected(shop) as connector:
        assert sorted(ids(await pages(connector))) == placed


async def test_a_store_that_stays_down_is_told(shop: FakeBigCommerce) -> None:
    shop.faults = [(503, {}, b"")] * 40
    async with connected(shop) as connector:
        with pytest.raises(PlatformUnavailable):
            await pages(connector)


async def test_a_wait_longer_than_a_run_is_told_with_its_length(shop: FakeBigCommerce) -> None:
    shop.faults = [(429, {"x-rate-limit-requests-left": "0", "x-rate-limit-time-reset-ms": "3600000"}, b"")]
    async with connected(shop) as connector:
        with pytest.raises(RateLimitedByPlatform) as caught:
            await pages(connector)
    assert caught.value.retry_after == 3600


async def test_a_quota_that_is_nearly_used_up_holds_requests_until_it_is_renewed(
    shop: FakeBigCommerce, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.quota = 4
    async with connected(shop) as connector:
        paused: list[float] = []
        monkeypatch.setattr(connector.session.throttle, "pause", paused.append)
        await connector.check()
    assert paused == [1]


@pytest.mark.parametrize(
    ("status", "left", "reset", "wait"),
    [
        (200, "5", "15000", None),
        (200, "4", "15000", 15),
        (429, "35", "15000", 15),
        (429, "0", "14001", 15),
        (429, "0", "-5", 0),
        (429, "", "", None),
        (200, "none", "15000", None),
    ],
)
def test_the_wait_is_until_the_quota_is_renewed(status: int, left: str, reset: str, wait: int | None) -> None:
    headers = {"x-rate-limit-requests-left": left, "x-rate-limit-time-reset-ms": reset}
    assert told_wait(status, headers) == wait


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'[{"id": 1}]', b'[{"id": 1, "date_created": "x", "date_modified": "x"}]']
)
async def test_what_bigcommerce_does_not_document_is_a_bad_answer(shop: FakeBigCommerce, body: bytes) -> None:
    shop.faults = [(200, {}, body)]
    async with connected(shop) as connector:
        with pytest.raises(BadAnswer):
            await pages(connector)


async def test_subscribing_anew_leaves_one_webhook_for_each_scope(shop: FakeBigCommerce) -> None:
    url = "https://unicart.example.com/inbound/1"
    async with connected(shop) as connector:
        await connector.subscribe("https://unicart.example.com/inbound/2")
        others = len(shop.hooks)
        first = await connector.subscribe(url)
        shop.hooks[99] = {**next(iter(shop.hooks.values())), "id": 99, "scope": "store/cart/*", "destination": url}
        for hook in shop.hooks.values():
            hook["is_active"] = False
        second = await connector.subscribe(url)
        ours = [hook for hook in shop.hooks.values() if hook["destination"] == url]
        assert len({hook["scope"] for hook in ours}) == len(ours) == others
        assert {hook["headers"]["x-unicart-secret"] for hook in ours} == {second["secret"]}
        assert all(hook["is_active"] for hook in ours)
        assert first["secret"] != second["secret"]
        await connector.unsubscribe(second)
        await connector.unsubscribe(second)
    assert len(shop.hooks) == others


async def test_a_deleted_variant_is_not_among_what_its_webhook_leads_to(shop: FakeBigCommerce) -> None:
    product = shop.stock_up(7)
    product["variants"] = [records.variant(8, 7, "S")]
    data = {"type": "sku", "id": 3, "sku": {"product_id": 7, "variant_id": 1007}}
    body = json.dumps({"scope": "store/sku/deleted", "data": data}).encode()
    hints = BigCommerceConnector.read_hook(Hook(headers={}, body=body))
    async with connected(shop) as connector:
        raws = await connector.fetch(PRODUCTS, [hint.id for hint in hints])
    found = {record.id for raw in raws for record in BigCommerceConnector.map(PRODUCTS, raw)}
    assert {hint.id for hint in hints} - found == {"7-1007"}


@pytest.mark.parametrize("seed", range(2))
async def test_a_copy_follows_the_store_through_changes_at_any_moment(shop: FakeBigCommerce, seed: int) -> None:
    """Orders change behind any request, in the same second too, and runs end behind any page."""
    generator = random.Random(seed)
    for number in range(180):
        shop.place(at=START + timedelta(seconds=number // 60))
    shop.now = START + timedelta(seconds=3)

    def change() -> None:
        shop.tick(generator.choice((0, 0, 0, 1, 1, 90)))
        id = generator.choice(list(shop.orders))
        generator.choice(
            (
                shop.place,
                lambda: shop.ship(id),
                lambda: shop.refund(id),
                lambda: shop.touch(id, staff_notes=f"{generator.random()}"),
                lambda: shop.touch(id, status_id=generator.choice((7, 11))),
            )
        )()

    held: dict[int, Order] = {}
    cursor, interrupted = None, False
    async with connected(shop) as connector:
        shop.after_request = change
        for _ in range(12):
            most = generator.choice((1, 2, 3, 1000))
            cursor, interrupted = await _follow(connector, held, cursor, interrupted, most)
        shop.after_request = lambda: None
        for _ in range(2):
            cursor, interrupted = await _follow(connector, held, cursor, interrupted, 1000)
        there = await connector.fetch(ORDERS, list(map(str, shop.orders)))
    expected = {int(order.id): order for order in map(order_of, there)}
    assert len(expected) == len(shop.orders) > 180
    assert held == expected


async def _follow(
    connector: BigCommerceConnector, held: dict[int, Order], cursor: str | None, interrupted: bool, most: int
) -> tuple[str | None, bool]:
    """Keep what at most ``most`` pages of a run bring; where it stands then, and whether it ended before its time."""
    async with aclosing(connector.pull(ORDERS, Pull(cursor=cursor, interrupted=interrupted))) as run:  # type: ignore[type-var]
        async for page in run:
            held |= {int(order.id): order for order in map(order_of, page.records)}
            cursor, most = page.cursor, most - 1
            if not most:
                return cursor, True
    return cursor, False


def _refunds(raw: bytes) -> list[Refund]:
    refunds: list[Refund] = order_of(raw).additional_fields["refunds"]
    return refunds
