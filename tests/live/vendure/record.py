"""Records the connector's fixtures from a real Vendure: ``cd tests && python -m live.vendure.record``."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import unicart.connectors.vendure
from live.vendure import seed
from live.vendure.platform import PASSWORD, USERNAME, Vendure
from unicart.connectors.kit import Pull, Session
from unicart.connectors.kit.http import Reply
from unicart.connectors.vendure.client import VendureConnector
from unicart.contract.resources import Function

FIXTURES = Path(unicart.connectors.vendure.__file__).parent / "fixtures"
OPERATIONS = {
    Function.GET_ORDERS: "query Orders(",
    Function.GET_PRODUCTS: "query Products(",
    Function.GET_WAREHOUSES: "query StockLocations(",
}


class Recorder(Session):
    """A session that keeps what went through it."""

    exchanges: list[tuple[Any, Reply]]

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        once: bool = False,
    ) -> Reply:
        reply = await super().request(method, path, params=params, json=json, headers=headers, once=once)
        self.exchanges.append((json, reply))
        return reply


async def record(url: str) -> None:
    """Write one fixture for each function."""
    session = Recorder(VendureConnector.base_url({"url": url}), private_network=True)
    session.exchanges = []
    platform = VendureConnector({"url": url, "username": USERNAME, "password": PASSWORD}, session)
    for function, operation in OPERATIONS.items():
        found = [page async for page in platform.pull(function, Pull())]
        body, reply = next(each for each in session.exchanges if each[0]["query"].startswith(operation))
        fixture = {
            "request": {"method": "POST", "path": "/admin-api", "body": body},
            "response": {
                "status": reply.status,
                "headers": {"content-type": reply.headers["content-type"]},
                "body": json.loads(reply.body),
            },
            "records": [json.loads(raw) for raw in found[0].records],
        }
        text = json.dumps(fixture, ensure_ascii=False, indent=1)
        (FIXTURES / f"{function.value}.json").write_text(f"{text}\n", encoding="utf-8")
    await session.close()


if __name__ == "__main__":
    with Vendure() as platform:
        seed.fill(platform)
        asyncio.run(record(platform.url))
