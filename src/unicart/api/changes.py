"""Changes of what we keep of a connection ourselves: each is one transaction, in which its answer is kept as well.

So all of them take an ``Idempotency-Key``, and none is half done.
"""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request

from unicart.api.authentication import Caller
from unicart.api.body import Fields, read_object
from unicart.api.idempotency import once
from unicart.api.records import Services
from unicart.api.reply import Endpoint, Reply
from unicart.contract.common import encode
from unicart.store.database import Database, Joined
from unicart.store.tenants import Connection
from unicart.sync.writes import Attempt


class Change(msgspec.Struct, frozen=True):
    """A change that is asked for. ``database`` is the store within the change's transaction."""

    request: Request
    database: Database
    connection: Connection
    fields: Fields


Handle = Callable[[Change], Awaitable[msgspec.Struct | bytes]]
"""Makes a change, and returns its answer."""


def changing(services: Services, route: str, handle: Handle, *, bodiless: bool = False) -> Endpoint:
    """The endpoint of a change; ``route`` is its path in the metrics. One that is ``bodiless`` may come without a body."""

    async def endpoint(request: Request) -> Reply:
        request.scope["unicart.route"] = route
        caller = await services.caller(request.scope, write=True)
        return await _changed(services, request, caller, await read_object(request, optional=bodiless), handle)

    return Endpoint(endpoint)


async def _changed(services: Services, request: Request, caller: Caller, fields: Fields, handle: Handle) -> Reply:
    async def work(attempt: Attempt) -> bytes:
        try:
            async with services.database.write() as transaction:
                answer = await handle(Change(request, Joined(transaction), caller.connection, fields))
                body = answer if isinstance(answer, bytes) else encode(answer)
                await attempt.finish(transaction, body)
        except Exception:
            await attempt.forget()
            raise
        return body

    return await once(services.database, caller.connection, request, fields, work)
