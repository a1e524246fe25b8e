"""A real Vendure 3 in a process of its own, with an empty in-memory database, for as long as a test needs it."""

import json
import shutil
import tempfile
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from live import node

HERE = Path(__file__).resolve().parent
USERNAME = PASSWORD = "superadmin"
DEFAULT_CHANNEL = "main"


class Refused(RuntimeError):
    """Vendure refused a request of a test."""


class Vendure:
    """A running Vendure. ``with Vendure() as shop:`` installs it if needed, starts it, logs in, and stops it at the end.

    ``methods`` are those of Vendure's ``authOptions.tokenMethod``; without ``bearer``, `admin` cannot be used.
    """

    def __init__(self, methods: str = "bearer,api-key") -> None:
        self._methods = methods
        self.port = node.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._token: str | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        packages = node.installed(HERE)
        environment = {**node.node_environment(), "VENDURE_DISABLE_TELEMETRY": "true", "TZ": "UTC"}
        with self._open as opening:
            work = Path(opening.enter_context(tempfile.TemporaryDirectory()))
            shutil.copy(HERE / "server.js", packages / "server.js")
            opening.enter_context(
                node.running(
                    ["node", "server.js", str(self.port), self._methods],
                    cwd=packages,
                    environment=environment,
                    log=work / "vendure.log",
                    healthy=self._healthy,
                )
            )
            if "bearer" in self._methods:
                self.login()
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def login(self) -> None:
        """Log in as the administrator whom Vendure makes at its first start."""
        query = """mutation($u: String!, $p: String!) { login(username: $u, password: $p, rememberMe: true) {
          ... on CurrentUser { id } ... on ErrorResult { message } } }"""
        _, token = self._send("/admin-api", query, {"u": USERNAME, "p": PASSWORD}, {})
        if token is None:
            raise Refused("the login gave no token")
        self._token = token

    def admin(self, query: str, channel: str = DEFAULT_CHANNEL, **variables: Any) -> Any:
        """The ``data`` of an Admin API request in the channel with this token.

        Raises:
            Refused: errors, or an error result anywhere in the answer.
        """
        headers = {"authorization": f"Bearer {self._token}", "vendure-token": channel}
        return self._send("/admin-api", query, variables, headers)[0]

    def shopper(self, channel: str = DEFAULT_CHANNEL) -> "Shopper":
        """A new visitor of the shop."""
        return Shopper(self, channel)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def _send(
        self, path: str, query: str, variables: dict[str, Any], headers: dict[str, str]
    ) -> tuple[Any, str | None]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.url}{path}", body, {"content-type": "application/json", "accept": "application/json", **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                answer, token = json.load(reply), reply.headers.get("vendure-auth-token")
        except urllib.error.HTTPError as error:
            raise Refused(f"{error.code}: {error.read().decode()[:2000]}") from error
        if answer.get("errors"):
            raise Refused(json.dumps(answer["errors"])[:2000])
        for value in (answer.get("data") or {}).values():
            if isinstance(value, dict) and value.get("errorCode"):
                raise Refused(json.dumps(value))
        return answer["data"], token


class Shopper:
    """A visitor of the shop with a session of their own."""

    def __init__(self, platform: Vendure, channel: str) -> None:
        self._platform = platform
        self._headers = {"vendure-token": channel}

    def shop(self, query: str, **variables: Any) -> Any:
        """The ``data`` of a Shop API request.

        Raises:
            Refused: errors, or an error result.
        """
        data, token = self._platform._send("/shop-api", query, variables, self._headers)
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        return data
