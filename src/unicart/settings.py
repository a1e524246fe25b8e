"""Settings, read from environment variables ``UNICART_*``."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec


class SettingsError(Exception):
    """An environment variable has a value that cannot be used; the message names it."""


MAX_HISTORY_DAYS = 36_500
SHORTEST_PASSWORD = 12
DATABASE_URLS = ("sqlite:///", "postgresql://", "postgres://")
LOG_LEVELS = ("debug", "info", "warning", "error")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings; each is the environment variable ``UNICART_`` + its name in capitals.

    ``database_url`` is ``sqlite:///path`` or ``postgresql://…``; without it, ``unicart.db`` in ``data_dir``. ``secret_key``
    encrypts credentials and signs page tokens; without it, a key file in ``data_dir`` does. ``read_rate`` and
    ``write_rate`` are requests per second and access token; 0 means no limit. Events are kept for ``event_days``. The first sync
    of a new connection pulls the orders of the last ``history_days``; 0 means all. Webhooks are sent to private addresses
    only with ``webhook_private_network``. ``public_url`` is where platforms reach this Unicart with their webhooks; without
    it, they are polled only. Everything is compared with the platforms once in ``reconcile_hours``; 0 is never.
    ``dashboard_password`` is the operator's; without it, one is made at the first start.
    """

    data_dir: str = "data"
    database_url: str = ""
    secret_key: str = ""
    read_rate: int = 10
    write_rate: int = 50
    event_days: int = 30
    history_days: int = 30
    webhook_private_network: bool = False
    public_url: str = ""
    reconcile_hours: int = 24
    dashboard_password: str = ""
    log_level: str = "info"

    def __post_init__(self) -> None:
        if self.database_url and not self.database_url.startswith(DATABASE_URLS):
            raise ValueError("UNICART_DATABASE_URL: use sqlite:///path or postgresql://user:password@host/name")
        for name in ("read_rate", "write_rate"):
            if getattr(self, name) < 0:
                raise ValueError(f"UNICART_{name.upper()}: must not be negative")
        if self.event_days < 1:
            raise ValueError("UNICART_EVENT_DAYS: must be at least 1")
        if not 0 <= self.history_days <= MAX_HISTORY_DAYS:
            raise ValueError(f"UNICART_HISTORY_DAYS: must be from 0 (everything) to {MAX_HISTORY_DAYS}")
        if self.reconcile_hours < 0:
            raise ValueError("UNICART_RECONCILE_HOURS: must not be negative")
        if 0 < len(self.dashboard_password) < SHORTEST_PASSWORD:
            raise ValueError(f"UNICART_DASHBOARD_PASSWORD: must have at least {SHORTEST_PASSWORD} characters")
        if self.public_url and not self.public_url.startswith(("https://", "http://")):
            raise ValueError("UNICART_PUBLIC_URL: must be an http or https URL")
        if self.log_level.lower() not in LOG_LEVELS:
            raise ValueError(f"UNICART_LOG_LEVEL: use one of {', '.join(LOG_LEVELS)}")

    @property
    def directory(self) -> Path:
        """The data directory as a path."""
        return Path(self.data_dir)

    @property
    def store_url(self) -> str:
        """The URL of the store."""
        return self.database_url or f"sqlite:///{self.directory.absolute() / 'unicart.db'}"


def read_settings(
    overrides: Mapping[str, object] = MappingProxyType({}), environment: Mapping[str, str] = os.environ
) -> Settings:
    """The settings of ``environment``, with ``overrides`` (from a command line) on top.

    Raises:
        SettingsError: a value cannot be used.
    """
    values: dict[str, object] = {}
    for name in Settings.__struct_fields__:
        text = environment.get(f"UNICART_{name.upper()}")
        if text is not None:
            values[name] = text
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        reason, _, field = str(error).partition(" - at `$.")
        raise SettingsError(f"UNICART_{field.rstrip('`').upper()}: {reason}" if field else reason) from None
