"""The command line: ``unicart --help``."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from unicart import __version__, backups, demo, doctor, logs, tracing
from unicart.cli_progress import SyncProgress
from unicart.connectors.kit import ConnectorError
from unicart.connectors.kit.scaffold import ScaffoldRefused, scaffold
from unicart.connectors.registry import connector, connector_names, offered_names, usable_names
from unicart.contract.common import format_date
from unicart.contract.resources import Function
from unicart.events.deliverer import Deliverer
from unicart.server import PortTaken, base_url, listen, serve
from unicart.settings import MAX_HISTORY_DAYS, Settings, SettingsError, read_settings
from unicart.store import (
    checkpoints,
    inbox,
    leases,
    operators,
    quarantine,
    reconciliations,
    rotation,
    schedules,
    tenants,
)
from unicart.store.backup import BackupFailed
from unicart.store.database import Database, StoreUnavailable, open_database
from unicart.store.migrate import MigrationFailed, migrate
from unicart.store.quarantine import Quarantined
from unicart.store.reconciliations import Reconciliation
from unicart.store.schedules import Schedule
from unicart.store.secrets import SecretError, Vault, new_key, open_vault
from unicart.store.tenants import Connection, Duplicate, Organization
from unicart.sync import connect, subscriptions
from unicart.sync.inbox import InboxWorker
from unicart.sync.quarantine import Retried, retry
from unicart.sync.reconcile import Busy, Reconciler, reconcile
from unicart.sync.run import Progress, sync_function
from unicart.sync.subscriptions import keep_subscribed
from unicart.sync.worker import Worker, schedule

T = TypeVar("T")

app = typer.Typer(
    name="unicart",
    help="One API for every cart's orders, self-hosted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
org_app = typer.Typer(help="Organizations: whoever runs software against this Unicart.", no_args_is_help=True)
key_app = typer.Typer(help="API keys of an organization.", no_args_is_help=True)
connection_app = typer.Typer(help="Connected shops.", no_args_is_help=True)
connector_app = typer.Typer(help="Connectors of your own.", no_args_is_help=True)
secret_key_app = typer.Typer(help="The key that encrypts credentials. Alone, prints a fresh one.")
app.add_typer(secret_key_app, name="secret-key")
app.add_typer(org_app, name="org")
app.add_typer(key_app, name="key")
app.add_typer(connection_app, name="connection")
app.add_typer(connector_app, name="connector")

err = Console(stderr=True, highlight=False, soft_wrap=True)

PIPED_WIDTH = 10_000

DataDir = Annotated[
    str | None, typer.Option("--data-dir", help="Where the store and key file are.", show_default="data")
]
Org = Annotated[str | None, typer.Option("--org", help="Name or id of the organization, if there are several.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")]
NoRateLimit = Annotated[bool, typer.Option("--no-rate-limit", help="Answer any number of requests per second.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON line instead of text.")]


class Failure(Exception):
    """A message for the user; the command ends with status 1."""


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


@secret_key_app.callback(invoke_without_command=True)
def secret_key(context: typer.Context) -> None:
    """Print a fresh value for UNICART_SECRET_KEY."""
    if context.invoked_subcommand is None:
        print(new_key())


@secret_key_app.command("rotate")
def secret_key_rotate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Write every secret in the store again with the first key of UNICART_SECRET_KEY. Others may work meanwhile.

    Ends with status 1 if a secret was written with a key that is not among those set.
    """
    found = _with_store(data_dir, rotation.rotate)
    _show({"secrets": found.secrets, "written_again": found.old, "lost": len(found.lost)}, as_json)
    if found.lost:
        shown = ", ".join(found.lost[:10])
        raise Failure(f"No key that is set opens {shown}. Add the key that wrote them behind the others, and repeat.")
    if not as_json:
        err.print(
            "Every secret is written with the first key. The others may be removed once no process begins with them."
        )


@app.command("demo")
def demo_command(
    port: Port = 8000,
    host: Host = "127.0.0.1",
    data_dir: DataDir = None,
    orders: Annotated[int, typer.Option(min=0, help="How many orders the sandbox shop has.")] = demo.ORDERS,
    no_rate_limit: NoRateLimit = False,
    as_json: AsJson = False,
) -> None:
    """Run the product with a sandbox shop, and print how to call it."""
    settings, vault = _prepare(data_dir, no_rate_limit)
    listener = listen(host, port)
    access = _run(demo.prepare(settings, vault, orders, err))
    password = _run(_see_password(settings))
    described = {"base_url": base_url(listener), **access}

    def ready() -> None:
        if not as_json:
            _print_access(described)
        _print_dashboard(described["base_url"], password)
        if as_json:
            # Last, so that whoever waits for this line finds everything else written.
            print(json.dumps(described), flush=True)

    serve(settings, vault, listener, ready, worker=True)


@app.command("serve")
def serve_command(
    port: Port = 8000,
    host: Host = "127.0.0.1",
    data_dir: DataDir = None,
    no_rate_limit: NoRateLimit = False,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Only answer; unicart worker syncs elsewhere.")
    ] = False,
) -> None:
    """Serve the API over the connections that were added, and keep them in sync."""
    settings, vault = _prepare(data_dir, no_rate_limit)
    listener = listen(host, port)
    password = _run(_see_password(settings))

    def ready() -> None:
        err.print(f"Unicart answers at {base_url(listener)}")
        _print_dashboard(base_url(listener), password)

    serve(settings, vault, listener, ready, worker=not no_worker)


@app.command("api")
def api_command(
    port: Port = 8000, host: Host = "127.0.0.1", data_dir: DataDir = None, no_rate_limit: NoRateLimit = False
) -> None:
    """Only answer, as many processes as you like; unicart worker keeps the connections in sync, elsewhere."""
    serve_command(port, host, data_dir, no_rate_limit, no_worker=True)


@app.command("dashboard-password")
def dashboard_password(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make a new password for the dashboard, shown only this once. Whoever is signed in is signed out."""
    if read_settings().dashboard_password:
        raise Failure("UNICART_DASHBOARD_PASSWORD is set, and holds. Change it there, or unset it first.")

    async def change(database: Database, _: Vault) -> str:
        return await operators.renew_password(database, int(time.time()))

    _show({"dashboard_password": _with_store(data_dir, change)}, as_json)


@app.command("worker")
def worker_command(
    data_dir: DataDir = None,
    beside: Annotated[int | None, typer.Option(hidden=True, help="End when this parent process does.")] = None,
) -> None:
    """Sync every connection when it is due, and send webhooks, until stopped. unicart serve runs one; more may share a PostgreSQL store."""
    settings = read_settings()

    async def work(database: Database, vault: Vault) -> None:
        process = leases.this_process()
        await leases.release_dead(database, int(time.time()))
        worker = Worker(database, vault, event_days=settings.event_days)
        deliverer = Deliverer(
            database,
            vault,
            process,
            private_network=settings.webhook_private_network,
            event_days=settings.event_days,
        )
        works = [worker.run(), InboxWorker(database, vault, process).run(), deliverer.run()]
        if settings.reconcile_hours:
            works.append(Reconciler(database, vault, every=settings.reconcile_hours * 3600).run())
        if settings.public_url:
            works.append(keep_subscribed(database, vault, settings.public_url))
        running = asyncio.gather(*works)
        if beside is None:
            err.print("The worker has begun.")
        watch = asyncio.ensure_future(_cancel_without(beside, running)) if beside is not None else None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await running
        if watch is not None:
            watch.cancel()

    _with_store(data_dir, work)


async def _cancel_without(parent: int, running: "asyncio.Future[Any]") -> None:
    """A parent that was killed cannot stop its worker."""
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells of a parent's end
        await asyncio.sleep(1)
    running.cancel()


@app.command("doctor")
def doctor_command(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check the settings, store, key, clock, disk, platforms and receivers. Ends with status 1 if something has failed."""

    async def examine() -> list[doctor.Check]:
        return [check async for check in doctor.examine(_settings(data_dir))]

    checks = _run(examine())
    if as_json:
        print(msgspec.json.encode(checks).decode())
    else:
        _show_table(
            {"Check": each.name, "State": each.state.value, "Found": each.found, "What to do": each.remedy}
            for each in checks
        )
    if any(each.state is doctor.State.FAILED for each in checks):
        raise typer.Exit(1)


@app.command("backup")
def backup_command(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    with_key: Annotated[bool, typer.Option("--with-key", help="Copy the key file too, to FILE.key.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Copy the SQLite store to a file, whole and checked, while Unicart goes on."""
    saved = backups.save(_settings(data_dir), file, with_key=with_key, replace=force)
    _show(msgspec.structs.asdict(saved), as_json)
    if not as_json:
        where = saved.key or "UNICART_SECRET_KEY"
        err.print(f"Its secrets can only be read with the key in {where}. Keep that safe too, and elsewhere.")


@app.command("restore")
def restore_command(
    file: Annotated[Path, typer.Argument(help="A file that unicart backup wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the store that is there; it is renamed.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a backup the SQLite store again. Unicart must not run meanwhile."""
    restored = backups.restore(_settings(data_dir), file, replace=force)
    _show(msgspec.structs.asdict(restored), as_json)


@org_app.command("create")
def org_create(name: str, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make an organization."""
    if not name.strip():
        raise Failure("An organization needs a name.")

    async def create(database: Database, _: Vault) -> Organization:
        return await tenants.create_organization(database, name)

    organization = _with_store(data_dir, create)
    _show({"organization_id": organization.id, "name": organization.name}, as_json)


@org_app.command("list")
def org_list(data_dir: DataDir = None) -> None:
    """List the organizations."""

    async def read(database: Database, _: Vault) -> list[Organization]:
        return await tenants.list_organizations(database)

    found = _with_store(data_dir, read)
    _show_table({"Organization": each.id, "Name": each.name} for each in found)


@key_app.command("create")
def key_create(
    org: Org = None,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "default",
    read_only: Annotated[bool, typer.Option("--read-only", help="A key that cannot write.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key. It is shown only this once."""

    async def create(database: Database, _: Vault) -> str:
        organization = await _organization(database, org)
        return await tenants.create_key(database, organization.id, name, read_only)

    _show({"api_key": _with_store(data_dir, create)}, as_json)


@connection_app.command("add", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def connection_add(
    context: typer.Context,
    integration: Annotated[str, typer.Argument(help="The connector: medusa, vendure, sandbox…")],
    org: Org = None,
    customer_id: Annotated[str | None, typer.Option(help="Your own name for the merchant.")] = None,
    history_days: Annotated[
        int | None,
        typer.Option(min=0, max=MAX_HISTORY_DAYS, help="How many days of orders the first sync pulls; 0 is all."),
    ] = None,
    no_private_network: Annotated[
        bool, typer.Option("--no-private-network", help="Refuse a shop on a private or loopback address.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Connect a shop. Its credentials are options: --url, --api-key… Leave a secret out to be asked for it.

    The credentials are proved against the platform before anything is stored. The access token is shown only this once.
    """
    credentials = _credentials(integration, context.args)
    settings = read_settings()
    days = settings.history_days if history_days is None else history_days

    async def add(database: Database, vault: Vault) -> tuple[Connection, str]:
        organization = await _organization(database, org)
        account = await connect.check(integration, credentials, private_network=not no_private_network)
        connection, token = await tenants.add_connection(
            database,
            vault,
            organization_id=organization.id,
            integration_name=integration,
            account_name=account.account_name,
            account_id=account.account_id,
            credentials=credentials,
            private_network=not no_private_network,
            customer_id=customer_id,
            history_days=days,
            announced=True,
        )
        await schedule(database, connection, int(time.time()))
        await _subscribe(database, vault, connection, settings.public_url)
        return connection, token

    connection, token = _with_store(data_dir, add)
    _show(
        {
            "connection_id": connection.id,
            "integration_name": connection.integration_name,
            "account_name": connection.account_name,
            "access_token": token,
        },
        as_json,
    )
    if not as_json:
        err.print("unicart serve keeps it in sync; unicart sync pulls it now.")


async def _subscribe(database: Database, vault: Vault, connection: Connection, public_url: str) -> None:
    """Have the platform send its webhooks here; if it refuses, the shop is connected all the same."""
    try:
        async with connect.opened_connection(database, vault, connection) as platform:
            await subscriptions.subscribe(database, vault, connection, platform, public_url)
    except ConnectorError as error:
        err.print(f"The platform sends no webhooks for now, and is polled: {error.message}")


async def _unsubscribe(database: Database, vault: Vault, connection: Connection) -> None:
    try:
        async with connect.opened_connection(database, vault, connection) as platform:
            await subscriptions.unsubscribe(database, vault, connection, platform)
    except (ConnectorError, LookupError, SecretError) as error:
        err.print(f"The platform may go on to send webhooks; end them there: {error}")


@connection_app.command("list")
def connection_list(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the connections."""

    async def read(database: Database, _: Vault) -> list[Connection]:
        return await tenants.list_connections(database)

    found = _with_store(data_dir, read)
    if as_json:
        print(json.dumps([_described(connection) for connection in found]))
        return
    _show_table(
        {
            "Connection": each.id,
            "Integration": each.integration_name,
            "Account": each.account_name,
            "Customer": each.customer_id,
            "Created": format_date(each.created),
        }
        for each in found
    )


@connection_app.command("show")
def connection_show(connection_id: str, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show a connection: what is synced, what is wrong, and what is quarantined."""

    async def read(database: Database, vault: Vault) -> dict[str, Any]:
        connection = await _connection(database, connection_id)
        states = await checkpoints.list_checkpoints(database, connection.key)
        errors = await checkpoints.list_errors(database, connection.key)
        held = await quarantine.list_quarantined(database, connection.key)
        planned = await schedules.list_schedules(database, connection.key)
        compared = await reconciliations.list_reconciliations(database, connection.key)
        subscription = await subscriptions.read(database, vault, connection)
        return {
            **_described(connection),
            "functions": [
                {
                    "function_name": state.function,
                    "started": _date(state.started),
                    "finished": _date(state.finished),
                    "interrupted": state.interrupted,
                    "pulled": state.pulled,
                    "expected": state.expected,
                    "since": _date(state.since),
                }
                for state in states
            ],
            "webhooks": subscription.url or None,
            "waiting_webhooks": await inbox.count(database, connection.key),
            "schedules": [_schedule_shown(each) for each in planned],
            "reconciliations": [_reconciliation_shown(each) for each in compared],
            "errors": [
                {
                    "function_name": error.function,
                    "error_message": error.message,
                    "detail": error.detail,
                    "preventing_sync": error.preventing_sync,
                    "first_seen": format_date(error.first_seen),
                    "last_seen": format_date(error.last_seen),
                }
                for error in errors
            ],
            "quarantine": [
                {"function_name": each.function, "record": each.raw_key, "reason": each.reason} for each in held
            ],
        }

    described = _with_store(data_dir, read)
    if as_json:
        print(json.dumps(described))
        return
    _show({name: value for name, value in described.items() if not isinstance(value, list)}, False)
    for title in ("functions", "schedules", "reconciliations", "errors", "quarantine"):
        if described[title]:
            _show_table(described[title], title.capitalize())


@connection_app.command("token")
def connection_token(connection_id: str, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make a new access token for a connection; the old one stops working."""

    async def renew(database: Database, _: Vault) -> str:
        return await tenants.new_token(database, await _connection(database, connection_id))

    _show({"access_token": _with_store(data_dir, renew)}, as_json)


@connection_app.command("remove")
def connection_remove(
    connection_id: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Remove a connection with all its records. On the platform, only the subscription to its webhooks is ended."""

    async def remove(database: Database, vault: Vault) -> None:
        connection = await _connection(database, connection_id)
        if not yes:
            typer.confirm(f"Remove {connection.account_name} ({connection.integration_name}) and its data?", abort=True)
        await _unsubscribe(database, vault, connection)
        await tenants.remove_connection(database, connection, announced=True)

    _with_store(data_dir, remove)
    err.print("Removed.")


@app.command("schedule")
def schedule_command(
    connection_id: str,
    function: Function,
    every: Annotated[int | None, typer.Option(min=1, help="Seconds between syncs.")] = None,
    pause: Annotated[bool | None, typer.Option("--pause/--resume", help="Stop syncing, or go on.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Change how often a function of a connection is synced. It is due at once, unless it is paused."""

    async def change(database: Database, _: Vault) -> Schedule:
        connection = await _connection(database, connection_id)
        await schedule(database, connection, int(time.time()))
        changed = await schedules.change(
            database, connection.key, function.value, every=every, paused=pause, now=int(time.time())
        )
        if changed is None:
            raise Failure(f"{connection.integration_name} has no function {function.value}.")
        return changed

    _show(_schedule_shown(_with_store(data_dir, change)), as_json)


def _schedule_shown(schedule: Schedule) -> dict[str, Any]:
    return {
        "function_name": schedule.function,
        "every": schedule.every,
        "paused": schedule.paused,
        "next": format_date(schedule.due),
        "failures": schedule.failures,
    }


@app.command("sync")
def sync_command(
    connection_id: Annotated[str | None, typer.Argument(help="One connection; without it, all.")] = None,
    function: Annotated[list[Function] | None, typer.Option(help="Only these functions.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Pull everything again, from the oldest record on, not only what changed.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Pull what is new or changed from the platforms. Ends with status 1 if anything could not be pulled."""

    async def sync(database: Database, vault: Vault) -> list[Progress]:
        if connection_id is not None:
            chosen = [await _connection(database, connection_id)]
        else:
            chosen = await tenants.list_connections(database)
        done: list[Progress] = []
        with SyncProgress(err) as shown:
            for connection in chosen:
                done += await _sync_connection(database, vault, connection, function, full, shown)
        return done

    runs = _with_store(data_dir, sync)
    if not runs:
        err.print("There is nothing to sync. Add a shop with: unicart connection add")
    if any(run.error or run.busy for run in runs):
        raise typer.Exit(1)


@app.command("reconcile")
def reconcile_command(
    connection_id: str,
    function: Annotated[list[Function] | None, typer.Option(help="Only these functions.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Compare everything on the platform with our copy now, and heal what differs. unicart serve does so every day."""

    async def compare(database: Database, vault: Vault) -> list[Reconciliation]:
        connection = await _connection(database, connection_id)
        async with connect.opened_connection(database, vault, connection) as platform:
            chosen = [each for each in platform.facts.functions if not function or each in function]
            return [await reconcile(database, connection, platform, each, pause=0) for each in chosen]

    try:
        found = _with_store(data_dir, compare)
    except Busy:
        raise Failure("Another pass is under way, or the first sync is not complete. Try again later.") from None
    _show_table(_reconciliation_shown(each) for each in found)


def _reconciliation_shown(found: Reconciliation) -> dict[str, Any]:
    return {
        "function_name": found.function,
        "started": format_date(found.started),
        "finished": _date(found.finished),
        "checked": found.checked,
        "missed": found.missed,
        "changed": found.changed,
        "deleted": found.deleted,
    }


async def _sync_connection(
    database: Database,
    vault: Vault,
    connection: Connection,
    wanted: list[Function] | None,
    full: bool,
    shown: SyncProgress,
) -> list[Progress]:
    done: list[Progress] = []
    async with connect.opened_connection(database, vault, connection) as platform:
        for function in platform.facts.functions:
            if wanted and function not in wanted:
                continue
            with shown.run(connection, function) as report:
                progress = await sync_function(database, connection, platform, function, report, full=full)
            shown.summary(connection, progress)
            done.append(progress)
    return done


@app.command("quarantine")
def quarantine_command(
    connection_id: Annotated[str | None, typer.Argument(help="One connection; without it, all.")] = None,
    again: Annotated[bool, typer.Option("--retry", help="Map them all again now.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the records that could not be mapped, or map them again. Nothing is asked of the platforms."""

    async def work(database: Database, vault: Vault) -> list[tuple[Connection, list[Quarantined], Retried]]:
        if connection_id is not None:
            chosen = [await _connection(database, connection_id)]
        else:
            chosen = await quarantine.holders(database)
        done = []
        for connection in chosen:
            tried = await _retry(database, vault, connection) if again else Retried()
            done.append((connection, await quarantine.list_quarantined(database, connection.key), tried))
        return done

    found = _with_store(data_dir, work)
    for connection, _, tried in found if again else ():
        err.print(f"{connection.account_name}: {tried.stored:,} stored, {tried.refused:,} still quarantined")
    rows = [_quarantined_shown(connection, each) for connection, held, _ in found for each in held]
    if as_json:
        print(json.dumps(rows))
    elif rows or not again:
        _show_table(rows)


async def _retry(database: Database, vault: Vault, connection: Connection) -> Retried:
    async with connect.opened_connection(database, vault, connection) as platform:
        return await retry(database, connection, platform, int(time.time()))


def _quarantined_shown(connection: Connection, held: Quarantined) -> dict[str, Any]:
    return {
        "connection_id": connection.id,
        "function_name": held.function,
        "record": held.raw_key,
        "reason": held.reason,
        "first_seen": format_date(held.first_seen),
        "last_seen": format_date(held.last_seen),
        "version": held.version,
    }


@app.command("integrations")
def integrations(
    every: Annotated[bool, typer.Option("--all", help="Also those that only Unicart's own tests need.")] = False,
) -> None:
    """List the connectors and the credentials that each needs."""
    known = [connector(name).facts for name in (usable_names() if every else offered_names())]
    _show_table(
        {
            "Name": facts.name,
            "Platform": facts.display_name,
            "Credentials": " ".join(_option(field.name) for field in facts.credentials),
            "Reads": ", ".join(function.value for function in facts.functions),
            "Writes": ", ".join(function.value for function in facts.write_functions),
        }
        for facts in known
    )


@connector_app.command("new")
def connector_new(
    name: Annotated[str, typer.Argument(help="The connector's name, in snake_case.")],
    directory: Annotated[Path | None, typer.Option(help="The folder to make.", show_default="unicart-NAME")] = None,
) -> None:
    """Make a package for a new connector: all files that every connector has, and no function yet."""
    folder = directory or Path(f"unicart-{name.replace('_', '-')}")
    for path in scaffold(name, folder, connector_names()):
        print(path)
    err.print(
        f"pip install -e {folder}: then unicart integrations lists it. docs/connector-guide.md tells how to go on."
    )


def main() -> None:
    """The ``unicart`` command: runs it, and turns expected failures into a message and status 1."""
    try:
        app()
    except (
        Failure,
        BackupFailed,
        Duplicate,
        LookupError,
        connect.InvalidCredentials,
        MigrationFailed,
        PortTaken,
        ScaffoldRefused,
        SecretError,
        SettingsError,
        StoreUnavailable,
        ConnectorError,
        tracing.NotInstalled,
    ) as error:
        if isinstance(error, KeyError | IndexError):
            raise
        err.print(Text.assemble(("Error:", "red"), " ", str(error)))
        sys.exit(1)


# --- what the commands share ------------------------------------------------------------------------------------------


def _prepare(data_dir: str | None, no_rate_limit: bool = False) -> tuple[Settings, Vault]:
    """Settings, a directory, a vault and a migrated store."""
    rates: dict[str, object] = {"read_rate": 0, "write_rate": 0} if no_rate_limit else {}
    settings = read_settings({"data_dir": data_dir, **rates})
    _observe(settings)
    try:
        settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        vault = open_vault(settings.secret_key or None, settings.directory)
    except OSError as error:
        raise Failure(f"The data directory {settings.data_dir!r} cannot be used: {error.strerror}.") from error
    migrate(settings.store_url)
    return settings, vault


def _settings(data_dir: str | None) -> Settings:
    """The settings alone: the store is neither made nor migrated."""
    settings = read_settings({"data_dir": data_dir})
    _observe(settings)
    return settings


def _observe(settings: Settings) -> None:
    logs.set_up(settings.log_level, settings.log_format)
    if settings.traces:
        tracing.set_up("unicart", __version__)


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _with_store(data_dir: str | None, work: Any) -> Any:
    """Open the store, await ``work(database, vault)``, and close it."""
    settings, vault = _prepare(data_dir)

    async def run() -> Any:
        database = await open_database(settings.store_url)
        try:
            return await work(database, vault)
        finally:
            await database.close()

    return _run(run())


async def _see_password(settings: Settings) -> str | None:
    """See that the dashboard has a password, and return it if it is made now."""
    database = await open_database(settings.store_url)
    try:
        return await operators.ensure_password(database, settings.dashboard_password, int(time.time()))
    finally:
        await database.close()


async def _organization(database: Database, wanted: str | None) -> Organization:
    if wanted is not None:
        found = await tenants.find_organization(database, wanted)
        if found is None:
            raise Failure(f"There is no organization {wanted!r}. See: unicart org list")
        return found
    known = await tenants.list_organizations(database)
    if len(known) == 1:
        return known[0]
    if not known:
        return await tenants.create_organization(database, "default")
    raise Failure("There are several organizations. Name one with --org.")


async def _connection(database: Database, id: str) -> Connection:
    found = await tenants.find_connection(database, id)
    if found is None:
        raise Failure(f"There is no connection {id!r}. See: unicart connection list")
    return found


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _credentials(integration: str, arguments: list[str]) -> dict[str, str]:
    """The credentials given as options; secrets that are required and missing are asked for."""
    fields = {_option(field.name): field for field in connector(integration).facts.credentials}
    given: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        if option not in fields:
            known = " ".join(fields) or "none"
            raise Failure(f"{integration} has no option {option!r}. Its credentials: {known}")
        given[fields[option].name] = value if equals else next(words, "")
        if not given[fields[option].name]:
            raise Failure(f"{option} needs a value.")
    for field in fields.values():
        if field.kind == "secret" and field.required and not given.get(field.name) and sys.stdin.isatty():
            given[field.name] = typer.prompt(field.label, hide_input=True)
    return connect.complete_credentials(integration, given)


def _described(connection: Connection) -> dict[str, Any]:
    return {
        "connection_id": connection.id,
        "integration_name": connection.integration_name,
        "account_name": connection.account_name,
        "customer_id": connection.customer_id,
        "created_at": format_date(connection.created),
        "history_days": connection.history_days,
    }


def _date(epoch: int | None) -> str | None:
    return None if epoch is None else format_date(epoch)


def _show(fields: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(fields), flush=True)
        return
    width = max(map(len, fields))
    lines = [f"{name:<{width}}  {'' if value is None else value}" for name, value in fields.items()]
    print("\n".join(lines), flush=True)


def _show_table(rows: Iterable[dict[str, Any]], title: str | None = None) -> None:
    """A table as wide as its content, so that what is piped is whole; a terminal narrows all but the first column."""
    shown = list(rows)
    if not shown:
        err.print("There are none.")
        return
    headings = [Column(Text(name), no_wrap=number == 0) for number, name in enumerate(shown[0])]
    table = Table(*headings, title=title, title_justify="left")
    for row in shown:
        table.add_row(*(Text("" if value is None else str(value)) for value in row.values()))
    Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table)


def _print_dashboard(url: str, password: str | None) -> None:
    err.print(f"The dashboard is at {url}/dashboard")
    if password is not None:
        err.print(f"Its password, shown only this once: {password}")


def _print_access(access: dict[str, Any]) -> None:
    url, key, token = access["base_url"], access["api_key"], access["access_token"]
    print(f"\nUnicart answers at {url}  (Ctrl-C stops it)\n")
    _show({"API key": key, "access token": token, "API docs": f"{url}/docs"}, False)
    print("\nTry it:\n")
    print(
        f"curl -s '{url}/cart/orders?status=open&limit=2' "
        f"-H 'x-trackstar-api-key: {key}' -H 'x-trackstar-access-token: {token}'\n",
        flush=True,
    )


if __name__ == "__main__":
    main()
