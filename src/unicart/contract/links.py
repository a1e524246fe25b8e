"""What the routes of the link dialog and of magic links answer with."""

from typing import Literal

import msgspec


class LinkToken(msgspec.Struct, frozen=True, kw_only=True):
    """Opens the link dialog once, within four hours."""

    link_token: str


class ExchangedConnection(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that the link dialog made, with its access token, which is shown this once.

    After a reinstall the token is a new one, and the connection's first token goes on working.
    """

    access_token: str
    connection_id: str
    integration_name: str
    customer_id: str | None
    available_actions: list[str]
    available_endpoints: list[str]


class MagicLinkObject(msgspec.Struct, frozen=True, kw_only=True):
    """A page on which a merchant connects shops until ``expires_at``.

    ``url`` is null if the secret key was changed since; the link that was sent out then still works. With
    ``connection_id``, that connection is reinstalled.
    """

    id: str
    url: str | None
    expires_at: str
    integration_type: Literal["cart"] = "cart"
    integration_allow_list: list[str]
    integration_block_list: list[str]
    integrations_with_endpoints: list[str]
    disabled_functions: list[str]
    customer_id: str | None
    connection_id: str | None


class MagicLinkDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The magic link ``id`` works no more."""

    id: str
    object: Literal["magic_link"] = "magic_link"
    deleted: bool = True
