"""What goes wrong in a simulated world though nothing is wrong: stray failures, troubled networks, blips that heal themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log
from random import Random
from statistics import NormalDist
from typing import Final

DAY: Final = 86400.0
MONTH: Final = 30 * DAY

STRAY: Final = ("refused",) * 5 + ("status",) * 3 + ("tls_handshake",) * 2
"""The kinds of failure that come and go for no reason, as often as each is named."""
STRAY_HANG: Final = 0.4
"""The share of stray failures that are not an answer, but none until the timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How noisy a world is. Rates are for 30 days, times are seconds, spreads are standard deviations of logarithms.

    `failure_rate` is the share of runs that fail for no reason: `flicker_share` of these come in flickers, a few seconds
    during which `flicker_strength` of the runs of one region fail. `bursts` are troubled networks of a region, in each
    region, that last minutes; `burst_twins` of them strike a second region too, `burst_seen` of them are seen by control
    runs. `blips` are outages of the service that heal themselves, `slow_blips` times at which it is slow for a little.
    Durations follow a log-normal law of the given `spread`, with a `tail` of runs that are 2 to 4 times as slow, a wave
    through the day and a drift over days; each region has a level of its own.
    """

    failure_rate: float = 0.005
    rate_spread: float = 0.3
    flicker_share: float = 0.5
    flicker_strength: float = 0.7
    flicker_seconds: tuple[float, float] = (5.0, 20.0)
    bursts: float = 3.0
    burst_seconds: float = 150.0
    burst_spread: float = 0.8
    burst_most_seconds: float = 900.0
    burst_strength: tuple[float, float] = (0.4, 1.0)
    burst_slower: tuple[float, float] = (1.0, 3.0)
    burst_twins: float = 0.15
    burst_seen: float = 0.65
    blips: float = 0.0
    blip_seconds: tuple[float, float] = (10.0, 40.0)
    blip_strength: tuple[float, float] = (0.3, 1.0)
    slow_blips: float = 0.0
    slow_blip_seconds: tuple[float, float] = (20.0, 90.0)
    slow_blip_slower: tuple[float, float] = (2.0, 4.0)
    spread: float = 0.25
    tail: float = 0.01
    daily_wave: float = 0.20
    drift: float = 0.10
    region_spread: float = 0.10
    control_rate: float = 0.001


class Disturbance(StrEnum):
    """The kinds of episodes that are no outage."""

    BURST = "burst"
    BLIP = "blip"
    SLOW_BLIP = "slow_blip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A time at which runs fail or are slow, though nobody needs to be woken: `share` of them fail, all take `slower` times as long.

    `regions` are the numbers of those it strikes. `hang` is the share of its failures that get no answer until the
    timeout. `seen` says whether control runs fail as well.
    """

    kind: Disturbance
    start: float
    end: float
    regions: tuple[int, ...]
    share: float = 0.0
    slower: float = 1.0
    hang: float = 0.0
    seen: bool = False


class Flickers:
    """The flickers of one region: some seconds here and there during which most of its runs fail."""

    __slots__ = ("ends", "starts")

    def __init__(self, rate: float, noise: Noise, length: float, random: Random) -> None:
        self.starts: list[float] = []
        self.ends: list[float] = []
        share = rate * noise.flicker_share / noise.flicker_strength
        if share <= 0:
            return
        shortest, longest = noise.flicker_seconds
        gap = (shortest + longest) / 2 / share
        at = random.expovariate(1 / gap)
        while at < length:
            self.starts.append(at)
            self.ends.append(at + random.uniform(shortest, longest))
            at = self.ends[-1] + random.expovariate(1 / gap)


def rates(noise: Noise, regions: Sequence[str], random: Random) -> list[float]:
    """The share of runs that fail for no reason in each region; on average as the noise says."""
    weights = [exp(random.gauss(0, noise.rate_spread)) for _ in regions]
    mean = sum(weights) / len(weights)
    return [noise.failure_rate * weight / mean for weight in weights]


def episodes(noise: Noise, regions: Sequence[str], length: float, random: Random) -> tuple[Episode, ...]:
    """The bursts, blips and slow blips of a world that lasts `length` seconds."""
    everywhere = tuple(range(len(regions)))
    found: list[Episode] = []
    for region in everywhere:
        found += _bursts(noise, region, len(regions), length, random)
    for start, end in _times(noise.blips, noise.blip_seconds, length, random):
        strength = random.uniform(*noise.blip_strength)
        hang = random.choice((0.0, 0.0, 0.5))
        found.append(
            Episode(kind=Disturbance.BLIP, start=start, end=end, regions=everywhere, share=strength, hang=hang)
        )
    for start, end in _times(noise.slow_blips, noise.slow_blip_seconds, length, random):
        slower = random.uniform(*noise.slow_blip_slower)
        found.append(Episode(kind=Disturbance.SLOW_BLIP, start=start, end=end, regions=everywhere, slower=slower))
    return tuple(sorted(found, key=lambda episode: episode.start))


def burst(noise: Noise, region: int, count: int, at: float, random: Random, rank: float | None = None) -> Episode:
    """One burst of a region, from `at` on. `rank` says how long it lasts among all: 0.9 is longer than nine in ten."""
    level = random.gauss(0.0, 1.0) if rank is None else NormalDist().inv_cdf(rank)
    lasts = min(noise.burst_most_seconds, exp(log(noise.burst_seconds) + noise.burst_spread * level))
    twin = count > 1 and random.random() < noise.burst_twins
    return Episode(
        kind=Disturbance.BURST,
        start=at,
        end=at + lasts,
        regions=(region, (region + 1) % count) if twin else (region,),
        share=random.uniform(*noise.burst_strength),
        slower=random.uniform(*noise.burst_slower),
        hang=random.uniform(0.2, 0.9),
        seen=random.random() < noise.burst_seen,
    )


def _bursts(noise: Noise, region: int, count: int, length: float, random: Random) -> list[Episode]:
    found: list[Episode] = []
    rate = noise.bursts / MONTH
    at = random.expovariate(rate) if rate > 0 else length
    while at < length:
        found.append(burst(noise, region, count, at, random))
        at = found[-1].end + random.expovariate(rate)
    return found


def _times(per_month: float, seconds: tuple[float, float], length: float, random: Random) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    at = random.expovariate(per_month / MONTH) if per_month > 0 else length
    while at < length:
        end = at + random.uniform(*seconds)
        found.append((at, end))
        at = end + random.expovariate(per_month / MONTH)
    return found
