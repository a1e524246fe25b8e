"""Settings, read from environment variables ``UNICART_*`` and from a TOML file."""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message names it, and the file that it is in."""


MAX_HISTORY_DAYS = 36_500
SHORTEST_PASSWORD = 12
DATABASE_URLS = ("sqlite:///", "postgresql://", "postgres://")
CONFIG_FILE = "unicart.toml"
CONFIG = "UNICART_CONFIG"
LOG_FORMATS = ("text", "json")
ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
"""An origin as browsers write it."""

LOG_LEVELS = ("debug", "info", "warning", "error")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings; each is a key of the settings file, and the environment variable ``UNICART_`` + its name in capitals.

    ``database_url`` is ``sqlite:///path`` or ``postgresql://…``; without it, ``unicart.db`` in ``data_dir``. ``secret_key``
    encrypts credentials and signs page tokens; without it, a key file in ``data_dir`` does. ``read_rate`` and
    ``write_rate`` are requests per second and access token; 0 means no limit. Events are kept for ``event_days``. The first sync
    of a new connection pulls the orders of the last ``history_days``; 0 means all. Webhooks are sent to private addresses
    only with ``webhook_private_network``. ``public_url`` is where platforms reach this Unicart with their webhooks; without
    it, they are polled only. Everything is compared with the platforms once in ``reconcile_hours``; 0 is never.
    ``log_requests`` writes a line for each answered request. ``traces`` sends OpenTelemetry traces. ``dashboard_password`` is
    the operator's; without it, one is made at the first start.

    The link dialog opens on pages of ``link_origins``, comma-separated; without any, on this machine's own (localhost).
    Merchants may name shops on private addresses only with ``link_private_network``. With the client id and secret of an app,
    shops of that platform are connected by OAuth; ``amazon_draft`` while the application there is not published.
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
    link_origins: str = ""
    link_private_network: bool = False
    shopify_client_id: str = ""
    shopify_client_secret: str = ""
    bigcommerce_client_id: str = ""
    bigcommerce_client_secret: str = ""
    amazon_application_id: str = ""
    amazon_client_id: str = ""
    amazon_client_secret: str = ""
    amazon_draft: bool = False
    dashboard_password: str = ""
    log_level: str = "info"
    log_format: str = "text"
    log_requests: bool = False
    traces: bool = False

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
        for origin in self.embedding_origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"UNICART_LINK_ORIGINS: {origin!r} is not an origin. Write https://app.example.com, without a path"
                )
        if self.log_level.lower() not in LOG_LEVELS:
            raise ValueError(f"UNICART_LOG_LEVEL: use one of {', '.join(LOG_LEVELS)}")
        if self.log_format not in LOG_FORMATS:
            raise ValueError(f"UNICART_LOG_FORMAT: use one of {', '.join(LOG_FORMATS)}")

    @property
    def embedding_origins(self) -> tuple[str, ...]:
        """The origins of the pages that may open the link dialog."""
        return tuple(origin.strip() for origin in self.link_origins.split(",") if origin.strip())

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
    """The settings of the settings file, with those of ``environment`` and then ``overrides`` (a command line's) on top.

    Raises:
        SettingsError: a value cannot be used.
    """
    path = settings_file(environment)
    written = _read_file(path) if path is not None else {}
    given = {name: environment[variable(name)] for name in Settings.__struct_fields__ if variable(name) in environment}
    values = {**written, **given, **{name: value for name, value in overrides.items() if value is not None}}
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        name, reason = _blamed(str(error))
        if name in written and values[name] is written[name]:
            raise SettingsError(f"{path}: {name}: {reason}") from None
        raise SettingsError(f"{variable(name)}: {reason}" if name else reason) from None


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"UNICART_{name.upper()}"


def settings_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The settings file: that of ``UNICART_CONFIG``, else ``unicart.toml`` in the working directory, if there is one."""
    if environment.get(CONFIG):
        return Path(environment[CONFIG])
    path = Path(CONFIG_FILE)
    return path if path.is_file() else None


def _read_file(path: Path) -> dict[str, object]:
    try:
        written = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise SettingsError(f"The settings file {path} is not TOML: {error}") from None
    for name in written:
        if name not in Settings.__struct_fields__:
            near = difflib.get_close_matches(name, Settings.__struct_fields__, 1)
            hint = f"Do you mean {near[0]}?" if near else f"There are {', '.join(Settings.__struct_fields__)}."
            raise SettingsError(f"{path}: {name}: there is no such setting. {hint}")
    return written


def _blamed(message: str) -> tuple[str, str]:
    """The setting that an error of msgspec is about, and the reason; or no setting, and the message."""
    reason, _, field = message.partition(" - at `$.")
    if field:
        return field.rstrip("`"), reason
    name, colon, reason = message.partition(": ")
    if colon and name.startswith("UNICART_"):
        return name.removeprefix("UNICART_").lower(), reason
    return "", message
