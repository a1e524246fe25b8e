"""ShipHero's webhooks: one registration for each kind, each with a secret of its own.

The header ``x-shiphero-hmac-sha256`` is the base64 HMAC-SHA256 of the body (https://developer.shiphero.com/webhooks/).
Bodies name records of the GraphQL API by ``…_uuid``. A shipment's names the shipment and not its order, those of products and
of stock name SKUs, so hints of these have such ids, which `ShipHeroConnector.fetch` looks up.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

import msgspec

from unicart.connectors.kit import Hint, Hook, HookRefused
from unicart.contract.resources import Function

SIGNATURE_HEADER = "x-shiphero-hmac-sha256"
SECRET = "secret:"  # noqa: S105
"""What comes before the name of a webhook in the subscription; the value is its secret."""

SKU = "sku:"
"""What comes before a SKU in the id of a hint about a product or its stock."""

ORDERS = ("Order Allocated", "Order Deallocated", "Order Packed Out", "Order Canceled")
SHIPMENT = "Shipment Update"
STOCK = "Inventory Update"
PRODUCT = "Product Update"
NAMES = (*ORDERS, SHIPMENT, STOCK, PRODUCT)


class _Fulfillment(msgspec.Struct):
    shipment_uuid: str | None = None
    order_uuid: str | None = None


class _Sku(msgspec.Struct):
    sku: str | None = None


class _Body(msgspec.Struct):
    webhook_type: str
    order_uuid: str | None = None
    fulfillment: _Fulfillment | None = None
    inventory: list[_Sku] | None = None
    product: list[_Sku] | None = None


def signature(secret: str, body: bytes) -> str:
    """The signature of a webhook with this ``body``."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def verify(subscription: Mapping[str, str], hook: Hook) -> None:
    """Prove that ShipHero sent ``hook`` for one of the webhooks of this subscription.

    Raises:
        HookRefused: its signature is missing or wrong.
    """
    known = [value for name, value in subscription.items() if name.startswith(SECRET) and value]
    if not known:
        raise HookRefused("There is no subscription whose secret could verify the webhook.")
    given = hook.headers.get(SIGNATURE_HEADER, "").encode()
    matches = [hmac.compare_digest(given, signature(secret, hook.body).encode()) for secret in known]
    if not any(matches):
        raise HookRefused(f"The header {SIGNATURE_HEADER} is missing or wrong.")


def hints(hook: Hook) -> Sequence[Hint]:
    """What ``hook`` says; nothing, if it is of another kind.

    Raises:
        msgspec.ValidationError: it is no webhook of ShipHero.
    """
    body = msgspec.json.decode(hook.body, type=_Body)
    if body.webhook_type in (STOCK, PRODUCT):
        named = body.inventory if body.webhook_type == STOCK else body.product
        skus = dict.fromkeys(each.sku for each in named or () if each.sku)
        return [Hint(function=Function.GET_PRODUCTS, id=f"{SKU}{sku}") for sku in skus]
    shipped = (body.fulfillment if body.webhook_type == SHIPMENT else None) or _Fulfillment()
    id = body.order_uuid or shipped.order_uuid or shipped.shipment_uuid
    if body.webhook_type not in NAMES or not id:
        return []
    return [Hint(function=Function.GET_ORDERS, id=id)]
