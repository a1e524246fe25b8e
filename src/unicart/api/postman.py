"""The Postman collection (format 2.1), derived from the OpenAPI document."""

import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from unicart import __version__
from unicart.api.openapi import document
from unicart.api.openapi_parts import Json
from unicart.api.reply import Endpoint, Reply
from unicart.contract.common import encode

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
VALUES = {
    "x-trackstar-api-key": "{{api_key}}",
    "x-trackstar-access-token": "{{access_token}}",
    "Idempotency-Key": "{{$guid}}",
}
"""What headers are filled from: variables of the collection, and one that Postman makes anew for each request."""
VARIABLES = {
    "api_key": "Your organization's API key.",
    "access_token": "The access token of one connection (one shop).",
}


def routes() -> list[Route]:
    """``/postman.json``."""
    made = collection()

    async def postman(request: Request) -> Reply:
        """The collection, whose base URL is the address that it is fetched from."""
        request.scope["unicart.route"] = "/postman.json"
        base_url = _variable("base_url", str(request.base_url).rstrip("/"), "Where Unicart answers.")
        return Reply(encode({**made, "variable": [base_url, *made["variable"]]}))

    return [Route("/postman.json", Endpoint(postman), methods=["GET"])]


def collection() -> Json:
    """The collection: a folder for each tag, a request for each operation. Its ``base_url`` is yet to be added."""
    described = document()
    return {
        "info": {
            "name": described["info"]["title"],
            "description": described["info"]["description"],
            "version": __version__,
            "schema": SCHEMA,
        },
        "item": [_folder(tag, described["paths"]) for tag in described["tags"]],
        "variable": [_variable(name, "", description) for name, description in VARIABLES.items()],
    }


def _folder(tag: Json, paths: Json) -> Json:
    return {
        "name": tag["name"],
        "description": tag["description"],
        "item": [
            _request(method, path, operation)
            for path, methods in paths.items()
            for method, operation in methods.items()
            if operation["tags"] == [tag["name"]]
        ],
    }


def _request(method: str, path: str, operation: Json) -> Json:
    parameters = operation.get("parameters", [])
    request: Json = {
        "method": method.upper(),
        "description": operation.get("description", ""),
        "header": [_header(each) for each in parameters if each["in"] == "header"],
        "url": _url(path, parameters),
    }
    if "requestBody" in operation:
        request["header"].append({"key": "Content-Type", "value": "application/json"})
        request["body"] = _body(operation["requestBody"]["content"]["application/json"])
    return {"name": operation["summary"], "request": request, "response": []}


def _header(parameter: Json) -> Json:
    name = parameter["name"]
    return {"key": name, "value": VALUES[name], "description": parameter["description"]}


def _url(path: str, parameters: list[Json]) -> Json:
    """Postman writes path parameters ``:name``. Filters are off at first: no record matches all of their examples."""
    path = re.sub(r"\{(\w+)\}", r":\1", path)
    query = [{**_parameter(each), "disabled": True} for each in parameters if each["in"] == "query"]
    variables = [_parameter(each) for each in parameters if each["in"] == "path"]
    return {
        "raw": "{{base_url}}" + path,
        "host": ["{{base_url}}"],
        "path": path.strip("/").split("/"),
        "query": query,
        "variable": variables,
    }


def _parameter(parameter: Json) -> Json:
    return {
        "key": parameter["name"],
        "value": _text(parameter["example"]),
        "description": parameter["description"],
    }


def _text(example: Any) -> str:
    if isinstance(example, list):
        return ",".join(map(_text, example))
    return example if isinstance(example, str) else msgspec.json.encode(example).decode()


def _body(content: Json) -> Json:
    example = msgspec.json.format(encode(content.get("example", {})), indent=2)
    return {"mode": "raw", "raw": example.decode(), "options": {"raw": {"language": "json"}}}


def _variable(name: str, value: str, description: str) -> Json:
    return {"key": name, "value": value, "description": description, "type": "string"}
