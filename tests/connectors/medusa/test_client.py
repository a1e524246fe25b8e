"""Pages of a Medusa that changes while it is read, on a small Medusa of our own that answers as the real one does."""

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unicart.connectors.kit import BadAnswer, Pull, RawPage, Session
from unicart.connectors.medusa import client
from unicart.connectors.medusa.client import MedusaConnector
from unicart.contract.resources import Function

SIZE = 4


def moment(milliseconds: int) -> str:
    return f"2026-01-01T00:{milliseconds // 60000:02}:{milliseconds // 1000 % 60:02}.{milliseconds % 1000:03}Z"


class Fake:
    """Orders and payment collections that answer Medusa's filters, orders and offsets."""

    def __init__(self, dates: list[int]) -> None:
        self.orders = {f"order_{number:04}": date for number, date in enumerate(dates)}
        self.payments: dict[str, int] = {}
        self.requests = 0
        self.before: Callable[[], None] = lambda: None

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        self.before()
        asked = dict(request.url.params.multi_items())
        if request.url.path == "/admin/payments":
            rows: list[dict[str, Any]] = [{"id": f"pay_{id}", "payment_collection": {"id": f"col_{id}", "updated_at": moment(date), "order": {"id": id}}}
                    for id, date in sorted(self.payments.items(), key=lambda each: -each[1])]  # fmt: skip
            return self._page("payments", rows, asked)
        wanted = request.url.params.get_list("id[]")
        rows = [
            {"id": id, "updated_at": moment(date)} for id, date in self.orders.items() if not wanted or id in wanted
        ]
        rows = [row for row in rows if row["updated_at"] >= asked.get("updated_at[$gte]", "")]
        rows = [row for row in rows if row["updated_at"] < asked.get("updated_at[$lt]", "3")]
        rows.sort(key=lambda row: (row[asked.get("order", "id")], row["id"]))
        return self._page("orders", rows, asked)

    def _page(self, name: str, rows: list[Any], asked: dict[str, str]) -> httpx2.Response:
        start = int(asked.get("offset", 0))
        return httpx2.Response(200, json={name: rows[start : start + int(asked["limit"])], "count": len(rows)})


def pull(
    fake: Fake, cursor: str | None = None, pages: int | None = None, interrupted: bool = False
) -> tuple[list[str], str]:
    """The ids of a run (or its first pages), and its last cursor."""

    async def run() -> tuple[list[str], str]:
        session = Session("http://medusa.test", private_network=True)
        session._client = httpx2.AsyncClient(transport=httpx2.MockTransport(fake.answer))
        connector = MedusaConnector({"url": "http://medusa.test", "api_key": "sk"}, session)
        found: list[str] = []
        last: RawPage | None = None
        number = 0
        async for page in connector.pull(Function.GET_ORDERS, Pull(cursor=cursor, interrupted=interrupted)):
            found += [json.loads(raw)["id"] for raw in page.records]
            last, number = page, number + 1
            if number == pages:
                break
        await session.close()
        assert last is not None
        return found, last.cursor

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", SIZE)


DATES = st.lists(st.integers(0, 3000), max_size=30)


@settings(deadline=None, max_examples=40)
@given(dates=DATES)
def test_everything_comes_once_and_then_nothing(dates: list[int]) -> None:
    fake = Fake(dates)
    found, cursor = pull(fake)
    assert sorted(found) == sorted(fake.orders)
    fake.requests = 0
    assert pull(fake, cursor)[0] == []
    assert fake.requests <= 2 + 3 * (1 + len(dates) // SIZE)


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
