"""Runs the chosen checks under the eyes of the terminal."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from probe.cli.exits import Exit
from probe.cli.live import Board, watch_board
from probe.cli.selection import Selection
from probe.cli.table import console, print_results
from probe.compose import compose
from probe.core.run import Run
from probe.core.secret import Redactor
from probe.drill.score import Score
from probe.engine.mutation import Wish, score_all
from probe.engine.repeat import repeat
from probe.engine.runner import Job, Runner
from probe.log import configure_at_first_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one round saw. `duration` is in seconds."""

    started: datetime
    duration: float
    runs: tuple[Run, ...]
    interrupted: bool


def run_once(selection: Selection, evidence: Path, *, show: bool) -> Report:
    """Run every job once; the results are printed when `show`, progress always, to whoever looks."""
    started, begun = datetime.now(UTC), time.monotonic()
    board = Board(selection.jobs)

    async def once(runner: Runner) -> None:
        await runner.run_all(selection.jobs, watch=board)

    with watch_board(board, show=show):
        interrupted = asyncio.run(_interruptible(selection, evidence, once))
    report = Report(started=started, duration=time.monotonic() - begun, runs=board.runs, interrupted=interrupted)
    if show:
        print_results(report.runs, report.duration)
    return report


def run_repeatedly(selection: Selection, evidence: Path) -> Exit:
    """Run the jobs on their schedule until interrupted."""
    board = Board(selection.jobs, repeats=True)

    async def forever(runner: Runner) -> None:
        await repeat(runner, selection.jobs, watch=board)

    with watch_board(board, show=True):
        asyncio.run(_interruptible(selection, evidence, forever))
    return Exit.INTERRUPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReport:
    """What a drill found. `duration` is in seconds."""

    duration: float
    scores: tuple[Score, ...]
    interrupted: bool


def drill_once(selection: Selection, wish: Wish, *, show: bool) -> DrillReport:
    """Drill each check from the first of its regions; progress is told to whoever looks."""
    begun = time.monotonic()
    jobs = tuple({job.spec.id: job for job in reversed(selection.jobs)}.values())[::-1]
    scores: tuple[Score, ...] = ()
    screen = console(stderr=True)

    async def drill(runner: Runner) -> None:
        nonlocal scores
        scores = await score_all(runner, jobs, wish, progress=_telling(screen) if show or screen.is_terminal else _mute)

    interrupted = asyncio.run(_interruptible(selection, None, drill))
    return DrillReport(duration=time.monotonic() - begun, scores=scores, interrupted=interrupted)


def _telling(screen: Console) -> Callable[[Job, int, int], None]:
    def tell(job: Job, done: int, count: int) -> None:
        if done in (0, count) or screen.is_terminal:
            end = "\r" if screen.is_terminal and done < count else "\n"
            screen.print(f"drilling {job.spec.id}: {done} of {count} faults", end=end, soft_wrap=True, markup=False)

    return tell


def _mute(_job: Job, _done: int, _all: int) -> None:
    """Say nothing."""


async def _interruptible(
    selection: Selection, evidence: Path | None, work: Callable[[Runner], Awaitable[None]]
) -> bool:
    """Do the work; true when SIGINT or SIGTERM ended it. Workers and browsers are gone in either case."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None  # a coroutine runs in a task
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        task.cancel()
        for number in _SIGNALS:  # a second signal ends the program at once
            loop.remove_signal_handler(number)

    configure_at_first_line("warning", json=False, redactor=Redactor(selection.config.secrets))
    async with compose(selection.config, evidence) as runner:
        for number in _SIGNALS:
            loop.add_signal_handler(number, interrupt)
        try:
            await work(runner)
        except asyncio.CancelledError:
            if not interrupted:
                raise
            task.uncancel()
    return interrupted


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
