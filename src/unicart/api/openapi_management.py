"""The part of the OpenAPI document on connections, schedules, on-demand syncs, quarantine and integrations."""

from typing import Any

from unicart.api.openapi_parts import (
    Json,
    errors,
    header_parameters,
    headers,
    json_response,
    limit,
    page_schema,
    query,
    ref,
)
from unicart.contract.connections import (
    ConnectionObject,
    ConnectionUpdated,
    QuarantinedRecord,
    SyncJob,
    SyncStarted,
)
from unicart.contract.filters import MAX_LIMIT
from unicart.contract.integrations import IntegrationInfo
from unicart.contract.resources import Function

STRUCTS: tuple[type[Any], ...] = (
    ConnectionObject,
    QuarantinedRecord,
    SyncStarted,
    ConnectionUpdated,
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
        "/connections": {"get": _connections()},
        "/connections/{connection_id}": {"get": _connection()},
        "/connections/{connection_id}/quarantine": {"get": _quarantine()},
        "/connections/sync": {"post": _sync()},
        "/schedules/{function_name}/toggle": {"patch": _toggle()},
        "/schedules/toggle-all": {"patch": _toggle_all()},
        "/connections/on-demand-syncs": {"post": _create_job()},
        "/connections/on-demand-syncs/{sync_job_id}": {"get": _job()},
        "/connections/on-demand-syncs/{sync_job_id}/cancel": {"post": _cancel_job()},
        "/integrations/cart": {"get": _integrations("list_integrations")},
        "/integrations/cart/{integration_name}": {"get": _integration("get_integration")},
        "/cart/integrations": {"get": _integrations("list_cart_integrations", deprecated=True)},
        "/cart/integrations/{integration_name}": {"get": _integration("get_cart_integration", deprecated=True)},
    }


def _connections() -> Json:
    return _by_key(
        "list_connections",
        "List connections",
        "The connections of the organization, by id, with the state of their syncs and their errors.",
        _paging("connections"),
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
    body: Json | None = None,
    example: Json | None = None,
) -> Json:
    """A route on the connection whose access token is sent."""
    refused = ["403"] if writes else []
    operation = {
        "operationId": id,
        "tags": ["syncs"],
        "summary": summary,
        "description": description,
        "parameters": [*header_parameters(), *parameters],
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
