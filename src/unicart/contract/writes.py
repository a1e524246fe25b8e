"""What is written back to platforms: the functions, the fields of their bodies, and what a body becomes.

``BASE_FIELDS`` says what clients may send to every platform; a connector declares which of them it needs, which it can use and
which it has besides (`unicart.connectors.kit.writes`). The names of the older generations of the Cart API are aliases.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

import msgspec


class WriteFunction(StrEnum):
    """What can be written, by the names that errors and ``available_actions`` use."""

    CREATE_SHIPMENT = "create_shipment"
    REFUND_ORDER = "refund_order"
    ADJUST_INVENTORY = "adjust_inventory"
    BATCH_ADJUST_INVENTORY = "batch_adjust_inventory"
    PASSTHROUGH = "passthrough"


class AdjustmentType(StrEnum):
    """How ``quantity`` changes a stock level: by so much, or to exactly that."""

    INCREASE = "increase"
    DECREASE = "decrease"
    EXACT = "exact"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a write's body.

    ``values`` are all that it may hold, in any case; with ``suggested`` they are only the usual ones. ``fields`` are those
    of the objects in a ``list``. A ``varying`` field's values differ from account to account; `Connector.write_values`
    tells them.
    """

    name: str
    description: str
    type: Literal["string", "integer", "number", "boolean", "date-time", "list"] = "string"
    values: tuple[str, ...] = ()
    suggested: bool = False
    varying: bool = False
    required: bool = False
    minimum: int | None = None
    fields: tuple["Field", ...] = ()
    example: Any = None


class LineQuantity(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of an order's line item."""

    line_item_id: str
    quantity: int


class GroupQuantities(msgspec.Struct, frozen=True, kw_only=True):
    """What to ship of a shipping group; without ``line_items``, all of it that is open."""

    shipping_group_id: str
    line_items: list[LineQuantity] = []


class NewShipment(msgspec.Struct, frozen=True, kw_only=True):
    """A shipment to be told to a platform.

    Without ``line_items`` and ``shipping_groups``, it holds everything of the order that is still open. ``specific`` holds
    the fields that only this platform has.
    """

    tracking_number: str | None = None
    tracking_url: str | None = None
    carrier_id: str | None = None
    carrier_name: str | None = None
    shipping_method_name: str | None = None
    warehouse_id: str | None = None
    shipped_date: datetime | None = None
    notify_customer: bool | None = None
    line_items: list[LineQuantity] = []
    shipping_groups: list[GroupQuantities] = []
    specific: dict[str, Any] = {}


class LineRefund(msgspec.Struct, frozen=True, kw_only=True):
    """What to pay back of a line item. ``amount`` covers all of ``quantity``, tax included; null is what was paid."""

    line_item_id: str
    quantity: int
    amount: Decimal | None = None


class NewRefund(msgspec.Struct, frozen=True, kw_only=True):
    """A refund to be made, in the order's currency.

    Without ``line_items`` and ``shipping_amount``, everything that is not refunded yet is paid back. With line items
    alone, nothing of the shipping is.
    """

    reason: str | None = None
    note: str | None = None
    shipping_amount: Decimal | None = None
    restock: bool | None = None
    notify_customer: bool | None = None
    line_items: list[LineRefund] = []
    specific: dict[str, Any] = {}

    @property
    def is_full(self) -> bool:
        """Whether all that is left is to be paid back."""
        return not self.line_items and self.shipping_amount is None


class InventoryAdjustment(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a product's stock, at one warehouse or where the platform keeps but one number."""

    product_id: str
    quantity: int
    adjustment_type: AdjustmentType
    warehouse_id: str | None = None
    reason: str | None = None
    specific: dict[str, Any] = {}

    def target(self, level: int) -> int:
        """What a stock of ``level`` becomes."""
        if self.adjustment_type is AdjustmentType.EXACT:
            return self.quantity
        return level + (self.quantity if self.adjustment_type is AdjustmentType.INCREASE else -self.quantity)


_LINES = Field(
    name="line_items",
    description="The lines to ship, each with how many units; left out, everything that is still open.",
    type="list",
    fields=(
        Field(name="line_item_id", description="The id of the order's line item.", required=True, example="1"),
        Field(name="quantity", description="How many units.", type="integer", minimum=1, required=True, example=1),
    ),
)

SHIPMENT_FIELDS = (
    Field(name="tracking_number", description="The carrier's number of the parcel.", example="1Z999AA10123456784"),
    Field(
        name="tracking_url",
        description="Where the parcel can be followed.",
        example="https://carrier.example/1Z999AA10123456784",
    ),
    Field(name="carrier_name", description="Who carries the parcel. Older name: carrier.", example="UPS"),
    Field(name="carrier_id", description="The platform's id of the carrier.", example="ups"),
    Field(
        name="shipping_method_name",
        description="How it is sent. Older names: requested_shipping_method, shipping_method.",
        example="Ground",
    ),
    Field(name="warehouse_id", description="The id of the warehouse that it leaves.", varying=True, example="w1"),
    Field(
        name="shipped_date",
        description="When it left; left out, now.",
        type="date-time",
        example="2026-01-02T10:00:00Z",
    ),
    Field(name="notify_customer", description="Whether the platform tells the buyer.", type="boolean", example=True),
    _LINES,
    Field(
        name="shipping_groups",
        description="The shipping groups to ship, instead of line items.",
        type="list",
        fields=(
            Field(name="shipping_group_id", description="The id of the group.", required=True, example="1"),
            msgspec.structs.replace(_LINES, description="The lines of it; left out, all of it that is open."),
        ),
    ),
)

REFUND_FIELDS = (
    Field(name="reason", description="Why, for the buyer or the books.", example="Damaged in transit"),
    Field(name="note", description="A note for the merchant.", example="Photo in the ticket"),
    Field(
        name="shipping_amount",
        description="How much of the shipping to pay back, in the order's currency, tax included.",
        type="number",
        minimum=0,
        example=5,
    ),
    Field(name="restock", description="Whether the refunded units go back to stock.", type="boolean", example=True),
    Field(name="notify_customer", description="Whether the platform tells the buyer.", type="boolean", example=False),
    Field(
        name="line_items",
        description="What to pay back; left out together with shipping_amount, everything that is left.",
        type="list",
        fields=(
            Field(name="line_item_id", description="The id of the order's line item.", required=True, example="1"),
            Field(name="quantity", description="How many units.", type="integer", minimum=1, required=True, example=1),
            Field(
                name="amount",
                description="How much for all these units, tax included; left out, what was paid for them.",
                type="number",
                minimum=0,
                example=20,
            ),
        ),
    ),
)

ADJUSTMENT_FIELDS = (
    Field(name="quantity", description="How many units.", type="integer", minimum=0, example=5),
    Field(
        name="adjustment_type",
        description="Whether the stock rises or falls by the quantity, or becomes exactly it.",
        values=tuple(AdjustmentType),
        example="increase",
    ),
    Field(name="warehouse_id", description="The id of the warehouse.", varying=True, example="w1"),
    Field(name="reason", description="Why, in the platform's words.", example="correction"),
)

BASE_FIELDS: dict[WriteFunction, tuple[Field, ...]] = {
    WriteFunction.CREATE_SHIPMENT: SHIPMENT_FIELDS,
    WriteFunction.REFUND_ORDER: REFUND_FIELDS,
    WriteFunction.ADJUST_INVENTORY: ADJUSTMENT_FIELDS,
}

ALIASES: dict[WriteFunction, dict[str, str]] = {
    WriteFunction.CREATE_SHIPMENT: {
        "carrier": "carrier_name",
        "shipping_method": "shipping_method_name",
        "requested_shipping_method": "shipping_method_name",
    },
}
"""Names of older generations, and the newest names of the same fields."""


class WriteOperation(msgspec.Struct, frozen=True, kw_only=True):
    """A write that an integration takes, as ``GET /integrations`` describes it.

    Base fields are those that every integration may take, by their paths; ``integration_specific_fields`` describes the
    others, as an object of JSON Schema with the names of its ``required_fields``.
    """

    action: WriteFunction
    url: str
    required_base_schema_fields: list[str]
    optional_base_schema_fields: list[str]
    integration_specific_fields: dict[str, Any]


URLS: dict[WriteFunction, tuple[str, str]] = {
    WriteFunction.CREATE_SHIPMENT: ("POST", "/cart/orders/{order_id}/shipments"),
    WriteFunction.REFUND_ORDER: ("POST", "/cart/orders/{order_id}/refund"),
    WriteFunction.ADJUST_INVENTORY: ("PUT", "/cart/products/{product_id}/adjust-inventory"),
    WriteFunction.BATCH_ADJUST_INVENTORY: ("PUT", "/cart/products/batch-adjust-inventory"),
    WriteFunction.PASSTHROUGH: ("POST", "/cart/passthrough"),
}
