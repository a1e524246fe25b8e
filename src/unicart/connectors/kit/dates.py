"""Dates of platforms."""

from datetime import UTC, datetime


def parse_utc(text: str, *, naive_is_utc: bool = False) -> datetime:
    """An ISO 8601 date as an aware datetime in UTC.

    Pass ``naive_is_utc`` only where the vendor documents that its dates without a zone are in UTC.

    Raises:
        ValueError: not a date, or one without a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        if not naive_is_utc:
            raise ValueError(f"{text!r} has no time zone")
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)
