"""Writes under an idempotency key: who works on one, how far it is, and what was answered.

A row is there before anything is sent, and goes only when the platform has surely not done it, or a day is over. So a process
that dies between the platform's yes and our answer loses nothing: whoever repeats the request finds that it was sent.
"""

import secrets
from typing import Any

import msgspec
from sqlalchemy import and_, delete, or_, select, update

from unicart.store.database import Database, Transaction
from unicart.store.leases import is_dead
from unicart.store.rows import columns, read
from unicart.store.statements import insert_into
from unicart.store.tables import writes

KEPT = 24 * 3600
LEASE = 15 * 60
"""Seconds for which a write is in progress; should its process have died on another machine, it is free after them."""


class KeyReused(Exception):
    """The key was used for another request before."""


class KeyInProgress(Exception):
    """The request with this key is being worked on; ``until`` is when that ends at the latest (epoch seconds)."""

    def __init__(self, until: int) -> None:
        super().__init__(until)
        self.until = until


class Claim(msgspec.Struct):
    """A write as the store knows it, held by ``owner``.

    ``sent`` is when it was last sent to the platform (epoch seconds), ``before`` what there was then; both are null if it
    never was. ``done`` counts the parts of a batch that are finished. ``answer`` is what the first success answered.
    """

    key: str
    reference: str
    owner: str | None
    sent: int | None
    before: bytes | None
    done: int
    answer: bytes | None


class _Row(Claim):
    fingerprint: str
    lease_until: int


_c = writes.c


def new_reference() -> str:
    """A name for one write, by which it can be found again on the platform."""
    return secrets.token_hex(16)


async def claim(database: Database, connection_key: int, key: str, fingerprint: str, owner: str, now: int) -> Claim:
    """Take the write under ``key``: a new one, one that was left unfinished, or one with an answer.

    Raises:
        KeyReused: the key belongs to a request with another ``fingerprint``.
        KeyInProgress: another process, or another request of this one, works on it.
    """
    fresh = {
        "connection_key": connection_key,
        "key": key,
        "fingerprint": fingerprint,
        "reference": new_reference(),
        "created": now,
        "owner": owner,
        "lease_until": now + LEASE,
        "done": 0,
    }
    mine = and_(_c.connection_key == connection_key, _c.key == key)
    async with database.write() as transaction:
        await transaction.execute(delete(writes).where(mine, _c.created <= now - KEPT, _c.lease_until <= now))
        await transaction.execute(insert_into(writes, database.dialect).values(**fresh).on_conflict_do_nothing())
        rows = await transaction.execute(select(*columns(_Row, writes)).where(mine).with_for_update())
        row = read(_Row, rows[0])
        if row.fingerprint != fingerprint:
            raise KeyReused
        if row.answer is None and row.owner != owner:
            if row.owner is not None and row.lease_until > now and not is_dead(row.owner):
                raise KeyInProgress(row.lease_until)
            await transaction.execute(update(writes).where(mine).values(owner=owner, lease_until=now + LEASE))
    return Claim(row.key, row.reference, owner, row.sent, row.before, row.done, row.answer)


async def mark_sent(database: Database, connection_key: int, claim: Claim, before: bytes, now: int) -> None:
    """Note, before anything is sent, that it may have been.

    Raises:
        KeyInProgress: another process has taken the write over; nothing may be sent.
    """
    async with database.write() as transaction:
        await _change(transaction, connection_key, claim, sent=now, before=before, lease_until=now + LEASE)
    claim.sent, claim.before = now, before


async def advance(transaction: Transaction, connection_key: int, claim: Claim) -> None:
    """Count a finished part of a batch, in the transaction that stores it. Nothing of the next part has been sent."""
    await _change(transaction, connection_key, claim, done=claim.done + 1, sent=None, before=None)
    claim.done, claim.sent, claim.before = claim.done + 1, None, None


async def finish(transaction: Transaction, connection_key: int, claim: Claim, answer: bytes) -> None:
    """Keep the answer of a success, in the transaction that stores what it was about."""
    await _change(transaction, connection_key, claim, answer=answer, owner=None, lease_until=0)


async def leave(
    database: Database, connection_key: int, claim: Claim, *, unsent: bool = False, settled: bool = False
) -> None:
    """Stop, and let the next request with the key go on from what is known.

    ``unsent``: what was sent is surely not done. ``settled``: it may be done in part, but nothing of it is under way.
    """
    values: dict[str, Any] = {"owner": None, "lease_until": 0}
    if unsent:
        values |= {"sent": None, "before": None}
    elif settled and claim.sent is not None:
        values["sent"] = 0
    async with database.write() as transaction:
        await transaction.execute(update(writes).where(*_held(connection_key, claim)).values(**values))


async def release(database: Database, connection_key: int, claim: Claim) -> None:
    """Forget a write that the platform has surely not done: its key is free for anything."""
    async with database.write() as transaction:
        await transaction.execute(delete(writes).where(*_held(connection_key, claim)))


async def prune(database: Database, now: int, limit: int) -> int:
    """Forget up to ``limit`` writes whose day is over, and return how many they were."""
    old = select(_c.connection_key, _c.key).where(_c.created <= now - KEPT, _c.lease_until <= now).limit(limit)
    rows = await database.execute(old)
    if rows:
        async with database.write() as transaction:
            gone = or_(*(and_(_c.connection_key == row[0], _c.key == row[1]) for row in rows))
            await transaction.execute(delete(writes).where(gone))
    return len(rows)


def _held(connection_key: int, claim: Claim) -> tuple[Any, ...]:
    return _c.connection_key == connection_key, _c.key == claim.key, _c.owner == claim.owner


async def _change(transaction: Transaction, connection_key: int, claim: Claim, **values: object) -> None:
    rows = await transaction.execute(
        update(writes).where(*_held(connection_key, claim)).values(**values).returning(_c.key)
    )
    if not rows:
        raise KeyInProgress(0)
