"""Requests of a client's own to the platform, and the platform's answers, wrapped."""

import base64
import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from unicart.api.body import Fields
from unicart.contract.errors import InvalidRequest
from unicart.sync.writes import Passed, Passthrough

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
BODIED = ("POST", "PUT", "PATCH")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
OURS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive", "expect"}
    | {"proxy-authorization", "proxy-connection"}
)
"""Headers that belong to the transport."""


def read_passthrough(fields: Fields) -> Passthrough:
    """The request of a body.

    Raises:
        InvalidRequest: naming each field that is wrong.
    """
    problems: dict[str, list[str]] = {}
    for name, problem in _problems(fields):
        problems.setdefault(name, []).append(problem)
    if problems:
        raise InvalidRequest("json", problems)
    return Passthrough(
        method=fields["method"].upper(),
        path=fields["path"],
        data=fields.get("data"),
        params=fields.get("params", {}),
        headers={name: str(value) for name, value in fields.get("headers", {}).items()},
    )


def _problems(fields: Fields) -> "list[tuple[str, str]]":
    found = [(name, "is required") for name in ("method", "path") if name not in fields]
    found += [(name, "is not a known field") for name in set(fields) - {"method", "path", "data", "params", "headers"}]
    method = fields.get("method", "GET")
    if not isinstance(method, str) or method.upper() not in METHODS:
        found.append(("method", f"must be one of: {', '.join(METHODS)}"))
    elif "data" in fields and method.upper() not in BODIED:
        found.append(("data", f"is for {', '.join(BODIED)} only"))
    if "path" in fields:
        found += [("path", problem) for problem in _path_problems(fields["path"])]
    for name in ("params", "headers"):
        if not isinstance(fields.get(name, {}), dict):
            found.append((name, "must be an object"))
    headers = fields.get("headers")
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if not HEADER_NAME.fullmatch(name) or name.lower() in OURS:
            found.append((f"headers.{name[:40]}", "may not be set"))
        elif not isinstance(value, str) or not (value.isascii() and value.isprintable()):
            found.append((f"headers.{name}", "must be a string of printable ASCII characters"))
    return found


def _path_problems(path: object) -> list[str]:
    """A path stays on the connection's own host, and below its base URL."""
    if not isinstance(path, str) or not path or len(path) > 4096:
        return ["must be a string of 1 to 4096 characters"]
    if not path.isascii() or not path.isprintable() or " " in path or "\\" in path:
        return ["must be percent-encoded"]
    if path.startswith("//") or ":" in path.split("/", 1)[0]:
        return ["must be a path on the platform, not a URL"]
    parts = urlsplit(path if path.startswith("/") else f"/{path}").path.lower().replace("%2e", ".").split("/")
    return ["must not climb with .."] if ".." in parts else []


def wrapped(answer: Passed) -> bytes:
    """``{"status_code", "headers", "body"}``; a body that is neither JSON nor text goes out in Base64, and says so."""
    shown: dict[str, Any] = {"status_code": answer.status, "headers": answer.headers, "body": None}
    try:
        text = answer.body.decode()
    except UnicodeDecodeError:
        shown |= {"body": base64.b64encode(answer.body).decode(), "body_encoding": "base64"}
        return msgspec.json.encode(shown)
    shown["body"] = text or None
    if text:
        try:
            msgspec.json.decode(answer.body)
            shown["body"] = msgspec.Raw(answer.body)
        except (msgspec.DecodeError, RecursionError):
            pass
    return msgspec.json.encode(shown)
