"""Events tell every change, once, in order, and only what was stored."""

import asyncio
import random
from typing import Any

import msgspec
import pytest

from shop import STORED, make_orders, make_products, moment, store
from unicart.contract.events import SHIPMENT_CREATED
from unicart.contract.orders import Order, OrderStatus, Shipment
from unicart.contract.resources import ORDERS, PRODUCTS
from unicart.store import events, records, tenants
from unicart.store.database import Database
from unicart.store.events import CursorExpired, FeedPage
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection, Organization

pytestmark = pytest.mark.anyio


async def announced(database: Database, connection: Connection, *orders: Order, now: int = STORED) -> None:
    await store(database, connection, ORDERS, list(orders), now, announced=True)


async def feed(database: Database, connection: Connection, after: int | None = None) -> list[dict[str, Any]]:
    found = (await events.read(database, connection.organization_id, after, 1000)).events
    assert [each.id for each in found] == sorted(each.id for each in found)
    bodies = [msgspec.json.decode(each.body) for each in found]
    assert [body["event_type"] for body in bodies] == [each.type for each in found]
    return bodies


async def one(database: Database, connection: Connection, id: str) -> Any:
    document = await records.one(database, connection.key, ORDERS, id)
    assert document is not None
    return msgspec.json.decode(document)


async def test_a_new_record_is_told_as_it_is_served(database: Database, connection: Connection) -> None:
    (order,) = make_orders(1)
    await announced(database, connection, order)
    (event,) = await feed(database, connection)
    assert event == {
        "connection_id": connection.id,
        "customer_id": None,
        "integration_name": "sandbox",
        "integration_type": "cart",
        "event_type": "cart-order.created",
        "data": await one(database, connection, order.id),
    }


async def test_a_change_tells_the_old_values_by_path(database: Database, connection: Connection) -> None:
    (order,) = make_orders(1)
    await announced(database, connection, order)
    changed = msgspec.structs.replace(
        order,
        raw_status="paid",
        line_items=[msgspec.structs.replace(order.line_items[0], quantity=3)],
        ship_to_address=msgspec.structs.replace(order.ship_to_address, city="Köln"),
    )
    await announced(database, connection, changed, now=STORED + 5)
    _, event = await feed(database, connection)
    assert event["event_type"] == "cart-order.updated"
    assert event["previous_attributes"] == {
        "raw_status": None,
        "line_items.0.quantity": 1,
        "ship_to_address.city": None,
    }
    assert event["data"] == await one(database, connection, order.id)


async def test_a_new_shipment_is_told_beside_the_change(database: Database, connection: Connection) -> None:
    (order,) = make_orders(1)
    first = Shipment(shipment_id="s1")
    await announced(database, connection, order)
    await announced(database, connection, msgspec.structs.replace(order, shipments=[first]))
    both = msgspec.structs.replace(order, shipments=[first, Shipment(shipment_id="s2")])
    await announced(database, connection, both)
    told = [event for event in await feed(database, connection) if event["event_type"] == SHIPMENT_CREATED]
    assert [len(event["previous_attributes"]["shipments"]) for event in told] == [0, 1]
    assert [len(event["data"]["shipments"]) for event in told] == [1, 2]


async def test_what_is_no_change_is_not_told(database: Database, connection: Connection) -> None:
    (order,) = make_orders(1)
    await announced(database, connection, order)
    await announced(database, connection, order, now=STORED + 9)
    await announced(database, connection, msgspec.structs.replace(order, updated_date=moment(1), raw_status="late"))
    await store(database, connection, PRODUCTS, make_products(2), announced=False)
    assert len(await feed(database, connection)) == 1


async def test_tags_are_a_change(database: Database, connection: Connection) -> None:
    (order,) = make_orders(1)
    await store(database, connection, ORDERS, [order])
    async with database.write() as transaction:
        await records.set_tags(transaction, connection, ORDERS, order.id, ["vip"], STORED + 1)
    (event,) = await feed(database, connection)
    assert event["event_type"] == "cart-order.updated"
    assert event["previous_attributes"] == {"trackstar_tags": []}


async def test_what_is_rolled_back_is_not_told(database: Database, connection: Connection) -> None:
    prepared = [records.prepare(order) for order in make_orders(3)]

    async def fails() -> None:
        async with database.write() as transaction:
            await records.save(transaction, connection, ORDERS, prepared, STORED, announced=True)
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        await fails()
    assert await feed(database, connection) == []


async def test_the_feed_replayed_is_the_store(database: Database, connection: Connection) -> None:
    generator = random.Random(5)
    orders = {order.id: order for order in make_orders(40)}
    for round in range(25):
        some = generator.sample(sorted(orders), generator.randrange(1, 12))
        for id in some:
            newer = moment(2_000_000_000 + round)
            state = generator.choice(list(OrderStatus))
            orders[id] = msgspec.structs.replace(orders[id], status=state, updated_date=newer)
        await announced(database, connection, *(orders[id] for id in some), now=STORED + round)
    replayed: dict[str, Any] = {}
    page = await events.read(database, connection.organization_id, None, 7)
    while page.events:
        for each in page.events:
            told = msgspec.json.decode(each.body)["data"]
            replayed[told["id"]] = told
        page = await events.read(database, connection.organization_id, page.next, 7)
    assert replayed
    for id, told in replayed.items():
        assert told == await one(database, connection, id)


async def test_a_reader_misses_nothing_while_many_write(
    database: Database, vault: Vault, organization: Organization
) -> None:
    """Transactions of several connections end in another order than they began; a reader never sees past a gap."""
    connections = []
    for _ in range(6):
        added, _ = await tenants.add_connection(
            database, vault, organization_id=organization.id, integration_name="sandbox", account_name="Shop",
            credentials={}, private_network=False,
        )  # fmt: skip
        connections.append(added)
    seen: list[int] = []
    done = asyncio.Event()

    async def read() -> None:
        while True:
            last = done.is_set()
            page = await events.read(database, organization.id, seen[-1] if seen else None, 10)
            seen.extend(each.id for each in page.events)
            if last and not page.events:
                return
            await asyncio.sleep(0)

    async def write(connection: Connection, seed: int) -> None:
        for order in make_orders(25, seed):
            await announced(database, connection, order)

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(connection, seed) for seed, connection in enumerate(connections)))
    done.set()
    await reader
    everything = (await events.read(database, organization.id, None, 1000)).events
    assert seen == [each.id for each in everything]
    assert len(seen) == 6 * 25


async def test_types_and_connections_choose(database: Database, connection: Connection) -> None:
    (order,) = make_orders(1)
    await announced(database, connection, order)
    await store(database, connection, PRODUCTS, make_products(3), announced=True)
    await announced(database, connection, msgspec.structs.replace(order, raw_status="paid"))

    async def types(**chosen: Any) -> list[str]:
        found = await events.read(database, connection.organization_id, None, 1000, **chosen)
        return [each.type for each in found.events]

    assert await types(types=["cart-product.created"]) == ["cart-product.created"] * 3
    assert await types(types=["cart-order.created", "cart-order.updated"], connection_id=connection.id) == [
        "cart-order.created",
        "cart-order.updated",
    ]
    assert len(await types(connection_id=connection.id)) == 5
    assert await types(connection_id="another") == []


async def test_old_events_go_and_a_cursor_behind_them_is_told_so(database: Database, connection: Connection) -> None:
    old, new = make_orders(2)
    await announced(database, connection, old, now=STORED)
    await announced(database, connection, new, now=STORED + 100)

    async def read(after: int | None) -> FeedPage:
        return await events.read(database, connection.organization_id, after, 10)

    first, second = (await read(None)).events
    assert await events.prune(database, STORED + 50) >= 1
    assert (await read(None)).events == (await read(first.id)).events == [second]
    with pytest.raises(CursorExpired):
        await read(first.id - 1)
    while await events.prune(database, STORED + 200):
        pass
    assert await events.last(database, connection.organization_id) == second.id
    assert await read(None) == await read(second.id) == FeedPage([], second.id)
