"""Acme's way in: the API key goes with every request."""

from collections.abc import Mapping


def headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """The headers of every request."""
    return {"authorization": f"Bearer {credentials['api_key']}", "accept": "application/json"}
