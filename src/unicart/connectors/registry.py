"""Which connectors there are: those of Unicart and those that other packages register as entry points."""

from functools import cache
from importlib.metadata import entry_points

from unicart.connectors.kit import Connector

GROUP = "unicart.connectors"


@cache
def connectors() -> dict[str, type[Connector]]:
    """Each installed connector by its name, in the order of names."""
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return {entry.name: entry.load() for entry in found}


def connector(name: str) -> type[Connector]:
    """The connector called ``name``.

    Raises:
        LookupError: there is none; the message lists those there are.
    """
    try:
        return connectors()[name]
    except KeyError:
        raise LookupError(f"There is no connector {name!r}. Known: {', '.join(connectors())}.") from None
