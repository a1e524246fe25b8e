"""Bring a database to the newest schema with alembic.

Migrations run in a process of their own: SQLAlchemy opens SQLite files through Python's library, the store through apsw's,
and two SQLite libraries must never hold one file in one process (closing either drops the other's locks).
"""

import subprocess
import sys
from pathlib import Path

import apsw
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

SCRIPTS = Path(__file__).parent / "migrations"


class MigrationFailed(Exception):
    """The schema could not be brought up to date; the message is what alembic said."""


def config(url: str) -> Config:
    """Alembic's configuration for the database at ``url``."""
    settings = Config()
    settings.set_main_option("script_location", str(SCRIPTS))
    settings.attributes["url"] = url
    return settings


def migrate(url: str) -> None:
    """Bring the database at ``url`` to the newest schema, making it if it is a SQLite file that is not there.

    Raises:
        MigrationFailed: the database cannot be reached or altered.
    """
    if (
        url.startswith("sqlite:")
        and _sqlite_revision(url) == ScriptDirectory.from_config(config(url)).get_current_head()
    ):
        return
    run = subprocess.run(
        [sys.executable, "-m", "unicart.store.migrate"], input=url, capture_output=True, text=True, check=False
    )
    if run.returncode:
        reason = [line for line in run.stderr.strip().splitlines() if "Error" in line][-1:] or ["no message"]
        raise MigrationFailed(f"The database schema cannot be brought up to date: {reason[0]}")


def _sqlite_revision(url: str) -> str | None:
    path = url.removeprefix("sqlite:///")
    if not Path(path).exists():
        return None
    try:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        return str(connection.execute("SELECT version_num FROM alembic_version").get)
    except apsw.Error:
        return None


def sync_url(url: str) -> str:
    """``url`` with the driver that alembic uses."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql" or parsed.drivername == "postgres":
        return parsed.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
    return url


def main() -> None:
    """Migrate the database whose URL is on standard input, where it is not visible to other users' ``ps``."""
    from alembic import command

    command.upgrade(config(sys.stdin.read().strip()), "head")


if __name__ == "__main__":
    main()
