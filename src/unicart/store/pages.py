"""Keyset pages of a list query.

A walk goes through one index in the order (date, id) from a position on. The filters decide which:

- **arms**: ranges of an index whose leading columns the filters fix (``status[in]=open,processing`` is two ranges); several
  are merged by key, and documents are fetched for the merged keys only. Nothing is read that is not returned.
- **residual** conditions, which no index range expresses together with the order (``status[neq]``, a bound on another date),
  are checked row by row, in windows of bounded size, so that no statement runs for long. Should a window come out thin, the
  conditions' own indexes are asked whether one of them is selective; if so its matches are fetched and sorted instead.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    any_,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from unicart.contract.common import parse_date
from unicart.contract.filters import Condition, Kind, ListQuery, Operator
from unicart.contract.orders import OrderStatus
from unicart.contract.resources import Resource
from unicart.store.database import Database, Row
from unicart.store.statements import Statement
from unicart.store.tables import RECORDS, record_tags

DATES = {
    "created_date": "created",
    "updated_date": "updated",
    "trackstar_created_date": "trackstar_created",
    "trackstar_updated_date": "trackstar_updated",
}
EARLIEST, LATEST = -(1 << 60), 1 << 60
MAX_ARMS = 100
ARMS_AT_ONCE = 50
"""Ranges in one statement; SQLite keeps no longer ones prepared."""
WINDOW_FACTOR, MAX_WINDOW = 4, 8192
FEW = 2000
PLANS = 1024

_LOWER = (Operator.GT, Operator.GTE, Operator.EQ, Operator.IN)
_BOUNDS = (Operator.GT, Operator.GTE, Operator.LT, Operator.LTE, Operator.EQ)


class Position(msgspec.Struct, frozen=True):
    """A place in a walk: the date (epoch seconds) and id of the last record that was returned."""

    date: int
    id: str


class _Keys(msgspec.Struct):
    """What a document says of its place in any walk."""

    id: str
    created_date: str
    updated_date: str
    trackstar_updated_date: str


_keys = msgspec.json.Decoder(_Keys)


def _place_of(document: bytes, sort: str) -> Position:
    """The place of ``document`` in a walk in the order of ``sort``."""
    keys = _keys.decode(document)
    return Position(parse_date(getattr(keys, f"{sort}_date")), keys.id)


class Page(msgspec.Struct, frozen=True):
    """Documents in order, and the position to go on from; null at the end."""

    documents: list[bytes]
    next: Position | None


class _Arm(msgspec.Struct, frozen=True):
    """One range: the values of the index's leading columns, and the dates it spans (both included)."""

    prefix: tuple[str | int, ...]
    low: int
    high: int


class _Plan(msgspec.Struct, frozen=True):
    sort: str
    source: str
    columns: tuple[str, ...]
    arms: tuple[_Arm, ...]
    residual: tuple[Condition, ...]
    shape: tuple[Any, ...]
    """All that the text of the plan's statements depends on."""

    parts: "tuple[_Plan, ...]" = ()
    """The same in plans of few enough ranges each."""


def sort_field(conditions: Sequence[Condition]) -> str:
    """The date field whose order the walk follows (decision 12 of the contract).

    A lower bound on ``updated_date`` or ``trackstar_updated_date`` and none on ``created_date`` makes it that field (the
    first of the two); otherwise it is ``created_date``. ``eq`` and ``in`` are lower bounds too.
    """
    if not conditions:
        return "created_date"
    bounded = {condition.field.name for condition in conditions if condition.operator in _LOWER}
    if "created_date" not in bounded:
        for name in ("updated_date", "trackstar_updated_date"):
            if name in bounded:
                return name
    return "created_date"


class Walk:
    """A list query on its way through one connection's records of one resource, from ``after`` on."""

    def __init__(
        self,
        database: Database,
        connection_key: int,
        resource: Resource,
        query: ListQuery,
        after: Position | None = None,
    ) -> None:
        self._database = database
        self._connection_key = connection_key
        self._resource = resource
        self._table = RECORDS[resource.name]
        self._query = query
        self._after = after or Position(EARLIEST, "")
        self._plan = _plan(resource.name, query.conditions)
        self._few: Condition | None = None
        self._probed = False

    async def page(self, limit: int) -> Page:
        """The next ``limit`` documents."""
        if self._query.ids is not None:
            return await self._by_ids(self._query.ids)
        if not self._plan.arms:
            return Page([], None)
        documents = await self._documents(limit + 1)
        if len(documents) <= limit:
            return Page(documents, None)
        del documents[limit:]
        self._after = _place_of(documents[-1], self._plan.sort)
        return Page(documents, self._after)

    async def batches(self, size: int) -> AsyncGenerator[list[bytes], None]:
        """All remaining documents, at most ``size`` at a time, each batch asked for while the one before is used."""
        asked = asyncio.ensure_future(self.page(size))
        try:
            while (page := await asked).next is not None:
                asked = asyncio.ensure_future(self.page(size))
                yield page.documents
            if page.documents:
                yield page.documents
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def _documents(self, count: int) -> list[bytes]:
        if not self._plan.residual:
            return await self._ranges(count)
        if self._few is not None:
            return await self._fetch_few(count)
        return await self._windows(count)

    async def _ranges(self, count: int) -> list[bytes]:
        values = {"count": count}
        if len(self._plan.parts) == 1:
            return await self._fetch(_Shape(self._plan), values, self._after)
        rows: list[Row] = []
        for part in self._plan.parts:
            rows += await self._fetch_rows(_Shape(part, keyed=True), values, self._after)
        return [document for _, _, document in sorted(rows)[:count]]

    async def _windows(self, count: int) -> list[bytes]:
        found: list[bytes] = []
        after, window = self._after, count * WINDOW_FACTOR
        while True:
            values = {"count": count - len(found), "window": window}
            found += await self._fetch(_Shape(self._plan, windowed=True), values, after)
            if len(found) >= count:
                return found
            end = await self._window_end(window, after)
            if end is None:
                return found
            if not self._probed:
                self._probed = True
                self._few = await self._selective()
                if self._few is not None:
                    return await self._fetch_few(count)
                end = max(end, await self._before_arrivals(), key=lambda position: position.date)
            after = end
            window = min(window * 2, MAX_WINDOW)
            await asyncio.sleep(0)

    async def _window_end(self, window: int, after: Position) -> Position | None:
        values = {"skip": window - 1, "window": window}
        rows = await self._fetch_rows(_Shape(self._plan, end=True), values, after)
        return Position(rows[0][0], rows[0][1]) if rows else None

    async def _selective(self) -> Condition | None:
        """A condition whose own index says that few records meet it."""
        for condition in self._query.conditions:
            statement = _probe(self._database, self._resource, condition)
            if statement is None:
                continue
            values = {"tenant": self._connection_key, "few": FEW + 1, **_condition_values([condition])}
            if (await self._database.fetch(statement, values))[0][0] <= FEW:
                return condition
        return None

    async def _before_arrivals(self) -> Position:
        """A place behind which every record is that was stored at or after a lower bound on ``trackstar_created_date``."""
        bounds = [
            int(condition.values[0]) + (condition.operator is Operator.GT)
            for condition in self._plan.residual
            if condition.field.name == "trackstar_created_date" and condition.operator in (Operator.GT, Operator.GTE)
        ]
        if not bounds or self._plan.sort != "created":
            return Position(EARLIEST, "")
        values = {"tenant": self._connection_key, "low": max(bounds), "few": FEW + 1}
        earliest, seconds = (await self._database.fetch(_arrivals(self._database, self._table), values))[0]
        return Position(earliest, "") if 0 < seconds <= FEW else Position(EARLIEST, "")

    async def _fetch_few(self, count: int) -> list[bytes]:
        if self._few is None:
            raise AssertionError("no selective condition")
        conditions = self._query.conditions
        statement = _few(self._database, self._resource, self._plan.sort, self._few, conditions)
        values = {
            "tenant": self._connection_key,
            "count": count,
            "after_date": self._after.date,
            "after_id": self._after.id,
            **_condition_values(conditions),
            **_condition_values([self._few], "few_"),
        }
        return await self._database.fetch_documents(statement, values)

    async def _by_ids(self, ids: Sequence[str]) -> Page:
        statement = _by_ids(self._database, self._table, len(ids))
        values = {"tenant": self._connection_key, **{f"id_{number}": id for number, id in enumerate(ids)}}
        return Page(await self._database.fetch_documents(statement, values), None)

    async def _fetch(self, shape: "_Shape", values: Mapping[str, Any], after: Position) -> list[bytes]:
        statement = shape.statement(self._database, self._table)
        return await self._database.fetch_documents(statement, self._bound(shape, values, after))

    async def _fetch_rows(self, shape: "_Shape", values: Mapping[str, Any], after: Position) -> list[Row]:
        statement = shape.statement(self._database, self._table)
        return await self._database.fetch(statement, self._bound(shape, values, after))

    def _bound(self, shape: "_Shape", values: Mapping[str, Any], after: Position) -> dict[str, Any]:
        bound: dict[str, Any] = {"tenant": self._connection_key, **values, **_condition_values(self._plan.residual)}
        for number, arm in enumerate(shape.plan.arms):
            start = after if after.date >= arm.low else Position(arm.low, "")
            bound[f"date_{number}"], bound[f"id_{number}"], bound[f"high_{number}"] = start.date, start.id, arm.high
            for column, value in zip(shape.plan.columns, arm.prefix, strict=True):
                bound[f"{column}_{number}"] = value
        return bound


# --- from a query to a plan -------------------------------------------------------------------------------------------


@lru_cache(maxsize=PLANS)
def _plan(resource: str, conditions: tuple[Condition, ...]) -> _Plan:
    name = sort_field(conditions)
    sort = DATES[name]
    on_sort = [condition for condition in conditions if condition.field.name == name]
    rest = [condition for condition in conditions if condition.field.name != name]
    spans, left = _spans(on_sort)
    source, columns, prefixes, used = _prefixes(sort, rest)
    if len(prefixes) * len(spans) > MAX_ARMS and len(spans) > 1:
        left = [*left, *(condition for condition in on_sort if condition not in left)]
        spans = [(spans[0][0], spans[-1][1])]
    arms = tuple(_Arm(prefix, low, high) for prefix, (low, high) in itertools.product(prefixes, spans))
    residual = (*left, *(condition for condition in rest if condition not in used))
    checks = tuple((condition.field.name, condition.operator, len(condition.values)) for condition in residual)

    def plan(arms: tuple[_Arm, ...], parts: tuple[_Plan, ...] = ()) -> _Plan:
        shape = resource, sort, source, columns, len(arms), checks
        return _Plan(sort, source or resource, columns, arms, residual, shape, parts)

    starts = range(0, len(arms), ARMS_AT_ONCE)
    return plan(arms, tuple(plan(arms[start : start + ARMS_AT_ONCE]) for start in starts))


def _spans(conditions: Iterable[Condition]) -> tuple[list[tuple[int, int]], list[Condition]]:
    """The ranges of the sort date that the conditions allow, in order, and the conditions these do not express."""
    low, high = EARLIEST, LATEST
    points: set[int] | None = None
    left: list[Condition] = []
    for condition in conditions:
        values = [int(value) for value in condition.values]
        match condition.operator:
            case Operator.GT:
                low = max(low, values[0] + 1)
            case Operator.GTE:
                low = max(low, values[0])
            case Operator.LT:
                high = min(high, values[0] - 1)
            case Operator.LTE:
                high = min(high, values[0])
            case Operator.EQ | Operator.IN:
                points = set(values) if points is None else points & set(values)
            case _:
                left.append(condition)
    if points is not None:
        return [(point, point) for point in sorted(points) if low <= point <= high], left
    return ([(low, high)] if low <= high else []), left


_Prefixes = tuple[str | None, tuple[str, ...], list[tuple[str | int, ...]], list[Condition]]


def _prefixes(sort: str, conditions: Sequence[Condition]) -> _Prefixes:
    """The most selective index that leads to ``sort``: its leading columns, their values, and the conditions it meets."""
    statuses, by_status = _allowed_statuses(conditions)
    customers, by_customer = _equal_to(conditions, "warehouse_customer_id")
    numbers, by_number = _equal_to(conditions, "order_number")
    if by_number and sort == "created":
        return None, ("order_number",), [(number,) for number in numbers], by_number
    stored, by_stored = _equal_to(conditions, "trackstar_created_date")
    if by_stored and sort == "created":
        return None, ("trackstar_created",), [(second,) for second in stored], by_stored
    if by_customer and not by_status and sort != "trackstar_updated":
        return None, ("warehouse_customer_id",), [(customer,) for customer in customers], by_customer
    if by_customer and sort != "trackstar_updated" and len(customers) * len(statuses) <= MAX_ARMS:
        columns = ("warehouse_customer_id", "status")
        return None, columns, list(itertools.product(customers, statuses)), [*by_customer, *by_status]
    tagged = [c for c in conditions if c.field.kind is Kind.TAGS and c.operator is Operator.CONTAINS]
    if tagged and sort == "created":
        met = [condition for condition in tagged[:1] if len(condition.values) == 1]
        return "record_tags", ("tag",), [(str(tagged[0].values[0]),)], met
    if by_status and sort != "trackstar_updated":
        return None, ("status",), [(status,) for status in statuses], by_status
    return None, (), [()], []


def _allowed_statuses(conditions: Iterable[Condition]) -> tuple[list[str], list[Condition]]:
    allowed = [status.value for status in OrderStatus]
    met = [condition for condition in conditions if condition.field.name == "status"]
    for condition in met:
        keep = condition.operator in (Operator.EQ, Operator.IN)
        allowed = [status for status in allowed if (status in condition.values) == keep]
    return allowed, met


def _equal_to(conditions: Iterable[Condition], name: str) -> tuple[list[str | int], list[Condition]]:
    """The values that ``eq`` and ``in`` conditions on the field leave, and those conditions."""
    met = [c for c in conditions if c.field.name == name and c.operator in (Operator.EQ, Operator.IN)]
    sets = [dict.fromkeys(condition.values) for condition in met]
    left = [value for value in sets[0] if all(value in other for other in sets)] if sets else []
    return left, met


# --- from a plan to SQL -----------------------------------------------------------------------------------------------


class _Shape(msgspec.Struct, frozen=True):
    """What the text of a page's statement depends on.

    ``windowed`` checks residual conditions on the first ``:window`` keys only; ``end`` asks for the key at the window's end;
    ``keyed`` asks for the key before each document.
    """

    plan: _Plan
    windowed: bool = False
    end: bool = False
    keyed: bool = False

    def statement(self, database: Database, table: Table) -> Statement:
        """The compiled statement, compiled once for each shape."""
        key = (self.plan.shape, self.windowed, self.end, self.keyed)
        return database.prepared(key, lambda: self._select(database.dialect, table))

    def _select(self, dialect: str, table: Table) -> Select[Any]:
        plan = self.plan
        if len(plan.arms) == 1 and plan.source == table.name and not (self.windowed or self.end or self.keyed):
            date, id = table.c[plan.sort], table.c.id
            return self._arm(table, 0, [table.c.doc]).order_by(date, id).limit(bindparam("count"))
        checked = self._checked(table) if self.windowed and plan.source == table.name else []
        # PostgreSQL comes by the document as it walks an index; SQLite is better off fetching those of merged keys.
        whole = dialect == "postgresql" and plan.source == table.name and not self.end
        row: ColumnElement[Any] = (
            table.c.doc if whole else literal_column("rowid" if dialect == "sqlite" else "NULL::int")
        )
        arms = [self._arm(table, number, self._key_columns(table, row, checked)) for number in range(len(plan.arms))]
        size: ColumnElement[Any] = bindparam("window" if self.windowed or self.end else "count")
        if dialect == "postgresql" and len(arms) > 1:
            # SQLite merges ordered ranges lazily by itself; PostgreSQL does if each says its order and size.
            arms = [arm.order_by("date", "id").limit(size) for arm in arms]
        merged: Any = union_all(*arms) if len(arms) > 1 else arms[0]
        if self.end:
            return merged.order_by("date", "id").limit(1).offset(bindparam("skip"))  # type: ignore[no-any-return]
        keys = merged.order_by("date", "id").limit(size).subquery("k")
        if checked:
            # Rejected keys cost no more than their index entry, where the index holds the columns.
            met = select(keys.c.date, keys.c.id, keys.c.row).where(*_where(dialect, table, plan.residual, keys.c))
            keys = met.order_by("date", "id").limit(bindparam("count")).subquery("met")
        document = keys.c.row if whole else table.c.doc
        columns = [keys.c.date, keys.c.id, document] if self.keyed else [document]
        query = select(*columns).select_from(keys if whole else self._joined(dialect, table, keys))
        if self.windowed and not checked:
            query = query.where(*_where(dialect, table, plan.residual, table.c)).limit(bindparam("count"))
        return query.order_by(keys.c.date, keys.c.id)

    def _checked(self, table: Table) -> list[ColumnElement[Any]]:
        """The columns that the residual conditions look at."""
        names = {_column(condition) for condition in self.plan.residual}
        return [table.c[name].label(f"its_{name}") for name in sorted(names)]

    def _joined(self, dialect: str, table: Table, keys: FromClause) -> FromClause:
        if dialect == "sqlite" and self.plan.source == table.name:
            return keys.join(table, literal_column(f"{table.name}.rowid") == keys.c.row)
        return keys.join(table, and_(table.c.id == keys.c.id, table.c.connection_key == bindparam("tenant")))

    def _key_columns(
        self, table: Table, row: ColumnElement[Any], checked: list[ColumnElement[Any]]
    ) -> list[ColumnElement[Any]]:
        source = self._source(table)
        own = literal_column("NULL") if source is record_tags else row
        return [source.c[self.plan.sort].label("date"), source.c.id.label("id"), own.label("row"), *checked]

    def _source(self, table: Table) -> Table:
        return record_tags if self.plan.source == record_tags.name else table

    def _arm(self, table: Table, number: int, columns: list[ColumnElement[Any]]) -> Select[Any]:
        plan, source = self.plan, self._source(table)
        date = source.c[plan.sort]
        after = tuple_(date, source.c.id) > tuple_(bindparam(f"date_{number}"), bindparam(f"id_{number}"))
        conditions = [source.c.connection_key == bindparam("tenant")]
        if source is record_tags:
            conditions.append(source.c.resource == table.name)
        conditions += [source.c[name] == bindparam(f"{name}_{number}") for name in plan.columns]
        query = select(*columns).where(*conditions, after, date <= bindparam(f"high_{number}"))
        if source is record_tags:
            return query
        return query.with_hint(table, f"INDEXED BY {_index(table, plan.sort, plan.columns)}", "sqlite")


def _index(table: Table, sort: str, columns: tuple[str, ...]) -> str:
    wanted = ["connection_key", *columns, sort, "id"]
    for index in table.indexes:
        if [column.name for column in index.columns][: len(wanted)] == wanted:
            return str(index.name)
    raise AssertionError(f"no index of {table.name} on {wanted}")


def _column(condition: Condition) -> str:
    """The column that ``condition`` looks at; tags are found by the order's own date."""
    if condition.field.kind is Kind.TAGS:
        return "created"
    return DATES.get(condition.field.name, condition.field.name)


_Columns = ReadOnlyColumnCollection[str, ColumnElement[Any]]


def _where(
    dialect: str, table: Table, conditions: Iterable[Condition], columns: _Columns, prefix: str = ""
) -> list[ColumnElement[bool]]:
    """``conditions`` as conditions on ``columns``: those of ``table``, or of a subquery that calls them ``its_…``."""
    return [_predicate(dialect, table, each, columns, f"{prefix}c{n}") for n, each in enumerate(conditions)]


def _predicate(dialect: str, table: Table, condition: Condition, columns: _Columns, name: str) -> ColumnElement[bool]:
    values: list[ColumnElement[Any]] = [bindparam(f"{name}_{number}") for number in range(len(condition.values))]
    own = _column(condition)
    column = columns[own] if own in columns else columns[f"its_{own}"]
    if condition.field.kind is Kind.TAGS:
        return _tagged(table, condition.operator, values, column, columns["id"])
    match condition.operator:
        case Operator.EQ:
            return column == values[0]
        case Operator.NEQ:
            return column != values[0]
        case Operator.GT:
            return column > values[0]
        case Operator.GTE:
            return column >= values[0]
        case Operator.LT:
            return column < values[0]
        case Operator.LTE:
            return column <= values[0]
        case Operator.IN:
            return column.in_(values)
        case Operator.NIN:
            return column.not_in(values)
        case Operator.CONTAINS:
            return _position(dialect, column, values[0]) > 0
        case Operator.NOT_CONTAINS:
            return _position(dialect, column, values[0]) == 0


def _position(dialect: str, column: ColumnElement[str], part: ColumnElement[Any]) -> ColumnElement[int]:
    return func.instr(column, part) if dialect == "sqlite" else func.strpos(column, part)


def _tagged(
    table: Table,
    operator: Operator,
    tags: Sequence[ColumnElement[Any]],
    created: ColumnElement[Any],
    id: ColumnElement[Any],
) -> ColumnElement[bool]:
    def carries(tag: ColumnElement[Any]) -> ColumnElement[bool]:
        c = record_tags.c
        keys = c.connection_key == bindparam("tenant"), c.resource == table.name
        row = select(c.id).where(*keys, c.tag == tag, c.created == created, c.id == id)
        # PostgreSQL would turn a plain EXISTS into a join in an order of its own; an offset keeps it a look-up.
        return exists(row.offset(0).correlate_except(record_tags))

    if operator is Operator.CONTAINS:
        return and_(*(carries(tag) for tag in tags))
    return and_(*(~carries(tag) for tag in tags))


def _condition_values(conditions: Iterable[Condition], prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}c{n}_{number}": value
        for n, condition in enumerate(conditions)
        for number, value in enumerate(condition.values)
    }


def _matching_ids(dialect: str, resource: Resource, condition: Condition, prefix: str = "") -> Select[Any] | None:
    """The ids that meet ``condition``, read off an index of its own; null if there is no such index."""
    table = RECORDS[resource.name]
    if condition.field.kind is Kind.TAGS:
        if condition.operator is not Operator.CONTAINS:
            return None
        c = record_tags.c
        keys = c.connection_key == bindparam("tenant"), c.resource == resource.name
        return select(c.id).where(*keys, c.tag == bindparam(f"{prefix}c0_0"))
    if condition.field.name in DATES and condition.operator in (*_BOUNDS, Operator.IN):
        index = f"ix_{table.name}_{DATES[condition.field.name]}"
    elif condition.field.name in ("status", "order_number") and condition.operator in (Operator.EQ, Operator.IN):
        index = _index(table, "created", (condition.field.name,))
    else:
        return None
    where = _where(dialect, table, [condition], table.c, prefix)
    query = select(table.c.id).where(table.c.connection_key == bindparam("tenant"), *where)
    return query.with_hint(table, f"INDEXED BY {index}", "sqlite")


def _probe(database: Database, resource: Resource, condition: Condition) -> Statement | None:
    ids = _matching_ids(database.dialect, resource, condition)
    if ids is None:
        return None
    key = ("probe", resource.name, condition.field.name, condition.operator, len(condition.values))
    some = ids.limit(bindparam("few")).subquery("some")
    return database.prepared(key, lambda: select(func.count()).select_from(some))


def _few(
    database: Database, resource: Resource, sort: str, few: Condition, conditions: Sequence[Condition]
) -> Statement:
    """The page of records that meet ``few`` (whose matches are few, so they may be sorted) and all ``conditions``."""
    table = RECORDS[resource.name]
    shape = tuple((c.field.name, c.operator, len(c.values)) for c in conditions)

    def build() -> Select[Any]:
        ids = _matching_ids(database.dialect, resource, few, "few_")
        if ids is None:
            raise AssertionError(f"no index finds {few.field.name}[{few.operator}]")
        # As an array, PostgreSQL looks the ids up; as a subquery, it may join them the other way round.
        as_array = database.dialect == "postgresql"
        found = table.c.id == any_(func.array(ids.scalar_subquery())) if as_array else table.c.id.in_(ids)
        date = table.c[sort]
        after = tuple_(date, table.c.id) > tuple_(bindparam("after_date"), bindparam("after_id"))
        matches = (
            select(date.label("date"), table.c.id.label("id"), table.c.doc)
            .where(
                table.c.connection_key == bindparam("tenant"),
                found,
                after,
                *_where(database.dialect, table, conditions, table.c),
            )
            .offset(0)  # keeps PostgreSQL from walking the whole order instead of sorting the few
            .subquery("matches")
        )
        return select(matches.c.doc).order_by(matches.c.date, matches.c.id).limit(bindparam("count"))

    return database.prepared(("few", resource.name, sort, conditions.index(few), shape), build)


def _arrivals(database: Database, table: Table) -> Statement:
    """The earliest creation date among records stored since ``:low``, leaping from second to second of storing.

    With it, the number of those seconds, which is at most ``:few``.
    """
    c = table.c
    own = c.connection_key == bindparam("tenant")
    stored = c.trackstar_created

    def build() -> ClauseElement:
        start = select(func.min(stored).label("second")).where(own, stored >= bindparam("low"))
        leaps = start.cte("leaps", recursive=True)
        following = select(func.min(stored)).where(own, stored > leaps.c.second).correlate(leaps).scalar_subquery()
        leaps = leaps.union_all(select(following).where(leaps.c.second.is_not(None)))
        seconds = select(leaps.c.second).where(leaps.c.second.is_not(None)).limit(bindparam("few")).subquery("seconds")
        first = select(func.min(c.created)).where(own, stored == seconds.c.second).correlate(seconds).scalar_subquery()
        return select(func.min(first), func.count()).select_from(seconds)

    return database.prepared(("arrivals", table.name), build)


def _by_ids(database: Database, table: Table, count: int) -> Statement:
    def build() -> Select[Any]:
        ids = table.c.id.in_([bindparam(f"id_{number}") for number in range(count)])
        query = select(table.c.doc).where(table.c.connection_key == bindparam("tenant"), ids)
        return query.order_by(table.c.created, table.c.id)

    return database.prepared(("page_by_ids", table.name, count), build)
