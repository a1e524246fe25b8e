"""The Selling Partner API: pages of orders and listings that are new or changed.

A search is walked by keyset: the next page begins at the date of the last record, which comes again. In which order Amazon
sends orders is not documented, so it is read from each page: upwards, the lower bound moves; downwards, the upper one. Where a
page tells no order (all of one date), the search goes on with Amazon's token, and begins anew if that has expired. A record
that changes leaves the walk for its end, or for the next increment, and none is skipped.

The first run of orders walks back through slices of time by the date of change, each twice as long as the one after it: that
finds what was created or changed since, the newest first. Increments begin at the date up to which Amazon said it had looked.

Operations have usage plans, a bucket each: a 429 says that it is empty, a header how fast it fills.

Writes answer before Amazon shows what they have done: the record is looked at again for some seconds.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from unicart.connectors.amazon import auth, mapping, writes
from unicart.connectors.amazon.errors import (
    BAD_REQUEST,
    NOT_FOUND,
    OUTCOMES,
    TOO_MANY,
    invalid_submission,
    is_about_token,
    role_missing,
    token_refused,
)
from unicart.connectors.amazon.facts import FACTS
from unicart.connectors.amazon.payloads import Issue, ListingStamp, Moment, OrderStamp
from unicart.connectors.kit import (
    Account,
    BadAnswer,
    Connector,
    ConnectorError,
    OutcomeUnknown,
    PermissionMissing,
    Pull,
    RateLimitedByPlatform,
    RawPage,
    RequestRefused,
    Session,
    format_utc,
    read_cursor,
    write_cursor,
)
from unicart.connectors.kit.http import Reply
from unicart.connectors.kit.throttle import LONGEST_WAIT
from unicart.contract.resources import Function, Record
from unicart.contract.writes import AdjustmentType, InventoryAdjustment, NewShipment

T = TypeVar("T")
log = logging.getLogger(__name__)

ORDERS = "/orders/2026-01-01/orders"
ORDERS_TO_CONFIRM = "/orders/v0/orders"
LISTINGS = "/listings/2021-08-01/items"
PARTICIPATIONS = "/sellers/v1/marketplaceParticipations"

SEARCH_ORDERS, GET_ORDER = "searchOrders", "getOrder"
SEARCH_LISTINGS, GET_LISTING = "searchListingsItems", "getListingsItem"
GET_PARTICIPATIONS = "getMarketplaceParticipations"
CONFIRM_SHIPMENT, PATCH_LISTING = "confirmShipment", "patchListingsItem"
RATES = {
    SEARCH_ORDERS: Decimal("0.0056"),
    GET_ORDER: Decimal("0.5"),
    SEARCH_LISTINGS: Decimal(5),
    GET_LISTING: Decimal(5),
    GET_PARTICIPATIONS: Decimal("0.016"),
    CONFIRM_SHIPMENT: Decimal(2),
    PATCH_LISTING: Decimal(5),
}
"""Requests a second by which each operation's bucket is refilled, if Amazon's answers tell no other rate."""
ROLES = {
    SEARCH_ORDERS: "Inventory and Order Tracking",
    GET_ORDER: "Inventory and Order Tracking",
    SEARCH_LISTINGS: "Product Listing",
    GET_LISTING: "Product Listing",
    GET_PARTICIPATIONS: "Selling Partner Insights",
    CONFIRM_SHIPMENT: "Inventory and Order Tracking",
    PATCH_LISTING: "Product Listing",
}
INVALID = "INVALID"
"""The status of a submission that Amazon has understood, and not accepted."""
RATE_HEADER = "x-amzn-ratelimit-limit"
SLOWEST, FASTEST = Decimal("0.0001"), Decimal(1_000_000)

ORDERS_PAGE = 100
LISTINGS_PAGE = 20
OPEN_DATA = ("PROCEEDS", "EXPENSE", "PROMOTION", "CANCELLATION", "FULFILLMENT", "PACKAGES", "FULFILLMENT_ORDERS")
RESTRICTED_DATA = ("BUYER", "RECIPIENT", "TAX", "PAYMENT")
LISTING_DATA = "summaries,attributes,offers,fulfillmentAvailability,relationships"

BEGINNING = datetime(2016, 1, 1, tzinfo=UTC)
"""Amazon shows orders of the last two years, in Japan, Australia and Singapore since 2016."""
SHOWN_FOR = timedelta(days=720)
"""Somewhat less than two years: Amazon does not say to the day when it hides an order."""
SHOWN_SINCE_2016 = frozenset({"A1VC38T7YXB528", "A39IBJ37TRP1C6", "A19VAU5U5O7RUS"})
WITHHELD = (
    "Orders come without addresses and buyers, because the application lacks a restricted role: Direct-to-Consumer Delivery "
    "for addresses and e-mails, Tax Invoicing or Tax Remittance for names of buyers. Request it in the Solution Provider "
    "Portal, add it to the application, then have the seller authorize the application again."
)
FIRST_SLICE = timedelta(days=1)
SETTLED = timedelta(minutes=5)
"""Amazon refuses an upper bound less than two minutes ago; our clocks may differ by the rest."""
TELLING = 10
"""How many different dates in one direction are no coincidence."""
HEARTBEAT = timedelta(seconds=45)
"""After so much of a wait an empty page tells that the run is alive."""
MOST_WAITS = 5
SPARING = 5, 4
"""An increment waits for so many refills, as a fraction; the rest of them is for runs over everything."""
REFUSED_FOR = timedelta(days=1)
"""After so long a role that was missing is tried again: each try costs a request."""
SHOWN_AFTER = (1, 4)
"""Seconds to wait before each look whether Amazon shows what was written; few, for the bucket of `getOrder` is small."""
SETTLED_WRITES = timedelta(minutes=15)
"""After so long what Amazon shows counts, whatever was written before."""


class Walk(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is left of a search: the records dated from ``after`` to ``before``, both included; behind ``token`` if set."""

    after: Moment
    before: Moment | None = None
    token: str | None = None


class Slice(msgspec.Struct, frozen=True):
    """The slice of time that a first run of orders is in, and where it ends: ``since``."""

    lower: Moment
    days: int
    since: Moment


class OrdersCursor(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where the runs of orders stand.

    ``walk`` is null between runs, ``slice`` once the first run is through. The next increment begins at ``reached``; ``bound``
    is what that becomes at the end of this walk. ``asked`` is when the last request was sent, ``rate`` how many a second
    Amazon allows. ``refused`` is when Amazon last refused the data sets of buyers; ``withheld`` tells that it sent them, but
    without addresses.
    """

    reached: Moment
    walk: Walk | None = None
    slice: Slice | None = None
    bound: Moment | None = None
    asked: Moment | None = None
    rate: Decimal = RATES[SEARCH_ORDERS]
    refused: Moment | None = None
    withheld: bool = False


class ListingsCursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the runs of listings stand: the latest date that was seen, and what is left of the walk under way."""

    reached: Moment
    walk: Walk | None = None


class WindowCursor(msgspec.Struct, frozen=True):
    """What is left of a run that has an end."""

    walk: Walk | None


class _Pagination(msgspec.Struct, rename="camel"):
    next_token: str | None = None


class _Orders(msgspec.Struct, rename="camel"):
    orders: list[msgspec.Raw]
    pagination: _Pagination | None = None
    last_updated_before: Moment | None = None


class _Order(msgspec.Struct):
    order: msgspec.Raw


class _Listings(msgspec.Struct, rename="camel"):
    items: list[msgspec.Raw]
    number_of_results: int
    pagination: _Pagination | None = None


class _Marketplace(msgspec.Struct):
    id: str


class _Participation(msgspec.Struct, rename="camel"):
    is_participating: bool


class _Participations(msgspec.Struct, rename="camel"):
    marketplace: _Marketplace
    participation: _Participation
    store_name: str = ""


class _Seller(msgspec.Struct):
    payload: list[_Participations] = []


class _Submission(msgspec.Struct):
    status: str
    issues: list[Issue] = []


class _StockNote(msgspec.Struct, frozen=True):
    """The level that a write sets, which Amazon does not show at once."""

    reference: str
    after: int
    written: Moment


class _ShipmentNote(msgspec.Struct, frozen=True):
    """The units of each package that was confirmed, and what is left of the order, which Amazon does not show at once."""

    packages: dict[str, dict[str, int]]
    left: dict[str, int]
    written: Moment


NoteT = TypeVar("NoteT", _StockNote, _ShipmentNote)


class _Page(msgspec.Struct):
    """``next`` is what is left of the walk; ``bound`` the date up to which its search looks."""

    records: list[bytes]
    dates: list[datetime]
    next: Walk | None
    bound: datetime | None = None
    total: int | None = None


class AmazonConnector(Connector):
    """A seller's account in one region."""

    facts = FACTS

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        super().__init__(credentials, session)
        session.outcomes.update(OUTCOMES)
        session.refresh = self._login
        self._rates = dict(RATES)
        self._renewal: int | None = None
        self._refused: datetime | None = None
        self._found: tuple[str, ...] = ()
        self._sleep: Callable[..., Awaitable[None]] = asyncio.sleep

    @classmethod
    def base_url(cls, credentials: Mapping[str, str]) -> str:
        return auth.endpoint(credentials)

    async def check(self) -> Account:
        auth.check_region(self.credentials)
        seller_id = self.credentials["seller_id"]
        try:
            taken = (await self._seller()).payload
        except PermissionMissing:
            # The credentials are good, and that role is only needed to find the marketplaces.
            if not self.credentials.get("marketplace_ids"):
                raise
            taken = []
        name = next((each.store_name for each in taken if each.store_name), seller_id)
        return Account(account_id=seller_id, account_name=name)

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        if function is Function.GET_ORDERS:
            pages = self._orders(pull) if pull.until is None else self._orders_window(pull, pull.until)
        else:
            pages = self._listings(pull) if pull.until is None else self._listings_window(pull, pull.until)
        async for page in pages:
            yield page

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        get = self._order if function is Function.GET_ORDERS else self._listing
        found = [await get(id) for id in dict.fromkeys(ids) if id]
        return [raw for raw in found if raw is not None]

    async def oldest_visible(self, function: Function) -> datetime | None:
        if function is not Function.GET_ORDERS:
            return None
        if SHOWN_SINCE_2016.issuperset(await self._marketplaces()):
            return BEGINNING
        return datetime.now(UTC) - SHOWN_FOR

    async def create_shipment(self, order: bytes, shipment: NewShipment, reference: str) -> None:
        if self.bears(order, reference):
            return
        open, number, now = writes.shippable(order), writes.package_number(reference), datetime.now(UTC)
        key = f"shipped:{open.order_id}"
        noted = await self._noted(key, _ShipmentNote) or _ShipmentNote({}, {}, now)
        left = {line: min(count, noted.left.get(line, count)) for line, count in open.left.items()}
        units = noted.packages.get(number)
        if units is None:
            units = writes.units(shipment, left)
            left = {line: count - units.get(line, 0) for line, count in left.items()}
        body = writes.confirmation(open.marketplace, shipment, units, number, now)
        path = f"{ORDERS_TO_CONFIRM}/{quote(open.order_id, safe='')}/shipmentConfirmation"
        async with self._noting(key, _ShipmentNote({**noted.packages, number: units}, left, now)):
            await self._send("POST", path, CONFIRM_SHIPMENT, {}, body)
        await self._await_shown(
            lambda: self._order(open.order_id),
            lambda raw: writes.shows_package(raw, reference, shipment.tracking_number),
        )

    async def adjust_inventory(self, product: bytes, adjustment: InventoryAdjustment, reference: str) -> None:
        level = writes.level(product, adjustment)
        key = f"stock:{level.channel}:{level.sku}"
        noted = await self._noted(key, _StockNote)
        if noted is not None and noted.reference == reference:
            level = msgspec.structs.replace(level, after=noted.after)
        elif noted is not None and adjustment.adjustment_type is not AdjustmentType.EXACT:
            writes.check_shown(level, noted.after)
        async with self._noting(key, _StockNote(reference, level.after, datetime.now(UTC))):
            await self._set_level(level)
        await self._await_shown(lambda: self._listing(level.sku), lambda raw: writes.shows_level(raw, level))

    @classmethod
    def bears(cls, raw: bytes, reference: str) -> bool | None:
        """Only what is there tells: Amazon does not say that it keeps the seller's numbers of packages."""
        return writes.shows_package(raw, reference) or None

    async def ready(self) -> None:
        """Amazon answers 403 to a request without a token, and to one that has expired."""
        auth.check_region(self.credentials)
        await self._authorize()

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        return [mapping.order(raw)] if function is Function.GET_ORDERS else mapping.products(raw)

    async def _orders(self, pull: Pull) -> AsyncIterator[RawPage]:
        cursor = read_cursor(pull.cursor, OrdersCursor) if pull.cursor else _beginning(pull)
        self._refused = cursor.refused
        if pull.cursor and (cursor.walk is None or not pull.interrupted):
            if _too_soon(cursor):
                yield RawPage(records=[], cursor=write_cursor(cursor), notice=_notice(cursor))
                return
            cursor = msgspec.structs.replace(cursor, walk=Walk(cursor.reached - pull.overlap), bound=None)
        while cursor.walk is not None:
            async for page in self._patiently(cursor.walk, "lastUpdated", bulk=cursor.slice is not None):
                if page is not None:
                    cursor = _behind(cursor, page, self._rates[SEARCH_ORDERS], self._refused)
                records = page.records if page else []
                yield RawPage(records=records, cursor=write_cursor(cursor), notice=_notice(cursor))

    async def _orders_window(self, pull: Pull, until: datetime) -> AsyncIterator[RawPage]:
        """What was created in a window of time; its last second belongs to it as a whole."""
        last = until.replace(microsecond=999_000)
        # Amazon refuses an upper bound as late as this.
        before = last if last < datetime.now(UTC) - SETTLED else None
        walk = _read_window(pull) if pull.cursor else Walk(pull.since or BEGINNING, before)
        while walk is not None:
            async for page in self._patiently(walk, "created", bulk=True):
                walk = page.next if page else walk
                dated = zip(page.records, page.dates, strict=True) if page else ()
                records = [raw for raw, date in dated if date <= last]
                yield RawPage(records=records, cursor=write_cursor(WindowCursor(walk)))

    async def _patiently(self, walk: Walk, date: str, *, bulk: bool) -> AsyncIterator[_Page | None]:
        """A page of orders; nulls while we wait for the bucket to be refilled, so that the run is known to be alive.

        Runs in ``bulk`` wait for two requests: alone they lose nothing by it, and an increment beside them finds one.
        """
        for waited in range(MOST_WAITS + 1):
            try:
                page = await self._search_orders(walk, date)
            except RateLimitedByPlatform as error:
                if waited == MOST_WAITS:
                    raise
                left = timedelta(seconds=error.retry_after or LONGEST_WAIT) * (2 if bulk else 1)
            else:
                yield page
                return
            while left > timedelta(0):
                await self._sleep(min(left, HEARTBEAT).total_seconds())
                left -= HEARTBEAT
                yield None

    async def _search_orders(self, walk: Walk, date: str) -> _Page:
        where = {f"{date}After": _text(walk.after), "marketplaceIds": ",".join(await self._marketplaces())}
        if walk.before is not None:
            where[f"{date}Before"] = _text(walk.before)
        reply = await self._including(ORDERS, SEARCH_ORDERS, {**where, "maxResultsPerPage": ORDERS_PAGE}, walk.token)
        answer = self.session.decode(reply, _Orders)
        stamps = [_stamp(raw, OrderStamp) for raw in answer.orders]
        # One that cannot be read is for quarantine, and leaves the page's order untold.
        created = [each.created_time if each else walk.after for each in stamps]
        updated = [each.last_updated_time if each else walk.after for each in stamps]
        dates = created if date == "created" else updated
        # A page that is in order of creation as well does not tell by which date Amazon sorts.
        tells = dates == created or not (_rises(created) or _rises(created[::-1]))
        left = _left(walk, dates if tells else [], answer.pagination, TELLING)
        # A token goes on with the search as it was when it began, whatever dates come with it.
        bound = answer.last_updated_before or max(dates, default=None) if walk.token is None else None
        return _Page([bytes(raw) for raw in answer.orders], dates, left, bound)

    async def _order(self, id: str) -> bytes | None:
        try:
            reply = await self._including(f"{ORDERS}/{quote(id, safe='')}", GET_ORDER, {})
        except RequestRefused as error:
            if error.status != NOT_FOUND:
                raise
            return None
        return bytes(self.session.decode(reply, _Order).order)

    async def _including(self, path: str, operation: str, where: Mapping[str, Any], token: str | None = None) -> Reply:
        """Orders with all data sets; without those of buyers for a day, if the application may not see them."""
        name, refused = "paginationToken", datetime.now(UTC)
        if self._refused is not None and refused - self._refused < REFUSED_FOR:
            refused = self._refused
        else:
            try:
                reply = await self._searched(path, operation, _with(where, OPEN_DATA + RESTRICTED_DATA), name, token)
            except PermissionMissing:
                # The token is of a search with other data sets.
                token = None
            else:
                self._refused = None
                return reply
        reply = await self._searched(path, operation, _with(where, OPEN_DATA), name, token)
        self._refused = refused
        return reply

    async def _listings(self, pull: Pull) -> AsyncIterator[RawPage]:
        cursor = read_cursor(pull.cursor, ListingsCursor) if pull.cursor else _first_listings(pull)
        if pull.cursor and not pull.interrupted:
            cursor = ListingsCursor(cursor.reached, Walk(cursor.reached - pull.overlap))
        pulled = 0
        while cursor.walk is not None:
            page = await self._search_listings(cursor.walk, "lastUpdated")
            cursor = ListingsCursor(max([cursor.reached, *page.dates]), page.next)
            total = None if page.total is None else pulled + page.total
            yield RawPage(records=page.records, cursor=write_cursor(cursor), total=total)
            pulled += len(page.records)

    async def _listings_window(self, pull: Pull, until: datetime) -> AsyncIterator[RawPage]:
        begun = Walk(pull.since or BEGINNING, until.replace(microsecond=999_000))
        walk = _read_window(pull) if pull.cursor else begun
        while walk is not None:
            page = await self._search_listings(walk, "created")
            walk = page.next
            yield RawPage(records=page.records, cursor=write_cursor(WindowCursor(walk)))

    async def _search_listings(self, walk: Walk, date: str) -> _Page:
        where = {**await self._of_listings(), f"{date}After": _text(walk.after)}
        if walk.before is not None:
            where[f"{date}Before"] = _text(walk.before)
        where |= {"sortBy": f"{date}Date", "sortOrder": "ASC", "pageSize": str(LISTINGS_PAGE)}
        reply = await self._searched(self._listings_path(), SEARCH_LISTINGS, where, "pageToken", walk.token)
        answer = self.session.decode(reply, _Listings)
        stamps = [_stamp(raw, ListingStamp) for raw in answer.items]
        summaries = [each.summaries[0] for each in stamps if each and each.summaries]
        dates = [each.created_date if date == "created" else each.last_updated_date for each in summaries]
        left = _left(walk, dates, answer.pagination, telling=2)
        total = None if walk.token else answer.number_of_results
        return _Page([bytes(raw) for raw in answer.items], dates, left, total=total)

    async def _listing(self, sku: str) -> bytes | None:
        path = f"{self._listings_path()}/{quote(sku, safe='')}"
        try:
            raw = (await self._send("GET", path, GET_LISTING, await self._of_listings())).body
        except RequestRefused as error:
            if error.status != NOT_FOUND:
                raise
            return None
        # A listing of other marketplaces only is there, without summaries; a search does not find it.
        stamp = _stamp(msgspec.Raw(raw), ListingStamp)
        return raw if stamp is None or stamp.summaries else None

    async def _set_level(self, level: writes.Level) -> None:
        path = f"{self._listings_path()}/{quote(level.sku, safe='')}"
        where = {"marketplaceIds": level.marketplace, "issueLocale": "en_US"}
        reply = await self._send("PATCH", path, PATCH_LISTING, where, writes.stock_patch(level))
        submission = self.session.decode(reply, _Submission)
        if submission.status == INVALID:
            raise invalid_submission(submission.issues, reply.url)

    async def _noted(self, key: str, type: type[NoteT]) -> NoteT | None:
        """What was written last, as long as Amazon may not show it."""
        found = await self.state.read([key]) if self.state is not None else {}
        note = msgspec.json.decode(found[key], type=type) if found.get(key) else None
        return note if note is not None and datetime.now(UTC) - note.written < SETTLED_WRITES else None

    @asynccontextmanager
    async def _noting(self, key: str, note: msgspec.Struct) -> AsyncIterator[None]:
        """Note what is about to be written; as it was before, if Amazon refuses it."""
        if self.state is None:
            yield
            return
        before = (await self.state.read([key])).get(key, b"")
        await self.state.write({key: msgspec.json.encode(note)})
        try:
            yield
        except (OutcomeUnknown, BadAnswer):
            raise
        except ConnectorError:
            await self.state.write({key: before})
            raise

    async def _await_shown(self, read: Callable[[], Awaitable[bytes | None]], shows: Callable[[bytes], bool]) -> None:
        """Give Amazon some seconds to show what it has taken. It is done either way, so that nothing fails here."""
        for wait in SHOWN_AFTER:
            await self._sleep(wait)
            try:
                raw = await read()
            except ConnectorError as error:
                log.warning("What was written cannot be looked at yet: %s", error)
                return
            if raw is None or shows(raw):
                return

    async def _of_listings(self) -> dict[str, str]:
        """Listings are those of the first marketplace: a SKU has one record, whose price is in one currency."""
        return {"marketplaceIds": (await self._marketplaces())[0], "includedData": LISTING_DATA}

    def _listings_path(self) -> str:
        return f"{LISTINGS}/{quote(self.credentials['seller_id'], safe='')}"

    async def _marketplaces(self) -> tuple[str, ...]:
        """The marketplaces that the credentials name, else all that the seller takes part in."""
        if not self._found:
            self._found = tuple(filter(None, self.credentials.get("marketplace_ids", "").replace(",", " ").split()))
        if not self._found:
            taken = (await self._seller()).payload
            found = [each.marketplace.id for each in taken if each.participation.is_participating]
            # Shops outside Amazon take part too, and have no listings.
            self._found = tuple(sorted(found, key=lambda id: id not in mapping.CURRENCIES))
        if not self._found:
            raise BadAnswer("The seller takes part in no marketplace of this region. Check the connection's region.")
        return self._found

    async def _seller(self) -> _Seller:
        return self.session.decode(await self._send("GET", PARTICIPATIONS, GET_PARTICIPATIONS, {}), _Seller)

    async def _searched(
        self, path: str, operation: str, where: Mapping[str, Any], token_name: str, token: str | None
    ) -> Reply:
        """The page behind ``token``; the first page of the same search, if the token has expired (after a day)."""
        if token is not None:
            try:
                return await self._send("GET", path, operation, {**where, token_name: token})
            except RequestRefused as error:
                if error.status != BAD_REQUEST:
                    raise
        return await self._send("GET", path, operation, where)

    async def _send(
        self,
        method: str,
        path: str,
        operation: str,
        parameters: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Send a request of ``operation``, with a token that holds, and as fast as its usage plan allows.

        One with a ``body`` writes, and is sent once.

        Raises:
            RateLimitedByPlatform: the bucket is empty, and is refilled more slowly than a request waits.
        """
        await self._authorize()
        renewed, held = False, 0
        while True:
            try:
                reply = await self.session.request(method, path, params=parameters, json=body, once=body is not None)
            except PermissionMissing as error:
                if not is_about_token(error):
                    raise role_missing(error, ROLES[operation]) from error
                if renewed:
                    raise token_refused(error) from error
                await self._login()
                renewed = True
            except RequestRefused as error:
                if error.status != TOO_MANY:
                    raise
                held += 1
                self._hold(operation, held, error)
            else:
                self._rates[operation] = _rate(reply) or self._rates[operation]
                return reply

    def _hold(self, operation: str, times: int, error: RequestRefused) -> None:
        """Send nothing until the bucket has a request in it again."""
        wait = _interval(self._rates[operation]).total_seconds()
        if wait > LONGEST_WAIT or times > MOST_WAITS:
            message = (
                f"{error.url} limits our requests: one in {wait:.3g} s. A sync goes on by itself; repeat a write later."
            )
            raise RateLimitedByPlatform(message, error.detail, error.url, wait) from error
        self.session.throttle.pause(wait)

    async def _authorize(self) -> None:
        if self._renewal is None or time.monotonic() >= self._renewal:
            await self._login()

    async def _login(self) -> None:
        self._renewal = await auth.login(self.session, self.credentials)


def _beginning(pull: Pull) -> OrdersCursor:
    """A first run: it begins with the last day, without an upper bound, which Amazon then tells."""
    since = pull.since or BEGINNING
    lower = max(since, datetime.now(UTC) - FIRST_SLICE)
    return OrdersCursor(reached=lower, walk=Walk(lower), slice=Slice(lower, FIRST_SLICE.days, since))


def _behind(cursor: OrdersCursor, page: _Page, rate: Decimal, refused: datetime | None) -> OrdersCursor:
    """The cursor behind a page: in the same walk, in the next slice of a first run, or at the end of the run."""
    bound = max(cursor.bound or cursor.reached, page.bound or cursor.reached)
    withheld = refused is None and _withheld(page.records, cursor.withheld)
    replace = msgspec.structs.replace
    cursor = replace(
        cursor, walk=page.next, bound=bound, asked=datetime.now(UTC), rate=rate, refused=refused, withheld=withheld
    )
    if page.next is not None:
        return cursor
    slice = cursor.slice
    if slice is not None and slice.lower > slice.since:
        days = slice.days * 2
        lower = max(slice.since, slice.lower - timedelta(days=days))
        return replace(cursor, walk=Walk(lower, slice.lower), slice=Slice(lower, days, slice.since))
    return replace(cursor, reached=bound, bound=None, slice=None)


def _withheld(records: Sequence[bytes], before: bool) -> bool:
    """Whether Amazon sends orders without their addresses; as ``before`` where ``records`` do not tell."""
    told = {mapping.has_address(raw) for raw in records}
    return before if told <= {None} else True not in told


def _notice(cursor: OrdersCursor) -> str | None:
    return WITHHELD if cursor.withheld or cursor.refused else None


def _too_soon(cursor: OrdersCursor) -> bool:
    """Whether an increment would leave too little of the bucket to pages, first runs and reconciliation."""
    if cursor.asked is None:
        return False
    return timedelta(0) <= datetime.now(UTC) - cursor.asked < _interval(cursor.rate) * SPARING[0] / SPARING[1]


def _left(walk: Walk, dates: Sequence[datetime], pagination: _Pagination | None, telling: int) -> Walk | None:
    """What is left of ``walk`` behind a page with these ``dates``.

    ``telling`` is how many different dates it takes to believe the page's order.
    """
    token = pagination.next_token if pagination else None
    if not token:
        return None
    if len(set(dates)) >= telling:
        if _rises(dates):
            return Walk(dates[-1], walk.before)
        if _rises(dates[::-1]):
            return Walk(walk.after, dates[-1])
    return Walk(walk.after, walk.before, token)


def _rises(dates: Sequence[datetime]) -> bool:
    return all(earlier <= later for earlier, later in pairwise(dates))


def _with(where: Mapping[str, Any], data: Sequence[str]) -> dict[str, Any]:
    return {**where, "includedData": ",".join(data)}


def _first_listings(pull: Pull) -> ListingsCursor:
    since = pull.since or BEGINNING
    return ListingsCursor(since, Walk(since))


def _read_window(pull: Pull) -> Walk | None:
    return read_cursor(pull.cursor or "", WindowCursor).walk


def _stamp(raw: msgspec.Raw, type: type[T]) -> T | None:
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _rate(reply: Reply) -> Decimal | None:
    try:
        rate = Decimal(reply.headers.get(RATE_HEADER, ""))
    except InvalidOperation:
        return None
    return min(max(rate, SLOWEST), FASTEST) if rate.is_finite() and rate > 0 else None


def _interval(rate: Decimal) -> timedelta:
    """How long it takes until a bucket has one request more."""
    return timedelta(microseconds=int(1_000_000 / rate))


def _text(moment: datetime) -> str:
    return format_utc(moment, "auto")
