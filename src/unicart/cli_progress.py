"""Progress of syncs on a terminal: records, rate and time left; plain lines where there is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from unicart.contract.resources import Function
from unicart.store.tenants import Connection
from unicart.sync.run import Progress as RunProgress
from unicart.sync.run import Report


class RateColumn(ProgressColumn):
    """Records per second."""

    def render(self, task: Task) -> Text:
        """The rate so far."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")


class SyncProgress:
    """Shows runs while they last, and a summary line for each."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def __enter__(self) -> "SyncProgress":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    @contextmanager
    def run(self, connection: Connection, function: Function) -> Iterator[Report]:
        """A bar for one run."""
        task = self._bars.add_task(f"{connection.account_name} {function.value}", total=None)

        def report(progress: RunProgress) -> None:
            self._bars.update(task, completed=progress.pulled, total=progress.total)

        try:
            yield report
        finally:
            self._bars.remove_task(task)

    def summary(self, connection: Connection, progress: RunProgress) -> None:
        """One line that stays."""
        title = f"{connection.account_name} {progress.function.value}:"
        saved = progress.saved
        counts = f"{progress.pulled:,} pulled, {saved.created:,} new, {saved.updated:,} changed"
        if saved.stale:
            counts += f", {saved.stale:,} older than our copy"
        if progress.quarantined:
            counts += f", {progress.quarantined:,} quarantined (unicart quarantine {connection.id})"
        if progress.busy:
            counts = "another run is at it"
        self._console.print(f"{title} {counts}", markup=False)
        if progress.error:
            self._console.print(f"{title} ERROR {progress.error}", markup=False)
