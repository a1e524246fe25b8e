"""Logs: text or JSON lines, with the request and the connection that a line is about, and without secrets."""

import json
import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TextIO

from unicart import tracing

NOISY = ("httpx2", "httpcore2", "stamina", "alembic", "uvicorn.error", "opentelemetry", "urllib3")

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))
_SECRET = re.compile(
    r"\b(?P<kind>uc_[a-z]+_|whsec_)[A-Za-z0-9+/=_-]{16,}"
    r"|(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@"
    r"|(?P<login>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}",
    re.IGNORECASE,
)


def about(**fields: str) -> None:
    """Say what this task's log lines are about from now on: ``connection_id``, ``request_id`` and so on."""
    _about.set({**_about.get(), **fields})


def set_up(level: str, format: str, stream: TextIO | None = None) -> None:
    """Write logs of ``level`` and above to ``stream``, stderr if there is none, in ``format``."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonLines() if format == "json" else _Text("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)


def without_secrets(text: str) -> str:
    """``text`` without keys, tokens and secrets of Unicart, logins of HTTP, and users and passwords of URLs."""
    return _SECRET.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    if found["scheme"]:
        return f"{found['scheme']}***@"
    return f"{found['kind'] or found['login']}***"


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


class _JsonLines(logging.Formatter):
    """One JSON object a line; whatever ``extra`` holds as ``fields`` is part of it."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about.get(),
            **tracing.ids(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: _plain(value) for name, value in line.items()}, ensure_ascii=False)


def _plain(value: object) -> object:
    return value if isinstance(value, int | float) else without_secrets(str(value))
