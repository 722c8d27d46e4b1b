"""When a check is due: on its grid, or by cron, over every change of the clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.check import CheckId, Cron
from probe.core.schedule import EPOCH, MOST, NEVER, CronTimes, Grid, Schedule, offset_of, schedule_of
from tests.core.builders import NOW, spec

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
moments = st.datetimes(NOW.replace(2020, tzinfo=None), NOW.replace(2035, tzinfo=None), timezones=st.just(UTC))
intervals = st.timedeltas(timedelta(seconds=1), timedelta(days=7))
grids = st.builds(
    lambda every, part: Grid(every=every, offset=every * part), intervals, st.floats(0, 1, exclude_max=True)
)
crons = st.builds(
    CronTimes,
    expression=st.sampled_from(
        ["*/5 * * * *", "30 2 * * *", "0 3 * * 1-5", "15 */2 * * *", "0,30 1-3 * * *", "59 23 31 * *"]
    ),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)


@settings(deadline=None)
@given(grids, moments)
def test_the_first_due_is_on_the_grid_and_within_an_interval(grid: Grid, moment: datetime) -> None:
    """Never before the moment, never later than one interval, always exactly on the grid: nothing can drift."""
    due = grid.first(moment)
    assert moment <= due < moment + grid.every
    assert (due - EPOCH - grid.offset) % grid.every == timedelta(0)
    assert grid.first(due) == due


@settings(deadline=None)
@given(grids, moments, st.integers(0, 200))
def test_dues_follow_each_other_by_exactly_the_interval(grid: Grid, moment: datetime, steps: int) -> None:
    """The n-th due after one is n intervals later, and the one after any moment is the first after it."""
    due = grid.first(moment)
    assert grid.following(due, steps) == due + steps * grid.every
    assert grid.following(moment) == grid.first(moment + timedelta(microseconds=1))


@settings(deadline=None)
@given(st.one_of(grids, crons), moments, st.floats(-1, 60))
def test_counts_equal_a_walk(schedule: Schedule, moment: datetime, intervals: float) -> None:
    """The number of dues in a stretch is what one counts by walking from due to due; none when it is turned around."""
    every = schedule.every if isinstance(schedule, Grid) else HOUR
    until, walked = moment + every * intervals, 0
    due = schedule.following(moment)
    while due <= until:
        walked += 1
        due = schedule.following(due)
    assert schedule.count(moment, until) == walked


@settings(deadline=None)
@given(crons, moments)
def test_cron_dues_only_go_forward(cron: CronTimes, moment: datetime) -> None:
    """Also over the hours that come twice or never: each due is later than the one before."""
    first = cron.first(moment)
    assert first >= moment
    assert cron.first(first) == first
    assert cron.following(first, 0) == first
    assert first < cron.following(first) == cron.following(first, 1) < cron.following(first, 2)


def test_offsets_are_spread_evenly() -> None:
    """10,000 checks over 60 seconds: no second is far from its 167 (chi-square, 59 degrees: 1 in a million above 130)."""
    seconds = [0] * 60
    for i in range(10_000):
        seconds[int(offset_of(CheckId(f"check {i}"), "eu-west", MINUTE).total_seconds())] += 1
    assert sum((n - 10_000 / 60) ** 2 / (10_000 / 60) for n in seconds) < 130


def test_offsets_are_stable() -> None:
    """The offset is the same at every start, on every machine: this one was seen once and must stay."""
    assert offset_of(CheckId("cart"), "eu-west", MINUTE) == timedelta(seconds=41, microseconds=984113)
    assert offset_of(CheckId("cart"), "us-east", MINUTE) != offset_of(CheckId("cart"), "eu-west", MINUTE)


def test_the_schedule_of_a_check() -> None:
    """A check has a grid with its own offset, or its cron times; equal checks have equal schedules."""
    assert schedule_of(spec(), "eu") == Grid(every=MINUTE, offset=offset_of(CheckId("cart"), "eu", MINUTE))
    cron = spec(cron=Cron(expression="0 9 * * *", timezone="Europe/Berlin"))
    assert schedule_of(cron, "eu") == CronTimes(expression="0 9 * * *", timezone="Europe/Berlin")
    assert schedule_of(cron, "eu").first(NOW) == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "start", "dues"),
    [
        pytest.param("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:00", "2026-03-30T02:30"], id="an hour left out"),
        pytest.param("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T02:30", "2026-10-26T02:30"], id="an hour twice"),
        pytest.param(
            "*/30 * * * *",
            "2026-03-29T01:15",
            ["2026-03-29T01:30", "2026-03-29T03:00", "2026-03-29T03:30"],
            id="every half hour, spring",
        ),
    ],
)
def test_cron_in_the_night_when_clocks_change(expression: str, start: str, dues: list[str]) -> None:
    """A time that is left out comes at the end of the gap, one that comes twice is due the first time."""
    cron = CronTimes(expression=expression, timezone="Europe/Berlin")
    due = datetime.fromisoformat(start).replace(tzinfo=BERLIN).astimezone(UTC)
    for expected in dues:
        due = cron.following(due)
        assert due == datetime.fromisoformat(expected).replace(tzinfo=BERLIN).astimezone(UTC)


def test_cron_goes_on_in_real_time_through_the_hour_that_comes_twice() -> None:
    """Every half hour stays every half hour of real time in autumn."""
    cron = CronTimes(expression="*/30 * * * *", timezone="Europe/Berlin")
    midnight = datetime(2026, 10, 25, tzinfo=BERLIN).astimezone(UTC)
    assert [cron.following(midnight, n) - midnight for n in range(1, 11)] == [n * HOUR / 2 for n in range(1, 11)]


def test_a_daily_time_is_not_repeated_from_within_the_second_hour() -> None:
    """Started in the second 02:15 of the night, the run of 02:30 is tomorrow's: today's was an hour ago."""
    cron = CronTimes(expression="30 2 * * *", timezone="Europe/Berlin")
    second = datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN, fold=1).astimezone(UTC)
    assert cron.first(second) == datetime(2026, 10, 26, 2, 30, tzinfo=BERLIN)


def test_cron_that_is_never_due() -> None:
    """A first of February that is its month's fifth Monday is `NEVER`, and there is nothing to count."""
    impossible = CronTimes(expression="0 0 */30 2 1#5")
    assert impossible.first(NOW) == impossible.following(NOW, 2) == NEVER
    assert impossible.count(NOW, NOW + DAY) == 0


def test_cron_stops_counting() -> None:
    """A clock that jumps by a year is answered in no time: it counts no further than `MOST`."""
    assert CronTimes(expression="* * * * *").count(NOW, NOW + 365 * DAY) == MOST
