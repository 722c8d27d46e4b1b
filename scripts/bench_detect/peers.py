"""The alert rules of other tools, as they are documented: each a few lines, with where it is written down."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil
from typing import Protocol

from scripts.bench_detect.history import Alert, History


class Rule(Protocol):
    """Something that alerts, or not."""

    @property
    def name(self) -> str: ...

    def alerts(self, history: History) -> list[Alert]:
        """What it would have said, in order. It may ask the world for retries."""
        ...


class Latch:
    """One alert that is open or not."""

    def __init__(self, key: str, into: list[Alert]) -> None:
        self.key, self.into, self.open = key, into, False

    def set(self, at: float, wanted: bool) -> None:
        if wanted != self.open:
            self.open = wanted
            self.into.append(Alert(at, "open" if wanted else "resolve", self.key))


@dataclass(frozen=True, kw_only=True)
class Consecutive:
    """So many failures in a row open, so many successes close; each region is a monitor of its own.

    Gatus: `failure-threshold` 3, `success-threshold` 2 (TwiN/gatus alerting/alert/alert.go). Uptime Kuma: `maxretries`
    k makes k + 1 failures, one success closes (louislam/uptime-kuma server/model/monitor.js).
    """

    name: str
    failures: int
    successes: int = 2

    def alerts(self, history: History) -> list[Alert]:
        found: list[Alert] = []
        latches = {region: Latch(region, found) for region in history.regions}
        rows = dict.fromkeys(history.regions, 0)
        last = dict.fromkeys(history.regions, False)
        for number in history.marks:
            region, bad = history.samples[number].region, history.bad[number]
            rows[region] = rows[region] + 1 if bad == last[region] else 1
            last[region] = bad
            if bad and rows[region] >= self.failures:
                latches[region].set(history.ended[number], True)
            elif not bad and rows[region] >= self.successes:
                latches[region].set(history.ended[number], False)
        return found


@dataclass(frozen=True, kw_only=True)
class ProbeFor:
    """`probe_success == 0` with `for: 2m`, an alert for each instance, evaluated every 30 s.

    blackbox_exporter and Prometheus, as in samber/awesome-prometheus-alerts. The 30 s of Alertmanager's `group_wait` are not charged.
    """

    name: str
    lasts: float
    every: float = 30.0

    def alerts(self, history: History) -> list[Alert]:
        found: list[Alert] = []
        for region in history.regions:
            latch, since, bad = Latch(region, found), None, False
            at = 0.0
            for number in history.marks:
                if history.samples[number].region != region:
                    continue
                ended = history.ended[number]
                if not bad and since is None:
                    at = max(at, ended // self.every * self.every)
                while at <= ended:
                    if bad:
                        since = at if since is None else since
                        if at - since >= self.lasts:
                            latch.set(at, True)
                    elif since is not None:
                        since = None
                        latch.set(at, False)
                    at += self.every
                bad = history.bad[number]
        return sorted(found)


@dataclass(frozen=True, kw_only=True)
class Locations:
    """At least so many locations fail, each by the last of its fast retries, without a break for `lasts` seconds.

    Datadog (how-synthetics-monitors-trigger-alerts: the timer starts after the last retry and starts anew when any part of
    the rule is false), New Relic (multi-location alert conditions: no retries, no time), Checkly (failed runs after
    retries, `parallelRunFailureThreshold` as a share of the locations; time-based escalation).
    """

    name: str
    locations: int = 1
    share: float | None = None
    lasts: float = 0.0
    retries: int = 0
    gap: float = 1.0

    def alerts(self, history: History) -> list[Alert]:
        found: list[Alert] = []
        latch = Latch("check", found)
        count = len(history.regions)
        needed = min(count, ceil(self.share * count) if self.share else self.locations)
        failing: set[str] = set()
        since: float | None = None
        waiting: list[
            tuple[float, int, str, bool, int]
        ] = []  # results of retries: when, number, region, bad, retries left
        order = 0

        def result(at: float, region: str, bad: bool, left: int) -> None:
            nonlocal since, order
            if bad and left:
                retry = history.retry(at + self.gap, region)
                order += 1
                heappush(waiting, (retry.ended, order, region, history.is_bad(retry), left - 1))
                return
            (failing.add if bad else failing.discard)(region)
            if len(failing) < needed:
                since = None
                latch.set(at, False)
                return
            since = at if since is None else since

        def pass_to(at: float) -> None:
            """What becomes known, and what has lasted long enough, until then."""
            while True:
                due = since + self.lasts if since is not None and not latch.open else float("inf")
                if waiting and waiting[0][0] <= min(due, at):
                    ended, _, region, bad, left = heappop(waiting)
                    result(ended, region, bad, left)
                elif due <= at:
                    latch.set(due, True)
                else:
                    return

        for number in history.marks:
            pass_to(history.ended[number])
            result(history.ended[number], history.samples[number].region, history.bad[number], self.retries)
        pass_to(history.world.setting.length)
        return found


@dataclass(frozen=True, kw_only=True)
class Windowed:
    """The share of good runs over five minutes is too low, and stays so; or at least `count` executions failed in them.

    Grafana Synthetic Monitoring: sensitivity high/medium/low is below 95/90/75 % over 5 m for 5 m (configure-legacy-alerts);
    `ProbeFailedExecutionsTooHigh` counts (per-check alerts). Evaluated every minute.
    """

    name: str
    good: float = 0.9
    lasts: float = 300.0
    count: int = 0
    window: float = 300.0
    every: float = 60.0

    def alerts(self, history: History) -> list[Alert]:
        found: list[Alert] = []
        latch, since = Latch("check", found), None
        for at in _after_bad(history, self.window, self.every):
            runs, bad = history.counts(at - self.window, at)
            wrong = bad >= self.count if self.count else runs > 0 and 1 - bad / runs < self.good
            since = None if not wrong else at if since is None else since
            latch.set(at, since is not None and at - since >= self.lasts)
        return found


@dataclass(frozen=True, kw_only=True)
class BurnWindow:
    """The burn rate is above `factor` in both windows (seconds), for `lasts`."""

    long: float
    short: float
    factor: float
    lasts: float = 0.0


SRE = (BurnWindow(long=3600, short=300, factor=14.4), BurnWindow(long=6 * 3600, short=1800, factor=6.0))
"""Site Reliability Workbook, chapter 5, table 5-8; Sloth's google-30d.yaml pages at the same."""
PYRRA = (
    BurnWindow(long=3600, short=300, factor=14.0, lasts=120),
    BurnWindow(long=6 * 3600, short=1800, factor=7.0, lasts=900),
)
"""pyrra-dev/pyrra slo/rules.go."""


@dataclass(frozen=True, kw_only=True)
class BurnRate:
    """The multi-window, multi-burn-rate pages of an objective; their tickets wake nobody and are left out. Every 30 s."""

    name: str
    objective: float
    windows: tuple[BurnWindow, ...] = SRE
    every: float = 30.0

    def alerts(self, history: History) -> list[Alert]:
        found: list[Alert] = []
        latch, budget = Latch("check", found), 1 - self.objective
        since: list[float | None] = [None] * len(self.windows)
        rules = [
            (w, w.factor * budget, history.shares(w.long, self.every), history.shares(w.short, self.every))
            for w in self.windows
        ]
        for turn in range(len(rules[0][2])):
            at, wrong = turn * self.every, False
            for number, (window, limit, long, short) in enumerate(rules):
                if short[turn] > limit and long[turn] > limit:
                    begun = since[number]
                    since[number] = begun = at if begun is None else begun
                    wrong = wrong or at - begun >= window.lasts
                else:
                    since[number] = None
            latch.set(at, wrong)
        return found


def _after_bad(history: History, seconds: float, every: float) -> Iterator[float]:
    """The moments at which a rule is evaluated, as far as there can be anything bad in a window of so many seconds."""
    at = 0.0
    for ended in history.bad_ended:
        at = max(at, ceil(ended / every) * every)
        # Once more when the window has emptied: then whatever was wrong is so no longer.
        until = ended + seconds + every
        while at <= until and at <= history.world.setting.length:
            yield at
            at += every
