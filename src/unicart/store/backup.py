"""Backups of a SQLite store: made while others write, checked before they are told of, and put back as a whole."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw

from unicart.store.migrate import newest_revision

SKIPPED_NUMBERS = 1_000_000
IN_USE = "The store is in use. Stop every Unicart process that works on it, then restore."


class BackupFailed(Exception):
    """Nothing was written or replaced; the message says why, and what to do."""


def sqlite_path(url: str) -> Path:
    """The file of the store at ``url``.

    Raises:
        BackupFailed: it is not SQLite.
    """
    if not url.startswith("sqlite:///"):
        raise BackupFailed("This store is PostgreSQL. Use pg_dump and pg_restore; docs/operations.md tells how.")
    return Path(url.removeprefix("sqlite:///"))


def copy(source: Path, target: Path) -> None:
    """Copy the store in ``source`` to ``target``, as it is at one moment, while others go on to read and write it.

    Raises:
        BackupFailed: there is no such store, or the copy is not sound.
    """
    if not source.is_file():
        raise BackupFailed(f"There is no store at {source}.")
    draft = _draft(target)
    try:
        with contextlib.closing(apsw.Connection(str(draft))) as copied:
            _copy_pages(source, copied)
        as_one_file(draft)
        check(draft)
        _settle(draft, target)
    except (apsw.Error, OSError) as error:
        raise BackupFailed(f"The backup cannot be written to {target}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _copy_pages(source: Path, copied: apsw.Connection) -> None:
    with contextlib.closing(apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.set_busy_timeout(5000)
        # In one step, which is one read transaction: a writer can neither change what is copied nor is it held up.
        with copied.backup("main", connection, "main") as work:
            work.step(-1)


def as_one_file(path: Path) -> None:
    """Leave nothing of the store at ``path`` beside its file."""
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA journal_mode=DELETE").fetchall()


def check(path: Path) -> str:
    """See that ``path`` is a sound store that this version can use, and return its revision.

    Raises:
        BackupFailed: it is damaged, of a newer version, or no store of Unicart.
    """
    try:
        with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").get
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
            revision = str(connection.execute("SELECT version_num FROM alembic_version").get)
    except apsw.Error as error:
        raise BackupFailed(f"{path} is not a store of Unicart, or is damaged: {error}") from error
    if found != "ok" or broken:
        raise BackupFailed(f"{path} is damaged: {found if found != 'ok' else 'rows refer to rows that are missing'}")
    if revision > newest_revision():
        raise BackupFailed(f"{path} was made by a newer version of Unicart. Install that version, then restore.")
    return revision


@contextlib.contextmanager
def prepared(backup: Path, target: Path) -> Iterator[Path]:
    """A copy of ``backup`` beside ``target``, to be made ready and then given to `put_back`; deleted at the end.

    Raises:
        BackupFailed: the backup cannot be read, or is not sound.
    """
    draft = _draft(target)
    try:
        shutil.copyfile(backup, draft)
        check(draft)
        yield draft
    except OSError as error:
        raise BackupFailed(f"{backup} cannot be copied to {draft.parent}: {error.strerror}.") from error
    finally:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{draft}{suffix}").unlink(missing_ok=True)


def put_back(draft: Path, target: Path, moved: Path) -> None:
    """Make ``draft`` the store at ``target``; what was there is kept as ``moved``.

    Numbers of events go on far behind those of the backup, so that none is given out twice: a receiver that has read further
    than the backup reaches misses nothing.

    Raises:
        BackupFailed: another process has the store open.
    """
    try:
        with contextlib.closing(apsw.Connection(str(draft))) as connection:
            _skip_numbers(connection)
        as_one_file(draft)
        if target.exists():
            _require_alone(target)
            target.rename(moved)
        _settle(draft, target)
    except (apsw.Error, OSError) as error:
        raise BackupFailed(f"The store at {target} cannot be replaced: {error}") from error


def _skip_numbers(connection: apsw.Connection) -> None:
    with connection:
        moved = "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'events' RETURNING seq"
        if not connection.execute(moved, (SKIPPED_NUMBERS,)).fetchall():
            connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", (SKIPPED_NUMBERS,))


def _require_alone(path: Path) -> None:
    """SQLite leaves WAL mode only for one who has the file alone, and writes the WAL into the file then."""
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        try:
            mode = connection.execute("PRAGMA journal_mode=DELETE").get
        except apsw.BusyError:
            mode = "wal"
        except (apsw.NotADBError, apsw.CorruptError):
            # A damaged store is what a backup replaces.
            return
        if mode == "wal":
            raise BackupFailed(IN_USE)


def _draft(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}")


def _settle(draft: Path, target: Path) -> None:
    """Give ``draft`` its name once it is on the disk for good."""
    draft.chmod(0o600)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
