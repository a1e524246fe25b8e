"""Acme's records as unified ones: pure functions."""

from decimal import Decimal

import msgspec

from unicart.connectors.kit import per_unit
from unicart.contract.common import Address
from unicart.contract.orders import LineItem, Order, OrderStatus
from unicart_acme import payloads

_orders = msgspec.json.Decoder(payloads.Order)

STATUSES = {
    "open": OrderStatus.OPEN,
    "packing": OrderStatus.PROCESSING,
    "sent": OrderStatus.FULFILLED,
    "cancelled": OrderStatus.CANCELLED,
}


def order(raw: bytes) -> Order:
    """An order of GET /orders."""
    source = _orders.decode(raw)
    return Order(
        id=source.id,
        order_number=source.number,
        created_date=source.created_at,
        updated_date=source.changed_at,
        status=STATUSES.get(source.state, OrderStatus.OTHER),
        raw_status=source.state,
        invoice_currency_code=source.currency,
        total_price=source.total,
        total_tax=sum((line.tax for line in source.lines), Decimal(0)),
        total_discount=sum((line.discount for line in source.lines), Decimal(0)),
        total_shipping=source.shipping,
        ship_to_address=_address(source.buyer or payloads.Buyer()),
        line_items=[_line(line) for line in source.lines],
    )


def _line(line: payloads.Line) -> LineItem:
    return LineItem(
        line_item_id=line.id,
        product_sku=line.sku,
        quantity=line.quantity,
        unit_price=line.price,
        discount=per_unit(line.discount, line.quantity),
        tax=per_unit(line.tax, line.quantity),
        total_discount=line.discount,
        total_tax=line.tax,
    )


def _address(buyer: payloads.Buyer) -> Address:
    return Address(
        full_name=buyer.name,
        address1=buyer.street,
        city=buyer.city,
        postal_code=buyer.zip,
        country=buyer.country,
        email_address=buyer.email,
    )
