"""Acme's API: orders by their date of change, and by id within a date.

`GET /orders?by=changed_at&from=…&after_id=…` answers the orders behind that order, so that nothing is skipped while it is paged.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

import msgspec

from unicart.connectors.kit import (
    Account,
    Connector,
    Pull,
    RawPage,
    Session,
    parse_utc,
    read_cursor,
    write_cursor,
)
from unicart.contract.resources import Function, Record
from unicart_acme import auth, mapping
from unicart_acme.errors import OUTCOMES
from unicart_acme.facts import FACTS

PAGE_SIZE = 100


class Cursor(msgspec.Struct, frozen=True):
    """The last order that came: its date and its id."""

    at: str = ""
    id: str = ""


class _Account(msgspec.Struct):
    id: str
    name: str


class _Page(msgspec.Struct):
    orders: list[msgspec.Raw]


class _Stamp(msgspec.Struct):
    id: str
    created_at: str
    changed_at: str


class AcmeConnector(Connector):
    """An account at Acme."""

    facts = FACTS

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        super().__init__(credentials, session)
        session.headers.update(auth.headers(credentials))
        session.outcomes.update(OUTCOMES)

    async def check(self) -> Account:
        account = await self.session.get("/account", _Account)
        return Account(account_id=account.id, account_name=account.name)

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        """Acme lists the oldest first only; so does the first run."""
        cursor = _start(pull)
        by = "created_at" if pull.until else "changed_at"
        upto = {"to": _text(pull.until)} if pull.until else {}
        while True:
            asked = {"by": by, "from": cursor.at, "after_id": cursor.id, "limit": PAGE_SIZE, **upto}
            records = (await self.session.get("/orders", _Page, asked)).orders
            if records:
                last = msgspec.json.decode(records[-1], type=_Stamp)
                cursor = Cursor(last.created_at if pull.until else last.changed_at, last.id)
            yield RawPage(records=[bytes(record) for record in records], cursor=write_cursor(cursor))
            if len(records) < PAGE_SIZE:
                return

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        found: list[bytes] = []
        for start in range(0, len(ids), PAGE_SIZE):
            asked = {"ids": ",".join(ids[start : start + PAGE_SIZE])}
            found += map(bytes, (await self.session.get("/orders", _Page, asked)).orders)
        return found

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        return [mapping.order(raw)]


def _start(pull: Pull) -> Cursor:
    """Exactly where a run or a window was interrupted; else the overlap before the last order, or the first run's beginning."""
    if pull.cursor is None:
        return Cursor(at=_text(pull.since) if pull.since else "")
    cursor = read_cursor(pull.cursor, Cursor)
    if pull.interrupted or pull.until or not cursor.at:
        return cursor
    return Cursor(at=_text(parse_utc(cursor.at) - pull.overlap))


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
