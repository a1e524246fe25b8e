"""Whether a webhook is ours."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from unicart.client import BadAnswer, WebhookRefused, verify_webhook

SECRET = "whsec_" + base64.b64encode(b"a secret of the endpoint").decode()
BODY = (
    '{"id":"7","created_date":"2026-01-01T00:00:00Z","connection_id":null,"integration_name":null,'
    '"integration_type":"general","event_type":"webhook-endpoint.test","data":{"amount":0.10,"name":"Köln"}}'
)


def signed(body: str = BODY, *, family: str = "webhook", age: int = 0, secret: str = SECRET) -> dict[str, str]:
    moment = datetime.now(UTC) - timedelta(seconds=age)
    values = {
        "Id": "msg_7",
        "Timestamp": str(int(moment.timestamp())),
        "Signature": f"v1,AAAA {Webhook(secret).sign('msg_7', moment, body)}",
    }
    return {f"{family.title()}-{name}": value for name, value in values.items()}


@pytest.mark.parametrize("family", ["webhook", "svix"])
def test_a_signed_event_is_read_under_either_name(family: str) -> None:
    event = verify_webhook(SECRET, BODY.encode(), signed(family=family))
    assert (event.id, event.event_type, event.record) == ("7", "webhook-endpoint.test", None)
    assert str(event.data["amount"]) == "0.10"


@pytest.mark.parametrize(
    ("secret", "body", "headers"),
    [
        (SECRET, BODY.replace("0.10", "0.11").encode(), signed()),
        ("whsec_" + base64.b64encode(b"another").decode(), BODY.encode(), signed()),
        ("", BODY.encode(), signed()),
        (SECRET, BODY.encode(), {}),
        (SECRET, BODY.encode(), signed(age=400)),
        (SECRET, BODY.encode(), signed(age=-400)),
        (SECRET, BODY.encode(), {**signed(), "Webhook-Signature": "odd"}),
        (SECRET, BODY.encode(), {**signed(), "Webhook-Signature": "v1,A"}),
        (SECRET, BODY.encode(), {**signed(), "Webhook-Timestamp": "soon"}),
        (SECRET, b"\xff", signed()),
    ],
)
def test_anything_else_is_refused(secret: str, body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(WebhookRefused):
        verify_webhook(secret, body, headers)


def test_what_is_signed_but_no_event_is_told() -> None:
    with pytest.raises(BadAnswer):
        verify_webhook(SECRET, b"[]", signed("[]"))
