"""How far back a first sync goes, and how far each run is."""

import time
from datetime import UTC, datetime

import pytest

from sync.platform import ScriptedPlatform, orders
from sync.test_runs import failing_before
from unicart.connectors.kit import PlatformUnavailable
from unicart.contract.resources import Function
from unicart.store import checkpoints, tenants
from unicart.store.checkpoints import Checkpoint
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tables import checkpoints as table
from unicart.store.tenants import Connection, Organization
from unicart.sync.run import Progress, sync_function

pytestmark = pytest.mark.anyio

DAY = 86400
THREE = [orders("1", "2"), orders("3", "4"), orders("5")]


class Shop:
    """A connection whose first sync pulls ``days`` of orders, and its platform."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self.platform = ScriptedPlatform(THREE)
        self._database = database
        self._connection = connection

    async def run(self, function: Function = Function.GET_ORDERS, *, full: bool = False) -> Progress:
        return await sync_function(self._database, self._connection, self.platform, function, full=full)

    async def state(self) -> Checkpoint:
        (found,) = await checkpoints.list_checkpoints(self._database, self._connection.key)
        return found

    async def later(self, seconds: int) -> None:
        """As if the runs so far had been ``seconds`` ago."""
        changed = {"started": table.c.started - seconds, "since": table.c.since - seconds}
        async with self._database.write() as transaction:
            where = table.c.connection_key == self._connection.key
            await transaction.execute(table.update().where(where).values(**changed))

    def fail_before(self, page: int) -> None:
        self.platform.before = failing_before(page, PlatformUnavailable("The shop is down."))


async def shop(database: Database, vault: Vault, organization: Organization, days: int | None) -> Shop:
    connection, _ = await tenants.add_connection(
        database,
        vault,
        organization_id=organization.id,
        integration_name="sandbox",
        account_name="Shop",
        credentials={},
        private_network=False,
        history_days=days,
    )
    return Shop(database, connection)


async def test_a_first_sync_goes_back_as_many_days_as_the_connection_says(
    database: Database, vault: Vault, organization: Organization
) -> None:
    limited = await shop(database, vault, organization, 7)
    before = int(time.time())
    await limited.run()
    (pull,) = limited.platform.pulls
    assert pull.since is not None
    assert before <= pull.since.timestamp() + 7 * DAY <= time.time()
    await limited.run()
    assert limited.platform.pulls[1].since is None


@pytest.mark.parametrize("failed_page", [0, 1])
async def test_runs_until_the_first_is_finished_share_one_window(
    database: Database, vault: Vault, organization: Organization, failed_page: int
) -> None:
    limited = await shop(database, vault, organization, 7)
    limited.fail_before(failed_page)
    await limited.run()
    await limited.later(5 * DAY)
    since = (await limited.state()).since
    assert since is not None
    for _ in range(2):
        await limited.run()
    limited.platform.before = None
    await limited.run()
    assert [pull.since for pull in limited.platform.pulls[1:]] == [datetime.fromtimestamp(since, UTC)] * 3


@pytest.mark.parametrize("days", [0, None])
async def test_without_a_window_everything_is_pulled(
    database: Database, vault: Vault, organization: Organization, days: int | None
) -> None:
    whole = await shop(database, vault, organization, days)
    await whole.run()
    assert whole.platform.pulls[0].since is None
    assert (await whole.state()).since is None


@pytest.mark.parametrize("function", [Function.GET_PRODUCTS, Function.GET_WAREHOUSES])
async def test_products_and_warehouses_have_no_window(
    database: Database, vault: Vault, organization: Organization, function: Function
) -> None:
    limited = await shop(database, vault, organization, 7)
    limited.platform.pages = [[]]
    await limited.run(function)
    assert limited.platform.pulls[0].since is None


async def test_a_full_sync_has_no_window_and_keeps_none_when_it_is_interrupted(
    database: Database, vault: Vault, organization: Organization
) -> None:
    limited = await shop(database, vault, organization, 7)
    limited.fail_before(1)
    await limited.run()
    await limited.run(full=True)
    await limited.run()
    assert [(pull.cursor, pull.since is None) for pull in limited.platform.pulls] == [
        (None, False),
        (None, True),
        ("1", True),
    ]


async def test_a_full_sync_that_is_the_first_has_no_window(
    database: Database, vault: Vault, organization: Organization
) -> None:
    limited = await shop(database, vault, organization, 7)
    limited.fail_before(0)
    await limited.run(full=True)
    await limited.run()
    assert [pull.since for pull in limited.platform.pulls] == [None, None]


async def test_progress_counts_pages_over_an_interruption_and_begins_anew_with_the_next_run(
    database: Database, vault: Vault, organization: Organization
) -> None:
    whole = await shop(database, vault, organization, 0)
    seen: list[tuple[int, int | None]] = []

    async def before(number: int) -> None:
        state = await whole.state()
        seen.append((state.pulled, state.expected))
        if number == 2 and len(whole.platform.pulls) == 1:
            raise PlatformUnavailable("The shop is down.")

    whole.platform.before = before
    await whole.run()
    await whole.run()
    done = await whole.state()
    assert seen == [(0, None), (2, 5), (4, 5), (4, 5)]
    assert (done.pulled, done.expected) == (5, 5)
    whole.platform.pages = [[]]
    await whole.run()
    assert (await whole.state()).pulled == 0
