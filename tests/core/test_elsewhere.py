"""Our own trouble, where the checks that suffer from it are judged elsewhere: one story for a region, told once."""

from dataclasses import replace

import pytest

from probe.core.check import CheckId
from probe.core.evaluate import OwnTrouble, Tick, evaluate
from probe.core.incident import Incident, IncidentId, Member, Verdict
from probe.core.ours import concerns_us
from probe.core.rules import Objective, Route, Severity
from probe.core.run import Outcome, RunId
from probe.core.shards import OWN, split
from probe.core.state import Place, State
from tests.core.builders import NOW
from tests.core.world import BROKEN, OURS, World, rules_of, watched

FAILED, PASSED, ERRORED = Outcome.FAILED, Outcome.PASSED, Outcome.ERRORED
SLO = Objective(name="slo", checks=frozenset({CheckId("checkout")}), target=0.9)


def world() -> World:
    """The world of whoever tells our own trouble, and judges no check."""
    routes = (Route(channels=("oncall",)), Route(channels=("cart-team",), tags=("cart",)))
    rules = rules_of(watched(regions=("eu", "us"), tags=("cart",)), watched("api"), objectives=[SLO], routes=routes)
    return World(split(rules)[OWN])


def hear(w: World, outcome: Outcome = ERRORED, check: str = "checkout") -> None:
    w.event(OwnTrouble(run=w.run(outcome, check)))


def test_it_is_told_once_it_has_lasted() -> None:
    w = world()
    hear(w)
    hear(w)
    assert not w.state.incidents
    assert w.state.regions["eu"].errors == {"checkout": 2}
    hear(w)
    assert (w.only.cause, w.only.verdict, w.only.severity) == ("probe:eu", Verdict.PROBE_FAULT, Severity.TICKET)
    assert w.said == ["opened oncall", "opened cart-team"], "whoever cares for the check is told, wherever it is judged"
    message = w.notes[0].message
    assert (message.checks, message.targets) == (("checkout",), ("shop",))
    assert "eu (1 of 2 regions); fine from us" in message.body
    for _ in range(3):
        hear(w, check="api")
    assert set(w.only.members) == {"checkout", "api"}
    w.event(Tick())
    assert [m.recovered for m in w.only.members.values()] == [None, None], "they are watched, elsewhere"
    assert w.state.checks == {}, "what is known of them is kept there"


@pytest.mark.parametrize("outcome", [PASSED, FAILED])
def test_it_is_over_with_the_first_run_that_could_be_made(outcome: Outcome) -> None:
    w = world()
    for _ in range(3):
        hear(w)
    hear(w, outcome)
    assert not w.state.incidents
    assert w.state.regions["eu"].errors == {}
    hear(w, outcome)
    hear(w)
    assert not w.state.incidents, "it is counted anew"


def test_a_check_that_was_taken_out_suffers_no_more() -> None:
    w = world()
    for _ in range(3):
        hear(w)
    w.rules = split(rules_of(watched("api")))[OWN]
    w.event(Tick())
    assert not w.state.incidents
    hear(w)
    assert w.state.regions["eu"].errors == {"checkout": 3}, "nobody asks about it"


def test_without_a_reason_there_is_nothing_to_tell() -> None:
    w = world()
    for _ in range(5):
        run = w.run(ERRORED)
        w.event(OwnTrouble(run=replace(run, observation=replace(run.observation, failures=()))))
    assert not w.state.incidents


def test_which_runs_concern_us() -> None:
    w, ill = world(), Place(errors=1)
    assert concerns_us(w.run(ERRORED), None)
    assert concerns_us(w.run(ERRORED), Place())
    assert concerns_us(w.run(PASSED), ill)
    assert concerns_us(w.run(FAILED), ill)
    assert not concerns_us(w.run(FAILED), Place(fails=1))
    assert not concerns_us(w.run(PASSED), None)
    assert not concerns_us(w.run(Outcome.MISSED), ill)


def test_who_judges_a_check_does_not_tell_that_its_runs_cannot_be_made() -> None:
    parts = split(rules_of(watched(), objectives=[SLO]))
    w = World(parts["checkout"])
    for _ in range(5):
        w.see(ERRORED)
    assert not w.state.incidents
    place = w.state.checks[CheckId("checkout")].places["eu"]
    assert (place.errors, place.trouble) == (5, OURS)
    w.see()
    assert w.state.checks[CheckId("checkout")].places["eu"].errors == 0


def test_an_incident_whose_check_is_judged_elsewhere_now_is_let_go() -> None:
    """A configuration has moved it to another host: nothing of what is known of it there is touched."""
    w = World(replace(rules_of(watched("api")), known={CheckId("checkout"): watched(cause="new.example")}))
    member = Member(check=CheckId("checkout"), regions=("eu",), since=NOW, run=RunId("r"), failure=BROKEN)
    w.state.incidents["old.example"] = Incident(
        id=IncidentId("20261123-030000-0000"), cause="old.example", verdict=Verdict.DOWN, severity=Severity.PAGE, since=NOW, opened=NOW,
        members={member.check: member},
    )  # fmt: skip
    change = evaluate(w.state, Tick(), w.rules, w.now)
    assert change.incidents["old.example"].resolved is not None
    assert change.checks == {}


def test_trouble_that_is_told_nowhere_is_judged_anew() -> None:
    """A check that came from another part while it failed: its incident was left behind there."""
    w = World(rules_of(watched()))
    w.fail()
    moved = World(rules_of(watched(cause="new.example")), w.now)
    moved.state = replace(State(), checks=dict(w.state.checks))
    moved.play(120, lambda *_: BROKEN)
    assert (moved.only.cause, moved.only.verdict) == ("new.example", Verdict.DOWN)
    moved.recover()
    assert not moved.state.incidents
