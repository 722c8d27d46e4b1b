"""The supervisor: keeps workers warm, gives each run to one of them, and ends those that are not to be used again."""

import asyncio
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from probe.core.check import CheckSpec, Function
from probe.core.run import Observation
from probe.core.target import BrowserKind, BrowserSettings
from probe.net.host import HostMeter, HostWatch
from probe.ports import RunContext
from probe.worker.process import WorkerProcess
from probe.worker.scratch import sweep
from probe.worker.tree import adopt_orphans, end_strays
from probe.worker.wire import Task

HTTP_WORKERS: Final = 4
"""Workers without a browser, at most: they are cheap, and one whose check blocks shall not hold up the others."""


@dataclass(slots=True)
class WorkerPool:
    """Runs users' functions in worker processes. Open it with `async with`; at the end no process is left.

    Journeys run as many at a time as `BrowserSettings.workers` says, one for each two cores unless it says so: more
    would measure their own load.

    >>> async def example(spec: CheckSpec, context: RunContext) -> Observation:
    ...     async with WorkerPool(BrowserSettings(), Path("/tmp")) as pool:
    ...         return await pool.run(spec, context)
    """

    settings: BrowserSettings
    scratch: Path
    _idle: list[WorkerProcess] = field(default_factory=list)
    _all: set[WorkerProcess] = field(default_factory=set)
    _count: int = 0
    _noted: bool = False
    _watch: HostWatch | None = None
    _browsers: asyncio.Semaphore = field(init=False)
    _others: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        journeys = self.settings.workers or max(1, (os.cpu_count() or 1) // 2)
        self._browsers = asyncio.Semaphore(journeys)
        self._others = asyncio.Semaphore(HTTP_WORKERS)

    async def __aenter__(self) -> Self:
        adopt_orphans()
        await asyncio.to_thread(end_strays)
        await asyncio.to_thread(sweep, self.scratch)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with asyncio.TaskGroup() as group:
            for worker in list(self._all):
                group.create_task(self._end(worker), name=f"end worker {worker.number}")

    async def run(self, spec: CheckSpec, context: RunContext) -> Observation:
        """Run `spec`'s function once. Raises nothing but `CancelledError`, after the check has cleaned up.

        Waiting for a free worker, and for its browser to start, is no part of `Observation.duration`.
        """
        assert isinstance(spec.work, Function), "other work has its own prober"
        async with self._others if spec.work.browser is None else self._browsers:
            worker = self._take(spec.work.browser)
            if self._watch is None:
                self._watch = HostWatch()
            meter = HostMeter(self._watch)
            meter.start()
            try:
                task = Task(spec=spec, context=context, browser=self.settings)
                seen = await worker.run(task, self.settings.max_memory)
            finally:
                load = meter.stop()
                await self._give_back(worker)
        notes = () if spec.work.browser is None else self._once()
        return context.redactor.structure(
            replace(seen, host=replace(load, waited=seen.host.waited), log=(*notes, *seen.log))
        )

    def _once(self) -> tuple[str, ...]:
        """What the first journey's log says about the browser."""
        if self._noted or os.geteuid() != 0:
            return ()
        self._noted = True
        return ("running as root: Chromium's sandbox is off",)

    def _take(self, kind: BrowserKind | None) -> WorkerProcess:
        for worker in reversed(self._idle):
            if worker.kind is kind and worker.usable:
                self._idle.remove(worker)
                return worker
        self._count += 1
        worker = WorkerProcess(number=self._count, scratch_base=self.scratch, kind=kind)
        worker.start()
        self._all.add(worker)
        return worker

    async def _give_back(self, worker: WorkerProcess) -> None:
        if worker.usable and not self._is_due(worker):
            self._idle.append(worker)
        else:
            await self._end(worker)
        for old in [w for w in self._idle if not w.usable]:
            self._idle.remove(old)
            await self._end(old)

    def _is_due(self, worker: WorkerProcess) -> bool:
        """Whether a worker has had its time: by runs, by age, or by what it holds."""
        return (
            worker.runs >= self.settings.recycle_after_runs
            or time.monotonic() - worker.born >= self.settings.recycle_after.total_seconds()
            or worker.memory > self.settings.recycle_above
        )

    async def _end(self, worker: WorkerProcess) -> None:
        self._all.discard(worker)
        await worker.kill()
