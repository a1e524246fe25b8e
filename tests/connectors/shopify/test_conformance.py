from unicart.connectors.kit.conformance import ConnectorConformance
from unicart.connectors.shopify.client import ShopifyConnector


class TestShopify(ConnectorConformance):
    connector = ShopifyConnector
