"""Runs that go on far longer than usual: judgement is told before they end, since a customer waits as well."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from probe.core.check import Anchors, CheckSpec, HttpCall
from probe.core.evaluate import Overdue
from probe.core.run import Run, Slot, Why
from probe.engine.runner import Job, Watch
from probe.engine.scheduler import RunOne
from probe.ports import Clock

TIMED: Final = frozenset({Why.SCHEDULED, Why.CONFIRM})
"""What a run must be made for, to be missed when it does not end: nobody judges the others by their time."""
BROWSER_START: Final = 3.0
"""Seconds that a worker and its browser may take to start: part of having a place, not of the usual time.

On two cores that others kept busy a first run took 1.2 s for it, one in a warm worker 0.1 s.
"""
WORKER_START: Final = 1.0
"""The same of a worker without a browser: 0.65 s for a first run."""


class Timekeeper:
    """Makes runs, as `run` does, and tells of each that is overdue, once, while it goes on.

    `after` says how many seconds a job may take; `None`, or what is no shorter than its timeout: as long as it likes.
    """

    def __init__(
        self, run: RunOne, after: Callable[[Job], float | None], tell: Callable[[Overdue], None], clock: Clock
    ) -> None:
        self._run = run
        self._after = after
        self._tell = tell
        self._clock = clock

    async def run(self, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        """Make it. `watch` is told of the run as if nobody stood between."""
        if why not in TIMED:
            return await self._run(job, why, slot=slot, due=due, watch=watch)
        eye = _Eye(self, watch)
        try:
            return await self._run(job, why, slot=slot, due=due, watch=eye)
        finally:
            eye.close()

    def alarm(self, job: Job) -> asyncio.TimerHandle | None:
        """The alarm of a run that has its place now."""
        usual = self._after(job)
        if usual is None:
            return None
        seconds = usual + _start_of(job.spec)
        if seconds >= job.spec.timeout.total_seconds():
            return None
        return asyncio.get_running_loop().call_later(seconds, self._ring, job, self._clock.now())

    def _ring(self, job: Job, began: datetime) -> None:
        self._tell(Overdue(check=job.spec.id, region=job.region.name, began=began))


class _Eye:
    """Sees when a run has its place, and when it has ended."""

    __slots__ = ("_alarm", "_keeper", "_watch")

    def __init__(self, keeper: Timekeeper, watch: Watch) -> None:
        self._keeper = keeper
        self._watch = watch
        self._alarm: asyncio.TimerHandle | None = None

    def started(self, job: Job) -> None:
        """The job has got its place: its time begins."""
        self._watch.started(job)
        self._alarm = self._keeper.alarm(job)

    def ended(self, job: Job, run: Run) -> None:
        """The job has ended: first of all its time."""
        self.close()
        self._watch.ended(job, run)

    def close(self) -> None:
        """No alarm any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def _start_of(spec: CheckSpec) -> float:
    if isinstance(spec.work, HttpCall | Anchors):
        return 0.0
    return BROWSER_START if spec.needs_browser else WORKER_START
