"""The runs of a check that matter now, in the order in which they ended, whenever they came. What is before is learned."""

from bisect import insort
from typing import Final

from probe.core.fact import Fact
from probe.core.habits import Habits, after

FULL: Final = 24
"""Runs for each region that a trail is cut to."""
SAME: Final = 1.0
"""Seconds by which the beginning of a run may be off, as long as it is overdue: whoever waits has a clock of its own."""

Trail = tuple[Fact, ...]


def insert(trail: Trail, fact: Fact) -> Trail:
    """The trail with one more fact, in its place by time. What was overdue from its region has ended with it."""
    if not trail or fact > trail[-1]:
        for old in trail:
            if old.overdue:
                break
        else:
            return (*trail, fact)
    facts = [old for old in trail if not (old.overdue and old.region == fact.region and fact.began >= old.began - SAME)]
    insort(facts, fact)
    return tuple(facts)


def settle(trail: Trail, patience: float) -> tuple[Trail, Trail]:
    """What of a trail that says nothing is kept, and what may be learned from and forgotten, in order.

    The last `patience` seconds are kept: a run that ended then may still come.
    """
    limit, keep = trail[-1].ended - patience, 0
    while trail[keep].ended < limit:
        keep += 1
    return (trail[keep:], trail[:keep]) if keep else (trail, ())


def cut(trail: Trail, regions: int) -> Trail:
    """The trail without what is oldest, if it is full: in long trouble. It is as if it had begun with what is left."""
    return trail[-FULL * regions :] if len(trail) > FULL * (regions + 1) else trail


def learn(habits: Habits, facts: Trail, fade: float) -> Habits:
    """The habits after these facts; only runs of the schedule count, so that trouble does not count several times."""
    for fact in facts:
        if fact.scheduled and fact.counts:
            habits = after(habits, fact, fade)
    return habits


def without(trail: Trail, region: str) -> Trail:
    """The trail without the failures of a region: they were our own."""
    return tuple(fact for fact in trail if fact.ok or fact.region != region)


def without_overdue(trail: Trail, region: str) -> Trail:
    """The trail without what was overdue from a region: it ended, and says nothing."""
    return tuple(fact for fact in trail if not (fact.overdue and fact.region == region))
