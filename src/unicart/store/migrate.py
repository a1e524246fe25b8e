"""Bring a database to the newest schema with alembic.

Migrations run in a process of their own: SQLAlchemy opens SQLite files through Python's library, the store through apsw's,
and two SQLite libraries must never hold one file in one process (closing either drops the other's locks).
"""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import asyncpg
from sqlalchemy.engine import make_url

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).parent / "migrations"


class MigrationFailed(Exception):
    """The schema could not be brought up to date; the message is what alembic said."""


def config(url: str) -> "Config":
    """Alembic's configuration for the database at ``url``."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(SCRIPTS))
    settings.attributes["url"] = url
    return settings


def migrate(url: str) -> None:
    """Bring the database at ``url`` to the newest schema, making it if it is a SQLite file that is not there.

    Raises:
        MigrationFailed: the database cannot be reached or altered, or is of a newer version.
    """
    found = revision(url)
    if found == newest_revision():
        return
    if found is not None and found > newest_revision():
        raise MigrationFailed(
            f"The database has the schema {found} of a newer version of Unicart; this one knows {newest_revision()}. "
            "Install that version again, or restore a backup (docs/upgrading.md)."
        )
    run = subprocess.run(
        [sys.executable, "-m", "unicart.store.migrate"], input=url, capture_output=True, text=True, check=False
    )
    if run.returncode:
        reason = [line for line in run.stderr.strip().splitlines() if "Error" in line][-1:] or ["no message"]
        raise MigrationFailed(f"The database schema cannot be brought up to date: {reason[0]}")


def newest_revision() -> str:
    """The revision of the newest schema: the number that the last migration's file name begins with."""
    return max(path.name.partition("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*_*.py"))


def revision(url: str) -> str | None:
    """The revision of the database, found without alembic, which takes a second to start; null if it cannot be told."""
    if url.startswith("sqlite:"):
        return _sqlite_revision(url)
    try:
        # On a thread, because the caller may be in an event loop.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(_postgres_revision(url))).result()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError):
        return None


async def _postgres_revision(url: str) -> str | None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return found
    finally:
        await connection.close()


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
