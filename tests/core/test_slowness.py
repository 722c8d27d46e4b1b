"""Slow, and overdue: what takes much longer than usual, by the hour of the day, step by step; and runs that never end."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from math import log

import pytest

from probe.core.check import CheckId
from probe.core.detector import APART, SLOW_BIN
from probe.core.evaluate import Overdue
from probe.core.fact import WHOLE
from probe.core.failure import Failure
from probe.core.holds import ALONE_SLOW, LEAST, SLOW
from probe.core.incident import Verdict
from probe.core.rules import Severity
from probe.core.run import Outcome, Why
from probe.core.state import CheckState
from probe.core.verdict import late_after
from tests.core.facts import known
from tests.core.world import BROKEN, Truth, World, rules_of, step, watched

FIVE = ("eu", "us", "ap", "sa", "af")
CHECKOUT = CheckId("checkout")


def usual(*regions: str, name: str = WHOLE) -> World:
    """A check of which it is known that it takes half a second."""
    w = World(rules_of(watched(regions=regions)))
    w.state.checks[CHECKOUT] = CheckState(habits=known(0.5, *regions, step=name))
    return w


def takes(factor: float, *regions: str, seed: int = 1) -> Truth:
    """So many times as long as usual from these regions, give or take."""
    dice = random.Random(seed)

    def truth(_name: str, region: str, _at: datetime) -> Failure | float:
        return 0.5 * dice.lognormvariate(0, 0.15) * (factor if region in regions else 1.0)

    return truth


# --- slow -----------------------------------------------------------------------------------------------------------------


def test_what_is_three_times_as_slow_everywhere_is_told_and_is_over_again() -> None:
    w = usual(*FIVE)
    w.play(300, takes(1))
    assert w.state.checks[CHECKOUT].suspicion is None
    began = w.now
    w.play(900, takes(3, *FIVE), until=w.suffers)
    assert (w.only.verdict, w.only.severity) == (Verdict.DEGRADED, Severity.PAGE)
    assert w.only.since >= began - timedelta(seconds=2)
    assert set(w.state.checks[CHECKOUT].opened) == {SLOW}
    assert w.only.opened - w.only.since >= timedelta(seconds=LEAST[SLOW])
    member = w.only.members[CHECKOUT]
    assert (member.failure.kind, member.failure.step) == ("slow", None)
    assert member.failure.message.startswith("the run takes 1.")
    w.play(1800, takes(1), until=lambda: not w.suffers())
    assert w.said == ["opened oncall", "resolved oncall"]


def test_one_slow_run_asks_nobody_and_ordinary_ones_follow() -> None:
    """Two are looked into; a habit of one region alone is never told."""
    w = usual(*FIVE)
    w.play(60, takes(1))
    w.wait(5)
    w.see(took=2.0)
    assert w.state.checks[CHECKOUT].trail[-1].bins[0][1] >= SLOW_BIN
    assert w.state.checks[CHECKOUT].suspicion is not None
    w.play(600, takes(1))
    assert w.state.checks[CHECKOUT].suspicion is None
    w.play(1800, takes(3, "eu"))
    assert not w.state.incidents


def test_a_blip_of_slowness_is_not_told() -> None:
    w = usual(*FIVE)
    w.play(60, takes(1))
    w.play(LEAST[SLOW] / 2, takes(3, *FIVE))
    w.play(900, takes(1))
    assert w.said == []


def test_in_one_region_it_takes_longer_to_be_believed() -> None:
    w = usual("eu")
    w.play(60, takes(1))
    began = w.now
    w.play(3600, takes(3, "eu"), until=w.suffers)
    assert w.now - began >= timedelta(seconds=ALONE_SLOW)


def test_the_step_that_is_slow_is_named() -> None:
    """Each step has a usual time of its own."""
    w = usual(*FIVE, name="pay")
    for number in range(200):
        w.now += timedelta(seconds=5)
        region = FIVE[number % 5]
        w.see(region=region, steps=(step("pay", seconds=1.5), step("open", seconds=0.1)))
        if w.suffers():
            break
    member = w.only.members[CHECKOUT]
    assert (member.failure.kind, member.failure.step) == ("slow", "pay")
    assert 'step "pay" takes 1.5 s, usually 0.5 s' in member.failure.message


def test_a_busy_hour_is_no_trouble() -> None:
    """What is slow every day at that hour is usual then; at another it is not."""
    for hour, told in ((3, False), (15, True)):
        w = usual(*FIVE)
        habits = w.state.checks[CHECKOUT].habits
        series = habits.series[WHOLE]
        hours = tuple(log(2.5) if h == 3 else 0.0 for h in range(24))
        w.state.checks[CHECKOUT] = CheckState(habits=habits._replace(series={WHOLE: series._replace(hours=hours)}))
        w.now = w.now.replace(hour=hour)
        w.play(900, takes(2.5, *FIVE), until=w.suffers)
        assert bool(w.state.incidents) is told


def test_down_takes_slow_in() -> None:
    """What fails altogether is not slow beside."""
    w = usual(*FIVE)
    w.play(900, takes(3, *FIVE), until=w.suffers)
    w.play(300, lambda *_: BROKEN)
    assert set(w.state.checks[CHECKOUT].opened) == {"fail"}
    assert w.said.count("opened oncall") == 1
    w.play(3600, takes(1), until=lambda: not w.suffers())
    assert w.said[-1] == "resolved oncall"


def test_slowness_that_is_held_heals_when_its_regions_are_gone() -> None:
    """Nobody looks from there any more: nothing says that it is slow."""
    w = usual(*FIVE)
    w.play(60, takes(1))
    w.play(600, takes(3, *FIVE[:4]), until=lambda: SLOW in w.state.checks[CHECKOUT].held)
    w.rules = rules_of(watched(regions=FIVE[4:]))
    w.play(60, takes(1))
    assert SLOW not in w.state.checks[CHECKOUT].held
    assert w.said == []


# --- overdue --------------------------------------------------------------------------------------------------------------


def overdue(w: World, region: str, seconds: float) -> Overdue:
    return Overdue(check=CHECKOUT, region=region, began=w.now - timedelta(seconds=seconds))


def test_when_a_run_is_overdue_is_learned() -> None:
    """Not before it is known, and never later than its timeout."""
    w, who = usual("eu"), watched()
    late = late_after(w.state.checks[CHECKOUT], who, "eu")
    assert late is not None
    assert 0.5 < late < 30
    assert late_after(None, who, "eu") is None
    assert late_after(w.state.checks[CHECKOUT], who, "us") is None
    assert late_after(w.state.checks[CHECKOUT], replace(who, timeout=timedelta(seconds=late - 0.001)), "eu") is None


def test_runs_that_do_not_end_are_suspected_and_never_enough_alone() -> None:
    """From everywhere, and still nothing is told until one of them has failed."""
    w = usual(*FIVE)
    w.play(120, takes(1))
    for region in FIVE:
        w.event(overdue(w, region, 10.0))
    assert {a.region for a in w.asks} >= set(FIVE[1:])
    assert not w.state.incidents
    evidence = w.state.weighed[CHECKOUT].evidence.fail
    assert evidence.firm < evidence.limits.needed
    began = w.now - timedelta(seconds=10)
    w.now += timedelta(seconds=20)
    timed_out = Failure.of("no_response")
    for region in FIVE:
        run = w.run(Outcome.FAILED, region=region, failure=timed_out, took=30.0)
        w.event(replace(run, started=began))
    assert w.only.since == began
    assert [fact.overdue for fact in w.state.checks[CHECKOUT].trail].count(True) == 0, "no run is counted twice"


def test_a_run_that_comes_home_was_none() -> None:
    """What it was suspected of is taken back."""
    w = usual(*FIVE)
    w.play(120, takes(1))
    w.event(overdue(w, "eu", 10.0))
    assert w.state.weighed[CHECKOUT].evidence.fail.score > 0
    began = w.now - timedelta(seconds=10)
    w.now += timedelta(seconds=2)
    w.event(replace(w.run(took=12.0), started=began + timedelta(milliseconds=3)))
    check = w.state.checks[CHECKOUT]
    assert all(fact.ok for fact in check.trail)
    w.play(900, takes(1))
    assert w.state.checks[CHECKOUT].suspicion is None
    assert w.said == []


@pytest.mark.parametrize("outcome", [Outcome.ERRORED, Outcome.ABORTED])
def test_a_run_that_came_to_nothing_was_not_overdue(outcome: Outcome) -> None:
    """It has ended, and we could not measure: that says nothing about the target. Nor does another such run."""
    w = usual(*FIVE)
    w.play(120, takes(1))
    w.see(outcome)
    w.event(overdue(w, "eu", 10.0))
    w.see(outcome)
    assert not any(fact.overdue for fact in w.state.checks[CHECKOUT].trail)
    w.play(900, takes(1))
    assert (w.state.checks[CHECKOUT].suspicion, w.said) == (None, [])


def test_a_twin_alone_does_not_tell() -> None:
    """Runs that are overdue, and a twin that fails: nothing is told before a run of the check itself has failed."""
    w = World(rules_of(watched(regions=FIVE, confirm_with=CheckId("api")), watched("api", "api.example", regions=FIVE)))
    w.state.checks[CHECKOUT] = CheckState(habits=known(0.5, *FIVE))
    w.play(120, takes(1))
    for region in FIVE:
        w.event(overdue(w, region, 10.0))
    w.now += timedelta(seconds=APART + 6)
    for region in FIVE:
        w.see(Outcome.FAILED, "api", region, why=Why.CONFIRM)
    assert not w.suffers()
    w.see(Outcome.FAILED)
    assert w.suffers()


def test_what_is_overdue_by_itself_is_learned() -> None:
    """On ordinary days only; the more often it happens, the less it says."""
    w = usual(*FIVE)
    before = w.state.checks[CHECKOUT].habits.overdue
    w.event(overdue(w, "eu", 10.0))
    assert w.state.checks[CHECKOUT].habits.overdue[0] == before[0] + 1
    w.play(300, lambda *_: BROKEN)
    told = w.state.checks[CHECKOUT].habits.overdue
    w.event(overdue(w, "eu", 10.0))
    assert w.state.checks[CHECKOUT].habits.overdue == told


def test_nobody_is_overdue_where_we_are_blind_or_nothing_is_watched() -> None:
    w = World(rules_of(watched(regions=FIVE), controls={"eu": CheckId("control.eu")}))
    w.see(Outcome.FAILED, "control.eu", why=Why.CONTROL, failure=BROKEN)
    w.event(overdue(w, "eu", 10.0))
    assert CHECKOUT not in w.state.checks
    w.rules = rules_of()
    assert not w.event(overdue(w, "us", 10.0)).checks


def test_it_says_how_many_have_not_ended() -> None:
    w = usual(*FIVE)
    w.play(120, takes(1))
    w.event(overdue(w, "eu", 10.0))
    w.now += timedelta(seconds=5)
    for region in FIVE[1:]:
        w.see(Outcome.FAILED, region=region, failure=Failure.of("no_response"))
    text = w.only.members[CHECKOUT].evidence
    assert "1 of these has not ended yet" in text
