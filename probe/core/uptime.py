"""How a part of the shop is, and was on a day, in the few words that its customers are told."""

from collections.abc import Collection
from typing import Final

from probe.core.incident import Verdict

OK: Final = "ok"
DEGRADED: Final = "degraded"
DOWN: Final = "down"
MAINTENANCE: Final = "maintenance"
UNKNOWN: Final = "unknown"
WORDS: Final = {
    OK: "Operational",
    DEGRADED: "Degraded",
    DOWN: "Outage",
    MAINTENANCE: "Maintenance",
    UNKNOWN: "Unknown",
}
"""A state as customers know it from other such pages."""
WELL: Final = 0.99
"""The share of good runs from which a day without an incident was as it should be."""
HALF: Final = 0.5
"""The share below which it was an outage, whatever was said."""
_TOLD: Final = {
    Verdict.OK: OK,
    Verdict.DOWN: DOWN,
    Verdict.DEGRADED: DEGRADED,
    Verdict.REGIONAL: DEGRADED,
    Verdict.THIRD_PARTY: DEGRADED,
}
_WORST_FIRST: Final = (DOWN, DEGRADED, UNKNOWN, MAINTENANCE, OK)


def told(verdict: Verdict) -> str:
    """What a verdict means to customers: our own trouble, and being refused as a robot, mean nothing to them.

    >>> told(Verdict.THIRD_PARTY), told(Verdict.PROBE_FAULT)
    ('degraded', 'unknown')
    """
    return _TOLD.get(verdict, UNKNOWN)


def worst(states: Collection[str]) -> str:
    """The state of a whole whose parts are in these; without any it is unknown.

    What is unknown outweighs what is well: nobody can say that all is.
    """
    return next((state for state in _WORST_FIRST if state in states), UNKNOWN)


def of_day(good: int, bad: int, suffered: Collection[str]) -> tuple[str, float | None]:
    """State and share of good runs of a day, on which incidents made it be in the states `suffered`.

    Of a day without a run nothing is known; an incident of which no run failed outside of maintenance was none.

    >>> of_day(1430, 10, {"down"}), of_day(1439, 1, ()), of_day(0, 0, {"down"})
    (('down', 0.9930555555555556), ('ok', 0.9993055555555556), ('unknown', None))
    """
    if not good + bad:
        return UNKNOWN, None
    share = good / (good + bad)
    if not bad:
        return OK, share
    if DOWN in suffered or share < HALF:
        return DOWN, share
    return (DEGRADED if DEGRADED in suffered or share < WELL else OK), share
