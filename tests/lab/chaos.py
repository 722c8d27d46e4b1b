"""A bad day of the fleet, planned from a seed: kills, pauses and cuts; a real outage in the middle; then peace."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.lab.fleet import Fleet, fleet
from tests.lab.verify import Accepted, Expected, Outage, accepted, is_delivered
from tests.lab.world import ANCHOR, CHANNELS, HUB, JUDGES, PAGES, REGIONS, SECOND, STEADY, TARGETS

EVERYBODY = (*JUDGES, *REGIONS)
SETTLE = 120.0
"""Seconds that it may take, when all is mended, until everything is delivered, judged, resolved and told."""

SILENCE = 300.0
"""Seconds until a silence is told: whoever listens begins anew when the database was away, or whoever judged was killed."""
REST = 15.0
"""Seconds between two rounds, so that a new outage is not an old one that came back."""

BEGINS = ("opened", "reopened")
"""Reasons for which somebody is told that something is wrong."""


class What(StrEnum):
    """What is done to the fleet."""

    AGENT = "an agent is killed"
    JUDGE = "one that judges is killed"
    DATABASE = "the database is killed"
    AGENT_PAUSED = "an agent stands still"
    JUDGE_PAUSED = "one that judges stands still"
    UPLINK = "a region cannot reach the database"
    ONE_WAY = "nothing comes back from the database to a region"
    REGION = "a region has no network at all"
    JUDGE_CUT = "one that judges cannot reach the database"


MANY = 100_000
"""Acts: more than any day has."""
EARLY = 0.2
"""The share of kills that may come before the node is up."""
OFTEN = {
    What.AGENT: 4,
    What.JUDGE: 4,
    What.DATABASE: 2,
    What.AGENT_PAUSED: 1,
    What.JUDGE_PAUSED: 2,
    What.UPLINK: 3,
    What.ONE_WAY: 1,
    What.REGION: 2,
    What.JUDGE_CUT: 1,
}
"""How often, beside the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """After `pause` seconds, `what` happens to whoever is at `place`, for `lasts` seconds where it lasts."""

    pause: float
    what: What
    place: str
    lasts: float
    early: bool
    """Who is killed may not have come up yet."""


def plan(seed: int, count: int) -> Sequence[Act]:
    """So many acts; the same for the same seed, whatever happens meanwhile."""
    chance = random.Random(seed)
    acts = []
    for _ in range(count):
        what = chance.choices(list(OFTEN), list(OFTEN.values()))[0]
        places = {What.JUDGE: JUDGES, What.JUDGE_PAUSED: JUDGES, What.JUDGE_CUT: (SECOND,)}.get(what, REGIONS)
        acts.append(
            Act(
                pause=chance.uniform(0.3, 2.0),
                what=what,
                place=chance.choice(places),
                lasts=chance.uniform(1.0, 6.0),
                early=chance.random() < EARLY,
            )
        )
    return acts


@dataclass(frozen=True, slots=True)
class Ended:
    """How it stood when all was over."""

    fleet: Fleet
    done: Counter[What]
    accepted: Accepted
    expected: Expected
    seconds: float


@asynccontextmanager
async def chaos(
    folder: Path,
    seed: int,
    *,
    minutes: float = 0.0,
    acts: int | None = None,
    pace: float = 1.0,
    tell: Callable[[str], None] = lambda _line: None,
) -> AsyncIterator[Ended]:
    """A day from a seed, of so many minutes but no less than one round (see `_round`); of so many acts, or as long as it lasts.

    `pace` is how much longer the pauses between acts are than planned.
    """
    begun = time.monotonic()
    async with fleet(folder, seed, tell) as made:
        expected = Expected(outages={made.net.hosts[target]: [] for target in TARGETS})
        await made.start(*EVERYBODY)
        await made.wait(lambda: all_report(made), "every check was judged from every region", alive=EVERYBODY)
        done: Counter[What] = Counter()
        async with asyncio.TaskGroup() as group:
            rounds = group.create_task(_rounds(made, expected, seed, begun + 60 * minutes), name="rounds")
            for act in plan(seed, MANY if acts is None else acts):
                await asyncio.sleep(act.pause * pace)
                if acts is None and rounds.done():
                    break
                await _do(made, act)
                done[act.what] += 1
        await _settle(made)
        was = await accepted(made)
        await made.wait(lambda: is_delivered(made, was), "the database has every run that was accepted", SETTLE)
        yield Ended(made, done, was, expected, time.monotonic() - begun)


async def all_report(made: Fleet) -> bool:
    """Whether every check has passed from every region, as the database knows."""
    found = await made.hub("SELECT DISTINCT place FROM runs WHERE outcome = 'passed'")
    return len(found) == len(PAGES) * len(REGIONS)


async def _rounds(made: Fleet, expected: Expected, seed: int, end: float) -> None:
    """What somebody must hear of, while everything else goes on; again and again until then."""
    chance = random.Random(seed)
    while True:
        await asyncio.sleep(chance.uniform(1, 3))
        await _round(made, expected, chance.choice(REGIONS), chance.choice(TARGETS))
        if time.monotonic() >= end:
            return
        await asyncio.sleep(REST)


async def _round(made: Fleet, expected: Expected, region: str, target: str) -> None:
    """A region cannot reach the database, until it is told that it is silent. Meanwhile a target fails, until that is told."""
    cause, host = f"stale:{region}", made.net.hosts[target]

    async def is_over() -> bool:
        asked = f"SELECT count(*) AS open FROM incidents WHERE resolved IS NULL AND cause IN ('{cause}', '{host}')"
        found = await made.hub(asked)
        return bool(found) and not found[0]["open"]

    await made.wait(is_over, f"what was told of {region} and {target} is over", SILENCE)
    before = {channel: len(made.notices(channel)) for channel in CHANNELS}

    def is_told() -> bool:
        return all(made.about(target, *BEGINS, channel=channel, since=count) for channel, count in before.items())

    await made.cut(region, HUB)
    begun = _now()
    made.fail(target)
    await made.wait(is_told, f"it is told on every channel that {target} fails", SETTLE)
    made.heal(target)
    expected.outages[host].append(Outage(begun, _now()))
    expected.silenced.add(region)
    await made.wait(
        lambda: made.about(cause, *BEGINS, since=before[STEADY]), f"it is told that {region} is silent", SILENCE
    )
    await made.mend(region, HUB)


async def _do(made: Fleet, act: Act) -> None:
    made.note(f"-- {act.what}: {act.place}")
    match act.what:
        case What.AGENT | What.JUDGE:
            if not act.early:
                await made.wait(made.nodes[act.place].is_up, f"{act.place} watches", alive=[act.place])
            await made.nodes[act.place].kill()
            await made.nodes[act.place].start()
        case What.DATABASE:
            await made.kill_database()
        case What.AGENT_PAUSED | What.JUDGE_PAUSED:
            await made.pause(act.place, act.lasts)
        case What.UPLINK | What.JUDGE_CUT:
            await _without(made, act, HUB)
        case What.ONE_WAY:
            await made.cut_one_way(HUB, act.place, act.lasts)
        case What.REGION:
            await _without(made, act, HUB, *TARGETS, ANCHOR)


async def _without(made: Fleet, act: Act, *others: str) -> None:
    await made.cut(act.place, *others)
    await asyncio.sleep(act.lasts)
    await made.mend(act.place, *others)


async def _settle(made: Fleet) -> None:
    """Everything is mended: wait until all that waits is judged, all that is open resolved, all that is to be said told."""
    made.note("peace")
    for place in EVERYBODY:
        if made.nodes[place].code is not None:
            await made.nodes[place].start()

    async def is_quiet() -> bool:
        found = await made.hub(
            "SELECT (SELECT count(*) FROM incidents WHERE resolved IS NULL) AS open,"
            " (SELECT count(*) FROM outbox WHERE settled IS NULL) AS unsettled,"
            " (SELECT count(*) FROM regions WHERE silent IS NOT NULL) AS silent"
        )
        return bool(found) and not any(found[0].values())

    await made.wait(is_quiet, "all incidents are over and all is told", SETTLE, alive=EVERYBODY)


def _now() -> int:
    return time.time_ns() // 1000
