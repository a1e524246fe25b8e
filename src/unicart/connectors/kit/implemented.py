"""Which fields of the unified records a connector fills, read off its own recorded payloads."""

import logging
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

import msgspec

from unicart.connectors.kit.connector import Connector
from unicart.connectors.kit.errors import UnmappableRecord
from unicart.contract.resources import BY_FUNCTION, Function, Record

log = logging.getLogger(__name__)

Filled: TypeAlias = "bool | dict[str, Any] | list[Any]"

ADDED = ("trackstar_tags", "trackstar_created_date", "trackstar_updated_date")
"""Fields of each record that Unicart itself fills."""

KEY = "key"
"""Stands for every key of a map."""


class _Fixture(msgspec.Struct):
    records: list[msgspec.Raw]


@cache
def implemented_fields(connector: type[Connector], function: Function) -> dict[str, Any]:
    """For each field of the records of ``function``, whether any recorded record fills it, nested as the record is.

    Of an object it is an object, of a list of objects a list of one, of a map of ids an object of ``key``, of
    ``additional_fields`` an object of the names that occur; false where nothing is ever filled.
    """
    records = _recorded(connector, function)
    fields = msgspec.structs.fields(BY_FUNCTION[function].content)
    found = {field.name: _filled(field.type, _values(records, field.name)) for field in fields}
    return found | dict.fromkeys(ADDED, True)


def _recorded(connector: type[Connector], function: Function) -> list[Record]:
    """What the fixture of ``function`` maps to; nothing, if there is none."""
    package = connector.__module__.rpartition(".")[0]
    path = files(package) / "fixtures" / f"{function.value}.json"
    if not path.is_file():
        return []
    try:
        raws = msgspec.json.decode(path.read_bytes(), type=_Fixture).records
    except msgspec.DecodeError as error:
        log.warning("%s of %s is no fixture: %s", path.name, package, error)
        return []
    return [record for raw in raws for record in _mapped(connector, function, bytes(raw))]


def _mapped(connector: type[Connector], function: Function, raw: bytes) -> Sequence[Record]:
    try:
        return connector.map(function, raw)
    except (UnmappableRecord, msgspec.DecodeError, ValueError):
        return []


def _values(structs: Sequence[Any], name: str) -> list[Any]:
    return [getattr(struct, name) for struct in structs]


def _filled(type: Any, values: list[Any]) -> Filled:
    struct, many = _struct_of(type)
    if struct is not None:
        parts = [part for value in values for part in value] if many else values
        fields = msgspec.structs.fields(struct)
        inner = {field.name: _filled(field.type, _values(parts, field.name)) for field in fields}
        if not any(inner.values()):
            return False
        return [inner] if many else inner
    if any(isinstance(value, dict) for value in values):
        return _filled_map(type, values)
    return any(_says_something(value) for value in values)


def _filled_map(type: Any, values: list[dict[str, Any]]) -> Filled:
    """Names of ``additional_fields`` are the connector's own; those of other maps are ids."""
    names = {name for value in values for name, inner in value.items() if _says_something(inner)}
    if not names:
        return False
    return dict.fromkeys(sorted(names), True) if type == dict[str, Any] else {KEY: True}


def _struct_of(type: Any) -> tuple[type[msgspec.Struct] | None, bool]:
    """The struct that ``type`` is, or is a list of; and whether it is a list."""
    known = msgspec.inspect.type_info(type)
    many = isinstance(known, msgspec.inspect.ListType)
    inner = known.item_type if isinstance(known, msgspec.inspect.ListType) else known
    return (inner.cls, many) if isinstance(inner, msgspec.inspect.StructType) else (None, many)


def _says_something(value: Any) -> bool:
    return value is not None and value not in ("", [], {})
