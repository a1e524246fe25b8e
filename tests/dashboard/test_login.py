"""Only the operator gets in, and only forms of the dashboard's own pages are taken."""

import re

import httpx2
import pytest
from playwright.async_api import BrowserContext, expect

from dashboard.browsing import NOW, PASSWORD, shot, sign_in
from unicart.store import operators
from unicart.store.database import Database

pytestmark = pytest.mark.anyio

PAGES = ["", "/explore", "/events", "/webhooks", "/keys", "/charts", "/connections/none"]


@pytest.fixture(autouse=True)
async def password(database: Database) -> None:
    await operators.change_password(database, PASSWORD, NOW)


def token_in(page: str) -> str:
    found = re.search(r'name="token" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


async def test_the_operator_signs_in_and_out(context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto("/dashboard")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await shot(page, "login")
    await sign_in(page, "a wrong one")
    await expect(page.get_by_role("alert")).to_have_text("This is not the password.")
    await page.get_by_label("Operator's password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Connections")).to_be_visible()
    (cookie,) = await context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/dashboard")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("status")).to_have_text("You are signed out.")
    await page.goto("/dashboard/keys")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
async def test_nobody_else_sees_a_page(site: str, path: str) -> None:
    async with httpx2.AsyncClient(base_url=site) as client:
        answer = await client.get(f"/dashboard{path}", headers={"cookie": "unicart_operator=uc_ses_forged"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/dashboard/login"
    assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_a_session_of_before_does_not_serve_the_visitor_who_signs_in(site: str) -> None:
    async with httpx2.AsyncClient(base_url=site) as client:
        token = token_in((await client.get("/dashboard/login")).text)
        before = client.cookies["unicart_operator"]
        await client.post("/dashboard/login", data={"token": token, "password": PASSWORD})
        assert client.cookies["unicart_operator"] != before


async def test_forms_of_other_pages_are_refused(site: str) -> None:
    async with httpx2.AsyncClient(base_url=site) as client:
        token = token_in((await client.get("/dashboard/login")).text)
        for form, headers in [
            ({"password": PASSWORD}, {}),
            ({"password": PASSWORD, "token": "0" * 64}, {}),
            ({"password": PASSWORD, "token": token}, {"origin": "https://evil.example"}),
            ({"password": PASSWORD, "token": token}, {"origin": "null"}),
        ]:
            assert (await client.post("/dashboard/login", data=form, headers=headers)).status_code == 403
        own = await client.post(
            "/dashboard/login", data={"password": PASSWORD, "token": token}, headers={"origin": site}
        )
        assert own.headers["location"] == "/dashboard"
        assert (await client.post("/dashboard/logout", data={"token": token})).status_code == 403


async def test_passwords_cannot_be_tried_for_long(site: str) -> None:
    async with httpx2.AsyncClient(base_url=site) as client:
        token = token_in((await client.get("/dashboard/login")).text)
        form = {"token": token, "password": "a guess"}
        answers = [await client.post("/dashboard/login", data=form) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
        assert answers[-1].headers["retry-after"] == "60"
        right = await client.post("/dashboard/login", data={"token": token, "password": PASSWORD})
        assert right.status_code == 429
