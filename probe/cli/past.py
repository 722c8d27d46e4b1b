"""Runs of one check as a table: what `probe history` shows."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from probe.cli.table import MARKS, STYLES, console, reason_line
from probe.core.duration import format_duration
from probe.core.run import Outcome, Run

LAG = 0.001
"""Seconds of lag from which it is shown."""


def print_history(runs: Sequence[Run], since: datetime) -> None:
    """A row a run, and the sum of it."""
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


def _slots(run: Run) -> int:
    return 1 if run.slot is None else run.slot.count


def _outcome(run: Run) -> str:
    return run.outcome.value if _slots(run) == 1 else f"{run.outcome} ×{_slots(run)}"


def _reason(run: Run) -> Text:
    reason = reason_line(run) or Text("")
    if run.maintenance is not None:
        reason = Text.assemble((f"(maintenance: {run.maintenance}) ", "dim"), reason)
    return reason


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
