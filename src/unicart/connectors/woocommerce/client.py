"""WooCommerce's REST API: pages of orders and products that are new or changed.

Lists are walked by keyset on ``date_modified_gmt``, which has whole seconds: a page begins at the second of the last record of the
page before, and records that came already, as they were then, are dropped. A second with more records than a page, which come
in no order, is read whole, in the order of ids. Records in the trash have a list of their own, walked alike.

WooCommerce keeps orders by UTC, but products, and orders of shops that never migrated, by the shop's own time. Where clocks go
back, such a list does not rise by UTC, or not behind the page: what a page with both times spans is then read whole as well.

The first run of orders is a walk on ``date_created_gmt`` from the newest down. The walk on changes begins at the newest change
that there was before it, and so finds what changed meanwhile.
"""

import contextlib
import hashlib
import html
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import count, pairwise
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec

from unicart.connectors.kit import (
    Account,
    BadAnswer,
    Connector,
    ConnectorError,
    CredentialsRejected,
    Hint,
    Hook,
    OutcomeUnknown,
    PermissionMissing,
    PlatformUnavailable,
    Pull,
    RawPage,
    RequestRefused,
    Session,
    read_cursor,
    write_cursor,
)
from unicart.connectors.kit.http import Reply
from unicart.connectors.woocommerce import auth, errors, mapping, payloads, webhooks, writes
from unicart.connectors.woocommerce.facts import FACTS
from unicart.connectors.woocommerce.payloads import Stamp
from unicart.contract.resources import Function, Record
from unicart.contract.writes import InventoryAdjustment, NewRefund, NewShipment, WriteFunction

log = logging.getLogger(__name__)

PAGE_SIZE = 100
BEGINNING = "1970-01-02T00:00:00"
SECOND = timedelta(seconds=1)
MOST_RESTARTS = 10
GONE = 404
NO_API = (GONE, 301, 302, 307, 308)
"""Answers of a WordPress or a server that has no REST API at the address, unless they carry a code of it."""
NAMESPACE = "/wc/v3"
PLAIN = "/index.php/wp-json/wc/"
"""Where shops with plain permalinks are asked by ``rest_route``. WordPress reads ``index.php`` of it; WooCommerce before 11.1
takes a key only if it sees the rest in the URL."""
ORDERS = "/orders"
PRODUCTS = "/products"
PATHS = {Function.GET_ORDERS: ORDERS, Function.GET_PRODUCTS: PRODUCTS}
LISTED: Mapping[str, str] = MappingProxyType({"status": "any"})
TRASHED: Mapping[str, str] = MappingProxyType({"status": "trash"})
VOLATILE = ("related_ids", "price_html", "_links")

T = TypeVar("T")
Date: TypeAlias = Literal["date", "modified"]


class Walk(msgspec.Struct, frozen=True):
    """How far a list is walked: the date of the last record, and those shortly before it, by id: date and digest."""

    position: str = BEGINNING
    recent: dict[str, str] = {}


class Backfill(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the first run of orders is.

    First come the orders created from ``since`` on, the newest first: down to ``position``, of which ``seen`` are the ids
    that came already. Then those created before but ``changed`` from then on.
    """

    since: str | None = None
    position: str | None = None
    seen: list[str] = []
    changed: Walk | None = None


class Cursor(msgspec.Struct, frozen=True):
    """How far a function's records and those in the trash are walked, once there is no ``backfill`` left."""

    listed: Walk = Walk()
    trashed: Walk = Walk()
    backfill: Backfill | None = None


class WindowCursor(msgspec.Struct, frozen=True):
    """How far the records of a window of time are walked, by the date on which they were created."""

    walk: Walk


class _Id(msgspec.Struct):
    id: int


class _Refunded(msgspec.Struct):
    id: int
    refunds: list[_Id] = []
    meta_data: list[payloads.Meta] = []


class _Refund(msgspec.Struct):
    id: int
    parent_id: int = 0


class _Status(msgspec.Struct):
    slug: str


class _Stocked(msgspec.Struct):
    stock_quantity: Any = None


class _Varied(msgspec.Struct):
    id: int
    variations: list[int] = []
    type: str | None = None
    parent_id: int = 0


class _Setting(msgspec.Struct):
    id: str
    value: Any = None


class _Webhook(msgspec.Struct):
    id: int
    delivery_url: str = ""


class _Site(msgspec.Struct):
    name: str = ""


class WooCommerceConnector(Connector):
    """A WooCommerce shop."""

    facts = FACTS

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        super().__init__(credentials, session)
        session.outcomes.update(errors.OUTCOMES)
        self._pretty: bool | None = None
        self._lists_refunds = True
        self._fulfills: bool | None = None
        self._statuses: list[str] | None = None
        self._now: datetime | None = None
        self._units: tuple[str | None, str | None] | None = None
        if session.base_url.startswith("https://"):
            session.headers.update(auth.basic(credentials))
        else:
            session.sign = self._signed

    async def check(self) -> Account:
        await self._list(ORDERS, {"per_page": 1})
        parts = urlsplit(self.session.base_url)
        address = f"{parts.netloc.rpartition('@')[2]}{parts.path}"
        return Account(account_id=address, account_name=await self._name() or address)

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        pages = self._increment(function, pull) if pull.until is None else self._window(function, pull, pull.until)
        async for page in pages:
            yield page

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        wanted = [int(id) for id in dict.fromkeys(ids) if len(id) < 19 and id.isascii() and id.isdigit()]
        if function is Function.GET_PRODUCTS:
            raws = await self._by_ids(PRODUCTS, wanted)
            missing = set(wanted) - {_read(raw, Stamp).id for raw in raws}
            parents = [await self._parent(id) for id in sorted(missing)]
            known = {_read(raw, Stamp).id for raw in raws}
            raws += await self._by_ids(PRODUCTS, sorted(set(filter(None, parents)) - known))
        else:
            raws = await self._by_ids(ORDERS, wanted)
        return await self._completed(function, raws)

    async def create_shipment(self, order: bytes, shipment: NewShipment, reference: str) -> None:
        if writes.bears(order, reference):
            return
        source, record = writes.order(order), mapping.order(order)
        begun = writes.fulfillment_of(source, reference)
        parcel = (
            writes.to_ship(source, record, shipment) if begun is None else writes.begun_parcel(source, record, begun)
        )
        asked = shipment.specific.get("status") is not None
        known = await self._known_statuses() if asked or not parcel.is_last else []
        status = writes.status_after(source.order, parcel, shipment, known)
        if begun is not None or await self._has_fulfillments(source.id):
            await self._fulfill(source, parcel, shipment, status, reference)
            return
        now = self._now or datetime.now(UTC)
        body = writes.noted(source.order, parcel, shipment, status, reference, now)
        await self._write("PUT", f"{ORDERS}/{source.id}", body)
        if shipment.notify_customer:
            await self._notify(source.id, shipment)

    async def refund_order(self, order: bytes, refund: NewRefund, reference: str) -> None:
        source = writes.order(order)
        body = writes.refund(source, refund, reference)
        try:
            await self._write("POST", f"{ORDERS}/{source.id}/refunds", body)
        except RequestRefused as error:
            if not body["api_refund"] or errors.code(error) != errors.REFUND_REFUSED:
                raise
            hint = "Where the payment's provider cannot pay back by itself, do it there, and send api_refund: false to note it."
            raise RequestRefused(f"{error.message} {hint}", error.detail, error.url, error.status) from error

    async def adjust_inventory(self, product: bytes, adjustment: InventoryAdjustment, reference: str) -> None:
        request = writes.stock(product, adjustment, reference)
        reply = await self._write("PUT", request.path, request.body)
        if self.session.decode(reply, _Stocked).stock_quantity is None:
            raise RequestRefused(
                "The shop manages no stock at all. Switch it on under WooCommerce → Settings → Products → Inventory.",
                status=422,
            )

    async def ready(self) -> None:
        if self.session.sign is None:
            # Whether the server lets the Authorization header through shows only now.
            await self._list(ORDERS, {"per_page": 1, "_fields": "id"})

    @classmethod
    def bears(cls, raw: bytes, reference: str) -> bool | None:
        return writes.bears(raw, reference)

    async def write_values(self, function: WriteFunction) -> Mapping[str, Sequence[str]]:
        return {"status": await self._known_statuses()} if function is WriteFunction.CREATE_SHIPMENT else {}

    async def subscribe(self, url: str) -> dict[str, str]:
        secret, path = secrets.token_hex(32), secrets.token_hex(16)
        made = [await self._make_webhook(topic, f"{url}/{path}", secret) for topic in webhooks.TOPICS]
        for raw in await self._every("/webhooks", {"status": "all"}):
            other = _read(raw, _Webhook)
            if other.id not in made and (other.delivery_url == url or other.delivery_url.startswith(f"{url}/")):
                await self._end_webhook(str(other.id))
        return {"secret": secret, "path": path, "ids": ",".join(map(str, made))}

    async def unsubscribe(self, subscription: Mapping[str, str]) -> None:
        for id in filter(None, subscription.get("ids", "").split(",")):
            await self._end_webhook(id)

    @classmethod
    def verify_hook(cls, credentials: Mapping[str, str], subscription: Mapping[str, str], hook: Hook) -> None:
        webhooks.verify(subscription, hook)

    @classmethod
    def read_hook(cls, hook: Hook) -> Sequence[Hint]:
        return webhooks.hints(hook)

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        return [mapping.order(raw)] if function is Function.GET_ORDERS else mapping.products(raw)

    async def _increment(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        path, replace = PATHS[function], msgspec.structs.replace
        begun = read_cursor(pull.cursor, Cursor) if pull.cursor else await self._beginning(function, pull)
        cursor = begun
        pulled = 0
        async for raws, cursor, left in self._backfill(begun, pull.overlap):
            yield await self._raw_page(function, raws, cursor, None if left is None else pulled + left)
            pulled += len(raws)
        async for raws, walk, left in self._walk(path, cursor.listed, pull.overlap, LISTED):
            cursor = replace(cursor, listed=walk, backfill=None)
            yield await self._raw_page(function, raws, cursor, pulled + left)
            pulled += len(raws)
        async for raws, walk, left in self._walk(path, cursor.trashed, pull.overlap, TRASHED):
            cursor = replace(cursor, trashed=walk)
            yield await self._raw_page(function, raws, cursor, pulled + left)
            pulled += len(raws)

    async def _beginning(self, function: Function, pull: Pull) -> Cursor:
        """A first run's cursor. What goes into the trash from now on is found; what is there already never was ours."""
        newest = await self._newest(PATHS[function])
        if function is Function.GET_PRODUCTS:
            return Cursor(Walk(_text(pull.since)) if pull.since else Walk(), Walk(newest))
        since = _text(pull.since) if pull.since else None
        begun = Walk(max(newest, since or BEGINNING))
        return Cursor(begun, begun, Backfill(since))

    async def _backfill(
        self, cursor: Cursor, overlap: timedelta
    ) -> AsyncIterator[tuple[list[bytes], Cursor, int | None]]:
        """The pages of the first run of orders, each with the cursor behind it, and how many are left if that is known."""
        if cursor.backfill is None:
            return
        since, changed = cursor.backfill.since, cursor.backfill.changed
        if changed is None:
            async for raws, backfill, left in self._newest_first(cursor.backfill):
                cursor = _noted(cursor, backfill, raws, overlap)
                yield raws, cursor, left
        if since is not None:
            earlier = {**LISTED, "before": since}
            async for raws, walk, _ in self._walk(ORDERS, changed or Walk(since), timedelta(0), earlier):
                cursor = _noted(cursor, Backfill(since, changed=walk), raws, overlap)
                yield raws, cursor, None

    async def _newest_first(self, backfill: Backfill) -> AsyncIterator[tuple[list[bytes], Backfill, int]]:
        """Orders from the newest down by the date of creation, how far that is, and how many are left."""
        while True:
            position = backfill.position
            where = {**LISTED, **_bounds("date", backfill.since, position)}
            raws, total = await self._page(ORDERS, {**where, "orderby": "date", "order": "desc"})
            dates = _dates(raws, "date")
            full = len(raws) == PAGE_SIZE
            if full and (
                dates != sorted(dates, reverse=True) or dates[-1] == position or _clocks_went_back(raws, "date")
            ):
                oldest = min(dates)
                block = await self._every(ORDERS, {**LISTED, **_bounds("date", oldest, position)})
                raws = sorted(block, key=_created, reverse=True)
                lower = Backfill(backfill.since, _moved(oldest, -SECOND))
            else:
                lower = _lower(backfill, raws)
            fresh = [raw for raw in raws if _id(raw) not in backfill.seen]
            backfill = lower
            yield fresh, backfill, max(total - (len(raws) - len(fresh)), len(fresh))
            if not full or (backfill.position or "") <= BEGINNING:
                return

    async def _window(self, function: Function, pull: Pull, until: datetime) -> AsyncIterator[RawPage]:
        """What was created in a window of time, the oldest first; its last second is part of it."""
        begun = Walk(_text(pull.since)) if pull.since else Walk()
        begun = read_cursor(pull.cursor, WindowCursor).walk if pull.cursor else begun
        where = {**LISTED, "before": _moved(_text(until), SECOND)}
        pulled = 0
        async for raws, walk, left in self._walk(PATHS[function], begun, timedelta(0), where, "date"):
            yield await self._raw_page(function, raws, WindowCursor(walk), pulled + left)
            pulled += len(raws)

    async def _walk(
        self, path: str, walk: Walk, overlap: timedelta, where: Mapping[str, str], by: Date = "modified"
    ) -> AsyncIterator[tuple[list[bytes], Walk, int]]:
        """Records whose date is not before the walk's, how far it is then, and how many are left."""
        position, recent = _moved(walk.position, -overlap), dict(walk.recent)
        while True:
            order = {"orderby": by, "order": "asc"}
            raws, total = await self._page(path, {**where, **_bounds(by, position), **order})
            dates = _dates(raws, by)
            _require_filtered(path, dates, position)
            full = len(raws) == PAGE_SIZE
            if full and (dates != sorted(dates) or dates[-1] == position or _clocks_went_back(raws, by)):
                newest = max(dates)
                raws = await self._every(path, {**where, **_bounds(by, position, newest)})
                dates = _dates(raws, by)
                position = _moved(newest, SECOND)
            else:
                position = max([position, *dates])
            marks = {_id(raw): f"{date} {_digest(raw)}" for raw, date in zip(raws, dates, strict=True)}
            fresh = [raw for raw in raws if recent.get(_id(raw)) != marks[_id(raw)]]
            reached = min(max(position, walk.position), self._clock())
            oldest = _moved(reached, -overlap)
            recent = {id: mark for id, mark in (recent | marks).items() if mark >= oldest}
            walk = Walk(reached, recent)
            yield fresh, walk, max(total - (len(raws) - len(fresh)), len(fresh))
            if not full:
                return

    async def _newest(self, path: str) -> str:
        """The date of the newest change."""
        raws, _ = await self._list(path, {**LISTED, "orderby": "modified", "order": "desc", "per_page": 1})
        return min(max([BEGINNING, *_dates(raws, "modified")]), self._clock())

    def _clock(self) -> str:
        """The shop's time at its last answer; ours, if its answers carry no date.

        Records that are dated ahead, such as products that are yet to be published, must not carry a walk past it.
        """
        return _text(self._now or datetime.now(UTC))

    async def _every(self, path: str, parameters: Mapping[str, Any]) -> list[bytes]:
        """All records, by page in the order of ids; begun anew if their number changes on the way.

        Raises:
            PlatformUnavailable: it changes every time.
        """
        for _ in range(MOST_RESTARTS):
            found: dict[str, bytes] = {}
            counts: set[int] = set()
            for page in count(1):
                raws, total = await self._page(path, {**parameters, "orderby": "id", "order": "asc", "page": page})
                # Behind the last page WooCommerce counts none at all.
                counts |= {total} if raws or not found else set()
                known = len(found)
                found |= {_id(raw): raw for raw in raws}
                if len(counts) > 1:
                    break
                if len(raws) < PAGE_SIZE or len(found) == known:
                    return list(found.values())
        raise PlatformUnavailable(f"{path} keeps changing while it is read. The next sync goes on here.")

    async def _by_ids(self, path: str, ids: Sequence[int]) -> list[bytes]:
        """The records that there are of these ids, in the trash or not."""
        found: dict[int, bytes] = {}
        for status in (LISTED, TRASHED):
            missing = [id for id in ids if id not in found]
            for some in _chunks(missing):
                raws, _ = await self._page(path, {**status, "include": ",".join(map(str, some))})
                found |= {_read(raw, Stamp).id: raw for raw in raws}
        return list(found.values())

    async def _parent(self, id: int) -> int:
        """The product that a variation is of; 0 if there is no variation of this id."""
        with _gone_is_none():
            reply = await self._call("GET", f"{PRODUCTS}/{id}")
            return self.session.decode(reply, _Varied).parent_id
        return 0

    async def _raw_page(
        self, function: Function, raws: Sequence[bytes], cursor: msgspec.Struct, total: int | None
    ) -> RawPage:
        return RawPage(records=await self._completed(function, raws), cursor=write_cursor(cursor), total=total)

    async def _completed(self, function: Function, raws: Sequence[bytes]) -> list[bytes]:
        """Records together with what their lists do not tell."""
        if function is Function.GET_ORDERS:
            return await self._whole_orders(raws)
        units = await self._shop_units() if raws else (None, None)
        wrapped = [await self._with_variations(raw, units) for raw in raws]
        return [raw for raw in wrapped if raw is not None]

    async def _whole_orders(self, raws: Sequence[bytes]) -> list[bytes]:
        """Orders with their refunds in full: what they tell themselves lacks dates and lines. So with fulfillments."""
        listed = list(map(_refunded, raws))
        refunds = await self._refunds(
            {each.id: [refund.id for refund in each.refunds] for each in listed if each.refunds}
        )
        whole = []
        for raw, each in zip(raws, listed, strict=True):
            parts = [b'"id":%b,"order":%b' % (_id(raw).encode(), raw)]
            parts += [b'"refunds":[%b]' % b",".join(refunds.get(_id(raw), []))]
            if any(meta.key == mapping.FULFILLMENT_STATUS for meta in each.meta_data):
                parts += [b'"fulfillments":[%b]' % b",".join(await self._fulfillments(each.id))]
            whole.append(b"{%b}" % b",".join(parts))
        return whole

    async def _fulfillments(self, order_id: int) -> list[bytes]:
        """What WooCommerce itself keeps as the parcels of an order; none if that has been switched off."""
        with _gone_is_none():
            return (await self._list(f"{ORDERS}/{order_id}/fulfillments", {}))[0]
        return []

    async def _refunds(self, refunded: Mapping[int, Sequence[int]]) -> dict[str, list[bytes]]:
        """Refunds by order; for many orders at once where there is such a list, which is from WooCommerce 9.0 on."""
        found: dict[str, list[bytes]] = {}
        if self._lists_refunds and refunded:
            try:
                for some in _chunks([id for ids in refunded.values() for id in ids]):
                    raws, _ = await self._page("/refunds", {"include": ",".join(map(str, some))})
                    for raw in raws:
                        found.setdefault(str(_read(raw, _Refund).parent_id), []).append(raw)
                return found
            except RequestRefused as error:
                if error.status != GONE:
                    raise
                self._lists_refunds = False
        for id in refunded:
            with _gone_is_none():
                found[str(id)] = await self._every(f"{ORDERS}/{id}/refunds", {})
        return found

    async def _with_variations(self, raw: bytes, units: tuple[str | None, str | None]) -> bytes | None:
        """A product with its variations and the shop's units; null if it has been deleted since it was listed."""
        product = _read(raw, _Varied)
        variations: list[bytes] = []
        if product.variations:
            try:
                variations = await self._every(f"{PRODUCTS}/{product.id}/variations", {})
            except RequestRefused as error:
                if error.status != GONE:
                    raise
                return None
        weight, dimension = map(msgspec.json.encode, units)
        return b'{"id":%d,"weight_unit":%b,"dimension_unit":%b,"product":%b,"variations":[%b]}' % (
            product.id,
            weight,
            dimension,
            raw,
            b",".join(variations),
        )

    async def _shop_units(self) -> tuple[str | None, str | None]:
        """The shop's units of weight and length; unknown if the key's user may not see its settings."""
        if self._units is None:
            settings: dict[str, Any] = {}
            with contextlib.suppress(PermissionMissing, RequestRefused):
                reply = await self._call("GET", "/settings/products")
                settings = {each.id: each.value for each in self.session.decode(reply, list[_Setting])}
            values = settings.get("woocommerce_weight_unit"), settings.get("woocommerce_dimension_unit")
            weight, dimension = (str(value) if value else None for value in values)
            self._units = weight, dimension
        return self._units

    async def _name(self) -> str:
        """The name of the site, which everybody may ask for; WordPress would take the key for one of its own users."""
        headers, sign = dict(self.session.headers), self.session.sign
        self.session.headers.pop("authorization", None)
        self.session.sign = None
        try:
            path, parameters = self._target("/", {"_fields": "name"}, self._pretty is not False)
            site = self.session.decode(await self.session.request("GET", path, params=parameters), _Site)
            return html.unescape(site.name)
        except ConnectorError:
            return ""
        finally:
            self.session.headers.update(headers)
            self.session.sign = sign

    async def _has_fulfillments(self, order_id: int) -> bool:
        """Whether WooCommerce keeps parcels itself, which is a feature to switch on."""
        if self._fulfills is None:
            self._fulfills = False
            with _gone_is_none():
                await self._list(f"{ORDERS}/{order_id}/fulfillments", {})
                self._fulfills = True
        return self._fulfills

    async def _fulfill(
        self,
        source: payloads.RawOrder,
        parcel: writes.Parcel,
        shipment: NewShipment,
        status: str | None,
        reference: str,
    ) -> None:
        """Make a fulfillment, and then let the order say that it is done; if that is refused, take it back."""
        path = f"{ORDERS}/{source.id}/fulfillments"
        begun = writes.fulfillment_of(source, reference)
        if begun is None:
            notify = {"notify_customer": "true"} if shipment.notify_customer else {}
            reply = await self._write("POST", path, writes.fulfilled(parcel, shipment, reference), notify)
            made = self.session.decode(reply, _Id).id
        else:
            made = begun.id
        try:
            body = writes.after_fulfillment(source.order, status, reference)
            await self._write("PUT", f"{ORDERS}/{source.id}", body)
        except (RequestRefused, PermissionMissing) as refused:
            try:
                await self._call("DELETE", f"{path}/{made}")
            except ConnectorError as error:
                message = f"{refused.message} The fulfillment {made}, which was made before, may still be there."
                raise OutcomeUnknown(message, error.detail, error.url) from error
            raise

    async def _notify(self, order_id: int, shipment: NewShipment) -> None:
        """Mail the buyer. A shipment that is noted is not undone for want of a mail, and no mail is sent twice."""
        try:
            await self._write("POST", f"{ORDERS}/{order_id}/notes", writes.customer_note(shipment))
        except ConnectorError as error:
            log.warning("Order %s is shipped, but its buyer may not have been told: %s", order_id, error)

    async def _known_statuses(self) -> list[str]:
        """The statuses that orders of the shop may have; empty if the key's user may not see them."""
        if self._statuses is None:
            found: list[_Status] = []
            with contextlib.suppress(PermissionMissing, RequestRefused):
                found = self.session.decode(await self._call("GET", "/reports/orders/totals"), list[_Status])
            self._statuses = [each.slug for each in found]
        return self._statuses

    async def _write(
        self, method: str, path: str, json: Any, parameters: Mapping[str, Any] = MappingProxyType({})
    ) -> Reply:
        """A request that is sent once.

        Raises:
            ConnectorError: a refusal in the words of WooCommerce.
        """
        try:
            return await self._call(method, path, parameters, json, once=True)
        except ConnectorError as error:
            raise errors.refusal(error) from error

    async def _make_webhook(self, topic: str, url: str, secret: str) -> int:
        body = {"name": f"Unicart {topic}", "topic": topic, "delivery_url": url, "secret": secret, "status": "active"}
        return self.session.decode(await self._call("POST", "/webhooks", json=body), _Webhook).id

    async def _end_webhook(self, id: str) -> None:
        with _gone_is_none():
            await self._call("DELETE", f"/webhooks/{id}", {"force": "true"})

    async def _page(self, path: str, parameters: Mapping[str, Any]) -> tuple[list[bytes], int]:
        return await self._list(path, {"per_page": PAGE_SIZE, **parameters})

    async def _list(self, path: str, parameters: Mapping[str, Any]) -> tuple[list[bytes], int]:
        """A page of a list, and how many records the whole list has; 0 if the header that tells does not come through."""
        reply = await self._call("GET", path, parameters)
        raws = [bytes(raw) for raw in self.session.decode(reply, list[msgspec.Raw])]
        total = reply.headers.get("x-wp-total", "")
        return raws, int(total) if total.isascii() and total.isdigit() else 0

    async def _call(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, Any] = MappingProxyType({}),
        json: Any = None,
        once: bool = False,
    ) -> Reply:
        """One request to the REST API of WooCommerce.

        Raises:
            ConnectorError: with the remedy.
        """
        try:
            return await self._route(method, f"{NAMESPACE}{path}", parameters, json, once)
        except CredentialsRejected as error:
            if self.session.sign is not None or errors.code(error) == errors.AUTHENTICATION_ERROR:
                raise errors.explained(error, method) from error
        except ConnectorError as error:
            raise errors.explained(error, method) from error
        # Servers that keep the Authorization header from PHP leave the query, which OAuth signs.
        self.session.headers.pop("authorization", None)
        self.session.sign = self._signed
        return await self._call(method, path, parameters, json, once)

    async def _route(self, method: str, route: str, parameters: Mapping[str, Any], json: Any, once: bool) -> Reply:
        """Ask under ``/wp-json``, or at ``index.php`` in shops whose permalinks are plain: these redirect or have a page."""
        if self._pretty is not None:
            return await self._ask(method, route, parameters, json, self._pretty, once)
        found = await self._found(method, route, parameters, json, True, once)
        if isinstance(found, Reply):
            self._pretty = True
            return found
        other = await self._found(method, route, parameters, json, False, once)
        if isinstance(other, Reply):
            self._pretty = False
            return other
        raise found

    async def _found(
        self, method: str, route: str, parameters: Mapping[str, Any], json: Any, pretty: bool, once: bool
    ) -> Reply | ConnectorError:
        """The answer of the REST API, or the error that there is none at this address."""
        try:
            reply = await self._ask(method, route, parameters, json, pretty, once)
        except RequestRefused as error:
            if errors.code(error) or error.status not in NO_API:
                raise
            return error if error.status != GONE else _no_api(self.session.base_url, error.detail)
        return reply if _is_json(reply.body) else _no_api(self.session.base_url, repr(reply.body[:100]))

    async def _ask(
        self, method: str, route: str, parameters: Mapping[str, Any], json: Any, pretty: bool, once: bool
    ) -> Reply:
        path, sent = self._target(route, parameters, pretty)
        reply = await self.session.request(method, path, params=sent, json=json, once=once)
        self._now = _http_date(reply.headers.get("date"))
        return reply

    def _target(self, route: str, parameters: Mapping[str, Any], pretty: bool) -> tuple[str, dict[str, Any]]:
        return (f"/wp-json{route}", dict(parameters)) if pretty else (PLAIN, {"rest_route": route, **parameters})

    def _signed(self, method: str, url: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return auth.signed(self.credentials, method, url, parameters, secrets.token_hex(16), int(time.time()))


@contextlib.contextmanager
def _gone_is_none() -> Iterator[None]:
    try:
        yield
    except RequestRefused as error:
        if error.status != GONE:
            raise


def _no_api(shop: str, detail: str) -> BadAnswer:
    return BadAnswer(
        f"There is no WordPress REST API at {shop}. Is it the shop's Site Address (Settings → General), and does no security "
        "plugin close /wp-json?",
        detail,
    )


def _http_date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except (ValueError, OverflowError):
        return None


def _is_json(body: bytes) -> bool:
    return body.lstrip()[:1] in (b"[", b"{")


def _bounds(by: Date, oldest: str | None = None, newest: str | None = None) -> dict[str, str]:
    """Filters for dates from ``oldest`` to ``newest``, both included; WooCommerce's own bounds are not."""
    after, before = ("after", "before") if by == "date" else ("modified_after", "modified_before")
    bounds = {"dates_are_gmt": "true"}
    if oldest is not None and oldest > BEGINNING:
        bounds[after] = _moved(oldest, -SECOND)
    if newest is not None:
        bounds[before] = _moved(newest, SECOND)
    return bounds


def _require_filtered(path: str, dates: Iterable[str], oldest: str) -> None:
    """Refuse a list that ignores its filter, as that by the date of changes is before WooCommerce 5.8.

    Raises:
        BadAnswer: it does, and a walk of it would not end.
    """
    if min(dates, default=oldest) < oldest:
        raise BadAnswer(f"{path} does not filter by date. WooCommerce 5.8 or newer does; update it.")


def _dates(raws: Iterable[bytes], by: Date) -> list[str]:
    return [_utc(_read(raw, Stamp), by) for raw in raws]


def _utc(stamp: Stamp, by: Date) -> str:
    return (stamp.date_created_gmt if by == "date" else stamp.date_modified_gmt) or BEGINNING


def _clocks_went_back(raws: Iterable[bytes], by: Date) -> bool:
    """Whether the shop's clocks did among these records: a list by its own time may then hold back some between them."""
    offsets = []
    for each in sorted((_read(raw, Stamp) for raw in raws), key=lambda stamp: _utc(stamp, by)):
        local = each.date_created if by == "date" else each.date_modified
        if local and (utc := _utc(each, by)) > BEGINNING:
            offsets.append(_moment(local) - _moment(utc))
    return any(later < earlier for earlier, later in pairwise(offsets))


def _created(raw: bytes) -> tuple[str, int]:
    stamp = _read(raw, Stamp)
    return stamp.date_created_gmt or BEGINNING, stamp.id


def _id(raw: bytes) -> str:
    return str(_read(raw, Stamp).id)


def _digest(raw: bytes) -> str:
    """A digest of the record. Some parts of products come otherwise each time though nothing has changed."""
    record = _read(raw, dict[str, msgspec.Raw])
    parts = b"".join(b"%b%b" % (name.encode(), bytes(value)) for name, value in record.items() if name not in VOLATILE)
    return hashlib.sha256(parts).hexdigest()[:16]


def _refunded(raw: bytes) -> _Refunded:
    """An order's refunds; none, if they cannot be read: the order is then refused where it is mapped."""
    try:
        return msgspec.json.decode(raw, type=_Refunded)
    except msgspec.DecodeError:
        return _Refunded(0)


def _read(raw: bytes, type: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        detail = repr(raw[:300])
        raise BadAnswer(f"WooCommerce sent a record of another shape than it documents: {error}", detail) from error


def _noted(cursor: Cursor, backfill: Backfill, raws: Sequence[bytes], overlap: timedelta) -> Cursor:
    """The cursor behind ``raws``; what of them the walk on changes will meet is not to come again."""
    walk = cursor.listed
    oldest = _moved(walk.position, -overlap)
    dated = zip(raws, _dates(raws, "modified"), strict=True)
    met = {_id(raw): f"{date} {_digest(raw)}" for raw, date in dated if date >= oldest}
    return Cursor(Walk(walk.position, walk.recent | met), cursor.trashed, backfill)


def _lower(backfill: Backfill, raws: Sequence[bytes]) -> Backfill:
    """How far the first run is behind ``raws``."""
    if not raws:
        return backfill
    dates = _dates(raws, "date")
    lowest = min(dates)
    seen = [_id(raw) for raw, date in zip(raws, dates, strict=True) if date == lowest]
    return Backfill(backfill.since, lowest, seen)


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + PAGE_SIZE] for start in range(0, len(ids), PAGE_SIZE))


def _moved(date: str, by: timedelta) -> str:
    """``date`` later by as much, but never before the beginning."""
    return max(_text(_moment(date) + by), BEGINNING)


def _moment(date: str) -> datetime:
    try:
        return datetime.fromisoformat(date).replace(tzinfo=UTC)
    except ValueError as error:
        raise BadAnswer(f"WooCommerce sent a date that is none: {date!r}") from error


def _text(moment: datetime) -> str:
    """``moment`` as WooCommerce writes it and takes it together with ``dates_are_gmt``: UTC, and no zone."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
