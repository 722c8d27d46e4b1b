"""One slot ends in exactly one run, whatever the prober does. On virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from probe.core.check import WHOLE_RUN, CheckId, CheckSpec, Function
from probe.core.failure import Failure
from probe.core.run import Observation, Outcome, Run, Slot, Why
from probe.core.secret import Redactor, Secret
from probe.core.target import BrowserKind, Region, Target
from probe.engine.capacity import browser_capacity
from probe.engine.repeat import repeat
from probe.engine.runner import OVERRUN, Job, Plan, Runner, jobs_of, new_run_id, open_runner
from probe.errors import ProberUnavailable
from probe.ports import Prober, RunContext
from tests.core.builders import NOW, spec

pytestmark = pytest.mark.asyncio
HOME, US = Region(name="local"), Region(name="us")


class Scripted:
    """A prober that does what the test says, and notes what it was told."""

    def __init__(self, act: Callable[[CheckSpec], Observation] = lambda _: Observation(), takes: float = 0) -> None:
        self.act = act
        self.takes = takes
        self.contexts: list[RunContext] = []
        self.now = 0
        self.most = 0
        self.opened: list[str] = []

    async def probe(self, spec: CheckSpec, context: RunContext) -> Observation:
        self.contexts.append(context)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.takes)
            return self.act(spec)
        finally:
            self.now -= 1

    def open(self, name: str) -> AbstractAsyncContextManager[Prober]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Prober]:
            self.opened.append(f"+{name}")
            yield self
            self.opened.append(f"-{name}")

        return opened()


class Noted:
    """A watch that remembers."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.runs: list[Run] = []

    def started(self, job: Job) -> None:
        self.events.append(f"started {job.spec.id}")

    def ended(self, job: Job, run: Run) -> None:
        self.events.append(f"{run.outcome} {job.spec.id}")
        self.runs.append(run)


def plan(network: int = 4, browser: int = 1) -> Plan:
    return Plan(
        targets={"shop": Target(name="shop", url="https://shop.example")},
        redactor=Redactor([Secret("hunter22")]),
        user_agent="probe/test",
        marker_header="x-mark",
        evidence=Path("/evidence"),
        network=network,
        browser=browser,
    )


def runner_of(prober: Scripted, plan: Plan) -> AbstractAsyncContextManager[Runner]:
    return open_runner(plan, prober.open)


def checks(count: int, browser: BrowserKind | None = None) -> tuple[Job, ...]:
    work = Function(file="a.py", name="f", browser=browser)
    return tuple(Job(spec(id=CheckId(f"c{i}"), work=work), HOME) for i in range(count))


async def test_one_job_for_each_check_and_region() -> None:
    """All regions, unless the check names its own."""
    everywhere, only_us = spec(), spec(id=CheckId("b"), regions=("us",))
    jobs = jobs_of([everywhere, only_us], [HOME, US])
    assert [(j.spec.id, j.region.name) for j in jobs] == [("cart", "local"), ("cart", "us"), ("b", "us")]


async def test_a_run_knows_where_it_came_from() -> None:
    """The run carries its check, region and reason; the prober is told how to mark its requests."""
    prober = Scripted()
    async with runner_of(prober, plan()) as runner:
        run = await runner.run(Job(spec(), US), Why.CONFIRM)
    (context,) = prober.contexts
    assert (run.check, run.region, run.why, run.outcome) == ("cart", "us", Why.CONFIRM, Outcome.PASSED)
    assert context.run == run.id
    assert context.evidence_dir == Path("/evidence/cart") / run.id
    assert context.marks.headers["x-mark"] == "cart"
    assert context.marks.headers["baggage"] == "synthetic=true"
    assert context.marks.headers["traceparent"].split("-")[1] == context.marks.trace_id


async def test_probers_open_once_and_close_last_first() -> None:
    """A prober is opened by its first run, and closed at the end."""
    prober = Scripted(takes=1)
    async with runner_of(prober, plan()) as runner:
        await runner.run_all([*checks(3), Job(spec(), HOME)])
        assert sorted(prober.opened) == ["+function", "+http"]
    assert prober.opened[2:] == [f"-{name[1:]}" for name in reversed(prober.opened[:2])]


@pytest.mark.looptime
@pytest.mark.parametrize(("browser", "most"), [(None, 4), (BrowserKind.HEADLESS_SHELL, 1)])
async def test_browser_and_network_runs_have_their_own_room(browser: BrowserKind | None, most: int) -> None:
    """Never more at a time than there is room for."""
    prober = Scripted(takes=1)
    async with runner_of(prober, plan()) as runner:
        runs = await runner.run_all(checks(9, browser))
    assert (len(runs), prober.most) == (9, most)


@pytest.mark.looptime
async def test_waiting_for_room_is_not_the_runs_time() -> None:
    """A run's clock starts when it has its place."""
    watch = Noted()
    async with runner_of(Scripted(takes=1), plan(network=1)) as runner:
        await runner.run_all(checks(2), watch=watch)
    assert watch.events == ["started c0", "passed c0", "started c1", "passed c1"]


@pytest.mark.looptime
async def test_the_place_in_the_schedule_and_the_lag() -> None:
    """A run says which slot it is, and how much later than due it had its place; never less than nothing."""
    slot, now = Slot(number=7, due=NOW), asyncio.get_running_loop().time()
    watch = Noted()
    async with runner_of(Scripted(takes=2), plan(network=1)) as runner, asyncio.TaskGroup() as group:
        for job, due in zip(checks(3), (now + 5, now, now - 1), strict=True):
            group.create_task(runner.run(job, Why.SCHEDULED, slot=slot, due=due, watch=watch), name="run")
    assert [r.lag for r in watch.runs] == [0.0, 2.0, 5.0]
    assert [(r.slot, r.why) for r in watch.runs] == [(slot, Why.SCHEDULED)] * 3


@pytest.mark.looptime
async def test_a_control_run_waits_for_no_place() -> None:
    """It is wanted in the second in which others hang."""
    async with runner_of(Scripted(takes=5), plan(network=1)) as runner, asyncio.TaskGroup() as group:
        first, second, third = checks(3)
        group.create_task(runner.run(first), name="first")
        group.create_task(runner.run(second), name="second")
        await asyncio.sleep(1)
        await runner.run(third, Why.CONTROL)
        assert asyncio.get_running_loop().time() == pytest.approx(6)


async def test_evidence_stops_while_there_is_no_room_for_it() -> None:
    """It is asked before each run."""
    prober, room = Scripted(), [True, False]
    async with runner_of(prober, replace(plan(), keep_evidence=lambda: room.pop(0))) as runner:
        await runner.run(Job(spec(), HOME))
        await runner.run(Job(spec(), HOME))
    assert [c.evidence_dir is None for c in prober.contexts] == [False, True]


async def test_no_prober_is_our_trouble() -> None:
    """When there is no browser the check is not failed."""

    def unavailable(name: str) -> AbstractAsyncContextManager[Prober]:
        raise ProberUnavailable(Failure.of("browser_missing", f"no browser for {name}"))

    async with open_runner(plan(), unavailable) as runner:
        run = await runner.run(Job(spec(), HOME))
    assert (run.outcome, run.failure and run.failure.message) == (Outcome.ERRORED, "no browser for http")


async def test_a_bug_in_a_prober_is_our_trouble() -> None:
    """A prober that raises makes one errored run, with the secret masked, and harms no other."""

    def act(spec: CheckSpec) -> Observation:
        if spec.id == "c1":
            raise RuntimeError("kaput hunter22")
        if spec.id == "c3":
            raise RuntimeError("half \ud800, and without an end: " + "m" * 5_000_000)
        return Observation()

    async with runner_of(Scripted(act), plan()) as runner:
        runs = await runner.run_all(checks(4))
    assert [r.outcome for r in runs] == [Outcome.PASSED, Outcome.ERRORED, Outcome.PASSED, Outcome.ERRORED]
    assert runs[3].failure is not None
    assert "half ?, and" in runs[3].failure.message
    assert len(runs[3].failure.message) < 11_000, "every list shows it"
    assert runs[1].failure is not None
    assert runs[1].failure.message == "RuntimeError in the function prober: kaput ***"


@pytest.mark.looptime
async def test_a_prober_that_never_returns() -> None:
    """The backstop: the run ends, errored, not failed."""
    loop = asyncio.get_running_loop()
    async with runner_of(Scripted(takes=10**6), plan()) as runner:
        run = await runner.run(Job(spec(timeout=timedelta(seconds=5)), HOME))
    assert run.outcome is Outcome.ERRORED
    assert run.failure is not None
    assert "did not return" in run.failure.message
    assert loop.time() == pytest.approx(5 + OVERRUN.total_seconds(), abs=1)


@pytest.mark.looptime
async def test_interrupted_runs_are_aborted() -> None:
    """Who is cancelled still ends in exactly one run, also who was waiting."""
    watch = Noted()
    async with runner_of(Scripted(takes=60), plan(network=1)) as runner:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await runner.run_all(checks(2), watch=watch)
    assert watch.events[0] == "started c0"
    assert sorted(watch.events[1:]) == ["aborted c0", "aborted c1"]


@pytest.mark.looptime
async def test_repeat_keeps_to_its_slots() -> None:
    """Fixed slots: a run that overruns its interval leaves a slot out and does not shift the others."""
    times: list[float] = []
    loop = asyncio.get_running_loop()
    begun = loop.time()
    takes = iter([1, 70, 1, 1, 1, 1])
    prober = Scripted()

    def act(spec: CheckSpec) -> Observation:
        times.append(loop.time() - begun - prober.takes)
        prober.takes = next(takes)
        return Observation()

    prober.act = act
    async with runner_of(prober, plan()) as runner:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(310):
                await repeat(runner, [Job(spec(every=timedelta(minutes=1), timeout=timedelta(seconds=50)), HOME)])
    assert times == pytest.approx([0, 60, 120, 240, 300], abs=0.1)


async def test_run_ids_sort_by_time() -> None:
    """Later ids are greater; two of the same millisecond differ."""
    assert new_run_id(NOW) < new_run_id(NOW + timedelta(milliseconds=1))
    assert new_run_id(NOW) != new_run_id(NOW)


async def test_capacity() -> None:
    """One journey for each two processors, unless told otherwise; never none."""
    assert browser_capacity(None) >= 1
    assert browser_capacity(3) == 3


@pytest.mark.parametrize("why", list(Why))
async def test_what_has_side_effects_as_a_whole_is_not_run_beside_the_schedule(why: Why) -> None:
    """It comes to a row that says so and that judges nothing; the prober is not even asked."""
    prober, noted = Scripted(), Noted()
    async with open_runner(plan(), prober.open) as runner:
        run = await runner.run(Job(spec(side_effects=WHOLE_RUN), HOME), why, watch=noted)
    spared = why in (Why.CONFIRM, Why.DRILL)
    assert len(prober.contexts) == (not spared)
    assert run.outcome is (Outcome.ABORTED if spared else Outcome.PASSED)
    assert run.observation.stopped_before == (WHOLE_RUN if spared else None)
    assert noted.runs == [run]
