"""The pages of webhook endpoints: how they stand, what was sent, and sending again."""

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from unicart.api.webhooks import EndpointBody
from unicart.contract.errors import InvalidRequest, NotFound
from unicart.contract.events import EVENT_TYPES
from unicart.dashboard import organizations
from unicart.dashboard.pages import Desk, Visit, path_to, problems, url
from unicart.store import tenants, webhooks
from unicart.store.tenants import Organization
from unicart.store.webhooks import MOST_ENDPOINTS, Attempt, Endpoint, TooManyEndpoints

SHOWN = 50


class WebhookPages:
    """The pages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def choose(self, visit: Visit) -> Response:
        """The endpoints of the first organization."""
        return await organizations.first(self._desk, visit, "webhooks")

    async def list(self, visit: Visit) -> Response:
        """The endpoints of an organization."""
        return await self._listed(visit)

    async def create(self, visit: Visit) -> Response:
        """Make an endpoint, and show its secret, once."""
        organization = await self._desk.organization(visit.path["organization"])
        given: dict[str, Any] = {
            "url": visit.form.get("url", "").strip(),
            "description": visit.form.get("description", "").strip(),
            "event_types": tuple(visit.values("event_type")) or None,
            "connection_ids": tuple(visit.values("connection_id")) or None,
        }
        body = msgspec.convert(given, EndpointBody)
        try:
            await self._desk.hooks.check(organization.id, body)
            _, secret = await webhooks.create(
                self._desk.database, self._desk.vault, organization.id, visit.now, **given
            )
        except InvalidRequest as error:
            return await self._listed(visit, wrong=problems(error))
        except TooManyEndpoints:
            return await self._listed(visit, wrong=[f"There are {MOST_ENDPOINTS} endpoints already; delete one first."])
        return await self._listed(visit, secret=secret)

    async def one(self, visit: Visit) -> Response:
        """One endpoint, and the attempts to send to it."""
        organization, endpoint = await self._of(visit)
        return await self._shown(visit, organization, endpoint)

    async def change(self, visit: Visit) -> Response:
        """Enable, disable or delete an endpoint, or give it a new secret."""
        organization, endpoint = await self._of(visit)
        action, back = visit.form.get("action", ""), path_to("webhooks", organization.id, endpoint.id)
        database = self._desk.database
        if action in ("enable", "disable"):
            disabled = action == "disable"
            since = endpoint.failing_since if disabled else None
            changed = msgspec.structs.replace(endpoint, disabled=disabled, failing_since=since)
            await webhooks.change(database, changed, visit.now)
            return visit.go(back, f"{action}d")
        if action == "delete":
            await webhooks.remove(database, endpoint)
            return visit.go(path_to("webhooks", organization.id), "removed")
        if action == "rotate":
            secret = await webhooks.rotate_secret(database, self._desk.vault, endpoint, visit.now)
            return await self._shown(visit, organization, endpoint, secret=secret)
        raise InvalidRequest("json", {"action": ["must be enable, disable, rotate or delete"]})

    async def test(self, visit: Visit) -> Response:
        """Send a test event now, and tell how that went."""
        organization, endpoint = await self._of(visit)
        attempt = await self._desk.hooks.send_test(endpoint)
        return await self._shown(visit, organization, endpoint, tested=attempt)

    async def replay(self, visit: Visit) -> Response:
        """Send one event again, or all that failed for good."""
        organization, endpoint = await self._of(visit)
        event_id, database = visit.form.get("event_id", ""), self._desk.database
        if event_id.isascii() and event_id.isdigit() and len(event_id) < 19:
            count = await webhooks.replay_events(database, endpoint, [int(event_id)], visit.now)
        else:
            count = await webhooks.replay_failed(database, endpoint, visit.now)
        return visit.go(path_to("webhooks", organization.id, endpoint.id), "replayed" if count else "nothing")

    async def _of(self, visit: Visit) -> tuple[Organization, Endpoint]:
        organization = await self._desk.organization(visit.path["organization"])
        id = visit.path["id"]
        endpoint = None if "\x00" in id else await webhooks.find(self._desk.database, organization.id, id)
        if endpoint is None:
            raise NotFound("There is no such webhook endpoint. It may have been deleted.", id=id)
        return organization, endpoint

    async def _listed(self, visit: Visit, *, secret: str | None = None, wrong: Sequence[str] = ()) -> Response:
        organization = await self._desk.organization(visit.path["organization"])
        found = await webhooks.list_endpoints(self._desk.database, organization.id)
        return visit.page(
            "webhooks.html",
            422 if wrong else 200,
            organization=organization,
            organizations=await tenants.list_organizations(self._desk.database),
            endpoints=[await self._desk.hooks.shown(each) for each in found],
            accounts=await organizations.accounts(self._desk, organization.id),
            types=EVENT_TYPES,
            secret=secret,
            wrong=wrong,
            given=visit.form,
        )

    async def _shown(
        self,
        visit: Visit,
        organization: Organization,
        endpoint: Endpoint,
        *,
        secret: str | None = None,
        tested: Attempt | None = None,
    ) -> Response:
        before, outcome = visit.asked("before"), visit.asked("delivered")
        found = await webhooks.list_attempts(
            self._desk.database,
            endpoint,
            int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None,
            SHOWN + 1,
            delivered={"true": True, "false": False}.get(outcome),
        )
        attempts = found[:SHOWN]
        here = path_to("webhooks", organization.id, endpoint.id)
        chosen = [("delivered", outcome)] if outcome else []
        return visit.page(
            "webhook.html",
            organization=organization,
            endpoint=await self._desk.hooks.shown(endpoint),
            accounts=await organizations.accounts(self._desk, organization.id),
            attempts=[each for _, each in attempts],
            base=here,
            outcome=outcome,
            secret=secret,
            tested=tested,
            first=url(here, chosen) if before else None,
            next=url(here, [*chosen, ("before", str(attempts[-1][0]))]) if len(found) > SHOWN else None,
        )
