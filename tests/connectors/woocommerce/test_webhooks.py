"""Webhooks of WooCommerce: which are believed, and what they say."""

import json
from typing import Any

import msgspec
import pytest

from connectors.woocommerce.shop import fixture
from unicart.connectors.kit import Hint, Hook, HookRefused
from unicart.connectors.woocommerce.client import WooCommerceConnector
from unicart.connectors.woocommerce.webhooks import signature
from unicart.contract.orders import Order
from unicart.contract.resources import Function

SECRET = "whsec-local-test"
SUBSCRIPTION = {"secret": SECRET, "path": "0f1e2d3c", "ids": "7,8"}
RECORDED = b'{"id":304}'
"""The body of an ``order.deleted`` that a real WooCommerce 11.0 sent, and its signature."""
RECORDED_SIGNATURE = "KUT0Cr5rxBLLUclvVoBv6KjULtpjmjXe6E8f2rErFKU="
PING = Hook(headers={"content-type": "application/x-www-form-urlencoded"}, body=b"webhook_id=7", path="0f1e2d3c")


def hook(body: bytes = RECORDED, resource: str = "order", signed: str | None = None) -> Hook:
    headers = {"x-wc-webhook-resource": resource, "x-wc-webhook-signature": signed or signature(SECRET, body)}
    return Hook(headers=headers, body=body, path="0f1e2d3c")


def verify(given: Hook, subscription: dict[str, str] = SUBSCRIPTION) -> None:
    WooCommerceConnector.verify_hook({}, subscription, given)


def test_a_recorded_webhook_is_believed() -> None:
    verify(hook(signed=RECORDED_SIGNATURE))


def test_the_ping_is_known_by_its_url() -> None:
    verify(PING)
    assert WooCommerceConnector.read_hook(PING) == []


@pytest.mark.parametrize(
    "given",
    [
        msgspec.structs.replace(hook(), body=b'{"id":305}'),
        msgspec.structs.replace(hook(), headers={}),
        hook(signed="x"),
        hook(signed=RECORDED_SIGNATURE.lower()),
        hook(signed="päßword"),
        msgspec.structs.replace(PING, path=""),
        msgspec.structs.replace(PING, path="0f1e2d3d"),
        msgspec.structs.replace(PING, body=b"webhook_id=7&id=1"),
        msgspec.structs.replace(PING, body=b'{"id":1}'),
        msgspec.structs.replace(PING, headers={"x-wc-webhook-signature": ""}),
    ],
)
def test_what_another_sent_is_refused(given: Hook) -> None:
    with pytest.raises(HookRefused):
        verify(given)


@pytest.mark.parametrize("subscription", [{}, {"secret": "", "path": ""}, {"ids": "7"}], ids=str)
def test_nothing_is_believed_without_a_secret(subscription: dict[str, str]) -> None:
    for given in (hook(), PING, msgspec.structs.replace(PING, path=""), hook(signed=signature("", RECORDED))):
        with pytest.raises(HookRefused):
            verify(given, subscription)


def hints(body: Any, resource: str = "order") -> list[Hint]:
    return list(WooCommerceConnector.read_hook(hook(json.dumps(body).encode(), resource)))


def test_an_order_without_refunds_is_carried_whole() -> None:
    order = next(each["order"] for each in fixture("get_orders") if not each["refunds"])
    (hint,) = hints(order)
    assert (hint.function, hint.id) == (Function.GET_ORDERS, str(order["id"]))
    assert hint.raw is not None
    (mapped,) = WooCommerceConnector.map(Function.GET_ORDERS, hint.raw)
    assert isinstance(mapped, Order)
    assert mapped.order_number == order["number"]


def test_a_cart_is_only_named() -> None:
    order = next(each["order"] for each in fixture("get_orders") if not each["refunds"])
    assert hints({**order, "status": "checkout-draft"}) == [Hint(function=Function.GET_ORDERS, id=str(order["id"]))]


def test_an_order_with_refunds_is_only_named() -> None:
    order = next(each["order"] for each in fixture("get_orders") if each["refunds"])
    assert hints(order) == [Hint(function=Function.GET_ORDERS, id=str(order["id"]))]


def test_an_order_with_fulfillments_is_only_named() -> None:
    order = next(each["order"] for each in fixture("get_orders") if not each["refunds"])
    meta = [*order["meta_data"], {"id": 1, "key": "_fulfillment_status", "value": "fulfilled"}]
    assert [hint.raw for hint in hints(order | {"meta_data": meta})] == [None]


def test_deleted_orders_products_and_variations_are_only_named() -> None:
    assert hints({"id": 304}) == hints({"id": "304"}) == [Hint(function=Function.GET_ORDERS, id="304")]
    assert hints({"id": 23}, "product") == [Hint(function=Function.GET_PRODUCTS, id="23")]
    product = fixture("get_products")[0]["product"]
    assert hints(product, "product") == [Hint(function=Function.GET_PRODUCTS, id=str(product["id"]))]


def test_the_error_in_place_of_a_record_that_is_gone_says_nothing() -> None:
    gone = {"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.", "data": {"status": 404}}
    assert hints(gone) == []


def test_webhooks_about_other_things_say_nothing() -> None:
    assert hints({"id": 1}, "customer") == []
    assert hints({"id": 0}) == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"id": "one"}', b'{"id": ""}', b"\xff"])
def test_what_is_no_webhook_is_no_failure_of_ours(body: bytes) -> None:
    with pytest.raises((msgspec.ValidationError, ValueError)):
        WooCommerceConnector.read_hook(hook(body))
