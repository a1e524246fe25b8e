"""Extensiv's way in: client credentials and a user are exchanged for a bearer token that lives up to an hour."""

import base64
from collections.abc import Mapping

import msgspec

from unicart.connectors.kit import CredentialsRejected, PermissionMissing, RequestRefused, Session

PATH = "/AuthServer/api/Token"
REFUSALS = (400, 422)


class _Token(msgspec.Struct):
    access_token: str


def body(credentials: Mapping[str, str]) -> dict[str, str]:
    """What is asked of the token server.

    Raises:
        CredentialsRejected: neither the user's login nor its number is given.
    """
    asked = {"grant_type": "client_credentials"}
    asked |= {name: credentials[name] for name in ("user_login", "user_login_id") if credentials.get(name)}
    if len(asked) == 1:
        raise CredentialsRejected("Give the user login, or its user login ID.")
    if credentials.get("tpl"):
        guid = credentials["tpl"].strip("{}")
        asked["tpl"] = f"{{{guid}}}"
    return asked


async def login(session: Session, credentials: Mapping[str, str]) -> None:
    """Let ``session`` send a new token.

    Raises:
        CredentialsRejected: Extensiv does not know the client, its secret, the user or the 3PL.
    """
    pair = f"{credentials['client_id']}:{credentials['client_secret']}".encode()
    headers = {"authorization": f"Basic {base64.b64encode(pair).decode()}", "accept": "application/json"}
    try:
        reply = await session.request("POST", PATH, json=body(credentials), headers=headers)
    except (CredentialsRejected, PermissionMissing) as error:
        raise _rejected(error.detail, error.url) from error
    except RequestRefused as error:
        if error.status not in REFUSALS:
            raise
        raise _rejected(error.detail, error.url) from error
    session.headers["authorization"] = f"Bearer {session.decode(reply, _Token).access_token}"


def _rejected(detail: str, url: str) -> CredentialsRejected:
    message = (
        "Extensiv does not accept the client ID, the client secret, the user login or the 3PL GUID. "
        "Compare them with the 3PL's Support Portal, Manage Credentials."
    )
    return CredentialsRejected(message, detail, url)
