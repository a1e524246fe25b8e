"""Walks return exactly what the contract says, whatever the filters, page sizes and database."""

import random
from typing import Any

import msgspec
import pytest

from query_shapes import SHAPES, condition
from reference import Params, expected_ids
from shop import STORED, fill, make_orders, moment, store
from unicart.contract.resources import ORDERS
from unicart.store import records
from unicart.store.database import Database
from unicart.store.pages import Position, Walk
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio


COUNT = 1200


async def walk_ids(
    database: Database, connection: Connection, parameters: Params, limit: int, resume: bool
) -> list[str]:
    """All ids of a walk; with ``resume`` each page is asked for anew, from the position of the page before."""
    query = ORDERS.filters.parse(parameters)
    walk, found = Walk(database, connection.key, ORDERS, query), []
    while True:
        page = await walk.page(limit)
        found += [msgspec.json.decode(document)["id"] for document in page.documents]
        if page.next is None:
            return found
        assert len(page.documents) == limit
        if resume:
            walk = Walk(database, connection.key, ORDERS, query, page.next)


async def test_every_filter_alone_and_with_others(database: Database, connection: Connection) -> None:
    documents = await fill(database, connection, COUNT)
    generator = random.Random(7)
    for field, operator in SHAPES:
        for others in (0, 0, 1, 2):
            chosen = [(field, operator), *generator.sample(SHAPES, others)]
            distinct = {(f.name, o): (f, o) for f, o in chosen}
            parameters = [condition(generator, documents, *shape) for shape in distinct.values()]
            expected = expected_ids(documents, parameters)
            for limit, resume in ((1000, False), (generator.choice([70, 150, 400]), True)):
                assert await walk_ids(database, connection, parameters, limit, resume) == expected, parameters


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_pages_of_any_size_join_to_the_whole(database: Database, connection: Connection, limit: int) -> None:
    documents = await fill(database, connection, 200)
    numbers = ("order_number[in]", ",".join(f"#{number}" for number in range(1050, 1150)))
    for parameters in ([], [("status[in]", "open,fulfilled,exception")], [("status[neq]", "open")], [numbers]):
        expected = expected_ids(documents, parameters)
        assert await walk_ids(database, connection, parameters, limit, True) == expected


async def test_a_connection_never_sees_another(database: Database, connection: Connection, vault: Any) -> None:
    from unicart.store import tenants

    other, _ = await tenants.add_connection(
        database,
        vault,
        organization_id=connection.organization_id,
        integration_name="sandbox",
        account_name="Other",
        credentials={},
        private_network=False,
    )
    mine, theirs = make_orders(50, seed=1), make_orders(50, seed=2)
    await store(database, connection, ORDERS, mine)
    await store(database, other, ORDERS, theirs)
    foreign = theirs[0].id
    assert set(await walk_ids(database, connection, [], 10, True)) == {order.id for order in mine}
    assert await walk_ids(database, connection, [("ids[in]", foreign)], 10, False) == []
    assert await records.one(database, connection.key, ORDERS, foreign) is None
    async with database.write() as transaction:
        assert await records.set_tags(transaction, connection, ORDERS, foreign, ["x"], STORED) is None


async def test_a_walk_during_writes_skips_nothing_that_was_there(database: Database, connection: Connection) -> None:
    content = make_orders(400)
    await store(database, connection, ORDERS, content)
    generator = random.Random(3)
    for parameters in ([], [("updated_date[gte]", "2020-01-01T00:00:00Z")], [("status[in]", "open,processing")]):
        query = ORDERS.filters.parse(parameters)
        matching = {order.id for order in content if not parameters or "status" not in parameters[0][0]}
        seen: set[str] = set()
        walk, number = Walk(database, connection.key, ORDERS, query), 0
        while True:
            page = await walk.page(23)
            seen |= {msgspec.json.decode(document)["id"] for document in page.documents}
            if page.next is None:
                break
            number += 1
            touched = generator.sample(content, 20)
            newer = [
                msgspec.structs.replace(order, updated_date=moment(2_000_000_000 + number), raw_status=str(number))
                for order in touched
            ]
            await store(database, connection, ORDERS, newer, STORED + 1000 + number)
            extra = msgspec.structs.replace(content[0], id=f"new {parameters} {number}")
            await store(database, connection, ORDERS, [extra], STORED + 1000 + number)
        assert matching <= seen


async def test_streaming_batches_hold_every_match_once(database: Database, connection: Connection) -> None:
    documents = await fill(database, connection, 300)
    parameters = [("status[in]", "open,confirmed"), ("order_number[contains]", "1")]
    walk = Walk(database, connection.key, ORDERS, ORDERS.filters.parse(parameters))
    found = [msgspec.json.decode(document)["id"] async for batch in walk.batches(37) for document in batch]
    assert found == expected_ids(documents, parameters)


async def test_a_position_beyond_the_end_is_an_empty_page(database: Database, connection: Connection) -> None:
    await store(database, connection, ORDERS, make_orders(5))
    walk = Walk(database, connection.key, ORDERS, ORDERS.filters.parse([]), Position(1 << 50, "z"))
    assert await walk.page(10) == await Walk(
        database, connection.key, ORDERS, ORDERS.filters.parse([("status", "other"), ("status[neq]", "other")])
    ).page(10)
