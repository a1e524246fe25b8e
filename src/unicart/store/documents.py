"""The stored document: the exact JSON bytes that go out.

A document is the record's content as a connector mapped it, followed by what Unicart adds: tags and our copy's times.
Cutting that tail off gives the content back byte for byte, so "has it changed?" is a comparison of bytes.
"""

from collections.abc import Sequence

import msgspec

from unicart.contract.common import Tag, encode, format_date


class Stamp(msgspec.Struct, frozen=True):
    """What Unicart adds to a record. ``tags`` is their JSON text; dates are epoch seconds."""

    tags: str
    created: int
    updated: int

    def tail(self) -> bytes:
        """The end of the document that this stamp makes."""
        return (
            f',"trackstar_tags":{self.tags},"trackstar_created_date":"{format_date(self.created)}",'
            f'"trackstar_updated_date":"{format_date(self.updated)}"}}'
        ).encode()


def document(content: bytes, stamp: Stamp) -> bytes:
    """The document of ``content`` (a JSON object) under ``stamp``."""
    return content[:-1] + stamp.tail()


def content(document: bytes, stamp: Stamp) -> bytes:
    """The content that ``document`` was made from under ``stamp``."""
    return document[: -len(stamp.tail())] + b"}"


def tags_text(tags: Sequence[Tag]) -> str:
    """The JSON text of ``tags``."""
    return encode(list(tags)).decode()
