"""The hostile connector keeps to the shape of every connector."""

from unicart.connectors.hostile.client import HostileConnector
from unicart.connectors.kit.conformance import ConnectorConformance


class TestHostile(ConnectorConformance):
    connector = HostileConnector
