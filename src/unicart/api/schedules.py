"""The routes that pause, resume and force the scheduled syncs of a connection."""

import time
from collections.abc import Sequence

from starlette.requests import Request
from starlette.routing import Route

from unicart.api.body import Fields, read_fields, read_object
from unicart.api.records import Services
from unicart.api.reply import Endpoint, Reply
from unicart.connectors.registry import connector
from unicart.contract.common import encode
from unicart.contract.connections import ConnectionUpdated, SyncStarted
from unicart.contract.errors import InvalidRequest, NotFound, NotImplementedHere
from unicart.contract.resources import Function
from unicart.contract.writes import WriteFunction
from unicart.store import schedules, tenants
from unicart.store.tenants import Connection


def routes(services: Services) -> list[Route]:
    """``/connections/sync`` and ``/schedules``."""
    family = ScheduleRoutes(services)
    return [
        Route("/connections/sync", Endpoint(family.sync), methods=["POST"]),
        Route("/schedules/toggle-all", Endpoint(family.toggle_all), methods=["PATCH"]),
        Route("/schedules/disabled-functions", Endpoint(family.disable), methods=["PATCH"]),
        Route("/schedules/{function}/toggle", Endpoint(family.toggle), methods=["PATCH"]),
    ]


class ScheduleRoutes:
    """The routes."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def sync(self, request: Request) -> Reply:
        """Make schedules due at once, paused or not."""
        request.scope["unicart.route"] = "/connections/sync"
        connection = (await self._services.caller(request.scope, write=True)).connection
        known = connector(connection.integration_name).facts.functions
        fields = await read_object(request, optional=True)
        chosen = read_fields(fields, {"functions_to_sync": lambda value: _read_functions(value, known)})
        wanted = chosen.get("functions_to_sync") or known
        due = await schedules.force(self._services.database, connection.key, wanted, int(time.time()))
        named = [] if set(due) == set(known) else [Function(function) for function in due]
        return Reply(encode(SyncStarted(id=connection.id, syncing=bool(due), functions_to_sync=named)))

    async def toggle(self, request: Request) -> Reply:
        """Pause or resume the schedule of one function."""
        request.scope["unicart.route"] = "/schedules/{function_name}/toggle"
        connection = (await self._services.caller(request.scope, write=True)).connection
        function = _function(connection, request.path_params["function"])
        paused = await _read_paused(request)
        if not await self._pause(connection, (function,), paused):
            raise NotFound("There is no such schedule yet. The worker makes it when it starts", id=function.value)
        return Reply(encode(ConnectionUpdated(id=connection.id)))

    async def toggle_all(self, request: Request) -> Reply:
        """Pause or resume every schedule of the connection."""
        request.scope["unicart.route"] = "/schedules/toggle-all"
        connection = (await self._services.caller(request.scope, write=True)).connection
        paused = await _read_paused(request)
        await self._pause(connection, tuple(Function), paused)
        return Reply(encode(ConnectionUpdated(id=connection.id)))

    async def disable(self, request: Request) -> Reply:
        """Disable functions of the connection, and enable all others."""
        request.scope["unicart.route"] = "/schedules/disabled-functions"
        connection = (await self._services.caller(request.scope, write=True)).connection
        facts = connector(connection.integration_name).facts
        known = [name.value for name in (*facts.functions, *facts.write_functions)]
        names = read_disabled(await read_object(request), known)
        await tenants.disable_functions(self._services.database, connection, names)
        return Reply(encode(ConnectionUpdated(id=connection.id)))

    async def _pause(self, connection: Connection, functions: tuple[Function, ...], paused: bool) -> list[str]:
        return await schedules.pause(
            self._services.database, connection.key, functions, paused=paused, now=int(time.time())
        )


def _function(connection: Connection, name: str) -> Function:
    if name not in tuple(Function):
        raise InvalidRequest("path", {"function_name": [f"must be one of: {', '.join(Function)}"]})
    facts = connector(connection.integration_name).facts
    if name not in facts.functions:
        raise NotImplementedHere(f"Endpoint {name} is not implemented for {facts.display_name}")
    return Function(name)


def _read_functions(value: object, known: tuple[Function, ...]) -> list[Function]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each in known for each in value):
        raise ValueError(f"must be a list of functions of this connection: {', '.join(known)}")
    return [Function(each) for each in value]


DEPENDS = {
    WriteFunction.CREATE_SHIPMENT: Function.GET_ORDERS,
    WriteFunction.REFUND_ORDER: Function.GET_ORDERS,
    WriteFunction.ADJUST_INVENTORY: Function.GET_PRODUCTS,
    WriteFunction.BATCH_ADJUST_INVENTORY: Function.GET_PRODUCTS,
}
"""What a write reads back with."""


def read_disabled(fields: Fields, known: Sequence[str]) -> list[str]:
    """The functions to disable; none for null, which drops what was said before.

    Raises:
        InvalidRequest: one is unknown, or one that stays enabled depends on one that does not.
    """
    if set(fields) != {"disabled_functions"}:
        raise InvalidRequest("json", {"disabled_functions": ["is required, and nothing else"]})
    names = fields["disabled_functions"] or []
    if not isinstance(names, list) or not all(isinstance(name, str) and name in known for name in names):
        raise InvalidRequest("json", {"disabled_functions": [f"must be null or a list of: {', '.join(known)}"]})
    for write, needed in DEPENDS.items():
        if needed in names and write in known and write not in names:
            problem = f"{write.value} depends on {needed.value}. Disable both, or none"
            raise InvalidRequest("json", {"disabled_functions": [problem]})
    return [name for name in known if name in names]


async def _read_paused(request: Request) -> bool:
    fields = read_fields(await read_object(request), {"paused": _read_boolean}, required=["paused"])
    return bool(fields["paused"])


def _read_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value
