"""Cursors and fingerprints."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unicart.connectors.kit import fingerprint, read_cursor, write_cursor


class Cursor(msgspec.Struct):
    updated_at: str
    ids: list[str] = []


@given(st.builds(Cursor))
def test_cursor_comes_back_as_it_was_written(cursor: Cursor) -> None:
    assert read_cursor(write_cursor(cursor), Cursor) == cursor


@pytest.mark.parametrize("text", ["", "null", "{}", '{"updated_at": 5}', "garbage"])
def test_foreign_cursor_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_cursor(text, Cursor)


def test_fingerprint_is_short_stable_and_differs() -> None:
    assert fingerprint("shop") == "8d9001d32c6a703d"
    assert fingerprint("shop ") != fingerprint("shop")
    assert len(fingerprint("")) == 16
