"""A real Medusa 2 on a PostgreSQL database of its own, for as long as a test needs it."""

import asyncio
import json
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import uuid
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg

from live import node

HERE = Path(__file__).resolve().parent
EMAIL, PASSWORD = "admin@example.com", "live tests"


class Refused(RuntimeError):
    """Medusa refused a request of a test."""


class Medusa:
    """A running Medusa. ``with Medusa(socket_directory) as shop:`` installs it if needed, migrates a new database of the
    PostgreSQL server behind that socket, starts Medusa, makes a secret API key, and stops it at the end.
    """

    def __init__(self, postgres: str) -> None:
        self.port = node.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.api_key = ""
        self.publishable_key = ""
        self.database = f"medusa_{uuid.uuid4().hex[:12]}"
        self._postgres = postgres
        self.headers: dict[str, str] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        packages = node.installed(HERE)
        shutil.copy(HERE / "medusa-config.js", packages / "medusa-config.js")
        socket = urllib.parse.quote(self._postgres, safe="")
        environment = {
            **node.node_environment(),
            "DATABASE_URL": f"postgres://postgres@{socket}/{self.database}",
            "MEDUSA_DISABLE_TELEMETRY": "1",
            "NODE_ENV": "production",
            "TZ": "UTC",
        }
        asyncio.run(self._create_database())
        medusa = ["node", str(packages / "node_modules" / "@medusajs" / "cli" / "cli.js")]
        node.run([*medusa, "db:migrate"], cwd=packages, environment=environment)
        node.run([*medusa, "user", "-e", EMAIL, "-p", PASSWORD], cwd=packages, environment=environment)
        with self._open as opening:
            work = Path(opening.enter_context(tempfile.TemporaryDirectory()))
            opening.enter_context(
                node.running(
                    [*medusa, "start", "-p", str(self.port)],
                    cwd=packages,
                    environment=environment,
                    log=work / "medusa.log",
                    healthy=self._healthy,
                )
            )
            self._log_in()
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """The answer of a GET of the Admin API."""
        return self._send("GET", path + ("?" + urllib.parse.urlencode(parameters) if parameters else ""), None)

    def post(self, path: str, body: Any = None) -> Any:
        """The answer of a POST of the Admin API.

        Raises:
            Refused: an error status, with Medusa's message.
        """
        return self._send("POST", path, {} if body is None else body)

    def delete(self, path: str) -> Any:
        """The answer of a DELETE of the Admin API."""
        return self._send("DELETE", path, None)

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(f"postgresql://postgres@/postgres?host={self._postgres}")
        await connection.execute(f'CREATE DATABASE "{self.database}"')
        await connection.close()

    def _log_in(self) -> None:
        token = self.post("/auth/user/emailpass", {"email": EMAIL, "password": PASSWORD})["token"]
        self.headers = {"authorization": f"Bearer {token}"}
        self.api_key = self.post("/admin/api-keys", {"title": "live tests", "type": "secret"})["api_key"]["token"]

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def _send(self, method: str, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", **self.headers}
        if path.startswith("/store/"):
            headers = {"content-type": "application/json", "x-publishable-api-key": self.publishable_key}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                return json.loads(reply.read())
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.code} {error.read().decode()[:2000]}") from error
