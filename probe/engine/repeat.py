"""Repeats checks on their schedule for as long as somebody looks: `probe check` without `--once`.

The daemon's scheduler (slots that survive a restart) is another thing; this one forgets everything at the end.
"""

import asyncio
from collections.abc import Iterable

from probe.core.run import Why
from probe.engine.runner import SILENT, Job, Runner, Watch


async def repeat(runner: Runner, jobs: Iterable[Job], *, watch: Watch = SILENT) -> None:
    """Run each job at once and then at fixed slots, `every` apart; a slot that passed during a run is left out.

    Never two runs of one job at a time. Ends only when cancelled.
    """
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_forever(runner, job, watch), name=f"repeat {job.spec.id} from {job.region.name}")


async def _forever(runner: Runner, job: Job, watch: Watch) -> None:
    loop = asyncio.get_running_loop()
    every = job.spec.every.total_seconds()
    first = loop.time()
    while True:
        await runner.run(job, Why.SCHEDULED, watch=watch)
        passed = int((loop.time() - first) / every)
        await asyncio.sleep(first + (passed + 1) * every - loop.time())
