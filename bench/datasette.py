"""Pages of the same table through Datasette, installed in an environment of its own."""

import subprocess
import sys
import venv
from pathlib import Path

from bench.load import compare
from bench.pages import PAGE
from bench.report import Figure
from bench.servers import CACHE, Unicart, free_port, running

HERE = Path(__file__).parent


def pages_per_second(server: Unicart, seconds: int, rounds: int) -> list[Figure]:
    """1000 orders of the same file, in the same order, with each document as JSON."""
    path = Path(server.database_url.removeprefix("sqlite:///"))
    port = free_port()
    command = [str(_installed()), "serve", str(path), "--port", str(port), "--setting", "max_returned_rows", "1000"]
    key = _connection_key(path)
    query = f"connection_key={key}&_sort=created&_size=1000&_nocount=1&_nofacet=1&_nosuggest=1&_col=doc&_json=doc"
    url = f"http://127.0.0.1:{port}/unicart/orders.json?{query}&_shape=array"
    with running([*command, "--setting", "sql_time_limit_ms", "20000"], url) as theirs:
        ours, other = compare(server.target(PAGE), theirs, seconds, rounds)
    detail = f"{ours.rate:.0f} pages/s, Datasette {other.rate:.1f}"
    return [
        Figure("Datasette on the same table", "pages per second ÷ Datasette", ours.rate / other.rate, ">= 15", detail)
    ]


def _connection_key(path: Path) -> int:
    import apsw

    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    return int(next(connection.execute("SELECT max(connection_key) FROM orders"))[0])


def _installed() -> Path:
    """The command, installed on first use from pinned requirements."""
    folder = CACHE / "datasette"
    command = folder / "bin" / "datasette"
    if not command.exists():
        venv.create(folder)
        python = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(folder / "bin" / "python"),
            "--disable-pip-version-check",
        ]
        subprocess.run(
            [*python, "install", "--quiet", "--require-hashes", "-r", str(HERE / "requirements.txt")], check=True
        )
    return command
