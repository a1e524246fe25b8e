"""Shops in a store in which nothing else is due."""

import pytest

from sync.shops import Shops
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tables import quarantine, schedules, sync_jobs
from unicart.store.tenants import Organization


@pytest.fixture
async def shops(database: Database, vault: Vault, organization: Organization) -> Shops:
    """Shops in a store in which nothing else is scheduled, ordered or quarantined."""
    async with database.write() as transaction:
        for table in (schedules, sync_jobs, quarantine):
            await transaction.execute(table.delete())
    return Shops(database, vault, organization)
