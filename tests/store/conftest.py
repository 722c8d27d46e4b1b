"""A PostgreSQL for the tests of the store: one server, with the database of a fleet that each test finds empty."""

import asyncio
from collections.abc import Iterator

import pytest

from probe.core.secret import Secret
from probe.fleet.hub import Hub
from probe.fleet.install import install
from tests.postgres import Database, fresh_database, private_postgres

EMPTY = """
DO $$
DECLARE v_table text;
BEGIN
    FOR v_table IN
        SELECT oid::regclass::text FROM pg_class
        WHERE relnamespace = 'probe'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
            AND relname NOT IN ('versions', 'leases')
    LOOP
        EXECUTE 'DELETE FROM ' || v_table;
    END LOOP;
END $$;
ALTER SEQUENCE probe.run_numbers RESTART WITH 1
"""
"""Several times as fast as a database made anew, or as TRUNCATE."""


async def _install(url: str) -> None:
    hub = Hub(Secret(url), node="test")
    await install(hub)
    await hub.close()


@pytest.fixture(scope="session")
def only_fleet() -> Iterator[Database]:
    """A server with the database of a fleet."""
    with private_postgres() as server, fresh_database(server, "fleet") as made, asyncio.Runner() as runner:
        runner.run(_install(made.url()))
        yield made


@pytest.fixture
def fleet(only_fleet: Database) -> Iterator[Database]:
    """The database of a fleet in which nothing has happened yet."""
    yield only_fleet
    only_fleet.psql(EMPTY)
