"""Authorization at platforms, from the dialog's button to a connection; the platforms are played by a transport."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import msgspec
import pytest

from unicart.api.app import create_app
from unicart.connectors.bigcommerce.auth import SCOPES as BIGCOMMERCE_SCOPES
from unicart.connectors.kit import targets
from unicart.connectors.shopify.auth import SCOPES as SHOPIFY_SCOPES
from unicart.link.routes import routes
from unicart.settings import Settings
from unicart.store import tenants
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Organization

pytestmark = pytest.mark.anyio

BASE = "https://unicart.example"
APP = "https://app.example"
CALLBACK = f"{BASE}/link/oauth/{{}}/callback"
SECRET = "app-secret"
PARTICIPATION = {
    "marketplace": {"id": "A1", "name": "Amazon.de", "countryCode": "DE", "defaultCurrencyCode": "EUR"},
    "participation": {"isParticipating": True, "hasSuspendedListings": False},
    "storeName": "Seller",
}


class Platforms:
    """Every platform's server. What it was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        url, body = str(request.url), json.loads(request.content or b"{}")
        self.asked.append((url, body))
        for part, answer in self.answers().items():
            if part in url:
                return httpx2.Response(200, json=answer)
        return httpx2.Response(404, json={"errors": "unknown"})

    def answers(self) -> dict[str, Any]:
        scopes = [{"handle": scope} for scope in SHOPIFY_SCOPES]
        shop = {"myshopifyDomain": "socks.myshopify.com", "name": "Socks", "createdAt": "2020-01-01T00:00:00Z"}
        return {
            "myshopify.com/admin/oauth/access_token": {
                "access_token": "shpat_1",
                "refresh_token": "r",
                "expires_in": 3600,
            },
            "myshopify.com/admin/api": {"data": {"shop": shop, "currentAppInstallation": {"accessScopes": scopes}}},
            "login.bigcommerce.com/oauth2/token": {
                "access_token": "bc",
                "scope": " ".join(BIGCOMMERCE_SCOPES),
                "context": "stores/abc",
            },
            "api.bigcommerce.com/stores/abc/v2/store": {"id": "1", "name": "Big shop"},
            "api.amazon.com/auth/o2/token": {"access_token": "Atza|1", "refresh_token": "Atzr|1", "expires_in": 3600},
            "sellers/v1/marketplaceParticipations": {"payload": [PARTICIPATION]},
            "woo.example/wp-json/wc/v3/orders": [],
            "woo.example/wp-json": {"name": "Woo shop"},
        }


@pytest.fixture
def platforms(monkeypatch: pytest.MonkeyPatch) -> Platforms:
    played = Platforms()
    monkeypatch.setattr(targets, "PublicTransport", lambda: httpx2.MockTransport(played))
    return played


@pytest.fixture
def settings(store_url: str) -> Settings:
    return Settings(
        database_url=store_url,
        public_url=BASE,
        link_origins=APP,
        shopify_client_id="shopify-app",
        shopify_client_secret=SECRET,
        bigcommerce_client_id="bigcommerce-app",
        bigcommerce_client_secret=SECRET,
        amazon_application_id="amzn1.sp.solution.1",
        amazon_client_id="amzn1.application.1",
        amazon_client_secret=SECRET,
    )


class Merchant:
    """A merchant's browser, and the application whose page the dialog is on."""

    def __init__(self, client: httpx2.AsyncClient, api_key: str) -> None:
        self.browser = client
        self.key = {"x-trackstar-api-key": api_key}
        self.session: dict[str, str] = {}

    async def open(self, **token: str) -> None:
        made = await self.browser.post("/link/token", json=token, headers=self.key)
        body = {"link_token": made.json()["link_token"], "origin": APP}
        opened = (await self.browser.post("/link/session", json=body, headers={"origin": BASE})).json()
        self.session = {"authorization": f"Bearer {opened['session']}"}

    async def ask(self, action: str, integration: str, **values: str) -> Any:
        body = {"integration": integration, "values": values}
        return (await self.browser.post(f"/link/session/{action}", json=body, headers=self.session)).json()

    async def start(self, integration: str, **values: str) -> tuple[str, dict[str, str]]:
        """Where the platform's page is, and the query that it is opened with."""
        begun = await self.ask("authorize", integration, **values)
        away = await self.browser.get(begun["url"].removeprefix(BASE))
        assert away.status_code == 303, away.text
        parts = urlsplit(away.headers["location"])
        return f"{parts.netloc}{parts.path}", dict(parse_qsl(parts.query))

    async def back(self, integration: str, **query: str) -> httpx2.Response:
        return await self.browser.get(f"/link/oauth/{integration}/callback", params=query)

    async def exchanged(self, integration: str) -> Any:
        done = await self.ask("status", integration)
        assert done["integration_name"] == integration
        answer = await self.browser.post("/link/exchange", json={"auth_code": done["auth_code"]}, headers=self.key)
        return answer.json()


@pytest.fixture
async def merchant(
    database: Database, vault: Vault, settings: Settings, api_key: str, platforms: Platforms
) -> AsyncIterator[Merchant]:
    app = create_app(database, vault, settings, extra=routes(database, vault, settings))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as client:
        shopper = Merchant(client, api_key)
        await shopper.open()
        yield shopper


@pytest.fixture
async def kept(database: Database, vault: Vault, organization: Organization) -> Any:
    async def credentials() -> dict[str, str]:
        (connection,) = await tenants.list_connections(database, organization.id)
        return await tenants.read_credentials(database, vault, connection)

    return credentials


def shopify_back(state: str, **query: str) -> dict[str, str]:
    given = {"code": "c", "shop": "socks.myshopify.com", "state": state, "timestamp": "1", **query}
    signed = urlencode(sorted(given.items()))
    return given | {"hmac": hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()}


async def test_shopify(merchant: Merchant, platforms: Platforms, kept: Any) -> None:
    page, asked = await merchant.start("shopify", shop="socks")
    assert page == "socks.myshopify.com/admin/oauth/authorize"
    assert (asked["client_id"], asked["redirect_uri"]) == ("shopify-app", CALLBACK.format("shopify"))
    assert (await merchant.ask("status", "shopify")) == {"waiting": True}

    answer = await merchant.back("shopify", **shopify_back(asked["state"]))
    assert "Your shop is connected" in answer.text
    assert SECRET not in answer.text
    made = await merchant.exchanged("shopify")
    assert made["access_token"].startswith("uc_tok_")
    assert (await kept())["access_token"] == "shpat_1"
    assert (await kept())["refresh_token"] == "r"
    assert platforms.asked[0][1] == {"client_id": "shopify-app", "client_secret": SECRET, "code": "c", "expiring": "1"}


async def test_bigcommerce(merchant: Merchant, kept: Any) -> None:
    page, _ = await merchant.start("bigcommerce")
    assert page == "login.bigcommerce.com/app/bigcommerce-app/install"
    answer = await merchant.back("bigcommerce", code="c", scope=" ".join(BIGCOMMERCE_SCOPES), context="stores/abc")
    assert answer.status_code == 200
    assert (await merchant.exchanged("bigcommerce"))["integration_name"] == "bigcommerce"
    assert (await kept())["store_hash"] == "abc"


async def test_amazon(merchant: Merchant, platforms: Platforms, kept: Any) -> None:
    page, asked = await merchant.start("amazon", region="EU", login_url="https://thief.example", client_id="x")
    assert page == "sellercentral-europe.amazon.com/apps/authorize/consent"
    answer = await merchant.back("amazon", state=asked["state"], spapi_oauth_code="c", selling_partner_id="A9")
    assert answer.status_code == 200
    await merchant.exchanged("amazon")
    found = await kept()
    assert (found["refresh_token"], found["seller_id"], found["region"]) == ("Atzr|1", "A9", "eu")
    assert not any("thief" in url for url, _ in platforms.asked)


async def test_woocommerce(merchant: Merchant, kept: Any) -> None:
    page, asked = await merchant.start("woocommerce", url="https://woo.example/")
    assert page == "woo.example/wc-auth/v1/authorize"
    assert asked["callback_url"] == CALLBACK.format("woocommerce")
    grant = {
        "user_id": asked["user_id"],
        "consumer_key": "ck_1",
        "consumer_secret": "cs_1",
        "key_permissions": "read_write",
    }
    path = "/link/oauth/woocommerce/callback"
    assert (await merchant.browser.post(path, json=grant | {"user_id": "other"})).status_code == 403
    assert (await merchant.browser.post(path, json=grant)).status_code == 200
    assert (await merchant.browser.post(path, json=grant | {"consumer_key": "ck_2"})).status_code == 403
    answer = await merchant.back("woocommerce", success="1", user_id=asked["user_id"])
    assert "Your shop is connected" in answer.text
    await merchant.exchanged("woocommerce")
    assert (await kept())["consumer_key"] == "ck_1"


async def test_what_the_platform_refuses_is_told_in_the_dialog(merchant: Merchant) -> None:
    _, asked = await merchant.start("woocommerce", url="https://woo.example")
    answer = await merchant.back("woocommerce", success="0", user_id=asked["user_id"])
    assert answer.status_code == 400
    assert "was not approved" in answer.text
    assert "was not approved" in (await merchant.ask("status", "woocommerce"))["html"]
    # The next attempt begins afresh.
    await merchant.start("woocommerce", url="https://woo.example")
    assert (await merchant.ask("status", "woocommerce")) == {"waiting": True}


async def test_a_callback_is_good_once_in_the_browser_that_began_it(merchant: Merchant, platforms: Platforms) -> None:
    _, asked = await merchant.start("shopify", shop="socks.myshopify.com")
    good = shopify_back(asked["state"])
    cookie = merchant.browser.cookies
    merchant.browser.cookies = httpx2.Cookies()
    assert (await merchant.back("shopify", **good)).status_code == 400
    merchant.browser.cookies = cookie
    assert (await merchant.back("shopify", **shopify_back("uc_state_other"))).status_code == 400
    assert platforms.asked == []
    assert (await merchant.back("shopify", **good)).status_code == 200
    assert (await merchant.back("shopify", **good)).status_code == 400


async def test_a_shop_is_not_lost_if_the_dialog_was_closed_meanwhile(merchant: Merchant) -> None:
    _, asked = await merchant.start("shopify", shop="socks")
    await merchant.back("shopify", **shopify_back(asked["state"]))
    (made,) = (await merchant.browser.get("/connections", headers=merchant.key)).json()["data"]
    body = {"connection_id": made["connection_id"]}
    answer = await merchant.browser.post("/link/exchange", json=body, headers=merchant.key)
    assert answer.json()["access_token"]


async def test_a_forged_callback_connects_nothing(merchant: Merchant, platforms: Platforms) -> None:
    _, asked = await merchant.start("shopify", shop="socks")
    answer = await merchant.back("shopify", **{**shopify_back(asked["state"]), "shop": "thief.myshopify.com"})
    assert "nothing was connected" in answer.text
    assert platforms.asked == []


async def test_the_window_opens_once(merchant: Merchant) -> None:
    begun = await merchant.ask("authorize", "shopify", shop="socks")
    path = begun["url"].removeprefix(BASE)
    first = await merchant.browser.get(path)
    cookie = first.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/link/oauth"))
    assert (await merchant.browser.get(path)).status_code == 400


async def test_what_is_asked_for_first_is_checked_first(merchant: Merchant) -> None:
    for name, values in [
        ("shopify", {"shop": "https://evil.example/"}),
        ("woocommerce", {"url": "javascript:alert(1)"}),
        ("woocommerce", {"url": "https://a.example/\r\nset-cookie: unicart_link=1"}),
        ("woocommerce", {"url": "https://["}),
        ("amazon", {"region": "moon"}),
    ]:
        answer = await merchant.ask("authorize", name, **values)
        assert "url" not in answer
        assert 'aria-invalid="true"' in answer["html"]


async def test_without_an_app_only_the_form_is_offered(
    database: Database, vault: Vault, settings: Settings, api_key: str
) -> None:
    bare = msgspec.structs.replace(settings, shopify_client_secret="", public_url="")
    app = create_app(database, vault, bare, extra=routes(database, vault, bare))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as client:
        merchant = Merchant(client, api_key)
        await merchant.open()
        for name in ("shopify", "woocommerce"):
            assert "data-authorize" not in (await merchant.ask("pick", name))["html"]
            assert (await merchant.ask("authorize", name, shop="a", url="https://a.example"))["error"]
            assert (await client.get(f"/link/oauth/{name}/callback")).status_code == 404
        assert "data-authorize" in (await merchant.ask("pick", "bigcommerce"))["html"]
