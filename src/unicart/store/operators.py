"""The operator of this Unicart: one password, kept as its scrypt hash, and sessions, kept as hashes of their tokens.

Times are epoch seconds.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets

from sqlalchemy import delete, insert, select

from unicart.store.database import Database, Transaction
from unicart.store.secrets import hash_secret, new_secret
from unicart.store.statements import insert_into
from unicart.store.tables import operator, operator_sessions

ONLY = 1
COST, BLOCK, LANES = 1 << 14, 8, 5
SALT_BYTES = 16
SESSION_SECONDS = 12 * 3600


async def ensure_password(database: Database, wanted: str, now: int) -> str | None:
    """See that there is a password: ``wanted`` if that is not empty, else the one of before, else a new one.

    Only a new one is returned; it cannot be read again.
    """
    known = await _password(database)
    if wanted:
        if known is None or not await asyncio.to_thread(_matches, wanted, known):
            await change_password(database, wanted, now)
        return None
    if known is not None:
        return None
    password = _new_password()
    values = await _row(password, now)
    async with database.write() as transaction:
        made = await transaction.execute(
            insert_into(operator, database.dialect).values(**values).on_conflict_do_nothing().returning(operator.c.id)
        )
    return password if made else None


async def renew_password(database: Database, now: int) -> str:
    """A new password instead of the one of before; every session ends."""
    password = _new_password()
    await change_password(database, password, now)
    return password


async def change_password(database: Database, password: str, now: int) -> None:
    """Replace the password, and end every session."""
    values = await _row(password, now)
    async with database.write() as transaction:
        await transaction.execute(
            insert_into(operator, database.dialect)
            .values(**values)
            .on_conflict_do_update(index_elements=["id"], set_=values)
        )
        await transaction.execute(delete(operator_sessions))


async def check_password(database: Database, password: str) -> bool:
    """Whether this is the password."""
    known = await _password(database)
    return known is not None and await asyncio.to_thread(_matches, password, known)


async def begin_session(database: Database, now: int) -> str:
    """A new session's token."""
    token = new_secret("uc_ses")
    async with database.write() as transaction:
        await _forget_old(transaction, now)
        await transaction.execute(
            insert(operator_sessions).values(hash=hash_secret(token), created=now, expires=now + SESSION_SECONDS)
        )
    return token


async def has_session(database: Database, token: str, now: int) -> bool:
    """Whether a session of this token is under way."""
    c = operator_sessions.c
    rows = await database.execute(select(c.hash).where(c.hash == hash_secret(token), c.expires > now))
    return bool(rows)


async def end_session(database: Database, token: str) -> None:
    """End a session."""
    async with database.write() as transaction:
        await transaction.execute(delete(operator_sessions).where(operator_sessions.c.hash == hash_secret(token)))


async def _forget_old(transaction: Transaction, now: int) -> None:
    await transaction.execute(delete(operator_sessions).where(operator_sessions.c.expires <= now))


def _new_password() -> str:
    return secrets.token_urlsafe(15)


async def _password(database: Database) -> str | None:
    rows = await database.execute(select(operator.c.password).where(operator.c.id == ONLY))
    return rows[0][0] if rows else None


async def _row(password: str, now: int) -> dict[str, object]:
    return {"id": ONLY, "password": await asyncio.to_thread(_hashed, password), "changed": now}


def _hashed(password: str) -> str:
    salt = secrets.token_bytes(SALT_BYTES)
    key = _scrypt(password, salt, COST, BLOCK, LANES)
    return f"scrypt${COST}${BLOCK}${LANES}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def _matches(password: str, known: str) -> bool:
    _, cost, block, lanes, salt, key = known.split("$")
    found = _scrypt(password, base64.b64decode(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(found, base64.b64decode(key))


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    text = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=cost, r=block, p=lanes, maxmem=256 * cost * block, dklen=32)
