"""The operator's password and sessions, on both databases."""

import pytest

from unicart.store import operators
from unicart.store.database import open_database
from unicart.store.migrate import migrate

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000


async def test_the_password_is_made_once_and_a_change_ends_all_sessions(fresh_url: str) -> None:
    migrate(fresh_url)
    database = await open_database(fresh_url)
    made = await operators.ensure_password(database, "", NOW)
    assert made is not None
    assert await operators.ensure_password(database, "", NOW) is None
    assert await operators.check_password(database, made)
    session = await operators.begin_session(database, NOW)
    assert await operators.has_session(database, session, NOW)
    assert not await operators.has_session(database, session, NOW + operators.SESSION_SECONDS)
    assert await operators.ensure_password(database, "given by the environment", NOW) is None
    assert not await operators.check_password(database, made)
    assert await operators.check_password(database, "given by the environment")
    assert not await operators.has_session(database, session, NOW)
    await database.close()
