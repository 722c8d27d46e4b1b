"""Weeks in the life of the daemon, drawn from a seed: everything that goes wrong, in virtual time."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from pathlib import Path

from probe.core.evaluate import Event, evaluate
from probe.core.notification import Notification
from probe.core.rules import Rules
from probe.core.state import Change, State
from probe.engine.runner import open_runner
from probe.engine.service import Service
from probe.errors import StoreUnavailable
from probe.ports import Record, Restored
from probe.store.memory import MemoryStore
from probe.store.settings import StoreSettings
from tests.simulation.clockwork import VirtualLoop, pace, repeatable
from tests.simulation.promises import OPEN_WITHIN, OUTAGES, OVER_WITHIN, SETTLES, Promises
from tests.simulation.script import Act, Script, Step
from tests.simulation.world import (
    CHANNELS,
    Fault,
    Hands,
    Kind,
    Mood,
    Phone,
    World,
    control_jobs,
    jobs,
    plan,
    rules_of,
)

LOOK = 600.0
"""Seconds between two looks at everything."""
GRACE = timedelta(seconds=30)
AWAKE = (30.0, 150.0)
"""Seconds before and after an act in which scheduler and recorder keep their real pace."""
ALWAYS = timedelta(days=4000)
FOR_EVER = float("inf")


class Broken(AssertionError):
    """A promise was broken."""


@dataclass(slots=True)
class Told:
    """What a simulation was like."""

    store: MemoryStore
    acts: Counter[str] = field(default_factory=Counter)
    arrivals: int = 0
    again: int = 0
    probes: int = 0
    lost_runs: int = 0
    lost_keys: int = 0
    counted: int = 0


class Life:
    """One life of the daemon, between a start and a stop or crash. The store that it sees ends with it."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.stop = asyncio.Event()
        self.dead = False
        self.service: Service
        self.task: asyncio.Task[None]
        self._writing: Record | None = None

    async def restore(self) -> Restored:
        return await self.store.restore()

    async def tidy(self, now: datetime) -> None:
        await self.store.tidy(now)

    async def commit(self, record: Record) -> None:
        if self.dead:
            await asyncio.Event().wait()
        self._writing = record
        await self.store.commit(record)
        self._writing = None

    async def kill(self, *, written: bool) -> None:
        """End at once. `written`: the commit that was on its way reached the disk, but nobody heard of it."""
        self.dead = True
        self.task.cancel()
        await asyncio.wait([self.task])
        if written and self._writing is not None and self.store.fail is None:
            delay, self.store.delay = self.store.delay, 0.0
            await self.store.commit(self._writing)
            self.store.delay = delay


class Simulation:
    """The daemon, its world, and the hand of fate."""

    def __init__(self, script: Script, group: asyncio.TaskGroup, tell: Callable[[str], None]) -> None:
        self.script = script
        self.loop = asyncio.get_running_loop()
        self.hands = Hands(script.epoch)
        self.world = World(script.seed)
        self.store = MemoryStore(
            StoreSettings(path=Path(), keep_runs=ALWAYS, keep_failures=ALWAYS, keep_told=ALWAYS, keep_counts=ALWAYS)
        )
        self.promises = Promises(self.store, script.controls)
        self.phones = {name: Phone(name, script.seed, self._sending) for name in CHANNELS}
        self.absent: frozenset[str] = frozenset()
        self.life: Life | None = None
        self.told = Told(self.store)
        self.rand = random.Random(f"{script.seed} acts")
        self._group = group
        self._tell = tell
        self._lives = 0
        self._ended = 0.0
        self._heard = dict.fromkeys(CHANNELS, 0)
        self._awake = 0
        self._sequence = count()
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []

    # --- the daemon ---------------------------------------------------------------------------------------------------

    @property
    def service(self) -> Service | None:
        return None if self.life is None else self.life.service

    async def start(self) -> None:
        if self.life is not None:
            return
        try:
            restored = await self.store.restore()
        except StoreUnavailable:  # who supervises it tries again
            self._at(self.loop.time() + 30, self.start)
            return
        life, ready = Life(self.store), asyncio.Event()
        self._lives += 1
        life.task = self._group.create_task(self._live(life, restored, ready), name=f"life {self._lives}")
        await ready.wait()
        self.life = life
        now = self.loop.time()
        self.promises.downs.append((self._ended, now))
        self.promises.disturbed.append((self._ended, now + SETTLES))

    async def _live(self, life: Life, restored: Restored, ready: asyncio.Event) -> None:
        rules = rules_of(self.absent, self.script.controls)
        async with open_runner(plan(), self.world.open, self.hands) as runner:
            rand = random.Random(f"{self.script.seed} jitter {self._lives}")
            life.service = service = Service(life, restored, rules, runner.run, self.hands, rand)

            def judge(state: State, event: Event, rules: Rules, now: datetime) -> Change:
                change = evaluate(state, event, rules, now)
                if not life.dead:
                    self.promises.judged(event, change, rules, self.loop.time())
                return change

            service.recorder._judge = judge
            service.use(self.phones, {})
            service.plan(rules, jobs(self.absent), control_jobs(self.script.controls), alive=restored.alive)
            ready.set()
            await service.run(life.stop, GRACE)

    def _sending(self, channel: str, notification: Notification) -> None:
        if self.life is not None and not self.life.dead:
            self.promises.told(self.life.service, channel, notification, self.hands.now())

    async def crash(self) -> None:
        if self.life is not None:
            life, self.life = self.life, None
            await life.kill(written=self.rand.random() < 0.5)
            self._died(clean=False)

    async def halt(self) -> None:
        if self.life is not None:
            clean = self.store.fail is None and not self.store.delay
            self.life.stop.set()
            await asyncio.wait([self.life.task])
            self.life = None
            self._died(clean=clean and self.store.fail is None)

    def _died(self, *, clean: bool) -> None:
        self._ended = self.loop.time()
        self.promises.written()
        self._hear()
        self.promises.died(clean=clean)
        self.promises.disturbed.append((self._ended, self._ended + SETTLES))
        if self.world.busy:
            self.world.broken.append(f"runs go on after the end: {self.world.busy}")

    # --- acts ---------------------------------------------------------------------------------------------------------

    async def act(self, step: Step) -> None:
        self.told.acts[step.act] += 1
        self._tell(f"{self._when()} {step.act} {step.what if step.what is not None else ''}")
        match step.act, step.what:
            case Act.BEGIN, Fault() as fault:
                self._begin(fault)
            case Act.END, Fault() as fault:
                self.world.faults.remove(fault)
            case Act.STRAY, (str(check), str(region)):
                if not any(
                    other == check for other, _ in self.world.strays
                ):  # failing from several regions is no stray
                    self.world.strays.add((check, region))
            case Act.JUMP, float(seconds):
                self._jump(seconds)
            case Act.STORE_FAILS, bool(lasting):
                self.store.fail = StoreUnavailable("disk full", lasting=lasting)
            case Act.STORE_SLOW, float(seconds):
                self.store.delay = seconds
            case Act.STORE_WORKS, _:
                self.store.fail, self.store.delay = None, 0.0
            case Act.MOOD, (str(channel), Mood() as mood):
                self.phones[channel].mood = mood
                self._moody(channel, bad=mood is not Mood.GOOD)
            case Act.RELOAD, frozenset() as absent:
                self._reload(absent)
            case Act.CRASH, _:
                await self.crash()
            case Act.STOP, _:
                await self.halt()
            case Act.START, _:
                await self.start()
            case Act.ACKNOWLEDGE | Act.MUTE | Act.UNMUTE, _:
                await self._command(step.act)

    def _moody(self, channel: str, *, bad: bool) -> None:
        """Note from when until when a channel does not work."""
        now, times = self.loop.time(), self.promises.moody[channel]
        if times and times[-1][1] == FOR_EVER:
            times[-1] = times[-1][0], now
        if bad:
            times.append((now, FOR_EVER))

    def _begin(self, fault: Fault) -> None:
        self.world.faults.append(fault)
        self.promises.faults.append(fault)
        if fault.kind in OUTAGES and "books" not in fault.targets:
            if fault.end - fault.start >= OPEN_WITHIN:
                self._at(fault.start + OPEN_WITHIN, lambda: self.promises.opened(fault, self.service))
            self._at(fault.end + OVER_WITHIN, lambda: self.promises.over(fault, self.service))
        if fault.kind in (Kind.NETWORK, Kind.OURS):
            self.promises.disturbed.append((fault.start, fault.end + SETTLES))

    def _jump(self, seconds: float) -> None:
        now = self.loop.time()
        self.promises.hands_moved.append(self.hands.now())
        self.hands.move(seconds)
        self.promises.hands_moved.append(self.hands.now())
        self.promises.disturbed.append((now, now + SETTLES))

    def _reload(self, absent: frozenset[str]) -> None:
        now = self.loop.time()
        self.promises.disturbed.append((now, now + SETTLES))
        self.absent = absent
        if (service := self.service) is not None:
            rules = rules_of(absent, self.script.controls)
            service.plan(rules, jobs(absent), control_jobs(self.script.controls))
            service.use(self.phones, {})

    async def _command(self, act: Act) -> None:
        service = self.service
        if service is None or not service.state.incidents:
            return
        incident = service.state.incidents[self.rand.choice(sorted(service.state.incidents))].id
        try:
            if act is Act.ACKNOWLEDGE:
                await service.acknowledge(incident, "ada")
            elif act is Act.MUTE:
                self.promises.muted.add(incident)
                await service.mute(incident, self.hands.now() + timedelta(minutes=self.rand.randint(5, 240)), "ada")
            else:
                await service.mute(incident, None, "ada")
        except StoreUnavailable:
            pass  # it holds nevertheless
        except KeyError:
            if any(one.id == incident for one in service.state.incidents.values()):
                raise

    # --- time ---------------------------------------------------------------------------------------------------------

    def _at(self, when: float, what: Callable[[], object]) -> None:
        heappush(self._agenda, (when, next(self._sequence), what))

    def _wake(self, by: int) -> None:
        self._awake += by
        pace(fine=self._awake > 0)

    async def run(self) -> None:
        for step in self.script.steps:
            self._at(step.at, partial(self.act, step))
            if step.act is not Act.MOOD:  # channels need nobody to look up
                self._at(step.at - AWAKE[0], partial(self._wake, 1))
                self._at(step.at + AWAKE[1], partial(self._wake, -1))
        for number in range(1, int(self.script.end / LOOK)):
            self._at(number * LOOK, self.look)
        self._wake(0)
        await self.start()
        while self._agenda and self._agenda[0][0] < self.script.end:
            when, _, what = heappop(self._agenda)
            await asyncio.sleep(max(0.0, when - self.loop.time()))
            result = what()
            if asyncio.iscoroutine(result):
                await result
        self.look()
        assert self.life is not None
        self.promises.settled(self.life.service)
        await self.halt()
        self.look()

    def look(self) -> None:
        """Everything that must be so."""
        self.promises.written()
        self._hear()
        if self.life is not None:
            if self.life.task.done():
                self.world.broken.append(f"the daemon has ended by itself: {self.life.task}")
            self._tidy(self.life.service)
            self.promises.lively(self.world.begun, self.absent, self.loop.time())
        self.promises.prompt(self.service, self.loop.time())
        if broken := self.promises.broken + self.world.broken:
            raise Broken(f"{self._when()}: " + "\n  ".join(broken[:5]))

    def _tidy(self, service: Service) -> None:
        quiet = self.store.fail is None and not self.store.delay and not service.recorder.queued
        now = self.hands.now()
        if quiet:
            self.promises.agree(service)
        if round(self.loop.time() / LOOK) % 36 == 0:  # every six hours
            service.forget(now, ALWAYS)
            if quiet:
                self.promises.books()

    def _hear(self) -> None:
        for name, phone in self.phones.items():
            fresh = phone.arrivals[self._heard[name] :]
            self._heard[name] = len(phone.arrivals)
            self.promises.arrived(fresh)

    def _when(self) -> str:
        return f"{self.loop.time():>11.1f} {self.hands.now():%m-%d %H:%M:%S}"


def _nobody(_line: str) -> None:
    """Nobody looks on."""


def simulate(seed: int, days: float = 21.0, *, tell: Callable[[str], None] = _nobody) -> Told:
    """Live through it; `Broken`, with how to see it again, when a promise was broken."""
    script = Script.draw(seed, days)

    async def main() -> Told:
        async with asyncio.TaskGroup() as group:
            simulation = Simulation(script, group, tell)
            try:
                await simulation.run()
            except BaseException:
                if simulation.life is not None:
                    await simulation.life.kill(written=False)
                raise
            told = simulation.told
            arrivals = [a.notification.key for phone in simulation.phones.values() for a in phone.arrivals]
            told.arrivals, told.again = len(arrivals), len(arrivals) - len(set(arrivals))
            told.probes = simulation.world.probes
            told.lost_runs, told.lost_keys = simulation.promises.lost_runs, len(simulation.promises.lost_keys)
            told.counted = simulation.promises.in_books
        return told

    with repeatable(seed) as bugs:
        trouble: list[str] = []
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: trouble.append(str(context)))
            try:
                told = runner.run(main())
            except* Exception as errors:
                first = errors.exceptions[0]
                raise Broken(f"{first}\n{_reproduce(seed, days, bugs.found)}") from first
        if trouble or bugs.found:
            raise Broken(f"{trouble[:3]}\n{_reproduce(seed, days, bugs.found)}")
    return told


def _reproduce(seed: int, days: float, bugs: Sequence[str]) -> str:
    logged = "".join(f"  logged: {bug}\n" for bug in bugs[:3])
    return f"{logged}See it again: .venv/bin/python -m tests.simulation --seeds {seed} --days {days:g} --tell"
