"""Webhook endpoints: where events are sent, how that went, and sending again. An API of Unicart's own."""

import time
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from unicart.api.body import read_body
from unicart.api.parameters import parameters
from unicart.api.records import Services
from unicart.api.reply import Endpoint as Handler
from unicart.api.reply import Reply
from unicart.connectors.kit.targets import BadTarget, PrivateTarget, parse, resolve
from unicart.contract.common import encode, format_date, parse_date
from unicart.contract.errors import InvalidRequest, NotFound
from unicart.contract.events import ENDPOINT_TEST, EVENT_TYPES, of_endpoint
from unicart.contract.filters import grouped, parse_limit, read_each, single
from unicart.contract.webhooks import WebhookAttempt, WebhookEndpoint
from unicart.events.sender import Sender
from unicart.store import tenants, webhooks
from unicart.store.events import Stored
from unicart.store.secrets import Vault
from unicart.store.tenants import ApiKey
from unicart.store.webhooks import MOST_ENDPOINTS, Attempt, Endpoint, TooManyEndpoints

T = TypeVar("T")

LONGEST_URL = 2000
LONGEST_DESCRIPTION = 500
MOST_EVENTS = 1000
UNSET = msgspec.UNSET
Unset = msgspec.UnsetType


class EndpointBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an endpoint can be given. Null ``event_types`` or ``connection_ids`` mean all."""

    url: str | Unset = UNSET
    description: str | Unset = UNSET
    event_types: tuple[str, ...] | Unset | None = UNSET
    connection_ids: tuple[str, ...] | Unset | None = UNSET
    disabled: bool | Unset = UNSET


class ReplayBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to send again: events by their ids, those of a range of dates, or all that failed for good."""

    event_ids: tuple[str, ...] | Unset = UNSET
    since: str | Unset = UNSET
    until: str | Unset = UNSET
    failed: bool | Unset = UNSET


class AttemptQuery(msgspec.Struct, frozen=True):
    """Which attempts, older than the cursor ``before``."""

    before: int | None = None
    limit: int = 100
    event_id: int | None = None
    delivered: bool | None = None


def routes(services: Services, vault: Vault, *, private_network: bool) -> list[Route]:
    """``/webhooks`` and what is below it."""
    family = WebhookRoutes(services, vault, private_network=private_network)
    one = "/webhooks/{endpoint_id}"
    return [
        Route("/webhooks", Handler(family.list), methods=["GET"]),
        Route("/webhooks", Handler(family.create), methods=["POST"]),
        Route(one, Handler(family.get), methods=["GET"]),
        Route(one, Handler(family.change), methods=["PATCH"]),
        Route(one, Handler(family.remove), methods=["DELETE"]),
        Route(f"{one}/rotate-secret", Handler(family.rotate_secret), methods=["POST"]),
        Route(f"{one}/test", Handler(family.test), methods=["POST"]),
        Route(f"{one}/attempts", Handler(family.attempts), methods=["GET"]),
        Route(f"{one}/replay", Handler(family.replay), methods=["POST"]),
    ]


class WebhookRoutes:
    """The routes of endpoints."""

    def __init__(self, services: Services, vault: Vault, *, private_network: bool) -> None:
        self._services = services
        self._database = services.database
        self._vault = vault
        self._private_network = private_network

    async def list(self, request: Request) -> Reply:
        """All endpoints of the organization."""
        key = await self._admit(request, "/webhooks", write=False)
        found = [await self.shown(each) for each in await webhooks.list_endpoints(self._database, key.organization_id)]
        return Reply(encode({"data": found, "next_token": None, "total_count": len(found)}))

    async def create(self, request: Request) -> Reply:
        """Make an endpoint. Its secret is in the answer, and only there."""
        key = await self._admit(request, "/webhooks", write=True)
        body = _decoded(await read_body(request), EndpointBody)
        if body.url is UNSET:
            raise InvalidRequest("json", {"url": ["is required"]})
        await self.check(key.organization_id, body)
        given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}
        try:
            made, secret = await webhooks.create(
                self._database, self._vault, key.organization_id, int(time.time()), **given
            )
        except TooManyEndpoints:
            message = f"there are {MOST_ENDPOINTS} endpoints already; delete one first"
            raise InvalidRequest("json", {"url": [message]}) from None
        return Reply(encode({"data": {**msgspec.structs.asdict(await self.shown(made)), "secret": secret}}))

    async def get(self, request: Request) -> Reply:
        """One endpoint."""
        _, endpoint = await self._one(request, "", write=False)
        return Reply(encode({"data": await self.shown(endpoint)}))

    async def change(self, request: Request) -> Reply:
        """Change what is given of an endpoint."""
        key, endpoint = await self._one(request, "", write=True)
        body = _decoded(await read_body(request), EndpointBody)
        await self.check(key.organization_id, body)
        given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}
        if endpoint.disabled and body.disabled is False:
            given["failing_since"] = None
        changed = await webhooks.change(self._database, msgspec.structs.replace(endpoint, **given), int(time.time()))
        if changed is None:
            raise _not_found(endpoint.id)
        return Reply(encode({"data": await self.shown(changed)}))

    async def remove(self, request: Request) -> Reply:
        """Delete an endpoint."""
        _, endpoint = await self._one(request, "", write=True)
        await webhooks.remove(self._database, endpoint)
        return Reply(encode({"id": endpoint.id, "object": "webhook_endpoint", "deleted": True}))

    async def rotate_secret(self, request: Request) -> Reply:
        """Give an endpoint a new secret; the old one signs as well for a day."""
        _, endpoint = await self._one(request, "/rotate-secret", write=True)
        secret = await webhooks.rotate_secret(self._database, self._vault, endpoint, int(time.time()))
        return Reply(encode({"data": {"id": endpoint.id, "secret": secret}}))

    async def test(self, request: Request) -> Reply:
        """Send a test event now, and tell how that went."""
        _, endpoint = await self._one(request, "/test", write=True)
        return Reply(encode({"data": _shown_attempt(await self.send_test(endpoint))}))

    async def send_test(self, endpoint: Endpoint) -> Attempt:
        """Send a test event to an endpoint now."""
        now = int(time.time())
        secrets = await webhooks.read_secrets(self._database, self._vault, endpoint, now)
        event = of_endpoint(ENDPOINT_TEST, {"endpoint_id": endpoint.id, "url": endpoint.url})
        async with Sender(endpoint.url, private_network=self._private_network) as sender:
            return await sender.send(Stored(0, "", event.type, now, event.body), secrets)

    async def attempts(self, request: Request) -> Reply:
        """What was sent to an endpoint, the newest attempt first."""
        _, endpoint = await self._one(request, "/attempts", write=False)
        query = AttemptQuery(**read_each(grouped(parameters(request.scope["query_string"])), _parsed))
        found = await webhooks.list_attempts(
            self._database,
            endpoint,
            query.before,
            query.limit,
            event_id=query.event_id,
            delivered=query.delivered,
        )
        cursor = str(found[-1][0]) if len(found) == query.limit else None
        return Reply(encode({"data": [_shown_attempt(each) for _, each in found], "next_cursor": cursor}))

    async def replay(self, request: Request) -> Reply:
        """Send events again."""
        _, endpoint = await self._one(request, "/replay", write=True)
        body = _decoded(await read_body(request), ReplayBody)
        now = int(time.time())
        if body.failed is True and body.event_ids is UNSET and body.since is UNSET and body.until is UNSET:
            count = await webhooks.replay_failed(self._database, endpoint, now)
        elif body.event_ids is not UNSET and body.failed is UNSET and body.since is UNSET and body.until is UNSET:
            count = await webhooks.replay_events(self._database, endpoint, _event_ids(body.event_ids), now)
        elif body.since is not UNSET and body.event_ids is UNSET and body.failed is UNSET:
            since = _date("since", body.since)
            until = now if body.until is UNSET else _date("until", body.until)
            count = await webhooks.replay_range(self._database, endpoint, since, until, now)
        else:
            message = "must hold either event_ids, or since and perhaps until, or failed: true"
            raise InvalidRequest("json", {"body": [message]})
        return Reply(encode({"data": {"id": endpoint.id, "replayed": count}}))

    async def _admit(self, request: Request, route: str, *, write: bool) -> ApiKey:
        request.scope["unicart.route"] = route
        return await self._services.key(request.scope, write=write)

    async def _one(self, request: Request, below: str, *, write: bool) -> tuple[ApiKey, Endpoint]:
        key = await self._admit(request, f"/webhooks/{{endpoint_id}}{below}", write=write)
        id: str = request.path_params["endpoint_id"]
        endpoint = None if "\x00" in id else await webhooks.find(self._database, key.organization_id, id)
        if endpoint is None:
            raise _not_found(id)
        return key, endpoint

    async def shown(self, endpoint: Endpoint) -> WebhookEndpoint:
        """An endpoint as it is served."""
        waiting, failed = await webhooks.count_failed(self._database, endpoint)
        since = endpoint.failing_since
        return WebhookEndpoint(
            id=endpoint.id,
            url=endpoint.url,
            description=endpoint.description,
            event_types=endpoint.event_types,
            connection_ids=endpoint.connection_ids,
            disabled=endpoint.disabled,
            disabled_reason=endpoint.disabled_reason,
            failing_since=None if since is None else format_date(since),
            cursor=str(endpoint.position),
            waiting=waiting,
            failed=failed,
            created_date=format_date(endpoint.created),
            updated_date=format_date(endpoint.updated),
        )

    async def check(self, organization_id: str, body: EndpointBody) -> None:
        """Look whether an endpoint of the organization may be given what ``body`` holds.

        Raises:
            InvalidRequest: naming each field that it may not.
        """
        problems: dict[str, list[str]] = {}
        for name, problem in (
            ("url", await self._url_problem(body.url)),
            ("description", _description_problem(body.description)),
            ("event_types", _types_problem(body.event_types)),
            ("connection_ids", await self._connections_problem(organization_id, body.connection_ids)),
        ):
            if problem:
                problems[name] = [problem]
        if problems:
            raise InvalidRequest("json", problems)

    async def _url_problem(self, url: str | Unset) -> str | None:
        if url is UNSET:
            return None
        try:
            if len(url) > LONGEST_URL or not url.isprintable():
                raise BadTarget
            if parse(url).userinfo:
                return "must not hold a user or password; webhooks are signed instead"
            await resolve(url, private_network=self._private_network)
        except BadTarget:
            return f"must be an http or https URL of at most {LONGEST_URL} characters"
        except PrivateTarget as error:
            return f"{error}; an operator can allow that with UNICART_WEBHOOK_PRIVATE_NETWORK=true"
        except OSError:
            # A name may be given before it is in the DNS; attempts say so until it is.
            return None
        return None

    async def _connections_problem(self, organization_id: str, ids: tuple[str, ...] | Unset | None) -> str | None:
        if ids is UNSET or ids is None:
            return None
        if not ids:
            return "must hold at least one id; null means all"
        known = {each.id for each in await tenants.list_connections(self._database, organization_id)}
        unknown = sorted(set(ids) - known)
        return f"{unknown[0]!r} is no connection of yours" if unknown else None


def _description_problem(text: str | Unset) -> str | None:
    if text is not UNSET and (len(text) > LONGEST_DESCRIPTION or "\x00" in text):
        return f"must be at most {LONGEST_DESCRIPTION} characters without NUL"
    return None


def _types_problem(types: tuple[str, ...] | Unset | None) -> str | None:
    if types is UNSET or types is None:
        return None
    if not types:
        return "must hold at least one type; null means all"
    if not set(types) <= set(EVENT_TYPES):
        return f"must be among: {', '.join(EVENT_TYPES)}"
    return None


def _decoded(body: bytes, type: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=type)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`") or "body"
        if reason.startswith("Object contains unknown field"):
            field, reason = reason.split("`")[1], "is not a known field"
        raise InvalidRequest("json", {field: [reason[0].lower() + reason[1:]]}) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("json", {"body": ["must be a JSON object"]}) from None


def _event_ids(ids: tuple[str, ...]) -> list[int]:
    if not 0 < len(ids) <= MOST_EVENTS:
        raise InvalidRequest("json", {"event_ids": [f"must hold 1 to {MOST_EVENTS} ids"]})
    try:
        return [_number(id) for id in ids]
    except ValueError as error:
        raise InvalidRequest("json", {"event_ids": [f"each {error}"]}) from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError("must be the id of an event")
    return int(text)


def _date(name: str, text: str) -> int:
    try:
        return parse_date(text)
    except ValueError as error:
        raise InvalidRequest("json", {name: [str(error)]}) from None


def _parsed(name: str, values: list[str]) -> int | bool:
    if name in ("before", "event_id"):
        return _number(single(values))
    if name == "limit":
        return parse_limit(single(values))
    if name == "delivered":
        value = single(values)
        if value not in ("true", "false"):
            raise ValueError("must be true or false")
        return value == "true"
    raise ValueError("is not a known parameter")


def _shown_attempt(attempt: Attempt) -> WebhookAttempt:
    return WebhookAttempt(
        event_id=str(attempt.event_id) if attempt.event_id else None,
        event_type=attempt.event_type,
        attempted_date=format_date(attempt.attempted_ms // 1000),
        delivered=attempt.delivered,
        status=attempt.status,
        latency_ms=attempt.latency_ms,
        error=attempt.error,
    )


def _not_found(id: str) -> NotFound:
    return NotFound("Webhook endpoint not found", id=id)
