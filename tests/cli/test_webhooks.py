"""Webhooks of a running server: from a change to the receiver, with no other command than serve."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from events.receiver import receiving, verified
from product import demo
from unicart.client import AsyncClient, verify_webhook

pytestmark = pytest.mark.anyio


async def test_a_change_is_sent_to_an_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNICART_WEBHOOK_PRIVATE_NETWORK", "true")
    with demo(tmp_path / "data", "--orders", "20", "--no-rate-limit") as access:
        async with (
            receiving() as receiver,
            AsyncClient(access["base_url"], access["api_key"], access["access_token"]) as client,
        ):
            headers = {"x-trackstar-api-key": access["api_key"]}
            url = f"{access['base_url']}/webhooks"
            made = httpx2.post(url, json={"url": receiver.url}, headers=headers).json()["data"]
            order = await anext(client.orders(page_size=1))
            tagged = await client.tag_order(order.id, ["sent"])
            while not receiver.got:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            assert verified(receiver.got[0], made["secret"])
            event = verify_webhook(made["secret"], receiver.got[0].body, receiver.got[0].headers)
            assert (event.event_type, event.record) == ("cart-order.updated", tagged)
            assert [each async for each in client.events(event_types=["cart-order.updated"])] == [event]
