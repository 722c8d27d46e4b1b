"""What a check is like on ordinary days: how often it fails by itself, how long it takes, how long its blips last.

Learned from the runs of the schedule while nothing is wrong, so that no number needs to be set by hand.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from math import exp, log
from typing import Final, NamedTuple

from probe.core.fact import WHOLE, Fact, is_served

DAY: Final = 86400.0

# --- how often it fails by itself -----------------------------------------------------------------------------------

LEAST: Final = 0.001
MOST: Final = 0.025
"""Bounds of the noise of each sort that is believed: never so little that one failure proves anything, or so much that
none does."""
SHRINK: Final = 1000.0
"""Runs that a region must have for its own noise to weigh as much as that of all regions together."""
HALF_LIFE: Final = 7 * DAY
"""Time after which what was counted weighs half."""

# --- how long it takes ----------------------------------------------------------------------------------------------

LOW: Final = 0.9
MIDDLE: Final = 0.98
HIGH: Final = 0.995
"""The share of ordinary runs that lies below each of the bounds of a series."""
APART: Final = 0.02
"""How far the bounds of a series are apart at least."""
ENOUGH: Final = 200
"""Runs that a series takes before anything is called slow."""
SPREAD: Final = 0.3
"""Standard deviation, in natural logarithms, that a series begins with."""
OVERDUE: Final = 1.3
"""How many times as long as 99.5 % of its runs one may take before it is overdue."""
OVERDUE_PRIOR: Final = (1.0, 200.0)


class Series(NamedTuple):
    """How long something takes, in natural logarithms of seconds.

    `medians` are those of each region, with how many runs they come from; `bounds` are how far above it, by the hour,
    90, 98 and 99.5 % of the runs lie, of all regions together. `hours` is what each hour of the day (UTC) adds.
    """

    medians: Mapping[str, tuple[float, int]]
    bounds: tuple[float, float, float]
    seen: int = 0
    spread: float = SPREAD
    hours: tuple[float, ...] = (0.0,) * 24

    def above(self, region: str, at: float, took: float) -> float | None:
        """How far above what is usual there and then a run lies; `None`: not known yet."""
        median = self.medians.get(region)
        if median is None or self.seen < ENOUGH:
            return None
        return took - median[0] - self.hours[int(at // 3600) % 24]

    def bin(self, region: str, at: float, took: float) -> int:
        """Between which of the bounds it lies: 0 to 3, and 4 for slower than that of 99.5 % of its runs.

        Bin 0 is what is faster than the median of ordinary runs; a series that is not known yet gives that as well.
        """
        excess = self.above(region, at, took)
        if excess is None or excess < 0.0:
            return 0
        low, middle, high = self.bounds
        if excess < low:
            return 1
        return 2 if excess < middle else 3 if excess < high else 4


def _begun(took: float, region: str) -> Series:
    return Series({region: (took, 1)}, (1.28 * SPREAD, 2.05 * SPREAD, 2.58 * SPREAD))


def learned(series: Series | None, region: str, at: float, took: float) -> Series:
    """The series after one more ordinary run, by stochastic approximation of its median and bounds.

    Robbins and Monro 1951: a step up by the share wanted below, or down by the rest, ever smaller with what is known.
    """
    if series is None:
        return _begun(took, region)
    medians, bounds, seen, spread, hours = series
    known = medians.get(region)
    if known is None:
        return Series({**medians, region: (took, 1)}, bounds, seen, spread, hours)
    median, count = known
    hour = int(at // 3600) % 24
    excess = took - median - hours[hour]
    up = 1.0 if excess > 0 else -1.0
    count += 1
    seen += 1
    median += (1.5 / count**0.7 if count < 1279 else 0.01) * spread * up
    step = (1.0 / seen**0.7 if seen < 268 else 0.02) * spread
    first, second, third = bounds
    first += step * (LOW if excess >= first else LOW - 1)
    second += step * (MIDDLE if excess >= second else MIDDLE - 1)
    third += step * (HIGH if excess >= third else HIGH - 1)
    if first < APART or second < first + APART or third < second + APART:
        first = max(first, APART)
        second = max(second, first + APART)
        third = max(third, second + APART)
    wide = second / 2.05
    spread += 0.001 * ((0.05 if wide < 0.05 else min(1.0, wide)) - spread)
    if seen % 8 == 0:  # slowly: it takes days to know the hours of one
        hours = (*hours[:hour], hours[hour] + 0.02 * spread * up, *hours[hour + 1 :])
    return Series({**medians, region: (median, count)}, (first, second, third), seen, spread, hours)


class Rate(NamedTuple):
    """Runs, and those that failed: with an answer of the service (`served`), and on the way to it (`path`)."""

    served: float
    path: float
    runs: float


PRIOR: Final = Rate(1.0, 1.0, 400.0)
"""What every check begins with: 0.5 % of noise."""


class Blip(NamedTuple):
    """Trouble that was as good as certain and healed by itself: when it was over, and how many bad seconds it had."""

    at: float
    mass: float


class Habits(NamedTuple):
    """All that was learned about a check.

    `rates` are those of each region, forgotten with `HALF_LIFE`. `overdue` are runs that were overdue,
    and runs. `blips` are those of the last months, by sort of trouble; `last` is the last trouble that healed, until it
    is clear that it does not come back: when it was over, when it began, and its mass.
    """

    rates: Mapping[str, Rate] = {}
    series: Mapping[str, Series] = {}
    overdue: tuple[float, float] = OVERDUE_PRIOR
    blips: Mapping[str, tuple[Blip, ...]] = {}
    last: Mapping[str, tuple[float, float, float]] = {}

    def noise(self, region: str | None = None) -> tuple[float, float]:
        """The shares of runs that fail by themselves, served and on the way, of one region or of all."""
        served, path, runs = PRIOR
        for rate in self.rates.values():
            served += rate.served
            path += rate.path
            runs += rate.runs
        served, path = served / runs, path / runs
        if region is not None and (own := self.rates.get(region)) is not None:
            served = (own.served + SHRINK * served) / (own.runs + SHRINK)
            path = (own.path + SHRINK * path) / (own.runs + SHRINK)
        return min(MOST, max(LEAST, served)), min(MOST, max(LEAST, path))

    def late(self, region: str) -> float:
        """The share of runs that are overdue by themselves."""
        return min(2 * MOST, max(self.overdue[0] / self.overdue[1], sum(self.noise(region))))

    def bins(self, fact: Fact) -> tuple[tuple[str, int], ...]:
        """For each series of a run that passed, in which bin it lies. The whole run only where no step is known."""
        took = fact.took
        if len(took) > 1:
            took = took[1:]
        found: tuple[tuple[str, int], ...] = ()
        for name, value in took:
            known = self.series.get(name)
            if known is not None and known.seen >= ENOUGH:
                found += ((name, known.bin(fact.region, fact.ended, value)),)
        return found

    def late_after(self, region: str) -> float | None:
        """Seconds after which a run is far beyond its usual time; `None`: not known yet."""
        whole = self.series.get(WHOLE)
        if whole is None or whole.seen < ENOUGH or (median := whole.medians.get(region)) is None:
            return None
        return OVERDUE * exp(median[0] + max(whole.hours) + whole.bounds[2])


NOTHING: Final = Rate(0.0, 0.0, 0.0)
UNKNOWN: Final = Habits()
"""Of a check that was never run."""


def after(habits: Habits, fact: Fact, fade: float) -> Habits:
    """The habits with one more ordinary run of the schedule. `fade` is what a run leaves of those before it."""
    rates, series, overdue, blips, last = habits
    region = fact.region
    served, path, runs = rates.get(region, NOTHING)
    if not fact.ok:
        answered = is_served(fact.kind)
        served, path = served + answered, path + (not answered)
    rates = {**rates, region: Rate(served * fade, path * fade, runs * fade + 1.0)}
    if fact.took:
        series = dict(series)
        for name, took in fact.took:
            series[name] = learned(series.get(name), region, fact.ended, took)
        late, of = overdue
        overdue = (late * fade, of * fade + 1.0)
    return Habits(rates, series, overdue, blips, last)


@lru_cache(maxsize=1024)
def fading(every: timedelta) -> float:
    """What one interval leaves of what was counted before.

    >>> round(fading(timedelta(days=7)), 3)
    0.5
    """
    return exp(-log(2) * every.total_seconds() / HALF_LIFE)
