"""The routes of the three record families: lists, single records and tags."""

import time
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Scope

from unicart.api.authentication import Authenticator, Caller
from unicart.api.page_tokens import PageTokens
from unicart.api.rate_limit import RateLimiter
from unicart.api.reply import NDJSON, Endpoint, Reply, Stream, accepts, lines
from unicart.connectors.registry import connector
from unicart.contract.common import Tag
from unicart.contract.errors import InvalidRequest, NotFound, NotImplementedHere
from unicart.contract.filters import ListQuery
from unicart.contract.resources import RESOURCES, Resource
from unicart.store import records
from unicart.store.database import Database
from unicart.store.pages import Walk, sort_field

MAX_BODY = 1 << 20
MAX_TAGS = 100
MAX_TAG_LENGTH = 255
QUERIES = 1024
NULL_WORDS = ("", "none", "null")


class Services(msgspec.Struct, frozen=True):
    """What the routes need."""

    database: Database
    authenticator: Authenticator
    rate_limiter: RateLimiter
    page_tokens: PageTokens


def routes(services: Services) -> list[Route]:
    """The routes of all three families."""
    found: list[Route] = []
    for resource in RESOURCES:
        family = RecordRoutes(resource, services)
        found += [
            Route(resource.path, Endpoint(family.list), methods=["GET"]),
            Route(f"{resource.path}/{{id:path}}/trackstar-tags", Endpoint(family.put_tags), methods=["PUT"]),
            Route(f"{resource.path}/{{id:path}}", Endpoint(family.get), methods=["GET"]),
        ]
    return found


class RecordRoutes:
    """The routes of one family."""

    def __init__(self, resource: Resource, services: Services) -> None:
        self._resource = resource
        self._services = services
        self._query = lru_cache(maxsize=QUERIES)(self._read_query)

    async def list(self, request: Request) -> Reply | Stream:
        """A page of records, or all of them as NDJSON."""
        scope = request.scope
        scope["unicart.route"] = self._resource.path
        caller = await self._admit(scope, write=False)
        query = self._query(scope["query_string"])
        connection, tokens = caller.connection, self._services.page_tokens
        sort = sort_field(query.conditions)
        after = None
        if query.page_token is not None:
            after = tokens.read(query.page_token, connection.id, self._resource.name, sort)
        walk = Walk(self._services.database, connection.key, self._resource, query, after)
        if accepts(scope, b"application/x-ndjson"):
            return Stream(lines(walk.batches(self._services.database.stream_batch)), NDJSON)
        page = await walk.page(query.limit)
        token = b"null"
        if page.next is not None:
            token = b'"%s"' % tokens.write(connection.id, self._resource.name, sort, page.next).encode()
        return Reply(_envelope(page.documents, token))

    async def get(self, request: Request) -> Reply:
        """One record."""
        scope = request.scope
        scope["unicart.route"] = f"{self._resource.path}/{{{self._resource.singular}_id}}"
        caller = await self._admit(scope, write=False)
        _no_parameters(scope)
        id: str = request.path_params["id"]
        document = None
        if id and "\x00" not in id:
            document = await records.one(self._services.database, caller.connection.key, self._resource, id)
        if document is None:
            raise self._not_found(id)
        return Reply(b'{"data":%s}' % document)

    async def put_tags(self, request: Request) -> Reply:
        """Replace the tags of one record; nothing is sent to the platform."""
        scope = request.scope
        scope["unicart.route"] = f"{self._resource.path}/{{{self._resource.singular}_id}}/trackstar-tags"
        caller = await self._admit(scope, write=True)
        caller.may_write()
        id: str = request.path_params["id"]
        tags, unused = _read_tags(await read_body(request))
        if "\x00" in id:
            raise self._not_found(id)
        async with self._services.database.write() as transaction:
            document = await records.set_tags(
                transaction, caller.connection, self._resource, id, tags, int(time.time())
            )
        if document is None:
            raise self._not_found(id)
        answer = b'{"data":%s,"id":%s,"unused_fields":%s}'
        return Reply(answer % (document, msgspec.json.encode(id), msgspec.json.encode(unused)))

    async def _admit(self, scope: Scope, write: bool) -> Caller:
        caller = await self._services.authenticator.caller(scope["headers"])
        self._services.rate_limiter.admit(scope, caller.connection.key, write)
        facts = connector(caller.connection.integration_name).facts
        if self._resource.function not in facts.functions:
            raise NotImplementedHere(
                f"Endpoint {self._resource.function.value} is not implemented for {facts.display_name}"
            )
        return caller

    def _read_query(self, query_string: bytes) -> ListQuery:
        return self._resource.filters.parse(parameters(query_string))

    def _not_found(self, id: str) -> NotFound:
        return NotFound(f"{self._resource.singular.capitalize()} not found", id=id)


def _envelope(documents: list[bytes], token: bytes) -> bytes:
    """The page's body in one join: every concatenation would copy a megabyte."""
    tail = b'],"next_token":%s,"total_count":%d}' % (token, len(documents))
    if not documents:
        return b'{"data":[' + tail
    documents[0] = b'{"data":[' + documents[0]
    documents[-1] += tail
    return b",".join(documents)


def parameters(query_string: bytes) -> list[tuple[str, str]]:
    """The decoded parameters of a query string, in order."""
    return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)


def _no_parameters(scope: Scope) -> None:
    given = parameters(scope["query_string"])
    if given:
        raise InvalidRequest("query", {name: ["is not a known parameter"] for name, _ in given})


async def read_body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        InvalidRequest: it is too large.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise InvalidRequest("json", {"body": [f"must be at most {MAX_BODY >> 20} MB"]})
        parts.append(part)
    return b"".join(parts)


def _read_tags(body: bytes) -> tuple[list[Tag], list[str]]:
    """The tags of a request body, and the names of the fields that nothing is done with."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("json", {"body": ["must be a JSON object"]}) from None
    if "trackstar_tags" not in fields:
        raise InvalidRequest("json", {"trackstar_tags": ["is required"]})
    problems = {name: ["must not be null or empty"] for name, value in fields.items() if _is_null(value)}
    if problems:
        raise InvalidRequest("json", problems)
    given = fields["trackstar_tags"]
    if not isinstance(given, list):
        raise InvalidRequest("json", {"trackstar_tags": ["must be a list of strings and one-key objects"]})
    if len(given) > MAX_TAGS:
        raise InvalidRequest("json", {"trackstar_tags": [f"must hold at most {MAX_TAGS} tags"]})
    for number, tag in enumerate(given):
        problem = _tag_problem(tag)
        if problem:
            raise InvalidRequest("json", {f"trackstar_tags.{number}": [problem]})
    return given, sorted(set(fields) - {"trackstar_tags"})


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.lower() in NULL_WORDS)


def _tag_problem(tag: object) -> str | None:
    texts = [tag] if isinstance(tag, str) else []
    if isinstance(tag, dict):
        if len(tag) != 1:
            return "must have exactly one key"
        texts = [*tag.keys(), *tag.values()]
    if not texts or not all(isinstance(text, str) for text in texts):
        return "must be a string, or an object of one key with a string"
    for text in texts:
        if _is_null(text):
            return "must not be null or empty"
        if len(text) > MAX_TAG_LENGTH or "\x00" in text:
            return f"must be at most {MAX_TAG_LENGTH} characters without NUL"
    return None
