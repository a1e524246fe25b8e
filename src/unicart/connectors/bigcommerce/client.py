"""BigCommerce's client: pages of orders, products and locations that are new or changed.

Lists are walked by keyset on the date of the last change, which BigCommerce keeps in whole seconds. A page begins at the date of
the last record of the page before; of a second with more records than a page, all are read by their ids. What was seen
shortly before the walk's place is known by a fingerprint, not by its date, so that a second change within a second is seen.

The first run of orders is a walk down the ids from the newest order. The walk by date begins at the newest date that there
was before it, and so finds what changed meanwhile. Refunds, which have a date of their own, are followed as well. Stock levels
have none: they are read whole, and products are read again where they differ from the last time.

Orders come with their consignments, lines and fees in one list. Refunds are asked for once a page, shipments for each
order that has some.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from unicart.connectors.bigcommerce import auth, mapping, webhooks, writes
from unicart.connectors.bigcommerce.errors import OUTCOMES, WRITE_SCOPES, told_wait, with_scope
from unicart.connectors.bigcommerce.facts import FACTS
from unicart.connectors.bigcommerce.payloads import OrderHead, Quote, Refund
from unicart.connectors.kit import (
    Account,
    BadAnswer,
    Connector,
    ConnectorError,
    Hint,
    Hook,
    OutcomeUnknown,
    PermissionMissing,
    Pull,
    RawPage,
    RequestRefused,
    Session,
    fingerprint,
    parse_utc,
    read_cursor,
    write_cursor,
)
from unicart.connectors.kit.http import Reply
from unicart.contract.resources import Function, Record
from unicart.contract.writes import AdjustmentType, InventoryAdjustment, NewRefund, NewShipment

PAGE_SIZE = 50
STOCK_PAGE = 1000
OTHER_PAGE = 250
BUCKETS = 512
LONGEST_ID = 18
NO_CONTENT = 204
GONE = 404
ORDERS = "/v2/orders"
PRODUCTS = "/v3/catalog/products"
REFUNDS = "/v3/orders/payment_actions/refunds"
STOCK = "/v3/inventory/items"
LOCATIONS = "/v3/inventory/locations"
CATEGORIES = "/v3/catalog/trees/categories"
HOOKS = "/v3/hooks"
ABSOLUTE = "/v3/inventory/adjustments/absolute"
RELATIVE = "/v3/inventory/adjustments/relative"

STOCK_DELAYS = (0, 1, 2)
"""Seconds in which a change of stock is looked for, as BigCommerce shows it with a delay."""

WITH_PARTS: Mapping[str, str] = {"include": "consignments.line_items,fees", "consignment_structure": "object"}
WITH_VARIANTS: Mapping[str, str] = {"include": "variants,primary_image"}
NOTHING: Mapping[str, Any] = MappingProxyType({})

T = TypeVar("T")


class Keyset(msgspec.Struct, frozen=True):
    """How a list is walked by one of its dates, and by id among the records of one second: BigCommerce's parameters."""

    path: str
    fixed: Mapping[str, str]
    date: str
    at_least: str
    at_most: str
    from_id: str
    by_date: Mapping[str, str]
    by_id: Mapping[str, str]


CHANGED_ORDERS = Keyset(
    path=ORDERS,
    fixed=WITH_PARTS,
    date="date_modified",
    at_least="min_date_modified",
    at_most="max_date_modified",
    from_id="min_id",
    by_date={"sort": "date_modified:asc"},
    by_id={"sort": "id:asc"},
)
CREATED_ORDERS = msgspec.structs.replace(
    CHANGED_ORDERS,
    date="date_created",
    at_least="min_date_created",
    at_most="max_date_created",
    by_date={"sort": "date_created:asc"},
)
CHANGED_PRODUCTS = Keyset(
    path=PRODUCTS,
    fixed=WITH_VARIANTS,
    date="date_modified",
    at_least="date_modified:min",
    at_most="date_modified:max",
    from_id="id:min",
    by_date={"sort": "date_modified", "direction": "asc"},
    by_id={"sort": "id", "direction": "asc"},
)


class Walk(msgspec.Struct, frozen=True):
    """How far a list is walked: the second of the last record, and those shortly before it by id, as second and print."""

    position: int = 0
    recent: dict[str, tuple[int, str]] = {}


class History(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the first run of orders is.

    First come the orders created from ``since`` on, by their ids down to ``lowest``. Then those created before, but
    ``changed`` from then on.
    """

    since: int | None = None
    lowest: int | None = None
    changed: Walk | None = None


class OrdersCursor(msgspec.Struct, frozen=True):
    """Orders by the date of their last change, and refunds by that of their creation, once ``history`` is done."""

    orders: Walk
    refunds: Walk
    history: History | None = None


class ProductsCursor(msgspec.Struct, frozen=True):
    """Products by the date of their last change, and the fingerprints of the stock levels that they were stored with."""

    products: Walk = Walk()
    stock: dict[str, str] | None = None


class LocationsCursor(msgspec.Struct, frozen=True):
    """The fingerprints of the locations that were stored, by id."""

    known: dict[str, str] = {}


class OrdersWindow(msgspec.Struct, frozen=True):
    """How far the orders of a window of time are walked, by the date of their creation."""

    walk: Walk


class IdsWindow(msgspec.Struct, frozen=True):
    """How far all records are walked by id, of which those of a window of time are yielded."""

    last: int = 0


class _Row(msgspec.Struct):
    """A record of a list: its id, its date in seconds, and its bytes."""

    id: int
    at: int
    raw: bytes

    def print(self) -> tuple[int, str]:
        return self.at, fingerprint(self.raw.decode("utf-8", "replace"))


class _Stamp(msgspec.Struct):
    id: int
    date_created: str
    date_modified: str


class _Pagination(msgspec.Struct):
    total_pages: int = 1
    total: int | None = None


class _Meta(msgspec.Struct):
    pagination: _Pagination | None = None


class _List(msgspec.Struct):
    data: list[msgspec.Raw]
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _RefundStamp(msgspec.Struct):
    id: int
    order_id: int
    created: str


class _Identity(msgspec.Struct):
    variant_id: int
    product_id: int


class _Level(msgspec.Struct):
    location_id: int
    available_to_sell: int
    location_enabled: bool = True


class _Item(msgspec.Struct):
    identity: _Identity
    locations: list[_Level] = []


class _Location(msgspec.Struct):
    id: int
    created_at: str


class _StatusCount(msgspec.Struct):
    id: int
    count: int


class _Category(msgspec.Struct):
    category_id: int
    name: str


class _Categorized(msgspec.Struct):
    categories: list[int] = []


class _Count(msgspec.Struct):
    count: int
    statuses: list[_StatusCount] = []


class _Quoted(msgspec.Struct):
    data: Quote


class _Refunded(msgspec.Struct):
    data: Refund


class _Shipped(msgspec.Struct):
    id: int


class _Webhook(msgspec.Struct):
    id: int
    scope: str
    destination: str


class _Made(msgspec.Struct):
    data: _Webhook


class Levels(msgspec.Struct):
    """What of each variant each location can sell, by product: a reading of all stock, or of some products'."""

    by_product: dict[int, dict[str, dict[str, int]]] = {}

    def of(self, product: int) -> dict[str, dict[str, int]]:
        """The levels of one product, by variant and location."""
        return self.by_product.get(product, {})

    def prints(self) -> dict[str, str]:
        """A fingerprint for each bucket of products, so that a cursor stays small however many products there are."""
        buckets: dict[str, list[Any]] = {}
        for product in sorted(self.by_product):
            levels = sorted((variant, sorted(each.items())) for variant, each in self.by_product[product].items())
            buckets.setdefault(_bucket(product), []).append((product, levels))
        return {bucket: fingerprint(msgspec.json.encode(levels).decode()) for bucket, levels in buckets.items()}

    def differing(self, prints: Mapping[str, str]) -> list[int]:
        """The products in buckets whose fingerprint is another than in ``prints``."""
        own = self.prints()
        return [id for id in sorted(self.by_product) if own[_bucket(id)] != prints.get(_bucket(id))]


class BigCommerceConnector(Connector):
    """A BigCommerce store."""

    facts = FACTS

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        super().__init__(credentials, session)
        session.headers.update(auth.headers(credentials))
        session.outcomes.update(OUTCOMES)
        session.told_wait = told_wait
        self._store: auth.Store | None = None
        self._categories: dict[int, str] = {}

    @classmethod
    def base_url(cls, credentials: Mapping[str, str]) -> str:
        gateway = credentials.get("api_url", "https://api.bigcommerce.com").rstrip("/")
        return f"{gateway}/stores/{quote(credentials['store_hash'], safe='')}"

    async def check(self) -> Account:
        try:
            return await auth.account(self.session)
        except PermissionMissing as error:
            raise with_scope(error, "/v2/store") from error

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        runs = {
            Function.GET_ORDERS: self._orders,
            Function.GET_PRODUCTS: self._products,
            Function.GET_WAREHOUSES: self._locations,
        }
        windows = {
            Function.GET_ORDERS: self._orders_window,
            Function.GET_PRODUCTS: self._products_window,
            Function.GET_WAREHOUSES: self._locations_window,
        }
        pages = runs[function](pull) if pull.until is None else windows[function](pull, pull.until)
        async for page in pages:
            yield page

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        names = [id.partition("-")[0] if function is Function.GET_PRODUCTS else id for id in ids]
        numbers = [int(name) for name in dict.fromkeys(names) if _is_number(name)]
        if function is Function.GET_ORDERS:
            return await self._orders_by_ids(numbers)
        if function is Function.GET_PRODUCTS:
            return [raw async for raws in self._products_by_ids(numbers) for raw in raws]
        return [bytes(raw) async for raw in self._by_ids(LOCATIONS, "location_id:in", numbers)]

    async def create_shipment(self, order: bytes, shipment: NewShipment, reference: str) -> None:
        record = writes.order(order)
        path = f"{ORDERS}/{record.id}/shipments"
        made = writes.made_shipments(record, reference)
        try:
            for number, body in enumerate(writes.shipments(record, shipment, reference), 1):
                if number not in made:
                    made[number] = self.session.decode(await self._write("POST", path, body), _Shipped).id
        except (OutcomeUnknown, BadAnswer):
            raise
        except ConnectorError as error:
            await self._undo(path, made.values(), error)
            raise

    async def refund_order(self, order: bytes, refund: NewRefund, reference: str) -> None:
        record = writes.order(order)
        actions = f"/v3/orders/{record.id}/payment_actions"
        parts = writes.refund_parts(record, refund, reference)
        quote = await self._quote(actions, parts)
        if refund.is_full and (rest := writes.rest(record, quote)):
            parts += rest
            quote = await self._quote(actions, parts)
        total = await self._refund_total(actions, parts, quote)
        method = writes.method(record, quote, refund.specific.get("provider_id"))
        reply = await self._write("POST", f"{actions}/refunds", writes.refund(parts, quote, total, method))
        made = self.session.decode(reply, _Refunded).data
        if mapping.is_declined(made):
            reason = "; ".join(each.declined_message for each in made.payments if each.declined_message)
            raise RequestRefused(
                f"The payment provider declined the refund: {reason or 'without a reason'}", status=422
            )

    async def adjust_inventory(self, product: bytes, adjustment: InventoryAdjustment, reference: str) -> None:
        record = writes.product(product)
        body = writes.adjustment(record, adjustment, reference)
        is_absolute = adjustment.adjustment_type is AdjustmentType.EXACT
        await self._write(*(("PUT", ABSOLUTE) if is_absolute else ("POST", RELATIVE)), body)
        await self._await_stock(record.id, record.levels)

    @classmethod
    def bears(cls, raw: bytes, reference: str) -> bool | None:
        return writes.is_done(raw, reference)

    async def subscribe(self, url: str) -> dict[str, str]:
        secret = secrets.token_hex(32)
        known = [_read(raw, _Webhook) async for raw in self._every(HOOKS, {"destination": url})]
        mine = {hook.scope: hook.id for hook in known if hook.destination == url}
        made = [await self._subscribe(scope, url, secret, mine.get(scope)) for scope in webhooks.SCOPES]
        for hook in known:
            if hook.destination == url and hook.id not in made:
                await self._end_hook(str(hook.id))
        return {"secret": secret, "ids": ",".join(map(str, made))}

    async def unsubscribe(self, subscription: Mapping[str, str]) -> None:
        for id in subscription["ids"].split(","):
            await self._end_hook(id)

    @classmethod
    def verify_hook(cls, credentials: Mapping[str, str], subscription: Mapping[str, str], hook: Hook) -> None:
        webhooks.verify(subscription, hook)

    @classmethod
    def read_hook(cls, hook: Hook) -> Sequence[Hint]:
        return webhooks.hints(hook)

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        if function is Function.GET_ORDERS:
            return [mapping.order(raw)]
        if function is Function.GET_PRODUCTS:
            return mapping.products(raw)
        return [mapping.warehouse(raw)]

    async def _orders(self, pull: Pull) -> AsyncIterator[RawPage]:
        cursor = read_cursor(pull.cursor, OrdersCursor) if pull.cursor else await self._first_orders(pull)
        async for page, behind in self._history(cursor, pull.overlap):
            cursor = behind
            yield page
        async for rows, walk in self._walk(CHANGED_ORDERS, cursor.orders, pull.overlap):
            cursor = OrdersCursor(walk, cursor.refunds)
            yield RawPage(records=await self._complete(rows), cursor=write_cursor(cursor))
        owners, refunds = await self._refunded(cursor.refunds, pull.overlap)
        for some in _parts(owners):
            yield RawPage(records=await self._orders_by_ids(some), cursor=write_cursor(cursor))
        yield RawPage(records=[], cursor=write_cursor(OrdersCursor(cursor.orders, refunds)))

    async def _first_orders(self, pull: Pull) -> OrdersCursor:
        """Where the first run begins; the runs after it go on from what is the newest now."""
        latest = await self._list(CHANGED_ORDERS, {"sort": "date_modified:desc", "limit": 1})
        since = int(pull.since.timestamp()) if pull.since else None
        newest = max([since or 0, *(row.at for row in latest)])
        return OrdersCursor(Walk(newest), Walk(newest if since is None else since), History(since))

    async def _history(self, cursor: OrdersCursor, overlap: timedelta) -> AsyncIterator[tuple[RawPage, OrdersCursor]]:
        """The pages of the first run, each with the cursor behind it."""
        if cursor.history is None:
            return
        since, changed = cursor.history.since, cursor.history.changed
        if changed is None:
            left = await self._count(_created_from(since) | _up_to(cursor.history.lowest))
            pulled = 0
            async for rows, history in self._newest_first(cursor.history):
                cursor = _noted(cursor, history, rows, overlap)
                records = await self._complete(rows)
                pulled += len(records)
                yield RawPage(records=records, cursor=write_cursor(cursor), total=max(left, pulled)), cursor
        if since is None:
            return
        earlier = {"max_date_created": _until(since)}
        async for rows, walk in self._walk(CHANGED_ORDERS, changed or Walk(since), timedelta(0), earlier):
            cursor = _noted(cursor, History(since, changed=walk), rows, overlap)
            yield RawPage(records=await self._complete(rows), cursor=write_cursor(cursor)), cursor

    async def _newest_first(self, history: History) -> AsyncIterator[tuple[list[_Row], History]]:
        """Orders by their ids from the newest down; no order changes its id, and none comes twice."""
        while True:
            lowest = history.lowest
            parameters = {"sort": "id:desc", "limit": PAGE_SIZE, **_created_from(history.since), **_up_to(lowest)}
            rows = await self._list(CHANGED_ORDERS, parameters)
            ids = [row.id for row in rows]
            if ids != sorted(ids, reverse=True) or (lowest is not None and ids and ids[0] > lowest):
                raise BadAnswer(f"{ORDERS} is not sorted and filtered by id as asked.", repr(ids[:3]))
            fresh = [row for row in rows if lowest is None or row.id < lowest]
            history = History(history.since, min(ids, default=lowest))
            yield fresh, history
            if len(rows) < PAGE_SIZE:
                return

    async def _orders_window(self, pull: Pull, until: datetime) -> AsyncIterator[RawPage]:
        """Orders that were created in a window of time, the oldest first; its last second is part of it."""
        since = int(pull.since.timestamp()) if pull.since else 0
        last = int(until.timestamp())
        begun = read_cursor(pull.cursor, OrdersWindow).walk if pull.cursor else Walk(since)
        earlier = {"max_date_created": _until(last)}
        left = await self._count(_created_from(begun.position) | earlier)
        pulled = 0
        async for rows, walk in self._walk(CREATED_ORDERS, begun, timedelta(0), earlier):
            inside = [row for row in rows if since <= row.at <= last]
            records = await self._complete(inside)
            pulled += len(records)
            yield RawPage(records=records, cursor=write_cursor(OrdersWindow(walk)), total=max(left, pulled))

    async def _complete(self, rows: Sequence[_Row]) -> list[bytes]:
        """Orders with what is kept beside them. Incomplete ones, which nobody has placed yet, are left out."""
        heads = [(row, _head(row)) for row in rows]
        placed = [(row, head) for row, head in heads if head is None or head.status_id != mapping.INCOMPLETE]
        refunds = await self._refunds_of([row.id for row, _ in placed])
        parts = await asyncio.gather(*(self._parts(head) for _, head in placed))
        return [
            _wrapped(row, {"order": row.raw, **part, "refunds": _array(refunds.get(row.id, []))})
            for (row, _), part in zip(placed, parts, strict=True)
        ]

    async def _parts(self, head: OrderHead | None) -> dict[str, bytes]:
        """An order's shipments; and its lines, where its consignments do not hold all of them."""
        parts: dict[str, bytes] = {}
        if head is None:
            return parts
        if head.items_shipped:
            parts["shipments"] = _array(await self._below(f"{ORDERS}/{head.id}/shipments"))
        listed = mapping.consigned_lines(head.consignments) if head.consignments else []
        if sum(line.quantity for line in listed) != head.items_total:
            parts["products"] = _array(await self._below(f"{ORDERS}/{head.id}/products"))
        return parts

    async def _below(self, path: str) -> list[bytes]:
        """All records of a list that belongs to one order."""
        found: list[bytes] = []
        page = 1
        while True:
            raws = await self._v2(path, {"page": page, "limit": OTHER_PAGE})
            found += raws
            if len(raws) < OTHER_PAGE:
                return found
            page += 1

    async def _refunds_of(self, orders: Sequence[int]) -> dict[int, list[bytes]]:
        found: dict[int, list[bytes]] = {}
        async for raw in self._by_ids(REFUNDS, "order_id:in", orders):
            found.setdefault(_read(raw, _RefundStamp).order_id, []).append(raw)
        return found

    async def _refunded(self, walk: Walk, overlap: timedelta) -> tuple[list[int], Walk]:
        """The orders with refunds that were made since the walk, and how far it is then."""
        begin = _earlier(walk.position, overlap)
        seen: dict[str, tuple[int, str]] = {}
        owners: dict[int, None] = {}
        async for raw in self._every(REFUNDS, {"created:min": _from(begin)}):
            refund = _read(raw, _RefundStamp)
            row = _Row(refund.id, _seconds(refund.created), raw)
            seen[str(row.id)] = row.print()
            if walk.recent.get(str(row.id)) != seen[str(row.id)]:
                owners[refund.order_id] = None
        newest = max([walk.position, *(at for at, _ in seen.values())])
        return list(owners), _pruned(newest, walk.recent | seen, overlap)

    async def _orders_by_ids(self, ids: Sequence[int]) -> list[bytes]:
        found = await asyncio.gather(*(self._order(id) for id in ids))
        return await self._complete([row for row in found if row is not None])

    async def _order(self, id: int) -> _Row | None:
        try:
            reply = await self._ask(f"{ORDERS}/{id}", WITH_PARTS)
        except RequestRefused as error:
            if error.status == GONE:
                return None
            raise
        return _row(reply, CHANGED_ORDERS) if reply else None

    async def _products(self, pull: Pull) -> AsyncIterator[RawPage]:
        cursor = read_cursor(pull.cursor, ProductsCursor) if pull.cursor else ProductsCursor()
        levels = await self._levels(self._every(STOCK, NOTHING, STOCK_PAGE))
        prints = levels.prints()
        stored = prints if cursor.stock is None else cursor.stock
        async for rows, walk in self._walk(CHANGED_PRODUCTS, cursor.products, pull.overlap):
            cursor = ProductsCursor(walk, stored)
            yield RawPage(records=await self._with_levels(rows, levels), cursor=write_cursor(cursor))
        for some in _parts(levels.differing(stored)):
            rows = await self._product_rows(some)
            yield RawPage(records=await self._with_levels(rows, levels), cursor=write_cursor(cursor))
        yield RawPage(records=[], cursor=write_cursor(ProductsCursor(cursor.products, prints)))

    async def _products_window(self, pull: Pull, until: datetime) -> AsyncIterator[RawPage]:
        """Products that were created in a window of time: BigCommerce cannot filter by that date, but ids rise with it."""
        window = read_cursor(pull.cursor, IdsWindow) if pull.cursor else IdsWindow()
        since = int(pull.since.timestamp()) if pull.since else 0
        created = msgspec.structs.replace(CHANGED_PRODUCTS, date="date_created")
        while True:
            rows = await self._list(created, {**created.by_id, "id:min": window.last + 1, "limit": PAGE_SIZE})
            if rows and rows[-1].id <= window.last:
                raise BadAnswer(f"{PRODUCTS} is not sorted and filtered by id as asked.")
            window = IdsWindow(max([window.last, *(row.id for row in rows)]))
            inside = [row for row in rows if since <= row.at <= int(until.timestamp())]
            levels = await self._levels(self._by_ids(STOCK, "product_id:in", [row.id for row in inside], STOCK_PAGE))
            yield RawPage(records=await self._with_levels(inside, levels), cursor=write_cursor(window))
            if len(rows) < PAGE_SIZE:
                return

    async def _products_by_ids(self, ids: Sequence[int]) -> AsyncIterator[list[bytes]]:
        for some in _parts(ids):
            rows = await self._product_rows(some)
            levels = await self._levels(self._by_ids(STOCK, "product_id:in", some, STOCK_PAGE))
            yield await self._with_levels(rows, levels)

    async def _product_rows(self, ids: Sequence[int]) -> list[_Row]:
        return [_row(raw, CHANGED_PRODUCTS) async for raw in self._by_ids(PRODUCTS, "id:in", ids, where=WITH_VARIANTS)]

    async def _with_levels(self, rows: Sequence[_Row], levels: Levels) -> list[bytes]:
        if not rows:
            return []
        units, names = await self._units(), await self._names(rows)
        shared = {"store_hash": self.credentials["store_hash"], **units, "category_names": names}
        parts = {name: msgspec.json.encode(part) for name, part in shared.items()}
        return [
            _wrapped(row, {**parts, "levels": msgspec.json.encode(levels.of(row.id)), "product": row.raw})
            for row in rows
        ]

    async def _names(self, rows: Sequence[_Row]) -> dict[str, str]:
        """The names of the categories of some products."""
        used = {id for row in rows for id in _categories(row)}
        new = sorted(used - self._categories.keys())
        async for raw in self._by_ids(CATEGORIES, "category_id:in", new):
            category = _read(raw, _Category)
            self._categories[category.category_id] = category.name
        return {str(id): self._categories[id] for id in sorted(used & self._categories.keys())}

    async def _units(self) -> dict[str, str | None]:
        """The units of weights and sizes; they are settings of the store."""
        try:
            self._store = self._store or await auth.store(self.session)
        except PermissionMissing as error:
            raise with_scope(error, "/v2/store") from error
        return {"weight_units": self._store.weight_units, "dimension_units": self._store.dimension_units}

    async def _levels(self, items: AsyncIterator[bytes]) -> Levels:
        levels = Levels({})
        async for raw in items:
            item = _read(raw, _Item)
            of_variant = {
                str(each.location_id): each.available_to_sell for each in item.locations if each.location_enabled
            }
            of_product = levels.by_product.setdefault(item.identity.product_id, {})
            if item.locations:
                of_product[str(item.identity.variant_id)] = of_variant
        return levels

    async def _locations(self, pull: Pull) -> AsyncIterator[RawPage]:
        known = read_cursor(pull.cursor, LocationsCursor).known if pull.cursor else {}
        raws = {str(_read(raw, _Location).id): raw async for raw in self._every(LOCATIONS)}
        found = {id: fingerprint(raw.decode("utf-8", "replace")) for id, raw in raws.items()}
        changed = [raw for id, raw in raws.items() if known.get(id) != found[id]]
        yield RawPage(records=changed, cursor=write_cursor(LocationsCursor(found)), total=len(changed))

    async def _locations_window(self, pull: Pull, until: datetime) -> AsyncIterator[RawPage]:
        since, last = int(pull.since.timestamp()) if pull.since else 0, int(until.timestamp())
        raws = [] if pull.cursor else [raw async for raw in self._every(LOCATIONS)]
        made = [(_seconds(_read(raw, _Location).created_at), raw) for raw in raws]
        inside = [raw for at, raw in sorted(made) if since <= at <= last]
        yield RawPage(records=inside, cursor=write_cursor(IdsWindow()), total=len(inside))

    async def _walk(
        self, keyset: Keyset, walk: Walk, overlap: timedelta, where: Mapping[str, Any] = NOTHING
    ) -> AsyncIterator[tuple[list[_Row], Walk]]:
        """Records from the walk's place on that were not seen, and how far it is then; at least one page."""
        position = _earlier(walk.position, overlap)
        while True:
            parameters = {**where, **keyset.by_date, keyset.at_least: _from(position), "limit": PAGE_SIZE}
            rows = await self._list(keyset, parameters)
            dates = [row.at for row in rows]
            if dates != sorted(dates):
                raise BadAnswer(f"{keyset.path} is not sorted by {keyset.date} as asked.", repr(dates[:3]))
            full = len(rows) >= PAGE_SIZE
            reached = max([position, *dates])
            if full and dates[-1] <= position:
                rows = await self._tied(keyset, position, where)
                reached = position + 1
            fresh = [row for row in rows if walk.recent.get(str(row.id)) != row.print()]
            while len(fresh) > PAGE_SIZE:
                some, fresh = fresh[:PAGE_SIZE], fresh[PAGE_SIZE:]
                walk = _walked(walk, position, some, overlap)
                yield some, walk
            walk = _walked(walk, reached, rows, overlap)
            yield fresh, walk
            if not full:
                return
            position = reached

    async def _tied(self, keyset: Keyset, second: int, where: Mapping[str, Any]) -> list[_Row]:
        """All records of one second, which are more than a page, by their ids."""
        span = {keyset.at_least: _from(second), keyset.at_most: _until(second)}
        found: dict[int, _Row] = {}
        lowest = 0
        while True:
            parameters = {**where, **span, **keyset.by_id, keyset.from_id: lowest, "limit": PAGE_SIZE}
            rows = await self._list(keyset, parameters)
            found |= {row.id: row for row in rows if row.at == second}
            if len(rows) < PAGE_SIZE:
                return list(found.values())
            if rows[-1].id <= lowest:
                raise BadAnswer(f"{keyset.path} is not sorted and filtered by id as asked.")
            lowest = rows[-1].id

    async def _list(self, keyset: Keyset, parameters: Mapping[str, Any]) -> list[_Row]:
        """The records of one request."""
        asked = {**keyset.fixed, **parameters}
        raws = await (self._v2(keyset.path, asked) if keyset.path == ORDERS else self._v3(keyset.path, asked))
        return [_row(raw, keyset) for raw in raws]

    async def _v3(self, path: str, parameters: Mapping[str, Any]) -> list[bytes]:
        return [bytes(raw) for raw in (await self._page(path, parameters)).data]

    async def _v2(self, path: str, parameters: Mapping[str, Any]) -> list[bytes]:
        """A list of V2, which answers nothing at all where there is nothing to list."""
        body = await self._ask(path, parameters)
        return [bytes(raw) for raw in self._decoded(body, list[msgspec.Raw], path)] if body else []

    async def _count(self, where: Mapping[str, Any]) -> int:
        """How many orders there are; incomplete ones do not count."""
        answer = self._decoded(await self._ask(f"{ORDERS}/count", where), _Count, ORDERS)
        return answer.count - sum(each.count for each in answer.statuses if each.id == mapping.INCOMPLETE)

    async def _page(self, path: str, parameters: Mapping[str, Any]) -> _List:
        return self._decoded(await self._ask(path, parameters), _List, path)

    async def _every(
        self, path: str, where: Mapping[str, Any] = NOTHING, limit: int = OTHER_PAGE
    ) -> AsyncIterator[bytes]:
        """All records of a list of V3, page by page."""
        page = 1
        while True:
            answer = await self._page(path, {**where, "page": page, "limit": limit})
            for raw in answer.data:
                yield bytes(raw)
            pagination = answer.meta.pagination
            if not answer.data or (pagination is not None and page >= pagination.total_pages):
                return
            page += 1

    async def _by_ids(
        self,
        path: str,
        name: str,
        ids: Sequence[int],
        limit: int = OTHER_PAGE,
        where: Mapping[str, Any] = NOTHING,
    ) -> AsyncIterator[bytes]:
        """The records of a list of V3 whose parameter ``name`` is one of ``ids``."""
        for some in _parts(ids):
            async for raw in self._every(path, {**where, name: ",".join(map(str, some))}, limit):
                yield raw

    async def _ask(self, path: str, parameters: Mapping[str, Any]) -> bytes:
        """The body of a GET; empty where BigCommerce answers that there is no content."""
        try:
            reply = await self.session.request("GET", path, params=dict(parameters))
        except PermissionMissing as error:
            raise with_scope(error, path) from error
        return b"" if reply.status == NO_CONTENT else reply.body

    def _decoded(self, body: bytes, type: type[T], path: str) -> T:
        try:
            return msgspec.json.decode(body, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswer(f"{path} answered something else than BigCommerce documents: {error}") from error

    async def _write(self, method: str, path: str, body: Any, *, once: bool = True) -> Reply:
        try:
            return await self.session.request(method, path, json=body, once=once)
        except PermissionMissing as error:
            raise with_scope(error, path, WRITE_SCOPES) from error

    async def _undo(self, path: str, shipments: Iterable[int], refusal: ConnectorError) -> None:
        """Take back shipments of a write of which a later one was refused."""
        for id in shipments:
            try:
                await self._write("DELETE", f"{path}/{id}", None, once=False)
            except ConnectorError as error:
                if not (isinstance(error, RequestRefused) and error.status == GONE):
                    message = f"{refusal.message} Shipment {id}, made before, could not be taken back: {error.message}"
                    raise OutcomeUnknown(message, error.detail, error.url) from error

    async def _quote(self, actions: str, parts: Sequence[writes.Part]) -> Quote:
        """What BigCommerce would pay back. Quotes change nothing, so that they may be asked for again."""
        body = {"items": writes.items(parts)}
        reply = await self._write("POST", f"{actions}/refund_quotes", body, once=False)
        return self.session.decode(reply, _Quoted).data

    async def _refund_total(self, actions: str, parts: Sequence[writes.Part], quote: Quote) -> Decimal:
        """What is paid back in all: the amounts that were named, and BigCommerce's own for the other parts."""
        named = [part for part in parts if part.amount is not None]
        others = [part for part in parts if part.amount is None]
        if not named:
            return quote.total_refund_amount
        lines = [part for part in named if not part.of_shipping]
        if lines:
            writes.check_amount(lines, quote if lines == parts else await self._quote(actions, lines))
        rest = (await self._quote(actions, others)).total_refund_amount if others else Decimal(0)
        return rest + writes.amount(named)

    async def _await_stock(self, product: int, before: Mapping[str, Mapping[str, int]]) -> None:
        """Give BigCommerce a moment until it shows the change; what is read back is then not the old stock."""
        for delay in STOCK_DELAYS:
            await asyncio.sleep(delay)
            try:
                levels = await self._levels(self._by_ids(STOCK, "product_id:in", [product], STOCK_PAGE))
            except ConnectorError:
                return
            if levels.of(product) != before:
                return

    async def _subscribe(self, scope: str, url: str, secret: str, known: int | None) -> int:
        """Have one kind of event sent to ``url``, by a new webhook or by the one that is there."""
        wanted = {
            "scope": scope,
            "destination": url,
            "is_active": True,
            "headers": {webhooks.SECRET_HEADER: secret},
        }
        method, path = ("POST", HOOKS) if known is None else ("PUT", f"{HOOKS}/{known}")
        reply = await self.session.request(method, path, json=wanted)
        return self.session.decode(reply, _Made).data.id

    async def _end_hook(self, id: str) -> None:
        try:
            await self.session.request("DELETE", f"{HOOKS}/{id}")
        except RequestRefused as error:
            if error.status != GONE:
                raise


def _row(raw: bytes, keyset: Keyset) -> _Row:
    stamp = _read(raw, _Stamp)
    parse = mapping.parse_rfc2822 if keyset.path == ORDERS else parse_utc
    return _Row(stamp.id, _seconds(getattr(stamp, keyset.date), parse), bytes(raw))


def _categories(row: _Row) -> list[int]:
    try:
        return msgspec.json.decode(row.raw, type=_Categorized).categories
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def _head(row: _Row) -> OrderHead | None:
    """What is read of an order to complete it; null if it is malformed, which its mapping will say."""
    try:
        return msgspec.json.decode(row.raw, type=OrderHead)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _seconds(text: str, parse: Callable[[str], datetime] = parse_utc) -> int:
    try:
        return int(parse(text).timestamp())
    except ValueError as error:
        raise BadAnswer(f"BigCommerce sent a date that is none: {error}") from error


def _read(raw: bytes, type: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"BigCommerce sent a record of another shape than it documents: {error}"
        raise BadAnswer(message, repr(raw[:300])) from error


def _noted(cursor: OrdersCursor, history: History, rows: Sequence[_Row], overlap: timedelta) -> OrdersCursor:
    """The cursor behind ``rows``; what of them the walk by date will meet is not to come again."""
    oldest = _earlier(cursor.orders.position, overlap) - 1
    met: dict[str, tuple[int, str]] = {}
    for row in rows:
        changed = _row(row.raw, CHANGED_ORDERS)
        if changed.at >= oldest:
            met[str(row.id)] = changed.print()
    return OrdersCursor(Walk(cursor.orders.position, cursor.orders.recent | met), cursor.refunds, history)


def _walked(walk: Walk, position: int, rows: Sequence[_Row], overlap: timedelta) -> Walk:
    """How far the walk is behind ``rows``."""
    seen = {str(row.id): row.print() for row in rows}
    return _pruned(max(position, walk.position), walk.recent | seen, overlap)


def _pruned(position: int, recent: Mapping[str, tuple[int, str]], overlap: timedelta) -> Walk:
    oldest = _earlier(position, overlap) - 1
    return Walk(position, {id: seen for id, seen in recent.items() if seen[0] >= oldest})


def _wrapped(row: _Row, parts: Mapping[str, bytes]) -> bytes:
    inside = b",".join(b'"%s":%s' % (name.encode(), part) for name, part in parts.items())
    return b'{"id":%d,%s}' % (row.id, inside)


def _array(raws: Sequence[bytes]) -> bytes:
    return b"[%s]" % b",".join(raws)


def _parts(ids: Sequence[int]) -> list[list[int]]:
    return [list(ids[start : start + PAGE_SIZE]) for start in range(0, len(ids), PAGE_SIZE)]


def _created_from(since: int | None) -> dict[str, Any]:
    return {} if since is None else {"min_date_created": _from(since)}


def _up_to(lowest: int | None) -> dict[str, Any]:
    return {} if lowest is None else {"max_id": lowest}


def _is_number(id: str) -> bool:
    return id.isascii() and id.isdecimal() and len(id) <= LONGEST_ID


def _bucket(product: int) -> str:
    return str(product % BUCKETS)


def _earlier(position: int, by: timedelta) -> int:
    return max(position - int(by.total_seconds()), 0)


def _from(second: int) -> str:
    """The lower bound of a list from ``second`` on; a second less, as BigCommerce does not say whether bounds are included."""
    return _text(max(second - 1, 0))


def _until(second: int) -> str:
    """The upper bound of a list up to ``second``; a second more, likewise."""
    return _text(second + 1)


def _text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()
