"""What can go wrong for a user of the client.

ClientError
├── NotReached          no answer, or one that broke off
├── BadAnswer           an answer that is not the contract's
├── WebhookRefused      a webhook that is not ours
└── ApiError            an error that the API answered
    ├── KeyMisused            400
    ├── Unauthorized          401
    ├── Forbidden             403
    ├── NotFound              404
    ├── WriteInProgress       409
    ├── InvalidRequest        422
    ├── RateLimited           429
    ├── NotImplementedHere    501
    └── Unavailable           503
"""

from unicart.contract.errors import Origin

Detail = dict[str, dict[str, list[str]]]


class ClientError(Exception):
    """Anything that the client raises."""


class NotReached(ClientError):
    """No answer came. ``sent`` tells whether the request may have been carried out all the same."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class BadAnswer(ClientError):
    """The answer is not what the contract says; ``request_id`` finds it in the log."""

    def __init__(self, message: str, request_id: str | None) -> None:
        super().__init__(message)
        self.request_id = request_id


class WebhookRefused(ClientError):
    """The webhook's signature does not fit: it is not from your endpoint, was changed on the way, or is too old."""


class ApiError(ClientError):
    """An error of the API.

    ``origin`` is ``integration`` when the platform is the cause. ``detail`` names each wrong field by its place and name.
    ``id`` is what was not found. ``retry_after`` is in seconds.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        origin: Origin = "trackstar",
        detail: Detail | None = None,
        id: str | None = None,
        request_id: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.origin = origin
        self.detail = detail or {}
        self.id = id
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        by = "" if self.origin == "trackstar" else " by the platform"
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.status}{by}: {self.message}{request}"


class KeyMisused(ApiError):
    """The idempotency key belongs to another request."""


class Unauthorized(ApiError):
    """The API key or the access token is missing or unknown; of ``integration``, the platform's credentials are."""


class Forbidden(ApiError):
    """A write with a read-only key, or a disabled function."""


class NotFound(ApiError):
    """There is nothing under ``id``."""


class WriteInProgress(ApiError):
    """A write with the same idempotency key is still being worked on."""


class InvalidRequest(ApiError):
    """Something breaks the contract; ``detail`` names each field."""


class RateLimited(ApiError):
    """Too many requests, still after all retries."""


class NotImplementedHere(ApiError):
    """The connection's platform has no such function."""


class Unavailable(ApiError):
    """The server cannot answer now."""


BY_STATUS: dict[int, type[ApiError]] = {
    400: KeyMisused,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: WriteInProgress,
    422: InvalidRequest,
    429: RateLimited,
    501: NotImplementedHere,
    503: Unavailable,
}
