"""``Idempotency-Key``: a write that is repeated with it takes effect once.

A key belongs to one connection for 24 hours from its first use. It is free again when the platform has surely refused the write.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from unicart.api.reply import Reply, header
from unicart.contract.errors import InvalidRequest, KeyMisused, UnicartError, WriteInProgress
from unicart.store import writes
from unicart.store.database import Database
from unicart.store.leases import this_process
from unicart.store.tenants import Connection
from unicart.store.writes import KeyInProgress, KeyReused
from unicart.sync.writes import Attempt

HEADER = b"idempotency-key"
LONGEST_KEY = 255

_canonical = msgspec.json.Encoder(order="sorted", decimal_format="number")


async def once(
    database: Database,
    connection: Connection,
    request: Request,
    fields: Mapping[str, Any],
    work: Callable[[Attempt], Awaitable[bytes]],
) -> Reply:
    """The answer of ``work``, or the one that it gave to an earlier request with the same key.

    Raises:
        InvalidRequest: the key is too long, or no text.
        KeyMisused: it was used with another path or body.
        WriteInProgress: another request with it is being worked on.
    """
    key = _key(request)
    if key is None:
        return Reply(await work(Attempt(database, connection)))
    owner, now = this_process(), int(time.time())
    try:
        claim = await writes.claim(database, connection.key, key, _fingerprint(request, fields), owner, now)
    except KeyReused:
        raise KeyMisused("This Idempotency-Key was used with another request. Use a new one.") from None
    except KeyInProgress as error:
        raise _in_progress(error.until - now) from None
    if claim.answer is not None:
        request.scope["unicart.headers"].append((b"idempotent-replayed", b"true"))
        return Reply(claim.answer)
    try:
        return Reply(await work(Attempt(database, connection, claim)))
    except KeyInProgress:
        raise _in_progress(1) from None


def _in_progress(wait: int) -> UnicartError:
    return WriteInProgress("A request with this Idempotency-Key is in progress. Repeat it later.", max(1, min(wait, 5)))


def _key(request: Request) -> str | None:
    text = header(request.scope, HEADER)
    if not text:
        return None
    if len(text) > LONGEST_KEY or not text.isascii():
        problem = f"must be at most {LONGEST_KEY} ASCII characters"
        raise InvalidRequest("headers", {"Idempotency-Key": [problem]})
    return text.decode()


def _fingerprint(request: Request, fields: Mapping[str, Any]) -> str:
    """A hash of method, path and body, in which the order of a JSON object's names counts for nothing."""
    parts = (request.method.encode(), request.scope["path"].encode(), _canonical.encode(fields))
    return hashlib.sha256(b"\n".join(parts)).hexdigest()
