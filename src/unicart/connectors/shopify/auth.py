"""The ways into a Shopify shop: an access token, an app of one's own (client credentials), or an install by OAuth."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

import msgspec

from unicart.connectors.kit import CredentialsRejected, HookRefused, RequestRefused, Session

VERSION = "2026-10"
TOKEN_HEADER = "x-shopify-access-token"  # noqa: S105
TOKEN_PATH = "/admin/oauth/access_token"  # noqa: S105
ALL_ORDERS = "read_all_orders"
NEEDED_SCOPES = ("read_orders", "read_products", "read_inventory", "read_locations")
THIRD_PARTY = "read_third_party_fulfillment_orders"
FULFILLMENT_SCOPES = (
    "read_merchant_managed_fulfillment_orders",
    THIRD_PARTY,
    "read_assigned_fulfillment_orders",
)
SHIPPING_SCOPE = "read_fulfillments"
"""What webhooks about fulfilments need; without it, `orders/updated` tells of them."""

SCOPES = (*NEEDED_SCOPES, *FULFILLMENT_SCOPES, SHIPPING_SCOPE)
"""What an install asks for. `ALL_ORDERS` comes on top where Shopify has approved it for the app."""

ORDER_WRITING = "write_orders"
INVENTORY_WRITING = "write_inventory"
SHIPPING_WRITING = (
    "write_merchant_managed_fulfillment_orders",
    "write_third_party_fulfillment_orders",
    "write_assigned_fulfillment_orders",
)
"""What writing needs; of those for shipments, the ones for the locations that they leave."""

_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com", re.IGNORECASE | re.ASCII)


class Token(msgspec.Struct, frozen=True):
    """What Shopify gives for a code, for client credentials, or for a refresh token. ``expires_in`` is in seconds."""

    access_token: str
    scope: str = ""
    expires_in: int | None = None
    refresh_token: str | None = None
    refresh_token_expires_in: int | None = None


def shop_url(shop: str) -> str:
    """The root of a shop, which may be given as ``example``, ``example.myshopify.com`` or a URL; empty for nothing."""
    name = shop.strip().rstrip("/")
    if not name or name.startswith(("http://", "https://")):
        return name
    return f"https://{name if '.' in name else f'{name}.myshopify.com'}"


def headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """The headers that go with every request.

    Raises:
        CredentialsRejected: there is neither an access token nor a client id with its secret.
    """
    if credentials.get("refresh_token") and not names_app(credentials):
        raise CredentialsRejected("A refresh token needs the app's client id and client secret (api_secret) beside it.")
    if credentials.get("access_token"):
        return {TOKEN_HEADER: credentials["access_token"]}
    if names_app(credentials):
        return {}
    raise CredentialsRejected("Give an access token, or the app's client id and client secret (api_secret).")


def names_app(credentials: Mapping[str, str]) -> bool:
    """Whether tokens can be bought with these credentials."""
    return bool(credentials.get("client_id") and credentials.get("api_secret"))


def login_form(credentials: Mapping[str, str]) -> dict[str, str]:
    """What to send for a token: the refresh token, where there is one; else the client credentials alone."""
    form = {"client_id": credentials["client_id"], "client_secret": credentials["api_secret"]}
    if credentials.get("refresh_token"):
        return {**form, "grant_type": "refresh_token", "refresh_token": credentials["refresh_token"]}
    return {**form, "grant_type": "client_credentials"}


def authorize_url(shop: str, client_id: str, redirect_uri: str, state: str, scopes: Iterable[str] = SCOPES) -> str:
    """Where the merchant is sent to install the app. ``state`` is a nonce that must come back with the callback.

    Raises:
        ValueError: ``shop`` is not the domain of a shop.
    """
    query = {"client_id": client_id, "scope": ",".join(scopes), "redirect_uri": redirect_uri, "state": state}
    return f"https://{_domain(shop)}/admin/oauth/authorize?{urlencode(query)}"


def verify_callback(query: Mapping[str, str], client_secret: str, state: str) -> str:
    """Prove that Shopify sent the merchant back with this ``query``, and tell the shop's domain. In constant time.

    Raises:
        HookRefused: the signature, the state or the shop is wrong.
    """
    signed = urlencode(sorted((name, value) for name, value in query.items() if name != "hmac"))
    right = hmac.new(client_secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    if not client_secret or not hmac.compare_digest(query.get("hmac", "").encode(), right.encode()):
        raise HookRefused("The callback's hmac is missing or wrong: Shopify did not send it for this app.")
    if not state or not hmac.compare_digest(query.get("state", "").encode(), state.encode()):
        raise HookRefused("The callback's state is not the one that the install began with.")
    try:
        return _domain(query.get("shop", ""))
    except ValueError as error:
        raise HookRefused(str(error)) from None


def code_form(client_id: str, client_secret: str, code: str) -> dict[str, str]:
    """What to send for the ``code`` of a callback. The token that it buys lasts an hour, its refresh token 90 days."""
    return {"client_id": client_id, "client_secret": client_secret, "code": code, "expiring": "1"}


async def token_for(session: Session, shop: str, form: Mapping[str, str]) -> Token:
    """The token that ``form`` buys at the shop.

    Raises:
        CredentialsRejected: Shopify does not accept the form.
    """
    try:
        url = f"{shop_url(shop)}{TOKEN_PATH}"
        return session.decode(await session.request("POST", url, json=dict(form), headers={TOKEN_HEADER: ""}), Token)
    except RequestRefused as error:
        if error.status in (400, 401, 403):
            message = (
                f"Shopify does not accept the {'refresh token' if 'refresh_token' in form else 'client id and secret'} "
                "for this shop. Correct the credentials, and see that the app is installed there."
            )
            raise CredentialsRejected(message, error.detail or error.message, error.url) from error
        raise


def missing_scopes(granted: Iterable[str]) -> list[str]:
    """The scopes that Unicart needs and that are not among ``granted``."""
    readable = reading(granted)
    missing = [scope for scope in NEEDED_SCOPES if scope not in readable]
    return missing if readable.intersection(FULFILLMENT_SCOPES) else [*missing, FULFILLMENT_SCOPES[0]]


def reading(granted: Iterable[str]) -> set[str]:
    """What the ``granted`` scopes let the app read; one that writes includes the one that reads."""
    return {f"read_{scope.removeprefix('write_')}" if scope.startswith("write_") else scope for scope in granted}


def _domain(shop: str) -> str:
    name = shop if "." in shop else f"{shop}.myshopify.com"
    if not _DOMAIN.fullmatch(name):
        raise ValueError(f"{shop!r} is not the domain of a Shopify shop, such as example.myshopify.com.")
    return name.lower()
