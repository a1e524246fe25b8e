"""What the connector asks and what the test server answers, against BigCommerce's own OpenAPI documents.

The documents are not ours to copy. They are read where ``UNICART_SPECS_DIR`` points, or beside the repository.
"""

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from connectors.bigcommerce import records
from connectors.bigcommerce.shop import START, Exchange, FakeBigCommerce, connected, pages
from unicart.contract.resources import Function
from unicart.contract.writes import AdjustmentType, InventoryAdjustment, LineRefund, NewRefund, NewShipment

BESIDE = Path(__file__).parents[4] / "shared" / "specs"
FOLDER = Path(os.environ.get("UNICART_SPECS_DIR", BESIDE)) / "bigcommerce"
DOCUMENTS = {
    "/v2/orders": "orders.v2.oas2.yml",
    "/v3/orders": "orders.v3.yml",
    "/v3/catalog": "products_catalog.v3.yml",
    "/v3/inventory/items": "inventory.v3.yml",
    "/v3/inventory/adjustments": "inventory.v3.yml",
    "/v3/inventory/locations": "locations.v3.yml",
    "/v3/hooks": "webhooks.v3.yml",
}
NOT_IN_THE_DOCUMENTS = {"/v2/store", "/v3/catalog/trees/categories"}
NOT_TAKEN = {"example", "examples", "nullable", "exclusiveMaximum", "exclusiveMinimum", "format", "minItems"}
TYPES: dict[str, type] = {"integer": int, "number": float}

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not (FOLDER / "orders.v2.oas2.yml").is_file(),
        reason="the vendor's documents are not in UNICART_SPECS_DIR or shared/specs beside the repository",
    ),
]


@cache
def document(name: str) -> dict[str, Any]:
    yaml: Any = pytest.importorskip("yaml")
    loaded: dict[str, Any] = as_json_schema(yaml.safe_load((FOLDER / name).read_text(encoding="utf-8")))
    return loaded


def as_json_schema(part: Any) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema.

    ``oneOf`` becomes ``anyOf``: the documents mean it so, several of their alternatives match any object. Formats are not
    checked, and neither are bounds that the documents write in another dialect's way, or that an empty list breaks.
    """
    if isinstance(part, list):
        return [as_json_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    made = {
        ("anyOf" if name == "oneOf" else name): as_json_schema(value)
        for name, value in part.items()
        if name not in NOT_TAKEN and not str(name).startswith("x-")
    }
    if part.get("nullable") is True and isinstance(part.get("type"), str):
        made["type"] = [part["type"], "null"]
        made.pop("enum", None)
    return made


def operation(exchange: Exchange) -> tuple[dict[str, Any], dict[str, Any]]:
    """The operation that an exchange is of, and the document that it is in."""
    name = next(name for start, name in DOCUMENTS.items() if exchange.path.startswith(start))
    whole = document(name)
    behind = exchange.path[len("/v2") :]
    for path in sorted(whole["paths"], key=lambda path: path.count("{")):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), behind):
            found: dict[str, Any] = whole["paths"][path]
            one = found[exchange.method.lower()]
            return {**one, "parameters": [*found.get("parameters", []), *one.get("parameters", [])]}, whole
    raise AssertionError(f"{exchange.path} is not in {name}")


def problems(exchange: Exchange) -> Iterator[str]:
    one, whole = operation(exchange)
    declared = [_followed(each, whole) for each in one["parameters"]]
    known = {each["name"]: each["schema"] for each in declared if each["in"] == "query"}
    for name, value in exchange.query.items():
        if name not in known:
            yield f"{exchange.path}: there is no parameter {name}"
        elif not all(_valid(each, known[name], whole) for each in _values(name, value, known[name], whole)):
            yield f"{exchange.path}: {name}={value} is not as documented"
    if exchange.sent is not None:
        content = _followed(one["requestBody"], whole)["content"]["application/json"]["schema"]
        yield from _errors(exchange.sent, content, whole)
    answer = _followed(one["responses"].get(str(exchange.status), {}), whole)
    if exchange.status in (200, 201) and "content" in answer:
        yield from _errors(exchange.body, answer["content"]["application/json"]["schema"], whole)


def _followed(part: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found: Any = whole
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def _values(name: str, text: str, schema: dict[str, Any], whole: dict[str, Any]) -> list[Any]:
    """The values of a parameter: many in one, divided by commas, or a field and its direction to sort by."""
    kind = _followed(schema, whole)
    kind = _followed(kind.get("items", kind), whole)
    many = name.endswith(":in") or "items" in _followed(schema, whole)
    parts = text.split(",") if many else [text.partition(":")[0] if name == "sort" else text]
    return [TYPES.get(kind.get("type", ""), str)(part) for part in parts]


def _valid(value: Any, schema: dict[str, Any], whole: dict[str, Any]) -> bool:
    kind = _followed(schema, whole)
    return not list(_errors(value, kind.get("items", kind), whole))


_validators: dict[str, jsonschema_rs.Draft7Validator] = {}


def _errors(body: Any, schema: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    key = json.dumps([whole["info"], schema])
    if key not in _validators:
        _validators[key] = jsonschema_rs.Draft7Validator({"allOf": [schema], "components": whole["components"]})
    for error in _validators[key].iter_errors(body):
        yield f"{'/'.join(map(str, error.instance_path))}: {error.message}"[:400]


@pytest.fixture
def shop() -> Iterator[FakeBigCommerce]:
    with FakeBigCommerce() as running:
        for number in range(130):
            running.place(at=START, status_id=number % 15, fees=[records.fee(1, "2")] if number == 7 else [])
        running.ship(103)
        running.place(parts=records.consignments())
        running.refund(105)
        for number in range(1, 120):
            running.stock_up(number)
        running.locations = {1: records.location(1, START)}
        yield running


async def test_requests_and_answers_are_as_bigcommerce_documents_them(shop: FakeBigCommerce) -> None:
    async with connected(shop) as connector:
        await connector.check()
        for function in Function:
            cursor = (await pages(connector, function, since=START - timedelta(days=1)))[-1].cursor
            shop.tick()
            shop.touch(100)
            await pages(connector, function, cursor=cursor)
            await pages(connector, function, since=START, until=START)
            await connector.fetch(function, ["1", "100", "101"])
        subscription = await connector.subscribe("https://unicart.example.com/inbound/1")
        await connector.subscribe("https://unicart.example.com/inbound/1")
        await connector.unsubscribe(subscription)
    asked = [each for each in shop.exchanges if each.path not in NOT_IN_THE_DOCUMENTS]
    assert len({each.path.rstrip("0123456789") for each in asked}) >= 8
    assert sorted({problem for exchange in asked for problem in problems(exchange)}) == []


async def test_writes_are_as_bigcommerce_documents_them(shop: FakeBigCommerce) -> None:
    lines = [records.line(1, "10", 2, tax="1", wrapping_cost_ex_tax="3.0000"), records.line(2, "4", address=52)]
    costs: dict[str, Any] = {
        "cost_ex_tax": 5,
        "cost_inc_tax": 5.5,
        "handling_cost_ex_tax": 1,
        "handling_cost_inc_tax": 1,
    }
    groups = [records.shipping(51, lines[:1], **costs), records.shipping(52, lines[1:])]
    parts = records.consignments(shipping=groups)
    id = shop.place(lines=lines, parts=parts, fees=[records.fee(3, "2")], shipping_cost="6", wrapping_cost="3")["id"]
    shop.stock_up(7)
    refunds = [
        NewRefund(line_items=[LineRefund(line_item_id="1", quantity=1, amount=Decimal("4.2"))], reason="Torn"),
        NewRefund(shipping_amount=Decimal("1.1")),
        NewRefund(),
    ]
    adjustments = [
        InventoryAdjustment(product_id="7-1007", quantity=2, adjustment_type=kind, warehouse_id="1", reason="Count")
        for kind in AdjustmentType
    ]
    tracking = {"tracking_number": "T1", "tracking_url": "https://carrier.example/T1", "carrier_name": "UPS"}
    shipment = NewShipment(**tracking, shipping_method_name="Ground", specific={"tracking_carrier": "ups"})  # type: ignore[arg-type]
    async with connected(shop) as connector:
        (order,) = await connector.fetch(Function.GET_ORDERS, [str(id)])
        await connector.create_shipment(order, shipment, "1" * 32)
        for number, refund in enumerate(refunds):
            (order,) = await connector.fetch(Function.GET_ORDERS, [str(id)])
            await connector.refund_order(order, refund, str(number) * 32)
        (product,) = await connector.fetch(Function.GET_PRODUCTS, ["7"])
        for adjustment in adjustments:
            await connector.adjust_inventory(product, adjustment, "5" * 32)
    written = [each for each in shop.exchanges if each.method != "GET"]
    assert sorted({problem for exchange in written for problem in problems(exchange)}) == []
    assert {each.path.rpartition("/")[2] for each in written} == {
        "shipments",
        "refund_quotes",
        "refunds",
        "relative",
        "absolute",
    }
    kinds = {item["item_type"] for each in written if each.path.endswith("/refunds") for item in each.sent["items"]}
    assert kinds == {"PRODUCT", "GIFT_WRAPPING", "FEE", "SHIPPING", "HANDLING", "ORDER"}


async def test_a_request_that_is_not_documented_would_be_found() -> None:
    odd = Exchange("GET", "/v2/orders", {"sort": "colour:asc", "shade": "1", "limit": "5"}, None, 200, [{"id": "1"}])
    found = "\n".join(problems(odd))
    assert "shade" in found
    assert "colour" in found
    assert "0/id" in found
    items = [{"location_id": 1, "quantity": 1.5}]
    wrong = Exchange("POST", "/v3/inventory/adjustments/relative", {}, {"reason": 1, "items": items}, 200, {})
    assert len(list(problems(wrong))) == 2


async def test_the_documents_name_every_status() -> None:
    text = json.dumps(document("orders.v2.oas2.yml"))
    for id, name in records.STATUSES.items():
        assert re.search(rf"\| {id} \| ?{name} ", text)
