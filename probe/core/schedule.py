"""When a check is due in a region: on a grid of its own, or by a cron expression. Pure: moments in, moments out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from hashlib import blake2b
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim

from probe.core.check import CheckId, CheckSpec

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""When something is due that is never due, such as a cron expression for 30 February."""
MOST: Final = 100_000
"""As many dues as a cron schedule counts: a clock that jumps by decades must not stop us for minutes."""

_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)


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
    """Due whenever the wall clock of a time zone shows what a cron expression says.

    An expression for a certain hour is due once in the night when clocks change: at the end of the hour that is left out,
    the first time in the hour that comes twice. One for every hour, or every few minutes, goes on in real time.
    Raises `CronSimError` and `ZoneInfoNotFoundError` for what is neither.
    """

    expression: str
    timezone: str = "UTC"

    def first(self, moment: datetime) -> datetime:
        """The first due at or after a moment; `NEVER` when there is none within 50 years."""
        return next(self._after(moment - _MICROSECOND), NEVER)

    def count(self, after: datetime, until: datetime) -> int:
        """How many dues there are after the one moment, until and with the other; no more than `MOST`."""
        counted = 0
        for due in self._after(after):
            if due > until or counted == MOST:
                break
            counted += 1
        return counted

    def following(self, moment: datetime, steps: int = 1) -> datetime:
        """The first due after a moment, or the one so many further; `NEVER` when there are not so many."""
        dues = self._after(moment)
        for _ in range(steps):
            moment = next(dues, NEVER)
        return moment

    def _after(self, moment: datetime) -> Iterator[datetime]:
        # It counts in whole seconds of local time, and forgets which of the two hours of a night it starts from.
        for local in CronSim(self.expression, moment.astimezone(zone(self.timezone))):
            due = local.astimezone(UTC)
            if due > moment:
                moment = due
                yield due


@cache
def zone(name: str) -> tzinfo:
    """The time zone of an IANA name, read from disk once: ask for it where that may take a moment, before the loop does.

    `ZoneInfoNotFoundError` (a `KeyError`) when there is none of this name.
    """
    return UTC if name == "UTC" else ZoneInfo(name)


def offset_of(check: CheckId, region: str, every: timedelta) -> timedelta:
    """Where on the grid a check has its place in a region: always the same, and spread evenly over all of them."""
    digest = blake2b(f"{check}\0{region}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % (every // _MICROSECOND) * _MICROSECOND


def schedule_of(spec: CheckSpec, region: str) -> Schedule:
    """The schedule of a check in a region."""
    if spec.cron is not None:
        return CronTimes(expression=spec.cron.expression, timezone=spec.cron.timezone)
    return Grid(every=spec.every, offset=offset_of(spec.id, region, spec.every))
