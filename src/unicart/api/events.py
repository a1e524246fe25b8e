"""The change feed: events in order, a page at a time or as server-sent events while they happen."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from unicart.api.parameters import parameters
from unicart.api.records import Services
from unicart.api.reply import EVENT_STREAM, Endpoint, Reply, Stream, accepts, header
from unicart.contract.errors import InvalidRequest
from unicart.contract.events import EVENT_TYPES
from unicart.contract.filters import MAX_LIMIT, grouped, parse_limit, plain, read_each, single, split_list
from unicart.store import events
from unicart.store.database import Database
from unicart.store.events import CursorExpired, FeedPage, Stored

LATEST: Literal["latest"] = "latest"
LARGEST = 2**63 - 1
POLL = 0.5
SILENT_POLLS = 30
STREAM_PAGE = 100


class EventQuery(msgspec.Struct, frozen=True):
    """Which events, behind which cursor: a number, `LATEST`, or null for the oldest that is kept."""

    after: int | Literal["latest"] | None = None
    limit: int = MAX_LIMIT
    event_type: tuple[str, ...] = ()
    connection_id: str | None = None


def routes(services: Services) -> list[Route]:
    """``/events``."""
    return [Route("/events", Endpoint(EventRoutes(services).list), methods=["GET"])]


class EventRoutes:
    """The routes of the feed."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, request: Request) -> Reply | Stream:
        """A page of events, or all that come, as server-sent events."""
        scope = request.scope
        scope["unicart.route"] = "/events"
        key = await self._services.key(scope)
        query = read_query(parameters(scope["query_string"]))
        database, organization = self._services.database, key.organization_id
        after = await events.last(database, organization) if query.after == LATEST else query.after
        streamed = accepts(scope, b"text/event-stream")
        if streamed and (resumed := header(scope, b"last-event-id")):
            after = _resumed(resumed.decode("latin-1"))
        page = await _read(database, organization, query, after)
        if streamed:
            return Stream(_follow(database, organization, query, page), EVENT_STREAM, compressed=False)
        return Reply(
            b'{"data":[%s],"next_cursor":"%d"}' % (b",".join(event.written() for event in page.events), page.next)
        )


def read_query(pairs: list[tuple[str, str]]) -> EventQuery:
    """The query of decoded parameters.

    Raises:
        InvalidRequest: naming every parameter that is unknown, malformed or given twice.
    """
    return EventQuery(**read_each(grouped(pairs), _parsed))


def _parsed(name: str, values: list[str]) -> int | str | tuple[str, ...]:
    if name == "after":
        value = single(values)
        return LATEST if value == LATEST else _number(value)
    if name == "limit":
        return parse_limit(single(values))
    if name == "connection_id":
        return plain(single(values))
    if name == "event_type":
        types = split_list(values)
        if not set(types) <= set(EVENT_TYPES):
            raise ValueError(f"must be one of: {', '.join(EVENT_TYPES)}")
        return tuple(types)
    raise ValueError("is not a known parameter")


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= LARGEST):
        raise ValueError(f"must be a next_cursor of this feed, or {LATEST}")
    return int(value)


def _resumed(value: str) -> int:
    try:
        return _number(value)
    except ValueError as error:
        raise InvalidRequest("headers", {"last-event-id": [str(error)]}) from None


async def _read(database: Database, organization: str, query: EventQuery, after: int | None) -> FeedPage:
    types, connection_id = query.event_type, query.connection_id
    try:
        return await events.read(database, organization, after, query.limit, types=types, connection_id=connection_id)
    except CursorExpired:
        message = f"is older than the oldest event that is kept. Walk the lists again, and go on from after={LATEST}"
        raise InvalidRequest("query", {"after": [message]}) from None


async def _follow(
    database: Database, organization: str, query: EventQuery, page: FeedPage
) -> AsyncGenerator[bytes, None]:
    """Server-sent events from ``page`` on, with a comment now and then so that no proxy hangs up."""
    yield b": follows\n\n"
    silent = 0
    query = msgspec.structs.replace(query, limit=STREAM_PAGE)
    while True:
        if page.events:
            yield b"".join(map(_sent, page.events))
            silent = 0
        else:
            await asyncio.sleep(POLL)
            silent += 1
            yield b": waits\n\n" if silent % SILENT_POLLS == 0 else b""
        page = await _read(database, organization, query, page.next)


def _sent(event: Stored) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.type.encode(), event.written())
