"""A deterministic shop for trying Unicart without a platform; the reference example of a connector's folder."""

from unicart.connectors.sandbox.client import SandboxConnector

CONNECTOR = SandboxConnector
