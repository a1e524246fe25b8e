"""Extensiv keeps to the shape of every connector."""

from collections.abc import Iterator
from typing import Any

from unicart.connectors.extensiv.client import ExtensivConnector
from unicart.connectors.kit.conformance import ConnectorConformance


class TestExtensiv(ConnectorConformance):
    connector = ExtensivConnector
    # It has prices, but Extensiv keeps no total of an order.
    does_not_add_up = frozenset({"18484142"})

    def with_unseen_states(self, raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The state is a number inside the order."""
        order = raw["order"]
        yield {**raw, "order": {**order, "readOnly": {**order["readOnly"], "status": 99}}}
