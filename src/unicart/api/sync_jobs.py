"""The routes of on-demand syncs: one function's records of a span of time, pulled once."""

import time
from datetime import datetime

from starlette.requests import Request
from starlette.routing import Route

from unicart.api.body import read_fields
from unicart.api.changes import Change, changing
from unicart.api.parameters import no_parameters
from unicart.api.records import Services
from unicart.api.reply import Endpoint, Reply
from unicart.connectors.registry import connector
from unicart.contract.common import encode, whole_second
from unicart.contract.connections import SyncJob
from unicart.contract.errors import InvalidRequest, NotFound
from unicart.contract.resources import Function
from unicart.store import jobs
from unicart.store.database import Database
from unicart.store.jobs import Job
from unicart.store.tenants import Connection

PATH = "/connections/on-demand-syncs"
ONE = f"{PATH}/{{sync_job_id}}"
CANCEL = f"{ONE}/cancel"


def routes(services: Services) -> list[Route]:
    """``/connections/on-demand-syncs``."""
    family = SyncJobRoutes(services)
    return [
        Route(PATH, changing(services, PATH, family.create), methods=["POST"]),
        Route(ONE, Endpoint(family.get), methods=["GET"]),
        Route(CANCEL, changing(services, CANCEL, family.cancel, bodiless=True), methods=["POST"]),
    ]


class SyncJobRoutes:
    """The routes."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def create(self, change: Change) -> SyncJob:
        """Open a job."""
        connection = change.connection
        readers = {
            "function_name": lambda value: _read_function(value, connection),
            "start_time": _read_time,
            "end_time": _read_time,
        }
        fields = read_fields(change.fields, readers, required=list(readers))
        start, until = fields["start_time"], fields["end_time"]
        if start >= until:
            raise InvalidRequest("json", {"end_time": ["must be later than start_time"]})
        function, now = fields["function_name"].value, int(time.time())
        job = await jobs.create(change.database, connection.key, function, start, until, now)
        return jobs.shown(job, connection.id)

    async def get(self, request: Request) -> Reply:
        """One job."""
        request.scope["unicart.route"] = ONE
        connection = (await self._services.caller(request.scope, write=False)).connection
        no_parameters(request.scope)
        job = await _job(self._services.database, request, connection)
        return Reply(encode(jobs.shown(job, connection.id)))

    async def cancel(self, change: Change) -> SyncJob:
        """Cancel an open job; what it has stored stays."""
        job = await _job(change.database, change.request, change.connection)
        cancelled = await jobs.cancel(change.database, change.connection.key, job.id)
        if cancelled is None:
            # Not a 409, which tells a client of this API to try the same again later.
            job = await _job(change.database, change.request, change.connection)
            raise InvalidRequest("path", {"sync_job_id": [f"is {job.status.value}. Only open jobs can be cancelled"]})
        return jobs.shown(cancelled, change.connection.id)


async def _job(database: Database, request: Request, connection: Connection) -> Job:
    id: str = request.path_params["sync_job_id"]
    found = None if "\x00" in id else await jobs.find(database, connection.key, id)
    if found is None:
        raise NotFound("On-demand sync not found", id=id)
    return found


def _read_function(value: object, connection: Connection) -> Function:
    facts = connector(connection.integration_name).facts
    known = [function for function in facts.functions if function.value not in connection.disabled]
    if not isinstance(value, str) or value not in known:
        asked = f"{connection.integration_name} {str(value)[:40]}"
        raise ValueError(f"On-demand sync is not enabled for {asked}. Use one of: {', '.join(known)}")
    return Function(value)


def _read_time(value: object) -> int:
    """Epoch seconds of an ISO 8601 time with a zone; a fraction of a second is cut off."""
    if not isinstance(value, str):
        raise ValueError("must be an ISO 8601 time with a zone, such as 2026-01-01T00:00:00Z")
    try:
        return int(whole_second(datetime.fromisoformat(value)).timestamp())
    except ValueError:
        raise ValueError("must be an ISO 8601 time with a zone, such as 2026-01-01T00:00:00Z") from None
