"""Dates of platforms: aware and in UTC, or refused."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unicart.connectors.kit import parse_utc

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9990, 1, 1), timezones=ZONES)  # noqa: DTZ001


@given(MOMENTS)
def test_moment_stays_the_same_in_utc(moment: datetime) -> None:
    parsed = parse_utc(moment.isoformat())
    assert parsed == moment
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-03-04T05:06:07Z", "2026-03-04T05:06:07.000Z", "2026-03-04 06:06:07+01:00"])
def test_forms_that_platforms_send(text: str) -> None:
    assert parse_utc(text) == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_date_without_zone_needs_the_vendors_word() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        parse_utc("2026-03-04T05:06:07")
    assert parse_utc("2026-03-04T05:06:07", naive_is_utc=True) == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_date_beyond_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        parse_utc(text)


@given(st.text(max_size=30))
def test_other_text_is_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_utc(text).tzinfo is UTC
