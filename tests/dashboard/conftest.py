"""The dashboard as an operator uses it: the application on a real port, and a real browser that is signed in."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from dashboard.browsing import NOW
from unicart.api.app import create_app
from unicart.api.authentication import KeyUses
from unicart.dashboard.app import routes
from unicart.dashboard.sessions import COOKIE
from unicart.settings import Settings
from unicart.store import operators, tenants
from unicart.store.database import Database
from unicart.store.migrate import migrate
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection, Organization
from unicart.sync import connect
from unicart.sync.run import sync_function
from unicart.sync.worker import schedule


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated store, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "unicart.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def store_url(tmp_path: Path, empty_store: Path) -> str:
    """Pages are tried on SQLite; the statements behind them have tests of their own on both databases."""
    path = tmp_path / "unicart.db"
    shutil.copy(empty_store, path)
    return f"sqlite:///{path}"


@pytest.fixture
def settings(store_url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path), database_url=store_url, webhook_private_network=True)


@pytest.fixture
async def site(database: Database, vault: Vault, settings: Settings) -> AsyncIterator[str]:
    """The base URL of the application, served on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    uses = KeyUses(database)
    extra = routes(database, vault, settings, uses)
    app = create_app(database, vault, settings, extra=extra, key_uses=uses)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await running


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        await opened.close()


@pytest.fixture
async def context(browser: Browser, site: str) -> AsyncIterator[BrowserContext]:
    opened = await browser.new_context(base_url=site, color_scheme="light", viewport={"width": 1280, "height": 900})
    yield opened
    await opened.close()


def is_complaint(message: ConsoleMessage) -> bool:
    """Whether the browser tells of an error, other than that a page was answered with an error's status."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


@pytest.fixture
async def page(context: BrowserContext, site: str, database: Database, shop: Connection) -> AsyncIterator[Page]:
    """A page of a browser that is signed in, where there is a shop. Whatever the browser complains about fails the test."""
    opened = await context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
    session = await operators.begin_session(database, int(time.time()))
    await context.add_cookies([{"name": COOKIE, "value": session, "url": site}])
    await opened.goto("/dashboard")
    yield opened
    assert complaints == []


@pytest.fixture
async def shop(database: Database, vault: Vault, organization: Organization) -> Connection:
    """A sandbox shop of 120 orders, scheduled and synced."""
    connection, _ = await tenants.add_connection(
        database,
        vault,
        organization_id=organization.id,
        integration_name="sandbox",
        account_name="Harbour & Sons <Ltd>",
        credentials=connect.complete_credentials("sandbox", {"orders": "120"}),
        private_network=False,
        history_days=0,
    )
    await schedule(database, connection, NOW)
    async with connect.opened_connection(database, vault, connection) as platform:
        for function in platform.facts.functions:
            await sync_function(database, connection, platform, function)
    return connection
