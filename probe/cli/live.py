"""What the terminal shows while checks run: a live table for a person, a line a run for a pipe."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from probe.cli.table import MARKS, console, outcome_text, reason_line
from probe.core.duration import format_duration
from probe.core.run import Run
from probe.engine.runner import Job

QUIET = 2.0
"""Seconds after which a person wants to see that something happens."""


class Board:
    """Where each job stands. A `Watch` of the runner."""

    def __init__(self, jobs: Iterable[Job], *, repeats: bool = False) -> None:
        self.jobs = tuple(jobs)
        self.repeats = repeats
        self.last: dict[Job, Run] = {}
        self.running: dict[Job, float] = {}
        self.counts: dict[Job, int] = dict.fromkeys(self.jobs, 0)
        self.bad: dict[Job, int] = dict.fromkeys(self.jobs, 0)
        self.lines: Console | None = None
        """Where a line is written for each run that ends; `None`: nowhere."""

    @property
    def runs(self) -> tuple[Run, ...]:
        """The last run of each job, in the order of the jobs."""
        return tuple(self.last[job] for job in self.jobs if job in self.last)

    def started(self, job: Job) -> None:
        """Note that the job runs."""
        self.running[job] = time.monotonic()

    def ended(self, job: Job, run: Run) -> None:
        """Note how the job ended."""
        self.running.pop(job, None)
        self.last[job] = run
        self.counts[job] += 1
        self.bad[job] += run.failure is not None
        if self.lines is not None:
            self.lines.print(_line(run), soft_wrap=True)

    def __rich__(self) -> Table:
        """The live table: made anew at each refresh."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("")
        table.add_column("check")
        table.add_column("region")
        table.add_column("time", justify="right")
        if self.repeats:
            table.add_column("runs", justify="right")
            table.add_column("not passed", justify="right")
            table.add_column("every", justify="right")
        table.add_column("what was seen", overflow="ellipsis", no_wrap=True)
        for job in self.jobs:
            table.add_row(*self._row(job))
        return table

    def _row(self, job: Job) -> list[str | Text]:
        run = self.last.get(job)
        since = self.running.get(job)
        mark = Text("▸", "cyan") if since is not None else Text("·", "dim") if run is None else MARKS[run.outcome]
        seconds = time.monotonic() - since if since is not None else run.duration.total_seconds() if run else None
        row: list[str | Text] = [
            mark,
            job.spec.id,
            job.region.name,
            "" if seconds is None else format_duration(seconds),
        ]
        if self.repeats:
            row += [str(self.counts[job]), str(self.bad[job]), format_duration(job.spec.every)]
        seen = Text("waiting", "dim") if run is None and since is None else Text("running", "cyan")
        row.append(seen if run is None else reason_line(run) or outcome_text(run.outcome))
        return row


@contextmanager
def watch_board(board: Board, *, show: bool) -> Iterator[None]:
    """Show the board while the context lasts: on the terminal, or as lines; with `show` false on standard error only."""
    screen = console(stderr=not show)
    if screen.is_terminal:
        with Live(board, console=screen, refresh_per_second=8, transient=not board.repeats):
            yield
        return
    if show and board.repeats:
        board.lines = screen
    elif sys.stderr.isatty() or show:
        board.lines = console(stderr=True)
    yield


def _line(run: Run) -> Text:
    line = Text.assemble(
        MARKS[run.outcome],
        f" {run.check} from {run.region}: ",
        outcome_text(run.outcome),
        f" in {format_duration(run.duration)}",
    )
    reason = reason_line(run)
    return line.append(f", {reason}") if reason else line
