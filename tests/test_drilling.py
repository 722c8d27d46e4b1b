"""Live drills, in virtual time: planned ones, those that nobody hears of, and what a reload does to them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from probe.core.check import CheckId, PytestFunction
from probe.core.drilled import PlannedDrill
from probe.core.fault import Drill, FaultKind
from probe.core.incident import Verdict
from probe.core.notification import Attempt, Fate, Notification
from probe.core.rules import Rules, Watched
from probe.core.run import Outcome, Run, Why
from probe.core.target import Region
from probe.drilling import Drills
from probe.engine.runner import Job, Watch
from probe.engine.service import Service
from probe.errors import ProbeError
from probe.generation import Generation
from probe.testing import VirtualClock
from tests.drill.builders import asked, page, run, spec

pytestmark = pytest.mark.looptime
BUY, CAUSE = CheckId("buy"), "drill:shop.example"


@dataclass
class World:
    """A daemon without a shop: `opens` is whether the fault makes an incident, `answers` whether a channel takes it."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    opens: bool = True
    answers: bool = True
    clean: Outcome = Outcome.PASSED
    said: list[Notification] = field(default_factory=list)
    plans: list[set[str]] = field(default_factory=list)
    drills: Drills = field(init=False)
    last: tuple[str, Why, Drill] | None = None

    def __post_init__(self) -> None:
        self.job = Job(spec(None, id=BUY, slo="buying"), Region(name="local"))
        watched = Watched(
            id=BUY,
            target="shop",
            cause="shop.example",
            regions=("local",),
            every=timedelta(minutes=1),
            timeout=timedelta(seconds=9),
            spared=("pay",),
        )
        self.generation = SimpleNamespace(
            jobs=(self.job,),
            rules=Rules(checks={BUY: watched}),
            config=SimpleNamespace(channels={"team": 0, "other": 0}, drills=(), fleet=None),
            run=self.run,
        )
        self.service = SimpleNamespace(
            state=SimpleNamespace(incidents={}), recorder=SimpleNamespace(say=self.said.extend), heard=None
        )
        self.drills = Drills(
            cast("Service", self.service), lambda: cast("Generation", self.generation), self.replan, self.clock
        )

    def replan(self) -> None:
        rules, jobs = self.drills.added(self.generation.rules, self.generation.jobs)
        self.plans.append({job.spec.id for job in jobs})
        self.service.state.incidents.clear()
        if "drill:buy" in rules.checks and self.opens:
            asyncio.get_running_loop().call_later(30, self.open)

    def open(self) -> None:
        incident = SimpleNamespace(id="i-1", verdict=Verdict.DOWN, told=("team",))
        self.service.state.incidents[CAUSE] = incident
        if self.answers:
            attempt = Attempt(key="i-1:1:opened:team", at=self.clock.now(), fate=Fate.SENT)
            asyncio.get_running_loop().call_later(2, self.service.heard, attempt)

    async def run(self, job: Job, why: Why, *, drill: Drill, watch: Watch | None = None, **_: Any) -> Run:
        made = run(self.clean, asked=(asked(None, "GET /", page("<h1>x</h1>"), "http"),))
        if watch is not None:
            watch.ended(job, made)
        self.last = (job.spec.id, why, drill)
        return made

    async def over(self) -> dict[str, Any]:
        while (report := self.drills.report) is None or report["state"] != "over":
            await asyncio.sleep(1)
        return report


@asynccontextmanager
async def working(world: World) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.drills.run(), name="drills")
        yield
        task.cancel()


async def test_one_that_arrives() -> None:
    """Detected and told after so many seconds; then what was added is gone."""
    world = World()
    async with working(world):
        world.drills.begin(BUY, FaultKind.REFUSED)
        with pytest.raises(ProbeError, match="one at a time"):
            world.drills.begin(BUY, FaultKind.REFUSED)
        report = await world.over()
    assert (report["trouble"], report["request"], report["verdict"]) == (None, "GET /", "down")
    assert report["detected"] == pytest.approx(30, abs=0.2)
    assert report["told"] == pytest.approx(32, abs=0.2)
    assert report["channels"] == {"team": report["told"]}
    assert world.plans[0] == {"buy", "drill:buy"}
    assert world.plans[-1] == {"buy"}
    assert world.said == []


@pytest.mark.parametrize(
    ("change", "trouble", "channels"),
    [
        ({"opens": False}, "was not detected within 600 s", ["team", "other"]),
        ({"answers": False}, "no channel took the alert in 600 s more", ["other"]),
        ({"clean": Outcome.FAILED}, "a drill needs a check that passes", ["team", "other"]),
    ],
)
async def test_one_that_does_not_arrive_is_told(change: dict[str, Any], trouble: str, channels: list[str]) -> None:
    """On every channel but that which was to take it; the fault is gone."""
    world = World(**change)
    async with working(world):
        world.drills.begin(BUY, FaultKind.REFUSED)
        report = await world.over()
    assert trouble in report["trouble"]
    assert [n.channel for n in world.said] == channels
    assert {(n.message.title, n.message.verdict, n.message.cause) for n in world.said} == {
        ("DRILL did not arrive: buy", Verdict.PROBE_FAULT, CAUSE)
    }
    assert all(line.startswith("DRILL ") for line in world.said[0].message.body.splitlines())
    assert world.plans[-1] == {"buy"}


async def test_what_cannot_be_drilled() -> None:
    """No such check, a pytest file, a fault that has no place, and in a fleet."""
    world = World()
    with pytest.raises(KeyError):
        world.drills.begin(CheckId("other"), FaultKind.SLOW)
    async with working(world):
        world.drills.begin(BUY, FaultKind.WRONG_PRICE)
        assert "there is no place for wrong-price" in (await world.over())["trouble"]
    world.generation.jobs = (Job(spec(PytestFunction(file="f", node="t"), id=BUY), Region(name="local")),)
    with pytest.raises(ProbeError, match="pytest"):
        world.drills.begin(BUY, FaultKind.SLOW)
    world.generation.config.fleet = object()
    with pytest.raises(ProbeError, match="in a fleet"):
        world.drills.begin(BUY, FaultKind.SLOW)


async def test_planned_drills(caplog: pytest.LogCaptureFixture) -> None:
    """Begun at their time, once; one that cannot be made is logged, and does not end the others."""
    world = World()
    planned = PlannedDrill(check=BUY, cron="5 * * * *", fault=FaultKind.EMPTY)
    lost = PlannedDrill(check=CheckId("gone"), cron="4 * * * *")
    caplog.set_level("INFO", "probe.drilling")
    world.generation.config.drills = (lost, planned, PlannedDrill(check=BUY, cron="5 * * * *", fault=FaultKind.STALE))
    async with working(world):
        await asyncio.sleep(299)
        before = world.drills.report
        await asyncio.sleep(1500)
        report = world.drills.report
    assert before is None
    assert report is not None
    assert (report["fault"], report["state"], report["trouble"]) == ("stale", "over", None)
    said = [record.getMessage() for record in caplog.records if record.name == "probe.drilling"]
    assert said == ["a planned drill was not made: 'gone'", "a drill arrived", "a drill arrived"], "one after the other"


async def test_runs_of_a_drill() -> None:
    """Scheduled ones are drills, confirmations stay what they are; a run that stopped before effects is a whole one."""
    world = World()
    seen: list[str | None] = []

    class Ear:
        def started(self, _job: Job) -> None:
            seen.append("started")

        def ended(self, _job: Job, ended: Run) -> None:
            seen.append(ended.observation.stopped_before)

    for name, why, expected in [
        ("drill:buy", Why.SCHEDULED, Why.DRILL),
        ("drill:buy", Why.CONFIRM, Why.CONFIRM),
    ]:
        job = Job(spec(None, id=CheckId(name)), Region(name="local"))
        await world.drills.run_one(cast("Generation", world.generation), job, why, slot=None, due=None, watch=Ear())
        assert world.last == (name, expected, Drill(spare=True))
    assert seen == [None, None]
