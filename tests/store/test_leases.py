"""Leases of processes that were killed are free at once, and of nobody else."""

import subprocess
import sys

import msgspec
import pytest

from unicart.store import checkpoints, leases, schedules
from unicart.store.database import Database
from unicart.store.leases import Process
from unicart.store.tenants import Connection

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000
ORDERS = "get_orders"


def another_process() -> tuple[subprocess.Popen[str], str]:
    """A process that lives until its standard input ends, and its name as an owner."""
    code = (
        "import sys; from unicart.store.leases import this_process; print(this_process(), flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_process_is_dead_once_it_was_killed() -> None:
    process, owner = another_process()
    assert not leases.is_dead(owner)
    process.kill()
    process.communicate()
    assert leases.is_dead(owner)


def test_each_name_of_this_process_is_its_own_and_alive() -> None:
    first, second = leases.this_process(), leases.this_process()
    assert first != second
    assert not leases.is_dead(first)


@pytest.mark.parametrize(
    ("change", "dead"),
    [
        ({"host": "elsewhere"}, False),
        ({"boot": "an earlier one"}, True),
        ({"space": "a container that was replaced"}, True),
        ({"started": "0"}, True),
    ],
)
def test_process_numbers_that_are_given_again_are_told_apart(change: dict[str, str], dead: bool) -> None:
    mine = msgspec.json.decode(leases.this_process(), type=Process)
    assert leases.is_dead(msgspec.structs.replace(mine, **change).written()) is dead


@pytest.mark.parametrize("owner", ["", "4f1e", "{}", "null"])
def test_an_owner_of_another_form_is_not_judged(owner: str) -> None:
    assert not leases.is_dead(owner)


async def test_what_a_killed_process_held_is_free_and_due(database: Database, connection: Connection) -> None:
    process, owner = another_process()
    mine = leases.this_process()
    for name, holder in ((ORDERS, owner), ("get_products", mine)):
        assert await checkpoints.acquire(database, connection.key, name, holder, NOW, 120) is not None
    await leases.release_dead(database, NOW)
    assert await checkpoints.acquire(database, connection.key, ORDERS, mine, NOW, 120) is None, "it is alive"
    process.kill()
    process.communicate()
    assert await leases.release_dead(database, NOW) >= 1
    assert await checkpoints.acquire(database, connection.key, ORDERS, mine, NOW, 120) is not None
    assert await checkpoints.acquire(database, connection.key, "get_products", owner, NOW, 120) is None


async def test_a_schedule_that_a_killed_process_claimed_is_due_at_once(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, owner = another_process()
    await schedules.put(database, connection.key, {ORDERS: 60}, NOW)
    monkeypatch.setattr(schedules, "this_process", lambda: owner)
    mine = [each for each in await schedules.claim(database, NOW, 1000, 120) if each.connection.id == connection.id]
    assert len(mine) == 1
    process.kill()
    process.communicate()
    await leases.release_dead(database, NOW)
    (schedule,) = await schedules.list_schedules(database, connection.key)
    assert schedule.due == NOW
