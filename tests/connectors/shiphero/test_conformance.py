"""ShipHero keeps to the shape of every connector."""

from unicart.connectors.kit.conformance import ConnectorConformance
from unicart.connectors.shiphero.client import ShipHeroConnector


class TestShipHero(ConnectorConformance):
    connector = ShipHeroConnector
