"""Raw records of the test platform: how they are made, and what happens to an order."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Raw = dict[str, Any]
Change = Callable[[random.Random, Raw, str], None]

PLACES = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
NAMES = ("Ada Lovelace", "Zoë Çelik", "山田太郎", "محمد", "O'Brien 🚀", "A\u0301ngel \u202eבן", "Þór")
CITIES = ("Łódź", "São Paulo", "東京", "New York", "Kraków", "القاهرة")
STATUSES = ("new", "paid", "picking", "partly_sent", "sent", "on_hold", "void", "backorder")
UNKNOWN_STATUSES = ("awaiting_full_moon", "", "PAID", "支払済み")
SHIPMENT_STATES = ("packed", "sent", "delivered", "lost", "void", "seized")
LONG = 600


def text(milliseconds: int) -> str:
    """The platform's form of a moment, which is in milliseconds since 1970."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(moment: str) -> int:
    """Milliseconds since 1970."""
    return (datetime.fromisoformat(moment) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def order(generator: random.Random, number: int, lines: int, products: int) -> Raw:
    """A new order without its dates."""
    id = f"o{number:06}"
    currency = generator.choice(list(PLACES))
    made: Raw = {
        "id": id,
        "number": f"#{1000 + number}",
        "status": generator.choice(STATUSES),
        "payment_status": generator.choice(("pending", "paid", None)),
        "currency": generator.choice((currency, currency.lower())),
        "email": f"buyer{number}@example.com",
        "delivery": generator.choice(("Standard", "Express ⚡", None)),
        "note": None,
        "ship_to": address(generator),
        "bill_to": generator.choice((address(generator), None)),
        "lines": [line(generator, f"{id}-{each}", currency, products) for each in range(lines)],
        "shipments": [],
        "refunds": [],
        "shipping": str(amount(generator, currency, 20)),
    }
    add_up(made)
    return made


def product(generator: random.Random, number: int, warehouses: int) -> Raw:
    """A new product with its variants, without its dates."""
    id = f"p{number:04}"
    return {
        "id": id,
        "title": f"{generator.choice(('Mug', 'Shirt', 'Größe L', 'お茶'))} {number}",
        "active": generator.random() < 0.9,
        "image_url": generator.choice((None, f"https://img.example/{id}.png")),
        "tags": generator.sample(("new", "été", "sale"), 2),
        "categories": [],
        "variants": [variant(generator, id, each, warehouses) for each in range(generator.randrange(1, 4))],
    }


def variant(generator: random.Random, product_id: str, number: int, warehouses: int) -> Raw:
    """A variant of a product."""
    return {
        "id": f"{product_id}v{number}",
        "title": generator.choice(("red", "blå", "大")),
        "sku": generator.choice((None, f"SKU-{product_id}-{number}")),
        "barcode": None,
        "price": generator.choice((None, "12.50", "1999", "0.1")),
        "cost": "3.333",
        "grams": generator.choice((None, "250.5")),
        "stock": {f"w{each}": generator.randrange(-2, 50) for each in range(warehouses)},
    }


def warehouse(generator: random.Random, number: int) -> Raw:
    """A new warehouse, without its dates."""
    return {"id": f"w{number}", "name": f"Lager {number}", "code": None, "address": address(generator)}


def address(generator: random.Random) -> Raw:
    """Somebody's address."""
    return {
        "name": generator.choice(NAMES),
        "company": generator.choice((None, "", "Müller & Söhne")),
        "street": generator.choice((["1 Main St"], ["1 Main St", "", "c/o Ω"], [])),
        "city": generator.choice(CITIES),
        "region": None,
        "postcode": generator.choice((None, "00-950")),
        "country": generator.choice(("PL", "JP", "BR")),
        "phone": generator.choice((None, "+48 22 000")),
    }


def line(generator: random.Random, id: str, currency: str, products: int) -> Raw:
    """A line of an order: of a product, or of something else."""
    number = generator.randrange(products)
    custom = generator.random() < 0.1
    return {
        "id": id,
        "title": "Gravur ✍" if custom else f"Product {number}",
        "variant_id": None if custom else f"p{number:04}v0",
        "variant_sku": None if custom else f"SKU-p{number:04}-0",
        "product_id": None if custom else f"p{number:04}",
        "quantity": generator.randrange(0, 5),
        "unit_price": str(amount(generator, currency, 300)),
        "discount": str(amount(generator, currency, 5)),
        "tax": str(amount(generator, currency, 9)),
    }


def amount(generator: random.Random, currency: str, most: int) -> Decimal:
    """An amount of money, in the decimals of its currency."""
    places = PLACES[currency.upper()]
    return Decimal(generator.randrange(most * 10**places)).scaleb(-places)


def add_up(raw: Raw) -> None:
    """Set the totals of an order; all null if the price of a line is."""
    lines = raw["lines"]
    if any(each["unit_price"] is None for each in lines):
        raw["totals"] = dict.fromkeys(("discount", "tax", "shipping", "total"))
        return
    goods = sum((Decimal(each["unit_price"]) * each["quantity"] for each in lines), Decimal(0))
    discount, tax = (sum((Decimal(each[name] or 0) for each in lines), Decimal(0)) for name in ("discount", "tax"))
    total = goods - discount + tax + Decimal(raw["shipping"])
    figures = {"discount": discount, "tax": tax, "shipping": raw["shipping"], "total": total}
    raw["totals"] = {name: str(figure) for name, figure in figures.items()}


def advance(generator: random.Random, raw: Raw, now: str) -> None:
    """The order gets another status."""
    raw["status"] = generator.choice(STATUSES)
    raw["payment_status"] = generator.choice(("pending", "paid", "refunded"))


def lose_its_way(generator: random.Random, raw: Raw, now: str) -> None:
    """The order gets a status that nobody knows."""
    raw["status"] = generator.choice(UNKNOWN_STATUSES)


def annotate(generator: random.Random, raw: Raw, now: str) -> None:
    """The order's note changes."""
    raw["note"] = f"{generator.choice(NAMES)} {generator.randrange(10**6)}"


def move(generator: random.Random, raw: Raw, now: str) -> None:
    """The order goes to another address."""
    raw["ship_to"] = generator.choice((address(generator), address(generator), None))


def recount(generator: random.Random, raw: Raw, now: str) -> None:
    """A line's quantity changes."""
    generator.choice(raw["lines"])["quantity"] = generator.randrange(0, 9)
    add_up(raw)


def unprice(generator: random.Random, raw: Raw, now: str) -> None:
    """All amounts become null."""
    for each in raw["lines"]:
        each |= dict.fromkeys(("unit_price", "discount", "tax"))
    add_up(raw)


def price(generator: random.Random, raw: Raw, now: str) -> None:
    """All lines get new prices; some have no tax, not even zero."""
    for each in raw["lines"]:
        each["unit_price"] = str(amount(generator, raw["currency"], 300))
        each["tax"] = generator.choice((None, str(amount(generator, raw["currency"], 9))))
    add_up(raw)


def ship(generator: random.Random, raw: Raw, now: str) -> None:
    """A parcel leaves, or those that left go on."""
    for each in raw["shipments"]:
        each |= {"state": generator.choice(SHIPMENT_STATES), "updated_at": now}
    if len(raw["shipments"]) >= 3:
        return
    id = f"{raw['id']}-s{len(raw['shipments'])}"
    sent = generator.choice(raw["lines"])
    raw["shipments"].append(
        {
            "id": id,
            "state": "packed",
            "created_at": now,
            "updated_at": now,
            "warehouse_id": "w0",
            "carrier": generator.choice(("DHL", "日本郵便", None)),
            "tracking_number": f"T{generator.randrange(10**9)}",
            "tracking_url": None,
            "lines": [{"id": f"{id}-0", "line_id": sent["id"], "quantity": 1}],
        }
    )


def refund(generator: random.Random, raw: Raw, now: str) -> None:
    """Money is paid back."""
    if len(raw["refunds"]) < 3:
        id, paid = f"{raw['id']}-r{len(raw['refunds'])}", str(amount(generator, raw["currency"], 10))
        raw["refunds"].append(
            {"id": id, "amount": paid, "created_at": now, "reason": generator.choice(("ärgerlich", None))}
        )
    raw["payment_status"] = "refunded"


EDITS: tuple[Change, ...] = (advance, lose_its_way, annotate, move, recount, unprice, price, price, ship, refund)
DAMAGES: tuple[Raw, ...] = ({"currency": None}, {"lines": "many"}, {"status": 7}, {"totals": []}, {"number": {"#": 1}})
"""What makes an order unmappable."""
