"""One request to a webhook endpoint: signed, to a public address, and never for longer than a receiver may take."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx2
from standardwebhooks import Webhook

from unicart import tracing
from unicart.connectors.kit.targets import PrivateTarget, PublicTransport, certificates
from unicart.store.events import Stored
from unicart.store.webhooks import Attempt

TIMEOUT = 15.0
"""Seconds that a receiver has to answer."""
CONCURRENCY = 16
QUOTED = 300
PRIVATE = "An operator can allow that with UNICART_WEBHOOK_PRIVATE_NETWORK=true."
DESCRIPTIONS = {410: "The receiver says that it is gone for good."}


class Sender:
    """Sends to one URL; its connections are shared with no other endpoint."""

    def __init__(self, url: str, *, private_network: bool, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout
        self._free = asyncio.Semaphore(CONCURRENCY)
        transport = httpx2.AsyncHTTPTransport(verify=certificates()) if private_network else PublicTransport()
        self._client = httpx2.AsyncClient(timeout=timeout, follow_redirects=False, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._client.aclose()

    async def send(self, event: Stored, secrets: Sequence[str]) -> Attempt:
        """Send one event, and tell how it went. Whatever goes wrong is in the attempt, not raised."""
        async with self._free:
            attempted, started = time.time(), time.perf_counter()
            with tracing.span("webhook delivery", {"unicart.event_id": event.id}, kind="client"):
                status, error = await self._status(message_id(event.id), event.written(), secrets)
            return Attempt(
                event_id=event.id,
                event_type=event.type,
                attempted_ms=int(attempted * 1000),
                latency_ms=int((time.perf_counter() - started) * 1000),
                delivered=status is not None and 200 <= status < 300,
                status=status,
                error=error,
            )

    async def _status(self, id: str, body: bytes, secrets: Sequence[str]) -> tuple[int | None, str | None]:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._request(id, body, secrets)
        except TimeoutError:
            return None, f"No answer within {self._timeout:g} s."
        except PrivateTarget as error:
            return None, f"{error}. {PRIVATE}"
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            return None, (str(error) or type(error).__name__)[:QUOTED]

    async def _request(self, id: str, body: bytes, secrets: Sequence[str]) -> tuple[int, str | None]:
        headers = {"content-type": "application/json", "user-agent": "unicart", **signed(id, body, secrets)}
        async with self._client.stream("POST", self._url, content=body, headers=headers) as response:
            status = response.status_code
            if 200 <= status < 300:
                # A short answer is read, so that the connection can be used again.
                if int(response.headers.get("content-length", QUOTED + 1)) <= QUOTED:
                    await response.aread()
                return status, None
            if 300 <= status < 400:
                return status, "Redirects are not followed. Enter the URL that it leads to."
            return status, DESCRIPTIONS.get(status) or await _beginning(response)


def message_id(event_id: int) -> str:
    """The id of an event's message, the same at every attempt, by which a receiver knows one that it has had."""
    return f"msg_{event_id}"


def signed(id: str, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of Standard Webhooks under both of their names, with a signature by each secret."""
    now = datetime.now(UTC)
    signature = " ".join(Webhook(secret).sign(id, now, body.decode()) for secret in secrets)
    values = {"id": id, "timestamp": str(int(now.timestamp())), "signature": signature}
    return {f"{family}-{name}": value for family in ("webhook", "svix") for name, value in values.items()}


async def _beginning(response: httpx2.Response) -> str:
    """The first characters of an answer, to be shown with the attempt."""
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size >= QUOTED:
            break
    return b"".join(parts).decode("utf-8", "replace").replace("\x00", "")[:QUOTED]
