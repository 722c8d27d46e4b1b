"""How the error budget of an objective went down over its window."""

from datetime import UTC, datetime
from typing import Final

from probe.core.encode import timestamp
from probe.core.ledger import HOUR, Ledger
from probe.core.rules import Objective
from probe.core.slo import window_of
from probe.core.state import State
from probe.view.documents import Burndown, BurnPoint
from probe.view.objectives import row_of
from probe.view.standing import promise

MOST: Final = 100
"""Points of a line."""


def burndown(objective: Objective, state: State, now: datetime) -> Burndown:
    """The budget of an objective from the beginning of its window until now, measured by what is allowed as of now.

    So the last point is what is left, and every bad run moves the line as much as any other.
    """
    found = promise(objective, state, now)
    ledger = state.ledgers.get(objective.name) or Ledger()
    start, _ = window_of(objective.window, now)
    used, bad = 1 - found.budget.left, max(found.budget.counts.bad, 0)
    first, last = int(start.timestamp()) // HOUR * HOUR, int(now.timestamp())
    hours = sorted(hour for hour in ledger.hours if first <= hour <= last)
    every = max(1, -(-(last - first) // HOUR) // (MOST - 2) + 1)
    points = [BurnPoint(at=timestamp(start), left=1.0)]
    seen = 0
    for index, hour in enumerate(hours):
        seen += ledger.hours[hour].bad
        if (hour - first) // HOUR % every == every - 1 and index < len(hours) - 1:
            at = datetime.fromtimestamp(hour + HOUR, UTC)
            points.append(BurnPoint(at=timestamp(at), left=round(1 - used * seen / bad if bad else 1.0, 4)))
    points.append(BurnPoint(at=timestamp(now), left=round(found.budget.left, 4)))
    return Burndown(objective=row_of(found), points=points)
