"""Connectors in packages of their own: the example as its users run it, and one that was made anew."""

import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from product import COMMAND, Unicart
from unicart.connectors.kit.conformance import FILES, folder_problems

EXAMPLE = Path(__file__).parents[2] / "examples" / "acme-connector"


def installed(directory: Path, name: str, source: Path) -> dict[str, str]:
    """The environment in which the package at ``source`` is found by its entry point, as if it were installed."""
    metadata = directory / f"unicart_{name}-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: unicart-{name}\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(f"[unicart.connectors]\n{name} = unicart_{name}:CONNECTOR\n")
    path = os.pathsep.join([str(directory), str(source), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**os.environ, "PYTHONPATH": path}


def command(
    *arguments: str, cwd: Path, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [COMMAND, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def acme_url() -> Iterator[str]:
    """The example's own server."""
    server = subprocess.Popen([sys.executable, str(EXAMPLE / "server.py"), "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
    finally:
        server.kill()
        server.communicate()


def test_the_example_is_connected_synced_and_served(unicart: Unicart, acme_url: str, tmp_path: Path) -> None:
    unicart.environment |= {"PYTHONPATH": installed(tmp_path / "site", "acme", EXAMPLE / "src")["PYTHONPATH"]}
    refused = unicart.run("connection", "add", "acme", "--url", acme_url, "--api-key", "wrong", fails=True)
    assert "Error:" in refused
    id = unicart.connect("acme", "--url", acme_url, "--api-key", "acme-key")
    assert unicart.show(id)["account_name"] == "Acme Toys"
    assert unicart.sync() == {"get_orders": 7}
    with unicart.serving():
        orders = unicart.get("/cart/orders")
        assert len(orders) == 7
        assert orders["1003"]["order_number"] == "A-3"
        assert orders["1003"]["total_price"] == Decimal("16.20")
        assert [order["status"] for order in unicart.get("/cart/orders?status=fulfilled").values()] == ["fulfilled"] * 2
    assert unicart.show(id)["errors"] == []
    assert unicart.show(id)["quarantine"] == []


def test_the_example_describes_itself(tmp_path: Path) -> None:
    done = command("integrations", cwd=tmp_path, environment=installed(tmp_path / "site", "acme", EXAMPLE / "src"))
    (row,) = [line for line in done.stdout.splitlines() if " acme " in line]
    assert "--url --api-key" in row
    assert "get_orders" in row


def test_a_new_connector_has_the_one_shape_and_is_listed(tmp_path: Path) -> None:
    done = command("connector", "new", "big_shop", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    package = tmp_path / "unicart-big-shop"
    assert {path.relative_to(tmp_path) for path in package.rglob("*") if path.is_file()} == {
        Path(line) for line in done.stdout.splitlines()
    }
    folder = package / "src" / "unicart_big_shop"
    assert folder_problems(folder) == []
    assert {entry.name for entry in folder.iterdir()} == FILES
    assert 'big_shop = "unicart_big_shop:CONNECTOR"' in (package / "pyproject.toml").read_text()
    environment = installed(tmp_path / "site", "big_shop", package / "src")
    listed = command("integrations", cwd=tmp_path, environment=environment).stdout
    (row,) = [line for line in listed.splitlines() if " big_shop " in line]
    assert "Big Shop" in row
    assert "get_" not in row
    taken = command("connector", "new", "big_shop", "--directory", "other", cwd=tmp_path, environment=environment)
    assert (taken.returncode, "There is a connector big_shop already" in taken.stderr) == (1, True)


def test_the_suite_of_a_new_connector_asks_for_its_first_function_and_for_nothing_else(tmp_path: Path) -> None:
    assert command("connector", "new", "big_shop", "--directory", "made", cwd=tmp_path).returncode == 0
    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(suite, cwd=tmp_path / "made", capture_output=True, text=True, timeout=300, check=False)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1, done.stdout
    assert "test_facts_are_complete" in failed[0]
    assert "AssertionError: no function" in done.stdout


@pytest.mark.parametrize("name", ["Acme", "9lives", "a-shop", "a__b", "../up", "", "a" * 41])
def test_names_that_are_not_snake_case_are_refused(tmp_path: Path, name: str) -> None:
    done = command("connector", "new", "--", name, cwd=tmp_path)
    assert done.returncode == 1
    assert "snake_case" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    done = command("connector", "new", "acme_two", "--directory", "mine", cwd=tmp_path)
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert [entry.name for entry in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("options", [(), ("--all",)])
def test_a_package_that_cannot_be_imported_hides_no_other(tmp_path: Path, options: tuple[str, ...]) -> None:
    environment = installed(tmp_path / "site", "broken", tmp_path)
    listed = command("integrations", *options, cwd=tmp_path, environment=environment)
    assert listed.returncode == 0, listed.stderr
    assert " medusa " in listed.stdout
    assert " broken " not in listed.stdout
    assert "The connector 'broken' cannot be imported" in listed.stderr
    added = command("connection", "add", "broken", cwd=tmp_path, environment=environment)
    assert added.returncode == 1
    assert "Mend or uninstall its package: ModuleNotFoundError" in added.stderr
