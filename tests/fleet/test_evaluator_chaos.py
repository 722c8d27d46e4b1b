"""Whoever judges, in whatever turns, and whatever is killed on the way: it ends as if one had judged in peace."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Literal

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from probe.core.check import CheckId
from probe.core.evaluate import Event, Tick, evaluate
from probe.core.rules import Objective, Rules
from probe.core.run import Control, Outcome, Run, Why
from probe.core.secret import Secret
from probe.core.state import Change, State
from probe.errors import StoreUnavailable
from probe.fleet import turn
from probe.fleet.evaluator import Evaluator
from probe.fleet.hub import Hub
from tests.core.builders import NOW
from tests.core.world import rules_of, watched
from tests.fleet.judging import Fleet, eventually, fleet_in, until_idle
from tests.postgres import Database

REGIONS = ("ap", "eu", "us")
CHECKS = ("api", "checkout", "search")
RULES = rules_of(
    watched("checkout", regions=REGIONS, every=timedelta(seconds=20)),
    watched("api", regions=REGIONS, every=timedelta(seconds=20)),
    watched("search", "search.example", regions=REGIONS, every=timedelta(seconds=20)),
    objectives=[
        Objective(name="buy", checks=frozenset(map(CheckId, ("api", "checkout"))), target=0.99),
        Objective(name="find", checks=frozenset({CheckId("search")}), target=0.99),
    ],
    controls={region: CheckId(f"control {region}") for region in REGIONS},
)
ROWS = {
    "incidents": "SELECT id, cause, opened, resolved, body FROM probe.incidents ORDER BY 1",
    "timeline": "SELECT incident, at, what, text, run FROM probe.timeline ORDER BY incident, seq",
    "ledger": "SELECT * FROM probe.ledger ORDER BY 1, 2, 3",
    "outbox": "SELECT key, channel, incident, reason, number, created, message FROM probe.outbox ORDER BY 1",
    "state": "SELECT * FROM probe.state ORDER BY 1, 2",
    "runs": "SELECT id, started, outcome, due, maintenance FROM probe.runs ORDER BY 1",
    "asks": "SELECT region, check_id, why, count(*) FROM probe.asks GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "regions": "SELECT name, silent FROM probe.regions ORDER BY 1",
    "inbox": "SELECT id FROM probe.inbox",
}


class Flaky:
    """A way to the database on which, now and then, a transaction dies before its COMMIT, or the answer to that is lost."""

    def __init__(self, hub: Hub, dice: random.Random, often: float) -> None:
        self._hub, self._dice, self._often = hub, dice, often

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        fate = self._dice.choice(("killed", "unheard")) if self._dice.random() < self._often else "fine"
        async with self._hub.transaction() as connection:
            yield connection
            if fate == "killed":
                await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        if fate == "unheard":
            raise StoreUnavailable("the answer to COMMIT was lost")


Step = tuple[Literal["deliver"], str, list[dict[str, Any]]] | tuple[Literal["turn"], int, tuple[str, ...]]


def script_of(fleet: Fleet, dice: random.Random) -> list[Step]:
    """Some minutes of a shop, delivered by two nodes in each region: in their order, some of it late, some of it twice."""
    steps: list[Step] = []
    queues: dict[str, list[dict[str, Any]]] = {f"{region} {node}": [] for region in REGIONS for node in "ab"}
    start = fleet.now = NOW
    for _ in range(dice.randint(2, 4)):
        weather = dice.choice(["fine", "fine", "down", "down", "half down", "no network", "browser"])
        dead = dice.choice([None, None, *queues])
        for _ in range(dice.randint(2, 3)):
            fleet.wait(20)
            for region in REGIONS:
                for check in CHECKS:
                    owner = "ab"[(len(check) + len(region) + (dice.random() < 0.1)) % 2]
                    for node in "ab" if dice.random() < 0.1 else owner:
                        queues[f"{region} {node}"] += map(fleet.row, runs_of(fleet, dice, weather, check, region))
            for source, queue in queues.items():
                if queue and source != dead and dice.random() < 0.9:
                    some = dice.randint(1, len(queue)) if dice.random() < 0.2 else len(queue)
                    steps.append(("deliver", source, queue[:some]))
                    del queue[:some]
            heard = tuple(region for region in REGIONS if dead is None or not dead.startswith(region))
            steps.append(("turn", dice.randrange(100), heard))
    steps += [("deliver", source, queue) for source, queue in queues.items() if queue]
    steps.append(("turn", 0, REGIONS))
    fleet.now = start
    return steps


def runs_of(fleet: Fleet, dice: random.Random, weather: str, check: str, region: str) -> list[Run]:
    """What is run of a check in a region at one time, in such weather."""
    assert fleet.now is not None
    at, due = fleet.now - timedelta(seconds=dice.random()), fleet.now - timedelta(seconds=10)
    gone = weather == "no network" and region == "eu"
    broken = gone or (check != "search" and (weather == "down" or (weather == "half down" and region != "ap")))
    if dice.random() < 0.05:
        return [fleet.run(Outcome.MISSED, check, region, at=due, due=due, took=0)]
    if weather == "browser" and region == "us" and check != "search":  # what shards say of it comes in any order
        return [fleet.run(Outcome.ERRORED, check, region, at=at, due=due)]
    if not broken:
        return [fleet.run(Outcome.PASSED, check, region, at=at, due=due, took=0.4 + dice.random() / 5)]
    control = Control(well=not gone, at=at, seconds=0.1, text="the anchor")
    found = [fleet.run(Outcome.FAILED, check, region, at=at, due=due, control=control)]
    found.append(fleet.run(Outcome.FAILED, check, region, at=at, why=Why.CONFIRM, control=control))
    if gone and check == "api":
        found.append(fleet.run(Outcome.FAILED, f"control {region}", region, at=at, why=Why.CONTROL))
    return found


async def play(fleet: Fleet, steps: list[Step], evaluators: list[Evaluator]) -> Mapping[str, list[Any]]:
    """Do it, and say how it ends. Each turn is taken by one of the evaluators, until it has come through."""
    await fleet.clear()
    await fleet.deaf()
    fleet.now, fleet.seen = NOW, []
    await fleet.arrange(RULES, fleet.version)
    for step in steps:
        if step[0] == "deliver":
            async with fleet.hub.transaction() as connection:
                await fleet.put(connection, step[2], step[1], step[1].split()[0])
            continue
        fleet.wait(20)
        await fleet.hear(*step[2])
        evaluator, done = evaluators[step[1] % len(evaluators)], False
        while not done:
            with suppress(StoreUnavailable):
                await until_idle(evaluator)
                done = not await fleet.waiting() and not evaluator._quarantine.names
    return {name: await fleet.ask(statement) for name, statement in ROWS.items()}


@given(st.integers(0, 2**32))
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_many_judge_as_one_would(database: Database, seed: int) -> None:
    async def life() -> None:
        async with fleet_in(database, RULES, NOW) as fleet:
            steps = script_of(fleet, random.Random(seed))
            patch.setattr(turn, "PATIENT", timedelta(hours=1))
            alone = await play(fleet, steps, [fleet.evaluator("a")])
            flaky: Any = Flaky(fleet.hub, random.Random(seed), 0.25)
            many = await play(fleet, steps, [fleet.evaluator(name, flaky) for name in "abc"])
            for name in ROWS:
                assert many[name] == alone[name], name
            assert alone["inbox"] == []
            assert len({row[0] for row in alone["runs"]}) == len(alone["runs"]) == fleet.number

    with pytest.MonkeyPatch.context() as patch:
        asyncio.run(life())


async def test_connections_that_die_at_any_moment(database: Database) -> None:
    """Two judge by the real clock what three nodes deliver, while connections are cut at random: each run counts once."""
    dice = random.Random(5)
    async with fleet_in(database, RULES) as fleet, asyncio.TaskGroup() as group:
        admin = await asyncpg.connect(database.server.url())
        stop, hubs = asyncio.Event(), [Hub(Secret(database.url()), node=name) for name in ("a", "b")]
        for hub in hubs:
            group.create_task(fleet.evaluator(hub.node, hub).run(stop))
        killing = group.create_task(kill(admin, database.name, dice))
        async with fleet.hub.transaction() as connection:
            fleet.now = start = await fleet.server_now(connection)
        for number in range(40):
            region = dice.choice(REGIONS)
            fleet.wait(0.05)
            due = start + timedelta(seconds=number)
            runs = [fleet.run(dice.choice(list(Outcome)), check, region, due=due) for check in CHECKS]
            fleet.now, now = None, fleet.now
            await again(fleet, [fleet.row(run) for run in runs], region)
            fleet.now = now
            await asyncio.sleep(0.02)
        killing.cancel()
        await asyncio.wait([killing])
        fleet.now = None

        async def is_idle() -> bool:
            return not await fleet.waiting()

        await eventually(is_idle)
        stop.set()
        assert await fleet.ask("SELECT count(*), count(DISTINCT id) FROM probe.runs") == [(120, 120)]
        assert sum(sum(counts) for (_, span, _), counts in (await fleet.ledger()).items() if span == 3600) == 120
        keys = await fleet.told()
        assert len(keys) == len(set(keys))
        for hub in hubs:
            await hub.close()
        await admin.close()


async def again(fleet: Fleet, rows: list[dict[str, Any]], region: str) -> None:
    """Deliver, as an agent does: until it is acknowledged, with the same numbers."""
    known = dict(fleet.sent)
    while True:
        try:
            async with fleet.hub.transaction() as connection:
                await fleet.put(connection, rows, region, region)
        except StoreUnavailable:
            fleet.sent = dict(known)
            await asyncio.sleep(0.01)
        else:
            return


async def kill(admin: "asyncpg.Connection[Any]", database: str, dice: random.Random) -> None:
    """Cut a connection to the database again and again."""
    while True:
        await asyncio.sleep(dice.random() / 10)
        pids = await admin.fetch("SELECT pid FROM pg_stat_activity WHERE datname = $1 AND state <> 'idle'", database)
        if pids:
            await admin.execute("SELECT pg_terminate_backend($1)", dice.choice(pids)[0])


# --- poison -----------------------------------------------------------------------------------------------------------


async def test_a_bug_in_judgement_does_not_stop_the_books(database: Database) -> None:
    """What cannot be judged is stored without; what comes after is judged."""

    def judging(state: State, event: Event, rules: Rules, now: Any) -> Change:
        if isinstance(event, Run) and event.id == "poison":
            raise ZeroDivisionError
        return evaluate(state, event, rules, now)

    async with fleet_in(database, RULES, NOW) as fleet:
        await fleet.deliver(fleet.run(id="poison"), fleet.run(id="food", due=NOW))
        await until_idle(fleet.evaluator(judging=judging))
        assert await fleet.runs() == ["food", "poison"]
        assert sum(sum(counts) for (_, span, _), counts in (await fleet.ledger()).items() if span == 3600) == 1


def apart(fleet: Fleet, count: int, check: str = "search", **given: Any) -> list[Run]:
    """Runs for slots that were due one second after the other."""
    return [fleet.run(check=check, due=NOW + timedelta(seconds=number), **given) for number in range(count)]


async def idle(fleet: Fleet, evaluator: Evaluator, count: int = 0) -> None:
    """Until no more waits than that; a shard in trouble takes its time."""

    async def is_idle() -> bool:
        await evaluator.turn()
        return await fleet.waiting() <= count

    await eventually(is_idle)


class Poison:
    """A judgement that gives, for one run, what cannot be written down."""

    def __init__(self, of: str, *, always: bool = False) -> None:
        self.of, self.always = of, always

    def __call__(self, state: State, event: Event, rules: Rules, now: Any) -> Change:
        change = evaluate(state, event, rules, now)
        if (isinstance(event, Run) and event.id == self.of) or (self.always and isinstance(event, Tick)):
            return change._replace(objectives={"buy": lambda: "no JSON"})  # type: ignore[dict-item]  # what is tested
        return change


async def test_a_poisoned_shard_holds_up_no_other(database: Database) -> None:
    """A run of one shard brings about what cannot be written: it is stored without judgement, all others with it."""
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator(judging=Poison("run-00030"))
        await fleet.deliver(*apart(fleet, 20, "search"), *apart(fleet, 20, "api"))
        for _ in range(4):  # together, then each for itself
            await evaluator.turn()
        assert len(await fleet.runs()) == 20, "of the other"
        await idle(fleet, evaluator)
        assert len(await fleet.runs()) == 40
        counts = {name: sum(c) for (name, span, _), c in (await fleet.ledger()).items() if span == 3600}
        assert counts == {"buy": 19, "find": 20}
        assert not evaluator.refused


async def test_a_row_that_cannot_be_written_at_all(database: Database) -> None:
    """It is given up, when nothing else can be done, and counted; the rest of its shard is judged."""
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()
        await fleet.ask("ALTER TABLE probe.runs ADD CHECK (id <> 'run-00007')", rows=False)
        await fleet.deliver(*apart(fleet, 20))
        await idle(fleet, evaluator)
        assert dict(evaluator.refused) == {"it cannot be written down": 1}
        assert len(await fleet.runs()) == 19


async def test_nothing_is_given_up_when_the_trouble_is_elsewhere(database: Database) -> None:
    """A shard whose state cannot be written waits, with all its rows; the others go on."""
    async with fleet_in(database, RULES, NOW) as fleet:
        await fleet.ask("ALTER TABLE probe.shards ADD CHECK (name <> 'api' OR evaluator IS NULL)", rows=False)
        evaluator = fleet.evaluator()
        await fleet.deliver(*(run for check in CHECKS for run in apart(fleet, 3, check)))
        await idle(fleet, evaluator, count=6)
        for _ in range(30):
            await evaluator.turn()
            await asyncio.sleep(0.02)
        assert await fleet.waiting() == 6
        assert len(await fleet.runs()) == 3
        assert not evaluator.refused


async def test_trouble_with_all_shards_is_not_tried_again_at_once(database: Database) -> None:
    """A bug before any shard is known cannot be put aside: it is as if the database were away."""
    async with fleet_in(database, RULES, NOW) as fleet:

        async def lost(_connection: AsyncConnection) -> datetime:
            raise LookupError("a bug")

        evaluator = fleet.evaluator(now=lost)
        with pytest.raises(StoreUnavailable, match="LookupError: a bug"):
            await evaluator.turn()


async def test_more_than_goes_into_one_transaction(database: Database, monkeypatch: Any) -> None:
    """It is judged in its order, piece by piece; time passes for it when all is judged, or it has waited for long."""
    monkeypatch.setattr(turn, "ROWS", 30)
    monkeypatch.setattr(turn, "FULL", 7)
    ticks: list[int] = []
    async with fleet_in(database, RULES, NOW) as fleet:

        def judging(state: State, event: Event, rules: Rules, now: Any) -> Change:
            if isinstance(event, Tick) and CheckId("search") in rules.checks:
                ticks.append(len(fleet.seen))
            return evaluate(state, event, rules, now)

        await fleet.deliver(*apart(fleet, 40))
        await until_idle(fleet.evaluator(judging=judging))
        assert [run.id for run, _ in fleet.seen if run] == [f"run-{number:05}" for number in range(1, 41)]
        assert len(ticks) == 1


@pytest.mark.parametrize("limit", ["BUDGET", "PACKED", "UNPACKED"])
async def test_no_transaction_is_longer_than_it_may_be(database: Database, monkeypatch: Any, limit: str) -> None:
    """What is left when its time is over, or too large to be in memory together, is judged in the next."""
    monkeypatch.setattr(turn, limit, {"BUDGET": 0.0, "PACKED": 1, "UNPACKED": 5000}[limit])
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()
        await fleet.deliver(*apart(fleet, 10))
        assert await evaluator.turn()
        assert await fleet.waiting() in range(1, 10)
        await until_idle(evaluator)
        assert len(await fleet.runs()) == 10


async def test_more_shards_than_can_be_read_at_once(database: Database) -> None:
    """Who comes new reads the states of some of them, and of the others in the next turns."""
    rules = rules_of(*(watched(f"check {number}", f"host {number}") for number in range(2 * turn.UNKNOWN)))
    async with fleet_in(database, rules, NOW) as fleet:
        await fleet.deliver(*(fleet.run(check=check) for check in rules.checks))
        evaluator = fleet.evaluator()
        assert await evaluator.turn()
        assert turn.UNKNOWN <= await fleet.waiting() <= turn.UNKNOWN + 1
        await until_idle(evaluator)
        assert len(await fleet.runs()) == 2 * turn.UNKNOWN
