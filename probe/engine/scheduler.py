"""Runs every check on time from each of its regions. Every slot ends in exactly one run, whatever clocks and runs do.

One heap, one sleeping task, one task for each run. What is due is said by core/schedule.py; the time is that of the loop
(engine/loopclock.py), so a wall clock that jumps neither repeats nor skips anything unseen.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heapify, heapreplace
from itertools import count
from typing import Final, Protocol

from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.run import Observation, Outcome, Run, Slot, Why
from probe.core.schedule import NEVER, Schedule, schedule_of
from probe.core.state import Ask
from probe.engine.loopclock import LoopClock
from probe.engine.runner import Job, Watch, new_run_id
from probe.ports import Clock

log = logging.getLogger(__name__)

TICK: Final = 1.0
"""Seconds: how long the scheduler sleeps at most, so that it sees a clock that jumped, and others see that it lives."""

PlaceKey = tuple[CheckId, str]
"""A check and a region."""


class RunOne(Protocol):
    """Makes one run of a job, such as `Runner.run`. `watch` is told of the run, also of one that is cancelled."""

    async def __call__(self, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        """Make it. `due` is in the loop's time."""
        ...


@dataclass(slots=True, eq=False)
class _Firing:
    """A run that is being made."""

    job: Job
    why: Why
    slot: Slot | None
    started: bool = False


@dataclass(slots=True, eq=False)
class _Place:
    """A check in a region: its next slot, the slots that are due but not begun (`waiting`), and what was asked for.

    `schedule` is `None` for what is only asked for; `planned` is false for what is no longer configured and ends. `left` is
    the last slot, where it was left to another node.
    """

    job: Job
    index: int
    name: str
    schedule: Schedule | None = None
    number: int = 0
    due: datetime = NEVER
    waiting: Slot | None = None
    newest: datetime = NEVER
    left: Slot | None = None
    asks: list[Why] = field(default_factory=list)
    firing: _Firing | None = None
    planned: bool = True


class Scheduler:
    """Gives each job its runs on time, and each slot its row. To be made inside the running loop.

    `put` takes the runs, in the order of the slots of each job; it must neither block nor raise. `ticked` is the
    loop's time when the scheduler was last alive, `missed` the number of slots that were missed since the start. `mine` says
    whether the slots of a job that come due now are ours: those of another node of the region get no run and no row here.
    """

    def __init__(self, run: RunOne, put: Callable[[Run], None], clock: Clock) -> None:
        self._run = run
        self._put = put
        self._loop = asyncio.get_running_loop()
        self._time = LoopClock(clock)
        self._places: dict[PlaceKey, _Place] = {}
        self._numbers: dict[PlaceKey, int] = {}
        self._indices = count()
        self._heap: list[tuple[datetime, int, _Place]] = []
        self._firings: dict[Job, _Firing] = {}
        self._group: asyncio.TaskGroup | None = None
        self._woken = asyncio.Event()
        self._placed = 0
        self.ticked = self._loop.time()
        self.missed = 0
        self.mine: Callable[[Job], bool] = lambda _job: True

    @property
    def running(self) -> int:
        """How many runs have their place among those that run at a time."""
        return self._placed

    @property
    def waiting(self) -> int:
        """How many runs wait for such a place."""
        return len(self._firings) - self._placed

    def plan(
        self,
        jobs: Iterable[Job],
        last: Mapping[PlaceKey, Slot] | None = None,
        alive: datetime | None = None,
        unscheduled: Iterable[Job] = (),
        covered: Mapping[str, datetime] | None = None,
    ) -> None:
        """Take over what is to be run: at the start, and again whenever the configuration has changed.

        `last` are the last slots that have a row, by check and region. For those that came due since, and that we do not
        know of, rows are put at once: `aborted` for those until `alive` (we lived, and were killed before they ended),
        `missed` for the later ones (give no `alive` at a reload: what was not configured was not run). Jobs
        that are here already keep their place; one whose schedule has changed goes on with its numbers. A run of a job that is
        gone ends by itself. `unscheduled` are jobs that only run when asked for. `covered` says, by region, until when
        other nodes ran there what we did not: slots until then get no row.
        """
        now = self._time.now()
        wanted: dict[PlaceKey, tuple[Job, Schedule | None]] = {_key(job): (job, None) for job in unscheduled}
        wanted |= {_key(job): (job, schedule_of(job.spec, job.region.name)) for job in jobs}
        for place in [p for key, p in self._places.items() if key not in wanted]:
            place.planned = False
            place.asks.clear()
            if place.firing is None:
                self._forget(place)
        for key, (job, schedule) in wanted.items():
            place = self._places.get(key) or self._new(key, job)
            place.job, place.planned = job, True
            if schedule != place.schedule:
                place.due = NEVER if schedule is None else schedule.first(now)
                fresh, place.schedule = place.schedule is None, schedule
                if fresh and last is not None and key in last:
                    self._resume(place, last[key], alive, now, (covered or {}).get(job.region.name))
        self._arrange()

    def ask(self, asks: Iterable[Ask]) -> None:
        """Make these runs at once, or right after the run that the check has now in that region.

        One is made however often it was asked for before it began. What is not configured is not run.
        """
        for ask in asks:
            place = self._places.get((ask.check, ask.region))
            if place is not None and place.planned:
                if ask.why not in place.asks:
                    place.asks.append(ask.why)
                self._next(place)

    def take_over(self, since: datetime) -> None:
        """Run at once what came due since then and was left to others, where it has become ours: they may be dead."""
        for place in self._places.values():
            left = place.left
            if (
                left is not None
                and left.due >= since
                and place.planned
                and place.waiting is None
                and self.mine(place.job)
            ):
                place.left, place.waiting, place.newest = None, left, left.due
                self._next(place)

    async def run(self, stop: asyncio.Event, grace: timedelta) -> None:
        """Run until `stop`; then begin nothing more, and cancel what has not ended after `grace`.

        When it returns, every slot that was due has its row.
        """
        try:
            async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
                self._group = group
                ticking = group.create_task(self._tick(), name="scheduler")
                await stop.wait()
                self._group = None
                ticking.cancel()
                limit.reschedule(self._loop.time() + grace.total_seconds())
        except TimeoutError:
            log.warning("runs did not end in time and were cancelled", extra={"grace": grace.total_seconds()})
        finally:
            self._group = None
        now = self._time.now()
        for place in self._places.values():
            if place.planned and place.due <= now:
                self._come_due(place, now)
            self._settle(place, Outcome.ABORTED)

    async def _tick(self) -> None:
        for place in list(self._places.values()):
            self._next(place)
        while True:
            self.ticked = self._loop.time()
            if jump := self._time.look():
                self._jumped(jump)
            now = self._time.now()
            heap = self._heap
            while heap and heap[0][0] <= now:
                place = heap[0][2]
                if place.due <= now:  # unless it was seen when a run of it ended
                    self._come_due(place, now)
                heapreplace(heap, (place.due, place.index, place))
                self._next(place)
            await self._sleep(min(TICK, self._time.when(heap[0][0]) - self._loop.time()) if heap else TICK)

    async def _sleep(self, seconds: float) -> None:
        self._woken.clear()
        alarm = self._loop.call_later(seconds, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            alarm.cancel()

    def _come_due(self, place: _Place, now: datetime) -> None:
        """Give numbers to the slots that are due: one, or several after an overload, a suspend or a jump forward."""
        schedule = place.schedule
        assert schedule is not None
        due = 1 + schedule.count(place.due, now)
        place.newest = schedule.following(place.due, due - 1)
        place.left = None
        if place.waiting is None and not self.mine(place.job):
            place.left = Slot(number=place.number + due - 1, due=place.newest)
        elif place.waiting is None:
            place.waiting = Slot(number=place.number, due=place.due, count=due)
        else:
            place.waiting = replace(place.waiting, count=place.waiting.count + due)
        place.number += due
        place.due = schedule.following(place.newest)

    def _next(self, place: _Place, *, after: Why = Why.SCHEDULED) -> None:
        """Begin what a place has to do, if it is free: what was asked for, or the newest slot; slots before it are missed.

        After an extra run the slot comes first, so that no row of extra runs keeps the schedule waiting.
        """
        if self._group is None or place.firing is not None:
            return
        waiting = place.waiting
        if waiting is not None and (not place.asks or after is not Why.SCHEDULED):
            if waiting.count > 1:
                place.waiting = replace(waiting, count=waiting.count - 1)
                self._settle(place, Outcome.MISSED)
            place.waiting = None
            slot = Slot(number=waiting.last, due=place.newest)
            firing, due = _Firing(place.job, Why.SCHEDULED, slot), self._time.when(slot.due)
        elif place.asks:
            firing, due = _Firing(place.job, place.asks.pop(0), None), self._loop.time()
        else:
            return
        place.firing = self._firings[firing.job] = firing
        self._group.create_task(self._one(place, firing, due), name=place.name)

    async def _one(self, place: _Place, firing: _Firing, due: float) -> None:
        job, slot = firing.job, firing.slot
        try:
            run = await self._run(job, firing.why, slot=slot, due=due, watch=self)
        except asyncio.CancelledError:
            self.ended(job, self._row(job, Outcome.ABORTED, slot, firing.why))
            raise
        except Exception as error:  # one bug must not end every other run
            log.exception("a run was not made", extra={"check": job.spec.id, "region": job.region.name})
            failure = Failure.of("internal", f"{type(error).__name__} while the run was made: {error}")
            run = self._row(job, Outcome.ERRORED, slot, firing.why, failure)
        self.ended(job, run)
        place.firing = None
        if place.planned:
            if place.waiting is not None and place.due <= (now := self._time.now()):
                self._come_due(place, now)  # what waits is not the newest any more
            self._next(place, after=firing.why)
        else:
            self._settle(place, Outcome.MISSED)
            self._forget(place)

    def started(self, job: Job) -> None:
        """A run has its place among those that run at a time (the runner says so)."""
        firing = self._firings.get(job)
        if firing is not None and not firing.started:
            firing.started = True
            self._placed += 1

    def ended(self, job: Job, run: Run) -> None:
        """A run has ended (the runner says so, also when it was cancelled): it is put, once."""
        firing = self._firings.pop(job, None)
        if firing is not None:
            self._placed -= firing.started
            self._put(run)

    def _jumped(self, jump: timedelta) -> None:
        """Keep the schedule when the wall clock has jumped. Forward: what was jumped over is simply due now.

        Backward: the next run comes at the due to come that is nearest to when it would have come: no less than half an
        interval and less than two after the last, so that none is repeated, and none waits for the clock to catch up.
        """
        log.warning("the clock jumped", extra={"seconds": round(jump.total_seconds(), 3)})
        if jump < timedelta(0):
            now = self._time.now()
            for _, _, place in self._heap:
                assert place.schedule is not None
                place.due = place.schedule.first(max(now, place.due + jump - place.job.spec.every / 2))
            self._arrange()

    def _arrange(self) -> None:
        scheduled = [p for p in self._places.values() if p.schedule is not None and p.planned]
        self._heap = [(p.due, p.index, p) for p in scheduled]
        heapify(self._heap)
        self._woken.set()

    def _new(self, key: PlaceKey, job: Job) -> _Place:
        place = _Place(job, next(self._indices), f"run {job.spec.id} from {job.region.name}")
        place.number = self._numbers.setdefault(key, 0)
        self._places[key] = place
        return place

    def _forget(self, place: _Place) -> None:
        """Drop a place, but not how far it had counted: no number is given twice."""
        key = _key(place.job)
        self._numbers[key] = place.number
        del self._places[key]

    def _resume(
        self, place: _Place, last: Slot, alive: datetime | None, now: datetime, covered: datetime | None
    ) -> None:
        """Give rows to the slots that came due since the last one that has a row, and go on after them."""
        schedule = place.schedule
        assert schedule is not None
        seen = schedule.following(last.due, last.count - 1)
        place.number = max(place.number, last.last + 1)
        if covered is not None and covered > seen:
            covered = min(covered, now)
            place.number += schedule.count(seen, covered)
            seen = max(seen, covered)
        lived = seen if alive is None else min(max(alive, seen), now)
        for after, until, outcome in ((seen, lived, Outcome.ABORTED), (lived, now, Outcome.MISSED)):
            passed = schedule.count(after, until)
            if passed:
                place.waiting = Slot(number=place.number, due=schedule.following(after), count=passed)
                place.number += passed
                self._settle(place, outcome)
        place.due = schedule.following(now)

    def _settle(self, place: _Place, outcome: Outcome) -> None:
        """Give the slots that wait one row together: they will not be run."""
        slot, place.waiting = place.waiting, None
        if slot is not None:
            self.missed += slot.count if outcome is Outcome.MISSED else 0
            self._put(self._row(place.job, outcome, slot, Why.SCHEDULED))

    def _row(self, job: Job, outcome: Outcome, slot: Slot | None, why: Why, failure: Failure | None = None) -> Run:
        started = self._time.now() if slot is None else slot.due
        return Run(
            id=new_run_id(started),
            check=job.spec.id,
            kind=job.spec.kind,
            target=job.spec.target,
            region=job.region.name,
            why=why,
            outcome=outcome,
            started=started,
            duration=timedelta(0),
            observation=Observation(failures=() if failure is None else (failure,)),
            slot=slot,
        )


def _key(job: Job) -> PlaceKey:
    return job.spec.id, job.region.name
