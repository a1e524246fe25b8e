"""Extensiv's statuses and what happens next (https://3w.extensiv.com/Rels/exceptions).

400 names what it does not understand, 401 asks for a new token, 412 says that a record has changed since it was read, 500 is plain
text. 403 is a role that is missing, or an operation that the record's state forbids: the type of the answer tells. 429 is not
documented; it means what it means everywhere.
"""

import re
from collections.abc import Mapping

from unicart.connectors.kit import Outcome

OUTCOMES: Mapping[int, Outcome] = {}
CHANGED = 412

_CODE = re.compile(r'"ErrorCode"\s*:\s*"(\w+)"')
_HINT = re.compile(r'"Hint"\s*:\s*"((?:[^"\\]|\\.)*)"')


def is_of_state(answer: str) -> bool:
    """Whether an answer 403 is about the record, and not about the credentials."""
    return "OperationException" in answer


def reason(answer: str) -> str | None:
    """What an answer says in Extensiv's words, which may be cut; null if it is not of its kind."""
    code, hint = _CODE.search(answer), _HINT.search(answer)
    if code is None:
        return None
    return f"Extensiv refuses it: {code[1]}{f', {hint[1]}' if hint and hint[1] else ''}"
