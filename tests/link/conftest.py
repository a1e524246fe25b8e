"""A running Unicart, an application that embeds its dialog, and a real browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from link import embedder
from link.embedder import Backend
from product import Unicart

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SCRIPT = "https://link.trackstarhq.com/main.js"


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no chromium on PATH to open the dialog in")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def unicart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unicart]:
    product = Unicart(tmp_path_factory.mktemp("unicart") / "data")
    product.environment["UNICART_LINK_PRIVATE_NETWORK"] = "true"
    with product.serving():
        yield product


@pytest.fixture(scope="module")
def backend(unicart: Unicart) -> Iterator[Backend]:
    import json

    key = json.loads(unicart.run("key", "create", "--json"))["api_key"]
    with embedder.running(unicart.base_url, key) as running:
        yield running


@pytest.fixture
def pictures() -> Path | None:
    """Where screenshots are put to be looked at, if anywhere."""
    folder = os.environ.get("UNICART_PICTURES")
    return Path(folder) if folder else None
