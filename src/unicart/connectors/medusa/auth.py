"""Medusa's secret API key: the user name of HTTP Basic authentication, with an empty password."""

import base64
from collections.abc import Mapping

from unicart.connectors.kit import Account, Session
from unicart.connectors.medusa.payloads import Stores


def headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """The headers that go with every request."""
    pair = base64.b64encode(f"{credentials['api_key']}:".encode()).decode()
    return {"authorization": f"Basic {pair}"}


async def account(session: Session) -> Account:
    """The store behind the key.

    Raises:
        ConnectorError: the key is not accepted, or there is no Medusa at the URL.
    """
    stores = await session.get("/admin/stores", Stores, {"limit": 1})
    store = stores.stores[0]
    return Account(account_id=store.id, account_name=store.name)
