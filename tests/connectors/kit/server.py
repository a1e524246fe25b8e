"""A scripted HTTP server: it answers each request with the next of its answers, byte for byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

FOREVER = b""
"""An answer that never comes."""


@dataclass
class Request:
    """One request as the server saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """``answers`` are sent in turn, the last one for ever; ``requests`` are those that came."""

    url: str = ""
    answers: list[bytes] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def script(self, *answers: bytes) -> None:
        """Set what is answered from now on."""
        self.answers = list(answers)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, one request."""
        try:
            self.requests.append(await _read_request(reader))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer == FOREVER:
                await reader.read()
            writer.write(answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return Request(method, target, headers, await reader.readexactly(int(headers.get("content-length", 0))))


def answer(status: int, body: bytes = b"{}", length: int | None = None, **headers: str) -> bytes:
    """An HTTP answer. ``length`` is the announced length of the body, if not the true one."""
    lines = [f"HTTP/1.1 {status} Scripted", f"content-length: {len(body) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode() + body


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """A server on a free local port."""
    scripted = ScriptedServer(answers=[answer(200)])
    server = await asyncio.start_server(scripted.handle, "127.0.0.1", 0)
    scripted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted
    finally:
        server.close()
        await server.wait_closed()
