"""Vendure keeps to the shape of every connector."""

from unicart.connectors.kit.conformance import ConnectorConformance
from unicart.connectors.vendure.client import VendureConnector


class TestVendure(ConnectorConformance):
    connector = VendureConnector
    # In a channel whose prices include tax, net prices per unit do not divide evenly: off by less than a 100000th.
    does_not_add_up = frozenset({"33", "34"})
