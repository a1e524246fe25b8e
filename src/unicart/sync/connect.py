"""From a stored connection to a connector that can be asked."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

from unicart.connectors.kit import Account, Connector, Session
from unicart.connectors.registry import connector
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.state import State
from unicart.store.tenants import Connection, change_credentials, read_credentials

Open = Callable[[Database, Vault, Connection], AbstractAsyncContextManager[Connector]]
"""How a stored connection is opened: `opened_connection`, unless a test has platforms of its own."""


class InvalidCredentials(ValueError):
    """The credentials form is incomplete or has a field too many; the message names the field."""


def complete_credentials(integration_name: str, given: Mapping[str, str]) -> dict[str, str]:
    """``given`` with defaults filled in.

    Raises:
        InvalidCredentials: a required field is missing, one is unknown, or a URL is none.
        LookupError: there is no such connector.
    """
    fields = connector(integration_name).facts.credentials
    unknown = set(given) - {field.name for field in fields}
    if unknown:
        raise InvalidCredentials(f"{integration_name} has no credential {min(unknown)!r}.")
    complete: dict[str, str] = {}
    for field in fields:
        value = given.get(field.name, "").strip() or field.default or ""
        if field.required and not value:
            raise InvalidCredentials(f"{field.name}: is required. {field.help}")
        if field.kind == "url" and value and not is_url(value):
            raise InvalidCredentials(f"{field.name}: {value!r} is not an http or https URL. {field.help}")
        if value:
            complete[field.name] = value
    return complete


def is_url(text: str) -> bool:
    """Whether ``text`` is a URL that a platform can be asked at."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


@asynccontextmanager
async def opened(
    integration_name: str, credentials: Mapping[str, str], *, private_network: bool, patience: float = 45.0
) -> AsyncIterator[Connector]:
    """A connector with a session of its own, closed at the end of the block."""
    kind = connector(integration_name)
    secrets = tuple(credentials.get(field.name, "") for field in kind.facts.credentials if field.kind == "secret")
    session = Session(kind.base_url(credentials), secrets=secrets, private_network=private_network, patience=patience)
    try:
        yield kind(credentials, session)
    finally:
        await session.close()


async def check(integration_name: str, credentials: Mapping[str, str], *, private_network: bool) -> Account:
    """Prove credentials against the platform before anything is stored.

    Raises:
        ConnectorError: they do not work; the message says why.
    """
    async with opened(integration_name, credentials, private_network=private_network, patience=10.0) as platform:
        return await platform.check()


@asynccontextmanager
async def opened_connection(
    database: Database, vault: Vault, connection: Connection, *, patience: float = 45.0
) -> AsyncIterator[Connector]:
    """The connector of a stored connection."""
    credentials = await read_credentials(database, vault, connection)
    async with opened(
        connection.integration_name, credentials, private_network=connection.private_network, patience=patience
    ) as platform:
        platform.credential_store = _Stored(database, vault, connection)
        platform.state = State(database, connection)
        yield platform


class _Stored:
    """The credentials of one connection."""

    def __init__(self, database: Database, vault: Vault, connection: Connection) -> None:
        self._database = database
        self._vault = vault
        self._connection = connection

    async def read(self) -> Mapping[str, str]:
        return await read_credentials(self._database, self._vault, self._connection)

    async def write(self, changed: Mapping[str, str]) -> None:
        await change_credentials(self._database, self._vault, self._connection, changed)
