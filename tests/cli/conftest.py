"""The product in an empty data directory, on each database in turn."""

from pathlib import Path

import pytest

from conftest import DATABASES, new_postgres_database
from product import Unicart


@pytest.fixture(params=DATABASES)
def fresh_url(request: pytest.FixtureRequest) -> str:
    """Where an empty store is to be made: nothing for SQLite in the data directory, or an empty PostgreSQL database."""
    if request.param == "postgresql":
        return new_postgres_database(request.getfixturevalue("postgres"))
    return ""


@pytest.fixture
def unicart(tmp_path: Path, fresh_url: str) -> Unicart:
    return Unicart(tmp_path / "data", fresh_url)
