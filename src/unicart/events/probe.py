"""Whether a URL is answered, and what time it is there."""

import secrets
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx2
import msgspec

from unicart.connectors.kit.targets import BadTarget, PrivateTarget, PublicTransport, certificates

TIMEOUT = 10.0
REQUEST_ID = "x-request-id"


class Unanswered(Exception):
    """There is no answer; the message says why."""


class Probe(msgspec.Struct, frozen=True):
    """An answer. ``clock_offset`` is how far the other clock is ahead of ours, if it tells the time.

    ``echoed`` is whether it names the id that our request had, as Unicart does.
    """

    status: int
    echoed: bool
    clock_offset: timedelta | None


async def probe(url: str, *, private_network: bool, method: Literal["HEAD", "POST"]) -> Probe:
    """Ask ``url`` once, without any secret.

    Raises:
        Unanswered: it cannot be reached, or not in ten seconds.
    """
    transport = httpx2.AsyncHTTPTransport(verify=certificates()) if private_network else PublicTransport()
    async with httpx2.AsyncClient(timeout=TIMEOUT, follow_redirects=False, transport=transport) as client:
        try:
            id = secrets.token_hex(16)
            headers = {"user-agent": "unicart", REQUEST_ID: id}
            async with client.stream(method, url, headers=headers) as response:
                echoed = response.headers.get(REQUEST_ID) == id
                return Probe(response.status_code, echoed, _offset(response.headers.get("date", "")))
        except (httpx2.HTTPError, httpx2.InvalidURL, BadTarget, PrivateTarget, OSError, ValueError) as error:
            raise Unanswered(str(error) or type(error).__name__) from error


def _offset(date: str) -> timedelta | None:
    try:
        return parsedate_to_datetime(date) - datetime.now(UTC)
    except (ValueError, TypeError):
        return None
