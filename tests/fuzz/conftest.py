"""A running server with the demo's shop, for tests that send it anything at all."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from product import demo


@pytest.fixture(scope="session")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What ``unicart demo --json`` printed; at the end the log must hold no failure of ours."""
    data_dir = tmp_path_factory.mktemp("fuzz") / "data"
    with demo(data_dir, "--orders", "300", "--no-rate-limit") as printed:
        yield printed
    log = data_dir.with_suffix(".log").read_text()
    assert "Traceback" not in log
    assert " failed" not in log


@pytest.fixture(scope="session")
def credentials(access: dict[str, Any]) -> dict[str, str]:
    return {
        "x-trackstar-api-key": access["api_key"],
        "x-trackstar-access-token": access["access_token"],
    }


@pytest.fixture(scope="session")
def http(access: dict[str, Any], credentials: dict[str, str]) -> Iterator[httpx2.Client]:
    """A client of the server, with its credentials."""
    with httpx2.Client(base_url=access["base_url"], headers=credentials) as opened:
        yield opened
