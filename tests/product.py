"""Our product as its users run it: the command line and the API, over a store of its own."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from unicart.client import Client, Retries

COMMAND = str(Path(sys.executable).with_name("unicart"))


class Unicart:
    """Unicart in a data directory of its own, on SQLite there or on the database of ``database_url``."""

    def __init__(self, data_dir: Path, database_url: str = "") -> None:
        self._data_dir = data_dir
        self.environment = {**os.environ, "UNICART_DATABASE_URL": database_url}
        self.store_url = database_url or f"sqlite:///{data_dir.absolute() / 'unicart.db'}"
        self.base_url = ""
        self.headers: dict[str, str] = {}

    def start(self, *arguments: str, log: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
        """A command that runs on; its stdout is a pipe, its stderr goes to ``log``."""
        return subprocess.Popen(
            self._command(*arguments), stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment
        )

    def run(self, *arguments: str, fails: bool = False, timeout: float = 300) -> str:
        """What a command prints on stdout; on stderr, where it ends with status 1 because it ``fails``."""
        done = self._ended(*arguments, timeout=timeout)
        assert done.returncode == int(fails), done.stdout + done.stderr
        return str(done.stderr if fails else done.stdout)

    def connect(self, integration: str, *options: str) -> str:
        """Add a connection and return its id; the API is then asked for this connection.

        Its first sync pulls every order, however old, unless ``options`` say otherwise.
        """
        added = json.loads(self.run("connection", "add", integration, "--history-days", "0", *options, "--json"))
        key = json.loads(self.run("key", "create", "--json"))["api_key"]
        self.headers = {"x-trackstar-api-key": key, "x-trackstar-access-token": added["access_token"]}
        return str(added["connection_id"])

    def sync(self, timeout: float = 300) -> dict[str, int]:
        """Sync, and tell how many records of the platform each function pulled."""
        done = self._ended("sync", timeout=timeout)
        assert done.returncode == 0, done.stderr
        found = re.findall(r" (get_\w+): ([\d,]+) pulled", done.stderr)
        return {function: int(count.replace(",", "")) for function, count in found}

    def show(self, connection_id: str) -> Any:
        """What ``unicart connection show`` says."""
        return json.loads(self.run("connection", "show", connection_id, "--json"))

    @contextmanager
    def serving(self, *options: str) -> Iterator[None]:
        """The API, for the length of the block; without a worker, so that only `sync` syncs."""
        with ending(self.start("serve", "--port", "0", "--no-rate-limit", *(options or ("--no-worker",)))) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if "http://" in line:
                    self.base_url = line[line.index("http://") :].strip()
                    break
            yield

    def client(self) -> Client:
        """A client of the API that is served, for the connection that was added last."""
        key, token = self.headers["x-trackstar-api-key"], self.headers["x-trackstar-access-token"]
        return Client(self.base_url, key, token, retries=Retries(attempts=12))

    def ask(self, path: str) -> Any:
        """What the API answers, with decimal numbers."""
        request = urllib.request.Request(f"{self.base_url}{path}", headers=self.headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply, parse_float=Decimal)

    def get(self, path: str) -> dict[str, dict[str, Any]]:
        """All records of a list, by id, with decimal numbers."""
        answer = self.ask(path)
        assert answer["next_token"] is None
        return {record["id"]: record for record in answer["data"]}

    def _command(self, *arguments: str) -> list[str]:
        return [COMMAND, *arguments, "--data-dir", str(self._data_dir)]

    def _ended(self, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
        command = self._command(*arguments)
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, env=self.environment
        )


@contextmanager
def ending(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """``process``, stopped by SIGTERM at the end of the block; a server that is stopped so ends with status 0."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0


@contextmanager
def demo(data_dir: Path, *options: str, database_url: str = "") -> Iterator[dict[str, Any]]:
    """``unicart demo --json`` on any free port, and the one line that it prints; its log is ``data_dir`` + ``.log``."""
    unicart = Unicart(data_dir, database_url)
    with data_dir.with_suffix(".log").open("a") as log:
        process = unicart.start("demo", "--json", "--port", "0", *options, log=log)
    with ending(process):
        assert process.stdout is not None
        access: dict[str, Any] = json.loads(process.stdout.readline())
        yield access
