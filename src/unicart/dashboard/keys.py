"""The page of API keys."""

from starlette.responses import Response

from unicart.contract.errors import NotFound
from unicart.dashboard import organizations
from unicart.dashboard.pages import Desk, Visit, path_to
from unicart.store import tenants

LONGEST_NAME = 100


class KeyPages:
    """The pages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def choose(self, visit: Visit) -> Response:
        """The keys of the first organization."""
        return await organizations.first(self._desk, visit, "keys")

    async def list(self, visit: Visit) -> Response:
        """The keys of an organization."""
        return await self._listed(visit)

    async def create(self, visit: Visit) -> Response:
        """Make a key, and show it, once."""
        organization = await self._desk.organization(visit.path["organization"])
        name = visit.form.get("name", "").strip().replace("\x00", "")
        if not 0 < len(name) <= LONGEST_NAME:
            return await self._listed(visit, wrong=f"name must have 1 to {LONGEST_NAME} characters")
        read_only = "read_only" in visit.form
        secret = await tenants.create_key(self._desk.database, organization.id, name, read_only)
        return await self._listed(visit, secret=secret)

    async def revoke(self, visit: Visit) -> Response:
        """Revoke a key."""
        organization = await self._desk.organization(visit.path["organization"])
        id = visit.path["id"].replace("\x00", "")
        if not await tenants.revoke_key(self._desk.database, organization.id, id):
            raise NotFound("There is no such key. It may have been revoked already.", id=id)
        return visit.go(path_to("keys", organization.id), "revoked")

    async def _listed(self, visit: Visit, *, secret: str | None = None, wrong: str | None = None) -> Response:
        organization = await self._desk.organization(visit.path["organization"])
        await self._desk.uses.store()
        return visit.page(
            "keys.html",
            422 if wrong else 200,
            organization=organization,
            organizations=await tenants.list_organizations(self._desk.database),
            keys=await tenants.list_keys(self._desk.database, organization.id),
            secret=secret,
            wrong=wrong,
        )
