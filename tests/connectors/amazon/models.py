"""Amazon's own models, where they are at hand: what the fake store is asked and answers is validated against them.

They are not ours to copy. ``UNICART_SPECS_DIR`` names the folder in whose ``amazon`` there are ``orders_2026-01-01.json``,
``ordersV0.json`` and ``listingsItems_2021-08-01.json`` of the repository amzn/selling-partner-api-models; otherwise it is looked for beside ours.
"""

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

FOLDER = Path(os.environ.get("UNICART_SPECS_DIR", Path(__file__).parents[4] / "shared" / "specs")) / "amazon"
ORDERS, OLD_ORDERS, LISTINGS = "orders_2026-01-01", "ordersV0", "listingsItems_2021-08-01"
ANSWERS = {
    "searchOrders": (ORDERS, "SearchOrdersResponse"),
    "getOrder": (ORDERS, "GetOrderResponse"),
    "searchListingsItems": (LISTINGS, "ItemSearchResults"),
    "getListingsItem": (LISTINGS, "Item"),
    "patchListingsItem": (LISTINGS, "ListingsItemSubmissionResponse"),
}
BODIES = {
    "confirmShipment": (OLD_ORDERS, "ConfirmShipmentRequest"),
    "patchListingsItem": (LISTINGS, "ListingsItemPatchRequest"),
}
METHODS = ("get", "post", "patch")


def at_hand() -> bool:
    """Whether there are models to validate against."""
    return all((FOLDER / f"{name}.json").exists() for name in (ORDERS, OLD_ORDERS, LISTINGS))


@cache
def model(name: str) -> dict[str, Any]:
    """One of Amazon's documents (Swagger 2)."""
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_bytes())
    return document


def operation(id: str) -> dict[str, Any]:
    """What the document says of an operation."""
    paths = model((ANSWERS.get(id) or BODIES[id])[0])["paths"].values()
    found = (each for path in paths for method, each in path.items() if method in METHODS)
    return next(each for each in found if each["operationId"] == id)


def check_answer(id: str, body: Any) -> None:
    """Fail unless ``body`` is what the operation answers."""
    if at_hand():
        _validator(*ANSWERS[id]).validate(body)


def check_body(id: str, body: Any) -> None:
    """Fail unless the operation takes ``body``, and knows each of its fields."""
    if at_hand():
        _validator(*BODIES[id]).validate(body)
        assert _unknown(BODIES[id][0], {"$ref": f"#/definitions/{BODIES[id][1]}"}, body) == []


def check_question(id: str, given: dict[str, str]) -> None:
    """Fail unless the operation knows each parameter, and takes its value."""
    if not at_hand():
        return
    known = {each["name"]: each for each in operation(id)["parameters"] if each["in"] == "query"}
    missing = [name for name, each in known.items() if each.get("required") and name not in given]
    assert not missing, f"{id} needs {missing}"
    for name, value in given.items():
        assert name in known, f"{id} has no parameter {name}"
        jsonschema_rs.validator_for(_schema(known[name])).validate(_parsed(known[name], value))


def examples(id: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """The vendor's own sandbox exchanges: parameters and answer."""
    for each in operation(id)["responses"]["200"]["x-amzn-api-sandbox"]["static"]:
        yield {name: given["value"] for name, given in each["request"]["parameters"].items()}, each["response"]


@cache
def _validator(document: str, definition: str) -> jsonschema_rs.Validator:
    schema = {"$ref": f"#/definitions/{definition}", "definitions": model(document)["definitions"]}
    return jsonschema_rs.Draft4Validator(schema, validate_formats=True)


def _schema(parameter: dict[str, Any]) -> dict[str, Any]:
    names = ("type", "format", "enum", "items", "maxItems", "minItems", "maximum", "minimum", "pattern")
    return {name: parameter[name] for name in names if name in parameter}


def _parsed(parameter: dict[str, Any], value: str) -> Any:
    if parameter["type"] == "array":
        return value.split(",")
    return int(value) if parameter["type"] == "integer" else value


def _unknown(document: str, schema: dict[str, Any], body: Any) -> list[str]:
    """The names in ``body`` that the document does not have."""
    if "$ref" in schema:
        schema = model(document)["definitions"][schema["$ref"].rpartition("/")[2]]
    if isinstance(body, list):
        return [name for each in body for name in _unknown(document, schema.get("items", {}), each)]
    if not isinstance(body, dict) or schema.get("additionalProperties"):
        return []
    known = schema.get("properties", {})
    inner = [name for key in body if key in known for name in _unknown(document, known[key], body[key])]
    return [key for key in body if key not in known] + inner
