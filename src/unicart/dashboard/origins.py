"""Where the values of a unified record stand in the raw one: by equal values, so what is computed has no place."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

MOST_PLACES = 3
MOST_LEAVES = 2000


class Origin(msgspec.Struct, frozen=True):
    """A field of a unified record, its value, and the paths of the raw record that hold the same."""

    field: str
    value: str
    places: list[str]


def origins(unified: Any, raw: Any) -> list[Origin]:
    """The fields of ``unified`` that have a value, and their places in ``raw``."""
    places: dict[object, list[str]] = {}
    for path, value in _leaves(raw):
        places.setdefault(_key(value), []).append(path)
    return [Origin(path, str(value), _nearest(path, places.get(_key(value), []))) for path, value in _leaves(unified)]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values that are no containers, with their paths; no null, no zero, nothing empty, no yes or no."""
    todo = [(path, value)]
    count = 0
    while todo and count < MOST_LEAVES:
        path, value = todo.pop()
        if isinstance(value, dict):
            todo += [(f"{path}.{name}" if path else str(name), each) for name, each in reversed(value.items())]
        elif isinstance(value, list):
            todo += [(f"{path}.{number}", each) for number, each in reversed(list(enumerate(value)))]
        elif value and not isinstance(value, bool):
            count += 1
            yield path, value


def _key(value: Any) -> object:
    """What two spellings of one value have in common: a number, a moment, or the text itself."""
    text = str(value).strip()
    try:
        return Decimal(text)
    except InvalidOperation:
        pass
    if len(text) >= 10 and text[:4].isdigit():
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return text
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(microsecond=0)
    return text


def _nearest(field: str, places: list[str]) -> list[str]:
    """The places whose numbers in lists are those of the field, if there are any."""
    numbers = [part for part in field.split(".") if part.isdigit()]
    same = [each for each in places if [part for part in each.split(".") if part.isdigit()] == numbers]
    return (same or places)[:MOST_PLACES]
