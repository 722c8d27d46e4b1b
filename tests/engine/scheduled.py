"""A scheduler and its runner on a clock that jumps, with rows that survive when it is killed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

from probe.core.check import CheckId, CheckSpec, Cron
from probe.core.run import Observation, Outcome, Run, Slot
from probe.core.secret import Redactor
from probe.core.target import Region, Target
from probe.engine.runner import Job, Plan, Runner
from probe.engine.scheduler import Scheduler
from probe.ports import Prober, RunContext
from probe.testing import VirtualClock
from tests.core.builders import spec

HOME = Region(name="home")
MINUTE = timedelta(minutes=1)
START = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
EACH_MINUTE = "* * * * *"
GRACE = timedelta(seconds=5)


class World:
    """A daemon's scheduler and runner on a clock that jumps, with rows that survive when it is killed."""

    def __init__(self, takes: Callable[[CheckSpec], float] = lambda _: 1.0, network: int = 100) -> None:
        self.clock = VirtualClock(START)
        self.takes = takes
        self.network = network
        self.rows: list[Run] = []
        self.begun: list[tuple[str, float]] = []
        self.busy: set[str] = set()
        self.scheduler: Scheduler

    async def probe(self, spec: CheckSpec, _context: RunContext) -> Observation:
        assert spec.id not in self.busy, "two runs of one check at a time"
        self.busy.add(spec.id)
        self.begun.append((spec.id, asyncio.get_running_loop().time()))
        try:
            await asyncio.sleep(self.takes(spec))
        finally:
            self.busy.discard(spec.id)
        return Observation()

    def open(self, _name: str) -> AbstractAsyncContextManager[Prober]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Prober]:
            yield self

        return opened()

    @asynccontextmanager
    async def alive(self, *jobs: Job, alive: datetime | None = None, kill: bool = False) -> AsyncIterator[Scheduler]:
        """The daemon for the time of the context, which ends in a graceful stop, or is killed."""
        from contextlib import AsyncExitStack

        plan = Plan(
            targets={"shop": Target(name="shop", url="https://shop.example")},
            redactor=Redactor(),
            user_agent="probe/test",
            marker_header="x-mark",
            evidence=None,
            network=self.network,
            browser=1,
        )
        async with AsyncExitStack() as stack:
            runner = Runner(plan, self.open, stack, self.clock)
            dead = False
            self.scheduler = Scheduler(runner.run, lambda run: None if dead else self.rows.append(run), self.clock)
            self.scheduler.plan(jobs, self.last(), alive)
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                daemon = group.create_task(self.scheduler.run(stop, GRACE), name="daemon")
                yield self.scheduler
                if kill:
                    dead = True
                    daemon.cancel()
                stop.set()

    def last(self) -> Mapping[tuple[CheckId, str], Slot]:
        """As the store would say it: the last slot of each place that has a row."""
        return {(r.check, r.region): r.slot for r in self.rows if r.slot is not None}

    def slots(self, outcome: Outcome | None = None) -> list[tuple[int, int]]:
        """Number and count of the rows, of one outcome or all."""
        return [(r.slot.number, r.slot.count) for r in self.rows if r.slot and outcome in (None, r.outcome)]

    def times(self) -> list[float]:
        return [at for _, at in self.begun]


def job(name: str = "cart", every: timedelta = MINUTE, cron: str | None = None) -> Job:
    times = None if cron is None else Cron(expression=cron)
    return Job(spec(id=CheckId(name), every=every, cron=times, timeout=timedelta(days=1)), HOME)


def assert_tiled(rows: list[Run]) -> None:
    """For each job the slots, with their counts, are the numbers without gap or overlap, in order."""
    following: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.slot is not None:
            key = row.check, row.region
            assert row.slot.number == following.get(key, 0)
            following[key] = row.slot.last + 1
