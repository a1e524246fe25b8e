"""Pages of a Medusa that changes while it is read, on a small Medusa of our own that answers as the real one does."""

import asyncio
import itertools
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unicart.connectors.kit import BadAnswer, Pull, RawPage, Session, Throttle
from unicart.connectors.medusa import client
from unicart.connectors.medusa.client import MedusaConnector
from unicart.contract.resources import Function

SIZE = 4


def moment(milliseconds: int) -> str:
    return f"2026-01-01T00:{milliseconds // 60000:02}:{milliseconds // 1000 % 60:02}.{milliseconds % 1000:03}Z"


class Fake:
    """Orders, payment collections and products that answer Medusa's filters, orders and offsets.

    ``orders`` are dates of change by id, ``created`` those of creation; ``products`` are variants by product.
    """

    def __init__(self, dates: list[int], created: list[int] | None = None) -> None:
        self.orders = {f"order_{number:04}": date for number, date in enumerate(dates)}
        self.created = dict(zip(self.orders, created or dates, strict=False))
        self.payments: dict[str, int] = {}
        self.products: dict[str, list[str]] = {}
        self.requests = 0
        self.asked: list[httpx2.URL] = []
        self.before: Callable[[], None] = lambda: None

    def place(self, at: int) -> str:
        """A new order."""
        id = f"order_{len(self.orders):04}"
        self.orders[id] = self.created[id] = at
        return id

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        self.asked.append(request.url)
        self.before()
        name = request.url.path.rpartition("/")[2]
        asked = dict(request.url.params.multi_items())
        wanted = request.url.params.get_list("id[]")
        rows = [row for row in self._rows(name) if not wanted or row["id"] in wanted]
        for field, words in (("updated_at", ("$gte", "$lt")), ("created_at", ("$gte", "$lt"))):
            lowest, behind = (asked.get(f"{field}[{word}]") for word in words)
            rows = [row for row in rows if (lowest or "") <= row.get(field, "") < (behind or "3")]
        order = asked.get("order", "id")
        if name != "payments":
            rows.sort(key=lambda row: (row[order.lstrip("-")], row["id"]), reverse=order.startswith("-"))
        start = int(asked.get("offset", 0))
        page = rows[start : start + int(asked["limit"])]
        return httpx2.Response(200, json={name.replace("product-", "").replace("-", "_"): page, "count": len(rows)})

    def _rows(self, name: str) -> list[dict[str, Any]]:
        if name == "payments":
            by_date = sorted(self.payments.items(), key=lambda each: -each[1])
            return [
                {"id": f"pay_{id}", "payment_collection": {"id": f"col_{id}", "updated_at": moment(date), "order": {"id": id}}}
                for id, date in by_date
            ]  # fmt: skip
        dates = {"created_at": moment(0), "updated_at": moment(0)}
        if name == "products":
            return [{"id": id, **dates} for id in self.products]
        if name == "product-variants":
            pairs = [(id, variant) for id, variants in self.products.items() for variant in variants]
            return [{"id": variant, "product_id": id, **dates} for id, variant in pairs]
        if name == "stores":
            return [{"id": "store", "name": "Shop", "supported_currencies": []}]
        if name == "stock-locations":
            return [{"id": "sloc", **dates}]
        return [
            {
                "id": id,
                "updated_at": moment(date),
                "created_at": moment(self.created[id]),
                "paid": self.payments.get(id),
            }
            for id, date in self.orders.items()
        ]


def connected(fake: Fake) -> MedusaConnector:
    session = Session("http://medusa.test", private_network=True, throttle=Throttle(rate=1e6))
    session._client = httpx2.AsyncClient(transport=httpx2.MockTransport(fake.answer))
    return MedusaConnector({"url": "http://medusa.test", "api_key": "sk"}, session)


def pull(fake: Fake, *arguments: Any, **more: Any) -> tuple[list[str], str]:
    """The ids of a run (or its first pages), and its last cursor."""
    records, cursor = pull_records(fake, *arguments, **more)
    return [record["id"] for record in records], cursor


def pull_records(
    fake: Fake, cursor: str | None = None, pages: int | None = None, interrupted: bool = False, **more: Any
) -> tuple[list[dict[str, Any]], str]:
    """The records of a run (or its first pages), and its last cursor."""

    async def run() -> tuple[list[dict[str, Any]], str]:
        connector = connected(fake)
        found: list[dict[str, Any]] = []
        last: RawPage | None = None
        number = 0
        async for page in connector.pull(Function.GET_ORDERS, Pull(cursor=cursor, interrupted=interrupted, **more)):
            found += [json.loads(raw) for raw in page.records]
            last, number = page, number + 1
            if number == pages:
                break
        await connector.session.close()
        assert last is not None
        return found, last.cursor

    return asyncio.run(run())


def fetch(fake: Fake, function: Function, *ids: str) -> list[str]:
    async def run() -> list[str]:
        connector = connected(fake)
        found = await connector.fetch(function, ids)
        await connector.session.close()
        return [json.loads(raw)["id"] for raw in found]

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", SIZE)


DATES = st.lists(st.integers(0, 3000), max_size=30)


def at(milliseconds: int) -> datetime:
    return datetime.fromisoformat(moment(milliseconds))


@settings(deadline=None, max_examples=40)
@given(dates=DATES)
def test_everything_comes_once_and_then_nothing(dates: list[int]) -> None:
    fake = Fake(dates)
    found, cursor = pull(fake)
    assert sorted(found) == sorted(fake.orders)
    fake.requests = 0
    assert pull(fake, cursor)[0] == []
    assert fake.requests <= 2 + 3 * (1 + len(dates) // SIZE)


@settings(deadline=None, max_examples=60)
@given(created=DATES, since=st.integers(0, 3000) | st.none())
def test_the_first_run_yields_the_newest_first(created: list[int], since: int | None) -> None:
    fake = Fake(created)
    found, _ = pull(fake, since=None if since is None else at(since), overlap=timedelta(0))
    dates = [fake.created[id] for id in found]
    assert dates == sorted(dates, reverse=True)
    assert sorted(found) == sorted(id for id, date in fake.created.items() if since is None or date >= since)


@settings(deadline=None, max_examples=60)
@given(
    orders=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.none() | st.integers(0, 200)), max_size=30),
    since=st.integers(0, 200),
    pages=st.lists(st.integers(1, 4), max_size=4),
    interrupted=st.booleans(),
)
def test_a_limited_first_run_finds_what_was_created_changed_or_paid_since(
    orders: list[tuple[int, int, int | None]], since: int, pages: list[int], interrupted: bool
) -> None:
    """It may be killed as often as it likes."""
    fake = Fake([created + age for created, age, _ in orders], [created for created, _, _ in orders])
    fake.payments = {id: paid for id, (_, _, paid) in zip(fake.orders, orders, strict=True) if paid is not None}
    found, cursor = [], None
    limits = {"since": at(since), "overlap": timedelta(0)}
    for count in [*pages, None]:
        came, cursor = pull(fake, cursor, count, interrupted=interrupted and cursor is not None, **limits)
        found += came
    wanted = {id for id, date in fake.orders.items() if date >= since or fake.payments.get(id, -1) >= since}
    assert set(found) == wanted
    assert pull(fake, cursor, overlap=timedelta(0))[0] == []


@settings(deadline=None, max_examples=60)
@given(
    created=st.lists(st.integers(0, 200), min_size=1, max_size=30),
    acts=st.lists(st.tuples(st.sampled_from(("place", "change", "pay")), st.integers(0, 29)), max_size=20),
    pages=st.integers(1, 9),
)
def test_nothing_that_happens_during_the_first_run_is_missed(
    created: list[int], acts: list[tuple[str, int]], pages: int
) -> None:
    fake = Fake(created)
    clock = itertools.count(100_000)
    waiting = iter(acts)

    def act() -> None:
        for kind, number in itertools.islice(waiting, 1):
            names = sorted(fake.orders)
            id = fake.place(next(clock)) if kind == "place" else names[number % len(names)]
            if kind == "change":
                fake.orders[id] = next(clock)
            if kind == "pay":
                fake.payments[id] = next(clock)

    copy: dict[str, Any] = {}
    cursor = None
    for count, interrupted in ((1, False), (pages, True), (None, True), (None, False)):
        fake.before = act if interrupted else lambda: None
        came, cursor = pull_records(fake, cursor, count, interrupted=interrupted)
        copy.update({record["id"]: record for record in came})
    assert copy == {row["id"]: row for row in fake._rows("orders")}


def test_more_than_a_page_of_one_millisecond_comes_once_from_the_newest_down() -> None:
    fake = Fake([9, 7, 7] + [5] * (3 * SIZE + 1) + [4, 4, 4, 4, 4, 1])
    found, _ = pull(fake)
    assert sorted(found) == sorted(fake.orders)
    assert [fake.created[id] for id in found] == sorted(fake.created.values(), reverse=True)


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_cursor_of_an_older_release_goes_on(interrupted: bool) -> None:
    fake = Fake([0, 100_000, 200_000, 300_000])
    cursor = json.dumps({"orders": {"position": moment(200_000), "recent": {"order_0002": moment(200_000)}}})
    found, cursor = pull(fake, cursor, interrupted=interrupted)
    assert found == ["order_0003"]
    assert pull(fake, cursor)[0] == []


@settings(deadline=None, max_examples=60)
@given(
    created=st.lists(st.integers(0, 9000), max_size=30),
    since=st.none() | st.integers(0, 9),
    until=st.integers(0, 9),
    pages=st.integers(1, 4),
)
def test_a_window_yields_what_was_created_in_it_the_oldest_first(
    created: list[int], since: int | None, until: int, pages: int
) -> None:
    """Orders change and are placed meanwhile; both bounds are whole seconds that belong to it."""
    fake = Fake(created)
    fake.before = lambda: fake.orders.update(
        dict.fromkeys(list(fake.orders)[:1], 50000) and {fake.place(60_000): 60_000}
    )
    window: dict[str, Any] = {"since": None if since is None else at(since * 1000), "until": at(until * 1000)}
    first, cursor = pull(fake, pages=pages, **window)
    rest, _ = pull(fake, cursor, interrupted=True, **window)
    dates = [fake.created[id] for id in first + rest]
    assert dates == sorted(date for date in created if (since or 0) * 1000 <= date < until * 1000 + 1000)
    assert len(set(first + rest)) == len(first + rest)


def test_fetch_finds_orders_and_leaves_out_those_that_are_gone() -> None:
    fake = Fake([5] * 20)
    wanted = [*list(fake.orders)[:11], "order_gone", "", "order_0001"]
    assert sorted(fetch(fake, Function.GET_ORDERS, *wanted)) == list(fake.orders)[:11]
    assert all(len(url.params.get_list("id[]")) <= SIZE for url in fake.asked)
    assert fetch(fake, Function.GET_WAREHOUSES, "sloc", "gone") == ["sloc"]
    assert fetch(fake, Function.GET_ORDERS) == []


def test_fetch_finds_products_by_their_variants_once() -> None:
    fake = Fake([])
    fake.products = {f"prod_{number}": [f"variant_{number}a", f"variant_{number}b"] for number in range(9)}
    wanted = ["variant_1a", "variant_1b", "prod_1", "prod_2", "variant_3a", "variant_gone", "prod_gone"]
    assert sorted(fetch(fake, Function.GET_PRODUCTS, *wanted)) == ["prod_1", "prod_2", "prod_3"]
    assert fetch(fake, Function.GET_PRODUCTS, "variant_gone") == []


def test_more_than_a_page_of_one_millisecond() -> None:
    fake = Fake([5] * (3 * SIZE + 1) + [6, 7, 7, 7, 7, 7, 9])
    assert sorted(pull(fake)[0]) == sorted(fake.orders)


@settings(deadline=None, max_examples=40)
@given(dates=st.lists(st.integers(0, 200), min_size=1, max_size=25), touched=st.lists(st.integers(0, 24), max_size=15))
def test_an_order_that_moves_while_paged_is_never_skipped(dates: list[int], touched: list[int]) -> None:
    fake = Fake(dates)
    names = sorted(fake.orders)
    moves = iter(touched)
    clock = itertools.count(1000)

    def move() -> None:
        for number in itertools.islice(moves, 1):
            fake.orders[names[number % len(names)]] = next(clock)

    fake.before = move
    found, cursor = pull(fake)
    fake.before = lambda: None
    later, _ = pull(fake, cursor)
    assert set(found) | set(later) == set(names)


@settings(deadline=None, max_examples=30)
@given(dates=st.lists(st.integers(0, 300), min_size=1, max_size=25), pages=st.integers(1, 5))
def test_a_run_that_died_goes_on_behind_its_last_page(dates: list[int], pages: int) -> None:
    fake = Fake(dates)
    first, cursor = pull(fake, pages=pages)
    rest, _ = pull(fake, cursor, interrupted=True)
    assert sorted(first + rest) == sorted(fake.orders)


def test_a_payment_brings_its_order_again() -> None:
    fake = Fake([1, 2, 3])
    fake.payments = {"order_0000": 10}
    _, cursor = pull(fake)
    fake.payments["order_0001"] = 20
    found, cursor = pull(fake, cursor)
    assert found == ["order_0001"]
    assert pull(fake, cursor)[0] == []


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"orders":', b'{"orders":7}', b"[]", b'{"count":1}', b'{"orders":[{"x":1}],"count":1}']
)
def test_nonsense_is_named_as_such(body: bytes) -> None:
    fake = Fake([])
    fake.answer = lambda _: httpx2.Response(200, content=body)  # type: ignore[assignment]
    with pytest.raises(BadAnswer):
        pull(fake)


@pytest.mark.parametrize(
    "rows",
    [
        [{"id": 1, "updated_at": moment(1), "created_at": moment(1)}],
        [{"id": "a", "updated_at": "yesterday", "created_at": moment(1)}],
        [{"id": "a", "updated_at": moment(1), "created_at": "yesterday"}] * SIZE,
        [{"id": "a", "updated_at": moment(1)}] * SIZE,
        [{"id": f"{number}", "updated_at": moment(1), "created_at": moment(number)} for number in range(SIZE)],
        [{"id": f"{number}", "updated_at": moment(1), "created_at": moment(9 - number)} for number in range(SIZE)],
    ],
    ids=["id", "changed", "created", "without", "rising", "the same page again and again"],
)
def test_a_list_that_is_not_as_asked_is_no_endless_walk(rows: list[Any]) -> None:
    fake = Fake([])
    body = {"orders": rows, "payments": [], "count": 99}
    fake.answer = lambda _: httpx2.Response(200, json=body)  # type: ignore[assignment]
    with pytest.raises(BadAnswer):
        pull(fake)
