"""Runs that come too late to say anything about the present: counted when they were due, and nothing else."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.check import CheckId
from probe.core.evaluate import NEWS, Late, is_late
from probe.core.ledger import Counts
from probe.core.place import tallies_of
from probe.core.rules import Objective, Rules
from probe.core.run import Control, Outcome, Run, Slot, Why
from probe.core.state import Change, Tally
from probe.core.verdict import PATIENCE
from tests.core.builders import NOW
from tests.core.world import World, rules_of, watched

FAILED, PASSED = Outcome.FAILED, Outcome.PASSED
CHECKOUT = CheckId("checkout")
SLO = Objective(name="slo", checks=frozenset({CHECKOUT}), target=0.9)
REGIONS = ("eu", "us")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def rules() -> Rules:
    controls = {region: CheckId(f"control.{region}") for region in REGIONS}
    return rules_of(watched(regions=REGIONS), objectives=[SLO], controls=controls)


def world() -> World:
    w = World(rules())
    for region in REGIONS:
        w.see(region=region)
    return w


def late(w: World, outcome: Outcome = FAILED, *, ago: timedelta = HOUR, number: int = 1, **given: Any) -> Run:
    """A run that was due so long ago."""
    run = w.run(outcome, **given)
    due = w.now - ago
    slot = Slot(number=number, due=due, count=run.slot.count) if run.slot is not None else None
    return replace(run, started=due, slot=slot)


def counts(w: World, ago: timedelta = HOUR) -> Counts:
    """What was due in the minute so long ago."""
    return w.state.ledgers["slo"].between(w.now - ago, w.now - ago + MINUTE)


# --- when a run is late -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "seconds"), [(timedelta(seconds=10), 70), (MINUTE, 120), (timedelta(minutes=5), 120), (HOUR, 120)]
)
def test_a_run_is_late_when_nobody_waits_for_it_any_more(every: timedelta, seconds: int) -> None:
    """Its timeout of 30 s, patience, and until the next one has ended; or a minute, for what seldom runs."""
    who, run = watched(every=every), World(rules()).run()
    last = run.ended + timedelta(seconds=seconds)
    assert not is_late(run, who, last)
    assert is_late(run, who, last + timedelta(microseconds=1))


def test_a_run_of_no_check_that_is_known() -> None:
    """A control run: it is waited for as long as judgement waits for one."""
    run = World(rules()).run(check="control.eu", why=Why.CONTROL)
    assert not is_late(run, None, run.ended + PATIENCE)
    assert is_late(run, None, run.ended + PATIENCE + timedelta(seconds=1))


def test_nothing_that_judgement_still_waits_for_is_late() -> None:
    """Even what took its whole timeout, and then as long to arrive as one waits for extra runs."""
    for seconds in (1, 10, 60, 300):
        who = watched(every=timedelta(seconds=seconds), timeout=timedelta(seconds=seconds))
        asked = NOW
        run = replace(World(rules()).run(), started=asked, duration=who.timeout)
        assert not is_late(run, who, asked + who.timeout + PATIENCE)
        assert timedelta(minutes=1) >= NEWS


# --- what becomes of it ---------------------------------------------------------------------------------------------------


def test_a_late_run_is_counted_when_it_was_due() -> None:
    w = world()
    w.event(Late(run=late(w, FAILED)))
    w.event(Late(run=late(w, PASSED)))
    w.event(Late(run=late(w, Outcome.ERRORED)))
    assert counts(w) == Counts(good=1, bad=1, lost=1)
    w.event(Late(run=late(w, FAILED, maintenance="night")))
    assert counts(w) == Counts(good=1, bad=1, lost=2)


def test_its_own_control_sample_decides_whether_it_is_lost() -> None:
    """Whatever is known of its region now."""
    w = world()
    w.see(FAILED, "control.eu", region="eu", why=Why.CONTROL)
    for well in (True, False):
        run = late(w)
        control = Control(well=well, at=run.started, seconds=0.1, text="")
        w.event(Late(run=replace(run, observation=replace(run.observation, control=control))))
    assert counts(w) == Counts(bad=1, lost=1)


def test_it_is_remembered_which_slots_were_heard_of() -> None:
    """Only ever forward, by when they were due: two nodes of a region number theirs differently."""
    w = world()
    w.event(Late(run=late(w, region="af", number=7)))
    w.event(Late(run=late(w, region="af", ago=HOUR + MINUTE, number=9)))
    w.event(Late(run=late(w, region="af", why=Why.CONFIRM)))
    place = w.state.checks[CHECKOUT].places["af"]
    assert place.slot == Slot(number=7, due=w.now - HOUR)
    assert (place.outcome, place.at, place.fails) == (None, None, 0)
    w.event(Late(run=late(w, region="af", ago=MINUTE, number=1)))
    assert w.state.checks[CHECKOUT].places["af"].slot == Slot(number=1, due=w.now - MINUTE)


def test_what_is_not_watched_is_nothing() -> None:
    w = world()
    assert w.event(Late(run=late(w, check="gone"))) == Change()
    assert w.event(Late(run=late(w, check="control.eu", why=Why.CONTROL))) == Change()
    w.rules = rules_of(watched(regions=REGIONS))
    assert w.event(Late(run=late(w, ago=HOUR))).tallies == ()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([*Outcome]), st.integers(1, 90), st.sampled_from(REGIONS), st.booleans()), max_size=60
    )
)
def test_late_runs_say_nothing(runs: list[tuple[Outcome, int, str, bool]]) -> None:
    """Between the runs of an outage that is judged they change no decision, no request and no word."""
    with_them, without = world(), world()
    began = with_them.now

    def play(w: World, *, late_too: bool) -> None:
        for number, (outcome, minutes, region, live) in enumerate(runs):
            w.wait(10)
            if late_too:
                w.event(Late(run=late(w, outcome, ago=timedelta(minutes=minutes), region=region)))
            if live:
                run = w.run(outcome, region=region, why=Why.CONFIRM)
                w.event(replace(run, id=type(run.id)(f"live-{number}")))

    play(with_them, late_too=True)
    play(without, late_too=False)
    assert with_them.entries == without.entries
    assert with_them.asks == without.asks
    assert [note.key for note in with_them.notes] == [note.key for note in without.notes]
    for name, check in without.state.checks.items():
        other = with_them.state.checks[name]
        assert replace(other, places={}) == replace(check, places={})
        assert {r: replace(p, slot=None) for r, p in other.places.items() if p != type(p)(slot=p.slot)} == {
            r: replace(p, slot=None) for r, p in check.places.items()
        }
    assert with_them.now > began or not runs


# --- many at once ---------------------------------------------------------------------------------------------------------


def test_a_row_that_stands_for_many_that_passed() -> None:
    """They were thinned out on a full disk: of their steps, and how long they took, nothing is known."""
    w, who = world(), watched(every=timedelta(minutes=30))
    step, quick = replace(SLO, name="step", step="cart"), replace(SLO, name="quick", under=1.0)
    begun = datetime(2026, 11, 23, 1, 45, tzinfo=NOW.tzinfo)
    run = replace(w.run(PASSED), slot=Slot(number=1, due=begun, count=3))
    hours = [(begun, 1), (begun + timedelta(minutes=15), 2)]
    assert tallies_of(run, [SLO, step, quick], who, w.now) == (
        *(Tally(objective="slo", at=at, good=count) for at, count in hours),
        *(Tally(objective=name, at=at, lost=count) for name in ("step", "quick") for at, count in hours),
    )
    for lost in (replace(run, maintenance="night"), replace(run, outcome=Outcome.MISSED)):
        assert {(tally.good, tally.lost) for tally in tallies_of(lost, [SLO], who, w.now)} == {(0, 1), (0, 2)}
    w.event(Late(run=run))
    assert sum(hour.good for hour in w.state.ledgers["slo"].hours.values()) == 5
