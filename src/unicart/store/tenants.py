"""Organizations, API keys and connections. Keys and tokens are stored hashed; they are shown once, when made."""

import hmac
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Select, Update, bindparam, case, delete, insert, select

from unicart.contract.common import format_date
from unicart.contract.events import CONNECTION_CREATED, CONNECTION_DELETED, Source, of_connection
from unicart.store import events
from unicart.store.database import Database, Transaction
from unicart.store.rows import columns, read
from unicart.store.secrets import Vault, hash_secret, new_secret
from unicart.store.tables import api_keys, connections, metadata, organizations, schedules


class Duplicate(Exception):
    """There is one of that name already."""


class Organization(msgspec.Struct, frozen=True):
    """A tenant: whoever runs software against this Unicart."""

    id: str
    name: str


class ApiKey(msgspec.Struct, frozen=True):
    """An organization's key. With ``read_only`` it cannot write."""

    id: str
    organization_id: str
    read_only: bool


class Connection(msgspec.Struct, frozen=True):
    """An account on a platform, connected. ``key`` is its internal number.

    A first sync pulls the orders of the last ``history_days``; all of them if that is 0, or null as in an earlier version.
    ``account_id`` is the platform's, null if an earlier version connected it. ``last_used`` and ``times_used`` are behind
    by what the processes that answer requests have not written yet.
    """

    key: int
    id: str
    organization_id: str
    integration_name: str
    customer_id: str | None
    account_name: str
    private_network: bool
    created: int
    history_days: int | None = None
    disabled_functions: str = ""
    account_id: str | None = None
    webhooks_disabled: bool = False
    last_used: int | None = None
    times_used: int = 0

    @property
    def disabled(self) -> tuple[str, ...]:
        """The functions that are neither synced nor written with this connection."""
        return tuple(name for name in self.disabled_functions.split(",") if name)

    @property
    def source(self) -> Source:
        """What its events say of it."""
        return Source(self.id, self.customer_id, self.integration_name)


async def create_organization(database: Database, name: str) -> Organization:
    """A new organization.

    Raises:
        Duplicate: the name is taken.
    """
    organization = Organization(uuid.uuid4().hex, name)
    if await find_organization(database, name) is not None:
        raise Duplicate(f"There is an organization {name!r} already.")
    async with database.write() as transaction:
        await transaction.execute(insert(organizations).values(id=organization.id, name=name, created=int(time.time())))
    return organization


async def find_organization(database: Database, name: str) -> Organization | None:
    """The organization called ``name``, or with that id."""
    c = organizations.c
    rows = await database.execute(select(c.id, c.name).where((c.name == name) | (c.id == name)))
    return Organization(*rows[0]) if rows else None


async def list_organizations(database: Database) -> list[Organization]:
    """All organizations, oldest first."""
    c = organizations.c
    return [Organization(*row) for row in await database.execute(select(c.id, c.name).order_by(c.created, c.id))]


async def create_key(database: Database, organization_id: str, name: str, read_only: bool) -> str:
    """A new API key's secret."""
    secret = new_secret("uc_key")
    async with database.write() as transaction:
        await transaction.execute(
            insert(api_keys).values(
                id=uuid.uuid4().hex,
                organization_id=organization_id,
                name=name,
                hash=hash_secret(secret),
                read_only=read_only,
                created=int(time.time()),
            )
        )
    return secret


async def revoke_keys(database: Database, organization_id: str, name: str) -> None:
    """Delete the organization's API keys of that name; they stop working."""
    c = api_keys.c
    async with database.write() as transaction:
        await transaction.execute(delete(api_keys).where(c.organization_id == organization_id, c.name == name))


class ListedKey(msgspec.Struct, frozen=True):
    """An API key as an operator sees it. Times are epoch seconds; ``last_used`` is null if no use is known."""

    id: str
    name: str
    read_only: bool
    created: int
    last_used: int | None


async def list_keys(database: Database, organization_id: str) -> list[ListedKey]:
    """The API keys of an organization, oldest first."""
    c = api_keys.c
    query = select(*columns(ListedKey, api_keys)).where(c.organization_id == organization_id)
    return [read(ListedKey, row) for row in await database.execute(query.order_by(c.created, c.id))]


async def revoke_key(database: Database, organization_id: str, id: str) -> bool:
    """Delete one API key of an organization; whether there was one of that id."""
    c = api_keys.c
    async with database.write() as transaction:
        mine = c.organization_id == organization_id, c.id == id
        return bool(await transaction.execute(delete(api_keys).where(*mine).returning(c.id)))


async def note_key_uses(database: Database, used: Mapping[str, int]) -> None:
    """Note when keys were last used (epoch seconds by the key's id)."""
    c = api_keys.c
    async with database.write() as transaction:
        for id, moment in used.items():
            await transaction.execute(api_keys.update().where(c.id == id).values(last_used=moment))


async def find_key(database: Database, secret: str) -> ApiKey | None:
    """The API key whose secret this is."""
    c = api_keys.c
    hash = hash_secret(secret)
    statement = database.prepared(
        "find_key", lambda: select(c.hash, c.id, c.organization_id, c.read_only).where(c.hash == bindparam("wanted"))
    )
    rows = await database.fetch(statement, {"wanted": hash})
    if not rows or not hmac.compare_digest(rows[0][0], hash):
        return None
    return ApiKey(rows[0][1], rows[0][2], bool(rows[0][3]))


async def add_connection(
    database: Database,
    vault: Vault,
    *,
    organization_id: str,
    integration_name: str,
    account_name: str,
    credentials: dict[str, str],
    private_network: bool,
    customer_id: str | None = None,
    history_days: int | None = None,
    account_id: str | None = None,
    announced: bool = False,
) -> tuple[Connection, str]:
    """A new connection and its access token, told by an event if it is ``announced``."""
    token = new_secret("uc_tok")
    now = int(time.time())
    async with database.write() as transaction:
        rows = await transaction.execute(
            insert(connections)
            .values(
                id=uuid.uuid4().hex,
                organization_id=organization_id,
                integration_name=integration_name,
                customer_id=customer_id,
                account_name=account_name,
                token_hash=hash_secret(token),
                credentials=vault.encrypt(credentials),
                private_network=private_network,
                created=now,
                history_days=history_days,
                account_id=account_id,
            )
            .returning(*COLUMNS)
        )
        connection = read(Connection, rows[0])
        if announced:
            # The contract has the token here, but it is shown once, to who made the connection, and stored nowhere.
            data = {"created_date": format_date(now), "access_token": None}
            await _tell(transaction, connection, CONNECTION_CREATED, data, now)
    return connection, token


async def _tell(transaction: Transaction, connection: Connection, type: str, data: dict[str, Any], now: int) -> None:
    await events.put(transaction, connection, [of_connection(connection.source, type, data)], now)


_c = connections.c
COLUMNS = (
    _c.connection_key,
    _c.id,
    _c.organization_id,
    _c.integration_name,
    _c.customer_id,
    _c.account_name,
    _c.private_network,
    _c.created,
    _c.history_days,
    _c.disabled_functions,
    _c.account_id,
    _c.webhooks_disabled,
    _c.last_used,
    _c.times_used,
)


async def find_connection(database: Database, id: str) -> Connection | None:
    """The connection with the public ``id``."""
    rows = await database.execute(select(*COLUMNS).where(_c.id == id))
    return read(Connection, rows[0]) if rows else None


async def find_connection_by_token(database: Database, token: str) -> Connection | None:
    """The connection whose access token this is, from its first install or from its last reinstall."""
    hash = hash_secret(token)
    for column in (_c.token_hash, _c.reinstalled_token_hash):
        key = "find_connection_by_token", column.name
        statement = database.prepared(key, partial(_with_value, column))
        rows = await database.fetch(statement, {"wanted": hash})
        if rows and hmac.compare_digest(rows[0][0], hash):
            return read(Connection, tuple(rows[0])[1:])
    return None


def _with_value(column: Column[Any]) -> Select[Any]:
    return select(column, *COLUMNS).where(column == bindparam("wanted"))


async def connections_by_key(database: Database, keys: Collection[int]) -> dict[int, Connection]:
    """The connections with these keys, those that are still there."""
    rows = await database.execute(select(*COLUMNS).where(_c.connection_key.in_(keys)))
    return {connection.key: connection for connection in (read(Connection, row) for row in rows)}


async def list_connections(database: Database, organization_id: str | None = None) -> list[Connection]:
    """All connections, of one organization or of all, oldest first."""
    query = select(*COLUMNS).order_by(_c.created, _c.connection_key)
    if organization_id is not None:
        query = query.where(_c.organization_id == organization_id)
    return [read(Connection, row) for row in await database.execute(query)]


async def page_connections(
    database: Database, organization_id: str, after: str, limit: int, customer_id: str | None = None
) -> list[Connection]:
    """The next ``limit`` connections of an organization, or of one customer of it, whose ids are behind ``after``, by id."""
    query = select(*COLUMNS).where(_c.organization_id == organization_id, _c.id > after)
    if customer_id is not None:
        query = query.where(_c.customer_id == customer_id)
    return [read(Connection, row) for row in await database.execute(query.order_by(_c.id).limit(limit))]


async def read_credentials(database: Database, vault: Vault, connection: Connection) -> dict[str, str]:
    """The connection's credentials.

    Raises:
        SecretError: they were written with another key.
    """
    rows = await database.execute(select(_c.credentials).where(_c.connection_key == connection.key))
    return vault.decrypt(rows[0][0])


async def change_credentials(
    database: Database, vault: Vault, connection: Connection, changed: Mapping[str, str]
) -> None:
    """Replace the credentials that are named in ``changed``.

    Raises:
        SecretError: the others were written with another key.
    """
    mine = _c.connection_key == connection.key
    async with database.write() as transaction:
        rows = await transaction.execute(select(_c.credentials).where(mine).with_for_update())
        for (kept,) in rows:
            renewed = vault.encrypt({**vault.decrypt(kept), **changed})
            await transaction.execute(connections.update().where(mine).values(credentials=renewed))


async def read_subscription(database: Database, connection: Connection) -> bytes | None:
    """What is kept, encrypted, of the subscription to the platform's webhooks."""
    rows = await database.execute(select(_c.subscription).where(_c.connection_key == connection.key))
    return rows[0][0] if rows else None


async def write_subscription(database: Database, connection: Connection, subscription: bytes) -> None:
    """Keep what belongs to the subscription to the platform's webhooks."""
    async with database.write() as transaction:
        await transaction.execute(
            connections.update().where(_c.connection_key == connection.key).values(subscription=subscription)
        )


async def disable_functions(database: Database, connection: Connection, names: Sequence[str]) -> None:
    """Disable these functions of a connection, and enable all others."""
    # Commas on both ends, so that SQL can look for one name.
    text = f",{','.join(names)}," if names else ""
    async with database.write() as transaction:
        await transaction.execute(
            connections.update().where(_c.connection_key == connection.key).values(disabled_functions=text)
        )


async def change_connection(database: Database, connection: Connection, changed: Mapping[str, Any]) -> None:
    """Replace the fields that are named in ``changed``: ``customer_id``, ``webhooks_disabled``."""
    if changed:
        async with database.write() as transaction:
            await transaction.execute(connections.update().where(_c.connection_key == connection.key).values(**changed))


async def add_uses(database: Database, uses: Mapping[int, tuple[int, int]]) -> None:
    """Count uses: for each connection's key how many they were, and when the last was (epoch seconds)."""
    statement = database.prepared("add_uses", _count_uses)
    # In the order of the keys, so that processes that count the same connections do not wait for each other in a circle.
    rows = [{"used": key, "count": count, "last": last} for key, (count, last) in sorted(uses.items())]
    async with database.write() as transaction:
        await transaction.run_many(statement, rows)


def _count_uses() -> Update:
    last = bindparam("last", type_=BigInteger)
    later = case((_c.last_used > last, _c.last_used), else_=last)
    values = {"times_used": _c.times_used + bindparam("count", type_=BigInteger), "last_used": later}
    return connections.update().where(_c.connection_key == bindparam("used")).values(values)


async def new_token(database: Database, connection: Connection) -> str:
    """A new access token; the old ones stop working."""
    token = new_secret("uc_tok")
    async with database.write() as transaction:
        await transaction.execute(
            connections.update()
            .where(_c.connection_key == connection.key)
            .values(token_hash=hash_secret(token), reinstalled_token_hash=None)
        )
    return token


async def empty_connection(database: Database, connection: Connection) -> None:
    """Forget everything of a connection but itself and its schedules, as if it were new. Nothing is told."""
    async with database.write() as transaction:
        for table in metadata.sorted_tables:
            if "connection_key" in table.c and table not in (connections, schedules):
                await transaction.execute(delete(table).where(table.c.connection_key == connection.key))


async def remove_connection(database: Database, connection: Connection, *, announced: bool = False) -> None:
    """Delete the connection with every record, checkpoint and error of it; told by an event if it is ``announced``."""
    now = int(time.time())
    async with database.write() as transaction:
        if announced:
            await _tell(transaction, connection, CONNECTION_DELETED, {"deleted_date": format_date(now)}, now)
        await transaction.execute(delete(connections).where(_c.connection_key == connection.key))
