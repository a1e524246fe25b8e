"""The generated shop: the same for ever, realistic, and adding up to the last minor unit."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from statistics import median

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unicart.connectors import sandbox
from unicart.connectors.kit import CredentialsRejected, Pull, RawPage, Session
from unicart.connectors.kit.conformance import Fixture
from unicart.connectors.kit.money import exponent
from unicart.connectors.sandbox import generator, mapping
from unicart.connectors.sandbox.client import SandboxConnector
from unicart.contract.common import encode, parse_date
from unicart.contract.orders import Order, OrderStatus, ShipmentStatus, unreconciled
from unicart.contract.resources import Function

UNTIL = parse_date(generator.DEFAULT_UNTIL)
SEED = generator.DEFAULT_SEED
pytestmark = pytest.mark.anyio


def connector(**credentials: str) -> SandboxConnector:
    return SandboxConnector(credentials, Session(""))


async def pages(shop: SandboxConnector, function: Function, pull: Pull) -> list[RawPage]:
    return [page async for page in shop.pull(function, pull)]


@pytest.fixture(scope="module")
def orders() -> list[Order]:
    return [mapping.order(generator.order(SEED, number, UNTIL)) for number in range(generator.DEFAULT_ORDERS)]


def test_default_shop_is_the_same_for_ever() -> None:
    """Demos, documentation and other people's tests quote these orders: a changed hash is a breaking change."""
    digest = sha256()
    for number in range(generator.DEFAULT_ORDERS):
        digest.update(generator.order(SEED, number, UNTIL))
    for number in range(generator.PRODUCTS):
        digest.update(generator.product(SEED, number, UNTIL))
    for number in range(generator.WAREHOUSES):
        digest.update(generator.warehouse(number, UNTIL))
    assert digest.hexdigest() == "356c2dc9ff6ec31fa1936a2d9ef89d86fb10f7322d50149202f5a8794a38d511"


@pytest.mark.parametrize(
    ("function", "generate"),
    [
        (Function.GET_ORDERS, lambda number: generator.order(SEED, number, UNTIL)),
        (Function.GET_PRODUCTS, lambda number: generator.product(SEED, number, UNTIL)),
        (Function.GET_WAREHOUSES, lambda number: generator.warehouse(number, UNTIL)),
    ],
)
def test_fixtures_are_what_the_generator_gives(function: Function, generate: Callable[[int], bytes]) -> None:
    path = Path(sandbox.__file__).parent / "fixtures" / f"{function.value}.json"
    fixture = msgspec.json.decode(path.read_bytes(), type=Fixture)
    _, _, listed = fixture.request.path.partition("/")
    first, dash, last = listed.partition("-")
    numbers = range(int(first), int(last) + 1) if dash else map(int, listed.split(","))
    assert [json.loads(bytes(raw)) for raw in fixture.records] == [json.loads(generate(number)) for number in numbers]


@given(st.text(max_size=12), st.integers(0, 10**9 - 1), st.integers(0, 4 * 10**9))
def test_any_order_of_any_shop_is_sound(seed: str, number: int, until: int) -> None:
    raw = generator.order(seed, number, until, 10**9)
    order = mapping.order(raw)
    assert raw == generator.order(seed, number, until, 10**9)
    assert unreconciled(order) == 0
    assert until - generator.SPAN <= order.created_date.timestamp() <= order.updated_date.timestamp() <= until


def test_another_seed_is_another_shop() -> None:
    ours, theirs = (mapping.order(generator.order(seed, 7, UNTIL)) for seed in ("unicart", "other"))
    assert ours.id == theirs.id
    assert encode(ours) != encode(theirs)
    assert generator.product("unicart", 7, UNTIL) != generator.product("other", 7, UNTIL)


@pytest.mark.parametrize("number", [-1, 2500, 10**12])
def test_orders_that_the_shop_does_not_hold_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="is not one of the shop's 2500"):
        generator.order(SEED, number, UNTIL)


def test_money_of_every_order_adds_up(orders: list[Order]) -> None:
    for order in orders:
        assert unreconciled(order) == 0, order.id
        for name in ("total_discount", "total_tax"):
            amounts = [getattr(line, name) for line in order.line_items]
            assert sum(amounts, Decimal(0)) == getattr(order, name), f"{order.id}: {name}"


def test_money_has_the_decimals_of_its_currency(orders: list[Order]) -> None:
    for order in orders:
        assert order.total_price is not None
        assert -int(order.total_price.as_tuple().exponent) == exponent(order.invoice_currency_code), order.id


def test_created_dates_rise_and_some_are_tied(orders: list[Order]) -> None:
    created = [order.created_date for order in orders]
    until = datetime.fromtimestamp(UNTIL, UTC)
    assert created == sorted(created)
    assert 10 < sum(earlier == later for earlier, later in pairwise(created)) < 100
    assert created[0] < until - timedelta(days=3 * 365 - 60)
    assert created[-1] > until - timedelta(days=2)
    assert created[1250] > until - timedelta(days=3 * 365 / 2), "the second half is denser than the first"
    assert all(order.created_date <= order.updated_date <= until for order in orders)


def test_every_status_occurs_and_the_rare_ones_are_rare(orders: list[Order]) -> None:
    counts = Counter(order.status for order in orders)
    assert set(counts) == set(OrderStatus)
    assert counts[OrderStatus.FULFILLED] > len(orders) / 2
    for rare in (OrderStatus.EXCEPTION, OrderStatus.BACKORDERED, OrderStatus.OTHER):
        assert counts[rare] < len(orders) * 0.03
    assert {order.raw_status for order in orders if order.status is OrderStatus.OTHER} == {
        "awaiting customs paperwork",
        "gift-wrapped 🎁",
    }


def test_warehouse_customers_own_most_orders(orders: list[Order]) -> None:
    counts = Counter(order.warehouse_customer_id for order in orders)
    assert len(counts) == 5
    assert 0.3 < counts.pop(None) / len(orders) < 0.5
    assert min(counts.values()) > 100


def test_orders_have_few_lines_and_rarely_sixty(orders: list[Order]) -> None:
    counts = Counter(len(order.line_items) for order in orders)
    assert set(counts) == {*range(1, 9), 60}
    assert median(len(order.line_items) for order in orders) == 2
    assert counts[60] < 20


def test_shipments_never_carry_more_than_was_ordered(orders: list[Order]) -> None:
    for order in orders:
        ordered, sent = Counter[str | None](), Counter[str | None]()
        for line in order.line_items:
            ordered[line.product_id] += line.quantity
        for shipment in order.shipments:
            for part in shipment.line_items:
                assert part.quantity > 0
                sent[part.product_id] += part.quantity
        assert sent <= ordered, order.id
        if order.status is OrderStatus.PARTIALLY_FULFILLED:
            assert sum(sent.values()) < sum(ordered.values()), order.id
            assert sent, order.id
        elif order.shipments:
            assert sent == +ordered, order.id


def test_refunds_never_exceed_what_was_paid(orders: list[Order]) -> None:
    refunded = [order for order in orders if order.additional_fields["refunds"]]
    assert len(refunded) > 50
    for order in refunded:
        assert order.total_price is not None
        assert 0 < order.additional_fields["total_refunded"] <= order.total_price, order.id
        full = order.additional_fields["total_refunded"] == order.total_price
        assert order.additional_fields["payment_status"] == ("refunded" if full else "partially_refunded")


def test_the_odd_cases_occur(orders: list[Order]) -> None:
    lines = [line for order in orders for line in order.line_items]
    shipments = [shipment for order in orders for shipment in order.shipments]
    names = "".join(order.ship_to_address.full_name or "" for order in orders)
    assert any(line.quantity == 0 for line in lines), "a cancelled line"
    assert any(line.product_id is None for line in lines), "a custom item"
    assert any(line.product_id and line.product_sku is None for line in lines), "a product without SKU"
    assert any(line.total_discount and line.quantity > 1 for line in lines), "a discount over several units"
    assert any(order.additional_fields.get("coupon_code") for order in orders), "an order-level discount"
    assert any(len(order.shipping_groups) == 2 for order in orders), "two shipping groups"
    assert any(len(order.shipments) == 2 for order in orders), "two parcels"
    assert {shipment.status for shipment in shipments} >= {
        ShipmentStatus.SHIPPED,
        ShipmentStatus.DELIVERED,
        ShipmentStatus.EXCEPTION,
        ShipmentStatus.ON_HOLD,
        ShipmentStatus.OTHER,
    }
    assert any(order.ship_to_address.full_name is None for order in orders), "no address"
    assert any(order.order_number == order.id for order in orders), "no number on the platform"
    assert any(len(order.ship_to_address.address3 or "") > 100 for order in orders), "a long field"
    for character in ("山", "م", "ש", "\u0308", "\u200f", "🛒", "𠮷", '"'):
        assert character in names, f"{character!r} in a name"
    assert {"USD", "EUR", "GBP", "JPY", "KWD", "CAD"} <= {order.invoice_currency_code for order in orders}


def test_lines_are_of_the_shops_products(orders: list[Order]) -> None:
    products = [
        record
        for number in range(generator.PRODUCTS)
        for record in mapping.products(generator.product(SEED, number, UNTIL))
    ]
    by_id = {record.id: record for record in products}
    assert 100 <= len(products) <= 150
    for order in orders:
        for line in order.line_items:
            if line.product_id is not None:
                assert by_id[line.product_id].parent_product_id == line.parent_product_id
                assert by_id[line.product_id].sku == line.product_sku


def test_stock_lies_in_the_shops_warehouses(orders: list[Order]) -> None:
    places = {mapping.warehouse(generator.warehouse(number, UNTIL)).id for number in range(generator.WAREHOUSES)}
    for number in range(generator.PRODUCTS):
        for record in mapping.products(generator.product(SEED, number, UNTIL)):
            assert set(record.inventory_by_warehouse_id) <= places
            if record.inventory is not None:
                assert record.inventory == sum(record.inventory_by_warehouse_id.values())
    assert {shipment.warehouse_id for order in orders for shipment in order.shipments} <= places


def test_a_page_of_a_thousand_orders_is_about_two_megabytes(orders: list[Order]) -> None:
    mean = sum(len(encode(order)) for order in orders) / len(orders)
    assert 1500 < mean < 2300


async def test_pull_yields_every_order_once_in_pages_of_500_the_newest_first() -> None:
    found = await pages(connector(orders="1201"), Function.GET_ORDERS, Pull())
    assert [len(page.records) for page in found] == [500, 500, 201]
    assert [page.total for page in found] == [1201, 1201, 1201]
    records = [raw for page in found for raw in page.records]
    assert records == [generator.order(SEED, number, UNTIL, 1201) for number in range(1201)][::-1]


@pytest.mark.parametrize("function", list(Function))
async def test_unchanged_shop_yields_one_empty_page_the_second_time(function: Function) -> None:
    shop = connector(orders="700")
    last = (await pages(shop, function, Pull()))[-1]
    (again,) = await pages(shop, function, Pull(cursor=last.cursor))
    assert (again.records, again.cursor, again.total) == ([], last.cursor, 0)


@pytest.mark.parametrize("interrupted", [True, False])
@pytest.mark.parametrize("since", [None, datetime.fromtimestamp(UNTIL, UTC) - timedelta(days=500)])
async def test_first_run_goes_on_behind_its_last_page(since: datetime | None, interrupted: bool) -> None:
    shop = connector(orders="1201")
    whole = await pages(shop, Function.GET_ORDERS, Pull(since=since))
    rest = await pages(shop, Function.GET_ORDERS, Pull(cursor=whole[0].cursor, interrupted=interrupted))
    assert rest == whole[1:]
    (again,) = await pages(shop, Function.GET_ORDERS, Pull(cursor=whole[-1].cursor))
    assert again.records == []


async def test_cursor_of_an_older_release_goes_on_upwards() -> None:
    shop = connector(orders="1201")
    name = (await shop.check()).account_id
    cursor = f'{{"shop":"{name}","next":500}}'
    found = await pages(shop, Function.GET_ORDERS, Pull(cursor=cursor, interrupted=True))
    records = [raw for page in found for raw in page.records]
    assert records == [generator.order(SEED, number, UNTIL, 1201) for number in range(500, 1201)]
    assert {page.total for page in found} == {1201}


@pytest.mark.parametrize("function", list(Function))
@pytest.mark.parametrize(("first", "last"), [(None, 1100), (2, 1100), (1, 3), (2, 2), (1100, 1099)])
async def test_window_yields_what_was_created_in_it_the_oldest_first(
    function: Function, first: int | None, last: int
) -> None:
    shop = connector(orders="1201")
    every = [raw for page in await pages(shop, function, Pull()) for raw in page.records]
    created = sorted((shop.map(function, raw)[0].created_date, raw) for raw in every)
    since = created[min(first, len(created) - 1)][0] if first is not None else None
    until = created[min(last, len(created) - 1)][0]
    window = Pull(since=since, until=until)
    found = await pages(shop, function, window)
    records = [raw for page in found for raw in page.records]
    expected = [raw for moment, raw in created if (since is None or since <= moment) and moment <= until]
    assert sorted(records) == sorted(expected)
    moments = [shop.map(function, raw)[0].created_date for raw in records]
    assert moments == sorted(moments)
    assert {page.total for page in found} == {len(expected)}
    for number, page in enumerate(found):
        goes_on = msgspec.structs.replace(window, cursor=page.cursor, interrupted=True)
        rest = [raw for page in await pages(shop, function, goes_on) for raw in page.records]
        assert rest == [raw for page in found[number + 1 :] for raw in page.records]


async def test_fetch_finds_raw_records_by_unified_ids() -> None:
    shop = connector(orders="1201")
    every = {
        function: [raw for page in await pages(shop, function, Pull()) for raw in page.records] for function in Function
    }
    for function, raws in every.items():
        owners = {record.id: raw for raw in raws for record in shop.map(function, raw)}
        assert len(await shop.fetch(function, list(owners))) == len(raws)
        some = list(owners)[:: len(owners) // 4]
        assert set(await shop.fetch(function, [*some, "gone", "o0001201", "o00000001", ""])) == {
            owners[id] for id in some
        }
        assert await shop.fetch(function, []) == []


async def test_variants_of_one_product_fetch_it_once() -> None:
    (raw,) = await connector().fetch(Function.GET_PRODUCTS, ["p002v2", "p002", "p002v1"])
    assert raw == generator.product(SEED, 1, UNTIL)


async def test_changed_credentials_are_another_shop_and_read_anew() -> None:
    last = (await pages(connector(orders="10"), Function.GET_ORDERS, Pull()))[-1]
    (page,) = await pages(connector(orders="11"), Function.GET_ORDERS, Pull(cursor=last.cursor))
    assert len(page.records) == 11


async def test_since_leaves_out_what_has_not_changed_since() -> None:
    since = datetime.fromtimestamp(UNTIL, UTC) - timedelta(days=30)
    found = await pages(connector(), Function.GET_ORDERS, Pull(since=since))
    kept = {mapping.order(raw).id for page in found for raw in page.records}
    every = [mapping.order(generator.order(SEED, number, UNTIL)) for number in range(generator.DEFAULT_ORDERS)]
    assert kept == {order.id for order in every if order.updated_date >= since}
    assert 0 < len(kept) < 500


async def test_empty_shop_has_one_empty_page() -> None:
    (page,) = await pages(connector(orders="0"), Function.GET_ORDERS, Pull())
    assert page.records == []


async def test_check_names_the_shop() -> None:
    one, same, other = [await connector(seed=seed).check() for seed in ("a", "a", "b")]
    assert one == same
    assert one.account_id != other.account_id
    assert one.account_name == "Sandbox a"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("orders", "many"),
        ("orders", "-1"),
        ("orders", "1000000001"),
        ("orders", "٣"),
        ("until", "2026-11-01"),
        ("until", "now"),
    ],
)
async def test_credentials_that_make_no_sense_are_rejected(field: str, value: str) -> None:
    with pytest.raises(CredentialsRejected, match=f"^{field} ") as rejected:
        await connector(**{field: value}).check()
    assert value in rejected.value.message
