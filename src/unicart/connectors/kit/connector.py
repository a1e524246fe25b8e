"""The shape of a connector: declared facts, credentials, pages of raw records, and a pure mapping."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Literal, TypeVar

import msgspec

from unicart.connectors.kit.http import Session
from unicart.contract.resources import Function, Record

CursorT = TypeVar("CursorT", bound=msgspec.Struct)


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the form that connects an account. ``name`` is snake_case; the CLI option is its kebab-case."""

    name: str
    label: str
    help: str
    kind: Literal["text", "url", "secret", "number"] = "text"
    required: bool = True
    default: str | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a platform without asking it.

    ``limits`` and ``incremental`` are sentences for the operator: the platform's rate limits, and what decides that a
    record is pulled again. ``documentation`` lists the vendor's pages that the code follows.
    """

    name: str
    display_name: str
    description: str
    credentials: tuple[Credential, ...]
    functions: tuple[Function, ...]
    limits: str
    incremental: str
    documentation: tuple[str, ...]
    install_method: Literal["input", "oauth", "none"] = "input"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The account behind the credentials, as the platform names it."""

    account_id: str
    account_name: str


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """What to pull.

    ``cursor`` is the last committed page's cursor, null on the first run. If ``interrupted``, the run goes on exactly
    behind it. Otherwise a new increment begins: ``overlap`` is how far it looks back behind the cursor, so that records
    which were being written while the last run passed are not missed. ``since`` limits a first run to records created
    or changed from then on; null means everything.
    """

    cursor: str | None = None
    interrupted: bool = False
    overlap: timedelta = timedelta(seconds=60)
    since: datetime | None = None


class RawPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page as the platform sent it. ``records`` are the JSON bytes of one record each.

    ``cursor`` is where to go on once the page is stored. ``total`` is how many records this run expects in all, for the
    progress bar, if the platform tells.
    """

    records: Sequence[bytes]
    cursor: str
    total: int | None = None


class Connector(ABC):
    """An adapter to one platform, made for one connection.

    Everything but `map` may raise any `ConnectorError` except `UnmappableRecord`.
    """

    facts: ClassVar[Facts]

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        self.credentials = credentials
        self.session = session

    @classmethod
    def base_url(cls, credentials: Mapping[str, str]) -> str:
        """The root that ``session`` sends to; relative paths of requests are joined to it."""
        return credentials.get("url", "")

    @abstractmethod
    async def check(self) -> Account:
        """Prove the credentials against the platform, and tell whose they are."""

    @abstractmethod
    def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        """Pages of raw records that are new or changed, each with the cursor behind it.

        Every change on the platform appears at least once over consecutive runs; a record may come more than once. The
        last page may be empty: its cursor is still stored.
        """

    @classmethod
    @abstractmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        """The unified records of one raw record (a product may become a parent and its variants).

        Pure: no I/O, no clock, no state.

        Raises:
            UnmappableRecord: naming the field and the reason. `msgspec.ValidationError` and `ValueError` count as such.
        """


def read_cursor(text: str, type: type[CursorT]) -> CursorT:
    """The connector's own cursor out of its stored text."""
    return msgspec.json.decode(text, type=type)


def write_cursor(cursor: msgspec.Struct) -> str:
    """The text under which a connector's own cursor is stored."""
    return msgspec.json.encode(cursor).decode()


def fingerprint(text: str) -> str:
    """A short stable name for what has no id on the platform: 16 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
