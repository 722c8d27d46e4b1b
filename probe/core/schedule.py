"""When a check is due in a region: on a grid of its own, or by a cron expression. Pure: moments in, moments out."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import islice, takewhile
from typing import Final, Protocol

from probe.core.check import CheckId, CheckSpec
from probe.core.cron import times, zone_of

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""When something is due that is never due, such as a cron expression for 30 February."""
HOUR: Final = timedelta(hours=1)
WEEK: Final = timedelta(days=7)
FURTHEST: Final = timedelta(days=50 * 366)
"""How far a due is looked for."""
MOST: Final = 50_000
"""As many dues as a cron schedule counts: a clock that jumps by decades must not stop us for minutes."""

_MICROSECOND: Final = timedelta(microseconds=1)


class Schedule(Protocol):
    """The moments at which something is due. Equal schedules are due at the same moments."""

    def first(self, moment: datetime) -> datetime:
        """The first due at or after a moment."""
        ...

    def count(self, after: datetime, until: datetime) -> int:
        """How many dues there are after the one moment, until and with the other; 0 when the order is the other way."""
        ...

    def following(self, moment: datetime, steps: int = 1) -> datetime:
        """The first due after a moment, or the one so many further; 0 steps after a due are the due itself."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Due at `EPOCH + offset + n * every`: a pure function of the clock, so no run shifts the next one.

    >>> grid = Grid(every=timedelta(minutes=1), offset=timedelta(seconds=20))
    >>> grid.first(datetime(2026, 11, 23, 3, 0, 21, tzinfo=UTC)).isoformat()
    '2026-11-23T03:01:20+00:00'
    """

    every: timedelta
    offset: timedelta = timedelta(0)

    def first(self, moment: datetime) -> datetime:
        """The first due at or after a moment."""
        return EPOCH + self.offset - (EPOCH + self.offset - moment) // self.every * self.every

    def count(self, after: datetime, until: datetime) -> int:
        """How many dues there are after the one moment, until and with the other."""
        zero = EPOCH + self.offset
        return max(0, (until - zero) // self.every - (after - zero) // self.every)

    def following(self, moment: datetime, steps: int = 1) -> datetime:
        """The first due after a moment, or the one so many further."""
        zero = EPOCH + self.offset
        return zero + self.every * ((moment - zero) // self.every + steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTimes:
    """Due whenever the wall clock of a time zone shows what a cron expression says (core/cron.py).

    Raises `CronSimError` and `ZoneInfoNotFoundError` for what is neither.
    """

    expression: str
    timezone: str = "UTC"

    def first(self, moment: datetime) -> datetime:
        """The first due at or after a moment; `NEVER` when there is none within 50 years."""
        return next(self._from(moment), NEVER)

    def count(self, after: datetime, until: datetime) -> int:
        """How many dues there are after the one moment, until and with the other; no more than `MOST`."""
        inside = takewhile(lambda due: due <= until, self._from(after + _MICROSECOND))
        return sum(1 for _ in islice(inside, MOST))

    def following(self, moment: datetime, steps: int = 1) -> datetime:
        """The first due after a moment, or the one so many further; `NEVER` when there are not so many."""
        return next(islice(self._from(moment + _MICROSECOND), steps - 1, None), NEVER) if steps else moment

    def _from(self, moment: datetime) -> Iterator[datetime]:
        start = moment.replace(minute=0, second=0, microsecond=0)
        dues = _of_hour(self.expression, self.timezone, start)
        yield from dues[bisect_left(dues, moment) :]
        start, length = start + HOUR, HOUR
        while start < moment + FURTHEST:
            dues = times(self.expression, self.timezone, start, start + length)
            yield from dues
            start, length = start + length, min(2 * length, WEEK) if dues else 2 * length


@lru_cache(maxsize=4096)
def _of_hour(expression: str, timezone: str, hour: datetime) -> tuple[datetime, ...]:
    return times(expression, timezone, hour, hour + HOUR)


@cache
def zone(name: str) -> tzinfo:
    """`zone_of`, kept for ever: no zone is read from disk a second time, while the loop waits."""
    return zone_of(name)


def offset_of(check: CheckId, region: str, every: timedelta) -> timedelta:
    """Where on the grid a check has its place in a region: always the same, and spread evenly over all of them."""
    digest = blake2b(f"{check}\0{region}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % (every // _MICROSECOND) * _MICROSECOND


def schedule_of(spec: CheckSpec, region: str) -> Schedule:
    """The schedule of a check in a region."""
    if spec.cron is not None:
        zone(spec.cron.timezone)
        return CronTimes(expression=spec.cron.expression, timezone=spec.cron.timezone)
    return Grid(every=spec.every, offset=offset_of(spec.id, region, spec.every))
