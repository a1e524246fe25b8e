"""The pages of events and of webhook endpoints."""

import time

import msgspec
import pytest
from playwright.async_api import Page, expect

from dashboard.browsing import shot
from events.receiver import accept, receiving, refuse, verified
from unicart.contract.resources import ORDERS
from unicart.events.deliverer import Deliverer
from unicart.store import events, leases, records, webhooks
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio


async def change_orders(database: Database, shop: Connection, count: int) -> None:
    """Change the newest orders, each with an event."""
    for id in (await records.ids(database, shop.key, ORDERS, 200))[-count:]:
        document = await records.one(database, shop.key, ORDERS, id)
        assert document is not None
        order = msgspec.json.decode(document, type=ORDERS.content)
        now = int(time.time())
        moment = order.updated_date.fromtimestamp(now - 7, tz=order.updated_date.tzinfo)
        changed = records.prepare(msgspec.structs.replace(order, raw_status="<changed>", updated_date=moment))
        async with database.write() as transaction:
            await records.save(transaction, shop, ORDERS, [changed], now, announced=True)


async def deliver(database: Database, vault: Vault, *, late: int = 0) -> None:
    deliverer = Deliverer(
        database,
        vault,
        leases.this_process(),
        private_network=True,
        event_days=30,
        clock=lambda: time.time() + late,
    )
    await deliverer.start_due()
    await deliverer.idle()


async def test_events_are_listed_the_newest_first_and_filtered(
    page: Page, database: Database, shop: Connection
) -> None:
    await change_orders(database, shop, 60)
    await page.get_by_role("link", name="Events").click()
    assert await page.locator("details.event").count() == 50
    await page.get_by_text("cart-order.updated").nth(1).click()
    await expect(page.get_by_text('"raw_status": "<changed>"').first).to_be_visible()
    await shot(page, "events")
    newest = await page.locator("details.event summary").first.inner_text()
    assert newest.endswith(f"no. {await events.last(database, shop.organization_id)}")
    await page.get_by_role("link", name="Older").click()
    assert 0 < await page.locator("details.event").count() < 50
    await page.get_by_label("Type").select_option("cart-product.updated")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_text("There are none of these")).to_be_visible()


async def test_an_endpoint_is_made_and_its_events_arrive_signed(
    page: Page, database: Database, vault: Vault, shop: Connection
) -> None:
    async with receiving() as receiver:
        await page.get_by_role("link", name="Webhooks").click()
        await page.get_by_label("URL").fill(receiver.url)
        await page.get_by_label("Description").fill("Returns <team>")
        await page.get_by_text("Only some events or connections").click()
        await page.get_by_label("cart-order.updated").check()
        await shot(page, "new-webhook")
        await page.get_by_role("button", name="Make the endpoint").click()
        secret = await page.locator("#secret").inner_text()
        await page.get_by_role("link", name=receiver.url).click()
        await expect(page.get_by_text("Returns <team>")).to_be_visible()
        assert secret not in await page.content()
        await page.get_by_role("button", name="Send a test").click()
        await expect(page.get_by_role("status")).to_contain_text("The test was delivered (status 204)")
        await change_orders(database, shop, 2)
        await deliver(database, vault)
        assert [event["event_type"] for event in receiver.events[1:]] == ["cart-order.updated"] * 2
        assert all(verified(request, secret) for request in receiver.got)


async def test_what_failed_is_seen_and_sent_again(
    page: Page, database: Database, vault: Vault, shop: Connection
) -> None:
    async with receiving() as receiver:
        endpoint, _ = await webhooks.create(database, vault, shop.organization_id, int(time.time()), url=receiver.url)
        await change_orders(database, shop, 2)
        receiver.answers = refuse
        await deliver(database, vault)
        await page.goto(f"/dashboard/webhooks/{shop.organization_id}/{endpoint.id}")
        await expect(page.get_by_text("Failing", exact=True)).to_be_visible()
        await page.get_by_role("link", name="Failed").click()
        await expect(page.locator("tbody tr")).to_have_count(2)
        await shot(page, "webhook")
        receiver.answers = accept
        await page.locator("tbody button").first.click()
        await expect(page.get_by_role("status")).to_contain_text("Queued")
        await deliver(database, vault)
        await page.get_by_role("link", name="Delivered").click()
        await expect(page.locator("tbody tr")).to_have_count(1)


async def test_an_endpoint_is_disabled_enabled_and_deleted(
    page: Page, database: Database, vault: Vault, shop: Connection
) -> None:
    endpoint, first = await webhooks.create(
        database, vault, shop.organization_id, int(time.time()), url="https://example.com/hooks"
    )
    await page.goto(f"/dashboard/webhooks/{shop.organization_id}/{endpoint.id}")
    await page.get_by_role("button", name="Disable").click()
    await expect(page.get_by_text("Disabled", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Enable").click()
    await expect(page.get_by_text("Enabled", exact=True)).to_be_visible()
    await page.get_by_role("button", name="New secret").click()
    assert await page.locator("#secret").inner_text() != first
    page.once("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("status")).to_have_text("Deleted.")
    assert await webhooks.list_endpoints(database, shop.organization_id) == []


async def test_a_url_that_cannot_be_sent_to_is_refused(page: Page, database: Database, shop: Connection) -> None:
    await page.get_by_role("link", name="Webhooks").click()
    await page.get_by_label("URL").fill("ftp://example.com")
    await page.get_by_role("button", name="Make the endpoint").click()
    await expect(page.get_by_role("alert")).to_contain_text("url must be an http or https URL")
    assert await webhooks.list_endpoints(database, shop.organization_id) == []
