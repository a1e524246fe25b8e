"""WooCommerce's statuses and codes, and what happens next.

401 means four things: an unknown key or one that a server in between has cut off (``…_cannot_view``), a wrong secret, a
replayed nonce, and a key that may not write (all three ``woocommerce_rest_authentication_error``). 403 is a known key whose
user lacks a capability.
"""

import json
import re
from collections.abc import Mapping

from unicart.connectors.kit import (
    ConnectorError,
    CredentialsRejected,
    Outcome,
    OutcomeUnknown,
    PermissionMissing,
    RequestRefused,
)

OUTCOMES: Mapping[int, Outcome] = {}

REFUND_REFUSED = "woocommerce_rest_cannot_create_order_refund"
"""Comes with the status 500, though nothing is refunded then."""
AUTHENTICATION_ERROR = "woocommerce_rest_authentication_error"
KEYS = "WooCommerce → Settings → Advanced → REST API"


def code(error: ConnectorError) -> str:
    """The code of a REST error, such as ``rest_no_route``; empty if the answer was none of the REST API."""
    found = re.search(r'"code"\s*:\s*"([^"]+)"', error.detail)
    return found[1] if found else ""


def explained(error: ConnectorError, method: str) -> ConnectorError:
    """``error`` as what it means at WooCommerce, with the remedy."""
    given = error.detail, error.url
    if isinstance(error, CredentialsRejected) and method != "GET" and code(error) == AUTHENTICATION_ERROR:
        return PermissionMissing(f"The API key may only read. Give it the permission Read/Write under {KEYS}.", *given)
    if isinstance(error, CredentialsRejected):
        return CredentialsRejected(
            f"{error.url} does not accept the consumer key and secret. Make new ones under {KEYS}, with at least the "
            "permission Read; and see that the connection's URL is the shop's Site Address (Settings → General).",
            *given,
        )
    if isinstance(error, PermissionMissing):
        return PermissionMissing(
            f"{error.url} is closed to the user whom the API key belongs to. Make a key for an administrator or shop "
            f"manager under {KEYS}.",
            *given,
        )
    if isinstance(error, RequestRefused) and error.status == 404 and code(error) == "rest_no_route":
        return RequestRefused(f"{error.url} does not exist. Is WooCommerce active in this WordPress?", *given, 404)
    if isinstance(error, RequestRefused) and error.status == 400 and "orderby" in error.detail:
        return RequestRefused("The shop cannot sort by the date of changes. Update WooCommerce.", *given, 400)
    return error


def refusal(error: ConnectorError) -> ConnectorError:
    """The ``error`` of a write in WooCommerce's own words, if it is a refusal."""
    found = re.search(r'"message"\s*:\s*("(?:[^"\\]|\\.)*")', error.detail)
    refused = isinstance(error, RequestRefused) or (isinstance(error, OutcomeUnknown) and code(error) == REFUND_REFUSED)
    if not refused or not found or not code(error):
        return error
    status = error.status if isinstance(error, RequestRefused) else 422
    return RequestRefused(f"WooCommerce refused it: {json.loads(found[1])}", error.detail, error.url, status)
