"""Amazon's connector keeps to the shape of every connector."""

from collections.abc import Iterator
from typing import Any

from unicart.connectors.amazon.client import AmazonConnector
from unicart.connectors.kit.conformance import UNSEEN, ConnectorConformance


class TestAmazon(ConnectorConformance):
    connector = AmazonConnector

    def with_unseen_states(self, raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {**raw, "fulfillment": {**raw["fulfillment"], "fulfillmentStatus": UNSEEN}}
