"""ShipHero's client: what to ask, in which order, and how nothing that changed is missed.

ShipHero lists records between two dates, in an order that it does not document. A list of many pages that changes while it is
read can lose records, so none is read so: the ids of a window of time are asked for on one page, which is one moment of the
list, and a window with more than a page of them is halved. The records are then fetched by their ids. What changes
meanwhile moves to a later window, and that is read later.

A first run of orders walks through such windows by ``updated_at`` from now back; each further run from where the
last one began up to now. Bounds are widened by a second, because the vendor does not tell whether they are inclusive.
"""

import base64
import binascii
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Literal, TypeVar

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
    PlatformUnavailable,
    Pull,
    RateLimitedByPlatform,
    RawPage,
    RequestRefused,
    Session,
    fingerprint,
    read_cursor,
    write_cursor,
)
from unicart.connectors.shiphero import auth, mapping, payloads, webhooks, writes
from unicart.connectors.shiphero.errors import NOT_FOUND, OUTCOMES, Answer, is_of, refusal
from unicart.connectors.shiphero.facts import FACTS
from unicart.contract.resources import Function, Record
from unicart.contract.writes import InventoryAdjustment, NewShipment

log = logging.getLogger(__name__)
T = TypeVar("T")
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Stage = Literal["orders", "orders_created", "products", "products_created", "stock"]

GRAPHQL = "/graphql"
IDS = 100
"""Ids on a page: ShipHero's default, at a cost of one credit each."""

BATCH = 5
"""Records fetched in one request. ShipHero counts lists inside them at their full length beforehand: it must fit in 4004."""

LINES = 50
SHIPMENT_LINES = 25
LONGEST_WAIT = 60
MOST_TRIES = 10
MOST_PASSES = 10
FIRST_WINDOW = timedelta(hours=1)
SECOND = timedelta(seconds=1)
LOOKED_BACK = timedelta(days=2)
"""How old a write may be that is repeated: a reference lives for a day."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(9999, 1, 1, tzinfo=UTC)

PAGE_INFO = "pageInfo { hasNextPage endCursor }"
LINE = """id sku product_name product { id } quantity quantity_shipped backorder_quantity price promotion_discount
      fulfillment_status partner_line_item_id"""
SHIPMENT_LINE = "id line_item_id quantity"
ADDRESS = "first_name last_name company address1 address2 city state state_code zip country country_code email phone"
ORDER = f"""fragment Fields on Order {{
  id legacy_id order_number partner_order_id shop_name source account_id fulfillment_status order_date updated_at
  required_ship_date hold_until_date total_tax total_discounts total_price currency email profile packing_note
  gift_note tags
  shipping_lines {{ title carrier method price }}
  shipping_address {{ {ADDRESS} }}
  billing_address {{ {ADDRESS} }}
  holds {{ fraud_hold address_hold shipping_method_hold operator_hold payment_hold client_hold }}
  line_items(first: {LINES}) {{
    edges {{ node {{
      {LINE}
    }} }}
    {PAGE_INFO}
  }}
  shipments {{
    id warehouse_id created_date delivered refunded shipped_off_shiphero
    shipping_labels {{
      id carrier shipping_method tracking_number tracking_url status created_date refunded
    }}
    line_items(first: {SHIPMENT_LINES}) {{ edges {{ node {{ {SHIPMENT_LINE} }} }} {PAGE_INFO} }}
  }}
  allocations {{
    warehouse_id allocated_at allocation_reference
    line_items {{ line_item_id quantity_allocated is_kit_component }}
  }}
  authorizations {{ transaction_id authorized_amount postauthed_amount refunded_amount }}
}}"""
PRODUCT = """fragment Fields on Product {
  id legacy_id account_id sku name barcode kit kit_build virtual created_at updated_at tags
  dimensions { height width length weight }
  images { src position }
  kit_components { sku quantity }
  warehouse_products {
    warehouse_id active on_hand allocated available backorder price value value_currency updated_at
  }
}"""
WAREHOUSES = """query Warehouses {
  account {
    data {
      warehouses {
        id legacy_id account_id identifier company_name company_alias profile
        address { name address1 address2 city state zip country phone }
      }
    }
  }
}"""
ORDER_LINES = f"""query OrderLines($id: String!, $after: String) {{
  of: order(id: $id) {{
    data {{ line_items(first: {LINES}, after: $after) {{ edges {{ node {{ {LINE} }} }} {PAGE_INFO} }} }}
  }}
}}"""
SHIPMENT_LINES_REST = f"""query ShipmentLines($id: String!, $after: String) {{
  of: shipment(id: $id) {{
    data {{ line_items(first: {LINES}, after: $after) {{ edges {{ node {{ {SHIPMENT_LINE} }} }} {PAGE_INFO} }} }}
  }}
}}"""
SHIPMENT_ORDER = "query ShipmentOrder($id: String!) { of: shipment(id: $id) { data { order { id } } } }"
SKU = """query Sku($sku: String!, $customer: String) {
  list: products(sku: $sku, customer_account_id: $customer) {
    data(first: 100) { edges { node { id } } pageInfo { hasNextPage endCursor } }
  }
}"""
CHECK = """query Check($customer: String) {
  account { data { id email username } }
  orders(customer_account_id: $customer, analyze: true) { complexity }
  products(customer_account_id: $customer, analyze: true) { complexity }
  warehouse_products(customer_account_id: $customer, analyze: true) { complexity }
}"""
WEBHOOKS = """query Webhooks($customer: String, $after: String) {
  webhooks(customer_account_id: $customer) {
    data(first: 100, after: $after) { edges { node { name url shop_name } } pageInfo { hasNextPage endCursor } }
  }
}"""
WEBHOOK_CREATE = """mutation WebhookCreate($data: CreateWebhookInput!) {
  webhook_create(data: $data) { webhook { shared_signature_secret } }
}"""
WEBHOOK_DELETE = "mutation WebhookDelete($data: DeleteWebhookInput!) { webhook_delete(data: $data) { request_id } }"

OWN_ACCOUNT = "query OwnAccount { account { data { id email username } } }"
STOCK_CHANGES = f"""query StockChanges(
  $reason: String!, $from: ISODateTime!, $to: ISODateTime!, $customer: String, $after: String
) {{
  list: inventory_changes(reason: $reason, date_from: $from, date_to: $to, customer_account_id: $customer) {{
    data(first: {LINES}, after: $after) {{ edges {{ node {{ sku change_in_on_hand reason }} }} {PAGE_INFO} }}
  }}
}}"""
STOCK_ADD = "mutation StockAdd($data: UpdateInventoryInput!) { inventory_add(data: $data) { request_id } }"
STOCK_REMOVE = "mutation StockRemove($data: UpdateInventoryInput!) { inventory_remove(data: $data) { request_id } }"
STOCK_REPLACE = "mutation StockReplace($data: ReplaceInventoryInput!) { inventory_replace(data: $data) { request_id } }"
SHIPMENT_CREATE = """mutation ShipmentCreate($data: CreateShipmentInput!) {
  shipment_create(data: $data) { request_id }
}"""
ORDER_STATUS = """mutation OrderStatus($data: UpdateOrderFulfillmentStatusInput!) {
  order_update_fulfillment_status(data: $data) { request_id }
}"""


def _ids(list: str, dates: str, node: str) -> str:
    return f"""query Ids($from: ISODateTime, $to: ISODateTime, $customer: String, $first: Int, $after: String) {{
  list: {list}({dates}_from: $from, {dates}_to: $to, customer_account_id: $customer) {{
    data(first: $first, after: $after) {{ edges {{ node {{ {node} }} }} {PAGE_INFO} }}
  }}
}}"""


STAGES: Mapping[Stage, str] = {
    "orders": _ids("orders", "updated", "id at: updated_at"),
    "orders_created": _ids("orders", "order_date", "id at: order_date"),
    "products": _ids("products", "updated", "id at: updated_at"),
    "products_created": _ids("products", "created", "id at: created_at"),
    "stock": _ids("warehouse_products", "updated", "at: updated_at product { id }"),
}
FIRST_RUN: Mapping[Function, list[Stage]] = {
    Function.GET_ORDERS: ["orders"],
    Function.GET_PRODUCTS: ["products_created"],
}
INCREMENT: Mapping[Function, list[Stage]] = {
    Function.GET_ORDERS: ["orders"],
    Function.GET_PRODUCTS: ["products", "stock"],
}
WINDOW: Mapping[Function, list[Stage]] = {
    Function.GET_ORDERS: ["orders_created"],
    Function.GET_PRODUCTS: ["products_created"],
}
RECORDS = {Function.GET_ORDERS: ("order", ORDER), Function.GET_PRODUCTS: ("product", PRODUCT)}


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a walk: the time from ``low`` to ``high``, and ``ids`` of the last window that are still to fetch.

    ``width`` is how many seconds of it the next window takes. ``seen`` are the ids and dates that the last window listed: at
    its edge, the next one lists them again.
    """

    low: Moment
    high: Moment
    width: int
    ids: list[str] = []
    seen: dict[str, str] = {}


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands: ``walk`` is through the first of ``stages``, the other ones go from ``low`` to ``high``.

    Without stages the run is done, and the next one begins at ``reached``: the platform's time when this one began. A first
    run walks ``down``.
    """

    reached: Moment
    low: Moment
    high: Moment
    walk: Walk
    stages: list[Stage]
    down: bool = False


class WarehousesCursor(msgspec.Struct, frozen=True):
    """Warehouses are read whole each time."""


class _PageInfo(msgspec.Struct, rename="camel"):
    has_next_page: bool = False
    end_cursor: str | None = None


class _Nested(msgspec.Struct):
    """A list inside a record, or a part of one."""

    edges: list[msgspec.Raw] = []
    page_info: _PageInfo = msgspec.field(name="pageInfo", default_factory=_PageInfo)


class _Named(msgspec.Struct):
    id: str


class _Node(msgspec.Struct):
    id: str | None = None
    at: str | None = None
    product: _Named | None = None

    @property
    def key(self) -> str:
        return self.id or (self.product.id if self.product else "")


class _Edge(msgspec.Struct):
    node: _Node | None = None


class _Page(msgspec.Struct):
    edges: list[_Edge | None]
    page_info: _PageInfo = msgspec.field(name="pageInfo")

    @property
    def nodes(self) -> list[_Node]:
        """What is listed; a record that the account may not see is null."""
        return [edge.node for edge in self.edges if edge is not None and edge.node is not None and edge.node.key]


class _PageHolder(msgspec.Struct):
    data: _Page


class _Listed(msgspec.Struct):
    list: _PageHolder


class _Holder(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Lines(msgspec.Struct):
    line_items: _Nested


class _LinesHolder(msgspec.Struct):
    data: _Lines


class _LinesOf(msgspec.Struct):
    of: _LinesHolder


class _Shipment(msgspec.Struct):
    order: _Named | None = None


class _ShipmentHolder(msgspec.Struct):
    data: _Shipment | None = None


class _ShipmentOf(msgspec.Struct):
    of: _ShipmentHolder | None = None


class _Owned(msgspec.Struct):
    account_id: str | None = None


class _Account(msgspec.Struct):
    id: str
    email: str | None = None
    username: str | None = None


class _AccountHolder(msgspec.Struct):
    data: _Account


class _Checked(msgspec.Struct):
    account: _AccountHolder


class _Places(msgspec.Struct):
    warehouses: list[msgspec.Raw] | None = None


class _PlacesHolder(msgspec.Struct):
    data: _Places


class _Warehouses(msgspec.Struct):
    account: _PlacesHolder


class _Kind(msgspec.Struct):
    """Orders have a status, products none."""

    fulfillment_status: str | msgspec.UnsetType | None = msgspec.UNSET


class _Change(msgspec.Struct):
    sku: str | None = None
    change_in_on_hand: int | None = None
    reason: str | None = None


class _ChangeEdge(msgspec.Struct):
    node: _Change | None = None


class _ChangePage(msgspec.Struct):
    edges: list[_ChangeEdge | None]
    page_info: _PageInfo = msgspec.field(name="pageInfo")


class _ChangePageHolder(msgspec.Struct):
    data: _ChangePage


class _Changes(msgspec.Struct):
    list: _ChangePageHolder


class _Webhook(msgspec.Struct):
    name: str
    url: str | None = None
    shop_name: str | None = None


class _WebhookEdge(msgspec.Struct):
    node: _Webhook


class _WebhookPage(msgspec.Struct):
    edges: list[_WebhookEdge]
    page_info: _PageInfo = msgspec.field(name="pageInfo")


class _WebhookPageHolder(msgspec.Struct):
    data: _WebhookPage


class _Webhooks(msgspec.Struct):
    webhooks: _WebhookPageHolder


class _Created(msgspec.Struct):
    shared_signature_secret: str


class _CreatedHolder(msgspec.Struct):
    webhook: _Created


class _WebhookCreated(msgspec.Struct):
    webhook_create: _CreatedHolder


class ShipHeroConnector(Connector):
    """An account of ShipHero: a merchant's, a 3PL's, or one client of a 3PL."""

    facts = FACTS

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        super().__init__(credentials, session)
        session.outcomes.update(OUTCOMES)
        session.refresh = self._log_in
        self._customer = credentials.get("customer_account_id") or None
        self._own_id: str | None = None
        self._logged_in = False
        self._ahead = timedelta(0)

    @classmethod
    def base_url(cls, credentials: Mapping[str, str]) -> str:
        return credentials.get("url") or "https://public-api.shiphero.com"

    async def check(self) -> Account:
        account = (await self._ask(CHECK, _Checked, {"customer": self._customer})).account.data
        id = self._customer or account.id
        return Account(account_id=id, account_name=account.username or account.email or id)

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        pages = self._pull_warehouses(pull) if function is Function.GET_WAREHOUSES else self._walk(function, pull)
        async for page in pages:
            yield page

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        wanted = [id for id in dict.fromkeys(ids) if id]
        if function is Function.GET_WAREHOUSES:
            return [raw for raw in await self._warehouses() if self._decoded(raw, _Named).id in wanted]
        if function is Function.GET_PRODUCTS:
            wanted = [id for given in wanted for id in await self._products_of(given)]
        else:
            wanted = [id for given in wanted for id in await self._orders_of(given)]
        wanted = list(dict.fromkeys(wanted))
        found: list[bytes] = []
        for start in range(0, len(wanted), BATCH):
            found += await self._records(function, wanted[start : start + BATCH])
        return found

    async def ready(self) -> None:
        if not self._logged_in:
            await self._log_in()

    async def adjust_inventory(self, product: bytes, adjustment: InventoryAdjustment, reference: str) -> None:
        source = self._decoded(product, payloads.Product)
        warehouse_id = writes.place(source, adjustment)
        customer = await self._acting_for(source.account_id)
        if await self._stock_changes(reference, customer):
            return
        change = writes.adjustment(source, warehouse_id, adjustment)
        if not change.quantity and not change.exact:
            return
        try:
            await self._change_stock(change, writes.reason(adjustment.reason or "Adjusted", reference), customer)
        except (OutcomeUnknown, BadAnswer) as unknown:
            if not await self._is_logged(reference, customer):
                raise unknown

    async def create_shipment(self, order: bytes, shipment: NewShipment, reference: str) -> None:
        """Take what is shipped from the stock, create the shipment, and close the order if that was the last of it.

        The shipment is what nobody can take back: what may be refused and undone comes before it.
        """
        unified, source = mapping.order(order), self._decoded(order, payloads.Order)
        customer = await self._acting_for(source.account_id)
        if writes.awaits_status(unified, source) and writes.is_told(unified, source, shipment):
            await self._close(source, customer)
            return
        parcel = writes.parcel(unified, source, shipment)
        warehouse_id = parcel.warehouse_id or await self._only_warehouse()
        data = writes.shipment(source, parcel, warehouse_id, shipment)
        taken: list[writes.StockChange] = []
        reason = writes.reason(f"Shipped with order {source.order_number or source.id}", reference)
        if shipment.specific.get("remove_inventory", True):
            products = await self.fetch(Function.GET_PRODUCTS, writes.products_of(source, parcel))
            contents = [self._decoded(each, payloads.Product) for each in products]
            wanted = writes.withdrawals(source, parcel, warehouse_id, contents)
            taken = await self._take(wanted, reason, reference, customer)
        try:
            await self._ask(SHIPMENT_CREATE, msgspec.Raw, {"data": data}, once=True)
        except (OutcomeUnknown, BadAnswer):
            raise
        except ConnectorError as error:
            await self._put_back(taken, reason, customer, error)
            raise
        if parcel.last:
            await self._close(source, customer)

    @classmethod
    def bears(cls, raw: bytes, reference: str) -> bool | None:
        """False for an order that is shipped but not closed: the last step is missing. Otherwise it shows no reference."""
        if msgspec.json.decode(raw, type=_Kind).fulfillment_status is msgspec.UNSET:
            return None
        source = msgspec.json.decode(raw, type=payloads.Order)
        return False if writes.awaits_status(mapping.order(raw), source) else None

    async def subscribe(self, url: str) -> dict[str, str]:
        shop_name = f"unicart-{fingerprint(url)}"
        # ShipHero tells a secret once and takes one webhook for each name and shop_name: the old ones go first.
        await self._delete_webhooks(lambda webhook: webhook.shop_name == shop_name or webhook.url == url)
        subscription = {"shop_name": shop_name}
        try:
            for name in webhooks.NAMES:
                data = self._for_customer({"name": name, "url": url, "shop_name": shop_name})
                made = await self._ask(WEBHOOK_CREATE, _WebhookCreated, {"data": data})
                subscription[webhooks.SECRET + name] = made.webhook_create.webhook.shared_signature_secret
        except ConnectorError:
            await self.unsubscribe(subscription)
            raise
        return subscription

    async def unsubscribe(self, subscription: Mapping[str, str]) -> None:
        shop_name = subscription.get("shop_name")
        if shop_name:
            await self._delete_webhooks(lambda webhook: webhook.shop_name == shop_name)

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
            return [mapping.product(raw)]
        return [mapping.warehouse(raw)]

    async def _walk(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        replace = msgspec.structs.replace
        cursor = await self._cursor(function, pull)
        while cursor.stages:
            async for records, walk in self._windows(function, cursor.stages[0], cursor.walk, down=cursor.down):
                cursor = replace(cursor, walk=walk)
                yield RawPage(records=records, cursor=write_cursor(cursor))
            cursor = replace(cursor, stages=cursor.stages[1:], walk=_whole(cursor.low, cursor.high))
        yield RawPage(records=[], cursor=write_cursor(cursor))

    async def _cursor(self, function: Function, pull: Pull) -> Cursor:
        """Where to go on, or what a new run has to walk through."""
        cursor = read_cursor(pull.cursor, Cursor) if pull.cursor else None
        if cursor and (pull.interrupted or cursor.stages):
            return cursor
        now = await self._time()
        if pull.until is not None:
            # Unified dates are whole seconds, so that the last second belongs to the window as a whole.
            low, high, stages = pull.since or BEGINNING, min(pull.until, END) + SECOND, WINDOW[function]
        elif cursor is not None:
            low, high, stages = cursor.reached - pull.overlap, now + SECOND, INCREMENT[function]
        else:
            limit = pull.since if function is Function.GET_ORDERS else None
            low, high, stages = limit or BEGINNING, now + SECOND, FIRST_RUN[function]
        low, high = low.replace(microsecond=0), high.replace(microsecond=0)
        first = cursor is None and pull.until is None
        walk = Walk(low=low, high=high, width=int(FIRST_WINDOW.total_seconds())) if first else _whole(low, high)
        return Cursor(reached=now, low=low, high=high, walk=walk, stages=stages, down=first)

    async def _windows(
        self, function: Function, stage: Stage, walk: Walk, *, down: bool
    ) -> AsyncIterator[tuple[list[bytes], Walk]]:
        """The records of one window after another, each time with what is left to walk."""
        while True:
            while walk.ids:
                records = await self._records(function, walk.ids[:BATCH])
                walk = msgspec.structs.replace(walk, ids=walk.ids[BATCH:])
                yield records, walk
            if walk.low >= walk.high:
                return
            walk = await self._next_window(stage, walk, down=down)

    async def _next_window(self, stage: Stage, walk: Walk, *, down: bool) -> Walk:
        """``walk`` behind its next window, with the ids of that; or with half the width if they are too many."""
        width = min(walk.width, int((walk.high - walk.low).total_seconds()))
        step = timedelta(seconds=width)
        low, high = (walk.high - step, walk.high) if down else (walk.low, walk.low + step)
        nodes = await self._snapshot(stage, low, high)
        if nodes is None:
            return msgspec.structs.replace(walk, width=max(width // 2, 1))
        dates = {node.key: node.at or "" for node in nodes}
        ids = sorted(dates, key=lambda id: (dates[id], id), reverse=down)
        ids = [id for id in ids if walk.seen.get(id) != dates[id]]
        grown = width * 2 if len(nodes) <= IDS // 4 else width
        left = (walk.low, low) if down else (high, walk.high)
        return Walk(low=left[0], high=left[1], width=grown, ids=ids, seen=dates)

    async def _snapshot(self, stage: Stage, low: datetime, high: datetime) -> list[_Node] | None:
        """What is listed in a window at one moment; null if that is more than a page, and the window can be halved."""
        page = await self._list(stage, low, high)
        if not page.page_info.has_next_page:
            return page.nodes
        return None if high - low > SECOND else await self._still(stage, low, high)

    async def _still(self, stage: Stage, low: datetime, high: datetime) -> list[_Node]:
        """All pages of a window, read until two passes are the same: then none was skipped for one that had left."""
        before: dict[str, _Node] = {}
        for _ in range(MOST_PASSES):
            found = await self._pass(stage, low, high)
            if found.keys() == before.keys():
                return list(found.values())
            before = found
        raise PlatformUnavailable(
            f"{self.session.base_url} changes more than {IDS} records at {_text(low)} while they are read. The next run "
            "tries again.",
            url=self.session.base_url,
        )

    async def _pass(self, stage: Stage, low: datetime, high: datetime) -> dict[str, _Node]:
        found: dict[str, _Node] = {}
        after: str | None = None
        while True:
            page = await self._list(stage, low, high, after)
            found |= {node.key: node for node in page.nodes}
            if not page.page_info.has_next_page:
                return found
            after = self._behind(page.page_info, after)

    async def _list(self, stage: Stage, low: datetime, high: datetime, after: str | None = None) -> _Page:
        bounds = {"from": _text(max(low - SECOND, BEGINNING)), "to": _text(high + SECOND)}
        variables = {**bounds, "customer": self._customer, "first": IDS, "after": after}
        return (await self._ask(STAGES[stage], _Listed, variables)).list.data

    async def _records(self, function: Function, ids: Sequence[str]) -> list[bytes]:
        """The records of these ids; those that are gone, or not the customer's, are left out."""
        name, fields = RECORDS[function]
        declared = ", ".join(f"$i{index}: String!" for index in range(len(ids)))
        asked = "\n".join(f"  r{index}: {name}(id: $i{index}) {{ data {{ ...Fields }} }}" for index in range(len(ids)))
        query = f"query Records({declared}) {{\n{asked}\n}}\n{fields}"
        variables = {f"i{index}": id for index, id in enumerate(ids)}
        half = len(ids) // 2
        try:
            answer = await self._ask(query, dict[str, _Holder | None], variables, or_none=True)
        except RequestRefused:
            if not half:
                raise
            answer = {}
        if half and not answer:
            # It may be too costly for this account, or one that is gone may have taken the others' data with it.
            return [*await self._records(function, ids[:half]), *await self._records(function, ids[half:])]
        raws = [bytes(holder.data) for holder in answer.values() if holder is not None]
        kept = [raw for raw in raws if raw != b"null" and self._is_ours(raw)]
        return [await self._completed(raw) for raw in kept] if function is Function.GET_ORDERS else kept

    def _is_ours(self, raw: bytes) -> bool:
        if self._customer is None:
            return True
        owner = self._decoded(raw, _Owned).account_id
        return owner in (None, self._customer, base64.b64encode(f"Account:{self._customer}".encode()).decode())

    async def _completed(self, raw: bytes) -> bytes:
        """The order with all of its lines, and all lines of its shipments."""
        order = self._decoded(raw, dict[str, msgspec.Raw])
        shipments = self._decoded(bytes(order.get("shipments", b"null")), list[dict[str, msgspec.Raw] | None] | None)
        changed = await self._with_all_lines(order, ORDER_LINES)
        for shipment in shipments or []:
            changed |= shipment is not None and await self._with_all_lines(shipment, SHIPMENT_LINES_REST)
        if not changed:
            return raw
        order["shipments"] = msgspec.Raw(msgspec.json.encode(shipments))
        return msgspec.json.encode(order)

    async def _with_all_lines(self, record: dict[str, msgspec.Raw], query: str) -> bool:
        """Whether ``record`` had more lines than came with it; they are put into it."""
        lines = self._decoded(bytes(record.get("line_items", b"null")), _Nested | None)
        if lines is None or not lines.page_info.has_next_page:
            return False
        id = self._decoded(bytes(record.get("id", b"null")), str)
        edges, info = lines.edges, lines.page_info
        while info.has_next_page:
            after = self._behind(info, None)
            part = (await self._ask(query, _LinesOf, {"id": id, "after": after})).of.data.line_items
            edges, info = [*edges, *part.edges], part.page_info
            if info.has_next_page:
                self._behind(info, after)
        record["line_items"] = msgspec.Raw(msgspec.json.encode({"edges": edges}))
        return True

    async def _orders_of(self, id: str) -> list[str]:
        """The order's id, of its own or of one of its shipments."""
        if not _is_of(id, "Shipment"):
            return [id]
        answer = await self._ask(SHIPMENT_ORDER, _ShipmentOf, {"id": id}, or_none=True)
        order = answer.of.data.order if answer.of and answer.of.data else None
        return [order.id] if order else []

    async def _products_of(self, id: str) -> list[str]:
        """The product's id; those of all products with the SKU, if it is one of a webhook."""
        if not id.startswith(webhooks.SKU):
            return [id]
        variables = {"sku": id.removeprefix(webhooks.SKU), "customer": self._customer}
        found = await self._ask(SKU, _Listed, variables)
        return [node.key for node in found.list.data.nodes]

    async def _pull_warehouses(self, pull: Pull) -> AsyncIterator[RawPage]:
        within = pull.until is None or (pull.since or BEGINNING) <= mapping.UNDATED
        records = await self._warehouses() if within else []
        yield RawPage(records=records, cursor=write_cursor(WarehousesCursor()), total=len(records))

    async def _warehouses(self) -> list[bytes]:
        answer = await self._ask(WAREHOUSES, _Warehouses)
        raws = map(bytes, answer.account.data.warehouses or [])
        return [raw for raw in raws if raw != b"null"]

    async def _take(
        self, wanted: Sequence[writes.StockChange], reason: str, reference: str, customer: str | None
    ) -> list[writes.StockChange]:
        """Take units from the stock, those that an earlier call has not taken; what was taken in all."""
        logged = await self._stock_changes(reference, customer) if wanted else {}
        taken: list[writes.StockChange] = []
        for change in wanted:
            missing = msgspec.structs.replace(change, quantity=change.quantity - logged.get(change.sku, 0))
            try:
                if missing.quantity < 0:
                    await self._change_stock(missing, reason, customer)
            except (OutcomeUnknown, BadAnswer):
                raise
            except ConnectorError as error:
                before = msgspec.structs.replace(change, quantity=change.quantity - missing.quantity)
                await self._put_back([*taken, before], reason, customer, error)
                if not isinstance(error, RequestRefused):
                    raise
                message = f"{error.message} {change.sku} is not taken from the stock; remove_inventory false leaves it."
                raise RequestRefused(message, error.detail, error.url, error.status) from error
            taken.append(change)
        return taken

    async def _put_back(
        self, taken: Sequence[writes.StockChange], reason: str, customer: str | None, refusal: ConnectorError
    ) -> None:
        for change in taken:
            if not change.quantity:
                continue
            back = msgspec.structs.replace(change, quantity=-change.quantity)
            try:
                await self._change_stock(back, reason, customer)
            except ConnectorError as error:
                message = f"{refusal.message} {-change.quantity} of {change.sku} may still be missing in the stock: "
                raise OutcomeUnknown(message + error.message, error.detail, error.url) from error

    async def _change_stock(self, change: writes.StockChange, reason: str, customer: str | None) -> None:
        query = STOCK_REPLACE if change.exact else STOCK_REMOVE if change.quantity < 0 else STOCK_ADD
        await self._ask(query, msgspec.Raw, {"data": writes.stock(change, reason, customer)}, once=True)

    async def _stock_changes(self, reference: str, customer: str | None) -> dict[str, int]:
        """By SKU, how much the stock on hand has changed under a reference."""
        now = await self._time()
        bounds = {"from": _text(now - LOOKED_BACK), "to": _text(now + timedelta(hours=1))}
        found: dict[str, int] = {}
        after: str | None = None
        while True:
            variables = {**bounds, "reason": reference, "customer": customer, "after": after}
            try:
                page = (await self._ask(STOCK_CHANGES, _Changes, variables)).list.data
            except (PlatformUnavailable, RateLimitedByPlatform) as error:
                # An earlier call may have changed it: to take this for a refusal would let it be changed twice.
                message = f"Whether the stock is changed already cannot be read now: {error.message}"
                raise OutcomeUnknown(message, error.detail, error.url) from error
            for node in (edge.node for edge in page.edges if edge is not None and edge.node is not None):
                if reference in (node.reason or ""):
                    found[node.sku or ""] = found.get(node.sku or "", 0) + (node.change_in_on_hand or 0)
            if not page.page_info.has_next_page:
                return found
            after = self._behind(page.page_info, after)

    async def _is_logged(self, reference: str, customer: str | None) -> bool:
        try:
            return bool(await self._stock_changes(reference, customer))
        except ConnectorError:
            return False

    async def _close(self, order: payloads.Order, customer: str | None) -> None:
        """Set an order to fulfilled, which may be done twice."""
        try:
            await self._ask(ORDER_STATUS, msgspec.Raw, {"data": writes.fulfilled(order, customer)})
        except RequestRefused as error:
            log.warning("%s is shipped, but ShipHero does not set it to fulfilled: %s", order.id, error.message)
        except ConnectorError as error:
            message = f"The shipment is created, but the order is not set to fulfilled yet: {error.message}"
            raise OutcomeUnknown(message, error.detail, error.url) from error

    async def _only_warehouse(self) -> str:
        ids: list[str] = [self._decoded(raw, _Named).id for raw in await self._warehouses()]
        if len(ids) == 1:
            return ids[0]
        message = (
            f"warehouse_id: is needed, as the lines are not allocated. The account has: {', '.join(ids) or 'none'}."
        )
        raise RequestRefused(message, status=422)

    async def _acting_for(self, owner: str | None) -> str | None:
        """Whose records a mutation is told to change: null for the account's own, else the 3PL's client."""
        if self._customer or not owner:
            return self._customer
        if self._own_id is None:
            self._own_id = (await self._ask(OWN_ACCOUNT, _Checked)).account.data.id
        return None if owner == self._own_id else owner

    async def _delete_webhooks(self, chosen: Callable[[_Webhook], bool]) -> None:
        for webhook in await self._webhooks():
            if chosen(webhook):
                data: dict[str, str] = {"name": webhook.name}
                if webhook.shop_name:
                    data["shop_name"] = webhook.shop_name
                await self._ask(WEBHOOK_DELETE, msgspec.Raw, {"data": self._for_customer(data)}, or_none=True)

    async def _webhooks(self) -> list[_Webhook]:
        found: list[_Webhook] = []
        after: str | None = None
        while True:
            answer = await self._ask(WEBHOOKS, _Webhooks, {"customer": self._customer, "after": after})
            page = answer.webhooks.data
            found += [edge.node for edge in page.edges]
            if not page.page_info.has_next_page:
                return found
            after = self._behind(page.page_info, after)

    def _for_customer(self, data: dict[str, str]) -> dict[str, str]:
        return {**data, "customer_account_id": self._customer} if self._customer else data

    def _behind(self, info: _PageInfo, before: str | None) -> str:
        if not info.end_cursor or info.end_cursor == before:
            url = self.session.base_url
            raise BadAnswer(f"{url} says that there is another page, but not where.", url=url)
        return info.end_cursor

    async def _ask(
        self,
        query: str,
        type: type[T],
        variables: Mapping[str, Any] | None = None,
        *,
        or_none: bool = False,
        once: bool = False,
    ) -> T:
        """The decoded data of a query, once there are credits for it. With ``or_none``, records that are not there are null.

        A mutation that must not take effect twice is sent ``once``: what has an error by ShipHero has not taken effect.

        Raises:
            ConnectorError: by the code of ShipHero's error.
        """
        renewed = not self._logged_in
        if renewed:
            await self._log_in()
        for _ in range(MOST_TRIES):
            answer, url = await self._send(query, variables, once)
            errors = [each for each in answer.errors if not (or_none and is_of(each, NOT_FOUND))]
            if not errors:
                nothing = or_none and bytes(answer.data) == b"null"
                data: T = self._decoded(b"{}" if nothing else bytes(answer.data), type)
                return data
            error = refusal(errors, url)
            if isinstance(error, CredentialsRejected) and not renewed:
                renewed = True
                await self._log_in()
            elif isinstance(error, RateLimitedByPlatform) and (error.retry_after or 0) <= LONGEST_WAIT:
                self.session.throttle.pause(error.retry_after or 0)
            else:
                break
        raise error

    async def _send(self, query: str, variables: Mapping[str, Any] | None, once: bool) -> tuple[Answer, str]:
        body = {"query": query, "variables": dict(variables or {})}
        reply = await self.session.request("POST", GRAPHQL, json=body, once=once)
        return self.session.decode(reply, Answer), reply.url

    async def _log_in(self) -> None:
        date = _date(await auth.login(self.session, self.credentials["refresh_token"]))
        self._ahead = date - datetime.now(UTC) if date else timedelta(0)
        self._logged_in = True

    async def _time(self) -> datetime:
        """The time by the platform's clock, as it told it at the login; by ours, if its answers carry no date."""
        if not self._logged_in:
            await self._log_in()
        return datetime.now(UTC) + self._ahead

    def _decoded(self, raw: bytes, type: Any) -> Any:
        try:
            return msgspec.json.decode(raw, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            url = self.session.base_url
            raise BadAnswer(f"{url} answered something that ShipHero does not document: {error}", url=url) from error


def _whole(low: datetime, high: datetime) -> Walk:
    return Walk(low=low, high=high, width=max(int((high - low).total_seconds()), 1))


def _is_of(id: str, kind: str) -> bool:
    """Whether a global id, which is the base64 of kind and number, is of this kind."""
    try:
        return base64.b64decode(id, validate=True).startswith(f"{kind}:".encode())
    except (binascii.Error, ValueError):
        return False


def _text(moment: datetime) -> str:
    """A date as filters take it: in UTC, without a zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _date(header: str) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except (TypeError, ValueError):
        return None
