"""Typed filters of the lists, and the query parameters that they become.

A bare value means equal. The names and operators are those of the contract; ``in_`` is ``in``.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypedDict, TypeVar

import msgspec

from unicart.contract.common import Tag, format_date, tag_text
from unicart.contract.orders import OrderStatus

V = TypeVar("V", bound=str)
Params = list[tuple[str, str]]
ROUNDED_UP = frozenset({"gte", "lt"})
"""Records' dates are whole seconds: at or after half past a second is at or after the next."""


class Dates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Conditions on a date, all of which hold. Each date has a zone."""

    eq: datetime | None = None
    neq: datetime | None = None
    gt: datetime | None = None
    gte: datetime | None = None
    lt: datetime | None = None
    lte: datetime | None = None
    in_: Sequence[datetime] | None = msgspec.field(name="in", default=None)
    nin: Sequence[datetime] | None = None


class Match(msgspec.Struct, Generic[V], frozen=True, kw_only=True, omit_defaults=True):
    """Conditions on a value, all of which hold. ``neq`` and ``nin`` keep records whose value is null."""

    eq: V | None = None
    neq: V | None = None
    in_: Sequence[V] | None = msgspec.field(name="in", default=None)
    nin: Sequence[V] | None = None


class Text(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Conditions on a text, all of which hold; ``contains`` finds a part of it."""

    eq: str | None = None
    in_: Sequence[str] | None = msgspec.field(name="in", default=None)
    nin: Sequence[str] | None = None
    contains: str | None = None
    not_contains: str | None = None


class Tags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Records that carry all tags of ``contains``, and none of ``not_contains``."""

    contains: Sequence[Tag] | None = None
    not_contains: Sequence[Tag] | None = None


class Filters(TypedDict, total=False):
    """The filters of every list."""

    created_date: datetime | Dates
    updated_date: datetime | Dates
    trackstar_created_date: datetime | Dates
    trackstar_updated_date: datetime | Dates
    trackstar_tags: Tags


class OrderFilters(Filters, total=False):
    """The filters of orders."""

    status: OrderStatus | Match[OrderStatus]
    warehouse_customer_id: str | Match[str]
    order_number: str | Text


def params(filters: Mapping[str, Any]) -> Params:
    """The query parameters of filters.

    Raises:
        ValueError: a date without a zone, or a comma in a value of a list, which the API would split there.
    """
    return list(_params(filters))


def listed(values: Sequence[Any], name: str, operator: str) -> str:
    """Several values in one parameter."""
    texts = [_text(value, operator) for value in values]
    for text in texts:
        if "," in text:
            raise ValueError(f"{name}: {text!r} holds a comma, where the API would split it. Ask for it by itself")
    return ",".join(texts)


def _params(filters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, given in filters.items():
        if not isinstance(given, msgspec.Struct):
            yield name, _text(given, "eq")
            continue
        for field in msgspec.structs.fields(given):
            value, operator = getattr(given, field.name), field.encode_name
            if value is None:
                continue
            several = not isinstance(value, str | datetime)
            parameter = f"{name}[{operator}]"
            yield parameter, listed(value, parameter, operator) if several else _text(value, operator)


def _text(value: Any, operator: str) -> str:
    if isinstance(value, datetime):
        return _date(value, operator)
    return tag_text(value) if isinstance(value, dict) else str(value)


def _date(moment: datetime, operator: str) -> str:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone. Use datetime.now(UTC), or say the zone")
    epoch = moment.astimezone(UTC).timestamp()
    return format_date(math.ceil(epoch) if operator in ROUNDED_UP else math.floor(epoch))
