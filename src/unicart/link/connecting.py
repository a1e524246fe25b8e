"""From credentials to a connection: they are checked at the platform before anything is stored."""

import logging
import time
from collections.abc import Mapping

from unicart.connectors.kit import Account, ConnectorError
from unicart.connectors.registry import connector
from unicart.settings import Settings
from unicart.store import links, schedules, tenants
from unicart.store.database import Database, StoreUnavailable
from unicart.store.links import Session
from unicart.store.secrets import SecretError, Vault
from unicart.store.tenants import Connection
from unicart.sync import connect, subscriptions
from unicart.sync.worker import schedule
from unicart.tasks import Tasks

log = logging.getLogger(__name__)


class NotConnected(Exception):
    """The connection that was to be reinstalled is gone; the message is for the merchant."""


class Connecting:
    """Connects shops for dialogs."""

    def __init__(self, database: Database, vault: Vault, settings: Settings) -> None:
        self._database = database
        self._vault = vault
        self._settings = settings
        self._tasks = Tasks()

    @property
    def private_network(self) -> bool:
        """Whether merchants may name hosts on private addresses."""
        return self._settings.link_private_network

    async def connect(self, session: Session, integration_name: str, given: Mapping[str, str]) -> Connection:
        """The connection of a session, made or reinstalled with the credentials that were ``given``.

        Raises:
            InvalidCredentials: naming a field, or that they are another shop's than the one to reinstall.
            ConnectorError: the platform does not accept them.
            NotConnected: there is nothing to reinstall any more.
        """
        credentials = connect.complete_credentials(integration_name, given)
        account = await connect.check(integration_name, credentials, private_network=self.private_network)
        if session.connection_id is None:
            connection = await self._add(session, integration_name, account, credentials)
        else:
            connection = await self._reinstall(session, account, credentials)
        # Should nobody be there to take an auth code, the connection can still be exchanged by its id.
        await links.put_exchange(self._database, connection.key, reinstalled=session.connection_id is not None)
        await links.set_connected(self._database, session, connection)
        self._tasks.start(self._subscribe(connection))
        return connection

    async def reinstalled(self, session: Session) -> Connection | None:
        """The connection that a session reinstalls, if it is still there."""
        if session.connection_id is None:
            return None
        found = await tenants.find_connection(self._database, session.connection_id)
        return found if found and found.organization_id == session.organization_id else None

    async def known_values(self, connection: Connection) -> dict[str, str]:
        """What a connection's credentials hold that is no secret."""
        fields = connector(connection.integration_name).facts.credentials
        known = await tenants.read_credentials(self._database, self._vault, connection)
        return {field.name: known[field.name] for field in fields if field.kind != "secret" and field.name in known}

    async def hand_out(self, session: Session) -> str | None:
        """End a session that has succeeded: an auth code for the page that opened it, null for a page of our own."""
        key = await links.end_session(self._database, session)
        if key is None or not session.origin:
            return None
        return await links.put_code(self._database, key, reinstalled=session.connection_id is not None)

    async def _add(
        self, session: Session, integration_name: str, account: Account, credentials: dict[str, str]
    ) -> Connection:
        connection, _ = await tenants.add_connection(
            self._database,
            self._vault,
            organization_id=session.organization_id,
            integration_name=integration_name,
            account_id=account.account_id,
            account_name=account.account_name,
            credentials=credentials,
            private_network=self.private_network,
            customer_id=session.customer_id,
            history_days=self._settings.history_days,
            announced=True,
        )
        known = connector(integration_name).facts
        actions = {*(each.value for each in known.functions), *(each.value for each in known.write_functions)}
        disabled = [name for name in session.options.disabled_functions if name in actions]
        if disabled:
            await tenants.disable_functions(self._database, connection, disabled)
        await schedule(self._database, connection, int(time.time()))
        return connection

    async def _reinstall(self, session: Session, account: Account, credentials: dict[str, str]) -> Connection:
        connection = await self.reinstalled(session)
        if connection is None:
            raise NotConnected("This shop is not connected any more, so it cannot be reconnected.")
        if connection.account_id not in (None, account.account_id):
            # Records of both would mix.
            raise connect.InvalidCredentials(
                f"These credentials are for {account.account_name}, and the shop to be reconnected is "
                f"{connection.account_name}. Enter that one's, or connect the other as a new shop."
            )
        await links.reinstall(
            self._database,
            self._vault,
            connection,
            credentials,
            account_id=account.account_id,
            account_name=account.account_name,
            private_network=self.private_network,
        )
        functions = [each.function for each in await schedules.list_schedules(self._database, connection.key)]
        await schedules.make_due(self._database, connection.key, functions, int(time.time()))
        return connection

    async def _subscribe(self, connection: Connection) -> None:
        """Ask for the platform's webhooks; the worker tries again where that fails."""
        try:
            async with connect.opened_connection(self._database, self._vault, connection) as platform:
                await subscriptions.subscribe(
                    self._database, self._vault, connection, platform, self._settings.public_url
                )
        except (ConnectorError, SecretError, StoreUnavailable) as error:
            log.warning("%s sends no webhooks yet: %s", connection.id, error)
