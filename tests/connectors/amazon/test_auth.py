"""How a public application comes to a seller's refresh token."""

from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.amazon.shop import CREDENTIALS, fake_amazon
from unicart.connectors.amazon import auth
from unicart.connectors.kit import CredentialsRejected

APPLICATION = "amzn1.sp.solution.1"
CALLBACK = {"state": "s/1", "selling_partner_id": "A1EXAMPLE", "spapi_oauth_code": "ANcode"}


def test_the_seller_is_sent_to_seller_central() -> None:
    url = auth.authorization_url(
        auth.SELLER_CENTRAL["eu"], APPLICATION, "s/1", redirect_uri="https://us/?a=b", draft=True
    )
    parts = urlsplit(url)
    assert (parts.netloc, parts.path) == ("sellercentral-europe.amazon.com", "/apps/authorize/consent")
    assert parse_qs(parts.query) == {
        "application_id": [APPLICATION],
        "state": ["s/1"],
        "redirect_uri": ["https://us/?a=b"],
        "version": ["beta"],
    }


def test_a_published_application_is_no_draft() -> None:
    url = auth.authorization_url(auth.SELLER_CENTRAL["na"], APPLICATION, "s")
    assert url == f"https://sellercentral.amazon.com/apps/authorize/consent?application_id={APPLICATION}&state=s"


def test_the_callback_brings_code_and_seller() -> None:
    assert auth.read_callback(CALLBACK, "s/1") == auth.Grant("ANcode", "A1EXAMPLE")


@pytest.mark.parametrize(
    ("query", "state"),
    [
        (CALLBACK, "another"),
        (CALLBACK | {"state": ""}, ""),
        (CALLBACK | {"state": "ü"}, "s/1"),
        ({"state": "s/1", "selling_partner_id": "A1EXAMPLE"}, "s/1"),
        ({"state": "s/1", "spapi_oauth_code": "ANcode"}, "s/1"),
        ({}, "s/1"),
    ],
)
def test_a_callback_that_was_not_asked_for_is_refused(query: dict[str, str], state: str) -> None:
    with pytest.raises(CredentialsRejected):
        auth.read_callback(query, state)


@pytest.mark.anyio
async def test_the_code_is_exchanged_for_a_refresh_token() -> None:
    async with fake_amazon() as (fake, connector):
        given = {**CREDENTIALS, "login_url": f"{fake.url}/auth/o2/token"}
        assert await auth.exchange(connector.session, given, "ANcode", "https://us/") == CREDENTIALS["refresh_token"]
        assert fake.logins[0]["redirect_uri"] == "https://us/"
        with pytest.raises(CredentialsRejected, match="Authorize the application again"):
            await auth.exchange(connector.session, given, "spent", "https://us/")
