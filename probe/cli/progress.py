"""How far something is that takes more than a moment: a bar for a person, now and then a line for a pipe."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from probe.cli.live import QUIET
from probe.cli.table import console

EVERY = 10.0
"""Seconds between two lines."""


class Telling:
    """Told how far it is, 0 to 1, as often as one likes. Says nothing in the first two seconds."""

    def __init__(self, what: str, bar: Progress | None) -> None:
        self._what = what
        self._bar = bar
        self._task = None if bar is None else bar.add_task(what, total=1.0)
        self._next = time.monotonic() + QUIET

    def __call__(self, share: float) -> None:
        """It is so far."""
        now = time.monotonic()
        if now < self._next:
            return
        if self._bar is not None and self._task is not None:
            self._next = now
            self._bar.start()
            self._bar.update(self._task, completed=min(share, 1.0))
        else:
            self._next = now + EVERY
            print(f"{self._what}: {min(share, 1.0):.0%}", file=sys.stderr)


@contextmanager
def telling(what: str) -> Iterator[Telling]:
    """Something that tells on standard error how far it is."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield Telling(what, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=screen, transient=True)
    try:
        yield Telling(what, bar)
    finally:
        bar.stop()
