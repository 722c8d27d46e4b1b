"""How much the runs of all regions say against a target: a sum of log-likelihood ratios, capped for each region.

Everything is a plain sum of points. A failed run adds `ln(Q/p)`, where `p` is what the check fails by itself and `Q`
the share that is looked for; a good run takes `ln((1-p)/(1-Q))` away (Page's CUSUM, Biometrika 41, 1954; summed over
sensors: Mei, Biometrika 97, 2010). It takes `h = ln(runs · Q)` points to say that something is wrong, where `runs` are
those of the schedule between two false alarms: an excursion that begins with a failed run reaches `h` by chance with
probability `(Q/p)·e^-h` at most (Wald), however many extra runs are made. One region may contribute a part of `h`
only, so that the network of one of our own places can never raise an alarm by itself.

The trail holds the runs that matter now, and the evidence is a function of it: the order in which they came is no matter.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from math import log
from typing import Final, NamedTuple

from probe.core.fact import Fact, is_served
from probe.core.failure import KINDS, Layer
from probe.core.habits import DAY, Habits

Q: Final = 0.30
"""The share of failing runs that the detector is made to see."""
BETWEEN: Final = 365 * DAY
"""Seconds that pass between two false alarms of a check, if its failures came independently."""
APART: Final = 15.0
"""Seconds after a failed run that counted, in which no run of that region is begun that counts: hiccups last as long."""

ORDINARY: Final = (0.5, 0.4, 0.08, 0.015, 0.005)
"""The share of ordinary runs in each bin of duration."""
SLOWED: Final = (0.06, 0.12, 0.20, 0.22, 0.40)
"""The same when all is about twice as slow."""
SLOW_POINTS: Final = tuple(log(slowed / ordinary) for slowed, ordinary in zip(SLOWED, ORDINARY, strict=True))
SLOW_BIN: Final = 3
"""From this bin on a run is called slow: one ordinary run in fifty is."""


SAVED: Final = 4.0
"""Points beyond what is needed that one region saves up at most."""


class Limits(NamedTuple):
    """What it takes, in points: `needed` to say that something is wrong.

    One region gives `cap` of it at most, and `path_cap` by failures on the way to the service.
    """

    needed: float
    cap: float
    path_cap: float
    regions: int
    """How many regions must agree."""

    @property
    def ceiling(self) -> float:
        """Points beyond which none are saved up, so that they can fall again quickly."""
        return self.needed + self.cap / 2


@lru_cache(maxsize=4096)
def limits(every: float, regions: int) -> Limits:
    """The limits of a check that runs from so many regions, each `every` seconds.

    >>> round(limits(60.0, 5).needed, 1)
    13.6
    """
    needed = log(max(BETWEEN / every * max(regions, 1) * Q, 8.0))
    if regions <= 1:
        return Limits(needed, needed + SAVED, needed + SAVED, 1)
    if regions == 2:
        return Limits(needed, needed / 2, needed / 2, 2)
    if regions == 3:
        return Limits(needed, needed / 2, 0.45 * needed, 2)
    return Limits(needed, 0.42 * needed, 0.35 * needed, 3)


@dataclass(slots=True)
class Pool:
    """Points of all regions together, since the first bad run. `share` is each region's; `firm` is what is not provisional."""

    limits: Limits
    share: dict[str, float] = field(default_factory=dict)
    score: float = 0.0
    provisional: float = 0.0
    since: float | None = None
    last: float = 0.0
    bad: int = 0
    runs: int = 0
    first: int = 0
    """Where in the trail it begins."""

    def add(self, region: str, points: float, cap: float) -> None:
        """Add points of a region, within a cap and the ceiling; start again at nothing."""
        share = self.share
        before = share.get(region, 0.0)
        share[region] = before + points if points <= 0.0 else max(before, min(before + points, cap))
        self.score = sum(share.values())
        ceiling = self.limits.ceiling
        if self.score > ceiling:
            scale = ceiling / self.score
            for name in share:
                share[name] *= scale
            self.score = ceiling
        self.provisional = min(self.provisional, self.score)
        if self.score <= 0.0:
            self.restart()

    def copy(self) -> "Pool":
        """The same again."""
        more = copy(self)
        more.share = dict(self.share)
        return more

    def restart(self) -> None:
        """Nothing speaks against the target."""
        self.share.clear()
        self.score = self.provisional = 0.0
        self.since, self.last, self.bad, self.runs = None, 0.0, 0, 0

    @property
    def firm(self) -> float:
        """The score, of which runs that are only overdue make up half of what is needed at most."""
        return self.score - max(0.0, self.provisional - self.limits.needed / 2)

    @property
    def badness(self) -> float:
        """The share of bad runs since it began; of a few runs it is taken to be all."""
        return 1.0 if self.runs < 3 else max(0.3, self.bad / self.runs)


@dataclass(slots=True)
class Doubt:
    """What one region says by itself. `recent` are its last eight runs as bits, 1 for bad, the newest lowest."""

    score: float = 0.0
    since: float | None = None
    last: float = 0.0
    bad: int = 0
    runs: int = 0
    served: int = 0
    classified: int = 0
    recent: int = 0
    counted: float = float("-inf")
    """When the last failed run began that counted."""

    @property
    def is_failing(self) -> bool:
        """Whether two of its last three runs failed."""
        return self.recent & 7 in (3, 5, 6, 7)

    @property
    def is_bad(self) -> bool:
        """Whether three of its last five runs failed."""
        return (self.recent & 31).bit_count() >= 3

    def restart(self) -> None:
        """Nothing speaks against the target from here."""
        self.score, self.since, self.last = 0.0, None, 0.0
        self.bad = self.runs = self.served = self.classified = 0


class Points(NamedTuple):
    """What one run of a region is worth: one that was answered badly, that failed on the way, that passed, is overdue."""

    served: float
    path: float
    passed: float
    overdue: float


def points_of(habits: Habits, region: str) -> Points:
    """The points of runs from a region, by what the check fails there by itself. Trouble is of both sorts alike."""
    served, path = habits.noise(region)
    return Points(
        log(Q / 2 / served), log(Q / 2 / path), log((1 - Q) / (1 - served - path)), log(Q / 2 / habits.late(region))
    )


@dataclass(slots=True)
class Evidence:
    """All that the runs of a trail say, which has this length."""

    limits: Limits
    points: Mapping[str, Points]
    fail: Pool
    doubts: dict[str, Doubt]
    slow: dict[str, Pool]
    length: int = 0

    @property
    def is_none(self) -> bool:
        """Whether nothing speaks against the target."""
        if self.fail.score > 0.0:
            return False
        for doubt in self.doubts.values():
            if doubt.score > 0.0:
                return False
        return not any(pool.score > 0.0 for pool in self.slow.values())

    @property
    def slowest(self) -> tuple[str, Pool] | None:
        """The series that is most surely slow."""
        return max(self.slow.items(), key=lambda item: item[1].score, default=None)

    def down(self) -> list[str]:
        """The regions that are down by their own evidence."""
        half = self.limits.needed / 2
        return [name for name, doubt in self.doubts.items() if doubt.score >= half and doubt.is_failing]

    def take(self, fact: Fact) -> None:
        """Take one more fact in, the latest."""
        index, region = self.length, fact.region
        self.length += 1
        points = self.points.get(region)
        if points is None:  # not from a region that takes part
            return
        doubt = self.doubts.get(region)
        if doubt is None:
            doubt = self.doubts[region] = Doubt()
        fresh = not 0.0 <= fact.began - doubt.counted < APART
        pool = self.fail
        if fact.ok:
            if fact.counts:
                value = points.passed if fresh else 0.0
                if pool.score > 0.0:
                    pool.runs += 1
                    if value:
                        pool.add(region, value, 0.0)
                _pass(doubt, value)
            if fact.bins and (self.slow or fact.worst >= SLOW_BIN):
                self._slow(fact, index)
        else:
            served = is_served(fact.kind)
            value = 0.0
            if fresh:
                value = points.overdue if fact.overdue else points.served if served else points.path
            if pool.score <= 0.0:
                pool.since, pool.first = fact.began, index
            pool.bad += 1
            pool.runs += 1
            pool.last = fact.ended
            before = pool.score
            pool.add(region, value, self.limits.cap if served else self.limits.path_cap)
            if fact.overdue:
                pool.provisional += pool.score - before
            _fail(doubt, fact, value, self.limits.needed)
            if fresh:
                doubt.counted = fact.began

    def _slow(self, fact: Fact, index: int) -> None:
        for name, number in fact.bins:
            value, pool = SLOW_POINTS[number], self.slow.get(name)
            if pool is None:
                if number < SLOW_BIN:
                    continue
                pool = self.slow[name] = Pool(self.limits)
            if pool.score <= 0.0:
                if number < SLOW_BIN:  # it takes a slow run to begin with
                    continue
                pool.since, pool.first = fact.began, index
            pool.runs += 1
            if number >= SLOW_BIN:
                pool.bad += 1
                pool.last = fact.ended
            pool.add(fact.region, value, self.limits.path_cap)

    def then(self, fact: Fact) -> "Evidence":
        """The evidence with one more fact, the latest; this one stays as it is."""
        doubts = dict(self.doubts)
        if (doubt := doubts.get(fact.region)) is not None:
            doubts[fact.region] = copy(doubt)
        slow = {name: pool.copy() for name, pool in self.slow.items()} if fact.bins else dict(self.slow)
        more = Evidence(self.limits, self.points, self.fail.copy(), doubts, slow, self.length)
        more.take(fact)
        return more


def weigh(trail: Sequence[Fact], points: Mapping[str, Points], bounds: Limits) -> Evidence:
    """What the runs of a trail say, of those from the regions that `points` names."""
    evidence = Evidence(bounds, points, Pool(bounds), {}, {})
    for fact in trail:
        evidence.take(fact)
    return evidence


def _pass(doubt: Doubt, value: float) -> None:
    doubt.recent = doubt.recent << 1 & 255
    if doubt.score > 0.0:
        doubt.runs += 1
        doubt.score += value
        if doubt.score <= 0.0:
            doubt.restart()


def _fail(doubt: Doubt, fact: Fact, value: float, needed: float) -> None:
    doubt.recent = (doubt.recent << 1 | 1) & 255
    near = doubt.last and fact.ended - doubt.last <= 60.0
    if doubt.since is None or (not near and doubt.score < needed / 2):
        doubt.since = fact.began
    before, doubt.score = doubt.score, min(needed + SAVED, doubt.score + value)
    if before < needed / 2 <= doubt.score and not near:  # older failures do not belong to this trouble
        doubt.since = fact.began
        doubt.bad = doubt.runs = doubt.served = doubt.classified = 0
    doubt.bad += 1
    doubt.runs += 1
    doubt.last = fact.ended
    if not fact.overdue:
        doubt.classified += 1
        doubt.served += is_served(fact.kind)


def are_served(doubts: Sequence[Doubt], least: int) -> bool:
    """Whether at least so many failures, and three in four of those that have a reason, are answers of the service."""
    served, classified = sum(d.served for d in doubts), sum(d.classified for d in doubts)
    return served >= least and served >= 0.75 * classified


def commonest(facts: Sequence[Fact]) -> tuple[str, str] | None:
    """Step and kind of most of the failed runs; of those that are only overdue where there are no others."""
    failed = [fact for fact in facts if not fact.ok]
    known = [fact for fact in failed if not fact.overdue] or failed
    counts: dict[tuple[str, str], int] = {}
    for fact in known:
        counts[fact.step, fact.kind] = counts.get((fact.step, fact.kind), 0) + 1
    return max(counts, key=lambda key: counts[key]) if counts else None


def is_third_party(kind: str) -> bool:
    """Whether a failure is that of somebody else than the target."""
    info = KINDS.get(kind)
    return info is not None and info.layer is Layer.THIRD_PARTY
