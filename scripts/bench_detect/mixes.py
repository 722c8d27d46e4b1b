"""The worlds that are judged: quiet ones for false alarms, others for outages. What was tuned on, and what was held out."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from probe.backtest.noise import DAY, Noise
from probe.backtest.outages import LENGTHS, NONE, SHARES, OutageKind, Plan
from probe.backtest.sample import Setting
from probe.backtest.world import SimulatedWorld

STEPS = ("product", "add_to_cart", "checkout")
QUIET_DAYS, OUTAGE_DAYS = 60.0, 50.0
"""Of each world, at full scale. Quiet worlds last longer where runs are few."""


@dataclass(frozen=True, kw_only=True)
class Mix:
    """A family of worlds: one for each rate of stray failures, quiet and with outages."""

    name: str
    words: str
    regions: int = 5
    every: float = 60.0
    steps: tuple[str, ...] = STEPS
    median: float = 6.0
    patience: float = 20.0
    rates: tuple[float, ...] = (0.001, 0.002, 0.005, 0.01, 0.02)
    noise: Noise = field(default_factory=Noise)
    plan: Plan = field(default_factory=Plan)
    held_out: bool = False

    @property
    def setting(self) -> Setting:
        return Setting(
            check="check",
            regions=tuple(f"r{number}" for number in range(self.regions)),
            every=self.every,
            timeout=self.patience * max(1, len(self.steps)),
            steps=self.steps,
        )

    def kinds(self) -> tuple[OutageKind, ...]:
        """The kinds of outage that these worlds have."""
        return tuple(k for k in self.plan.kinds if self.regions > 1 or k is not OutageKind.REGION)

    def world(self, part: str, number: int, seed: int, scale: float) -> SimulatedWorld:
        """One world; `part` is quiet or outages, `number` that of its rate of stray failures."""
        quiet = part == "quiet"
        days = OUTAGE_DAYS
        if quiet:
            days = QUIET_DAYS * max(1.0, self.every / 60 * 5 / self.regions / 2)
        return SimulatedWorld(
            replace(self.setting, length=days * scale * DAY),
            seed=f"{self.name} {part} {seed} {number}",
            noise=replace(self.noise, failure_rate=self.rates[number]),
            outages=NONE if quiet else replace(self.plan, kinds=self.kinds()),
            median=self.median,
            patience=self.patience,
            shares=(0.40, 0.25, 0.35) if len(self.steps) == 3 else (),
            timed=False,
        )

    def jobs(self) -> Iterator[tuple[str, int]]:
        """Part and number of each of its worlds."""
        for part in ("quiet", "outages"):
            for number in range(len(self.rates)):
                yield part, number


HARDER = Plan(
    shares={**SHARES, OutageKind.PARTIAL: (0.15, 0.5), OutageKind.PAYMENT: (0.25, 0.8), OutageKind.STEP: (0.4, 1.0)},
    lengths={**LENGTHS, OutageKind.TOTAL: (400, 2400), OutageKind.FLAP: (900, 2700)},
    slower=(2.5, 4.0),
    flap=(45.0, 240.0),
    spreads_within=(60.0, 600.0),
    gap=7 * 3600.0,
)
NOISIER = Noise(
    bursts=5.0,
    burst_seconds=120.0,
    burst_spread=1.0,
    burst_twins=0.25,
    burst_seen=0.5,
    flicker_share=0.6,
    flicker_seconds=(4.0, 25.0),
    spread=0.35,
    tail=0.02,
    daily_wave=0.30,
    region_spread=0.2,
)

MIXES: tuple[Mix, ...] = (
    Mix(name="brief", words="journey every 60 s from 5 regions"),
    Mix(
        name="blippy",
        words="the same, with 6 blips of 10-40 s and 10 slow blips of 20-90 s in 30 days",
        noise=Noise(blips=6.0, slow_blips=10.0),
    ),
    Mix(name="http3", words="request every 60 s from 3 regions", regions=3, steps=(), median=0.35, patience=10.0),
    Mix(name="sparse", words="journey every 300 s from 5 regions", every=300.0),
    Mix(name="single", words="request every 60 s from 1 region", regions=1, steps=(), median=0.35, patience=10.0),
    Mix(
        name="burn",
        words="journey every 60 s from 5 regions: 3-6 % fail for hours",
        rates=(0.001, 0.002, 0.005, 0.01),
        plan=Plan(kinds=(OutageKind.SLOWBURN,), gap=18 * 3600.0),
    ),
    Mix(
        name="ho-fast",
        words="request every 30 s from 3 regions, other ranges",
        regions=3,
        every=30.0,
        steps=(),
        median=0.5,
        patience=8.0,
        rates=(0.0015, 0.004, 0.012),
        plan=HARDER,
        held_out=True,
    ),
    Mix(
        name="ho-pair",
        words="journey every 120 s from 2 regions, other ranges",
        regions=2,
        every=120.0,
        median=8.0,
        patience=15.0,
        rates=(0.0015, 0.004, 0.012),
        plan=HARDER,
        held_out=True,
    ),
    Mix(
        name="ho-wide",
        words="journey every 60 s from 7 regions, noisier networks, other ranges",
        regions=7,
        median=4.0,
        rates=(0.0015, 0.004, 0.012),
        noise=NOISIER,
        plan=HARDER,
        held_out=True,
    ),
    Mix(
        name="ho-seldom",
        words="request every 300 s from 3 regions, other ranges",
        regions=3,
        every=300.0,
        steps=(),
        median=0.2,
        patience=10.0,
        rates=(0.0015, 0.004, 0.012),
        plan=HARDER,
        held_out=True,
    ),
    Mix(
        name="ho-noisy",
        words="journey every 60 s from 5 regions, noisier networks, 3 blips of 10-40 s in 30 days, other ranges",
        rates=(0.0015, 0.004, 0.012, 0.03),
        noise=replace(NOISIER, blips=3.0, slow_blips=5.0),
        plan=HARDER,
        held_out=True,
    ),
)
"""Held out: nothing was tuned on them, and their ranges are others."""
