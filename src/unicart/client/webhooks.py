"""Webhooks: whether one is ours, and what it says."""

from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from unicart.client.calls import read_event
from unicart.client.errors import WebhookRefused
from unicart.client.models import Event

FAMILIES = ("webhook", "svix")
PARTS = ("id", "timestamp", "signature")


def verify_webhook(secret: str, body: bytes, headers: Mapping[str, str]) -> Event:
    """The event of a webhook that was sent to the endpoint with this secret.

    ``body`` is the request's, as it came. ``headers`` may have either of their two names, in any case.

    Raises:
        WebhookRefused: the signature does not fit, or is older than five minutes.
        BadAnswer: it is signed, but no event.
    """
    given = {name.lower(): value for name, value in headers.items()}
    signed = {f"webhook-{part}": _header(given, part) for part in PARTS}
    try:
        text = body.decode()
        Webhook(secret).verify(text, signed, json_parse=False)
    except (WebhookVerificationError, EmptyWebhookSecretError, ValueError) as error:
        # A signature that is no Base64, or a body that is no text, is a ValueError.
        raise WebhookRefused(f"The webhook cannot be verified: {error}") from error
    return read_event(text)


def _header(given: Mapping[str, str], part: str) -> str:
    return next((given[name] for family in FAMILIES if (name := f"{family}-{part}") in given), "")
