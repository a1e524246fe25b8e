"""The routes that make a sandbox shop, and let something happen in it."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from unicart.api.body import Reader, read_boolean, read_fields, read_object
from unicart.api.connections import account, available_actions
from unicart.api.records import Services
from unicart.api.reply import Endpoint, Reply
from unicart.connectors.kit import Connector, ConnectorError
from unicart.connectors.sandbox.client import SandboxConnector
from unicart.connectors.sandbox.writes import SimulatedOrder, SimulatedProduct
from unicart.contract.common import encode, format_date
from unicart.contract.connections import NewSandbox
from unicart.contract.errors import NotFound, NotImplementedHere
from unicart.contract.orders import OrderStatus
from unicart.contract.resources import ORDERS, PRODUCTS, Resource
from unicart.store import tenants
from unicart.store.secrets import Vault
from unicart.store.tenants import ApiKey, Connection
from unicart.sync.connect import complete_credentials, opened_connection
from unicart.sync.run import sync_function
from unicart.sync.writes import Writer, integration_error

SANDBOX = "sandbox"
NAME = "Sandbox"


def routes(services: Services, vault: Vault, writer: Writer) -> list[Route]:
    """``/sandbox``."""
    family = SandboxRoutes(services, vault, writer)
    return [
        Route("/sandbox/generate-sandbox", Endpoint(family.generate), methods=["POST"]),
        Route("/sandbox/generate-sandbox/{vertical}", Endpoint(family.generate), methods=["POST"]),
        Route("/sandbox/simulate/cart/orders", Endpoint(family.simulate_order), methods=["POST"]),
        Route("/sandbox/simulate/cart/products", Endpoint(family.simulate_product), methods=["POST"]),
    ]


class SandboxRoutes:
    """The routes."""

    def __init__(self, services: Services, vault: Vault, writer: Writer) -> None:
        self._services = services
        self._vault = vault
        self._writer = writer

    async def generate(self, request: Request) -> Reply:
        """Make the organization's sandbox shop, or make it anew, and fill it."""
        request.scope["unicart.route"] = "/sandbox/generate-sandbox/cart"
        key = await self._services.key(request.scope, write=True)
        vertical: str = request.path_params.get("vertical", "cart")
        if vertical != "cart":
            raise NotFound("There are no sandboxes of this type, only of the type cart", id=vertical)
        connection, token = await self._renewed(key)
        database = self._services.database
        async with opened_connection(database, self._vault, connection) as platform:
            for function in platform.facts.functions:
                await sync_function(database, connection, platform, function)
        actions = available_actions(connection)
        made = NewSandbox(
            access_token=token,
            connection_id=connection.id,
            integration_name=SANDBOX,
            customer_id=connection.customer_id,
            available_actions=actions,
            available_endpoints=actions,
            me=account(connection),
        )
        return Reply(encode(made))

    async def _renewed(self, key: ApiKey) -> tuple[Connection, str]:
        """The organization's one generated sandbox, emptied, with a new token."""
        database = self._services.database
        credentials = complete_credentials(
            SANDBOX, {"seed": key.organization_id, "until": format_date(int(time.time()))}
        )
        for connection in await tenants.list_connections(database, key.organization_id):
            if connection.integration_name == SANDBOX:
                known = await tenants.read_credentials(database, self._vault, connection)
                if known.get("seed") == key.organization_id:
                    await tenants.empty_connection(database, connection)
                    await tenants.change_credentials(database, self._vault, connection, credentials)
                    return connection, await tenants.new_token(database, connection)
        return await tenants.add_connection(
            database,
            self._vault,
            organization_id=key.organization_id,
            integration_name=SANDBOX,
            account_name=NAME,
            account_id=key.organization_id,
            credentials=credentials,
            private_network=False,
            history_days=0,
            announced=True,
        )

    async def simulate_order(self, request: Request) -> Reply:
        """Let a buyer place an order, or something happen to one."""
        request.scope["unicart.route"] = "/sandbox/simulate/cart/orders"
        connection = await self._sandbox(request)
        fields = read_fields(await read_object(request, optional=True), ORDER_FIELDS)
        id = fields.pop("order_id", None)
        async with self._opened(connection) as platform:
            changed = await _sandbox_of(platform).simulate_order(id, SimulatedOrder(**fields))
            return await self._shown(connection, platform, ORDERS, changed, id)

    async def simulate_product(self, request: Request) -> Reply:
        """Let the merchant offer a product, or change one."""
        request.scope["unicart.route"] = "/sandbox/simulate/cart/products"
        connection = await self._sandbox(request)
        fields = read_fields(await read_object(request, optional=True), PRODUCT_FIELDS)
        async with self._opened(connection) as platform:
            changed = await _sandbox_of(platform).simulate_product(SimulatedProduct(**fields))
            return await self._shown(connection, platform, PRODUCTS, changed, fields.get("product_id"))

    @asynccontextmanager
    async def _opened(self, connection: Connection) -> AsyncIterator[Connector]:
        """The sandbox; what it refuses is its answer."""
        try:
            async with opened_connection(self._services.database, self._vault, connection) as platform:
                yield platform
        except ConnectorError as error:
            raise integration_error(error) from error

    async def _sandbox(self, request: Request) -> Connection:
        connection = (await self._services.caller(request.scope, write=True)).connection
        if connection.integration_name != SANDBOX:
            raise NotImplementedHere("Only a connection of the sandbox can be simulated with.")
        return connection

    async def _shown(
        self, connection: Connection, platform: Connector, resource: Resource, id: str | None, asked: str | None
    ) -> Reply:
        if id is None:
            raise NotFound(f"{resource.singular.capitalize()} not found", id=asked or "")
        document = await self._writer.take(connection, platform, resource.function, id)
        return Reply(b'{"data":%s,"id":%s,"unused_fields":[]}' % (document, msgspec.json.encode(id)))


def _sandbox_of(platform: Connector) -> SandboxConnector:
    if not isinstance(platform, SandboxConnector):
        raise TypeError("the connector called sandbox is another one")
    return platform


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 255 or "\x00" in value:
        raise ValueError("must be a string of at most 255 characters")
    return value


def _status(value: object) -> OrderStatus:
    try:
        return OrderStatus(_text(value))
    except ValueError:
        raise ValueError(f"must be one of: {', '.join(OrderStatus)}") from None


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < 1 << 31 or value % 1:
        raise ValueError("must be a whole number from 0 on")
    return int(value)


def _price(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < 10**9:
        raise ValueError("must be a number from 0 on, in US dollars")
    return Decimal(value)


ORDER_FIELDS: Mapping[str, Reader] = {
    "order_id": _text,
    "order_number": _text,
    "warehouse_customer_id": _text,
    "status": _status,
    "note": _text,
}
PRODUCT_FIELDS: Mapping[str, Reader] = {
    "product_id": _text,
    "name": _text,
    "active": read_boolean,
    "inventory": _whole,
    "price": _price,
}
