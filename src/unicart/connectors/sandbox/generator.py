"""The sandbox platform itself: a shop whose every record is computed from its seed and number.

Nothing here has state, so that any page can be made alone, in any order and in parallel. The bytes that a seed gives
never change; a test holds their hash.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import shake_128
from itertools import accumulate, pairwise
from math import isqrt
from struct import unpack
from typing import NamedTuple

import msgspec

from unicart.connectors.sandbox.payloads import (
    Delivery,
    FulfilmentRequest,
    Line,
    Order,
    Parcel,
    Part,
    Place,
    Product,
    Refund,
    RefundLine,
    Size,
    Totals,
    Variant,
    Warehouse,
)

DEFAULT_SEED = "unicart"
DEFAULT_ORDERS = 2500
DEFAULT_UNTIL = "2026-11-01T00:00:00Z"
MAX_ORDERS = 1_000_000_000
SPAN = 3 * 365 * 86400
FRESH = 10 * 86400

Draw = Callable[[], int]
"""The next 16 random bits of a record."""

_encode = msgspec.json.Encoder().encode


class Locale(NamedTuple):
    """Where some buyers live. ``weight`` of 64 orders go there; ``tax`` rates are per mille."""

    weight: int
    currency: str
    country: str
    cities: tuple[tuple[str, str | None, str | None], ...]
    street: str
    phone: str
    names: tuple[str, ...]
    tax: tuple[int, ...]


LOCALES = (
    Locale(
        22,
        "USD",
        "US",
        (
            ("New York", "NY", "10001"),
            ("Portland", "OR", "97205"),
            ("San José", "CA", "95112"),
            ("Truth or Consequences", "NM", "87901"),
        ),
        "{} Maple Street",
        "+1 212 555 01{:02}",
        (
            "Jane Doe",
            "Miguel Ángel Núñez",
            "Siobhán O'Neill",
            'DeShawn "Dee" Carter',
            "Mary-Kate van der Berg 🛒",
            "Lý Thị Hương",
        ),
        (0, 60, 73, 89),
    ),
    Locale(
        8,
        "GBP",
        "United Kingdom",
        (
            ("London", None, "EC1A 1BB"),
            ("Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch", "Wales", "LL61 5UJ"),
        ),
        "{} High Street",
        "+44 20 7946 00{:02}",
        ("Amelia Clarke", "Rhys ap Gruffydd", "Zoe\u0308 Bronte\u0308"),
        (200,),
    ),
    Locale(
        8,
        "EUR",
        "DE",
        (("München", "BY", "80331"), ("Köln", "NW", "50667")),
        "Große Straße {}",
        "+49 30 2312 50{:02}",
        ("Jörg Müller", "Änne Weiß", "Søren Kierkegård"),
        (190, 70),
    ),
    Locale(
        4,
        "EUR",
        "Ελλάδα",
        (("Αθήνα", "Αττική", "105 57"), ("Θεσσαλονίκη", None, None)),
        "Οδός Ερμού {}",
        "+30 21 0555 00{:02}",
        ("Γιώργος Παπαδόπουλος", "Ελένη Ιωάννου"),
        (240,),
    ),
    Locale(
        6,
        "JPY",
        "JP",
        (("東京都", "千代田区", "100-0001"), ("大阪市", "大阪府", "530-0001")),
        "丸の内{}丁目",
        "+81 3 5555 00{:02}",
        ("山田 太郎", "𠮷野 花子", "ｻﾄｳ ﾊﾅｺ"),
        (100, 80),
    ),
    Locale(
        4,
        "KWD",
        "الكويت",
        (("مدينة الكويت", None, "13001"), ("حولي", None, None)),
        "شارع الخليج {}",
        "+965 2222 00{:02}",
        ("محمد العلي", "فاطمة \u200fالصباح"),
        (0,),
    ),
    Locale(
        4,
        "CAD",
        "CA",
        (("Montréal", "QC", "H2Y 1C6"), ("Iqaluit", "NU", "X0A 0H0")),
        "{} rue Saint-Paul",
        "+1 514 555 01{:02}",
        ("Noël Côté", "ᐊᓄᕐᕌᕆ ᓴᐃᓚ"),
        (130, 50),
    ),
    Locale(
        2,
        "ILS",
        "ישראל",
        (("תל אביב", None, "6100000"),),
        "רחוב הרצל {}",
        "+972 3 555 00{:02}",
        ("דוד כהן", "שרה לוי"),
        (180,),
    ),
    Locale(
        2,
        "INR",
        "IN",
        (("मुंबई", "महाराष्ट्र", "400001"),),
        "{} महात्मा गांधी मार्ग",
        "+91 22 5555 00{:02}",
        ("प्रिया शर्मा", "আনন্দ সেন"),
        (180, 50),
    ),
    Locale(
        2,
        "KRW",
        "KR",
        (("서울특별시", "중구", "04524"),),
        "세종대로 {}",
        "+82 2 555 00{:02}",
        ("김민준", "이서연"),
        (100,),
    ),
    Locale(
        2,
        "UAH",
        "Україна",
        (("Київ", None, "01001"),),
        "вул. Хрещатик, {}",
        "+380 44 555 00{:02}",
        ("Олена Шевченко", "Їжак Ґалаґан"),
        (200,),
    ),
)
RATES = {
    "USD": 100,
    "GBP": 79,
    "EUR": 92,
    "JPY": 150,
    "KWD": 307,
    "CAD": 137,
    "ILS": 370,
    "INR": 8400,
    "KRW": 1380,
    "UAH": 4150,
}
"""Minor units of each currency for one US dollar."""

STATES = (
    ("complete", 640),
    ("sent", 120),
    ("cancelled", 65),
    ("new", 40),
    ("paid", 45),
    ("picking", 35),
    ("part_sent", 30),
    ("problem", 9),
    ("awaiting_stock", 10),
    ("awaiting customs paperwork", 4),
    ("gift-wrapped 🎁", 2),
)
FRESH_STATES = (("new", 300), ("paid", 260), ("picking", 240), ("part_sent", 60), ("sent", 100), ("cancelled", 40))
SENT = frozenset({"complete", "sent", "part_sent"})
CLIENTS = (
    None,
    None,
    "client_atlas",
    None,
    "client_birch",
    None,
    "client_corvid",
    "client_atlas",
    "client_dune",
    "client_birch",
)
DELIVERIES = (
    ("Standard", "standard", "Standard (3–5 days)", "ups", "UPS", 590),
    ("Standard", "standard", "Standard (3–5 days)", "usps", "USPS", 490),
    ("Express", "express", "Express ⚡", "fedex", "FedEx", 1490),
    ("Economy", "economy", "Economy", "dhl", "DHL", 0),
    ("Pick up", None, None, None, None, 0),
    (None, "courier", None, "kurier", "Kurier für Übergrößen & Möbel GmbH", 4990),
)
LINE_COUNTS = (1,) * 48 + (2,) * 31 + (3,) * 11 + (4,) * 4 + (5,) * 2 + (6,) * 2 + (7,) + (8,)
NOTES = ("Please ring twice.", "Kein Rückgeld 🙏", "اترك الطرد عند الباب", 'a\tb\n"c" \\ d', "long " * 60 + "note")
REASONS = ("damaged", "too late", None, "changed mind", "ラッピング不良")
LONG_STREET = "c/o The Society for the Preservation of Unusually Long Street Names, Building " + "N" * 120
PEOPLE = tuple(locale for locale in LOCALES for _ in range(locale.weight))

STOCK_PLACES = (
    ("wh_east", "NJ1", "East", "US", "New Jersey", "Newark", "07102"),
    ("wh_west", "NV1", "West", "US", "Nevada", "Reno", "89501"),
    ("wh_eu", "RTM", "Rotterdam Maasvlakte", "NL", None, "Rotterdam", "3199 LL"),
    ("wh_tokyo", "TYO", "東京倉庫", "JP", "東京都", "江東区", "135-0061"),
)
WAREHOUSES = len(STOCK_PLACES)
PRODUCTS = 40
NOUNS = ("Mug", "Lamp", "Chair", "T-Shirt", "Café Press", "Notebook", "Rucksack", "Teapot", "Blanket", "Kettlebell")
STYLES = ("Oak", "Nordic", "Señorita", "浮世絵", "Mini")
OPTIONS = (("S", "M"), ("Small", "Medium", "Large"), ("Default",), ("Red / XL", "Blue / XL"), ("½ l", "1 l", "2 l"))
SHELVES = ("Kitchen", "Living", "Sport", "Wear", "Büro")


class Offer(NamedTuple):
    """What a line can hold: a variant, or a custom item without one. ``prices`` are in minor units by currency."""

    product: str | None
    variant: str | None
    product_sku: str | None
    variant_sku: str | None
    title: str
    prices: dict[str, int]


def order(seed: str, number: int, until: int, orders: int = DEFAULT_ORDERS) -> bytes:
    """The JSON of the order with this number, counted from zero. ``until`` is in epoch seconds.

    Numbers below ``orders`` are spread over the three years before ``until``, more densely towards its end, in
    ascending order of ``placed_at``.

    Raises:
        ValueError: ``number`` is not below ``orders``.
    """
    if not 0 <= number < orders:
        raise ValueError(f"order {number} is not one of the shop's {orders}")
    placed = placed_at(number, until, orders)
    source = shake_128(f"{seed}/order/{number}".encode())
    draw = _draw(source.digest(80))
    count = 60 if draw() % 700 == 0 else LINE_COUNTS[draw() % 100]
    return _encode(_order(number, placed, until, seed, draw, _draw(source.digest(80 + 8 * count)[80:]), count))


def placed_at(number: int, until: int, orders: int) -> int:
    """When the order with this number was placed, in epoch seconds."""
    return until - SPAN + _offset(number, orders)


def product(seed: str, number: int, until: int) -> bytes:
    """The JSON of the product with this number, counted from zero."""
    return _encode(_catalogue(seed, until)[number])


def warehouse(number: int, until: int) -> bytes:
    """The JSON of the warehouse with this number, counted from zero."""
    id, code, title, country, region, city, postcode = STOCK_PLACES[number]
    opened = _moment(until - SPAN - 90 * 86400 + number * 86400)
    address = Place(street=[f"{number + 1} Dock Road"], city=city, region=region, postcode=postcode, country=country)
    return _encode(Warehouse(id, code, title, opened, opened, address))


def _draw(random: bytes) -> Draw:
    return iter(unpack(f"<{len(random) // 2}H", random)).__next__


def _moment(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _offset(number: int, orders: int) -> int:
    """Seconds from the first order's possible time. Of every 97 orders, three are placed in one second."""
    number -= (0, 1, 2)[number % 97 - 40] if 40 <= number % 97 <= 42 else 0
    start, end = (_curve(each, orders) for each in (number, number + 1))
    return start + number * 40503 % 65536 * (end - start) // 65536


def _curve(number: int, orders: int) -> int:
    return isqrt(SPAN * SPAN * number // orders)


@lru_cache(maxsize=8)
def _states(states: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    return tuple(state for state, weight in states for _ in range(weight))


def _order(number: int, placed: int, until: int, seed: str, draw: Draw, line_draw: Draw, count: int) -> Order:
    id = f"o{number:07}"
    locale = PEOPLE[draw() % 64]
    currency = locale.currency
    state = _states(FRESH_STATES if until - placed < FRESH else STATES)[draw() % 1000]
    lines = _lines(id, count, _offers(seed, until), locale, state, draw, line_draw)
    wish, code, title, carrier, carrier_title, cents = DELIVERIES[draw() % 6]
    delivery = Delivery(wish, code, title, carrier, carrier_title, _convert(cents, currency))
    totals = _totals(lines, delivery.amount)
    age = min(until - placed, (3 + draw() % 40) * 86400) if state in SENT or state == "cancelled" else draw() % 86400
    changed = min(placed + age, until)
    requests = _requests(id, state, lines, placed, changed, draw)
    parcels = _parcels(id, state, lines, requests, placed, changed, draw)
    refunds = _refunds(id, state, lines, totals, changed, draw)
    oddity = draw()
    ship_to = _place(locale, draw)
    return Order(
        id=id,
        number=None if oddity % 200 == 0 else f"#{1000 + number}",
        client=CLIENTS[draw() % 10],
        placed_at=_moment(placed),
        changed_at=_moment(changed),
        state=state,
        payment=_payment(state, totals, refunds),
        currency=currency,
        totals=totals,
        delivery=delivery,
        send_from=_moment(placed + 86400) if oddity % 8 == 1 else None,
        send_until=_moment(placed + 5 * 86400) if oddity % 4 == 1 else None,
        ship_to=None if oddity % 150 == 2 else ship_to,
        bill_to=ship_to if oddity % 3 == 0 else None,
        lines=lines,
        requests=requests,
        parcels=parcels,
        refunds=refunds,
        coupon_code=f"SAVE{1 + oddity % 9}0" if any(line.coupon for line in lines) else None,
        note=NOTES[oddity % 5] if oddity % 40 == 3 else None,
    )


def _convert(cents: int, currency: str) -> int:
    return cents * RATES[currency] // 100


def _lines(
    id: str, count: int, offers: tuple[Offer, ...], locale: Locale, state: str, draw: Draw, line_draw: Draw
) -> list[Line]:
    kind, rate = draw(), locale.tax[draw() % len(locale.tax)]
    lines = []
    for index in range(count):
        offer = offers[line_draw() * line_draw() * len(offers) >> 32]
        ordered = (1, 1, 1, 1, 2, 2, 3, 12)[line_draw() % 8]
        if state == "part_sent" and index == 0:
            ordered += 1
        chance = line_draw()
        if chance % 40 == 5:
            offer = CUSTOM_ITEMS[chance % 3 % 2]
        cancelled = ordered if index and chance % 30 == 0 else 0
        price = offer.prices[locale.currency]
        discount = price * (ordered - cancelled) * (5 + chance % 40) // 100 if chance % 7 == 1 else 0
        lines.append(
            Line(
                f"{id}-{index + 1}",
                offer.product,
                offer.variant,
                offer.product_sku,
                offer.variant_sku,
                offer.title,
                ordered,
                cancelled,
                price,
                discount,
                0,
                0,
            )
        )
    if kind % 6 == 0:
        _spread_coupon(lines, 5 + kind % 21)
    for line in lines:
        line.tax = (_net(line) * rate + 500) // 1000
    return lines


def _net(line: Line) -> int:
    return line.price * (line.ordered - line.cancelled) - line.discount - line.coupon


def _spread_coupon(lines: list[Line], percent: int) -> None:
    """Take ``percent`` off the order, shared among the lines so that the shares add up exactly."""
    running = [0, *accumulate(_net(line) for line in lines)]
    amount = running[-1] * percent // 100
    for line, (before, after) in zip(lines, pairwise(running), strict=True):
        line.coupon = amount * after // running[-1] - amount * before // running[-1] if running[-1] else 0


def _totals(lines: list[Line], delivery: int) -> Totals:
    goods = discount = tax = 0
    for line in lines:
        goods += line.price * (line.ordered - line.cancelled)
        discount += line.discount + line.coupon
        tax += line.tax
    return Totals(goods, discount, tax, goods - discount + tax + delivery)


def _requests(id: str, state: str, lines: list[Line], placed: int, changed: int, draw: Draw) -> list[FulfilmentRequest]:
    chance = draw()
    if chance % 16 or state == "new":
        return []
    word = {"cancelled": "cancelled", "problem": "held"}.get(state, "sent" if state in SENT else "waiting")
    halves = [lines[::2], lines[1::2]] if chance % 32 else [lines]
    requests = []
    for index, half in enumerate(halves):
        parts = [
            Part(f"{id}-r{index + 1}-{number + 1}", line.id, line.ordered - line.cancelled)
            for number, line in enumerate(half)
            if line.ordered > line.cancelled
        ]
        if parts:
            place = STOCK_PLACES[(chance // 32 + index) % WAREHOUSES][0]
            opened, last = _moment(min(placed + 60, changed)), _moment(changed)
            requests.append(FulfilmentRequest(f"{id}-r{index + 1}", word, place, opened, last, parts))
    return requests


def _parcels(
    id: str, state: str, lines: list[Line], requests: list[FulfilmentRequest], placed: int, changed: int, draw: Draw
) -> list[Parcel]:
    """The parcels; none for the three fifths of orders that are collected, or sent without the platform's knowledge."""
    chance = draw()
    if state not in SENT or (state != "part_sent" and chance % 5 > 1):
        return []
    loads = _loads(lines, state, chance)
    packed = placed + (changed - placed) // 2
    word = (
        "arrived"
        if state == "complete"
        else ("sent", "sent", "sent", "sent", "sent", "lost", "held", "at customs")[chance % 8]
    )
    ids = [request.id for request in requests]
    parcels = []
    for index, load in enumerate(loads):
        parts = [Part(f"{id}-p{index + 1}-{number + 1}", line, units) for number, (line, units) in enumerate(load)]
        tracking = f"SBX{id[1:]}{index + 1}" if chance % 11 else None
        url = f"https://track.sandbox.example/{tracking}" if tracking and chance % 2 else None
        place = STOCK_PLACES[(chance // 64 + index) % WAREHOUSES][0]
        parcels.append(
            Parcel(f"{id}-p{index + 1}", word, place, tracking, url, ids, _moment(packed), _moment(changed), parts)
        )
    return parcels


def _loads(lines: list[Line], state: str, chance: int) -> list[list[tuple[str, int]]]:
    """Which units each parcel holds. A partly sent order keeps back one unit of its first line and every third line."""
    units = [(line.id, line.ordered - line.cancelled) for line in lines if line.ordered > line.cancelled]
    if state == "part_sent":
        return [[(units[0][0], units[0][1] - 1), *units[1::3]]]
    if chance % 6 == 0 and len(units) > 1:
        return [units[:1], units[1:]]
    if chance % 6 == 1 and units[0][1] > 1:
        return [[(units[0][0], 1), *units[1:]], [(units[0][0], units[0][1] - 1)]]
    return [units]


def _refunds(id: str, state: str, lines: list[Line], totals: Totals, changed: int, draw: Draw) -> list[Refund]:
    chance = draw()
    paid_at, reason = _moment(changed), REASONS[chance % 5]
    if state == "cancelled":
        return [Refund(f"{id}-f1", totals.grand, reason, paid_at, [])] if chance % 4 and totals.grand else []
    if state not in SENT or chance % 16:
        return []
    line = lines[0]
    units = line.ordered - line.cancelled
    amount = (_net(line) + line.tax) // units
    first = Refund(f"{id}-f1", amount, reason, paid_at, [RefundLine(line.id, 1, amount)])
    if chance % 64 or not totals.grand > amount:
        return [first]
    return [first, Refund(f"{id}-f2", 1, "goodwill", paid_at, [])]


def _payment(state: str, totals: Totals, refunds: list[Refund]) -> str:
    if refunds:
        returned = sum(refund.amount for refund in refunds)
        return "refunded" if returned == totals.grand else "partially_refunded"
    return "pending" if state in ("new", "cancelled") else "paid"


def _place(locale: Locale, draw: Draw) -> Place:
    chance = draw()
    city, region, postcode = locale.cities[chance % len(locale.cities)]
    house = 1 + draw() % 200
    street = [locale.street.format(house)]
    if chance % 5 == 0:
        street.append(f"Apt. {house}")
    if chance % 300 == 5:
        street.append(LONG_STREET)
    person = draw()
    return Place(
        name=locale.names[person % len(locale.names)],
        company='Müller & Söhne "Import\\Export" ☕' if chance % 20 == 3 else None,
        street=street if chance % 250 else [],
        city=city,
        region=region,
        postcode=postcode,
        country=locale.country,
        phone=locale.phone.format(person % 100) if person % 4 == 0 else None,
        email=f"buyer{person}@example.com" if person % 3 else None,
    )


@lru_cache(maxsize=8)
def _catalogue(seed: str, until: int) -> tuple[Product, ...]:
    return tuple(_product(seed, number, until) for number in range(PRODUCTS))


def _product(seed: str, number: int, until: int) -> Product:
    draw = _draw(shake_128(f"{seed}/product/{number}".encode()).digest(168))
    id, code = f"p{number + 1:03}", f"SB-{number + 1:03}"
    title = f"{STYLES[number % 5]} {NOUNS[number * 7 % 10]}"
    created = until - SPAN - 60 * 86400 + number * 3600
    base = 300 + draw() % 20000
    variants = []
    for index, option in enumerate(OPTIONS[number % 5]):
        price = 0 if number == 39 else base + index * (draw() % 900)
        stock = {place[0]: max(draw() % 240 - 20, -3) for place in STOCK_PLACES if draw() % 4}
        size = Size(50 + draw() % 900, 40 + draw() % 500, 10 + draw() % 300, 80 + draw() % 9000)
        barcode = f"{4_000_000_000_000 + number * 1000 + index}" if draw() % 3 else None
        cost = price * 6 // 10 if draw() % 5 else None
        sku = None if number == 38 else f"{code}-{index + 1}"
        variants.append(
            Variant(f"{id}v{index + 1}", sku, option, barcode, price, cost, stock, size if draw() % 8 else None)
        )
    return Product(
        id=id,
        sku=code if number % 4 else None,
        title=title if number != 37 else title + " – limited edition" * 12,
        created_at=_moment(created),
        changed_at=_moment(created + draw() % (60 * 86400)),
        on_sale=number % 9 != 8,
        bundle=number % 13 == 12,
        image=f"https://cdn.sandbox.example/{id}.jpg" if number % 6 else None,
        labels={"season": ("spring", "été", "冬")[number % 3]} if number % 2 else {},
        shelves=[SHELVES[number % 5], "Sale"] if number % 7 == 0 else [SHELVES[number % 5]],
        variants=variants,
    )


@lru_cache(maxsize=8)
def _offers(seed: str, until: int) -> tuple[Offer, ...]:
    return tuple(
        Offer(product.id, variant.id, product.sku, variant.sku, product.title, _prices(variant.price))
        for product in _catalogue(seed, until)
        for variant in product.variants
    )


def _prices(cents: int) -> dict[str, int]:
    return {currency: _convert(cents, currency) for currency in RATES}


CUSTOM_ITEMS = (
    Offer(None, None, None, None, "Gift wrapping 🎀", _prices(395)),
    Offer(None, None, None, "CUSTOM", "Engraving: “Für immer ♥”", _prices(1250)),
)
