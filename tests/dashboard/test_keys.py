"""The pages of API keys and of charts."""

import time

import httpx2
import pytest
from playwright.async_api import Page, expect

from dashboard.browsing import shot
from dashboard.test_events import change_orders, deliver
from events.receiver import receiving
from unicart.store import tenants, webhooks
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio


async def test_a_key_is_made_used_and_revoked(page: Page, site: str, database: Database, shop: Connection) -> None:
    other = await tenants.create_organization(database, "another <one>")
    await tenants.create_key(database, other.id, "theirs", read_only=True)
    await page.goto(f"/dashboard/keys/{shop.organization_id}")
    await page.get_by_label("Name").fill("Returns <app>")
    await page.get_by_role("button", name="Make the key").click()
    key = await page.locator("#secret").inner_text()
    await expect(page.get_by_role("row").filter(has_text="Returns <app>")).to_contain_text("not known")
    await shot(page, "keys")
    async with httpx2.AsyncClient(base_url=site, headers={"x-trackstar-api-key": key}) as client:
        assert (await client.get("/connections")).status_code == 200
        await page.goto(f"/dashboard/keys/{shop.organization_id}")
        assert key not in await page.content()
        assert "theirs" not in await page.content()
        await expect(page.get_by_role("row").filter(has_text="Returns <app>")).to_contain_text("read and write")
        await expect(page.get_by_text("not known")).to_have_count(0)
        page.once("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="Revoke Returns <app>").click()
        await expect(page.get_by_role("status")).to_contain_text("Revoked")
        assert (await client.get("/connections")).status_code == 401
    await page.get_by_role("link", name="another <one>").click()
    await expect(page.get_by_text("theirs")).to_be_visible()


async def test_a_key_of_another_organization_is_not_found(page: Page, database: Database, shop: Connection) -> None:
    other = await tenants.create_organization(database, "another")
    key = await tenants.create_key(database, other.id, "theirs", read_only=True)
    (theirs,) = await tenants.list_keys(database, other.id)
    await page.goto(f"/dashboard/keys/{shop.organization_id}")
    token = await page.locator("input[name=token]").first.get_attribute("value")
    answer = await page.request.post(f"/dashboard/keys/{shop.organization_id}/{theirs.id}", form={"token": token or ""})
    assert answer.status == 404
    assert await tenants.find_key(database, key) is not None


async def test_charts_tell_orders_freshness_and_latency(
    page: Page, database: Database, vault: Vault, shop: Connection
) -> None:
    await page.get_by_role("link", name="Charts").click()
    await expect(page.get_by_text("No order has changed since the first sync.")).to_be_visible()
    await expect(page.get_by_text("Nothing was delivered yet.")).to_be_visible()
    async with receiving() as receiver:
        await webhooks.create(database, vault, shop.organization_id, int(time.time()), url=receiver.url)
        await change_orders(database, shop, 20)
        await deliver(database, vault)
        await page.get_by_label("Connection").select_option(shop.id)
        await page.get_by_role("button", name="Show").click()
        await expect(page.get_by_role("region", name="Freshness")).to_contain_text("7 seconds half took at most this")
        await expect(page.get_by_role("region", name="Webhook latency")).to_contain_text("20 deliveries")
        await expect(page.get_by_role("img", name="Orders a day")).to_be_visible()
        assert await page.locator("svg.chart").first.locator("rect").count() == 30
        await shot(page, "charts")
