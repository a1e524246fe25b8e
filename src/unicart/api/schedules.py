"""The routes that pause, resume and force the scheduled syncs of a connection."""

import time
from collections.abc import Sequence

from starlette.routing import Route

from unicart.api.body import Fields, read_boolean, read_fields
from unicart.api.changes import Change, changing
from unicart.api.records import Services
from unicart.connectors.registry import connector
from unicart.contract.connections import ConnectionUpdated, SyncStarted
from unicart.contract.errors import InvalidRequest, NotFound, NotImplementedHere
from unicart.contract.resources import Function
from unicart.contract.writes import WriteFunction
from unicart.store import schedules, tenants
from unicart.store.tenants import Connection


def routes(services: Services) -> list[Route]:
    """``/connections/sync`` and ``/schedules``."""
    family = ScheduleRoutes(services)
    toggle = "/schedules/{function_name}/toggle"
    return [
        Route(
            "/connections/sync", changing(services, "/connections/sync", family.sync, bodiless=True), methods=["POST"]
        ),
        *(
            Route(path, changing(services, path, handle), methods=["PATCH"])
            for path, handle in (
                ("/schedules/toggle-all", family.toggle_all),
                ("/schedules/disabled-functions", family.disable),
                (toggle, family.toggle),
            )
        ),
    ]


class ScheduleRoutes:
    """The routes."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def sync(self, change: Change) -> SyncStarted:
        """Make schedules due at once, paused or not."""
        connection = change.connection
        known = connector(connection.integration_name).facts.functions
        chosen = read_fields(change.fields, {"functions_to_sync": lambda value: _read_functions(value, known)})
        wanted = chosen.get("functions_to_sync") or known
        due = await schedules.force(change.database, connection.key, wanted, int(time.time()))
        named = [] if set(due) == set(known) else [Function(function) for function in due]
        return SyncStarted(id=connection.id, syncing=bool(due), functions_to_sync=named)

    async def toggle(self, change: Change) -> ConnectionUpdated:
        """Pause or resume the schedule of one function."""
        function = _function(change.connection, change.request.path_params["function_name"])
        if not await _pause(change, (function,)):
            raise NotFound("There is no such schedule yet. The worker makes it when it starts", id=function.value)
        return ConnectionUpdated(id=change.connection.id)

    async def toggle_all(self, change: Change) -> ConnectionUpdated:
        """Pause or resume every schedule of the connection."""
        await _pause(change, tuple(Function))
        return ConnectionUpdated(id=change.connection.id)

    async def disable(self, change: Change) -> ConnectionUpdated:
        """Disable functions of the connection, and enable all others."""
        facts = connector(change.connection.integration_name).facts
        known = [name.value for name in (*facts.functions, *facts.write_functions)]
        names = read_disabled(change.fields, known)
        await tenants.disable_functions(change.database, change.connection, names)
        self._services.authenticator.forget(change.connection)
        return ConnectionUpdated(id=change.connection.id)


async def _pause(change: Change, functions: tuple[Function, ...]) -> list[str]:
    paused: bool = read_fields(change.fields, {"paused": read_boolean}, required=["paused"])["paused"]
    return await schedules.pause(change.database, change.connection.key, functions, paused=paused, now=int(time.time()))


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
