"""Nights in which clocks change, and a clock of minutes to compare with: slow, and too simple to be wrong."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Night(NamedTuple):
    """The moment at which the clocks of a zone change."""

    zone: str
    moment: datetime


NIGHTS = (
    Night("Europe/Amsterdam", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    Night("Europe/Amsterdam", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    Night("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    Night("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    # Half an hour only.
    Night("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    Night("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
)


@cache
def clock(night: Night) -> tuple[tuple[datetime, datetime], ...]:
    """Every minute of the days around the change, with what clocks on the wall show then."""
    zone, start = ZoneInfo(night.zone), night.moment - timedelta(days=4)
    moments = (start + timedelta(minutes=n) for n in range(8 * 24 * 60))
    return tuple((moment, moment.astimezone(zone).replace(tzinfo=None)) for moment in moments)


@cache
def first_shown(night: Night, hour: int, minute: int) -> tuple[datetime, ...]:
    """For each day around the change: the first minute in which clocks show that time of the day, or a later one."""
    found: dict[date, datetime] = {}
    for moment, wall in clock(night)[24 * 60 :]:  # the first day is not whole
        if wall.time() >= time(hour, minute):
            found.setdefault(wall.date(), moment)
    return tuple(found.values())
