"""Dates of platforms."""

from datetime import UTC, datetime


def format_utc(moment: datetime, timespec: str = "milliseconds") -> str:
    """A date as platforms with ISO 8601 take it: in UTC, ending in ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def parse_utc(text: str, *, naive_is_utc: bool = False) -> datetime:
    """An ISO 8601 date as an aware datetime in UTC.

    Pass ``naive_is_utc`` only where the vendor documents that its dates without a zone are in UTC.

    Raises:
        ValueError: not a date, one without a zone, or one that is outside the years 1 to 9999 in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        if not naive_is_utc:
            raise ValueError(f"{text!r} has no time zone")
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is out of range") from None
