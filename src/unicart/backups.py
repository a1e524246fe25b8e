"""What ``unicart backup`` and ``unicart restore`` do: the store, and the key without which its secrets cannot be read."""

import asyncio
import shutil
import time
from pathlib import Path

import msgspec

from unicart.settings import Settings
from unicart.store import backup as files
from unicart.store import rotation
from unicart.store.backup import BackupFailed
from unicart.store.database import open_database
from unicart.store.migrate import migrate, newest_revision
from unicart.store.rotation import Found
from unicart.store.secrets import KEY_FILE, Vault

KEY_SUFFIX = ".key"


class Saved(msgspec.Struct, frozen=True):
    """A backup that was made. ``key`` is where the key is that reads its secrets; null if it is not in a file.

    How many ``secrets`` it has, and how many the key does not open, is null for a store that another version left.
    """

    file: str
    bytes: int
    revision: str
    secrets: int | None
    unreadable: int | None
    key: str | None


class Restored(msgspec.Struct, frozen=True):
    """A backup that was put back. ``before`` is what it replaced."""

    file: str
    revision: str
    secrets: int
    before: str | None


def save(settings: Settings, file: Path, *, with_key: bool, replace: bool) -> Saved:
    """Back the store up to ``file``, and its key file to ``file`` + ``.key`` if that is wanted.

    Raises:
        BackupFailed: nothing is left in ``file``.
        SecretError: the key is malformed.
    """
    source = files.sqlite_path(settings.store_url)
    key_file = settings.directory / KEY_FILE
    beside = file.with_name(file.name + KEY_SUFFIX)
    taken = [path for path in (file, beside if with_key else file) if path.exists()]
    if taken and not replace:
        raise BackupFailed(f"{taken[0]} exists. Choose another name, or replace it with --force.")
    if with_key and (settings.secret_key or not key_file.exists()):
        raise BackupFailed("There is no key file: the key is in UNICART_SECRET_KEY. Keep it by itself.")
    if file.resolve() == source.resolve():
        raise BackupFailed("The backup must be another file than the store.")
    files.copy(source, file)
    if with_key:
        _copy_key(key_file, beside)
    kept = None if settings.secret_key else str(beside if with_key else key_file)
    revision = files.check(file)
    found = None
    if revision == newest_revision():
        found = _survey(file, _vault(settings.secret_key or _text(key_file)))
    return Saved(
        file=str(file),
        bytes=file.stat().st_size,
        revision=revision,
        secrets=None if found is None else found.secrets,
        unreadable=None if found is None else len(found.lost),
        key=kept,
    )


def restore(settings: Settings, file: Path, *, replace: bool) -> Restored:
    """Make the backup ``file`` the store, migrated to this version; what was there is kept under another name.

    Raises:
        BackupFailed: nothing was replaced.
    """
    target = files.sqlite_path(settings.store_url)
    if not file.is_file():
        raise BackupFailed(f"There is no backup at {file}.")
    if target.exists() and not replace:
        raise BackupFailed(f"There is a store at {target}. Replace it with --force; it is kept under another name.")
    settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    moved = target.with_name(f"{target.name}.before-restore-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
    before = moved if target.exists() else None
    with files.prepared(file, target) as draft:
        migrate(f"sqlite:///{draft}")
        key, found = _fitting_key(settings, file, draft)
        files.put_back(draft, target, moved)
    if key is not None:
        _put_key(key, settings.directory / KEY_FILE, moved.name.removeprefix(target.name))
    return Restored(str(target), files.check(target), found.secrets, None if before is None else str(before))


def _fitting_key(settings: Settings, file: Path, draft: Path) -> tuple[Path | None, Found]:
    """The key file that is to be put into the data directory, if any, so that the backup's secrets can be read."""
    key_file, beside = settings.directory / KEY_FILE, file.with_name(file.name + KEY_SUFFIX)
    tried = [(None, settings.secret_key)] if settings.secret_key else [(None, _text(key_file)), (beside, _text(beside))]
    for path, key in tried:
        found = _survey(draft, _vault(key))
        if not found.lost:
            return path if key else None, found
    raise BackupFailed(
        f"No key opens the backup's {len(found.lost)} secrets. Set UNICART_SECRET_KEY to the key of that time, or put its "
        f"key file at {beside}."
    )


def _vault(key: str) -> Vault | None:
    return Vault(key) if key.strip() else None


def _survey(path: Path, vault: Vault | None) -> Found:
    """The secrets of a store; without a vault, all of them are lost."""

    async def read() -> Found:
        database = await open_database(f"sqlite:///{path}")
        try:
            return await rotation.survey(database, vault)
        finally:
            await database.close()

    found = asyncio.run(read())
    files.as_one_file(path)
    return found


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _copy_key(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


def _put_key(source: Path, target: Path, suffix: str) -> None:
    if target.exists():
        target.rename(target.with_name(f"{target.name}{suffix}"))
    _copy_key(source, target)
