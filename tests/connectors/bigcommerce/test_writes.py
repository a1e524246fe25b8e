"""Shipments, refunds and stock that are written to a store, and read back from it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import stamina

from connectors.bigcommerce import records
from connectors.bigcommerce.shop import NEVER, START, TOKEN, FakeBigCommerce, connected
from unicart.connectors.bigcommerce import client
from unicart.connectors.bigcommerce.client import BigCommerceConnector
from unicart.connectors.kit import (
    CredentialsRejected,
    OutcomeUnknown,
    PermissionMissing,
    PlatformUnavailable,
    RequestRefused,
)
from unicart.contract.orders import Order, OrderStatus, Refund, ShipmentStatus
from unicart.contract.products import Product
from unicart.contract.resources import Function
from unicart.contract.writes import (
    AdjustmentType,
    GroupQuantities,
    InventoryAdjustment,
    LineQuantity,
    LineRefund,
    NewRefund,
    NewShipment,
)

pytestmark = pytest.mark.anyio
ORDERS, PRODUCTS = Function.GET_ORDERS, Function.GET_PRODUCTS
ONE, TWO = "1" * 32, "2" * 32
ORDER = 100
LIMITED = (429, {"x-rate-limit-requests-left": "35", "x-rate-limit-time-reset-ms": "20"}, b"")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(client, "STOCK_DELAYS", (0.0, 0.0, 0.0, 0.0))
    with stamina.set_testing(True, attempts=8, cap=True):
        yield


@pytest.fixture
def shop() -> Iterator[FakeBigCommerce]:
    with FakeBigCommerce() as running:
        yield running


def small(shop: FakeBigCommerce) -> None:
    """An order of 2 at 10 and 3 at 4, with 10 % tax, and shipping of 5 with 0.50 tax: 40.70 in all."""
    lines = [records.line(1, "10", 2, tax="1"), records.line(2, "4", 3, tax="0.4", product=78, variant=110)]
    cost: dict[str, Any] = {"cost_ex_tax": 5, "cost_inc_tax": 5.5, "cost_tax": 0.5}
    parts = records.consignments(shipping=[records.shipping(51, lines, **cost)])
    shop.place(ORDER, lines=lines, parts=parts, shipping_cost="5", other_tax="0.5")


def two_addresses(shop: FakeBigCommerce) -> None:
    """An order whose lines go to two addresses, and one of which is picked up."""
    lines = [records.line(1, quantity=2), records.line(2, quantity=3, address=52), records.line(3, address=0)]
    groups = [records.shipping(51, lines[:1]), records.shipping(52, lines[1:2])]
    pickup = {"id": 9, "pickup_method_display_name": "Counter", "location": {"id": 1}, "line_items": lines[2:]}
    shop.place(ORDER, lines=lines, parts=records.consignments(shipping=groups, pickups=[pickup]))


async def raw_order(connector: BigCommerceConnector) -> bytes:
    (raw,) = await connector.fetch(ORDERS, [str(ORDER)])
    return raw


async def order(connector: BigCommerceConnector) -> Order:
    (found,) = BigCommerceConnector.map(ORDERS, await raw_order(connector))
    assert isinstance(found, Order)
    return found


async def ship(connector: BigCommerceConnector, reference: str = ONE, **fields: Any) -> Order:
    """Ship, and tell what the order is then."""
    await connector.create_shipment(await raw_order(connector), NewShipment(**fields), reference)
    return await order(connector)


async def refund(connector: BigCommerceConnector, reference: str = ONE, **fields: Any) -> list[Refund]:
    """Pay back, and tell all refunds that the order has then."""
    await connector.refund_order(await raw_order(connector), NewRefund(**fields), reference)
    refunds: list[Refund] = (await order(connector)).additional_fields["refunds"]
    return refunds


async def refusal(writing: Any) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        await writing
    return caught.value


def sent(shop: FakeBigCommerce, name: str) -> list[Any]:
    """The bodies that were sent to a path that ends so."""
    return [each.sent for each in shop.exchanges if each.method != "GET" and each.path.endswith(f"/{name}")]


def line(id: int, quantity: int) -> LineQuantity:
    return LineQuantity(line_item_id=str(id), quantity=quantity)


def back(id: int | str, quantity: int, amount: str | None = None) -> LineRefund:
    return LineRefund(line_item_id=str(id), quantity=quantity, amount=Decimal(amount) if amount else None)


class TestShipments:
    async def test_half_of_an_order_is_shipped_and_then_the_rest(self, shop: FakeBigCommerce) -> None:
        small(shop)
        async with connected(shop) as connector:
            half = await ship(connector, line_items=[line(1, 1), line(2, 2)], tracking_number="T1", carrier_name="UPS")
            assert half.status is OrderStatus.PARTIALLY_FULFILLED
            assert [(each.product_id, each.quantity) for each in half.shipments[0].line_items] == [
                ("77-109", 1),
                ("78-110", 2),
            ]
            whole = await ship(connector, TWO, tracking_url="https://carrier.example/T2")
        assert whole.status is OrderStatus.FULFILLED
        first, second = whole.shipments
        assert (first.tracking_number, first.carrier_id, first.tracking_url) == ("T1", "ups", None)
        assert (second.tracking_number, second.tracking_url) == (None, "https://carrier.example/T2")
        assert [each.quantity for each in second.line_items] == [1, 1]
        assert first.shipping_groups == ["51"]
        assert whole.shipping_groups[0].status is ShipmentStatus.SHIPPED

    async def test_every_address_gets_a_shipment_of_its_own(self, shop: FakeBigCommerce) -> None:
        two_addresses(shop)
        async with connected(shop) as connector:
            found = await ship(connector, tracking_number="T1")
            raw = await raw_order(connector)
        assert [(each.shipping_groups, each.line_items[0].quantity) for each in found.shipments] == [
            (["51"], 2),
            (["52"], 3),
        ]
        assert {each.tracking_number for each in found.shipments} == {"T1"}
        assert connector.bears(raw, ONE) is True
        assert connector.bears(raw, TWO) is False

    async def test_one_group_is_shipped_in_part_and_the_other_stays_open(self, shop: FakeBigCommerce) -> None:
        two_addresses(shop)
        async with connected(shop) as connector:
            groups = [GroupQuantities(shipping_group_id="52", line_items=[line(2, 1)])]
            await ship(connector, shipping_groups=groups)
            found = await ship(connector, TWO, shipping_groups=[GroupQuantities(shipping_group_id="52")])
        assert [each.line_items[0].quantity for each in found.shipments] == [1, 2]
        assert [each.status for each in found.shipping_groups] == ["open", "shipped", "open"]

    async def test_a_line_that_no_consignment_holds_is_shipped_to_its_address(self, shop: FakeBigCommerce) -> None:
        lines = [records.line(1), records.line(2, quantity=2)]
        groups = [records.shipping(51, lines[:1])]
        shop.place(ORDER, lines=lines, parts=records.consignments(shipping=groups))
        async with connected(shop) as connector:
            found = await ship(connector)
        assert [each.quantity for each in found.shipments[0].line_items] == [1, 2]

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"carrier_name": "Royal Mail"}, {"shipping_provider": "royalmail"}),
            ({"carrier_id": "USPS", "carrier_name": "Postal Service"}, {"shipping_provider": "usps"}),
            ({"carrier_id": "carrier_17"}, {"shipping_provider": "carrier_17"}),
            ({"carrier_name": "DPD", "shipping_method_name": "Next Day"}, {"shipping_method": "DPD Next Day"}),
            (
                {"carrier_name": "DPD", "specific": {"tracking_carrier": "dpd-uk", "comments": "Two boxes"}},
                {"tracking_carrier": "dpd-uk", "comments": f"Two boxes [Unicart {ONE} 1/1]"},
            ),
            ({}, {"comments": f"[Unicart {ONE} 1/1]"}),
        ],
    )
    async def test_carriers_are_told_as_bigcommerce_knows_them(
        self, shop: FakeBigCommerce, given: dict[str, Any], expected: dict[str, str]
    ) -> None:
        small(shop)
        async with connected(shop) as connector:
            await ship(connector, **given)
        (body,) = sent(shop, "shipments")
        shown = {"shipping_provider", "shipping_method", "tracking_carrier", "tracking_number", "tracking_link"}
        assert body.items() >= expected.items()
        assert shown & body.keys() == shown & expected.keys()

    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            ({"line_items": [line(1, 3)]}, "line_items.0.quantity: only 2 of line 1 are still"),
            ({"line_items": [line(2, 1), line(2, 3)]}, "line_items.1.quantity: only 3 of line 2"),
            ({"line_items": [line(3, 1)]}, "line_items.0.line_item_id: 3 is not among"),
            (
                {"shipping_groups": [GroupQuantities(shipping_group_id="pickup-9")]},
                "shipping_groups.0.shipping_group_id",
            ),
            (
                {"shipping_groups": [GroupQuantities(shipping_group_id="51", line_items=[line(2, 1)])]},
                "shipping_groups.0.line_items.0.line_item_id",
            ),
            (
                {"shipping_groups": [GroupQuantities(shipping_group_id=each) for each in ("51", "51")]},
                "shipping_groups.1.shipping_group_id",
            ),
            ({"tracking_number": "T" * 51}, "tracking_number: must be at most 50"),
            ({"tracking_url": f"https://carrier.example/{'T' * 500}"}, "tracking_url: must be at most 500"),
        ],
    )
    async def test_what_makes_no_sense_is_refused_before_anything_is_sent(
        self, shop: FakeBigCommerce, asked: dict[str, Any], message: str
    ) -> None:
        two_addresses(shop)
        async with connected(shop) as connector:
            error = await refusal(ship(connector, **asked))
        assert error.status == 422
        assert error.message.startswith(message)
        assert sent(shop, "shipments") == []

    async def test_nothing_is_shipped_twice(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.orders[ORDER]["status_id"] = 11
        async with connected(shop) as connector:
            await ship(connector)
            error = await refusal(ship(connector, TWO))
            group = [GroupQuantities(shipping_group_id="51")]
            named = await refusal(ship(connector, TWO, shipping_groups=group))
        assert error.message == "Nothing of this order is still to be shipped."
        assert named.message == "shipping_groups.0: nothing of it is still to be shipped."

    async def test_what_was_shipped_without_a_shipment_is_not_open(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.lines[ORDER][0]["quantity_shipped"] = 2
        async with connected(shop) as connector:
            found = await ship(connector)
        assert [each.product_id for each in found.shipments[0].line_items] == ["78-110"]

    async def test_the_platforms_refusal_keeps_its_message(self, shop: FakeBigCommerce) -> None:
        small(shop)
        async with connected(shop) as connector:
            raw = await raw_order(connector)
            await connector.create_shipment(raw, NewShipment(line_items=[line(1, 2)]), ONE)
            error = await refusal(connector.create_shipment(raw, NewShipment(line_items=[line(1, 1)]), TWO))
        assert error.status == 400
        assert "more than is left to be shipped" in error.message

    async def test_a_later_refusal_takes_back_what_was_made_before(self, shop: FakeBigCommerce) -> None:
        two_addresses(shop)
        async with connected(shop) as connector:
            raw = await raw_order(connector)
            await ship(connector, TWO, shipping_groups=[GroupQuantities(shipping_group_id="52")])
            await refusal(connector.create_shipment(raw, NewShipment(), ONE))
            left = await order(connector)
        assert [each.shipping_groups for each in left.shipments] == [["52"]]

    async def test_what_cannot_be_taken_back_is_told(self, shop: FakeBigCommerce) -> None:
        two_addresses(shop)
        async with connected(shop) as connector:
            raw = await raw_order(connector)
            await ship(connector, TWO, shipping_groups=[GroupQuantities(shipping_group_id="52")])
            shop.faults_of["DELETE 2"] = [(503, {}, b"")] * 8
            with pytest.raises(OutcomeUnknown, match="Shipment 2, made before, could not be taken back"):
                await connector.create_shipment(raw, NewShipment(), ONE)

    async def test_a_shipment_whose_answer_was_lost_is_found(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.lost = ["POST shipments"]
        async with connected(shop) as connector:
            with pytest.raises(OutcomeUnknown):
                await ship(connector)
            raw = await raw_order(connector)
            assert connector.bears(raw, ONE) is True
            await connector.create_shipment(raw, NewShipment(), ONE)
        assert len(shop.shipments[ORDER]) == len(sent(shop, "shipments")) == 1

    async def test_a_shipment_that_never_arrived_is_made_by_the_second_call(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.faults_of["POST shipments"] = [NEVER]
        async with connected(shop) as connector:
            with pytest.raises(OutcomeUnknown):
                await ship(connector)
            assert connector.bears(await raw_order(connector), ONE) is False
            found = await ship(connector)
        assert len(found.shipments) == 1

    @pytest.mark.parametrize("fields", [{}, {"line_items": [line(1, 2), line(2, 1)]}])
    async def test_half_of_a_write_is_completed_and_not_repeated(
        self, shop: FakeBigCommerce, fields: dict[str, Any]
    ) -> None:
        two_addresses(shop)
        async with connected(shop) as connector:
            raw = await raw_order(connector)
            shop.after_request = lambda: shop.faults_of.update({"POST shipments": [(502, {}, b"")]})
            with pytest.raises(OutcomeUnknown):
                await connector.create_shipment(raw, NewShipment(**fields), ONE)
            shop.after_request = lambda: None
            shop.faults_of.clear()
            half = await raw_order(connector)
            assert len(shop.shipments[ORDER]) == 1
            assert connector.bears(half, ONE) is False
            found = await ship(connector, **fields)
            assert connector.bears(await raw_order(connector), ONE) is True
        wanted = 1 if fields else 3
        assert [each.line_items[0].quantity for each in found.shipments] == [2, wanted]

    async def test_a_limit_is_waited_for(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.faults_of["POST shipments"] = [LIMITED]
        async with connected(shop) as connector:
            found = await ship(connector)
        assert len(found.shipments) == 1

    async def test_a_missing_scope_is_named(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.stock_up(7)
        shop.may_write = False
        async with connected(shop) as connector:
            with pytest.raises(PermissionMissing, match="store_v2_orders\\)"):
                await ship(connector)
            with pytest.raises(PermissionMissing, match="store_v2_orders\\)"):
                await refund(connector)
            with pytest.raises(PermissionMissing, match="store_inventory\\)"):
                await adjust(connector, "7-1007", 1, warehouse_id="1")

    async def test_a_revoked_token_is_told(self, shop: FakeBigCommerce) -> None:
        small(shop)
        async with connected(shop) as connector:
            raw = await raw_order(connector)
            shop.token = "another"
            with pytest.raises(CredentialsRejected) as caught:
                await connector.create_shipment(raw, NewShipment(), ONE)
        assert TOKEN not in caught.value.message
        assert ORDER not in shop.shipments


class TestRefunds:
    async def test_a_line_is_paid_back_then_the_rest(self, shop: FakeBigCommerce) -> None:
        small(shop)
        async with connected(shop) as connector:
            (first,) = await refund(connector, line_items=[back(2, 2)], reason="Torn")
            assert (first.amount, first.reason, first.note) == (Decimal("8.8"), "Torn", None)
            assert [(each.line_item_id, each.quantity) for each in first.line_items] == [("2", 2)]
            _, second = await refund(connector, TWO)
            found = await order(connector)
        assert second.amount == Decimal("31.9")
        assert [(each.line_item_id, each.quantity) for each in second.line_items] == [("1", 2), ("2", 1)]
        assert second.reason is None
        assert found.additional_fields["total_refunded"] == found.total_price == Decimal("40.7")
        assert found.raw_status == "Refunded"

    async def test_everything_is_paid_back_with_gift_wrapping_fees_shipping_and_handling(
        self, shop: FakeBigCommerce
    ) -> None:
        wrapped: dict[str, Any] = {"wrapping_name": "Box", "wrapping_cost_ex_tax": "3.0000"}
        lines = [records.line(1, "10", 2, **wrapped), records.line(2, "4", address=52)]
        costs: dict[str, Any] = {
            "cost_ex_tax": 5,
            "cost_inc_tax": 5,
            "handling_cost_ex_tax": 1,
            "handling_cost_inc_tax": 1,
        }
        groups = [records.shipping(51, lines[:1], **costs), records.shipping(52, lines[1:], **costs)]
        shop.place(
            ORDER,
            lines=lines,
            parts=records.consignments(shipping=groups),
            fees=[records.fee(7, "2")],
            shipping_cost="10",
            handling_cost="2",
            wrapping_cost="3",
        )
        async with connected(shop) as connector:
            await refund(connector, line_items=[back("gift-wrapping", 1), back("fee-7", 1)])
            await refund(connector, TWO)
            found = await order(connector)
            error = await refusal(refund(connector, "3" * 32))
        assert [each.amount for each in found.additional_fields["refunds"]] == [Decimal("5"), Decimal("36")]
        assert found.total_price == Decimal("41")
        assert error.message == "Nothing of this order is left to be paid back."
        kinds = [[item["item_type"] for item in each["items"]] for each in sent(shop, "refunds")]
        assert kinds[1] == ["PRODUCT", "PRODUCT", "SHIPPING", "HANDLING", "SHIPPING", "HANDLING"]

    @pytest.mark.parametrize(
        ("amounts", "total", "override"),
        [
            (["11"], "11", None),
            (["7.25"], "7.25", {"total_amount": 7.25, "total_tax": 0.66}),
            (["7.25", None], "11.65", {"total_amount": 11.65, "total_tax": 1.06}),
            (["0.1", "0.2"], "0.3", {"total_amount": 0.3, "total_tax": 0.03}),
        ],
    )
    async def test_amounts_are_paid_exactly(
        self, shop: FakeBigCommerce, amounts: list[str | None], total: str, override: dict[str, float] | None
    ) -> None:
        small(shop)
        async with connected(shop) as connector:
            lines = [back(number, 1, amount) for number, amount in enumerate(amounts, 1)]
            (made,) = await refund(connector, line_items=lines)
        assert made.amount == Decimal(total)
        assert [each.quantity for each in made.line_items] == [1] * len(amounts)
        (body,) = sent(shop, "refunds")
        assert body.get("merchant_calculated_override") == override

    @pytest.mark.parametrize("inclusive", [False, True])
    async def test_shipping_alone_is_paid_back_with_its_tax(self, shop: FakeBigCommerce, inclusive: bool) -> None:
        small(shop)
        shop.orders[ORDER]["is_tax_inclusive_pricing"] = inclusive
        async with connected(shop) as connector:
            (first,) = await refund(connector, shipping_amount=Decimal("2.20"))
            _, second = await refund(connector, TWO, shipping_amount=Decimal("3.30"))
            error = await refusal(refund(connector, "3" * 32, shipping_amount=Decimal("0.01")))
        assert (first.amount, second.amount) == (Decimal("2.2"), Decimal("3.3"))
        assert first.line_items == []
        assert error.message == "shipping_amount: 0.01 is more than the 0.00 of shipping that is left."
        asked = [(each["item_type"], each["item_id"], each["amount"]) for each in _items(shop)]
        assert asked == [("SHIPPING", 51, 2.2 if inclusive else 2), ("SHIPPING", 51, 3.3 if inclusive else 3)]

    async def test_shipping_of_any_amount_is_paid_exactly_beside_a_line(self, shop: FakeBigCommerce) -> None:
        small(shop)
        async with connected(shop) as connector:
            lines = [back(1, 1, "3.33")]
            (made,) = await refund(connector, line_items=lines, shipping_amount=Decimal("1.01"))
        assert made.amount == Decimal("4.34")

    async def test_shipping_is_taken_from_the_addresses_in_turn(self, shop: FakeBigCommerce) -> None:
        lines = [records.line(1), records.line(2, address=52)]
        costs: dict[str, Any] = {
            "cost_ex_tax": 5,
            "cost_inc_tax": 5,
            "handling_cost_ex_tax": 1,
            "handling_cost_inc_tax": 1,
        }
        groups = [records.shipping(51, lines[:1], **costs), records.shipping(52, lines[1:], **costs)]
        shop.place(ORDER, lines=lines, parts=records.consignments(shipping=groups), shipping_cost="12")
        async with connected(shop) as connector:
            (made,) = await refund(connector, shipping_amount=Decimal("8"))
        asked = [(each["item_type"], each["item_id"], each["amount"]) for each in _items(shop)]
        assert asked == [("SHIPPING", 51, 5), ("HANDLING", 51, 1), ("SHIPPING", 52, 2)]
        assert made.amount == 8

    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            ({"line_items": [back(1, 3)]}, "line_items.0.quantity: only 2 of line 1 are left"),
            ({"line_items": [back(1, 1), back(1, 1)]}, "line_items.1.line_item_id: line 1 is named twice"),
            ({"line_items": [back(9, 1)]}, "line_items.0.line_item_id: 9 is not among the lines"),
            ({"line_items": [back("gift-wrapping", 1)]}, "line_items.0.quantity: only 0 of line gift-wrapping"),
            ({"line_items": [back(1, 1, "1.005")]}, "line_items.0.amount: BigCommerce pays back whole cents"),
            ({"line_items": [back(1, 1, "11.01")]}, "line_items: the amounts are 11.01, more than the 11.0 that"),
            ({"shipping_amount": Decimal("5.51")}, "shipping_amount: 5.51 is more than the 5.50"),
            ({"shipping_amount": Decimal(0)}, "Nothing of this order is left"),
            ({"reason": "x" * 901}, "reason: must be at most 900"),
        ],
    )
    async def test_what_makes_no_sense_is_refused_before_anything_is_paid(
        self, shop: FakeBigCommerce, asked: dict[str, Any], message: str
    ) -> None:
        small(shop)
        async with connected(shop) as connector:
            error = await refusal(refund(connector, **asked))
        assert error.status == 422
        assert error.message.startswith(message)
        assert sent(shop, "refunds") == []

    async def test_a_line_of_nothing_is_refused(self, shop: FakeBigCommerce) -> None:
        small(shop)
        zero = LineRefund(line_item_id="1", quantity=1, amount=Decimal(0))
        async with connected(shop) as connector:
            error = await refusal(refund(connector, line_items=[zero]))
        assert error.message == "Nothing of this is left to be paid back, or the amounts are zero."
        assert sent(shop, "refunds") == []

    async def test_the_platforms_refusal_keeps_its_message(self, shop: FakeBigCommerce) -> None:
        small(shop)
        async with connected(shop) as connector:
            raw = await raw_order(connector)
            await connector.refund_order(raw, NewRefund(line_items=[back(1, 2)]), ONE)
            error = await refusal(connector.refund_order(raw, NewRefund(line_items=[back(1, 1)]), TWO))
        assert error.status == 422
        assert "Refund quantity is greater than remaining quantity" in error.message
        assert len(shop.refunds) == 1

    async def test_what_was_paid_back_for_the_whole_order_counts(self, shop: FakeBigCommerce) -> None:
        small(shop)
        whole = {"item_type": "ORDER", "item_id": ORDER, "reason": "", "requested_amount": 10}
        shop.refunds.append(records.refund(1, ORDER, START, 10, [whole]))
        async with connected(shop) as connector:
            _, made = await refund(connector)
        assert made.amount == Decimal("30.7")

    async def test_what_was_kept_of_a_line_is_a_part_of_all_that_is_left(self, shop: FakeBigCommerce) -> None:
        small(shop)
        async with connected(shop) as connector:
            await refund(connector, line_items=[back(1, 2, "20"), back(2, 3, "13.2")], shipping_amount=Decimal("5.5"))
            _, made = await refund(connector, TWO)
            assert connector.bears(await raw_order(connector), TWO) is True
        assert made.amount == Decimal("2")
        (item,) = sent(shop, "refunds")[1]["items"]
        assert (item["item_type"], item["item_id"], item["amount"]) == ("ORDER", ORDER, 2)

    async def test_a_full_refund_is_full_whatever_was_kept_before(self, shop: FakeBigCommerce) -> None:
        small(shop)
        async with connected(shop) as connector:
            await refund(connector, line_items=[back(1, 1, "7.25")])
            _, made = await refund(connector, TWO)
        assert made.amount == Decimal("33.45")
        assert [each.quantity for each in made.line_items] == [1, 3]

    async def test_money_goes_back_the_way_it_came(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.refund_methods = lambda amount: [
            [records.payment_option("storecredit", amount)],
            [
                records.payment_option(
                    "bankdeposit", min(amount, Decimal("20.5")), offline=True, offline_provider=True
                ),
                records.payment_option("storecredit", max(amount - Decimal("20.5"), Decimal(0))),
            ],
        ]
        async with connected(shop) as connector:
            await refund(connector, line_items=[back(1, 2, "21.05")])
            await refund(connector, TWO, line_items=[back(2, 1)], specific={"provider_id": "storecredit"})
        first, second = sent(shop, "refunds")
        assert first["payments"] == [
            {"provider_id": "bankdeposit", "amount": 20.5, "offline": True},
            {"provider_id": "storecredit", "amount": 0.55, "offline": False},
        ]
        assert second["payments"] == [{"provider_id": "storecredit", "amount": 4.4, "offline": False}]

    async def test_store_credit_is_given_only_to_who_paid_with_it_or_when_asked(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.refund_methods = lambda amount: records.refund_methods(amount)[:2]
        async with connected(shop) as connector:
            error = await refusal(refund(connector, line_items=[back(1, 1)]))
            shop.orders[ORDER]["store_credit_amount"] = "40.7000"
            await refund(connector, line_items=[back(1, 1)])
            await refund(connector, TWO, line_items=[back(2, 1)], specific={"provider_id": "custom"})
        assert error.status == 422
        assert error.message.endswith("BigCommerce offers: custom, storecredit.")
        providers = [each["payments"][0]["provider_id"] for each in sent(shop, "refunds")]
        assert providers == ["storecredit", "custom"]

    async def test_a_gateway_that_cannot_pay_back_is_not_taken_for_one_that_has(self, shop: FakeBigCommerce) -> None:
        small(shop)
        reason = "Multiple online refunds are not available."
        shop.refund_methods = lambda amount: [
            [records.payment_option("storecredit", amount)],
            [records.payment_option("paypal", amount, offline=True, offline_reason=reason)],
        ]
        async with connected(shop) as connector:
            error = await refusal(refund(connector))
            assert (await order(connector)).additional_fields["refunds"] == []
            (made,) = await refund(connector, specific={"provider_id": "paypal"})
        assert error.message.startswith(f"Paypal cannot pay this back by itself: {reason}")
        assert made.amount == Decimal("40.7")
        assert sent(shop, "refunds")[0]["payments"][0]["offline"] is True

    async def test_an_order_that_is_not_paid_has_nothing_to_pay_back(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.refund_methods = lambda amount: []
        async with connected(shop) as connector:
            error = await refusal(refund(connector))
        assert "must be paid and settled" in error.message

    async def test_a_refund_that_the_provider_declines_is_none(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.declines = "Card expired"
        async with connected(shop) as connector:
            error = await refusal(refund(connector))
            assert connector.bears(await raw_order(connector), ONE) is False
            shop.declines = ""
            (made,) = await refund(connector)
        assert "Card expired" in error.message
        assert made.amount == Decimal("40.7")

    async def test_a_refund_whose_answer_was_lost_is_found(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.lost = ["POST refunds"]
        async with connected(shop) as connector:
            with pytest.raises(OutcomeUnknown):
                await refund(connector, line_items=[back(1, 1)], reason="Late")
            raw = await raw_order(connector)
            found = await order(connector)
        assert connector.bears(raw, ONE) is True
        assert connector.bears(raw, TWO) is False
        assert [each.reason for each in found.additional_fields["refunds"]] == ["Late"]

    async def test_a_refund_that_never_arrived_is_made_by_the_second_call(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.faults_of["POST refunds"] = [NEVER, (503, {}, b'{"data":[{"error":"Tax service gone away"}]}')]
        async with connected(shop) as connector:
            for _ in range(2):
                with pytest.raises(OutcomeUnknown):
                    await refund(connector)
                assert connector.bears(await raw_order(connector), ONE) is False
            await refund(connector)
        assert len(shop.refunds) == 1

    async def test_a_quote_is_asked_for_again_and_a_limit_is_waited_for(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.faults_of = {"POST refund_quotes": [(503, {}, b""), LIMITED], "POST refunds": [LIMITED]}
        async with connected(shop) as connector:
            (made,) = await refund(connector)
        assert made.amount == Decimal("40.7")

    async def test_without_a_quote_nothing_is_paid(self, shop: FakeBigCommerce) -> None:
        small(shop)
        shop.faults_of = {"POST refund_quotes": [(503, {}, b"")] * 8}
        async with connected(shop) as connector:
            with pytest.raises(PlatformUnavailable):
                await refund(connector)
        assert sent(shop, "refunds") == []


class TestStock:
    @pytest.mark.parametrize(
        ("kind", "quantity", "level"),
        [(AdjustmentType.INCREASE, 5, 12), (AdjustmentType.DECREASE, 5, 2), (AdjustmentType.EXACT, 5, 5)],
    )
    async def test_stock_is_changed_at_one_location(
        self, shop: FakeBigCommerce, kind: AdjustmentType, quantity: int, level: int
    ) -> None:
        shop.stock_up(7)
        async with connected(shop) as connector:
            found = await adjust(connector, "7-1007", quantity, kind, warehouse_id="1", reason="Count")
            raws = await connector.fetch(PRODUCTS, ["7"])
        assert found["7-1007"].inventory_by_warehouse_id == {"1": level, "2": 3}
        assert found["7-1007"].inventory == level + 3
        assert connector.bears(raws[0], ONE) is None
        (body,) = sent(shop, "absolute" if kind is AdjustmentType.EXACT else "relative")
        assert body["reason"] == f"Count [Unicart {ONE}]"

    async def test_safety_stock_stays_out_of_what_can_be_sold(self, shop: FakeBigCommerce) -> None:
        shop.stock_up(7)
        shop.stock[7, 1007]["locations"][0]["settings"]["safety_stock"] = 2
        async with connected(shop) as connector:
            found = await adjust(connector, "7-1007", 10, AdjustmentType.EXACT, warehouse_id="1")
        assert found["7-1007"].inventory_by_warehouse_id == {"1": 8, "2": 3}
        assert shop.stock[7, 1007]["locations"][0]["total_inventory_onhand"] == 10

    async def test_a_change_that_is_shown_late_is_waited_for(self, shop: FakeBigCommerce) -> None:
        shop.stock_up(7)
        shop.stock_delay = 4
        async with connected(shop) as connector:
            found = await adjust(connector, "7-1007", 1, warehouse_id="1")
        assert found["7-1007"].inventory_by_warehouse_id == {"1": 8, "2": 3}

    async def test_only_so_long_is_waited(self, shop: FakeBigCommerce) -> None:
        shop.stock_up(7)
        shop.stock_delay = 50
        async with connected(shop) as connector:
            found = await adjust(connector, "7-1007", 1, warehouse_id="1")
        assert found["7-1007"].inventory_by_warehouse_id == {"1": 7, "2": 3}
        assert len(shop.asked("/v3/inventory/items")) == 6

    async def test_a_reading_that_fails_afterwards_does_not_fail_the_change(self, shop: FakeBigCommerce) -> None:
        shop.stock_up(7)
        async with connected(shop) as connector:
            (raw,) = await connector.fetch(PRODUCTS, ["7"])
            shop.faults_of["GET items"] = [(503, {}, b"")] * 8
            await connector.adjust_inventory(raw, _wanted("7-1007", 1, warehouse_id="1"), ONE)
        assert shop.stock[7, 1007]["locations"][0]["available_to_sell"] == 8

    async def test_stock_of_a_simple_product_is_that_of_its_variant(self, shop: FakeBigCommerce) -> None:
        shop.stock_up(7)["inventory_tracking"] = "product"
        shop.stock[7, 1007] = records.stock(7, 1007, {1: 4})
        async with connected(shop) as connector:
            await adjust(connector, "7-1007", 1)
            found = await adjust(connector, "7", 1)
        assert found["7-1007"].inventory_by_warehouse_id == {"1": 6}

    async def test_what_has_no_stock_of_its_own_is_refused_with_the_remedy(self, shop: FakeBigCommerce) -> None:
        for number in (7, 8, 9):
            shop.stock_up(number)["variants"].append(records.variant(number + 2000, number, "Blue"))
        shop.products[8]["inventory_tracking"] = "product"
        shop.products[9]["inventory_tracking"] = "none"
        async with connected(shop) as connector:
            parent = await refusal(adjust(connector, "7", 1, warehouse_id="1"))
            shared = await refusal(adjust(connector, "8-2008", 1, warehouse_id="1"))
            untracked = await refusal(adjust(connector, "9-2009", 1, warehouse_id="1"))
            unnamed = await refusal(adjust(connector, "7-1007", 1))
            unknown = await refusal(adjust(connector, "7-1007", 1, warehouse_id="north"))
            await adjust(connector, "8", 1, warehouse_id="1")
        assert parent.message.endswith("Adjust one of its variants: 7-1007, 7-2007.")
        assert shared.message.endswith("Adjust that of 8.")
        assert untracked.message.endswith("Turn tracking on in its settings.")
        assert unnamed.message.endswith("Those with stock of it: 1, 2.")
        assert unknown.message == "warehouse_id: north is no location of BigCommerce."
        assert {each.status for each in (parent, shared, untracked, unnamed, unknown)} == {422}
        assert len(sent(shop, "relative")) == 1

    async def test_the_platforms_refusal_keeps_its_message(self, shop: FakeBigCommerce) -> None:
        shop.stock_up(7)
        async with connected(shop) as connector:
            error = await refusal(adjust(connector, "7-1007", 8, AdjustmentType.DECREASE, warehouse_id="1"))
        assert error.status == 422
        assert "has not enough stock" in error.message
        assert shop.stock[7, 1007]["locations"][0]["available_to_sell"] == 7

    async def test_a_change_whose_answer_was_lost_is_not_sent_again_by_itself(self, shop: FakeBigCommerce) -> None:
        shop.stock_up(7)
        shop.lost = ["POST relative"]
        async with connected(shop) as connector:
            with pytest.raises(OutcomeUnknown):
                await adjust(connector, "7-1007", 1, warehouse_id="1")
        assert shop.stock[7, 1007]["locations"][0]["available_to_sell"] == 8
        assert len(sent(shop, "relative")) == 1

    async def test_a_limit_is_waited_for(self, shop: FakeBigCommerce) -> None:
        shop.stock_up(7)
        shop.faults_of["PUT absolute"] = [LIMITED]
        async with connected(shop) as connector:
            found = await adjust(connector, "7-1007", 1, AdjustmentType.EXACT, warehouse_id="1")
        assert found["7-1007"].inventory_by_warehouse_id == {"1": 1, "2": 3}


async def adjust(
    connector: BigCommerceConnector,
    id: str,
    quantity: int,
    kind: AdjustmentType = AdjustmentType.INCREASE,
    **fields: Any,
) -> dict[str, Product]:
    """Change stock, and tell what the product's records are then."""
    (raw,) = await connector.fetch(PRODUCTS, [id])
    await connector.adjust_inventory(raw, _wanted(id, quantity, kind, **fields), ONE)
    (raw,) = await connector.fetch(PRODUCTS, [id])
    return {each.id: each for each in BigCommerceConnector.map(PRODUCTS, raw) if isinstance(each, Product)}


def _wanted(
    id: str, quantity: int, kind: AdjustmentType = AdjustmentType.INCREASE, **fields: Any
) -> InventoryAdjustment:
    return InventoryAdjustment(product_id=id, quantity=quantity, adjustment_type=kind, **fields)


def _items(shop: FakeBigCommerce) -> list[Any]:
    return [item for each in sent(shop, "refunds") for item in each["items"]]
