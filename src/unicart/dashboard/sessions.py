"""Who may see the dashboard: the session cookie, the tokens of forms, and how often a password may be tried.

The cookie is a random token, with or without a session behind it; the token of forms derives from it, so that the login
form has one too.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from unicart.contract.errors import Forbidden, RateLimited

COOKIE = "unicart_operator"
PATH = "/dashboard"
MOST_TRIES = 5
MOST_TRIES_OF_ALL = 60
WINDOW = 60
REMEMBERED = 10_000
STALE = "This form is from an earlier session. Load the page again, and send the form once more."


class LoginLimiter:
    """Counts wrong passwords of the last minute, of each address and of all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, list[float]] = {}
        self._all: list[float] = []

    def admit(self, address: str) -> None:
        """Let an address try a password, and count that as a failure until `succeeded` takes it back.

        Raises:
            RateLimited: it, or all together, tried too often.
        """
        now = self._clock()
        mine = self._recent(self._failures.get(address, []), now)
        self._all = self._recent(self._all, now)
        if len(mine) >= MOST_TRIES or len(self._all) >= MOST_TRIES_OF_ALL:
            raise RateLimited("Too many wrong passwords. Wait a minute, and try again.", retry_after=WINDOW)
        if len(self._failures) >= REMEMBERED:
            self._failures.clear()
        self._failures[address] = [*mine, now]
        self._all.append(now)

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        mine = self._failures.pop(address, [])
        if mine and mine[-1] in self._all:
            self._all.remove(mine[-1])

    def _recent(self, times: list[float], now: float) -> list[float]:
        return [each for each in times if each > now - WINDOW]


def cookie_of(request: Request) -> str:
    """The token in the request's cookie; empty if there is none."""
    return request.cookies.get(COOKIE, "")


def new_cookie() -> str:
    """A token for a visitor who has none."""
    return secrets.token_urlsafe(32)


def set_cookie(response: Response, request: Request, token: str) -> None:
    """Give the visitor a token."""
    response.set_cookie(COOKIE, token, path=PATH, httponly=True, samesite="strict", secure=_is_secure(request))


def comes_from_elsewhere(request: Request) -> bool:
    """Whether another site has sent the visitor, so that the browser holds the cookie back once."""
    elsewhere = request.headers.get("sec-fetch-site") == "cross-site"
    return elsewhere and request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"


def form_token(cookie: str) -> str:
    """The token that forms carry for a visitor with this cookie."""
    return hmac.digest(cookie.encode("utf-8", "surrogatepass"), b"unicart dashboard form", "sha256").hex()


def require_own_form(request: Request, cookie: str, given: str) -> None:
    """Let only forms of our own pages pass.

    Raises:
        Forbidden: it came from another origin, or without the visitor's token.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise Forbidden("Forms of other sites are not accepted.")
    expected = form_token(cookie).encode()
    if not cookie or not hmac.compare_digest(expected, given.encode("utf-8", "surrogatepass")):
        raise Forbidden(STALE)


def _is_secure(request: Request) -> bool:
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
