"""Webhooks of the test platform: which are believed, and what they say."""

import hashlib
import hmac
import json
from typing import Any

import msgspec
import pytest

from unicart.connectors.hostile.client import HostileConnector
from unicart.connectors.kit import Hint, Hook, HookRefused
from unicart.contract.resources import Function

SECRET = "s3cret"
SUBSCRIPTION = {"id": "1", "secret": SECRET}
BODY = b'{"event": "order.updated", "id": "o1", "record": {"id": "o1", "total": 1.10}}'


def signed(body: bytes = BODY, secret: str = SECRET, event: str = "evt_1") -> Hook:
    signature = hmac.new(secret.encode(), f"{event}.".encode() + body, hashlib.sha256).hexdigest()
    return Hook(headers={"x-hostile-event": event, "x-hostile-signature": signature}, body=body)


def verify(hook: Hook, subscription: dict[str, str] = SUBSCRIPTION) -> None:
    HostileConnector.verify_hook({}, subscription, hook)


def with_headers(**headers: str) -> Hook:
    hook = signed()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return msgspec.structs.replace(hook, headers={**hook.headers, **given})


def test_a_signed_webhook_is_believed() -> None:
    verify(signed())


@pytest.mark.parametrize(
    "hook",
    [
        msgspec.structs.replace(signed(), body=BODY.replace(b"1.10", b"1.11")),
        msgspec.structs.replace(signed(), body=b""),
        msgspec.structs.replace(signed(), headers={}),
        with_headers(x_hostile_event="evt_2"),
        with_headers(x_hostile_signature=""),
        with_headers(x_hostile_signature="päßword"),
        with_headers(x_hostile_signature=signed().headers["x-hostile-signature"].upper()),
        signed(secret="another"),
        signed(secret=""),
    ],
    ids=["body", "no body", "no headers", "event", "no signature", "not ascii", "upper case", "secret", "no secret"],
)
def test_a_webhook_that_was_tampered_with_is_refused(hook: Hook) -> None:
    with pytest.raises(HookRefused):
        verify(hook)


@pytest.mark.parametrize("subscription", [{}, {"id": "1"}, {"id": "1", "secret": ""}], ids=str)
def test_nothing_is_believed_without_a_secret(subscription: dict[str, str]) -> None:
    with pytest.raises(HookRefused):
        verify(signed(secret=""), subscription)


def hints(**body: Any) -> list[Hint]:
    return list(HostileConnector.read_hook(Hook(headers={}, body=json.dumps(body).encode())))


def test_a_webhook_may_carry_the_record_as_it_was_sent() -> None:
    (hint,) = HostileConnector.read_hook(signed())
    assert hint == Hint(function=Function.GET_ORDERS, id="o1", raw=b'{"id": "o1", "total": 1.10}')


@pytest.mark.parametrize(
    ("event", "function"),
    [
        ("order.touched", Function.GET_ORDERS),
        ("order.deleted", Function.GET_ORDERS),
        ("product.touched", Function.GET_PRODUCTS),
        ("warehouse.touched", Function.GET_WAREHOUSES),
    ],
)
def test_a_webhook_may_only_name_the_record(event: str, function: Function) -> None:
    assert hints(event=event, id="1") == [Hint(function=function, id="1")]


def test_webhooks_about_other_things_say_nothing() -> None:
    assert hints(event="customer.updated", id="1", record={}) == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"event": "order.updated"}', b'{"event": 1, "id": "1"}', b"\xff"]
)
def test_what_is_no_webhook_is_no_failure_of_ours(body: bytes) -> None:
    with pytest.raises((msgspec.ValidationError, ValueError)):
        HostileConnector.read_hook(Hook(headers={}, body=body))
