"""What can go wrong at a platform, sorted by what happens next.

ConnectorError                 message: for the operator, with the remedy; detail: for the log
├── PlatformUnavailable        down, slow or answering 5xx: retried, then the run stops and the next one resumes
├── RateLimitedByPlatform      429 for longer than we wait in a run: the run stops and the next one resumes
├── CredentialsRejected        blocking: nothing works until the credentials are renewed
├── PermissionMissing          this function stops, the others go on
├── RequestRefused             a 4xx that a retry cannot change: this function stops
├── OutcomeUnknown             a write that may or may not have been done: it is looked for before it is sent again
├── BadAnswer                  not what the platform documents (HTML, cut JSON, wrong types): this function stops
├── UnmappableRecord           one record: quarantined with its raw body, the rest goes on
└── HookRefused                a webhook whose signature is wrong: it is not stored
"""


class ConnectorError(Exception):
    """Something went wrong at the platform. ``blocking`` means that every function is affected."""

    blocking = False

    def __init__(self, message: str, detail: str = "", url: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.url = url


class PlatformUnavailable(ConnectorError):
    """The platform is down, unreachable, too slow or answers 5xx."""


class RateLimitedByPlatform(ConnectorError):
    """The platform asked us to wait for longer than a run waits. ``retry_after`` is in seconds, if it said."""

    def __init__(self, message: str, detail: str = "", url: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, detail, url)
        self.retry_after = retry_after


class CredentialsRejected(ConnectorError):
    """The platform does not accept the credentials."""

    blocking = True


class PermissionMissing(ConnectorError):
    """The credentials are good, but may not do this."""


class RequestRefused(ConnectorError):
    """The platform refused the request, and repeating it does not change that. ``status`` is its HTTP status."""

    def __init__(self, message: str, detail: str = "", url: str = "", status: int = 0) -> None:
        super().__init__(message, detail, url)
        self.status = status


def refusal(message: str, status: int = 422) -> RequestRefused:
    """A write that makes no sense for the record, and is not sent; ``message`` names the field and the remedy."""
    return RequestRefused(message, status=status)


class OutcomeUnknown(ConnectorError):
    """The platform did not say whether it has done what was asked: it was cut off, too slow, or answered 5xx."""


class BadAnswer(ConnectorError):
    """The platform's answer is not what its documentation promises."""


class UnmappableRecord(ConnectorError):
    """One raw record cannot become a unified record; ``message`` names the field and the reason."""


class HookRefused(ConnectorError):
    """A webhook that is not proved to be the platform's."""
