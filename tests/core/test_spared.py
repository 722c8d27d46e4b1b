"""Checks with side effects, and checks with a twin: extra runs that prove less than those of the schedule."""

from dataclasses import replace
from datetime import timedelta

from probe.core.check import CheckId
from probe.core.detector import APART
from probe.core.failure import Failure
from probe.core.recovery import QUIET
from probe.core.run import Outcome, Why
from probe.core.state import CheckState
from tests.core.facts import known
from tests.core.world import BROKEN, World, rules_of, watched

FIVE = ("eu", "us", "ap", "sa", "af")
CHECKOUT, TWIN = CheckId("checkout"), CheckId("cart")


def twins() -> World:
    """A check whose confirmation runs are those of another check, of another host."""
    return World(
        rules_of(
            watched(regions=FIVE, confirm_with=TWIN),
            watched("cart", "cart.example", regions=FIVE, every=timedelta(hours=1)),
        )
    )


def score(w: World) -> float:
    return w.state.weighed[CHECKOUT].evidence.fail.score


def test_the_twin_is_asked_in_place_of_the_check() -> None:
    w = twins()
    w.see(Outcome.FAILED)
    assert {(a.check, a.why) for a in w.asks} == {(TWIN, Why.CONFIRM)}


def test_that_the_twin_fails_says_as_much_and_that_it_passes_says_nothing() -> None:
    w = twins()
    w.see(Outcome.FAILED)
    suspected = score(w)
    w.see(Outcome.PASSED, "cart", "us", why=Why.CONFIRM)
    assert score(w) == suspected
    w.see(Outcome.FAILED, "cart", "ap", why=Why.CONFIRM)
    assert score(w) > suspected
    before = score(w)
    w.see(Outcome.FAILED, "cart", "sa")
    assert score(w) == before, "the twin's own schedule is its own business"


def test_a_twin_that_fails_too_makes_it_certain() -> None:
    """Within seconds, as the check's own runs would; and the incident of the check is its own."""
    w = twins()
    w.play(120, lambda *_: 0.5, "checkout")
    w.play(60, lambda *_: BROKEN, "checkout", until=w.suffers)
    assert w.suffers()
    assert CHECKOUT in w.state.incidents["shop.example"].members
    assert w.state.checks[CHECKOUT].places["eu"].fails > 0


def test_the_twin_is_asked_by_nobody_who_is_not_suspected() -> None:
    """Its confirmation runs are then those of its own suspicion."""
    w = twins()
    w.see(Outcome.FAILED, "cart", "eu", why=Why.CONFIRM)
    assert CHECKOUT not in w.state.checks


def test_a_pass_that_stopped_before_its_side_effects_proves_nothing() -> None:
    """Neither that nothing is wrong nor that it is over: the runs of the schedule do."""
    w = World(rules_of(watched(spared=("pay",))))
    w.see(Outcome.FAILED)
    suspected = score(w)
    run = w.run(why=Why.CONFIRM)
    w.now += timedelta(seconds=APART)
    stopped = replace(run, observation=replace(run.observation, stopped_before="pay"))
    w.event(replace(stopped, started=w.now - run.duration))
    assert score(w) == suspected
    w.fail()
    for _ in range(20):
        w.now += timedelta(seconds=QUIET)
        w.event(replace(stopped, started=w.now - run.duration))
    assert w.suffers()
    w.recover()
    assert not w.suffers()


def test_a_run_that_stopped_teaches_nothing() -> None:
    """How long it takes is another question than how long all of it does."""
    w = World(rules_of(watched(spared=("pay",))))
    w.state.checks[CHECKOUT] = CheckState(habits=known(0.5, "eu"))
    before = w.state.checks[CHECKOUT].habits
    for _ in range(20):
        w.now += timedelta(seconds=30)
        run = w.run(took=9.0)
        w.event(replace(run, observation=replace(run.observation, stopped_before="pay")))
    assert w.state.checks[CHECKOUT].habits == before
    assert w.said == []


def test_no_run_is_made_that_could_not_reach_what_fails() -> None:
    w = World(rules_of(watched(spared=("pay",), regions=("eu", "us", "ap"))))
    unpaid = Failure.of("status", "POST /pay answered 502", step="pay", actual="502")
    for region in ("eu", "us"):
        w.see(Outcome.FAILED, region=region, failure=unpaid)
        w.wait(20)
    assert not w.asks
    other = World(w.rules)
    other.see(Outcome.FAILED, region="eu", failure=BROKEN)
    assert other.asks, "that is where extra runs come to"


def test_nothing_is_asked_for_that_cannot_prove_it_is_over() -> None:
    """Runs that stop early pass without saying much: the schedule alone ends the incident."""
    w = World(rules_of(watched(spared=("pay",), regions=("eu", "us", "ap"))))
    for region in ("eu", "us", "ap", "eu", "us", "ap"):
        w.see(Outcome.FAILED, region=region, failure=BROKEN)
        w.wait(10)
    assert w.suffers()
    w.asks.clear()
    for _ in range(10):
        for region in ("eu", "us", "ap"):
            w.see(region=region)
            w.wait(10)
    assert not w.suffers()
    assert not [ask for ask in w.asks if ask.why is Why.CONFIRM]
