"""The three resources of the Cart API: their records, filters and functions."""

from enum import StrEnum
from typing import Any

import msgspec

from unicart.contract.filters import (
    MATCH_OPERATORS,
    TAG_OPERATORS,
    FilterField,
    FilterSet,
    Kind,
    Operator,
    date_field,
)
from unicart.contract.orders import CartOrder, Order, OrderStatus
from unicart.contract.products import CartProduct, Product
from unicart.contract.warehouses import CartWarehouse, Warehouse

Record = Order | Product | Warehouse


class Function(StrEnum):
    """What a connection can do, by the names that schedules, errors and ``available_actions`` use."""

    GET_ORDERS = "get_orders"
    GET_PRODUCTS = "get_products"
    GET_WAREHOUSES = "get_warehouses"


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of record: how it is called, what it is made of and how its list is filtered.

    ``content`` is what connectors map to; ``served`` is the same with the fields that Unicart adds.
    """

    name: str
    singular: str
    function: Function
    content: type[Any]
    served: type[Any]
    filters: FilterSet

    @property
    def path(self) -> str:
        """The list route."""
        return f"/cart/{self.name}"


COMMON_FIELDS = (
    date_field(
        "created_date",
        "When the record was created on the platform. For all between two dates, send both "
        "created_date[gt] and created_date[lt].",
        "2022-03-10T13:00:00Z",
    ),
    date_field("updated_date", "When the record last changed on the platform.", "2022-03-11T13:00:00Z"),
    date_field("trackstar_created_date", "When our copy of the record was made.", "2022-03-10T13:00:05Z"),
    date_field(
        "trackstar_updated_date",
        "When our copy of the record last changed: the date to poll by.",
        "2022-03-11T13:00:05Z",
    ),
    FilterField(
        name="trackstar_tags",
        kind=Kind.TAGS,
        operators=TAG_OPERATORS,
        description="Comma-separated tags, each `tag` or `key:value`. `contains` keeps records that carry all of "
        "them, `not_contains` those that carry none of them.",
        example="priority,team:returns",
    ),
)

ORDERS = Resource(
    name="orders",
    singular="order",
    function=Function.GET_ORDERS,
    content=Order,
    served=CartOrder,
    filters=FilterSet(
        (
            *COMMON_FIELDS[:2],
            FilterField(
                name="status",
                kind=Kind.ENUM,
                operators=MATCH_OPERATORS,
                description="The status of the order.",
                example="open",
                values=tuple(status.value for status in OrderStatus),
            ),
            FilterField(
                name="warehouse_customer_id",
                kind=Kind.TEXT,
                operators=MATCH_OPERATORS,
                description="The id of the 3PL's customer that the order belongs to.",
                example="warehouse_cust_id",
            ),
            FilterField(
                name="order_number",
                kind=Kind.TEXT,
                operators=(Operator.EQ, Operator.IN, Operator.NIN, Operator.CONTAINS, Operator.NOT_CONTAINS),
                description="The order number on the platform. `contains` finds a part of it; case counts.",
                example="1001",
            ),
            *COMMON_FIELDS[2:],
        )
    ),
)

PRODUCTS = Resource(
    name="products",
    singular="product",
    function=Function.GET_PRODUCTS,
    content=Product,
    served=CartProduct,
    filters=FilterSet(COMMON_FIELDS),
)

WAREHOUSES = Resource(
    name="warehouses",
    singular="warehouse",
    function=Function.GET_WAREHOUSES,
    content=Warehouse,
    served=CartWarehouse,
    filters=FilterSet(COMMON_FIELDS),
)

RESOURCES = (ORDERS, PRODUCTS, WAREHOUSES)
BY_FUNCTION = {resource.function: resource for resource in RESOURCES}
BY_NAME = {resource.name: resource for resource in RESOURCES}
