"""A run that fails is put beside the last good one of its place: what is otherwise, as far as it tells a cause."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from probe.core.changes import compare_prints
from probe.core.check import CheckId
from probe.core.drilled import is_drill
from probe.core.fingerprint import Fingerprint, fingerprint_of
from probe.core.run import Outcome, Run, Slot, Why
from probe.engine.runner import Beginning, Job, Watch
from probe.engine.scheduler import PlaceKey, RunOne
from probe.errors import StoreUnavailable

log = logging.getLogger(__name__)

KEPT: Final = 50_000
"""Places of which the last good run is known; the one that was heard of longest ago is forgotten first."""
PATIENCE: Final = 1.0
"""Seconds that a run which failed may wait for what the store knows, once for each place after a start."""
AT_ONCE: Final = 8
"""Runs that wait so at a time: others go without a comparison until their next run."""

LastGood = Callable[[CheckId, str], Awaitable[Run | None]]
"""The last run of a check in a region that passed, with its details; `None`: there is none. `StoreUnavailable`."""


class Comparer:
    """Makes runs, as `run` does, and tells those that failed how they differ from the last good one of their place.

    `last_good` is asked where none has passed since the start. Whatever goes wrong with it, the run is as it is.
    """

    def __init__(self, run: RunOne, last_good: LastGood) -> None:
        self._run = run
        self._last_good = last_good
        self._good: dict[PlaceKey, Fingerprint | None] = {}
        self._asking = 0

    async def run(self, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        """Make it. A run that failed is told to `watch` when it has its comparison."""
        if why is Why.CONTROL or is_drill(job.spec.id):
            return await self._run(job, why, slot=slot, due=due, watch=watch)
        eye = Beginning(watch)
        try:
            run = await self._run(job, why, slot=slot, due=due, watch=eye)
            run = await self._seen((job.spec.id, job.region.name), run)
        except asyncio.CancelledError:
            if eye.run is not None:
                watch.ended(job, eye.run)  # as it is: there is no time for more
            raise
        watch.ended(job, run)
        return run

    async def _seen(self, key: PlaceKey, run: Run) -> Run:
        try:
            if run.outcome is Outcome.PASSED:
                self._learn(key, run)
            elif run.outcome is Outcome.FAILED and (good := await self._known(key)) is not None:
                step = None if run.failure is None else run.failure.step
                compared = compare_prints(good, fingerprint_of(run), step=step)
                return replace(run, observation=replace(run.observation, compared=compared))
        except Exception:  # what only explains a run must not lose it
            log.exception("a run was not compared", extra={"check": run.check, "region": run.region})
        return run

    def _learn(self, key: PlaceKey, run: Run) -> None:
        """Keep a good run: one that was ended before its side effects only where no other is known."""
        known = self._good.pop(key, None)
        self._good[key] = fingerprint_of(run) if known is None or run.observation.stopped_before is None else known
        if len(self._good) > KEPT:
            del self._good[next(iter(self._good))]

    async def _known(self, key: PlaceKey) -> Fingerprint | None:
        """The last good run of a place: from memory, or once from the store."""
        if key in self._good or self._asking >= AT_ONCE:
            return self._good.get(key)
        self._asking += 1
        try:
            async with asyncio.timeout(PATIENCE):
                run = await self._last_good(*key)
        except (TimeoutError, StoreUnavailable) as error:
            log.debug("the last good run is not known: %s", error)
            run = None
        finally:
            self._asking -= 1
        return self._good.setdefault(key, None if run is None else fingerprint_of(run))
