"""WooCommerce's webhooks: signed with the secret of the subscription, each about one order or product.

``X-WC-Webhook-Signature`` is the base64 HMAC-SHA256 of the body. The ping by which a new webhook is tried is not signed; it
is known by the URL, whose last part is a secret of the subscription. Bodies are made when they are sent, with the record as it
is then: an error of the REST API, if it is gone.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

import msgspec

from unicart.connectors.kit import Hint, Hook, HookRefused
from unicart.connectors.woocommerce.mapping import FULFILLMENT_STATUS
from unicart.connectors.woocommerce.payloads import Meta
from unicart.contract.resources import Function

RESOURCE_HEADER = "x-wc-webhook-resource"
SIGNATURE_HEADER = "x-wc-webhook-signature"
FUNCTIONS = {"order": Function.GET_ORDERS, "product": Function.GET_PRODUCTS}
TOPICS = tuple(
    f"{resource}.{event}" for resource in FUNCTIONS for event in ("created", "updated", "deleted", "restored")
)
DRAFT = "checkout-draft"
"""The status of what is still a cart: it has webhooks, but is in no list."""
PING = re.compile(rb"webhook_id=\d+")


class _Body(msgspec.Struct):
    """``id`` comes as WordPress was told it when the record was deleted, which may be a string."""

    id: int | str = 0
    date_modified_gmt: str | None = None
    status: str | None = None
    refunds: list[msgspec.Raw] | None = None
    meta_data: list[Meta] = []


def signature(secret: str, body: bytes) -> str:
    """The signature of a webhook with this ``body``."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def verify(subscription: Mapping[str, str], hook: Hook) -> None:
    """Prove that the shop sent ``hook`` for this subscription.

    Raises:
        HookRefused: its signature is missing or wrong, and it is no ping to the subscription's URL.
    """
    secret, path = subscription.get("secret", ""), subscription.get("path", "")
    if not secret or not path:
        raise HookRefused("There is no subscription whose secret could verify the webhook.")
    if _is_ping(hook) and hmac.compare_digest(hook.path.encode(), path.encode()):
        return
    given = hook.headers.get(SIGNATURE_HEADER, "")
    if not hmac.compare_digest(given.encode(), signature(secret, hook.body).encode()):
        raise HookRefused(f"The header {SIGNATURE_HEADER} is missing or wrong.")


def hints(hook: Hook) -> Sequence[Hint]:
    """What ``hook`` says; nothing, if it is a ping or about another kind of record.

    Raises:
        msgspec.ValidationError, ValueError: it is no webhook of WooCommerce.
    """
    function = FUNCTIONS.get(hook.headers.get(RESOURCE_HEADER, ""))
    if _is_ping(hook) or function is None:
        return []
    body = msgspec.json.decode(hook.body, type=_Body)
    id = int(body.id)
    if id <= 0:
        return []
    listed = body.date_modified_gmt is not None and body.status != DRAFT
    alone = body.refunds == [] and not any(each.key == FULFILLMENT_STATUS for each in body.meta_data)
    whole = function is Function.GET_ORDERS and listed and alone
    raw = b'{"id":%d,"order":%b,"refunds":[]}' % (id, hook.body) if whole else None
    return [Hint(function=function, id=str(id), raw=raw)]


def _is_ping(hook: Hook) -> bool:
    return PING.fullmatch(hook.body) is not None and SIGNATURE_HEADER not in hook.headers
