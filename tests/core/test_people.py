"""What people do with an incident, and what they are told as time passes."""

from datetime import timedelta
from typing import Any

import pytest

from probe.core.check import CheckId
from probe.core.evaluate import Acknowledge
from probe.core.failure import Failure
from probe.core.holds import key_of
from probe.core.incident import IncidentId
from probe.core.rules import Escalation, Route, Severity
from probe.core.run import Outcome
from probe.core.state import RETURNS
from tests.core.world import World, rules_of, watched

FAILED = Outcome.FAILED


def world(*checks: Any, **given: Any) -> World:
    return World(rules_of(*(checks or (watched(),)), **given))


def test_reminders_until_somebody_takes_it() -> None:
    """Each hour, to those who were told; not once it is acknowledged."""
    w = world(routes=(Route(channels=("oncall",), remind=timedelta(hours=1)), Route(channels=("team",))))
    w.fail()
    w.wait(2 * 3600 + 60)
    assert w.said == ["opened oncall", "opened team", *["reminder oncall", "reminder team"] * 2]
    w.acknowledge()
    w.wait(2 * 3600)
    assert len(w.said) == 6
    assert w.only.acknowledged_by == "ada"
    w.recover()
    assert w.said[-2:] == ["resolved oncall", "resolved team"]
    assert "Taken by:  ada" in w.notes[-1].message.body


def test_muted_is_not_reminded_and_not_the_end() -> None:
    """A mute has an end, and can be lifted; the machine goes on meanwhile."""
    w = world(routes=(Route(channels=("oncall",), remind=timedelta(hours=1)),))
    w.fail()
    w.mute(2 * 3600)
    w.wait(3600 + 1800)
    assert w.said == ["opened oncall"]
    w.mute(None)
    w.wait(10)
    assert w.said == ["opened oncall", "reminder oncall"]
    w.mute(60)
    w.wait(3700)
    assert w.said == ["opened oncall", "reminder oncall", "reminder oncall"]
    assert w.told == ["opened", "evidence", "muted", "unmuted", "reminded", "muted", "reminded"]


def test_escalation_when_nobody_acknowledges() -> None:
    """The lead is told once, after ten minutes; and of the end."""
    route = Route(channels=("oncall",), escalate=Escalation(after=timedelta(minutes=10), channels=("lead", "oncall")))
    w = world(routes=(route,))
    w.fail()
    w.wait(9 * 60)
    assert w.said == ["opened oncall"]
    w.wait(120)
    assert w.said == ["opened oncall", "escalated lead"]
    w.wait(3600)
    w.recover()
    assert w.said[2:] == ["resolved oncall", "resolved lead"]


def test_an_acknowledged_incident_is_not_escalated() -> None:
    """Somebody is there."""
    route = Route(channels=("oncall",), escalate=Escalation(after=timedelta(minutes=10), channels=("lead",)))
    w = world(routes=(route,))
    w.fail()
    w.acknowledge()
    w.wait(3600)
    assert w.said == ["opened oncall"]


def test_routes_choose_by_severity_and_check() -> None:
    """By id, target or tag; a route without any holds for all; nobody is told twice."""
    routes = (
        Route(channels=("all",)),
        Route(channels=("pages", "all"), severity=Severity.PAGE),
        Route(channels=("tickets",), severity=Severity.TICKET),
        Route(channels=("by-id",), checks=("checkout",)),
        Route(channels=("by-target",), targets=("shop",)),
        Route(channels=("by-tag",), tags=("vip",)),
        Route(channels=("others",), checks=("api",)),
    )
    w = world(watched(tags=("vip",)), routes=routes)
    w.fail()
    assert [n.channel for n in w.notes] == ["all", "pages", "by-id", "by-target", "by-tag"]


def test_nobody_is_told_where_there_is_no_route() -> None:
    """The incident is there all the same."""
    w = world(routes=())
    w.fail()
    w.recover()
    assert (w.said, w.told) == ([], ["opened", "evidence", "recovered", "resolved"])


def test_an_unknown_incident() -> None:
    """Is a mistake of whoever named it."""
    w = world()
    with pytest.raises(KeyError):
        w.event(Acknowledge(incident=IncidentId("nope"), by="ada"))


def test_a_check_that_is_taken_away_leaves_its_incident() -> None:
    """Nobody would ever see it recover."""
    w = world(watched(), watched("api"))
    w.fail()
    w.fail("api")
    w.rules = rules_of(watched("api"))
    w.wait(5)
    assert w.only.members[CheckId("checkout")].recovered is not None
    w.rules = rules_of()
    w.wait(5)
    assert not w.state.incidents
    assert w.said == ["opened oncall", "resolved oncall"]


def test_a_check_that_comes_back_broken_begins_anew() -> None:
    """What it failed with before it was taken away was told, and is over; soon after that it is the same incident."""
    w = world()
    w.fail()
    before, rules = w.only.id, w.rules
    w.rules = rules_of()
    w.wait(5)
    w.rules = rules
    w.see(FAILED)
    assert not w.state.incidents
    w.fail()
    assert (w.only.id, w.only.relapses) == (before, 1)
    assert w.said == ["opened oncall", "resolved oncall", "opened oncall"]
    w.rules = rules_of()
    w.wait(5)
    w.now += RETURNS + timedelta(seconds=1)
    w.rules = rules
    w.fail()
    assert w.only.id != before


def test_a_region_that_is_taken_away_is_not_waited_for() -> None:
    """Its trouble is over when nobody looks from there any more."""
    w = world(watched(regions=("eu", "us")))
    w.fail("checkout", "eu")
    w.rules = rules_of(watched(regions=("us",)))
    w.play(900, lambda *_: 0.5)
    assert not w.state.incidents
    assert not w.state.checks[CheckId("checkout")].held


def test_trouble_of_a_region_that_is_taken_away_is_held_no_longer() -> None:
    refused = Failure.of("refused")
    w = world(watched(regions=("eu", "us", "ap")))
    w.play(100, lambda _c, region, _at: refused if region == "eu" else 0.5)
    assert key_of("eu") in w.state.checks[CheckId("checkout")].held
    w.rules = rules_of(watched(regions=("us", "ap")))
    w.play(60, lambda *_: 0.5)
    assert not w.state.checks[CheckId("checkout")].held
    assert w.said == []


def test_a_check_that_is_given_another_cause_leaves_its_incident() -> None:
    """It looks at another host now: what it finds there is another incident."""
    w = world()
    w.fail()
    w.rules = rules_of(watched(cause="new.example"))
    w.wait(5)
    assert not w.state.incidents
    w.fail()
    assert w.only.cause == "new.example"
    w.recover()
    assert w.said == ["opened oncall", "resolved oncall"] * 2


def test_what_recovers_before_its_new_cause_is_noticed_is_over_too() -> None:
    """Good runs between a reload and the next tick."""
    w = world()
    w.fail()
    w.rules = rules_of(watched(cause="new.example"))
    for _ in range(5):
        w.now += timedelta(minutes=1)
        w.see()
    assert not w.suffers()
    w.wait(5)
    assert not w.state.incidents
    assert w.said == ["opened oncall", "resolved oncall"]
