"""``unicart doctor`` finds what is wrong with an installation, says what to do, and changes nothing."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import apsw
import httpx2
import pytest

from conftest import DATABASES, new_postgres_database
from product import Unicart
from unicart.store.secrets import new_key


@contextmanager
def receiver(ahead: int = 0) -> Iterator[str]:
    """A web server whose clock is ``ahead`` by so many seconds."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(405)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(time.time() + ahead, usegmt=True)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def examined(unicart: Unicart, *, fails: bool = False) -> dict[str, dict[str, Any]]:
    """What the doctor says, by what was looked at."""
    process = unicart.start("doctor", "--json")
    shown, log = process.communicate(timeout=120)
    assert "Traceback" not in log
    assert process.returncode == int(fails), shown + log
    return {
        check["name"].split(" ")[0] if " ep_" in check["name"] else check["name"]: check for check in json.loads(shown)
    }


def endpoint(unicart: Unicart, url: str) -> None:
    with unicart.serving():
        httpx2.post(f"{unicart.base_url}/webhooks", json={"url": url}, headers=unicart.headers).raise_for_status()


@pytest.fixture(params=DATABASES)
def unicart(request: pytest.FixtureRequest, tmp_path: Path) -> Unicart:
    """Unicart in an empty data directory, on each database in turn."""
    postgres = request.param == "postgresql"
    url = new_postgres_database(request.getfixturevalue("postgres")) if postgres else ""
    return Unicart(tmp_path / "data", url)


@pytest.fixture
def local(tmp_path: Path) -> Unicart:
    """Unicart on SQLite, which may send webhooks to this machine."""
    unicart = Unicart(tmp_path / "data")
    unicart.environment["UNICART_WEBHOOK_PRIVATE_NETWORK"] = "true"
    return unicart


def test_before_the_first_start_nothing_is_wrong_and_nothing_is_made(local: Unicart, tmp_path: Path) -> None:
    checks = examined(local)
    assert {check["state"] for check in checks.values()} <= {"ok", "warning"}
    assert "no store yet" in checks["database"]["found"]
    assert not (tmp_path / "data").exists()


def test_a_sound_installation_passes_on_each_database(unicart: Unicart) -> None:
    unicart.environment["UNICART_WEBHOOK_PRIVATE_NETWORK"] = "true"
    id = unicart.connect("sandbox", "--orders", "5")
    with receiver() as url:
        endpoint(unicart, url)
        with unicart.serving():
            unicart.environment["UNICART_PUBLIC_URL"] = unicart.base_url
            checks = examined(unicart)
            table = unicart.run("doctor")
    assert checks[f"sandbox {id}"]["state"] == "ok"
    assert checks["webhook"]["state"] == checks["clock"]["state"] == checks["secret key"]["state"] == "ok"
    assert "without TLS" in checks["public URL"]["found"]
    assert "What to do" in table
    assert url in table


def test_each_fault_is_found_with_its_remedy(local: Unicart, tmp_path: Path) -> None:
    local.connect("sandbox", "--orders", "5")
    with receiver(ahead=900) as url:
        endpoint(local, url)
        checks = examined(local, fails=True)
        assert checks["clock"]["state"] == "failed"
        assert "NTP" in checks["clock"]["remedy"]
    local.environment |= {"UNICART_PUBLIC_URL": "http://127.0.0.1:9", "UNICART_SECRET_KEY": new_key()}
    checks = examined(local, fails=True)
    assert "does not answer" in checks["webhook"]["found"]
    assert "does not answer" in checks["public URL"]["found"]
    assert "2 of 2 stored secrets cannot be read" in checks["secret key"]["found"]
    assert "UNICART_SECRET_KEY" in checks["secret key"]["remedy"]
    (shop,) = [check for name, check in checks.items() if name.startswith("sandbox")]
    assert shop["state"] == "failed"


def test_keys_to_rotate_overdue_syncs_and_open_files_are_warnings(local: Unicart, tmp_path: Path) -> None:
    local.connect("sandbox", "--orders", "5")
    key = (tmp_path / "data" / "unicart.key").read_text()
    (tmp_path / "data" / "unicart.key").chmod(0o644)
    connection = apsw.Connection(str(tmp_path / "data" / "unicart.db"))
    connection.execute("UPDATE schedules SET due = 1")
    connection.close()
    assert examined(local)["key file"]["remedy"].startswith("chmod 600")
    local.environment["UNICART_SECRET_KEY"] = f"{new_key()},{key}"
    checks = examined(local)
    assert checks["secret key"]["remedy"] == "unicart secret-key rotate"
    assert checks["worker"]["state"] == "warning"


@pytest.mark.parametrize(("found", "state"), [("9999", "failed"), ("0004", "warning")])
def test_a_schema_of_another_version_is_told_and_left(local: Unicart, tmp_path: Path, found: str, state: str) -> None:
    local.connect("sandbox", "--orders", "5")
    path = tmp_path / "data" / "unicart.db"
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE alembic_version SET version_num = ?", (found,))
    connection.close()
    check = examined(local, fails=state == "failed")["database"]
    assert check["state"] == state
    assert found in check["found"]
    if state == "failed":
        assert "newer version" in local.run("org", "list", fails=True)
    connection = apsw.Connection(str(path))
    assert connection.execute("SELECT version_num FROM alembic_version").get == found
    connection.close()


def test_a_database_that_cannot_be_reached_is_a_failure(tmp_path: Path) -> None:
    unicart = Unicart(tmp_path / "data", "postgresql://nobody:hunter2@127.0.0.1:9/none")
    checks = examined(unicart, fails=True)
    assert "UNICART_DATABASE_URL" in checks["database"]["remedy"]
    assert "hunter2" not in json.dumps(checks)
