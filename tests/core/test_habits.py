"""What is usual is learned: how often a check fails by itself, how long it takes by the hour, when it is overdue."""

import random
from datetime import timedelta
from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.fact import WHOLE
from probe.core.habits import (
    DAY,
    ENOUGH,
    HALF_LIFE,
    LEAST,
    MOST,
    OVERDUE,
    PRIOR,
    SHRINK,
    UNKNOWN,
    Habits,
    Rate,
    Series,
    after,
    fading,
    learned,
)
from tests.core.facts import BOUNDS, T0, bad, fact, known

MINUTE = timedelta(minutes=1)


def taught(failing: int, runs: int, region: str = "r0", kind: str = "status", fade: float = 1.0) -> Habits:
    habits = UNKNOWN
    for number in range(runs):
        one = bad(number, region, kind=kind) if number < failing else fact(number, region)
        habits = after(habits, one, fade)
    return habits


# --- how often it fails -------------------------------------------------------------------------------------------------


def test_nobody_knows_anything_at_first() -> None:
    served, path = UNKNOWN.noise()
    assert (served, path) == UNKNOWN.noise("r0")
    assert (served, path) == (PRIOR.served / PRIOR.runs, PRIOR.path / PRIOR.runs)
    assert UNKNOWN.late("r0") >= served + path


def test_failures_are_counted_by_sort() -> None:
    """What the service answers, and what happens on the way to it."""
    answered = taught(20, 2000).noise()
    assert answered[0] > UNKNOWN.noise()[0]
    assert answered[1] < UNKNOWN.noise()[1]
    on_the_way = taught(20, 2000, kind="refused").noise()
    assert on_the_way == answered[::-1]


def test_what_is_believed_has_bounds() -> None:
    """One failure never proves anything, and always says something."""
    assert taught(0, 5000).noise() == (LEAST, LEAST)
    assert taught(900, 1000).noise()[0] == MOST
    assert taught(900, 1000).late("r0") <= 2 * MOST


def test_a_region_is_like_the_others_until_it_is_known() -> None:
    """With so many runs, half is its own."""
    habits = Habits(rates={"r0": Rate(0.02 * SHRINK, 0.0, SHRINK), "r1": Rate(0.0, 0.0, 9 * SHRINK)})
    all_served, _ = habits.noise()
    own = habits.noise("r0")[0]
    assert own == pytest.approx((0.02 + all_served) / 2)
    assert habits.noise("r1")[0] < all_served < own
    assert habits.noise("new") == habits.noise()


def test_what_was_long_ago_weighs_less() -> None:
    fade = fading(MINUTE)
    assert fade ** (HALF_LIFE / 60) == pytest.approx(0.5)
    habits = taught(10, 10, fade=fade)
    for number in range(int(HALF_LIFE / 60)):
        habits = after(habits, fact(number), fade)
    assert habits.rates["r0"].served == pytest.approx(5.0, rel=0.01)


# --- how long it takes --------------------------------------------------------------------------------------------------


def series_of(days: float, took: float = 0.4, spread: float = 0.2, hump: float = 0.0) -> Series:
    """A series of a run every two minutes; at noon it takes `hump` longer, in natural logarithms."""
    dice, series = random.Random(7), None
    for number in range(int(days * DAY / 120)):
        at = T0 + 120 * number
        usual = log(took) + (hump if 9 <= at // 3600 % 24 < 15 else 0.0)
        series = learned(series, "r0", at, usual + dice.gauss(0, spread))
    assert series is not None
    return series


def test_the_median_and_the_bounds_come_near_the_truth() -> None:
    """By stochastic approximation, without keeping a single run."""
    series, dice = series_of(4), random.Random(8)
    assert exp(series.medians["r0"][0]) == pytest.approx(0.4, rel=0.1)
    bins = [series.bin("r0", T0, log(0.4) + dice.gauss(0, 0.2)) for _ in range(4000)]
    shares = [bins.count(number) / len(bins) for number in range(5)]
    assert shares[0] == pytest.approx(0.5, abs=0.2)
    assert sum(shares[3:]) < 0.05
    assert series.bin("r0", T0, log(3 * 0.4)) == 4


def test_a_busy_hour_becomes_usual() -> None:
    """Slow every noon is no trouble; as slow at night is."""
    series = series_of(30, hump=0.5)
    noon, night = T0 - T0 % DAY + 12 * 3600, T0 - T0 % DAY + 3 * 3600
    assert series.hours[12] > series.hours[3] + 0.2
    assert series.bin("r0", noon, log(0.4) + 0.5) < series.bin("r0", night, log(0.4) + 0.75)


@given(st.floats(-3, 3), st.integers(0, 2 * ENOUGH))
def test_slower_is_never_a_lower_bin(took: float, seen: int) -> None:
    """And nothing is slow before enough is known, nor in a region of which nothing is."""
    series = Series({"r0": (0.0, seen)}, BOUNDS, seen)
    number = series.bin("r0", T0, took)
    assert number <= series.bin("r0", T0, took + 0.1)
    assert number == 0 or (seen >= ENOUGH and took >= 0)
    assert series.bin("r1", T0, took) == 0
    for limit, expected in zip(BOUNDS, (2, 3, 4), strict=True):
        assert Series({"r0": (0.0, ENOUGH)}, BOUNDS, ENOUGH).bin("r0", T0, limit) == expected


def test_a_region_begins_with_what_it_is() -> None:
    """Its median is its own, the bounds are those of all."""
    series = learned(learned(None, "r0", T0, log(0.4)), "r1", T0, log(0.8))
    assert {name: exp(median) for name, (median, _) in series.medians.items()} == pytest.approx({"r0": 0.4, "r1": 0.8})
    assert series.bounds == pytest.approx(BOUNDS)


def test_steps_are_looked_at_in_place_of_the_whole_where_there_are_any() -> None:
    """A series that is not known yet is left out."""
    habits = known(0.5, "r0", step="pay")
    whole, pay, other = (WHOLE, log(5.0)), ("pay", log(5.0)), ("other", log(5.0))
    assert habits.bins(fact(0, took=(whole,))) == ((WHOLE, 4),)
    assert habits.bins(fact(0, took=(whole, pay, other))) == (("pay", 4),)
    assert habits.bins(fact(0)) == ()
    assert UNKNOWN.bins(fact(0, took=(whole,))) == ()


# --- overdue ------------------------------------------------------------------------------------------------------------


def test_a_run_is_overdue_far_beyond_its_usual_time() -> None:
    habits = known(0.5, "r0")
    late = habits.late_after("r0")
    assert late == pytest.approx(OVERDUE * 0.5 * exp(BOUNDS[2]))
    assert habits.late_after("r1") is None
    assert UNKNOWN.late_after("r0") is None
    assert known(0.5, "r0", runs=ENOUGH - 1).late_after("r0") is None


def test_how_many_are_overdue_by_themselves_is_learned() -> None:
    """The more often, the less it says."""
    habits = known(0.5, "r0")
    often = habits._replace(overdue=(50.0, 1000.0))
    assert often.late("r0") > habits.late("r0")
    taken = after(habits, fact(0, took=((WHOLE, log(0.5)),)), 1.0)
    assert taken.overdue[1] == habits.overdue[1] + 1
    assert after(habits, bad(0), 1.0).overdue == habits.overdue
