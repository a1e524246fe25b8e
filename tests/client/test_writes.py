"""Writing through the client: what is sent, and that trouble on the way makes nothing twice."""

from datetime import UTC, datetime
from decimal import Decimal

import httpx2
import msgspec
import pytest

from client.conftest import Line, Trouble, answers, breaks
from unicart.client import (
    AdjustmentType,
    ApiError,
    AsyncClient,
    CartOrder,
    CartProduct,
    Dates,
    InvalidRequest,
    InventoryAdjustment,
    KeyMisused,
    LineQuantity,
    LineRefund,
    NewRefund,
    NewShipment,
    NotImplementedHere,
    NotReached,
    OrderStatus,
    RateLimited,
    Retries,
    Unavailable,
)

pytestmark = pytest.mark.anyio

SHIPMENT = NewShipment(tracking_number="1Z", carrier_name="UPS")


async def open_order(sandbox: AsyncClient, line: Line) -> CartOrder:
    """An order that nothing is shipped of, with a line of several units."""
    async for order in sandbox.orders(status=OrderStatus.CONFIRMED):
        if not order.shipments and any(each.quantity > 1 for each in order.line_items):
            line.sent.clear()
            return order
    raise AssertionError("the sandbox has none")


async def variant(sandbox: AsyncClient) -> CartProduct:
    async for product in sandbox.products():
        if product.parent_product_id != product.id and product.inventory_by_warehouse_id:
            return product
    raise AssertionError("the sandbox has none")


async def test_an_order_is_shipped_in_parts_and_refunded(sandbox: AsyncClient, line: Line) -> None:
    order = await open_order(sandbox, line)
    item = max(order.line_items, key=lambda each: each.quantity)
    part = NewShipment(
        tracking_number="1Z",
        carrier_name="UPS",
        shipped_date=datetime(2026, 1, 2, 10, tzinfo=UTC),
        line_items=[LineQuantity(line_item_id=item.line_item_id, quantity=1)],
        specific={"colour": "red"},
    )
    shipped = await sandbox.create_shipment(order.id, part)
    assert shipped.unused_fields == ["colour"]
    assert not shipped.replayed
    (shipment,) = shipped.data.shipments
    assert shipment.created_date == part.shipped_date
    assert [each.quantity for each in shipment.line_items] == [1]
    assert await sandbox.order(order.id) == shipped.data
    line_refund = LineRefund(line_item_id=item.line_item_id, quantity=1, amount=Decimal("0.01"))
    refunded = await sandbox.refund_order(order.id, NewRefund(reason="Broken", line_items=[line_refund]))
    (refund,) = refunded.data.additional_fields["refunds"]
    assert str(refund["amount"]) == "0.01"
    full = await sandbox.refund_order(order.id, NewRefund())
    assert len(full.data.additional_fields["refunds"]) == 2


async def test_stock_is_changed_alone_and_in_a_batch(sandbox: AsyncClient) -> None:
    product = await variant(sandbox)
    warehouse, level = next(iter(product.inventory_by_warehouse_id.items()))

    def change(quantity: int, type: AdjustmentType) -> InventoryAdjustment:
        return InventoryAdjustment(
            product_id=product.id, quantity=quantity, adjustment_type=type, warehouse_id=warehouse
        )

    raised = await sandbox.adjust_inventory(change(3, AdjustmentType.INCREASE))
    assert raised.data.inventory_by_warehouse_id[warehouse] == level + 3
    both = [change(2, AdjustmentType.DECREASE), change(9, AdjustmentType.EXACT)]
    batch = await sandbox.batch_adjust_inventory(both)
    assert batch.data[-1].inventory_by_warehouse_id[warehouse] == 9
    tagged = await sandbox.tag_product(product.id, ["low", {"shelf": "7"}])
    assert tagged.trackstar_tags == ["low", {"shelf": "7"}]


TROUBLES: list[tuple[str, Trouble]] = [
    ("before", answers(429, retry_after="0")),
    ("before", answers(503, retry_after="0")),
    ("before", answers(500, retry_after="0")),
    ("before", breaks(httpx2.ConnectError)),
    ("before", breaks(httpx2.ReadError)),
    ("before", answers(409, retry_after="0")),
    ("after", answers(502, retry_after="0")),
    ("after", breaks(httpx2.ReadTimeout)),
    ("after", breaks(httpx2.RemoteProtocolError)),
]


async def test_a_write_that_meets_trouble_is_done_once(sandbox: AsyncClient, line: Line) -> None:
    for when, trouble in TROUBLES:
        order = await open_order(sandbox, line)
        getattr(line, when).append(trouble)
        shipped = await sandbox.create_shipment(order.id, SHIPMENT)
        assert shipped.replayed is (when == "after")
        assert len(shipped.data.shipments) == 1
        keys = [request.headers["idempotency-key"] for request in line.sent]
        assert len(keys) == 2
        assert len(set(keys)) == 1
        assert len((await sandbox.order(order.id)).shipments) == 1


async def test_each_write_has_a_key_of_its_own_and_may_have_yours(sandbox: AsyncClient, line: Line) -> None:
    order = await open_order(sandbox, line)
    first = await sandbox.create_shipment(order.id, SHIPMENT, idempotency_key="mine")
    again = await sandbox.create_shipment(order.id, SHIPMENT, idempotency_key="mine")
    assert (first.replayed, again.replayed) == (False, True)
    assert again.data == first.data
    with pytest.raises(KeyMisused):
        await sandbox.refund_order(order.id, NewRefund(), idempotency_key="mine")
    await sandbox.refund_order(order.id, NewRefund())
    assert len({request.headers["idempotency-key"] for request in line.sent}) == 2


async def test_what_is_wrong_is_not_repeated(sandbox: AsyncClient, line: Line) -> None:
    order = await open_order(sandbox, line)
    with pytest.raises(InvalidRequest) as invalid:
        await sandbox.create_shipment(order.id, NewShipment(tracking_number="1Z"))
    assert invalid.value.detail["json"] == {"carrier_name": ["is required"]}
    with pytest.raises(NotImplementedHere, match="Sandbox"):
        await sandbox.passthrough("GET", "/orders")
    assert len(line.sent) == 2


async def test_what_cannot_be_repeated_is_repeated_only_if_it_was_not_begun_with(
    sandbox: AsyncClient, line: Line
) -> None:
    for trouble, error in ((breaks(httpx2.ReadTimeout), NotReached), (answers(503, retry_after="0"), Unavailable)):
        line.sent.clear()
        line.before.append(trouble)
        with pytest.raises(error):
            await sandbox.passthrough("POST", "/orders", data={"x": 1})
        assert len(line.sent) == 1
    for trouble in (breaks(httpx2.ConnectError), answers(429, retry_after="0")):
        line.sent.clear()
        line.before.append(trouble)
        with pytest.raises(NotImplementedHere):
            await sandbox.passthrough("POST", "/orders", data={"x": 1}, params={"a": [1, 2]})
        assert len(line.sent) == 2
        fields = msgspec.json.decode(line.sent[-1].content)
        assert fields == {"method": "POST", "path": "/orders", "data": {"x": 1}, "params": {"a": [1, 2]}}


async def test_attempts_end_and_no_wait_is_too_long(
    line: Line, api_key: str, access_token: str, unicart: AsyncClient
) -> None:
    retries = Retries(attempts=3, patience=10)
    async with AsyncClient("http://unicart", api_key, access_token, transport=line, retries=retries) as client:
        line.before += [answers(503, retry_after="0")] * 3
        with pytest.raises(Unavailable, match="Busy"):
            await client.order("1")
        assert len(line.sent) == 3
        line.before.append(answers(429, retry_after="11", x_request_id="abc"))
        with pytest.raises(RateLimited) as limited:
            await client.order("1")
        assert (limited.value.retry_after, limited.value.request_id, len(line.sent)) == (11, "abc", 4)
        line.before.append(answers(302, location="http://elsewhere/"))
        with pytest.raises(ApiError) as redirected:
            await client.order("1")
        assert redirected.value.status == 302
    assert [order async for order in unicart.orders(created_date=Dates(gt=datetime(2026, 1, 1, tzinfo=UTC)))] == []
