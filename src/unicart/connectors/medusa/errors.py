"""Medusa's statuses and what happens next; where they mean what they mean everywhere, nothing is said."""

from collections.abc import Mapping

from unicart.connectors.kit import Outcome

OUTCOMES: Mapping[int, Outcome] = {}
