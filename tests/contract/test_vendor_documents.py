"""Our contract against the vendor's own documents: old and new clients find every field and every parameter.

The documents are not ours to copy. They are read where ``UNICART_CONTRACT_DIR`` points, or beside the repository.
"""

import json
import os
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from unicart.contract.common import encode
from unicart.contract.filters import Kind
from unicart.contract.orders import CartOrder, OrderStatus, ShipmentStatus
from unicart.contract.products import CartProduct
from unicart.contract.resources import BY_NAME, ORDERS
from unicart.contract.warehouses import CartWarehouse

BESIDE = Path(__file__).parents[3] / "shared" / "contract"
FOLDER = Path(os.environ.get("UNICART_CONTRACT_DIR", BESIDE))
EDITIONS = ("2025-03", "2025-10")
SCHEMAS = [
    ("2025-03", "CartOrderSchema", CartOrder),
    ("2025-03", "CartProductSchema", CartProduct),
    ("2025-10", "CartOrderSchema", CartOrder),
    ("2025-10", "CartProductSchema", CartProduct),
    ("2025-10", "CartWarehouseSchema", CartWarehouse),
]
NOT_TAKEN = {
    "status[contains]",
    "status[not_contains]",
    "warehouse_customer_id[contains]",
    "warehouse_customer_id[not_contains]",
}
"""In the later edition only, and without a meaning of their own: both are matched as wholes."""

pytestmark = pytest.mark.skipif(
    not (FOLDER / "get-cart-orders.txt").is_file(),
    reason=f"the vendor's documents are not in {'UNICART_CONTRACT_DIR' if 'UNICART_CONTRACT_DIR' in os.environ else 'shared/contract beside the repository'}",
)


def document(edition: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"openapi-{edition}.json").read_text(encoding="utf-8"))
    return loaded


def page() -> str:
    return (FOLDER / "get-cart-orders.txt").read_text(encoding="utf-8")


def example() -> dict[str, Any]:
    text = page()
    reply: dict[str, Any] = json.JSONDecoder().raw_decode(text, text.index("{\n"))[0]
    return reply


def query_parameters(edition: str, path: str) -> dict[str, dict[str, Any]]:
    parameters = document(edition)["paths"][path]["get"]["parameters"]
    return {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "query"}


def resolved(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """``schema`` with its reference followed, and without its null."""
    while True:
        options = [
            each for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, ()) if each.get("type") != "null"
        ]
        if "$ref" in schema:
            schema = whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif len(options) == 1:
            schema = options[0]
        else:
            return schema


def struct_of(hint: Any) -> Any:
    """The record in a field's type, behind its null and its list; None if there is none."""
    if get_origin(hint) in (Union, types.UnionType, list):
        found = [struct_of(each) for each in get_args(hint)]
        return next((each for each in found if each is not None), None)
    return hint if isinstance(hint, type) and issubclass(hint, msgspec.Struct) else None


def missing(names: dict[str, Any], record: type[Any], whole: dict[str, Any] | None, path: str) -> Iterator[str]:
    """Fields of the vendor's ``names`` that ``record`` lacks, at any depth; also those in another order."""
    ours = list(record.__struct_fields__)
    yield from (f"{path}.{name}" for name in names if name not in ours)
    common = [name for name in names if name in ours]
    if common != sorted(common, key=ours.index):
        yield f"{path} in the order {common}"
    hints = get_type_hints(record)
    for name in common:
        inner = struct_of(hints[name])
        deeper = _inner_names(names[name], whole)
        if inner is not None and deeper:
            yield from missing(deeper, inner, whole, f"{path}.{name}")


def _inner_names(value: Any, whole: dict[str, Any] | None) -> dict[str, Any]:
    if whole is None:
        inner = value[0] if isinstance(value, list) and value else value
        return inner if isinstance(inner, dict) else {}
    schema = resolved(value, whole)
    properties: dict[str, Any] = resolved(schema.get("items", schema), whole).get("properties", {})
    return properties


@pytest.mark.parametrize(("edition", "schema", "record"), SCHEMAS)
def test_record_has_every_field_of_the_openapi_document(edition: str, schema: str, record: type[Any]) -> None:
    whole = document(edition)
    properties = whole["components"]["schemas"][schema]["properties"]
    assert len(properties) > 5
    assert [each for each in missing(properties, record, whole, schema) if " in the order " not in each] == []


def test_order_has_every_field_of_the_reference_page_in_its_order() -> None:
    (order,) = example()["data"]
    assert list(missing(order, CartOrder, None, "order")) == []


def test_comparison_finds_what_is_missing_at_any_depth() -> None:
    whole = document("2025-10")
    properties = dict(whole["components"]["schemas"]["CartOrderSchema"]["properties"])
    assert "o.colour" in missing({"colour": {}, **properties}, CartOrder, whole, "o")
    (order,) = example()["data"]
    order["line_items"][0]["colour"] = "red"
    order["ship_to_address"]["planet"] = "Earth"
    assert set(missing(order, CartOrder, None, "o")) == {"o.line_items.colour", "o.ship_to_address.planet"}


def test_example_of_the_reference_page_is_a_record_and_comes_out_unchanged() -> None:
    (order,) = example()["data"]
    newer = {**order, "shipping_method_id": order["shipping_method"]}
    for shipment in newer["shipments"]:
        shipment |= {"carrier_name": shipment["carrier"], "shipping_method_id": shipment["shipping_method"]}
        for number, part in enumerate(shipment["line_items"]):
            part["shipment_line_item_id"] = str(number)
    dates = {"trackstar_created_date": order["created_date"], "trackstar_updated_date": order["created_date"]}
    served = json.loads(encode(msgspec.convert({**newer, **dates}, CartOrder)))
    assert_holds(served, example()["data"][0])


def assert_holds(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        for name, value in theirs.items():
            assert_holds(ours[name], value)
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for mine, value in zip(ours, theirs, strict=True):
            assert_holds(mine, value)
    else:
        assert ours == theirs


def test_reference_page_has_33_headers_and_parameters_and_each_is_accepted() -> None:
    text = page()
    section = text[text.index("\nHeaders\n") : text.index("\nResponse\n")]
    named = re.findall(r"^([a-z_-]+(?:\[[a-z]+\])?)\n(?:string|integer|enum<string>)", section, re.MULTILINE)
    headers = [name for name in named if name.startswith("x-trackstar-")]
    assert (len(named), len(headers)) == (33, 2)
    for name in named:
        if name not in headers:
            assert_accepted("orders", name)


def assert_accepted(resource: str, name: str) -> None:
    fields = {field.name: field for field in BY_NAME[resource].filters.fields}
    values = {"limit": "1000", "page_token": "page_token", "ids[in]": "a,b"}
    value = values.get(name) or fields[name.partition("[")[0]].example
    query = BY_NAME[resource].filters.parse([(name, value)])
    if name not in values:
        assert len(query.conditions) == 1


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("resource", ["orders", "products", "warehouses"])
def test_every_parameter_of_the_openapi_document_is_accepted(edition: str, resource: str) -> None:
    if (edition, resource) == ("2025-03", "warehouses"):
        assert "/cart/warehouses" not in document(edition)["paths"], "warehouses came later"
        return
    names = set(query_parameters(edition, f"/cart/{resource}"))
    assert len(names) > 20
    if (edition, resource) == ("2025-10", "orders"):
        assert names >= NOT_TAKEN
        names -= NOT_TAKEN
    for name in names:
        assert_accepted(resource, name)


@pytest.mark.parametrize("edition", EDITIONS)
def test_lists_in_the_vendors_document_are_lists_for_us(edition: str) -> None:
    fields = {field.name: field for field in ORDERS.filters.fields}
    for name, parameter in query_parameters(edition, "/cart/orders").items():
        if name in NOT_TAKEN or parameter["schema"]["type"] != "array" or name == "ids[in]":
            continue
        field = fields[name.partition("[")[0]]
        second = {Kind.DATE: "2022-01-01T00:00:00Z", Kind.ENUM: "other"}.get(field.kind, "second")
        (condition,) = ORDERS.filters.parse([(name, f"{field.example},{second}")]).conditions
        assert len(condition.values) == 2


@pytest.mark.parametrize("edition", EDITIONS)
def test_statuses_are_the_vendors_in_the_vendors_order(edition: str) -> None:
    parameter = query_parameters(edition, "/cart/orders")["status"]
    assert parameter["schema"]["enum"] == [status.value for status in OrderStatus]


def test_shipment_statuses_are_the_vendors() -> None:
    whole = document("2025-10")
    for schema in ("CartOrderShipment", "CartOrderShippingGroup"):
        status = resolved(whole["components"]["schemas"][schema]["properties"]["status"], whole)
        assert set(status["enum"]) - {None} == {status.value for status in ShipmentStatus}


def test_envelope_has_the_vendors_names() -> None:
    assert set(example()) == {"data", "next_token", "total_count"}
