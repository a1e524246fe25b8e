"""The part of the OpenAPI document on writes to platforms, passthrough and the sandbox."""

from typing import Any

from unicart.api.openapi_parts import (
    NULL_WORD,
    Json,
    errors,
    header_parameters,
    headers,
    idempotency_parameter,
    json_response,
    ref,
)
from unicart.api.write_info import PASSTHROUGH, schema
from unicart.contract.connections import NewSandbox
from unicart.contract.orders import OrderStatus
from unicart.contract.resources import ORDERS, PRODUCTS
from unicart.contract.writes import ALIASES, BASE_FIELDS, URLS, WriteFunction

STRUCTS: tuple[type[Any], ...] = (NewSandbox,)
"""What the routes answer with, besides records."""

TAGS: list[Json] = [
    {"name": "writes", "description": "What is written to platforms."},
    {"name": "sandbox", "description": "A shop to try things in."},
]
ORDER, PRODUCT = ORDERS.served.__name__, PRODUCTS.served.__name__
UNUSED: Json = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Fields of the body that this platform has no use for.",
}
MORE = (
    "What a platform needs besides, and what else it takes, is in "
    "`GET /integrations/cart/{integration_name}/write-info`. An error of the platform comes with `origin` "
    "`integration` and its own status."
)


def paths() -> Json:
    """All routes."""
    sandbox = "/sandbox/generate-sandbox"
    return {
        _path(WriteFunction.CREATE_SHIPMENT): {"post": _create_shipment()},
        _path(WriteFunction.REFUND_ORDER): {"post": _refund_order()},
        _path(WriteFunction.ADJUST_INVENTORY): {"put": _adjust_inventory()},
        _path(WriteFunction.BATCH_ADJUST_INVENTORY): {"put": _batch_adjust_inventory()},
        _path(WriteFunction.PASSTHROUGH): {"post": _passthrough()},
        f"{sandbox}/cart": {"post": _generate("generate_cart_sandbox")},
        sandbox: {"post": {**_generate("generate_sandbox"), "deprecated": True}},
        "/sandbox/simulate/cart/orders": {"post": _simulate_order()},
        "/sandbox/simulate/cart/products": {"post": _simulate_product()},
    }


def _path(function: WriteFunction) -> str:
    return URLS[function][1]


def _create_shipment() -> Json:
    return _write(
        WriteFunction.CREATE_SHIPMENT,
        "Ship an order",
        "Tells the platform that an order, or a part of it, is shipped, stores what it then holds, and emits the events.",
        _object(_base(WriteFunction.CREATE_SHIPMENT)),
        _written("The order with its shipment.", ORDER),
        example={"tracking_number": "1Z999AA10123456784", "carrier_name": "UPS"},
    )


def _refund_order() -> Json:
    operation = _write(
        WriteFunction.REFUND_ORDER,
        "Refund an order",
        "Pays back what the body says; without one, everything that is not refunded yet.",
        _object(_base(WriteFunction.REFUND_ORDER)),
        _written("The order with its refund in `additional_fields.refunds`.", ORDER),
        example={"reason": "Damaged in transit", "shipping_amount": 5},
    )
    operation["requestBody"]["required"] = False
    return operation


def _adjust_inventory() -> Json:
    return _write(
        WriteFunction.ADJUST_INVENTORY,
        "Change the stock of a product",
        "Raises, lowers or sets the stock of a product or variant.",
        _object(_base(WriteFunction.ADJUST_INVENTORY)),
        _written("The product with its new stock.", PRODUCT),
        example={"quantity": 5, "adjustment_type": "increase"},
    )


def _batch_adjust_inventory() -> Json:
    product: Json = {"type": "string", "minLength": 1, "description": "The id of the product or variant."}
    line = _object({"product_id": product, **_base(WriteFunction.ADJUST_INVENTORY)}, required=["product_id"])
    line["properties"]["adjustment_type"]["default"] = "exact"
    lines = {"type": "array", "minItems": 1, "maxItems": 1000, "items": line}
    answer: Json = {"data": {"type": "array", "items": ref(PRODUCT)}, "unused_fields": UNUSED}
    return _write(
        WriteFunction.BATCH_ADJUST_INVENTORY,
        "Change the stock of several products",
        "One after the other. Should one fail, those before it are done, and a repetition with the same Idempotency-Key "
        "goes on with it.",
        _object({"line_items": lines}, required=["line_items"]),
        json_response("The products with their new stock.", answer),
        example={"line_items": [{"product_id": "product_id", "quantity": 5}]},
    )


def _passthrough() -> Json:
    answer: Json = {
        "status_code": {"type": "integer", "description": "The platform's status."},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "body": {"description": "JSON where it is JSON, else text; null if it is empty."},
    }
    response = json_response("The platform's answer, whatever its status is.", answer)
    response["content"]["application/json"]["schema"]["properties"] |= {
        "body_encoding": {"const": "base64", "description": "Only where the body is no text."}
    }
    return {
        **_operation("passthrough", "writes", "Send a request to the platform as it is"),
        "description": "Nothing of it is stored or told. Idempotency-Key has no effect here.",
        "parameters": header_parameters(),
        "requestBody": _body(PASSTHROUGH, {"method": "GET", "path": "/orders", "params": {"limit": 1}}),
        "responses": {"200": response, **errors("401", "403", "422", "429", "501", "502", "503")},
    }


def _generate(id: str) -> Json:
    content = {"application/json": {"schema": ref(NewSandbox.__name__)}}
    answer = {"description": "The shop.", "headers": headers(), "content": content}
    return {
        **_operation(id, "sandbox", "Make the organization's sandbox shop"),
        "description": "Or make it anew: the connection stays, its data are new, and so is its token.",
        "security": [{"api_key": []}],
        "parameters": header_parameters()[:1],
        "responses": {"200": answer, **errors("401", "403", "429", "503")},
    }


def _simulate_order() -> Json:
    fields: Json = {
        "order_id": _text("The order that something happens to; left out, a buyer places a new one."),
        "order_number": _text("Its number."),
        "warehouse_customer_id": _text("The customer of the warehouse whose order it is."),
        "status": {"type": "string", "enum": list(OrderStatus), "description": "What becomes of it."},
        "note": _text("A note on it."),
    }
    return _simulate("order", ORDER, fields, {"status": "confirmed"})


def _simulate_product() -> Json:
    fields: Json = {
        "product_id": _text("The product that is changed; left out, a new one is offered."),
        "name": _text("Its name."),
        "active": {"type": "boolean", "description": "Whether it is for sale."},
        "inventory": {"type": "integer", "minimum": 0, "maximum": (1 << 31) - 1, "description": "Its stock."},
        "price": {
            "type": "number",
            "minimum": 0,
            "exclusiveMaximum": 10**9,
            "description": "In US dollars and whole cents.",
        },
    }
    return _simulate("product", PRODUCT, fields, {"inventory": 5, "price": 12.5})


def _simulate(kind: str, record: str, fields: Json, example: Json) -> Json:
    operation = _operation(f"simulate_cart_{kind}", "sandbox", f"Let something happen to a {kind} of the sandbox")
    body = {**_object(fields), "additionalProperties": False}
    return {
        **operation,
        "description": "As on a platform: it is pulled, stored and told. Only connections of the sandbox can.",
        "parameters": header_parameters(),
        "requestBody": {**_body(body, example), "required": False},
        "responses": {
            "200": _written(f"The {kind}.", record),
            **errors("401", "403", "404", "422", "429", "501", "502", "503"),
        },
    }


def _write(function: WriteFunction, summary: str, description: str, body: Json, answer: Json, example: Json) -> Json:
    parameters = [
        {
            "name": part.strip("{}"),
            "in": "path",
            "required": True,
            "description": "The id of the record. Percent-encode any slash in it.",
            "schema": {"type": "string", "minLength": 1},
            "example": part.strip("{}"),
        }
        for part in _path(function).split("/")
        if part.startswith("{")
    ]
    older = ", ".join(f"`{old}` for `{new}`" for old, new in ALIASES.get(function, {}).items())
    names = f" Older names are taken too: {older}." if older else ""
    known = ["401", "403", "404", "409", "422", "429", "4XX", "501", "502", "503"]
    return {
        **_operation(function.value, "writes", summary),
        "description": f"{description}{names} {MORE}",
        "parameters": [*header_parameters(), idempotency_parameter(), *parameters],
        "requestBody": _body(body, example),
        "responses": {"200": answer, **errors("400", *known)},
    }


def _operation(id: str, tag: str, summary: str) -> Json:
    return {"operationId": id, "tags": [tag], "summary": summary}


def _base(function: WriteFunction) -> Json:
    fields = {field.name: schema(field, {}) for field in BASE_FIELDS[function]}
    for field in fields.values():
        field.pop("x-options", None)
    return fields


def _object(properties: Json, required: list[str] | None = None) -> Json:
    return {"type": "object", "properties": properties, "required": required or [], "additionalProperties": True}


def _body(body: Json, example: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": body, "example": example}}}


def _written(description: str, record: str) -> Json:
    return json_response(description, {"data": ref(record), "id": {"type": "string"}, "unused_fields": UNUSED})


def _text(description: str) -> Json:
    pattern = rf"^(?!{NULL_WORD}$)[^\u0000]+$"
    return {"type": "string", "maxLength": 255, "pattern": pattern, "description": description}
