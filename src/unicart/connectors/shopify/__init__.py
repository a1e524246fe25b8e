"""Shopify: its Admin GraphQL API."""

from unicart.connectors.shopify.client import ShopifyConnector

CONNECTOR = ShopifyConnector
