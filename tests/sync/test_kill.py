"""``unicart sync`` killed at random instants: nothing is lost, repeated or half-written, and each start goes on."""

import asyncio
import random
import signal
import time
from pathlib import Path

import httpx2
import msgspec
from sqlalchemy import select

from product import Unicart
from unicart.store.database import open_database
from unicart.store.tables import checkpoints

ORDERS = 20_000
KILLS = 6


def cursor(url: str) -> str | None:
    """The stored cursor of the orders."""

    async def read() -> str | None:
        database = await open_database(url)
        rows = await database.execute(select(checkpoints.c.cursor))
        await database.close()
        return rows[0][0] if rows else None

    return asyncio.run(read())


def lease_ends(url: str) -> None:
    """End the lease of a killed run, as if its time were over."""

    async def end() -> None:
        database = await open_database(url)
        async with database.write() as transaction:
            await transaction.execute(checkpoints.update().values(lease_until=0))
        await database.close()

    asyncio.run(end())


def test_runs_that_are_killed_add_up_to_the_whole_shop(fresh_url: str, tmp_path: Path) -> None:
    url = fresh_url
    unicart = Unicart(tmp_path / "data", url)
    unicart.connect("sandbox", "--orders", str(ORDERS))
    generator = random.Random(4)
    for _ in range(KILLS):
        before = cursor(url)
        process = unicart.start("sync", "--function", "get_orders")
        while cursor(url) == before:
            assert process.poll() is None, "the run ended before it stored a page"
        time.sleep(generator.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        lease_ends(url)
    pulled = unicart.sync()
    assert 0 < pulled["get_orders"] < ORDERS, "the last run goes on where the killed ones were"
    with unicart.serving(), httpx2.Client(base_url=unicart.base_url, headers=unicart.headers, timeout=60) as client:
        lines = client.get("/cart/orders", headers={"accept": "application/x-ndjson"}).content.splitlines()
    ids = [msgspec.json.decode(line)["id"] for line in lines]
    assert len(ids) == len(set(ids)) == ORDERS
