"""Page tokens: opaque, url-safe, signed, and good for one connection, resource and order of results only."""

import base64
import hashlib
import hmac

import msgspec
from itsdangerous import Signer

from unicart.contract.errors import InvalidRequest
from unicart.store.pages import Position

_Content = tuple[str, str, str, int, str]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Content)


class PageTokens:
    """Makes and reads page tokens."""

    def __init__(self, signing_key: bytes) -> None:
        self._signer = Signer(signing_key, digest_method=hashlib.sha256, key_derivation="none")

    def write(self, connection_id: str, resource: str, sort: str, position: Position) -> str:
        """The token of a position in a walk."""
        packed = _encoder.encode((connection_id, resource, sort, position.date, position.id))
        return self._signer.sign(base64.urlsafe_b64encode(packed).rstrip(b"=")).decode()

    def read(self, token: str, connection_id: str, resource: str, sort: str) -> Position:
        """The position that ``token`` stands for.

        Raises:
            InvalidRequest: it is malformed, altered, or of another connection, resource or order.
        """
        signed = token.encode().rpartition(self._signer.sep)[0]
        # Compared as text: base64 spells one signature in several ways, and only ours is right.
        if not hmac.compare_digest(self._signer.sign(signed), token.encode()):
            raise _invalid("is not a page token of this API. Use next_token of the page before")
        try:
            content = _decoder.decode(base64.urlsafe_b64decode(signed + b"=" * (-len(signed) % 4)))
        except (msgspec.DecodeError, ValueError):
            raise _invalid("is not a page token of this API. Use next_token of the page before") from None
        if content[:2] != (connection_id, resource):
            raise _invalid("belongs to another connection or resource")
        if content[2] != sort:
            raise _invalid("belongs to a walk with other date filters. Repeat the filters of the first page")
        return Position(content[3], content[4])


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest("query", {"page_token": [message]})
