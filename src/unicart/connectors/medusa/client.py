"""Medusa's Admin API: pages of orders, products and stock locations that are new or changed.

Lists are walked by keyset on ``updated_at`` (milliseconds): a page begins at the date of the last record of the page before,
and records that were seen with that date are dropped. A record that changes while the list is walked comes again at its end,
and no record is skipped, which paging by offset would do. Changes that do not move a record's own date are found in feeds of
what does move, read from the newest down.

The first run of orders is a walk on ``created_at`` from the newest down. The walk on ``updated_at`` begins at the newest date
that there was before it, and so finds what changed meanwhile.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from unicart.connectors.kit import (
    Account,
    BadAnswer,
    Connector,
    PlatformUnavailable,
    Pull,
    RawPage,
    RequestRefused,
    Session,
    format_utc,
    read_cursor,
    refusal,
    write_cursor,
)
from unicart.connectors.kit.dates import parse_utc
from unicart.connectors.medusa import auth, mapping, writes
from unicart.connectors.medusa.errors import OUTCOMES
from unicart.connectors.medusa.facts import FACTS
from unicart.connectors.medusa.payloads import (
    Fulfillment,
    InventoryLink,
    Order,
    Payment,
    Payments,
    RawProduct,
    RefundReason,
    RefundReasons,
    Stamp,
    Stores,
)
from unicart.contract.resources import Function, Record
from unicart.contract.writes import InventoryAdjustment, NewRefund, NewShipment, WriteFunction

PAGE_SIZE = 100
FEED_SIZE = 200
BEGINNING = "1970-01-01T00:00:00.000Z"
MILLISECOND = timedelta(milliseconds=1)
MOST_RESTARTS = 10

T = TypeVar("T")
Date: TypeAlias = Literal["created_at", "updated_at"]

ORDER_FIELDS = (
    "+email,+currency_code,+payment_status,+fulfillment_status,+canceled_at,+custom_display_id,+total,+tax_total,"
    "+discount_subtotal,+shipping_subtotal,+credit_line_total,*items,*items.detail,*shipping_methods,*shipping_address,*billing_address,*fulfillments,"
    "*fulfillments.items,*fulfillments.labels,*payment_collections,*payment_collections.payments,"
    "*payment_collections.payments.refunds,*payment_collections.payments.refunds.refund_reason"
)
PRODUCT_FIELDS = (
    "id,title,status,handle,thumbnail,created_at,updated_at,*variants,*variants.prices,"
    "*variants.inventory_items,*variants.inventory_items.inventory.location_levels,*categories,*tags,*images"
)


class Source(msgspec.Struct, frozen=True):
    """A list of the Admin API: its path, its name in the answer, and the fields to ask for."""

    path: str
    name: str
    fields: str


ORDERS = Source("/admin/orders", "orders", ORDER_FIELDS)
PRODUCTS = Source("/admin/products", "products", PRODUCT_FIELDS)
VARIANTS = Source("/admin/product-variants", "variants", "id,updated_at,product_id")
LOCATIONS = Source("/admin/stock-locations", "stock_locations", "*address")
PAYMENTS = Source(
    "/admin/payments",
    "payments",
    "id,payment_collection.id,payment_collection.updated_at,payment_collection.order.id",
)
INVENTORY = Source(
    "/admin/inventory-items",
    "inventory_items",
    "id,location_levels.id,location_levels.updated_at,variants.product_id",
)
RESERVATIONS = Source("/admin/reservations", "reservations", "id,line_item_id,location_id")
SHIPPING_OPTIONS = Source("/admin/shipping-options", "shipping_options", "id")
UNDER_WAY = ("pending", "requested")
"""The statuses of changes of an order that are under way."""
SOURCES = {Function.GET_ORDERS: ORDERS, Function.GET_PRODUCTS: PRODUCTS, Function.GET_WAREHOUSES: LOCATIONS}


class Walk(msgspec.Struct, frozen=True):
    """How far a list is walked: the date of the last record, and the dates of those shortly before it, by id."""

    position: str = BEGINNING
    recent: dict[str, str] = {}


class Feed(msgspec.Struct, frozen=True):
    """How far a feed is read: the newest date, and the dates of those shortly before it, by id."""

    newest: str = BEGINNING
    recent: dict[str, str] = {}


class Backfill(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the first run of orders is.

    First come the orders created from ``since`` on, the newest first: down to ``position``, of which ``seen`` are the ids
    that came already. Then those created before but ``changed`` from then on, and those ``paid`` from then on.
    """

    since: str | None = None
    position: str | None = None
    seen: list[str] = []
    changed: Walk | None = None


class OrdersCursor(msgspec.Struct, frozen=True):
    """Orders by their own date, and by the date of their payment collections, once there is no ``backfill`` left."""

    orders: Walk = Walk()
    payments: Feed | None = None
    backfill: Backfill | None = None


class ProductsCursor(msgspec.Struct, frozen=True):
    """Products by their own date, by their variants', and by that of their stock."""

    products: Walk = Walk()
    variants: Walk | None = None
    stock: Feed | None = None


class WindowCursor(msgspec.Struct, frozen=True):
    """How far the records of a window of time are walked, by the date on which they were created."""

    walk: Walk


class LocationsCursor(msgspec.Struct, frozen=True):
    """The dates under which locations were stored, by id."""

    known: dict[str, str] = {}


class _Variant(Stamp):
    product_id: str | None = None


class _OrderId(msgspec.Struct):
    id: str


class _Collection(Stamp):
    order: _OrderId | None = None


class _Payment(msgspec.Struct):
    payment_collection: _Collection | None = None


class _Level(msgspec.Struct):
    id: str
    updated_at: str


class _VariantOf(msgspec.Struct):
    product_id: str | None = None


class _InventoryItem(msgspec.Struct):
    id: str
    location_levels: list[_Level] = []
    variants: list[_VariantOf | None] | None = None


class _Reservation(msgspec.Struct):
    line_item_id: str | None = None
    location_id: str | None = None


class _VariantParts(msgspec.Struct):
    inventory_items: list[InventoryLink | None] | None = None


class _LineParts(msgspec.Struct):
    id: str
    variant: _VariantParts | None = None


class _OrderParts(msgspec.Struct):
    items: list[_LineParts] = []


class _PartsOf(msgspec.Struct):
    order: _OrderParts


class _Packed(msgspec.Struct):
    fulfillments: list[Fulfillment]


class _Answer(msgspec.Struct):
    order: _Packed


class _Kind(msgspec.Struct):
    product: Any = None


class _Changes(msgspec.Struct):
    order_changes: list[Stamp] = []


class _Dated(msgspec.Struct):
    updated_at: str


class _Location(Stamp):
    address: _Dated | None = None


class MedusaConnector(Connector):
    """A Medusa 2 shop."""

    facts = FACTS

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        super().__init__(credentials, session)
        session.headers.update(auth.headers(credentials))
        session.outcomes.update(OUTCOMES)

    async def check(self) -> Account:
        return await auth.account(self.session)

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        pages = {
            Function.GET_ORDERS: self._orders,
            Function.GET_PRODUCTS: self._products,
            Function.GET_WAREHOUSES: self._locations,
        }[function]
        async for page in pages(pull) if pull.until is None else self._window(function, pull, pull.until):
            yield page

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        wanted = [id for id in dict.fromkeys(ids) if id]
        if function is Function.GET_PRODUCTS:
            variants = [raw async for raws in self._by_ids(VARIANTS, wanted) for raw in raws]
            owners = [_read(raw, _Variant).product_id for raw in variants]
            wanted = list(dict.fromkeys([*wanted, *filter(None, owners)]))
        found = [raw async for raws in self._by_ids(SOURCES[function], wanted) for raw in raws]
        return _wrapped(found, await self._currency()) if found and function is Function.GET_PRODUCTS else found

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        if function is Function.GET_ORDERS:
            return [mapping.order(raw)]
        if function is Function.GET_PRODUCTS:
            return mapping.products(raw)
        return [mapping.warehouse(raw)]

    async def create_shipment(self, order: bytes, shipment: NewShipment, reference: str) -> None:
        """Pack what is not packed yet, then mark all of it as shipped."""
        source = _read(order, Order)
        plan = writes.plan(source, shipment, reference, await self._needed(source))
        if plan.lines:
            await self._check_option(writes.shipping_option(source, shipment))
        reserved = {} if shipment.warehouse_id else await self._reserved(list(plan.lines))
        path, packed = f"/admin/orders/{source.id}", list(plan.own)
        try:
            for part in writes.parts(source, plan.lines, reserved, shipment.warehouse_id):
                packed = await self._pack(path, writes.fulfillment_body(part, shipment, reference), source, reference)
            if plan.taken:
                body = writes.taken_body(source, plan.taken, reference)
                await self.session.request("POST", path, json=body, once=True)
            for fulfillment in [*packed, *plan.taken]:
                sending = f"{path}/fulfillments/{fulfillment.id}/shipments"
                body = writes.shipment_body(fulfillment, shipment)
                await self.session.request("POST", sending, json=body, once=True)
        except RequestRefused:
            await self._undo(path, [*packed, *plan.taken], reference)
            raise

    async def refund_order(self, order: bytes, refund: NewRefund, reference: str) -> None:
        """Pay back from one payment after the other, as far as each goes."""
        source = _read(order, Order)
        payments = await self._payments_of(source)
        total, due = writes.to_refund(source, refund, payments, reference)
        reason = writes.reason(refund, await self._reasons()) if refund.reason else None
        await self._check_unchanging(source)
        for payment, amount in list(writes.shares(due, payments)):
            await self._pay_back(
                source, payment, writes.refund_body(amount, total, refund, reason, reference), reference
            )

    async def adjust_inventory(self, product: bytes, adjustment: InventoryAdjustment, reference: str) -> None:
        """Set the stock level; Medusa has no request that raises or lowers it."""
        level = writes.level(_read(product, RawProduct).product, adjustment)
        path = f"/admin/inventory-items/{level.inventory_item_id}/location-levels"
        if not level.is_new:
            path = f"{path}/{level.location_id}"
        await self.session.request("POST", path, json=writes.level_body(level), once=True)

    @classmethod
    def bears(cls, raw: bytes, reference: str) -> bool | None:
        if _read(raw, _Kind).product is not None:
            return None
        return writes.bears(_read(raw, Order), reference)

    async def write_values(self, function: WriteFunction) -> Mapping[str, Sequence[str]]:
        if function is not WriteFunction.CREATE_SHIPMENT:
            return {}
        options = await self._every(SHIPPING_OPTIONS, {})
        return {"shipping_option_id": [_read(raw, _OrderId).id for raw in options]}

    async def _needed(self, order: Order) -> writes.Needed:
        """What the lines of packed kits consist of."""
        if not order.fulfillments:
            return {}
        fields = "id,items.id,items.variant.inventory_items.inventory_item_id,items.variant.inventory_items.required_quantity"
        found = await self.session.get(f"/admin/orders/{order.id}", _PartsOf, {"fields": fields})
        return {
            (line.id, link.inventory_item_id): link.required_quantity
            for line in found.order.items
            for link in (line.variant.inventory_items if line.variant else None) or []
            if link and link.inventory_item_id and link.required_quantity > 0
        }

    async def _check_option(self, id: str) -> None:
        """Refuse a shipping option that there is not; Medusa would answer with an error of its own."""
        found, _ = await self._list(SHIPPING_OPTIONS, {"id[]": id})
        if not found:
            raise refusal(f"shipping_option_id: the shop has no shipping option {id}. Name one that it has.")

    async def _reserved(self, lines: Sequence[str]) -> dict[str, str]:
        """The location at which stock is reserved for each line."""
        raws = await self._every(RESERVATIONS, {"line_item_id[]": lines}) if lines else []
        found = [_read(raw, _Reservation) for raw in raws]
        return {each.line_item_id: each.location_id for each in found if each.line_item_id and each.location_id}

    async def _pack(self, path: str, body: Any, order: Order, reference: str) -> list[Fulfillment]:
        """Make a fulfilment; all of the shipment's that are not sent yet."""
        fields = {"fields": "id,*fulfillments,*fulfillments.items"}
        reply = await self.session.request("POST", f"{path}/fulfillments", params=fields, json=body, once=True)
        found = self.session.decode(reply, _Answer).order.fulfillments
        return writes.to_send(found, order, reference)

    async def _undo(self, path: str, fulfillments: Sequence[Fulfillment], reference: str) -> None:
        """Cancel what was packed for a shipment that is refused, and forget what it took; what was sent stays so."""
        made = [each for each in fulfillments if writes.is_made_for(each, reference)]
        for fulfillment in made:
            with suppress(RequestRefused):
                await self.session.request("POST", f"{path}/fulfillments/{fulfillment.id}/cancel", json={})
        if len(made) < len(fulfillments):
            await self.session.request("POST", path, json=writes.forgetting_body(reference))

    async def _payments_of(self, order: Order) -> list[Payment]:
        """The order's payments, with what is captured and refunded of each."""
        ids = [payment.id for collection in order.payment_collections or [] for payment in collection.payments]
        if not ids:
            return []
        wanted = {"id[]": ids, "limit": len(ids), "order": "id", "fields": "id,*captures,*refunds"}
        return (await self.session.get(PAYMENTS.path, Payments, wanted)).payments

    async def _reasons(self) -> list[RefundReason]:
        return (await self.session.get("/admin/refund-reasons", RefundReasons, {"limit": FEED_SIZE})).refund_reasons

    async def _check_unchanging(self, order: Order) -> None:
        """Refuse to refund an order that is being edited: Medusa would pay back, and then fail to enter it in its books."""
        path = f"/admin/orders/{order.id}/changes"
        if (await self.session.get(path, _Changes, {"status[]": UNDER_WAY})).order_changes:
            raise refusal(
                "order_id: a change of the order is under way in Medusa, an edit or a return for instance. "
                "Confirm or cancel it there, then refund."
            )

    async def _pay_back(self, order: Order, payment: Payment, body: Any, reference: str) -> None:
        try:
            await self.session.request("POST", f"/admin/payments/{payment.id}/refund", json=body, once=True)
        except RequestRefused:
            # Medusa pays back before it enters the refund in its books, and does not undo it where that fails.
            now = [each for each in await self._payments_of(order) if each.id == payment.id]
            if writes.refunded(now, reference) == writes.refunded([payment], reference):
                raise

    async def _orders(self, pull: Pull) -> AsyncIterator[RawPage]:
        begun = read_cursor(pull.cursor, OrdersCursor) if pull.cursor else await self._first_orders(pull)
        cursor = begun
        # Payments that change while the first walk is under way are found from here on by the next run.
        payments = cursor.payments or await self._paid_so_far(pull.overlap)
        pulled = 0
        async for raws, cursor, left in self._backfill(begun, pull.overlap):
            yield RawPage(records=raws, cursor=write_cursor(cursor), total=None if left is None else pulled + left)
            pulled += len(raws)
        async for raws, walk, count in self._walk(ORDERS, cursor.orders, pull.overlap):
            cursor = OrdersCursor(walk, payments)
            yield RawPage(records=raws, cursor=write_cursor(cursor), total=pulled + count)
            pulled += len(raws)
        changes, payments = await self._paid(payments, pull.overlap)
        async for raws in self._by_ids(ORDERS, changes):
            yield RawPage(records=raws, cursor=write_cursor(cursor), total=pulled + len(changes))
        yield RawPage(records=[], cursor=write_cursor(OrdersCursor(cursor.orders, payments)))

    async def _first_orders(self, pull: Pull) -> OrdersCursor:
        """Where the first run begins; the runs after it go on from what is the newest now."""
        newest, since = await self._newest(ORDERS), format_utc(pull.since) if pull.since else None
        payments = await self._paid_so_far(pull.overlap)
        return OrdersCursor(Walk(max(newest, since or BEGINNING)), payments, Backfill(since))

    async def _backfill(
        self, cursor: OrdersCursor, overlap: timedelta
    ) -> AsyncIterator[tuple[list[bytes], OrdersCursor, int | None]]:
        """The pages of the first run, each with the cursor behind it, and how many are left where that is known."""
        if cursor.backfill is None:
            return
        since, changed = cursor.backfill.since, cursor.backfill.changed
        if changed is None:
            async for raws, backfill, left in self._newest_first(cursor.backfill):
                cursor = _noted(cursor, backfill, raws, overlap)
                yield raws, cursor, left
        if since is not None:
            earlier = {"created_at[$lt]": since}
            async for raws, walk, _ in self._walk(ORDERS, changed or Walk(since), timedelta(0), earlier):
                cursor = _noted(cursor, Backfill(since, changed=walk), raws, overlap)
                yield raws, cursor, None
            paid, _ = await self._paid(Feed(since), timedelta(0))
            async for raws in self._by_ids(ORDERS, paid, earlier):
                yield raws, cursor, None

    async def _newest_first(self, backfill: Backfill) -> AsyncIterator[tuple[list[bytes], Backfill, int]]:
        """Orders from the newest ``created_at`` down, how far that is, and how many are left. The date never moves."""
        while True:
            position = backfill.position
            window = {"created_at[$gte]": backfill.since, "created_at[$lt]": position and _later(position)}
            where = {name: bound for name, bound in window.items() if bound}
            raws, count = await self._list(ORDERS, {**where, "limit": PAGE_SIZE, "order": "-created_at"})
            dates = _sorted(_dates(raws, "created_at"), newest=position, source=ORDERS)
            full = len(raws) == PAGE_SIZE
            if full and dates[-1] == position:
                raws = await self._tied(ORDERS, "created_at", position)
                lower = Backfill(backfill.since, format_utc(_moment(position) - MILLISECOND))
            else:
                lower = _lower(backfill, raws)
            fresh = [raw for raw in raws if _stamp(raw).id not in backfill.seen]
            backfill = lower
            yield fresh, backfill, max(count - (len(raws) - len(fresh)), len(fresh))
            if not full:
                return

    async def _window(self, function: Function, pull: Pull, until: datetime) -> AsyncIterator[RawPage]:
        """What was created in a window of time, the oldest first; its last second is part of it."""
        source = SOURCES[function]
        begun = read_cursor(pull.cursor, WindowCursor).walk if pull.cursor else _since(pull)
        where = {"created_at[$lt]": format_utc(until.replace(microsecond=0) + timedelta(seconds=1))}
        currency = await self._currency() if function is Function.GET_PRODUCTS else ""
        pulled = 0
        async for raws, walk, left in self._walk(source, begun, timedelta(0), where, by="created_at"):
            records = _wrapped(raws, currency) if function is Function.GET_PRODUCTS else raws
            yield RawPage(records=records, cursor=write_cursor(WindowCursor(walk)), total=pulled + left)
            pulled += len(raws)

    async def _products(self, pull: Pull) -> AsyncIterator[RawPage]:
        cursor = read_cursor(pull.cursor, ProductsCursor) if pull.cursor else ProductsCursor(_since(pull))
        currency = await self._currency()
        stock = cursor.stock or (await self._levels(Feed(), pull.overlap))[1]
        variants = cursor.variants or (await self._varied(Walk(await self._newest(VARIANTS)), pull.overlap))[1]
        pulled = 0
        async for raws, walk, left in self._walk(PRODUCTS, cursor.products, pull.overlap):
            cursor = ProductsCursor(walk, variants, stock)
            yield RawPage(records=_wrapped(raws, currency), cursor=write_cursor(cursor), total=pulled + left)
            pulled += len(raws)
        owners, variants = await self._varied(variants, pull.overlap)
        changes, stock = await self._levels(stock, pull.overlap)
        async for raws in self._by_ids(PRODUCTS, list(dict.fromkeys(owners + changes))):
            yield RawPage(records=_wrapped(raws, currency), cursor=write_cursor(cursor), total=None)
        yield RawPage(records=[], cursor=write_cursor(ProductsCursor(cursor.products, variants, stock)))

    async def _locations(self, pull: Pull) -> AsyncIterator[RawPage]:
        known = read_cursor(pull.cursor, LocationsCursor).known if pull.cursor else {}
        found: dict[str, str] = {}
        changed: list[bytes] = []
        for raw in await self._every(LOCATIONS, {}):
            location = _read(raw, _Location)
            found[location.id] = max(location.updated_at, location.address.updated_at if location.address else "")
            if known.get(location.id) != found[location.id]:
                changed.append(raw)
        yield RawPage(records=changed, cursor=write_cursor(LocationsCursor(found)), total=len(changed))

    async def _currency(self) -> str:
        """The code of the shop's default currency, in which products are priced."""
        store = (await self.session.get("/admin/stores", Stores, {"limit": 1})).stores[0]
        default = [each.currency_code for each in store.supported_currencies if each.is_default]
        return default[0] if default else ""

    async def _newest(self, source: Source) -> str:
        """The newest ``updated_at`` of a list."""
        raws, _ = await self._list(source, {"fields": "id,updated_at", "limit": 1, "order": "-updated_at"})
        return _stamp(raws[0]).updated_at if raws else BEGINNING

    async def _varied(self, variants: Walk, overlap: timedelta) -> tuple[list[str], Walk]:
        """The products of variants that changed (which does not move the product's date), and how far they are walked."""
        owners: dict[str, None] = {}
        async for raws, walked, _ in self._walk(VARIANTS, variants, overlap):
            changed = [_read(raw, _Variant).product_id for raw in raws]
            owners |= {product: None for product in changed if product}
            variants = walked
        return list(owners), variants

    async def _list(self, source: Source, parameters: Mapping[str, Any]) -> tuple[list[bytes], int]:
        """The records of one request, and how many there are in all."""
        reply = await self.session.get(source.path, dict[str, msgspec.Raw], {"fields": source.fields, **parameters})
        return _list_reply(reply, source)

    async def _walk(
        self,
        source: Source,
        walk: Walk,
        overlap: timedelta,
        where: Mapping[str, Any] = MappingProxyType({}),
        by: Date = "updated_at",
    ) -> AsyncIterator[tuple[list[bytes], Walk, int]]:
        """Records whose date is later than the walk's, how far it is then, and how many are left."""
        position, recent = _earlier(walk.position, overlap), dict(walk.recent)
        while True:
            parameters = {**where, "limit": PAGE_SIZE, "order": by, f"{by}[$gte]": position}
            raws, count = await self._list(source, parameters)
            full = len(raws) == PAGE_SIZE
            dates = _sorted(_dates(raws, by), oldest=position, source=source)
            if full and dates[-1] == position:
                raws = await self._tied(source, by, position, where)
                dates = _dates(raws, by)
                position = _later(position)
            elif dates:
                position = dates[-1]
            ids = [_stamp(raw).id for raw in raws]
            fresh = [raw for raw, id, date in zip(raws, ids, dates, strict=True) if recent.get(id) != date]
            reached = max(position, walk.position)
            recent |= dict(zip(ids, dates, strict=True))
            oldest = _earlier(reached, overlap)
            recent = {id: moment for id, moment in recent.items() if moment >= oldest}
            walk = Walk(reached, recent)
            yield fresh, walk, max(count - (len(raws) - len(fresh)), len(fresh))
            if not full:
                return

    async def _tied(
        self, source: Source, by: Date, moment: str, where: Mapping[str, Any] = MappingProxyType({})
    ) -> list[bytes]:
        """All records of one millisecond, which are more than a page."""
        return await self._every(source, {**where, f"{by}[$gte]": moment, f"{by}[$lt]": _later(moment)})

    async def _every(self, source: Source, parameters: Mapping[str, Any]) -> list[bytes]:
        """All records, paged by offset in the order of their ids; begun anew if their number changes on the way.

        Raises:
            PlatformUnavailable: it changes every time.
        """
        for _ in range(MOST_RESTARTS):
            found: list[bytes] = []
            counts: set[int] = set()
            while len(counts) < 2:
                page = {**parameters, "order": "id", "offset": len(found), "limit": PAGE_SIZE}
                raws, count = await self._list(source, page)
                counts.add(count)
                found += raws
                if len(raws) < PAGE_SIZE:
                    return found
        raise PlatformUnavailable(f"{source.path} keeps changing while it is read. The next sync goes on here.")

    async def _by_ids(
        self, source: Source, ids: Sequence[str], where: Mapping[str, Any] = MappingProxyType({})
    ) -> AsyncIterator[list[bytes]]:
        for start in range(0, len(ids), PAGE_SIZE):
            some = list(ids[start : start + PAGE_SIZE])
            raws, _ = await self._list(source, {**where, "limit": PAGE_SIZE, "id[]": some})
            yield raws

    async def _paid_so_far(self, overlap: timedelta) -> Feed:
        newest = await self._payments(0, 1)
        return (await self._paid(Feed(newest[0].updated_at), overlap))[1] if newest else Feed()

    async def _paid(self, feed: Feed, overlap: timedelta) -> tuple[list[str], Feed]:
        """The orders whose payments changed since the feed was read, and how far it is read then."""
        oldest = _earlier(feed.newest, overlap)
        owners: dict[str, None] = {}
        seen: dict[str, str] = {}
        offset = 0
        while True:
            collections = await self._payments(offset, FEED_SIZE)
            for collection in collections:
                if collection.updated_at >= oldest:
                    seen[collection.id] = collection.updated_at
                    if collection.order and feed.recent.get(collection.id) != collection.updated_at:
                        owners[collection.order.id] = None
            if len(collections) < FEED_SIZE or collections[-1].updated_at < oldest:
                break
            offset += FEED_SIZE
        newest = max([feed.newest, *seen.values()])
        kept = _earlier(newest, overlap)
        return list(owners), Feed(newest, {id: date for id, date in seen.items() if date >= kept})

    async def _payments(self, offset: int, limit: int) -> list[_Collection]:
        """Payment collections, the last changed first: captures and refunds move their date, not the order's."""
        parameters = {"order": "-payment_collection.updated_at", "offset": offset, "limit": limit}
        raws, _ = await self._list(PAYMENTS, parameters)
        found = [_read(raw, _Payment).payment_collection for raw in raws]
        return [collection for collection in found if collection is not None]

    async def _levels(self, stock: Feed, overlap: timedelta) -> tuple[list[str], Feed]:
        """The products whose stock levels changed since the feed was read, and how far it is read then.

        Medusa cannot list levels by their date, so all are read, of many items at once.
        """
        dates: dict[str, str] = {}
        owners: dict[str, None] = {}
        oldest = _earlier(stock.newest, overlap)
        for raw in await self._every(INVENTORY, {}):
            item = _read(raw, _InventoryItem)
            date = max((level.updated_at for level in item.location_levels), default="")
            if date >= oldest:
                dates[item.id] = date
                if stock.recent.get(item.id) != date:
                    owners |= {
                        variant.product_id: None for variant in item.variants or [] if variant and variant.product_id
                    }
        newest = max([stock.newest, *dates.values()])
        kept = _earlier(newest, overlap)
        return list(owners), Feed(newest, {id: date for id, date in dates.items() if date >= kept})


def _list_reply(reply: dict[str, msgspec.Raw], source: Source) -> tuple[list[bytes], int]:
    try:
        raws = msgspec.json.decode(reply[source.name], type=list[msgspec.Raw])
        count = msgspec.json.decode(reply.get("count", msgspec.Raw(b"0")), type=int)
    except (KeyError, msgspec.DecodeError) as error:
        raise BadAnswer(
            f"{source.path} answered without a list of {source.name}. Is there a Medusa 2 at this URL?", repr(error)
        ) from error
    return [bytes(raw) for raw in raws], count


def _stamp(raw: bytes) -> Stamp:
    return _read(raw, Stamp)


def _read(raw: bytes, type: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=type)
    except msgspec.DecodeError as error:
        raise BadAnswer(f"Medusa sent a record of another shape than it documents: {error}", repr(raw[:300])) from error


def _dates(raws: Sequence[bytes], by: Date) -> list[str]:
    return [getattr(_stamp(raw), by) for raw in raws]


def _noted(cursor: OrdersCursor, backfill: Backfill, raws: Sequence[bytes], overlap: timedelta) -> OrdersCursor:
    """The cursor behind ``raws``; what of them the walk on ``updated_at`` will meet is not to come again."""
    walk = cursor.orders
    oldest = _earlier(walk.position, overlap)
    met = {stamp.id: stamp.updated_at for stamp in map(_stamp, raws) if stamp.updated_at >= oldest}
    return OrdersCursor(Walk(walk.position, walk.recent | met), cursor.payments, backfill)


def _lower(backfill: Backfill, raws: Sequence[bytes]) -> Backfill:
    """How far the first run is behind ``raws``."""
    if not raws:
        return backfill
    stamps = [_stamp(raw) for raw in raws]
    lowest = stamps[-1].created_at
    return Backfill(backfill.since, lowest, [stamp.id for stamp in stamps if stamp.created_at == lowest])


def _sorted(dates: list[str], *, source: Source, oldest: str | None = None, newest: str | None = None) -> list[str]:
    """``dates``, which are to begin at the ``oldest`` and rise, or else at the ``newest`` and fall.

    Raises:
        BadAnswer: they do not, so that a walk would not end.
    """
    rising = dates if oldest is not None else dates[::-1]
    outside = (oldest is not None and min(dates, default=oldest) < oldest) or (
        newest is not None and max(dates, default=newest) > newest
    )
    if outside or rising != sorted(rising) or "" in dates:
        raise BadAnswer(f"{source.path} is not sorted and filtered by date as asked.", repr(dates[:3]))
    return dates


def _wrapped(raws: Sequence[bytes], currency: str) -> list[bytes]:
    """Products with the currency that decides their price."""
    code = msgspec.json.encode(currency)
    return [
        b'{"id":%s,"currency_code":%s,"product":%s}' % (msgspec.json.encode(_stamp(raw).id), code, raw) for raw in raws
    ]


def _since(pull: Pull) -> Walk:
    return Walk(format_utc(pull.since)) if pull.since else Walk()


def _earlier(moment: str, by: timedelta) -> str:
    return BEGINNING if moment == BEGINNING else format_utc(_moment(moment) - by)


def _later(moment: str) -> str:
    return format_utc(_moment(moment) + MILLISECOND)


def _moment(text: str) -> datetime:
    try:
        return parse_utc(text)
    except ValueError as error:
        raise BadAnswer(f"Medusa sent a date that is none: {error}") from error
