"""Vendure's two ways in: an administrator's login, or an API key."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from unicart.connectors.kit import BadAnswer, CredentialsRejected, Session
from unicart.connectors.vendure.errors import Answer, refusal

LOGIN = """mutation Login($username: String!, $password: String!) {
  login(username: $username, password: $password, rememberMe: true) {
    __typename
    ... on ErrorResult { message }
  }
}"""
TOKEN_HEADER = "vendure-auth-token"  # noqa: S105
API_KEY_HEADER = "vendure-api-key"
CHANNEL_HEADER = "vendure-token"


class _LoginResult(msgspec.Struct):
    kind: str = msgspec.field(name="__typename")
    message: str = ""


class _Login(msgspec.Struct):
    login: _LoginResult


def endpoint(url: str) -> str:
    """The Admin API's address; its usual path is added to an address without a path."""
    url = url.rstrip("/")
    return url if urlsplit(url).path else f"{url}/admin-api"


def headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """The headers that go with every request.

    Raises:
        CredentialsRejected: there is neither an API key nor an administrator with password, or both.
    """
    sent = {}
    key, username, password = (credentials.get(name) for name in ("api_key", "username", "password"))
    if key and (username or password):
        raise CredentialsRejected("Give either an API key or an administrator with password, not both.")
    if not key and not (username and password):
        raise CredentialsRejected("Give an API key, or both an administrator and a password.")
    if key:
        sent[API_KEY_HEADER] = key
    if credentials.get("channel_token"):
        sent[CHANNEL_HEADER] = credentials["channel_token"]
    return sent


async def login(session: Session, credentials: Mapping[str, str]) -> None:
    """Log the administrator in and let ``session`` send the token. Servers with cookies only are served by the cookie.

    Raises:
        CredentialsRejected: wrong administrator or password, or there is no such channel.
        BadAnswer: the answer is no login result, or comes without token and cookie.
    """
    session.headers.pop("authorization", None)
    variables = {"username": credentials["username"], "password": credentials["password"]}
    reply = await session.request("POST", "", json={"query": LOGIN, "variables": variables})
    answer = session.decode(reply, Answer)
    if answer.errors:
        raise refusal(answer, reply.url, authenticated=False)
    result = msgspec.json.decode(answer.data, type=_Login | None)
    if result is None:
        raise BadAnswer(
            f"{reply.url} did not answer the login. Is it the Admin API of a Vendure server?", url=reply.url
        )
    if result.login.kind != "CurrentUser":
        raise CredentialsRejected(f"Vendure does not accept the administrator: {result.login.message}")
    token = reply.headers.get(TOKEN_HEADER)
    if token:
        session.headers["authorization"] = f"Bearer {token}"
    elif "set-cookie" not in reply.headers:
        raise BadAnswer(f"{reply.url} accepted the login but sent neither a token nor a cookie.", url=reply.url)
