"""Webhooks of the hostile platform arrive as webhooks do; each of its other misbehaviours happens in a busy minute too."""

import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx2
import pytest

from chaos.faults import CALM, Fault, Rates
from chaos.platform import Platform
from chaos.test_platform import logged_in, only

SECRET = "whisper"


class Received:
    """One webhook."""

    def __init__(self, headers: dict[str, str], body: bytes) -> None:
        self.event, self.signature = headers["x-hostile-event"], headers["x-hostile-signature"]
        self.body = body
        self.content: dict[str, Any] = json.loads(body)


@contextmanager
def receiver(status: int = 204) -> Iterator[tuple[str, list[Received]]]:
    """A server that answers webhooks with ``status``, its URL, and what came."""
    came: list[Received] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            came.append(Received({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks", came
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def heard(rates: Rates, changes: int = 40, status: int = 204) -> tuple[Platform, list[Received]]:
    """What a subscriber hears of ``changes``."""
    with Platform(seed=5, orders=60, products=5, rates=CALM) as platform, receiver(status) as (url, came):
        with logged_in(platform) as client:
            client.post("/hooks", json={"url": url, "secret": SECRET}).raise_for_status()
        platform.rates = rates
        platform.change(changes)
        platform.settle()
    return platform, came


def test_each_change_is_told_once_and_signed() -> None:
    platform, came = heard(CALM, changes=80)
    assert len(came) == platform.hooks_delivered
    assert len({each.event for each in came}) == len(came) > 30
    for each in came:
        signed = f"{each.event}.".encode() + each.body
        assert each.signature == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert ("record" in each.content) is each.content["event"].endswith(".updated")
        assert each.content.get("record", each.content)["id"] == each.content["id"]
    kinds = {each.content["event"] for each in came}
    assert kinds >= {"order.updated", "order.deleted", "product.updated"}


def test_every_one_is_sent_twice_with_the_same_event() -> None:
    _, came = heard(only(hook_twice=1.0))
    assert came
    assert set(Counter(each.event for each in came).values()) == {2}


def test_all_are_lost() -> None:
    platform, came = heard(only(hook_lost=1.0))
    assert came == []
    assert platform.counts[Fault.HOOK_LOST] > 30


def test_all_only_name_the_record() -> None:
    _, came = heard(only(hook_touched=1.0))
    assert {each.content["event"].partition(".")[2] for each in came} == {"touched", "deleted"}
    assert not any("record" in each.content for each in came)


def test_all_carry_an_older_version() -> None:
    platform, came = heard(only(hook_stale=1.0), changes=100)
    assert platform.counts[Fault.HOOK_STALE] > 30
    newest = {row.id: json.loads(row.body) for row in platform.shop.rows["orders"].values()}
    stale = [each.content for each in came if each.content["event"] == "order.updated"]
    older = [each for each in stale if each["id"] in newest and each["record"] != newest[each["id"]]]
    assert len(older) > len(stale) // 2


def test_late_ones_come_late() -> None:
    began = time.monotonic()
    platform, came = heard(only(hook_late=1.0, hook_late_seconds=1.2), changes=5)
    assert time.monotonic() - began >= 1.0
    assert len(came) == platform.counts[Fault.HOOK_LATE] > 0


def test_jumbled_ones_overtake_each_other() -> None:
    platform, came = heard(only(hook_jumbled=1.0, hook_jumbled_seconds=0.3), changes=150)
    assert platform.counts[Fault.HOOK_OUT_OF_ORDER] > 0
    assert [each.event for each in came] != sorted((each.event for each in came), key=lambda event: int(event[4:]))


@pytest.mark.parametrize(("retried", "times"), [(0.0, 1), (1.0, 2)])
def test_a_refused_webhook_is_forgotten_or_tried_once_more(retried: float, times: int) -> None:
    platform, came = heard(only(hook_retried=retried), changes=10, status=503)
    assert set(Counter(each.event for each in came).values()) == {times}
    assert platform.hooks_delivered == 0


def test_a_subscriber_that_is_down_does_no_harm() -> None:
    with Platform(orders=20, rates=only(hook_retried=0.5)) as platform, logged_in(platform) as client:
        client.post("/hooks", json={"url": "http://127.0.0.1:1/", "secret": SECRET}).raise_for_status()
        platform.change(20)
        platform.settle()
        assert platform.counts[Fault.HOOK_RETRIED] + platform.counts[Fault.HOOK_NOT_RETRIED] > 10
        assert platform.hooks_delivered == 0


def test_a_subscription_ends() -> None:
    with Platform(orders=20, rates=CALM) as platform, receiver() as (url, came), logged_in(platform) as client:
        made = client.post("/hooks", json={"url": url, "secret": SECRET}).json()
        assert client.get("/hooks").json() == {"items": [{"id": made["id"], "url": url}]}
        assert client.delete(f"/hooks/{made['id']}").status_code == 204
        assert client.delete(f"/hooks/{made['id']}").status_code == 404
        platform.change(10)
        platform.settle()
        assert came == []


def test_all_misbehaviours_happen_in_a_busy_shop_and_none_once_it_is_calm() -> None:
    rates = Rates(hang_seconds=0.05, storm=0.02, storm_seconds=0.05, hook_late_seconds=1.5)
    with (
        Platform(seed=2, orders=200, rates=rates) as platform,
        receiver(503) as (url, _),
        logged_in(platform) as client,
    ):
        platform.rates = CALM
        client.post("/hooks", json={"url": url, "secret": SECRET}).raise_for_status()
        platform.rates = rates
        platform.busy(rate=150)
        deadline = time.monotonic() + 600
        while missing := [fault for fault in Fault if not platform.counts[fault]]:
            assert time.monotonic() < deadline, missing
            with_trouble(platform, client)
        platform.calm()
        settled = platform.counts.copy()
        client.headers["authorization"] = f"Bearer {platform.new_token()}"
        expected = platform.expected()
        for _ in range(100):
            assert client.get("/orders?limit=2").json()["total"] == len(expected.orders)
        assert platform.counts == settled


def with_trouble(platform: Platform, client: httpx2.Client) -> None:
    """One request, and a new token if it needs one."""
    with suppress(httpx2.TransportError):
        if client.get("/orders?limit=5").status_code == 401:
            client.headers["authorization"] = f"Bearer {platform.new_token()}"
