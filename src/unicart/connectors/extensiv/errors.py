"""Extensiv's statuses and what happens next (https://3w.extensiv.com/Rels/exceptions).

400 names the parameter that it does not understand, 401 asks for a new token, 403 names a role that is missing, 500 is plain
text. 429 is not documented; it means what it means everywhere.
"""

from collections.abc import Mapping

from unicart.connectors.kit import Outcome

OUTCOMES: Mapping[int, Outcome] = {}
