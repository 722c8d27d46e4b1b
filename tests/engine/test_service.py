"""The wiring: a run is made, judged, told and written; and what people command reaches delivery. On virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from probe.core.check import CheckId
from probe.core.incident import IncidentId
from probe.core.ledger import Ledger
from probe.core.maintenance import Window
from probe.core.notification import Fate, Notification, Reason
from probe.core.rules import Escalation, Route, Rules
from probe.core.run import Outcome, Run, Slot, Why
from probe.core.target import Region
from probe.engine.runner import Job, Watch
from probe.engine.service import FAREWELL, Service
from probe.errors import StoreUnavailable
from probe.ports import Restored
from probe.store.memory import MemoryStore
from probe.testing import VirtualClock
from tests.core.builders import spec
from tests.core.letters import notification
from tests.core.world import World, rules_of, watched

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime(noop_cycles=1)]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = timedelta(seconds=30)
HOUR = timedelta(hours=1)
RULES = rules_of(watched())
RELEASE = Window(name="release", start=EPOCH - HOUR, duration=24 * HOUR)


class Team:
    """A channel that takes everything, and notes when."""

    def __init__(self, repeat: timedelta | None = None) -> None:
        self.repeat = repeat
        self.takes = 0.0
        self.came: list[tuple[float, Notification]] = []
        self.standing: list[str] = []

    async def send(self, notification: Notification) -> str:
        self.came.append((asyncio.get_running_loop().time(), notification))
        await asyncio.sleep(self.takes)
        return "ok"

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        raise AssertionError("so much is not said here")

    async def refresh(self, notifications: Sequence[Notification]) -> str:
        self.standing = [n.incident for n in notifications]
        return "ok"

    @property
    def told(self) -> list[Reason]:
        return [n.reason for _, n in self.came]


class House:
    """A service over a store in memory, a shop that is up or down, and a channel."""

    def __init__(self, rules: Rules = RULES, restored: Restored | None = None, team: Team | None = None) -> None:
        self.clock = VirtualClock(EPOCH)
        self.store = MemoryStore()
        self.team = team or Team()
        self.outcome = Outcome.PASSED
        self.takes = 1.0
        self.world = World(rules)
        self.job = Job(spec(id=CheckId("checkout")), Region(name="eu"))
        self.stop = asyncio.Event()
        self.service = Service(self.store, restored or Restored(), rules, self.run, self.clock, random.Random(7))
        self.service.use({"oncall": self.team}, {})
        self.service.plan(rules, [self.job], [], alive=restored.alive if restored else None)

    async def run(self, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        assert due is not None
        watch.started(job)
        started = self.clock.now()
        await asyncio.sleep(self.takes)
        return replace(self.world.run(self.outcome), why=why, slot=slot, started=started)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Service]:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.service.run(self.stop, GRACE), name="service")
            yield self.service
            self.stop.set()

    async def outage(self) -> IncidentId:
        """Break the shop and wait until it is known."""
        self.outcome = Outcome.FAILED
        await asyncio.sleep(180)
        (incident,) = self.service.state.incidents.values()
        return incident.id

    async def recovery(self) -> None:
        self.outcome = Outcome.PASSED
        await asyncio.sleep(300)
        assert self.service.state.incidents == {}


async def test_an_outage_from_the_run_to_the_attempt() -> None:
    """Runs in, one opening and one resolution out, and all of it stored: with the fate of what was said."""
    house = House()
    async with house.open():
        await asyncio.sleep(120)
        assert house.team.told == []
        await house.outage()
        assert house.team.told == [Reason.OPENED]
        assert Why.CONFIRM in {run.why for run in house.store.runs}
        await house.recovery()
        assert house.team.told == [Reason.OPENED, Reason.RESOLVED]
    slots = [run.slot.number for run in house.store.runs if run.slot is not None]
    assert slots == [*range(len(slots))]
    assert [(a.fate, a.answer) for a in house.store.attempts] == [(Fate.SENT, "ok")] * 2
    assert house.store.state.checks == house.service.state.checks


async def test_a_run_that_hangs_counts_before_its_timeout() -> None:
    """Its usual time is learned from the runs before it; what is learned of the hanging one comes long before its end."""
    house = House()
    house.job = Job(replace(house.job.spec, timeout=timedelta(seconds=30)), house.job.region)
    async with house.open() as service:
        service.plan(RULES, [house.job], [])
        await asyncio.sleep(4 * 3600)
        runs = len(house.store.runs)
        house.takes = 29.0
        begun = asyncio.get_running_loop().time()
        while not any(fact.overdue for fact in house.service.state.checks[CheckId("checkout")].trail):
            await asyncio.sleep(0.5)
        assert asyncio.get_running_loop().time() - begun < 60 + 5, "it began within a minute"
        assert len(house.store.runs) == runs, "it has not ended yet"
    assert [run.outcome for run in house.store.runs[runs:]] == [Outcome.PASSED] * len(house.store.runs[runs:])


async def test_the_last_run_is_still_judged_told_and_written() -> None:
    """A run that ends after the stop has begun, and decides, is told before the end, and its attempt is stored; though
    the store and the channel take their time."""
    house = House()
    house.store.delay, house.team.takes = 1.0, 2.0
    async with house.open():
        house.outcome = Outcome.FAILED
        while len(house.store.runs) < 2:
            await asyncio.sleep(0.25)
        house.takes = 21
        while house.service.scheduler.running == 0:
            await asyncio.sleep(0.25)
        assert house.service.state.incidents == {}
    assert house.team.told == [Reason.OPENED]
    assert [a.fate for a in house.store.attempts] == [Fate.SENT]
    assert house.service.recorder.queued == 0


async def test_the_end_does_not_wait_for_a_channel_that_hangs() -> None:
    """It takes the farewell at most; what was not told is told after the next start, with what was known of it."""
    house = House()
    house.team.takes = 1e6
    async with house.open():
        house.outcome = Outcome.FAILED
        while not house.team.came:
            await asyncio.sleep(1)
        begun = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun <= FAREWELL.total_seconds() + house.takes
    assert house.store.attempts == []
    restored = await house.store.restore()
    (pending,) = restored.pending
    after = House(restored=restored)
    async with after.open():
        await asyncio.sleep(1)
        assert [n.key for _, n in after.team.came] == [pending.key]


async def test_after_a_start_what_is_pending_is_sent() -> None:
    """With the tries that it has had: one that is put off is sent when its time has come."""
    notes = (notification("i1", created=EPOCH), notification("i2", created=EPOCH))
    later = EPOCH + timedelta(seconds=40)
    house = House(restored=Restored(pending=notes, tries={notes[1].key: 3}, again={notes[1].key: later}))
    async with house.open():
        await asyncio.sleep(60)
    assert [(round(at), n.incident) for at, n in house.team.came] == [(0, "i1"), (40, "i2")]


async def test_trouble_that_comes_back_after_a_restart_is_the_same_incident() -> None:
    """What was resolved a while before the start is known: it is opened again, and told so; somebody may take it from now on."""
    soon = timedelta(minutes=10)
    route = Route(channels=("oncall",), remind=soon, escalate=Escalation(after=soon, channels=("boss",)))
    rules = rules_of(watched(), routes=(route,))
    house = House(rules)
    async with house.open():
        incident = await house.outage()
        await house.recovery()
    await asyncio.sleep(20 * 60)
    after = House(rules, restored=await house.store.restore())
    async with after.open():
        assert await after.outage() == incident
    assert [n.incident for _, n in after.team.came] == [incident]
    assert [n.message.title.split(":")[0] for _, n in after.team.came] == ["AGAIN DOWN"]
    assert "; came back once)" in after.team.came[0][1].message.body


async def test_muted() -> None:
    """Nothing comes of a muted incident until the mute is over, also after a restart; unmuted, it comes at once."""
    house = House(team=Team(repeat=timedelta(minutes=1)))
    async with house.open() as service:
        incident = await house.outage()
        await asyncio.sleep(61)
        assert house.team.standing == [incident]
        until = house.clock.now() + HOUR
        await service.mute(incident, until, "ada")
        house.team.standing = []
        await asyncio.sleep(61)
        assert house.team.standing == [], "those who must be told again and again are not"
        with pytest.raises(KeyError):
            await service.mute(IncidentId("another"), until, "ada")
        house.stop.set()
    pending = notification(incident, 2, Reason.RESOLVED, created=EPOCH)
    restored = replace(await house.store.restore(), pending=(pending,), alive=EPOCH)
    after = House(restored=restored)
    after.outcome = Outcome.FAILED
    async with after.open() as service:
        await asyncio.sleep(30)
        assert after.team.told == []
        await service.mute(incident, None, "ada")
        await asyncio.sleep(0.1)
        assert after.team.told == [Reason.RESOLVED]


async def test_what_is_not_muted_any_more_stays_so_when_the_clock_goes_back() -> None:
    """It is told at once, not when the clock shows again what it showed as it was unmuted."""
    house = House()
    async with house.open() as service:
        incident = await house.outage()
        await service.mute(incident, house.clock.now() + HOUR, "ada")
        assert service._held(notification(incident)) is not None
        await service.mute(incident, None, "ada")
        house.clock.jump(-HOUR.total_seconds())
        assert service._held(notification(incident)) is None


async def test_a_mute_holds_though_it_cannot_be_written() -> None:
    """The store has trouble: whoever mutes is told so, and nothing is delivered nevertheless."""
    house = House()
    async with house.open() as service:
        incident = await house.outage()
        house.store.fail = StoreUnavailable("the disk is full")
        with pytest.raises(StoreUnavailable, match="full"):
            await service.mute(incident, house.clock.now() + HOUR, "ada")
        await house.recovery()
        assert house.team.told == [Reason.OPENED]
        assert service.delivery.pending == {"oncall": 1}
        house.store.fail = None
        await asyncio.sleep(3600)
        assert house.team.told == [Reason.OPENED, Reason.RESOLVED]


async def test_acknowledged() -> None:
    """Who takes care is in the state and in the store."""
    house = House()
    async with house.open() as service:
        incident = await house.outage()
        await service.acknowledge(incident, "ada")
        (kept,) = house.store.state.incidents.values()
        assert (kept.id, kept.acknowledged_by) == (incident, "ada")
        with pytest.raises(KeyError):
            await service.acknowledge(IncidentId("another"), "ada")


async def test_other_rules_count_at_once() -> None:
    """A reload takes the window away that held an opening back: it is told in that moment, and by the new routes."""
    house = House(replace(RULES, windows=(RELEASE,)))
    async with house.open() as service:
        await house.outage()
        assert house.team.told == []
        now = asyncio.get_running_loop().time()
        service.plan(RULES, [house.job], [])
        await asyncio.sleep(0.5)
        ((at, opening),) = house.team.came
        assert (at, opening.reason) == (now, Reason.OPENED)
        numbers = [run.slot.number for run in house.store.runs if run.slot is not None]
        await asyncio.sleep(120)
    assert [run.slot.number for run in house.store.runs if run.slot is not None][: len(numbers) + 2] == [
        *range(len(numbers) + 2)
    ]


async def test_what_is_old_is_forgotten() -> None:
    """Counts by the minute and by the hour are kept only as long as anybody asks for them."""
    house = House()
    ledger = house.service.state.ledgers["checkout"] = Ledger()
    ledger.add(EPOCH - 200 * 24 * HOUR, good=1)
    ledger.add(EPOCH - HOUR, good=2)
    house.service.forget(EPOCH, timedelta(days=100))
    assert [counts.good for counts in ledger.hours.values()] == [2]
