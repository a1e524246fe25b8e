"""Writes through our API to a platform that really runs."""

import json
import urllib.error
import urllib.request
from decimal import Decimal
from typing import Any

from product import Unicart


def sent(unicart: Unicart, method: str, path: str, body: Any, key: str) -> Any:
    """The answer of our API to a write."""
    headers = {**unicart.headers, "content-type": "application/json", "idempotency-key": key}
    request = urllib.request.Request(f"{unicart.base_url}{path}", json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply, parse_float=Decimal)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from error
