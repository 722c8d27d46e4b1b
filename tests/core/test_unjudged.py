"""Runs that say nothing about a target: they are counted, and otherwise change nothing."""

from datetime import timedelta
from typing import Any

from probe.core.check import CheckId
from probe.core.incident import Verdict
from probe.core.ledger import Counts
from probe.core.rules import Objective
from probe.core.run import Outcome, Slot, Why
from probe.core.state import Change, Place
from tests.core.world import World, rules_of, watched

FAILED = Outcome.FAILED
MINUTE = timedelta(minutes=1)


def world(*checks: Any, **given: Any) -> World:
    return World(rules_of(*(checks or (watched(),)), **given))


def test_what_is_not_watched_only_gets_its_slot() -> None:
    """The last run of a check that is gone says nothing; should the check come back, its slots go on after it."""
    w = world()
    change = w.see(FAILED, "gone")
    assert (change.tallies, change.asks, change.entries) == ((), (), ())
    assert change.checks[CheckId("gone")].places["eu"] == Place(slot=Slot(number=1, due=w.now - timedelta(seconds=1)))
    assert w.see(FAILED, "gone", why=Why.MANUAL) == Change()


def test_missed_and_aborted_runs_only_lower_coverage() -> None:
    """They neither break a row nor make one; a row of missed slots is lost as often, spread over its hours."""
    objective = Objective(name="slo", checks=frozenset({CheckId("checkout")}), target=0.9)
    w = world(objectives=[objective])
    w.see(FAILED)
    w.see(Outcome.ABORTED)
    w.see(Outcome.MISSED, count=150)
    assert w.state.checks[CheckId("checkout")].places["eu"].fails == 1
    w.now += timedelta(hours=4)
    ledger = w.state.ledgers["slo"]
    assert ledger.between(w.now - timedelta(hours=5), w.now) == Counts(bad=1, lost=151)
    assert not w.state.incidents


def test_a_long_gap_is_lost_where_it_was() -> None:
    """Known at the end of it: each hour of it loses its share."""
    objective = Objective(name="slo", checks=frozenset({CheckId("checkout")}), target=0.9)
    w = world(objectives=[objective])
    start = w.now
    run = w.run(Outcome.MISSED, count=150)
    w.now += timedelta(minutes=150)
    w.event(run)
    ledger = w.state.ledgers["slo"]
    assert ledger.between(start - MINUTE, start + timedelta(hours=4)) == Counts(lost=150)
    assert ledger.between(start + timedelta(hours=1), start + timedelta(hours=2)).lost == 60


def test_maintenance_counts_for_nothing_but_the_machine_advances() -> None:
    """An outage in a window is an incident like any other; holding it back is delivery's business."""
    objective = Objective(name="slo", checks=frozenset({CheckId("checkout")}), target=0.9)
    w = world(objectives=[objective])
    w.fail(maintenance="deploy")
    assert w.only.verdict is Verdict.DOWN
    assert w.state.ledgers["slo"].between(w.now - MINUTE, w.now + MINUTE) == Counts(lost=1)
