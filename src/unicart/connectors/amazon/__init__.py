"""Amazon's stores, through the Selling Partner API."""

from unicart.connectors.amazon.client import AmazonConnector

CONNECTOR = AmazonConnector
