"""Runs of one check, newest first, as the commands list them."""

from dataclasses import replace
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from probe.core.run import Outcome, Run, StepOutcome, Why
from probe.store.numbers import started_since
from probe.store.rows import run_of
from probe.store.schema import places, runs, steps

AT_ONCE: Final = 500
"""Runs that one query asks for by their numbers."""


def places_of(connection: Connection, check: str, region: str | None) -> list[tuple[int, str]]:
    """The numbers of a check's places, with their regions; of one region, or of all."""
    wanted = select(places.c.id, places.c.region).where(places.c.check_id == check)
    found = connection.execute(wanted if region is None else wanted.where(places.c.region == region))
    return [(row.id, row.region) for row in found]


def history(
    connection: Connection,
    *,
    names: tuple[str, str | None],
    limit: int,
    span: tuple[datetime | None, datetime | None],
    failed: bool,
) -> tuple[Run, ...]:
    """What `Reader.history` gives."""

    def newest(place: int) -> Select[Any]:
        wanted = select(runs).where(runs.c.place == place)
        since, until = span
        if since is not None:
            wanted = wanted.where(*started_since(connection, since))
        if until is not None:
            wanted = wanted.where(runs.c.started <= until)
        if failed:
            wanted = wanted.where(runs.c.outcome != Outcome.PASSED.value)
        return wanted.order_by(runs.c.started.desc(), runs.c.seq.desc()).limit(limit)

    # One look into the index for each region, and no sorting of all that there is.
    found = [
        [(row, name) for row in connection.execute(newest(place))] for place, name in places_of(connection, *names)
    ]
    latest = merge(*found, key=lambda pair: (pair[0].started, pair[0].seq), reverse=True)
    shown = list(islice(latest, limit))
    stopped = stopped_before(connection, [row.seq for row, _ in shown if Why(row.why).spares])
    return tuple(
        with_stop(run_of(row, names[0], name), stopped[row.seq])
        if row.seq in stopped and row.outcome == Outcome.PASSED.value
        else run_of(row, names[0], name)
        for row, name in shown
    )


def stopped_before(connection: Connection, extra: list[int]) -> dict[int, str]:
    """The first step that each of these runs skipped."""
    found: dict[int, str] = {}
    for begin in range(0, len(extra), AT_ONCE):
        skipped = select(steps.c.run, steps.c.name).where(
            steps.c.run.in_(extra[begin : begin + AT_ONCE]), steps.c.outcome == StepOutcome.SKIPPED.value
        )
        for row in connection.execute(skipped.order_by(steps.c.position)):
            found.setdefault(row.run, row.name)
    return found


def with_stop(run: Run, step: str) -> Run:
    """The run, stopped before a step."""
    return replace(run, observation=replace(run.observation, stopped_before=step))
