"""What the routes of webhook endpoints serve. Dates are ``YYYY-MM-DDTHH:MM:SSZ``. Every field is always present."""

from typing import Literal

import msgspec


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are sent. Null ``event_types`` or ``connection_ids`` mean all.

    ``cursor`` is the last event that was taken up. ``waiting`` messages will be tried again, ``failed`` ones not by
    themselves. ``failing_since`` is when attempts began to fail without one success.
    """

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    url: str
    description: str
    event_types: tuple[str, ...] | None
    connection_ids: tuple[str, ...] | None
    disabled: bool
    disabled_reason: str | None
    failing_since: str | None
    cursor: str
    waiting: int
    failed: int
    created_date: str
    updated_date: str


class WebhookAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver an event. ``status`` is the receiver's; without an answer, ``error`` says why there is none.

    ``event_id`` is null for a test event.
    """

    event_id: str | None
    event_type: str
    attempted_date: str
    delivered: bool
    status: int | None
    latency_ms: int
    error: str | None
