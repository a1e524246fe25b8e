"""Vendure's client: what to ask, in which order, and how nothing that changed is missed.

Each list is walked by keyset: sorted by one time, from the last time seen, without the records already seen at that
time. An order's own ``updatedAt`` stays as it was when the order is placed, paid, fulfilled or refunded, and there is no
query for payments or fulfilments that changed. So a run follows the new orders by ``orderPlacedAt``, the modified ones
by ``updatedAt``, and looks at the times inside the others: all orders of the last 60 days, and some older ones in turn.

The first run walks the orders by ``orderPlacedAt`` from the newest down, and then follows those that were placed meanwhile;
what changed meanwhile is found by the next run, which looks back to when the first one began.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import msgspec

from unicart.connectors.kit import (
    Account,
    BadAnswer,
    Connector,
    ConnectorError,
    OutcomeUnknown,
    Pull,
    RawPage,
    RequestRefused,
    Session,
    format_utc,
    read_cursor,
    write_cursor,
)
from unicart.connectors.vendure import auth, mapping, payloads, writes
from unicart.connectors.vendure.errors import (
    FORBIDDEN,
    OUTCOMES,
    WRITES_ORDERS,
    WRITES_STOCK,
    Answer,
    Result,
    refusal,
    refused,
)
from unicart.connectors.vendure.facts import FACTS
from unicart.connectors.vendure.payloads import Moment
from unicart.contract.resources import Function, Record
from unicart.contract.writes import InventoryAdjustment, NewRefund, NewShipment, WriteFunction

T = TypeVar("T")

PAGE_SIZE = 100
PROBE_SIZE = 1000
PRODUCT_PAGE_SIZE = 25
MOST_TIED = 5000
RECENT = timedelta(days=60)
WHOLE_CATALOGUE = timedelta(days=1)
INSTANT = timedelta(milliseconds=1)

USUAL_STATES = tuple(sorted(set(mapping.ORDER_STATUSES) - {"Modifying", "ArrangingAdditionalPayment"}))
"""States that an order enters and leaves with a change in its payments, fulfilments or lines, which have times."""

ADDRESS = """fullName company streetLine1 streetLine2 city province postalCode country countryCode phoneNumber"""
ORDERS = f"""query Orders($options: OrderListOptions) {{
  list: orders(options: $options) {{
    totalItems
    items {{
      id code type state createdAt updatedAt orderPlacedAt aggregateOrderId currencyCode couponCodes
      customer {{ emailAddress }}
      shippingAddress {{ {ADDRESS} }}
      billingAddress {{ {ADDRESS} }}
      lines {{
        id quantity unitPrice linePrice proratedLinePrice proratedLinePriceWithTax
        productVariant {{ id sku productId }}
      }}
      surcharges {{ id description sku price priceWithTax }}
      shippingLines {{ shippingMethod {{ id name }} }}
      payments {{
        id updatedAt state method amount transactionId
        refunds {{ id createdAt updatedAt state total reason lines {{ orderLineId quantity }} }}
      }}
      fulfillments {{ id createdAt updatedAt state method trackingCode lines {{ orderLineId quantity }} }}
      modifications {{ updatedAt }}
      shipping total totalWithTax
    }}
  }}
}}"""
ORDER_TIMES = """query OrderTimes($options: OrderListOptions) {
  list: orders(options: $options) {
    totalItems
    items {
      id orderPlacedAt
      customer { updatedAt }
      payments { updatedAt refunds { updatedAt } }
      fulfillments { updatedAt }
      modifications { updatedAt }
    }
  }
}"""
ORDER_STATES = """query OrderStates($options: OrderListOptions) {
  list: orders(options: $options) { totalItems items { id state orderPlacedAt } }
}"""
PRODUCTS = """query Products($options: ProductListOptions) {
  list: products(options: $options) {
    totalItems
    items {
      id createdAt updatedAt name slug enabled
      featuredAsset { source }
      facetValues { name facet { name } }
      collections { name }
      variants {
        id createdAt updatedAt name sku enabled currencyCode price trackInventory
        prices { currencyCode price }
        featuredAsset { source }
        facetValues { name facet { name } }
        stockLevels { stockLocationId stockOnHand stockAllocated updatedAt }
      }
    }
  }
}"""
VARIANT_TIMES = """query VariantTimes($options: ProductVariantListOptions) {
  list: productVariants(options: $options) {
    totalItems
    items { id createdAt updatedAt productId stockLevels { updatedAt } }
  }
}"""
VARIANT_OWNERS = """query VariantOwners($options: ProductVariantListOptions) {
  list: productVariants(options: $options) { totalItems items { id productId } }
}"""
STOCK_LOCATIONS = """query StockLocations($options: StockLocationListOptions) {
  list: stockLocations(options: $options) { totalItems items { id createdAt updatedAt name description } }
}"""
CHANNEL = "query Channel { activeChannel { id code } }"
PRECISION = "query Precision { globalSettings { serverConfig { moneyStrategyPrecision } } }"
PERMISSIONS = """query Permissions {
  orders(options: { take: 1 }) { totalItems }
  products(options: { take: 1 }) { totalItems }
  stockLocations(options: { take: 1 }) { totalItems }
}"""
HISTORY = "items { id data }"
ORDER_TO_SHIP = f"""query OrderToShip($id: ID!) {{
  found: order(id: $id) {{
    shippingLines {{ shippingMethod {{ fulfillmentHandlerCode }} }}
    history(options: {{ take: 100, sort: {{ createdAt: DESC }}, filter: {{ type: {{ eq: "ORDER_NOTE" }} }} }}) {{ {HISTORY} }}
  }}
}}"""
ORDER_TO_REFUND = f"""query OrderToRefund($id: ID!, $restock: Boolean!) {{
  found: order(id: $id) {{
    shippingWithTax
    lines {{ id orderPlacedQuantity }}
    payments {{ refunds {{ id shipping }} }}
    history(
      options: {{ take: 100, sort: {{ createdAt: DESC }}, filter: {{ type: {{ eq: "ORDER_CANCELLATION" }} }} }}
    ) @include(if: $restock) {{ {HISTORY} }}
  }}
}}"""
HANDLERS = "query Handlers { fulfillmentHandlers { code } }"
LOCATION = "query Location($id: ID!) { found: stockLocation(id: $id) { id } }"
FAILED = "... on ErrorResult { errorCode message }"
ADD_NOTE = f"""mutation AddNote($input: AddNoteToOrderInput!) {{
  result: addNoteToOrder(input: $input) {{
    history(options: {{ take: 100, sort: {{ createdAt: DESC }}, filter: {{ type: {{ eq: "ORDER_NOTE" }} }} }}) {{ {HISTORY} }}
  }}
}}"""
DELETE_NOTE = "mutation DeleteNote($id: ID!) { result: deleteOrderNote(id: $id) { result } }"
FULFIL = f"""mutation Fulfil($input: FulfillOrderInput!) {{
  result: addFulfillmentToOrder(input: $input) {{
    ... on Fulfillment {{ id state }}
    {FAILED}
    ... on CreateFulfillmentError {{ fulfillmentHandlerError }}
    ... on FulfillmentStateTransitionError {{ transitionError fromState }}
  }}
}}"""
MOVE_FULFILMENT = f"""mutation MoveFulfilment($id: ID!, $state: String!) {{
  result: transitionFulfillmentToState(id: $id, state: $state) {{
    ... on Fulfillment {{ id state }}
    {FAILED}
    ... on FulfillmentStateTransitionError {{ transitionError fromState }}
  }}
}}"""
REFUND = f"""mutation Refund($input: RefundOrderInput!) {{
  result: refundOrder(input: $input) {{
    ... on Refund {{ id state }}
    {FAILED}
    ... on RefundStateTransitionError {{ transitionError }}
    ... on OrderStateTransitionError {{ transitionError }}
  }}
}}"""
CANCEL = f"""mutation Cancel($input: CancelOrderInput!) {{
  result: cancelOrder(input: $input) {{
    ... on Order {{ id state }}
    {FAILED}
    ... on OrderStateTransitionError {{ transitionError }}
  }}
}}"""
SET_STOCK = """mutation SetStock($input: [UpdateProductVariantInput!]!) {
  result: updateProductVariants(input: $input) { id }
}"""

PLACED = {"orderPlacedAt": {"isNull": False}}
Field = Literal["createdAt", "updatedAt", "orderPlacedAt"]


class Place(msgspec.Struct, frozen=True):
    """How far a walk is: the last time it saw, and the ids of the records at that time."""

    at: datetime | None = None
    seen: list[str] = []


class OrdersCursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run over orders stands.

    ``began`` is when it began, by the platform's clock. Times inside orders at or after ``since`` are changes; null in
    a first run without limit. ``unusual`` are the orders in states that come and go without a trace, as they were when last
    pulled. ``older`` is how far the round through old orders is; the round finds what changed at or after ``older_since``.

    ``first``: the first run is not at its end yet. It yields all orders placed from ``since`` on, the newest first, and
    later looks only at those placed before. ``backfilled`` is that limit and ``backfilled_at`` when the run began: changes
    before are known of all orders placed from the limit on.
    """

    began: datetime
    since: datetime | None = None
    phase: Literal["backfill", "placed", "updated", "states", "recent", "older", "done"] = "placed"
    placed: Place = Place()
    walk: Place = Place()
    unusual: dict[str, str] = {}
    older: Place = Place()
    older_since: datetime
    older_began: datetime
    first: bool = False
    backfilled: datetime | None = None
    backfilled_at: datetime | None = None


class ProductsCursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run over products stands. ``whole`` is when the last run began that read the whole catalogue."""

    began: datetime
    whole: datetime
    since: datetime | None = None
    phase: Literal["updated", "variants", "done"] = "updated"
    walk: Place = Place()


class LocationsCursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far the walk through stock locations is."""

    walk: Place = Place()


class WindowCursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far the walk through the records of a window of time is."""

    walk: Place


class _List(msgspec.Struct, rename="camel"):
    total_items: int
    items: list[msgspec.Raw]


class _Listed(msgspec.Struct):
    list: _List


class _Row(msgspec.Struct):
    id: str
    createdAt: Moment | None = None  # noqa: N815
    updatedAt: Moment | None = None  # noqa: N815
    orderPlacedAt: Moment | None = None  # noqa: N815


class _Timed(msgspec.Struct, rename="camel"):
    updated_at: Moment


class _PaymentTimes(msgspec.Struct, rename="camel"):
    updated_at: Moment
    refunds: list[_Timed]


class _OrderTimes(msgspec.Struct):
    id: str
    placed_at: Moment | None = msgspec.field(name="orderPlacedAt", default=None)
    customer: _Timed | None = None
    payments: list[_PaymentTimes] | None = None
    fulfillments: list[_Timed] | None = None
    modifications: list[_Timed] = []

    def latest(self) -> datetime | None:
        payments = self.payments or []
        moments = [payment.updated_at for payment in payments]
        moments += [refund.updated_at for payment in payments for refund in payment.refunds]
        moments += [part.updated_at for part in [*(self.fulfillments or []), *self.modifications]]
        return max(moments + ([self.customer.updated_at] if self.customer else []), default=None)


class _OrderState(msgspec.Struct):
    id: str
    state: str


class _VariantOwner(msgspec.Struct, rename="camel"):
    product_id: str


class _VariantTimes(msgspec.Struct, rename="camel"):
    product_id: str
    updated_at: Moment
    stock_levels: list[_Timed]

    def latest(self) -> datetime:
        return max([self.updated_at, *(level.updated_at for level in self.stock_levels)])


class _Channel(msgspec.Struct):
    id: str
    code: str


class _ActiveChannel(msgspec.Struct, rename="camel"):
    active_channel: _Channel


class _ServerConfig(msgspec.Struct, rename="camel"):
    money_strategy_precision: int


class _GlobalSettings(msgspec.Struct, rename="camel"):
    server_config: _ServerConfig


class _Precision(msgspec.Struct, rename="camel"):
    global_settings: _GlobalSettings


class _ToShip(msgspec.Struct):
    found: payloads.OrderToShip


class _ToRefund(msgspec.Struct):
    found: payloads.OrderToRefund


class _Location(msgspec.Struct):
    found: _Row | None = None


class _Handler(msgspec.Struct):
    code: str


class _Handlers(msgspec.Struct, rename="camel"):
    fulfillment_handlers: list[_Handler]


class _Done(msgspec.Struct):
    result: Result


class _Noted(msgspec.Struct):
    history: payloads.History


class _NoteAdded(msgspec.Struct):
    result: _Noted


class _Page(msgspec.Struct):
    items: list[bytes]
    place: Place
    total: int


class VendureConnector(Connector):
    """A channel of a Vendure server."""

    facts = FACTS

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        super().__init__(credentials, session)
        session.outcomes.update(OUTCOMES)
        self._logged_in = False
        self._now: datetime | None = None

    @classmethod
    def base_url(cls, credentials: Mapping[str, str]) -> str:
        return auth.endpoint(credentials.get("url", ""))

    async def check(self) -> Account:
        channel = (await self._ask(CHANNEL, _ActiveChannel)).active_channel
        await self._ask(PERMISSIONS, msgspec.Raw)
        await self._precision()
        return Account(account_id=channel.id, account_name=f"{self.session.base_url} {channel.code}")

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        pages = {
            Function.GET_ORDERS: self._pull_orders,
            Function.GET_PRODUCTS: self._pull_products,
            Function.GET_WAREHOUSES: self._pull_locations,
        }[function]
        async for page in pages(pull) if pull.until is None else self._pull_window(function, pull, pull.until):
            yield page

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        wanted = [id for id in dict.fromkeys(ids) if id]
        if function is Function.GET_PRODUCTS:
            parents = [mapping.product_id(id) for id in wanted]
            variants = [id for id, parent in zip(wanted, parents, strict=True) if parent is None]
            found = await self._by_ids(VARIANT_OWNERS, variants, PAGE_SIZE)
            owners = [self._decoded(raw, _VariantOwner).product_id for raw in found]
            products = list(dict.fromkeys([*filter(None, parents), *owners]))
            return await self._marked(await self._by_ids(PRODUCTS, products, PRODUCT_PAGE_SIZE))
        if function is Function.GET_ORDERS:
            return await self._marked(await self._by_ids(ORDERS, wanted, PAGE_SIZE, PLACED))
        return await self._by_ids(STOCK_LOCATIONS, wanted, PAGE_SIZE)

    @classmethod
    def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
        if function is Function.GET_ORDERS:
            return [mapping.order(raw)]
        if function is Function.GET_PRODUCTS:
            return mapping.products(raw)
        return [mapping.warehouse(raw)]

    async def create_shipment(self, order: bytes, shipment: NewShipment, reference: str) -> None:
        """A fulfilment is made and then shipped. A private note with the reference, made before, tells which one is ours."""
        source = self._decoded(order, payloads.Order)
        details = (await self._ask(ORDER_TO_SHIP, _ToShip, {"id": source.id})).found
        handler = writes.handler_code(shipment, details)
        note = writes.note_of(details.history, reference)
        if note is not None:
            begun = writes.begun_fulfillment(source, shipment, handler, note)
            if begun is not None:
                if begun.state in mapping.WAITING:
                    await self._ship(begun.id, note.id)
                return
        given = writes.fulfillment(source, shipment, writes.units_to_ship(source, shipment), handler)
        note_id = note.id if note is not None else await self._add_note(source, reference)
        try:
            made = await self._write(FULFIL, {"input": given})
        except RequestRefused:
            await self._delete_note(note_id)
            raise
        await self._ship(made.id, note_id)

    async def refund_order(self, order: bytes, refund: NewRefund, reference: str) -> None:
        """One refund for each payment that it needs, and then, if units go back to stock, their cancellation."""
        source = self._decoded(order, payloads.Order)
        variables = {"id": source.id, "restock": bool(refund.restock)}
        details = (await self._ask(ORDER_TO_REFUND, _ToRefund, variables)).found
        made = [each for payment in source.payments or [] for each in payment.refunds]
        parts: list[dict[str, Any]] = []
        if not writes.is_complete(writes.own_marks(made, reference)):
            parts = writes.refunds(source, details, refund, reference)
        cancelled = not refund.restock or writes.is_cancelled(details, reference)
        cancellation = None if cancelled else writes.cancellation(source, refund, reference)
        paid: list[str] = []
        with _half_done(paid):
            for part in parts:
                paid.append(await self._refund(part))
            if cancellation is not None:
                await self._write(CANCEL, {"input": cancellation})

    async def adjust_inventory(self, product: bytes, adjustment: InventoryAdjustment, reference: str) -> None:
        source = self._decoded(product, payloads.Product)
        variant = writes.variant(source, adjustment.product_id)
        location = writes.location_id(variant, adjustment)
        if location not in {level.stock_location_id for level in variant.stock_levels}:
            found = (await self._ask(LOCATION, _Location, {"id": location})).found
            if found is None:
                raise RequestRefused("warehouse_id: Vendure has no such stock location.", status=422)
        given = writes.stock(variant, location, adjustment)
        await self._ask(SET_STOCK, msgspec.Raw, {"input": [given]}, writing=WRITES_STOCK)

    @classmethod
    def bears(cls, raw: bytes, reference: str) -> bool | None:
        return writes.bears(raw, reference)

    async def ready(self) -> None:
        await self._log_in()

    async def write_values(self, function: WriteFunction) -> Mapping[str, Sequence[str]]:
        if function is not WriteFunction.CREATE_SHIPMENT:
            return {}
        handlers = (await self._ask(HANDLERS, _Handlers)).fulfillment_handlers
        return {"fulfillment_handler": [handler.code for handler in handlers]}

    async def _ship(self, fulfillment_id: str, note_id: str) -> None:
        """Move a fulfilment to Shipped; if that is refused, leave nothing behind."""
        with _half_done([f"The fulfilment {fulfillment_id} is made"]):
            try:
                result = await self._try(MOVE_FULFILMENT, {"id": fulfillment_id, "state": "Shipped"})
                if not result.error_code or result.from_state in mapping.SENT:
                    return
                why = refused(result, self.session.base_url)
            except RequestRefused as error:
                why = error
            await self._write(MOVE_FULFILMENT, {"id": fulfillment_id, "state": "Cancelled"})
            await self._delete_note(note_id)
        raise why

    async def _add_note(self, order: payloads.Order, reference: str) -> str:
        given = {"id": order.id, "note": writes.note(order, reference), "isPublic": False}
        added = await self._ask(ADD_NOTE, _NoteAdded, {"input": given}, writing=WRITES_ORDERS)
        note = writes.note_of(added.result.history, reference)
        if note is None:
            raise BadAnswer(f"{self.session.base_url} does not show the note that it took.", url=self.session.base_url)
        return note.id

    async def _delete_note(self, note_id: str) -> None:
        await self._ask(DELETE_NOTE, msgspec.Raw, {"id": note_id}, writing=WRITES_ORDERS)

    async def _refund(self, given: Mapping[str, Any]) -> str:
        """What was paid back, for the case that another step fails."""
        result = await self._write(REFUND, {"input": given})
        if result.state == "Failed":
            message = f"The payment method did not pay back: refund {result.id} failed. Look at it in Vendure."
            raise RequestRefused(message, status=422)
        return f"Refund {result.id} is made"

    async def _write(self, mutation: str, variables: Mapping[str, Any]) -> Result:
        """What a mutation of orders made.

        Raises:
            ConnectorError: it made nothing.
            OutcomeUnknown: nobody knows.
        """
        result = await self._try(mutation, variables)
        if result.error_code:
            raise refused(result, self.session.base_url)
        return result

    async def _try(self, mutation: str, variables: Mapping[str, Any]) -> Result:
        return (await self._ask(mutation, _Done, variables, writing=WRITES_ORDERS)).result

    async def _pull_orders(self, pull: Pull) -> AsyncIterator[RawPage]:
        precision = await self._precision()
        cursor = self._orders_cursor(pull)
        replace = msgspec.structs.replace
        # The first run has yielded all orders placed from its limit on.
        others = {"orderPlacedAt": {"before": format_utc(cursor.since)}} if cursor.first and cursor.since else None
        if cursor.phase == "backfill":
            limit = None if cursor.since is None else {"orderPlacedAt": {"after": format_utc(cursor.since - INSTANT)}}
            async for page in self._walk(ORDERS, "orderPlacedAt", cursor.walk, PAGE_SIZE, limit, down=True):
                placed = cursor.placed if cursor.walk.at else self._newest(page.items)
                cursor = self._pulled(replace(cursor, walk=page.place, placed=placed), page.items)
                yield _raw_page(page.items, cursor, precision, page.total)
            cursor = replace(cursor, phase="placed", walk=Place())
        if cursor.phase == "placed":
            async for page in self._walk(ORDERS, "orderPlacedAt", cursor.placed, PAGE_SIZE):
                cursor = self._pulled(replace(cursor, placed=page.place), page.items)
                yield _raw_page(page.items, cursor, precision, None if cursor.first else page.total)
            cursor = replace(cursor, phase="updated" if cursor.since else "states", walk=Place(cursor.since))
        if cursor.phase == "updated":
            async for page in self._walk(ORDERS, "updatedAt", cursor.walk, PAGE_SIZE, others or PLACED):
                cursor = self._pulled(replace(cursor, walk=page.place), page.items)
                yield _raw_page(page.items, cursor, precision)
            cursor = replace(cursor, phase="states")
        if cursor.phase == "states":
            now = await self._unusual_states()
            changed = [id for id, state in now.items() if cursor.unusual.get(id) != state]
            records = await self._by_ids(ORDERS, [*changed, *(cursor.unusual.keys() - now.keys())], PAGE_SIZE)
            recent = Place(cursor.began - RECENT)
            cursor = replace(cursor, unusual=now, phase="recent" if cursor.since else "done", walk=recent)
            cursor = replace(self._pulled(cursor, records), first=cursor.first and cursor.phase != "done")
            yield _raw_page(records, cursor, precision)
        if cursor.phase == "recent":
            async for page in self._walk(ORDER_TIMES, "orderPlacedAt", cursor.walk, PROBE_SIZE, others):
                records = await self._by_ids(ORDERS, self._changed_orders(page.items, cursor.since), PAGE_SIZE)
                cursor = self._pulled(replace(cursor, walk=page.place), records)
                yield _raw_page(records, cursor, precision)
            cursor = replace(cursor, phase="older")
        if cursor.phase == "older":
            records, cursor = await self._older_orders(cursor)
            yield _raw_page(records, replace(self._pulled(cursor, records), first=False), precision)

    def _newest(self, items: Sequence[bytes]) -> Place:
        """The place behind the newest order, where the next runs go on; ``items`` are the first page from there down."""
        return self._behind(Place(), "orderPlacedAt", items[::-1])

    def _pulled(self, cursor: OrdersCursor, items: Sequence[bytes]) -> OrdersCursor:
        """The cursor that knows which of ``items`` came in an unusual state."""
        orders = [self._decoded(raw, _OrderState) for raw in items]
        usual = {order.id for order in orders if order.state in USUAL_STATES}
        unusual = {order.id: order.state for order in orders if order.id not in usual}
        kept = {id: state for id, state in cursor.unusual.items() if id not in usual}
        return msgspec.structs.replace(cursor, unusual=kept | unusual)

    def _changed_orders(self, items: Iterable[bytes], since: datetime | None) -> list[str]:
        orders = [self._decoded(raw, _OrderTimes) for raw in items]
        return [order.id for order in orders if since is None or (order.latest() or since - INSTANT) >= since]

    def _orders_cursor(self, pull: Pull) -> OrdersCursor:
        now = self._clock()
        if pull.cursor is None:
            return OrdersCursor(
                began=now,
                since=pull.since,
                phase="backfill",
                placed=Place(pull.since),
                older_since=pull.since or now,
                older_began=now,
                first=True,
                backfilled=pull.since,
                backfilled_at=now,
            )
        cursor = read_cursor(pull.cursor, OrdersCursor)
        if pull.interrupted or cursor.first:
            return cursor
        return msgspec.structs.replace(
            cursor,
            began=now,
            since=cursor.began - pull.overlap,
            phase="placed",
            placed=_back(cursor.placed, pull.overlap),
        )

    async def _unusual_states(self) -> dict[str, str]:
        """The states of all placed orders that are in none of the usual ones."""
        found: dict[str, str] = {}
        unusual = {"state": {"notIn": USUAL_STATES}}
        async for page in self._walk(ORDER_STATES, "orderPlacedAt", Place(), PROBE_SIZE, unusual):
            for raw in page.items:
                order = self._decoded(raw, _OrderState)
                found[order.id] = order.state
        return found

    async def _older_orders(self, cursor: OrdersCursor) -> tuple[list[bytes], OrdersCursor]:
        """The changed ones among the next orders that are not recent; behind the last, a new round begins."""
        replace = msgspec.structs.replace
        before = {"orderPlacedAt": {"before": format_utc(cursor.began - RECENT)}}
        async for page in self._walk(ORDER_TIMES, "orderPlacedAt", cursor.older, PROBE_SIZE, before):
            ids = self._changed_older_orders(page.items, cursor)
            records = await self._by_ids(ORDERS, ids, PAGE_SIZE)
            if len(page.items) == PROBE_SIZE:
                return records, replace(cursor, phase="done", older=page.place)
            break
        else:
            records = []
        since, began = cursor.older_began - timedelta(minutes=1), cursor.began
        return records, replace(cursor, phase="done", older=Place(), older_since=since, older_began=began)

    def _changed_older_orders(self, items: Iterable[bytes], cursor: OrdersCursor) -> list[str]:
        """Orders that the first run yielded count as changed only if that was since."""
        changed = set(self._changed_orders(items, cursor.older_since))
        if cursor.backfilled and cursor.backfilled_at and cursor.older_since < cursor.backfilled_at:
            orders = [self._decoded(raw, _OrderTimes) for raw in items]
            yielded = {order.id for order in orders if order.placed_at and order.placed_at >= cursor.backfilled}
            changed -= yielded - set(self._changed_orders(items, cursor.backfilled_at))
        return [id for id in dict.fromkeys(self._decoded(raw, _Row).id for raw in items) if id in changed]

    async def _pull_products(self, pull: Pull) -> AsyncIterator[RawPage]:
        precision = await self._precision()
        cursor = self._products_cursor(pull)
        replace = msgspec.structs.replace
        if cursor.phase == "updated":
            async for page in self._walk(PRODUCTS, "updatedAt", cursor.walk, PRODUCT_PAGE_SIZE):
                cursor = replace(cursor, walk=page.place)
                yield _raw_page(page.items, cursor, precision, page.total)
            cursor = replace(cursor, phase="variants" if cursor.since else "done", walk=Place())
        if cursor.phase == "variants":
            async for page in self._walk(VARIANT_TIMES, "createdAt", cursor.walk, PROBE_SIZE):
                ids = self._changed_products(page.items, cursor.since)
                records = await self._by_ids(PRODUCTS, ids, PRODUCT_PAGE_SIZE)
                cursor = replace(cursor, walk=page.place)
                yield _raw_page(records, cursor, precision)
            cursor = replace(cursor, phase="done")
        yield _raw_page([], cursor, precision)

    def _products_cursor(self, pull: Pull) -> ProductsCursor:
        now = self._clock()
        if pull.cursor is None:
            return ProductsCursor(began=now, whole=now, since=pull.since, walk=Place(pull.since))
        cursor = read_cursor(pull.cursor, ProductsCursor)
        if pull.interrupted:
            return cursor
        if now - cursor.whole >= WHOLE_CATALOGUE:
            return ProductsCursor(began=now, whole=now)
        since = cursor.began - pull.overlap
        return ProductsCursor(began=now, whole=cursor.whole, since=since, walk=Place(since))

    def _changed_products(self, items: Iterable[bytes], since: datetime | None) -> list[str]:
        variants = [self._decoded(raw, _VariantTimes) for raw in items]
        return sorted({each.product_id for each in variants if since is None or each.latest() >= since})

    async def _pull_locations(self, pull: Pull) -> AsyncIterator[RawPage]:
        walk = read_cursor(pull.cursor, LocationsCursor).walk if pull.cursor else Place(pull.since)
        if not pull.interrupted:
            walk = _back(walk, pull.overlap) if pull.cursor else walk
        async for page in self._walk(STOCK_LOCATIONS, "updatedAt", walk, PAGE_SIZE):
            walk = page.place
            yield _raw_page(page.items, LocationsCursor(walk=walk), None, page.total)
        yield _raw_page([], LocationsCursor(walk=walk), None)

    async def _pull_window(self, function: Function, pull: Pull, until: datetime) -> AsyncIterator[RawPage]:
        """What was created (placed, if orders) in a window of time, the oldest first; its last second is part of it."""
        sources: dict[Function, tuple[str, Field, int]] = {
            Function.GET_ORDERS: (ORDERS, "orderPlacedAt", PAGE_SIZE),
            Function.GET_PRODUCTS: (PRODUCTS, "createdAt", PRODUCT_PAGE_SIZE),
            Function.GET_WAREHOUSES: (STOCK_LOCATIONS, "createdAt", PAGE_SIZE),
        }
        query, field, size = sources[function]
        precision = None if function is Function.GET_WAREHOUSES else await self._precision()
        walk = read_cursor(pull.cursor, WindowCursor).walk if pull.cursor else Place(pull.since)
        where: dict[str, Any] = {field: {"before": format_utc(until.replace(microsecond=0) + timedelta(seconds=1))}}
        async for page in self._walk(query, field, walk, size, where):
            walk = page.place
            yield _raw_page(page.items, WindowCursor(walk=walk), precision, page.total)
        yield _raw_page([], WindowCursor(walk=walk), precision)

    async def _walk(
        self,
        query: str,
        field: Field,
        place: Place,
        size: int,
        where: Mapping[str, Any] | None = None,
        *,
        down: bool = False,
    ) -> AsyncIterator[_Page]:
        """Pages of a list in order of ``field``, from ``place`` on, each with the place behind it."""
        while True:
            listed = await self._list(query, _options(field, place, size, where, down=down))
            items = [bytes(raw) for raw in listed.items]
            if not items:
                return
            place = self._behind(place, field, items, down=down)
            yield _Page(items, place, listed.total_items)
            if len(items) < size:
                return

    def _behind(self, place: Place, field: Field, items: Sequence[bytes], *, down: bool = False) -> Place:
        rows = [self._decoded(raw, _Row) for raw in items]
        moments = [self._moment(row, field) for row in rows]
        step = -INSTANT if down else INSTANT
        outside = place.at and (moments[0] > place.at - step if down else moments[0] < place.at - step)
        if moments != sorted(moments, reverse=down) or outside:
            raise BadAnswer(f"{self.session.base_url} did not sort by {field} as asked.", url=self.session.base_url)
        last = moments[-1]
        seen = [row.id for row, moment in zip(rows, moments, strict=True) if abs(moment - last) <= INSTANT]
        if place.at and abs(place.at - last) <= INSTANT:
            if not set(seen) - set(place.seen):
                raise BadAnswer(
                    f"{self.session.base_url} repeats records that were left out.", url=self.session.base_url
                )
            seen = [*place.seen, *seen]
        if len(seen) > MOST_TIED:
            message = f"More than {MOST_TIED} records have the same {field}, {format_utc(last)}: Vendure cannot page through them."
            raise RequestRefused(message, url=self.session.base_url)
        return Place(last, seen)

    def _moment(self, row: _Row, field: Field) -> datetime:
        moment: datetime | None = getattr(row, field)
        if moment is None:
            raise BadAnswer(f"{self.session.base_url} sent a record without {field}.", url=self.session.base_url)
        return moment

    async def _by_ids(
        self, query: str, ids: Sequence[str], size: int, where: Mapping[str, Any] = MappingProxyType({})
    ) -> list[bytes]:
        """The records with these ids; those that are gone meanwhile are left out."""
        found: list[bytes] = []
        for start in range(0, len(ids), size):
            part = ids[start : start + size]
            listed = await self._list(query, {"take": len(part), "filter": {"id": {"in": part}, **where}})
            found += (bytes(raw) for raw in listed.items)
        return found

    async def _list(self, query: str, options: Mapping[str, Any]) -> _List:
        return (await self._ask(query, _Listed, {"options": options})).list

    async def _marked(self, items: Sequence[bytes]) -> list[bytes]:
        return _marked(items, await self._precision()) if items else []

    async def _precision(self) -> int:
        """How many decimals the server's amounts have, in every currency."""
        answer = await self._ask(PRECISION, _Precision)
        return answer.global_settings.server_config.money_strategy_precision

    async def _ask(
        self, query: str, type: type[T], variables: Mapping[str, Any] | None = None, *, writing: str | None = None
    ) -> T:
        """The decoded data of a query. An administrator is logged in first, and once more if the session is over.

        A mutation names the permission that it needs as ``writing``, and is sent once: a refused session has changed nothing.

        Raises:
            ConnectorError: by the code of Vendure's error.
        """
        once = writing is not None
        renewed = await self._log_in() if not self._logged_in else False
        answer, url = await self._send(query, variables, once=once)
        if answer.has(FORBIDDEN) and "password" in self.credentials and not renewed:
            await auth.login(self.session, self.credentials)
            answer, url = await self._send(query, variables, once=once)
        if answer.has(FORBIDDEN):
            known = query != CHANNEL and not (await self._send(CHANNEL, None))[0].has(FORBIDDEN)
            raise refusal(answer, url, authenticated=known, writing=writing)
        if answer.errors:
            raise refusal(answer, url, writing=writing)
        return self._decoded(bytes(answer.data), type)

    async def _log_in(self) -> bool:
        self.session.headers.update(auth.headers(self.credentials))
        if "password" in self.credentials:
            await auth.login(self.session, self.credentials)
        self._logged_in = True
        return True

    async def _send(self, query: str, variables: Mapping[str, Any] | None, *, once: bool = False) -> tuple[Answer, str]:
        body = {"query": query, "variables": dict(variables or {})}
        reply = await self.session.request("POST", "", json=body, once=once)
        self._now = _date(reply.headers.get("date"))
        return self.session.decode(reply, Answer), reply.url

    def _decoded(self, raw: bytes, type: type[T]) -> T:
        try:
            return msgspec.json.decode(raw, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            url = self.session.base_url
            raise BadAnswer(f"{url} answered something that Vendure does not document: {error}", url=url) from error

    def _clock(self) -> datetime:
        """The platform's time at its last answer; ours, if its answers carry no date."""
        return self._now or datetime.now(UTC)


@contextmanager
def _half_done(done: Sequence[str]) -> Iterator[None]:
    """Tell of the steps before a failure. They stand, and are not taken back; the same write completes them.

    A refusal means that a repetition is refused too, and says so.
    """
    try:
        yield
    except ConnectorError as error:
        if not done or isinstance(error, OutcomeUnknown):
            raise
        message = f"{'; '.join(done)}, but what follows failed: {error.message}"
        if isinstance(error, RequestRefused):
            raise RequestRefused(message, error.detail, error.url, error.status) from error
        raise OutcomeUnknown(message, error.detail, error.url) from error


def _options(field: Field, place: Place, size: int, where: Mapping[str, Any] | None, *, down: bool) -> dict[str, Any]:
    """Bounds exclude themselves, and databases may hold finer times than the API shows: hence one instant beyond."""
    conditions: list[dict[str, Any]] = [dict(where)] if where else []
    if place.at is not None:
        bound = {"before": format_utc(place.at + INSTANT)} if down else {"after": format_utc(place.at - INSTANT)}
        conditions.append({field: bound})
    elif field == "orderPlacedAt":
        conditions.append(PLACED)
    if place.seen:
        conditions.append({"id": {"notIn": place.seen}})
    order = {field: "DESC" if down else "ASC"}
    return {"take": size, "sort": order, "filter": {"_and": conditions} if conditions else {}}


def _raw_page(
    items: Sequence[bytes], cursor: msgspec.Struct, precision: int | None, total: int | None = None
) -> RawPage:
    records = items if precision is None else _marked(items, precision)
    return RawPage(records=records, cursor=write_cursor(cursor), total=total)


def _marked(items: Sequence[bytes], precision: int) -> list[bytes]:
    """Records with the ``precision`` in each, so that its money can be read without asking the server again."""
    return [b'{"moneyPrecision":%d,' % precision + raw.lstrip()[1:] for raw in items]


def _back(place: Place, overlap: timedelta) -> Place:
    return Place(place.at - overlap) if place.at else place


def _date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except (TypeError, ValueError):
        return None
