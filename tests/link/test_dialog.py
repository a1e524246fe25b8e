"""From the vendor's own React button to orders, in a real browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from link.conftest import SCRIPT
from link.embedder import Backend
from product import Unicart

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Page

PHONE = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True, "color_scheme": "dark"}


@pytest.fixture
def page(browser: "Browser", unicart: Unicart) -> "Iterator[Page]":
    """A browser for which the vendor's script is ours."""
    context = browser.new_context()
    page = context.new_page()
    _route(page, unicart)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert errors == []


def _route(page: "Page", unicart: Unicart) -> None:
    script = page.request.get(f"{unicart.base_url}/main.js").body()
    page.route(SCRIPT, lambda route: route.fulfill(body=script, content_type="text/javascript"))


def visit(page: "Page", backend: Backend, path: str = "/", **config: Any) -> None:
    page.goto(f"{backend.url}{path}?config={quote(json.dumps(config))}")
    loaded(page, config.get("buttonId", ""))


def loaded(page: "Page", button_id: str = "") -> None:
    page.wait_for_function(f"window.Trackstar{button_id} && window.Trackstar{button_id}.state.isLoaded")


def opened(page: "Page", button: str = "Connect Cart") -> "FrameLocator":
    page.get_by_role("button", name=button).click()
    return page.frame_locator("iframe[title='Connect a shop']")


def picture(page: "Page", folder: Path | None, name: str) -> None:
    if folder is not None:
        page.screenshot(path=folder / f"{name}.png")


def test_from_the_button_to_orders(page: "Page", backend: Backend, unicart: Unicart, pictures: Path | None) -> None:
    visit(page, backend, sandbox=True)
    dialog = opened(page)
    dialog.get_by_role("searchbox", name="Search platforms").wait_for()
    picture(page, pictures, "picker")
    assert dialog.get_by_role("button", name=re.compile("Shopify")).is_visible()

    page.keyboard.type("sandb")
    assert not dialog.get_by_role("button", name=re.compile("Shopify")).is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog.get_by_role("heading", name="Connect Sandbox").wait_for()
    picture(page, pictures, "sandbox")
    dialog.get_by_role("button", name="Connect", exact=True).click()
    dialog.get_by_role("heading", name="Sandbox is connected").wait_for()
    page.get_by_text("Connected: sandbox").wait_for()
    picture(page, pictures, "success")
    assert page.evaluate("seen.success.length") == 1
    assert page.evaluate("seen.loaded") == 1

    dialog.get_by_role("button", name="Done").click()
    page.locator("dialog").wait_for(state="detached")
    assert page.evaluate("seen.closed") == 1
    assert page.evaluate("document.activeElement.textContent") == "Connect Cart"

    (made,) = backend.exchanged[-1:]
    assert made["integration_name"] == "sandbox"
    unicart.headers = {"x-trackstar-api-key": backend.api_key, "x-trackstar-access-token": made["access_token"]}
    unicart.run("sync", made["connection_id"])
    assert unicart.get("/cart/orders")


def test_credentials_are_tried_before_anything_is_saved(page: "Page", backend: Backend, pictures: Path | None) -> None:
    before = backend.ask("/connections")["total_count"]
    visit(page, backend, integrationAllowList=["medusa"])
    dialog = opened(page)
    dialog.get_by_role("heading", name="Connect Medusa").wait_for()
    submit = dialog.get_by_role("button", name="Connect", exact=True)

    submit.click()
    dialog.get_by_role("alert").wait_for()
    assert "is required" in dialog.get_by_role("alert").inner_text().lower()
    wrong = dialog.locator("[aria-invalid=true]")
    assert wrong.evaluate("field => document.activeElement === field")
    help_text = dialog.locator(f"#{wrong.get_attribute('aria-describedby').split()[0]}").inner_text()  # type: ignore[union-attr]
    assert help_text

    dialog.get_by_label("URL").first.fill(backend.url)
    dialog.locator("input[type=password]").first.fill("sk_secret")
    submit.click()
    dialog.locator("[role=alert]", has_text="credentials").wait_for()
    picture(page, pictures, "refused")
    assert dialog.get_by_label("URL").first.input_value() == backend.url
    assert dialog.locator("input[type=password]").first.input_value() == ""
    assert page.evaluate("seen.success.length") == 0
    assert backend.ask("/connections")["total_count"] == before

    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    assert page.evaluate("seen.closed") == 1


def test_a_reinstall_skips_the_picker_and_keeps_id_and_token(page: "Page", backend: Backend) -> None:
    visit(page, backend, integrationAllowList=["sandbox"])
    dialog = opened(page)
    dialog.get_by_role("button", name="Connect", exact=True).click()
    page.get_by_text("Connected: sandbox").wait_for()
    first = backend.exchanged[-1]

    visit(page, backend, token={"connection_id": first["connection_id"]})
    dialog = opened(page)
    dialog.get_by_role("heading", name="Reconnect Sandbox").wait_for()
    dialog.get_by_role("button", name="Reconnect").click()
    dialog.get_by_role("heading", name="Sandbox is reconnected").wait_for()
    page.get_by_text("Connected: sandbox").wait_for()
    second = backend.exchanged[-1]
    assert second["connection_id"] == first["connection_id"]
    for token in (first["access_token"], second["access_token"]):
        assert backend.ask("/cart/orders?limit=1", **{"x-trackstar-access-token": token})["total_count"] == 0


def test_the_package_works_without_rerouting(browser: "Browser", backend: Backend) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    visit(page, backend, path="/inert", sandbox=True, buttonId="shops", integrationsWithEndpoints=["get_warehouses"])
    dialog = opened(page)
    dialog.get_by_role("button", name=re.compile("Sandbox")).wait_for()
    assert not dialog.get_by_role("button", name=re.compile("WooCommerce")).is_visible()
    assert not any("trackstarhq" in url for url in asked)
    context.close()


def test_on_a_phone_in_the_dark(browser: "Browser", backend: Backend, unicart: Unicart, pictures: Path | None) -> None:
    context = browser.new_context(**PHONE)  # type: ignore[arg-type]
    page = context.new_page()
    _route(page, unicart)
    visit(page, backend, integrationBlockList=["amazon"])
    dialog = opened(page)
    dialog.get_by_role("button", name=re.compile("BigCommerce")).wait_for()
    assert not dialog.get_by_role("button", name=re.compile("Amazon")).is_visible()
    picture(page, pictures, "phone-picker")
    dialog.get_by_role("button", name=re.compile("Shopify")).click()
    dialog.get_by_role("heading", name="Connect Shopify").wait_for()
    picture(page, pictures, "phone-form")
    frame = page.frames[1]
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert frame.evaluate("[...document.querySelectorAll('button, input')].every((each) => each.offsetHeight >= 44)")
    context.close()


def test_a_page_that_claims_another_origin_than_its_own_cannot_frame_it(
    browser: "Browser", backend: Backend, unicart: Unicart
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(backend.url)
    shown: list[bool] = []
    for origin in (backend.url, "http://localhost:1"):
        page.set_content(f"<iframe src='{unicart.base_url}/link/dialog?origin={origin}'></iframe>", wait_until="load")
        shown.append("Connect a shop" in page.frames[1].content())
    assert shown == [True, False]
    context.close()


def test_a_magic_link_is_the_dialog_on_a_page_of_its_own(page: "Page", backend: Backend, pictures: Path | None) -> None:
    body = {
        "customer_id": "m-1",
        "integration_allow_list": ["sandbox", "shopify"],
        "disabled_functions": ["get_products"],
    }
    link = backend.ask("/magic-links", body)["magic_link"]
    page.goto(link["url"])
    page.get_by_role("button", name=re.compile("Sandbox")).click()
    page.get_by_role("heading", name="Connect Sandbox").wait_for()
    picture(page, pictures, "magic")
    page.get_by_role("button", name="Connect", exact=True).click()
    page.get_by_role("heading", name="Sandbox is connected").wait_for()
    (made,) = [each for each in backend.ask("/connections")["data"] if each["customer_id"] == "m-1"]
    assert "get_products" not in made["available_actions"]
    given = backend.ask("/link/exchange", {"connection_id": made["connection_id"]})
    assert backend.ask("/cart/orders", **{"x-trackstar-access-token": given["access_token"]})["data"] == []
