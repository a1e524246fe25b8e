"""The routes of integrations: which connectors there are, what each needs and which fields it fills."""

from collections.abc import Mapping, Sequence
from functools import cache

from starlette.requests import Request
from starlette.routing import Route

from unicart.api.authentication import TOKEN_HEADER
from unicart.api.parameters import no_parameters
from unicart.api.records import Services
from unicart.api.reply import Endpoint, Reply, header
from unicart.api.write_info import document, write_operation
from unicart.connectors.kit import ConnectorError, implemented_fields
from unicart.connectors.registry import connector, offered_names
from unicart.contract.common import encode
from unicart.contract.errors import NotFound
from unicart.contract.integrations import CredentialField, IntegrationInfo, ListOperation
from unicart.contract.resources import BY_FUNCTION, WAREHOUSES, Function
from unicart.contract.writes import WriteFunction
from unicart.store import records
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection
from unicart.sync.connect import opened_connection
from unicart.sync.writes import integration_error

VERTICAL = "cart"
MOST_WAREHOUSES = 1000


def routes(services: Services, vault: Vault) -> list[Route]:
    """``/integrations/cart`` and what lies below it, and ``/cart/integrations``, its older name."""
    family = IntegrationRoutes(services, vault)
    return [
        Route("/integrations/{vertical}", Endpoint(family.list), methods=["GET"]),
        Route("/integrations/{vertical}/{name}", Endpoint(family.get), methods=["GET"]),
        Route("/integrations/{vertical}/{name}/write-info", Endpoint(family.write_info), methods=["GET"]),
        Route("/cart/integrations", Endpoint(family.list), methods=["GET"]),
        Route("/cart/integrations/{name}", Endpoint(family.get), methods=["GET"]),
    ]


class IntegrationRoutes:
    """The routes, all of which need the organization's key only."""

    def __init__(self, services: Services, vault: Vault) -> None:
        self._services = services
        self._vault = vault

    async def list(self, request: Request) -> Reply:
        """Every integration that users are offered."""
        request.scope["unicart.route"] = "/integrations/cart"
        await self._admit(request)
        return Reply(encode({"data": [integration(name) for name in offered_names()]}))

    async def get(self, request: Request) -> Reply:
        """One integration, in a list of one."""
        request.scope["unicart.route"] = "/integrations/cart/{integration_name}"
        await self._admit(request)
        return Reply(encode({"data": [integration(_name(request))]}))

    async def write_info(self, request: Request) -> Reply:
        """What the writes of one integration take; with an access token of it, what that account takes."""
        request.scope["unicart.route"] = "/integrations/cart/{integration_name}/write-info"
        await self._admit(request)
        name = _name(request)
        values: dict[WriteFunction, Mapping[str, Sequence[str]]] = {}
        if header(request.scope, TOKEN_HEADER):
            caller = await self._services.authenticator.caller(request.scope["headers"])
            if caller.connection.integration_name == name:
                values = await self._values(caller.connection)
        return Reply(encode(document(connector(name).facts, values)))

    async def _values(self, connection: Connection) -> dict[WriteFunction, Mapping[str, Sequence[str]]]:
        """What an account takes in fields that vary: its warehouses are known, the rest is asked of the platform."""
        database = self._services.database
        warehouses = {"warehouse_id": await records.ids(database, connection.key, WAREHOUSES, MOST_WAREHOUSES)}
        functions = connector(connection.integration_name).facts.write_functions
        async with opened_connection(database, self._vault, connection) as platform:
            try:
                return {each: warehouses | dict(await platform.write_values(each)) for each in functions}
            except ConnectorError as error:
                raise integration_error(error) from error

    async def _admit(self, request: Request) -> None:
        await self._services.key(request.scope)
        no_parameters(request.scope)
        vertical: str = request.path_params.get("vertical", VERTICAL)
        if vertical != VERTICAL:
            raise NotFound(f"There are no integrations of this type, only of the type {VERTICAL}", id=vertical)


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    if name not in offered_names():
        raise NotFound("Integration not found", id=name)
    return name


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
        write_operations=[write_operation(facts, function) for function in facts.write_functions],
        list_operations=[_list_operation(name, function) for function in facts.functions],
        available_actions=[*facts.functions, *facts.write_functions],
        credentials=fields,
        webhooks=facts.webhooks,
    )


def _list_operation(name: str, function: Function) -> ListOperation:
    return ListOperation(
        action=function,
        url=f"GET {BY_FUNCTION[function].path}",
        implemented_fields=implemented_fields(connector(name), function),
    )
