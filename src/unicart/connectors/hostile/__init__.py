"""A platform that behaves as badly as real ones do, for the tests of Unicart."""

from unicart.connectors.hostile.client import HostileConnector

CONNECTOR = HostileConnector
