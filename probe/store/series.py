"""A check over time: sums of its hours, its runs by columns, times of its steps, web vitals, and what it failed of.

All of it is answered from indexes, so that how much is stored of other checks costs nothing. Rows are plain numbers: a
month of a check has hundreds of thousands of runs.
"""

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    ScalarSelect,
    Text,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
    type_coerce,
)

from probe.core.ledger import HOUR
from probe.core.run import Outcome, StepOutcome
from probe.store.latest import micros
from probe.store.numbers import DAY, HALF, day_of, in_fleet, started_since, today
from probe.store.schema import details, meta, places, rollups, runs, steps

A_DAY: Final = 86_400_000_000
"""Microseconds."""
SLACK: Final = timedelta(hours=1)
"""How far runs are out of order, of those that are not in the sums yet."""
UNKNOWN: Final = timedelta(days=1)
"""How far back those are looked for when it is not known when the last began that is."""
KEPT: Final = timedelta(days=14)
LARGEST: Final = 60_000
"""Runs that are read one by one."""
GROUPS: Final = 50
"""Groups of failures."""
NOT_PASSED: Final = text("runs.outcome <> 'passed'")
"""As the index says it: with a parameter in place of the word it would not be used."""
_histogram: Final = msgspec.json.Decoder(dict[int, int], strict=False).decode


class Hour(NamedTuple):
    """The sums of one place in an hour that begins at `start` (seconds since 1970), `histogram` of those that passed."""

    place: int
    start: int
    passed: int
    failed: int
    errored: int
    missed: int
    histogram: dict[int, int]


Single = tuple[int, int, int, str, int]
"""A run, as little as graphs need of it: place, start and duration in microseconds, outcome, slots that it stands for."""


class Taken(NamedTuple):
    """How long a step took, in microseconds, in the runs that were found for a column of a place; columns count from 0.

    `seq` is the number of one of these runs.
    """

    place: int
    column: int
    position: int
    name: str
    seq: int
    durations: list[int]


class Group(NamedTuple):
    """Failures of one sort at one step in one place: how many, first and last start, and the number of the last run."""

    place: int
    step: str | None
    layer: str
    kind: str
    times: int
    first: int
    last: int
    seq: int


class Named(NamedTuple):
    """The id of a run, its place, its start (microseconds), and the message of its failure."""

    id: str
    place: int
    started: int
    message: str | None


def hours(connection: Connection, numbers: Sequence[int], start: int, end: int) -> list[Hour]:
    """The sums of places by the hour, from `start` until before `end` (seconds since 1970)."""
    c = rollups.c
    wanted = select(c.place, c.start, c.passed, c.failed, c.errored, c.missed, c.histogram).where(
        c.place.in_(numbers), c.span == HOUR, c.start >= start, c.start < end
    )
    return [Hour(*row[:6], _histogram(row[6])) for row in connection.execute(wanted).all()]


def not_rolled(connection: Connection, numbers: Sequence[int], start: datetime, end: datetime) -> list[Single]:
    """The runs of places that are in no sum yet: those of the last hour or so.

    One that was stored since the sums were last made, and yet began long before, is in neither: until they are made again.
    """
    rolled = connection.scalar(select(meta.c.value).where(meta.c.key == "rolled")) or 0
    fleet = in_fleet(connection)
    if fleet:
        half: ColumnElement[int] = literal_column(str(HALF))
        later = runs.c.seq.op("%")(half) > rolled % HALF
        day = connection.scalar(select(meta.c.value).where(meta.c.key == "rolled_day")) or 0
        known = [d * DAY + part + rolled % HALF for d in (day, day - 1) for part in (0, HALF)]
        since = connection.scalar(select(func.max(runs.c.started)).where(runs.c.seq.in_(known)))
    else:
        later = runs.c.seq > rolled
        newest = select(runs.c.started).where(runs.c.seq <= rolled).order_by(runs.c.seq.desc()).limit(1)
        since = connection.scalar(newest) if rolled else None
    if since is None:
        since = end - UNKNOWN if rolled else start
    return singles(connection, numbers, max(start, since - SLACK), end, later)


def singles(
    connection: Connection, numbers: Sequence[int], start: datetime, end: datetime, *more: ColumnElement[bool]
) -> list[Single]:
    """The runs of places that began from `start` until before `end`."""
    wanted = select(
        runs.c.place,
        type_coerce(runs.c.started, BigInteger),
        type_coerce(runs.c.duration, BigInteger),
        runs.c.outcome,
        func.coalesce(runs.c.slots, 1),
    ).where(runs.c.place.in_(numbers), *between(connection, start, end), *more)
    return [tuple(row) for row in connection.execute(wanted.limit(LARGEST)).all()]


def between(connection: Connection, start: datetime, end: datetime) -> list[ColumnElement[bool]]:
    """What holds for runs that began from `start` until before `end`."""
    return [*started_since(connection, start), runs.c.started < end]


def taken(
    connection: Connection, numbers: Sequence[int], *, start: datetime, width: int, columns: int, samples: int
) -> list[Taken]:
    """How long steps took that passed, in `samples` runs of each column of each place, evenly spread over the column.

    Columns follow on each other from `start`, each of `width` microseconds.
    """
    outcomes = Outcome.PASSED, Outcome.FAILED
    found = _sampled(connection, numbers, start, width // samples, columns * samples, outcomes)
    column = found.c.i.op("/")(literal_column(str(samples)))
    wanted = (
        select(
            found.c.place,
            column,
            steps.c.position,
            steps.c.name,
            func.max(found.c.seq),
            func.aggregate_strings(cast(type_coerce(steps.c.duration, BigInteger), Text), ","),
        )
        .join(steps, steps.c.run == found.c.seq)
        .where(steps.c.outcome == StepOutcome.PASSED.value, steps.c.duration.is_not(None))
        .group_by(found.c.place, column, steps.c.position, steps.c.name)
    )
    return [
        Taken(place, at, position, name, seq, [int(text) for text in durations.split(",")])
        for place, at, position, name, seq, durations in connection.execute(wanted).all()
    ]


def _sampled(
    connection: Connection,
    numbers: Sequence[int],
    start: datetime,
    every: int,
    samples: int,
    outcomes: Sequence[Outcome],
) -> CTE:
    """Place, sample and number of the first run of each sample of each place: one look into the index for each.

    Samples follow on each other from `start`, each of `every` microseconds, and count from 0.
    """
    zero = cast(literal_column("0"), BigInteger).label("i")
    number = select(zero).cte("number", recursive=True)
    number = number.union_all(select(number.c.i + 1).where(number.c.i < samples - 1))
    first, step = (literal_column(str(value), BigInteger) for value in (micros(start), every))
    sample = select(number.c.i, (first + number.c.i * step).label("begin")).cte("sample")
    seq = _first_run(connection, sample.c.begin, every, runs.c.outcome.in_([outcome.value for outcome in outcomes]))
    return (
        select(places.c.id.label("place"), sample.c.i.label("i"), seq.label("seq"))
        .select_from(places.join(sample, true()))
        .where(places.c.id.in_(numbers))
        .cte("found")
    )


def _first_run(
    connection: Connection, begin: ColumnElement[int], every: int, *more: ColumnElement[bool]
) -> ScalarSelect[int]:
    """The number of the first run of a place from a moment on, of those that began within `every` microseconds."""
    started = type_coerce(runs.c.started, BigInteger)
    known = [runs.c.place == places.c.id, started >= begin, started < begin + literal_column(str(every), BigInteger)]
    if in_fleet(connection):  # so that other partitions are left out; what was judged days later is no loss here
        day = begin.op("/")(literal_column(str(A_DAY)))
        known += [runs.c.seq >= (day - 1) * literal_column(str(DAY)), runs.c.seq < (day + 3) * literal_column(str(DAY))]
    wanted = select(runs.c.seq).where(*known, *more).order_by(runs.c.started).limit(1)
    return wanted.correlate_except(runs).scalar_subquery()


def with_vitals(
    connection: Connection, numbers: Sequence[int], start: datetime, end: datetime, samples: int
) -> list[tuple[str, int, int, list[dict[str, Any]]]]:
    """Id, place, start (microseconds) and web vitals of some runs that passed, evenly spread over the time that is kept."""
    kept = connection.scalar(select(func.min(details.c.started)).where(details.c.passed))
    begin = start if kept is None else max(start, kept)
    every = (micros(end) - micros(begin)) // max(samples, 1)
    if kept is None or every <= 0:
        return []
    found = _sampled(connection, numbers, begin, every, samples, (Outcome.PASSED,))
    wanted = (
        select(runs.c.id, runs.c.place, type_coerce(runs.c.started, BigInteger), details.c.body)
        .join(found, found.c.seq == runs.c.seq)
        .join(details, details.c.run == runs.c.seq)
    )
    rows = ((run, place, started, _vitals(body)) for run, place, started, body in connection.execute(wanted).all())
    return [row for row in rows if row[3]]


class _Seen(msgspec.Struct):
    """What is wanted of an observation."""

    vitals: list[dict[str, Any]] = []


class _Limits(msgspec.Struct):
    """What is wanted of it for the steps."""

    steps: list[dict[str, Any]] = []


_seen: Final = msgspec.json.Decoder(_Seen).decode
_limits: Final = msgspec.json.Decoder(_Limits).decode


def _vitals(body: bytes) -> list[dict[str, Any]]:
    try:
        return _seen(zlib.decompress(body)).vitals
    except msgspec.MsgspecError:  # of another version
        return []


def last_steps(connection: Connection, numbers: Sequence[int], now: datetime) -> list[tuple[str, float | None]]:
    """Names of the steps of the newest run that has any, of those of the last hours, and how long each may take."""
    for number in numbers:
        recent = (
            select(runs.c.seq, details.c.body)
            .outerjoin(details, details.c.run == runs.c.seq)
            .where(
                runs.c.place == number, runs.c.outcome == Outcome.PASSED.value, *started_since(connection, now - KEPT)
            )
            .order_by(runs.c.started.desc())
            .limit(1)
        )
        row = connection.execute(recent).one_or_none()
        if row is None:
            continue
        try:
            known = _limits(zlib.decompress(row.body)).steps if row.body is not None else []
        except msgspec.MsgspecError:  # of another version
            known = []
        if known:
            return [(step["name"], step.get("within")) for step in known]
        named = select(steps.c.name).where(steps.c.run == row.seq).order_by(steps.c.position)
        if found := connection.scalars(named).all():
            return [(name, None) for name in found]
    return []


def failed(connection: Connection, numbers: Sequence[int], start: datetime, end: datetime) -> list[Group]:
    """What the runs of places failed of, most frequent first; `missed` runs did not."""
    started = type_coerce(runs.c.started, BigInteger)
    sort = runs.c.place, runs.c.step, runs.c.layer, runs.c.failure
    wanted = (
        select(*sort, func.count(), func.min(started), func.max(started), func.max(runs.c.seq))
        .where(
            NOT_PASSED,
            runs.c.place.in_(numbers),
            *between(connection, start, end),
            *not_passed_numbers(connection, start),
            runs.c.layer.is_not(None),
        )
        .group_by(*sort)
        .order_by(func.count().desc(), *sort)
        .limit(GROUPS * max(len(numbers), 1))
    )
    return [Group(*row) for row in connection.execute(wanted).all()]


def not_passed_numbers(connection: Connection, start: datetime) -> list[ColumnElement[bool]]:
    """What holds for the numbers of runs that began since then and did not pass: in a fleet they are partitions of their own."""
    if not in_fleet(connection):
        return []
    days = range(max(day_of(start) - 1, 0), today(connection) + 1)
    return [or_(false(), *(runs.c.seq.between(day * DAY + HALF, (day + 1) * DAY - 1) for day in days))]


def named(connection: Connection, numbers: Iterable[int]) -> dict[int, Named]:
    """The runs of these numbers."""
    found = sorted(set(numbers))
    wanted = select(runs.c.seq, runs.c.id, runs.c.place, type_coerce(runs.c.started, BigInteger), runs.c.message)
    return {row[0]: Named(*row[1:]) for row in connection.execute(wanted.where(runs.c.seq.in_(found)))}


def kind_of(connection: Connection, number: int) -> tuple[str, str] | None:
    """The kind and the target of the newest run of a place; `None`: there is none."""
    wanted = select(runs.c.kind, runs.c.target).where(runs.c.place == number).order_by(runs.c.started.desc()).limit(1)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else (row.kind, row.target)
