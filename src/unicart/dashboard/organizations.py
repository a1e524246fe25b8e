"""Which organization a page is about: the first one, until another is chosen."""

from starlette.responses import Response

from unicart.dashboard.pages import Desk, Visit, path_to
from unicart.store import tenants
from unicart.store.tenants import Connection


async def first(desk: Desk, visit: Visit, section: str) -> Response:
    """Go on to the page of the first organization."""
    found = await tenants.list_organizations(desk.database)
    if found:
        return visit.go(path_to(section, found[0].id))
    return visit.page("nothing.html")


async def accounts(desk: Desk, organization_id: str) -> dict[str, Connection]:
    """The organization's connections, by id."""
    return {each.id: each for each in await tenants.list_connections(desk.database, organization_id)}
