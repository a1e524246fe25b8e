"""The part of the OpenAPI document on connections, schedules, on-demand syncs, quarantine and integrations."""

from typing import Any

from unicart.api.openapi_parts import (
    NULL_WORD,
    TEXT,
    Json,
    errors,
    header_parameters,
    headers,
    idempotency_parameter,
    json_response,
    limit,
    page_schema,
    query,
    ref,
)
from unicart.contract.connections import (
    ConnectionDeleted,
    ConnectionObject,
    ConnectionUpdated,
    QuarantinedRecord,
    SyncJob,
    SyncStarted,
)
from unicart.contract.filters import MAX_LIMIT
from unicart.contract.integrations import IntegrationInfo
from unicart.contract.resources import Function
from unicart.contract.writes import WriteFunction

STRUCTS: tuple[type[Any], ...] = (
    ConnectionObject,
    QuarantinedRecord,
    SyncStarted,
    ConnectionUpdated,
    ConnectionDeleted,
    SyncJob,
    IntegrationInfo,
)
"""What the routes answer with."""

TAGS: list[Json] = [
    {"name": "connections", "description": "The connected shops, and what of theirs is quarantined."},
    {"name": "syncs", "description": "Pausing, forcing and ordering syncs."},
    {"name": "integrations", "description": "The platforms that can be connected."},
]
FUNCTIONS: Json = {"type": "string", "enum": [function.value for function in Function]}


def schemas() -> Json:
    """The schemas that no struct describes."""
    return {f"{each.__name__}Page": page_schema(each.__name__) for each in (ConnectionObject, QuarantinedRecord)}


def paths() -> Json:
    """All routes."""
    return {
        "/connections": {"get": _connections(), "patch": _change(), "delete": _remove()},
        "/connections/{connection_id}": {"get": _connection()},
        "/connections/{connection_id}/quarantine": {"get": _quarantine()},
        "/connections/sync": {"post": _sync()},
        "/schedules/{function_name}/toggle": {"patch": _toggle()},
        "/schedules/toggle-all": {"patch": _toggle_all()},
        "/schedules/disabled-functions": {"patch": _disable()},
        "/connections/on-demand-syncs": {"post": _create_job()},
        "/connections/on-demand-syncs/{sync_job_id}": {"get": _job()},
        "/connections/on-demand-syncs/{sync_job_id}/cancel": {"post": _cancel_job()},
        "/integrations/cart": {"get": _integrations("list_integrations")},
        "/integrations/cart/{integration_name}": {"get": _integration("get_integration")},
        "/integrations/cart/{integration_name}/write-info": {"get": _write_info()},
        "/cart/integrations": {"get": _integrations("list_cart_integrations", deprecated=True)},
        "/cart/integrations/{integration_name}": {"get": _integration("get_cart_integration", deprecated=True)},
    }


def _connections() -> Json:
    return _by_key(
        "list_connections",
        "List connections",
        "The connections of the organization, by id, with the state of their syncs and their errors.",
        [
            *_paging("connections"),
            query("customer_id", "Only connections of this customer.", TEXT, "acme"),
        ],
        _answer("A page of connections.", f"{ConnectionObject.__name__}Page"),
    )


def _connection() -> Json:
    return _by_key(
        "get_connection",
        "Get one connection",
        ConnectionObject.__doc__ or "",
        [_path("connection_id", "The id of the connection.")],
        json_response("The connection.", {"data": ref(ConnectionObject.__name__)}),
        "404",
    )


def _change() -> Json:
    customer: Json = {
        "anyOf": [
            {"type": "null"},
            {"type": "string", "maxLength": 255, "pattern": rf"^(?!{NULL_WORD}$)[^\u0000]+$"},
        ],
        "description": "Your own name for the merchant; null takes it away.",
    }
    silent = {"type": "boolean", "description": "Send no changes of records to webhook endpoints; the feed keeps them."}
    operation = _by_token(
        "update_connection",
        "Change a connection",
        "Changes the fields that are sent, and no others.",
        [],
        _answer("Done.", ConnectionUpdated.__name__),
        body=_body({"customer_id": customer, "webhooks_disabled": silent}, required=False),
        example={"customer_id": "acme", "webhooks_disabled": False},
    )
    operation["requestBody"]["required"] = True
    return {**operation, "tags": ["connections"]}


def _remove() -> Json:
    operation = _by_token(
        "delete_connection",
        "Remove a connection",
        "Removes the connection with all that is kept of it, and ends the subscription to its platform's webhooks. The "
        "access token stops working.",
        [],
        _answer("It is gone.", ConnectionDeleted.__name__),
        once=False,
    )
    return {**operation, "tags": ["connections"]}


def _quarantine() -> Json:
    return _by_key(
        "list_quarantine",
        "List quarantined records",
        "The platform's records that could not be mapped, raw, with the reason. They never stop the others.",
        [_path("connection_id", "The id of the connection."), *_paging("records")],
        _answer("A page of quarantined records.", f"{QuarantinedRecord.__name__}Page"),
        "404",
    )


def _sync() -> Json:
    functions = {
        "type": "array",
        "items": FUNCTIONS,
        "description": "The functions to sync; all, if it is empty or absent.",
    }
    return _by_token(
        "sync_connection",
        "Sync now",
        "Makes schedules due at once, paused ones too. Functions whose sync is in progress are left out. The end of each "
        "sync is told by `connection.force-sync-completed`.",
        [],
        _answer("What is now due.", SyncStarted.__name__),
        body=_body({"functions_to_sync": functions}, required=False),
        example={"functions_to_sync": ["get_orders"]},
    )


def _toggle() -> Json:
    return _by_token(
        "toggle_schedule",
        "Pause or resume one function's syncs",
        "A sync in progress goes on to its end. A schedule that is resumed is due at once.",
        [{**_path("function_name", "The function."), "schema": FUNCTIONS, "example": "get_orders"}],
        _answer("Done.", ConnectionUpdated.__name__),
        "404",
        "501",
        body=_body({"paused": {"type": "boolean"}}),
        example={"paused": True},
    )


def _toggle_all() -> Json:
    return _by_token(
        "toggle_all_schedules",
        "Pause or resume all syncs of a connection",
        "As for one function, for all of them.",
        [],
        _answer("Done.", ConnectionUpdated.__name__),
        body=_body({"paused": {"type": "boolean"}}),
        example={"paused": True},
    )


def _disable() -> Json:
    functions = [*Function, *WriteFunction]
    names: Json = {
        "type": ["array", "null"],
        "items": {"type": "string", "enum": [function.value for function in functions]},
        "description": "All functions that are to be disabled, of those that the platform has; none for null.",
    }
    return _by_token(
        "set_disabled_functions",
        "Disable functions of a connection",
        "They are neither synced nor written, and no longer among `available_actions`. All others are enabled. A write that "
        "reads back with a function cannot stay enabled without it.",
        [],
        _answer("Done.", ConnectionUpdated.__name__),
        body=_body({"disabled_functions": names}),
        example={"disabled_functions": ["create_shipment"]},
    )


def _create_job() -> Json:
    time = {"type": "string", "format": "date-time", "description": "ISO 8601 with a zone; whole seconds count."}
    return _by_token(
        "create_on_demand_sync",
        "Pull a span of time",
        "Pulls the records of one function that were created from start_time to end_time, both included. Scheduled syncs "
        "of the function wait meanwhile. Its end is told by `connection.sync-job-completed` or "
        "`connection.sync-job-stuck`.",
        [],
        _answer("The job.", SyncJob.__name__),
        body=_body({"function_name": FUNCTIONS, "start_time": time, "end_time": time}),
        example={
            "function_name": "get_orders",
            "start_time": "2024-01-01T00:00:00Z",
            "end_time": "2024-02-01T00:00:00Z",
        },
    )


def _job() -> Json:
    return _by_token(
        "get_on_demand_sync",
        "Get one on-demand sync",
        SyncJob.__doc__ or "",
        [_path("sync_job_id", "The id of the job.")],
        _answer("The job.", SyncJob.__name__),
        "404",
        writes=False,
    )


def _cancel_job() -> Json:
    return _by_token(
        "cancel_on_demand_sync",
        "Cancel an on-demand sync",
        "Only open jobs can be cancelled. A job stops at its next page; what it has stored stays.",
        [_path("sync_job_id", "The id of the job.")],
        _answer("The job.", SyncJob.__name__),
        "404",
    )


def _integrations(id: str, *, deprecated: bool = False) -> Json:
    operation = _by_key(
        id,
        "List integrations",
        IntegrationInfo.__doc__ or "",
        [],
        json_response("All integrations.", {"data": _list_of(IntegrationInfo)}),
    )
    return {**operation, "tags": ["integrations"], "deprecated": deprecated}


def _integration(id: str, *, deprecated: bool = False) -> Json:
    operation = _by_key(
        id,
        "Get one integration",
        "The integration in a list of one.",
        [{**_path("integration_name", "The name of the integration."), "example": "sandbox"}],
        json_response("The integration.", {"data": _list_of(IntegrationInfo)}),
        "404",
    )
    return {**operation, "tags": ["integrations"], "deprecated": deprecated}


def _write_info() -> Json:
    operation = _by_key(
        "get_write_info",
        "Get what the writes of an integration take",
        "An OpenAPI document of its own. With the access token of a connection, it holds what that account takes, such as its "
        "warehouses.",
        [
            {**header_parameters()[1], "required": False},
            {**_path("integration_name", "The name of the integration."), "example": "sandbox"},
        ],
        json_response(
            "The document.",
            {"openapi": {"const": "3.1.0"}, "info": _ANY, "paths": _ANY, "components": _ANY},
        ),
        "404",
        "502",
    )
    return {**operation, "tags": ["integrations"]}


_ANY: Json = {"type": "object"}


def _list_of(struct: type[Any]) -> Json:
    return {"type": "array", "items": ref(struct.__name__)}


def _by_key(id: str, summary: str, description: str, parameters: list[Json], answer: Json, *statuses: str) -> Json:
    """A route that reads what concerns the organization."""
    return {
        "operationId": id,
        "tags": ["connections"],
        "summary": summary,
        "description": description,
        "security": [{"api_key": []}],
        "parameters": [*header_parameters()[:1], *parameters],
        "responses": {"200": answer, **errors(*sorted(["401", *statuses, "422", "429", "503"]))},
    }


def _by_token(
    id: str,
    summary: str,
    description: str,
    parameters: list[Json],
    answer: Json,
    *statuses: str,
    writes: bool = True,
    once: bool = True,
    body: Json | None = None,
    example: Json | None = None,
) -> Json:
    """A route on the connection whose access token is sent; its writes take effect ``once`` for an Idempotency-Key."""
    refused = ["403"] if writes else []
    keyed = writes and once
    refused += ["400", "409"] if keyed else []
    repeated = [idempotency_parameter()] if keyed else []
    operation = {
        "operationId": id,
        "tags": ["syncs"],
        "summary": summary,
        "description": description,
        "parameters": [*header_parameters(), *repeated, *parameters],
        "responses": {"200": answer, **errors(*sorted(["401", *refused, *statuses, "422", "429", "503"]))},
    }
    if body is not None:
        content = {"application/json": {"schema": body, "example": example}}
        operation["requestBody"] = {"required": bool(body["required"]), "content": content}
    return operation


def _answer(description: str, schema: str) -> Json:
    content = {"application/json": {"schema": ref(schema)}}
    return {"description": description, "headers": headers(), "content": content}


def _body(properties: Json, *, required: bool = True) -> Json:
    return {
        "type": "object",
        "required": list(properties) if required else [],
        "properties": properties,
        "additionalProperties": False,
    }


def _path(name: str, description: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
        "example": name,
    }


def _paging(what: str) -> list[Json]:
    token = "The next_token of the page before. Without it, the first page is returned."  # noqa: S105 - a description
    return [query("page_token", token, {"type": "string"}, "page_token"), limit(what, MAX_LIMIT)]
