"""Control samples, taken in the second in which a run fails: proof that our own network worked, or that it did not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.incident import Verdict
from probe.core.ledger import Counts
from probe.core.network import LASTING
from probe.core.rules import Objective
from probe.core.run import Control, Observation, Outcome, Run, Why
from probe.core.state import RegionState
from probe.core.verdict import ILL
from probe.store.rows import from_json, to_json
from tests.core.world import BROKEN, World, rules_of, watched

FAILED, PASSED = Outcome.FAILED, Outcome.PASSED
REGIONS = ("eu", "us", "ap")
SLO = Objective(name="slo", checks=frozenset({CheckId("checkout")}), target=0.9)
REFUSED = Failure.of("refused")


def world(*regions: str) -> World:
    controls = {region: CheckId(f"control.{region}") for region in regions}
    w = World(rules_of(watched(regions=regions), controls=controls, objectives=[SLO]))
    for region in regions:
        w.see(region=region)
    w.wait(20)
    return w


def failed(w: World, region: str = "eu", *, well: bool, **given: Any) -> Run:
    """A failed run with its control sample."""
    run = w.run(FAILED, region=region, **given)
    text = "https://anchor.example answered 204" if well else "https://anchor.example: no connection in time"
    sample = Control(well=well, at=run.started + timedelta(milliseconds=800), seconds=0.1, text=text)
    return replace(run, observation=replace(run.observation, control=sample))


def counts(w: World) -> Counts:
    return w.state.ledgers["slo"].between(w.now - timedelta(hours=1), w.now + timedelta(minutes=1))


def test_a_run_whose_sample_was_not_well_says_nothing_and_its_region_is_ill() -> None:
    w = world(*REGIONS)
    run = failed(w, well=False)
    w.event(run)
    region, place = w.state.regions["eu"], w.state.checks[CheckId("checkout")].places["eu"]
    assert run.observation.control is not None
    assert (region.blind, region.ill, region.answered, region.run) == (
        run.observation.control.at, w.now, w.now, run.id
    )  # fmt: skip
    assert region.failure is not None
    assert (region.failure.kind, region.failure.ours) == ("no_network", True)
    assert "no connection in time" in region.failure.message
    assert (place.fails, place.outcome, place.slot) == (0, FAILED, run.slot)
    assert counts(w) == Counts(good=3, lost=1)
    assert w.asks == []
    w.event(failed(w, well=False))
    assert w.state.regions["eu"].blind == region.blind, "since the first of them"


def test_what_failed_before_is_taken_back() -> None:
    """As by a control run that fails: suspicions that were not told yet were our own network."""
    w = world(*REGIONS)
    w.see(FAILED, region="eu")
    assert w.state.suspects
    assert counts(w) == Counts(good=3, bad=1)
    w.event(failed(w, well=False))
    assert not w.state.suspects
    assert counts(w) == Counts(good=3, lost=2)


def test_a_sample_that_was_well_answers_for_the_control_run() -> None:
    """None is asked for, nothing is waited for, and what waited for one is decided."""
    w = world(*REGIONS)
    for number in range(3):
        for region in REGIONS:
            w.event(failed(w, region, well=True, why=Why.CONFIRM))
        assert number or [ask.why for ask in w.asks if ask.why is Why.CONTROL] == []
        w.wait(15)
    assert w.only.verdict is Verdict.DOWN
    assert "control runs from ap, eu, us in the same second were well" in w.notes[0].message.evidence


def test_one_region_has_its_proof_in_words() -> None:
    w = world("eu")
    while not w.suffers():
        w.event(failed(w, well=True))
        w.wait(15)
    assert "a control run from eu in the same second was well" in w.notes[0].message.body


def test_samples_of_some_are_not_said_of_all() -> None:
    w = world("eu", "us")
    for number in range(4):
        w.event(failed(w, "eu", well=True))
        w.see(FAILED, region="us")
        w.see(PASSED, "control.us", region="us", why=Why.CONTROL)
        w.wait(20)
        assert number < 3 or w.suffers()
    assert "control runs fine" in w.notes[0].message.evidence


def test_what_waited_for_the_control_run_is_decided_by_the_sample() -> None:
    w = world(*REGIONS)
    for _ in range(2):
        for region in REGIONS:
            w.see(FAILED, region=region)
        w.wait(16)
    assert w.state.regions["eu"].asked is not None
    assert not w.state.incidents, "the control runs that were asked for have not answered"
    w.event(failed(w, "eu", well=True))
    w.event(failed(w, "us", well=True))
    assert not w.state.incidents
    w.event(failed(w, "ap", well=True))
    assert w.only.verdict is Verdict.DOWN


def test_a_region_that_was_blind_sees_again_by_a_sample() -> None:
    """What fails there says nothing for a while, as after a control run: a network that comes back comes and goes."""
    w = world(*REGIONS)
    w.event(failed(w, well=False))
    w.wait(30)
    w.event(failed(w, well=True))
    assert w.state.regions["eu"].blind is None
    assert counts(w) == Counts(good=3, lost=2)
    w.wait(ILL.total_seconds())
    w.event(failed(w, well=True))
    assert counts(w) == Counts(good=3, bad=1, lost=2)


def test_samples_that_are_well_nowhere_are_not_our_networks() -> None:
    """All regions at once: the internet, or the anchors; the shop is believed to fail."""
    w = world(*REGIONS)
    for region in REGIONS:
        w.event(failed(w, region, well=False, failure=REFUSED))
    assert counts(w) == Counts(good=3, bad=1, lost=2)
    for _ in range(4):
        w.wait(16)
        for region in REGIONS:
            w.event(failed(w, region, well=False, failure=REFUSED))
    assert w.only.verdict is Verdict.DOWN


def test_the_trouble_is_told_by_the_control_run() -> None:
    """A sample is a control run of its own as well: one story, that it begins and ends."""
    w = world("eu")
    for _ in range(4):
        w.event(failed(w, well=False))
        w.wait(LASTING.total_seconds() / 2)
    assert not w.state.incidents
    w.see(FAILED, "control.eu", why=Why.CONTROL, failure=REFUSED)
    assert (w.only.cause, w.only.verdict) == ("probe:eu", Verdict.PROBE_FAULT)
    w.event(failed(w, well=True))
    assert w.state.incidents
    w.see(PASSED, "control.eu", why=Why.CONTROL)
    assert not w.state.incidents


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.ERRORED, Outcome.MISSED])
def test_only_a_failed_run_has_a_sample_that_matters(outcome: Outcome) -> None:
    w = world("eu")
    run = w.run(outcome)
    sample = Control(well=False, at=w.now, seconds=0.1, text="")
    w.event(replace(run, observation=replace(run.observation, control=sample)))
    assert w.state.regions.get("eu", RegionState()).blind is None


def test_what_was_written_before_there_were_samples_is_read() -> None:
    assert msgspec.json.decode(b'{"failures": []}', type=Observation) == Observation()
    assert from_json(RegionState, "{}") == RegionState()
    w = world("eu")
    seen = failed(w, well=True).observation
    assert msgspec.json.decode(to_json(seen), type=Observation) == seen
    assert seen.failures == (BROKEN,)
