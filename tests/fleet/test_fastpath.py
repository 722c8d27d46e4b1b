"""What a region does about its own judgement: nothing while the fleet judges, its best while it is cut off."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from probe.core.check import CheckId
from probe.core.incident import IncidentId
from probe.core.notification import Attempt, Fate, Notification, Reason
from probe.core.run import Outcome, Why
from probe.core.state import Ask
from probe.engine.service import Service
from probe.fleet.fastpath import ALONE, FastPath
from probe.ports import Restored
from probe.testing import VirtualClock
from tests.engine.test_service import House
from tests.fleet.nodes import START
from tests.store.builders import notification

pytestmark = pytest.mark.looptime(noop_cycles=1)
ASK = Ask(check=CheckId("cart"), region="eu", why=Why.CONFIRM)


@dataclass
class Standing:
    """The hub answers, or it has not for so long; what was recorded reaches it at once, or does not."""

    cut: float | None = None
    reaches: bool = True
    since: float = 0.0

    def go(self) -> None:
        self.cut = asyncio.get_running_loop().time()
        self.since = self.cut if self.reaches else self.since

    def come(self) -> None:
        self.cut = None

    @property
    def away(self) -> float:
        return 0.0 if self.cut is None else asyncio.get_running_loop().time() - self.cut

    @property
    def clear(self) -> float:
        return asyncio.get_running_loop().time() if self.cut is None and self.reaches else self.since


class Bench:
    def __init__(self, channels: Sequence[str] = ("oncall",), told: Sequence[str] = ()) -> None:
        self.standing = Standing()
        self.sent: list[Notification] = []
        self.settled: list[Attempt] = []
        self.path = FastPath(
            self.standing,
            channels,
            [IncidentId(one) for one in told],
            self.sent.extend,
            self.settled.append,
            VirtualClock(START),
        )

    def tell(self, *given: Notification) -> None:
        self.sent += self.path.tell(given)

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.path.run(), name="fast path")
            yield
            task.cancel()


def of(incident: str, reason: Reason = Reason.OPENED, channel: str = "oncall") -> Notification:
    key = f"{incident}:{reason}:{channel}"
    return notification(key, incident=IncidentId(incident), reason=reason, channel=channel)


async def test_while_the_fleet_judges_nothing_is_asked_or_told_from_here() -> None:
    bench = Bench()
    async with bench.looking():
        assert bench.path.asks([ASK]) == ()
        bench.tell(of("a"), of("a", Reason.RESOLVED))
        await asyncio.sleep(3)
    assert bench.sent == []
    assert [(one.key, one.fate) for one in bench.settled] == [
        ("a:opened:oncall", Fate.WITHDRAWN),
        ("a:resolved:oncall", Fate.WITHDRAWN),
    ]


async def test_what_begins_while_we_are_alone_is_told_and_so_is_its_end() -> None:
    bench = Bench()
    async with bench.looking():
        bench.standing.go()
        await asyncio.sleep(ALONE + 1)
        assert bench.path.asks([ASK]) == [ASK]
        bench.tell(of("a"), of("a", channel="team"), of("b", Reason.REMINDER))
        assert [one.key for one in bench.sent] == ["a:opened:oncall"]
        await asyncio.sleep(2)
        assert {one.key for one in bench.settled} == {"a:opened:team", "b:reminder:oncall"}
        bench.standing.come()
        await asyncio.sleep(5)
        bench.tell(of("a", Reason.REMINDER), of("a", Reason.RESOLVED))
        await asyncio.sleep(5)
    assert [one.key for one in bench.sent] == ["a:opened:oncall", "a:resolved:oncall"]
    assert {one.key for one in bench.settled} >= {"a:reminder:oncall"}


async def test_what_begins_as_the_cut_does_waits_until_it_is_known_what_the_cut_is() -> None:
    """It may have reached the hub, or not: it is told once we are alone, and never when the hub has it."""
    bench = Bench()
    async with bench.looking():
        bench.standing.reaches = False  # the cut is there, and nobody has noticed
        bench.tell(of("a"))
        await asyncio.sleep(3)
        assert bench.path.held == 1
        bench.standing.go()
        await asyncio.sleep(5)
        bench.tell(of("b"))
        await asyncio.sleep(5)
        assert bench.sent == []
        await asyncio.sleep(7)
        assert [one.incident for one in bench.sent] == ["a", "b"]
        assert bench.settled == []
        bench.standing.come()
        bench.standing.reaches = True
        await asyncio.sleep(3)
        bench.standing.go()
        await asyncio.sleep(5)
        bench.tell(of("c"))
        bench.standing.come()
        await asyncio.sleep(3)
    assert [one.incident for one in bench.sent] == ["a", "b"]
    assert [one.key for one in bench.settled] == ["c:opened:oncall"]


async def test_without_channels_of_its_own_a_region_tells_nothing_and_asks_nevertheless() -> None:
    bench = Bench(channels=())
    async with bench.looking():
        bench.standing.go()
        await asyncio.sleep(ALONE + 1)
        assert bench.path.asks([ASK]) == [ASK]
        bench.tell(of("a"))
        await asyncio.sleep(2)
    assert bench.sent == []
    assert [one.answer for one in bench.settled] == ["this region tells nothing of it by itself"]


async def test_after_a_restart_it_is_known_what_was_told() -> None:
    bench = Bench(told=["a"])
    async with bench.looking():
        bench.tell(of("a", Reason.RESOLVED), of("b", Reason.RESOLVED))
        await asyncio.sleep(2)
    assert [one.incident for one in bench.sent] == ["a"]
    assert [one.key for one in bench.settled] == ["b:resolved:oncall"]


# --- with the whole service ---------------------------------------------------------------------------------------------


def gated(house: House, standing: Standing, channels: Sequence[str] = ("oncall",)) -> FastPath:
    service: Service = house.service
    path = FastPath(standing, channels, (), service.delivery.announce, service.recorder.settle, house.clock)
    service.gate = path
    return path


async def test_a_service_behind_its_gate_judges_and_lets_the_fleet_act() -> None:
    house, standing = House(), Standing()
    path = gated(house, standing)
    async with house.open(), asyncio.TaskGroup() as group:
        looking = group.create_task(path.run(), name="fast path")
        await asyncio.sleep(120)
        house.outcome = Outcome.FAILED
        await asyncio.sleep(400)
        assert {run.why for run in house.store.runs} == {Why.SCHEDULED}, "no run was asked for"
        assert house.team.told == []
        assert house.service.state.incidents, "but it knows"
        assert [one.fate for one in house.store.attempts] == [Fate.WITHDRAWN]
        house.outcome = Outcome.PASSED
        await asyncio.sleep(600)
        assert house.service.state.incidents == {}
        standing.go()
        await asyncio.sleep(60)
        house.outcome = Outcome.FAILED
        await asyncio.sleep(300)
        assert house.team.told == [Reason.OPENED]
        assert Why.CONFIRM in {run.why for run in house.store.runs}
        standing.come()
        house.outcome = Outcome.PASSED
        await asyncio.sleep(600)
        looking.cancel()
    assert house.team.told == [Reason.OPENED, Reason.RESOLVED]
    assert (await house.store.restore()).pending == ()


async def test_what_was_pending_at_the_last_end_goes_through_the_gate_too() -> None:
    left = replace(notification("left"), created=START)
    house, standing = House(restored=Restored(pending=(left,))), Standing()
    path = gated(house, standing)
    async with house.open(), asyncio.TaskGroup() as group:
        looking = group.create_task(path.run(), name="fast path")
        await asyncio.sleep(5)
        looking.cancel()
    assert house.team.told == []
    assert [(one.key, one.fate) for one in house.store.attempts] == [("left", Fate.WITHDRAWN)]
