"""Quarantined records, mapped again: what was refused once may be understood by a later version of Unicart."""

import msgspec

from unicart.connectors.kit import Connector
from unicart.store import quarantine, records
from unicart.store.database import Database
from unicart.store.tenants import Connection
from unicart.sync.pages import map_page, save_page

PAGE = 100


class Retried(msgspec.Struct):
    """How many quarantined records could be mapped, and how many still cannot."""

    stored: int = 0
    refused: int = 0


async def retry(
    database: Database,
    connection: Connection,
    platform: Connector,
    now: int,
    *,
    refused_by_other_than: str | None = None,
) -> Retried:
    """Map the quarantined records of a connection again, and store and announce those that can be mapped.

    With ``refused_by_other_than``, only those that another version of Unicart could not map.
    """
    done = Retried()
    for function in platform.facts.functions:
        after = ""
        while True:
            # Mapped in the transaction that holds them, so that no run replaces one with a later version meanwhile.
            async with database.write() as transaction:
                await records.lock(transaction, connection.key)
                held = await quarantine.take(
                    transaction,
                    connection.key,
                    function.value,
                    after=after,
                    limit=PAGE,
                    refused_by_other_than=refused_by_other_than,
                )
                page = map_page(connection, platform, function, [(each.raw_key, each.raw) for each in held])
                await save_page(transaction, connection, function, page, now, announced=True)
            done.refused += len(page.refused)
            done.stored += len(held) - len(page.refused)
            if len(held) < PAGE:
                break
            after = held[-1].raw_key
    return done
