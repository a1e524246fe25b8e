"""What Shopify's refusals mean. Most come with status 200; the code is in ``errors[].extensions.code``."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from unicart.connectors.kit import (
    ConnectorError,
    CredentialsRejected,
    Outcome,
    OutcomeUnknown,
    PermissionMissing,
    PlatformUnavailable,
    RateLimitedByPlatform,
    RequestRefused,
)

OUTCOMES: Mapping[int, Outcome] = {}
"""HTTP statuses mean what they mean everywhere: 401 a wrong token, 404 no such shop, 402 and 423 a shop that is closed."""

THROTTLED = "THROTTLED"
TOO_COSTLY = "MAX_COST_EXCEEDED"
ACCESS_DENIED = "ACCESS_DENIED"
SHOP_INACTIVE = "SHOP_INACTIVE"
PASSING = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT"})
UNSETTLED = frozenset({"IDEMPOTENCY_CONCURRENT_REQUEST", "SERVICE_UNAVAILABLE"})
FAILED_BEFORE = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"
"""The key of a write that was refused: nothing was done under it, and nothing ever will be."""

UNDER_WAY = "currently in progress"
"""How Shopify words the former where its errors have no codes."""


class TooCostly(RequestRefused):
    """A query that costs more than Shopify lets one query cost: fewer records must be asked for."""


class GraphQLError(msgspec.Struct):
    """One of an answer's errors."""

    message: str
    extensions: dict[str, Any] | None = None


class ThrottleStatus(msgspec.Struct, frozen=True, rename="camel"):
    """How many points are left to spend, and how many come back each second."""

    currently_available: Decimal
    restore_rate: Decimal


class Cost(msgspec.Struct, frozen=True, rename="camel"):
    """What a query costs, in points."""

    requested_query_cost: Decimal | None = None
    throttle_status: ThrottleStatus | None = None

    def wait(self) -> int:
        """Milliseconds until there are points enough for the same query again."""
        status = self.throttle_status
        if status is None or self.requested_query_cost is None or status.restore_rate <= 0:
            return 0
        return max(int((self.requested_query_cost - status.currently_available) * 1000 / status.restore_rate), 0)


class Extensions(msgspec.Struct, frozen=True):
    """What comes beside an answer's data."""

    cost: Cost | None = None


class Answer(msgspec.Struct):
    """An answer of the Admin API, its data not yet decoded."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[GraphQLError] = []
    extensions: Extensions = Extensions()

    def codes(self) -> set[str]:
        """The codes of its errors."""
        return {str((error.extensions or {}).get("code")) for error in self.errors}


class UserError(msgspec.Struct):
    """Why a mutation did nothing."""

    message: str
    code: str | None = None


def refusal(answer: Answer, url: str) -> ConnectorError:
    """The error that an answer with errors means."""
    codes, detail = answer.codes(), "; ".join(error.message for error in answer.errors)[:1000]
    if THROTTLED in codes:
        wait = answer.extensions.cost.wait() if answer.extensions.cost else 0
        return RateLimitedByPlatform(f"{url} limits our queries by their cost.", detail, url, max(wait, 1000) / 1000)
    if TOO_COSTLY in codes:
        return TooCostly(f"{url} finds the query too costly: {detail}", detail, url)
    if ACCESS_DENIED in codes:
        return PermissionMissing(f"{url} denies access: {detail} Grant the app what it lacks.", detail, url)
    if SHOP_INACTIVE in codes:
        return CredentialsRejected(f"{url}: the shop is not active.", detail, url)
    if codes & UNSETTLED:
        return OutcomeUnknown(f"{url} is still at it: {detail}", detail, url)
    if codes & PASSING:
        return PlatformUnavailable(f"{url} failed inside: {detail}", detail, url)
    return RequestRefused(f"{url} refused the query: {detail}", detail, url)


def unwritten(what: str, errors: Sequence[UserError]) -> ConnectorError:
    """The error that the ``errors`` of a mutation mean."""
    detail = "; ".join(error.message for error in errors)[:1000]
    if any(error.code in UNSETTLED or UNDER_WAY in error.message for error in errors):
        return OutcomeUnknown(f"Shopify is still at the {what}: {detail}", detail)
    return RequestRefused(f"Shopify refuses the {what}: {detail}", detail, status=422)
