"""One PostgreSQL for the whole session, and a fresh database in it for each test that asks for one."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.postgres import Database, Postgres, fresh_database, private_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A private server. A test that kills, stops or pauses it leaves it running; one that cannot has a server of its own."""
    with private_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """An empty database, dropped afterwards."""
    with fresh_database(postgres, f"test_{uuid4().hex[:12]}") as made:
        yield made
