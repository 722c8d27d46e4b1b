"""Burning budgets: told as the host's incident when nothing explains them, noted in the incident that does."""

from datetime import timedelta
from typing import Any

from probe.core.check import CheckId
from probe.core.evaluate import Tick
from probe.core.incident import Verdict
from probe.core.rules import Objective, Severity
from probe.core.run import Outcome, StepOutcome
from tests.core.world import World, rules_of, step, watched

CHECKOUT = CheckId("checkout")


def slow(**given: Any) -> Objective:
    return Objective(
        **{
            "name": "checkout/latency",
            "checks": frozenset({CHECKOUT}),
            "target": 0.99,
            "step": "pay",
            "under": 3.0,
            **given,
        }
    )


def walk(w: World, minutes: int, seconds: float, check: str = "checkout", outcome: Outcome = Outcome.PASSED) -> None:
    """A run a minute, whose step takes so long, and a tick."""
    for _ in range(minutes):
        w.now += timedelta(minutes=1)
        w.event(Tick())
        w.see(outcome, check, steps=(step("pay", StepOutcome.PASSED, seconds),))


def test_a_slow_step_that_passes_is_a_latency_burn() -> None:
    """Nobody fails, and customers wait: one page, one resolution, said in words and numbers."""
    w = World(rules_of(watched(), objectives=[slow()]))
    walk(w, 60, 0.5)
    walk(w, 17, 9.0)
    assert w.said == ["opened oncall"]
    incident = w.only
    assert (incident.cause, incident.verdict, incident.severity) == ("shop.example", Verdict.DEGRADED, Severity.PAGE)
    counted = 'checkout/latency: 16 of 60 runs in the last 1h failed or took longer than 3 s at step "pay"'
    assert w.notes[0].message.title == f"DEGRADED: shop.example, {counted}"
    assert (
        f"Burning:   {counted}; within the objective that happens less than once in a million; the error budget burns "
        "27 times (18 to 37) as fast as it may: gone in 26h (19h to 38h) at this rate\n"
    ) in w.notes[0].message.body
    assert "suffer: A guest buys one item" in w.notes[0].message.body
    walk(w, 600, 0.5)
    assert w.said == ["opened oncall", "resolved oncall"]
    assert w.told == ["opened", "resolved"]
    walk(w, 600, 0.5)
    assert len(w.said) == 2


def test_a_slow_burn_is_a_ticket_that_can_become_a_page() -> None:
    """One run in twenty is too slow for a day: a ticket. Then all are: a page, said to be escalated, in new words.

    By a hair, so that nobody would call it slow but who has promised less.
    """
    w = World(rules_of(watched(), objectives=[slow(under=0.4)]))
    for _ in range(65):
        walk(w, 19, 0.39)
        walk(w, 1, 0.41)
    assert (w.only.severity, w.said) == (Severity.TICKET, ["opened oncall"])
    walk(w, 30, 0.41)
    assert (w.only.severity, w.said) == (Severity.PAGE, ["opened oncall", "escalated oncall"])
    assert "Burning:   checkout/latency: 60 of 1200 runs in the last 20h failed" in w.notes[0].message.body
    assert "of 60 runs in the last 1h failed" in w.notes[1].message.body


def test_an_outage_explains_its_burn() -> None:
    """The incident's timeline tells it; nothing is said twice, neither during the outage nor after it."""
    available = Objective(name="checkout", checks=frozenset({CHECKOUT}), target=0.999)
    w = World(rules_of(watched(), objectives=[available, slow()]))
    walk(w, 60, 0.5)
    w.fail()
    for _ in range(20):
        w.wait(60)
        w.see(Outcome.FAILED, steps=(step("pay", StepOutcome.FAILED, 8.0),))
    assert w.told.count("burn") == 2
    assert w.said == ["opened oncall"]
    assert set(w.only.burns) == {"checkout", "checkout/latency"}
    w.recover()
    walk(w, 120, 0.5)
    assert w.said == ["opened oncall", "resolved oncall"]
    assert "error budget" in w.notes[-1].message.body


def test_a_burn_that_becomes_an_outage_is_one_incident() -> None:
    """Degraded, then down: escalated, and resolved when the check has recovered."""
    w = World(rules_of(watched(), objectives=[slow()]))
    walk(w, 20, 9.0)
    w.fail()
    assert (w.only.verdict, w.said) == (Verdict.DOWN, ["opened oncall", "escalated oncall"])
    w.recover()
    assert w.said[2:] == ["resolved oncall"]
    assert not w.state.incidents


def test_two_objectives_of_one_host_are_one_incident() -> None:
    """The second one is a line in the timeline; both must have cooled."""
    whole = slow(name="whole", step=None, under=1.0)
    w = World(rules_of(watched(), objectives=[slow(), whole]))
    for _ in range(20):
        w.wait(60)
        w.see(took=5.0, steps=(step("pay", StepOutcome.PASSED, 9.0),))
    assert w.said == ["opened oncall"]
    assert w.told == ["opened", "burn"]


def test_an_objective_over_several_hosts_is_its_own_cause() -> None:
    """There is no host to put it down to; one that is no longer watched is not counted."""
    both = slow(checks=frozenset({CHECKOUT, CheckId("pay"), CheckId("gone")}))
    w = World(rules_of(watched(), watched("pay", cause="pay.example"), objectives=[both]))
    walk(w, 20, 9.0)
    assert w.only.cause == "slo:checkout/latency"
    assert w.notes[0].message.title.startswith("DEGRADED: checkout/latency, ")


def test_a_stray_slow_run_is_nothing() -> None:
    """Two bad runs of one objective never page."""
    w = World(rules_of(watched(), objectives=[slow(target=0.999)]))
    walk(w, 60, 0.5)
    walk(w, 2, 9.0)
    walk(w, 60, 0.5)
    assert w.said == []


def test_an_objective_that_is_taken_away_ends_its_incident() -> None:
    """And is not in the message any more."""
    w = World(rules_of(watched(), objectives=[slow()]))
    walk(w, 20, 9.0)
    w.rules = rules_of(watched())
    w.wait(5)
    assert not w.state.incidents
    assert w.notes[-1].message.checks == ()
    assert w.said == ["opened oncall", "resolved oncall"]


def test_an_unexplained_burn_after_an_outage_is_told() -> None:
    """It takes new bad runs, and as many as at first."""
    w = World(rules_of(watched(), objectives=[slow()]))
    walk(w, 20, 0.5)
    w.fail()
    w.recover()
    walk(w, 2, 9.0)
    assert len(w.said) == 2
    walk(w, 20, 9.0)
    assert w.said[2:] == ["opened oncall"]
    assert w.now - w.only.since < timedelta(minutes=20)


def test_the_incident_of_another_host_explains_nothing() -> None:
    """What burns here is told beside what is down there."""
    w = World(rules_of(watched(), watched("pay", cause="pay.example"), objectives=[slow()]))
    w.fail("pay")
    w.fail("pay")
    assert set(w.state.incidents) == {"pay.example"}
    walk(w, 20, 9.0)
    assert set(w.state.incidents) == {"pay.example", "shop.example"}
    assert not w.state.incidents["pay.example"].burns
