"""Extensiv 3PL Warehouse Manager, formerly 3PL Central."""

from unicart.connectors.extensiv.client import ExtensivConnector

CONNECTOR = ExtensivConnector
