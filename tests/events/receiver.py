"""A receiver of webhooks: verifies each as its users would, and answers as the test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import standardwebhooks
import svix

from connectors.kit.server import Request, _read_request, answer

Answer = Callable[[Request], Awaitable[bytes]]


class Receiver:
    """``got`` are the requests that came, ``events`` their bodies; ``answers`` decides what is answered."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[Request] = []
        self.answers: Answer = accept

    @property
    def events(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(request.body) for request in self.got]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, one request."""
        try:
            request = await _read_request(reader)
            self.got.append(request)
            writer.write(await self.answers(request))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def accept(_: Request) -> bytes:
    return answer(204, b"")


async def refuse(_: Request) -> bytes:
    return answer(500, b'{"problem": "mine"}')


async def never(_: Request) -> bytes:
    await asyncio.Event().wait()
    return b""


def verified(request: Request, secret: str) -> bool:
    """Whether both public libraries accept the request."""
    text = request.body.decode()
    for kind, errors in (
        (standardwebhooks.Webhook, standardwebhooks.WebhookVerificationError),
        (svix.Webhook, svix.WebhookVerificationError),
    ):
        family = "webhook" if kind is standardwebhooks.Webhook else "svix"
        headers = {name: value for name, value in request.headers.items() if name.startswith(family)}
        try:
            kind(secret).verify(text, headers)
        except errors:
            return False
    return True


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free local port."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    try:
        yield receiver
    finally:
        server.close()
