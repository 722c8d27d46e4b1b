"""Reports of visitors: whether more of them have a problem than is usual at this time of the day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, lgamma, log, log1p
from typing import Final

SPAN: Final = timedelta(minutes=10)
"""What is looked at: the reports of the last minutes."""
WEEKS: Final = 4
"""How far back days count as comparable."""
FEWEST: Final = 3
"""Reports without which nothing is unusual: two people may be mistaken."""
RARE: Final = 1e-4
"""As rarely is it unusual by chance. A month has 4,320 such stretches, and whoever looks sees them slide."""
PRIOR: Final = (0.5, 10.0)
"""What is believed before anything was counted: half a report in ten stretches, and that not firmly (a gamma prior)."""
STEADIEST: Final = 10.0
"""The shape of the steadiest level that is believed in: days differ from each other by a third, however many were counted."""
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How many reports there were, what is usual in as long a time, and how likely as many or more are by chance."""

    count: int
    usual: float
    chance: float

    @property
    def unusual(self) -> bool:
        """Whether something must be wrong."""
        return self.count >= FEWEST and self.chance < RARE


def comparable(hours: Iterable[tuple[datetime, int]], now: datetime) -> tuple[int, ...]:
    """The counts of this hour of the day on the days before, one for each day since anything was reported at all.

    `hours` are the beginnings of the hours in which there were reports, and how many; not more than `WEEKS` weeks count.
    """
    found = dict(hours)
    here = (now - SPAN / 2).replace(minute=0, second=0, microsecond=0)
    days = [here - timedelta(days=day) for day in range(1, 7 * WEEKS + 1)]
    first = min(found, default=here)
    return tuple(found.get(hour, 0) for hour in days if hour + _HOUR > first)


def level(count: int, before: Sequence[int]) -> Level:
    """How unusual `count` reports in `SPAN` are, after as many in comparable hours.

    The rate has a gamma distribution, the count behind it therefore a negative binomial one (Gelman et al., Bayesian
    Data Analysis, section 2.6). The worst hour counts as the second worst: one outage does not make outages usual.

    >>> level(3, [0] * 28).unusual, level(3, [12] * 28).unusual
    (True, False)
    """
    tamed = sorted(before)[:-1]
    tamed += tamed[-1:]
    shape, stretches = PRIOR[0] + sum(tamed), PRIOR[1] + len(tamed) * (_HOUR / SPAN)
    usual = shape / stretches
    return Level(count=count, usual=usual, chance=_at_least(count, usual, min(shape, STEADIEST)))


def _at_least(count: int, mean: float, shape: float) -> float:
    """P(X >= count) of a negative binomial distribution, summed from `count` up, where the terms fall."""
    if count <= mean:
        return 1.0  # not looked for: nothing below the mean is unusual
    share = mean / (mean + shape)
    term = exp(lgamma(count + shape) - lgamma(shape) - lgamma(count + 1) + shape * log1p(-share) + count * log(share))
    whole, number = 0.0, count
    while term > whole * 1e-9:
        whole += term
        term *= share * (number + shape) / (number + 1)
        number += 1
    return min(1.0, whole)
