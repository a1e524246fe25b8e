"""The routes that replace the tags of a record; nothing is sent to the platform."""

import time
from functools import partial

import msgspec
from starlette.routing import Route

from unicart.api.body import Fields, is_null, refuse_null
from unicart.api.changes import Change, changing
from unicart.api.records import Services, require_function
from unicart.contract.common import Tag
from unicart.contract.errors import InvalidRequest, NotFound
from unicart.contract.resources import RESOURCES, Resource
from unicart.store import records

MAX_TAGS = 100
MAX_TAG_LENGTH = 255


def routes(services: Services) -> list[Route]:
    """``trackstar-tags`` of all three families."""
    return [
        Route(
            f"{resource.path}/{{id:path}}/trackstar-tags",
            changing(
                services,
                f"{resource.path}/{{{resource.singular}_id}}/trackstar-tags",
                partial(_put, resource),
            ),
            methods=["PUT"],
        )
        for resource in RESOURCES
    ]


async def _put(resource: Resource, change: Change) -> bytes:
    """Replace the tags of one record."""
    require_function(change.connection, resource.function)
    id: str = change.request.path_params["id"]
    tags, unused = _read_tags(change.fields)
    document = None
    if "\x00" not in id:
        async with change.database.write() as transaction:
            document = await records.set_tags(transaction, change.connection, resource, id, tags, int(time.time()))
    if document is None:
        raise NotFound(f"{resource.singular.capitalize()} not found", id=id)
    return b'{"data":%s,"id":%s,"unused_fields":%s}' % (
        document,
        msgspec.json.encode(id),
        msgspec.json.encode(unused),
    )


def _read_tags(fields: Fields) -> tuple[list[Tag], list[str]]:
    """The tags of a request body, and the names of the fields that nothing is done with."""
    if "trackstar_tags" not in fields:
        raise InvalidRequest("json", {"trackstar_tags": ["is required"]})
    refuse_null(fields)
    given = fields["trackstar_tags"]
    if not isinstance(given, list):
        raise InvalidRequest("json", {"trackstar_tags": ["must be a list of strings and one-key objects"]})
    if len(given) > MAX_TAGS:
        raise InvalidRequest("json", {"trackstar_tags": [f"must hold at most {MAX_TAGS} tags"]})
    for number, tag in enumerate(given):
        problem = _tag_problem(tag)
        if problem:
            raise InvalidRequest("json", {f"trackstar_tags.{number}": [problem]})
    return given, sorted(set(fields) - {"trackstar_tags"})


def _tag_problem(tag: object) -> str | None:
    texts = [tag] if isinstance(tag, str) else []
    if isinstance(tag, dict):
        if len(tag) != 1:
            return "must have exactly one key"
        texts = [*tag.keys(), *tag.values()]
    if not texts or not all(isinstance(text, str) for text in texts):
        return "must be a string, or an object of one key with a string"
    for text in texts:
        if is_null(text):
            return "must not be null or empty"
        if len(text) > MAX_TAG_LENGTH or "\x00" in text:
            return f"must be at most {MAX_TAG_LENGTH} characters without NUL"
    return None
