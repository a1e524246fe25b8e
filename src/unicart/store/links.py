"""What the link dialog keeps: link tokens, its sessions, authorizations at platforms, auth codes, and magic links.

Every secret is stored hashed and works once, but for the session's own, which ends with its success. Times are epoch seconds.
"""

import base64
import hmac
import time
import uuid
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from sqlalchemy import delete, insert, select, update

from unicart.store.database import Database, Row, Transaction
from unicart.store.rows import columns, read
from unicart.store.secrets import Vault, hash_secret, new_secret
from unicart.store.statements import insert_into
from unicart.store.tables import connections, link_authorizations, link_codes, link_sessions, link_tokens, magic_links
from unicart.store.tenants import COLUMNS, Connection

TOKEN_SECONDS = 4 * 3600
CODE_SECONDS = 30 * 60
SESSION_SECONDS = 3600
AUTHORIZATION_SECONDS = 30 * 60
MOST_ATTEMPTS = 30
"""How often one session may have credentials tried."""

DAY = 86400

S = TypeVar("S", bound=msgspec.Struct)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is offered. ``integration`` is the one that was chosen already; ``integration_type`` null means any."""

    allow: tuple[str, ...] = ()
    block: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    disabled_functions: tuple[str, ...] = ()
    sandbox: bool = False
    integration: str | None = None
    integration_type: str | None = None


class Purpose(msgspec.Struct, frozen=True):
    """For whom a shop is connected; with ``connection_id``, that connection is reinstalled."""

    organization_id: str
    connection_id: str | None
    customer_id: str | None


class Session(msgspec.Struct, frozen=True):
    """One opened dialog, on a page of ``origin`` (empty on a page of our own).

    ``connected_key`` is the connection that came of it; ``problem`` is why the last authorization failed.
    """

    hash: str
    organization_id: str
    connection_id: str | None
    customer_id: str | None
    options: Options
    origin: str
    attempts: int
    connected_key: int | None
    problem: str | None
    expires: int


class MagicLink(msgspec.Struct, frozen=True):
    """A page on which a merchant connects a shop, until it ``expires``."""

    id: str
    organization_id: str
    connection_id: str | None
    customer_id: str | None
    hash: str
    options: Options
    created: int
    expires: int


class Authorization(msgspec.Struct, frozen=True):
    """An authorization at a platform that has come back; ``granted`` is what the platform posted to us, if it does so."""

    session: Session
    inputs: dict[str, str]
    granted: dict[str, str]


_t = link_tokens.c
_s = link_sessions.c
_a = link_authorizations.c
_d = link_codes.c
_m = magic_links.c
_n = connections.c
_SESSION = columns(Session, link_sessions)
_MAGIC = columns(MagicLink, magic_links)


async def create_token(database: Database, purpose: Purpose) -> str:
    """A link token, which opens the dialog once."""
    token, now = new_secret("uc_link"), int(time.time())
    values = msgspec.structs.asdict(purpose) | {"hash": hash_secret(token), "expires": now + TOKEN_SECONDS}
    async with database.write() as transaction:
        await _prune(transaction, now)
        await transaction.execute(insert(link_tokens).values(**values))
    return token


async def _prune(transaction: Transaction, now: int) -> None:
    """Forget what has expired; auth codes stay, so that their connections can still be exchanged by their ids."""
    for table in (link_tokens, link_authorizations, link_sessions):
        await transaction.execute(delete(table).where(table.c.expires <= now))


async def spend_token(database: Database, token: str) -> Purpose | None:
    """What a link token is for, if it is good; it is not good a second time."""
    statement = (
        delete(link_tokens)
        .where(_t.hash == hash_secret(token), _t.expires > int(time.time()))
        .returning(*columns(Purpose, link_tokens))
    )
    async with database.write() as transaction:
        rows = await transaction.execute(statement)
    return read(Purpose, rows[0]) if rows else None


async def create_session(database: Database, purpose: Purpose, options: Options, origin: str) -> str:
    """The secret of a new session."""
    secret, now = new_secret("uc_ses"), int(time.time())
    values = msgspec.structs.asdict(purpose) | {
        "hash": hash_secret(secret),
        "options": _text(options),
        "origin": origin,
        "expires": now + SESSION_SECONDS,
    }
    async with database.write() as transaction:
        await _prune(transaction, now)
        await transaction.execute(insert(link_sessions).values(**values))
    return secret


async def find_session(database: Database, secret: str) -> Session | None:
    """The session with that secret, if it has not ended."""
    query = select(*_SESSION).where(_s.hash == hash_secret(secret), _s.expires > int(time.time()))
    rows = await database.execute(query)
    return _session(rows[0]) if rows else None


def _session(row: Row) -> Session:
    return _with_options(Session, row)


def _with_options(kind: type[S], row: Row) -> S:
    values = dict(zip(kind.__struct_fields__, tuple(row), strict=True))
    values["options"] = msgspec.json.decode(values["options"])
    return msgspec.convert(values, kind, strict=False)


def _text(options: Options) -> str:
    return msgspec.json.encode(options).decode()


async def count_attempt(database: Database, session: Session) -> bool:
    """Count an attempt to connect; whether the session may make it."""
    statement = (
        update(link_sessions)
        .where(_s.hash == session.hash, _s.attempts < MOST_ATTEMPTS, _s.connected_key.is_(None))
        .values(attempts=_s.attempts + 1, problem=None)
        .returning(_s.attempts)
    )
    async with database.write() as transaction:
        return bool(await transaction.execute(statement))


async def set_problem(database: Database, session: Session, problem: str) -> None:
    """Say why the authorization of a session failed."""
    async with database.write() as transaction:
        await transaction.execute(update(link_sessions).where(_s.hash == session.hash).values(problem=problem))


async def set_connected(database: Database, session: Session, connection: Connection) -> None:
    """Say what came of a session."""
    changed = update(link_sessions).where(_s.hash == session.hash)
    async with database.write() as transaction:
        await transaction.execute(changed.values(connected_key=connection.key, problem=None))


async def end_session(database: Database, session: Session) -> int | None:
    """End a session that has succeeded; the key of its connection, or null if another request has ended it."""
    statement = delete(link_sessions).where(_s.hash == session.hash, _s.connected_key.is_not(None))
    async with database.write() as transaction:
        rows = await transaction.execute(statement.returning(_s.connected_key))
    return rows[0][0] if rows else None


async def begin_authorization(
    database: Database, vault: Vault, session: Session, integration_name: str, inputs: Mapping[str, str]
) -> str:
    """The state of a new authorization of a session, in place of its earlier ones."""
    state = new_secret("uc_state")
    async with database.write() as transaction:
        await transaction.execute(delete(link_authorizations).where(_a.session_hash == session.hash))
        await transaction.execute(
            insert(link_authorizations).values(
                state_hash=hash_secret(state),
                session_hash=session.hash,
                integration_name=integration_name,
                inputs=vault.encrypt(dict(inputs)),
                expires=int(time.time()) + AUTHORIZATION_SECONDS,
            )
        )
    return state


async def bind_browser(
    database: Database, vault: Vault, integration_name: str, state: str, browser: str
) -> dict[str, str] | None:
    """Bind an authorization to the one browser that begins it; its inputs, or null if it is unknown or was begun."""
    statement = (
        update(link_authorizations)
        .where(
            _a.state_hash == hash_secret(state),
            _a.integration_name == integration_name,
            _a.browser_hash.is_(None),
            _a.expires > int(time.time()),
        )
        .values(browser_hash=hash_secret(browser))
        .returning(_a.inputs)
    )
    async with database.write() as transaction:
        rows = await transaction.execute(statement)
    return vault.decrypt(rows[0][0]) if rows else None


async def grant(
    database: Database, vault: Vault, integration_name: str, state: str, granted: Mapping[str, str]
) -> bool:
    """Keep what the platform posted for an authorization that was begun; whether there is one that lacks it."""
    statement = (
        update(link_authorizations)
        .where(
            _a.state_hash == hash_secret(state),
            _a.integration_name == integration_name,
            _a.browser_hash.is_not(None),
            _a.granted.is_(None),
            _a.expires > int(time.time()),
        )
        .values(granted=vault.encrypt(dict(granted)))
        .returning(_a.state_hash)
    )
    async with database.write() as transaction:
        return bool(await transaction.execute(statement))


async def spend_authorization(
    database: Database, vault: Vault, integration_name: str, browser: str, state: str | None
) -> Authorization | None:
    """The authorization that this browser began, with that ``state`` if the platform sends one back; only once."""
    now = int(time.time())
    mine = [_a.browser_hash == hash_secret(browser), _a.integration_name == integration_name, _a.expires > now]
    if state is not None:
        mine.append(_a.state_hash == hash_secret(state))
    statement = delete(link_authorizations).where(*mine).returning(_a.session_hash, _a.inputs, _a.granted)
    async with database.write() as transaction:
        rows = await transaction.execute(statement)
        if not rows:
            return None
        hash, inputs, granted = rows[0]
        found = await transaction.execute(select(*_SESSION).where(_s.hash == hash, _s.expires > now))
    if not found:
        return None
    return Authorization(_session(found[0]), vault.decrypt(inputs), vault.decrypt(granted) if granted else {})


async def reinstall(
    database: Database,
    vault: Vault,
    connection: Connection,
    credentials: Mapping[str, str],
    *,
    account_id: str,
    account_name: str,
    private_network: bool,
) -> None:
    """Give a connection new credentials; its id, tokens and records stay."""
    values = {
        "credentials": vault.encrypt(dict(credentials)),
        "account_id": account_id,
        "account_name": account_name,
        "private_network": private_network,
    }
    async with database.write() as transaction:
        await transaction.execute(update(connections).where(_n.connection_key == connection.key).values(**values))


async def put_code(database: Database, connection_key: int, *, reinstalled: bool) -> str:
    """An auth code for a connection, in place of an earlier one."""
    code = new_secret("uc_code")
    await _put_code(database, connection_key, hash_secret(code), reinstalled)
    return code


async def put_exchange(database: Database, connection_key: int, *, reinstalled: bool) -> None:
    """Let a connection be exchanged by its id: nobody was there to take an auth code."""
    await _put_code(database, connection_key, None, reinstalled)


async def _put_code(database: Database, connection_key: int, hash: str | None, reinstalled: bool) -> None:
    values = {"hash": hash, "reinstalled": reinstalled, "expires": int(time.time()) + CODE_SECONDS}
    statement = insert_into(link_codes, database.dialect).values(connection_key=connection_key, **values)
    async with database.write() as transaction:
        await transaction.execute(statement.on_conflict_do_update(index_elements=["connection_key"], set_=values))


async def exchange(
    database: Database, organization_id: str, *, code: str | None, connection_id: str | None, customer_id: str | None
) -> tuple[Connection, str] | None:
    """The connection of an auth code, or of an id that was never exchanged, and a new access token for it; only once.

    A reinstalled connection's first token goes on working.
    """
    if code is not None:
        wanted = [_d.hash == hash_secret(code), _d.expires > int(time.time())]
    else:
        wanted = [_n.id == connection_id]
    query = (
        select(_d.reinstalled, *COLUMNS)
        .join(connections, _n.connection_key == _d.connection_key)
        .where(_n.organization_id == organization_id, *wanted)
    )
    token = new_secret("uc_tok")
    async with database.write() as transaction:
        rows = await transaction.execute(query)
        if not rows:
            return None
        reinstalled, connection = rows[0][0], read(Connection, tuple(rows[0])[1:])
        spent = delete(link_codes).where(_d.connection_key == connection.key).returning(_d.connection_key)
        if not await transaction.execute(spent):
            return None
        values: dict[str, Any] = {"reinstalled_token_hash" if reinstalled else "token_hash": hash_secret(token)}
        if customer_id is not None:
            values["customer_id"] = customer_id
        changed = update(connections).where(_n.connection_key == connection.key).values(**values)
        rows = await transaction.execute(changed.returning(*COLUMNS))
    return read(Connection, rows[0]), token


async def create_magic_link(
    database: Database, vault: Vault, purpose: Purpose, options: Options, days: int
) -> MagicLink:
    """A new magic link."""
    id, now = uuid.uuid4().hex, int(time.time())
    link = MagicLink(
        id=id,
        organization_id=purpose.organization_id,
        connection_id=purpose.connection_id,
        customer_id=purpose.customer_id,
        hash=hash_secret(_secret(vault.signing_key, id)),
        options=options,
        created=now,
        expires=now + days * DAY,
    )
    values = msgspec.structs.asdict(link) | {"options": _text(options)}
    async with database.write() as transaction:
        await transaction.execute(delete(magic_links).where(_m.expires <= now))
        await transaction.execute(insert(magic_links).values(**values))
    return link


def _secret(key: bytes, id: str) -> str:
    digest = hmac.digest(key, b"magic link " + id.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def magic_secret(vault: Vault, link: MagicLink) -> str | None:
    """The secret of a magic link's URL. It is computed, not stored; null if the link was made with a key that is gone."""
    secrets = (_secret(key, link.id) for key in vault.verifying_keys)
    return next((secret for secret in secrets if hmac.compare_digest(hash_secret(secret), link.hash)), None)


async def list_magic_links(database: Database, organization_id: str) -> list[MagicLink]:
    """The links of an organization that work, oldest first."""
    mine = select(*_MAGIC).where(_m.organization_id == organization_id, _m.expires > int(time.time()))
    rows = await database.execute(mine.order_by(_m.created, _m.id))
    return [_with_options(MagicLink, row) for row in rows]


async def find_magic_link(database: Database, organization_id: str, id: str) -> MagicLink | None:
    """One link of an organization, if it works."""
    mine = select(*_MAGIC).where(_m.id == id, _m.organization_id == organization_id, _m.expires > int(time.time()))
    rows = await database.execute(mine)
    return _with_options(MagicLink, rows[0]) if rows else None


async def open_magic_link(database: Database, secret: str) -> MagicLink | None:
    """The link whose URL has that secret, if it works."""
    query = select(*_MAGIC).where(_m.hash == hash_secret(secret), _m.expires > int(time.time()))
    rows = await database.execute(query)
    return _with_options(MagicLink, rows[0]) if rows else None


async def delete_magic_link(database: Database, organization_id: str, id: str) -> bool:
    """Delete a link; whether there was one."""
    statement = delete(magic_links).where(_m.id == id, _m.organization_id == organization_id)
    async with database.write() as transaction:
        return bool(await transaction.execute(statement.returning(_m.id)))
