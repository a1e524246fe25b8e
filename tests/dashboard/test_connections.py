"""The pages of connections: what they tell, and what can be done there."""

import time

import pytest
from playwright.async_api import Page, expect

from dashboard.browsing import shot
from unicart.contract.connections import ErrorType
from unicart.store import checkpoints, leases, quarantine, schedules, tenants
from unicart.store.checkpoints import SyncError
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio


async def put_error(database: Database, connection: Connection) -> None:
    now = int(time.time())
    error = SyncError(
        function="get_products",
        message="The shop refuses the API key. Make a new one in its settings.",
        detail="401",
        url="https://shop.example/products",
        preventing_sync=True,
        first_seen=now - 7200,
        last_seen=now,
        type=ErrorType.INVALID_CREDENTIALS,
    )
    await checkpoints.record_error(database, connection, error)


async def begin_sync(database: Database, connection: Connection, function: str, pulled: int) -> None:
    now, owner = int(time.time()), leases.this_process()
    assert await checkpoints.acquire(database, connection.key, function, owner, now, 600) is not None
    async with database.write() as transaction:
        await checkpoints.advance(
            transaction, connection.key, function, owner, "1", now + 600, pulled=pulled, expected=2000
        )


async def put_quarantined(database: Database, connection: Connection, key: str, raw: bytes) -> None:
    async with database.write() as transaction:
        await quarantine.put(
            transaction, connection.key, "get_orders", key, "total: is not a number", raw, int(time.time()), "0.0.9"
        )


async def test_the_list_tells_what_is_wrong_and_what_to_do(page: Page, database: Database, shop: Connection) -> None:
    await expect(page.get_by_role("heading", name="Harbour & Sons <Ltd>")).to_be_visible()
    await expect(page.get_by_text("Healthy")).to_be_visible()
    await put_error(database, shop)
    await begin_sync(database, shop, "get_orders", 500)
    await page.reload()
    await expect(page.get_by_text("Stopped by an error")).to_be_visible()
    await expect(page.get_by_text("Make a new one in its settings")).to_be_visible()
    await expect(page.get_by_text("Connect this shop again with fresh ones")).to_be_visible()
    await expect(page.get_by_text("500 of 2,000")).to_be_visible()
    await shot(page, "connections")


async def test_progress_is_followed_without_loading_the_page_again(
    page: Page, database: Database, shop: Connection
) -> None:
    await begin_sync(database, shop, "get_orders", 500)
    await page.goto(f"/dashboard/connections/{shop.id}")
    await expect(page.get_by_text("500 of 2,000")).to_be_visible()
    async with database.write() as transaction:
        (state, *_) = await checkpoints.list_checkpoints(database, shop.key)
        assert state.lease_owner is not None
        await checkpoints.advance(
            transaction, shop.key, "get_orders", state.lease_owner, "2", state.lease_until, pulled=700, expected=2000
        )
    await expect(page.get_by_text("1,200 of 2,000")).to_be_visible(timeout=15_000)


async def test_a_schedule_is_paused_changed_and_forced(page: Page, database: Database, shop: Connection) -> None:
    async def orders() -> schedules.Schedule:
        (found,) = [s for s in await schedules.list_schedules(database, shop.key) if s.function == "get_orders"]
        return found

    await page.get_by_role("link", name="Harbour & Sons <Ltd>").click()
    await page.get_by_role("button", name="Pause get_orders").click()
    await expect(page.get_by_role("status")).to_have_text("Paused. Nothing is synced until you resume it.")
    assert (await orders()).paused
    await page.get_by_role("button", name="Sync get_orders now").click()
    assert (await orders()).forced
    await page.get_by_role("button", name="Resume get_orders").click()
    await expect(page.get_by_role("button", name="Pause get_orders")).to_be_visible()
    assert not (await orders()).paused
    await page.locator("#every-get_orders").fill("300")
    await page.locator("#every-get_orders").press("Enter")
    await expect(page.get_by_text("seconds (5 minutes)")).to_be_visible()
    assert (await orders()).every == 300
    await page.get_by_role("button", name="Pause all").click()
    await expect(page.locator(".heading .badge")).to_have_text("Paused")


async def test_a_function_is_disabled(page: Page, database: Database, shop: Connection) -> None:
    await page.goto(f"/dashboard/connections/{shop.id}")
    await page.get_by_role("checkbox", name="get_warehouses").uncheck()
    await page.get_by_role("button", name="Save functions").click()
    await expect(page.get_by_role("checkbox", name="get_warehouses")).not_to_be_checked()
    kept = await tenants.find_connection(database, shop.id)
    assert kept is not None
    assert kept.disabled == ("get_warehouses",)


async def test_quarantined_records_are_shown_and_mapped_again(page: Page, database: Database, shop: Connection) -> None:
    await put_quarantined(database, shop, "broken <1>", b'{"total": "<b>none</b>"}')
    await page.goto(f"/dashboard/connections/{shop.id}")
    await page.get_by_text("get_orders broken <1>").click()
    await expect(page.get_by_text('"total": "<b>none</b>"')).to_be_visible()
    await shot(page, "connection")
    await page.get_by_role("button", name="Map them again").click()
    await expect(page.get_by_role("status")).to_contain_text("cannot be mapped by this version either")


async def test_connections_are_found_by_their_names(
    page: Page, database: Database, vault: Vault, shop: Connection
) -> None:
    for number in range(70):
        await tenants.add_connection(
            database,
            vault,
            organization_id=shop.organization_id,
            integration_name="sandbox",
            account_name=f"Shop {number}",
            credentials={},
            private_network=False,
        )
    await page.reload()
    await expect(page.locator("article")).to_have_count(60)
    await page.get_by_role("link", name="Next page").click()
    await expect(page.locator("article")).to_have_count(11)
    await page.get_by_label("Find").fill("harbour")
    await page.get_by_label("Find").press("Enter")
    await expect(page.locator("article")).to_have_count(1)
    await page.get_by_label("Find").fill("nothing like it")
    await page.get_by_label("Find").press("Enter")
    await expect(page.get_by_text("No connection matches.")).to_be_visible()
