"""Counts and durations by the hour and by the day, for each check in each region.

Runs are added in the order in which they were stored, each once: `meta.rolled` says how far. So one that arrives late
is added to its own hour, however long ago that was. In a fleet `rolled` is the last counter (numbers.py), and
`rolled_day` the day on which everything up to it had been added.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, or_, select
from sqlalchemy.dialects.sqlite import insert as insert_or

from probe.core.ledger import HOUR
from probe.core.run import Outcome
from probe.store.histogram import Histogram, bucket_of, merged
from probe.store.numbers import HALF, days_stored, stretches
from probe.store.schema import EPOCH, meta, rollups, runs, upsert

Key = tuple[int, int, int]
"""Place, span, start."""
DAY: Final = 86400
CHUNK: Final = 250
"""Runs at a time: a commit may have to wait for one chunk."""
LARGE: Final = 20_000
"""Runs at a time in a fleet, where nobody waits for it."""
WANTED: Final = (
    runs.c.seq,
    runs.c.place,
    runs.c.outcome,
    runs.c.started,
    runs.c.duration,
    runs.c.slots,
    runs.c.maintenance,
)


@dataclass(slots=True)
class Sum:
    """What the runs of a stretch of time add up to. Durations, in seconds, are those of the runs that passed.

    A `missed` run counts for each slot that it stands for, in the stretch of its first.
    """

    passed: int = 0
    failed: int = 0
    errored: int = 0
    missed: int = 0
    aborted: int = 0
    maintenance: int = 0
    """How many of these fell into a maintenance window."""
    total: float = 0.0
    shortest: float | None = None
    longest: float | None = None
    histogram: Histogram = field(default_factory=dict)

    def add(self, outcome: Outcome, seconds: float, count: int, *, maintenance: bool) -> None:
        """One more run, or `count` slots of one."""
        setattr(self, outcome.value, getattr(self, outcome.value) + count)
        self.maintenance += count * maintenance
        if outcome is Outcome.PASSED:
            self.total += seconds
            self.shortest = seconds if self.shortest is None else min(seconds, self.shortest)
            self.longest = seconds if self.longest is None else max(seconds, self.longest)
            bucket = bucket_of(seconds)
            self.histogram[bucket] = self.histogram.get(bucket, 0) + 1

    def plus(self, other: "Sum") -> "Sum":
        """Both together."""
        return Sum(
            passed=self.passed + other.passed,
            failed=self.failed + other.failed,
            errored=self.errored + other.errored,
            missed=self.missed + other.missed,
            aborted=self.aborted + other.aborted,
            maintenance=self.maintenance + other.maintenance,
            total=self.total + other.total,
            shortest=min((s for s in (self.shortest, other.shortest) if s is not None), default=None),
            longest=max((s for s in (self.longest, other.longest) if s is not None), default=None),
            histogram=merged((self.histogram, other.histogram)),
        )


def roll_up(connection: Connection) -> bool:
    """Add the next runs that were not added yet; whether there may be more. In one transaction with what it adds."""
    done = connection.scalar(select(meta.c.value).where(meta.c.key == "rolled")) or 0
    found = connection.execute(select(*WANTED).where(runs.c.seq > done).order_by(runs.c.seq).limit(CHUNK)).all()
    if not found:
        return False
    _add(connection, found, insert_or)
    connection.execute(upsert(meta), {"key": "rolled", "value": found[-1].seq})
    return len(found) == CHUNK


def roll_up_fleet(connection: Connection, *, until: int, day: int) -> bool:
    """The same in a fleet, up to the counter `until`, whose runs are all committed; whether there may be more.

    `day` is that on which `until` was read. Of several that do this at the same time, each goes on where another ended.
    """
    from sqlalchemy.dialects.postgresql import insert as insert_there  # large, and a single node never needs it

    connection.execute(insert_there(meta).on_conflict_do_nothing(), [{"key": "rolled", "value": 0}])
    done: int = connection.execute(select(meta.c.value).where(meta.c.key == "rolled").with_for_update()).scalar_one()
    if done >= until:
        return False
    reached = min(until, done + LARGE, (done + 1) // HALF * HALF + HALF - 1)  # in one round of the counter
    since = connection.scalar(select(meta.c.value).where(meta.c.key == "rolled_day"))
    days = range(since - 1, day + 1) if since is not None else days_stored(connection, EPOCH)
    theirs = [
        runs.c.seq.between(stretch.first, stretch.last)
        for together in stretches(days, after=done, until=reached)
        for stretch in together
    ]
    _add(connection, connection.execute(select(*WANTED).where(or_(*theirs))).all() if theirs else (), insert_there)
    numbers = {"rolled": reached, **({"rolled_day": day} if reached == until else {})}
    connection.execute(
        upsert(meta, inserting=insert_there), [{"key": key, "value": value} for key, value in numbers.items()]
    )
    return reached < until


def _add(connection: Connection, found: Iterable[Any], inserting: Callable[[Table], Any]) -> None:
    added = _sums(found)
    stored = _stored(connection, added)
    values = [
        {"place": key[0], "span": key[1], "start": key[2], **_values(stored[key].plus(more) if key in stored else more)}
        for key, more in added.items()
    ]
    if values:
        connection.execute(upsert(rollups, inserting=inserting), values)


def sum_of(row: Row[Any]) -> Sum:
    """The sum of a row of `rollups`."""
    return Sum(
        passed=row.passed,
        failed=row.failed,
        errored=row.errored,
        missed=row.missed,
        aborted=row.aborted,
        maintenance=row.maintenance,
        total=row.total,
        shortest=row.shortest,
        longest=row.longest,
        histogram={int(bucket): count for bucket, count in json.loads(row.histogram).items()},
    )


def _stored(connection: Connection, keys: Iterable[Key]) -> dict[Key, Sum]:
    """What is stored of these: one question for each stretch of time is much quicker than one for each sum."""
    starts: dict[tuple[int, int], list[int]] = {}
    for place, span, start in keys:
        starts.setdefault((span, start), []).append(place)
    stored: dict[Key, Sum] = {}
    for (span, start), places in starts.items():
        for some in range(0, len(places), CHUNK):
            here = (
                rollups.c.place.in_(places[some : some + CHUNK]),
                rollups.c.span == span,
                rollups.c.start == start,
            )
            stored.update(
                ((row.place, span, start), sum_of(row)) for row in connection.execute(select(rollups).where(*here))
            )
    return stored


def _sums(found: Iterable[Any]) -> dict[Key, Sum]:
    sums: dict[Key, Sum] = {}
    for row in found:
        moment = int((row.started - EPOCH).total_seconds())
        outcome = Outcome(row.outcome)
        count = row.slots if outcome is Outcome.MISSED and row.slots else 1
        for span in (HOUR, DAY):
            place = sums.setdefault((row.place, span, moment - moment % span), Sum())
            place.add(outcome, row.duration.total_seconds(), count, maintenance=row.maintenance is not None)
    return sums


def _values(whole: Sum) -> dict[str, Any]:
    return {
        "passed": whole.passed,
        "failed": whole.failed,
        "errored": whole.errored,
        "missed": whole.missed,
        "aborted": whole.aborted,
        "maintenance": whole.maintenance,
        "total": whole.total,
        "shortest": whole.shortest,
        "longest": whole.longest,
        "histogram": json.dumps(whole.histogram, separators=(",", ":")),
    }
