"""Dates, money and tags on the wire."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unicart.contract.common import encode, format_date, parse_date, tag_text, whole_second

EPOCHS = st.integers(parse_date("0001-01-01T00:00:00Z"), parse_date("9999-12-31T23:59:59Z"))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(EPOCHS)
def test_date_comes_back_as_it_was_written(epoch: int) -> None:
    assert parse_date(format_date(epoch)) == epoch


@given(st.datetimes(timezones=ZONES, min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001
def test_records_and_filters_write_the_same_date(moment: datetime) -> None:
    cut = whole_second(moment)
    assert encode(cut) == f'"{format_date(int(cut.timestamp()))}"'.encode()
    assert timedelta(0) <= moment - cut < timedelta(seconds=1)


@given(st.text(alphabet="0123456789-:TZ ٣", max_size=22))
def test_other_text_is_refused_with_a_reason(text: str) -> None:
    try:
        assert format_date(parse_date(text)) == text
    except ValueError as error:
        assert str(error).startswith(("must be a date", "is not a date"))  # noqa: PT017


def test_moment_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        whole_second(datetime(2026, 1, 1))  # noqa: DTZ001


def test_fraction_is_cut_and_never_rounded_up() -> None:
    assert whole_second(datetime(2026, 1, 1, 0, 0, 0, 999_999, UTC)) == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "digits", ["13.49", "0.1", "1999", "13.490", "0.00", "-2.50", "123456789012345678901234567890.12"]
)
def test_money_is_a_number_digit_for_digit(digits: str) -> None:
    assert encode(Decimal(digits)) == digits.encode()
    assert encode({"nested": [Decimal(digits)]}) == f'{{"nested":[{digits}]}}'.encode()


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_money_that_is_read_and_written_again_is_unchanged(amount: Decimal) -> None:
    written = encode(amount)
    assert encode(msgspec.json.decode(written, type=Decimal)) == written


@pytest.mark.parametrize(
    ("tag", "text"), [("priority", "priority"), ({"team": "returns"}, "team:returns"), ("a:b", "a:b")]
)
def test_tag_is_written_as_in_a_filter(tag: str | dict[str, str], text: str) -> None:
    assert tag_text(tag) == text
