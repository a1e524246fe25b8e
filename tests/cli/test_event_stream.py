"""The change feed as server-sent events, from a running server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from product import demo


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx2.Client]:
    with demo(tmp_path / "data", "--orders", "20", "--no-rate-limit") as access:
        headers = {"x-trackstar-api-key": access["api_key"], "x-trackstar-access-token": access["access_token"]}
        with httpx2.Client(base_url=access["base_url"], headers=headers, timeout=30) as opened:
            yield opened


def frames(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Events of a stream; comments are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line and "data" in fields:
            event = json.loads(fields["data"])
            assert (fields["id"], fields["event"]) == (event["id"], event["event_type"])
            yield event
        if not line:
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def tag(client: httpx2.Client, id: str, text: str) -> None:
    client.put(f"/cart/orders/{id}/trackstar-tags", json={"trackstar_tags": [text]}).raise_for_status()


def test_changes_are_sent_as_they_happen_and_a_stream_goes_on_where_it_ended(client: httpx2.Client) -> None:
    first, second, third = (order["id"] for order in client.get("/cart/orders", params={"limit": 3}).json()["data"])
    headers = {"accept": "text/event-stream", "accept-encoding": "gzip, zstd"}
    with client.stream("GET", "/events", params={"after": "latest"}, headers=headers) as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        assert "content-encoding" not in stream.headers
        found = frames(stream.iter_lines())
        tag(client, first, "a")
        assert next(found)["data"]["id"] == first
        tag(client, second, "b")
        event = next(found)
        assert (event["data"]["id"], event["data"]["trackstar_tags"]) == (second, ["b"])
    tag(client, third, "c")
    with client.stream("GET", "/events", headers={**headers, "last-event-id": event["id"]}) as stream:
        assert next(frames(stream.iter_lines()))["data"]["id"] == third


def test_a_first_sync_is_told_as_one_event(client: httpx2.Client) -> None:
    events = client.get("/events").json()["data"]
    assert {event["event_type"] for event in events} == {"connection.historical-sync-completed"}
    assert sorted(event["data"]["resource"] for event in events) == ["orders", "products", "warehouses"]
    (orders,) = [event["data"] for event in events if event["data"]["resource"] == "orders"]
    listed = client.get("/cart/orders").json()["data"]
    assert (orders["oldest_data_date"], orders["newest_data_date"]) == (
        listed[0]["created_date"],
        listed[-1]["created_date"],
    )
