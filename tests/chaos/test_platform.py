"""The hostile platform does all that it is there for, and nothing of it once it is calm."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from chaos import goods
from chaos.faults import CALM, CHANCES, Fault, Rates, drawn
from chaos.platform import Platform


def only(**rates: float) -> Rates:
    """Nothing but these."""
    return Rates(**{name: rates.get(name, 0.0) for name in Rates.__struct_fields__})


def logged_in(platform: Platform) -> httpx2.Client:
    headers = {"authorization": f"Bearer {platform.new_token()}"}
    return httpx2.Client(base_url=platform.url, headers=headers, timeout=10)


def listed(client: httpx2.Client, path: str = "/orders", **more: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(path, params={"limit": "250", **more}).json()["items"]
    return items


@pytest.fixture
def calm() -> Iterator[tuple[Platform, httpx2.Client]]:
    with Platform(seed=1, orders=200, products=10, rates=CALM) as platform, logged_in(platform) as client:
        yield platform, client


def test_every_fault_has_its_share() -> None:
    rates = Rates()
    drawn_faults = {drawn(rates, number / 10_000) for number in range(10_000)}
    assert drawn_faults == {fault for _, fault in CHANCES} | {None}
    assert {drawn(CALM, number / 100) for number in range(100)} == {None}


@pytest.mark.parametrize(
    ("rate", "status", "kind"),
    [
        ("too_many", 429, "application/json"),
        ("server_error", 500, "application/json"),
        ("bad_gateway", 502, "text/html"),
    ],
)
def test_refusals(rate: str, status: int, kind: str) -> None:
    with Platform(orders=3, rates=only(**{rate: 1.0})) as platform, logged_in(platform) as client:
        reply = client.get("/orders")
    assert reply.status_code == status
    assert reply.headers["content-type"].startswith(kind)


def test_429_comes_with_seconds_with_a_date_of_a_clock_that_is_wrong_and_with_nothing() -> None:
    rates = only(too_many=1.0, skew_seconds=7200.0)
    seen = set()
    with Platform(orders=3, rates=rates) as platform, logged_in(platform) as client:
        for _ in range(40):
            headers = client.get("/orders").headers
            theirs = parsedate_to_datetime(headers["date"])
            wait = headers.get("retry-after")
            if wait is not None and not wait.isdigit():
                assert timedelta(0) <= parsedate_to_datetime(wait) - theirs <= timedelta(seconds=2)
                wait = "date"
            seen.add(wait)
            assert abs(theirs - datetime.now(UTC)) > timedelta(seconds=30)
    assert seen == {None, "1", "date"}


def test_a_storm_refuses_everything_for_its_time() -> None:
    with Platform(orders=3, rates=only(storm=1.0, storm_seconds=0.5)) as platform, logged_in(platform) as client:
        assert client.get("/orders").status_code == 429
        platform.rates = only(storm_seconds=0.5)
        assert client.get("/orders").status_code == 429
        deadline = time.monotonic() + 30
        while client.get("/orders").status_code == 429:
            assert time.monotonic() < deadline
        assert platform.counts[Fault.STORM] >= 2


def raw_answer(platform: Platform, token: str) -> bytes:
    """All bytes of one answer, up to the end of the connection."""
    parts = urlsplit(platform.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(f"GET /orders HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n\r\n".encode())
        found = b""
        while part := connection.recv(65536):
            found += part
    return found


def test_an_answer_is_cut_off() -> None:
    with Platform(orders=30, rates=only(cut_off=1.0)) as platform, logged_in(platform) as client:
        head, _, body = raw_answer(platform, client.headers["authorization"]).partition(b"\r\n\r\n")
        (length,) = [int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"content-length: ")]
        assert 0 < len(body) < length
        with pytest.raises(http.client.IncompleteRead):
            _with_the_standard_library(platform, client.headers["authorization"])


def _with_the_standard_library(platform: Platform, token: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(platform.url).netloc, timeout=10)
    connection.request("GET", "/orders", headers={"authorization": token})
    try:
        connection.getresponse().read()
    finally:
        connection.close()


def test_an_answer_is_no_json() -> None:
    with Platform(orders=30, rates=only(invalid_json=1.0)) as platform, logged_in(platform) as client:
        reply = client.get("/orders")
        assert reply.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            reply.json()


def test_a_request_hangs() -> None:
    with Platform(orders=3, rates=only(hang=1.0, hang_seconds=0.3)) as platform, logged_in(platform) as client:
        with pytest.raises(httpx2.ReadTimeout):
            client.get("/orders", timeout=0.1)
        assert raw_answer(platform, client.headers["authorization"]) == b""


def test_a_connection_is_reset() -> None:
    with Platform(orders=3, rates=only(reset=1.0)) as platform:
        token = f"Bearer {platform.new_token()}"
        with pytest.raises(ConnectionResetError):
            raw_answer(platform, token)


def test_what_a_spoiled_answer_was_for_is_done_all_the_same() -> None:
    with Platform(orders=3, rates=only(reset=1.0)) as platform, logged_in(platform) as client:
        with pytest.raises(httpx2.TransportError):
            client.post("/hooks", json={"url": "http://127.0.0.1:1/", "secret": "x"})
        assert len(platform.subscriptions) == 1


def test_tokens_are_asked_for_and_expire_before_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos.platform.FRESH_SECONDS", 0.05)
    with Platform(orders=3, rates=only(expired=1.0)) as platform, logged_in(platform) as client:
        deadline = time.monotonic() + 30
        while client.get("/orders").status_code == 200:
            assert time.monotonic() < deadline
        assert client.get("/orders").status_code == 401
        assert platform.counts[Fault.EXPIRED] == 1
        assert httpx2.get(f"{platform.url}/orders").status_code == 401
        wrong = httpx2.post(f"{platform.url}/login", json={"client_id": "chaos", "secret": "wrong"})
        assert wrong.status_code == 401


def test_the_shop_changes_between_pages() -> None:
    with Platform(orders=100, rates=only(edited_while_paged=1.0)) as platform, logged_in(platform) as client:
        bodies = {client.get("/orders?limit=250").content for _ in range(10)}
        assert len(bodies) > 5
        assert platform.counts[Fault.EDITED_WHILE_PAGED] == 10


def test_lists_are_walked_by_keyset(calm: tuple[Platform, httpx2.Client]) -> None:
    platform, client = calm
    platform.change(300)
    everything = listed(client)
    everything += listed(client, updated_after=everything[-1]["updated_at"], id_after=everything[-1]["id"])
    places = [(each["updated_at"], each["id"]) for each in everything]
    assert places == sorted(places)
    orders = platform.expected()
    assert {each["id"] for each in everything} == orders.orders.keys() | orders.unmappable
    created = [(each["created_at"], each["id"]) for each in listed(client, order="-created_at")]
    assert created == sorted(created, reverse=True)
    before, id = created[100]
    further = listed(client, order="-created_at", created_before=before, id_before=id)
    assert [(each["created_at"], each["id"]) for each in further] == created[101:]
    newest, oldest = created[20][0], created[60][0]
    window = listed(client, order="created_at", created_from=oldest, created_until=newest)
    inside = [each for each in created if oldest <= each[0] <= newest]
    assert [(each["created_at"], each["id"]) for each in window] == inside[::-1]


@pytest.mark.parametrize("path", ["/orders?order=price", "/orders?limit=x", "/orders?updated_after=soon"])
def test_what_lists_do_not_know_is_refused(path: str, calm: tuple[Platform, httpx2.Client]) -> None:
    assert calm[1].get(path).status_code == 400


def test_archived_orders_are_only_fetched_and_deleted_ones_are_gone(calm: tuple[Platform, httpx2.Client]) -> None:
    platform, client = calm
    before = {each["id"] for each in listed(client)}
    platform.change(200)
    expected = platform.expected()
    archived, deleted = expected.archived.keys() & before, expected.deleted & before
    assert archived
    assert deleted
    shown = {each["id"] for each in listed(client, order="created_at")}
    assert not shown & (archived | deleted)
    fetched = client.get("/orders", params={"ids": [*archived, *deleted]}).json()["items"]
    assert {each["id"] for each in fetched} == archived


def test_quiet_changes_move_no_date_and_send_nothing(calm: tuple[Platform, httpx2.Client]) -> None:
    platform, client = calm
    before = {each["id"]: each for each in listed(client)}
    assert platform.shop._order_is_edited_quietly() == []
    changed = [each for each in listed(client) if each != before[each["id"]]]
    assert [each["updated_at"] for each in changed] == [before[each["id"]]["updated_at"] for each in changed]
    assert len(changed) <= 1


def test_orders_are_as_odd_as_real_ones(calm: tuple[Platform, httpx2.Client]) -> None:
    platform, _ = calm
    platform.change(300)
    platform.calm()
    orders = [json.loads(row.body) for row in platform.shop.rows["orders"].values()]
    assert {order["currency"].upper() for order in orders} == {"USD", "EUR", "JPY", "KWD"}
    assert max(len(order["lines"]) for order in orders) == goods.LONG
    assert any(order["totals"]["total"] is None for order in orders)
    assert any(order["status"] not in goods.STATUSES for order in orders)
    assert any(not order["email"].isascii() or not str(order["ship_to"]).isascii() for order in orders)
    for order in orders:
        places = goods.PLACES[order["currency"].upper()]
        amounts = [line["unit_price"] for line in order["lines"]] + [order["totals"]["total"]]
        assert all(amount is None or -Decimal(amount).as_tuple().exponent == places for amount in amounts)  # type: ignore[operator]


def test_expected_is_what_is_listed(calm: tuple[Platform, httpx2.Client]) -> None:
    platform, client = calm
    platform.change(100)
    platform.calm()
    expected = platform.expected()
    assert not expected.unmappable
    shown = {each["id"]: each for each in listed(client)}
    assert len(shown) > 100
    assert expected.orders.keys() == shown.keys()
    for id, raw in shown.items():
        order = expected.orders[id]
        assert order.order_number == raw["number"]
        assert order.raw_status == raw["status"]
        assert order.additional_fields["note"] == raw["note"]
        assert (None if order.total_price is None else str(order.total_price)) == raw["totals"]["total"]
        assert [line.quantity for line in order.line_items] == [line["quantity"] for line in raw["lines"]]
        assert order.updated_date == datetime.fromisoformat(raw["updated_at"]).replace(microsecond=0)
    products = listed(client, "/products")
    assert expected.products.keys() == {id for p in products for id in (p["id"], *(v["id"] for v in p["variants"]))}
    assert expected.warehouses.keys() == {each["id"] for each in listed(client, "/warehouses")}


def test_damaged_orders_are_not_expected_until_they_are_mended(calm: tuple[Platform, httpx2.Client]) -> None:
    platform, _ = calm
    platform.change(150)
    platform.calm(mend=False)
    damaged = platform.expected().unmappable
    assert damaged
    assert not damaged & platform.expected().orders.keys()
    platform.calm()
    assert damaged <= platform.expected().orders.keys()
    assert platform.expected().unmappable == set()
