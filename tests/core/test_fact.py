"""What a run says to the detector: whether it failed, in which way, how long it took, and whether a pass proves anything."""

from dataclasses import replace
from datetime import timedelta
from math import exp, isclose

import pytest

from probe.core.fact import BLOCKED, SHORTEST, WHOLE, fact_of, is_refusal, is_served
from probe.core.failure import KINDS, Failure, Layer
from probe.core.run import Observation, Outcome, StepOutcome, Why
from tests.core.world import BROKEN, World, rules_of, step, watched


def world() -> World:
    return World(rules_of(watched()))


def test_a_run_that_passed_tells_how_long_all_and_each_step_took() -> None:
    """Steps that did not pass, or have no time, say nothing; nothing takes no time at all."""
    steps = (
        step("open", seconds=0.5),
        step("pay", StepOutcome.SKIPPED),
        step("look", seconds=None),
        step("blink", seconds=0.0),
    )
    run = world().run(took=2.0, steps=steps)
    fact = fact_of(run)
    assert (fact.ok, fact.kind, fact.step, fact.counts, fact.scheduled, fact.overdue) == (
        True,
        "",
        "",
        True,
        True,
        False,
    )
    took = {name: exp(value) for name, value in fact.took}
    assert list(took) == [WHOLE, "open", "blink"]
    assert isclose(took[WHOLE], 2.0)
    assert isclose(took["blink"], SHORTEST)
    assert (fact.began, fact.ended) == (run.started.timestamp(), run.ended.timestamp())
    assert (fact.run, fact.region) == (run.id, "eu")


def test_a_run_that_stopped_before_its_side_effects_proves_nothing_by_passing() -> None:
    """Nor does the twin of a check; how long either took says nothing of the check."""
    w = world()
    run = w.run(why=Why.CONFIRM)
    stopped = fact_of(replace(run, observation=Observation(stopped_before="pay")))
    twin = fact_of(run, twin=True)
    for fact in (stopped, twin):
        assert (fact.ok, fact.counts, fact.took) == (True, False, ())
    assert not fact_of(run).scheduled
    assert fact_of(w.run(Outcome.FAILED), twin=True).counts, "that it failed does"


@pytest.mark.parametrize(("why", "scheduled"), [(Why.SCHEDULED, True), (Why.DRILL, True), (Why.CONFIRM, False)])
def test_only_the_schedule_teaches(why: Why, scheduled: bool) -> None:
    assert fact_of(world().run(why=why)).scheduled is scheduled


@pytest.mark.parametrize(("actual", "blocked"), [("403", True), ("429", True), ("500", False), ("404", False)])
def test_a_server_that_takes_us_for_a_robot(actual: str, blocked: bool) -> None:
    failure = Failure.of("status", f"answered {actual}", actual=actual, step="open")
    assert is_refusal(failure) is blocked
    fact = fact_of(world().run(Outcome.FAILED, failure=failure))
    assert (fact.ok, fact.step) == (False, "open")
    assert fact.kind == (BLOCKED if blocked else "status")
    assert is_served(fact.kind)
    assert not is_refusal(Failure.of("body", actual="403"))


def test_a_run_that_failed_without_a_reason_is_a_failure_nevertheless() -> None:
    w = world()
    run = w.run(Outcome.FAILED)
    bare = replace(run, observation=Observation())
    fact = fact_of(bare)
    assert (fact.ok, fact.kind, fact.step) == (False, "", "")
    assert fact_of(w.run(Outcome.FAILED, failure=BROKEN)).step == "add to cart"


def test_every_kind_of_failure_is_an_answer_or_is_not() -> None:
    """What never reached the service is not its answer; a wrong certificate is. What is not known is not."""
    served = {kind for kind in KINDS if is_served(kind)}
    for kind, info in KINDS.items():
        if info.layer in (Layer.CONNECT, Layer.PROBE):
            assert kind not in served, kind
        if info.layer in (Layer.CONTENT, Layer.SCRIPT, Layer.THIRD_PARTY):
            assert kind in served, kind
    assert {"certificate_expired", "status", "no_response", "name_not_found"} <= served
    assert not {"tls_handshake", "tls_timeout", "dns_timeout", "deadline", "closed_early", "refused"} & served
    assert not is_served("overdue")
    assert not is_served("")


def test_facts_sort_by_when_they_came_to_be_known() -> None:
    w = world()
    long = w.run(took=20.0)
    w.now -= timedelta(seconds=5)
    short = w.run(took=1.0)
    assert long.started < short.started
    assert min(fact_of(long), fact_of(short)).run == short.id
