"""WooCommerce's API keys: a consumer key and its secret, made in the shop's settings or granted on its wc-auth pages.

Over https they are the user name and the password of HTTP Basic authentication. Over plain http WooCommerce demands OAuth
1.0a without a token ("one-legged"), with its parameters in the query; it also takes that over https. Pure functions.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import msgspec

from unicart.connectors.kit import BadAnswer, HookRefused, PermissionMissing

DEFAULT_PORTS = {"http": 80, "https": 443}


class Grant(msgspec.Struct):
    """What WooCommerce posts to the callback URL when the merchant has approved. ``user_id`` is the one we sent."""

    user_id: str | int
    consumer_key: str
    consumer_secret: str
    key_permissions: str


def basic(credentials: Mapping[str, str]) -> dict[str, str]:
    """The headers that go with every request over https."""
    pair = f"{credentials['consumer_key']}:{credentials['consumer_secret']}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def signed(
    credentials: Mapping[str, str], method: str, url: str, parameters: Mapping[str, Any], nonce: str, timestamp: int
) -> dict[str, str]:
    """``parameters`` with those of OAuth 1.0a (RFC 5849), signed by HMAC-SHA256.

    ``url`` has no query, and is under the shop's own address: WooCommerce signs that, wherever the request was sent to.
    ``timestamp`` is in seconds since 1970. A ``nonce`` serves once.
    """
    sent = {name: str(value) for name, value in parameters.items()} | {
        "oauth_consumer_key": credentials["consumer_key"],
        "oauth_nonce": nonce,
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": str(timestamp),
    }
    pairs = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(sent.items()))
    text = "&".join(map(_quoted, (method.upper(), _normalized(url), pairs)))
    key = f"{_quoted(credentials['consumer_secret'])}&"
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    return sent | {"oauth_signature": base64.b64encode(digest).decode()}


def authorization_url(shop: str, *, app_name: str, user_id: str, return_url: str, callback_url: str) -> str:
    """Where the merchant approves that a key for reading and writing is made and posted to ``callback_url`` (https).

    ``user_id`` comes back with the key and to ``return_url``, and is all that proves them: it must not be guessable.
    """
    asked = {
        "app_name": app_name,
        "scope": "read_write",
        "user_id": user_id,
        "return_url": return_url,
        "callback_url": callback_url,
    }
    return f"{shop.rstrip('/')}/wc-auth/v1/authorize?{urlencode(asked)}"


def granted(body: bytes, user_id: str) -> dict[str, str]:
    """The credentials that were posted to the callback URL.

    Raises:
        BadAnswer: it is not what WooCommerce posts.
        HookRefused: it is for another ``user_id``.
        PermissionMissing: the key may not read.
    """
    try:
        grant = msgspec.json.decode(body, type=Grant)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(f"The shop posted something else than a consumer key: {error}") from error
    if not user_id or not hmac.compare_digest(str(grant.user_id).encode(), user_id.encode()):
        raise HookRefused("The consumer key belongs to another attempt to connect, or to none.")
    if "read" not in grant.key_permissions:
        raise PermissionMissing("The key may not read. Connect the shop again, and approve reading and writing.")
    return {"consumer_key": grant.consumer_key, "consumer_secret": grant.consumer_secret}


def was_approved(query: Mapping[str, str], user_id: str) -> bool:
    """Whether the merchant comes back to the return URL with an approval of this ``user_id``."""
    same = hmac.compare_digest(query.get("user_id", "").encode(), user_id.encode())
    return bool(user_id) and same and query.get("success") == "1"


def _normalized(url: str) -> str:
    """``url`` as RFC 5849 wants it: host in lower case, no default port."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    if parts.port and parts.port != DEFAULT_PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _quoted(text: str) -> str:
    return quote(text, safe="")
