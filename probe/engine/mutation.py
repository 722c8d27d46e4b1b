"""Runs a check clean, and then once with each fault that can be planted into it: the mutation score of a monitor."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from probe.core.check import PytestFunction
from probe.core.fault import Asked, Drill, Fault, FaultKind
from probe.core.run import Outcome, Run, Why
from probe.drill.plan import limits_of, plan
from probe.drill.planter import known_effects
from probe.drill.score import Finding, Score, Trial, judge
from probe.engine.runner import SILENT, Job, Runner, Watch

PATIENCE: Final = timedelta(seconds=3)
"""What a run with a fault gets on top of the time of the clean run: what has not come by then does not come.

A slow answer is given the check's own timeout instead, or it would be found by ours.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be planted: `kinds` (all when empty), and how many seconds slower an answer is without a limit."""

    kinds: frozenset[FaultKind] = frozenset()
    slow: float = 5.0


Progress = Callable[[Job, int, int], None]
"""Told of a job how many of its faults are done, of how many."""


async def score(
    runner: Runner, job: Job, wish: Wish, *, watch: Watch = SILENT, progress: Progress = lambda _job, _done, _all: None
) -> Score:
    """The score of one check. Runs as many at a time as the runner allows; raises nothing but `CancelledError`."""
    spec = job.spec
    if isinstance(spec.work, PytestFunction):
        return Score(check=spec.id, trouble="pytest files drive a browser of their own: nothing can be planted there")
    clean = await runner.run(job, Why.DRILL, watch=watch, drill=Drill(record=True, effects=spec.side_effects))
    notes = clean.observation.drill
    if clean.outcome is not Outcome.PASSED or notes is None:
        return Score(check=spec.id, trouble=_trouble(clean, "its clean run"), ours=clean.outcome is Outcome.ERRORED)
    effects = spec.side_effects or notes.ordered
    drill = Drill(effects=effects, known=known_effects(notes.asked, effects))
    if drill.known:
        again = await runner.run(job, Why.DRILL, watch=watch, drill=drill)
        if again.outcome is not Outcome.PASSED:
            why = _trouble(again, "with the order's answers given from memory it")
            return Score(check=spec.id, trouble=why, ours=again.outcome is Outcome.ERRORED)
    limits = limits_of(spec) | {s.name: s.within for s in clean.observation.steps if s.within is not None}
    faults = [f for f in plan(notes.asked, limits, slow=wish.slow) if not wish.kinds or f.kind in wish.kinds]
    done = 0

    async def one(fault: Fault) -> Trial:
        nonlocal done
        trial = await _trial(runner, job, replace(drill, fault=fault), clean, notes.asked)
        done += 1
        progress(job, done, len(faults))
        return trial

    progress(job, 0, len(faults))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(f), name=f"drill {spec.id}: {f.kind} at {f.step}") for f in faults]
    return Score(check=spec.id, trials=tuple(task.result() for task in tasks))


async def score_all(
    runner: Runner,
    jobs: Iterable[Job],
    wish: Wish,
    *,
    watch: Watch = SILENT,
    progress: Progress = lambda _job, _done, _all: None,
) -> tuple[Score, ...]:
    """The scores of several checks, in their order."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(score(runner, job, wish, watch=watch, progress=progress), name=f"drill {job.spec.id}")
            for job in jobs
        ]
    return tuple(task.result() for task in tasks)


async def _trial(runner: Runner, job: Job, drill: Drill, clean: Run, asked: tuple[Asked, ...]) -> Trial:
    """One fault, a second time when the first told nothing because of our own trouble."""
    fault, spec = drill.fault, job.spec
    assert fault is not None, "a trial has a fault"
    if fault.kind is not FaultKind.SLOW:
        limit = max(clean.duration * 2, clean.duration + PATIENCE)
        job = replace(job, spec=replace(spec, timeout=min(spec.timeout, limit)))
    run = await runner.run(job, Why.DRILL, drill=drill)
    trial = judge(fault, run, spec, asked)
    if trial.finding is Finding.UNMEASURED and run.outcome is Outcome.ERRORED:
        run = await runner.run(job, Why.DRILL, drill=drill)
        trial = judge(fault, run, spec, asked)
    return trial


def _trouble(run: Run, what: str) -> str:
    failure = run.failure
    at = f" at step {failure.step!r}" if failure is not None and failure.step else ""
    return f"{what} {run.outcome}{at}{'' if failure is None else f': {failure}'}"
