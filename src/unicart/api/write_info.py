"""What an integration's writes take, as JSON Schema: for ``GET /integrations`` and the write-info document."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from unicart import __version__
from unicart.connectors.kit import Facts, Write
from unicart.contract.writes import BASE_FIELDS, URLS, Field, WriteFunction, WriteOperation

Json = dict[str, Any]
Values = Mapping[str, Sequence[str]]

UNKNOWN = "N/A - Connect an account to see options"


def write_operation(facts: Facts, function: WriteFunction) -> WriteOperation:
    """How one write of an integration is described in a list of integrations."""
    method, path = URLS[function]
    base, specific = _split(facts, function)
    return WriteOperation(
        action=function,
        url=f"{method} {path}",
        required_base_schema_fields=list(_paths(base, required=True)),
        optional_base_schema_fields=list(_paths(base, required=False)),
        integration_specific_fields={
            "type": "object",
            "properties": {field.name: schema(field, {}) for field in specific},
            "required_fields": [field.name for field in specific if field.required],
        },
    )


def document(facts: Facts, values: Mapping[WriteFunction, Values]) -> Json:
    """An OpenAPI 3.1 document of an integration's writes.

    ``values`` are what an account takes in varying fields, by the write and the field; without them, they are left open.
    """
    paths: Json = {}
    schemas: Json = {}
    for function in facts.write_functions:
        method, path = URLS[function]
        name = "".join(part.capitalize() for part in function.value.split("_"))
        schemas[name] = body(facts, function, values.get(function, {}))
        parameters = [_path_parameter(part) for part in path.split("/") if part.startswith("{")]
        paths.setdefault(path, {})[method.lower()] = {
            "operationId": function.value,
            "summary": f"{function.value} for {facts.display_name}",
            "parameters": parameters,
            "requestBody": {
                "required": function is not WriteFunction.REFUND_ORDER,
                "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
            },
            "responses": {"200": {"description": "The record as the platform then holds it."}},
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Writes of {facts.display_name}", "version": __version__},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def body(facts: Facts, function: WriteFunction, values: Values) -> Json:
    """The schema of a write's body. Other fields are taken and reported as unused."""
    if function is WriteFunction.PASSTHROUGH:
        return PASSTHROUGH
    base, specific = _split(facts, function)
    fields = [*base, *specific]
    described: Json = {
        "type": "object",
        "properties": {field.name: schema(field, values) for field in fields},
        "required": [field.name for field in fields if field.required],
        "additionalProperties": True,
    }
    if function is not WriteFunction.BATCH_ADJUST_INVENTORY:
        return described
    product: Json = {"type": "string", "minLength": 1, "description": "The id of the product or variant."}
    described["properties"] = {"product_id": product, **described["properties"]}
    described["properties"]["adjustment_type"]["default"] = "exact"
    described["required"] = ["product_id", *(name for name in described["required"] if name != "adjustment_type")]
    items: Json = {"type": "array", "minItems": 1, "maxItems": 1000, "items": described}
    return {
        "type": "object",
        "properties": {"line_items": items},
        "required": ["line_items"],
        "additionalProperties": True,
    }


def schema(field: Field, values: Values) -> Json:
    """The JSON Schema of one field."""
    described: Json = {"description": field.description}
    if field.type == "list":
        item = {
            "type": "object",
            "properties": {each.name: schema(each, values) for each in field.fields},
            "required": [each.name for each in field.fields if each.required],
        }
        return described | {"type": "array", "minItems": 1, "maxItems": 1000, "items": item}
    if field.type == "date-time":
        described |= {"type": "string", "format": "date-time"}
    else:
        described["type"] = field.type
    if field.type == "string":
        described["minLength"] = 1
    if field.minimum is not None:
        described["minimum"] = field.minimum
    known = list(values.get(field.name, ())) if field.varying else list(field.values)
    if field.varying and not known:
        described["x-options"] = UNKNOWN
    elif known:
        described["examples" if field.suggested else "enum"] = known
    if field.example is not None and (not known or field.example in known):
        described.setdefault("examples", [field.example])
    return described


def _split(facts: Facts, function: WriteFunction) -> tuple[list[Field], list[Field]]:
    """The base fields and the specific fields of a write."""
    write: Write | None = facts.write(function)
    if write is None or function is WriteFunction.PASSTHROUGH:
        return [], []
    base = {field.name for field in BASE_FIELDS[write.function]}
    fields = write.fields
    return [field for field in fields if field.name in base], [field for field in fields if field.name not in base]


def _paths(fields: Sequence[Field], *, required: bool, path: str = "", within: bool = True) -> Iterator[str]:
    """The dot paths of the fields that are required, or that are not; what lies ``within`` an optional one never is."""
    for field in fields:
        needed = within and field.required
        if needed is required:
            yield f"{path}{field.name}"
        yield from _paths(field.fields, required=required, path=f"{path}{field.name}.", within=needed)


def _path_parameter(part: str) -> Json:
    return {"name": part.strip("{}"), "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


PASSTHROUGH: Json = {
    "type": "object",
    "properties": {
        "method": {"type": "string", "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
        "path": {
            "type": "string",
            "minLength": 1,
            "description": "A path on the platform, below the connection's URL.",
        },
        "data": {"description": "The JSON body, for POST, PUT and PATCH."},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "params": {"type": "object", "description": "The query parameters; a list is repeated."},
    },
    "required": ["method", "path"],
    "additionalProperties": False,
}
