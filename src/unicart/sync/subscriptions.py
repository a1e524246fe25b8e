"""Subscriptions to platforms' webhooks: made when a shop is connected, kept up, and ended when it is removed."""

import asyncio
import logging
import time

import msgspec

from unicart import logs
from unicart.connectors.kit import Connector, ConnectorError
from unicart.connectors.registry import connector
from unicart.store import tenants
from unicart.store.database import Database, StoreUnavailable
from unicart.store.secrets import SecretError, Vault
from unicart.store.tenants import Connection
from unicart.sync.connect import Open, opened_connection

log = logging.getLogger(__name__)

EVERY = 3600
AGAIN = 60
RENEW_AFTER = 24 * 3600
AT_ONCE = 16


class Subscription(msgspec.Struct, frozen=True):
    """What a connector wants kept of its subscription to ``url``, ``made`` then (epoch seconds)."""

    url: str = ""
    kept: dict[str, str] = {}
    made: int = 0


def inbound_url(public_url: str, connection: Connection) -> str:
    """Where a connection's platform sends its webhooks."""
    return f"{public_url.rstrip('/')}/inbound/{connection.id}"


async def read(database: Database, vault: Vault, connection: Connection) -> Subscription:
    """The subscription of a connection; an empty one if there is none.

    Raises:
        SecretError: it was written with another key.
    """
    stored = await tenants.read_subscription(database, connection)
    if stored is None:
        return Subscription()
    return msgspec.convert(msgspec.json.decode(vault.decrypt(stored)["subscription"]), Subscription)


async def subscribe(
    database: Database, vault: Vault, connection: Connection, platform: Connector, public_url: str
) -> bool:
    """Subscribe to the platform's webhooks, if it has any and is not subscribed to; whether it was.

    A subscription to another URL is ended. One that is older than a day is made anew, because platforms switch webhooks off
    that failed for some time.

    Raises:
        ConnectorError: the platform refuses.
    """
    url = inbound_url(public_url, connection)
    old = await read(database, vault, connection)
    now = int(time.time())
    if not public_url or not platform.facts.webhooks or (old.url == url and old.made > now - RENEW_AFTER):
        return False
    if old.url not in ("", url):
        await _end(platform, old)
    made = Subscription(url, await platform.subscribe(url), now)
    text = msgspec.json.encode(made).decode()
    await tenants.write_subscription(database, connection, vault.encrypt({"subscription": text}))
    return True


async def _end(platform: Connector, old: Subscription) -> None:
    try:
        await platform.unsubscribe(old.kept)
    except ConnectorError as error:
        log.warning("The platform may go on to send webhooks to %s: %s", old.url, error)


async def unsubscribe(database: Database, vault: Vault, connection: Connection, platform: Connector) -> None:
    """End the subscription, if there is one.

    Raises:
        ConnectorError: the platform refuses.
    """
    subscription = await read(database, vault, connection)
    if subscription.url:
        await platform.unsubscribe(subscription.kept)


async def keep_subscribed(database: Database, vault: Vault, public_url: str, opened: Open = opened_connection) -> None:
    """Subscribe wherever that is missing, now and every hour, or in a minute where it failed, until cancelled."""
    while True:
        done = await subscribe_all(database, vault, public_url, opened)
        await asyncio.sleep(EVERY if done else AGAIN)


async def subscribe_all(database: Database, vault: Vault, public_url: str, opened: Open) -> bool:
    """Subscribe wherever that is missing, or leads to another URL than ours now; whether nothing failed."""
    try:
        known = await tenants.list_connections(database)
    except StoreUnavailable as error:
        log.error("Subscriptions cannot be read: %s", error)
        return False
    free = asyncio.Semaphore(AT_ONCE)

    async def attempt(connection: Connection) -> bool:
        logs.about(connection_id=connection.id)
        async with free:
            return await _subscribe(database, vault, connection, public_url, opened)

    return all(await asyncio.gather(*map(attempt, known)))


async def _subscribe(database: Database, vault: Vault, connection: Connection, public_url: str, opened: Open) -> bool:
    try:
        if not connector(connection.integration_name).facts.webhooks:
            return True
        async with opened(database, vault, connection) as platform:
            if await subscribe(database, vault, connection, platform, public_url):
                log.info("%s sends its webhooks to %s", connection.id, inbound_url(public_url, connection))
    except (ConnectorError, LookupError, SecretError, StoreUnavailable) as error:
        log.warning("%s sends no webhooks, and is polled only: %s", connection.id, error)
        return False
    return True
