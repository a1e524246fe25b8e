"""Webhooks of a running server: from a change to the receiver, with no other command than serve."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from events.receiver import receiving, verified
from product import demo

pytestmark = pytest.mark.anyio


async def test_a_change_is_sent_to_an_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNICART_WEBHOOK_PRIVATE_NETWORK", "true")
    with demo(tmp_path / "data", "--orders", "20", "--no-rate-limit") as access:
        headers = {"x-trackstar-api-key": access["api_key"], "x-trackstar-access-token": access["access_token"]}
        async with (
            receiving() as receiver,
            httpx2.AsyncClient(base_url=access["base_url"], headers=headers, timeout=30) as client,
        ):
            made = (await client.post("/webhooks", json={"url": receiver.url})).json()["data"]
            order = (await client.get("/cart/orders", params={"limit": 1})).json()["data"][0]
            tags = {"trackstar_tags": ["sent"]}
            (await client.put(f"/cart/orders/{order['id']}/trackstar-tags", json=tags)).raise_for_status()
            while not receiver.got:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            assert verified(receiver.got[0], made["secret"])
            (event,) = receiver.events
            assert (event["event_type"], event["data"]["trackstar_tags"]) == ("cart-order.updated", ["sent"])
            feed = (await client.get("/events", params={"event_type": "cart-order.updated"})).json()["data"]
            assert feed == [event]
