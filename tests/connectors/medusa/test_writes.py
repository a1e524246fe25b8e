"""Shipments, refunds and stock levels, on a Medusa of our own that keeps what it is told as the real one does."""

import asyncio
import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.medusa.shop import MUG, NORTH, POSTER, SOUTH, Refusal, Shop, connected
from unicart.connectors.kit import CredentialsRejected, OutcomeUnknown, PermissionMissing, RequestRefused
from unicart.connectors.medusa.client import MedusaConnector
from unicart.contract.orders import ShipmentStatus
from unicart.contract.writes import (
    AdjustmentType,
    InventoryAdjustment,
    LineQuantity,
    LineRefund,
    NewRefund,
    NewShipment,
    WriteFunction,
)

REFERENCE = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
TRACKED = {"tracking_number": "T1", "tracking_url": "https://track.example/T1"}


@pytest.fixture
def shop() -> Shop:
    return Shop()


def lines(*, mugs: int = 0, posters: int = 0) -> list[LineQuantity]:
    wanted = {MUG: mugs, POSTER: posters}
    return [LineQuantity(line_item_id=id, quantity=quantity) for id, quantity in wanted.items() if quantity]


def refunds(amount: Decimal | None = None, **quantities: int) -> list[LineRefund]:
    names = {"mugs": MUG, "posters": POSTER}
    return [LineRefund(line_item_id=names[name], quantity=each, amount=amount) for name, each in quantities.items()]


def ship(shop: Shop, reference: str = REFERENCE, **shipment: Any) -> None:
    order = shop.raw()
    _run(shop, lambda connector: connector.create_shipment(order, NewShipment(**shipment), reference))


def refund(shop: Shop, reference: str = REFERENCE, **refund: Any) -> None:
    order = shop.raw()
    _run(shop, lambda connector: connector.refund_order(order, NewRefund(**refund), reference))


def adjust(shop: Shop, variant: str, kind: AdjustmentType, quantity: int, warehouse: str | None = None) -> None:
    adjustment = InventoryAdjustment(
        product_id=variant, quantity=quantity, adjustment_type=kind, warehouse_id=warehouse
    )
    product = shop.raw_product(variant)
    _run(shop, lambda connector: connector.adjust_inventory(product, adjustment, REFERENCE))


def _run(shop: Shop, write: Callable[[MedusaConnector], Any]) -> Any:
    async def run() -> Any:
        connector = connected(shop)
        try:
            return await write(connector)
        finally:
            await connector.session.close()

    return asyncio.run(run())


def bears(shop: Shop, reference: str = REFERENCE) -> bool | None:
    return MedusaConnector.bears(shop.raw(), reference)


def once(act: Callable[[str], None], path: str = "") -> Callable[[str], None]:
    """``act``, at the first request whose path ends so."""
    waiting = [act]

    def hook(asked: str) -> None:
        if asked.endswith(path) and waiting:
            waiting.pop()(asked)

    return hook


def cut_off(_: str) -> None:
    raise httpx2.ReadTimeout("too slow")


def cut_off_after(left: Iterator[int], path: str) -> None:
    if next(left, None) is None:
        cut_off(path)


def nothing(_: str) -> None:
    """What happens to a request that goes well."""


def refusing(status: int, message: str = "No, thank you") -> Callable[[str], None]:
    def hook(_: str) -> None:
        raise Refusal(status, message)

    return hook


def shipped(shop: Shop) -> dict[str, int]:
    """How many units of each SKU records show as shipped."""
    found: dict[str, int] = {}
    for shipment in shop.unified().shipments:
        if shipment.status is ShipmentStatus.SHIPPED:
            for line in shipment.line_items:
                assert line.product_sku
                found[line.product_sku] = found.get(line.product_sku, 0) + line.quantity
    return found


def paid_back(shop: Shop) -> list[Decimal]:
    return [refund.amount for refund in shop.unified().additional_fields["refunds"]]


def written(shop: Shop, path: str) -> list[Any]:
    return [body for each, body in shop.written if re.fullmatch(f".*/{path}", each)]


# Shipments


def test_half_of_an_order_is_shipped_and_then_the_rest(shop: Shop) -> None:
    ship(shop, line_items=lines(mugs=4), notify_customer=False, **TRACKED)
    assert shipped(shop) == {"mug-l": 4}
    assert bears(shop) is True
    assert bears(shop, OTHER) is False
    ship(shop, OTHER, tracking_number="T2")
    assert shipped(shop) == {"mug-l": 7, "poster-s": 3}
    first, second = shop.unified().shipments
    assert (first.tracking_number, first.tracking_url) == ("T1", "https://track.example/T1")
    assert (second.tracking_number, second.tracking_url) == ("T2", None)
    assert first.warehouse_id == second.warehouse_id == NORTH
    assert [body["no_notification"] for body in written(shop, "shipments|.*fulfillments")[:2]] == [True, True]
    assert all("no_notification" not in body for body in written(shop, "shipments|.*fulfillments")[2:])


def test_without_tracking_there_is_no_label(shop: Shop) -> None:
    ship(shop, line_items=lines(mugs=1, posters=1))
    assert shipped(shop) == {"mug-l": 1, "poster-s": 1}
    assert shop.order["fulfillments"][0]["labels"] == []


def test_a_label_and_a_shipping_option_of_the_shop(shop: Shop) -> None:
    ship(shop, specific={"shipping_option_id": "so_express", "label_url": "https://label.example/1"})
    (fulfillment,) = shop.order["fulfillments"]
    assert fulfillment["shipping_option_id"] == "so_express"
    assert fulfillment["labels"] == [
        {"tracking_number": "", "tracking_url": "#", "label_url": "https://label.example/1"}
    ]


def test_each_location_sends_its_own_parcel(shop: Shop) -> None:
    shop.reserved = {MUG: SOUTH, POSTER: NORTH}
    ship(shop, **TRACKED)
    sent = {each.warehouse_id: [line.product_sku for line in each.line_items] for each in shop.unified().shipments}
    assert sent == {SOUTH: ["mug-l"], NORTH: ["poster-s"]}
    assert {each.tracking_number for each in shop.unified().shipments} == {"T1"}


def test_a_named_warehouse_sends_everything(shop: Shop) -> None:
    shop.reserved = {MUG: SOUTH, POSTER: NORTH}
    ship(shop, warehouse_id=SOUTH)
    assert [each.warehouse_id for each in shop.unified().shipments] == [SOUTH]


def test_what_needs_no_shipping_is_a_fulfilment_of_its_own(shop: Shop) -> None:
    shop.order["items"][1]["requires_shipping"] = False
    del shop.reserved[POSTER]
    ship(shop)
    assert shop.packed() == [{MUG: 7}, {POSTER: 3}]
    assert [each.warehouse_id for each in shop.unified().shipments] == [NORTH, NORTH]
    assert shipped(shop) == {"mug-l": 7, "poster-s": 3}


def test_what_the_merchant_packed_is_sent_and_not_packed_again(shop: Shop) -> None:
    fulfillment = shop.pack({MUG: 4})
    shop.pack({MUG: 1, POSTER: 3})
    ship(shop, line_items=lines(mugs=5), **TRACKED)
    assert shop.packed() == [{MUG: 4}, {MUG: 1, POSTER: 3}, {MUG: 1}]
    assert shipped(shop) == {"mug-l": 5}
    assert bears(shop) is True
    assert next(each for each in shop.unified().shipments if each.shipment_id == fulfillment).tracking_number == "T1"
    ship(shop, OTHER)
    assert shipped(shop) == {"mug-l": 7, "poster-s": 3}
    assert bears(shop, OTHER) is True


def test_another_warehouse_leaves_what_is_packed_alone(shop: Shop) -> None:
    shop.pack({MUG: 4}, SOUTH)
    ship(shop, warehouse_id=NORTH)
    assert shipped(shop) == {"mug-l": 3, "poster-s": 3}


def test_a_packed_parcel_is_only_sent_whole(shop: Shop) -> None:
    fulfillment = shop.pack({MUG: 7})
    with pytest.raises(RequestRefused, match=f"line_items: the fulfilment {fulfillment} .* whole: 7 of {MUG}") as said:
        ship(shop, line_items=lines(mugs=3))
    assert said.value.status == 422
    assert shop.written == []


def test_parts_of_a_packed_kit_count_as_the_kit(shop: Shop) -> None:
    shop.kits = {MUG: {"iitem_1": 2, "iitem_2": 3}}
    shop.pack({MUG: 4})
    ship(shop, line_items=lines(mugs=5))
    shown = [[item["quantity"] for item in each["items"]] for each in shop.order["fulfillments"]]
    assert shown == [[8, 12], [2, 3]]
    assert all(each["shipped_at"] for each in shop.order["fulfillments"])


def cancelled(shop: Shop) -> None:
    shop.order["status"] = "canceled"


def without_method(shop: Shop) -> None:
    shop.order["shipping_methods"] = []


@pytest.mark.parametrize(
    ("change", "shipment", "message"),
    [
        (None, {"line_items": lines(mugs=8)}, f"line_items: 8 of {MUG} are more than the 7 that are open"),
        (None, {"line_items": [*lines(posters=2), *lines(posters=2)]}, "line_items: 4 of .* the 3 that are open"),
        (None, {"line_items": [LineQuantity(line_item_id="x", quantity=1)]}, f"line_items: .* no line x.* {MUG}"),
        (None, {"specific": {"shipping_option_id": "so_gone"}}, "shipping_option_id: .* no shipping option so_gone"),
        (None, {"tracking_url": "javascript:alert(1)"}, "tracking_url: .*https://"),
        (None, {"specific": {"label_url": "label.pdf"}}, "label_url: .*https://"),
        (cancelled, {}, "order_id: the order is cancelled"),
        (without_method, {}, "shipping_option_id: the order has no shipping method"),
        (ship, {}, "line_items: everything .* is shipped already"),
    ],
)
def test_a_shipment_that_makes_no_sense_is_refused_before_anything_is_sent(
    shop: Shop, change: Callable[[Shop], None] | None, shipment: Any, message: str
) -> None:
    if change:
        change(shop)
    shop.written.clear()
    with pytest.raises(RequestRefused, match=message) as said:
        ship(shop, OTHER, **shipment)
    assert said.value.status == 422
    assert shop.written == []


@pytest.mark.parametrize("step", ["shipments", "fulfillments"])
def test_what_medusa_refuses_leaves_nothing_packed(shop: Shop, step: str) -> None:
    """The second parcel is refused, or else the first when it is to be sent."""
    shop.reserved = {MUG: SOUTH, POSTER: NORTH}
    taken = shop.pack({MUG: 1})
    refuse = once(refusing(400, "The van is full"), step)
    seen: list[str] = []

    def hook(path: str) -> None:
        seen.append(path)
        if step == "shipments" or len(seen) > 1:
            refuse(path)

    shop.before = hook
    with pytest.raises(RequestRefused, match="The van is full") as said:
        ship(shop)
    assert said.value.status == 400
    assert shop.packed() == [{MUG: 1}]
    assert not shop.order["metadata"]
    assert shipped(shop) == {}
    shop.before = nothing
    ship(shop, OTHER)
    assert shipped(shop) == {"mug-l": 7, "poster-s": 3}
    assert shop._fulfillment(taken)["shipped_at"]


@pytest.mark.parametrize("did", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("number", range(6))
def test_a_shipment_cut_off_anywhere_is_completed_and_not_doubled(shop: Shop, number: int, did: bool) -> None:
    """Two parcels are packed, one that the merchant packed is taken, and all are sent: six requests."""
    shop.reserved = {MUG: SOUTH, POSTER: NORTH}
    shop.pack({MUG: 2})
    wanted = lines(mugs=4, posters=2)
    setattr(shop, "after" if did else "before", functools.partial(cut_off_after, iter(range(number))))
    with pytest.raises(OutcomeUnknown):
        ship(shop, line_items=wanted, **TRACKED)
    assert bears(shop) is (number == 5 and did)
    shop.before = shop.after = nothing
    ship(shop, line_items=wanted, **TRACKED)
    assert bears(shop) is True
    assert shipped(shop) == {"mug-l": 4, "poster-s": 2}
    assert sorted(map(str, shop.packed())) == sorted(map(str, [{MUG: 2}, {MUG: 2}, {POSTER: 2}]))


def test_what_is_packed_between_the_halves_of_a_whole_shipment_goes_with_it(shop: Shop) -> None:
    first = shop.pack({MUG: 7})
    shop.before = functools.partial(cut_off_after, iter(range(2)))
    with pytest.raises(OutcomeUnknown):
        ship(shop)
    shop.before = nothing
    shop._cancel({}, shop.order["fulfillments"][1]["id"])
    second = shop.pack({POSTER: 3})
    ship(shop)
    assert shipped(shop) == {"mug-l": 7, "poster-s": 3}
    assert shop.order["metadata"] == {f"unicart_shipment_{REFERENCE}": f"{first},{second}"}
    assert bears(shop) is True


@settings(deadline=None, max_examples=60)
@given(
    cuts=st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=5),
    wanted=st.none() | st.tuples(st.integers(1, 7), st.integers(0, 3)),
    packed=st.integers(0, 3),
)
def test_no_sequence_of_interruptions_ships_twice(
    cuts: list[tuple[int, bool]], wanted: tuple[int, int] | None, packed: int
) -> None:
    """The request is repeated as the engine does: until it is seen on the platform."""
    shop = Shop()
    shop.reserved = {MUG: SOUTH, POSTER: NORTH}
    if packed:
        shop.pack({MUG: packed})
    mugs, posters = wanted or (7, 3)
    asked: dict[str, Any] = {"line_items": lines(mugs=mugs, posters=posters)} if wanted else {}
    for number, did in cuts:
        left = iter(range(number))
        hook = functools.partial(cut_off_after, left)
        shop.before, shop.after = (nothing, hook) if did else (hook, nothing)
        if not bears(shop):
            with contextlib.suppress(OutcomeUnknown):
                ship(shop, **asked)
    shop.before = shop.after = nothing
    if not bears(shop):
        ship(shop, **asked)
    assert bears(shop)
    assert shipped(shop) == {name: count for name, count in (("mug-l", mugs), ("poster-s", posters)) if count}


def test_limits_are_waited_for_and_the_shipment_is_sent_once(shop: Shop) -> None:
    shop.headers = {"retry-after": "0"}
    shop.before = once(refusing(429))
    ship(shop)
    assert shop.packed() == [{MUG: 7, POSTER: 3}]


@pytest.mark.parametrize(("status", "error"), [(401, CredentialsRejected), (403, PermissionMissing)])
def test_a_key_that_is_not_accepted_writes_nothing(shop: Shop, status: int, error: type[Exception]) -> None:
    shop.before = refusing(status)
    with pytest.raises(error):
        ship(shop)
    with pytest.raises(error):
        refund(shop)
    assert shop.written == []


def test_an_error_of_medusas_own_says_nothing_about_the_outcome(shop: Shop) -> None:
    shop.after = once(refusing(500), "fulfillments")
    with pytest.raises(OutcomeUnknown):
        ship(shop)
    assert [path for method, path in shop.asked if method == "POST"] == [f"/admin/orders/{shop.id}/fulfillments"]
    ship(shop)
    assert shop.packed() == [{MUG: 7, POSTER: 3}]


def test_the_shipping_options_of_the_account_are_told(shop: Shop) -> None:
    found = _run(shop, lambda connector: connector.write_values(WriteFunction.CREATE_SHIPMENT))
    assert found == {"shipping_option_id": ["so_01M84ZEZ8C2DQBKRHTHCNB5C6F", "so_express"]}
    assert _run(shop, lambda connector: connector.write_values(WriteFunction.REFUND_ORDER)) == {}


# Refunds


def test_one_line_is_refunded_and_then_the_rest(shop: Shop) -> None:
    refund(shop, reason="damaged", note="Photo", line_items=refunds(mugs=1))
    assert paid_back(shop) == [Decimal("10.88")]
    assert bears(shop) is True
    assert bears(shop, OTHER) is False
    refund(shop, OTHER)
    fields = shop.unified().additional_fields
    assert paid_back(shop) == [Decimal("10.88"), Decimal("82.121025")]
    assert fields["total_refunded"] == Decimal("93.001025")
    first, rest = fields["refunds"]
    assert (first.reason, first.note) == ("Damaged", "Photo")
    assert (rest.reason, rest.note) == (None, None)
    assert bears(shop, OTHER) is True


def test_a_reason_that_the_shop_does_not_know_is_in_the_note(shop: Shop) -> None:
    refund(shop, reason="Too late", note="By a week", shipping_amount=Decimal("5.99"))
    (shown,) = shop.unified().additional_fields["refunds"]
    assert (shown.amount, shown.reason, shown.note) == (Decimal("5.99"), None, "Too late: By a week")


@pytest.mark.parametrize(
    ("asked", "amount"),
    [
        ({"line_items": refunds(Decimal("7.5"), mugs=2)}, "7.5"),
        ({"line_items": refunds(mugs=7)}, "76.14"),
        ({"line_items": refunds(mugs=1, posters=1)}, "14.50"),
        ({"line_items": [*refunds(Decimal("0.01"), mugs=1), *refunds(posters=2)]}, "7.26"),
        ({"line_items": refunds(posters=1), "shipping_amount": Decimal("1.5")}, "5.13"),
        ({"line_items": refunds(mugs=7, posters=3), "shipping_amount": Decimal("5.99")}, "93"),
        ({"shipping_amount": Decimal("0.3")}, "0.3"),
        ({}, "93.001025"),
    ],
)
def test_amounts_are_exact(shop: Shop, asked: Any, amount: str) -> None:
    """Shares are rounded to cents once, in the end."""
    refund(shop, **asked)
    assert paid_back(shop) == [Decimal(amount)]


def test_no_part_of_a_cent_is_asked_for_beyond_what_was_paid(shop: Shop) -> None:
    shop.pay(76.1362875)
    refund(shop, line_items=refunds(mugs=7))
    assert paid_back(shop) == [Decimal("76.1362875")]


def test_what_came_back_can_be_refunded(shop: Shop) -> None:
    mugs = next(item for item in shop.order["items"] if item["id"] == MUG)
    mugs["detail"]["return_received_quantity"] = 2
    mugs |= {"total": 54.3830625, "return_received_total": 21.753225}
    refund(shop, line_items=refunds(mugs=2))
    assert paid_back(shop) == [Decimal("21.75")]


def unpaid(shop: Shop) -> None:
    shop.payments[0]["captures"] = []


def without_payments(shop: Shop) -> None:
    shop.order["payment_collections"] = []


def edited(shop: Shop) -> None:
    shop.changes = [{"id": "ordch_1", "updated_at": "2026-11-26T10:00:00.000Z"}]


def mostly_refunded(shop: Shop) -> None:
    shop.payments[0]["refunds"] = [{"id": "ref_0", "amount": 90}]


@pytest.mark.parametrize(
    ("change", "asked", "message"),
    [
        (None, {"line_items": refunds(mugs=8)}, f"line_items: 8 of {MUG} are more than the 7 that were ordered"),
        (None, {"line_items": refunds(Decimal(11), mugs=1)}, "line_items: 10.88 USD were paid for 1 of"),
        (None, {"line_items": [LineRefund(line_item_id="x", quantity=1)]}, f"line_items: .*no line x.* {POSTER}"),
        (None, {"shipping_amount": Decimal(6)}, "shipping_amount: 5.99 USD were paid"),
        (None, {"shipping_amount": Decimal(0)}, "line_items: nothing was paid"),
        (mostly_refunded, {"line_items": refunds(mugs=1)}, "line_items: 10.88 USD are more than the 3.001025"),
        (unpaid, {}, "order_id: there is nothing left to pay back"),
        (without_payments, {"line_items": refunds(mugs=1)}, "order_id: there is nothing left"),
        (refund, {}, "order_id: there is nothing left"),
        (edited, {}, "order_id: a change of the order is under way"),
    ],
)
def test_a_refund_that_makes_no_sense_is_refused_before_anything_is_sent(
    shop: Shop, change: Callable[[Shop], None] | None, asked: Any, message: str
) -> None:
    if change:
        change(shop)
    shop.written.clear()
    with pytest.raises(RequestRefused, match=message) as said:
        refund(shop, OTHER, **asked)
    assert said.value.status == 422
    assert shop.written == []


def test_medusas_own_refusal_keeps_its_message(shop: Shop) -> None:
    """Somebody else pays back in the same moment."""

    def pay_back(_: str) -> None:
        shop.payments[0]["refunds"].append({"id": "ref_0", "amount": 93.001025})

    shop.before = once(pay_back)
    with pytest.raises(RequestRefused, match="not allowed to refund more than the captured amount") as said:
        refund(shop)
    assert said.value.status == 400
    assert bears(shop) is False


def test_a_refusal_after_the_money_is_gone_is_a_refund(shop: Shop) -> None:
    """Somebody begins to edit the order in the same moment, and Medusa pays back before it looks."""
    shop.before = once(lambda _: edited(shop))
    refund(shop, line_items=refunds(mugs=1))
    assert paid_back(shop) == [Decimal("10.88")]
    assert bears(shop) is True


def test_several_payments_are_used_up_one_after_the_other(shop: Shop) -> None:
    shop.pay(50, 43.001025)
    refund(shop, line_items=refunds(mugs=5))
    assert paid_back(shop) == [Decimal(50), Decimal("4.38")]
    assert bears(shop) is True
    refund(shop, OTHER)
    assert paid_back(shop) == [Decimal(50), Decimal("4.38"), Decimal("38.621025")]


@pytest.mark.parametrize("asked", [{}, {"line_items": refunds(mugs=5)}], ids=["full", "lines"])
@pytest.mark.parametrize("did", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_refund_cut_off_anywhere_is_completed_and_not_doubled(shop: Shop, number: int, did: bool, asked: Any) -> None:
    shop.pay(50, 43.001025)
    setattr(shop, "after" if did else "before", functools.partial(cut_off_after, iter(range(number))))
    with pytest.raises(OutcomeUnknown):
        refund(shop, **asked)
    assert bears(shop) is (number == 1 and did)
    shop.before = shop.after = nothing
    refund(shop, **asked)
    assert bears(shop) is True
    assert sum(paid_back(shop)) == (Decimal("54.38") if asked else Decimal("93.001025"))


def test_the_other_half_that_somebody_else_paid_back_is_named(shop: Shop) -> None:
    shop.pay(50, 43.001025)
    shop.before = once(cut_off, "pay_1/refund")
    with pytest.raises(OutcomeUnknown):
        refund(shop)
    shop.payments[1]["refunds"] = [{"id": "ref_0", "amount": 43}]
    with pytest.raises(RequestRefused, match=r"43.001025 USD are more than the 0.001025"):
        refund(shop)


# Stock


@pytest.mark.parametrize(
    ("kind", "quantity", "shown"),
    [
        (AdjustmentType.INCREASE, 5, 984),
        (AdjustmentType.DECREASE, 9, 970),
        (AdjustmentType.DECREASE, 979, 0),
        (AdjustmentType.EXACT, 12, 12),
        (AdjustmentType.EXACT, 0, 0),
    ],
)
def test_stock_rises_falls_or_is_set(shop: Shop, kind: AdjustmentType, quantity: int, shown: int) -> None:
    """21 of 1000 are reserved at the first location, and are no part of what records show."""
    variant = reserved(shop)
    adjust(shop, variant, kind, quantity, NORTH)
    assert shop.stock(variant) == {NORTH: shown, SOUTH: 2000}
    assert written(shop, f"location-levels/{NORTH}") == [{"stocked_quantity": shown + 21}]


def reserved(shop: Shop) -> str:
    """A variant of which 21 are reserved."""
    for product in shop.products:
        for variant in product["variants"]:
            level = levels(variant)[0]
            if level["reserved_quantity"] == 21:
                return str(variant["id"])
    raise AssertionError("no such variant")


def levels(variant: Any) -> list[Any]:
    found: list[Any] = variant["inventory_items"][0]["inventory"]["location_levels"]
    return sorted(found, key=lambda level: str(level["location_id"] != NORTH))


def test_a_location_where_it_was_not_kept_yet(shop: Shop) -> None:
    variant = reserved(shop)
    adjust(shop, variant, AdjustmentType.INCREASE, 4, "sloc_new")
    assert shop.stock(variant) == {NORTH: 979, SOUTH: 2000, "sloc_new": 4}
    with pytest.raises(RequestRefused, match="Stock locations with ids: sloc_gone was not found") as said:
        adjust(shop, variant, AdjustmentType.EXACT, 4, "sloc_gone")
    assert said.value.status == 404


def test_the_only_location_need_not_be_named(shop: Shop) -> None:
    variant = shop.variant("mug-s")
    link = variant["inventory_items"][0]["inventory"]
    link["location_levels"] = [level for level in link["location_levels"] if level["location_id"] == SOUTH]
    adjust(shop, variant["id"], AdjustmentType.EXACT, 3)
    assert shop.stock(variant["id"]) == {SOUTH: 3}


def test_a_variant_that_consists_of_two_of_an_item_counts_in_pairs(shop: Shop) -> None:
    variant = shop.variant("mug-s")
    variant["inventory_items"][0]["required_quantity"] = 2
    adjust(shop, variant["id"], AdjustmentType.EXACT, 30, SOUTH)
    adjust(shop, variant["id"], AdjustmentType.DECREASE, 1, SOUTH)
    assert written(shop, f"location-levels/{SOUTH}") == [{"stocked_quantity": 60}, {"stocked_quantity": 58}]
    assert shop.stock(variant["id"])[SOUTH] == 29


def test_oversold_stock_is_raised(shop: Shop) -> None:
    variant = shop.variant("mug-s")
    level = levels(variant)[0]
    level |= {"stocked_quantity": 2, "reserved_quantity": 5, "available_quantity": -3}
    adjust(shop, variant["id"], AdjustmentType.INCREASE, 2, NORTH)
    assert shop.stock(variant["id"])[NORTH] == -1


def kit(variant: Any) -> None:
    variant["inventory_items"] *= 2


def unmanaged(variant: Any) -> None:
    variant["manage_inventory"] = False


@pytest.mark.parametrize(
    ("change", "quantity", "warehouse", "message"),
    [
        (kit, 1, NORTH, "product_id: .* is a kit of 2 inventory items"),
        (unmanaged, 1, NORTH, "product_id: Medusa keeps no stock of .* Turn on"),
        (None, 1, None, f"warehouse_id: needed.* {NORTH}"),
        (None, 5000, NORTH, r"quantity: only \d+ of .* can be sold"),
        (None, 1, "sloc_new", "quantity: only 0 of"),
    ],
)
def test_an_adjustment_that_makes_no_sense_is_refused_before_anything_is_sent(
    shop: Shop, change: Callable[[Any], None] | None, quantity: int, warehouse: str | None, message: str
) -> None:
    variant = shop.variant("mug-s")
    if change:
        change(variant)
    with pytest.raises(RequestRefused, match=message) as said:
        adjust(shop, variant["id"], AdjustmentType.DECREASE, quantity, warehouse)
    assert said.value.status == 422
    assert shop.written == []


def test_a_product_has_no_stock_but_its_variants_do(shop: Shop) -> None:
    variant = shop.variant("mug-s")
    adjustment = InventoryAdjustment(product_id=variant["product_id"], quantity=1, adjustment_type=AdjustmentType.EXACT)
    product = shop.raw_product(variant["id"])
    with pytest.raises(RequestRefused, match=f"product_id: .*variants.*{variant['id']}") as said:
        _run(shop, lambda connector: connector.adjust_inventory(product, adjustment, REFERENCE))
    assert said.value.status == 422


@pytest.mark.parametrize(("did", "shown"), [(True, 984), (False, 979)])
def test_an_adjustment_cut_off_is_told_by_the_level(shop: Shop, did: bool, shown: int) -> None:
    variant = reserved(shop)
    setattr(shop, "after" if did else "before", once(cut_off))
    with pytest.raises(OutcomeUnknown):
        adjust(shop, variant, AdjustmentType.INCREASE, 5, NORTH)
    assert shop.stock(variant)[NORTH] == shown
    assert len(shop.asked) == 1
    assert MedusaConnector.bears(shop.raw_product(variant), REFERENCE) is None
