"""What a connector keeps for a connection: values under keys, found again by key or in the order of their last change."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select

from unicart.store import records
from unicart.store.database import Database
from unicart.store.statements import insert_into
from unicart.store.tables import connector_state
from unicart.store.tenants import Connection

_c = connector_state.c


class State:
    """The state of one connection."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._key = connection.key

    async def read(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values under these keys, those that there are."""
        query = select(_c.key, _c.value).where(_c.connection_key == self._key, _c.key.in_(keys))
        return {row[0]: row[1] for row in await self._database.execute(query)}

    async def write(self, values: Mapping[str, bytes]) -> None:
        """Put values under their keys, all or none of them."""
        async with self._database.write() as transaction:
            await records.lock(transaction, self._key)
            newest = select(func.coalesce(func.max(_c.version), 0)).where(_c.connection_key == self._key)
            version = (await transaction.execute(newest))[0][0]
            for key, value in values.items():
                version += 1
                row = {"connection_key": self._key, "key": key, "version": version, "value": value}
                insert = insert_into(connector_state, self._database.dialect).values(**row)
                await transaction.execute(
                    insert.on_conflict_do_update(
                        index_elements=["connection_key", "key"], set_={"version": version, "value": value}
                    )
                )

    async def changed(self, prefix: str, after: int, limit: int) -> list[tuple[int, str, bytes]]:
        """The next values under keys that begin with ``prefix`` and that changed behind version ``after``."""
        query = (
            select(_c.version, _c.key, _c.value)
            .where(_c.connection_key == self._key, _c.version > after, _c.key.startswith(prefix, autoescape=True))
            .order_by(_c.version)
            .limit(limit)
        )
        return [(row[0], row[1], row[2]) for row in await self._database.execute(query)]
