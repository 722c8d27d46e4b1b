"""When it is over, as well founded as that it began; what comes back is the same; what heals by itself is learned."""

import random
from datetime import timedelta
from math import ceil, log
from typing import Any

from probe.core.check import CheckId
from probe.core.habits import Blip
from probe.core.holds import ALONE_SERVED, FAIL, MOST
from probe.core.recovery import OVER, QUIET
from probe.core.run import Outcome
from probe.core.state import RETURNS, CheckState, State
from probe.core.verdict import PATIENCE, time_to_live
from tests.core.facts import known
from tests.core.world import BROKEN, World, rules_of, watched

FAILED, PASSED = Outcome.FAILED, Outcome.PASSED
TWO = ("eu", "us")
THREE = ("eu", "us", "ap")
FIVE = ("eu", "us", "ap", "sa", "af")


def world(*checks: Any, **given: Any) -> World:
    return World(rules_of(*(checks or (watched(),)), **given))


def test_recovery_needs_good_runs_and_quiet() -> None:
    """A good run or two prove nothing, and any bad one begins anew; flapping makes one incident."""
    w = world()
    w.fail()
    for _ in range(5):
        w.wait(45)
        w.see()
        w.wait(45)
        w.see(FAILED)
    assert w.said == ["opened oncall"]
    last = w.now
    w.recover()
    assert w.said == ["opened oncall", "resolved oncall"]
    assert w.now - last >= timedelta(seconds=QUIET)


def test_it_is_over_when_the_good_runs_are_a_hundred_times_likelier_after_it_than_within_it() -> None:
    """What failed now and then takes many good runs to be believed over; recounted from the share that was told."""
    w, dice = world(watched(regions=FIVE)), random.Random(3)
    w.state.checks[CheckId("checkout")] = CheckState(habits=known(0.5, *FIVE))
    w.play(900, lambda *_: BROKEN if dice.random() < 0.35 else 0.5, until=w.suffers)
    check = w.state.checks[CheckId("checkout")]
    share, noise = check.opened[FAIL].share, sum(check.habits.noise())
    needed = ceil(OVER / log((1 - noise) / (1 - share)))
    w.now += timedelta(seconds=QUIET)
    for number in range(1, needed + 1):
        assert w.suffers(), number
        w.now += timedelta(seconds=1)
        w.see(region=FIVE[number % 5])
    assert not w.suffers()
    assert needed >= 5


def test_recovery_is_asked_for() -> None:
    """A check that runs once an hour is looked at again as soon as it passes, so that its recovery is noticed."""
    w = world(watched(every=timedelta(hours=1)))
    w.fail()
    began = w.now
    w.play(3 * 3600, lambda *_: 0.5, until=lambda: not w.suffers())
    assert not w.state.incidents
    assert w.now - began <= timedelta(hours=1, minutes=5)


def test_nothing_is_asked_for_once_it_is_over() -> None:
    """Neither by the run that ends it, nor later."""
    w = world(watched(regions=FIVE))
    w.fail()
    w.now += timedelta(seconds=QUIET)
    for number in range(10):
        w.now += watched().timeout + PATIENCE  # nobody answers what was asked for
        change = w.see(region=FIVE[number % 5])
        if not w.suffers():
            break
    assert not change.asks
    assert w.state.checks[CheckId("checkout")].suspicion is None
    asked = len(w.asks)
    w.play(600, lambda *_: 0.5)
    assert len(w.asks) == asked


def test_all_regions_must_have_recovered() -> None:
    """One region that still fails keeps the incident open; one that never failed need not prove itself."""
    w = world(watched(regions=THREE))
    w.fail("checkout", "eu", "us")
    w.play(900, lambda _c, region, _at: BROKEN if region == "us" else 0.5)
    assert w.state.incidents
    for _ in range(5):
        w.wait(30)
        w.see(region="eu")
    assert w.state.incidents, "us was not heard to pass"
    for _ in range(6):
        w.wait(30)
        w.see(region="eu")
        w.see(region="us")
    assert not w.state.incidents


def test_a_region_that_falls_silent_is_not_waited_for_for_ever() -> None:
    """It has nothing to say any more, neither way."""
    w = world(watched(regions=TWO))
    w.fail()
    w.play(time_to_live(watched()).total_seconds() + 120, lambda *_: BROKEN)
    for _ in range(12):
        w.wait(30)
        w.see(region="eu")
    assert not w.state.incidents


def test_a_pass_recovers_with_the_time_of_the_first() -> None:
    """Down while we were: the first good run after the restart is what is known."""
    w = world()
    w.fail()
    w.state = State(checks=dict(w.state.checks), incidents=dict(w.state.incidents))
    w.now += timedelta(hours=2)
    first = w.now - timedelta(seconds=0.5)
    w.recover()
    assert not w.state.incidents
    assert w.notes[-1].message.resolved == first


def test_what_comes_back_soon_is_the_same_incident() -> None:
    """Reopened, told again, and never opened a second time; each time it takes twice as long to be believed."""
    w = world(watched(regions=THREE))
    w.fail()
    first, quiet = w.only.id, []
    for _ in range(3):
        over = w.now
        w.recover()
        quiet.append((w.now - over).total_seconds())
        assert not w.state.incidents
        w.play(60, lambda *_: 0.5)
        w.fail()
        assert w.only.id == first
    assert w.only.relapses == 3
    assert w.told.count("opened") == 1
    assert w.told.count("reopened") == 3
    assert quiet[0] >= QUIET
    assert quiet[1] >= 2 * QUIET
    assert quiet[2] >= 4 * QUIET
    w.recover()
    habits = w.state.checks[CheckId("checkout")].habits
    assert (habits.last, habits.blips) == ({}, {}), "what comes back is no blip"


def test_a_long_quiet_outlasts_what_is_remembered() -> None:
    """A check that runs often, and has come back often: no run of the trouble is left when it is believed to be over."""
    w = world(watched(every=timedelta(seconds=10)))
    w.fail()
    for _ in range(2):
        w.recover()
        w.fail()
    last = w.now
    w.recover()
    assert w.now - last >= 4 * timedelta(seconds=QUIET)
    assert w.told.count("opened") == 1


def test_what_comes_back_later_is_another_incident() -> None:
    w = world(watched(regions=THREE))
    w.fail()
    first = w.only.id
    w.recover()
    w.play(RETURNS.total_seconds() + 60, lambda *_: 0.5)
    w.fail()
    assert w.only.id != first
    assert w.said == ["opened oncall", "resolved oncall", "opened oncall"]


# --- blips ----------------------------------------------------------------------------------------------------------------


def test_blips_that_heal_by_themselves_are_learned() -> None:
    """The first may be told; the check learns how long they last, and then they are held back, and outages told still."""
    w = world(watched(regions=FIVE))
    for _ in range(4):
        w.play(25, lambda *_: BROKEN)
        w.play(3600, lambda *_: 0.5)
    blips = w.state.checks[CheckId("checkout")].habits.blips[FAIL]
    assert all(0 < blip.mass < 60 for blip in blips)
    told = len(w.said)
    w.play(20, lambda *_: BROKEN)
    held = w.state.checks[CheckId("checkout")].held
    assert FAIL in held
    w.play(1800, lambda *_: 0.5)
    assert (len(w.said), w.state.incidents) == (told, {})
    w.fail()
    assert w.only.opened - w.only.since > timedelta(seconds=max(blip.mass for blip in blips))


def test_a_check_in_one_region_is_watched_for_a_while() -> None:
    """Nothing can be cross-checked: it takes some seconds of trouble more."""
    w = world()
    w.fail()
    assert w.only.opened - w.only.since >= timedelta(seconds=ALONE_SERVED)
    assert "watched for" in w.entries[1].text


def test_what_was_held_back_and_comes_back_is_told_at_once() -> None:
    """It is the same trouble, and has lasted since it first began: it does not heal by itself."""
    waited = []
    for pause in (200, 3600):
        w = world(watched(regions=FIVE))
        blips = {FAIL: (Blip(w.now.timestamp(), MOST[FAIL]),)}
        w.state.checks[CheckId("checkout")] = CheckState(habits=known(0.5, *FIVE)._replace(blips=blips))
        w.play(60, lambda *_: 0.5)
        w.play(30, lambda *_: BROKEN)
        assert FAIL in w.state.checks[CheckId("checkout")].held
        w.play(pause, lambda *_: 0.5)
        assert w.state.checks[CheckId("checkout")].held == {}
        began = w.now
        w.play(300, lambda *_: BROKEN, until=w.suffers)
        waited.append(w.now - began)
    assert waited[0] < timedelta(seconds=MOST[FAIL] / 2)
    assert waited[1] >= timedelta(seconds=MOST[FAIL])


def test_a_blip_of_all_regions_is_not_told_as_that_of_one() -> None:
    """While it is watched whether it heals in all of them, none of them is told by itself."""
    w = world(watched(regions=FIVE))
    blips = {FAIL: (Blip(w.now.timestamp(), MOST[FAIL]),)}
    w.state.checks[CheckId("checkout")] = CheckState(habits=known(0.5, *FIVE)._replace(blips=blips))
    w.play(60, lambda *_: 0.5)
    w.play(MOST[FAIL] - 10, lambda *_: BROKEN)
    assert FAIL in w.state.checks[CheckId("checkout")].held
    w.play(600, lambda *_: 0.5)
    assert w.said == []


def test_what_joined_recovers_by_what_it_was_seen_to_fail() -> None:
    """All of its runs failed: a few good ones of the schedule are enough, though it joined with one failure."""
    w = World(rules_of(watched("cart"), watched("checkout")))
    w.fail("cart")
    for _ in range(4):
        w.see(Outcome.FAILED, "checkout")
        w.wait(60)
    w.recover("cart")
    passes = 0
    while w.suffers("checkout"):
        w.wait(60)
        w.see(Outcome.PASSED, "checkout")
        passes += 1
    assert passes <= 4
