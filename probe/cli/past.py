"""Runs of one check as a table: what `probe history` shows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from probe.cli.table import MARKS, STYLES, console
from probe.core.duration import format_duration
from probe.core.failure import Failure
from probe.core.run import Outcome, Run, Why

LAG = 0.001
"""Seconds of lag from which it is shown."""


def print_history(runs: Sequence[Run], since: datetime, limit: int) -> None:
    """A row a run, and what they add up to: what an alert says can be counted here. `limit`: of how many at most."""
    screen = console()
    if not runs:
        screen.print(f"no such run since {_moment(since)}", soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("started (UTC)", no_wrap=True)
    table.add_column("region", no_wrap=True)
    table.add_column("why", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("lag", justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for run in runs:
        table.add_row(
            f"{run.started:%Y-%m-%d %H:%M:%S}",
            run.region,
            run.why.value,
            Text.assemble(MARKS[run.outcome], " ", (_outcome(run), STYLES[run.outcome])),
            format_duration(run.duration) if run.duration else "",
            format_duration(run.lag) if run.lag >= LAG else "",
            _reason(run),
        )
    screen.print(table)
    counts = Counter[Outcome]()
    for run in runs:
        counts[run.outcome] += _slots(run)
    parts = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome])
    screen.print(f"\n{parts}; {_moment(runs[-1].started)} to {_moment(runs[0].started)}", soft_wrap=True)
    for line in _failures(runs):
        screen.print(line, soft_wrap=True)
    if len(runs) == limit:
        screen.print(f"these are the newest {limit}: --limit shows more", style="dim", soft_wrap=True)


def _failures(runs: Sequence[Run]) -> Iterable[str]:
    """Each step and kind of failure: how many of the runs that say something, from which regions, since when."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        if run.outcome is Outcome.FAILED and run.failure is not None:
            found.setdefault(_kind(run.failure), []).append(run)
    answers = [run for run in runs if run.outcome in (Outcome.PASSED, Outcome.FAILED) and run.why is not Why.CONTROL]
    for kind, failed in sorted(found.items(), key=lambda item: -len(item[1])):
        first, last = failed[-1].started, failed[0].started
        regions = sorted({run.region for run in failed})
        since = [run for run in answers if first <= run.started <= last]
        yield (
            f"{kind}: {len(failed)} failed, of {len(since)} that passed or failed"
            f" from {_moment(first)} to {last:%H:%M:%S}, in {', '.join(regions)}"
        )


def _kind(failure: Failure) -> str:
    step = f"{failure.step}: " if failure.step else ""
    return f"{step}{failure.layer} {failure.kind}"


def _slots(run: Run) -> int:
    return 1 if run.slot is None else run.slot.count


def _outcome(run: Run) -> str:
    return run.outcome.value if _slots(run) == 1 else f"{run.outcome} ×{_slots(run)}"


def _reason(run: Run) -> Text:
    reason, failure = Text(""), run.failure
    if failure is not None:
        said = failure.message.splitlines()[0] if failure.message else ""
        step = f"{failure.step}: " if failure.step else ""
        reason = Text.assemble((step, "bold"), (f"{failure.layer} {failure.kind}: {said}", STYLES[run.outcome]))
    elif run.observation.stopped_before is not None:
        reason = Text(f"ended before {run.observation.stopped_before!r}, which has side effects", "dim")
    if run.maintenance is not None:
        reason = Text.assemble((f"(maintenance: {run.maintenance}) ", "dim"), reason)
    return reason


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
