"""The dashboard serves everybody: by keyboard, without JavaScript, and from a link on another site."""

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from dashboard.browsing import PASSWORD, sign_in
from unicart.store import operators
from unicart.store.database import Database
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio


async def test_the_keyboard_is_enough(page: Page, shop: Connection) -> None:
    await page.keyboard.press("Tab")
    await expect(page.get_by_text("Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name=shop.account_name)).to_be_focused()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Pause get_orders").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Resume get_orders")).to_be_visible()


async def test_every_control_has_a_name(page: Page, shop: Connection) -> None:
    for path in [
        "",
        f"/connections/{shop.id}",
        f"/explore/{shop.id}/orders",
        "/events",
        "/webhooks",
        "/keys",
        "/charts",
    ]:
        await page.goto(f"/dashboard{path}")
        for control in await page.locator("a, button, input:not([type=hidden]), select").all():
            name = await control.evaluate(
                "it => it.ariaLabel || it.textContent.trim() || (it.labels && it.labels[0] && it.labels[0].textContent.trim())"
            )
            assert name, (path, await control.evaluate("it => it.outerHTML"))
        assert await page.locator("h1").count() == 1, path


async def test_pages_work_without_javascript(browser: Browser, site: str, database: Database, shop: Connection) -> None:
    await operators.change_password(database, PASSWORD, 0)
    context = await browser.new_context(base_url=site, java_script_enabled=False)
    page = await context.new_page()
    await sign_in(page)
    await page.get_by_role("link", name=shop.account_name).click()
    await page.get_by_role("button", name="Pause get_orders").click()
    await expect(page.get_by_role("button", name="Resume get_orders")).to_be_visible()
    await page.goto("/dashboard/explore")
    await page.get_by_label("Filter", exact=True).select_option("status[in]")
    await page.get_by_label("Value").fill("open")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_text("status[in]=open").first).to_be_visible()
    await context.close()


async def test_a_link_on_another_site_does_not_end_the_session(
    page: Page, context: BrowserContext, site: str, shop: Connection
) -> None:
    body = f'<a href="{site}/dashboard/connections/{shop.id}">Unicart</a>'
    await context.route("http://elsewhere.example/", lambda route: route.fulfill(body=body, content_type="text/html"))
    await page.goto("http://elsewhere.example/")
    await page.get_by_role("link", name="Unicart").click()
    await expect(page.get_by_role("heading", name=shop.account_name)).to_be_visible()


async def test_what_is_not_there_is_told_as_a_page(page: Page, shop: Connection) -> None:
    for path in [
        "/connections/none",
        f"/explore/{shop.id}/parcels",
        "/nothing",
        f"/webhooks/{shop.organization_id}/none",
    ]:
        answer = await page.goto(f"/dashboard{path}")
        assert answer is not None
        assert answer.status == 404
        await expect(page.get_by_role("alert")).to_contain_text("There is no such")
        await expect(page.get_by_role("link", name="Connections", exact=True)).to_be_visible()
