"""The test platform's statuses and what happens next; they all mean what they mean everywhere."""

from collections.abc import Mapping

from unicart.connectors.kit import Outcome

OUTCOMES: Mapping[int, Outcome] = {}
