"""Our product as its users run it: the command line and the API, over a store of its own."""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("unicart"))


class Unicart:
    """Unicart in a data directory of its own."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.base_url = ""
        self.headers: dict[str, str] = {}

    def run(self, *arguments: str, fails: bool = False) -> str:
        """What a command prints on stdout; on stderr, where it ends with status 1 because it ``fails``."""
        command = [COMMAND, *arguments, "--data-dir", str(self._data_dir)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == int(fails), done.stdout + done.stderr
        return str(done.stderr if fails else done.stdout)

    def connect(self, integration: str, *options: str) -> str:
        """Add a connection and return its id; the API is then asked for this connection."""
        added = json.loads(self.run("connection", "add", integration, *options, "--json"))
        key = json.loads(self.run("key", "create", "--json"))["api_key"]
        self.headers = {"x-trackstar-api-key": key, "x-trackstar-access-token": added["access_token"]}
        return str(added["connection_id"])

    def sync(self, timeout: float = 300) -> dict[str, int]:
        """Sync, and tell how many records of the platform each function pulled."""
        command = [COMMAND, "sync", "--data-dir", str(self._data_dir)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, done.stderr
        found = re.findall(r" (get_\w+): ([\d,]+) pulled", done.stderr)
        return {function: int(count.replace(",", "")) for function, count in found}

    def show(self, connection_id: str) -> Any:
        """What ``unicart connection show`` says."""
        return json.loads(self.run("connection", "show", connection_id, "--json"))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The API, for the length of the block."""
        command = [COMMAND, "serve", "--port", "0", "--no-rate-limit", "--data-dir", str(self._data_dir)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if "http://" in line:
                    self.base_url = line[line.index("http://") :].strip()
                    break
            yield
        finally:
            process.terminate()
            process.wait(20)
            process.stderr.close()

    def get(self, path: str) -> dict[str, dict[str, Any]]:
        """All records of a list, by id, with decimal numbers."""
        request = urllib.request.Request(f"{self.base_url}{path}", headers=self.headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer = json.load(reply, parse_float=Decimal)
        assert answer["next_token"] is None
        return {record["id"]: record for record in answer["data"]}
