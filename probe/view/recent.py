"""What the overview keeps between two looks: the last runs of each place, what ran of late, what was counted.

A look reads what is new. So it costs the same whether a thousand runs are stored or ten million.
"""

import statistics
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from probe.core.run import Outcome
from probe.store.counts import Counted
from probe.store.histogram import Histogram, bucket_of, merged, percentile
from probe.store.latest import (
    MINUTE,
    OURS,
    UNSTARTED,
    Glance,
    Mark,
    counted,
    lags,
    last_of_all,
    mark,
    micros,
    new_since,
    place_names,
)
from probe.store.present import present
from probe.store.reader import Reader, Snapshot, Status

BARS: Final = 12
"""Runs of a strip."""
HOUR: Final = timedelta(hours=1)
LATELY: Final = timedelta(minutes=10)
"""For how long it is remembered how late runs began."""
USUAL: Final = 4
TALLEST: Final = 9
LETTERS: Final = {outcome.value: outcome.value[0] for outcome in Outcome}


@dataclass(frozen=True, slots=True)
class Strip:
    """The last runs of a place, oldest first: a letter for the outcome of each, and a digit for how long it took.

    4 is as long as the median of those that passed, 9 more than twice. `last` is the newest.
    """

    bars: str
    heights: str
    last: Glance


@dataclass(slots=True)
class _Late:
    histogram: Histogram
    worst: float


class Recent:
    """Kept for as long as the daemon shows pages. `refresh` brings it up to date; one thread at a time gets in."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """To be held from `refresh` until what it gave was used."""
        self.strips: dict[tuple[str, str], Strip] = {}
        """By check and region."""
        self._counted = Counted()
        self._mark: Mark | None = None
        self._names: dict[int, tuple[str, str]] = {}
        self._runs: dict[int, list[Glance]] = {}
        self._outcomes: dict[tuple[int, str, str], int] = {}
        self._late: dict[int, _Late] = {}
        self._seen: set[int] = set()
        """Of a fleet the runs of the last look, some of which the next one gives again."""

    def refresh(self, reader: Reader, objectives: Iterable[str], now: datetime) -> Status:
        """Take up what is new. How things stand: of what is to be said only what waits. `StoreUnavailable`."""
        names = sorted(objectives)

        def read(connection: Snapshot) -> Status:
            self._take(connection, now)
            found = present(connection)
            found.state.ledgers.update(self._counted.refresh(connection, names, now))
            return found

        try:
            return reader.read(read)
        except BaseException:
            self._mark = None  # some of it may have been taken up: the next look begins anew
            self._counted = Counted()
            raise

    def outcomes(self, now: datetime) -> dict[str, dict[Outcome, int]]:
        """Region → outcome → how many slots of the last hour ended so, of all that say something of a target."""
        since = micros(now - HOUR) // MINUTE
        found: dict[str, dict[Outcome, int]] = {}
        for (minute, region, outcome), count in self._outcomes.items():
            if minute > since:
                here = found.setdefault(region, {})
                here[Outcome(outcome)] = here.get(Outcome(outcome), 0) + count
        return found

    def lag(self, now: datetime) -> tuple[float | None, float | None]:
        """How late the runs of the last minutes began, in seconds: the median (to one part in twelve), and the worst."""
        since = micros(now - LATELY) // MINUTE
        found = [late for minute, late in self._late.items() if minute > since]
        if not found:
            return None, None
        return percentile(merged(late.histogram for late in found), 0.5), max(late.worst for late in found)

    def _take(self, connection: Snapshot, now: datetime) -> None:
        """Take up the runs that were stored since the last look, or begin anew."""
        reached = mark(connection)
        new = None if self._mark is None else new_since(connection, self._mark)
        if new is None or self._mark is None or reached.number < self._mark.number:
            self._begin(connection, reached, now)
        else:
            self._add(connection, [run for run in new if run.seq not in self._seen])
            self._seen = {run.seq for run in new}
        self._mark = reached
        self._forget(now)

    def _begin(self, connection: Snapshot, reached: Mark, now: datetime) -> None:
        self._names = place_names(connection)
        self._runs = {place: _telling(found) for place, found in last_of_all(connection, BARS, now).items()}
        self._outcomes = counted(connection, now - HOUR)
        self._late = {}
        for started, lag in lags(connection, now - LATELY):
            self._was_late(started, lag)
        self._seen = {run.seq for run in new_since(connection, reached) or ()}
        self.strips = {}
        self._draw(self._runs)

    def _add(self, connection: Snapshot, new: list[Glance]) -> None:
        if any(run.place not in self._names for run in new):
            self._names = place_names(connection)
        changed: dict[int, list[Glance]] = {}
        for run in _telling(new):
            changed.setdefault(run.place, self._runs.setdefault(run.place, [])).append(run)
            key = (run.started // MINUTE, self._names[run.place][1], run.outcome)
            self._outcomes[key] = self._outcomes.get(key, 0) + run.slots
            if run.slot is not None and run.outcome not in UNSTARTED:
                self._was_late(run.started, run.lag)
        for known in changed.values():  # one that was forwarded late is not the newest
            known.sort(key=lambda run: (run.started, run.seq))
            del known[:-BARS]
        self._draw(changed)

    def _was_late(self, started: int, lag: float) -> None:
        late = self._late.setdefault(started // MINUTE, _Late({}, 0.0))
        bucket = bucket_of(lag)
        late.histogram[bucket] = late.histogram.get(bucket, 0) + 1
        late.worst = max(late.worst, lag)

    def _draw(self, changed: Mapping[int, list[Glance]]) -> None:
        for place, known in changed.items():
            if known and place in self._names:
                self.strips[self._names[place]] = strip_of(known)

    def _forget(self, now: datetime) -> None:
        hour, lately = micros(now - HOUR) // MINUTE, micros(now - LATELY) // MINUTE
        self._outcomes = {key: count for key, count in self._outcomes.items() if key[0] > hour}
        self._late = {minute: late for minute, late in self._late.items() if minute > lately}


def _telling(found: Iterable[Glance]) -> list[Glance]:
    """Those that say something of a target."""
    return [run for run in found if run.why not in OURS]


def strip_of(known: Sequence[Glance]) -> Strip:
    """The strip of some runs, oldest first, of which there is at least one."""
    passed = [run.duration for run in known if run.outcome == Outcome.PASSED]
    usual = statistics.median(passed) if passed else 0
    return Strip(
        bars="".join([LETTERS[run.outcome] for run in known]),
        heights="".join(
            [str(min(TALLEST, round(USUAL * run.duration / usual))) if usual else str(USUAL) for run in known]
        ),
        last=known[-1],
    )
