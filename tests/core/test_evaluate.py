"""The fold: one incident for a cause, opened when enough is known, resolved with a true time, told once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from probe.core.check import CheckId
from probe.core.evaluate import Acknowledge, Tick
from probe.core.failure import Failure
from probe.core.incident import IncidentId, Verdict
from probe.core.ledger import Counts
from probe.core.rules import Escalation, Objective, Route, Severity
from probe.core.run import Outcome, Slot, Why
from probe.core.state import Change, Place, State
from tests.core.world import BROKEN, THIRD, World, rules_of, watched

FAILED, PASSED, ERRORED = Outcome.FAILED, Outcome.PASSED, Outcome.ERRORED
MINUTE = timedelta(minutes=1)
TWO = ("eu", "us")
THREE = ("eu", "us", "ap")


def world(*checks: Any, **given: Any) -> World:
    return World(rules_of(*(checks or (watched(),)), **given))


# --- hard down ----------------------------------------------------------------------------------------------------------


def test_an_outage_is_told_once_and_resolved_once() -> None:
    """Since the first bad run, with its step and reason; over since the first of the good runs."""
    w = world()
    w.see()
    w.wait(60)
    began = w.now - timedelta(seconds=1)
    w.fail(picture=True)
    incident = w.only
    assert (incident.verdict, incident.severity, incident.since) == (Verdict.DOWN, Severity.PAGE, began)
    assert incident.cause == "shop.example"
    w.see(FAILED)
    w.wait(600)
    again = w.now + 59 * timedelta(seconds=1)
    w.recover()
    assert not w.state.incidents
    assert w.said == ["opened oncall", "resolved oncall"]
    assert w.notes[1].message.resolved == again
    assert w.notes[0].message.step == "add to cart"
    assert w.notes[0].message.picture == "/e/shot.png"
    assert w.told == ["opened", "recovered", "resolved"]


def test_one_stray_failure_asks_and_says_nothing() -> None:
    """The first failure asks every region at once; when it passes there, nothing is suspected any more."""
    w = world(watched(regions=TWO))
    w.see(region="eu")
    w.see(region="us")
    w.see(FAILED)
    assert [(a.region, a.why) for a in w.asks] == [("eu", Why.CONFIRM), ("us", Why.CONFIRM)]
    assert w.state.suspects == {"checkout"}
    w.see(PASSED, why=Why.CONFIRM)
    assert not w.state.suspects
    w.wait(300)
    assert (w.said, len(w.asks)) == ([], 2)


def test_a_suspicion_is_asked_again_until_it_is_decided() -> None:
    """Fifteen seconds later, from where it failed only; never for what nobody watches any more."""
    w = world(watched(regions=TWO))
    w.see(region="us")
    w.see(FAILED)
    w.see(PASSED, region="us", why=Why.CONFIRM)
    del w.asks[:]
    w.wait(10)
    assert w.asks == []
    w.wait(5)
    assert [a.region for a in w.asks] == ["eu"]
    w.rules = rules_of()
    w.wait(60)
    assert len(w.asks) == 1


def test_a_suspicion_ends_with_what_is_known() -> None:
    """When the region that failed falls silent nothing is asked for any more."""
    w = world()
    w.see(FAILED)
    w.wait(15 * 60)
    assert (w.state.suspects, w.said) == (set(), [])


def test_a_majority_of_what_reported_decides() -> None:
    """Two of three regions are enough; each has failed twice."""
    w = world(watched(regions=THREE))
    for region in THREE:
        w.see(region=region)
    w.see(FAILED, region="eu")
    w.see(FAILED, region="eu", why=Why.CONFIRM)
    w.see(FAILED, region="us", why=Why.CONFIRM)
    w.see(PASSED, region="ap", why=Why.CONFIRM)
    assert not w.state.incidents
    w.see(FAILED, region="us", why=Why.CONFIRM)
    assert w.only.verdict is Verdict.DOWN
    assert w.only.members[CheckId("checkout")].regions == ("eu", "us")
    assert "fine from ap" in w.notes[0].message.body


def test_checks_that_fail_together_are_one_incident() -> None:
    """Ten checks on one host make one incident; another host has its own."""
    names = [f"check-{n}" for n in range(10)]
    w = world(*(watched(name) for name in names), watched("other", cause="pay.example"))
    for name in names:
        w.fail(name)
    assert (len(w.state.incidents), w.said) == (1, ["opened oncall"])
    assert set(w.only.members) == set(names)
    w.fail("other")
    assert set(w.state.incidents) == {"shop.example", "pay.example"}
    for name in names[:-1]:
        w.recover(name)
    assert "shop.example" in w.state.incidents
    w.recover(names[-1])
    assert set(w.state.incidents) == {"pay.example"}
    assert w.said.count("resolved oncall") == 1


def test_checks_that_fail_already_are_in_from_the_start() -> None:
    """The opening names them, and the incident is as old as the first failure of any of them."""
    w = world(watched("a"), watched("b"), watched("c"), watched("other", cause="pay.example"))
    w.see(FAILED, "other")
    w.see(FAILED, "c")
    w.see(PASSED, "c")
    w.wait(5)
    w.see(FAILED, "b")
    since = w.now - timedelta(seconds=1)
    w.wait(5)
    w.fail("a")
    incident = w.state.incidents["shop.example"]
    assert (set(incident.members), incident.since) == ({"a", "b"}, since)
    assert w.notes[0].message.checks == ("b", "a"), "in the order in which they began"


def test_a_suspicion_that_has_expired_is_no_company() -> None:
    """What failed once, and was not heard of since, is not counted among those that fail."""
    w = world(watched("a"), watched("c"))
    w.see(FAILED, "c")
    w.now += timedelta(minutes=5)
    for _ in range(3):
        w.see(FAILED, "a")
        w.now += timedelta(seconds=10)
    assert set(w.only.members) == {"a"}


def test_known_trouble_needs_no_confirmation() -> None:
    """While an incident is open, a further check of that host joins it with its first failure."""
    w = world(watched(), watched("api"))
    w.fail()
    w.see(FAILED, "api")
    assert set(w.only.members) == {"checkout", "api"}
    assert w.told == ["opened", "joined"]
    w.see(FAILED, "api")
    assert w.told == ["opened", "joined"]


def test_recovery_has_hysteresis() -> None:
    """Two good runs are not enough, and a bad one begins anew; flapping makes one incident."""
    w = world()
    w.fail()
    for _ in range(5):
        w.wait(60)
        w.see()
        w.wait(60)
        w.see()
        w.wait(60)
        w.see(FAILED)
    assert w.said == ["opened oncall"]
    w.recover()
    assert w.said == ["opened oncall", "resolved oncall"]


def test_a_member_that_fails_again_has_not_recovered() -> None:
    """The incident waits for all of its members at once."""
    w = world(watched(), watched("api"))
    w.fail()
    w.fail("api")
    w.recover()
    w.see(FAILED)
    w.recover("api")
    assert w.only.members[CheckId("checkout")].recovered is None
    w.recover()
    assert not w.state.incidents


def test_all_regions_must_have_recovered() -> None:
    """One region that still fails keeps the incident open; one that never failed need not prove itself."""
    w = world(watched(regions=THREE))
    for region in THREE:
        w.see(region=region)
    for region in ("eu", "us"):
        w.fail(region=region)
    w.recover(region="eu")
    assert w.state.incidents
    w.see(FAILED, region="ap")
    w.recover(region="us")
    assert w.state.incidents
    w.recover(region="ap")
    w.see(region="eu")
    w.see(region="us")
    assert not w.state.incidents


def test_a_slow_check_is_watched_closely_while_it_fails() -> None:
    """An hourly check is run every minute, so that its recovery is noticed; not more often."""
    w = world(watched(every=timedelta(hours=1)))
    w.fail()
    del w.asks[:]
    for _ in range(5):
        w.wait(60)
        w.see(FAILED, why=Why.CONFIRM)
    assert 4 <= len(w.asks) <= 5
    assert {a.region for a in w.asks} == {"eu"}


def test_a_pass_recovers_with_the_time_of_the_first() -> None:
    """Down while we were: the first good run after the restart is what is known."""
    w = world()
    w.fail()
    w.state = State(checks=dict(w.state.checks), incidents=dict(w.state.incidents))
    w.now += timedelta(hours=2)
    first = w.now - timedelta(seconds=1)
    w.see()
    for _ in range(2):
        w.wait(60)
        w.see()
    assert not w.state.incidents
    assert w.notes[-1].message.resolved == first


# --- regional, third party ------------------------------------------------------------------------------------------------


def test_one_region_is_its_own_verdict() -> None:
    """A ticket while nobody has looked at that region's own network; a page where a control run was well."""
    for controls, severity in (({}, Severity.TICKET), ({"eu": CheckId("control.eu")}, Severity.PAGE)):
        w = world(watched(regions=TWO), controls=controls)
        w.see(region="us")
        w.see(FAILED)
        if controls:
            assert [a.check for a in w.asks if a.why is Why.CONTROL] == ["control.eu"]
            w.see(PASSED, "control.eu", why=Why.CONTROL)
        w.see(PASSED, region="us", why=Why.CONFIRM)
        for _ in range(2):
            w.wait(15)
            w.see(FAILED, why=Why.CONFIRM)
        assert (w.only.verdict, w.only.severity) == (Verdict.REGIONAL, severity)
        assert "FROM eu ONLY" in w.notes[0].message.title


def test_a_part_that_becomes_all_is_said_again() -> None:
    """Regional, then down: escalated, in the same incident."""
    w = world(watched(regions=TWO))
    w.see(region="us")
    w.see(FAILED)
    w.see(PASSED, region="us", why=Why.CONFIRM)
    for _ in range(2):
        w.wait(15)
        w.see(FAILED, why=Why.CONFIRM)
    w.fail(region="us")
    assert (w.only.verdict, w.only.severity) == (Verdict.DOWN, Severity.PAGE)
    assert w.said == ["opened oncall", "escalated oncall"]
    assert w.told == ["opened", "verdict", "severity"]


def test_regional_is_decided_when_the_others_are_overdue() -> None:
    """A region that does not answer the request is not waited for for ever."""
    w = world(watched(regions=TWO))
    w.see(region="us")
    w.wait(10)
    w.fail()
    assert not w.state.incidents
    w.wait(40)
    assert w.only.verdict is Verdict.REGIONAL


def test_a_third_party_is_blamed() -> None:
    """When it is what fails the journey."""
    w = world()
    w.fail(failure=THIRD)
    assert w.only.verdict is Verdict.THIRD_PARTY
    assert w.notes[0].message.title.startswith("THIRD PARTY: shop.example")


# --- our own trouble -------------------------------------------------------------------------------------------------------


def test_our_trouble_is_never_the_shops() -> None:
    """Errored runs make a ticket about the region, once they have lasted, and count for nothing else."""
    objective = Objective(name="slo", checks=frozenset({CheckId("checkout")}), target=0.9)
    w = world(watched(), watched("api"), objectives=[objective])
    for _ in range(2):
        w.see(ERRORED)
    assert not w.state.incidents
    w.see(ERRORED)
    for _ in range(3):
        w.see(ERRORED, "api")
    assert (w.only.cause, w.only.verdict, w.only.severity) == ("probe:eu", Verdict.PROBE_FAULT, Severity.TICKET)
    assert w.said == ["opened oncall"]
    assert "says nothing about the shop" in w.notes[0].message.body
    w.see(FAILED)
    w.see(ERRORED, "api")
    assert w.only.members[CheckId("checkout")].recovered is not None
    w.see(ERRORED)
    w.see(ERRORED)
    w.see(ERRORED)
    assert w.only.members[CheckId("checkout")].recovered is None
    w.see()
    w.see(check="api")
    assert not w.state.incidents
    assert w.state.ledgers["slo"].between(w.now - MINUTE, w.now + MINUTE) == Counts(good=1, bad=1, lost=6)


def test_an_errored_run_without_a_reason_opens_nothing() -> None:
    """There is nothing to tell."""
    w = world()
    for _ in range(5):
        run = w.run(ERRORED)
        w.event(replace(run, observation=replace(run.observation, failures=())))
    assert not w.state.incidents


def test_a_region_that_lost_its_own_network_pages_nobody() -> None:
    """The control run fails too: probe's fault, the failing rows are taken back, and nothing counts as bad."""
    objective = Objective(name="slo", checks=frozenset({CheckId("a"), CheckId("b")}), target=0.9)
    controls = {"eu": CheckId("control.eu")}
    w = world(watched("a"), watched("b", cause="pay.example"), objectives=[objective], controls=controls)
    w.see(check="a")
    w.see(check="b")
    w.see(FAILED, "a")
    w.see(FAILED, "b")
    assert [a.why for a in w.asks].count(Why.CONTROL) == 1
    w.see(FAILED, "control.eu", why=Why.CONTROL, failure=Failure.of("connect_timeout"))
    for name in ("a", "b"):
        for _ in range(4):
            w.see(FAILED, name)
    assert [i.verdict for i in w.state.incidents.values()] == [Verdict.PROBE_FAULT]
    assert w.state.ledgers["slo"].between(w.now - MINUTE, w.now + MINUTE) == Counts(good=2, bad=0, lost=10)
    assert not w.state.suspects
    w.wait(120)
    assert [a.why for a in w.asks].count(Why.CONTROL) >= 2, "it is looked at again while it is blind"
    w.see(FAILED, "control.eu", why=Why.CONTROL, failure=Failure.of("connect_timeout"))
    w.see(PASSED, "control.eu", why=Why.CONTROL)
    assert not w.state.incidents
    w.fail("a")
    assert w.only.cause == "shop.example"


def test_nothing_is_decided_before_the_control_run_answers() -> None:
    """And its answer decides at once; a run of it that was not made says nothing."""
    w = world(controls={"eu": CheckId("control.eu")})
    w.see(FAILED)
    for _ in range(2):
        w.wait(10)
        w.see(FAILED, why=Why.CONFIRM)
    assert not w.state.incidents
    w.see(Outcome.ABORTED, "control.eu", why=Why.CONTROL)
    assert not w.state.incidents
    w.see(PASSED, "control.eu", why=Why.CONTROL)
    assert w.only.verdict is Verdict.DOWN


def test_a_control_run_that_cannot_be_made_blinds_the_region() -> None:
    """We do not know whether its network works; without a reason there is nothing to tell, though."""
    w = world(controls={"eu": CheckId("control.eu")})
    run = w.run(ERRORED, "control.eu", why=Why.CONTROL)
    w.event(replace(run, observation=replace(run.observation, failures=())))
    assert w.state.regions["eu"].blind is not None
    assert not w.state.incidents


def test_a_region_that_goes_blind_takes_back_only_its_own() -> None:
    """What fails elsewhere still fails."""
    w = world(watched("a", regions=TWO), watched("b"), controls={"eu": CheckId("control.eu")})
    w.see(FAILED, "a", region="us")
    w.see(FAILED, "b")
    w.see(FAILED, "control.eu", why=Why.CONTROL)
    assert w.state.suspects == {"a"}
    assert w.state.checks[CheckId("b")].places["eu"].fails == 0


# --- runs that are not judged -----------------------------------------------------------------------------------------------


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


# --- people, and time --------------------------------------------------------------------------------------------------------


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
    assert w.told == ["opened", "muted", "unmuted", "reminded", "muted", "reminded"]


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
    assert (w.said, w.told) == ([], ["opened", "recovered", "resolved"])


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


def test_a_check_that_comes_back_broken_is_another_incident() -> None:
    """With a beginning and keys of its own: what it failed with before it was taken away was told, and is over."""
    w = world()
    w.fail()
    before, rules = w.only.id, w.rules
    w.rules = rules_of()
    w.wait(5)
    w.rules = rules
    w.see(FAILED)
    assert not w.state.incidents
    w.fail()
    assert w.only.id != before
    assert w.said == ["opened oncall", "resolved oncall", "opened oncall"]


def test_a_tick_without_anything_changes_nothing() -> None:
    """What does not change is not written."""
    w = world()
    w.see()
    change = w.event(Tick())
    assert (change.checks, change.regions, change.objectives, change.incidents, change.entries) == ({}, {}, {}, {}, ())


def test_the_first_region_to_fail_speaks() -> None:
    """Its failure is the incident's; a region that fails later in another way is counted, not quoted."""
    w = world(watched(regions=TWO))
    for region in TWO:
        w.see(region=region)
    w.see(FAILED, region="us")
    w.wait(5)
    w.see(FAILED, region="eu", why=Why.CONFIRM, failure=THIRD)
    w.wait(15)
    w.see(FAILED, region="us", why=Why.CONFIRM)
    w.see(FAILED, region="eu", why=Why.CONFIRM, failure=THIRD)
    member = w.only.members[CheckId("checkout")]
    assert (member.failure, member.regions) == (BROKEN, ("eu", "us"))
