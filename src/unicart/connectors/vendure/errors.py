"""What Vendure's refusals mean. It answers 200 to nearly everything; the code is in ``errors[].extensions.code``."""

from collections.abc import Mapping
from typing import Any

import msgspec

from unicart.connectors.kit import (
    ConnectorError,
    CredentialsRejected,
    Outcome,
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


def refusal(answer: Answer, url: str, *, authenticated: bool = True) -> ConnectorError:
    """The error that an answer with errors means. Of a FORBIDDEN, only the caller knows if we were ``authenticated``."""
    detail = "; ".join(error.message for error in answer.errors)[:1000]
    if answer.has(CHANNEL_NOT_FOUND):
        return CredentialsRejected(f"{url} has no channel with this token. Correct the channel token.", detail, url)
    if answer.has(FORBIDDEN) and not authenticated:
        return CredentialsRejected(f"{url} does not accept the credentials, or not for this channel.", detail, url)
    if answer.has(FORBIDDEN):
        return PermissionMissing(f"{url} refuses: the role needs {PERMISSIONS} in this channel.", detail, url)
    if answer.has(INTERNAL):
        return PlatformUnavailable(f"{url} failed inside: {detail}", detail, url)
    return RequestRefused(f"{url} refused the query: {detail}", detail, url)
