"""An HTTP client of the application, with the credentials of a connection that holds a small shop."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from shop import fill
from unicart.api.app import create_app
from unicart.settings import Settings
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection

KEY, TOKEN = "x-trackstar-api-key", "x-trackstar-access-token"


@pytest.fixture
async def documents(database: Database, connection: Connection) -> dict[str, Any]:
    """The orders of the shop, by id."""
    return await fill(database, connection)


@pytest.fixture
def credentials(api_key: str, access_token: str) -> dict[str, str]:
    return {KEY: api_key, TOKEN: access_token}


@pytest.fixture
async def client(
    database: Database, vault: Vault, settings: Settings, credentials: dict[str, str]
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that sends valid credentials and meets no rate limit."""
    transport = httpx2.ASGITransport(create_app(database, vault, settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://unicart", headers=credentials) as opened:
        yield opened
