"""The world that the simulated daemon watches: shops that break, networks of ours, and the phones of those who are told."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from probe.core.check import CheckId, CheckSpec, Cron
from probe.core.cron import zone_of
from probe.core.failure import Failure
from probe.core.maintenance import Window
from probe.core.notification import Notification
from probe.core.rules import Escalation, Objective, Route, Rules, Severity, Watched
from probe.core.run import Observation
from probe.core.secret import Redactor
from probe.core.target import Region, Target
from probe.engine.runner import Job, Plan, jobs_of
from probe.errors import NotifyError
from probe.ports import Prober, RunContext
from tests.core.builders import spec

REGIONS = ("eu", "us")
HOSTS = {"shop": "shop.example", "api": "api.example", "books": "books.example"}
"""Target → the cause of what fails there."""
AMSTERDAM = "Europe/Amsterdam"
ZONE = zone_of(AMSTERDAM)
"""Read from disk now: later it would block the loop."""
MINUTE = timedelta(minutes=1)
NIGHTLY = timedelta(hours=20)


def _check(name: str, target: str, every: timedelta = 5 * MINUTE, **given: object) -> CheckSpec:
    return spec(id=CheckId(name), target=target, every=every, timeout=timedelta(seconds=20), **given)


CHECKS = (
    _check("cart", "shop"),
    _check("pay", "shop"),
    _check("search", "api", MINUTE, regions=("eu",)),
    _check("books", "books", NIGHTLY, cron=Cron(expression="0,20,40 1-6 * * *", timezone=AMSTERDAM)),
)
CONTROLS = tuple(_check(f"control-{region}", "api", regions=(region,)) for region in REGIONS)
OBJECTIVES = (
    Objective(name="shop", checks=frozenset({CheckId("cart"), CheckId("pay")}), target=0.99, window=timedelta(days=7)),
    Objective(name="api/latency", checks=frozenset({CheckId("search")}), target=0.95, under=3.0),
    Objective(name="books", checks=frozenset({CheckId("books")}), target=0.9),
)
WINDOW = Window(
    name="stocktaking", duration=timedelta(hours=2), cron="0 2 * * sun", timezone=AMSTERDAM, targets=("books",)
)
ROUTES = (
    Route(
        channels=("pager",),
        severity=Severity.PAGE,
        remind=timedelta(hours=1),
        escalate=Escalation(after=timedelta(minutes=30), channels=("boss",)),
    ),
    Route(channels=("mail", "board"), remind=timedelta(hours=2)),
    Route(channels=("sick",), targets=("shop",)),
)
CHANNELS = ("pager", "boss", "mail", "board", "sick")


def specs_of(absent: frozenset[str]) -> tuple[CheckSpec, ...]:
    return tuple(check for check in CHECKS if check.id not in absent)


def rules_of(absent: frozenset[str], controls: bool) -> Rules:
    return Rules(
        checks={
            check.id: Watched(
                id=check.id,
                target=check.target,
                cause=HOSTS[check.target],
                regions=check.regions or REGIONS,
                every=check.every,
                timeout=check.timeout,
            )
            for check in specs_of(absent)
        },
        objectives={objective.name: objective for objective in OBJECTIVES},
        routes=ROUTES,
        windows=(WINDOW,),
        controls={control.regions[0]: control.id for control in CONTROLS} if controls else {},
    )


def jobs(absent: frozenset[str]) -> tuple[Job, ...]:
    return jobs_of(specs_of(absent), [Region(name=name) for name in REGIONS])


def control_jobs(controls: bool) -> tuple[Job, ...]:
    return jobs_of(CONTROLS if controls else (), [Region(name=name) for name in REGIONS])


def plan() -> Plan:
    return Plan(
        targets={name: Target(name=name, url=f"https://{host}") for name, host in HOSTS.items()},
        redactor=Redactor(),
        user_agent="probe/simulation",
        marker_header="x-mark",
        evidence=None,
        network=50,
        browser=1,
    )


class Kind(StrEnum):
    DOWN = "down"
    """The shop answers with an error."""
    HANG = "hang"
    """The shop does not answer: runs last until their timeout."""
    SLOW = "slow"
    """The shop answers, slower than promised."""
    NETWORK = "network"
    """Our own network: everything fails from a region, control runs too."""
    OURS = "ours"
    """Runs cannot be made in a region."""
    STRAY = "stray"
    """A single run of a check in a region fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Trouble from `start` until `end` (the loop's time)."""

    kind: Kind
    start: float
    end: float
    targets: frozenset[str]
    regions: frozenset[str]

    def strikes(self, target: str, region: str, now: float) -> bool:
        return self.start <= now < self.end and target in self.targets and region in self.regions


class World:
    """Implements `Prober`: what a run sees is what faults there are when it begins."""

    def __init__(self, seed: int) -> None:
        self.rand = random.Random(f"{seed} world")
        self.faults: list[Fault] = []
        self.strays: set[tuple[str, str]] = set()
        self.busy: set[tuple[str, str]] = set()
        self.begun: dict[tuple[str, str], float] = {}
        """Check and region → when its last run began."""
        self.probes = 0
        self.broken: list[str] = []

    async def probe(self, spec: CheckSpec, context: RunContext) -> Observation:
        key = spec.id, context.region.name
        if key in self.busy:
            self.broken.append(f"two runs of {key} at a time")
        self.busy.add(key)
        self.begun[key] = asyncio.get_running_loop().time()
        self.probes += 1
        try:
            return await self._seen(spec, context.region.name)
        finally:
            self.busy.discard(key)

    async def _seen(self, spec: CheckSpec, region: str) -> Observation:
        now, takes = asyncio.get_running_loop().time(), self.rand.uniform(0.05, 1.5)
        control = spec.id.startswith("control")
        kinds = {fault.kind for fault in self.faults if fault.strikes(spec.target, region, now)}
        if control:
            kinds &= {Kind.NETWORK, Kind.OURS}
        failure = None
        if Kind.OURS in kinds:
            failure = Failure.of("egress_failed")
        elif Kind.NETWORK in kinds:
            failure = Failure.of("unreachable")
        elif Kind.HANG in kinds:
            takes, failure = spec.timeout.total_seconds(), Failure.of("no_response")
        elif Kind.DOWN in kinds:
            failure = Failure.of("status", expected="200", actual="503")
        elif (spec.id, region) in self.strays:
            self.strays.discard((spec.id, region))
            failure = Failure.of("connection_reset")
        elif Kind.SLOW in kinds:
            takes += 5
        await asyncio.sleep(takes)
        return Observation(failures=() if failure is None else (failure,))

    def open(self, _name: str) -> AbstractAsyncContextManager[Prober]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Prober]:
            yield self

        return opened()


class Mood(StrEnum):
    """How a channel treats what is sent."""

    GOOD = "good"
    DOWN = "down"
    HANG = "hang"
    LOST = "lost"
    """It takes the message, and the answer is lost."""
    REFUSE = "refuse"
    """For good."""


@dataclass(frozen=True, slots=True)
class Arrival:
    at: float
    channel: str
    notification: Notification


class Phone:
    """Implements `Notifier`. What arrives stays, whatever becomes of the daemon."""

    def __init__(self, name: str, seed: int, look: Callable[[str, Notification], None]) -> None:
        self.name = name
        self.repeat = timedelta(minutes=5) if name == "board" else None
        self.mood = Mood.GOOD
        self.arrivals: list[Arrival] = []
        self.refreshed: Sequence[Notification] = ()
        self._rand = random.Random(f"{seed} {name}")
        self._look = look

    async def send(self, notification: Notification) -> str:
        return await self.send_digest((notification,))

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        for notification in notifications:
            self._look(self.name, notification)
        await asyncio.sleep(self._rand.uniform(0.02, 0.5))
        match self.mood:
            case Mood.DOWN:
                raise NotifyError("503 Service Unavailable")
            case Mood.HANG:
                await asyncio.sleep(10**9)
            case Mood.REFUSE:
                raise NotifyError("401 the key was revoked", permanent=True)
            case _:
                at = asyncio.get_running_loop().time()
                self.arrivals += [Arrival(at, self.name, notification) for notification in notifications]
        await asyncio.sleep(self._rand.uniform(0.02, 0.5))
        if self.mood is Mood.LOST:
            raise NotifyError("the connection was lost before the answer came")
        return "200 OK"

    async def refresh(self, notifications: Sequence[Notification]) -> str:
        await asyncio.sleep(0.05)
        if self.mood is not Mood.GOOD:
            raise NotifyError("503 Service Unavailable")
        self.refreshed = notifications
        return "200 OK"


class Hands:
    """The clock on the wall: it goes with the loop, and is moved."""

    def __init__(self, epoch: datetime) -> None:
        self.epoch = epoch.astimezone(UTC)
        self.moved = timedelta(0)

    def now(self) -> datetime:
        return self.epoch + self.moved + timedelta(seconds=asyncio.get_running_loop().time())

    def move(self, seconds: float) -> None:
        self.moved += timedelta(seconds=seconds)
