"""Facts and habits for the tests of detection."""

from math import log
from typing import Any

from probe.core.detector import Evidence, Limits, Points, limits, points_of, weigh
from probe.core.fact import WHOLE, Fact
from probe.core.habits import ENOUGH, SPREAD, UNKNOWN, Habits, Rate, Series

T0 = 1_800_000_000.0
FIVE = ("r0", "r1", "r2", "r3", "r4")
BOUNDS = (1.28 * SPREAD, 2.05 * SPREAD, 2.58 * SPREAD)


def fact(at: float, region: str = "r0", *, ok: bool = True, **given: Any) -> Fact:
    """A run that began `at` seconds after `T0`, and took one second."""
    kind = given.pop("kind", "" if ok else "status")
    return Fact(
        **{
            "ended": T0 + at + 1.0,
            "region": region,
            "began": T0 + at,
            "run": f"{region}@{at:g}",
            "ok": ok,
            "kind": kind,
            **given,
        }
    )


def bad(at: float, region: str = "r0", **given: Any) -> Fact:
    """A run that failed."""
    return fact(at, region, ok=False, **given)


def worth(*regions: str, habits: Habits = UNKNOWN) -> dict[str, Points]:
    """What runs from these regions are worth."""
    return {name: points_of(habits, name) for name in regions}


def weighed(*facts: Fact, regions: tuple[str, ...] = FIVE, bounds: Limits | None = None) -> Evidence:
    """What these facts say, of a check that runs each minute."""
    return weigh(sorted(facts), worth(*regions), bounds or limits(60.0, len(regions)))


def known(seconds: float, *regions: str, step: str = WHOLE, runs: int = 100 * ENOUGH) -> Habits:
    """The habits of a check that always takes about so long, and never fails."""
    series = Series({name: (log(seconds), runs) for name in regions}, BOUNDS, runs)
    rates = {name: Rate(0.0, 0.0, float(runs)) for name in regions}
    return Habits(rates=rates, series={WHOLE: series, step: series})
