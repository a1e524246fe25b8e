"""ShipHero, a warehouse management system of merchants and 3PLs."""

from unicart.connectors.shiphero.client import ShipHeroConnector

CONNECTOR = ShipHeroConnector
