"""Writes to platforms, once and only once.

A write is noted before it is sent. Whoever finds a note without an answer, after a crash, a timeout or an answer of the platform's
that says nothing, asks the platform whether it is done before sending it again. What the platform then holds is stored and
announced like anything that a sync brings, in one transaction with the answer.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol
from weakref import WeakValueDictionary

import msgspec

from unicart.connectors.kit import (
    BadAnswer,
    Connector,
    ConnectorError,
    CredentialsRejected,
    OutcomeUnknown,
    PermissionMissing,
    RateLimitedByPlatform,
    RequestRefused,
)
from unicart.contract.errors import IntegrationError, InvalidRequest, NotFound, UnicartError, WriteInProgress
from unicart.contract.orders import Order, Refund
from unicart.contract.products import Product
from unicart.contract.resources import BY_FUNCTION, Function, Record
from unicart.contract.writes import (
    AdjustmentType,
    InventoryAdjustment,
    LineQuantity,
    NewRefund,
    NewShipment,
    WriteFunction,
)
from unicart.store import records, writes
from unicart.store.database import Database, StoreUnavailable, Transaction
from unicart.store.secrets import SecretError, Vault
from unicart.store.tenants import Connection
from unicart.store.writes import Claim
from unicart.sync.connect import Open, opened_connection
from unicart.sync.pages import keyed, map_page, save_page

log = logging.getLogger(__name__)

REFUSALS = (RequestRefused, PermissionMissing, CredentialsRejected)
"""The platform has understood, and done nothing."""

SETTLED = 60
"""Seconds behind a request after which the platform has surely begun with it, or never will."""


class Write(Protocol):
    """One write: what it is about, how it is sent, and how it is recognised afterwards."""

    @property
    def kind(self) -> WriteFunction:
        """Under which declaration of the connector's it falls."""

    @property
    def function(self) -> Function:
        """What reads the record."""

    @property
    def record_id(self) -> str:
        """The id of the order or product."""

    @property
    def harmless(self) -> bool:
        """Whether sending it twice does no more than sending it once."""

    def check(self, record: Record) -> None:
        """Refuse what makes no sense for the record as it is.

        Raises:
            InvalidRequest: naming the field.
        """

    def before(self, record: Record) -> bytes:
        """What the record shows now, to compare with later."""

    def is_done(self, before: bytes, record: Record) -> bool | None:
        """Whether the record shows it done since ``before``; null if that cannot be told."""

    async def send(self, platform: Connector, raw: bytes, reference: str) -> None:
        """Send it."""


class ShipmentWrite(msgspec.Struct, frozen=True):
    """A shipment of an order."""

    record_id: str
    shipment: NewShipment
    kind: WriteFunction = WriteFunction.CREATE_SHIPMENT
    function: Function = Function.GET_ORDERS
    harmless: bool = False

    def check(self, record: Record) -> None:
        _check_lines(_order(record), self.shipment.line_items, "line_items")
        groups = {group.shipping_group_id for group in _order(record).shipping_groups}
        for number, group in enumerate(self.shipment.shipping_groups):
            field = f"shipping_groups.{number}"
            if group.shipping_group_id not in groups:
                raise InvalidRequest("json", {f"{field}.shipping_group_id": ["the order has no such shipping group"]})
            _check_lines(_order(record), group.line_items, f"{field}.line_items")

    def before(self, record: Record) -> bytes:
        return msgspec.json.encode([each.shipment_id for each in _order(record).shipments])

    def is_done(self, before: bytes, record: Record) -> bool | None:
        known, order = set(msgspec.json.decode(before, type=list[str])), _order(record)
        new = [each for each in order.shipments if each.shipment_id not in known]
        if self.shipment.tracking_number is not None:
            new = [each for each in new if each.tracking_number == self.shipment.tracking_number]
        lines = self._lines()
        if not lines:
            return bool(new)
        products = {line.line_item_id: line.product_id for line in order.line_items}
        wanted = _summed(
            (products[line.line_item_id], line.quantity) for line in lines if line.line_item_id in products
        )
        # A platform may make several of one, for instance by location.
        made = _summed((each.product_id, each.quantity) for one in new for each in one.line_items)
        return all(made.get(product, 0) >= quantity for product, quantity in wanted.items())

    def _lines(self) -> list[LineQuantity]:
        """The lines that are named; of a group without any, they are not known."""
        groups = self.shipment.shipping_groups
        if any(not group.line_items for group in groups):
            return []
        return [*self.shipment.line_items, *(line for group in groups for line in group.line_items)]

    async def send(self, platform: Connector, raw: bytes, reference: str) -> None:
        await platform.create_shipment(raw, self.shipment, reference)


class RefundWrite(msgspec.Struct, frozen=True):
    """A refund of an order."""

    record_id: str
    refund: NewRefund
    kind: WriteFunction = WriteFunction.REFUND_ORDER
    function: Function = Function.GET_ORDERS
    harmless: bool = False

    def check(self, record: Record) -> None:
        _check_lines(_order(record), self.refund.line_items, "line_items")

    def before(self, record: Record) -> bytes:
        return msgspec.json.encode([each.refund_id for each in _refunds(record)])

    def is_done(self, before: bytes, record: Record) -> bool | None:
        known = set(msgspec.json.decode(before, type=list[str]))
        new = [each for each in _refunds(record) if each.refund_id not in known]
        wanted = _summed((line.line_item_id, line.quantity) for line in self.refund.line_items)
        if not wanted:
            return bool(new)
        # Some platforms tell of an amount only, and not of which lines.
        shown = [_summed((line.line_item_id, line.quantity) for line in each.line_items) for each in new]
        return any(not lines or lines == wanted for lines in shown)

    async def send(self, platform: Connector, raw: bytes, reference: str) -> None:
        await platform.refund_order(raw, self.refund, reference)


class AdjustmentWrite(msgspec.Struct, frozen=True):
    """A change of a product's stock."""

    record_id: str
    adjustment: InventoryAdjustment
    kind: WriteFunction = WriteFunction.ADJUST_INVENTORY
    function: Function = Function.GET_PRODUCTS

    @property
    def harmless(self) -> bool:
        return self.adjustment.adjustment_type is AdjustmentType.EXACT

    def check(self, record: Record) -> None:
        return

    def before(self, record: Record) -> bytes:
        return msgspec.json.encode(self._level(record))

    def is_done(self, before: bytes, record: Record) -> bool | None:
        """By the level: as it was, nothing is done; what it was to become, all is. Anything else says nothing."""
        was, now = msgspec.json.decode(before, type=int | None), self._level(record)
        if was is None or now is None:
            return None
        return {self.adjustment.target(was): True, was: False}.get(now)

    async def send(self, platform: Connector, raw: bytes, reference: str) -> None:
        await platform.adjust_inventory(raw, self.adjustment, reference)

    def _level(self, record: Record) -> int | None:
        if not isinstance(record, Product):
            raise TypeError(f"{record.id} is no product")
        if self.adjustment.warehouse_id is not None and record.inventory_by_warehouse_id:
            return record.inventory_by_warehouse_id.get(self.adjustment.warehouse_id, 0)
        return record.inventory


class Held(msgspec.Struct, frozen=True):
    """A record as the platform holds it: its raw form, and what that maps to."""

    raw: bytes
    record: Record


class Attempt:
    """One try of a write. With a ``claim`` it is kept in the store, and outlives this process."""

    def __init__(self, database: Database, connection: Connection, claim: Claim | None = None) -> None:
        self._database = database
        self._connection = connection
        self.claim = claim or Claim("", writes.new_reference(), None, None, None, 0, None)
        self._kept = claim is not None
        self.repeated = self.claim.sent is not None

    def reference(self, part: int | None) -> str:
        """The name of the write, or of a part of it, at the platform."""
        return self.claim.reference if part is None else f"{self.claim.reference[:26]}{part:06d}"

    async def sending(self, before: bytes, now: int) -> None:
        """Note that the write is about to be sent."""
        if self._kept:
            await writes.mark_sent(self._database, self._connection.key, self.claim, before, now)
        else:
            self.claim.sent, self.claim.before = now, before

    async def finish(self, transaction: Transaction, answer: bytes) -> None:
        """Keep the answer."""
        if self._kept:
            await writes.finish(transaction, self._connection.key, self.claim, answer)

    async def advance(self, transaction: Transaction) -> None:
        """Count a finished part."""
        if self._kept:
            await writes.advance(transaction, self._connection.key, self.claim)
        else:
            self.claim.done, self.claim.sent, self.claim.before = self.claim.done + 1, None, None
        self.repeated = False

    async def forget(self) -> None:
        """The platform has surely not done it; parts that are done stay done."""
        if not self._kept:
            return
        self._kept = False
        if self.claim.done:
            await writes.leave(self._database, self._connection.key, self.claim, unsent=True)
        else:
            await writes.release(self._database, self._connection.key, self.claim)

    async def leave(self, *, settled: bool = False) -> None:
        """Stop here, and let the next request go on, unless that is said already; ``settled``: nothing is under way."""
        if self._kept:
            self._kept = False
            await writes.leave(self._database, self._connection.key, self.claim, settled=settled)


class Passthrough(msgspec.Struct, frozen=True, kw_only=True):
    """A request of a client's own to a platform."""

    method: str
    path: str
    data: Any
    params: dict[str, Any]
    headers: dict[str, str]


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform answered."""

    status: int
    headers: dict[str, str]
    body: bytes


Answer = Callable[[list[bytes]], bytes]
"""From the documents of the records that were written to the body of the answer."""


class Writer:
    """Sends writes of any connection."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        opened: Open = opened_connection,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._vault = vault
        self._opened = opened
        self._clock = clock
        self._locks: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()

    async def write(self, connection: Connection, write: Write, attempt: Attempt, answer: Answer) -> bytes:
        """Send one write, and return the body of its answer.

        Raises:
            UnicartError: it is not done, or not known to be; the message says which.
        """
        async with self._left(attempt), self._platform(connection) as platform:
            return await self._one(connection, platform, write, attempt, answer)

    async def take(self, connection: Connection, platform: Connector, function: Function, id: str) -> bytes:
        """Store and announce a record as the platform holds it now, and return its document."""
        page = map_page(connection, platform, function, keyed(await platform.fetch(function, [id])))
        async with self._database.write() as transaction:
            await save_page(transaction, connection, function, page, int(self._clock()), announced=True)
            return await _document(transaction, connection, function, id)

    async def passthrough(self, connection: Connection, asked: Passthrough) -> Passed:
        """Send a request as it is; nothing of it is stored.

        Raises:
            UnicartError: there is no answer.
        """
        async with self._platform(connection) as platform:
            try:
                await platform.ready()
                reply = await platform.session.passthrough(
                    asked.method, asked.path, params=asked.params, json=asked.data, headers=asked.headers
                )
            except ConnectorError as error:
                raise integration_error(error) from error
        return Passed(status=reply.status, headers=dict(reply.headers.items()), body=reply.body)

    async def write_all(
        self, connection: Connection, parts: Sequence[Write], attempt: Attempt, answer: Answer
    ) -> bytes:
        """Send the parts of a batch in turn, from the first that is not done on.

        Raises:
            UnicartError: of the first part that fails; those before it are done, and a repetition goes on with it.
        """
        async with self._left(attempt):
            async with self._platform(connection) as platform:
                for number, part in enumerate(parts):
                    if number >= attempt.claim.done:
                        await self._part(connection, platform, part, attempt, number)
            return await self._finish_all(connection, parts, attempt, answer)

    async def _part(
        self, connection: Connection, platform: Connector, part: Write, attempt: Attempt, number: int
    ) -> None:
        try:
            await self._one(connection, platform, part, attempt, None, number)
        except IntegrationError as error:
            done = f" The {number} before it are done." if number else ""
            message = f"line_items.{number}: {error.message}{done}"
            raise IntegrationError(error.status, message, error.retry_after) from error

    async def _finish_all(
        self, connection: Connection, parts: Sequence[Write], attempt: Attempt, answer: Answer
    ) -> bytes:
        async with self._database.write() as transaction:
            body = answer([await _document(transaction, connection, part.function, part.record_id) for part in parts])
            await attempt.finish(transaction, body)
        return body

    @asynccontextmanager
    async def _left(self, attempt: Attempt) -> AsyncIterator[None]:
        """However it fails, the next request with the key can go on."""
        try:
            yield
        except Exception:
            await attempt.leave()
            raise

    @asynccontextmanager
    async def _platform(self, connection: Connection) -> AsyncIterator[Connector]:
        try:
            async with self._opened(self._database, self._vault, connection) as platform:
                yield platform
        except (LookupError, SecretError) as error:
            raise UnicartError(f"The connection cannot be opened: {error}") from error

    async def _one(
        self,
        connection: Connection,
        platform: Connector,
        write: Write,
        attempt: Attempt,
        answer: Answer | None,
        part: int | None = None,
    ) -> bytes:
        """Send a write, or a part of one, and store what it has made."""
        lock = self._locks.setdefault((connection.key, write.record_id), asyncio.Lock())
        async with lock:
            held = await self._read_first(platform, write, attempt)
            reference = attempt.reference(part)
            if attempt.repeated and self._found(platform, write, attempt, held, reference):
                written: Held | None = held
            else:
                written = await self._send(platform, write, attempt, held, reference)
            return await self._store(connection, platform, write, attempt, written, answer)

    async def _read_first(self, platform: Connector, write: Write, attempt: Attempt) -> Held:
        try:
            held = await _read(platform, write)
        except ConnectorError as error:
            raise integration_error(error) from error
        if held is None:
            await attempt.forget()
            raise NotFound(f"{BY_FUNCTION[write.function].singular.capitalize()} not found", id=write.record_id)
        return held

    def _found(self, platform: Connector, write: Write, attempt: Attempt, held: Held, reference: str) -> bool:
        """Whether an earlier attempt has come through.

        Raises:
            UnicartError: that cannot be told, or not yet.
        """
        done = _is_done(platform, write, attempt, held, reference)
        declared = platform.facts.write(write.kind)
        if write.harmless or (declared is not None and declared.repeatable):
            return done is True
        if done is None:
            raise IntegrationError(
                502,
                "An earlier request with this Idempotency-Key may have been carried out, and the stock has changed since, so "
                "that it cannot be told. Look at the stock, and set it with the adjustment type exact and a new key.",
            )
        waited = int(self._clock()) - (attempt.claim.sent or 0)
        if not done and waited < SETTLED:
            raise WriteInProgress(
                "The platform may still be working on an earlier request with this Idempotency-Key.", SETTLED - waited
            )
        return done

    async def _send(
        self, platform: Connector, write: Write, attempt: Attempt, held: Held, reference: str
    ) -> Held | None:
        """Send it. Returns what the platform then holds, or null if it does not say."""
        try:
            if not attempt.repeated:
                write.check(held.record)
            before = attempt.claim.before if attempt.repeated else None
            await attempt.sending(before or write.before(held.record), int(self._clock()))
        except InvalidRequest:
            await attempt.forget()
            raise
        try:
            await write.send(platform, held.raw, reference)
        except (OutcomeUnknown, BadAnswer) as error:
            return await self._look(platform, write, attempt, reference, error)
        except REFUSALS as error:
            if attempt.repeated:
                # Perhaps just because the earlier request has come through after all.
                return await self._look(platform, write, attempt, reference, error)
            await attempt.forget()
            raise integration_error(error) from error
        except ConnectorError as error:
            # A write of several steps may have begun: what repeats it goes on under the same reference.
            await attempt.leave(settled=True)
            raise integration_error(error) from error
        try:
            return await _read(platform, write)
        except ConnectorError as error:
            log.warning("What was written cannot be read back now: %s", error)
            return None

    async def _look(
        self, platform: Connector, write: Write, attempt: Attempt, reference: str, error: ConnectorError
    ) -> Held:
        """Ask the platform whether it is done after all."""
        try:
            held = await _read(platform, write)
        except ConnectorError:
            held = None
        if held is not None and _is_done(platform, write, attempt, held, reference):
            return held
        if isinstance(error, REFUSALS) and held is not None:
            await attempt.forget()
            raise integration_error(error) from error
        hint = "It is not known whether this was carried out. Repeat it with the same Idempotency-Key"
        hint += (
            ": it is looked for before it is sent again." if attempt.claim.key else " next time; look before you do."
        )
        raise IntegrationError(502, f"{error.message} {hint}") from error

    async def _store(
        self,
        connection: Connection,
        platform: Connector,
        write: Write,
        attempt: Attempt,
        held: Held | None,
        answer: Answer | None,
    ) -> bytes:
        body = b""
        page = map_page(connection, platform, write.function, keyed([held.raw] if held else []))
        async with self._database.write() as transaction:
            await save_page(transaction, connection, write.function, page, int(self._clock()), announced=True)
            if answer is None:
                await attempt.advance(transaction)
            else:
                body = answer([await _document(transaction, connection, write.function, write.record_id)])
                await attempt.finish(transaction, body)
        return body


async def _read(platform: Connector, write: Write) -> Held | None:
    """The record as the platform holds it."""
    for raw in await platform.fetch(write.function, [write.record_id]):
        try:
            mapped = platform.map(write.function, raw)
        except Exception as error:
            reason = f"The platform's record cannot be understood: {error}"
            raise RequestRefused(reason, status=422) from error
        for record in mapped:
            if record.id == write.record_id:
                return Held(raw, record)
    return None


def _is_done(platform: Connector, write: Write, attempt: Attempt, held: Held, reference: str) -> bool | None:
    borne = platform.bears(held.raw, reference)
    if borne is not None or attempt.claim.before is None:
        return borne
    return write.is_done(attempt.claim.before, held.record)


async def _document(transaction: Transaction, connection: Connection, function: Function, id: str) -> bytes:
    document = await records.document_of(transaction, connection.key, BY_FUNCTION[function], id)
    if document is None:
        raise StoreUnavailable("The platform took the write, but its record is not in the store. Sync, and read it.")
    return document


def integration_error(error: ConnectorError) -> IntegrationError:
    """The platform's error as a client sees it."""
    match error:
        case RequestRefused():
            return IntegrationError(error.status if 400 <= error.status < 500 else 422, error.message)
        case CredentialsRejected():
            return IntegrationError(401, error.message)
        case PermissionMissing():
            return IntegrationError(403, error.message)
        case RateLimitedByPlatform():
            wait = int(error.retry_after) + 1 if error.retry_after else 60
            return IntegrationError(429, error.message, wait)
        case _:
            return IntegrationError(502, error.message)


def _order(record: Record) -> Order:
    if not isinstance(record, Order):
        raise TypeError(f"{record.id} is no order")
    return record


def _refunds(record: Record) -> list[Refund]:
    found: list[Refund] = _order(record).additional_fields.get("refunds") or []
    return found


def _check_lines(order: Order, lines: Sequence[Any], field: str) -> None:
    known = {line.line_item_id for line in order.line_items}
    for number, line in enumerate(lines):
        if line.line_item_id not in known:
            raise InvalidRequest("json", {f"{field}.{number}.line_item_id": ["the order has no such line item"]})


def _summed(parts: Any) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for name, quantity in parts:
        found[name] = found.get(name, 0) + quantity
    return found
