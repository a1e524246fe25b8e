"""Acme, a shop that is made up."""

from unicart_acme.client import AcmeConnector

CONNECTOR = AcmeConnector
