"""What the dashboard reads beside the API: figures, the newest events, keys and counts, on both databases."""

import pytest

from shop import EPOCH, make_orders, store
from unicart.contract.resources import ORDERS
from unicart.store import events, figures, quarantine, tenants
from unicart.store.database import Database
from unicart.store.tenants import Connection, Organization

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000


async def test_orders_of_days_are_counted(database: Database, connection: Connection) -> None:
    content = make_orders(200)
    await store(database, connection, ORDERS, content)
    first = EPOCH - EPOCH % figures.DAY
    days = [first, first + figures.DAY, first + 2 * figures.DAY]
    expected = [sum(day <= order.created_date.timestamp() < day + figures.DAY for order in content) for day in days]
    assert sum(expected) == 200
    assert await figures.orders_of_days(database, [connection.key], days) == expected
    assert await figures.orders_of_days(database, [], days) == [0, 0, 0]


async def test_the_newest_events_come_first(
    database: Database, organization: Organization, connection: Connection
) -> None:
    await store(database, connection, ORDERS, make_orders(5), announced=True)
    whole = await events.read(database, organization.id, None, 100)
    numbers = [event.id for event in whole.events][::-1]
    assert [event.id for event in await events.newest(database, organization.id, None, 3)] == numbers[:3]
    assert [event.id for event in await events.newest(database, organization.id, numbers[2], 9)] == numbers[3:]
    of_type = await events.newest(database, organization.id, None, 9, type="cart-order.created")
    assert [event.id for event in of_type] == numbers
    assert await events.newest(database, organization.id, None, 9, connection_id="another") == []


async def test_keys_are_listed_with_their_last_use_and_revoked_one_by_one(
    database: Database, organization: Organization
) -> None:
    secret = await tenants.create_key(database, organization.id, "a", read_only=True)
    await tenants.create_key(database, organization.id, "b", read_only=False)
    key = await tenants.find_key(database, secret)
    assert key is not None
    await tenants.note_key_uses(database, {key.id: NOW, "gone": NOW})
    found = {each.name: each for each in await tenants.list_keys(database, organization.id)}
    assert {name: (each.read_only, each.last_used) for name, each in found.items()} == {
        "a": (True, NOW),
        "b": (False, None),
    }
    assert not await tenants.revoke_key(database, "another", key.id)
    assert await tenants.revoke_key(database, organization.id, key.id)
    assert await tenants.find_key(database, secret) is None
    assert [each.name for each in await tenants.list_keys(database, organization.id)] == ["b"]


async def test_quarantined_records_are_counted(database: Database, connection: Connection) -> None:
    async with database.write() as transaction:
        for key in ("1", "2"):
            await quarantine.put(transaction, connection.key, "get_orders", key, "why", b"{}", NOW, "0")
    assert await quarantine.counts(database, [connection.key, -1]) == {connection.key: 2}
