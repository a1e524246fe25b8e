"""What the tests of the dashboard do in a browser."""

import os

from playwright.async_api import Page

PASSWORD = "correct horse battery"
NOW = 1_700_000_000


async def sign_in(page: Page, password: str = PASSWORD) -> None:
    await page.goto("/dashboard")
    await page.get_by_label("Operator's password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def shot(page: Page, name: str) -> None:
    """A screenshot, in light and dark and as a phone shows it, where UNICART_SCREENSHOTS names a folder for them."""
    folder = os.environ.get("UNICART_SCREENSHOTS")
    size = page.viewport_size
    widths = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert widths[0] <= widths[1], f"{name} scrolls sideways"
    if folder:
        await page.screenshot(path=f"{folder}/{name}-light.png", full_page=True)
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 390, "height": 844})
    widths = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert widths[0] <= widths[1], f"{name} scrolls sideways on a phone"
    if folder:
        await page.screenshot(path=f"{folder}/{name}-phone.png", full_page=True)
    await page.emulate_media(color_scheme="light")
    if size is not None:
        await page.set_viewport_size(size)
