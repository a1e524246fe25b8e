"""Amazon's statuses and codes, and what happens next.

A 429 (``QuotaExceeded``) says only that the bucket of one operation is empty, and not for how long: the client waits as that
operation's usage plan says. A 403 is either a token that has expired or was revoked, or a role that the application lacks;
``details`` tells which.
"""

from collections.abc import Mapping, Sequence

from unicart.connectors.amazon.payloads import Issue
from unicart.connectors.kit import CredentialsRejected, Outcome, PermissionMissing, RequestRefused

OUTCOMES: Mapping[int, Outcome] = {429: Outcome.REFUSED}

TOO_MANY = 429
BAD_REQUEST = 400
NOT_FOUND = 404
CONFLICT = 409
UNPROCESSABLE = 422

LOGIN_REMEDIES = {
    "invalid_client": "The client id or the client secret is wrong. Copy both again from the application's LWA credentials.",
    "unauthorized_client": "The refresh token belongs to another application. Use the client id and secret it was made with.",
    "invalid_grant": "The refresh token is wrong, revoked or expired. Authorize the application again and enter the new one.",
}
"""By the error codes of Login with Amazon."""


def is_about_token(error: PermissionMissing) -> bool:
    """Whether a 403 says that the access token has expired or was revoked, and not that a role is missing."""
    return "access token" in error.detail.lower()


def token_refused(error: PermissionMissing) -> CredentialsRejected:
    """The error of an access token that is refused although it is new."""
    message = (
        f"{error.url} does not accept the access token, although it is new. The seller has withdrawn the authorization, "
        "or the region is not the seller's: authorize the application again, and check the region."
    )
    return CredentialsRejected(message, error.detail, error.url)


def role_missing(error: PermissionMissing, role: str) -> PermissionMissing:
    """The error of a missing role, with the remedy."""
    message = (
        f"{error.url} needs a role that the application lacks: {role}. Add it to the application in the Solution Provider "
        "Portal, then have the seller authorize the application again."
    )
    return PermissionMissing(message, error.detail, error.url)


def invalid_submission(issues: Sequence[Issue], url: str) -> RequestRefused:
    """The error of a change that Amazon understands and does not take, in its own words."""
    reasons = " ".join(each.message for each in issues) or "It gives no reason."
    return RequestRefused(f"Amazon did not accept the change: {reasons}", url=url, status=UNPROCESSABLE)


def login_refused(error: Exception, detail: str, url: str) -> CredentialsRejected:
    """The error of Login with Amazon, with the remedy."""
    found = [remedy for code, remedy in LOGIN_REMEDIES.items() if f'"{code}"' in detail]
    remedy = found[0] if found else "Enter client id, client secret and refresh token again."
    return CredentialsRejected(f"Login with Amazon refused the credentials. {remedy}", detail or str(error), url)
