"""Extensiv's records as its REST API sends them in HAL; only the fields that are read.

Dates have no zone, amounts and quantities are decimal numbers. Nested lists are in ``_embedded`` under the URL of their
documentation, in whichever case.
"""

from decimal import Decimal

import msgspec


class Named(msgspec.Struct, rename="camel"):
    """An identifier of another record."""

    id: int | None = None
    name: str | None = None
    external_id: str | None = None


class ItemIdentifier(msgspec.Struct):
    id: int | None = None
    sku: str | None = None


class Contact(msgspec.Struct, rename="camel"):
    company_name: str | None = None
    name: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    phone_number: str | None = None
    email_address: str | None = None


class SavedElement(msgspec.Struct):
    name: str | None = None
    value: str | None = None


class RoutingInfo(msgspec.Struct, rename="camel"):
    carrier: str | None = None
    mode: str | None = None
    scac_code: str | None = None
    account: str | None = None
    tracking_number: str | None = None
    bill_of_lading: str | None = None
    load_number: str | None = None
    trailer_number: str | None = None
    seal_number: str | None = None
    door_number: str | None = None
    pickup_date: str | None = None


class FulfillInvInfo(msgspec.Struct, rename="camel"):
    """The invoice to the shopper that the 3PL may print."""

    fulfill_inv_shipping_and_handling: Decimal | None = None
    fulfill_inv_tax: Decimal | None = None
    fulfill_inv_discount_code: str | None = None
    fulfill_inv_discount_amount: Decimal | None = None
    fulfill_inv_gift_message: str | None = None


class BillingCharge(msgspec.Struct, rename="camel"):
    charge_type: int | None = None
    subtotal: Decimal | None = None


class Billing(msgspec.Struct, rename="camel"):
    billing_charges: list[BillingCharge] | None = None


class PackageContent(msgspec.Struct, rename="camel"):
    package_content_id: int
    order_item_id: int | None = None
    qty: Decimal | None = None


class Package(msgspec.Struct, rename="camel"):
    package_id: int
    tracking_number: str | None = None
    description: str | None = None
    create_date: str | None = None
    package_contents: list[PackageContent] | None = None


class OrderReadOnly(msgspec.Struct, rename="camel"):
    order_id: int
    creation_date: str
    last_modified_date: str | None = None
    status: int | None = None
    is_closed: bool | None = None
    fully_allocated: bool | None = None
    process_date: str | None = None
    pick_started: bool | None = None
    pick_done_date: str | None = None
    pack_started: bool | None = None
    pack_done_date: str | None = None
    load_out_done_date: str | None = None
    ship_date: str | None = None
    small_parcel_ship_date: str | None = None
    on_hold_date: str | None = None
    on_hold_reason: str | None = None
    packages: list[Package] | None = None
    customer_identifier: Named | None = None
    facility_identifier: Named | None = None


class OrderItemReadOnly(msgspec.Struct, rename="camel"):
    order_item_id: int
    fully_allocated: bool | None = None
    unit_identifier: Named | None = None
    estimated_qty: Decimal | None = None
    original_primary_qty: Decimal | None = None


class OrderItem(msgspec.Struct, rename="camel"):
    read_only: OrderItemReadOnly
    item_identifier: ItemIdentifier | None = None
    qualifier: str | None = None
    external_id: str | None = None
    qty: Decimal | None = None
    lot_number: str | None = None
    serial_number: str | None = None
    expiration_date: str | None = None
    notes: str | None = None
    fulfill_inv_sale_price: Decimal | None = None
    fulfill_inv_discount_pct: Decimal | None = None
    fulfill_inv_discount_amt: Decimal | None = None


class ParcelResponse(msgspec.Struct, rename="camel"):
    tracking_numbers: list[str] | None = None


class Order(msgspec.Struct, rename="camel"):
    read_only: OrderReadOnly
    reference_num: str | None = None
    description: str | None = None
    po_num: str | None = None
    external_id: str | None = None
    earliest_ship_date: str | None = None
    ship_cancel_date: str | None = None
    notes: str | None = None
    shipping_notes: str | None = None
    billing_code: str | None = None
    invoice_number: str | None = None
    order_type: str | None = None
    routing_info: RoutingInfo | None = None
    fulfill_inv_info: FulfillInvInfo | None = None
    billing: Billing | None = None
    ship_to: Contact | None = None
    sold_to: Contact | None = None
    bill_to: Contact | None = None
    saved_elements: list[SavedElement] | None = None
    parcel_response: ParcelResponse | None = None
    embedded: dict[str, msgspec.Raw] | None = msgspec.field(name="_embedded", default=None)


class RawOrder(msgspec.Struct):
    """An order with what Extensiv does not say: the zone of its dates and the currency of its amounts."""

    id: str
    time_zone: str
    currency: str
    order: Order


class Measurements(msgspec.Struct):
    length: Decimal | None = None
    width: Decimal | None = None
    height: Decimal | None = None
    weight: Decimal | None = None


class InventoryUnit(msgspec.Struct, rename="camel"):
    unit_identifier: Named | None = None
    imperial: Measurements | None = None
    metric: Measurements | None = None


class ItemOptions(msgspec.Struct, rename="camel"):
    inventory_unit: InventoryUnit | None = None


class Component(msgspec.Struct, rename="camel"):
    item_identifier: ItemIdentifier | None = None
    qualifier: str | None = None
    qty: Decimal | None = None
    non_sku_material: str | None = None


class Kit(msgspec.Struct, rename="camel"):
    material_notes: str | None = None
    components: list[Component] | None = None


class ItemReadOnly(msgspec.Struct, rename="camel"):
    customer_identifier: Named | None = None
    creation_date: str | None = None
    last_modified_date: str | None = None
    deactivated: bool | None = None


class Item(msgspec.Struct, rename="camel"):
    item_id: int
    read_only: ItemReadOnly
    sku: str | None = None
    upc: str | None = None
    description: str | None = None
    description2: str | None = None
    inventory_category: str | None = None
    classification_identifier: Named | None = None
    cost: Decimal | None = None
    price: Decimal | None = None
    country_of_manufacture: str | None = None
    harmonized_code: str | None = None
    kit: Kit | None = None
    options: ItemOptions | None = None


class StockRow(msgspec.Struct, rename="camel"):
    """What a facility has of an item, by qualifier."""

    facility_id: int
    item_identifier: ItemIdentifier
    qualifier: str | None = None
    available: Decimal = Decimal(0)
    on_hold: Decimal = Decimal(0)
    on_hand: Decimal = Decimal(0)


class LocationIdentifier(msgspec.Struct):
    id: int | None = None


class Lot(msgspec.Struct, rename="camel"):
    """What is left of one receipt of an item: a row of `GET /inventory/stockdetails`."""

    receive_item_id: int
    qualifier: str | None = None
    available: Decimal = Decimal(0)
    is_on_hold: bool = False
    quarantined: bool = False
    lot_number: str | None = None
    serial_number: str | None = None
    expiration_date: str | None = None
    location_identifier: LocationIdentifier | None = None


class RawProduct(msgspec.Struct):
    """An item with its rows of stock, and the zone of its dates."""

    id: str
    time_zone: str
    item: Item
    stock: list[StockRow]


class Facility(msgspec.Struct, rename="camel"):
    facility_id: int
    name: str
    code: str | None = None
    deactivated: bool | None = None
    time_zone_name: str | None = None
    contact: Contact | None = None


class CustomerReadOnly(msgspec.Struct, rename="camel"):
    customer_id: int


class Customer(msgspec.Struct, rename="camel"):
    read_only: CustomerReadOnly
    company_info: Contact | None = None
