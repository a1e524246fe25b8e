"""gzip and zstd, always as one member or frame: clients silently cut a body of several gzip members to the first."""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Protocol

import zstandard
from isal import igzip, isal_zlib

SMALLEST = 4096
"""Bodies below this many bytes go out as they are: a compressed one would cost more time than it saves."""

LEVEL = 1
GZIP_WINDOW_BITS = 31


class Stream(Protocol):
    """A compressor that is fed part by part."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


@lru_cache(maxsize=1024)
def negotiate(accept_encoding: bytes) -> str | None:
    """The coding to use for an Accept-Encoding header: ``zstd``, ``gzip`` or none."""
    qualities = dict(_quality(part) for part in accept_encoding.decode("latin-1").lower().split(","))
    for coding in ("zstd", "gzip"):
        if qualities.get(coding, 0.0) > 0:
            return coding
    return "gzip" if qualities.get("*", 0.0) > 0 and "gzip" not in qualities else None


def compress(coding: str, body: bytes) -> bytes:
    """``body`` in ``coding``."""
    if coding == "zstd":
        return _zstd().compress(body)
    return igzip.compress(body, compresslevel=LEVEL)


def stream(coding: str) -> Stream:
    """A new compressor of ``coding``."""
    makers: dict[str, Callable[[], Stream]] = {
        "zstd": lambda: zstandard.ZstdCompressor(level=LEVEL).compressobj(),
        "gzip": lambda: isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, GZIP_WINDOW_BITS),
    }
    return makers[coding]()


@cache
def _zstd() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=LEVEL)


def _quality(part: str) -> tuple[str, float]:
    coding, _, parameters = part.partition(";")
    name, _, value = parameters.strip().partition("=")
    try:
        return coding.strip(), float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return coding.strip(), 0.0
