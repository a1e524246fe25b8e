"""What every request passes through: request id, errors as JSON, metrics, and OPTIONS."""

import itertools
import logging
import re
import secrets
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unicart import logs, tracing
from unicart.api import metrics
from unicart.contract.common import encode
from unicart.contract.errors import MethodNotAllowed, NotFound, UnicartError

log = logging.getLogger(__name__)

_SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_PROCESS = secrets.token_hex(12).encode()
_numbers = itertools.count()
NO_STORE = (b"cache-control", b"no-store")


class Gateway:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp, *, log_requests: bool = False) -> None:
        self._app = app
        self._log_requests = log_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif tracing.on():
            await self._traced(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = {"http.request.method": scope["method"]}
        with tracing.span(scope["method"], method, kind="server", headers=headers) as span:
            answer = await self._answer(scope, receive, send)
            span.update_name(f"{scope['method']} {answer.route}")
            span.set_attributes({"http.route": answer.route, "http.response.status_code": answer.status})
            span.set_attribute("unicart.request_id", answer.request_id.decode())

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> "_Answer":
        answer = _Answer(scope, send)
        logs.about(request_id=answer.request_id.decode())
        scope["unicart.headers"] = answer.headers
        try:
            await self._app(scope, receive, answer.send)
        except Exception as error:
            if answer.status:
                log.exception("request %s broke off", answer.request_id)
                raise
            await answer.fail(error)
        finally:
            answer.count()
            if self._log_requests:
                answer.log()
        return answer


class _Answer:
    """The response of one request: adds headers, remembers its status, renders errors."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._started = time.perf_counter()
        self.status = 0
        self.request_id = _request_id(scope["headers"])
        self.headers: list[tuple[bytes, bytes]] = [(b"x-request-id", self.request_id), NO_STORE]

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self.headers]
        await self._send(message)

    async def fail(self, error: Exception) -> None:
        """Answer with ``error``."""
        known = _known(error, self._scope)
        if known is None:
            log.error("request %s failed", self.request_id.decode(), exc_info=error)
            known = UnicartError("Internal error. Quote the x-request-id header when you report it.")
        if isinstance(error, HTTPException) and error.status_code == 405 and self._scope["method"] == "OPTIONS":
            allowed = f"{known.headers().get('allow', '')}, OPTIONS"
            await self._reply(204, b"", {"allow": allowed})
            return
        await self._reply(known.status, encode(known.body()), known.headers())

    def count(self) -> None:
        """Add the request to the metrics."""
        metrics.observe(self._scope["method"], self.route, self.status or 500, time.perf_counter() - self._started)

    @property
    def route(self) -> str:
        """The route's pattern, in which no id is."""
        return str(self._scope.get("unicart.route", "other"))

    def log(self) -> None:
        """Write a line about the request. Its query is not in it: filters may name people."""
        milliseconds = round((time.perf_counter() - self._started) * 1000, 1)
        status = self.status or 500
        fields = {"method": self._scope["method"], "route": self.route, "status": status, "milliseconds": milliseconds}
        log.info("%s %s %s", self._scope["method"], self._scope["path"], status, extra={"fields": fields})

    async def _reply(self, status: int, body: bytes, extra: dict[str, str]) -> None:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in extra.items()]
        if body:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _known(error: Exception, scope: Scope) -> UnicartError | None:
    if isinstance(error, UnicartError):
        return error
    if isinstance(error, HTTPException):
        path: Any = scope["path"]
        if error.status_code == 404:
            return NotFound(f"There is no page at {path}", id=path)
        if error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "")
            return MethodNotAllowed(f"{scope['method']} is not allowed here. Allowed: {allowed}", allowed)
    return None


def _request_id(headers: list[tuple[bytes, bytes]]) -> bytes:
    for name, value in headers:
        if name == b"x-request-id" and _SANE_REQUEST_ID.fullmatch(value):
            return value
    return b"%s%08x" % (_PROCESS, next(_numbers))
