"""What is stored around a run or an incident: found by the index of places and times, whatever else there is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from probe.core.incident import Incident
from probe.core.run import Outcome, Run, RunId, StepOutcome, Why
from probe.core.state import State
from probe.store.numbers import started_since
from probe.store.reader import Reader
from probe.store.restore import Part, read_state
from probe.store.rows import from_json, run_of
from probe.store.schema import details, incidents, places, runs, steps

BACK: Final = timedelta(days=14)
"""How far back one looks for a run: those that passed are not kept for longer, unless somebody says otherwise."""
SLACK: Final = timedelta(days=1)
"""How long after a bad run the incident that it belongs to may have been opened."""
SOME: Final = 20
"""Incidents that are looked at for one run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The runs of the same check and region before and after a run, and the last before it that passed."""

    before: RunId | None
    after: RunId | None
    last_good: RunId | None


def neighbours(reader: Reader, run: Run) -> Neighbours:
    """The neighbours of a run in time; none where it is not stored."""
    return reader.read(partial(_neighbours, run=run))


def last_passed(reader: Reader, check: str, region: str, before: datetime) -> Run | None:
    """The last run of a check in a region that passed before a moment, without details."""

    def read(connection: Connection) -> Run | None:
        place = _place(connection, check, region)
        if place is None:
            return None
        wanted = select(runs).where(*_earlier(connection, place, before), runs.c.outcome == Outcome.PASSED.value)
        row = connection.execute(wanted.order_by(runs.c.started.desc(), runs.c.seq.desc()).limit(1)).one_or_none()
        return None if row is None else run_of(row, check, region)

    return reader.read(read)


def first_bad(reader: Reader, check: str, region: str, start: datetime, end: datetime) -> Run | None:
    """The first run of a check in a region that failed, or could not be made, from a moment on, without details."""

    def read(connection: Connection) -> Run | None:
        place = _place(connection, check, region)
        if place is None:
            return None
        bad = [Outcome.FAILED.value, Outcome.ERRORED.value]
        wanted = select(runs).where(
            runs.c.place == place, *started_since(connection, start), runs.c.started <= end, runs.c.outcome.in_(bad)
        )
        row = connection.execute(wanted.order_by(runs.c.started, runs.c.seq).limit(1)).one_or_none()
        return None if row is None else run_of(row, check, region)

    return reader.read(read)


def part_of_state(reader: Reader, *, checks: Collection[str], objectives: Collection[str]) -> State:
    """What judgement remembers of some checks and objectives, with the incidents that are open."""
    part = Part(shard="", checks=checks, objectives=objectives)
    return reader.read(lambda connection: read_state(connection, None, part))


def runs_between(
    reader: Reader, checks: Collection[str], start: datetime, end: datetime, *, limit: int
) -> tuple[Run, ...]:
    """Runs of some checks in all regions, the first so many from `start` on, oldest first.

    Without details: the failure that decided is known, and of runs made to confirm before which step they were stopped.
    """
    return reader.read(partial(_between, checks=sorted(checks), span=(start, end), limit=limit))


def whole_runs(reader: Reader, ids: Collection[str]) -> tuple[Run, ...]:
    """Runs with all that is still known of them, oldest first; those that are forgotten are left out."""

    def read(connection: Connection) -> tuple[Run, ...]:
        wanted = (
            select(runs, places.c.check_id, places.c.region, details.c.body)
            .join(places, places.c.id == runs.c.place)
            .outerjoin(details, details.c.run == runs.c.seq)
            .where(runs.c.id.in_(sorted(ids)))
            .order_by(runs.c.started, runs.c.id)
        )
        return tuple(run_of(row, row.check_id, row.region, row.body) for row in connection.execute(wanted))

    return reader.read(read) if ids else ()


def incidents_around(reader: Reader, at: datetime) -> tuple[Incident, ...]:
    """Incidents that a moment may belong to: not over by then, and opened soon after it at the latest. Newest first."""
    wanted = (
        select(incidents.c.body)
        .where(or_(incidents.c.resolved.is_(None), incidents.c.resolved >= at), incidents.c.opened <= at + SLACK)
        .order_by(incidents.c.opened.desc(), incidents.c.id.desc())
        .limit(SOME)
    )
    found = reader.read(lambda connection: connection.scalars(wanted).all())
    return tuple(incident for body in found if (incident := from_json(Incident, body)).since <= at)


def _neighbours(connection: Connection, *, run: Run) -> Neighbours:
    place = _place(connection, run.check, run.region)
    seq = connection.scalar(select(runs.c.seq).where(runs.c.id == run.id))
    if place is None or seq is None:
        return Neighbours(before=None, after=None, last_good=None)
    earlier = _earlier(connection, place, run.started)
    tie = or_(runs.c.started < run.started, runs.c.seq < seq)
    newest = select(runs.c.id).order_by(runs.c.started.desc(), runs.c.seq.desc()).limit(1)
    later = [
        runs.c.place == place,
        *started_since(connection, run.started),
        or_(runs.c.started > run.started, runs.c.seq > seq),
    ]
    return Neighbours(
        before=connection.scalar(newest.where(*earlier, tie)),
        after=connection.scalar(select(runs.c.id).where(*later).order_by(runs.c.started, runs.c.seq).limit(1)),
        last_good=connection.scalar(newest.where(*earlier, tie, runs.c.outcome == Outcome.PASSED.value)),
    )


def _place(connection: Connection, check: str, region: str) -> int | None:
    wanted = select(places.c.id).where(and_(places.c.check_id == check, places.c.region == region))
    return connection.scalar(wanted)


def _earlier(connection: Connection, place: int, before: datetime) -> list[ColumnElement[bool]]:
    return [runs.c.place == place, runs.c.started <= before, *started_since(connection, before - BACK)]


def _between(
    connection: Connection, *, checks: Sequence[str], span: tuple[datetime, datetime], limit: int
) -> tuple[Run, ...]:
    names = {
        row.id: (row.check_id, row.region)
        for row in connection.execute(select(places).where(places.c.check_id.in_(checks)))
    }
    if not names:
        return ()
    start, end = span
    wanted: Select[Any] = (
        select(runs)
        .where(runs.c.place.in_(sorted(names)), *started_since(connection, start), runs.c.started <= end)
        .order_by(runs.c.started, runs.c.id)
        .limit(limit)
    )
    rows = connection.execute(wanted).all()
    stopped = _stopped(connection, [row.seq for row in rows if Why(row.why).spares])
    found = []
    for row in rows:
        run = run_of(row, *names[row.place])
        if run.outcome is Outcome.PASSED and row.seq in stopped:
            run = replace(run, observation=replace(run.observation, stopped_before=stopped[row.seq]))
        found.append(run)
    return tuple(found)


def _stopped(connection: Connection, extra: list[int]) -> dict[int, str]:
    """The first step that each of these runs skipped."""
    found: dict[int, str] = {}
    if extra:
        skipped = select(steps.c.run, steps.c.name).where(
            steps.c.run.in_(extra), steps.c.outcome == StepOutcome.SKIPPED.value
        )
        for row in connection.execute(skipped.order_by(steps.c.run, steps.c.position)):
            found.setdefault(row.run, row.name)
    return found
