"""Alerts against what was true: how soon an outage was told, how often, and how often there was nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, inf

from probe.backtest.noise import DAY, MONTH, Disturbance
from probe.backtest.outages import Outage, OutageKind
from probe.backtest.score import GRACE, merged
from probe.backtest.world import SimulatedWorld
from scripts.bench_detect.history import Alert


@dataclass(frozen=True, kw_only=True)
class Found:
    """How one outage was told. `after` is seconds from its start to the first page; `None`: not before its end."""

    kind: OutageKind
    after: float | None
    pages: int
    reopened: int
    over: float | None
    """Seconds from its end to the last resolution; `None`: it was not told, or never resolved."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One world. `false` counts the false pages by what they were for."""

    found: list[Found] = field(default_factory=list)
    false: Counter[str] = field(default_factory=Counter)
    quiet: float = 0.0
    """Seconds without an outage."""


def score(world: SimulatedWorld, alerts: Sequence[Alert]) -> Score:
    pages = [alert for alert in alerts if alert.page and alert.what == "open"]
    reopened = [alert.at for alert in alerts if alert.what == "reopen"]
    found, used = [], set[Alert]()
    for outage in world.outages:
        mine = [page for page in pages if outage.start <= page.at <= outage.end + GRACE]
        used.update(mine)
        first = mine[0].at if mine and mine[0].at <= outage.end else None
        found.append(
            Found(
                kind=outage.kind,
                after=None if first is None else first - outage.start,
                pages=len(merged(mine)),
                reopened=sum(outage.start <= at <= outage.end + GRACE for at in reopened),
                over=_over(outage, mine, alerts),
            )
        )
    false = Counter(_cause(world, page.at) for page in merged([page for page in pages if page not in used]))
    quiet = world.setting.length - sum(o.end - o.start + GRACE for o in world.outages)
    return Score(found=found, false=false, quiet=quiet)


def _over(outage: Outage, mine: Sequence[Alert], alerts: Sequence[Alert]) -> float | None:
    """When the last alert that the outage opened was resolved for good, counted from its end."""
    ends = []
    for key in {page.key for page in mine}:
        closed: float | None = None
        for alert in alerts:
            if alert.key != key or alert.at < mine[0].at:
                continue
            if alert.what != "resolve":
                if alert.at > outage.end + GRACE:
                    break
                closed = None
            else:
                closed = alert.at
                if alert.at >= outage.end:
                    break
        if closed is not None:
            ends.append(max(closed, outage.end))
    return max(ends) - outage.end if ends else None


def _cause(world: SimulatedWorld, at: float) -> str:
    """What the noise was that a false page was for."""
    cause = "stray"
    for episode in world.episodes:
        if episode.start <= at <= episode.end + (GRACE if episode.kind is Disturbance.BURST else 120):
            cause = episode.kind.value
    return cause


@dataclass(frozen=True, kw_only=True)
class OfKind:
    """How a rule told the outages of one kind. Times are seconds; one that was missed counts as infinitely late."""

    count: int
    missed: float
    median: float
    late: float
    """The 95th percentile."""
    pages: float
    reopened: float
    over: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A rule on all worlds of a mix. `false` is false pages in 30 days of quiet worlds."""

    false: float
    causes: Counter[str]
    days: float
    kinds: dict[OutageKind, OfKind]


def summarise(quiet: Sequence[Score], outages: Sequence[Score]) -> Summary:
    causes: Counter[str] = Counter()
    for each in quiet:
        causes += each.false
    seconds = sum(each.quiet for each in quiet)
    by_kind: dict[OutageKind, list[Found]] = {}
    for each in outages:
        for found in each.found:
            by_kind.setdefault(found.kind, []).append(found)
    return Summary(
        false=causes.total() / seconds * MONTH if seconds else 0.0,
        causes=causes,
        days=seconds / DAY,
        kinds={kind: _of_kind(found) for kind, found in by_kind.items()},
    )


def _of_kind(found: Sequence[Found]) -> OfKind:
    told = [each for each in found if each.after is not None]
    times = sorted(inf if each.after is None else each.after for each in found)
    overs = sorted(each.over for each in told if each.over is not None)
    return OfKind(
        count=len(found),
        missed=1 - len(told) / len(found),
        median=times[(len(times) - 1) // 2],
        late=times[min(len(times) - 1, ceil(0.95 * (len(times) - 1)))],
        pages=sum(each.pages for each in told) / max(1, len(told)),
        reopened=sum(each.reopened for each in told) / max(1, len(told)),
        over=overs[len(overs) // 2] if overs else inf,
    )
