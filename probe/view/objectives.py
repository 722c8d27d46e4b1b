"""Objectives as they stand."""

from datetime import datetime, timedelta

from probe.core.duration import format_duration
from probe.core.message import budget_words
from probe.core.rules import Calendar, Objective
from probe.core.state import State
from probe.view.documents import ObjectiveRow
from probe.view.sources import Sources
from probe.view.standing import Promise, promise


def objectives(sources: Sources) -> list[ObjectiveRow]:
    """All objectives, in the order of the configuration."""
    state = sources.reader.status().state
    return [objective_row(objective, state, sources.now) for objective in sources.rules.objectives.values()]


def objective_row(objective: Objective, state: State, now: datetime) -> ObjectiveRow:
    """An objective, by what was counted for it."""
    return row_of(promise(objective, state, now))


def row_of(promise: Promise) -> ObjectiveRow:
    """An objective whose standing is known."""
    objective, left = promise.objective, promise.budget
    return ObjectiveRow(
        objective=objective.name,
        promised=objective.target,
        window=window_words(objective.window),
        checks=sorted(objective.checks),
        step=objective.step,
        under=objective.under,
        attained=left.attained,
        attained_within=None if left.within is None else list(left.within),
        left=left.left,
        coverage=left.coverage,
        good=left.counts.good,
        bad=left.counts.bad,
        lost=left.counts.lost,
        state=promise.state,
        words=budget_words(left),
    )


def window_words(window: timedelta | Calendar) -> str:
    """`30d`, or `this month`."""
    return f"this {window.value}" if isinstance(window, Calendar) else format_duration(window)
