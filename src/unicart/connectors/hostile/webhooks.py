"""The test platform's webhooks: signed with the secret of the subscription, and about one record each.

``order.updated`` carries the record, though not always its newest version; ``order.touched`` only names it;
``order.deleted`` says that it is gone. Products and warehouses likewise.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

import msgspec

from unicart.connectors.kit import Hint, Hook, HookRefused
from unicart.contract.resources import Function

EVENT_HEADER = "x-hostile-event"
SIGNATURE_HEADER = "x-hostile-signature"
FUNCTIONS = {
    "order": Function.GET_ORDERS,
    "product": Function.GET_PRODUCTS,
    "warehouse": Function.GET_WAREHOUSES,
}


class _Body(msgspec.Struct):
    event: str
    id: str
    record: msgspec.Raw = msgspec.Raw(b"")


def signature(secret: str, event: str, body: bytes) -> str:
    """The signature of the webhook ``event`` with this ``body``: hexadecimal HMAC-SHA256 of both, a dot between."""
    return hmac.new(secret.encode(), event.encode() + b"." + body, hashlib.sha256).hexdigest()


def verify(subscription: Mapping[str, str], hook: Hook) -> None:
    """Prove that the platform sent ``hook`` for this subscription.

    Raises:
        HookRefused: its signature is missing or wrong.
    """
    secret = subscription.get("secret", "")
    if not secret:
        raise HookRefused("There is no subscription whose secret could verify the webhook.")
    given = hook.headers.get(SIGNATURE_HEADER, "")
    right = signature(secret, hook.headers.get(EVENT_HEADER, ""), hook.body)
    if not hmac.compare_digest(given.encode(), right.encode()):
        raise HookRefused(f"The header {SIGNATURE_HEADER} is missing or wrong.")


def hints(hook: Hook) -> Sequence[Hint]:
    """What ``hook`` says; nothing, if it is about another kind of record.

    Raises:
        msgspec.ValidationError: it is no webhook of the test platform.
    """
    body = msgspec.json.decode(hook.body, type=_Body)
    kind, _, change = body.event.partition(".")
    if kind not in FUNCTIONS:
        return []
    raw = bytes(body.record) if change == "updated" and bytes(body.record) else None
    return [Hint(function=FUNCTIONS[kind], id=body.id, raw=raw)]
