"""Installing the app: the callback, the code that is exchanged for a token, and who opens the app later."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from unicart.connectors.bigcommerce import auth
from unicart.connectors.kit import BadAnswer, CredentialsRejected, PermissionMissing

SECRET = "secret"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCOPE = "store_v2_orders store_v2_products_read_only store_v2_information_read_only store_inventory store_locations"
CALLBACK = {"code": "qr6h3thvbvag2ffq", "scope": SCOPE, "context": "stores/abc123", "account_uuid": "1234"}
CLAIMS = {
    "aud": "client",
    "iss": "bc",
    "iat": int(NOW.timestamp()),
    "nbf": int(NOW.timestamp()) - 5,
    "exp": int(NOW.timestamp()) + 86400,
    "jti": "c5f0bcf5",
    "sub": "stores/abc123",
    "user": {"id": 1, "email": "jane@example.com"},
}


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(claims: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256") -> str:
    head = encoded(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    content = f"{head}.{encoded(json.dumps(claims).encode())}"
    return f"{content}.{encoded(hmac.new(secret.encode(), content.encode(), hashlib.sha256).digest())}"


def test_the_app_is_installed_from_its_own_page() -> None:
    assert auth.install_url("client") == "https://login.bigcommerce.com/app/client/install"


def test_a_code_is_exchanged_for_the_credentials_of_the_store() -> None:
    callback = auth.read_callback(CALLBACK)
    assert auth.token_request(callback, "client", "secret", "https://unicart.example.com/auth") == {
        "client_id": "client",
        "client_secret": "secret",
        "code": "qr6h3thvbvag2ffq",
        "scope": SCOPE,
        "context": "stores/abc123",
        "grant_type": "authorization_code",
        "redirect_uri": "https://unicart.example.com/auth",
    }
    answer = {"access_token": "t0ken", "scope": SCOPE, "context": "stores/abc123", "user": {"id": 1}}
    grant = auth.read_grant(json.dumps(answer).encode(), callback)
    assert grant.credentials() == {"store_hash": "abc123", "access_token": "t0ken"}


@pytest.mark.parametrize("context", ["", "abc123", "stores/", "stores/abc123/v2", "stores/../x"])
def test_a_callback_without_a_store_is_refused(context: str) -> None:
    with pytest.raises(BadAnswer, match="context"):
        auth.read_callback({**CALLBACK, "context": context})


def test_a_callback_without_a_code_is_refused() -> None:
    with pytest.raises(BadAnswer, match="code"):
        auth.read_callback({**CALLBACK, "code": ""})


def test_scopes_that_are_missing_are_named() -> None:
    with pytest.raises(PermissionMissing, match="store_inventory_read_only, store_locations_read_only"):
        auth.read_callback({**CALLBACK, "scope": SCOPE.partition(" store_inventory")[0]})


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<html>", b'{"access_token": "t", "scope": "", "context": "stores/other"}']
)
def test_an_answer_without_a_token_for_this_store_is_refused(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        auth.read_grant(body, auth.read_callback(CALLBACK))


def test_a_signed_payload_tells_the_store() -> None:
    claims = auth.read_signed_payload(signed(CLAIMS), "client", "secret", NOW)
    assert auth.store_hash(claims.sub) == "abc123"


@pytest.mark.parametrize(
    "token",
    [
        signed(CLAIMS, secret="another"),
        signed(CLAIMS, algorithm="none"),
        signed({**CLAIMS, "aud": "another"}),
        signed({**CLAIMS, "iss": "me"}),
        signed({**CLAIMS, "exp": int(NOW.timestamp())}),
        signed({**CLAIMS, "nbf": int(NOW.timestamp()) + 1}),
        signed({}),
        signed(CLAIMS).rpartition(".")[0] + ".",
        signed(CLAIMS)[:-2] + "é",
        "",
        "..",
    ],
)
def test_any_other_payload_is_rejected(token: str) -> None:
    with pytest.raises(CredentialsRejected, match="signed_payload_jwt"):
        auth.read_signed_payload(token, "client", "secret", NOW)


def test_without_a_secret_nothing_is_proved() -> None:
    with pytest.raises(CredentialsRejected):
        auth.read_signed_payload(signed(CLAIMS, secret=""), "client", "", NOW)
