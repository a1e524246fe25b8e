"""The BigCommerce connector keeps what every connector promises."""

from collections.abc import Iterator
from typing import Any

from unicart.connectors.bigcommerce.client import BigCommerceConnector
from unicart.connectors.kit.conformance import ConnectorConformance

UNSEEN_ID = 99


class TestBigCommerce(ConnectorConformance):
    connector = BigCommerceConnector

    def with_unseen_states(self, raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Its status is a number within the order."""
        yield {**raw, "order": {**raw["order"], "status_id": UNSEEN_ID, "status": "Something New"}}
