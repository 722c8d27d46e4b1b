"""A check over time: how long it and its steps take, what it fails of, what is left of its budgets, and what happened meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from probe.core.check import CheckId
from probe.core.encode import seconds, timestamp
from probe.core.incident import Incident, Verdict
from probe.core.maintenance import occurrences
from probe.core.message import headline
from probe.core.people import Mark
from probe.core.rules import Watched
from probe.core.state import State
from probe.core.verdict import status
from probe.store import series
from probe.store.counts import Counted
from probe.store.history import places_of
from probe.store.latest import last_of, moment_of
from probe.store.listing import incidents_between
from probe.store.reader import Snapshot
from probe.store.restore import Part, read_state
from probe.view.burndown import burndown
from probe.view.cell import cell_of
from probe.view.columns import Grid, columns_of, grid_of
from probe.view.documents import (
    Cell,
    Column,
    FailureGroup,
    IncidentRow,
    Journey,
    MarkRow,
    VitalsPoint,
)
from probe.view.incidents import incident_row
from probe.view.recent import BARS, strip_of
from probe.view.runs import runs
from probe.view.sources import Sources
from probe.view.step_columns import StepTimes

SAMPLES: Final = 5
"""Runs that the times of steps are taken from, of each column and region, where that is not too many."""
ALL_SAMPLES: Final = 1000
"""The same of all together."""
PAGES: Final = 40
"""Runs whose web vitals are shown."""
NEWEST: Final = 20
"""Runs that are listed."""
MOST_INCIDENTS: Final = 200
MOST_MARKS: Final = 500
"""Moments that are shown in a graph: the newest."""
BROWSERS: Final = ("browser", "playwright-pytest")
"""Kinds of checks that have web vitals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was read, in one transaction."""

    kind: str
    target: str
    grid: Grid
    state: State
    columns: list[Column]
    times: StepTimes
    vitals: list[tuple[str, int, int, list[dict[str, Any]]]]
    steps: list[tuple[str, float | None]]
    groups: list[series.Group]
    named: Mapping[int, series.Named]
    incidents: list[Incident]
    cells: list[Cell]


def journey(sources: Sources, check: str, start: datetime, end: datetime, region: str | None) -> Journey | None:
    """A check from `start` until before `end`, of one region or of all; `None`: there is no such check (there).

    Where there is much to show it is drawn from what hours add up to: exact to one part in twelve.
    """
    watched, spec = sources.rules.watched(CheckId(check)), sources.checks.get(CheckId(check))
    seen_places = sources.reader.read(partial(places_of, check=check, region=region))
    if not seen_places and (watched is None or region not in (None, *watched.regions)):
        return None
    places = dict(seen_places)
    found = sources.reader.read(partial(_read, sources=sources, check=check, places=places, span=(start, end)))
    known = watched or Watched(
        id=CheckId(check),
        target=found.target,
        cause=found.target,
        regions=tuple(sorted(places.values())),
        every=timedelta(),
        timeout=timedelta(),
    )
    names = found.times.names([name for name, _ in found.steps], () if spec is None else spec.steps)
    first, last = moment_of(found.grid.start), moment_of(found.grid.end)
    ours = [incident for incident in found.incidents if check in incident.members]
    clean = sources.redactor.structure
    return Journey(
        check=check,
        description=known.promise,
        kind=found.kind if spec is None else spec.kind,
        target=known.target,
        host=known.cause,
        verdict=(
            Verdict.UNKNOWN
            if watched is None
            else status(found.state.checks.get(watched.id), watched, found.state.regions, sources.now)
        ).value,
        every=known.every.total_seconds(),
        timeout=known.timeout.total_seconds(),
        regions=[name for name in known.regions if region in (None, name)],
        tags=list(known.tags),
        source=None if spec is None else str(spec.source),
        period=found.grid.period,
        steps=clean(names),
        limits=[dict(found.steps).get(name) for name in names],
        columns=found.columns,
        step_columns=found.times.columns(found.grid, names, places, found.named),
        vitals=clean(_vitals(found, places)),
        failures=clean(_failures(found, places)),
        budgets=[
            burndown(objective, found.state, sources.now) for objective in sources.rules.counted.get(CheckId(check), ())
        ],
        marks=clean(_marks(sources, known, ours, first, last)),
        cells=found.cells,
        runs=runs(sources, check=check, region=region, start=first, end=last, limit=NEWEST)["runs"],
        incidents=clean(_incident_rows(ours, sources)),
    )


def _read(
    connection: Snapshot, *, sources: Sources, check: str, places: dict[int, str], span: tuple[datetime, datetime]
) -> _Seen:
    numbers, watched = list(places), sources.rules.watched(CheckId(check))
    start, end = span
    every = 60.0 if watched is None else max(watched.every.total_seconds(), 1.0)
    grid, single = grid_of(start, end, (end - start).total_seconds() / every * max(len(numbers), 1))
    first, last = moment_of(grid.start), moment_of(grid.end)
    kind, target = (series.kind_of(connection, numbers[0]) if numbers else None) or ("", "")
    spec = sources.checks.get(CheckId(check))
    kind = kind if spec is None else spec.kind
    if single:
        columns = columns_of(grid, places, series.singles(connection, numbers, first, last))
    else:
        hours = series.hours(connection, numbers, grid.start // 1_000_000, -(-grid.end // 1_000_000))
        columns = columns_of(grid, places, series.not_rolled(connection, numbers, first, last), hours)
    groups = series.failed(connection, numbers, first, last)
    objectives = [objective.name for objective in sources.rules.counted.get(CheckId(check), ())]
    part = Part(shard="", checks=[check], objectives=objectives)
    state = read_state(connection, None, part, counted=False)
    state.ledgers.update(Counted().refresh(connection, objectives, sources.now))
    many = max(1, min(SAMPLES, ALL_SAMPLES // max(1, grid.count * len(numbers))))
    times = StepTimes(
        series.taken(connection, numbers, start=first, width=grid.width, columns=grid.count, samples=many)
    )
    return _Seen(
        kind=kind,
        target=target,
        grid=grid,
        state=state,
        columns=columns,
        times=times,
        vitals=series.with_vitals(connection, numbers, first, last, PAGES // max(len(numbers), 1))
        if kind in BROWSERS
        else [],
        steps=series.last_steps(connection, numbers, sources.now),
        groups=groups,
        named=series.named(connection, [*(group.seq for group in groups), *times.spokesmen()]),
        incidents=incidents_between(connection, first, last, MOST_INCIDENTS),
        cells=_cells(connection, sources, watched, places, state),
    )


def _cells(
    connection: Snapshot, sources: Sources, watched: Watched | None, places: Mapping[int, str], state: State
) -> list[Cell]:
    if watched is None:
        return []
    lasts = {region: last_of(connection, place, BARS) for place, region in places.items()}
    strips = {region: strip_of(runs) for region, runs in lasts.items() if runs}
    shown = [region for region in watched.regions if region in strips or not places or region in places.values()]
    return [cell_of(watched, region, strips.get(region), state, sources) for region in shown]


def _vitals(found: _Seen, places: Mapping[int, str]) -> list[VitalsPoint]:
    return [
        VitalsPoint(
            at=timestamp(moment_of(started)),
            region=places[place],
            run=run,
            url=str(page.get("url", "")),
            ttfb=seconds(page.get("ttfb")),
            fcp=seconds(page.get("fcp")),
            lcp=seconds(page.get("lcp")),
            cls=seconds(page.get("cls")),
            inp=seconds(page.get("inp")),
        )
        for run, place, started, pages in sorted(found.vitals, key=lambda point: point[2])
        for page in pages
    ]


def _failures(found: _Seen, places: Mapping[int, str]) -> list[FailureGroup]:
    """Of all regions together, most frequent first."""
    groups: dict[tuple[str | None, str, str], list[series.Group]] = {}
    for group in found.groups:
        groups.setdefault((group.step, group.layer, group.kind), []).append(group)
    rows = []
    for (step, layer, kind), parts in groups.items():
        latest = max(parts, key=lambda part: part.last)
        run = found.named[latest.seq]
        rows.append(
            FailureGroup(
                step=step,
                layer=layer,
                kind=kind,
                message=run.message or "",
                count=sum(part.times for part in parts),
                regions=sorted(places[part.place] for part in parts),
                first=timestamp(moment_of(min(part.first for part in parts))),
                last=timestamp(moment_of(latest.last)),
                run=run.id,
            )
        )
    return sorted(rows, key=lambda row: (-row["count"], row["step"] or "", row["kind"]))[: series.GROUPS]


def _marks(
    sources: Sources, watched: Watched, incidents: Sequence[Incident], start: datetime, end: datetime
) -> list[MarkRow]:
    """What happened meanwhile, in order: deploys and the like, maintenance, incidents."""
    rows = [mark_row(mark) for mark in sources.people.marks(start, end, watched.id)]
    rows += [
        MarkRow(kind="maintenance", at=timestamp(begin), until=timestamp(until), text=name, incident=None)
        for name, begin, until in occurrences(sources.rules.windows, watched, start, end)
    ]
    rows += [
        MarkRow(
            kind="incident",
            at=timestamp(incident.since),
            until=None if incident.resolved is None else timestamp(incident.resolved),
            text=headline(incident),
            incident=incident.id,
        )
        for incident in incidents
    ]
    return sorted(rows, key=lambda row: row["at"])[-MOST_MARKS:]


def mark_row(mark: Mark) -> MarkRow:
    """A mark as graphs show it."""
    return MarkRow(kind=mark.kind, at=timestamp(mark.at), until=None, text=mark.text, incident=None)


def _incident_rows(incidents: Sequence[Incident], sources: Sources) -> list[IncidentRow]:
    return [incident_row(incident, sources.rules, sources.now) for incident in incidents]
