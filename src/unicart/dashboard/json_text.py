"""JSON as people read it."""

from decimal import Decimal
from typing import Any

import msgspec

from unicart.contract.common import encode

_decoder = msgspec.json.Decoder(float_hook=Decimal)


def decoded(document: bytes) -> Any:
    """A document, its numbers decimal."""
    return _decoder.decode(document)


def indented(value: Any) -> str:
    """JSON bytes, raw JSON or any value as indented JSON, digit for digit; what is no JSON as it is."""
    if isinstance(value, str):
        return value
    document = bytes(value) if isinstance(value, bytes | msgspec.Raw) else encode(value)
    try:
        return msgspec.json.format(document, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return document.decode("utf-8", "replace")
