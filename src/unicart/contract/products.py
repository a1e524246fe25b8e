"""The unified product. Parents and variants are records of their own, linked by ``parent_product_id``."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from unicart.contract.common import Tag, require_numbers, whole_second


class Measurements(msgspec.Struct, frozen=True, kw_only=True):
    """Size and weight of one unit. ``unit`` is ``in`` or ``cm``; ``weight_unit`` is ``kg``, ``oz``, ``lb`` or ``g``."""

    length: Decimal | None = None
    width: Decimal | None = None
    height: Decimal | None = None
    unit: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None

    def __post_init__(self) -> None:
        require_numbers(self, "length", "width", "height", "weight")


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A product or variant as a connector maps it.

    ``parent_product_id`` equals ``id`` for a parent. ``price`` and ``unit_cost`` are in the shop's main currency;
    they, ``inventory`` and ``inventory_by_warehouse_id`` (units available) mean something on variants.
    """

    id: str
    created_date: datetime
    updated_date: datetime
    name: str
    sku: str | None = None
    gtin: str | None = None
    parent_product_id: str
    is_kit: bool = False
    active: bool = True
    image_url: str | None = None
    price: Decimal | None = None
    unit_cost: Decimal | None = None
    inventory: int | None = None
    inventory_by_warehouse_id: dict[str, int] = {}
    measurements: Measurements = Measurements()
    tags: list[str] = []
    categories: list[str] = []
    external_system_url: str | None = None
    additional_fields: dict[str, Any] = {}

    def __post_init__(self) -> None:
        require_numbers(self, "price", "unit_cost")
        msgspec.structs.force_setattr(self, "created_date", whole_second(self.created_date))
        msgspec.structs.force_setattr(self, "updated_date", whole_second(self.updated_date))


class CartProduct(Product, frozen=True, kw_only=True):
    """A product as it is served: with our tags and the times at which our copy was made and last changed."""

    trackstar_tags: list[Tag] = []
    trackstar_created_date: datetime
    trackstar_updated_date: datetime
