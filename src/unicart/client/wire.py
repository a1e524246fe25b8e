"""What both clients share about HTTP."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from unicart import __version__
from unicart.client.errors import BadAnswer, NotReached

log = logging.getLogger("unicart.client")

LATEST = "latest"
"""The cursor of what happens from now on."""
PAUSE = 1.0
"""Seconds before a stream that ended is opened again."""
_UNSENT = (httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ConnectError)


def credentials(api_key: str, access_token: str | None) -> dict[str, str]:
    """The headers of every request."""
    token = {} if access_token is None else {"x-trackstar-access-token": access_token}
    return {
        "user-agent": f"unicart-client/{__version__}",
        "content-type": "application/json",
        "x-trackstar-api-key": api_key,
        **token,
    }


@contextmanager
def reached(request: httpx2.Request) -> Iterator[None]:
    """Tell what goes wrong on the way as `NotReached`."""
    try:
        yield
    except httpx2.RequestError as error:
        shown = f"{request.method} {request.url.copy_with(query=None)}"
        reason = str(error) or type(error).__name__
        sent = not isinstance(error, _UNSENT)
        raise NotReached(f"{shown} was not answered: {reason}", sent=sent) from error


def check_stream(response: httpx2.Response) -> None:
    """Refuse what is no event stream, as a proxy may send it."""
    kind = response.headers.get("content-type", "")
    if not kind.startswith("text/event-stream"):
        raise BadAnswer(f"The events came as {kind!r}, not as a stream", response.headers.get("x-request-id"))
