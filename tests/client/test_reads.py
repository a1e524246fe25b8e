"""Reading through the client: lists to their end, every filter, records, connections, the feed, errors."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from client.conftest import Line
from shop import make_orders, moment, store
from unicart.client import (
    ApiError,
    AsyncClient,
    CartOrder,
    Dates,
    Filters,
    Forbidden,
    InvalidRequest,
    Match,
    NotFound,
    OrderFilters,
    OrderStatus,
    Tags,
    Text,
    Unauthorized,
    WriteFunction,
)
from unicart.contract.common import format_date
from unicart.contract.orders import LineItem, Order
from unicart.contract.resources import ORDERS, PRODUCTS, WAREHOUSES, Function
from unicart.store import tenants
from unicart.store.database import Database
from unicart.store.tenants import Connection, Organization

pytestmark = pytest.mark.anyio

DATES = Dates(gte=datetime(2020, 9, 13, 12, 30, tzinfo=UTC), lt=datetime(2020, 9, 13, 13, 0, tzinfo=UTC))


async def ids(found: Any) -> list[str]:
    return [record.id async for record in found]


async def test_a_list_is_walked_to_its_end(unicart: AsyncClient, documents: dict[str, Any], line: Line) -> None:
    found = await ids(unicart.orders(page_size=70))
    assert Counter(found) == Counter(list(documents))
    assert len(line.sent) == 5
    assert len(await ids(unicart.products(page_size=7))) == 30
    assert len(await ids(unicart.warehouses())) == 3


async def test_filters_choose_and_hold_on_every_page(unicart: AsyncClient, documents: dict[str, Any]) -> None:
    def expected(matches: Any) -> set[str]:
        found = {id for id, order in documents.items() if matches(order)}
        assert 0 < len(found) < len(documents)
        return found

    half = "2020-09-13T12:30:00Z"
    cases: list[tuple[OrderFilters, Any]] = [
        ({"status": OrderStatus.OPEN}, lambda order: order["status"] == "open"),
        (
            {"status": Match(in_=[OrderStatus.CONFIRMED, OrderStatus.PROCESSING])},
            lambda order: order["status"] in ("confirmed", "processing"),
        ),
        ({"warehouse_customer_id": Match(neq="ada")}, lambda order: order["warehouse_customer_id"] != "ada"),
        ({"order_number": "#1007"}, lambda order: order["order_number"] == "#1007"),
        ({"order_number": Text(contains="#11")}, lambda order: "#11" in order["order_number"]),
        ({"created_date": DATES}, lambda order: half <= order["created_date"] < "2020-09-13T13:00:00Z"),
        (
            {"trackstar_tags": Tags(contains=["hot", {"team": "1"}])},
            lambda order: {"team": "1"} in order["trackstar_tags"],
        ),
        (
            {"trackstar_tags": Tags(not_contains=["hot"]), "status": Match(nin=[OrderStatus.OPEN])},
            lambda order: "hot" not in order["trackstar_tags"] and order["status"] != "open",
        ),
    ]
    for filters, matches in cases:
        assert set(await ids(unicart.orders(page_size=20, **filters))) == expected(matches), filters


async def test_a_fraction_of_a_second_in_a_filter_leaves_no_record_out(
    unicart: AsyncClient, documents: dict[str, Any]
) -> None:
    date = datetime.fromisoformat(sorted(order["created_date"] for order in documents.values())[100])
    within = {id for id, order in documents.items() if order["created_date"] == format_date(int(date.timestamp()))}
    half = timedelta(seconds=0.5)
    between: list[datetime | Dates] = [
        Dates(gt=date - half, lt=date + half),
        Dates(gte=date - half, lte=date + half),
        Dates(gte=date, lt=date + half),
        date,
    ]
    for dates in between:
        assert set(await ids(unicart.orders(created_date=dates))) == within
    assert not within & set(await ids(unicart.orders(created_date=Dates(gte=date + half))))
    with pytest.raises(ValueError, match="no time zone"):
        unicart.orders(created_date=datetime(2026, 1, 1))  # noqa: DTZ001


async def test_any_number_of_ids_is_found_and_filters_beside_them_are_refused(
    unicart: AsyncClient, documents: dict[str, Any], line: Line
) -> None:
    wanted = list(documents)[:250]
    assert sorted(await ids(unicart.orders(ids=[*wanted, *wanted[:5]]))) == sorted(wanted)
    assert len(line.sent) == 3
    assert await ids(unicart.orders(ids=[])) == []
    with pytest.raises(ValueError, match="status"):
        unicart.orders(ids=wanted, status=OrderStatus.OPEN)
    with pytest.raises(ValueError, match="comma"):
        unicart.orders(ids=["a,b"])


def test_the_typed_filters_are_those_of_the_contract() -> None:
    for resource, filters in ((ORDERS, OrderFilters), (PRODUCTS, Filters), (WAREHOUSES, Filters)):
        found = {}
        for name, type in get_type_hints(filters).items():
            structs = [
                each for each in (get_args(type) or [type]) if hasattr(each, "__struct_fields__") or get_args(each)
            ]
            (struct,) = [getattr(each, "__origin__", each) for each in structs]
            found[name] = {field.encode_name for field in msgspec.structs.fields(struct)}
        declared = {field.name: {operator.value for operator in field.operators} for field in resource.filters.fields}
        assert found == declared


async def test_a_record_has_every_digit_and_what_is_not_there_is_named(
    unicart: AsyncClient, database: Database, connection: Connection
) -> None:
    exact = Decimal("12345678901234567890.0123456789")
    order = Order(
        id="gid://shop/Order/1?a=b#c",
        order_number="1",
        created_date=moment(1_600_000_000),
        updated_date=moment(1_600_000_000),
        status=OrderStatus.OPEN,
        total_price=exact,
        total_tax=Decimal("0.1"),
        line_items=[LineItem(line_item_id="1", quantity=1, unit_price=Decimal("1999"))],
        additional_fields={"total_refunded": Decimal("0.10")},
    )
    await store(database, connection, ORDERS, [order])
    found = await unicart.order(order.id)
    assert isinstance(found, CartOrder)
    assert (str(found.total_price), str(found.total_tax)) == (str(exact), "0.1")
    assert str(found.line_items[0].unit_price) == "1999"
    assert str(found.additional_fields["total_refunded"]) == "0.10"
    assert found.created_date == order.created_date
    with pytest.raises(NotFound) as missing:
        await unicart.product("none/such")
    error = missing.value
    assert (error.status, error.origin, error.id, error.detail) == (404, "trackstar", "none/such", {})
    assert error.request_id
    assert error.request_id in str(error)


async def test_errors_carry_what_the_api_says(
    unicart: AsyncClient, line: Line, api_key: str, database: Database, organization: Organization, access_token: str
) -> None:
    with pytest.raises(InvalidRequest) as invalid:
        await ids(unicart.orders(page_size=0))
    assert invalid.value.detail == {"query": {"limit": ["must be a whole number from 1 to 1000"]}}
    async with AsyncClient("http://unicart", "nobody", "nothing", transport=line) as stranger:
        with pytest.raises(Unauthorized):
            await stranger.order("1")
    read_only = await tenants.create_key(database, organization.id, "reader", read_only=True)
    async with AsyncClient("http://unicart", read_only, access_token, transport=line) as reader:
        with pytest.raises(Forbidden):
            await reader.tag_order("1", ["x"])
    async with AsyncClient("http://unicart/elsewhere", api_key, access_token, transport=line) as lost:
        with pytest.raises(ApiError, match="no page at /elsewhere/cart/orders"):
            await ids(lost.orders())


async def test_connections_schedules_jobs_and_integrations(sandbox: AsyncClient, connection: Connection) -> None:
    (listed,) = [each async for each in sandbox.connections(page_size=1)]
    assert listed.connection_id == connection.id
    assert (await sandbox.connection(connection.id)).available_actions[:1] == ["get_orders"]
    assert [each async for each in sandbox.quarantine(connection.id)] == []
    assert not (await sandbox.sync_now([Function.GET_ORDERS])).syncing
    assert (await sandbox.pause()).updated
    assert (await sandbox.resume()).updated
    assert (await sandbox.disable_functions([WriteFunction.REFUND_ORDER])).updated
    assert "refund_order" not in (await sandbox.connection(connection.id)).available_actions
    start = datetime(2026, 1, 1, tzinfo=UTC)
    job = await sandbox.create_sync_job(Function.GET_ORDERS, start, start + timedelta(days=1))
    assert (await sandbox.sync_job(job.id)).status == "open"
    assert (await sandbox.cancel_sync_job(job.id)).status == "cancelled"
    names = [each.integration_name for each in await sandbox.integrations()]
    assert "sandbox" in names
    assert (await sandbox.integration("sandbox")).display_name == "Sandbox"
    with pytest.raises(NotFound):
        await sandbox.integration("nobody")


async def test_the_feed_goes_on_at_its_cursor(
    unicart: AsyncClient, database: Database, connection: Connection, organization: Organization
) -> None:
    orders = [msgspec.structs.replace(order, total_price=Decimal("1999")) for order in make_orders(25)]
    begin = unicart.events("latest")
    assert [event async for event in begin] == []
    await store(database, connection, ORDERS, orders, announced=True)
    feed = unicart.events(begin.cursor, page_size=10)
    taken = []
    async for event in feed:
        taken.append(event)
        if len(taken) == 12:
            break
    assert feed.cursor == taken[-1].id
    rest = unicart.events(feed.cursor, event_types=["cart-order.created"], connection_id=connection.id)
    taken += [event async for event in rest]
    assert [event.data["id"] for event in taken] == [order.id for order in orders]
    record = taken[0].record
    assert isinstance(record, CartOrder)
    assert record == await unicart.order(orders[0].id)
    assert str(record.total_price) == "1999"
    await unicart.tag_order(orders[3].id, ["hot"])
    (tagged,) = [event async for event in unicart.events(rest.cursor)]
    assert tagged.event_type == "cart-order.updated"
    assert tagged.previous_attributes == {"trackstar_tags": []}
