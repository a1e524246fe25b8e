"""What the management routes serve: connections, how their syncs stand, on-demand syncs and quarantined records.

Dates are ``YYYY-MM-DDTHH:MM:SSZ``. Every field is always present.
"""

from enum import StrEnum
from typing import Any, Literal

import msgspec

from unicart.contract.resources import Function


class SyncStatus(StrEnum):
    """How the scheduled sync of a function stands."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    SYNC_IN_PROGRESS = "sync_in_progress"
    FIRST_SYNC_IN_PROGRESS = "first_sync_in_progress"
    ERROR = "error"


class ErrorType(StrEnum):
    """What an error of a connection asks for: new credentials, a permission, or a look at its message."""

    INVALID_CREDENTIALS = "invalid_credentials"
    MISSING_PERMISSION = "missing_permission"
    OTHER = "other"


class ReconciliationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What comparing everything with the platform found, in the last pass or the one under way. All was healed.

    Of ``checked`` records, ``missed`` were new to us although a sync should have brought them, ``changed`` differed
    although a sync should have told, ``deleted`` were gone on the platform.
    """

    started: str
    finished: str | None
    checked: int
    missed: int
    changed: int
    deleted: int


class SyncSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """When one function of a connection is synced, and how its syncs went.

    ``last_crawl_start`` and ``last_crawl_end`` are when a sync last began and last ended well, ``latest_data`` is the
    latest change on the platform that we have. ``sync_frequency`` is in seconds. ``next_sync`` is null while the schedule
    is paused, while a sync is in progress, and while an on-demand sync of the function is open. ``pulled`` counts the raw
    records of the current sync, or of the last one; ``expected`` is how many the platform says there are. ``latest_sync``
    and ``in_progress`` are older names for ``last_crawl_end`` and a part of ``sync_status``.
    """

    function_name: Function
    latest_sync: str | None
    last_crawl_start: str | None
    last_crawl_end: str | None
    latest_data: str | None
    sync_frequency: int
    in_progress: bool
    sync_status: SyncStatus
    next_sync: str | None
    pulled: int
    expected: int | None
    reconciliation: ReconciliationResult | None


class AffectedEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint whose data an error holds up. ``preventing_sync``: nothing is synced until the error is mended."""

    endpoint: str
    preventing_sync: bool


class ConnectionProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a function of a connection fails, in both forms that clients know: ``message`` is ``error_message``."""

    error_message: str
    affected_endpoints: list[AffectedEndpoint]
    first_seen: str
    last_seen: str
    error_type: ErrorType
    resource: str
    message: str


class ConnectedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The account on the platform, as it calls itself. ``account_id`` is null if an earlier version connected it."""

    account_id: str | None
    account_name: str


class ConnectionObject(msgspec.Struct, frozen=True, kw_only=True):
    """A connected shop.

    ``historical_sync_completed`` tells for each function whether its first sync is complete. ``latest_sync`` is when a sync
    last ended well. ``times_used`` counts the requests with its access token, and ``last_used`` is when the last came; both
    are some seconds behind. With ``webhooks_disabled`` no changes of its records are sent to webhook endpoints; the feed
    keeps them. ``disabled_functions`` are neither synced nor written. ``history_days`` is how many days of orders the first
    sync pulls; 0 and null mean all.
    """

    connection_id: str
    integration_name: str
    integration_display_name: str
    integration_type: Literal["cart"] = "cart"
    customer_id: str | None
    created_at: str
    last_used: str | None
    times_used: int
    latest_sync: str | None
    sync_schedules: list[SyncSchedule]
    errors: list[ConnectionProblem]
    available_actions: list[str]
    available_endpoints: list[str]
    disabled_functions: list[str]
    webhooks_disabled: bool
    historical_sync_completed: dict[str, bool]
    me: ConnectedAccount
    history_days: int | None


class NewSandbox(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox shop that is ready. Its ``access_token`` is new each time; an earlier one stops working."""

    access_token: str
    connection_id: str
    integration_name: str
    customer_id: str | None
    available_actions: list[str]
    available_endpoints: list[str]
    me: ConnectedAccount


class SyncStarted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request to sync now.

    ``functions_to_sync`` are the functions that are now due, empty if that is all of them. ``syncing`` is false if there is
    none, because every one that was asked for was being synced already.
    """

    id: str
    syncing: bool
    functions_to_sync: list[Function]


class ConnectionUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """The connection ``id`` is now as was asked."""

    id: str
    object: Literal["connection"] = "connection"
    updated: bool = True


class ConnectionDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The connection ``id`` is gone, with all that was kept of it."""

    id: str
    object: Literal["connection"] = "connection"
    deleted: bool = True


class JobStatus(StrEnum):
    """Where an on-demand sync stands; only an open one is worked on."""

    OPEN = "open"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    STUCK = "stuck"


class SyncJob(msgspec.Struct, frozen=True, kw_only=True):
    """An on-demand sync of the records that were created from one time to another, both included.

    ``pulled`` counts raw records so far; ``error`` is why the last attempt failed, null once it has succeeded.
    """

    id: str
    connection_id: str
    function_name: Function
    requested_start_time: str
    requested_end_time: str
    created_at: str
    status: JobStatus
    pulled: int
    error: str | None


class QuarantinedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A raw record of the platform that could not be mapped.

    ``record`` is the platform's id of it where it has one. ``last_seen`` is when it last could not be mapped, ``version``
    the version of Unicart that could not. ``raw`` is the record as it came, or a string if it is not JSON.
    """

    function_name: Function
    record: str
    reason: str
    first_seen: str
    last_seen: str
    version: str
    raw: Any
