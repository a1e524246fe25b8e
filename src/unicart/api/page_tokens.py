"""Page tokens: opaque, url-safe, signed, and good for one connection, resource and order of results only."""

import base64
import hmac
from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from unicart.contract.errors import InvalidRequest
from unicart.store.pages import Position

_Content = tuple[str, str, str, int, str]
SIGNATURE_BYTES = 18
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Content)


class PageTokens:
    """Makes page tokens with the first of ``keys``, and reads those of all: a walk goes on while the keys are rotated."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys

    def write(self, connection_id: str, resource: str, sort: str, position: Position) -> str:
        """The token of a position in a walk."""
        packed = _encoder.encode((connection_id, resource, sort, position.date, position.id))
        return _signed(packed, self._keys[0]).decode()

    def read(self, token: str, connection_id: str, resource: str, sort: str) -> Position:
        """The position that ``token`` stands for.

        Raises:
            InvalidRequest: it is malformed, altered, or of another connection, resource or order.
        """
        content = _decoder.decode(self._verified(token))
        if content[:2] != (connection_id, resource):
            raise _invalid("belongs to another connection or resource")
        if content[2] != sort:
            raise _invalid("belongs to a walk with other date filters. Repeat the filters of the first page")
        return Position(content[3], content[4])

    def _verified(self, token: str) -> bytes:
        try:
            signed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            signed = b""
        packed = signed[SIGNATURE_BYTES:]
        # Compared as text too: base64 spells the same bytes in several ways, and only ours is right.
        if not any(hmac.compare_digest(_signed(packed, key), token.encode()) for key in self._keys):
            raise _invalid("is not a page token of this API. Use next_token of the page before")
        return packed


def _signed(packed: bytes, key: bytes) -> bytes:
    signature = blake2b(packed, digest_size=SIGNATURE_BYTES, key=key).digest()
    return base64.urlsafe_b64encode(signature + packed).rstrip(b"=")


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest("query", {"page_token": [message]})
