"""Reading the JSON objects that write routes take."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from starlette.requests import Request

from unicart.contract.errors import InvalidRequest

MAX_BODY = 1 << 20
NULL_WORDS = ("", "none", "null")

Fields = dict[str, Any]
_objects = msgspec.json.Decoder(Fields, float_hook=Decimal)

Reader = Callable[[Any], object]
"""What makes a value of a field; raises `ValueError` with what is wrong with it."""


async def read_object(request: Request, *, optional: bool = False) -> Fields:
    """The fields of the request's body; none for an empty body, if it is ``optional``.

    Raises:
        InvalidRequest: it is too large, or no JSON object.
    """
    body = await read_body(request)
    if optional and not body:
        return {}
    try:
        return _objects.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("json", {"body": ["must be a JSON object"]}) from None


def refuse_null(fields: Fields) -> None:
    """Refuse fields whose value is null, or a word for it.

    Raises:
        InvalidRequest: naming each.
    """
    problems = {name: ["must not be null or empty"] for name, value in fields.items() if is_null(value)}
    if problems:
        raise InvalidRequest("json", problems)


def read_fields(
    fields: Fields,
    readers: Mapping[str, Reader],
    *,
    required: Collection[str] = (),
    nullable: Collection[str] = (),
) -> Fields:
    """What the reader of each field makes of its value; null stays null where it is allowed.

    Raises:
        InvalidRequest: naming every field that is missing, unknown or null, or whose reader raises `ValueError`.
    """
    found: Fields = {}
    problems = {name: ["is required"] for name in required if name not in fields}
    for name, value in fields.items():
        try:
            null = value is None and name in nullable
            found[name] = None if null else _read_field(readers.get(name), value)
        except ValueError as error:
            problems[name] = [str(error)]
    if problems:
        raise InvalidRequest("json", problems)
    return found


def _read_field(reader: Reader | None, value: object) -> object:
    if reader is None:
        raise ValueError("is not a known field")
    if is_null(value):
        raise ValueError("must not be null or empty")
    return reader(value)


def is_null(value: object) -> bool:
    """Whether ``value`` is null, or a word that platforms' clients write for it."""
    return value is None or (isinstance(value, str) and value.lower() in NULL_WORDS)


def read_boolean(value: object) -> bool:
    """A `Reader` of true and false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


async def read_body(request: Request, most: int = MAX_BODY) -> bytes:
    """The body of a request, of up to ``most`` bytes.

    Raises:
        InvalidRequest: it is too large.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise InvalidRequest("json", {"body": [f"must be at most {most >> 20} MB"]})
        parts.append(part)
    return b"".join(parts)
