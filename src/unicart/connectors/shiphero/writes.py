"""What is written to ShipHero: nothing yet."""
