"""A connection is subscribed to its platform's webhooks when it is made, and no longer than it lasts."""

from collections.abc import Iterator

import pytest

from chaos.faults import CALM
from chaos.platform import Platform
from chaos.run import until
from product import Unicart

PUBLIC = "https://unicart.example.com"


def connect(unicart: Unicart, platform: Platform) -> str:
    given = platform.credentials
    return unicart.connect(
        "hostile", "--url", given["url"], "--client-id", given["client_id"], "--secret", given["secret"]
    )


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform(orders=3, rates=CALM) as running:
        yield running


def test_a_connection_subscribes_and_unsubscribes(unicart: Unicart, platform: Platform) -> None:
    unicart.environment["UNICART_PUBLIC_URL"] = f"{PUBLIC}/"
    id = connect(unicart, platform)
    assert [each.url for each in platform.subscriptions] == [f"{PUBLIC}/inbound/{id}"]
    assert unicart.show(id)["webhooks"] == f"{PUBLIC}/inbound/{id}"
    unicart.run("connection", "remove", id, "--yes")
    assert platform.subscriptions == []


def test_without_a_public_url_it_is_polled_only(unicart: Unicart, platform: Platform) -> None:
    id = connect(unicart, platform)
    assert platform.subscriptions == []
    assert unicart.show(id)["webhooks"] is None


def test_a_server_subscribes_where_that_is_missing_or_leads_elsewhere(unicart: Unicart, platform: Platform) -> None:
    id = connect(unicart, platform)
    for url in ("https://one.example.com", "https://other.example.com"):
        unicart.environment["UNICART_PUBLIC_URL"] = url
        inbound = f"{url}/inbound/{id}"
        with unicart.serving("--port", "0"):
            until(lambda: unicart.show(id)["webhooks"] == inbound)  # noqa: B023
        assert [each.url for each in platform.subscriptions] == [inbound]
