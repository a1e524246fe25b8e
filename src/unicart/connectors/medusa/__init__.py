"""Medusa 2."""

from unicart.connectors.medusa.client import MedusaConnector

CONNECTOR = MedusaConnector
