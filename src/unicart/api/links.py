"""The routes of link tokens, of what the link dialog hands out, and of magic links."""

from collections.abc import Callable, Iterable, Mapping

from starlette.requests import Request
from starlette.routing import Route

from unicart.api.body import Fields, Reader, is_null, read_fields, read_object
from unicart.api.connections import available_actions
from unicart.api.integrations import VERTICAL
from unicart.api.parameters import no_parameters
from unicart.api.records import Services
from unicart.api.reply import Endpoint, Reply
from unicart.connectors.registry import offered_names
from unicart.contract.common import encode, format_date
from unicart.contract.errors import InvalidRequest, NotFound
from unicart.contract.links import ExchangedConnection, LinkToken, MagicLinkDeleted, MagicLinkObject
from unicart.contract.resources import Function
from unicart.contract.writes import WriteFunction
from unicart.store import links, tenants
from unicart.store.links import MagicLink, Options, Purpose
from unicart.store.secrets import Vault

MOST_NAMES = 100
DAYS = 7
MOST_DAYS = 365
FUNCTIONS = frozenset([*(each.value for each in Function), *(each.value for each in WriteFunction)])


def base_url(request: Request, public_url: str) -> str:
    """Where browsers reach us: the public URL, or else where this request was sent to."""
    return public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"


def routes(services: Services, vault: Vault, public_url: str) -> list[Route]:
    """``/link/token``, ``/link/exchange`` and ``/magic-links``."""
    family = LinkRoutes(services, vault, public_url)
    return [
        Route("/link/token", Endpoint(family.token), methods=["POST"]),
        Route("/link/exchange", Endpoint(family.exchange), methods=["POST"]),
        Route("/magic-links", Endpoint(family.list), methods=["GET"]),
        Route("/magic-links", Endpoint(family.create), methods=["POST"]),
        Route("/magic-links/{id}", Endpoint(family.get), methods=["GET"]),
        Route("/magic-links/{id}", Endpoint(family.delete), methods=["DELETE"]),
    ]


class LinkRoutes:
    """The routes, all of which need the organization's key only."""

    def __init__(self, services: Services, vault: Vault, public_url: str) -> None:
        self._services = services
        self._vault = vault
        self._public_url = public_url

    async def token(self, request: Request) -> Reply:
        """Make a link token."""
        request.scope["unicart.route"] = "/link/token"
        key = await self._services.key(request.scope, write=True)
        fields = read_fields(_without_empty(await read_object(request, optional=True)), TOKEN_FIELDS)
        purpose = await self._purpose(key.organization_id, fields)
        return Reply(encode(LinkToken(link_token=await links.create_token(self._services.database, purpose))))

    async def exchange(self, request: Request) -> Reply:
        """Give the access token of what the dialog has connected."""
        request.scope["unicart.route"] = "/link/exchange"
        key = await self._services.key(request.scope, write=True)
        fields = read_fields(_without_empty(await read_object(request)), EXCHANGE_FIELDS)
        if ("auth_code" in fields) == ("connection_id" in fields):
            raise InvalidRequest(
                "json", {"auth_code": ["is required. For a magic link, give the connection_id instead"]}
            )
        found = await links.exchange(
            self._services.database,
            key.organization_id,
            code=fields.get("auth_code"),
            connection_id=fields.get("connection_id"),
            customer_id=fields.get("customer_id"),
        )
        if found is None:
            raise InvalidRequest("json", _nothing_to_exchange(fields))
        connection, token = found
        actions = available_actions(connection)
        made = ExchangedConnection(
            access_token=token,
            connection_id=connection.id,
            integration_name=connection.integration_name,
            customer_id=connection.customer_id,
            available_actions=actions,
            available_endpoints=actions,
        )
        return Reply(encode(made))

    async def list(self, request: Request) -> Reply:
        """The magic links that work."""
        request.scope["unicart.route"] = "/magic-links"
        key = await self._services.key(request.scope)
        no_parameters(request.scope)
        found = await links.list_magic_links(self._services.database, key.organization_id)
        return Reply(encode({"magic_links": [self._shown(request, link) for link in found]}))

    async def create(self, request: Request) -> Reply:
        """Make a magic link."""
        request.scope["unicart.route"] = "/magic-links"
        key = await self._services.key(request.scope, write=True)
        fields = read_fields(_without_empty(await read_object(request, optional=True)), MAGIC_FIELDS)
        options = _options(fields)
        purpose = await self._purpose(key.organization_id, fields)
        days = fields.get("link_duration", DAYS)
        link = await links.create_magic_link(self._services.database, self._vault, purpose, options, days)
        return Reply(encode({"magic_link": self._shown(request, link)}))

    async def get(self, request: Request) -> Reply:
        """One magic link."""
        request.scope["unicart.route"] = "/magic-links/{magic_link_id}"
        key = await self._services.key(request.scope)
        no_parameters(request.scope)
        id: str = request.path_params["id"]
        link = None
        if "\x00" not in id:
            link = await links.find_magic_link(self._services.database, key.organization_id, id)
        if link is None:
            raise NotFound("Magic link not found", id=id)
        return Reply(encode({"magic_link": self._shown(request, link)}))

    async def delete(self, request: Request) -> Reply:
        """End a magic link."""
        request.scope["unicart.route"] = "/magic-links/{magic_link_id}"
        key = await self._services.key(request.scope, write=True)
        no_parameters(request.scope)
        id: str = request.path_params["id"]
        if "\x00" in id or not await links.delete_magic_link(self._services.database, key.organization_id, id):
            raise NotFound("Magic link not found", id=id)
        return Reply(encode(MagicLinkDeleted(id=id)))

    async def _purpose(self, organization_id: str, fields: Fields) -> Purpose:
        id: str | None = fields.get("connection_id")
        if id is not None:
            found = await tenants.find_connection(self._services.database, id)
            if found is None or found.organization_id != organization_id:
                raise InvalidRequest(
                    "json", {"connection_id": ["is no connection of yours. Leave it out for a new one"]}
                )
        return Purpose(organization_id, id, fields.get("customer_id"))

    def _shown(self, request: Request, link: MagicLink) -> MagicLinkObject:
        secret = links.magic_secret(self._vault, link)
        return MagicLinkObject(
            id=link.id,
            url=f"{base_url(request, self._public_url)}/link/magic/{secret}" if secret else None,
            expires_at=format_date(link.expires),
            integration_allow_list=list(link.options.allow),
            integration_block_list=list(link.options.block),
            integrations_with_endpoints=list(link.options.endpoints),
            disabled_functions=list(link.options.disabled_functions),
            customer_id=link.customer_id,
            connection_id=link.connection_id,
        )


def _without_empty(fields: Fields) -> Fields:
    """Clients send these null or empty where they have none."""
    optional = ("connection_id", "customer_id")
    return {name: value for name, value in fields.items() if not (name in optional and is_null(value))}


def _nothing_to_exchange(fields: Fields) -> dict[str, list[str]]:
    if "auth_code" in fields:
        return {"auth_code": ["is unknown, was used already, or is older than 30 minutes. Connect the shop again"]}
    return {"connection_id": ["has no access token waiting: it was handed out already, or there is no such connection"]}


def _options(fields: Fields) -> Options:
    allow = fields.get("integration_allow_list", ())
    for name in ("integration_block_list", "integrations_with_endpoints"):
        if allow and fields.get(name):
            raise InvalidRequest("json", {name: ["cannot be given together with integration_allow_list"]})
    return Options(
        allow=allow,
        block=fields.get("integration_block_list", ()),
        endpoints=fields.get("integrations_with_endpoints", ()),
        disabled_functions=fields.get("disabled_functions", ()),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 255 or "\x00" in value:
        raise ValueError("must be a string of at most 255 characters")
    return value


def _days(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_DAYS:
        raise ValueError(f"must be a whole number of days from 1 to {MOST_DAYS}")
    return value


def _vertical(value: object) -> str:
    if value != VERTICAL:
        raise ValueError(f"must be {VERTICAL}: there are no others")
    return VERTICAL


def _names(known: Callable[[], Iterable[str]] | None = None) -> Reader:
    """Reads a list of names, which all have to be ``known``."""

    def names(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > MOST_NAMES:
            raise ValueError(f"must be a list of at most {MOST_NAMES} names")
        found = tuple(_text(each) for each in value)
        if known is not None:
            unknown = sorted(set(found) - set(known()))
            if unknown:
                raise ValueError(f"{unknown[0]!r} is unknown. Use some of: {', '.join(sorted(known()))}")
        return found

    return names


TOKEN_FIELDS: Mapping[str, Reader] = {"connection_id": _text, "customer_id": _text}
EXCHANGE_FIELDS: Mapping[str, Reader] = {"auth_code": _text, "connection_id": _text, "customer_id": _text}
MAGIC_FIELDS: Mapping[str, Reader] = {
    "connection_id": _text,
    "customer_id": _text,
    "integration_type": _vertical,
    "link_duration": _days,
    "integration_allow_list": _names(offered_names),
    "integration_block_list": _names(),
    "integrations_with_endpoints": _names(lambda: FUNCTIONS),
    "disabled_functions": _names(lambda: FUNCTIONS),
}
