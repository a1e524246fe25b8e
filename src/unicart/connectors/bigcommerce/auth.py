"""BigCommerce's access tokens: sent as a header, and got by an app that a store installs.

An installation begins at `install_url`. BigCommerce then sends the browser to the app's callback with a code
(`read_callback`), which the app exchanges for the store's token (`token_request`, `read_grant`). When the app is opened or
uninstalled, BigCommerce calls it with a signed statement of who does so (`read_signed_payload`). Tokens do not expire.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

from unicart.connectors.kit import Account, BadAnswer, CredentialsRejected, PermissionMissing, Session

LOGIN_URL = "https://login.bigcommerce.com"
TOKEN_URL = f"{LOGIN_URL}/oauth2/token"
SCOPES = frozenset(
    {
        "store_v2_information_read_only",
        "store_v2_orders_read_only",
        "store_v2_products_read_only",
        "store_inventory_read_only",
        "store_locations_read_only",
    }
)
"""The scopes that reading needs."""

_CONTEXT = re.compile(r"stores/([A-Za-z0-9]+)")


class Store(msgspec.Struct, frozen=True):
    """The store behind a token, as far as it is read."""

    id: str
    name: str
    weight_units: str | None = None
    dimension_units: str | None = None


class Callback(msgspec.Struct, frozen=True):
    """What BigCommerce sends to the app's callback when a store installs it."""

    code: str
    scope: str
    context: str


class Grant(msgspec.Struct, frozen=True):
    """The token that was given for a code."""

    access_token: str
    scope: str
    context: str

    def credentials(self) -> dict[str, str]:
        """The connector's credentials.

        Raises:
            BadAnswer: the grant names no store.
        """
        return {"store_hash": store_hash(self.context), "access_token": self.access_token}


class Claims(msgspec.Struct, frozen=True):
    """Who opens, uninstalls or leaves the app: the store is ``sub``, the app's client id ``aud``."""

    aud: str
    iss: str
    sub: str
    nbf: int
    exp: int


class _Header(msgspec.Struct):
    alg: str


def headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """The headers that go with every request."""
    return {"x-auth-token": credentials["access_token"]}


async def store(session: Session) -> Store:
    """The store behind the token.

    Raises:
        ConnectorError: the token is not accepted, or there is no such store.
    """
    return await session.get("/v2/store", Store)


async def account(session: Session) -> Account:
    """The store behind the token, as an account.

    Raises:
        ConnectorError: the token is not accepted, or there is no such store.
    """
    found = await store(session)
    return Account(account_id=found.id, account_name=found.name)


def install_url(client_id: str) -> str:
    """Where a merchant installs the app."""
    return f"{LOGIN_URL}/app/{client_id}/install"


def read_callback(parameters: Mapping[str, str]) -> Callback:
    """The callback's query ``parameters``. They are not signed: only that the code can be exchanged proves them.

    Raises:
        BadAnswer: the code or the store is missing.
        PermissionMissing: the store did not grant all the scopes that reading needs.
    """
    callback = Callback(parameters.get("code", ""), parameters.get("scope", ""), parameters.get("context", ""))
    if not callback.code:
        raise BadAnswer("code: is missing in BigCommerce's callback. Install the app again.")
    store_hash(callback.context)
    missing = missing_scopes(callback.scope)
    if missing:
        raise PermissionMissing(f"The app lacks the scopes {', '.join(missing)}. Add them to it and install it again.")
    return callback


def missing_scopes(granted: str) -> list[str]:
    """Which of `SCOPES` the ``granted`` ones, divided by spaces, do not cover. A scope to modify covers reading."""
    given = set(granted.split())
    return sorted(scope for scope in SCOPES if not {scope, scope.removesuffix("_read_only")} & given)


def token_request(callback: Callback, client_id: str, client_secret: str, redirect_uri: str) -> dict[str, str]:
    """The JSON body that is sent to `TOKEN_URL` for the store's token; ``redirect_uri`` is the app's callback."""
    return {
        "client_id": client_id,
        "client_secret": client_secret,
        "code": callback.code,
        "scope": callback.scope,
        "context": callback.context,
        "grant_type": "authorization_code",
        "redirect_uri": redirect_uri,
    }


def read_grant(body: bytes, callback: Callback) -> Grant:
    """The answer to a `token_request`.

    Raises:
        BadAnswer: it is none, or it is for another store than the callback's.
    """
    try:
        grant = msgspec.json.decode(body, type=Grant)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(f"BigCommerce answered without a token: {error}. Install the app again.") from error
    if grant.context != callback.context:
        raise BadAnswer("context: the token is for another store than the one that installs the app.")
    return grant


def store_hash(context: str) -> str:
    """The hash of the store that ``context`` names as ``stores/abc123``.

    Raises:
        BadAnswer: it names none.
    """
    match = _CONTEXT.fullmatch(context)
    if match is None:
        raise BadAnswer(f"context: {context!r} is no store of BigCommerce.")
    return match[1]


def read_signed_payload(token: str, client_id: str, client_secret: str, now: datetime) -> Claims:
    """What the ``signed_payload_jwt`` of a callback says, signed with HMAC-SHA256 by the app's client secret.

    Raises:
        CredentialsRejected: it is not signed with this secret, not for this app, or not valid ``now``.
    """
    signed, _, signature = token.rpartition(".")
    head, _, content = signed.partition(".")
    right = hmac.new(client_secret.encode(), signed.encode(), hashlib.sha256).digest()
    try:
        header = msgspec.json.decode(_decoded(head), type=_Header)
        proved = hmac.compare_digest(_decoded(signature), right)
        claims = msgspec.json.decode(_decoded(content), type=Claims)
    except (msgspec.DecodeError, UnicodeError, binascii.Error, ValueError) as error:
        raise CredentialsRejected("signed_payload_jwt: is no JSON Web Token.", repr(error)) from error
    if not (proved and client_secret and header.alg == "HS256"):
        raise CredentialsRejected("signed_payload_jwt: is not signed with the app's client secret.")
    if claims.aud != client_id or claims.iss != "bc":
        raise CredentialsRejected("signed_payload_jwt: is not from BigCommerce for this app.")
    if not claims.nbf <= now.timestamp() < claims.exp:
        raise CredentialsRejected("signed_payload_jwt: has expired, or is not yet valid. Open the app again.")
    return claims


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
