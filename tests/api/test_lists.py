"""GET lists: filters, pages, tokens, NDJSON, compression and methods, as a client sees them."""

import gzip
import random
from typing import Any

import httpx2
import msgspec
import pytest
import zstandard

from reference import expected_ids
from unicart.contract.filters import Kind
from unicart.contract.resources import ORDERS, RESOURCES
from unicart.store import tenants
from unicart.store.database import Database, StoreUnavailable
from unicart.store.secrets import Vault
from unicart.store.tenants import Organization

pytestmark = pytest.mark.anyio

NDJSON = {"accept": "application/x-ndjson"}


async def ids(client: httpx2.AsyncClient, query: list[tuple[str, str]]) -> list[str]:
    answer = await client.get("/cart/orders", params=tuple(query))
    assert answer.status_code == 200, answer.text
    return [order["id"] for order in answer.json()["data"]]


async def test_a_page_has_the_envelope_and_the_stored_records(
    client: httpx2.AsyncClient, documents: dict[str, Any]
) -> None:
    answer = await client.get("/cart/orders")
    body = answer.json()
    assert list(body) == ["data", "next_token", "total_count"]
    assert body["next_token"] is None
    assert body["total_count"] == len(body["data"]) == len(documents)
    assert {order["id"]: order for order in body["data"]} == documents
    assert answer.headers["content-type"] == "application/json"


async def test_an_empty_result_is_an_empty_page(client: httpx2.AsyncClient, documents: dict[str, Any]) -> None:
    answer = await client.get("/cart/orders", params={"order_number": "no such"})
    assert answer.json() == {"data": [], "next_token": None, "total_count": 0}


@pytest.mark.parametrize("limit", [1, 99, 300, 1000])
async def test_following_next_token_gives_every_order_once(
    client: httpx2.AsyncClient, documents: dict[str, Any], limit: int
) -> None:
    query = [("limit", str(limit)), ("status[nin]", "cancelled,exception")]
    found: list[str] = []
    token: str | None = None
    while token or not found:
        page = (await client.get("/cart/orders", params=[*query, *([("page_token", token)] if token else [])])).json()
        assert page["total_count"] == len(page["data"]) <= limit
        found += [order["id"] for order in page["data"]]
        token = page["next_token"]
    assert found == expected_ids(documents, query[1:])


async def test_bare_is_eq_and_in_takes_commas_or_repetition(
    client: httpx2.AsyncClient, documents: dict[str, Any]
) -> None:
    assert await ids(client, [("status", "open")]) == await ids(client, [("status[eq]", "open")])
    both = expected_ids(documents, [("status[in]", "open,fulfilled")])
    assert await ids(client, [("status[in]", "open,fulfilled")]) == both
    assert await ids(client, [("status[in]", "open"), ("status[in]", "fulfilled")]) == both


async def test_neq_and_nin_keep_null(client: httpx2.AsyncClient, documents: dict[str, Any]) -> None:
    without = {id for id, order in documents.items() if order["warehouse_customer_id"] is None}
    assert without <= set(await ids(client, [("warehouse_customer_id[neq]", "ada")]))
    assert without <= set(await ids(client, [("warehouse_customer_id[nin]", "ada,bob")]))


async def test_ids_ignores_every_other_parameter_valid_or_not(
    client: httpx2.AsyncClient, documents: dict[str, Any]
) -> None:
    wanted = random.Random(1).sample(sorted(documents), 5)
    rest = [("limit", "0"), ("page_token", "bad"), ("status", "no such"), ("nonsense", "1"), ("created_date", "x")]
    assert set(await ids(client, [("ids[in]", ",".join(wanted)), *rest])) == set(wanted)
    assert set(await ids(client, [*(("ids[in]", id) for id in wanted), *rest])) == set(wanted)


BAD = [
    ("limit", "0"), ("limit", "1001"), ("limit", "-1"), ("limit", ""), ("limit", "1.0"), ("limit", "ten"), ("limit", "٣"),
    ("page_token", "abc"), ("page_token", ""), ("page_token", "a.b"), ("page_token", "é"),
    ("created_date", "2022-01-01"), ("created_date[gt]", "2022-01-01T00:00:00+00:00"), ("updated_date[lt]", "2022-02-30T00:00:00Z"),
    ("created_date[gte]", "2022-01-01T00:00:00.000Z"), ("updated_date[in]", "2022-01-01T00:00:00Z,"), ("created_date", "0000-01-01T00:00:00Z"),
    ("status", "Open"), ("status[in]", "open,nonsense"), ("status[contains]", "open"), ("status", ""),
    ("warehouse_customer_id[gt]", "a"), ("warehouse_customer_id", ""), ("warehouse_customer_id[in]", ""), ("warehouse_customer_id", "a\x00"),
    ("order_number[neq]", "1"), ("order_number[nin]", ",,"), ("trackstar_tags", "x"), ("trackstar_tags[eq]", "x"), ("trackstar_tags[contains]", ""),
    ("nonsense", "1"), ("created_date[bad]", "2022-01-01T00:00:00Z"), ("[gt]", "1"), ("", "1"), ("status[", "open"), ("ids", "1"),
    ("ids[in]", ""), ("ids[in]", ",".join(map(str, range(101)))), ("status[in]", ",".join(map(str, range(101)))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD)
async def test_each_malformed_parameter_is_a_422_that_names_it(
    client: httpx2.AsyncClient, name: str, value: str
) -> None:
    answer = await client.get("/cart/orders", params=[(name, value)])
    body = answer.json()
    assert answer.status_code == 422
    assert list(body["detail"]["query"]) == [name]
    assert body["origin"] == "trackstar"
    assert name in body["error"]


async def test_a_parameter_given_twice_is_named(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/cart/orders", params=[("status", "open"), ("status", "other"), ("limit", "x")])
    assert set(answer.json()["detail"]["query"]) == {"status", "limit"}


async def test_order_filters_are_unknown_to_products(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/cart/products", params={"status": "open"})
    assert answer.status_code == 422
    assert "status" in answer.json()["detail"]["query"]


async def test_a_token_is_good_for_its_own_connection_resource_and_order_only(
    client: httpx2.AsyncClient, documents: dict[str, Any], database: Database, vault: Vault, organization: Organization
) -> None:
    token = (await client.get("/cart/orders", params={"limit": 2})).json()["next_token"]
    assert (await client.get("/cart/orders", params={"page_token": token})).status_code == 200
    _, other = await tenants.add_connection(
        database,
        vault,
        organization_id=organization.id,
        integration_name="sandbox",
        account_name="Other",
        credentials={},
        private_network=False,
    )
    tampered = [
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        token[1:],
        "x" + token,
        token + "x",
        token[: len(token) // 2],
    ]
    attempts: list[tuple[str, dict[str, str], dict[str, str]]] = [
        ("/cart/orders", {"page_token": token}, {"x-trackstar-access-token": other}),
        ("/cart/products", {"page_token": token}, {}),
        ("/cart/orders", {"page_token": token, "updated_date[gt]": "2020-01-01T00:00:00Z"}, {}),
        *(("/cart/orders", {"page_token": bad}, {}) for bad in tampered),
    ]
    for path, params, headers in attempts:
        answer = await client.get(path, params=params, headers=headers)
        assert answer.status_code == 422, (path, params)
        assert list(answer.json()["detail"]["query"]) == ["page_token"]


async def test_lower_bounds_choose_the_order_of_results(client: httpx2.AsyncClient, documents: dict[str, Any]) -> None:
    early = "2000-01-01T00:00:00Z"
    for query in (
        [],
        [("updated_date[gte]", early)],
        [("trackstar_updated_date[gt]", early)],
        [("updated_date[gt]", early), ("created_date[gt]", early)],
        [("updated_date[lt]", "2100-01-01T00:00:00Z")],
    ):
        assert await ids(client, query) == expected_ids(documents, query)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
async def test_every_declared_parameter_is_accepted(
    client: httpx2.AsyncClient, documents: dict[str, Any], resource: Any
) -> None:
    for field in resource.filters.fields:
        for name, _ in field.parameters():
            value = "team:1" if field.kind is Kind.TAGS else field.example
            answer = await client.get(resource.path, params={name: value})
            assert answer.status_code == 200, name


async def test_ndjson_streams_everything_that_matches(client: httpx2.AsyncClient, documents: dict[str, Any]) -> None:
    for query in ([], [("status[neq]", "open")], [("limit", "3")], [("ids[in]", next(iter(documents)))]):
        answer = await client.get("/cart/orders", params=tuple(query), headers=NDJSON)
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = [msgspec.json.decode(line) for line in answer.text.splitlines()]
        filters = [
            ("id[in]", query[0][1]) if name == "ids[in]" else (name, value) for name, value in query if name != "limit"
        ]
        assert [order["id"] for order in lines] == expected_ids(documents, filters)
        assert all(order == documents[order["id"]] for order in lines)
    assert (await client.get("/cart/orders", params={"status": "bad"}, headers=NDJSON)).status_code == 422


async def test_a_stream_that_cannot_begin_is_a_503(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def locked(*_: Any) -> None:
        raise StoreUnavailable("The database is locked.")

    monkeypatch.setattr("unicart.api.records.Walk.page", locked)
    answer = await client.get("/cart/orders", headers=NDJSON)
    assert answer.status_code == 503
    assert answer.json() == {"error": "The database is locked.", "origin": "trackstar"}


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_compressed_answers_are_one_member_with_the_same_content(
    client: httpx2.AsyncClient, documents: dict[str, Any], accept: str
) -> None:
    plain = (await client.get("/cart/orders", headers={"accept": accept, "accept-encoding": "identity"})).content
    for accepted, coding in (
        ("gzip", "gzip"),
        ("br, zstd;q=0.5, gzip", "zstd"),
        ("gzip;q=0, zstd", "zstd"),
        ("*", "gzip"),
    ):
        request = client.build_request("GET", "/cart/orders", headers={"accept": accept, "accept-encoding": accepted})
        answer = await client.send(request, stream=True)
        raw = b"".join([part async for part in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == coding
        assert "accept-encoding" in answer.headers["vary"]
        if coding == "gzip":
            assert gzip.decompress(raw) == plain
        else:
            decoder = zstandard.ZstdDecompressor().decompressobj()
            assert decoder.decompress(raw) == plain
            assert not decoder.unused_data
    answer = await client.get("/cart/orders", headers={"accept-encoding": "br, gzip;q=0"})
    assert "content-encoding" not in answer.headers


async def test_head_options_and_other_methods(client: httpx2.AsyncClient, documents: dict[str, Any]) -> None:
    head = await client.head("/cart/orders", params={"limit": 1})
    whole = await client.get("/cart/orders", params={"limit": 1}, headers={"accept-encoding": "identity"})
    assert head.status_code == 200
    assert head.headers["content-length"] == str(len(whole.content))
    options = await client.options("/cart/orders")
    assert options.status_code == 204
    assert set(options.headers["allow"].replace(" ", "").split(",")) == {"GET", "HEAD", "OPTIONS"}
    wrong = await client.delete("/cart/orders")
    assert wrong.status_code == 405
    assert "GET" in wrong.headers["allow"]
    assert wrong.json()["origin"] == "trackstar"


async def test_products_and_warehouses_are_listed_alike(client: httpx2.AsyncClient, documents: dict[str, Any]) -> None:
    for path, count in (("/cart/products", 30), ("/cart/warehouses", 3)):
        body = (await client.get(path)).json()
        assert body["total_count"] == count
        keys = [(record["created_date"], record["id"]) for record in body["data"]]
        assert keys == sorted(keys)


def test_the_reference_page_lists_33_headers_and_parameters() -> None:
    names = {name for field in ORDERS.filters.fields for name, _ in field.parameters()}
    of_the_page = [name for name in names if name.startswith(("created_", "updated_", "status", "warehouse_"))]
    assert len(of_the_page) + len({"ids[in]", "limit", "page_token"}) + 2 == 33
