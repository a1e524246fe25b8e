"""BigCommerce, through its Orders V2 and Catalog, Inventory and Locations V3 APIs."""

from unicart.connectors.bigcommerce.client import BigCommerceConnector

CONNECTOR = BigCommerceConnector
