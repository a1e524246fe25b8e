"""Orders and listings in the shapes of Amazon's models; `test_vendor_models.py` validates what is built here against them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

PLACED = datetime(2026, 6, 1, 12, tzinfo=UTC)
US, DE, JP = "ATVPDKIKX0DER", "A1PA6795UKMFR9", "A1VC38T7YXB528"
NAMES = {US: "Amazon.com", DE: "Amazon.de", JP: "Amazon.co.jp"}


def text(moment: datetime) -> str:
    """A date as Amazon writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def money(amount: str, currency: str = "USD") -> dict[str, str]:
    """An amount of money."""
    return {"amount": amount, "currencyCode": currency}


def breakdown(type: str, amount: str, currency: str = "USD", **details: str) -> dict[str, Any]:
    """A part of what is paid; ``details`` are its parts by subtype."""
    made: dict[str, Any] = {"type": type, "subtotal": money(amount, currency)}
    if details:
        made["detailedBreakdowns"] = [
            {"subtype": subtype, "value": money(value, currency)} for subtype, value in details.items()
        ]
    return made


def proceeds(total: str, *parts: dict[str, Any], currency: str = "USD") -> dict[str, Any]:
    """The proceeds of an item."""
    return {"proceedsTotal": money(total, currency), "breakdowns": list(parts)}


def item(id: str = "11", quantity: int = 1, sku: str | None = "MUG-1", **fields: Any) -> dict[str, Any]:
    """An item of an order, without prices unless they are given."""
    product = {"asin": "B000000001", "title": "Mug"} | ({"sellerSku": sku} if sku else {})
    return {"orderItemId": id, "quantityOrdered": quantity, "product": product} | fields


def priced(id: str, quantity: int, unit: str, currency: str = "USD", sku: str = "MUG-1") -> dict[str, Any]:
    """An item that costs ``unit`` each, without tax."""
    total = str(Decimal(unit) * quantity)
    made = item(id, quantity, sku, proceeds=proceeds(total, breakdown("ITEM", total, currency), currency=currency))
    made["product"]["price"] = {"unitPrice": money(unit, currency)}
    return made


def order(
    id: str = "111-0000001-0000001",
    status: str = "UNSHIPPED",
    *,
    created: datetime = PLACED,
    updated: datetime | None = None,
    marketplace: str = US,
    items: list[dict[str, Any]] | None = None,
    total: str | None = "13.49",
    currency: str = "USD",
    fulfilled_by: str = "MERCHANT",
    **fields: Any,
) -> dict[str, Any]:
    """An order; ``total`` null for one that is pending."""
    made: dict[str, Any] = {
        "orderId": id,
        "createdTime": text(created),
        "lastUpdatedTime": text(updated or created),
        "salesChannel": {
            "channelName": "AMAZON",
            "marketplaceId": marketplace,
            "marketplaceName": NAMES.get(marketplace, "Amazon"),
        },
        "fulfillment": {
            "fulfillmentStatus": status,
            "fulfilledBy": fulfilled_by,
            "fulfillmentServiceLevel": "STANDARD",
            "shipByWindow": {
                "earliestDateTime": text(created + timedelta(hours=12)),
                "latestDateTime": text(created + timedelta(days=2)),
            },
        },
        "orderItems": items if items is not None else [priced("11", 1, "13.49")],
    }
    if total is not None:
        made["proceeds"] = {"grandTotal": money(total, currency)}
    return made | fields


def buyer() -> dict[str, Any]:
    """Who bought."""
    return {"buyerName": "Zoë Example", "buyerEmail": "x1y2z3@marketplace.amazon.com"}


def recipient() -> dict[str, Any]:
    """To whom it goes."""
    address = {
        "name": "Zoë Example",
        "addressLine1": "1 Main Street",
        "addressLine2": "",
        "city": "Springfield",
        "stateOrRegion": "IL",
        "postalCode": "62701",
        "countryCode": "US",
        "phone": "+1 217 555 0100",
        "addressType": "RESIDENTIAL",
    }
    return {"deliveryAddress": address}


def package(id: str, status: str, *items: tuple[str, int]) -> dict[str, Any]:
    """A parcel of the merchant's."""
    return {
        "packageReferenceId": id,
        "createdTime": text(PLACED + timedelta(days=1)),
        "packageStatus": {"status": status, "detailedStatus": "IN_TRANSIT"},
        "carrier": "UPS",
        "shipTime": text(PLACED + timedelta(days=1, hours=2)),
        "shippingService": "UPS Ground",
        "trackingNumber": f"1Z{id}",
        "shipFromAddress": {
            "name": "Warehouse East",
            "addressLine1": "9 Dock Road",
            "city": "Newark",
            "stateOrRegion": "NJ",
            "postalCode": "07101",
            "countryCode": "US",
        },
        "packageItems": [{"orderItemId": each, "quantity": quantity} for each, quantity in items],
    }


def taxed() -> dict[str, Any]:
    """An item on which everything is charged, with tax added: 3 for 29.97, shipped, wrapped, discounted."""
    parts = (
        breakdown("ITEM", "29.97"),
        breakdown("SHIPPING", "4.99"),
        breakdown("GIFT_WRAP", "2.50"),
        breakdown("DISCOUNT", "-7.99", ITEM="-3.00", SHIPPING="-4.99"),
        breakdown("TAX", "2.60", ITEM="2.70", SHIPPING="0.00", GIFT_WRAP="0.20", DISCOUNT="-0.30"),
    )
    extras: dict[str, Any] = {
        "promotion": {"breakdowns": [{"promotionId": "SUMMER-2026"}]},
        "fulfillment": {
            "quantityFulfilled": 0,
            "quantityUnfulfilled": 3,
            "packing": {"giftOption": {"giftMessage": "¡Feliz día! 🎁", "giftWrapLevel": "STANDARD"}},
        },
        "tax": {"taxCollections": [{"model": "MARKETPLACE_FACILITATOR", "responsibleParty": "Amazon Services, Inc."}]},
    }
    return item("21", 3, "MUG-3", proceeds=proceeds("32.07", *parts), **extras)


def tax_included() -> dict[str, Any]:
    """An item as in Germany: 2 for 23.80 with 3.80 tax in it, shipping 5.95 with 0.95 in it, and 2.38 off."""
    parts = (
        breakdown("ITEM", "23.80", "EUR"),
        breakdown("SHIPPING", "5.95", "EUR"),
        breakdown("DISCOUNT", "2.38", "EUR", ITEM="2.38"),
        breakdown("TAX", "4.37", "EUR", ITEM="3.80", SHIPPING="0.95", DISCOUNT="-0.38"),
    )
    return item("31", 2, "TASSE-2", proceeds=proceeds("27.37", *parts, currency="EUR"))


def points() -> dict[str, Any]:
    """An item of Japan, in a currency without decimals, which grants points."""
    granted = {"pointsNumber": 60, "pointsMonetaryValue": money("60", "JPY")}
    return priced("41", 2, "5980", "JPY", "コップ-1") | {"expense": {"pointsCost": {"pointsGranted": granted}}}


def listing(
    sku: str = "MUG-1",
    *,
    created: datetime = PLACED,
    updated: datetime | None = None,
    parent: str | None = None,
    children: list[str] | None = None,
    quantity: int | None = 5,
    status: list[str] | None = None,
    marketplace: str = US,
) -> dict[str, Any]:
    """A listing with a price and, unless it is null, a stock of the merchant's."""
    summary = {
        "marketplaceId": marketplace,
        "asin": "B000000001",
        "productType": "DRINKING_CUP",
        "conditionType": "new_new",
        "status": ["BUYABLE", "DISCOVERABLE"] if status is None else status,
        "fnSku": "X000000001",
        "itemName": f"Mug {sku}",
        "createdDate": text(created),
        "lastUpdatedDate": text(updated or created),
        "mainImage": {"link": "https://images.example.com/mug.jpg", "height": 500, "width": 500},
    }
    made: dict[str, Any] = {
        "sku": sku,
        "summaries": [summary],
        "offers": [
            {
                "marketplaceId": marketplace,
                "offerType": "B2C",
                "price": {"currencyCode": "USD", "amount": "13.49"},
            }
        ],
        "fulfillmentAvailability": [
            {"fulfillmentChannelCode": "DEFAULT"} | ({} if quantity is None else {"quantity": quantity})
        ],
        "relationships": [{"marketplaceId": marketplace, "relationships": []}],
    }
    related: dict[str, Any] = {"type": "VARIATION"}
    related |= ({"parentSkus": [parent]} if parent else {}) | ({"childSkus": children} if children else {})
    if parent or children:
        made["relationships"][0]["relationships"] = [related]
    return made
