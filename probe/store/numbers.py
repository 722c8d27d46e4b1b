"""The numbers of runs in a fleet, and what follows from them: which day a run was judged on, and in which order.

A number is the day since 1970 (the server's, UTC) times 10^11, plus half of that unless the run passed, plus a counter
that goes up with every run. So each day has two stretches of numbers, each of which is a partition of the tables, and
the order in which runs were judged is that of (day, counter).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select, text

from probe.core.run import Outcome
from probe.store.schema import EPOCH, runs

DAY: Final = 10**11
"""Numbers of a day."""
HALF: Final = DAY // 2
"""Where those begin that did not pass; the counter begins anew when it comes here."""

_NEXT: Final = text(
    "SELECT given.position, floor(extract(epoch FROM clock_timestamp()) / 86400)::bigint AS day,"
    " nextval('probe.run_numbers') % CAST(:half AS bigint) AS counter, places.id AS place"
    " FROM unnest(CAST(:checks AS text[]), CAST(:regions AS text[])) WITH ORDINALITY AS given (check_id, region, position)"
    " LEFT JOIN probe.places USING (check_id, region)"
)
_SEEN: Final = text("SELECT max(seen) FROM probe.nodes WHERE role <> 'agent'")
_TODAY: Final = text("SELECT floor(extract(epoch FROM clock_timestamp()) / 86400)::bigint")
_LAST: Final = text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM probe.run_numbers")


class Given(NamedTuple):
    """A number to be had by a run, and the number of its place; `None`: its place has none yet."""

    day: int
    counter: int
    place: int | None

    def number(self, outcome: Outcome) -> int:
        """The number of a run that ended so."""
        return self.day * DAY + (0 if outcome is Outcome.PASSED else HALF) + self.counter


@dataclass(frozen=True, slots=True)
class Stretch:
    """Numbers from `first` to `last`, both included."""

    first: int
    last: int


def next_numbers(connection: Connection, names: list[tuple[str, str]]) -> list[Given]:
    """Numbers for runs of these checks and regions, going up in their order. One question, however many there are."""
    checks, regions = [check for check, _ in names], [region for _, region in names]
    rows = connection.execute(_NEXT, {"checks": checks, "regions": regions, "half": HALF}).all()
    ascending = sorted((row.day, row.counter) for row in rows)
    places = [row.place for row in sorted(rows, key=lambda row: int(row.position))]
    return [Given(day, counter, place) for (day, counter), place in zip(ascending, places, strict=True)]


def last_counter(connection: Connection) -> int:
    """The last counter that was given to anybody, before it begins anew; 0: none was."""
    return connection.scalar(_LAST) or 0


def today(connection: Connection) -> int:
    """The day of the server."""
    return int(connection.execute(_TODAY).scalar_one())


def day_of(moment: datetime) -> int:
    """The day of a moment."""
    return (moment - EPOCH).days


def in_fleet(connection: Connection) -> bool:
    """Whether the database is one of a fleet, where runs have such numbers."""
    return connection.dialect.name == "postgresql"


def started_since(connection: Connection, since: datetime) -> list[ColumnElement[bool]]:
    """What holds for runs that began since then, said so that no partition of another day is looked at."""
    found: list[ColumnElement[bool]] = [runs.c.started >= since]
    if in_fleet(connection):
        # A run is judged after it began, by clocks that are not a day wrong.
        found.append(runs.c.seq >= max(day_of(since) - 1, 0) * DAY)
    return found


def last_seen(connection: Connection) -> datetime | None:
    """The last sign of life of any node of a fleet that judges."""
    return connection.scalar(_SEEN) if in_fleet(connection) else None


def days_stored(connection: Connection, since: datetime) -> range:
    """The days of a fleet on which runs were judged that began since then."""
    least, most = connection.execute(
        select(func.min(runs.c.seq), func.max(runs.c.seq)).where(*started_since(connection, since)[1:])
    ).one()
    return range(0) if least is None else range(least // DAY, most // DAY + 1)


def stretches(days: range, *, after: int = -1, until: int = HALF - 1) -> Iterator[tuple[Stretch, Stretch]]:
    """For each day the numbers whose counters, as the sequence gives them, are above `after` and up to `until`.

    Those of runs that passed, and of the others. All must lie in one round of the counter.
    """
    first, last = (after + 1) % HALF, until % HALF
    for day in days:
        passed, other = day * DAY, day * DAY + HALF
        yield Stretch(passed + first, passed + last), Stretch(other + first, other + last)
