"""BigCommerce's webhooks: they name a record by its id, and nothing more.

They are proved by a secret header that is set when they are subscribed to, which BigCommerce sends with each of them. (The
signature by the app's client secret, which BigCommerce also describes, cannot be verified with an access token alone.)
"""

import hmac
from collections.abc import Mapping, Sequence

import msgspec

from unicart.connectors.kit import BadAnswer, Hint, Hook, HookRefused
from unicart.contract.resources import Function

SECRET_HEADER = "x-unicart-secret"  # noqa: S105
SCOPES = (
    "store/order/*",
    "store/shipment/*",
    "store/product/*",
    "store/sku/*",
    "store/channel/*/inventory/product/stock_changed",
    "store/channel/*/inventory/product/settings_changed",
    "store/inventory/location/created",
    "store/inventory/location/updated",
)
SKU_DELETED = "store/sku/deleted"


class _Of(msgspec.Struct):
    product_id: int
    variant_id: int | None = None


class _Data(msgspec.Struct):
    type: str = ""
    id: int | str | None = None
    shipped_order_id: int | None = msgspec.field(name="orderId", default=None)
    paid_order_id: int | str | None = msgspec.field(name="order_id", default=None)
    sku: _Of | None = None
    inventory: _Of | None = None
    product_id: int | None = None
    location_id: int | None = None


class _Body(msgspec.Struct):
    scope: str
    data: _Data


def verify(subscription: Mapping[str, str], hook: Hook) -> None:
    """Prove that ``hook`` carries the secret of this subscription.

    Raises:
        HookRefused: it does not.
    """
    secret = subscription.get("secret", "")
    if not secret:
        raise HookRefused("There is no subscription whose secret could verify the webhook.")
    if not hmac.compare_digest(hook.headers.get(SECRET_HEADER, "").encode(), secret.encode()):
        raise HookRefused(f"The header {SECRET_HEADER} is missing or wrong.")


def hints(hook: Hook) -> Sequence[Hint]:
    """What ``hook`` says; nothing, if it is about something that is not kept.

    Raises:
        BadAnswer: it names no record.
        msgspec.ValidationError: it is no webhook of BigCommerce.
    """
    body = msgspec.json.decode(hook.body, type=_Body)
    scope, data = body.scope, body.data
    if scope.startswith("store/order/"):
        return _order_hints(data)
    if scope.startswith("store/shipment/"):
        return [_hint(Function.GET_ORDERS, data.shipped_order_id)]
    if scope.startswith("store/product/"):
        return [_hint(Function.GET_PRODUCTS, data.id)] if data.type == "product" else []
    if scope.startswith("store/sku/"):
        return _sku_hints(scope, data)
    if scope.startswith("store/channel/") and "/inventory/product/" in scope:
        return [_hint(Function.GET_PRODUCTS, data.product_id)]
    if scope.startswith("store/inventory/location/"):
        return [_hint(Function.GET_WAREHOUSES, data.location_id)]
    return []


def _order_hints(data: _Data) -> list[Hint]:
    """Also of a transaction, which changes the order's payment status."""
    if data.type == "transaction":
        return [_hint(Function.GET_ORDERS, data.paid_order_id)]
    return [_hint(Function.GET_ORDERS, data.id)] if data.type == "order" else []


def _sku_hints(scope: str, data: _Data) -> list[Hint]:
    of = data.sku or data.inventory
    if of is None:
        return []
    found = [_hint(Function.GET_PRODUCTS, of.product_id)]
    if scope == SKU_DELETED and of.variant_id:
        found.append(_hint(Function.GET_PRODUCTS, f"{of.product_id}-{of.variant_id}"))
    return found


def _hint(function: Function, id: int | str | None) -> Hint:
    if not id:
        raise BadAnswer("The webhook names no record.")
    return Hint(function=function, id=str(id))
