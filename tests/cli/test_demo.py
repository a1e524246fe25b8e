"""``unicart demo``, as in the first minutes with the README."""

import json
import shlex
import signal
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest

from product import Unicart, demo, ending

KEYS = {"base_url", "api_key", "access_token", "connection_id", "warehouse_customer_ids"}


def ask(access: dict[str, Any], path: str, **parameters: Any) -> httpx2.Response:
    headers = {"x-trackstar-api-key": access["api_key"], "x-trackstar-access-token": access["access_token"]}
    return httpx2.get(access["base_url"] + path, params=parameters, headers=headers)


def test_json_is_one_line_and_requests_are_answered_from_then_on(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    with ending(unicart.start("demo", "--json", "--port", "0", "--orders", "120")) as process:
        assert process.stdout is not None
        access = json.loads(process.stdout.readline())
        assert set(access) == KEYS
        assert len(access["warehouse_customer_ids"]) >= 2
        page = ask(access, "/cart/orders").json()
        assert page["total_count"] == 120
        assert page["next_token"] is None
        process.send_signal(signal.SIGTERM)
        rest, log = process.communicate(timeout=20)
    assert rest == ""
    assert "Traceback" not in log


def test_curl_line_works_when_pasted(tmp_path: Path) -> None:
    unicart = Unicart(tmp_path / "data")
    with ending(unicart.start("demo", "--port", "0", "--orders", "50")) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("curl "))
        command, silent, url, *headers = shlex.split(line)
        assert (command, silent) == ("curl", "-s")
        assert headers[::2] == ["-H", "-H"]
        answer = httpx2.get(url, headers=dict(header.split(": ") for header in headers[1::2]))
    assert answer.status_code == 200
    assert [order["status"] for order in answer.json()["data"]] == ["open", "open"]


def test_second_start_finds_the_shop_again_and_makes_new_keys(tmp_path: Path, fresh_url: str) -> None:
    with demo(tmp_path / "data", "--orders", "60", database_url=fresh_url) as first:
        before = ask(first, "/cart/orders").json()["data"]
    with demo(tmp_path / "data", "--orders", "60", database_url=fresh_url) as second:
        assert second["connection_id"] == first["connection_id"]
        assert ask(second, "/cart/orders").json()["data"] == before
        assert ask({**second, "api_key": first["api_key"]}, "/cart/orders").status_code == 401
        assert ask({**second, "access_token": first["access_token"]}, "/cart/orders").status_code == 401


def test_another_number_of_orders_is_another_shop(tmp_path: Path) -> None:
    with demo(tmp_path / "data", "--orders", "60") as small:
        assert ask(small, "/cart/orders").json()["total_count"] == 60
    with demo(tmp_path / "data", "--orders", "90") as large:
        assert large["connection_id"] != small["connection_id"]
        assert ask(large, "/cart/orders").json()["total_count"] == 90


def test_a_shop_without_orders_has_an_empty_list(tmp_path: Path) -> None:
    with demo(tmp_path / "data", "--orders", "0") as access:
        assert access["warehouse_customer_ids"] == []
        assert ask(access, "/cart/orders").json() == {"data": [], "next_token": None, "total_count": 0}


@pytest.mark.parametrize(("options", "statuses"), [((), {200, 429}), (("--no-rate-limit",), {200})])
def test_rate_limit_is_on_unless_it_is_turned_off(tmp_path: Path, options: tuple[str, ...], statuses: set[int]) -> None:
    with demo(tmp_path / "data", "--orders", "5", *options) as access, httpx2.Client() as client:
        headers = {"x-trackstar-api-key": access["api_key"], "x-trackstar-access-token": access["access_token"]}
        url = access["base_url"] + "/cart/orders"
        assert {client.get(url, headers=headers).status_code for _ in range(100)} == statuses


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_taken_port_is_named(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        message = Unicart(tmp_path / "data").run(command, "--port", port, fails=True)
    assert port in message
    assert "--port" in message
    assert "Traceback" not in message
