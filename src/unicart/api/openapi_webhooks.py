"""The part of the OpenAPI document on webhooks, ours and those of platforms."""

from typing import Any

from unicart.api.openapi_parts import Json, errors, header_parameters, headers, json_response, limit, query, ref
from unicart.contract.events import EVENT_TYPES
from unicart.contract.webhooks import WebhookAttempt, WebhookEndpoint

STRUCTS: tuple[type[Any], ...] = (WebhookEndpoint, WebhookAttempt)
"""What the routes answer with."""

TAGS: list[Json] = [
    {"name": "webhooks", "description": "Where events are sent, and how that went."},
    {"name": "inbound", "description": "Where platforms send their webhooks."},
]
DATE: Json = {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"}
SECRET: Json = {"type": "string", "description": "Verifies what is sent. It is shown only here."}


def paths() -> Json:
    """All routes."""
    one = "/webhooks/{endpoint_id}"
    return {
        "/webhooks": {"get": _list(), "post": _create()},
        one: {"get": _get(), "patch": _change(), "delete": _remove()},
        f"{one}/rotate-secret": {"post": _rotate()},
        f"{one}/test": {"post": _test()},
        f"{one}/attempts": {"get": _attempts()},
        f"{one}/replay": {"post": _replay()},
        "/inbound/{connection_id}": {"post": _inbound()},
    }


def _list() -> Json:
    page: Json = {
        "data": {"type": "array", "items": ref(WebhookEndpoint.__name__)},
        "next_token": {"type": "null", "description": "All are in one page."},
        "total_count": {"type": "integer"},
    }
    return _route("list_webhooks", "List webhook endpoints", json_response("The endpoints.", page), writes=False)


def _create() -> Json:
    made = {"allOf": [ref(WebhookEndpoint.__name__), _object({"secret": SECRET}, required=["secret"])]}
    return _route(
        "create_webhook",
        "Make a webhook endpoint",
        json_response("The endpoint with its secret.", {"data": made}),
        body=_object(_properties(), required=["url"], closed=True),
        example={"url": "https://example.com/hooks", "event_types": ["cart-order.created", "cart-order.updated"]},
    )


def _get() -> Json:
    return _route("get_webhook", "Get one webhook endpoint", _endpoint(), one=True, writes=False)


def _change() -> Json:
    body = _object(_properties(), closed=True)
    return _route(
        "change_webhook", "Change a webhook endpoint", _endpoint(), one=True, body=body, example={"disabled": False}
    )


def _remove() -> Json:
    gone: Json = {"id": {"type": "string"}, "object": {"const": "webhook_endpoint"}, "deleted": {"const": True}}
    return _route("delete_webhook", "Delete a webhook endpoint", json_response("It is gone.", gone), one=True)


def _rotate() -> Json:
    rotated = _object({"id": {"type": "string"}, "secret": SECRET}, required=["id", "secret"])
    answer = json_response("The new secret. For a day, the old one signs as well.", {"data": rotated})
    return _route("rotate_webhook_secret", "Give a webhook endpoint a new secret", answer, one=True)


def _test() -> Json:
    answer = json_response("How it went.", {"data": ref(WebhookAttempt.__name__)})
    return _route("test_webhook", "Send a test event now", answer, one=True)


def _attempts() -> Json:
    page: Json = {
        "data": {"type": "array", "items": ref(WebhookAttempt.__name__)},
        "next_cursor": {"type": ["string", "null"], "description": "Pass it as `before`; null when nothing is left."},
    }
    number: Json = {"type": "string", "pattern": "^[0-9]{1,18}$"}
    parameters = [
        query("before", "The next_cursor of the page before.", number, "100"),
        limit("attempts", 100),
        query("event_id", "Only attempts of this event.", number, "42"),
        query("delivered", "Only attempts that arrived, or that did not.", {"type": "boolean"}, False),
    ]
    answer = json_response("Attempts, the newest first.", page)
    return _route("list_webhook_attempts", "List attempts", answer, one=True, parameters=parameters, writes=False)


def _replay() -> Json:
    body = {
        "oneOf": [
            _object(
                {
                    "event_ids": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 1000,
                        "items": {"type": "string", "pattern": "^[0-9]{1,18}$"},
                    }
                },
                required=["event_ids"],
                closed=True,
            ),
            _object({"since": DATE, "until": DATE}, required=["since"], closed=True),
            _object({"failed": {"const": True}}, required=["failed"], closed=True),
        ]
    }
    replayed = _object({"id": {"type": "string"}, "replayed": {"type": "integer"}}, required=["id", "replayed"])
    answer = json_response("How many messages are sent again.", {"data": replayed})
    return _route("replay_webhook", "Send events again", answer, one=True, body=body, example={"failed": True})


def _inbound() -> Json:
    stored: Json = {"status": {"const": "stored"}}
    return {
        "operationId": "receive_platform_webhook",
        "tags": ["inbound"],
        "summary": "Receive a platform's webhook",
        "description": "Verified by the platform's signature, and stored durably before it is answered. The platform may "
        "append a path of its own.",
        "security": [],
        "parameters": [_path("connection_id", "The id of the connection.")],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": {"200": json_response("It is stored.", stored), **errors("401", "404", "422", "503")},
    }


def _properties() -> Json:
    filtered = "null means all."
    types: Json = {"type": ["array", "null"], "minItems": 1, "description": f"Only these types; {filtered}"}
    ids: Json = {"type": ["array", "null"], "minItems": 1, "description": f"Only these connections; {filtered}"}
    return {
        "url": {"type": "string", "pattern": "^https?://", "maxLength": 2000},
        "description": {"type": "string", "maxLength": 500},
        "event_types": {**types, "items": {"type": "string", "enum": list(EVENT_TYPES)}},
        "connection_ids": {**ids, "items": {"type": "string"}},
        "disabled": {"type": "boolean"},
    }


def _endpoint() -> Json:
    return json_response("The endpoint.", {"data": ref(WebhookEndpoint.__name__)})


def _route(
    id: str,
    summary: str,
    answer: Json,
    *,
    one: bool = False,
    writes: bool = True,
    parameters: list[Json] | None = None,
    body: Json | None = None,
    example: Json | None = None,
) -> Json:
    statuses = ["401", *(["403"] if writes else []), *(["404"] if one else []), "422", "429", "503"]
    path = [_path("endpoint_id", "The id of the endpoint.")] if one else []
    operation: Json = {
        "operationId": id,
        "tags": ["webhooks"],
        "summary": summary,
        "security": [{"api_key": []}],
        "parameters": [*header_parameters()[:1], *path, *(parameters or [])],
        "responses": {"200": {**answer, "headers": headers()}, **errors(*statuses)},
    }
    if body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body, "example": example}},
        }
    return operation


def _object(properties: Json, *, required: list[str] | None = None, closed: bool = False) -> Json:
    schema: Json = {"type": "object", "properties": properties, "required": required or []}
    return {**schema, "additionalProperties": False} if closed else schema


def _path(name: str, description: str) -> Json:
    schema = {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema, "example": name}
