"""Which connectors there are: those of Unicart and those that other packages register as entry points."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from unicart.connectors.kit import Connector

GROUP = "unicart.connectors"


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def connector_names() -> list[str]:
    """The names of all installed connectors, sorted."""
    return list(_entry_points())


def offered_names() -> list[str]:
    """The names of the connectors that users are offered: all but the ``hidden`` ones, which are for tests."""
    return [name for name in connector_names() if not connector(name).facts.hidden]


@cache
def connector(name: str) -> type[Connector]:
    """The connector called ``name``; only this one is imported.

    Raises:
        LookupError: there is none; the message lists those there are.
    """
    entry = _entry_points().get(name)
    if entry is None:
        raise LookupError(f"There is no connector {name!r}. Known: {', '.join(offered_names())}.")
    kind: type[Connector] = entry.load()
    return kind
