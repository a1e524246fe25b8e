"""Extensiv's records as unified ones. Pure functions; field names in backquotes are Extensiv's.

Extensiv's dates have no zone and its documentation gives none, so each raw record brings the zone that the connection was
made with. A date in an hour that a change from summer time repeats is taken for the first of the two.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from unicart.connectors.extensiv import payloads
from unicart.connectors.kit import UnmappableRecord, finite
from unicart.contract.common import Address
from unicart.contract.orders import (
    LineItem,
    Order,
    OrderStatus,
    Shipment,
    ShipmentLineItem,
    ShipmentStatus,
    ShippingGroup,
    ShippingGroupLineItem,
)
from unicart.contract.products import Measurements, Product
from unicart.contract.warehouses import Warehouse

_orders = msgspec.json.Decoder(payloads.RawOrder)
_items = msgspec.json.Decoder(list[payloads.OrderItem])
_products = msgspec.json.Decoder(payloads.RawProduct)
_facilities = msgspec.json.Decoder(payloads.Facility)

ORDER_ITEM = "http://api.3plcentral.com/rels/orders/item"
UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
"""The date of what Extensiv keeps no date of."""

NO_DATE = "0001-01-01"
"""The least date of .NET, which stands for none."""

OPEN, CLOSED, CANCELED = 0, 1, 2
STATUSES = {OPEN: "Open", CLOSED: "Closed", CANCELED: "Canceled"}
OF_SHIPMENTS = {
    OrderStatus.FULFILLED: ShipmentStatus.SHIPPED,
    OrderStatus.CANCELLED: ShipmentStatus.CANCELLED,
    OrderStatus.EXCEPTION: ShipmentStatus.ON_HOLD,
    OrderStatus.OTHER: ShipmentStatus.OTHER,
}

Lines = Mapping[int, payloads.OrderItem]


def zone(name: str) -> tzinfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: there is none.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"time_zone: {name!r} is no IANA time zone") from error


def moment(text: str, where: tzinfo) -> datetime:
    """A date of Extensiv's in its zone; one that names a zone of its own keeps that.

    Raises:
        ValueError: it is no date.
    """
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=where)


def order(raw: bytes) -> Order:
    """An order of `GET /orders?detail=All&itemdetail=All`.

    Extensiv keeps amounts only for an invoice to the shopper (`fulfillInvInfo`, `fulfillInvSalePrice`), and no total of them.
    """
    outer = _orders.decode(raw)
    source, where = outer.order, zone(outer.time_zone)
    head, money = source.read_only, source.fulfill_inv_info or payloads.FulfillInvInfo()
    items = order_items(source)
    status, id, route = _status(head), str(head.order_id), source.routing_info or payloads.RoutingInfo()
    created = moment(head.creation_date, where)
    return Order(
        id=id,
        order_number=source.reference_num or id,
        warehouse_customer_id=_id(head.customer_identifier),
        created_date=created,
        updated_date=moment(head.last_modified_date, where) if head.last_modified_date else created,
        status=status,
        raw_status=_raw_status(head),
        requested_shipping_method=route.mode or None,
        shipping_method_name=route.mode or None,
        carrier_id=route.scac_code or None,
        carrier_name=route.carrier or None,
        invoice_currency_code=outer.currency,
        total_tax=money.fulfill_inv_tax,
        total_discount=money.fulfill_inv_discount_amount,
        total_shipping=money.fulfill_inv_shipping_and_handling,
        ship_to_address=_address(source.ship_to),
        bill_to_address=_address(source.bill_to),
        earliest_ship_date=_moment(source.earliest_ship_date, where),
        latest_ship_date=_moment(source.ship_cancel_date, where),
        line_items=[_line_item(item) for item in items],
        shipping_groups=[_shipping_group(source, items, status, where)],
        shipments=_shipments(source, items, status, where),
        additional_fields=_additional_fields(source, items),
    )


def products(raw: bytes) -> list[Product]:
    """An item of `GET /customers/{id}/items`, with its rows of `GET /inventory/stocksummaries`. Items have no variants."""
    outer = _products.decode(raw)
    source, where = outer.item, zone(outer.time_zone)
    head, id = source.read_only, str(source.item_id)
    created = _moment(head.creation_date, where) or _moment(head.last_modified_date, where) or UNDATED
    stock = {
        facility: int(_floor(quantity, "stock.available")) for facility, quantity in by_facility(outer.stock).items()
    }
    return [
        Product(
            id=id,
            parent_product_id=id,
            created_date=created,
            updated_date=_moment(head.last_modified_date, where) or created,
            name=source.description or source.sku or id,
            sku=source.sku or None,
            gtin=source.upc or None,
            is_kit=bool(source.kit and (source.kit.components or source.kit.material_notes)),
            active=not head.deactivated,
            price=source.price,
            unit_cost=source.cost,
            inventory=sum(stock.values()),
            inventory_by_warehouse_id=stock,
            measurements=_measurements(source),
            categories=[name for name in (source.inventory_category, _name(source.classification_identifier)) if name],
            additional_fields=_item_fields(outer),
        )
    ]


def warehouse(raw: bytes) -> Warehouse:
    """A facility of `GET /properties/facilities`. Extensiv keeps no dates of facilities."""
    source = _facilities.decode(raw)
    fields = {"deactivated": bool(source.deactivated), "time_zone_name": source.time_zone_name}
    return Warehouse(
        id=str(source.facility_id),
        created_date=UNDATED,
        updated_date=UNDATED,
        name=source.name,
        code=source.code or None,
        address=_address(source.contact),
        additional_fields=fields,
    )


def order_items(source: payloads.Order) -> list[payloads.OrderItem]:
    """The lines; the name of their list is compared without case, because Extensiv writes it in more than one."""
    for name, raw in (source.embedded or {}).items():
        if name.lower() == ORDER_ITEM:
            return _items.decode(raw)
    return []


def _status(head: payloads.OrderReadOnly) -> OrderStatus:
    if head.status == CANCELED:
        return OrderStatus.CANCELLED
    if head.status not in (*STATUSES, None):
        return OrderStatus.OTHER
    if head.status == CLOSED or head.is_closed:
        return OrderStatus.FULFILLED
    if head.on_hold_date:
        return OrderStatus.EXCEPTION
    if head.pick_started or head.pick_done_date or head.pack_started or head.pack_done_date or head.packages:
        return OrderStatus.PROCESSING
    return OrderStatus.CONFIRMED if head.fully_allocated else OrderStatus.OPEN


def _raw_status(head: payloads.OrderReadOnly) -> str | None:
    return None if head.status is None else STATUSES.get(head.status, str(head.status))


def _line_item(item: payloads.OrderItem) -> LineItem:
    sku = item.item_identifier
    return LineItem(
        line_item_id=str(item.read_only.order_item_id),
        product_id=_id(sku),
        product_sku=sku.sku if sku else None,
        parent_product_id=_id(sku),
        parent_product_sku=sku.sku if sku else None,
        quantity=_quantity(item),
        unit_price=item.fulfill_inv_sale_price,
    )


def _quantity(item: payloads.OrderItem) -> int:
    """How many are ordered; where only a secondary unit is, Extensiv's own estimate."""
    quantity = item.qty if item.qty is not None else item.read_only.estimated_qty
    if quantity is None:
        raise UnmappableRecord(f"items.qty: line {item.read_only.order_item_id} has none")
    return _whole(quantity, "items.qty")


def _shipping_group(
    source: payloads.Order, items: Sequence[payloads.OrderItem], status: OrderStatus, where: tzinfo
) -> ShippingGroup:
    """The order itself: each belongs to one facility."""
    head = source.read_only
    return ShippingGroup(
        shipping_group_id=str(head.order_id),
        created_date=moment(head.creation_date, where),
        updated_date=_moment(head.last_modified_date, where),
        raw_status=_raw_status(head),
        status=OF_SHIPMENTS.get(status, ShipmentStatus.OPEN),
        warehouse_id=_id(head.facility_identifier),
        line_items=[
            ShippingGroupLineItem(
                line_item_id=line.line_item_id,
                product_id=line.product_id,
                product_sku=line.product_sku,
                parent_product_id=line.parent_product_id,
                quantity=line.quantity,
            )
            for line in map(_line_item, items)
        ],
    )


def _shipments(
    source: payloads.Order, items: Sequence[payloads.OrderItem], status: OrderStatus, where: tzinfo
) -> list[Shipment]:
    """The packages; a confirmed order without any is one shipment of everything."""
    head = source.read_only
    route = source.routing_info or payloads.RoutingInfo()
    shared: dict[str, Any] = {
        "status": OF_SHIPMENTS.get(status, ShipmentStatus.OPEN),
        "raw_status": _raw_status(head),
        "warehouse_id": _id(head.facility_identifier),
        "shipping_method_name": route.mode or None,
        "carrier_id": route.scac_code or None,
        "carrier_name": route.carrier or None,
        "shipping_groups": [str(head.order_id)],
    }
    tracking = route.tracking_number or _parcel(source)
    if head.packages:
        lines = {item.read_only.order_item_id: item for item in items}
        return [
            Shipment(
                shipment_id=str(package.package_id),
                tracking_number=package.tracking_number or tracking,
                created_date=_moment(package.create_date, where),
                line_items=[_content(content, lines) for content in package.package_contents or []],
                **shared,
            )
            for package in head.packages
        ]
    if status is not OrderStatus.FULFILLED:
        return []
    dates = (_moment(text, where) for text in (head.ship_date, head.small_parcel_ship_date, head.process_date))
    date = next((each for each in dates if each), None)
    parts = [_shipped_whole(item) for item in items]
    id = str(head.order_id)
    return [Shipment(shipment_id=id, tracking_number=tracking, created_date=date, line_items=parts, **shared)]


def _parcel(source: payloads.Order) -> str | None:
    """The number that the carrier gave the order, if it is one parcel."""
    numbers = (source.parcel_response or payloads.ParcelResponse()).tracking_numbers or []
    return numbers[0] or None if len(numbers) == 1 else None


def _content(source: payloads.PackageContent, lines: Lines) -> ShipmentLineItem:
    line = lines.get(source.order_item_id) if source.order_item_id is not None else None
    item = line.item_identifier if line else None
    return ShipmentLineItem(
        shipment_line_item_id=str(source.package_content_id),
        product_id=_id(item),
        product_sku=item.sku if item else None,
        parent_product_id=_id(item),
        parent_product_sku=item.sku if item else None,
        quantity=_whole(source.qty or Decimal(0), "packages.packageContents.qty"),
    )


def _shipped_whole(item: payloads.OrderItem) -> ShipmentLineItem:
    line = _line_item(item)
    return ShipmentLineItem(
        shipment_line_item_id=line.line_item_id,
        product_id=line.product_id,
        product_sku=line.product_sku,
        parent_product_id=line.parent_product_id,
        parent_product_sku=line.parent_product_sku,
        quantity=line.quantity,
    )


def _additional_fields(source: payloads.Order, items: Sequence[payloads.OrderItem]) -> dict[str, Any]:
    head, money = source.read_only, source.fulfill_inv_info or payloads.FulfillInvInfo()
    route, customer = source.routing_info or payloads.RoutingInfo(), head.customer_identifier or payloads.Named()
    charges = (source.billing or payloads.Billing()).billing_charges or []
    return _known(
        description=source.description,
        po_number=source.po_num,
        external_id=source.external_id,
        order_type=source.order_type,
        notes=source.notes,
        shipping_notes=source.shipping_notes,
        billing_code=source.billing_code,
        invoice_number=source.invoice_number,
        warehouse_customer_name=customer.name,
        warehouse_customer_external_id=customer.external_id,
        facility_name=_name(head.facility_identifier),
        fully_allocated=bool(head.fully_allocated),
        on_hold_reason=head.on_hold_reason,
        local_dates=_known(
            process=head.process_date,
            pick_done=head.pick_done_date,
            pack_done=head.pack_done_date,
            load_out_done=head.load_out_done_date,
            ship=head.ship_date,
            small_parcel_ship=head.small_parcel_ship_date,
            on_hold=head.on_hold_date,
        ),
        sold_to_address=_address(source.sold_to) if source.sold_to else None,
        carrier_account=route.account,
        bill_of_lading=route.bill_of_lading,
        load_number=route.load_number,
        tracking_number=route.tracking_number,
        parcel_tracking_numbers=(source.parcel_response or payloads.ParcelResponse()).tracking_numbers,
        discount_code=money.fulfill_inv_discount_code,
        gift_message=money.fulfill_inv_gift_message,
        billing_charges=[
            _known(charge_type=charge.charge_type, subtotal=_finite(charge.subtotal, "billing.billingCharges.subtotal"))
            for charge in charges
        ],
        saved_elements=[{"name": each.name, "value": each.value} for each in source.saved_elements or []],
        lines={str(item.read_only.order_item_id): _line_fields(item) for item in items if _line_fields(item)},
    )


def _line_fields(item: payloads.OrderItem) -> dict[str, Any]:
    """What a line has besides; the discount is here because Extensiv does not say if it is for a unit or for the line."""
    ordered = _finite(item.read_only.original_primary_qty, "items.originalPrimaryQty")
    return _known(
        qualifier=item.qualifier,
        external_id=item.external_id,
        unit=_name(item.read_only.unit_identifier),
        lot_number=item.lot_number,
        serial_number=item.serial_number,
        expiration_date=item.expiration_date,
        notes=item.notes,
        discount_percent=_finite(item.fulfill_inv_discount_pct, "items.fulfillInvDiscountPct"),
        discount_amount=_finite(item.fulfill_inv_discount_amt, "items.fulfillInvDiscountAmt"),
        originally_ordered=ordered if ordered != item.qty else None,
    )


def _item_fields(outer: payloads.RawProduct) -> dict[str, Any]:
    source = outer.item
    customer = source.read_only.customer_identifier or payloads.Named()
    unit = source.options.inventory_unit if source.options else None
    components = (source.kit or payloads.Kit()).components or []
    return _known(
        warehouse_customer_id=_id(customer),
        warehouse_customer_name=customer.name,
        description2=source.description2,
        country_of_manufacture=source.country_of_manufacture,
        harmonized_code=source.harmonized_code,
        unit=_name(unit.unit_identifier) if unit else None,
        components=[
            _known(
                product_id=_id(each.item_identifier),
                sku=each.item_identifier.sku if each.item_identifier else None,
                qualifier=each.qualifier,
                material=each.non_sku_material,
                quantity=_finite(each.qty, "kit.components.qty"),
            )
            for each in components
        ],
        on_hand_by_warehouse_id=by_facility(outer.stock, "on_hand"),
        on_hold_by_warehouse_id=by_facility(outer.stock, "on_hold"),
    )


def by_facility(rows: Sequence[payloads.StockRow], field: str = "available") -> dict[str, Decimal]:
    """A quantity of each facility, all qualifiers together."""
    found: dict[str, Decimal] = {}
    for row in rows:
        quantity: Decimal = getattr(row, field)
        if not quantity.is_finite():
            raise UnmappableRecord(f"stock.{field}: {quantity} is not a number")
        found[str(row.facility_id)] = found.get(str(row.facility_id), Decimal(0)) + quantity
    return found


def _measurements(source: payloads.Item) -> Measurements:
    """Of the inventory unit. Extensiv names the system of measures only."""
    unit = source.options.inventory_unit if source.options else None
    if unit is None or (unit.imperial is None and unit.metric is None):
        return Measurements()
    size = unit.imperial or unit.metric or payloads.Measurements()
    length, weight = ("in", "lb") if unit.imperial else ("cm", "kg")
    return Measurements(
        length=size.length,
        width=size.width,
        height=size.height,
        unit=length,
        weight=size.weight,
        weight_unit=weight,
    )


def _address(source: payloads.Contact | None) -> Address:
    if source is None:
        return Address()
    return Address(
        full_name=source.name or None,
        company=source.company_name or None,
        address1=source.address1 or None,
        address2=source.address2 or None,
        city=source.city or None,
        state=source.state or None,
        postal_code=source.zip or None,
        country=source.country or None,
        phone_number=source.phone_number or None,
        email_address=source.email_address or None,
    )


def _known(**fields: Any) -> dict[str, Any]:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _id(source: payloads.Named | payloads.ItemIdentifier | None) -> str | None:
    return None if source is None or source.id is None else str(source.id)


def _name(source: payloads.Named | None) -> str | None:
    return source.name or None if source else None


def _moment(text: str | None, where: tzinfo) -> datetime | None:
    return moment(text, where) if text and not text.startswith(NO_DATE) else None


def _finite(amount: Decimal | None, field: str) -> Decimal | None:
    return None if amount is None else finite(amount, field)


def _floor(quantity: Decimal, field: str) -> Decimal:
    if abs(quantity) >= Decimal(10) ** 18:
        raise UnmappableRecord(f"{field}: {quantity} is no quantity")
    return quantity.to_integral_value(rounding="ROUND_FLOOR")


def _whole(quantity: Decimal, field: str) -> int:
    if not quantity.is_finite() or quantity != quantity.to_integral_value() or not 0 <= quantity < Decimal(10) ** 18:
        raise UnmappableRecord(f"{field}: {quantity} is not a whole number of units")
    return int(quantity)
