"""A run that fails carries what is otherwise than in the last good one of its place; nothing of it holds a run up."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from probe.core.check import CheckId
from probe.core.drilled import drilled
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Why
from probe.core.target import Region
from probe.engine import compare as compare_module
from probe.engine.compare import AT_ONCE, PATIENCE, Comparer
from probe.engine.runner import Job, Watch
from probe.errors import StoreUnavailable
from tests.core.builders import spec
from tests.core.test_changes import answer
from tests.store.builders import DOWN, run

pytestmark = pytest.mark.looptime(noop_cycles=1)
EU, US = Region(name="eu"), Region(name="us")


def made(id: str, build: str, outcome: Outcome = Outcome.PASSED, *, stopped_before: str | None = None) -> Run:
    """A run of a shop that says its build."""
    seen = Observation(
        exchanges=(answer(headers={"X-Build": build}),),
        failures=(DOWN,) if outcome is Outcome.FAILED else (),
        stopped_before=stopped_before,
    )
    return run(1, id=RunId(id), outcome=outcome, observation=seen)


class Bench:
    """A shop, a store that may be slow, and somebody who looks on."""

    def __init__(self) -> None:
        self.next = made("good", "41")
        self.stored: Run | Exception | None = None
        self.takes = 0.0
        self.asked: list[tuple[str, str]] = []
        self.seen: list[tuple[str, Run | None]] = []
        self.comparer = Comparer(self._make, self._last_good)

    async def _make(self, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        watch.started(job)
        watch.ended(job, self.next)
        return self.next

    async def _last_good(self, check: CheckId, region: str) -> Run | None:
        self.asked.append((check, region))
        await asyncio.sleep(self.takes)
        if isinstance(self.stored, Exception):
            raise self.stored
        return self.stored

    def started(self, job: Job) -> None:
        self.seen.append(("started", None))

    def ended(self, job: Job, run: Run) -> None:
        self.seen.append(("ended", run))

    async def run(self, next: Run, name: str = "cart", region: Region = EU, why: Why = Why.SCHEDULED) -> Run:
        self.next = next
        return await self.comparer.run(Job(spec(id=CheckId(name)), region), why, slot=None, due=None, watch=self)


def builds(run: Run) -> list[tuple[str | None, str | None]] | None:
    """What builds a run was compared with; `None`: it was not compared."""
    compared = run.observation.compared
    return None if compared is None else [(d.before, d.after) for d in compared.differences if d.what == "build"]


async def test_a_failed_run_is_compared_with_the_last_good_one_of_its_place() -> None:
    bench = Bench()
    good = await bench.run(made("one", "40"))
    assert builds(good) is None
    await bench.run(made("two", "41"))
    bad = await bench.run(made("three", "42", Outcome.FAILED))
    assert builds(bad) == [("41", "42")]
    assert bad.observation.compared is not None
    assert bad.observation.compared.good == "two"
    assert builds(await bench.run(made("four", "43", Outcome.FAILED))) == [("41", "43")]
    assert builds(await bench.run(made("five", "42", Outcome.FAILED), region=US)) is None
    assert builds(await bench.run(made("six", "42", Outcome.FAILED), name="home")) is None
    assert bench.asked == [("cart", "us"), ("home", "eu")], "where one is known, nobody is asked"


async def test_whoever_looks_on_hears_of_the_compared_run_alone() -> None:
    bench = Bench()
    await bench.run(made("good", "41"))
    bad = await bench.run(made("bad", "42", Outcome.FAILED))
    assert [what for what, _ in bench.seen] == ["started", "ended", "started", "ended"]
    assert bench.seen[-1][1] is bad


async def test_a_run_that_was_spared_replaces_no_whole_one() -> None:
    bench = Bench()
    await bench.run(made("spared", "39", stopped_before="checkout"))
    assert builds(await bench.run(made("bad", "42", Outcome.FAILED))) == [("39", "42")], "better than none"
    await bench.run(made("whole", "41"))
    await bench.run(made("spared", "40", stopped_before="checkout"))
    assert builds(await bench.run(made("bad", "42", Outcome.FAILED))) == [("41", "42")]


@pytest.mark.parametrize("outcome", [Outcome.ERRORED, Outcome.MISSED, Outcome.ABORTED])
async def test_what_says_nothing_about_the_target_is_as_it_was(outcome: Outcome) -> None:
    bench = Bench()
    await bench.run(made("good", "41"))
    other = made("other", "42", outcome)
    assert await bench.run(other) is other
    assert builds(await bench.run(made("bad", "43", Outcome.FAILED))) == [("41", "43")]


async def test_control_runs_and_drills_are_as_they_were() -> None:
    """What a drill plants is known."""
    bench = Bench()
    for name, why in (("control eu", Why.CONTROL), (drilled(CheckId("cart")), Why.DRILL)):
        await bench.run(made("good", "41"), name=name, why=why)
        bad = made("bad", "42", Outcome.FAILED)
        assert await bench.run(bad, name=name, why=why) is bad
    assert bench.asked == []


async def test_after_a_start_the_store_is_asked_once_for_each_place() -> None:
    bench = Bench()
    bench.stored = made("before", "41")
    assert builds(await bench.run(made("bad", "42", Outcome.FAILED))) == [("41", "42")]
    assert builds(await bench.run(made("bad", "42", Outcome.FAILED))) == [("41", "42")]
    bench.stored = None
    for _ in range(2):
        assert builds(await bench.run(made("bad", "42", Outcome.FAILED), region=US)) is None
    assert bench.asked == [("cart", "eu"), ("cart", "us")]
    await bench.run(made("good", "40"), region=US)
    assert builds(await bench.run(made("bad", "42", Outcome.FAILED), region=US)) == [("40", "42")]


@pytest.mark.parametrize("trouble", [StoreUnavailable("the disk is gone"), ValueError("a bug")])
async def test_a_store_that_cannot_say_costs_nothing(trouble: Exception) -> None:
    bench = Bench()
    bench.stored = trouble
    bad = made("bad", "42", Outcome.FAILED)
    assert await bench.run(bad) is bad
    assert bench.seen[-1] == ("ended", bad)


async def test_a_store_that_does_not_answer_is_not_waited_for() -> None:
    bench = Bench()
    bench.takes = 3600
    started = asyncio.get_running_loop().time()
    assert builds(await bench.run(made("bad", "42", Outcome.FAILED))) is None
    assert asyncio.get_running_loop().time() - started == pytest.approx(PATIENCE)


async def test_when_everything_fails_at_once_only_some_wait() -> None:
    """The others go on at once, and ask with their next run."""
    bench = Bench()
    bench.takes, bench.stored = PATIENCE / 2, made("before", "41")
    bad = made("bad", "42", Outcome.FAILED)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(bench.run(bad, name=f"check {n}"), name=f"{n}") for n in range(3 * AT_ONCE)]
    assert sum(builds(task.result()) is not None for task in tasks) == AT_ONCE
    bench.asked.clear()
    assert builds(await bench.run(bad, name=f"check {AT_ONCE}")) == [("41", "42")]
    assert len(bench.asked) == 1


async def test_a_run_that_is_cancelled_while_it_is_compared_is_not_lost() -> None:
    bench = Bench()
    bench.takes = 3600
    bad = made("bad", "42", Outcome.FAILED)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.run(bad), name="run")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    assert bench.seen[-1] == ("ended", bad)


async def test_a_run_that_is_cancelled_before_it_has_ended_is_its_makers() -> None:
    bench = Bench()
    never = asyncio.Event()

    async def hang(job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        await never.wait()
        raise AssertionError

    comparer = Comparer(hang, bench._last_good)
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await comparer.run(Job(spec(), EU), Why.SCHEDULED, slot=None, due=None, watch=bench)
    assert bench.seen == []


async def test_the_place_heard_of_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_module, "KEPT", 2)
    bench = Bench()
    for name in ("a", "b", "a", "c"):
        await bench.run(made("good", "41"), name=name)
    bad = made("bad", "42", Outcome.FAILED)
    assert builds(await bench.run(bad, name="b")) is None
    assert builds(await bench.run(bad, name="a")) == [("41", "42")]
    assert bench.asked == [("b", "eu")]


async def test_what_cannot_be_compared_is_told_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in what explains a run must not lose the run."""
    bench = Bench()
    await bench.run(made("good", "41"))
    bad = made("bad", "42", Outcome.FAILED)
    odd = replace(bad, observation=replace(bad.observation, exchanges=(None,)))  # type: ignore[arg-type]  # what a bug makes
    assert await bench.run(odd) is odd
    assert bench.seen[-1] == ("ended", odd)
    assert "was not compared" in caplog.text
