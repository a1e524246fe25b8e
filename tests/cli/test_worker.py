"""``unicart serve`` keeps shops in sync by itself, whatever happens to its worker."""

import os
import signal
import time
from collections.abc import Callable

import httpx2
import psutil
import pytest

from product import Unicart

DEADLINE = 60.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def workers() -> list[psutil.Process]:
    """The workers that are running below this test."""
    below = psutil.Process().children(recursive=True)
    return [each for each in below if _works(each)]


def _works(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "worker" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def test_a_shop_is_pulled_without_being_asked(unicart: Unicart) -> None:
    id = unicart.connect("sandbox", "--orders", "700")
    with unicart.serving("--port", "0"):
        until(lambda: len(unicart.get("/cart/orders")) == 700)
        until(lambda: len(unicart.get("/cart/warehouses")) == 4)
    schedules = {each["function_name"]: each for each in unicart.show(id)["schedules"]}
    assert {name: each["every"] for name, each in schedules.items()} == {
        "get_orders": 60,
        "get_products": 900,
        "get_warehouses": 43200,
    }
    assert workers() == []


def test_a_worker_that_dies_is_replaced(unicart: Unicart) -> None:
    with unicart.serving("--port", "0"):
        until(lambda: len(workers()) == 1)
        (first,) = workers()
        first.send_signal(signal.SIGKILL)
        until(lambda: [each.pid for each in workers()] not in ([], [first.pid]))
        assert httpx2.get(f"{unicart.base_url}/healthz").status_code == 200


def test_a_worker_does_not_outlive_a_server_that_is_killed(unicart: Unicart) -> None:
    process = unicart.start("serve", "--port", "0")
    until(lambda: len(workers()) == 1)
    (left,) = workers()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    left.wait(DEADLINE)


def test_a_worker_runs_alone_and_stops_when_told(unicart: Unicart) -> None:
    id = unicart.connect("sandbox", "--orders", "50")
    process = unicart.start("worker")
    until(
        lambda: all(each["finished"] for each in unicart.show(id)["functions"]) and bool(unicart.show(id)["functions"])
    )
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in log


def test_a_schedule_can_be_changed(unicart: Unicart) -> None:
    id = unicart.connect("sandbox", "--orders", "50")
    shown = unicart.run("schedule", id, "get_orders", "--every", "7", "--pause")
    assert "7" in shown
    (changed,) = [each for each in unicart.show(id)["schedules"] if each["function_name"] == "get_orders"]
    assert (changed["every"], changed["paused"]) == (7, True)


@pytest.mark.parametrize("every", ["0", "-1", "often"])
def test_an_interval_without_sense_is_refused(unicart: Unicart, every: str) -> None:
    id = unicart.connect("sandbox", "--orders", "50")
    done = unicart.start("schedule", id, "get_orders", "--every", every)
    _, message = done.communicate(timeout=60)
    assert done.returncode == 2
    assert "--every" in message
