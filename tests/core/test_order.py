"""Runs that come late, and in any order, mean what they would have meant in time."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.check import CheckId
from probe.core.evaluate import Tick
from probe.core.run import Outcome, Run
from probe.core.verdict import PATIENCE
from tests.core.facts import weighed
from tests.core.world import World, rules_of, watched

TWO = ("eu", "us")
WHO = watched(regions=TWO, every=timedelta(seconds=20))
WINDOW = WHO.timeout + PATIENCE


def plan(bits: Sequence[tuple[int, bool]]) -> list[Run]:
    """So many runs each that fail, or pass; from both regions in turn, ten seconds apart."""
    world = World(rules_of(WHO))
    runs: list[Run] = []
    for count, ok in bits:
        for _ in range(count):
            runs.append(world.run(Outcome.PASSED if ok else Outcome.FAILED, region=TWO[len(runs) % 2]))
            world.now += timedelta(seconds=10)
    return runs


def heard(runs: Sequence[Run], seed: int | None) -> World:
    """A world that hears of each run within the window; of the earlier first, if there is no seed."""
    world, dice = World(rules_of(WHO)), random.Random(seed)
    late = [WINDOW * (0.5 if seed is None else dice.random() * 0.99) for _ in runs]
    arrivals: list[tuple[datetime, int]] = sorted(
        (run.ended + wait, n) for n, (run, wait) in enumerate(zip(runs, late, strict=True))
    )
    for now, number in arrivals:
        world.now = max(world.now, now)
        world.event(runs[number])
    world.now = runs[-1].ended + WINDOW
    world.event(Tick())
    return world


bits = st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=6)


def says(world: World) -> tuple[object, ...]:
    """Which failed runs still matter, and how much the trail says, of all regions and of each."""
    trail = world.state.checks[CheckId("checkout")].trail
    evidence = weighed(*trail, regions=TWO)
    doubts = {name: (doubt.score, doubt.recent & 31) for name, doubt in evidence.doubts.items() if doubt.score > 0}
    pool = evidence.fail
    return [fact for fact in trail if not fact.ok and evidence.fail.score > 0], pool.score, pool.since, doubts


@settings(max_examples=40, deadline=None)
@given(bits, st.integers(0, 10**6))
def test_until_something_is_told_the_trail_says_the_same(found: list[tuple[int, bool]], seed: int) -> None:
    """How many good runs from before the trouble are still in it is no matter."""
    runs = plan(found)
    one, other = heard(runs, None), heard(runs, seed)
    if not one.told and not other.told:
        assert says(one) == says(other)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 12), st.integers(18, 40), st.integers(0, 10**6))
def test_an_outage_is_the_same_incident_in_any_order(before: int, down: int, seed: int) -> None:
    """Of the same cause, with the same verdict and the same end; since the first bad run of which it was heard by then."""
    runs = plan([(before, True), (down, False), (60, True)])
    for world in (one := heard(runs, None), other := heard(runs, seed)):
        assert world.told.count("opened") == 1
        assert world.told[-1] == "resolved"
        assert "reopened" not in world.told
    assert one.state.closed.keys() == other.state.closed.keys()
    ((_, a),), ((_, b),) = one.state.closed.items(), other.state.closed.items()
    assert (a.verdict, a.severity, a.resolved, set(a.members)) == (b.verdict, b.severity, b.resolved, set(b.members))
    assert abs(a.since - b.since) <= WINDOW
