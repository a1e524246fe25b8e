"""Login with Amazon: a refresh token becomes an access token for an hour; and how an application comes to a refresh token."""

import hmac
import time
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from unicart.connectors.amazon.errors import BAD_REQUEST, login_refused
from unicart.connectors.kit import CredentialsRejected, RequestRefused, Session

LOGIN_URL = "https://api.amazon.com/auth/o2/token"
ENDPOINTS = {
    "na": "https://sellingpartnerapi-na.amazon.com",
    "eu": "https://sellingpartnerapi-eu.amazon.com",
    "fe": "https://sellingpartnerapi-fe.amazon.com",
}
SELLER_CENTRAL = {
    "na": "https://sellercentral.amazon.com",
    "eu": "https://sellercentral-europe.amazon.com",
    "fe": "https://sellercentral.amazon.co.jp",
}
"""Where sellers of a region authorize an application; some countries have a Seller Central of their own."""
TOKEN_HEADER = "x-amz-access-token"  # noqa: S105 - a header's name
MARGIN = 120
"""Seconds before its end at which an access token is renewed."""


class Grant(msgspec.Struct, frozen=True):
    """What a seller who has authorized the application sends back with."""

    code: str
    seller_id: str


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int = 3600
    refresh_token: str | None = None


def endpoint(credentials: Mapping[str, str]) -> str:
    """The root of the API: the endpoint of its own that the credentials name, else that of their region.

    An unknown region leads to no root; `check_region` tells the operator.
    """
    return credentials.get("endpoint") or ENDPOINTS.get(credentials.get("region", "").lower(), "")


def check_region(credentials: Mapping[str, str]) -> None:
    """Refuse a region that does not exist.

    Raises:
        CredentialsRejected: naming those that do.
    """
    if not endpoint(credentials):
        region = credentials.get("region", "")
        raise CredentialsRejected(
            f"region: {region!r} is none of {', '.join(ENDPOINTS)}. Correct the connection's region."
        )


async def login(session: Session, credentials: Mapping[str, str]) -> int:
    """Get an access token and let ``session`` send it; returns the monotonic time, in seconds, at which to renew it.

    Raises:
        CredentialsRejected: with what to correct.
    """
    given = {"grant_type": "refresh_token", "refresh_token": credentials["refresh_token"]}
    token = await _token(session, credentials, given)
    session.headers[TOKEN_HEADER] = token.access_token
    return int(time.monotonic()) + token.expires_in - MARGIN


def authorization_url(
    seller_central: str, application_id: str, state: str, *, redirect_uri: str | None = None, draft: bool = False
) -> str:
    """Where a seller authorizes a public application; ``draft`` while the application is not published.

    ``seller_central`` is one of `SELLER_CENTRAL` or another country's. ``state`` comes back to the redirect URI.
    """
    given = {"application_id": application_id, "state": state}
    if redirect_uri is not None:
        given["redirect_uri"] = redirect_uri
    if draft:
        given["version"] = "beta"
    return f"{seller_central}/apps/authorize/consent?{urlencode(given)}"


def read_callback(query: Mapping[str, str], state: str) -> Grant:
    """What Amazon appended to the redirect URI, if the ``state`` is the one that was sent. In constant time.

    Raises:
        CredentialsRejected: another state, or no code.
    """
    if not state or not hmac.compare_digest(query.get("state", "").encode(), state.encode()):
        raise CredentialsRejected("The authorization was not begun here, or has been used already. Begin it again.")
    code, seller_id = query.get("spapi_oauth_code", ""), query.get("selling_partner_id", "")
    if not code or not seller_id:
        raise CredentialsRejected("Amazon sent no authorization code. Begin the authorization again.")
    return Grant(code, seller_id)


async def exchange(session: Session, credentials: Mapping[str, str], code: str, redirect_uri: str) -> str:
    """The refresh token for an authorization ``code``, which is good for five minutes.

    ``credentials`` hold the application's ``client_id`` and ``client_secret``.

    Raises:
        CredentialsRejected: the code is spent or of another application.
    """
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    token = await _token(session, credentials, given)
    if not token.refresh_token:
        raise CredentialsRejected("Login with Amazon sent no refresh token. Begin the authorization again.")
    return token.refresh_token


async def _token(session: Session, credentials: Mapping[str, str], given: Mapping[str, str]) -> _Token:
    application = {name: credentials[name] for name in ("client_id", "client_secret")}
    try:
        return await session.post(credentials.get("login_url") or LOGIN_URL, _Token, {**given, **application})
    except RequestRefused as error:
        if error.status != BAD_REQUEST:
            raise
        raise login_refused(error, error.detail, error.url) from error
    except CredentialsRejected as error:
        raise login_refused(error, error.detail, error.url) from error
