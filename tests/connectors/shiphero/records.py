"""Records as ShipHero's API answers them: every field that the connector asks for, unless a test says otherwise."""

import base64
from typing import Any

ACCOUNT = "QWNjb3VudDoxMDA="  # Account:100
CLIENT = "QWNjb3VudDoyMDA="  # Account:200
EAST, WEST = "V2FyZWhvdXNlOjE=", "V2FyZWhvdXNlOjI="  # Warehouse:1, Warehouse:2


def uuid(kind: str, number: int) -> str:
    """A global id: opaque to clients, and in fact the base64 of the kind and the old numeric id."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def connection(nodes: list[dict[str, Any]], more: bool = False) -> dict[str, Any]:
    info = {"hasNextPage": more, "endCursor": str(len(nodes)) if nodes else None}
    return {"edges": [{"node": node} for node in nodes], "pageInfo": info}


def line(number: int, **changes: Any) -> dict[str, Any]:
    """One unit of product ``number`` at 10.00, still to be shipped."""
    return {
        "id": uuid("LineItem", number),
        "sku": f"SKU-{number}",
        "product_name": f"Product {number}",
        "product": {"id": uuid("Product", number)},
        "quantity": 1,
        "quantity_shipped": 0,
        "backorder_quantity": 0,
        "price": "10.00",
        "promotion_discount": None,
        "fulfillment_status": "pending",
        "partner_line_item_id": f"shop-{number}",
    } | changes


def address(**changes: Any) -> dict[str, Any]:
    return {
        "first_name": "Jane",
        "last_name": "Doe",
        "company": "Example Inc.",
        "address1": "1 Main Street",
        "address2": "Floor 2",
        "city": "Springfield",
        "state": "Illinois",
        "state_code": "IL",
        "zip": "62701",
        "country": "United States",
        "country_code": "US",
        "email": "jane@example.com",
        "phone": "+1 555 0100",
    } | changes


def label(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": uuid("ShippingLabel", number),
        "carrier": "ups",
        "shipping_method": "Ground",
        "tracking_number": f"1Z{number:06}",
        "tracking_url": f"https://track.example.com/1Z{number:06}",
        "status": "valid",
        "created_date": "2026-06-02T08:00:00",
        "refunded": False,
    } | changes


def shipment(number: int, lines: list[tuple[int, int]], **changes: Any) -> dict[str, Any]:
    """A shipment of ``lines``: numbers of lines, and how many units of each."""
    parts = [
        {"id": uuid("ShipmentLineItem", number * 10 + each), "line_item_id": uuid("LineItem", each), "quantity": units}
        for each, units in lines
    ]
    return {
        "id": uuid("Shipment", number),
        "warehouse_id": EAST,
        "created_date": "2026-06-02T07:59:00",
        "delivered": False,
        "refunded": False,
        "shipped_off_shiphero": False,
        "shipping_labels": [label(number)],
        "line_items": connection(parts),
    } | changes


def order(number: int, **changes: Any) -> dict[str, Any]:
    """A pending order of one line at 10.00, with 1.00 tax and 5.00 shipping."""
    return {
        "id": uuid("Order", number),
        "legacy_id": number,
        "order_number": f"#{number}",
        "partner_order_id": f"90{number}",
        "shop_name": "example.myshopify.com",
        "source": "shopify",
        "account_id": ACCOUNT,
        "fulfillment_status": "pending",
        "order_date": "2026-06-01T12:00:00",
        "updated_at": "2026-06-01T12:00:05",
        "required_ship_date": "2026-06-04T00:00:00",
        "hold_until_date": None,
        "total_tax": "1.00",
        "total_discounts": "0.00",
        "total_price": "16.00",
        "currency": "USD",
        "email": "jane@example.com",
        "profile": "default",
        "packing_note": None,
        "gift_note": None,
        "tags": ["priority"],
        "shipping_lines": {"title": "Standard", "carrier": "ups", "method": "ground", "price": "5.00"},
        "shipping_address": address(),
        "billing_address": address(address1="2 Bank Street"),
        "holds": dict.fromkeys(
            ("fraud_hold", "address_hold", "shipping_method_hold", "operator_hold", "payment_hold", "client_hold"),
            False,
        ),
        "line_items": connection([line(number)]),
        "shipments": [],
        "allocations": [],
        "authorizations": [],
    } | changes


def allocation(warehouse_id: str, lines: list[tuple[int, int]], **changes: Any) -> dict[str, Any]:
    """What a warehouse holds of an order: numbers of lines, and how many units of each."""
    parts = [
        {"line_item_id": uuid("LineItem", each), "quantity_allocated": units, "is_kit_component": False}
        for each, units in lines
    ]
    reference = f"allocation of {warehouse_id}"
    given = {"warehouse_id": warehouse_id, "allocated_at": "2026-06-01T13:00:00", "allocation_reference": reference}
    return {**given, "line_items": parts} | changes


def stock(warehouse_id: str, available: int, **changes: Any) -> dict[str, Any]:
    return {
        "warehouse_id": warehouse_id,
        "active": True,
        "on_hand": available + 2,
        "allocated": 2,
        "available": available,
        "backorder": 0,
        "price": "10.00",
        "value": "4.25",
        "value_currency": "USD",
        "updated_at": "2026-05-02T00:00:00",
    } | changes


def product(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": uuid("Product", number),
        "legacy_id": number,
        "account_id": ACCOUNT,
        "sku": f"SKU-{number}",
        "name": f"Product {number}",
        "barcode": f"40000000{number:05}",
        "kit": False,
        "kit_build": False,
        "virtual": False,
        "created_at": "2026-05-01T00:00:00",
        "updated_at": "2026-05-01T00:00:00",
        "tags": ["summer"],
        "dimensions": {"height": "1.50", "width": "2", "length": "3", "weight": "12.5"},
        "images": [
            {"src": "https://img.example.com/back.jpg", "position": 2},
            {"src": "https://img.example.com/front.jpg", "position": 1},
        ],
        "kit_components": [],
        "warehouse_products": [stock(EAST, 7), stock(WEST, 3)],
    } | changes


def warehouse(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": uuid("Warehouse", number),
        "legacy_id": number,
        "account_id": ACCOUNT,
        "identifier": "Primary" if number == 1 else f"Warehouse {number}",
        "company_name": "Example Inc.",
        "company_alias": None,
        "profile": "default",
        "address": {
            "name": "Dock",
            "address1": "9 Quay",
            "address2": "",
            "city": "Oakland",
            "state": "CA",
            "zip": "94607",
            "country": "US",
            "phone": "",
        },
    } | changes
