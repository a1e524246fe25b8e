"""Acme keeps to the shape of every connector."""

from unicart_acme.client import AcmeConnector

from unicart.connectors.kit.conformance import ConnectorConformance


class TestAcme(ConnectorConformance):
    connector = AcmeConnector
