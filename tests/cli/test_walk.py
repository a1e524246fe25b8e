"""The whole demo shop over HTTP: every order once, as the OpenAPI document says, with figures that add up."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx2
import jsonschema_rs
import msgspec
import pytest

from product import demo
from unicart.api.openapi import document
from unicart.connectors.sandbox.generator import RATES
from unicart.contract.orders import OrderStatus

NDJSON = {"accept": "application/x-ndjson"}
ORDERS = 2500
money = msgspec.json.Decoder(float_hook=Decimal)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with demo(tmp_path_factory.mktemp("walk") / "data", "--no-rate-limit") as access:
        headers = {"x-trackstar-api-key": access["api_key"], "x-trackstar-access-token": access["access_token"]}
        with httpx2.Client(base_url=access["base_url"], headers=headers, timeout=60) as opened:
            yield opened


@pytest.fixture(scope="module")
def orders(client: httpx2.Client) -> list[dict[str, Any]]:
    return walk(client, "/cart/orders", 333)


def walk(client: httpx2.Client, path: str, limit: int) -> list[dict[str, Any]]:
    """All records of a list, by following ``next_token``."""
    found: list[dict[str, Any]] = []
    parameters: dict[str, Any] = {"limit": limit}
    while True:
        page = money.decode(client.get(path, params=parameters).content)
        assert page["total_count"] == len(page["data"])
        found += page["data"]
        if page["next_token"] is None:
            return found
        assert len(page["data"]) == limit
        parameters["page_token"] = page["next_token"]


@pytest.mark.parametrize(
    ("path", "schema"),
    [("/cart/orders", "CartOrder"), ("/cart/products", "CartProduct"), ("/cart/warehouses", "CartWarehouse")],
)
def test_walk_stream_and_single_records_agree_and_match_the_document(
    client: httpx2.Client, path: str, schema: str
) -> None:
    walked = walk(client, path, 97)
    assert len({record["id"] for record in walked}) == len(walked) > 0
    lines = client.get(path, headers=NDJSON).content.splitlines()
    assert [money.decode(line) for line in lines] == walked
    validator = jsonschema_rs.validator_for({**document(), "$ref": f"#/components/schemas/{schema}"})
    for line in lines:
        validator.validate(msgspec.json.decode(line))
    for record in walked[:: max(len(walked) // 20, 1)]:
        assert money.decode(client.get(f"{path}/{record['id']}").content)["data"] == record


def test_the_shop_has_everything_that_shops_have(orders: list[dict[str, Any]]) -> None:
    assert len(orders) == ORDERS
    assert {order["status"] for order in orders} == {status.value for status in OrderStatus}
    assert {order["invoice_currency_code"] for order in orders} == set(RATES)
    customers = Counter(order["warehouse_customer_id"] for order in orders)
    assert customers[None] > 0
    assert len(customers) > 2


def test_money_adds_up_to_the_cent_over_the_wire(orders: list[dict[str, Any]]) -> None:
    for order in orders:
        goods = sum((Decimal(line["unit_price"]) * line["quantity"] for line in order["line_items"]), Decimal(0))
        total = goods - order["total_discount"] + order["total_tax"] + order["total_shipping"]
        assert total == order["total_price"], order["id"]
        for name in ("total_discount", "total_tax"):
            assert sum((Decimal(line[name]) for line in order["line_items"]), Decimal(0)) == order[name], order["id"]


@pytest.mark.parametrize("status", list(OrderStatus))
def test_stream_honours_filters(client: httpx2.Client, orders: list[dict[str, Any]], status: OrderStatus) -> None:
    lines = client.get("/cart/orders", params={"status": status.value}, headers=NDJSON).content.splitlines()
    assert [money.decode(line)["id"] for line in lines] == [o["id"] for o in orders if o["status"] == status]
