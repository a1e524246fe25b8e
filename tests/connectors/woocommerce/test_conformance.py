"""WooCommerce keeps to the shape of every connector."""

from collections.abc import Iterator
from typing import Any

from unicart.connectors.kit.conformance import UNSEEN, ConnectorConformance
from unicart.connectors.woocommerce.client import WooCommerceConnector


class TestWooCommerce(ConnectorConformance):
    connector = WooCommerceConnector

    def with_unseen_states(self, raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {**raw, "order": {**raw["order"], "status": UNSEEN}}
