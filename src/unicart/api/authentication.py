"""Who is asking: the organization's API key and the connection's access token."""

import asyncio
import logging
import time

import msgspec

from unicart import logs
from unicart.contract.errors import Forbidden, Unauthorized
from unicart.store.database import Database, StoreUnavailable
from unicart.store.tenants import ApiKey, Connection, find_connection_by_token, find_key, note_key_uses

log = logging.getLogger(__name__)

KEY_HEADER = b"x-trackstar-api-key"
TOKEN_HEADER = b"x-trackstar-access-token"
REMEMBERED = 10_000
TRUSTED_SECONDS = 1.0
STORE_USES_EVERY = 30.0


class Caller(msgspec.Struct, frozen=True):
    """A key, and the connection that its organization's access token names."""

    key: ApiKey
    connection: Connection


def require_write(key: ApiKey) -> None:
    """Let only a key that may write pass.

    Raises:
        Forbidden: it is read-only.
    """
    if key.read_only:
        raise Forbidden("This API key is read-only. Use a full-access key to write.")


class _Known(msgspec.Struct, frozen=True):
    caller: Caller
    until: float


class KeyUses:
    """When keys were last used: noted in memory, and stored now and then, so that no request waits for a write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: dict[str, int] = {}

    def note(self, key: ApiKey) -> None:
        """Note that a key is used now."""
        self._used[key.id] = int(time.time())

    async def store(self) -> None:
        """Store what was noted; what cannot be stored is noted still."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await note_key_uses(self._database, used)
        except StoreUnavailable as error:
            self._used = used | self._used
            log.warning("When keys were last used cannot be stored now: %s", error)

    async def keep(self) -> None:
        """Store until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(STORE_USES_EVERY)
                await self.store()
        finally:
            await self.store()


class Authenticator:
    """Finds callers. One that was found is trusted for a second, which is how long a revoked key may live on."""

    def __init__(self, database: Database, uses: KeyUses | None = None) -> None:
        self._database = database
        self._uses = uses
        self._known: dict[tuple[bytes, bytes], _Known] = {}

    async def caller(self, headers: list[tuple[bytes, bytes]]) -> Caller:
        """The caller of a request.

        Raises:
            Unauthorized: a key or token is missing or unknown, or they belong to different organizations.
        """
        key, token = _credentials(headers)
        known = self._known.get((key, token))
        if known is not None and known.until > time.monotonic():
            logs.about(connection_id=known.caller.connection.id)
            return known.caller
        caller = await self._find(key.decode("latin-1"), token.decode("latin-1"))
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        logs.about(connection_id=caller.connection.id)
        self._known[key, token] = _Known(caller, time.monotonic() + TRUSTED_SECONDS)
        return caller

    def forget(self, connection: Connection) -> None:
        """Look a connection up anew at its next request to this process."""
        for credentials, known in list(self._known.items()):
            if known.caller.connection.key == connection.key:
                del self._known[credentials]

    async def key(self, headers: list[tuple[bytes, bytes]]) -> ApiKey:
        """The key of a request that concerns a whole organization, and needs no access token.

        Raises:
            Unauthorized: it is missing or unknown.
        """
        return await self._find_key(_credentials(headers)[0].decode("latin-1"))

    async def _find_key(self, key: str) -> ApiKey:
        if not key:
            raise Unauthorized("Missing API key. Send it in the x-trackstar-api-key header.")
        known = await find_key(self._database, key)
        if known is None:
            raise Unauthorized("Invalid API key.")
        if self._uses is not None:
            self._uses.note(known)
        return known

    async def _find(self, key: str, token: str) -> Caller:
        known_key = await self._find_key(key)
        if not token:
            raise Unauthorized("Missing access token. Send it in the x-trackstar-access-token header.")
        connection = await find_connection_by_token(self._database, token)
        if connection is None or connection.organization_id != known_key.organization_id:
            raise Unauthorized("Invalid access token.")
        return Caller(known_key, connection)


def _credentials(headers: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    key = token = b""
    for name, value in headers:
        if name == KEY_HEADER:
            key = value
        elif name == TOKEN_HEADER:
            token = value
    return key, token
