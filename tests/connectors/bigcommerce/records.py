"""BigCommerce's records, made up in the shapes that it documents, with figures that add up as BigCommerce's do."""

from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

STORE = "abc123"
API = f"https://api.bigcommerce.com/stores/{STORE}"
ZERO = Decimal(0)


def money(amount: Decimal | int | str) -> str:
    """An amount as V2 writes it."""
    return f"{Decimal(amount):.4f}"


def rfc2822(moment: datetime) -> str:
    """A date as V2 writes it."""
    return format_datetime(moment)


def iso(moment: datetime) -> str:
    """A date as V3 writes it."""
    return moment.isoformat(timespec="seconds")


def line(
    id: int,
    price: str = "10",
    quantity: int = 1,
    *,
    tax: str = "0",
    product: int = 77,
    variant: int | None = 109,
    address: int = 51,
    **fields: Any,
) -> dict[str, Any]:
    """A line of an order: ``price`` and ``tax`` are those of a unit."""
    total, taxes = Decimal(price) * quantity, Decimal(tax) * quantity
    made: dict[str, Any] = {
        "id": id,
        "order_id": 0,
        "product_id": product,
        "variant_id": variant,
        "order_address_id": address,
        "order_pickup_method_id": 0,
        "name": "Chambray Towel",
        "name_customer": "Chambray Towel",
        "name_merchant": "Chambray Towel",
        "sku": f"SKU-{product}",
        "upc": "",
        "type": "physical",
        "base_price": money(price),
        "price_ex_tax": money(price),
        "price_inc_tax": money(Decimal(price) + Decimal(tax)),
        "price_tax": money(tax),
        "base_total": money(total),
        "total_ex_tax": money(total),
        "total_inc_tax": money(total + taxes),
        "total_tax": money(taxes),
        "quantity": quantity,
        "quantity_shipped": 0,
        "is_refunded": False,
        "quantity_refunded": 0,
        "refund_amount": money(0),
        "weight": "1.0000",
        "wrapping_id": 0,
        "wrapping_name": "",
        "wrapping_message": "",
        "wrapping_cost_ex_tax": money(0),
        "parent_order_product_id": None,
        "is_bundled_product": False,
        "external_id": None,
        "brand": "",
        "applied_discounts": [],
        "product_options": [],
        "configurable_fields": [],
        "gift_certificate_id": None,
        "discounted_total_inc_tax": money(total + taxes),
    }
    return made | fields


def discount(amount: str, code: str | None = None, target: str = "order") -> dict[str, Any]:
    """A discount that was applied to a line."""
    return {"id": code or "manual-discount", "amount": money(amount), "name": "Sale", "code": code, "target": target}


def address(name: str = "Jane Doe", **fields: Any) -> dict[str, Any]:
    """A postal address."""
    first, _, last = name.partition(" ")
    made = {
        "first_name": first,
        "last_name": last,
        "company": "",
        "street_1": "455 Main Street",
        "street_2": "",
        "city": "Austin",
        "state": "Texas",
        "zip": "78751",
        "country": "United States",
        "country_iso2": "US",
        "phone": "555-123-4567",
        "email": "jane@example.com",
    }
    return made | fields


def shipping(
    id: int, lines: list[dict[str, Any]], shipped: int = 0, name: str = "Jane Doe", **fields: Any
) -> dict[str, Any]:
    """A consignment that is shipped to an address."""
    made = {
        "id": id,
        **address(name),
        "form_fields": [],
        "line_items": lines,
        "items_total": sum(each["quantity"] for each in lines),
        "items_shipped": shipped,
        "shipping_method": "Flat Rate",
        "base_cost": 0,
        "cost_ex_tax": 0,
        "cost_inc_tax": 0,
        "cost_tax": 0,
        "handling_cost_ex_tax": 0,
        "handling_cost_inc_tax": 0,
        "shipping_zone_id": 1,
        "shipping_zone_name": "United States",
    }
    return made | fields


def consignments(**parts: Any) -> dict[str, Any]:
    """An order's consignments."""
    return {"pickups": [], "shipping": [], "downloads": [], "email": {"gift_certificates": []}} | parts


def order(
    id: int,
    at: datetime,
    lines: list[dict[str, Any]],
    *,
    status_id: int = 11,
    modified: datetime | None = None,
    shipping_cost: str = "0",
    handling_cost: str = "0",
    wrapping_cost: str = "0",
    other_tax: str = "0",
    discounts: str = "0",
    coupons: str = "0",
    fees: list[dict[str, Any]] | None = None,
    parts: dict[str, Any] | None = None,
    shipped: int = 0,
    currency: str = "USD",
    **fields: Any,
) -> dict[str, Any]:
    """An order as a list with its consignments, lines and fees has it; tax is beside prices unless ``fields`` say so."""
    goods = sum((Decimal(each["total_ex_tax"]) for each in lines), ZERO)
    taxes = sum((Decimal(each["total_tax"]) for each in lines), Decimal(other_tax))
    extra = sum((Decimal(str(fee["cost_ex_tax"])) for fee in fees or []), ZERO)
    more = sum(map(Decimal, (shipping_cost, handling_cost, wrapping_cost)), extra)
    total = goods + more - Decimal(discounts) - Decimal(coupons)
    count = sum(each["quantity"] for each in lines)
    made = {
        "id": id,
        "customer_id": 20,
        "date_created": rfc2822(at),
        "date_modified": rfc2822(modified or at),
        "date_shipped": "",
        "status_id": status_id,
        "status": STATUSES.get(status_id, "Something New"),
        "custom_status": STATUSES.get(status_id, "Something New"),
        "subtotal_ex_tax": money(goods),
        "subtotal_inc_tax": money(goods + taxes),
        "subtotal_tax": money(taxes),
        "shipping_cost_ex_tax": money(shipping_cost),
        "handling_cost_ex_tax": money(handling_cost),
        "wrapping_cost_ex_tax": money(wrapping_cost),
        "total_ex_tax": money(total),
        "total_inc_tax": money(total + taxes),
        "total_tax": money(taxes),
        "is_tax_inclusive_pricing": False,
        "items_total": count,
        "items_shipped": shipped,
        "payment_method": "Credit Card",
        "payment_provider_id": "",
        "payment_status": "captured",
        "refunded_amount": money(0),
        "order_is_digital": False,
        "store_credit_amount": money(0),
        "gift_certificate_amount": money(0),
        "currency_id": 1,
        "currency_code": currency,
        "currency_exchange_rate": "1.0000000000",
        "default_currency_id": 1,
        "default_currency_code": currency,
        "store_default_currency_code": "USD",
        "store_default_to_transactional_exchange_rate": "1.0000000000",
        "staff_notes": "",
        "customer_message": "",
        "discount_amount": money(discounts),
        "coupon_discount": money(coupons),
        "shipping_address_count": 1,
        "is_deleted": False,
        "cart_id": "a8458391-ef68-4fe5-9ec1-442e6a767364",
        "billing_address": {**address(), "form_fields": []},
        "order_source": "www",
        "channel_id": 1,
        "external_source": None,
        "external_id": None,
        "external_order_id": "",
        "fees": fees or [],
        "consignments": parts or consignments(shipping=[shipping(51, lines, shipped)]),
        "products": {"url": f"{API}/v2/orders/{id}/products", "resource": f"/orders/{id}/products"},
        "coupons": {"url": f"{API}/v2/orders/{id}/coupons", "resource": f"/orders/{id}/coupons"},
    }
    return made | fields


def fee(id: int, cost: str, tax: str = "0") -> dict[str, Any]:
    """A fee of an order."""
    return {
        "id": id,
        "type": "custom_fee",
        "display_name_customer": "Package protection",
        "display_name_merchant": "Package protection",
        "source": "v2",
        "base_cost": money(cost),
        "cost_ex_tax": money(cost),
        "cost_inc_tax": money(Decimal(cost) + Decimal(tax)),
        "cost_tax": money(tax),
        "tax_class_id": None,
    }


def shipment(id: int, order: int, at: datetime, items: dict[int, int], **fields: Any) -> dict[str, Any]:
    """A shipment of ``items``: quantities by the id of their line."""
    made = {
        "id": id,
        "order_id": order,
        "customer_id": 20,
        "order_address_id": 51,
        "date_created": rfc2822(at),
        "tracking_number": "EJ958083578US",
        "merchant_shipping_cost": money(0),
        "shipping_method": "Flat Rate",
        "comments": "",
        "shipping_provider": "usps",
        "tracking_carrier": "",
        "tracking_link": "",
        "items": [{"order_product_id": line, "product_id": 77, "quantity": count} for line, count in items.items()],
        "shipping_provider_display_name": "USPS",
        "generated_tracking_link": "https://track.example.com/EJ958083578US",
    }
    return made | fields


def refund(
    id: int, order: int, at: datetime, amount: float, items: list[dict[str, Any]], **fields: Any
) -> dict[str, Any]:
    """A refund."""
    payment = {"id": id, "provider_id": "storecredit", "amount": amount, "offline": False, "is_declined": False}
    made = {
        "id": id,
        "order_id": order,
        "user_id": 1,
        "created": iso(at),
        "reason": "Damaged",
        "total_amount": amount,
        "total_tax": 0,
        "uses_merchant_override_values": False,
        "items": items,
        "payments": [{**payment, "declined_message": "", "transaction_id": "1234"}],
    }
    return made | fields


def refund_methods(amount: Decimal) -> list[list[dict[str, Any]]]:
    """How an order that was paid by card can be paid back."""
    return [
        [payment_option("storecredit", amount)],
        [payment_option("custom", amount, offline=True, offline_provider=True)],
        [payment_option("braintree", amount)],
    ]


def payment_option(provider: str, amount: Decimal, **fields: Any) -> dict[str, Any]:
    """A payment of a refund, as a quote offers it."""
    made = {
        "provider_id": provider,
        "provider_description": provider.title(),
        "amount": float(amount),
        "offline": False,
        "offline_provider": False,
        "offline_reason": "",
    }
    return made | fields


def refunded_line(line: int, quantity: int, amount: float) -> dict[str, Any]:
    """The part of a refund that pays a line back."""
    return {
        "item_type": "PRODUCT",
        "item_id": line,
        "reason": "",
        "quantity": quantity,
        "adjustments": [],
        "requested_amount": amount,
    }


def raw_order(order: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """The raw record that the connector makes of an order and what is kept beside it."""
    return {"id": order["id"], "order": order, "refunds": [], **parts}


def product(id: int, at: datetime, variants: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """A product of the catalog."""
    made = {
        "id": id,
        "name": f"Product {id}",
        "type": "physical",
        "sku": f"SKU-{id}",
        "description": "",
        "weight": 1.5,
        "width": 4,
        "depth": 10.25,
        "height": 2,
        "price": 12.5,
        "cost_price": 0,
        "retail_price": 0,
        "sale_price": 0,
        "categories": [23],
        "brand_id": 0,
        "inventory_level": 0,
        "inventory_tracking": "variant",
        "is_visible": True,
        "availability": "available",
        "upc": "",
        "gtin": "",
        "date_created": iso(at),
        "date_modified": iso(at),
        "primary_image": {"id": 1, "product_id": id, "url_standard": f"https://cdn.example.com/{id}.jpg"},
        "variants": variants,
    }
    return made | fields


def variant(id: int, product: int, *labels: str, **fields: Any) -> dict[str, Any]:
    """A variant of a product."""
    values = [
        {"id": number, "label": label, "option_id": number, "option_display_name": f"Option {number}"}
        for number, label in enumerate(labels, 1)
    ]
    made = {
        "id": id,
        "product_id": product,
        "sku": f"SKU-{product}-{id}",
        "sku_id": id,
        "price": None,
        "sale_price": None,
        "cost_price": 4.2,
        "weight": None,
        "width": None,
        "height": None,
        "depth": None,
        "purchasing_disabled": False,
        "upc": "012345678905",
        "inventory_level": 0,
        "option_values": values,
        "image_url": "",
    }
    return made | fields


def stock(product: int, variant: int, levels: dict[int, int], disabled: tuple[int, ...] = ()) -> dict[str, Any]:
    """What of a variant there is at each location."""
    return {
        "identity": {
            "sku": f"SKU-{product}-{variant}",
            "variant_id": variant,
            "product_id": product,
            "sku_id": variant,
        },
        "locations": [
            {
                "location_id": location,
                "location_code": f"LOC-{location}",
                "location_name": f"Location {location}",
                "available_to_sell": count,
                "total_inventory_onhand": count,
                "location_enabled": location not in disabled,
                "settings": {"safety_stock": 0, "is_in_stock": True, "warning_level": 0, "bin_picking_number": ""},
            }
            for location, count in levels.items()
        ],
    }


def location(id: int, at: datetime, **fields: Any) -> dict[str, Any]:
    """A location that holds stock."""
    made = {
        "id": id,
        "code": f"LOC-{id}",
        "label": f"Location {id}",
        "description": "",
        "managed_by_external_source": False,
        "type_id": "PHYSICAL",
        "enabled": True,
        "time_zone": "America/Chicago",
        "created_at": iso(at),
        "updated_at": iso(at),
        "address": {
            "address1": "1 Depot Road",
            "address2": "",
            "city": "Austin",
            "state": "Texas",
            "zip": "78751",
            "email": "depot@example.com",
            "phone": "555-0100",
            "country_code": "US",
        },
        "storefront_visibility": True,
    }
    return made | fields


STATUSES = {
    0: "Incomplete",
    1: "Pending",
    2: "Shipped",
    3: "Partially Shipped",
    4: "Refunded",
    5: "Cancelled",
    6: "Declined",
    7: "Awaiting Payment",
    8: "Awaiting Pickup",
    9: "Awaiting Shipment",
    10: "Completed",
    11: "Awaiting Fulfillment",
    12: "Manual Verification Required",
    13: "Disputed",
    14: "Partially Refunded",
}
