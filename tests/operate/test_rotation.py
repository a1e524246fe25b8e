"""The secret key is rotated while others work: nothing is lost, nothing stops, and the old key is not needed any more."""

import asyncio
import json
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary

from product import COMMAND, Unicart
from unicart.store import rotation, tenants, webhooks
from unicart.store.database import Database
from unicart.store.secrets import SecretError, Vault, new_key
from unicart.store.tables import metadata
from unicart.store.tenants import Connection, Organization
from unicart.sync import subscriptions

OLD, NEW = new_key(), new_key()
OTHER_BYTES = {"raw", "headers", "body", "before", "answer", "value", "doc", "event_types", "connection_ids"}


def test_every_column_of_bytes_is_known_as_a_secret_or_not() -> None:
    plain = {
        column.name
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary) and not column.info.get("encrypted")
    }
    assert plain <= OTHER_BYTES


@pytest.fixture
async def shops(database: Database, organization: Organization) -> list[Connection]:
    """More connections than a batch holds, written with the old key."""
    found = []
    for number in range(rotation.BATCH + 5):
        connection, _ = await tenants.add_connection(
            database,
            Vault(OLD),
            organization_id=organization.id,
            integration_name="sandbox",
            account_name="Shop",
            credentials={"number": str(number)},
            private_network=True,
        )
        found.append(connection)
    return found


async def of_others(database: Database) -> int:
    """Secrets that other tests left in a shared store."""
    return len((await rotation.survey(database, Vault(f"{NEW},{OLD}"))).lost)


@pytest.mark.anyio
async def test_the_old_key_is_not_needed_any_more(database: Database, shops: list[Connection]) -> None:
    old, both, new = Vault(OLD), Vault(f"{NEW},{OLD}"), Vault(NEW)
    now = int(time.time())
    text = json.dumps({"url": "https://example.com", "kept": {"secret": "s"}, "made": now})
    await tenants.write_subscription(database, shops[0], old.encrypt({"subscription": text}))
    endpoint, _ = await webhooks.create(
        database,
        old,
        shops[0].organization_id,
        now,
        url="https://example.com/hook",
        description="",
        event_types=None,
        connection_ids=None,
    )
    await webhooks.rotate_secret(database, old, endpoint, now)
    signing = await webhooks.read_secrets(database, old, endpoint, now)
    others = await of_others(database)
    found = await rotation.rotate(database, both)
    assert (found.old, len(found.lost)) == (len(shops) + 3, others)
    assert (await rotation.survey(database, both)).old == 0
    for number, connection in enumerate(shops):
        assert await tenants.read_credentials(database, new, connection) == {"number": str(number)}
        with pytest.raises(SecretError):
            await tenants.read_credentials(database, old, connection)
    assert (await subscriptions.read(database, new, shops[0])).kept == {"secret": "s"}
    assert await webhooks.read_secrets(database, new, endpoint, now) == signing


@pytest.mark.anyio
async def test_what_others_write_meanwhile_is_kept(database: Database, shops: list[Connection]) -> None:
    both, behind = Vault(f"{NEW},{OLD}"), Vault(f"{OLD},{NEW}")

    async def renew() -> None:
        for connection in shops:
            await tenants.change_credentials(database, behind, connection, {"token": connection.id})

    await asyncio.gather(renew(), rotation.rotate(database, both))
    await rotation.rotate(database, both)
    for number, connection in enumerate(shops):
        kept = await tenants.read_credentials(database, Vault(NEW), connection)
        assert kept == {"number": str(number), "token": connection.id}


@pytest.mark.anyio
async def test_what_no_key_opens_is_named_and_left(database: Database, connection: Connection, vault: Vault) -> None:
    found = await rotation.rotate(database, Vault(new_key()))
    assert f"connections.credentials {connection.key}" in found.lost
    assert await tenants.read_credentials(database, vault, connection) == {}


def test_a_walk_and_the_credentials_outlive_a_rotation(tmp_path: Path) -> None:
    unicart = Unicart(tmp_path / "data")
    unicart.environment["UNICART_SECRET_KEY"] = OLD
    unicart.connect("sandbox", "--orders", "30")
    unicart.sync()
    with unicart.serving():
        first = unicart.ask("/cart/orders?limit=20")
    unicart.environment["UNICART_SECRET_KEY"] = f"{NEW},{OLD}"
    with unicart.serving():
        done = json.loads(unicart.run("secret-key", "rotate", "--json"))
        rest = unicart.ask(f"/cart/orders?limit=20&page_token={first['next_token']}")
    assert done == {"secrets": 1, "written_again": 1, "lost": 0}
    assert len({order["id"] for order in first["data"] + rest["data"]}) == 30
    unicart.environment["UNICART_SECRET_KEY"] = NEW
    unicart.sync()
    unicart.environment["UNICART_SECRET_KEY"] = new_key()
    assert "Add the key that wrote them" in unicart.run("secret-key", "rotate", fails=True)


def test_a_fresh_key_is_printed() -> None:
    keys = [subprocess.run([COMMAND, "secret-key"], capture_output=True, text=True, check=True).stdout for _ in "12"]
    assert keys[0] != keys[1]
    assert all(Vault(key.strip()) for key in keys)
