"""How long trouble is watched before it is told: as long as what healed by itself, and what comes back is the same."""

import pytest

from probe.core.detector import Doubt
from probe.core.habits import UNKNOWN, Habits
from probe.core.holds import (
    ALONE,
    ALONE_SERVED,
    ALONE_SLOW,
    FAIL,
    KEPT,
    KNOWN,
    LEAST,
    MARGIN,
    MOST,
    REGION,
    REMEMBERED,
    RETURNS,
    SERVED,
    SLOW,
    Held,
    healed,
    key_of,
    patience,
    region_of,
    returned,
    sort_of,
)
from tests.core.facts import T0

SERVES = Doubt(served=4, classified=4)
PATH = Doubt(served=0, classified=4)


def blips(key: str, *masses: float, at: float = T0) -> Habits:
    """The habits after blips of a key, each of which did not come back."""
    habits = UNKNOWN
    for number, mass in enumerate(masses):
        now = at + number * 2 * RETURNS
        habits = healed(returned(habits, key, now)[0], key, now, now - mass, mass)
    return returned(habits, key, at + len(masses) * 2 * RETURNS)[0]


def waits(habits: Habits, key: str, doubt: Doubt = SERVES, regions: int = 5, now: float = T0) -> float:
    return patience(habits, key, [doubt], regions, now)


def test_keys() -> None:
    key = key_of("eu-west")
    assert (region_of(key), sort_of(key)) == ("eu-west", REGION)
    assert (region_of(FAIL), sort_of(FAIL)) == (None, FAIL)
    assert Held(since=T0, last=T0 + 10, share=0.5).mass == 5.0


@pytest.mark.parametrize("key", [FAIL, SLOW, key_of("r0")])
def test_without_blips_it_is_told_as_soon_as_the_sort_allows(key: str) -> None:
    assert waits(UNKNOWN, key, PATH) == LEAST[sort_of(key)]


def test_a_region_where_the_service_answers_badly_is_told_sooner() -> None:
    assert waits(UNKNOWN, key_of("r0")) == min(SERVED, LEAST[REGION])


def test_where_nothing_can_be_cross_checked_it_takes_longer() -> None:
    """A check that is run from one region only."""
    assert waits(UNKNOWN, FAIL, PATH, 1) == ALONE
    assert waits(UNKNOWN, FAIL, SERVES, 1) == ALONE_SERVED
    assert waits(UNKNOWN, SLOW, SERVES, 1) == ALONE_SLOW
    assert waits(blips(FAIL, MOST[FAIL]), FAIL, SERVES, 1) == max(ALONE_SERVED, MOST[FAIL])


@pytest.mark.parametrize("key", [FAIL, SLOW])
def test_a_little_longer_than_the_gravest_blip(key: str) -> None:
    """At least as long as is usual for what is known for blips, and never longer than the most of the sort."""
    mass = (KNOWN[key] / MARGIN + MOST[key] / MARGIN) / 2
    assert waits(blips(key, mass), key) == pytest.approx(MARGIN * mass)
    assert waits(blips(key, mass, mass / 2), key) == pytest.approx(MARGIN * mass)
    assert waits(blips(key, 0.01), key) == KNOWN[key]
    assert waits(blips(key, 10 * MOST[key]), key) == MOST[key]


def test_of_a_region_the_second_gravest_counts() -> None:
    """One long night of a network is no habit."""
    key = key_of("r0")
    assert waits(blips(key, 800.0), key, PATH) == LEAST[REGION]
    expected = max(KNOWN[REGION], min(MOST[REGION], MARGIN * 700.0))
    assert waits(blips(key, 800.0, 700.0), key, PATH) == pytest.approx(expected)


def test_blips_of_a_region_are_those_of_all() -> None:
    habits = blips(key_of("r0"), 800.0, 700.0)
    assert set(habits.blips) == {REGION}


def test_blips_are_forgotten() -> None:
    habits = blips(FAIL, MOST[FAIL])
    assert waits(habits, FAIL, now=T0 + REMEMBERED - 1) == MOST[FAIL]
    assert waits(habits, FAIL, now=T0 + REMEMBERED + 1) == LEAST[FAIL]


def test_what_comes_back_soon_was_no_blip() -> None:
    """It is the same trouble, and began when that did; what healed is only a blip when it stayed away."""
    habits = healed(UNKNOWN, FAIL, T0, T0 - 20, 20.0)
    again, since = returned(habits, FAIL, T0 + RETURNS)
    assert (since, again.blips, again.last) == (T0 - 20, {}, {})
    other, since = returned(habits, SLOW, T0 + 1)
    assert (since, other) == (None, habits)
    after, since = returned(habits, FAIL, T0 + RETURNS + 1)
    assert since is None
    assert [blip.mass for blip in after.blips[FAIL]] == [20.0]
    assert after.last == {}


def test_healing_twice_remembers_both() -> None:
    """The second time says that the first one was a blip."""
    habits = healed(UNKNOWN, FAIL, T0, T0 - 20, 20.0)
    habits = healed(habits, FAIL, T0 + RETURNS + 1, T0 + RETURNS - 9, 10.0)
    assert [blip.mass for blip in habits.blips[FAIL]] == [20.0]
    assert habits.last[FAIL][2] == 10.0


def test_the_gravest_and_the_newest_are_kept() -> None:
    habits = blips(FAIL, *[float(mass) for mass in range(KEPT + 3, 0, -1)])
    masses = [blip.mass for blip in habits.blips[FAIL]]
    assert len(masses) == KEPT
    assert masses[-1] == 1.0
    assert max(masses) == KEPT + 3
