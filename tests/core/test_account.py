"""The sentence that says which runs convinced us can be counted again from the runs themselves."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from probe.core.account import Finding, find
from probe.core.cases import tell
from probe.core.check import CheckId
from probe.core.draft import Draft
from probe.core.fact import Fact
from probe.core.failure import KINDS, Failure
from probe.core.holds import FAIL, SLOW
from probe.core.run import Outcome, Run
from probe.core.state import Change, CheckState, RegionState, State
from probe.core.verdict import ILL
from tests.core.builders import NOW
from tests.core.facts import BOUNDS, fact, known, weighed
from tests.core.world import BROKEN, THIRD, Truth, World, rules_of, step, watched

FIVE = ("eu", "us", "ap", "sa", "af")
CHECKOUT = CheckId("checkout")
REFUSED = Failure.of("refused")
CONTROLS = {name: CheckId(f"control.{name}") for name in FIVE}
COUNTED = re.compile(
    r"(?P<bad>\d) of (?P<regions>\d) regions: (?P<failed>\d+) of (?P<runs>\d+) runs failed"
    r"(?: since (?P<first>[\d:]+), (?P<alike>\d+) of them)?"
    r'(?: at "(?P<step>[^"]+)")? with (?P<how>[^;]+?)(?: since (?P<since>[\d:]+))?;'
)


def runs_of(w: World) -> list[Run]:
    return [e for _, e in w.events if isinstance(e, Run) and e.check == CHECKOUT]


def evidence(w: World) -> str:
    return w.only.members[CHECKOUT].evidence


@pytest.mark.parametrize(
    ("regions", "bad", "failure"),
    [
        (FIVE, FIVE, BROKEN),
        (FIVE, FIVE[:3], BROKEN),
        (FIVE, FIVE[:1], BROKEN),
        (FIVE, FIVE, REFUSED),
        (("eu",), ("eu",), BROKEN),
    ],
)
def test_runs_regions_reason_and_since_are_those_of_the_history(
    regions: tuple[str, ...], bad: tuple[str, ...], failure: Failure
) -> None:
    """Counted from the runs that were made: those of the regions that take part, since the first that failed."""
    w = World(rules_of(watched(regions=regions)))
    w.play(300, lambda *_: 0.5)
    w.play(900, lambda _c, region, _at: failure if region in bad else 0.5, until=w.suffers)
    found = COUNTED.match(evidence(w))
    assert found, evidence(w)
    failed = [run for run in runs_of(w) if run.outcome is Outcome.FAILED]
    first = min(run.started for run in failed)
    suspects = {run.region for run in failed}
    looked_at = suspects if w.only.verdict == "regional" else set(regions)
    ended = min(run.ended for run in failed if run.started == first)
    since = [run for run in runs_of(w) if run.ended >= ended and run.region in looked_at]
    assert int(found["bad"]) == len(suspects)
    assert int(found["regions"]) == len(regions)
    assert int(found["failed"]) == len(failed)
    assert int(found["runs"]) == len(since)
    assert found["since"] == f"{first:%H:%M:%S}"
    assert found["alike"] is None, "all failed alike"
    assert found["step"] == failure.step
    assert found["how"] == ("HTTP 500" if failure is BROKEN else f"connect: {KINDS['refused'].words}")
    member = w.only.members[CHECKOUT]
    assert (member.since, member.failure) == (first, failure)
    assert member.run in {run.id for run in failed if run.started == first}


def test_what_most_failed_with_is_told_and_how_many() -> None:
    """The others failed otherwise."""
    w = World(rules_of(watched(regions=FIVE)))
    w.play(300, lambda *_: 0.5)
    w.play(600, lambda _c, region, _at: THIRD if region == "ap" else BROKEN, until=w.suffers)
    found = COUNTED.match(evidence(w))
    assert found, evidence(w)
    failed = [run for run in runs_of(w) if run.outcome is Outcome.FAILED]
    alike = [run for run in failed if run.failure == BROKEN]
    assert (int(found["failed"]), int(found["alike"])) == (len(failed), len(alike))
    assert len(alike) < len(failed)
    assert found["first"] == f"{min(run.started for run in failed):%H:%M:%S}"


def test_how_often_it_fails_by_itself_is_told() -> None:
    """Of the region, where it is one; in words that need no statistics."""
    w = World(rules_of(watched(regions=FIVE)))
    w.state.checks[CHECKOUT] = CheckState(habits=known(0.5, *FIVE))
    w.fail()
    usual = sum(w.state.checks[CHECKOUT].habits.noise())
    assert f"usual: 1 in {1 / usual:.0f}" in evidence(w)


@pytest.mark.parametrize(
    ("controls", "words"),
    [({}, "no control runs"), (CONTROLS, "control runs fine"), ({"eu": CONTROLS["eu"]}, "control runs fine")],
)
def test_what_control_runs_said_is_told(controls: dict[str, CheckId], words: str) -> None:
    w = World(rules_of(watched(regions=FIVE), controls=controls))

    def truth(name: str, region: str, _at: datetime) -> Failure | float:
        return BROKEN if region == "eu" and not name.startswith("control") else 0.5

    w.play(900, truth, until=w.suffers)
    assert evidence(w).endswith(words)


@pytest.mark.parametrize(
    ("regions", "words"),
    [
        ({}, "no control run has answered yet"),
        ({"eu": RegionState(answered=NOW - 2 * ILL)}, "no control run has answered yet"),
        ({"eu": RegionState(answered=NOW)}, "control runs fine in 1 of 5"),
        ({"eu": RegionState(answered=NOW), "us": RegionState(answered=NOW, ill=NOW)}, "control runs fine in 1 of 5"),
        ({"eu": RegionState(answered=NOW, blind=NOW, ill=NOW)}, "control runs fine in 0 of 5"),
        (dict.fromkeys(FIVE, RegionState(answered=NOW)), "control runs fine"),
        (dict.fromkeys(FIVE, RegionState(answered=NOW, ill=NOW - 2 * ILL)), "control runs fine"),
    ],
)
def test_control_runs_are_counted_that_answered_a_moment_ago(regions: dict[str, RegionState], words: str) -> None:
    w = World(rules_of(watched(regions=FIVE), controls=CONTROLS))
    w.play(120, lambda name, *_: 0.5 if name.startswith("control") else BROKEN)
    w.state.regions = {
        name: replace(region, answered=shifted(region.answered, w), ill=shifted(region.ill, w))
        for name, region in regions.items()
    }
    draft = Draft(w.state, w.rules, w.now)
    found = find(draft, watched(regions=FIVE), FAIL, w.state.weighed[CHECKOUT].evidence, FIVE, 0.0)
    assert found is not None
    assert found.evidence.endswith(f"; {words}")


def shifted(moment: datetime | None, w: World) -> datetime | None:
    """The moment, as long before the world's now as it is before `NOW`."""
    return moment and moment + (w.now - NOW)


def slow(w: World, seconds: float) -> Truth:
    return lambda *_: seconds


def test_slow_runs_are_counted_against_a_bound_that_is_told() -> None:
    """How many took longer than what one ordinary run in fifty does, and how long they take usually."""
    w = World(rules_of(watched(regions=FIVE)))
    w.state.checks[CHECKOUT] = CheckState(habits=known(0.5, *FIVE))
    w.play(120, slow(w, 0.5))
    w.play(900, slow(w, 2.0), until=w.suffers)
    found = re.match(
        r"(\d) of (\d) regions: (\d+) of (\d+) runs took more than ([\d.]+) s for the run since ([\d:]+); "
        r"usual: ([\d.]+) s, and 1 run in 50 as slow as that; watched for \d+ s, and it did not heal$",
        evidence(w),
    )
    assert found, evidence(w)
    slow_runs = [run for run in runs_of(w) if run.duration > timedelta(seconds=1)]
    first = min(run.started for run in slow_runs)
    since = [run for run in runs_of(w) if run.ended >= slow_runs[0].ended]
    assert [int(found[n]) for n in (1, 2, 3, 4)] == [5, 5, len(slow_runs), len(since)]
    assert float(found[5]) == pytest.approx(0.5 * 2.718281828 ** BOUNDS[1], rel=0.1)
    assert found[6] == f"{first:%H:%M:%S}"
    assert found[7] == "0.5"


def test_a_slow_step_is_named_in_it() -> None:
    w = World(rules_of(watched(regions=FIVE)))
    w.state.checks[CHECKOUT] = CheckState(habits=known(0.5, *FIVE, step="pay"))
    for number in range(60):
        w.now += timedelta(seconds=5)
        w.see(region=FIVE[number % 5], steps=(step("pay", seconds=2.0),))
    assert 's for step "pay" since' in evidence(w)


def draft_of(*trail: Fact) -> Draft:
    rules = rules_of(watched(regions=FIVE))
    return Draft(State(checks={CHECKOUT: CheckState(trail=trail, habits=known(0.5, *FIVE))}), rules, NOW)


def test_without_slow_runs_nothing_is_slow() -> None:
    """Of what is left, nothing shows it."""
    who = watched(regions=FIVE)
    assert find(draft_of(), who, SLOW, weighed(regions=FIVE), FIVE, 0.0) is None
    one = fact(0, "eu", took=(("", 1.0),), bins=(("", 4),), worst=4)
    assert find(draft_of(), who, SLOW, weighed(one, regions=FIVE), FIVE, 0.0) is None
    found = find(draft_of(one), who, SLOW, weighed(one, regions=FIVE), FIVE, 0.0)
    assert found is not None
    assert "watched for" not in found.evidence


def test_the_same_again_changes_nothing() -> None:
    """Trouble that is told already is not told twice."""
    w = World(rules_of(watched()))
    w.fail()
    member = w.only.members[CHECKOUT]
    finding = Finding(
        verdict=w.only.verdict,
        severity=w.only.severity,
        regions=member.regions,
        since=member.since,
        share=1.0,
        failure=member.failure,
        run=member.run,
        picture=member.picture,
        evidence=member.evidence,
    )
    draft = Draft(w.state, w.rules, w.now)
    tell(draft, w.rules.checks[CHECKOUT], finding, None)
    assert draft.change() == Change()
