"""Maintenance windows: which checks they hold for, and until when, also in the nights when clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.check import CheckId
from probe.core.maintenance import AHEAD, Window, covering, held_until, occurrences
from probe.core.rules import Watched
from tests.core.nights import NIGHTS, Night, clock, first_shown

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CHECK = Watched(
    id=CheckId("cart"),
    target="shop",
    cause="shop.example",
    regions=("eu",),
    every=MINUTE,
    timeout=MINUTE,
    tags=("buy", "slow"),
)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def once(start: datetime = NOON, duration: timedelta = HOUR, name: str = "move") -> Window:
    return Window(name=name, start=start, duration=duration)


@pytest.mark.parametrize(
    ("later", "name"),
    [(-timedelta(microseconds=1), None), (0 * HOUR, "move"), (HOUR - timedelta(microseconds=1), "move"), (HOUR, None)],
)
def test_a_window_holds_from_its_start_until_just_before_its_end(later: timedelta, name: str | None) -> None:
    assert covering((once(),), CHECK, NOON + later) == name
    assert held_until((once(),), CHECK, NOON + later) == (name and NOON + HOUR)


@pytest.mark.parametrize(
    ("window", "holds"),
    [
        (Window(name="w", start=NOON, duration=HOUR), True),
        (Window(name="w", start=NOON, duration=HOUR, checks=("cart",)), True),
        (Window(name="w", start=NOON, duration=HOUR, checks=("other",)), False),
        (Window(name="w", start=NOON, duration=HOUR, targets=("shop",)), True),
        (Window(name="w", start=NOON, duration=HOUR, targets=("pay",)), False),
        (Window(name="w", start=NOON, duration=HOUR, tags=("slow",)), True),
        (Window(name="w", start=NOON, duration=HOUR, tags=("fast",)), False),
        # Named by any of them is named.
        (Window(name="w", start=NOON, duration=HOUR, checks=("other",), targets=("pay",), tags=("buy",)), True),
        # Neither once nor again and again: never.
        (Window(name="w", duration=HOUR), False),
    ],
)
def test_which_checks_a_window_holds_for(window: Window, holds: bool) -> None:
    assert covering((window,), CHECK, NOON) == ("w" if holds else None)
    assert held_until((window,), CHECK, NOON) == (NOON + HOUR if holds else None)


def test_without_windows_nothing_is_held() -> None:
    assert covering((), CHECK, NOON) is None
    assert held_until((), CHECK, NOON) is None


def test_the_first_window_that_holds_gives_the_name() -> None:
    windows = (once(NOON - 2 * HOUR), once(name="release"), once(name="other"))
    assert covering(windows, CHECK, NOON) == "release"


def test_windows_that_overlap_or_follow_on_are_one_stretch() -> None:
    windows = (
        once(NOON + 3 * HOUR),
        once(NOON + HOUR, 2 * HOUR),  # begins as the next one ends
        once(NOON, HOUR),
        once(NOON + 90 * MINUTE, 10 * MINUTE),  # lies within another
        once(NOON + 5 * HOUR),  # apart
        Window(name="others'", start=NOON, duration=20 * HOUR, checks=("other",)),
    )
    assert held_until(windows, CHECK, NOON + 5 * MINUTE) == NOON + 4 * HOUR


def test_a_window_that_comes_again_before_it_ends_is_one_stretch() -> None:
    hourly = Window(name="w", cron="0 9-17 * * *", duration=90 * MINUTE)
    assert held_until((hourly,), CHECK, NOON) == NOON.replace(hour=18, minute=30)


def test_stretches_go_on_over_midnight() -> None:
    nightly = Window(name="w", cron="0 22 * * *", duration=5 * HOUR)
    assert held_until((nightly,), CHECK, NOON.replace(hour=23)) == NOON.replace(day=25, hour=3)
    assert covering((nightly,), CHECK, NOON.replace(hour=2, minute=59)) == "w"
    assert covering((nightly,), CHECK, NOON.replace(hour=3)) is None


def test_windows_without_an_end_are_looked_through_for_a_week_or_so() -> None:
    always = Window(name="w", cron="0 * * * *", duration=HOUR)
    until = held_until((always,), CHECK, NOON)
    assert until is not None
    assert AHEAD < until - NOON <= AHEAD + timedelta(days=2)


def test_a_single_window_may_be_as_long_as_it_likes() -> None:
    assert held_until((once(NOON, 40 * 24 * HOUR),), CHECK, NOON) == NOON + 40 * 24 * HOUR


def test_the_duration_is_real_time_also_from_a_start_on_the_wall_clock() -> None:
    evening = datetime(2026, 10, 24, 23, tzinfo=ZoneInfo("Europe/Amsterdam"))  # clocks go back in that night
    assert held_until((once(evening, 6 * HOUR),), CHECK, evening) == datetime(2026, 10, 25, 3, tzinfo=UTC)


def test_the_moment_may_be_in_any_zone() -> None:
    local = datetime(2026, 11, 25, 0, 30, tzinfo=ZoneInfo("Europe/Amsterdam"))  # the day before, in UTC
    nightly = Window(name="w", cron="0 23 * * *", duration=HOUR)
    assert covering((nightly,), CHECK, local) == "w"


@settings(max_examples=200, deadline=None)
@given(
    night=st.sampled_from(NIGHTS),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    length=st.integers(1, 700),
    later=st.integers(-1500, 1500),
)
def test_a_nightly_window_in_the_nights_when_clocks_change(
    night: Night, hour: int, minute: int, length: int, later: int
) -> None:
    """It holds for exactly its duration from the first minute in which clocks show its time, or have passed it."""
    at, duration = night.moment + later * MINUTE, length * MINUTE
    window = Window(name="w", cron=f"{minute} {hour} * * *", timezone=night.zone, duration=duration)
    ends = [start + duration for start in first_shown(night, hour, minute) if start <= at < start + duration]
    assert covering((window,), CHECK, at) == ("w" if ends else None)
    assert held_until((window,), CHECK, at) == (max(ends) if ends else None)


@settings(max_examples=100, deadline=None)
@given(
    night=st.sampled_from(NIGHTS),
    hours=st.lists(st.integers(0, 5), min_size=1, max_size=3),
    lengths=st.lists(st.integers(1, 300), min_size=3, max_size=3),
    later=st.integers(-600, 600),
)
def test_several_windows_in_such_a_night_hold_as_the_minutes_say(
    night: Night, hours: list[int], lengths: list[int], later: int
) -> None:
    """`held_until` is the first minute from then on that no window covers."""
    windows = [
        Window(name=str(n), cron=f"30 {hour} * * *", timezone=night.zone, duration=length * MINUTE)
        for n, (hour, length) in enumerate(zip(hours, lengths, strict=False))
    ]
    covered = {
        start + n * MINUTE
        for hour, length in zip(hours, lengths, strict=False)
        for start in first_shown(night, hour, 30)
        for n in range(length)
    }
    at = night.moment + later * MINUTE
    free = next(moment for moment, _ in clock(night) if moment >= at and moment not in covered)
    assert held_until(windows, CHECK, at) == (None if free == at else free)
    assert (covering(windows, CHECK, at) is None) == (free == at)


def test_a_window_every_few_minutes_holds_in_both_hours_of_a_night() -> None:
    quarter = Window(name="w", cron="*/15 * * * *", timezone="Europe/Amsterdam", duration=5 * MINUTE)
    for utc_hour in (0, 1):  # both are two o'clock in Amsterdam
        at = datetime(2026, 10, 25, utc_hour, 16, tzinfo=UTC)
        assert held_until((quarter,), CHECK, at) == at.replace(minute=20)
        assert covering((quarter,), CHECK, at.replace(minute=21)) is None


def test_the_stretches_between_two_moments() -> None:
    """Once and again and again, of windows that concern the check; those that only touch the ends have no part in it."""
    nightly = Window(name="backup", cron="0 3 * * *", duration=2 * HOUR)
    busy = Window(name="busy", cron="0 4 * * *", duration=30 * HOUR)
    other = Window(name="other", start=NOON, duration=HOUR, checks=("pay",))
    never = Window(name="never", duration=HOUR)
    windows = (once(), other, never, nightly, once(NOON + 2 * HOUR, HOUR, "after"))
    start, end = NOON.replace(hour=4), NOON + 2 * HOUR
    assert occurrences(windows, CHECK, start, end) == (
        ("backup", NOON.replace(hour=3), NOON.replace(hour=5)),
        ("move", NOON, NOON + HOUR),
    )
    assert occurrences((once(start - HOUR), nightly), CHECK, NOON, end) == ()
    ((name, begin, until),) = occurrences((busy,), CHECK, start, end)  # those that overlap are one
    assert (name, begin, until) == (
        "busy",
        (NOON - timedelta(days=1)).replace(hour=4),
        NOON.replace(hour=10) + 24 * HOUR,
    )
