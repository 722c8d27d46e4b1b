"""Whether more visitors have a problem than usual: by table, by property, and over months in which nothing is wrong."""

import random
from datetime import timedelta
from functools import cache
from itertools import accumulate
from math import exp, pi, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.reports import SPAN, Level, comparable, level
from tests.core.builders import NOW

HOUR = timedelta(hours=1)
COUNTS = st.lists(st.integers(0, 500), max_size=28)


@pytest.mark.parametrize(
    ("before", "needed"),
    [
        ([], 4),  # nothing is known yet: a little more than three must say so
        ([0] * 28, 3),
        ([1] * 28, 4),
        ([6] * 28, 8),
        ([30] * 28, 20),
        ([120] * 28, 58),
        ([0] * 27 + [60], 3),  # one outage does not make outages usual
        ([0] * 26 + [60, 60], 7),
    ],
)
def test_how_many_are_unusual(before: list[int], needed: int) -> None:
    """The fewest reports in ten minutes that are unusual, after as many in this hour of each day."""
    assert [level(count, before).unusual for count in (needed - 1, needed)] == [False, True]


def test_two_are_never_unusual() -> None:
    """However quiet it was: two people may be mistaken."""
    assert not level(2, [0] * 28).unusual
    assert not Level(count=2, usual=0.0, chance=0.0).unusual


@given(before=COUNTS, count=st.integers(0, 400))
def test_more_reports_are_never_less_unusual(before: list[int], count: int) -> None:
    less, more = level(count, before), level(count + 1, before)
    assert more.chance <= less.chance
    assert more.unusual >= less.unusual
    assert 0 <= more.chance <= 1


@given(before=COUNTS.filter(len), count=st.integers(0, 400), day=st.integers(0, 27), more=st.integers(1, 50))
def test_what_is_usual_is_less_unusual(before: list[int], count: int, day: int, more: int) -> None:
    """More in comparable hours before never makes a count more unusual."""
    busier = [*before]
    busier[day % len(before)] += more
    assert level(count, busier).chance >= level(count, before).chance * (1 - 1e-6)


def test_comparable_hours() -> None:
    """The same hour of the days before, four weeks back, but not from before anything was reported at all."""
    now = NOW + timedelta(minutes=30)  # 03:30
    days = [(NOW - timedelta(days=day), day) for day in range(1, 40)]
    assert comparable([*days, (NOW, 99), (NOW - HOUR, 77)], now) == tuple(range(1, 29))
    assert comparable([(NOW - timedelta(days=3), 5), (NOW - timedelta(days=5, hours=7), 1)], now) == (0, 0, 5, 0, 0)
    assert comparable([], now) == ()
    # Just after the hour most of the last ten minutes belong to the one before.
    assert comparable([(NOW - timedelta(days=1, hours=1), 4)], NOW + timedelta(minutes=4)) == (4,)


@pytest.mark.parametrize(("rate", "months"), [(2, 12), (40, 12), (300, 4)])
def test_false_alarms_of_a_month_are_less_than_one(rate: int, months: int) -> None:
    """Months in which nothing is wrong, after one to learn; `rate` reports a day, of which few come at night.

    Looked at each minute, as somebody with the overview open does; a stretch that goes on is one alarm.
    """
    chance, minutes, width = random.Random(rate), (1 + months) * 30 * 24 * 60, int(SPAN.total_seconds() / 60)
    rhythm = [1 + sin(hour / 12 * pi) * 0.9 for hour in range(24)]
    seen = [_poisson(chance, rate / 24 / 60 * rhythm[minute // 60 % 24]) for minute in range(minutes)]
    sums = list(accumulate(seen, initial=0))
    start = NOW.replace(hour=0)
    hours = [(start + h * HOUR, sums[h * 60 + 60] - sums[h * 60]) for h in range(minutes // 60)]
    judged = cache(
        lambda count, h: level(count, comparable(hours[max(0, h - 700) : h], hours[h][0] + HOUR / 2)).unusual
    )
    alarms, last = 0, -minutes
    for minute in range(30 * 24 * 60, minutes):
        count = sums[minute] - sums[minute - width]
        if count >= 3 and judged(count, (minute - width // 2) // 60):
            alarms += minute - last > width
            last = minute
    assert alarms < months


def _poisson(chance: random.Random, mean: float) -> int:
    count, product, limit = 0, chance.random(), exp(-mean)
    while product > limit:
        count, product = count + 1, product * chance.random()
    return count
