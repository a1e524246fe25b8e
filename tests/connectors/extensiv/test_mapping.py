"""What Extensiv's records become."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import unicart.connectors.extensiv
from unicart.connectors.extensiv import mapping
from unicart.connectors.kit import UnmappableRecord
from unicart.contract.common import Address, encode
from unicart.contract.orders import Order, OrderStatus, Shipment, ShipmentLineItem, ShipmentStatus
from unicart.contract.products import Measurements, Product
from unicart.contract.warehouses import Warehouse

FIXTURES = Path(unicart.connectors.extensiv.__file__).parent / "fixtures"
OPEN, ALLOCATED, HELD, PACKING, PACKED, FREIGHT, CANCELED, PRICED, BARE = range(18484135, 18484144)


def records(name: str) -> dict[int, dict[str, Any]]:
    read = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))["records"]
    return {int(record.get("id", record.get("facilityId"))): record for record in read}


RAW = records("get_orders")
ITEMS = records("get_products")


def order(id: int, *, zone: str = "UTC", currency: str = "USD", head: Any = None, **changes: Any) -> Order:
    """A recorded order, with changes of it and of its ``readOnly``."""
    source = {**RAW[id]["order"], **changes}
    source["readOnly"] = {**source["readOnly"], **(head or {})}
    return mapping.order(json.dumps({"id": "1", "time_zone": zone, "currency": currency, "order": source}).encode())


def line(**changes: Any) -> dict[str, Any]:
    """The list of an order's lines with one."""
    read_only = {"orderItemId": 1, **changes.pop("readOnly", {})}
    item = {"readOnly": read_only, "itemIdentifier": {"sku": "A", "id": 9}, "qty": 1.0, **changes}
    return {"http://api.3plcentral.com/Rels/orders/item": [item]}


@pytest.mark.parametrize(
    ("id", "head", "status", "raw_status"),
    [
        (OPEN, {}, OrderStatus.OPEN, "Open"),
        (ALLOCATED, {}, OrderStatus.CONFIRMED, "Open"),
        (HELD, {}, OrderStatus.EXCEPTION, "Open"),
        (PACKING, {}, OrderStatus.PROCESSING, "Open"),
        (OPEN, {"pickStarted": True}, OrderStatus.PROCESSING, "Open"),
        (OPEN, {"packDoneDate": "2026-03-02T01:00:00"}, OrderStatus.PROCESSING, "Open"),
        (PACKED, {}, OrderStatus.FULFILLED, "Closed"),
        (PACKED, {"onHoldDate": "2026-03-02T01:00:00"}, OrderStatus.FULFILLED, "Closed"),
        (FREIGHT, {}, OrderStatus.FULFILLED, "Closed"),
        (CANCELED, {}, OrderStatus.CANCELLED, "Canceled"),
        (CANCELED, {"isClosed": True}, OrderStatus.CANCELLED, "Canceled"),
        (OPEN, {"status": None, "isClosed": True}, OrderStatus.FULFILLED, None),
        (OPEN, {"status": None}, OrderStatus.OPEN, None),
        (PACKED, {"status": 7}, OrderStatus.OTHER, "7"),
    ],
)
def test_status(id: int, head: dict[str, Any], status: OrderStatus, raw_status: str | None) -> None:
    found = order(id, head=head)
    assert (found.status, found.raw_status) == (status, raw_status)


def test_an_order_in_full() -> None:
    found = order(OPEN)
    assert (found.id, found.order_number, found.warehouse_customer_id) == ("18484135", "R-18484135", "4")
    assert (found.carrier_name, found.carrier_id, found.shipping_method) == ("UPS", "UPSN", "Ground")
    assert found.ship_to_address == Address(
        full_name="Jane Doe",
        company="Doe Ltd",
        address1="1 Main St",
        address2="Apt 2",
        city="Austin",
        state="TX",
        postal_code="78701",
        country="US",
        phone_number="+15125550100",
        email_address="jane@example.com",
    )
    assert (found.earliest_ship_date, found.latest_ship_date) == (
        datetime(2026, 3, 2, tzinfo=UTC),
        datetime(2026, 3, 9, tzinfo=UTC),
    )
    (item,) = found.line_items
    assert (item.line_item_id, item.product_id, item.parent_product_id, item.quantity) == ("501", "71", "71", 2)
    (group,) = found.shipping_groups
    assert (group.warehouse_id, group.status, group.line_items[0].quantity) == ("2", ShipmentStatus.OPEN, 2)
    assert found.shipments == []
    fields = found.additional_fields
    assert (fields["po_number"], fields["order_type"]) == ("PO-1", "D2C")
    assert fields["saved_elements"] == [{"name": "Channel", "value": "Web shop"}]
    assert fields["sold_to_address"].city == "Austin"


def test_orders_carry_no_money_unless_extensiv_keeps_some() -> None:
    bare, priced = order(OPEN), order(PRICED)
    assert {bare.total_price, bare.total_tax, bare.total_discount, bare.total_shipping} == {None}
    assert bare.line_items[0].unit_price is None
    assert b'"unit_price":13.49' in encode(priced)
    assert (priced.total_shipping, priced.total_tax, priced.total_discount, priced.total_price) == (
        Decimal("4.99"),
        Decimal("3.75"),
        Decimal("5.0"),
        None,
    )
    assert [item.unit_price for item in priced.line_items] == [Decimal("13.49"), Decimal("19.0")]
    assert priced.line_items[0].total_discount is None
    assert priced.additional_fields["lines"]["510"] == {
        "unit": "Each",
        "discount_percent": Decimal("10.0"),
        "discount_amount": Decimal("2.7"),
    }
    assert priced.additional_fields["discount_code"] == "SPRING"
    assert priced.additional_fields["gift_message"] == "Für dich ♥"


@pytest.mark.parametrize(("currency", "price"), [("JPY", "1999"), ("KWD", "1.255")])
def test_amounts_go_out_digit_for_digit_in_any_currency(currency: str, price: str) -> None:
    body = {"id": "1", "time_zone": "UTC", "currency": currency, "order": {**RAW[OPEN]["order"], "_embedded": line()}}
    raw = json.dumps(body).replace('"qty": 1.0', f'"qty": 1.0, "fulfillInvSalePrice": {price}').encode()
    found = mapping.order(raw)
    assert found.invoice_currency_code == currency
    assert f'"unit_price":{price},'.encode() in encode(found)


def test_packages_are_shipments() -> None:
    found = order(PACKED)
    first, second = found.shipments
    shared: dict[str, Any] = {
        "product_id": "71",
        "product_sku": "MUG-BLUE",
        "parent_product_id": "71",
        "parent_product_sku": "MUG-BLUE",
    }
    assert first == Shipment(
        shipment_id="7002",
        raw_status="Closed",
        status=ShipmentStatus.SHIPPED,
        warehouse_id="3",
        shipping_method_name="Ground",
        carrier_id="UPSN",
        carrier_name="UPS",
        tracking_number="1Z999AA10123456784",
        shipping_groups=["18484139"],
        created_date=datetime(2026, 3, 3, 14, tzinfo=UTC),
        line_items=[ShipmentLineItem(shipment_line_item_id="70020", quantity=3, **shared)],
    )
    assert [(part.product_sku, part.quantity) for part in second.line_items] == [("MUG-BLUE", 1), ("TEE-É", 1)]
    assert found.ship_to_address.company == "Łódź Süßwaren"
    assert found.bill_to_address == Address()
    assert found.additional_fields["lines"]["507"] == {
        "qualifier": "XL",
        "unit": "Each",
        "lot_number": "L1",
        "serial_number": "S1",
        "expiration_date": "2027-01-31T00:00:00",
        "notes": "gift",
    }
    assert found.additional_fields["billing_charges"] == [{"charge_type": 1, "subtotal": Decimal("4.55")}]
    assert found.additional_fields["local_dates"]["process"] == "2026-03-03T07:00:00"


def test_packages_of_an_open_order_are_open_and_may_hold_a_part() -> None:
    (shipment,) = order(PACKING).shipments
    assert (shipment.status, shipment.tracking_number) == (ShipmentStatus.OPEN, None)
    assert [part.quantity for part in shipment.line_items] == [2]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ({"status": 2}, ShipmentStatus.CANCELLED),
        ({"onHoldDate": "2026-03-02T01:00:00"}, ShipmentStatus.ON_HOLD),
        ({"status": 42}, ShipmentStatus.OTHER),
    ],
)
def test_packages_follow_their_order(head: dict[str, Any], status: ShipmentStatus) -> None:
    found = order(PACKING, head=head)
    assert [shipment.status for shipment in found.shipments] == [status]
    assert found.shipping_groups[0].status is status


def test_a_package_without_a_number_has_that_of_the_order() -> None:
    (shipment,) = order(PACKING, routingInfo={"trackingNumber": "T1"}).shipments
    assert shipment.tracking_number == "T1"


def test_freight_is_one_shipment_of_everything() -> None:
    found = order(FREIGHT)
    (shipment,) = found.shipments
    assert (shipment.shipment_id, shipment.tracking_number) == ("18484140", "PRO123")
    assert (shipment.status, shipment.created_date) == (ShipmentStatus.SHIPPED, datetime(2026, 3, 3, 8, tzinfo=UTC))
    assert [(part.shipment_line_item_id, part.quantity) for part in shipment.line_items] == [("508", 10)]
    assert found.additional_fields["lines"]["508"]["originally_ordered"] == 12
    assert found.additional_fields["bill_of_lading"] == "BOL9"


@pytest.mark.parametrize(
    ("dates", "date"),
    [
        ({"shipDate": "2026-03-03T08:00:00"}, datetime(2026, 3, 3, 8, tzinfo=UTC)),
        ({"shipDate": None, "smallParcelShipDate": "2026-03-03T06:00:00"}, datetime(2026, 3, 3, 6, tzinfo=UTC)),
        (
            {"shipDate": "0001-01-01T00:00:00", "processDate": "2026-03-03T07:00:00"},
            datetime(2026, 3, 3, 7, tzinfo=UTC),
        ),
        ({"shipDate": None, "processDate": None}, None),
    ],
    ids=["freight", "parcel", "least date", "none"],
)
def test_a_shipment_without_packages_is_of_the_first_date_that_is_known(
    dates: dict[str, Any], date: datetime | None
) -> None:
    (shipment,) = order(FREIGHT, head={"smallParcelShipDate": None, **dates}).shipments
    assert shipment.created_date == date


@pytest.mark.parametrize(("numbers", "expected"), [(["1Z1"], "1Z1"), (["1Z1", "1Z2"], None), ([], None), (None, None)])
def test_an_order_of_one_parcel_has_its_number(numbers: list[str] | None, expected: str | None) -> None:
    found = order(FREIGHT, routingInfo=None, parcelResponse={"trackingNumbers": numbers})
    assert found.shipments[0].tracking_number == expected
    assert found.additional_fields.get("parcel_tracking_numbers") == (numbers or None)


def test_a_package_of_a_part_leaves_the_order_in_one_group() -> None:
    """Extensiv confirms orders as a whole: what is packed of an open order is not fulfilled yet."""
    found = order(PACKING)
    assert found.status is OrderStatus.PROCESSING
    assert sum(part.quantity for shipment in found.shipments for part in shipment.line_items) == 2
    assert sum(part.quantity for part in found.shipping_groups[0].line_items) == found.line_items[0].quantity


def test_a_line_without_an_item_has_no_product() -> None:
    (item,) = order(OPEN, _embedded=line(itemIdentifier=None, fulfillInvSalePrice=0)).line_items
    assert (item.product_id, item.product_sku, item.parent_product_id) == (None, None, None)
    assert (item.quantity, item.unit_price) == (1, Decimal(0))


def test_a_part_of_a_line_that_is_gone_has_no_product() -> None:
    found = order(PACKING, _embedded=line())
    assert [part.product_id for part in found.shipments[0].line_items] == [None]


def test_an_order_of_nothing_to_nobody() -> None:
    found = order(BARE)
    assert (found.line_items, found.shipments) == ([], [])
    assert found.ship_to_address == found.bill_to_address == Address()
    assert "sold_to_address" not in found.additional_fields


def test_an_order_without_a_number_is_called_by_its_id() -> None:
    assert order(CANCELED).order_number == "18484141"


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2026-03-01T10:00:00.123", "UTC", "2026-03-01T10:00:00"),
        ("2026-03-01T10:00:00.1234567", "UTC", "2026-03-01T10:00:00"),
        ("2026-03-01T10:00:00", "America/Los_Angeles", "2026-03-01T18:00:00"),
        ("2026-07-01T10:00:00", "America/Los_Angeles", "2026-07-01T17:00:00"),
        ("2026-11-01T01:30:00", "America/New_York", "2026-11-01T05:30:00"),
        ("2026-03-01T10:00:00Z", "America/Los_Angeles", "2026-03-01T10:00:00"),
        ("2026-03-01T10:00:00+02:00", "America/Los_Angeles", "2026-03-01T08:00:00"),
    ],
)
def test_dates_are_of_the_zone_that_was_given(text: str, zone: str, moment: str) -> None:
    found = order(OPEN, zone=zone, head={"creationDate": text})
    assert found.created_date == datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_an_order_that_never_changed_was_changed_when_it_was_created() -> None:
    found = order(OPEN, head={"lastModifiedDate": None})
    assert found.updated_date == found.created_date


def test_the_least_date_of_dotnet_is_none() -> None:
    assert order(OPEN, zone="Asia/Tokyo", earliestShipDate="0001-01-01T00:00:00").earliest_ship_date is None


def test_a_quantity_in_secondary_units_is_what_extensiv_estimates() -> None:
    found = order(OPEN, _embedded=line(qty=None, readOnly={"estimatedQty": 24.0}))
    assert found.line_items[0].quantity == 24


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"_embedded": line(qty=1.5)}, "items.qty"),
        ({"_embedded": line(qty=-1.0)}, "items.qty"),
        ({"_embedded": line(qty=None)}, "items.qty"),
        ({"_embedded": line(fulfillInvSalePrice="NaN")}, "unit_price"),
        ({"_embedded": line(fulfillInvDiscountAmt="Infinity")}, "fulfillInvDiscountAmt"),
        ({"zone": "Nowhere/Land"}, "time_zone"),
        ({"head": {"creationDate": "yesterday"}}, "yesterday"),
        ({"head": {"orderId": None}}, "orderId"),
    ],
    ids=str,
)
def test_what_cannot_be_mapped_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises((UnmappableRecord, msgspec.ValidationError, ValueError), match=field):
        order(OPEN, **changes)


def product(id: int, **changes: Any) -> Product:
    (found,) = mapping.products(json.dumps({**ITEMS[id], **changes}).encode())
    return found


def test_an_item_is_a_product_with_stock_at_each_facility() -> None:
    found = product(71)
    assert found == Product(
        id="71",
        parent_product_id="71",
        created_date=datetime(2025, 1, 5, 9, tzinfo=UTC),
        updated_date=datetime(2026, 2, 1, 8, tzinfo=UTC),
        name="Blue mug",
        sku="MUG-BLUE",
        gtin="036000291452",
        price=Decimal("13.49"),
        unit_cost=Decimal("3.125"),
        inventory=45,
        inventory_by_warehouse_id={"2": 40, "3": 5},
        measurements=Measurements(
            length=Decimal("4.0"),
            width=Decimal("3.5"),
            height=Decimal("4.25"),
            unit="in",
            weight=Decimal("0.9"),
            weight_unit="lb",
        ),
        categories=["Mugs", "Kitchen"],
        additional_fields={
            "warehouse_customer_id": "4",
            "warehouse_customer_name": "Acme Toys",
            "country_of_manufacture": "CN",
            "harmonized_code": "6912.00",
            "unit": "Each",
            "on_hand_by_warehouse_id": {"2": Decimal("42.0"), "3": Decimal("5.0")},
            "on_hold_by_warehouse_id": {"2": Decimal("2.0"), "3": Decimal("0.0")},
        },
    )


def test_stock_is_rounded_down_once_all_qualifiers_are_added() -> None:
    found = product(72)
    assert (found.inventory, found.inventory_by_warehouse_id) == (8, {"3": 8})
    assert (found.measurements.unit, found.measurements.weight_unit) == ("cm", "kg")


def test_a_kit_tells_its_parts() -> None:
    found = product(73)
    assert (found.is_kit, found.inventory) == (True, 0)
    assert found.additional_fields["components"] == [
        {"product_id": "71", "sku": "MUG-BLUE", "quantity": Decimal("2.0")}
    ]


def test_a_kit_of_material_that_is_no_item() -> None:
    components = [{"itemIdentifier": {"id": 71, "sku": "MUG-BLUE"}, "qualifier": "XL"}, {"nonSkuMaterial": "ribbon"}]
    found = product(71, item={**ITEMS[71]["item"], "kit": {"materialNotes": "", "components": components}})
    assert found.is_kit
    assert found.additional_fields["components"] == [
        {"product_id": "71", "sku": "MUG-BLUE", "qualifier": "XL"},
        {"material": "ribbon"},
    ]


def test_an_old_item_without_dates_or_name() -> None:
    found = product(74)
    assert (found.name, found.active, found.inventory, found.is_kit) == ("OLD", False, 0, False)
    assert found.created_date == found.updated_date == datetime(1970, 1, 1, tzinfo=UTC)


def test_stock_that_is_no_number_is_refused() -> None:
    with pytest.raises(UnmappableRecord, match=r"stock\.available"):
        product(71, stock=[{"facilityId": 2, "itemIdentifier": {"id": 71}, "available": "NaN"}])


def test_a_facility_is_a_warehouse() -> None:
    first, second = (mapping.warehouse(json.dumps(raw).encode()) for raw in records("get_warehouses").values())
    undated = datetime(1970, 1, 1, tzinfo=UTC)
    assert first == Warehouse(
        id="2",
        created_date=undated,
        updated_date=undated,
        name="Reno",
        code="RNO",
        address=Address(
            full_name="Dock Office",
            company="Example 3PL",
            address1="500 Warehouse Way",
            city="Reno",
            state="NV",
            postal_code="89502",
            country="US",
            phone_number="+17755550100",
            email_address="dock@example.com",
        ),
        additional_fields={"deactivated": False, "time_zone_name": "Pacific Standard Time"},
    )
    assert (second.address, second.additional_fields["deactivated"]) == (Address(), True)
