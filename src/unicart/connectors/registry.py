"""Which connectors there are: those of Unicart and those that other packages register as entry points."""

import logging
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from unicart.connectors.kit import Connector

GROUP = "unicart.connectors"

log = logging.getLogger(__name__)


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def connector_names() -> list[str]:
    """The names of all installed connectors, sorted."""
    return list(_entry_points())


def usable_names() -> list[str]:
    """The names of the connectors that can be imported. Of another one a warning tells: it must not hide them."""
    return [name for name in connector_names() if _usable(name)]


def offered_names() -> list[str]:
    """The names of the connectors that users are offered: all but the ``hidden`` ones, which are for tests."""
    return [name for name in usable_names() if not connector(name).facts.hidden]


@cache
def _usable(name: str) -> bool:
    try:
        connector(name)
    except LookupError as error:
        log.warning("%s", error)
        return False
    return True


@cache
def connector(name: str) -> type[Connector]:
    """The connector called ``name``; only this one is imported.

    Raises:
        LookupError: there is none, and the message lists those there are; or its package cannot be imported.
    """
    entry = _entry_points().get(name)
    if entry is None:
        raise LookupError(f"There is no connector {name!r}. Known: {', '.join(offered_names())}.")
    try:
        kind: type[Connector] = entry.load()
    except Exception as error:
        raise LookupError(
            f"The connector {name!r} cannot be imported. Mend or uninstall its package: {error!r}"
        ) from error
    return kind
