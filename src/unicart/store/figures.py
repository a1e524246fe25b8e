"""Figures for charts. Every statement looks at a bounded range of an index, so that none holds up other readers."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select

from unicart.store.database import Database
from unicart.store.tables import orders

DAY = 86400


async def orders_of_days(database: Database, keys: Collection[int], days: Sequence[int]) -> list[int]:
    """How many orders of these connections were created on each of the days that begin at ``days`` (epoch seconds)."""
    c = orders.c
    found = []
    for day in days:
        query = select(func.count()).where(c.connection_key.in_(keys), c.created >= day, c.created < day + DAY)
        found.append(int((await database.execute(query))[0][0]))
    return found
