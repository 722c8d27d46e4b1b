"""A simulated world: runs as they would come, with noise and with outages whose truth is known. The same seed, the same world."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from itertools import accumulate
from math import exp, log, pi, sin
from random import Random
from typing import Final

from probe.backtest.noise import DAY, STRAY, STRAY_HANG, Disturbance, Episode, Flickers, Noise, episodes, rates
from probe.backtest.outages import NONE, Outage, OutageKind, Plan, planned
from probe.backtest.sample import Sample, Setting

HOUR: Final = 3600.0
CONNECTING: Final = frozenset({"refused", "tls_handshake"})
"""Kinds of failure of the way to the service: most of those that get no answer have no connection."""
NO_CONNECTION: Final = 0.8
"""How many of them."""
KINDS_OF_OUTAGE: Final[Mapping[OutageKind, str]] = {OutageKind.STEP: "assertion", OutageKind.DNS: "dns_failed"}
"""How an outage fails where it is answered; all others with a status."""


class SimulatedWorld:
    """Answers what a run would have returned, at any moment and from any region, as often as it is asked.

    `median` is how long a run usually takes, `patience` how long something that hangs is waited for, in seconds (the
    check's timeout, when it is not said). `shares` are the parts of a journey's time that its steps take; with `timed`, its
    samples tell the seconds of each. `drawn` are episodes to take in place of those that the noise makes. What is true, `outages`, and what only looks like it, `episodes`, can be read.

    >>> setting = Setting(check="shop", regions=("r0", "r1"), every=60, timeout=10, length=600)
    >>> len(list(SimulatedWorld(setting, seed=1).scheduled()))
    20
    """

    def __init__(
        self,
        setting: Setting,
        *,
        seed: int | str,
        noise: Noise | None = None,
        outages: Plan | tuple[Outage, ...] = NONE,
        median: float | None = None,
        patience: float | None = None,
        shares: tuple[float, ...] = (),
        timed: bool = True,
        drawn: tuple[Episode, ...] | None = None,
    ) -> None:
        self._setting, self.noise, self._seed = setting, noise or Noise(), seed
        self._regions = {name: number for number, name in enumerate(setting.regions)}
        self._patience = min(patience or setting.timeout, setting.timeout)
        if not shares and setting.steps:
            shares = (1 / len(setting.steps),) * len(setting.steps)
        self._shares, self._until, self._timed = shares, tuple(accumulate(shares)), timed
        random = _seeded(f"world {seed}")
        self._level = [
            log(median or min(6.0 if setting.steps else 0.35, setting.timeout / 4))
            + random.gauss(0, self.noise.region_spread)
            for _ in setting.regions
        ]
        self._phase = random.uniform(0, DAY)
        self._drift = [(random.uniform(5, 14) * DAY, random.uniform(0, 2 * pi)) for _ in range(3)]
        self._rates = rates(self.noise, setting.regions, random)
        self._flickers = [Flickers(rate, self.noise, setting.length, random) for rate in self._rates]
        self.episodes = episodes(self.noise, setting.regions, setting.length, random) if drawn is None else drawn
        self.outages = planned(outages, setting, random) if isinstance(outages, Plan) else outages
        self._active: dict[int, list[Outage | Episode]] = {}
        events: tuple[Outage | Episode, ...] = (*self.outages, *self.episodes)
        for event in events:  # outages come first: they decide how a run fails
            for hour in range(int(event.start // HOUR), int(event.end // HOUR) + 1):
                self._active.setdefault(hour, []).append(event)

    @property
    def setting(self) -> Setting:
        """What is watched."""
        return self._setting

    def scheduled(self) -> Iterator[Sample]:
        """The runs of the schedule, in the order in which they ended. Regions take turns, evenly."""
        every, names = self._setting.every, self._setting.regions
        random, count, running = _seeded(f"schedule {self._seed}"), len(names), list[tuple[float, int, Sample]]()
        uniform, made = random.uniform, 0
        for turn in range(int(self._setting.length / every)):
            begin = turn * every
            # What has ended before this turn begins cannot be overtaken any more.
            while running and running[0][0] <= begin:
                yield heappop(running)[2]
            for region in range(count):
                at = begin + (region / count + uniform(0.0, 0.02)) * every
                sample = self._sample(at, region, random)
                made += 1
                heappush(running, (at + sample.seconds, made, sample))
        yield from (sample for _, _, sample in sorted(running))

    def extra(self, at: float, region: str) -> Sample:
        """What an extra run begun now returns: asked again, the same."""
        return self._sample(at, self._regions[region], _seeded(f"extra {self._seed} {at} {region}"))

    def control(self, at: float, region: str) -> Sample:
        """What a control run begun now returns: three requests to what does not share the service's fate."""
        random, number = _seeded(f"control {self._seed} {at} {region}"), self._regions[region]
        rate = self.noise.control_rate
        for event in self._active.get(int(at // HOUR), ()):
            if isinstance(event, Episode) and event.seen and event.start <= at < event.end and number in event.regions:
                rate = max(rate, event.share)
        if all(random.random() >= rate for _ in range(3)):
            return Sample(at, region, "passed", 0.3)
        return Sample(at, region, "failed", 3.0, None, "connect_timeout")

    def _sample(self, at: float, region: int, random: Random) -> Sample:
        noise, chance = self.noise, random.random
        slow = self._level[region] + noise.spread * random.gauss(0.0, 1.0)
        slow += noise.daily_wave * sin(2 * pi * (at + self._phase) / DAY)
        for period, phase in self._drift:
            slow += noise.drift / 2 * sin(2 * pi * at / period + phase)
        if chance() < noise.tail:
            slow += random.uniform(0.7, 1.4)
        cause: Outage | Episode | None = None
        for event in self._active.get(int(at // HOUR), ()):
            if event.start <= at < event.end:
                if isinstance(event, Outage):
                    share = event.share_at(at, region)
                elif region in event.regions:
                    share = event.share
                else:
                    continue
                slow += log(event.slower)
                if chance() < share and cause is None:
                    cause = event
        seconds = exp(slow)
        if cause is not None:
            return self._failed(at, region, seconds, cause, random)
        if chance() < self._rates[region] * (1 - noise.flicker_share):
            return self._failed(at, region, seconds, None, random)
        flickers = self._flickers[region]
        last = bisect_right(flickers.starts, at) - 1
        if last >= 0 and at < flickers.ends[last] and chance() < noise.flicker_strength:
            return self._failed(at, region, seconds, None, random)
        setting = self._setting
        name = setting.regions[region]
        if seconds > setting.timeout:
            step = setting.steps[-1] if setting.steps else None
            return Sample(at, name, "failed", setting.timeout, step, "no_response")
        if not setting.steps or not self._timed:
            return Sample(at, name, "passed", seconds)
        steps = {step: share * seconds for step, share in zip(setting.steps, self._shares, strict=True)}
        return Sample(at, name, "passed", seconds, None, None, steps)

    def _failed(self, at: float, region: int, seconds: float, cause: Outage | Episode | None, random: Random) -> Sample:
        """A run that fails for a cause, or for none: with which words, in which step, and after how long."""
        setting, chance = self._setting, random.random
        refusing, number = 0.0, None
        if cause is None:
            kind, hang = random.choice(STRAY), STRAY_HANG
        elif isinstance(cause, Outage):
            kind, hang = KINDS_OF_OUTAGE.get(cause.kind, "status"), cause.hang
            refusing, number = cause.refusing, cause.step
        else:
            kind = "refused" if cause.kind is Disturbance.BURST and chance() >= 0.05 else "status"
            hang = cause.hang
        hangs = chance() < hang
        answered = kind
        if hangs:
            kind = _without_answer(kind, refusing, random)
        name = setting.regions[region]
        if not setting.steps:
            took = self._patience if hangs else seconds * random.uniform(0.3, 1.0)
            return Sample(at, name, "failed", min(took, setting.timeout), None, kind)
        if number is None:
            # Trouble of the whole site mostly shows in the first step.
            early = answered == "status" and cause is not None and chance() < 0.6
            number = 0 if early else min(bisect_right(self._until, chance()), len(self._shares) - 1)
        before = (self._until[number] - self._shares[number]) * seconds
        took = self._patience if hangs else self._shares[number] * seconds * random.uniform(0.2, 1.0)
        took = min(took, max(0.0, setting.timeout - before))
        step = setting.steps[number]
        if not self._timed:
            return Sample(at, name, "failed", before + took, step, kind)
        steps = {passed: share * seconds for passed, share in zip(setting.steps[:number], self._shares, strict=False)}
        return Sample(at, name, "failed", before + took, step, kind, {**steps, step: took})


def _without_answer(kind: str, refusing: float, random: Random) -> str:
    """How a failure is called that gets no answer until the timeout."""
    if kind == "dns_failed":
        return "dns_timeout"
    without = NO_CONNECTION if kind in CONNECTING else refusing
    return "connect_timeout" if random.random() < without else "no_response"


def _seeded(words: str) -> Random:
    return Random(words)  # noqa: S311  # a simulation wants a generator that can be seeded
