"""Authorization in a window of its own, in a real browser: the merchant goes to Shopify and back, and the dialog goes on."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
import uvicorn

from link import embedder
from link.conftest import SCRIPT
from link.test_dialog import opened, picture, visit
from link.test_oauth import SECRET, Platforms, shopify_back
from product import Unicart
from unicart.api.app import create_app
from unicart.connectors.kit import targets
from unicart.link.routes import routes
from unicart.server import base_url, listen
from unicart.settings import Settings
from unicart.store.database import open_database
from unicart.store.secrets import open_vault

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """The application in a thread, so that the platforms it asks can be played here."""
    listener = listen("127.0.0.1", 0)
    server: list[uvicorn.Server] = []
    ready = threading.Event()

    async def run() -> None:
        database = await open_database(settings.store_url)
        vault = open_vault(None, settings.directory)
        app = create_app(database, vault, settings, extra=routes(database, vault, settings))
        server.append(uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off")))
        ready.set()
        await server[0].serve(sockets=[listener])
        await database.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    ready.wait()
    try:
        yield base_url(listener)
    finally:
        server[0].should_exit = True
        thread.join()


def test_shopify_in_a_window(
    browser: "Browser", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: Path | None
) -> None:
    monkeypatch.setattr(targets, "PublicTransport", lambda: httpx2.MockTransport(Platforms()))
    key = json.loads(Unicart(tmp_path).run("key", "create", "--json"))["api_key"]
    settings = Settings(data_dir=str(tmp_path), shopify_client_id="app", shopify_client_secret=SECRET)
    with serving(settings) as base, embedder.running(base, key) as backend:
        context = browser.new_context()

        def shopify(route: "Route") -> None:
            asked = dict(parse_qsl(urlsplit(route.request.url).query))
            target = f"{asked['redirect_uri']}?{urlencode(shopify_back(asked['state']))}"
            route.fulfill(
                status=200,
                content_type="text/html",
                body=f"<h1>Shopify</h1><a href='{target}'>Install</a>".replace("&", "&amp;"),
            )

        context.route("https://socks.myshopify.com/**", shopify)
        page = context.new_page()
        script = page.request.get(f"{base}/main.js").body()
        page.route(SCRIPT, lambda route: route.fulfill(body=script, content_type="text/javascript"))
        visit(page, backend, integrationAllowList=["shopify"])
        dialog = opened(page)
        dialog.get_by_label("Shop").first.fill("socks")
        picture(page, pictures, "shopify")
        with page.expect_popup() as window:
            dialog.get_by_role("button", name="Continue to Shopify").click()
        popup = window.value
        dialog.get_by_role("heading", name="Go on at Shopify").wait_for()
        picture(page, pictures, "waiting")
        popup.get_by_role("link", name="Install").click()
        popup.get_by_role("heading", name="Your shop is connected").wait_for()
        picture(popup, pictures, "closing")

        dialog.get_by_role("heading", name="Shopify is connected").wait_for()
        page.get_by_text("Connected: shopify").wait_for()
        assert backend.exchanged[-1]["integration_name"] == "shopify"
        context.close()
