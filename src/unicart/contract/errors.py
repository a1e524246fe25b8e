"""The errors of the API. Each owns its status and renders its own body.

UnicartError
├── KeyMisused            400
├── Unauthorized          401
├── Forbidden             403
├── NotFound              404
├── MethodNotAllowed      405
├── WriteInProgress       409
├── InvalidRequest        422
├── RateLimited           429
├── NotImplementedHere    501
├── Unavailable           503
└── IntegrationError      the platform's
"""

from typing import Literal

import msgspec

Origin = Literal["trackstar", "integration"]
Location = Literal["query", "json", "headers", "path"]


class ErrorBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The body of every error. ``origin`` is ``integration`` when the platform is the cause."""

    error: str
    origin: Origin = msgspec.field(default_factory=lambda: "trackstar")
    id: str | None = None
    detail: dict[str, dict[str, list[str]]] | None = None


class UnicartError(Exception):
    """An error with an HTTP status and a message for the caller."""

    status: int = 500
    origin: Origin = "trackstar"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def body(self) -> ErrorBody:
        """What the caller receives."""
        return ErrorBody(error=self.message, origin=self.origin)

    def headers(self) -> dict[str, str]:
        """Headers that the answer carries besides the usual ones."""
        return {}


class KeyMisused(UnicartError):
    """An idempotency key that belongs to another request."""

    status = 400


class Unauthorized(UnicartError):
    """A missing or unknown API key or access token; the same for a token of another organization."""

    status = 401


class Forbidden(UnicartError):
    """A write with a read-only key, or a disabled function."""

    status = 403


class NotFound(UnicartError):
    """No record, or no page, under ``id``."""

    status = 404

    def __init__(self, message: str, id: str) -> None:
        super().__init__(message)
        self.id = id

    def body(self) -> ErrorBody:
        return ErrorBody(error=self.message, origin=self.origin, id=self.id)


class MethodNotAllowed(UnicartError):
    """The path exists, but not with this method."""

    status = 405

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed

    def headers(self) -> dict[str, str]:
        return {"allow": self.allowed}


class WriteInProgress(UnicartError):
    """A write with the same idempotency key is being worked on; ``retry_after`` is in seconds."""

    status = 409

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        return {"retry-after": str(self.retry_after)}


class InvalidRequest(UnicartError):
    """Parameters, a body, headers or a path that break the contract; ``problems`` names each field."""

    status = 422

    def __init__(self, location: Location, problems: dict[str, list[str]]) -> None:
        field, messages = next(iter(problems.items()))
        super().__init__(f"Validation error: {field} {messages[0]}")
        self.location = location
        self.problems = problems

    def body(self) -> ErrorBody:
        return ErrorBody(error=self.message, origin=self.origin, detail={self.location: self.problems})


class RateLimited(UnicartError):
    """More requests than the access token may make; ``retry_after`` is in seconds."""

    status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        return {"retry-after": str(self.retry_after)}


class NotImplementedHere(UnicartError):
    """The connection's platform has no such function."""

    status = 501


class Unavailable(UnicartError):
    """The store cannot answer now (locked, full or unreachable); nothing was half-written."""

    status = 503

    def headers(self) -> dict[str, str]:
        return {"retry-after": "1"}


class IntegrationError(UnicartError):
    """The platform refused, failed or could not be reached; ``status`` has the class of its own."""

    origin: Origin = "integration"

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
