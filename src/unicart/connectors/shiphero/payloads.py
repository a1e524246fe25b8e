"""ShipHero's records, by the types of its GraphQL schema; only the fields that are read.

Amounts are text in major units, dates are ISO 8601 without a zone. Nearly everything may be null.
"""

from typing import Annotated, Generic, TypeVar

import msgspec

T = TypeVar("T")

Id = Annotated[str, msgspec.Meta(min_length=1)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Stock = Annotated[int, msgspec.Meta(ge=-1_000_000_000, le=1_000_000_000)]


class Edge(msgspec.Struct, Generic[T]):
    node: T | None = None


class Connection(msgspec.Struct, Generic[T]):
    edges: list[Edge[T] | None] = []

    @property
    def nodes(self) -> list[T]:
        """The records of the list."""
        return [edge.node for edge in self.edges if edge is not None and edge.node is not None]


class OrderAddress(msgspec.Struct):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    state: str | None = None
    state_code: str | None = None
    zip: str | None = None
    country: str | None = None
    country_code: str | None = None
    email: str | None = None
    phone: str | None = None


class ShippingLines(msgspec.Struct):
    title: str | None = None
    carrier: str | None = None
    method: str | None = None
    price: str | None = None


class Holds(msgspec.Struct):
    fraud_hold: bool | None = None
    address_hold: bool | None = None
    shipping_method_hold: bool | None = None
    operator_hold: bool | None = None
    payment_hold: bool | None = None
    client_hold: bool | None = None


class LineProduct(msgspec.Struct):
    id: Id


class LineItem(msgspec.Struct):
    id: Id
    sku: str | None = None
    product_name: str | None = None
    product: LineProduct | None = None
    quantity: Quantity = 0
    quantity_shipped: Quantity | None = None
    backorder_quantity: int | None = None
    price: str | None = None
    promotion_discount: str | None = None
    fulfillment_status: str | None = None
    partner_line_item_id: str | None = None


class ShipmentLineItem(msgspec.Struct):
    id: Id
    line_item_id: str | None = None
    quantity: Quantity | None = None


class Label(msgspec.Struct):
    id: str | None = None
    carrier: str | None = None
    shipping_method: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    status: str | None = None
    created_date: str | None = None
    refunded: bool | None = None


class Shipment(msgspec.Struct):
    id: Id
    warehouse_id: str | None = None
    created_date: str | None = None
    delivered: bool | None = None
    refunded: bool | None = None
    shipped_off_shiphero: bool | None = None
    shipping_labels: list[Label | None] | None = None
    line_items: Connection[ShipmentLineItem] | None = None


class AllocatedLine(msgspec.Struct):
    line_item_id: str | None = None
    quantity_allocated: Quantity | None = None
    is_kit_component: bool | None = None


class Allocation(msgspec.Struct):
    warehouse_id: str | None = None
    allocated_at: str | None = None
    allocation_reference: str | None = None
    line_items: list[AllocatedLine | None] | None = None


class Authorization(msgspec.Struct):
    """A payment by card; what was captured of it is ``postauthed_amount``."""

    transaction_id: str | None = None
    authorized_amount: str | None = None
    postauthed_amount: str | None = None
    refunded_amount: str | None = None


class Order(msgspec.Struct):
    id: Id
    legacy_id: int | None = None
    order_number: str | None = None
    partner_order_id: str | None = None
    shop_name: str | None = None
    source: str | None = None
    account_id: str | None = None
    fulfillment_status: str | None = None
    order_date: str | None = None
    updated_at: str | None = None
    required_ship_date: str | None = None
    hold_until_date: str | None = None
    total_tax: str | None = None
    total_discounts: str | None = None
    total_price: str | None = None
    currency: str | None = None
    email: str | None = None
    profile: str | None = None
    packing_note: str | None = None
    gift_note: str | None = None
    tags: list[str | None] | None = None
    shipping_lines: ShippingLines | None = None
    shipping_address: OrderAddress | None = None
    billing_address: OrderAddress | None = None
    holds: Holds | None = None
    line_items: Connection[LineItem] | None = None
    shipments: list[Shipment | None] | None = None
    allocations: list[Allocation | None] | None = None
    authorizations: list[Authorization | None] | None = None


class Dimensions(msgspec.Struct):
    height: str | None = None
    width: str | None = None
    length: str | None = None
    weight: str | None = None


class Image(msgspec.Struct):
    src: str | None = None
    position: int | None = None


class KitComponent(msgspec.Struct):
    sku: str | None = None
    quantity: Quantity | None = None


class WarehouseProduct(msgspec.Struct):
    warehouse_id: str | None = None
    active: bool | None = None
    on_hand: Stock | None = None
    allocated: Stock | None = None
    available: Stock | None = None
    backorder: Stock | None = None
    price: str | None = None
    value: str | None = None
    value_currency: str | None = None
    updated_at: str | None = None


class Product(msgspec.Struct):
    id: Id
    legacy_id: int | None = None
    account_id: str | None = None
    sku: str | None = None
    name: str | None = None
    barcode: str | None = None
    kit: bool | None = None
    kit_build: bool | None = None
    virtual: bool | None = None
    created_at: str | None = None
    updated_at: str | None = None
    dimensions: Dimensions | None = None
    images: list[Image | None] | None = None
    tags: list[str | None] | None = None
    kit_components: list[KitComponent | None] | None = None
    warehouse_products: list[WarehouseProduct | None] | None = None


class Address(msgspec.Struct):
    name: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    phone: str | None = None


class Warehouse(msgspec.Struct):
    id: Id
    legacy_id: int | None = None
    account_id: str | None = None
    identifier: str | None = None
    company_name: str | None = None
    company_alias: str | None = None
    profile: str | None = None
    address: Address | None = None
