"""Pages of runs and of incidents, newest first: what comes in while somebody reads moves nothing.

A cursor says where the last page ended, by values of its last row: nothing is counted or skipped to go on from there.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, or_, select, type_coerce

from probe.core.failure import Layer
from probe.core.incident import Incident
from probe.core.run import Outcome, Run, Why
from probe.store.history import places_of, stopped_before, with_stop
from probe.store.latest import micros
from probe.store.numbers import in_fleet, started_since
from probe.store.rows import from_json, run_of
from probe.store.schema import incidents, places, runs
from probe.store.series import NOT_PASSED, not_passed_numbers

_RUN_CURSOR: Final = re.compile(r"([0-9a-f]{1,15})-([0-9a-f]{1,15})")
_INCIDENT_CURSOR: Final = re.compile(r"([0-9a-f]{1,15})-(\S{1,100})")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs are wanted; `None`: all. `step`, `kind` and `layer` are of the failure that decided.

    They began from `start` until before `end`.
    """

    check: str | None = None
    region: str | None = None
    outcome: Outcome | None = None
    step: str | None = None
    kind: str | None = None
    layer: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def only_bad(self) -> bool:
        """Whether no run that passed is wanted."""
        return self.outcome not in (None, Outcome.PASSED) or any(
            value is not None for value in (self.step, self.kind, self.layer)
        )


def page_of_runs(
    connection: Connection, wanted: RunFilter, *, cursor: str | None, limit: int
) -> tuple[list[Run], str | None]:
    """Runs, newest first, and the cursor to go on from. `ValueError`: that is no cursor."""
    after = None if cursor is None else _run_cursor(cursor)
    if wanted.check is None:
        outcomes = [wanted.outcome] if wanted.outcome is not None else list(Outcome)
        if wanted.only_bad:
            outcomes = [outcome for outcome in outcomes if outcome is not Outcome.PASSED]
        if wanted.layer is not None:  # trouble of our own is never a target's
            ours = wanted.layer == Layer.PROBE.value
            outcomes = [outcome for outcome in outcomes if (outcome is not Outcome.FAILED) == ours]
        there = [] if wanted.region is None else [runs.c.place.in_(_places_in(wanted.region))]
        parts = [[runs.c.outcome == outcome.value, *there] for outcome in outcomes]
    else:
        same = [] if wanted.outcome is None else [runs.c.outcome == wanted.outcome.value]
        parts = [[runs.c.place == place, *same] for place, _ in places_of(connection, wanted.check, wanted.region)]
    numbers = not_passed_numbers(connection, wanted.start) if wanted.only_bad and wanted.start is not None else []
    # One look into the index for each place, or each outcome, and no sorting of all that there is.
    found = [
        connection.execute(_newest(connection, wanted, [*part, *numbers], after, limit + 1)).all() for part in parts
    ]
    ordered = merge(*found, key=lambda row: (row.started, row.seq), reverse=True)
    rows = list(islice(ordered, limit + 1))
    shown = rows[:limit]
    stopped = stopped_before(connection, [row.seq for row in shown if Why(row.why).spares])
    page = []
    for row in shown:
        run = run_of(row, row.check_id, row.region)
        cut = row.seq in stopped and row.outcome == Outcome.PASSED.value
        page.append(with_stop(run, stopped[row.seq]) if cut else run)
    more = f"{micros(shown[-1].started):x}-{shown[-1].seq:x}" if len(rows) > limit else None
    return page, more


def _newest(
    connection: Connection,
    wanted: RunFilter,
    part: list[ColumnElement[bool]],
    after: tuple[int, int] | None,
    limit: int,
) -> Select[Any]:
    known = [*part]
    known += [
        column == value
        for column, value in ((runs.c.step, wanted.step), (runs.c.failure, wanted.kind), (runs.c.layer, wanted.layer))
        if value is not None
    ]
    if wanted.start is not None:
        known += started_since(connection, wanted.start)
    if wanted.end is not None:
        known.append(runs.c.started < wanted.end)
    if after is not None:
        started, seq = type_coerce(runs.c.started, BigInteger), runs.c.seq
        known += [started <= after[0], or_(started < after[0], seq < after[1])]
    order = runs.c.started.desc(), runs.c.seq.desc()
    numbers = select(runs.c.seq).where(*known)
    if wanted.only_bad:
        numbers = numbers.where(NOT_PASSED)
    if wanted.only_bad and wanted.check is not None and not in_fleet(connection):
        # An order that no index has: else SQLite reads all runs that passed, in order, to be spared the sorting of a few.
        numbers = numbers.order_by(type_coerce(runs.c.started, BigInteger).op("+")(0).desc(), runs.c.seq.desc())
    else:
        numbers = numbers.order_by(*order)
    numbers = numbers.limit(limit)
    whole = select(runs, places.c.check_id, places.c.region).join(places, places.c.id == runs.c.place)
    return whole.where(runs.c.seq.in_(numbers.scalar_subquery())).order_by(*order)


def _places_in(region: str) -> Any:
    return select(places.c.id).where(places.c.region == region)


def _run_cursor(text: str) -> tuple[int, int]:
    if (found := _RUN_CURSOR.fullmatch(text)) is None:
        raise ValueError(f"{text[:40]!r} is no cursor: take the one that the last page gave")
    return int(found[1], 16), int(found[2], 16)


def page_of_incidents(
    connection: Connection, *, open_only: bool, cursor: str | None, limit: int
) -> tuple[list[Incident], str | None]:
    """Incidents, newest first, and the cursor to go on from. `ValueError`: that is no cursor."""
    opened = type_coerce(incidents.c.opened, BigInteger)
    wanted = select(opened.label("at"), incidents.c.id, incidents.c.body)
    if open_only:
        wanted = wanted.where(incidents.c.resolved.is_(None))
    if cursor is not None:
        if (found := _INCIDENT_CURSOR.fullmatch(cursor)) is None:
            raise ValueError(f"{cursor[:40]!r} is no cursor: take the one that the last page gave")
        at = int(found[1], 16)
        wanted = wanted.where(opened <= at, or_(opened < at, incidents.c.id < found[2]))
    order = incidents.c.opened.desc(), incidents.c.id.desc()
    rows = connection.execute(wanted.order_by(*order).limit(limit + 1)).all()
    shown = rows[:limit]
    more = f"{shown[-1].at:x}-{shown[-1].id}" if len(rows) > limit else None
    return [from_json(Incident, row.body) for row in shown], more


def incidents_between(connection: Connection, start: datetime, end: datetime, limit: int) -> list[Incident]:
    """The incidents that were open at some moment from `start` until before `end`, newest first."""
    resolved, opened = incidents.c.resolved, incidents.c.opened
    wanted = select(incidents.c.body).where(opened < end, or_(resolved.is_(None), resolved >= start))
    rows = connection.scalars(wanted.order_by(opened.desc(), incidents.c.id.desc()).limit(limit))
    return [from_json(Incident, body) for body in rows]


def resolved_since(connection: Connection, since: datetime, limit: int) -> list[Incident]:
    """The incidents that were resolved since then, the newest first."""
    wanted = select(incidents.c.body).where(incidents.c.resolved >= since)
    rows = connection.scalars(wanted.order_by(incidents.c.resolved.desc(), incidents.c.id.desc()).limit(limit))
    return [from_json(Incident, body) for body in rows]
