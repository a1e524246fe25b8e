"""BigCommerce's statuses and limits, and what happens next."""

from collections.abc import Mapping

from unicart.connectors.kit import Outcome, PermissionMissing

OUTCOMES: Mapping[int, Outcome] = {}

REMAINING = "x-rate-limit-requests-left"
RESET = "x-rate-limit-time-reset-ms"
RESERVE = 4
"""Requests of the quota that are left to the store's other apps, and to those of ours that are under way."""

SCOPES = {
    "/v2/store": "Information & Settings: read-only (store_v2_information_read_only)",
    "/v2/orders": "Orders: read-only (store_v2_orders_read_only)",
    "/v3/orders": "Orders: read-only (store_v2_orders_read_only)",
    "/v3/catalog": "Products: read-only (store_v2_products_read_only)",
    "/v3/inventory/items": "Store Inventory: read-only (store_inventory_read_only)",
    "/v3/inventory/locations": "Store Locations: read-only (store_locations_read_only)",
}
"""The OAuth scope that reading a path needs, by how the path begins."""

WRITE_SCOPES = {
    "/v2/orders": "Orders: modify (store_v2_orders)",
    "/v3/orders": "Orders: modify (store_v2_orders)",
    "/v3/inventory": "Store Inventory: modify (store_inventory)",
}
"""The OAuth scope that writing to a path needs."""


def told_wait(status: int, headers: Mapping[str, str]) -> int | None:
    """The whole seconds until the quota is renewed, if it is used up; null if it is not, or BigCommerce does not tell."""
    try:
        left, reset = int(headers.get(REMAINING, "")), int(headers.get(RESET, ""))
    except ValueError:
        return None
    return -(-max(reset, 0) // 1000) if status == 429 or left <= RESERVE else None


def with_scope(error: PermissionMissing, path: str, scopes: Mapping[str, str] = SCOPES) -> PermissionMissing:
    """``error`` with the scope that is missing, and how to add it."""
    scope = next((scope for start, scope in scopes.items() if path.startswith(start)), "")
    if not scope:
        return error
    message = (
        f"The access token lacks the scope {scope}. Scopes of an API account cannot be changed: make a new one with all "
        "scopes in the control panel, or add the scope to the app and have the store accept it, and renew the token here."
    )
    return PermissionMissing(message, error.detail, error.url)
