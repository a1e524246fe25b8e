"""What the routes of integrations serve: the connectors that there are, what each needs and which fields it fills."""

from typing import Any, Literal

import msgspec

from unicart.contract.resources import Function
from unicart.contract.writes import WriteOperation


class CredentialField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the form that connects an account; never its value. ``default`` is used where it is left empty."""

    name: str
    label: str
    help: str
    kind: Literal["text", "url", "secret", "number"]
    required: bool
    default: str | None


class ListOperation(msgspec.Struct, frozen=True, kw_only=True):
    """A list that the integration fills.

    ``implemented_fields`` tells for each field of the record whether this integration ever fills it: true or false; of an
    object, an object of its fields; of a list of objects, a list with one such object; of a map, an object with the one
    name ``key``. An object or list that is never filled is false. It is read off the connector's own recorded payloads, so
    that a field which none of them shows is false.
    """

    action: Function
    url: str
    implemented_fields: dict[str, Any]


class IntegrationInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A connector that is installed.

    ``logo_url`` is empty: there are no logos. ``credentials`` is the form that connects an account. ``webhooks``: the platform tells of changes by itself.
    """

    integration_name: str
    display_name: str
    install_method: Literal["input", "oauth"]
    description: str
    logo_url: str
    write_operations: list[WriteOperation]
    list_operations: list[ListOperation]
    available_actions: list[str]
    credentials: list[CredentialField]
    webhooks: bool
