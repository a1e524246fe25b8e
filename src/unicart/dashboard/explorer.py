"""The data explorer: records by the API's own filters, and one record beside the raw one of the platform."""

import shlex
from typing import Any

import msgspec
from starlette.responses import Response

from unicart.connectors.kit import ConnectorError
from unicart.contract.common import format_date
from unicart.contract.errors import InvalidRequest, NotFound
from unicart.contract.events import previous_attributes
from unicart.contract.filters import ListQuery
from unicart.contract.resources import BY_NAME, RESOURCES, Resource
from unicart.dashboard.json_text import decoded, indented
from unicart.dashboard.origins import Origin, origins
from unicart.dashboard.pages import Desk, Visit, path_to, problems, url
from unicart.store import records, tenants
from unicart.store.pages import Walk, sort_field
from unicart.store.secrets import SecretError
from unicart.store.tenants import Connection
from unicart.sync.connect import opened_connection

LIMITS = (25, 100, 250)
NOT_FILTERS = ("limit", "page_token", "note")
SPANS = (("hour", 3600), ("day", 86400), ("week", 7 * 86400))
SPAN = "trackstar_updated_date[gte]"
OURS = ("trackstar_tags", "trackstar_created_date", "trackstar_updated_date")


class Chip(msgspec.Struct, frozen=True):
    """A filter that holds, and the page without it."""

    text: str
    without: str


class Raw(msgspec.Struct, frozen=True):
    """What the platform says of a record now: the raw record, where its values went, and what our copy lacks."""

    text: str
    origins: list[Origin]
    differences: list[tuple[str, str, str]]


class ExplorerPages:
    """The pages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def choose(self, visit: Visit) -> Response:
        """The connections to choose from; the only one at once."""
        found = await tenants.list_connections(self._desk.database)
        if len(found) == 1:
            return visit.go(path_to("explore", found[0].id, "orders"))
        return visit.page("explore.html", found=found)

    async def page(self, visit: Visit) -> Response:
        """A page of records."""
        connection, resource = await self._of(visit)
        filters = [(name, value) for name, value in visit.query if name not in (*NOT_FILTERS, "add", "value")]
        limit = visit.asked("limit") or str(LIMITS[0])
        base = path_to("explore", connection.id, resource.name)
        if visit.asked("add"):
            added = [*filters, (visit.asked("add"), visit.asked("value"))]
            return visit.go(url(base, [*added, ("limit", limit)]))
        asked = [*filters, ("limit", limit)]
        token = visit.asked("page_token")
        shown, behind, wrong = await self._page(connection, resource, asked, token)
        return visit.page(
            "records.html",
            connection=connection,
            resource=resource,
            resources=RESOURCES,
            filters=filters,
            chips=_chips(base, filters, limit),
            wrong=wrong,
            shown=shown,
            limit=int(limit) if limit in map(str, LIMITS) else limit,
            limits=LIMITS,
            spans=_spans(base, filters, limit, visit.now),
            first=url(base, asked) if token else None,
            next=url(base, [*asked, ("page_token", behind)]) if behind else None,
            curl=self._curl(visit, resource.path, [*asked, *([("page_token", token)] if token else [])]),
        )

    async def one(self, visit: Visit) -> Response:
        """One record."""
        return await self._record(visit, None, None)

    async def compare(self, visit: Visit) -> Response:
        """One record, with the raw one that the platform has now."""
        connection, resource = await self._of(visit)
        id = visit.path["record"]
        document = await self._document(connection, resource, id)
        try:
            return await self._record(visit, await self._raw(connection, resource, id, document), None)
        except (ConnectorError, LookupError, SecretError) as error:
            return await self._record(visit, None, str(error))

    async def _of(self, visit: Visit) -> tuple[Connection, Resource]:
        connection = await self._desk.connection(visit.path["id"])
        resource = BY_NAME.get(visit.path["resource"])
        if resource is None:
            raise NotFound(f"There is no such list. Use one of: {', '.join(BY_NAME)}.", id=visit.path["resource"])
        return connection, resource

    async def _page(
        self, connection: Connection, resource: Resource, asked: list[tuple[str, str]], token: str
    ) -> tuple[list[dict[str, Any]], str | None, list[str]]:
        """The records, the token of the page behind them, and what is wrong with the filters."""
        tokens = self._desk.page_tokens
        try:
            query: ListQuery = resource.filters.parse(asked)
            sort = sort_field(query.conditions)
            after = tokens.read(token, connection.id, resource.name, sort) if token else None
        except InvalidRequest as error:
            return [], None, problems(error)
        page = await Walk(self._desk.database, connection.key, resource, query, after).page(query.limit)
        behind = tokens.write(connection.id, resource.name, sort, page.next) if page.next else None
        return [decoded(document) for document in page.documents], behind, []

    async def _document(self, connection: Connection, resource: Resource, id: str) -> bytes:
        found = None
        if id and "\x00" not in id:
            found = await records.one(self._desk.database, connection.key, resource, id)
        if found is None:
            raise NotFound(f"There is no such {resource.singular}. It may be gone on the platform.", id=id)
        return found

    async def _record(self, visit: Visit, raw: Raw | None, failure: str | None) -> Response:
        connection, resource = await self._of(visit)
        id = visit.path["record"]
        document = await self._document(connection, resource, id)
        return visit.page(
            "record.html",
            connection=connection,
            resource=resource,
            record=decoded(document),
            unified=indented(document),
            raw=raw,
            failure=failure,
            curl=self._curl(visit, f"{resource.path}/{path_to(id).rpartition('/')[2]}", []),
        )

    async def _raw(self, connection: Connection, resource: Resource, id: str, document: bytes) -> Raw:
        async with opened_connection(self._desk.database, self._desk.vault, connection) as platform:
            found = await platform.fetch(resource.function, [id])
            if not found:
                raise LookupError("The platform does not have this record any more, or does not show it to us.")
            raw = found[0]
            mapped = [records.prepare(each) for each in platform.map(resource.function, raw)]
        unified = {name: value for name, value in decoded(document).items() if name not in OURS}
        now: dict[str, Any] = next((decoded(each.content) for each in mapped if each.columns["id"] == id), {})
        ours, theirs = previous_attributes(unified, now), previous_attributes(now, unified)
        differences = [(name, indented(ours.get(name)), indented(theirs.get(name))) for name in {**ours, **theirs}]
        return Raw(indented(raw), origins(unified, decoded(raw)), differences)

    def _curl(self, visit: Visit, path: str, pairs: list[tuple[str, str]]) -> str:
        base = self._desk.settings.public_url.rstrip("/") or str(visit.request.base_url).rstrip("/")
        return (
            f"curl -g {shlex.quote(url(base + path, pairs))} \\\n"
            '  -H "x-trackstar-api-key: $UNICART_API_KEY" \\\n'
            '  -H "x-trackstar-access-token: $UNICART_ACCESS_TOKEN"'
        )


def _spans(base: str, filters: list[tuple[str, str]], limit: str, now: int) -> list[tuple[str, str]]:
    """The pages of what changed lately."""
    others = [(name, value) for name, value in filters if name != SPAN]
    return [(name, url(base, [*others, (SPAN, format_date(now - size)), ("limit", limit)])) for name, size in SPANS]


def _chips(base: str, filters: list[tuple[str, str]], limit: str) -> list[Chip]:
    found = []
    for number, (name, value) in enumerate(filters):
        others = [*filters[:number], *filters[number + 1 :], ("limit", limit)]
        found.append(Chip(f"{name}={value}", url(base, others)))
    return found
