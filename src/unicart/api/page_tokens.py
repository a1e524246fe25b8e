"""Page tokens: opaque, url-safe, signed, and good for one connection, resource and order of results only."""

import base64
import hmac
from hashlib import blake2b

import msgspec

from unicart.contract.errors import InvalidRequest
from unicart.store.pages import Position

_Content = tuple[str, str, str, int, str]
SIGNATURE_BYTES = 18
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Content)


class PageTokens:
    """Makes and reads page tokens."""

    def __init__(self, signing_key: bytes) -> None:
        self._key = signing_key

    def write(self, connection_id: str, resource: str, sort: str, position: Position) -> str:
        """The token of a position in a walk."""
        packed = _encoder.encode((connection_id, resource, sort, position.date, position.id))
        return base64.urlsafe_b64encode(self._signature(packed) + packed).rstrip(b"=").decode()

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

    def _signature(self, packed: bytes) -> bytes:
        return blake2b(packed, digest_size=SIGNATURE_BYTES, key=self._key).digest()

    def _verified(self, token: str) -> bytes:
        try:
            signed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            signed = b""
        packed = signed[SIGNATURE_BYTES:]
        # Compared as text too: base64 spells the same bytes in several ways, and only ours is right.
        ours = base64.urlsafe_b64encode(self._signature(packed) + packed).rstrip(b"=")
        if not hmac.compare_digest(ours, token.encode()):
            raise _invalid("is not a page token of this API. Use next_token of the page before")
        return packed


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest("query", {"page_token": [message]})
