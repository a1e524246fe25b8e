"""Single records and their tags."""

from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from unicart.store import tenants
from unicart.store.database import Database
from unicart.store.tenants import Organization

pytestmark = pytest.mark.anyio


async def test_a_record_is_found_by_its_id_whatever_its_characters(
    client: httpx2.AsyncClient, documents: dict[str, Any]
) -> None:
    for id, order in list(documents.items())[:40]:
        answer = await client.get(f"/cart/orders/{quote(id, safe='')}")
        assert answer.json() == {"data": order}
    assert (await client.get("/cart/products/p3")).json()["data"]["name"] == "Product 3"
    assert (await client.get("/cart/warehouses/w1")).json()["data"]["name"] == "Warehouse 1"


@pytest.mark.parametrize("id", ["no such", "%00", "a/b", "%F0%9F%9B%92", "%FF", "trackstar-tags"])
async def test_a_missing_record_is_a_404_with_its_id(
    client: httpx2.AsyncClient, documents: dict[str, Any], id: str
) -> None:
    answer = await client.get(f"/cart/orders/{id}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "origin", "id"}


async def test_a_single_record_takes_no_parameters(client: httpx2.AsyncClient, documents: dict[str, Any]) -> None:
    answer = await client.get(f"/cart/orders/{quote(next(iter(documents)), safe='')}", params={"limit": "1"})
    assert answer.status_code == 422
    assert "limit" in answer.json()["detail"]["query"]


async def test_tags_replace_the_whole_list_and_can_be_filtered(
    client: httpx2.AsyncClient, documents: dict[str, Any]
) -> None:
    id = list(documents)[3]
    path = f"/cart/orders/{quote(id, safe='')}/trackstar-tags"
    answer = await client.put(path, json={"trackstar_tags": ["fragile", {"team": "éq"}], "note": "?"})
    body = answer.json()
    assert answer.status_code == 200
    assert body["id"] == id
    assert body["unused_fields"] == ["note"]
    assert body["data"]["trackstar_tags"] == ["fragile", {"team": "éq"}]
    assert body["data"]["trackstar_updated_date"] > documents[id]["trackstar_updated_date"]
    kept = {name: value for name, value in documents[id].items() if not name.startswith("trackstar_")}
    assert {name: body["data"][name] for name in kept} == kept
    for tag in ("fragile", "team:éq", "fragile,team:éq"):
        found = (await client.get("/cart/orders", params={"trackstar_tags[contains]": tag})).json()["data"]
        assert [order["id"] for order in found] == [id]
    await client.put(path, json={"trackstar_tags": []})
    assert (await client.get("/cart/orders", params={"trackstar_tags[contains]": "fragile"})).json()["data"] == []


async def test_products_and_warehouses_can_be_tagged(client: httpx2.AsyncClient, documents: dict[str, Any]) -> None:
    for path in ("/cart/products/p1", "/cart/warehouses/w1"):
        assert (await client.put(f"{path}/trackstar-tags", json={"trackstar_tags": ["t"]})).status_code == 200
        assert (await client.get(path)).json()["data"]["trackstar_tags"] == ["t"]


BAD_BODIES: list[tuple[bytes, str]] = [
    (b"", "body"),
    (b"[]", "body"),
    (b"{", "body"),
    (b"\xff", "body"),
    (b"[" * 100_000, "body"),
    (b"{}", "trackstar_tags"),
    (b'{"trackstar_tags":null}', "trackstar_tags"),
    (b'{"trackstar_tags":"none"}', "trackstar_tags"),
    (b'{"trackstar_tags":"x"}', "trackstar_tags"),
    (b'{"trackstar_tags":["ok",""]}', "trackstar_tags.1"),
    (b'{"trackstar_tags":["NULL"]}', "trackstar_tags.0"),
    (b'{"trackstar_tags":[1]}', "trackstar_tags.0"),
    (b'{"trackstar_tags":[{"a":"b","c":"d"}]}', "trackstar_tags.0"),
    (b'{"trackstar_tags":[{}]}', "trackstar_tags.0"),
    (b'{"trackstar_tags":[{"a":1}]}', "trackstar_tags.0"),
    (b'{"trackstar_tags":["a\\u0000"]}', "trackstar_tags.0"),
    (b'{"trackstar_tags":["' + b"a" * 256 + b'"]}', "trackstar_tags.0"),
    (b'{"trackstar_tags":[],"x":null}', "x"),
    (b'{"trackstar_tags":["' + b"a" * (2 << 20) + b'"]}', "body"),
]


@pytest.mark.parametrize(("body", "field"), BAD_BODIES, ids=range(len(BAD_BODIES)))
async def test_a_malformed_body_is_a_422_that_names_the_field(
    client: httpx2.AsyncClient, body: bytes, field: str
) -> None:
    answer = await client.put("/cart/products/p1/trackstar-tags", content=body)
    assert answer.status_code == 422
    assert list(answer.json()["detail"]["json"]) == [field]


async def test_tags_of_a_missing_record_are_a_404(client: httpx2.AsyncClient, documents: dict[str, Any]) -> None:
    answer = await client.put("/cart/orders/no-such/trackstar-tags", json={"trackstar_tags": []})
    assert answer.status_code == 404
    assert answer.json()["id"] == "no-such"


async def test_a_read_only_key_reads_and_never_writes(
    client: httpx2.AsyncClient, documents: dict[str, Any], database: Database, organization: Organization
) -> None:
    key = await tenants.create_key(database, organization.id, "reader", read_only=True)
    headers = {"x-trackstar-api-key": key}
    assert (await client.get("/cart/orders", headers=headers)).status_code == 200
    answer = await client.put("/cart/products/p1/trackstar-tags", json={"trackstar_tags": ["x"]}, headers=headers)
    assert answer.status_code == 403
    assert (await client.get("/cart/products/p1")).json()["data"]["trackstar_tags"] == []
