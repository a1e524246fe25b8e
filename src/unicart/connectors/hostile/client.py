"""The test platform's client.

Lists are walked by keyset. A first run takes the newest records first, by the date of their creation, and then what has
changed since it began; each further run takes what has changed, from a little before the place where the last one ended.
Nothing is read from the platform's clock: its ``Date`` header lies.
"""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from unicart.connectors.hostile import auth, mapping, webhooks
from unicart.connectors.hostile.errors import OUTCOMES
from unicart.connectors.hostile.facts import FACTS
from unicart.connectors.hostile.payloads import Moment, Stamp
from unicart.connectors.kit import (
    Account,
    BadAnswer,
    Connector,
    Hint,
    Hook,
    Pull,
    RawPage,
    RequestRefused,
    Session,
    format_utc,
    read_cursor,
    write_cursor,
)
from unicart.contract.resources import Function, Record

PAGE_SIZE = 100
GONE = 404
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(9999, 1, 1, tzinfo=UTC)
LISTS = {
    Function.GET_ORDERS: "/orders",
    Function.GET_PRODUCTS: "/products",
    Function.GET_WAREHOUSES: "/warehouses",
}

Order = Literal["updated_at", "created_at", "-created_at"]


class Place(msgspec.Struct, frozen=True):
    """A record in a walk: its date, and its id among the records of the same date."""

    at: Moment
    id: str = ""


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where the runs of a function stand.

    ``history`` is the last record of the walk back through a first run that began at ``since``; null once that is done.
    ``changes`` is the last record of the walk through changes, ``reached`` the latest date that it has seen.
    """

    history: Place | None
    since: Moment
    changes: Place
    reached: Moment


class Window(msgspec.Struct, frozen=True):
    """The last record of a run that has an end."""

    place: Place


class _List(msgspec.Struct):
    items: list[msgspec.Raw]
    total: int


class _Page(msgspec.Struct):
    """``place`` is that of the last record, ``left`` how many records there are from the first one on."""

    records: list[bytes]
    place: Place
    left: int


class _Subscription(msgspec.Struct):
    id: str
    url: str


class _Subscriptions(msgspec.Struct):
    items: list[_Subscription]


class HostileConnector(Connector):
    """A shop on the test platform."""

    facts = FACTS

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        super().__init__(credentials, session)
        session.outcomes.update(OUTCOMES)
        session.refresh = self._login

    async def check(self) -> Account:
        return await auth.account(self.session)

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        pages = self._increment(LISTS[function], pull) if pull.until is None else self._window(LISTS[function], pull)
        async for page in pages:
            yield page

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(ids), PAGE_SIZE):
            answer = await self.session.get(LISTS[function], _List, {"ids": list(ids[start : start + PAGE_SIZE])})
            found |= {_stamp(raw).id: bytes(raw) for raw in answer.items}
        return list(found.values())

    async def subscribe(self, url: str) -> dict[str, str]:
        secret = secrets.token_hex(32)
        made = await self.session.post("/hooks", _Subscription, {"url": url, "secret": secret})
        for other in (await self.session.get("/hooks", _Subscriptions)).items:
            if other.url == url and other.id != made.id:
                await self.unsubscribe({"id": other.id})
        return {"id": made.id, "secret": secret}

    async def unsubscribe(self, subscription: Mapping[str, str]) -> None:
        try:
            await self.session.request("DELETE", f"/hooks/{subscription['id']}")
        except RequestRefused as error:
            if error.status != GONE:
                raise

    @classmethod
    def verify_hook(cls, credentials: Mapping[str, str], subscription: Mapping[str, str], hook: Hook) -> None:
        webhooks.verify(subscription, hook)

    @classmethod
    def read_hook(cls, hook: Hook) -> Sequence[Hint]:
        return webhooks.hints(hook)

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        if function is Function.GET_ORDERS:
            return [mapping.order(raw)]
        if function is Function.GET_PRODUCTS:
            return mapping.products(raw)
        return [mapping.warehouse(raw)]

    async def _login(self) -> None:
        await auth.login(self.session, self.credentials)

    async def _increment(self, path: str, pull: Pull) -> AsyncIterator[RawPage]:
        replace = msgspec.structs.replace
        cursor = read_cursor(pull.cursor, Cursor) if pull.cursor else await self._beginning(path, pull)
        pulled = 0
        if cursor.history is not None:
            oldest = {"created_from": format_utc(cursor.since)}
            async for page in self._walk(path, "-created_at", cursor.history, oldest):
                cursor = replace(cursor, history=page.place)
                yield _raw_page(page, cursor, pulled)
                pulled += len(page.records)
            cursor = replace(cursor, history=None)
        elif not pull.interrupted:
            cursor = replace(cursor, changes=Place(cursor.reached - pull.overlap))
        async for page in self._walk(path, "updated_at", cursor.changes):
            cursor = replace(cursor, changes=page.place, reached=max(cursor.reached, page.place.at))
            yield _raw_page(page, cursor, pulled)
            pulled += len(page.records)

    async def _beginning(self, path: str, pull: Pull) -> Cursor:
        """A first run's cursor. What changes from now on has at least the date of the latest change until now."""
        newest = await self.session.get(path, _List, {"order": "-updated_at", "limit": 1})
        began = max((_stamp(raw).updated_at for raw in newest.items), default=BEGINNING)
        changes = Place(began - pull.overlap if pull.since is None else pull.since)
        return Cursor(history=Place(END), since=pull.since or BEGINNING, changes=changes, reached=changes.at)

    async def _window(self, path: str, pull: Pull) -> AsyncIterator[RawPage]:
        cursor = read_cursor(pull.cursor, Window) if pull.cursor else Window(Place(pull.since or BEGINNING))
        # Unified dates are whole seconds, so that the last second belongs to the window as a whole.
        until = (pull.until or END).replace(microsecond=999_000)
        pulled = 0
        async for page in self._walk(path, "created_at", cursor.place, {"created_until": format_utc(until)}):
            yield _raw_page(page, Window(page.place), pulled)
            pulled += len(page.records)

    async def _walk(
        self, path: str, order: Order, place: Place, filters: Mapping[str, str] | None = None
    ) -> AsyncIterator[_Page]:
        """Pages of the records behind ``place``; at least one, which may be empty."""
        bound = {"updated_at": "updated_after", "created_at": "created_after", "-created_at": "created_before"}[order]
        while True:
            behind = {bound: format_utc(place.at), "id_before" if order.startswith("-") else "id_after": place.id}
            parameters = {**(filters or {}), **behind, "order": order, "limit": PAGE_SIZE}
            answer = await self.session.get(path, _List, parameters)
            if answer.items:
                last = _stamp(answer.items[-1])
                place = Place(last.updated_at if order == "updated_at" else last.created_at, last.id)
            yield _Page([bytes(raw) for raw in answer.items], place, answer.total)
            if len(answer.items) < PAGE_SIZE:
                return


def _stamp(raw: msgspec.Raw) -> Stamp:
    try:
        return msgspec.json.decode(raw, type=Stamp)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(f"The platform sent a record without an id or its dates: {error}") from error


def _raw_page(page: _Page, cursor: msgspec.Struct, pulled: int) -> RawPage:
    return RawPage(records=page.records, cursor=write_cursor(cursor), total=pulled + page.left)
