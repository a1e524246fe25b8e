"""What an operator sees and does about syncs: the first one's window, progress, on-demand syncs and quarantine."""

import asyncio
import json
import time
from typing import Any

import httpx2
import pytest

from product import Unicart
from unicart import __version__
from unicart.contract.common import format_date
from unicart.store import quarantine, tenants
from unicart.store.database import open_database

DAY = 86400


def orders_state(unicart: Unicart, id: str) -> Any:
    """What ``connection show`` says of the orders' syncs."""
    (found,) = [each for each in unicart.show(id)["functions"] if each["function_name"] == "get_orders"]
    return found


def test_a_first_sync_goes_back_as_far_as_the_connection_or_the_setting_says(
    unicart: Unicart, monkeypatch: pytest.MonkeyPatch
) -> None:
    recent = format_date(int(time.time()))
    shop = ("--orders", "700", "--until", recent)
    days = {"30": unicart.connect("sandbox", *shop, "--history-days", "30")}
    for setting in ("5", "0"):
        monkeypatch.setitem(unicart.environment, "UNICART_HISTORY_DAYS", setting)
        days[setting] = json.loads(unicart.run("connection", "add", "sandbox", *shop, "--json"))["connection_id"]
    monkeypatch.delitem(unicart.environment, "UNICART_HISTORY_DAYS")
    days["default"] = json.loads(unicart.run("connection", "add", "sandbox", *shop, "--json"))["connection_id"]
    started = int(time.time())
    unicart.sync()
    for name, expected in (("30", 30), ("5", 5), ("0", None), ("default", 30)):
        since = orders_state(unicart, days[name])["since"]
        if expected is None:
            assert since is None
        else:
            assert format_date(started - expected * DAY) <= since <= format_date(int(time.time()) - expected * DAY)
    pulled = {name: orders_state(unicart, id)["pulled"] for name, id in days.items()}
    assert 0 < pulled["5"] < pulled["30"] == pulled["default"] < pulled["0"] == 700
    with unicart.serving(), unicart.client() as client:
        assert len(list(client.orders())) == pulled["30"]
        assert len(list(client.warehouses())) == 4
        unicart.run("sync", days["30"], "--full")
        assert len(list(client.orders())) == 700


@pytest.mark.parametrize("days", ["-1", "40000", "many"])
def test_a_window_without_sense_is_refused(unicart: Unicart, days: str) -> None:
    done = unicart.start("connection", "add", "sandbox", "--history-days", days)
    _, message = done.communicate(timeout=60)
    assert done.returncode == 2
    assert "--history-days" in message


def test_progress_is_shown(unicart: Unicart) -> None:
    id = unicart.connect("sandbox", "--orders", "700")
    unicart.sync()
    state = orders_state(unicart, id)
    assert (state["pulled"], state["expected"]) == (700, 700)
    unicart.sync()
    assert orders_state(unicart, id)["pulled"] == 0


def test_an_ordered_sync_is_done_by_the_worker_and_told(unicart: Unicart) -> None:
    unicart.connect("sandbox", "--orders", "700")
    unicart.sync()
    with (
        unicart.serving("--port", "0"),
        httpx2.Client(base_url=unicart.base_url, headers=unicart.headers, timeout=30) as client,
    ):
        span = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2030-01-01T00:00:00Z"}
        job = client.post("/connections/on-demand-syncs", json={**span, "function_name": "get_orders"}).json()
        deadline = time.monotonic() + 60
        while (done := client.get(f"/connections/on-demand-syncs/{job['id']}").json())["status"] == "open":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert done["status"] == "completed"
        assert client.post("/connections/sync", json={"functions_to_sync": ["get_orders"]}).json()["syncing"] is True
        while True:
            told = [event["event_type"] for event in client.get("/events").json()["data"]]
            if "connection.force-sync-completed" in told:
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert "connection.sync-job-completed" in told


def hold(unicart: Unicart, url: str, id: str, records: dict[str, bytes]) -> None:
    """Quarantine raw orders, as an earlier version would have."""

    async def put() -> None:
        database = await open_database(url)
        connection = await tenants.find_connection(database, id)
        assert connection is not None
        async with database.write() as transaction:
            for key, raw in records.items():
                await quarantine.put(transaction, connection.key, "get_orders", key, "status: odd", raw, 1, "0.0.1")
        await database.close()

    asyncio.run(put())


def test_quarantined_records_are_listed_and_tried_again(unicart: Unicart) -> None:
    id = unicart.connect("sandbox", "--orders", "5")
    other = json.loads(unicart.run("connection", "add", "sandbox", "--json"))["connection_id"]
    assert json.loads(unicart.run("quarantine", "--json")) == []
    good = raw_order()
    hold(unicart, unicart.store_url, id, {"good": good, "bad": b"{}"})
    hold(unicart, unicart.store_url, other, {"other": b"{}"})
    listed = json.loads(unicart.run("quarantine", "--json"))
    assert {(each["connection_id"], each["record"]) for each in listed} == {(id, "good"), (id, "bad"), (other, "other")}
    (mine, *_) = json.loads(unicart.run("quarantine", id, "--json"))
    assert mine == {
        "connection_id": id,
        "function_name": "get_orders",
        "record": "bad",
        "reason": "status: odd",
        "first_seen": "1970-01-01T00:00:01Z",
        "last_seen": "1970-01-01T00:00:01Z",
        "version": "0.0.1",
    }
    assert "status: odd" in unicart.run("quarantine")
    unicart.run("quarantine", "--retry", id)
    left = {each["record"]: each for each in json.loads(unicart.run("quarantine", "--json"))}
    assert set(left) == {"bad", "other"}
    assert left["bad"]["version"] == __version__
    assert left["other"]["version"] == "0.0.1"
    with unicart.serving():
        assert len(unicart.get("/cart/orders")) == 1
    assert "nonesuch" in unicart.run("quarantine", "nonesuch", fails=True)


def raw_order() -> bytes:
    """A raw order of the sandbox."""
    from unicart.connectors.sandbox import auth, generator

    shop = auth.shop({})
    return generator.order(shop.seed, 1, shop.until, shop.orders)
