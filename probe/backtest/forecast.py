"""How soon a check's outages will be told, and how often nothing: from simulated worlds, judged by the fold of the daemon."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from math import exp, inf
from random import Random
from typing import Final

from probe.backtest.casting import EPOCH
from probe.backtest.loop import play
from probe.backtest.noise import Episode, Noise, burst
from probe.backtest.outages import Outage, OutageKind
from probe.backtest.rules import watched_of
from probe.backtest.sample import Setting
from probe.backtest.world import SimulatedWorld
from probe.core.check import CheckId
from probe.core.detector import Q, limits
from probe.core.evaluate import Event, Tick, evaluate
from probe.core.rules import Rules, Severity
from probe.core.state import Change, State

MONTH: Final = 30 * 86400.0
WORLDS: Final = 30
"""Outages of each kind that a forecast is made from."""
SELDOM: Final = 3600.0
"""From this interval on fewer are simulated: their worlds are long."""
FEW_WORLDS: Final = 16
"""As many where only the better of two settings is looked for."""
BURSTS: Final = 32
"""Troubled networks that false pages are counted in: half of them are the longest tenth."""
LONGEST: Final = 0.1
NOISE: Final = Noise(bursts=0.0)
"""What is wrong by itself in the worlds of a forecast: 0.5 % of the runs. Troubled networks are played one by one."""
IDLE: Final = 60
"""Ticks without a decision after which only each of so many is judged:"""
SLOWLY: Final = 12
NOTHING: Final = Change()
HANGS: Final = (0.0, 0.0, 1.0)
"""Of three outages one gives no answer until the timeout."""


class Trouble(StrEnum):
    """The outages of which a forecast tells how soon they are told."""

    TOTAL = "total"
    HALF = "half of the requests"
    STEP = "one step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All that a forecast depends on: checks of the same shape have the same. Times are seconds.

    `controls` says whether every region has a control run, `steps` is how many steps there are; none for a single request.
    """

    regions: int
    every: float
    timeout: float
    steps: int = 0
    controls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Seconds from the start of an outage to the page: the least, the median and the 95th percentile of those simulated.

    `inf`: not told within the time that was played, `played` seconds.
    """

    earliest: float
    typical: float
    worst: float
    played: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What to expect of a check. False pages are for a month of 30 days.

    `stray` is the most that failures independent of each other may bring, a bound of the method; `bursts` what troubled
    networks brought in the simulation, at the rate at which they are assumed to come.
    """

    delays: dict[Trouble, Delay]
    stray: float
    bursts: float

    @property
    def false_pages(self) -> float:
        """False pages a month to be expected, at most."""
        return self.stray + self.bursts


@lru_cache(maxsize=256)
def forecast(shape: Shape) -> Forecast:
    """Play outages of each kind, and troubled networks. The same shape always gives the same."""
    return Forecast(
        delays={trouble: _delay(shape, trouble, WORLDS) for trouble in _troubles(shape)},
        stray=stray_pages(shape),
        bursts=_false_pages_of_bursts(shape),
    )


# --- what would help ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """A setting that could be changed, and what a total and a half outage would typically take then, in seconds."""

    words: str
    shape: Shape
    before: float
    after: float


def best_knob(shape: Shape) -> Knob | None:
    """What makes outages known soonest, of what a user can turn, by a tenth of the time at least; `None`: nothing does.

    Each is simulated on outages of the same seeds. A control run, where there is none, comes first if it prevents false pages.
    """
    if not shape.controls:
        with_control = replace(shape, controls=True)
        without, with_it = _false_pages_of_bursts(shape), _false_pages_of_bursts(with_control)
        if without - with_it >= 0.1:
            return Knob(words="control runs", shape=with_control, before=without, after=with_it)
    before = typical_delay(shape)
    tried = [
        Knob(words=words, shape=other, before=before, after=typical_delay(other))
        for words, other in _alternatives(shape)
    ]
    best = min(tried, key=lambda knob: knob.after)
    return best if best.after <= 0.9 * before else None


def _alternatives(shape: Shape) -> Iterator[tuple[str, Shape]]:
    half = shape.every / 2
    yield "half the interval", replace(shape, every=half, timeout=min(shape.timeout, half))
    yield "one more region", replace(shape, regions=shape.regions + 1)
    yield "half the timeout", replace(shape, timeout=shape.timeout / 2)


def typical_delay(shape: Shape) -> float:
    """The mean of what a total and a half outage typically take."""
    return sum(_delay(shape, trouble, FEW_WORLDS).typical for trouble in (Trouble.TOTAL, Trouble.HALF)) / 2


# --- outages --------------------------------------------------------------------------------------------------------


def _troubles(shape: Shape) -> tuple[Trouble, ...]:
    return tuple(Trouble) if shape.steps > 1 else (Trouble.TOTAL, Trouble.HALF)


def _delay(shape: Shape, trouble: Trouble, worlds: int) -> Delay:
    found = []
    worlds = worlds // 3 if shape.every >= SELDOM else worlds
    lasts = 2 * shape.every + 3600
    for number in range(worlds):
        random = _seeded(f"{trouble} {number}")
        # It begins anywhere between two runs: by strata, so that a few worlds go round the whole interval.
        start = (2 + (number + random.random()) / worlds) * shape.every
        step = random.randrange(shape.steps) if trouble is Trouble.STEP else None
        kind = OutageKind.STEP if trouble is Trouble.STEP else OutageKind.TOTAL
        share = 0.5 if trouble is Trouble.HALF else 1.0
        hang = HANGS[number % len(HANGS)]
        outage = Outage(kind=kind, start=start, end=start + lasts, share=share, hang=hang, step=step)
        found.append(_paged(shape, f"{trouble} {number}", outage.end, outages=(outage,)) - start)
    found.sort()
    return Delay(
        earliest=found[0],
        typical=found[(len(found) - 1) // 2],
        worst=found[round(0.95 * (len(found) - 1))],
        played=lasts,
    )


# --- false pages ----------------------------------------------------------------------------------------------------


def stray_pages(shape: Shape) -> float:
    """False pages a month that independent failures bring at most.

    The evidence exceeds its threshold with a probability of `Q * exp(-needed)` for each run of the schedule at most,
    however many further runs are asked for (Wald).
    """
    runs = MONTH / shape.every * shape.regions
    return runs * Q * exp(-limits(shape.every, shape.regions).needed)


def _false_pages_of_bursts(shape: Shape) -> float:
    """False pages a month that troubled networks bring: as many as there are, times the share that pages.

    Half of those played are of the longest tenth, which are the ones that page, and count accordingly less.
    """
    noise = Noise()
    share = 0.0
    for number in range(BURSTS):
        random = _seeded(f"burst {number}")
        is_long = number % 2 == 1
        low, high = (1 - LONGEST, 1.0) if is_long else (0.0, 1 - LONGEST)
        rank = low + (high - low) * (number // 2 + 0.5) / (BURSTS / 2)
        region, start = random.randrange(shape.regions), (2 + random.random()) * shape.every
        episode = burst(noise, region, shape.regions, start, random, rank=rank)
        if _paged(shape, f"burst {number}", episode.end + 300, episodes=(episode,)) < inf:
            share += (high - low) / (BURSTS / 2)
    return noise.bursts * shape.regions * share


# --- playing --------------------------------------------------------------------------------------------------------


class _PageError(Exception):
    """Somebody was paged: the rest of the world does not matter. `at` is when."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at


def _paged(
    shape: Shape, seed: str, length: float, outages: tuple[Outage, ...] = (), episodes: tuple[Episode, ...] = ()
) -> float:
    """When somebody is paged for the first time, in seconds from the beginning; `inf`: nobody is."""
    setting = Setting(
        check="check",
        regions=tuple(f"r{number}" for number in range(shape.regions)),
        every=shape.every,
        timeout=shape.timeout,
        steps=tuple(f"step {number}" for number in range(shape.steps)),
        length=length,
    )
    beginning = min([*(o.start for o in outages), *(e.start for e in episodes)])
    world = SimulatedWorld(setting, seed=seed, noise=NOISE, outages=outages, drawn=episodes, timed=False)
    try:
        play(world, _rules(setting, shape), judge=_UntilPaged(beginning))
    except _PageError as page:
        return page.at
    return inf


class _UntilPaged:
    """The judgement itself, but for that it ends the world when a page opens after the `beginning` of the trouble.

    Time that passes without anything being decided for long is looked at once a minute only: checks that run once a day
    leave hours between one run and the next.
    """

    def __init__(self, beginning: float) -> None:
        self._beginning, self._idle = beginning, 0

    def __call__(self, state: State, event: Event, rules: Rules, now: datetime) -> Change:
        self._idle = self._idle + 1 if isinstance(event, Tick) else 0
        if self._idle > IDLE and self._idle % SLOWLY:
            return NOTHING
        change = evaluate(state, event, rules, now)
        if change.asks or change.entries:
            self._idle = 0
        for incident in change.incidents.values():
            at = (now - EPOCH).total_seconds()
            if incident.severity is Severity.PAGE and incident.resolved is None and at >= self._beginning:
                raise _PageError(at)
        return change


def _rules(setting: Setting, shape: Shape) -> Rules:
    watched = watched_of(setting, "target")
    controls = {region: CheckId(f"control {region}") for region in setting.regions} if shape.controls else {}
    return Rules(checks={watched.id: watched}, controls=controls)


def _seeded(words: str) -> Random:
    return Random(words)  # noqa: S311  # a simulation wants a generator that can be seeded
