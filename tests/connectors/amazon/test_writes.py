"""Shipments and stock against a small Amazon that shows them late, breaks off, and refuses."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.amazon.builders import item
from connectors.amazon.shop import SHIP_PLUS, FakeAmazon, fake_amazon
from unicart.connectors.amazon.client import AmazonConnector
from unicart.connectors.kit import (
    ConnectorError,
    CredentialsRejected,
    OutcomeUnknown,
    PermissionMissing,
    RateLimitedByPlatform,
    RequestRefused,
)
from unicart.contract.orders import Order, OrderStatus
from unicart.contract.products import Product
from unicart.contract.resources import Function
from unicart.contract.writes import AdjustmentType, InventoryAdjustment, LineQuantity, NewShipment

pytestmark = pytest.mark.anyio
FIRST, SECOND, THIRD = "a" * 32, "b" * 32, "c" * 32
ORDER, SKU = "111-0000001-0000001", "MUG-1"
INCREASE, DECREASE, EXACT = AdjustmentType.INCREASE, AdjustmentType.DECREASE, AdjustmentType.EXACT


class Memory:
    """The values that a connector keeps."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    async def read(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self.values[key] for key in keys if key in self.values}

    async def write(self, values: Any) -> None:
        self.values |= values

    async def changed(self, prefix: str, after: int, limit: int) -> list[tuple[int, str, bytes]]:
        raise NotImplementedError


@asynccontextmanager
async def shop(**settings: Any) -> AsyncIterator[tuple[FakeAmazon, AmazonConnector]]:
    """A small Amazon with an order of 3 mugs and 2 plates, and with a listing of 5; waits are not waited for."""

    async def sleep(seconds: float) -> None:
        fake.tick(seconds)

    async with fake_amazon(**settings) as (fake, connector):
        fake.place(1, fake.now - timedelta(hours=2), items=[item("11", 3), item("12", 2, "PLATE-1")])
        fake.offer(SKU, fake.now - timedelta(days=2))
        connector._sleep = sleep
        connector.state = Memory()
        yield fake, connector


def shipment(*lines: tuple[str, int], **fields: Any) -> NewShipment:
    given = {"tracking_number": "1Z9", "carrier_name": "UPS"} | fields
    return NewShipment(line_items=[LineQuantity(line_item_id=id, quantity=count) for id, count in lines], **given)


async def read(connector: AmazonConnector) -> bytes:
    (raw,) = await connector.fetch(Function.GET_ORDERS, [ORDER])
    return raw


async def ship(connector: AmazonConnector, shipment: NewShipment, reference: str = FIRST) -> Order:
    """Tell Amazon of a shipment, and read the order back."""
    await connector.create_shipment(await read(connector), shipment, reference)
    return await order(connector)


async def order(connector: AmazonConnector) -> Order:
    (found,) = connector.map(Function.GET_ORDERS, await read(connector))
    assert isinstance(found, Order)
    return found


def units(order: Order) -> list[dict[str | None, int]]:
    return [{line.product_sku: line.quantity for line in each.line_items} for each in order.shipments]


def packed(fake: FakeAmazon) -> list[dict[str, int]]:
    """The units of each package that Amazon has taken."""
    return list(fake.packed.get(ORDER, {}).values())


def detail(fake: FakeAmazon) -> dict[str, Any]:
    """The package of the last body."""
    sent: dict[str, Any] = fake.bodies[-1][1]["packageDetail"]
    return sent


class TestShipments:
    async def test_half_of_an_order_and_then_the_rest(self) -> None:
        async with shop() as (_, connector):
            half = await ship(connector, shipment(("11", 2), tracking_number="1Z1"))
            assert half.status is OrderStatus.PARTIALLY_FULFILLED
            assert units(half) == [{"MUG-1": 2}]
            whole = await ship(connector, shipment(tracking_number="1Z2"), SECOND)
            assert whole.status is OrderStatus.FULFILLED
            assert units(whole) == [{"MUG-1": 2}, {"MUG-1": 1, "PLATE-1": 2}]
            assert [each.tracking_number for each in whole.shipments] == ["1Z1", "1Z2"]

    async def test_everything_at_once(self) -> None:
        async with shop() as (fake, connector):
            left = datetime(2026, 6, 2, 8, 30, 0, 500_000, tzinfo=UTC)
            whole = await ship(connector, shipment(shipped_date=left, shipping_method_name="Ground"))
            assert units(whole) == [{"MUG-1": 3, "PLATE-1": 2}]
            (parcel,) = whole.shipments
            assert (parcel.carrier_name, parcel.tracking_number) == ("UPS", "1Z9")
            assert (parcel.shipping_method_name, parcel.updated_date) == ("Ground", left.replace(microsecond=0))
            assert fake.bodies[-1][1]["marketplaceId"] == "ATVPDKIKX0DER"

    async def test_the_same_line_twice_is_counted_together(self) -> None:
        async with shop() as (fake, connector):
            await ship(connector, shipment(("11", 1), ("11", 2)))
            assert packed(fake) == [{"11": 3}]
            with pytest.raises(RequestRefused, match=r"line_items\.1\.quantity: of line item 12, 2 are .* and not 3"):
                await ship(connector, shipment(("12", 2), ("12", 1)), SECOND)

    @pytest.mark.parametrize(
        ("given", "code", "name"),
        [
            ({"carrier_name": "fedex"}, "FedEx", "fedex"),
            ({"carrier_name": "Post Luxembourg"}, "Other", "Post Luxembourg"),
            ({"carrier_name": "DPD Germany", "carrier_id": "DPD"}, "DPD", "DPD Germany"),
        ],
    )
    async def test_carriers_are_sent_as_amazon_spells_them(self, given: dict[str, str], code: str, name: str) -> None:
        async with shop() as (fake, connector):
            await ship(connector, shipment(**given))
            assert (detail(fake)["carrierCode"], detail(fake)["carrierName"]) == (code, name)

    async def test_what_only_amazon_has(self) -> None:
        async with shop() as (fake, connector):
            codes = [{"line_item_id": "11", "code": code} for code in ("AZ:1", "AZ:2")]
            specific = {"transparency_codes": codes, "cod_collection_method": "DirectPayment"}
            await ship(connector, shipment(("11", 2), ("12", 1), warehouse_id="source-1", specific=specific))
            assert detail(fake)["shipFromSupplySourceId"] == "source-1"
            assert detail(fake)["orderItems"] == [
                {"orderItemId": "11", "quantity": 2, "transparencyCodes": ["AZ:1", "AZ:2"]},
                {"orderItemId": "12", "quantity": 1},
            ]
            assert fake.bodies[-1][1]["codCollectionMethod"] == "DirectPayment"

    async def test_codes_of_lines_that_are_not_shipped(self) -> None:
        async with shop() as (fake, connector):
            specific = {"transparency_codes": [{"line_item_id": "12", "code": "AZ:1"}]}
            with pytest.raises(RequestRefused, match=r"transparency_codes\.0\.line_item_id"):
                await ship(connector, shipment(("11", 1), specific=specific))
            assert fake.bodies == []

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"fulfillment": {"fulfillmentStatus": "UNSHIPPED", "fulfilledBy": "AMAZON"}}, "FBA"),
            ({"fulfillment": {"fulfillmentStatus": "PENDING"}}, "payment is not authorized"),
            ({"fulfillment": {"fulfillmentStatus": "CANCELLED"}, "orderItems": []}, "it is cancelled"),
            ({"programs": [SHIP_PLUS]}, r"Ship\+"),
            ({"salesChannel": {"channelName": "NON_AMAZON"}}, "not placed on an Amazon marketplace"),
        ],
    )
    async def test_orders_that_nobody_confirms(self, changed: dict[str, Any], reason: str) -> None:
        async with shop() as (fake, connector):
            fake.orders[ORDER] |= changed
            with pytest.raises(RequestRefused, match=reason) as refused:
                await ship(connector, shipment())
            assert refused.value.status == 422
            assert fake.bodies == []

    async def test_more_than_there_is(self) -> None:
        async with shop() as (fake, connector):
            await ship(connector, shipment())
            connector.state = Memory()
            for asked, reason in ((shipment(), "everything .* is shipped"), (shipment(("11", 1)), "0 are still to be")):
                with pytest.raises(RequestRefused, match=reason) as refused:
                    await ship(connector, asked, SECOND)
                assert refused.value.status == 422
            assert packed(fake) == [{"11": 3, "12": 2}]

    async def test_what_amazon_does_not_show_yet_is_not_shipped_again(self) -> None:
        async with shop(shown_after=100) as (fake, connector):
            await ship(connector, shipment(("11", 2)))
            with pytest.raises(RequestRefused, match="of line item 11, 1 are still to be shipped"):
                await ship(connector, shipment(("11", 2)), SECOND)
            await ship(connector, shipment(), SECOND)
            assert packed(fake) == [{"11": 2}, {"11": 1, "12": 2}]
            fake.show()
            assert (await order(connector)).status is OrderStatus.FULFILLED

    async def test_what_others_have_shipped_is_refused_by_amazon(self) -> None:
        async with shop() as (fake, connector):
            fake.packed[ORDER] = {"1": {"11": 2}}
            with pytest.raises(RequestRefused, match="The order cannot be confirmed: 11") as refused:
                await ship(connector, shipment())
            assert refused.value.status == 400
            await ship(connector, shipment(("11", 1), ("12", 2)))
            assert packed(fake) == [{"11": 2}, {"11": 1, "12": 2}]

    async def test_after_some_time_what_amazon_shows_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with shop(shown_after=100) as (fake, connector):
            await ship(connector, shipment())
            fake.unshown.clear()
            fake.packed.clear()
            with pytest.raises(RequestRefused, match="confirmed in the last minutes"):
                await ship(connector, shipment(), SECOND)
            monkeypatch.setattr("unicart.connectors.amazon.client.SETTLED_WRITES", timedelta(0))
            await ship(connector, shipment(), SECOND)
            assert packed(fake) == [{"11": 3, "12": 2}]

    async def test_an_order_is_looked_at_until_it_shows_the_package(self) -> None:
        async with shop(shown_after=1) as (fake, connector):
            begun = fake.now
            shown = await ship(connector, shipment())
            assert units(shown) == [{"MUG-1": 3, "PLATE-1": 2}]
            assert fake.now - begun == timedelta(seconds=5)
            assert len(fake.asked("getOrder")) == 1 + 2 + 1

    async def test_it_is_done_even_if_amazon_does_not_show_it(self) -> None:
        async with shop(shown_after=100) as (fake, connector):
            assert units(await ship(connector, shipment())) == []
            fake.withheld.add("getOrder")
            raw = json.dumps(fake.orders[ORDER]).encode()
            await connector.create_shipment(raw, shipment(), FIRST)
            assert packed(fake) == [{"11": 3, "12": 2}]


class TestOnce:
    @pytest.mark.parametrize("fault", ["before", "after", "503"])
    async def test_a_shipment_that_breaks_off_is_there_once(self, fault: str) -> None:
        async with shop() as (fake, connector):
            fake.faults["confirmShipment"] = fault
            with pytest.raises(OutcomeUnknown):
                await ship(connector, shipment(("11", 2)))
            taken = fault == "after"
            assert packed(fake) == ([{"11": 2}] if taken else [])
            assert connector.bears(await read(connector), FIRST) is (True if taken else None)
            again = await ship(connector, shipment(("11", 2)))
            assert units(again) == [{"MUG-1": 2}]
            assert packed(fake) == [{"11": 2}]
            assert len(fake.bodies) == 1

    @pytest.mark.parametrize("remembers", [True, False])
    async def test_a_repetition_before_amazon_shows_it_changes_the_same_package(self, *, remembers: bool) -> None:
        async with shop(shown_after=100) as (fake, connector):
            connector.state = connector.state if remembers else None
            fake.faults["confirmShipment"] = "after"
            with pytest.raises(OutcomeUnknown):
                await ship(connector, shipment())
            await ship(connector, shipment())
            assert len(fake.bodies) == 2
            assert packed(fake) == [{"11": 3, "12": 2}]
            fake.show()
            assert units(await order(connector)) == [{"MUG-1": 3, "PLATE-1": 2}]

    async def test_numbers_of_packages_are_positive_and_differ_by_reference(self) -> None:
        async with shop() as (fake, connector):
            await ship(connector, shipment(("11", 1)))
            await ship(connector, shipment(("11", 1)), SECOND)
            first, second = (int(number) for number in fake.packed[ORDER])
            assert 0 < first != second > 0
            raw = await read(connector)
            assert [connector.bears(raw, each) for each in (FIRST, SECOND, THIRD)] == [True, True, None]

    async def test_a_bucket_that_is_empty_is_waited_for(self) -> None:
        async with shop(buckets={"confirmShipment": 0}) as (fake, connector):

            def refill() -> None:
                fake.buckets["confirmShipment"] = float(len(fake.asked("confirmShipment")))

            fake.after_request = refill
            assert units(await ship(connector, shipment())) == [{"MUG-1": 3, "PLATE-1": 2}]
            assert len(fake.asked("confirmShipment")) == 2

    async def test_a_bucket_that_stays_empty(self) -> None:
        async with shop(buckets={"confirmShipment": 0}) as (fake, connector):
            connector._rates["confirmShipment"] = connector._rates["searchOrders"]
            with pytest.raises(RateLimitedByPlatform) as limited:
                await ship(connector, shipment())
            assert limited.value.retry_after == pytest.approx(178.57, abs=0.1)
            assert packed(fake) == []

    async def test_an_expired_token_is_renewed(self) -> None:
        async with shop() as (fake, connector):
            raw = await read(connector)
            fake.expire()
            await connector.create_shipment(raw, shipment(("11", 1)), FIRST)
            assert packed(fake) == [{"11": 1}]
            fake.expire()
            fake.refresh_token = "Atzr|another"
            with pytest.raises(CredentialsRejected):
                await connector.create_shipment(raw, shipment(), SECOND)

    async def test_roles_that_are_missing_are_named(self) -> None:
        async with shop(withheld={"confirmShipment", "patchListingsItem"}) as (fake, connector):
            with pytest.raises(PermissionMissing, match="Inventory and Order Tracking"):
                await ship(connector, shipment())
            with pytest.raises(PermissionMissing, match="Product Listing"):
                await adjust(connector, 3, EXACT)
            assert fake.bodies == []


async def listing(connector: AmazonConnector, sku: str = SKU) -> Product:
    (raw,) = await connector.fetch(Function.GET_PRODUCTS, [sku])
    (found,) = connector.map(Function.GET_PRODUCTS, raw)
    assert isinstance(found, Product)
    return found


async def adjust(
    connector: AmazonConnector,
    quantity: int,
    how: AdjustmentType,
    warehouse_id: str | None = None,
    reference: str = FIRST,
) -> Product:
    """Change the stock, and read it back."""
    (raw,) = await connector.fetch(Function.GET_PRODUCTS, [SKU])
    adjustment = InventoryAdjustment(product_id=SKU, quantity=quantity, adjustment_type=how, warehouse_id=warehouse_id)
    await connector.adjust_inventory(raw, adjustment, reference)
    return await listing(connector)


class TestStock:
    @pytest.mark.parametrize(("how", "level"), [(INCREASE, 8), (DECREASE, 2), (EXACT, 3)])
    async def test_it_rises_falls_or_is_set(self, how: AdjustmentType, level: int) -> None:
        async with shop() as (fake, connector):
            product = await adjust(connector, 3, how)
            assert (product.inventory, product.inventory_by_warehouse_id) == (level, {"DEFAULT": level})
            ((_, body),) = fake.bodies
            assert body["productType"] == "DRINKING_CUP"

    async def test_each_place_has_its_own(self) -> None:
        async with shop() as (fake, connector):
            known = [{"fulfillmentChannelCode": code, "quantity": 5} for code in ("DEFAULT", "east")]
            fake.listings[SKU]["fulfillmentAvailability"] = [*known, {"fulfillmentChannelCode": "AMAZON_NA"}]
            product = await adjust(connector, 2, INCREASE, "east")
            assert (product.inventory, product.inventory_by_warehouse_id) == (12, {"DEFAULT": 5, "east": 7})
            product = await adjust(connector, 1, EXACT, "west", SECOND)
            assert product.inventory_by_warehouse_id == {"DEFAULT": 5, "east": 7, "west": 1}
            for warehouse, reason in ((None, "DEFAULT, east, west"), ("AMAZON_NA", "FBA")):
                with pytest.raises(RequestRefused, match=reason):
                    await adjust(connector, 1, EXACT, warehouse, THIRD)

    async def test_a_listing_without_stock_can_be_set_only(self) -> None:
        async with shop() as (fake, connector):
            fake.listings[SKU]["fulfillmentAvailability"] = []
            with pytest.raises(RequestRefused, match="adjustment type exact") as refused:
                await adjust(connector, 1, INCREASE)
            assert refused.value.status == 422
            assert (await adjust(connector, 4, EXACT)).inventory == 4

    @pytest.mark.parametrize("warehouse", [None, "DEFAULT"])
    async def test_amazon_keeps_its_own_stock(self, warehouse: str | None) -> None:
        async with shop() as (fake, connector):
            fake.listings[SKU]["fulfillmentAvailability"] = [{"fulfillmentChannelCode": "AMAZON_NA"}]
            with pytest.raises(RequestRefused, match="FBA"):
                await adjust(connector, 1, EXACT, warehouse)
            assert fake.bodies == []

    async def test_parents_have_none(self) -> None:
        async with shop() as (fake, connector):
            fake.offer(SKU, children=["MUG-RED"])
            with pytest.raises(RequestRefused, match="Adjust one of its variants") as refused:
                await adjust(connector, 1, EXACT)
            assert refused.value.status == 422
            assert fake.bodies == []

    async def test_not_more_than_there_is(self) -> None:
        async with shop() as (fake, connector):
            with pytest.raises(RequestRefused, match="a stock of 5 only") as refused:
                await adjust(connector, 6, DECREASE)
            assert refused.value.status == 422
            assert fake.bodies == []
            assert (await adjust(connector, 5, DECREASE)).inventory == 0

    async def test_a_submission_that_amazon_does_not_accept(self) -> None:
        async with shop() as (fake, connector):
            (raw,) = await connector.fetch(Function.GET_PRODUCTS, [SKU])
            fake.listings[SKU]["summaries"][0]["productType"] = "PLATE"
            change = InventoryAdjustment(product_id=SKU, quantity=9, adjustment_type=INCREASE)
            with pytest.raises(RequestRefused, match="The product type is another") as refused:
                await connector.adjust_inventory(raw, change, FIRST)
            assert refused.value.status == 422
            assert (await adjust(connector, 1, INCREASE, reference=SECOND)).inventory == 6

    async def test_a_change_that_amazon_does_not_show_is_not_overwritten(self) -> None:
        async with shop(shown_after=100) as (fake, connector):
            assert (await adjust(connector, 3, INCREASE)).inventory == 5
            with pytest.raises(RequestRefused, match="was set to 8; it shows 5") as refused:
                await adjust(connector, 1, INCREASE, reference=SECOND)
            assert refused.value.status == 409
            fake.show()
            assert (await adjust(connector, 1, INCREASE, reference=SECOND)).inventory == 9

    async def test_a_level_is_set_whatever_amazon_shows(self) -> None:
        async with shop(shown_after=100) as (fake, connector):
            await adjust(connector, 3, INCREASE)
            await adjust(connector, 20, EXACT, reference=SECOND)
            fake.show()
            assert (await listing(connector)).inventory == 20

    async def test_after_some_time_what_is_shown_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with shop() as (fake, connector):
            await adjust(connector, 3, INCREASE)
            fake.listings[SKU]["fulfillmentAvailability"][0]["quantity"] = 6
            with pytest.raises(RequestRefused, match="was set to 8; it shows 6"):
                await adjust(connector, 1, DECREASE, reference=SECOND)
            monkeypatch.setattr("unicart.connectors.amazon.client.SETTLED_WRITES", timedelta(0))
            assert (await adjust(connector, 1, DECREASE, reference=SECOND)).inventory == 5

    @pytest.mark.parametrize("fault", ["before", "after", "503"])
    async def test_a_change_that_breaks_off_is_made_once(self, fault: str) -> None:
        async with shop() as (fake, connector):
            fake.faults["patchListingsItem"] = fault
            with pytest.raises(OutcomeUnknown):
                await adjust(connector, 3, INCREASE)
            assert (await listing(connector)).inventory == (8 if fault == "after" else 5)
            assert (await adjust(connector, 3, INCREASE)).inventory == 8

    async def test_a_refusal_leaves_the_note_of_the_change_before(self) -> None:
        async with shop(shown_after=100) as (fake, connector):
            await adjust(connector, 3, INCREASE)
            fake.withheld.add("patchListingsItem")
            with pytest.raises(ConnectorError):
                await adjust(connector, 20, EXACT, reference=SECOND)
            fake.withheld.clear()
            with pytest.raises(RequestRefused, match="was set to 8"):
                await adjust(connector, 1, INCREASE, reference=THIRD)


async def test_a_session_is_logged_in_before_a_passthrough() -> None:
    async with shop() as (_, connector):
        await connector.ready()
        reply = await connector.session.passthrough(
            "GET", "/sellers/v1/marketplaceParticipations", params={}, json=None, headers={}
        )
        assert reply.status == 200
        assert b"Zo\\u00eb's Mugs" in reply.body
