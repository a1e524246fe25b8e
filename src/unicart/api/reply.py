"""Responses: finished bytes, and streams of documents; both compressed as the client accepts it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from unicart.api import compression

JSON = (b"content-type", b"application/json")
NDJSON = (b"content-type", b"application/x-ndjson")
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


class NdjsonStream:
    """A response of all remaining documents of a walk, a line each, in constant memory."""

    def __init__(self, batches: AsyncIterator[list[bytes]]) -> None:
        self._batches = batches

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        coding = _coding(scope)
        headers = [NDJSON, VARY]
        if coding:
            headers.append((b"content-encoding", coding.encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            if scope["method"] != "HEAD":
                await self._send_all(send, compression.stream(coding) if coding else None, gone)
        finally:
            gone.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _send_all(self, send: Send, stream: compression.Stream | None, gone: "asyncio.Future[None]") -> None:
        async for documents in self._batches:
            documents.append(b"")
            lines = b"\n".join(documents)
            body = stream.compress(lines) if stream else lines
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(0)
            if gone.done():
                return
        if stream:
            await send({"type": "http.response.body", "body": stream.flush(), "more_body": True})


class Endpoint:
    """A handler as the ASGI application of a route.

    Starlette would wrap a plain function in a layer that renders errors; ours are rendered by the gateway, for all routes.
    """

    def __init__(self, handle: "Callable[[Request], Awaitable[Reply | NdjsonStream]]") -> None:
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


def _coding(scope: Scope) -> str | None:
    return compression.negotiate(header(scope, b"accept-encoding"))
