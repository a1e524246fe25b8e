"""The state of the test platform: its records, and what happens to them."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from typing import Literal

import msgspec

from chaos import goods
from chaos.faults import Fault
from chaos.goods import Raw, text

Kind = Literal["orders", "products", "warehouses"]

DAY = 86_400_000
RECENT = 5_000
OLD_VERSIONS = 4
EVERY_LONG = 150


class Row(msgspec.Struct):
    """A record, with its last versions as the JSON that is answered; times in milliseconds since 1970.

    ``damaged`` is what an unmappable order held where it is damaged.
    """

    id: str
    created: int
    updated: int
    raw: Raw
    versions: list[bytes]
    version: int = 0
    archived: bool = False
    damaged: Raw | None = None

    @property
    def body(self) -> bytes:
        """The record as it is now."""
        return self.versions[-1]


class Happening(msgspec.Struct, frozen=True):
    """A change that the platform tells of. ``versions`` are the record's bodies, the newest last; none if it is gone."""

    kind: Kind
    id: str
    version: int
    versions: tuple[bytes, ...]


class Shop:
    """Orders, products and warehouses. Hold ``lock`` while reading ``rows``; every change takes it by itself."""

    def __init__(self, seed: int, orders: int, products: int, warehouses: int) -> None:
        self.lock = threading.RLock()
        self.counts: Counter[Fault] = Counter()
        self.rows: dict[Kind, dict[str, Row]] = {"orders": {}, "products": {}, "warehouses": {}}
        self.deleted: set[str] = set()
        self._generator = random.Random(seed)
        self._products, self._warehouses = products, warehouses
        self._placed = 0
        self._now = 0
        for number in range(warehouses):
            self._put("warehouses", goods.warehouse(self._generator, number), self._some_time_ago())
        for number in range(products):
            self._put("products", goods.product(self._generator, number, warehouses), self._some_time_ago())
        created = self._some_time_ago()
        for _ in range(orders):
            if self._generator.random() > 0.2:
                created = self._some_time_ago()
            self._place(created)

    def now(self) -> int:
        """The platform's time, which never goes back."""
        self._now = max(self._now, time.time_ns() // 1_000_000)
        return self._now

    def change(self) -> list[Happening]:
        """Let something happen. What the platform tells of it may be nothing."""
        happenings = (
            (16, self._order_is_placed),
            (40, self._order_is_edited),
            (6, self._order_is_edited_thrice_at_once),
            (8, self._order_is_edited_at_the_same_time_as_before),
            (2, self._order_is_edited_quietly),
            (4, self._order_is_damaged),
            (3, self._order_is_mended),
            (4, self._order_is_deleted),
            (3, self._order_is_archived),
            (12, self._product_is_edited),
            (2, self._warehouse_is_edited),
        )
        with self.lock:
            weights = [weight for weight, _ in happenings]
            return self._generator.choices(happenings, weights)[0][1]()

    def mend(self) -> list[Happening]:
        """Mend every order that cannot be mapped."""
        with self.lock:
            return [self._mend(row) for row in self.rows["orders"].values() if row.damaged is not None]

    def _order_is_placed(self) -> list[Happening]:
        return [self._told("orders", self._place(self.now()))]

    def _order_is_edited(self) -> list[Happening]:
        return [self._told("orders", self._edit(row, self.now())) for row in self._some_order()]

    def _order_is_edited_thrice_at_once(self) -> list[Happening]:
        now = self.now()
        told = []
        for row in self._some_order():
            self.counts[Fault.SAME_MILLISECOND] += 1
            told = [self._told("orders", self._edit(row, now)) for _ in range(3)]
        return told

    def _order_is_edited_at_the_same_time_as_before(self) -> list[Happening]:
        """Between the two changes, the order may have been listed."""
        told = []
        for row in self._some_order(changed_since=self.now() - RECENT):
            self.counts[Fault.SAME_MILLISECOND] += 1
            told.append(self._told("orders", self._edit(row, row.updated)))
        return told

    def _order_is_edited_quietly(self) -> list[Happening]:
        for row in self._some_order():
            self.counts[Fault.QUIET] += 1
            self._edit(row, row.updated)
        return []

    def _order_is_damaged(self) -> list[Happening]:
        told = []
        for row in self._some_order():
            self.counts[Fault.UNMAPPABLE] += 1
            damage = self._generator.choice(goods.DAMAGES)
            row.damaged = {name: row.raw[name] for name in damage}
            row.raw |= deepcopy(damage)
            told.append(self._told("orders", self._touch(row, self.now())))
        return told

    def _order_is_mended(self) -> list[Happening]:
        damaged = [row for row in self.rows["orders"].values() if row.damaged is not None]
        return [self._mend(self._generator.choice(damaged))] if damaged else []

    def _mend(self, row: Row) -> Happening:
        self.counts[Fault.MENDED] += 1
        row.raw |= row.damaged or {}
        row.damaged = None
        return self._told("orders", self._touch(row, self.now()))

    def _order_is_deleted(self) -> list[Happening]:
        told = []
        for row in self._some_order():
            self.counts[Fault.DELETED] += 1
            del self.rows["orders"][row.id]
            self.deleted.add(row.id)
            told.append(Happening("orders", row.id, row.version + 1, ()))
        return told

    def _order_is_archived(self) -> list[Happening]:
        told = []
        for row in self._some_order():
            self.counts[Fault.ARCHIVED] += 1
            row.archived = True
            row.raw["note"] = "archived"
            told.append(self._told("orders", self._touch(row, self.now())))
        return told

    def _product_is_edited(self) -> list[Happening]:
        row = self._generator.choice(list(self.rows["products"].values()))
        changed = self._generator.choice(row.raw["variants"])
        changed["price"] = self._generator.choice((None, "12.50", "7", "0.10"))
        changed["stock"] = {name: count - 1 for name, count in changed["stock"].items()}
        return [self._told("products", self._touch(row, self.now()))]

    def _warehouse_is_edited(self) -> list[Happening]:
        row = self._generator.choice(list(self.rows["warehouses"].values()))
        row.raw["address"] = goods.address(self._generator)
        return [self._told("warehouses", self._touch(row, self.now()))]

    def _some_order(self, changed_since: int = 0) -> list[Row]:
        """One order that may change, or none."""
        found = [row for row in self._changeable() if row.updated >= changed_since]
        return [self._generator.choice(found)] if found else []

    def _changeable(self) -> Iterator[Row]:
        return (row for row in self.rows["orders"].values() if row.damaged is None and not row.archived)

    def _edit(self, row: Row, now: int) -> Row:
        edit = self._generator.choice(goods.EDITS)
        edit(self._generator, row.raw, text(now))
        self.counts[Fault.UNPRICED] += edit is goods.unprice
        self.counts[Fault.UNKNOWN_STATUS] += edit is goods.lose_its_way
        return self._touch(row, now)

    def _touch(self, row: Row, now: int) -> Row:
        row.updated = now
        row.raw["updated_at"] = text(now)
        row.version += 1
        row.versions = [*row.versions[-OLD_VERSIONS:], msgspec.json.encode(row.raw)]
        return row

    def _place(self, created: int) -> Row:
        self._placed += 1
        long = self._placed % EVERY_LONG == EVERY_LONG // 2
        lines = goods.LONG if long else self._generator.randrange(1, 6)
        self.counts[Fault.LONG_ORDER] += long
        return self._put("orders", goods.order(self._generator, self._placed, lines, self._products), created)

    def _put(self, kind: Kind, raw: Raw, created: int) -> Row:
        raw |= {"created_at": text(created), "updated_at": text(created)}
        row = Row(raw["id"], created, created, raw, [msgspec.json.encode(raw)])
        self.rows[kind][row.id] = row
        return row

    def _told(self, kind: Kind, row: Row) -> Happening:
        return Happening(kind, row.id, row.version, tuple(row.versions))

    def _some_time_ago(self) -> int:
        return self.now() - self._generator.randrange(DAY // 24, 60 * DAY)
