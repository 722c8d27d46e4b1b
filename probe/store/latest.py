"""The last runs of each place, and then what is new: for a grid that is looked at every few seconds.

Rows are plain numbers and texts: thousands of them are read at a time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)

from probe.core.run import Outcome, Why
from probe.store.numbers import HALF, in_fleet, last_counter, started_since, stretches, today
from probe.store.schema import EPOCH, MICROSECOND, places, runs

OURS: Final = (Why.CONTROL.value, Why.DRILL.value)
"""Runs that say nothing of a target."""
MANY: Final = 20_000
"""New runs at a time; when there are more it is cheaper to begin anew."""
OVERLAP: Final = 5_000
"""Numbers of a fleet that are looked at again: of transactions that end at the same time, the later number may be seen first."""
NEAR: Final = timedelta(days=1)
"""How far back a fleet's last runs are looked for at first: each day is a partition of its own."""
MINUTE: Final = 60_000_000


class Glance(NamedTuple):
    """A run in short. `started` and `duration` are microseconds, `lag` seconds; `slots` is how many it stands for.

    `layer` to `message` are of the failure that decided.
    """

    seq: int
    id: str
    place: int
    why: str
    outcome: str
    started: int
    duration: int
    slots: int
    lag: float
    slot: int | None
    layer: str | None
    kind: str | None
    step: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where runs are known: in a single node the last number, in a fleet the last counter."""

    number: int


def glances(source: Any = runs) -> tuple[ColumnElement[Any], ...]:
    """The columns of a `Glance`, of the table of runs or an alias of it."""
    c = source.c
    return (
        c.seq,
        c.id,
        c.place,
        c.why,
        c.outcome,
        type_coerce(c.started, BigInteger),
        type_coerce(c.duration, BigInteger),
        func.coalesce(c.slots, 1),
        c.lag,
        c.slot,
        c.layer,
        c.failure,
        c.step,
        c.message,
    )


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


def moment_of(micros: int) -> datetime:
    """The moment that so many microseconds since 1970 are."""
    return EPOCH + timedelta(microseconds=micros)


def place_names(connection: Connection) -> dict[int, tuple[str, str]]:
    """The number of each place → check and region."""
    return {row.id: (row.check_id, row.region) for row in connection.execute(select(places))}


def mark(connection: Connection) -> Mark:
    """Up to where runs are stored now."""
    if in_fleet(connection):
        return Mark(last_counter(connection))
    return Mark(connection.scalar(select(func.max(runs.c.seq))) or 0)


def last_of_all(connection: Connection, count: int, now: datetime) -> dict[int, list[Glance]]:
    """The last runs of every place, oldest first: a few looks into the index for each."""
    if not in_fleet(connection):
        inner = runs.alias("r")
        newest = (
            select(inner.c.seq)
            .where(inner.c.place == places.c.id)
            .order_by(inner.c.started.desc(), inner.c.seq.desc())
            .limit(count)
            .correlate(places)
        )
        wanted = select(*glances()).select_from(places.join(runs, runs.c.seq.in_(newest)))
        return _by_place(connection.execute(wanted).all())
    found = _by_place(connection.execute(_of_fleet(connection, count, now - NEAR)).all())
    few = [place for place in place_names(connection) if len(found.get(place, ())) < count]
    for place in few:
        found[place] = last_of(connection, place, count)
    return found


def _of_fleet(connection: Connection, count: int, since: datetime) -> Select[Any]:
    newest = (
        select(runs)
        .where(runs.c.place == places.c.id, *started_since(connection, since))
        .order_by(runs.c.started.desc(), runs.c.seq.desc())
        .limit(count)
        .correlate(places)
        .lateral()
    )
    return select(*glances(newest)).select_from(places).join(newest, newest.c.place == places.c.id)


def last_of(connection: Connection, place: int, count: int) -> list[Glance]:
    """The last runs of one place, oldest first."""
    wanted = select(*glances()).where(runs.c.place == place)
    rows = connection.execute(wanted.order_by(runs.c.started.desc(), runs.c.seq.desc()).limit(count)).all()
    return [Glance(*row) for row in rows][::-1]


def _by_place(rows: Iterable[Sequence[Any]]) -> dict[int, list[Glance]]:
    found: dict[int, list[Glance]] = {}
    for row in rows:
        found.setdefault(row[2], []).append(Glance(*row))
    for known in found.values():
        known.sort(key=lambda run: (run.started, run.seq))
    return found


def new_since(connection: Connection, known: Mark) -> list[Glance] | None:
    """The runs that were stored since then, in no order, and some that were known; `None`: too many, begin anew."""
    wanted = select(*glances()).limit(MANY + OVERLAP + 1)
    if not in_fleet(connection):
        rows = connection.execute(wanted.where(runs.c.seq > known.number).order_by(runs.c.seq)).all()
    else:
        last, first = last_counter(connection), known.number - OVERLAP
        if last < known.number or last // HALF != max(first, 0) // HALF or last - known.number > MANY:
            return None
        day = today(connection)
        both = [part for pair in stretches(range(day - 1, day + 1), after=max(first, -1), until=last) for part in pair]
        theirs = or_(*(runs.c.seq.between(part.first, part.last) for part in both))
        rows = connection.execute(wanted.where(theirs)).all()
    return None if len(rows) > MANY + OVERLAP else [Glance(*row) for row in rows]


def counted(connection: Connection, since: datetime) -> dict[tuple[int, str, str], int]:
    """Minute (since 1970), region, outcome → how many slots of runs began since then that say something of a target."""
    minute = type_coerce(runs.c.started, BigInteger).op("/")(
        literal_column(str(MINUTE))
    )  # not a parameter: it is grouped by
    slots = func.sum(func.coalesce(runs.c.slots, 1))
    wanted = (
        select(minute, places.c.region, runs.c.outcome, slots)
        .join(places, places.c.id == runs.c.place)
        .where(*_lately(connection, since))
        .group_by(minute, places.c.region, runs.c.outcome)
    )
    return {(at, region, outcome): int(count) for at, region, outcome, count in connection.execute(wanted).all()}


def lags(connection: Connection, since: datetime) -> list[tuple[int, float]]:
    """Start (microseconds) and lag (seconds) of the scheduled runs that began since then."""
    wanted = select(type_coerce(runs.c.started, BigInteger), runs.c.lag).where(
        *_lately(connection, since), runs.c.slot.is_not(None), runs.c.outcome.not_in(UNSTARTED)
    )
    return [(at, lag) for at, lag in connection.execute(wanted).all()]


UNSTARTED: Final = (Outcome.MISSED.value, Outcome.ABORTED.value)


def _lately(connection: Connection, since: datetime) -> ColumnElement[bool]:
    return and_(
        runs.c.outcome.in_([outcome.value for outcome in Outcome]),  # as the index is made
        *started_since(connection, since),
        runs.c.why.not_in(OURS),
    )
