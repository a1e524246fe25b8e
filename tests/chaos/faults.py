"""The ways in which the platform misbehaves, and how often."""

from enum import StrEnum

import msgspec


class Fault(StrEnum):
    """One misbehaviour; the platform counts each time that it happens."""

    TOO_MANY = "429"
    TOO_MANY_SECONDS = "429 with seconds to wait"
    TOO_MANY_DATE = "429 with a date to wait for"
    STORM = "a storm of 429"
    SERVER_ERROR = "500"
    BAD_GATEWAY = "502 with HTML"
    CUT_OFF = "an answer shorter than its announced length"
    INVALID_JSON = "an answer that is no JSON"
    HANG = "no answer, and the end of the connection after a while"
    RESET = "a reset connection"
    EXPIRED = "a token that expires before its time"
    SKEW = "a Date header that is wrong"
    EDITED_WHILE_PAGED = "changes between two pages"

    SAME_MILLISECOND = "several changes of an order at one updated_at"
    QUIET = "a change that neither moves updated_at nor sends a webhook"
    DELETED = "a deleted order"
    ARCHIVED = "an order that vanishes from lists"
    UNMAPPABLE = "an order that cannot be mapped"
    MENDED = "an unmappable order that is mended"
    UNPRICED = "an order without amounts"
    UNKNOWN_STATUS = "an order in a status that nobody knows"
    LONG_ORDER = "an order of 600 lines"

    HOOK_TWICE = "a webhook sent twice"
    HOOK_LATE = "a webhook sent seconds late"
    HOOK_LOST = "a webhook that is never sent"
    HOOK_STALE = "a webhook with an older version of the record"
    HOOK_TOUCHED = "a webhook with only an id"
    HOOK_OUT_OF_ORDER = "a webhook overtaken by a later one"
    HOOK_NOT_RETRIED = "a webhook whose failure is ignored"
    HOOK_RETRIED = "a webhook that is tried a second time"


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How likely each misbehaviour is (0 to 1): of requests, of answers with a list, of webhooks. Times in seconds."""

    too_many: float = 0.03
    storm: float = 0.003
    storm_seconds: float = 2.0
    server_error: float = 0.015
    bad_gateway: float = 0.015
    cut_off: float = 0.015
    invalid_json: float = 0.004
    hang: float = 0.004
    hang_seconds: float = 1.0
    reset: float = 0.015
    expired: float = 0.01
    skew_seconds: float = 7200.0
    edited_while_paged: float = 0.2

    hook_twice: float = 0.1
    hook_late: float = 0.15
    hook_late_seconds: float = 3.0
    hook_jumbled: float = 0.25
    hook_jumbled_seconds: float = 0.4
    hook_lost: float = 0.1
    hook_stale: float = 0.1
    hook_touched: float = 0.25
    hook_retried: float = 0.5


CALM = Rates(**dict.fromkeys(Rates.__struct_fields__, 0.0))
"""No misbehaviour at all."""

CHANCES = (
    ("too_many", Fault.TOO_MANY),
    ("storm", Fault.STORM),
    ("server_error", Fault.SERVER_ERROR),
    ("bad_gateway", Fault.BAD_GATEWAY),
    ("cut_off", Fault.CUT_OFF),
    ("invalid_json", Fault.INVALID_JSON),
    ("hang", Fault.HANG),
    ("reset", Fault.RESET),
    ("expired", Fault.EXPIRED),
)
"""Those of which one request suffers at most one."""


def drawn(rates: Rates, number: float) -> Fault | None:
    """What befalls a request that drew ``number``, which is evenly spread between 0 and 1."""
    for name, fault in CHANCES:
        number -= getattr(rates, name)
        if number < 0:
            return fault
    return None
