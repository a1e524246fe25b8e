"""Authorization at a platform in place of credentials that are typed in: who does it how, and the routes it goes through.

The dialog opens `start` in a window of its own, which binds the authorization to that browser by a cookie and goes on to the
platform. The platform sends the browser back to the callback; its ``state`` and the cookie must both be those of the session.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Scope

from unicart.api.body import read_body
from unicart.api.links import base_url
from unicart.api.reply import Endpoint, Reply
from unicart.connectors.amazon import auth as amazon
from unicart.connectors.bigcommerce import auth as bigcommerce
from unicart.connectors.kit import ConnectorError, CredentialsRejected, Facts, HookRefused, Session
from unicart.connectors.registry import connector
from unicart.connectors.shopify import auth as shopify
from unicart.connectors.woocommerce import auth as woocommerce
from unicart.contract.errors import Forbidden, InvalidRequest, NotFound
from unicart.link.connecting import Connecting, NotConnected
from unicart.link.pages import Pages
from unicart.settings import Settings
from unicart.store import links
from unicart.store.database import Database
from unicart.store.links import Authorization
from unicart.store.links import Session as LinkSession
from unicart.store.secrets import Vault
from unicart.sync.connect import InvalidCredentials, is_url

COOKIE = "unicart_link"
COOKIE_PATH = "/link/oauth"
MOST_POSTED = 1 << 14
APP_NAME = "Unicart"
PATIENCE = 10.0

_PLAIN_URL = re.compile(r"[!-~]+")


class Back(msgspec.Struct, frozen=True):
    """A browser that comes back from the platform: the ``query`` it brings, and what the merchant had entered before."""

    query: Mapping[str, str]
    inputs: Mapping[str, str]
    granted: Mapping[str, str]
    callback: str
    session: Session


class Platform:
    """How shops of one platform are authorized. ``fields`` are the credentials that the merchant is asked for first."""

    fields: tuple[str, ...] = ()
    state_name: str | None = "state"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def usable(self) -> bool:
        """Whether the settings hold all that it takes."""
        raise NotImplementedError

    def url(self, inputs: Mapping[str, str], state: str, callback: str) -> str:
        """Where the merchant authorizes; raises `ValueError` about what was entered."""
        raise NotImplementedError

    async def credentials(self, back: Back, state: str) -> dict[str, str]:
        """The credentials that come of it; raises `ConnectorError`."""
        raise NotImplementedError


class Shopify(Platform):
    """An app that the merchant installs."""

    fields = ("shop",)

    @property
    def usable(self) -> bool:
        return bool(self.settings.shopify_client_id and self.settings.shopify_client_secret)

    def url(self, inputs: Mapping[str, str], state: str, callback: str) -> str:
        shop = urlsplit(shopify.shop_url(inputs["shop"])).netloc
        return shopify.authorize_url(shop, self.settings.shopify_client_id, callback, state)

    async def credentials(self, back: Back, state: str) -> dict[str, str]:
        id, secret = self.settings.shopify_client_id, self.settings.shopify_client_secret
        shop = shopify.verify_callback(back.query, secret, state)
        token = await shopify.token_for(back.session, shop, shopify.code_form(id, secret, back.query.get("code", "")))
        found = {"shop": shop, "access_token": token.access_token, "client_id": id, "api_secret": secret}
        return found | ({"refresh_token": token.refresh_token} if token.refresh_token else {})


class WooCommerce(Platform):
    """Keys that the shop makes when the merchant approves, and posts to us; it does so over https only."""

    fields = ("url",)
    state_name = "user_id"

    @property
    def usable(self) -> bool:
        return self.settings.public_url.startswith("https://")

    def url(self, inputs: Mapping[str, str], state: str, callback: str) -> str:
        return woocommerce.authorization_url(
            inputs["url"], app_name=APP_NAME, user_id=state, return_url=callback, callback_url=callback
        )

    async def credentials(self, back: Back, state: str) -> dict[str, str]:
        if not woocommerce.was_approved(back.query, state):
            raise CredentialsRejected("The connection was not approved in the shop. Begin again, and approve it there.")
        if not back.granted:
            raise CredentialsRejected(
                "The shop has sent no keys. See that it can reach this server, or enter the keys by hand."
            )
        return {"url": back.inputs["url"], **back.granted}


class BigCommerce(Platform):
    """An app that the merchant installs. BigCommerce sends no state back: the browser's cookie alone tells the session."""

    state_name = None

    @property
    def usable(self) -> bool:
        return bool(self.settings.bigcommerce_client_id and self.settings.bigcommerce_client_secret)

    def url(self, inputs: Mapping[str, str], state: str, callback: str) -> str:
        return bigcommerce.install_url(self.settings.bigcommerce_client_id)

    async def credentials(self, back: Back, state: str) -> dict[str, str]:
        callback = bigcommerce.read_callback(back.query)
        settings = self.settings
        asked = bigcommerce.token_request(
            callback, settings.bigcommerce_client_id, settings.bigcommerce_client_secret, back.callback
        )
        reply = await back.session.request("POST", bigcommerce.TOKEN_URL, json=asked)
        return bigcommerce.read_grant(reply.body, callback).credentials()


class Amazon(Platform):
    """Login with Amazon, for a public application."""

    fields = ("region",)

    @property
    def usable(self) -> bool:
        settings = self.settings
        return bool(settings.amazon_application_id and settings.amazon_client_id and settings.amazon_client_secret)

    def url(self, inputs: Mapping[str, str], state: str, callback: str) -> str:
        region = inputs.get("region", "na").lower()
        if region not in amazon.SELLER_CENTRAL:
            raise ValueError(f"region: use one of {', '.join(amazon.SELLER_CENTRAL)}.")
        settings = self.settings
        return amazon.authorization_url(
            amazon.SELLER_CENTRAL[region],
            settings.amazon_application_id,
            state,
            redirect_uri=callback,
            draft=settings.amazon_draft,
        )

    async def credentials(self, back: Back, state: str) -> dict[str, str]:
        seller = amazon.read_callback(back.query, state)
        settings = self.settings
        application = {"client_id": settings.amazon_client_id, "client_secret": settings.amazon_client_secret}
        refresh_token = await amazon.exchange(back.session, application, seller.code, back.callback)
        region = back.inputs.get("region", "na").lower()
        return application | {"refresh_token": refresh_token, "seller_id": seller.seller_id, "region": region}


KINDS: Mapping[str, Callable[[Settings], Platform]] = {
    "amazon": Amazon,
    "bigcommerce": BigCommerce,
    "shopify": Shopify,
    "woocommerce": WooCommerce,
}


class Authorizations:
    """The authorizations of this Unicart, and their routes."""

    def __init__(
        self, database: Database, vault: Vault, settings: Settings, connecting: Connecting, pages: Pages
    ) -> None:
        self._database = database
        self._vault = vault
        self._settings = settings
        self._connecting = connecting
        self._pages = pages
        made = {name: kind(settings) for name, kind in KINDS.items()}
        self._platforms = {name: platform for name, platform in made.items() if platform.usable}

    def routes(self) -> list[Route]:
        """``/link/oauth/…``."""
        return [
            Route(f"{COOKIE_PATH}/{{integration}}/start", Endpoint(self.start), methods=["GET"]),
            Route(f"{COOKIE_PATH}/{{integration}}/callback", Endpoint(self.callback), methods=["GET"]),
            Route(f"{COOKIE_PATH}/{{integration}}/callback", Endpoint(self.posted), methods=["POST"]),
        ]

    def fields(self, integration_name: str) -> tuple[str, ...] | None:
        """What a merchant is asked for before authorizing there; null where credentials have to be typed in."""
        platform = self._platforms.get(integration_name)
        return None if platform is None else platform.fields

    async def begin(self, request: Request, session: LinkSession, name: str, inputs: Mapping[str, str]) -> str:
        """The URL of a window in which a merchant authorizes.

        Raises:
            InvalidCredentials: naming the field.
        """
        platform = self._platform(name)
        complete = _complete(connector(name).facts, platform.fields, inputs)
        try:
            target = platform.url(complete, "state", self._callback_url(request, name))
            if not _PLAIN_URL.fullmatch(target):
                raise ValueError("has a character that no URL has. Write it as it stands in the browser's address bar.")
        except ValueError as error:
            field = platform.fields[0]
            raise InvalidCredentials(f"{field}: {str(error).removeprefix(f'{field}: ')}") from None
        state = await links.begin_authorization(self._database, self._vault, session, name, complete)
        return f"{base_url(request, self._settings.public_url)}{COOKIE_PATH}/{name}/start?state={state}"

    async def start(self, request: Request) -> Reply:
        """Bind the authorization to this browser, and go on to the platform."""
        scope = request.scope
        scope["unicart.route"] = f"{COOKIE_PATH}/{{integration}}/start"
        name: str = request.path_params["integration"]
        platform = self._platform(name)
        state, browser = request.query_params.get("state", ""), secrets.token_urlsafe(32)
        inputs = await links.bind_browser(self._database, self._vault, name, state, browser)
        if inputs is None:
            return self._closing(scope, problem="This window has been used already, or is too old. Begin again.")
        base = urlsplit(base_url(request, self._settings.public_url))
        secure = "; Secure" if base.scheme == "https" else ""
        path = f"{base.path}{COOKIE_PATH}"
        cookie = f"{COOKIE}={browser}; Path={path}; Max-Age={links.AUTHORIZATION_SECONDS}; HttpOnly; SameSite=Lax"
        target = platform.url(inputs, state, self._callback_url(request, name))
        scope["unicart.headers"] += [
            (b"location", target.encode()),
            (b"set-cookie", f"{cookie}{secure}".encode()),
            (b"referrer-policy", b"no-referrer"),
        ]
        return Reply(b"", status=303)

    async def callback(self, request: Request) -> Reply:
        """The merchant is back: connect the shop, and tell the dialog."""
        scope = request.scope
        scope["unicart.route"] = f"{COOKIE_PATH}/{{integration}}/callback"
        name: str = request.path_params["integration"]
        platform = self._platform(name)
        query = dict(request.query_params)
        browser = request.cookies.get(COOKIE, "")
        state = None if platform.state_name is None else query.get(platform.state_name, "")
        found = None
        if browser:
            found = await links.spend_authorization(self._database, self._vault, name, browser, state)
        if found is None or found.session.connected_key is not None:
            return self._closing(scope, problem="This authorization was not begun in this browser, or is too old.")
        problem = await self._finish(request, name, platform, found, query, state or "")
        if problem:
            await links.set_problem(self._database, found.session, problem)
        return self._closing(scope, problem=problem)

    async def posted(self, request: Request) -> Reply:
        """Keys that a shop posts before it sends the merchant back."""
        request.scope["unicart.route"] = f"{COOKIE_PATH}/{{integration}}/callback"
        name: str = request.path_params["integration"]
        if name != connector("woocommerce").facts.name or name not in self._platforms:
            raise NotFound(f"There is no page at {request.url.path}", id=request.url.path)
        body = await read_body(request, MOST_POSTED)
        try:
            state = str(msgspec.json.decode(body, type=woocommerce.Grant).user_id)
            granted = woocommerce.granted(body, state)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InvalidRequest("json", {"body": ["must be a consumer key as WooCommerce posts it"]}) from None
        except ConnectorError as error:
            raise InvalidRequest("json", {"key_permissions": [error.message]}) from None
        if not await links.grant(self._database, self._vault, name, state, granted):
            raise Forbidden("No authorization waits for these keys.")
        return Reply(b'{"status":"ok"}')

    async def _finish(
        self,
        request: Request,
        name: str,
        platform: Platform,
        found: Authorization,
        query: Mapping[str, str],
        state: str,
    ) -> str | None:
        """Connect the shop; what went wrong, as the merchant is told."""
        hidden = tuple(getattr(self._settings, each) for each in Settings.__struct_fields__ if each.endswith("_secret"))
        session = Session("", secrets=hidden, private_network=self._connecting.private_network, patience=PATIENCE)
        callback = self._callback_url(request, name)
        try:
            back = Back(query, found.inputs, found.granted, callback, session)
            credentials = await platform.credentials(back, state)
            await self._connecting.connect(found.session, name, credentials)
        except HookRefused as error:
            return f"The platform's answer cannot be trusted, and nothing was connected. {error.message}"
        except ConnectorError as error:
            return error.message
        except (InvalidCredentials, NotConnected) as error:
            return str(error)
        finally:
            await session.close()
        return None

    def _closing(self, scope: Scope, *, problem: str | None) -> Reply:
        status = 200 if problem is None else 400
        return self._pages.page(scope, "closing", {"root": "../../", "problem": problem}, status=status)

    def _platform(self, name: str) -> Platform:
        if name not in self._platforms:
            raise NotFound("Shops of this kind are not authorized here. Enter their credentials.", id=name)
        return self._platforms[name]

    def _callback_url(self, request: Request, name: str) -> str:
        return f"{base_url(request, self._settings.public_url)}{COOKIE_PATH}/{name}/callback"


def _complete(facts: Facts, names: tuple[str, ...], given: Mapping[str, str]) -> dict[str, str]:
    """The values of the fields that are asked for; all else that was sent is left out."""
    found: dict[str, str] = {}
    for field in facts.credentials:
        if field.name in names:
            value = given.get(field.name, "").strip() or field.default or ""
            if not value:
                raise InvalidCredentials(f"{field.name}: is required. {field.help}")
            if field.kind == "url" and not is_url(value):
                raise InvalidCredentials(f"{field.name}: {value!r} is not an http or https URL. {field.help}")
            found[field.name] = value
    return found
