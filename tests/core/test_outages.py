"""An outage: opened when enough is known, one incident for a cause, resolved with a true time, told once."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from probe.core.check import CheckId
from probe.core.confirm import GAP, SUSPICIOUS
from probe.core.detector import APART
from probe.core.evaluate import Tick
from probe.core.failure import Failure
from probe.core.habits import Rate
from probe.core.incident import Verdict
from probe.core.rules import Severity
from probe.core.run import Outcome, Why
from probe.core.state import CheckState
from probe.core.verdict import time_to_live
from tests.core.facts import known
from tests.core.world import BROKEN, World, rules_of, watched

FAILED, PASSED = Outcome.FAILED, Outcome.PASSED
TWO = ("eu", "us")
THREE = ("eu", "us", "ap")
FIVE = ("eu", "us", "ap", "sa", "af")


def world(*checks: Any, **given: Any) -> World:
    return World(rules_of(*(checks or (watched(),)), **given))


# --- hard down ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regions", [("eu",), TWO, THREE, FIVE])
def test_an_outage_is_told_once_and_resolved_once(regions: tuple[str, ...]) -> None:
    """Since the first bad run, with its step and reason; over since the first of the good runs."""
    w = world(watched(regions=regions))
    w.play(120, lambda *_: 0.5)
    began = w.now
    w.play(400, lambda *_: BROKEN, picture=True)
    incident = w.only
    assert (incident.verdict, incident.severity) == (Verdict.DOWN, Severity.PAGE)
    assert (incident.cause, incident.since) == ("shop.example", began - timedelta(seconds=1))
    assert incident.opened - began <= timedelta(minutes=1), "customers wait"
    again = w.now
    w.recover()
    assert not w.state.incidents
    assert w.said == ["opened oncall", "resolved oncall"]
    resolved = w.notes[1].message.resolved
    assert resolved is not None
    assert again - timedelta(seconds=1) <= resolved <= again + timedelta(minutes=1)
    assert w.notes[0].message.step == "add to cart"
    assert w.notes[0].message.picture == "/e/shot.png"
    assert w.told == ["opened", "evidence", "recovered", "resolved"]


@pytest.mark.parametrize("regions", [TWO, THREE, FIVE])
def test_one_stray_failure_asks_and_says_nothing(regions: tuple[str, ...]) -> None:
    """The first failure asks every other region at once; when it passes there, nothing is suspected any more."""
    w = world(watched(regions=regions))
    w.play(120, lambda *_: 0.5)
    w.see(FAILED)
    assert [(a.region, a.why) for a in w.asks] == [(region, Why.CONFIRM) for region in regions if region != "eu"]
    assert w.state.suspects == {"checkout"}
    w.play(1200, lambda *_: 0.5)
    assert not w.state.suspects
    assert w.state.checks[CheckId("checkout")].suspicion is None
    assert (w.said, w.told) == ([], [])
    assert not w.state.awake


def test_a_suspicion_is_asked_about_again_until_it_is_decided() -> None:
    """A moment after the last answer; never for what nobody watches any more."""
    w = world(watched(regions=TWO))
    w.see(region="us")
    w.see(FAILED)
    w.see(PASSED, region="us", why=Why.CONFIRM)
    del w.asks[:]
    w.wait(GAP)
    assert [a.region for a in w.asks] == ["us"], "what eu says a moment after it failed does not count"
    w.see(PASSED, region="us", why=Why.CONFIRM)
    w.wait(APART)
    assert {a.region for a in w.asks} == {"eu", "us"}
    count = len(w.asks)
    w.rules = rules_of()
    w.wait(60)
    assert len(w.asks) == count


def test_a_failure_says_less_where_failures_are_usual() -> None:
    """Each region is measured by itself."""
    w = world(watched(regions=TWO))
    habits = known(0.5, *TWO)
    w.state.checks[CheckId("checkout")] = CheckState(habits=habits._replace(rates={"us": Rate(200.0, 0.0, 10_000.0)}))
    w.see(FAILED)
    points = w.state.weighed[CheckId("checkout")].evidence.points
    assert points["us"].served < points["eu"].served


def test_rounds_are_counted_anew_when_little_is_left_of_a_suspicion() -> None:
    w = world(watched(regions=FIVE))
    w.play(60, lambda *_: 0.5)
    w.see(FAILED)
    w.play(600, lambda *_: 0.5, until=lambda: not w.state.suspects)
    w.play(15, lambda *_: 0.5)
    suspicion = w.state.checks[CheckId("checkout")].suspicion
    assert suspicion is None or suspicion.rounds == 0


def test_a_suspicion_ends_when_nothing_is_heard_any_more() -> None:
    """A region that is silent for long takes no part: nothing is asked for for ever, and nothing is said."""
    w = world(watched(regions=TWO))
    w.see(region="us")
    w.see(FAILED)
    w.wait(3600)
    asked = len(w.asks)
    w.wait(3600)
    assert (len(w.asks), w.said) == (asked, [])
    w.play(600, lambda *_: 0.5)
    assert not w.state.suspects


def test_what_fails_now_and_then_is_found_too() -> None:
    """A third of all runs fail: no two need to do so in a row."""
    w, dice = world(watched(regions=FIVE)), random.Random(3)
    w.state.checks[CheckId("checkout")] = CheckState(habits=known(0.5, *FIVE))
    w.play(900, lambda *_: BROKEN if dice.random() < 0.35 else 0.5, until=w.suffers)
    assert w.only.verdict in (Verdict.DEGRADED, Verdict.DOWN)
    assert w.only.severity is Severity.PAGE
    w.play(300, lambda *_: BROKEN if dice.random() < 0.35 else 0.5)
    assert w.said.count("opened oncall") == 1


def test_part_of_the_runs_is_degraded_and_nearly_all_is_down() -> None:
    """The same incident, made graver: said again."""
    w = world(watched(regions=THREE))
    w.play(900, lambda _c, region, _at: BROKEN if region != "ap" else 0.5, until=w.suffers)
    assert w.only.verdict in (Verdict.DEGRADED, Verdict.DOWN)
    assert w.only.members[CheckId("checkout")].regions == ("eu", "us")
    assert "fine from ap" in w.notes[0].message.body


def test_a_part_that_gets_worse_is_down() -> None:
    """The same incident, said again."""
    w, dice = world(watched(regions=FIVE)), random.Random(3)
    w.play(120, lambda *_: 0.5)
    w.play(900, lambda *_: BROKEN if dice.random() < 0.4 else 0.5, until=w.suffers)
    told = [w.only.verdict]
    w.play(600, lambda *_: BROKEN)
    assert [*told, w.only.verdict] == [Verdict.DEGRADED, Verdict.DOWN]
    assert w.said == ["opened oncall", "escalated oncall"]


def test_the_first_region_to_fail_speaks() -> None:
    """Its failure is the incident's; a region that fails later in another way is counted, not quoted."""
    w = world(watched(regions=THREE))
    other = Failure.of("body", "no cart")
    w.see(FAILED, region="us")
    for _ in range(10):
        w.wait(APART)
        for region in THREE:
            w.see(FAILED, region=region, why=Why.CONFIRM, failure=other if region == "ap" else BROKEN)
    member = w.only.members[CheckId("checkout")]
    assert member.failure == BROKEN
    assert set(member.regions) >= {"us"}


# --- companions -----------------------------------------------------------------------------------------------------------


def test_checks_that_fail_together_are_one_incident() -> None:
    """Ten checks on one host make one incident; another host has its own."""
    names = [f"check-{n}" for n in range(10)]
    w = world(*(watched(name) for name in names), watched("other", cause="pay.example"))

    def truth(name: str, _region: str, _at: datetime) -> Failure | float:
        return 0.5 if name == "other" else BROKEN

    w.play(120, truth)
    assert (len(w.state.incidents), w.said) == (1, ["opened oncall"])
    assert set(w.only.members) == set(names)
    w.fail("other")
    assert set(w.state.incidents) == {"shop.example", "pay.example"}
    w.recover(*names[:-1])
    assert "shop.example" in w.state.incidents
    w.recover(names[-1])
    assert set(w.state.incidents) == {"pay.example"}
    assert w.said.count("resolved oncall") == 1


def test_checks_that_fail_already_are_in_from_the_start() -> None:
    """The opening names them, and the incident is as old as the first failure of any of them."""
    w = world(watched("a"), watched("b"), watched("c"), watched("other", cause="pay.example"))
    w.see(FAILED, "other")
    w.see(PASSED, "c")
    w.wait(5)
    w.see(FAILED, "b")
    since = w.now - timedelta(seconds=1)
    w.wait(5)
    w.fail("a")
    incident = w.state.incidents["shop.example"]
    assert (set(incident.members), incident.since) == ({"a", "b"}, since)
    assert w.notes[0].message.checks == ("b", "a"), "in the order in which they began"
    assert w.suffers("b")


def test_a_suspicion_that_has_expired_is_no_company() -> None:
    """What failed once, and was not heard of since, is not counted among those that fail."""
    w = world(watched("a"), watched("c"))
    w.see(FAILED, "c")
    w.now += time_to_live(watched())
    w.fail("a")
    assert set(w.only.members) == {"a"}


def test_what_is_only_slow_is_no_company() -> None:
    """It is suspected of something else."""
    w = world(watched("a"), watched("c"))
    w.state.checks[CheckId("c")] = CheckState(habits=known(0.5, "eu"))
    for _ in range(3):
        w.now += timedelta(seconds=20)
        w.see(check="c", took=5.0)
    assert "c" in w.state.suspects
    w.fail("a")
    assert set(w.only.members) == {"a"}


def test_known_trouble_needs_no_confirmation() -> None:
    """While an incident is open, a further check of that host joins it with its first failure."""
    w = world(watched(), watched("api"))
    w.fail()
    w.see(FAILED, "api")
    assert set(w.only.members) == {"checkout", "api"}
    assert w.told == ["opened", "evidence", "joined"]
    w.see(FAILED, "api")
    assert w.told == ["opened", "evidence", "joined"]
    w.recover()
    assert w.state.incidents, "it waits for all of its members"
    w.recover("api")
    assert not w.state.incidents


def test_what_failed_long_ago_does_not_join() -> None:
    """A run that is heard of only now says nothing about now."""
    w = world(watched(), watched("api"))
    w.fail()
    old = w.run(FAILED, "api")
    w.event(replace(old, started=old.started - 2 * time_to_live(watched())))
    assert set(w.only.members) == {"checkout"}


def test_a_member_that_fails_again_has_not_recovered() -> None:
    """The incident waits for all of its members at once."""
    w = world(watched(), watched("api"))
    w.fail()
    w.fail("api")
    w.recover()
    assert w.only.members[CheckId("checkout")].recovered is not None
    w.see(FAILED)
    assert w.only.members[CheckId("checkout")].recovered is None
    w.recover("api")
    assert w.state.incidents
    w.recover()
    assert not w.state.incidents


def test_a_tick_without_anything_changes_nothing() -> None:
    """What does not change is not written."""
    w = world()
    w.see()
    change = w.event(Tick())
    assert (change.checks, change.regions, change.objectives, change.incidents, change.entries) == ({}, {}, {}, {}, ())


def test_what_is_suspected_is_known_by_its_points() -> None:
    w = world(watched(regions=THREE))
    w.see(FAILED)
    assert w.state.weighed[CheckId("checkout")].evidence.fail.score >= SUSPICIOUS
