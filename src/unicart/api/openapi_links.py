"""The part of the OpenAPI document on link tokens, their exchange, and magic links."""

from typing import Any

from unicart.api.links import DAYS, FUNCTIONS, MOST_DAYS, MOST_NAMES
from unicart.api.openapi_parts import Json, errors, header_parameters, headers, json_response, ref
from unicart.contract.links import ExchangedConnection, LinkToken, MagicLinkDeleted, MagicLinkObject

STRUCTS: tuple[type[Any], ...] = (LinkToken, ExchangedConnection, MagicLinkObject, MagicLinkDeleted)
"""What the routes answer with."""

TAGS: list[Json] = [{"name": "link", "description": "Letting merchants connect their shops themselves."}]

_TEXT: Json = {"type": "string", "maxLength": 255}
_CONNECTION: Json = {**_TEXT, "description": "The connection that is to be reinstalled; absent or empty for a new one."}
_CUSTOMER: Json = {**_TEXT, "description": "Your own name for the merchant."}
_NAMES: Json = {"type": "array", "items": _TEXT, "maxItems": MOST_NAMES}
_FUNCTIONS: Json = {
    "type": "array",
    "items": {"type": "string", "enum": sorted(FUNCTIONS)},
    "maxItems": MOST_NAMES,
}


def paths() -> Json:
    """All routes."""
    return {
        "/link/token": {"post": _token()},
        "/link/exchange": {"post": _exchange()},
        "/magic-links": {"get": _list(), "post": _create()},
        "/magic-links/{magic_link_id}": {"get": _get(), "delete": _delete()},
    }


def _token() -> Json:
    return _operation(
        "create_link_token",
        "Make a link token",
        "It opens the link dialog once, within four hours.",
        _struct("The token.", LinkToken),
        body=_body({"connection_id": _CONNECTION, "customer_id": _CUSTOMER}),
        example={"customer_id": "merchant-17"},
    )


def _exchange() -> Json:
    code = {**_TEXT, "description": "What onSuccess was given; good once, for 30 minutes."}
    connection = {
        **_TEXT,
        "description": "In place of a code: a connection whose token was never handed out, as a magic link makes them.",
    }
    return _operation(
        "exchange_auth_code",
        "Exchange an auth code",
        ExchangedConnection.__doc__ or "",
        _struct("The connection and its access token.", ExchangedConnection),
        body=_body({"auth_code": code, "connection_id": connection, "customer_id": _CUSTOMER}),
        example={"auth_code": "uc_code_…"},
    )


def _list() -> Json:
    schema = {"type": "array", "items": ref(MagicLinkObject.__name__)}
    answer = json_response("The links that work, oldest first.", {"magic_links": schema})
    return _operation("list_magic_links", "List magic links", "Those that have not expired.", answer, writes=False)


def _create() -> Json:
    days: Json = {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": DAYS}
    properties = {
        "connection_id": _CONNECTION,
        "customer_id": _CUSTOMER,
        "integration_type": {"type": "string", "enum": ["cart"], "default": "cart"},
        "link_duration": {**days, "description": "How many days the link works."},
        "integration_allow_list": {**_NAMES, "description": "Only these integrations; excludes the next two."},
        "integration_block_list": {**_NAMES, "description": "Not these integrations."},
        "integrations_with_endpoints": {**_FUNCTIONS, "description": "Only integrations that have these functions."},
        "disabled_functions": {**_FUNCTIONS, "description": "Functions that new connections do not have."},
    }
    return _operation(
        "create_magic_link",
        "Make a magic link",
        "A page of its own on which a merchant connects shops.",
        json_response("The link.", {"magic_link": ref(MagicLinkObject.__name__)}),
        body=_body(properties),
        example={"customer_id": "merchant-17", "link_duration": 7},
    )


def _get() -> Json:
    answer = json_response("The link.", {"magic_link": ref(MagicLinkObject.__name__)})
    found = _operation("get_magic_link", "Get one magic link", "", answer, "404", writes=False)
    return {**found, "parameters": [*found["parameters"], _id()]}


def _delete() -> Json:
    answer = _struct("It works no more.", MagicLinkDeleted)
    found = _operation(
        "delete_magic_link", "End a magic link", "Connections that were made with it stay.", answer, "404"
    )
    return {**found, "parameters": [*found["parameters"], _id()]}


def _operation(
    id: str,
    summary: str,
    description: str,
    answer: Json,
    *statuses: str,
    writes: bool = True,
    body: Json | None = None,
    example: Json | None = None,
) -> Json:
    refused = ["403"] if writes else []
    operation: Json = {
        "operationId": id,
        "tags": ["link"],
        "summary": summary,
        "description": description,
        "security": [{"api_key": []}],
        "parameters": header_parameters()[:1],
        "responses": {"200": answer, **errors(*sorted(["401", *refused, *statuses, "422", "429", "503"]))},
    }
    if body is not None:
        content = {"application/json": {"schema": body, "example": example}}
        operation["requestBody"] = {"required": id == "exchange_auth_code", "content": content}
    return operation


def _struct(description: str, struct: type[Any]) -> Json:
    content = {"application/json": {"schema": ref(struct.__name__)}}
    return {"description": description, "headers": headers(), "content": content}


def _body(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _id() -> Json:
    return {
        "name": "magic_link_id",
        "in": "path",
        "required": True,
        "description": "The id of the magic link.",
        "schema": {"type": "string", "minLength": 1},
        "example": "magic_link_id",
    }
