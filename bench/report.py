"""Figures with their goals, as a table and as JSON."""

import json
import time
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


class Figure(msgspec.Struct, frozen=True):
    """One measured ratio. ``goal`` is a bound on it (``>= 0.26``, ``<= 1.5``), empty where none was set.

    ``detail`` holds the absolute values behind the ratio.
    """

    group: str
    name: str
    ratio: float
    goal: str
    detail: str

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; null without one."""
        if not self.goal:
            return None
        relation, bound = self.goal.split()
        return self.ratio >= float(bound) if relation == ">=" else self.ratio <= float(bound)

    @property
    def verdict(self) -> str:
        """The outcome in words; a miss says by how much."""
        if self.met is None:
            return ""
        if self.met:
            return "met"
        return f"missed by {abs(self.ratio / float(self.goal.split()[1]) - 1):.0%}"


def show(figures: list[Figure], console: Console) -> None:
    """Print all ``figures``."""
    table = Table("Figure", "Ratio", "Goal", "", "Measured", title="Benchmarks", title_justify="left")
    group = ""
    for figure in figures:
        if figure.group != group:
            group = figure.group
            table.add_section()
            table.add_row(f"[bold]{group}[/bold]")
        colour = {True: "green", False: "red", None: "default"}[figure.met]
        row = f"{figure.ratio:.2f}", figure.goal, f"[{colour}]{figure.verdict}[/{colour}]", figure.detail
        table.add_row(f"  {escape(figure.name)}", *row)
    console.print(table)


def save(figures: list[Figure], orders: int) -> Path:
    """Write ``figures`` to a file named by the time, and return it."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y-%m-%dT%H%M%SZ', time.gmtime())}.json"
    rows = [{**msgspec.to_builtins(figure), "met": figure.met} for figure in figures]
    path.write_text(json.dumps({"orders": orders, "figures": rows}, indent=1) + "\n")
    return path
