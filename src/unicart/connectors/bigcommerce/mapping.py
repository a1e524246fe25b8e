"""BigCommerce's records as unified ones. Pure functions; field names in backquotes are BigCommerce's."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from unicart.connectors.bigcommerce import payloads
from unicart.connectors.kit import UnmappableRecord, finite, parse_utc, per_unit
from unicart.contract.common import Address
from unicart.contract.orders import (
    LineItem,
    Order,
    OrderStatus,
    Refund,
    RefundLineItem,
    Shipment,
    ShipmentLineItem,
    ShipmentStatus,
    ShippingGroup,
    ShippingGroupLineItem,
)
from unicart.contract.products import Measurements, Product
from unicart.contract.warehouses import Warehouse

_orders = msgspec.json.Decoder(payloads.RawOrder)
_products = msgspec.json.Decoder(payloads.RawProduct)
_locations = msgspec.json.Decoder(payloads.Location)

_STORE = re.compile(r"/stores/([A-Za-z0-9]+)/")
CENT = Decimal("0.01")
GIFT_WRAPPING = "gift-wrapping"

MARK = re.compile(r"\s*\[Unicart (?P<reference>[0-9A-Za-z]+)(?: (?P<number>\d+)/(?P<total>\d+))?\]")
"""How our own writes are marked in BigCommerce's texts."""

INCOMPLETE = 0
REFUNDED = 4
CANCELLED = 5
DECLINED = 6
PARTIALLY_REFUNDED = 14
STATUSES = {
    1: OrderStatus.OPEN,
    2: OrderStatus.FULFILLED,
    3: OrderStatus.PARTIALLY_FULFILLED,
    CANCELLED: OrderStatus.CANCELLED,
    DECLINED: OrderStatus.CANCELLED,
    7: OrderStatus.OPEN,
    8: OrderStatus.PROCESSING,
    9: OrderStatus.PROCESSING,
    10: OrderStatus.FULFILLED,
    11: OrderStatus.CONFIRMED,
    12: OrderStatus.EXCEPTION,
    13: OrderStatus.EXCEPTION,
}
"""By `status_id`; refunded orders stand where their goods stand."""

WEIGHT_UNITS = {
    **dict.fromkeys(("ounces", "oz"), "oz"),
    **dict.fromkeys(("lbs", "lb", "pounds"), "lb"),
    **dict.fromkeys(("kgs", "kg", "kilograms"), "kg"),
    **dict.fromkeys(("grams", "g"), "g"),
}
LENGTH_UNITS = {**dict.fromkeys(("inches", "in"), "in"), **dict.fromkeys(("centimeters", "cm"), "cm")}


def order(raw: bytes) -> Order:
    """An order of `GET /v2/orders` with its consignments and fees, its shipments and its refunds.

    Amounts are without tax, discounts and taxes beside them. Gift wrapping and fees, for which the contract has no field,
    are custom items; handling is part of the shipping. Store credit and gift certificates pay, and lower no total.
    """
    record = _orders.decode(raw)
    source = record.order
    lines = order_lines(record)
    refunds = [refund for refund in (_refund(each, lines) for each in record.refunds) if refund is not None]
    items = [*(_line_item(line) for line in lines.values()), *_extra_items(source)]
    shipping = _total(source.shipping_cost_ex_tax, source.handling_cost_ex_tax)
    status = _status(source)
    method = next((each.shipping_method for each in source.consignments.shipping if each.shipping_method), None)
    return Order(
        id=str(source.id),
        order_number=str(source.id),
        created_date=_date(source.date_created, "date_created"),
        updated_date=_updated(record),
        status=status,
        raw_status=source.status or str(source.status_id),
        requested_shipping_method=method,
        shipping_method_name=method,
        invoice_currency_code=source.default_currency_code.upper(),
        total_price=source.total_inc_tax,
        total_tax=source.total_tax,
        total_discount=_discount(source, lines, shipping),
        total_shipping=shipping,
        ship_to_address=_ship_to(source),
        bill_to_address=_address(source.billing_address),
        line_items=items,
        shipping_groups=_shipping_groups(source, status),
        shipments=[_shipment(each, source, lines) for each in record.shipments],
        external_system_url=_control_panel(_store_hash(source), f"orders/{source.id}"),
        additional_fields=_additional_fields(record, lines, refunds),
    )


def products(raw: bytes) -> list[Product]:
    """A product of `GET /v3/catalog/products` as its parent record and one record for each variant."""
    record = _products.decode(raw)
    source = record.product
    parent = Product(
        id=str(source.id),
        name=source.name,
        sku=source.sku or None,
        gtin=source.gtin or source.upc or None,
        active=_is_sold(source),
        image_url=_image(source),
        inventory=source.inventory_level if source.inventory_tracking == "product" else None,
        measurements=_measurements(source, source, record),
        additional_fields={
            "type": source.type,
            "availability": source.availability,
            "inventory_tracking": source.inventory_tracking,
            "category_ids": [str(each) for each in source.categories],
            "brand_id": str(source.brand_id) if source.brand_id else None,
        },
        **_shared(record),
    )
    return [parent, *(_variant(each, record) for each in source.variants)]


def warehouse(raw: bytes) -> Warehouse:
    """A location of `GET /v3/inventory/locations`."""
    source = _locations.decode(raw)
    place = source.address or payloads.LocationAddress()
    return Warehouse(
        id=str(source.id),
        created_date=_iso(source.created_at, "created_at"),
        updated_date=_iso(source.updated_at, "updated_at"),
        name=source.label,
        code=source.code or None,
        address=Address(
            address1=place.address1 or None,
            address2=place.address2 or None,
            city=place.city or None,
            state=place.state or None,
            postal_code=place.zip or None,
            country=place.country_code or None,
            phone_number=place.phone or None,
            email_address=place.email or None,
        ),
        additional_fields={"type": source.type_id, "enabled": source.enabled, "time_zone": source.time_zone},
    )


def variant_id(product: int | None, variant: int | None) -> str | None:
    """The unified id of a variant: products and variants are numbered apart, so that it holds both numbers.

    Of a product without a known variant it is the product's, and null for a custom item, which has no product.
    """
    if not product:
        return None
    return f"{product}-{variant}" if variant else str(product)


def consigned_lines(consignments: payloads.Consignments) -> list[payloads.Line]:
    """The lines of an order, in the order of their ids."""
    certificates = consignments.email.gift_certificates if consignments.email else []
    parts: list[payloads.Shipping | payloads.Pickup | payloads.Digital] = [
        *consignments.shipping,
        *consignments.pickups,
        *consignments.downloads,
        *certificates,
    ]
    found = {line.id: line for part in parts for line in part.line_items}
    return [found[id] for id in sorted(found)]


def order_lines(record: payloads.RawOrder) -> dict[int, payloads.Line]:
    """The lines of an order, by their ids."""
    listed = consigned_lines(record.order.consignments) if record.products is None else record.products
    return {line.id: line for line in listed}


def is_declined(source: payloads.Refund) -> bool:
    """Whether the payment providers declined all of a refund."""
    return bool(source.payments) and all(payment.is_declined for payment in source.payments)


def paid_back(source: payloads.Refund) -> Decimal:
    """The amount of a refund, without what the payment providers declined."""
    declined = [payment.amount for payment in source.payments if payment.is_declined]
    return _amount(source.total_amount) - _total(*declined) if declined else source.total_amount


def parse_rfc2822(text: str) -> datetime:
    """A date of V2, which documents that its dates are in UTC.

    Raises:
        ValueError: it is none.
    """
    try:
        moment = parsedate_to_datetime(text)
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is no date: {error}") from error


def _status(source: payloads.Order) -> OrderStatus:
    if source.status_id not in (REFUNDED, PARTIALLY_REFUNDED):
        return STATUSES.get(source.status_id, OrderStatus.OTHER)
    if source.items_shipped and source.items_shipped >= source.items_total:
        return OrderStatus.FULFILLED
    if source.items_shipped:
        return OrderStatus.PARTIALLY_FULFILLED
    return OrderStatus.CANCELLED if source.status_id == REFUNDED else OrderStatus.CONFIRMED


def _updated(record: payloads.RawOrder) -> datetime:
    """The latest date of the order, its refunds and its shipments."""
    refunds = [_iso(refund.created, "refunds.created") for refund in record.refunds]
    shipments = [_date(each.date_created, "shipments.date_created") for each in record.shipments if each.date_created]
    return max([_date(record.order.date_modified, "date_modified"), *refunds, *shipments])


def _line_item(line: payloads.Line) -> LineItem:
    total, tax, discount = _amount(line.total_ex_tax), _amount(line.total_tax), _line_discount(line)
    each = line.price_ex_tax
    exact = each is not None and _amount(each) * line.quantity == total
    return LineItem(
        line_item_id=str(line.id),
        product_id=variant_id(line.product_id, line.variant_id),
        product_sku=line.sku or None,
        parent_product_id=str(line.product_id) if line.product_id else None,
        quantity=line.quantity,
        unit_price=each if exact else per_unit(total, line.quantity),
        discount=per_unit(discount, line.quantity),
        tax=per_unit(tax, line.quantity),
        total_discount=discount,
        total_tax=tax,
    )


def _line_discount(line: payloads.Line) -> Decimal:
    """The line's discount without tax: `applied_discounts` may include it, and what the line falls short of does not."""
    stated = _total(*(each.amount for each in line.applied_discounts if each.amount is not None))
    if line.discounted_total_inc_tax is None:
        return stated
    short = _total(line.total_ex_tax, line.total_tax) - _amount(line.discounted_total_inc_tax)
    return short if 0 < short <= stated else stated


def _extra_items(source: payloads.Order) -> list[LineItem]:
    """Gift wrapping and fees."""
    extras = [(f"fee-{fee.id}", _amount(fee.cost_ex_tax)) for fee in source.fees]
    if _amount(source.wrapping_cost_ex_tax):
        extras.append((GIFT_WRAPPING, source.wrapping_cost_ex_tax))
    return [LineItem(line_item_id=id, quantity=1, unit_price=amount) for id, amount in extras]


def _discount(source: payloads.Order, lines: dict[int, payloads.Line], shipping: Decimal) -> Decimal:
    """The order's discount without tax.

    `discount_amount` and `coupon_discount` may include tax, also where prices do not. So it is what the price without tax
    falls short of, if that is no more than these amounts; a total that was set by hand is no discount. Where prices
    include tax, those without are estimates, each wrong by a cent at most.
    """
    stated = _total(source.discount_amount, source.coupon_discount)
    most = max(stated, _total(*(_line_discount(line) for line in lines.values())))
    goods = _total(*(line.total_ex_tax for line in lines.values()), *(fee.cost_ex_tax for fee in source.fees))
    charged = finite(source.total_inc_tax, "total_inc_tax") - finite(source.total_tax, "total_tax")
    short = _total(goods, source.wrapping_cost_ex_tax, shipping) - charged
    error = CENT * (len(lines) + 1) if source.is_tax_inclusive_pricing else Decimal(0)
    return short if -error <= short <= most + error else stated


def _store_hash(source: payloads.Order) -> str | None:
    """The store, which the order's own links name."""
    match = _STORE.search((source.coupons.url if source.coupons else None) or "")
    return match[1] if match else None


def _control_panel(store_hash: str | None, page: str) -> str | None:
    return f"https://store-{store_hash}.mybigcommerce.com/manage/{page}" if store_hash else None


def _shipping_groups(source: payloads.Order, status: OrderStatus) -> list[ShippingGroup]:
    of_pickups = {OrderStatus.CANCELLED: ShipmentStatus.CANCELLED, OrderStatus.FULFILLED: ShipmentStatus.DELIVERED}
    pickups = [
        ShippingGroup(
            shipping_group_id=f"pickup-{each.id}",
            status=of_pickups.get(status, ShipmentStatus.OPEN),
            warehouse_id=str(each.location.id) if each.location and each.location.id else None,
            line_items=_group_lines(each.line_items),
        )
        for each in source.consignments.pickups
    ]
    return [*(_shipping_group(each, status) for each in source.consignments.shipping), *pickups]


def _shipping_group(each: payloads.Shipping, order: OrderStatus) -> ShippingGroup:
    status = ShipmentStatus.CANCELLED if order is OrderStatus.CANCELLED else ShipmentStatus.OPEN
    if each.items_shipped and each.items_shipped >= each.items_total:
        status = ShipmentStatus.SHIPPED
    return ShippingGroup(shipping_group_id=str(each.id), status=status, line_items=_group_lines(each.line_items))


def _group_lines(lines: Iterable[payloads.Line]) -> list[ShippingGroupLineItem]:
    return [
        ShippingGroupLineItem(
            line_item_id=str(line.id),
            product_id=variant_id(line.product_id, line.variant_id),
            product_sku=line.sku or None,
            parent_product_id=str(line.product_id) if line.product_id else None,
            quantity=line.quantity,
        )
        for line in lines
    ]


def _shipment(source: payloads.Shipment, order: payloads.Order, lines: dict[int, payloads.Line]) -> Shipment:
    groups = {each.id for each in order.consignments.shipping}
    carrier = source.shipping_provider or source.tracking_carrier or None
    made = _date(source.date_created, "shipments.date_created") if source.date_created else None
    return Shipment(
        shipment_id=str(source.id),
        status=ShipmentStatus.SHIPPED,
        shipping_method_name=source.shipping_method or None,
        carrier_id=carrier,
        carrier_name=source.shipping_provider_display_name or carrier,
        tracking_number=source.tracking_number or None,
        tracking_url=source.tracking_link or source.generated_tracking_link or None,
        shipping_groups=[str(source.order_address_id)] if source.order_address_id in groups else [],
        created_date=made,
        updated_date=made,
        line_items=[_shipment_line(item, source, lines.get(item.order_product_id)) for item in source.items],
    )


def _shipment_line(
    item: payloads.ShipmentItem, shipment: payloads.Shipment, line: payloads.Line | None
) -> ShipmentLineItem:
    product = line.product_id if line else None
    return ShipmentLineItem(
        shipment_line_item_id=f"{shipment.id}-{item.order_product_id}",
        product_id=variant_id(product, line.variant_id) if line else None,
        product_sku=(line.sku or None) if line else None,
        parent_product_id=str(product) if product else None,
        quantity=item.quantity,
    )


def _refund(source: payloads.Refund, lines: dict[int, payloads.Line]) -> Refund | None:
    """A refund without what the payment provider declined; null if that is all of it."""
    if is_declined(source):
        return None
    said = next((text for each in source.items if (text := MARK.sub("", each.reason or ""))), None)
    goods = [each for each in source.items if each.item_type == "PRODUCT" and each.item_id in lines]
    return Refund(
        refund_id=str(source.id),
        amount=paid_back(source),
        created_date=_iso(source.created, "refunds.created"),
        reason=source.reason or said,
        note=said if source.reason else None,
        line_items=[
            RefundLineItem(line_item_id=str(each.item_id), quantity=each.quantity or 0, amount=each.requested_amount)
            for each in goods
        ],
    )


def _additional_fields(
    record: payloads.RawOrder, lines: dict[int, payloads.Line], refunds: Sequence[Refund]
) -> dict[str, Any]:
    source = record.order
    fields: dict[str, Any] = {
        "payment_status": source.payment_status or None,
        "payment_method": source.payment_method or None,
        "total_refunded": _total(*(refund.amount for refund in refunds)),
        "refunds": refunds,
        "status_id": source.status_id,
        "custom_status": source.custom_status or None,
        "is_archived": source.is_deleted,
        "is_digital": source.order_is_digital,
        "prices_include_tax": source.is_tax_inclusive_pricing,
        "discount_amount": _amount(source.discount_amount),
        "coupon_discount": _amount(source.coupon_discount),
        "coupon_codes": sorted({each.code for line in lines.values() for each in line.applied_discounts if each.code}),
        "handling_cost": _amount(source.handling_cost_ex_tax),
        "store_credit_amount": _amount(source.store_credit_amount),
        "gift_certificate_amount": _amount(source.gift_certificate_amount),
        "display_currency_code": source.currency_code or None,
        "display_exchange_rate": _known(source.currency_exchange_rate),
        "store_currency_code": source.store_default_currency_code or None,
        "store_exchange_rate": _known(source.store_default_to_transactional_exchange_rate),
        "customer_id": str(source.customer_id) if source.customer_id else None,
        "customer_message": source.customer_message or None,
        "staff_notes": source.staff_notes or None,
        "channel_id": str(source.channel_id) if source.channel_id else None,
        "order_source": source.order_source or None,
        "external_source": source.external_source or None,
        "external_order_id": source.external_order_id or source.external_id or None,
    }
    return fields | _titles(source, lines) | _deliveries(source)


def _titles(source: payloads.Order, lines: dict[int, payloads.Line]) -> dict[str, Any]:
    """The names of custom items, and what buyers chose for their lines."""
    custom = {str(line.id): line.name for line in lines.values() if not line.product_id and line.name}
    custom |= {f"fee-{fee.id}": fee.display_name_customer for fee in source.fees if fee.display_name_customer}
    options = {
        str(line.id): {each.display_name: each.display_value for each in line.product_options if each.display_name}
        for line in lines.values()
        if line.product_options
    }
    wrapping = {
        str(line.id): {"name": line.wrapping_name, "message": line.wrapping_message or None}
        for line in lines.values()
        if line.wrapping_name
    }
    named = {"custom_item_titles": custom, "line_item_options": options, "gift_wrapping": wrapping}
    return {name: value for name, value in named.items() if value}


def _deliveries(source: payloads.Order) -> dict[str, Any]:
    """The addresses of an order that goes to several, and the pickups, by their shipping group."""
    shipping, pickups = source.consignments.shipping, source.consignments.pickups
    fields: dict[str, Any] = {}
    if len(shipping) > 1:
        fields["ship_to_addresses"] = {str(each.id): _address(each) for each in shipping}
        fields["shipping_methods"] = {str(each.id): each.shipping_method or None for each in shipping}
    if pickups:
        fields["pickup_methods"] = {f"pickup-{each.id}": each.pickup_method_display_name for each in pickups}
    return fields


def _ship_to(source: payloads.Order) -> Address:
    shipping = source.consignments.shipping
    return _address(shipping[0]) if shipping else Address()


def _address(source: payloads.Address | None) -> Address:
    if source is None:
        return Address()
    return Address(
        full_name=" ".join(part for part in (source.first_name, source.last_name) if part) or None,
        company=source.company or None,
        address1=source.street_1 or None,
        address2=source.street_2 or None,
        city=source.city or None,
        state=source.state or None,
        postal_code=source.zip or None,
        country=source.country_iso2 or source.country or None,
        phone_number=source.phone or None,
        email_address=source.email or None,
    )


def _shared(record: payloads.RawProduct) -> dict[str, Any]:
    source = record.product
    names = (record.category_names.get(str(each)) for each in source.categories)
    return {
        "categories": [name for name in names if name],
        "created_date": _iso(source.date_created, "date_created"),
        "updated_date": _iso(source.date_modified, "date_modified"),
        "parent_product_id": str(source.id),
        "external_system_url": _control_panel(record.store_hash, f"products/edit/{source.id}"),
    }


def _variant(source: payloads.Variant, record: payloads.RawProduct) -> Product:
    parent = record.product
    labels = [value.label for value in source.option_values if value.label]
    is_base = len(parent.variants) == 1
    stock = record.levels.get(str(source.id)) if parent.inventory_tracking != "none" else None
    cost, sale = source.cost_price or parent.cost_price, source.sale_price or parent.sale_price
    return Product(
        id=f"{parent.id}-{source.id}",
        name=" ".join([parent.name, *labels]),
        sku=source.sku or (parent.sku if is_base else None) or None,
        gtin=source.gtin or source.upc or ((parent.gtin or parent.upc) if is_base else None) or None,
        active=_is_sold(parent) and not source.purchasing_disabled,
        image_url=source.image_url or _image(parent),
        price=source.price if source.price is not None else parent.price,
        unit_cost=cost or None,
        inventory=_inventory(source, parent, stock, is_base=is_base),
        inventory_by_warehouse_id=stock or {},
        measurements=_measurements(source, parent, record),
        additional_fields={
            "options": {value.option_display_name or "": value.label for value in source.option_values},
            "sale_price": _known(sale) or None,
        },
        **_shared(record),
    )


def _inventory(
    source: payloads.Variant, parent: payloads.Product, stock: dict[str, int] | None, *, is_base: bool
) -> int | None:
    """The stock of all locations; null where it is not tracked, or shared by the variants of a product."""
    if stock is not None:
        return sum(stock.values())
    if parent.inventory_tracking == "variant":
        return source.inventory_level
    return parent.inventory_level if parent.inventory_tracking == "product" and is_base else None


def _measurements(
    source: payloads.Variant | payloads.Product, parent: payloads.Product, record: payloads.RawProduct
) -> Measurements:
    """The variant's size and weight, or the product's where it has none of its own."""
    length, width = _either(source.depth, parent.depth), _either(source.width, parent.width)
    height, weight = _either(source.height, parent.height), _either(source.weight, parent.weight)
    has_size = any(each is not None for each in (length, width, height))
    return Measurements(
        length=length,
        width=width,
        height=height,
        unit=LENGTH_UNITS.get((record.dimension_units or "").lower()) if has_size else None,
        weight=weight,
        weight_unit=WEIGHT_UNITS.get((record.weight_units or "").lower()) if weight is not None else None,
    )


def _either(first: Decimal | None, second: Decimal | None) -> Decimal | None:
    return first if first is not None else second


def _is_sold(source: payloads.Product) -> bool:
    return source.is_visible and source.availability != "disabled"


def _image(source: payloads.Product) -> str | None:
    return (source.primary_image.url_standard or None) if source.primary_image else None


def _total(*amounts: Decimal) -> Decimal:
    return sum(map(_amount, amounts), Decimal(0))


def _known(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else _amount(amount)


def _amount(amount: Decimal) -> Decimal:
    return finite(amount, "amount of money")


def _date(text: str, field: str) -> datetime:
    try:
        return parse_rfc2822(text)
    except ValueError as error:
        raise UnmappableRecord(f"{field}: {error}") from error


def _iso(text: str, field: str) -> datetime:
    try:
        return parse_utc(text)
    except ValueError as error:
        raise UnmappableRecord(f"{field}: {error}") from error
