"""The sandbox keeps to the shape of every connector."""

from unicart.connectors.kit.conformance import ConnectorConformance
from unicart.connectors.sandbox.client import SandboxConnector


class TestSandbox(ConnectorConformance):
    connector = SandboxConnector
