"""Alerts against the truth: which outages were found, how soon, how often somebody was woken, and how often for nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from probe.backtest.alert import Alert, Event
from probe.core.incident import Incident, Verdict

GRACE: Final = 900.0
"""Seconds after the end of an outage within which an alert still belongs to it."""
TOGETHER: Final = 60.0
"""Seconds within which pages are one: who is awake is not woken again."""
MONTH: Final = 30 * 86400.0


class Timed(Protocol):
    """Something that happened at a time, in seconds."""

    @property
    def at(self) -> float:
        """When."""
        ...


T = TypeVar("T", bound=Timed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """An outage that is to be found, in seconds since the beginning. `checks`: empty for all. `page`: it is worth one.

    A slow burn is found by a ticket as well.
    """

    kind: str
    start: float
    end: float
    checks: tuple[str, ...] = ()
    page: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of one outage. Seconds; `delay` is from its start to the first alert, `recovery` from its end.

    `delay` is `None` when it was missed: nothing was told before it ended. `masked`: an incident was open already.
    """

    truth: Truth
    delay: float | None
    recovery: float | None
    pages: int
    reopens: int
    masked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """All outages of one kind. An outage that was missed counts as infinitely late; `recovery` is a median."""

    count: int
    missed: int
    median: float
    p95: float
    pages: float
    reopens: float
    recovery: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The whole of it. `false_pages` belong to no outage; `quiet` is the time, in seconds, in which they could come."""

    found: tuple[Found, ...]
    kinds: Mapping[str, Kind]
    false_pages: tuple[Alert, ...]
    false_tickets: int
    quiet: float

    @property
    def false_per_month(self) -> float:
        """False pages in 30 days."""
        return len(self.false_pages) * MONTH / self.quiet if self.quiet > 0 else 0.0


def score(alerts: Sequence[Alert], truths: Iterable[Truth], seconds: float) -> Score:
    """Score alerts that came in so many seconds. All alerts in the order of time."""
    known = tuple(truths)
    found = tuple(_found(truth, alerts) for truth in known)
    of = [[truth for truth in known if _concerns(truth, alert)] for alert in alerts]
    stray = [a for a, mine in zip(alerts, of, strict=True) if a.page and not any(_within(t, a.at) for t in mine)]
    tickets = sum(
        a.event is Event.OPENED and not a.page and not any(_within(t, a.at, 4 * 3600.0) for t in mine)
        for a, mine in zip(alerts, of, strict=True)
    )
    names = sorted({truth.kind for truth in known})
    return Score(
        found=found,
        kinds=MappingProxyType({name: _kind([f for f in found if f.truth.kind == name]) for name in names}),
        false_pages=tuple(merged(stray)),
        false_tickets=tickets,
        quiet=max(0.0, seconds - sum(truth.end - truth.start + GRACE for truth in known)),
    )


def truths_of(incidents: Iterable[Incident], start: float, seconds: float) -> tuple[Truth, ...]:
    """Incidents that were told before, as what is to be found again. Our own trouble is none."""
    found = []
    for incident in incidents:
        if incident.verdict is Verdict.PROBE_FAULT:
            continue
        begun = incident.since.timestamp() - start
        end = seconds if incident.resolved is None else incident.resolved.timestamp() - start
        if end > 0 and begun < seconds:
            found.append(
                Truth(
                    kind=incident.verdict.value,
                    start=begun,
                    end=max(end, begun),
                    checks=tuple(incident.members),
                    page=incident.severity.value == "page",
                )
            )
    return tuple(sorted(found, key=lambda truth: truth.start))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least `share` of them do not exceed; not a number without any."""
    if not values:
        return float("nan")
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def _concerns(truth: Truth, alert: Alert) -> bool:
    return not truth.checks or not alert.checks or bool(set(truth.checks) & set(alert.checks))


def _within(truth: Truth, at: float, grace: float = GRACE) -> bool:
    return truth.start <= at <= truth.end + grace


def _found(truth: Truth, alerts: Sequence[Alert]) -> Found:
    ours = [alert for alert in alerts if _concerns(truth, alert)]
    inside = [alert for alert in ours if _within(truth, alert.at)]
    by_ticket = not truth.page or truth.kind == "slowburn"
    telling = [a for a in inside if a.page or (by_ticket and a.event is Event.OPENED)]
    in_time = [alert for alert in telling if alert.at <= truth.end]
    return Found(
        truth=truth,
        delay=in_time[0].at - truth.start if in_time else None,
        recovery=_recovery(truth, telling, ours),
        pages=len(merged([alert for alert in telling if alert.page])),
        reopens=sum(alert.event is Event.REOPENED for alert in inside),
        masked=not telling and _was_open(ours, truth.start),
    )


def _recovery(truth: Truth, telling: Sequence[Alert], ours: Sequence[Alert]) -> float | None:
    """How long after its end all that was opened for it was resolved."""
    if not telling:
        return None
    ends = []
    for incident in {alert.incident for alert in telling}:
        closed = [a.at for a in ours if a.incident == incident and a.event is Event.RESOLVED and a.at >= truth.end]
        before = [a.at for a in ours if a.incident == incident and a.event is Event.RESOLVED and a.at < truth.end]
        if closed:
            ends.append(closed[0])
        elif before:
            ends.append(truth.end)
    return max(ends) - truth.end if ends else None


def _was_open(alerts: Iterable[Alert], at: float) -> bool:
    open_ones: set[str] = set()
    for alert in alerts:
        if alert.at >= at:
            break
        if alert.event is Event.RESOLVED:
            open_ones.discard(alert.incident)
        else:
            open_ones.add(alert.incident)
    return bool(open_ones)


def merged(pages: Iterable[T]) -> list[T]:
    """Pages, without those that come while whoever was woken is reading."""
    kept, last = [], -inf
    for alert in pages:
        if alert.at - last >= TOGETHER:
            kept.append(alert)
        last = alert.at
    return kept


def _kind(found: Sequence[Found]) -> Kind:
    hits = [f for f in found if f.delay is not None]
    delays = [inf if f.delay is None else f.delay for f in found]
    recoveries = [f.recovery for f in hits if f.recovery is not None]
    return Kind(
        count=len(found),
        missed=len(found) - len(hits),
        median=percentile(delays, 0.5),
        p95=percentile(delays, 0.95),
        pages=sum(f.pages for f in hits) / max(1, len(hits)),
        reopens=sum(f.reopens for f in hits) / max(1, len(hits)),
        recovery=percentile(recoveries, 0.5) if recoveries else None,
    )
