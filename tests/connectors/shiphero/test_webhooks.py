"""Registering for ShipHero's webhooks, and reading them. Bodies are shaped as the vendor's pages show them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.shiphero import records
from connectors.shiphero.shop import Shop, connected, open_shop
from unicart.connectors.kit import Hint, Hook, HookRefused, RequestRefused
from unicart.connectors.shiphero.client import ShipHeroConnector
from unicart.connectors.shiphero.webhooks import NAMES
from unicart.contract.resources import Function

URL = "https://unicart.example/hooks/abc"
ORDER, SHIPMENT = records.uuid("Order", 389118717), records.uuid("Shipment", 315518042)
CANCELED = {
    "webhook_type": "Order Canceled",
    "order_id": 389118717,
    "order_uuid": ORDER,
    "fulfillment-status": "canceled",
}
SHIPPED = {
    "test": "0",
    "webhook_type": "Shipment Update",
    "fulfillment": {"shipment_id": 315518042, "shipment_uuid": SHIPMENT, "order_number": "1"},
}
STOCK = {
    "account_id": 7556,
    "webhook_type": "Inventory Update",
    "inventory": [{"sku": "A 1", "inventory": "37"}, {"sku": "B"}, {"sku": "A 1"}, {"sku": None}],
}
PRODUCT = {
    "account_id": 63898,
    "webhook_type": "Product Update",
    "product": [{"name": "Shirt", "sku": "SHIRT-M", "kit": False, "dimensions": {"weight": 8.5}}, {"sku": None}],
}


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened


def hook(body: Any, headers: dict[str, str] | None = None) -> Hook:
    return Hook(headers=headers or {}, body=json.dumps(body).encode())


@pytest.mark.anyio
async def test_subscribing_registers_each_kind_once(shop: Shop) -> None:
    foreign = {"name": "Shipment Update", "url": "https://other.example", "shop_name": "other"}
    shop.hooks = [foreign, {"name": "PO Update", "url": URL, "shop_name": "by hand"}]
    async with connected(shop) as connector:
        for _ in range(2):
            subscription = await connector.subscribe(URL)
            assert sorted(each["name"] for each in shop.hooks if each is not foreign) == sorted(NAMES)
            assert {each["url"] for each in shop.hooks if each is not foreign} == {URL}
        for name in NAMES:
            body = {"webhook_type": name}
            ShipHeroConnector.verify_hook({}, subscription, hook(body, shop.sign(name, json.dumps(body).encode())))
        for _ in range(2):
            await connector.unsubscribe(subscription)
            assert shop.hooks == [foreign]


@pytest.mark.anyio
async def test_a_client_of_a_3pl_is_subscribed_for(shop: Shop) -> None:
    async with connected(shop, {"customer_account_id": records.CLIENT}) as connector:
        await connector.subscribe(URL)
    assert {each["customer_account_id"] for each in shop.hooks} == {records.CLIENT}


@pytest.mark.anyio
async def test_a_subscription_that_fails_leaves_nothing_behind(shop: Shop) -> None:
    def refuse() -> None:
        if len(shop.hooks) == 3 and not shop.scripted:
            shop.after_request = lambda: None
            shop.scripted.append((200, {}, b'{"errors": [{"message": "Not allowed", "code": 4}], "data": null}'))

    shop.after_request = refuse
    async with connected(shop) as connector:
        with pytest.raises(RequestRefused, match="Not allowed"):
            await connector.subscribe(URL)
    assert shop.hooks == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-shiphero-hmac-sha256": ""},
        {"x-shiphero-hmac-sha256": "bm8="},
        {"x-shiphero-hmac-sha256": "ümlaut"},
    ],
)
def test_a_webhook_that_is_not_signed_right_is_refused(headers: dict[str, str]) -> None:
    subscription, given = {"shop_name": "s", "secret:Order Canceled": "right"}, hook(CANCELED, headers)
    with pytest.raises(HookRefused):
        ShipHeroConnector.verify_hook({}, subscription, given)


def test_a_signature_is_of_the_very_body() -> None:
    """The digest was made with `openssl dgst -sha256 -hmac secret -binary | base64`."""
    headers = {"x-shiphero-hmac-sha256": "qp4uNXX11wmLbKzNeQiIw21f22M0KnO62i1qUXR6hJQ="}
    subscription = {"secret:Order Canceled": "other", "secret:Shipment Update": "secret"}
    ShipHeroConnector.verify_hook({}, subscription, Hook(headers=headers, body=b'{"a":1}'))
    changed = Hook(headers=headers, body=b'{"a": 1}')
    with pytest.raises(HookRefused):
        ShipHeroConnector.verify_hook({}, subscription, changed)


@pytest.mark.parametrize(
    ("body", "hints"),
    [
        (CANCELED, [Hint(function=Function.GET_ORDERS, id=ORDER)]),
        ({**CANCELED, "webhook_type": "Order Allocated"}, [Hint(function=Function.GET_ORDERS, id=ORDER)]),
        ({**CANCELED, "webhook_type": "Order Deallocated"}, [Hint(function=Function.GET_ORDERS, id=ORDER)]),
        ({**CANCELED, "webhook_type": "Order Packed Out"}, [Hint(function=Function.GET_ORDERS, id=ORDER)]),
        (SHIPPED, [Hint(function=Function.GET_ORDERS, id=SHIPMENT)]),
        ({**SHIPPED, "order_uuid": ORDER}, [Hint(function=Function.GET_ORDERS, id=ORDER)]),
        (
            STOCK,
            [Hint(function=Function.GET_PRODUCTS, id="sku:A 1"), Hint(function=Function.GET_PRODUCTS, id="sku:B")],
        ),
        (PRODUCT, [Hint(function=Function.GET_PRODUCTS, id="sku:SHIRT-M")]),
        ({"webhook_type": "Product Update", "product": None}, []),
        ({"webhook_type": "PO Update", "purchase_order": {}}, []),
        ({"webhook_type": "Order Canceled"}, []),
    ],
)
def test_what_a_webhook_says(body: dict[str, Any], hints: list[Hint]) -> None:
    assert list(ShipHeroConnector.read_hook(hook(body))) == hints
