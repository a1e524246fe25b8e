"""The commands that an operator runs, end to end on both databases."""

import json
import stat
import subprocess
import urllib.request
from pathlib import Path

import pytest

from product import COMMAND, Unicart

CONNECTION = ("--orders", "700", "--seed", "a shop")


def test_from_an_empty_directory_to_orders_over_http(unicart: Unicart) -> None:
    organization = json.loads(unicart.run("org", "create", "Acme", "--json"))
    assert organization["name"] == "Acme"
    assert organization["organization_id"] in unicart.run("org", "list")
    id = unicart.connect("sandbox", *CONNECTION)
    assert unicart.show(id)["functions"] == []
    first = unicart.sync()
    assert first["get_orders"] == 700
    assert set(first) == {"get_orders", "get_products", "get_warehouses"}
    assert set(unicart.sync().values()) == {0}
    with unicart.serving():
        orders = unicart.get("/cart/orders")
        assert len(orders) == 700
        assert unicart.get("/cart/products")
        assert unicart.get("/cart/warehouses")
    shown = unicart.show(id)
    assert {state["function_name"] for state in shown["functions"]} == set(first)
    assert all(state["finished"] and not state["interrupted"] for state in shown["functions"])
    assert shown["errors"] == shown["quarantine"] == []


def test_full_sync_pulls_everything_again_and_changes_nothing(unicart: Unicart) -> None:
    id = unicart.connect("sandbox", *CONNECTION)
    unicart.sync()
    with unicart.serving():
        before = unicart.get("/cart/orders")
    unicart.run("sync", id, "--function", "get_orders", "--full")
    with unicart.serving():
        assert unicart.get("/cart/orders") == before


def test_connections_are_listed_renamed_tokens_replaced_and_removed(unicart: Unicart) -> None:
    id = unicart.connect("sandbox", *CONNECTION, "--customer-id", "merchant 7")
    listed = json.loads(unicart.run("connection", "list", "--json"))
    assert [(each["connection_id"], each["integration_name"], each["customer_id"]) for each in listed] == [
        (id, "sandbox", "merchant 7")
    ]
    for text in (unicart.run("connection", "list"), unicart.run("connection", "show", id)):
        assert id in text
        assert "merchant 7" in text
    unicart.sync()
    old = dict(unicart.headers)
    token = json.loads(unicart.run("connection", "token", id, "--json"))["access_token"]
    unicart.headers["x-trackstar-access-token"] = token
    with unicart.serving():
        assert len(unicart.get("/cart/orders")) == 700
        unicart.headers = old
        with pytest.raises(OSError, match="401"):
            unicart.get("/cart/orders")
    unicart.run("connection", "remove", id, "--yes")
    assert json.loads(unicart.run("connection", "list", "--json")) == []
    unicart.headers["x-trackstar-access-token"] = token
    with unicart.serving(), pytest.raises(OSError, match="401"):
        unicart.get("/cart/orders")


def test_a_key_belongs_to_one_organization(unicart: Unicart) -> None:
    for name in ("one", "two"):
        unicart.run("org", "create", name)
    assert "--org" in unicart.run("key", "create", fails=True)
    assert "--org" in unicart.run("connection", "add", "sandbox", fails=True)
    keys = [json.loads(unicart.run("key", "create", "--org", name, "--json"))["api_key"] for name in ("one", "two")]
    added = json.loads(unicart.run("connection", "add", "sandbox", "--org", "one", "--json"))
    with unicart.serving():
        for key, allowed in zip(keys, (True, False), strict=True):
            unicart.headers = {"x-trackstar-api-key": key, "x-trackstar-access-token": added["access_token"]}
            if allowed:
                assert unicart.get("/cart/orders") == {}
            else:
                with pytest.raises(OSError, match="401"):
                    unicart.get("/cart/orders")


def test_secrets_are_neither_in_the_data_directory_nor_readable_by_others(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    unicart = Unicart(directory)
    unicart.connect("sandbox", *CONNECTION)
    unicart.sync()
    stored = b"".join(path.read_bytes() for path in directory.iterdir() if path.name != "unicart.key")
    for secret in unicart.headers.values():
        assert secret.encode() not in stored
    assert stat.S_IMODE((directory / "unicart.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_lost_key_file_is_an_error_that_says_so(tmp_path: Path) -> None:
    unicart = Unicart(tmp_path / "data")
    unicart.connect("sandbox", *CONNECTION)
    (tmp_path / "data" / "unicart.key").unlink()
    message = unicart.run("sync", fails=True)
    assert "UNICART_SECRET_KEY" in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("connection", "add", "nonesuch"), "nonesuch"),
        (("connection", "add", "medusa"), "url"),
        (("connection", "add", "medusa", "--url"), "--url"),
        (("connection", "add", "medusa", "--colour", "red"), "--colour"),
        (("connection", "add", "medusa", "--url", "shop.example", "--api-key", "sk_secret"), "url: 'shop.example'"),
        (("connection", "add", "medusa", "--url", "http://127.0.0.1:9", "--api-key", "sk_secret"), "127.0.0.1:9"),
        (
            (
                "connection",
                "add",
                "medusa",
                "--url",
                "http://127.0.0.1:9",
                "--api-key",
                "sk_secret",
                "--no-private-network",
            ),
            "private",
        ),
        (("connection", "add", "sandbox", "--orders", "many"), "orders"),
        (("connection", "show", "nonesuch"), "nonesuch"),
        (("connection", "remove", "nonesuch", "--yes"), "nonesuch"),
        (("sync", "nonesuch"), "nonesuch"),
        (("key", "create", "--org", "nonesuch"), "nonesuch"),
        (("org", "create", " "), "name"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said_plainly(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    unicart = Unicart(tmp_path / "data")
    message = unicart.run(*arguments, fails=True)
    assert named in message
    assert "Traceback" not in message
    assert "sk_secret" not in message
    assert json.loads(unicart.run("connection", "list", "--json")) == []


def test_an_organization_is_made_once(unicart: Unicart) -> None:
    unicart.run("org", "create", "Acme")
    assert "Acme" in unicart.run("org", "create", "Acme", fails=True)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("UNICART_DATABASE_URL", "mysql://localhost/unicart"),
        ("UNICART_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none"),
        ("UNICART_READ_RATE", "-1"),
        ("UNICART_WRITE_RATE", "fast"),
        ("UNICART_LOG_LEVEL", "loud"),
        ("UNICART_SECRET_KEY", "short"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    tmp_path: Path, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    unicart = Unicart(tmp_path / "data", value if variable == "UNICART_DATABASE_URL" else "")
    message = unicart.run("org", "list", fails=True)
    assert variable.removeprefix("UNICART_").lower().replace("_", " ").split()[0] in message.lower()
    assert "Traceback" not in message


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = Unicart(tmp_path / "file" / "data").run("org", "list", fails=True)
    assert str(tmp_path / "file" / "data") in message
    assert "Traceback" not in message


def test_connectors_for_tests_are_only_listed_when_asked_for(unicart: Unicart) -> None:
    offered, everything = (
        subprocess.run([COMMAND, "integrations", *options], capture_output=True, text=True, check=True).stdout
        for options in ([], ["--all"])
    )
    assert "sandbox" in offered
    assert "hostile" not in offered
    assert "hostile" in everything
    assert "sandbox" in everything
    refusal = unicart.run("connection", "add", "nonesuch", fails=True)
    assert "sandbox" in refusal
    assert "hostile" not in refusal


def test_a_connection_is_told_when_it_is_made_and_when_it_is_removed(unicart: Unicart) -> None:
    id = unicart.connect("sandbox", "--orders", "5")
    token = unicart.headers["x-trackstar-access-token"]
    unicart.run("connection", "remove", id, "--yes")
    with unicart.serving():
        request = urllib.request.Request(f"{unicart.base_url}/events?connection_id={id}", headers=unicart.headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            body = reply.read().decode()
    events = json.loads(body)["data"]
    assert [event["event_type"] for event in events] == ["connection.created", "connection.deleted"]
    assert token not in body
