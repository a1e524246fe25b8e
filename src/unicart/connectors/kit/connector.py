"""The shape of a connector: declared facts, credentials, pages of raw records, and a pure mapping."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Protocol, TypeVar

import msgspec

from unicart.connectors.kit.errors import HookRefused
from unicart.connectors.kit.http import Session
from unicart.connectors.kit.writes import Write
from unicart.contract.resources import Function, Record
from unicart.contract.writes import InventoryAdjustment, NewRefund, NewShipment, WriteFunction

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
    record is pulled again. ``webhooks``: the platform calls us when something changes. ``documentation`` lists the
    vendor's pages that the code follows. ``writes`` declares what can be written back. A ``hidden`` connector is for
    tests, and users are not offered it.
    """

    name: str
    display_name: str
    description: str
    credentials: tuple[Credential, ...]
    functions: tuple[Function, ...]
    writes: tuple[Write, ...] = ()
    limits: str
    incremental: str
    documentation: tuple[str, ...]
    webhooks: bool = False
    install_method: Literal["input", "oauth", "none"] = "input"
    hidden: bool = False

    def write(self, function: WriteFunction) -> Write | None:
        """The declaration of a write; null if the platform does not take it."""
        if function is WriteFunction.BATCH_ADJUST_INVENTORY:
            function = WriteFunction.ADJUST_INVENTORY
        return next((write for write in self.writes if write.function is function), None)

    @property
    def write_functions(self) -> tuple[WriteFunction, ...]:
        """What can be written; several adjustments can, if one can."""
        return tuple(function for function in WriteFunction if self.write(function) is not None)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The account behind the credentials, as the platform names it."""

    account_id: str
    account_name: str


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """What to pull.

    ``cursor`` is the last committed page's cursor, null on the first run. If ``interrupted``, the run goes on exactly
    behind it. Otherwise a new increment begins: ``overlap`` is how far it looks back behind the cursor, so that records
    which were being written while the last run passed are not missed. ``since`` limits a first run of orders to those
    created or changed from then on; null means everything. A first run yields the newest orders first, where the
    platform can list them so. With ``until``, the run is no part of the increments: it yields, from the oldest on, the
    records that were created from ``since`` to ``until``, both included, and its cursor serves only to go on with it.
    """

    cursor: str | None = None
    interrupted: bool = False
    overlap: timedelta = timedelta(seconds=60)
    since: datetime | None = None
    until: datetime | None = None


class RawPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page as the platform sent it. ``records`` are the JSON bytes of one record each.

    ``cursor`` is where to go on once the page is stored. ``total`` is how many records this run expects in all, for the
    progress bar, if the platform tells. ``notice`` says what the run cannot see for want of a permission, and how to
    grant it; it stands on the connection, and holds up nothing, until a run ends well without one.
    """

    records: Sequence[bytes]
    cursor: str
    total: int | None = None
    notice: str | None = None


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook of a platform as it arrived. Names of ``headers`` are in lower case; ``path`` is behind our URL."""

    headers: Mapping[str, str]
    body: bytes
    path: str = ""


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook says: the record ``id`` is new, has changed, or is gone.

    ``raw`` is the raw record itself, where the webhook carries all that a page of `Connector.pull` would; otherwise it is
    fetched by its id.
    """

    function: Function
    id: str
    raw: bytes | None = None


class CredentialStore(Protocol):
    """Where the credentials of a connection are kept, encrypted."""

    async def read(self) -> Mapping[str, str]:
        """All of them, as they are now."""

    async def write(self, changed: Mapping[str, str]) -> None:
        """Replace those that are named in ``changed``, durably."""


class State(Protocol):
    """Values that a connector keeps for its connection, beside the records."""

    async def read(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values under these keys, those that there are."""

    async def write(self, values: Mapping[str, bytes]) -> None:
        """Put values under their keys, all or none of them."""

    async def changed(self, prefix: str, after: int, limit: int) -> list[tuple[int, str, bytes]]:
        """The next values under keys that begin with ``prefix`` and that changed behind version ``after``."""


class Connector(ABC):
    """An adapter to one platform, made for one connection.

    Everything but `map` may raise any `ConnectorError` except `UnmappableRecord`.
    """

    facts: ClassVar[Facts]

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        self.credentials = credentials
        self.session = session
        self.credential_store: CredentialStore | None = None
        self.state: State | None = None

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

    @abstractmethod
    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        """The raw records, as `pull` yields them, that map to unified records of these ``ids``; any number of them.

        A raw record that maps to several of them comes once. Those that the platform does not have any more, or that
        `pull` would not yield, are left out.
        """

    async def oldest_visible(self, function: Function) -> datetime | None:
        """Records created before it may be hidden from us, so that their absence says nothing; null if none are."""
        return None

    async def stored_credentials(self) -> Mapping[str, str]:
        """The credentials as they are stored now: another process may have renewed them since this one began."""
        return self.credentials if self.credential_store is None else await self.credential_store.read()

    async def keep_credentials(self, changed: Mapping[str, str]) -> None:
        """Store credentials that the platform has renewed, and use them from now on.

        Where renewing makes the old ones void, a connector looks at `stored_credentials` before it renews, and once more
        when it is refused.
        """
        secret = {field.name for field in self.facts.credentials if field.kind == "secret"}
        self.session.hide(value for name, value in changed.items() if name in secret)
        if self.credential_store is not None:
            await self.credential_store.write(changed)
        self.credentials = {**self.credentials, **changed}

    async def create_shipment(self, order: bytes, shipment: NewShipment, reference: str) -> None:
        """Tell the platform that a part of an order is shipped.

        ``order`` is the raw record as `fetch` gave it a moment ago, and may show what an earlier call under the same
        ``reference`` began: that is completed, never begun again. The reference (32 letters and digits) belongs to this
        one write; where the platform can keep it, it is sent along. Requests that write are sent with ``once``. What the
        platform refuses leaves nothing behind: checks come first, or the steps before are undone.

        Raises:
            OutcomeUnknown: the platform may have taken it.
            ConnectorError: it has not; a `RequestRefused` has the platform's message and status, or 422 where it has none.
        """
        raise NotImplementedError(f"{self.facts.name} takes no shipments")

    async def refund_order(self, order: bytes, refund: NewRefund, reference: str) -> None:
        """Pay back a part of an order, or all that is left of it; as `create_shipment` in everything else."""
        raise NotImplementedError(f"{self.facts.name} takes no refunds")

    async def adjust_inventory(self, product: bytes, adjustment: InventoryAdjustment, reference: str) -> None:
        """Change the stock of the product or variant that ``adjustment`` names; as `create_shipment` in everything else.

        ``product`` is the raw record from which that one is mapped. Where the platform only sets levels, the level to set
        is `InventoryAdjustment.target` of the one in ``product``.
        """
        raise NotImplementedError(f"{self.facts.name} takes no stock levels")

    @classmethod
    def bears(cls, raw: bytes, reference: str) -> bool | None:
        """Whether a raw order or product shows a completed write of that ``reference``; null if that cannot be told.

        Where it is null, a shipment or refund is recognised by being new, with the lines and the tracking number, or the
        amounts, of the request. Pure.
        """
        return None

    async def ready(self) -> None:  # noqa: B027 - most sessions are ready as they are, or become so by a 401
        """Make the session fit for any request, for passthrough: logged in, where a 401 does not do that by itself."""

    async def write_values(self, function: WriteFunction) -> Mapping[str, Sequence[str]]:
        """What this account takes in fields that are ``varying``, by name; warehouses are known without it."""
        return {}

    async def subscribe(self, url: str) -> dict[str, str]:
        """Ask the platform to send its webhooks to ``url``; what is returned is kept, encrypted, for the other methods.

        It holds the secret by which webhooks are verified, and what `unsubscribe` needs. Subscribing anew to the same
        ``url`` leaves no second subscription behind. Only called if the facts have ``webhooks``.
        """
        raise NotImplementedError(f"{self.facts.name} has no webhooks")

    async def unsubscribe(self, subscription: Mapping[str, str]) -> None:
        """End what `subscribe` began; no error if it has ended already."""
        raise NotImplementedError(f"{self.facts.name} has no webhooks")

    @classmethod
    def verify_hook(cls, credentials: Mapping[str, str], subscription: Mapping[str, str], hook: Hook) -> None:
        """Prove that the platform sent ``hook``. Pure, and in constant time.

        Raises:
            HookRefused: it did not, or that cannot be told.
        """
        raise HookRefused(f"{cls.facts.display_name} sends no webhooks that this connector knows.")

    @classmethod
    def read_hook(cls, hook: Hook) -> Sequence[Hint]:
        """What a verified ``hook`` says; nothing, if it is about something that Unicart does not keep. Pure.

        Raises:
            BadAnswer: it is not what the platform documents. `msgspec.ValidationError` and `ValueError` count as such.
        """
        raise NotImplementedError(f"{cls.facts.name} has no webhooks")

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
