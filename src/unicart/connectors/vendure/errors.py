"""What Vendure's refusals mean. It answers 200 to nearly everything; the code is in ``errors[].extensions.code``."""

from collections.abc import Mapping
from typing import Any

import msgspec

from unicart.connectors.kit import (
    ConnectorError,
    CredentialsRejected,
    Outcome,
    OutcomeUnknown,
    PermissionMissing,
    PlatformUnavailable,
    RequestRefused,
)

OUTCOMES: Mapping[int, Outcome] = {}
"""No HTTP status means anything special."""

FORBIDDEN = "FORBIDDEN"
"""A session that is unknown or over, and likewise a permission that the role lacks."""

CHANNEL_NOT_FOUND = "CHANNEL_NOT_FOUND"
"""No channel has the token that was sent."""

INTERNAL = "INTERNAL_SERVER_ERROR"
"""A fault inside Vendure, a plugin or the database, which may pass."""

PERMISSIONS = "ReadOrder, ReadProduct and ReadStockLocation"
WRITES_ORDERS = "UpdateOrder"
WRITES_STOCK = "UpdateProduct"

HALF_DONE = "REFUND_STATE_TRANSITION_ERROR"
"""A refund that is kept, and perhaps paid, though its state could not be set."""


class GraphQLError(msgspec.Struct):
    """One of an answer's errors."""

    message: str
    extensions: dict[str, Any] | None = None


class Answer(msgspec.Struct):
    """An answer of the Admin API, its data not yet decoded."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[GraphQLError] = []

    def has(self, code: str) -> bool:
        """Whether one of the errors has this code."""
        return any((error.extensions or {}).get("code") == code for error in self.errors)


class Result(msgspec.Struct, rename="camel"):
    """What a mutation made, or why it did not. ``state`` is that of what was made, ``from_state`` what it was in."""

    id: str = ""
    state: str = ""
    error_code: str = ""
    message: str = ""
    from_state: str = ""
    transition_error: str = ""
    fulfillment_handler_error: str = ""


def refused(result: Result, url: str) -> ConnectorError:
    """The error that a result with an error code means."""
    why = result.transition_error or result.fulfillment_handler_error
    message = f"Vendure refused: {result.message}{f': {why}' if why else ''} ({result.error_code})"
    if result.error_code == HALF_DONE:
        return OutcomeUnknown(message, url=url)
    return RequestRefused(message, url=url, status=422)


def refusal(answer: Answer, url: str, *, authenticated: bool = True, writing: str | None = None) -> ConnectorError:
    """The error that an answer with errors means. Of a FORBIDDEN, only the caller knows if we were ``authenticated``.

    ``writing`` names the permission that a write needs; a fault inside Vendure then does not tell what became of it.
    """
    detail = "; ".join(error.message for error in answer.errors)[:1000]
    if answer.has(CHANNEL_NOT_FOUND):
        return CredentialsRejected(f"{url} has no channel with this token. Correct the channel token.", detail, url)
    if answer.has(FORBIDDEN) and not authenticated:
        return CredentialsRejected(f"{url} does not accept the credentials, or not for this channel.", detail, url)
    if answer.has(FORBIDDEN):
        message = f"{url} refuses: the role needs {writing or PERMISSIONS} in this channel."
        return PermissionMissing(message, detail, url)
    if answer.has(INTERNAL):
        message = f"{url} failed inside: {detail}"
        return OutcomeUnknown(message, detail, url) if writing else PlatformUnavailable(message, detail, url)
    if writing:
        return RequestRefused(f"Vendure refused: {detail}", detail, url, 422)
    return RequestRefused(f"{url} refused the query: {detail}", detail, url)
