"""Turns (check, region) into exactly one `Run`, whatever the prober does."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from probe.core.bounds import bounded
from probe.core.check import WHOLE_RUN, CheckSpec
from probe.core.failure import Failure
from probe.core.fault import Drill
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Why, finish
from probe.core.secret import Redactor
from probe.core.target import Region, Target, target_in
from probe.errors import ProberUnavailable
from probe.ports import REFERENCE, RUNNING, Clock, Marks, Prober, RunContext

OVERRUN: Final = timedelta(seconds=60)
"""How long after a check's timeout its prober must have returned: the start of a browser and the clean-up are in it.

Probers keep their own, sharper deadlines; this one is for a prober that does not, and makes the run `errored`.
"""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the runner needs to know of the configuration."""

    targets: Mapping[str, Target]
    redactor: Redactor
    user_agent: str
    marker_header: str
    evidence: Path | None
    """Folder below which each run keeps its evidence in a folder of its own; `None`: keep none."""
    network: int
    """Runs without a browser at a time."""
    browser: int
    """Runs with a browser at a time: more than one for each two cores would measure their own load."""
    keep_evidence: Callable[[], bool] = lambda: True
    """Asked before each run: whether there is room for evidence."""


@dataclass(frozen=True, slots=True, eq=False)  # two jobs are never one: they are keys by identity
class Job:
    """One run to be made."""

    spec: CheckSpec
    region: Region


def jobs_of(specs: Iterable[CheckSpec], regions: Iterable[Region]) -> tuple[Job, ...]:
    """One job for each check and each of the regions it runs from, in the order of both."""
    places = tuple(regions)
    return tuple(Job(s, r) for s in specs for r in places if not s.regions or r.name in s.regions)


class Watch(Protocol):
    """Somebody who looks on: the terminal."""

    def started(self, job: Job) -> None:
        """The job has got its place among those that run at a time."""
        ...

    def ended(self, job: Job, run: Run) -> None:
        """The job has ended, in this run."""
        ...


class _Silent:
    """Nobody looks on."""

    def started(self, job: Job) -> None:
        """Say nothing."""

    def ended(self, job: Job, run: Run) -> None:
        """Say nothing."""


SILENT: Final[Watch] = _Silent()


class Beginning:
    """Lets it be seen that a run has begun, and keeps its end back: for whoever adds something to it before that is told."""

    __slots__ = ("_watch", "run")

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.run: Run | None = None

    def started(self, job: Job) -> None:
        """The job has got its place."""
        self._watch.started(job)

    def ended(self, job: Job, run: Run) -> None:
        """The job has ended."""
        del job
        self.run = run


@dataclass(slots=True)
class _Opened:
    """A prober that is opened once, by whoever needs it first."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    prober: Prober | None = None


class Runner:
    """Runs checks. Get one from `open_runner`."""

    def __init__(
        self,
        plan: Plan,
        open_prober: Callable[[str], AbstractAsyncContextManager[Prober]],
        stack: AsyncExitStack,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._open_prober = open_prober
        self._stack = stack
        self._clock = clock
        self._probers: dict[str, _Opened] = {}
        self._network = asyncio.Semaphore(plan.network)
        self._browser = asyncio.Semaphore(plan.browser)

    async def run(
        self,
        job: Job,
        why: Why = Why.MANUAL,
        *,
        slot: Slot | None = None,
        due: float | None = None,
        watch: Watch = SILENT,
        drill: Drill | None = None,
    ) -> Run:
        """Run one check once, and give the run. Raises nothing but `CancelledError`: whatever happens becomes the run.

        `slot` is its place in the schedule; `due` is when it should have begun, in the loop's time: what it came later
        is its lag. `drill` is what a drill asks of it. When it is cancelled, `watch` still gets a run, with the outcome `aborted`.
        """
        time = asyncio.get_running_loop().time
        started, begun = self._clock.now(), time()
        context = self._context(job, why, started, drill)
        said = RUNNING.set({"check": job.spec.id, "run": context.run, "region": job.region.name})
        outcome = None
        observation = Observation()
        try:
            if context.spares and job.spec.side_effects == WHOLE_RUN:
                # Nothing of it can be run without doing to the shop what only the schedule may do.
                outcome, observation = Outcome.ABORTED, Observation(stopped_before=WHOLE_RUN)
            else:
                async with self._place(job, why):
                    started, begun = self._clock.now(), time()
                    watch.started(job)
                    observation = await self._observe(job.spec, context)
        except asyncio.CancelledError:
            outcome = Outcome.ABORTED
            raise
        finally:
            run = finish(
                job.spec,
                observation,
                id=context.run,
                region=job.region.name,
                why=why,
                started=started,
                elapsed=timedelta(seconds=time() - begun),
                outcome=outcome,
                slot=slot,
                lag=0.0 if due is None else max(0.0, begun - due),
            )
            run = self._plan.redactor.structure(run)
            if (kept := bounded(run.observation)) is not run.observation:
                run = replace(run, observation=kept)
            watch.ended(job, run)
            RUNNING.reset(said)
        return run

    async def run_all(self, jobs: Iterable[Job], why: Why = Why.MANUAL, *, watch: Watch = SILENT) -> tuple[Run, ...]:
        """Run every job once, as many at a time as there is room for; the runs come in the order of the jobs."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.run(job, why, watch=watch), name=f"run {job.spec.id} from {job.region.name}")
                for job in jobs
            ]
        return tuple(task.result() for task in tasks)

    def _place(self, job: Job, why: Why) -> AbstractAsyncContextManager[object]:
        """A place among those that run at a time. A control run, which is wanted in this second, waits for none."""
        if job.spec.needs_browser:
            return self._browser
        return nullcontext() if why is Why.CONTROL else self._network

    async def _observe(self, spec: CheckSpec, context: RunContext) -> Observation:
        try:
            async with asyncio.timeout((spec.timeout + OVERRUN).total_seconds()):
                prober = await self._prober(spec.prober)
                return await prober.probe(spec, context)
        except ProberUnavailable as unavailable:
            return Observation(failures=(unavailable.failure,))
        except TimeoutError:
            return _bug(f"the {spec.prober} prober did not return {OVERRUN.total_seconds():.0f} s after its deadline")
        except Exception as error:  # noqa: BLE001  # a slot ends in exactly one run, also when a prober has a bug
            return _bug(f"{type(error).__name__} in the {spec.prober} prober: {error}")

    async def _prober(self, name: str) -> Prober:
        opened = self._probers.setdefault(name, _Opened())
        async with opened.lock:
            if opened.prober is None:
                opened.prober = await self._stack.enter_async_context(self._open_prober(name))
            return opened.prober

    def _context(self, job: Job, why: Why, started: datetime, drill: Drill | None) -> RunContext:
        run = new_run_id(started)
        trace = secrets.token_hex(16)
        folder = self._plan.evidence if self._plan.keep_evidence() else None
        return RunContext(
            run=run,
            why=why,
            region=job.region,
            target=target_in(job.region, self._plan.targets[job.spec.target]),
            marks=Marks(
                user_agent=self._plan.user_agent,
                trace_id=trace,
                headers={
                    self._plan.marker_header: job.spec.id,
                    "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01",
                    "baggage": "synthetic=true",
                },
            ),
            redactor=self._plan.redactor,
            evidence_dir=None if folder is None else folder / job.spec.id / run,
            reference_dir=None if folder is None else folder / job.spec.id / REFERENCE / job.region.name,
            drill=drill,
        )


@asynccontextmanager
async def open_runner(
    plan: Plan,
    open_prober: Callable[[str], AbstractAsyncContextManager[Prober]],
    clock: Clock | None = None,
) -> AsyncIterator[Runner]:
    """A runner, whose probers are opened at first use and closed, last first, at the end.

    `open_prober` gives the prober of a registry name; it raises `ProberUnavailable` when there cannot be one.
    """
    async with AsyncExitStack() as stack:
        yield Runner(plan, open_prober, stack, clock or SystemClock())


def new_run_id(started: datetime) -> RunId:
    """An id that sorts by time: milliseconds since 1970 in hex, then 40 random bits."""
    return RunId(f"{int(started.timestamp() * 1000):011x}-{secrets.token_hex(5)}")


def _bug(message: str) -> Observation:
    return Observation(failures=(Failure.of("internal", message),))
