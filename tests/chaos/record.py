"""Record the hostile connector's fixtures: ``python -m chaos.record`` in ``tests``."""

from pathlib import Path
from typing import Any

import httpx2
import msgspec

import unicart.connectors.hostile
from chaos.faults import CALM
from chaos.platform import FUNCTIONS, Platform

FIXTURES = Path(unicart.connectors.hostile.__file__).parent / "fixtures"
HEADERS = ("content-type", "content-length")


def exchange(client: httpx2.Client, path: str) -> dict[str, Any]:
    """One request and its answer."""
    reply = client.get(path)
    body = reply.json()
    headers = {name: reply.headers[name] for name in HEADERS}
    return {
        "request": {"method": "GET", "path": path},
        "response": {"status": reply.status_code, "headers": headers, "body": body},
        "records": body["items"],
    }


def main() -> None:
    """Record a small shop in which much has happened."""
    with Platform(seed=7, orders=30, products=8, rates=CALM) as platform:
        platform.change(150)
        platform.calm()
        with httpx2.Client(base_url=platform.url) as client:
            client.headers["authorization"] = f"Bearer {platform.new_token()}"
            for kind, function in FUNCTIONS.items():
                recorded = msgspec.json.encode(exchange(client, f"/{kind}?order=updated_at&limit=100"))
                (FIXTURES / f"{function.value}.json").write_bytes(msgspec.json.format(recorded, indent=1) + b"\n")


if __name__ == "__main__":
    main()
