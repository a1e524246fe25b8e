"""Paging and increments against a small Vendure whose records change while they are read, and answers that are wrong."""

import json
import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from connectors.kit.server import FOREVER, ScriptedServer, answer, scripted_server
from connectors.vendure.shop import ORDER, FakeVendure, connector_of, fake_vendure
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
    format_utc,
)
from unicart.connectors.vendure import client
from unicart.connectors.vendure.client import VendureConnector
from unicart.contract.resources import Function

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)
PRECISION = {"globalSettings": {"serverConfig": {"moneyStrategyPrecision": 2}}}


class Copy:
    """What a store that follows the connector holds: the last raw record of each id."""

    def __init__(self, connector: VendureConnector, function: Function = Function.GET_ORDERS) -> None:
        self.connector, self.function = connector, function
        self.records: dict[str, Any] = {}
        self.cursor: str | None = None

    async def run(self, overlap: float = 60.0) -> list[str]:
        """One run; the ids that came, in order."""
        came: list[str] = []
        pull = Pull(cursor=self.cursor, overlap=timedelta(seconds=overlap))
        async for page in self.connector.pull(self.function, pull):
            came += self.take(page)
        return came

    def take(self, page: RawPage) -> list[str]:
        self.cursor = page.cursor
        found = [json.loads(raw) for raw in page.records]
        self.records.update({record["id"]: record for record in found})
        return [record["id"] for record in found]


def essence(order: dict[str, Any]) -> Any:
    """What tests change of an order."""
    parts = [len(order[name]) for name in ("payments", "fulfillments", "modifications")]
    return [order["state"], *parts, order["couponCodes"], order["customer"]["emailAddress"]]


def placed(fake: FakeVendure) -> dict[str, Any]:
    return {id: order for id, order in fake.tables["orders"].items() if order["orderPlacedAt"]}


async def test_orders_that_share_a_time_come_once_each() -> None:
    async with fake_vendure() as (fake, connector):
        for number in range(1, 451):
            fake.place(fake.now if 90 < number < 340 else fake.tick(7), number)
        fake.cart()
        fake.tick(DAY.total_seconds())
        came = await Copy(connector).run()
        assert sorted(came) == sorted(placed(fake))


async def test_times_finer_than_a_millisecond_hide_nothing() -> None:
    async with fake_vendure() as (fake, connector):
        for number in range(1, 351):
            fake.place(fake.tick(0.00013), number)
        fake.tick(DAY.total_seconds())
        assert set(await Copy(connector).run()) == set(placed(fake))


async def came(connector: VendureConnector, pull: Pull, most: int | None = None) -> tuple[list[str], str]:
    """The ids of a run of orders, or of its first pages, and its last cursor."""
    found: list[str] = []
    cursor = ""
    async for page in connector.pull(Function.GET_ORDERS, pull):
        found += [json.loads(raw)["id"] for raw in page.records]
        cursor = page.cursor
        most = most and most - 1
        if most == 0:
            break
    return found, cursor


@pytest.mark.parametrize("interrupted", [True, False])
@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.parametrize("stop", [1, 2, 3, 4])
async def test_the_first_run_yields_the_newest_first(stop: int, limited: bool, interrupted: bool) -> None:
    """It goes on where it was killed; orders that are placed meanwhile come as well."""
    async with fake_vendure() as (fake, connector):
        for number in range(1, 451):
            fake.place(fake.now if 90 < number < 340 else fake.tick(0.0007), number)
        since = fake.tables["orders"]["60"]["orderPlacedAt"] if limited else None
        # The limit may take in an instant more: databases hold finer times than the API shows.
        limit = since - client.INSTANT if since else fake.now - DAY
        window = [order["orderPlacedAt"] for order in placed(fake).values() if order["orderPlacedAt"] > limit]
        fake.tick(1)
        first, cursor = await came(connector, Pull(since=since), most=stop)
        dates = [fake.tables["orders"][id]["orderPlacedAt"] for id in first]
        assert dates == sorted(window, reverse=True)[: len(dates)]
        new = fake.place(fake.tick(1), 999)["id"]
        rest, _ = await came(connector, Pull(cursor=cursor, interrupted=interrupted))
        assert len(first + rest) == len(set(first + rest)) == len(window) + 1
        assert new in rest


async def test_a_limited_first_run_finds_older_orders_that_changed_since() -> None:
    async with fake_vendure() as (fake, connector):
        orders = [fake.place(fake.now - 50 * DAY + number * DAY, number) for number in range(1, 41)]
        since = fake.now - 20 * DAY
        for number, change in ((3, "refund"), (7, "ship")):
            getattr(fake, change)(orders[number])
        orders[5]["updatedAt"] = fake.now
        fake.tick(1000)
        found, cursor = await came(connector, Pull(since=since))
        recent = [order["id"] for order in orders if order["orderPlacedAt"] >= since]
        assert found[: len(recent)] == recent[::-1]
        assert sorted(found[len(recent) :]) == ["4", "6", "8"]
        fake.tick(1000)
        assert (await came(connector, Pull(cursor=cursor)))[0] == ["40"]


async def test_the_round_through_old_orders_does_not_repeat_those_of_the_first_run() -> None:
    async with fake_vendure() as (fake, connector):
        orders = [fake.place(fake.now - 200 * DAY + number * DAY, number) for number in range(1, 101)]
        since = fake.now - 150 * DAY
        fake.refund(orders[3])
        fake.tick(1000)
        found, cursor = await came(connector, Pull(since=since))
        assert len(found) == len(set(found))
        assert "4" in found
        fake.tick(1000)
        fake.refund(orders[80])
        fake.tick(1000)
        assert "81" in (await came(connector, Pull(cursor=cursor)))[0]


async def test_a_state_that_is_left_while_the_first_run_goes_on_is_found() -> None:
    async with fake_vendure() as (fake, connector):
        orders = [fake.place(fake.tick(10), number) for number in range(1, 251)]
        orders[-1]["state"] = "Modifying"
        copy = Copy(connector)
        steps = iter(range(9))

        def leave() -> None:
            if next(steps, None) == 4:
                orders[-1]["state"] = "PaymentSettled"

        fake.after_request = leave
        await copy.run()
        assert copy.records["250"]["state"] == "PaymentSettled"


@pytest.mark.parametrize("interrupted", [True, False])
async def test_a_cursor_of_an_older_release_goes_on(interrupted: bool) -> None:
    async with fake_vendure() as (fake, connector):
        orders = [fake.place(fake.tick(100), number) for number in range(1, 10)]
        last = format_utc(orders[5]["orderPlacedAt"])
        old: dict[str, Any] = {
            "began": format_utc(fake.tick(0)),
            "since": None,
            "phase": "placed",
            "walk": {"at": None, "seen": []},
        }
        old |= {"placed": {"at": last, "seen": ["6"]}, "unusual": {}, "older": {"at": None, "seen": []}}
        old |= {"older_since": old["began"], "older_began": old["began"]}
        found, cursor = await came(connector, Pull(cursor=json.dumps(old), interrupted=interrupted))
        assert set(found) == {"7", "8", "9"} | (set() if interrupted else {"6"})
        assert (await came(connector, Pull(cursor=cursor, overlap=timedelta(0))))[0] == ["9"]


async def test_a_window_yields_what_was_placed_in_it_the_oldest_first() -> None:
    """Both bounds are whole seconds that belong to it."""
    async with fake_vendure() as (fake, connector):
        for number in range(1, 401):
            fake.place(fake.now if 90 < number < 340 else fake.tick(0.3), number)
        fake.cart()
        since, until = (fake.tables["orders"][id]["orderPlacedAt"].replace(microsecond=0) for id in ("40", "370"))
        window = Pull(since=since, until=until)
        first, cursor = await came(connector, window, most=2)
        fake.place(fake.tick(1000), 999)
        fake.refund(fake.tables["orders"]["50"])
        rest, _ = await came(connector, msgspec.structs.replace(window, cursor=cursor, interrupted=True))
        expected = {
            id for id, order in placed(fake).items() if since <= order["orderPlacedAt"].replace(microsecond=0) <= until
        }
        dates = [fake.tables["orders"][id]["orderPlacedAt"] for id in first + rest]
        assert dates == sorted(dates)
        assert sorted(first + rest) == sorted(expected)


async def test_a_window_without_beginning_yields_everything_before() -> None:
    async with fake_vendure() as (fake, connector):
        for number in range(1, 31):
            fake.place(fake.tick(5), number)
        until = fake.tables["orders"]["20"]["orderPlacedAt"]
        assert (await came(connector, Pull(until=until)))[0] == [str(number) for number in range(1, 21)]


async def test_fetch_finds_orders_in_pages_and_leaves_out_carts() -> None:
    async with fake_vendure() as (fake, connector):
        orders = [fake.place(fake.tick(1), number) for number in range(1, 251)]
        orders[9]["orderPlacedAt"] = None
        wanted = [order["id"] for order in orders]
        found = await connector.fetch(Function.GET_ORDERS, [*wanted, "4711", "", *wanted])
        assert sorted(json.loads(raw)["id"] for raw in found) == sorted(set(wanted) - {"10"})
        assert connector.map(Function.GET_ORDERS, found[0])
        asked = [each["variables"]["options"] for each in fake.requests if "options" in each["variables"]]
        assert all(options["take"] <= client.PAGE_SIZE for options in asked)
        assert await connector.fetch(Function.GET_ORDERS, []) == []


async def test_fetch_finds_a_product_by_its_variants_once() -> None:
    async with fake_vendure() as (fake, connector):
        for number in range(1, 61):
            fake.add_product(number)
        for number in range(1, 61):
            fake.tables["products"][f"{number}"] = fake.tables["products"].pop(f"p{number}")
            fake.tables["products"][f"{number}"]["id"] = f"{number}"
            fake.tables["productVariants"][f"{number}"]["productId"] = f"{number}"
            fake.tables["productVariants"][f"v{number}"] = fake.tables["productVariants"].pop(f"{number}")
            fake.tables["productVariants"][f"v{number}"]["id"] = f"v{number}"
        wanted = ["product-1", "v1", "v2", "product-3", "product-99", "v99"]
        found = await connector.fetch(Function.GET_PRODUCTS, wanted)
        assert sorted(json.loads(raw)["id"] for raw in found) == ["1", "2", "3"]
        mapped = {record.id for raw in found for record in connector.map(Function.GET_PRODUCTS, raw)}
        assert {"product-1", "v1", "product-2", "v2", "product-3"} <= mapped


async def test_rows_that_move_while_they_are_read_hide_no_other() -> None:
    async with fake_vendure() as (fake, connector):
        products = [fake.add_product(number) for number in range(1, 201)]
        for product in products:
            product["updatedAt"] = fake.tick()
        generator = random.Random(1)
        moves = iter(range(150))

        def move() -> None:
            if next(moves, None) is not None:
                for product in generator.sample(products, 5):
                    product["updatedAt"] = fake.tick()

        fake.after_request = move
        copy = Copy(connector, Function.GET_PRODUCTS)
        await copy.run()
        assert copy.records.keys() == fake.tables["products"].keys()


async def test_too_many_at_one_time_are_refused_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_TIED", 150)
    async with fake_vendure() as (fake, connector):
        for number in range(1, 302):
            fake.place(fake.now, number)
        with pytest.raises(RequestRefused, match="same orderPlacedAt"):
            await Copy(connector).run()


@pytest.mark.parametrize("age", [1, 30, 59])
@pytest.mark.parametrize("change", ["refund", "ship"])
async def test_changes_without_a_time_of_the_order_are_found(age: int, change: str) -> None:
    async with fake_vendure() as (fake, connector):
        orders = [fake.place(fake.now - age * DAY + number * timedelta(minutes=2), number) for number in range(1, 30)]
        copy = Copy(connector)
        fake.tick(1000)
        await copy.run()
        fake.tick(1000)
        assert await copy.run() == [orders[-1]["id"]]
        fake.tick(1000)
        getattr(fake, change)(orders[7])
        fake.tick(5)
        came = await copy.run()
        assert orders[7]["id"] in came
        assert len(came) <= 2
        assert essence(copy.records["8"]) == essence(orders[7])


async def test_old_orders_are_looked_at_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PROBE_SIZE", 40)
    async with fake_vendure() as (fake, connector):
        orders = [fake.place(fake.now - 200 * DAY + number * DAY, number) for number in range(1, 131)]
        copy = Copy(connector)
        await copy.run()
        for changed in (orders[5], orders[100], orders[129]):
            fake.tick(1000)
            fake.refund(changed)
            came: list[str] = []
            for _ in range(9):
                fake.tick(1000)
                came += await copy.run()
            assert changed["id"] in came
            assert essence(copy.records[changed["id"]]) == essence(changed)


async def test_states_that_leave_no_trace_are_found() -> None:
    async with fake_vendure() as (fake, connector):
        orders = [fake.place(fake.tick(100), number) for number in range(1, 10)]
        copy = Copy(connector)
        await copy.run()
        for state in ("Modifying", "AwaitingCustoms", "PaymentSettled"):
            fake.tick(1000)
            orders[2]["state"] = state
            await copy.run()
            assert copy.records["3"]["state"] == state
            fake.tick(1000)
            assert "3" not in await copy.run()


async def test_stock_and_variants_are_followed() -> None:
    async with fake_vendure() as (fake, connector):
        products = [fake.add_product(number) for number in range(1, 61)]
        copy = Copy(connector, Function.GET_PRODUCTS)
        fake.tick(1000)
        await copy.run()
        fake.tick(1000)
        assert await copy.run() == []
        level = products[41]["variants"][0]["stockLevels"][0]
        level["stockOnHand"], level["updatedAt"] = 3, fake.tick(1000)
        products[7]["variants"][0]["updatedAt"] = fake.now
        products[9]["updatedAt"] = fake.now
        fake.tick()
        assert sorted(await copy.run()) == sorted(["p42", "p8", "p10"])
        assert copy.records["p42"]["variants"][0]["stockLevels"][0]["stockOnHand"] == 3


async def test_the_whole_catalogue_is_read_once_a_day() -> None:
    async with fake_vendure() as (fake, connector):
        product = fake.add_product(1)
        fake.tick(1000)
        copy = Copy(connector, Function.GET_PRODUCTS)
        await copy.run()
        product["collections"] = [{"name": "Renamed"}]
        fake.tick(DAY.total_seconds() - 60)
        assert await copy.run() == []
        fake.tick(120)
        assert await copy.run() == ["p1"]
        assert copy.records["p1"]["collections"] == [{"name": "Renamed"}]


@pytest.mark.parametrize("seed", range(12))
async def test_a_copy_follows_a_living_shop(seed: int) -> None:
    """Orders are placed and changed at any moment, also while a run reads, and runs die; nothing is lost for long."""
    generator = random.Random(seed)
    async with fake_vendure() as (fake, connector):

        def live() -> None:
            fake.tick(generator.choice((0.0, 0.0004, 0.3, 5)))
            orders = list(placed(fake).values())
            order = generator.choice(orders)
            match generator.randrange(7):
                case 0:
                    fake.place()
                case 1:
                    fake.refund(order)
                case 2:
                    fake.ship(order)
                case 3:
                    fake.toggle_modifying(order)
                case 4:
                    order["couponCodes"], order["updatedAt"] = [*order["couponCodes"], "X"], fake.now
                case 5:
                    order["customer"] = {"emailAddress": f"{fake.now}@x", "updatedAt": fake.now}
                case _:
                    order["modifications"].append({"updatedAt": fake.now})
                    order["updatedAt"] = fake.now

        for number in range(1, 260):
            fake.place(fake.tick(generator.choice((0, 0, 0.0003, 60))), number)
        copy = Copy(connector)
        for _ in range(6):
            fake.after_request = live
            pull = Pull(cursor=copy.cursor)
            stop = generator.randrange(1, 9)
            pages = connector.pull(Function.GET_ORDERS, pull)
            async for page in pages:
                copy.take(page)
                stop -= 1
                if not stop:
                    break
            else:
                stop = 1
            await pages.aclose()  # type: ignore[attr-defined]
            if not stop and copy.cursor:
                async for page in connector.pull(Function.GET_ORDERS, Pull(cursor=copy.cursor, interrupted=True)):
                    copy.take(page)
            fake.after_request = lambda: None
            for _ in range(generator.randrange(20)):
                live()
            fake.tick(generator.choice((1, 100, 4000)))
        fake.tick(1)
        await copy.run()
        assert copy.records.keys() == placed(fake).keys()
        for id, order in placed(fake).items():
            assert essence(copy.records[id]) == essence(order), id


def said(data: Any = None, code: str | None = None, message: str = "no") -> bytes:
    errors = [] if code is None else [{"message": message, "extensions": {"code": code}}]
    return answer(200, json.dumps({"data": data, "errors": errors}).encode())


LOGIN = answer(200, b'{"data":{"login":{"__typename":"CurrentUser"}}}', vendure_auth_token="t")


async def first_run(server: ScriptedServer, patience: float = 0.01, slowest: float = 30.0) -> list[RawPage]:
    connector = connector_of(server.url, patience, slowest)
    try:
        return [page async for page in connector.pull(Function.GET_ORDERS, Pull())]
    finally:
        await connector.session.close()


def listing(*items: Any) -> bytes:
    return said({"list": {"totalItems": len(items), "items": list(items)}})


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (answer(500, b"<html>oops</html>"), PlatformUnavailable),
        (answer(503), PlatformUnavailable),
        (answer(429, retry_after="3600"), RateLimitedByPlatform),
        (answer(403), PermissionMissing),
        (answer(404), RequestRefused),
        (answer(200, b"<html>Log in</html>"), BadAnswer),
        (answer(200, b'{"data":{"list":{"totalItems":1,"ite'), BadAnswer),
        (answer(200, b"[]"), BadAnswer),
        (answer(200, b"\xff\xfe"), BadAnswer),
        (answer(200, b"{}", length=4000), PlatformUnavailable),
        (said({"list": None}), BadAnswer),
        (said({"list": {"totalItems": "x", "items": []}}), BadAnswer),
        (said(code="INTERNAL_SERVER_ERROR"), PlatformUnavailable),
        (said(code="USER_INPUT_ERROR"), RequestRefused),
        (said(code="GRAPHQL_VALIDATION_FAILED"), RequestRefused),
        (said(code="CHANNEL_NOT_FOUND"), CredentialsRejected),
        (listing({"id": "1"}), BadAnswer),
        (listing({"id": 1, "orderPlacedAt": "2026-01-01T00:00:00Z"}), BadAnswer),
        (listing({"id": "1", "orderPlacedAt": "yesterday"}), BadAnswer),
        (listing(ORDER, {**ORDER, "id": "2", "orderPlacedAt": "2001-01-01T00:00:00Z"}), BadAnswer),
    ],
)
async def test_wrong_answers_are_told_apart(wrong: bytes, error: type[ConnectorError]) -> None:
    async with scripted_server() as server:
        server.script(LOGIN, said(PRECISION), wrong)
        with pytest.raises(error) as caught:
            await first_run(server)
        assert type(caught.value) is error
        assert caught.value.message


async def test_a_server_that_never_answers_is_given_up() -> None:
    async with scripted_server() as server:
        server.script(LOGIN, said(PRECISION), FOREVER)
        with pytest.raises(PlatformUnavailable):
            await first_run(server, slowest=0.2)


async def test_passing_trouble_is_waited_out() -> None:
    async with scripted_server() as server:
        trouble = (answer(429, retry_after="0"), answer(502), answer(503))
        server.script(LOGIN, said(PRECISION), *trouble, listing(ORDER), listing())
        found = await first_run(server, patience=30.0)
        assert [json.loads(raw)["id"] for page in found for raw in page.records] == [ORDER["id"]]


async def test_a_server_that_repeats_a_page_is_no_endless_walk() -> None:
    page = listing(*({**ORDER, "id": str(number)} for number in range(100)))
    async with scripted_server() as server:
        server.script(LOGIN, said(PRECISION), page)
        with pytest.raises(BadAnswer, match="repeats"):
            await first_run(server)


async def test_a_session_that_is_over_is_renewed_once() -> None:
    async with scripted_server() as server:
        server.script(LOGIN, said(PRECISION), said(code="FORBIDDEN"), LOGIN, listing(ORDER), listing())
        assert sum(len(page.records) for page in await first_run(server)) == 1


async def test_a_missing_permission_is_not_taken_for_wrong_credentials() -> None:
    async with scripted_server() as server:
        channel = said({"activeChannel": {"id": "1", "code": "main"}})
        server.script(LOGIN, said(PRECISION), said(code="FORBIDDEN"), LOGIN, said(code="FORBIDDEN"), channel)
        with pytest.raises(PermissionMissing, match="ReadOrder"):
            await first_run(server)


async def test_the_password_is_in_no_message() -> None:
    async with scripted_server() as server:
        server.script(
            said({"login": {"__typename": "InvalidCredentialsError", "message": "The credentials are invalid"}})
        )
        connector = connector_of(server.url)
        with pytest.raises(CredentialsRejected, match="credentials are invalid"):
            await connector.check()
        await connector.session.close()
