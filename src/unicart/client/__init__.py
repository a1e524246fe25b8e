"""A typed client of the API: `Client`, and `AsyncClient` for asynchronous code.

It needs nothing of the server but the contract.
"""

from unicart.client.asynchronous import AsyncClient, AsyncFeed, AsyncStream
from unicart.client.errors import (
    ApiError,
    BadAnswer,
    ClientError,
    Forbidden,
    InvalidRequest,
    KeyMisused,
    NotFound,
    NotImplementedHere,
    NotReached,
    RateLimited,
    Unauthorized,
    Unavailable,
    WebhookRefused,
    WriteInProgress,
)
from unicart.client.filters import Dates, Filters, Match, OrderFilters, Tags, Text
from unicart.client.models import Event, Passed, Written
from unicart.client.retries import Retries
from unicart.client.sync import Client, Feed, Stream
from unicart.client.webhooks import verify_webhook
from unicart.contract.orders import CartOrder, OrderStatus
from unicart.contract.products import CartProduct
from unicart.contract.resources import Function
from unicart.contract.warehouses import CartWarehouse
from unicart.contract.writes import (
    AdjustmentType,
    GroupQuantities,
    InventoryAdjustment,
    LineQuantity,
    LineRefund,
    NewRefund,
    NewShipment,
    WriteFunction,
)

__all__ = [
    "AdjustmentType",
    "ApiError",
    "AsyncClient",
    "AsyncFeed",
    "AsyncStream",
    "BadAnswer",
    "CartOrder",
    "CartProduct",
    "CartWarehouse",
    "Client",
    "ClientError",
    "Dates",
    "Event",
    "Feed",
    "Filters",
    "Forbidden",
    "Function",
    "GroupQuantities",
    "InvalidRequest",
    "InventoryAdjustment",
    "KeyMisused",
    "LineQuantity",
    "LineRefund",
    "Match",
    "NewRefund",
    "NewShipment",
    "NotFound",
    "NotImplementedHere",
    "NotReached",
    "OrderFilters",
    "OrderStatus",
    "Passed",
    "RateLimited",
    "Retries",
    "Stream",
    "Tags",
    "Text",
    "Unauthorized",
    "Unavailable",
    "WebhookRefused",
    "WriteFunction",
    "WriteInProgress",
    "Written",
    "verify_webhook",
]
