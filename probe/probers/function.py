"""Runs the users' own functions (`@journey`, `@check`), each in a worker process."""

from types import TracebackType
from typing import Self

from probe.core.check import CheckSpec
from probe.core.run import Observation
from probe.ports import ProberSettings, RunContext
from probe.worker.pool import WorkerPool


class FunctionProber:
    """The prober of `Function` work. Open it with `async with`; workers start at the first run and stay warm."""

    def __init__(self, settings: ProberSettings) -> None:
        self._pool = WorkerPool(settings.browser, settings.scratch)

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.__aexit__(kind, error, trace)

    async def probe(self, spec: CheckSpec, context: RunContext) -> Observation:
        """Run the check once in a worker, and say what was seen. Raises nothing but `CancelledError`."""
        return await self._pool.run(spec, context)
