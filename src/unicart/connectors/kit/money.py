"""Money of platforms: always Decimal, never a binary float."""

from decimal import Context, Decimal, Inexact, InvalidOperation

from unicart.connectors.kit.errors import UnmappableRecord

_EXPONENTS = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(),
        0,
    ),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
_PER_UNIT_PLACES = Decimal("0.000001")
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])
_WIDE = Context(prec=60, traps=[InvalidOperation])


def exponent(currency: str) -> int:
    """How many decimals the currency has by ISO 4217: 2 for USD, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(currency.upper(), 2)


def from_minor_units(amount: int, currency: str) -> Decimal:
    """``amount`` of cents (or what the currency has) in major units: 1349 USD cents become 13.49.

    Raises:
        ValueError: more than 60 digits, which is no amount of money.
    """
    try:
        return Decimal(amount).scaleb(-exponent(currency), _EXACT)
    except Inexact:
        raise ValueError(f"an amount of {len(str(abs(amount)))} digits") from None


def finite(amount: Decimal, field: str) -> Decimal:
    """``amount``, which came as ``field``, if it is a number.

    Raises:
        UnmappableRecord: it is infinite, or none.
    """
    if not amount.is_finite():
        raise UnmappableRecord(f"{field}: {amount} is not a number")
    return amount


def per_unit(total: Decimal, quantity: int) -> Decimal:
    """A line's amount per unit: exact where the division is, else rounded to six decimals.

    A line of quantity zero (all of it cancelled) has the amount zero per unit.

    Raises:
        ValueError: ``total`` is not a number, or too long for money.
    """
    if quantity == 0:
        return Decimal(0)
    if not total.is_finite():
        raise ValueError(f"{total} is not an amount")
    if quantity == 1 or not total:
        return total
    places = max(-int(total.as_tuple().exponent), 0)
    try:
        share = _WIDE.quantize(_WIDE.divide(total, Decimal(quantity)), _PER_UNIT_PLACES)
        return _trim(share, places)
    except InvalidOperation:
        raise ValueError(f"{total} is too long for an amount") from None


def _trim(amount: Decimal, places: int) -> Decimal:
    """``amount`` without trailing zeros, but with at least ``places`` decimals."""
    shortest = amount.normalize(_WIDE)
    decimals = max(-int(shortest.as_tuple().exponent), places, 0)
    return amount.quantize(Decimal(1).scaleb(-decimals), context=_WIDE)
