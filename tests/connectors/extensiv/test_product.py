"""The whole way: a connection is added, synced and served."""

import json
import urllib.request
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


def send(unicart: Unicart, method: str, path: str, body: dict[str, Any], key: str) -> tuple[Any, bool]:
    """What the API answers to a write, and whether it is the answer to an earlier one."""
    headers = {**unicart.headers, "content-type": "application/json", "idempotency-key": key}
    content = json.dumps(body).encode()
    request = urllib.request.Request(f"{unicart.base_url}{path}", content, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply), reply.headers.get("Idempotent-Replayed") == "true"


def test_a_3pl_is_written_to_and_only_once(tmp_path: Path, fresh_url: str, fake: FakeExtensiv) -> None:
    fake.add_customer(4)
    fake.add_item(7)
    fake.add_facility(2, "Łódź")
    fake.receive(7, 2, 6)
    id = str(fake.place(4)["readOnly"]["orderId"])
    fake.orders[int(id)]["readOnly"]["fullyAllocated"] = True
    unicart = Unicart(tmp_path / "data", fresh_url)
    unicart.connect("extensiv", *options(fake))
    unicart.sync()
    half = {"tracking_number": "1Z1", "line_items": [{"line_item_id": f"{id}0", "quantity": 1}], "colour": "red"}
    rest = {"tracking_number": "1Z2", "carrier": "UPS", "notify_customer": True}
    less = {"quantity": 2, "adjustment_type": "decrease", "warehouse_id": "2", "reason": "count"}
    with unicart.serving():
        for replayed in (False, True):
            answer, again = send(unicart, "POST", f"/cart/orders/{id}/shipments", half, "half")
            assert (again, answer["id"], answer["unused_fields"]) == (replayed, id, ["colour"])
            assert [each["tracking_number"] for each in answer["data"]["shipments"]] == ["1Z1"]
        for replayed in (False, True):
            answer, again = send(unicart, "POST", f"/cart/orders/{id}/shipments", rest, "rest")
            assert (again, answer["unused_fields"]) == (replayed, ["notify_customer"])
        for replayed in (False, True):
            answer, again = send(unicart, "PUT", "/cart/products/7/adjust-inventory", less, "less")
            assert (again, answer["data"]["inventory"]) == (replayed, 4)
        order, product = unicart.get("/cart/orders")[id], unicart.get("/cart/products")["7"]
    assert (order["status"], order["carrier_name"]) == ("fulfilled", "UPS")
    assert [(each["tracking_number"], each["status"]) for each in order["shipments"]] == [
        ("1Z1", "shipped"),
        ("1Z2", "shipped"),
    ]
    assert product["inventory_by_warehouse_id"] == {"2": 4}
    assert [path.rpartition("/")[2] for _, path, _ in fake.writes] == [
        "packages",
        "routing",
        "packages",
        "confirmer",
        "adjustments",
    ]


def test_a_request_is_passed_through_by_a_session_that_was_not_logged_in(tmp_path: Path, fake: FakeExtensiv) -> None:
    fake.add_customer(4)
    unicart = Unicart(tmp_path / "data")
    unicart.connect("extensiv", *options(fake))
    fake.tokens.clear()
    with unicart.serving():
        answer, _ = send(unicart, "POST", "/cart/passthrough", {"method": "GET", "path": "/customers/4"}, "")
    assert answer["status_code"] == 200
    assert answer["body"]["companyInfo"]["companyName"] == "Customer 4 & Söhne"


def test_wrong_credentials_are_told_before_anything_is_stored(tmp_path: Path, fake: FakeExtensiv) -> None:
    unicart = Unicart(tmp_path / "data")
    told = unicart.run("connection", "add", "extensiv", *options(fake, client_secret="wr0ng"), fails=True)
    assert "Manage Credentials" in " ".join(told.split())
    assert "wr0ng" not in told
