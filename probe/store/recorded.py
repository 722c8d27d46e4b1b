"""Stored runs from the oldest on, a page at a time: for whoever reads all of them and cannot hold them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from heapq import merge
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select, true

from probe.core.run import Run, Step, StepOutcome
from probe.store.numbers import HALF, Stretch, days_stored, in_fleet, started_since, stretches
from probe.store.reader import Reader
from probe.store.rows import run_of
from probe.store.schema import places, runs, steps

PAGE: Final = 2000
"""Runs that are read in one transaction: the daemon's log can be cut between two of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The runs of a check in a region: how many slots there are from the first due time to the last."""

    check: str
    region: str
    first: datetime
    last: datetime
    slots: int

    @property
    def every(self) -> float | None:
        """Seconds between two slots; `None`: there is only one."""
        return (self.last - self.first).total_seconds() / (self.slots - 1) if self.slots > 1 else None


def extents(reader: Reader, *, since: datetime, checks: Sequence[str] = ()) -> tuple[Extent, ...]:
    """What is stored of the schedule, by check and region; `checks`: only of these."""

    def wanted(connection: Connection) -> Select[Any]:
        return (
            select(
                places.c.check_id,
                places.c.region,
                func.min(runs.c.started),
                func.max(runs.c.started),
                func.max(runs.c.slot) - func.min(runs.c.slot) + 1,
            )
            .join(places, places.c.id == runs.c.place)
            .where(*started_since(connection, since), runs.c.slot.is_not(None))
            .where(places.c.check_id.in_(checks) if checks else true())
            .group_by(places.c.check_id, places.c.region)
            .order_by(places.c.check_id, places.c.region)
        )

    found = reader.read(lambda connection: connection.execute(wanted(connection)).all())
    return tuple(
        Extent(check=check, region=region, first=first, last=last, slots=slots)
        for check, region, first, last, slots in found
    )


def recorded(reader: Reader, *, since: datetime) -> Iterator[Run]:
    """All runs since then, in the order in which they were written down, with the times of their steps."""
    for together in reader.read(partial(_stretches, since=since)):
        found = [_stretch(reader, stretch, since) for stretch in together]
        for _, run in merge(*found, key=lambda pair: pair[0] % HALF):
            yield run


def _stretches(connection: Connection, *, since: datetime) -> list[tuple[Stretch, ...]]:
    """Numbers of runs, one after the other; those that are to be read together have the same counter."""
    if not in_fleet(connection):
        return [(Stretch(1, HALF - 1),)]
    return list(stretches(days_stored(connection, since)))


def _stretch(reader: Reader, stretch: Stretch, since: datetime) -> Iterator[tuple[int, Run]]:
    left: Stretch | None = stretch
    while left is not None:
        page, left = reader.read(partial(_page, since=since, stretch=left))
        yield from page


def _page(connection: Connection, *, since: datetime, stretch: Stretch) -> tuple[list[tuple[int, Run]], Stretch | None]:
    wanted = (
        select(runs, places.c.check_id, places.c.region)
        .join(places, places.c.id == runs.c.place)
        .where(runs.c.seq.between(stretch.first, stretch.last), runs.c.started >= since)
        .order_by(runs.c.seq)
        .limit(PAGE)
    )
    rows = connection.execute(wanted).all()
    if not rows:
        return [], None
    taken: dict[int, list[Step]] = {}
    theirs = select(steps).where(steps.c.run >= rows[0].seq, steps.c.run <= rows[-1].seq)
    for row in connection.execute(theirs.order_by(steps.c.run, steps.c.position)):
        taken.setdefault(row.run, []).append(
            Step(name=row.name, outcome=StepOutcome(row.outcome), start=row.start, duration=row.duration)
        )
    found = []
    for row in rows:
        run = run_of(row, row.check_id, row.region)
        if (known := taken.get(row.seq)) is not None:
            run = replace(run, observation=replace(run.observation, steps=tuple(known)))
        found.append((row.seq, run))
    return found, Stretch(rows[-1].seq + 1, stretch.last) if len(rows) == PAGE else None
