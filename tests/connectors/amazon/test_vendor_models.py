"""Amazon's own models: its sandbox orders are mapped, and what our builders make is what it documents."""

import json
from decimal import Decimal
from typing import Any

import pytest

from connectors.amazon import models
from connectors.amazon.test_conformance import TestAmazon as Conformance
from unicart.connectors.amazon import client, mapping
from unicart.contract.orders import OrderStatus, ShipmentStatus, unreconciled
from unicart.contract.resources import Function

pytestmark = pytest.mark.skipif(
    not models.at_hand(), reason="Amazon's models are not in UNICART_SPECS_DIR or beside us"
)


def sandbox_orders() -> list[dict[str, Any]]:
    """The orders of the vendor's sandbox, each once."""
    found = [each for _, body in models.examples("searchOrders") for each in body["orders"]]
    found += [body["order"] for _, body in models.examples("getOrder")]
    return list({each["orderId"]: each for each in found}.values())


def test_sandbox_orders_are_mapped_and_add_up() -> None:
    found = sandbox_orders()
    assert len(found) >= 5
    for raw in found:
        order = mapping.order(json.dumps(raw).encode())
        assert order.status is not OrderStatus.OTHER
        assert order.total_price is not None
        assert unreconciled(order) == 0, raw["orderId"]


def test_every_status_of_the_models_is_mapped() -> None:
    definitions = models.model(models.ORDERS)["definitions"]
    assert set(mapping.STATUSES) == set(definitions["FulfillmentStatus"]["enum"])
    assert set(mapping.PACKAGE_STATUSES) == set(definitions["PackageStatus"]["properties"]["status"]["enum"])
    assert ShipmentStatus.OTHER not in mapping.PACKAGE_STATUSES.values()


def test_what_is_asked_for_is_all_that_there_is() -> None:
    parameters = {each["name"]: each for each in models.operation("searchOrders")["parameters"]}
    assert set(client.OPEN_DATA + client.RESTRICTED_DATA) == set(parameters["includedData"]["items"]["enum"])


@pytest.mark.parametrize("operation", [*models.ANSWERS, "confirmShipment"])
def test_usage_plans_are_the_documented_ones(operation: str) -> None:
    row = models.operation(operation)["description"].split("| ---- | ---- |")[1].split("|")
    assert client.RATES[operation] == Decimal(row[1].strip())


@pytest.mark.parametrize(
    ("function", "operation"),
    [(Function.GET_ORDERS, "searchOrders"), (Function.GET_PRODUCTS, "searchListingsItems")],
)
def test_fixtures_are_what_amazon_documents(function: Function, operation: str) -> None:
    fixture = Conformance().fixture(function)
    models.check_answer(operation, fixture.response.body)


def test_sandbox_listings_are_mapped() -> None:
    bodies = [body for _, body in models.examples("searchListingsItems")]
    found = [each for body in bodies for each in body["items"]]
    assert found
    for raw in found:
        (product,) = mapping.products(json.dumps(raw).encode())
        assert product.id == raw["sku"]
