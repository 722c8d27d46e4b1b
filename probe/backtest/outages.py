"""The outages of a simulated world: what must be found, each kind with the range that its severity and length are drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Final

from probe.backtest.noise import DAY
from probe.backtest.sample import Setting

Range = tuple[float, float]


class OutageKind(StrEnum):
    """What is wrong with the service."""

    TOTAL = "total"
    PARTIAL = "partial"
    STEP = "step"
    PAYMENT = "payment"
    FLAP = "flap"
    DNS = "dns"
    REGION = "region"
    LATENCY = "latency"
    SLOWBURN = "slowburn"


FAST: Final = tuple(kind for kind in OutageKind if kind is not OutageKind.SLOWBURN)
"""All but the slow burn, which takes hours to be seen."""
OF_STEPS: Final = frozenset({OutageKind.STEP, OutageKind.PAYMENT})
"""Those that only a journey can have."""

SHARES: Final[Mapping[OutageKind, Range]] = MappingProxyType(
    {
        OutageKind.TOTAL: (1.0, 1.0),
        OutageKind.PARTIAL: (0.2, 0.6),
        OutageKind.STEP: (0.5, 1.0),
        OutageKind.PAYMENT: (0.3, 0.9),
        OutageKind.FLAP: (0.7, 1.0),
        OutageKind.DNS: (1.0, 1.0),
        OutageKind.REGION: (0.7, 1.0),
        OutageKind.SLOWBURN: (0.03, 0.06),
    }
)
"""The share of runs that fail."""
LENGTHS: Final[Mapping[OutageKind, Range]] = MappingProxyType(
    {
        OutageKind.TOTAL: (600, 3600),
        OutageKind.PARTIAL: (900, 5400),
        OutageKind.STEP: (600, 3600),
        OutageKind.PAYMENT: (900, 5400),
        OutageKind.FLAP: (1200, 3600),
        OutageKind.DNS: (900, 3600),
        OutageKind.REGION: (1200, 5400),
        OutageKind.LATENCY: (1200, 7200),
        OutageKind.SLOWBURN: (4 * 3600, 8 * 3600),
    }
)
"""Seconds."""
HANGS: Final[Mapping[OutageKind, tuple[float, ...]]] = MappingProxyType(
    {
        OutageKind.TOTAL: (0.0, 0.0, 1.0),
        OutageKind.PARTIAL: (0.0, 0.3, 1.0),
        OutageKind.STEP: (0.0, 0.0, 1.0),
        OutageKind.PAYMENT: (0.0, 0.5, 1.0),
        OutageKind.FLAP: (0.0, 0.5),
        OutageKind.DNS: (0.3,),
        OutageKind.REGION: (0.0, 1.0),
        OutageKind.LATENCY: (0.0,),
        OutageKind.SLOWBURN: (0.3,),
    }
)
"""The shares of failures without an answer until the timeout, each as likely as it is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Something that customers suffer from, from `start` to `end` (seconds). `share` of the runs fail.

    `hang` of the failures get no answer until the timeout, `refusing` of these not even a connection. `step` is the
    number of the step that fails (`None`: any), `region` the number of the only region that it strikes, `slower` how many times as long
    a run takes. `on` are the times of an outage that comes and goes, `reached` is when it reaches each region (seconds
    after its start), for one that spreads.
    """

    kind: OutageKind
    start: float
    end: float
    share: float = 1.0
    hang: float = 0.0
    refusing: float = 0.0
    step: int | None = None
    region: int | None = None
    slower: float = 1.0
    on: tuple[tuple[float, float], ...] = ()
    reached: tuple[float, ...] = ()

    def share_at(self, at: float, region: int) -> float:
        """The share of runs begun now in this region that fail for it; `at` lies between `start` and `end`."""
        if self.region is not None and self.region != region:
            return 0.0
        if self.on and not any(start <= at < end for start, end in self.on):
            return 0.0
        if self.reached and at < self.start + self.reached[region]:
            return 0.0
        return self.share


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which outages a world has, and how far apart. Times are seconds.

    Every kind comes equally often, in an order that is drawn. `gap` is the mean time from the end of one to the next.
    """

    kinds: tuple[OutageKind, ...] = FAST
    warm_up: float = DAY
    gap: float = 8 * 3600.0
    shares: Mapping[OutageKind, Range] = field(default_factory=lambda: SHARES)
    lengths: Mapping[OutageKind, Range] = field(default_factory=lambda: LENGTHS)
    slower: Range = (3.0, 3.0)
    flap: Range = (60.0, 180.0)
    spreads_within: Range = (120.0, 420.0)


NONE: Final = Plan(kinds=())
"""No outages at all."""
LEAST_GAP: Final = 7200.0
"""There are two hours between outages at least, so that each is judged by itself."""


def planned(plan: Plan, setting: Setting, random: Random) -> tuple[Outage, ...]:
    """The outages of a world, one after the other."""
    kinds = [kind for kind in plan.kinds if setting.steps or kind not in OF_STEPS]
    found: list[Outage] = []
    waiting: list[OutageKind] = []
    start = plan.warm_up + random.uniform(0, 3600)
    while kinds:
        if not waiting:
            waiting = kinds[:]
            random.shuffle(waiting)
        outage = draw(waiting.pop(), start, plan, setting, random)
        if outage.end + LEAST_GAP > setting.length:
            break
        found.append(outage)
        start = outage.end + max(LEAST_GAP, random.gauss(plan.gap, plan.gap / 8))
    return tuple(found)


def draw(kind: OutageKind, start: float, plan: Plan, setting: Setting, random: Random) -> Outage:
    """One outage of a kind: how long and how bad it is comes from the ranges of the plan."""
    end = start + random.uniform(*plan.lengths[kind])
    if kind is OutageKind.LATENCY:
        return Outage(kind=kind, start=start, end=end, share=0.0, slower=random.uniform(*plan.slower))
    region = on = reached = None
    if kind is OutageKind.REGION:
        region = random.randrange(len(setting.regions))
    elif kind is OutageKind.FLAP:
        on = _flapping(start, end, plan.flap, random)
    elif kind is OutageKind.DNS:
        reached = _spreading(len(setting.regions), plan.spreads_within, random)
    return Outage(
        kind=kind,
        start=start,
        end=end,
        share=random.uniform(*plan.shares[kind]),
        hang=random.choice(HANGS[kind]),
        refusing=1.0 if random.random() < 0.3 else 0.0,
        step=_step(kind, len(setting.steps)),
        region=region,
        on=on or (),
        reached=reached or (),
    )


def _step(kind: OutageKind, steps: int) -> int | None:
    if kind is OutageKind.STEP:
        return (steps - 1) // 2
    if kind is OutageKind.PAYMENT:
        return steps - 1
    return 0 if kind is OutageKind.DNS and steps else None


def _flapping(start: float, end: float, seconds: Range, random: Random) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    at = start
    while at < end:
        off = at + random.uniform(*seconds)
        found.append((at, min(off, end)))
        at = off + random.uniform(*seconds)
    return tuple(found)


def _spreading(regions: int, within: Range, random: Random) -> tuple[float, ...]:
    """When an outage reaches each region; one of them at once."""
    reached = [random.uniform(0, random.uniform(*within)) for _ in range(regions)]
    reached[random.randrange(regions)] = 0.0
    return tuple(reached)
