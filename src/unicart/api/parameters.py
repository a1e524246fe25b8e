"""Query parameters that routes share."""

from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Scope

from unicart.contract.errors import InvalidRequest
from unicart.contract.filters import MAX_LIMIT, grouped, parse_limit, plain, read_each, single


class PageQuery(msgspec.Struct, frozen=True):
    """Which page of a list that has no filters."""

    limit: int = MAX_LIMIT
    page_token: str | None = None


class ConnectionsQuery(PageQuery, frozen=True):
    """Which page of the connections, of all customers or of one."""

    customer_id: str | None = None


Q = TypeVar("Q", bound=PageQuery)


def parameters(query_string: bytes) -> list[tuple[str, str]]:
    """The decoded parameters of a query string, in order."""
    return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)


def read_page_query(scope: Scope, kind: type[Q]) -> Q:
    """The page that a request asks for.

    Raises:
        InvalidRequest: naming every parameter that is unknown, malformed or given twice.
    """

    def parsed(name: str, values: list[str]) -> Any:
        if name not in kind.__struct_fields__:
            raise ValueError("is not a known parameter")
        return parse_limit(single(values)) if name == "limit" else plain(single(values))

    return kind(**read_each(grouped(parameters(scope["query_string"])), parsed))


def no_parameters(scope: Scope) -> None:
    """Refuse a query string.

    Raises:
        InvalidRequest: naming every parameter.
    """
    given = parameters(scope["query_string"])
    if given:
        raise InvalidRequest("query", {name: ["is not a known parameter"] for name, _ in given})
