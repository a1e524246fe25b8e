"""Query parameters that routes share."""

from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Scope

from unicart.contract.errors import InvalidRequest
from unicart.contract.filters import MAX_LIMIT, grouped, parse_limit, plain, read_each, single


class PageQuery(msgspec.Struct, frozen=True):
    """Which page of a list that has no filters."""

    limit: int = MAX_LIMIT
    page_token: str | None = None


def parameters(query_string: bytes) -> list[tuple[str, str]]:
    """The decoded parameters of a query string, in order."""
    return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)


def read_page_query(scope: Scope) -> PageQuery:
    """The page that a request asks for.

    Raises:
        InvalidRequest: naming every parameter that is unknown, malformed or given twice.
    """
    return PageQuery(**read_each(grouped(parameters(scope["query_string"])), _parsed))


def _parsed(name: str, values: list[str]) -> Any:
    if name == "limit":
        return parse_limit(single(values))
    if name == "page_token":
        return plain(single(values))
    raise ValueError("is not a known parameter")


def no_parameters(scope: Scope) -> None:
    """Refuse a query string.

    Raises:
        InvalidRequest: naming every parameter.
    """
    given = parameters(scope["query_string"])
    if given:
        raise InvalidRequest("query", {name: ["is not a known parameter"] for name, _ in given})
