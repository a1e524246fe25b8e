"""What the client answers with, besides the contract's own records."""

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Generic, Literal, TypeVar

import msgspec

from unicart.contract.orders import CartOrder
from unicart.contract.products import CartProduct
from unicart.contract.resources import RESOURCES
from unicart.contract.warehouses import CartWarehouse

T = TypeVar("T")

_SERVED: dict[str, type[CartOrder | CartProduct | CartWarehouse]] = {
    f"cart-{resource.singular}": resource.served for resource in RESOURCES
}


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list."""

    data: list[T]
    next_token: str | None


class Written(msgspec.Struct, Generic[T], frozen=True):
    """A record as the platform holds it after a write.

    ``unused_fields`` are those that the platform has no use for. ``replayed``: the same request had been carried out
    before, and this is its answer.
    """

    data: T
    unused_fields: list[str]
    replayed: bool = False


class Passed(msgspec.Struct, frozen=True):
    """A platform's own answer. A ``body`` that is neither JSON nor text is in Base64, as ``body_encoding`` then says."""

    status_code: int
    headers: dict[str, str]
    body: Any
    body_encoding: Literal["base64"] | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A change. ``id`` is its cursor. ``previous_attributes`` are the old values of what changed, by dot path."""

    id: str
    created_date: datetime
    event_type: str
    connection_id: str | None
    integration_name: str | None
    integration_type: str
    data: dict[str, Any]
    previous_attributes: dict[str, Any] | None = None

    @property
    def record(self) -> CartOrder | CartProduct | CartWarehouse | None:
        """The record that the event is about, as it was served after the change; null for the others."""
        served = _SERVED.get(self.event_type.partition(".")[0])
        return None if served is None else msgspec.convert(self.data, served)


class EventPage(msgspec.Struct, frozen=True):
    """Events in order. ``next_cursor`` goes on behind them, and is there at the end of the feed too."""

    data: list[Event]
    next_cursor: str


def decode(body: bytes | str, type: Any) -> Any:
    """A JSON text as ``type``, whose numbers are decimal even where the contract names no field."""
    return _decoder(type).decode(body)


@cache
def _decoder(type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type, float_hook=Decimal)
