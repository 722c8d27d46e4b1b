"""Runs over time, in columns: how many ended how, and how long those took that passed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from probe.core.encode import timestamp
from probe.core.run import Outcome
from probe.store.histogram import SCALE, Histogram, bucket_of
from probe.store.latest import micros, moment_of
from probe.store.series import Hour, Single
from probe.view.documents import Column, Period

MOST: Final = 96
"""Columns of a graph."""
WIDTHS: Final = tuple(
    timedelta(minutes=minutes)
    for minutes in (
        1,
        2,
        5,
        10,
        15,
        20,
        30,
        60,
        120,
        180,
        240,
        360,
        480,
        720,
        1440,
        2880,
        7 * 1440,
        14 * 1440,
        28 * 1440,
    )
)
HOUR: Final = timedelta(hours=1)
FINE: Final = timedelta(days=2)
"""How long a stretch may be that is drawn from single runs: longer ones are from the sums of hours."""
SINGLES: Final = 20_000
"""Runs that are read one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Columns of the same `width` from `start` on; the last one may be cut off by `end`. Both in microseconds since 1970."""

    start: int
    end: int
    width: int

    @property
    def count(self) -> int:
        """How many columns there are."""
        return max(1, -(-(self.end - self.start) // self.width))

    def column(self, at: int) -> int:
        """The column that a moment lies in, from 0."""
        return (at - self.start) // self.width

    def begins(self) -> list[str]:
        """When each column begins."""
        return [timestamp(moment_of(self.start + column * self.width)) for column in range(self.count)]

    @property
    def period(self) -> Period:
        """As documents have it."""
        return Period(
            start=timestamp(moment_of(self.start)), end=timestamp(moment_of(self.end)), column=self.width / 1_000_000
        )


def grid_of(start: datetime, end: datetime, expected: float) -> tuple[Grid, bool]:
    """The columns of a stretch of time, and whether single runs are to be read for it, of which so many are expected.

    Columns begin at round times. The first may begin up to a column later than asked for, where there would be too many.
    """
    span = max(end - start, timedelta(minutes=1))
    single = span <= FINE and expected <= SINGLES
    width = next(
        (width for width in WIDTHS if width * MOST >= span and (single or width >= HOUR)),
        -(-span // (MOST * HOUR)) * HOUR,
    )
    step, first = width // timedelta(microseconds=1), micros(start)
    begin = first - first % step
    if -(-(micros(end) - begin) // step) > MOST:
        begin += step
    return Grid(start=begin, end=max(micros(end), begin + 1), width=step), single


@dataclass(slots=True)
class _Sum:
    counts: dict[str, int] = field(default_factory=dict)
    histogram: Histogram = field(default_factory=dict)

    def add(self, outcome: str, count: int) -> None:
        if count:
            self.counts[outcome] = self.counts.get(outcome, 0) + count


def columns_of(
    grid: Grid, regions: Mapping[int, str], singles: Iterable[Single], hours: Iterable[Hour] = ()
) -> list[Column]:
    """The columns in which anything ran, in order: of each region, and of all together (`""`). `regions` are those of places."""
    sums: dict[tuple[int, str], _Sum] = {}
    count, passed = grid.count, Outcome.PASSED.value
    for place, started, duration, outcome, slots in singles:
        column = (started - grid.start) // grid.width
        if 0 <= column < count:
            here = sums.get((column, regions[place])) or sums.setdefault((column, regions[place]), _Sum())
            here.add(outcome, slots)
            if outcome == passed:
                bucket = bucket_of(duration / 1_000_000)
                here.histogram[bucket] = here.histogram.get(bucket, 0) + 1
    for hour in hours:
        column = grid.column(hour.start * 1_000_000)
        if 0 <= column < count:
            here = sums.setdefault((column, regions[hour.place]), _Sum())
            here.add("passed", hour.passed)
            here.add("failed", hour.failed)
            here.add("errored", hour.errored)
            here.add("missed", hour.missed)
            _merge(here.histogram, hour.histogram)
    for (column, region), part in list(sums.items()):
        if region:
            whole = sums.setdefault((column, ""), _Sum())
            for outcome, number in part.counts.items():
                whole.add(outcome, number)
            _merge(whole.histogram, part.histogram)
    begins = grid.begins()
    return [_column(begins[column], region, sums[column, region]) for column, region in sorted(sums)]


def _merge(into: Histogram, more: Histogram) -> None:
    for bucket, count in more.items():
        into[bucket] = into.get(bucket, 0) + count


def _column(start: str, region: str, found: _Sum) -> Column:
    p50, p95, p99 = percentiles(found.histogram, (0.5, 0.95, 0.99))
    counts = found.counts
    return Column(
        start=start,
        region=region,
        passed=counts.get("passed", 0),
        failed=counts.get("failed", 0),
        errored=counts.get("errored", 0),
        missed=counts.get("missed", 0),
        p50=p50,
        p95=p95,
        p99=p99,
    )


def percentiles(histogram: Histogram, shares: Sequence[float]) -> list[float | None]:
    """As `probe.store.histogram.percentile`, of several shares that go up, in seconds, to the millisecond."""
    total = sum(histogram.values())
    found: list[float | None] = []
    passed = 0
    buckets = iter(sorted(histogram.items()))
    bucket = 0
    for share in shares if total else ():
        while passed < share * total:
            bucket, count = next(buckets)
            passed += count
        found.append(round(float(2 ** ((bucket + 0.5) / SCALE)), 4))
    return found or [None] * len(shares)
