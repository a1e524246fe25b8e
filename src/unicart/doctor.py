"""``unicart doctor``: looks at everything that an installation needs, changes nothing, and says what to do."""

import asyncio
import os
import shutil
import stat
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

import msgspec

from unicart.connectors.kit import ConnectorError
from unicart.events.probe import Unanswered, probe
from unicart.settings import Settings, settings_file, variable
from unicart.store import rotation, schedules, tenants, webhooks
from unicart.store.database import Database, StoreUnavailable, open_database
from unicart.store.migrate import newest_revision, revision
from unicart.store.secrets import KEY_FILE, SecretError, Vault
from unicart.store.tenants import Connection
from unicart.store.webhooks import Endpoint
from unicart.sync.connect import opened_connection

AT_ONCE = 8
PATIENCE = 10.0
LONGEST_CHECK = 60.0
OVERDUE = 600
MIB = 1 << 20
DISK_FULL = 256 * MIB
DISK_LOW = 2048 * MIB
CLOCK_WRONG = timedelta(minutes=5)
CLOCK_OFF = timedelta(seconds=30)
NO_CONNECTION = "doctor"
"""The id of no connection."""
NO_STORE = "There is no store yet"


class State(Enum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Check(msgspec.Struct, frozen=True):
    """What was looked at, what was found, and what to do about it."""

    name: str
    state: State
    found: str
    remedy: str = ""


def _ok(name: str, found: str) -> Check:
    return Check(name, State.OK, found)


def _warning(name: str, found: str, remedy: str) -> Check:
    return Check(name, State.WARNING, found, remedy)


def _failed(name: str, found: str, remedy: str) -> Check:
    return Check(name, State.FAILED, found, remedy)


async def examine(settings: Settings) -> AsyncIterator[Check]:
    """Every check, one after the other."""
    yield _settings()
    yield _data_directory(settings)
    yield _disk(settings)
    schema = await asyncio.to_thread(_schema, settings)
    yield schema
    vault, key = _key(settings)
    if key is not None:
        yield key
    if schema.state is State.OK and schema.found != NO_STORE:
        try:
            database = await open_database(settings.store_url)
        except StoreUnavailable as error:
            yield _failed("store", str(error), "See the log of the database.")
            return
        try:
            async for check in _with_store(settings, database, vault):
                yield check
        finally:
            await database.close()
    elif settings.public_url:
        yield (await _public_url(settings))[0]


async def _with_store(settings: Settings, database: Database, vault: Vault | None) -> AsyncIterator[Check]:
    yield await _secrets(database, vault)
    yield await _worker(database)
    told = await database.now()
    offsets = {"the database": None if told is None else told - datetime.now(UTC)}
    known = await tenants.list_connections(database)
    free = asyncio.Semaphore(AT_ONCE)
    asked = [_connection(database, vault, each, free) for each in known]
    for connection, (check, offset) in zip(known, await asyncio.gather(*asked), strict=True):
        offsets[f"{connection.integration_name} ({connection.account_name})"] = offset
        yield check
    endpoints = [
        endpoint
        for organization in await tenants.list_organizations(database)
        for endpoint in await webhooks.list_endpoints(database, organization.id)
    ]
    sent = [_endpoint(settings, database, each, free) for each in endpoints]
    for endpoint, (check, offset) in zip(endpoints, await asyncio.gather(*sent), strict=True):
        offsets[endpoint.url] = offset
        yield check
    check, offsets["the public URL"] = await _public_url(settings)
    yield check
    yield _clock(offsets)


def _settings() -> Check:
    path = settings_file()
    given = sorted(name for name in Settings.__struct_fields__ if os.environ.get(variable(name)))
    found = f"{path or 'no file'}; from the environment: {', '.join(given) or 'none'}"
    if path is not None and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return _warning("settings", f"{found}. Others may read the file.", f"chmod 600 {path}")
    return _ok("settings", found)


def _data_directory(settings: Settings) -> Check:
    directory = settings.directory.absolute()
    parent = next(each for each in (directory, *directory.parents) if each.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        return _failed(
            "data directory", f"{directory} cannot be written", f"Make it writable, or set {variable('data_dir')}."
        )
    used = (directory / KEY_FILE).exists() or settings.store_url.startswith("sqlite:")
    if used and directory.exists() and stat.S_IMODE(directory.stat().st_mode) & 0o077:
        return _warning("data directory", f"Others may read {directory}", f"chmod 700 {directory}")
    return _ok("data directory", str(directory))


def _disk(settings: Settings) -> Check:
    directory = settings.directory.absolute()
    parent = next(each for each in (directory, *directory.parents) if each.exists())
    free = shutil.disk_usage(parent).free
    path = Path(settings.store_url.removeprefix("sqlite:///"))
    stored = path.stat().st_size if settings.store_url.startswith("sqlite:") and path.is_file() else 0
    found = f"{free // MIB:,} MiB free"
    if free < DISK_FULL:
        return _failed("disk", found, "Free some space: a full disk stops every sync.")
    if free < max(DISK_LOW, stored):
        return _warning(
            "disk", found, f"Free some space: the store has {stored // MIB:,} MiB, and a backup needs as much."
        )
    return _ok("disk", found)


def _schema(settings: Settings) -> Check:
    newest = newest_revision()
    found = revision(settings.store_url)
    if found == newest:
        return _ok("database", f"revision {found}")
    if found is not None and found > newest:
        return _failed("database", f"revision {found}, this version has {newest}", "Install the newer version again.")
    if found is not None:
        return _warning(
            "database", f"revision {found}, this version has {newest}", "Restart Unicart: it migrates when it starts."
        )
    path = Path(settings.store_url.removeprefix("sqlite:///"))
    if settings.store_url.startswith("sqlite:") and not path.exists():
        return _ok("database", NO_STORE)
    if settings.store_url.startswith("sqlite:"):
        return _failed(
            "database", f"{path} is not a store of Unicart", "Restore a backup: unicart restore FILE --force"
        )
    return _failed(
        "database",
        "PostgreSQL cannot be reached, or has no schema yet",
        f"Check {variable('database_url')} and that the server runs; if it does, unicart serve makes the schema.",
    )


def _key(settings: Settings) -> tuple[Vault | None, Check | None]:
    path = settings.directory / KEY_FILE
    try:
        if settings.secret_key:
            return Vault(settings.secret_key), None
        if not path.exists():
            return None, None
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            return Vault(path.read_text()), _warning("key file", f"Others may read {path}", f"chmod 600 {path}")
        return Vault(path.read_text()), None
    except (SecretError, OSError) as error:
        return None, _failed("secret key", str(error), f"Set {variable('secret_key')}, or put the key file back.")


async def _secrets(database: Database, vault: Vault | None) -> Check:
    found = await rotation.survey(database, vault)
    if found.lost:
        shown = f"{len(found.lost)} of {found.secrets} stored secrets cannot be read"
        remedy = f"Set {variable('secret_key')} to the key that wrote them, or put its key file back."
        return _failed("secret key", shown, remedy)
    if found.old:
        shown = f"{found.old} of {found.secrets} stored secrets are written with an older key"
        return _warning("secret key", shown, "unicart secret-key rotate")
    return _ok("secret key", f"reads all {found.secrets} stored secrets")


async def _worker(database: Database) -> Check:
    late = await schedules.overdue(database, int(time.time()) - OVERDUE)
    if late:
        remedy = "Start unicart serve or unicart worker. If one runs, see its log."
        return _warning("worker", f"{late} syncs are more than {OVERDUE // 60} minutes overdue", remedy)
    return _ok("worker", "no sync is overdue")


async def _connection(
    database: Database, vault: Vault | None, connection: Connection, free: asyncio.Semaphore
) -> tuple[Check, timedelta | None]:
    name = f"{connection.integration_name} {connection.id}"
    if vault is None:
        return _failed(name, "Its credentials cannot be read", "See the check of the secret key."), None
    again = "Correct the credentials of the connection, or look at the platform."
    async with free:
        try:
            async with asyncio.timeout(LONGEST_CHECK):
                async with opened_connection(database, vault, connection, patience=PATIENCE) as platform:
                    account = await platform.check()
                    return _ok(name, f"{account.account_name} answers"), platform.session.clock_offset
        except (ConnectorError, SecretError, StoreUnavailable) as error:
            return _failed(name, str(error), again), None
        except LookupError as error:
            return _failed(name, str(error), "Install the connector's package."), None
        except TimeoutError:
            return _failed(name, f"The platform did not answer within {LONGEST_CHECK:g} s", again), None


async def _endpoint(
    settings: Settings, database: Database, endpoint: Endpoint, free: asyncio.Semaphore
) -> tuple[Check, timedelta | None]:
    name = f"webhook {endpoint.id}"
    if endpoint.disabled:
        reason = endpoint.disabled_reason or "by its organization"
        return _warning(name, f"{endpoint.url} is disabled: {reason}", "Enable it once the receiver works."), None
    async with free:
        try:
            answer = await probe(endpoint.url, private_network=settings.webhook_private_network, method="HEAD")
        except Unanswered as error:
            remedy = "See that the receiver runs and that this machine may reach it."
            return _failed(name, f"{endpoint.url} does not answer: {error}", remedy), None
    waiting, lost = await webhooks.count_failed(database, endpoint)
    if waiting or lost:
        found = f"{endpoint.url} answers; {waiting} messages wait for another attempt, {lost} failed for good"
        return _warning(name, found, "See its attempts; replay what failed."), answer.clock_offset
    return _ok(name, f"{endpoint.url} answers"), answer.clock_offset


async def _public_url(settings: Settings) -> tuple[Check, timedelta | None]:
    name, url = "public URL", settings.public_url
    if not url:
        return _ok(name, f"not set: platforms are polled, and send no webhooks ({variable('public_url')})"), None
    try:
        answer = await probe(f"{url.rstrip('/')}/inbound/{NO_CONNECTION}", private_network=True, method="POST")
    except Unanswered as error:
        remedy = "See that unicart serve runs and that the proxy before it forwards to it."
        return _failed(name, f"{url} does not answer: {error}", remedy), None
    if answer.status != 404 or not answer.echoed:
        remedy = f"Let the proxy forward what is below {url}/inbound/ to unicart serve."
        return _failed(name, f"{url} is answered with {answer.status}, not by Unicart", remedy), answer.clock_offset
    if not url.startswith("https://"):
        return _warning(
            name, f"{url} answers, without TLS", "Use https: most platforms send webhooks to nothing else."
        ), None
    return _ok(name, f"{url} answers"), answer.clock_offset


def _clock(offsets: dict[str, timedelta | None]) -> Check:
    """Others' clocks may be wrong too, so the one in the middle counts."""
    told = sorted((offset, name) for name, offset in offsets.items() if offset is not None)
    if not told:
        return _ok("clock", "not compared: nobody told the time")
    offset, name = told[len(told) // 2]
    seconds = offset.total_seconds()
    shown = f"{abs(seconds):.0f} s {'behind' if seconds > 0 else 'ahead of'} {name}, of {len(told)} asked"
    remedy = "Keep the clock by NTP: signatures of webhooks and of platforms are good for minutes only."
    if abs(offset) > CLOCK_WRONG:
        return _failed("clock", shown, remedy)
    if abs(offset) > CLOCK_OFF:
        return _warning("clock", shown, remedy)
    return _ok("clock", shown)
