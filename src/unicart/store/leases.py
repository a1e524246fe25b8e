"""Leases name the process that holds them, so that those of one that was killed are free at once, not when they run out.

Whoever finds a lease lost writes nothing, so that even a wrong guess about a process costs only a repeated page.
"""

import os
import secrets
import socket
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Table, select, update

from unicart.store.database import Database
from unicart.store.tables import checkpoints, schedules, sync_jobs, webhook_endpoints


class Process(msgspec.Struct, frozen=True):
    """A process of this or another machine. ``boot`` and ``space`` tell apart process numbers that were given twice."""

    host: str
    boot: str
    space: str
    pid: int
    started: str
    name: str

    def written(self) -> str:
        """The text that a lease holds."""
        return msgspec.json.encode(self).decode()


def this_process() -> str:
    """A name for this process as the owner of leases, new at every call."""
    return _process(os.getpid(), secrets.token_hex(8)).written()


def is_dead(owner: str) -> bool:
    """Whether the owner of a lease ran on this machine and does not any more."""
    try:
        held = msgspec.json.decode(owner, type=Process)
    except msgspec.DecodeError:
        return False
    if held.host != socket.gethostname():
        return False
    now = _process(held.pid, held.name)
    return now != held or not _runs(held.pid)


def _process(pid: int, name: str) -> Process:
    return Process(
        host=socket.gethostname(),
        boot=_read("/proc/sys/kernel/random/boot_id"),
        space=_link("/proc/self/ns/pid"),
        pid=pid,
        started=_started(pid),
        name=name,
    )


def _started(pid: int) -> str:
    """When a process began, in the kernel's ticks: the 22nd field, counted behind the name, which may hold spaces."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


async def release_dead(database: Database, now: int) -> int:
    """Free what processes hold that were killed on this machine; returns how many leases that were.

    Syncs are due again at ``now`` (epoch seconds), and go on behind their last page.
    """
    found = 0
    for table, owner, free in (
        (checkpoints, "lease_owner", {"lease_owner": None, "lease_until": 0}),
        (webhook_endpoints, "lease_owner", {"lease_owner": None, "lease_until": 0}),
        (schedules, "owner", {"owner": None, "due": now}),
        (sync_jobs, "owner", {"owner": None, "due": now}),
    ):
        found += await _release(database, table, owner, free)
    return found


async def _release(database: Database, table: Table, owner: str, free: dict[str, Any]) -> int:
    column = table.c[owner]
    rows = await database.execute(select(column).where(column.is_not(None)).distinct())
    dead = [row[0] for row in rows if is_dead(row[0])]
    if not dead:
        return 0
    async with database.write() as transaction:
        freed = await transaction.execute(update(table).where(column.in_(dead)).values(**free).returning(column))
    return len(freed)
