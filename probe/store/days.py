"""Days of checks: how many runs said that all was well, and how many did not, without those that say nothing about the target."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, Row, func, select

from probe.core.incident import Incident
from probe.core.run import Outcome
from probe.store.numbers import started_since
from probe.store.rollup import DAY
from probe.store.rows import from_json
from probe.store.schema import incidents, places, rollups, runs

T = TypeVar("T")
SOME: Final = 500
"""Values in one `IN (...)`."""


class Blindness(NamedTuple):
    """A stretch of time in which what failed in a region was our own trouble."""

    region: str
    start: datetime
    end: datetime


class Day(NamedTuple):
    """Good and bad runs of a check on a day of UTC, which begins at `start` (seconds since 1970)."""

    check: str
    start: int
    good: int
    bad: int


def days_of(
    connection: Connection, checks: Collection[str], since: datetime, blind: Sequence[Blindness] = ()
) -> tuple[Day, ...]:
    """The days of checks since the day of `since`, without runs in maintenance and without our own trouble.

    Sums tell neither of these apart. So the runs of such days are looked at: they are kept as long as failed runs are; where
    they are forgotten, the failed ones among them count as bad.
    """
    known = {row.id: row for row in _in_parts(connection, checks)}
    first = int(since.timestamp()) // DAY * DAY
    found = [
        row
        for some in _parts(sorted(known))
        for row in connection.execute(
            select(rollups.c.place, rollups.c.start, rollups.c.passed, rollups.c.failed, rollups.c.maintenance).where(
                rollups.c.place.in_(some), rollups.c.span == DAY, rollups.c.start >= first
            )
        )
    ]
    odd: dict[int, list[int]] = {}
    for row in found:
        here = known[row.place].region
        if row.maintenance or (row.failed and any(b.region == here and _touches(b, row.start) for b in blind)):
            odd.setdefault(row.start, []).append(row.place)
    void = {
        key: counts for day, numbers in odd.items() for key, counts in _void(connection, day, numbers, blind, known)
    }
    nothing = _Void()
    sums: dict[tuple[str, int], tuple[int, int]] = {}
    for row in found:
        out = void.get((row.place, row.start), nothing)
        passed = row.passed - max(0, row.maintenance - out.failed_then - out.other_then)
        key = (known[row.place].check_id, row.start)
        good, bad = sums.get(key, (0, 0))
        sums[key] = (good + max(0, passed), bad + max(0, row.failed - out.failed_then - out.ours))
    return tuple(Day(check, start, good, bad) for (check, start), (good, bad) in sorted(sums.items()))


def incidents_since(connection: Connection, since: datetime) -> tuple[Incident, ...]:
    """The incidents that were not over then, oldest first."""
    lasting = incidents.c.resolved.is_(None) | (incidents.c.resolved >= since)
    wanted = select(incidents.c.body).where(lasting).order_by(incidents.c.opened, incidents.c.id)
    return tuple(from_json(Incident, body) for body in connection.scalars(wanted))


class _Void(NamedTuple):
    """What does not count of a place's day: failed and other runs in maintenance, and failures that were our own trouble."""

    failed_then: int = 0
    other_then: int = 0
    ours: int = 0


def _void(
    connection: Connection, day: int, numbers: Sequence[int], blind: Sequence[Blindness], known: Mapping[int, Row[Any]]
) -> Iterable[tuple[tuple[int, int], _Void]]:
    start = datetime.fromtimestamp(day, UTC)
    slots = func.coalesce(runs.c.slots, 1)
    found: dict[int, _Void] = {}
    for some in _parts(numbers):
        wanted = select(runs.c.place, runs.c.outcome, runs.c.started, runs.c.maintenance, slots.label("slots")).where(
            runs.c.place.in_(some),
            *started_since(connection, start),
            runs.c.started < start + timedelta(seconds=DAY),
            runs.c.outcome != Outcome.PASSED.value,
        )
        for row in connection.execute(wanted):
            region = known[row.place].region
            was = found.get(row.place, _Void())
            if row.outcome != Outcome.FAILED.value:
                was = was._replace(other_then=was.other_then + row.slots * (row.maintenance is not None))
            elif row.maintenance is not None:
                was = was._replace(failed_then=was.failed_then + 1)
            elif any(b.region == region and b.start <= row.started <= b.end for b in blind):
                was = was._replace(ours=was.ours + 1)
            found[row.place] = was
    return [((place, day), counts) for place, counts in found.items()]


def _touches(blindness: Blindness, day: int) -> bool:
    return blindness.start.timestamp() < day + DAY and blindness.end.timestamp() >= day


def _in_parts(connection: Connection, checks: Collection[str]) -> Iterator[Row[Any]]:
    for some in _parts(sorted(checks)):
        yield from connection.execute(select(places).where(places.c.check_id.in_(some)))


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[begin : begin + SOME] for begin in range(0, len(values), SOME))
