"""Medusa's Admin API: pages of orders, products and stock locations that are new or changed.

Lists are walked by keyset on ``updated_at`` (milliseconds): a page begins at the date of the last record of the page before,
and records that were seen with that date are dropped. A record that changes while the list is walked comes again at its end,
and no record is skipped, which paging by offset would do. Changes that do not move a record's own date are found in feeds of
what does move, read from the newest down.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from unicart.connectors.kit import (
    Account,
    BadAnswer,
    Connector,
    PlatformUnavailable,
    Pull,
    RawPage,
    Session,
    read_cursor,
    write_cursor,
)
from unicart.connectors.kit.dates import parse_utc
from unicart.connectors.medusa import auth, mapping
from unicart.connectors.medusa.errors import OUTCOMES
from unicart.connectors.medusa.facts import FACTS
from unicart.connectors.medusa.payloads import Stamp, Stores
from unicart.contract.resources import Function, Record

PAGE_SIZE = 100
FEED_SIZE = 200
BEGINNING = "1970-01-01T00:00:00.000Z"
MILLISECOND = timedelta(milliseconds=1)
MOST_RESTARTS = 10

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


class Walk(msgspec.Struct, frozen=True):
    """How far a list is walked: the date of the last record, and the dates of those shortly before it, by id."""

    position: str = BEGINNING
    recent: dict[str, str] = {}


class Feed(msgspec.Struct, frozen=True):
    """How far a feed is read: the newest date, and the dates of those shortly before it, by id."""

    newest: str = BEGINNING
    recent: dict[str, str] = {}


class OrdersCursor(msgspec.Struct, frozen=True):
    """Orders by their own date, and by the date of their payment collections."""

    orders: Walk = Walk()
    payments: Feed | None = None


class ProductsCursor(msgspec.Struct, frozen=True):
    """Products by their own date, by their variants', and by that of their stock."""

    products: Walk = Walk()
    variants: Walk | None = None
    stock: Feed | None = None


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
        async for page in pages(pull):
            yield page

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        if function is Function.GET_ORDERS:
            return [mapping.order(raw)]
        if function is Function.GET_PRODUCTS:
            return mapping.products(raw)
        return [mapping.warehouse(raw)]

    async def _orders(self, pull: Pull) -> AsyncIterator[RawPage]:
        cursor = read_cursor(pull.cursor, OrdersCursor) if pull.cursor else OrdersCursor(_since(pull))
        # Payments that change while the first walk is under way are found from here on by the next run.
        payments = cursor.payments or await self._paid_so_far(pull.overlap)
        pulled = 0
        async for raws, walk, left in self._walk("/admin/orders", "orders", ORDER_FIELDS, cursor.orders, pull.overlap):
            cursor = OrdersCursor(walk, payments)
            yield RawPage(records=raws, cursor=write_cursor(cursor), total=pulled + left)
            pulled += len(raws)
        changes, payments = await self._paid(payments, pull.overlap)
        async for raws in self._by_ids("/admin/orders", "orders", ORDER_FIELDS, changes):
            yield RawPage(records=raws, cursor=write_cursor(cursor), total=pulled + len(changes))
        yield RawPage(records=[], cursor=write_cursor(OrdersCursor(cursor.orders, payments)))

    async def _products(self, pull: Pull) -> AsyncIterator[RawPage]:
        cursor = read_cursor(pull.cursor, ProductsCursor) if pull.cursor else ProductsCursor(_since(pull))
        currency = await self._currency()
        stock = cursor.stock or (await self._levels(Feed(), pull.overlap))[1]
        variants = cursor.variants or await self._variants_so_far(pull.overlap)
        pulled = 0
        async for raws, walk, left in self._walk(
            "/admin/products", "products", PRODUCT_FIELDS, cursor.products, pull.overlap
        ):
            cursor = ProductsCursor(walk, variants, stock)
            yield RawPage(records=_wrapped(raws, currency), cursor=write_cursor(cursor), total=pulled + left)
            pulled += len(raws)
        owners, variants = await self._varied(variants, pull.overlap)
        changes, stock = await self._levels(stock, pull.overlap)
        async for raws in self._by_ids(
            "/admin/products", "products", PRODUCT_FIELDS, list(dict.fromkeys(owners + changes))
        ):
            yield RawPage(records=_wrapped(raws, currency), cursor=write_cursor(cursor), total=None)
        yield RawPage(records=[], cursor=write_cursor(ProductsCursor(cursor.products, variants, stock)))

    async def _locations(self, pull: Pull) -> AsyncIterator[RawPage]:
        known = read_cursor(pull.cursor, LocationsCursor).known if pull.cursor else {}
        found: dict[str, str] = {}
        changed: list[bytes] = []
        for raw in await self._every("/admin/stock-locations", "stock_locations", {"fields": "*address"}):
            location = msgspec.json.decode(raw, type=_Location)
            found[location.id] = max(location.updated_at, location.address.updated_at if location.address else "")
            if known.get(location.id) != found[location.id]:
                changed.append(raw)
        yield RawPage(records=changed, cursor=write_cursor(LocationsCursor(found)), total=len(changed))

    async def _currency(self) -> str:
        """The code of the shop's default currency, in which products are priced."""
        store = (await self.session.get("/admin/stores", Stores, {"limit": 1})).stores[0]
        default = [each.currency_code for each in store.supported_currencies if each.is_default]
        return default[0] if default else ""

    async def _variants_so_far(self, overlap: timedelta) -> Walk:
        parameters = {"fields": "id,updated_at", "limit": 1, "order": "-updated_at"}
        raws, _ = await self._list("/admin/product-variants", "variants", parameters)
        newest = msgspec.json.decode(raws[0], type=Stamp).updated_at if raws else BEGINNING
        return (await self._varied(Walk(newest), overlap))[1]

    async def _varied(self, variants: Walk, overlap: timedelta) -> tuple[list[str], Walk]:
        """The products of variants that changed (which does not move the product's date), and how far they are walked."""
        owners: dict[str, None] = {}
        path, fields = "/admin/product-variants", "id,updated_at,product_id"
        async for raws, walked, _ in self._walk(path, "variants", fields, variants, overlap):
            changed = [msgspec.json.decode(raw, type=_Variant).product_id for raw in raws]
            owners |= {product: None for product in changed if product}
            variants = walked
        return list(owners), variants

    async def _list(self, path: str, name: str, parameters: Mapping[str, Any]) -> tuple[list[bytes], int]:
        """The records of one request, and how many there are in all."""
        return _list_reply(await self.session.get(path, dict[str, msgspec.Raw], parameters), name, path)

    async def _walk(
        self, path: str, name: str, fields: str, walk: Walk, overlap: timedelta
    ) -> AsyncIterator[tuple[list[bytes], Walk, int]]:
        """Records whose ``updated_at`` is later than the walk's, how far it is then, and how many are left."""
        position, recent = _earlier(walk.position, overlap), dict(walk.recent)
        common = {"fields": fields, "limit": PAGE_SIZE}
        while True:
            raws, count = await self._list(path, name, {**common, "order": "updated_at", "updated_at[$gte]": position})
            stamps = [msgspec.json.decode(raw, type=Stamp) for raw in raws]
            full = len(raws) == PAGE_SIZE
            if full and stamps[-1].updated_at == position:
                raws = await self._tied(path, name, fields, position)
                stamps = [msgspec.json.decode(raw, type=Stamp) for raw in raws]
                position = _later(position)
            elif stamps:
                position = stamps[-1].updated_at
            fresh = [raw for raw, stamp in zip(raws, stamps, strict=True) if recent.get(stamp.id) != stamp.updated_at]
            reached = max(position, walk.position)
            recent |= {stamp.id: stamp.updated_at for stamp in stamps}
            oldest = _earlier(reached, overlap)
            recent = {id: moment for id, moment in recent.items() if moment >= oldest}
            walk = Walk(reached, recent)
            yield fresh, walk, max(count - (len(raws) - len(fresh)), len(fresh))
            if not full:
                return

    async def _tied(self, path: str, name: str, fields: str, moment: str) -> list[bytes]:
        """All records of one millisecond, which are more than a page."""
        window = {"fields": fields, "updated_at[$gte]": moment, "updated_at[$lt]": _later(moment)}
        return await self._every(path, name, window)

    async def _every(self, path: str, name: str, parameters: Mapping[str, Any]) -> list[bytes]:
        """All records, paged by offset in the order of their ids; begun anew if their number changes on the way.

        Raises:
            PlatformUnavailable: it changes every time.
        """
        for _ in range(MOST_RESTARTS):
            found: list[bytes] = []
            counts: set[int] = set()
            while len(counts) < 2:
                page = {**parameters, "order": "id", "offset": len(found), "limit": PAGE_SIZE}
                raws, count = await self._list(path, name, page)
                counts.add(count)
                found += raws
                if len(raws) < PAGE_SIZE:
                    return found
        raise PlatformUnavailable(f"{path} keeps changing while it is read. The next sync goes on here.")

    async def _by_ids(self, path: str, name: str, fields: str, ids: Sequence[str]) -> AsyncIterator[list[bytes]]:
        for start in range(0, len(ids), PAGE_SIZE):
            some = list(ids[start : start + PAGE_SIZE])
            raws, _ = await self._list(path, name, {"fields": fields, "limit": PAGE_SIZE, "id[]": some})
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
        parameters = {
            "fields": "id,payment_collection.id,payment_collection.updated_at,payment_collection.order.id",
            "order": "-payment_collection.updated_at",
            "offset": offset,
            "limit": limit,
        }
        raws, _ = await self._list("/admin/payments", "payments", parameters)
        found = [msgspec.json.decode(raw, type=_Payment).payment_collection for raw in raws]
        return [collection for collection in found if collection is not None]

    async def _levels(self, stock: Feed, overlap: timedelta) -> tuple[list[str], Feed]:
        """The products whose stock levels changed since the feed was read, and how far it is read then.

        Medusa cannot list levels by their date, so all are read, of many items at once.
        """
        fields = "id,location_levels.id,location_levels.updated_at,variants.product_id"
        dates: dict[str, str] = {}
        owners: dict[str, None] = {}
        oldest = _earlier(stock.newest, overlap)
        for raw in await self._every("/admin/inventory-items", "inventory_items", {"fields": fields}):
            item = msgspec.json.decode(raw, type=_InventoryItem)
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


def _list_reply(reply: dict[str, msgspec.Raw], name: str, path: str) -> tuple[list[bytes], int]:
    try:
        raws = msgspec.json.decode(reply[name], type=list[msgspec.Raw])
        count = msgspec.json.decode(reply.get("count", msgspec.Raw(b"0")), type=int)
    except (KeyError, msgspec.DecodeError) as error:
        raise BadAnswer(
            f"{path} answered without a list of {name}. Is there a Medusa 2 at this URL?", repr(error)
        ) from error
    return [bytes(raw) for raw in raws], count


def _wrapped(raws: Sequence[bytes], currency: str) -> list[bytes]:
    """Products with the currency that decides their price."""
    code = msgspec.json.encode(currency)
    return [
        b'{"id":%s,"currency_code":%s,"product":%s}'
        % (msgspec.json.encode(msgspec.json.decode(raw, type=Stamp).id), code, raw)
        for raw in raws
    ]


def _since(pull: Pull) -> Walk:
    return Walk(_text(pull.since)) if pull.since else Walk()


def _earlier(moment: str, by: timedelta) -> str:
    return BEGINNING if moment == BEGINNING else _text(parse_utc(moment) - by)


def _later(moment: str) -> str:
    return _text(parse_utc(moment) + MILLISECOND)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
