"""The page of events, the newest first."""

from starlette.responses import Response

from unicart.contract.events import EVENT_TYPES
from unicart.dashboard import organizations
from unicart.dashboard.json_text import indented
from unicart.dashboard.pages import Desk, Visit, path_to, url
from unicart.store import events, tenants

SHOWN = 50


class EventPages:
    """The pages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def choose(self, visit: Visit) -> Response:
        """The events of the first organization."""
        return await organizations.first(self._desk, visit, "events")

    async def list(self, visit: Visit) -> Response:
        """A page of events."""
        database = self._desk.database
        organization = await self._desk.organization(visit.path["organization"])
        type, connection_id = visit.asked("event_type"), visit.asked("connection_id").replace("\x00", "")
        before = visit.asked("before")
        found = await events.newest(
            database,
            organization.id,
            int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None,
            SHOWN + 1,
            type=type if type in EVENT_TYPES else None,
            connection_id=connection_id or None,
        )
        shown = found[:SHOWN]
        chosen = [(name, value) for name, value in (("event_type", type), ("connection_id", connection_id)) if value]
        base = path_to("events", organization.id)
        return visit.page(
            "events.html",
            organization=organization,
            organizations=await tenants.list_organizations(database),
            accounts=await organizations.accounts(self._desk, organization.id),
            types=EVENT_TYPES,
            type=type,
            connection_id=connection_id,
            events=[(each, indented(each.written())) for each in shown],
            first=url(base, chosen) if before else None,
            next=url(base, [*chosen, ("before", str(shown[-1].id))]) if len(found) > SHOWN else None,
        )
