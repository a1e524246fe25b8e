"""The filter grammar of the list routes: ``field=value`` and ``field[operator]=value``.

A resource declares its filters once, as `FilterField`s. Query parsing (here), the OpenAPI parameters, the SQL and the
choice of index all derive from that declaration.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, StrEnum
from typing import Any

import msgspec

from unicart.contract.common import DATE_FORMAT, parse_date
from unicart.contract.errors import InvalidRequest

MAX_LIMIT = 1000
MAX_VALUES = 100


class Operator(StrEnum):
    """What a filter compares by. A field without an operator means ``eq``."""

    EQ = "eq"
    NEQ = "neq"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    IN = "in"
    NIN = "nin"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"


class Kind(Enum):
    """What a field's values are."""

    DATE = "date"
    TEXT = "text"
    ENUM = "enum"
    TAGS = "tags"


LIST_OPERATORS = frozenset({Operator.IN, Operator.NIN})
DATE_OPERATORS = tuple(Operator)[:8]
MATCH_OPERATORS = (Operator.EQ, Operator.NEQ, Operator.IN, Operator.NIN)
TAG_OPERATORS = (Operator.CONTAINS, Operator.NOT_CONTAINS)


class FilterField(msgspec.Struct, frozen=True, kw_only=True):
    """One filterable field of a resource. ``values`` are the allowed ones of an enum."""

    name: str
    kind: Kind
    operators: tuple[Operator, ...]
    description: str
    example: str
    values: tuple[str, ...] = ()

    def takes_list(self, operator: Operator) -> bool:
        """Whether the parameter holds several values, comma-separated or repeated."""
        return operator in LIST_OPERATORS or self.kind is Kind.TAGS

    def parameters(self) -> Iterable[tuple[str, Operator]]:
        """Each query parameter of this field with its operator, the bare one first."""
        if Operator.EQ in self.operators:
            yield self.name, Operator.EQ
        for operator in self.operators:
            yield f"{self.name}[{operator.value}]", operator


class Condition(msgspec.Struct, frozen=True):
    """One parsed filter. Dates are epoch seconds, everything else text."""

    field: FilterField
    operator: Operator
    values: tuple[str | int, ...]


class ListQuery(msgspec.Struct, frozen=True):
    """A parsed list request. With ``ids``, nothing else counts."""

    limit: int = MAX_LIMIT
    page_token: str | None = None
    ids: tuple[str, ...] | None = None
    conditions: tuple[Condition, ...] = ()


class FilterSet:
    """The filters of one resource, and the parser of its query strings."""

    def __init__(self, fields: tuple[FilterField, ...]) -> None:
        self.fields = fields
        self._parameters = {name: (field, op) for field in fields for name, op in field.parameters()}

    def parse(self, pairs: Iterable[tuple[str, str]]) -> ListQuery:
        """Read decoded query ``pairs`` in the order in which they came.

        Raises:
            InvalidRequest: naming every parameter that is unknown, malformed or given twice.
        """
        given = grouped(pairs)
        if "ids[in]" in given:
            return ListQuery(ids=_parse_ids(given["ids[in]"]))
        found = read_each(given, self._read)
        limit, page_token = found.pop("limit", MAX_LIMIT), found.pop("page_token", None)
        return ListQuery(limit=limit, page_token=page_token, conditions=tuple(found.values()))

    def _read(self, name: str, values: list[str]) -> Any:
        if name == "limit":
            return parse_limit(single(values))
        if name == "page_token":
            return plain(single(values))
        return self._condition(name, values)

    def _condition(self, name: str, values: list[str]) -> Condition:
        if name not in self._parameters:
            raise ValueError(self._unknown(name))
        field, operator = self._parameters[name]
        texts = split_list(values) if field.takes_list(operator) else [single(values)]
        return Condition(field, operator, tuple(_parse_value(field, text) for text in texts))

    def _unknown(self, name: str) -> str:
        base = name.partition("[")[0]
        for field in self.fields:
            if field.name == base:
                allowed = ", ".join(parameter for parameter, _ in field.parameters())
                return f"is not a known operator of {base}. Use one of: {allowed}"
        return "is not a known parameter"


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of each parameter, in the order in which they came."""
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    return given


def read_each(given: Mapping[str, list[str]], read: Callable[[str, list[str]], Any]) -> dict[str, Any]:
    """What ``read`` makes of each parameter.

    Raises:
        InvalidRequest: naming every parameter for which it raises `ValueError`.
    """
    found: dict[str, Any] = {}
    problems: dict[str, list[str]] = {}
    for name, values in given.items():
        try:
            found[name] = read(name, values)
        except ValueError as error:
            problems[name] = [str(error)]
    if problems:
        raise InvalidRequest("query", problems)
    return found


def parse_limit(text: str) -> int:
    """A page size of 1 to 1000.

    Raises:
        ValueError: anything else.
    """
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= MAX_LIMIT and len(text) <= 4):
        raise ValueError(f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def split_list(values: list[str]) -> list[str]:
    """The distinct values of a comma-separated or repeated parameter, in order.

    Raises:
        ValueError: an empty value, or more than 100.
    """
    texts = [text for value in values for text in value.split(",")]
    if "" in texts:
        raise ValueError("must not hold an empty value")
    if len(texts) > MAX_VALUES:
        raise ValueError(f"must hold at most {MAX_VALUES} values, got {len(texts)}")
    return list(dict.fromkeys(texts))


def _parse_ids(values: list[str]) -> tuple[str, ...]:
    try:
        return tuple(plain(text) for text in split_list(values))
    except ValueError as error:
        raise InvalidRequest("query", {"ids[in]": [str(error)]}) from None


def single(values: list[str]) -> str:
    """The value of a parameter that may be given once.

    Raises:
        ValueError: it is given more often.
    """
    if len(values) > 1:
        raise ValueError("must be given only once")
    return values[0]


def _parse_value(field: FilterField, text: str) -> str | int:
    if field.kind is Kind.DATE:
        return parse_date(text)
    if field.kind is Kind.ENUM and text not in field.values:
        raise ValueError(f"must be one of: {', '.join(field.values)}")
    return plain(text)


def plain(text: str) -> str:
    """A text that a database can look for.

    Raises:
        ValueError: it is empty, or holds a NUL character.
    """
    if not text:
        raise ValueError("must not be empty")
    if "\x00" in text:
        raise ValueError("must not hold a NUL character")
    return text


def date_field(name: str, description: str, example: str) -> FilterField:
    """A date filter with all eight date operators."""
    form = f"The form is always {DATE_FORMAT} (UTC)."
    return FilterField(
        name=name, kind=Kind.DATE, operators=DATE_OPERATORS, description=f"{description} {form}", example=example
    )
