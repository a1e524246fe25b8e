"""WooCommerce."""

from unicart.connectors.woocommerce.client import WooCommerceConnector

CONNECTOR = WooCommerceConnector
