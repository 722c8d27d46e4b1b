"""Cron expressions, read on the wall clock of a time zone: which moments they mean, also when clocks change.

The library counts on a clock without a zone, where nothing is left out and nothing comes twice; what the zone makes of
that is ours. An expression for a certain hour happens once in the night when clocks change: at the end of the hour that
is left out, the first time in the hour that comes twice. One for every hour, or every few minutes (its hour or minute
begins with `*`), goes on in real time. That is what Debian's cron does.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_SLACK: Final = timedelta(hours=3)
"""More than any clock is changed by: what is near the ends of a stretch may belong into it by another wall time."""
_SAMPLE: Final = (date(2027, 1, 1), date(2029, 1, 1))
"""The days looked at for the gaps between times. Always the same: no gap changes because the daemon starts on a Sunday."""


class Gaps(NamedTuple):
    """The shortest and the longest time between two neighbours, and how long it is on average."""

    shortest: timedelta
    longest: timedelta
    mean: timedelta


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name. Raises `ZoneInfoNotFoundError`, `ValueError` or `OSError` for what is none."""
    return UTC if name == "UTC" else ZoneInfo(name)


def times(expression: str, timezone: str, start: datetime, end: datetime) -> tuple[datetime, ...]:
    """The moments that an expression of five fields means, from `start` until before `end`, in order, in UTC.

    Raises `CronSimError` for what is no expression.

    >>> night = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)
    >>> [moment.isoformat() for moment in times("30 2 * * *", "Europe/Amsterdam", *night)]
    ['2026-03-29T01:00:00+00:00']
    """
    zone, steady = zone_of(timezone), _is_steady(expression)
    first = start.astimezone(zone).replace(tzinfo=None) - _SLACK
    last = end.astimezone(zone).replace(tzinfo=None) + _SLACK
    walls = takewhile(lambda wall: wall < last, CronSim(expression, first))
    # Two wall times may be the same moment: both 02:00 and 02:30, when clocks go from 02:00 to 03:00.
    found = {moment for wall in walls for moment in _moments(wall, zone, steady)}
    return tuple(sorted(moment for moment in found if start <= moment < end))


def _is_steady(expression: str) -> bool:
    """Whether it goes on in real time, whatever the clocks do."""
    return any(field.startswith("*") for field in expression.split()[:2])


def _moments(wall: datetime, zone: tzinfo, steady: bool) -> Iterator[datetime]:
    """The moments at which clocks show `wall`: none, one or two; the end of the gap instead of none, if not `steady`."""
    while not is_shown(wall, zone):
        if steady:
            return
        wall += _MINUTE
    yield wall.replace(tzinfo=zone).astimezone(UTC)
    if steady:
        yield wall.replace(tzinfo=zone, fold=1).astimezone(UTC)


def is_shown(wall: datetime, zone: tzinfo) -> bool:
    """Whether the clocks of a zone ever show that time: some are left out when clocks go forward."""
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall


@lru_cache(maxsize=2048)
def gaps(expression: str, timezone: str = "UTC") -> Gaps | None:
    """The gaps between the times of an expression, over two years; `None` when it comes less than twice in them.

    >>> gaps("*/5 9-17 * * mon-fri").longest
    datetime.timedelta(days=2, seconds=54300)
    """
    minute, hour, *days = expression.split()
    zone, walls = zone_of(timezone), _walls_of_a_day(minute, hour)
    inside = {later - earlier for earlier, later in pairwise(walls)}
    found: set[timedelta] = set()
    count, begun, before = 0, None, None
    for day in _days(" ".join(days)):
        midnight, following = (datetime.combine(d, time(), zone).astimezone(UTC) for d in (day, day + DAY))
        if following - midnight == DAY:  # clocks do not change: the day is like any other
            moments = tuple(datetime.combine(day, w.time(), zone).astimezone(UTC) for w in (walls[0], walls[-1]))
            found |= inside
            count += len(walls)
        else:
            moments = times(expression, timezone, midnight, following)
            found |= {later - earlier for earlier, later in pairwise(moments)}
            count += len(moments)
        if not moments:
            continue
        if before is not None:
            found.add(moments[0] - before)
        begun, before = begun or moments[0], moments[-1]
    if not found or begun is None or before is None:
        return None
    return Gaps(min(found), max(found), (before - begun) / (count - 1))


@lru_cache(maxsize=2048)
def _walls_of_a_day(minute: str, hour: str) -> tuple[datetime, ...]:
    start = datetime.combine(_SAMPLE[0], time())
    return tuple(takewhile(lambda wall: wall < start + DAY, CronSim(f"{minute} {hour} * * *", start - _SECOND)))


@lru_cache(maxsize=256)
def _days(fields: str) -> tuple[date, ...]:
    start, end = (datetime.combine(day, time()) for day in _SAMPLE)
    return tuple(wall.date() for wall in takewhile(lambda wall: wall < end, CronSim(f"0 0 {fields}", start - _SECOND)))
