"""Where platforms send their webhooks: verified, stored, and only then answered."""

import time

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from unicart import logs
from unicart.api.body import read_body
from unicart.api.reply import Endpoint, Reply
from unicart.connectors.kit import Connector, Hook, HookRefused
from unicart.connectors.registry import connector
from unicart.contract.errors import NotFound, Unauthorized
from unicart.store import tenants
from unicart.store.database import Database
from unicart.store.inbox import Arrival, Inbox
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection
from unicart.sync import subscriptions

MAX_BODY = 10 << 20
REMEMBERED = 1000
TRUSTED_SECONDS = 5.0
STORED = b'{"status":"stored"}'


class _Known(msgspec.Struct, frozen=True):
    connection: Connection
    kind: type[Connector]
    credentials: dict[str, str]
    subscription: dict[str, str]
    until: float


def routes(database: Database, vault: Vault) -> list[Route]:
    """``/inbound/{connection_id}`` and everything below it."""
    family = InboundRoutes(database, vault)
    return [
        Route("/inbound/{connection_id}", Endpoint(family.receive), methods=["POST"]),
        Route("/inbound/{connection_id}/{path:path}", Endpoint(family.receive), methods=["POST"]),
    ]


class InboundRoutes:
    """The route; a connection's secrets are remembered for a moment, so that a burst of webhooks is not slowed down."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._inbox = Inbox(database)
        self._known: dict[str, _Known] = {}

    async def receive(self, request: Request) -> Reply:
        """Store a webhook."""
        request.scope["unicart.route"] = "/inbound/{connection_id}"
        id: str = request.path_params["connection_id"]
        remembered = self._known.get(id)
        known = await self._connection(id)
        logs.about(connection_id=id)
        body = await read_body(request, MAX_BODY)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
        hook = Hook(headers=headers, body=body, path=request.path_params.get("path", ""))
        try:
            _verify(known, hook)
        except Unauthorized:
            if known is not remembered:
                raise
            # The subscription may have been made anew since it was read.
            self._known.pop(id, None)
            known = await self._connection(id)
            _verify(known, hook)
        await self._inbox.put(
            Arrival(known.connection.key, int(time.time()), hook.path, msgspec.json.encode(headers), body)
        )
        return Reply(STORED)

    async def _connection(self, id: str) -> _Known:
        known = self._known.get(id)
        if known is not None and known.until > time.monotonic():
            return known
        connection = None if "\x00" in id else await tenants.find_connection(self._database, id)
        if connection is None or not connector(connection.integration_name).facts.webhooks:
            raise NotFound("There is no connection that receives webhooks here", id=id)
        known = _Known(
            connection=connection,
            kind=connector(connection.integration_name),
            credentials=await tenants.read_credentials(self._database, self._vault, connection),
            subscription=(await subscriptions.read(self._database, self._vault, connection)).kept,
            until=time.monotonic() + TRUSTED_SECONDS,
        )
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[id] = known
        return known


def _verify(known: _Known, hook: Hook) -> None:
    try:
        known.kind.verify_hook(known.credentials, known.subscription, hook)
    except HookRefused as error:
        raise Unauthorized(error.message) from None
