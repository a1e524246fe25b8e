"""The REST API of 3PL Warehouse Manager: pages of orders, items and facilities that are new or changed.

Lists are filtered and sorted by RQL, and never paged by number, because rows move while they are read. What is new is walked by
id, which rises, because Extensiv may leave the `lastModifiedDate` of what never changed empty; what has changed is walked by that
date: a page begins at the second of the last record of the page before, and records that came already are dropped. A second with
more records than a page is walked by id. Dates are kept as Extensiv writes them, without a zone, and sent back so: both are of
the same clock.

The first run of orders goes down from the newest. The walks of new and of changed orders begin at the highest id and the newest
date that there were before it.

Stock has no date and rows that name no customer, so all rows are read in each run of products and compared with the last.
Single records are read with an `ETag`, which writes want back in `If-Match`; lists have none. A record that has changed in between
is answered by 412: it is then read, planned and written anew.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Any, TypeVar

import msgspec

from unicart.connectors.extensiv import auth, errors, mapping, writes
from unicart.connectors.extensiv.errors import OUTCOMES
from unicart.connectors.extensiv.facts import FACTS
from unicart.connectors.extensiv.payloads import Customer, Lot, Order, RawOrder, RawProduct, StockRow
from unicart.connectors.kit import (
    Account,
    BadAnswer,
    Connector,
    ConnectorError,
    CredentialsRejected,
    OutcomeUnknown,
    PermissionMissing,
    PlatformUnavailable,
    Pull,
    RawPage,
    RequestRefused,
    Session,
    Throttle,
    fingerprint,
    read_cursor,
    refusal,
    write_cursor,
)
from unicart.connectors.kit.http import Reply
from unicart.contract.resources import Function, Record
from unicart.contract.writes import InventoryAdjustment, NewShipment

URL = "https://secure-wms.com"
PAGE_SIZE = 100
STOCK_PAGE_SIZE = 500
RATE = 5
CONCURRENCY = 2
MOST_RESTARTS = 10
MOST_ATTEMPTS = 4
HAL = "application/hal+json"
GREATEST_ID = 2**31 - 1
BEGINNING = "1970-01-01T00:00:00"
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
REPEATED = timedelta(hours=3)
"""How far to look back where the clock was set back shortly before: longer than any change from summer time."""

CREATED, CHANGED = "readonly.creationdate", "readonly.lastmodifieddate"
CUSTOMER = "readonly.customeridentifier.id"
RELS = "http://api.3plcentral.com/rels/"

T = TypeVar("T")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A list: its path, the end of its name in the answer, the property of its ids, and the role that it needs."""

    path: str
    rel: str
    key: str
    role: str
    parameters: dict[str, str] = {}


ORDERS = Source(
    path="/orders",
    rel="orders/order",
    key="readonly.orderid",
    role="OrderView",
    parameters={"detail": "All", "itemdetail": "All"},
)
CUSTOMERS = Source(path="/customers", rel="customers/customer", key="readonly.customerid", role="CustomerView")
FACILITIES = Source(path="/properties/facilities", rel="properties/facility", key="facilityid", role="FacilityView")


class Walk(msgspec.Struct, frozen=True):
    """How far changes are walked: the second of the last record, and the versions of those shortly before, by id."""

    position: str = BEGINNING
    recent: dict[str, str] = {}


class Backfill(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the first run of orders is.

    First come the orders created from ``since`` on, the newest first: those ``below`` an id are left. Then those created
    before but ``changed`` from then on.
    """

    since: str | None = None
    below: int | None = None
    changed: Walk | None = None


class OrdersCursor(msgspec.Struct, frozen=True):
    """How far the changes of orders are walked, once there is no ``backfill`` left; new ones are ``above`` an id."""

    changes: Walk = Walk()
    backfill: Backfill | None = None
    above: int | None = None


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a list is pulled: what is new is ``above`` an id, and the changes are walked."""

    above: int | None = None
    changes: Walk = Walk()


class ProductsCursor(msgspec.Struct, frozen=True):
    """The catalogues by customer, and the fingerprint of the stock of each item that came, by customer and item."""

    catalogues: dict[str, Progress] = {}
    stock: dict[str, dict[str, str]] = {}


class FacilitiesCursor(msgspec.Struct, frozen=True):
    """The fingerprints of facilities, by id."""

    known: dict[str, str] = {}


class WindowCursor(msgspec.Struct, frozen=True):
    """The last record of a window of time: its id, and the customer that items belong to."""

    last: int = 0
    customer: int = 0


class _ReadOnly(msgspec.Struct, frozen=True, rename="camel"):
    order_id: int | None = None
    item_id: int | None = None
    customer_id: int | None = None
    last_modified_date: str | None = None


class _Stamp(msgspec.Struct, rename="camel"):
    read_only: _ReadOnly = _ReadOnly()
    item_id: int | None = None
    facility_id: int | None = None

    def id(self) -> int | None:
        head = self.read_only
        ids = (head.order_id, head.item_id, self.item_id, head.customer_id, self.facility_id)
        return next((id for id in ids if id is not None), None)


class _Listed(msgspec.Struct, rename="camel"):
    total_results: int
    embedded: dict[str, msgspec.Raw] = msgspec.field(name="_embedded", default_factory=dict)


class _Summaries(msgspec.Struct, rename="camel"):
    total_results: int
    summaries: list[msgspec.Raw]


class _Lots(msgspec.Struct):
    item: list[Lot] = []


class _StockDetails(msgspec.Struct, rename="camel"):
    total_results: int
    embedded: _Lots = msgspec.field(name="_embedded", default_factory=_Lots)


class _Packed(msgspec.Struct, frozen=True):
    """Whether a shipment has a package, and whether the order is to be confirmed with it."""

    has_package: bool
    last: bool


class _Page(msgspec.Struct):
    """``left`` is how many records there are from the first one on."""

    raws: list[bytes]
    left: int

    @property
    def is_last(self) -> bool:
        return len(self.raws) >= self.left


Stock = Mapping[str, Sequence[bytes]]


class ExtensivConnector(Connector):
    """A 3PL on Extensiv 3PL Warehouse Manager, or one of its customers."""

    facts = FACTS

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        super().__init__(credentials, session)
        session.headers["accept"] = HAL
        session.outcomes.update(OUTCOMES)
        session.throttle = Throttle(RATE, CONCURRENCY)
        session.refresh = self._login

    @classmethod
    def base_url(cls, credentials: Mapping[str, str]) -> str:
        return credentials.get("url") or URL

    async def check(self) -> Account:
        self._zone()
        self._currency()
        await self._ask("/orders", _Listed, {"pgsiz": 1, "pgnum": 1}, ORDERS.role)
        user = self.credentials.get("user_login") or self.credentials.get("user_login_id", "")
        tpl = self.credentials.get("tpl", "").strip("{}") or self.credentials["client_id"]
        customer = self._customer()
        if customer is None:
            return Account(account_id=tpl, account_name=f"{FACTS.display_name}, {user}")
        found = await self._ask(f"/customers/{customer}", Customer, {}, CUSTOMERS.role)
        name = found.company_info.company_name if found.company_info else None
        return Account(
            account_id=f"{tpl} {customer}", account_name=name or f"{FACTS.display_name}, customer {customer}"
        )

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        increments = {
            Function.GET_ORDERS: self._orders,
            Function.GET_PRODUCTS: self._products,
            Function.GET_WAREHOUSES: self._facilities,
        }
        windows = {
            Function.GET_ORDERS: self._orders_window,
            Function.GET_PRODUCTS: self._products_window,
            Function.GET_WAREHOUSES: self._facilities_window,
        }
        async for page in (increments if pull.until is None else windows)[function](pull):
            yield page

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        wanted = [int(id) for id in dict.fromkeys(ids) if _is_id(id)]
        if function is Function.GET_ORDERS:
            return self._with_order([raw async for raws in self._by_ids(ORDERS, wanted) for raw in raws])
        if function is Function.GET_WAREHOUSES:
            return [raw async for raws in self._by_ids(FACILITIES, wanted) for raw in raws]
        found: list[bytes] = []
        for customer in await self._customers() if wanted else []:
            of_customer = [raw async for raws in self._by_ids(_items(customer), wanted) for raw in raws]
            found += of_customer
            wanted = sorted(set(wanted) - set(map(_id, of_customer)))
        return self._with_stock(found, await self._stock(list(map(_id, found))) if found else {})

    async def create_shipment(self, order: bytes, shipment: NewShipment, reference: str) -> None:
        id = _decoded(order, RawOrder).id
        # The package comes behind the routing: where it is seen, a part of an order is told completely.
        former = await _of_current(partial(self._route, id, shipment, reference))
        packed = None
        try:
            packed = await _of_current(partial(self._pack, id, shipment, reference))
            if packed and packed.last:
                await _of_current(partial(self._confirm, id, shipment, reference))
        except (OutcomeUnknown, BadAnswer):
            raise
        except ConnectorError as error:
            if former is not None or (packed and packed.has_package):
                await self._undo(id, reference, former, error)
            raise

    async def adjust_inventory(self, product: bytes, adjustment: InventoryAdjustment, reference: str) -> None:
        source = _decoded(product, RawProduct)
        item, owner = source.item.item_id, source.item.read_only.customer_identifier
        change, facility = writes.change(source, adjustment), writes.facility(adjustment)
        if owner is None or owner.id is None:
            raise refusal(f"Item {item} is no customer's; its stock cannot be adjusted.")
        if not change or await self._is_adjusted(owner.id, reference):
            return
        if change > 0:
            items = [writes.addition(item, change, adjustment.specific)]
        else:
            lots = await self._lots(owner.id, facility, item)
            items = writes.reductions(lots, -change, adjustment.specific)
        body = writes.adjustment(adjustment, owner.id, items, reference)
        await self._change("POST", "/inventory/adjustments", body, "InventoryEdit")

    @classmethod
    def bears(cls, raw: bytes, reference: str) -> bool | None:
        outer = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        return writes.bears(_decoded(outer["order"], Order), reference) if "order" in outer else None

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        if function is Function.GET_ORDERS:
            return [mapping.order(raw)]
        if function is Function.GET_PRODUCTS:
            return mapping.products(raw)
        return [mapping.warehouse(raw)]

    async def _route(self, id: str, shipment: NewShipment, reference: str) -> dict[str, Any] | None:
        """Write the carrier into an order that can be shipped so; returns what was there before, if that is another one."""
        path = f"/orders/{id}/routing"
        if not any(getattr(shipment, name) for name in writes.ROUTING):
            return None
        reply = await self._get(path, {}, ORDERS.role)
        source, _ = await self._order(id)
        if writes.is_told(source, shipment, reference):
            return None
        if writes.package_of(source, reference) is None:
            writes.plan(source, shipment)
        former = self.session.decode(reply, dict[str, Any])
        former.pop("_links", None)
        wanted = writes.routing(former, shipment)
        if wanted is None:
            return None
        await self._change("PUT", path, wanted, "OrderEdit", _etag(reply))
        return former

    async def _pack(self, id: str, shipment: NewShipment, reference: str) -> _Packed | None:
        """Make the package of a shipment, unless there is one or none is needed; null if all is done already."""
        path = f"/orders/{id}/packages"
        etag = await self._etag(path, ORDERS.role)
        source, _ = await self._order(id)
        if writes.is_told(source, shipment, reference):
            return None
        package = writes.package_of(source, reference)
        if package:
            return _Packed(True, writes.is_last(package))
        planned = writes.plan(source, shipment)
        if planned.contents:
            await self._change("POST", path, writes.package(shipment, planned, reference), "OrderEdit", etag)
        return _Packed(bool(planned.contents), planned.last)

    async def _confirm(self, id: str, shipment: NewShipment, reference: str) -> None:
        source, etag = await self._order(id)
        if writes.is_closed(source) and writes.package_of(source, reference):
            return
        writes.check_packed(source)
        body = writes.confirmation(source, shipment, reference, self._local)
        await self._change("POST", f"/orders/{id}/confirmer", body, "OrderConfirm", etag)

    async def _undo(self, id: str, reference: str, former: Mapping[str, Any] | None, error: ConnectorError) -> None:
        """Take back what was written of a shipment before ``error``.

        Raises:
            OutcomeUnknown: that failed, and a repetition is to complete it.
        """
        try:
            await _of_current(partial(self._unpack, id, reference))
            if former is not None:
                await _of_current(partial(self._unroute, id, former))
        except ConnectorError as failure:
            message = f"{error.message} What was begun of the shipment could not be taken back: {failure.message}"
            raise OutcomeUnknown(message, error.detail, error.url) from error

    async def _unpack(self, id: str, reference: str) -> None:
        source, _ = await self._order(id)
        package = writes.package_of(source, reference)
        if package:
            path = f"/orders/{id}/packages/{package.package_id}"
            await self._change("DELETE", path, None, "OrderEdit", await self._etag(path, ORDERS.role))

    async def _unroute(self, id: str, former: Mapping[str, Any]) -> None:
        path = f"/orders/{id}/routing"
        await self._change("PUT", path, former, "OrderEdit", await self._etag(path, ORDERS.role))

    async def _order(self, id: str) -> tuple[Order, str]:
        """An order as it is now, and its `ETag`."""
        reply = await self._get(f"/orders/{id}", ORDERS.parameters, ORDERS.role)
        return self.session.decode(reply, Order), _etag(reply)

    async def _etag(self, path: str, role: str) -> str:
        return _etag(await self._get(path, {}, role))

    async def _is_adjusted(self, customer: int, reference: str) -> bool:
        """Whether there is an adjustment of that reference."""
        where = [f"{CUSTOMER}=={customer}", f"readonly.referencenum=={reference}"]
        parameters = {"pgsiz": 1, "pgnum": 1, **_rql(where)}
        return (await self._ask("/inventory/adjustments", _Listed, parameters, "InventoryRead")).total_results > 0

    async def _lots(self, customer: int, facility: int, item: int) -> list[Lot]:
        """What is left of the receipts of an item at a facility, the oldest first."""
        shared = {"customerid": customer, "facilityid": facility, "pgsiz": STOCK_PAGE_SIZE, "pgnum": 1}
        lots: list[Lot] = []
        while True:
            last = lots[-1].receive_item_id if lots else 0
            where = [f"itemidentifier.id=={item}", "available=gt=0", f"receiveitemid=gt={last}"]
            parameters = {**shared, "sort": "receiveitemid", **_rql(where)}
            page = await self._ask("/inventory/stockdetails", _StockDetails, parameters, "InventoryDetailView")
            lots += page.embedded.item
            if len(page.embedded.item) >= page.total_results:
                return lots

    async def _change(self, method: str, path: str, body: Any, role: str, etag: str | None = None) -> None:
        """Write, if the record is still the one of ``etag``."""
        headers = {"content-type": HAL, **({"if-match": etag} if etag else {})}
        try:
            await self.session.request(method, path, json=body, headers=headers, once=True)
        except PermissionMissing as error:
            told = errors.reason(error.detail)
            if told and errors.is_of_state(error.detail):
                raise RequestRefused(told, error.detail, error.url, 403) from error
            raise _role_missing(path, role, error) from error
        except RequestRefused as error:
            told = errors.reason(error.detail) or error.message
            raise RequestRefused(told, error.detail, error.url, error.status) from error

    async def _orders(self, pull: Pull) -> AsyncIterator[RawPage]:
        begun = read_cursor(pull.cursor, OrdersCursor) if pull.cursor else await self._first_orders(pull)
        cursor, pulled = begun, 0
        async for raws, cursor, left in self._backfill(begun, pull.overlap):
            records = self._with_order(raws)
            yield RawPage(records=records, cursor=write_cursor(cursor), total=None if left is None else pulled + left)
            pulled += len(raws)
        since = Progress(cursor.above, cursor.changes)
        async for raws, reached, left in self._increment(ORDERS, since, pull.overlap, self._of_customer()):
            records, behind = self._with_order(raws), OrdersCursor(reached.changes, above=reached.above)
            yield RawPage(records=records, cursor=write_cursor(behind), total=None if left is None else pulled + left)
            pulled += len(raws)

    async def _first_orders(self, pull: Pull) -> OrdersCursor:
        """Where the first run begins; the runs after it go on from what is the newest now."""
        since = self._local(pull.since) if pull.since else None
        newest, highest = (
            await self._newest(ORDERS, self._of_customer()),
            await self._highest(ORDERS, self._of_customer()),
        )
        return OrdersCursor(Walk(max(newest, since or BEGINNING)), Backfill(since), highest)

    async def _backfill(
        self, cursor: OrdersCursor, overlap: timedelta
    ) -> AsyncIterator[tuple[list[bytes], OrdersCursor, int | None]]:
        """The pages of the first run, each with the cursor behind it, and how many are left where that is known."""
        if cursor.backfill is None:
            return
        since, below, changed = cursor.backfill.since, cursor.backfill.below, cursor.backfill.changed
        if changed is None:
            where = [*self._of_customer(), *([f"{CREATED}=ge={since}"] if since else [])]
            async for page, lowest in self._descending(ORDERS, where, below):
                noted = self._noted(ORDERS, cursor.changes, page.raws, overlap)
                cursor = OrdersCursor(noted, Backfill(since, lowest), cursor.above)
                yield page.raws, cursor, page.left
        if since is not None:
            earlier = [*self._of_customer(), f"{CREATED}=lt={since}"]
            async for raws, walk, _ in self._walk(ORDERS, changed or Walk(since), timedelta(0), earlier):
                noted = self._noted(ORDERS, cursor.changes, raws, overlap)
                cursor = OrdersCursor(noted, Backfill(since, changed=walk), cursor.above)
                yield raws, cursor, None

    def _noted(self, source: Source, walk: Walk, raws: Sequence[bytes], overlap: timedelta) -> Walk:
        """The walk of changes, which does not bring ``raws`` again."""
        oldest = self._back(walk.position, overlap)
        versions = {str(_id(raw)): self._version(raw, source) for raw in raws if _is_dated(raw)}
        return Walk(walk.position, walk.recent | {id: each for id, each in versions.items() if each >= oldest})

    async def _orders_window(self, pull: Pull) -> AsyncIterator[RawPage]:
        begun = read_cursor(pull.cursor, WindowCursor) if pull.cursor else WindowCursor()
        pulled = 0
        where = [*self._of_customer(), *self._created_in(pull)]
        async for page, last in self._ascending(ORDERS, where, begun.last):
            records = self._with_order(page.raws)
            yield RawPage(records=records, cursor=write_cursor(WindowCursor(last)), total=pulled + page.left)
            pulled += len(page.raws)

    async def _products(self, pull: Pull) -> AsyncIterator[RawPage]:
        cursor = read_cursor(pull.cursor, ProductsCursor) if pull.cursor else ProductsCursor()
        stock = await self._stock()
        customers = await self._customers()
        for customer in customers:
            async for raws, catalogue in self._catalogue(customer, cursor.catalogues.get(str(customer)), pull.overlap):
                cursor = _with_items(cursor, customer, catalogue, map(_id, raws), stock)
                if raws:
                    yield RawPage(records=self._with_stock(raws, stock), cursor=write_cursor(cursor))
        for customer in customers:
            known, catalogue = cursor.stock[str(customer)], cursor.catalogues[str(customer)]
            changed = [int(id) for id, before in known.items() if before != _level(stock, id)]
            for some in _cut(changed):
                raws = [raw async for raws in self._by_ids(_items(customer), some) for raw in raws]
                cursor = _with_items(cursor, customer, catalogue, some, stock)
                yield RawPage(records=self._with_stock(raws, stock), cursor=write_cursor(cursor))
        yield RawPage(records=[], cursor=write_cursor(cursor))

    async def _catalogue(
        self, customer: int, begun: Progress | None, overlap: timedelta
    ) -> AsyncIterator[tuple[list[bytes], Progress]]:
        """The items of a customer: all in the first run, then those that are new or changed."""
        source = _items(customer)
        if begun is None:
            begun = Progress(0, Walk(await self._newest(source, [])))
        async for raws, reached, _ in self._increment(source, begun, overlap, []):
            yield raws, reached

    async def _products_window(self, pull: Pull) -> AsyncIterator[RawPage]:
        begun = read_cursor(pull.cursor, WindowCursor) if pull.cursor else WindowCursor()
        stock = await self._stock()
        for customer in sorted(await self._customers()):
            if customer < begun.customer:
                continue
            above = begun.last if customer == begun.customer else 0
            async for page, last in self._ascending(_items(customer), self._created_in(pull), above):
                cursor = write_cursor(WindowCursor(last, customer))
                yield RawPage(records=self._with_stock(page.raws, stock), cursor=cursor)

    async def _facilities(self, pull: Pull) -> AsyncIterator[RawPage]:
        known = read_cursor(pull.cursor, FacilitiesCursor).known if pull.cursor else {}
        raws = [raw async for page, _ in self._ascending(FACILITIES, [], 0) for raw in page.raws]
        found = {str(_id(raw)): fingerprint(raw.decode()) for raw in raws}
        changed = [raw for raw in raws if known.get(str(_id(raw))) != found[str(_id(raw))]]
        yield RawPage(records=changed, cursor=write_cursor(FacilitiesCursor(found)), total=len(changed))

    async def _facilities_window(self, pull: Pull) -> AsyncIterator[RawPage]:
        """All facilities, if the window holds the date that stands for none."""
        begun = read_cursor(pull.cursor, WindowCursor) if pull.cursor else WindowCursor()
        if pull.since is None or pull.since <= mapping.UNDATED:
            async for page, last in self._ascending(FACILITIES, [], begun.last):
                yield RawPage(records=page.raws, cursor=write_cursor(WindowCursor(last)))

    async def _customers(self) -> list[int]:
        """The ids of the 3PL's customers whose items are pulled."""
        only = self._customer()
        if only is not None:
            return [only]
        return [_id(raw) async for page, _ in self._ascending(CUSTOMERS, [], 0) for raw in page.raws]

    async def _stock(self, items: Sequence[int] | None = None) -> dict[str, list[bytes]]:
        """The rows of stock of ``items``, or of all, by item."""
        wheres = [[]] if items is None else [[f"itemid=in=({_joined(some)})"] for some in _cut(items)]
        found: dict[str, list[bytes]] = {}
        for where in wheres:
            for raw in sorted(await self._stock_rows(where), key=lambda raw: (_stock_key(raw), raw)):
                found.setdefault(_stock_key(raw)[0], []).append(raw)
        return found

    async def _stock_rows(self, where: Sequence[str]) -> list[bytes]:
        """Rows of stock. They cannot be sorted or walked by a key, so a reading must be whole and free of doubles.

        Raises:
            PlatformUnavailable: none is, and no two in a row have the same rows.
        """
        before: list[tuple[str, int, str]] = []
        for _ in range(MOST_RESTARTS):
            rows, total = await self._stock_reading(where)
            keys = sorted(map(_stock_key, rows))
            if len(keys) == total and (len(set(keys)) == total or keys == before):
                return rows
            before = keys
        raise PlatformUnavailable("Extensiv's stock keeps changing while it is read. The next sync goes on here.")

    async def _stock_reading(self, where: Sequence[str]) -> tuple[list[bytes], int]:
        """Rows of stock page by page, and how many there were at most: where one vanishes, another slips by unread."""
        rows: list[bytes] = []
        number, most = 1, 0
        while True:
            parameters = {"pgsiz": STOCK_PAGE_SIZE, "pgnum": number, **_rql(where)}
            listed = await self._ask("/inventory/stocksummaries", _Summaries, parameters, "InventoryRead")
            rows += map(bytes, listed.summaries)
            most = max(most, listed.total_results)
            if len(rows) >= listed.total_results or not listed.summaries:
                return rows, most
            number += 1

    async def _increment(
        self, source: Source, begun: Progress, overlap: timedelta, where: Sequence[str]
    ) -> AsyncIterator[tuple[list[bytes], Progress, int | None]]:
        """What is new and then what has changed, how far that is, and how many changes are left.

        A cursor of an older release knows no id; what is new then begins above the highest.
        """
        above = await self._highest(source, where) if begun.above is None else begun.above
        walk, last = begun.changes, above
        async for page, last in self._ascending(source, where, above):
            fresh = [raw for raw in page.raws if not self._came(source, walk, raw)]
            walk = self._noted(source, walk, page.raws, overlap)
            if fresh:
                yield fresh, Progress(last, walk), None
        async for raws, changes, left in self._walk(source, walk, overlap, where):
            yield raws, Progress(last, changes), left

    def _came(self, source: Source, walk: Walk, raw: bytes) -> bool:
        return _is_dated(raw) and walk.recent.get(str(_id(raw))) == self._version(raw, source)

    async def _walk(
        self, source: Source, walk: Walk, overlap: timedelta, where: Sequence[str]
    ) -> AsyncIterator[tuple[list[bytes], Walk, int]]:
        """Records that changed since, how far the walk is then, and how many are left."""
        position, recent = self._back(walk.position, overlap), dict(walk.recent)
        while True:
            page = await self._page(source, [*where, f"{CHANGED}=ge={position}"], f"{CHANGED},{source.key}")
            raws, dates = page.raws, self._sorted_dates(page.raws, position, source)
            if not page.is_last and dates[-1] == position:
                raws = await self._tied(source, where, position)
                position = _later(position)
            elif dates:
                position = dates[-1]
            versions = {str(_id(raw)): self._version(raw, source) for raw in raws}
            fresh = [raw for raw in raws if recent.get(str(_id(raw))) != versions[str(_id(raw))]]
            reached = max(position, walk.position)
            oldest = self._back(reached, overlap)
            recent = {id: version for id, version in (recent | versions).items() if version >= oldest}
            walk = Walk(reached, recent)
            yield fresh, walk, max(page.left - (len(page.raws) - len(fresh)), len(fresh))
            if page.is_last:
                return

    def _version(self, raw: bytes, source: Source) -> str:
        """The second of a record's change, and its fingerprint: Extensiv may show no finer date."""
        return f"{self._date(raw, source)} {fingerprint(raw.decode())}"

    async def _tied(self, source: Source, where: Sequence[str], second: str) -> list[bytes]:
        """All records of one second, which are more than a page."""
        within = [*where, f"{CHANGED}=ge={second}", f"{CHANGED}=lt={_later(second)}"]
        return [raw async for page, _ in self._ascending(source, within, 0) for raw in page.raws]

    async def _ascending(self, source: Source, where: Sequence[str], above: int) -> AsyncIterator[tuple[_Page, int]]:
        """Pages in the order of ids, each with its last."""
        while True:
            page = await self._page(source, [*where, f"{source.key}=gt={above}"], source.key)
            ids = [above, *map(_id, page.raws)]
            if ids != sorted(set(ids)):
                raise BadAnswer(f"{source.path} is not sorted and filtered by {source.key} as asked.", repr(ids[:3]))
            above = ids[-1]
            yield page, above
            if page.is_last:
                return

    async def _descending(
        self, source: Source, where: Sequence[str], below: int | None
    ) -> AsyncIterator[tuple[_Page, int | None]]:
        """Pages against the order of ids, each with its last."""
        while True:
            bound = [f"{source.key}=lt={below}"] if below is not None else []
            page = await self._page(source, [*where, *bound], f"-{source.key}")
            ids = [*([] if below is None else [below]), *map(_id, page.raws)]
            if ids != sorted(set(ids), reverse=True):
                raise BadAnswer(f"{source.path} is not sorted and filtered by {source.key} as asked.", repr(ids[:3]))
            below = ids[-1] if ids else None
            yield page, below
            if page.is_last:
                return

    async def _by_ids(self, source: Source, ids: Sequence[int]) -> AsyncIterator[list[bytes]]:
        where = self._of_customer() if source is ORDERS else []
        for some in _cut(ids):
            yield (await self._page(source, [*where, f"{source.key}=in=({_joined(some)})"], source.key)).raws

    async def _newest(self, source: Source, where: Sequence[str]) -> str:
        """The second of the newest change."""
        page = await self._page(source, where, f"-{CHANGED}", size=1)
        return self._date(page.raws[0], source) if page.raws and _is_dated(page.raws[0]) else BEGINNING

    async def _highest(self, source: Source, where: Sequence[str]) -> int:
        """The id of the newest record."""
        page = await self._page(source, where, f"-{source.key}", size=1)
        return max(map(_id, page.raws), default=0)

    async def _page(self, source: Source, where: Sequence[str], sort: str, size: int = PAGE_SIZE) -> _Page:
        """The first page of what RQL finds."""
        parameters = {**source.parameters, "pgsiz": size, "pgnum": 1, "sort": sort, **_rql(where)}
        page = await self._listed(source, parameters)
        if not page.raws and page.left:
            # The records may have changed between being counted and being listed.
            page = await self._listed(source, parameters)
        if not page.raws and page.left:
            raise BadAnswer(f"{source.path} answered without the list of {source.rel} that it counts.")
        return page

    async def _listed(self, source: Source, parameters: Mapping[str, Any]) -> _Page:
        listed = await self._ask(source.path, _Listed, parameters, source.role)
        found = [raw for name, raw in listed.embedded.items() if name.lower() == RELS + source.rel]
        raws = _decoded(found[0], list[msgspec.Raw]) if found else []
        return _Page([bytes(raw) for raw in raws], listed.total_results)

    async def _ask(self, path: str, type: type[T], parameters: Mapping[str, Any], role: str) -> T:
        return self.session.decode(await self._get(path, parameters, role), type)

    async def _get(self, path: str, parameters: Mapping[str, Any], role: str) -> Reply:
        if "authorization" not in self.session.headers:
            await self._login()
        try:
            return await self.session.request("GET", path, params=parameters)
        except PermissionMissing as error:
            raise _role_missing(path, role, error) from error

    async def _login(self) -> None:
        await auth.login(self.session, self.credentials)

    def _customer(self) -> int | None:
        given = self.credentials.get("customer_id")
        if not given:
            return None
        if not (given.isascii() and given.isdecimal()):
            raise CredentialsRejected(f"customer_id: {given!r} is not a number. Take it from Customers in Extensiv.")
        return int(given)

    def _of_customer(self) -> list[str]:
        customer = self._customer()
        return [] if customer is None else [f"{CUSTOMER}=={customer}"]

    def _zone(self) -> tzinfo:
        try:
            return mapping.zone(self.credentials.get("time_zone") or "UTC")
        except ValueError as error:
            raise CredentialsRejected(f"{error}. Give one such as America/Los_Angeles, or leave it out.") from error

    def _currency(self) -> str:
        given = (self.credentials.get("currency") or "USD").upper()
        if not (len(given) == 3 and given.isascii() and given.isalpha()):
            raise CredentialsRejected(f"currency: {given!r} is no code of ISO 4217. Give one such as USD.")
        return given

    def _local(self, moment: datetime) -> str:
        """``moment`` as Extensiv writes its seconds."""
        return _text(moment.astimezone(self._zone()))

    def _created_in(self, pull: Pull) -> list[str]:
        """The window of time; its last second is part of it."""
        since = [f"{CREATED}=ge={self._local(pull.since)}"] if pull.since else []
        return since + ([f"{CREATED}=lt={_later(self._local(pull.until))}"] if pull.until else [])

    def _date(self, raw: bytes, source: Source) -> str:
        """The second of a record's change, as Extensiv writes it."""
        text = _decoded(raw, _Stamp).read_only.last_modified_date
        try:
            return self._local(mapping.moment(text or "", self._zone()))
        except ValueError as error:
            raise BadAnswer(f"{source.path} sent a record without a date of change: {error}") from error

    def _sorted_dates(self, raws: Sequence[bytes], oldest: str, source: Source) -> list[str]:
        dates = [self._date(raw, source) for raw in raws]
        if [oldest, *dates] != sorted([oldest, *dates]):
            raise BadAnswer(f"{source.path} is not sorted and filtered by {CHANGED} as asked.", repr(dates[:3]))
        return dates

    def _back(self, position: str, overlap: timedelta) -> str:
        """Where to begin so that nothing is missed which was written as ``position`` was read.

        A clock that is set back writes earlier dates than were read already, so that it takes a longer look.
        """
        if position == BEGINNING:
            return BEGINNING
        moment = datetime.fromisoformat(position)
        repeats = any(_repeats(moment - hours * HOUR, self._zone()) for hours in range(3))
        return _text(moment - overlap - (REPEATED if repeats else timedelta(0)))

    def _with_order(self, raws: Sequence[bytes]) -> list[bytes]:
        """Orders with the zone and the currency that Extensiv does not tell."""
        zone = self.credentials.get("time_zone") or "UTC"
        shared = msgspec.json.encode(zone), msgspec.json.encode(self._currency())
        return [b'{"id":"%d","time_zone":%s,"currency":%s,"order":%s}' % (_id(raw), *shared, raw) for raw in raws]

    def _with_stock(self, raws: Sequence[bytes], stock: Stock) -> list[bytes]:
        """Items with their rows of stock and the zone of their dates."""
        zone = msgspec.json.encode(self.credentials.get("time_zone") or "UTC")
        return [
            b'{"id":"%d","time_zone":%s,"item":%s,"stock":[%s]}'
            % (_id(raw), zone, raw, b",".join(stock.get(str(_id(raw)), [])))
            for raw in raws
        ]


async def _of_current(write: Callable[[], Awaitable[T]]) -> T:
    """``write`` what is planned by what it reads, anew where that has changed in between.

    Raises:
        RequestRefused: it changes each time.
    """
    for _ in range(MOST_ATTEMPTS):
        try:
            return await write()
        except RequestRefused as error:
            if error.status != errors.CHANGED:
                raise
    raise RequestRefused("The order keeps changing in Extensiv while it is written. Try again later.", status=409)


def _etag(reply: Reply) -> str:
    found: str | None = reply.headers.get("etag")
    if not found:
        raise BadAnswer(f"{reply.url} answered without an ETag, so that nothing can be written.", url=reply.url)
    return found


def _role_missing(path: str, role: str, error: PermissionMissing) -> PermissionMissing:
    message = f"Extensiv refuses {path}: give the credentials the role {role} in Manage Credentials."
    return PermissionMissing(message, error.detail, error.url)


def _items(customer: int) -> Source:
    return Source(
        path=f"/customers/{customer}/items",
        rel="customers/item",
        key="readonly.itemid",
        role="ItemView",
    )


def _with_items(
    cursor: ProductsCursor, customer: int, catalogue: Progress, ids: Iterable[int], stock: Stock
) -> ProductsCursor:
    """The cursor behind the items of ``ids``, which came with their ``stock``."""
    known = cursor.stock.get(str(customer), {}) | {str(id): _level(stock, str(id)) for id in ids}
    catalogues = {**cursor.catalogues, str(customer): catalogue}
    return ProductsCursor(catalogues, {**cursor.stock, str(customer): known})


def _level(stock: Stock, id: str) -> str:
    """A short stable name for what there is of an item; empty for nothing."""
    rows = stock.get(id)
    return fingerprint(b",".join(rows).decode())[:12] if rows else ""


def _stock_key(raw: bytes) -> tuple[str, int, str]:
    row = _decoded(raw, StockRow)
    return str(row.item_identifier.id), row.facility_id, row.qualifier or ""


def _id(raw: bytes) -> int:
    id = _decoded(raw, _Stamp).id()
    if id is None:
        raise BadAnswer("Extensiv sent a record without an id.", repr(raw[:300]))
    return id


def _is_id(text: str) -> bool:
    """Whether Extensiv can have it: a filter with a number that is no ``int`` of .NET is refused as a whole."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(GREATEST_ID)) and int(text) <= GREATEST_ID


def _is_dated(raw: bytes) -> bool:
    """What was never changed may have no date."""
    return bool(_decoded(raw, _Stamp).read_only.last_modified_date)


def _decoded(raw: bytes | msgspec.Raw, type: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        shown = repr(bytes(raw)[:300])
        raise BadAnswer(f"Extensiv sent a record of another shape than it documents: {error}", shown) from error


def _rql(where: Sequence[str]) -> dict[str, str]:
    return {"rql": ";".join(where)} if where else {}


def _joined(ids: Sequence[int]) -> str:
    return ",".join(map(str, ids))


def _cut(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + PAGE_SIZE] for start in range(0, len(ids), PAGE_SIZE)]


def _repeats(moment: datetime, zone: tzinfo) -> bool:
    """Whether the clock shows this time twice."""
    first, second = (moment.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return first is not None and second is not None and first > second


def _later(second: str) -> str:
    return _text(datetime.fromisoformat(second) + SECOND)


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None, microsecond=0).isoformat()
