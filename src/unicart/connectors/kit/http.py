"""The HTTP session of a connector: typed answers, retries, throttling, redaction and errors sorted by what to do.

Only this module and the connectors' ``client.py`` speak HTTP.
"""

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx2
import msgspec
import stamina

from unicart import tracing
from unicart.connectors.kit import targets
from unicart.connectors.kit.errors import (
    BadAnswer,
    ConnectorError,
    CredentialsRejected,
    OutcomeUnknown,
    PermissionMissing,
    PlatformUnavailable,
    RateLimitedByPlatform,
    RequestRefused,
)
from unicart.connectors.kit.throttle import LONGEST_WAIT, Throttle

T = TypeVar("T")
log = logging.getLogger(__name__)
for _name in ("httpx2", "httpcore2"):
    # They would log URLs and headers, which hold credentials.
    logging.getLogger(_name).setLevel(logging.WARNING)

MAX_BODY = 128 * 1024 * 1024
MAX_PASSED = 10 * 1024 * 1024
QUOTED_BODY = 300
_LOGIN_HEADER = re.compile("auth|token|key|secret", re.IGNORECASE)
_NOT_PASSED = frozenset({"set-cookie", "content-encoding", "content-length", "transfer-encoding", "connection"})
EPOCH_SECONDS = 1e9
EPOCH_MILLISECONDS = 1e12

_UNSENT = (httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ConnectError)
"""What happens before a request is sent."""

_refreshing = ContextVar("refreshing", default=False)


class Outcome(Enum):
    """What an HTTP status of a platform means for us."""

    RETRY = "retry"
    WAIT = "wait"
    REJECTED = "rejected"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"


DEFAULT_OUTCOMES: Mapping[int, Outcome] = {
    401: Outcome.REJECTED,
    403: Outcome.FORBIDDEN,
    408: Outcome.RETRY,
    425: Outcome.RETRY,
    429: Outcome.WAIT,
}


class Reply(msgspec.Struct, frozen=True):
    """A platform's successful answer."""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes


class _Retryable(Exception):
    """Carries the error to report if every retry fails, and the wait that the platform asked for."""

    def __init__(self, error: ConnectorError, wait: float | None = None) -> None:
        self.error = error
        self.wait = wait


def _backoff(error: Exception) -> bool | float:
    if not isinstance(error, _Retryable):
        return False
    return True if error.wait is None else error.wait


class Session:
    """HTTP to one platform account.

    ``headers`` go with every request and may be changed, by a login for instance. ``refresh``, if set, is called once
    when the platform answers 401, and the request is then sent again; requests that ``refresh`` itself sends are not.
    ``sign``, if set, gets the method, the URL and the parameters of each attempt, and returns the parameters to send: for
    platforms that refuse a signature that they have seen before.
    ``secrets`` never appear in an error or a log.
    Private and loopback addresses are refused unless ``private_network``. ``patience`` is how many seconds a request
    may be retried for. Redirects are not followed. ``throttle`` slows down on 429, ``Retry-After`` and used-up
    ``RateLimit`` headers. Where a platform tells its limits in headers of its own, ``told_wait`` reads them: from an
    answer's status and headers, the seconds in which to send nothing, or null. Where it tells them in the answer's body,
    the connector calls ``throttle.pause``.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
        throttle: Throttle | None = None,
        outcomes: Mapping[int, Outcome] | None = None,
        private_network: bool = False,
        timeout: float = 30.0,
        patience: float = 45.0,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.headers = dict(headers or {})
        self.refresh: Callable[[], Awaitable[None]] | None = None
        self.told_wait: Callable[[int, Mapping[str, str]], float | None] | None = None
        self.sign: Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]] | None = None
        self.throttle = throttle or Throttle()
        self.outcomes = {**DEFAULT_OUTCOMES, **(outcomes or {})}
        self._secrets = tuple(secret for secret in secrets if secret)
        self._private_network = private_network
        self._patience = patience
        self._timeout = timeout
        self._client: httpx2.AsyncClient | None = None
        self._renewal = asyncio.Lock()
        self.requests_sent = 0
        self.clock_offset: timedelta | None = None
        """How far the platform's clock is ahead of ours, by its last answer; null before that."""

    async def get(self, path: str, type: type[T], params: Mapping[str, Any] | None = None) -> T:
        """The decoded answer of a GET. ``params`` with a list value are repeated."""
        return self.decode(await self.request("GET", path, params=params), type)

    async def post(self, path: str, type: type[T], json: Any = None, *, once: bool = False) -> T:
        """The decoded answer of a POST with a JSON body."""
        return self.decode(await self.request("POST", path, json=json, once=once), type)

    async def graphql(
        self,
        path: str,
        query: str,
        type: type[T],
        variables: Mapping[str, Any] | None = None,
        *,
        once: bool = False,
    ) -> T:
        """The decoded ``data`` of a GraphQL request; a mutation is sent ``once``.

        Raises:
            RequestRefused: the answer has ``errors``; connectors that know their codes catch it and read ``detail``.
        """
        body = {"query": query, "variables": dict(variables or {})}
        reply = await self.request("POST", path, json=body, once=once)
        answer = self.decode(reply, _GraphQLAnswer)
        if answer.errors:
            text = self._redact(msgspec.json.encode(answer.errors).decode())
            message = f"The platform refused the query: {answer.errors[0].message}"
            raise RequestRefused(self._redact(message), detail=text, url=reply.url, status=reply.status)
        return self._decode(bytes(answer.data), type, reply.url)

    def decode(self, reply: Reply, type: type[T]) -> T:
        """The body of ``reply`` as ``type``.

        Raises:
            BadAnswer: it is not JSON, or not of that shape.
        """
        return self._decode(reply.body, type, reply.url)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        once: bool = False,
    ) -> Reply:
        """Send one request, retrying what is worth it.

        A header that is given empty is not sent: so a file on another host does not get the session's token. A write is
        sent ``once``: again only if the platform cannot have begun with it.

        Raises:
            OutcomeUnknown: a request that is sent once was cut off, or answered with an error of the platform's own.
            ConnectorError: the kind says what to do next.
        """
        url = path if path.startswith(("http://", "https://")) else f"{self.base_url}{path}"
        refreshed = False
        while True:
            sent = dict(self.headers)
            try:
                return await self._with_retries(method, url, params, json, headers, once)
            except CredentialsRejected:
                if refreshed or self.refresh is None or _refreshing.get():
                    raise
                refreshed = True
                await self._renew(self.refresh, sent)

    def hide(self, secrets: Iterable[str]) -> None:
        """Keep these out of errors and logs too."""
        self._secrets = tuple({*self._secrets, *(secret for secret in secrets if secret)})

    async def passthrough(
        self, method: str, path: str, *, params: Mapping[str, Any], json: Any, headers: Mapping[str, str]
    ) -> Reply:
        """The platform's answer to a request of a client's own, whatever its status, without our secrets.

        ``path`` is below the connection's base URL; redirects are not followed. ``headers`` win over the session's. An
        answer 401 renews the login once.

        Raises:
            ConnectorError: there is no answer, or too large a one.
        """
        below, _, query = path.partition("?")
        url = f"{self.base_url}{below if below.startswith('/') else f'/{below}'}"
        # Parameters given apart would take the place of those in a URL, and a signature is over all of them.
        params = {**parse_qs(query, keep_blank_values=True), **params}
        sent = dict(self.headers)
        response, body = await self._pass(method, url, params, json, headers)
        if response.status_code == 401 and self.refresh is not None:
            await self._renew(self.refresh, sent)
            response, body = await self._pass(method, url, params, json, headers)
        kept = {name: self._redact(value) for name, value in response.headers.items() if name not in _NOT_PASSED}
        return Reply(self._shown(url), response.status_code, httpx2.Headers(kept), self._redact_bytes(body))

    async def _pass(
        self, method: str, url: str, params: Mapping[str, Any], json: Any, headers: Mapping[str, str]
    ) -> tuple[httpx2.Response, bytes]:
        try:
            async with self.throttle as begun:
                answer = await self._exchange(method, url, params, json, headers, True, MAX_PASSED)
                self._heed(answer[0], begun)
                return answer
        except _Retryable as error:
            raise error.error from error.__cause__

    def _redact_bytes(self, body: bytes) -> bytes:
        try:
            return self._redact(body.decode()).encode()
        except UnicodeDecodeError:
            return body

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _renew(self, refresh: Callable[[], Awaitable[None]], rejected: Mapping[str, str]) -> None:
        """Refresh, unless another request has changed the ``rejected`` headers meanwhile."""
        async with self._renewal:
            if self.headers != rejected:
                return
            token = _refreshing.set(True)
            try:
                await refresh()
            finally:
                _refreshing.reset(token)

    async def _with_retries(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        json: Any,
        headers: Mapping[str, str] | None,
        once: bool,
    ) -> Reply:
        try:
            async for attempt in stamina.retry_context(
                on=_backoff, attempts=8, timeout=self._patience, wait_initial=0.25, wait_max=10.0, wait_jitter=0.5
            ):
                with attempt:
                    async with self.throttle as begun:
                        return await self._send(begun, method, url, params, json, headers, once)
        except _Retryable as exhausted:
            raise exhausted.error from exhausted.__cause__
        raise AssertionError("unreachable")

    async def _send(
        self,
        begun: float,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        json: Any,
        headers: Mapping[str, str] | None,
        once: bool,
    ) -> Reply:
        shown = self._shown(url)
        response, body = await self._exchange(method, url, params, json, headers, once)
        log.debug("%s %s %s", method, shown, response.status_code)
        self._heed(response, begun)
        outcome = self._outcome(response.status_code)
        if once and outcome is Outcome.RETRY:
            raise OutcomeUnknown(f"{shown} answered {response.status_code}.", self._quoted(body), shown)
        if outcome is not None:
            self._raise(response, body, shown)
        return Reply(shown, response.status_code, response.headers, body)

    async def _exchange(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        json: Any,
        headers: Mapping[str, str] | None,
        once: bool,
        most: int | None = None,
    ) -> tuple[httpx2.Response, bytes]:
        """What the platform answers, whatever its status."""
        self._check_url(url)
        shown = self._shown(url)
        content = None if json is None else msgspec.json.Encoder(decimal_format="number").encode(json)
        given = {"accept": "application/json", **self.headers, **(headers or {})}
        sent_headers = {name: value for name, value in given.items() if value}
        if content is not None:
            sent_headers.setdefault("content-type", "application/json")
        _check_headers(sent_headers)
        if self.sign is not None:
            params = self.sign(method, url, params or {})
        self.requests_sent += 1
        try:
            with tracing.span(method, {"http.request.method": method, "url.full": shown}, kind="client") as span:
                async with self._open().stream(
                    method, url, params=params, content=content, headers=sent_headers
                ) as response:
                    body = await self._read(response, shown, most or MAX_BODY)
                if span is not None:
                    span.set_attribute("http.response.status_code", response.status_code)
        except targets.PrivateTarget as error:
            raise RequestRefused(
                f"{error}, which this connection may not reach. "
                "An operator can allow it by adding the connection without --no-private-network.",
                url=shown,
            ) from error
        except targets.BadTarget as error:
            raise RequestRefused(f"{self._redact(str(error))}. Correct the connection's URL.", url=shown) from error
        except httpx2.TimeoutException as error:
            message = f"{shown} did not answer within {self._timeout:g} s."
            if once and not isinstance(error, _UNSENT):
                raise OutcomeUnknown(message, type(error).__name__, shown) from error
            raise _Retryable(PlatformUnavailable(message, type(error).__name__, shown)) from error
        except httpx2.TransportError as error:
            reason = self._redact(str(error) or type(error).__name__)
            if once and not isinstance(error, _UNSENT):
                message = f"{shown} broke off: {reason}"
                raise OutcomeUnknown(message, type(error).__name__, shown) from error
            down = PlatformUnavailable(f"{shown} cannot be reached: {reason}", type(error).__name__, shown)
            raise _Retryable(down) from error
        except (httpx2.InvalidURL, httpx2.HTTPError) as error:
            reason = self._redact(str(error))
            raise BadAnswer(f"{shown} cannot be requested: {reason}", type(error).__name__, shown) from error
        return response, body

    def _heed(self, response: httpx2.Response, begun: float) -> None:
        """Slow down or hold on if the answer says so, and note the platform's clock."""
        told = _date(response.headers.get("date", ""))
        self.clock_offset = None if told is None else told - datetime.now(UTC)
        outcome = self._outcome(response.status_code)
        wait = self._wait(response)
        if outcome is Outcome.WAIT or (outcome is Outcome.RETRY and wait is not None):
            self.throttle.slow_down(begun)
        elif outcome is None:
            self.throttle.went_well()
        if wait is not None:
            self.throttle.pause(wait)

    def _wait(self, response: httpx2.Response) -> float | None:
        told = None if self.told_wait is None else self.told_wait(response.status_code, response.headers)
        return told if told is not None else _wait(response)

    def _outcome(self, status: int) -> Outcome | None:
        if 200 <= status < 300:
            return None
        return self.outcomes.get(status, Outcome.RETRY if status >= 500 else Outcome.REFUSED)

    async def _read(self, response: httpx2.Response, shown: str, most: int) -> bytes:
        parts, size = [], 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > most:
                raise BadAnswer(f"{shown} sent more than {most >> 20} MB.", url=shown)
            parts.append(part)
        return b"".join(parts)

    def _raise(self, response: httpx2.Response, body: bytes, shown: str) -> None:
        status = response.status_code
        quoted = self._quoted(body)
        outcome, wait = self._outcome(status), self._wait(response)
        if outcome is Outcome.RETRY:
            self._retry_in(wait, PlatformUnavailable(f"{shown} answered {status}.", quoted, shown))
        if outcome is Outcome.WAIT:
            message = f"{shown} limits our requests (status {status})."
            self._retry_in(wait, RateLimitedByPlatform(message, quoted, shown, wait))
        if outcome is Outcome.REJECTED:
            message = f"{shown} does not accept the credentials (status {status}). Renew them on the connection."
            raise CredentialsRejected(message, quoted, shown)
        if outcome is Outcome.FORBIDDEN:
            message = (
                f"{shown} needs a permission that the credentials lack (status {status}). Grant it on the platform."
            )
            raise PermissionMissing(message, quoted, shown)
        where = response.headers.get("location")
        if where:
            raise RequestRefused(
                f"{shown} redirects to {self._shown(where)}. Use that URL for the connection.", quoted, shown, status
            )
        raise RequestRefused(f"{shown} refused the request (status {status}): {quoted}", quoted, shown, status)

    def _retry_in(self, wait: float | None, error: ConnectorError) -> NoReturn:
        """Retry after ``wait`` seconds, or after a backoff; not at all if the platform asks for more than we wait."""
        if wait is not None and wait > min(LONGEST_WAIT, self._patience):
            raise error
        raise _Retryable(error, wait)

    def _check_url(self, url: str) -> None:
        try:
            targets.parse(url)
        except targets.BadTarget as error:
            message = (
                f"{self._shown(url)!r} cannot be requested: {self._redact(str(error))}. Correct the connection's URL."
            )
            raise RequestRefused(message) from error

    def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(
                timeout=self._timeout,
                follow_redirects=False,
                headers={"user-agent": "unicart"},
                transport=None if self._private_network else targets.PublicTransport(),
            )
        return self._client

    def _decode(self, body: bytes, type: type[T], url: str) -> T:
        try:
            return msgspec.json.decode(body, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            reason = self._redact(str(error))
            message = f"{url} answered something that is not what the platform documents: {reason}"
            raise BadAnswer(message, self._quoted(body), url) from error

    def _shown(self, url: str) -> str:
        """``url`` without user, query and fragment, safe to show."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return "a malformed URL"
        host = parts.netloc.rpartition("@")[2]
        return self._redact(urlunsplit((parts.scheme, host, parts.path, "", "")))

    def _quoted(self, body: bytes) -> str:
        """The beginning of ``body``, redacted before it is cut, so that no part of a secret is left."""
        return self._redact(body[: 64 * QUOTED_BODY].decode("utf-8", "replace"))[:QUOTED_BODY]

    def _redact(self, text: str) -> str:
        """``text`` without the credentials, and without what the session is logged in with."""
        logins = [value.rpartition(" ")[2] for name, value in self.headers.items() if _LOGIN_HEADER.search(name)]
        for secret in (*self._secrets, *logins):
            if secret:
                text = text.replace(secret, "***")
        return text


class _GraphQLError(msgspec.Struct):
    message: str
    extensions: dict[str, Any] | None = None
    path: list[str | int] | None = None


class _GraphQLAnswer(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[_GraphQLError] = []


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise CredentialsRejected(
                f"The header {name} holds a character that HTTP does not allow, a line break or a letter with an accent "
                "for instance. Enter the credentials again."
            )


def _wait(response: httpx2.Response) -> float | None:
    """How many seconds the platform asks us to send nothing, if it does."""
    asked = None if response.is_success else _retry_after(response)
    return asked if asked is not None else _until_reset(response)


def _retry_after(response: httpx2.Response) -> float | None:
    """The seconds of the header ``Retry-After``, which holds them or a date; null if it holds neither."""
    text = response.headers.get("retry-after", "")
    seconds = _seconds(text)
    return seconds if seconds is not None else _seconds_until(text, response)


def _until_reset(response: httpx2.Response) -> float | None:
    """The seconds until more requests are allowed, if none is left now and the platform tells.

    Resets are seconds to wait, seconds or milliseconds since 1970, or dates, as platforms please.
    """
    headers = response.headers
    left = _seconds(headers.get("ratelimit-remaining", headers.get("x-ratelimit-remaining", "")))
    text = headers.get("ratelimit-reset", headers.get("x-ratelimit-reset", ""))
    if left is None or left >= 1:
        return None
    reset = _seconds(text)
    if reset is None:
        return _seconds_until(text, response)
    if reset < EPOCH_SECONDS:
        return reset
    return max((reset / 1000 if reset >= EPOCH_MILLISECONDS else reset) - _now(response).timestamp(), 0.0)


def _seconds_until(text: str, response: httpx2.Response) -> float | None:
    moment = _date(text)
    return None if moment is None else max((moment - _now(response)).total_seconds(), 0.0)


def _now(response: httpx2.Response) -> datetime:
    """The platform's time, by which it counts; ours, if it does not tell."""
    return _date(response.headers.get("date", "")) or datetime.now(UTC)


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return max(seconds, 0.0) if not math.isnan(seconds) else None
