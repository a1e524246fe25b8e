"""Clients of the application in this process, whose transport can be made to misbehave."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from shop import fill
from unicart.api.app import create_app
from unicart.client import AsyncClient
from unicart.contract.resources import Function
from unicart.settings import Settings
from unicart.store import tenants
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection, Organization
from unicart.sync.connect import complete_credentials, opened_connection
from unicart.sync.run import sync_function

Trouble = Callable[[httpx2.Request], httpx2.Response]


class Line(httpx2.AsyncBaseTransport):
    """The way to the application. ``before`` and ``after`` hold what happens to the next requests and answers on it.

    Trouble after the application has answered loses its answer.
    """

    def __init__(self, application: Any) -> None:
        self._inner = httpx2.ASGITransport(application)
        self.sent: list[httpx2.Request] = []
        self.before: list[Trouble] = []
        self.after: list[Trouble] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        if self.before:
            return self.before.pop(0)(request)
        response = await self._inner.handle_async_request(request)
        return self.after.pop(0)(request) if self.after else response


def answers(status: int, **headers: str) -> Trouble:
    """Something on the way answers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: httpx2.Response(status, headers=named, text="<h1>Busy</h1>", request=request)


def breaks(error: type[httpx2.TransportError]) -> Trouble:
    """The way breaks off."""

    def trouble(request: httpx2.Request) -> httpx2.Response:
        raise error("broken", request=request)

    return trouble


@pytest.fixture
async def connection_and_token(database: Database, vault: Vault, organization: Organization) -> tuple[Connection, str]:
    """A sandbox shop that is quickly synced."""
    return await tenants.add_connection(
        database,
        vault,
        organization_id=organization.id,
        integration_name="sandbox",
        account_name="Test shop",
        credentials=complete_credentials("sandbox", {"orders": "400"}),
        private_network=True,
        history_days=0,
    )


@pytest.fixture
def line(database: Database, vault: Vault, settings: Settings) -> Line:
    return Line(create_app(database, vault, settings))


@pytest.fixture
async def unicart(line: Line, api_key: str, access_token: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient("http://unicart", api_key, access_token, transport=line) as opened:
        yield opened


@pytest.fixture
async def documents(database: Database, connection: Connection) -> dict[str, Any]:
    """The orders of the shop, by id."""
    return await fill(database, connection)


@pytest.fixture
async def sandbox(unicart: AsyncClient, database: Database, vault: Vault, connection: Connection) -> AsyncClient:
    """A client of a sandbox shop that is synced."""
    async with opened_connection(database, vault, connection) as platform:
        for function in Function:
            await sync_function(database, connection, platform, function)
    return unicart
