"""The routes of integrations: which connectors there are, what each needs and which fields it fills."""

from functools import cache

from starlette.requests import Request
from starlette.routing import Route

from unicart.api.parameters import no_parameters
from unicart.api.records import Services
from unicart.api.reply import Endpoint, Reply
from unicart.connectors.kit import implemented_fields
from unicart.connectors.registry import connector, offered_names
from unicart.contract.common import encode
from unicart.contract.errors import NotFound
from unicart.contract.integrations import CredentialField, IntegrationInfo, ListOperation
from unicart.contract.resources import BY_FUNCTION, Function

VERTICAL = "cart"


def routes(services: Services) -> list[Route]:
    """``/integrations/cart`` and what lies below it, and ``/cart/integrations``, its older name."""
    family = IntegrationRoutes(services)
    return [
        Route("/integrations/{vertical}", Endpoint(family.list), methods=["GET"]),
        Route("/integrations/{vertical}/{name}", Endpoint(family.get), methods=["GET"]),
        Route("/cart/integrations", Endpoint(family.list), methods=["GET"]),
        Route("/cart/integrations/{name}", Endpoint(family.get), methods=["GET"]),
    ]


class IntegrationRoutes:
    """The routes, all of which need the organization's key only."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, request: Request) -> Reply:
        """Every integration that users are offered."""
        request.scope["unicart.route"] = "/integrations/cart"
        await self._admit(request)
        return Reply(encode({"data": [integration(name) for name in offered_names()]}))

    async def get(self, request: Request) -> Reply:
        """One integration, in a list of one."""
        request.scope["unicart.route"] = "/integrations/cart/{integration_name}"
        await self._admit(request)
        name: str = request.path_params["name"]
        if name not in offered_names():
            raise NotFound("Integration not found", id=name)
        return Reply(encode({"data": [integration(name)]}))

    async def _admit(self, request: Request) -> None:
        await self._services.key(request.scope)
        no_parameters(request.scope)
        vertical: str = request.path_params.get("vertical", VERTICAL)
        if vertical != VERTICAL:
            raise NotFound(f"There are no integrations of this type, only of the type {VERTICAL}", id=vertical)


@cache
def integration(name: str) -> IntegrationInfo:
    """What is known of the connector ``name``.

    Raises:
        LookupError: there is none.
    """
    facts = connector(name).facts
    fields = [
        CredentialField(
            name=field.name,
            label=field.label,
            help=field.help,
            kind=field.kind,
            required=field.required,
            default=field.default,
        )
        for field in facts.credentials
    ]
    return IntegrationInfo(
        integration_name=facts.name,
        display_name=facts.display_name,
        install_method="oauth" if facts.install_method == "oauth" else "input",
        description=facts.description,
        logo_url="",
        write_operations=[],
        list_operations=[_list_operation(name, function) for function in facts.functions],
        available_actions=list(facts.functions),
        credentials=fields,
        webhooks=facts.webhooks,
    )


def _list_operation(name: str, function: Function) -> ListOperation:
    return ListOperation(
        action=function,
        url=f"GET {BY_FUNCTION[function].path}",
        implemented_fields=implemented_fields(connector(name), function),
    )
