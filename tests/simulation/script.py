"""What happens, drawn from a seed before anything begins: so that it is the same whatever the daemon does."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import exp, log
from typing import Self

from tests.simulation.world import CHANNELS, CHECKS, HOSTS, REGIONS, Fault, Kind, Mood

DAY = 86400.0
HOUR = 3600.0
MINUTE = 60.0
CALM = 9 * HOUR
"""At the end nothing happens: what was begun comes to its end."""
EPOCHS = (datetime(2026, 3, 26, tzinfo=UTC), datetime(2026, 10, 22, tzinfo=UTC))
"""Days before clocks go forward, and back, in Amsterdam: both on the fourth day, a Sunday."""


class Act(StrEnum):
    BEGIN = "begin"
    END = "end"
    STRAY = "stray"
    JUMP = "jump"
    STORE_FAILS = "store fails"
    STORE_SLOW = "store slow"
    STORE_WORKS = "store works"
    MOOD = "mood"
    RELOAD = "reload"
    CRASH = "crash"
    STOP = "stop"
    START = "start"
    ACKNOWLEDGE = "acknowledge"
    MUTE = "mute"
    UNMUTE = "unmute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    at: float
    act: Act
    what: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """All steps of a simulation, in order. Times are seconds from the start."""

    seed: int
    epoch: datetime
    controls: bool
    end: float
    steps: tuple[Step, ...]

    @classmethod
    def draw(cls, seed: int, days: float) -> Self:
        drawn = _Draw(random.Random(seed), days * DAY - CALM)
        drawn.all()
        return cls(
            seed=seed,
            epoch=EPOCHS[seed % 2],
            controls=seed % 4 < 2,
            end=days * DAY,
            steps=tuple(sorted(drawn.steps, key=lambda step: step.at)),
        )


class _Draw:
    def __init__(self, rand: random.Random, end: float) -> None:
        self.rand = rand
        self.end = end
        self.steps: list[Step] = []

    def put(self, at: float, act: Act, what: object = None) -> None:
        self.steps.append(Step(at=min(at, self.end), act=act, what=what))

    def lasts(self, least: float, most: float) -> float:
        """Short ones more often than long ones."""
        return exp(self.rand.uniform(log(least), log(most)))

    def all(self) -> None:
        at = HOUR
        while (at := at + self.rand.expovariate(1 / (1.5 * HOUR))) < self.end:
            kinds = {
                self.outage: 5,
                self.ours: 2,
                self.slow: 1,
                self.stray: 3,
                self.jump: 2,
                self.store: 2,
                self.channel: 3,
                self.reload: 1,
                self.restart: 2,
            }
            self.rand.choices(list(kinds), list(kinds.values()))[0](at)
        for step in (Act.STORE_WORKS, Act.START):
            self.put(self.end, step)
        self.put(self.end, Act.RELOAD, frozenset())
        for name in CHANNELS:
            self.put(self.end, Act.MOOD, (name, Mood.GOOD))
        self.steps.append(Step(at=self.end + 60, act=Act.RELOAD, what=frozenset()))  # tries again what refused

    def fault(self, kind: Kind, at: float, seconds: float, targets: frozenset[str], regions: frozenset[str]) -> Fault:
        fault = Fault(kind=kind, start=at, end=min(at + seconds, self.end), targets=targets, regions=regions)
        self.put(fault.start, Act.BEGIN, fault)
        self.put(fault.end, Act.END, fault)
        return fault

    def outage(self, at: float) -> None:
        target = self.rand.choice(list(HOSTS))
        some = target == "shop" and self.rand.random() < 0.4
        regions = frozenset({self.rand.choice(REGIONS)} if some else REGIONS)
        kind = Kind.HANG if self.rand.random() < 0.3 else Kind.DOWN
        fault = self.fault(kind, at, self.lasts(20, 4 * HOUR), frozenset({target}), regions)
        for act, chance in ((Act.ACKNOWLEDGE, 0.3), (Act.MUTE, 0.3), (Act.UNMUTE, 0.1)):
            if self.rand.random() < chance:
                self.put(at + self.rand.uniform(60, 40 * MINUTE), act)
        # What goes wrong in the moments in which something is decided is what finds mistakes.
        for moment in (fault.start, fault.end):
            if self.rand.random() < 0.35:
                usual = [self.restart, self.store]
                also = self.rand.choice([*usual, *usual, self.jump, self.channel, self.reload])
                also(moment + self.lasts(1, 10 * MINUTE))

    def ours(self, at: float) -> None:
        kind = self.rand.choice([Kind.NETWORK, Kind.OURS])
        region = frozenset({self.rand.choice(REGIONS)})
        self.fault(kind, at, self.lasts(30, 2 * HOUR), frozenset(HOSTS), region)
        if self.rand.random() < 0.35:
            self.rand.choice([self.restart, self.jump, self.store])(at + self.lasts(1, 10 * MINUTE))

    def slow(self, at: float) -> None:
        self.fault(Kind.SLOW, at, self.lasts(10 * MINUTE, 5 * HOUR), frozenset(HOSTS), frozenset(REGIONS))

    def stray(self, at: float) -> None:
        check = self.rand.choice(CHECKS)
        self.put(at, Act.STRAY, (check.id, self.rand.choice(check.regions or REGIONS)))

    def jump(self, at: float) -> None:
        """A clock that is set, or a machine that was suspended (which looks like a clock that jumps forward)."""
        self.put(at, Act.JUMP, self.rand.choice([-1.0, 1.0, 1.0]) * self.lasts(1.5, 8 * HOUR))

    def store(self, at: float) -> None:
        if self.rand.random() < 0.6:
            self.put(at, Act.STORE_FAILS, self.rand.random() < 0.2)
        else:
            self.put(at, Act.STORE_SLOW, self.lasts(0.5, 60))
        self.put(at + self.lasts(5, HOUR), Act.STORE_WORKS)
        if self.rand.random() < 0.3:
            self.restart(at + self.lasts(1, HOUR))

    def channel(self, at: float) -> None:
        name = self.rand.choice(CHANNELS)
        mood = self.rand.choice([Mood.REFUSE] if name == "sick" else [Mood.DOWN, Mood.HANG, Mood.LOST])
        self.put(at, Act.MOOD, (name, mood))
        good = at + self.lasts(MINUTE, (30 if self.rand.random() < 0.2 else 4) * HOUR)
        self.put(good, Act.MOOD, (name, Mood.GOOD))
        if mood is Mood.REFUSE:
            self.put(good + self.lasts(1, HOUR), Act.RELOAD, frozenset())

    def reload(self, at: float) -> None:
        gone = frozenset(check.id for check in self.rand.sample(CHECKS, self.rand.choice([0, 1, 1, 2])))
        self.put(at, Act.RELOAD, gone)
        self.put(at + self.lasts(1, 5 * HOUR), Act.RELOAD, frozenset())

    def restart(self, at: float) -> None:
        self.put(at, Act.CRASH if self.rand.random() < 0.7 else Act.STOP)
        self.put(at + self.lasts(1, 2 * HOUR), Act.START)
