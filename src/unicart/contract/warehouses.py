"""The unified warehouse: a place that holds stock (a location, facility or stock location on the platforms)."""

from datetime import datetime
from typing import Any

import msgspec

from unicart.contract.common import Address, Tag, whole_second


class Warehouse(msgspec.Struct, frozen=True, kw_only=True):
    """A warehouse as a connector maps it."""

    id: str
    created_date: datetime
    updated_date: datetime
    name: str
    code: str | None = None
    address: Address = Address()
    additional_fields: dict[str, Any] = {}

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "created_date", whole_second(self.created_date))
        msgspec.structs.force_setattr(self, "updated_date", whole_second(self.updated_date))


class CartWarehouse(Warehouse, frozen=True, kw_only=True):
    """A warehouse as it is served: with our tags and the times at which our copy was made and last changed."""

    trackstar_tags: list[Tag] = []
    trackstar_created_date: datetime
    trackstar_updated_date: datetime
