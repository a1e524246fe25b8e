"""How the dashboard says things: amounts of time, numbers, and what was done."""

from unicart.contract.common import parse_date
from unicart.contract.connections import ErrorType

NOTES = {
    "paused": "Paused. Nothing is synced until you resume it.",
    "resumed": "Resumed. The sync is due now.",
    "forced": "The sync is due now, and begins in a moment.",
    "running": "That sync is running already.",
    "frequency": "The frequency is changed.",
    "functions": "The functions are changed.",
    "retried": "All could be mapped. The quarantine is empty.",
    "refused": "Mapped again. What is still listed cannot be mapped by this version either.",
    "created": "Created.",
    "enabled": "Enabled. Sending goes on where it stopped.",
    "disabled": "Disabled. Nothing is sent until you enable it.",
    "removed": "Deleted.",
    "replayed": "Queued. The worker sends it again in a moment.",
    "nothing": "There was nothing to send again.",
    "revoked": "Revoked. The key stops working within a second.",
    "signed-out": "You are signed out.",
}
ADVICE = {
    ErrorType.INVALID_CREDENTIALS: "The platform refuses the credentials. Connect this shop again with fresh ones; syncs "
    "then go on by themselves.",
    ErrorType.MISSING_PERMISSION: "Grant the permission that the message names, on the platform. The next sync notices.",
    ErrorType.OTHER: "Syncs are tried again by themselves, at most an hour apart. Once the cause is mended, Sync now tries "
    "at once.",
}
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def duration(seconds: int) -> str:
    """An amount of time in its largest unit: ``3 minutes``."""
    for unit, size in UNITS:
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return "0 seconds"


def ago(date: str | int, now: int) -> str:
    """How far a date (epoch seconds, or as the API writes it) is from ``now``."""
    epoch = parse_date(date) if isinstance(date, str) else date
    if epoch > now:
        return f"in {duration(epoch - now)}"
    return f"{duration(now - epoch)} ago" if now > epoch else "now"


def until(date: str, now: int) -> str:
    """How long it takes to a date (as the API writes it); what is not in the future is due."""
    return ago(date, now) if parse_date(date) > now else "due"


def number(value: int) -> str:
    """A count with its thousands set apart."""
    return f"{value:,}"
