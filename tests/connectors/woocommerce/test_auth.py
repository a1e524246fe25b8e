"""API keys of WooCommerce: signatures of OAuth 1.0a, and keys that a merchant grants."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from unicart.connectors.kit import BadAnswer, ConnectorError, HookRefused, PermissionMissing
from unicart.connectors.woocommerce import auth

CREDENTIALS = {"consumer_key": "ck_0123456789abcdef", "consumer_secret": "cs_fedcba9876543210"}
LIST = {
    "status": "any",
    "modified_after": "2026-01-01T00:00:00",
    "dates_are_gmt": "true",
    "orderby": "modified",
    "order": "asc",
    "per_page": "100",
}


@pytest.mark.parametrize(
    ("method", "url", "parameters", "signature"),
    [
        ("GET", "http://shop.example.com/wp-json/wc/v3/orders", LIST, "7IpTjD3MGNsF2u2McCvuE447XoNaqj2XPKSILSir7gY="),
        (
            "GET",
            "http://127.0.0.1:18080/shop/index.php",
            {"rest_route": "/wc/v3/orders", "include": "1,2,3", "status": "any"},
            "Xe334wISUfjanR25HYNcd381G/Cfpal/jfHbDNG/Uss=",
        ),
        (
            "delete",
            "http://Shop.example.com:80/wp-json/wc/v3/webhooks/7",
            {"force": "true"},
            "MwcKcADy75hD+Jt71bmzRQaWrD1GAv6NM4GM1tAuVWs=",
        ),
        (
            "GET",
            "http://shop.example.com/wp-json/wc/v3/products",
            {"search": "Tee & Größe +10% ~x"},
            "aa25JoFM7LGbV+zAWzRMBttujPaF6xy98kmFoemPlLQ=",
        ),
    ],
)
def test_requests_are_signed_as_oauthlib_signs_them(
    method: str, url: str, parameters: dict[str, str], signature: str
) -> None:
    """The signatures are those of oauthlib 3, which sends its version along."""
    sent = auth.signed(CREDENTIALS, method, url, {**parameters, "oauth_version": "1.0"}, "0a1b2c3d4e5f", 1795448440)
    assert sent == {
        **parameters,
        "oauth_version": "1.0",
        "oauth_consumer_key": "ck_0123456789abcdef",
        "oauth_nonce": "0a1b2c3d4e5f",
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": "1795448440",
        "oauth_signature": signature,
    }


def test_numbers_are_signed_as_they_are_sent() -> None:
    text = auth.signed(CREDENTIALS, "GET", "http://a.example/", {"per_page": "5"}, "n", 1)
    assert auth.signed(CREDENTIALS, "GET", "http://a.example/", {"per_page": 5}, "n", 1) == text


def test_key_and_secret_are_user_name_and_password() -> None:
    headers = auth.basic({"consumer_key": "ck_1", "consumer_secret": "cs_2"})
    assert headers == {"authorization": "Basic Y2tfMTpjc18y"}


def test_the_merchant_is_sent_to_the_shop_s_own_page() -> None:
    url = auth.authorization_url(
        "https://example.com/shop/",
        app_name="Unicart & Co",
        user_id="s3cret",
        return_url="https://unicart.example/done?x=1",
        callback_url="https://unicart.example/callback",
    )
    parts = urlsplit(url)
    assert (parts.netloc, parts.path) == ("example.com", "/shop/wc-auth/v1/authorize")
    assert parse_qs(parts.query) == {
        "app_name": ["Unicart & Co"],
        "scope": ["read_write"],
        "user_id": ["s3cret"],
        "return_url": ["https://unicart.example/done?x=1"],
        "callback_url": ["https://unicart.example/callback"],
    }


def grant(**changes: object) -> bytes:
    body = {"key_id": 1, "user_id": "s3cret", "consumer_key": "ck_1", "consumer_secret": "cs_1"}
    return json.dumps({**body, "key_permissions": "read_write", **changes}).encode()


def test_a_granted_key_is_taken() -> None:
    assert auth.granted(grant(), "s3cret") == {"consumer_key": "ck_1", "consumer_secret": "cs_1"}
    assert auth.granted(grant(user_id=123), "123")


@pytest.mark.parametrize(
    ("body", "user_id", "kind"),
    [
        (grant(user_id="other"), "s3cret", HookRefused),
        (grant(user_id=""), "", HookRefused),
        (grant(key_permissions="write"), "s3cret", PermissionMissing),
        (b"{}", "s3cret", BadAnswer),
        (b"consumer_key=ck_1", "s3cret", BadAnswer),
        (b"\xff", "s3cret", BadAnswer),
    ],
)
def test_other_keys_are_not(body: bytes, user_id: str, kind: type[ConnectorError]) -> None:
    with pytest.raises(kind):
        auth.granted(body, user_id)


@pytest.mark.parametrize(
    ("query", "approved"),
    [
        ({"success": "1", "user_id": "s3cret"}, True),
        ({"success": "0", "user_id": "s3cret"}, False),
        ({"success": "1", "user_id": "other"}, False),
        ({"success": "1"}, False),
        ({}, False),
    ],
)
def test_who_comes_back_has_approved_or_not(query: dict[str, str], approved: bool) -> None:
    assert auth.was_approved(query, "s3cret") is approved
    assert not auth.was_approved({**query, "user_id": ""}, "")
