"""What is written, and that it is written once, whatever happens on the way."""

import json
from decimal import Decimal
from typing import Any

import pytest

from connectors.vendure.writable import WritableVendure, writable_vendure
from unicart.connectors.kit import ConnectorError, OutcomeUnknown, PermissionMissing, RequestRefused
from unicart.connectors.vendure.client import VendureConnector
from unicart.contract.orders import Order
from unicart.contract.products import Product
from unicart.contract.resources import Function
from unicart.contract.writes import (
    AdjustmentType,
    InventoryAdjustment,
    LineQuantity,
    LineRefund,
    NewRefund,
    NewShipment,
    WriteFunction,
)

pytestmark = pytest.mark.anyio
REFERENCE = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32


def units(**quantities: int) -> list[LineQuantity]:
    return [LineQuantity(line_item_id=id, quantity=count) for id, count in quantities.items()]


def paid(id: str, quantity: int, amount: str | None = None) -> LineRefund:
    return LineRefund(line_item_id=id, quantity=quantity, amount=None if amount is None else Decimal(amount))


async def raw(platform: VendureConnector, id: str = "1") -> bytes:
    (found,) = await platform.fetch(Function.GET_ORDERS, [id])
    return found


async def shown(platform: VendureConnector, id: str = "1") -> Order:
    (found,) = platform.map(Function.GET_ORDERS, await raw(platform, id))
    assert isinstance(found, Order)
    return found


async def ship(platform: VendureConnector, reference: str = REFERENCE, **given: Any) -> None:
    await platform.create_shipment(await raw(platform), NewShipment(**given), reference)


async def refund(platform: VendureConnector, reference: str = REFERENCE, **given: Any) -> None:
    await platform.refund_order(await raw(platform), NewRefund(**given), reference)


def parcels(order: dict[str, Any]) -> list[tuple[str, dict[str, int]]]:
    """The fulfilments' states and units."""
    return [
        (each["state"], {part["orderLineId"]: part["quantity"] for part in each["lines"]})
        for each in order["fulfillments"]
    ]


def totals(order: dict[str, Any]) -> list[list[int]]:
    return [[each["total"] for each in payment["refunds"]] for payment in order["payments"]]


async def test_half_an_order_is_shipped_and_then_the_rest() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((3, 3000), (2, 5000))
        given = {"tracking_number": "T1", "carrier_name": "UPS", "shipping_method_name": "Ground"}
        await ship(platform, line_items=units(l1=1, l2=2), **given)
        assert parcels(order) == [("Shipped", {"l1": 1, "l2": 2})]
        half = await shown(platform)
        assert half.status == "partially_fulfilled"
        (first,) = half.shipments
        assert (first.status, first.tracking_number, first.shipping_method_name) == ("shipped", "T1", "UPS Ground")
        await ship(platform, OTHER)
        assert parcels(order)[1:] == [("Shipped", {"l1": 2})]
        assert (await shown(platform)).status == "fulfilled"
        assert [note["note"].rpartition(": ")[2] for note in fake.notes()] == ["none", first.shipment_id]


async def test_without_tracking_the_fulfilment_has_only_the_orders_method() -> None:
    async with writable_vendure() as (fake, platform):
        fake.buy((1, 1000))
        await ship(platform)
        handler = fake.sent("Fulfil")[0]["input"]["handler"]
        assert handler == {"code": "manual-fulfillment", "arguments": [{"name": "method", "value": "Standard"}]}
        assert (await shown(platform)).shipments[0].tracking_number is None


async def test_the_handler_is_that_of_the_shipping_method_or_the_one_asked_for() -> None:
    async with writable_vendure() as (fake, platform):
        fake.handler = "robot"
        fake.handlers["robot"] = {"service", "trackingCode"}
        order = fake.buy((2, 1000))
        service = [{"name": "service", "value": "fast"}]
        await ship(platform, line_items=units(l1=1), tracking_number="T", specific={"handler_arguments": service})
        sent = fake.sent("Fulfil")[0]["input"]["handler"]
        assert sent["code"] == "robot"
        assert {"name": "service", "value": "fast"} in sent["arguments"]
        await ship(platform, OTHER, specific={"fulfillment_handler": "manual-fulfillment"})
        assert fake.sent("Fulfil")[1]["input"]["handler"]["code"] == "manual-fulfillment"
        assert len(order["fulfillments"]) == 2
        values = await platform.write_values(WriteFunction.CREATE_SHIPMENT)
        assert values == {"fulfillment_handler": ["manual-fulfillment", "robot"]}
        assert await platform.write_values(WriteFunction.REFUND_ORDER) == {}


async def test_units_of_a_line_that_is_named_twice_are_added_up() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((3, 3000))
        await ship(platform, line_items=[*units(l1=1), *units(l1=1)])
        assert parcels(order) == [("Shipped", {"l1": 2})]
        with pytest.raises(RequestRefused, match=r"line_items.1.quantity: 1 units"):
            await ship(platform, OTHER, line_items=[*units(l1=1), *units(l1=1)])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (units(l1=3), r"line_items.0.quantity: 2 units"),
        (units(l1=1, l9=1), r"line_items.1.line_item_id: .*Name one of l1, l2"),
        ([LineQuantity(line_item_id="surcharge-1", quantity=1)], "surcharge is not shipped"),
    ],
)
async def test_what_cannot_be_shipped_is_refused_before_anything_is_sent(
    lines: list[LineQuantity], message: str
) -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((3, 3000), (2, 100))
        await ship(platform, OTHER, line_items=units(l1=1))
        before = json.dumps([fake.history, parcels(order)])
        with pytest.raises(RequestRefused, match=message) as caught:
            await ship(platform, line_items=lines)
        assert caught.value.status == 422
        assert json.dumps([fake.history, parcels(order)]) == before


async def test_units_that_are_packed_or_cancelled_are_not_open() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((3, 3000))
        fake.add_fulfillment_to_order(None, _fulfilment(l1=1))
        await ship(platform)
        assert parcels(order) == [("Pending", {"l1": 1}), ("Shipped", {"l1": 2})]
        with pytest.raises(RequestRefused, match="no unit is left to ship"):
            await ship(platform, OTHER)
        order["fulfillments"][0]["state"] = "Cancelled"
        await ship(platform, OTHER)
        assert parcels(order)[2] == ("Shipped", {"l1": 1})


@pytest.mark.parametrize("state", ["PaymentAuthorized", "Modifying", "ArrangingAdditionalPayment"])
async def test_an_order_that_could_not_follow_is_not_shipped(state: str) -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((1, 1000))
        order["state"] = state
        with pytest.raises(RequestRefused, match="in Vendure, then ship it") as caught:
            await ship(platform)
        assert (caught.value.status, order["fulfillments"]) == (422, [])


async def test_the_platforms_refusal_is_told_and_leaves_no_note() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((2, 2000))
        stale = await raw(platform)
        await ship(platform, OTHER)
        notes = fake.notes()
        with pytest.raises(RequestRefused, match="already part of a Fulfillment") as caught:
            await platform.create_shipment(stale, NewShipment(), REFERENCE)
        assert (caught.value.status, fake.notes(), len(order["fulfillments"])) == (422, notes, 1)


async def test_what_a_handler_says_is_told() -> None:
    async with writable_vendure() as (fake, platform):
        fake.handlers["robot"] = {"service"}
        fake.buy((2, 2000))
        given = {"fulfillment_handler": "robot", "handler_arguments": [{"name": "service", "value": "none"}]}
        with pytest.raises(RequestRefused, match="no such service"):
            await ship(platform, specific=given)
        assert fake.notes() == []


async def test_a_fulfilment_that_may_not_leave_is_undone() -> None:
    async with writable_vendure() as (fake, platform):
        fake.refuses = "the label is not printed"
        order = fake.buy((2, 2000))
        with pytest.raises(RequestRefused, match="the label is not printed") as caught:
            await ship(platform)
        assert caught.value.status == 422
        assert (parcels(order), fake.notes()) == ([("Cancelled", {"l1": 2})], [])


@pytest.mark.parametrize("operation", ["AddNote", "Fulfil", "MoveFulfilment"])
@pytest.mark.parametrize("fault", ["cut before", "cut after", "500", "internal"])
async def test_a_shipment_of_unknown_outcome_is_completed_once(operation: str, fault: str) -> None:
    """Another fulfilment of the same units, which someone else has packed, stays as it is."""
    async with writable_vendure() as (fake, platform):
        order = fake.buy((3, 3000))
        fake.add_fulfillment_to_order(None, _fulfilment(l1=1))
        fake.faults[operation] = [fault]
        with pytest.raises(OutcomeUnknown):
            await ship(platform, line_items=units(l1=1))
        assert VendureConnector.bears(await raw(platform), REFERENCE) is False
        for _ in range(2):
            await ship(platform, line_items=units(l1=1))
            assert parcels(order) == [("Pending", {"l1": 1}), ("Shipped", {"l1": 1})]
        await ship(platform, OTHER, line_items=units(l1=1))
        assert parcels(order)[2:] == [("Shipped", {"l1": 1})]


async def test_everything_of_unknown_outcome_is_completed_once() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((3, 3000), (1, 100))
        fake.faults["MoveFulfilment"] = ["cut before"]
        with pytest.raises(OutcomeUnknown):
            await ship(platform, tracking_number="T")
        await ship(platform, tracking_number="T")
        assert parcels(order) == [("Shipped", {"l1": 3, "l2": 1})]
        assert VendureConnector.bears(await raw(platform), REFERENCE) is None


async def test_a_parcel_that_arrived_late_is_not_cancelled() -> None:
    """The first call ships it while the second one tries to."""
    async with writable_vendure() as (fake, platform):
        order = fake.buy((1, 1000))
        fake.faults["MoveFulfilment"] = ["cut before"]
        with pytest.raises(OutcomeUnknown):
            await ship(platform)
        stale = await raw(platform)
        order["fulfillments"][0]["state"] = "Shipped"
        await platform.create_shipment(stale, NewShipment(), REFERENCE)
        assert parcels(order) == [("Shipped", {"l1": 1})]


async def test_a_server_that_hangs_leaves_the_outcome_unknown() -> None:
    async with writable_vendure(slowest=0.5) as (fake, platform):
        order = fake.buy((1, 1000))
        fake.faults["Fulfil"] = ["hang"]
        with pytest.raises(OutcomeUnknown, match="did not answer"):
            await ship(platform)
        assert order["fulfillments"] == []


@pytest.mark.parametrize("fault", ["429", "forbidden"])
async def test_what_the_platform_has_not_begun_with_is_sent_again(fault: str) -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((2, 2000))
        for operation in ("AddNote", "Fulfil", "MoveFulfilment", "Refund"):
            fake.faults[operation] = [fault]
        await ship(platform)
        await refund(platform, OTHER, line_items=[paid("l1", 1)])
        assert (parcels(order), totals(order), len(fake.notes())) == ([("Shipped", {"l1": 2})], [[1000]], 1)


@pytest.mark.parametrize("fault", ["403", "429"])
async def test_a_half_that_cannot_be_completed_now_is_not_taken_for_a_refusal(fault: str) -> None:
    async with writable_vendure() as (fake, platform):
        platform.session._patience = 0.01
        order = fake.buy((1, 1000))
        fake.faults["MoveFulfilment"] = [fault] * 9
        with pytest.raises(OutcomeUnknown, match="is made, but what follows failed"):
            await ship(platform)
        fake.faults.clear()
        await ship(platform)
        assert parcels(order) == [("Shipped", {"l1": 1})]


async def test_a_request_that_is_refused_half_way_is_undone() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((1, 1000))
        fake.faults["MoveFulfilment"] = ["400"]
        with pytest.raises(RequestRefused, match="status 400"):
            await ship(platform)
        assert (parcels(order), fake.notes()) == ([("Cancelled", {"l1": 1})], [])


async def test_a_half_that_cannot_be_undone_is_told() -> None:
    async with writable_vendure() as (fake, platform):
        fake.refuses = "no label"
        order = fake.buy((1, 1000))
        fake.faults["MoveFulfilment"] = ["", "400"]
        with pytest.raises(RequestRefused, match=r"The fulfilment \d+ is made, but what follows failed"):
            await ship(platform)
        assert parcels(order) == [("Pending", {"l1": 1})]


async def test_a_role_that_may_not_write_is_told_what_it_lacks() -> None:
    async with writable_vendure() as (fake, platform):
        fake.permissions.clear()
        order = fake.buy((1, 1000))
        fake.add_product(7)
        for write in (ship, refund):
            with pytest.raises(PermissionMissing, match="UpdateOrder"):
                await write(platform)
        with pytest.raises(PermissionMissing, match="UpdateProduct"):
            await adjust(platform, 1)
        assert (order["fulfillments"], totals(order)) == ([], [[]])


async def test_the_parts_of_a_line_come_to_what_was_paid_for_it() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((3, 1000), (1, 500))
        for number in range(3):
            await refund(platform, str(number) * 32, line_items=[paid("l1", 1)])
        assert totals(order) == [[333, 334, 333]]
        with pytest.raises(RequestRefused, match=r"line_items.0.quantity: 0 units"):
            await refund(platform, line_items=[paid("l1", 1)])


async def test_a_line_then_shipping_then_the_rest_is_refunded() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((2, 2000), (1, 500))
        await refund(platform, line_items=[paid("l1", 1)], reason="Chipped")
        given = fake.sent("Refund")[0]["input"]
        assert given["lines"] == [{"orderLineId": "l1", "quantity": 1}]
        assert (given["amount"], given["shipping"]) == (1000, 0)
        found = (await shown(platform)).additional_fields
        assert (found["refunds"][0].reason, found["refunds"][0].amount) == ("Chipped", Decimal("10.00"))
        assert found["payment_status"] == "partially_refunded"
        await refund(platform, OTHER, shipping_amount=Decimal("2.50"))
        assert fake.sent("Refund")[1]["input"] | {"reason": "", "paymentId": ""} == {
            "amount": 250,
            "shipping": 250,
            "lines": [],
            "adjustment": 0,
            "reason": "",
            "paymentId": "",
        }
        with pytest.raises(RequestRefused, match=r"shipping_amount: 3.49 USD of the shipping is left"):
            await refund(platform, "a" * 32, shipping_amount=Decimal("3.50"))
        await refund(platform, "b" * 32)
        rest = fake.sent("Refund")[2]["input"]
        assert rest["lines"] == [{"orderLineId": "l1", "quantity": 1}, {"orderLineId": "l2", "quantity": 1}]
        assert (rest["amount"], rest["shipping"]) == (1849, 349)
        assert (await shown(platform)).additional_fields["payment_status"] == "refunded"
        with pytest.raises(RequestRefused, match="Nothing is left"):
            await refund(platform, "c" * 32)
        assert totals(order) == [[1000, 250, 1849]]


async def test_amounts_of_lines_and_surcharges_are_as_asked() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((2, 2000))
        extra = {"id": "9", "description": "gift wrap", "price": 300, "priceWithTax": 357, "sku": "GIFT"}
        order["surcharges"] = [extra]
        lines = [paid("l1", 2, "0.01"), paid("surcharge-9", 1)]
        await refund(platform, line_items=lines, shipping_amount=Decimal("1"))
        given = fake.sent("Refund")[0]["input"]
        assert (given["amount"], given["lines"]) == (458, [{"orderLineId": "l1", "quantity": 2}])
        await refund(platform, OTHER, line_items=[paid("surcharge-9", 1, "0.43")])
        assert totals(order) == [[458, 43]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"line_items": [paid("l1", 1, "0.001")]}, r"line_items.0.amount: .* 2 decimals"),
        ({"shipping_amount": Decimal("0.999")}, "shipping_amount: .* 2 decimals"),
        ({"line_items": [paid("l1", 1, "26.00")]}, r"26.00 USD is more than the 25.99 USD that is left"),
        ({"line_items": [paid("l1", 1, "0")]}, "comes to nothing"),
        ({"line_items": [paid("l8", 1)]}, r"line_items.0.line_item_id: .*Name one of l1"),
        ({"line_items": [paid("l1", 3)]}, r"line_items.0.quantity: 2 units"),
        ({"reason": "x" * 250, "line_items": [paid("l1", 1)]}, "reason: Vendure has room for"),
    ],
)
async def test_a_refund_that_makes_no_sense_is_refused_before_it_is_sent(given: dict[str, Any], message: str) -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((2, 2000))
        with pytest.raises(RequestRefused, match=message) as caught:
            await refund(platform, **given)
        assert (caught.value.status, totals(order), fake.sent("Refund")) == (422, [[]], [])


async def test_cancelled_units_can_still_be_paid_back() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((2, 2000), (1, 700))
        lines = [{"orderLineId": "l1", "quantity": 2}]
        fake.cancel_order(None, {"orderId": "1", "lines": lines, "reason": None})
        with pytest.raises(RequestRefused, match=r"line_items.0.amount: name it"):
            await refund(platform, line_items=[paid("l1", 1)])
        await refund(platform, line_items=[paid("l1", 2, "20")])
        assert totals(order) == [[2000]]


async def test_an_order_that_is_not_paid_has_nothing_to_refund() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((1, 1000))
        order["payments"][0]["state"] = "Authorized"
        with pytest.raises(RequestRefused, match="no settled payment"):
            await refund(platform)


async def test_the_platform_refuses_more_than_was_paid() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((1, 1000))
        stale = await raw(platform)
        await refund(platform, OTHER)
        with pytest.raises(RequestRefused, match="exceeds the refundable amount") as caught:
            await platform.refund_order(stale, NewRefund(), REFERENCE)
        assert (caught.value.status, totals(order)) == (422, [[1599]])


async def test_a_payment_method_that_does_not_pay_back_is_a_refusal() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((1, 1000), method="broken")
        with pytest.raises(RequestRefused, match="did not pay back"):
            await refund(platform)
        assert VendureConnector.bears(await raw(platform), REFERENCE) is None
        order["payments"][0]["method"] = "card"
        await refund(platform, OTHER)
        assert (await shown(platform)).additional_fields["total_refunded"] == Decimal("15.99")


@pytest.mark.parametrize("method", ["manual", "odd"])
async def test_a_refund_that_is_left_pending_is_made_once(method: str) -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((1, 1000), method=method)
        if method == "odd":
            with pytest.raises(OutcomeUnknown, match="not allowed"):
                await refund(platform, reason="late")
        else:
            await refund(platform, reason="late")
        assert VendureConnector.bears(await raw(platform), REFERENCE) is True
        found = (await shown(platform)).additional_fields
        assert (found["refunds"], found["pending_refunds"][0].reason) == ([], "late")
        await refund(platform, reason="late")
        assert totals(order) == [[1599]]


@pytest.mark.parametrize("fault", ["cut before", "cut after", "502", "internal"])
async def test_a_refund_of_unknown_outcome_is_made_once(fault: str) -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((2, 1001))
        fake.faults["Refund"] = [fault]
        with pytest.raises(OutcomeUnknown):
            await refund(platform, line_items=[paid("l1", 1)])
        taken = fault == "cut after"
        assert VendureConnector.bears(await raw(platform), REFERENCE) is (True if taken else None)
        assert VendureConnector.bears(await raw(platform), OTHER) is None
        for _ in range(2):
            await refund(platform, line_items=[paid("l1", 1)])
            assert totals(order) == [[501]]


async def test_a_refund_takes_what_each_payment_has_left_and_goes_on_where_it_was_cut_off() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((4, 4000), payments=(1000, 2000, 1599))
        fake.faults["Refund"] = ["", "cut after"]
        lines = [paid("l1", 4, "35")]
        with pytest.raises(OutcomeUnknown):
            await refund(platform, line_items=lines, reason="Late")
        assert VendureConnector.bears(await raw(platform), REFERENCE) is False
        for _ in range(2):
            await refund(platform, line_items=lines, reason="Late")
            assert totals(order) == [[1000], [2000], [500]]
        assert VendureConnector.bears(await raw(platform), REFERENCE) is True
        found = (await shown(platform)).additional_fields["refunds"]
        assert {each.reason for each in found} == {"Late"}
        assert [sum(part.quantity for part in each.line_items) for each in found] == [4, 0, 0]
        await refund(platform, OTHER, shipping_amount=Decimal("5.99"))
        assert totals(order)[2] == [500, 599]


async def test_what_one_payment_paid_back_is_told_when_another_does_not() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((2, 2000), payments=(1000, 1599))
        order["payments"][1]["method"] = "broken"
        with pytest.raises(RequestRefused, match=r"Refund \d+ is made, but what follows failed: The payment method"):
            await refund(platform)
        assert totals(order) == [[1000], [1599]]


async def test_one_payment_that_can_pays_all_back() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((2, 2000), payments=(1000, 1599))
        await refund(platform, line_items=[paid("l1", 1, "12")])
        assert totals(order) == [[], [1200]]


@pytest.mark.parametrize("operation", ["Refund", "Cancel"])
@pytest.mark.parametrize("fault", ["", "cut before", "cut after"])
async def test_refunded_units_go_back_to_stock_once(operation: str, fault: str) -> None:
    """Vendure puts units back by cancelling them. Somebody else's cancellation is none of ours."""
    async with writable_vendure() as (fake, platform):
        order = fake.buy((4, 4000), (1, 900))
        others = [{"orderLineId": "l1", "quantity": 1}]
        fake.cancel_order(None, {"orderId": "1", "lines": others, "reason": "no stock"})
        fake.faults[operation] = [fault]
        given: dict[str, Any] = {"line_items": [paid("l1", 2)], "restock": True, "reason": "Returned"}
        if fault:
            with pytest.raises(OutcomeUnknown):
                await refund(platform, **given)
        for _ in range(2):
            await refund(platform, **given)
            assert totals(order) == [[2000]]
            assert [line["quantity"] for line in order["lines"]] == [1, 1]
            assert fake.notes("ORDER_CANCELLATION")[1]["lines"] == [{"orderLineId": "l1", "quantity": 2}]
            assert len(fake.notes("ORDER_CANCELLATION")) == 2
        assert fake.sent("Cancel")[-1]["input"]["cancelShipping"] is False
        assert VendureConnector.bears(await raw(platform), REFERENCE) is False
        assert (await shown(platform)).additional_fields["refunds"][0].reason == "Returned"


async def test_a_full_refund_with_restock_cancels_the_order() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((2, 2000), (1, 900))
        await refund(platform, restock=True)
        assert fake.sent("Cancel")[0]["input"]["cancelShipping"] is True
        assert (totals(order), (await shown(platform)).status) == ([[3499]], "cancelled")


async def test_units_that_are_cancelled_already_do_not_go_back_twice() -> None:
    async with writable_vendure() as (fake, platform):
        order = fake.buy((3, 3000))
        others = [{"orderLineId": "l1", "quantity": 2}]
        fake.cancel_order(None, {"orderId": "1", "lines": others, "reason": ""})
        with pytest.raises(RequestRefused, match=r"line_items.0.quantity: 1 units are not cancelled yet"):
            await refund(platform, line_items=[paid("l1", 2)], restock=True)
        assert totals(order) == [[]]


async def adjust(platform: VendureConnector, quantity: int, kind: str = "increase", **given: Any) -> None:
    (found,) = await platform.fetch(Function.GET_PRODUCTS, ["product-p7"])
    values = {"product_id": "7", "warehouse_id": "1", **given}
    wanted = InventoryAdjustment(quantity=quantity, adjustment_type=AdjustmentType(kind), **values)
    await platform.adjust_inventory(found, wanted, REFERENCE)


def stocked(fake: WritableVendure, **levels: tuple[int, int]) -> dict[str, Any]:
    """A variant with so many units on hand and allocated at each location."""
    variant: dict[str, Any] = fake.add_product(7)["variants"][0]
    variant["trackInventory"] = "INHERIT"
    variant["stockLevels"] = [
        {"stockLocationId": id.removeprefix("at"), "stockOnHand": hand, "stockAllocated": sold, "updatedAt": fake.now}
        for id, (hand, sold) in levels.items()
    ]
    return variant


def on_hand(variant: dict[str, Any]) -> dict[str, int]:
    return {level["stockLocationId"]: level["stockOnHand"] for level in variant["stockLevels"]}


@pytest.mark.parametrize(
    ("kind", "quantity", "hand", "available"),
    [("increase", 5, 15, 12), ("decrease", 5, 5, 2), ("decrease", 10, 0, -3), ("exact", 5, 8, 5), ("exact", 0, 3, 0)],
)
async def test_stock_is_what_is_available(kind: str, quantity: int, hand: int, available: int) -> None:
    async with writable_vendure() as (fake, platform):
        variant = stocked(fake, at1=(10, 3), at2=(50, 0))
        await adjust(platform, quantity, kind)
        assert on_hand(variant) == {"1": hand, "2": 50}
        (found,) = await platform.fetch(Function.GET_PRODUCTS, ["7"])
        record = next(each for each in platform.map(Function.GET_PRODUCTS, found) if each.id == "7")
        assert isinstance(record, Product)
        assert record.inventory_by_warehouse_id == {"1": available, "2": 50}


async def test_the_only_location_need_not_be_named_and_a_new_one_begins_at_nothing() -> None:
    async with writable_vendure() as (fake, platform):
        variant = stocked(fake, at1=(10, 3))
        await adjust(platform, 1, warehouse_id=None)
        await adjust(platform, 4, warehouse_id="2")
        assert on_hand(variant) == {"1": 11, "2": 4}


@pytest.mark.parametrize(
    ("given", "track", "message"),
    [
        ({"product_id": "product-p7"}, "TRUE", "product_id: only variants have stock. .*: 7"),
        ({"warehouse_id": None}, "TRUE", "warehouse_id: name one of .*: 1, 2"),
        ({"warehouse_id": "99"}, "TRUE", "warehouse_id: Vendure has no such stock location"),
        ({"kind": "decrease", "quantity": 11}, "TRUE", "quantity: only 10 units are on hand"),
        ({"warehouse_id": "1"}, "FALSE", "product_id: Vendure does not track"),
    ],
)
async def test_stock_that_cannot_be_set_is_refused(given: dict[str, Any], track: str, message: str) -> None:
    async with writable_vendure() as (fake, platform):
        variant = stocked(fake, at1=(10, 3), at2=(5, 0))
        variant["trackInventory"] = track
        with pytest.raises(RequestRefused, match=message) as caught:
            await adjust(platform, **{"quantity": 1, **given})
        assert (caught.value.status, on_hand(variant)) == (422, {"1": 10, "2": 5})


@pytest.mark.parametrize(
    ("fault", "error"), [("cut after", OutcomeUnknown), ("503", OutcomeUnknown), ("400", RequestRefused)]
)
async def test_stock_is_set_once(fault: str, error: type[ConnectorError]) -> None:
    """Whether it is set shows in the level, by which the repetition is recognised; nothing else tells."""
    async with writable_vendure() as (fake, platform):
        variant = stocked(fake, at1=(10, 0))
        fake.faults["SetStock"] = [fault]
        with pytest.raises(error):
            await adjust(platform, 5)
        assert on_hand(variant) == {"1": 15 if fault == "cut after" else 10}
        assert len(fake.sent("SetStock")) == 1
        (found,) = await platform.fetch(Function.GET_PRODUCTS, ["7"])
        assert VendureConnector.bears(found, REFERENCE) is None
        fake.faults["SetStock"] = ["429", "forbidden"]
        await adjust(platform, 20, "exact")
        assert on_hand(variant) == {"1": 20}


async def test_a_session_is_ready_for_requests_of_a_clients_own() -> None:
    async with writable_vendure() as (fake, platform):
        await platform.ready()
        assert platform.session.headers["authorization"] == "Bearer token"
        assert len(fake.requests) == 1


def _fulfilment(**quantities: int) -> dict[str, Any]:
    lines = [{"orderLineId": id, "quantity": count} for id, count in quantities.items()]
    return {"lines": lines, "handler": {"code": "manual-fulfillment", "arguments": []}}
