"""The hostile connector against its platform: on its good days to the letter, on its bad ones to the same end."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from chaos.faults import CALM, Rates
from chaos.goods import milliseconds, text
from chaos.platform import Platform
from chaos.shop import Shop
from connectors.hostile.follower import Copy, connected, pages, records
from connectors.kit.server import ScriptedServer, answer, scripted_server
from unicart.connectors.hostile.client import HostileConnector
from unicart.connectors.kit import BadAnswer, ConnectorError, CredentialsRejected, Hook, HookRefused, Pull, Session
from unicart.contract.resources import Function

pytestmark = pytest.mark.anyio
T = TypeVar("T")

SECOND = timedelta(seconds=1)


@pytest.fixture
def calm() -> Iterator[Platform]:
    with Platform(seed=3, orders=350, products=20, rates=CALM) as platform:
        yield platform


def moment(milliseconds: int) -> datetime:
    return datetime.fromisoformat(text(milliseconds))


def ids_by(shop: Shop, date: str) -> list[str]:
    """The ids of the orders that are listed, by one of their dates."""
    rows = [row for row in shop.rows["orders"].values() if not row.archived]
    return [row.id for row in sorted(rows, key=lambda row: (getattr(row, date), row.id))]


async def test_check_names_the_shop(calm: Platform) -> None:
    async with connected(calm) as connector:
        account = await connector.check()
    assert (account.account_id, account.account_name) == ("shop_1", "Chaos & Söhne")


async def test_wrong_credentials_are_rejected(calm: Platform) -> None:
    async with connected(calm, secret="wrong") as connector:
        with pytest.raises(CredentialsRejected) as caught:
            await connector.check()
    assert "wrong" not in caught.value.message + caught.value.detail
    assert calm.requests["/login"] == 1


async def test_tokens_are_renewed_when_they_expire(calm: Platform) -> None:
    async with connected(calm) as connector:
        await connector.check()
        calm.expire_tokens()
        await asyncio.gather(*(connector.check() for _ in range(4)))
    assert calm.requests["/login"] == 2


async def test_a_first_run_takes_the_newest_first_and_then_what_changed_meanwhile(calm: Platform) -> None:
    async with connected(calm) as connector:
        run = connector.pull(Function.GET_ORDERS, Pull())
        first = await anext(run)
        calm.change(60)
        rest = [page async for page in run]
    newest_first = [record["id"] for record in records([first])]
    assert len(newest_first) == 100
    assert first.total == 350
    created = [record["created_at"] for record in records([first, *rest[:3]])]
    assert created == sorted(created, reverse=True)
    copy = Copy(connector)
    for page in [first, *rest]:
        copy.take(Function.GET_ORDERS, page.records)
    assert calm.expected().orders.items() <= copy.held[Function.GET_ORDERS].items()


@pytest.mark.parametrize("function", list(Function))
async def test_a_run_goes_on_behind_each_of_its_pages(calm: Platform, function: Function) -> None:
    async with connected(calm) as connector:
        found = await pages(connector, function)
        for number, page in enumerate(found):
            rest = await pages(connector, function, cursor=page.cursor, interrupted=True)
            again, whole = records(rest), records(found[number + 1 :])
            assert again == whole or (not whole and not again)


async def test_ties_of_more_than_a_page_are_told_apart_by_id(calm: Platform) -> None:
    rows = list(calm.shop.rows["orders"].values())
    for row in rows[:230]:
        row.created = rows[0].created
        row.raw["created_at"] = text(row.created)
        calm.shop._touch(row, rows[0].updated)
    async with connected(calm) as connector:
        found = await pages(connector, overlap=timedelta(days=365))
        window = await pages(connector, until=datetime.now(UTC))
    history = [record["id"] for record in records(found[:4])]
    assert history == ids_by(calm.shop, "created")[::-1]
    assert [record["id"] for record in records(found[4:])] == ids_by(calm.shop, "updated")
    assert [record["id"] for record in records(window)] == ids_by(calm.shop, "created")


async def test_since_limits_a_first_run_to_what_was_created_or_changed_from_then_on(calm: Platform) -> None:
    middle = sorted(row.created for row in calm.shop.rows["orders"].values())[200]
    calm.change(10)
    async with connected(calm) as connector:
        found = await pages(connector, since=moment(middle))
    wanted = {row.id for row in calm.shop.rows["orders"].values() if not row.archived and row.updated >= middle}
    assert {record["id"] for record in records(found)} == wanted
    assert 100 < len(wanted) < 250


@pytest.mark.parametrize("function", list(Function))
async def test_an_unchanged_shop_costs_one_request(calm: Platform, function: Function) -> None:
    async with connected(calm) as connector:
        cursor = (await pages(connector, function))[-1].cursor
        for _ in range(3):
            before = connector.session.requests_sent
            found = await pages(connector, function, cursor=cursor, overlap=SECOND)
            assert connector.session.requests_sent == before + 1
            assert len(records(found)) <= 2
            cursor = found[-1].cursor


async def test_the_place_does_not_drift_back_when_the_newest_order_is_deleted(calm: Platform) -> None:
    async with connected(calm) as connector:
        cursor = (await pages(connector))[-1].cursor
        newest = ids_by(calm.shop, "updated")[-1]
        del calm.shop.rows["orders"][newest]
        for _ in range(3):
            found = await pages(connector, cursor=cursor, overlap=SECOND)
            cursor = found[-1].cursor
        assert json.loads(cursor)["reached"] > text(calm.shop.rows["orders"][ids_by(calm.shop, "updated")[-1]].updated)


async def test_what_changed_comes_in_the_next_run_also_at_a_date_that_was_read_before(calm: Platform) -> None:
    async with connected(calm) as connector:
        cursor = (await pages(connector))[-1].cursor
        calm.change(40)
        changed = (await pages(connector, cursor=cursor))[-1].cursor
        row = calm.shop.rows["orders"][ids_by(calm.shop, "updated")[-3]]
        row.raw["note"] = "a second change in the same millisecond"
        calm.shop._touch(row, row.updated)
        found = records(await pages(connector, cursor=changed))
    assert "a second change in the same millisecond" in {record["note"] for record in found}


async def test_a_window_holds_all_that_was_created_in_its_seconds_from_the_oldest_on(calm: Platform) -> None:
    rows = sorted(calm.shop.rows["orders"].values(), key=lambda row: (row.created, row.id))
    since, until = moment(rows[60].created), moment(rows[290].created)
    async with connected(calm) as connector:
        found = await pages(connector, since=since, until=until)
        whole = await pages(connector, since=since.replace(microsecond=0), until=until.replace(microsecond=0))
        rest = await pages(connector, since=since, until=until, cursor=found[0].cursor, interrupted=True)
    inside = [
        row.id
        for row in rows
        if row.created >= milliseconds(text(rows[60].created)) and row.created <= rows[290].created
    ]
    came = [record["id"] for record in records(found)]
    assert came[: len(inside)] == inside
    assert {row.id for row in rows[60:291]} <= {record["id"] for record in records(whole)}
    assert records(rest) == records(found[1:])
    assert found[0].total == len(came)


async def test_records_are_fetched_by_id(calm: Platform) -> None:
    calm.change(200)
    archived, deleted = calm.expected().archived, calm.expected().deleted
    assert archived
    assert deleted
    wanted = [*calm.expected().orders, *archived]
    async with connected(calm) as connector:
        raws = await connector.fetch(Function.GET_ORDERS, [*wanted, *deleted, "o999999"])
        variants = await connector.fetch(Function.GET_PRODUCTS, ["p0001v0", "p0002", "p0001", "none"])
        assert await connector.fetch(Function.GET_WAREHOUSES, []) == []
    assert len(wanted) > 100
    assert sorted(json.loads(raw)["id"] for raw in raws) == sorted(wanted)
    assert sorted(json.loads(raw)["id"] for raw in variants) == ["p0001", "p0002"]
    assert "p0001v0" in {record.id for raw in variants for record in HostileConnector.map(Function.GET_PRODUCTS, raw)}


async def test_subscribing_anew_leaves_one_subscription_and_ending_it_twice_is_no_error(calm: Platform) -> None:
    async with connected(calm) as connector:
        await connector.subscribe("http://127.0.0.1:1/other")
        first = await connector.subscribe("http://127.0.0.1:1/hooks")
        second = await connector.subscribe("http://127.0.0.1:1/hooks")
        assert first["secret"] != second["secret"]
        assert sorted(each.url for each in calm.subscriptions) == [
            "http://127.0.0.1:1/hooks",
            "http://127.0.0.1:1/other",
        ]
        assert second["secret"] in {each.secret for each in calm.subscriptions}
        await connector.unsubscribe(second)
        await connector.unsubscribe(second)
    assert [each.url for each in calm.subscriptions] == ["http://127.0.0.1:1/other"]


@pytest.mark.parametrize("item", [b"{}", b"[]", b'{"id": "o1"}', b'{"id": "o1", "created_at": "x", "updated_at": "x"}'])
async def test_a_record_without_id_and_dates_is_a_bad_answer(item: bytes) -> None:
    async with scripted_server() as server:
        server.script(answer(200, b'{"items": [' + item + b'], "total": 1}'))
        session = Session(server.url, private_network=True)
        with pytest.raises(BadAnswer):
            await pages(HostileConnector({}, session))
        await session.close()


async def test_webhooks_of_the_platform_are_verified_and_tell_what_happened(calm: Platform) -> None:
    async with connected(calm) as connector, scripted_server() as receiver:
        subscription = await connector.subscribe(f"{receiver.url}/hooks/1")
        other = await connector.subscribe(f"{receiver.url}/hooks/2")
        before = calm.expected()
        await asyncio.to_thread(calm.change, 60)
        await asyncio.to_thread(calm.settle)
        copy = Copy(connector)
        copy.held[Function.GET_ORDERS] = {**before.orders}
        for request in receiver.requests:
            hook = Hook(headers=request.headers, body=request.body)
            right, wrong = (subscription, other) if request.target == "/hooks/1" else (other, subscription)
            HostileConnector.verify_hook(connector.credentials, right, hook)
            with pytest.raises(HookRefused):
                HostileConnector.verify_hook(connector.credentials, wrong, hook)
            await copy.hear(HostileConnector.read_hook(hook))
    assert calm.hooks_delivered == len(receiver.requests) > 60
    expected = calm.expected()
    quiet = {id for id, order in expected.orders.items() if copy.held[Function.GET_ORDERS].get(id) != order}
    assert len(quiet) <= 3
    assert not expected.deleted & copy.held[Function.GET_ORDERS].keys()


@pytest.mark.parametrize("seed", range(3))
async def test_a_copy_follows_the_platform_through_all_that_it_does(seed: int) -> None:
    """Runs die, webhooks come as they come, and the platform changes all the while; in the end all is there."""
    generator = random.Random(seed)
    rates = Rates(too_many=0.05, cut_off=0.04, invalid_json=0.03, hang=0.02, hang_seconds=0.6, storm_seconds=0.3)
    with Platform(seed=seed, orders=250, products=20, rates=rates) as platform:
        async with connected(platform, slowest=0.3) as connector, scripted_server() as receiver:
            copy = Copy(connector)
            subscription = await _until_it_works(lambda: connector.subscribe(f"{receiver.url}/hooks"))
            platform.busy(rate=20)
            for _ in range(5):
                for function in Function:
                    await copy.run(function, most=generator.choice((1, 2, 3, None)))
                await _hear(copy, receiver, subscription)
            await asyncio.to_thread(platform.calm)
            await _hear(copy, receiver, subscription)
            for function in Function:
                await copy.run(function)
                await copy.run(function)
                await copy.reconcile(function)
        expected = platform.expected()
        assert len(+platform.counts) > 15
    held = copy.held[Function.GET_ORDERS]
    archived = {id: order for id, order in expected.archived.items() if id in held}
    assert held == expected.orders | archived
    assert copy.held[Function.GET_PRODUCTS] == expected.products
    assert copy.held[Function.GET_WAREHOUSES] == expected.warehouses
    assert not copy.quarantined


async def _until_it_works(ask: Callable[[], Awaitable[T]]) -> T:
    while True:
        with suppress(ConnectorError):
            return await ask()


async def _hear(copy: Copy, receiver: ScriptedServer, subscription: Mapping[str, str]) -> None:
    """Do what the webhooks that have come so far ask for."""
    came, receiver.requests = receiver.requests, []
    hooks = [Hook(headers=request.headers, body=request.body) for request in came]
    for hook in hooks:
        HostileConnector.verify_hook({}, subscription, hook)
    hints = [hint for hook in hooks for hint in HostileConnector.read_hook(hook)]
    await _until_it_works(lambda: copy.hear(hints))
