"""What every unified record shares: JSON encoding, dates, tags and addresses.

Money is ``decimal.Decimal`` from wire to wire and is written as a JSON number, digit for digit.
Dates are aware, in UTC and in whole seconds, written ``YYYY-MM-DDTHH:MM:SSZ``.
"""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

Tag = str | dict[str, str]
"""A Trackstar tag: a plain string, or an object of exactly one key and its value."""

_encoder = msgspec.json.Encoder(decimal_format="number")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", re.ASCII)
DATE_FORMAT = "YYYY-MM-DDTHH:MM:SSZ"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A postal address with its contact; one shape for ship-to and bill-to.

    ``country`` is the name or the ISO 3166 code, whichever the platform holds.
    """

    full_name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    address3: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    phone_number: str | None = None
    email_address: str | None = None


def encode(value: Any) -> bytes:
    """The JSON bytes of a record or any value that records are made of."""
    return _encoder.encode(value)


def whole_second(moment: datetime) -> datetime:
    """``moment`` in UTC with its fraction of a second cut off.

    Raises:
        ValueError: ``moment`` has no zone, or is outside the years 1 to 9999 in UTC.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    try:
        return moment.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise ValueError(f"{moment.isoformat()} is out of range") from None


def require_numbers(struct: msgspec.Struct, *names: str) -> None:
    """Refuse amounts that are infinite or not a number: JSON has no such numbers.

    Raises:
        ValueError: naming the field.
    """
    for name in names:
        amount = getattr(struct, name)
        if amount is not None and not amount.is_finite():
            raise ValueError(f"{name}: {amount} is not a number")


def parse_date(text: str) -> int:
    """Epoch seconds of a date in the contract's only form, ``YYYY-MM-DDTHH:MM:SSZ``.

    Raises:
        ValueError: any other form, or a date that does not exist.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a date of the form {DATE_FORMAT}")
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError as error:
        raise ValueError(f"is not a date that exists: {error}") from None


def format_date(epoch: int) -> str:
    """The contract's form of ``epoch`` (seconds, UTC)."""
    return datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z")


def tag_text(tag: Tag) -> str:
    """How a tag is written in a filter: ``tag`` or ``key:value``."""
    if isinstance(tag, str):
        return tag
    ((key, value),) = tag.items()
    return f"{key}:{value}"
