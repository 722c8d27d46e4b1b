"""A lease is one's at a time, by the database's clock; its holder never believes in it for longer than that."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from probe.fleet.lease import Lease, keep
from tests.core.world import rules_of
from tests.fleet.judging import Fleet, fleet_in
from tests.postgres import Database, Postgres, fresh_database

TTL = timedelta(seconds=6)


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[Database]:
    with fresh_database(postgres, f"shared_{uuid4().hex[:12]}") as made:
        yield made


@pytest.fixture
def database(shared: Database) -> Database:
    """One for all tests of this file, which begin by emptying it: that takes less than to make another."""
    return shared


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def lease(fleet: Fleet, holder: str, clock: Hands | None = None) -> Lease:
    return Lease(fleet.hub, "delivery", holder, ttl=TTL, clock=clock or Hands())


async def expire(fleet: Fleet) -> None:
    """Let the database believe that its time is over."""
    await fleet.ask(
        "UPDATE probe.leases SET until = clock_timestamp() - interval '1 s' WHERE name = 'delivery' RETURNING 1"
    )


async def test_one_has_it_at_a_time(database: Database) -> None:
    async with fleet_in(database, rules_of()) as fleet:
        first, second = lease(fleet, "a"), lease(fleet, "b")
        assert await first.acquire()
        assert not await second.acquire()
        assert (first.epoch, second.epoch) == (1, None)
        assert not second.held
        assert await first.renew()
        await first.release()
        assert not first.held
        assert await second.acquire()
        assert second.epoch == 2


async def test_it_runs_out_unless_renewed(database: Database) -> None:
    """Who comes back after it ran out, and was taken, has lost it; who comes back before it was taken, has it still."""
    async with fleet_in(database, rules_of()) as fleet:
        first, second = lease(fleet, "a"), lease(fleet, "b")
        assert await first.acquire()
        await expire(fleet)
        assert await first.renew()
        await expire(fleet)
        assert await second.acquire()
        assert not await first.renew()
        assert not first.held
        assert not await first.renew(), "without asking anybody"


async def test_of_many_one_gets_it(database: Database) -> None:
    async with fleet_in(database, rules_of()) as fleet:
        leases = [lease(fleet, f"node {number}") for number in range(6)]
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(one.acquire()) for one in leases]
        assert [task.result() for task in asked].count(True) == 1


async def test_a_holder_that_was_stopped_does_not_rely_on_it(database: Database) -> None:
    """Its own clock counts from before it asked: it gives up no later than the database does."""
    async with fleet_in(database, rules_of()) as fleet:
        clock = Hands()
        mine = lease(fleet, "a", clock)
        assert not mine.held
        await mine.acquire()
        clock.at += 5.4
        assert 0 < mine.left < 0.2
        clock.at += 0.2
        assert mine.left == 0, "not any more"


async def test_keeping_it_ends_when_it_is_lost(database: Database) -> None:
    async with fleet_in(database, rules_of()) as fleet:
        clock = Hands()
        first, second = lease(fleet, "a", clock), lease(fleet, "b")
        await first.acquire()
        await expire(fleet)
        await second.acquire()
        clock.at += 5.0  # not much of it is left, so that it is looked at soon
        await keep(first)
        assert not first.held, "another one has it"
        await keep(first)  # at once: there is nothing to keep


async def test_keeping_it_ends_when_the_database_is_away(database: Database) -> None:
    async with fleet_in(database, rules_of()) as fleet:
        clock = Hands()
        mine = lease(fleet, "a", clock)
        await mine.acquire()
        clock.at += 5.2
        database.server.stop()
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(keep(mine))
            await asyncio.sleep(0.5)
            assert not keeping.done(), "it is asked again and again"
            clock.at += 1.0
        assert not mine.held
        database.server.start()
