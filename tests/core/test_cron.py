"""Cron expressions mean the right moments, also in the nights when clocks change."""

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.cron import Gaps, gaps, times, zone_of
from tests.core.nights import NIGHTS, Night, clock, first_shown

MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "day", "expected"),
    [
        # Forward at 02:00 to 03:00: what is left out comes at its end, once.
        ("30 2 * * *", "Europe/Amsterdam", "2026-03-29", ["03:00+02:00"]),
        ("0,30 2 * * *", "Europe/Amsterdam", "2026-03-29", ["03:00+02:00"]),
        ("0,30 2-3 * * *", "America/New_York", "2026-03-08", ["03:00-04:00", "03:30-04:00"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["02:30+11:00"]),
        # Back at 03:00 to 02:00: what comes twice counts once, the first time.
        ("30 2 * * *", "Europe/Amsterdam", "2026-10-25", ["02:30+02:00"]),
        ("30 1 * * *", "America/New_York", "2026-11-01", ["01:30-04:00"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", ["01:45+11:00"]),
        # A certain minute of every hour, or every few minutes: in real time.
        ("30 * * * *", "Europe/Amsterdam", "2026-10-25", ["00:30+02:00", "01:30+02:00", "02:30+02:00", "02:30+01:00"]),
        ("*/30 2 * * *", "Europe/Amsterdam", "2026-03-29", []),
        ("*/15 5 * * *", "Australia/Lord_Howe", "2026-10-04", ["05:00+11:00", "05:15+11:00", "05:30+11:00", "05:45+11:00"]),
    ],
)  # fmt: skip
def test_the_nights_when_clocks_change(expression: str, zone: str, day: str, expected: list[str]) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    found = times(expression, zone, midnight, (midnight + timedelta(days=1)))
    assert list(found[: len(expected) or None]) == [at(f"{day}T{text}") for text in expected]


@settings(max_examples=200, deadline=None)
@given(
    night=st.sampled_from(NIGHTS),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    begin=st.integers(-2000, 1000),
    span=st.integers(0, 1500),
)
def test_a_certain_time_comes_when_clocks_first_show_it_or_have_passed_it(
    night: Night, hour: int, minute: int, begin: int, span: int
) -> None:
    """Exactly once a day, at the first minute in which the wall clock has reached it: against a clock of minutes."""
    start = night.moment + begin * MINUTE
    end = start + span * MINUTE
    expected = [moment for moment in first_shown(night, hour, minute) if start <= moment < end]
    assert list(times(f"{minute} {hour} * * *", night.zone, start, end)) == expected


@settings(max_examples=100, deadline=None)
@given(
    night=st.sampled_from(NIGHTS),
    step=st.sampled_from([1, 7, 15, 30]),
    hour=st.none() | st.integers(0, 23),
    begin=st.integers(-2000, 1000),
    span=st.integers(0, 1500),
)
def test_every_few_minutes_goes_on_in_real_time(
    night: Night, step: int, hour: int | None, begin: int, span: int
) -> None:
    """All minutes in which the wall clock shows it, and no others."""
    start = night.moment + begin * MINUTE
    end = start + span * MINUTE
    expected = [
        moment
        for moment, wall in clock(night)
        if start <= moment < end and wall.minute % step == 0 and hour in (None, wall.hour)
    ]
    assert list(times(f"*/{step} {'*' if hour is None else hour} * * *", night.zone, start, end)) == expected


def test_seconds_are_cut_at_the_right_end() -> None:
    start = at("2026-11-24T12:00:00.5+00:00")
    assert times("* * * * *", "UTC", start, start + 2 * MINUTE) == (
        at("2026-11-24T12:01+00:00"),
        at("2026-11-24T12:02+00:00"),
    )


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("*/20 9-17 * * mon-fri", "Europe/Amsterdam"),
        ("30 2 * * *", "America/New_York"),
        ("0 * * * *", "Australia/Lord_Howe"),
        ("*/30 2 * * *", "Europe/Amsterdam"),  # left out in one night of the year
        ("17 3 1,15 * *", "UTC"),
        ("0 0 * * fri", "Africa/Cairo"),  # where clocks change at midnight of a Friday
        ("59 23 31 12 *", "UTC"),
    ],
)
def test_gaps_are_those_between_all_times_of_two_years(expression: str, zone: str) -> None:
    local = zone_of(zone)
    all_times = times(expression, zone, datetime(2027, 1, 1, tzinfo=local), datetime(2029, 1, 1, tzinfo=local))
    between = [later - earlier for earlier, later in pairwise(all_times)]
    mean = (all_times[-1] - all_times[0]) / (len(all_times) - 1)
    assert gaps(expression, zone) == Gaps(shortest=min(between), longest=max(between), mean=mean)


def test_what_hardly_ever_comes_has_no_gaps() -> None:
    assert gaps("0 0 29 2 *") is None


def test_utc_needs_no_time_zone_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> tzinfo:
        raise AssertionError(name)

    monkeypatch.setattr("probe.core.cron.ZoneInfo", missing)
    assert zone_of("UTC") is UTC
