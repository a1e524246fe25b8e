"""Vendure 3: its Admin API."""

from unicart.connectors.vendure.client import VendureConnector

CONNECTOR = VendureConnector
