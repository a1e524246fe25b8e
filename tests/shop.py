"""A small shop for tests of the store and the API: orders whose every filterable field varies."""

import random
from datetime import UTC, datetime
from typing import Any

import msgspec

from unicart.contract.orders import LineItem, Order, OrderStatus
from unicart.contract.products import Product
from unicart.contract.resources import ORDERS, PRODUCTS, WAREHOUSES, Resource
from unicart.contract.warehouses import Warehouse
from unicart.store import records
from unicart.store.database import Database
from unicart.store.tenants import Connection

EPOCH = 1_600_000_000
STORED = 1_700_000_000
CUSTOMERS = [None, None, "ada", "bob", "çelik"]
WEIGHTS = [30, 20, 10, 5, 30, 0.5, 5, 0.5, 0.5]


def moment(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def make_orders(count: int, seed: int = 1) -> list[Order]:
    """Orders with many tied dates, rare statuses and awkward ids."""
    generator = random.Random(seed)
    found = []
    for number in range(count):
        created = EPOCH + generator.randrange(max(count // 2, 1)) * 10
        found.append(
            Order(
                id=generator.choice(["", "gid://shop/", "ü ", "a,b "]).replace(",", ";")
                + f"{generator.randrange(10**9)}-{number}",
                order_number=f"#{1000 + number}",
                created_date=moment(created),
                updated_date=moment(created + generator.randrange(0, count * 20)),
                status=generator.choices(list(OrderStatus), WEIGHTS)[0],
                warehouse_customer_id=generator.choice(CUSTOMERS),
                line_items=[LineItem(line_item_id="1", quantity=1)],
            )
        )
    return found


def make_products(count: int) -> list[Product]:
    return [
        Product(
            id=f"p{number}",
            created_date=moment(EPOCH + number % 7),
            updated_date=moment(EPOCH + 100 + number % 5),
            name=f"Product {number}",
            parent_product_id=f"p{number}",
        )
        for number in range(count)
    ]


def make_warehouses(count: int) -> list[Warehouse]:
    return [
        Warehouse(id=f"w{number}", created_date=moment(EPOCH), updated_date=moment(EPOCH), name=f"Warehouse {number}")
        for number in range(count)
    ]


async def store(
    database: Database,
    connection: Connection,
    resource: Resource,
    content: list[Any],
    now: int = STORED,
    *,
    announced: bool = False,
) -> None:
    """Store records in pages whose times of storing differ."""
    for start in range(0, len(content), 500):
        page = [records.prepare(record) for record in content[start : start + 500]]
        async with database.write() as transaction:
            await records.save(transaction, connection, resource, page, now + start, announced=announced)


async def tag_some(database: Database, connection: Connection, content: list[Order]) -> None:
    """Tag every seventh order."""
    for number, order in enumerate(content[::7]):
        async with database.write() as transaction:
            tags: list[str | dict[str, str]] = ["hot", {"team": str(number % 3)}]
            await records.set_tags(transaction, connection, ORDERS, order.id, tags, STORED + 10_000)


async def read_back(database: Database, connection_key: int, resource: Resource, content: list[Any]) -> dict[str, Any]:
    """The stored documents by id, decoded."""
    found = {}
    for record in content:
        document = await records.one(database, connection_key, resource, record.id)
        assert document is not None
        found[record.id] = msgspec.json.decode(document)
    return found


async def fill(database: Database, connection: Connection, orders: int = 300) -> dict[str, Any]:
    """Orders (some tagged), products and warehouses; returns the order documents by id."""
    content = make_orders(orders)
    await store(database, connection, ORDERS, content)
    await tag_some(database, connection, content)
    await store(database, connection, PRODUCTS, make_products(30))
    await store(database, connection, WAREHOUSES, make_warehouses(3))
    return await read_back(database, connection.key, ORDERS, content)
