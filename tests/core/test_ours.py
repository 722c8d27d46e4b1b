"""Our own trouble is never the shop's: a region that has lost its network, and runs that could not be made."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from probe.core.check import CheckId
from probe.core.evaluate import RECHECK
from probe.core.failure import Failure
from probe.core.incident import Verdict
from probe.core.ledger import Counts
from probe.core.network import LASTING
from probe.core.rules import Objective, Severity
from probe.core.run import Outcome, Why
from probe.core.verdict import ILL
from tests.core.world import BROKEN, World, rules_of, watched

FAILED, PASSED, ERRORED = Outcome.FAILED, Outcome.PASSED, Outcome.ERRORED
MINUTE = timedelta(minutes=1)
TWO = ("eu", "us")
FIVE = ("eu", "us", "ap", "sa", "af")
REFUSED = Failure.of("refused")
CHECKOUT = CheckId("checkout")
CONTROLS = {name: CheckId(f"control.{name}") for name in FIVE}


def world(*checks: Any, **given: Any) -> World:
    return World(rules_of(*(checks or (watched(),)), **given))


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
    after = told.state.checks[CheckId("a")]
    assert (after.opened, after.places, after.trail) == (before.opened, before.places, before.trail)


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
