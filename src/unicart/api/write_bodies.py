"""Bodies of writes, read as a connector declares them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from unicart.api.body import Fields, is_null, read_boolean
from unicart.connectors.kit import Write
from unicart.contract.errors import InvalidRequest
from unicart.contract.writes import (
    ALIASES,
    BASE_FIELDS,
    Field,
    InventoryAdjustment,
    NewRefund,
    NewShipment,
    WriteFunction,
)

LONGEST_TEXT = 10_000
MOST_ITEMS = 1_000


def read_shipment(write: Write, given: Fields) -> tuple[NewShipment, list[str]]:
    """The shipment of a body, and the names of the fields that this platform has no use for.

    Raises:
        InvalidRequest: naming every field that is missing, null or wrong.
    """
    values, unused = _read(write, given)
    if values.get("line_items") and values.get("shipping_groups"):
        raise InvalidRequest("json", {"shipping_groups": ["must not be sent together with line_items"]})
    return msgspec.convert(values, NewShipment), unused


def read_refund(write: Write, given: Fields) -> tuple[NewRefund, list[str]]:
    """The refund of a body, as `read_shipment`."""
    values, unused = _read(write, given)
    return msgspec.convert(values, NewRefund), unused


def read_adjustment(write: Write, product_id: str, given: Fields) -> tuple[InventoryAdjustment, list[str]]:
    """The adjustment of a body, as `read_shipment`."""
    values, unused = _read(write, given)
    return msgspec.convert({**values, "product_id": product_id}, InventoryAdjustment), unused


def read_adjustments(write: Write, given: Fields) -> tuple[list[InventoryAdjustment], list[str]]:
    """The adjustments of a batch; each is ``exact`` unless it says otherwise."""
    _refuse_nulls(given)
    lines = given.get("line_items")
    if "line_items" not in given:
        raise InvalidRequest("json", {"line_items": ["is required"]})
    if not isinstance(lines, list) or not lines or len(lines) > MOST_ITEMS:
        raise InvalidRequest("json", {"line_items": [f"must be a list of 1 to {MOST_ITEMS} objects"]})
    found, unused = [], set(given) - {"line_items"}
    for number, line in enumerate(lines):
        try:
            adjustment, others = _read_line(write, line)
        except InvalidRequest as error:
            problems = {f"line_items.{number}.{name}": each for name, each in error.problems.items()}
            raise InvalidRequest("json", problems) from None
        found.append(adjustment)
        unused |= {f"line_items.{number}.{name}" for name in others}
    return found, sorted(unused)


def _read_line(write: Write, line: object) -> tuple[InventoryAdjustment, list[str]]:
    if not isinstance(line, dict):
        raise InvalidRequest("json", {"": ["must be an object"]})
    given = {"adjustment_type": "exact", **line}
    product_id = given.pop("product_id", None)
    if not isinstance(product_id, str):
        raise InvalidRequest("json", {"product_id": ["is required, as a string"]})
    return read_adjustment(write, product_id, given)


def _read(write: Write, given: Fields) -> tuple[dict[str, Any], list[str]]:
    _refuse_nulls(given)
    given = _renamed(write.function, given)
    fields = {field.name: field for field in write.fields}
    values, problems = _values(fields.values(), given, "")
    if problems:
        raise InvalidRequest("json", problems)
    base = {field.name for field in BASE_FIELDS[write.function]}
    specific = {name: value for name, value in values.items() if name not in base}
    unified = {name: value for name, value in values.items() if name in base}
    return {**unified, "specific": specific}, sorted(set(given) - set(fields))


def _renamed(function: WriteFunction, given: Fields) -> Fields:
    """The body with the newest name of each field."""
    renamed = dict(given)
    for old, new in ALIASES.get(function, {}).items():
        if old in renamed:
            value = renamed.pop(old)
            if renamed.setdefault(new, value) != value:
                raise InvalidRequest("json", {old: [f"is an older name of {new}, and must not differ from it"]})
    return renamed


def _values(
    fields: Iterable[Field], given: Mapping[str, Any], path: str
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    values: dict[str, Any] = {}
    problems: dict[str, list[str]] = {}
    for field in fields:
        name = f"{path}{field.name}"
        if field.name not in given:
            if field.required:
                problems[name] = ["is required"]
            continue
        value = given[field.name]
        if field.type == "list":
            values[field.name] = _list(field, value, name, problems)
            continue
        try:
            values[field.name] = READERS[field.type](value)
            _check(field, values[field.name])
        except ValueError as error:
            problems[name] = [str(error)]
        else:
            values[field.name] = _canonical(field, values[field.name])
    return values, problems


def _list(field: Field, value: object, path: str, problems: dict[str, list[str]]) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value or len(value) > MOST_ITEMS:
        problems[path] = [f"must be a list of 1 to {MOST_ITEMS} objects"]
        return []
    found = []
    for number, item in enumerate(value):
        if not isinstance(item, dict):
            problems[f"{path}.{number}"] = ["must be an object"]
            continue
        values, wrong = _values(field.fields, item, f"{path}.{number}.")
        problems |= wrong
        found.append(values)
    return found


def _check(field: Field, value: Any) -> None:
    if field.minimum is not None and value < field.minimum:
        raise ValueError(f"must be at least {field.minimum}")
    if field.values and not field.suggested and _canonical(field, value) not in field.values:
        raise ValueError(f"must be one of: {', '.join(field.values)}")


def _canonical(field: Field, value: Any) -> Any:
    """A value as the platform spells it, whatever the case it was sent in."""
    if not field.values or not isinstance(value, str):
        return value
    return next((known for known in field.values if known.casefold() == value.casefold()), value)


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\x00" in value:
        raise ValueError(f"must be a string of at most {LONGEST_TEXT} characters without NUL")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 31:
        raise ValueError("must be a whole number of at most ten digits")
    return value


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not -(10**15) < value < 10**15:
        raise ValueError("must be a number of at most 15 digits")
    return Decimal(value)


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("must be an ISO 8601 time with a zone, such as 2026-01-01T00:00:00Z")
    return moment


READERS: Mapping[str, Callable[[object], Any]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": read_boolean,
    "date-time": _moment,
}


def _refuse_nulls(given: Fields) -> None:
    problems = {path: ["must not be null or empty"] for path in _nulls(given, "")}
    if problems:
        raise InvalidRequest("json", problems)


def _nulls(value: object, path: str) -> Iterator[str]:
    """The paths of everything that is null, empty, or a word for it."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _nulls(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _nulls(each, f"{path}.{number}" if path else str(number))
    elif is_null(value):
        yield path
