"""What every connector is made with. Import from here, not from the modules behind it."""

from unicart.connectors.kit.connector import (
    Account,
    Connector,
    Credential,
    CredentialStore,
    Facts,
    Hint,
    Hook,
    Pull,
    RawPage,
    State,
    fingerprint,
    read_cursor,
    write_cursor,
)
from unicart.connectors.kit.dates import format_utc, parse_utc
from unicart.connectors.kit.errors import (
    BadAnswer,
    ConnectorError,
    CredentialsRejected,
    HookRefused,
    OutcomeUnknown,
    PermissionMissing,
    PlatformUnavailable,
    RateLimitedByPlatform,
    RequestRefused,
    UnmappableRecord,
    refusal,
)
from unicart.connectors.kit.http import Outcome, Session
from unicart.connectors.kit.implemented import implemented_fields
from unicart.connectors.kit.money import exponent, finite, from_minor_units, per_unit
from unicart.connectors.kit.throttle import Throttle
from unicart.connectors.kit.writes import Write

__all__ = [
    "Account",
    "BadAnswer",
    "Connector",
    "ConnectorError",
    "Credential",
    "CredentialStore",
    "CredentialsRejected",
    "Facts",
    "Hint",
    "Hook",
    "HookRefused",
    "Outcome",
    "OutcomeUnknown",
    "PermissionMissing",
    "PlatformUnavailable",
    "Pull",
    "RateLimitedByPlatform",
    "RawPage",
    "RequestRefused",
    "Session",
    "State",
    "Throttle",
    "UnmappableRecord",
    "Write",
    "exponent",
    "fingerprint",
    "finite",
    "format_utc",
    "from_minor_units",
    "implemented_fields",
    "parse_utc",
    "per_unit",
    "read_cursor",
    "refusal",
    "write_cursor",
]
