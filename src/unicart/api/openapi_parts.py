"""What every part of the OpenAPI document is made of."""

from typing import Any

from unicart.contract.errors import ErrorBody
from unicart.contract.filters import MAX_LIMIT, MAX_VALUES

Json = dict[str, Any]

CREDENTIAL_HEADERS = {
    "x-trackstar-api-key": "Your organization's API key.",
    "x-trackstar-access-token": "The access token of one connection (one shop).",
}
REF = "#/components/schemas/{name}"


NULL_WORD = "([nN][oO][nN][eE]|[nN][uU][lL][lL])"
"""What a text must not be: a word that clients write for null."""


def query(name: str, description: str, schema: Json, example: object) -> Json:
    """A query parameter."""
    parameter = {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
    if schema["type"] == "array":
        parameter |= {"style": "form", "explode": False}
    return {**parameter, "example": example}


TEXT: Json = {"type": "string", "minLength": 1, "pattern": r"^[^\u0000]+$"}
"""Any text that a parameter may hold."""
LISTED_TEXT: Json = {"type": "string", "minLength": 1, "pattern": r"^[^\u0000,]+$"}
"""One of several."""


def limit(what: str, example: int) -> Json:
    """The size of a page."""
    schema = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT}
    return query("limit", f"The maximum number of {what} to return.", schema, example)


def list_schema(items: Json) -> Json:
    """Several values of a parameter."""
    return {"type": "array", "items": items, "minItems": 1, "maxItems": MAX_VALUES}


def page_schema(record: str) -> Json:
    """A page of records of the schema ``record``."""
    return {
        "type": "object",
        "required": ["data", "next_token", "total_count"],
        "properties": {
            "data": {"type": "array", "items": ref(record)},
            "next_token": {
                "type": ["string", "null"],
                "description": "Pass it as page_token to get the next page; null when nothing is left.",
            },
            "total_count": {"type": "integer", "description": "The number of items in this response."},
        },
    }


_ERRORS = {
    "400": "An Idempotency-Key that belongs to another request.",
    "401": "A missing or unknown API key or access token.",
    "403": "A read-only key, or a disabled function.",
    "404": "No record under this id.",
    "409": "A request with the same Idempotency-Key is in progress; repeat it after `retry-after` seconds.",
    "4XX": "What the platform refuses, with the platform's own status.",
    "422": "Something that breaks the contract; `detail` names each field.",
    "429": "More requests than the access token may make in this second.",
    "501": "The connection's platform has no such function.",
    "502": "The platform failed, or said nothing that can be understood. Repeat it with the same Idempotency-Key.",
    "503": "The store cannot answer now; nothing was half-written.",
}


def errors(*statuses: str) -> Json:
    """The error responses with these statuses."""
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses}


def responses() -> Json:
    """Every error response, for the document's components."""
    content = {"application/json": {"schema": ref(ErrorBody.__name__)}}
    return {
        status: {"description": description, "headers": headers(), "content": content}
        for status, description in _ERRORS.items()
    }


def headers() -> Json:
    """The headers of every response."""
    integer = {"type": "integer"}
    return {
        "x-request-id": {
            "description": "The request's id; yours, if you sent a sane one.",
            "schema": {"type": "string"},
        },
        "x-ratelimit-limit": {"description": "Requests per second.", "schema": integer},
        "x-ratelimit-remaining": {"description": "What is left of this second.", "schema": integer},
        "x-ratelimit-reset": {"description": "The end of this second, in epoch seconds.", "schema": integer},
    }


def json_response(description: str, properties: Json) -> Json:
    """A response that is an object with these properties."""
    schema = {"type": "object", "required": list(properties), "properties": properties}
    return {"description": description, "headers": headers(), "content": {"application/json": {"schema": schema}}}


def ref(name: str) -> Json:
    """A reference to a schema of the document."""
    return {"$ref": REF.format(name=name)}


def header_scheme(name: str) -> Json:
    """How a credential is sent."""
    return {"type": "apiKey", "in": "header", "name": name, "description": CREDENTIAL_HEADERS[name]}


def idempotency_parameter() -> Json:
    """What makes a write that is repeated take effect once."""
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Any text of your own. For 24 hours, a request that is repeated with it gets the first answer.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "example": "7f6c2a54-0f3e-4c5e-9f55-0d2f5a8f5d5b",
    }


def header_parameters() -> list[Json]:
    """The credentials as parameters, the key first."""
    return [
        {
            "name": name,
            "in": "header",
            "required": True,
            "description": description,
            "schema": {"type": "string"},
            "example": f"<{name}>",
        }
        for name, description in CREDENTIAL_HEADERS.items()
    ]
