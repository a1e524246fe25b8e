"""A small Vendure that can be written to: it keeps state, refuses what Vendure refuses, and fails when it is told to.

Requests are executed against the part of Vendure's schema that writes need, so a wrong field or input is an error here too.
"""

import asyncio
import copy
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from graphql import GraphQLError, build_schema, graphql_sync

from connectors.kit.server import _read_request, answer
from connectors.vendure.shop import FakeVendure, _shown, serving
from unicart.connectors.vendure.client import VendureConnector

SCHEMA = build_schema("""
scalar JSON
scalar Money
enum SortOrder { ASC DESC }
input StringOperators { eq: String }
input HistoryEntrySortParameter { createdAt: SortOrder }
input HistoryEntryFilterParameter { type: StringOperators }
input HistoryEntryListOptions { take: Int, sort: HistoryEntrySortParameter, filter: HistoryEntryFilterParameter }
input OrderLineInput { orderLineId: ID!, quantity: Int! }
input ConfigArgInput { name: String!, value: String! }
input ConfigurableOperationInput { code: String!, arguments: [ConfigArgInput!]! }
input FulfillOrderInput { lines: [OrderLineInput!]!, handler: ConfigurableOperationInput! }
input CancelOrderInput { orderId: ID!, lines: [OrderLineInput!], cancelShipping: Boolean, reason: String }
input RefundOrderInput {
  lines: [OrderLineInput!], shipping: Money, adjustment: Money, amount: Money, paymentId: ID!, reason: String
}
input AddNoteToOrderInput { id: ID!, note: String!, isPublic: Boolean! }
input StockLevelInput { stockLocationId: ID!, stockOnHand: Int! }
input UpdateProductVariantInput { id: ID!, stockLevels: [StockLevelInput!] }
interface ErrorResult { errorCode: String!, message: String! }
type CreateFulfillmentError implements ErrorResult {
  errorCode: String!, message: String!, fulfillmentHandlerError: String!
}
type FulfillmentStateTransitionError implements ErrorResult {
  errorCode: String!, message: String!, transitionError: String!, fromState: String!
}
type RefundStateTransitionError implements ErrorResult { errorCode: String!, message: String!, transitionError: String! }
type OrderStateTransitionError implements ErrorResult { errorCode: String!, message: String!, transitionError: String! }
type OtherError implements ErrorResult { errorCode: String!, message: String! }
union FulfilResult = Fulfillment | CreateFulfillmentError | FulfillmentStateTransitionError | OtherError
union MoveResult = Fulfillment | FulfillmentStateTransitionError
union RefundResult = Refund | RefundStateTransitionError | OrderStateTransitionError | OtherError
union CancelResult = Order | OrderStateTransitionError | OtherError
type HistoryEntry { id: ID!, data: JSON! }
type HistoryEntryList { items: [HistoryEntry!]! }
type ShippingMethod { id: ID!, name: String!, fulfillmentHandlerCode: String! }
type ShippingLine { shippingMethod: ShippingMethod! }
type OrderLine { id: ID!, orderPlacedQuantity: Int! }
type Refund { id: ID!, state: String!, shipping: Money! }
type Payment { refunds: [Refund!]! }
type Fulfillment { id: ID!, state: String! }
type Order {
  id: ID!, state: String!, shippingWithTax: Money!, lines: [OrderLine!]!, payments: [Payment!], shippingLines: [ShippingLine!]!
  history(options: HistoryEntryListOptions): HistoryEntryList!
}
type Handler { code: String! }
type StockLocation { id: ID! }
type ProductVariant { id: ID! }
type DeletionResponse { result: String! }
type Channel { id: ID!, code: String! }
type Query {
  activeChannel: Channel!
  order(id: ID!): Order
  fulfillmentHandlers: [Handler!]!
  stockLocation(id: ID!): StockLocation
}
type Mutation {
  addNoteToOrder(input: AddNoteToOrderInput!): Order!
  deleteOrderNote(id: ID!): DeletionResponse!
  addFulfillmentToOrder(input: FulfillOrderInput!): FulfilResult!
  transitionFulfillmentToState(id: ID!, state: String!): MoveResult!
  refundOrder(input: RefundOrderInput!): RefundResult!
  cancelOrder(input: CancelOrderInput!): CancelResult!
  updateProductVariants(input: [UpdateProductVariantInput!]!): [ProductVariant]!
}
""")
MOVES = {
    "Pending": {"Shipped", "Delivered", "Cancelled"},
    "Shipped": {"Delivered", "Cancelled"},
    "Delivered": {"Cancelled"},
}
UPDATES_ORDER = ("AddNote", "DeleteNote", "Fulfil", "MoveFulfilment", "Refund", "Cancel")


@dataclass
class WritableVendure(FakeVendure):
    """``faults`` are what happens to the next requests of an operation: an HTTP status, ``cut before``, ``cut after``,
    ``hang``, ``forbidden``, ``internal``, or nothing where empty. ``refuses`` is what the fulfilment handler says to Shipped."""

    faults: dict[str, list[str]] = field(default_factory=dict)
    permissions: set[str] = field(default_factory=lambda: {"UpdateOrder", "UpdateProduct"})
    refuses: str = ""
    handlers: dict[str, set[str]] = field(default_factory=lambda: {"manual-fulfillment": {"method", "trackingCode"}})
    handler: str = "manual-fulfillment"
    history: list[dict[str, Any]] = field(default_factory=list)
    names: int = 100

    def new_id(self) -> str:
        """An id that nothing has yet."""
        self.names += 1
        return str(self.names)

    def buy(self, *lines: tuple[int, int], payments: tuple[int, ...] = (), method: str = "card") -> dict[str, Any]:
        """A placed and paid order of lines, each with its quantity and price; 5.99 for shipping. Lines are l1, l2 …"""
        order = self.place()
        usual = order["lines"][0]
        order["lines"] = [
            copy.deepcopy(usual)
            | {"id": f"l{number}", "quantity": count, "orderPlacedQuantity": count, "unitPrice": price // count}
            | {"linePrice": price, "proratedLinePrice": price, "proratedLinePriceWithTax": price}
            for number, (count, price) in enumerate(lines, start=1)
        ]
        total = sum(price for _, price in lines) + 599
        method_of_line = {"id": "1", "name": "Standard", "fulfillmentHandlerCode": self.handler}
        order |= {"total": total, "totalWithTax": total, "shipping": 599, "shippingWithTax": 599, "surcharges": []}
        order |= {"shippingLines": [{"shippingMethod": method_of_line}], "couponCodes": []}
        order["payments"] = [
            {"id": f"p{number}", "state": "Settled", "method": method, "amount": amount, "transactionId": None}
            | {"updatedAt": order["updatedAt"], "refunds": []}
            for number, amount in enumerate(payments or (total,), start=1)
        ]
        return order

    def add_location(self, id: str) -> None:
        """A stock location."""
        times = {"createdAt": self.now, "updatedAt": self.now}
        self.tables["stockLocations"][id] = {"id": id, "name": id, "description": "", **times}

    def notes(self, kind: str = "ORDER_NOTE") -> list[Any]:
        """What the history says."""
        return [entry["data"] for entry in self.history if entry["type"] == kind]

    def sent(self, operation: str) -> list[Any]:
        """The inputs of the requests of an operation."""
        return [each["variables"] for each in self.requests if _operation(each["query"]) == operation]

    def execute(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The answer's body."""
        if "login(" in query or "list: " in query or "moneyStrategyPrecision" in query:
            return {"data": self.answer(query, variables)}
        root: dict[str, Any] = {
            "order": self.order,
            "stockLocation": self.stock_location,
            "addNoteToOrder": self.add_note_to_order,
            "deleteOrderNote": self.delete_order_note,
            "addFulfillmentToOrder": self.add_fulfillment_to_order,
            "transitionFulfillmentToState": self.transition_fulfillment_to_state,
            "refundOrder": self.refund_order,
            "cancelOrder": self.cancel_order,
            "updateProductVariants": self.update_product_variants,
        }
        root["fulfillmentHandlers"] = [{"code": code} for code in self.handlers]
        root["activeChannel"] = {"id": "1", "code": "main"}
        done = graphql_sync(SCHEMA, query, root_value=root, variable_values=variables)
        errors = [{"message": each.message, "extensions": each.extensions} for each in done.errors or []]
        return {"data": done.data, **({"errors": errors} if errors else {})}

    def order(self, _: Any, id: str) -> Any:
        """An order with its history."""
        found = self.tables["orders"].get(id)
        return None if found is None else {**found, "history": self._history_of(id)}

    def _history_of(self, order: str) -> Any:
        def listed(_: Any, options: dict[str, Any]) -> Any:
            kind = options["filter"]["type"]["eq"]
            found = [entry for entry in self.history if entry["order"] == order and entry["type"] == kind]
            return {"items": found[::-1][: options["take"]]}

        return listed

    def stock_location(self, _: Any, id: str) -> Any:
        """A stock location."""
        return self.tables["stockLocations"].get(id)

    def add_note_to_order(self, info: Any, input: dict[str, Any]) -> Any:
        """Note something in the order's history."""
        self._log(input["id"], "ORDER_NOTE", {"note": input["note"]})
        assert input["isPublic"] is False
        return self.order(info, input["id"])

    def delete_order_note(self, _: Any, id: str) -> Any:
        """Take a note away."""
        self.history = [entry for entry in self.history if entry["id"] != id]
        return {"result": "DELETED"}

    def add_fulfillment_to_order(self, _: Any, input: dict[str, Any]) -> Any:
        """A pending fulfilment of units that are in none yet."""
        code, lines = input["handler"]["code"], input["lines"]
        if not sum(line["quantity"] for line in lines):
            return _error("EMPTY_ORDER_LINE_SELECTION_ERROR", "No lines")
        order = self._order_of_line(lines[0]["orderLineId"])
        for line in lines:
            taken = sum(
                part["quantity"]
                for each in order["fulfillments"]
                for part in each["lines"]
                if each["state"] != "Cancelled" and part["orderLineId"] == line["orderLineId"]
            )
            if taken + line["quantity"] > self._line(order, line["orderLineId"])["quantity"]:
                return _error(
                    "ITEMS_ALREADY_FULFILLED_ERROR", "One or more OrderItems are already part of a Fulfillment"
                )
        if code not in self.handlers:
            return _error("INVALID_FULFILLMENT_HANDLER_ERROR", "The FulfillmentHandler code is not valid")
        known = {
            each["name"]: each["value"] for each in input["handler"]["arguments"] if each["name"] in self.handlers[code]
        }
        if known.get("service") == "none":
            told = {"fulfillmentHandlerError": "no such service"}
            return _error("CREATE_FULFILLMENT_ERROR", "An error occurred", "CreateFulfillmentError", **told)
        made = {"__typename": "Fulfillment", "id": self.new_id(), "state": "Pending", "createdAt": self.now}
        made |= {
            "updatedAt": self.now,
            "method": known.get("method", ""),
            "trackingCode": known.get("trackingCode", ""),
        }
        order["fulfillments"].append(made | {"lines": [dict(line) for line in lines]})
        return made

    def transition_fulfillment_to_state(self, _: Any, id: str, state: str) -> Any:
        """Move a fulfilment, and its order with it."""
        order, made = next(
            (order, each)
            for order in self.tables["orders"].values()
            for each in order["fulfillments"]
            if each["id"] == id
        )
        why = self.refuses if state == "Shipped" else ""
        if state not in MOVES.get(made["state"], set()):
            why = f"cannot go from {made['state']} to {state}"
        if why:
            told = {"transitionError": why, "fromState": made["state"]}
            kind = "FulfillmentStateTransitionError"
            return _error("FULFILLMENT_STATE_TRANSITION_ERROR", "Cannot transition Fulfillment", kind, **told)
        made |= {"state": state, "updatedAt": self.now}
        sent = [part for each in order["fulfillments"] if each["state"] == "Shipped" for part in each["lines"]]
        if sent:
            whole = sum(part["quantity"] for part in sent) == sum(line["quantity"] for line in order["lines"])
            order["state"] = "Shipped" if whole else "PartiallyShipped"
        return made

    def refund_order(self, _: Any, input: dict[str, Any]) -> Any:
        """A refund of a payment, settled unless its method does otherwise."""
        order, payment = next(
            (order, each)
            for order in self.tables["orders"].values()
            for each in order["payments"]
            if each["id"] == input["paymentId"]
        )
        if order["state"] == "PaymentAuthorized":
            return _error("REFUND_ORDER_STATE_ERROR", f'Cannot refund an Order in the "{order["state"]}" state')
        refunded = sum(each["total"] for each in payment["refunds"] if each["state"] != "Failed")
        if input["amount"] > payment["amount"] - refunded:
            return _error("REFUND_AMOUNT_ERROR", "The amount specified exceeds the refundable amount for this payment")
        state = {"broken": "Failed", "manual": "Pending"}.get(payment["method"], "Settled")
        made = {
            "__typename": "Refund",
            "id": self.new_id(),
            "createdAt": self.now,
            "updatedAt": self.now,
            "state": state,
        }
        made |= {
            "total": input["amount"],
            "reason": input["reason"],
            "lines": input["lines"],
            "shipping": input["shipping"],
        }
        payment["refunds"].append(made)
        if payment["method"] == "odd":
            made["state"] = "Pending"
            told = {"transitionError": "not allowed"}
            return _error(
                "REFUND_STATE_TRANSITION_ERROR", "Cannot transition Refund", "RefundStateTransitionError", **told
            )
        return made

    def cancel_order(self, _: Any, input: dict[str, Any]) -> Any:
        """Take units out of an order."""
        order = self.tables["orders"][input["orderId"]]
        for line in input["lines"]:
            if line["quantity"] > self._line(order, line["orderLineId"])["quantity"]:
                return _error(
                    "QUANTITY_TOO_GREAT_ERROR", "The specified quantity is greater than the available OrderItems"
                )
        for line in input["lines"]:
            found = self._line(order, line["orderLineId"])
            left = found["quantity"] - line["quantity"]
            price = found["proratedLinePriceWithTax"] * left // found["quantity"]
            found |= {
                "quantity": left,
                "linePrice": price,
                "proratedLinePrice": price,
                "proratedLinePriceWithTax": price,
            }
        if not any(line["quantity"] for line in order["lines"]):
            order["state"] = "Cancelled"
        self._log(order["id"], "ORDER_CANCELLATION", {"reason": input["reason"], "lines": input["lines"]})
        return {"__typename": "Order", "id": order["id"], "state": order["state"]}

    def update_product_variants(self, _: Any, input: list[dict[str, Any]]) -> Any:
        """Set what is on hand."""
        for each in input:
            variant = self.tables["productVariants"][each["id"]]
            for given in each["stockLevels"]:
                levels = {level["stockLocationId"]: level for level in variant["stockLevels"]}
                level = levels.get(given["stockLocationId"])
                if level is None:
                    level = {"stockLocationId": given["stockLocationId"], "stockAllocated": 0}
                    variant["stockLevels"].append(level)
                level |= {"stockOnHand": given["stockOnHand"], "updatedAt": self.now}
        return [{"id": each["id"]} for each in input]

    def _order_of_line(self, line: str) -> dict[str, Any]:
        orders: dict[str, dict[str, Any]] = self.tables["orders"]
        for order in orders.values():
            if any(each["id"] == line for each in order["lines"]):
                return order
        raise GraphQLError("No OrderLine with that id", extensions={"code": "ENTITY_NOT_FOUND"})

    def _line(self, order: dict[str, Any], id: str) -> dict[str, Any]:
        found: dict[str, Any] = next(each for each in order["lines"] if each["id"] == id)
        return found

    def _log(self, order: str, kind: str, data: dict[str, Any]) -> None:
        self.history.append({"id": self.new_id(), "order": order, "type": kind, "data": data})

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, one request, with the fault that is due."""
        asked = json.loads((await _read_request(reader)).body)
        self.requests.append(asked)
        reply = await self._reply(asked["query"], asked["variables"], reader)
        writer.write(reply)
        await writer.drain()
        writer.close()

    async def _reply(self, query: str, variables: dict[str, Any], reader: asyncio.StreamReader) -> bytes:
        operation = _operation(query)
        faults = self.faults.get(operation, [])
        fault = faults.pop(0) if faults else ""
        if fault == "hang":
            await reader.read()
        if fault in ("cut before", "hang"):
            return b""
        if fault.isdigit():
            return answer(int(fault), b'{"message":"no"}', retry_after="0")
        needed = "UpdateProduct" if operation == "SetStock" else "UpdateOrder" if operation in UPDATES_ORDER else ""
        if fault == "forbidden" or (needed and needed not in self.permissions):
            return _said({"errors": [{"message": "not authorized", "extensions": {"code": "FORBIDDEN"}}]})
        if fault == "internal":
            return _said({"errors": [{"message": "oops", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]})
        body = self.execute(query, variables)
        return b"" if fault == "cut after" else _said(body)


def _said(body: dict[str, Any]) -> bytes:
    return answer(200, json.dumps(body, default=_shown).encode(), vendure_auth_token="token")


def _error(code: str, message: str, kind: str = "OtherError", **more: str) -> dict[str, str]:
    return {"__typename": kind, "errorCode": code, "message": message, **more}


def _operation(query: str) -> str:
    found = re.match(r"(?:query|mutation) (\w+)", query)
    assert found
    return found[1]


@asynccontextmanager
async def writable_vendure(slowest: float = 30.0) -> AsyncIterator[tuple[WritableVendure, VendureConnector]]:
    """A shop with two stock locations, on a free local port, and a connector to it."""
    fake = WritableVendure(now=datetime.fromisoformat("2026-06-01T12:00:00+00:00"))
    fake.add_location("1")
    fake.add_location("2")
    async with serving(fake, slowest) as served:
        yield served
