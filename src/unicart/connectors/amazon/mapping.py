"""Amazon's orders and listings as unified ones. Pure functions; field names in backquotes are Amazon's."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from unicart.connectors.amazon import payloads
from unicart.connectors.kit import UnmappableRecord, finite, format_utc, per_unit
from unicart.contract.common import Address
from unicart.contract.orders import (
    LineItem,
    Order,
    OrderStatus,
    Shipment,
    ShipmentLineItem,
    ShipmentStatus,
)
from unicart.contract.products import Measurements, Product

_orders = msgspec.json.Decoder(payloads.Order)
_listings = msgspec.json.Decoder(payloads.Listing)

ZERO = Decimal(0)
STATUSES = {
    "PENDING_AVAILABILITY": OrderStatus.BACKORDERED,
    "PENDING": OrderStatus.OPEN,
    "UNSHIPPED": OrderStatus.CONFIRMED,
    "PARTIALLY_SHIPPED": OrderStatus.PARTIALLY_FULFILLED,
    "SHIPPED": OrderStatus.FULFILLED,
    "CANCELLED": OrderStatus.CANCELLED,
    "UNFULFILLABLE": OrderStatus.EXCEPTION,
}
TO_BE_SHIPPED = ("UNSHIPPED", "PARTIALLY_SHIPPED")
PICKED_UP = "IN_STORE_PICK_UP"
PACKAGE_STATUSES = {
    "PENDING": ShipmentStatus.OPEN,
    "IN_TRANSIT": ShipmentStatus.SHIPPED,
    "SHIPPED": ShipmentStatus.SHIPPED,
    "DELIVERED": ShipmentStatus.DELIVERED,
    "CANCELLED": ShipmentStatus.CANCELLED,
    "UNDELIVERABLE": ShipmentStatus.EXCEPTION,
}
BARCODES = ("gtin", "ean", "upc")
LENGTHS = {"centimeters": "cm", "inches": "in"}
WEIGHTS = {"grams": "g", "kilograms": "kg", "ounces": "oz", "pounds": "lb"}
CURRENCIES = {
    "A2EUQ1WTGCTBG2": "CAD",
    "ATVPDKIKX0DER": "USD",
    "A1AM78C64UM0Y8": "MXN",
    "A2Q3Y263D00KWC": "BRL",
    "A28R8C7NBKEWEA": "EUR",
    "A1RKKUPIHCS9HS": "EUR",
    "A1F83G8C2ARO7P": "GBP",
    "A13V1IB3VIYZZH": "EUR",
    "AMEN7PMS3EDWL": "EUR",
    "A1805IZSGTT6HS": "EUR",
    "A1PA6795UKMFR9": "EUR",
    "APJ6JRA9NG5V4": "EUR",
    "A2NODRKZP88ZB9": "SEK",
    "AE08WJ6YKNBMC": "ZAR",
    "A1C3SOZRARQ6R3": "PLN",
    "ARBP9OOSHTCHU": "EGP",
    "A33AVAJ2PDY3EV": "TRY",
    "A17E79C6D8DWNP": "SAR",
    "A2VIGQ35RCS4UG": "AED",
    "A21TJRUUN4KGV": "INR",
    "A19VAU5U5O7RUS": "SGD",
    "A39IBJ37TRP1C6": "AUD",
    "A1VC38T7YXB528": "JPY",
}
"""By marketplace: the currency of an order that has no prices yet."""


class Figures(msgspec.Struct, frozen=True):
    """What a list of `breakdowns` comes to, without tax in ``goods`` and ``charges``.

    ``charges`` are all that is neither goods, tax nor discount: shipping, gift wrap, cash on delivery, tips. The discount and
    the tax on goods are parts of ``discount`` and ``tax``.
    """

    goods: Decimal
    charges: Decimal
    discount: Decimal
    goods_discount: Decimal
    tax: Decimal
    goods_tax: Decimal


def order(raw: bytes) -> Order:
    """An order of `searchOrders` or `getOrder`. A pending order has no prices yet: its money is null."""
    source = _orders.decode(raw)
    fulfillment = source.fulfillment
    status = fulfillment.fulfillment_status if fulfillment else None
    ship_by = (fulfillment.ship_by_window if fulfillment else None) or payloads.Window()
    total = _total(source)
    figures = [(item, _item_figures(item)) for item in source.order_items]
    whole = _order_figures(source, [each for _, each in figures if each], total)
    return Order(
        id=source.order_id,
        order_number=source.order_id,
        created_date=source.created_time,
        updated_date=source.last_updated_time,
        status=STATUSES.get(status or "", OrderStatus.OTHER),
        raw_status=status,
        requested_shipping_method=(fulfillment.fulfillment_service_level if fulfillment else None) or None,
        invoice_currency_code=_currency(source),
        total_price=total,
        total_tax=whole.tax if whole else None,
        total_discount=whole.discount if whole else None,
        total_shipping=whole.charges if whole else None,
        ship_to_address=_ship_to(source),
        bill_to_address=_bill_to(source.buyer),
        earliest_ship_date=ship_by.earliest_date_time,
        latest_ship_date=ship_by.latest_date_time,
        line_items=[_line_item(item, each) for item, each in figures],
        shipments=[_shipment(each, source) for each in source.packages or []],
        additional_fields=_additional_fields(source),
    )


def products(raw: bytes) -> list[Product]:
    """A listing of `searchListingsItems`: one record, a child of a variation below the SKU of its parent."""
    source = _listings.decode(raw)
    if not source.summaries:
        raise UnmappableRecord("summaries: the listing has none in this marketplace, and so no dates")
    summary = source.summaries[0]
    offer = next((each for each in source.offers or [] if each.offer_type == "B2C"), None)
    stock = {
        each.fulfillment_channel_code: each.quantity
        for each in source.fulfillment_availability or []
        if each.quantity is not None
    }
    return [
        Product(
            id=source.sku,
            created_date=summary.created_date,
            updated_date=summary.last_updated_date,
            name=summary.item_name or source.sku,
            sku=source.sku,
            parent_product_id=_parent(source),
            active="BUYABLE" in summary.status,
            image_url=(summary.main_image.link if summary.main_image else None) or None,
            price=_amount(offer.price, "offers.price") if offer else None,
            inventory=sum(stock.values()) if stock else None,
            inventory_by_warehouse_id=stock,
            gtin=_gtin(source.attributes, summary.marketplace_id),
            measurements=_measurements(source.attributes, summary.marketplace_id),
            additional_fields={
                "asin": summary.asin,
                "fn_sku": summary.fn_sku,
                "marketplace_id": summary.marketplace_id,
                "product_type": summary.product_type,
                "condition": summary.condition_type,
                "listing_status": summary.status,
                "price_currency": offer.price.currency_code if offer else None,
                "fulfillment_channels": [
                    each.fulfillment_channel_code for each in source.fulfillment_availability or []
                ],
                "inventory_by_fulfillment_channel": stock,
            },
        )
    ]


def has_address(raw: bytes) -> bool | None:
    """Whether an order tells where the merchant is to send it; null if it need not.

    Without the role for addresses Amazon still sends city, region and country.
    """
    try:
        source = _orders.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    fulfillment, address = source.fulfillment, source.recipient.delivery_address if source.recipient else None
    if fulfillment is None or fulfillment.fulfilled_by != "MERCHANT" or PICKED_UP in (source.programs or []):
        return None
    if address and (address.name or address.address_line1 or address.postal_code):
        return True
    return False if fulfillment.fulfillment_status in TO_BE_SHIPPED else None


def _total(source: payloads.Order) -> Decimal | None:
    total = source.proceeds.grand_total if source.proceeds else None
    return _amount(total, "proceeds.grandTotal") if total else None


def _currency(source: payloads.Order) -> str:
    proceeds = [item.proceeds for item in source.order_items if item.proceeds]
    prices = [item.product.price for item in source.order_items if item.product.price]
    found = [
        source.proceeds.grand_total if source.proceeds else None,
        *(each.proceeds_total for each in proceeds),
        *(each.unit_price for each in prices),
    ]
    stated = next((money.currency_code.upper() for money in found if money and money.currency_code), None)
    return stated or CURRENCIES.get(source.sales_channel.marketplace_id or "", "USD")


def _item_figures(item: payloads.OrderItem) -> Figures | None:
    proceeds = item.proceeds
    if proceeds is None or not proceeds.breakdowns:
        return None
    total = proceeds.proceeds_total
    return _figures(proceeds.breakdowns, _amount(total, "orderItems.proceeds.proceedsTotal") if total else None)


def _order_figures(source: payloads.Order, items: list[Figures], total: Decimal | None) -> Figures | None:
    """The sums of the items' figures and what belongs to no item; the order's own breakdowns, where items have none."""
    breakdowns = (source.proceeds.breakdowns if source.proceeds else None) or []
    if not items:
        return _figures(breakdowns, total) if breakdowns else None
    tips = sum((_amount(each.subtotal, "proceeds.breakdowns") for each in breakdowns if _is_tip(each)), ZERO)
    return Figures(
        goods=sum((each.goods for each in items), ZERO),
        charges=sum((each.charges for each in items), ZERO) + tips,
        discount=sum((each.discount for each in items), ZERO),
        goods_discount=sum((each.goods_discount for each in items), ZERO),
        tax=sum((each.tax for each in items), ZERO),
        goods_tax=sum((each.goods_tax for each in items), ZERO),
    )


def _is_tip(breakdown: payloads.Breakdown) -> bool:
    return breakdown.type == "DELIVERY_TIP"


def _figures(breakdowns: Iterable[payloads.Breakdown], total: Decimal | None) -> Figures:
    """What ``breakdowns`` come to.

    Amazon documents neither the sign of a discount nor whether prices include tax (they do in some marketplaces): the sign is
    disregarded, and prices include tax if only so they add up to the ``total``.
    """
    known = list(breakdowns)
    sums = dict.fromkeys(("ITEM", "TAX", "DISCOUNT"), ZERO)
    charges = ZERO
    for each in known:
        amount = _amount(each.subtotal, "breakdowns.subtotal")
        if each.type in sums:
            sums[each.type] += amount
        else:
            charges += amount
    goods, tax, discount = sums["ITEM"], sums["TAX"], abs(sums["DISCOUNT"])
    goods_discount = discount - abs(_part(known, "DISCOUNT", lambda subtype: subtype != "ITEM"))
    charges_tax = _part(known, "TAX", lambda subtype: subtype not in ("ITEM", "DISCOUNT"))
    if tax and goods + charges - discount == total:
        discount_tax = abs(_part(known, "TAX", lambda subtype: subtype == "DISCOUNT"))
        goods, charges = goods - (tax - charges_tax + discount_tax), charges - charges_tax
        discount -= discount_tax
        goods_discount -= discount_tax if goods_discount >= discount_tax else ZERO
    return Figures(goods, charges, discount, goods_discount, tax, tax - charges_tax)


def _part(breakdowns: Iterable[payloads.Breakdown], type: str, is_meant: Callable[[str | None], bool]) -> Decimal:
    """The details of a tax or discount whose subtype is meant."""
    details = [each for outer in breakdowns if outer.type == type for each in outer.detailed_breakdowns or []]
    meant = [each.value for each in details if each.value and is_meant(each.subtype)]
    return sum((_amount(value, "detailedBreakdowns.value") for value in meant), ZERO)


def _line_item(item: payloads.OrderItem, figures: Figures | None) -> LineItem:
    quantity = item.quantity_ordered
    price = item.product.price.unit_price if item.product.price else None
    unit_price = _amount(price, "product.price.unitPrice") if price else None
    return LineItem(
        line_item_id=item.order_item_id,
        product_id=item.product.seller_sku or None,
        product_sku=item.product.seller_sku or None,
        quantity=quantity,
        unit_price=per_unit(figures.goods, quantity) if figures else unit_price,
        discount=per_unit(figures.goods_discount, quantity) if figures else None,
        tax=per_unit(figures.goods_tax, quantity) if figures else None,
        total_discount=figures.goods_discount if figures else None,
        total_tax=figures.goods_tax if figures else None,
    )


def _shipment(source: payloads.Package, order: payloads.Order) -> Shipment:
    skus = {item.order_item_id: item.product.seller_sku or None for item in order.order_items}
    status = source.package_status.status if source.package_status else None
    return Shipment(
        shipment_id=source.package_reference_id,
        raw_status=status,
        status=PACKAGE_STATUSES.get(status, ShipmentStatus.OTHER) if status else None,
        shipping_method_name=source.shipping_service or None,
        carrier_name=source.carrier or None,
        tracking_number=source.tracking_number or None,
        created_date=source.created_time,
        updated_date=source.ship_time or source.created_time,
        line_items=[
            ShipmentLineItem(
                shipment_line_item_id=f"{source.package_reference_id}:{each.order_item_id}",
                product_id=skus.get(each.order_item_id),
                product_sku=skus.get(each.order_item_id),
                quantity=each.quantity,
            )
            for each in source.package_items or []
        ],
    )


def _ship_to(source: payloads.Order) -> Address:
    address = source.recipient.delivery_address if source.recipient else None
    return _address(address, source.buyer.buyer_email if source.buyer else None)


def _bill_to(buyer: payloads.Buyer | None) -> Address:
    """Amazon tells no billing address, only who the buyer is."""
    if buyer is None:
        return Address()
    return Address(
        full_name=buyer.buyer_name or None,
        company=buyer.buyer_company_name or None,
        email_address=buyer.buyer_email or None,
    )


def _address(source: payloads.Address | None, email: str | None) -> Address:
    if source is None:
        return Address(email_address=email or None)
    return Address(
        full_name=source.name or None,
        company=source.company_name or None,
        address1=source.address_line1 or None,
        address2=source.address_line2 or None,
        address3=source.address_line3 or None,
        city=source.city or None,
        state=source.state_or_region or None,
        postal_code=source.postal_code or None,
        country=source.country_code or None,
        phone_number=source.phone or None,
        email_address=email or None,
    )


def _additional_fields(source: payloads.Order) -> dict[str, Any]:
    channel, fulfillment = source.sales_channel, source.fulfillment
    deliver_by = (fulfillment.deliver_by_window if fulfillment else None) or payloads.Window()
    preference = (source.recipient.delivery_preference if source.recipient else None) or payloads.DeliveryPreference()
    invoicing = source.tax.tax_invoicing if source.tax else None
    fields: dict[str, Any] = {
        "marketplace_id": channel.marketplace_id,
        "marketplace_name": channel.marketplace_name,
        "sales_channel": channel.channel_name,
        "fulfilled_by": fulfillment.fulfilled_by if fulfillment else None,
        "seller_order_id": next(
            (each.alias_id for each in source.order_aliases or [] if each.alias_type == "SELLER_ORDER_ID"), None
        ),
        "purchase_order_number": source.buyer.buyer_purchase_order_number if source.buyer else None,
        "programs": source.programs or [],
        "earliest_delivery_date": _text(deliver_by.earliest_date_time),
        "latest_delivery_date": _text(deliver_by.latest_date_time),
        "line_items": {item.order_item_id: _item_fields(item) for item in source.order_items},
    }
    optional = {
        "associated_orders": [
            {"order_id": each.order_id, "type": each.association_type} for each in source.associated_orders or []
        ],
        "charges": _charges(source),
        "payments": _payments(source.payment),
        "invoice_status": invoicing.invoice_status if invoicing else None,
        "drop_off_location": preference.drop_off_location,
        "delivery_instructions": preference.address_instruction,
        "fulfillment_order_ids": [each.fulfillment_order_id for each in source.fulfillment_orders or []],
        "packages": _packages(source.packages or []),
    }
    return fields | {name: value for name, value in optional.items() if value}


def _charges(source: payloads.Order) -> dict[str, Decimal]:
    """Each kind of `breakdowns` over the whole order, as Amazon states it."""
    items = [each.proceeds.breakdowns or [] for each in source.order_items if each.proceeds]
    own = (source.proceeds.breakdowns if source.proceeds else None) or []
    of_items = [each for breakdowns in items for each in breakdowns]
    counted = [*of_items, *(each for each in own if _is_tip(each))] if of_items else own
    sums: dict[str, Decimal] = {}
    for each in counted:
        sums[each.type] = sums.get(each.type, ZERO) + _amount(each.subtotal, "breakdowns.subtotal")
    return sums


def _payments(payment: payloads.Payment | None) -> list[dict[str, Any]]:
    executions = (payment.payment_executions if payment else None) or []
    return [
        {
            "method": each.payment_method,
            "amount": _amount(each.payment_amount, "payment.paymentAmount") if each.payment_amount else None,
        }
        for each in executions
    ]


def _packages(packages: Iterable[payloads.Package]) -> dict[str, Any]:
    """The finer state of each package, and the place it is sent from."""
    return {
        each.package_reference_id: {
            "detailed_status": each.package_status.detailed_status if each.package_status else None,
            "ship_from": _address(each.ship_from_address, None),
        }
        for each in packages
    }


def _item_fields(item: payloads.OrderItem) -> dict[str, Any]:
    """What an item has that a line item has no field for; only what there is."""
    fulfillment = item.fulfillment or payloads.ItemFulfillment()
    gift = (fulfillment.packing.gift_option if fulfillment.packing else None) or payloads.GiftOption()
    cancellation = item.cancellation or payloads.Cancellation()
    request, execution = cancellation.cancellation_request, cancellation.cancellation_execution
    product = item.product
    fields: Mapping[str, Any] = {
        "asin": product.asin,
        "title": product.title,
        "condition": product.condition.condition_subtype if product.condition else None,
        "programs": item.programs,
        "quantity_fulfilled": fulfillment.quantity_fulfilled,
        "quantity_unfulfilled": fulfillment.quantity_unfulfilled,
        "gift_message": gift.gift_message,
        "gift_wrap_level": gift.gift_wrap_level,
        "customized_url": product.customization.customized_url if product.customization else None,
        "serial_numbers": product.serial_numbers,
        "promotion_ids": [each.promotion_id for each in (item.promotion and item.promotion.breakdowns) or []],
        "points_granted": _points(item.expense),
        "tax_collections": [
            {"model": each.model, "responsible_party": each.responsible_party}
            for each in (item.tax and item.tax.tax_collections) or []
        ],
        "cancellation_requested_by": request.requester if request else None,
        "cancellation_request_reason": request.cancel_reason if request else None,
        "cancelled_by": execution.cancelled_by if execution else None,
        "cancel_reason": execution.cancel_reason if execution else None,
    }
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _points(expense: payloads.Expense | None) -> dict[str, Any]:
    granted = expense.points_cost.points_granted if expense and expense.points_cost else None
    if granted is None:
        return {}
    value = granted.points_monetary_value
    return {"number": granted.points_number, "value": _amount(value, "pointsMonetaryValue") if value else None}


def _parent(source: payloads.Listing) -> str:
    """The SKU of the variation's parent; a listing without one is its own."""
    related = [each for outer in source.relationships or [] for each in outer.relationships if each.type == "VARIATION"]
    return next((sku for each in related for sku in each.parent_skus or [] if sku), source.sku)


def _gtin(attributes: payloads.Attributes | None, marketplace: str) -> str | None:
    known = attributes.externally_assigned_product_identifier if attributes else []
    found = (each.value for each in known if each.marketplace_id == marketplace and each.type in BARCODES)
    return next((value for value in found if value), None)


def _measurements(attributes: payloads.Attributes | None, marketplace: str) -> Measurements:
    """Those of the packed product, in units that a record may have."""
    attributes = attributes or payloads.Attributes()
    sizes = (each for each in attributes.item_package_dimensions if each.marketplace_id == marketplace)
    weights = (each for each in attributes.item_package_weight if each.marketplace_id == marketplace)
    size, weight = next(sizes, payloads.Size()), next(weights, payloads.Weight())
    sides = [each or payloads.Length() for each in (size.length, size.width, size.height)]
    units = {LENGTHS.get(each.unit or "") for each in sides if each.value is not None}
    unit = units.pop() if len(units) == 1 else None
    length, width, height = [each.value if unit else None for each in sides]
    weight_unit = WEIGHTS.get(weight.unit or "") if weight.value is not None else None
    return Measurements(
        length=length,
        width=width,
        height=height,
        unit=unit,
        weight=weight.value if weight_unit else None,
        weight_unit=weight_unit,
    )


def _amount(money: payloads.Money, field: str) -> Decimal:
    return finite(money.amount, field)


def _text(moment: datetime | None) -> str | None:
    return format_utc(moment, "seconds") if moment is not None else None
