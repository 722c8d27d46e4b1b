"""Trouble that is not all of the shop's: of one region, of a third party, of our own network, of ourselves."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from probe.core.account import PAGE_BURN, PROMISE
from probe.core.check import CheckId
from probe.core.evaluate import LASTING, RECHECK
from probe.core.failure import Failure
from probe.core.gates import TICKET_AFTER
from probe.core.holds import LEAST, REGION, SERVED, key_of
from probe.core.incident import Verdict
from probe.core.ledger import Counts
from probe.core.rules import Objective, Severity
from probe.core.run import Outcome, Why
from probe.core.verdict import ILL
from tests.core.world import BROKEN, THIRD, Truth, World, rules_of, watched

FAILED, PASSED, ERRORED = Outcome.FAILED, Outcome.PASSED, Outcome.ERRORED
MINUTE = timedelta(minutes=1)
TWO = ("eu", "us")
FIVE = ("eu", "us", "ap", "sa", "af")
REFUSED = Failure.of("refused")
CHECKOUT = CheckId("checkout")
CONTROLS = {name: CheckId(f"control.{name}") for name in FIVE}


def world(*checks: Any, **given: Any) -> World:
    return World(rules_of(*(checks or (watched(),)), **given))


def only(*bad: str, failure: Failure = BROKEN) -> Truth:
    """It fails from these regions; controls are well."""

    def truth(name: str, region: str, _at: datetime) -> Failure | float:
        return failure if region in bad and not name.startswith("control") else 0.5

    return truth


# --- one region -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regions", [TWO, FIVE])
@pytest.mark.parametrize(("controls", "severity"), [({}, Severity.TICKET), (CONTROLS, Severity.PAGE)])
def test_one_region_is_its_own_verdict(
    regions: tuple[str, ...], controls: dict[str, CheckId], severity: Severity
) -> None:
    """A ticket while nobody has looked at that region's own network; a page where a control run was well."""
    w = world(watched(regions=regions), controls=controls)
    w.play(120, only())
    w.play(600, only("eu"), until=w.suffers)
    assert (w.only.verdict, w.only.severity) == (Verdict.REGIONAL, severity)
    assert w.only.members[CHECKOUT].regions == ("eu",)
    assert "FROM eu ONLY" in w.notes[0].message.title
    assert w.only.opened - w.only.since >= timedelta(seconds=min(SERVED, LEAST[REGION]))
    if controls:
        assert {a.region for a in w.asks if a.why is Why.CONTROL} == {"eu"}
    w.play(3600, only(), until=lambda: not w.suffers())
    assert w.said == ["opened oncall", "resolved oncall"]


def test_the_way_to_the_shop_from_one_region_is_a_ticket_that_may_become_a_page() -> None:
    """After a while it is worth a word in the morning; much later it is believed not to heal."""
    w = world(watched(regions=FIVE), controls=CONTROLS)
    w.play(120, only())
    began = w.now
    w.play(1200, only("eu", failure=REFUSED), until=w.suffers)
    assert (w.only.verdict, w.only.severity) == (Verdict.REGIONAL, Severity.TICKET)
    assert w.now - began >= timedelta(seconds=TICKET_AFTER - 30)
    assert key_of("eu") in w.state.checks[CHECKOUT].held
    w.play(1800, only("eu", failure=REFUSED), until=lambda: w.only.severity is Severity.PAGE)
    assert w.only.severity is Severity.PAGE
    assert w.now - began >= timedelta(seconds=LEAST[REGION] - 30)
    assert w.said == ["opened oncall", "escalated oncall"]
    w.play(3600, only(), until=lambda: not w.suffers())
    assert w.said[2:] == ["resolved oncall"]


@pytest.mark.parametrize("regions", [TWO, ("eu", "us", "ap"), FIVE])
def test_one_region_that_cannot_reach_the_shop_never_says_that_it_is_down(regions: tuple[str, ...]) -> None:
    """It may be the network of that place alone, however long it lasts: never more than regional."""
    w = world(watched(regions=regions))
    w.play(2400, only("eu", failure=REFUSED))
    assert {incident.verdict for incident in w.state.incidents.values()} <= {Verdict.REGIONAL}
    assert {note.message.severity for note in w.notes} <= {Severity.TICKET}, "nobody has looked at its network"


def test_a_short_trouble_of_one_region_is_not_told() -> None:
    """The network of a place heals by itself."""
    w = world(watched(regions=FIVE), controls=CONTROLS)
    w.play(120, only())
    w.play(100, only("eu", failure=REFUSED))
    w.play(1200, only())
    assert (w.said, w.state.checks[CHECKOUT].held) == ([], {})


def test_a_part_that_becomes_all_is_said_again() -> None:
    """Regional, then down: escalated, in the same incident."""
    w = world(watched(regions=TWO))
    w.play(600, only("eu"), until=w.suffers)
    w.play(900, only("eu", "us"), until=lambda: w.only.verdict is Verdict.DOWN)
    assert (w.only.verdict, w.only.severity) == (Verdict.DOWN, Severity.PAGE)
    assert w.said[0] == "opened oncall"
    assert w.said[-1] == "escalated oncall"
    assert w.told.count("opened") == 1
    assert {"verdict", "severity"} <= set(w.told)
    w.recover()
    assert w.said[-1] == "resolved oncall"


def test_two_regions_that_are_answered_badly_are_enough() -> None:
    """The others may be served by other machines."""
    w = world(watched(regions=FIVE))
    w.play(900, only("eu", "us"), until=w.suffers)
    assert w.only.verdict in (Verdict.DEGRADED, Verdict.DOWN)
    assert w.only.severity is Severity.PAGE


def test_regions_that_cannot_reach_the_shop_by_and_by() -> None:
    """Names run out of caches: first one region, then more, and it is down before all are."""
    w = world(watched(regions=FIVE), controls=CONTROLS)
    for count in (1, 2, 3):
        w.play(120, only(*FIVE[:count], failure=REFUSED))
    assert w.only.verdict in (Verdict.DOWN, Verdict.DEGRADED)
    assert w.only.severity is Severity.PAGE


def test_each_of_two_regions_recovers_by_itself() -> None:
    """The incident is over when both have."""
    w = world(watched(regions=FIVE), controls=CONTROLS)
    w.play(120, only())

    def opened() -> set[str]:
        return set(w.state.checks[CHECKOUT].opened)

    w.play(600, only("eu", failure=REFUSED), until=w.suffers)
    w.play(900, only("eu", "us", failure=REFUSED), until=lambda: key_of("us") in opened())
    assert opened() == {key_of("eu"), key_of("us")}
    w.play(600, only("us", failure=REFUSED), until=lambda: key_of("eu") not in opened())
    assert opened() == {key_of("us")}
    assert w.state.incidents
    w.play(3600, only(), until=lambda: not w.suffers())
    assert not w.state.incidents
    assert w.told.count("opened") == 1


def test_a_short_trouble_beside_a_told_one_is_no_blip() -> None:
    """Whatever goes on beside an incident is not what is usual."""
    w = world(watched(regions=FIVE), controls=CONTROLS)
    w.play(120, only())
    w.play(600, only("eu", failure=REFUSED), until=w.suffers)
    w.play(300, only("eu", "us", failure=REFUSED), until=lambda: key_of("us") in w.state.checks[CHECKOUT].held)
    assert key_of("us") in w.state.checks[CHECKOUT].held
    w.play(200, only("eu", failure=REFUSED))
    check = w.state.checks[CHECKOUT]
    assert key_of("us") not in check.held
    assert key_of("us") not in check.habits.last


def test_a_third_party_that_takes_over_does_not_make_it_down() -> None:
    """Most of what failed is its: customers are hindered by somebody else."""
    w = world(watched(regions=FIVE))
    w.play(120, only())
    w.play(900, only("eu", "us"), until=w.suffers)
    assert w.only.verdict is Verdict.DEGRADED
    w.play(1200, only(*FIVE, failure=THIRD))
    assert w.state.checks[CHECKOUT].verdict is not Verdict.DOWN


def test_a_silent_region_does_not_keep_the_others_from_being_believed() -> None:
    """Long without an answer it takes no part: what all others say is enough."""
    w = world(watched(regions=("eu", "us", "ap")))
    w.see(region="ap")
    w.now += timedelta(minutes=10)
    w.play(120, lambda _c, region, _at: BROKEN if region != "ap" else 0.5, until=w.suffers)
    assert w.suffers()


# --- third parties, robots ------------------------------------------------------------------------------------------------


def test_a_third_party_is_blamed() -> None:
    """When it is what fails the journey."""
    w = world()
    w.fail(failure=THIRD)
    assert w.only.verdict is Verdict.THIRD_PARTY
    assert w.notes[0].message.title.startswith("THIRD PARTY: shop.example")


def test_a_third_party_is_not_blamed_for_what_others_do() -> None:
    """More than half of what failed must be its."""
    w = world(watched(regions=FIVE))
    w.play(300, lambda _c, region, _at: THIRD if region == "eu" else BROKEN, until=w.suffers)
    assert w.only.verdict is Verdict.DOWN


@pytest.mark.parametrize("status", ["403", "429"])
def test_who_is_taken_for_a_robot_says_so(status: str) -> None:
    """It is no outage for customers; from part of the regions alone it is no page either."""
    refusal = Failure.of("status", f"answered {status}", actual=status)
    w = world(watched(regions=FIVE))
    w.fail(failure=refusal)
    assert w.only.verdict is Verdict.BLOCKED
    assert w.notes[0].message.title.startswith("BLOCKED: shop.example")
    part = world(watched(regions=FIVE))
    part.play(900, only("eu", "us", failure=refusal), until=part.suffers)
    assert (part.only.verdict, part.only.severity) == (Verdict.BLOCKED, Severity.TICKET)


def test_the_budget_decides_whether_somebody_is_woken() -> None:
    """What burns it slowly enough is a ticket; without a promise a usual one is taken."""
    for target, severity in ((0.9, Severity.TICKET), (0.999, Severity.PAGE), (None, Severity.PAGE)):
        objectives = [] if target is None else [Objective(name="slo", checks=frozenset({CHECKOUT}), target=target)]
        w = world(watched(regions=FIVE), objectives=objectives)
        w.fail()
        burn = 1 / (1 - (PROMISE if target is None else target))
        assert (burn >= PAGE_BURN) == (severity is Severity.PAGE)
        assert w.only.severity is severity


# --- our own network ------------------------------------------------------------------------------------------------------


def test_a_region_that_lost_its_own_network_pages_nobody() -> None:
    """The control run fails too: the failing rows are taken back, and nothing counts as bad; told once it has lasted."""
    objective = Objective(name="slo", checks=frozenset({CheckId("a"), CheckId("b")}), target=0.9)
    controls = {"eu": CheckId("control.eu")}
    w = world(watched("a"), watched("b", cause="pay.example"), objectives=[objective], controls=controls)
    w.see(check="a")
    w.see(check="b")
    w.see(FAILED, "a")
    w.see(FAILED, "b")
    w.see(FAILED, "control.eu", why=Why.CONTROL, failure=Failure.of("connect_timeout"))
    for name in ("a", "b"):
        for _ in range(4):
            w.see(FAILED, name)
    assert not w.state.incidents
    assert w.state.ledgers["slo"].between(w.now - MINUTE, w.now + MINUTE) == Counts(good=2, bad=0, lost=10)
    assert not w.state.suspects
    w.wait(RECHECK.total_seconds() + 5)
    assert [a.why for a in w.asks].count(Why.CONTROL) == 1, "it is looked at again while it is blind"
    w.wait(LASTING.total_seconds())
    w.see(FAILED, "control.eu", why=Why.CONTROL, failure=Failure.of("connect_timeout"))
    assert [i.verdict for i in w.state.incidents.values()] == [Verdict.PROBE_FAULT]
    w.see(PASSED, "control.eu", why=Why.CONTROL)
    assert not w.state.incidents
    w.play(ILL.total_seconds(), lambda *_: 0.5)
    w.fail("a")
    assert w.only.cause == "shop.example"


def test_a_blind_region_of_several_says_nothing() -> None:
    objective = Objective(name="slo", checks=frozenset({CheckId("a"), CheckId("b")}), target=0.9)
    checks = (watched("a", regions=TWO), watched("b", cause="pay.example", regions=TWO))
    w = world(*checks, objectives=[objective], controls=CONTROLS)

    def cut(_name: str, region: str, _at: datetime) -> Failure | float:
        return REFUSED if region == "eu" else 0.5

    w.play(120, lambda *_: 0.5)
    good = w.state.ledgers["slo"].between(w.now - 2 * MINUTE, w.now + MINUTE).good
    w.play(100, cut)
    assert w.state.regions["eu"].blind is not None
    assert not w.state.incidents
    counts = w.state.ledgers["slo"].between(w.now - 6 * MINUTE, w.now + MINUTE)
    assert counts.bad == 0
    assert counts.lost > 0
    assert counts.good > good
    asked = sum(a.why is Why.CONTROL for a in w.asks)
    w.play(LASTING.total_seconds() + RECHECK.total_seconds() + 30, cut)
    assert sum(a.why is Why.CONTROL for a in w.asks) > asked, "it is looked at again while it is blind"
    assert [i.verdict for i in w.state.incidents.values()] == [Verdict.PROBE_FAULT]
    assert w.said == ["opened oncall"]
    w.play(600, lambda *_: 0.5)
    assert not w.state.incidents
    assert w.said == ["opened oncall", "resolved oncall"]
    w.play(ILL.total_seconds(), lambda *_: 0.5)
    w.fail("a")
    assert w.only.cause == "shop.example"


def test_all_regions_blind_is_not_us() -> None:
    """The internet, or what control runs look at: the shop is believed to fail."""
    w = world(watched(regions=TWO), controls=CONTROLS)
    w.play(60, lambda *_: 0.5)
    for region in TWO:
        w.see(FAILED, f"control.{region}", region=region, why=Why.CONTROL, failure=REFUSED)
    w.play(300, lambda *_: REFUSED, until=w.suffers)
    assert w.suffers()


def test_nothing_is_decided_before_the_control_run_answers() -> None:
    """And its answer decides at once; a run of it that was not made says nothing."""
    w = world(watched(regions=FIVE), controls=CONTROLS)
    for region in FIVE:
        w.see(region=region)
    w.wait(5)
    for region in FIVE:
        w.see(FAILED, region=region)
    assert [a.region for a in w.asks if a.why is Why.CONTROL]
    assert not w.state.incidents
    w.see(Outcome.ABORTED, "control.eu", why=Why.CONTROL)
    assert not w.state.incidents
    for ask in [a for a in w.asks if a.why is Why.CONTROL]:
        w.see(PASSED, ask.check, region=ask.region, why=Why.CONTROL)
    assert w.only.verdict is Verdict.DOWN


def test_a_control_run_that_cannot_be_made_blinds_the_region() -> None:
    """We do not know whether its network works; without a reason there is nothing to tell, though."""
    w = world(controls={"eu": CheckId("control.eu")})
    run = w.run(ERRORED, "control.eu", why=Why.CONTROL)
    w.event(replace(run, observation=replace(run.observation, failures=())))
    assert w.state.regions["eu"].blind is not None
    assert not w.state.incidents


def test_a_region_that_goes_blind_takes_back_only_its_own() -> None:
    """What fails elsewhere still fails; what was told already stays told."""
    w = world(watched("a", regions=TWO), watched("b", regions=TWO), controls=CONTROLS)
    for region in TWO:
        w.see(check="a", region=region)
    w.see(FAILED, "a", region="us")
    w.see(FAILED, "b", region="eu")
    w.see(FAILED, "control.eu", why=Why.CONTROL)
    assert w.state.checks[CheckId("a")].places["us"].fails == 1
    assert w.state.checks[CheckId("b")].places["eu"].fails == 0
    told = world(watched("a", regions=TWO), controls=CONTROLS)
    told.play(120, lambda *_: BROKEN, until=lambda: told.suffers("a"))
    before = told.state.checks[CheckId("a")]
    told.see(FAILED, "control.eu", why=Why.CONTROL)
    assert told.state.checks[CheckId("a")].opened == before.opened


# --- ourselves ------------------------------------------------------------------------------------------------------------


def test_our_trouble_is_never_the_shops() -> None:
    """Errored runs make a ticket about the region, once they have lasted, and count for nothing else."""
    objective = Objective(name="slo", checks=frozenset({CHECKOUT}), target=0.9)
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
    assert w.only.members[CHECKOUT].recovered is not None
    for _ in range(3):
        w.see(ERRORED)
    assert w.only.members[CHECKOUT].recovered is None
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
