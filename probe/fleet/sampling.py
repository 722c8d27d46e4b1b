"""A run that fails takes a control sample in the same second: proof that our own network worked meanwhile, or did not."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from probe.core.run import Control, Outcome, Run, Slot, StepOutcome, Why
from probe.engine.runner import SILENT, Beginning, Job, Watch
from probe.engine.scheduler import RunOne

TOGETHER: Final = 1.0
"""Seconds within which all runs that fail in a region share one sample."""
MARGIN: Final = 0.5
"""Seconds beyond its timeout in which a control run must have ended, or the run that waits for it goes without."""


@dataclass(slots=True, eq=False)
class _Sample:
    """A sample, taken or being taken: `made` gives its run, `None` when there came none in time."""

    at: float
    made: "asyncio.Future[Run | None]"


class Sampler:
    """Makes runs, as `run` does, and gives those that failed a control sample.

    `control` gives the control job of a region, `None` when it has none. `put` takes the control runs, as they are judged
    and stored like any other.
    """

    def __init__(self, run: RunOne, control: Callable[[str], Job | None], put: Callable[[Run], None]) -> None:
        self._run = run
        self._control = control
        self._put = put
        self._samples: dict[str, _Sample] = {}

    async def run(self, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        """Make it. A run that failed is told to `watch` when it has its sample, no later than a control run may take."""
        control = None if why is Why.CONTROL else self._control(job.region.name)
        if control is None:
            return await self._run(job, why, slot=slot, due=due, watch=watch)
        eye = Beginning(watch)
        try:
            run = await self._run(job, why, slot=slot, due=due, watch=eye)
            if run.outcome is Outcome.FAILED and (made := await self._sample(control)) is not None:
                run = replace(run, observation=replace(run.observation, control=_control_of(made)))
        except asyncio.CancelledError:
            if eye.run is not None:
                watch.ended(job, eye.run)  # as it is: there is no time for more
            raise
        watch.ended(job, run)
        return run

    async def _sample(self, job: Job) -> Run | None:
        """The control run of this second: made now, unless somebody else has begun it."""
        loop = asyncio.get_running_loop()
        limit = job.spec.timeout.total_seconds() + MARGIN
        known = self._samples.get(job.region.name)
        if known is not None and loop.time() - known.at < TOGETHER:
            try:
                async with asyncio.timeout(limit):
                    return await asyncio.shield(known.made)
            except TimeoutError:
                return None
        sample = self._samples[job.region.name] = _Sample(loop.time(), loop.create_future())
        made = None
        try:
            async with asyncio.timeout(limit):
                run = await self._run(job, Why.CONTROL, slot=None, due=loop.time(), watch=SILENT)
            if run.outcome in (Outcome.PASSED, Outcome.FAILED, Outcome.ERRORED):
                made = run
                self._put(run)
        except TimeoutError:
            pass
        finally:
            sample.made.set_result(made)
        return made


def _control_of(run: Run) -> Control:
    """What a control run says of the moment."""
    well = run.outcome is Outcome.PASSED
    failure = run.failure
    if failure is not None:
        text = failure.message
    else:
        seen = [f"{step.name} answered" for step in run.observation.steps if step.outcome is StepOutcome.PASSED]
        seen += [f"{exchange.final_url} answered {exchange.status}" for exchange in run.observation.exchanges]
        text = seen[0] if seen else f"{run.target or run.check} answered" if well else "it did not work"
    return Control(well=well, at=run.started, seconds=run.duration.total_seconds(), text=text)
