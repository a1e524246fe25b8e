"""Rotation of the secret key: every secret in the store is written again with the first key, while others work on it."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, Select, Table, select, tuple_, update

from unicart.store.database import Database, Row, Transaction
from unicart.store.secrets import SecretError, Vault
from unicart.store.tables import metadata

BATCH = 100


class Found(msgspec.Struct):
    """Secrets in the store: how many there are, how many an older key had written, and the rows that no key opens."""

    secrets: int = 0
    old: int = 0
    lost: list[str] = []


class _Kept(msgspec.Struct, frozen=True):
    """A table with secrets."""

    table: Table
    key: Sequence[Column[Any]]
    secrets: Sequence[Column[Any]]

    def query(self, after: Row | None) -> Select[Any]:
        """The next rows behind the key ``after``."""
        query = select(*self.key, *self.secrets).order_by(*self.key).limit(BATCH)
        return query if after is None else query.where(tuple_(*self.key) > tuple_(*after))

    def key_of(self, row: Row) -> Row:
        return tuple(row)[: len(self.key)]

    def secrets_of(self, row: Row) -> Iterator[tuple[str, bytes]]:
        for column, value in zip(self.secrets, tuple(row)[len(self.key) :], strict=True):
            if value is not None:
                yield column.name, value


def _kept() -> Iterator[_Kept]:
    for table in metadata.sorted_tables:
        marked = [column for column in table.columns if column.info.get("encrypted")]
        if marked:
            yield _Kept(table, list(table.primary_key.columns), marked)


async def survey(database: Database, vault: Vault | None) -> Found:
    """Look at every secret, and change nothing. Without a vault, none can be opened."""
    found = Found()
    for kept in _kept():
        after: Row | None = None
        while rows := await database.execute(kept.query(after)):
            for row in rows:
                _renewed(kept, row, vault, found)
            after = kept.key_of(rows[-1])
    return found


async def rotate(database: Database, vault: Vault) -> Found:
    """Write every secret again that an older key had written, some in each transaction. It may be stopped and repeated."""
    found = Found()
    for kept in _kept():
        after: Row | None = None
        while True:
            async with database.write() as transaction:
                rows = await transaction.execute(kept.query(after).with_for_update())
                for row in rows:
                    await _write(transaction, kept, row, _renewed(kept, row, vault, found))
            if not rows:
                break
            after = kept.key_of(rows[-1])
    return found


def _renewed(kept: _Kept, row: Row, vault: Vault | None, found: Found) -> dict[str, bytes]:
    """What is to be written in ``row``; it is counted in ``found``."""
    renewed: dict[str, bytes] = {}
    for name, secret in kept.secrets_of(row):
        found.secrets += 1
        if vault is not None and vault.is_current(secret):
            continue
        rewritten = _rewritten(vault, secret)
        if rewritten is None:
            found.lost.append(f"{kept.table.name}.{name} {' '.join(map(str, kept.key_of(row)))}")
        else:
            found.old += 1
            renewed[name] = rewritten
    return renewed


def _rewritten(vault: Vault | None, secret: bytes) -> bytes | None:
    try:
        return vault.rewrite(secret) if vault is not None else None
    except SecretError:
        return None


async def _write(transaction: Transaction, kept: _Kept, row: Row, renewed: dict[str, bytes]) -> None:
    if renewed:
        mine = [column == value for column, value in zip(kept.key, kept.key_of(row), strict=True)]
        await transaction.execute(update(kept.table).where(*mine).values(**renewed))
