"""Logs: what a line says, that it can be found by its request and its connection, and that it tells no secret."""

import io
import json
import logging
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from product import Unicart
from sync.platform import orders
from sync.shops import Shops, work
from unicart import logs
from unicart.connectors.kit import PlatformUnavailable
from unicart.store.database import Database
from unicart.store.secrets import Vault, new_secret, new_webhook_secret
from unicart.store.tables import schedules, sync_jobs
from unicart.store.tenants import Organization

ORDERS = "/cart/orders?status=open&limit=1"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged in JSON from now on."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    stream = io.StringIO()
    logs.set_up("info", "json", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_request_is_found_by_its_id_and_its_connection(tmp_path: Path) -> None:
    unicart = Unicart(tmp_path / "data")
    unicart.environment |= {"UNICART_LOG_FORMAT": "json", "UNICART_LOG_REQUESTS": "true"}
    connection_id = unicart.connect("sandbox", "--orders", "5")
    process = unicart.start("api", "--port", "0", log=subprocess.PIPE)
    assert process.stderr is not None
    url = next(line for line in process.stderr if "http://" in line).split()[-1]
    request = urllib.request.Request(f"{url}{ORDERS}", headers={**unicart.headers, "x-request-id": "ours-1"})
    urllib.request.urlopen(request, timeout=60).read()
    process.terminate()
    _, text = process.communicate(timeout=60)
    (line,) = [line for line in lines(text) if line.get("request_id") == "ours-1"]
    assert line["connection_id"] == connection_id
    assert (line["level"], line["method"], line["route"], line["status"]) == ("info", "GET", "/cart/orders", 200)
    assert line["message"] == "GET /cart/orders 200"
    assert line["milliseconds"] >= 0
    for secret in unicart.headers.values():
        assert secret not in text


@pytest.mark.anyio
async def test_what_a_sync_logs_names_its_connection(
    database: Database, vault: Vault, organization: Organization, log: io.StringIO
) -> None:
    async with database.write() as transaction:
        # What other tests have left in a shared store would be synced too.
        for table in (schedules, sync_jobs):
            await transaction.execute(table.delete())
    shops = Shops(database, vault, organization)
    failing, platform = await shops.add(orders("1"))
    await shops.add(orders("1"))

    async def down(number: int) -> None:
        raise PlatformUnavailable("The shop is down.")

    platform.before = down
    await work(shops.worker())
    logging.getLogger("unicart").error("elsewhere")
    *of_sync, other = lines(log.getvalue())
    assert {line["connection_id"] for line in of_sync} == {failing.id}
    assert {line["function"] for line in of_sync} == {"get_orders"}
    assert any("The shop is down." in line["message"] for line in of_sync)
    assert "connection_id" not in other


@pytest.mark.parametrize(
    "secret",
    [
        new_secret("uc_key"),
        new_secret("uc_tok"),
        new_webhook_secret(),
        "postgresql://unicart:hunter2@db/unicart",
        "Authorization: Bearer abcdefgh.ijkl",
    ],
    ids=["key", "token", "webhook", "url", "header"],
)
def test_no_secret_is_logged(log: io.StringIO, secret: str) -> None:
    hidden = {"postgresql://unicart:hunter2@db/unicart": "hunter2", "Authorization: Bearer abcdefgh.ijkl": "abcdefgh"}
    try:
        raise ValueError(f"cannot use {secret}")
    except ValueError:
        logging.getLogger("unicart").exception("with %s,", secret, extra={"fields": {"detail": secret}})
    text = log.getvalue()
    assert hidden.get(secret, secret) not in text
    assert text.count("***") >= 3
    (line,) = lines(text)
    assert "ValueError" in line["exception"]
