"""Walks and increments against a small Amazon whose records change while they are read, its limits, and its refusals."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from connectors.amazon.builders import DE, JP, US, order, text
from connectors.amazon.shop import FakeAmazon, connector_of, fake_amazon
from connectors.kit.server import FOREVER, ScriptedServer, answer, scripted_server
from unicart.connectors.amazon import client
from unicart.connectors.amazon.client import AmazonConnector, OrdersCursor
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
    read_cursor,
    write_cursor,
)
from unicart.contract.orders import Order
from unicart.contract.resources import Function

pytestmark = pytest.mark.anyio
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


class Copy:
    """What a store that follows the connector holds: the last raw record of each id."""

    def __init__(self, connector: AmazonConnector, function: Function = Function.GET_ORDERS) -> None:
        self.connector, self.function = connector, function
        self.records: dict[str, Any] = {}
        self.cursor: str | None = None
        self.notice: str | None = None

    async def run(
        self, since: datetime | None = None, *, interrupted: bool = False, stop_after: int | None = None
    ) -> list[str]:
        """One run, or the first pages of one; the ids that came, in order."""
        came: list[str] = []
        pages = self.connector.pull(self.function, Pull(cursor=self.cursor, since=since, interrupted=interrupted))
        number = 0
        async for page in pages:
            came += self.take(page)
            number += 1
            if number == stop_after:
                await pages.aclose()  # type: ignore[attr-defined]
                break
        return came

    def take(self, page: RawPage) -> list[str]:
        self.cursor, self.notice = page.cursor, page.notice
        found = [json.loads(raw) for raw in page.records]
        ids = [each.get("orderId") or each["sku"] for each in found]
        self.records.update(zip(ids, found, strict=True))
        return ids


class Clock:
    """A time that passes while two runs sleep, and fills the bucket that they share."""

    def __init__(self, fake: FakeAmazon) -> None:
        self.fake, self.now, self.runs = fake, 0.0, 2
        self.asleep: list[tuple[float, float, asyncio.Event]] = []
        fake.buckets["searchOrders"] = 1

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        heappush(self.asleep, (self.now + seconds, random.random(), woken))
        self.pass_time()
        await woken.wait()

    def end(self) -> None:
        self.runs -= 1
        self.pass_time()

    def pass_time(self) -> None:
        if len(self.asleep) == self.runs:
            until, _, woken = heappop(self.asleep)
            self.fake.buckets["searchOrders"] += (until - self.now) * 0.0056
            self.now = until
            woken.set()


def states(orders: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What tests change of orders."""
    return {id: (each["fulfillment"]["fulfillmentStatus"], each["lastUpdatedTime"]) for id, each in orders.items()}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ORDERS_PAGE", 15)


def busy(fake: FakeAmazon, count: int, days: float = 30.0) -> None:
    """``count`` orders over the last days, each with a time of its own."""
    for number in range(count):
        fake.place(number, fake.now - timedelta(days=days * (number + 1) / count, minutes=3))


@pytest.mark.usefixtures("small_pages")
class TestOrders:
    async def test_a_first_run_brings_the_newest_days_first_and_all(self) -> None:
        async with fake_amazon() as (fake, connector):
            busy(fake, 120)
            old = fake.place(900, fake.now - 40 * DAY)
            fake.place(901, fake.now - 41 * DAY)
            old["lastUpdatedTime"] = (fake.now - 2 * DAY).isoformat()
            came = await Copy(connector).run(since=fake.now - 31 * DAY)
            assert set(came) == set(fake.orders) - {"111-0000901-0000901"}
            ages = [(fake.now - datetime.fromisoformat(fake.orders[id]["lastUpdatedTime"])) // DAY for id in came]
            slices = [max(index for index, least in enumerate((0, 1, 3, 7, 15)) if age >= least) for age in ages]
            assert slices == sorted(slices)

    async def test_everything_goes_back_to_the_beginning(self) -> None:
        async with fake_amazon() as (fake, connector):
            fake.place(1, datetime(2016, 1, 2, tzinfo=UTC), marketplace=US)
            fake.place(2, fake.now - HOUR)
            assert set(await Copy(connector).run()) == set(fake.orders)

    @pytest.mark.parametrize("arranged", ["ascending", "descending"])
    @pytest.mark.parametrize("tells_bound", [True, False])
    async def test_nothing_is_lost_while_orders_change(self, arranged: str, tells_bound: bool) -> None:
        chance = random.Random(arranged)
        async with fake_amazon(arranged=arranged, tells_bound=tells_bound) as (fake, connector):
            busy(fake, 150)

            def change() -> None:
                fake.tick(20)
                fake.change(fake.orders[chance.choice(sorted(fake.orders))], chance.choice(["SHIPPED", "UNSHIPPED"]))
                if chance.random() < 0.3:
                    fake.place(len(fake.orders))

            fake.after_request = change
            copy = Copy(connector)
            await copy.run(since=fake.now - 60 * DAY)
            for _ in range(3):
                await copy.run()
            fake.after_request = lambda: None
            fake.tick(300)
            await copy.run()
            assert states(copy.records) == states(fake.orders)

    async def test_without_any_order_all_come_by_token(self) -> None:
        async with fake_amazon(arranged="shuffled") as (fake, connector):
            busy(fake, 80, days=0.9)
            assert sorted(await Copy(connector).run(since=fake.now - DAY)) == sorted(fake.orders)
            assert any("paginationToken" in given for given in fake.asked("searchOrders"))

    async def test_orders_that_amazon_sorts_by_creation_all_come(self) -> None:
        async with fake_amazon(arranged="created") as (fake, connector):
            for number in range(60):
                made = fake.place(number, fake.now - 20 * HOUR + number * MINUTE)
                if number < 15:
                    made["lastUpdatedTime"] = text(fake.now - 10 * HOUR + number * MINUTE)
            assert set(await Copy(connector).run(since=fake.now - DAY)) == set(fake.orders)

    async def test_orders_of_one_moment_come_by_token_and_a_dead_token_is_replaced(self) -> None:
        async with fake_amazon() as (fake, connector):
            for number in range(50):
                fake.place(number, fake.now - HOUR)
            copy = Copy(connector)
            await copy.run(since=fake.now - DAY, stop_after=2)
            fake.tokens.clear()
            await copy.run(since=fake.now - DAY, interrupted=True)
            assert set(copy.records) == set(fake.orders)

    async def test_what_changes_behind_a_token_does_not_move_where_increments_begin(self) -> None:
        async with fake_amazon() as (fake, connector):
            for number in range(50):
                fake.place(number, fake.now - HOUR)
            looked_up_to = fake.now - 2 * MINUTE

            def change() -> None:
                if len(fake.asked("searchOrders")) == 2:
                    fake.change(fake.orders["111-0000049-0000049"])
                    fake.tick(600)

            fake.after_request = change
            copy = Copy(connector)
            await copy.run(since=fake.now - DAY)
            assert copy.records["111-0000049-0000049"]["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
            assert read_cursor(copy.cursor or "", OrdersCursor).reached == looked_up_to

    async def test_an_increment_brings_what_changed_and_a_quiet_one_is_one_search(self) -> None:
        async with fake_amazon() as (fake, connector):
            busy(fake, 40)
            copy = Copy(connector)
            await copy.run(since=fake.now - 40 * DAY)
            fake.tick(600)
            assert await copy.run() == []
            before = len(fake.asked("searchOrders"))
            fake.change(fake.orders["111-0000020-0000020"])
            fake.tick(600)
            assert await copy.run() == ["111-0000020-0000020"]
            assert len(fake.asked("searchOrders")) == before + 1
            assert len(fake.asked("getMarketplaceParticipations")) == 1

    async def test_what_amazon_shows_late_is_found_by_the_overlap(self) -> None:
        async with fake_amazon() as (fake, connector):
            copy = Copy(connector)
            await copy.run(since=fake.now - DAY)
            late = fake.now - timedelta(minutes=2, seconds=30)
            fake.tick(300)
            fake.place(1, late)
            assert await copy.run() == ["111-0000001-0000001"]

    async def test_an_interrupted_run_goes_on_behind_its_last_page(self) -> None:
        async with fake_amazon() as (fake, connector):
            busy(fake, 100)
            whole = await Copy(connector).run(since=fake.now - 31 * DAY)
            for pages in range(1, 8):
                copy = Copy(connector)
                came = await copy.run(since=fake.now - 31 * DAY, stop_after=pages)
                copy.connector = connector_of(fake.url)
                came += await copy.run(since=fake.now - 31 * DAY, interrupted=True)
                await copy.connector.session.close()
                assert came == whole

    async def test_a_window_has_both_its_ends_and_comes_oldest_first(self) -> None:
        async with fake_amazon() as (fake, connector):
            busy(fake, 60)
            since, until = fake.now - 20 * DAY, fake.now - 10 * DAY
            for number, at in ((200, since), (201, until), (202, until + timedelta(seconds=1)), (203, since - MINUTE)):
                fake.place(number, at)
            pull = Pull(since=since, until=until)
            came = [json.loads(raw) async for page in connector.pull(Function.GET_ORDERS, pull) for raw in page.records]
            ids = list(dict.fromkeys(each["orderId"] for each in came))
            dates = [fake.orders[id]["createdTime"] for id in ids]
            expected = {
                id for id, each in fake.orders.items() if since <= datetime.fromisoformat(each["createdTime"]) <= until
            }
            assert set(ids) == expected
            assert {"111-0000200-0000200", "111-0000201-0000201"} <= expected
            assert dates == sorted(dates)

    async def test_a_window_that_ends_now_asks_for_no_end(self) -> None:
        async with fake_amazon() as (fake, connector):
            busy(fake, 10, days=1)
            late = fake.place(99, fake.now - timedelta(minutes=2, seconds=5))
            pull = Pull(since=fake.now - DAY, until=fake.now - timedelta(minutes=2, seconds=10))
            came = [json.loads(raw) async for page in connector.pull(Function.GET_ORDERS, pull) for raw in page.records]
            assert late["orderId"] not in {each["orderId"] for each in came}
            assert came

    async def test_a_window_goes_on_where_it_was_interrupted(self) -> None:
        async with fake_amazon() as (fake, connector):
            busy(fake, 60)
            window = Pull(since=fake.now - 31 * DAY, until=fake.now - DAY)
            whole = [page async for page in connector.pull(Function.GET_ORDERS, window)]
            again = Pull(since=window.since, until=window.until, cursor=whole[1].cursor, interrupted=True)
            rest = [page async for page in connector.pull(Function.GET_ORDERS, again)]
            assert rest == whole[2:]

    async def test_marketplaces_are_those_of_the_credentials_else_the_sellers_own(self) -> None:
        async with fake_amazon(marketplaces=[US, JP]) as (fake, connector):
            fake.place(1, fake.now - HOUR, marketplace=JP)
            fake.place(2, fake.now - HOUR, marketplace=DE)
            assert await Copy(connector).run(since=fake.now - DAY) == ["111-0000001-0000001"]
            narrowed = connector_of(fake.url, {"marketplace_ids": f"{DE}, {US}"})
            assert await Copy(narrowed).run(since=fake.now - DAY) == ["111-0000002-0000002"]
            await narrowed.session.close()


class TestUsagePlans:
    async def test_more_often_than_the_bucket_fills_nothing_is_asked(self) -> None:
        async with fake_amazon(rates={"searchOrders": "0.0056"}) as (fake, connector):
            copy = Copy(connector)
            await copy.run(since=fake.now - DAY)
            fake.place(1, fake.now - 3 * MINUTE)
            asked, cursor = len(fake.requests), copy.cursor
            assert await copy.run() == []
            assert (len(fake.requests), copy.cursor) == (asked, cursor)
            stood = read_cursor(copy.cursor or "", OrdersCursor)
            long_ago = datetime.now(UTC) - timedelta(seconds=224)
            copy.cursor = write_cursor(msgspec.structs.replace(stood, asked=long_ago))
            assert await copy.run() == ["111-0000001-0000001"]

    async def test_a_run_waits_for_the_bucket_and_shows_that_it_is_alive(
        self, monkeypatch: pytest.MonkeyPatch, small_pages: None
    ) -> None:
        async with fake_amazon(rates={"searchOrders": "0.0056"}, buckets={"searchOrders": 2}) as (fake, connector):
            busy(fake, 60, days=0.9)
            since = fake.now - timedelta(hours=23)
            slept: list[float] = []

            async def sleep(seconds: float) -> None:
                slept.append(seconds)
                if len(slept) % 8 == 0:
                    fake.buckets["searchOrders"] = 2

            monkeypatch.setattr(connector, "_sleep", sleep)
            pages = [page async for page in connector.pull(Function.GET_ORDERS, Pull(since=since))]
            assert {json.loads(raw)["orderId"] for page in pages for raw in page.records} == set(fake.orders)
            assert max(slept) <= 45.0
            assert sum(slept[:8]) == pytest.approx(2 / 0.0056)
            alive = [index for index, page in enumerate(pages) if not page.records]
            assert len(alive) == len(slept)
            assert all(pages[index].cursor == pages[index - 1].cursor for index in alive)

    async def test_a_run_over_everything_leaves_requests_to_the_increments(self, small_pages: None) -> None:
        async with fake_amazon(rates={"searchOrders": "0.0056"}) as (fake, connector):
            busy(fake, 400, days=0.9)
            follower, passing = Copy(connector), Copy(connector_of(fake.url))
            await follower.run(since=fake.now - MINUTE)
            clock = Clock(fake)
            follower.connector._sleep = passing.connector._sleep = clock.sleep
            ends = [clock.now]

            async def increments() -> None:
                await clock.sleep(100)
                while not over.done():
                    await follower.run()
                    ends.append(clock.now)
                    stood = read_cursor(follower.cursor or "", OrdersCursor)
                    follower.cursor = write_cursor(msgspec.structs.replace(stood, asked=None))
                    await clock.sleep(240)

            over = asyncio.ensure_future(passing.run(since=fake.now - timedelta(hours=23)))
            over.add_done_callback(lambda _: clock.end())
            await increments()
            await over
            await passing.connector.session.close()
            assert set(passing.records) == set(fake.orders)
            assert len(ends) > 20
            assert max(later - earlier for earlier, later in pairwise(ends)) < 3 * 240
            assert clock.now < len(passing.records) / 15 * 5 * 180

    async def test_a_bucket_that_stays_empty_ends_the_run_and_says_when_to_come_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with fake_amazon(buckets={"searchOrders": 0}) as (fake, connector):

            async def sleep(seconds: float) -> None:
                pass

            monkeypatch.setattr(connector, "_sleep", sleep)
            with pytest.raises(RateLimitedByPlatform) as refused:
                await Copy(connector).run(since=fake.now - DAY)
            assert refused.value.retry_after == pytest.approx(178.6, abs=0.1)
            assert "goes on by itself" in refused.value.message

    async def test_a_rate_that_is_none_is_the_documented_one(self) -> None:
        async with fake_amazon(rates={"searchOrders": "a lot"}) as (fake, connector):
            copy = Copy(connector)
            await copy.run(since=fake.now - HOUR)
            asked = len(fake.requests)
            await copy.run()
            assert len(fake.requests) == asked

    async def test_a_bucket_that_fills_fast_is_waited_for(self) -> None:
        async with fake_amazon(rates={"getOrder": "200"}, buckets={"getOrder": 1}) as (fake, connector):
            for number in range(3):
                fake.place(number)

            def refill() -> None:
                if len(fake.requests) % 2:
                    fake.buckets["getOrder"] = 1

            fake.after_request = refill
            assert len(await connector.fetch(Function.GET_ORDERS, sorted(fake.orders))) == 3


class TestListings:
    async def test_all_come_and_then_what_changed(self) -> None:
        async with fake_amazon() as (fake, connector):
            for number in range(70):
                fake.offer(f"SKU-{number}", fake.now - timedelta(hours=number + 1))
            copy = Copy(connector, Function.GET_PRODUCTS)
            came = await copy.run()
            assert set(came) == set(fake.listings)
            assert len(came) < 80
            fake.tick(600)
            fake.offer("SKU-5", fake.now - DAY, updated=fake.now)
            assert "SKU-5" in await copy.run()
            assert copy.records == fake.listings

    async def test_more_than_can_be_paged_through_come(self) -> None:
        async with fake_amazon() as (fake, connector):
            for number in range(1030):
                fake.offer(f"SKU-{number}", fake.now - timedelta(minutes=number + 1))
            assert set(await Copy(connector, Function.GET_PRODUCTS).run()) == set(fake.listings)

    async def test_listings_of_one_moment_come_by_token(self) -> None:
        async with fake_amazon() as (fake, connector):
            for number in range(50):
                fake.offer(f"SKU-{number}", fake.now - DAY)
            assert sorted(await Copy(connector, Function.GET_PRODUCTS).run()) == sorted(fake.listings)

    async def test_nothing_is_lost_while_listings_change(self) -> None:
        chance = random.Random(3)
        async with fake_amazon() as (fake, connector):
            for number in range(90):
                fake.offer(f"SKU-{number}", fake.now - timedelta(hours=number + 1))

            def change() -> None:
                sku = chance.choice(sorted(fake.listings))
                created = datetime.fromisoformat(fake.listings[sku]["summaries"][0]["createdDate"])
                fake.offer(sku, created, updated=fake.tick(5), quantity=chance.randrange(100))

            fake.after_request = change
            copy = Copy(connector, Function.GET_PRODUCTS)
            await copy.run()
            fake.after_request = lambda: None
            await copy.run()
            assert copy.records == fake.listings

    async def test_a_window_of_listings(self) -> None:
        async with fake_amazon() as (fake, connector):
            for number in range(50):
                fake.offer(f"SKU-{number}", fake.now - number * HOUR)
            pull = Pull(since=fake.now - 40 * HOUR, until=fake.now - 10 * HOUR)
            pages = [page async for page in connector.pull(Function.GET_PRODUCTS, pull)]
            came = [json.loads(raw)["sku"] for page in pages for raw in page.records]
            assert list(dict.fromkeys(came)) == [f"SKU-{number}" for number in range(40, 9, -1)]

    async def test_listings_are_those_of_amazons_own_first_marketplace(self) -> None:
        async with fake_amazon(marketplaces=["A1MQXOICRS2Z7M", US, DE]) as (fake, connector):
            fake.offer("MUG", fake.now - DAY)
            assert await Copy(connector, Function.GET_PRODUCTS).run() == ["MUG"]
            assert {given["marketplaceIds"] for given in fake.asked("searchListingsItems")} == {US}


class TestFetch:
    async def test_orders_by_id(self) -> None:
        async with fake_amazon() as (fake, connector):
            fake.place(1)
            asked = ["111-0000001-0000001", "111-9999999-9999999", "111-0000001-0000001"]
            (raw,) = await connector.fetch(Function.GET_ORDERS, asked)
            assert json.loads(raw) == fake.orders["111-0000001-0000001"]

    async def test_listings_by_sku_whatever_is_in_it(self) -> None:
        async with fake_amazon() as (fake, connector):
            skus = ["A,B", "a/b c", "コップ?1"]
            for sku in skus:
                fake.offer(sku)
            found = await connector.fetch(Function.GET_PRODUCTS, [*skus, "gone"])
            assert [json.loads(raw)["sku"] for raw in found] == skus

    async def test_listings_of_other_marketplaces_are_left_out(self) -> None:
        async with fake_amazon() as (fake, connector):
            fake.offer("MUG")["summaries"] = []
            assert await connector.fetch(Function.GET_PRODUCTS, ["MUG"]) == []

    @pytest.mark.parametrize("marketplaces", [[US], [JP, US]])
    async def test_orders_older_than_two_years_are_hidden(self, marketplaces: list[str]) -> None:
        async with fake_amazon(marketplaces=marketplaces) as (_, connector):
            oldest = await connector.oldest_visible(Function.GET_ORDERS)
            assert oldest is not None
            assert timedelta(days=700) < datetime.now(UTC) - oldest < timedelta(days=730)

    async def test_japan_shows_orders_since_2016_and_listings_are_never_hidden(self) -> None:
        async with fake_amazon(marketplaces=[JP]) as (_, connector):
            assert await connector.oldest_visible(Function.GET_ORDERS) == datetime(2016, 1, 1, tzinfo=UTC)
            assert await connector.oldest_visible(Function.GET_PRODUCTS) is None


class TestAuthorization:
    async def test_check_names_the_seller(self) -> None:
        async with fake_amazon() as (_, connector):
            account = await connector.check()
            assert (account.account_id, account.account_name) == ("A1EXAMPLE", "Zoë's Mugs")

    async def test_one_token_serves_a_whole_run(self) -> None:
        async with fake_amazon() as (fake, connector):
            busy(fake, 20)
            await Copy(connector).run(since=fake.now - 31 * DAY)
            assert len(fake.logins) == 1

    async def test_an_expired_token_is_renewed_on_the_way(self, small_pages: None) -> None:
        async with fake_amazon() as (fake, connector):
            busy(fake, 60)
            asked = iter(range(1000))
            fake.after_request = lambda: fake.expire() if next(asked) == 4 else None
            assert set(await Copy(connector).run(since=fake.now - 31 * DAY)) == set(fake.orders)
            assert len(fake.logins) == 2

    async def test_a_token_that_is_refused_though_new(self) -> None:
        async with fake_amazon() as (fake, connector):
            fake.after_request = fake.expire
            with pytest.raises(CredentialsRejected, match="withdrawn the authorization"):
                await connector.check()

    @pytest.mark.parametrize(
        ("changed", "remedy"),
        [
            ({"client_secret": "wrong"}, "client id or the client secret is wrong"),
            ({"refresh_token": "Atzr|old"}, "Authorize the application again"),
            ({"region": "mars", "endpoint": ""}, "'mars' is none of na, eu, fe"),
        ],
    )
    async def test_wrong_credentials(self, changed: dict[str, str], remedy: str) -> None:
        async with fake_amazon() as (fake, _):
            connector = connector_of(fake.url, changed)
            with pytest.raises(CredentialsRejected, match=remedy):
                await connector.check()
            await connector.session.close()

    async def test_a_missing_role_is_named(self) -> None:
        async with fake_amazon(withheld={"searchOrders", "searchListingsItems"}) as (_, connector):
            with pytest.raises(PermissionMissing, match="Inventory and Order Tracking"):
                await Copy(connector).run()
            with pytest.raises(PermissionMissing, match="Product Listing"):
                await Copy(connector, Function.GET_PRODUCTS).run()

    @pytest.mark.parametrize("strict", [False, True])
    async def test_without_the_restricted_roles_orders_come_without_people(self, strict: bool) -> None:
        async with fake_amazon(withheld={"restricted"}, strict=strict) as (fake, connector):
            fake.place(1, fake.now - HOUR)
            copy = Copy(connector)
            assert await copy.run(since=fake.now - DAY) == ["111-0000001-0000001"]
            raws = [json.dumps(each).encode() for each in copy.records.values()]
            raws += await connector.fetch(Function.GET_ORDERS, list(fake.orders))
            for raw in raws:
                (mapped,) = connector.map(Function.GET_ORDERS, raw)
                assert isinstance(mapped, Order)
                assert mapped.ship_to_address.full_name is None
                assert mapped.total_price is not None
            assert "Direct-to-Consumer Delivery" in (copy.notice or "")
            await copy.run()
            assert "Direct-to-Consumer Delivery" in (copy.notice or "")

    async def test_the_notice_goes_once_an_address_comes(self) -> None:
        async with fake_amazon(withheld={"restricted"}) as (fake, connector):
            fake.place(1, fake.now - HOUR)
            copy = Copy(connector)
            await copy.run(since=fake.now - DAY)
            fake.withheld.clear()
            fake.tick(600)
            await copy.run()
            assert copy.notice is not None
            fake.place(2)
            fake.tick(600)
            await copy.run()
            assert copy.notice is None

    async def test_one_order_without_its_address_is_no_missing_role(self) -> None:
        async with fake_amazon() as (fake, connector):
            fake.place(1, fake.now - HOUR)
            fake.place(2, fake.now - HOUR, recipient={"deliveryAddress": {"city": "Springfield"}})
            copy = Copy(connector)
            await copy.run(since=fake.now - DAY)
            assert copy.notice is None

    @pytest.mark.parametrize(
        "fields",
        [{"fulfilled_by": "AMAZON"}, {"status": "SHIPPED"}, {"status": "PENDING"}, {"programs": ["IN_STORE_PICK_UP"]}],
    )
    async def test_orders_that_nobody_has_to_send_need_no_address(self, fields: dict[str, Any]) -> None:
        async with fake_amazon(withheld={"restricted"}) as (fake, connector):
            fake.place(1, fake.now - HOUR, **fields)
            copy = Copy(connector)
            await copy.run(since=fake.now - DAY)
            assert copy.notice is None

    async def test_a_refused_role_costs_one_request_a_day(self) -> None:
        async with fake_amazon(withheld={"restricted"}, strict=True) as (fake, connector):
            copy = Copy(connector)
            await copy.run(since=fake.now - DAY)
            asked = len(fake.asked("searchOrders"))
            copy.connector = connector_of(fake.url)
            await copy.run()
            assert len(fake.asked("searchOrders")) == asked + 1
            for _ in range(2):
                self.a_day_passes(copy)
                await copy.run()
                await copy.run()
            assert len(fake.asked("searchOrders")) == asked + 1 + 2 * 3
            fake.withheld.clear()
            self.a_day_passes(copy)
            made = fake.place(1, fake.now - 3 * MINUTE)
            fake.tick(60)
            await copy.run()
            await copy.connector.session.close()
            assert copy.records == {made["orderId"]: made}

    def a_day_passes(self, copy: Copy) -> None:
        stood = read_cursor(copy.cursor or "", OrdersCursor)
        assert stood.refused is not None
        copy.cursor = write_cursor(msgspec.structs.replace(stood, refused=stood.refused - DAY))

    async def test_named_marketplaces_need_no_role_to_be_found(self) -> None:
        async with fake_amazon(withheld={"getMarketplaceParticipations"}) as (fake, connector):
            with pytest.raises(PermissionMissing, match="Selling Partner Insights"):
                await connector.check()
            named = connector_of(fake.url, {"marketplace_ids": US})
            assert (await named.check()).account_name == "A1EXAMPLE"
            assert await Copy(named).run(since=fake.now - DAY) == []
            await named.session.close()

    async def test_a_seller_without_marketplaces_in_the_region(self) -> None:
        async with fake_amazon(marketplaces=[]) as (_, connector):
            with pytest.raises(BadAnswer, match="Check the connection's region"):
                await Copy(connector).run()


TOKEN = answer(200, b'{"access_token":"Atza|1","expires_in":3600}')
EMPTY = answer(200, b'{"orders":[]}')


class TestFaults:
    @pytest.fixture
    async def server(self) -> AsyncIterator[ScriptedServer]:
        async with scripted_server() as server:
            yield server

    async def run(self, server: ScriptedServer, *answers: bytes, **settings: float) -> list[RawPage]:
        server.script(TOKEN, *answers)
        connector = connector_of(server.url, {"marketplace_ids": US}, **settings)
        pull = Pull(since=datetime.now(UTC) - HOUR)
        try:
            return [page async for page in connector.pull(Function.GET_ORDERS, pull)]
        finally:
            await connector.session.close()

    async def test_a_fault_that_passes(self, server: ScriptedServer) -> None:
        (page,) = await self.run(server, answer(503), answer(500), EMPTY)
        assert page.records == []

    async def test_a_record_without_dates_does_not_hold_up_the_others(self, server: ScriptedServer) -> None:
        good = json.dumps(order()).encode()
        (page,) = await self.run(server, answer(200, b'{"orders":[{"orderId":"1"},' + good + b"]}"))
        assert page.records == [b'{"orderId":"1"}', good]

    @pytest.mark.parametrize(
        ("answers", "kind"),
        [
            ([answer(503)], PlatformUnavailable),
            ([FOREVER], PlatformUnavailable),
            ([answer(200, b'{"orders":[', length=500)], PlatformUnavailable),
            ([answer(200, b"<html>")], BadAnswer),
            ([answer(200, b'{"orders":{}}')], BadAnswer),
            ([answer(400, b'{"errors":[{"code":"InvalidInput","message":"no"}]}')], RequestRefused),
        ],
    )
    async def test_faults_that_stay(
        self, server: ScriptedServer, answers: list[bytes], kind: type[ConnectorError]
    ) -> None:
        with pytest.raises(kind):
            await self.run(server, *answers, patience=0.5, timeout=0.3)

    async def test_secrets_do_not_leave(self, server: ScriptedServer) -> None:
        server.script(answer(400, b'{"error":"invalid_grant","error_description":"Atzr|refresh is unknown"}'))
        connector = connector_of(server.url)
        with pytest.raises(CredentialsRejected) as refused:
            await connector.check()
        await connector.session.close()
        assert "Atzr|refresh" in server.requests[0].body.decode()
        assert "is unknown" in refused.value.detail
        assert "Atzr|refresh" not in refused.value.message + refused.value.detail
