"""The demo: an organization with a sandbox shop, made once in a data directory and found again later."""

from typing import Any

from rich.console import Console

from unicart.cli_progress import SyncProgress
from unicart.connectors.registry import connector
from unicart.settings import Settings
from unicart.store import records, tenants
from unicart.store.database import Database, open_database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection
from unicart.sync import connect
from unicart.sync.run import sync_function

ORDERS = 2500
ORGANIZATION = "demo"
KEY_NAME = "demo"


async def prepare(settings: Settings, vault: Vault, orders: int, console: Console) -> dict[str, Any]:
    """Make the demo organization and its sandbox shop of ``orders`` orders, or find them, and fill the store.

    Keys and tokens are stored hashed, so each start makes new ones; those of earlier starts stop working.
    """
    database = await open_database(settings.store_url)
    try:
        organization = await tenants.find_organization(database, ORGANIZATION)
        if organization is None:
            organization = await tenants.create_organization(database, ORGANIZATION)
        connection = await _connection(database, vault, organization.id, orders)
        await _fill(database, vault, connection, console)
        await tenants.revoke_keys(database, organization.id, KEY_NAME)
        return {
            "api_key": await tenants.create_key(database, organization.id, KEY_NAME, read_only=False),
            "access_token": await tenants.new_token(database, connection),
            "connection_id": connection.id,
            "warehouse_customer_ids": await records.warehouse_customers(database, connection.key),
        }
    finally:
        await database.close()


async def _connection(database: Database, vault: Vault, organization_id: str, orders: int) -> Connection:
    credentials = connect.complete_credentials("sandbox", {"orders": str(orders)})
    for connection in await tenants.list_connections(database, organization_id):
        if connection.integration_name == "sandbox":
            known = await tenants.read_credentials(database, vault, connection)
            if known == credentials:
                return connection
            await tenants.remove_connection(database, connection)
    connection, _ = await tenants.add_connection(
        database,
        vault,
        organization_id=organization_id,
        integration_name="sandbox",
        account_name=connector("sandbox").facts.display_name,
        credentials=credentials,
        private_network=False,
        history_days=0,
    )
    return connection


async def _fill(database: Database, vault: Vault, connection: Connection, console: Console) -> None:
    async with connect.opened_connection(database, vault, connection) as platform:
        with SyncProgress(console) as shown:
            for function in platform.facts.functions:
                with shown.run(connection, function) as report:
                    progress = await sync_function(database, connection, platform, function, report)
                shown.summary(connection, progress)
