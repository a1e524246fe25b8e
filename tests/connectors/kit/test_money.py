"""Money of platforms: exact, whatever the currency and the quantity."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unicart.connectors.kit import exponent, from_minor_units, per_unit
from unicart.contract.common import encode

AMOUNTS = st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, allow_infinity=False, places=2)


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("USD", 2), ("EUR", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("TND", 3), ("CLF", 4), ("usd", 2), ("jpy", 0)],
)
def test_exponent_follows_iso_4217(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (1349, "USD", b"13.49"),
        (1990, "USD", b"19.90"),
        (1, "USD", b"0.01"),
        (0, "USD", b"0.00"),
        (-250, "EUR", b"-2.50"),
        (1490, "JPY", b"1490"),
        (3750, "KWD", b"3.750"),
    ],
)
def test_minor_units_are_written_with_the_currencys_decimals(amount: int, currency: str, written: bytes) -> None:
    assert encode(from_minor_units(amount, currency)) == written


@given(st.integers(-(10**40), 10**40), st.sampled_from(["USD", "JPY", "KWD", "CLF"]))
def test_minor_units_lose_nothing(amount: int, currency: str) -> None:
    assert int(str(from_minor_units(amount, currency)).replace(".", "")) == amount


def test_minor_units_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="digits"):
        from_minor_units(10**80 + 1, "USD")


@given(AMOUNTS, st.integers(1, 100_000))
def test_amount_per_unit_is_as_close_as_six_decimals_allow(total: Decimal, quantity: int) -> None:
    share = per_unit(total, quantity)
    assert abs(share * quantity - total) <= quantity * Decimal("0.0000005")
    assert -int(share.as_tuple().exponent) >= 2, "at least the decimals of the total"


@given(AMOUNTS, st.integers(1, 1000))
def test_amount_per_unit_is_exact_where_the_division_is(unit: Decimal, quantity: int) -> None:
    assert per_unit(unit * quantity, quantity) == unit


@pytest.mark.parametrize(
    ("total", "quantity", "share"),
    [
        ("10.00", 3, "3.333333"),
        ("10.00", 4, "2.50"),
        ("10.000", 4, "2.500"),
        ("1", 8, "0.125"),
        ("0.00", 7, "0.00"),
        ("5.00", 0, "0"),
        ("7E+2", 2, "350"),
    ],
)
def test_amount_per_unit(total: str, quantity: int, share: str) -> None:
    assert str(per_unit(Decimal(total), quantity)) == share


@pytest.mark.parametrize("total", ["NaN", "Infinity", "-Infinity", "1E+80"])
def test_amount_without_sense_is_refused(total: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        per_unit(Decimal(total), 3)
