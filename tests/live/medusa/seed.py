"""Fill a fresh Medusa with a small real shop, through its own Admin API and workflows.

Orders are drafts that are converted, then paid, fulfilled, shipped, delivered, returned, refunded, edited and cancelled.
"""

from dataclasses import dataclass, field
from typing import Any

from live.medusa.platform import Medusa

PROVIDER = "manual_manual"
SYSTEM_PAYMENT = "pp_system_default"
ADDRESS = {
    "first_name": "Zoë",
    "last_name": "Müller-Łukasz",
    "company": "Ünïcode & Søns",
    "address_1": "Straße des 17. Juni 135",
    "address_2": "Hinterhof 🏠",
    "city": "Köln",
    "postal_code": "50667",
    "province": "NW",
    "country_code": "de",
    "phone": "+49 221 1234",
}
US_ADDRESS = {**ADDRESS, "first_name": "John", "last_name": "Doe", "company": "", "city": "New York", "province": "us-ny",
              "postal_code": "10001", "country_code": "us"}  # fmt: skip
JP_ADDRESS = {**ADDRESS, "first_name": "太郎", "last_name": "山田", "company": "", "city": "東京", "province": "",
              "postal_code": "100-0001", "country_code": "jp"}  # fmt: skip


@dataclass
class Shop:
    """What the seed made: ids by name."""

    medusa: Medusa
    regions: dict[str, str] = field(default_factory=dict)
    locations: list[str] = field(default_factory=list)
    variants: dict[str, str] = field(default_factory=dict)
    products: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    channel: str = ""
    orders: dict[str, str] = field(default_factory=dict)

    def order(self, name: str) -> Any:
        """The order called ``name`` as Medusa's retrieve route gives it, its lines sorted by SKU."""
        order = self.medusa.get(f"/admin/orders/{self.orders[name]}", fields=ORDER_FIELDS)["order"]
        order["items"].sort(key=lambda line: line["variant_sku"] or "")
        return order


ORDER_FIELDS = (
    "*items,*items.detail,*items.variant,*shipping_methods,*shipping_address,*billing_address,*fulfillments,"
    "*fulfillments.items,*fulfillments.labels,*payment_collections,*payment_collections.payments,"
    "*payment_collections.payments.refunds,*returns,*returns.items,+total,+tax_total,+discount_total,+shipping_total,"
    "+item_total,+currency_code,+email,+payment_status,+fulfillment_status,+region_id,+canceled_at"
)


def seed(medusa: Medusa) -> Shop:
    """Make the shop."""
    shop = seed_catalog(medusa)
    _make_promotions(shop)
    _make_orders(shop)
    return shop


def seed_catalog(medusa: Medusa) -> Shop:
    """Make the shop without orders."""
    shop = Shop(medusa)
    _make_settings(shop)
    _make_catalog(shop)
    return shop


def _make_settings(shop: Shop) -> None:
    medusa = shop.medusa
    shop.channel = medusa.post("/admin/sales-channels", {"name": "Web"})["sales_channel"]["id"]
    store = medusa.get("/admin/stores")["stores"][0]
    currencies = [{"currency_code": code, "is_default": code == "usd"} for code in ("usd", "eur", "jpy")]
    medusa.post(f"/admin/stores/{store['id']}", {"supported_currencies": currencies})
    for name, currency, country, inclusive in (
        ("us", "usd", "us", False),
        ("eu", "eur", "de", True),
        ("jp", "jpy", "jp", False),
    ):
        region = {
            "name": name,
            "currency_code": currency,
            "countries": [country],
            "payment_providers": [SYSTEM_PAYMENT],
            "is_tax_inclusive": inclusive,
        }
        shop.regions[name] = medusa.post("/admin/regions", region)["region"]["id"]
    for country, rate in (("us", 8.875), ("de", 19), ("jp", 10)):
        tax = {
            "country_code": country,
            "provider_id": "tp_system",
            "default_tax_rate": {"rate": rate, "code": country, "name": country},
        }
        medusa.post("/admin/tax-regions", tax)
    for name in ("North", "Süd"):
        address = {"address_1": f"{name} 1", "city": "Köln", "country_code": "de", "postal_code": "50667"}
        location = medusa.post("/admin/stock-locations", {"name": name, "address": address})["stock_location"]["id"]
        shop.locations.append(location)
        medusa.post(f"/admin/stock-locations/{location}/fulfillment-providers", {"add": [PROVIDER]})
        medusa.post(f"/admin/stock-locations/{location}/sales-channels", {"add": [shop.channel]})
        fulfilment_set = medusa.post(
            f"/admin/stock-locations/{location}/fulfillment-sets?fields=*fulfillment_sets",
            {"name": f"{name} delivery", "type": "shipping"},
        )["stock_location"]["fulfillment_sets"][0]["id"]
        zones = [{"type": "country", "country_code": code} for code in ("us", "de", "jp")]
        zone = medusa.post(
            f"/admin/fulfillment-sets/{fulfilment_set}/service-zones?fields=*service_zones",
            {"name": f"{name} world", "geo_zones": zones},
        )["fulfillment_set"]["service_zones"][0]["id"]
        _make_shipping_options(shop, name, zone)


def _make_shipping_options(shop: Shop, location: str, zone: str) -> None:
    profile = shop.medusa.get("/admin/shipping-profiles")["shipping_profiles"]
    found = profile or [
        shop.medusa.post("/admin/shipping-profiles", {"name": "Default", "type": "default"})["shipping_profile"]
    ]
    for name, amount in (("Standard", 5), ("Express", 12.5)):
        option = {
            "name": f"{name} {location}",
            "service_zone_id": zone,
            "shipping_profile_id": found[0]["id"],
            "provider_id": PROVIDER,
            "price_type": "flat",
            "type": {"label": name, "description": name, "code": f"{name}-{location}".lower()},
            "prices": [{"currency_code": code, "amount": amount} for code in ("usd", "eur", "jpy")],
        }
        made = shop.medusa.post("/admin/shipping-options", option)["shipping_option"]
        shop.options[f"{name} {location}"] = made["id"]


def _make_catalog(shop: Shop) -> None:
    medusa = shop.medusa
    profile = medusa.get("/admin/shipping-profiles")["shipping_profiles"][0]["id"]
    for title, price in (("Mug", 9.99), ("T-shirt ✨", 19.95), ("Poster", 3.33)):
        slug = title.split()[0].lower()
        product = medusa.post(
            "/admin/products?fields=*variants,*variants.inventory_items",
            {
                "title": title,
                "status": "published",
                "shipping_profile_id": profile,
                "sales_channels": [{"id": shop.channel}],
                "options": [{"title": "Size", "values": ["S", "L"]}],
                "variants": [
                    {
                        "title": f"{title} {size}",
                        "sku": f"{slug}-{size.lower()}",
                        "manage_inventory": True,
                        "options": {"Size": size},
                        "weight": 250,
                        "prices": [
                            {"currency_code": "usd", "amount": price},
                            {"currency_code": "eur", "amount": price},
                            {"currency_code": "jpy", "amount": round(price * 100)},
                        ],
                    }
                    for size in ("S", "L")
                ],
            },
        )["product"]
        shop.products[slug] = product["id"]
        for variant in product["variants"]:
            shop.variants[variant["sku"]] = variant["id"]
            item = variant["inventory_items"][0]["inventory_item_id"]
            for number, location in enumerate(shop.locations):
                level = {"location_id": location, "stocked_quantity": 1000 * (number + 1)}
                medusa.post(f"/admin/inventory-items/{item}/location-levels", level)


def _include_tax(shop: Shop) -> None:
    """Make prices in euros include tax; only carts obey it, not drafts."""
    for preference in shop.medusa.get("/admin/price-preferences", limit=100)["price_preferences"]:
        if preference["value"] == "eur":
            shop.medusa.post(f"/admin/price-preferences/{preference['id']}", {"is_tax_inclusive": True})
            return
    preference = {"attribute": "currency_code", "value": "eur", "is_tax_inclusive": True}
    shop.medusa.post("/admin/price-preferences", preference)


def check_out(shop: Shop, name: str, items: dict[str, int], promotion: str) -> None:
    """Buy in the EU region as a customer does, with prices that include tax."""
    medusa = shop.medusa
    key = medusa.post("/admin/api-keys", {"title": "web", "type": "publishable"})["api_key"]
    medusa.post(f"/admin/api-keys/{key['id']}/sales-channels", {"add": [shop.channel]})
    medusa.publishable_key = key["token"]
    cart = {
        "region_id": shop.regions["eu"],
        "email": f"{name}@example.com",
        "shipping_address": ADDRESS,
        "billing_address": ADDRESS,
    }
    path = f"/store/carts/{medusa.post('/store/carts', cart)['cart']['id']}"
    for sku, quantity in items.items():
        medusa.post(f"{path}/line-items", {"variant_id": shop.variants[sku], "quantity": quantity})
    medusa.post(f"{path}/promotions", {"promo_codes": [promotion]})
    medusa.post(f"{path}/shipping-methods", {"option_id": shop.options["Express Süd"]})
    collection = medusa.post("/store/payment-collections", {"cart_id": path.rsplit("/", 1)[1]})["payment_collection"][
        "id"
    ]
    medusa.post(f"/store/payment-collections/{collection}/payment-sessions", {"provider_id": SYSTEM_PAYMENT})
    shop.orders[name] = medusa.post(f"{path}/complete")["order"]["id"]


def _make_promotions(shop: Shop) -> None:
    for code, target, allocation, value in (
        ("LINE10", "items", "each", 10),
        ("ORDER7", "order", None, 7),
        ("SHIPFREE", "shipping_methods", "across", 100),
    ):
        method: dict[str, Any] = {"type": "percentage", "target_type": target, "value": value}
        if allocation:
            method |= {"allocation": allocation} | ({"max_quantity": 100} if allocation == "each" else {})
        shop.medusa.post(
            "/admin/promotions",
            {"code": code, "type": "standard", "status": "active", "is_automatic": False, "application_method": method},
        )


def place(shop: Shop, name: str, region: str, items: list[dict[str, Any]], **more: Any) -> str:
    """Make a draft order and convert it; returns the order's id."""
    address = {"us": US_ADDRESS, "eu": ADDRESS, "jp": JP_ADDRESS}[region]
    shipping = more.pop("shipping", ["Standard North"])
    draft = {
        "region_id": shop.regions[region],
        "sales_channel_id": shop.channel,
        "email": f"{name}@example.com",
        "shipping_address": address,
        "billing_address": address,
        "items": items,
        "shipping_methods": [
            {"name": each, "shipping_option_id": shop.options[each], "amount": 5.5} for each in shipping
        ],
        **more,
    }
    draft = {key: value for key, value in draft.items() if value is not None}
    made = shop.medusa.post("/admin/draft-orders", draft)["draft_order"]["id"]
    shop.medusa.post(f"/admin/draft-orders/{made}/convert-to-order")
    shop.orders[name] = made
    return str(made)


def item(shop: Shop, sku: str, quantity: int, **more: Any) -> dict[str, Any]:
    """A line of a draft order."""
    return {"variant_id": shop.variants[sku], "quantity": quantity, **more}


def pay(shop: Shop, name: str) -> None:
    """Mark the order's outstanding amount as paid."""
    order = shop.medusa.get(f"/admin/orders/{shop.orders[name]}", fields="*summary,*payment_collections")["order"]
    due = order["summary"]["pending_difference"]
    collection = next((each for each in order["payment_collections"] if each["status"] == "not_paid"), None)
    if collection is None:
        collection = shop.medusa.post("/admin/payment-collections", {"order_id": shop.orders[name], "amount": due})[
            "payment_collection"
        ]
    shop.medusa.post(f"/admin/payment-collections/{collection['id']}/mark-as-paid", {"order_id": shop.orders[name]})


def fulfil(shop: Shop, name: str, quantities: dict[int, int] | None = None) -> str:
    """Fulfil lines (by index → quantity; all without) and return the fulfilment's id."""
    order = shop.order(name)
    chosen = quantities or {number: line["quantity"] for number, line in enumerate(order["items"])}
    lines = [{"id": order["items"][number]["id"], "quantity": quantity} for number, quantity in chosen.items()]
    known = {each["id"] for each in order["fulfillments"]}
    reserved = shop.medusa.get("/admin/reservations", **{"line_item_id[]": lines[0]["id"]})["reservations"]
    location = reserved[0]["location_id"] if reserved else shop.locations[0]
    shop.medusa.post(f"/admin/orders/{order['id']}/fulfillments", {"items": lines, "location_id": location})
    return next(str(each["id"]) for each in shop.order(name)["fulfillments"] if each["id"] not in known)


def ship(shop: Shop, name: str, fulfilment: str, tracking: str | None = None) -> None:
    """Ship a fulfilment."""
    found = next(each for each in shop.order(name)["fulfillments"] if each["id"] == fulfilment)
    lines = [{"id": line["line_item_id"], "quantity": line["quantity"]} for line in found["items"]]
    labels = [
        {
            "tracking_number": tracking,
            "tracking_url": f"https://track.example/{tracking}",
            "label_url": "https://label.example/1",
        }
    ]
    body = {"items": lines, **({"labels": labels} if tracking else {})}
    shop.medusa.post(f"/admin/orders/{shop.orders[name]}/fulfillments/{fulfilment}/shipments", body)


def deliver(shop: Shop, name: str, fulfilment: str) -> None:
    """Mark a fulfilment as delivered."""
    shop.medusa.post(f"/admin/orders/{shop.orders[name]}/fulfillments/{fulfilment}/mark-as-delivered")


def refund(shop: Shop, name: str, amount: float, note: str = "") -> None:
    """Refund part of the first payment."""
    payment = shop.order(name)["payment_collections"][0]["payments"][0]
    shop.medusa.post(f"/admin/payments/{payment['id']}/refund", {"amount": amount, "note": note})


def cancel(shop: Shop, name: str) -> None:
    """Cancel the order."""
    shop.medusa.post(f"/admin/orders/{shop.orders[name]}/cancel")


def return_items(shop: Shop, name: str, quantity: int) -> None:
    """Have some of the first line sent back, and receive it."""
    medusa, order = shop.medusa, shop.order(name)
    line = order["items"][0]["id"]
    made = medusa.post("/admin/returns", {"order_id": order["id"], "location_id": shop.locations[0]})["return"]["id"]
    medusa.post(f"/admin/returns/{made}/request-items", {"items": [{"id": line, "quantity": quantity}]})
    medusa.post(f"/admin/returns/{made}/request")
    medusa.post(f"/admin/returns/{made}/receive", {})
    medusa.post(f"/admin/returns/{made}/receive-items", {"items": [{"id": line, "quantity": quantity}]})
    medusa.post(f"/admin/returns/{made}/receive/confirm", {})


def edit(shop: Shop, name: str, sku: str, quantity: int) -> None:
    """Add a line to an order that was placed."""
    medusa, id = shop.medusa, shop.orders[name]
    medusa.post("/admin/order-edits", {"order_id": id})
    medusa.post(f"/admin/order-edits/{id}/items", {"items": [item(shop, sku, quantity)]})
    medusa.post(f"/admin/order-edits/{id}/request", {})
    medusa.post(f"/admin/order-edits/{id}/confirm", {})


def _make_orders(shop: Shop) -> None:
    two = [item(shop, "mug-s", 2), item(shop, "t-shirt-l", 1)]
    three = [item(shop, "poster-s", 3), item(shop, "mug-l", 7)]
    for region in ("us", "eu", "jp"):
        place(shop, f"unpaid {region}".replace(" ", "-"), region, two)
        name = f"paid-{region}"
        place(shop, name, region, three)
        pay(shop, name)
        for promotion in ("LINE10", "ORDER7", "SHIPFREE"):
            place(shop, f"{promotion.lower()}-{region}", region, three, promo_codes=[promotion])
    place(shop, "both-promotions", "eu", [*two, item(shop, "poster-l", 3)], promo_codes=["LINE10", "ORDER7"])
    place(shop, "custom-item", "us", [{"title": "Engraving", "unit_price": 12.345, "quantity": 3}, *two])
    place(shop, "no-address", "us", two, shipping_address=None, billing_address=None)
    place(shop, "no-billing", "eu", two, billing_address=None)
    place(shop, "two-methods", "us", two, shipping=["Standard North", "Express Süd"])
    place(shop, "no-shipping", "us", two, shipping=[])
    place(shop, "free", "us", [item(shop, "mug-s", 1, unit_price=0)], shipping=[])
    _include_tax(shop)
    check_out(shop, "tax-included", {"poster-s": 3, "mug-l": 7}, "LINE10")
    _make_fulfilled(shop, two, three)
    _make_undone(shop, two, three)


def _make_fulfilled(shop: Shop, two: list[dict[str, Any]], three: list[dict[str, Any]]) -> None:
    for name in ("partly-fulfilled", "fulfilled", "partly-shipped", "shipped", "delivered", "cancelled-fulfilment"):
        place(shop, name, "us", three)
        pay(shop, name)
    fulfil(shop, "partly-fulfilled", {0: 2})
    fulfil(shop, "fulfilled")
    ship(shop, "partly-shipped", fulfil(shop, "partly-shipped", {0: 2, 1: 1}), "TRACK-1")
    fulfil(shop, "partly-shipped", {0: 5})
    ship(shop, "shipped", fulfil(shop, "shipped", {0: 7}), "TRACK-2")
    ship(shop, "shipped", fulfil(shop, "shipped", {1: 3}))
    parcel = fulfil(shop, "delivered")
    ship(shop, "delivered", parcel, "TRACK-3")
    deliver(shop, "delivered", parcel)
    parcel = fulfil(shop, "cancelled-fulfilment")
    shop.medusa.post(f"/admin/orders/{shop.orders['cancelled-fulfilment']}/fulfillments/{parcel}/cancel")


def _make_undone(shop: Shop, two: list[dict[str, Any]], three: list[dict[str, Any]]) -> None:
    place(shop, "cancelled", "us", two)
    cancel(shop, "cancelled")
    place(shop, "cancelled-paid", "eu", two)
    pay(shop, "cancelled-paid")
    cancel(shop, "cancelled-paid")
    for name in ("returned", "return-refunded"):
        place(shop, name, "us", three)
        pay(shop, name)
        parcel = fulfil(shop, name)
        ship(shop, name, parcel, f"TRACK-{name}")
        deliver(shop, name, parcel)
        return_items(shop, name, 2)
    refund(shop, "return-refunded", 6.66, "sent back")
    place(shop, "edited", "us", two)
    edit(shop, "edited", "poster-l", 2)
