"""Rows as structs whose fields are named as the columns are."""

from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column, Table

from unicart.store.database import Row

S = TypeVar("S", bound=msgspec.Struct)


def columns(kind: type[msgspec.Struct], table: Table) -> tuple[Column[Any], ...]:
    """The columns of ``table`` that make a ``kind``, in the order of its fields."""
    return tuple(table.c[name] for name in kind.__struct_fields__)


def read(kind: type[S], row: Row) -> S:
    """The ``kind`` of a row of its fields."""
    return msgspec.convert(dict(zip(kind.__struct_fields__, tuple(row), strict=True)), kind, strict=False)
