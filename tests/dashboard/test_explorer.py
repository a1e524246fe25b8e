"""The data explorer: filters are the API's, records stand beside their raw ones, and the curl works."""

import asyncio
import os
import subprocess

import msgspec
import pytest
from playwright.async_api import Page, expect

from dashboard.browsing import shot
from unicart.contract.resources import ORDERS
from unicart.store import records, tenants
from unicart.store.database import Database
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio


async def run_curl(page: Page, database: Database, shop: Connection) -> dict[str, object]:
    """What the command on the page answers, with the variables that it names."""
    environment = {
        **os.environ,
        "UNICART_API_KEY": await tenants.create_key(database, shop.organization_id, "curl", read_only=True),
        "UNICART_ACCESS_TOKEN": await tenants.new_token(database, shop),
    }
    command = await page.locator("#command").inner_text()
    done = await asyncio.to_thread(
        subprocess.run, ["sh", "-c", command], env=environment, capture_output=True, timeout=30, check=True
    )
    answer: dict[str, object] = msgspec.json.decode(done.stdout)
    return answer


async def test_orders_are_filtered_as_the_api_does(page: Page, database: Database, shop: Connection) -> None:
    await page.get_by_role("link", name="Data").click()
    await expect(page.get_by_role("heading", name="Orders", exact=True)).to_be_visible()
    await page.get_by_label("Filter", exact=True).select_option("status[in]")
    await page.get_by_label("Value").fill("open,fulfilled")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_text("status[in]=open,fulfilled").first).to_be_visible()
    await page.get_by_label("Filter", exact=True).select_option("created_date[gte]")
    await page.get_by_label("Value").fill("2020-01-01T00:00:00Z")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_role("listitem")).to_have_count(2)
    words = set(await page.locator("tbody .badge").all_inner_texts())
    assert words
    assert words <= {"open", "fulfilled"}
    answer = await run_curl(page, database, shop)
    numbers = await page.locator("tbody th").all_inner_texts()
    assert [order["order_number"] for order in answer["data"]] == numbers  # type: ignore[attr-defined]
    await shot(page, "records")
    await page.get_by_role("link", name="Next page").click()
    assert await page.locator("tbody th").all_inner_texts() != numbers
    await page.get_by_role("link", name="Remove the filter status[in]=open,fulfilled").click()
    await expect(page.get_by_role("listitem")).to_have_count(1)


async def test_a_filter_that_cannot_be_read_is_named(page: Page, shop: Connection) -> None:
    await page.goto(f"/dashboard/explore/{shop.id}/orders?status=lost&created_date[gt]=yesterday")
    await expect(page.get_by_role("alert")).to_contain_text("status must be one of: open")
    await expect(page.get_by_role("alert")).to_contain_text("created_date[gt]")


async def test_a_record_stands_beside_its_raw_one(page: Page, database: Database, shop: Connection) -> None:
    await page.goto(f"/dashboard/explore/{shop.id}/orders")
    await page.locator("tbody a").first.click()
    await page.get_by_role("button", name="Fetch from the platform").click()
    await expect(page.get_by_role("status")).to_have_text("The platform's record, mapped now, is exactly our copy.")
    await expect(page.get_by_role("button", name="Fetch again")).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_text("order_number", exact=True).first)
    await expect(row).to_be_visible()
    await shot(page, "record")
    id = page.url.rpartition("/")[2]
    assert (await run_curl(page, database, shop))["data"]["id"] == id  # type: ignore[index]


async def test_what_the_platform_says_otherwise_is_shown(page: Page, database: Database, shop: Connection) -> None:
    (id, *_) = await records.ids(database, shop.key, ORDERS, 1)
    document = await records.one(database, shop.key, ORDERS, id)
    assert document is not None
    order = msgspec.json.decode(document, type=ORDERS.content)
    changed = records.prepare(msgspec.structs.replace(order, raw_status="as it was"))
    async with database.write() as transaction:
        await records.save(transaction, shop, ORDERS, [changed], 1_900_000_000, announced=False)
    await page.goto(f"/dashboard/explore/{shop.id}/orders/{id}")
    await page.get_by_role("button", name="Fetch from the platform").click()
    await expect(page.get_by_role("heading", name="Not the same any more")).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text="as it was").first).to_contain_text("raw_status")


@pytest.mark.parametrize("name", ["products", "warehouses"])
async def test_the_other_lists_lead_to_their_records(page: Page, shop: Connection, name: str) -> None:
    await page.goto(f"/dashboard/explore/{shop.id}/{name}")
    await page.locator("tbody a").first.click()
    await page.get_by_role("button", name="Fetch from the platform").click()
    await expect(page.get_by_role("status")).to_have_text("The platform's record, mapped now, is exactly our copy.")
    await shot(page, name)


async def test_an_id_may_hold_any_character(page: Page, database: Database, shop: Connection) -> None:
    (id, *_) = await records.ids(database, shop.key, ORDERS, 1)
    document = await records.one(database, shop.key, ORDERS, id)
    assert document is not None
    odd = "gid://shop/ü <b>?&#%2F"
    order = msgspec.structs.replace(msgspec.json.decode(document, type=ORDERS.content), id=odd, order_number="odd <i>")
    async with database.write() as transaction:
        await records.save(transaction, shop, ORDERS, [records.prepare(order)], 1_900_000_000, announced=False)
    await page.goto(f"/dashboard/explore/{shop.id}/orders?order_number=odd <i>")
    await page.get_by_role("link", name="odd <i>", exact=True).click()
    await expect(page.get_by_role("heading", name="odd <i>")).to_be_visible()
    assert (await run_curl(page, database, shop))["data"]["id"] == odd  # type: ignore[index]
