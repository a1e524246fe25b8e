"""Responses: finished bytes, and streams of documents; both compressed as the client accepts it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from unicart.api import compression

JSON = (b"content-type", b"application/json")
NDJSON = (b"content-type", b"application/x-ndjson")
EVENT_STREAM = (b"content-type", b"text/event-stream")
VARY = (b"vary", b"accept, accept-encoding")


class Reply:
    """A complete response of finished bytes."""

    def __init__(self, body: bytes, content_type: tuple[bytes, bytes] = JSON, status: int = 200) -> None:
        self.body = body
        self.content_type = content_type
        self.status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, headers = self.body, [self.content_type, VARY]
        coding = _coding(scope) if len(body) >= compression.SMALLEST else None
        if coding:
            body = compression.compress(coding, body)
            headers.append((b"content-encoding", coding.encode()))
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Stream:
    """A response of parts as they come, in constant memory. Empty parts only let it see whether the client is gone."""

    def __init__(
        self, parts: AsyncGenerator[bytes, None], content_type: tuple[bytes, bytes], *, compressed: bool = True
    ) -> None:
        self._parts = parts
        self._content_type = content_type
        self._compressed = compressed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        coding = _coding(scope) if self._compressed else None
        headers = [self._content_type, VARY]
        if coding:
            headers.append((b"content-encoding", coding.encode()))
        async with aclosing(self._parts):
            wanted = scope["method"] != "HEAD"
            # Before the answer begins, so that a store that fails is an error, not a stream that breaks off.
            first = await anext(self._parts, b"") if wanted else b""
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            gone = asyncio.ensure_future(_disconnected(receive))
            try:
                if wanted:
                    await self._send_all(first, send, compression.stream(coding) if coding else None, gone)
            finally:
                gone.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _send_all(
        self, first: bytes, send: Send, stream: compression.Stream | None, gone: "asyncio.Future[None]"
    ) -> None:
        async for part in _joined(first, self._parts):
            body = stream.compress(part) if stream else part
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(0)
            if gone.done():
                return
        if stream:
            await send({"type": "http.response.body", "body": stream.flush(), "more_body": True})


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part


async def lines(batches: AsyncGenerator[list[bytes], None]) -> AsyncGenerator[bytes, None]:
    """NDJSON of documents."""
    async with aclosing(batches):
        async for documents in batches:
            documents.append(b"")
            yield b"\n".join(documents)


class Endpoint:
    """A handler as the ASGI application of a route.

    Starlette would wrap a plain function in a layer that renders errors; ours are rendered by the gateway, for all routes.
    """

    def __init__(self, handle: "Callable[[Request], Awaitable[Reply | Stream]]") -> None:
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = await self._handle(Request(scope, receive))
        await reply(scope, receive, send)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def header(scope: Scope, wanted: bytes) -> bytes:
    """The value of the request's header ``wanted`` (lower case), empty if there is none."""
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value)
    return b""


def accepts(scope: Scope, media_type: bytes) -> bool:
    """Whether the request asks for ``media_type`` by name."""
    return media_type in header(scope, b"accept").lower()


def _coding(scope: Scope) -> str | None:
    return compression.negotiate(header(scope, b"accept-encoding"))
