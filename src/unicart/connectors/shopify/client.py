"""Shopify's Admin GraphQL API: what to ask, in which order, and how nothing that changed is missed.

What is asked of a record is declared once (`Shape`): queries, bulk operations, the pages of nested connections, and the
raw record made of their answers all follow from it.

Lists are walked by date: a page begins at the second of the last record of the page before, and records that were seen
in that second are dropped. Within a second, and within the last minute, in which dates still move while they are read, the
walk follows Shopify's own cursors. A record that changes meanwhile comes again at the end, and none is skipped.

A first run of orders takes the newest first. If there are many, a bulk operation brings them in Shopify's own order, at no
cost; it is read piece by piece, from the byte that was reached. Then come older orders that changed since, and what changed
meanwhile. Changes that do not move a record's own date are found by the dates of its parts.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar
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
    RateLimitedByPlatform,
    RawPage,
    RequestRefused,
    Session,
    fingerprint,
    format_utc,
    read_cursor,
    write_cursor,
)
from unicart.connectors.shopify import auth, mapping, payloads, webhooks, writes
from unicart.connectors.shopify.errors import (
    FAILED_BEFORE,
    OUTCOMES,
    Answer,
    TooCostly,
    UserError,
    refusal,
    unwritten,
)
from unicart.connectors.shopify.facts import FACTS
from unicart.connectors.shopify.payloads import Moment
from unicart.contract.resources import Function, Record
from unicart.contract.writes import AdjustmentType, InventoryAdjustment, NewRefund, NewShipment

T = TypeVar("T")
Phase = Literal["bulk", "newest", "older", "changes", "done"]
Node = dict[str, Any]
"""A record as it came: values of fields are `msgspec.Raw`, so that they stay as they are to the last digit."""

GRAPHQL = "/graphql.json"
SECOND = timedelta(seconds=1)
FRESH = timedelta(minutes=1)
"""Records that changed within this time may change their place while they are listed."""
VISIBLE = timedelta(days=60)
"""How old orders are shown without the scope read_all_orders."""
MARGIN = timedelta(days=1)
"""How long ago the window of a run may have been reckoned, and how exactly Shopify may count the days."""
THIRD_PARTY = (
    "Shopify does not show this app the fulfilment orders of fulfilment services: their shipping groups, and changes of them, "
    "are not seen. Grant it the scope read_third_party_fulfillment_orders, and install it anew."
)
HIDDEN = (
    "Shopify shows this app the orders of the last 60 days only: older ones, and changes of them, are not seen. Grant it the "
    "scope read_all_orders, then sync everything anew."
)
BULK_FROM = 2500
"""How many orders a first run must have for a bulk operation to be worth its while."""
BULK_PAGE = 100
BULK_PIECE = 4 << 20
BULK_TRIES = 2
FIRST_POLL, LONGEST_POLL = 1, 15
MOST_TRIES = 6
MOST_KEYS = 10
MONEY = "{ presentmentMoney { amount } }"
ADDRESS = "{ name company address1 address2 city province provinceCode zip country countryCodeV2 phone }"


class Shape(msgspec.Struct, frozen=True):
    """What is asked of a type: its own ``fields``, and what is below it in connections, lists and single objects."""

    type: str
    fields: str
    connections: dict[str, "Below"] = {}
    lists: dict[str, "Shape"] = {}
    objects: dict[str, "Shape"] = {}


class Below(msgspec.Struct, frozen=True):
    """A nested connection: its first page has ``first`` nodes, each further one ``next``."""

    shape: Shape
    first: int
    arguments: str = ""
    next: int = 100


def _selection(shape: Shape) -> str:
    parts = [shape.fields]
    for name, below in shape.connections.items():
        arguments = ", ".join(filter(None, [f"first: {below.first}", below.arguments]))
        parts.append(f"{name}({arguments}) {_PAGE.format(_selection(below.shape))}")
    parts += [f"{name} {{ {_selection(each)} }}" for name, each in {**shape.lists, **shape.objects}.items()]
    return " ".join(parts)


def _bulk_selection(shape: Shape) -> str:
    """Bulk operations allow no connections in lists; of these, only the ids are asked for."""
    parts = [f"__typename {shape.fields}"]
    for name, below in shape.connections.items():
        arguments = f"({below.arguments})" if below.arguments else ""
        parts.append(f"{name}{arguments} {{ edges {{ node {{ {_bulk_selection(below.shape)} }} }} }}")
    return " ".join([*parts, *(f"{name} {{ id }}" for name in shape.lists)])


def _more(type: str, name: str, below: Below) -> str:
    arguments = ", ".join(filter(None, [f"first: {below.next}, after: $after", below.arguments]))
    page = f"page: {name}({arguments}) {_PAGE.format(_selection(below.shape))}"
    return f"query More($id: ID!, $after: String) {{ node(id: $id) {{ ... on {type} {{ {page} }} }} }}"


def _nodes(shape: Shape) -> str:
    return f"query Nodes($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {shape.type} {{ {_selection(shape)} }} }} }}"


def _every_more(shape: Shape) -> dict[tuple[str, str], str]:
    """The queries for the further pages of every connection within ``shape``."""
    found = {(shape.type, name): _more(shape.type, name, below) for name, below in shape.connections.items()}
    inner = [below.shape for below in shape.connections.values()]
    for each in [*inner, *shape.lists.values(), *shape.objects.values()]:
        found |= _every_more(each)
    return found


class Listing(msgspec.Struct, frozen=True):
    """A list that is walked: what it is called, its records, its further arguments, and what is asked beside it."""

    name: str
    shape: Shape
    sort_type: str
    arguments: str = ""
    beside: str = ""

    @property
    def query(self) -> str:
        """The query for a page."""
        arguments = ", ".join(
            filter(None, ["first: $first, after: $after, query: $query, sortKey: $sort", self.arguments])
        )
        variables = f"$first: Int!, $after: String, $query: String, $sort: {self.sort_type}!, $reverse: Boolean!"
        page = f"page: {self.name}({arguments}, reverse: $reverse) {_PAGE.format(_selection(self.shape))}"
        return f"query List({variables}) {{ {page} {self.beside} }}"


_PAGE = "{{ nodes {{ {} }} pageInfo {{ hasNextPage endCursor }} }}"
LINE_ITEM = Shape(
    "LineItem",
    f"id title sku quantity currentQuantity isGiftCard variant {{ id }} product {{ id }} originalUnitPriceSet {MONEY} "
    f"discountAllocations {{ allocatedAmountSet {MONEY} }} taxLines {{ priceSet {MONEY} }}",
)
SHIPPING_LINE = Shape("ShippingLine", f"id title code carrierIdentifier taxLines {{ priceSet {MONEY} }}")
FULFILLMENT_ORDER = Shape(
    "FulfillmentOrder",
    "id status createdAt updatedAt fulfillAt fulfillBy assignedLocation { location { id } }",
    {"lineItems": Below(Shape("FulfillmentOrderLineItem", "id totalQuantity remainingQuantity lineItem { id }"), 10)},
)
FULFILLMENT = Shape(
    "Fulfillment",
    "id status displayStatus createdAt updatedAt location { id } trackingInfo { company number url }",
    {
        "fulfillmentLineItems": Below(Shape("FulfillmentLineItem", "id quantity lineItem { id }"), 10),
        "fulfillmentOrders": Below(Shape("FulfillmentOrder", "id"), 3),
    },
)
REFUND_LINE_ITEM = Shape("RefundLineItem", f"quantity subtotalSet {MONEY} totalTaxSet {MONEY} lineItem {{ id }}")
REFUND = Shape(
    "Refund",
    f"id createdAt note totalRefundedSet {MONEY}",
    {
        "refundLineItems": Below(REFUND_LINE_ITEM, 10),
        "refundShippingLines": Below(Shape("RefundShippingLine", f"taxAmountSet {MONEY}"), 2),
    },
)
ORDER_PARTS = Shape("Order", "id", lists={"fulfillments": FULFILLMENT, "refunds": REFUND})
ORDER = Shape(
    "Order",
    "id name createdAt updatedAt processedAt closedAt cancelledAt cancelReason test taxesIncluded dutiesIncluded "
    "currencyCode presentmentCurrencyCode email note poNumber sourceName tags discountCodes displayFulfillmentStatus "
    "displayFinancialStatus currentTotalPriceSet { presentmentMoney { amount } shopMoney { amount } } "
    f"currentTotalTaxSet {MONEY} currentShippingPriceSet {MONEY} currentTotalDutiesSet {MONEY} "
    f"currentTotalAdditionalFeesSet {MONEY} shippingAddress {ADDRESS} billingAddress {ADDRESS} "
    f'metafield(key: "{writes.NOTES_KEY}") {{ value compareDigest }}',
    {
        "lineItems": Below(LINE_ITEM, 20),
        "shippingLines": Below(SHIPPING_LINE, 2),
        "fulfillmentOrders": Below(FULFILLMENT_ORDER, 3, "displayable: true"),
    },
    ORDER_PARTS.lists,
)
INVENTORY_LEVEL = Shape(
    "InventoryLevel", 'id updatedAt location { id } quantities(names: ["available"]) { name quantity }'
)
INVENTORY_ITEM = Shape(
    "InventoryItem",
    "id tracked unitCost { amount } measurement { weight { unit value } }",
    {"inventoryLevels": Below(INVENTORY_LEVEL, 4)},
)
VARIANT = Shape(
    "ProductVariant",
    "id title createdAt updatedAt price sku barcode requiresComponents "
    "media(first: 1) { nodes { preview { image { url } } } }",
    objects={"inventoryItem": INVENTORY_ITEM},
)
PRODUCT = Shape(
    "Product",
    "id title status handle createdAt updatedAt vendor productType isGiftCard hasVariantsThatRequiresComponents tags "
    "category { fullName } featuredMedia { preview { image { url } } }",
    {"variants": Below(VARIANT, 10, next=25)},
)
LOCATION = Shape(
    "Location",
    "id name createdAt updatedAt isActive fulfillsOnlineOrders "
    "address { address1 address2 city province provinceCode zip country countryCode phone }",
)
STAMPED_GROUP = Shape("FulfillmentOrder", "id updatedAt orderId")
STAMPED_VARIANT = Shape("ProductVariant", "id updatedAt product { id }")
STAMPED_LEVEL = Shape("InventoryLevel", "id updatedAt item { variants(first: 1) { nodes { product { id } } } }")
OWNED_ITEM = Shape("InventoryItem", "id variants(first: 1) { nodes { product { id } } }")
NAMED_LOCATION = Shape("Location", "id")

ACCESS = "shop { myshopifyDomain name createdAt } currentAppInstallation { accessScopes { handle } }"
ORDERS = Listing("orders", ORDER, "OrderSortKeys", beside=ACCESS)
PRODUCTS = Listing("products", PRODUCT, "ProductSortKeys")
VARIANTS = Listing("productVariants", STAMPED_VARIANT, "ProductVariantSortKeys")
GROUPS = Listing("fulfillmentOrders", STAMPED_GROUP, "FulfillmentOrderSortKeys", "includeClosed: true")
LOCATIONS = Listing("locations", LOCATION, "LocationSortKeys", "includeInactive: true, includeLegacy: true")
LOCATION_IDS = Listing("locations", NAMED_LOCATION, "LocationSortKeys", "includeInactive: true, includeLegacy: true")
PAGE_SIZES = {
    "Order": 10,
    "Product": 5,
    "Location": 50,
    "FulfillmentOrder": 50,
    "ProductVariant": 50,
    "InventoryItem": 50,
}

MORE = {key: text for shape in (ORDER, PRODUCT) for key, text in _every_more(shape).items()}
ORDER_NODES, PART_NODES, PRODUCT_NODES = _nodes(ORDER), _nodes(ORDER_PARTS), _nodes(PRODUCT)
LOCATION_NODES, VARIANT_NODES, ITEM_NODES = _nodes(LOCATION), _nodes(STAMPED_VARIANT), _nodes(OWNED_ITEM)
LEVELS = f"""query Levels($id: ID!, $after: String, $query: String!) {{
  node(id: $id) {{ ... on Location {{
    page: inventoryLevels(first: 100, after: $after, query: $query, includeInactive: true) {_PAGE.format(_selection(STAMPED_LEVEL))}
  }} }}
}}"""
SHOP = f"query Shop {{ {ACCESS} }}"
COUNT = "query Count($query: String) { ordersCount(query: $query, limit: null) { count } }"
RUN_BULK = """mutation RunBulk($query: String!) {
  answer: bulkOperationRunQuery(query: $query, groupObjects: true) {
    bulkOperation { id } userErrors { message code }
  }
}"""
BULK_OPERATION = """query BulkOperation($id: ID!) {
  node(id: $id) { ... on BulkOperation { status errorCode fileSize url } }
}"""
SUBSCRIPTIONS = f"""query Subscriptions($uri: String!, $after: String) {{
  page: webhookSubscriptions(first: 50, after: $after, uri: $uri) {_PAGE.format("id topic")}
}}"""
SUBSCRIBE = """mutation Subscribe($topic: WebhookSubscriptionTopic!, $uri: String!) {
  answer: webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: $uri, format: JSON}) {
    userErrors { message }
  }
}"""
UNSUBSCRIBE = """mutation Unsubscribe($id: ID!) {
  answer: webhookSubscriptionDelete(id: $id) { userErrors { message } }
}"""

NOTE_SHIPMENT = """mutation NoteShipment($input: [MetafieldsSetInput!]!) {
  answer: metafieldsSet(metafields: $input) { userErrors { message code } }
}"""
FULFILL = """mutation Fulfill($input: FulfillmentInput!) {
  answer: fulfillmentCreate(fulfillment: $input) { fulfillment { id } userErrors { message } }
}"""
CANCEL_FULFILLMENT = """mutation CancelFulfillment($id: ID!) {
  answer: fulfillmentCancel(id: $id) { userErrors { message } }
}"""
REFUNDABLE = f"""query Refundable($id: ID!, $lines: [RefundLineItemInput!], $some: Boolean!) {{
  node(id: $id) {{ ... on Order {{
    whole: suggestedRefund(suggestFullRefund: true, refundShipping: true) {{ ...suggested }}
    part: suggestedRefund(refundLineItems: $lines) @include(if: $some) {{ ...suggested }}
  }} }}
}}
fragment suggested on SuggestedRefund {{
  maximumRefundableSet {MONEY}
  shipping {{ maximumRefundableSet {MONEY} taxSet {MONEY} }}
  refundLineItems {{ {_selection(REFUND_LINE_ITEM)} }}
  suggestedTransactions {{ gateway parentTransaction {{ id }} amountSet {MONEY} maximumRefundableSet {MONEY} }}
}}"""
REFUND_ORDER = """mutation RefundOrder($input: RefundInput!, $key: String!) {
  answer: refundCreate(input: $input) @idempotent(key: $key) { userErrors { message } }
}"""
ADJUST_STOCK = """mutation AdjustStock($input: InventoryAdjustQuantitiesInput!, $key: String!) {
  answer: inventoryAdjustQuantities(input: $input) @idempotent(key: $key) { userErrors { message code } }
}"""
SET_STOCK = """mutation SetStock($input: InventorySetQuantitiesInput!, $key: String!) {
  answer: inventorySetQuantities(input: $input) @idempotent(key: $key) { userErrors { message code } }
}"""


def bulk_query(search: str) -> str:
    """The query of the bulk operation that brings the orders found by ``search``."""
    arguments = f"(query: {msgspec.json.encode(search).decode()})" if search else ""
    return f"{{ orders{arguments} {{ edges {{ node {{ {_bulk_selection(ORDER)} }} }} }} }}"


class Walk(msgspec.Struct, frozen=True):
    """How far a list is walked: the second of the last record, the ids seen in it, and Shopify's own cursor, if needed.

    ``edge`` is where the walk came to records that had just changed: others of that time may have come behind it since.
    """

    position: Moment | None = None
    seen: list[str] = []
    after: str | None = None
    edge: Moment | None = None


class Bulk(msgspec.Struct, frozen=True):
    """A bulk operation: its id, how many bytes of its result are read, and how many failed before it."""

    id: str = ""
    offset: int = 0
    failed: int = 0


class OrdersCursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run over orders stands.

    ``walk`` is that of its ``phase``. The next run follows changes of orders from ``reached`` on, and those of fulfilment
    orders from ``groups`` on, of which ``known`` are the dates of the latest. The first run was limited to ``since``.
    """

    phase: Phase
    walk: Walk = Walk()
    bulk: Bulk = Bulk()
    reached: Moment
    groups: Moment
    known: dict[str, str] = {}
    since: Moment | None = None


class ProductsCursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run over products stands.

    ``began`` is when it began, by Shopify's clock. The next run follows variants and stock from ``parts`` on; null at first.
    """

    began: Moment | None = None
    walk: Walk = Walk()
    reached: Moment | None = None
    parts: Moment | None = None


class LocationsCursor(msgspec.Struct, frozen=True):
    """What every location looked like, by id."""

    known: dict[str, str] = {}


class WindowCursor(msgspec.Struct, frozen=True):
    """How far the records of a window of time are walked."""

    walk: Walk


class _PageInfo(msgspec.Struct, rename="camel"):
    has_next_page: bool
    end_cursor: str | None = None


class _Connection(msgspec.Struct, rename="camel"):
    nodes: list[dict[str, msgspec.Raw]]
    page_info: _PageInfo


class _Nodes(msgspec.Struct):
    nodes: list[dict[str, msgspec.Raw] | None]


class _Shop(msgspec.Struct, rename="camel"):
    myshopify_domain: str
    name: str
    created_at: Moment


class _Scope(msgspec.Struct):
    handle: str


class _Installation(msgspec.Struct, rename="camel"):
    access_scopes: list[_Scope]


class _Access(msgspec.Struct, rename="camel"):
    """The shop, and what the app may do there."""

    shop: _Shop
    current_app_installation: _Installation

    def scopes(self) -> list[str]:
        return [scope.handle for scope in self.current_app_installation.access_scopes]


class _Paged(msgspec.Struct, rename="camel"):
    page: _Connection
    shop: _Shop | None = None
    current_app_installation: _Installation | None = None


class _NodePaged(msgspec.Struct):
    node: _Paged | None


class _Number(msgspec.Struct):
    count: int


class _Count(msgspec.Struct, rename="camel"):
    orders_count: _Number | None


class _Made(msgspec.Struct):
    id: str


class _Mutated(msgspec.Struct, rename="camel"):
    user_errors: list[UserError]
    bulk_operation: _Made | None = None
    fulfillment: _Made | None = None


class _Mutation(msgspec.Struct):
    answer: _Mutated


class _Suggested(msgspec.Struct):
    whole: payloads.Refundable | None = None
    part: payloads.Refundable | None = None


class _SuggestedNode(msgspec.Struct):
    node: _Suggested | None


class _Operation(msgspec.Struct, rename="camel"):
    status: str
    error_code: str | None = None
    file_size: str | int | None = None
    url: str | None = None


class _OperationNode(msgspec.Struct):
    node: _Operation | None


class _Placed(msgspec.Struct):
    """Where a line of a bulk operation's result belongs."""

    type: str = msgspec.field(name="__typename")
    parent: str = msgspec.field(name="__parentId")


class _Subscription(msgspec.Struct):
    id: str
    topic: str


class _Reference(msgspec.Struct):
    id: str


class _WithProduct(msgspec.Struct):
    product: _Reference


class _Variants(msgspec.Struct):
    nodes: list[_WithProduct]


class _Item(msgspec.Struct):
    variants: _Variants | None = None


class _StampedLevel(msgspec.Struct):
    item: _Item


class _StampedGroup(msgspec.Struct, rename="camel"):
    order_id: str


class ShopifyConnector(Connector):
    """A Shopify shop."""

    facts = FACTS

    def __init__(self, credentials: Mapping[str, str], session: Session) -> None:
        super().__init__(credentials, session)
        session.outcomes.update(OUTCOMES)
        self._logged_in = False
        self._now: datetime | None = None
        self._access: _Access | None = None
        self._sizes = dict(PAGE_SIZES)

    @classmethod
    def base_url(cls, credentials: Mapping[str, str]) -> str:
        return f"{auth.shop_url(credentials.get('shop', ''))}/admin/api/{auth.VERSION}"

    async def check(self) -> Account:
        access = await self._granted()
        missing = auth.missing_scopes(access.scopes())
        if missing:
            raise PermissionMissing(
                f"The app lacks the scope {', '.join(missing)}. Grant it in the app's configuration, and install it anew."
            )
        return Account(account_id=access.shop.myshopify_domain, account_name=access.shop.name)

    async def pull(self, function: Function, pull: Pull) -> AsyncIterator[RawPage]:
        pages = {
            Function.GET_ORDERS: self._orders,
            Function.GET_PRODUCTS: self._products,
            Function.GET_WAREHOUSES: self._locations,
        }[function]
        async for page in pages(pull) if pull.until is None else self._window(function, pull, pull.until):
            yield page

    async def fetch(self, function: Function, ids: Sequence[str]) -> Sequence[bytes]:
        wanted = list(dict.fromkeys(ids))
        numbers = [id for id in wanted if _is_number(id)]
        if function is Function.GET_PRODUCTS:
            return self._raws(await self._by_ids(PRODUCT, PRODUCT_NODES, await self._product_ids(wanted, numbers)))
        if function is Function.GET_WAREHOUSES:
            return self._raws(await self._by_ids(LOCATION, LOCATION_NODES, _global("Location", numbers)))
        return self._raws(await self._by_ids(ORDER, ORDER_NODES, _global("Order", numbers)))

    async def ready(self) -> None:
        if self._logged_in:
            return
        self.session.headers.update(auth.headers(self.credentials))
        if auth.TOKEN_HEADER not in self.session.headers:
            await self._log_in()
        if auth.names_app(self.credentials):
            self.session.refresh = self._log_in
        self._logged_in = True

    async def oldest_visible(self, function: Function) -> datetime | None:
        if function is not Function.GET_ORDERS or auth.ALL_ORDERS in (await self._granted()).scopes():
            return None
        return self._clock() - VISIBLE + MARGIN

    async def create_shipment(self, order: bytes, shipment: NewShipment, reference: str) -> None:
        """A fulfilment for each location that something leaves. What they are is noted first."""
        source = writes.order(order)
        note = writes.note_of(source, reference)
        if note is None:
            note = writes.new_note(source, shipment, reference)
            await self._permit((auth.ORDER_WRITING,), auth.SHIPPING_WRITING)
            await self._note(source, note)
        made, left = writes.progress(note, source)
        try:
            for part in left:
                answer = await self._write(FULFILL, "shipment", {"input": writes.fulfillment(part, shipment)})
                made += [answer.fulfillment.id] if answer.fulfillment else []
        except (OutcomeUnknown, BadAnswer):
            raise
        except ConnectorError as error:
            await self._undo(made, error)
            raise

    async def refund_order(self, order: bytes, refund: NewRefund, reference: str) -> None:
        source = writes.order(order)
        lines = writes.lines_to_refund(source, refund)
        await self._permit((auth.ORDER_WRITING,))
        (id,) = _global("Order", [source.id])
        found = await self._ask(REFUNDABLE, _SuggestedNode, {"id": id, "lines": lines, "some": bool(lines)})
        if found.node is None or found.node.whole is None:
            raise RequestRefused("Shopify suggests no refund of this order. Refund it in Shopify.", status=422)
        made = writes.refund_input(source, refund, reference, found.node.whole, found.node.part)
        await self._write(REFUND_ORDER, "refund", {"input": made, "key": reference})

    async def adjust_inventory(self, product: bytes, adjustment: InventoryAdjustment, reference: str) -> None:
        exact = adjustment.adjustment_type is AdjustmentType.EXACT
        made = writes.adjustment(writes.product(product), adjustment, reference)
        await self._permit((auth.INVENTORY_WRITING,))
        for number in range(MOST_KEYS):
            key = f"{reference}-{number}" if number else reference
            answer = await self._ask_once(SET_STOCK if exact else ADJUST_STOCK, {"input": made, "key": key})
            if not any(error.code == FAILED_BEFORE for error in answer.user_errors):
                break
        if answer.user_errors:
            raise unwritten("change of the stock", answer.user_errors)

    @classmethod
    def bears(cls, raw: bytes, reference: str) -> bool | None:
        return writes.is_borne(raw, reference)

    async def subscribe(self, url: str) -> dict[str, str]:
        if not self.credentials.get("api_secret"):
            raise RequestRefused(
                "Webhooks cannot be verified without the app's client secret: add the connection with --api-secret."
            )
        there = {each.topic for each in await self._subscriptions(url)}
        shipping = auth.SHIPPING_SCOPE in auth.reading((await self._granted()).scopes())
        for topic in webhooks.TOPICS + (webhooks.SHIPPING_TOPICS if shipping else ()):
            if topic not in there:
                made = await self._ask(SUBSCRIBE, _Mutation, {"topic": topic, "uri": url})
                if made.answer.user_errors:
                    reason = made.answer.user_errors[0].message
                    raise RequestRefused(f"Shopify refuses to send webhooks of {topic} to {url}: {reason}")
        return {"url": url}

    async def unsubscribe(self, subscription: Mapping[str, str]) -> None:
        for each in await self._subscriptions(subscription["url"]):
            # An error means that it is gone already.
            await self._ask(UNSUBSCRIBE, _Mutation, {"id": each.id})

    @classmethod
    def verify_hook(cls, credentials: Mapping[str, str], subscription: Mapping[str, str], hook: Hook) -> None:
        webhooks.verify(credentials, hook)

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
        """Pages of orders, with a notice as long as some of them, or parts of them, may be hidden."""
        cursor = await self._orders_cursor(pull)
        async for page in self._order_pages(cursor, pull):
            yield msgspec.structs.replace(page, notice=await self._notice(cursor.since))

    async def _order_pages(self, cursor: OrdersCursor, pull: Pull) -> AsyncIterator[RawPage]:
        replace = msgspec.structs.replace
        total = await self._count(cursor.since) if cursor.phase in ("bulk", "newest") else None
        if cursor.phase == "bulk":
            async for page, further in self._bulk(cursor, total):
                cursor = further
                yield page
        if cursor.phase == "newest":
            limit = _at_least("created_at", cursor.since)
            async for nodes, walk in self._walk(ORDERS, "createdAt", cursor.walk, limit, down=True):
                cursor = replace(cursor, walk=walk)
                yield self._page(nodes, cursor, total)
            cursor = replace(cursor, phase="older", walk=Walk(cursor.since))
        if cursor.phase == "older":
            if cursor.since is not None:
                async for nodes, walk in self._walk(
                    ORDERS, "updatedAt", cursor.walk, [_before("created_at", cursor.since)]
                ):
                    cursor = replace(cursor, walk=walk)
                    yield self._page(nodes, cursor, total)
            cursor = replace(cursor, phase="changes", walk=Walk(cursor.reached))
        yielded: set[tuple[str, str]] = set()
        if cursor.phase == "changes":
            began: datetime | None = None
            async for nodes, walk in self._walk(ORDERS, "updatedAt", cursor.walk):
                began = began or self._clock()
                yielded |= {_stamp(group) for node in nodes for group in node["fulfillmentOrders"]}
                cursor = replace(cursor, walk=walk, reached=_reached(walk, cursor.reached) or cursor.reached)
                yield self._page(nodes, cursor, total)
            changed, groups, known = await self._regrouped(cursor, yielded, pull.overlap, began or self._clock())
            for start in range(0, len(changed), BULK_PAGE):
                nodes = await self._by_ids(ORDER, ORDER_NODES, changed[start : start + BULK_PAGE])
                yield self._page(nodes, cursor, total)
            cursor = replace(cursor, groups=groups, known=known)
        yield self._page([], replace(cursor, phase="done", walk=Walk()), total)

    async def _orders_cursor(self, pull: Pull) -> OrdersCursor:
        if pull.cursor is None:
            await self._granted()
            since = pull.since and pull.since.replace(microsecond=0)
            begin = self._clock() - pull.overlap
            many = await self._count(since) > BULK_FROM
            phase: Phase = "bulk" if many else "newest"
            return OrdersCursor(phase=phase, reached=begin, groups=begin, since=since)
        cursor = read_cursor(pull.cursor, OrdersCursor)
        if pull.interrupted or cursor.phase != "done":
            return cursor
        return msgspec.structs.replace(cursor, phase="changes", walk=Walk(cursor.reached - pull.overlap))

    async def _regrouped(
        self, cursor: OrdersCursor, yielded: set[tuple[str, str]], overlap: timedelta, began: datetime
    ) -> tuple[list[str], datetime, dict[str, str]]:
        """The orders whose fulfilment orders changed, unless this run, which ``began`` then, has ``yielded`` them so; how
        far that is, and the dates of the latest fulfilment orders that cannot change within their second any more."""
        changed: dict[str, None] = {}
        found: list[tuple[datetime, tuple[str, str]]] = []
        latest = cursor.groups
        async for nodes, walk in self._walk(GROUPS, "updatedAt", Walk(cursor.groups - overlap)):
            latest = _reached(walk, cursor.groups) or latest
            for node in nodes:
                found.append((_date_of(node, "updatedAt"), _stamp(node)))
                if _stamp(node) not in yielded and _stamp(node) not in cursor.known.items():
                    changed[_convert(node, _StampedGroup).order_id] = None
        return list(changed), latest, dict(stamp for date, stamp in found if latest - overlap <= date < began - FRESH)

    async def _products(self, pull: Pull) -> AsyncIterator[RawPage]:
        replace = msgspec.structs.replace
        cursor = _products_cursor(pull)
        yielded: set[tuple[str, str]] = set()
        async for nodes, walk in self._walk(PRODUCTS, "updatedAt", cursor.walk):
            if cursor.parts is not None:
                yielded.update(_stamp(part) for node in nodes for part in _parts_of_product(node))
            reached, began = _reached(walk, cursor.reached), cursor.began or self._clock()
            cursor = replace(cursor, walk=walk, reached=reached, began=began)
            yield self._page(nodes, cursor)
        if cursor.parts is not None:
            changed = await self._changed_products(cursor.parts - pull.overlap, yielded)
            for start in range(0, len(changed), BULK_PAGE):
                nodes = await self._by_ids(PRODUCT, PRODUCT_NODES, changed[start : start + BULK_PAGE])
                yield self._page(nodes, cursor)
        yield self._page([], replace(cursor, parts=cursor.began))

    async def _changed_products(self, since: datetime, yielded: set[tuple[str, str]]) -> list[str]:
        """Products of which a variant or the stock changed, unless this run has ``yielded`` them so."""
        found: dict[str, None] = {}
        search = f"updated_at:>='{_text(since)}'"
        after: str | None = None
        while True:
            page = await self._list(VARIANTS, search, after, "ID")
            changed = [node for node in page.nodes if _stamp(node) not in yielded]
            found |= {_convert(node, _WithProduct).product.id: None for node in changed}
            after = page.page_info.end_cursor
            if not page.page_info.has_next_page:
                break
        async for node in self._every(LOCATION_IDS):
            async for level in self._levels(_gid(node), search):
                if _stamp(level) not in yielded:
                    found |= dict.fromkeys(_owners(_convert(level, _StampedLevel).item))
        return list(found)

    async def _levels(self, location: str, search: str) -> AsyncIterator[Node]:
        """The stock levels of a location that are found by ``search``."""
        after: str | None = None
        while True:
            answer = await self._ask(LEVELS, _NodePaged, {"id": location, "after": after, "query": search})
            if answer.node is None:
                return
            for node in answer.node.page.nodes:
                yield node
            after = answer.node.page.page_info.end_cursor
            if not answer.node.page.page_info.has_next_page:
                return

    async def _locations(self, pull: Pull) -> AsyncIterator[RawPage]:
        known = read_cursor(pull.cursor, LocationsCursor).known if pull.cursor else {}
        found: dict[str, str] = {}
        changed: list[Node] = []
        async for node in self._every(LOCATIONS):
            id = _gid(node)
            found[id] = fingerprint(msgspec.json.encode(node).decode())
            if known.get(id) != found[id]:
                changed.append(node)
        yield self._page(changed, LocationsCursor(found), len(changed))

    async def _window(self, function: Function, pull: Pull, until: datetime) -> AsyncIterator[RawPage]:
        """What was created in a window of time, the oldest first; its last second is part of it."""
        if function is Function.GET_WAREHOUSES:
            nodes = [node async for node in self._every(LOCATIONS)]
            dated = sorted((_date_of(node, "createdAt"), _gid(node), node) for node in nodes)
            since = pull.since or datetime.min.replace(tzinfo=UTC)
            inside = [node for date, _, node in dated if since.replace(microsecond=0) <= date <= until]
            yield self._page(inside, WindowCursor(Walk()))
            return
        listing = ORDERS if function is Function.GET_ORDERS else PRODUCTS
        first = Walk(pull.since and pull.since.replace(microsecond=0))
        begun = read_cursor(pull.cursor, WindowCursor).walk if pull.cursor else first
        limit = _bound("created_at", until, down=True)
        async for nodes, walk in self._walk(listing, "createdAt", begun, limit):
            yield self._page(nodes, WindowCursor(walk))
        if function is Function.GET_ORDERS and await self._hidden(pull.since):
            # Who asked for these very orders is not told that they have all come.
            raise PermissionMissing(HIDDEN)

    async def _walk(
        self,
        listing: Listing,
        date: Literal["createdAt", "updatedAt"],
        walk: Walk,
        filters: Iterable[str] = (),
        *,
        down: bool = False,
    ) -> AsyncIterator[tuple[list[Node], Walk]]:
        """Pages of the records from ``walk`` on, each with the walk behind it; at least one page, which may be empty."""
        term = "created_at" if date == "createdAt" else "updated_at"
        sort, resumed = term.upper(), walk.after
        while True:
            bound = _bound(term, walk.position, down=down)
            try:
                page = await self._list(listing, " ".join([*filters, *bound]), walk.after, sort, down=down)
            except RequestRefused:
                if resumed is None or walk.after != resumed:
                    raise
                # A cursor of an earlier run may be of no use any more; the walk's position always is.
                walk, resumed = Walk(walk.position, walk.seen, edge=walk.edge), None
                continue
            stamps = [(_date_of(node, date), _gid(node)) for node in page.nodes]
            known = {(walk.position, id) for id in walk.seen}
            fresh = [node for node, stamp in zip(page.nodes, stamps, strict=True) if stamp not in known]
            settled = down or date == "createdAt" or not stamps or stamps[-1][0] < self._clock() - FRESH
            ended = not page.page_info.has_next_page
            walk = _behind(walk, stamps, page.page_info.end_cursor, settled=settled, ended=ended, down=down)
            yield [await self._whole(listing.shape, node) for node in fresh], walk
            if ended:
                return

    async def _every(self, listing: Listing) -> AsyncIterator[Node]:
        """All records of a short list, by id."""
        after: str | None = None
        while True:
            page = await self._list(listing, "", after, "ID")
            for node in page.nodes:
                yield await self._whole(listing.shape, node)
            after = page.page_info.end_cursor
            if not page.page_info.has_next_page:
                return

    async def _list(
        self, listing: Listing, search: str, after: str | None, sort: str, *, down: bool = False
    ) -> _Connection:
        """A page of a list; of fewer records, if Shopify finds as many too costly."""
        variables = {"query": search or None, "after": after, "sort": sort, "reverse": down}
        while True:
            size = self._sizes[listing.shape.type]
            try:
                answer = await self._ask(listing.query, _Paged, {**variables, "first": size})
            except TooCostly as error:
                self._halve(listing.shape.type, error)
                continue
            if answer.shop and answer.current_app_installation:
                self._access = _Access(answer.shop, answer.current_app_installation)
            return answer.page

    def _halve(self, type: str, error: TooCostly) -> None:
        """Ask for fewer records at once, unless that cannot be."""
        if self._sizes[type] == 1:
            raise error
        self._sizes[type] //= 2

    async def _whole(self, shape: Shape, node: Mapping[str, Any]) -> Node:
        """``node`` with all pages of its connections, as plain lists."""
        whole: Node = dict(node)
        for name, below in shape.connections.items():
            connection = _read(node[name], _Connection)
            nodes = list(connection.nodes)
            while connection.page_info.has_next_page:
                variables = {"id": _gid(node), "after": connection.page_info.end_cursor}
                answer = await self._ask(MORE[shape.type, name], _NodePaged, variables)
                if answer.node is None:
                    raise PlatformUnavailable(f"{_gid(node)} was deleted while it was read.")
                connection = answer.node.page
                nodes += connection.nodes
            whole[name] = [await self._whole(below.shape, each) for each in nodes]
        for name, each in shape.lists.items():
            whole[name] = [await self._whole(each, one) for one in _read(node[name], list[dict[str, msgspec.Raw]])]
        for name, each in shape.objects.items():
            whole[name] = await self._whole(each, _read(node[name], dict[str, msgspec.Raw]))
        return whole

    async def _by_ids(self, shape: Shape, query: str, ids: Sequence[str]) -> list[Node]:
        """The records with these global ids that there are."""
        found: list[Node] = []
        start = 0
        while start < len(ids):
            size = self._sizes[shape.type]
            try:
                answer = await self._ask(query, _Nodes, {"ids": ids[start : start + size]})
            except TooCostly as error:
                self._halve(shape.type, error)
                continue
            found += [await self._whole(shape, node) for node in answer.nodes if node]
            start += size
        return found

    async def _product_ids(self, wanted: Sequence[str], numbers: Sequence[str]) -> list[str]:
        """The global ids of the products with these ids, with variants of these ids, or of these inventory items."""
        items = [id.removeprefix(webhooks.INVENTORY_ITEM) for id in wanted if id.startswith(webhooks.INVENTORY_ITEM)]
        variants = await self._by_ids(STAMPED_VARIANT, VARIANT_NODES, _global("ProductVariant", numbers))
        owners = [_convert(node, _WithProduct).product.id for node in variants]
        for node in await self._by_ids(OWNED_ITEM, ITEM_NODES, _global("InventoryItem", filter(_is_number, items))):
            owners += _owners(_convert(node, _Item))
        return list(dict.fromkeys([*_global("Product", numbers), *owners]))

    async def _bulk(self, cursor: OrdersCursor, total: int | None) -> AsyncIterator[tuple[RawPage, OrdersCursor]]:
        """The orders of a first run by a bulk operation; behind the last page, the cursor is in the next phase."""
        replace = msgspec.structs.replace
        if not cursor.bulk.id:
            id = await self._start_bulk(cursor.since) if cursor.bulk.failed < BULK_TRIES else None
            if id is None:
                cursor = replace(cursor, phase="newest", walk=Walk())
                yield self._page([], cursor, total), cursor
                return
            cursor = replace(cursor, bulk=replace(cursor.bulk, id=id, offset=0))
            yield self._page([], cursor, total), cursor
        wait = FIRST_POLL
        while (operation := await self._operation(cursor.bulk.id)).status in ("CREATED", "RUNNING", "CANCELING"):
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_POLL)
            # An empty page tells that the run is alive.
            yield self._page([], cursor, total), cursor
        if operation.status != "COMPLETED":
            cursor = replace(cursor, bulk=Bulk(failed=cursor.bulk.failed + 1))
            yield self._page([], cursor, total), cursor
            raise _bulk_failed(operation)
        if operation.url:
            if not operation.file_size:
                raise BadAnswer("Shopify does not tell how large the result of the bulk operation is.")
            async for nodes, offset in self._bulk_result(operation.url, int(operation.file_size), cursor.bulk.offset):
                cursor = replace(cursor, bulk=replace(cursor.bulk, offset=offset))
                yield self._page(nodes, cursor, total), cursor
        cursor = replace(cursor, phase="older", walk=Walk(cursor.since))
        yield self._page([], cursor, total), cursor

    async def _start_bulk(self, since: datetime | None) -> str | None:
        """The id of a new bulk operation; null if Shopify runs as many as it will."""
        search = " ".join(_at_least("created_at", since))
        made = (await self._ask(RUN_BULK, _Mutation, {"query": bulk_query(search)})).answer
        if made.bulk_operation is not None:
            return made.bulk_operation.id
        if any(error.code in ("OPERATION_IN_PROGRESS", "LIMIT_REACHED") for error in made.user_errors):
            return None
        reason = made.user_errors[0].message if made.user_errors else "it does not say why"
        raise RequestRefused(f"Shopify refuses the bulk operation: {reason}")

    async def _operation(self, id: str) -> _Operation:
        return (await self._ask(BULK_OPERATION, _OperationNode, {"id": id})).node or _Operation(status="EXPIRED")

    async def _bulk_result(self, url: str, size: int, offset: int) -> AsyncIterator[tuple[list[Node], int]]:
        """The orders in a bulk operation's result from byte ``offset`` on, and the byte behind them."""
        piece = BULK_PIECE
        while offset < size:
            data = await self._download(url, offset, min(offset + piece, size))
            groups = _groups(data, last=offset + len(data) >= size)
            if not groups:
                piece *= 2
                continue
            piece = BULK_PIECE
            for start in range(0, len(groups), BULK_PAGE):
                part = groups[start : start + BULK_PAGE]
                nodes = [_assembled(ORDER, lines) for lines, _ in part]
                yield await self._with_parts(nodes), offset + part[-1][1]
            offset += groups[-1][1]

    async def _download(self, url: str, begin: int, end: int) -> bytes:
        """The bytes from ``begin`` to before ``end`` of a file that is not on the shop's host, and gets no token."""
        try:
            sent = {"range": f"bytes={begin}-{end - 1}", "accept-encoding": "identity", auth.TOKEN_HEADER: ""}
            reply = await self.session.request("GET", url, headers=sent)
        except (PermissionMissing, RequestRefused) as error:
            # The link lasts for some days; the next run asks for a new one.
            message = "The result of the bulk operation cannot be read any more."
            raise PlatformUnavailable(message, error.detail or error.message, error.url) from error
        data = reply.body if reply.status == 206 else reply.body[begin:end]
        if not data:
            raise BadAnswer("The result of the bulk operation is shorter than was said.", url=reply.url)
        return data

    async def _with_parts(self, nodes: list[Node]) -> list[Node]:
        """Orders of a bulk operation with what it cannot bring: what is in their fulfilments and refunds."""
        wanted = [node for node in nodes if node["fulfillments"] or node["refunds"]]
        parts = {
            _gid(node): node for node in await self._by_ids(ORDER_PARTS, PART_NODES, [_gid(each) for each in wanted])
        }
        for node in wanted:
            part = parts.get(_gid(node))
            node |= {name: part[name] if part else [] for name in ORDER_PARTS.lists}
        return nodes

    async def _count(self, since: datetime | None) -> int:
        """How many orders were created from ``since`` on."""
        search = " ".join(_at_least("created_at", since)) or None
        answer = await self._ask(COUNT, _Count, {"query": search})
        return answer.orders_count.count if answer.orders_count else 0

    async def _granted(self) -> _Access:
        """The shop and the app's scopes, as they were told last."""
        if self._access is None:
            self._access = await self._ask(SHOP, _Access)
        return self._access

    async def _notice(self, since: datetime | None) -> str | None:
        """What a run over orders from ``since`` on may not see."""
        readable = auth.reading((await self._granted()).scopes())
        told = [HIDDEN] if await self._hidden(since) else []
        return " ".join(told if auth.THIRD_PARTY in readable else [*told, THIRD_PARTY]) or None

    async def _hidden(self, since: datetime | None) -> bool:
        """Whether Shopify may hide orders of the time from ``since`` on, because they are too old for the app."""
        access = await self._granted()
        visible = self._clock() - VISIBLE - MARGIN
        begin = max(filter(None, [since, access.shop.created_at]))
        return auth.ALL_ORDERS not in access.scopes() and begin < visible

    async def _permit(self, needed: Sequence[str], one_of: Sequence[str] = ()) -> None:
        """Refuse what the app lacks the scopes for, before anything is sent."""
        granted = (await self._granted()).scopes()
        missing = [scope for scope in needed if scope not in granted]
        if one_of and not set(granted).intersection(one_of):
            missing.append(one_of[0])
        if missing:
            raise PermissionMissing(
                f"The app lacks the scope {', '.join(missing)}, which this write needs. Grant it in the app's configuration, "
                "and install it anew."
            )

    async def _note(self, source: payloads.Order, note: writes.Note) -> None:
        """Keep with the order what is to be shipped."""
        try:
            await self._write(NOTE_SHIPMENT, "note of the shipment", {"input": [writes.noted(source, note)]})
        except OutcomeUnknown as error:
            # A note that leads to nothing does no harm.
            raise PlatformUnavailable(f"Nothing was shipped: {error.message}", error.detail, error.url) from error

    async def _undo(self, made: Sequence[str], error: ConnectorError) -> None:
        """Cancel the fulfilments of a shipment of which a later one was refused."""
        try:
            for id in made:
                await self._write(CANCEL_FULFILLMENT, "cancellation of a fulfilment", {"id": id})
        except ConnectorError as failed:
            raise OutcomeUnknown(
                f"{error.message} What had been shipped before could not be cancelled: {failed.message}", failed.detail
            ) from error

    async def _write(self, query: str, what: str, variables: Mapping[str, Any]) -> _Mutated:
        """What a mutation that was carried out answers."""
        answer = await self._ask_once(query, variables)
        if answer.user_errors:
            raise unwritten(what, answer.user_errors)
        return answer

    async def _ask_once(self, query: str, variables: Mapping[str, Any]) -> _Mutated:
        return (await self._ask(query, _Mutation, variables, once=True)).answer

    async def _subscriptions(self, url: str) -> list[_Subscription]:
        found: list[_Subscription] = []
        after: str | None = None
        while True:
            page = (await self._ask(SUBSCRIPTIONS, _Paged, {"uri": url, "after": after})).page
            found += [_convert(node, _Subscription) for node in page.nodes]
            after = page.page_info.end_cursor
            if not page.page_info.has_next_page:
                return found

    async def _ask(
        self, query: str, type: type[T], variables: Mapping[str, Any] | None = None, *, once: bool = False
    ) -> T:
        """The decoded data of a query. What Shopify throttles is asked again; so is what it fails at, unless ``once``.

        Raises:
            OutcomeUnknown: a mutation failed, or was carried out and has errors in its answer.
            ConnectorError: by the code of Shopify's error.
        """
        await self.ready()
        for attempt in range(MOST_TRIES):
            reply = await self.session.request(
                "POST", GRAPHQL, json={"query": query, "variables": dict(variables or {})}, once=once
            )
            self._now = _date(reply.headers.get("date"))
            answer = self.session.decode(reply, Answer)
            cost = answer.extensions.cost
            self.session.throttle.pause(cost.wait() / 1000 if cost else 0)
            if not answer.errors:
                return _read(answer.data, type)
            error = refusal(answer, reply.url)
            if once and (isinstance(error, PlatformUnavailable) or b'"userErrors"' in bytes(answer.data)):
                raise OutcomeUnknown(error.message, error.detail, error.url)
            if not isinstance(error, RateLimitedByPlatform | PlatformUnavailable) or attempt == MOST_TRIES - 1:
                raise error
            self.session.throttle.pause(2**attempt / 4)
        raise AssertionError("unreachable")

    async def _log_in(self) -> None:
        """Let the session send a new token. One that is bought with a refresh token is kept, with the next refresh token."""
        if await self._renewed_elsewhere():
            return
        try:
            token = await auth.token_for(self.session, self.credentials["shop"], auth.login_form(self.credentials))
        except CredentialsRejected:
            if await self._renewed_elsewhere():
                return
            raise
        if token.refresh_token:
            await self.keep_credentials({"access_token": token.access_token, "refresh_token": token.refresh_token})
        self.session.headers[auth.TOKEN_HEADER] = token.access_token

    async def _renewed_elsewhere(self) -> bool:
        """Whether another process has renewed the refresh token; if so, its tokens are used from now on."""
        stored = await self.stored_credentials()
        if stored.get("refresh_token") == self.credentials.get("refresh_token"):
            return False
        self.credentials = stored
        self.session.headers.update(auth.headers(stored))
        return True

    def _clock(self) -> datetime:
        """Shopify's time at its last answer; ours, if its answers carry no date."""
        return self._now or datetime.now(UTC).replace(microsecond=0)

    def _page(self, nodes: Sequence[Node], cursor: msgspec.Struct, total: int | None = None) -> RawPage:
        return RawPage(records=self._raws(nodes), cursor=write_cursor(cursor), total=total)

    def _raws(self, nodes: Iterable[Node]) -> list[bytes]:
        """Raw records: their ids are numbers, as in unified records, and they know their shop."""
        domain = urlsplit(auth.shop_url(self.credentials["shop"])).netloc
        return [
            msgspec.json.encode({**node, "id": _gid(node).rpartition("/")[2], "shopDomain": domain}) for node in nodes
        ]


def _products_cursor(pull: Pull) -> ProductsCursor:
    if pull.cursor is None:
        return ProductsCursor(walk=Walk(pull.since))
    cursor = read_cursor(pull.cursor, ProductsCursor)
    if pull.interrupted:
        return cursor
    walk = Walk(cursor.reached - pull.overlap if cursor.reached else None)
    return msgspec.structs.replace(cursor, began=None, walk=walk)


def _behind(
    walk: Walk, stamps: Sequence[tuple[datetime, str]], after: str | None, *, settled: bool, ended: bool, down: bool
) -> Walk:
    """The walk behind a page of records with these dates and ids."""
    dates = [date for date, _ in stamps]
    ordered = dates == sorted(dates, reverse=down)
    edge = walk.edge if settled else walk.edge or dates[-1]
    if dates and (settled or ended) and ordered and dates[-1] != walk.position:
        return Walk(dates[-1], [id for date, id in stamps if date == dates[-1]], edge=edge)
    return Walk(walk.position, walk.seen, after or walk.after, edge)


def _reached(walk: Walk, before: datetime | None) -> datetime | None:
    """The date up to which a run has brought all changes, but for the overlap; never earlier than ``before``."""
    if walk.position is None:
        return before
    reached = min(walk.position, walk.edge or walk.position)
    return max(reached, before or reached)


def _groups(data: bytes, *, last: bool) -> list[tuple[list[bytes], int]]:
    """Lines of JSON by the order that they belong to, which comes first, each group with the offset behind it.

    The last group counts only if there is nothing behind ``data``.
    """
    groups: list[tuple[list[bytes], int]] = []
    offset = 0
    for line in data.splitlines(keepends=True):
        if not last and not line.endswith(b"\n"):
            break
        if b'"__parentId"' not in line and line.strip():
            groups.append(([], offset))
        offset += len(line)
        if groups:
            lines, _ = groups[-1]
            lines += [line] if line.strip() else []
            groups[-1] = lines, offset
        elif line.strip():
            raise BadAnswer("The result of the bulk operation begins with a part of a record.")
    return groups if last else groups[:-1]


def _assembled(shape: Shape, lines: Sequence[bytes]) -> Node:
    """One record of its lines in a bulk operation's result, as `ShopifyConnector` makes it of a query's answer."""
    root: Node = dict(_read(lines[0], dict[str, msgspec.Raw]))
    holders = {_gid(root): (shape, _emptied(shape, root))}
    for line in lines[1:]:
        node: Node = dict(_read(line, dict[str, msgspec.Raw]))
        place = _read(line, _Placed)
        holder, parent = holders.get(place.parent, (None, root))
        found = [(name, each.shape) for name, each in holder.connections.items()] if holder else []
        name, child = next(((name, each) for name, each in found if each.type == place.type), ("", None))
        if child is None:
            raise BadAnswer(f"The result of the bulk operation has a {place.type} that belongs to no record.")
        parent[name].append(_emptied(child, node))
        if child.connections:
            holders[_gid(node)] = (child, node)
    return root


def _emptied(shape: Shape, node: Node) -> Node:
    """``node`` with empty lists for its connections, and its plain lists read."""
    for name in ("__typename", "__parentId"):
        node.pop(name, None)
    node |= {name: [] for name in shape.connections}
    node |= {name: _read(node[name], list[dict[str, msgspec.Raw]]) for name in shape.lists}
    return node


def _parts_of_product(node: Node) -> list[Node]:
    """The variants and stock levels of a product."""
    variants: list[Node] = node["variants"]
    return variants + [level for each in variants for level in each["inventoryItem"]["inventoryLevels"]]


def _owners(item: _Item) -> list[str]:
    return [each.product.id for each in item.variants.nodes] if item.variants else []


def _stamp(node: Mapping[str, Any]) -> tuple[str, str]:
    return _gid(node), _read(node["updatedAt"], str)


def _gid(node: Mapping[str, Any]) -> str:
    """The global id of a record."""
    return _read(node["id"], str) if "id" in node else ""


def _date_of(node: Mapping[str, Any], name: str) -> datetime:
    return _read(node[name], Moment).astimezone(UTC).replace(microsecond=0)


def _read(raw: bytes | msgspec.Raw, type: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(f"Shopify answered something that it does not document: {error}") from error


def _convert(node: Mapping[str, Any], type: type[T]) -> T:
    return _read(msgspec.json.encode(node), type)


def _is_number(id: str) -> bool:
    return id.isascii() and id.isdigit() and len(id) < len(str(1 << 63))


def _global(type: str, numbers: Iterable[str]) -> list[str]:
    return [f"gid://shopify/{type}/{number}" for number in numbers]


def _at_least(term: str, since: datetime | None) -> list[str]:
    return [f"{term}:>='{_text(since)}'"] if since else []


def _bound(term: str, moment: datetime | None, *, down: bool) -> list[str]:
    """The search for records of the second of ``moment`` and of all later ones, or earlier ones."""
    return [_before(term, moment + SECOND)] if moment and down else _at_least(term, moment)


def _before(term: str, moment: datetime) -> str:
    return f"{term}:<'{_text(moment)}'"


def _text(moment: datetime) -> str:
    return format_utc(moment, "seconds")


def _date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except (TypeError, ValueError):
        return None


def _bulk_failed(operation: _Operation) -> PermissionMissing | PlatformUnavailable:
    reason = operation.error_code or operation.status
    if reason == "ACCESS_DENIED":
        return PermissionMissing(
            "The app lacks a scope that the bulk operation needs. Grant it the scopes of the guide."
        )
    return PlatformUnavailable(f"Shopify's bulk operation came to nothing ({reason}). It is tried again.")
