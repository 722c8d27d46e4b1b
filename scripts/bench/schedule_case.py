"""Scheduling lag, processor time and memory of so many checks at 60 s on a prober that does nothing.

python -m scripts.bench.schedule_case CHECKS SECONDS [freeze] [timed]

`timed`: the time of every run is watched, as that of checks whose usual time is known.
"""

import asyncio
import gc
import json
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

from probe.core.check import CheckId, CheckSpec, HttpCall, Source
from probe.core.run import Observation, Outcome, Run
from probe.core.secret import Redactor, Secret
from probe.core.target import Region, Target
from probe.engine.overdue import Timekeeper
from probe.engine.runner import Job, Plan, SystemClock, open_runner
from probe.engine.scheduler import Scheduler
from probe.ports import Prober, RunContext
from scripts.bench.measure import own_cpu, tree_memory

SETTLE = 2.0
"""Seconds after the start that are not measured."""


class Nothing:
    """A prober that sees nothing, at once."""

    async def probe(self, _spec: CheckSpec, _context: RunContext) -> Observation:
        return Observation()


@asynccontextmanager
async def nothing(_name: str) -> AsyncIterator[Prober]:
    yield Nothing()


def opened(name: str) -> AbstractAsyncContextManager[Prober]:
    return nothing(name)


def jobs(count: int) -> list[Job]:
    region = Region(name="local")
    return [
        Job(
            CheckSpec(
                id=CheckId(f"check-{i}"),
                kind="http",
                target="bench",
                every=timedelta(minutes=1),
                timeout=timedelta(seconds=10),
                source=Source(file="bench", line=i),
                work=HttpCall(),
            ),
            region,
        )
        for i in range(count)
    ]


async def measured(count: int, seconds: float, freeze: bool, timed: bool) -> dict[str, float]:
    plan = Plan(
        targets={"bench": Target(name="bench", url="http://127.0.0.1")},
        redactor=Redactor([Secret("a planted secret"), Secret("hunter22")]),
        user_agent="probe/bench",
        marker_header="x-synthetic-check",
        evidence=None,
        network=1000,
        browser=1,
    )
    lags: list[float] = []

    def put(run: Run) -> None:
        assert run.outcome is Outcome.PASSED, run
        lags.append(run.lag)

    before = tree_memory()
    async with open_runner(plan, opened) as runner:
        keeper = Timekeeper(runner.run, lambda _: 5.0 if timed else None, lambda _: None, SystemClock())
        scheduler, stop, clock = (
            Scheduler(keeper.run, put, SystemClock()),
            asyncio.Event(),
            asyncio.get_running_loop().time,
        )
        begun = clock()
        scheduler.plan(jobs(count))
        planned = clock() - begun
        if freeze:
            gc.collect()
            gc.freeze()
        async with asyncio.TaskGroup() as group:
            group.create_task(scheduler.run(stop, timedelta(seconds=5)), name="scheduler")
            await asyncio.sleep(SETTLE)
            lags.clear()
            used = own_cpu()
            await asyncio.sleep(seconds)
            used = own_cpu() - used
            stop.set()
    lags.sort()
    return {
        "runs": len(lags),
        "p50_ms": statistics.median(lags) * 1000,
        "p99_ms": lags[int(len(lags) * 0.99)] * 1000,
        "max_ms": lags[-1] * 1000,
        "cpu": used / seconds,
        "us_a_run": used / len(lags) * 1e6,
        "plan_s": planned,
        "mib": tree_memory() - before,
    }


if __name__ == "__main__":
    found = asyncio.run(
        measured(int(sys.argv[1]), float(sys.argv[2]), "freeze" in sys.argv[3:], "timed" in sys.argv[3:])
    )
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))
