"""Lists of runs."""

from datetime import datetime
from functools import partial
from typing import Final

from probe.core.encode import timestamp
from probe.core.run import Outcome, Run
from probe.store.listing import RunFilter, page_of_runs
from probe.view.documents import Failing, RunPage, RunRow
from probe.view.sources import Sources

MOST: Final = 1000
"""Runs of a page."""


def runs(
    sources: Sources,
    *,
    check: str | None = None,
    region: str | None = None,
    outcome: str | None = None,
    step: str | None = None,
    kind: str | None = None,
    layer: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> RunPage:
    """A page of runs, newest first. `step`, `kind` and `layer` are of the failure; they began from `start` until before `end`.

    `ValueError`: the cursor is none that a page gave, or there is no such outcome.
    """
    wanted = RunFilter(
        check=check,
        region=region,
        outcome=None if outcome is None else Outcome(outcome),
        step=step,
        kind=kind,
        layer=layer,
        start=start,
        end=end,
    )
    page = partial(page_of_runs, wanted=wanted, cursor=cursor, limit=max(1, min(limit, MOST)))
    found, more = sources.reader.read(page)
    return RunPage(runs=sources.redactor.structure([run_row(run) for run in found]), next=more)


def run_row(run: Run) -> RunRow:
    """A run as a list shows it."""
    failure = run.failure
    return RunRow(
        run=run.id,
        check=run.check,
        region=run.region,
        why=run.why.value,
        outcome=run.outcome.value,
        started=timestamp(run.started),
        duration=round(run.duration.total_seconds(), 4),
        slots=1 if run.slot is None else run.slot.count,
        lag=round(run.lag, 4),
        maintenance=run.maintenance,
        stopped_before=run.observation.stopped_before,
        failing=None
        if failure is None
        else Failing(layer=failure.layer.value, kind=failure.kind, message=failure.message, step=failure.step),
    )
