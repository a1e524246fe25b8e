"""The whole way: a connection is added, synced and served."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.extensiv.shop import FakeExtensiv, serving
from product import Unicart
from unicart.connectors.extensiv.client import ExtensivConnector
from unicart.contract.common import encode
from unicart.contract.resources import Function


@pytest.fixture
def fake() -> Iterator[FakeExtensiv]:
    with serving() as served:
        yield served


def options(fake: FakeExtensiv, **credentials: str) -> list[str]:
    given = {**fake.credentials, **credentials}
    return [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]


def fill(fake: FakeExtensiv) -> None:
    for customer in (4, 5):
        fake.add_customer(customer)
    for number in range(1, 121):
        fake.place(4 + number % 2)
        fake.add_item(number, 4 + number % 2)
        fake.put_stock(number, 2, number + 0.5)
        fake.tick(3)
    fake.add_facility(2, "Łódź")


def expected(function: Function, raw: dict[str, Any]) -> dict[str, Any]:
    """What the API is to serve of a raw record."""
    (record,) = ExtensivConnector.map(function, json.dumps(raw).encode())
    found: dict[str, Any] = json.loads(encode(record), parse_float=Decimal)
    return found


def served(unicart: Unicart, path: str) -> dict[str, dict[str, Any]]:
    """The records that the API serves, without what Unicart adds."""
    return {
        id: {name: value for name, value in record.items() if not name.startswith("trackstar_")}
        for id, record in unicart.get(path).items()
    }


def orders(fake: FakeExtensiv) -> dict[str, dict[str, Any]]:
    def wrapped(order: dict[str, Any]) -> dict[str, Any]:
        shown = json.loads(json.dumps(order, default=lambda date: date.isoformat()))
        return {"id": "", "time_zone": "America/Los_Angeles", "currency": "EUR", "order": shown}

    return {str(id): expected(Function.GET_ORDERS, wrapped(order)) for id, order in fake.orders.items()}


def test_a_3pl_is_served_as_it_is(tmp_path: Path, fresh_url: str, fake: FakeExtensiv) -> None:
    fill(fake)
    unicart = Unicart(tmp_path / "data", fresh_url)
    id = unicart.connect("extensiv", *options(fake, time_zone="America/Los_Angeles", currency="eur"))
    assert unicart.sync() == {"get_orders": 120, "get_products": 120, "get_warehouses": 1}
    fake.now += timedelta(hours=1)
    fake.modify(fake.orders[130], referenceNum="Changed ü")
    fake.orders[131]["readOnly"].update(status=2, lastModifiedDate=fake.now)
    fake.place(5)
    fake.put_stock(7, 2, 1.0)
    assert unicart.sync() == {"get_orders": 3, "get_products": 1, "get_warehouses": 0}
    del fake.orders[140]
    fake.orders[141]["referenceNum"] = "changed without a trace"
    unicart.run("reconcile", id)
    with unicart.serving():
        assert served(unicart, "/cart/orders") == orders(fake)
        assert set(served(unicart, "/cart/orders?warehouse_customer_id=4&status=cancelled")) == set()
        assert set(served(unicart, "/cart/orders?warehouse_customer_id=5&status=cancelled")) == {"131"}
        products = served(unicart, "/cart/products")
        assert len(products) == 120
        assert (products["7"]["inventory"], products["8"]["inventory"]) == (1, 8)
        assert [record["name"] for record in served(unicart, "/cart/warehouses").values()] == ["Łódź"]


def test_wrong_credentials_are_told_before_anything_is_stored(tmp_path: Path, fake: FakeExtensiv) -> None:
    unicart = Unicart(tmp_path / "data")
    told = unicart.run("connection", "add", "extensiv", *options(fake, client_secret="wr0ng"), fails=True)
    assert "Manage Credentials" in " ".join(told.split())
    assert "wr0ng" not in told
