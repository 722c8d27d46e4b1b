"""What a run does to what is known of a check in its region: trouble begins, goes on, and is over."""

from dataclasses import replace
from datetime import timedelta

from probe.core.check import CheckId
from probe.core.place import KEPT, after, taken_back, tallies_of
from probe.core.rules import Objective
from probe.core.run import Outcome, Slot, Why
from probe.core.state import Place, Tally
from tests.core.builders import NOW
from tests.core.world import BROKEN, OURS, THIRD, World, rules_of, watched

FAILED, PASSED = Outcome.FAILED, Outcome.PASSED
SLO = Objective(name="slo", checks=frozenset({CheckId("checkout")}), target=0.9)
BAD = Tally(objective="slo", at=NOW, bad=1)


def world() -> World:
    return World(rules_of(watched()))


def test_trouble_begins_with_a_failed_run_and_goes_on() -> None:
    """The first tells the reason; a pass between, while it matters, does not end it."""
    w = world()
    first = w.run(FAILED, picture=True)
    place = after(Place(), first, [BAD])
    assert (place.fails, place.since, place.run, place.failure) == (1, first.started, first.id, BROKEN)
    assert (place.picture, place.bad, place.at) == ("/e/shot.png", (BAD,), first.ended)
    w.wait(10)
    passed = after(place, w.run(), troubled=True)
    assert (passed.fails, passed.run, passed.outcome) == (1, first.id, PASSED)
    second = after(passed, w.run(FAILED, failure=THIRD), [BAD, replace(BAD, bad=0, good=1)], troubled=True)
    assert (second.fails, second.run, second.failure, second.bad) == (2, first.id, BROKEN, (BAD, BAD))
    over = after(second, w.run())
    assert (over.fails, over.failure, over.bad, over.since) == (0, None, (), None)
    again = w.run(FAILED, failure=THIRD)
    new = after(second, again)
    assert (new.fails, new.run, new.failure, new.bad, new.picture) == (1, again.id, THIRD, (), None)


def test_a_run_that_comes_late_is_put_where_it_belongs() -> None:
    """The trouble is as old as the earliest of its runs, and the last answer as young as the latest."""
    w = world()
    early = w.run(FAILED, failure=THIRD)
    w.wait(30)
    late = w.run(FAILED)
    place = after(after(Place(), late), early, troubled=True)
    assert (place.since, place.run, place.failure) == (early.started, early.id, THIRD)
    assert (place.at, place.fails) == (late.ended, 2)
    assert after(place, early).at == late.ended


def test_our_own_trouble_is_counted_beside() -> None:
    """It says nothing about the target, and is over with the next answer; a run that was not made only has its slot."""
    w = world()
    place = after(Place(fails=1, since=NOW), w.run(Outcome.ERRORED))
    assert (place.errors, place.trouble, place.fails, place.at) == (1, OURS, 1, None)
    missed = w.run(Outcome.MISSED)
    kept = after(place, missed)
    assert (kept.errors, kept.slot, kept.outcome) == (1, missed.slot, Outcome.MISSED)
    assert after(place, w.run(), troubled=True).errors == 0
    assert after(place, w.run(FAILED), troubled=True).trouble is None
    confirm = w.run(why=Why.CONFIRM)
    assert after(kept, confirm).slot == missed.slot, "what was not scheduled has none"


def test_what_may_be_taken_back_has_a_bound() -> None:
    w = world()
    place = Place(fails=1, since=NOW - timedelta(hours=1), bad=(BAD,) * KEPT)
    newest = replace(BAD, at=NOW + timedelta(seconds=1))
    bad = after(place, w.run(FAILED), [newest], troubled=True).bad
    assert (len(bad), bad[-1]) == (KEPT, newest)
    assert taken_back([BAD]) == (Tally(objective="slo", at=NOW, bad=-1, lost=1),)


def test_only_the_schedule_counts() -> None:
    """Runs made on suspicion would count trouble several times."""
    w, who = world(), watched()
    assert tallies_of(w.run(why=Why.CONFIRM), [SLO], who, NOW) == ()
    assert tallies_of(w.run(), [], who, NOW) == ()
    run = w.run(FAILED)
    assert run.slot is not None
    assert tallies_of(run, [SLO], who, NOW) == (Tally(objective="slo", at=run.slot.due, bad=1),)
    drill = replace(run, why=Why.DRILL, slot=Slot(number=1, due=NOW))
    assert tallies_of(drill, [SLO], who, NOW) == ()
