"""What nodes delivered is judged once, as one fold would judge it, whoever and however many judge."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from probe.core.cases import incident_id
from probe.core.check import CheckId
from probe.core.evaluate import Acknowledge, Event, Mute, Overdue, evaluate
from probe.core.incident import Incident, IncidentId
from probe.core.notification import Attempt, Fate
from probe.core.rules import Objective, Rules
from probe.core.run import Control, Outcome, RunId, Why
from probe.core.shards import split
from probe.core.state import Ask, Change, State
from probe.errors import StoreUnavailable
from probe.fleet.evaluator import Evaluator
from tests.core.builders import NOW
from tests.core.world import rules_of, watched
from tests.fleet.judging import STALE, Fleet, fleet_in, names, until_idle
from tests.postgres import Database, Postgres, fresh_database

REGIONS = ("ap", "eu", "us")
SLO = Objective(name="checkout", checks=frozenset({CheckId("checkout")}), target=0.99)
RULES = rules_of(
    watched(regions=REGIONS),
    watched("search", "search.example", regions=REGIONS),
    objectives=[SLO],
    controls={region: CheckId(f"control {region}") for region in REGIONS},
)


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[Database]:
    with fresh_database(postgres, f"shared_{uuid4().hex[:12]}") as made:
        yield made


@pytest.fixture
def database(shared: Database) -> Database:
    """One for all tests of this file, which begin by emptying it: that takes less than to make another."""
    return shared


def counts(ledger: Mapping[tuple[str, int, int], tuple[int, int, int]]) -> tuple[int, ...]:
    """Good, bad and lost of all hours."""
    return tuple(map(sum, zip(*(c for (_, span, _), c in ledger.items() if span == 3600), strict=True)))


async def rounds(fleet: Fleet, outcome: Outcome, *evaluators: Evaluator, times: int = 3, **given: Any) -> None:
    """Every region has this outcome, on schedule and when it is asked, again and again; judged in turns by those given."""
    regions = fleet.rules.checks[CheckId(given.get("check", "checkout"))].regions
    for number in range(times):
        await fleet.hear(*REGIONS)
        assert fleet.now is not None
        well = Control(well=True, at=fleet.now, seconds=0.1, text="the anchor answered")
        for region in regions:
            whys = (Why.SCHEDULED, Why.CONFIRM) if outcome is Outcome.FAILED else (Why.SCHEDULED,)
            await fleet.deliver(*(fleet.run(outcome, region=region, why=why, control=well, **given) for why in whys))
        if evaluators:
            await until_idle(evaluators[number % len(evaluators)])
        fleet.wait(20)


async def broken(fleet: Fleet, evaluator: Evaluator) -> Incident:
    """The incident of a shop that is down."""
    await rounds(fleet, Outcome.FAILED, evaluator)
    (incident,) = await fleet.incidents()
    assert incident.cause == "shop.example"
    return incident


async def test_an_outage_is_told_once(database: Database) -> None:
    """Failures from all regions, confirmed, open one incident and are told once; then it is over, and that is told."""
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()
        await broken(fleet, evaluator)
        assert len(await fleet.told()) == 1
        assert set(await fleet.ask("SELECT why FROM probe.asks")) == {"confirm"}
        assert await fleet.ask("SELECT count(*) - count(DISTINCT (region, check_id, why)) FROM probe.asks") == [0]
        await rounds(fleet, Outcome.PASSED, evaluator, times=8)
        (incident,) = await fleet.incidents()
        assert incident.resolved is not None
        assert [key.split(":")[2] for key in await fleet.told()] == ["opened", "resolved"]
        assert counts(await fleet.ledger()) == (24, 9, 0)
        assert await fleet.waiting() == 0
        assert len(await fleet.runs()) == fleet.number
        assert [run.id for run, _ in fleet.seen if run] == [f"run-{n:05}" for n in range(1, fleet.number + 1)]


async def test_what_comes_late_is_counted_and_never_pages(database: Database) -> None:
    """A region was cut off while the shop was down: its hour is history."""
    async with fleet_in(database, RULES, NOW) as fleet:
        late = [
            fleet.run(
                Outcome.FAILED, region="eu", at=NOW - timedelta(minutes=minute), due=NOW - timedelta(minutes=minute)
            )
            for minute in range(60, 3, -1)
        ]
        await fleet.deliver(*late)
        await until_idle(fleet.evaluator())
        assert await fleet.incidents() == []
        assert await fleet.told() == []
        assert await fleet.ask("SELECT 1 FROM probe.asks") == []
        assert counts(await fleet.ledger()) == (0, 57, 0)
        assert len(await fleet.runs()) == 57


# --- slots that two nodes had -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False], ids=["in one transaction", "one after the other"])
async def test_a_slot_that_two_nodes_ran_counts_once(database: Database, together: bool) -> None:
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()
        for outcome, source in ((Outcome.PASSED, "a"), (Outcome.FAILED, "b"), (Outcome.MISSED, "b")):
            await fleet.deliver(fleet.run(outcome, due=NOW), source=source)
            if not together:
                await until_idle(evaluator)
        await fleet.deliver(fleet.run(due=NOW + timedelta(minutes=1), at=NOW), source="b")
        await until_idle(evaluator)
        assert counts(await fleet.ledger()) == (2, 0, 0)
        assert len(await fleet.runs()) == 4, "all of it was run, and is kept"
        assert await fleet.ask("SELECT 1 FROM probe.asks") == []


async def test_a_run_beats_a_row_that_says_it_was_missed(database: Database) -> None:
    """One node was away for ten slots, and says so; the other ran six of them, which come later."""
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()
        dues = [NOW - timedelta(minutes=minute) for minute in range(10, 0, -1)]
        await fleet.deliver(fleet.run(Outcome.MISSED, due=dues[0], at=dues[0], took=0, count=10), source="a")
        await until_idle(evaluator)
        assert counts(await fleet.ledger()) == (0, 0, 10)
        await fleet.deliver(*(fleet.run(due=due, at=due) for due in dues[2:8]), source="b")
        await until_idle(evaluator)
        assert counts(await fleet.ledger()) == (6, 0, 4)


async def test_slots_are_missed_only_where_nobody_ran_them(database: Database) -> None:
    """The same, the other way round; with a row of three slots that all passed, as a full disk leaves them."""
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()
        dues = [NOW - timedelta(minutes=minute) for minute in range(10, 0, -1)]
        await fleet.deliver(*(fleet.run(due=due, at=due) for due in dues[2:5]), source="b")
        await fleet.deliver(fleet.run(due=dues[5], at=dues[5], count=3), source="b")
        await until_idle(evaluator)
        await fleet.deliver(fleet.run(Outcome.MISSED, due=dues[0], at=dues[0], took=0, count=10), source="a")
        await until_idle(evaluator)
        assert counts(await fleet.ledger()) == (6, 0, 4)


# --- what cannot be so ------------------------------------------------------------------------------------------------


async def test_refused(database: Database) -> None:
    """What cannot be what it says is refused, counted and gone; what comes with it is judged."""
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator, good = fleet.evaluator(), fleet.run()
        await fleet.deliver(b"nonsense", fleet.run(region="us"), good, region="eu")
        await until_idle(evaluator)
        assert dict(evaluator.refused) == {"it cannot be read": 1, "it is of another region": 1}
        assert await fleet.runs() == [good.id]
        assert await fleet.waiting() == 0


async def test_a_clock_that_is_off_is_put_right(database: Database) -> None:
    async with fleet_in(database, RULES, NOW) as fleet:
        ahead = timedelta(hours=1)
        await fleet.deliver(fleet.run(at=NOW + ahead, due=NOW + ahead), skew=3600.0)
        await fleet.deliver(fleet.run(at=NOW, due=NOW, region="us"), skew=1.9)
        await until_idle(fleet.evaluator())
        micros = int((NOW - timedelta(seconds=1)).timestamp() * 1_000_000)
        assert await fleet.ask("SELECT started - :at FROM probe.runs ORDER BY id", at=micros) == [0, 0]
        assert await fleet.ask("SELECT due - :at FROM probe.runs ORDER BY id", at=micros) == [1_000_000, 1_000_000]


async def test_a_check_that_nobody_watches_is_history_only(database: Database) -> None:
    """An agent runs what is published already, or not taken out yet."""
    async with fleet_in(database, RULES, NOW) as fleet:
        run = fleet.run(Outcome.FAILED, "brand new")
        await fleet.deliver(run)
        await until_idle(fleet.evaluator())
        assert await fleet.runs() == [run.id]
        assert await fleet.ask("SELECT key FROM probe.state WHERE kind = 'check'") == []


async def test_text_that_no_database_takes(database: Database) -> None:
    async with fleet_in(database, RULES, NOW) as fleet:
        run = fleet.run(Outcome.FAILED)
        failure = replace(run.observation.failures[0], message="a \0 and a \\u0000")
        await fleet.deliver(replace(run, observation=replace(run.observation, failures=(failure,))))
        await until_idle(fleet.evaluator())
        assert await fleet.ask("SELECT message FROM probe.runs") == ["a \ufffd and a \\u0000"]


# --- many who judge ---------------------------------------------------------------------------------------------------


async def test_two_judge_in_turns(database: Database) -> None:
    """What one of them remembers does not count once the other has judged the shard."""
    async with fleet_in(database, RULES, NOW) as fleet:
        pair = fleet.evaluator("a"), fleet.evaluator("b")
        await fleet.deaf()
        await rounds(fleet, Outcome.FAILED, *pair, times=6)
        assert await fleet.waiting() == 0
        assert names(await fleet.incidents()) == ["shop.example"]
        assert len(await fleet.told()) == 1
        assert counts(await fleet.ledger()) == (0, 18, 0)
        assert [one.judged for one in pair] == [18, 18]


async def test_a_shard_is_left_to_who_knows_it(database: Database) -> None:
    async with fleet_in(database, RULES, NOW) as fleet:
        first, second = fleet.evaluator("a"), fleet.evaluator("b")
        await until_idle(first)
        await fleet.deliver(fleet.run())
        await fleet.ask("UPDATE probe.inbox SET received = :now RETURNING 1", now=NOW)
        assert not await second.turn()
        fleet.wait(1)
        assert not await second.turn()
        fleet.wait(2)
        assert await second.turn(), "it seems to be gone"
        assert await fleet.waiting() == 0


async def test_what_is_committed_late_is_judged(database: Database) -> None:
    """A node delivers, and its COMMIT takes its time: others deliver, and are judged, meanwhile."""
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()
        slow, fast = fleet.run(region="eu"), fleet.run(region="us")
        async with fleet.hub.transaction() as connection:
            await fleet.put(connection, [fleet.row(slow)], "slow", "eu")
            await fleet.deliver(fast)
            await until_idle(evaluator)
            assert await fleet.runs() == [fast.id]
        await until_idle(evaluator)
        assert await fleet.runs() == sorted([slow.id, fast.id])


async def test_rules_that_are_not_in_force_judge_nothing(database: Database) -> None:
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()
        incident = await broken(fleet, evaluator)
        await fleet.arrange(rules_of(watched("search", "search.example", regions=REGIONS)), "v2")
        await fleet.deliver(fleet.run())
        assert not await evaluator.turn()
        assert fleet.outdated == 1
        with pytest.raises(StoreUnavailable, match="another configuration"):
            await evaluator.act(Acknowledge(incident=incident.id, by="ada"))
        evaluator.use(fleet.evaluator()._plan.shards, "v2", stale_after=timedelta(minutes=1))
        await until_idle(evaluator)
        (over,) = await fleet.incidents()
        assert over.resolved is not None, "nobody watches its check any more"
        assert await fleet.waiting() == 0


async def test_rules_that_come_in_the_midst_of_a_turn(database: Database) -> None:
    """What was begun by some rules is ended by them, under the locks that say so."""
    async with fleet_in(database, RULES, NOW) as fleet:
        other = split(rules_of(watched("search", "search.example", regions=REGIONS)))

        async def now(_: AsyncConnection) -> datetime:
            evaluator.use(other, "v2", stale_after=STALE)
            return NOW

        evaluator = fleet.evaluator(now=now)
        await fleet.deliver(fleet.run())
        assert await evaluator.turn()
        assert await fleet.ask("SELECT key FROM probe.state WHERE kind = 'check'") == ["checkout"]
        assert not await evaluator.turn()
        assert fleet.outdated == 1


async def test_a_check_that_moved_to_another_host(database: Database) -> None:
    """Its old incident ends, and what is known of the check stays with the shard that judges it now."""
    async with fleet_in(database, RULES, NOW) as fleet:
        await broken(fleet, fleet.evaluator())
        await fleet.arrange(rules_of(watched(cause="new.example", regions=REGIONS), objectives=[SLO]), "v2")
        fleet.wait(5)
        await until_idle(fleet.evaluator())
        (incident,) = await fleet.incidents()
        assert incident.resolved is not None
        assert await fleet.ask("SELECT key FROM probe.state WHERE kind = 'check'") == ["checkout"]


# --- people -----------------------------------------------------------------------------------------------------------


async def test_commands(database: Database) -> None:
    """They are written down when they return, and hold for all who judge."""
    async with fleet_in(database, RULES, NOW) as fleet:
        first, second = fleet.evaluator("a"), fleet.evaluator("b")
        incident = await broken(fleet, first)
        change = await second.act(Acknowledge(incident=incident.id, by="ada"))
        assert list(change.incidents) == ["shop.example"]
        until = NOW + timedelta(hours=2)
        await first.act(Mute(incident=incident.id, until=until, by="bob"))
        (known,) = await fleet.incidents()
        assert (known.acknowledged_by, known.muted_until) == ("ada", until)
        with pytest.raises(KeyError):
            await first.act(Acknowledge(incident=IncidentId("no such"), by="ada"))


async def test_runs_are_asked_for_in_other_regions(database: Database) -> None:
    """Once, however often before a node takes them; the nodes of the region hear of it at once."""
    async with fleet_in(database, RULES, NOW) as fleet:
        asks = [Ask(check=CheckId("cart"), region=region, why=Why.MANUAL) for region in ("eu", "us")]
        async with fleet.hub.listen("probe_asks") as heard:
            await heard.wait()
            heard.clear()
            await fleet.evaluator().ask(asks)
            await fleet.evaluator().ask(asks[:1])
            async with asyncio.timeout(10):
                await heard.wait()
        assert await fleet.ask(
            "SELECT concat_ws(' ', check_id, region, why, taken) FROM probe.asks ORDER BY region"
        ) == [
            "cart eu manual",
            "cart us manual",
        ]


# --- our own regions --------------------------------------------------------------------------------------------------


async def test_a_region_is_silent_and_heard_again(database: Database) -> None:
    """It leaves the judgement, is told as our own trouble and not as the shop's; and is heard again."""
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()

        async def pass_time(seconds: int, *regions: str) -> None:
            for _ in range(seconds // 2):
                fleet.wait(2)
                await fleet.hear(*regions)
                await until_idle(evaluator)

        await pass_time(60, *REGIONS)
        assert await fleet.incidents() == []
        await pass_time(40, "ap", "us")
        assert await fleet.incidents() == []
        await pass_time(10, "ap", "us")
        assert names(await fleet.incidents()) == ["stale:eu"]
        assert await fleet.ask("SELECT name FROM probe.regions WHERE silent IS NOT NULL") == ["eu"]
        await fleet.deliver(fleet.run(region="us"))
        await until_idle(evaluator)
        (body,) = await fleet.ask("SELECT body FROM probe.state WHERE kind = 'region:checkout' AND key = 'eu'")
        assert '"silent":"' in body, "the shards know it, too"
        await pass_time(60, *REGIONS)
        (incident,) = await fleet.incidents()
        assert incident.resolved is not None
        assert await fleet.ask("SELECT 1 FROM probe.regions WHERE silent IS NOT NULL") == []
        assert [key.split(":")[2] for key in await fleet.told()] == ["opened", "resolved"]


async def test_who_was_away_gives_every_region_its_time(database: Database) -> None:
    """No evaluator lived for an hour, or PostgreSQL did not: nobody could be heard. A region that nobody knows is silent, too."""
    async with fleet_in(database, RULES, NOW) as fleet:
        await fleet.hear("ap", "eu")
        await until_idle(fleet.evaluator("a"))
        fleet.wait(3600)
        second = fleet.evaluator("b")
        await until_idle(second)
        for _ in range(20):
            fleet.wait(2)
            await fleet.hear("eu")
            await until_idle(second)
        assert await fleet.incidents() == []
        for _ in range(5):
            fleet.wait(2)
            await fleet.hear("eu")
            await until_idle(second)
        assert sorted(names(await fleet.incidents())) == ["stale:ap", "stale:us"]


async def test_runs_that_cannot_be_made_are_our_trouble(database: Database) -> None:
    """Told once for a region, whatever shards its checks are in; over with the first good run of each."""
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()
        for _ in range(4):
            await fleet.deliver(fleet.run(Outcome.ERRORED), fleet.run(Outcome.ERRORED, "search"))
            await until_idle(evaluator)
            fleet.wait(60)
        (incident,) = await fleet.incidents()
        assert incident.cause == "probe:eu"
        assert set(incident.members) == {"checkout", "search"}
        await fleet.deliver(fleet.run(), fleet.run(check="search"))
        await until_idle(evaluator)
        (incident,) = await fleet.incidents()
        assert incident.resolved is not None
        assert len(await fleet.runs()) == fleet.number


async def test_control_runs_reach_the_shards_that_wait_for_them(database: Database) -> None:
    """The region's network is gone: what fails there says nothing of the shop. The control run is stored once."""
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()
        await fleet.deliver(fleet.run(Outcome.FAILED))
        await until_idle(evaluator)
        assert await fleet.ask("SELECT awake FROM probe.shards WHERE name = 'checkout'") == [True]
        control = fleet.run(Outcome.FAILED, "control eu", why=Why.CONTROL)
        await fleet.deliver(control)
        assert await fleet.waiting() >= 2
        await fleet.deliver(*(fleet.run(Outcome.FAILED, why=why) for why in (Why.SCHEDULED, Why.CONFIRM)))
        await until_idle(evaluator)
        assert await fleet.ask("SELECT key FROM probe.state WHERE kind LIKE 'region:%' AND body LIKE '%blind%20%'") == [
            "eu"
        ]
        assert (await fleet.runs()).count(control.id) == 1
        assert await fleet.incidents() == []


async def test_overdue_runs(database: Database) -> None:
    """That a run should have ended is news only while that run could still be waited for."""
    seen: list[Event] = []

    def judging(state: State, event: Event, rules: Rules, now: Any) -> Change:
        seen.append(event)
        return evaluate(state, event, rules, now)

    async with fleet_in(database, RULES, NOW) as fleet:
        fresh = Overdue(check=CheckId("checkout"), region="eu", began=NOW - timedelta(seconds=5))
        await fleet.deliver(fresh, replace(fresh, began=NOW - timedelta(minutes=5)))
        await until_idle(fleet.evaluator(judging=judging))
        assert [event for event in seen if isinstance(event, Overdue)] == [fresh]


# --- what a region told by itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["the region", "the fleet"])
async def test_what_a_region_told_is_not_told_again(database: Database, first: str) -> None:
    rules = rules_of(watched(regions=("eu",)))
    async with fleet_in(database, rules, NOW) as fleet:
        evaluator = fleet.evaluator()
        started = NOW - timedelta(seconds=1)
        key = f"{incident_id('shop.example', started, RunId('run-00001'))}:1:opened:oncall"
        told = Attempt(key=key, at=NOW, fate=Fate.SENT, answer="thank you")
        parts: list[Callable[[], Awaitable[object]]] = [
            partial(fleet.deliver, (told, replace(told, key="another"))),
            partial(broken, fleet, evaluator),
        ]
        for part in parts if first == "the region" else reversed(parts):
            await part()
            await until_idle(evaluator)
        assert await fleet.told() == [key]
        assert await fleet.ask("SELECT fate FROM probe.outbox") == ["sent"]
        assert await fleet.ask("SELECT answer FROM probe.attempts") == ["told by eu itself: thank you"]


async def test_a_region_cannot_silence_others(database: Database) -> None:
    """It says that it told what concerns other regions, too: the fleet tells it nevertheless."""
    async with fleet_in(database, RULES, NOW) as fleet:
        evaluator = fleet.evaluator()
        await broken(fleet, evaluator)
        (key,) = await fleet.told()
        await fleet.deliver((Attempt(key=key, at=NOW, fate=Fate.SENT),), region="eu")
        await until_idle(evaluator)
        assert await fleet.ask("SELECT settled FROM probe.outbox") == [None]
