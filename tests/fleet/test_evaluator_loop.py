"""An evaluator in its loop: by the real clock, woken by the database, and while that is away."""

import asyncio

from probe.core.check import CheckId
from probe.core.rules import Objective
from probe.core.run import Control, Outcome
from tests.core.world import rules_of, watched
from tests.fleet.judging import eventually, fleet_in
from tests.postgres import Database

REGIONS = ("ap", "eu", "us")
SLO = Objective(name="checkout", checks=frozenset({CheckId("checkout")}), target=0.99)
RULES = rules_of(
    watched(regions=REGIONS),
    watched("search", "search.example", regions=REGIONS),
    objectives=[SLO],
    controls={region: CheckId(f"control {region}") for region in REGIONS},
)


async def test_it_judges_as_things_come(database: Database) -> None:
    """By the real clock, woken by the database; a control sample that was well is part of the proof."""
    async with fleet_in(database, RULES) as fleet, asyncio.TaskGroup() as group:
        evaluator, stop = fleet.evaluator(), asyncio.Event()
        group.create_task(evaluator.run(stop))
        async with fleet.hub.transaction() as connection:
            now = await fleet.server_now(connection)
        well = Control(well=True, at=now, seconds=0.1, text="the anchor answered")
        await fleet.deliver(fleet.run(Outcome.FAILED, at=now, control=well))

        async def is_asked() -> bool:
            return bool(await fleet.ask("SELECT 1 FROM probe.asks"))

        await eventually(is_asked)
        assert await fleet.waiting() == 0
        assert evaluator.judged == 1
        assert evaluator.trouble is None
        stop.set()


async def test_the_database_goes_away_and_comes_back(database: Database) -> None:
    async with fleet_in(database, RULES) as fleet, asyncio.TaskGroup() as group:
        evaluator, stop = fleet.evaluator(), asyncio.Event()
        group.create_task(evaluator.run(stop))
        await asyncio.to_thread(database.server.stop)
        await eventually(lambda: _says(evaluator.trouble is not None))
        await asyncio.to_thread(database.server.start)
        async with fleet.hub.transaction() as connection:
            now = await fleet.server_now(connection)
        await fleet.deliver(fleet.run(at=now))
        await eventually(lambda: _says(evaluator.judged == 1))
        assert evaluator.trouble is None
        stop.set()


async def _says(value: bool) -> bool:
    return value
