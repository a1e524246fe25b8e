"""Walks and increments against a small Extensiv whose records change while they are read, and answers that are wrong."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.extensiv.shop import START, FakeExtensiv, Scripted, connected, serving
from unicart.connectors.extensiv import client
from unicart.connectors.extensiv.client import ExtensivConnector
from unicart.connectors.kit import (
    BadAnswer,
    CredentialsRejected,
    PermissionMissing,
    PlatformUnavailable,
    Pull,
    RateLimitedByPlatform,
    RequestRefused,
)
from unicart.contract.products import Product
from unicart.contract.resources import Function

pytestmark = pytest.mark.anyio
ORDERS, PRODUCTS, WAREHOUSES = Function.GET_ORDERS, Function.GET_PRODUCTS, Function.GET_WAREHOUSES
DAY = timedelta(days=1)


@pytest.fixture
def fake() -> Iterator[FakeExtensiv]:
    with serving() as served:
        yield served


class Copy:
    """What a store that follows the connector holds: the last raw record of each id."""

    def __init__(self, connector: ExtensivConnector, function: Function = ORDERS) -> None:
        self.connector, self.function = connector, function
        self.held: dict[str, Any] = {}
        self.cursor: str | None = None
        self.interrupted = False

    async def run(self, most: int | None = None, **pull: Any) -> list[str]:
        """A run, or its first pages, as if it was killed behind them; the ids that came, in order."""
        came: list[str] = []
        asked = Pull(cursor=self.cursor, interrupted=self.interrupted, **pull)
        async for page in self.connector.pull(self.function, asked):
            self.cursor, self.interrupted = page.cursor, True
            found = [json.loads(raw) for raw in page.records]
            self.held.update({record.get("id", str(record.get("facilityId"))): record for record in found})
            came += [record.get("id", str(record.get("facilityId"))) for record in found]
            most = most and most - 1
            if most == 0:
                return came
        self.interrupted = False
        return came


def aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def fill(fake: FakeExtensiv, count: int, seconds: float = 7.0, together: range = range(0)) -> list[int]:
    """That many orders, some of them at the same time."""
    for number in range(count):
        fake.place()
        if number not in together:
            fake.tick(seconds)
    return list(fake.orders)


def notes(copy: Copy) -> dict[str, Any]:
    return {id: raw["order"].get("notes") for id, raw in copy.held.items()}


def expected_notes(fake: FakeExtensiv) -> dict[str, Any]:
    return {str(id): order.get("notes") for id, order in fake.orders.items()}


async def test_check_names_the_account(fake: FakeExtensiv) -> None:
    fake.add_customer(4)
    async with connected(fake, tpl="guid") as connector:
        account = await connector.check()
        assert (account.account_id, "guysmiley" in account.account_name) == ("guid", True)
    async with connected(fake, customer_id="4", tpl="{guid}") as connector:
        account = await connector.check()
    assert (account.account_id, account.account_name) == ("guid 4", "Customer 4 & Söhne")
    assert [login.get("tpl") for login in fake.logins] == ["{guid}", "{guid}"]
    assert fake.logins[0]["grant_type"] == "client_credentials"


@pytest.mark.parametrize(
    ("credentials", "word"),
    [
        ({"client_secret": "wrong"}, "Manage Credentials"),
        ({"user_login": "nobody"}, "Manage Credentials"),
        ({"user_login": ""}, "user login"),
        ({"time_zone": "Moon/Base"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"customer_id": "four"}, "customer_id"),
        ({"currency": "Euro"}, "currency"),
    ],
    ids=str,
)
async def test_credentials_that_are_wrong_are_rejected_with_the_remedy(
    fake: FakeExtensiv, credentials: dict[str, str], word: str
) -> None:
    async with connected(fake, patience=20.0, slowest=20.0, **credentials) as connector:
        with pytest.raises(CredentialsRejected, match=word):
            await connector.check()


async def test_a_user_may_be_given_by_number(fake: FakeExtensiv) -> None:
    async with connected(fake, user_login="", user_login_id="17") as connector:
        with pytest.raises(CredentialsRejected):
            await connector.check()
    assert fake.logins == [{"grant_type": "client_credentials", "user_login_id": "17"}]


async def test_a_token_that_ends_is_renewed_within_a_run(fake: FakeExtensiv) -> None:
    ids = fill(fake, 250)
    fake.after_request = fake.tokens.clear
    async with connected(fake) as connector:
        assert sorted(map(int, await Copy(connector).run())) == ids
    assert len(fake.logins) > 2


@pytest.mark.parametrize(
    ("function", "role"),
    [
        (ORDERS, "OrderView"),
        (PRODUCTS, "ItemView"),
        (PRODUCTS, "CustomerView"),
        (PRODUCTS, "InventoryRead"),
        (WAREHOUSES, "FacilityView"),
    ],
)
async def test_a_role_that_is_missing_is_named(fake: FakeExtensiv, function: Function, role: str) -> None:
    fake.add_customer(4)
    fake.roles.remove(role)
    async with connected(fake) as connector:
        with pytest.raises(PermissionMissing, match=role):
            await Copy(connector, function).run()


@pytest.mark.parametrize(
    ("scripted", "error"),
    [
        (Scripted(500, b"plain text"), PlatformUnavailable),
        (Scripted(429), RateLimitedByPlatform),
        (Scripted(200, b"<html>"), BadAnswer),
        (Scripted(200, b'{"totalResults": 3}'), BadAnswer),
        (Scripted(200, b'{"ResourceList": []}'), BadAnswer),
        (Scripted(400, b'{"ErrorCode": "NotParsable", "Hint": "Properties not supported: gorp"}'), RequestRefused),
        (Scripted(200, b"{", {"content-length": "999"}), PlatformUnavailable),
        (Scripted(stall=3.0), PlatformUnavailable),
    ],
    ids=["500", "429", "html", "no list", "no hal", "400", "cut", "slow"],
)
async def test_what_can_go_wrong_is_told_apart(fake: FakeExtensiv, scripted: Scripted, error: type[Exception]) -> None:
    fake.scripted = [scripted] * 20
    async with connected(fake, patience=1.0, slowest=0.5) as connector:
        with pytest.raises(error):
            await Copy(connector).run()
    fake.scripted.clear()


async def test_faults_that_pass_are_sat_out(fake: FakeExtensiv) -> None:
    ids = fill(fake, 20)
    fake.scripted = [Scripted(500, b"oops"), Scripted(429, headers={"retry-after": "0"}), Scripted(503)]
    async with connected(fake) as connector:
        assert sorted(map(int, await Copy(connector).run())) == ids


async def test_a_record_that_is_counted_but_moves_before_it_is_listed_is_no_failure(fake: FakeExtensiv) -> None:
    ids = fill(fake, 3)
    async with connected(fake) as connector:
        await connector.check()
        fake.scripted = [Scripted(200, b'{"totalResults": 1}')]
        assert sorted(map(int, await Copy(connector).run())) == ids


async def test_a_list_that_is_not_sorted_as_asked_is_no_list(fake: FakeExtensiv) -> None:
    fill(fake, 3)
    dates = ["2026-06-01T12:00:07", "2026-06-01T12:00:00"]
    rows = [{"readOnly": {"orderId": 5, "lastModifiedDate": date}} for date in dates]
    body = {"totalResults": 2, "_embedded": {"http://api.3plCentral.com/rels/orders/order": rows}}
    async with connected(fake) as connector:
        copy = Copy(connector)
        await copy.run()
        fake.scripted = [Scripted(200, json.dumps(body).encode())]
        with pytest.raises(BadAnswer, match="not sorted"):
            await copy.run()


@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.parametrize("stop", [1, 2, 3, 4])
async def test_the_first_run_yields_the_newest_first_and_goes_on_where_it_was_killed(
    fake: FakeExtensiv, stop: int, limited: bool
) -> None:
    ids = fill(fake, 350, 1.0, range(90, 240))
    since = fake.orders[ids[60]]["readOnly"]["creationDate"].replace(microsecond=0) + timedelta(seconds=1)
    window = [id for id in ids if not limited or fake.orders[id]["readOnly"]["creationDate"] >= since]
    fake.tick(1000)
    async with connected(fake) as connector:
        copy = Copy(connector)
        first = list(map(int, await copy.run(stop, since=aware(since) if limited else None)))
        assert first[: len(window)] == sorted(window, reverse=True)[: len(first)]
        new = fake.place()["readOnly"]["orderId"]
        fake.modify(fake.orders[window[5]], notes="changed")
        await copy.run()
        assert set(copy.held) == {str(id) for id in [*window, new]}
        assert copy.held[str(window[5])]["order"]["notes"] == "changed"


async def test_a_limited_first_run_finds_older_orders_that_changed_since(fake: FakeExtensiv) -> None:
    ids = fill(fake, 40, DAY.total_seconds())
    since = START + 20 * DAY
    for id in ids[3], ids[7]:
        fake.modify(fake.orders[id], notes="late")
    async with connected(fake) as connector:
        copy = Copy(connector)
        came = list(map(int, await copy.run(since=aware(since))))
        assert came == [*ids[:19:-1], ids[3], ids[7]]
        fake.tick(1000)
        assert await copy.run() == []


async def test_a_run_over_unchanged_orders_is_two_requests(fake: FakeExtensiv) -> None:
    fill(fake, 30)
    async with connected(fake) as connector:
        copy = Copy(connector)
        await copy.run()
        fake.requests.clear()
        assert await copy.run() == []
    assert len(fake.requests) == 2
    assert all(asked["detail"] == asked["itemdetail"] == "All" for _, asked in fake.requests)


@pytest.mark.parametrize("stop", [None, 1, 2])
async def test_new_orders_without_a_date_of_change_are_found(fake: FakeExtensiv, stop: int | None) -> None:
    """What never changed may have none."""
    ids = fill(fake, 130)
    since = fake.orders[ids[20]]["readOnly"]["creationDate"]
    async with connected(fake) as connector:
        copy = Copy(connector)
        await copy.run(since=aware(since))
        for _ in range(220):
            fake.place()["readOnly"]["lastModifiedDate"] = None
        fake.place(notes="dated")
        fake.modify(fake.orders[ids[50]], notes="changed")
        came = await copy.run(stop)
        came += await copy.run()
        assert sorted(map(int, came)) == [ids[50], *range(ids[-1] + 1, ids[-1] + 222)]
        assert await copy.run() == []
        assert copy.held[str(ids[50])]["order"]["notes"] == "changed"


async def test_new_orders_are_found_where_there_were_none_to_begin_with(fake: FakeExtensiv) -> None:
    fill(fake, 3)
    async with connected(fake) as connector:
        copy = Copy(connector)
        assert await copy.run(since=aware(fake.now + DAY)) == []
        fake.tick(2 * DAY.total_seconds())
        fake.place()["readOnly"]["lastModifiedDate"] = None
        assert await copy.run() == ["104"]


@pytest.mark.parametrize("function", [ORDERS, PRODUCTS])
async def test_a_cursor_that_knows_no_id_goes_on_with_what_is_new(fake: FakeExtensiv, function: Function) -> None:
    fill(fake, 3)
    shelve(fake, 5)
    async with connected(fake) as connector:
        copy = Copy(connector, function)
        await copy.run()
        cursor = json.loads(copy.cursor or "")
        for part in [cursor, *cursor.get("catalogues", {}).values()]:
            part.pop("above", None)
        copy.cursor = json.dumps(cursor)
        fake.tick(1000)
        assert await copy.run() == []
        fake.place()["readOnly"]["lastModifiedDate"] = None
        fake.add_item(600, 5, dated=False)
        assert await copy.run() == (["104"] if function is ORDERS else ["600"])


@pytest.mark.parametrize("together", [150, 100, 99, 350])
async def test_a_change_of_many_orders_at_once_hides_none(fake: FakeExtensiv, together: int) -> None:
    ids = fill(fake, 360)
    async with connected(fake) as connector:
        copy = Copy(connector)
        await copy.run()
        fake.tick(500)
        fake.now = fake.now.replace(microsecond=0)
        for number, id in enumerate(ids):
            if number >= together:
                fake.tick(3)
            elif number % 3 == 0:
                fake.tick(0)
            fake.modify(fake.orders[id], notes=f"n{number}")
        came = await copy.run()
        assert len(came) == len(set(came)) == 360
        assert notes(copy) == expected_notes(fake)


@pytest.mark.parametrize("seed", range(6))
async def test_orders_that_change_while_they_are_read_hide_no_other(fake: FakeExtensiv, seed: int) -> None:
    ids = fill(fake, 330, 1.0)
    generator = random.Random(seed)
    changes = iter(range(120))

    def change() -> None:
        for _ in range(generator.randrange(12)):
            number = next(changes, None)
            if number is None:
                return
            fake.tick(generator.choice([0.004, 0.5, 4]))
            if generator.random() < 0.3:
                fake.place(notes=f"new {number}")
            else:
                fake.modify(fake.orders[generator.choice(ids)], notes=f"n{number}")

    async with connected(fake) as connector:
        copy = Copy(connector)
        fake.after_request = change
        for _ in range(40):
            await copy.run(generator.choice([None, 1, 2]))
        fake.after_request = lambda: None
        await copy.run()
        await copy.run()
        assert notes(copy) == expected_notes(fake)


async def test_a_second_change_within_the_shown_moment_is_not_taken_for_the_first(fake: FakeExtensiv) -> None:
    fill(fake, 3)
    async with connected(fake) as connector:
        copy = Copy(connector)
        order = fake.orders[101]
        fake.modify(order, notes="first")
        await copy.run()
        fake.modify(order, notes="second")
        assert await copy.run() == ["101"]
        assert copy.held["101"]["order"]["notes"] == "second"


async def test_a_change_that_was_committed_late_is_found_by_the_overlap(fake: FakeExtensiv) -> None:
    fill(fake, 3, 50.0)
    async with connected(fake) as connector:
        copy = Copy(connector)
        await copy.run()
        early = fake.orders[101]
        early["notes"], early["readOnly"]["lastModifiedDate"] = "late", START + timedelta(seconds=60)
        assert await copy.run() == ["101"]


async def test_no_change_is_missed_when_the_clock_is_set_back(fake: FakeExtensiv) -> None:
    """In New York, 01:30 comes twice on 1 November 2026: what changes in the second hour seems older than what was read."""
    fake.now = datetime.fromisoformat("2026-11-01T00:30")
    ids = fill(fake, 4, 20 * 60)
    fake.now = datetime.fromisoformat("2026-11-01T01:50")
    fake.modify(fake.orders[ids[0]], notes="first hour")
    async with connected(fake, time_zone="America/New_York") as connector:
        copy = Copy(connector)
        await copy.run()
        fake.now = datetime.fromisoformat("2026-11-01T01:10")
        fake.modify(fake.orders[ids[1]], notes="second hour")
        assert str(ids[1]) in await copy.run()
        fake.now = datetime.fromisoformat("2026-11-01T02:40")
        fake.modify(fake.orders[ids[2]], notes="after")
        await copy.run()
        fake.orders[ids[3]]["readOnly"]["lastModifiedDate"] = datetime.fromisoformat("2026-11-01T01:59")
        fake.orders[ids[3]]["notes"] = "committed late"
        await copy.run()
        assert notes(copy) == expected_notes(fake)


async def test_times_are_asked_for_in_the_zone_of_the_dates(fake: FakeExtensiv) -> None:
    fake.now = datetime.fromisoformat("2026-06-01T05:00")
    fill(fake, 3, 3600)
    async with connected(fake, time_zone="America/Los_Angeles") as connector:
        came = await Copy(connector).run(since=datetime(2026, 6, 1, 13, tzinfo=UTC))
        assert came == ["103", "102"]
        (order,) = connector.map(ORDERS, (await connector.fetch(ORDERS, ["101"]))[0])
    assert order.created_date == datetime(2026, 6, 1, 12, tzinfo=UTC)


async def test_a_window_yields_what_was_created_in_it_the_oldest_first(fake: FakeExtensiv) -> None:
    """Both bounds are whole seconds that belong to it."""
    ids = fill(fake, 350, 0.3, range(90, 250))
    since, until = (fake.orders[id]["readOnly"]["creationDate"].replace(microsecond=0) for id in (ids[39], ids[320]))
    window = [id for id in ids if since <= fake.orders[id]["readOnly"]["creationDate"].replace(microsecond=0) <= until]
    async with connected(fake) as connector:
        copy = Copy(connector)
        first = await copy.run(2, since=aware(since), until=aware(until))
        fake.modify(fake.orders[ids[50]], notes="changed")
        fake.tick(100)
        fake.place()
        rest = await copy.run(since=aware(since), until=aware(until))
        assert list(map(int, first + rest)) == window
        everything = Copy(connector)
        assert list(map(int, await everything.run(until=aware(until)))) == [id for id in ids if id <= window[-1]]


async def test_fetch_brings_what_there_is_as_pull_does(fake: FakeExtensiv) -> None:
    ids = fill(fake, 250)
    async with connected(fake) as connector:
        copy = Copy(connector)
        await copy.run()
        wanted = list(map(str, ids))
        found = await connector.fetch(ORDERS, [*wanted, "99999", "2147483648", "9" * 5000, "", "x", "²", *wanted])
        assert {json.loads(raw)["id"]: json.loads(raw) for raw in found} == copy.held
        assert len(found) == 250
        assert await connector.fetch(ORDERS, []) == []


async def test_one_customer_of_the_3pl_sees_its_own_only(fake: FakeExtensiv) -> None:
    for customer in (4, 5):
        fake.add_customer(customer)
        fake.add_item(customer * 10, customer)
        fake.put_stock(customer * 10, 2, 3.0)
        fake.place(customer)
        fake.tick()
    async with connected(fake, customer_id="5") as connector:
        assert await Copy(connector).run() == ["102"]
        assert await Copy(connector).run(until=aware(fake.now)) == ["102"]
        assert await Copy(connector, PRODUCTS).run() == ["50"]
        assert await connector.fetch(ORDERS, ["101"]) == []
        assert await connector.fetch(PRODUCTS, ["40"]) == []


def shelve(fake: FakeExtensiv, items: int = 230) -> None:
    """Two customers with items, some of them in stock."""
    for customer in (4, 5):
        fake.add_customer(customer)
    for id in range(1, items + 1):
        fake.add_item(id, 4 if id % 10 else 5, dated=id > 3)
        if id % 2:
            fake.put_stock(id, 2, id + 0.5)
            fake.put_stock(id, 3, 1.0)
        fake.tick()


def inventory(copy: Copy) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for id, raw in copy.held.items():
        (product,) = ExtensivConnector.map(PRODUCTS, json.dumps(raw).encode())
        assert isinstance(product, Product)
        found[id] = product.inventory_by_warehouse_id
    return found


@pytest.mark.parametrize("stop", [1, 2, 3, None])
async def test_items_come_with_their_stock_and_again_when_either_changes(fake: FakeExtensiv, stop: int | None) -> None:
    shelve(fake)
    async with connected(fake) as connector:
        copy = Copy(connector, PRODUCTS)
        came = await copy.run(stop)
        came += await copy.run()
        assert set(came) == {str(id) for id in range(1, 231)}
        assert inventory(copy)["1"] == {"2": 1, "3": 1}
        assert inventory(copy)["2"] == {}
        fake.tick(1000)
        assert await copy.run() == []
        fake.put_stock(7, 2, 99.0)
        fake.put_stock(10, 3, 4.0)
        fake.items[20]["description"] = "Mug"
        fake.items[20]["readOnly"]["lastModifiedDate"] = fake.now
        fake.tick()
        fake.add_item(500, 5)
        fake.add_item(501, 4, dated=False)
        assert sorted(await copy.run(), key=int) == ["7", "10", "20", "500", "501"]
        assert (inventory(copy)["7"], inventory(copy)["10"]) == ({"2": 99, "3": 1}, {"3": 4})
        fake.add_customer(6)
        fake.add_item(600, 6)
        assert "600" in await copy.run()


async def test_an_item_that_is_gone_is_not_asked_for_again_and_again(fake: FakeExtensiv) -> None:
    shelve(fake, 5)
    async with connected(fake) as connector:
        copy = Copy(connector, PRODUCTS)
        await copy.run()
        del fake.items[3]
        fake.stock = [row for row in fake.stock if row["itemIdentifier"]["id"] != 3]
        assert await copy.run() == []
        fake.requests.clear()
        assert await copy.run() == []
        assert not any("=in=" in asked.get("rql", "") for _, asked in fake.requests)


async def test_items_of_a_window_and_by_id(fake: FakeExtensiv) -> None:
    shelve(fake)
    since, until = (fake.items[id]["readOnly"]["creationDate"].replace(microsecond=0) for id in (40, 200))
    async with connected(fake) as connector:
        copy = Copy(connector, PRODUCTS)
        await copy.run()
        windowed = Copy(connector, PRODUCTS)
        came = await windowed.run(1, since=aware(since), until=aware(until))
        came += await windowed.run(since=aware(since), until=aware(until))
        assert sorted(map(int, came)) == list(range(40, 201))
        found = await connector.fetch(PRODUCTS, ["7", "10", "1", "12345", "no"])
        assert {json.loads(raw)["id"]: json.loads(raw) for raw in found} == {
            id: copy.held[id] for id in ("1", "7", "10")
        }
        assert {id: copy.held[id] for id in windowed.held} == windowed.held


async def test_stock_that_moves_while_it_is_read_is_read_again(
    fake: FakeExtensiv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "STOCK_PAGE_SIZE", 10)
    shelve(fake, 60)
    moves = iter(range(3))

    def shuffle() -> None:
        if fake.requests[-1][0].endswith("summaries") and next(moves, None) is not None:
            fake.stock = fake.stock[7:] + fake.stock[:7]

    async with connected(fake) as connector:
        fake.after_request = shuffle
        copy = Copy(connector, PRODUCTS)
        await copy.run()
        assert all(inventory(copy)[str(id)] == {"2": id, "3": 1} for id in range(1, 61, 2))


async def test_a_row_of_stock_that_vanishes_while_it_is_read_hides_no_other(
    fake: FakeExtensiv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "STOCK_PAGE_SIZE", 10)
    shelve(fake, 60)
    vanishing = iter([fake.stock[0]])

    def vanish() -> None:
        if fake.requests[-1][0].endswith("summaries") and (row := next(vanishing, None)) is not None:
            fake.stock.remove(row)

    async with connected(fake) as connector:
        fake.after_request = vanish
        copy = Copy(connector, PRODUCTS)
        await copy.run()
        assert inventory(copy)["1"] == {"3": 1}
        assert all(inventory(copy)[str(id)] == {"2": id, "3": 1} for id in range(3, 61, 2))


async def test_stock_that_never_holds_still_stops_the_run(fake: FakeExtensiv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STOCK_PAGE_SIZE", 10)
    shelve(fake, 60)

    def grow() -> None:
        fake.stock = fake.stock[3:] + fake.stock[:3]
        fake.put_stock(1000 + len(fake.requests), 2, 1.0)

    fake.after_request = grow
    async with connected(fake) as connector:
        with pytest.raises(PlatformUnavailable, match="stock"):
            await Copy(connector, PRODUCTS).run()


async def test_rows_of_stock_that_are_really_double_are_taken(fake: FakeExtensiv) -> None:
    shelve(fake, 3)
    fake.stock.append({**fake.stock[0], "available": 10.0})
    async with connected(fake) as connector:
        copy = Copy(connector, PRODUCTS)
        await copy.run()
        assert inventory(copy)["1"] == {"2": 11, "3": 1}


async def test_facilities_come_once_and_again_when_they_change(fake: FakeExtensiv) -> None:
    for id in range(1, 131):
        fake.add_facility(id, f"Warehouse {id}")
    async with connected(fake) as connector:
        copy = Copy(connector, WAREHOUSES)
        assert list(map(int, await copy.run())) == list(range(1, 131))
        assert await copy.run() == []
        fake.facilities[9]["name"] = "Süd"
        assert await copy.run() == ["9"]
        assert len(await Copy(connector, WAREHOUSES).run(until=aware(fake.now))) == 130
        assert await Copy(connector, WAREHOUSES).run(since=aware(START), until=aware(fake.now)) == []
        assert [json.loads(raw)["name"] for raw in await connector.fetch(WAREHOUSES, ["9", "999"])] == ["Süd"]


async def test_an_empty_3pl_is_no_failure(fake: FakeExtensiv) -> None:
    async with connected(fake) as connector:
        for function in Function:
            copy = Copy(connector, function)
            assert await copy.run() == []
            assert await copy.run() == []
        copy = Copy(connector)
        await copy.run()
        fake.place()
        assert await copy.run() == ["101"]


async def test_it_holds_itself_back(fake: FakeExtensiv) -> None:
    async with connected(fake) as connector:
        fresh = ExtensivConnector(connector.credentials, connector.session)
    assert (fresh.session.throttle.rate, ExtensivConnector.base_url({})) == (5.0, "https://secure-wms.com")
