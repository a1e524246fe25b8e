"""The routes that write to platforms."""

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Scope

from unicart.api.authentication import Caller
from unicart.api.body import read_object
from unicart.api.idempotency import once
from unicart.api.passthrough import read_passthrough, wrapped
from unicart.api.records import Services
from unicart.api.reply import Endpoint, Reply
from unicart.api.write_bodies import read_adjustment, read_adjustments, read_refund, read_shipment
from unicart.connectors.kit import Write
from unicart.connectors.registry import connector
from unicart.contract.errors import Forbidden, NotFound, NotImplementedHere
from unicart.contract.writes import URLS, WriteFunction
from unicart.store.tenants import Connection
from unicart.sync.writes import AdjustmentWrite, RefundWrite, ShipmentWrite, Writer
from unicart.sync.writes import Write as Work


def routes(services: Services, writer: Writer) -> list[Route]:
    """Shipments, refunds, stock and passthrough."""
    family = WriteRoutes(services, writer)
    return [
        Route("/cart/orders/{id:path}/shipments", Endpoint(family.create_shipment), methods=["POST"]),
        Route("/cart/orders/{id:path}/refund", Endpoint(family.refund_order), methods=["POST"]),
        Route("/cart/products/batch-adjust-inventory", Endpoint(family.batch_adjust_inventory), methods=["PUT"]),
        Route("/cart/products/{id:path}/adjust-inventory", Endpoint(family.adjust_inventory), methods=["PUT"]),
        Route("/cart/passthrough", Endpoint(family.passthrough), methods=["POST"]),
    ]


class WriteRoutes:
    """The routes."""

    def __init__(self, services: Services, writer: Writer) -> None:
        self._services = services
        self._writer = writer

    async def create_shipment(self, request: Request) -> Reply:
        """Tell the platform that an order, or a part of it, is shipped."""
        caller, write = await self._admit(request.scope, WriteFunction.CREATE_SHIPMENT)
        fields, id = await read_object(request), _id(request, "Order")
        shipment, unused = read_shipment(write, fields)
        return await self._write(request, caller, fields, ShipmentWrite(id, shipment), unused)

    async def refund_order(self, request: Request) -> Reply:
        """Pay an order back, or a part of it."""
        caller, write = await self._admit(request.scope, WriteFunction.REFUND_ORDER)
        fields, id = await read_object(request, optional=True), _id(request, "Order")
        refund, unused = read_refund(write, fields)
        return await self._write(request, caller, fields, RefundWrite(id, refund), unused)

    async def adjust_inventory(self, request: Request) -> Reply:
        """Change the stock of a product."""
        caller, write = await self._admit(request.scope, WriteFunction.ADJUST_INVENTORY)
        fields, id = await read_object(request), _id(request, "Product")
        adjustment, unused = read_adjustment(write, id, fields)
        return await self._write(request, caller, fields, AdjustmentWrite(id, adjustment), unused)

    async def batch_adjust_inventory(self, request: Request) -> Reply:
        """Change the stock of several products, one after the other."""
        caller, write = await self._admit(request.scope, WriteFunction.BATCH_ADJUST_INVENTORY)
        fields = await read_object(request)
        adjustments, unused = read_adjustments(write, fields)
        parts = [AdjustmentWrite(each.product_id, each) for each in adjustments]

        def answer(documents: Sequence[bytes]) -> bytes:
            return b'{"data":[%s],"unused_fields":%s}' % (b",".join(documents), msgspec.json.encode(unused))

        connection = caller.connection
        return await once(
            self._services.database,
            connection,
            request,
            fields,
            lambda attempt: self._writer.write_all(connection, parts, attempt, answer),
        )

    async def passthrough(self, request: Request) -> Reply:
        """Send a request to the platform as it is, and wrap its answer."""
        caller, _ = await self._admit(request.scope, WriteFunction.PASSTHROUGH)
        asked = read_passthrough(await read_object(request))
        return Reply(wrapped(await self._writer.passthrough(caller.connection, asked)))

    async def _write(
        self, request: Request, caller: Caller, fields: dict[str, object], work: Work, unused: list[str]
    ) -> Reply:
        connection: Connection = caller.connection
        tail = b',"id":%s,"unused_fields":%s}' % (msgspec.json.encode(work.record_id), msgspec.json.encode(unused))
        return await once(
            self._services.database,
            connection,
            request,
            fields,
            lambda attempt: self._writer.write(
                connection, work, attempt, lambda document: b'{"data":' + document[0] + tail
            ),
        )

    async def _admit(self, scope: Scope, function: WriteFunction) -> tuple[Caller, Write]:
        scope["unicart.route"] = URLS[function][1]
        caller = await self._services.caller(scope, write=True)
        facts = connector(caller.connection.integration_name).facts
        write = facts.write(function)
        if write is None:
            raise NotImplementedHere(f"Endpoint {function.value} is not implemented for {facts.display_name}")
        if function.value in caller.connection.disabled:
            raise Forbidden(f"{function.value} is disabled for this connection")
        return caller, write


def _id(request: Request, kind: str) -> str:
    id: str = request.path_params["id"]
    if not id or "\x00" in id:
        raise NotFound(f"{kind} not found", id=id)
    return id
