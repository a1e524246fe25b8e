"""Storing records: what counts as a change, and that a transaction is all or nothing."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop import STORED, make_orders, moment
from unicart.contract.orders import Order
from unicart.contract.resources import ORDERS
from unicart.store import records
from unicart.store.database import Database
from unicart.store.documents import Stamp, content, document, tags_text
from unicart.store.records import Saved, UnstorableRecord
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio


async def save(database: Database, connection: Connection, orders: list[Order], now: int) -> Saved:
    async with database.write() as transaction:
        return await records.save(
            transaction, connection, ORDERS, [records.prepare(o) for o in orders], now, announced=False
        )


async def read(database: Database, connection: Connection, id: str) -> dict[str, object]:
    found = await records.one(database, connection.key, ORDERS, id)
    assert found is not None
    decoded: dict[str, object] = msgspec.json.decode(found)
    return decoded


async def test_equal_bytes_are_no_change(database: Database, connection: Connection) -> None:
    orders = make_orders(30)
    assert await save(database, connection, orders, STORED) == Saved(created=30)
    before = await read(database, connection, orders[0].id)
    assert await save(database, connection, orders, STORED + 99) == Saved(unchanged=30)
    assert await read(database, connection, orders[0].id) == before


async def test_a_change_keeps_our_first_time_and_the_tags(database: Database, connection: Connection) -> None:
    (order,) = make_orders(1)
    await save(database, connection, [order], STORED)
    async with database.write() as transaction:
        await records.set_tags(transaction, connection, ORDERS, order.id, ["vip"], STORED + 5)
    changed = msgspec.structs.replace(order, raw_status="paid")
    assert await save(database, connection, [changed], STORED + 9) == Saved(updated=1)
    stored = await read(database, connection, order.id)
    assert stored["raw_status"] == "paid"
    assert stored["trackstar_tags"] == ["vip"]
    assert stored["trackstar_created_date"] == "2023-11-14T22:13:20Z"
    assert stored["trackstar_updated_date"] == "2023-11-14T22:13:29Z"


async def test_an_older_version_never_overwrites(database: Database, connection: Connection) -> None:
    (order,) = make_orders(1)
    await save(database, connection, [order], STORED)
    late = msgspec.structs.replace(order, updated_date=moment(1), raw_status="from the past")
    assert await save(database, connection, [late], STORED + 1) == Saved(stale=1)
    assert (await read(database, connection, order.id))["raw_status"] is None


async def test_of_one_id_twice_in_a_page_the_later_counts(database: Database, connection: Connection) -> None:
    (order,) = make_orders(1)
    twice = [order, msgspec.structs.replace(order, raw_status="second")]
    assert await save(database, connection, twice, STORED) == Saved(created=1)
    assert (await read(database, connection, order.id))["raw_status"] == "second"


async def test_a_transaction_that_fails_leaves_nothing(database: Database, connection: Connection) -> None:
    orders = make_orders(3)

    async def fail_midway() -> None:
        async with database.write() as transaction:
            prepared = [records.prepare(order) for order in orders]
            await records.save(transaction, connection, ORDERS, prepared, STORED, announced=False)
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        await fail_midway()
    assert await records.one(database, connection.key, ORDERS, orders[0].id) is None
    assert await save(database, connection, orders, STORED) == Saved(created=3)


@pytest.mark.parametrize("field", ["id", "order_number"])
def test_keys_that_no_database_can_hold_are_named(field: str) -> None:
    (order,) = make_orders(1)
    with pytest.raises(UnstorableRecord, match=field):
        records.prepare(msgspec.structs.replace(order, **{field: "a\x00b"}))


tags = st.lists(st.text() | st.dictionaries(st.text(), st.text(), min_size=1, max_size=1), max_size=4)


@given(tags=tags, created=st.integers(0, 4_000_000_000), updated=st.integers(0, 4_000_000_000))
def test_a_document_gives_its_content_back(tags: list[str | dict[str, str]], created: int, updated: int) -> None:
    stamp = Stamp(tags_text(tags), created, updated)
    body = msgspec.json.encode({"id": "1", "x": "}"})
    whole = document(body, stamp)
    assert content(whole, stamp) == body
    assert msgspec.json.decode(whole)["trackstar_tags"] == tags
