"""The part of the OpenAPI document on writes to platforms, derived from the fields that every platform may take."""

from typing import Any

from unicart.api.openapi_parts import Json, errors, header_parameters, json_response, ref
from unicart.api.write_info import PASSTHROUGH, schema
from unicart.contract.products import CartProduct
from unicart.contract.resources import ORDERS, PRODUCTS, Resource
from unicart.contract.writes import ADJUSTMENT_FIELDS, BASE_FIELDS, URLS, Field, WriteFunction

TAGS: list[Json] = [{"name": "writes", "description": "What is written back to the platforms."}]
TEXT: Json = {"type": "string"}
LISTS_WITHOUT_EXAMPLE = frozenset({"shipping_groups"})
"""Lists that a body must not hold together with another of its lists."""
SUMMARIES = {
    WriteFunction.CREATE_SHIPMENT: "Ship an order, or a part of it",
    WriteFunction.REFUND_ORDER: "Pay an order back, or a part of it",
    WriteFunction.ADJUST_INVENTORY: "Change the stock of a product",
    WriteFunction.BATCH_ADJUST_INVENTORY: "Change the stock of several products",
    WriteFunction.PASSTHROUGH: "Send a request to the platform as it is",
}
REQUIRED = "Which fields an integration needs, and which it has besides, is told by `GET /integrations/cart`."
STATUSES = ("400", "401", "403", "404", "409", "422", "429", "501", "502", "503")


def paths() -> Json:
    """All routes."""
    product = {"product_id": {**TEXT, "minLength": 1, "description": "The id of the product or variant."}}
    lines = {"type": "array", "minItems": 1, "maxItems": 1000, "items": _object(ADJUSTMENT_FIELDS, product)}
    batch = {"type": "object", "properties": {"line_items": lines}, "required": ["line_items"]}
    line = {"product_id": "product_id", **_example(ADJUSTMENT_FIELDS)}
    wrapped = {"status_code": {"type": "integer"}, "headers": {"type": "object"}, "body": {}}
    operations = {
        WriteFunction.CREATE_SHIPMENT: _of_record(WriteFunction.CREATE_SHIPMENT, ORDERS),
        WriteFunction.REFUND_ORDER: _of_record(WriteFunction.REFUND_ORDER, ORDERS),
        WriteFunction.ADJUST_INVENTORY: _of_record(WriteFunction.ADJUST_INVENTORY, PRODUCTS),
        WriteFunction.BATCH_ADJUST_INVENTORY: _operation(
            WriteFunction.BATCH_ADJUST_INVENTORY,
            {"data": {"type": "array", "items": ref(CartProduct.__name__)}, "unused_fields": _texts()},
            batch,
            {"line_items": [line]},
        ),
        WriteFunction.PASSTHROUGH: _operation(
            WriteFunction.PASSTHROUGH,
            wrapped,
            PASSTHROUGH,
            {"method": "GET", "path": "/orders", "params": {"limit": 5}},
        ),
    }
    found: Json = {}
    for function, operation in operations.items():
        method, path = URLS[function]
        found.setdefault(path, {})[method.lower()] = operation
    return found


def _of_record(function: WriteFunction, resource: Resource) -> Json:
    """A write on one record."""
    id = f"{resource.singular}_id"
    parameter: Json = {
        "name": id,
        "in": "path",
        "required": True,
        "description": f"The id of the {resource.singular}. Percent-encode any slash in it.",
        "schema": {**TEXT, "minLength": 1},
        "example": id,
    }
    fields = BASE_FIELDS[function]
    answer = {"data": ref(resource.served.__name__), "id": TEXT, "unused_fields": _texts()}
    return _operation(function, answer, _object(fields, {}), _example(fields), parameter)


def _operation(function: WriteFunction, answer: Json, body: Json, example: Json, *parameters: Json) -> Json:
    keyed = [] if function is WriteFunction.PASSTHROUGH else [_idempotency_key()]
    return {
        "operationId": function.value,
        "tags": ["writes"],
        "summary": SUMMARIES[function],
        "description": REQUIRED,
        "parameters": [*header_parameters(), *keyed, *parameters],
        "requestBody": {
            "required": function is not WriteFunction.REFUND_ORDER,
            "content": {"application/json": {"schema": body, "example": example}},
        },
        "responses": {"200": json_response("What the platform then holds.", answer), **errors(*STATUSES)},
    }


def _idempotency_key() -> Json:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "A write that is repeated with the same key within a day takes effect once.",
        "schema": {**TEXT, "maxLength": 255, "pattern": "^[ -~]*$"},
        "example": "b5a1c3de-0c33-4f0e-9f4c-0f9c1f7b7d11",
    }


def _object(fields: tuple[Field, ...], more: Json) -> Json:
    """Nothing is required but ``more``: that differs from platform to platform."""
    properties = {**more, **{field.name: schema(field, {}) for field in fields}}
    return {"type": "object", "properties": properties, "required": list(more), "additionalProperties": True}


def _example(fields: tuple[Field, ...]) -> Json:
    return {field.name: _value(field) for field in fields if field.name not in LISTS_WITHOUT_EXAMPLE}


def _value(field: Field) -> Any:
    return [_example(field.fields)] if field.type == "list" else field.example


def _texts() -> Json:
    return {"type": "array", "items": TEXT}
