"""Webhooks of BigCommerce: which are believed, and what they say."""

import json
from typing import Any

import msgspec
import pytest

from unicart.connectors.bigcommerce.client import BigCommerceConnector
from unicart.connectors.kit import BadAnswer, Hint, Hook, HookRefused
from unicart.contract.resources import Function

SECRET = "s3cret"
ORDERS, PRODUCTS, WAREHOUSES = Function.GET_ORDERS, Function.GET_PRODUCTS, Function.GET_WAREHOUSES


def hook(scope: str = "store/order/updated", data: Any = None, **headers: str) -> Hook:
    body = {
        "store_id": "11111",
        "producer": "stores/abc123",
        "scope": scope,
        "data": data if data is not None else {"type": "order", "id": 250},
        "hash": "3f9ea420af83450d7ef9f78b08c8af25b2213637",
        "created_at": 1561479335,
    }
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Hook(headers=given, body=json.dumps(body).encode())


def test_a_webhook_with_the_secret_of_its_subscription_is_believed() -> None:
    BigCommerceConnector.verify_hook({}, {"secret": SECRET}, hook(x_unicart_secret=SECRET))


@pytest.mark.parametrize(
    ("subscription", "headers"),
    [
        ({"secret": SECRET}, {}),
        ({"secret": SECRET}, {"x_unicart_secret": ""}),
        ({"secret": SECRET}, {"x_unicart_secret": "S3CRET"}),
        ({"secret": SECRET}, {"x_unicart_secret": "päßword"}),
        ({"secret": SECRET}, {"x_secret": SECRET}),
        ({"secret": ""}, {"x_unicart_secret": ""}),
        ({}, {"x_unicart_secret": SECRET}),
    ],
)
def test_any_other_is_refused(subscription: dict[str, str], headers: dict[str, str]) -> None:
    with pytest.raises(HookRefused):
        BigCommerceConnector.verify_hook({}, subscription, hook(**headers))


@pytest.mark.parametrize(
    ("scope", "data", "told"),
    [
        ("store/order/created", {"type": "order", "id": 250}, [(ORDERS, "250")]),
        ("store/order/archived", {"type": "order", "id": 250}, [(ORDERS, "250")]),
        (
            "store/order/statusUpdated",
            {"type": "order", "id": 250, "status": {"previous_status_id": 0, "new_status_id": 11}},
            [(ORDERS, "250")],
        ),
        ("store/order/refund/created", {"type": "order", "id": 250, "refund": {"refund_id": 3}}, [(ORDERS, "250")]),
        (
            "store/order/transaction/updated",
            {"type": "transaction", "order_id": "250", "transaction_id": "17", "transaction_type": "capture"},
            [(ORDERS, "250")],
        ),
        ("store/order/metafield/created", {"metafield_id": 9, "resource_id": "250"}, []),
        ("store/shipment/created", {"type": "shipment", "id": 12, "orderId": 251}, [(ORDERS, "251")]),
        ("store/product/updated", {"type": "product", "id": 205}, [(PRODUCTS, "205")]),
        (
            "store/product/inventory/updated",
            {"type": "product", "id": 167, "inventory": {"product_id": 167, "method": "absolute", "value": 5}},
            [(PRODUCTS, "167")],
        ),
        ("store/product/metafield/created", {"metafield_id": 9, "resource_id": "205", "resource_type": "product"}, []),
        (
            "store/sku/updated",
            {"type": "sku", "id": 461, "sku": {"product_id": 206, "variant_id": 509}},
            [(PRODUCTS, "206")],
        ),
        (
            "store/sku/deleted",
            {"type": "sku", "id": 461, "sku": {"product_id": 206, "variant_id": 509}},
            [(PRODUCTS, "206"), (PRODUCTS, "206-509")],
        ),
        (
            "store/sku/inventory/updated",
            {"type": "sku", "id": 461, "inventory": {"product_id": 206, "variant_id": 509, "value": 5}},
            [(PRODUCTS, "206")],
        ),
        (
            "store/channel/*/inventory/product/stock_changed",
            {"variant_id": 127, "product_id": 113, "location_id": 2},
            [(PRODUCTS, "113")],
        ),
        (
            "store/channel/*/inventory/product/settings_changed",
            {"variant_id": 127, "product_id": 113, "location_id": 2},
            [(PRODUCTS, "113")],
        ),
        ("store/inventory/location/created", {"location_id": 2}, [(WAREHOUSES, "2")]),
        ("store/cart/updated", {"type": "cart", "id": "09346904"}, []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_webhook_names_what_changed(scope: str, data: dict[str, Any], told: list[tuple[Function, str]]) -> None:
    expected = [Hint(function=function, id=id) for function, id in told]
    assert list(BigCommerceConnector.read_hook(hook(scope, data))) == expected


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"scope": "store/order/updated"}', b'{"scope": 1, "data": {}}', b"\xff"]
)
def test_what_is_no_webhook_is_no_failure_of_ours(body: bytes) -> None:
    with pytest.raises((msgspec.ValidationError, ValueError)):
        BigCommerceConnector.read_hook(Hook(headers={}, body=body))


def test_a_webhook_that_names_nothing_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer):
        BigCommerceConnector.read_hook(hook("store/shipment/created", {"type": "shipment", "id": 12}))
