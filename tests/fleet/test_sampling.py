"""A run that fails gets a control sample of the same second: one for all, and none holds a run longer than it may take."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from probe.core.check import CheckId
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Why
from probe.core.target import Region
from probe.engine.runner import Job, Watch
from probe.fleet.sampling import MARGIN, Sampler
from probe.testing import VirtualClock
from tests.core.builders import exchange, spec
from tests.fleet.nodes import START
from tests.store.builders import DOWN, run

pytestmark = pytest.mark.looptime(noop_cycles=1)
EU = Region(name="eu")
CONTROL = Job(spec(id=CheckId("control eu"), timeout=timedelta(seconds=3)), EU)


class Bench:
    """A shop, an anchor, and somebody who looks on."""

    def __init__(self, *, control: Job | None = CONTROL) -> None:
        self.clock = VirtualClock(START)
        self.takes = 1.0
        self.shop = Outcome.FAILED
        self.anchor_takes = 0.25
        self.anchor = Outcome.PASSED
        self.controls: list[float] = []
        self.put: list[Run] = []
        self.seen: list[tuple[float, str, Run]] = []
        self.begun = 0
        self.sampler = Sampler(self._make, lambda _: control, self.put.append)

    async def _make(self, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        at, outcome = asyncio.get_running_loop().time(), self.anchor if why is Why.CONTROL else self.shop
        if why is Why.CONTROL:
            self.controls.append(at)
        watch.started(job)
        failures = (DOWN,) if outcome is Outcome.FAILED else ()
        seen = Observation(failures=failures, exchanges=(exchange(),) if outcome is Outcome.PASSED else ())
        made = run(
            1, id=RunId(f"{job.spec.id} {at}"), check=job.spec.id, why=why, slot=slot, outcome=outcome, observation=seen
        )
        started = self.clock.now()
        try:
            await asyncio.sleep(self.anchor_takes if why is Why.CONTROL else self.takes)
        except asyncio.CancelledError:
            made = replace(made, outcome=Outcome.ABORTED)
            raise
        finally:
            made = replace(made, started=started, duration=self.clock.now() - started)
            watch.ended(job, made)
        return made

    def started(self, job: Job) -> None:
        self.begun += 1

    def ended(self, job: Job, made: Run) -> None:
        self.seen.append((asyncio.get_running_loop().time(), job.spec.id, made))

    async def run(self, name: str = "cart", why: Why = Why.SCHEDULED) -> Run:
        return await self.sampler.run(Job(spec(id=CheckId(name)), EU), why, slot=None, due=None, watch=self)


async def test_a_run_that_fails_carries_the_sample_and_the_control_run_comes_before_it() -> None:
    bench = Bench()
    made = await bench.run()
    assert made.observation.control is not None
    assert made.observation.control.well
    assert made.observation.control.at == START + timedelta(seconds=1)
    assert made.observation.control.seconds == pytest.approx(0.25)
    assert "answered 200" in made.observation.control.text
    ((at, _, seen),) = bench.seen
    assert seen is made
    assert at == pytest.approx(1.25)
    assert [one.why for one in bench.put] == [Why.CONTROL]
    assert bench.begun == 1


async def test_a_control_run_that_fails_says_so_and_one_of_our_own_trouble_too() -> None:
    bench = Bench()
    bench.anchor = Outcome.FAILED
    made = await bench.run()
    assert made.observation.control is not None
    assert not made.observation.control.well
    assert made.observation.control.text == DOWN.message
    bench.anchor = Outcome.ERRORED
    await asyncio.sleep(5)
    made = await bench.run()
    assert made.observation.control is not None
    assert not made.observation.control.well


@pytest.mark.parametrize(
    ("shop", "why"), [(Outcome.PASSED, Why.SCHEDULED), (Outcome.ERRORED, Why.CONFIRM), (Outcome.FAILED, Why.CONTROL)]
)
async def test_nothing_else_takes_a_sample(shop: Outcome, why: Why) -> None:
    bench = Bench()
    bench.shop = bench.anchor = shop
    made = await bench.run(why=why)
    assert made.observation.control is None
    assert [one for _, _, one in bench.seen] == [made]
    assert bench.put == []


async def test_a_region_without_a_control_takes_none() -> None:
    bench = Bench(control=None)
    made = await bench.run()
    assert made.observation.control is None
    assert [one for _, _, one in bench.seen] == [made]


async def test_all_that_fail_within_a_second_share_one_sample() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as group:
        for n in range(50):
            group.create_task(bench.run(f"check {n}"), name=f"run {n}")
        await asyncio.sleep(0.9)
        group.create_task(bench.run("later"), name="later")
        await asyncio.sleep(0.5)
        group.create_task(bench.run("much later"), name="much later")
    assert bench.controls == [pytest.approx(1.0), pytest.approx(2.4)]
    assert len(bench.put) == 2
    assert len(bench.seen) == 52
    assert all(one.observation.control is not None for _, _, one in bench.seen)


async def test_a_control_run_that_hangs_holds_nobody_longer_than_it_may_take() -> None:
    bench = Bench()
    bench.anchor_takes = 60.0
    async with asyncio.TaskGroup() as group:
        for n in range(3):
            group.create_task(bench.run(f"check {n}"), name=f"run {n}")
    assert [at for at, _, _ in bench.seen] == [pytest.approx(1 + 3 + MARGIN)] * 3
    assert all(one.observation.control is None for _, _, one in bench.seen)
    assert bench.put == []


async def test_a_stop_while_the_sample_is_taken_keeps_the_run_and_frees_the_others() -> None:
    bench = Bench()
    bench.anchor_takes = 2.0
    async with asyncio.TaskGroup() as group:
        first = group.create_task(bench.run("first"), name="first")
        await asyncio.sleep(0.1)
        group.create_task(bench.run("second"), name="second")
        await asyncio.sleep(1.5)
        first.cancel()
        await asyncio.sleep(0.1)
    assert [(name, one.outcome, one.observation.control) for _, name, one in bench.seen] == [
        ("first", Outcome.FAILED, None),
        ("second", Outcome.FAILED, None),
    ]


async def test_a_stop_while_the_run_is_made_is_an_aborted_run() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.run(), name="run")
        await asyncio.sleep(0.5)
        task.cancel()
    assert [one.outcome for _, _, one in bench.seen] == [Outcome.ABORTED]
    assert bench.controls == []
