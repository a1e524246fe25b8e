"""The routes of the three record families: lists, single records and tags."""

import time
from functools import lru_cache

import msgspec
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Scope

from unicart.api.authentication import Authenticator, Caller, require_write
from unicart.api.body import Fields, is_null, read_object, refuse_null
from unicart.api.page_tokens import PageTokens
from unicart.api.parameters import no_parameters, parameters
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
from unicart.store.tenants import ApiKey

MAX_TAGS = 100
MAX_TAG_LENGTH = 255
QUERIES = 1024


class Services(msgspec.Struct, frozen=True):
    """What the routes need."""

    database: Database
    authenticator: Authenticator
    rate_limiter: RateLimiter
    page_tokens: PageTokens

    async def caller(self, scope: Scope, *, write: bool) -> Caller:
        """Who sends a request about one connection.

        Raises:
            UnicartError: nobody we know, one request too many, or a write with a read-only key.
        """
        caller = await self.authenticator.caller(scope["headers"])
        self.rate_limiter.admit(scope, caller.connection.key, write)
        if write:
            require_write(caller.key)
        return caller

    async def key(self, scope: Scope, *, write: bool = False) -> ApiKey:
        """The key of a request about what concerns a whole organization.

        Raises:
            UnicartError: none that we know, one request too many, or a write with a read-only key.
        """
        key = await self.authenticator.key(scope["headers"])
        self.rate_limiter.admit(scope, key.id, write)
        if write:
            require_write(key)
        return key


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
        no_parameters(scope)
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
        id: str = request.path_params["id"]
        tags, unused = _read_tags(await read_object(request))
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
        caller = await self._services.caller(scope, write=write)
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


def _read_tags(fields: Fields) -> tuple[list[Tag], list[str]]:
    """The tags of a request body, and the names of the fields that nothing is done with."""
    if "trackstar_tags" not in fields:
        raise InvalidRequest("json", {"trackstar_tags": ["is required"]})
    refuse_null(fields)
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


def _tag_problem(tag: object) -> str | None:
    texts = [tag] if isinstance(tag, str) else []
    if isinstance(tag, dict):
        if len(tag) != 1:
            return "must have exactly one key"
        texts = [*tag.keys(), *tag.values()]
    if not texts or not all(isinstance(text, str) for text in texts):
        return "must be a string, or an object of one key with a string"
    for text in texts:
        if is_null(text):
            return "must not be null or empty"
        if len(text) > MAX_TAG_LENGTH or "\x00" in text:
            return f"must be at most {MAX_TAG_LENGTH} characters without NUL"
    return None
