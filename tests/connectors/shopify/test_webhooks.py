"""Shopify's webhooks: which are believed, and what they say. And its callbacks of an install."""

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from unicart.connectors.kit import Hint, Hook, HookRefused
from unicart.connectors.shopify import auth
from unicart.connectors.shopify.client import ShopifyConnector
from unicart.connectors.shopify.webhooks import SHIPPING_TOPICS, TOPICS
from unicart.contract.resources import Function

SECRET = "hush"
BODY = b'{"id": 820982911946154508, "total_price": "254.98"}'


def signed(body: bytes = BODY, secret: str = SECRET, topic: str = "orders/updated") -> Hook:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    headers = {"x-shopify-topic": topic, "x-shopify-hmac-sha256": base64.b64encode(digest).decode()}
    return Hook(headers=headers, body=body)


def verify(hook: Hook, **credentials: str) -> None:
    ShopifyConnector.verify_hook(credentials or {"api_secret": SECRET}, {"url": "https://x"}, hook)


def test_a_signed_webhook_is_believed() -> None:
    verify(signed())


def test_a_known_signature_is_believed() -> None:
    """HMAC-SHA256 of nothing with the key "key", which is 5d5d1395…07d0."""
    verify(
        Hook(headers={"x-shopify-hmac-sha256": "XV0TlWPJW1lnub2ajJsjOp3ttFByeUzSMtwbdIMmB9A="}, body=b""),
        api_secret="key",
    )


@pytest.mark.parametrize(
    "hook",
    [
        msgspec.structs.replace(signed(), body=BODY + b" "),
        msgspec.structs.replace(signed(), headers={}),
        msgspec.structs.replace(signed(), headers={"x-shopify-hmac-sha256": "päßword"}),
        msgspec.structs.replace(
            signed(), headers={"x-shopify-hmac-sha256": hmac.new(b"hush", BODY, "sha256").hexdigest()}
        ),
        signed(secret="another"),
    ],
    ids=["body", "no signature", "not ascii", "hexadecimal", "another secret"],
)
def test_a_webhook_that_was_tampered_with_is_refused(hook: Hook) -> None:
    with pytest.raises(HookRefused):
        verify(hook)


def test_nothing_is_believed_without_the_client_secret() -> None:
    with pytest.raises(HookRefused, match="api_secret"):
        verify(signed(secret=""), shop="x", api_secret="")


def hints(topic: str, body: Any) -> list[Hint]:
    return list(ShopifyConnector.read_hook(signed(json.dumps(body).encode(), topic=topic)))


@pytest.mark.parametrize(
    ("topic", "body", "function", "id"),
    [
        ("orders/create", {"id": 7, "line_items": []}, Function.GET_ORDERS, "7"),
        ("orders/updated", {"id": 7}, Function.GET_ORDERS, "7"),
        ("orders/cancelled", {"id": 7}, Function.GET_ORDERS, "7"),
        ("orders/delete", {"id": 7}, Function.GET_ORDERS, "7"),
        ("orders/edited", {"order_edit": {"id": 1, "order_id": 7}}, Function.GET_ORDERS, "7"),
        ("fulfillments/create", {"id": 1, "order_id": 7}, Function.GET_ORDERS, "7"),
        ("fulfillments/update", {"id": 1, "order_id": 7}, Function.GET_ORDERS, "7"),
        ("fulfillment_events/create", {"id": 1, "fulfillment_id": 2, "order_id": 7}, Function.GET_ORDERS, "7"),
        ("refunds/create", {"id": 1, "order_id": 7}, Function.GET_ORDERS, "7"),
        ("products/update", {"id": 8}, Function.GET_PRODUCTS, "8"),
        ("products/delete", {"id": 8}, Function.GET_PRODUCTS, "8"),
        ("inventory_levels/update", {"inventory_item_id": 9}, Function.GET_PRODUCTS, "inventory-item-9"),
        ("locations/update", {"id": 10}, Function.GET_WAREHOUSES, "10"),
        ("locations/deactivate", {"id": 10}, Function.GET_WAREHOUSES, "10"),
    ],
)
def test_webhooks_name_the_record(topic: str, body: Any, function: Function, id: str) -> None:
    assert hints(topic, body) == [Hint(function=function, id=id)]


def test_every_topic_that_is_subscribed_to_is_understood() -> None:
    body = {"id": 1, "order_id": 1, "inventory_item_id": 1, "order_edit": {"order_id": 1}}
    for topic in TOPICS + SHIPPING_TOPICS:
        kind, _, change = topic.lower().rpartition("_")
        assert len(hints(f"{kind}/{change}", body)) == 1, topic


def test_webhooks_about_other_things_say_nothing() -> None:
    assert hints("app/uninstalled", {"id": 1}) == []
    assert hints("customers/update", {"id": 1}) == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": null}', b"\xff"])
def test_what_is_no_webhook_is_no_failure_of_ours(body: bytes) -> None:
    with pytest.raises((msgspec.ValidationError, ValueError)):
        ShopifyConnector.read_hook(signed(body))


def callback(secret: str = SECRET, **changes: str) -> dict[str, str]:
    """What a merchant brings back from Shopify: signed as its libraries sign it, over the encoded pairs by name."""
    query = {
        "code": "c0de",
        "shop": "söme-shop.myshopify.com".replace("ö", "o"),
        "state": "n0nce",
        "timestamp": "1337178173",
    }
    query |= {"host": "YWRtaW4uc2hvcGlmeS5jb20vc3RvcmUveA=="} | changes
    text = "&".join(f"{name}={value.replace('=', '%3D')}" for name, value in sorted(query.items()))
    return query | {"hmac": hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}


def test_a_callback_of_shopify_tells_the_shop() -> None:
    assert auth.verify_callback(callback(), SECRET, "n0nce") == "some-shop.myshopify.com"


@pytest.mark.parametrize(
    "query",
    [
        callback() | {"shop": "other.myshopify.com"},
        callback() | {"code": "another"},
        callback(secret="another"),
        callback(state="other"),
        callback(shop="evil.example/.myshopify.com"),
        callback(shop="evil.example"),
        {name: value for name, value in callback().items() if name != "hmac"},
        {},
    ],
    ids=["shop", "code", "secret", "state", "path in shop", "no shop of Shopify", "no hmac", "empty"],
)
def test_a_callback_that_was_tampered_with_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(HookRefused):
        auth.verify_callback(query, SECRET, "n0nce")


@pytest.mark.parametrize("state", ["", "n0nce"])
def test_a_callback_without_state_or_secret_is_refused(state: str) -> None:
    with pytest.raises(HookRefused):
        auth.verify_callback(callback(secret="", state=state), "" if state else SECRET, state)


def test_the_merchant_is_sent_to_the_shop() -> None:
    url = urlsplit(auth.authorize_url("Some-Shop", "id", "https://unicart.example/callback?x=1", "n0nce"))
    assert (url.scheme, url.netloc, url.path) == ("https", "some-shop.myshopify.com", "/admin/oauth/authorize")
    query = dict(parse_qsl(url.query))
    assert query["redirect_uri"] == "https://unicart.example/callback?x=1"
    assert query["state"] == "n0nce"
    assert auth.missing_scopes(query["scope"].split(",")) == []


@pytest.mark.parametrize("shop", ["", "evil.example", "a.myshopify.com.evil.example", "a.myshopify.com/x", "-a"])
def test_nobody_is_sent_anywhere_else(shop: str) -> None:
    with pytest.raises(ValueError, match="shop"):
        auth.authorize_url(shop, "id", "https://unicart.example", "n0nce")


def test_a_scope_that_writes_includes_the_one_that_reads() -> None:
    granted = [
        "write_orders",
        "write_products",
        "read_inventory",
        "read_locations",
        "write_assigned_fulfillment_orders",
    ]
    assert auth.missing_scopes(granted) == []
    assert auth.missing_scopes(granted[1:-1]) == ["read_orders", "read_merchant_managed_fulfillment_orders"]


@pytest.mark.parametrize(
    ("shop", "url"),
    [
        ("example", "https://example.myshopify.com"),
        (" example.myshopify.com/ ", "https://example.myshopify.com"),
        ("https://example.myshopify.com/", "https://example.myshopify.com"),
        ("", ""),
    ],
)
def test_a_shop_may_be_named_in_several_ways(shop: str, url: str) -> None:
    assert auth.shop_url(shop) == url
