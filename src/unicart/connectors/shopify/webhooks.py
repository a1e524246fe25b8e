"""Shopify's webhooks: signed with the app's client secret, each about one record, which is then fetched.

Their bodies have the shape of the older REST API, which lacks what the GraphQL record has; so only ids are taken from them.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

import msgspec

from unicart.connectors.kit import Hint, Hook, HookRefused
from unicart.contract.resources import Function

SIGNATURE_HEADER = "x-shopify-hmac-sha256"
TOPIC_HEADER = "x-shopify-topic"
INVENTORY_ITEM = "inventory-item-"
"""What stands before the id of an inventory item where the id of its product is not known yet."""

TOPICS = (
    "ORDERS_CREATE",
    "ORDERS_UPDATED",
    "ORDERS_CANCELLED",
    "ORDERS_EDITED",
    "ORDERS_DELETE",
    "REFUNDS_CREATE",
    "PRODUCTS_CREATE",
    "PRODUCTS_UPDATE",
    "PRODUCTS_DELETE",
    "INVENTORY_LEVELS_CONNECT",
    "INVENTORY_LEVELS_UPDATE",
    "INVENTORY_LEVELS_DISCONNECT",
    "LOCATIONS_CREATE",
    "LOCATIONS_UPDATE",
    "LOCATIONS_ACTIVATE",
    "LOCATIONS_DEACTIVATE",
    "LOCATIONS_DELETE",
)
"""What is subscribed to; a topic of GraphQL is called ``orders/create`` in the header of a webhook."""

SHIPPING_TOPICS = ("FULFILLMENTS_CREATE", "FULFILLMENTS_UPDATE", "FULFILLMENT_EVENTS_CREATE")
"""What is subscribed to as well, where the app has the scope for it."""

Id = int | str


class _Record(msgspec.Struct):
    id: Id


class _PartOfOrder(msgspec.Struct):
    order_id: Id


class _Edited(msgspec.Struct):
    order_edit: _PartOfOrder


class _Level(msgspec.Struct):
    inventory_item_id: Id


def signature(secret: str, body: bytes) -> str:
    """The signature of a webhook with this ``body``: HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def verify(credentials: Mapping[str, str], hook: Hook) -> None:
    """Prove that Shopify sent ``hook`` for the app of these credentials.

    Raises:
        HookRefused: its signature is missing or wrong, or the app's client secret is not known.
    """
    secret = credentials.get("api_secret", "")
    if not secret:
        raise HookRefused("The connection has no client secret (api_secret) by which webhooks could be verified.")
    given = hook.headers.get(SIGNATURE_HEADER, "")
    if not hmac.compare_digest(given.encode(), signature(secret, hook.body).encode()):
        raise HookRefused(f"The header {SIGNATURE_HEADER} is missing or wrong.")


def hints(hook: Hook) -> Sequence[Hint]:
    """What ``hook`` says; nothing, if it is about another kind of record.

    Raises:
        msgspec.ValidationError: its body is not that of its topic.
    """
    kind, _, change = hook.headers.get(TOPIC_HEADER, "").partition("/")
    read = msgspec.json.decode
    if kind == "orders" and change == "edited":
        return _hint(Function.GET_ORDERS, read(hook.body, type=_Edited).order_edit.order_id)
    if kind == "orders":
        return _hint(Function.GET_ORDERS, read(hook.body, type=_Record).id)
    if kind in ("fulfillments", "fulfillment_events", "refunds"):
        return _hint(Function.GET_ORDERS, read(hook.body, type=_PartOfOrder).order_id)
    if kind == "products":
        return _hint(Function.GET_PRODUCTS, read(hook.body, type=_Record).id)
    if kind == "inventory_levels":
        return _hint(Function.GET_PRODUCTS, read(hook.body, type=_Level).inventory_item_id, INVENTORY_ITEM)
    if kind == "locations":
        return _hint(Function.GET_WAREHOUSES, read(hook.body, type=_Record).id)
    return []


def _hint(function: Function, id: Id, prefix: str = "") -> Sequence[Hint]:
    return [Hint(function=function, id=f"{prefix}{id}")] if str(id) else []
