"""What is written to Amazon: confirmations of shipments (Orders API v0), and levels of stock (Listings Items API).

Pure functions, from the record as Amazon shows it and a unified write to the body of a request. What makes no sense for the record
is refused here, before anything is sent.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from unicart.connectors.amazon import payloads
from unicart.connectors.amazon.errors import CONFLICT
from unicart.connectors.kit import fingerprint, format_utc, refusal
from unicart.contract.writes import AdjustmentType, InventoryAdjustment, NewShipment

LAST_PACKAGE = 999_999_999
"""Amazon documents no upper bound for numbers of packages; what fits into 32 bits is surely taken."""
CARRIERS = (
    "4PX",
    "Aramex",
    "Australia Post",
    "BlueDart",
    "Canada Post",
    "China Post",
    "City Link",
    "Couriers Please",
    "Delhivery",
    "DHL",
    "DHL eCommerce",
    "DHL Global Mail",
    "DTDC",
    "Fastway",
    "FedEx",
    "FedEx SmartPost",
    "First Flight",
    "GLS",
    "GO!",
    "Hermes Logistik Gruppe",
    "India Post",
    "Lasership",
    "Newgistics",
    "NipponExpress",
    "OnTrac",
    "OSM",
    "Parcelforce",
    "Royal Mail",
    "SagawaExpress",
    "Sendle",
    "SF Express",
    "Singapore Post",
    "Streamlite",
    "Target",
    "TNT",
    "UPS",
    "UPS Mail Innovations",
    "UPSMI",
    "USPS",
    "YamatoTransport",
    "Yanwen",
    "Yun Express",
)
"""Codes of carriers as Amazon spells them; others are `OTHER`, with their name."""
OTHER = "Other"
COD_METHODS = ("DirectPayment",)
SHIP_PLUS = "FBM_SHIP_PLUS"
CLOSED = {
    "PENDING_AVAILABILITY": "it is a pre-order whose item is not released. Confirm the shipment when its status is confirmed",
    "PENDING": "its payment is not authorized. Confirm the shipment when its status is confirmed",
    "CANCELLED": "it is cancelled",
    "UNFULFILLABLE": "Amazon cannot fulfil it",
}
"""By the status of an order: why nothing of it can be shipped."""

MERCHANT_CHANNEL = "DEFAULT"
AMAZON_CHANNELS = "AMAZON_"
"""How the codes of the channels begin that Amazon ships from itself: AMAZON_NA, AMAZON_EU and so on."""
ANY_PRODUCT_TYPE = "PRODUCT"
STOCK = "/attributes/fulfillment_availability"


class _Shipped(payloads.Record):
    packages: list[payloads.Package] | None = None


class Shippable(msgspec.Struct, frozen=True):
    """An order that is to be shipped: ``left`` are the units of each item that Amazon shows as not shipped."""

    order_id: str
    marketplace: str
    left: dict[str, int]


class Level(msgspec.Struct, frozen=True):
    """A level of stock to be set, at one of a listing's channels; ``before`` is what Amazon shows there."""

    sku: str
    channel: str
    before: int | None
    after: int
    marketplace: str
    product_type: str


_orders = msgspec.json.Decoder(payloads.Order)
_listings = msgspec.json.Decoder(payloads.Listing)
_shipped = msgspec.json.Decoder(_Shipped)


def package_number(reference: str) -> str:
    """The seller's number of the package that the write of ``reference`` confirms; Amazon takes digits only."""
    return str(int(fingerprint(reference), 16) % LAST_PACKAGE + 1)


def shows_package(raw: bytes, reference: str, tracking_number: str | None = None) -> bool:
    """Whether an order has the package of ``reference``, or one with that tracking number."""
    number = package_number(reference)
    known = _shipped.decode(raw).packages or []
    return any(
        each.package_reference_id == number or (tracking_number is not None and each.tracking_number == tracking_number)
        for each in known
    )


def shippable(raw: bytes) -> Shippable:
    """What a raw order has left to be shipped.

    Raises:
        RequestRefused: its shipments are not the seller's to confirm, or not now.
    """
    order = _orders.decode(raw)
    left = {item.order_item_id: _left(item) for item in order.order_items}
    return Shippable(order.order_id, _marketplace(order), left)


def units(shipment: NewShipment, left: Mapping[str, int]) -> dict[str, int]:
    """How many units of which items to ship.

    Raises:
        RequestRefused: not so many are left.
    """
    if not shipment.line_items:
        rest = {id: count for id, count in left.items() if count > 0}
        if not rest:
            raise refusal(
                "line_items: everything of this order is shipped, or was confirmed in the last minutes. "
                "Read the order again before you ship more."
            )
        return rest
    wanted: dict[str, int] = {}
    for number, line in enumerate(shipment.line_items):
        id = line.line_item_id
        wanted[id] = wanted.get(id, 0) + line.quantity
        if wanted[id] > left.get(id, 0):
            raise refusal(
                f"line_items.{number}.quantity: of line item {id}, {left.get(id, 0)} are still to be shipped, "
                f"and not {wanted[id]}. Ship at most these."
            )
    return wanted


def confirmation(
    marketplace: str, shipment: NewShipment, units: Mapping[str, int], number: str, now: datetime
) -> dict[str, Any]:
    """The body of `confirmShipment`, for a package of these ``units``."""
    codes = _transparency_codes(shipment, units)
    package: dict[str, Any] = {
        "packageReferenceId": number,
        **_carrier(shipment),
        "shippingMethod": shipment.shipping_method_name,
        "trackingNumber": shipment.tracking_number,
        "shipDate": format_utc(shipment.shipped_date or now, "seconds"),
        "shipFromSupplySourceId": shipment.warehouse_id,
        "orderItems": [
            {"orderItemId": id, "quantity": quantity} | ({"transparencyCodes": codes[id]} if id in codes else {})
            for id, quantity in units.items()
        ],
    }
    body = {
        "marketplaceId": marketplace,
        "codCollectionMethod": shipment.specific.get("cod_collection_method"),
        "packageDetail": _known(package),
    }
    return _known(body)


def level(raw: bytes, adjustment: InventoryAdjustment) -> Level:
    """The level that an adjustment of a raw listing's stock comes to.

    Raises:
        RequestRefused: the listing has no stock of the merchant's there, or less than is to be taken away.
    """
    listing = _listings.decode(raw)
    if _children(listing):
        raise refusal(
            f"product_id: {listing.sku} is the parent of a variation and has no stock of its own. "
            "Adjust one of its variants."
        )
    stock = {each.fulfillment_channel_code: each.quantity for each in listing.fulfillment_availability or []}
    channel = _channel(stock, adjustment)
    before, summary = stock.get(channel), listing.summaries[0]
    if before is None and adjustment.adjustment_type is not AdjustmentType.EXACT:
        raise refusal(
            f"adjustment_type: Amazon tells no stock of {listing.sku} at {channel} that could rise or fall. "
            "Set it with the adjustment type exact."
        )
    after = adjustment.target(before or 0)
    if after < 0:
        raise refusal(f"quantity: Amazon shows a stock of {before} only. Take away less, or set it exactly.")
    product_type = summary.product_type or ANY_PRODUCT_TYPE
    return Level(listing.sku, channel, before, after, summary.marketplace_id, product_type)


def stock_patch(level: Level) -> dict[str, Any]:
    """The body of `patchListingsItem`; merged, so that handling times and dates of restocking stay as they are."""
    value = {"fulfillment_channel_code": level.channel, "quantity": level.after}
    return {
        "productType": level.product_type,
        "patches": [{"op": "merge", "path": STOCK, "value": [value]}],
    }


def check_shown(level: Level, last: int) -> None:
    """Refuse to change a level that Amazon shows as it was before our last change: that one would be lost.

    Raises:
        RequestRefused: telling when it can be repeated.
    """
    if level.before != last:
        raise refusal(
            f"Amazon does not show yet that the stock of {level.sku} was set to {last}; it shows {level.before}. "
            "Repeat this in some minutes, or set the stock with the adjustment type exact.",
            CONFLICT,
        )


def shows_level(raw: bytes, level: Level) -> bool:
    """Whether a listing shows that level."""
    stock = _listings.decode(raw).fulfillment_availability or []
    return any(each.fulfillment_channel_code == level.channel and each.quantity == level.after for each in stock)


def _marketplace(order: payloads.Order) -> str:
    """The order's marketplace, if the merchant may confirm its shipments."""
    fulfillment, marketplace = order.fulfillment, order.sales_channel.marketplace_id
    status = fulfillment.fulfillment_status if fulfillment else ""
    if fulfillment and fulfillment.fulfilled_by == "AMAZON":
        raise refusal("Amazon ships this order itself (FBA); there is nothing to confirm.")
    if SHIP_PLUS in (order.programs or []):
        raise refusal("Amazon confirms the shipments of this order itself (Ship+); there is nothing to confirm.")
    if status in CLOSED:
        raise refusal(f"Nothing of this order can be shipped: {CLOSED[status]}.")
    if marketplace is None:
        raise refusal("This order was not placed on an Amazon marketplace; Amazon takes no shipments of it.")
    return marketplace


def _left(item: payloads.OrderItem) -> int:
    fulfillment = item.fulfillment or payloads.ItemFulfillment()
    if fulfillment.quantity_unfulfilled is not None:
        return fulfillment.quantity_unfulfilled
    return item.quantity_ordered - (fulfillment.quantity_fulfilled or 0)


def _carrier(shipment: NewShipment) -> dict[str, str | None]:
    """Code and name: the code that is given, else that of the name, in Amazon's spelling."""
    name = shipment.carrier_name or ""
    known = next((code for code in CARRIERS if code.casefold() == name.casefold()), OTHER)
    return {"carrierCode": shipment.carrier_id or known, "carrierName": name}


def _transparency_codes(shipment: NewShipment, lines: Mapping[str, int]) -> dict[str, list[str]]:
    codes: dict[str, list[str]] = {}
    for number, given in enumerate(shipment.specific.get("transparency_codes", [])):
        id = given["line_item_id"]
        if id not in lines:
            raise refusal(f"transparency_codes.{number}.line_item_id: line item {id} is not in this shipment.")
        codes.setdefault(id, []).append(given["code"])
    return codes


def _children(listing: payloads.Listing) -> list[str]:
    related = [
        each for outer in listing.relationships or [] for each in outer.relationships if each.type == "VARIATION"
    ]
    return [sku for each in related for sku in each.child_skus or []]


def _channel(stock: Mapping[str, int | None], adjustment: InventoryAdjustment) -> str:
    """The channel to adjust: the one that is named, else the only one of the merchant's."""
    own = [code for code in stock if not code.startswith(AMAZON_CHANNELS)]
    wanted = adjustment.warehouse_id
    if (stock and not own) or (wanted and wanted.startswith(AMAZON_CHANNELS)):
        raise refusal(
            f"product_id: Amazon keeps the stock of {adjustment.product_id} itself (FBA). It changes by what is sent to Amazon."
        )
    if wanted is None and len(own) > 1:
        raise refusal(f"warehouse_id: the listing has stock at {', '.join(own)}. Name one of them.")
    return wanted or next(iter(own), MERCHANT_CHANNEL)


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
