"""The OpenAPI 3.1 document, derived from the contract's structs and filter declarations."""

from typing import Any

import msgspec

from unicart import __version__
from unicart.api import openapi_links, openapi_management, openapi_webhooks, openapi_writes
from unicart.api.openapi_parts import (
    LISTED_TEXT,
    NULL_WORD,
    REF,
    TEXT,
    Json,
    errors,
    header_parameters,
    header_scheme,
    headers,
    idempotency_parameter,
    json_response,
    limit,
    list_schema,
    page_schema,
    query,
    ref,
    responses,
)
from unicart.api.tags import MAX_TAG_LENGTH, MAX_TAGS
from unicart.contract.errors import ErrorBody
from unicart.contract.events import EVENT_TYPES
from unicart.contract.filters import MAX_LIMIT, MAX_VALUES, FilterField, Kind, Operator
from unicart.contract.resources import RESOURCES, Resource

_MEANINGS = {
    Operator.EQ: "Equal to the value.",
    Operator.NEQ: "Not equal to the value; null counts as not equal.",
    Operator.GT: "Later than the value.",
    Operator.GTE: "At or later than the value.",
    Operator.LT: "Earlier than the value.",
    Operator.LTE: "At or earlier than the value.",
    Operator.IN: f"One of up to {MAX_VALUES} values, comma-separated or repeated.",
    Operator.NIN: f"None of up to {MAX_VALUES} values, comma-separated or repeated; null is kept.",
    Operator.CONTAINS: "Contains the value.",
    Operator.NOT_CONTAINS: "Does not contain the value.",
}
_INTRODUCTION = """Orders, products and warehouses of every connected shop, in one schema.

Send your organization's key in `x-trackstar-api-key` and the connection's token in `x-trackstar-access-token`.
Lists are paged: pass `next_token` of a page as `page_token` of the next, with the same filters, until it is null.
With `Accept: application/x-ndjson` a list streams **all** matching records, one JSON object a line; `limit` does not
apply then. Money is decimal and exact; dates are UTC, `YYYY-MM-DDTHH:MM:SSZ`."""


TAGS_BODY = "TagsBody"
_TAG_TEXT: Json = {
    "type": "string",
    "maxLength": MAX_TAG_LENGTH,
    "pattern": rf"^(?!{NULL_WORD}$)[^\u0000]+$",
    "description": "Anything but an empty text, `none` or `null`.",
}


def document() -> Json:
    """The whole document."""
    structs = [
        *(resource.served for resource in RESOURCES),
        *openapi_management.STRUCTS,
        *openapi_links.STRUCTS,
        *openapi_webhooks.STRUCTS,
        *openapi_writes.STRUCTS,
        ErrorBody,
    ]
    _, schemas = msgspec.json.schema_components(structs, ref_template=REF)
    for name, schema in schemas.items():
        _require_all(name, schema)
        _money_as_number(schema)
    schemas[TAGS_BODY] = _tags_body()
    paths: Json = {}
    for resource in RESOURCES:
        paths |= _paths(resource)
        name = resource.served.__name__
        schemas[f"{name}Page"] = page_schema(name)
    paths |= openapi_writes.paths() | openapi_management.paths() | openapi_links.paths()
    paths |= _events() | openapi_webhooks.paths() | _operations()
    schemas |= openapi_management.schemas()
    schemas |= {"Event": _event_schema(), "EventPage": _event_page_schema()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Unicart",
            "version": __version__,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": resource.name, "description": f"The {resource.name} of a connection."} for resource in RESOURCES
        ]
        + [
            *openapi_writes.TAGS,
            *openapi_management.TAGS,
            *openapi_links.TAGS,
            {"name": "events", "description": "What changed, in order."},
            *openapi_webhooks.TAGS,
            {"name": "operations", "description": "Health, readiness, metrics and this document."},
        ],
        "security": [{"api_key": [], "access_token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses(),
            "securitySchemes": {
                "api_key": header_scheme("x-trackstar-api-key"),
                "access_token": header_scheme("x-trackstar-access-token"),
            },
        },
    }


def _require_all(name: str, schema: Json) -> None:
    """Records carry every field always, null where unknown, so each is required, whatever its default is here."""
    if "properties" in schema and name != ErrorBody.__name__:
        schema["required"] = list(schema["properties"])
        for field in schema["properties"].values():
            field.pop("default", None)


def _money_as_number(schema: Any) -> None:
    """Decimals go out as JSON numbers; msgspec describes them as strings."""
    if isinstance(schema, list):
        for part in schema:
            _money_as_number(part)
    elif isinstance(schema, dict):
        if schema.get("format") == "decimal":
            del schema["format"]
            schema["type"] = "number"
        for part in schema.values():
            _money_as_number(part)


def _paths(resource: Resource) -> Json:
    record = resource.served.__name__
    parameter: Json = {
        "name": f"{resource.singular}_id",
        "in": "path",
        "required": True,
        "description": f"The id of the {resource.singular}. Percent-encode any slash in it.",
        "schema": {"type": "string", "minLength": 1},
        "example": f"{resource.singular}_id",
    }
    item = f"{resource.path}/{{{resource.singular}_id}}"
    return {
        resource.path: {
            "get": {
                "operationId": f"list_cart_{resource.name}",
                "tags": [resource.name],
                "summary": f"List {resource.name}",
                "description": resource.served.__doc__ or "",
                "parameters": _list_parameters(resource),
                "responses": {
                    "200": {
                        "description": "A page, or all records as lines.",
                        "headers": headers(),
                        "content": {
                            "application/json": {"schema": ref(f"{record}Page")},
                            "application/x-ndjson": {"schema": {"type": "string"}},
                        },
                    },
                    **errors("401", "422", "429", "501", "503"),
                },
            }
        },
        item: {
            "get": {
                "operationId": f"get_cart_{resource.singular}",
                "tags": [resource.name],
                "summary": f"Get one {resource.singular}",
                "parameters": [*header_parameters(), parameter],
                "responses": {
                    "200": json_response(f"The {resource.singular}.", {"data": ref(record)}),
                    **errors("401", "404", "422", "429", "501", "503"),
                },
            }
        },
        f"{item}/trackstar-tags": {
            "put": {
                "operationId": f"put_cart_{resource.singular}_trackstar_tags",
                "tags": [resource.name],
                "summary": f"Replace the tags of one {resource.singular}",
                "description": "They are kept here only, and never sent to the platform.",
                "parameters": [*header_parameters(), idempotency_parameter(), parameter],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": ref(TAGS_BODY),
                            "example": {"trackstar_tags": ["priority", {"team": "returns"}]},
                        }
                    },
                },
                "responses": {
                    "200": json_response(
                        f"The {resource.singular} with its new tags.",
                        {
                            "data": ref(record),
                            "id": {"type": "string"},
                            "unused_fields": {"type": "array", "items": {"type": "string"}},
                        },
                    ),
                    **errors("400", "401", "403", "404", "409", "422", "429", "501", "503"),
                },
            }
        },
    }


def _list_parameters(resource: Resource) -> list[Json]:
    parameters: list[Json] = [
        *header_parameters(),
        query(
            "page_token",
            "The next_token of the page before. Without it, the first page is returned.",
            {"type": "string"},
            "page_token",
        ),
        limit("items", MAX_LIMIT),
        query(
            "ids[in]",
            "A comma-separated list of resource ids. If it is given, all other parameters are ignored.",
            list_schema(LISTED_TEXT),
            [f"{resource.singular}_id"],
        ),
    ]
    for field in resource.filters.fields:
        parameters += [_filter_parameter(field, name, operator) for name, operator in field.parameters()]
    return parameters


def _filter_parameter(field: FilterField, name: str, operator: Operator) -> Json:
    meaning = "" if field.kind is Kind.TAGS else f" {_MEANINGS[operator]}"
    if field.takes_list(operator):
        examples = field.example.split(",")
        return query(name, field.description + meaning, list_schema(_value_schema(field, LISTED_TEXT)), examples)
    return query(name, field.description + meaning, _value_schema(field, TEXT), field.example)


def _value_schema(field: FilterField, text: Json) -> Json:
    if field.kind is Kind.DATE:
        return {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"}
    if field.kind is Kind.ENUM:
        return {"type": "string", "enum": list(field.values)}
    return text


def _tags_body() -> Json:
    tag_object = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "propertyNames": _TAG_TEXT,
        "additionalProperties": _TAG_TEXT,
    }
    return {
        "type": "object",
        "description": "The tags that replace a record's present ones. Other fields come back in `unused_fields`.",
        "required": ["trackstar_tags"],
        "properties": {
            "trackstar_tags": {"type": "array", "maxItems": MAX_TAGS, "items": {"anyOf": [_TAG_TEXT, tag_object]}}
        },
        "additionalProperties": {
            "not": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": f"^{NULL_WORD}?$"}]}
        },
    }


def _events() -> Json:
    cursor = {"type": "string", "pattern": "^(latest|[0-9]{1,18})$"}
    types = list_schema({"type": "string", "enum": list(EVENT_TYPES)})
    parameters = [
        *header_parameters()[:1],
        query(
            "after",
            "The next_cursor of the page before. Without it, the oldest events that are kept come first; `latest` "
            "begins with what happens from now on.",
            cursor,
            "latest",
        ),
        limit("events", 100),
        query("event_type", "Only these types, comma-separated or repeated.", types, ["cart-order.updated"]),
        query("connection_id", "Only this connection.", TEXT, "connection_id"),
    ]
    return {
        "/events": {
            "get": {
                "operationId": "list_events",
                "tags": ["events"],
                "summary": "Follow what changes",
                "description": "Every change of a record is one event, written in the change's own transaction. Events of "
                "the organization come in order: keep next_cursor, and nothing is missed. With "
                "`Accept: text/event-stream` they are sent as they happen; `Last-Event-ID` goes on where a stream ended.",
                "security": [{"api_key": []}],
                "parameters": parameters,
                "responses": {
                    "200": {
                        "description": "A page of events, or a stream of them.",
                        "headers": headers(),
                        "content": {
                            "application/json": {"schema": ref("EventPage")},
                            "text/event-stream": {"schema": {"type": "string"}},
                        },
                    },
                    **errors("401", "422", "429", "503"),
                },
            }
        }
    }


def _event_schema() -> Json:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": [
            "id",
            "created_date",
            "connection_id",
            "customer_id",
            "integration_name",
            "integration_type",
            "event_type",
            "data",
        ],
        "properties": {
            "id": {**text, "description": "The event's own cursor, by which a repeated delivery is told."},
            "created_date": {**text, "format": "date-time"},
            "connection_id": {"type": ["string", "null"]},
            "customer_id": {"type": ["string", "null"], "description": "The connection's customer then."},
            "integration_name": {"type": ["string", "null"]},
            "integration_type": {**text, "enum": ["cart", "general"]},
            "event_type": {**text, "enum": list(EVENT_TYPES)},
            "data": {"type": "object", "description": "The record as it was served after the change."},
            "previous_attributes": {
                "type": "object",
                "description": "The old values of what changed, by dot path; of updates and new shipments only.",
            },
        },
    }


def _event_page_schema() -> Json:
    return {
        "type": "object",
        "required": ["data", "next_cursor"],
        "properties": {
            "data": {"type": "array", "items": ref("Event")},
            "next_cursor": {"type": "string", "description": "Pass it as `after` to go on, now or later."},
        },
    }


def _operations() -> Json:
    def operation(id: str, summary: str, content: str, *statuses: str) -> Json:
        answer = {"description": summary, "content": {content: {"schema": {}}}}
        return {
            "get": {
                "operationId": id,
                "tags": ["operations"],
                "summary": summary,
                "security": [],
                "responses": {"200": answer, **errors(*statuses)},
            }
        }

    return {
        "/healthz": operation("healthz", "Whether the process answers.", "application/json"),
        "/readyz": operation("readyz", "Whether the store answers too.", "application/json", "503"),
        "/metrics": operation("metrics", "Metrics in Prometheus' text format.", "text/plain"),
        "/openapi.json": operation("openapi", "This document.", "application/json"),
        "/postman.json": operation("postman", "This document as a Postman collection.", "application/json"),
    }
