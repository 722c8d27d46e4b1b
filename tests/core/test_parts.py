"""Trouble of a part: of one region, of some, of a third party, of a server that takes us for a robot."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from probe.core.account import PAGE_BURN, PROMISE
from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.gates import TICKET_AFTER
from probe.core.holds import LEAST, REGION, SERVED, key_of
from probe.core.incident import Verdict
from probe.core.rules import Objective, Severity
from probe.core.run import Outcome, Why
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


def test_one_region_of_many_burns_less_of_the_budget() -> None:
    """Only the customers there suffer."""
    for target, severity in ((0.98, Severity.TICKET), (0.999, Severity.PAGE)):
        objective = Objective(name="slo", checks=frozenset({CHECKOUT}), target=target)
        w = world(watched(regions=FIVE), objectives=[objective], controls=CONTROLS)
        w.play(120, only())
        w.play(600, only("eu"), until=w.suffers)
        assert (w.only.verdict, w.only.severity) == (Verdict.REGIONAL, severity)


def test_the_budget_decides_whether_somebody_is_woken() -> None:
    """What burns it slowly enough is a ticket; without a promise a usual one is taken."""
    for target, severity in ((0.9, Severity.TICKET), (0.999, Severity.PAGE), (None, Severity.PAGE)):
        objectives = [] if target is None else [Objective(name="slo", checks=frozenset({CHECKOUT}), target=target)]
        w = world(watched(regions=FIVE), objectives=objectives)
        w.fail()
        burn = 1 / (1 - (PROMISE if target is None else target))
        assert (burn >= PAGE_BURN) == (severity is Severity.PAGE)
        assert w.only.severity is severity
