"""Load by wrk, and what it costs the servers."""

import re
import shutil
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence

import msgspec
import psutil

NEEDED = {"wrk": "wrk", "nginx": "nginx-light"}


class Missing(Exception):
    """A program that the benchmarks drive is not installed."""


class Failed(Exception):
    """A server did not answer as it should, so there is nothing to measure."""


class Load(msgspec.Struct, frozen=True):
    """What a server did in one round: requests per second, and its CPU seconds (user and system) per request."""

    rate: float
    cpu: float


class Target(msgspec.Struct, frozen=True):
    """Something to ask for. ``processes`` are the roots of all that work on the answer."""

    url: str
    headers: Mapping[str, str]
    processes: Sequence[int]


def require_programs() -> None:
    """See that all programs are there.

    Raises:
        Missing: naming the Debian packages to install.
    """
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        raise Missing(f"The benchmarks need these Debian packages: apt install {' '.join(missing)}")


def cpu_seconds(processes: Sequence[int]) -> float:
    """User and system seconds of the processes and their children so far."""
    total = 0.0
    for root in processes:
        process = psutil.Process(root)
        for each in (process, *process.children(recursive=True)):
            times = each.cpu_times()
            total += times.user + times.system
    return total


def drive(target: Target, seconds: int, connections: int = 8) -> Load:
    """Ask ``target`` from ``connections`` connections for ``seconds``.

    Raises:
        Failed: an answer was not 200.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "120s"]
    for name, value in target.headers.items():
        command += ["-H", f"{name}: {value}"]
    before = cpu_seconds(target.processes)
    printed = subprocess.run([*command, target.url], capture_output=True, text=True, check=True).stdout
    spent = cpu_seconds(target.processes) - before
    if "Non-2xx" in printed or "Socket errors" in printed:
        raise Failed(f"{target.url}: {printed}")
    requests = int(_number(r"(\d+) requests in", printed))
    return Load(_number(r"Requests/sec:\s+([\d.]+)", printed), spent / max(requests, 1))


def compare(one: Target, other: Target, seconds: int, rounds: int, connections: int = 8) -> tuple[Load, Load]:
    """Medians of ``rounds`` in which both are driven one after the other, so that both see the same machine."""
    drive(one, 1, connections)
    drive(other, 1, connections)
    pairs = [(drive(one, seconds, connections), drive(other, seconds, connections)) for _ in range(rounds)]
    return _median([first for first, _ in pairs]), _median([second for _, second in pairs])


def median_of(measure: Callable[[], float], rounds: int) -> float:
    """The median of ``rounds`` measurements."""
    return statistics.median(measure() for _ in range(rounds))


def _median(loads: Sequence[Load]) -> Load:
    return Load(statistics.median(load.rate for load in loads), statistics.median(load.cpu for load in loads))


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise Failed(f"wrk printed something unknown: {text}")
    return float(found[1])
