"""What ShipHero's refusals mean. It answers 200 to nearly everything; the code is in ``errors[].code``."""

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from unicart.connectors.kit import (
    ConnectorError,
    CredentialsRejected,
    Outcome,
    PermissionMissing,
    RateLimitedByPlatform,
    RequestRefused,
)

OUTCOMES: Mapping[int, Outcome] = {}
"""No HTTP status means anything special."""

NOT_FOUND = 5
"""There is no record of that id, or the account may not see it."""

PERMISSION = 7
"""The token lacks a scope, which the message names."""

NO_CREDITS = 30
"""Too few credits are left now; ``time_remaining`` tells when there will be enough."""

SHORTEST_WAIT = 1
UNKNOWN_WAIT = 10
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(second|minute|hour)", re.ASCII)
_TOKEN = re.compile(
    r"\b(token|jwt|signature)\b.*\b(expired|invalid)\b|\b(expired|invalid)\b.*\b(token|jwt|signature)\b"
    r"|\b(unauthenticated|unauthorized)\b",
    re.I,
)


class GraphQLError(msgspec.Struct):
    """One of an answer's errors. ``time_remaining`` is in words: "18 seconds"."""

    message: str
    code: int | str | None = None
    time_remaining: str | None = None


class Answer(msgspec.Struct):
    """An answer of the API, its data not yet decoded."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: Sequence[GraphQLError] = ()


def is_of(error: GraphQLError, code: int) -> bool:
    """Whether ``error`` has this ``code``, which comes as a number or as text."""
    return str(error.code) == str(code)


def wait(error: GraphQLError) -> int:
    """How many seconds, rounded up, an error says there are to wait until credits are there again."""
    found = _DURATION.search(error.time_remaining or "") or _DURATION.search(error.message)
    return max(math.ceil(Decimal(found[1]) * _SECONDS[found[2]]), SHORTEST_WAIT) if found else UNKNOWN_WAIT


def refusal(errors: Sequence[GraphQLError], url: str) -> ConnectorError:
    """The error that an answer with ``errors`` means."""
    detail = "; ".join(error.message for error in errors)[:1000]
    if any(is_of(error, PERMISSION) for error in errors):
        return PermissionMissing(
            f"{url} refuses: {detail}. Grant the developer user this scope, or allow it in ShipHero's user settings.",
            detail,
            url,
        )
    throttled = [wait(error) for error in errors if is_of(error, NO_CREDITS)]
    if throttled:
        seconds = max(throttled)
        message = f"{url} has too few credits left, and asks us to wait for {seconds} s."
        return RateLimitedByPlatform(message, detail, url, seconds)
    if any(_TOKEN.search(error.message) for error in errors):
        return CredentialsRejected(
            f"{url} does not accept the token: {detail}. Renew the refresh token on the connection.", detail, url
        )
    return RequestRefused(f"{url} refused the query: {detail}", detail, url, 422)
