"""The routes of the three record families: lists and single records."""

from functools import lru_cache

import msgspec
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Scope

from unicart.api.authentication import Authenticator, Caller, require_write
from unicart.api.page_tokens import PageTokens
from unicart.api.parameters import no_parameters, parameters
from unicart.api.rate_limit import RateLimiter
from unicart.api.reply import NDJSON, Endpoint, Reply, Stream, accepts, lines
from unicart.api.uses import Uses
from unicart.connectors.registry import connector
from unicart.contract.errors import NotFound, NotImplementedHere
from unicart.contract.filters import ListQuery
from unicart.contract.resources import RESOURCES, Function, Resource
from unicart.store import records
from unicart.store.database import Database
from unicart.store.pages import Walk, sort_field
from unicart.store.tenants import ApiKey, Connection

QUERIES = 1024


class Services(msgspec.Struct, frozen=True):
    """What the routes need."""

    database: Database
    authenticator: Authenticator
    rate_limiter: RateLimiter
    page_tokens: PageTokens
    uses: Uses

    async def caller(self, scope: Scope, *, write: bool) -> Caller:
        """Who sends a request about one connection.

        Raises:
            UnicartError: nobody we know, one request too many, or a write with a read-only key.
        """
        caller = await self.authenticator.caller(scope["headers"])
        self.rate_limiter.admit(scope, caller.connection.key, write)
        self.uses.count(caller.connection.key)
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
        caller = await self._admit(scope)
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
        caller = await self._admit(scope)
        no_parameters(scope)
        id: str = request.path_params["id"]
        document = None
        if id and "\x00" not in id:
            document = await records.one(self._services.database, caller.connection.key, self._resource, id)
        if document is None:
            raise self._not_found(id)
        return Reply(b'{"data":%s}' % document)

    async def _admit(self, scope: Scope) -> Caller:
        caller = await self._services.caller(scope, write=False)
        require_function(caller.connection, self._resource.function)
        return caller

    def _read_query(self, query_string: bytes) -> ListQuery:
        return self._resource.filters.parse(parameters(query_string))

    def _not_found(self, id: str) -> NotFound:
        return NotFound(f"{self._resource.singular.capitalize()} not found", id=id)


def require_function(connection: Connection, function: Function) -> None:
    """Let only a connection pass whose platform has ``function``.

    Raises:
        NotImplementedHere: it has not.
    """
    facts = connector(connection.integration_name).facts
    if function not in facts.functions:
        raise NotImplementedHere(f"Endpoint {function.value} is not implemented for {facts.display_name}")


def _envelope(documents: list[bytes], token: bytes) -> bytes:
    """The page's body in one join: every concatenation would copy a megabyte."""
    tail = b'],"next_token":%s,"total_count":%d}' % (token, len(documents))
    if not documents:
        return b'{"data":[' + tail
    documents[0] = b'{"data":[' + documents[0]
    documents[-1] += tail
    return b",".join(documents)
