"""SQLAlchemy Core expressions, compiled once to the text that a driver runs."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import asyncpg as postgresql_asyncpg
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteDialect
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import ClauseElement


class _HintingCompiler(SQLiteCompiler):
    """Writes ``Select.with_hint`` texts, which SQLAlchemy itself ignores on SQLite, behind the table."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        return text


class _SQLite(SQLiteDialect):
    statement_compiler = _HintingCompiler
    supports_statement_cache = True


DIALECTS: Mapping[str, Dialect] = {
    "sqlite": _SQLite(paramstyle="qmark"),
    "postgresql": postgresql_asyncpg.dialect(),  # type: ignore[no-untyped-call]
}


def insert_into(table: Table, dialect: str) -> "postgresql.Insert | sqlite.Insert":
    """An insert of ``dialect``, which can say what happens on a conflict."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


class Statement(msgspec.Struct, frozen=True):
    """SQL text of one dialect and the names of its parameters, in the order of their places."""

    text: str
    names: tuple[str, ...]
    defaults: Mapping[str, Any]

    def bind(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values in the order of the statement's places."""
        defaults = self.defaults
        return tuple([values[name] if name in values else defaults[name] for name in self.names])


def compile_statement(expression: ClauseElement, dialect: str) -> Statement:
    """``expression`` as text for ``dialect`` (``sqlite`` or ``postgresql``)."""
    compiled: Any = expression.compile(dialect=DIALECTS[dialect], compile_kwargs={"render_postcompile": True})
    return Statement(str(compiled), tuple(compiled.positiontup or ()), dict(compiled.params))
