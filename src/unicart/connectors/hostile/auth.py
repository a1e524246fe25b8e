"""The test platform's login: client id and secret become a token, which expires at any moment."""

from collections.abc import Mapping

import msgspec

from unicart.connectors.kit import Account, Session


class _Login(msgspec.Struct):
    token: str


class _Account(msgspec.Struct):
    id: str
    name: str


async def login(session: Session, credentials: Mapping[str, str]) -> None:
    """Get a token and let ``session`` send it.

    Raises:
        CredentialsRejected: wrong client id or secret.
    """
    given = {"client_id": credentials["client_id"], "secret": credentials["secret"]}
    answer = await session.post("/login", _Login, given)
    session.headers["authorization"] = f"Bearer {answer.token}"


async def account(session: Session) -> Account:
    """The shop behind the credentials.

    Raises:
        ConnectorError: they are not accepted, or there is no test platform at the URL.
    """
    found = await session.get("/account", _Account)
    return Account(account_id=found.id, account_name=found.name)
