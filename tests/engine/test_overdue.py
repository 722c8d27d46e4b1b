"""A run that goes on far past its usual time is told once, before it ends; one that ends in time is never told."""

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from probe.core.check import CheckId, Function
from probe.core.evaluate import Overdue
from probe.core.rules import Rules
from probe.core.run import Outcome, Run, Slot, Why
from probe.core.state import Change, State
from probe.core.target import BrowserKind, Region
from probe.engine import service as service_module
from probe.engine.overdue import BROWSER_START, WORKER_START, Timekeeper
from probe.engine.recorder import Recorder
from probe.engine.runner import SILENT, Job, Watch
from probe.engine.service import Service
from probe.ports import Restored
from probe.store.memory import MemoryStore
from probe.testing import VirtualClock
from tests.core.builders import spec
from tests.core.world import World, rules_of, watched

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime(noop_cycles=1)]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
EU = Region(name="eu")
RULES = rules_of(watched())


class Bench:
    """Runs that wait for room first, and then take as long as they are told; what is heard of those that are late."""

    def __init__(self, usual: float | None = 2.0, *, room: float = 0.0) -> None:
        self.clock = VirtualClock(EPOCH)
        self.room = room
        self.takes = 1.0
        self.told: list[tuple[float, Overdue]] = []
        self.begun: list[datetime] = []
        self.keeper = Timekeeper(self._run, lambda _: usual, self._tell, self.clock)

    async def _run(self, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        await asyncio.sleep(self.room)
        self.begun.append(self.clock.now())
        watch.started(job)
        await asyncio.sleep(self.takes)
        run = World(RULES).run(Outcome.PASSED)
        watch.ended(job, run)
        return run

    def _tell(self, overdue: Overdue) -> None:
        self.told.append((asyncio.get_running_loop().time(), overdue))

    async def run(self, takes: float, why: Why = Why.SCHEDULED, **given: Any) -> list[float]:
        """Make a run; at which seconds it was told to be late."""
        self.takes, self.told = takes, []
        await self.keeper.run(Job(spec(**given), EU), why, slot=None, due=None, watch=SILENT)
        await asyncio.sleep(60)
        return [at for at, _ in self.told]


async def test_a_late_run_is_told_once_and_one_in_time_is_not() -> None:
    bench = Bench(room=5.0)
    assert await bench.run(9.0) == [7.0], "two seconds after it had its place, for which it had to wait"
    ((_, told),) = bench.told
    assert told == Overdue(check=CheckId("cart"), region="eu", began=bench.begun[0])
    assert await bench.run(1.9) == []


@pytest.mark.parametrize("why", list(Why))
async def test_only_what_is_judged_is_watched(why: Why) -> None:
    assert bool(await Bench().run(9.0, why)) is (why in (Why.SCHEDULED, Why.CONFIRM))


@pytest.mark.parametrize("usual", [None, 10.0, 11.0])
async def test_without_a_usual_time_short_of_the_timeout_nothing_is_late(usual: float | None) -> None:
    assert await Bench(usual).run(9.9) == []


@pytest.mark.parametrize(("browser", "start"), [(BrowserKind.HEADLESS_SHELL, BROWSER_START), (None, WORKER_START)])
async def test_the_start_of_a_worker_is_not_the_run_s_time(browser: BrowserKind | None, start: float) -> None:
    work = Function(file="a.py", name="buy", browser=browser)
    assert await Bench().run(9.0, work=work) == [2.0 + start]


async def test_a_run_that_is_cancelled_or_raises_is_not_told() -> None:
    bench = Bench()
    bench.takes = 9.0
    with suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await bench.keeper.run(Job(spec(), EU), Why.SCHEDULED, slot=None, due=None, watch=SILENT)
    await asyncio.sleep(60)
    assert bench.told == []


async def test_it_is_judged_in_its_place_and_no_run_is_written() -> None:
    """Between the runs that came before and after it, like a tick."""
    clock, store, judged = VirtualClock(EPOCH), MemoryStore(), []

    def judge(_state: State, event: object, _rules: Rules, _now: datetime) -> Change:
        if isinstance(event, Run | Overdue):
            judged.append(type(event))
        return Change()

    recorder = Recorder(store, State(), RULES, clock, lambda _: None, lambda _: None, judge=judge)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(recorder.run(stop, timedelta(seconds=5)), name="recorder")
        world = World(RULES)
        recorder.put(replace(world.run(Outcome.PASSED)))
        recorder.put(Overdue(check=CheckId("checkout"), region="eu", began=EPOCH))
        recorder.put(world.run(Outcome.FAILED))
        await recorder.flush()
        stop.set()
    assert judged == [Run, Overdue, Run]
    assert len(store.runs) == 2


async def test_the_service_asks_judgement_how_long_a_run_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scheduled and confirming runs of a check that hangs are told to judgement; what it asks is looked up at each start."""
    asked: list[tuple[object, str]] = []
    told: list[Overdue] = []

    def usual(check: object, watched: Any, region: str) -> float | None:
        asked.append((watched.id, region))
        return 3.0

    def judge(self: Recorder, event: object) -> None:
        if isinstance(event, Overdue):
            told.append(event)

    async def hang(job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        watch.started(job)
        await asyncio.sleep(9.0)
        return replace(World(RULES).run(Outcome.PASSED), why=why, slot=slot)

    monkeypatch.setattr(service_module, "late_after", usual)
    monkeypatch.setattr(Recorder, "_judge_one", judge)
    clock, stop = VirtualClock(EPOCH), asyncio.Event()
    service = Service(MemoryStore(), Restored(), RULES, hang, clock, random.Random(7))
    timeouts: Mapping[str, timedelta] = {"checkout": timedelta(seconds=10), "stranger": timedelta(seconds=10)}
    jobs = [Job(spec(id=CheckId(name), timeout=limit), EU) for name, limit in timeouts.items()]
    service.plan(RULES, jobs, [])
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run(stop, timedelta(seconds=30)), name="service")
        await asyncio.sleep(119)
        stop.set()
    assert set(asked) == {("checkout", "eu")}
    assert [t.check for t in told] == ["checkout"] * len(asked)
