"""Connections as they are opened."""

from collections.abc import AsyncIterator, Mapping

import pytest

from unicart.connectors.kit import Connector
from unicart.store import tenants
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Organization
from unicart.sync.connect import opened_connection

pytestmark = pytest.mark.anyio

GIVEN = {"url": "https://shop.example", "api_key": "old", "refresh_token": "first"}


@pytest.fixture
async def opened(database: Database, vault: Vault, organization: Organization) -> AsyncIterator[tuple[Connector, ...]]:
    """The connectors of two processes that work for one connection."""
    connection, _ = await tenants.add_connection(
        database,
        vault,
        organization_id=organization.id,
        integration_name="medusa",
        account_name="Shop",
        credentials=GIVEN,
        private_network=False,
    )
    async with (
        opened_connection(database, vault, connection) as one,
        opened_connection(database, vault, connection) as other,
    ):
        yield one, other


async def test_credentials_that_one_process_renews_are_there_for_all(opened: tuple[Connector, ...]) -> None:
    one, other = opened
    renewed: Mapping[str, str] = {"api_key": "new", "refresh_token": "second"}
    await one.keep_credentials(renewed)
    assert one.credentials == {**GIVEN, **renewed}
    assert other.credentials == GIVEN
    assert await other.stored_credentials() == {**GIVEN, **renewed}
